"""Scorers against what they replace, side by side on this machine: ``python benchmarks/scoring.py [NAME...]``.

Each row is a function that gives its measurements; all are named in ``ROWS``. Of several repetitions the best is printed,
by the clock and by the processor (child processes included): what a busy machine adds is no property of the code. Corpora are read from ``RELATOME_DATA``.
"""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

REPETITIONS = 5


class Timing(NamedTuple):
    """One line of the table: what was run, and the best of its times."""

    what: str
    seconds: float
    processor_seconds: float


def timed(what: str, run: Callable[[], object], repetitions: int = REPETITIONS) -> Timing:
    """The best of several times."""
    clock, processor = [], []
    for _ in range(repetitions):
        begun, before = time.perf_counter(), sum(os.times()[:4])
        run()
        clock.append(time.perf_counter() - begun)
        processor.append(sum(os.times()[:4]) - before)
    return Timing(what, min(clock), min(processor))


def data() -> Path:
    """The folder of corpora."""
    folder = os.environ.get("RELATOME_DATA")
    if not folder:
        sys.exit("set RELATOME_DATA to the folder of corpora")
    return Path(folder)


def conll() -> Iterator[Timing]:
    """JNLPBA's test set (BioBERT's file), a tenth of its tags replaced by chance: the same chunks counted in four ways."""
    from seqeval.metrics import classification_report

    from relatome.scoring import conll

    rng = random.Random(0)
    rows = (data() / "biobert_ner" / "JNLPBA" / "test.tsv").read_text(encoding="utf-8").split("\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noised.txt"
        lines = []
        for row in rows:
            token, _, tag = row.partition("\t")
            other = tag if rng.random() > 0.1 else rng.choice("BIO")
            tags = [one if one == "O" else f"{one}-Protein" for one in (tag, other)]
            lines.append(f"{token.replace(' ', '_')} {tags[0]} {tags[1]}\n" if row else "\n")
        path.write_text("".join(lines), encoding="utf-8")
        arguments = conll.read(None, str(path))
        gold, predicted = arguments["gold"], arguments["predicted"]
        yield timed("seqeval classification_report, on lists", lambda: classification_report(gold, predicted), 3)
        yield timed("relatome conll: every number, on lists", lambda: conll.score(gold, predicted, resamples=0))
        yield timed("relatome conll: with 1,000 resamples", lambda: conll.score(gold, predicted))

        rules = Path(__file__).parents[1] / "tests" / "data" / "conll" / "rules.pl"
        given = "=== \n" + path.read_text(encoding="utf-8")

        def perl(script: Path, text: str) -> str:
            done = subprocess.run(["perl", script], input=text, capture_output=True, text=True, check=True)
            return done.stdout

        ours = conll.text(**arguments)
        assert perl(rules, given) == "===\n" + ours
        yield timed("the published rules in Perl, from the file", lambda: perl(rules, given))
        original = os.environ.get("CONLLEVAL")  # the original, where you have it
        if original:
            assert perl(Path(original), given[5:]) == ours
            yield timed("conlleval.pl, from the file", lambda: perl(Path(original), given[5:]))
        yield timed("relatome conll, from the file", lambda: conll.text(**conll.read(None, str(path))))
        command = [Path(sys.executable).with_name("relatome"), "score", "conll", "-p", path, "--format", "conlleval"]
        yield timed(
            "relatome score conll, a process of its own",
            lambda: subprocess.run(command, check=True, capture_output=True),
        )


def resampling() -> Iterator[Timing]:
    """10,000 resamples of a test set of 5,000 rows: sums, BCa's jackknife, rank scores; scipy's own beside them."""
    import numpy as np
    import scipy.stats

    from relatome.scoring import calibration, classification, ranks, similarity
    from relatome.scoring.resampling import bootstrap, interval

    generator = np.random.default_rng(0)
    counts = generator.integers(0, 3, size=(5000, 30)).astype(float)
    truth = generator.random(5000) < 0.3
    scores = generator.random(5000) + 0.3 * truth

    def ratios(sums: np.ndarray) -> np.ndarray:
        return sums[:, :15] / sums[:, 15:]

    yield timed("15 ratios of sums, percentile", lambda: interval(counts, ratios, resamples=10_000), 3)
    yield timed("the same, BCa", lambda: interval(counts, ratios, resamples=10_000, method="bca"), 3)
    for name in ("auroc", "average_precision", "spearman"):
        value = getattr(ranks, name)(truth if name != "spearman" else scores[::-1], scores)
        yield timed(name, lambda value=value: bootstrap(value, 5000, resamples=10_000), 3)
    gold = np.where(truth, "yes", "no").tolist()
    answers = np.where(scores > 0.6, "yes", "no").tolist()
    labels = ["no", "yes"]
    probabilities = np.stack((1.3 - scores, scores), axis=1) / 1.3
    for name, measured in (
        ("classification", classification.measure(gold, answers, labels=labels)),
        (
            "the same, with probabilities",
            classification.measure(gold, answers, labels=labels, probabilities=probabilities),
        ),
        ("calibration", calibration.measure(gold, probabilities, labels=labels)),
        ("similarity", similarity.measure(scores[::-1].tolist(), scores.tolist())),
    ):
        for method in ("percentile", "bca"):
            run = functools.partial(measured.report, resamples=10_000, method=method)
            yield timed(f"{name}: every number, {method}", run, 3)

    def one_ratio(top: np.ndarray, bottom: np.ndarray, axis: int = -1) -> np.ndarray:
        return top.sum(axis=axis) / bottom.sum(axis=axis)

    columns = (counts[:, 0], counts[:, 15])
    theirs = {"n_resamples": 10_000, "vectorized": True, "paired": True, "method": "percentile", "batch": 100}
    yield timed("scipy.stats.bootstrap: one ratio", lambda: scipy.stats.bootstrap(columns, one_ratio, **theirs), 1)


def paired() -> Iterator[Timing]:
    """Two runs on 5,000 rows: bootstrap and approximate randomisation of accuracy, F1 and MCC, 10,000 draws each."""
    import numpy as np

    from relatome.scoring import classification
    from relatome.scoring.paired import compare, joined

    generator = np.random.default_rng(0)
    gold = generator.choice(["no", "yes"], 5000)
    sides = [np.where(generator.random(5000) < rate, gold, "no").tolist() for rate in (0.8, 0.82)]
    given = [{"gold": gold.tolist(), "predicted": side, "labels": ["no", "yes"]} for side in sides]
    one, other = (classification.measure(**arguments) for arguments in given)
    joint = joined(classification.measure, *given)
    yield timed("both tests", lambda: compare([one], [other], joint=joint), 3)


def bioasq() -> Iterator[Timing]:
    """Every golden file of BioASQ here, read and scored against itself."""
    from relatome.scoring import bioasq

    files = sorted((data() / "bioasq_factoid_biobert").glob("*_golden.json*"))
    yield timed(
        f"relatome bioasq, {len(files)} golden files",
        lambda: [bioasq.score(**bioasq.read(str(path), str(path)), resamples=0) for path in files],
    )


ROWS: dict[str, Callable[[], Iterator[Timing]]] = {
    "conll": conll,
    "resampling": resampling,
    "paired": paired,
    "bioasq": bioasq,
}


def main(names: list[str]) -> None:
    """Print the rows asked for, or all."""
    for name in names or ROWS:
        print(name)
        for timing in ROWS[name]():
            print(
                f"  {timing.what:44s} {timing.seconds * 1000:9.1f} ms {timing.processor_seconds * 1000:9.1f} ms processor",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])

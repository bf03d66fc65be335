"""What a run will take, measured: a few of its own steps on a typical and on its largest batch, and some of dev scored.

The steps are real, with gradients and the optimiser, so the network of the run that is looked at is spoilt: throw it away.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from relatome.batches import Row, width
from relatome.tasks import TASKS
from relatome.tasks.example import Head
from relatome.training import pretraining
from relatome.training.loop import Run
from relatome.training.mixture import dev_documents
from relatome.training.run import predictor_of

TIMES = 3  # each batch is learned so often, after once that is not timed: kernels are compiled for each shape
SAMPLE = 32  # documents of dev


@dataclass(frozen=True, slots=True)
class Shape:
    """A batch that was timed: rows, pieces each is padded to, seconds of a step."""

    rows: int
    width: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will take.

    Parameters
    ----------
    steps, pieces
        In all; pieces without padding.
    padding
        The share of what is computed that is padding.
    typical, largest
        The batches that were timed.
    training_seconds
        Of the steps: by their shapes, between the two that were timed in proportion to their width.
    scorings, scoring_seconds
        How often dev is scored, and what all of it takes by the ``sampled`` documents of ``documents``.
    memory
        MiB: the most the process held while it learned the largest batch; of the device, where there is one.
    """

    steps: int
    pieces: int
    padding: float
    typical: Shape
    largest: Shape
    training_seconds: float
    scorings: int
    scoring_seconds: float
    sampled: int
    documents: int
    memory: int


def forecast(run: Run) -> Forecast:
    """Measure a run that was planned (``run.planned``) and is not to be trained."""
    batches = run.stream.batches()
    order = sorted(batches, key=lambda rows: (len(rows) * _wide(rows), _wide(rows)))
    run.network.train()
    largest, typical = _timed(run, order[-1]), _timed(run, order[len(order) // 2])
    low, high = sorted((largest, typical), key=lambda one: one.width)
    rates = [one.seconds / (one.rows * one.width) for one in (low, high)]

    def seconds(rows: list[Row]) -> float:
        wide = _wide(rows)
        share = 0.5 if high.width == low.width else (wide - low.width) / (high.width - low.width)
        return len(rows) * wide * (rates[0] + min(max(share, 0.0), 1.0) * (rates[1] - rates[0]))

    times = run.total / len(batches)
    padded = sum(len(rows) * _wide(rows) for rows in batches)
    pieces = sum(row.pieces for rows in batches for row in rows)
    scorings = 0 if run.score is None else -(-run.total // run.every)
    scorings += 0 if run.finish is None else 2  # thresholds: chosen, then tried
    each, sampled, documents = _scoring(run) if scorings else (0.0, 0, 0)
    return Forecast(
        run.total, round(pieces * times), 1 - pieces / padded, typical, largest,
        times * sum(map(seconds, batches)), scorings, scorings * each, sampled, documents, _memory(run),
    )  # fmt: skip


def _wide(rows: list[Row]) -> int:
    return width(max(row.pieces for row in rows))


def _timed(run: Run, rows: list[Row]) -> Shape:
    taken = []
    for _ in range(1 + TIMES):
        begun = time.perf_counter()
        run.rehearse(rows)
        taken.append(time.perf_counter() - begun)
    return Shape(len(rows), _wide(rows), statistics.median(taken[1:]))


def _scoring(run: Run) -> tuple[float, int, int]:
    """Seconds of one scoring of dev, and from how many of its documents that is known."""
    heads: dict[str, Head] = {head.name: head for head in run.checkpoint.network.asked}
    total, sampled, documents = 0.0, 0, 0
    for item in run.settings.data:
        if not item.dev:
            continue
        found = list(dev_documents(item))
        some = found[:: max(1, len(found) // SAMPLE)][:SAMPLE]
        begun = time.perf_counter()
        for name in item.heads:
            if heads[name].task == "pretraining":
                pretraining.scores(some, run.checkpoint, run.settings.heads[0].hidden)
                continue
            asked = [one.input for document in some for one in TASKS[heads[name].task].examples(document, heads[name])]
            predictor_of(run.checkpoint).predict({name: asked})
        total += (time.perf_counter() - begun) * len(found) / max(1, len(some))
        sampled, documents = sampled + len(some), documents + len(found)
    run.network.train()
    return total, sampled, documents


def _memory(run: Run) -> int:
    if run.accelerator.device.type == "cuda":
        return int(torch.cuda.max_memory_reserved() >> 20)
    status = Path("/proc/self/status")
    if status.is_file():
        line = next((one for one in status.read_text().splitlines() if one.startswith("VmHWM")), "VmHWM: 0 kB")
        return int(line.split()[1]) >> 10
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most >> (20 if sys.platform == "darwin" else 10))

"""One scorer applied to one gold and one prediction: what resampling, paired tests and reports all start from.

A scorer's module turns its gold and predictions into a ``Measure``; the measure knows its value under any document
weights, and that is enough for intervals here and for comparing two runs (same ``units``, same weights, two measures).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from relatome.lookup import pick
from relatome.scoring import resampling
from relatome.scoring.score import Report, Score, SignatureValue

_NAMES = {"bca": "BCa"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a report before it has a value: its name, its class, the gold items behind it."""

    name: str
    class_: str | None
    support: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A function of document weights, with the names of what it gives.

    Parameters
    ----------
    scorer, version
        In the signature; the version rises when the same input would score otherwise.
    cells
        S of them, in the order of the values.
    units
        What is resampled, D ids, in the order of the weights.
    unit
        ``"document"``, ``"sentence"``, ``"row"``: what an id stands for.
    value
        (R, D) weights to (R, S) values; NaN where undefined.
    signature
        How it was counted: averaging, classes, what counts as a match.
    """

    scorer: str
    version: int
    cells: tuple[Cell, ...]
    units: tuple[str, ...]
    unit: str
    value: resampling.Value
    signature: Mapping[str, SignatureValue]

    def report(self, *, resamples: int = resampling.RESAMPLES, seed: int = 0, method: str = "percentile") -> Report:
        """Every value with its interval; with ``resamples=0`` (a dev score in training) without.

        Parameters
        ----------
        resamples, seed
            Of the bootstrap.
        method
            ``"percentile"`` or ``"bca"``.

        Notes
        -----
        One document says nothing about how documents vary, so with a single unit there is no interval either.
        """
        values = self.value(np.ones((1, len(self.units))))[0]
        samples = resampling.bootstrap(self.value, len(self.units), resamples=resamples, seed=seed)
        interval = pick(method, resampling.METHODS, "interval method")
        drawn = samples if len(self.units) > 1 else samples[:0]
        low, high = interval(self.value, drawn, len(self.units), resampling.CONFIDENCE)
        signature: dict[str, SignatureValue] = {
            "scorer": self.scorer,
            "scorer_version": self.version,
            **self.signature,
            "unit": self.unit,
            "units": len(self.units),
            "interval": f"{_NAMES.get(method, method)} bootstrap, {resampling.CONFIDENCE:.0%}",
            "resamples": resamples,
            "seed": seed,
        }
        scores = tuple(
            Score(cell.name, cell.class_, float(values[i]), float(low[i]), float(high[i]), cell.support)
            for i, cell in enumerate(self.cells)
        )
        return Report(scores, signature)

"""Sentence similarity (BIOSSES): Pearson and Spearman correlation of two columns of numbers.

scipy's ``pearsonr`` and ``spearmanr``; a test compares them, also under resampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from relatome.errors import ScoreError
from relatome.scoring import examples, offenders, ranks
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.resampling import RESAMPLES, Floats, units_of
from relatome.scoring.score import Report

NAME = "similarity"
VERSION = 1


def score(
    gold: Sequence[float],
    predicted: Sequence[float],
    *,
    groups: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Both correlations.

    Parameters
    ----------
    gold, predicted
        One number per row, in the same order.
    groups
        The document of each row; rows are resampled when left out, and the signature says so.

    Raises
    ------
    ScoreError
        Fewer than two rows, different numbers of rows, what is no number, or gold that does not vary.

    Examples
    --------
    >>> report = score([0.0, 1.0, 2.0, 4.0], [0.1, 0.3, 0.2, 0.9])
    >>> round(report.value("pearson"), 4), report.value("spearman")
    (0.9097, 0.8)
    """
    return measure(gold, predicted, groups=groups).report(resamples=resamples, seed=seed)


def measure(gold: Sequence[float], predicted: Sequence[float], *, groups: Sequence[str] | None = None) -> Measure:
    """The same as a function of document (or row) weights, for comparing two runs; parameters as in ``score``."""
    rows = offenders.same_length(gold, predicted)
    columns = []
    for what, column in (("gold", gold), ("predicted", predicted)):
        numbers = np.asarray(column, dtype=np.float64)
        bad = (np.flatnonzero(~np.isfinite(numbers)) + 1).tolist()
        if bad:
            raise ScoreError(f"{offenders.counted(len(bad), f'{what} value')} no number: row {offenders.listed(bad)}")
        columns.append(numbers)
    if rows < 2 or np.ptp(columns[0]) == 0:
        raise ScoreError(
            f"all {rows:,} gold values are {columns[0][0]:g}, and a correlation is not defined: row "
            + offenders.listed(range(1, rows + 1))
        )
    units, place = units_of(rows, groups)
    values = (ranks.pearson(*columns), ranks.spearman(*columns))

    def value(weights: Floats) -> Floats:
        of_rows = weights[:, place]
        return np.concatenate([one(of_rows) for one in values], axis=1)

    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=(Cell("pearson", None, rows), Cell("spearman", None, rows)),
        units=units,
        unit="row" if groups is None else "document",
        value=value,
        signature={"match": "correlation"},
    )


def read(gold: str | None, predicted: str) -> dict[str, Any]:
    """The arguments of ``measure`` from files of examples (see ``examples``), matched by id.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        Ids are missing or stand twice, or a value is no number.
    """
    return arguments(examples.sides(gold, predicted))


def arguments(found: examples.Examples) -> dict[str, Any]:
    """The arguments of ``measure`` from examples; as ``read`` from their files."""
    sides = []
    for side in ("gold", "predicted"):
        numbers = [examples.number(getattr(row, side)) for row in found.rows]
        bad = [row.id for row, number in zip(found.rows, numbers, strict=True) if not np.isfinite(number)]
        if bad:
            raise ScoreError(
                f"{offenders.counted(len(bad), f'{side} value')} no number: {offenders.first_of(bad)}", path=found.path
            )
        sides.append(numbers)
    return {"gold": sides[0], "predicted": sides[1], "groups": examples.documents(found.rows)}

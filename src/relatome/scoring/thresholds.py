"""A threshold for each class, chosen on dev for a wanted precision or a wanted recall.

For a recall the highest threshold that reaches it is taken, for a precision the lowest. Both are what was seen on dev; the exact
one-sided 95 % lower bounds beside them say how far the truth may lie below (for a promise about recall see ``triage``).
A precision that no threshold reaches has none: NaN, not a threshold that keeps nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from relatome.errors import ScoreError, SettingsError
from relatome.scoring import binomial, offenders, prf


@dataclass(frozen=True, slots=True)
class Threshold:
    """One class's threshold, and what it gives on dev.

    Parameters
    ----------
    value
        A row has the class when its probability is so much or more; NaN where nothing reaches what was wanted.
    precision, recall
        On dev.
    precision_low, recall_low
        One-sided 95 % lower bounds.
    support, kept
        Gold rows of the class, and rows at or above the threshold.
    """

    label: str
    value: float
    precision: float
    recall: float
    precision_low: float
    recall_low: float
    support: int
    kept: int


def choose(
    gold: Sequence[str] | Sequence[Sequence[str]],
    probabilities: npt.ArrayLike,
    *,
    labels: Sequence[str],
    precision: float | None = None,
    recall: float | None = None,
) -> tuple[Threshold, ...]:
    """A threshold for each label.

    Parameters
    ----------
    gold
        One label a row, or the labels of each row.
    probabilities
        (rows, labels); they need not sum to 1.
    precision, recall
        What is wanted: one of the two.

    Raises
    ------
    SettingsError
        Both or neither is given, or it lies outside 0..1.
    ScoreError
        No rows, different numbers of rows, a label not in the list, NaN, or a label that no row has.

    Examples
    --------
    >>> gold = ["yes", "no", "yes", "no"]
    >>> table = [[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]]
    >>> [(found.label, found.value, found.precision) for found in choose(gold, table, labels=["yes", "no"], recall=1.0)]
    [('yes', 0.7, 1.0), ('no', 0.4, 1.0)]
    """
    wanted = [value for value in (precision, recall) if value is not None]
    if len(wanted) != 1 or not 0 < wanted[0] <= 1:
        raise SettingsError(["give a precision or a recall, above 0 and at most 1"])
    prf.check_classes(labels, "labels")
    table = np.asarray(probabilities, dtype=np.float64)
    if table.shape != (len(gold), len(labels)) or not len(gold):
        raise ScoreError(
            f"there are {len(gold)} gold rows and probabilities of the shape {table.shape}",
            advice=f"give {len(labels)} for each row",
        )
    bad = (np.flatnonzero(~((table >= 0) & (table <= 1)).all(axis=1)) + 1).tolist()
    if bad:
        raise ScoreError(f"probabilities are NaN or outside 0..1 in {len(bad)} rows: row {offenders.listed(bad)}")
    sets = [{one} if isinstance(one, str) else set(one) for one in gold]
    said = [(f"row {row}", label) for row, some in enumerate(sets, 1) for label in sorted(some)]
    offenders.known([label for _, label in said], labels, "gold label", where=[row for row, _ in said])
    absent = [label for label in labels if not any(label in some for some in sets)]
    if absent:
        raise ScoreError(
            f"{offenders.counted(len(absent), 'label')} on no gold row: {offenders.first_of(absent)}",
            advice="a threshold needs rows of its class",
        )
    return tuple(
        _one(label, np.array([label in some for some in sets]), table[:, column], precision, recall)
        for column, label in enumerate(labels)
    )


def _one(
    label: str,
    positive: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64],
    precision: float | None,
    recall: float | None,
) -> Threshold:
    order = np.argsort(-scores, kind="stable")
    ordered, right = scores[order], np.cumsum(positive[order])
    kept = np.arange(1, len(scores) + 1)
    last = np.append(ordered[1:] != ordered[:-1], True)  # rows that tie are kept together
    support = int(right[-1])
    if recall is not None:
        places = np.flatnonzero(last & (right >= recall * support - 1e-9))[:1]
    else:
        places = np.flatnonzero(last & (right >= (precision or 0.0) * kept - 1e-9) & (right > 0))[-1:]
    if not places.size:
        return Threshold(label, math.nan, math.nan, math.nan, math.nan, math.nan, support, 0)
    hit, number = int(right[places[0]]), int(kept[places[0]])
    return Threshold(
        label, float(ordered[places[0]]), hit / number, hit / support, binomial.least_chance(hit, number),
        binomial.least_chance(hit, support), support, number,
    )  # fmt: skip


def apply(probabilities: npt.ArrayLike, thresholds: Sequence[Threshold]) -> list[list[str]]:
    """The labels of each row whose probability reaches their threshold; a row may get none.

    Raises
    ------
    ScoreError
        There are not as many probabilities as thresholds.

    Examples
    --------
    >>> chosen = [Threshold("yes", 0.7, 1, 1, 0, 0, 2, 2), Threshold("no", math.nan, 1, 1, 0, 0, 2, 0)]
    >>> apply([[0.8, 0.9], [0.6, 0.4]], chosen)
    [['yes'], []]
    """
    table = np.asarray(probabilities, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(thresholds):
        raise ScoreError(
            f"the probabilities have the shape {table.shape}", advice=f"give {len(thresholds)} for each row"
        )
    return [
        [one.label for one, number in zip(thresholds, row, strict=True) if number >= one.value]
        for row in table.tolist()
    ]

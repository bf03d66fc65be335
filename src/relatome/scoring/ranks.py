"""Scores of an order: AUROC, average precision (AUPRC), Pearson and Spearman, each a function of row weights.

All but Pearson are no functions of sums over rows, so every resample is computed anew; what does not depend on the
weights, the sorting and the ties, is done once, and all resamples of a chunk go through numpy together. Rows that tie are one step:
AUROC counts a tied pair half, average precision takes the precision after all of them, ranks are the mean rank.

Definitions: scikit-learn's ``roc_auc_score`` and ``average_precision_score`` with ``sample_weight``, scipy's
``pearsonr`` and ``spearmanr`` of the rows repeated as often as their weights say; tests compare them.

Array shapes: R resamples, N rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from relatome.scoring.prf import ratio
from relatome.scoring.resampling import Floats, of_sums

OfRows: TypeAlias = Callable[[Floats], Floats]  # (R, N) -> (R, 1)


def auroc(positive: npt.ArrayLike, scores: npt.ArrayLike) -> OfRows:
    """The chance that a positive row scores above a negative one; NaN where a side is empty.

    Examples
    --------
    >>> auroc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])(np.ones((1, 4))).tolist()
    [[0.75]]
    """
    order, first, last = _ties(scores)
    truth = np.asarray(positive, dtype=bool)[order]
    places = np.flatnonzero(truth)
    before, through = first[places], last[places] + 1
    negative = 1.0 - truth

    def value(weights: Floats) -> Floats:
        drawn = weights[:, order]
        positives = drawn[:, places]
        below = np.zeros((len(drawn), drawn.shape[1] + 1))
        np.cumsum(drawn * negative, axis=1, out=below[:, 1:])
        won = ((below[:, before] + below[:, through]) * positives).sum(axis=1, keepdims=True) / 2
        return ratio(won, positives.sum(axis=1, keepdims=True) * below[:, -1:])

    return value


def average_precision(positive: npt.ArrayLike, scores: npt.ArrayLike) -> OfRows:
    """The mean over positive rows of the precision when all that score as high are taken; NaN where there is none.

    Examples
    --------
    >>> average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])(np.ones((1, 4))).round(4).tolist()
    [[0.8333]]
    """
    order, _, last = _ties(-np.asarray(scores, dtype=np.float64))
    truth = np.asarray(positive, dtype=bool)[order]
    places = np.flatnonzero(truth)
    ends = last[places]
    counted = truth.astype(np.float64)

    def value(weights: Floats) -> Floats:
        drawn = weights[:, order]
        taken = np.cumsum(drawn, axis=1)[:, ends]
        right = np.cumsum(drawn * counted, axis=1)
        positives = drawn[:, places]
        precision = np.divide(right[:, ends], taken, out=np.zeros_like(taken), where=taken > 0)
        return ratio((precision * positives).sum(axis=1, keepdims=True), right[:, -1:])

    return value


def pearson(one: npt.ArrayLike, other: npt.ArrayLike) -> OfRows:
    """The linear correlation of two columns; NaN where a column does not vary. A function of sums, in truth.

    Examples
    --------
    >>> pearson([1, 2, 3], [2, 4, 6])(np.ones((1, 3))).round(4).tolist()
    [[1.0]]
    """
    # centred and scaled before, so that the sums of squares lose no digits: a correlation does not notice
    first, second = (_standard(np.asarray(column, dtype=np.float64)) for column in (one, other))
    columns = np.stack((np.ones_like(first), first, second, first**2, second**2, first * second), axis=1)

    def value(sums: Floats) -> Floats:
        total, a, b, aa, bb, ab = sums.T
        return _correlation(ab - a * b / total, aa - a**2 / total, bb - b**2 / total, total)

    return of_sums(columns, value)


def spearman(one: npt.ArrayLike, other: npt.ArrayLike) -> OfRows:
    """The correlation of the ranks, which depend on how often each row was drawn.

    Examples
    --------
    >>> spearman([1, 2, 3, 4], [1, 4, 9, 16])(np.ones((1, 4))).round(4).tolist()
    [[1.0]]
    """
    ranks, others = _ranked(one), _ranked(other)

    def value(weights: Floats) -> Floats:
        total = weights.sum(axis=1, keepdims=True)
        first, second = ranks(weights), others(weights)
        for ranked in (first, second):  # the mean rank of n rows is (n + 1) / 2, whatever ties
            ranked -= (total + 1) / 2
        heavy = weights * first
        together = np.einsum("ij,ij->i", heavy, second)
        spread = np.einsum("ij,ij->i", heavy, first)
        np.multiply(weights, second, out=heavy)
        return _correlation(together, spread, np.einsum("ij,ij->i", heavy, second), total[:, 0])

    return value


def _ranked(column: npt.ArrayLike) -> Callable[[Floats], Floats]:
    """(R, N) weights to (R, N) mean ranks, as if each row stood there as often as its weight says."""
    order, first, last = _ties(column)
    back = np.argsort(order)
    tied = bool((first != last).any())

    def ranks(weights: Floats) -> Floats:
        drawn = weights[:, order]
        through = np.cumsum(drawn, axis=1)
        if tied:
            through = (through[:, last] + (through - drawn)[:, first] + 1) / 2
        else:
            through -= (drawn - 1) / 2
        mean: Floats = through[:, back]
        return mean

    return ranks


def _correlation(together: Floats, first: Floats, second: Floats, total: Floats) -> Floats:
    """(R,) sums of products and of squares about the mean to (R, 1); a spread that is rounding only is none."""
    varies = (first > total * 1e-12) & (second > total * 1e-12)
    spread = np.where(varies, np.maximum(first, 0) * np.maximum(second, 0), 0.0)
    return np.clip(ratio(together, np.sqrt(spread)), -1, 1)[:, None]


def _standard(column: Floats) -> Floats:
    centred = column - column.mean()
    largest = np.abs(centred).max()
    # what differs in the last digits only does not vary
    scaled: Floats = centred / largest if largest > 1e-12 * np.abs(column).max() else np.zeros_like(centred)
    return scaled


def _ties(
    scores: npt.ArrayLike,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The order of rows by score; and for each place in it the first and the last place of equal score."""
    numbers = np.asarray(scores, dtype=np.float64)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    return order, np.searchsorted(ordered, ordered, "left"), np.searchsorted(ordered, ordered, "right") - 1

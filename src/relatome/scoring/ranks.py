"""Scores of an order: AUROC, average precision (AUPRC), Pearson and Spearman, each a function of row weights.

All but Pearson are no functions of sums over rows, so every resample is computed anew; what does not depend on the
weights, the sorting and the ties, is done once, and all resamples of a chunk go through numpy together. What is summed up
is how often rows were drawn: whole numbers, which a processor adds ten times as fast as floats one after the other. Rows that tie are one step:
AUROC counts a tied pair half, average precision takes the precision after all of them, ranks are the mean rank.

Definitions: scikit-learn's ``roc_auc_score`` and ``average_precision_score`` with ``sample_weight``, scipy's
``pearsonr`` and ``spearmanr`` of the rows repeated as often as their weights say; tests compare them.

Array shapes: R resamples, N rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from relatome.scoring.prf import ratio
from relatome.scoring.resampling import Floats, of_sums

OfRows: TypeAlias = Callable[[Floats], Floats]  # (R, N) -> (R, 1), or (R, 2) where so said
Places: TypeAlias = npt.NDArray[np.intp]


def auroc(positive: npt.ArrayLike, scores: npt.ArrayLike) -> OfRows:
    """The chance that a positive row scores above a negative one; NaN where a side is empty.

    Examples
    --------
    >>> auroc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])(np.ones((1, 4))).tolist()
    [[0.75]]
    """
    both = discrimination(positive, scores)
    return lambda weights: both(weights)[:, :1]


def average_precision(positive: npt.ArrayLike, scores: npt.ArrayLike) -> OfRows:
    """The mean over positive rows of the precision when all that score as high are taken; NaN where there is none.

    Examples
    --------
    >>> average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])(np.ones((1, 4))).round(4).tolist()
    [[0.8333]]
    """
    both = discrimination(positive, scores)
    return lambda weights: both(weights)[:, 1:]


def discrimination(positive: npt.ArrayLike, scores: npt.ArrayLike) -> OfRows:
    """(R, 2): ``auroc`` and ``average_precision``, which share the sorting and the sums.

    Examples
    --------
    >>> discrimination([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])(np.ones((1, 4))).round(4).tolist()
    [[0.75, 0.8333]]
    """
    order, first, last = _ties(scores)
    truth = np.asarray(positive, dtype=bool)[order]
    places = np.flatnonzero(truth)
    before, through = first[places], last[places] + 1
    negative = 1 - truth.astype(np.int64)
    room = _Room()

    def value(weights: Floats) -> Floats:
        drawn = room.take("drawn", room.whole(weights), order)
        positives = room.take("positives", drawn, places)
        rows = room.sums("rows", drawn)
        negatives = room.sums("negatives", np.multiply(drawn, negative, out=drawn))
        all_rows, all_negatives = rows[:, -1:], negatives[:, -1:]
        all_positives = all_rows - all_negatives
        taken = room.take("taken", rows, before)
        np.subtract(all_rows, taken, out=taken)  # as many score so much or more
        below = room.take("below", negatives, before)
        beaten = room.take("beaten", negatives, through)
        beaten += below
        won = np.einsum("ij,ij->i", beaten, positives, dtype=np.float64)[:, None] / 2
        right = np.add(taken, below, out=below)
        right -= all_negatives
        precision = room.array("precision", taken.shape, np.dtype(np.float64))
        precision[:] = 0
        np.divide(right, taken, out=precision, where=taken > 0)
        found = np.einsum("ij,ij->i", precision, positives)[:, None]
        return np.concatenate((ratio(won, all_positives * all_negatives), ratio(found, all_positives)), axis=1)

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
    order, first, last = _ties(one)
    other_order, other_first, other_last = _ties(other)
    back = np.argsort(other_order)[order]  # all is done in the order of the first column
    room = _Room()

    def value(weights: Floats) -> Floats:
        whole = room.whole(weights)
        total = weights.sum(axis=1, keepdims=True)
        ranks = room.ranks("ranks", room.take("drawn", whole, other_order), other_first, other_last, total)
        others = room.take("others", ranks, back)
        drawn = room.take("drawn", whole, order)
        ranks = room.ranks("ranks", drawn, first, last, total)
        heavy = np.multiply(drawn, ranks, out=room.array("heavy", ranks.shape, ranks.dtype))
        together, spread = (np.einsum("ij,ij->i", heavy, column) for column in (others, ranks))
        np.multiply(drawn, others, out=heavy)
        return _correlation(together, spread, np.einsum("ij,ij->i", heavy, others), total[:, 0])

    return value


class _Room:
    """Arrays kept from one chunk of resamples to the next: the pages of fresh ones cost more than the sums in them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, np.dtype[Any]], npt.NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """Room for numbers, with whatever stood there."""
        size = math.prod(shape)
        kept = self._kept.get((name, dtype))
        if kept is None or kept.size < size:
            kept = self._kept[name, dtype] = np.empty(size, dtype)
        return kept[:size].reshape(shape)

    def take(self, name: str, table: npt.NDArray[Any], places: Places) -> npt.NDArray[Any]:
        """(R, N) to (R, P): the columns at these places."""
        room = self.array(name, (len(table), len(places)), table.dtype)
        return np.take(table, places, axis=1, out=room, mode="clip")  # no place is outside: "clip" needs no copy

    def sums(self, name: str, drawn: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(R, N + 1): what stands before each place, and after the last everything."""
        found = self.array(name, (len(drawn), drawn.shape[1] + 1), drawn.dtype)
        found[:, 0] = 0
        np.cumsum(drawn, axis=1, out=found[:, 1:])
        return found

    def whole(self, weights: Floats) -> npt.NDArray[Any]:
        """The weights as whole numbers where they are such, as those of resamples are."""
        numbers = self.array("whole", weights.shape, np.dtype(np.int64))
        np.copyto(numbers, weights, casting="unsafe")
        return numbers if np.array_equal(numbers, weights) else weights

    def ranks(self, name: str, drawn: npt.NDArray[Any], first: Places, last: Places, total: Floats) -> Floats:
        """(R, N) weights in the order of a column to twice the mean ranks, about their mean.

        Ranks as if each row stood there as often as its weight says; the mean of n is (n + 1) / 2, whatever ties.
        """
        before = self.sums("before", drawn)
        if (first != last).any():
            highest = self.take("highest", before, last + 1)
            highest += self.take("lowest", before, first)
        else:
            highest = self.array("highest", drawn.shape, drawn.dtype)
            np.add(before[:, 1:], before[:, :-1], out=highest)
        found: Floats = np.subtract(highest, total, out=self.array(name, drawn.shape, np.dtype(np.float64)))
        return found


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


def _ties(scores: npt.ArrayLike) -> tuple[Places, Places, Places]:
    """The order of rows by score; and for each place in it the first and the last place of equal score."""
    numbers = np.asarray(scores, dtype=np.float64)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    return order, np.searchsorted(ordered, ordered, "left"), np.searchsorted(ordered, ordered, "right") - 1

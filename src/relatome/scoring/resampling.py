"""How sure a number is: the bootstrap, over documents, for any score and knowing none.

A score is a function of document weights, ``value(weights)``: with every weight 1 it is the plain score; with the
number of times each document was drawn it is the score of one resample. It takes many resamples at once, a
(resamples, documents) array, and gives (resamples, values). Most scores are functions of sums over documents, and for
them ``of_sums`` makes one matrix product of it; a rank score (AUROC, Spearman) recomputes with the weights.

Documents are drawn and not their mentions or pairs, since what stands in one abstract is not independent. Intervals:
percentile (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13) and BCa (bias-corrected and
accelerated; Efron 1987, https://doi.org/10.1080/01621459.1987.10478410), which moves both ends where a score is
skewed, as an F1 of 0.98 is. Both are compared with ``scipy.stats.bootstrap`` by a test.

Array shapes: R resamples, D documents (or rows, where a corpus has no documents), C counts, S values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from relatome.errors import SettingsError
from relatome.lookup import pick

Floats: TypeAlias = npt.NDArray[np.float64]
Value: TypeAlias = Callable[[Floats], Floats]  # (R, D) -> (R, S)

RESAMPLES = 1000
CONFIDENCE = 0.95
_BLOCKS = 4096  # of the jackknife: beyond so many units, neighbours are left out together
_CELLS = 1 << 18  # of one chunk of weights: 2 MiB, which stays in the cache (measured: 0.3 s against 0.5 s for 16 MiB)


class Sums:
    """A score that depends on sums over documents only: what ``of_sums`` gives.

    Parameters
    ----------
    counts
        (D, C).
    value_fn
        From sums (R, C) to values (R, S) or (R,).
    """

    def __init__(self, counts: npt.ArrayLike, value_fn: Callable[[Floats], Floats]) -> None:
        self._counts = np.asarray(counts, dtype=np.float64)
        self._value = value_fn

    def __call__(self, weights: Floats) -> Floats:
        """(R, D) weights to (R, S) values."""
        # Whole numbers below 2**53 add up exactly in any order, so the answer does not depend on the BLAS.
        return self._of(weights @ self._counts)

    def without(self, block: int) -> Floats:
        """(ceil(D / block), S): the values with one block of neighbours left out; a subtraction, not a product."""
        starts = np.arange(0, len(self._counts), block)
        return self._of(self._counts.sum(axis=0) - np.add.reduceat(self._counts, starts, axis=0))

    def _of(self, sums: Floats) -> Floats:
        return np.asarray(self._value(sums), dtype=np.float64).reshape(len(sums), -1)


def of_sums(counts: npt.ArrayLike, value_fn: Callable[[Floats], Floats]) -> Sums:
    """The value function of a score that depends on sums over documents only.

    Parameters
    ----------
    counts
        (D, C), the sufficient statistics of each document.
    value_fn
        From sums (R, C) to values (R, S), or (R,) where there is one value.

    Examples
    --------
    >>> accuracy = of_sums([[3, 4], [1, 4]], lambda sums: sums[:, 0] / sums[:, 1])  # right, all
    >>> accuracy(np.array([[1.0, 1.0], [2.0, 0.0]])).tolist()
    [[0.5], [0.75]]
    """
    return Sums(counts, value_fn)


def weights(documents: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[Floats]:
    """How often each document is drawn in each resample, in chunks of (at most R, D).

    Each row is a multinomial draw of D from D documents. Two scores compared on the same examples take the same
    weights: the same seed gives the same rows, whatever the size of the chunks.

    Raises
    ------
    SettingsError
        A negative number of resamples or seed.

    Examples
    --------
    >>> drawn = np.concatenate(list(weights(5, resamples=3, seed=1)))
    >>> drawn.shape, drawn.sum(axis=1).tolist()
    ((3, 5), [5.0, 5.0, 5.0])
    """
    _check(resamples, seed)
    return _weights(documents, resamples, seed, max(1, _CELLS // max(1, documents)))


def units_of(rows: int, groups: Sequence[str] | None) -> tuple[tuple[str, ...], npt.NDArray[np.intp]]:
    """What is resampled, and the unit (N,) of each row: documents in the order of their ids, or the rows themselves.

    Examples
    --------
    >>> units, place = units_of(3, ["b", "a", "b"])
    >>> units, place.tolist()
    (('a', 'b'), [1, 0, 1])
    """
    if groups is None:
        return tuple(map(str, range(1, rows + 1))), np.arange(rows)
    units = sorted(set(groups))
    position = {unit: number for number, unit in enumerate(units)}
    return tuple(units), np.fromiter((position[group] for group in groups), dtype=np.intp, count=rows)


def bootstrap(value: Value, documents: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """The values (R, S) of every resample, in order.

    Examples
    --------
    >>> bootstrap(of_sums([[1.0], [1.0]], lambda sums: sums), 2, resamples=3).tolist()
    [[2.0], [2.0], [2.0]]
    """
    chunks = [value(chunk) for chunk in weights(documents, resamples=resamples, seed=seed)]
    return np.concatenate(chunks) if chunks else value(np.ones((1, documents)))[:0]


def percentile(samples: Floats, *, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Low and high (S,) of the central ``confidence`` share of samples (R, S).

    A resample in which a value is undefined (NaN: no item of a rare class was drawn) is left out for that value;
    where none is defined the interval is NaN.

    Examples
    --------
    >>> low, high = percentile(np.arange(101.0).reshape(-1, 1), confidence=0.5)
    >>> low.tolist(), high.tolist()
    ([25.0], [75.0])
    """
    low, high = np.full(samples.shape[1], np.nan), np.full(samples.shape[1], np.nan)
    tail = (1 - confidence) / 2
    for column in range(samples.shape[1]):
        defined = samples[~np.isnan(samples[:, column]), column]
        if defined.size:
            low[column], high[column] = np.quantile(defined, (tail, 1 - tail))
    return low, high


def bca(value: Value, samples: Floats, documents: int, *, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Low and high (S,) of the BCa interval, from the samples (R, S) that ``bootstrap`` gave for the same value.

    Undefined resamples are left out, as in ``percentile``. Where every resample is the same (everything is right) the
    interval is that value; where the value lies outside all resamples they are taken to reach half a resample beyond.

    Examples
    --------
    >>> right = of_sums(np.arange(50)[:, None] < 45, lambda sums: sums / 50)
    >>> low, high = bca(right, bootstrap(right, 50), 50)  # the percentile interval is 0.8 to 0.98
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.78], [0.96])
    """
    values = value(np.ones((1, documents)))[0]
    low, high = np.full(values.size, np.nan), np.full(values.size, np.nan)
    normal, tail = NormalDist(), (1 - confidence) / 2
    without = _jackknife(value, documents)
    for column in range(values.size):
        drawn = samples[~np.isnan(samples[:, column]), column]
        if not drawn.size or math.isnan(values[column]):
            continue
        if drawn.min() == drawn.max():
            low[column] = high[column] = drawn[0]
            continue
        below = (np.mean(drawn < values[column]) + np.mean(drawn <= values[column])) / 2
        least = 1 / (2 * drawn.size)
        bias = normal.inv_cdf(min(max(float(below), least), 1 - least))
        known = without[~np.isnan(without[:, column]), column]
        influence = known.sum() / max(1, known.size) - known
        spread = float((influence**2).sum()) ** 1.5
        acceleration = float((influence**3).sum()) / (6 * spread) if spread > 0 else 0.0
        shares = []
        for quantile in (normal.inv_cdf(tail), normal.inv_cdf(1 - tail)):
            moved = bias + quantile
            shares.append(normal.cdf(bias + moved / (1 - acceleration * moved)))
        low[column], high[column] = np.quantile(drawn, shares)
    return low, high


def interval(
    counts: npt.ArrayLike,
    value_fn: Callable[[Floats], Floats],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    method: str = "percentile",
) -> tuple[Floats, Floats]:
    """Low and high (S,) of a score of sums, by document: ``of_sums``, ``bootstrap`` and an interval in one.

    Parameters
    ----------
    counts
        (D, C), the sufficient statistics of each document.
    value_fn
        From sums (R, C) to values (R, S) or (R,).
    resamples, seed
        How many, and what makes them the same again.
    confidence
        The share of the resamples inside.
    method
        One of ``METHODS``.

    Raises
    ------
    SettingsError, UnknownNameError
        A negative number of resamples or seed; no such method.

    Examples
    --------
    >>> right = np.arange(100)[:, None] % 4 != 0  # 75 of 100 rows
    >>> low, high = interval(right, lambda sums: sums / 100, seed=0)
    >>> bool(0.6 < low[0] < 0.75 < high[0] < 0.9)
    True
    """
    value = of_sums(counts, value_fn)
    documents = len(np.asarray(counts))
    samples = bootstrap(value, documents, resamples=resamples, seed=seed)
    return pick(method, METHODS, "interval method")(value, samples, documents, confidence)


def _check(resamples: int, seed: int) -> None:
    problems = [
        f"{name} is {number}: expected 0 or more"
        for name, number in (("resamples", resamples), ("seed", seed))
        if number < 0
    ]
    if problems:
        raise SettingsError(problems)


def _weights(documents: int, resamples: int, seed: int, rows: int) -> Iterator[Floats]:
    generator = np.random.default_rng(seed)
    for first in range(0, resamples, rows):
        count = min(rows, resamples - first)
        # Drawing D documents and counting them is a multinomial draw, and seven times as fast as numpy's multinomial.
        drawn = generator.integers(0, documents, size=(count, documents))
        drawn += np.arange(count)[:, None] * documents
        yield np.bincount(drawn.ravel(), minlength=count * documents).reshape(count, documents).astype(np.float64)


def _jackknife(value: Value, documents: int) -> Floats:
    """The values with one unit, or one block of neighbours, left out: (blocks, S)."""
    block = -(-documents // _BLOCKS)
    if isinstance(value, Sums):
        return value.without(block)
    parts = []
    starts = np.arange(0, documents, block)
    rows = max(1, _CELLS // max(1, documents))
    for first in range(0, len(starts), rows):
        some = starts[first : first + rows]
        table = np.ones((len(some), documents))
        for offset in range(block):
            table[np.arange(len(some)), np.minimum(some + offset, documents - 1)] = 0
        parts.append(value(table))
    return np.concatenate(parts)


METHODS: Mapping[str, Callable[[Value, Floats, int, float], tuple[Floats, Floats]]] = {
    "percentile": lambda value, samples, documents, confidence: percentile(samples, confidence=confidence),
    "bca": lambda value, samples, documents, confidence: bca(value, samples, documents, confidence=confidence),
}

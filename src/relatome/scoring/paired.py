"""Two runs on the same examples: is one better, or could chance have done it; and what this test set could have shown.

Everything is paired by document (or row): both runs are right or wrong on the same texts, so their difference varies far
less than each of them.

- Paired bootstrap: the same resampled documents for both; the interval of the difference, and p, how often the
  difference of a resample lies as far from the observed one as that lies from 0 (Efron and Tibshirani 1993, chapter 16;
  Berg-Kirkpatrick et al. 2012, https://aclanthology.org/D12-1091).
- Approximate randomisation: were the runs alike, each document's two outputs could be exchanged; p, how often a random
  exchange gives a difference as large (Noreen 1989; Yeh 2000, https://aclanthology.org/C00-2137).
- McNemar on rows, for classification: of the rows that one run alone has right, are half the one's? Exact, and mid-p,
  which is less timid (Fagerland et al. 2013, https://doi.org/10.1186/1471-2288-13-91).
- Holm's correction where many rows of a table are tested at once (Holm 1979).
- Power: the smallest true difference that would be found, at 5 %, four times out of five.
- Several seeds: the variance between seeds and that of drawing a test set are different things, and are told apart.

p is never 0: with R resamples the least that can be said is 1 / (R + 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from relatome.errors import ScoreError
from relatome.scoring import binomial, offenders, resampling
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.resampling import Floats

RESAMPLES = 10_000
POWER = 0.80
_ONE, _OTHER = "1 ", "2 "  # before the units of either run in a joint measure


@dataclass(frozen=True, slots=True)
class Difference:
    """One number of two runs, and how sure their difference is.

    Parameters
    ----------
    name, class_, support
        As in a ``Score``.
    one, other
        Its value in the first and in the second run.
    difference
        ``other - one``; NaN where a side is undefined.
    low, high
        The 95 % interval of the difference, by the paired bootstrap.
    p_bootstrap, p_randomisation
        Two-sided; NaN where the test cannot be made.
    p_corrected
        Holm's, over all rows compared: of the randomisation test, or of the bootstrap where there is none.
    detectable
        The smallest true difference that this test set would show, at 5 %, with a power of 80 %.
    """

    name: str
    class_: str | None
    support: int
    one: float
    other: float
    difference: float
    low: float
    high: float
    p_bootstrap: float
    p_randomisation: float
    p_corrected: float
    detectable: float


@dataclass(frozen=True, slots=True)
class McNemar:
    """The rows that both, one, the other and neither run has right, with the two p-values."""

    both: int
    only_one: int
    only_other: int
    neither: int
    exact: float
    mid: float


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """One number over several seeds of one system.

    Parameters
    ----------
    mean, sd
        Over the seeds; the standard deviation of one seed's value (n - 1 in the denominator).
    sampling_sd
        What the mean would vary by if other documents had been drawn for the test set.
    total_sd
        Of the mean, from both: ``sqrt(sampling_sd**2 + sd**2 / seeds)``.
    low, high
        ``mean`` and 1.96 ``total_sd`` to either side.
    """

    name: str
    class_: str | None
    support: int
    values: tuple[float, ...]
    mean: float
    sd: float
    sampling_sd: float
    total_sd: float
    low: float
    high: float


def compare(
    ones: Sequence[Measure],
    others: Sequence[Measure],
    *,
    joint: Measure | None = None,
    names: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """Every number that both runs have, compared.

    Parameters
    ----------
    ones, others
        The measures of either system, one for each of its seeds; all on the same units.
    joint
        What ``joined`` gave, for approximate randomisation. It is made with one seed a side.
    names
        Of the numbers wanted, such as ``["f1"]``; all when left out.
    resamples, seed
        Of both tests.

    Raises
    ------
    ScoreError
        The units differ, or no number is in both.

    Examples
    --------
    >>> from relatome.scoring import classification
    >>> gold = ["a", "b"] * 150
    >>> better = [label if row % 20 else "b" for row, label in enumerate(gold)]
    >>> worse = [label if row % 3 else "b" for row, label in enumerate(gold)]
    >>> one, other = (classification.measure(gold, found, labels=["a", "b"]) for found in (worse, better))
    >>> (row,) = compare([one], [other], names=["accuracy"], resamples=1000)
    >>> round(row.difference, 2), row.low > 0, row.p_bootstrap < 0.05
    (0.12, True, True)
    """
    cells = _shared(ones, others, names)
    units = ones[0].units
    one, other = (_mean([_aligned(measure, cells) for measure in side]) for side in (ones, others))
    everything = np.ones((1, len(units)))
    observed = np.stack((one(everything)[0], other(everything)[0]))
    difference = observed[1] - observed[0]

    samples = resampling.bootstrap(
        lambda weights: other(weights) - one(weights), len(units), resamples=resamples, seed=seed
    )
    samples = samples if len(units) > 1 else samples[:0]
    sampling = _sd(samples)
    between = sum(
        np.nan_to_num(_seeds(side, cells).var(axis=0, ddof=1)) / len(side) if len(side) > 1 else np.zeros(len(cells))
        for side in (ones, others)
    )
    if len(ones) > 1 or len(others) > 1:  # seeds vary too: a normal interval from both variances
        spread = np.sqrt(sampling**2 + between)
        low, high = difference - _Z * spread, difference + _Z * spread
        by_bootstrap = np.array([_two_sided(d, s) for d, s in zip(difference, spread, strict=True)])
    else:
        spread = sampling
        low, high = resampling.percentile(samples)
        by_bootstrap = _p(np.abs(samples - difference), np.abs(difference))
    randomised = np.full(len(cells), np.nan)
    if joint is not None and len(ones) == len(others) == 1:
        randomised = _randomised(joint, cells, difference, resamples=resamples, seed=seed)
    corrected = holm(np.where(np.isnan(randomised), by_bootstrap, randomised).tolist())
    detectable = (_Z + NormalDist().inv_cdf(POWER)) * spread
    return tuple(
        Difference(
            name=cell.name,
            class_=cell.class_,
            support=cell.support,
            one=float(observed[0, row]),
            other=float(observed[1, row]),
            difference=float(difference[row]),
            low=float(low[row]),
            high=float(high[row]),
            p_bootstrap=float(by_bootstrap[row]),
            p_randomisation=float(randomised[row]),
            p_corrected=corrected[row],
            detectable=float(detectable[row]),
        )
        for row, cell in enumerate(cells)
    )


def joined(measure: Callable[..., Measure], one: Mapping[str, Any], other: Mapping[str, Any]) -> Measure | None:
    """Both runs as one measure of twice the units, so that any exchange of outputs is a choice of weights.

    Parameters
    ----------
    measure
        A scorer's.
    one, other
        Its arguments for either run, the rows in the same order: ``gold`` and ``predicted`` by document, or a row each
        (then ``groups`` and ``probabilities`` too); whatever else there is must be the same.

    Returns
    -------
    Measure or None
        ``None`` where the arguments are of another kind.
    """
    rest = {key: value for key, value in one.items() if key not in _BY_ROW}
    same = rest.keys() == {key for key in other if key not in _BY_ROW} and all(other[key] == rest[key] for key in rest)
    if (
        not {"gold", "predicted"} <= one.keys()
        or not same
        or any(isinstance(value, Mapping) for value in rest.values())
    ):
        return None
    if all(isinstance(side[name], Mapping) for side in (one, other) for name in ("gold", "predicted")):
        return measure(
            **{
                name: {
                    before + key: value
                    for before, side in ((_ONE, one), (_OTHER, other))
                    for key, value in side[name].items()
                }
                for name in ("gold", "predicted")
            },
            **rest,
        )
    if any(isinstance(side[name], Mapping) for side in (one, other) for name in ("gold", "predicted")):
        return None
    both: dict[str, Any] = {name: [*one[name], *other[name]] for name in ("gold", "predicted")}
    rows = len(one["gold"])
    groups = [side.get("groups") or list(map(str, range(1, rows + 1))) for side in (one, other)]
    both["groups"] = [_ONE + group for group in groups[0]] + [_OTHER + group for group in groups[1]]
    if one.get("probabilities") is not None and other.get("probabilities") is not None:
        both["probabilities"] = [*one["probabilities"], *other["probabilities"]]
    return measure(**both, **rest)


def over_seeds(measures: Sequence[Measure], *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[OverSeeds, ...]:
    """Each number's mean and standard deviation over seeds, beside what the choice of the test set is worth.

    Raises
    ------
    ScoreError
        The units differ between seeds.

    Examples
    --------
    >>> from relatome.scoring import classification
    >>> gold = ["a", "b"] * 100
    >>> seeds = [[label if (row + k) % 10 else "b" for row, label in enumerate(gold)] for k in range(3)]
    >>> row = over_seeds([classification.measure(gold, found, labels=["a", "b"]) for found in seeds], resamples=500)[0]
    >>> row.name, round(row.mean, 3), round(row.sd, 3), 0 < row.sampling_sd < 0.03
    ('accuracy', 0.933, 0.058, True)
    """
    cells = _shared(measures, measures, None)
    mean = _mean([_aligned(measure, cells) for measure in measures])
    values = _seeds(measures, cells)
    sd = values.std(axis=0, ddof=1) if len(measures) > 1 else np.full(len(cells), np.nan)
    samples = resampling.bootstrap(mean, len(measures[0].units), resamples=resamples, seed=seed)
    sampling = _sd(samples)
    total = np.sqrt(sampling**2 + np.nan_to_num(sd) ** 2 / len(measures))
    middle = values.mean(axis=0)
    return tuple(
        OverSeeds(
            cell.name, cell.class_, cell.support, tuple(values[:, row].tolist()),
            *(float(numbers[row]) for numbers in (middle, sd, sampling, total, middle - _Z * total, middle + _Z * total)),
        )
        for row, cell in enumerate(cells)
    )  # fmt: skip


def mcnemar(one_right: Sequence[bool], other_right: Sequence[bool]) -> McNemar:
    """McNemar's test on rows.

    Raises
    ------
    ScoreError
        Different numbers of rows, or none.

    Examples
    --------
    >>> found = mcnemar([True] * 8 + [False] * 2, [True] * 2 + [False] * 6 + [True, True])
    >>> found.only_one, found.only_other, round(found.exact, 4), round(found.mid, 4)
    (6, 2, 0.2891, 0.1797)
    """
    offenders.same_length(one_right, other_right)
    one, other = np.asarray(one_right, dtype=bool), np.asarray(other_right, dtype=bool)
    first, second = int((one & ~other).sum()), int((other & ~one).sum())
    number, fewer = first + second, min(first, second)
    each = binomial.probabilities(number, 0.5)
    exact = min(1.0, 2 * float(each[: fewer + 1].sum()))
    mid = 1 - each[fewer] / 2 if first == second else 2 * float(each[: fewer + 1].sum()) - each[fewer]
    return McNemar(int((one & other).sum()), first, second, int((~one & ~other).sum()), exact, float(mid))


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected for being several; NaN stays NaN and is not counted.

    Examples
    --------
    >>> [round(value, 3) for value in holm([0.01, 0.04, 0.03, 0.5])]
    [0.04, 0.09, 0.09, 0.5]
    """
    tested = sorted((value, place) for place, value in enumerate(values) if not math.isnan(value))
    corrected = [math.nan] * len(values)
    largest = 0.0
    for rank, (value, place) in enumerate(tested):
        largest = max(largest, min(1.0, value * (len(tested) - rank)))
        corrected[place] = largest
    return tuple(corrected)


def _shared(ones: Sequence[Measure], others: Sequence[Measure], names: Sequence[str] | None) -> tuple[Cell, ...]:
    for measure in (*ones, *others):
        if measure.units != ones[0].units:
            offenders.same_ids(ones[0].units, measure.units, ones[0].unit)
    everywhere = [{(cell.name, cell.class_) for cell in measure.cells} for measure in (*ones, *others)]
    cells = tuple(
        cell
        for cell in ones[0].cells
        if all((cell.name, cell.class_) in some for some in everywhere) and (names is None or cell.name in names)
    )
    if not cells:
        known = ", ".join(dict.fromkeys(cell.name for cell in ones[0].cells))
        raise ScoreError(
            "there is no number to compare" + (f" of the names {', '.join(names)}" if names else ""),
            advice=f"known: {known}",
        )
    return cells


def _aligned(measure: Measure, cells: Sequence[Cell]) -> resampling.Value:
    """The measure's values of these cells, in this order."""
    place = {(cell.name, cell.class_): index for index, cell in enumerate(measure.cells)}
    columns = [place[cell.name, cell.class_] for cell in cells]
    return lambda weights: measure.value(weights)[:, columns]


def _mean(values: Sequence[resampling.Value]) -> resampling.Value:
    if len(values) == 1:
        return values[0]
    return lambda weights: np.mean([value(weights) for value in values], axis=0)


def _seeds(measures: Sequence[Measure], cells: Sequence[Cell]) -> Floats:
    everything = np.ones((1, len(measures[0].units)))
    return np.concatenate([_aligned(measure, cells)(everything) for measure in measures])


def _randomised(joint: Measure, cells: Sequence[Cell], observed: Floats, *, resamples: int, seed: int) -> Floats:
    """The p of approximate randomisation of each cell."""
    value = _aligned(joint, cells)
    place = {unit: index for index, unit in enumerate(joint.units)}
    units = [unit.removeprefix(_ONE) for unit in joint.units if unit.startswith(_ONE)]
    first = [place[_ONE + unit] for unit in units]
    second = [place[_OTHER + unit] for unit in units]
    generator = np.random.default_rng(seed)
    rows = max(1, resampling._CELLS // len(joint.units))
    differences = []
    for start in range(0, resamples, rows):
        exchanged = generator.integers(0, 2, size=(min(rows, resamples - start), len(units))).astype(np.float64)
        table = np.empty((len(exchanged), len(joint.units)))
        table[:, first], table[:, second] = 1 - exchanged, exchanged
        differences.append(value(1 - table) - value(table))
    return _p(np.abs(np.concatenate(differences)), np.abs(observed)) if differences else np.full(len(cells), np.nan)


def _p(distances: Floats, observed: Floats) -> Floats:
    """(R, S) distances and (S,) the observed one to (S,): the share of those at least as large, itself counted."""
    found = np.full(len(observed), np.nan)
    for column, distance in enumerate(observed):
        defined = distances[~np.isnan(distances[:, column]), column]
        if defined.size and not math.isnan(distance):
            # what is equal but for rounding is equal
            found[column] = (1 + int((defined >= distance - 1e-12).sum())) / (1 + defined.size)
    return found


def _sd(samples: Floats) -> Floats:
    found = np.full(samples.shape[1], np.nan)
    for column in range(samples.shape[1]):
        defined = samples[~np.isnan(samples[:, column]), column]
        if defined.size > 1:
            found[column] = defined.std(ddof=1)
    return found


def _two_sided(difference: float, spread: float) -> float:
    if math.isnan(difference) or math.isnan(spread):
        return math.nan
    if spread == 0:
        return 1.0 if difference == 0 else 0.0
    return 2 * NormalDist().cdf(-abs(difference) / spread)


_BY_ROW = ("gold", "predicted", "groups", "probabilities")
_Z = NormalDist().inv_cdf(0.975)

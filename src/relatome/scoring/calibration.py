"""Whether 0.9 means nine times out of ten: expected calibration error, reliability, and two ways to mend it on dev.

ECE: rows are put into equal bins by the probability of what was predicted; in each the mean probability is compared with the share
that is right; the mean gap, weighted by rows (Naeini et al. 2015; Guo et al. 2017, https://arxiv.org/abs/1706.04599). The
bins are fixed, so it is a function of sums and resamples as fast as an F1. It is biased upwards on few rows: the signature
has the bins, and a comparison needs the same.

Temperature: one number that all logits are divided by, chosen for the likelihood of dev; the order of classes does not change.
Isotonic: for each class a rising step function from probability to share, by pooling adjacent violators, then
made to sum to 1; it can change the order, and wants some hundred dev rows a class. Both are fitted on dev, never on test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from relatome.errors import ScoreError
from relatome.scoring import binomial, classification, examples, offenders, prf
from relatome.scoring.classification import Probabilities
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums, units_of
from relatome.scoring.score import Report

NAME = "calibration"
VERSION = 1
BINS = 15
_LEAST = 1e-12  # no probability is 0 when its logarithm is taken


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a reliability diagram: rows whose probability lies in (low, high], and what became of them.

    Parameters
    ----------
    confidence, accuracy
        Mean probability, and the share that is right; NaN where there are no rows.
    accuracy_low, accuracy_high
        Its exact 95 % interval.
    """

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


@dataclass(frozen=True, slots=True)
class Temperature:
    """A fitted temperature; above 1 it makes a model less sure.

    Examples
    --------
    >>> Temperature(2.0).apply([[0.9, 0.1]]).round(4).tolist()
    [[0.75, 0.25]]
    """

    value: float

    def apply(self, probabilities: Probabilities) -> Floats:
        """(rows, labels), calibrated."""
        logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _LEAST)) / self.value
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        calibrated: Floats = raised / raised.sum(axis=1, keepdims=True)
        return calibrated


@dataclass(frozen=True, slots=True)
class Isotonic:
    """Fitted step functions: for each label probabilities and the shares they stand for, straight lines between."""

    steps: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]

    def apply(self, probabilities: Probabilities) -> Floats:
        """(rows, labels), calibrated; a row whose shares are all 0 stays as it was."""
        table = np.asarray(probabilities, dtype=np.float64)
        found = np.stack([np.interp(table[:, k], *step) for k, step in enumerate(self.steps)], axis=1)
        total = found.sum(axis=1, keepdims=True)
        calibrated: Floats = np.divide(found, total, out=table.copy(), where=total > 0)
        return calibrated


def score(
    gold: Sequence[str],
    probabilities: Probabilities,
    *,
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    bins: int = BINS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """ECE, log loss and Brier score, mean confidence beside accuracy; with intervals.

    Parameters
    ----------
    gold
        One label per row.
    probabilities
        (rows, labels), in the order of ``labels``.
    groups
        The document of each row; rows are resampled when left out.
    bins
        Of equal width.

    Raises
    ------
    ScoreError
        As for ``classification.score``; all gold of one class; or fewer than one bin.

    Examples
    --------
    >>> report = score(["a", "b", "a", "a"], [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]], labels=["a", "b"])
    >>> round(report.value("ece"), 4), report.value("accuracy"), report.value("confidence")
    (0.4, 0.75, 0.75)
    """
    measured = measure(gold, probabilities, labels=labels, groups=groups, bins=bins)
    return measured.report(resamples=resamples, seed=seed)


def measure(
    gold: Sequence[str],
    probabilities: Probabilities,
    *,
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    bins: int = BINS,
) -> Measure:
    """The same as a function of document (or row) weights, for comparing two runs; parameters as in ``score``."""
    table, truth, confidence, right, place = _checked(gold, probabilities, labels, bins)
    if groups is not None and len(groups) != len(gold):
        raise ScoreError(f"there are {len(gold)} rows and {len(groups)} document ids", advice="give one for each row")
    if len(set(gold)) == 1 and len(gold) > 1:
        raise ScoreError(
            f"all {len(gold):,} gold labels are {gold[0]!r}: how well a model is calibrated cannot be told",
            advice="is it the right file?",
        )
    rows = len(truth)
    gaps = np.zeros((rows, bins))
    gaps[np.arange(rows), place] = confidence - right
    of_truth = table[np.arange(rows), truth]
    squares = ((table - np.eye(len(labels))[truth]) ** 2).sum(axis=1)
    columns = np.column_stack((gaps, -np.log(np.maximum(of_truth, _LEAST)), squares, confidence, right, np.ones(rows)))
    units, unit_of_row = units_of(rows, groups)
    sums = np.zeros((len(units), columns.shape[1]))
    np.add.at(sums, unit_of_row, columns)

    def value(summed: Floats) -> Floats:
        total = summed[:, -1:]
        ece = prf.ratio(np.abs(summed[:, :bins]).sum(axis=1, keepdims=True), total)
        return np.concatenate((ece, prf.ratio(summed[:, bins:-1], np.repeat(total, 4, axis=1))), axis=1)

    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=tuple(Cell(name, None, rows) for name in ("ece", "log loss", "brier", "confidence", "accuracy")),
        units=units,
        unit="row" if groups is None else "document",
        value=of_sums(sums, value),
        signature={
            "match": "label",
            "bins": bins,
            "binning": "equal width, of the predicted label",
            "labels": list(labels),
        },
    )


def read(gold: str | None, predicted: str, *, labels: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of ``measure`` from files of examples with probabilities (see ``examples``), matched by id.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        Ids are missing or stand twice, or rows have no probabilities.
    """
    found = examples.sides(gold, predicted)
    names = examples.labels_of(found, labels)
    examples.several_classes(found)
    table = examples.probabilities(found.rows, names)
    if table is None:
        raise ScoreError("the examples have no probabilities", path=found.path, advice="write them as JSON lines")
    return {
        "gold": [examples.label(row.gold, row, found) for row in found.rows],
        "probabilities": table,
        "labels": names,
        "groups": examples.documents(found.rows),
    }


def reliability(
    gold: Sequence[str], probabilities: Probabilities, *, labels: Sequence[str], bins: int = BINS
) -> tuple[Bin, ...]:
    """The table behind a reliability diagram.

    Examples
    --------
    >>> rows = reliability(["a", "b"], [[0.9, 0.1], [0.8, 0.2]], labels=["a", "b"], bins=2)
    >>> [(row.rows, row.accuracy) for row in rows if row.rows], round(rows[1].confidence, 2)
    ([(2, 0.5)], 0.85)
    """
    _, _, confidence, right, place = _checked(gold, probabilities, labels, bins)
    found = []
    for number in range(bins):
        inside = place == number
        count, correct = int(inside.sum()), int(right[inside].sum())
        low, high = binomial.clopper_pearson(correct, count) if count else (math.nan, math.nan)
        mean, share = (float(column[inside].mean()) if count else math.nan for column in (confidence, right))
        found.append(Bin(number / bins, (number + 1) / bins, count, mean, share, low, high))
    return tuple(found)


def temperature(gold: Sequence[str], probabilities: Probabilities, *, labels: Sequence[str]) -> Temperature:
    """The temperature under which dev is likeliest, between 0.05 and 20.

    Examples
    --------
    >>> sure = [[0.99, 0.01]] * 10  # right seven times of ten
    >>> fitted = temperature(["a"] * 7 + ["b"] * 3, sure, labels=["a", "b"])
    >>> fitted.apply(sure)[0].round(3).tolist()
    [0.7, 0.3]
    """
    table, truth, *_ = _checked(gold, probabilities, labels, 1)
    rows = np.arange(len(truth))

    def loss(logarithm: float) -> float:
        found = Temperature(math.exp(logarithm)).apply(table)[rows, truth]
        return float(-np.log(np.maximum(found, _LEAST)).sum())

    low, high = math.log(0.05), math.log(20.0)
    golden = (math.sqrt(5) - 1) / 2
    while high - low > 1e-7:  # the loss has one minimum in 1 / T, so in log T
        one, other = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, other) if loss(one) < loss(other) else (one, high)
    return Temperature(math.exp((low + high) / 2))


def isotonic(gold: Sequence[str], probabilities: Probabilities, *, labels: Sequence[str]) -> Isotonic:
    """For each label the rising step function nearest to dev.

    Examples
    --------
    >>> fitted = isotonic(["a", "b", "a", "a"], [[0.2, 0.8], [0.4, 0.6], [0.6, 0.4], [0.9, 0.1]], labels=["a", "b"])
    >>> fitted.apply([[0.3, 0.7], [0.95, 0.05]]).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    table, truth, *_ = _checked(gold, probabilities, labels, 1)
    return Isotonic(tuple(_rising(table[:, k], (truth == k).astype(np.float64)) for k in range(len(labels))))


def _rising(scores: Floats, positive: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Pool adjacent violators: the ends of each block of equal share, and the shares."""
    distinct, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=positive)
    blocks: list[list[float]] = []  # sum, count, first, last
    for score, total, count in zip(distinct.tolist(), sums.tolist(), counts.tolist(), strict=True):
        blocks.append([total, count, score, score])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            later = blocks.pop()
            blocks[-1] = [blocks[-1][0] + later[0], blocks[-1][1] + later[1], blocks[-1][2], later[3]]
    places: list[float] = []
    shares: list[float] = []
    for total, count, first, last in blocks:
        for place in (first,) if first == last else (first, last):
            places.append(place)
            shares.append(total / count)
    return tuple(places), tuple(shares)


def _checked(gold: Sequence[str], probabilities: Probabilities, labels: Sequence[str], bins: int) -> Any:
    """The table, the gold by index, the predicted label's probability, whether it is right, and its bin."""
    prf.check_classes(labels, "labels")
    if bins < 1:
        raise ScoreError(f"bins is {bins}: expected 1 or more")
    if not len(gold):
        raise ScoreError("there are no rows to score")
    if len(probabilities) != len(gold):
        raise ScoreError(f"there are {len(gold)} gold labels and {len(probabilities)} rows of probabilities")
    table = classification.checked_probabilities(probabilities, len(labels))
    offenders.known(gold, labels, "gold label")
    index = {label: position for position, label in enumerate(labels)}
    truth = np.fromiter((index[label] for label in gold), dtype=np.intp, count=len(gold))
    answer = table.argmax(axis=1)
    confidence = table[np.arange(len(truth)), answer]
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return table, truth, confidence, (answer == truth).astype(np.float64), place

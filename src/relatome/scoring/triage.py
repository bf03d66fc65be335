"""Triage: the smallest set of sentences that holds, with 95 % confidence, at least 95 % of the positives.

The threshold is an order statistic. Of n positive dev sentences with scores s(1) <= ... <= s(n), all that score s(k) or more
are kept. If the positives of the file to read are drawn as those of dev were (exchangeable; nothing else is assumed, least
of all that scores are calibrated), how many of its m positives fall below s(k) has a known distribution, whatever the scores are:
beta-binomial (Wilks 1942). So k is the largest for which

    P(at most m - ceil(recall * m) of m fall below s(k)) >= confidence,

which is a promise about this file. It tends to the promise about the model's recall on all such text (the one-sided
tolerance bound, P(Bin(n, 1 - recall) >= k) >= confidence) as m grows, and is stricter for a small file, whose own recall
varies; the lower bound on the model's recall is given too.

Two things keep the promise honest:

- m is not known. It is estimated from how many sentences score above a cut, corrected by the cut's rates on dev (the
  adjusted count; Forman 2008, https://doi.org/10.1007/s10618-008-0097-y), which holds also where positives are rarer than on dev;
  the bound must hold for every m within 2.33 standard errors of the estimate.
- Sentences of one document are not independent, and copies of one sentence are one. Copies are left out (on dev and in the
  file) before anything is counted, and n and m are divided by the design effect, the ratio of the variance of
  the dev recall over documents to what independent sentences would have (Kish 1965).

Kept sentences that are not positive are what it costs; so is given what TF-IDF would have kept for the same promise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relatome.errors import FormatError, ScoreError, SettingsError
from relatome.formats.files import shown, writing
from relatome.formats.jsonvalues import JsonReader
from relatome.lookup import pick
from relatome.scoring import binomial, offenders
from relatome.scoring.resampling import Floats

VERSION = 1
RECALL = CONFIDENCE = 0.95
FILE = "triage.json"
_DIGITS = 6
_WIDE = 2.33  # standard errors to either side of the number of positives: 99 % one-sided
_FIRST, _GRID = 20, 8  # numbers of positives tried: the lowest, which are the strictest, and some up to the highest


@dataclass(frozen=True, slots=True)
class Dev:
    """Scores of dev sentences, each text once: what a threshold is chosen on.

    Parameters
    ----------
    positives, negatives
        Scores of the positive class.
    documents
        Of each positive, the number of its document.
    model
        Name and hash of the model; empty if not known.
    """

    positives: tuple[float, ...]
    negatives: tuple[float, ...]
    documents: tuple[int, ...]
    model: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """What is kept beside a model: its dev scores, a baseline's on the same sentences, and where both come from.

    Parameters
    ----------
    head, positive
        The question asked, and the answer looked for.
    source
        Corpus, version, split, protocol and split hash.
    """

    head: str
    positive: str
    dev: Dev
    baseline: Dev | None
    source: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which sentences to read, and what that promises.

    Parameters
    ----------
    threshold
        Of the score; what scores so much or more is kept. Minus infinity: everything.
    kept
        The sentences to read, by their places in the scores given, the highest score first.
    sentences
        How many there were.
    rank, dev_positives
        The threshold is the ``rank``-th lowest score of so many positive dev sentences; rank 0: no score would do.
    positives
        Lowest, likeliest and highest number of positives among the sentences.
    design_effect
        By which the sentences of a document are fewer than they look.
    model_recall
        With the confidence asked for, the least recall of the model at this threshold on all text like dev.
    dev_recall
        The share of positive dev sentences at or above the threshold.
    baseline_kept
        How many sentences the baseline is expected to keep for the same promise; ``None`` without a baseline.
    """

    threshold: float
    kept: tuple[int, ...]
    sentences: int
    recall: float
    confidence: float
    rank: int
    dev_positives: int
    positives: tuple[int, int, int]
    design_effect: float
    model_recall: float
    dev_recall: float
    baseline_kept: int | None


def plan(
    scores: Sequence[float] | Floats,
    table: Table,
    *,
    recall: float = RECALL,
    confidence: float = CONFIDENCE,
    positives: int | None = None,
    promise: str = "file",
) -> Plan:
    """The smallest set of sentences that keeps the promise.

    Parameters
    ----------
    scores
        Of the file's sentences, each text once.
    recall
        The share of its positives that must be among those kept.
    confidence
        How often the promise holds, over dev and file drawn anew.
    positives
        How many there are, where that is known; estimated when left out.
    promise
        ``"file"``: about the positives of this file. ``"model"``: about the recall of the model on all text like dev,
        which is cheaper where the file is small: of ten positives 95 % are all ten.

    Raises
    ------
    SettingsError
        A recall or confidence outside 0..1.
    ScoreError
        There are no sentences, or a score is none.

    Examples
    --------
    >>> dev = Dev(tuple(np.linspace(0.3, 1, 200)), tuple(np.linspace(0, 0.5, 800)), tuple(range(200)))
    >>> scores = np.concatenate((np.linspace(0.3, 1, 100), np.linspace(0, 0.5, 900)))
    >>> found = plan(scores, Table("ade-sentence", "adverse-effect", dev, None, {}))
    >>> len(found.kept), found.rank, round(found.threshold, 3), found.positives
    (446, 3, 0.307, (81, 99, 118))
    """
    _settings(recall, confidence)
    pick(promise, {"file": 0, "model": 0}, "promise")
    numbers = _scores(scores, "sentence")
    dev = np.sort(np.asarray(table.dev.positives))
    estimate = _count(numbers, table.dev) if positives is None else (positives,) * 3
    wanted = estimate if promise == "file" else None
    rank, effect = _rank(table.dev, wanted, recall, confidence)
    threshold = float(dev[rank - 1]) if rank else -math.inf
    order = np.argsort(-numbers, kind="stable")
    kept = order[numbers[order] >= threshold]
    return Plan(
        threshold=threshold,
        kept=tuple(kept.tolist()),
        sentences=len(numbers),
        recall=recall,
        confidence=confidence,
        rank=rank,
        dev_positives=len(dev),
        positives=estimate,
        design_effect=effect,
        model_recall=_model_recall(rank, len(dev), effect, confidence),
        dev_recall=float((dev >= threshold).mean()),
        baseline_kept=None
        if table.baseline is None
        else expected(table.baseline, len(numbers), estimate, recall, confidence, promise=promise),
    )


def expected(
    dev: Dev,
    sentences: int,
    positives: tuple[int, int, int],
    recall: float = RECALL,
    confidence: float = CONFIDENCE,
    *,
    promise: str = "file",
) -> int:
    """How many sentences a model is expected to keep for the promise, by its dev rates at its own threshold."""
    rank, _ = _rank(dev, positives if promise == "file" else None, recall, confidence)
    if not rank:
        return sentences
    threshold = sorted(dev.positives)[rank - 1]
    rates = [float((np.asarray(side) >= threshold).mean()) for side in (dev.positives, dev.negatives)]
    return round(positives[1] * rates[0] + (sentences - positives[1]) * rates[1])


def dev_of(
    scores: Sequence[float],
    positive: Sequence[bool],
    documents: Sequence[str],
    texts: Sequence[str],
    *,
    model: str = "",
) -> Dev:
    """Dev scores from a model's answers; of a text that stands there again only the first is taken.

    Raises
    ------
    ScoreError
        All are of one class, a score is none, or the columns are of different lengths.

    Examples
    --------
    >>> dev_of([0.9, 0.9, 0.2], [True, True, False], ["1", "2", "2"], ["a rash", "a rash", "no rash"]).positives
    (0.9,)
    """
    if len({len(scores), len(positive), len(documents), len(texts)}) != 1:
        raise ScoreError("scores, classes, documents and texts are of different lengths")
    numbers = np.round(_scores(scores, "dev sentence"), _DIGITS).tolist()
    seen: set[str] = set()
    sides: tuple[list[float], list[float]] = ([], [])
    places: list[int] = []
    number: dict[str, int] = {}
    for score, is_positive, document, text in zip(numbers, positive, documents, texts, strict=True):
        if text in seen:
            continue
        seen.add(text)
        sides[0 if is_positive else 1].append(score)
        if is_positive:
            places.append(number.setdefault(document, len(number)))
    for some, what in zip(sides, ("positive", "negative"), strict=True):
        if not some:
            raise ScoreError(f"dev has no {what} sentence: a threshold cannot be chosen")
    return Dev(tuple(sides[0]), tuple(sides[1]), tuple(places), model)


def write(table: Table, path: str | Path) -> None:
    """Write a table as JSON, whole or not at all."""
    found = {
        "triage": VERSION, "head": table.head, "positive": table.positive, "source": dict(table.source),
        "dev": asdict(table.dev), "baseline": None if table.baseline is None else asdict(table.baseline),
    }  # fmt: skip
    with writing(path) as stream:
        stream.write(json.dumps(found, separators=(",", ":"), ensure_ascii=False) + "\n")


def read(path: str | Path) -> Table:
    """Read what ``write`` wrote.

    Raises
    ------
    InputError
        There is no such file, or it is no such table.
    """
    reader = JsonReader(path)
    found = reader.value()
    try:
        if found["triage"] != VERSION:
            raise FormatError(
                f"a triage table of version {found['triage']!r}, expected {VERSION}", path=shown(path),
                advice="make it again: relatome triage --fit MODEL",
            )  # fmt: skip
        baseline = found["baseline"]
        table = Table(
            str(found["head"]), str(found["positive"]), _dev(found["dev"]), None if baseline is None else _dev(baseline),
            dict(found["source"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise FormatError(
            f"this is no triage table: {type(problem).__name__} {problem}", path=shown(path),
            advice="make it again: relatome triage --fit MODEL",
        ) from None  # fmt: skip
    return table


def _dev(found: Mapping[str, Any]) -> Dev:
    positives, negatives = (tuple(map(float, found[side])) for side in ("positives", "negatives"))
    documents = tuple(map(int, found["documents"]))
    if (
        not positives
        or not negatives
        or len(documents) != len(positives)
        or not np.isfinite((*positives, *negatives)).all()
    ):
        raise ValueError("scores and documents do not fit")
    return Dev(positives, negatives, documents, str(found["model"]))


def _settings(recall: float, confidence: float) -> None:
    problems = [
        f"{name} is {number}: expected more than 0 and less than 1"
        for name, number in (("recall", recall), ("confidence", confidence))
        if not 0 < number < 1
    ]
    if problems:
        raise SettingsError(problems)


def _scores(scores: Sequence[float] | Floats, noun: str) -> Floats:
    numbers = np.asarray(scores, dtype=np.float64)
    if not numbers.size:
        raise ScoreError(f"there are no {noun}s")
    bad = (np.flatnonzero(~((numbers >= 0) & (numbers <= 1))) + 1).tolist()
    if bad:
        count = f"{len(bad):,} {noun}{'s' if len(bad) > 1 else ''}"
        raise ScoreError(f"the probabilities of {count} are NaN or outside 0..1: number {offenders.listed(bad)}")
    return numbers


def _rank(dev: Dev, positives: tuple[int, int, int] | None, recall: float, confidence: float) -> tuple[int, float]:
    """The rank of the threshold among the dev positives, and the design effect there."""
    rank = _independent(len(dev.positives), positives, recall, confidence, 1.0)
    effect = _effect(dev, max(rank, 1))
    if effect > 1:
        rank = _independent(len(dev.positives), positives, recall, confidence, effect)
    return rank, effect


def _independent(
    trials: int, positives: tuple[int, int, int] | None, recall: float, confidence: float, effect: float
) -> int:
    """The largest rank that keeps the promise for every number of positives; 0 where none does.

    With no number of positives, the promise is about the model.
    """
    worth = max(1, math.floor(trials / effect))
    numbers: list[int] = []
    if positives is not None:
        least, most = (max(1, math.ceil(number / effect)) for number in (positives[0], positives[2]))
        spread = np.linspace(least, most, _GRID).round().astype(int)
        numbers = sorted({*range(least, min(least + _FIRST, most + 1)), *spread.tolist()})

    def holds(rank: int) -> bool:
        if positives is None:
            return binomial.tail(rank, worth, 1 - recall) >= confidence
        for number in numbers:
            missed = number - math.ceil(recall * number - 1e-9)
            if binomial.of_next(rank, worth, number)[: missed + 1].sum() < confidence:
                return False
        return True

    low, high = 0, worth  # rank 0 always holds: everything is kept
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return math.floor(low * trials / worth)


def _effect(dev: Dev, rank: int) -> float:
    """The variance of the dev recall over documents, as a multiple of what independent sentences have; 1 at least.

    Measured at the rank itself and at ranks up to four times as high, since few documents miss any at the rank alone.
    """
    scores, documents = np.asarray(dev.positives), np.asarray(dev.documents)
    sizes = np.bincount(documents)
    sizes = sizes[sizes > 0]
    if len(sizes) < 2 or sizes.max() == 1:
        return 1.0
    ordered = np.sort(scores)
    found = []
    for multiple in (1, 2, 4):
        share = min(multiple * rank, len(ordered)) / len(ordered)
        missed = scores < ordered[min(multiple * rank, len(ordered)) - 1]
        mean = missed.mean()
        if not 0 < mean < 1:
            continue
        each = np.bincount(documents, weights=missed)[np.bincount(documents) > 0]
        of_documents = ((each - mean * sizes) ** 2).sum() * len(sizes) / (len(sizes) - 1)
        found.append(float(of_documents / (mean * (1 - mean) * len(scores))) if share < 1 else 1.0)
    return max([1.0, *found])


def _model_recall(rank: int, trials: int, effect: float, confidence: float) -> float:
    """The least share of all positives at or above the rank-th lowest of dev's, with this confidence."""
    if not rank:
        return 1.0
    worth = max(1, math.floor(trials / effect))
    lowest = max(1, math.ceil(rank * worth / trials))
    # P(Bin(n, 1 - r) >= k) >= confidence, solved for r: one minus the chance whose tail is the confidence
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if binomial.tail(lowest, worth, middle) >= confidence else (middle, high)
    return 1 - high


def _count(scores: Floats, dev: Dev) -> tuple[int, int, int]:
    """Lowest, likeliest and highest number of positives: the count above the best cut, corrected by its dev rates."""
    positives, negatives = np.sort(dev.positives), np.sort(dev.negatives)
    cuts = np.unique(np.concatenate((positives, negatives)))
    hits = 1 - np.searchsorted(positives, cuts) / len(positives)
    alarms = 1 - np.searchsorted(negatives, cuts) / len(negatives)
    best = int((hits - alarms).argmax())
    hit, alarm = float(hits[best]), float(alarms[best])
    number = len(scores)
    if hit - alarm < 1e-9:  # scores that say nothing
        return 1, max(1, number // 2), max(1, number)
    above = int((scores >= cuts[best]).sum())
    found = min(max((above - number * alarm) / (hit - alarm), 0.0), float(number))
    rest = number - found
    variance = found * hit * (1 - hit) + rest * alarm * (1 - alarm)
    variance += found**2 * hit * (1 - hit) / len(positives) + rest**2 * alarm * (1 - alarm) / len(negatives)
    error = _WIDE * math.sqrt(variance) / (hit - alarm)
    low, high = max(1, math.floor(found - error)), min(number, math.ceil(found + error))
    return low, max(low, round(found)), max(low, high)

"""How sure of a class a model has to be, chosen on dev when the training has ended: what is added to each class's bias.

Class weights, drawn negatives and labels that a corpus cannot deny leave a model that says some classes too often and
others too seldom. Moving what a class has to reach takes no training and nothing at prediction. Chosen is by coordinate
ascent, one class after another, for the F1 that dev is scored by (SCut: Yang 2001, "A study of thresholding strategies for
text categorization", section 3; as offsets of logits: Menon et al. 2021, arXiv:2007.07314). Where that is a macro average
each class is moved; where it is micro all classes move together against the negative one.

With ``"frequency"`` one number is chosen in place of one a class: how much of the logarithm of each class's frequency in
training is added to its bias (Menon et al. 2021, section 4.1, with the sign free). It gives back what class weights took,
and dev tells one number of many examples what it cannot tell a rare class of few. A run file may give the number itself
(``prior``), chosen on several seeds, say.

Numbers chosen on dev look good on dev. So they are also chosen on four fifths of its documents and tried on the rest, in
turn: a head that gains nothing there is left as it is. And a class of few examples is not moved by itself: how often it
is there to be found decides where its threshold is best, and of a rare one dev does not tell that (`dev/LOG.md`,
2026-11-29: moved for 49 examples, a class lost more than half of its F1 on test).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from relatome import corpora
from relatome.corpora.corpus import source_of
from relatome.corpora.merged import Merged
from relatome.models.checkpoint import Checkpoint
from relatome.predictors.texts import Predictor
from relatome.tasks import TASKS
from relatome.tasks.example import NEGATIVE, Head
from relatome.training.mixture import Mixture, dev_documents, frequencies
from relatome.training.settings import Settings

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Reals = np.ndarray[Any, np.dtype[np.float64]]

STEPS = np.round(np.arange(-3.0, 3.01, 0.1), 1)  # of a logit: from a twentieth of the odds to twenty times
SHARES = np.round(np.arange(-1.0, 1.51, 0.1), 1)  # of a log frequency
FOLDS = 5
ROUNDS = 10
ENOUGH = 100  # gold examples on dev, of a class that is moved by itself
SURE = 5e-5  # half of the last digit of a probability


class Answers(NamedTuple):
    """What a model says of dev examples, and what is right.

    Parameters
    ----------
    logs
        ``(N, C)`` log probabilities.
    gold
        ``(N,)`` classes.
    fold
        ``(N,)`` 0 to 4; those of one document are in one.
    """

    logs: Reals
    gold: Numbers
    fold: Numbers

    def only(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Answers:
        """Some of the examples."""
        return Answers(self.logs[chosen], self.gold[chosen], self.fold[chosen])


@dataclass(frozen=True, slots=True)
class Count:
    """How an F1 is counted.

    Parameters
    ----------
    group
        ``(C,)`` under which name a class counts; -1: under none.
    macro
        The mean over the names that gold has; else micro, over all of them.
    """

    group: Numbers
    macro: bool

    def f1(self, gold: Numbers, said: Numbers) -> float:
        """Of ``(N,)`` classes against ``(N,)`` gold ones; where there is nothing to find and nothing was said, 0.

        Examples
        --------
        >>> count = Count(np.array([-1, 0, 1]), macro=False)
        >>> round(count.f1(np.array([0, 1, 2]), np.array([1, 1, 2])), 3)  # of three said two are right, both gold ones
        0.8
        """
        names = int(self.group.max()) + 1
        truth, answer = self.group[gold], self.group[said]
        right = np.bincount(truth[(truth == answer) & (truth >= 0)], minlength=names)
        there, given = (np.bincount(side[side >= 0], minlength=names) for side in (truth, answer))
        if self.macro:
            right, there, given = (side[there > 0] for side in (right, there, given))
            return float((2 * right / (there + given)).mean()) if len(there) else 0.0
        return float(2 * right.sum() / max(1, there.sum() + given.sum()))


@dataclass(frozen=True, slots=True)
class Moved:
    """What was done to a head.

    Parameters
    ----------
    average
        ``macro`` or ``micro``: the F1 it was done for, over the examples of dev.
    shifts
        By label, what its bias got; empty: nothing was gained, and nothing done.
    before, after
        That F1 without and with them; ``unseen``: with those chosen on other documents, None where they were given.
    """

    average: str
    shifts: Mapping[str, float]
    before: float
    after: float
    unseen: float | None

    def json(self) -> dict[str, Any]:
        """For the model's card."""
        numbers = {"before": self.before, "after": self.after, "unseen": self.unseen}
        told = {name: round(value, 4) for name, value in numbers.items() if value is not None}
        return {"average": self.average, "shifts": dict(self.shifts), **told}


def wanted(settings: Settings) -> bool:
    """Whether a head of the run asks for it."""
    return any(head.thresholds != "none" for head in settings.heads)


def move(
    settings: Settings,
    mixture: Mixture,
    checkpoint: Checkpoint,
    predictor: Predictor,
    score: Callable[[], float],
    before: float,
) -> dict[str, Moved]:
    """Move the biases of the heads that ask for it, in place; what was done, by head.

    Parameters
    ----------
    mixture
        What it was taught: how often each class.
    predictor
        Of that checkpoint.
    score, before
        What the run is chosen by, of the checkpoint as it then is, and as it was. If it falls, all that was chosen here
        is undone: a score also counts what no example reaches.
    """
    heads = {head.name: head for head in checkpoint.network.asked}
    done: dict[str, Moved] = {}
    for one in settings.heads:
        if one.thresholds != "none":
            head = heads[one.name]
            found, count = answers(settings, head, predictor), counted(settings, head)
            along = rarity(frequencies(mixture, head.name, head.classes)) if one.thresholds == "frequency" else None
            given = np.round(one.prior * along, 2) if along is not None and one.prior else None
            done[one.name] = chosen(found, count, head, along) if given is None else worth(found, count, head, given)
            _add(checkpoint, head, done[one.name].shifts)
    ours = [one.name for one in settings.heads if one.name in done and not one.prior]  # what a file says is not undone
    if any(moved.shifts for moved in done.values()) and score() < before:
        for name in ours:
            moved = done[name]
            _add(checkpoint, heads[name], {label: -shift for label, shift in moved.shifts.items()})
            done[name] = Moved(moved.average, {}, moved.before, moved.before, moved.unseen)
        if any(moved.shifts for moved in done.values()):
            score()
    return done


def answers(settings: Settings, head: Head, predictor: Predictor) -> Answers:
    """What a predictor says of the dev examples of a head."""
    task = TASKS[head.task]
    logs: list[list[float]] = []
    gold: list[int] = []
    fold: list[int] = []
    for item in settings.data:
        if not item.dev or head.name not in item.heads:
            continue
        examples = [(document, one) for document in dev_documents(item) for one in task.examples(document, head)]
        predictions = predictor.predict({head.name: [one.input for _, one in examples]})[head.name]
        for (document, one), said in zip(examples, predictions, strict=True):
            if one.gold in head.labels:  # another is wrong whatever is said
                logs.append([said.probabilities.get(label, 0.0) for label in head.labels])
                gold.append(head.labels.index(one.gold))
                fold.append(zlib.crc32(source_of(document).encode()) % FOLDS)
    found = np.asarray(logs, dtype=np.float64).reshape(-1, len(head.labels))
    found = np.where(found > 0, np.log(np.maximum(found, SURE)), -np.inf)  # what cannot hold no offset makes hold
    return Answers(found, np.asarray(gold, dtype=np.int64), np.asarray(fold, dtype=np.int64))


def counted(settings: Settings, head: Head) -> Count:
    """How the F1 is counted that the dev splits of a head's corpora are scored by."""
    taught = [corpora.load(item.corpus) for item in settings.data if item.dev and head.name in item.heads]
    if head.task == "classification" or any(isinstance(corpus, Merged) for corpus in taught):
        return Count(np.arange(len(head.labels)), macro=True)
    groups = dict(head.groups)
    evaluated: set[str] = set()
    for corpus in taught:
        groups = {**corpus.card.groups, **groups}
        evaluated |= set(corpus.card.evaluated_groups or corpus.card.groups.values())
    names = [groups.get(label, label) for label in head.labels]
    kept = sorted({name for name in names if name != NEGATIVE and (not evaluated or name in evaluated)})
    return Count(np.asarray([kept.index(name) if name in kept else -1 for name in names]), macro=False)


def rarity(counts: Reals) -> Reals:
    """``(C,)`` the log frequency of each class beside the commonest one's; a class never taught is as rare as the rarest.

    Examples
    --------
    >>> rarity(np.array([100.0, 1.0, 0.0])).round(1).tolist()
    [0.0, -4.6, -4.6]
    """
    logs: Reals = np.log(np.where(counts > 0, counts, counts[counts > 0].min()) / counts.max())
    return logs


def chosen(found: Answers, count: Count, head: Head, along: Reals | None = None) -> Moved:
    """The shifts of a head's labels, and what they are worth on documents they were not chosen on."""
    before = count.f1(found.gold, found.logs.argmax(axis=1))
    said = np.zeros(len(found.gold), dtype=np.int64)
    for number in range(FOLDS):
        here = found.fold == number
        said[here] = (found.logs[here] + offsets(found.only(~here), count, along)).argmax(axis=1)
    unseen = count.f1(found.gold, said)
    moved = offsets(found, count, along)
    if unseen <= before or not moved.any():
        moved = np.zeros(len(head.labels))
    return worth(found, count, head, moved, unseen)


def worth(found: Answers, count: Count, head: Head, moved: Reals, unseen: float | None = None) -> Moved:
    """What shifts are worth; ``unseen``: on documents they were not chosen on, where some were."""
    before, after = (count.f1(found.gold, (found.logs + shift).argmax(axis=1)) for shift in (0.0, moved))
    shifts = {label: float(shift) for label, shift in zip(head.labels, moved, strict=True) if shift}
    return Moved("macro" if count.macro else "micro", shifts, before, after, unseen)


def offsets(found: Answers, count: Count, along: Reals | None = None) -> Reals:
    """``(C,)`` what is added to each class for the highest F1; of equally good ones the least.

    Parameters
    ----------
    along
        ``(C,)`` what all classes move by together, times one number; None: each by itself, and where the F1 is a macro
        average classes of fewer than ``ENOUGH`` examples stay as they are.

    Examples
    --------
    >>> logs = np.log([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1]])  # the second class is right of two, and never said
    >>> found = Answers(logs, np.array([1, 1, 0]), np.zeros(3, dtype=np.int64))
    >>> offsets(found, Count(np.array([-1, 0]), macro=False)).round(1).tolist()
    [-0.5, 0.0]
    """
    classes = found.logs.shape[1]
    moved = np.zeros(classes)
    if not len(found.gold):
        return moved
    if along is not None:
        every = [np.round(share * along, 2) for share in sorted(SHARES, key=abs)]
        return max(every, key=lambda one: round(count.f1(found.gold, (found.logs + one).argmax(axis=1)), 9))
    examples = np.bincount(found.gold, minlength=classes)
    free = [one for one in range(1, classes) if examples[one] >= ENOUGH] if count.macro else [0]
    steps = sorted(STEPS, key=abs)
    best = count.f1(found.gold, found.logs.argmax(axis=1))
    for _ in range(ROUNDS):
        begun = best
        for one in free:
            for step in steps:
                tried = moved.copy()
                tried[one] = step
                value = count.f1(found.gold, (found.logs + tried).argmax(axis=1))
                if value > best + 1e-9:
                    best, moved = value, tried
        if best <= begun:
            break
    return moved


def _add(checkpoint: Checkpoint, head: Head, shifts: Mapping[str, float]) -> None:
    last = checkpoint.network.classifier_of(head.name)
    with torch.no_grad():
        for label, shift in shifts.items():
            last.bias[head.labels.index(label)] += shift

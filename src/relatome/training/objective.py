"""What a run minimises: of each head, the mean cost of a batch's items.

A batch may be read in parts (by several processes, or one after another where memory is short). Every part knows the
whole batch, so that the losses of the parts add up to the loss of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from relatome.batches import Row
from relatome.models.network import costs, divergence, imitation, masked, threshold_costs
from relatome.tasks.example import Head
from relatome.tasks.ner import IGNORED
from relatome.training.mixture import Mixture, frequencies
from relatome.training.settings import CLASS_WEIGHTS, HeadSettings, Settings


class Objective:
    """The losses of a run's heads.

    Parameters
    ----------
    asked
        The network's heads.
    times
        How many times each corpus of the mixture is read in an epoch.
    batches
        Of an epoch: how many items a batch usually has for a head follows.
    """

    def __init__(
        self, settings: Settings, mixture: Mixture, asked: Sequence[Head], *, times: Sequence[float], batches: int
    ) -> None:
        self.asked = tuple(asked)
        self.mixture = mixture
        self.r_drop = settings.r_drop
        self.wanted = {head.name: head for head in settings.heads}
        self.weights = {head.name: _class_weights(self.wanted[head.name], mixture, head) for head in self.asked}
        self.typical = {head.name: _items(mixture, head, times) / batches for head in self.asked}

    def losses(
        self, passes: Sequence[Mapping[str, Tensor]], part: Sequence[Row], whole: Sequence[Row]
    ) -> dict[str, Tensor]:
        """By head, what the rows of a part add to the batch's loss; heads the part has nothing for are left out.

        A batch with fewer items than usual counts for less, or the one pair of a batch would weigh as much as fifty.

        Parameters
        ----------
        passes
            By head, what the network answers to the rows of ``part``; once, or twice with other dropout (R-Drop).
        whole
            All rows of the batch.
        """
        found: dict[str, Tensor] = {}
        for head in self.asked:
            if head.kind == "document":
                found |= self._of_documents(head, [one[head.name] for one in passes], part, whole)
                continue
            if head.task == "pretraining":
                found |= self._of_hidden(head, passes[0][head.name], part, whole)
                continue
            answers = [_choices(head, one[head.name]) for one in passes]
            items = self._items(head, answers[0], part)
            if items.taught.any():
                logits = [one.reshape(-1, items.legal.shape[1]) for one in answers]
                each = [self._costs(head, one, items) for one in logits]
                total = torch.stack(each).mean(dim=0).sum()
                if len(logits) == 2:
                    total = total + self.r_drop * divergence(logits[0], logits[1], items.legal)[items.taught].sum()
                found[head.name] = total * self._scale(head, whole)
        return found

    def _of_documents(
        self, head: Head, passes: Sequence[Tensor], part: Sequence[Row], whole: Sequence[Row]
    ) -> dict[str, Tensor]:
        """The loss of a head whose items may have several labels; nothing where the part teaches it nothing."""
        taught = [(place, row) for place, row in enumerate(part) if head.name in row.targets]
        if not taught:
            return {}
        answered = [torch.cat([one[place, : len(row.targets[head.name])] for place, row in taught]) for one in passes]
        gold = np.concatenate([row.targets[head.name] for _, row in taught]) > 0
        legal = np.concatenate([row.legal[head.name] for _, row in taught])
        annotated = np.concatenate(
            [
                np.broadcast_to(self.mixture.annotated[row.source, head.name], row.legal[head.name].shape)
                for _, row in taught
            ]
        )
        sides = [torch.from_numpy(array).to(passes[0].device) for array in (gold, legal, annotated)]
        each = torch.stack([threshold_costs(one, *sides).sum() for one in answered])
        pairs = sum(len(row.targets[head.name]) for row in whole if head.name in row.targets)
        count = sum(float(_taught(row, head.name).sum()) for row in whole if head.name in row.targets)
        return {head.name: each.mean() * min(1.0, count / self.typical[head.name]) / pairs}

    def _of_hidden(self, head: Head, logits: Tensor, part: Sequence[Row], whole: Sequence[Row]) -> dict[str, Tensor]:
        """The mean over the batch's hidden pieces of what each costs; nothing where the part hides none."""
        gold = np.concatenate([row.targets[head.name][row.hidden] for row in part])
        if not len(gold):
            return {}
        total = sum(len(row.hidden) for row in whole)
        costs = F.cross_entropy(logits.float(), torch.from_numpy(gold).to(logits.device), reduction="sum")
        return {head.name: costs / total}

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The sum that is minimised: each head's loss times its weight in the run."""
        return torch.stack([self.wanted[name].weight * value for name, value in losses.items()]).sum()

    def taught(self, rows: Iterable[Row]) -> set[str]:
        """The heads that the rows have something for."""
        return {name for row in rows for name in row.targets if _taught(row, name).any()}

    def _costs(self, head: Head, logits: Tensor, items: _Items) -> Tensor:
        """What each item costs: by its gold, by its teacher, or a share of both."""
        wanted = self.wanted[head.name]
        options = {"smoothing": wanted.smoothing} | ({"focus": wanted.focus} if wanted.loss == "focal" else {})
        legal = items.legal
        if wanted.unjudged == "masked":
            legal = masked(legal, items.gold, items.annotated)
        by_gold = costs(
            logits, items.gold, legal, items.annotated, self.weights[head.name], kind=wanted.loss, **options
        )
        if items.soft is None:
            return by_gold
        by_teacher = torch.zeros_like(by_gold)
        soft = items.share > 0
        if soft.any():
            found = imitation(logits[soft], items.soft[soft], items.legal[soft], items.temperature[soft])
            by_teacher = by_teacher.masked_scatter(soft, found)
        return (1 - items.share) * by_gold + items.share * by_teacher

    def _scale(self, head: Head, whole: Sequence[Row]) -> float:
        """What a cost is multiplied by: one over the batch's items (or their weights), less for a batch of few."""
        count = mass = 0.0
        weights = self.weights[head.name]
        for row in whole:
            if head.name in row.targets:
                gold = row.targets[head.name].reshape(-1)
                each = np.ones(len(gold)) if weights is None else weights.numpy()[np.maximum(gold, 0)]
                share = self._share(row, head.name)
                mass += float(((1 - share) * each)[gold >= 0].sum() + share.sum())
                count += float(_taught(row, head.name).sum())
        return min(1.0, count / self.typical[head.name]) / mass

    def _share(self, row: Row, name: str) -> np.ndarray[Any, Any]:
        """Of each item's cost, the share that its teacher has."""
        share = self.mixture.taught[row.source].teacher_share if name in row.soft else 0.0
        return np.where(_answered(row, name), share, 0.0)

    def _items(self, head: Head, logits: Tensor, rows: Sequence[Row]) -> _Items:
        """Every item the head answers, padding too."""
        classes = _classes(head)
        items = logits[0].numel() // classes
        count = len(rows) * items
        gold = np.full(count, IGNORED, dtype=np.int64)
        legal, annotated = np.ones((2, count, classes), dtype=bool)
        taught = np.zeros(count, dtype=bool)
        share, temperature = np.zeros(count, dtype=np.float32), np.ones(count, dtype=np.float32)
        soft = (
            np.full((count, classes), np.nan, dtype=np.float32) if any(head.name in row.soft for row in rows) else None
        )
        for number, row in enumerate(rows):
            if head.name in row.targets:
                target = row.targets[head.name].reshape(-1)
                mine = slice(number * items, number * items + len(target))
                gold[mine], taught[mine] = target, _taught(row, head.name)
                annotated[number * items : (number + 1) * items] = self.mixture.annotated[row.source, head.name]
                if head.name in row.legal:
                    legal[mine] = row.legal[head.name]
                if soft is not None and head.name in row.soft:
                    soft[mine], share[mine] = row.soft[head.name], self._share(row, head.name)
                    temperature[mine] = self.mixture.taught[row.source].teacher_temperature
        arrays = (gold, legal, annotated, taught, share, temperature)
        found = _Items(*(torch.from_numpy(array).to(logits.device) for array in arrays))
        return found if soft is None else found._replace(soft=torch.from_numpy(soft).to(logits.device))


class _Items(NamedTuple):
    """Items of one head.

    ``(N,)`` gold, ``(N, C)`` which classes may hold and which are annotated, ``(N,)`` of which anything is said, what
    share of the cost a teacher has, the temperature it is read at, and ``(N, C)`` its probabilities, if it has any.
    """

    gold: Tensor
    legal: Tensor
    annotated: Tensor
    taught: Tensor
    share: Tensor
    temperature: Tensor
    soft: Tensor | None = None


def _answered(row: Row, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Of each item, whether it has a teacher's answer."""
    if name not in row.soft:
        return np.zeros(row.targets[name].size, dtype=bool)
    return ~np.isnan(row.soft[name][:, 0])


def _taught(row: Row, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Of each item, whether anything is said of it."""
    return (row.targets[name].reshape(-1) >= 0) | _answered(row, name)


def _classes(head: Head) -> int:
    """Of one item: a layer of ``layers`` is an item of its own, of O, B and I, and a label of several one of no and yes."""
    return 3 if head.kind == "layers" else 2 if head.multilabel else head.classes


def _choices(head: Head, logits: Tensor) -> Tensor:
    """The logits with the classes of an item last: a sigmoid is a softmax over nothing and the logit."""
    return torch.stack((torch.zeros_like(logits), logits), dim=-1) if head.multilabel else logits


def _items(mixture: Mixture, head: Head, times: Sequence[float]) -> float:
    """How many items the head is taught in an epoch."""
    counts = [
        sum(int(_taught(row, head.name).sum()) for row in rows if head.name in row.targets) for rows in mixture.rows
    ]
    return max(1.0, sum(count * often for count, often in zip(counts, times, strict=True)))


def _class_weights(wanted: HeadSettings, mixture: Mixture, head: Head) -> Tensor | None:
    """What an example of each class counts, mean 1 over the examples; None where all count alike."""
    exponent = CLASS_WEIGHTS[wanted.class_weights]
    if not exponent:
        return None
    counts = frequencies(mixture, head.name, _classes(head))
    weights = np.where(counts > 0, (counts.sum() / np.maximum(counts, 1)) ** exponent, 0.0)
    weights *= counts.sum() / (weights * counts).sum()
    return torch.from_numpy(weights.astype(np.float32))

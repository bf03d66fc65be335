"""What a run minimises: of each head, the mean cost of a batch's items.

A batch may be read in parts (by several processes, or one after another where memory is short). Every part knows the
whole batch, so that the losses of the parts add up to the loss of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from relatome.batches import Row
from relatome.models.network import costs, divergence
from relatome.tasks.example import Head
from relatome.training.mixture import Mask, Mixture
from relatome.training.settings import HeadSettings, Settings

Gold = np.ndarray[Any, np.dtype[np.int64]]
_NOTHING: Gold = np.zeros(0, dtype=np.int64)


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
        found = {}
        for head in self.asked:
            items = self._items(head, passes[0][head.name], part)
            if (items.gold >= 0).any():
                device = passes[0][head.name].device
                logits = [one[head.name].reshape(-1, items.legal.shape[1]) for one in passes]
                gold, legal, annotated = (torch.from_numpy(a).to(device) for a in items)
                each = [self._costs(head, one, gold, legal, annotated) for one in logits]
                total = torch.stack(each).mean(dim=0).sum()
                if len(logits) == 2:
                    total = total + self.r_drop * divergence(logits[0], logits[1], legal)[gold >= 0].sum()
                found[head.name] = total * self._scale(head, whole)
        return found

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The sum that is minimised: each head's loss times its weight in the run."""
        return torch.stack([self.wanted[name].weight * value for name, value in losses.items()]).sum()

    def taught(self, rows: Iterable[Row]) -> set[str]:
        """The heads that the rows have something for."""
        return {name for row in rows for name, target in row.targets.items() if (target >= 0).any()}

    def _costs(self, head: Head, logits: Tensor, gold: Tensor, legal: Tensor, annotated: Tensor) -> Tensor:
        wanted = self.wanted[head.name]
        options = {"smoothing": wanted.smoothing} | ({"focus": wanted.focus} if wanted.loss == "focal" else {})
        return costs(logits, gold, legal, annotated, self.weights[head.name], kind=wanted.loss, **options)

    def _scale(self, head: Head, whole: Sequence[Row]) -> float:
        """What a cost is multiplied by: one over the batch's items (or their weights), less for a batch of few."""
        gold = np.concatenate([row.targets.get(head.name, _NOTHING).reshape(-1) for row in whole])
        gold = gold[gold >= 0]
        weights = self.weights[head.name]
        mass = float(len(gold)) if weights is None else float(weights[torch.from_numpy(gold)].sum())
        return min(1.0, len(gold) / self.typical[head.name]) / mass

    def _items(self, head: Head, logits: Tensor, rows: Sequence[Row]) -> _Items:
        """Of every item the head answers, padding too: gold, which classes may hold, which its corpus annotates."""
        gold, legal, annotated = [], [], []
        classes = _classes(head)
        items = logits[0].numel() // classes
        for row in rows:
            mine = np.full(items, -100, dtype=np.int64)
            fits = np.ones((items, classes), dtype=bool)
            marked = np.ones(classes, dtype=bool)
            if head.name in row.targets:
                target = row.targets[head.name].reshape(-1)
                mine[: len(target)] = target
                marked = self.mixture.annotated[row.source, head.name]
                if head.name in row.legal:
                    fits[: len(target)] = row.legal[head.name]
            gold.append(mine)
            legal.append(fits)
            annotated.append(np.broadcast_to(marked, fits.shape))
        return _Items(np.concatenate(gold), np.concatenate(legal), np.concatenate(annotated))


class _Items(NamedTuple):
    """Items of one head: ``(N,)`` gold, ``(N, C)`` which classes may hold and which are annotated."""

    gold: Gold
    legal: Mask
    annotated: Mask


def _classes(head: Head) -> int:
    """Of one item: a layer of ``layers`` is an item of its own, of O, B and I."""
    return 3 if head.kind == "layers" else head.classes


def _items(mixture: Mixture, head: Head, times: Sequence[float]) -> float:
    """How many items the head is taught in an epoch."""
    counts = [
        sum(int((row.targets[head.name] >= 0).sum()) for row in rows if head.name in row.targets)
        for rows in mixture.rows
    ]
    return max(1.0, sum(count * often for count, often in zip(counts, times, strict=True)))


def _class_weights(wanted: HeadSettings, mixture: Mixture, head: Head) -> Tensor | None:
    """Inverse class frequency, normalised to mean 1 over the examples; None where the run asks for none."""
    if wanted.class_weights == "none":
        return None
    found = [row.targets[head.name] for rows in mixture.rows for row in rows if head.name in row.targets]
    gold = np.concatenate(found)
    counts = np.bincount(gold[gold >= 0], minlength=_classes(head)).astype(np.float64)
    weights = np.where(counts > 0, counts.sum() / np.maximum(counts, 1), 0.0)
    weights *= counts.sum() / (weights * counts).sum()
    return torch.from_numpy(weights.astype(np.float32))

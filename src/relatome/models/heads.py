"""The heads: small modules that turn an encoder's hidden states into logits. Letters of shapes: see ``encoder.py``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatome.tasks.example import Head


class Tags(nn.Module):
    """A class for every piece, as in ``BertForTokenClassification``."""

    def __init__(self, width: int, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, classes)

    def forward(self, hidden: Tensor, pairs: Tensor) -> Tensor:
        """``(B, T, H)`` hidden states to ``(B, T, C)`` logits."""
        result: Tensor = self.classifier(self.dropout(hidden))
        return result


class Label(nn.Module):
    """A class for the row, from ``[CLS]`` through BERT's pooler, as in ``BertForSequenceClassification``."""

    def __init__(self, width: int, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.pooler = nn.ModuleDict({"dense": nn.Linear(width, width)})
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, classes)

    def forward(self, hidden: Tensor, pairs: Tensor) -> Tensor:
        """``(B, T, H)`` hidden states to ``(B, C)`` logits."""
        result: Tensor = self.classifier(self.dropout(torch.tanh(self.pooler["dense"](hidden[:, 0]))))
        return result


class Packed(nn.Module):
    """A class for every pair, from the states of its ``[E1]`` and ``[E2]`` (PURE, arXiv:2010.12812, section 3.3).

    Parameters
    ----------
    closing
        Read the mean of ``[E1]`` and ``[/E1]``, which is the piece after it, and likewise of the other mention.
    """

    def __init__(self, width: int, classes: int, dropout: float = 0.1, *, closing: bool = False) -> None:
        super().__init__()
        self.closing = closing
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(2 * width, width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, hidden: Tensor, pairs: Tensor) -> Tensor:
        """``(B, T, H)`` hidden states and ``(B, P, 2)`` piece indices to ``(B, P, C)`` logits."""
        both = _states(hidden, pairs[..., :2])
        if self.closing:
            both = (both + _states(hidden, pairs[..., :2] + 1)) / 2
        return self._answer(both)

    def _answer(self, both: Tensor) -> Tensor:
        result: Tensor = self.classifier(self.dropout(F.gelu(self.dense(self.dropout(both)))))
        return result


class Mentions(Packed):
    """A class for every pair, from the mean state of each mention's pieces."""

    def forward(self, hidden: Tensor, pairs: Tensor) -> Tensor:
        """``(B, T, H)`` hidden states and ``(B, P, 4)`` where the two begin and end, to ``(B, P, C)`` logits."""
        starts = pairs[..., :2]
        ends = pairs[..., 2:] if pairs.shape[2] == 4 else starts + 1  # no row of the batch asks this head
        here = torch.arange(hidden.shape[1], device=hidden.device)
        inside = ((here >= starts[..., None]) & (here < ends[..., None])).to(hidden.dtype)  # (B, P, 2, T)
        means = torch.einsum("bpat,bth->bpah", inside, hidden) / inside.sum(-1, keepdim=True).clamp(min=1)
        return self._answer(means.flatten(2))


def _states(hidden: Tensor, pairs: Tensor) -> Tensor:
    """``(B, T, H)`` hidden states and ``(B, P, 2)`` piece indices to ``(B, P, 2H)``, the states of both."""
    rows, count, _ = pairs.shape
    index = pairs.reshape(rows, count * 2, 1).expand(-1, -1, hidden.shape[2])
    return torch.gather(hidden, 1, index).reshape(rows, count, 2 * hidden.shape[2])


def made(head: Head, width: int, dropout: float) -> nn.Module:
    """The module of a head: that of its kind, or what its pooling asks for."""
    kind = POOLED.get((head.kind, head.pooling), HEADS[head.kind])
    return kind(width, head.classes, dropout)


POOLED: dict[tuple[str, str], Callable[..., nn.Module]] = {
    ("marker", "start"): Packed,
    ("marker", "mention"): Mentions,
    ("packed", "mention"): partial(Packed, closing=True),
}
"""Relation heads that read other states than those of their kind do."""

HEADS: dict[str, type[Tags | Label | Packed]] = {
    "tags": Tags,
    "layers": Tags,
    "label": Label,
    "marker": Label,
    "packed": Packed,
}

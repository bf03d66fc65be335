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
            after = (pairs[..., :2] + 1).clamp(max=hidden.shape[1] - 1)  # pairs of another head may end the row
            both = (both + _states(hidden, after)) / 2
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


class ConceptPairs(nn.Module):
    """The classes of every pair of concepts of a document (ATLOP, arXiv:2010.11304, section 3).

    A concept is the logsumexp of its mentions, a mention the mean of its first and last piece; a pair also sees the
    text that both its concepts attend to (localized context pooling). The attention is this head's own, since the
    encoder's fused one keeps no weights. Class 0 is the threshold.
    """

    def __init__(self, width: int, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.block = next(size for size in (64, 48, 32, 16, 8, 4, 2, 1) if width % size == 0)
        self.query = nn.Linear(width, width)
        self.head = nn.Linear(2 * width, width)
        self.tail = nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width * self.block, classes)

    def forward(self, hidden: Tensor, readings: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """``(B, T, H)`` hidden states to ``(B, P, C)`` logits.

        ``readings`` are ``(B, T)`` slots, ``(B, E, K, 2)`` spots and ``(B, P, 2)`` pairs, as in `batches.Batch`.
        """
        slots, spots, related = readings
        rows, pieces, width = hidden.shape
        text, known = _merged(hidden, slots)
        index = spots.clamp(min=0).reshape(rows, -1, 1).expand(-1, -1, width)
        mentions = torch.gather(text, 1, index).reshape(*spots.shape, width).mean(dim=3)
        there = (spots[..., :1] >= 0).any(dim=2)  # (B, E, 1): padding has no mention
        mentions = mentions.masked_fill(spots[..., :1] < 0, -1e4)
        parties = torch.logsumexp(mentions, dim=2).masked_fill(~there, 0.0)
        scores = self.query(parties) @ text.transpose(1, 2) / width**0.5
        looks = torch.log_softmax(scores.masked_fill(~known[:, None], -1e4), dim=-1)
        sides = [related[:, :, side, None] for side in (0, 1)]
        pairs = [torch.gather(parties, 1, side.expand(-1, -1, width)) for side in sides]
        one, other = (torch.gather(looks, 1, side.expand(-1, -1, pieces)) for side in sides)
        context = torch.softmax(one + other, dim=-1) @ text  # a product of two attentions, as one
        ends = []
        for layer, party in zip((self.head, self.tail), pairs, strict=True):
            state = torch.tanh(layer(torch.cat((party, context), dim=-1)))
            ends.append(state.reshape(rows, -1, width // self.block, self.block))
        product = (ends[0][..., :, None] * ends[1][..., None, :]).reshape(rows, -1, width * self.block)
        result: Tensor = self.classifier(self.dropout(product))
        return result


def _merged(hidden: Tensor, slots: Tensor) -> tuple[Tensor, Tensor]:
    """The states of the text's pieces, each the mean of those that windows gave it; and ``(B, T)`` which there are."""
    held = (slots >= 0)[..., None].to(hidden.dtype)
    index = slots.clamp(min=0)[..., None]
    count = torch.zeros_like(held).scatter_add(1, index, held)
    total = torch.zeros_like(hidden).scatter_add(1, index.expand_as(hidden), hidden * held)
    return total / count.clamp(min=1), count[..., 0] > 0


class Words(nn.Module):
    """Every piece of the vocabulary, for each hidden piece: BERT's transform, then the encoder's own table of pieces.

    Devlin et al. 2019, arXiv:1810.04805; the table is not this module's, so it is neither saved nor divided twice.
    """

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        """``(N, H)`` states of hidden pieces and the ``(V, H)`` table of all pieces, to ``(N, V)`` logits."""
        return F.linear(self.norm(F.gelu(self.dense(hidden))), table, self.bias)


def made(head: Head, width: int, dropout: float, *, vocabulary: int = 0) -> nn.Module:
    """The module of a head: that of its kind, or what its pooling asks for; ``vocabulary`` is the encoder's number of pieces."""
    if head.kind == "words":
        return Words(width, vocabulary)
    kind = POOLED.get((head.kind, head.pooling), HEADS[head.kind])
    return kind(width, head.classes, dropout)


POOLED: dict[tuple[str, str], Callable[..., nn.Module]] = {
    ("marker", "start"): Packed,
    ("marker", "mention"): Mentions,
    ("packed", "mention"): partial(Packed, closing=True),
}
"""Relation heads that read other states than those of their kind do."""

HEADS: dict[str, type[Tags | Label | Packed | ConceptPairs]] = {
    "tags": Tags,
    "layers": Tags,
    "label": Label,
    "marker": Label,
    "packed": Packed,
    "document": ConceptPairs,
}

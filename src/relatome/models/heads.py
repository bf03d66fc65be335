"""The heads: small modules that turn an encoder's hidden states into logits. Letters of shapes: see ``encoder.py``."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
    """A class for every pair, from the states of its ``[E1]`` and ``[E2]`` (PURE, arXiv:2010.12812, section 3.3)."""

    def __init__(self, width: int, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(2 * width, width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, hidden: Tensor, pairs: Tensor) -> Tensor:
        """``(B, T, H)`` hidden states and ``(B, P, 2)`` piece indices to ``(B, P, C)`` logits."""
        rows, count, _ = pairs.shape
        index = pairs.reshape(rows, count * 2, 1).expand(-1, -1, hidden.shape[2])
        both = torch.gather(hidden, 1, index).reshape(rows, count, 2 * hidden.shape[2])
        result: Tensor = self.classifier(self.dropout(F.gelu(self.dense(self.dropout(both)))))
        return result


HEADS: dict[str, type[Tags | Label | Packed]] = {
    "tags": Tags,
    "layers": Tags,
    "label": Label,
    "marker": Label,
    "packed": Packed,
}

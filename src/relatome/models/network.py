"""An encoder with its heads. Letters of shapes: see ``encoder.py``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatome.errors import ModelError
from relatome.models.encoder import Bert
from relatome.models.heads import HEADS
from relatome.tasks.example import Head


class Network(nn.Module):
    """One encoder, several heads: one pass answers all of them.

    Parameters
    ----------
    encoder
        A `Bert` or whatever has its ``forward``.
    heads
        What is asked; the module of each is chosen by its ``kind``.
    """

    def __init__(self, encoder: Bert, heads: Sequence[Head]) -> None:
        super().__init__()
        self.encoder = encoder
        self.asked = tuple(heads)
        config = encoder.config
        self.heads = nn.ModuleDict()
        for head in heads:
            module = HEADS[head.kind](config.hidden_size, head.classes, config.hidden_dropout_prob)
            try:
                self.heads[head.name] = module
            except KeyError as error:  # torch's own rule: no dot, nothing that a module dict has as an attribute
                raise ModelError(f"a head cannot be named {head.name!r}", advice="choose another name") from error
        for part in self.heads.modules():
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)

    def forward(
        self,
        ids: Tensor,
        positions: Tensor,
        mask: Tensor,
        pairs: Tensor,
        memory: Tensor | None = None,
        *,
        remember: bool = False,
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Logits of every head: ``(B, T, C)`` for tags, ``(B, P, C)`` for packed, ``(B, C)`` for the others.

        Parameters are those of `Bert.forward`, and ``pairs`` ``(B, P, 2)``, the pieces of each pair's markers.
        """
        hidden, memory = self.encoder(ids, positions, mask, memory, remember=remember)
        with torch.autocast(hidden.device.type, enabled=False):  # few numbers, and those that decide: full precision
            hidden = hidden.float()
            return {name: head(hidden, pairs) for name, head in self.heads.items()}, memory


def loss(logits: Tensor, gold: Tensor, legal: Tensor, annotated: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy over classes that may hold and that the corpus annotates.

    What a corpus does not annotate exhaustively it cannot deny: the probability of such classes is added to the
    negative class (index 0: O, NO_RELATION), so that a disease corpus does not teach that chemicals do not exist.

    Parameters
    ----------
    logits
        ``(N, C)``.
    gold
        ``(N,)`` classes; -100 counts for nothing.
    legal
        ``(N, C)`` bool: classes that could hold for the item; the others get no probability at all.
    annotated
        ``(N, C)`` bool: classes the item's corpus annotates exhaustively.
    weights
        ``(C,)`` class weights; the mean is then weighted, as in ``torch.nn.CrossEntropyLoss``.
    """
    keep = gold >= 0
    if not keep.any():
        return logits.sum() * 0.0
    logits, gold, legal, annotated = logits[keep].float(), gold[keep], legal[keep], annotated[keep]
    logs = F.log_softmax(logits.masked_fill(~legal, -1e9), dim=-1)
    hidden = logs.masked_fill(annotated, -1e9)
    negative = torch.logsumexp(torch.cat((logs[:, :1], hidden), dim=1), dim=1)
    chosen = torch.where(gold == 0, negative, logs.gather(1, gold[:, None])[:, 0])
    if weights is None:
        return -chosen.mean()
    weight = weights.to(chosen)[gold]
    return -(chosen * weight).sum() / weight.sum()

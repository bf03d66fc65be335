"""An encoder with its heads. Letters of shapes: see ``encoder.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatome.errors import ModelError
from relatome.models.encoder import Bert
from relatome.models.heads import made
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
            module = made(head, config.hidden_size, config.hidden_dropout_prob, vocabulary=config.vocab_size)
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
        readings: tuple[Tensor, Tensor, Tensor] | None = None,
        hidden: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Logits of every head: ``(B, T, C)`` for tags, ``(B, P, C)`` for packed and document, ``(B, C)`` for the others.

        Parameters are those of `Bert.forward`, and ``pairs`` ``(B, P, 2)``, the pieces of each pair's markers; for
        a document head, the ``readings`` of `batches.Batch`. For pre-training ``hidden``, ``(N,)`` as there: its head
        alone answers then, ``(N, V)``.
        """
        states, memory = self.encoder(ids, positions, mask, memory, remember=remember)
        if hidden is not None:
            (words,) = self.heads.items()
            table = self.encoder.embeddings.word_embeddings.weight
            return {words[0]: words[1](states.flatten(0, 1)[hidden], table)}, memory
        with torch.autocast(states.device.type, enabled=False):  # few numbers, and those that decide: full precision
            states = states.float()
            kinds = {head.name: head.kind for head in self.asked}
            asked = {name: readings if kinds[name] == "document" else pairs for name in self.heads}
            return {name: head(states, asked[name]) for name, head in self.heads.items()}, memory

    def classifier_of(self, head: str) -> nn.Linear:
        """The last layer of a head: one row a class."""
        return self.heads[head].get_submodule("classifier")  # type: ignore[return-value]

    @property
    def reads_documents(self) -> bool:
        """Whether a head needs the readings of a batch."""
        return any(head.kind == "document" for head in self.asked)


def loss(
    logits: Tensor,
    gold: Tensor,
    legal: Tensor,
    annotated: Tensor,
    weights: Tensor | None = None,
    *,
    kind: str = "cross-entropy",
    **options: float,
) -> Tensor:
    """Mean of `costs` over the items that have gold.

    The parameters are those of `costs`. Where there are class weights, the mean is weighted, as in
    ``torch.nn.CrossEntropyLoss``.
    """
    taught = gold[gold >= 0]
    if not len(taught):
        return logits.sum() * 0.0
    total = len(taught) if weights is None else weights.to(logits.device)[taught].sum()
    return costs(logits, gold, legal, annotated, weights, kind=kind, **options).sum() / total


def costs(
    logits: Tensor,
    gold: Tensor,
    legal: Tensor,
    annotated: Tensor,
    weights: Tensor | None = None,
    *,
    kind: str = "cross-entropy",
    **options: float,
) -> Tensor:
    """What each item costs, over classes that may hold and that its corpus annotates; ``(N,)``.

    What a corpus does not annotate exhaustively it cannot deny: the probability of such classes is added to the
    negative class (index 0: O, NO_RELATION), so that a disease corpus does not teach that chemicals do not exist.
    An item of the negative class then raises them as much as it raises that; see `masked` for the other way.

    Parameters
    ----------
    logits
        ``(N, C)``.
    gold
        ``(N,)`` classes; -100 costs nothing.
    legal
        ``(N, C)`` bool: classes that could hold for the item; the others get no probability at all.
    annotated
        ``(N, C)`` bool: classes the item's corpus annotates exhaustively.
    weights
        ``(C,)`` class weights: an item costs so many times as much.
    kind
        A member of `LOSSES`; ``options`` are its own.
    """
    keep = gold >= 0
    found = torch.zeros(len(gold), device=logits.device)
    if not keep.any():
        return found
    weights = None if weights is None else weights.to(logits.device)
    kept = logits[keep].float(), gold[keep], legal[keep], annotated[keep]
    return found.masked_scatter(keep, LOSSES[kind](*kept, weights, **options))


def masked(legal: Tensor, gold: Tensor, annotated: Tensor) -> Tensor:
    """``(N, C)`` the classes that may hold, of items of the negative class without those their corpus does not annotate.

    Given to `costs` as ``legal``, such an item says nothing of these, neither for them nor against.
    """
    return legal & (annotated | (gold > 0)[:, None])


def threshold_costs(logits: Tensor, gold: Tensor, legal: Tensor, annotated: Tensor) -> Tensor:
    """What each item costs where it may have several labels, ``(N,)``: the adaptive threshold loss.

    Every gold label is to be above class 0, the threshold, and every other label below it (Zhou et al. 2021,
    arXiv:2010.11304, section 4). Labels that an item cannot have, or that its corpus does not annotate, are neither.

    Parameters
    ----------
    logits
        ``(N, C)``.
    gold
        ``(N, C)`` bool.
    legal, annotated
        As for `costs`.
    """
    threshold = F.one_hot(torch.zeros(len(logits), dtype=torch.long, device=logits.device), logits.shape[1]).bool()
    right = gold & legal & ~threshold
    wrong = legal & annotated & ~gold & ~threshold
    above = F.log_softmax(logits.masked_fill(~(right | threshold), -1e9), dim=-1)
    below = F.log_softmax(logits.masked_fill(~(wrong | threshold), -1e9), dim=-1)
    return -(above * right).sum(dim=-1) - below[:, 0]


def outcomes(logits: Tensor, legal: Tensor, annotated: Tensor) -> Tensor:
    """Log probabilities ``(N, C)``, those of classes that are not annotated added to class 0 (and still in place)."""
    logs = F.log_softmax(logits.masked_fill(~legal, -1e9), dim=-1)
    hidden = logs.masked_fill(annotated, -1e9)
    negative = torch.logsumexp(torch.cat((logs[:, :1], hidden), dim=1), dim=1)
    return torch.cat((negative[:, None], logs[:, 1:]), dim=1)


def imitation(logits: Tensor, soft: Tensor, legal: Tensor, temperature: Tensor) -> Tensor:
    """How far each item's answer is from a teacher's: ``(N,)``, the Kullback-Leibler divergence times temperature squared.

    Parameters
    ----------
    soft
        ``(N, C)`` the teacher's probabilities. Where they are NaN the teacher says nothing of a class, and the student's
        probability of it is added to the negative class; so is what the teacher gives a class that cannot hold.
    temperature
        ``(N,)``; the probabilities of both are softened by it (Hinton et al. 2015).
    """
    soft, known = soft.nan_to_num(0.0), ~soft.isnan()
    lost = soft.masked_fill(legal, 0.0).sum(dim=1, keepdim=True)
    soft = torch.cat((soft[:, :1] + lost, soft[:, 1:].masked_fill(~legal[:, 1:], 0.0)), dim=1)
    soft = soft ** (1 / temperature[:, None])
    soft = soft / soft.sum(dim=1, keepdim=True).clamp(min=1e-9)
    logs = outcomes(logits.float() / temperature[:, None], legal, known)
    return temperature**2 * F.kl_div(logs, soft, reduction="none").sum(dim=1)


def divergence(logits: Tensor, others: Tensor, legal: Tensor) -> Tensor:
    """How far two answers to each item are apart: ``(N,)``, the mean of both Kullback-Leibler divergences."""
    first, second = (F.log_softmax(one.float().masked_fill(~legal, -1e9), dim=-1) for one in (logits, others))
    return ((first.exp() - second.exp()) * (first - second)).sum(dim=1) / 2


def _cross_entropy(
    logits: Tensor,
    gold: Tensor,
    legal: Tensor,
    annotated: Tensor,
    weights: Tensor | None,
    *,
    smoothing: float = 0.0,
    focus: float = 0.0,
) -> Tensor:
    """Cross-entropy ``(N,)``.

    ``smoothing`` is the share of the target spread evenly over the classes an item can be told of (Szegedy et al.
    2016), ``focus`` the exponent by which answers that are right already count for less (Lin et al. 2017).
    """
    logs = outcomes(logits, legal, annotated)
    each = -logs if not focus else -((1 - logs.exp()).clamp(min=1e-6) ** focus) * logs  # a root has no slope at 0
    if weights is not None:
        each = each * weights
    chosen = each.gather(1, gold[:, None])[:, 0]
    if not smoothing:
        return chosen
    told = legal & annotated
    told[:, 0] = True
    told = told.scatter(1, gold[:, None], True)
    even = each.masked_fill(~told, 0.0).sum(dim=1) / told.sum(dim=1)
    return (1 - smoothing) * chosen + smoothing * even


def _focal(
    logits: Tensor,
    gold: Tensor,
    legal: Tensor,
    annotated: Tensor,
    weights: Tensor | None,
    *,
    smoothing: float = 0.0,
    focus: float = 2.0,
) -> Tensor:
    """Focal loss ``(N,)``."""
    return _cross_entropy(logits, gold, legal, annotated, weights, smoothing=smoothing, focus=focus)


# (N, C) logits and (N,) gold of items that have gold, (N, C) legal, (N, C) annotated, (C,) weights or None -> (N,)
LOSSES: dict[str, Callable[..., Tensor]] = {"cross-entropy": _cross_entropy, "focal": _focal}

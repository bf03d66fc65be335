"""The text encoder: BERT with what packed pairs need, and any other family through transformers.

`Bert` has the parameter names of Hugging Face's ``BertModel``, so published weights load and saved weights go back.
It adds three things: a pairwise mask (who sees whom), positions given by the caller (a marker shares the position of
what it marks), and a memory (the keys and values of text read before), so that pairs found in a text can be asked
about without reading the text again.

Letters used in shapes, here and in ``heads.py``: B rows, T pieces, S pieces of memory, P pairs, C classes, L layers,
A attention heads, H width.

References
----------
Devlin et al. 2019, "BERT", arXiv:1810.04805.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True, slots=True)
class BertConfig:
    """The sizes of a BERT, named as in ``config.json``."""

    vocab_size: int = 30522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    hidden_dropout_prob: float = 0.1
    hidden_act: str = "gelu"
    pad_token_id: int = 0

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> BertConfig:
        """The fields this encoder uses, from a ``config.json``."""
        return cls(**{name: config[name] for name in cls.__dataclass_fields__ if config.get(name) is not None})

    def json(self) -> dict[str, Any]:
        """A ``config.json`` that transformers reads as a BERT."""
        return {"model_type": "bert", **{name: getattr(self, name) for name in self.__dataclass_fields__}}


class Bert(nn.Module):
    """A BERT encoder with a pairwise mask, free positions and a memory."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = (
            False  # in training, compute layers again on the way back and keep only their input
        )
        self.embeddings = _Embeddings(config)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))})
        self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(
        self, ids: Tensor, positions: Tensor, mask: Tensor, memory: Tensor | None = None, *, remember: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Hidden states of the pieces.

        Parameters
        ----------
        ids, positions
            ``(B, T)`` int64.
        mask
            ``(B, 1, T, S + T)`` bool; True where a piece sees another. No row may be all False.
        memory
            ``(B, L, 2, A, S, H/A)`` keys and values of text read before; without it the mask's S is still skipped.
        remember
            Also return the memory of these pieces.

        Returns
        -------
        (B, T, H) hidden states, and ``(B, L, 2, A, T, H/A)`` or None.
        """
        hidden = self.embeddings(ids, positions)
        if memory is None:
            mask = mask[..., mask.shape[-1] - ids.shape[1] :]
        bias = torch.zeros(mask.shape, dtype=hidden.dtype, device=mask.device).masked_fill(~mask, -1e4)
        kept = []
        for number, layer in enumerate(cast(nn.ModuleList, self.encoder["layer"])):
            past = None if memory is None else memory[:, number]
            if self.gradient_checkpointing and torch.is_grad_enabled():
                hidden, state = checkpoint(layer, hidden, bias, past, remember, use_reentrant=False)
            else:
                hidden, state = layer(hidden, bias, past, remember)
            kept.append(state)
        return hidden, torch.stack(kept, dim=1) if remember else None

    def resize(self, pieces: int) -> None:
        """Grow the vocabulary to ``pieces``; new rows start near the mean piece, which trains better than noise."""
        old = self.embeddings.word_embeddings
        if pieces <= old.num_embeddings:
            return
        new = nn.Embedding(pieces, old.embedding_dim)
        with torch.no_grad():
            mean = old.weight.mean(dim=0, keepdim=True)
            new.weight[: old.num_embeddings] = old.weight
            new.weight[old.num_embeddings :] = mean + 0.02 * torch.randn(pieces - old.num_embeddings, old.embedding_dim)
        self.embeddings.word_embeddings = new
        fields = {name: getattr(self.config, name) for name in BertConfig.__dataclass_fields__}
        self.config = BertConfig(**{**fields, "vocab_size": pieces})


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        total = self.word_embeddings(ids) + self.position_embeddings(positions) + self.token_type_embeddings.weight[0]
        result: Tensor = self.dropout(self.LayerNorm(total))
        return result


class _Layer(nn.Module):
    """One transformer layer; module names are Hugging Face's."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.heads = config.num_attention_heads
        self.attention = nn.ModuleDict(
            {
                "self": nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")}),
                "output": _output(width, width, config),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = _output(inner, width, config)

    def forward(
        self, hidden: Tensor, bias: Tensor, past: Tensor | None, remember: bool
    ) -> tuple[Tensor, Tensor | None]:
        rows, pieces, width = hidden.shape
        project = cast(nn.ModuleDict, self.attention["self"])
        query, key, value = (
            project[name](hidden).view(rows, pieces, self.heads, width // self.heads).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        state = torch.stack((key, value), dim=1) if remember else None
        if past is not None:
            key = torch.cat((past[:, 0].to(key.dtype), key), dim=2)
            value = torch.cat((past[:, 1].to(value.dtype), value), dim=2)
        mixed = attend(query, key, value, bias)
        mixed = mixed.transpose(1, 2).reshape(rows, pieces, width)
        hidden = _residual(cast(nn.ModuleDict, self.attention["output"]), mixed, hidden)
        return _residual(self.output, F.gelu(self.intermediate["dense"](hidden)), hidden), state


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Scaled dot-product attention, ``(B, A, T, H/A)`` like the query; ``bias`` is added to the scores.

    What a CPU learns from in bf16 is computed as plain products: torch 2.13's fused kernel takes two to eight times as
    long there and back, up to half of a training step (``benchmarks/attention.py``). The weights then kept for
    the way back, ``(B, A, T, T)``, are 12 kB a piece and layer at 512 pieces and 12 heads.
    """
    bias = bias.to(query.dtype)
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and torch.is_grad_enabled():
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2) + bias
        plain: Tensor = scores.softmax(dim=-1) @ value
        return plain
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def _output(inner: int, width: int, config: BertConfig) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "dense": nn.Linear(inner, width),
            "LayerNorm": nn.LayerNorm(width, eps=config.layer_norm_eps),
            "dropout": nn.Dropout(config.hidden_dropout_prob),
        }
    )


def _residual(output: nn.ModuleDict, inner: Tensor, outer: Tensor) -> Tensor:
    result: Tensor = output["LayerNorm"](output["dropout"](output["dense"](inner)) + outer)
    return result

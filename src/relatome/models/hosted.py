"""Encoders of other families (RoBERTa, ELECTRA, DeBERTa, ModernBERT ...), run by transformers, with one head.

`Bert` is the encoder of this library; a folder whose ``model_type`` is another one is opened as the
``AutoModelForTokenClassification`` or ``AutoModelForSequenceClassification`` it is, and answers as a `Network` with one
head of kind ``tags``, ``label`` or ``marker``. Packed pairs need a pairwise mask and free positions, which only `Bert`
has. No code from the folder is ever run (``trust_remote_code`` stays off), and only safetensors are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relatome.errors import MissingExtraError, ModelError
from relatome.tasks.example import Head

KINDS = ("tags", "label", "marker")


class HostedNetwork(nn.Module):
    """A transformers model with its own head, called as a `Network` is.

    Parameters
    ----------
    model
        An ``AutoModelFor...Classification`` instance.
    head
        What its classifier answers.
    """

    def __init__(self, model: Any, head: Head) -> None:
        super().__init__()
        self.model = model
        self.asked = (head,)

    @property
    def encoder(self) -> nn.Module:
        """The family's own encoder."""
        result: nn.Module = self.model.base_model
        return result

    @property
    def heads(self) -> nn.Module:
        """Whatever of the model is not its encoder."""
        rest = {n: m for n, m in self.model.named_children() if m is not self.model.base_model}
        return nn.ModuleDict(rest)

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
        """Logits of the head: ``(B, T, C)`` for tags, else ``(B, C)``. Parameters as in `Network.forward`.

        What ``[CLS]`` sees is the text without its padding: that row of the pairwise mask is these families' mask.
        """
        seen = mask[:, 0, 0, mask.shape[-1] - ids.shape[1] :].long()
        logits = self.model(input_ids=ids, attention_mask=seen).logits
        return {self.asked[0].name: logits.float()}, None


def open_hosted(folder: Path, head: Head, labels: list[str], *, fresh: bool, pieces: int) -> HostedNetwork:
    """The model in a folder, with a fresh head or its own.

    Parameters
    ----------
    labels
        The names of the head's classes, in order.
    fresh
        True to start from a pretrained encoder; False to open a finished model.
    pieces
        Size of the vocabulary, markers included; the embedding table grows to it.

    Raises
    ------
    ModelError
        The head is of a kind only `Bert` has, or transformers cannot open the folder.
    """
    if head.kind not in KINDS:
        raise ModelError(
            f"a {head.kind!r} head needs a BERT, this folder's family is another", path=folder,
            advice="train one head of kind " + " or ".join(KINDS),
        )  # fmt: skip
    try:
        from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification
    except ImportError as error:
        raise MissingExtraError("transformers", "train") from error
    kind = AutoModelForTokenClassification if head.kind == "tags" else AutoModelForSequenceClassification
    options: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}
    if fresh:
        options |= {"id2label": dict(enumerate(labels)), "label2id": {name: n for n, name in enumerate(labels)}}
    try:
        model = kind.from_pretrained(str(folder), dtype=torch.float32, **options)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"transformers cannot open it: {reason}", path=folder) from error
    if pieces > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(pieces, mean_resizing=False)
    return HostedNetwork(model, head)

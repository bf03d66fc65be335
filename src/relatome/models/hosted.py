"""Encoders of other families (RoBERTa, ELECTRA, DeBERTa, ModernBERT ...), run by transformers, with one head.

`Bert` is the encoder of this library; a folder whose ``model_type`` is another one is opened as the
``AutoModelForTokenClassification`` or ``AutoModelForSequenceClassification`` it is, and answers as a `Network` with one
head of kind ``tags``, ``label`` or ``marker``. Packed pairs need a pairwise mask and free positions, which only `Bert`
has. Of the folder's ``config.json`` transformers sees what describes the network and nothing that names code, other
files or kernels; weights are read by `checkpoint.read_weights`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from logging import CRITICAL
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relatome.errors import MissingExtraError, ModelError
from relatome.tasks.example import Head
from relatome.wordpieces import LIMIT

KINDS = ("tags", "label", "marker")
# what a config.json can say that makes transformers fetch or run something beside the network
_NOT_PASSED_ON = (
    "_attn_implementation", "_experts_implementation", "_name_or_path", "attn_implementation", "auto_map",
    "base_model_tp_plan", "distributed_config", "dtype", "experts_implementation", "fusion_config",
    "quantization_config", "torch_dtype", "transformers_weights",
)  # fmt: skip


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
    def encoder(self) -> Any:
        """The family's own encoder."""
        return self.model.base_model

    @property
    def heads(self) -> nn.Module:
        """Whatever of the model is not its encoder."""
        rest = {n: m for n, m in self.model.named_children() if m is not self.model.base_model}
        return nn.ModuleDict(rest)

    @property
    def classifier(self) -> nn.Linear:
        """The last layer: one row a class."""
        layers = [module for module in self.heads.modules() if isinstance(module, nn.Linear)]
        return layers[-1]

    def classifier_of(self, head: str) -> nn.Linear:
        """The same, by the name of the only head, as `Network` has it for several."""
        return self.classifier

    @property
    def reads_documents(self) -> bool:
        """No head of these families does."""
        return False

    @property
    def positions(self) -> int:
        """How many pieces a window can hold; RoBERTa's first position is the one after its padding's number."""
        config = self.model.config
        count = int(getattr(config, "max_position_embeddings", 0) or 0)
        count = count if count > 0 else LIMIT
        for name, module in self.encoder.named_modules():
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
                count = module.num_embeddings - module.padding_idx - 1
        return count

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
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        """Logits of the head: ``(B, T, C)`` for tags, else ``(B, C)``. Parameters as in `Network.forward`.

        What ``[CLS]`` sees is the text without its padding: that row of the pairwise mask is these families' mask.
        """
        seen = mask[:, 0, 0, mask.shape[-1] - ids.shape[1] :].long()
        logits = self.model(input_ids=ids, attention_mask=seen, return_dict=True).logits
        return {self.asked[0].name: logits.float()}, None

    def config(self) -> dict[str, Any]:
        """A ``config.json`` that transformers reads as this model's family."""
        every = self.model.config.to_dict()
        return {name: value for name, value in every.items() if name not in _NOT_PASSED_ON}


def open_hosted(
    folder: Path,
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    head: Head,
    *,
    pieces: int,
    pad: int,
    fresh: bool,
) -> HostedNetwork:
    """The model of a folder, with a fresh head or its own.

    Parameters
    ----------
    config, weights
        What the folder holds.
    pieces, pad
        Size of the vocabulary, markers included, and the piece that is padding.
    fresh
        True to start from an encoder, whose embedding table grows to ``pieces``; False to open a finished model.

    Raises
    ------
    ModelError
        The head is of a kind only `Bert` has, transformers has no such family, or the weights are not its.
    """
    family = config["model_type"]
    if head.kind not in KINDS:
        raise ModelError(
            f"a {head.kind!r} head needs a BERT, and this folder is of the family {family!r}", path=folder,
            advice="train one head of kind " + " or ".join(KINDS),
        )  # fmt: skip
    if head.pooling not in ("", "cls"):
        raise ModelError(
            f"pooling {head.pooling!r} needs a BERT, and this folder is of the family {family!r}", path=folder,
            advice="pool cls",
        )  # fmt: skip
    if find_spec("transformers") is None:
        raise MissingExtraError("transformers", "train")
    with _quiet():
        model, missing, misfits = _opened(folder, config, weights, head)
    inner = model.base_model_prefix + "."
    lost = sorted(name for name in missing if not fresh or (name.startswith(inner) and ".pooler." not in name))
    if lost:
        raise ModelError(
            f"{len(lost)} weights are missing, first {lost[0]!r}", path=folder, advice="is the download complete?"
        )
    wrong = sorted(name for name in misfits if not fresh or name.startswith(inner))
    if wrong:
        raise ModelError(f"weights do not fit config.json: {wrong[0]!r}", path=folder)
    network = HostedNetwork(model, head)
    if network.classifier.out_features != head.classes:
        raise ModelError(f"its last layer has not a row for each of {head.classes} classes", path=folder)
    if fresh:
        nn.init.normal_(network.classifier.weight, std=0.02)  # one seed one head, whatever head the folder had
        nn.init.zeros_(network.classifier.bias)
    _fit(model, pieces, pad, folder, grow=fresh)
    return network


def check_size(described: int, weights: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse a config whose network is far larger than the weights beside it, before anything of that size is made.

    Raises
    ------
    ModelError
        It is more than twice as large; a new head and new markers are less than what is allowed in any case.
    """
    held = sum(value.numel() for value in weights.values())
    if described > 2 * held + 10_000_000:
        raise ModelError(
            f"config.json describes a network of {described:,} weights, and the folder holds {held:,}",
            path=folder / "config.json", advice="config and weights are of different models",
        )  # fmt: skip


def _opened(
    folder: Path, config: Mapping[str, Any], weights: Mapping[str, Tensor], head: Head
) -> tuple[Any, set[str], set[str]]:
    """The model, and the names of its weights that the folder lacks or has in another shape."""
    from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification, AutoModelForTokenClassification

    auto: Any = AutoModelForTokenClassification if head.kind == "tags" else AutoModelForSequenceClassification
    family = config["model_type"]
    described = {name: value for name, value in config.items() if name not in (*_NOT_PASSED_ON, "label2id")}
    described["id2label"] = {number: str(number) for number in range(head.classes)}
    if family not in CONFIG_MAPPING:
        raise ModelError(f"model_type is {family!r}, which transformers does not know", path=folder / "config.json")
    try:
        theirs = CONFIG_MAPPING[family].from_dict(described)
        if getattr(theirs, "is_encoder_decoder", False):
            raise ValueError("it is not an encoder")
        with torch.device("meta"):  # shapes without memory
            shape = auto.from_config(theirs)
        size = sum(value.numel() for value in shape.parameters())
    except Exception as error:  # a config.json can be wrong in any way, and transformers raises what it likes
        raise ModelError(f"no {family!r} can be made of it: {_line(error)}", path=folder / "config.json") from error
    check_size(size, weights, folder)
    try:
        model, found = type(shape).from_pretrained(
            None, config=theirs, state_dict={name: value.float() for name, value in weights.items()},
            dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True,
        )  # fmt: skip
    except Exception as error:
        raise ModelError(f"transformers cannot open it: {_line(error)}", path=folder) from error
    return model, set(found["missing_keys"]), {entry[0] for entry in found["mismatched_keys"]}


def _fit(model: Any, pieces: int, pad: int, folder: Path, *, grow: bool) -> None:
    """Give every piece of the vocabulary a row; new ones start near the mean piece, as in `Bert.resize`."""
    rows = model.get_input_embeddings().num_embeddings
    if pieces > rows and not grow:
        raise ModelError(
            f"the tokenizer has {pieces} pieces, the encoder {rows}", path=folder,
            advice="tokenizer and weights are of different models",
        )  # fmt: skip
    if pieces > rows:
        model.resize_token_embeddings(pieces, mean_resizing=False)
        with torch.no_grad():
            table = model.get_input_embeddings().weight
            table[rows:] = table[:rows].mean(dim=0) + 0.02 * torch.randn(pieces - rows, table.shape[1])
    padding = getattr(model.config, "pad_token_id", None)
    if padding is not None and padding != pad:  # RoBERTa counts its positions from the pieces that are not padding
        raise ModelError(
            f"the tokenizer pads with piece {pad}, the encoder with {padding}", path=folder,
            advice="tokenizer and weights are of different models",
        )  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' report of weights and its bar: what matters of them is checked here."""
    from transformers.utils import logging

    theirs: Any = logging
    level, bar = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(CRITICAL)
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bar:
            theirs.enable_progress_bar()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

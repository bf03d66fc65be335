"""Model folders: read and written in Hugging Face's layout, plus ``relatome.json`` for what that cannot say.

A run with one head of kind ``tags``, ``label`` or ``marker`` is saved with the names ``AutoModelForTokenClassification``
and ``AutoModelForSequenceClassification`` expect. Other runs keep their heads under ``heads.NAME``; their encoder
still has Hugging Face's names. Weights are safetensors. A ``pytorch_model.bin`` is read by torch's
``weights_only`` loader, which runs no code from the file.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from relatome.errors import ModelError
from relatome.models.encoder import Bert, BertConfig
from relatome.models.network import Network
from relatome.tasks import TASKS
from relatome.tasks.example import Head
from relatome.wordpieces import LIMIT, MARKERS, WordPieces

Weights = dict[str, Tensor]
SMALLEST = 16  # pieces of a window: fewer could not hold a pair's markers


@dataclass(slots=True)
class Checkpoint:
    """A network with its tokenizer and its card.

    Parameters
    ----------
    limit
        Pieces a window holds.
    card
        What is known of the model: corpora, settings, scores. Plain JSON values.
    """

    network: Network
    pieces: WordPieces
    limit: int = LIMIT
    card: dict[str, Any] = field(default_factory=dict)


def new(encoder: str | Path, heads: Sequence[Head], *, limit: int = LIMIT) -> Checkpoint:
    """A network with a pretrained encoder and fresh heads.

    Parameters
    ----------
    encoder
        A folder with ``config.json``, weights and a tokenizer.
    """
    folder = Path(encoder)
    config = read_config(folder)
    bert = Bert(BertConfig.from_json(config))
    _load(bert, _encoder_only(read_weights(folder)), folder)
    pieces = WordPieces.load(folder)
    if any(head.task == "relation" for head in heads):
        pieces.add_markers()
    bert.resize(len(pieces))
    return Checkpoint(Network(bert, heads), pieces, min(limit, bert.config.max_position_embeddings))


def save(checkpoint: Checkpoint, folder: str | Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a model folder; the weights are written last, under a temporary name, and renamed.

    Parameters
    ----------
    dtype
        Store weights so, ``torch.float16`` for instance; as they are if None.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    heads = checkpoint.network.asked
    config: dict[str, Any] = checkpoint.network.encoder.config.json()
    weights = {f"bert.{name}": value for name, value in checkpoint.network.encoder.state_dict().items()}
    plain = heads[0] if len(heads) == 1 and heads[0].kind in ("tags", "label", "marker") else None
    for name, value in checkpoint.network.heads.state_dict().items():
        if plain is None:
            weights[f"heads.{name}"] = value
        else:
            inner = name.removeprefix(f"{plain.name}.")
            weights[f"bert.{inner}" if inner.startswith("pooler.") else inner] = value
    if plain is not None:
        labels = _bio(plain.labels) if plain.kind == "tags" else list(plain.labels)
        kind = "BertForTokenClassification" if plain.kind == "tags" else "BertForSequenceClassification"
        config["architectures"] = [kind]
        config["id2label"] = {str(number): label for number, label in enumerate(labels)}
        config["label2id"] = {label: number for number, label in enumerate(labels)}
        if plain.kind != "tags":
            config["problem_type"] = "single_label_classification"
    _write_json(folder / "config.json", config)
    checkpoint.pieces.save(folder)
    extra = list(MARKERS) if any(head.task == "relation" for head in heads) else []
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": checkpoint.limit,
            "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]",
            "mask_token": "[MASK]",
            **({"additional_special_tokens": extra, "extra_special_tokens": extra} if extra else {}),
        },
    )  # fmt: skip
    _write_json(
        folder / "relatome.json",
        {"heads": [head.json() for head in heads], "limit": checkpoint.limit, "card": checkpoint.card},
    )
    weights = {name: (value if dtype is None else value.to(dtype)).contiguous() for name, value in weights.items()}
    temporary = folder / "model.safetensors.part"
    save_file(weights, str(temporary), metadata={"format": "pt"})
    temporary.replace(folder / "model.safetensors")


def load(folder: str | Path) -> Checkpoint:
    """Open a model folder: one of ours, or a plain Hugging Face sequence- or token-classification BERT.

    Raises
    ------
    ModelError
        A file is missing or unsafe, a weight is missing, or the head is of a kind Relatome cannot run.
    """
    folder = Path(folder)
    config = read_config(folder)
    pieces = WordPieces.load(folder)
    weights = read_weights(folder)
    own = folder / "relatome.json"
    if own.is_file():
        facts = _read_json(own)
        try:
            heads = [Head.from_json(value) for value in facts["heads"]]
            limit, card = int(facts["limit"]), dict(facts["card"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"not what Relatome writes: {error!r}", path=own) from error
        for head in heads:
            if head.task not in TASKS or head.kind not in TASKS[head.task].HEADS:
                raise ModelError(f"head {head.name!r} is a {head.task} head of kind {head.kind!r}", path=own)
        if not heads:
            raise ModelError("the model has no head", path=own, advice="train it first")
        if limit < SMALLEST:
            raise ModelError(f"windows of {limit} pieces are too small, expected {SMALLEST} or more", path=own)
    else:
        heads, limit, card = [_plain_head(config, pieces, folder)], min(512, LIMIT), {}
    bert = Bert(BertConfig.from_json(config))
    if len(pieces) > bert.config.vocab_size:
        raise ModelError(
            f"the tokenizer has {len(pieces)} pieces, the encoder {bert.config.vocab_size}", path=folder,
            advice="tokenizer and weights are of different models",
        )  # fmt: skip
    network = Network(bert, heads)
    _load(bert, _encoder_only(weights), folder)
    prefix = "heads." if any(name.startswith("heads.") for name in weights) else ""
    found: Weights = {}
    for name in network.heads.state_dict():
        inner = name.removeprefix(f"{heads[0].name}.")
        source = f"heads.{name}" if prefix else (f"bert.{inner}" if inner.startswith("pooler.") else inner)
        if source not in weights:
            raise ModelError(f"the weight {source!r} is missing", path=folder, advice="is the download complete?")
        found[name] = weights[source].float()
    try:
        network.heads.load_state_dict(found)
    except RuntimeError as error:
        raise ModelError(f"weights do not fit config.json: {_first_line(error)}", path=folder) from error
    return Checkpoint(network, pieces, min(limit, bert.config.max_position_embeddings), card)


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json``, checked to be a BERT's."""
    if not folder.is_dir():
        raise ModelError("there is no such model folder", path=folder, advice="give a folder with config.json")
    if not (folder / "config.json").is_file():
        raise ModelError("config.json is missing", path=folder, advice="copy the whole model folder")
    config = _read_json(folder / "config.json")
    for name, expected in (("model_type", "bert"), ("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if config.get(name, expected) != expected:
            raise ModelError(f"{name} is {config[name]!r}, expected {expected!r}", path=folder / "config.json")
    sizes = BertConfig()
    for item in fields(sizes):
        default, value = getattr(sizes, item.name), config.get(item.name)
        if value is None or isinstance(default, str):
            continue
        whole = isinstance(default, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or value < 0:
            kind = "a whole number" if whole else "a number"
            raise ModelError(f"{item.name} is {value!r}, expected {kind}", path=folder / "config.json")
    width = config.get("hidden_size", sizes.hidden_size)
    attention = config.get("num_attention_heads", sizes.num_attention_heads)
    if not (width and attention) or width % attention:
        raise ModelError(f"a width of {width} cannot be {attention} attention heads", path=folder / "config.json")
    return config


def read_weights(folder: Path) -> Weights:
    """``model.safetensors``, or ``pytorch_model.bin`` where it holds tensors and no code.

    Raises
    ------
    ModelError
        Neither is there, the file is damaged, or the pickle would run code.
    """
    file = folder / "model.safetensors"
    if file.is_file():
        try:
            return dict(load_file(str(file)))
        except SafetensorError as error:
            raise ModelError(f"damaged safetensors: {_first_line(error)}", path=file) from error
    file = folder / "pytorch_model.bin"
    if not file.is_file():
        raise ModelError(
            "neither model.safetensors nor pytorch_model.bin is here", path=folder, advice="copy the whole model folder"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols: nothing the user could do
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = any(word in str(error) for word in ("GLOBAL", "REDUCE", "class"))
        what = "this pickle holds code, not only weights" if code else "not plain weights: damaged, or a foreign pickle"
        raise ModelError(f"refused: {what}", path=file, advice="ask its author for safetensors") from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelError(f"damaged weights: {_first_line(error)}", path=file) from error
    if not isinstance(loaded, Mapping) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise ModelError("not a table of weights", path=file)
    return dict(loaded)


def _encoder_only(weights: Weights) -> Weights:
    """Encoder weights under `Bert`'s names: without the ``bert.`` prefix, TensorFlow's gamma and beta renamed."""
    named = {}
    prefix = "bert." if any(name.startswith("bert.") for name in weights) else ""
    for name, value in weights.items():
        if name.startswith(prefix) and name.removeprefix(prefix).startswith(("embeddings.", "encoder.")):
            short = name.removeprefix(prefix).replace(".gamma", ".weight").replace(".beta", ".bias")
            if not short.endswith("position_ids"):
                named[short] = value.float()
    return named


def _load(bert: Bert, weights: Weights, folder: Path) -> None:
    try:
        bert.load_state_dict(weights)
    except RuntimeError as error:
        missing = sorted(set(bert.state_dict()) - set(weights))
        what = f"{len(missing)} weights are missing, first {missing[0]!r}" if missing else _first_line(error)
        raise ModelError(f"the encoder's weights do not fit config.json: {what}", path=folder) from error


def _plain_head(config: Mapping[str, Any], pieces: WordPieces, folder: Path) -> Head:
    """The head of a published checkpoint, from ``architectures`` and ``id2label``."""
    architecture = (config.get("architectures") or [""])[0]
    table = config.get("id2label") or {}
    labels = [str(table[key]) for key in sorted(table, key=int)]
    if architecture.endswith("ForTokenClassification"):
        types = [label[2:] for label in labels if label.startswith("B-")]
        if labels != _bio(types):
            raise ModelError(
                f"labels are {labels}, expected O, B-x, I-x ...", path=folder / "config.json",
                advice="only BIO taggers in that order can be read",
            )  # fmt: skip
        return Head("entities", "ner", "tags", tuple(types))
    if architecture.endswith("ForSequenceClassification"):
        if all(pieces.tokenizer.token_to_id(marker) is not None for marker in MARKERS):
            return Head("relations", "relation", "marker", tuple(labels))
        return Head("label", "classification", "label", tuple(labels))
    raise ModelError(
        f"architecture {architecture!r} has no head Relatome can run", path=folder / "config.json",
        advice="expected a ...ForSequenceClassification or ...ForTokenClassification",
    )  # fmt: skip


def _bio(types: Sequence[str]) -> list[str]:
    return ["O"] + [f"{prefix}-{name}" for name in types for prefix in "BI"]


def _read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"not JSON: {error}", path=file) from error
    if not isinstance(value, dict):
        raise ModelError("not a JSON object", path=file)
    return value


def _write_json(file: Path, value: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[-1].strip()


__all__ = ["Checkpoint", "load", "new", "read_config", "read_weights", "save"]

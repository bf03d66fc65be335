"""Model folders: read and written in Hugging Face's layout, plus ``relatome.json`` for what that cannot say.

A run with one head of kind ``tags``, ``label`` or ``marker`` is saved with the names ``AutoModelForTokenClassification``
and ``AutoModelForSequenceClassification`` expect. Other runs keep their heads under ``heads.NAME``; their encoder
still has Hugging Face's names. Folders of other families than BERT open through ``hosted.py`` and are saved the same
way. Weights are safetensors. A ``pytorch_model.bin`` is read by torch's ``weights_only`` loader, which runs no code
from the file.
"""

from __future__ import annotations

import json
import pickle
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from relatome.errors import ModelError
from relatome.models.encoder import Bert, BertConfig
from relatome.models.hosted import HostedNetwork, check_size, open_hosted
from relatome.models.network import Network
from relatome.tasks import LEARNED
from relatome.tasks.example import Head, Options
from relatome.tasks.relation import marker_names
from relatome.wordpieces import LIMIT, WordPieces

Weights = dict[str, Tensor]
WEIGHTS = "model.safetensors"
SMALLEST = 16  # pieces of a window: fewer could not hold a pair's markers
PLAIN = {("tags", ""), ("label", ""), ("marker", "cls")}  # (kind, pooling) that transformers has a class for
MOST_LABELS = 10_000
UNTYPED = "Entity"  # what a tagger of bare B and I finds; the IOB reader calls it so too


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

    network: Network | HostedNetwork
    pieces: WordPieces
    limit: int = LIMIT
    card: dict[str, Any] = field(default_factory=dict)


def new(encoder: str | Path, heads: Sequence[Head], *, limit: int = LIMIT) -> Checkpoint:
    """A network with a pretrained encoder, and heads that are fresh where the encoder's folder has none like them.

    Parameters
    ----------
    encoder
        A folder with ``config.json``, weights and a tokenizer. Where it is a model of ours, its heads of the same name,
        task, kind and labels go on from their weights: so a run can begin where another ended.

    Raises
    ------
    ModelError
        A file is missing or unsafe, or the encoder is not a BERT and asked for what only that can do.
    """
    folder = Path(encoder)
    config = read_config(folder)
    weights = _bounded(config, read_weights(folder), folder)
    pieces = WordPieces.load(folder)
    pieces.add_markers(_markers(heads))
    if _family(config) != "bert":
        hosted = _hosted(folder, config, weights, heads, pieces, fresh=True)
        return Checkpoint(hosted, pieces, min(limit, hosted.positions))
    bert = _bert(config, weights, folder)
    _load(bert, _encoder_only(weights), folder)
    bert.resize(len(pieces))
    network = Network(bert, heads)
    card = _go_on(network, folder)
    return Checkpoint(network, pieces, min(limit, bert.config.max_position_embeddings), card)


def _go_on(network: Network, folder: Path) -> dict[str, Any]:
    """Give the heads that a model folder has already the weights they have there; the card of what it learned before."""
    if not (folder / "relatome.json").is_file():
        return {}
    opened = load(folder)
    before = opened.network
    assert isinstance(before, Network)  # the folder's encoder is a BERT
    known = {(head.name, head.task, head.kind, head.labels) for head in before.asked}
    for head in network.asked:
        if (head.name, head.task, head.kind, head.labels) in known:
            own, theirs = network.heads[head.name].state_dict(), before.heads[head.name].state_dict()
            if {name: value.shape for name, value in own.items()} == {n: v.shape for n, v in theirs.items()}:
                network.heads[head.name].load_state_dict(theirs)
    learned = [*opened.card.get("before", ()), *([opened.card["training"]] if "training" in opened.card else ())]
    return {"before": learned} if learned else {}


def save(checkpoint: Checkpoint, folder: str | Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a model folder: all of it beside what is there, which it replaces when it is whole, the weights last.

    Parameters
    ----------
    dtype
        Store weights so, ``torch.float16`` for instance; as they are if None.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    network = checkpoint.network
    heads = network.asked
    plain = heads[0] if len(heads) == 1 and (heads[0].kind, heads[0].pooling) in PLAIN else None
    config, weights = _theirs(network) if isinstance(network, HostedNetwork) else _ours(network, plain)
    if plain is not None:
        labels = _bio(plain.labels) if plain.kind == "tags" else list(plain.labels)
        config["id2label"] = {str(number): label for number, label in enumerate(labels)}
        config["label2id"] = {label: number for number, label in enumerate(labels)}
        config.pop("problem_type", None)
        if plain.kind != "tags":
            config["problem_type"] = f"{'multi' if plain.multilabel else 'single'}_label_classification"
    if dtype is not None:
        weights = {name: value.to(dtype) if value.is_floating_point() else value for name, value in weights.items()}
    weights = {name: value.contiguous() for name, value in weights.items()}
    with _staged(folder) as place:
        _write_json(place / "config.json", config)
        checkpoint.pieces.save(place)
        _write_json(place / "tokenizer_config.json", _tokenizer_config(checkpoint))
        _write_json(
            place / "relatome.json",
            {"heads": [head.json() for head in heads], "limit": checkpoint.limit, "card": checkpoint.card},
        )
        save_file(weights, str(place / WEIGHTS), metadata={"format": "pt"})


def load(folder: str | Path) -> Checkpoint:
    """Open a model folder: one of ours, or a plain Hugging Face sequence- or token-classification model.

    Raises
    ------
    ModelError
        A file is missing or unsafe, a weight is missing, or the head is of a kind Relatome cannot run.
    """
    folder = Path(folder)
    config = read_config(folder)
    pieces = WordPieces.load(folder)
    weights = _bounded(config, read_weights(folder), folder)
    order: list[int] = []
    own = folder / "relatome.json"
    if own.is_file():
        facts = _read_json(own)
        try:
            heads = [Head.from_json(value) for value in facts["heads"]]
            limit, card = int(facts["limit"]), dict(facts["card"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"not what Relatome writes: {error!r}", path=own) from error
        for head in heads:
            if head.task not in LEARNED or head.kind not in LEARNED[head.task].HEADS:
                raise ModelError(f"head {head.name!r} is a {head.task} head of kind {head.kind!r}", path=own)
        if not heads:
            raise ModelError("the model has no head", path=own, advice="train it first")
        if limit < SMALLEST:
            raise ModelError(f"windows of {limit} pieces are too small, expected {SMALLEST} or more", path=own)
    else:
        head, order = _plain_head(config, pieces, folder)
        heads, limit, card = [head], LIMIT, {}
    if _family(config) != "bert":
        hosted = _hosted(folder, config, weights, heads, pieces, fresh=False)
        _reorder(hosted.classifier, order)
        return Checkpoint(hosted, pieces, min(limit, hosted.positions), card)
    bert = _bert(config, weights, folder)
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
    if order:
        _reorder(network.classifier_of(heads[0].name), order)
    return Checkpoint(network, pieces, min(limit, bert.config.max_position_embeddings), card)


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json``; that of a BERT is checked to be one this library runs."""
    if not folder.is_dir():
        raise ModelError("there is no such model folder", path=folder, advice="give a folder with config.json")
    if not (folder / "config.json").is_file():
        raise ModelError("config.json is missing", path=folder, advice="copy the whole model folder")
    config = _read_json(folder / "config.json")
    if not isinstance(config.get("model_type", ""), str):
        raise ModelError(f"model_type is {config['model_type']!r}, expected a name", path=folder / "config.json")
    if _family(config) != "bert":
        return config
    for name, expected in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
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
    file = folder / WEIGHTS
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


def _family(config: Mapping[str, Any]) -> str:
    return str(config.get("model_type") or "bert")


def _bounded(config: Mapping[str, Any], weights: Weights, folder: Path) -> Weights:
    """The weights, where the counts in ``config.json`` can be theirs: a count is a loop before it is a size."""
    most = {"layers": len(weights), "group": len(weights), "experts": len(weights), "labels": MOST_LABELS}
    for name, value in config.items():
        bound = next((bound for what, bound in most.items() if what in name), None)
        if bound is not None and isinstance(value, int) and value > bound:
            raise ModelError(f"{name} is {value}, expected at most {bound}", path=folder / "config.json")
    return weights


def _bert(config: Mapping[str, Any], weights: Weights, folder: Path) -> Bert:
    sizes = BertConfig.from_json(config)
    try:
        with torch.device("meta"):  # shapes without memory
            described = sum(value.numel() for value in Bert(sizes).parameters())
    except (RuntimeError, TypeError, OverflowError) as error:
        what = _first_line(error)
        raise ModelError(f"no BERT can have these sizes: {what}", path=folder / "config.json") from error
    check_size(described, weights, folder)
    return Bert(sizes)


def _hosted(
    folder: Path, config: Mapping[str, Any], weights: Weights, heads: Sequence[Head], pieces: WordPieces, *, fresh: bool
) -> HostedNetwork:
    if len(heads) != 1:
        raise ModelError(
            f"{len(heads)} heads need a BERT, and this folder is of the family {_family(config)!r}", path=folder,
            advice="train one head",
        )  # fmt: skip
    return open_hosted(folder, config, weights, heads[0], pieces=len(pieces), pad=pieces.pad, fresh=fresh)


def _ours(network: Network, plain: Head | None) -> tuple[dict[str, Any], Weights]:
    """``config.json`` and the weights of a BERT with its heads."""
    config: dict[str, Any] = network.encoder.config.json()
    weights = {f"bert.{name}": value for name, value in network.encoder.state_dict().items()}
    for name, value in network.heads.state_dict().items():
        if plain is None:
            weights[f"heads.{name}"] = value
        else:
            inner = name.removeprefix(f"{plain.name}.")
            weights[f"bert.{inner}" if inner.startswith("pooler.") else inner] = value
    if plain is not None:
        kind = "BertForTokenClassification" if plain.kind == "tags" else "BertForSequenceClassification"
        config["architectures"] = [kind]
    return config, weights


def _theirs(network: HostedNetwork) -> tuple[dict[str, Any], Weights]:
    """``config.json`` and the weights of a transformers model; what two names share is written once."""
    weights: Weights = {}
    seen: set[int] = set()
    for name, value in network.model.state_dict().items():
        if value.numel() and value.data_ptr() in seen:
            continue
        seen.add(value.data_ptr())
        weights[name] = value
    return {**network.config(), "architectures": [type(network.model).__name__]}, weights


def _tokenizer_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """``tokenizer_config.json``: the special pieces by their family's own names."""
    pieces = checkpoint.pieces
    named = {"cls_token": pieces.cls, "sep_token": pieces.sep, "pad_token": pieces.pad}
    config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": checkpoint.limit}
    config |= {name: pieces.tokenizer.id_to_token(number) for name, number in named.items()}
    for name, spellings in (("unk_token", ("[UNK]", "<unk>")), ("mask_token", ("[MASK]", "<mask>"))):
        known = [one for one in spellings if pieces.tokenizer.token_to_id(one) is not None]
        config |= {name: known[0]} if known else {}
    if markers := _markers(checkpoint.network.asked):
        config |= {"additional_special_tokens": markers, "extra_special_tokens": markers}
    if isinstance(checkpoint.network, HostedNetwork):
        config["model_input_names"] = ["input_ids", "attention_mask"]  # most other families know no token types
    return config


def _plain_head(config: Mapping[str, Any], pieces: WordPieces, folder: Path) -> tuple[Head, list[int]]:
    """The head of a published checkpoint, from ``architectures`` and ``id2label``.

    Also which row of its classifier is each of the head's classes, where they are not in our order.
    """
    names = config.get("architectures")
    architecture = str(names[0]) if isinstance(names, list) and names else ""
    labels = _labels(config, folder)
    if architecture.endswith("ForTokenClassification"):
        types = [label[2:] or UNTYPED for label in labels if label == "B" or label.startswith("B-")]
        asked = ["O", "B", "I"] if "B" in labels else _bio(types)
        if sorted(asked) != sorted(labels):
            shown = ", ".join(labels[:12]) + (" ..." if len(labels) > 12 else "")
            raise ModelError(
                f"its tags are {shown}; expected O and, for every type, B-type and I-type", path=folder / "config.json",
                advice="write the names of its tags into id2label; other schemes than BIO cannot be read",
            )  # fmt: skip
        return Head("entities", "ner", "tags", tuple(types)), [labels.index(name) for name in asked]
    if architecture.endswith("ForSequenceClassification"):
        known = pieces.markers()
        several = config.get("problem_type") == "multi_label_classification"
        if len(labels) < 2 or config.get("problem_type") == "regression" or (several and not known):
            raise ModelError(
                "it gives a number or several labels at once", path=folder / "config.json",
                advice="only models that choose one of several labels can be read",
            )  # fmt: skip
        if known:
            options = Options(choice="multilabel" if several else "exclusive")
            return Head("relations", "relation", "marker", tuple(labels), options=options), []
        return Head("label", "classification", "label", tuple(labels)), []
    raise ModelError(
        f"architecture {architecture!r} has no head Relatome can run", path=folder / "config.json",
        advice="expected a ...ForSequenceClassification or ...ForTokenClassification",
    )  # fmt: skip


def _labels(config: Mapping[str, Any], folder: Path) -> list[str]:
    """The names in ``id2label`` by number; without it, transformers' own ``LABEL_0`` and so on."""
    table = config.get("id2label")
    if table is None:
        count = config.get("num_labels", 2)
        table = {str(number): f"LABEL_{number}" for number in range(count if isinstance(count, int) else 0)}
    by_number = {str(key): str(name) for key, name in table.items()} if isinstance(table, dict) else {}
    labels = [by_number.get(str(number), "") for number in range(len(by_number))]
    if not labels or len(labels) > MOST_LABELS or "" in labels or len(set(labels)) < len(labels):
        raise ModelError(
            "id2label does not give every number from 0 a name of its own", path=folder / "config.json",
            advice='expected {"0": "O", "1": "B-Disease", ...}',
        )  # fmt: skip
    return labels


def _reorder(classifier: nn.Linear, order: Sequence[int]) -> None:
    """Put the classifier's rows into ``order``; as they are where that is empty."""
    if order:
        with torch.no_grad():
            classifier.weight.copy_(classifier.weight[list(order)])
            classifier.bias.copy_(classifier.bias[list(order)])


def _markers(heads: Sequence[Head]) -> list[str]:
    """The markers that the heads' vocabulary has pieces for."""
    found = (marker for head in heads if head.task == "relation" for marker in marker_names(head))
    return list(dict.fromkeys(found))


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


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A place whose files become those of the folder when the block ends well: a full disk leaves the old ones."""
    place = folder / "model.part"
    shutil.rmtree(place, ignore_errors=True)  # of a process that was killed
    place.mkdir()
    try:
        yield place
        for file in sorted(place.iterdir(), key=lambda file: (file.name == WEIGHTS, file.name)):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[-1].strip()


__all__ = ["Checkpoint", "load", "new", "read_config", "read_weights", "save"]

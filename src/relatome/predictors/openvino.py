"""The network on OpenVINO: the engine of the base install, int8 or fp32 from one file, and that file as a torch network.

A folder that ``export`` wrote holds ``model.xml`` and ``model.bin`` (OpenVINO IR: int8 weights with their scales, and
a ``FakeQuantize`` node before every product of matrices that is to run in int8), ``tokenizer.json``, ``config.json``
(sizes of the encoder, as Hugging Face writes it) and ``relatome.json`` (heads, limit, card, sha256 of ``model.bin``).
int8 runs the graph as it stands. fp32 runs it without the ``FakeQuantize`` nodes, so that only the weights are rounded.
A torch `Network` takes the same rounded weights, read back out of the graph.

The graph's inputs are those of `batches.Batch` and ``memory``; its outputs are ``heads.NAME`` and ``remembered``.
It always has a memory: where nothing is remembered one slot that no piece sees.

References
----------
OpenVINO IR operations: https://docs.openvino.ai/latest/documentation/openvino-ir-format.html
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relatome.batches import Batch, few
from relatome.errors import ModelError
from relatome.lookup import pick
from relatome.predictors.neural import NeuralPredictor
from relatome.tasks.example import Head
from relatome.wordpieces import WordPieces

if TYPE_CHECKING:
    from relatome.models.checkpoint import Checkpoint

Array = np.ndarray[Any, np.dtype[Any]]

FILES = ("model.xml", "model.bin", "tokenizer.json", "config.json", "relatome.json")
INPUTS = ("ids", "positions", "mask", "pairs", "memory")
REMEMBERED = "remembered"
NETWORK = "__module.network."  # what OpenVINO's torch front end puts before a module's path in the wrapper `export` has

_LINEAR = re.compile(re.escape(NETWORK) + r"(.+)/aten::linear/MatMul")
_NORM = re.compile(re.escape(NETWORK) + r"(.+)/aten::layer_norm/MVN")
_EMBEDDING = re.compile(re.escape(NETWORK) + r"(.+)/aten::embedding/Gather")
_KIND = "token_type_embeddings.weight"  # the graph holds its first row only, added to every piece


def runtime() -> Any:
    """The ``openvino`` module, imported so that its telemetry (an event for every import) is never loaded."""
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # "is not installed"
    import openvino

    return openvino


def load(folder: str | Path, source: str = "", *, precision: str = "int8") -> NeuralPredictor:
    """A predictor from an exported folder.

    Parameters
    ----------
    source
        Name and hash of the model.
    precision
        ``"int8"`` or ``"fp32"``.

    Raises
    ------
    ModelError
        A file is missing or is not what ``export`` wrote.
    """
    folder = Path(folder)
    facts = read_facts(folder)
    forward = OpenVINOForward(folder, precision)
    pieces = WordPieces.load(folder)
    return NeuralPredictor(forward, facts.heads, pieces, limit=facts.limit, source=source, card=facts.card)


class OpenVINOForward:
    """Run an exported graph on the CPU; see ``predictors.neural.Forward``.

    The memory it returns is the engine's own buffer: copy what is to outlive the next call.

    Parameters
    ----------
    folder
        What ``export`` wrote.
    precision
        ``"int8"``, or ``"fp32"``: the same rounded weights, nothing else rounded.
    cache
        Keep the compiled graph in the user's cache (``XDG_CACHE_HOME``, else ``~/.cache``), by the model's hash.
    threads
        CPU threads; as many as the machine has cores if None.
    """

    def __init__(
        self, folder: str | Path, precision: str = "int8", cache: bool = True, *, threads: int | None = None
    ) -> None:
        facts = read_facts(Path(folder))
        model = pick(precision, PRECISIONS, "precision")(_read(runtime().Core(), Path(folder)))
        kept = _cache_folder(f"{facts.sha256[:16]}-{precision}") if cache else None
        self._begin(model, [head.name for head in facts.heads], facts.slot, kept, threads)

    @classmethod
    def of(cls, model: Any, names: Sequence[str], slot: tuple[int, int, int, int]) -> OpenVINOForward:
        """From a graph in memory with heads of these names; ``slot`` is (L, 2, A, H/A)."""
        made = cls.__new__(cls)
        made._begin(model, names, slot, None, None)
        return made

    def _begin(
        self, model: Any, names: Sequence[str], slot: tuple[int, int, int, int], cache: Path | None, threads: int | None
    ) -> None:
        self._model = model
        self._names = tuple(names)
        self._slot = slot
        self._core = runtime().Core()
        self._cache = cache
        self._settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            # Where weights are int8 OpenVINO would else round activations to int8 by itself: fp32 would be 5 % off.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = threads
        self._requests: dict[bool, Any] = {}

    def __call__(
        self, batch: Batch, memory: Array | None, *, remember: bool
    ) -> tuple[Mapping[str, Array], Array | None]:
        rows, pieces = batch.ids.shape
        request = self._request(remember)
        request.infer(dict(zip(INPUTS, self._arrays(batch, memory), strict=True)), share_inputs=True)
        logits = {name: request.get_tensor(f"heads.{name}").data[:rows].copy() for name in self._names}
        return logits, request.get_tensor(REMEMBERED).data[:rows, :, :, :, :pieces] if remember else None

    def _arrays(self, batch: Batch, memory: Array | None) -> tuple[Array, ...]:
        """The graph's inputs, grown to one of a few shapes; what is added sees itself only, and nobody sees it.

        The engine compiles its kernels for every new shape and keeps them (1 to 2 MB a shape, tens of milliseconds):
        with any shape `extract` took 1.7 GB after 1,500 abstracts and most of its time went into compiling.
        """
        rows, pieces = batch.ids.shape
        past = batch.mask.shape[3] - pieces
        pairs = batch.pairs.shape[1]
        high = few(rows) if rows == 1 or pieces > 64 else max(few(rows), 4)
        wide, room = (few(pieces, steps=4), past) if memory is None else (few(pieces), few(past))
        ids = _grown(batch.ids, (high, wide))
        positions = _grown(batch.positions, (high, wide))
        mask = np.zeros((high, 1, wide, room + wide), bool)
        mask[:, :, :, room:] = np.eye(wide, dtype=bool)
        mask[:rows, :, :pieces, :past] = batch.mask[..., :past]
        mask[:rows, :, :pieces, room : room + pieces] = batch.mask[..., past:]
        layers, two, heads, width = self._slot
        kept = np.zeros((high, layers, two, heads, room, width), "f4")
        if memory is not None:
            kept[:rows, :, :, :, :past] = memory
        return ids, positions, mask, _grown(batch.pairs, (high, few(pairs), batch.pairs.shape[2])), kept

    def _request(self, remember: bool) -> Any:
        """The graph with or without the output of memory, which is as large as everything else: compiled when asked."""
        if remember not in self._requests:
            model = self._model.clone()
            if not remember:
                model.remove_result(model.output(REMEMBERED).get_node())
            self._requests[remember] = self._compiled(model).create_infer_request()
        return self._requests[remember]

    def _compiled(self, model: Any) -> Any:
        if self._cache is not None:
            try:
                return self._core.compile_model(model, "CPU", {**self._settings, "CACHE_DIR": str(self._cache)})
            except RuntimeError:
                self._cache = None  # a damaged or unwritable cache costs time, nothing else
        return self._core.compile_model(model, "CPU", self._settings)


def _grown(array: Array, shape: tuple[int, ...]) -> Array:
    grown = np.zeros(shape, array.dtype)
    grown[tuple(slice(length) for length in array.shape)] = array
    return grown


def weights(folder: str | Path) -> dict[str, Array]:
    """The float32 weights the graph multiplies with, under the names of `Network.state_dict`.

    ``quantise`` may have moved a scale from an activation to the weight behind it (SmoothQuant); both are put together.

    Raises
    ------
    ModelError
        A file is missing, or the graph is not one ``export`` wrote.
    """
    folder = Path(folder)
    facts = read_facts(folder)
    found = dict(_weights(_read(runtime().Core(), folder)))
    name = f"encoder.embeddings.{_KIND}"
    if name not in found or len(found) < 5:
        raise ModelError("the graph holds no encoder's weights", path=folder / "model.xml", advice="export it again")
    kinds = int(facts.config.get("type_vocab_size", 2))
    found[name] = np.pad(found[name].reshape(1, -1), ((0, kinds - 1), (0, 0)))
    return found


def as_checkpoint(folder: str | Path) -> Checkpoint:
    """An exported folder as a torch `Network` with the same rounded weights.

    Raises
    ------
    ModelError
        A file is missing, or the weights do not fit ``config.json``.
    """
    import torch

    from relatome.models.checkpoint import Checkpoint
    from relatome.models.encoder import Bert, BertConfig
    from relatome.models.network import Network

    folder = Path(folder)
    facts = read_facts(folder)
    network = Network(Bert(BertConfig.from_json(facts.config)), facts.heads)
    state = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in weights(folder).items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"the graph's weights do not fit config.json: {str(error).splitlines()[-1].strip()}", path=folder
        ) from error
    return Checkpoint(network.eval(), WordPieces.load(folder), facts.limit, facts.card)


class Facts:
    """What ``config.json`` and ``relatome.json`` say of an exported folder."""

    __slots__ = ("card", "config", "heads", "limit", "sha256", "slot")

    def __init__(self, config: Mapping[str, Any], own: Mapping[str, Any]) -> None:
        self.config = dict(config)
        self.heads = tuple(Head.from_json(value) for value in own["heads"])
        self.limit = int(own["limit"])
        self.card = dict(own["card"])
        self.sha256 = str(own["sha256"])
        attention = int(config["num_attention_heads"])
        self.slot = (int(config["num_hidden_layers"]), 2, attention, int(config["hidden_size"]) // attention)


def read_facts(folder: Path) -> Facts:
    """What is known of an exported folder, after all its files were found and ``model.bin`` is the one described.

    Raises
    ------
    ModelError
        One is missing, or is not what ``export`` wrote.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise ModelError(f"{name} is missing", path=folder, advice="copy the whole model folder")
    try:
        facts = Facts(_json(folder / "config.json"), _json(folder / "relatome.json"))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelError(f"not what an export writes: {error!r}", path=folder / "relatome.json") from error
    with (folder / "model.bin").open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != facts.sha256:
        raise ModelError(
            f"not the weights relatome.json describes: sha256 is {found[:12]}…, expected {facts.sha256[:12]}…",
            path=folder / "model.bin", advice="copy the whole model folder again",
        )  # fmt: skip
    return facts


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"not JSON: {error}", path=file) from error
    if not isinstance(value, dict):
        raise ModelError("not a JSON object", path=file)
    return value


def _read(core: Any, folder: Path) -> Any:
    try:
        return core.read_model(folder / "model.xml", folder / "model.bin")
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise ModelError(f"not an OpenVINO graph: {first}", path=folder / "model.xml") from error


def _cache_folder(name: str) -> Path | None:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "relatome" / "openvino" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _int8(model: Any) -> Any:
    return model


def _fp32(model: Any) -> Any:
    """The graph with every ``FakeQuantize`` node bypassed."""
    for node in list(model.get_ops()):
        if node.get_type_name() == "FakeQuantize":
            node.output(0).replace(node.input_value(0))
    return model


def _weights(model: Any) -> Iterator[tuple[str, Array]]:
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        if found := _LINEAR.fullmatch(name):
            value = _constant(node.input_value(1))
            behind = _without_rounding(node.input_value(0))
            if behind.get_type_name() == "Multiply" and behind.get_friendly_name().endswith(SMOOTHED):
                value = value * _constant(behind.input_value(1)).reshape(1, -1)
            yield f"{found[1]}.weight", value
            yield f"{found[1]}.bias", _constant(_consumer(node, "Add").input_value(1)).reshape(-1)
        elif found := _NORM.fullmatch(name):
            scaled = _consumer(node, "Multiply")
            yield f"{found[1]}.weight", _constant(scaled.input_value(1)).reshape(-1)
            yield f"{found[1]}.bias", _constant(_consumer(scaled, "Add").input_value(1)).reshape(-1)
        elif found := _EMBEDDING.fullmatch(name):
            yield f"{found[1]}.weight", _constant(node.input_value(0))
        elif name == f"{NETWORK}encoder.embeddings/aten::add/Add_1":
            yield f"encoder.embeddings.{_KIND}", _constant(node.input_value(1))


def _without_rounding(output: Any) -> Any:
    node = output.get_node()
    return _without_rounding(node.input_value(0)) if node.get_type_name() == "FakeQuantize" else node


def _consumer(node: Any, kind: str) -> Any:
    """The node of this kind that reads ``node``, rounding nodes between them not counted."""
    for target in node.output(0).get_target_inputs():
        reader = target.get_node()
        if reader.get_type_name() == "FakeQuantize":
            return _consumer(reader, kind)
        if reader.get_type_name() == kind:
            return reader
    raise ModelError(f"the graph has no {kind} after {node.get_friendly_name()!r}", advice="export it again")


def _constant(output: Any) -> Array:
    """The value of a weight: a constant, or int8 numbers and what turns them into float32."""
    node = output.get_node()
    kind = node.get_type_name()
    if kind == "Constant":
        return np.array(node.data)
    if kind == "Convert":
        return _constant(node.input_value(0)).astype(np.float32)
    if kind == "Reshape":
        return _constant(node.input_value(0)).reshape(tuple(node.get_output_shape(0)))
    if kind in ("Multiply", "Subtract", "Add"):
        first, second = _constant(node.input_value(0)), _constant(node.input_value(1))
        return {"Multiply": np.multiply, "Subtract": np.subtract, "Add": np.add}[kind](first, second)
    raise ModelError(f"a weight is computed by {kind}, expected a constant", advice="export it again")


SMOOTHED = "/nncf_smooth_quant"
PRECISIONS = {"int8": _int8, "fp32": _fp32}

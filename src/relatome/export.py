"""A trained checkpoint as one small file that runs without torch, and what that costs, class by class.

One graph serves every head and both kinds of pass: a text with or without packed markers, and markers alone that read
the memory of a text. It is traced from torch, compared with torch, quantised by NNCF's post-training quantisation
(int8 weights and activations, SmoothQuant; attention itself and the heads stay fp32), written, and read back: what the
folder says as OpenVINO fp32 and as torch must be the same numbers, or nothing is left behind.

Embedding tables are rounded here, row by row, and not by NNCF, which gives a whole table one scale.

References
----------
NNCF: https://github.com/openvinotoolkit/nncf; SmoothQuant: Xiao et al. 2023, arXiv:2211.10438.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import logging
import random
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from relatome import __version__
from relatome.batches import Batch, Row, budgeted, collate
from relatome.corpora.audit import SEEN
from relatome.errors import MissingExtraError, ModelError
from relatome.evaluate import evaluate
from relatome.predictors.neural import Forward
from relatome.predictors.openvino import (
    FILES,
    INPUTS,
    NETWORK,
    REMEMBERED,
    OpenVINOForward,
    as_checkpoint,
    runtime,
    weights,
)
from relatome.predictors.texts import Predictor
from relatome.scoring.triage import FILE as TRIAGE
from relatome.tasks.example import Prediction
from relatome.wordpieces import MARKERS, WordPieces

if TYPE_CHECKING:
    from relatome.models.checkpoint import Checkpoint

__all__ = ["Job", "compare", "describe", "export", "lost_too_much", "open_torch", "weights"]

TRACED = 2e-5  # largest difference of a logit between torch and its graph, of the largest logit: float32's own
READ_BACK = 1e-4  # the same between the file's fp32 graph and the torch network with its weights
CALIBRATION = 300  # rows; each is read in three passes
GROUP = 64  # columns of an fp32 product's weights that share a scale
CLASS_LOSS, MICRO_LOSS, SUPPORT = 0.010, 0.005, 200  # what int8 may lose of F1, and from how many gold items on

Array = np.ndarray[Any, np.dtype[Any]]

open_torch = as_checkpoint


def export(
    checkpoint: str | Path | Checkpoint,
    folder: str | Path,
    *,
    calibration: Iterable[Row],
    ignored: Sequence[str] = ("heads",),
    seed: int = 0,
    seen: str | Path | None = None,
) -> dict[str, Any]:
    """Write a checkpoint as an int8 OpenVINO folder.

    Parameters
    ----------
    checkpoint
        A folder `models.checkpoint.load` opens, or what it gave.
    folder
        Gets ``model.xml``, ``model.bin``, ``tokenizer.json``, ``config.json`` and, last, ``relatome.json``.
    calibration
        Rows as training makes them, of training text only; `CALIBRATION` of them are drawn.
    ignored
        Modules of the network, such as ``"encoder.encoder.layer.5.output"``, whose products stay fp32 (their weights
        are int8 all the same). The heads do: they cost next to nothing, and in int8 they change 4.5 % of relation
        answers instead of 2.6 % (267 dev pairs; KL to fp32 3.3e-3 instead of 1.3e-3).
    seed
        Of the draw.
    seen
        The folder whose ``seen.json.gz`` (what the model learned from, for ``relatome audit``) is kept with it; by
        default the checkpoint's.

    Returns
    -------
    Bytes by file, and by how much the engines differ on the calibration rows: also in the card, under ``"export"``.

    Raises
    ------
    ModelError
        The encoder is not our own `Bert`, there are no rows, or a check failed; the folder is then as it was.
    MissingExtraError
        NNCF or torch is not installed.
    """
    openvino, nncf = runtime(), _nncf()
    from relatome.models import checkpoint as folders
    from relatome.models.encoder import Bert
    from relatome.predictors.pytorch import TorchForward

    opened = folders.load(checkpoint) if isinstance(checkpoint, str | Path) else checkpoint
    if not isinstance(opened.network.encoder, Bert):
        raise ModelError("only Relatome's own BERT encoder can be exported", advice="use it with the pytorch backend")
    if any((head.kind, head.pooling) == ("marker", "mention") for head in opened.network.asked):
        raise ModelError(
            "a marker head that pools mentions cannot be exported", advice="use it with the pytorch backend"
        )
    across = next((head.name for head in opened.network.asked if head.kind == "document"), None)
    if across is not None:
        raise ModelError(
            f"the head {across!r} reads whole documents and cannot be exported yet",
            advice="use it with the pytorch backend",
        )
    rows = list(calibration)
    if not rows:
        raise ModelError("no rows to calibrate with", advice="give rows of the training corpora")
    rows = random.Random(seed).sample(rows, min(CALIBRATION, len(rows)))
    torch_forward = TorchForward(opened.network)
    graph = _traced(opened)
    slot = _slot(opened)
    names = [head.name for head in opened.network.asked]
    traced = _difference(torch_forward, OpenVINOForward.of(graph.clone(), names, slot), rows, opened.pieces)
    if traced > TRACED:
        raise ModelError(f"the graph differs from torch by {traced:.1e} of its largest logit, expected {TRACED:.0e}")
    small = _quantised(graph, list(_passes(rows, opened.pieces, torch_forward)), ignored)
    target, part = Path(folder), Path(folder).with_name(f".{Path(folder).name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        openvino.save_model(small, part / "model.xml", compress_to_fp16=False)
        facts = {
            "relatome": __version__,
            "openvino": openvino.__version__,
            "nncf": nncf.__version__,
            "calibration rows": len(rows),
            "fp32 products": list(ignored),
            "graph and torch": traced,
        }
        _write(opened, part, facts)
        fp32 = OpenVINOForward(part, "fp32", cache=False)
        back = _difference(TorchForward(as_checkpoint(part).network), fp32, rows, opened.pieces)
        if back > READ_BACK:
            raise ModelError(
                f"the weights read back differ by {back:.1e} of the largest logit, expected {READ_BACK:.0e}"
            )
        facts["fp32 file and torch"] = back
        int8 = OpenVINOForward(part, "int8", cache=False)
        facts["same answers, int8 file and checkpoint"] = _agreement(torch_forward, int8, rows, opened)
        facts["bytes"] = {name: (part / name).stat().st_size for name in FILES if name != "relatome.json"}
        _write(opened, part, facts)
        target.mkdir(parents=True, exist_ok=True)
        for name in FILES:  # relatome.json, which says what model.bin must be, comes last
            (part / name).replace(target / name)
        (target / TRIAGE).unlink(missing_ok=True)  # the threshold of the model before would be a wrong one
        listed = seen if seen is not None else checkpoint if isinstance(checkpoint, str | Path) else None
        if listed is not None and (Path(listed) / SEEN).is_file():
            shutil.copyfile(Path(listed) / SEEN, target / SEEN)
        else:
            (target / SEEN).unlink(missing_ok=True)  # a list of the model before would be a wrong one
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return facts


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One evaluation to compare two engines by."""

    corpus: str
    task: str
    split: str = "dev"
    protocol: str | None = None


def compare(reference: Predictor, exported: Predictor, jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """What an exported model loses against the one it was made from, class by class.

    Parameters
    ----------
    reference
        The torch checkpoint's predictor.
    exported
        The int8 folder's.

    Returns
    -------
    One row of plain values for each job and class (and ``"micro"``, ``"macro"``): ``fp32`` and ``int8`` F1, ``lost``
    (their difference), ``support``, and ``changed``, how many answers that name the class are not the same in both.
    """
    rows = []
    for job in jobs:
        first, second = _Recorder(reference), _Recorder(exported)
        before, after = (
            evaluate(
                cast(Predictor, one),
                job.corpus,
                task=job.task,
                split=job.split,
                protocol=job.protocol,
                resamples=0,
                clean=False,
                both=False,
            ).report
            for one in (first, second)
        )
        changed = _changed(first.answers, second.answers, groups=first.groups)
        for score in before.scores:
            if score.name == "f1":
                now = after.value("f1", score.class_)
                kinds = changed["any"] if score.class_ in ("micro", "macro", "weighted") else changed[str(score.class_)]
                rows.append(
                    {
                        **{key: value for key, value in dataclasses.asdict(job).items() if value is not None},
                        "class": score.class_,
                        "support": score.support,
                        "fp32": round(score.value, 4),
                        "int8": round(now, 4),
                        "lost": round(score.value - now, 4),
                        "changed": kinds,
                        "answers": len(first.answers),
                    }
                )
    return rows


def lost_too_much(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The rows of `compare` over the limit: 1.0 F1 for a class with 200 gold items or more, 0.5 for the micro average.

    Examples
    --------
    >>> row = {"corpus": "x", "task": "ner", "class": "Gene", "support": 250, "fp32": 0.8, "int8": 0.78, "lost": 0.02}
    >>> lost_too_much([row, {**row, "support": 199}, {**row, "lost": 0.009}])
    ['x ner Gene: F1 0.8000 in fp32, 0.7800 in int8 (250 gold items)']
    """
    found = []
    for row in rows:
        limit, least = (MICRO_LOSS, 0) if row["class"] == "micro" else (CLASS_LOSS, SUPPORT)
        if row["class"] not in ("macro", "weighted") and row["support"] >= least and row["lost"] > limit:
            found.append(
                f"{row['corpus']} {row['task']} {row['class']}: F1 {row['fp32']:.4f} in fp32, {row['int8']:.4f} in int8 "
                f"({row['support']} gold items)"
            )
    return found


def describe(folder: str | Path, facts: Mapping[str, Any]) -> str:
    """Add facts to an exported folder's card and write it as ``README.md`` too.

    Parameters
    ----------
    facts
        Such as ``{"name": ..., "int8": rows of compare}``; plain JSON values, over what the card says already.

    Returns
    -------
    The text of ``README.md``.
    """
    folder = Path(folder)
    file = folder / "relatome.json"
    own = json.loads(file.read_text(encoding="utf-8"))
    own["card"] = {**own["card"], **facts}
    part = file.with_suffix(".part")
    part.write_text(_json(own), encoding="utf-8")
    part.replace(file)
    text = "\n".join(_card(own))
    (folder / "README.md").write_text(text, encoding="utf-8")
    return text


# ------------------------------------------------------------------------------------------------------- the graph


def _traced(opened: Checkpoint) -> Any:
    """The network as an OpenVINO graph with named inputs and outputs, every axis open."""
    import torch

    network = opened.network.eval()
    names = [head.name for head in network.asked]

    class Wrapper(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, ids: Any, positions: Any, mask: Any, pairs: Any, memory: Any) -> Any:
            logits, kept = self.network(ids, positions, mask, pairs, memory, remember=True)
            return (*(logits[name] for name in names), kept)

    layers, two, heads, width = _slot(opened)
    example = (
        torch.zeros(2, 8, dtype=torch.int64),
        torch.arange(8).expand(2, 8),
        torch.ones(2, 1, 8, 11, dtype=torch.bool),
        torch.zeros(2, 2, 2, dtype=torch.int64),
        torch.zeros(2, layers, two, heads, 3, width),
    )
    with torch.no_grad():
        graph = runtime().convert_model(Wrapper(), example_input=example)
    for port, name in zip(graph.inputs, INPUTS, strict=True):
        port.get_tensor().set_names({name})
    for port, name in zip(graph.outputs, (*(f"heads.{name}" for name in names), REMEMBERED), strict=True):
        port.get_tensor().set_names({name})
    return graph


def _quantised(graph: Any, feeds: Sequence[Mapping[str, Array]], ignored: Sequence[str]) -> Any:
    """The graph in int8: products by NNCF, embedding tables and the weights of ignored products by row."""
    nncf = _nncf()
    by_row = []
    for node in graph.get_ops():
        name = node.get_friendly_name()
        path = name.removeprefix(NETWORK)
        if name.startswith(NETWORK) and (
            name.endswith("/aten::embedding/Gather")
            or (
                name.endswith("/aten::linear/MatMul")
                and any(path.startswith((f"{one}/", f"{one}.")) for one in ignored)
            )
        ):
            by_row.append(name)
    for one in ignored:
        if not any(name.startswith((f"{NETWORK}{one}/", f"{NETWORK}{one}.")) for name in by_row):
            raise ModelError(f"the network has no module {one!r} to leave in fp32")
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        small = nncf.quantize(
            graph,
            nncf.Dataset(list(feeds)),
            subset_size=len(feeds),
            model_type=nncf.ModelType.TRANSFORMER,
            ignored_scope=nncf.IgnoredScope(names=by_row, types=["ScaledDotProductAttention"]),
            # Corrected biases bring int8 no nearer (KL to fp32 on dev rows, entities 0.95e-3 with and 0.97e-3 without,
            # relations 3.25e-3 and 3.29e-3), and the file's fp32 would no longer have the trained ones.
            advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
        )
    for node in small.get_ops():
        if node.get_friendly_name() in by_row:
            table = node.get_type_name() == "Gather"
            port = 0 if table else 1
            weight = node.input_value(port).get_node()
            node.input(port).replace_source_output(_rounded(weight, by_group=not table))
    small.validate_nodes_and_infer_types()
    return small


def _rounded(constant: Any, *, by_group: bool = False) -> Any:
    """A table of float32 rows as int8 with a scale for each row, or for each `GROUP` columns of a row.

    What stands behind GELU has a few weights far larger than the others of their row: with one scale for all of them
    the others lose half of their precision.
    """
    from openvino import Type, opset13

    whole = np.array(constant.data, dtype=np.float32)
    rows, columns = whole.shape
    width = GROUP if by_group and columns % GROUP == 0 else columns
    table = whole.reshape(rows, -1, width) if width < columns else whole
    scale = np.maximum(np.abs(table).max(axis=-1, keepdims=True), 1e-12) / 127
    small = opset13.constant(np.rint(table / scale).astype(np.int8), name=f"{constant.get_friendly_name()}/int8")
    wide = opset13.multiply(opset13.convert(small, Type.f32), opset13.constant(scale.astype(np.float32)))
    if width < columns:
        wide = opset13.reshape(wide, opset13.constant(np.array(whole.shape, dtype=np.int64)), special_zero=False)
    return wide.output(0)


def _nncf() -> Any:
    runtime()  # before nncf, which would import openvino with its telemetry
    try:
        import nncf
    except ImportError as error:
        raise MissingExtraError(str(error.name or "nncf"), "export") from error
    nncf.nncf_logger.setLevel(logging.ERROR)  # nncf.set_log_level would also deafen every handler that listens to it
    return nncf


# ------------------------------------------------------------------------------------------------ rows through engines


def _passes(rows: Sequence[Row], pieces: WordPieces, forward: Forward) -> Iterator[dict[str, Array]]:
    """Every row in the passes the graph will serve: text with markers, text alone, markers with a memory."""
    markers = _markers(pieces)
    for row in rows:
        bare = collate([Row(row.window)], pad=pieces.pad, markers=markers)
        _, kept = forward(bare, None, remember=True)
        assert kept is not None
        yield _feed(bare, np.zeros_like(kept[:, :, :, :, :1]))
        if len(row.markers):
            packed = collate([row], pad=pieces.pad, markers=markers)
            yield _feed(packed, np.zeros_like(kept[:, :, :, :, :1]))
            asked = collate([row], pad=pieces.pad, markers=markers, memory=[len(row.window)])
            yield _feed(asked, kept[:, :, :, :, : len(row.window)])


def _feed(batch: Batch, memory: Array) -> dict[str, Array]:
    return dict(zip(INPUTS, (batch.ids, batch.positions, batch.mask, batch.pairs, memory), strict=True))


def _both_ways(forward: Forward, rows: Sequence[Row], pieces: WordPieces) -> Iterator[tuple[list[Row], bool, Any]]:
    """Padded batches through an engine, and what it answers: ``(rows, by memory, (logits, remembered))``."""
    markers = _markers(pieces)
    for chosen in budgeted([row.pieces for row in rows]):
        part = [rows[index] for index in chosen]
        logits, kept = forward(collate(part, pad=pieces.pad, markers=markers), None, remember=True)
        assert kept is not None
        kept = kept.copy()
        yield part, False, (logits, kept)
        lengths = [len(row.window) for row in part]
        if any(len(row.markers) for row in part):
            batch = collate(part, pad=pieces.pad, markers=markers, memory=lengths)
            yield part, True, forward(batch, np.ascontiguousarray(kept[:, :, :, :, : max(lengths)]), remember=False)


def _difference(first: Forward, second: Forward, rows: Sequence[Row], pieces: WordPieces) -> float:
    """Largest difference between the logits of two engines, padding's too, as a part of the largest logit."""
    largest = worst = 0.0
    for (_, _, (a, _)), (_, _, (b, _)) in zip(
        _both_ways(first, rows, pieces), _both_ways(second, rows, pieces), strict=True
    ):
        for name, logits in a.items():
            largest = max(largest, float(np.abs(logits).max()))
            grown = tuple(
                slice(length) for length in logits.shape
            )  # OpenVINO's batch may be grown to one of a few shapes
            difference = float(np.abs(logits - b[name][grown]).max())
            worst = difference if not np.isfinite(difference) else max(worst, difference)
            if not np.isfinite(worst):
                raise ModelError(f"head {name!r} answers something that is not a number")
    return worst / max(largest, 1.0)


def _agreement(first: Forward, second: Forward, rows: Sequence[Row], opened: Checkpoint) -> dict[str, float]:
    """By head, the share of pieces, pairs or rows that have the same likeliest class in two engines."""
    same: Counter[str] = Counter()
    count: Counter[str] = Counter()
    kinds = {head.name: head for head in opened.network.asked}
    for (part, by_memory, (a, _)), (_, _, (b, _)) in zip(
        _both_ways(first, rows, opened.pieces), _both_ways(second, rows, opened.pieces), strict=True
    ):
        for name, head in kinds.items():
            if (head.kind == "packed") != by_memory:
                continue
            for index, row in enumerate(part):
                long = {"tags": len(row.window), "layers": len(row.window), "packed": len(row.markers)}.get(head.kind)
                equal = _classes(a[name][index], head)[:long] == _classes(b[name][index], head)[:long]
                same[name] += int(np.count_nonzero(equal))
                count[name] += equal.size
    return {name: round(same[name] / count[name], 4) for name in kinds if count[name]}


def _classes(logits: Array, head: Any) -> Array:
    if head.kind == "layers":  # three classes of each type
        logits = logits.reshape(len(logits), len(head.labels), -1)
    return np.atleast_1d(logits.argmax(axis=-1))


def _markers(pieces: WordPieces) -> tuple[int, ...]:
    known = all(pieces.tokenizer.token_to_id(marker) is not None for marker in MARKERS)
    return pieces.marker_ids() if known else (pieces.sep,) * len(MARKERS)


def _slot(opened: Checkpoint) -> tuple[int, int, int, int]:
    config = opened.network.encoder.config
    heads = config.num_attention_heads
    return config.num_hidden_layers, 2, heads, config.hidden_size // heads


# ------------------------------------------------------------------------------------------------------- comparison


class _Recorder:
    """A predictor that remembers what was answered; `evaluate` asks it by head, never with plain strings."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.heads, self.source, self.card = predictor.heads, predictor.source, predictor.card
        self.answers: dict[tuple[str, str], Any] = {}

    @property
    def groups(self) -> dict[str, str]:
        return {label: group for head in self.heads.values() for label, group in head.groups.items()}

    def predict(self, requests: Mapping[str, Sequence[Any]]) -> dict[str, list[Prediction]]:
        answers = self.predictor.predict(requests)
        for head, found in answers.items():
            for one in found:
                spans = one.value if isinstance(one.value, str) else tuple(span[:3] for span in one.value)
                self.answers[head, one.id] = spans
        return answers


def _changed(
    first: Mapping[tuple[str, str], Any], second: Mapping[tuple[str, str], Any], *, groups: Mapping[str, str]
) -> Counter[str]:
    """How many answers differ: ``"any"``, and by each class that one of the two names and the other does not."""
    changed: Counter[str] = Counter()
    for key, before in first.items():
        after = second[key]
        if before == after:
            continue
        changed["any"] += 1
        if isinstance(before, str):
            names = {groups.get(before, before), groups.get(after, after)}
            changed.update(names if len(names) > 1 else ())
        else:
            changed.update({span[2] for span in set(before) ^ set(after)})
    return changed


# ------------------------------------------------------------------------------------------------------- the folder


def _write(opened: Checkpoint, folder: Path, facts: Mapping[str, Any]) -> None:
    (folder / "config.json").write_text(_json(opened.network.encoder.config.json()), encoding="utf-8")
    opened.pieces.save(folder)
    with (folder / "model.bin").open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    own = {
        "heads": [head.json() for head in opened.network.asked],
        "limit": opened.limit,
        "sha256": digest,
        "card": {**opened.card, "export": dict(facts)},
    }
    (folder / "relatome.json").write_text(_json(own), encoding="utf-8")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _card(own: Mapping[str, Any]) -> Iterator[str]:
    """The card as Markdown: what it answers, what it learned from, what int8 costs."""
    card = own["card"]
    yield f"# {card.get('name', 'A Relatome model')}\n"
    if card.get("about"):
        yield f"{card['about']}\n"
    yield f"sha256 of `model.bin`: `{own['sha256']}`\n"
    yield "## What it answers\n"
    for head in own["heads"]:
        yield f"- `{head['name']}` ({head['task']}): {', '.join(head['labels'])}"
    stages = [*card.get("before", ()), card.get("training", {})]
    for number, training in enumerate(stages, start=1):
        counts = training.get("counts", {})
        if not counts:
            continue
        yield "\n## What it learned from" + (f", stage {number} of {len(stages)}" if len(stages) > 1 else "") + "\n"
        yield "| corpus and split | documents | rows |\n|---|---:|---:|"
        for name, seen in counts.items():
            if "rows" in seen:
                yield f"| {name} | {seen['documents']} | {seen['rows']} |"
        yield "\nLeft out, because a test set holds the document or one of its sentences:\n"
        for name, left in counts.get("left out", {}).items():
            dropped = {reason: number for reason, number in left.items() if reason != "kept"}
            yield f"- {name}: " + (", ".join(f"{number} by {reason}" for reason, number in dropped.items()) or "none")
    if card.get("int8"):
        yield "\n## int8 against fp32\n"
        yield "F1 of the torch checkpoint and of this folder on the same text; `changed` counts the answers that differ.\n"
        yield "| corpus | split | task | class | gold | fp32 | int8 | lost | changed |\n|---|---|---|---|---:|---:|---:|---:|---:|"
        for row in card["int8"]:
            yield (
                f"| {row['corpus']} | {row['split']} | {row['task']} | {row['class']} | {row['support']} "
                f"| {row['fp32']:.4f} | {row['int8']:.4f} | {row['lost']:+.4f} | {row['changed']} of {row['answers']} |"
            )
    known = card.get("calibration")
    if known:
        yield "\n## How far its probabilities can be trusted\n"
        yield (
            f"`{known['head']}` on {known['rows']:,} sentences of {known['corpus']} {known['split']} ({known['protocol']}), which "
            f"it did not learn from: expected calibration error {known['ece']:.3f} ({known['ece low']:.3f} to "
            f"{known['ece high']:.3f}); fitted there, a temperature of {known['temperature']:.2f} would mend it best (the "
            "probabilities given are as they are)."
        )
    read = card.get("triage")
    if read:
        yield (
            f"\n`relatome triage` chooses its threshold on {read['positives']:,} positive and {read['others']:,} other sentences of "
            f"{read['corpus']} {read['split']} ({read['protocol']}). A recall of {read['recall']:.0%}, with 95 % confidence, costs reading "
            f"{read['read']:.0%} of them; with TF-IDF, learned from the same sentences, {read['TF-IDF reads']:.0%}."
        )
    made = card.get("export", {})
    if made:
        same = ", ".join(
            f"{head} {share:.2%}" for head, share in made["same answers, int8 file and checkpoint"].items()
        )
        yield "\n## How it was made\n"
        yield (
            f"Traced from torch (largest difference {made['graph and torch']:.0e} of the largest logit), quantised by "
            f"NNCF {made['nncf']} for OpenVINO {made['openvino']} on {made['calibration rows']} rows of training text. "
            f"Same answers on those rows as the checkpoint: {same}. The same file opens as OpenVINO fp32 and as torch "
            f"(largest difference between the two {made['fp32 file and torch']:.0e})."
        )
    yield ""

"""One file, three engines: the graph is torch's, its weights read back are the graph's, and int8 nearly agrees."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from relatome import export, predictors
from relatome.batches import Row, collate, encode
from relatome.errors import ModelError, UnknownNameError
from relatome.models.checkpoint import Checkpoint
from relatome.predictors import openvino
from relatome.predictors.neural import Memory
from relatome.predictors.openvino import OpenVINOForward
from relatome.predictors.pytorch import TorchForward
from relatome.predictors.texts import Predictor
from relatome.tasks.example import Head, Options, Prediction
from tests import tiny

LAYERS = Head("nested", "ner", "layers", ("Chemical", "Gene"))
HEADS = (*tiny.HEADS, LAYERS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return tiny.fresh(tmp_path_factory.mktemp("encoder"), HEADS)


@pytest.fixture(scope="module")
def rows(made: Checkpoint) -> list[Row]:
    asked: list[tuple[Head, Sequence[Any]]] = [(tiny.ENTITIES, tiny.sentences()), (tiny.RELATIONS, tiny.pairs())]
    return encode(asked, made.pieces, limit=made.limit)[0]


@pytest.fixture(scope="module")
def folder(made: Checkpoint, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exported") / "model"
    export.export(made, target, calibration=rows)
    return target


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def answers(predictor: Predictor, *, memory: bool = False) -> dict[str, list[Prediction]]:
    texts, pairs = tiny.sentences(), tiny.pairs()
    plain: dict[str, Sequence[Any]] = {"entities": texts, "ade-sentence": texts, "nested": texts}
    if not memory:
        return predictor.predict({**plain, "relations": pairs})
    kept = Memory()
    return {**predictor.predict(plain, kept), **predictor.predict({"relations": pairs}, kept)}


def test_the_folder_holds_what_the_layout_says(folder: Path, made: Checkpoint):
    assert {file.name for file in folder.iterdir()} == set(openvino.FILES)
    own = json.loads((folder / "relatome.json").read_text())
    assert [head["name"] for head in own["heads"]] == [head.name for head in HEADS]
    assert own["limit"] == made.limit
    facts = own["card"]["export"]
    assert facts["graph and torch"] < export.TRACED
    assert facts["fp32 file and torch"] < export.READ_BACK
    assert set(facts["same answers, int8 file and checkpoint"]) == {head.name for head in HEADS}
    assert facts["bytes"]["model.bin"] == (folder / "model.bin").stat().st_size


def test_every_table_is_int8(folder: Path, made: Checkpoint):
    # a byte a number, and scales, biases and norms beside it; fp32 would be four
    numbers = sum(parameter.numel() for parameter in made.network.parameters())
    assert (folder / "model.bin").stat().st_size < 2 * numbers


@pytest.mark.parametrize(("by_group", "columns"), [(False, 384), (True, 384), (True, 100)])
def test_one_large_weight_costs_its_own_group_alone(by_group: bool, columns: int):
    """What stands behind GELU has such weights; a group is 64 columns where they divide the row."""
    from openvino import opset13

    table = np.random.default_rng(0).normal(size=(3, columns)).astype(np.float32)
    table[1, 70] = 50.0
    rounded = openvino._constant(export._rounded(opset13.constant(table), by_group=by_group))
    assert rounded.shape == table.shape and rounded.dtype == np.float32
    width = export.GROUP if by_group and columns % export.GROUP == 0 else columns
    half_a_step = np.abs(table).reshape(3, -1, width).max(axis=-1, keepdims=True) / 127 / 2
    off = np.abs(rounded - table).reshape(3, -1, width)
    assert (off <= half_a_step * 1.001).all()
    assert np.abs(rounded - table)[1, :64].max() > 0.1 or width == export.GROUP


def test_weights_have_torchs_names_and_nearly_its_values(folder: Path, made: Checkpoint):
    found, wanted = export.weights(folder), made.network.state_dict()
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        assert found[name].shape == tuple(value.shape), name
        if name.endswith("weight") and "token_type" not in name and "LayerNorm" not in name:
            # a step of int8 is 1/127 of the row's largest weight; SmoothQuant makes some rows coarser
            assert np.abs(found[name] - value.numpy()).max() < 0.1 * np.abs(value.numpy()).max(), name


@pytest.mark.parametrize("memory", [False, True], ids=["one pass", "from memory"])
def test_three_engines_agree(folder: Path, memory: bool):
    fp32 = answers(openvino.load(folder, precision="fp32"), memory=memory)
    torch_ = answers(predictors.load(folder, backend="pytorch"), memory=memory)
    int8 = answers(openvino.load(folder), memory=memory)
    for name in (head.name for head in HEADS):
        assert tiny.agree(fp32[name], torch_[name]), name
        values = [(a.value, b.value) for a, b in zip(int8[name], torch_[name], strict=True) if isinstance(a.value, str)]
        assert sum(a == b for a, b in values) >= 0.8 * len(values), name


def test_padded_batches_give_the_same_numbers_in_fp32_and_torch(folder: Path, rows: list[Row]):
    opened = export.open_torch(folder)
    fp32 = openvino.OpenVINOForward(folder, "fp32", cache=False)
    assert export._difference(TorchForward(opened.network), fp32, rows, opened.pieces) < 1e-4


def test_batches_and_memory_do_not_change_an_answer(folder: Path):
    wide, narrow = openvino.load(folder, precision="fp32"), openvino.load(folder, precision="fp32")
    narrow.budget = 32
    first, second = answers(wide), answers(narrow, memory=True)
    assert all(tiny.agree(first[name], second[name]) for name in first)


def test_few_shapes_reach_the_engine(folder: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch):
    forward = OpenVINOForward(folder)
    grown = forward._arrays
    shapes: set[tuple[tuple[int, ...], ...]] = set()

    def noted(batch, memory):
        arrays = grown(batch, memory)
        shapes.add(tuple(array.shape for array in arrays))
        return arrays

    monkeypatch.setattr(forward, "_arrays", noted)
    longest = max(rows, key=lambda row: row.pieces)
    for count in range(1, 40):
        batch = collate([longest] * count, pad=0, markers=(1, 2, 3, 4))
        logits, kept = forward(batch, None, remember=True)
        assert kept is not None and kept.shape[4] == batch.ids.shape[1]
        assert {len(kept), *map(len, logits.values())} == {count}
    assert sorted(one[0][0] for one in shapes) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48]  # of 39 numbers of rows


def test_auto_opens_int8_and_the_card_travels(folder: Path, made: Checkpoint):
    predictor = predictors.load(folder)
    assert predictor.source.startswith("model@")
    assert predictor.card["export"]["fp32 products"] == ["heads"]
    assert predictors.load(folder, backend="openvino-fp32").heads.keys() == predictor.heads.keys()


def test_nothing_to_answer(folder: Path):
    assert openvino.load(folder).predict({"entities": [], "relations": []}) == {"entities": [], "relations": []}


def test_the_compiled_graph_is_kept_in_the_users_cache(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = answers(openvino.load(folder))
    digest = json.loads((folder / "relatome.json").read_text())["sha256"]
    kept = tmp_path / "relatome" / "openvino" / f"{digest[:16]}-int8"
    blobs = [file for file in kept.rglob("*") if file.is_file()]
    assert blobs
    assert answers(openvino.load(folder)) == first
    for blob in blobs:
        blob.write_bytes(b"damaged")
    assert answers(openvino.load(folder)) == first


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert answers(openvino.load(folder))["entities"]


def test_neither_telemetry_nor_torch_is_loaded(folder: Path):
    code = (
        "import sys; from relatome.predictors import openvino; openvino.OpenVINOForward(sys.argv[1], cache=False)\n"
        "assert 'openvino' in sys.modules and 'torch' not in sys.modules\n"
        "assert not [name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module]"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, str(folder)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", openvino.FILES)
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing .copy the whole model folder"):
        openvino.load(copy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.bin", b"\0" * 64, "not the weights relatome.json describes: sha256 is f5a5fd42d16a…, expected"),
        ("model.xml", b"<net>", "not an OpenVINO graph"),
        ("config.json", b"[]", "not a JSON object"),
        ("relatome.json", b"{", "not JSON"),
        ("relatome.json", b'{"heads": []}', "not what an export writes: KeyError"),
    ],
)
def test_a_damaged_file_is_refused(folder: Path, tmp_path: Path, name: str, content: bytes, message: str):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        openvino.load(copy)
    assert caught.value.path is not None and caught.value.path.endswith(name)


def test_whoever_listens_to_the_quantiser_is_not_deafened():
    listener = logging.NullHandler()  # as pytest's own, which hears every logger that does not propagate
    logging.getLogger("nncf").addHandler(listener)
    try:
        export._nncf()
        assert listener.level == logging.NOTSET
    finally:
        logging.getLogger("nncf").removeHandler(listener)


def test_an_unknown_precision(folder: Path):
    with pytest.raises(UnknownNameError, match="unknown precision 'int4': did you mean 'int8'"):
        openvino.OpenVINOForward(folder, "int4")


def test_a_graph_of_other_sizes_is_no_network(folder: Path, tmp_path: Path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "intermediate_size": 8}))
    with pytest.raises(ModelError, match=r"weights do not fit config\.json"):
        openvino.as_checkpoint(copy)


def test_what_cannot_be_exported(made: Checkpoint, rows: list[Row], tmp_path: Path):
    with pytest.raises(ModelError, match="no rows to calibrate with"):
        export.export(made, tmp_path / "out", calibration=[])
    with pytest.raises(ModelError, match=r"no module 'heads\.none' to leave in fp32"):
        export.export(made, tmp_path / "out", calibration=rows[:1], ignored=["heads.none"])
    other = Checkpoint(made.network, made.pieces)
    other.network = type("Hosted", (), {"encoder": torch.nn.Linear(1, 1), "asked": ()})()
    with pytest.raises(ModelError, match="only Relatome's own BERT encoder can be exported"):
        export.export(other, tmp_path / "out", calibration=rows)
    assert not list(tmp_path.iterdir())


def test_changed_answers_are_counted_by_the_classes_they_name():
    first = {("r", "1"): "A", ("r", "2"): "A", ("r", "3"): "N", ("e", "1"): ((0, 3, "Gene"), (5, 7, "Gene"))}
    second = {("r", "1"): "A", ("r", "2"): "B", ("r", "3"): "C", ("e", "1"): ((0, 4, "Gene"), (5, 7, "Gene"))}
    changed = export._changed(first, second, groups={"A": "G", "B": "G"})
    assert changed == {"any": 3, "N": 1, "C": 1, "Gene": 1}


def test_describe_writes_the_card(folder: Path, tmp_path: Path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    row = {
        "corpus": "x", "split": "dev", "task": "ner", "class": "Gene", "support": 250, "fp32": 0.8, "int8": 0.79,
        "lost": 0.01, "changed": 3, "answers": 100,
    }  # fmt: skip
    counts = {"x train": {"documents": 5, "rows": 9}, "left out": {"x": {"kept": 5, "pmid": 2}}}
    text = export.describe(copy, {"name": "Tiny", "int8": [row], "training": {"counts": counts}})
    assert "| x | dev | ner | Gene | 250 | 0.8000 | 0.7900 | +0.0100 | 3 of 100 |" in text
    assert "| x train | 5 | 9 |" in text and "- x: 2 by pmid" in text
    assert (copy / "README.md").read_text() == text
    assert openvino.load(copy).card["int8"] == [row]  # and the folder still opens


@pytest.mark.slow
def test_compare_scores_both_engines_on_a_corpus(folder: Path, corpus_data: Path, made: Checkpoint):
    reference = tiny.predictor(made)
    found = export.compare(reference, openvino.load(folder), [export.Job("ncbi-disease", "ner")])
    assert {row["class"] for row in found} >= {"Disease", "micro"}
    assert all(row["lost"] == pytest.approx(row["fp32"] - row["int8"], abs=2e-4) for row in found)
    same = export.compare(reference, reference, [export.Job("ncbi-disease", "ner")])
    assert all(row["lost"] == 0 and row["changed"] == 0 for row in same)
    assert not export.lost_too_much(same)


@pytest.mark.parametrize(
    "ways",
    [
        Options(markers="typed", pooling="mention", symmetric=("INHIBITOR",), choice="multilabel"),
        Options(closing=False),
    ],
    ids=str,
)
def test_a_head_with_options_answers_as_torch_does(tmp_path: Path, ways: Options):
    head = dataclasses.replace(tiny.RELATIONS, options=ways)
    made = tiny.fresh(tmp_path / "encoder", [tiny.ENTITIES, head])
    rows = encode([(tiny.ENTITIES, tiny.sentences()), (head, tiny.pairs())], made.pieces, limit=made.limit)[0]
    export.export(made, tmp_path / "model", calibration=rows)
    opened = openvino.load(tmp_path / "model", precision="fp32")
    assert opened.heads["relations"] == head
    rounded = predictors.load(tmp_path / "model", backend="pytorch")
    for memory in (False, True):
        found = []
        for predictor in (opened, rounded):
            kept = Memory() if memory else None
            predictor.predict({"entities": tiny.sentences()}, kept)
            found.append(predictor.predict({"relations": tiny.pairs()}, kept)["relations"])
        assert tiny.agree(found[0], found[1], within=1e-3)
    marker = Head("relations", "relation", "marker", tiny.RELATIONS.labels, options=Options(pooling="mention"))
    with pytest.raises(ModelError, match="a marker head that pools mentions cannot be exported"):
        export.export(tiny.fresh(tmp_path / "other", [marker]), tmp_path / "none", calibration=rows)

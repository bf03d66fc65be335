"""benchmarks/training.py on two invented corpora and a random encoder: every row comes out; what it says means nothing."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.test_training import world  # noqa: F401

FILE = Path(__file__).parents[1] / "benchmarks" / "training.py"


@pytest.fixture(scope="module")
def benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_training", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _data(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("RELATOME_DATA", str(world))


def test_both_sides_read_the_same_pairs_and_every_row_has_a_ratio(
    benchmark: Any,
    world: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    options = benchmark.Options(encoder=str(world / "encoder"), steps=3, limit=64, precision="fp32")
    corpus = str(world / "toy.toml")
    pairs = benchmark.Pairs(corpus, options, tmp_path / "pairs", documents=16)
    found = [
        *benchmark.padded(pairs, options), *benchmark.dynamic(pairs, options), *benchmark.identical(pairs, options),
        *benchmark.packed(corpus, 5.0, options, tmp_path, 16), *benchmark.to_score(pairs),
        *benchmark.peak(pairs, options, size=64),
    ]  # fmt: skip
    assert len(found) == 8 and all(0 < line.ratio < 1e6 for line in found)
    said = json.loads(json.dumps([line.json() for line in found]))
    assert [line["bound"] for line in said] == [8.0, 1.3, None, 5.0, 5.0, None, 2.0, None]
    assert {"f1 theirs", "f1 ours", "f1 difference", "low", "high"} <= set(said[1]) & set(said[3])
    assert said[1]["pairs/s with batch 16"] > 0 and said[1]["pairs/s with batch 32"] > 0
    marker, packed = (pairs.run(kind) for kind in ("marker", "packed"))
    assert benchmark.taught(marker) == benchmark.taught(packed) == 16


def test_a_score_of_nothing_is_not_reached(
    benchmark: Any,
    world: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = benchmark.Options(encoder=str(world / "encoder"), limit=64, precision="fp32")
    pairs = benchmark.Pairs(str(world / "toy.toml"), options, tmp_path, documents=16)
    nothing = SimpleNamespace(report=SimpleNamespace(value=lambda *_: 0.0))
    monkeypatch.setattr(pairs, "scored", lambda _: nothing)
    (line,) = benchmark.to_score(pairs)
    assert line.ratio == 0 and line.facts["their dev f1"] == 0 and "theirs finds no relation" in line.facts["void"]


def test_an_unknown_row_is_said(benchmark: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="unknown row 'paded', known: padded, dynamic, identical"):
        list(benchmark.lines(benchmark.Options(), tmp_path, ["paded"]))

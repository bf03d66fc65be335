"""A model's triage table: made by the recipe that ships a model, read where there is no corpus, no torch and no scikit-learn."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from relatome import export, triage
from relatome.errors import ModelError, ScoreError
from relatome.formats import jsonl
from relatome.models import checkpoint
from relatome.scoring import triage as numbers
from relatome.training import mixture
from relatome.training.settings import DataSettings, HeadSettings, Settings
from tests import tiny
from tests.test_training import CARD, invented

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    spec = spec_from_file_location("recipe", ROOT / "recipes/default/export.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one invented corpus and an encoder."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n", encoding="utf-8")
    sums = {}
    for split, count in (("train", 40), ("dev", 150)):
        jsonl.write(invented(f"{len(split)}00", count, seed=len(split)), folder / f"toy.{split}")
        sums[split] = hashlib.sha256((folder / f"toy.{split}").read_bytes()).hexdigest()
    card = CARD.format(name="toy", reader="jsonl", exhaustive='"Chemical", "Disease"', **sums)
    (folder / "toy.toml").write_text(card, encoding="utf-8")
    tiny.encoder_folder(folder / "encoder")
    return folder


@pytest.fixture(autouse=True)
def _data(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(world))
    monkeypatch.setenv("XDG_CACHE_HOME", str(world / "cache"))


def settings(world: Path, split: str = "train") -> Settings:
    data = DataSettings(str(world / "toy.toml"), ("entities", "harm"), split)
    heads = (HeadSettings("entities", "ner"), HeadSettings("harm", "classification"))
    return Settings(str(world / "encoder"), heads, (data,), limit=64, precision="fp32")


def exported(wanted: Settings, target: Path) -> Path:
    """A network with random weights in a shipped model's form; its card says what it learned from."""
    made = checkpoint.new(wanted.encoder, mixture.heads(wanted), limit=wanted.limit)
    tiny.randomise(made.network, 5)
    made.card["training"] = {"settings": wanted.json()}
    rows = [row for some in mixture.build(wanted, made.network.asked, made.pieces, made.limit).rows for row in some]
    export.export(made, target, calibration=random.Random(0).sample(rows, 20))
    return target


@pytest.fixture(scope="module")
def shipped(world: Path, recipe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model with its table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELATOME_DATA", str(world))
        target = exported(settings(world), tmp_path_factory.mktemp("shipped") / "model")
        recipe.triage_table(settings(world), target)
    return target


def test_the_recipe_ships_a_table_of_both_models(shipped: Path):
    found = numbers.read(shipped / triage.FILE)
    assert (found.head, found.positive) == ("harm", "yes")
    assert found.source["corpus"] == "toy" and found.source["split"] == "dev"
    assert found.baseline is not None
    # TF-IDF saw the same sentences, each text once, and tells "caused" from "and" where random weights do not
    assert len(found.dev.positives) == len(found.baseline.positives) > 80
    assert len(found.dev.negatives) == len(found.baseline.negatives) > 40
    assert min(found.baseline.positives) > max(found.baseline.negatives)
    own = hashlib.sha256((shipped / "model.bin").read_bytes()).hexdigest()[:12]
    assert found.dev.model.endswith(f"@{own}") and found.baseline.model.startswith("tfidf@")


def test_the_card_tells_what_dev_says(shipped: Path, recipe: ModuleType):
    facts = recipe.on_dev(numbers.read(shipped / triage.FILE))
    known, read = facts["calibration"], facts["triage"]
    assert known["ece low"] <= known["ece"] <= known["ece high"] and 0.05 <= known["temperature"] <= 20
    assert known["rows"] == read["positives"] + read["others"]
    assert 0 < read["TF-IDF reads"] <= read["read"] <= 1  # one tells the classes apart, the other is of random weights
    before = (shipped / "relatome.json").read_text(encoding="utf-8")
    text = export.describe(shipped, {"name": "toy", **facts})
    (shipped / "relatome.json").write_text(before, encoding="utf-8")
    assert f"expected calibration error {known['ece']:.3f}" in text and "of toy dev (official)" in text
    assert f"costs reading {read['read']:.0%} of them; with TF-IDF" in " ".join(text.split())
    json.loads(json.dumps(facts))  # plain values, as the card needs


BARE = """
import sys
for name in ("torch", "sklearn", "transformers", "nncf", "scipy"):
    sys.modules[name] = None  # importing it is an error, as in the base install
from relatome.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_it_is_read_in_the_base_install_with_no_corpus(shipped: Path, tmp_path: Path):
    reports = tmp_path / "reports.txt"
    texts = [document.text for document in invented("900", 30, seed=9)]
    reports.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "RELATOME_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", BARE, "triage", str(reports), "--model", str(shipped), "--recall", "0.8", "--json"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {row["name"]: row["value"] for row in json.loads(done.stdout)["scores"]}
    assert 0 < found["kept"] <= found["sentences"] == len(set(texts))
    assert 0 < found["kept by TF-IDF, expected"] <= found["sentences"]
    assert "TF-IDF would have kept about" in done.stderr


def test_a_model_that_learned_from_dev_gets_none(world: Path, recipe: ModuleType, tmp_path: Path):
    both = settings(world, "train+dev")
    target = exported(both, tmp_path / "model")
    train_only = dataclasses.replace(both, data=settings(world).data)
    with pytest.raises(ModelError, match="the model learnt from toy dev: a threshold cannot be chosen on it"):
        recipe.triage_table(train_only, target)
    assert not (target / triage.FILE).exists()


def test_a_baseline_that_learned_from_dev_is_refused_too(world: Path, shipped: Path, tmp_path: Path):
    (tmp_path / "tfidf").mkdir()
    both = settings(world, "train+dev")
    (tmp_path / "run.toml").write_text(both.toml(), encoding="utf-8")
    with pytest.raises(ModelError, match="learnt from toy dev"):
        triage.fit(shipped, world / "toy.toml", baseline=tmp_path / "tfidf")


def test_a_new_export_has_not_the_old_threshold(world: Path, shipped: Path, tmp_path: Path):
    target = tmp_path / "model"
    target.mkdir()
    (target / triage.FILE).write_bytes((shipped / triage.FILE).read_bytes())
    exported(settings(world), target)
    assert not (target / triage.FILE).exists()


def test_a_corpus_without_a_positive_class_is_refused(world: Path, shipped: Path, tmp_path: Path):
    text = (world / "toy.toml").read_text(encoding="utf-8").replace(', positive = "yes"', "")
    (tmp_path / "toy.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ScoreError, match="the card of toy names no positive class"):
        triage.fit(shipped, tmp_path / "toy.toml")

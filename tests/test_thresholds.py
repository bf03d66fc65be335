"""Thresholds chosen on dev: counted as scikit-learn counts, never worse on dev, of no effect where they gain nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from relatome.cli import main
from relatome.errors import SettingsError
from relatome.models import checkpoint
from relatome.models.checkpoint import Checkpoint
from relatome.tasks.example import Head
from relatome.training import mixture, thresholds
from relatome.training import run as running
from relatome.training import settings as options
from relatome.training.settings import Settings
from relatome.training.thresholds import FOLDS, SHARES, STEPS, Answers, Count
from tests import tiny
from tests.test_hosted import encoder_folder as family_folder
from tests.test_train_command import RUN as RUN_OF_THREE
from tests.test_train_command import corpus, weights

MACRO = Count(np.array([0, 1, 2]), macro=True)
MICRO = Count(np.array([-1, 0, 1, 1]), macro=False)  # the last two are of one group
THREE = Head("x", "classification", "label", ("a", "b", "c"))


ENOUGH = thresholds.ENOUGH


@pytest.fixture(scope="module", autouse=True)
def _few() -> Iterator[None]:
    """Here a class of one example is enough, but where a test says otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thresholds, "ENOUGH", 1)
        yield


def drawn(
    seed: int, count: int = 400, classes: int = 3, *, bias: tuple[float, ...] = (), noise: float = 1.0
) -> Answers:
    """Examples whose gold class has a logit of two more than the others, and a bias all alike."""
    chance = np.random.default_rng(seed)
    gold = chance.integers(0, classes, count)
    logits = noise * chance.normal(size=(count, classes)) + 2 * np.eye(classes)[gold]
    logits += np.asarray(bias or (0.0,) * classes)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return Answers(logs, gold, np.arange(count) % FOLDS)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_f1_is_counted_as_scikit_learn_counts_it(pairs: list[tuple[int, int]]) -> None:
    gold, said = (np.array(side) for side in zip(*pairs, strict=True))
    macro = Count(np.arange(4), macro=True).f1(gold, said)
    assert macro == pytest.approx(
        f1_score(gold, said, labels=sorted(set(gold.tolist())), average="macro", zero_division=0)
    )
    grouped = [np.where(side == 3, 2, side) for side in (gold, said)]
    micro = f1_score(*grouped, labels=[1, 2], average="micro", zero_division=0)
    assert MICRO.f1(gold, said) == pytest.approx(micro)


@given(st.integers(0, 1000), st.integers(0, 40), st.sampled_from([MACRO, Count(np.array([-1, 0, 1]), macro=False)]))
def test_what_was_chosen_on_is_never_worse(seed: int, size: int, count: Count) -> None:
    found = drawn(seed, size)
    moved = thresholds.offsets(found, count)
    before, after = (count.f1(found.gold, (found.logs + shift).argmax(axis=1)) if size else 0.0 for shift in (0, moved))
    assert after >= before
    assert count.macro or not moved[1:].any()  # micro: all against the negative class


def test_of_two_classes_the_best_step_of_all_is_found() -> None:
    found = drawn(3, 200, 2, bias=(0.0, -2.0))
    count = Count(np.array([-1, 0]), macro=False)
    every = [count.f1(found.gold, (found.logs + np.array([step, 0.0])).argmax(axis=1)) for step in STEPS]
    moved = thresholds.offsets(found, count)
    assert count.f1(found.gold, (found.logs + moved).argmax(axis=1)) == max(every)
    assert abs(moved[0]) == min(abs(step) for step, value in zip(STEPS, every, strict=True) if value == max(every))


def test_a_class_said_too_seldom_is_said_more_often() -> None:
    moved = thresholds.chosen(drawn(1, bias=(0.0, 0.0, -2.5)), MACRO, THREE)
    assert moved.shifts["c"] == pytest.approx(2.5, abs=0.7)
    assert moved.after > moved.before + 0.05
    assert moved.unseen is not None and moved.before < moved.unseen <= moved.after


def test_one_number_moves_all_classes_by_the_log_of_their_frequency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of a model whose weights took away what frequency gives: the number that gives it back is found."""
    counts = np.array([1000.0, 100.0, 10.0])
    along = thresholds.rarity(counts)
    chance = np.random.default_rng(5)
    gold = chance.choice(3, 4000, p=counts / counts.sum())
    logits = chance.normal(size=(4000, 3)) + 2 * np.eye(3)[gold]
    found = Answers(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), gold, np.arange(4000) % FOLDS)
    monkeypatch.setattr(thresholds, "ENOUGH", 10_000)  # it is not asked whether a class has enough
    moved = thresholds.offsets(found, MACRO, along)
    share = moved[2] / along[2]
    assert 0.2 < share < 1.2
    assert moved == pytest.approx(share * along, abs=0.01)
    every = [MACRO.f1(gold, (found.logs + np.round(one * along, 2)).argmax(axis=1)) for one in SHARES]
    assert MACRO.f1(gold, (found.logs + moved).argmax(axis=1)) == max(every)
    said = thresholds.chosen(found, MACRO, THREE, along)
    assert said.after > said.before + 0.05
    assert said.shifts == {"b": moved[1], "c": moved[2]}


def test_a_class_of_few_examples_is_not_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    found = drawn(1, bias=(0.0, -2.5, -2.5))
    rare = found.only((found.gold != 2) | (np.cumsum(found.gold == 2) < ENOUGH))
    assert thresholds.offsets(rare, MACRO)[1:].all()
    monkeypatch.setattr(thresholds, "ENOUGH", ENOUGH)
    moved = thresholds.offsets(rare, MACRO)
    assert moved[1] > 0 and moved[2] == 0 and np.bincount(rare.gold).tolist()[2] == ENOUGH - 1
    assert thresholds.offsets(found, MACRO)[1:].all() and np.bincount(found.gold).min() >= ENOUGH


def test_what_gains_nothing_on_other_documents_is_left_alone() -> None:
    """Answers that are right or wrong by chance: some offsets look good on any twenty of them."""
    results = [thresholds.chosen(drawn(seed, 20), MACRO, THREE) for seed in range(30)]
    looked = [thresholds.offsets(drawn(seed, 20), MACRO).any() for seed in range(30)]
    left = [not one.shifts for one in results]
    assert sum(looked) > 20  # on dev itself nearly every draw seems to gain
    assert sum(left) > 15
    for one in results:
        assert one.unseen is not None and bool(one.shifts) == (one.unseen > one.before and one.after > one.before)


def test_a_class_that_cannot_hold_is_never_said() -> None:
    found = drawn(2, bias=(0.0, 0.0, -2.5))
    found.logs[::2, 2] = -np.inf
    moved = thresholds.offsets(found, MACRO)
    assert moved[2] > 0
    assert not ((found.logs + moved).argmax(axis=1)[::2] == 2).any()


# ------------------------------------------------------------------------------------------------------------ in a run

HEADER = RUN_OF_THREE[: RUN_OF_THREE.index("[[heads]]")]
TABLES = """\
[[heads]]
name = "{head}"
task = "{task}"
kind = "{kind}"
class_weights = "balanced"
thresholds = "{thresholds}"

[[data]]
corpus = "toy.toml"
heads = ["{head}"]
dev = "dev"
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n1003\tanother test\n", encoding="utf-8")
    corpus(tmp_path, dev=60)
    tiny.encoder_folder(tmp_path / "encoder")
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, **words: str) -> None:
    """``run.toml``, for one head."""
    words = {"head": "harm", "task": "classification", "kind": "label", "thresholds": "dev", **words}
    (folder / "run.toml").write_text(HEADER + TABLES.format(**words), encoding="utf-8")


def trained(folder: Path, name: str, *flags: str, **words: str) -> dict[str, Any]:
    """The card of a run."""
    written(folder, **words)
    assert main(["train", "run.toml", "-o", name, "--quiet", *flags]) == 0
    card: dict[str, Any] = checkpoint.load(folder / name).card["training"]
    return card


def skewed(folder: Path, label: str, settings: Settings) -> Checkpoint:
    """A saved model made to say a label too seldom: by as little as costs it a tenth of its score."""
    best = checkpoint.load(folder)
    head = best.network.asked[0]
    last = best.network.classifier_of(head.name)
    before = running.dev_scores(settings, best)["mean"]
    for _ in range(40):
        last.bias.data[head.labels.index(label)] -= 0.5
        best.card["training"]["dev"] = running.dev_scores(settings, best)
        if best.card["training"]["dev"]["mean"] < before - 0.1:
            return best
    raise AssertionError("the label is said whatever is taken from it")


@pytest.mark.parametrize(
    ("words", "encoder", "label"),
    [
        ({}, "encoder", "yes"),
        ({"thresholds": "frequency"}, "encoder", "yes"),
        ({"head": "relations", "task": "relation", "kind": "packed"}, "encoder", "CID"),
        ({"head": "relations", "task": "relation", "kind": "marker"}, "encoder", "CID"),
        ({}, "roberta", "yes"),
    ],
    ids=["label", "by frequency", "packed", "marker", "another family"],
)
def test_a_skewed_model_is_put_right(made: Path, words: dict[str, str], encoder: str, label: str) -> None:
    if encoder != "encoder":
        family_folder(made / encoder, encoder)
    trained(made, "run", "--set", "heads.thresholds=none", "--epochs", "8", "--encoder", encoder, **words)
    settings = options.read(made / "run.toml")
    taught = running.planned(settings, made / "another").mixture
    best = skewed(made / "run", label, settings)
    before = best.card["training"]["dev"]["mean"]
    said = running.with_thresholds(settings, taught, best)["thresholds"]
    (moved,) = said.values()
    assert moved["shifts"]
    assert moved["before"] < moved["unseen"] <= moved["after"]
    after = running.dev_scores(settings, best)["mean"]
    assert after == best.card["training"]["dev"]["mean"] > before
    assert running.with_thresholds(settings, taught, best) == {"thresholds": said}  # once is enough
    assert running.dev_scores(settings, best)["mean"] == after


def test_what_lowers_the_score_is_undone(made: Path) -> None:
    trained(made, "run", "--set", "heads.thresholds=none")
    settings = options.read(made / "run.toml")
    best = skewed(made / "run", "yes", settings)
    bias = best.network.state_dict()["heads.harm.classifier.bias"].clone()
    predictor = running.predictor_of(best)
    taught = running.planned(settings, made / "another").mixture
    (moved,) = thresholds.move(settings, taught, best, predictor, lambda: 0.3, before=0.4).values()
    assert not moved.shifts
    assert moved.after == moved.before
    assert torch.allclose(best.network.state_dict()["heads.harm.classifier.bias"], bias)


def test_a_run_says_what_it_moved(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = trained(made, "plain", "--set", "heads.thresholds=none")
    assert "thresholds" not in card
    capsys.readouterr()
    written(made)
    assert main(["train", "run.toml", "-o", "moved", "--json"]) == 0
    printed = capsys.readouterr()
    last = json.loads(printed.out.splitlines()[-1])
    card = checkpoint.load(made / "moved").card["training"]
    assert last["thresholds"] == card["thresholds"]
    moved = card["thresholds"]["harm"]
    assert ("harm: thresholds moved, " if moved["shifts"] else "harm: thresholds left alone") in printed.err
    biases = [
        checkpoint.load(made / name).network.state_dict()["heads.harm.classifier.bias"] for name in ("plain", "moved")
    ]
    shifts = torch.tensor([moved["shifts"].get(value, 0.0) for value in ("no", "yes")])
    assert torch.allclose(biases[0] + shifts, biases[1])


def test_stopped_while_thresholds_are_chosen_it_goes_on(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(made, "whole")
    settings = options.read(made / "run.toml")
    move = thresholds.move

    def stopped(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(thresholds, "move", stopped)
    run = running.prepare(settings, made / "stopped")
    with pytest.raises(KeyboardInterrupt):
        for _ in running.train(run):
            pass
    run.release()
    assert not running.finished(made / "stopped")
    monkeypatch.setattr(thresholds, "move", move)
    trained(made, "stopped")
    assert running.finished(made / "stopped")
    assert weights(made / "stopped") == weights(made / "whole")


def test_a_given_number_is_not_chosen_and_not_undone(made: Path) -> None:
    trained(made, "plain", "--set", "heads.thresholds=none")
    card = trained(made, "moved", "--set", "heads.prior=-2.5", thresholds="frequency")
    heads = options.read(made / "run.toml"), mixture.heads(options.read(made / "run.toml"))
    taught = running.planned(heads[0], made / "another").mixture
    along = thresholds.rarity(mixture.frequencies(taught, "harm", 2))
    moved = card["thresholds"]["harm"]
    (rare,) = (label for label, one in zip(heads[1][0].labels, along, strict=True) if one < 0)
    assert moved["shifts"] == {rare: pytest.approx(-2.5 * along.min(), abs=0.01)}
    assert moved["after"] < moved["before"] and "unseen" not in moved  # none was chosen on any document
    assert card["dev"]["mean"] < checkpoint.load(made / "plain").card["training"]["dev"]["mean"]
    biases = [
        checkpoint.load(made / name).network.state_dict()["heads.harm.classifier.bias"] for name in ("plain", "moved")
    ]
    assert (biases[1] - biases[0]).max().item() == pytest.approx(moved["shifts"][rare])


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"thresholds": "test"}, "thresholds should be none, dev or frequency, found 'test'"),
        ({"task": "ner", "kind": "tags"}, "this one gives entities"),
        ({"task": "relation", "kind": "document"}, "this one gives concepts"),
        ({"task": "relation", "choice": "multilabel"}, "this one gives several labels a pair"),
        ({"thresholds": "dev", "prior": 1.0}, "prior is for thresholds"),
        ({"thresholds": "frequency", "prior": 9.0}, "prior should be from -5 to 5, found 9.0"),
        ({}, "no corpus that teaches it has a dev"),
    ],
)
def test_where_they_make_no_sense_they_are_refused(made: Path, table: dict[str, str], problem: str) -> None:
    head = {"name": "harm", "task": "classification", "thresholds": "dev", **table}
    data = {"corpus": "toy.toml", "heads": ["harm"]} | ({"dev": "dev"} if table else {})
    with pytest.raises(SettingsError, match=problem):
        options.parse({"encoder": "encoder", "heads": [head], "data": [data]})

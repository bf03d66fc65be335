"""Triage: the promise holds as often as it says, in simulations of many kinds; tables; what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from relatome.errors import FormatError, ScoreError, SettingsError, UnknownNameError
from relatome.scoring import triage
from relatome.scoring.triage import Dev, Table, dev_of, plan


def drawn(
    generator: np.random.Generator, documents: int, share: float, alike: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of positives and negatives, and the positives' documents, whose sentences are ``alike`` correlated."""
    sizes = generator.integers(1, 6, documents)
    place = np.repeat(np.arange(documents), sizes)
    own = generator.normal(size=len(place)) * math.sqrt(1 - alike)
    positives = generator.normal(size=documents)[place] * math.sqrt(alike) + own + 1.6
    negatives = generator.normal(size=round(len(place) * (1 - share) / share))
    one, other = (1 / (1 + np.exp(-2 * (side - 0.8))) for side in (positives, negatives))
    return one, other, place


def table(positives: np.ndarray, negatives: np.ndarray, documents: np.ndarray, baseline: Dev | None = None) -> Table:
    dev = Dev(tuple(positives.tolist()), tuple(negatives.tolist()), tuple(documents.tolist()), "tiny@1")
    return Table("ade-sentence", "adverse-effect", dev, baseline, {"corpus": "invented"})


@pytest.mark.parametrize(
    ("documents", "share", "alike"),
    [(150, 0.25, 0.0), (150, 0.25, 0.4), (30, 0.05, 0.0), (60, 0.5, 0.4)],
    ids=["as dev", "documents alike", "few and rare", "more of them, alike"],
)
@pytest.mark.parametrize("recall", [0.8, 0.95])
def test_the_promise_holds_as_often_as_it_says(documents, share, alike, recall):
    """Dev and file are drawn 300 times anew; in at least 95 % of them (less three standard errors) enough are held."""
    held, kept, times = 0, 0.0, 300
    for seed in range(times):
        generator = np.random.default_rng(seed)
        found = table(*drawn(generator, 150, 0.25, alike))
        positives, negatives, _ = drawn(generator, documents, share, alike)
        result = plan(np.concatenate((positives, negatives)), found, recall=recall)
        chosen = np.zeros(result.sentences, dtype=bool)
        chosen[list(result.kept)] = True
        held += chosen[: len(positives)].mean() >= recall - 1e-12
        kept += len(result.kept) / result.sentences / times
    assert held / times >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / times)
    assert kept < 0.97  # it is not kept by keeping everything


@pytest.mark.parametrize("alike", [0.0, 0.4])
def test_the_promise_about_the_model_holds_too(alike):
    """With the recall of the model measured on 20,000 documents; the bound shown is one that holds."""
    truth = drawn(np.random.default_rng(99), 20_000, 0.5, alike)[0]
    promised = bounded = 0
    for seed in range(300):
        found = table(*drawn(np.random.default_rng(seed), 150, 0.25, alike))
        result = plan(np.array([0.1, 0.9]), found, promise="model")
        recall = float((truth >= result.threshold).mean())
        promised += recall >= 0.95
        bounded += recall >= result.model_recall
    assert promised / 300 >= 0.91 and bounded / 300 >= 0.91


def test_the_number_of_positives_is_estimated_where_they_are_rarer():
    generator = np.random.default_rng(4)
    found = table(*drawn(generator, 200, 0.25, 0.0))
    positives, negatives, _ = drawn(generator, 100, 0.08, 0.0)
    low, middle, high = plan(np.concatenate((positives, negatives)), found).positives
    assert low <= len(positives) <= high and middle == pytest.approx(len(positives), rel=0.25)


def test_wanting_less_costs_less():
    generator = np.random.default_rng(5)
    found = table(*drawn(generator, 200, 0.25, 0.0))
    scores = np.concatenate(drawn(generator, 100, 0.25, 0.0)[:2])
    costs = [len(plan(scores, found, recall=recall).kept) for recall in (0.99, 0.95, 0.8, 0.5)]
    assert costs == sorted(costs, reverse=True) and costs[0] > costs[-1]
    sure = [len(plan(scores, found, confidence=confidence).kept) for confidence in (0.999, 0.95, 0.5)]
    assert sure == sorted(sure, reverse=True) and sure[0] > sure[-1]
    assert len(plan(scores, found, promise="model").kept) <= len(plan(scores, found).kept)


def test_what_is_kept_is_what_scores_highest():
    generator = np.random.default_rng(6)
    found = table(*drawn(generator, 200, 0.25, 0.0))
    scores = np.concatenate(drawn(generator, 100, 0.25, 0.0)[:2])
    result = plan(scores, found)
    assert sorted(result.kept) == np.flatnonzero(scores >= result.threshold).tolist()
    assert scores[list(result.kept)].tolist() == sorted(scores[list(result.kept)], reverse=True)
    assert result.threshold == sorted(found.dev.positives)[result.rank - 1]
    assert result.dev_recall == pytest.approx(1 - (result.rank - 1) / result.dev_positives)


def test_few_dev_positives_promise_nothing_and_everything_is_kept():
    """58 positives cannot bound a recall of 95 % with 95 % confidence (0.95**58 > 0.05); 59 can."""

    def only(count: int) -> Table:
        return table(np.linspace(0.2, 1, count), np.linspace(0, 0.6, 200), np.arange(count))

    scores = np.linspace(0, 1, 50)
    nothing, something = (plan(scores, only(count), promise="model") for count in (58, 59))
    assert (nothing.rank, nothing.threshold, len(nothing.kept), nothing.model_recall) == (0, -math.inf, 50, 1.0)
    assert something.rank == 1 and something.model_recall == pytest.approx(0.05 ** (1 / 59))


def test_a_better_baseline_is_said_to_cost_less():
    generator = np.random.default_rng(7)
    positives, negatives, documents = drawn(generator, 200, 0.25, 0.0)
    worse = Dev(
        tuple(generator.random(len(positives))), tuple(generator.random(len(negatives))), tuple(documents.tolist())
    )
    found = table(positives, negatives, documents, worse)
    result = plan(np.concatenate(drawn(generator, 100, 0.25, 0.0)[:2]), found)
    assert result.baseline_kept is not None and len(result.kept) < result.baseline_kept <= result.sentences
    same = plan(np.concatenate((positives, negatives)), table(positives, negatives, documents, found.dev))
    assert same.baseline_kept == pytest.approx(len(same.kept), abs=2)


def test_scores_that_say_nothing_keep_nearly_everything():
    generator = np.random.default_rng(8)
    found = table(generator.random(300), generator.random(900), np.arange(300))
    assert len(plan(generator.random(400), found).kept) > 370
    constant = table(np.full(100, 0.5), np.full(100, 0.5), np.arange(100))
    result = plan(np.full(20, 0.5), constant)
    assert len(result.kept) == 20 and result.positives[0] == 1 and result.positives[2] == 20


def test_dev_takes_each_text_once():
    found = dev_of(
        [0.9, 0.1234567, 0.9, 0.2], [True, True, True, False], ["7", "8", "9", "7"], ["x", "y", "x", "z"], model="m@1"
    )
    assert found == Dev((0.9, 0.123457), (0.2,), (0, 1), "m@1")


def test_a_table_reads_back(tmp_path):
    found = table(*drawn(np.random.default_rng(1), 20, 0.25, 0.0))
    both = Table(found.head, found.positive, found.dev, found.dev, found.source)
    for one in (found, both):
        triage.write(one, tmp_path / "triage.json")
        assert triage.read(tmp_path / "triage.json") == one
    assert [path.name for path in tmp_path.iterdir()] == ["triage.json"]


GOOD = {"triage": 1, "head": "h", "positive": "p", "source": {}, "baseline": None,
        "dev": {"positives": [0.5], "negatives": [0.1], "documents": [0], "model": ""}}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"triage": 2}, {"triage": None}, {"dev": {}}, {"dev": None}, {"baseline": []}, {"source": 5},
        {"dev": {**GOOD["dev"], "positives": []}}, {"dev": {**GOOD["dev"], "documents": [0, 1]}},  # type: ignore[dict-item]
        {"dev": {**GOOD["dev"], "negatives": [float("nan")]}}, {"dev": {**GOOD["dev"], "positives": ["x"]}},  # type: ignore[dict-item]
    ],
)  # fmt: skip
def test_a_damaged_table_is_refused(changes, tmp_path):
    (tmp_path / "t.json").write_text(json.dumps({**GOOD, **changes}), encoding="utf-8")
    with pytest.raises(FormatError, match=r"triage table.*relatome triage --fit"):
        triage.read(tmp_path / "t.json")
    (tmp_path / "t.json").write_text("[]", encoding="utf-8")
    with pytest.raises(FormatError, match="no triage table"):
        triage.read(tmp_path / "t.json")


def test_refused():
    found = table(*drawn(np.random.default_rng(1), 50, 0.25, 0.0))
    nan = float("nan")
    with pytest.raises(ScoreError, match=r"of 4 sentences are NaN or outside 0..1: number 1, 2, 3 \.\.\."):
        plan([nan, 2.0, -1.0, nan, 0.5], found)
    with pytest.raises(ScoreError, match="there are no sentences"):
        plan([], found)
    with pytest.raises(SettingsError, match="2 mistakes: recall is 1: expected .*; confidence is 0"):
        plan([0.5], found, recall=1, confidence=0)
    with pytest.raises(UnknownNameError, match="unknown promise 'flie': did you mean 'file'"):
        plan([0.5], found, promise="flie")
    with pytest.raises(ScoreError, match="dev has no positive sentence"):
        dev_of([0.5], [False], ["1"], ["x"])
    with pytest.raises(ScoreError, match="dev has no negative sentence"):
        dev_of([0.5], [True], ["1"], ["x"])
    with pytest.raises(ScoreError, match="of different lengths"):
        dev_of([0.5], [True, False], ["1"], ["x"])

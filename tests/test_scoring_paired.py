"""Paired tests: against formulas and libraries, right under the null, found under an effect; seeds apart from sampling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from relatome.errors import ScoreError
from relatome.scoring import binomial, classification, ner, paired
from relatome.scoring.paired import compare, holm, joined, mcnemar, over_seeds

LABELS = ["a", "b"]


def runs(seed: int, rows: int, one: float, other: float, same: float = 0.0) -> tuple[list[str], list[str], list[str]]:
    """Gold and two predictions with these accuracies; ``same``: how often both answer alike."""
    generator = np.random.default_rng(seed)
    gold = generator.choice(LABELS, rows)
    drawn = generator.random((2, rows))
    drawn[1] = np.where(generator.random(rows) < same, drawn[0], drawn[1])
    wrong = np.where(gold == "a", "b", "a")
    return gold.tolist(), *(np.where(drawn[i] < rate, gold, wrong).tolist() for i, rate in ((0, one), (1, other)))


def measures(gold, *sides, **options):
    return [classification.measure(gold, side, labels=LABELS, **options) for side in sides]


def arguments(gold, side, **options):
    return {"gold": gold, "predicted": side, "labels": LABELS, **options}


def test_binomial_equals_scipy():
    for trials, chance in ((1, 0.5), (20, 0.05), (630, 0.05), (5000, 0.3)):
        law = scipy.stats.binom(trials, chance)
        assert binomial.probabilities(trials, chance) == pytest.approx(law.pmf(np.arange(trials + 1)), abs=1e-10)
        for least in (0, 1, trials // 3, trials):
            assert binomial.tail(least, trials, chance) == pytest.approx(law.sf(least - 1), abs=1e-10)
    for k, n, m in ((1, 5, 5), (22, 630, 600), (100, 100, 7)):
        theirs = scipy.stats.betabinom(m, k, n - k + 1).pmf(np.arange(m + 1))
        assert binomial.of_next(k, n, m) == pytest.approx(theirs, abs=1e-9)
    for k, n in ((0, 20), (3, 20), (20, 20)):
        theirs = scipy.stats.binomtest(k, n).proportion_ci(method="exact")
        assert binomial.clopper_pearson(k, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
        lower = scipy.stats.binomtest(k, n, alternative="greater").proportion_ci(method="exact").low
        assert binomial.least_chance(k, n) == pytest.approx(lower, abs=1e-9)


@pytest.mark.parametrize(("only_one", "only_other"), [(0, 0), (1, 0), (5, 5), (8, 3), (30, 12)])
def test_mcnemar_equals_the_binomial_test(only_one, only_other):
    right = [True] * only_one + [False] * only_other + [True, True, False]
    other = [False] * only_one + [True] * only_other + [True, True, False]
    found = mcnemar(right, other)
    assert (found.both, found.only_one, found.only_other, found.neither) == (2, only_one, only_other, 1)
    number = only_one + only_other
    exact = scipy.stats.binomtest(only_one, number, 0.5).pvalue if number else 1.0
    assert found.exact == pytest.approx(exact)
    assert found.mid < found.exact
    if only_one != only_other:
        assert found.mid == pytest.approx(exact - scipy.stats.binom.pmf(only_one, number, 0.5))


def test_holm_equals_statsmodels_by_hand():
    """statsmodels.stats.multitest.multipletests(method="holm") of the same numbers."""
    assert holm([0.01, 0.005, 0.03, 0.04]) == pytest.approx((0.03, 0.02, 0.06, 0.06))
    nan = float("nan")
    assert holm([nan, 0.02, 0.04])[1:] == pytest.approx((0.04, 0.04))
    assert math.isnan(holm([nan])[0]) and holm([]) == ()
    assert holm([0.9, 0.8]) == (1.0, 1.0)


def test_interval_of_the_difference_is_the_paired_one():
    """b and c rows are right in one run alone: the difference of accuracies has the variance of (b - c) / n."""
    gold, one, other = runs(1, 2000, 0.80, 0.85, same=0.7)
    (row,) = compare(*[[m] for m in measures(gold, one, other)], names=["accuracy"])
    right = np.array([[g == p for g, p in zip(gold, side, strict=True)] for side in (one, other)], dtype=float)
    steps = right[1] - right[0]
    assert row.difference == pytest.approx(steps.mean())
    half = 1.96 * steps.std() / math.sqrt(2000)
    assert (row.low, row.high) == pytest.approx((steps.mean() - half, steps.mean() + half), abs=half / 15)
    assert row.detectable == pytest.approx((1.96 + 0.8416) * steps.std() / math.sqrt(2000), rel=0.03)
    assert math.isnan(row.p_randomisation) and row.p_corrected == row.p_bootstrap


def test_randomisation_of_accuracy_equals_scipy():
    gold, one, other = runs(2, 300, 0.70, 0.78, same=0.5)
    joint = joined(classification.measure, arguments(gold, one), arguments(gold, other))
    (row,) = compare(*[[m] for m in measures(gold, one, other)], joint=joint, names=["accuracy"])
    right = [np.array([g == p for g, p in zip(gold, side, strict=True)], dtype=float) for side in (one, other)]
    theirs = scipy.stats.permutation_test(
        right, lambda a, b, axis: np.mean(b - a, axis=axis), permutation_type="samples", n_resamples=20_000,
        vectorized=True, rng=np.random.default_rng(0),
    )  # fmt: skip
    assert row.p_randomisation == pytest.approx(theirs.pvalue, abs=0.01)
    assert row.p_bootstrap == pytest.approx(theirs.pvalue, abs=0.02)


def test_a_run_compared_with_itself_differs_in_nothing():
    gold, one, _ = runs(3, 200, 0.8, 0.8)
    (measure,) = measures(gold, one)
    for row in compare([measure], [measure], joint=joined(classification.measure, *[arguments(gold, one)] * 2)):
        if not math.isnan(row.difference):
            assert row.difference == row.low == row.high == 0
            assert row.p_bootstrap == row.p_randomisation == row.p_corrected == 1


@pytest.mark.parametrize("grouped", [False, True])
def test_p_values_are_uniform_where_the_runs_are_alike(grouped):
    """Of 200 pairs of equally good runs about one in twenty is called different, also where documents are the unit."""
    called = {"bootstrap": 0, "randomisation": 0}
    groups = [str(row // 3) for row in range(150)] if grouped else None
    for seed in range(200):
        gold, one, other = runs(seed, 150, 0.8, 0.8, same=0.5)
        joint = joined(
            classification.measure, arguments(gold, one, groups=groups), arguments(gold, other, groups=groups)
        )
        pair = [[m] for m in measures(gold, one, other, groups=groups)]
        (row,) = compare(*pair, joint=joint, names=["accuracy"], resamples=200, seed=seed)
        called["bootstrap"] += row.p_bootstrap <= 0.05
        called["randomisation"] += row.p_randomisation <= 0.05
    assert all(2 <= count <= 21 for count in called.values()), called


def test_power_is_what_is_said():
    """A true difference of the size called detectable is found about four times out of five."""
    gold, one, other = runs(0, 400, 0.80, 0.80, same=0.6)
    (row,) = compare(*[[m] for m in measures(gold, one, other)], names=["accuracy"], resamples=2000)
    found = 0
    for seed in range(150):
        gold, one, other = runs(seed + 1, 400, 0.80 - row.detectable / 2, 0.80 + row.detectable / 2, same=0.6)
        (again,) = compare(*[[m] for m in measures(gold, one, other)], names=["accuracy"], resamples=200)
        found += again.p_bootstrap <= 0.05
    assert 0.68 <= found / 150 <= 0.92


def test_entities_are_exchanged_by_document():
    generator = np.random.default_rng(0)
    gold = {f"d{i}": [(j * 10, j * 10 + 4, "A") for j in range(5)] for i in range(40)}
    sides = [
        {key: [item for item in items if generator.random() < rate] for key, items in gold.items()}
        for rate in (0.6, 0.8)
    ]
    given: list[dict[str, Any]] = [{"gold": gold, "predicted": side, "types": ["A"]} for side in sides]
    joint = joined(ner.measure, *given)
    assert joint is not None and len(joint.units) == 80
    rows = compare(*[[ner.measure(**one)] for one in given], joint=joint, names=["f1"], resamples=999)
    assert [(row.name, row.class_) for row in rows] == [("f1", "A"), ("f1", "micro"), ("f1", "macro")]
    assert all(row.difference > 0.1 and row.p_randomisation == 0.001 and row.low > 0 for row in rows)
    assert rows[0].p_corrected == pytest.approx(0.003)


def test_joint_of_other_arguments_is_none():
    one = {"gold": {"1": []}, "predicted": {"1": []}, "types": ["A"]}
    assert joined(ner.measure, one, {**one, "types": ["B"]}) is None
    assert joined(ner.measure, {"scores": {}}, {"scores": {}}) is None
    assert joined(ner.measure, {**one, "table": {}}, {**one, "table": {}}) is None
    assert joined(ner.measure, {**one, "predicted": []}, {**one, "predicted": []}) is None


def test_seed_variance_and_sampling_variance_are_told_apart():
    """Ten seeds that differ by 0.02 on 500 rows: both standard deviations come back, and add up as they should."""
    generator = np.random.default_rng(5)
    gold = ["a"] * 500
    rates = 0.8 + 0.02 * generator.standard_normal(10)
    seeds = [["a"] * round(500 * rate) + ["b"] * (500 - round(500 * rate)) for rate in rates]
    row = over_seeds(measures(gold, *seeds))[0]
    assert row.values == pytest.approx([round(500 * rate) / 500 for rate in rates])
    assert row.mean == pytest.approx(np.mean(row.values)) and row.sd == pytest.approx(np.std(row.values, ddof=1))
    assert row.sampling_sd == pytest.approx(math.sqrt(0.8 * 0.2 / 500), rel=0.1)
    assert row.total_sd == pytest.approx(math.hypot(row.sampling_sd, row.sd / math.sqrt(10)))
    assert row.high - row.low == pytest.approx(2 * 1.96 * row.total_sd, rel=1e-4)


def test_systems_of_several_seeds_are_compared_with_both_variances():
    gold = ["a", "b"] * 200
    sides = [[runs_of(gold, seed + round(100 * rate), rate) for seed in range(4)] for rate in (0.75, 0.85)]
    rows = compare(*[measures(gold, *side) for side in sides], names=["accuracy"], resamples=2000)
    alone = compare(*[measures(gold, side[0]) for side in sides], names=["accuracy"], resamples=2000)
    assert rows[0].difference == pytest.approx(0.1, abs=0.05) and rows[0].p_bootstrap < 0.01
    assert rows[0].high - rows[0].low < alone[0].high - alone[0].low
    assert math.isnan(over_seeds(measures(gold, sides[0][0]), resamples=50)[0].sd)


def runs_of(gold: list[str], seed: int, rate: float) -> list[str]:
    drawn = np.random.default_rng(seed).random(len(gold))
    return [label if draw < rate else {"a": "b", "b": "a"}[label] for label, draw in zip(gold, drawn, strict=True)]


def test_one_document_says_nothing():
    (one,) = measures(["a", "b"], ["a", "a"], groups=["1", "1"])
    (row,) = compare([one], [one], names=["accuracy"], resamples=50)
    assert math.isnan(row.low) and math.isnan(row.p_bootstrap) and math.isnan(row.detectable)


def test_refused():
    (one,) = measures(["a", "b"], ["a", "a"])
    (three,) = measures(["a", "b", "b"], ["a", "a", "a"])
    with pytest.raises(ScoreError, match="1 row is in the predictions but not in the gold: '3'"):
        compare([one], [three])
    with pytest.raises(ScoreError, match=r"no number to compare of the names f2 \(known: accuracy, errors"):
        compare([one], [one], names=["f2"])
    with pytest.raises(ScoreError, match="rows"):
        mcnemar([True], [])


def test_no_resamples_no_p():
    gold, one, other = runs(1, 50, 0.8, 0.9)
    joint = joined(classification.measure, arguments(gold, one), arguments(gold, other))
    (row,) = compare(*[[m] for m in measures(gold, one, other)], joint=joint, names=["accuracy"], resamples=0)
    assert math.isnan(row.low) and math.isnan(row.p_bootstrap) and math.isnan(row.p_randomisation)
    assert row.difference == pytest.approx(row.other - row.one)
    assert paired.RESAMPLES == 10_000

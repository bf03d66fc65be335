"""BCa against scipy, the jackknife's two ways, coverage where the percentile interval falls short, rank scores' speed."""

from __future__ import annotations

import time

import numpy as np
import pytest
import scipy.stats

from relatome.errors import SettingsError, UnknownNameError
from relatome.scoring import classification, resampling
from relatome.scoring.resampling import bca, bootstrap, interval, of_sums


def ratio(sums: np.ndarray) -> np.ndarray:
    quotient: np.ndarray = sums[:, 0] / sums[:, 1]
    return quotient


@pytest.mark.parametrize("method", ["percentile", "BCa"])
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_scipy(method, seed):
    """The same formulas on other draws: 20,000 resamples leave the two within a twentieth of the width."""
    numbers = np.random.default_rng(seed).exponential(size=40)
    counts = np.stack((numbers, np.ones(40)), axis=1)
    low, high = interval(counts, ratio, resamples=20_000, seed=seed, method=method.lower())
    theirs = scipy.stats.bootstrap(
        (numbers,), np.mean, n_resamples=20_000, method=method, rng=np.random.default_rng(seed + 99)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert low[0] == pytest.approx(theirs.low, abs=width / 20)
    assert high[0] == pytest.approx(theirs.high, abs=width / 20)


def test_equal_to_scipy_on_the_same_resamples():
    """Fed with scipy's own bootstrap distribution, BCa gives scipy's interval to the last digits."""
    numbers = np.random.default_rng(5).gamma(2.0, size=33)
    theirs = scipy.stats.bootstrap((numbers,), np.mean, n_resamples=2_000, method="BCa", rng=np.random.default_rng(1))
    value = of_sums(np.stack((numbers, np.ones(33)), axis=1), ratio)
    low, high = bca(value, theirs.bootstrap_distribution[:, None], 33)
    assert (low[0], high[0]) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-9)


def test_jackknife_by_subtraction_is_the_jackknife_by_weights():
    counts = np.random.default_rng(0).integers(1, 9, size=(50, 2))
    fast = of_sums(counts, ratio)
    slow = resampling._jackknife(lambda weights: fast(weights), 50)
    assert slow == pytest.approx(resampling._jackknife(fast, 50))
    alone = ratio(np.delete(counts, 7, axis=0).sum(axis=0)[None])
    assert slow[7, 0] == pytest.approx(alone[0])


def test_blocks_of_the_jackknife_change_the_interval_little(monkeypatch):
    counts = np.stack((np.random.default_rng(3).exponential(size=400), np.ones(400)), axis=1)
    value = of_sums(counts, ratio)
    samples = bootstrap(value, 400, resamples=4_000)
    one = bca(value, samples, 400)
    monkeypatch.setattr(resampling, "_BLOCKS", 130)  # blocks of four, the last one too
    assert len(value.without(4)) == len(resampling._jackknife(lambda weights: value(weights), 400)) == 100
    blocks = bca(value, samples, 400)
    width = one[1][0] - one[0][0]
    assert [end[0] for end in blocks] == pytest.approx([end[0] for end in one], abs=width / 20)


def test_bca_of_what_does_not_vary_and_of_what_is_undefined():
    value = of_sums(np.ones((10, 2)), lambda sums: np.stack((sums[:, 0] / sums[:, 1], sums[:, 0] * np.nan), axis=1))
    low, high = bca(value, bootstrap(value, 10), 10)
    assert low[0] == high[0] == 1
    assert np.isnan([low[1], high[1]]).all()


def test_bca_covers_a_skewed_score_better_than_percentile():
    """The mean of 25 lognormal numbers: percentile intervals miss too often, and nearly always on one side."""
    generator = np.random.default_rng(7)
    truth = float(np.exp(0.5))
    hits = {"percentile": 0, "bca": 0}
    for seed in range(400):
        numbers = generator.lognormal(size=25)
        counts = np.stack((numbers, np.ones(25)), axis=1)
        for method in hits:
            low, high = interval(counts, ratio, resamples=400, seed=seed, method=method)
            hits[method] += bool(low[0] <= truth <= high[0])
    assert hits["bca"] > hits["percentile"]
    assert hits["bca"] / 400 > 0.85


def test_unknown_method_and_impossible_settings():
    counts = np.ones((4, 2))
    with pytest.raises(UnknownNameError, match="interval method"):
        interval(counts, ratio, method="bcaa")
    with pytest.raises(SettingsError, match="resamples is -2"):
        interval(counts, ratio, resamples=-2)


def test_a_report_says_which_interval_it_has():
    gold = ["a", "b"] * 30
    predicted = ["a", "b", "b"] * 20
    measured = classification.measure(gold, predicted, labels=["a", "b"])
    plain, moved = measured.report(), measured.report(method="bca")
    assert plain.signature["interval"] == "percentile bootstrap, 95%"
    assert moved.signature["interval"] == "BCa bootstrap, 95%"
    assert plain.value("f1", "macro") == moved.value("f1", "macro")
    assert plain.score("f1", "macro").low != moved.score("f1", "macro").low
    with pytest.raises(UnknownNameError):
        measured.report(method="normal")


def test_bca_of_five_thousand_rows_and_ten_thousand_resamples_takes_under_two_seconds():
    counts = np.random.default_rng(1).integers(0, 3, size=(5000, 20))
    start = time.process_time()
    low, high = interval(counts, lambda sums: sums[:, :10] / sums[:, 10:], resamples=10_000, method="bca")
    seconds = time.process_time() - start
    assert (low < high).all()
    assert seconds < 2

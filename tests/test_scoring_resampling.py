"""The bootstrap: the right distribution, the same rows for the same seed, fast, undefined values kept apart."""

from __future__ import annotations

import time

import numpy as np
import pytest

from relatome.errors import SettingsError
from relatome.scoring import resampling
from relatome.scoring.resampling import bootstrap, interval, of_sums, percentile, weights


def drawn(documents: int, **options: int) -> np.ndarray:
    return np.concatenate(list(weights(documents, **options)))


def test_weights_are_multinomial():
    rows = drawn(20, resamples=20_000, seed=1)
    assert rows.shape == (20_000, 20)
    assert (rows.sum(axis=1) == 20).all()
    assert rows.mean(axis=0) == pytest.approx(np.ones(20), abs=0.03)
    assert rows.var(axis=0) == pytest.approx(np.full(20, 0.95), abs=0.05)  # n p (1 - p)
    assert np.cov(rows[:, 0], rows[:, 1])[0, 1] == pytest.approx(-0.05, abs=0.03)  # -n p p


@pytest.mark.parametrize("cells", [1, 7, 50, 1 << 18])
def test_chunks_do_not_change_the_draw(cells, monkeypatch):
    whole = drawn(7, resamples=50, seed=3)
    monkeypatch.setattr(resampling, "_CELLS", cells)
    chunks = list(weights(7, resamples=50, seed=3))
    assert len(chunks) == -(-50 // max(1, cells // 7))
    assert np.array_equal(np.concatenate(chunks), whole)


def test_more_resamples_begin_with_the_same():
    assert np.array_equal(drawn(9, resamples=30, seed=2), drawn(9, resamples=100, seed=2)[:30])


def test_seed_decides():
    assert np.array_equal(drawn(9, resamples=30, seed=2), drawn(9, resamples=30, seed=2))
    assert not np.array_equal(drawn(9, resamples=30, seed=2), drawn(9, resamples=30, seed=3))


def test_no_resamples():
    assert list(weights(5, resamples=0)) == []
    assert bootstrap(of_sums(np.ones((5, 2)), lambda sums: sums), 5, resamples=0).shape == (0, 2)


def test_impossible_settings_are_told_at_the_call():
    with pytest.raises(SettingsError, match="resamples is -1: expected 0 or more"):
        weights(5, resamples=-1)


def test_of_sums_equals_a_loop_over_documents():
    generator = np.random.default_rng(0)
    counts = generator.integers(0, 9, size=(30, 2))
    samples = bootstrap(of_sums(counts, lambda sums: sums[:, 0] / sums[:, 1]), 30, resamples=20, seed=4)
    for row, sample in zip(drawn(30, resamples=20, seed=4), samples[:, 0], strict=True):
        documents = [counts[index] for index, times in enumerate(row) for _ in range(int(times))]
        assert sample == sum(d[0] for d in documents) / sum(d[1] for d in documents)


def test_a_rank_score_recomputes_with_the_weights():
    """The interface holds for what is no function of sums: the weighted median."""
    numbers = np.arange(11.0)

    def median(table: np.ndarray) -> np.ndarray:
        return np.array([[np.median(np.repeat(numbers, row.astype(int)))] for row in table])

    samples = bootstrap(median, 11, resamples=500, seed=1)
    low, high = percentile(samples)
    assert samples.shape == (500, 1)
    assert 0 <= low[0] < 5 < high[0] <= 10


def test_percentile_equals_numpy_and_leaves_undefined_resamples_out():
    generator = np.random.default_rng(2)
    samples = generator.random((1000, 3))
    samples[::3, 1] = np.nan
    samples[:, 2] = np.nan
    low, high = percentile(samples)
    assert [low[0], high[0]] == pytest.approx(np.quantile(samples[:, 0], [0.025, 0.975]).tolist())
    assert [low[1], high[1]] == pytest.approx(np.nanquantile(samples[:, 1], [0.025, 0.975]).tolist())
    assert np.isnan([low[2], high[2]]).all()
    narrow_low, narrow_high = percentile(samples, confidence=0.5)
    assert low[0] < narrow_low[0] < narrow_high[0] < high[0]


def test_interval_of_a_proportion_is_the_binomial_one():
    """600 of 1,000 rows right: the standard error is sqrt(.6 * .4 / 1000) = .0155, so 95 % is .5696 to .6304."""
    low, high = interval((np.arange(1000) < 600)[:, None], lambda sums: sums / 1000, resamples=10_000, seed=0)
    assert low[0] == pytest.approx(0.6 - 1.96 * 0.01549, abs=0.0015)
    assert high[0] == pytest.approx(0.6 + 1.96 * 0.01549, abs=0.0015)


def test_interval_covers():
    """Of 300 test sets drawn from a world where F1-like ratio 0.75 holds, about 95 % of the intervals hold it."""
    generator = np.random.default_rng(11)
    hits = 0
    for seed in range(300):
        all_ = generator.poisson(4, size=80)
        right = generator.binomial(all_, 0.75)
        counts = np.stack((right, all_), axis=1)
        low, high = interval(counts, lambda sums: sums[:, 0] / sums[:, 1], resamples=400, seed=seed)
        hits += bool(low[0] <= 0.75 <= high[0])
    assert 0.90 <= hits / 300 <= 0.98


def test_ten_thousand_resamples_of_five_thousand_documents_take_under_two_seconds():
    counts = np.random.default_rng(1).integers(0, 3, size=(5000, 20))
    value = of_sums(counts, lambda sums: sums[:, :10] / sums[:, 10:])
    # processor time: a machine that is busy with something else does not make the code slow
    start = time.process_time()
    samples = bootstrap(value, 5000, resamples=10_000)
    seconds = time.process_time() - start
    assert samples.shape == (10_000, 10)
    assert seconds < 2

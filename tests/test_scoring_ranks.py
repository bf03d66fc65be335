"""Rank scores under weights: equal to scikit-learn and scipy on the rows repeated, and fast enough to resample."""

from __future__ import annotations

import time

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from relatome.scoring import ranks
from relatome.scoring.resampling import bootstrap, weights


def rows(seed: int, count: int, digits: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.random(count) < 0.3
    return truth, np.round(generator.random(count) + 0.3 * truth, digits)  # few digits: many ties


@pytest.mark.parametrize("digits", [1, 12])
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_scikit_learn_under_weights(seed, digits):
    truth, scores = rows(seed, 60, digits)
    table = np.concatenate((np.ones((1, 60)), *weights(60, resamples=30, seed=seed)))
    for mine, theirs in (
        (ranks.auroc, sklearn.metrics.roc_auc_score),
        (ranks.average_precision, sklearn.metrics.average_precision_score),
    ):
        expected = [theirs(truth, scores, sample_weight=row) for row in table]
        assert mine(truth, scores)(table)[:, 0] == pytest.approx(expected)


@pytest.mark.parametrize("digits", [1, 12])
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_scipy_on_repeated_rows(seed, digits):
    _, one = rows(seed, 40, digits)
    other = np.round(one + np.random.default_rng(seed).normal(size=40), digits)
    table = np.concatenate((np.ones((1, 40)), *weights(40, resamples=30, seed=seed)))
    for mine, theirs in ((ranks.pearson, scipy.stats.pearsonr), (ranks.spearman, scipy.stats.spearmanr)):
        repeated = [(np.repeat(one, row.astype(int)), np.repeat(other, row.astype(int))) for row in table]
        assert mine(one, other)(table)[:, 0] == pytest.approx([theirs(*pair).statistic for pair in repeated])


def test_halves_of_rows_weigh_as_whole_ones_do():
    truth, scores = rows(3, 60, 1)
    table = np.concatenate(list(weights(60, resamples=20, seed=3)))
    for value in (ranks.discrimination(truth, scores), ranks.spearman(truth, scores), ranks.pearson(truth, scores)):
        whole = value(table)
        assert value(table / 2) == pytest.approx(whole) and (value(table) == whole).all()


@pytest.mark.parametrize("far", [0.0, 1e6, -1e9])
def test_pearson_of_numbers_far_from_zero(far):
    one, other = np.random.default_rng(1).normal(size=(2, 50))
    value = ranks.pearson(one + far, other - far)(np.ones((1, 50)))[0, 0]
    assert value == pytest.approx(scipy.stats.pearsonr(one, other).statistic, abs=1e-6)


def test_undefined_is_nan():
    ones = np.ones((1, 4))
    assert np.isnan(ranks.auroc([1, 1, 1, 1], [1, 2, 3, 4])(ones)).all()
    assert np.isnan(ranks.auroc([0, 0, 0, 0], [1, 2, 3, 4])(ones)).all()
    assert np.isnan(ranks.average_precision([0, 0, 0, 0], [1, 2, 3, 4])(ones)).all()
    assert ranks.average_precision([1, 1, 1, 1], [1, 2, 3, 4])(ones)[0, 0] == 1
    for correlation in (ranks.pearson, ranks.spearman):
        assert np.isnan(correlation([0.1, 0.1, 0.1, 0.1], [1, 2, 3, 4])(ones)).all()
        assert np.isnan(correlation([1, 2, 3, 4], [1, 2, 3, 4])(np.array([[4.0, 0, 0, 0]]))).all()


@pytest.mark.parametrize("score", [ranks.auroc, ranks.average_precision, ranks.spearman, ranks.pearson])
def test_ten_thousand_resamples_of_five_thousand_rows(score):
    """Under 2 s on an idle core of 2026; twice that here, since the suite shares its machine."""
    truth, scores = rows(1, 5000, 12)
    start = time.process_time()
    samples = bootstrap(
        score(truth if score in (ranks.auroc, ranks.average_precision) else scores[::-1], scores),
        5000,
        resamples=10_000,
    )
    assert samples.shape == (10_000, 1)
    assert time.process_time() - start < 4

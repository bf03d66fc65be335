"""Exact binomial and beta-binomial tails, on numpy alone (scipy is no dependency of the base install).

Probabilities come from logarithms of factorials, so that n in the hundred thousands neither overflows nor loses digits
that matter (compared with scipy to 1e-10).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from relatome.scoring.resampling import Floats


def tail(least: int, trials: int, chance: float) -> float:
    """The chance of at least so many successes.

    Examples
    --------
    >>> round(tail(1, 59, 0.05), 4), tail(0, 5, 0.5), tail(6, 5, 0.5)
    (0.9515, 1.0, 0.0)
    """
    if least <= 0:
        return 1.0
    if least > trials:
        return 0.0
    return min(1.0, float(probabilities(trials, chance)[least:].sum()))


def probabilities(trials: int, chance: float) -> Floats:
    """(trials + 1,) the chance of each number of successes."""
    if chance <= 0 or chance >= 1:
        certain = np.zeros(trials + 1)
        certain[0 if chance <= 0 else trials] = 1.0
        return certain
    successes = np.arange(trials + 1)
    chances: Floats = np.exp(
        _choose(trials) + successes * math.log(chance) + (trials - successes) * math.log1p(-chance)
    )
    return chances


def of_next(successes: int, trials: int, next_trials: int) -> Floats:
    """(next_trials + 1,) the chance of each number of next ones below the ``successes``-th smallest of ``trials``.

    All drawn from one continuous distribution, which need not be known: a beta-binomial distribution, the law of
    order statistics (Wilks 1942, https://doi.org/10.1214/aoms/1177731627).

    Examples
    --------
    >>> of_next(1, 1, 2).round(4).tolist()  # neither, one or both of two new ones lie below a third: alike
    [0.3333, 0.3333, 0.3333]
    """
    if not 1 <= successes <= trials:
        raise ValueError(f"the {successes}-th of {trials}")
    below = np.arange(next_trials + 1)
    rest = trials - successes + 1  # the beta distribution of the share below is Beta(successes, rest)
    factorials = _factorials(trials + next_trials + 1)
    up = factorials[below + successes - 1] - factorials[below] - factorials[successes - 1]
    down = factorials[next_trials - below + rest - 1] - factorials[next_trials - below] - factorials[rest - 1]
    whole = factorials[trials + next_trials] - factorials[next_trials] - factorials[trials]
    chances: Floats = np.exp(up + down - whole)
    return chances


def clopper_pearson(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a chance (Clopper and Pearson 1934).

    Examples
    --------
    >>> low, high = clopper_pearson(0, 20)
    >>> low, round(high, 4)
    (0.0, 0.1684)
    """
    rest = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _solve(lambda chance: tail(successes, trials, chance) - rest)
    high = 1.0 if successes == trials else _solve(lambda chance: tail(successes + 1, trials, chance) - (1 - rest))
    return low, high


def least_chance(successes: int, trials: int, *, confidence: float = 0.95) -> float:
    """The one-sided lower bound of a chance: below it so many successes would be rarer than ``1 - confidence``."""
    return 0.0 if successes == 0 else _solve(lambda chance: tail(successes, trials, chance) - (1 - confidence))


def _solve(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


@lru_cache(maxsize=64)
def _choose(trials: int) -> Floats:
    factorials = _factorials(trials)
    chosen: Floats = factorials[trials] - factorials[: trials + 1] - factorials[: trials + 1][::-1]
    return chosen


@lru_cache(maxsize=8)
def _up_to(power: int) -> Floats:
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, 2**power + 1, dtype=np.float64)))))


def _factorials(largest: int) -> Floats:
    """The logarithms of 0!, 1!, ... up to at least the largest."""
    return _up_to(max(8, int(largest).bit_length()))

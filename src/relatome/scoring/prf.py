"""Precision, recall and F1 from counts, per class and averaged.

With c correct, p predicted and g gold items: precision c/p, recall c/g, F1 2c/(p + g). What is 0/0 is NaN: precision
where nothing was predicted, recall where the gold has nothing, F1 only where both are so. A class the gold has and
nobody predicts has F1 0, as it should.

- micro: the three numbers of the summed counts.
- macro: their plain mean over the classes where they are defined.
- weighted: the mean weighted by the gold items of each class, over the classes where they are defined.

These are scikit-learn's numbers with ``zero_division=nan`` (``precision_recall_fscore_support``). Its default of 0
counts an undefined class as a failure, so that a macro average would fall with each class a test set does not have.

Array shapes: R resamples, K classes; the last axis of counts is (correct, predicted, gold).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from relatome.errors import ScoreError
from relatome.scoring.measure import Cell
from relatome.scoring.resampling import Floats

NAMES = ("precision", "recall", "f1")
AVERAGES = ("micro", "macro", "weighted")


def precision_recall_f1(counts: Floats) -> Floats:
    """(..., 3) counts (correct, predicted, gold) to (..., 3) values.

    Examples
    --------
    >>> precision_recall_f1(np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 4.0]])).round(3).tolist()
    [[0.5, 0.25, 0.333], [nan, 0.0, 0.0]]
    """
    correct, predicted, gold = counts[..., 0], counts[..., 1], counts[..., 2]
    return np.stack((ratio(correct, predicted), ratio(correct, gold), ratio(2 * correct, predicted + gold)), axis=-1)


def as_scripts_do(counts: Floats) -> Floats:
    """The same, F1 as 2 P R / (P + R): what scripts that print every digit compute, apart in the last bit.

    Examples
    --------
    >>> (
    ...     precision_recall_f1(np.array([121.0, 142.0, 239.0]))[2].item(),
    ...     as_scripts_do(np.array([121.0, 142.0, 239.0]))[2].item(),
    ... )
    (0.6351706036745407, 0.6351706036745408)
    """
    numbers = precision_recall_f1(counts)
    precision, recall, f1 = numbers[..., 0], numbers[..., 1], numbers[..., 2]
    np.divide(2 * precision * recall, precision + recall, out=f1, where=f1 > 0)
    return numbers


def values(
    counts: Floats,
    averages: Sequence[str],
    *,
    counted: Sequence[int] | None = None,
    formula: Callable[[Floats], Floats] | None = None,
) -> Floats:
    """Counts (R, K, 3) to values (R, 3 * (K + averages)): class after class, then average after average.

    Parameters
    ----------
    averages
        Of ``AVERAGES``, in the order wanted.
    counted
        The classes that enter the averages, by index; all of them when left out.
    formula
        ``precision_recall_f1``, or ``as_scripts_do``.
    """
    formula = formula or precision_recall_f1
    per_class = formula(counts)
    entering = counts if counted is None else counts[:, list(counted)]
    entering_values = per_class if counted is None else per_class[:, list(counted)]
    parts = [per_class.reshape(len(counts), -1)]
    for average in averages:
        if average == "micro":
            parts.append(formula(entering.sum(axis=1)))
        elif average == "macro":
            parts.append(_mean(entering_values, np.ones_like(entering_values)))
        else:
            parts.append(_mean(entering_values, np.broadcast_to(entering[..., 2:], entering_values.shape)))
    return np.concatenate(parts, axis=1)


def cells(
    classes: Sequence[str], support: Sequence[int], averages: Sequence[str], *, counted: Sequence[int] | None = None
) -> tuple[Cell, ...]:
    """The names of what ``values`` gives, in its order; an average's support is that of the classes in it."""
    together = sum(support if counted is None else [support[index] for index in counted])
    rows = [*zip(classes, support, strict=True), *((average, together) for average in averages)]
    return tuple(Cell(name, class_, int(gold)) for class_, gold in rows for name in NAMES)


def check_classes(classes: Sequence[str], what: str) -> None:
    """Refuses a class list that is empty, names one twice, or takes the name of an average.

    Raises
    ------
    ScoreError
        With the name.
    """
    if isinstance(classes, str):
        raise ScoreError(f"the {what} are one string, {classes!r}", advice="give a list of names")
    if not classes:
        raise ScoreError(f"there are no {what} to score", advice="name at least one")
    for name in classes:
        if name in AVERAGES:
            raise ScoreError(f"{name!r} is the name of an average and cannot be one of the {what}")
        if list(classes).count(name) > 1:
            raise ScoreError(f"{name!r} is twice among the {what}", advice="name each once")


def ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, and NaN (without a warning) where ``whole`` is 0."""
    quotient: Floats = np.full(np.shape(whole), np.nan)
    return np.divide(part, whole, out=quotient, where=whole > 0)


def _mean(numbers: Floats, mean_weights: Floats) -> Floats:
    """(R, K, 3) to (R, 3): the weighted mean over the classes whose number is defined."""
    defined = ~np.isnan(numbers)
    total = np.where(defined, numbers * mean_weights, 0.0).sum(axis=1)
    return ratio(total, np.where(defined, mean_weights, 0.0).sum(axis=1))

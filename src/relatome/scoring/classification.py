"""One label per row: accuracy, errors, MCC, per-class numbers and their averages, with intervals by document or by row.

The numbers of scikit-learn's ``classification_report`` with ``zero_division=nan`` (see ``prf``), from an explicit label
list: the list is never guessed from the rows, where a label that happens to be absent would shift every average. With
probabilities also the Brier score, and AUROC and average precision (AUPRC) of each class against all others. Matthews'
coefficient is Gorodkin's for several classes (https://doi.org/10.1016/j.compbiolchem.2004.09.006); where only one class
is said, or is there, it is undefined (scikit-learn gives 0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from relatome.errors import ScoreError
from relatome.scoring import examples, offenders, prf, ranks
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums, units_of
from relatome.scoring.score import Report

NAME = "classification"
VERSION = 2  # 2: with MCC; AUROC and AUPRC where there are probabilities

Probabilities: TypeAlias = Sequence[Sequence[float]] | npt.NDArray[np.floating]

_AVERAGES = ("micro", "macro", "weighted")


def score(
    gold: Sequence[str],
    predicted: Sequence[str],
    *,
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    counted: Sequence[str] | None = None,
    probabilities: Probabilities | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Accuracy, the count of errors, MCC, and precision, recall and F1 per class and averaged.

    Parameters
    ----------
    gold, predicted
        One label per row, in the same order.
    labels
        All there are.
    groups
        The document of each row: documents are then resampled, with all their rows. When left out rows are, and the
        signature says so.
    counted
        The labels that enter the averages, such as all but "no relation"; all when left out.
    probabilities
        (rows, labels), in the order of ``labels``: adds ``brier``, the mean over rows of the squared distance
        to the gold label (Brier 1950; from 0 to 2), ``auroc`` and ``auprc`` per class and macro.
    resamples
        Of documents or rows, for the intervals; 0 gives none.
    seed
        The same seed gives the same intervals.

    Raises
    ------
    ScoreError
        No rows, different numbers of rows, a label not in the list, or probabilities that are none.

    Examples
    --------
    >>> report = score(["yes", "no", "no", "no"], ["yes", "no", "no", "yes"], labels=["no", "yes"])
    >>> report.value("accuracy"), report.value("errors"), report.value("precision", "yes")
    (0.75, 1.0, 0.5)
    """
    measured = measure(gold, predicted, labels=labels, groups=groups, counted=counted, probabilities=probabilities)
    return measured.report(resamples=resamples, seed=seed)


def measure(
    gold: Sequence[str],
    predicted: Sequence[str],
    *,
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    counted: Sequence[str] | None = None,
    probabilities: Probabilities | None = None,
) -> Measure:
    """The same as a function of document (or row) weights, for comparing two runs; parameters as in ``score``."""
    prf.check_classes(labels, "labels")
    averaged = list(labels if counted is None else counted)
    prf.check_classes(averaged, "labels counted")
    rows = _rows(gold, predicted, groups, probabilities)
    index = {label: position for position, label in enumerate(labels)}
    _known("label counted", averaged, index)
    _known("gold label", gold, index, row=True)
    _known("predicted label", predicted, index, row=True)

    truth = np.fromiter((index[label] for label in gold), dtype=np.intp, count=rows)
    answer = np.fromiter((index[label] for label in predicted), dtype=np.intp, count=rows)
    identity = np.eye(len(labels))
    right = (truth == answer)[:, None]
    # columns of each row: (correct, predicted, gold) of each label, then right, rows, squared distance
    columns = [np.stack((identity[truth] * right, identity[answer], identity[truth]), axis=-1).reshape(rows, -1)]
    columns += [right.astype(np.float64), np.ones((rows, 1))]
    if probabilities is not None:
        columns.append(
            ((checked_probabilities(probabilities, len(labels)) - identity[truth]) ** 2).sum(axis=1)[:, None]
        )
    counts = np.concatenate(columns, axis=1)
    units, place = units_of(rows, groups)
    summed = np.zeros((len(units), counts.shape[1]))
    np.add.at(summed, place, counts)

    positions = [index[label] for label in averaged]
    support = np.bincount(truth, minlength=len(labels)).tolist()
    whole = (Cell("accuracy", None, rows), Cell("errors", None, rows), Cell("mcc", None, rows))
    brier = () if probabilities is None else (Cell("brier", None, rows),)
    by_rank = () if probabilities is None else _rank_cells(labels, support, positions)
    value = of_sums(summed, _value(len(labels), positions))
    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=(*whole, *brier, *prf.cells(labels, support, _AVERAGES, counted=positions), *by_rank),
        units=units,
        unit="row" if groups is None else "document",
        value=value if probabilities is None else _with_ranks(value, truth, probabilities, place, positions),
        signature={"match": "label", "averaging": ["class", *_AVERAGES], "classes": averaged, "labels": list(labels)},
    )


def read(
    gold: str | None, predicted: str, *, labels: Sequence[str] | None = None, classes: Sequence[str] | None = None
) -> dict[str, Any]:
    """The arguments of ``measure`` from files of examples (see ``examples``), matched by id.

    Parameters
    ----------
    gold
        ``None`` where the predictions' file holds the gold too, as ``relatome evaluate --predictions`` writes it.
    labels
        All there are; those the file says, or the names of its probabilities, when left out.
    classes
        Those that enter the averages.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        Ids are missing or stand twice, nothing says the labels, or some rows have probabilities and some have none.
    """
    return arguments(examples.sides(gold, predicted), labels=labels, classes=classes)


def arguments(
    found: examples.Examples, *, labels: Sequence[str] | None = None, classes: Sequence[str] | None = None
) -> dict[str, Any]:
    """The arguments of ``measure`` from examples; as ``read`` from their files.

    Raises
    ------
    ScoreError
        As ``read``; or all gold is of one class, which in a file is a mistake (``measure`` gives NaN where it must).
    """
    names = examples.labels_of(found, labels)
    examples.several_classes(found)
    counted = classes or (found.options or {}).get("counted")
    return {
        "gold": [examples.label(row.gold, row, found) for row in found.rows],
        "predicted": [examples.label(row.predicted, row, found) for row in found.rows],
        "labels": names,
        "groups": examples.documents(found.rows),
        "counted": counted and [str(name) for name in counted],
        "probabilities": examples.probabilities(found.rows, names),
    }


def _value(labels: int, positions: Sequence[int]) -> Callable[[Floats], Floats]:
    def value(sums: Floats) -> Floats:
        per_label, rest = sums[:, : 3 * labels].reshape(len(sums), labels, 3), sums[:, 3 * labels :]
        right, rows, distance = rest[:, :1], rest[:, 1:2], rest[:, 2:]
        said, there = per_label[..., 1], per_label[..., 2]
        together = right * rows - (said * there).sum(axis=1, keepdims=True)
        spread = rows**2 - (said**2).sum(axis=1, keepdims=True), rows**2 - (there**2).sum(axis=1, keepdims=True)
        whole = (prf.ratio(right, rows), rows - right, prf.ratio(together, np.sqrt(spread[0] * spread[1])))
        return np.concatenate((*whole, distance / rows, prf.values(per_label, _AVERAGES, counted=positions)), axis=1)

    return value


def _rank_cells(labels: Sequence[str], support: Sequence[int], positions: Sequence[int]) -> tuple[Cell, ...]:
    per_class = [Cell(name, label, support[index]) for index, label in enumerate(labels) for name in ("auroc", "auprc")]
    together = sum(support[index] for index in positions)
    return (*per_class, Cell("auroc", "macro", together), Cell("auprc", "macro", together))


def _with_ranks(
    sums: Callable[[Floats], Floats],
    truth: npt.NDArray[np.intp],
    probabilities: Probabilities,
    place: npt.NDArray[np.intp],
    positions: Sequence[int],
) -> Callable[[Floats], Floats]:
    """The values of the sums, then AUROC and AUPRC of each class, then their means over the classes counted."""
    table = np.asarray(probabilities, dtype=np.float64)
    scores = [ranks.discrimination(truth == index, table[:, index]) for index in range(table.shape[1])]

    def value(weights: Floats) -> Floats:
        of_rows = weights[:, place]
        found = np.concatenate([both(of_rows) for both in scores], axis=1)
        entering = found.reshape(len(found), -1, 2)[:, list(positions)]
        defined = ~np.isnan(entering)
        macro = prf.ratio(np.where(defined, entering, 0).sum(axis=1), defined.sum(axis=1))
        return np.concatenate((sums(weights), found, macro), axis=1)

    return value


def _rows(
    gold: Sequence[str],
    predicted: Sequence[str],
    groups: Sequence[str] | None,
    probabilities: Probabilities | None,
) -> int:
    for what, sequence in (
        ("predicted labels", predicted),
        ("document ids", groups),
        ("rows of probabilities", probabilities),
    ):
        if sequence is not None and len(sequence) != len(gold):
            raise ScoreError(
                f"there are {len(gold)} gold labels and {len(sequence)} {what}",
                advice="give one for each row, in the same order",
            )
    if len(gold) == 0:
        raise ScoreError("there are no rows to score")
    return len(gold)


def _known(what: str, names: Sequence[str], index: dict[str, int], *, row: bool = False) -> None:
    unknown = [(number, name) for number, name in enumerate(names, 1) if name not in index]
    if unknown:
        shown = offenders.listed([f"{name!r}" + (f" (row {number})" if row else "") for number, name in unknown])
        raise ScoreError(
            f"{offenders.counted(len(unknown), what)} not in the label list: {shown}",
            advice="the list: " + ", ".join(map(repr, index)),
        )


def checked_probabilities(given: Probabilities, labels: int) -> Floats:
    """The table (rows, labels) of numbers, when every row is a distribution.

    Raises
    ------
    ScoreError
        It is none, or has NaN, numbers outside 0..1 or rows of another sum than 1: the first three and the count.
    """
    try:
        table = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ScoreError("the probabilities are not a table of numbers", advice=f"give {labels} for each row") from None
    if table.ndim != 2 or table.shape[1] != labels:
        raise ScoreError(f"the probabilities have the shape {table.shape}", advice=f"give {labels} for each row")
    for what, bad in (
        ("NaN or infinite", ~np.isfinite(table).all(axis=1)),
        ("outside 0..1", ((table < 0) | (table > 1)).any(axis=1)),
        ("of a sum other than 1", np.abs(table.sum(axis=1) - 1) > 1e-3),
    ):
        rows = (np.flatnonzero(bad) + 1).tolist()
        if rows:
            count = f"{len(rows)} row{'s' if len(rows) > 1 else ''}"
            raise ScoreError(f"probabilities are {what} in {count}: row {offenders.listed(rows)}")
    return table

"""Several labels per row or document: micro, macro and per-label numbers, and the mean over documents.

The hallmarks of cancer (HoC) are scored so: sentences carry labels, a document has those of any of its sentences, and
documents are compared. ``micro`` is what BLURB calls F1; ``document`` is the example-based precision, recall and F1 of
the BLUE benchmark, whose F1 is that of the mean precision and the mean recall, not the mean F1. A document for which
nothing is predicted has precision 0 there; one without gold labels would divide by zero and has recall 0 here.

With probabilities AUROC and average precision of each label. scikit-learn's ``multilabel`` numbers, a test compares.

References
----------
https://github.com/ncbi-nlp/BLUE_Benchmark (``blue/eval_hoc.py``)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from relatome.errors import ScoreError
from relatome.scoring import examples, offenders, prf, ranks
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums, units_of
from relatome.scoring.score import Report

NAME = "multilabel"
VERSION = 1

_AVERAGES = ("micro", "macro", "weighted")


def score(
    gold: Sequence[Collection[str]],
    predicted: Sequence[Collection[str]],
    *,
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    probabilities: Sequence[Sequence[float]] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Precision, recall and F1 of label sets, after the rows of a document are put together.

    Parameters
    ----------
    gold, predicted
        The labels of each row, in the same order; a row may have none.
    labels
        All there are.
    groups
        The document of each row, whose labels are those of all its rows; each row for itself when left out.
    probabilities
        (rows, labels): a document's is the largest of its rows'. They need not sum to 1.

    Raises
    ------
    ScoreError
        No rows, different numbers of rows, a label not in the list, or probabilities that are none.

    Examples
    --------
    >>> report = score([["a"], ["b"], []], [["a"], [], ["b"]], labels=["a", "b"], groups=["1", "1", "2"])
    >>> report.value("f1", "micro"), report.value("recall", "document"), report.value("exact")
    (0.5, 0.25, 0.0)
    """
    measured = measure(gold, predicted, labels=labels, groups=groups, probabilities=probabilities)
    return measured.report(resamples=resamples, seed=seed)


def measure(
    gold: Sequence[Collection[str]],
    predicted: Sequence[Collection[str]],
    *,
    labels: Sequence[str],
    groups: Sequence[str] | None = None,
    probabilities: Sequence[Sequence[float]] | None = None,
) -> Measure:
    """The same as a function of document (or row) weights, for comparing two runs; parameters as in ``score``."""
    prf.check_classes(labels, "labels")
    rows = offenders.same_length(gold, predicted)
    if groups is not None and len(groups) != rows:
        raise ScoreError(f"there are {rows} rows and {len(groups)} document ids", advice="give one for each row")
    units, place = units_of(rows, groups)
    truth, answer = (np.zeros((len(units), len(labels)), dtype=bool) for _ in range(2))
    index = {label: position for position, label in enumerate(labels)}
    for side, sets, noun in ((truth, gold, "gold label"), (answer, predicted, "predicted label")):
        said = [(row, str(label)) for row, some in enumerate(sets) for label in some]
        offenders.known([label for _, label in said], labels, noun, where=[f"row {row + 1}" for row, _ in said])
        for row, label in said:
            side[place[row], index[label]] = True
    if not truth.any():
        raise ScoreError(f"the gold of all {len(units):,} documents is empty: nothing can be found")

    counts = np.stack((truth & answer, answer, truth), axis=-1).astype(np.float64)
    right, said, there = (counts[..., column].sum(axis=1) for column in range(3))
    by_document = [
        prf.ratio(right, np.maximum(said, 1)),
        prf.ratio(right, np.maximum(there, 1)),
        (truth == answer).all(axis=1),
    ]
    table = np.concatenate(
        (counts.reshape(len(units), -1), np.stack((*by_document, np.ones(len(units))), axis=1)), axis=1
    )
    support = truth.sum(axis=0).tolist()

    def value(sums: Floats) -> Floats:
        rest = sums[:, 3 * len(labels) :]
        precision, recall, exact = (rest[:, column : column + 1] / rest[:, 3:] for column in range(3))
        f1 = prf.ratio(2 * precision * recall, precision + recall)
        f1[precision + recall == 0] = 0.0  # as BLUE counts: nothing is right in any document
        values = prf.values(sums[:, : 3 * len(labels)].reshape(len(sums), len(labels), 3), _AVERAGES)
        return np.concatenate((exact, values, precision, recall, f1), axis=1)

    of_counts = of_sums(table, value)
    cells = (
        Cell("exact", None, len(units)),
        *prf.cells(labels, support, _AVERAGES),
        *(Cell(name, "document", len(units)) for name in prf.NAMES),
    )
    tables = None if probabilities is None else _probabilities(probabilities, rows, len(labels), place, len(units))
    ranked = [] if tables is None else [
        one(truth[:, column], tables[:, column])
        for column in range(len(labels))
        for one in (ranks.auroc, ranks.average_precision)
    ]  # fmt: skip

    def with_ranks(weights: Floats) -> Floats:
        return np.concatenate((of_counts(weights), *(one(weights) for one in ranked)), axis=1)

    more = (
        [Cell(name, label, support[index[label]]) for label in labels for name in ("auroc", "auprc")] if ranked else []
    )
    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=(*cells, *more),
        units=units,
        unit="row" if groups is None else "document",
        value=with_ranks if ranked else of_counts,
        signature={"match": "label", "averaging": ["class", *_AVERAGES, "document"], "classes": list(labels)},
    )


def read(gold: str | None, predicted: str, *, labels: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of ``measure`` from files of examples (see ``examples``), matched by id.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        Ids are missing or stand twice, or nothing says the labels.
    """
    return arguments(examples.sides(gold, predicted), labels=labels)


def arguments(found: examples.Examples, *, labels: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of ``measure`` from examples; as ``read`` from their files."""
    names = examples.labels_of(found, labels)
    return {
        "gold": [examples.listed(row.gold) for row in found.rows],
        "predicted": [examples.listed(row.predicted) for row in found.rows],
        "labels": names,
        "groups": examples.documents(found.rows),
        "probabilities": examples.probabilities(found.rows, names),
    }


def _probabilities(given: Sequence[Sequence[float]], rows: int, labels: int, place: Any, documents: int) -> Floats:
    table = np.asarray(given, dtype=np.float64)
    if table.shape != (rows, labels):
        raise ScoreError(f"the probabilities have the shape {table.shape}", advice=f"give {labels} for each row")
    bad = (np.flatnonzero(~((table >= 0) & (table <= 1)).all(axis=1)) + 1).tolist()
    if bad:
        raise ScoreError(f"probabilities are NaN or outside 0..1 in {len(bad)} rows: row {offenders.listed(bad)}")
    largest = np.zeros((documents, labels))
    np.maximum.at(largest, place, table)
    return largest

"""BioBERT's relation rows: the numbers of its ``re_eval.py``, from an explicit list of labels.

Two labels are its binary task: F1, recall and precision of the second label, and the recall of the first, called
specificity. More labels are its ChemProt task: the micro-average over the classes counted, which are all but the last
label there (the five groups, then ``false``). A row's answer is the label with the greatest probability, the first of equals.

The original takes its labels from the test file, sorted: a label that no test row has would shift every column, so that
the numbers are those of other classes. Here the list is given, and a file that does not fit it is refused.

References
----------
Lee et al. 2020, https://doi.org/10.1093/bioinformatics/btz682; https://github.com/dmis-lab/biobert
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from relatome.errors import FormatError, ScoreError, SettingsError
from relatome.formats.files import numbered
from relatome.scoring import offenders, prf
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums
from relatome.scoring.score import Report, SignatureValue

NAME = "re-eval"
VERSION = 1


def score(
    gold: Sequence[str],
    predicted: Sequence[str],
    *,
    labels: Sequence[str],
    classes: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """BioBERT's numbers of rows with one label each.

    Parameters
    ----------
    gold, predicted
        One label for each row, in the same order.
    labels
        All there are, in the order of the probabilities' columns; of two, the second is the positive one.
    classes
        Of more than two, those that the micro-average counts; all but the last when left out.
    resamples
        Of rows, for the intervals; 0 gives none.
    seed
        The same seed gives the same intervals.

    Raises
    ------
    ScoreError
        No rows, different numbers of rows, a label that is not in the list, or gold of one class only.

    Examples
    --------
    >>> report = score(["1", "1", "0", "0"], ["1", "0", "0", "0"], labels=["0", "1"])
    >>> report.value("recall"), report.value("precision"), report.value("specificity")
    (0.5, 1.0, 1.0)
    """
    return measure(gold, predicted, labels=labels, classes=classes).report(resamples=resamples, seed=seed)


def measure(
    gold: Sequence[str], predicted: Sequence[str], *, labels: Sequence[str], classes: Sequence[str] | None = None
) -> Measure:
    """The same as a function of row weights, for comparing two runs; parameters as in ``score``."""
    counts, counted = _counts(gold, predicted, labels, classes)
    rows, kinds = len(gold), len(labels)
    signature: dict[str, SignatureValue] = {"match": "label", "labels": list(labels)}
    if kinds == 2:

        def binary(sums: Floats) -> Floats:
            sums = sums.reshape(len(sums), 2, 3)
            precision, recall, f1 = np.moveaxis(prf.precision_recall_f1(sums[:, 1]), -1, 0)
            return np.stack((f1, recall, precision, prf.ratio(sums[:, 0, 0], sums[:, 0, 2])), axis=-1)

        negative, positive = counts.sum(axis=0).reshape(2, 3)[:, 2].astype(int).tolist()
        names = (("f1", positive), ("recall", positive), ("precision", positive), ("specificity", negative))
        return Measure(
            scorer=NAME,
            version=VERSION,
            cells=tuple(Cell(name, None, support) for name, support in names),
            units=tuple(map(str, range(1, rows + 1))),
            unit="row",
            value=of_sums(counts, binary),
            signature={**signature, "averaging": ["binary"], "classes": [labels[1]]},
        )
    positions = [list(labels).index(name) for name in counted]

    def value(sums: Floats) -> Floats:
        return prf.values(sums.reshape(len(sums), kinds, 3)[:, positions], ("micro",))

    support = counts.sum(axis=0).reshape(kinds, 3)[positions, 2].tolist()
    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=prf.cells(counted, support, ("micro",)),
        units=tuple(map(str, range(1, rows + 1))),
        unit="row",
        value=of_sums(counts, value),
        signature={**signature, "averaging": ["class", "micro"], "classes": list(counted)},
    )


def text(
    gold: Sequence[str], predicted: Sequence[str], *, labels: Sequence[str], classes: Sequence[str] | None = None
) -> str:
    """What ``re_eval.py`` prints; 0.00% where it divides by nothing.

    Examples
    --------
    >>> print(text(["1", "1", "0", "0"], ["1", "0", "0", "0"], labels=["0", "1"]), end="")
    f1 score    : 66.67%
    recall      : 50.00%
    precision   : 100.00%
    specificity : 100.00%
    """
    report = measure(gold, predicted, labels=labels, classes=classes).report(resamples=0)
    average = None if len(labels) == 2 else "micro"
    names = {"f1 score": "f1", "recall": "recall", "precision": "precision"}
    if average is None:
        names["specificity"] = "specificity"
    return "".join(f"{shown:11s} : {np.nan_to_num(report.value(name, average)):.2%}\n" for shown, name in names.items())


TEXTS: Mapping[str, Callable[..., str]] = {"re_eval": text}


def read(
    gold: str | None,
    predicted: str,
    *,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The arguments of ``measure`` from BioBERT's ``test.tsv`` and the ``test_results.tsv`` of its ``run_re.py``.

    Parameters
    ----------
    gold
        A table with tabs whose first line has a column ``label``.
    predicted
        A row of probabilities for each gold row, a column for each label, with tabs between.
    labels, classes
        As in ``score``; the labels are needed.

    Raises
    ------
    InputError
        A file cannot be read, or a row has other columns.
    ScoreError
        The rows are not as many, a label is not in the list, a probability is none, or all gold is of one class.
    """
    gold = offenders.needed(gold, "--gold: BioBERT's test.tsv")
    if labels is None:
        raise SettingsError(
            [
                "--labels is needed, in the order of the columns: 0,1, or for ChemProt CPR:3,CPR:4,CPR:5,CPR:6,CPR:9,false"
            ]
        )
    prf.check_classes(labels, "labels")
    wanted, lines = _labels(gold)
    offenders.known(wanted, labels, "gold label", where=[f"line {line:,}" for line in lines])
    found = _answers(predicted, labels)
    if len(wanted) != len(found):
        raise ScoreError(
            f"the gold has {len(wanted):,} rows and the predictions have {len(found):,}",
            path=predicted,
            advice=f"one row of probabilities for each row of {gold}, without a header",
        )
    return {"gold": wanted, "predicted": found, "labels": list(labels), "classes": classes}


def _counts(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str], classes: Sequence[str] | None
) -> tuple[Floats, list[str]]:
    """(rows, 3 * labels): correct, predicted and gold of each label; and the classes counted."""
    prf.check_classes(labels, "labels")
    if len(labels) < 2:
        raise ScoreError("there is one label only, so there is nothing to tell apart", advice="name both")
    if len(labels) == 2 and classes is not None:
        raise ScoreError("of two labels the second is the positive one: there are no classes to choose")
    counted = list(labels[:-1] if classes is None else classes)
    prf.check_classes(counted, "labels counted")
    offenders.known(counted, labels, "label counted")
    rows = offenders.same_length(gold, predicted)
    offenders.known(gold, labels, "gold label")
    offenders.known(predicted, labels, "predicted label")
    if len(set(gold)) == 1:
        raise ScoreError(
            f"all {rows:,} gold labels are {gold[0]!r}: recall and specificity cannot both be measured",
            advice="is it the right column?",
        )
    index = {name: position for position, name in enumerate(labels)}
    truth = np.array([index[name] for name in gold])
    answer = np.array([index[name] for name in predicted])
    identity = np.eye(len(labels))
    right = (truth == answer)[:, None]
    return np.stack((identity[truth] * right, identity[answer], identity[truth]), axis=-1).reshape(rows, -1), counted


def _labels(path: str) -> tuple[list[str], list[int]]:
    lines = (line for line in numbered(path) if line.text.strip())
    head = next(lines, None)
    columns = [] if head is None else [name.strip().strip('"') for name in head.text.split("\t")]
    if "label" not in columns:
        raise FormatError(
            "the first line has no column 'label'",
            path=path,
            line=1,
            advice="BioBERT's test.tsv has: index, sentence, label",
        )
    place, found, numbers = columns.index("label"), [], []
    for line in lines:
        row = line.text.split("\t")
        if len(row) != len(columns):
            raise FormatError(f"expected {len(columns)} columns, found {len(row)}", path=path, line=line.number)
        found.append(row[place].strip())
        numbers.append(line.number)
    offenders.some(found, "rows", path=path)
    return found, numbers


def _answers(path: str, labels: Sequence[str]) -> list[str]:
    found, bad = [], []
    for line in numbered(path):
        if not line.text.strip():
            continue
        row = line.text.split("\t")
        if len(row) != len(labels):
            raise FormatError(
                f"expected {len(labels)} probabilities with tabs between, found {len(row)} columns",
                path=path,
                line=line.number,
                advice="one for each label: " + ", ".join(labels),
            )
        try:
            numbers = [float(cell) for cell in row]
        except ValueError:
            numbers = [float("nan")]
        if not np.isfinite(numbers).all():
            bad.append(line.number)
        found.append(labels[int(np.argmax(numbers))] if len(numbers) == len(labels) else "")
    if bad:
        shown = offenders.listed([f"line {number:,}" for number in bad])
        raise ScoreError(
            f"{offenders.counted(len(bad), 'row')} not of finite numbers: {shown}",
            path=path,
            advice="probabilities without a header",
        )
    offenders.some(found, "rows of probabilities", path=path)
    return found

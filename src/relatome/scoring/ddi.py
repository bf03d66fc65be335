"""Drug-drug interactions as SemEval-2013 task 9.2 scored them: detection, then type, micro and macro.

    detection    the pair interacts, whatever the type
    type         each of mechanism, effect, advise, int; micro is what the task calls detection and classification
    macro        precision and recall averaged over the types, and F1 made of these two, which is not the mean of the F1

A pair is two drug names of a sentence, in either order; an interaction said twice counts once. A type the gold has and
nobody predicts has precision 0 in the macro-average, as there.

References
----------
Segura-Bedmar et al. 2013, https://aclanthology.org/S13-2056
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from relatome.errors import FormatError, ScoreError
from relatome.formats.files import numbered
from relatome.scoring import offenders, prf
from relatome.scoring.measure import Measure
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums
from relatome.scoring.score import Report
from relatome.scoring.sets import tally

NAME = "ddi"
VERSION = 1
TYPES = ("mechanism", "effect", "advise", "int")

Interactions = Mapping[str, Collection[tuple[str, str, str]]]  # document id -> (name, name, type)


def score(
    gold: Interactions,
    predicted: Interactions,
    *,
    classes: Sequence[str] = TYPES,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Precision, recall and F1 of interactions: detected, per type, micro and macro.

    Parameters
    ----------
    gold, predicted
        For each document (name, name, type), by mention ids in either order. Both hold the same documents.
    classes
        The types there are.
    resamples
        Of documents, for the intervals; 0 gives none.
    seed
        The same seed gives the same intervals.

    Raises
    ------
    ScoreError
        Documents are missing on one side, there are none, or a type is not in the list.

    Examples
    --------
    >>> gold = {"1": [("e0", "e1", "effect"), ("e0", "e2", "advise")]}
    >>> predicted = {"1": [("e1", "e0", "effect"), ("e0", "e2", "effect")]}
    >>> report = score(gold, predicted)
    >>> [report.value("f1", name) for name in ("detection", "micro", "macro")]
    [1.0, 0.5, 0.3333333333333333]
    """
    return measure(gold, predicted, classes=classes).report(resamples=resamples, seed=seed)


def measure(gold: Interactions, predicted: Interactions, *, classes: Sequence[str] = TYPES) -> Measure:
    """The same as a function of document weights, for comparing two runs; parameters as in ``score``."""
    for what, side in (("gold", gold), ("predicted", predicted)):
        rows = [(name, one[2]) for name, items in side.items() for one in items]
        offenders.known(
            [kind for _, kind in rows], classes, f"{what} type", where=[f"document {name}" for name, _ in rows]
        )
    named = ("detection", *classes)
    prf.check_classes(named, "interaction types")
    documents = offenders.same_ids(gold, predicted)
    counts = tally([(_facts(gold[name]), _facts(predicted[name])) for name in documents], named)

    def value(sums: Floats) -> Floats:
        sums = sums.reshape(len(sums), len(named), 3)
        return np.concatenate(
            (
                prf.values(sums, (), formula=prf.as_scripts_do),
                prf.as_scripts_do(sums[:, 1:].sum(axis=1)),
                _macro(sums[:, 1:]),
            ),
            axis=1,
        )

    support = counts.sum(axis=0)[:, 2].tolist()
    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=prf.cells(named, support, ("micro", "macro"), counted=range(1, len(named))),
        units=documents,
        unit="document",
        value=of_sums(counts.reshape(len(documents), -1), value),
        signature={
            "match": "pair in either order, by mention",
            "averaging": ["class", "micro", "macro, F1 of macro P and R"],
            "classes": list(classes),
        },
    )


def read(gold: str | None, predicted: str, *, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of ``measure`` from the corpus's XML and the task's lines ``sentence|e1|e2|1|effect``.

    Parameters
    ----------
    gold
        A file of the corpus, or a folder of them.
    predicted
        The fourth column says 1 or 0, the fifth the type, ``null`` for 0. Where there are lines with 0 every pair of
        the gold has its line; a file that has only lines with 1 need not have the others.
    classes
        The types there are; the corpus's four when left out.

    Raises
    ------
    InputError
        A file cannot be read, or a line has other columns.
    ScoreError
        Pairs are missing, stand there twice with different answers, or are not the gold's.
    """
    from relatome.formats import ddi

    gold = offenders.needed(gold, "--gold: an XML file of the corpus, or a folder of them")
    wanted: dict[str, list[tuple[str, str, str]]] = {}
    place: dict[tuple[str, str], str] = {}  # of every pair, its document
    for document in ddi.read(gold, on_repair=lambda problem: None):
        pairs = [(one.head, one.tail) for one in document.relations]
        pairs += [(one, other) for one, other in document.meta.get("false_pairs", ())]
        place |= {_sorted(*pair): document.id for pair in pairs}
        wanted[document.id] = [(one.head, one.tail, one.type) for one in document.relations]
    offenders.some(wanted, "interactions", path=gold)
    answers = _answers(predicted)
    _same_pairs(place, answers, gold, predicted)
    found: dict[str, list[tuple[str, str, str]]] = {name: [] for name in wanted}
    for (one, other), (kind, _) in answers.items():
        if kind is not None:
            found[place[one, other]].append((one, other, kind))
    offenders.some(found, "interactions", path=predicted)
    return {"gold": wanted, "predicted": found, "classes": tuple(classes or TYPES)}


def _facts(items: Collection[tuple[str, str, str]]) -> list[tuple[Any, Any, str]]:
    pairs = [(_sorted(one, other), kind) for one, other, kind in items]
    return [(pair, None, kind) for pair, kind in pairs] + [(pair, None, "detection") for pair, _ in pairs]


def _macro(sums: Floats) -> Floats:
    """(R, types, 3) to (R, 3): the means over types either side has, 0 where a ratio is undefined, and their F1."""
    there = (sums[..., 1:] > 0).any(axis=-1)
    total = np.where(there, 1.0, 0.0).sum(axis=1)
    numbers = np.nan_to_num(prf.precision_recall_f1(sums)[..., :2])
    precision, recall = (prf.ratio((numbers[..., i] * there).sum(axis=1), total) for i in (0, 1))
    f1 = np.where(total > 0, 0.0, np.nan)
    np.divide(2 * precision * recall, precision + recall, out=f1, where=precision + recall > 0)
    return np.stack((precision, recall, f1), axis=-1)


def _sorted(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one <= other else (other, one)


def _answers(path: str) -> dict[tuple[str, str], tuple[str | None, int]]:
    """Of each pair its type, or none, and its line."""
    found: dict[tuple[str, str], tuple[str | None, int]] = {}
    clashes: list[str] = []
    for line in numbered(path):
        if not line.text.strip():
            continue
        columns = [column.strip() for column in line.text.split("|")]
        if len(columns) != 5 or columns[3] not in ("0", "1") or not columns[1] or not columns[2]:
            raise FormatError(
                f"expected sentence|e1|e2|0 or 1|type, found {line.text[:60]!r}", path=path, line=line.number
            )
        _, one, other, says, kind = columns
        if says == "1" and kind in ("", "null"):
            raise FormatError("an interaction without a type", path=path, line=line.number)
        pair, answer = _sorted(one, other), kind if says == "1" else None
        if pair in found and found[pair][0] != answer:
            clashes.append(f"{one} and {other} (lines {found[pair][1]:,} and {line.number:,})")
        found.setdefault(pair, (answer, line.number))
    if clashes:
        raise ScoreError(
            f"{offenders.counted(len(clashes), 'pair')} answered in two ways: " + offenders.listed(clashes),
            path=path,
        )  # fmt: skip
    offenders.some(found, "pairs", path=path)
    return found


def _same_pairs(
    place: Mapping[tuple[str, str], str],
    answers: Mapping[tuple[str, str], tuple[str | None, int]],
    gold: str,
    path: str,
) -> None:
    strange = [
        f"{one} and {other} (line {answers[one, other][1]:,})" for one, other in answers if (one, other) not in place
    ]
    if strange:
        raise ScoreError(
            f"{offenders.counted(len(strange), 'pair')} not in the gold: " + offenders.listed(strange),
            path=path,
            advice=f"the gold is {gold}",
        )  # fmt: skip
    missing = [f"{one} and {other}" for one, other in place if (one, other) not in answers]
    if missing and any(kind is None for kind, _ in answers.values()):
        raise ScoreError(
            f"{offenders.counted(len(missing), 'pair')} not answered: " + offenders.listed(missing),
            path=path,
            advice="give every pair of the gold its line, or only lines with 1",
        )  # fmt: skip

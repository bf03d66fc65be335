"""ChemProt as BioCreative VI scored it: pairs and groups, micro-averaged over the five groups that are evaluated.

A fact is (document, group, chemical, gene); it is right when the gold standard has the very same line. So a pair in two
groups is two facts, a line said twice counts once, arguments the other way round are wrong. The numbers are those of
``bc6chemprot_eval.jar`` to the last digit: F1 is computed as 2 P R / (P + R), and ``--format chemprot`` prints its lines.
The evaluator of the task took any group for a prediction; here one that is not counted is an error, or left out when the
classes are named.

References
----------
Krallinger et al. 2017, Overview of the BioCreative VI chemical-protein interaction track.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from relatome.formats.chemprot import EVALUATED
from relatome.scoring import facts, offenders, prf
from relatome.scoring.measure import Measure
from relatome.scoring.resampling import RESAMPLES
from relatome.scoring.score import Report
from relatome.scoring.sets import set_measure

NAME = "chemprot"
VERSION = 1

Relations = Mapping[str, Collection[tuple[str, str, str]]]  # document id -> (chemical, gene, group)


def score(
    gold: Relations,
    predicted: Relations,
    *,
    classes: Sequence[str] = EVALUATED,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Precision, recall and F1 of chemical-protein relations, per group and micro-averaged.

    Parameters
    ----------
    gold, predicted
        For each document (chemical, gene, group), by mention ids. Both hold the same documents; one without relations
        has an empty collection.
    classes
        The groups counted, the five evaluated ones by default; others are left out on both sides.
    resamples
        Of documents, for the intervals; 0 gives none.
    seed
        The same seed gives the same intervals.

    Raises
    ------
    ScoreError
        Documents are missing on one side, there are none, or the class list is unusable.

    Examples
    --------
    >>> gold = {"1": [("T1", "T2", "CPR:4"), ("T1", "T3", "CPR:9")], "2": []}
    >>> predicted = {"1": [("T1", "T2", "CPR:4")], "2": [("T1", "T2", "CPR:3")]}
    >>> report = score(gold, predicted)
    >>> report.value("precision", "micro"), report.value("f1", "CPR:4")
    (0.5, 1.0)
    """
    return measure(gold, predicted, classes=classes).report(resamples=resamples, seed=seed)


def measure(gold: Relations, predicted: Relations, *, classes: Sequence[str] = EVALUATED) -> Measure:
    """The same as a function of document weights, for comparing two runs; parameters as in ``score``."""
    return set_measure(
        NAME, VERSION, gold, predicted, classes, what="relation classes", match="chemical, gene and group, by mention",
        averages=("micro",), formula=prf.as_scripts_do,
    )  # fmt: skip


def read(
    gold: str | None, predicted: str, *, classes: Sequence[str] | None = None, documents: str | None = None
) -> dict[str, Any]:
    """The arguments of ``measure`` from two files of lines ``PMID, CPR:4, Arg1:T7, Arg2:T39``.

    Parameters
    ----------
    classes
        The groups counted; others are then left out, which without it are an error.
    documents
        A file with the ids of all documents scored, one a line. Without it, those with a relation in either file.

    Raises
    ------
    InputError
        A file cannot be read, or a line has other columns.
    ScoreError
        A file has no relation that is counted, one of a group that is not counted, or of a document not in the list.
    """
    gold = offenders.needed(gold, "--gold: a *_gold_standard.tsv file")
    sides, counted = facts.sides(gold, predicted, classes, EVALUATED)
    wanted, found = facts.by_document(sides, (gold, predicted), documents)
    return {"gold": wanted, "predicted": found, "classes": counted}


def text(gold: Relations, predicted: Relations, *, classes: Sequence[str] = EVALUATED) -> str:
    """What the task's evaluator writes into ``eval.txt``.

    Examples
    --------
    >>> print(text({"1": [("T1", "T2", "CPR:4")]}, {"1": [("T1", "T2", "CPR:4"), ("T1", "T3", "CPR:9")]}), end="")
    Total annotations: 1
    Total predictions: 2
    TP: 1
    FN: 0
    FP: 1
    Precision: 0.5
    Recall: 1.0
    F-score: 0.6666666666666666
    """
    sides = [{name: [one for one in side[name] if one[2] in classes] for name in gold} for side in (gold, predicted)]
    correct, wrong, missed = facts.tally(*sides)
    precision, recall, f1 = map(facts.java, facts.percentages(correct, wrong, missed))
    return (
        f"Total annotations: {correct + missed}\nTotal predictions: {correct + wrong}\n"
        f"TP: {correct}\nFN: {missed}\nFP: {wrong}\nPrecision: {precision}\nRecall: {recall}\nF-score: {f1}\n"
    )


TEXTS: Mapping[str, Callable[..., str]] = {"chemprot": text}

"""Relations: the same head, tail and type, per class, micro and macro, with intervals by document.

What head and tail are is the caller's: mention ids where the entities are gold, exact spans on both sides where they
are predicted (end to end), concept ids at document level. The classes listed are the ones counted, as in ChemProt,
where BioCreative VI evaluates five of the ten groups, micro-averaged, each (pair, group) once (Krallinger et al. 2017).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

from relatome.scoring.measure import Measure
from relatome.scoring.resampling import RESAMPLES
from relatome.scoring.score import Report
from relatome.scoring.sets import set_measure

NAME = "relations"
VERSION = 1

Relations = Mapping[str, Collection[tuple[Hashable, Hashable, str]]]  # document id -> (head, tail, type)


def score(
    gold: Relations,
    predicted: Relations,
    *,
    classes: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Precision, recall and F1 of typed, directed relations.

    Parameters
    ----------
    gold, predicted
        For each document (head, tail, type); a relation said twice counts once, a pair with two types is two
        relations. Both hold the same documents; one without relations has an empty collection.
    classes
        The classes counted, others being left out on both sides; "no relation" is not one of them.
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
    >>> gold = {"1": [("T1", "T2", "CPR:4"), ("T1", "T3", "CPR:10")], "2": [("T1", "T2", "CPR:9")]}
    >>> predicted = {"1": [("T1", "T2", "CPR:4")], "2": [("T2", "T1", "CPR:9")]}
    >>> report = score(gold, predicted, classes=["CPR:3", "CPR:4", "CPR:9"])
    >>> report.value("f1", "micro"), report.value("f1", "macro"), report.value("f1", "CPR:3")
    (0.5, 0.5, nan)
    """
    return measure(gold, predicted, classes=classes).report(resamples=resamples, seed=seed)


def measure(gold: Relations, predicted: Relations, *, classes: Sequence[str]) -> Measure:
    """The same as a function of document weights, for comparing two runs; parameters as in ``score``."""
    return set_measure(NAME, VERSION, gold, predicted, classes, what="relation classes", match="head, tail and type")

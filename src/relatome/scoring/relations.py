"""Relations: the same head, tail and type, per class, micro and macro, with intervals by document.

What head and tail are is the caller's: mention ids where the entities are gold, exact spans on both sides where they
are predicted (end to end), concept ids at document level. The classes listed are the ones counted, as in ChemProt,
where BioCreative VI evaluates five of the ten groups, micro-averaged, each (pair, group) once (Krallinger et al. 2017).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

from relatome.scoring import offenders
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


def read(gold: str | None, predicted: str, *, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of ``measure`` from two files of documents, in any format that holds relations.

    The ends of a relation between mentions are their spans, so that ids need not agree; of one between concepts, the
    concept ids.

    Parameters
    ----------
    classes
        The classes counted; every one of the gold when left out, and one that is only predicted is then an error.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        The files do not hold the same documents, or one has no relation that is counted.
    """
    gold = offenders.needed(gold)
    sides = [_of_documents(path, what) for path, what in ((gold, "gold"), (predicted, "predictions"))]
    counted = list(classes) if classes is not None else sorted({one[2] for items in sides[0].values() for one in items})
    if classes is None and counted:
        rows = [(name, str(one[2])) for name, items in sides[1].items() for one in items]
        offenders.known(
            [kind for _, kind in rows], counted, "predicted class", where=[f"document {name}" for name, _ in rows]
        )
    for path, side in zip((gold, predicted), sides, strict=True):
        kept = {name: [one for one in items if one[2] in counted] for name, items in side.items()}
        offenders.some(kept, "relations" + (f" of the classes {', '.join(counted)}" if counted else ""), path=path)
    return {"gold": sides[0], "predicted": sides[1], "classes": counted}


def _of_documents(path: str, what: str) -> dict[str, list[tuple[Hashable, Hashable, str]]]:
    from relatome import formats

    documents = list(formats.read(path))
    offenders.once([document.id for document in documents], where=f"the {what} {path}")
    found: dict[str, list[tuple[Hashable, Hashable, str]]] = {}
    for document in documents:
        places = {mention.id: mention.fragments or (mention.span,) for mention in document.mentions}
        found[document.id] = [
            (places[one.head], places[one.tail], one.type) if one.level == "mention" else (one.head, one.tail, one.type)
            for one in document.relations
        ]
    return found

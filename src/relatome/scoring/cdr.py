"""BC5CDR as BioCreative V scored it: mentions, concepts and chemical-induced diseases, each as sets of facts.

The rules of ``bc5cdr_eval.jar``, found from what it prints on its own samples and on the two taggers' test sets:

    mention    (document, start, end) of the mentions of one type
    id         (document, concept) of one type: a composite's ids one by one, -1 left out, without "MESH:"
    relation   (document, chemical, disease) of the relations CID

So a concept named ten times in a document counts once. Numbers and ``--format bc5cdr`` are equal to the evaluator's to
the last digit, F1 being 2 P R / (P + R).

References
----------
Wei et al. 2016, https://doi.org/10.1093/database/baw032
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from relatome.documents import Document
from relatome.errors import ScoreError, SettingsError
from relatome.lookup import pick
from relatome.scoring import facts, offenders, prf
from relatome.scoring.measure import Measure
from relatome.scoring.resampling import RESAMPLES
from relatome.scoring.score import Report
from relatome.scoring.sets import set_measure

NAME = "cdr"
VERSION = 1
TYPES = ("Chemical", "Disease")
LEVELS = ("mention", "id", "relation")

Items = Mapping[
    str, Collection[tuple[Any, Any, str]]
]  # document id -> (.., .., "Disease mention" | "CID relation" ...)


def score(
    gold: Items, predicted: Items, *, classes: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> Report:
    """Precision, recall and F1 of mentions, concepts and relations.

    Parameters
    ----------
    gold, predicted
        For each document its facts, as ``items_of`` gives them. Both hold the same documents.
    classes
        What is scored, of ``"Chemical mention"``, ``"Disease mention"``, ``"Chemical id"``, ``"Disease id"`` and
        ``"CID relation"``.
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
    >>> gold = {"1": [(0, 7, "Chemical mention"), ("D003866", None, "Disease id")]}
    >>> predicted = {"1": [(0, 7, "Chemical mention"), (9, 12, "Chemical mention"), ("D003866", None, "Disease id")]}
    >>> report = score(gold, predicted, classes=["Chemical mention", "Disease id"])
    >>> report.value("precision", "Chemical mention"), report.value("f1", "Disease id")
    (0.5, 1.0)
    """
    return measure(gold, predicted, classes=classes).report(resamples=resamples, seed=seed)


def measure(gold: Items, predicted: Items, *, classes: Sequence[str]) -> Measure:
    """The same as a function of document weights, for comparing two runs; parameters as in ``score``."""
    return set_measure(
        NAME, VERSION, gold, predicted, classes, what="levels", match="bc5cdr_eval: span, concept or pair, by document",
        averages=(), formula=prf.as_scripts_do,
    )  # fmt: skip


def items_of(document: Document) -> list[tuple[Any, Any, str]]:
    """A document's facts: (start, end, "Disease mention"), (concept, None, "Disease id"), (head, tail, "CID relation")."""
    items: dict[tuple[Any, Any, str], None] = {}
    for mention in document.mentions:
        items[mention.start, mention.end, f"{mention.type} mention"] = None
        for concept in mention.concepts:
            for part in concept.split("|"):
                if part not in ("", "-", "-1"):
                    items[facts.bare_id(part), None, f"{mention.type} id"] = None
    for relation in document.relations:
        if relation.level == "concept":
            head, tail = facts.bare_id(relation.head), facts.bare_id(relation.tail)
            items[head, tail, f"{relation.type} relation"] = None
    return list(items)


def read(
    gold: str | None, predicted: str, *, types: Sequence[str] | None = None, level: Sequence[str] | None = None
) -> dict[str, Any]:
    """The arguments of ``measure`` from two files of documents: PubTator, BioC or any other with concepts.

    Parameters
    ----------
    types
        Of ``"Chemical"`` and ``"Disease"``; those of which the predictions have a mention when left out.
    level
        Of ``"mention"``, ``"id"`` and ``"relation"``; those of which the predictions have something when left out.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        The files do not hold the same documents, or one has nothing of what is asked for.
    """
    gold = offenders.needed(gold)
    for one in level or ():
        pick(one, dict.fromkeys(LEVELS), "level")
    sides = [_items(path, what) for path, what in ((gold, "gold"), (predicted, "predictions"))]
    offenders.same_ids(sides[0], sides[1])
    every = [f"{kind} {one}" for one in LEVELS[:2] for kind in types or TYPES] + ["CID relation"]
    asked = [name for name in every if level is None or name.rpartition(" ")[2] in level]
    has = [{item[2] for items in side.values() for item in items} for side in sides]
    if types is None and level is None:
        asked = [name for name in asked if name in has[1]]
    elif types is None:
        asked = [name for name in asked if name in has[1] or name in ("CID relation",)]
    elif level is None:
        asked = [name for name in asked if name in has[1] or name.endswith(" mention")]
    for path, found in zip((gold, predicted), has, strict=True):
        lacking = [name for name in asked if name not in found]
        if lacking or not asked:
            what = ", ".join(lacking or every)
            raise ScoreError(
                f"there is nothing of: {what}",
                path=path,
                advice="--level and --types say what is scored; types are " + ", ".join(TYPES),
            )
    return {"gold": sides[0], "predicted": sides[1], "classes": asked}


def text(gold: Items, predicted: Items, *, classes: Sequence[str]) -> str:
    """What the evaluator prints, which scores one type at one level.

    Raises
    ------
    SettingsError
        There are several.

    Examples
    --------
    >>> print(text({"1": [(0, 4, "Disease mention")]}, {"1": [(0, 4, "Disease mention")]}, classes=["Disease mention"]))
    TP: 1
    FP: 0
    FN: 0
    Precision: 1.0
    Recall: 1.0
    F-score: 1.0
    <BLANKLINE>
    """
    if len(classes) != 1:
        raise SettingsError(
            [f"bc5cdr prints one type at one level, and here are {', '.join(classes)}: choose by --types and --level"]
        )
    sides = [{name: [one for one in side[name] if one[2] == classes[0]] for name in gold} for side in (gold, predicted)]
    correct, wrong, missed = facts.tally(*sides)
    precision, recall, f1 = map(facts.java, facts.percentages(correct, wrong, missed))
    return f"TP: {correct}\nFP: {wrong}\nFN: {missed}\nPrecision: {precision}\nRecall: {recall}\nF-score: {f1}\n"


TEXTS: Mapping[str, Callable[..., str]] = {"bc5cdr": text}


def _items(path: str, what: str) -> dict[str, list[tuple[Any, Any, str]]]:
    from relatome import formats

    documents: Iterable[Document] = list(formats.read(path))
    offenders.once([document.id for document in documents], where=f"the {what} {path}")
    found = {document.id: items_of(document) for document in documents}
    offenders.some(found, "mentions and relations", path=path)
    return found

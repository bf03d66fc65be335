"""Entities: exact span and type, per type, micro and macro, with intervals by document.

The measure of CoNLL-2003 (Tjong Kim Sang and De Meulder 2003, https://aclanthology.org/W03-0419), taken on character
spans instead of tags, so that tokenisation cannot change it: an entity is right when start, end and type all are.
On tags of one document it equals seqeval (https://github.com/chakki-works/seqeval), a test compares them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from relatome.errors import ScoreError
from relatome.scoring import offenders
from relatome.scoring.measure import Measure
from relatome.scoring.resampling import RESAMPLES
from relatome.scoring.score import Report
from relatome.scoring.sets import set_measure

NAME = "ner"
VERSION = 1

Entities = Mapping[str, Collection[tuple[int, int, str]]]  # document id -> (start, end, type)


def score(
    gold: Entities,
    predicted: Entities,
    *,
    types: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Precision, recall and F1 of entities.

    Parameters
    ----------
    gold, predicted
        For each document (start, end, type), half-open; an entity said twice counts once. Both hold the same
        documents; one without entities has an empty collection.
    types
        The types scored, others being left out on both sides: those the corpus annotates exhaustively. Every type of
        either side when left out.
    resamples
        Of documents, for the intervals; 0 gives none.
    seed
        The same seed gives the same intervals.

    Raises
    ------
    ScoreError
        Documents are missing on one side, there are none, or no type is left.

    Examples
    --------
    >>> gold = {"1": [(0, 7, "Chemical"), (15, 23, "Disease")], "2": [(3, 9, "Disease")]}
    >>> predicted = {"1": [(0, 7, "Chemical"), (15, 22, "Disease")], "2": [(3, 9, "Disease")]}
    >>> report = score(gold, predicted)
    >>> report.value("f1", "Chemical"), report.value("f1", "Disease"), report.value("f1", "macro")
    (1.0, 0.5, 0.75)
    """
    return measure(gold, predicted, types=types).report(resamples=resamples, seed=seed)


def measure(gold: Entities, predicted: Entities, *, types: Sequence[str] | None = None) -> Measure:
    """The same as a function of document weights, for comparing two runs; parameters as in ``score``."""
    if types is None:
        types = sorted({item[2] for side in (gold, predicted) for items in side.values() for item in items})
    return set_measure(NAME, VERSION, gold, predicted, types, what="entity types", match="exact span and type")


def read(gold: str | None, predicted: str, *, types: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of ``measure`` from two files of documents, in any format that is read.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        A document stands twice in a file, or a file has no entity of the types scored.
    """
    if gold is None:
        raise ScoreError("the gold is needed", advice="--gold FILE")
    sides = []
    for path, where in ((gold, "the gold"), (predicted, "the predictions")):
        found = _entities(path, where)
        offenders.some(
            {key: [item for item in items if types is None or item[2] in types] for key, items in found.items()},
            "entities of " + ("any type" if types is None else "the types " + ", ".join(types)),
            path=path,
        )
        sides.append(found)
    return {"gold": sides[0], "predicted": sides[1], "types": types}


def _entities(path: str, where: str) -> dict[str, list[tuple[int, int, str]]]:
    from relatome import formats

    documents = list(formats.read(path))
    offenders.once([document.id for document in documents], where=where)
    return {
        document.id: [(mention.start, mention.end, mention.type) for mention in document.mentions]
        for document in documents
    }

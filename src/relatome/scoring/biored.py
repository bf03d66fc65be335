"""BioRED as its papers and the BioCreative VIII track score relations: by document and concept, at four strictnesses.

    pair                 the two concepts, in either order
    pair+type            and the relation type
    pair+novelty         and whether it is new or background
    pair+type+novelty    all of it

A relation said twice in a document counts once. Every relation type is given too, as pairs of that type; they are what
``pair+type`` counts together. Relations in a file without a novelty column are scored at the first two only.

References
----------
Luo et al. 2022, https://doi.org/10.1093/bib/bbac282; Islamaj et al. 2024, https://doi.org/10.1093/database/baae069
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from relatome.documents import Document
from relatome.errors import ScoreError
from relatome.scoring import offenders, prf
from relatome.scoring.measure import Measure
from relatome.scoring.resampling import RESAMPLES
from relatome.scoring.score import Report
from relatome.scoring.sets import set_measure

NAME = "biored"
VERSION = 1
TYPES = (
    "Association", "Bind", "Comparison", "Conversion", "Cotreatment", "Drug_Interaction", "Negative_Correlation",
    "Positive_Correlation",
)  # fmt: skip

Relations = Mapping[str, Collection[tuple[str, str, str, str]]]  # document id -> (concept, concept, type, novelty)


def score(
    gold: Relations,
    predicted: Relations,
    *,
    classes: Sequence[str] = TYPES,
    novelty: bool = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Precision, recall and F1 of relations between concepts.

    Parameters
    ----------
    gold, predicted
        For each document (concept, concept, type, novelty). Both hold the same documents.
    classes
        The relation types there are.
    novelty
        Whether the two strictnesses with novelty are scored.
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
    >>> gold = {"1": [("D1", "G1", "Association", "Novel"), ("D2", "G1", "Bind", "No")]}
    >>> predicted = {"1": [("G1", "D1", "Association", "No"), ("D2", "G1", "Association", "No")]}
    >>> report = score(gold, predicted)
    >>> [report.value("f1", name) for name in ("pair", "pair+type", "pair+novelty", "pair+type+novelty")]
    [1.0, 0.5, 0.5, 0.0]
    """
    measured = measure(gold, predicted, classes=classes, novelty=novelty)
    return measured.report(resamples=resamples, seed=seed)


def measure(gold: Relations, predicted: Relations, *, classes: Sequence[str] = TYPES, novelty: bool = True) -> Measure:
    """The same as a function of document weights, for comparing two runs; parameters as in ``score``."""
    for what, side in (("gold", gold), ("predicted", predicted)):
        rows = [(name, one[2]) for name, items in side.items() for one in items]
        offenders.known(
            [kind for _, kind in rows], classes, f"{what} relation type", where=[f"document {name}" for name, _ in rows]
        )
    strict = ("pair", "pair+type", *(("pair+novelty", "pair+type+novelty") if novelty else ()))
    wanted, found = ({name: _facts(items) for name, items in side.items()} for side in (gold, predicted))
    return set_measure(
        NAME, VERSION, wanted,
        found, (*strict, *classes), what="strictnesses and types",
        match="concept pair in either order, by document", averages=(), formula=prf.as_scripts_do,
    )  # fmt: skip


def read(gold: str | None, predicted: str, *, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of ``measure`` from two files of documents: PubTator, BioC or any other with concept relations.

    Parameters
    ----------
    classes
        The relation types there are; those of BioRED when left out.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        The files do not hold the same documents, one has no relation, or some have a novelty and others not.
    """
    gold = offenders.needed(gold)
    sides = [_relations(path, what) for path, what in ((gold, "gold"), (predicted, "predictions"))]
    new = [any(one[3] for items in side.values() for one in items) for side in sides]
    for path, side, has in zip((gold, predicted), sides, new, strict=True):
        without = [f"{name}: {a} {b}" for name, items in side.items() for a, b, _, novel in items if has and not novel]
        if without:
            raise ScoreError(
                f"{offenders.counted(len(without), 'relation')} without a novelty, which others have: "
                + offenders.first_of(without),
                path=path,
            )
    return {"gold": sides[0], "predicted": sides[1], "classes": tuple(classes or TYPES), "novelty": all(new)}


def _facts(items: Collection[tuple[str, str, str, str]]) -> list[tuple[Any, Any, str]]:
    """A document's relations as facts of each strictness and of their type."""
    found: dict[tuple[Any, Any, str], None] = {}
    for one, other, kind, novel in items:
        pair = tuple(sorted((one, other)))
        found |= dict.fromkeys(
            [
                (pair, None, "pair"), (pair, kind, "pair+type"), (pair, novel, "pair+novelty"),
                (pair, (kind, novel), "pair+type+novelty"), (pair, None, kind),
            ]
        )  # fmt: skip
    return list(found)


def _relations(path: str, what: str) -> dict[str, list[tuple[str, str, str, str]]]:
    from relatome import formats

    documents: list[Document] = list(formats.read(path))
    offenders.once([document.id for document in documents], where=f"the {what} {path}")
    found = {
        document.id: [
            (one.head, one.tail, one.type, str(one.attributes.get("novelty", "")))
            for one in document.relations
            if one.level == "concept"
        ]
        for document in documents
    }
    offenders.some(found, "relations between concepts", path=path)
    return found

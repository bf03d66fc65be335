"""Where recall is lost on the way from a text to a relation: the first stage at which each gold relation was lost.

Extraction is a chain (sentences, entities, pairs, windows, classifier), and a relation that is lost at one stage never
reaches the next. So every gold relation has one fate, and the shares add up to 1: mending a stage alone can win back at
most its share. ``evaluate`` finds the fates, since that needs the model; here they are counted, with intervals.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from relatome.errors import ScoreError
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.prf import ratio
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums
from relatome.scoring.score import Report, SignatureValue

NAME = "budget"
VERSION = 1
EXAMPLES = 3  # ids named for each cause

SENTENCE = "sentence boundary"
ENTITY = "entity not found"
ACROSS = "pair never proposed: across sentences"
TYPES = "pair never proposed: types"
CROWD = "crowded sentence"
WINDOW = "window cut"
NEGATIVE = "classifier: no relation"
OTHER = "classifier: another class"
FOUND = "found"

CAUSES: dict[str, str] = {
    SENTENCE: "A sentence was ended inside a mention, or between two mentions of one sentence because of it.",
    ENTITY: "No entity was found with the exact range of the head, or of the tail, whatever its type.",
    ACROSS: "Both entities were found, in different sentences; pairs are proposed within one.",
    TYPES: "Both were found, and no label of the relation's class may hold between the types they were given.",
    CROWD: "The sentence has more pairs than are asked about, and this one's mentions stand too far apart.",
    WINDOW: "No window of pieces holds both mentions.",
    NEGATIVE: "The pair was asked about, and the answer was no relation.",
    OTHER: "The pair was asked about, and the answer was a relation of another class.",
    FOUND: "The relation was found with both its ranges and its class.",
}
"""Every fate, in the order of the chain, with what it means."""


class Fate(NamedTuple):
    """What became of one gold relation.

    Parameters
    ----------
    id
        Of the relation, its document's first.
    cause
        One of ``CAUSES``.
    """

    id: str
    document: str
    cause: str


@dataclass(frozen=True, slots=True)
class Loss:
    """One row of the budget.

    Parameters
    ----------
    share, low, high
        Of all gold relations, with its 95 % interval.
    examples
        Ids of the first few.
    """

    cause: str
    count: int
    share: float
    low: float
    high: float
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """The whole table.

    Parameters
    ----------
    report
        The shares as scores, ``Score("share", cause, ...)``, and the signature.
    """

    rows: tuple[Loss, ...]
    total: int
    report: Report

    def signed(self, more: Mapping[str, SignatureValue]) -> Budget:
        """The same with more said about it."""
        return Budget(self.rows, self.total, self.report.signed(more))

    def json(self) -> dict[str, Any]:
        """Plain JSON values; what cannot be computed is ``None``."""
        return {
            "gold": self.total,
            "rows": [
                {
                    "cause": row.cause, "count": row.count, "share": _finite(row.share), "low": _finite(row.low),
                    "high": _finite(row.high), "examples": list(row.examples),
                }
                for row in self.rows
            ],
            "signature": dict(self.report.signature),
        }  # fmt: skip


def budget(fates: Collection[Fate], documents: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0) -> Budget:
    """Count fates.

    Parameters
    ----------
    fates
        One for each gold relation.
    documents
        The ids of all that were read, those without relations too: they are what is resampled.

    Raises
    ------
    ScoreError
        A fate has an unknown cause or document.

    Examples
    --------
    >>> found = budget([Fate("1:a", "1", FOUND), Fate("1:b", "1", ENTITY), Fate("2:a", "2", FOUND)], ["1", "2"])
    >>> [(row.cause, row.count, round(row.share, 2)) for row in found.rows if row.count]
    [('entity not found', 1, 0.33), ('found', 2, 0.67)]
    """
    report = measure(fates, documents).report(resamples=resamples, seed=seed)
    examples: dict[str, list[str]] = {cause: [] for cause in CAUSES}
    for fate in fates:
        examples[fate.cause].append(fate.id)
    rows = tuple(
        Loss(cause, len(ids), one.value, one.low, one.high, tuple(ids[:EXAMPLES]))
        for (cause, ids), one in zip(examples.items(), report.scores, strict=True)
    )
    return Budget(rows, len(fates), report)


def measure(fates: Collection[Fate], documents: Sequence[str]) -> Measure:
    """The shares as a function of document weights."""
    causes, places = list(CAUSES), {identity: number for number, identity in enumerate(documents)}
    counts = np.zeros((len(documents), len(causes)))
    for fate in fates:
        if fate.cause not in CAUSES or fate.document not in places:
            raise ScoreError(
                f"relation {fate.id!r} has the cause {fate.cause!r} and the document {fate.document!r}: "
                "one of them is not known",
                advice=f"causes: {', '.join(causes)}",
            )
        counts[places[fate.document], causes.index(fate.cause)] += 1

    def value(sums: Floats) -> Floats:
        return ratio(sums, np.repeat(sums.sum(axis=1, keepdims=True), sums.shape[1], axis=1))

    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=tuple(Cell("share", cause, len(fates)) for cause in causes),
        units=tuple(documents),
        unit="document",
        value=of_sums(counts, value),
        signature={"match": "head range, tail range and class", "of": "gold relations"},
    )


def _finite(number: float) -> float | None:
    return number if number == number else None

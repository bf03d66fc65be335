"""What an evaluation is, and what those of all tasks share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from relatome.corpora.card import Card
from relatome.documents import Document
from relatome.scoring.budget import Budget
from relatome.scoring.examples import Examples, Row
from relatome.scoring.score import Report
from relatome.tasks import pairs
from relatome.tasks.example import Head

CHUNK = 64  # documents predicted together
GOLD, PREDICTED = "gold entities", "predicted entities"
Item = dict[str, Any]
T = TypeVar("T")
Scored = Callable[[frozenset[str]], Report]
"""The report of a score over these documents only."""


@dataclass(slots=True)
class Evaluation:
    """The scores of one model on one split.

    Parameters
    ----------
    report
        What was asked for.
    beside
        What must be read with it: relations with gold entities and with predicted ones, and of all the ``"clean part"``.
    examples
        Each example: id, gold, predicted, right or wrong.
    facts
        What bounds the score: candidates, gold items no candidate reaches, pairs dropped.
    predictions
        What ``report`` was made from, an example each, to be written and compared with another run's
        (``scoring.examples``).
    predictions_beside
        What reports of ``beside`` were made from, by their names, where several seeds tell them together.
    budget
        Of relations end to end: where the gold ones were lost.
    """

    report: Report
    beside: dict[str, Report] = field(default_factory=dict)
    examples: list[Item] = field(default_factory=list)
    facts: Item = field(default_factory=dict)
    predictions: Examples = field(default_factory=lambda: Examples("", ()))
    predictions_beside: dict[str, Examples] = field(default_factory=dict)
    budget: Budget | None = None


@dataclass(slots=True)
class Result:
    """An evaluation before its clean part is known: each report with the way to make it of some documents only."""

    evaluation: Evaluation
    parts: dict[str, Scored]
    """By name of the report, that asked for being ``""``."""


def saved_as(
    scorer: str, gold: Mapping[str, Collection[Any]], predicted: Mapping[str, Collection[Any]], **options: Sequence[str]
) -> Examples:
    """A row for each document, with its items on either side; one without any is a row too."""
    rows = (Row(identity, identity, sorted(items), sorted(predicted[identity])) for identity, items in gold.items())
    return Examples("", tuple(rows), scorer, {name: list(names) for name, names in options.items()})


def asked_about(card: Card, head: Head) -> Head:
    """The head as it is asked: about the card's pairs, which both sides of a comparison answer, and those it adds."""
    symmetric = (*head.options.symmetric, *(name for name, one in card.relations.items() if one.symmetric))
    options = replace(head.options, symmetric=tuple(dict.fromkeys(symmetric)))
    listed = {name: (*one.arguments, *head.arguments.get(name, ())) for name, one in card.relations.items()}
    return replace(head, arguments=pairs.arguments(listed, options), options=options)


def how(head: Head) -> dict[str, str]:
    """What a signature says of a relation head."""
    return {"head": f"{head.kind}: {head.options}"}


def only(found: Mapping[str, T], kept: frozenset[str]) -> dict[str, T]:
    """Of what was found, that in these documents."""
    return {identity: items for identity, items in found.items() if identity in kept}


def together(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    """The documents in parts that are predicted at once."""
    return (documents[start : start + CHUNK] for start in range(0, len(documents), CHUNK))

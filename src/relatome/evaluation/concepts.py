"""Relations between the concepts of a document, by the rules of the corpus's own task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from relatome import concepts
from relatome.corpora.card import Card
from relatome.documents import Document
from relatome.errors import ScoreError
from relatome.evaluation.facts import fact
from relatome.evaluation.result import GOLD, PREDICTED, Evaluation, Item, Result, Scored, how, only, together
from relatome.extract import extract
from relatome.predictors.texts import Predictor, head_of
from relatome.scoring import SCORERS
from relatome.scoring.examples import Examples, Row
from relatome.scoring.facts import bare_id
from relatome.scoring.score import Report
from relatome.tasks import concept_pairs
from relatome.tasks.example import NEGATIVE, Head
from relatome.tasks.pairs import reachable


def score(
    predictor: Predictor, card: Card, documents: Sequence[Document], head: Head, entities: str,
    draws: Mapping[str, int], *, both: bool,
) -> Result:  # fmt: skip
    """Relations between the concepts of a document, by the rules of the corpus's own task, wherever they are named.

    With gold entities the concepts are the corpus's own. Predicted entities carry no ids: they are joined by how they
    are written (`relatome.concepts`), and each concept is called as the gold one that most of its mentions coincide
    with. That takes the linking as given, which the signature says.
    """
    if all(one.level == "mention" for one in card.relations.values()):
        raise ScoreError(
            f"{card.name} relates mentions, and the head {head.name!r} concepts", advice="train a head of kind packed"
        )
    missing = "" if any(one.task == "ner" for one in predictor.heads.values()) else "the model finds no entities"
    if entities == "predicted" and missing:
        raise ScoreError(missing, advice="use --entities gold")
    known = replace(head, labels=(NEGATIVE, *card.relations))
    within = sum(reachable(document, known)[0] for document in documents)
    across = [concept_pairs.reachable(document, known) for document in documents]
    total = sum(count for _, count in across)
    facts: Item = {
        "gold relations": total,
        "in reach of a sentence": within,
        "recall no sentence-level model can pass": round(within / total, 4) if total else None,
        "in reach of the document": sum(count for count, _ in across),
    }
    rules = RULES.get(card.scorer, RULES["relations"])
    gold = {
        document.id: {rules.item(r.head, r.tail, r.type, head) for r in document.relations if r.level == "concept"}
        for document in documents
    }
    options = rules.options(card)
    parts: dict[str, tuple[Scored, Examples]] = {}

    def part(found: Mapping[str, set[tuple[str, str, str]]], said: Mapping[str, str]) -> tuple[Scored, Examples]:
        predicted = {name: {rules.item(a, b, label, head) for a, b, label in items} for name, items in found.items()}

        def scored(kept: frozenset[str]) -> Report:
            report: Report = SCORERS[rules.scorer].score(only(gold, kept), only(predicted, kept), **options, **draws)
            return report.signed({**said, "level": "concept", **how(head)})

        rows = tuple(Row(name, name, sorted(items), sorted(predicted[name])) for name, items in gold.items())
        return scored, Examples("", rows, rules.scorer, options)

    if entities == "gold" or both:
        parts[GOLD] = part(
            _of_gold_concepts(predictor, documents, head), {"entities": "gold", "concepts": "corpus ids"}
        )
    if entities == "predicted" or (both and not missing):
        joined = "joined by name and abbreviation, called by the gold concept most of their mentions coincide with"
        found = _of_predicted_concepts(predictor, documents, head)
        parts[PREDICTED] = part(found, {"entities": "predicted", "concepts": joined})
    elif both:
        facts["not scored with predicted entities"] = missing
    everything = frozenset(gold)
    report, saved = parts.pop(GOLD if entities == "gold" else PREDICTED)
    beside = {name: other(everything) for name, (other, _) in parts.items()}
    evaluation = Evaluation(report(everything), beside, facts=facts, predictions=saved)
    return Result(evaluation, {"": report, **{name: other for name, (other, _) in parts.items()}})


def _of_gold_concepts(
    predictor: Predictor, documents: Sequence[Document], head: Head
) -> dict[str, set[tuple[str, str, str]]]:
    found: dict[str, set[tuple[str, str, str]]] = {document.id: set() for document in documents}
    for part in together(documents):
        asked = [pair for document in part for pair in concept_pairs.candidates(document, head)]
        answers = predictor.predict({head.name: asked})[head.name]
        for pair, answer in zip(asked, answers, strict=True):
            found[pair.document] |= {
                (pair.head.id, pair.tail.id, label) for label in answer.labels if label != NEGATIVE
            }
    return found


def _of_predicted_concepts(
    predictor: Predictor, documents: Sequence[Document], head: Head
) -> dict[str, set[tuple[str, str, str]]]:
    found = {}
    bare = (replace(document, mentions=(), relations=(), labels=()) for document in documents)
    heads = [head_of(predictor, "ner").name, head.name]
    for document, read in zip(documents, extract(bare, predictor, heads=heads), strict=True):  # type: ignore[arg-type]
        names = called_as_gold(read, document)
        found[document.id] = {
            (names[one.head], names[one.tail], one.type) for one in read.relations if one.level == "concept"
        }
    return found


def called_as_gold(read: Document, gold: Document) -> dict[str, str]:
    """The id of each concept that was found -> that of the gold concept most of its mentions coincide with, else its own."""
    at: dict[tuple[int, int, str], tuple[str, ...]] = {}
    for mention in gold.mentions:
        at[mention.start, mention.end, mention.type] = mention.concepts
    names = {}
    for concept in concepts.of(read):
        votes = Counter(name for m in concept.mentions for name in at.get((m.start, m.end, m.type), ()))
        names[concept.id] = votes.most_common(1)[0][0] if votes else concept.id
    return names


@dataclass(frozen=True, slots=True)
class Rules:
    """How a task counts relations between concepts: its scorer, what that is told, and what a relation is to it."""

    scorer: str
    options: Callable[[Card], dict[str, Any]]
    item: Callable[[str, str, str, Head], tuple[str, ...]]


RULES: dict[str, Rules] = {
    "relations": Rules(
        "relations",
        lambda card: {"classes": list(card.relations)},
        lambda a, b, label, head: fact(a, b, label, {}, head.options.symmetric),
    ),
    "cdr": Rules(
        "cdr",
        lambda card: {"classes": [f"{name} relation" for name in card.relations]},
        lambda a, b, label, head: (bare_id(a), bare_id(b), f"{label} relation"),
    ),
    "biored": Rules(
        "biored",
        lambda card: {"classes": list(card.relations), "novelty": False},
        lambda a, b, label, head: (*sorted((a, b)), label, ""),
    ),
}
"""The rules a card can name as its ``scorer``."""

"""Relations of mentions: with gold entities and end to end, either beside the other, and where recall is lost on the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from relatome.corpora.card import Card
from relatome.documents import Document
from relatome.errors import ScoreError
from relatome.evaluation import concepts
from relatome.evaluation.facts import by_span, fact, place
from relatome.evaluation.fates import fates_of
from relatome.evaluation.result import (
    GOLD,
    PREDICTED,
    Evaluation,
    Item,
    Result,
    Scored,
    asked_about,
    how,
    only,
    saved_as,
    together,
)
from relatome.extract import extract
from relatome.lookup import pick
from relatome.predictors.texts import Predictor, head_of
from relatome.scoring import SCORERS, budget
from relatome.scoring.budget import Budget, Fate
from relatome.scoring.examples import Examples
from relatome.scoring.score import Report
from relatome.tasks import relation
from relatome.tasks.example import NEGATIVE, Head
from relatome.tasks.pairs import reachable


def score(
    predictor: Predictor, card: Card, documents: Sequence[Document], entities: str, draws: Mapping[str, int], *,
    both: bool,
) -> Result:  # fmt: skip
    """Score a corpus's relations; those between concepts, for a head that relates them, by `evaluation.concepts`.

    Relations are scored against every gold one of the classes counted, those that no candidate pair can reach among them.
    """
    if not card.relations:
        raise ScoreError(f"{card.name} has no relations")
    pick(entities, {"gold": True, "predicted": True}, "kind of entities")
    head = head_of(predictor, "relation")
    asked = asked_about(card, head)
    if head.kind == "document":
        return concepts.score(predictor, card, documents, asked, entities, draws, both=both)
    both_ways = frozenset(asked.options.symmetric)
    classes = card.evaluated_groups or tuple(dict.fromkeys(card.groups.values()))
    names = {**card.groups, **head.groups}
    level = "mention" if any(one.level == "mention" for one in card.relations.values()) else "concept"
    missing = ""
    if level == "concept":
        missing = f"{card.name} relates concepts, and predicted entities carry no concept ids yet"
    elif not any(one.task == "ner" for one in predictor.heads.values()):
        missing = "the model finds no entities"
    if entities == "predicted" and missing:
        raise ScoreError(missing, advice="use --entities gold")
    everything = frozenset(document.id for document in documents)
    reach = [reachable(document, replace(asked, labels=(NEGATIVE, *card.relations))) for document in documents]
    facts: Item = {"gold relations": sum(n for _, n in reach), "in reach of a candidate": sum(n for n, _ in reach)}
    parts: dict[str, tuple[Scored, Examples]] = {}
    if entities == "gold" or both:
        parts[GOLD] = _with_gold(predictor, documents, asked, names, classes, level, draws)
    examples: list[Item] = []
    lost: Budget | None = None
    if entities == "predicted" or (both and not missing):
        parts[PREDICTED], examples, lost = _end_to_end(predictor, documents, head, names, classes, both_ways, draws)
    elif both:
        facts["not scored with predicted entities"] = missing
    main = GOLD if entities == "gold" else PREDICTED
    report, saved = parts.pop(main)
    evaluation = Evaluation(
        report(everything), {name: other(everything) for name, (other, _) in parts.items()}, facts=facts,
        examples=examples if main == PREDICTED else [], predictions=saved, budget=lost,
    )  # fmt: skip
    return Result(evaluation, {"": report, **{name: other for name, (other, _) in parts.items()}})


def _end_to_end(
    predictor: Predictor, documents: Sequence[Document], head: Head, names: Mapping[str, str], classes: Sequence[str],
    both_ways: Collection[str], draws: Mapping[str, int],
) -> tuple[tuple[Scored, Examples], list[Item], Budget]:  # fmt: skip
    """Relations found from the bare text, by exact spans; and what became of each gold one."""
    gold: dict[str, set[tuple[Any, Any, str]]] = {}
    predicted: dict[str, set[tuple[Any, Any, str]]] = {}
    fates: list[Fate] = []
    bare = (replace(document, mentions=(), relations=(), labels=()) for document in documents)
    entity_head = head_of(predictor, "ner")
    for document, read in zip(documents, extract(bare, predictor, heads=[entity_head.name, head.name]), strict=True):  # type: ignore[arg-type]
        gold[document.id] = set(by_span(document, names, classes, both_ways))
        predicted[document.id] = set(by_span(read, names, classes, both_ways))
        fates += fates_of(document, read, predictor, head, names, classes, both_ways)

    def scored(kept: frozenset[str]) -> Report:
        report: Report = SCORERS["relations"].score(only(gold, kept), only(predicted, kept), classes=classes, **draws)
        return report.signed({"entities": "predicted", **how(head)})

    examples = [
        {"id": place(identity, a, b), "type": kind, "gold": (a, b, kind) in gold[identity],
         "predicted": (a, b, kind) in predicted[identity]}
        for identity in gold for a, b, kind in sorted(gold[identity] | predicted[identity])
    ]  # fmt: skip
    saved = saved_as("relations", gold, predicted, classes=classes)
    lost = budget.budget(fates, list(gold), **draws)
    return (scored, saved), examples, lost


def _with_gold(
    predictor: Predictor, documents: Sequence[Document], asked: Head, names: Mapping[str, str],
    classes: Sequence[str], level: str, draws: Mapping[str, int],
) -> tuple[Scored, Examples]:  # fmt: skip
    gold: dict[str, set[tuple[str, str, str]]] = {}
    predicted: dict[str, set[tuple[str, str, str]]] = {}
    both_ways = asked.options.symmetric
    for part in together(documents):
        pairs = [(document, pair) for document in part for pair in relation.inputs(document, asked)]
        answers = predictor.predict({asked.name: [pair for _, pair in pairs]})[asked.name]
        for document in part:
            relations = (r for r in document.relations if r.level == level and names.get(r.type, r.type) in classes)
            gold[document.id] = {fact(r.head, r.tail, r.type, names, both_ways) for r in relations}
            predicted[document.id] = set()
        concepts = {(d.id, m.id): m.concepts for d in part for m in d.mentions}
        for (document, pair), answer in zip(pairs, answers, strict=True):
            sides: list[tuple[Sequence[str], Sequence[str]]] = [((pair.head.id,), (pair.tail.id,))]
            if level == "concept":
                sides = [(concepts[document.id, pair.head.id], concepts[document.id, pair.tail.id])]
            predicted[document.id] |= {
                fact(first, second, label, names, both_ways)
                for label in answer.labels
                if names.get(label, label) in classes
                for firsts, seconds in sides
                for first in firsts
                for second in seconds
            }

    def scored(kept: frozenset[str]) -> Report:
        report: Report = SCORERS["relations"].score(only(gold, kept), only(predicted, kept), classes=classes, **draws)
        return report.signed({"entities": "gold", "level": level, **how(asked)})

    return scored, saved_as("relations", gold, predicted, classes=classes)

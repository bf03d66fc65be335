"""Corpus and predictor in, scores out, each with its signature: the one place where predictions meet gold.

Entities are scored as exact spans with their type, against every gold mention, those that tokenisation or sentence
splitting lost among them. Relations are scored against every gold relation of the classes counted, those that no
candidate pair can reach among them: with gold entities by mention (or concept), with predicted ones by exact spans.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relatome import __version__, corpora, sentences
from relatome.corpora.card import Card
from relatome.corpora.corpus import Corpus, source_of
from relatome.corpora.splits import normalised
from relatome.documents import Document
from relatome.errors import ScoreError
from relatome.extract import extract
from relatome.lookup import pick
from relatome.predictors.texts import Predictor, head_of
from relatome.scoring import SCORERS
from relatome.scoring.examples import Examples, Row
from relatome.scoring.score import Report
from relatome.tasks import TASKS, classification, ner, relation
from relatome.tasks.example import NEGATIVE, Head, TypedSpan
from relatome.tasks.pairs import reachable

CHUNK = 64  # documents predicted together
Item = dict[str, Any]


@dataclass(slots=True)
class Evaluation:
    """The scores of one model on one split.

    Parameters
    ----------
    report
        What was asked for.
    beside
        What must be read with it: the gold-entity score of an end-to-end one, the clean part of a leaking split.
    examples
        Each example: id, gold, predicted, right or wrong.
    facts
        What bounds the score: candidates, gold items no candidate reaches, pairs dropped.
    predictions
        What ``report`` was made from, an example each, to be written and compared with another run's
        (``scoring.examples``).
    """

    report: Report
    beside: dict[str, Report] = field(default_factory=dict)
    examples: list[Item] = field(default_factory=list)
    facts: Item = field(default_factory=dict)
    predictions: Examples = field(default_factory=lambda: Examples("", ()))


def evaluate(
    predictor: Predictor,
    corpus: str | Corpus,
    *,
    task: str,
    split: str = "test",
    protocol: str | None = None,
    entities: str = "gold",
    resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Score a model on a split of a corpus.

    Parameters
    ----------
    predictor
        It is given inputs only, never gold.
    task
        ``ner``, ``relation`` or ``classification``.
    protocol
        One of the corpus's split protocols; its default one if None. A protocol that leaks is also scored on the part
        of the test set that shares no sentence with the rest (``beside["clean part"]``).
    entities
        Relations only: ``"gold"``, or ``"predicted"``: end to end from the text, with the gold-entity score beside.
    resamples, seed
        Of the bootstrap intervals; 0 resamples: none.

    Raises
    ------
    ScoreError
        The corpus has no gold for this task.
    ModelError
        The model has no head for it.
    """
    found = corpora.load(corpus) if isinstance(corpus, str) else corpus
    pick(task, TASKS, "task")
    documents = list(found.documents(split, protocol=protocol))
    if not documents:
        raise ScoreError(f"split {split!r} of {found.card.name} has no documents")
    signature = {
        "corpus": found.card.name, "corpus_version": found.card.version, "split": split,
        "protocol": found.protocol(protocol).name, "split_hash": found.split_hash(protocol)[:16], "task": task,
        "model": predictor.source, "relatome": __version__, "sentences": sentences.VERSION,
    }  # fmt: skip
    draws = {"resamples": resamples, "seed": seed}
    if task == "ner":
        result = _ner(predictor, found.card, documents, draws)
    elif task == "relation":
        result = _relation(predictor, found.card, documents, entities, draws)
    else:
        result = _classification(predictor, found, documents, split, protocol, draws)
    result.report = result.report.signed(signature)
    result.predictions = replace(result.predictions, signature=result.report.signature)
    result.beside = {name: report.signed(signature) for name, report in result.beside.items()}
    return result


def _ner(predictor: Predictor, card: Card, documents: Sequence[Document], draws: Mapping[str, int]) -> Evaluation:
    head = head_of(predictor, "ner")
    types = [name for name in head.labels if name in card.exhaustive]
    if not types:
        raise ScoreError(
            f"{card.name} annotates {', '.join(card.exhaustive) or 'nothing'}; the model finds {head.labels}"
        )
    gold: dict[str, set[tuple[int, int, str]]] = {}
    predicted: dict[str, set[tuple[int, int, str]]] = {}
    examples: list[Item] = []
    for part in _parts(documents):
        asked = [(document, sentence) for document in part for sentence in ner.inputs(document)]
        answers = predictor.predict({head.name: [sentence for _, sentence in asked]})[head.name]
        for document in part:
            gold[document.id] = {(m.start, m.end, m.type) for m in document.mentions if m.type in types}
            predicted[document.id] = set()
        for (document, sentence), answer in zip(asked, answers, strict=True):
            for span in answer.value:
                assert isinstance(span, TypedSpan)
                if span.type in types:
                    place = (span.start + sentence.start, span.end + sentence.start, span.type)
                    predicted[document.id].add(place)
    for identity, spans in gold.items():
        for place in sorted(spans | predicted[identity]):
            item = {"id": f"{identity}:{place[0]}-{place[1]}", "type": place[2]}
            examples.append({**item, "gold": place in spans, "predicted": place in predicted[identity]})
    report = SCORERS["ner"].score(gold, predicted, types=types, **draws)
    saved = _saved("ner", gold, predicted, types=types)
    return Evaluation(report.signed({"entities": "predicted"}), examples=examples, predictions=saved)


def _relation(
    predictor: Predictor, card: Card, documents: Sequence[Document], entities: str, draws: Mapping[str, int]
) -> Evaluation:
    if not card.relations:
        raise ScoreError(f"{card.name} has no relations")
    head = head_of(predictor, "relation")
    asked = replace(head, arguments=_arguments(card))  # both sides of a comparison answer the card's candidates
    classes = card.evaluated_groups or tuple(dict.fromkeys(card.groups.values()))
    names = {**card.groups, **head.groups}
    level = "mention" if any(one.level == "mention" for one in card.relations.values()) else "concept"
    report, saved = _with_gold(predictor, card, documents, asked, names, classes, level, draws)
    result = Evaluation(report, predictions=saved)
    reach = [reachable(document, replace(asked, labels=(NEGATIVE, *card.relations))) for document in documents]
    result.facts = {"gold relations": sum(n for _, n in reach), "in reach of a candidate": sum(n for n, _ in reach)}
    if entities == "gold":
        return result
    if entities != "predicted":
        raise ScoreError(f"entities should be gold or predicted, found {entities!r}")
    if level == "concept":
        raise ScoreError(
            f"{card.name} relates concepts, and predicted entities carry no concept ids yet",
            advice="use --entities gold",
        )
    gold: dict[str, set[tuple[Any, Any, str]]] = {}
    predicted: dict[str, set[tuple[Any, Any, str]]] = {}
    bare = (replace(document, mentions=(), relations=(), labels=()) for document in documents)
    entity_head = head_of(predictor, "ner")
    for document, read in zip(documents, extract(bare, predictor, heads=[entity_head.name, head.name]), strict=True):  # type: ignore[arg-type]
        gold[document.id] = set(_by_span(document, names, classes))
        predicted[document.id] = set(_by_span(read, names, classes))
    end_to_end = SCORERS["relations"].score(gold, predicted, classes=classes, **draws)
    examples = [
        {"id": f"{identity}:{a}-{b}", "type": kind, "gold": (a, b, kind) in gold[identity],
         "predicted": (a, b, kind) in predicted[identity]}
        for identity in gold for a, b, kind in sorted(gold[identity] | predicted[identity])
    ]  # fmt: skip
    beside = {"gold entities": result.report}
    saved = _saved("relations", gold, predicted, classes=classes)
    return Evaluation(end_to_end.signed({"entities": "predicted"}), beside, examples, result.facts, saved)


def _with_gold(
    predictor: Predictor, card: Card, documents: Sequence[Document], asked: Head, names: Mapping[str, str],
    classes: Sequence[str], level: str, draws: Mapping[str, int],
) -> tuple[Report, Examples]:  # fmt: skip
    gold: dict[str, set[tuple[str, str, str]]] = {}
    predicted: dict[str, set[tuple[str, str, str]]] = {}
    for part in _parts(documents):
        pairs = [(document, pair) for document in part for pair in relation.inputs(document, asked)]
        answers = predictor.predict({asked.name: [pair for _, pair in pairs]})[asked.name]
        for document in part:
            relations = (r for r in document.relations if r.level == level and names.get(r.type, r.type) in classes)
            gold[document.id] = {(r.head, r.tail, names.get(r.type, r.type)) for r in relations}
            predicted[document.id] = set()
        concepts = {(d.id, m.id): m.concepts for d in part for m in d.mentions}
        for (document, pair), answer in zip(pairs, answers, strict=True):
            kind = names.get(str(answer.value), str(answer.value))
            if kind not in classes:
                continue
            if level == "mention":
                predicted[document.id].add((pair.head.id, pair.tail.id, kind))
            else:
                for first in concepts[document.id, pair.head.id]:
                    for second in concepts[document.id, pair.tail.id]:
                        predicted[document.id].add((first, second, kind))
    report: Report = SCORERS["relations"].score(gold, predicted, classes=classes, **draws)
    return report.signed({"entities": "gold", "level": level}), _saved("relations", gold, predicted, classes=classes)


def _by_span(document: Document, names: Mapping[str, str], classes: Sequence[str]) -> Iterator[tuple[Any, Any, str]]:
    spans = {mention.id: (mention.start, mention.end) for mention in document.mentions}
    for one in document.relations:
        kind = names.get(one.type, one.type)
        if one.level == "mention" and kind in classes:
            yield spans[one.head], spans[one.tail], kind


def _classification(
    predictor: Predictor, corpus: Corpus, documents: Sequence[Document], split: str, protocol: str | None,
    draws: Mapping[str, int],
) -> Evaluation:  # fmt: skip
    card = corpus.card
    heads = [h for h in predictor.heads.values() if h.task == "classification" and h.name in card.labels]
    head = heads[0] if heads else head_of(predictor, "classification")
    if not card.labels:
        raise ScoreError(f"{card.name} labels no sentences or documents")
    name = head.name if head.name in card.labels else next(iter(card.labels))
    label = card.labels[name]
    found = [(d, e) for d in documents for e in classification.examples(d, replace(head, name=name))]
    answers = predictor.predict({head.name: [example.input for _, example in found]})[head.name]
    predicted = [str(answer.value) for answer in answers]
    gold = [example.gold for _, example in found]
    values = label.values
    if set(head.labels) != set(values):  # a published model with labels of its own: by order, as its card says
        predicted = [values[head.labels.index(value)] for value in predicted]
    groups = [source_of(document) for document, _ in found]
    scorer = SCORERS["classification"]

    def scored(keep: Sequence[int]) -> Report:
        report: Report = scorer.score(
            [gold[i] for i in keep],
            [predicted[i] for i in keep],
            labels=values,
            groups=[groups[i] for i in keep],
            **draws,
        )
        return report

    everything = list(range(len(found)))
    examples = [
        {"id": example.input.id, "gold": example.gold, "predicted": value, "probabilities": dict(answer.probabilities)}
        for (_, example), value, answer in zip(found, predicted, answers, strict=True)
    ]
    order = dict(zip(head.labels, values, strict=False)) if set(head.labels) != set(values) else {}
    saved = Examples(
        "",
        tuple(
            Row(example.input.id, group, example.gold, value,
                {order.get(label, label): number for label, number in answer.probabilities.items()})
            for (_, example), group, value, answer in zip(found, groups, predicted, answers, strict=True)
        ),
        "classification",
        {"labels": list(values)},
    )  # fmt: skip
    result = Evaluation(scored(everything).signed({"part": "all"}), examples=examples, predictions=saved)
    chosen = corpus.protocol(protocol)
    if chosen.leaks:
        others = "+".join(one for one in chosen.names if one not in split.split("+"))
        seen = {normalised(document.text) for document in corpus.documents(others, protocol=protocol)}
        clean = [i for i in everything if normalised(found[i][1].input.text) not in seen]
        result.beside["clean part"] = scored(clean).signed({"part": f"no sentence of {others}"})
        result.facts = {"rows": len(found), "rows whose sentence is also in " + others: len(found) - len(clean)}
    return result


def _saved(
    scorer: str, gold: Mapping[str, Collection[Any]], predicted: Mapping[str, Collection[Any]], **options: Sequence[str]
) -> Examples:
    """A row for each document, with its items on either side; one without any is a row too."""
    rows = (Row(identity, identity, sorted(items), sorted(predicted[identity])) for identity, items in gold.items())
    return Examples("", tuple(rows), scorer, {name: list(names) for name, names in options.items()})


def _arguments(card: Card) -> dict[str, tuple[tuple[str, str], ...]]:
    return {
        name: one.arguments + (tuple((b, a) for a, b in one.arguments) if one.symmetric else ())
        for name, one in card.relations.items()
    }


def _parts(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    return (documents[start : start + CHUNK] for start in range(0, len(documents), CHUNK))

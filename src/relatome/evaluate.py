"""Corpus and predictor in, scores out, each with its signature: the one place where predictions meet gold.

Entities are scored as exact spans with their type, against every gold mention, those that tokenisation or sentence
splitting lost among them. Relations are scored against every gold relation of the classes counted, those that no
candidate pair can reach among them: with gold entities by mention (or concept), with predicted ones by exact spans. The
two answer different questions, so either is given beside the other, with where recall is lost on the way
(`scoring.budget`).

Beside each score stands that of the clean part: the documents (or rows) that share no article, no text, no sentence and
no near-duplicate of one with the corpus's other splits. Where rows of one article stand on both sides, as in the
published split of ADE, hardly any row is clean, so the rows whose sentence is on one side only are scored too.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from relatome import __version__, concepts, corpora, sentences
from relatome.corpora import audit
from relatome.corpora.card import Card
from relatome.corpora.corpus import Corpus, source_of
from relatome.corpora.merged import Merged, judged
from relatome.documents import Document, Mention, Span
from relatome.errors import ScoreError
from relatome.extract import MOST_PAIRS, extract
from relatome.lookup import pick
from relatome.predictors import BASELINES
from relatome.predictors.texts import Predictor, head_of
from relatome.scoring import SCORERS, budget, comparison, paired
from relatome.scoring.budget import Budget, Fate
from relatome.scoring.examples import Examples, Row
from relatome.scoring.facts import bare_id
from relatome.scoring.published import Published, attach
from relatome.scoring.score import Report, Score
from relatome.spans import align, longest_first, spans_to_tags
from relatome.tasks import TASKS, classification, concept_pairs, ner, pairs, relation
from relatome.tasks.example import NEGATIVE, Head, Pair, Prediction, Sentence
from relatome.tasks.pairs import reachable

CHUNK = 64  # documents predicted together
MOST_ROWS = 4096  # rows of one sentence predicted together: enough of every length for full batches
GOLD, PREDICTED = "gold entities", "predicted entities"
CLEAN, NO_SENTENCE = "clean part", "no shared sentence"
JUDGED, TOKENS = "as its corpus can judge", "tokens"
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
    budget
        Of relations end to end: where the gold ones were lost.
    """

    report: Report
    beside: dict[str, Report] = field(default_factory=dict)
    examples: list[Item] = field(default_factory=list)
    facts: Item = field(default_factory=dict)
    predictions: Examples = field(default_factory=lambda: Examples("", ()))
    budget: Budget | None = None


@dataclass(slots=True)
class _Result:
    """An evaluation before its clean part is known: each report with the way to make it of some documents only."""

    evaluation: Evaluation
    parts: dict[str, Scored]
    """By name of the report, that asked for being ``""``."""


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
    clean: bool = True,
    both: bool = True,
) -> Evaluation:
    """Score a model on a split of a corpus.

    Parameters
    ----------
    predictor
        It is given inputs only, never gold.
    task
        ``ner``, ``relation`` or ``classification``.
    protocol
        One of the corpus's split protocols; its default one if None.
    entities
        Relations only: ``"gold"``, or ``"predicted"``: end to end from the text.
    resamples, seed
        Of the bootstrap intervals; 0 resamples: none.
    clean
        Score the part too that shares nothing with the other splits (``beside["clean part"]``); they are read for it.
    both
        Relations only: score the other kind of entities too, where that can be.

    Raises
    ------
    CorpusError
        The corpus is raw text, without any gold.
    ScoreError
        The corpus has no gold for this task.
    ModelError
        The model has no head for it.
    """
    found = corpora.load(corpus) if isinstance(corpus, str) else corpus
    task = found.card.task(task)
    pick(task, TASKS, "task")
    documents = list(found.documents(split, protocol=protocol))
    if not documents:
        raise ScoreError(f"split {split!r} of {found.card.name} has no documents")
    leaked, others = _leaked(found, documents, split, protocol) if clean else ({}, "")
    signature = {
        "corpus": found.card.name, "corpus_version": found.card.version, "split": split,
        "protocol": found.protocol(protocol).name, "split_hash": found.split_hash(protocol)[:16], "task": task,
        "model": predictor.source, "relatome": __version__, "sentences": sentences.VERSION,
    }  # fmt: skip
    draws = {"resamples": resamples, "seed": seed}
    if task == "ner":
        result = _ner(predictor, found.card, documents, draws)
    elif isinstance(found, Merged):
        result = _rows(predictor, found.card, documents, entities, draws)
    elif task == "relation":
        result = _relation(predictor, found.card, documents, entities, draws, both=both)
    else:
        result = _classification(predictor, found.card, documents, draws)
    if others:
        _beside(result, documents, leaked, others)
    evaluation = result.evaluation
    evaluation.report = evaluation.report.signed({**signature, "part": "all"})
    evaluation.beside = {
        name: report.signed(signature if "part" in report.signature else {**signature, "part": "all"})
        for name, report in evaluation.beside.items()
    }
    if evaluation.budget is not None:
        evaluation.budget = evaluation.budget.signed({**signature, "part": "all", "entities": "predicted"})
    evaluation.predictions = replace(evaluation.predictions, signature=evaluation.report.signature)
    return evaluation


def over_seeds(results: Sequence[Evaluation], *, resamples: int = 1000, seed: int = 0) -> Evaluation:
    """Several seeds of one run as one evaluation: means, intervals that hold both variances, deviations between seeds.

    Each score's interval is normal, from what the choice of the test documents is worth to the mean and from what the
    choice of so many seeds is (``scoring.paired.over_seeds``); ``f1 sd of seeds`` is the standard deviation of one seed.

    Parameters
    ----------
    results
        Of the seeds, on the same examples.
    resamples, seed
        Of the bootstrap.

    Raises
    ------
    ScoreError
        They are not on the same examples.
    """
    known = {(one.name, one.class_) for one in results[0].report.scores}
    measures = [comparison.measure(one.predictions) for one in results]
    found = [
        one for one in paired.over_seeds(measures, resamples=resamples, seed=seed) if (one.name, one.class_) in known
    ]
    scores = [Score(one.name, one.class_, one.mean, one.low, one.high, one.support) for one in found]
    scores += [Score(f"{one.name} sd of seeds", one.class_, one.sd, math.nan, math.nan, one.support) for one in found]
    signature = {
        **results[0].report.signature, "seeds": len(results), "resamples": resamples, "seed": seed,
        "interval": "normal, of sampling and seeds, 95%",
        "model": ", ".join(str(one.report.signature["model"]) for one in results),
    }  # fmt: skip
    return Evaluation(Report(tuple(scores), signature), facts=dict(results[0].facts))


def as_json(
    results: Sequence[tuple[str, Evaluation]],
    *,
    published: Sequence[Published] | None = None,
    wall_seconds: float | None = None,
) -> Item:
    """The one shape of several models' evaluations, with what must be read with it under ``beside``.

    Parameters
    ----------
    results
        Each with its model's name; the report of the one `asked` for comes first.
    published
        What others reach (``scoring.published``): every score then says what is known of it.
    wall_seconds
        What the whole took.
    """
    _, main = asked(results)
    document: Item = json.loads(main.report.json())
    if published is not None:
        document = attach(document, published)
    if wall_seconds is not None:
        document["wall_seconds"] = round(wall_seconds, 1)
    if main.facts:
        document["facts"] = main.facts
    if main.budget is not None:
        document["budget"] = main.budget.json()
    beside = [
        {"what": what, **json.loads(report.json())}
        for name, result in results
        for what, report in [(name, result.report), *((f"{name}, {part}", one) for part, one in result.beside.items())]
        if report is not main.report
    ]
    return {**document, **({"beside": beside} if beside else {})}


def asked(results: Sequence[tuple[str, Evaluation]]) -> tuple[str, Evaluation]:
    """Of several, the first that is not a baseline: what the command line named."""
    return next((one for one in results if not one[0].endswith(BASELINES)), results[0])


def _leaked(
    corpus: Corpus, documents: Sequence[Document], split: str, protocol: str | None
) -> tuple[dict[str, tuple[str, ...]], str]:
    """What each document shares with the splits that are not scored, and the names of these."""
    wanted = corpus.named(split, protocol)
    others = [name for name in corpus.splits(protocol) if name not in wanted]
    if not others:
        return {}, ""
    rest = (document for name, document in corpus.by_split(protocol) if name in others)
    named = "+".join(others) if len(others) < 4 else f"{others[0]}+…+{others[-1]}"
    return audit.shared(corpus, documents, rest), named


def _beside(result: _Result, documents: Sequence[Document], leaked: Mapping[str, tuple[str, ...]], others: str) -> None:
    """Put each report's clean part beside it, and say how much that is."""
    evaluation = result.evaluation
    everything = frozenset(document.id for document in documents)
    kinds = {kind: frozenset(one for one, found in leaked.items() if kind in found) for kind in audit.KINDS}
    parts = [(CLEAN, f"no document, sentence or near-duplicate of {others}", everything - leaked.keys())]
    if kinds["document"] and not kinds["document"] <= kinds["sentence"]:
        parts.append((NO_SENTENCE, f"no sentence of {others}", everything - kinds["sentence"]))
    for name, scored in result.parts.items():
        for what, said, kept in parts:
            if kept:
                title = f"{name}, {what}" if name else what
                evaluation.beside[title] = scored(kept).signed({"part": said})
    evaluation.facts |= {
        "scored documents": len(everything),
        "clean documents": len(parts[0][2]),
        **{f"documents that share a {kind} with {others}": len(ids) for kind, ids in kinds.items() if ids},
    }


def _ner(predictor: Predictor, card: Card, documents: Sequence[Document], draws: Mapping[str, int]) -> _Result:
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
        texts = [tuple(ner.inputs(document)) for document in part]
        answers = iter(predictor.predict({head.name: [one for read in texts for one in read]})[head.name])
        for document, read in zip(part, texts, strict=True):
            gold[document.id] = {(m.start, m.end, m.type) for m in document.mentions if m.type in types}
            found = ner.attach(document, read, ner.repeated(read, list(islice(answers, len(read))), head))
            predicted[document.id] = {(m.start, m.end, m.type) for m in found.mentions if m.type in types}
    for identity, spans in gold.items():
        for place in sorted(spans | predicted[identity]):
            item = {"id": f"{identity}:{place[0]}-{place[1]}", "type": place[2]}
            examples.append({**item, "gold": place in spans, "predicted": place in predicted[identity]})

    def scored(kept: frozenset[str]) -> Report:
        report: Report = SCORERS["ner"].score(_only(gold, kept), _only(predicted, kept), types=types, **draws)
        return report.signed({"entities": "predicted", "repeated": head.repeated or "no"})

    saved = _saved("ner", gold, predicted, types=types)
    parts: dict[str, Scored] = {"": scored}
    if all(document.tokens for document in documents) and len(types) == 1:
        parts[TOKENS] = _tokens(documents, gold, predicted, types[0], draws)
    beside = {name: one(frozenset(gold)) for name, one in parts.items() if name}
    return _Result(Evaluation(scored(frozenset(gold)), beside, examples=examples, predictions=saved), parts)


def _tokens(
    documents: Sequence[Document], gold: Mapping[str, set[tuple[int, int, str]]],
    predicted: Mapping[str, set[tuple[int, int, str]]], kind: str, draws: Mapping[str, int],
) -> Scored:  # fmt: skip
    """The tokens' tags as BioBERT's token-level numbers count them: B and I apart, O in no average.

    Of corpora that came tokenised and mark one type, where a token has one tag.
    """
    labels = ("O", f"B-{kind}", f"I-{kind}")

    def tags(document: Document, found: set[tuple[int, int, str]]) -> list[str]:
        aligned = align([Span(start, end) for start, end, _ in sorted(found)], document.tokens)
        ranges = longest_first([Span(*one) for one in aligned.ranges if one is not None])
        return spans_to_tags([(start, end, kind) for start, end in ranges], len(document.tokens))

    both = {d.id: (tags(d, gold[d.id]), tags(d, predicted[d.id])) for d in documents}

    def scored(kept: frozenset[str]) -> Report:
        chosen = [identity for identity in both if identity in kept]
        report: Report = SCORERS["classification"].score(
            [tag for identity in chosen for tag in both[identity][0]],
            [tag for identity in chosen for tag in both[identity][1]],
            labels=labels, counted=labels[1:],
            groups=[identity for identity in chosen for _ in both[identity][0]], **draws,
        )  # fmt: skip
        return report.signed({"entities": "predicted"})

    return scored


def _relation(
    predictor: Predictor, card: Card, documents: Sequence[Document], entities: str, draws: Mapping[str, int], *,
    both: bool,
) -> _Result:  # fmt: skip
    if not card.relations:
        raise ScoreError(f"{card.name} has no relations")
    pick(entities, {"gold": True, "predicted": True}, "kind of entities")
    head = head_of(predictor, "relation")
    asked = _asked(card, head)
    if head.kind == "document":
        return _concepts(predictor, card, documents, asked, entities, draws, both=both)
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
    return _Result(evaluation, {"": report, **{name: other for name, (other, _) in parts.items()}})


def _concepts(
    predictor: Predictor, card: Card, documents: Sequence[Document], head: Head, entities: str,
    draws: Mapping[str, int], *, both: bool,
) -> _Result:  # fmt: skip
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

    def part(found: Mapping[str, set[tuple[str, str, str]]], how: Mapping[str, str]) -> tuple[Scored, Examples]:
        predicted = {name: {rules.item(a, b, label, head) for a, b, label in items} for name, items in found.items()}

        def scored(kept: frozenset[str]) -> Report:
            report: Report = SCORERS[rules.scorer].score(_only(gold, kept), _only(predicted, kept), **options, **draws)
            return report.signed({**how, "level": "concept", **_how(head)})

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
    return _Result(evaluation, {"": report, **{name: other for name, (other, _) in parts.items()}})


def _of_gold_concepts(
    predictor: Predictor, documents: Sequence[Document], head: Head
) -> dict[str, set[tuple[str, str, str]]]:
    found: dict[str, set[tuple[str, str, str]]] = {document.id: set() for document in documents}
    for part in _parts(documents):
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
        names = _called_as_gold(read, document)
        found[document.id] = {
            (names[one.head], names[one.tail], one.type) for one in read.relations if one.level == "concept"
        }
    return found


def _called_as_gold(read: Document, gold: Document) -> dict[str, str]:
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


def _rows(
    predictor: Predictor, card: Card, documents: Sequence[Document], entities: str, draws: Mapping[str, int]
) -> _Result:
    """Rows that are one pair each: a label a row, no relation a class like the others, intervals by article.

    Counted are the classes that the rows have. As the rows are labelled, ``treats`` is wrong wherever a corpus marks
    nothing; beside it stands the score in which an answer that the row's corpus does not deny is no relation.
    """
    if entities != "gold":
        raise ScoreError(f"a row of {card.name} is a pair of given mentions", advice="use --entities gold")
    head = head_of(predictor, "relation")
    labels = (NEGATIVE, *card.relations)
    if unknown := [label for label in head.labels if label not in labels]:
        raise ScoreError(
            f"{card.name} has no relation {unknown[0]!r}, which the model answers",
            advice=f"it has: {', '.join(labels)}",
        )
    head = _asked(card, head)
    found = [(document, pair) for document in documents for pair in relation.inputs(document, head)]
    answers: list[Prediction] = []
    for start in range(0, len(found), MOST_ROWS):
        asked = [pair for _, pair in found[start : start + MOST_ROWS]]
        answers += predictor.predict({head.name: asked})[head.name]
    by_row = {document.id: answer for (document, _), answer in zip(found, answers, strict=True)}
    gold = [document.labels[0].value for document in documents]
    plain = [str(by_row[document.id].value) if document.id in by_row else NEGATIVE for document in documents]
    known = [judged(answer, document) for answer, document in zip(plain, documents, strict=True)]
    articles = [
        document.meta.get("pmid") or f"{document.meta['corpus']} {source_of(document)}" for document in documents
    ]
    counted = [label for label in labels if label in set(gold)]

    def scorer(predicted: Sequence[str], unjudged: str) -> Scored:
        def scored(kept: frozenset[str]) -> Report:
            chosen = [number for number, document in enumerate(documents) if document.id in kept]
            report: Report = SCORERS["classification"].score(
                [gold[i] for i in chosen], [predicted[i] for i in chosen], labels=labels, counted=counted,
                groups=[articles[i] for i in chosen], **draws,
            )  # fmt: skip
            return report.signed({**_how(head), "entities": "gold", "unjudged": unjudged})

        return scored

    parts = {"": scorer(plain, "wrong"), JUDGED: scorer(known, "no relation")}
    rows = tuple(
        Row(document.id, article, right, said, dict(by_row[document.id].probabilities) if document.id in by_row else {})
        for document, article, right, said in zip(documents, articles, gold, plain, strict=True)
    )
    examples = [
        {"id": row.id, "gold": row.gold, "predicted": row.predicted, "probabilities": row.probabilities} for row in rows
    ]
    everything = frozenset(document.id for document in documents)
    evaluation = Evaluation(
        parts[""](everything), {JUDGED: parts[JUDGED](everything)}, examples=examples,
        facts={"rows": len(documents), "articles": len(set(articles))},
        predictions=Examples("", rows, "classification", {"labels": list(labels), "counted": counted}),
    )  # fmt: skip
    return _Result(evaluation, parts)


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
        gold[document.id] = set(_by_span(document, names, classes, both_ways))
        predicted[document.id] = set(_by_span(read, names, classes, both_ways))
        fates += _fates(document, read, predictor, head, names, classes, both_ways)

    def scored(kept: frozenset[str]) -> Report:
        report: Report = SCORERS["relations"].score(_only(gold, kept), _only(predicted, kept), classes=classes, **draws)
        return report.signed({"entities": "predicted", **_how(head)})

    examples = [
        {"id": _place(identity, a, b), "type": kind, "gold": (a, b, kind) in gold[identity],
         "predicted": (a, b, kind) in predicted[identity]}
        for identity in gold for a, b, kind in sorted(gold[identity] | predicted[identity])
    ]  # fmt: skip
    saved = _saved("relations", gold, predicted, classes=classes)
    lost = budget.budget(fates, list(gold), **draws)
    return (scored, saved), examples, lost


def _with_gold(
    predictor: Predictor, documents: Sequence[Document], asked: Head, names: Mapping[str, str],
    classes: Sequence[str], level: str, draws: Mapping[str, int],
) -> tuple[Scored, Examples]:  # fmt: skip
    gold: dict[str, set[tuple[str, str, str]]] = {}
    predicted: dict[str, set[tuple[str, str, str]]] = {}
    both_ways = asked.options.symmetric
    for part in _parts(documents):
        pairs = [(document, pair) for document in part for pair in relation.inputs(document, asked)]
        answers = predictor.predict({asked.name: [pair for _, pair in pairs]})[asked.name]
        for document in part:
            relations = (r for r in document.relations if r.level == level and names.get(r.type, r.type) in classes)
            gold[document.id] = {_fact(r.head, r.tail, r.type, names, both_ways) for r in relations}
            predicted[document.id] = set()
        concepts = {(d.id, m.id): m.concepts for d in part for m in d.mentions}
        for (document, pair), answer in zip(pairs, answers, strict=True):
            sides: list[tuple[Sequence[str], Sequence[str]]] = [((pair.head.id,), (pair.tail.id,))]
            if level == "concept":
                sides = [(concepts[document.id, pair.head.id], concepts[document.id, pair.tail.id])]
            predicted[document.id] |= {
                _fact(first, second, label, names, both_ways)
                for label in answer.labels
                if names.get(label, label) in classes
                for firsts, seconds in sides
                for first in firsts
                for second in seconds
            }

    def scored(kept: frozenset[str]) -> Report:
        report: Report = SCORERS["relations"].score(_only(gold, kept), _only(predicted, kept), classes=classes, **draws)
        return report.signed({"entities": "gold", "level": level, **_how(asked)})

    return scored, _saved("relations", gold, predicted, classes=classes)


def _fates(
    document: Document, read: Document, predictor: Predictor, head: Head, names: Mapping[str, str],
    classes: Sequence[str], both_ways: Collection[str],
) -> Iterator[Fate]:  # fmt: skip
    """What became of each gold relation of a document that was read: the first stage it was lost at."""
    found = set(_by_span(read, names, classes, both_ways))
    every = tuple(names.values()) + head.labels
    answered = {(first, second) for first, second, _ in _by_span(read, names, every, both_ways)}
    spans = sentences.of(replace(document, mentions=()))  # as they were read
    whole = sentences.of(document, keep_mentions=True)
    at: dict[tuple[int, int], list[Mention]] = {}
    for mention in read.mentions:
        at.setdefault((mention.start, mention.end), []).append(mention)
    reading = read.meta["relatome"]
    for first, second, kind in sorted(set(_by_span(document, names, classes, both_ways))):
        places = [_around(spans, *one) for one in (first, second)]
        fitting = [
            (one, other) for one in at.get(first, ()) for other in at.get(second, ())
            if _may_hold(head, names, kind, one, other)
        ]  # fmt: skip
        if (first, second, kind) in found:
            cause = budget.FOUND
        elif None in places:
            cause = budget.SENTENCE
        elif first not in at or second not in at:
            cause = budget.ENTITY
        elif (apart := _apart(spans, places)) > head.options.sentences:
            together = _around(whole, *first) == _around(whole, *second)
            cause = budget.SENTENCE if together else budget.ACROSS
        elif not fitting:
            cause = budget.TYPES
        elif apart:  # read in a text of their own
            cause = budget.OTHER if (first, second) in answered else budget.NEGATIVE
        else:
            assert places[0] is not None
            kept, asked = _asked_about(read, places[0], fitting, head)
            if reading["crowded"] and not kept:
                cause = budget.CROWD
            elif reading["dropped"] and all(one.dropped for one in predictor.predict({head.name: asked})[head.name]):
                cause = budget.WINDOW
            else:
                cause = budget.OTHER if (first, second) in answered else budget.NEGATIVE
        yield Fate(_place(document.id, first, second), document.id, cause)


def _asked_about(
    read: Document, place: Span, fitting: Sequence[tuple[Mention, Mention]], head: Head
) -> tuple[list[Pair], list[Pair]]:
    """Of these pairs of mentions of a sentence, those that a crowded sentence leaves; and all of them."""
    sentence = Sentence(f"{read.id}#", read.id, read.text[place.start : place.end], place.start)
    wanted = {(one.id, other.id) for one, other in fitting}
    everything = list(pairs.of_sentence(sentence, read.mentions, head))
    left, _ = pairs.nearest(everything, MOST_PAIRS)
    kept, asked = ([one for one in some if (one.head.id, one.tail.id) in wanted] for some in (left, everything))
    return kept, asked


def _may_hold(head: Head, names: Mapping[str, str], kind: str, first: Mention, second: Mention) -> bool:
    """Whether the pair is a candidate, and some label of the class is allowed it."""
    may = pairs.legal(head, first.type, second.type)
    return first.span != second.span and any(
        fits and label != NEGATIVE and names.get(label, label) == kind
        for label, fits in zip(head.labels, may, strict=True)
    )


def _apart(spans: Sequence[Span], places: Sequence[Span | None]) -> int:
    """How many sentences from the one to the other."""
    first, second = (spans.index(place) for place in places if place is not None)
    return abs(first - second)


def _around(spans: Sequence[Span], start: int, end: int) -> Span | None:
    """The sentence that holds a range whole."""
    return next((one for one in spans if one.start <= start and end <= one.end), None)


def _place(identity: str, first: tuple[int, int], second: tuple[int, int]) -> str:
    return f"{identity}:{first[0]}-{first[1]}:{second[0]}-{second[1]}"


def _by_span(
    document: Document, names: Mapping[str, str], classes: Sequence[str], both_ways: Collection[str]
) -> Iterator[tuple[Any, Any, str]]:
    spans = {mention.id: (mention.start, mention.end) for mention in document.mentions}
    for one in document.relations:
        kind = names.get(one.type, one.type)
        if one.level == "mention" and kind in classes:
            yield _fact(spans[one.head], spans[one.tail], one.type, names, both_ways)


def _fact(first: T, second: T, label: str, names: Mapping[str, str], both_ways: Collection[str]) -> tuple[T, T, str]:
    """A relation as it is counted: by its class, and in one order where its label holds both ways."""
    a, b = sorted((first, second)) if label in both_ways else (first, second)  # type: ignore[type-var]
    return a, b, names.get(label, label)


def _classification(
    predictor: Predictor, card: Card, documents: Sequence[Document], draws: Mapping[str, int]
) -> _Result:
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
    order: dict[str, str] = {}
    if set(head.labels).isdisjoint(values):  # a published model with labels of its own: by order, as its card says
        order = dict(zip(head.labels, values, strict=False))
        predicted = [order.get(value, value) for value in predicted]
    # what the model was not taught it never answers, and is wrong where that is the gold; its own other labels likewise
    values = tuple(dict.fromkeys((*values, *(order.get(one, one) for one in head.labels))))
    groups = [source_of(document) for document, _ in found]
    scorer = SCORERS["classification"]

    def scored(kept: frozenset[str]) -> Report:
        chosen = [number for number, (document, _) in enumerate(found) if document.id in kept]
        report: Report = scorer.score(
            [gold[i] for i in chosen],
            [predicted[i] for i in chosen],
            labels=values,
            groups=[groups[i] for i in chosen],
            **draws,
        )
        return report

    examples = [
        {"id": example.input.id, "gold": example.gold, "predicted": value, "probabilities": dict(answer.probabilities)}
        for (_, example), value, answer in zip(found, predicted, answers, strict=True)
    ]
    saved = Examples(
        "",
        tuple(
            Row(example.input.id, group, example.gold, value,
                {**dict.fromkeys(values, 0.0), **{order.get(k, k): number for k, number in answer.probabilities.items()}})
            for (_, example), group, value, answer in zip(found, groups, predicted, answers, strict=True)
        ),
        "classification",
        {"labels": list(values)},
    )  # fmt: skip
    everything = frozenset(document.id for document in documents)
    return _Result(Evaluation(scored(everything), examples=examples, predictions=saved), {"": scored})


def _saved(
    scorer: str, gold: Mapping[str, Collection[Any]], predicted: Mapping[str, Collection[Any]], **options: Sequence[str]
) -> Examples:
    """A row for each document, with its items on either side; one without any is a row too."""
    rows = (Row(identity, identity, sorted(items), sorted(predicted[identity])) for identity, items in gold.items())
    return Examples("", tuple(rows), scorer, {name: list(names) for name, names in options.items()})


def _asked(card: Card, head: Head) -> Head:
    """The head as it is asked: about the card's pairs, which both sides of a comparison answer, and those it adds."""
    symmetric = (*head.options.symmetric, *(name for name, one in card.relations.items() if one.symmetric))
    options = replace(head.options, symmetric=tuple(dict.fromkeys(symmetric)))
    listed = {name: (*one.arguments, *head.arguments.get(name, ())) for name, one in card.relations.items()}
    return replace(head, arguments=pairs.arguments(listed, options), options=options)


def _how(head: Head) -> dict[str, str]:
    return {"head": f"{head.kind}: {head.options}"}


def _only(found: Mapping[str, T], kept: frozenset[str]) -> dict[str, T]:
    return {identity: items for identity, items in found.items() if identity in kept}


def _parts(documents: Sequence[Document]) -> Iterator[Sequence[Document]]:
    return (documents[start : start + CHUNK] for start in range(0, len(documents), CHUNK))


RULES: dict[str, Rules] = {
    "relations": Rules(
        "relations",
        lambda card: {"classes": list(card.relations)},
        lambda a, b, label, head: _fact(a, b, label, {}, head.options.symmetric),
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

HEADLINE = {"classification": "macro", "cdr": "CID relation", "biored": "pair+type"}
"""By scorer, the class whose F1 stands for all where one number must; ``micro`` for the others."""

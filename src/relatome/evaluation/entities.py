"""Entities: exact spans with their type, against every gold mention; of tokenised corpora the tokens' tags beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from relatome.corpora.card import Card
from relatome.documents import Document, Span
from relatome.errors import ScoreError
from relatome.evaluation.result import Evaluation, Item, Result, Scored, only, saved_as, together
from relatome.predictors.texts import Predictor, head_of
from relatome.scoring import SCORERS
from relatome.scoring.score import Report
from relatome.spans import align, longest_first, spans_to_tags
from relatome.tasks import ner

TOKENS = "tokens"


def score(predictor: Predictor, card: Card, documents: Sequence[Document], draws: Mapping[str, int]) -> Result:
    """Score the entities found in each document; a corpus is judged over the types it annotates exhaustively."""
    head = head_of(predictor, "ner")
    types = [name for name in head.labels if name in card.exhaustive]
    if not types:
        raise ScoreError(
            f"{card.name} annotates {', '.join(card.exhaustive) or 'nothing'}; the model finds {head.labels}"
        )
    gold: dict[str, set[tuple[int, int, str]]] = {}
    predicted: dict[str, set[tuple[int, int, str]]] = {}
    examples: list[Item] = []
    for part in together(documents):
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
        report: Report = SCORERS["ner"].score(only(gold, kept), only(predicted, kept), types=types, **draws)
        return report.signed({"entities": "predicted", "repeated": head.repeated or "no"})

    saved = saved_as("ner", gold, predicted, types=types)
    parts: dict[str, Scored] = {"": scored}
    if all(document.tokens for document in documents) and len(types) == 1:
        parts[TOKENS] = _tokens(documents, gold, predicted, types[0], draws)
    beside = {name: one(frozenset(gold)) for name, one in parts.items() if name}
    return Result(Evaluation(scored(frozenset(gold)), beside, examples=examples, predictions=saved), parts)


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

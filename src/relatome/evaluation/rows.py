"""Merged corpora: rows that are one pair each, a label a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relatome.corpora.card import Card
from relatome.corpora.corpus import source_of
from relatome.corpora.merged import judged
from relatome.documents import Document
from relatome.errors import ScoreError
from relatome.evaluation.result import Evaluation, Result, Scored, asked_about, how
from relatome.predictors.texts import Predictor, head_of
from relatome.scoring import SCORERS
from relatome.scoring.examples import Examples, Row
from relatome.scoring.score import Report
from relatome.tasks import relation
from relatome.tasks.example import NEGATIVE, Prediction

MOST_ROWS = 4096  # rows of one sentence predicted together: enough of every length for full batches
JUDGED = "as its corpus can judge"


def score(
    predictor: Predictor, card: Card, documents: Sequence[Document], entities: str, draws: Mapping[str, int]
) -> Result:
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
    head = asked_about(card, head)
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
            return report.signed({**how(head), "entities": "gold", "unjudged": unjudged})

        return scored

    parts = {"": scorer(plain, "wrong"), JUDGED: scorer(known, "no relation")}

    telling = any(answer.probabilities for answer in answers)

    def probabilities(answer: Prediction | None) -> dict[str, float] | None:
        """Of every label; a row that was not asked about is none for sure, and a label that cannot hold has no chance."""
        told = {NEGATIVE: 1.0} if answer is None else answer.probabilities
        return {**dict.fromkeys(labels, 0.0), **told} if telling else None

    def saved(predicted: Sequence[str], chances: Sequence[dict[str, float] | None]) -> Examples:
        rows = (
            Row(document.id, article, right, said, chance)
            for document, article, right, said, chance in zip(
                documents, articles, gold, predicted, chances, strict=True
            )
        )
        return Examples("", tuple(rows), "classification", {"labels": list(labels), "counted": counted})

    predictions = saved(plain, [probabilities(by_row.get(document.id)) for document in documents])
    examples = [
        {"id": row.id, "gold": row.gold, "predicted": row.predicted, "probabilities": row.probabilities}
        for row in predictions.rows
    ]
    everything = frozenset(document.id for document in documents)
    evaluation = Evaluation(
        parts[""](everything), {JUDGED: parts[JUDGED](everything)}, examples=examples,
        facts={"rows": len(documents), "articles": len(set(articles))},
        predictions=predictions, predictions_beside={JUDGED: saved(known, [None] * len(known))},
    )  # fmt: skip
    return Result(evaluation, parts)

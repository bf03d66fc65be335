"""Labels of sentences and documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from relatome.corpora.card import Card
from relatome.corpora.corpus import source_of
from relatome.documents import Document
from relatome.errors import ScoreError
from relatome.evaluation.result import Evaluation, Result
from relatome.predictors.texts import Predictor, head_of
from relatome.scoring import SCORERS
from relatome.scoring.examples import Examples, Row
from relatome.scoring.score import Report
from relatome.tasks import classification


def score(predictor: Predictor, card: Card, documents: Sequence[Document], draws: Mapping[str, int]) -> Result:
    """Score one label of each sentence or document that the corpus judges; intervals by the document it comes from."""
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
    return Result(Evaluation(scored(everything), examples=examples, predictions=saved), {"": scored})

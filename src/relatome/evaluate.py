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
from collections.abc import Mapping, Sequence
from dataclasses import replace

from relatome import __version__, corpora, sentences
from relatome.corpora import audit
from relatome.corpora.corpus import Corpus
from relatome.corpora.merged import Merged
from relatome.documents import Document
from relatome.errors import ScoreError
from relatome.evaluation import entities as entities_of
from relatome.evaluation import labels, relations, rows
from relatome.evaluation.result import Evaluation, Item, Result
from relatome.lookup import pick
from relatome.predictors import BASELINES
from relatome.predictors.texts import Predictor
from relatome.scoring import comparison, paired
from relatome.scoring.examples import Examples
from relatome.scoring.published import Published, attach
from relatome.scoring.score import Report, Score
from relatome.tasks import TASKS

CLEAN, NO_SENTENCE = "clean part", "no shared sentence"


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
        result = entities_of.score(predictor, found.card, documents, draws)
    elif isinstance(found, Merged):
        result = rows.score(predictor, found.card, documents, entities, draws)
    elif task == "relation":
        result = relations.score(predictor, found.card, documents, entities, draws, both=both)
    else:
        result = labels.score(predictor, found.card, documents, draws)
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
    first = results[0]
    draws = {"resamples": resamples, "seed": seed}
    beside = {
        name: _mean([one.beside[name] for one in results], [one.predictions_beside[name] for one in results], **draws)
        for name in first.predictions_beside
    }
    report = _mean([one.report for one in results], [one.predictions for one in results], **draws)
    return Evaluation(report, beside, facts=dict(first.facts))


def _mean(reports: Sequence[Report], saved: Sequence[Examples], *, resamples: int, seed: int) -> Report:
    """The means of several seeds' scores, those that their reports have."""
    known = {(one.name, one.class_) for one in reports[0].scores}
    measures = [comparison.measure(one) for one in saved]
    found = [
        one for one in paired.over_seeds(measures, resamples=resamples, seed=seed) if (one.name, one.class_) in known
    ]
    scores = [Score(one.name, one.class_, one.mean, one.low, one.high, one.support) for one in found]
    scores += [Score(f"{one.name} sd of seeds", one.class_, one.sd, math.nan, math.nan, one.support) for one in found]
    signature = {
        **reports[0].signature, "seeds": len(reports), "resamples": resamples, "seed": seed,
        "interval": "normal, of sampling and seeds, 95%",
        "model": ", ".join(str(one.signature["model"]) for one in reports),
    }  # fmt: skip
    return Report(tuple(scores), signature)


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


def _beside(result: Result, documents: Sequence[Document], leaked: Mapping[str, tuple[str, ...]], others: str) -> None:
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


HEADLINE = {"classification": "macro", "cdr": "CID relation", "biored": "pair+type"}
"""By scorer, the class whose F1 stands for all where one number must; ``micro`` for the others."""

"""What the cards of the question corpora say beyond their counts, held against the files."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from pathlib import Path
from random import Random

from relatome import corpora, formats
from relatome.documents import Document


def answer(document: Document) -> str:
    return document.questions[0].answers[0][0]


def test_pubmedqa_is_divided_as_its_authors_divide_it(corpus_data: Path) -> None:
    """Their script: shuffle the ids of each answer, cut them in parts, give the last part what is missing."""
    random = Random(0)

    def cut(found: dict[str, str], number: int) -> list[dict[str, str]]:
        parts: list[dict[str, str]] = [{} for _ in range(number)]
        for value in ("yes", "no", "maybe"):
            names = [name for name, answer in found.items() if answer == value]
            random.shuffle(names)
            size = ceil(len(names) / number)
            borders = [*range(0, size * number, size), len(names)]
            for part, (begin, end) in zip(parts, pairwise(borders), strict=True):
                part.update(dict.fromkeys(names[begin:end], value))
        if len(parts[-1]) != len(parts[0]):
            for part in parts[:-1]:
                picked = random.choice(list(part))
                parts[-1][picked] = part.pop(picked)
        return parts

    corpus = corpora.load("pubmedqa")
    rest, test = cut(
        {document.id: answer(document) for document in formats.read(corpus.path("pubmedqa/ori_pqal.json.gz"))}, 2
    )
    assert set(test) == {document.id for document in corpus.documents("test")}
    folds = cut(rest, 10)
    assert set(folds[0]) == {document.id for document in corpus.documents("dev")}
    assert {name for fold in folds[1:] for name in fold} == {document.id for document in corpus.documents("train")}


def test_pubmedqa_answers_are_the_published_ground_truth(corpus_data: Path) -> None:
    corpus = corpora.load("pubmedqa")
    truth = {d.id: answer(d) for d in formats.read(corpus.path("pubmedqa/test_ground_truth.json"))}
    assert {document.id: answer(document) for document in corpus.documents("test")} == truth
    assert all(corpus.pmid(document) == document.id for document in corpus.documents("test"))


def test_the_same_questions_in_four_corpora(corpus_data: Path) -> None:
    """What the cards' defects say of each other."""
    golden = corpora.load("bioasq")
    kinds = {d.id: d.questions[0].kind for d in golden.documents("train+dev+test")}
    blurb = {split: {d.id for d in corpora.load("blurb-bioasq").documents(split)} for split in ("train", "dev", "test")}
    asked = {d.id for d in golden.documents("train+dev") if kinds[d.id] == "yesno"}
    assert (len(asked), len(asked & (blurb["train"] | blurb["dev"]))) == (263, 261)
    assert blurb["test"] == {d.id for d in golden.documents("test") if kinds[d.id] == "yesno"}
    factoid = corpora.load("bioasq-factoid")
    for year, split in (("4b", "train"), ("5b", "dev"), ("7b", "test")):
        sources = {str(d.meta["source"]) for d in factoid.documents(year)}
        assert sources == {d.id for d in golden.documents(split) if kinds[d.id] == "factoid"}
    assert len({d.meta["source"] for d in factoid.documents("6b")}) == 161
    phase_b = {d.id for d in golden.documents("4b-4", protocol="phase-b")}
    assert phase_b == {d.id for d in golden.documents("4b-4", protocol="batches")}
    # A batch is a part of its year, in its order.
    batches = [d.id for n in range(1, 6) for d in golden.documents(f"4b-{n}", protocol="batches")]
    assert batches == [d.id for d in golden.documents("train")]

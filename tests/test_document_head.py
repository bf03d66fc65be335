"""Relations between concepts across sentences: what is read, what is learned, how it is scored. Corpora are invented."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relatome import batches, corpora, export
from relatome.documents import Document, Mention, Relation, Span
from relatome.errors import ModelError, ScoreError, SettingsError
from relatome.evaluate import evaluate
from relatome.evaluation.concepts import RULES, called_as_gold
from relatome.extract import extract
from relatome.formats import jsonl
from relatome.models import checkpoint
from relatome.models.network import threshold_costs
from relatome.tasks import concept_pairs, relation
from relatome.tasks.example import NEGATIVE, Head, Options
from relatome.tasks.pairs import reachable
from relatome.tasks.relation import parse_marked
from relatome.training import mixture
from relatome.training import settings as options
from relatome.training.loop import Run
from relatome.training.run import dev_scores
from relatome.wordpieces import WordPieces
from tests import tiny

PIECES = WordPieces.toy(tiny.PIECES)
CID = Head("relations", "relation", "document", (NEGATIVE, "CID"), {"CID": (("Chemical", "Disease"),)})
BOTH = Head(
    "relations", "relation", "document", (NEGATIVE, "BIND", "CAUSE", "TREAT"),
    {
        "BIND": (("Gene", "Chemical"), ("Chemical", "Gene"), ("Gene", "Gene")),
        "CAUSE": (("Chemical", "Disease"),),
        "TREAT": (("Chemical", "Disease"),),
    },
    options=Options(symmetric=("BIND",)),
)  # fmt: skip
DRUGS = ("aspirin", "lithium", "warfarin", "erythromycin")
EFFECTS = ("bleeding", "tremor")


def marked(
    identifier: str, text: str, *named: tuple[str, str, str], facts: Sequence[tuple[str, str, str]] = ()
) -> Document:
    """A document with every place of each (word, type, concept) as a mention, and relations between concepts."""
    mentions: list[Mention] = []
    for word, kind, concept in named:
        at = text.find(word)
        while at >= 0:
            mentions.append(Mention(f"T{len(mentions)}", at, at + len(word), kind, word, (concept,)))
            at = text.find(word, at + 1)
    relations = tuple(Relation(f"R{n}", kind, a, b, "concept") for n, (a, kind, b) in enumerate(facts))
    return Document(identifier, text, mentions=tuple(mentions), relations=relations).check()


def invented(prefix: str, count: int, seed: int) -> Iterator[Document]:
    """One drug was given, another stopped, in either order; the effect, two sentences on, is the first one's."""
    chance = random.Random(seed)
    for number in range(count):
        given_, stopped = chance.sample(DRUGS, 2)
        effect = chance.choice(EFFECTS)
        said = [f"{given_} caused it.", f"{stopped} inhibits it."]
        chance.shuffle(said)
        text = f"{' '.join(said)} in 3 rats. {effect} in 3 rats."
        sentences = tuple(Span(*match.span()) for match in re.finditer(r"[^ .][^.]*\.", text))
        found = marked(
            f"{prefix}{number}", text, (given_, "Chemical", f"C:{given_}"), (stopped, "Chemical", f"C:{stopped}"),
            (effect, "Disease", f"D:{effect}"), facts=[(f"C:{given_}", "CID", f"D:{effect}")],
        )  # fmt: skip
        yield replace(found, sentences=sentences).check()


LONG = marked(
    "long", "aspirin was used. " + "Then some more words of no import. " * 9 + "The cox inhibits kinase; bleeding, tremor. Then aspirin",
    ("aspirin", "Chemical", "C1"), ("cox", "Gene", "G1"), ("kinase", "Gene", "G2"), ("bleeding", "Disease", "D1"),
    ("tremor", "Disease", "D2"),
    facts=[("C1", "CAUSE", "D1"), ("C1", "TREAT", "D1"), ("G2", "BIND", "G1"), ("G1", "BIND", "C1")],
)  # fmt: skip


# ------------------------------------------------------------------------------------------- what is asked and read


def test_candidates_are_concepts_of_the_whole_document_and_one_order_of_symmetric_pairs() -> None:
    asked = {(pair.head.id, pair.tail.id) for pair in concept_pairs.candidates(LONG, BOTH)}
    assert asked == {("C1", "G1"), ("C1", "G2"), ("G1", "G2"), ("C1", "D1"), ("C1", "D2")}
    found: list[Any] = list(relation.examples(LONG, BOTH))
    gold = {(one.input.head.id, one.input.tail.id): one.gold for one in found}
    assert gold["C1", "D1"] == ("CAUSE", "TREAT") and gold["G1", "G2"] == ("BIND",) and gold["C1", "D2"] == ()
    assert concept_pairs.reachable(LONG, BOTH) == (4, 4)
    assert reachable(LONG, BOTH)[0] < 4  # of a sentence


@pytest.mark.parametrize("limit", [16, 24, 40, 400])
def test_perfect_logits_give_every_label_back(limit: int) -> None:
    examples: list[Any] = list(relation.examples(LONG, BOTH))
    inputs, golds = [one.input for one in examples], [one.gold for one in examples]
    rows, asked = batches.encode([(BOTH, inputs)], PIECES, limit=limit)
    assert len(rows) == 1
    targets = [concept_pairs.targets(item, golds, BOTH) for item in asked["relations"]]
    logits = [np.where(target > 0, 5.0, -5.0).astype(np.float32) for target in targets]
    for scores in logits:
        scores[:, 0] = 0
    found = relation.decode(inputs, asked["relations"], logits, BOTH)
    assert [set(one.labels) for one in found] == [set(gold) or {NEGATIVE} for gold in golds]
    assert [one.value == NEGATIVE for one in found] == [not gold for gold in golds]
    assert all(0.99 < one.probabilities[label] <= 1 for one in found for label in one.labels if label != NEGATIVE)
    assert all(one.windows == len(PIECES.windows([LONG.text], limit=limit)[0]) for one in found)


@given(st.integers(16, 80), st.text(alphabet="ab c😀β.", max_size=120))
def test_overlapping_windows_number_each_piece_once(limit: int, text: str) -> None:
    windows = PIECES.windows([text], limit=limit)[0]
    joined, slots = concept_pairs._joined(windows)
    whole = PIECES.windows([text], limit=10_000)[0][0]
    assert len(joined) == len(slots) == sum(map(len, windows)) and joined.count == len(windows)
    for piece, slot in enumerate(slots):
        assert (joined.starts[piece] < 0) == (slot == 0)
        if slot:
            assert (joined.starts[piece], joined.ids[piece]) == (whole.starts[slot], whole.ids[slot])
    assert set(slots) - {0} == set(range(1, len(whole) - 1))


def test_a_window_sees_itself_alone() -> None:
    inputs = [one.input for one in relation.examples(LONG, BOTH)]
    rows, _ = batches.encode([(BOTH, inputs)], PIECES, limit=40)
    reading = rows[0].reading
    assert reading is not None and len(reading.parts) > 2
    batch = batches.collate(rows, pad=PIECES.pad, markers=(0, 0, 0, 0))
    first, second = reading.parts[:2]
    seen = batch.mask[0, 0, :, -batch.ids.shape[1] :]
    assert seen[:first, :first].all() and not seen[:first, first : rows[0].pieces].any()
    assert seen[first : first + second, first : first + second].all() and not seen[first, :first].any()
    assert seen.any(axis=1).all()  # no row of the mask is empty
    assert list(batch.positions[0, first : first + 3]) == [0, 1, 2] and batch.positions.max() < 40


# -------------------------------------------------------------------------------------------------------- the model


def test_the_loss_is_that_of_the_paper() -> None:
    logits = torch.tensor([[0.5, 2.0, -1.0, 0.3], [0.0, 1.0, 0.0, 3.0]])
    gold = torch.tensor([[False, True, False, False], [False, False, False, False]])
    every = torch.ones(2, 4, dtype=torch.bool)
    masked = every.clone()
    masked[1, 3] = False

    def share(of: float, among: Sequence[float]) -> float:
        return -float(torch.log_softmax(torch.tensor([of, *among]), 0)[0])

    right, below = share(2.0, [0.5]), share(0.5, [-1.0, 0.3])
    assert threshold_costs(logits, gold, every, every)[0].item() == pytest.approx(right + below, abs=1e-5)
    assert threshold_costs(logits, gold, masked, every)[1].item() == pytest.approx(share(0.0, [1.0, 0.0]), abs=1e-5)
    assert threshold_costs(logits, gold, every, masked)[1].item() == pytest.approx(share(0.0, [1.0, 0.0]), abs=1e-5)


def test_answers_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path, (BOTH,), limit=40)
    asked = [one.input for doc in (LONG, *_others()) for one in relation.examples(doc, BOTH)]
    together = tiny.predictor(made).predict({"relations": asked})["relations"]
    alone = tiny.predictor(made, budget=1).predict({"relations": asked})["relations"]
    assert len({one.labels for one in together}) > 1
    for one, other in zip(together, alone, strict=True):
        assert one.labels == other.labels and one.probabilities == pytest.approx(other.probabilities, abs=2e-4)


def test_a_folder_gives_the_same_answers_and_goes_with_other_heads(tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path / "e", (tiny.ENTITIES, BOTH), limit=40)
    checkpoint.save(made, tmp_path / "m")
    asked: dict[str, Any] = {
        "relations": [one.input for one in relation.examples(LONG, BOTH)],
        "entities": tiny.sentences(),
    }
    saved = tiny.predictor(checkpoint.load(tmp_path / "m")).predict(asked)
    assert saved == tiny.predictor(made).predict(asked)


def test_extract_joins_what_it_finds_by_name(tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path, (tiny.ENTITIES, replace(tiny.RELATIONS, kind="document")), limit=64)
    with torch.no_grad():
        cast(Any, made.network.heads)["relations"].classifier.bias[0] = -100  # every label holds
    texts = [Document("1", f"{tiny.TEXTS[1]}\n\n{tiny.TEXTS[5]}"), Document("2", "")]
    found = [document.check() for document in extract(texts, tiny.predictor(made))]
    relations = [one for document in found for one in document.relations]
    assert relations and {one.level for one in relations} == {"concept"}
    for document in found:
        known = {name for mention in document.mentions for name in mention.concepts}
        assert {end for one in document.relations for end in (one.head, one.tail)} <= known
        assert all(one.evidence and one.source == "tiny" for one in document.relations)


def _others() -> list[Document]:
    return list(invented("o", 3, seed=5))


# ------------------------------------------------------------------------------------------------ training, scoring

CARD = """
name = "across"
title = "An invented corpus"
version = "1"
reader = "jsonl"
unit = "abstract"
tasks = ["relation"]
protocol = "official"
scorer = "cdr"
licence = "CC0 1.0"
terms = "None."
ship = true
citation = "None."
exhaustive = ["Chemical", "Disease"]

[origin]
url = "https://example.org/"

[types]
Chemical = "Chemical"
Disease = "Disease"

[relations]
CID = {{ arguments = [["Chemical", "Disease"]], level = "concept" }}

[protocols.official]
kind = "files"

[protocols.official.splits]
train = {{ read = ["across.train"] }}
dev = {{ read = ["across.dev"] }}

[files]
"across.train" = {{ sha256 = "{train}" }}
"across.dev" = {{ sha256 = "{dev}" }}
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n1003\tanother test\n", encoding="utf-8")
    sums = {}
    for split, count in (("train", 120), ("dev", 24)):
        jsonl.write(invented(split, count, seed=count), tmp_path / f"across.{split}")
        sums[split] = hashlib.sha256((tmp_path / f"across.{split}").read_bytes()).hexdigest()
    (tmp_path / "across.toml").write_text(CARD.format(**sums), encoding="utf-8")
    tiny.encoder_folder(tmp_path / "encoder")
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    return tmp_path


def settings_of(world: Path, **more: Any) -> options.Settings:
    values: dict[str, Any] = {
        "encoder": str(world / "encoder"), "limit": 64, "epochs": 30, "batch_pieces": 1024, "learning_rate": 2e-3,
        "head_learning_rate": 2e-3, "dropout": 0.0, "seed": 1, "evaluate_every": 10**6,
        "heads": [{"name": "relations", "task": "relation", "kind": "document"}],
        "data": [{"corpus": str(world / "across.toml"), "dev": "dev", "heads": ["relations"]}],
    }  # fmt: skip
    return options.parse({**values, **more})


def test_it_learns_a_relation_across_sentences(world: Path) -> None:
    settings = settings_of(world)
    made = checkpoint.new(settings.encoder, mixture.heads(settings), limit=settings.limit)
    data = mixture.build(settings, made.network.asked, made.pieces, made.limit)
    steps = list(Run(settings, made, data, world / "run", score=lambda one: dev_scores(settings, one)).steps())
    assert steps[-1].losses["relations"] < 0.3 * steps[0].losses["relations"]
    opened = tiny.predictor(checkpoint.load(world / "run"))
    corpus = corpora.load(str(world / "across.toml"))
    found = evaluate(opened, corpus, task="relation", split="dev", resamples=20, clean=False)
    assert found.report.value("f1", "CID relation") > 0.9
    assert found.report.signature["scorer"] == "cdr" and found.report.signature["concepts"] == "corpus ids"
    assert found.facts["gold relations"] == found.facts["in reach of the document"] == 24
    assert found.facts["in reach of a sentence"] == 0  # no two of them stand in one sentence
    with pytest.raises(ScoreError, match="the model finds no entities"):
        evaluate(opened, corpus, task="relation", split="dev", entities="predicted", clean=False)


def test_end_to_end_concepts_are_joined_by_name_andcalled_as_gold(world: Path, tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path / "e", (tiny.ENTITIES, CID))
    corpus = corpora.load(str(world / "across.toml"))
    found = evaluate(
        tiny.predictor(made), corpus, task="relation", split="dev", entities="predicted", resamples=0, clean=False
    )
    assert str(found.report.signature["concepts"]).startswith("joined by name and abbreviation")
    assert found.report.signature["entities"] == "predicted" and "gold entities" in found.beside
    gold = marked("1", "aspirin caused tremor", ("aspirin", "Chemical", "C1"), ("tremor", "Disease", "D1"))
    read = replace(gold, mentions=tuple(replace(m, concepts=(f"own:{m.text}",)) for m in gold.mentions))
    stray = Mention("X", 8, 14, "Disease", "caused", ("own:caused",))
    named = called_as_gold(replace(read, mentions=(*read.mentions, stray)), gold)
    assert named == {"own:aspirin": "C1", "own:tremor": "D1", "own:caused": "own:caused"}


def test_biored_is_scored_in_either_order_without_novelty() -> None:
    rules = RULES["biored"]
    card = corpora.load("biored").card
    assert card.scorer == "biored" and rules.options(card)["novelty"] is False
    assert rules.item("D2", "D1", "Bind", BOTH) == rules.item("D1", "D2", "Bind", BOTH) == ("D1", "D2", "Bind", "")


def test_what_a_document_head_cannot_do_is_refused(world: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has a loss and a pooling of its own, so no class_weights"):
        head = {"name": "r", "task": "relation", "kind": "document", "class_weights": "balanced"}
        settings_of(world, heads=[head], data=[{"corpus": "x", "heads": ["r"]}])
    made = tiny.fresh(tmp_path / "e", (CID,))
    with pytest.raises(ModelError, match="relates the concepts of a whole document"):
        tiny.predictor(made).predict({"relations": [parse_marked("[E1]Aspirin[/E1] and [E2]tremor[/E2]")]})
    with pytest.raises(ModelError, match="'relations' reads whole documents and cannot be exported yet"):
        export.export(made, tmp_path / "out", calibration=[])


@pytest.mark.parametrize("name", ["bc5cdr", "biored"])
def test_a_few_steps_on_real_documents(name: str, corpus_data: Path, tmp_path: Path) -> None:
    tiny.encoder_folder(tmp_path / "encoder")
    settings = options.parse(
        {
            "encoder": str(tmp_path / "encoder"), "limit": 128, "batch_pieces": 4096,
            "heads": [{"name": "relations", "task": "relation", "kind": "document"}],
            "data": [{"corpus": name, "split": "dev", "heads": ["relations"]}],
        }
    )  # fmt: skip
    made = checkpoint.new(settings.encoder, mixture.heads(settings), limit=settings.limit)
    data = mixture.build(settings, made.network.asked, made.pieces, made.limit)
    examples = data.counts[f"{name} dev"]["relations examples"]
    assert sum(len(row.targets["relations"]) for rows in data.rows for row in rows) > 0.99 * examples
    steps = list(itertools.islice(Run(settings, made, data, tmp_path / "run").steps(), 3))
    assert all(0 < step.losses["relations"] < 100 for step in steps)

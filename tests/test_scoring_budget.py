"""The error budget: every gold relation has one fate, each of the nine can be had, and the shares add up."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from relatome import corpora
from relatome.cli import main
from relatome.documents import Document, Mention, Relation
from relatome.errors import ScoreError, UnknownNameError
from relatome.evaluate import evaluate
from relatome.evaluation.result import GOLD, PREDICTED
from relatome.formats import jsonl
from relatome.scoring import budget
from relatome.scoring.budget import CAUSES, Fate
from relatome.tasks.example import NEGATIVE, Head, Pair, Prediction, Sentence, TypedSpan

CARD = """name = "drugs"
title = "Invented"
version = "1"
reader = "jsonl"
unit = "article"
tasks = ["ner", "relation"]
protocol = "official"
licence = "CC0-1.0"
terms = "none"
ship = false
citation = "nobody"
exhaustive = ["Chemical", "Gene"]

[origin]
url = "https://example.org"

[types]
Chemical = "Chemical"
Gene = "Gene"

[relations]
INHIBITOR = {{ arguments = [["Chemical", "Gene"], ["Gene", "Gene"]], level = "mention" }}
ACTIVATOR = {{ arguments = [["Chemical", "Gene"]], level = "{level}" }}

[protocols.official]
kind = "files"
[protocols.official.splits]
train = {{ read = ["drugs.train"] }}
test = {{ read = ["drugs.test"] }}

[files]
{files}
"""
HEADS = (
    Head("entities", "ner", "layers", ("Chemical", "Gene")),
    Head(
        "relations", "relation", "packed", (NEGATIVE, "INHIBITOR", "ACTIVATOR"),
        {"INHIBITOR": (("Chemical", "Gene"), ("Gene", "Gene")), "ACTIVATOR": (("Chemical", "Gene"),)},
    ),
)  # fmt: skip
KNOWN = {"alphanib": "Chemical", "betanib": "Chemical", "cox1": "Gene", "cox2": "Gene", "cox3": "Chemical"}
KNOWN |= {f"gen{number}": "Gene" for number in range(40)}


class Dictionary:
    """A predictor of rules: words it knows are entities; the verb of the sentence is the relation; far is too far."""

    heads = {head.name: head for head in HEADS}  # noqa: RUF012
    source = "dictionary@1"
    card: dict[str, Any] = {}  # noqa: RUF012

    def predict(self, requests: Any, memory: object = None) -> dict[str, list[Prediction]]:
        assert isinstance(requests, Mapping)
        return {name: [self._one(item) for item in items] for name, items in requests.items()}

    def _one(self, item: Sentence | Pair) -> Prediction:
        if isinstance(item, Sentence):
            words = re.finditer(r"\w+", item.text)
            spans = [TypedSpan(w.start(), w.end(), KNOWN[w[0]], 0.9) for w in words if w[0] in KNOWN]
            return Prediction(item.id, tuple(spans), {}, 1)
        text = item.sentence.text
        if abs(item.head.start - item.tail.start) > 500:
            return Prediction(item.id, NEGATIVE, {NEGATIVE: 1.0}, 2, dropped=True)
        said = "INHIBITOR" if "inhibits" in text else "ACTIVATOR" if "activates" in text else NEGATIVE
        fits = (item.head.type, item.tail.type) in HEADS[1].arguments.get(said, ())
        return Prediction(item.id, said if fits else NEGATIVE, {said: 0.9, NEGATIVE: 0.1}, 1)


def document(identity: str, text: str, *related: tuple[str, str, str]) -> Document:
    """The document whose words in pairs (head, tail, type) are its mentions; ``a b`` is a mention of two words."""
    mentions: dict[str, Mention] = {}
    for word in (word for head, tail, _ in related for word in (head, tail)):
        kind = "Chemical" if word.endswith("nib") else "Gene"
        start = text.index(word)
        mentions.setdefault(word, Mention(f"T{len(mentions)}", start, start + len(word), kind, word))
    relations = (
        Relation(f"R{number}", kind, mentions[head].id, mentions[tail].id)
        for number, (head, tail, kind) in enumerate(related)
    )
    return Document(identity, text, mentions=tuple(mentions.values()), relations=tuple(relations))


CROWD = "alphanib inhibits " + ", ".join(f"gen{number}" for number in range(40)) + "."
TEST = {
    budget.FOUND: [document("f", "alphanib inhibits cox1.", ("alphanib", "cox1", "INHIBITOR"))],
    budget.SENTENCE: [
        document("s1", "It is vitamin D. Kinase and alphanib inhibits it.", ("alphanib", "D. Kinase", "INHIBITOR")),
    ],
    budget.ENTITY: [document("e", "gammanib inhibits cox1.", ("gammanib", "cox1", "INHIBITOR"))],
    budget.ACROSS: [document("a", "We gave alphanib. It inhibits cox1.", ("alphanib", "cox1", "INHIBITOR"))],
    budget.TYPES: [document("t", "cox1 inhibits cox3.", ("cox1", "cox3", "INHIBITOR"))],
    budget.CROWD: [document("c", CROWD, ("alphanib", "gen39", "INHIBITOR"))],
    budget.WINDOW: [
        document("w", "alphanib inhibits" + " a lot of" * 70 + " cox1.", ("alphanib", "cox1", "INHIBITOR"))
    ],
    budget.NEGATIVE: [document("n", "betanib binds cox2.", ("betanib", "cox2", "INHIBITOR"))],
    budget.OTHER: [document("o", "betanib activates cox2.", ("betanib", "cox2", "INHIBITOR"))],
}


def write(folder: Path, documents: Sequence[Document], *, level: str = "mention") -> Path:
    """A corpus of these test documents in a folder; its card."""
    lines = []
    for name, some in (("drugs.train", [document("x", "Nothing to see in here.")]), ("drugs.test", documents)):
        jsonl.write(some, folder / name)
        lines.append(f'"{name}" = {{ sha256 = "{hashlib.sha256((folder / name).read_bytes()).hexdigest()}" }}')
    (folder / "drugs.toml").write_text(CARD.format(files="\n".join(lines), level=level))
    return folder / "drugs.toml"


def scored(folder: Path, documents: Sequence[Document], **options: Any) -> Any:
    found = corpora.load(write(folder, documents))
    return evaluate(Dictionary(), found, task="relation", resamples=50, clean=False, **options)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))


@pytest.mark.parametrize("cause", CAUSES)
def test_every_fate_is_told(cause: str, tmp_path: Path) -> None:
    found = scored(tmp_path, TEST[cause]).budget
    assert {row.cause: row.count for row in found.rows if row.count} == {cause: len(TEST[cause])}
    row = next(row for row in found.rows if row.count)
    assert row.share == 1 and row.examples[0].startswith(TEST[cause][0].id + ":")


def test_the_table_adds_up_and_agrees_with_the_score(tmp_path: Path) -> None:
    documents = [one for some in TEST.values() for one in some]
    found = scored(tmp_path, documents, entities="predicted")
    rows = found.budget.rows
    assert [row.cause for row in rows] == list(CAUSES)
    assert sum(row.count for row in rows) == found.budget.total == len(documents)
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert rows[-1].cause == budget.FOUND
    assert rows[-1].share == found.report.value("recall", "micro")
    assert found.report.score("recall", "micro").support == found.budget.total
    ids = {item["id"] for item in found.examples if item["gold"]}
    assert {example for row in rows for example in row.examples} == ids
    assert all(row.low <= row.share <= row.high for row in rows)
    signature = found.budget.report.signature
    assert signature["corpus"] == "drugs" and signature["entities"] == "predicted" and signature["scorer"] == "budget"


def test_a_boundary_between_two_mentions(tmp_path: Path) -> None:
    """A stop inside a third mention parts the two: with mentions kept whole they are in one sentence."""
    text = "alphanib raised vitamin D. Kinase and inhibits cox1."
    gold = document("s2", text, ("alphanib", "cox1", "INHIBITOR"), ("alphanib", "D. Kinase", "INHIBITOR"))
    rows = {row.cause: row.count for row in scored(tmp_path, [gold]).budget.rows if row.count}
    assert rows == {budget.SENTENCE: 2}


def test_gold_and_predicted_entities_stand_beside_each_other(tmp_path: Path) -> None:
    documents = [one for some in TEST.values() for one in some]
    one, other = (scored(tmp_path, documents, entities=kind) for kind in ("gold", "predicted"))
    assert list(one.beside) == [PREDICTED] and list(other.beside) == [GOLD]
    assert one.report.json() == other.beside[GOLD].json()
    assert other.report.json() == one.beside[PREDICTED].json()
    assert one.budget.json() == other.budget.json()
    alone = scored(tmp_path, documents, both=False)
    assert alone.beside == {} and alone.budget is None


def test_where_entities_cannot_be_predicted_that_is_said(tmp_path: Path) -> None:
    found = corpora.load(write(tmp_path, TEST[budget.FOUND]))
    model = Dictionary()
    model.heads = {"relations": HEADS[1]}
    result = evaluate(model, found, task="relation", resamples=0, clean=False)  # type: ignore[arg-type]
    assert result.budget is None and result.beside == {}
    assert result.facts["not scored with predicted entities"] == "the model finds no entities"
    with pytest.raises(ScoreError, match="finds no entities.*--entities gold"):
        evaluate(model, found, task="relation", entities="predicted")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown kind of entities 'predict'"):
        evaluate(model, found, task="relation", entities="predict")  # type: ignore[arg-type]


def test_a_corpus_without_relations_in_the_split(tmp_path: Path) -> None:
    found = scored(tmp_path, [document("none", "Nobody gave anything.")]).budget
    assert found.total == 0 and all(row.share != row.share for row in found.rows)
    assert [row["share"] for row in found.json()["rows"]] == [None] * len(CAUSES)
    json.dumps(found.json(), allow_nan=False)


def test_the_command_prints_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    write(tmp_path, [one for some in TEST.values() for one in some])
    monkeypatch.setattr("relatome.predictors.load", lambda *_, **__: Dictionary())
    monkeypatch.setenv("COLUMNS", "140")
    arguments = ["evaluate", "any", "--corpus", str(tmp_path / "drugs.toml"), "--task", "relation", "--resamples", "20"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "gold entities" in out and "predicted entities" in out and "where 9 gold relations were lost" in out
    assert all(cause in out for cause in CAUSES)
    assert main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"scores", "signature", "wall_seconds", "facts", "budget", "beside"}
    assert sum(row["count"] for row in said["budget"]["rows"]) == said["budget"]["gold"] == 9
    assert said["budget"]["rows"][0]["examples"] == ["s1:28-36:14-23"]


@pytest.mark.parametrize("fate", [Fate("1:a", "1", "bad luck"), Fate("2:a", "2", budget.FOUND)])
def test_unknown_causes_and_documents_are_refused(fate: Fate) -> None:
    with pytest.raises(ScoreError, match="one of them is not known"):
        budget.budget([fate], ["1"])


def test_three_examples_and_no_more() -> None:
    fates = [Fate(f"1:{number}", "1", budget.ENTITY) for number in range(5)]
    row = next(row for row in budget.budget(fates, ["1"]).rows if row.count)
    assert row.examples == ("1:0", "1:1", "1:2") and row.count == 5 and row.low != row.low

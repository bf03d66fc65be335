"""``relatome evaluate`` on rows that are one pair each, on tokens, and beside what others published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relatome import corpora
from relatome.cli import main
from relatome.corpora.merged import Merged
from relatome.documents import Document, Label, Mention, Relation, Span
from relatome.errors import ScoreError, SettingsError, TrainingError
from relatome.evaluate import over_seeds
from relatome.evaluation import entities, rows
from relatome.evaluation.entities import TOKENS
from relatome.evaluation.rows import JUDGED
from relatome.predictors import load, priors
from relatome.scoring.published import Published, attach, read
from relatome.tasks import relation
from relatome.tasks.example import Example, Head, Prediction, TypedSpan
from tests.test_cli_audit import baseline, world  # noqa: F401

NEGATIVE = "NO_RELATION"
DRAWS = {"resamples": 20, "seed": 0}


class Says:
    """A predictor that says what a table says."""

    def __init__(self, head: Head, table: dict[str, Any], sure: dict[str, Any] | None = None) -> None:
        self.heads, self.table, self.sure = {head.name: head}, table, sure or {}
        self.source = "says@1"
        self.card: dict[str, Any] = {}

    def predict(self, requests: Any, memory: Any = None) -> Any:
        return {
            name: [
                Prediction(one.id, self.table.get(one.id, self.table.get("", ())), self.sure.get(one.id, {}))
                for one in asked
            ]
            for name, asked in requests.items()
        }


def row(
    corpus: str, number: int, label: str, kinds: tuple[str, str] = ("Chemical", "Disease"), **meta: Any
) -> Document:
    masks = [f"@{kind.upper()}$" for kind in kinds]
    text = f"{masks[0]} and {masks[1]}."
    place = len(masks[0]) + 5
    mentions = (
        Mention("E1", 0, len(masks[0]), kinds[0], masks[0]),
        Mention("E2", place, place + len(masks[1]), kinds[1], masks[1]),
    )
    labels = (Label("relations9", label, 0, len(text)),)
    known = {"corpus": corpus, "source": f"s{number}", "pair": ["E1", "E2"], **meta}
    identity = f"{corpus}:{number}:T1-T2"
    relations = (Relation("R1", label, "E1", "E2"),) if label not in ("", NEGATIVE) else ()
    return Document(
        identity,
        text,
        mentions=mentions,
        relations=relations,
        labels=labels,
        sentences=(Span(0, len(text)),),
        meta=known,
    )


@pytest.fixture(scope="module")
def nine() -> tuple[Merged, Head]:
    found = corpora.load("relations9")
    assert isinstance(found, Merged)
    arguments = {name: one.arguments for name, one in found.card.relations.items()}
    return found, Head("nine", "relation", "packed", (NEGATIVE, *found.card.relations), arguments)


def test_no_relation_is_a_class_and_only_classes_with_gold_count(nine: tuple[Merged, Head]) -> None:
    corpus, head = nine
    documents = [
        row("bc5cdr", 1, "causes", pmid="11"),
        row("bc5cdr", 2, NEGATIVE, pmid="11", unjudged=["treats", "associated_with"]),
        row("biored", 3, "treats", pmid="12"),
        row("biored", 4, NEGATIVE, pmid="13"),
    ]
    answers = {
        one.id + ":E1-E2": what for one, what in zip(documents, ("causes", "treats", "treats", NEGATIVE), strict=True)
    }
    result = rows.score(Says(head, answers), corpus.card, documents, "gold", DRAWS)
    report = result.evaluation.report
    assert report.signature["classes"] == [NEGATIVE, "causes", "treats"] and report.signature["unjudged"] == "wrong"
    assert report.value("f1", "treats") == pytest.approx(2 / 3) and report.value("f1", NEGATIVE) == pytest.approx(2 / 3)
    assert report.value("f1", "macro") == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    known = result.evaluation.beside[JUDGED]
    assert known.value("f1", "macro") == 1.0 and known.signature["unjudged"] == "no relation"
    assert result.evaluation.facts == {"rows": 4, "articles": 3}
    assert [one.document for one in result.evaluation.predictions.rows] == ["11", "11", "12", "13"]
    part = result.parts[""](frozenset({documents[0].id, documents[2].id}))
    assert part.score("f1", "treats").support == 1
    with pytest.raises(ScoreError, match="a row of relations9 is a pair of given mentions"):
        rows.score(Says(head, {}), corpus.card, documents, "predicted", DRAWS)
    with pytest.raises(ScoreError, match="relations9 has no relation 'cures', which the model answers"):
        other = replace(head, labels=(NEGATIVE, "cures"))
        rows.score(Says(other, {}), corpus.card, documents, "gold", DRAWS)


def test_seeds_are_told_together_also_as_the_corpus_can_judge(nine: tuple[Merged, Head]) -> None:
    """Of labels that a pair's types rule out a model says nothing, and of a row that no pair was made of neither."""
    corpus, head = nine
    documents = [
        *(row("bc5cdr", number, "causes", pmid=str(number)) for number in range(3)),
        row("bc5cdr", 8, NEGATIVE, pmid="8", unjudged=["treats", "associated_with"]),
        *(row("biored", number, "treats", pmid=str(number)) for number in range(20, 23)),
        replace(row("gad", 30, NEGATIVE, pmid="30"), mentions=()),
    ]
    gold = [one.labels[0].value for one in documents]
    results = []
    for wrong in ({3: "treats"}, {0: "treats", 3: "treats"}):
        said = [wrong.get(number, label) for number, label in enumerate(gold)]
        pairs = [one.id + ":E1-E2" for one in documents]
        table = dict(zip(pairs, said, strict=True))
        sure = {pair: {value: 0.75, "inhibits": 0.25} for pair, value in table.items()}
        result = rows.score(Says(head, table, sure), corpus.card, documents, "gold", DRAWS).evaluation
        result.report = result.report.signed({"model": "says@1"})
        result.beside = {name: one.signed({"model": "says@1"}) for name, one in result.beside.items()}
        assert all(
            sum((one.probabilities or {}).values()) == 1
            and len(one.probabilities or {}) == len(corpus.card.relations) + 1
            for one in result.predictions.rows
        )
        results.append(result)
    found = over_seeds(results, resamples=20)
    for name in ("", JUDGED):
        mean, *each = (one.beside[name] if name else one.report for one in (found, *results))
        values = [one.value("f1", "treats") for one in each]
        assert values[0] > values[1] and mean.value("f1", "treats") == pytest.approx(sum(values) / 2)
        assert mean.value("f1 sd of seeds", "treats") > 0 and mean.signature["seeds"] == 2
    assert found.beside[JUDGED].value("f1", NEGATIVE) == 1.0 > found.report.value("f1", NEGATIVE)
    assert found.beside[JUDGED].signature["unjudged"] == "no relation"


def test_priors_know_types_and_corpus_and_nothing_else(nine: tuple[Merged, Head], tmp_path: Path) -> None:
    _, head = nine
    gene = ("Chemical", "Gene")
    learnt = [
        *(row("bc5cdr", number, "causes") for number in range(3)),
        row("bc5cdr", 8, NEGATIVE),
        *(row("biored", number, "treats") for number in range(2)),
        *(row("chemprot", number, "inhibits", gene) for number in range(9)),
    ]
    taught = (one for document in learnt for one in relation.examples(document, head))
    made = priors.train([Example(one.input, str(one.gold)) for one in taught], head)
    made.save(tmp_path)
    opened = load(tmp_path)
    assert opened.source == made.source and opened.heads == made.heads

    def said(*documents: Document) -> Sequence[Any]:
        pairs = [pair for document in documents for pair in relation.inputs(document, head)]
        return [one.value for one in opened.predict({"nine": pairs})["nine"]]

    asked = [
        row("biored", 50, ""), row("bc5cdr", 51, ""), row("gad", 52, ""), row("biored", 53, "", gene),
        row("gad", 54, "", ("Gene", "Disease")),
    ]  # fmt: skip
    # of a corpus that was not learned from, what holds over all; of new types, the commonest label they allow
    assert said(*asked) == ["treats", "causes", "causes", "inhibits", NEGATIVE]
    assert said() == [] and said(*asked[::-1]) == said(*asked)[::-1]
    with pytest.raises(TrainingError, match="no examples"):
        priors.train([], head)


def test_tokens_as_biobert_counts_them() -> None:
    text = "big red kinase cox"
    tokens = (Span(0, 3), Span(4, 7), Span(8, 14), Span(15, 18))
    document = Document(
        "1", text, mentions=(Mention("T1", 4, 14, "Gene", "red kinase"),), sentences=(Span(0, 18),), tokens=tokens
    )
    card = corpora.load("bc2gm").card
    head = Head("entities", "ner", "tags", ("Gene",))
    spans = (TypedSpan(8, 14, "Gene"), TypedSpan(15, 18, "Gene"))
    result = entities.score(Says(head, {"": spans}), card, [document], DRAWS)
    assert result.evaluation.report.value("f1", "micro") == 0.0  # no span is right
    found = result.evaluation.beside[TOKENS]
    # gold O B I O, said O O B B: nothing but the first token is right, and O does not count
    assert found.value("f1", "micro") == 0.0 and found.value("accuracy") == 0.25
    assert found.score("f1", "micro").support == 2
    exact = entities.score(Says(head, {"": (TypedSpan(4, 14, "Gene"),)}), card, [document], DRAWS)
    assert exact.evaluation.beside[TOKENS].value("f1", "micro") == 1.0
    without = entities.score(Says(head, {"": ()}), card, [replace(document, tokens=())], DRAWS)
    assert TOKENS not in without.evaluation.beside


# ------------------------------------------------------------------------------------------------------------ published


FILE = """
[[published]]
system = "Some BERT"
corpus = "rows"
protocol = "official"
citation = "Somebody 2020"
remembered = true
scores = { "f1 micro" = 0.75, "errors" = 3 }

[[published]]
system = "Other BERT"
corpus = "elsewhere"
citation = "Nobody 2021"
scores = { "f1 what" = 1 }
"""


def test_published_numbers_stand_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "published.toml").write_text(FILE, encoding="utf-8")
    found = read(tmp_path / "published.toml")
    scores = [
        {"name": "f1", "class": "micro", "value": 0.5}, {"name": "errors", "class": None, "value": 4.0},
        {"name": "f1", "class": "macro", "value": 0.5},
    ]  # fmt: skip
    document = {"scores": scores, "signature": {"corpus": "rows", "protocol": "official"}}
    said = attach(document, found)
    assert [one["published"] for one in said["scores"]] == [0.75, 3.0, None]
    assert [one["system"] for one in said["published"]] == ["Some BERT"] and said["published"][0]["remembered"] is True
    assert said["published"][0]["scores"] == {"f1 micro": 0.75, "errors": 3.0}
    other = attach({**document, "signature": {"corpus": "rows", "protocol": "clean"}}, found)
    assert other["published"] == [] and {one["published"] for one in other["scores"]} == {None}
    wrong = Published("Some BERT", "rows", "x", {("f1", "micron"): 0.5})
    with pytest.raises(ScoreError, match="Some BERT has a published 'f1 micron', which is not scored on rows"):
        attach(document, [wrong])


def test_all_mistakes_of_a_published_file_are_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "published.toml"
    file.write_text(
        '[[published]]\nsystem = "x"\ncorpus = 3\nscroes = {}\nscores = { f1 = "much" }\n', encoding="utf-8"
    )
    with pytest.raises(SettingsError) as caught:
        read(file)
    said = " ".join(caught.value.problems)
    assert "unknown key 'scroes'" in said and "citation is missing" in said and "corpus should be str, found 3" in said
    file.write_text("[[published]]\n" + FILE.split("[[published]]")[1].replace("0.75", '"much"'), encoding="utf-8")
    with pytest.raises(SettingsError, match="'f1 micro' should be a number"):
        read(file)
    for text, what in (("", "at least one"), ("= 1", "not TOML"), ("published = [1]", "should be a table")):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError, match=what):
            read(file)
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path / "absent.toml")


def test_evaluate_says_what_is_published_and_how_long_it_took(
    world: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    baseline(world).save(world / "model")
    (world / "published.toml").write_text(FILE.replace("f1 micro", "f1 yes"), encoding="utf-8")
    published = ["--published", str(world / "published.toml")]
    arguments = ["evaluate", str(world / "model"), "--corpus", "rows", "--resamples", "0", *published]
    assert main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    first = {"name", "class", "value", "low", "high", "support", "published"}
    assert all(set(one) == first for one in said["scores"]) and said["wall_seconds"] >= 0
    beside = {(one["name"], one["class"]): one["published"] for one in said["scores"]}
    assert beside["f1", "yes"] == 0.75 and beside["errors", None] == 3 and beside["f1", "no"] is None
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "published: Some BERT, Somebody 2020; quoted from memory" in out
    assert "0.7500" in out and "published 3" in out

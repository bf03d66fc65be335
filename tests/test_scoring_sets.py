"""Entities and relations: equal to seqeval, scikit-learn and the official scorers' recorded numbers; bad input."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from relatome.errors import ScoreError
from relatome.scoring import ner, relations

TYPES = ["Chemical", "Disease", "Gene"]


def random_tags(generator: np.random.Generator, length: int) -> list[str]:
    """A well-formed IOB2 sequence: entities of one to three tokens, some of them touching."""
    tags: list[str] = []
    while len(tags) < length:
        if generator.random() < 0.5:
            tags.append("O")
        else:
            type_ = str(generator.choice(TYPES))
            tags += [f"B-{type_}"] + [f"I-{type_}"] * int(generator.integers(0, 3))
    return tags[:length]


def spans(tags: list[str]) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for position, tag in enumerate(tags):
        if tag.startswith("B-"):
            found.append((position, position + 1, tag[2:]))
        elif tag.startswith("I-"):
            start, _, type_ = found.pop()
            found.append((start, position + 1, type_))
    return found


@pytest.mark.parametrize("seed", range(10))
def test_equal_to_seqeval(seed):
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    generator = np.random.default_rng(seed)
    gold = [random_tags(generator, 20) for _ in range(60)]
    predicted = [
        tags if generator.random() < 0.5 else random_tags(generator, 20) for tags in gold
    ]  # half of the sentences right
    report = ner.score(
        {str(i): spans(tags) for i, tags in enumerate(gold)},
        {str(i): spans(tags) for i, tags in enumerate(predicted)},
        resamples=0,
    )
    for options in ({}, {"mode": "strict", "scheme": IOB2}):
        theirs = classification_report(gold, predicted, output_dict=True, **options)
        for class_ in [*TYPES, "micro", "macro"]:
            row = theirs[class_ if class_ in TYPES else f"{class_} avg"]
            for name, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
                ours = report.score(name, class_)
                assert ours.value == pytest.approx(row[key], abs=1e-12), (class_, name)
                assert ours.support == row["support"]


@pytest.mark.parametrize("seed", range(10))
def test_relations_equal_scikit_learn_over_all_pairs(seed):
    """Every ordered pair of five mentions is a row; micro over the evaluated classes is labels=... there."""
    generator = np.random.default_rng(seed)
    names = ["none", "x", "y", "z"]
    rows = [(str(d), h, t) for d in range(30) for h in range(5) for t in range(5) if h != t]
    truth = generator.choice(names, len(rows), p=[0.7, 0.1, 0.1, 0.1])
    answer = np.where(generator.random(len(rows)) < 0.6, truth, generator.choice(names, len(rows)))
    sides: list[dict[str, list[tuple[int, int, str]]]] = []
    for labels in (truth, answer):
        side: dict[str, list[tuple[int, int, str]]] = {str(d): [] for d in range(30)}
        for (document, head, tail), label in zip(rows, labels, strict=True):
            side[document].append((head, tail, str(label)))
        sides.append(side)
    report = relations.score(*sides, classes=names[1:], resamples=0)
    numbers = sklearn.metrics.precision_recall_fscore_support
    per_class = numbers(truth, answer, labels=names[1:], zero_division=np.nan)
    for position, class_ in enumerate(names[1:]):
        for column, name in enumerate(("precision", "recall", "f1")):
            assert report.value(name, class_) == pytest.approx(per_class[column][position], abs=1e-12)
        assert report.score("f1", class_).support == per_class[3][position]
    for average in ("micro", "macro"):
        theirs = numbers(truth, answer, labels=names[1:], average=average, zero_division=np.nan)
        assert [report.value(name, average) for name in ("precision", "recall", "f1")] == pytest.approx(theirs[:3])


items = st.lists(st.tuples(st.integers(0, 3), st.integers(4, 6), st.sampled_from("AB")), max_size=6)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), st.tuples(items, items), min_size=1))
def test_counts_are_those_of_a_plain_loop(documents):
    gold = {key: pair[0] for key, pair in documents.items()}
    predicted = {key: pair[1] for key, pair in documents.items()}
    report = ner.score(gold, predicted, types=["A", "B"], resamples=0)
    for type_ in "AB":
        wanted = {(d, *item) for d in gold for item in gold[d] if item[2] == type_}
        found = {(d, *item) for d in predicted for item in predicted[d] if item[2] == type_}
        both = len(wanted & found)
        for name, part, whole in (
            ("precision", both, len(found)),
            ("recall", both, len(wanted)),
            ("f1", 2 * both, len(wanted) + len(found)),
        ):
            expected = part / whole if whole else float("nan")
            assert report.value(name, type_) == pytest.approx(expected, nan_ok=True)
        assert report.score("f1", type_).support == len(wanted)


@pytest.mark.parametrize(
    "near",
    [(1, 7, "A"), (0, 6, "A"), (0, 8, "A"), (0, 7, "B")],
    ids=["start", "end short", "end long", "type"],
)
def test_an_entity_off_by_one_or_of_another_type_is_wrong(near):
    report = ner.score({"d": [(0, 7, "A")]}, {"d": [near]})
    assert report.value("f1", "micro") == 0


@pytest.mark.parametrize("near", [("T2", "T1", "x"), ("T1", "T3", "x"), ("T3", "T2", "x"), ("T1", "T2", "y")])
def test_a_relation_turned_round_or_of_another_type_is_wrong(near):
    report = relations.score({"d": [("T1", "T2", "x")]}, {"d": [near]}, classes=["x", "y"])
    assert report.value("f1", "micro") == 0


def test_the_same_item_in_another_document_is_wrong():
    report = ner.score({"1": [(0, 7, "A")], "2": []}, {"1": [], "2": [(0, 7, "A")]})
    assert report.value("f1", "A") == 0


def test_duplicates_count_once_on_both_sides():
    gold = {"1": [(0, 7, "A"), (0, 7, "A")], "2": [(3, 4, "A")]}
    predicted = {"1": [(0, 7, "A"), (0, 7, "A"), (0, 7, "A")], "2": []}
    score = ner.score(gold, predicted).score("recall", "A")
    assert (score.value, score.support) == (0.5, 2)
    assert ner.score(gold, predicted).value("precision", "A") == 1
    paired = relations.score(
        {"1": [("a", "b", "x")] * 2, "2": [("a", "b", "x")]}, {"1": [("a", "b", "x")] * 3, "2": []}, classes=["x"]
    )
    assert (paired.value("precision", "x"), paired.value("recall", "x")) == (1, 0.5)


def test_lists_and_sets_and_named_spans_are_all_items():
    from relatome.documents import Span

    gold = {"1": {(Span(0, 4), Span(6, 9), "x")}}
    predicted = {"1": [((0, 4), (6, 9), "x")]}
    assert relations.score(gold, predicted, classes=["x"]).value("f1", "x") == 1


def test_end_to_end_relations_need_both_exact_spans():
    gold = {"1": [((0, 4), (6, 9), "x"), ((10, 12), (6, 9), "x")]}
    predicted = {"1": [((0, 4), (6, 9), "x"), ((10, 13), (6, 9), "x")]}
    report = relations.score(gold, predicted, classes=["x"])
    assert (report.value("precision", "x"), report.value("recall", "x")) == (0.5, 0.5)


def test_other_classes_are_left_out_on_both_sides():
    gold = {"1": [("a", "b", "CPR:4"), ("a", "c", "CPR:10")]}
    predicted = {"1": [("a", "b", "CPR:4"), ("b", "c", "CPR:1")]}
    report = relations.score(gold, predicted, classes=["CPR:3", "CPR:4"])
    assert report.value("f1", "micro") == 1
    assert report.score("f1", "micro").support == 1
    assert report.signature["classes"] == ["CPR:3", "CPR:4"]


def test_types_left_out_are_those_of_both_sides():
    report = ner.score({"1": [(0, 1, "B")]}, {"1": [(0, 1, "C")]})
    assert report.signature["classes"] == ["B", "C"]


def test_a_pair_with_two_types_is_two_relations():
    gold = {"1": [("a", "b", "x"), ("a", "b", "y")]}
    report = relations.score(gold, {"1": [("a", "b", "x")]}, classes=["x", "y"])
    assert report.value("recall", "micro") == 0.5


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        (
            ["1", "2", "3", "4", "5"],
            ["1"],
            "4 documents are in the gold but not in the predictions: '2', '3', '4' ... "
            "(give every document on both sides, without items if it has none)",
        ),
        (
            ["1"],
            ["1", "9", "8", "7"],
            "3 documents are in the predictions but not in the gold: '7', '8', '9' "
            "(give every document on both sides, without items if it has none)",
        ),
        (
            ["1", "2"],
            ["1", "9"],
            "1 document is in the gold but not in the predictions: '2'; "
            "1 document is in the predictions but not in the gold: '9' "
            "(give every document on both sides, without items if it has none)",
        ),
        ([], [], "there are no documents to score"),
    ],
)
def test_documents_missing_on_a_side(gold, predicted, message):
    for call in (
        lambda: ner.score({d: [] for d in gold}, {d: [] for d in predicted}, types=["A"]),
        lambda: relations.score({d: [] for d in gold}, {d: [] for d in predicted}, classes=["A"]),
    ):
        with pytest.raises(ScoreError) as caught:
            call()
        assert str(caught.value) == message


def test_nothing_on_either_side_is_no_score_at_all():
    with pytest.raises(ScoreError, match="there are no entity types to score"):
        ner.score({"1": []}, {"1": []})


def pubtator_mentions(path: Path) -> dict[str, set[tuple[int, int, str]]]:
    found: dict[str, set[tuple[int, int, str]]] = defaultdict(set)
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split("\t")
        if len(parts) == 1 and "|t|" in line:
            found[line.split("|")[0]] |= set()
        elif len(parts) >= 5 and parts[1].isdigit():
            found[parts[0]].add((int(parts[1]), int(parts[2]), parts[4]))
    return found


def test_mentions_equal_the_official_bc5cdr_evaluation(corpus_data):
    """``official_scores.tsv`` holds what the task's own bc5cdr_eval.jar printed."""
    folder = corpus_data / "scorer_io" / "bc5cdr_eval"
    official = (folder / "official_scores.tsv").read_text(encoding="utf-8").splitlines()
    row = next(line.split("\t") for line in official if line.startswith("mention\tDisease\tscorer_io"))
    precision, recall, f1 = map(float, row[7:10])
    predicted = pubtator_mentions(folder / "CDR_sample.test.DNER.PubTator")
    gold = pubtator_mentions(folder / "CDR_sample.gold.PubTator")
    report = ner.score(gold, predicted, types=["Disease"], resamples=0)
    assert report.score("f1", "Disease").support == int(row[4]) + int(row[6])
    found = [report.value(name, "Disease") for name in ("precision", "recall", "f1")]
    assert found == pytest.approx([precision, recall, f1], abs=1e-15)


def test_relations_equal_the_official_chemprot_evaluation(corpus_data):
    """The sample's predictions with the numbers the organisers' script printed beside them."""
    folder = corpus_data / "chemprot" / "chemprot_sample"
    sides = []
    for name in ("gold_standard", "predictions"):
        side: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
        for line in (folder / f"chemprot_sample_{name}.tsv").read_text(encoding="utf-8").splitlines():
            document, group, head, tail = line.split("\t")
            side[document].add((head, tail, group))
        sides.append(side)
    for document in {*sides[0], *sides[1]}:
        for side in sides:
            side[document] |= set()
    official = dict(
        line.split(":") for line in (folder / "chemprot_sample_predictions_eval.txt").read_text().splitlines() if line
    )
    groups = ["CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9"]
    report = relations.score(*sides, classes=groups, resamples=0)
    assert report.score("f1", "micro").support == int(official["Total annotations"])
    found = [report.value(name, "micro") for name in ("precision", "recall", "f1")]
    assert found == pytest.approx([float(official[n]) for n in ("Precision", "Recall", "F-score")], abs=1e-12)

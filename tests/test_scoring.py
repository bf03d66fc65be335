"""What every scorer owes: bounds, perfect = 1, a stable signature, seeded intervals, one JSON shape; and mutants that fail."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from relatome.errors import ScoreError, SettingsError, UnknownNameError
from relatome.lookup import pick
from relatome.scoring import SCORERS, Measure, Report, Score, classification, ner, prf, relations, sets

NAN = float("nan")
Scorer = Callable[..., Report]

# One golden case for each scorer of plain values, counted by hand; those of files are in test_scoring_golden.py. `gold` holds one item of each class that the prediction misses by one
# character, one relation turned round, one row mistaken; precision and recall of every class and average differ.
GOLDEN: dict[str, tuple[Any, Any, dict[str, Any], dict[tuple[str, str | None], tuple[float, int]]]] = {
    "ner": (
        {"d1": [(0, 4, "A"), (6, 9, "A"), (12, 15, "B")], "d2": [(0, 3, "B")], "d3": []},
        {"d1": [(0, 4, "A"), (6, 10, "A"), (12, 15, "B"), (20, 22, "A")], "d2": [], "d3": [(1, 2, "A")]},
        {"types": ["A", "B"]},
        {
            ("precision", "A"): (1 / 4, 2),
            ("recall", "A"): (1 / 2, 2),
            ("f1", "A"): (1 / 3, 2),
            ("precision", "B"): (1.0, 2),
            ("recall", "B"): (1 / 2, 2),
            ("f1", "B"): (2 / 3, 2),
            ("precision", "micro"): (2 / 5, 4),
            ("recall", "micro"): (2 / 4, 4),
            ("f1", "micro"): (4 / 9, 4),
            ("precision", "macro"): (5 / 8, 4),
            ("recall", "macro"): (1 / 2, 4),
            ("f1", "macro"): (1 / 2, 4),
        },
    ),
    "relations": (
        {"d1": [("T1", "T2", "x"), ("T1", "T3", "y"), ("T4", "T3", "skip")], "d2": [("T1", "T2", "x")]},
        {"d1": [("T1", "T2", "x"), ("T3", "T1", "y"), ("T1", "T4", "x")], "d2": [("T1", "T2", "x"), ("T2", "T3", "y")]},
        {"classes": ["x", "y", "z"]},
        {
            ("precision", "x"): (2 / 3, 2),
            ("recall", "x"): (1.0, 2),
            ("f1", "x"): (4 / 5, 2),
            ("precision", "y"): (0.0, 1),
            ("recall", "y"): (0.0, 1),
            ("f1", "y"): (0.0, 1),
            ("precision", "z"): (NAN, 0),
            ("recall", "z"): (NAN, 0),
            ("f1", "z"): (NAN, 0),
            ("precision", "micro"): (2 / 5, 3),
            ("recall", "micro"): (2 / 3, 3),
            ("f1", "micro"): (1 / 2, 3),
            ("precision", "macro"): (1 / 3, 3),
            ("recall", "macro"): (1 / 2, 3),
            ("f1", "macro"): (2 / 5, 3),
        },
    ),
    "classification": (
        ["yes", "yes", "no", "no", "no", "no"],
        ["yes", "no", "no", "no", "yes", "yes"],
        {"labels": ["no", "yes"]},
        {
            ("accuracy", None): (1 / 2, 6),
            ("errors", None): (3.0, 6),
            ("mcc", None): (0.0, 6),
            ("precision", "no"): (2 / 3, 4),
            ("recall", "no"): (1 / 2, 4),
            ("f1", "no"): (4 / 7, 4),
            ("precision", "yes"): (1 / 3, 2),
            ("recall", "yes"): (1 / 2, 2),
            ("f1", "yes"): (2 / 5, 2),
            ("precision", "micro"): (1 / 2, 6),
            ("recall", "micro"): (1 / 2, 6),
            ("f1", "micro"): (1 / 2, 6),
            ("precision", "macro"): (1 / 2, 6),
            ("recall", "macro"): (1 / 2, 6),
            ("f1", "macro"): ((4 / 7 + 2 / 5) / 2, 6),
            ("precision", "weighted"): ((4 * 2 / 3 + 2 * 1 / 3) / 6, 6),
            ("recall", "weighted"): (1 / 2, 6),
            ("f1", "weighted"): ((4 * 4 / 7 + 2 * 2 / 5) / 6, 6),
        },
    ),
}


def check_golden(name: str, score: Scorer) -> None:
    gold, predicted, options, expected = GOLDEN[name]
    report = score(gold, predicted, **options, resamples=0)
    assert [(s.name, s.class_) for s in report.scores] == list(expected)
    for key, (value, support) in expected.items():
        found = report.score(*key)
        assert found.value == pytest.approx(value, nan_ok=True), key
        assert found.support == support, key


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name):
    check_golden(name, SCORERS[name].score)


def mutate_boundary(score: Scorer) -> Scorer:
    """The first item of the prediction is off by one: a character, an argument, a label."""

    def mutant(gold: Any, predicted: Any, **options: Any) -> Report:
        if isinstance(predicted, Mapping):
            first = next(iter(predicted))
            (head, tail, class_), *rest = predicted[first]
            moved = (head, tail + 1 if isinstance(tail, int) else tail + "0", class_)
            return score(gold, {**predicted, first: [moved, *rest]}, **options)
        return score(gold, [*predicted[1:], predicted[0]], **options)

    return mutant


def mutate_classes(score: Scorer) -> Scorer:
    """The last class is dropped from the counting."""

    def mutant(gold: Any, predicted: Any, **options: Any) -> Report:
        if "labels" in options:
            return score(gold, predicted, counted=options["labels"][:-1], **options)
        (key,) = options.keys() & {"types", "classes"}
        return score(gold, predicted, **{**options, key: options[key][:-1]})

    return mutant


def mutate_sides(score: Scorer) -> Scorer:
    """Precision and recall are swapped."""
    return lambda gold, predicted, **options: score(predicted, gold, **options)


@pytest.mark.parametrize("mutate", [mutate_boundary, mutate_classes, mutate_sides])
@pytest.mark.parametrize("name", GOLDEN)
def test_golden_fails_for_a_mutated_scorer(name, mutate):
    with pytest.raises(AssertionError):
        check_golden(name, mutate(SCORERS[name].score))


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_fails_when_the_formulas_are_swapped(name, monkeypatch):
    right = prf.precision_recall_f1
    monkeypatch.setattr(prf, "precision_recall_f1", lambda counts: right(counts)[..., [1, 0, 2]])
    with pytest.raises(AssertionError):
        check_golden(name, SCORERS[name].score)


@pytest.mark.parametrize("name", ["ner", "relations"])
def test_golden_fails_when_the_tally_drops_a_class(name, monkeypatch):
    right = sets.tally

    def dropped(pairs: Any, classes: Any) -> Any:
        counts = right(pairs, classes)
        counts[:, 1] = 0
        return counts

    monkeypatch.setattr(sets, "tally", dropped)
    with pytest.raises(AssertionError):
        check_golden(name, SCORERS[name].score)


def random_case(name: str, seed: int) -> tuple[Any, Any, dict[str, Any]]:
    """Thirty documents on which a prediction agrees with the gold about half the time."""
    generator = np.random.default_rng(seed)
    classes = ["A", "B", "C"]
    if name == "classification":
        gold = generator.choice(classes, 300, p=[0.7, 0.2, 0.1])
        noise = np.where(generator.random(300) < 0.7, gold, generator.choice(classes, 300))
        groups = generator.choice([f"d{i}" for i in range(30)], 300)
        return gold.tolist(), noise.tolist(), {"labels": classes, "groups": groups.tolist()}
    gold_items: dict[str, Any] = {}
    predicted_items: dict[str, Any] = {}
    for document in range(30):
        pairs = generator.integers(0, 6, size=(generator.integers(1, 9), 2))
        items = [(int(a), int(a + b + 1), str(generator.choice(classes))) for a, b in pairs]
        kept = [item for item in items if generator.random() < 0.7]
        gold_items[f"d{document}"] = items
        predicted_items[f"d{document}"] = kept + [(head, tail + 9, class_) for head, tail, class_ in items[::2]]
    return gold_items, predicted_items, {"types" if name == "ner" else "classes": classes}


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("seed", range(5))
def test_bounds(name, seed):
    gold, predicted, options = random_case(name, seed)
    for score in SCORERS[name].score(gold, predicted, **options, resamples=100).scores:
        top = 300 if score.name == "errors" else 1
        least = -1 if score.name == "mcc" else 0
        assert least <= score.value <= top
        assert least <= score.low <= score.high <= top
        assert score.support >= 0


@pytest.mark.parametrize("name", GOLDEN)
def test_perfect_is_one_with_no_width(name):
    gold, _, options = random_case(name, 1)
    for score in SCORERS[name].score(gold, gold, **options).scores:
        assert score.value == score.low == score.high == (0 if score.name == "errors" else 1)


@pytest.mark.parametrize("name", GOLDEN)
def test_swapping_the_sides_swaps_precision_and_recall(name):
    gold, predicted, options = random_case(name, 2)
    one = SCORERS[name].score(gold, predicted, **options)
    other = SCORERS[name].score(predicted, gold, **options)
    for class_ in ("A", "B", "C", "micro", "macro"):
        there, back = one.score("precision", class_), other.score("recall", class_)
        assert (there.value, there.low, there.high) == (back.value, back.low, back.high)
        assert one.value("f1", class_) == other.value("f1", class_)


@pytest.mark.parametrize("name", GOLDEN)
def test_same_seed_same_report_other_seed_other_interval(name):
    gold, predicted, options = random_case(name, 3)
    score = SCORERS[name].score
    first = score(gold, predicted, **options, seed=7)
    assert first.json() == score(gold, predicted, **options, seed=7).json()
    other = score(gold, predicted, **options, seed=8)
    assert [s.value for s in first.scores] == [s.value for s in other.scores]
    assert [s.low for s in first.scores] != [s.low for s in other.scores]


@pytest.mark.parametrize("name", ["ner", "relations"])
def test_order_of_documents_and_items_moves_nothing(name):
    gold, predicted, options = random_case(name, 4)
    shuffled = [{key: side[key][::-1] for key in reversed(side)} for side in (gold, predicted)]
    score = SCORERS[name].score
    assert score(gold, predicted, **options).json() == score(*shuffled, **options).json()


@pytest.mark.parametrize("name", GOLDEN)
def test_interval_holds_the_value_and_narrows_with_more_documents(name):
    gold, predicted, options = random_case(name, 5)
    once = SCORERS[name].score(gold, predicted, **options).score("f1", "micro")
    assert once.low < once.value < once.high
    if name == "classification":
        many = {**options, "groups": [f"{copy}{group}" for copy in range(9) for group in options["groups"]]}
        nine = SCORERS[name].score(gold * 9, predicted * 9, **many)
    else:
        copies = [{f"{copy}{key}": side[key] for copy in range(9) for key in side} for side in (gold, predicted)]
        nine = SCORERS[name].score(*copies, **options)
    often = nine.score("f1", "micro")
    assert often.value == pytest.approx(once.value)
    # a ninth of the variance: a third of the width, up to the noise of 1,000 resamples
    assert (often.high - often.low) / (once.high - once.low) == pytest.approx(1 / 3, rel=0.15)


SIGNATURES = {
    "ner": {
        "scorer": "ner",
        "scorer_version": 1,
        "match": "exact span and type",
        "averaging": ["class", "micro", "macro"],
        "classes": ["A", "B", "C"],
        "unit": "document",
        "units": 30,
        "interval": "percentile bootstrap, 95%",
        "resamples": 10,
        "seed": 3,
    },
    "relations": {
        "scorer": "relations",
        "scorer_version": 1,
        "match": "head, tail and type",
        "averaging": ["class", "micro", "macro"],
        "classes": ["A", "B", "C"],
        "unit": "document",
        "units": 30,
        "interval": "percentile bootstrap, 95%",
        "resamples": 10,
        "seed": 3,
    },
    "classification": {
        "scorer": "classification",
        "scorer_version": 2,
        "match": "label",
        "averaging": ["class", "micro", "macro", "weighted"],
        "classes": ["A", "B", "C"],
        "labels": ["A", "B", "C"],
        "unit": "document",
        "units": 30,
        "interval": "percentile bootstrap, 95%",
        "resamples": 10,
        "seed": 3,
    },
}


@pytest.mark.parametrize("name", GOLDEN)
def test_signature_is_stable(name):
    gold, predicted, options = random_case(name, 6)
    report = SCORERS[name].score(gold, predicted, **options, resamples=10, seed=3)
    assert report.signature == SIGNATURES[name]
    assert list(report.signature) == list(SIGNATURES[name])


@pytest.mark.parametrize("name", GOLDEN)
def test_json_has_the_one_shape(name):
    gold, predicted, options = random_case(name, 7)
    report = SCORERS[name].score(gold, predicted, **options)
    read = json.loads(report.json())
    assert list(read) == ["scores", "signature"]
    for row, score in zip(read["scores"], report.scores, strict=True):
        assert list(row) == ["name", "class", "value", "low", "high", "support"]
        assert tuple(row.values()) == (score.name, score.class_, score.value, score.low, score.high, score.support)
    assert read["signature"] == report.signature
    assert "\n" not in report.json()


def test_json_text_to_the_letter():
    scores = (Score("f1", "β-Blocker", 0.5, 0.25, NAN, 12), Score("accuracy", None, NAN, NAN, NAN, 0))
    assert Report(scores, {"scorer": "x", "seeds": [1, 2], "share": NAN}).json() == (
        '{"scores":[{"name":"f1","class":"β-Blocker","value":0.5,"low":0.25,"high":null,"support":12},'
        '{"name":"accuracy","class":null,"value":null,"low":null,"high":null,"support":0}],'
        '"signature":{"scorer":"x","seeds":[1,2],"share":null}}'
    )


def test_undefined_is_null_and_leaves_the_macro_alone():
    gold = {"d1": [(0, 1, "A")], "d2": [(0, 1, "A")]}
    report = ner.score(gold, gold, types=["A", "B"])
    empty = report.score("f1", "B")
    assert all(map(math.isnan, (empty.value, empty.low, empty.high)))
    assert empty.support == 0
    assert report.value("f1", "macro") == 1
    assert '{"name":"f1","class":"B","value":null,"low":null,"high":null,"support":0}' in report.json()


def test_a_class_the_gold_has_and_nobody_predicts_is_zero():
    report = ner.score({"d": [(0, 1, "A"), (2, 3, "B")]}, {"d": [(0, 1, "A")]})
    assert report.value("recall", "B") == report.value("f1", "B") == 0
    assert math.isnan(report.value("precision", "B"))
    assert report.value("f1", "macro") == 0.5


def test_a_class_predicted_but_not_in_the_gold_is_zero():
    report = ner.score({"d": [(0, 1, "A")]}, {"d": [(0, 1, "A"), (2, 3, "B")]})
    assert report.value("precision", "B") == report.value("f1", "B") == 0
    assert math.isnan(report.value("recall", "B"))
    assert report.value("f1", "macro") == 0.5


def test_one_document_has_no_interval():
    score = ner.score({"d": [(0, 1, "A")]}, {"d": [(0, 1, "A")]}).score("f1", "A")
    assert score.value == 1
    assert math.isnan(score.low)
    assert math.isnan(score.high)


def test_no_resamples_no_interval():
    gold, predicted, options = random_case("ner", 8)
    report = ner.score(gold, predicted, **options, resamples=0)
    assert all(math.isnan(score.low) and math.isnan(score.high) for score in report.scores)
    assert report.signature["resamples"] == 0


@pytest.mark.parametrize("name", GOLDEN)
def test_measure_is_a_function_of_document_weights(name):
    """Weighting a document twice is having it twice; leaving it out is weight 0."""
    gold, predicted, options = random_case(name, 9)
    measured: Measure = SCORERS[name].measure(gold, predicted, **options)
    weights = np.ones((1, len(measured.units)))
    weights[0, :2] = 2, 0
    doubled, left = measured.units[:2]
    if name == "classification":
        rows = [i for i, group in enumerate(options["groups"]) for _ in range({doubled: 2, left: 0}.get(group, 1))]
        again = SCORERS[name].measure([gold[i] for i in rows], [predicted[i] for i in rows], labels=options["labels"])
    else:
        sides = [{**side, "twin": side[doubled]} for side in (gold, predicted)]
        for side in sides:
            del side[left]
        again = SCORERS[name].measure(*sides, **options)
    assert measured.value(weights)[0].tolist() == again.value(np.ones((1, len(again.units))))[0].tolist()


def test_value_of_what_is_not_there_names_what_is():
    report = Report((Score("f1", "Gene", 1, 1, 1, 1), Score("accuracy", None, 1, 1, 1, 1)), {})
    with pytest.raises(UnknownNameError) as caught:
        report.value("f1", "Genes")
    assert str(caught.value) == "unknown score 'f1' of 'Genes' (known: f1 of Gene, accuracy)"
    with pytest.raises(UnknownNameError, match="unknown score 'f1' "):
        report.value("f1")
    assert report.value("accuracy") == 1


def test_rows_are_one_per_class_with_support_last():
    gold, predicted, options, _ = GOLDEN["ner"]
    rows = ner.score(gold, predicted, **options).rows()
    assert [row["class"] for row in rows] == ["A", "B", "micro", "macro"]
    assert list(rows[0]) == ["class", *(f"{n}{e}" for n in prf.NAMES for e in ("", " low", " high")), "support"]
    assert rows[0]["f1"] == pytest.approx(1 / 3)
    assert rows[2]["support"] == 4


def test_signed_adds_and_never_contradicts():
    report = Report((), {"scorer": "ner", "seed": 1})
    signed = report.signed({"corpus": "invented", "seed": 1})
    assert signed.signature == {"scorer": "ner", "seed": 1, "corpus": "invented"}
    assert report.signature == {"scorer": "ner", "seed": 1}
    with pytest.raises(ScoreError) as caught:
        report.signed({"seed": 2})
    assert str(caught.value) == "the signature already says seed = 1; it cannot also be 2"


def test_scores_are_frozen():
    score = Score("f1", None, 1, 1, 1, 1)
    with pytest.raises(FrozenInstanceError):
        score.value = 0.5  # type: ignore[misc]


def test_unknown_scorer_offers_the_close_one():
    with pytest.raises(UnknownNameError, match="unknown scorer 'relation': did you mean 'relations'"):
        pick("relation", SCORERS, "scorer")


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resamples": -1}, "resamples is -1: expected 0 or more"),
        ({"seed": -5}, "seed is -5: expected 0 or more"),
        ({"resamples": -1, "seed": -5}, "2 mistakes: resamples is -1: expected 0 or more; seed is -5"),
    ],
)
def test_impossible_settings(name, options, message):
    gold, predicted, needed, _ = GOLDEN[name]
    with pytest.raises(SettingsError, match=message):
        SCORERS[name].score(gold, predicted, **needed, **options)


def score_with(name: str, classes: Sequence[str]) -> Report:
    gold, predicted, options, _ = GOLDEN[name]
    (key,) = options
    report: Report = SCORERS[name].score(gold, predicted, **{key: classes})
    return report


@pytest.mark.parametrize(
    ("name", "what"), [("ner", "entity types"), ("relations", "relation classes"), ("classification", "labels")]
)
def test_unusable_class_lists(name, what):
    for classes, message in (
        ([], f"there are no {what} to score (name at least one)"),
        (["A", "B", "A"], f"'A' is twice among the {what} (name each once)"),
        (["A", "macro"], f"'macro' is the name of an average and cannot be one of the {what}"),
        ("AB", f"the {what} are one string, 'AB' (give a list of names)"),
    ):
        with pytest.raises(ScoreError) as caught:
            score_with(name, classes)
        assert str(caught.value) == message


def test_modules_are_the_registry():
    assert [module.NAME for module in SCORERS.values()] == list(SCORERS)
    assert {"ner": ner, "relations": relations, "classification": classification}.items() <= SCORERS.items()

"""Calibration and thresholds: against scipy and scikit-learn, mending what was bent, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.optimize
from sklearn.isotonic import IsotonicRegression

from relatome.cli import main
from relatome.errors import ScoreError, SettingsError
from relatome.scoring import calibration, thresholds
from relatome.scoring.calibration import isotonic, reliability, temperature

LABELS = ["a", "b", "c"]


def bent(seed: int, rows: int, by: float) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Gold drawn from true probabilities, and those probabilities as a model that is ``by`` times too sure says them."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=1.5, size=(rows, 3))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = [LABELS[generator.choice(3, p=row)] for row in true]
    said = np.exp(logits * by) / np.exp(logits * by).sum(axis=1, keepdims=True)
    return gold, true, said


def test_ece_by_hand():
    """Written once more with a loop over bins."""
    gold, _, said = bent(0, 500, 2.0)
    confidence, answer = said.max(axis=1), said.argmax(axis=1)
    right = np.array([LABELS[k] for k in answer]) == np.array(gold)
    expected = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    report = calibration.score(gold, said, labels=LABELS)
    ece = report.score("ece")
    assert ece.value == pytest.approx(expected)
    assert ece.low < ece.high and report.signature["bins"] == 15
    assert report.value("accuracy") == pytest.approx(right.mean())
    table = reliability(gold, said, labels=LABELS)
    assert sum(one.rows for one in table) == 500
    assert sum(one.rows * abs(one.accuracy - one.confidence) for one in table if one.rows) / 500 == pytest.approx(
        expected
    )
    for one in table:
        assert math.isnan(one.accuracy) if not one.rows else one.accuracy_low <= one.accuracy <= one.accuracy_high


def test_temperature_is_the_likeliest_and_mends():
    gold, _, said = bent(1, 4000, 2.5)
    fitted = temperature(gold, said, labels=LABELS)
    truth = np.array([LABELS.index(label) for label in gold])
    logits = np.log(said)

    def loss(value: float) -> float:
        scaled = logits / value
        scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return float(-scaled[np.arange(len(truth)), truth].sum())

    theirs = scipy.optimize.minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-8}).x
    assert fitted.value == pytest.approx(theirs, rel=1e-4)
    assert fitted.value == pytest.approx(2.5, rel=0.1)
    test_gold, _, test_said = bent(2, 4000, 2.5)
    before, after = (
        calibration.score(test_gold, table, labels=LABELS) for table in (test_said, fitted.apply(test_said))
    )
    assert after.value("ece") < before.value("ece") / 3
    assert after.value("log loss") < before.value("log loss")
    assert after.value("accuracy") == before.value("accuracy")  # the order of classes stays


def test_isotonic_equals_scikit_learn_and_mends():
    gold, _, said = bent(3, 3000, 2.5)
    fitted = isotonic(gold, said, labels=LABELS)
    ours = np.stack([np.interp(said[:, k], *fitted.steps[k]) for k in range(3)], axis=1)
    for k, label in enumerate(LABELS):
        model = IsotonicRegression(out_of_bounds="clip").fit(said[:, k], [float(one == label) for one in gold])
        assert ours[:, k] == pytest.approx(model.predict(said[:, k]), abs=1e-9)
    test_gold, _, test_said = bent(4, 3000, 2.5)
    before, after = (
        calibration.score(test_gold, table, labels=LABELS) for table in (test_said, fitted.apply(test_said))
    )
    assert after.value("ece") < before.value("ece") / 2
    assert fitted.apply(test_said).sum(axis=1) == pytest.approx(np.ones(3000))


def test_isotonic_leaves_a_row_that_it_gives_nothing():
    fitted = isotonic(["a", "b"], [[0.9, 0.1], [0.2, 0.8]], labels=["a", "b"])
    assert fitted.apply([[0.2, 0.1]]).tolist() == [[0.2, 0.1]]


@pytest.mark.parametrize("seed", range(3))
def test_thresholds_are_the_extreme_ones(seed):
    gold, _, said = bent(seed, 300, 1.0)
    said = np.round(said, 2)  # with ties
    for wanted in ("precision", "recall"):
        for column, found in enumerate(thresholds.choose(gold, said, labels=LABELS, **{wanted: 0.7})):
            positive = np.array(gold) == found.label
            reached = []
            for value in np.unique(said[:, column]):
                kept = said[:, column] >= value
                numbers = {"precision": positive[kept].mean(), "recall": positive[kept].sum() / positive.sum()}
                reached.append((float(value), numbers[wanted] >= 0.7 - 1e-9, numbers))
            good = [one for one in reached if one[1]]
            value, _, numbers = (min if wanted == "precision" else max)(good)
            assert found.value == value
            assert (found.precision, found.recall) == pytest.approx((numbers["precision"], numbers["recall"]))
            assert found.precision_low < found.precision and found.recall_low < found.recall
            assert found.kept == (said[:, column] >= value).sum()


def test_a_precision_that_nothing_reaches_has_no_threshold():
    found = thresholds.choose(["a", "b"], [[0.1, 0.9], [0.9, 0.1]], labels=["a", "b"], precision=0.9)
    assert all(math.isnan(one.value) and one.kept == 0 for one in found)
    assert thresholds.apply([[0.9, 0.1]], found) == [[]]
    with pytest.raises(ScoreError, match=r"the shape \(1, 2\) \(give 1 for each row\)"):
        thresholds.apply([[0.9, 0.1]], found[:1])


def test_thresholds_of_label_sets():
    gold = [["a", "b"], ["b"], ["a"], ["c"]]
    table = [[0.9, 0.8, 0.0], [0.1, 0.7, 0.1], [0.8, 0.2, 0.3], [0.2, 0.1, 0.6]]
    found = thresholds.choose(gold, table, labels=LABELS, recall=1.0)
    assert [one.value for one in found] == [0.8, 0.7, 0.6]
    assert thresholds.apply(table, found) == gold


GOLD = ["a", "b", "c"]
EVEN = [[0.4, 0.3, 0.3]] * 3
NAN_ROWS = [[math.nan, 0.5, 0.5]] * 3


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: calibration.score(GOLD, NAN_ROWS, labels=LABELS), ScoreError, "NaN or infinite in 3 rows: row 1, 2, 3"),
        (lambda: calibration.score(["a"] * 3, EVEN, labels=LABELS), ScoreError, "all 3 gold labels are 'a'"),
        (lambda: calibration.score([], [], labels=LABELS), ScoreError, "there are no rows to score"),
        (lambda: calibration.score(GOLD, EVEN[:2], labels=LABELS), ScoreError, "3 gold labels and 2 rows of probabilities"),
        (lambda: calibration.score(["x", "a", "b"], EVEN, labels=LABELS), ScoreError, "'x' (row 1)"),
        (lambda: calibration.score(GOLD, EVEN, labels=LABELS, bins=0), ScoreError, "bins is 0"),
        (lambda: calibration.score(GOLD, EVEN, labels=LABELS, groups=["1"]), ScoreError, "3 rows and 1 document ids"),
        (lambda: thresholds.choose(GOLD, EVEN, labels=LABELS), SettingsError, "give a precision or a recall"),
        (lambda: thresholds.choose(GOLD, EVEN, labels=LABELS, recall=0.0), SettingsError, "above 0 and at most 1"),
        (lambda: thresholds.choose(GOLD, NAN_ROWS, labels=LABELS, recall=0.9), ScoreError, "in 3 rows: row 1, 2, 3"),
        (lambda: thresholds.choose(["a"] * 3, EVEN, labels=LABELS, recall=0.9), ScoreError, "2 labels are on no gold row: 'b', 'c'"),
        (lambda: thresholds.choose(GOLD, EVEN[:2], labels=LABELS, recall=0.9), ScoreError, "of the shape (2, 3)"),
        (lambda: thresholds.choose(["x"] * 3, EVEN, labels=LABELS, recall=0.9), ScoreError, "'x' (row 1)"),
    ],
)  # fmt: skip
def test_refused(call, error, said):
    with pytest.raises(error) as caught:
        call()
    assert said in str(caught.value)


def test_a_file_of_one_class_is_told_with_its_first_three(tmp_path, capsys):
    rows = [
        {"id": f"r{n}", "gold": "no", "predicted": "no", "probabilities": {"no": 0.9, "yes": 0.1}} for n in range(5)
    ]
    (tmp_path / "one.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for scorer in ("calibration", "classification"):
        assert main(["score", scorer, "--predicted", str(tmp_path / "one.jsonl")]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and "all 5 gold labels are 'no': 'r0', 'r1', 'r2' ..." in err

"""Classification: equal to scikit-learn, resampled by document, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics

from relatome.errors import ScoreError
from relatome.scoring import classification

LABELS = ["a", "b", "c", "d"]
NAMES = ("precision", "recall", "f1")


def rows(seed: int, count: int = 200, labels: list[str] = LABELS) -> tuple[list[str], list[str]]:
    generator = np.random.default_rng(seed)
    truth = generator.choice(labels, count)
    answer = np.where(generator.random(count) < 0.6, truth, generator.choice(labels, count))
    return truth.tolist(), answer.tolist()


@pytest.mark.parametrize("counted", [None, ["b", "d"]])
@pytest.mark.parametrize("present", [["a", "b"], ["a", "b", "c"], LABELS])
@pytest.mark.parametrize("seed", range(4))
def test_equal_to_scikit_learn(seed, present, counted):
    """Also where labels of the list are absent from gold and predictions: theirs with zero_division=nan."""
    truth, answer = rows(seed, labels=present)
    report = classification.score(truth, answer, labels=LABELS, counted=counted, resamples=0)
    assert report.value("accuracy") == sklearn.metrics.accuracy_score(truth, answer)
    assert report.value("errors") == sum(t != a for t, a in zip(truth, answer, strict=True))
    numbers = sklearn.metrics.precision_recall_fscore_support
    per_class = numbers(truth, answer, labels=LABELS, zero_division=np.nan)
    assert report.value("mcc") == pytest.approx(sklearn.metrics.matthews_corrcoef(truth, answer))
    for position, label in enumerate(LABELS):
        found = [report.value(name, label) for name in NAMES]
        assert found == pytest.approx([column[position] for column in per_class[:3]], nan_ok=True, abs=1e-12)
        assert report.score("f1", label).support == per_class[3][position]
    for average in ("micro", "macro", "weighted"):
        theirs = numbers(truth, answer, labels=counted or LABELS, average=average, zero_division=np.nan)[:3]
        assert [report.value(n, average) for n in NAMES] == pytest.approx(theirs, nan_ok=True, abs=1e-12), average
        assert report.score("f1", average).support == sum(truth.count(label) for label in counted or LABELS)


def test_order_of_the_label_list_is_the_order_of_the_report():
    truth, answer = rows(1)
    report = classification.score(truth, answer, labels=["d", "a", "c", "b"], resamples=0)
    assert [row["class"] for row in report.rows()] == [None, "d", "a", "c", "b", "micro", "macro", "weighted"]
    assert report.value("f1", "d") == classification.score(truth, answer, labels=LABELS, resamples=0).value("f1", "d")


def test_by_row_the_signature_says_so():
    truth, answer = rows(2, 50)
    report = classification.score(truth, answer, labels=LABELS)
    assert (report.signature["unit"], report.signature["units"]) == ("row", 50)
    grouped = classification.score(truth, answer, labels=LABELS, groups=["x", "y"] * 25)
    assert (grouped.signature["unit"], grouped.signature["units"]) == ("document", 2)
    assert [s.value for s in grouped.scores] == pytest.approx([s.value for s in report.scores])


def test_documents_are_resampled_whole():
    """200 documents of ten equal rows: the interval is that of 200 observations, not of 2,000."""
    truth = ["a"] * 2000
    answer = [label for document in range(200) for label in ["a" if document % 2 else "b"] * 10]
    groups = [str(document) for document in range(200) for _ in range(10)]
    by_row = classification.score(truth, answer, labels=["a", "b"]).score("accuracy")
    by_document = classification.score(truth, answer, labels=["a", "b"], groups=groups).score("accuracy")
    ratio = (by_document.high - by_document.low) / (by_row.high - by_row.low)
    assert ratio == pytest.approx(math.sqrt(10), rel=0.1)


def test_order_of_rows_does_not_matter_when_documents_are_given():
    truth, answer = rows(3)
    groups = [str(i % 17) for i in range(200)]
    order = np.random.default_rng(0).permutation(200)
    shuffled = [[column[i] for i in order] for column in (truth, answer, groups)]
    one = classification.score(truth, answer, labels=LABELS, groups=groups)
    two = classification.score(*shuffled[:2], labels=LABELS, groups=shuffled[2])
    assert one.json() == two.json()


@pytest.mark.parametrize("seed", range(3))
def test_brier_equals_scikit_learn(seed):
    truth, answer = rows(seed)
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(4), size=200)
    report = classification.score(truth, answer, labels=LABELS, probabilities=probabilities)
    theirs = sklearn.metrics.brier_score_loss(truth, probabilities, labels=LABELS, scale_by_half=False)
    score = report.score("brier")
    assert score.value == pytest.approx(theirs)
    assert score.low < score.value < score.high
    assert [s.name for s in report.scores[:5]] == ["accuracy", "errors", "mcc", "brier", "precision"]
    perfect = classification.score(truth, truth, labels=LABELS, probabilities=np.eye(4)[[*map(LABELS.index, truth)]])
    assert perfect.value("brier") == 0


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_ranks_equal_scikit_learn(seed, grouped):
    """One class against all others, rounded so that probabilities tie; also with documents drawn twice."""
    truth, answer = rows(seed)
    probabilities = np.round(np.random.default_rng(seed).dirichlet(np.ones(4), size=200), 2)
    probabilities[:, 0] += 1 - probabilities.sum(axis=1)
    probabilities = np.clip(probabilities, 0, 1)
    groups = [str(row % 20) for row in range(200)] if grouped else None
    measured = classification.measure(truth, answer, labels=LABELS, groups=groups, probabilities=probabilities)
    weights = np.random.default_rng(seed + 50).integers(0, 3, size=(1, len(measured.units))).astype(float)
    weights[0, :4] = 1
    of_rows = weights[0][[measured.units.index(group) for group in groups]] if groups else weights[0]
    found = dict(zip(((c.name, c.class_) for c in measured.cells), measured.value(weights)[0].tolist(), strict=True))
    auroc, auprc = [], []
    for position, label in enumerate(LABELS):
        positive = np.array(truth) == label
        auroc.append(sklearn.metrics.roc_auc_score(positive, probabilities[:, position], sample_weight=of_rows))
        auprc.append(
            sklearn.metrics.average_precision_score(positive, probabilities[:, position], sample_weight=of_rows)
        )
        assert found["auroc", label] == pytest.approx(auroc[-1])
        assert found["auprc", label] == pytest.approx(auprc[-1])
    assert found["auroc", "macro"] == pytest.approx(np.mean(auroc))
    assert found["auprc", "macro"] == pytest.approx(np.mean(auprc))


def test_mcc_of_one_class_is_undefined_not_zero():
    assert math.isnan(classification.score(["a"] * 5, ["a"] * 5, labels=["a", "b"]).value("mcc"))
    assert math.isnan(classification.score(["a", "b"], ["a", "a"], labels=["a", "b"]).value("mcc"))


def test_all_rows_of_one_class_is_scored_with_the_other_undefined():
    report = classification.score(["a"] * 5, ["a"] * 5, labels=["a", "b"])
    assert report.value("f1", "a") == report.value("f1", "macro") == report.value("f1", "weighted") == 1
    assert math.isnan(report.value("f1", "b"))
    assert math.isnan(report.score("f1", "b").low)


@pytest.mark.parametrize(
    ("gold", "predicted", "options", "message"),
    [
        ([], [], {}, "there are no rows to score"),
        (
            ["a", "b"],
            ["a"],
            {},
            "there are 2 gold labels and 1 predicted labels (give one for each row, in the same order)",
        ),
        (
            ["a", "b"],
            ["a", "b"],
            {"groups": ["1", "2", "3"]},
            "there are 2 gold labels and 3 document ids (give one for each row, in the same order)",
        ),
        (
            ["a", "b"],
            ["a", "b"],
            {"probabilities": [[0.5, 0.5]]},
            "there are 2 gold labels and 1 rows of probabilities (give one for each row, in the same order)",
        ),
        (
            ["a", "A", "b"],
            ["a", "b", "b"],
            {},
            "1 gold label is not in the label list: 'A' (row 2) (the list: 'a', 'b')",
        ),
        (
            ["a"] * 5,
            ["x", "a", "y", "x", "z"],
            {},
            "4 predicted labels are not in the label list: 'x' (row 1), 'y' (row 3), 'x' (row 4) ... "
            "(the list: 'a', 'b')",
        ),
        (
            ["a"],
            ["a"],
            {"counted": ["a", "x"]},
            "1 label counted is not in the label list: 'x' (the list: 'a', 'b')",
        ),
        (
            ["a"] * 5,
            ["a"] * 5,
            {"probabilities": [[math.nan, 1], [1, 0], [0, math.nan], [math.nan, 0], [math.inf, 0]]},
            "probabilities are NaN or infinite in 4 rows: row 1, 3, 4 ...",
        ),
        (["a"], ["a"], {"probabilities": [[1.5, -0.5]]}, "probabilities are outside 0..1 in 1 row: row 1"),
        (["a"], ["a"], {"probabilities": [[0.5, 0.4]]}, "probabilities are of a sum other than 1 in 1 row: row 1"),
        (
            ["a"],
            ["a"],
            {"probabilities": [[1.0]]},
            "the probabilities have the shape (1, 1) (give 2 for each row)",
        ),
        (
            ["a", "b"],
            ["a", "b"],
            {"probabilities": [[1.0, 0.0], ["half", 0.5]]},
            "the probabilities are not a table of numbers (give 2 for each row)",
        ),
        (
            ["a"],
            ["a"],
            {"counted": []},
            "there are no labels counted to score (name at least one)",
        ),
    ],
)
def test_refused(gold, predicted, options, message):
    with pytest.raises(ScoreError) as caught:
        classification.score(gold, predicted, labels=["a", "b"], **options)
    assert str(caught.value) == message

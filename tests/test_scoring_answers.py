"""Answers, label sets, similarity and BLURB: equal to the official numbers and to the libraries; what is refused."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from relatome.errors import FormatError, ScoreError
from relatome.scoring import bioasq, blurb, multilabel, similarity, squad, words
from relatome.scoring.bioasq import Answer

OFFICIAL = "scorer_io/bioasq_factoid/official_scores.tsv"
COLUMNS = {
    "YesNoAcc": ("accuracy", "yesno"), "FactoidStrictAcc": ("strict", "factoid"),
    "FactoidLenientAcc": ("lenient", "factoid"), "FactoidMRR": ("mrr", "factoid"), "ListPrec": ("precision", "list"),
    "ListRec": ("recall", "list"), "ListF1": ("f1", "list"), "YesNoMacroF1": ("f1", "macro"),
    "YesNoF1yes": ("f1", "yes"), "YesNoF1no": ("f1", "no"),
}  # fmt: skip


def test_bioasq_equals_the_java_evaluator(corpus_data):
    header, *lines = [line.split("\t") for line in (corpus_data / OFFICIAL).read_text().splitlines()]
    assert len(lines) == 3
    for gold, response, *numbers in lines:
        arguments = bioasq.read(str(corpus_data / gold), str(corpus_data / response))
        assert bioasq.official(**arguments).split() == numbers  # to the last digit
        report = bioasq.score(**arguments, resamples=0)
        for column, number in zip(header[2:], numbers, strict=True):
            score = report.score(*COLUMNS[column])
            if score.support:
                assert score.value == pytest.approx(float(number), abs=1e-15)
            else:
                assert np.isnan(score.value) and number == "0.0"  # nothing of that kind was answered


def test_every_golden_file_against_itself_in_a_second(corpus_data):
    files = sorted((corpus_data / "bioasq_factoid_biobert").glob("*_golden.json*"))
    assert len(files) == 11
    start = time.process_time()
    for path in files:
        for score in bioasq.score(**bioasq.read(str(path), str(path)), resamples=0).scores:
            assert score.value == 1 or score.support == 0
    assert time.process_time() - start < 1


def test_bioasq_reads_answers_with_probabilities(corpus_data):
    folder = corpus_data / "scorer_io" / "bioasq_factoid" / "5b"
    gold = str(corpus_data / "bioasq_factoid_biobert" / "5B1_golden.json")
    twenty = bioasq.score(**bioasq.read(gold, str(folder / "WithProb_BioASQform_BioASQ-answer.json")), resamples=0)
    five = bioasq.score(**bioasq.read(gold, str(folder / "BioASQform_BioASQ-answer.json")), resamples=0)
    assert twenty.value("strict", "factoid") == five.value("strict", "factoid")
    assert twenty.signature["answers"] == 5


def test_bioasq_list_second_look():
    """Two gold items with one name: the answer takes the first, and the second is not missed either."""
    gold = {"1": Answer("list", (("a", "x"), ("a", "y"), ("b",)))}
    report = bioasq.score(gold, {"1": Answer("list", (("a",), ("c",)))}, resamples=0)
    assert report.value("precision", "list") == 0.5
    assert report.value("recall", "list") == 0.5  # 1 of 1 + one missed


@pytest.mark.parametrize(("number", "text"), [(0.0, "0.0"), (1.0, "1.0"), (1 / 3, "0.3333333333333333"), (1 / 1200, "8.333333333333334E-4"), (5e-4, "5.0E-4"), (1e-5, "1.0E-5")])  # fmt: skip
def test_numbers_as_java_prints_them(number, text):
    assert bioasq._java(number) == text


def question(**fields: Any) -> dict[str, Any]:
    return {"id": "1", "type": "factoid", "exact_answer": [["a"]], **fields}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"questions": []}', "there are no questions with an exact answer"),
        ('{"questions": [{"type": "yesno"}]}', "a question without an 'id'"),
        (json.dumps({"questions": [question(), question()]}), "1 question is more than once in"),
        (json.dumps({"questions": [question(type="poem")]}), "expected a 'type' of yesno, factoid, list or summary"),
        (json.dumps({"questions": [question(type="yesno", exact_answer=1)]}), "expected yes or no"),
        (json.dumps({"questions": [question(exact_answer=[[1]])]}), "expected a list of lists of texts"),
        (json.dumps({"questions": [question(id="9")]}), "1 question is in the predictions but not in the gold: '9'"),
        (json.dumps({"questions": [question(type="list")]}), "1 question is of another type in the gold: '1'"),
        ("[]", "expected {"),
        ('{"questions": [{"id": "1"', "this is not JSON"),
        ('{"questions": []} x', "expected the end of the file"),
    ],
)
def test_bioasq_refuses(content, said, tmp_path):
    for name, text in (("gold.json", json.dumps({"questions": [question()]})), ("response.json", content)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises((ScoreError, FormatError)) as caught:
        bioasq.score(**bioasq.read(str(tmp_path / "gold.json"), str(tmp_path / "response.json")))
    assert said in str(caught.value)


def test_squad_by_the_official_examples():
    """Punctuation goes before the articles, so "a-b" is one word and "the" inside a word stays."""
    assert squad.normalised("A Theory of the-art, the an") == "theory of theart"
    gold = {"1": ["the cat sat", "dog"], "2": ["!!!"], "3": [""]}
    report = squad.score(gold, {"1": "a cat", "2": "", "3": "no"}, resamples=0)
    assert report.value("exact") == pytest.approx(1 / 3)
    assert report.value("f1") == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert report.score("exact", "unanswerable").support == 2


@pytest.mark.parametrize(
    ("gold", "predicted", "said"),
    [
        ('{"data": 3}', '{"1": "a"}', "this is not SQuAD's JSON"),
        ('{"data": []}', '{"1": "a"}', "there are no questions"),
        ('{"data": [{"paragraphs": [{"qas": [{"id": 1, "answers": null}]}]}]}', '{"2": "a"}', "1 question is in the gold but not"),
        ('{"data": [{"paragraphs": [{"qas": [{"id": 1}]}]}]}', '{"1": 5}', "expected a text as the answer to '1'"),
        ('{"data": [{"paragraphs": [{"qas": [{"id": 1}]}]}]}', '{"1": "a", "1": "b"}', "more than once"),
        ('{"data": [{"paragraphs": [{"qas": [{"id": 1}]}]}]}', "{}", "there are no answers"),
    ],
)  # fmt: skip
def test_squad_refuses(gold, predicted, said, tmp_path):
    for name, text in (("gold.json", gold), ("predicted.json", predicted)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises((ScoreError, FormatError)) as caught:
        squad.score(**squad.read(str(tmp_path / "gold.json"), str(tmp_path / "predicted.json")))
    assert said in str(caught.value)


LABELS = ["a", "b", "c"]


@pytest.mark.parametrize("seed", range(4))
def test_multilabel_equals_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    truth, answer = generator.random((2, 80, 3)) < 0.4
    probabilities = np.round(generator.random((80, 3)), 2)
    sides = [[[LABELS[k] for k in np.flatnonzero(row)] for row in side] for side in (truth, answer)]
    report = multilabel.score(*sides, labels=LABELS, probabilities=probabilities.tolist(), resamples=0)
    for average in ("micro", "macro", "weighted"):
        theirs = sklearn.metrics.precision_recall_fscore_support(truth, answer, average=average)[:3]
        assert [report.value(n, average) for n in ("precision", "recall", "f1")] == pytest.approx(theirs)
    theirs = sklearn.metrics.precision_recall_fscore_support(truth, answer, average="samples", zero_division=0)[:2]
    assert [report.value(n, "document") for n in ("precision", "recall")] == pytest.approx(theirs)
    assert report.value("f1", "document") == pytest.approx(2 * theirs[0] * theirs[1] / sum(theirs))
    assert report.value("exact") == sklearn.metrics.accuracy_score(truth, answer)
    for column, label in enumerate(LABELS):
        auroc = sklearn.metrics.roc_auc_score(truth[:, column], probabilities[:, column])
        assert report.value("auroc", label) == pytest.approx(auroc)
        auprc = sklearn.metrics.average_precision_score(truth[:, column], probabilities[:, column])
        assert report.value("auprc", label) == pytest.approx(auprc)


def test_a_document_has_the_labels_of_all_its_sentences():
    """As HoC is scored: rows of a document are put together before anything is compared."""
    together = multilabel.score([["a", "b"]], [["a", "c"]], labels=LABELS, resamples=0)
    apart = multilabel.score([["a"], ["b"]], [["c"], ["a"]], labels=LABELS, groups=["1", "1"], resamples=0)
    assert [s.value for s in apart.scores] == pytest.approx([s.value for s in together.scores], nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_similarity_equals_scipy(seed):
    gold, predicted = np.round(np.random.default_rng(seed).normal(size=(2, 20)) + np.arange(20) / 5, 1)
    report = similarity.score(gold.tolist(), predicted.tolist())
    for name, theirs in (("pearson", scipy.stats.pearsonr), ("spearman", scipy.stats.spearmanr)):
        score = report.score(name)
        assert score.value == pytest.approx(theirs(gold, predicted).statistic)
        assert score.low < score.value < score.high
    assert report.signature["unit"] == "row"


# Rows of the benchmark's table as remembered in notes, not looked up: used for their arithmetic alone.
RECALLED = {
    "BioLinkBERT-base": ([93.75, 86.10, 88.18, 84.90, 79.03, 73.97, 77.57, 82.72, 84.39, 93.25, 84.35, 70.2, 91.4], 83.39),
    "BioLinkBERT-large": ([94.04, 86.39, 88.76, 85.18, 80.06, 74.19, 79.98, 83.35, 84.90, 93.63, 84.87, 72.2, 94.8], 84.30),
}  # fmt: skip


@pytest.mark.parametrize("name", RECALLED)
def test_blurb_is_the_mean_of_six_family_means(name):
    numbers, aggregate = RECALLED[name]
    report = blurb.score(dict(zip(blurb.TASKS, numbers, strict=True)))
    assert round(report.value("blurb"), 2) == aggregate
    assert report.value("mean of tasks") != pytest.approx(aggregate, abs=0.01)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"HoC": 80}', "12 tasks are missing: 'BC5-chem', 'BC5-disease', 'NCBI-disease' ..."),
        (json.dumps(dict.fromkeys([*blurb.TASKS, "MedQA"], 50)), "1 task is unknown: 'MedQA'"),
        (json.dumps(dict.fromkeys(blurb.TASKS, 150)), "13 scores are no number from 0 to 100"),
        (json.dumps(dict.fromkeys(blurb.TASKS, 80) | {"HoC": float("nan")}), "1 score is no number from 0 to 100: 'HoC'"),
        (json.dumps(dict.fromkeys(blurb.TASKS, 80) | {"HoC": 0.8}), "percentages and shares are mixed: 'HoC'"),
        (json.dumps({"HoC": "high"}), "the score of 'HoC' is no number"),
        ("HoC\t80\nHoC\t81\n", "1 task is more than once"),
        ("HoC 80\n", "expected task and score with a tab between"),
    ],
)  # fmt: skip
def test_blurb_refuses(content, said, tmp_path):
    (tmp_path / "scores").write_text(content, encoding="utf-8")
    with pytest.raises((ScoreError, FormatError)) as caught:
        blurb.score(**blurb.read(None, str(tmp_path / "scores")))
    assert said in str(caught.value)


def test_blurb_reads_a_table(tmp_path):
    text = "task\tscore\n" + "".join(f"{task}\t80\n" for task in blurb.TASKS)
    (tmp_path / "scores.tsv").write_text(text, encoding="utf-8")
    assert blurb.score(**blurb.read(None, str(tmp_path / "scores.tsv"))).value("blurb") == 80
    with pytest.raises(ScoreError, match="takes no gold"):
        blurb.read("gold", str(tmp_path / "scores.tsv"))


def test_words_equal_scikit_learn():
    generator = np.random.default_rng(0)
    tags = ["O", "I-PAR", "B-PAR", "I-INT", "I-OUT"]
    gold = {str(d): generator.choice(tags, 40).tolist() for d in range(12)}
    predicted = {d: np.where(generator.random(40) < 0.7, some, generator.choice(tags, 40)).tolist() for d, some in gold.items()}  # fmt: skip
    report = words.score(gold, predicted, resamples=0)
    truth, answer = ([tag[2:] or "O" for d in sorted(gold) for tag in side[d]] for side in (gold, predicted))
    theirs = sklearn.metrics.f1_score(truth, answer, labels=["INT", "OUT", "PAR"], average="macro")
    assert report.value("f1", "macro") == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: similarity.score([1, 1, 1], [1, 2, 3]), "all 3 gold values are 1, and a correlation is not defined: row 1, 2, 3"),
        (lambda: similarity.score([1, 2], [1, float("nan")]), "1 predicted value is no number: row 2"),
        (lambda: similarity.score([], []), "there are no rows"),
        (lambda: multilabel.score([[]], [["a"]], labels=LABELS), "the gold of all 1 documents is empty"),
        (lambda: multilabel.score([["x"]], [[]], labels=LABELS), "'x' (row 1)"),
        (lambda: multilabel.score([["a"]], [["a"]], labels=LABELS, groups=[]), "1 rows and 0 document ids"),
        (lambda: multilabel.score([["a"]], [["a"]], labels=["a"], probabilities=[[float("nan")]]), "NaN or outside 0..1 in 1 rows: row 1"),
        (lambda: multilabel.score([["a"]], [["a"]], labels=["a"], probabilities=[[0.1, 0.2]]), "the shape (1, 2)"),
        (lambda: words.score({"1": ["O"]}, {"1": ["O"]}), "the gold has no word of any class but O"),
        (lambda: words.score({"1": ["O"]}, {"1": ["O", "O"]}), "1 document is of different numbers of words"),
        (lambda: squad.score({}, {}), "there are no questions"),
        (lambda: bioasq.score({}, {}), "there are no questions with an exact answer"),
        (lambda: bioasq.score({"1": Answer("list", (("a",),))}, {}), "no question of the gold is answered"),
    ],
)  # fmt: skip
def test_refused(call, said):
    with pytest.raises(ScoreError) as caught:
        call()
    assert said in str(caught.value)


def test_words_of_other_texts_are_refused(tmp_path):
    (tmp_path / "gold").write_text("Forty\tO\nadults\tI-PAR\n", encoding="utf-8")
    (tmp_path / "other").write_text("Forty\tO\nrats\tI-PAR\n", encoding="utf-8")
    with pytest.raises(FormatError, match="block 1 has other words than the gold: 'adults' there"):
        words.read(str(tmp_path / "gold"), str(tmp_path / "other"))

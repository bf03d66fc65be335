"""``relatome compare``: files, folders, seeds, official files; refusals in one line; and what evaluate writes for it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relatome.cli import main
from relatome.scoring import comparison, examples
from relatome.scoring.examples import Row

DATA = Path(__file__).parent / "data" / "scoring"
OPTIONS = {"labels": ["no", "yes"]}


def rows(seed: int, rate: float, count: int = 120) -> list[Row]:
    truth = np.random.default_rng(7).choice(["no", "yes"], count)
    generator = np.random.default_rng(seed)
    found = []
    for number, gold in enumerate(truth.tolist()):
        answer = gold if generator.random() < rate else {"no": "yes", "yes": "no"}[gold]
        found.append(Row(f"r{number}", f"d{number // 3}", gold, answer))
    return found


def written(path: Path, some: list[Row], scorer: str = "classification", options: Any = OPTIONS) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert examples.write(some, path, scorer=scorer, options=options, signature={"corpus": "invented"}) == len(some)
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["compare", *arguments])
    return code, *capsys.readouterr()


def test_two_files(tmp_path, capsys):
    one, other = written(tmp_path / "a.jsonl", rows(1, 0.7)), written(tmp_path / "b.jsonl", rows(2, 0.9))
    code, out, err = run(capsys, one, other, "--resamples", "500")
    assert code == 0 and err == ""
    for said in (
        "McNemar: p ",
        "right in A alone",
        "right in B alone",
        "detectable",
        "40 documents",
        "corpus:invented",
    ):
        assert said in out
    code, out, _ = run(capsys, one, other, "--resamples", "500", "--json")
    report = json.loads(out)
    assert code == 0 and list(report) == ["scores", "signature"]
    assert all(list(row) == ["name", "class", "value", "low", "high", "support"] for row in report["scores"])
    found = {(row["name"], row["class"]): row for row in report["scores"]}
    difference = found["accuracy difference", None]
    assert difference["value"] == pytest.approx(found["accuracy B", None]["value"] - found["accuracy A", None]["value"])
    assert difference["low"] < difference["value"] < difference["high"]
    for p in ("p bootstrap", "p randomisation", "p Holm"):
        assert 0 < found[f"f1 {p}", "macro"]["value"] < 0.05
    counts = [found[name, None]["value"] for name in ("both right", "only A right", "only B right", "neither right")]
    assert sum(counts) == 120 and counts[2] > counts[1]
    assert report["signature"]["p"] == ["paired bootstrap", "approximate randomisation", "Holm"]


def test_order_of_rows_does_not_matter(tmp_path, capsys):
    one, other = rows(1, 0.7), rows(2, 0.9)
    straight = written(tmp_path / "a.jsonl", one), written(tmp_path / "b.jsonl", other)
    turned = written(tmp_path / "c" / "a.jsonl", one[::-1]), written(tmp_path / "c" / "b.jsonl", other)
    outputs = [
        json.loads(run(capsys, *pair, "--resamples", "200", "--json")[1])["scores"] for pair in (straight, turned)
    ]
    assert outputs[0] == outputs[1]


def test_examples_are_written(tmp_path, capsys):
    one, other = rows(1, 0.7), rows(2, 0.9)
    target = tmp_path / "differing.jsonl"
    pair = written(tmp_path / "a.jsonl", one), written(tmp_path / "b.jsonl", other)
    assert run(capsys, *pair, "--resamples", "50", "--examples", str(target))[0] == 0
    found = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    expected = {a.id for a, b in zip(one, other, strict=True) if (a.gold == a.predicted) != (b.gold == b.predicted)}
    assert {item["id"] for item in found} == expected
    for item in found:
        assert item["gold"] == item[item["right"]]
    assert "cannot be written too" in run(capsys, *pair, "--examples", pair[0])[2]


def test_folders_of_seeds(tmp_path, capsys):
    for name, rate in (("one", 0.75), ("other", 0.9)):
        for seed in range(3):
            written(tmp_path / name / f"seed{seed}" / "predictions.jsonl", rows(seed + round(100 * rate), rate))
    code, out, _ = run(capsys, str(tmp_path / "one"), str(tmp_path / "other"), "--resamples", "200")
    assert code == 0 and "A over its seeds" in out and "±" in out
    code, out, _ = run(capsys, str(tmp_path / "one"), str(tmp_path / "other"), "--resamples", "200", "--json")
    found = {(row["name"], row["class"]): row["value"] for row in json.loads(out)["scores"]}
    assert found["accuracy A sd of seeds", None] > 0 and found["accuracy A sd of sampling", None] > 0
    assert found["accuracy p randomisation", None] is None and found["accuracy p bootstrap", None] < 0.05
    one = str(tmp_path / "one" / "seed0")  # a run folder is one run
    assert run(capsys, one, one, "--resamples", "50")[0] == 0


def test_items_of_documents(tmp_path, capsys):
    gold = {"d1": [[0, 4, "A"], [6, 9, "B"]], "d2": [], "d3": [[1, 2, "A"]]}
    said = (
        {"d1": [[0, 4, "A"]], "d2": [], "d3": []},
        {"d1": [[0, 4, "A"], [6, 9, "B"]], "d2": [[3, 5, "B"]], "d3": []},
    )
    pair = [
        written(tmp_path / f"{number}.jsonl", [Row(d, d, gold[d], side[d]) for d in gold], "ner", {"types": ["A", "B"]})
        for number, side in enumerate(said)
    ]
    code, out, _ = run(capsys, *pair, "--resamples", "100", "--score", "precision,recall")
    assert code == 0 and 'd2: [3, 5, "B"]: gold no, A no, B yes' in out and "McNemar" not in out
    assert "right in both 1, in A alone 1, in B alone 1, in neither 1" in out


def test_official_files(capsys):
    folder = DATA / "bioasq"
    given = [str(folder / "response.json"), str(folder / "golden.json"), "--scorer", "bioasq", "--gold"]
    code, out, err = run(capsys, *given, str(folder / "golden.json"), "--resamples", "100")
    assert code == 0 and err == "" and "mrr" in run(capsys, *given, str(folder / "golden.json"), "--score", "mrr")[1]
    assert "right in A alone" not in out and "right in B alone" in out


@pytest.mark.parametrize("width", ["80", "120"])
def test_no_number_is_broken(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    folder = DATA / "similarity"
    files = [str(folder / name) for name in ("predicted.tsv", "gold.tsv")]
    code, out, err = run(
        capsys, *files, "--scorer", "similarity", "--gold", str(folder / "gold.tsv"), "--resamples", "50"
    )
    assert (code, err) == (0, "")
    table = out[out.index("class") : out.index("right in both")]
    assert "spearman" in table and "detectable" in table and "p (Holm)" in table
    assert "+0.3000" in table and re.search(r"[+-]0\.\d{4} to \+\d\.\d{4}", table)
    assert max(map(len, table.splitlines())) <= int(width)


@pytest.mark.parametrize("name", ["similarity", "multilabel", "squad", "words", "ner"])
def test_every_kind_of_scorer_is_compared(name, capsys):
    case = json.loads((DATA / name / "case.json").read_text(encoding="utf-8"))
    files = [str(DATA / name / case[side]) for side in ("predicted", "perfect")]
    gold = ["--gold", str(DATA / name / case["gold"])] if case["gold"] else []
    types = ["--types", ",".join(case["options"]["types"])] if name == "ner" else []
    code, out, err = run(capsys, *files, "--scorer", name, *gold, *types, "--resamples", "50")
    assert (code, err) == (0, "") and "B - A" in out


def test_gold_that_differs_is_refused_with_the_first_three(tmp_path, capsys):
    one, other = rows(1, 0.7), rows(2, 0.9)
    for place in (3, 5, 7, 11):
        row = other[place]
        other[place] = Row(row.id, row.document, {"no": "yes", "yes": "no"}[row.gold], row.predicted)
    code, out, err = run(capsys, written(tmp_path / "a.jsonl", one), written(tmp_path / "b.jsonl", other))
    assert (code, out) == (2, "")
    assert "the gold of the two runs differs in 4 examples: 'r11', 'r3', 'r5' ..." in err and err.count("\n") == 1


def row_text(**fields: Any) -> str:
    return json.dumps({"id": "r1", "document": "d", "gold": "no", "predicted": "no", **fields}) + "\n"


HEAD = json.dumps({"scorer": "classification", "options": OPTIONS}) + "\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        (HEAD, "there are no examples"),
        (HEAD + row_text() * 2, "1 example is more than once"),
        (HEAD + row_text(id="other"), "the runs do not hold the same examples: 1 example is in"),
        (HEAD + row_text() + row_text(id="r2"), "all 2 gold labels are 'no': 'r1', 'r2'"),
        (HEAD + row_text(gold=None), "1 example is without 'gold': 'r1'"),
        (HEAD + row_text(predicted="maybe"), "'maybe' (row 1)"),
        (HEAD + row_text(predicted={"a": 1}), "'predicted' should be a label, a number or a list"),
        (HEAD + row_text(id=None), "'id' should be a text or a number, found null"),
        (
            HEAD + row_text(probabilities={"no": float("nan"), "yes": 1}),
            "probabilities are NaN or infinite in 1 row: row 1",
        ),
        (HEAD + row_text(probabilities={"no": 1.0}), "1 example is without a probability of each label"),
        (HEAD + row_text(probabilities="high"), "'probabilities' should be an object of numbers by label"),
        (HEAD + row_text(document="other"), "the document of the two runs differs in 1 example: 'r1'"),
        (HEAD + "[1]\n", "expected an object"),
        (HEAD + "{nonsense\n", "this is not JSON"),
        (HEAD + "[" * 100_000 + "\n", "nested too deeply"),
        (row_text(), "nothing says how these examples are scored"),
        (json.dumps({"options": {}}) + "\n", "an example without an 'id'"),
        (json.dumps({"scorer": "classification", "options": []}) + "\n", "'options' should be an object"),
        (json.dumps({"scorer": "clasification"}) + "\n" + row_text(), "did you mean 'classification'"),
        (json.dumps({"scorer": "bioasq"}) + "\n" + row_text(), "bioasq is not scored from files of examples"),
        (json.dumps({"scorer": "ner"}) + "\n" + row_text(), "should hold a list of [start, end, type]"),
        (json.dumps({"scorer": "classification"}) + "\n" + row_text(), "nothing says which labels there are"),
        (HEAD.replace("yes", "maybe") + row_text(), "the runs were made with other labels"),
        ("id\tlabel\nr1\n", "expected 2 columns with tabs between, found 1"),
        ("what\n", "expected a line of JSON, or the names of columns"),
    ],
)
def test_a_bad_file_is_one_line(content, said, tmp_path, capsys):
    (tmp_path / "good.jsonl").write_text(HEAD + row_text(), encoding="utf-8")
    (tmp_path / "bad.jsonl").write_text(content, encoding="utf-8")
    code, out, err = run(capsys, str(tmp_path / "good.jsonl"), str(tmp_path / "bad.jsonl"))
    assert (code, out) == (2, "") and err.count("\n") == 1 and said in err, err


def test_wrong_usage_is_one_line(tmp_path, capsys):
    good = written(tmp_path / "a.jsonl", rows(1, 0.7))
    for arguments, said in (
        ([good, str(tmp_path / "nowhere.jsonl")], "no such file"),
        ([good, str(tmp_path / "empty")], "there is no predictions.jsonl in this folder"),
        ([good, good, "--score", "f2"], "no number to compare of the names f2"),
        ([good, good, "--resamples", "-1"], "resamples is -1"),
        ([good, good, "--scorer", "nonsense", "--gold", good], "unknown scorer of files 'nonsense'"),
    ):
        (tmp_path / "empty").mkdir(exist_ok=True)
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "") and err.count("\n") == 1 and said in err, err


def test_a_file_reads_back_what_was_written(tmp_path):
    some = [Row("β 1", "d", "yes", ["a"], {"no": 0.25, "yes": 0.75}), Row("2", "", 0.5, 1)]
    path = written(tmp_path / "x.jsonl.gz", some)
    found = examples.read(path)
    assert found.rows == tuple(some) and found.scorer == "classification" and found.options == OPTIONS
    assert comparison.FILE == "predictions.jsonl"


def test_evaluate_writes_what_compare_reads(tmp_path, capsys, corpus_data):
    """A TF-IDF model of two sentences on ADE's dev split, against itself."""
    from relatome.predictors import tfidf
    from relatome.tasks.example import Example, Head, Sentence

    head = Head("ade-sentence", "classification", "label", ("no-adverse-effect", "adverse-effect"))
    texts = {"The drug caused a severe rash.": "adverse-effect", "The patient was well.": "no-adverse-effect"}
    tfidf.train([Example(Sentence(text, "1", text), label) for text, label in texts.items()], head).save(tmp_path)
    target = tmp_path / "predictions.jsonl"
    code = main(
        ["evaluate", str(tmp_path), "--corpus", "ade", "--split", "dev", "--predictions", str(target), "--json", "--resamples", "0"]
    )  # fmt: skip
    report = json.loads(capsys.readouterr().out)
    assert code == 0
    found = examples.read(target)
    assert found.scorer == "classification" and len(found.rows) == 3528
    assert found.signature is not None and found.signature["split_hash"] == report["signature"]["split_hash"]
    right = sum(row.gold == row.predicted for row in found.rows)
    accuracy = next(row["value"] for row in report["scores"] if row["name"] == "accuracy")
    assert accuracy == pytest.approx(right / 3528)
    code, out, err = run(capsys, str(tmp_path), str(target), "--resamples", "50")
    assert (code, err) == (0, "") and f"right in both {right:,}, in A alone 0" in out and "corpus:ade" in out

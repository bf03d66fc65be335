"""``relatome triage``: a table made, a file read, a corpus with its gold; what is refused, in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from relatome.cli import main
from relatome.predictors import tfidf
from relatome.scoring import triage
from relatome.scoring.triage import Dev, Table
from relatome.tasks.example import Example, Head, Sentence

HEAD = Head("ade-sentence", "classification", "label", ("no-adverse-effect", "adverse-effect"))
DRUGS = ["lithium", "aspirin", "warfarin", "alphanib", "betanib", "erythromycin"]
BAD = ["caused a rash", "was followed by tremor", "induced bleeding", "led to severe nausea"]
GOOD = ["was given daily", "is a common drug", "was well tolerated", "improved the symptoms"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TF-IDF model of forty-eight invented sentences, and a table of two hundred invented dev scores."""
    folder = tmp_path_factory.mktemp("model")
    learnt = [
        Example(Sentence(f"{drug}{what}", "1", f"{drug} {what}."), label)
        for drug in DRUGS
        for label, some in zip(HEAD.labels, (GOOD, BAD), strict=True)
        for what in some
    ]
    predictor = tfidf.train(learnt, HEAD)
    predictor.save(folder)
    source = tfidf.load(folder).source
    positives = tuple(0.30 + 0.6 * number / 199 for number in range(200))
    dev = Dev(positives, tuple(0.5 * number / 599 for number in range(600)), tuple(range(200)), source)
    baseline = Dev(positives, tuple(0.8 * number / 599 for number in range(600)), tuple(range(200)), "tfidf@2")
    triage.write(Table(HEAD.name, "adverse-effect", dev, baseline, {"corpus": "invented"}), folder / "triage.json")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["triage", *map(str, arguments)])
    return code, *capsys.readouterr()


def reports(folder: Path) -> Path:
    """Forty sentences, a quarter of them about adverse effects, one of them three times."""
    texts = [f"{drug.capitalize()} {what}." for drug in DRUGS[:5] for what in (*BAD[:2], *GOOD, *GOOD[:2])]
    path = folder / "reports.txt"
    path.write_text("\n\n".join([*texts, texts[0], texts[0]]) + "\n", encoding="utf-8")
    return path


def test_a_file(model, tmp_path, capsys):
    code, out, err = run(capsys, reports(tmp_path), "--model", model, "--promise", "model")
    header, *lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0 and header == ["rank", "document", "start", "end", "probability", "copies", "sentence"]
    assert [int(line[0]) for line in lines] == list(range(1, len(lines) + 1))
    probabilities = [float(line[4]) for line in lines]
    assert probabilities == sorted(probabilities, reverse=True)
    found = {line[6]: int(line[5]) for line in lines}
    assert len(found) == len(lines) and found["Lithium caused a rash."] == 3
    assert {f"{drug.capitalize()} {what}." for drug in DRUGS[:5] for what in BAD[:2]} <= set(found)
    assert "with 95% confidence they hold at least 95% of the positives" in err
    assert "of 30 sentences" in err and "12 more are copies" in err and "TF-IDF would have kept about" in err


def test_json_has_the_one_shape(model, tmp_path, capsys):
    target = tmp_path / "kept.jsonl"
    code, out, _ = run(capsys, reports(tmp_path), "--model", model, "--promise", "model", "--json", "-o", target)
    report = json.loads(out)
    assert code == 0 and list(report) == ["scores", "signature"]
    found = {row["name"]: row for row in report["scores"]}
    assert found["sentences"]["value"] == 30 and 0 < found["kept"]["value"] < 30
    assert found["recall of the model, at least"]["value"] >= 0.95
    assert report["signature"]["scorer"] == "triage" and report["signature"]["dev_corpus"] == "invented"
    kept = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert len(kept) == found["kept"]["value"]
    text = "\n\n".join(line for line in reports(tmp_path).read_text(encoding="utf-8").split("\n\n"))
    assert all(record["sentence"] in text for record in kept)


def test_a_table_for_the_eye(model, tmp_path, capsys):
    code, out, _ = run(capsys, reports(tmp_path), "--model", model, "--to", "table", "--recall", "0.5")
    assert code == 0 and "probability" in out and "Lithium caused a rash." in out


def test_few_sentences_are_all_kept_and_said_so(model, capsys):
    """One positive below a chance of 1 in 1,000 cannot be promised on 200 dev positives: no score is low enough."""
    code, out, err = run(capsys, "Lithium was given daily.", "--model", model, "--confidence", "0.999")
    assert code == 0 and len(out.splitlines()) == 2
    assert "read 1 of 1 sentence" in err and "everything is kept: with 200 positives on dev no threshold" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give files to read, or --corpus"),
        (["text here", "--corpus", "ade"], "give files to read, or --corpus"),
        (["text here", "--recall", "1.5"], "recall is 1.5: expected more than 0 and less than 1"),
        (["text here", "--promise", "moddel"], "unknown promise 'moddel': did you mean 'model'"),
        (["text here", "--to", "cvs"], "unknown format to write 'cvs'"),
        (["text here", "--baseline", "x"], "--baseline is for --fit"),
        (["nowhere.txt"], "no such file or folder"),
        (["--fit", "x"], "--fit needs --corpus, and no file"),
        (["text here", "--table", "nowhere.json"], "no such file"),
        ([" "], "the text is empty"),
    ],
)
def test_wrong_usage_is_one_line(arguments, said, model, capsys):
    code, out, err = run(capsys, *arguments, "--model", model)
    assert (code, out) == (2, "") and err.count("\n") == 1 and said in err, err


def test_tables_of_other_models_are_refused(model, tmp_path, capsys):
    found = triage.read(model / "triage.json")
    other = Dev(found.dev.positives, found.dev.negatives, found.dev.documents, "other@123")
    for one, said in (
        (Table("ade-sentence", "adverse-effect", other, None, {}), "the table was made with other@123"),
        (Table("mood", "adverse-effect", found.dev, None, {}), "asks 'mood' for 'adverse-effect'"),
        (Table("ade-sentence", "maybe", found.dev, None, {}), "asks 'ade-sentence' for 'maybe'"),
    ):
        triage.write(one, tmp_path / "t.json")
        code, _, err = run(capsys, "a text", "--model", model, "--table", tmp_path / "t.json")
        assert code == 2 and said in err and err.count("\n") == 1
    (tmp_path / "bare").mkdir()
    for name in ("relatome.json", "vocabulary.json", "tfidf.npz"):
        (tmp_path / "bare" / name).write_bytes((model / name).read_bytes())
    code, _, err = run(capsys, "a text", "--model", tmp_path / "bare")
    assert code == 2 and f"relatome triage --fit {tmp_path / 'bare'} --corpus ade" in err


def test_a_model_that_learnt_from_dev_is_refused(model, tmp_path, capsys, corpus_data):
    folder = tmp_path / "run" / "tfidf"
    folder.mkdir(parents=True)
    for name in ("relatome.json", "vocabulary.json", "tfidf.npz"):
        (folder / name).write_bytes((model / name).read_bytes())
    for data, said in (
        ('corpus = "ade"\nsplit = "train+dev"\nprotocol = "clean"\n', "the model learnt from ade dev"),
        ('corpus = "ade"\nsplit = "train"\nprotocol = "rows"\n', "the model learnt from ade as divided by 'rows', not 'clean'"),
    ):  # fmt: skip
        (folder.parent / "run.toml").write_text(f"[[data]]\n{data}", encoding="utf-8")
        code, _, err = run(capsys, "--fit", folder, "--corpus", "ade")
        assert code == 2 and said in err and err.count("\n") == 1
    assert not (folder / "triage.json").exists()


@pytest.mark.slow
def test_on_the_clean_split_of_ade(tmp_path, capsys, corpus_data):
    """TF-IDF learnt from train, its threshold from dev: on test 95 % are held, with two thirds to read."""
    from relatome import corpora
    from relatome.tasks import classification

    ade = corpora.load("ade")
    examples = (e for d in ade.documents("train", protocol="clean") for e in classification.examples(d, HEAD))
    tfidf.train(examples, HEAD).save(tmp_path)
    code, _, err = run(capsys, "--fit", tmp_path, "--corpus", "ade", "--baseline", tmp_path)
    assert code == 0 and "662 positives in 261 documents and 2,496 others of ade dev (clean)" in err
    code, out, err = run(capsys, "--corpus", "ade", "--model", tmp_path, "--json")
    found = {row["name"]: row for row in json.loads(out)["scores"]}
    assert code == 0 and "held, by the gold" in err
    assert found["recall held"]["value"] >= 0.95 and found["recall held"]["support"] == 650
    assert found["positives"]["low"] <= 650 <= found["positives"]["high"]
    assert found["share kept"]["value"] < 0.75
    assert found["kept by TF-IDF, expected"]["value"] == pytest.approx(found["kept"]["value"], rel=0.1)

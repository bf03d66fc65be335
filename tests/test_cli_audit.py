"""``relatome audit``, and the clean part that ``relatome evaluate`` prints, on two invented corpora that leak."""

from __future__ import annotations

import builtins
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from relatome import corpora
from relatome.cli import main
from relatome.corpora import audit
from relatome.corpora.audit import Seen, SeenPart
from relatome.documents import Document, Label
from relatome.evaluate import evaluate
from relatome.formats import jsonl
from relatome.predictors import tfidf
from relatome.tasks import classification
from relatome.tasks.example import Head
from relatome.training import run as running
from relatome.training import settings as run_files
from tests import tiny

CARD = """name = "{name}"
title = "Invented"
version = "1"
reader = "jsonl"
unit = "{unit}"
tasks = ["classification"]
protocol = "official"
licence = "CC0-1.0"
terms = "none"
ship = false
citation = "nobody"

[origin]
url = "https://example.org"

[types]

[labels]
harm = {{ values = ["no", "yes"], positive = "yes" }}

[protocols.official]
kind = "files"
[protocols.official.splits]
train = {{ read = ["{name}.train"] }}
dev = {{ read = ["{name}.dev"] }}
test = {{ read = ["{name}.test"] }}

[overlaps.known]
kind = "sentence"
split = "test"
against = "train"
count = {known}
of = 4

[files]
{files}
"""

LONG = "the patient developed a severe rash after two weeks of treatment with gold salts and recovered"
ROWS: dict[str, dict[str, list[tuple[str, str, str]]]] = {
    "rows": {
        "train": [
            ("a1", "Gold salts caused a rash in two patients.", "yes"),
            ("a2", "Lithium did not change the heart rate of rats.", "no"),
            ("a3", LONG + ".", "yes"),
            ("a4", "Aspirin gave no relief to any of the mice.", "no"),
        ],
        "dev": [("b1", "Quinine was followed by loss of hearing.", "yes"), ("b2", "Rats drank water.", "no")],
        "test": [
            ("c1", "GOLD SALTS caused a rash in two patients", "no"),  # the sentence of a1, with another label
            ("c2", LONG + " fully.", "yes"),  # a near-duplicate of a3
            ("c3", "Nobody fell ill while the study went on.", "no"),
            ("c4", "Penicillamine led to swelling of the lips.", "yes"),
        ],
    },
    "texts": {
        "train": [("1001", "Title one. Nobody fell ill while the study went on.", "no")],
        "dev": [("1002", "Title two. Mice slept.", "no")],
        "test": [("1003", "Title three. Lithium raised nothing at all in rats.", "no")],
    },
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with two corpora, their cards as its catalogue, and a list of what no model may see."""
    for name, unit in (("rows", "sentence"), ("texts", "abstract")):
        lines = []
        for split, rows in ROWS[name].items():
            file = tmp_path / f"{name}.{split}"
            documents = (Document(i, t, labels=(Label("harm", v, 0, len(t)),)) for i, t, v in rows)
            jsonl.write(documents, file)
            lines.append(f'"{file.name}" = {{ sha256 = "{hashlib.sha256(file.read_bytes()).hexdigest()}" }}')
        card = CARD.format(name=name, unit=unit, files="\n".join(lines), known=1 if name == "rows" else 0)
        (tmp_path / f"{name}.toml").write_text(card.replace("of = 4", "of = 1") if name == "texts" else card)
    (tmp_path / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n1001\tanother test\n1009\tanother test\n")
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    monkeypatch.setattr(corpora, "_CATALOGUE", tmp_path)
    monkeypatch.setattr(corpora, "_cards", lambda: [tmp_path / "rows.toml", tmp_path / "texts.toml"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUN = """encoder = "nowhere"
[[heads]]
name = "harm"
task = "classification"
[[data]]
corpus = "{corpus}"
heads = ["harm"]
split = "train"
dev = "dev"
"""


def found_by(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[dict[str, Any], str]:
    assert main(["audit", *arguments, "--json"]) == code
    out, err = capsys.readouterr()
    return json.loads(out), err


def pair(found: dict[str, Any], scored: str, learned: str) -> dict[str, Any]:
    (only,) = [one for one in found["shared"] if (one["scored"], one["learned"]) == (scored, learned)]
    return only  # type: ignore[no-any-return]


def test_within_and_between_corpora(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rensa")
    found, err = found_by(capsys, "rows", "texts")
    assert err == ""
    own = pair(found, "rows test", "rows train")
    assert (own["sentence"], own["near-duplicate"], own["any"], own["share"]) == (1, 1, 2, 0.5)
    across = pair(found, "rows test", "texts train+dev")
    assert (across["sentence"], across["examples"]) == (1, ["c3"])
    assert pair(found, "texts test", "rows train+dev")["any"] == 0
    assert found["worst"] == 0.5
    assert found["contradictions"]["count"] == 1
    assert found["contradictions"]["examples"][0]["values"] == [["yes"], ["no"]]
    assert [(one["name"], one["same"]) for one in found["known"]] == [("known", True), ("known", True)]
    for part in found["parts"]:
        assert part["split_hash"] == corpora.load(part["corpus"]).split_hash()


def test_nothing_named_is_the_whole_catalogue_and_what_is_missing_is_said(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every, _ = found_by(capsys)
    named, _ = found_by(capsys, "rows", "texts")
    assert every == named
    (world / "texts.dev").unlink()
    found, err = found_by(capsys)
    assert found["missing"] == ["texts"] and {part["corpus"] for part in found["parts"]} == {"rows"}
    assert "texts is left out" in err
    assert main(["audit", "texts"]) == 2
    assert "texts.dev" in capsys.readouterr().err


@pytest.mark.parametrize(("most", "code"), [("0.0", 1), ("0.49", 1), ("0.5", 0), ("1", 0)])
def test_fail_over(world: Path, capsys: pytest.CaptureFixture[str], most: str, code: int) -> None:
    pytest.importorskip("rensa")
    _, err = found_by(capsys, "rows", "--fail-over", most, code=code)
    assert ("rows test: 2 of 4 are not clean, more than --fail-over" in err) == bool(code)


def test_wrong_use(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "rows", "--fail-over", "2"]) == 2
    assert "--fail-over is a share from 0 to 1, not 2" in capsys.readouterr().err
    assert main(["audit", "rows", "--split-protocol", "oficial"]) == 2
    assert "unknown split protocol of these corpora 'oficial': did you mean 'official'" in capsys.readouterr().err
    assert main(["audit", "row"]) == 2
    assert "did you mean 'rows'" in capsys.readouterr().err


def test_the_tables(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "rows", "texts"]) == 0
    out = capsys.readouterr().out
    for title in ("Tested and learned from", "contradicting labels", "Known from the cards"):
        assert title in out
    assert "largest share of a test split that is not clean: 0." in out
    (world / "rows.toml").write_text((world / "rows.toml").read_text().replace("count = 1", "count = 3"))
    assert main(["audit", "rows"]) == 0
    assert "3 of 4" in (out := capsys.readouterr().out) and "NO" in out


def test_against_another_corpus_only(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = found_by(capsys, "rows", "--against", "texts")
    assert [(one["scored"], one["learned"]) for one in found["shared"]] == [("rows test", "texts train+dev")]


def test_without_the_extra_the_exact_checks_work(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **keywords: Any) -> Any:
        if name == "rensa":
            raise ImportError(name)
        return real(name, *more, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    found, err = found_by(capsys, "rows")
    assert 'near-duplicates were not looked for: pip install "relatome[audit]"' in err
    assert not found["near_duplicates"] and pair(found, "rows test", "rows train")["any"] == 1
    assert main(["audit", "rows", "--near"]) == 2
    assert 'pip install "relatome[audit]"' in capsys.readouterr().err
    assert main(["audit", "rows", "--no-near"]) == 0
    assert capsys.readouterr().err == ""


def test_a_run_file_is_compared_with_the_list_and_every_test_split(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training drops a1, a row of the test split, and 1001, which is listed; what is left is compared."""
    (world / "run.toml").write_text(
        RUN.format(corpus=world / "rows.toml") + RUN.format(corpus=world / "texts.toml")[RUN.index("[[data]]") :]
    )
    found, _ = found_by(capsys, "run.toml", "--no-near")
    counts = found["left_out"]["run.toml"]
    assert counts["rows"] == {"kept": 3, "pmid": 0, "sentence": 1}
    assert counts["texts"] == {"kept": 0, "pmid": 1, "sentence": 0}
    assert {one["scored"]: one["any"] for one in found["shared"]} == {
        "rows test": 0, "texts test": 0, "NEVER_TRAIN.tsv": 0
    }  # fmt: skip
    if found_by(capsys, "run.toml")[0]["near_duplicates"]:  # which training does not drop
        assert pair(found_by(capsys, "run.toml")[0], "rows test", "run.toml")["near-duplicate"] == 1


def model(folder: Path, rows: list[tuple[str, str, str]], corpus: str) -> Path:
    """A folder with nothing but the list of what it saw."""
    folder.mkdir()
    documents = [Document(i, t) for i, t, _ in rows]
    prints = tuple(audit.prints(documents, corpora.load(corpus)))
    Seen((SeenPart(corpus, "train", "official", "", "train", prints),)).write(folder)
    return folder


def test_a_model_that_saw_the_test_set(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model(world / "model", ROWS["rows"]["test"] + [("x", "Nothing.", "no")], "rows")
    model(world / "articles", [*ROWS["texts"]["train"], ("1009", "An abstract.", "no")], "texts")
    found, err = found_by(capsys, "rows", "--against", "model", "--fail-over", "0", code=1)
    assert pair(found, "rows test", "model")["any"] == 4
    assert "holds hashes, which have no near-duplicates" in err or not found["near_duplicates"]
    found, _ = found_by(capsys, "--against", "articles")  # all of the catalogue
    assert pair(found, "NEVER_TRAIN.tsv", "articles")["document"] == 2
    assert pair(found, "texts test", "articles")["any"] == 0
    assert found_by(capsys, "articles")[0]["shared"] == found["shared"]


def test_a_model_without_a_list(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its card's corpora are read again; without a card nobody can say."""
    folder = world / "model"
    folder.mkdir()
    assert main(["audit", "rows", "--against", "model"]) == 2
    assert "this model does not say what it learned from" in capsys.readouterr().err
    said = run_files.parse(
        {
            "encoder": "x", "heads": [{"name": "harm", "task": "classification"}],
            "data": [{"corpus": str(world / "rows.toml"), "heads": ["harm"], "split": "train"}],
        }
    )  # fmt: skip
    (folder / "relatome.json").write_text(json.dumps({"card": {"training": {"settings": said.json()}}}))
    found, err = found_by(capsys, "rows", "--against", "model", "--no-near")
    assert "model has no list of what it saw: its card's corpora are read again" in err
    assert pair(found, "rows test", "model")["any"] == 0 and found["left_out"]["model"]["rows"]["sentence"] == 1
    (folder / "relatome.json").unlink()
    (folder / "run.toml").write_text(said.toml())
    assert found_by(capsys, "rows", "--against", "model", "--no-near")[0]["shared"] == found["shared"]


def test_a_baseline_saw_what_its_run_saw(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model(world / "run", ROWS["rows"]["test"], "rows") / "tfidf").mkdir()
    found, _ = found_by(capsys, "rows", "--against", "run/tfidf", "--no-near")
    assert pair(found, "rows test", "run/tfidf")["any"] == 4


def test_a_run_lists_what_it_sees(world: Path) -> None:
    settings = run_files.parse(
        {
            "encoder": "x", "heads": [{"name": "harm", "task": "classification"}],
            "data": [{"corpus": str(world / "rows.toml"), "heads": ["harm"], "split": "train", "dev": "dev"}],
        }
    )  # fmt: skip
    train, dev = running.seen(settings).parts
    assert [one.id for one in train.prints] == ["a2", "a3", "a4"]  # without the row of the test split
    assert [one.id for one in dev.prints] == ["b1", "b2"]
    assert (train.use, dev.use, train.protocol) == ("train", "dev", "official")
    assert train.split_hash == corpora.load(world / "rows.toml").split_hash()


def test_train_says_which_test_splits_it_could_not_hold_out(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.encoder_folder(world / "encoder")
    (world / "texts.test").unlink()
    arguments = ["train", "--corpus", "rows", "--task", "classification", "--encoder", str(world / "encoder")]
    assert main([*arguments, "-o", str(world / "run"), "--dry-run"]) == 0
    assert "not held out, for no test split of them is here: texts" in capsys.readouterr().err
    assert not (world / "run").exists()
    assert main([*arguments, "-o", str(world / "run"), "--epochs", "1", "--quiet"]) == 0
    seen = Seen.read(world / "run")
    assert seen is not None and [len(part.prints) for part in seen.parts] == [3, 2]


# ------------------------------------------------------------------------------------- the clean part beside every score


HEAD = Head("harm", "classification", "label", ("no", "yes"))


def baseline(world: Path) -> tfidf.TfidfPredictor:
    documents = list(corpora.load(world / "rows.toml").documents("train")) * 4
    return tfidf.train((e for d in documents for e in classification.examples(d, HEAD)), HEAD)


def test_every_evaluation_scores_the_clean_part(world: Path) -> None:
    found = evaluate(baseline(world), corpora.load(world / "rows.toml"), task="classification", resamples=0)
    assert found.report.signature["part"] == "all" and found.report.score("errors").support == 4
    clean = found.beside["clean part"]
    assert clean.signature["part"] == "no document, sentence or near-duplicate of train+dev"
    assert clean.score("errors").support == 2
    assert (found.facts["scored documents"], found.facts["clean documents"]) == (4, 2)
    assert found.facts["documents that share a near-duplicate with train+dev"] == 1
    assert clean.signature["split_hash"] == found.report.signature["split_hash"]
    rows = [row for row in found.examples if row["id"].startswith(("c3", "c4"))]
    assert clean.value("errors") == sum(row["gold"] != row["predicted"] for row in rows)
    plain = evaluate(
        baseline(world), corpora.load(world / "rows.toml"), task="classification", resamples=0, clean=False
    )
    assert plain.beside == {} and plain.report.json() == found.report.json()


def test_evaluate_prints_both_side_by_side(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    baseline(world).save(world / "model")
    arguments = ["evaluate", "model", "--corpus", "rows", "--resamples", "0"]
    assert main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (beside,) = said["beside"]
    assert beside["what"] == "model, clean part"
    assert {score["name"] for score in beside["scores"]} == {score["name"] for score in said["scores"]}
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "clean documents: 2" in out and "errors" in out and " of 4, clean part " in out


def test_views_of_one_corpus_are_scored_as_each_alone_and_no_row_is_read_twice(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = (world / "rows.toml").read_text()
    other = '[protocols.whole]\nkind = "files"\n[protocols.whole.splits]\ntrain = { read = ["rows.train"] }\n'
    other += 'test = { read = ["rows.dev", "rows.test"] }\n\n[overlaps'
    (world / "rows.toml").write_text(card.replace("[overlaps", other, 1))
    baseline(world).save(world / "model")
    read: list[str] = []
    asked = tfidf.TfidfPredictor.predict

    def counted(self: tfidf.TfidfPredictor, requests: Any, memory: Any = None) -> Any:
        read.extend(one.id for inputs in requests.values() for one in inputs)
        return asked(self, requests, memory)

    monkeypatch.setattr(tfidf.TfidfPredictor, "predict", counted)

    def scored(protocols: str) -> list[tuple[str, list[dict[str, Any]]]]:
        read.clear()
        arguments = ["--corpus", "rows", "--split-protocol", protocols, "--resamples", "0", "--json"]
        assert main(["evaluate", "model", *arguments]) == 0
        said = json.loads(capsys.readouterr().out)
        return [
            (part["signature"]["protocol"], part["scores"])
            for part in (said, *said.get("beside", []))
            if part["signature"]["part"] == "all"
        ]

    both = scored("official,whole")
    assert len(read) == len(set(read)) == 6
    assert both == scored("official") + scored("whole") and [name for name, _ in both] == ["official", "whole"]
    assert both[0] != both[1]


def test_a_test_set_without_a_clean_part(world: Path) -> None:
    """Every test row is in train: there is no score to put beside, and that is said."""
    (world / "rows.test").write_bytes((world / "rows.dev").read_bytes())
    sums = hashlib.sha256((world / "rows.dev").read_bytes()).hexdigest()
    text = (world / "rows.toml").read_text()
    line = next(line for line in text.splitlines() if line.startswith('"rows.test"'))
    (world / "rows.toml").write_text(text.replace(line, f'"rows.test" = {{ sha256 = "{sums}" }}'))
    found = evaluate(baseline(world), corpora.load(world / "rows.toml"), task="classification", resamples=0)
    assert found.beside == {} and found.facts["clean documents"] == 0

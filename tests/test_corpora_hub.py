"""Corpora of the Hugging Face hub, from snapshots made here: no network, no code of anyone's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relatome import corpora
from relatome.cli import main
from relatome.corpora import hub
from relatome.corpora.card import read as read_card
from relatome.corpora.fetch import addresses
from relatome.errors import CorpusError, FormatError, InputError, MissingExtraError, NetworkError, SettingsError
from relatome.formats import columns

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPORTS = {
    "train": [("Plombidol caused a rash.", 1), ("Velorazine is a tablet.", 0), ("Nobody fell ill.", 0)],
    "test": [("Velorazine caused α-hepatitis.", 1), ("KRNX2 is a gene.", 0)],
}
CLASSES = {"relevant": {"names": ["unrelated", "ADE"], "_type": "ClassLabel"}}
TAGS = {"ner_tags": {"feature": {"names": ["O", "B-DISEASE", "I-DISEASE"], "_type": "ClassLabel"}, "_type": "List"}}

Rows = dict[str, list[Any]]
Cached = Callable[..., Path]


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cached:
    """Puts a dataset into an empty cache, as ``huggingface_hub`` would keep it; there is no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub._described.cache_clear()

    def put(files: dict[str, Rows], features: dict[str, Any] | None = None, *, revision: str = "main") -> Path:
        import pyarrow as arrow
        import pyarrow.parquet as tables

        folder = tmp_path / "hub" / "datasets--lab--reports"
        (folder / "refs" / revision).parent.mkdir(parents=True, exist_ok=True)
        (folder / "refs" / revision).write_text(COMMIT)
        snapshot = folder / "snapshots" / COMMIT
        for name, rows in files.items():
            table = arrow.table(rows)
            if features:
                info = json.dumps({"info": {"features": features}})
                table = table.replace_schema_metadata({"huggingface": info})
            (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
            tables.write_table(table, snapshot / name)
        return snapshot

    return put


def reports(split: str) -> Rows:
    return {
        "sentence": [text for text, _ in REPORTS[split]],
        "relevant": [answer for _, answer in REPORTS[split]],
        "other": [0] * len(REPORTS[split]),
    }


SHARDS = {"train": "data/train-00000-of-00001.parquet", "test": "data/test-00000-of-00001.parquet"}
NAME = "hf:lab/reports:text=sentence,label=relevant"


@pytest.fixture
def classified(cached: Cached) -> Path:
    return cached({name: reports(split) for split, name in SHARDS.items()}, CLASSES)


def test_texts_with_a_class(classified: Path) -> None:
    corpus = corpora.load(NAME)
    card = corpus.card
    assert (card.name, card.tasks, card.ship, card.held_out) == ("lab-reports", ("classification",), False, False)
    assert card.version == "0123456789ab:text=sentence,label=relevant"
    assert card.labels["relevant"].values == ("unrelated", "ADE")
    assert corpus.splits() == ("train", "test")
    read = list(corpus.documents("test"))
    assert [(document.id, document.text) for document in read] == [
        ("test-00000-of-00001:1", "Velorazine caused α-hepatitis."),
        ("test-00000-of-00001:2", "KRNX2 is a gene."),
    ]
    assert [label.value for document in read for label in document.labels] == ["ADE", "unrelated"]
    assert read[0].labels[0].name == "relevant"
    divided = [split for split, _ in corpus.by_split("clean")]
    assert len(divided) == 5
    assert corpus.path(SHARDS["test"]) == classified / SHARDS["test"]


def test_tokens_with_tags(cached: Cached) -> None:
    rows = {"tokens": [["No", "hay", "fever", "."], ["Plombidol"]], "ner_tags": [[0, 1, 2, 0], [0]]}
    cached({"plain/validation/0000.parquet": rows, "plain/train/0000.parquet": rows}, TAGS)
    corpus = corpora.load("hf:lab/reports/plain:tags=ner_tags")
    assert (corpus.card.name, corpus.splits()) == ("lab-reports-plain", ("train", "dev"))
    assert (corpus.card.types, corpus.card.exhaustive) == ({"DISEASE": "Disease"}, ("Disease",))
    first, second = corpus.documents("dev")
    assert (first.id, first.text) == ("validation/0000:1", "No hay fever .")
    assert [(mention.type, mention.text, mention.start) for mention in first.mentions] == [("Disease", "hay fever", 3)]
    assert second.mentions == ()
    assert corpora.load("hf:lab/reports:tags=ner_tags").splits() == ("train", "dev")  # there is but one


def test_columns_that_are_called_as_what_they_are_need_not_be_said(cached: Cached) -> None:
    rows = {"text": ["One.", "Two."], "label": [["b", "a"], []], "id": [7, 8], "pmid": [90000001, 90000002]}
    cached({"test.parquet": rows})
    corpus = corpora.load("hf:lab/reports")
    assert corpus.card.labels["label"].values == ("a", "b")
    assert (corpus.card.tasks, corpus.splits()) == (("multilabel",), ("test",))
    first, second = corpora.load("hf:lab/reports:id=id").documents("test")
    assert (first.id, first.meta["pmid"], [label.value for label in first.labels]) == ("7", "90000001", ["b", "a"])
    assert (second.id, second.labels) == ("8", ())


def test_another_revision(cached: Cached) -> None:
    rows = {"text": ["One."], "label": [True]}
    cached({"default/train/0000.parquet": rows}, revision="refs/convert/parquet")
    corpus = corpora.load("hf:lab/reports@refs/convert/parquet")
    assert [label.value for document in corpus.documents("train") for label in document.labels] == ["True"]
    with pytest.raises(NetworkError, match="'lab/reports' at 'main' cannot be had from the Hugging Face hub"):
        corpora.load("hf:lab/reports")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("hf:reports", SettingsError, "should be hf:owner/name"),
        ("hf:lab/reports:txt=sentence", Exception, "unknown kind of column 'txt': did you mean 'text'"),
        ("hf:lab/reports:text", SettingsError, "'text' should be KIND=COLUMN"),
        ("hf:lab/reports:text=sentense", CorpusError, "has no column sentense .it has: sentence, relevant, other"),
        ("hf:lab/reports", CorpusError, "which column of the dataset 'lab/reports' is the text, or the tokens"),
        ("hf:lab/reports:text=sentence", CorpusError, "is the class of its texts"),
        ("hf:lab/reports/other:text=sentence", CorpusError, "has no Parquet files in 'other'.*refs/convert/parquet"),
        ("hf:lab/absent", NetworkError, "'lab/absent' at 'main' cannot be had.*offline"),
        ("hf:lab/-reports-", SettingsError, "no name of the hub"),
    ],
)
def test_what_cannot_be_loaded(name: str, error: type[Exception], message: str, classified: Path) -> None:
    with pytest.raises(error, match=message):
        corpora.load(name)


def test_several_in_one_are_named(cached: Cached) -> None:
    rows = {"text": ["One."], "label": [1]}
    cached({"large/train.parquet": rows, "small/train.parquet": rows})
    with pytest.raises(CorpusError, match="is 2 in one .choose: hf:lab/reports/large, hf:lab/reports/small"):
        corpora.load("hf:lab/reports")
    assert corpora.load("hf:lab/reports/small").card.name == "lab-reports-small"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"text": ["One.", None], "label": [1, 1]}, "x:2: column 'text' should hold text, found 'None'"),
        ({"text": ["One.", 2.5], "label": [1, 1]}, "x:1: column 'text' should hold text"),
        ({"text": ["One."], "label": [7]}, "column 'label' should hold a class from 0 to 1, found 7"),
        ({"tokens": [["a"]], "tags": [["O", "O"]]}, "expected a tag for each of the 1 tokens, found 2"),
        ({"tokens": [["a"]], "tags": [["0"]]}, "column 'tags' should hold tags .*found '0' .the file does not say"),
        ({"tokens": ["a"], "tags": [["O"]]}, "column 'tokens' should hold a list, found 'a'"),
        ({"tokens": [[]], "tags": [[]]}, "column 'tokens' should hold a list"),
    ],
)
def test_rows_that_are_no_documents(rows: Rows, message: str, tmp_path: Path) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as tables

    if 2.5 in rows.get("text", []):
        rows = {**rows, "text": [1.5, 2.5]}
    features = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    table = arrow.table(rows).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    tables.write_table(table, tmp_path / "x.parquet")
    said = {key: key for key in rows}
    with pytest.raises(FormatError, match=message) as caught:
        list(columns.read(tmp_path / "x.parquet", columns=said))
    assert caught.value.path == str(tmp_path / "x.parquet")
    rejects: list[InputError] = []
    list(columns.read(tmp_path / "x.parquet", columns=said, on_reject=rejects.append))
    assert rejects
    with pytest.raises(FormatError, match="there is no column 'sentence' .there are: "):
        list(columns.read(tmp_path / "x.parquet", columns={"text": "sentence"}))


def test_a_card_to_complete(classified: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpora", "show", NAME, "--toml"]) == 0
    path = tmp_path / "mine.toml"
    path.write_text(capsys.readouterr().out.replace('licence = "See its page"', 'licence = "CC0"'))
    card = read_card(path)
    assert (card.licence, card.columns) == ("CC0", {"text": "sentence", "label": "relevant"})
    assert card.protocols == corpora.load(NAME).card.protocols
    assert addresses(card)[SHARDS["train"]] == (
        f"https://huggingface.co/datasets/lab/reports/resolve/{COMMIT}/data/train-00000-of-00001.parquet"
    )
    with pytest.raises(CorpusError, match="RELATOME_DATA"):
        list(corpora.load(path).documents("test"))
    for name in SHARDS.values():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((classified / name).read_bytes())
    mine = corpora.load(path)
    assert list(mine.documents("test")) == list(corpora.load(NAME).documents("test"))
    assert mine.split_hash() == corpora.load(NAME).split_hash()


def test_on_the_command_line(classified: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpora", "show", NAME]) == 0
    shown = capsys.readouterr().out
    assert "unrelated, ADE" in shown and "huggingface.co/datasets/lab/reports" in shown and "2 of 2" in shown
    assert main(["corpora", "fetch", NAME]) == 0
    assert "2 files of lab/reports, from the Hugging Face hub are in the cache" in capsys.readouterr().err
    assert main(["audit", NAME, "--no-near", "--json"]) == 0
    assert [part["corpus"] for part in json.loads(capsys.readouterr().out)["parts"]] == ["lab-reports"] * 2
    assert main(["corpora", "show", "hf:lab/absent"]) == 2
    assert "cannot be had from the Hugging Face hub" in capsys.readouterr().err


def test_without_the_extra_the_answer_is_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    hub._described.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r'pip install "relatome\[hub\]"'):
        corpora.load("hf:lab/reports")

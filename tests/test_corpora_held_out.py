"""What no model may see is dropped, whichever corpus it comes in, and counted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from relatome import corpora
from relatome.corpora import held_out
from relatome.corpora.held_out import Dropped, HeldOut
from relatome.documents import Document
from relatome.errors import CorpusError

# The corpora whose test split no model may see, and those that have one which is in no file.
ABSENT = tuple(
    name
    for name in corpora.names()
    if "test" not in corpora.load(name).splits()
    and any("test" in splits for splits in corpora.load(name).card.published.values())
)
HELD_OUT = tuple(
    name
    for name in corpora.names()
    if corpora.load(name).card.held_out and ("test" in corpora.load(name).splits() or name in ABSENT)
)
TEXTS = {"lithium raised the heart rate twice": ("x test split",), "a case report": ("x test split",)}


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Lithium raised the heart-rate twice.", True),  # the row itself, punctuation and case aside
        ("One. LITHIUM raised the heart rate, twice!", True),  # inside a document
        ("One. Then lithium raised the heart rate once.", False),
        ("A case report.", True),  # a whole row, however short
        ("Gold salts: a case report. Lithium.", False),  # a short sentence inside a document says nothing
        ("", False),
    ],
)
def test_sentences(text: str, held: bool) -> None:
    found = HeldOut({}, TEXTS).why(Document("1", text))
    assert found == (Dropped("sentence", ("x test split",)) if held else None)


def test_longer_of_two_texts_with_the_same_start() -> None:
    texts = {"a b c d e f g h": ("x test",), "a b c d e z": ("y test",)}
    assert HeldOut({}, texts).why(Document("1", "0 a b c d e f g h 1")) == Dropped("sentence", ("x test",))
    assert HeldOut({}, texts).why(Document("1", "0 a b c d e f z")) is None


def test_ids_of_documents_and_of_rows() -> None:
    held = HeldOut({"7": ("x test",)}, {})
    assert held.why(Document("7", "Text.")) == Dropped("pmid", ("x test",))
    assert held.why(Document("DRUG-AE:1", "Text.", meta={"pmid": "7"})) == Dropped("pmid", ("x test",))
    assert held.why(Document("DRUG-AE:7", "Text.", meta={"pmid": "8"})) is None


def test_a_row_number_is_no_pubmed_id() -> None:
    held = HeldOut({"7": ("x test",), "mine d7": ("mine test split",)}, {})
    rows = [Document("7", "One."), Document("8", "Two.", meta={"pmid": "7"}), Document("9", "3", meta={"source": "d7"})]
    assert [row.id for row in held.keep(rows, corpus="mine", ids="own")] == ["7"]
    assert [row.id for row in held.keep(rows, corpus="other", ids="own")] == ["7", "9"]
    assert [row.id for row in held.keep(rows, corpus="theirs")] == ["9"]  # PubMed's, if nothing says otherwise


@pytest.mark.parametrize("identity", ["12", "pmid:12", "PMID 12", "pmid12"])
def test_an_id_is_known_whatever_stands_before_it(identity: str) -> None:
    held = HeldOut({"12": ("a test",)}, {})
    assert held.why(Document(identity, "One."))
    assert not held.why(Document(f"{identity}3", "One.")) and not held.why(Document("pmcid:PMC12", "One."))


def test_counts_are_by_corpus_and_reason() -> None:
    held = HeldOut({"7": ("x test",)}, TEXTS)
    list(held.keep([Document("7", "One."), Document("8", "Two.")], corpus="one"))
    list(held.keep([Document("9", "A case report."), Document("7", "A case report.")], corpus="two"))
    assert held.counts == {
        "one": {"kept": 1, "pmid": 1, "sentence": 0},
        "two": {"kept": 0, "pmid": 1, "sentence": 1},
    }


def test_a_leaking_protocol_waives_its_own_test_split_only() -> None:
    pmids = {"1": ("ade test split",), "2": ("bc5cdr test",), "3": ("ade test split", "bc5cdr test split")}
    texts = {"a b c d e": ("ade test split",), "f g h i j": ("bc5cdr test split",)}
    documents = [Document(name, "Text.") for name in "123"]
    documents += [Document("4", "A b c d e."), Document("5", "F g h i j."), Document("6", "Other.")]
    held = HeldOut(pmids, texts)
    assert [document.id for document in held.keep(documents, corpus="ade", leaks=True)] == ["1", "4", "6"]
    assert [document.id for document in held.keep(documents, corpus="ade")] == ["6"]


def test_without_the_list_training_stops_unless_waived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    with pytest.raises(CorpusError) as caught:
        HeldOut.load()
    assert f"the list of documents no model may see, NEVER_TRAIN.tsv, is not in {tmp_path}" in str(caught.value)
    assert "must be waived explicitly" in str(caught.value)
    waived = HeldOut.load(waived=True)
    assert waived.pmids == {} and waived.missing == HELD_OUT


def test_the_list_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where the corpora are absent, the list still counts, and what is missing is said."""
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    (tmp_path / held_out.LIST).write_text(
        "pmid\ttest_set\n12\tbc5cdr test, biored test\n\n13\teu-adr\n", encoding="utf-8"
    )
    held = HeldOut.load()
    assert held.pmids == {"12": ("bc5cdr test", "biored test"), "13": ("eu-adr",)}
    assert held.missing == HELD_OUT
    assert "the sentences of chemprot's test split are not held out" in caplog.text


@pytest.mark.parametrize("line", ["12", "12\ta\tb", "\ta"])
def test_a_damaged_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    (tmp_path / held_out.LIST).write_text(f"pmid\ttest_set\n{line}\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"NEVER_TRAIN.tsv:2: expected 2 columns, pmid and test_set"):
        HeldOut.load()


def test_a_list_that_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    (tmp_path / held_out.LIST).write_bytes(b"pmid\xff")
    with pytest.raises(CorpusError, match="NEVER_TRAIN.tsv: the list cannot be read"):
        HeldOut.load()


def test_no_test_document_of_the_catalogue_passes(corpus_data: Path) -> None:
    held = HeldOut.load()
    assert held.missing == ABSENT
    assert "biored" in ABSENT
    for name in HELD_OUT:
        corpus = corpora.load(name)
        if name not in ABSENT:
            assert list(held.keep(corpus.documents("test"), corpus=name)) == []


def test_what_the_corpora_share(corpus_data: Path) -> None:
    """69 of BC5CDR's test abstracts are in BioRED's train and dev (corpus paper: both were drawn from the same pool)."""
    held = HeldOut.load()
    biored = [held.why(document) for document in corpora.load("biored").documents("train+dev")]
    assert sum(1 for found in biored if found and found.reason == "pmid" and "bc5cdr test" in found.test_sets) == 69


def test_rows_of_ade_lose_only_what_others_test_on(corpus_data: Path) -> None:
    held, ade = HeldOut.load(), corpora.load("ade")
    leaks = ade.protocol("rows").leaks
    kept = sum(1 for _ in held.keep(ade.documents("train", protocol="rows"), corpus="ade", leaks=leaks))
    counts = held.counts["ade"]
    assert kept == counts["kept"] == 16461 - counts["pmid"] - counts["sentence"]
    assert counts["pmid"] == 36
    assert 0 < counts["sentence"] < 165  # one in a hundred: "A case report." and the like, and abstracts others test on


def test_loading_again_is_cheap(corpus_data: Path) -> None:
    HeldOut.load()
    start = time.process_time()
    HeldOut.load()
    assert time.process_time() - start < 1

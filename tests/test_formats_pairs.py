"""Any of the standoff formats into any other and back; and the same documents as an independent library reads."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bioc import biocjson, biocxml
from bioc import pubtator as their_pubtator
from hypothesis import given
from hypothesis import strategies as st

from relatome import formats
from relatome.documents import Document, Mention, Relation
from relatome.errors import FormatError, InputError
from relatome.formats import bioc, brat, pubannotation, pubtator
from tests.drawn import documents as drawn
from tests.test_formats_corpora import found as corpus_file
from tests.test_formats_jsonl import documents as wild

DATA = Path(__file__).parent / "data"
# Each of these holds all of a document.
WHOLE: dict[str, tuple[str, Any]] = {
    "bioc.xml": ("out.xml", bioc),
    "bioc.json": ("out.json", bioc),
    "brat": ("out.tar", brat),
    "pubannotation": ("out.json", pubannotation),
}
SAMPLES = [
    DATA / "bioc" / "notes.xml",
    DATA / "brat" / "notes.ann",
    DATA / "pubannotation" / "notes.json",
    DATA / "pubtator" / "notes.pubtator",
]


def through(documents: list[Document], name: str, folder: Path) -> list[Document]:
    file, module = WHOLE[name]
    path = folder / name / file
    path.parent.mkdir(exist_ok=True)
    assert module.write(documents, path) == len(documents)
    return list(module.read(path))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(WHOLE, 2)))
def test_there_and_back(one: str, other: str, sample: Path, tmp_path: Path) -> None:
    read = list(formats.read(sample))
    assert through(through(read, one, tmp_path), other, tmp_path) == read


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(WHOLE, 2)))
@given(data=st.data())
def test_whatever_is_drawn_there_and_back(
    one: str, other: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    documents = [data.draw(drawn(str(number))) for number in range(data.draw(st.integers(1, 2)))]
    folder = tmp_path_factory.mktemp("pair")
    assert through(through(documents, one, folder), other, folder) == documents


@pytest.mark.parametrize("name", WHOLE)
@given(document=wild())
def test_whatever_a_document_can_hold(name: str, document: Document, tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        read = through([document], name, tmp_path_factory.mktemp("wild"))
    except FormatError as problem:  # a control character, in XML and in text files
        assert "cannot be written" in str(problem) or "the text holds" in str(problem)
        return
    assert read == [document]


@pytest.mark.parametrize("name", WHOLE)
@given(document=drawn())
def test_pubtator_into_the_others_and_back(
    name: str, document: Document, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pubtator")
    held = formats.kept(document, "pubtator")
    pubtator.write(through([held], name, folder), folder / "out")
    assert list(pubtator.read(folder / "out")) == [held]


@pytest.mark.parametrize("name", [*WHOLE, "pubtator"])
def test_hostile_documents_are_one_clear_line(name: str, tmp_path: Path) -> None:
    text = "VLZ raised KRNX2"
    one = Mention("T1", 0, 3, "X", "VLZ")
    nested = tuple(Mention(f"T{n}", 0, n, "X", text[:n]) for n in range(1, 17))
    whole = Document("1", text, mentions=nested, relations=(Relation("R1", "x", "T1", "T16"),))
    write: Callable[..., int]
    write, read, path = (
        (pubtator.write, pubtator.read, tmp_path / "out")
        if name == "pubtator"
        else (WHOLE[name][1].write, WHOLE[name][1].read, tmp_path / WHOLE[name][0])
    )
    write([whole], path)
    assert [mention.span for mention in next(read(path)).mentions] == [mention.span for mention in nested]
    path.unlink()
    if name == "pubtator":
        return
    for wrong, message in (
        (replace(whole, mentions=(one, one), relations=()), "two mentions have the id 'T1'"),
        (replace(whole, relations=(Relation("R1", "x", "T1", "T99"),)), "its tail 'T99' is no mention"),
        (replace(whole, mentions=(replace(one, end=99),), relations=()), "has range 0..99"),
    ):
        with pytest.raises(InputError, match=message):
            write([wrong], path)
    assert not path.exists()


@pytest.mark.parametrize("name", [*WHOLE, "pubtator"])
def test_many_mentions_take_little_time(name: str, tmp_path: Path) -> None:
    text = "KRNX2 " * 30_000
    mentions = tuple(Mention(f"T{n + 1}", 6 * n, 6 * n + 5, "Gene", "KRNX2", ("1234",)) for n in range(30_000))
    document = Document("1", text.strip(), mentions=mentions)
    begun = time.process_time()
    if name == "pubtator":
        pubtator.write([document], tmp_path / "out")
        (again,) = pubtator.read(tmp_path / "out")
    else:
        (again,) = through([document], name, tmp_path)
    assert again.mentions == mentions
    assert time.process_time() - begun < 20


# ------------------------------------------------------------------------------------- an independent library


def bioc_fields(document: Any) -> tuple[Any, ...]:
    """What ``bioc`` read, as far as a document of ours has it."""
    parts = [part for passage in document.passages for part in (passage, *passage.sentences)]
    return (
        document.id,
        [
            (passage.offset, passage.text or "".join(sentence.text for sentence in passage.sentences))
            for passage in document.passages
        ],
        [
            (annotation.id, annotation.text, sorted((place.offset, place.length) for place in annotation.locations))
            for part in parts
            for annotation in part.annotations
        ],
        [relation.id for relation in document.relations],
    )


def our_fields(document: Document) -> tuple[Any, ...]:
    kept = [record["id"] for record in document.meta.get("relations", [])]
    return (
        document.id,
        [(passage.start, document.text[passage.start : passage.end]) for passage in document.passages],
        [
            (
                mention.id,
                mention.meta.get("text", mention.text),
                sorted((start, end - start) for start, end in mention.fragments or (mention.span,)),
            )
            for mention in document.mentions
        ],
        [relation.id for relation in document.relations] + kept,
    )


def test_bioc_reads_the_same_samples() -> None:
    with (DATA / "bioc" / "notes.xml").open("rb") as stream:
        theirs = biocxml.load(stream)
    assert list(map(bioc_fields, theirs.documents)) == list(map(our_fields, bioc.read(DATA / "bioc" / "notes.xml")))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.parent.name)
def test_bioc_reads_what_we_write(sample: Path, tmp_path: Path) -> None:
    read = list(formats.read(sample))
    bioc.write(read, tmp_path / "out.xml")
    with (tmp_path / "out.xml").open("rb") as binary:
        as_xml = biocxml.load(binary)
    bioc.write(read, tmp_path / "out.json")
    with (tmp_path / "out.json").open(encoding="utf-8") as stream:
        as_json = biocjson.load(stream)
    assert list(map(bioc_fields, as_xml.documents)) == list(map(bioc_fields, as_json.documents))
    for theirs, ours in zip(as_json.documents, read, strict=True):
        text = ""
        for passage in theirs.passages:
            text += " " * (passage.offset - len(text)) + (passage.text or "".join(s.text for s in passage.sentences))
        assert text == ours.text
        assert {annotation.id for passage in theirs.passages for annotation in passage.annotations} | {
            annotation.id for passage in theirs.passages for s in passage.sentences for annotation in s.annotations
        } == {mention.id for mention in ours.mentions}


@pytest.mark.parametrize(
    "name",
    [
        "bc5cdr/CDR_TestSet.BioC.xml",
        "biored/Dev.BioC.XML",
        "biored/Train.BioC.XML",
        "pubtator/central/batch_0.xml",
        "pubtator/central/batch_1.xml",
    ],
)
def test_bioc_reads_the_same_corpora(name: str, corpus_data: Path, tmp_path: Path) -> None:
    path = corpus_file((corpus_data / name).parent, Path(name).name)
    read = list(bioc.read(path))
    plain = tmp_path / "plain.xml"
    with formats.files.opened(path) as stream:
        plain.write_bytes(stream.read())
    with plain.open("rb") as stream:
        theirs = biocxml.load(stream).documents
    for ours, other in zip(map(our_fields, read), map(bioc_fields, theirs), strict=True):
        assert ours == other


def pubtator_fields(path: Path) -> list[tuple[Any, ...]]:
    with path.open(encoding="utf-8") as stream:
        return [
            (
                document.pmid,
                document.title,
                document.abstract or "",
                [(each.start, each.end, each.text, each.type, each.id) for each in document.annotations],
                [(each.type, each.id1, each.id2) for each in document.relations],
            )
            for document in their_pubtator.load(stream)
        ]


def our_pubtator_fields(document: Document) -> tuple[Any, ...]:
    title, *abstract = document.passages
    return (
        document.id,
        document.text[: title.end].rstrip(),  # bioc takes the blanks off both ends of a line
        document.text[abstract[0].start :].rstrip() if abstract else "",
        [
            (
                *mention.span,
                mention.text,
                mention.type,
                mention.meta.get("identifier", "|".join(mention.concepts) or "-"),
            )
            for mention in document.mentions
        ],
        [(relation.type, relation.head, relation.tail) for relation in document.relations],
    )


@pytest.mark.parametrize("name", ["bc5cdr/CDR_TestSet.PubTator.txt", "biored/Dev.PubTator", "biored/Train.PubTator"])
def test_bioc_reads_the_same_pubtator(name: str, corpus_data: Path, tmp_path: Path) -> None:
    path = corpus_file((corpus_data / name).parent, Path(name).name)
    plain = tmp_path / "plain.txt"
    with formats.files.opened(path) as stream:
        plain.write_bytes(stream.read())
    ours = list(map(our_pubtator_fields, pubtator.read(path)))
    theirs = pubtator_fields(plain)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one == other


@pytest.mark.parametrize(
    "name", ["bc5cdr/CDR_TestSet.BioC.xml", "bc5cdr/CDR_DevelopmentSet.PubTator.txt", "biored/Train.BioC.JSON",
             "biored/Dev.PubTator", "pubtator/central/batch_0.xml", "pubtator/central/batch_1.xml"]
)  # fmt: skip
def test_corpora_through_every_format(name: str, corpus_data: Path, tmp_path: Path) -> None:
    read = list(formats.read(corpus_file((corpus_data / name).parent, Path(name).name)))
    written = read
    for other in WHOLE:
        written = through(written, other, tmp_path)
    assert written == read

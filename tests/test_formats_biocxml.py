"""BioC XML without a tree: whatever a file holds, it is read as lxml reads it, or refused with the same words."""

from __future__ import annotations

import gzip
import re
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relatome.documents import Document, Mention, Passage, Relation, Span
from relatome.errors import InputError
from relatome.formats import bioc, biocxml
from tests.drawn import documents as drawn

DATA = Path(__file__).parent / "data" / "bioc"
NOTES = (DATA / "notes.xml").read_bytes()


def outcome(path: Path) -> tuple[list[Document], list[str]]:
    """The documents, and in words what was wrong."""
    wrong: list[InputError] = []
    read: list[Document] = []
    try:
        read.extend(bioc.read(path, on_reject=wrong.append))
    except InputError as problem:
        wrong.append(problem)
    for document in read:
        document.check()
    # lxml words some errors by where its own reading stopped; the line is the same.
    return read, [re.sub(r", line \d+, column \d+.*| line \d+ and", "", str(problem)) for problem in wrong]


def by_lxml(path: Path) -> tuple[list[Document], list[str]]:
    """The same, with nothing taken apart but by lxml, from the first byte on."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(biocxml, "_OPENING", re.compile(rb"no file begins so"))
        return outcome(path)


def with_lxml_for_each(path: Path) -> tuple[list[Document], list[str]]:
    """The same, with lxml for each document by itself."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(biocxml, "_taken_apart", lambda data, forms: None)
        return outcome(path)


def same(one: tuple[list[Document], list[str]], other: tuple[list[Document], list[str]]) -> bool:
    """Whether both say the same; of a file that breaks off lxml may see the error before it gives what stands before."""
    (read, wrong), (others, others_wrong) = one, other
    if others_wrong and re.search("well-formed|entit", others_wrong[-1]):
        return read[: len(others)] == others and wrong[-1] == others_wrong[-1]
    return one == other


def plain(path: Path) -> list[bool]:
    """For each document, whether it was taken apart without lxml."""
    return [found.plain is not None for found in biocxml.documents(path)]


def saved(data: str | bytes, folder: Path) -> Path:
    path = folder / "notes.xml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_the_sample_is_plain() -> None:
    assert plain(DATA / "notes.xml") == [True, True]
    assert outcome(DATA / "notes.xml") == by_lxml(DATA / "notes.xml") == with_lxml_for_each(DATA / "notes.xml")


@settings(max_examples=300)
@given(data=st.data())
def test_whatever_the_bytes_both_ways_say_the_same(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = bytearray(NOTES)
    tokens = [
        *(b"", b" ", b"\n", b"\r\n", b"\r", b"\t", b"&amp;", b"&#945;", b"&#x1F9EC;", b"&#0;", b"&#13;", b"&alpha;", b"&"),
        *(b"<", b">", b"'", b'"', b"]]>", b"<!-- no -->", b"<?no?>", b"<![CDATA[<]]>", b"\0", b"\x01", b"\xef\xbf\xbf"),
        *(b"\xff", b"</document>", b"<document>", b"</passage>", b"<passage>", b"<text/>", b"<annotation id='1'>"),
        *(b'<infon key="type">X</infon>', b"<infon key='a'/>", b'<location offset="0" length="1"/>', b"<x/>", b"\xc2\xa0"),
        *(b"<sentence><offset>0</offset><text>V</text></sentence>", b"<relation><infon key='type'>x</infon></relation>"),
    ]  # fmt: skip
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed)))
        gone = data.draw(st.sampled_from([0, 0, 1, 2, 5, 20]))
        changed[at : at + gone] = data.draw(st.sampled_from(tokens))
    path = saved(bytes(changed), tmp_path_factory.mktemp("changed"))
    found = outcome(path)
    assert same(found, by_lxml(path)), (found, by_lxml(path))
    assert same(found, with_lxml_for_each(path)), (found, with_lxml_for_each(path))


@settings(max_examples=100)
@given(documents=st.lists(drawn(), min_size=1, max_size=3), step=st.sampled_from([7, 100, 1 << 16]))
def test_wherever_a_chunk_ends(documents: list[Document], step: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("drawn") / "out.xml"
    bioc.write([replace(document, id=f"{n}") for n, document in enumerate(documents)], path)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(biocxml, "_CHUNK_BYTES", step)
        found = outcome(path)
    assert found == by_lxml(path)
    assert found[1] == []


def annotated(number: int, *, kind: str = "Gene", quote: str = '"', blank: str = "", turned: bool = False) -> str:
    words = f"KRNX2 &amp; α {number}"
    place = [f"offset={quote}0{quote}", f"length={quote}{len(words) - 4}{quote}"]
    location = " ".join(reversed(place) if turned else place)
    infons = f"<infon key={quote}type{quote}>{kind}</infon>{blank}" + (
        f"<infon key={quote}identifier{quote}>{number % 50}</infon>{blank}" if number % 3 else ""
    )
    annotation = f"<annotation id={quote}{{}}{quote}>{blank}{infons}<location {location}/>{blank}<text>{words}</text></annotation>"
    relation = f"<relation id={quote}R{{}}{quote}><infon key={quote}type{quote}>x</infon><node refid={quote}1{quote} role={quote}a{quote}/><node refid={quote}2{quote} role={quote}b{quote}/></relation>"
    return (
        f"<document>{blank}<id>{number}</id><passage><offset>0</offset><text>{words}</text>"
        + "".join(annotation.format(each) for each in range(1, 9))
        + "</passage>"
        + "".join(relation.format(each) for each in range(3))
        + "</document>\n"
    )


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("blank", ["", "\n  "])
@pytest.mark.parametrize("turned", [False, True])
def test_forms_are_learnt_from_the_file(quote: str, blank: str, turned: bool, tmp_path: Path) -> None:
    text = "".join(annotated(n, quote=quote, blank=blank, turned=turned) for n in range(12))
    # In the middle of the file another program's documents begin.
    text += "".join(annotated(n, quote="'", blank="\t", turned=not turned) for n in range(12, 16))
    path = saved(f"<collection><source/>{text}</collection>", tmp_path)
    assert all(plain(path))
    read, wrong = outcome(path)
    assert (read, wrong) == by_lxml(path)
    assert [len(document.mentions) for document in read] == [8] * 16
    assert [len(document.relations) for document in read] == [3] * 16
    assert read[1].mentions[0].text == "KRNX2 & α 1"
    assert [document.mentions[0].concepts for document in read[:4]] == [(), ("1",), ("2",), ()]


@pytest.mark.parametrize(
    ("change", "is_plain"),
    [
        (("<document><id>9000001", "<document><!-- a remark --><id>9000001"), [False, False]),
        (("<document><id>9000002", "<!-- a remark --><document><id>9000002"), [True, False]),
        (('<annotation id="3">', '<annotation id="3" by="x">'), [False, True]),
        (("<text>VLZ</text>", "<text><b>VLZ</b></text>"), [False, True]),
        (("<text>VLZ</text>", "<text>V&#76;Z</text>"), [True, True]),
        (('role="Cause"/>', 'role="Cause"></node>'), [True, True]),
    ],
)
def test_what_is_unusual_is_for_lxml(change: tuple[str, str], is_plain: list[bool], tmp_path: Path) -> None:
    text = NOTES.decode()
    assert text.count(change[0]) == 1
    path = saved(text.replace(*change), tmp_path)
    assert plain(path) == is_plain
    assert outcome(path) == outcome(DATA / "notes.xml") == by_lxml(path)


def test_an_error_far_down_names_its_line(tmp_path: Path) -> None:
    text = "".join(annotated(n) for n in range(50))
    broken = f"<collection>\n<source/>\n{text}<document>\n<id>x</id>\n<passage></document></collection>"
    path = saved(broken, tmp_path)
    read, wrong = outcome(path)
    assert len(read) == 50
    assert wrong[0].startswith(f"{path}:{broken.count(chr(10)) + 1}: this is not well-formed XML")
    misfit = text.replace("<text>KRNX2 &amp; α 40</text></annotation>", "<text>VLZ</text></annotation>", 1)
    path = saved(f"<collection>\n<source/>\n{misfit}</collection>", tmp_path)
    assert outcome(path)[1][0].startswith(f"{path}:43: document 40: annotation '1' at 0..12 should be 'VLZ'")
    assert outcome(path) == by_lxml(path)


def test_infons_of_the_collection_are_kept(tmp_path: Path) -> None:
    text = NOTES.decode().replace("<key>notes.key</key>", '<key>k</key><infon key="licence">none</infon>')
    path = saved(text, tmp_path)
    read, _ = outcome(path)
    assert read[0].meta["collection"]["infons"] == {"licence": "none"}
    assert (read, []) == by_lxml(path)
    for name in ("again.xml", "again.json"):
        bioc.write(read, tmp_path / name)
        assert list(bioc.read(tmp_path / name)) == read


def large(count: int) -> Iterator[bytes]:
    yield b"<collection><source/><date/><key/>"
    for number in range(count):
        yield annotated(number).encode()
    yield b"</collection>"


@pytest.mark.parametrize("kind", ["plain", "by lxml", "careful"])
def test_memory_is_that_of_one_document_however_long_the_file(kind: str, tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / "large.xml"
        with path.open("wb") as stream:
            stream.writelines(large(count))
        if kind != "plain":
            other = (b"<key/>", b"<!-- x --><key/>") if kind == "by lxml" else (b"</passage>", b"<x/></passage>")
            path.write_bytes(path.read_bytes().replace(*other))
        tracemalloc.start()
        try:
            assert sum(1 for _ in bioc.read(path)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(20)  # what is imported and compiled on first use is not counted
    assert peak(3000) < peak(300) + 300_000


def test_a_hundred_thousand_annotations_in_one_document(tmp_path: Path) -> None:
    words = "KRNX2 " * 100_000
    one = '<annotation id="{}"><infon key="type">Gene</infon><location offset="{}" length="5"/><text>KRNX2</text></annotation>'
    two = '<annotation id="{}"><location offset="{}" length="5"/><text>KRNX2</text></annotation>'
    relation = '<relation id="R{}"><infon key="type">x</infon><node refid="30000" role="a"/><node refid="{}" role="b"/></relation>'
    body = "".join((one if n % 2 else two).format(n % 70_000, 6 * n) for n in range(100_000))
    body += "".join(relation.format(n, 30_001 + n) for n in range(20_000))
    text = f"<collection><document><id>1</id><passage><offset>0</offset><text>{words}</text>{body}</passage></document></collection>"
    path = saved(text, tmp_path)
    begun = time.process_time()
    (document,) = bioc.read(path)
    assert len(document.mentions) == len({mention.id for mention in document.mentions}) == 100_000
    assert len(document.relations) == 20_000
    # What a relation means by the name that two annotations have no one knows.
    path = saved(text.replace('refid="30000"', 'refid="7"', 1), tmp_path)
    with pytest.raises(InputError, match="relation 'R0' names '7', which is the id of several annotations"):
        list(bioc.read(path))
    assert time.process_time() - begun < 60


def test_a_document_of_a_hundred_thousand_mentions_with_one_wrong_is_refused_soon(tmp_path: Path) -> None:
    words = "KRNX2 " * 100_000
    mentions = tuple(Mention(f"{n}", 6 * n, 6 * n + 5, "Gene", "KRNX2") for n in range(100_000))
    path = tmp_path / "large.xml"
    bioc.write([Document("1", words.strip(), (Passage("title", 0, len(words) - 1),), mentions)], path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'offset="599994"', b'offset="599993"'))
    begun = time.process_time()
    told: list[InputError] = []
    (document,) = bioc.read(path, on_repair=told.append)
    assert (len(document.mentions), len(told)) == (99_999, 1)
    assert time.process_time() - begun < 60


@pytest.mark.parametrize("name", ["pubtator/central/batch_0.xml", "pubtator/central/batch_1.xml"])
def test_pubtator_central_is_plain_and_read_as_by_lxml(name: str, corpus_data: Path, tmp_path: Path) -> None:
    path = saved(gzip.decompress((corpus_data / f"{name}.gz").read_bytes()), tmp_path)
    assert all(plain(path))
    assert outcome(path) == by_lxml(path)


@pytest.mark.parametrize(
    ("name", "misfits"),
    [("bc5cdr/CDR_TrainingSet.BioC.xml", 3), ("biored/Dev.BioC.XML", 0), ("biored/Train.BioC.XML", 0)],
)
def test_corpora_are_plain_and_read_as_by_lxml(name: str, misfits: int, corpus_data: Path, tmp_path: Path) -> None:
    path = saved(gzip.decompress((corpus_data / f"{name}.gz").read_bytes()), tmp_path)
    assert all(plain(path))
    read, wrong = outcome(path)
    assert (read, wrong) == by_lxml(path)
    assert len(wrong) == misfits
    assert any(isinstance(relation, Relation) for document in read for relation in document.relations)


def test_the_quick_way_makes_records_like_any_other() -> None:
    from relatome.documents import mentions_of, passages_of, relations_of

    columns: list[list[Any]] = [
        ["T1"],
        [0],
        [7],
        ["Drug"],
        ["Aspirin"],
        [("D1",)],
        [(Span(0, 7),)],
        [0.5],
        ["toy"],
        [{"a": 1}],
    ]
    (mention,) = mentions_of(*columns)
    same = Mention("T1", 0, 7, "Drug", "Aspirin", ("D1",), (Span(0, 7),), 0.5, "toy", {"a": 1})
    assert (mention, type(mention), repr(mention)) == (same, Mention, repr(same))
    assert replace(mention, id="T2").id == "T2"
    (relation,) = relations_of(["R1"], ["x"], ["a"], ["b"], ["concept"], [{}], [()], [None], [""])
    assert relation == Relation("R1", "x", "a", "b", "concept")
    assert passages_of(["title"], [0], [7], [""], [{}]) == [Passage("title", 0, 7)]
    for record, name in ((mention, "meta"), (relation, "attributes"), (Passage("title", 0, 7), "meta")):
        with pytest.raises(AttributeError, match="cannot assign to field"):
            setattr(record, name, {})

"""BioC and PubMed: hostile XML, JSON as a stream, and what the documents hold."""

from __future__ import annotations

import copy
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome.documents import Document, Mention, Passage, Relation, Span
from relatome.errors import FormatError, InputError, OffsetError
from relatome.formats import bioc, jsonvalues, pubmed
from relatome.formats.elements import elements

DATA = Path(__file__).parent / "data"
XML, JSON = DATA / "bioc" / "notes.xml", DATA / "bioc" / "notes.json"
READERS: list[Callable[..., Any]] = [bioc.read, pubmed.read]

BOMB = '<!DOCTYPE r [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in zip("abcdefghi", "bcdefghij", strict=True)
)


def saved(text: str | bytes, folder: Path, name: str = "notes.xml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problem_of(reader: Callable[..., Any], path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(reader(path))
    assert str(path) in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------- hostile XML


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "text",
    [
        BOMB + "]><collection><document><id>&j;</id></document></collection>",
        BOMB + ']><collection x="&j;"><document><id>1</id></document></collection>',
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><collection><source>&x;</source></collection>',
        '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><collection></collection>',
        '<!DOCTYPE r [<!ENTITY a "a">]><PubmedArticleSet><PubmedArticle>&a;</PubmedArticle></PubmedArticleSet>',
    ],
)
def test_declared_entities_are_refused(reader: Callable[..., Any], text: str, tmp_path: Path) -> None:
    path = saved(text, tmp_path)
    message = problem_of(reader, path)
    assert "declares entities, and entities are not expanded" in message
    assert "root:" not in message
    # Also where the beginning cannot be searched as it is.
    assert "entities are not expanded" in problem_of(reader, saved(text.encode("utf-16"), tmp_path))


def test_an_entity_that_only_a_document_type_explains_is_refused(tmp_path: Path) -> None:
    document = "<document><id>1</id><passage><offset>0</offset><text>&alpha;-tocoril</text></passage></document>"
    text = f'<!DOCTYPE collection SYSTEM "BioC.dtd">\n<collection>\n{document}</collection>'
    path = saved(text, tmp_path)
    assert f"{path}:3: this XML uses the entity &alpha;" in problem_of(bioc.read, path)
    path = saved(text.replace("&alpha;", "&#945;"), tmp_path)
    assert [document.text for document in bioc.read(path)] == ["\u03b1-tocoril"]


def test_a_document_type_is_never_loaded(tmp_path: Path) -> None:
    (tmp_path / "BioC.dtd").write_text('<!ENTITY alpha "loaded">')
    text = '<!DOCTYPE collection SYSTEM "BioC.dtd">\n<collection><document><id>&alpha;</id></document></collection>'
    assert "uses the entity &alpha;" in problem_of(bioc.read, saved(text, tmp_path))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<collection>\n<document>\n</collection>", ":3: this is not well-formed XML: Opening and ending tag mismatch"),
        ("<collection>", "this is not well-formed XML"),
        ("<collection>" * 300, "this is not well-formed XML"),
        ("no XML at all", ":1: this is not well-formed XML"),
    ],
)
def test_malformed(reader: Callable[..., Any], text: str, message: str, tmp_path: Path) -> None:
    if reader is pubmed.read:
        text = text.replace("collection", "PubmedArticleSet").replace("document", "PubmedArticle")
    path = saved(text, tmp_path)
    if reader is bioc.read and not text.startswith("<"):
        message = "expected a JSON object"
    assert message in problem_of(reader, path)


def test_an_encoding_that_the_file_declares_is_used(tmp_path: Path) -> None:
    text = XML.read_text(encoding="utf-8").replace('encoding="UTF-8"', 'encoding="UTF-16"')
    assert list(bioc.read(saved(text.encode("utf-16"), tmp_path))) == list(bioc.read(XML))


def test_a_wanted_element_inside_another_is_not_given_twice(tmp_path: Path) -> None:
    path = saved("<r><a><a>1</a></a><b><a>2</a></b></r>", tmp_path)
    assert ["".join(element.itertext()) for element in elements(path, {"a"})] == ["1", "2"]


def test_an_element_is_whole_across_the_borders_of_reading(tmp_path: Path) -> None:
    long = "Plombidol " * 20_000
    path = saved(
        "<collection>"
        + "".join(
            f"<document><id>{n}</id><passage><offset>0</offset><text>{long}</text></passage></document>"
            for n in range(3)
        )
        + "</collection>",
        tmp_path,
    )
    assert [document.text for document in bioc.read(path)] == [long] * 3


# -------------------------------------------------------------------------------------------------------- BioC


def test_xml_and_json_say_the_same() -> None:
    assert list(bioc.read(XML)) == list(bioc.read(JSON))


def test_what_a_bioc_document_holds() -> None:
    first, second = bioc.read(XML)
    assert [(passage.kind, dict(passage.meta)) for passage in first.passages] == [
        ("title", {}),
        ("abstract", {"infons": {"section": "Results"}}),
    ]
    assert first.meta["collection"] == {"source": "invented", "date": "20310401", "key": "notes.key"}
    assert first.meta["infons"] == {"license": "none"}
    part = first.mentions[4]
    assert (part.text, part.fragments) == ("kidney injury", (Span(124, 130), Span(141, 147)))
    assert (part.start, part.end, part.meta) == (124, 147, {"infons": {"CompositeRole": "IndividualMention"}})
    assert [mention.concepts for mention in first.mentions] == [
        ("X000001",),
        ("X900001",),
        ("X000001",),
        ("X900001", "X900002"),
        ("X900001",),
    ]
    assert first.relations == (
        Relation(
            "R1", "CID", "X000001", "X900001", "concept", {"roles": ["Chemical", "Disease"], "type_key": "relation"}
        ),
        Relation("R2", "causes", "1", "2", "mention", {"roles": ["Cause", "Effect"]}),
    )
    assert [relation["id"] for relation in first.meta["relations"]] == ["R3"]  # of three nodes
    # The gap of two characters before the second passage is filled with blanks, its text is that of its sentence.
    assert second.text == "A note on plombidol   Plombidol inhibits KRNX2 (p.G17V)."
    assert second.sentences == (Span(22, 56),)
    assert [mention.text for mention in second.mentions] == ["KRNX2"]
    assert second.relations[0].attributes == {"novelty": "Novel"}


@pytest.mark.parametrize("as_json", [False, True])
def test_predictions_and_changed_concepts_come_back(as_json: bool) -> None:
    first, _ = bioc.read(XML)
    mentions = [replace(mention, concepts=("X7",), probability=0.123456789, source="toy") for mention in first.mentions]
    relation = replace(first.relations[1], probability=0.25, source="toy")
    predicted = replace(first, mentions=tuple(mentions), relations=(relation,))
    stream = io.StringIO()
    bioc.write([predicted], stream, json=as_json)
    (again,) = _read_text(stream.getvalue())
    assert again.relations == predicted.relations
    assert [replace(mention, meta={}) for mention in again.mentions] == [
        replace(mention, meta={}) for mention in predicted.mentions
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_text_between_passages_is_not_lost(as_json: bool) -> None:
    document = Document(
        "1",
        "Title here and more <&> at the end",
        passages=(Passage("title", 0, 5), Passage("abstract", 11, 14)),
        mentions=(Mention("T1", 6, 10, "X", "here"),),
    )
    stream = io.StringIO()
    bioc.write([document], stream, json=as_json)
    (again,) = _read_text(stream.getvalue())
    assert again == document
    # As another program sees it, what no passage covers is a passage without a kind.
    alone = stream.getvalue().replace("relatome", "of no one")
    (seen,) = _read_text(alone)
    assert (seen.text, seen.mentions) == (document.text, document.mentions)
    assert [passage.kind for passage in seen.passages] == ["title", "", "abstract", ""]


@pytest.mark.parametrize("as_json", [False, True])
def test_no_documents(as_json: bool) -> None:
    stream = io.StringIO()
    assert bioc.write([], stream, json=as_json) == 0
    assert list(_read_text(stream.getvalue())) == []


def test_a_text_that_xml_cannot_hold() -> None:
    with pytest.raises(FormatError, match="document 1: this text cannot be written as XML.*as JSON"):
        bioc.write([Document("1", "a\x01b")], io.StringIO())
    stream = io.StringIO()
    bioc.write([Document("1", "a\x01b")], stream, json=True)
    (again,) = _read_text(stream.getvalue())
    assert again.text == "a\x01b"
    with pytest.raises(FormatError, match="document 1: this cannot be written as JSON"):
        bioc.write([Document("1", "a", meta={"infons": {"a": float("nan")}})], io.StringIO(), json=True)


def _read_text(text: str) -> list[Document]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return list(bioc.read(saved(text, Path(folder), "notes")))


RECORDS = json.loads(JSON.read_text(encoding="utf-8"))


def _documents_of(value: Any, folder: Path) -> list[str]:
    path = saved(json.dumps(value, ensure_ascii=False), folder, "notes.json")
    return [document.id for document in bioc.read(path)]


def test_the_shapes_that_bioc_json_comes_in(tmp_path: Path) -> None:
    records = RECORDS["documents"]
    ids = ["9000001", "9000002"]
    for value in (RECORDS, {"PubTator3": records}, [RECORDS], records, {"documents": records, "infons": {"a": [1]}}):
        assert _documents_of(value, tmp_path) == ids
    assert _documents_of({"documents": []}, tmp_path) == _documents_of([], tmp_path) == []
    lines = "".join(json.dumps(record) + "\n" for record in records)
    read = list(bioc.read(saved(lines, tmp_path, "notes.json")))
    assert [document.id for document in read] == ids


def _changed(path: list[Any], value: Any) -> dict[str, Any]:
    records = copy.deepcopy(RECORDS)
    inner = records["documents"][0]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return dict(records)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["id"], "", "a document has no id"),
        (["id"], ["1"], "a document has no id"),
        (["infons"], ["x"], "infons should be a JSON object, found"),
        (["passages"], {"x": 1}, "passages should be a list of JSON objects"),
        (["passages", 0, "offset"], "x", "a passage has the offset 'x', which is no whole number"),
        (["passages", 0, "offset"], True, "a passage has the offset True, which is no whole number"),
        (["passages", 1, "offset"], 20, "a passage begins at 20, inside the one before it, which ends at 46"),
        (["passages", 1, "offset"], 10**12, "a passage begins at 1000000000000, 999,999,999,954 characters after the end"),
        (["passages", 0, "sentences"], [{"offset": 1, "text": "Velo"}], "a sentence at 1 should be 'Velo', but its"),
        (["passages", 0, "annotations", 0, "locations"], [], "annotation '1' has no location"),
        (["passages", 0, "annotations", 0, "locations", 0, "length"], -1, "annotation '1' has the length -1"),
        (["passages", 0, "annotations", 0, "locations", 0, "length"], 999, "has range 0..999, but the text has"),
        (["passages", 0, "annotations", 0, "text"], "Plombidol", "should be 'Plombidol', but the text there is"),
        (["relations", 1, "nodes", 0, "refid"], "T9", "relation 'R2' names 'T9', which is no annotation of this document"),
    ],
)  # fmt: skip
def test_bad_bioc(path: list[Any], value: Any, message: str, tmp_path: Path) -> None:
    file = saved(json.dumps(_changed(path, value), indent=1), tmp_path, "notes.json")
    with pytest.raises(InputError) as caught:
        list(bioc.read(file))
    assert str(caught.value).startswith(f"{file}:6: ")
    assert message in str(caught.value)
    rejects: list[InputError] = []
    assert [document.id for document in bioc.read(file, on_reject=rejects.append)] == ["9000002"]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("unit", "encoding", "size"), [("bytes", "utf-8", 1), ("UTF-16 units", "utf-16-le", 2)])
def test_offsets_in_another_unit_are_an_error_that_says_so_or_are_converted(
    unit: str, encoding: str, size: int, as_json: bool, tmp_path: Path
) -> None:
    text = "On 🧬 and α-tocoril. Then 🧬 rose, and VLZ fell."
    first = Document(
        "9000001",
        text,
        passages=(Passage("title", 0, 19), Passage("abstract", 20, len(text))),
        mentions=(
            Mention("T1", 9, 18, "Chemical", "α-tocoril"),
            Mention("T2", 37, 40, "Chemical", "VLZ"),
            Mention("T3", 27, 45, "Event", "rose fell", fragments=(Span(27, 31), Span(41, 45))),
        ),
    )
    _, second = bioc.read(JSON)
    stream = io.StringIO()
    bioc.write([first, second], stream, json=True)
    value = json.loads(stream.getvalue())
    record = value["documents"][0]

    def counted(place: int) -> int:
        return len(first.text[:place].encode(encoding)) // size

    for passage in record["passages"]:
        passage["offset"] = counted(passage["offset"])
        for annotation in passage["annotations"]:
            for location in annotation["locations"]:
                end = location["offset"] + location["length"]
                location["offset"] = counted(location["offset"])
                location["length"] = counted(end) - location["offset"]
    path = saved(json.dumps(value), tmp_path, "notes.json")
    if not as_json:
        text = "".join(bioc._tagged(bioc._in_words(each)) for each in value["documents"])
        path = saved(f"<collection>{text}</collection>", tmp_path, "notes.xml")
    with pytest.raises(OffsetError, match=f"its offsets count {unit}, not characters; lenient reading converts them"):
        list(bioc.read(path))
    rejects: list[InputError] = []
    assert [document.id for document in bioc.read(path, on_reject=rejects.append)] == ["9000002"]
    told: list[InputError] = []
    converted, _ = bioc.read(path, on_repair=told.append)
    assert (converted.text, converted.mentions) == (first.text, first.mentions)
    assert converted.passages == first.passages
    assert [(problem.path, problem.document) for problem in told] == [(str(path), "9000001")]


def test_a_mention_that_fits_in_no_unit_is_left_out_and_so_is_its_relation(tmp_path: Path) -> None:
    value = copy.deepcopy(RECORDS["documents"][0])
    value["passages"][1]["annotations"][0]["locations"][0]["offset"] += 3
    value["relations"] = [
        {"id": "R1", "infons": {"type": "x"}, "nodes": [{"refid": "1", "role": "a"}, {"refid": "3", "role": "b"}]},
        {"id": "R2", "infons": {"type": "x"}, "nodes": [{"refid": "1", "role": "a"}, {"refid": "2", "role": "b"}]},
        {"id": "R3", "infons": {"type": "x"}, "nodes": [{"refid": "1", "role": "a"}, {"refid": "9", "role": "b"}]},
    ]
    path = saved(json.dumps(value), tmp_path, "notes.json")
    told: list[InputError] = []
    (document,) = bioc.read(path, on_repair=told.append)
    assert len(document.mentions) == 4
    assert [relation.id for relation in document.relations] == ["R2"]
    assert ["its offsets are 3 too high" in str(problem) for problem in told] == [True, False, False]
    assert "relation 'R1' names '3', which was left out" in str(told[1])
    assert "relation 'R3' names '9', which is no annotation of this document" in str(told[2])


def test_doubled_and_missing_annotation_ids(tmp_path: Path) -> None:
    value = copy.deepcopy(RECORDS["documents"][0])
    for annotation in value["passages"][1]["annotations"]:
        annotation["id"] = "1"
    value["passages"][1]["annotations"][0].pop("id")
    value["relations"] = []
    (document,) = bioc.read(saved(json.dumps(value), tmp_path, "notes.json"))
    assert len({mention.id for mention in document.mentions}) == len(document.mentions) == 5
    assert document.mentions[1].id == "2"


def test_a_text_for_the_whole_stretch_of_a_discontinuous_mention(tmp_path: Path) -> None:
    value = copy.deepcopy(RECORDS["documents"][0])
    value["passages"][1]["annotations"][2]["text"] = "kidney and liver injury"
    (document,) = bioc.read(saved(json.dumps(value), tmp_path, "notes.json"))
    mention = document.mentions[4]
    assert (mention.text, mention.meta["text"]) == ("kidney injury", "kidney and liver injury")
    bioc.write([document], tmp_path / "again.xml")
    assert list(bioc.read(tmp_path / "again.xml")) == [document]


# ------------------------------------------------------------------------------------------------ JSON as a stream


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(VALUES, st.integers(1, 7))
def test_a_value_is_whole_wherever_reading_stops(value: Any, step: int) -> None:
    text = json.dumps([value, [value], {"a": value, "b": 12}], indent=1, ensure_ascii=False)
    reader = jsonvalues.JsonReader("x")
    reader._chunks = iter([text[at : at + step] for at in range(0, len(text), step)])
    items = reader.walk_list()
    next(items)
    assert reader.value() == value
    next(items)
    for _ in reader.walk_list():
        assert reader.value() == value
    next(items)
    assert {key: reader.value() for key in reader.walk_object()} == {"a": value, "b": 12}
    assert list(items) == []
    assert reader.peek() == ""
    assert reader.line == text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('{"documents": [\n{"id": "1",\n "passages": [}]}]}', 3, "this is not JSON"),
        ('{"documents": [\n{"id": "1"', 2, "this is not JSON"),
        ('{"documents": [\n{"id": "1', 2, "this is not JSON: Unterminated string"),
        ('{"documents": [\n5]}', 2, "a document should be a JSON object"),
        ('{"documents": [{"id": "1", "passages": []}\n{}]}', 2, "expected , or ], found {"),
        ('{"documents": [{"id": "1", "passages": []}', 1, "expected , or ], found the end of the file"),
        ('{"documents"\n', 2, "expected :, found the end of the file"),
        ("{5: 6}", 1, "expected a key in quotation marks"),
        ("[5]", 1, "expected a JSON object"),
        ('{"documents": [{"id": ' + "[" * 100_000 + "]}", 1, "nested too deeply"),
        ('{"documents": [{"id": 1' + "0" * 9_000 + ', "passages": []}]}', 1, "this is not JSON"),
    ],
)
def test_bad_json(text: str, line: int, message: str, tmp_path: Path) -> None:
    path = saved(text, tmp_path, "notes.json")
    with pytest.raises(InputError) as caught:
        list(bioc.read(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


def test_a_json_value_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonvalues, "MOST_BYTES_A_LINE", 1 << 20)
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b'{"documents": [{"id": "' + b"a" * (1 << 22)))
    with pytest.raises(FormatError, match="one JSON value of more than 1 MB"):
        list(bioc.read(path))

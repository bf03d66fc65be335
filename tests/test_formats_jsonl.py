"""JSON lines keep everything, and refuse what they would otherwise lose."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome.documents import Document, Label, Mention, Passage, Question, Relation, Span
from relatome.errors import FormatError, InputError
from relatome.formats import jsonl

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
META = st.dictionaries(st.text(max_size=8), JSON, max_size=3)
PROBABILITY = st.none() | st.floats(0, 1)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(st.text(min_size=1, max_size=60))

    def span(least: int = 0) -> Span:
        start = draw(st.integers(0, len(text) - least))
        return Span(start, draw(st.integers(start + least, len(text))))

    spans = st.builds(span)
    mentions = []
    for number in range(draw(st.integers(0, 3))):
        parts = tuple(span(1) for _ in range(draw(st.integers(1, 2))))
        mentions.append(
            Mention(
                f"T{number}",
                min(part.start for part in parts),
                max(part.end for part in parts),
                draw(st.text(max_size=8)),
                " ".join(text[start:end] for start, end in parts),
                concepts=tuple(draw(st.lists(st.text(), max_size=2))),
                fragments=parts if len(parts) > 1 else (),
                probability=draw(PROBABILITY),
                source=draw(st.text(max_size=8)),
                meta=draw(META),
            )
        )
    ends = st.sampled_from([mention.id for mention in mentions] or ["?"])
    relations = [
        Relation(
            f"R{number}",
            draw(st.text(max_size=8)),
            draw(ends),
            draw(ends),
            level="mention" if bool(mentions) and draw(st.booleans()) else "concept",
            attributes=draw(META),
            evidence=tuple(draw(st.lists(spans, max_size=2))),
            probability=draw(PROBABILITY),
            source=draw(st.text(max_size=8)),
        )
        for number in range(draw(st.integers(0, 2)))
    ]
    return Document(
        draw(st.text(min_size=1)),
        text,
        passages=tuple(Passage(draw(st.text()), *span(), draw(st.text()), draw(META)) for _ in range(2)),
        mentions=tuple(mentions),
        relations=tuple(relations),
        labels=(Label(draw(st.text()), draw(st.text()), *span(), draw(PROBABILITY), draw(st.text())),),
        questions=(Question("Q", draw(st.text()), draw(st.text()), (("a", "b"), ()), (span(),), draw(META)),),
        sentences=tuple(draw(st.lists(spans, max_size=2))),
        tokens=tuple(draw(st.lists(spans, max_size=2))),
        meta=draw(META),
    ).check()


@given(st.lists(documents(), max_size=3))
def test_every_field_comes_back(tmp_path_factory: pytest.TempPathFactory, written: list[Document]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "out.jsonl"
    assert jsonl.write(written, path) == len(written)
    if written:
        assert list(jsonl.read(path)) == written
        assert path.read_bytes().count(b"\n") == len(written)


def test_the_shapes_are_the_fields_of_the_records() -> None:
    for kind in (Document, Mention, Relation, Label, Passage, Question):
        assert list(jsonl._RECORDS[kind]) == [field.name for field in dataclasses.fields(kind)]


def test_a_text_alone_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('\n{"text": "Plombidol."}\n{"id": "7", "text": "Velorazine."}\n')
    assert [(document.id, document.text) for document in jsonl.read(path)] == [
        ("notes:2", "Plombidol."),
        ("7", "Velorazine."),
    ]


GOOD = '{"text": "Plombidol."}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "this is not JSON: Expecting property name enclosed in double quotes at character 2"),
        ("[1]", "document should be a JSON object, found [1]"),
        ('{"id": "1"}', "document has no 'text'"),
        ('{"text": "x", "mention": []}', "document has an unknown key 'mention' (did you mean 'mentions'?"),
        ('{"text": 5}', "document: text should be a string, found 5"),
        ('{"text": "x", "tokens": {}}', "document: tokens should be a list, found {}"),
        ('{"text": "x", "tokens": [[0]]}', "document: tokens[0] should be a pair [start, end], found [0]"),
        ('{"text": "x", "tokens": [[0, true]]}', "document: tokens[0] should be a whole number, found True"),
        ('{"text": "x", "tokens": [[0, 2]]}', "token has range 0..2, but the text has 1 characters"),
        ('{"text": "x", "meta": 1}', "document: meta should be a JSON object, found 1"),
        ('{"text": "x", "meta": {"a": NaN}}', "this is not JSON: NaN is no JSON number"),
        ('{"text": "x", "meta": {"a": ' + "9" * 5000 + "}}", "this is not JSON: Exceeds the limit"),
        ('{"text": "\\ud800"}', "the text holds half a character, a lone surrogate"),
        ('{"id": "", "text": "x"}', "a document has no id"),
        ('{"text": "x", "labels": [{"name": "a", "value": "b", "start": 0, "end": 1, "probability": 2}]}',
         "document: labels[0]: probability should be a number in 0..1, found 2"),
        ('{"text": "x", "relations": [{"id": "R", "type": "t", "head": "a", "tail": "b", "level": "text"}]}',
         "document: relations[0]: level should be 'mention' or 'concept', found 'text'"),
        ('{"text": "x", "relations": [{"id": "R", "type": "t", "head": "a", "tail": "b"}]}',
         "relation 'R': its head 'a' is no mention of this document"),
        ('{"text": "xyz", "mentions": [{"id": "T", "start": 0, "end": 1, "type": "t", "text": "y"}]}',
         "mention 'T' at 0..1 should be 'y', but the text there is 'x'"),
    ],
)  # fmt: skip
def test_bad_lines(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text(f"{GOOD}\n{line}\n{GOOD}\n")
    with pytest.raises(InputError) as caught:
        list(jsonl.read(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert message in str(caught.value)
    rejects: list[InputError] = []
    assert [document.id for document in jsonl.read(path, on_reject=rejects.append)] == ["notes:1", "notes:3"]
    assert len(rejects) == 1


def test_json_nested_without_end(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_text('{"text": "x", "meta": {"a": ' + "[" * 200_000 + "\n")
    with pytest.raises(FormatError, match="JSON nested too deeply|this is not JSON"):
        list(jsonl.read(path))


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object(), "\ud800"])
def test_what_is_not_plain_json_is_refused(value: Any) -> None:
    with pytest.raises(FormatError, match="document 1: this cannot be written as JSON") as caught:
        jsonl.write([Document("1", "x", meta={"a": value})], io.StringIO())
    assert "plain JSON values only" in str(caught.value)

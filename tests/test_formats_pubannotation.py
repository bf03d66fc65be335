"""PubAnnotation's JSON: its shapes, chains, tracks and attributes, and what goes wrong with them."""

from __future__ import annotations

import copy
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome import formats
from relatome.documents import Document, Mention, Passage, Relation, Span
from relatome.errors import InputError
from relatome.formats import pubannotation
from tests.drawn import documents as drawn

NOTES = Path(__file__).parent / "data" / "pubannotation" / "notes.json"
FIRST, SECOND = json.loads(NOTES.read_text(encoding="utf-8"))


def saved(value: Any, folder: Path, name: str = "notes.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1), encoding="utf-8")
    return path


def read(value: Any, folder: Path) -> list[Document]:
    return list(pubannotation.read(saved(value, folder)))


def test_what_an_object_says() -> None:
    first, second = pubannotation.read(NOTES)
    assert first.id == "9000001"
    assert [(passage.kind, passage.start) for passage in first.passages] == [("title", 0), ("abstract", 47)]
    assert first.sentences == (Span(0, 46),)
    assert [block["id"] for block in first.meta["blocks"]] == ["B7"]
    mentions = {mention.id: mention for mention in first.mentions}
    assert (mentions["T4"].text, len(mentions["T4"].fragments)) == ("kidney injury", 2)
    assert (mentions["T1"].concepts, mentions["T1"].meta) == (
        ("MESH:X000001",),
        {"concept_key": "tao:has_database_id"},
    )
    assert mentions["T6"].meta == {"attributes": {"negated": True}}
    assert first.relations[0] == Relation("R1", "causes", "T1", "T2", attributes={"certainty": "high"})
    assert [link["id"] for link in first.meta["links"]] == ["R3"]  # of a relation
    assert {"project", "target", "namespaces", "typesettings", "sourcedb"} <= first.meta.keys()
    # Two projects call different things T1; the piece of a chain is no mention of its own.
    assert second.id == "9000002-1"
    assert [mention.id for mention in second.mentions] == ["genes:T1", "genes:T2", "chemicals:T1", "chemicals:T2", "T4"]
    assert second.mentions[4].text == "A note inhibits"
    assert second.mentions[4].meta == {"project": "chemicals", "attributes": {"Speculation": True}}


def test_the_shapes_of_a_file(tmp_path: Path) -> None:
    both = list(pubannotation.read(NOTES))
    lines = "".join(json.dumps(each) + "\n" for each in (FIRST, SECOND))
    assert read(FIRST, tmp_path) == both[:1]
    assert read([FIRST, SECOND], tmp_path) == read(lines, tmp_path) == both
    assert read("[]", tmp_path) == []
    for documents, name, start in ((both, "out.json", "[\n{"), (both[:1], "out.json", '{"'), (both, "out.jsonl", '{"')):
        assert pubannotation.write(documents, tmp_path / name) == len(documents)
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
        assert list(pubannotation.read(tmp_path / name)) == documents
        assert formats.guess(tmp_path / name) == "pubannotation"
    stream = io.StringIO()
    assert pubannotation.write([], stream) == 0
    assert stream.getvalue() == "[]\n"


def test_ids_of_objects_without_a_source(tmp_path: Path) -> None:
    found = read(
        [{"text": "VLZ"}, {"text": "VLZ", "sourceid": 12}, {"text": "VLZ", "sourceid": "12", "divid": 0}], tmp_path
    )
    assert [document.id for document in found] == ["notes:1", "12", "12-0"]
    pubannotation.write(found, tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text())[1]["sourceid"] == 12
    assert list(pubannotation.read(tmp_path / "again.json")) == found


@pytest.mark.parametrize("subject", [("T1", "T2"), ("T2", "T1")])
def test_a_chain_may_point_either_way(subject: tuple[str, str], tmp_path: Path) -> None:
    value = {
        "text": "kidney and liver injury",
        "denotations": [
            {"id": "T1", "span": {"begin": 0, "end": 6}, "obj": "_FRAGMENT"},
            {"id": "T2", "span": {"begin": 17, "end": 23}, "obj": "Disease"},
        ],
        "relations": [{"pred": "_lexicallyChainedTo", "subj": subject[0], "obj": subject[1]}],
    }
    (document,) = read(value, tmp_path)
    assert document.relations == ()
    assert [(mention.id, mention.type, mention.text) for mention in document.mentions] == [
        ("T2", "Disease", "kidney injury")
    ]


def test_a_long_chain_and_many_mentions_take_little_time(tmp_path: Path) -> None:
    count = 50_000
    value = {
        "text": "KRNX2 " * count,
        "denotations": [
            {"id": f"T{n}", "span": {"begin": 6 * n, "end": 6 * n + 5}, "obj": "_FRAGMENT" if n else "Gene"}
            for n in range(count)
        ],
        "relations": [{"pred": "_lexicallyChainedTo", "subj": f"T{n + 1}", "obj": f"T{n}"} for n in range(count - 1)],
    }
    begun = time.process_time()
    (document,) = read(value, tmp_path)
    assert len(document.mentions[0].fragments) == count
    assert time.process_time() - begun < 60


def _changed(path: list[Any], value: Any) -> dict[str, Any]:
    record: dict[str, Any] = copy.deepcopy(FIRST)
    inner: Any = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return record


@pytest.mark.parametrize(
    ("path", "value", "message", "left"),
    [
        (["text"], None, "expected a JSON object with a text", None),
        (["sourceid"], ["1"], "a sourceid should be a string", None),
        (["denotations"], {"id": "T1"}, "denotations should be a list of JSON objects", None),
        (["denotations", 0, "span"], {"begin": 0, "end": 9999}, "has range 0..9999, but the text has", 5),
        (["denotations", 0, "span"], {"begin": 5, "end": 5}, "has range 5..5", 5),
        (["denotations", 0, "span"], {"begin": "0", "end": 5}, "a span should be {'begin': 0, 'end': 5}", 5),
        (["denotations", 0, "span"], [], "a denotation has no span", 5),
        (["denotations", 0, "obj"], {"a": 1}, "the obj of denotation 'T1' should be a string", 5),
        (["denotations", 0, "id"], True, "an id should be a string", 5),
        (["denotations", 1, "id"], "T1", "two annotations have the id 'T1'", 5),
        (["relations", 0, "subj"], "T99", "relation 'R1' names 'T99', which is no annotation of this document", 6),
        (["relations", 0, "subj"], 5, "relation 'R1' should have strings as subj, pred and obj", 6),
        (["attributes", 0, "subj"], "T99", "an attribute is about 'T99', which is no annotation", 6),
        (["attributes", 0, "obj"], {"a": 1}, "an attribute should have a subj, a pred and a plain value", 6),
        (["relatome"], {"text": 5}, "should be a JSON object that Relatome wrote", 6),
        (["relatome"], {"text": "00000000"}, "the text was changed since Relatome wrote", 6),
    ],
)
def test_bad_records(path: list[Any], value: Any, message: str, left: int | None, tmp_path: Path) -> None:
    file = saved([_changed(path, value), SECOND], tmp_path)
    with pytest.raises(InputError) as caught:
        list(pubannotation.read(file))
    assert str(caught.value).startswith(f"{file}:2: ")
    assert message in str(caught.value)
    rejects: list[InputError] = []
    assert [document.id for document in pubannotation.read(file, on_reject=rejects.append)] == ["9000002-1"]
    told: list[InputError] = []
    kept = list(pubannotation.read(file, on_reject=rejects.append, on_repair=told.append))
    assert len(kept) == (1 if left is None else 2)
    if left is not None:
        assert len(kept[0].mentions) == left
        assert told and all(problem.path == str(file) and problem.line == 2 for problem in told)


def test_a_chain_that_goes_round_in_a_circle(tmp_path: Path) -> None:
    value = copy.deepcopy(SECOND)
    value["tracks"][1]["relations"].append({"pred": "_lexicallyChainedTo", "subj": "T4", "obj": "T3"})
    with pytest.raises(InputError, match="the chain of 'T4' goes round in a circle"):
        read(value, tmp_path)


def test_probability_and_concepts_are_attributes_that_others_understand(tmp_path: Path) -> None:
    mention = Mention("T1", 0, 3, "Chemical", "VLZ", ("MESH:X1", "Y2"), probability=0.5, source="toy")
    path = tmp_path / "out.json"
    pubannotation.write([Document("1", "VLZ", (Passage("title", 0, 3),), (mention,))], path)
    record = json.loads(path.read_text())
    assert [(each["pred"], each["obj"]) for each in record["attributes"]] == [
        ("concept", "MESH:X1"),
        ("concept", "Y2"),
        ("probability", 0.5),
        ("source", "toy"),
    ]
    assert "relatome" not in record
    assert record["divisions"] == [{"span": {"begin": 0, "end": 3}, "label": "title"}]


@given(st.lists(drawn(), min_size=1, max_size=3))
def test_whatever_a_document_holds_comes_back(
    tmp_path_factory: pytest.TempPathFactory, documents: list[Document]
) -> None:
    path = tmp_path_factory.mktemp("drawn") / "out.json"
    pubannotation.write(documents, path)
    assert list(pubannotation.read(path)) == documents

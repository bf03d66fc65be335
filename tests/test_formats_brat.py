"""brat standoff: pairs, folders and archives; what its lines say, and what goes wrong with them."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome import formats
from relatome.documents import Document, Mention, Passage, Relation, Span
from relatome.errors import FormatError, InputError, OffsetError
from relatome.formats import brat
from tests.drawn import documents as drawn

DATA = Path(__file__).parent / "data" / "brat"


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A copy of a document's ``.ann``, its text beside it."""
    for kind in (".txt", ".ann"):
        shutil.copy(DATA / f"notes{kind}", tmp_path)
    return tmp_path / "notes.ann"


def changed(path: Path, old: str, new: str) -> Path:
    data = path.read_bytes()
    assert data.count(old.encode()) == 1
    path.write_bytes(data.replace(old.encode(), new.encode()))
    return path


def test_what_the_lines_say() -> None:
    (document,) = brat.read(DATA / "notes.ann")
    mentions = {mention.id: mention for mention in document.mentions}
    assert (mentions["T5"].text, mentions["T5"].fragments) == ("kidney injury", (Span(124, 130), Span(141, 147)))
    assert mentions["T5"].span == Span(124, 147)
    assert mentions["T1"].concepts == ("MESH:X000001",)
    assert mentions["T1"].meta == {"names": {"MESH:X000001": "velorazine"}}
    assert mentions["T2"].concepts == ("MESH:X900001", "HPO:0900001")
    assert mentions["T2"].meta["notes"] == [["AnnotatorNotes", "An accent of its own; see the guideline"]]
    assert mentions["T7"].meta == {"attributes": {"Negation": True}}
    assert document.relations == (
        Relation(
            "R1",
            "causes",
            "T1",
            "T2",
            attributes={"Speculation": "high", "notes": [["AnnotatorNotes", "Both sentences say so"]]},
        ),
        Relation("R2", "abbreviates", "T3", "T4", attributes={"roles": ["Long", "Short"]}),
    )
    assert document.meta["events"] == [
        {"id": "E1", "type": "Cause", "trigger": "T8", "arguments": [["Agent", "T1"], ["Effect", "T2"]]},
        {
            "id": "E2",
            "type": "Change",
            "trigger": "T9",
            "arguments": [["Agent", "E1"], ["Effect", "T6"]],
            "attributes": {"Level": "Weak"},
        },
    ]
    assert [link["id"] for link in document.meta["links"]] == ["R3"]
    assert document.meta["equivalences"] == [["Equiv", "T1", "T3", "T4"]]


def test_either_file_of_a_pair_names_it(pair: Path) -> None:
    assert list(brat.read(pair)) == list(brat.read(pair.with_suffix(".txt"))) == list(brat.read(DATA / "notes.ann"))
    pair.unlink()
    with pytest.raises(FormatError, match="its annotations, notes.ann, are not beside it"):
        list(brat.read(pair.with_suffix(".txt")))
    pair.write_bytes(b"")
    (document,) = brat.read(pair)
    assert (document.id, document.mentions) == ("notes", ())
    pair.with_suffix(".txt").unlink()
    with pytest.raises(FormatError, match="its text, notes.txt, is not beside it"):
        list(brat.read(pair))


def test_the_files_of_the_shared_tasks_are_read_together() -> None:
    (document,) = brat.read(DATA / "notes_shared_task.a1")
    assert [mention.id for mention in document.mentions] == ["T1", "T2", "T3"]
    assert document.meta["events"][0]["attributes"] == {"Speculation": True}


def test_offsets_count_the_line_ends_that_are_there(tmp_path: Path) -> None:
    (document,) = brat.read(DATA / "notes_line_ends.ann")
    assert "\r\n" in document.text
    text = document.text.replace("\r\n", "\n")
    # The same annotations, counted where lines ended in LF, beside a text whose lines end in CR LF since.
    counted = replace(
        document,
        text=text,
        mentions=tuple(
            replace(mention, start=at, end=at + len(mention.text))
            for mention in document.mentions
            for at in [text.index(mention.text)]
        ),
    )
    brat.write([counted], tmp_path / "notes_line_ends.ann")
    (tmp_path / "notes_line_ends.txt").write_bytes(document.text.encode())
    assert list(brat.read(tmp_path / "notes_line_ends.ann")) == [counted]


def test_a_mention_over_a_line_end_is_written_on_one_line(tmp_path: Path) -> None:
    document = Document("1", "kidney\ninjury\t!", mentions=(Mention("T1", 0, 15, "X", "kidney\ninjury\t!"),))
    brat.write([document], tmp_path / "1.ann")
    assert (tmp_path / "1.ann").read_text() == "T1\tX 0 15\tkidney injury !\n"
    assert list(brat.read(tmp_path / "1.ann")) == [document]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("T1\tChemical 0 10\t", "T1\tChemical 0 10 ", 1, "expected a line of brat's"),
        ("T1\tChemical 0 10\t", "T1\tChemical 0\t", 1, "expected 'type start end', found 'Chemical 0'"),
        ("T1\tChemical 0 10\t", "T1\tChemical 0 9999\t", 1, "has range 0..9999, but the text has"),
        ("T1\tChemical 0 10\t", "T1\tChemical 1 11\t", 1, "its offsets are 1 too high"),
        ("T1\tChemical 0 10\t", f"T1\tChemical 0 {10**20}\t", 1, "expected 'type start end'"),
        ("124 130;141 147", "124 130;142 148", 5, "mention 'T5' at 124..130 and 142..148 should be 'kidney injury'"),
        ("T4\tChemical", "T3\tChemical", 4, "two mentions have the id 'T3'"),
        ("R2\tabbrev", "R1\tabbrev", 11, "two relations have the id 'R1'"),
        ("E2\tChange", "E1\tChange", 13, "two events have the id 'E1'"),
        ("Arg2:T2\n", "Arg2:T99\n", 10, "relation 'R1' names 'T99', which is no annotation of this document"),
        ("Arg2:T2\n", "\n", 10, "relation 'R1' should have two arguments, found 1"),
        ("Arg2:T2\n", "T2\n", 10, "expected 'type role:annotation role:annotation'"),
        ("Effect:T6", "Effect:T66", 13, "event 'E2' names 'T66', which is no annotation of this document"),
        ("Change:T9", "Change:T66", 13, "event 'E2' has the trigger 'T66', which is no mention of this document"),
        ("Equiv T1", "Equiv T66", 15, "an equivalence names 'T66', which is no mention of this document"),
        ("Negation T7", "Negation", 16, "expected 'name annotation [value]', found 'Negation'"),
        ("Negation T7", "Negation T66", 16, "attributes of 'T66', which is no annotation of this document"),
        ("Reference T1 MESH:X000001", "Reference T1", 19, "expected 'Reference annotation database:id'"),
        ("Reference T1 MESH", "Reference E1 MESH", 19, "a concept is given to 'E1', which is no mention"),
        ("AnnotatorNotes T2", "AnnotatorNotes T66", 22, "notes of 'T66', which is no annotation of this document"),
        ("AnnotatorNotes T2\tAn", "Relatome Document\tAn", 22, "a note of the type Relatome should be JSON"),
        ("AnnotatorNotes T2\tAn", 'Relatome Document\t{"a": 1}\n#9\tX T2\tAn', 23, "should be a JSON object that Relatome wrote"),
        ("Z", "Z", 0, ""),
    ][:-1],
)  # fmt: skip
def test_bad_lines(old: str, new: str, line: int, message: str, pair: Path) -> None:
    changed(pair, old, new)
    with pytest.raises(InputError) as caught:
        list(brat.read(pair))
    assert message in str(caught.value)
    assert caught.value.path == str(pair)
    assert caught.value.document == "notes"
    if "Relatome wrote" not in message:  # that one is known when all is read
        assert caught.value.line == line
    rejects: list[InputError] = []
    assert list(brat.read(pair, on_reject=rejects.append)) == []
    assert len(rejects) == 1
    told: list[InputError] = []
    (document,) = brat.read(pair, on_repair=told.append)
    assert told and all((problem.path, problem.document) == (str(pair), "notes") for problem in told)
    assert len(document.mentions) >= 8


def test_what_hangs_on_a_mention_that_is_left_out_is_left_out_and_told(pair: Path) -> None:
    changed(pair, "T1\tChemical 0 10\t", "T1\tChemical 1 11\t")
    told: list[InputError] = []
    (document,) = brat.read(pair, on_repair=told.append)
    assert [mention.id for mention in document.mentions] == [f"T{n}" for n in range(2, 10)]
    assert [relation.id for relation in document.relations] == ["R2"]
    assert not {"events", "links", "equivalences"} & document.meta.keys()
    # The mention, R1, R3, E1, E2 (which names E1), the equivalence, an attribute of E2, a concept, a note of R1.
    assert len(told) == len({str(problem) for problem in told}) >= 7


def test_a_changed_text_no_longer_fits_the_remainder(tmp_path: Path) -> None:
    document = Document("1", "VLZ fell.", (Passage("title", 0, 9),), (Mention("c", 0, 3, "X", "VLZ"),))
    brat.write([document], tmp_path / "1.ann")
    (tmp_path / "1.txt").write_text("VLZ rose.")
    with pytest.raises(FormatError, match="the text was changed since Relatome wrote"):
        list(brat.read(tmp_path / "1.ann"))
    told: list[InputError] = []
    (again,) = brat.read(tmp_path / "1.ann", on_repair=told.append)
    assert (again.text, again.mentions[0].id, len(told)) == ("VLZ rose.", "T1", 1)


def test_an_annotation_that_another_tool_took_out_takes_its_remainder_with_it(tmp_path: Path) -> None:
    mentions = tuple(
        Mention(name, at, at + 3, "X", "VLZ", ("D1",), probability=0.5) for name, at in (("a", 0), ("b", 4))
    )
    brat.write([Document("1", "VLZ VLZ", mentions=mentions)], tmp_path / "1.ann")
    changed(tmp_path / "1.ann", "T1\tX 0 3\tVLZ\n", "")
    (again,) = brat.read(tmp_path / "1.ann")
    assert again.mentions == (mentions[1],)


# ---------------------------------------------------------------------------------------- folders and archives


@pytest.mark.parametrize("name", ["out", "out.tar", "out.tar.gz", "out.tgz"])
@given(data=st.data())
def test_many_documents_come_back(name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    ids = ["1", "a/b", "..", ".hidden", "notes:1", "50%41", "α🧬", "x" * 60, "con aux"]
    documents = [data.draw(drawn(identity)) for identity in ids[: data.draw(st.integers(1, 3))]]
    documents += [replace(data.draw(drawn(ids[-1])), meta={"folder": "train/a"})]
    path = tmp_path_factory.mktemp("many") / name
    assert brat.write(documents, path) == len(documents)
    read = list(brat.read(path))
    assert sorted(read, key=lambda document: document.id) == sorted(documents, key=lambda document: document.id)
    assert [inside.name for inside in path.parent.iterdir()] == [name]


def test_the_same_documents_give_the_same_archive(tmp_path: Path) -> None:
    for name in ("one.tgz", "two.tgz"):
        brat.write(brat.read(DATA), tmp_path / name)
    assert (tmp_path / "one.tgz").read_bytes() == (tmp_path / "two.tgz").read_bytes()


def test_a_folder_that_holds_something_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.ann").write_text("")
    with pytest.raises(InputError, match="this is there already, and is no empty folder"):
        brat.write(brat.read(DATA), tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.ann").read_text() == ""
    with pytest.raises(InputError, match="its folder does not exist"):
        brat.write(brat.read(DATA), tmp_path / "no" / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


@pytest.mark.parametrize("name", ["out", "out.tar", "out.ann"])
def test_nothing_half_written_stays(name: str, tmp_path: Path) -> None:
    documents = [Document("1", "One."), Document("1", "Another.")]
    with pytest.raises(
        FormatError, match=r"two documents would be written to 1\.txt|a pair of files holds one document"
    ):
        brat.write(documents, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_brat_cannot_be_written_to() -> None:
    with pytest.raises(FormatError, match="brat is two files a document"):
        brat.write([], io.StringIO())


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_texts_that_no_file_holds(character: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="document 1: the text holds"):
        brat.write([Document("1", f"a{character}")], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def packed(folder: Path, members: dict[str, bytes], kind: str) -> Path:
    path = folder / f"archive.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_in_any_order(kind: str, tmp_path: Path) -> None:
    members = {
        "a/1.txt": b"VLZ",
        "annotation.conf": b"[entities]",
        "a/2.ann": b"",
        "a/1.ann": b"T1\tX 0 3\tVLZ\n",
        "a/2.txt": b"KRNX2",
        "3.txt": b"alone",
        "../4.txt": b"outside",
    }
    path = packed(tmp_path, members, kind)
    rejects: list[InputError] = []
    read = list(brat.read(path, on_reject=rejects.append))
    assert [(document.id, len(document.mentions), document.meta) for document in read] == [
        ("1", 1, {"folder": "a"}),
        ("2", 0, {"folder": "a"}),
    ]
    assert any("3.ann is not beside it" in str(problem) for problem in rejects)
    assert any("../4.txt" in str(problem) for problem in rejects)
    assert read == list(formats.read(path, "brat", on_reject=rejects.append))


def test_an_error_in_an_archive_names_the_member_and_the_line(tmp_path: Path) -> None:
    path = packed(tmp_path, {"1.txt": b"VLZ", "1.ann": b"\nT1\tX 0 3\tKRN\n"}, "tar")
    with pytest.raises(OffsetError) as caught:
        list(brat.read(path))
    assert str(caught.value).startswith(f"{path}/1.ann:2: document 1: mention 'T1' at 0..3 should be 'KRN'")


def test_files_that_wait_for_ever_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brat, "_MOST_BYTES_WAITING", 1000)
    path = packed(tmp_path, {f"{n}.txt": b"VLZ" * 100 for n in range(10)}, "tar")
    with pytest.raises(InputError, match="of files whose partner has not come yet"):
        list(brat.read(path))


def test_the_notes_are_plain_json(tmp_path: Path) -> None:
    document = Document("1", "VLZ", (Passage("title", 0, 3, "AIM"),), (Mention("x", 0, 3, "a type", "VLZ"),))
    brat.write([document], tmp_path / "1.ann")
    note = (tmp_path / "1.ann").read_text().splitlines()[-1]
    assert note.startswith("#1\tRelatome Document\t")
    assert json.loads(note.split("\t")[2])["mentions"] == {"T1": {"id": "x", "type": "a type"}}


def test_an_independent_reader_sees_the_same(tmp_path: Path) -> None:
    from bioc import brat as other

    (document,) = brat.read(DATA / "notes.ann")
    with (DATA / "notes.txt").open(newline="") as text, (DATA / "notes.ann").open() as lines:
        theirs = other.load(text, lines)
    assert theirs.text == document.text
    found = {
        each.id: (each.type, sorted((span.begin, span.end) for span in each.locations), each.text)
        for each in theirs.entities
    }
    ours = {
        mention.id: (mention.type, [tuple(span) for span in mention.fragments or (mention.span,)], mention.text)
        for mention in document.mentions
    }
    assert ours == found


def test_jnlpba_comes_back(corpus_data: Path, tmp_path: Path) -> None:
    archive = corpus_data / "jnlpba" / "jnlpba_standoff.tar.gz"
    read = list(brat.read(archive))
    assert [sum(d.meta["folder"] == f"standoff/{part}" for d in read) for part in ("train", "test")] == [2000, 404]
    assert sum(len(d.mentions) for d in read if d.meta["folder"] == "standoff/train") == 51301
    assert sum(len(d.mentions) for d in read if d.meta["folder"] == "standoff/test") == 8662
    assert list(formats.read(archive)) == read  # without being told what it is
    brat.write(read, tmp_path / "again.tar")
    assert list(brat.read(tmp_path / "again.tar")) == read

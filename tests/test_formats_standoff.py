"""PubTator, ChemProt and ADE: offsets beside the text, and what goes wrong with them."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from relatome.documents import Document, Label, Mention, Passage, Relation
from relatome.errors import FormatError, InputError, OffsetError
from relatome.formats import ade, chemprot, pubtator

DATA = Path(__file__).parent / "data"
NOTES = DATA / "pubtator" / "notes.pubtator"


def changed(path: Path, old: str, new: str, folder: Path) -> Path:
    """A copy of a sample in which one string is another."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    copy = folder / path.name
    copy.write_text(text.replace(old, new), encoding="utf-8")
    return copy


# ---------------------------------------------------------------------------------------------------- PubTator


def test_pubtator_passages_mentions_and_relations() -> None:
    first, second = pubtator.read(NOTES)
    title, abstract = first.passages
    assert (title.kind, title.start, abstract.kind, abstract.start) == ("title", 0, "abstract", title.end + 1)
    assert first.text[title.end] == " "
    assert [mention.concepts for mention in first.mentions[4:]] == [
        (),
        ("X000003", "X000004"),
        ("X900001", "X900002"),
        (),
    ]
    assert first.mentions[6].meta == {"parts": "kidney injury|liver injury"}
    assert first.relations == (Relation("R1", "CID", "X000001", "X900001", level="concept"),)
    assert second.mentions[3].concepts == ("p|SUB|G|17|V",)
    assert second.relations[0].attributes == {"novelty": "Novel"}


def test_pubtator_is_written_byte_for_byte() -> None:
    stream = io.StringIO()
    pubtator.write(pubtator.read(NOTES), stream)
    assert stream.getvalue() == NOTES.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("column", "concepts"),
    [
        ("D014786|D006311", ("D014786", "D006311")),
        ("3172,3651", ("3172", "3651")),
        ("17390;17395", ("17390", "17395")),
        ("MESH:D003123", ("MESH:D003123",)),
        (" CVCL_1452", ("CVCL_1452",)),
        ("D004829+D003294", ("D004829+D003294",)),
        ("c|SUB|C|677|T", ("c|SUB|C|677|T",)),
        ("c|DEL||30", ("c|DEL||30",)),
        ("p.G551D;RS#:75527207", ("p.G551D;RS#:75527207",)),
        ("D001|-1", ("D001",)),
        ("-1", ()),
        ("-", ()),
        ("", ()),
    ],
)
def test_concepts_are_split_only_where_every_part_is_an_identifier(column: str, concepts: tuple[str, ...]) -> None:
    assert pubtator.concepts_of(column) == concepts


def test_an_offset_off_by_one_shows_both_strings(tmp_path: Path) -> None:
    path = changed(NOTES, "\t19\t28\t", "\t20\t29\t", tmp_path)
    with pytest.raises(OffsetError) as caught:
        list(pubtator.read(path))
    nephrite = "ne\N{COMBINING ACUTE ACCENT}phrite"
    assert str(caught.value).startswith(f"{path}:4: document 9000001: ")
    assert f"should be {nephrite!r}" in str(caught.value)
    assert "its offsets are 1 too high" in str(caught.value)
    rejects: list[InputError] = []
    assert [document.id for document in pubtator.read(path, on_reject=rejects.append)] == ["9000002"]
    assert len(rejects) == 1


def test_a_lenient_reader_keeps_the_document_and_tells(tmp_path: Path) -> None:
    path = changed(NOTES, "\t19\t28\t", "\t20\t29\t", tmp_path)
    repairs: list[InputError] = []
    first, _ = pubtator.read(path, on_repair=repairs.append)
    assert len(first.mentions) == 7
    assert [(problem.path, problem.line, problem.document) for problem in repairs] == [(str(path), 4, "9000001")]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("9000001|t|", "9000001|a|", 1, "expected a title line 'PMID|t|title'"),
        ("9000001|a|", "9000001|b|", 2, "expected one title and one abstract"),
        ("9000001|a|", "9000009|a|", 2, "expected a line of document '9000001'"),
        ("9000001\t0\t10", "9000009\t0\t10", 3, "expected a line of document '9000001'"),
        ("9000001\t0\t10", "9000001\tx\t10", 3, "expected a mention (PMID, start, end, text, type, concepts)"),
        ("9000001\t0\t10", "9000001\t0\t9999", 3, "has range 0..9999, but the text has"),
        ("9000001\t0\t10", "9000001\t10\t10", 3, "has range 10..10"),
        ("kidney injury|liver injury", "kidney injury\tliver injury", 9, "a mention line has 8 columns, expected 5 to 7"),
        ("9000001\tCID\tX000001\tX900001", "9000001\tCID\tX000001", 11, "or a relation (PMID, type, concept, concept)"),
        ("9000001\tCID\tX000001\tX900001", "9000001\tCID\tX000001\t", 11, "or a relation (PMID, type, concept, concept)"),
        ("9000001|t|", " |t|", 1, "expected a title line 'PMID|t|title'"),
    ],
)  # fmt: skip
def test_bad_pubtator(old: str, new: str, line: int, message: str, tmp_path: Path) -> None:
    path = changed(NOTES, old, new, tmp_path)
    with pytest.raises(InputError) as caught:
        list(pubtator.read(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)
    rejects: list[InputError] = []
    assert [document.id for document in pubtator.read(path, on_reject=rejects.append)] == ["9000002"]


def test_pubtator_of_what_has_no_place_in_it() -> None:
    document = Document(
        "1",
        "VLZ and\nKRNX2",
        mentions=(Mention("T1", 0, 3, "Chemical", "VLZ", concepts=("X1", "X2")), Mention("T2", 8, 13, "Gene", "KRNX2")),
        relations=(Relation("R1", "inhibits", "T1", "T2"), Relation("R2", "twins", "T1", "T1")),
    )
    stream = io.StringIO()
    pubtator.write([document], stream)
    # No passages: all is title. A mention without concept is written "-", its relations have no ids to be written by.
    assert stream.getvalue() == (
        "1|t|VLZ and KRNX2\n1\t0\t3\tVLZ\tChemical\tX1|X2\n1\t8\t13\tKRNX2\tGene\t-\n"
        "1\ttwins\tX1\tX1\n1\ttwins\tX1\tX2\n1\ttwins\tX2\tX1\n1\ttwins\tX2\tX2\n\n"
    )


def test_pubtator_concepts_changed_since_they_were_read() -> None:
    first, _ = pubtator.read(NOTES)
    linked = replace(first, mentions=(replace(first.mentions[5], concepts=("X7",)),), relations=())
    stream = io.StringIO()
    pubtator.write([linked], stream)
    assert stream.getvalue().splitlines()[2].endswith("\turea nitrogen\tChemical\tX7")


def test_offsets_survive_a_text_that_pubtator_cannot_lay_out() -> None:
    text = "Title\tabstract\nwith lines"
    document = Document(
        "1",
        text,
        passages=(Passage("title", 0, 5), Passage("abstract", 6, 14), Passage("abstract", 15, 25)),
        mentions=(Mention("T1", 15, 19, "X", "with"),),
    )
    stream = io.StringIO()
    pubtator.write([document], stream)
    assert stream.getvalue() == "1|t|Title\n1|a|abstract with lines\n1\t15\t19\twith\tX\t-\n\n"


def test_lines_that_are_none_are_left_out_and_told_where_that_is_asked_for(tmp_path: Path) -> None:
    """As in a public release of tmVar: a mention without its type column, and a line that is no annotation at all."""
    path = tmp_path / "notes.PubTator"
    path.write_text(
        "7|t|A note on p.G17V\n7|a|It is c.51G>T.\n7\t10\t16\tp.G17V\tProteinMutation\tp|SUB|G|17|V\n"
        "7\t23\t30\tc.51G>T\n7\tp.G17V is common\n7\t23\t30\tc.51G>T\tDNAMutation\tc|SUB|G|51|T;RS#:1234\n"
    )
    rejects: list[InputError] = []
    assert list(pubtator.read(path, on_reject=rejects.append)) == []
    assert [problem.line for problem in rejects] == [4]
    told: list[InputError] = []
    (document,) = pubtator.read(path, on_repair=told.append)
    assert [(mention.text, mention.concepts) for mention in document.mentions] == [
        ("p.G17V", ("p|SUB|G|17|V",)),
        ("c.51G>T", ("c|SUB|G|51|T;RS#:1234",)),
    ]
    assert document.relations == ()
    assert [(problem.path, problem.line, problem.document) for problem in told] == [(str(path), n, "7") for n in (4, 5)]
    assert "a mention line has no type" in str(told[0])


def test_pubtator_3_prefixes_and_a_document_without_an_abstract(tmp_path: Path) -> None:
    path = tmp_path / "notes.pubtator"
    path.write_text(
        "7|t|VLZ and nephritis\n7|a|\n7\t0\t3\tVLZ\tChemical\tMESH:X000001|MESH:X000002\n"
        "7\t8\t17\tnephritis\tDisease\tMESH:X900001,OMIM:900001\n7\tAssociation\tMESH:X000001\tMESH:X900001\n\n"
        "8|t|Only a title\n8\t7\t12\ttitle\tX\t-\n"
    )
    first, second = pubtator.read(path)
    assert first.mentions[0].concepts == ("MESH:X000001", "MESH:X000002")
    assert first.mentions[1].concepts == ("MESH:X900001", "OMIM:900001")
    assert (first.text, [passage.start for passage in first.passages]) == ("VLZ and nephritis ", [0, 18])
    assert (second.text, len(second.passages)) == ("Only a title", 1)
    stream = io.StringIO()
    pubtator.write([first, second], stream)
    assert stream.getvalue() == path.read_text() + "\n"


@pytest.mark.parametrize(("border", "kinds"), [(4, ["title"]), (5, ["title", "abstract"]), (10, ["title"])])
def test_a_title_ends_only_where_a_blank_follows(border: int, kinds: list[str]) -> None:
    document = Document(
        "1",
        "Title text",
        passages=(Passage("title", 0, border), Passage("x", border, 10)),
        mentions=(Mention("T1", 6, 10, "X", "text"),),
    )
    again = pubtator.laid_out(document)
    assert [passage.kind for passage in again.passages] == kinds
    assert (again.text, again.mentions[0].text) == (document.text, "text")


@pytest.mark.parametrize("identity", ["a|b", " a", "a\tb"])
def test_an_id_that_cannot_begin_a_line(identity: str) -> None:
    with pytest.raises(FormatError, match="cannot begin a line of PubTator"):
        pubtator.write([Document(identity, "VLZ")], io.StringIO())


def test_a_number_without_end_is_no_offset(tmp_path: Path) -> None:
    path = tmp_path / "notes.pubtator"
    path.write_text(f"1|t|VLZ\n1\t0\t{'9' * 5000}\tVLZ\tX\t-\n")
    with pytest.raises(FormatError, match="no text is as long as 9999"):
        list(pubtator.read(path))


# ---------------------------------------------------------------------------------------------------- ChemProt


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A copy of the sample release; its abstracts file."""
    shutil.copytree(DATA / "chemprot", tmp_path, dirs_exist_ok=True)
    return tmp_path / "notes_abstracts.tsv"


def beside(release: Path, kind: str) -> Path:
    return release.with_name(f"notes_{kind}.tsv")


def test_chemprot_has_the_fine_relations_and_their_groups(release: Path) -> None:
    first, second = chemprot.read(release)
    assert first.text[first.passages[0].end] == "\t"
    assert [(mention.id, mention.type) for mention in second.mentions] == [("T2", "GENE-Y"), ("T1", "CHEMICAL")]
    assert [(relation.type, dict(relation.attributes)) for relation in second.relations] == [
        ("INHIBITOR", {"group": "CPR:4", "evaluated": True}),
        ("DOWNREGULATOR", {"group": "CPR:4", "evaluated": True}),
        ("REGULATOR", {"group": "CPR:2", "evaluated": False}),
    ]
    assert (second.relations[0].head, second.relations[0].tail) == ("T1", "T2")


def test_chemprot_is_written_as_its_scorer_reads_it(release: Path) -> None:
    stream = io.StringIO()
    assert chemprot.write(chemprot.read(release), stream) == 1
    assert stream.getvalue() == beside(release, "gold_standard").read_text()


def test_a_release_with_only_the_gold_standard_gives_groups(release: Path) -> None:
    beside(release, "relations").unlink()
    _, second = chemprot.read(release)
    assert [(relation.type, dict(relation.attributes)) for relation in second.relations] == [
        ("CPR:4", {"group": "CPR:4"})
    ]
    stream = io.StringIO()
    chemprot.write([second], stream)
    assert stream.getvalue() == beside(release, "gold_standard").read_text()


def test_a_release_without_entities_is_text(release: Path) -> None:
    for kind in ("entities", "relations", "gold_standard"):
        beside(release, kind).unlink()
    assert [(len(document.mentions), len(document.relations)) for document in chemprot.read(release)] == [(0, 0)] * 2


@pytest.mark.parametrize(
    ("kind", "old", "new", "where", "message"),
    [
        ("abstracts", "9000002\t", "9000002", 2, "expected 3 columns with tabs between, found 2"),
        ("entities", "GENE-Y\t", "GENE-Y\tx", 1, "expected two offsets, found 'x"),
        ("entities", "KRNX2", "KRNX3", 1, "entity 'T2' at 39..44 should be 'KRNX3', but the text there is 'KRNX2'"),
        ("entities", "T1\tCHEMICAL\t20", "T2\tCHEMICAL\t20", 2, "two entities have the id 'T2'"),
        ("relations", "INHIBITOR\tArg1:T1", "INHIBITOR\tArg1:T9", 1, "relation with 'T9', which is no entity"),
        ("relations", "INHIBITOR\tArg1:T1", "INHIBITOR\tT1", 1, "expected 'Arg1:T1' and 'Arg2:T2', found 'T1'"),
    ],
)
def test_bad_chemprot(kind: str, old: str, new: str, where: int, message: str, release: Path) -> None:
    path = beside(release, kind)
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        list(chemprot.read(release))
    assert str(caught.value).startswith(f"{path}:{where}: ")
    assert message in str(caught.value)
    rejects: list[InputError] = []
    assert [document.id for document in chemprot.read(release, on_reject=rejects.append)] == ["9000001"]


def test_rows_of_a_document_that_is_not_there(release: Path) -> None:
    with beside(release, "entities").open("a") as stream:
        stream.write("9000008\tT1\tCHEMICAL\t0\t1\tA\n")
    with pytest.raises(FormatError, match="1 rows of a document that is not in notes_abstracts.tsv") as caught:
        list(chemprot.read(release))
    assert (caught.value.line, caught.value.document) == (4, "9000008")


def test_the_wrong_file_of_a_release(release: Path) -> None:
    with pytest.raises(FormatError, match=r"give the \*_abstracts.tsv file"):
        list(chemprot.read(beside(release, "relations")))
    beside(release, "entities").write_text("9000001\tT1\n")
    with pytest.raises(FormatError, match=r"entities.tsv:1: expected 6 columns"):
        list(chemprot.read(release))
    release.write_text("\tTitle.\tAbstract.\n")
    beside(release, "entities").write_text("\n")
    with pytest.raises(FormatError, match="the first column, the document id, is empty"):
        list(chemprot.read(release))


# --------------------------------------------------------------------------------------------------------- ADE


def test_ade_rows_are_documents_with_a_label() -> None:
    first, second = ade.read(DATA / "ade" / "notes_DRUG-AE.rel")
    assert (first.id, first.meta["pmid"]) == ("notes_DRUG-AE:1", "9000001")
    assert first.labels == (Label("ade-sentence", "adverse-effect", 0, len(first.text)),)
    assert [(mention.type, mention.start) for mention in first.mentions] == [("Drug", 0), ("Effect", 18)]
    assert first.relations == (Relation("R1", "adverse-effect", "T1", "T2"),)
    # "fever" stands there twice: the distance to the drug, 15 characters, says which is meant.
    drug, effect = second.mentions
    assert (drug.start, effect.start) == (34, 19)
    assert effect.meta == {"document_start": 219, "places": 2, "decided_by": "distance"}
    negatives = list(ade.read(DATA / "ade" / "notes_ADE-NEG.txt"))
    assert [document.labels[0].value for document in negatives] == ["no-adverse-effect"] * 2
    assert negatives[1].text == "No | effect | was seen."


def test_doses_are_not_effects() -> None:
    (document,) = ade.read(DATA / "ade" / "notes_DRUG-DOSE.rel")
    assert (document.labels, document.relations[0].type) == ((), "dose")
    assert [mention.type for mention in document.mentions] == ["Drug", "Dose"]


@pytest.mark.parametrize(
    ("row", "starts", "decided"),
    [
        ("1|fever, fever, VLZ|fever|0|5|VLZ|50|53", (0, 14), "nearest distance"),
        ("1|VLZ fever VLZ|fever|3|8|VLZ|4|7", (4, 0), "first of equals"),
    ],
)
def test_the_decision_is_recorded(row: str, starts: tuple[int, int], decided: str, tmp_path: Path) -> None:
    path = tmp_path / "x.rel"
    path.write_text(row + "\n")
    (document,) = ade.read(path)
    drug, effect = document.mentions
    assert (effect.start, drug.start) == starts
    assert effect.meta["decided_by"] == decided


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ("9000001 POS A sentence.", FormatError, "expected 'PMID NEG sentence' or 8 columns"),
        ("9000001|A sentence.|a|1|2|b", FormatError, "expected 'PMID NEG sentence' or 8 columns"),
        ("9000001|VLZ only.|fever|1|6|VLZ|0|3", OffsetError, "mention 'fever' is nowhere in its sentence 'VLZ only.'"),
        ("9000001|fever only.|fever|1|6|VLZ|0|3", OffsetError, "mention 'VLZ' is nowhere in its sentence"),
        ("9000001|VLZ only.||1|6|VLZ|0|3", OffsetError, "mention '' is nowhere in its sentence"),
    ],
)
def test_bad_ade(row: str, error: type[InputError], message: str, tmp_path: Path) -> None:
    path = tmp_path / "DRUG-AE.rel"
    path.write_text((DATA / "ade" / "notes_DRUG-AE.rel").read_text(encoding="utf-8") + row + "\n", encoding="utf-8")
    with pytest.raises(error) as caught:
        list(ade.read(path))
    assert str(caught.value).startswith(f"{path}:3: document DRUG-AE:3: ")
    assert message in str(caught.value)
    rejects: list[InputError] = []
    assert len(list(ade.read(path, on_reject=rejects.append))) == 2

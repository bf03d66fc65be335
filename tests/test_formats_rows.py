"""Rows that come ready-made, sentences with labels, and the DDI corpus: what each becomes, and what each refuses."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from relatome import formats
from relatome.documents import Document, Label, Relation, Span
from relatome.errors import FormatError, InputError, MarkerError, OffsetError
from relatome.formats import (
    blurb_hoc,
    chemprot,
    ddi,
    drugprot,
    hoc,
    masked_rows,
    medical_abstracts,
    pubmed_rct,
    scibert_rows,
    sentence_pairs,
)

DATA = Path(__file__).parent / "data"


def written(folder: Path, text: str, name: str = "rows.tsv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def mentions(document: Document) -> list[tuple[str, str, str]]:
    return [(mention.id, mention.type, mention.text) for mention in document.mentions]


def only(documents: Iterator[Document]) -> Document:
    (document,) = documents
    return document


# ------------------------------------------------------------------------------------------------- relation rows


def test_masks_are_mentions_with_the_chemical_or_gene_first(tmp_path: Path) -> None:
    row = "Loss of @DISEASE$ cells. Seen with @GENE$ 😀.\t1\n"
    document = only(masked_rows.read(written(tmp_path, row)))
    assert mentions(document) == [("T1", "GENE", "@GENE$"), ("T2", "DISEASE", "@DISEASE$")]
    assert document.relations == (Relation("R1", "association", "T1", "T2"),)
    assert document.labels == (Label("relation", "1", 0, len(document.text)),)
    assert document.sentences == (Span(0, len(document.text)),)  # a full stop inside a row ends nothing


def test_one_mask_for_two_is_its_halves() -> None:
    rows = {document.id: document for document in masked_rows.read(DATA / "masked_rows" / "notes_blurb.tsv")}
    assert mentions(rows["9000002.T1.T2"]) == [("T1", "CHEMICAL", "@CHEM"), ("T2", "GENE", "GENE$")]
    assert mentions(rows["DDI-DrugBank.d9.s1.p0"]) == [("T1", "DRUG", "@DRUG"), ("T2", "DRUG", "DRUG$")]
    assert rows["9000001.T4.T2"].relations == (Relation("R1", "CPR:4", "T1", "T2"),)
    assert rows["9000001.T5.T2"].relations == ()
    assert [rows[name].meta["source"] for name in rows] == ["9000001"] * 2 + ["9000002"] + ["DDI-DrugBank.d9"] * 2


def test_a_fold_is_part_of_the_id(tmp_path: Path) -> None:
    row = "index\tsentence\tlabel\n0\t@GENE$ and @DISEASE$.\t0\n"
    for folder, name in (("3", "3/test:2"), ("GAD", "test:2")):
        path = written(tmp_path, row, f"{folder}/test.tsv")
        assert [document.id for document in masked_rows.read(path)] == [name]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("@GENE$ and @DISEASE$.\n", r"rows.tsv:1: .*expected 2 or 3 columns with tabs between, found 1"),
        ("a\tb\t@GENE$ @DISEASE$\t1\n", "expected 2 or 3 columns with tabs between, found 4"),
        ("@GENE$ @DISEASE$\t1\nx\t@GENE$ @DISEASE$\t1\n", "rows.tsv:2: .*expected 2 columns .*, found 3"),
        ("@GENE$ alone.\t1\n", "expected two masked arguments .*found 1"),
        ("@GENE$ @GENE$ @DISEASE$\t1\n", "found 3"),
        ("@GENE$ @DISEASE$\t \n", "the last column, the label, is empty"),
        (" \t@GENE$ @DISEASE$\t1\n", "the first column, the row's id, is empty"),
        ("7\t@GENE$ @DISEASE$\t1\n7\t@GENE$ @DISEASE$\t0\n", "rows.tsv:2: document 7: two rows have this id"),
    ],
)
def test_rows_that_are_no_masked_rows(rows: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, rows)
    with pytest.raises(FormatError, match=message):
        list(masked_rows.read(path))
    rejects: list[InputError] = []
    kept = list(masked_rows.read(path, on_reject=rejects.append))
    assert len(rejects) == 1 and len(kept) == rows.count("\n") - 1


def test_scibert_marks_are_taken_out() -> None:
    first, second, third = scibert_rows.read(DATA / "scibert_rows" / "notes.txt")
    assert first.text == "At 4 hours, quilorine β lowered the uptake by ABCX1 😀."
    assert mentions(first) == [("T1", "Argument", "quilorine β"), ("T2", "Argument", "ABCX1")]
    assert first.relations == (Relation("R1", "INHIBITOR", "T1", "T2"),)
    assert "(10 >> 3 pS)" in second.text  # a sign that only looks like a mark
    assert mentions(third) == [("T1", "Argument", "Vexin receptor"), ("T2", "Argument", "Vexin")]
    assert "5-[[(1-methyl)amino]" in third.text


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("{", FormatError, "rows.tsv:1: document rows:1: this line is not JSON"),
        ("[1]", FormatError, "expected an object with 'text' and 'label'"),
        ('{"text": 1, "label": "X"}', FormatError, "expected an object with 'text' and 'label'"),
        ('{"text": "<< a >> [[ b ]]", "label": " "}', FormatError, "the label is empty"),
        ('{"text": "a [[ b ]]", "label": "X"}', MarkerError, "found 0 and 1"),
        ('{"text": "<< a >> << b >> [[ c ]]", "label": "X"}', MarkerError, "expected one '<< >>'"),
        ('{"text": "<< a [[ b >> c ]]", "label": "X"}', MarkerError, "the marks are crossed"),
        ('{"text": "<<  >> [[ b ]]", "label": "X"}', OffsetError, "has range 0..0"),
        ("[" * 100_000, FormatError, "this line is not JSON: nested too deeply"),
    ],
)
def test_scibert_rows_that_are_none(line: str, error: type[InputError], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        list(scibert_rows.read(written(tmp_path, line + "\n")))


def test_drugprot_is_read_with_its_siblings_whatever_it_is_taken_for() -> None:
    path = DATA / "drugprot" / "notes_abstracs.tsv"
    first, second = drugprot.read(path)
    assert [r.type for r in first.relations] == ["INHIBITOR", "INHIBITOR", "ACTIVATOR"]
    assert second.relations == (Relation("R1", "PRODUCT-OF", "T4", "T3"),)
    assert [document.mentions for document in formats.read(path)] == [first.mentions, second.mentions]
    assert chemprot.is_part(path.with_name("notes_relations.tsv"))
    assert len(list(formats.read(path.parent, "drugprot"))) == 2


def test_drugprot_relations_are_written_as_the_scorer_reads_them() -> None:
    stream = io.StringIO()
    assert drugprot.write(drugprot.read(DATA / "drugprot" / "notes_abstracs.tsv"), stream) == 4
    assert stream.getvalue() == (DATA / "drugprot" / "notes_relations.tsv").read_text(encoding="utf-8")


# -------------------------------------------------------------------------------------------------------------- DDI


def ddi_file(folder: Path, sentence: str, old: str = "", new: str = "", text: str = "Plombidol and vexin.") -> Path:
    entities = (
        '<entity id="e0" charOffset="0-8" type="drug" text="Plombidol"/>'
        '<entity id="e1" charOffset="14-18" type="drug" text="vexin"/>'
    )
    body = f'<document id="d1"><sentence id="s0" text="{text}">{entities}{sentence}</sentence></document>'
    assert old in body
    return written(folder, body.replace(old, new, 1) if old else body, "d1.xml")


PAIR = '<pair id="p0" e1="e0" e2="e1" ddi="true" type="effect"/>'


def test_ddi_offsets_count_the_last_character_and_sentences_are_apart() -> None:
    document = only(ddi.read(DATA / "ddi" / "notes_1.xml"))
    assert [document.text[start:end] for start, end in document.sentences] == document.text.split("\n")
    assert document.text.startswith("Plombidol 😀 raises the level of α-quilorine & vexin;")
    parts = {mention.text: mention.fragments for mention in document.mentions if mention.fragments}
    assert list(parts) == ["(R)- quilorine", "mu- selective vexins"]
    assert [document.text[span.start : span.end] for span in parts["(R)- quilorine"]] == ["(R)-", "quilorine"]
    assert Counter(relation.type for relation in document.relations) == {"mechanism": 2, "advise": 1, "int": 1}
    assert len(document.meta["false_pairs"]) == 6


def test_ddi_folder_is_read_in_the_order_of_names() -> None:
    assert [document.id for document in ddi.read(DATA / "ddi")] == ["DDI-DrugBank.d901", "DDI-MedLine.d902"]


def test_an_interaction_without_a_type_is_an_error_or_a_counted_repair(tmp_path: Path) -> None:
    path = ddi_file(tmp_path, PAIR, ' type="effect"', "")
    with pytest.raises(FormatError, match="d1.xml:1: document d1: pair 'p0' interacts, but has no type"):
        list(ddi.read(path))
    repairs: list[InputError] = []
    document = only(ddi.read(path, on_repair=repairs.append))
    assert document.relations == (Relation("p0", "int", "e0", "e1", attributes={"untyped": True}),)
    assert [(problem.path, problem.document) for problem in repairs] == [(str(path), "d1")]


def test_a_name_in_the_wrong_place_is_left_out_with_its_pairs(tmp_path: Path) -> None:
    path = ddi_file(tmp_path, PAIR, "14-18", "13-17")
    with pytest.raises(OffsetError, match="document d1: entity 'e1' at 13..18 should be 'vexin'"):
        list(ddi.read(path))
    repairs: list[InputError] = []
    document = only(ddi.read(path, on_repair=repairs.append))
    assert [mention.id for mention in document.mentions] == ["e0"]
    assert document.relations == () and len(repairs) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('ddi="true"', 'ddi="yes"', "ddi should be 'true' or 'false', found 'yes'"),
        ('e2="e1"', 'e2="e9"', "a pair with 'e9', which is no entity of its sentence"),
        ('e2="e1"', "", "a <pair> has no 'e2'"),
        ('id="d1"', "", "a <document> has no 'id'"),
        ('charOffset="0-8"', 'charOffset="0"', "charOffset should be '14-29' or '44-46;70-86', found '0'"),
        ('charOffset="0-8"', f'charOffset="0-{"9" * 5000}"', "charOffset should be"),
        ('charOffset="0-8"', 'charOffset="0-99"', "but the text has 20 characters"),
        ('text="Plombidol and vexin."', "", "a <sentence> has no attribute 'text'"),
        ('id="e1"', 'id="e0"', "two mentions have the id 'e0'|which is no entity"),
        ("</document>", "", "not well-formed XML"),
    ],
)
def test_ddi_documents_that_are_wrong(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = ddi_file(tmp_path, PAIR, old, new)
    with pytest.raises(InputError, match=message) as caught:
        list(ddi.read(path))
    assert caught.value.path == str(path)
    rejects: list[InputError] = []
    assert list(ddi.read(path, on_reject=rejects.append)) == [] and len(rejects) == 1


def test_ddi_refuses_entities_and_doubled_documents(tmp_path: Path) -> None:
    bomb = (
        '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><document id="1"><sentence id="s" text="&b;"/></document>'
    )
    with pytest.raises(FormatError, match="declares entities"):
        list(ddi.read(written(tmp_path, bomb, "bomb.xml")))
    (tmp_path / "in").mkdir()
    for name in ("a.xml", "b.xml"):
        (tmp_path / "in" / name).write_bytes((DATA / "ddi" / "notes_2.xml").read_bytes())
    with pytest.raises(FormatError, match="b.xml:.*two documents have this id"):
        list(ddi.read(tmp_path / "in"))


# ------------------------------------------------------------------------------------------------ labelled sentences


def archive(folder: Path, members: dict[str, bytes | str], *, link: str = "") -> Path:
    path = folder / "hoc.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            content = data.encode() if isinstance(data, str) else data
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo(link)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return path


TWO = "First one .\nSecond one .\n"


def test_hallmarks_are_over_their_sentences(tmp_path: Path) -> None:
    labels = "< NULL<Resisting cell death--Apoptosis AND Resisting cell death-- ANDCellular energetics--X"
    document = only(hoc.read(archive(tmp_path, {"text/7.txt": TWO, "labels/7.txt": labels})))
    assert document.id == "7" and document.text == "First one .\nSecond one ."
    assert {(label.start, label.end) for label in document.labels} == {(12, 24)}
    values = {
        name: [label.value for label in document.labels if label.name == name] for name in (hoc.LABEL, hoc.PATH_LABEL)
    }
    assert values[hoc.LABEL] == ["Resisting cell death", "Cellular energetics"]
    assert values[hoc.PATH_LABEL] == [
        "Resisting cell death--Apoptosis",
        "Resisting cell death",
        "Cellular energetics--X",
    ]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"text/7.txt": TWO, "labels/7.txt": "< "},
            r"hoc.tar!labels/7.txt: document 7: expected a field for each of the 2",
        ),
        ({"text/7.txt": TWO, "labels/7.txt": "x< < "}, "expected a field for each"),
        ({"text/7.txt": TWO, "labels/7.txt": "< <Being tired"}, "'Being tired' is none of the ten hallmarks"),
        ({"text/7.txt": TWO}, "text/7.txt has no labels/7.txt beside it"),
        ({"labels/7.txt": "< "}, "labels/7.txt has no text/7.txt beside it"),
        ({"text/7.txt": TWO, "a/text/7.txt": TWO}, "the archive has this file twice|beside it"),
        ({"text/7.txt": b"\xe9\n", "labels/7.txt": "< "}, "the text is not UTF-8: byte 1 is 0xe9"),
        ({"text/7.txt": b"x" * (1 << 20) + b"y", "labels/7.txt": "< "}, "has 1048577 bytes, expected a small text"),
    ],
)
def test_hoc_archives_that_are_wrong(members: dict[str, bytes | str], message: str, tmp_path: Path) -> None:
    path = archive(tmp_path, members)
    with pytest.raises(FormatError, match=message):
        list(hoc.read(path))
    rejects: list[InputError] = []
    assert list(hoc.read(path, on_reject=rejects.append)) == []
    assert rejects and all(problem.path for problem in rejects)


@pytest.mark.parametrize(
    ("members", "format"),
    [
        (
            {"README.md": "x", "text/7.txt": TWO, "text/8.txt": TWO, "labels/8.txt": "< < ", "labels/7.txt": "< < "},
            "hoc",
        ),
        ({"labels/7.txt": "< < ", "text/7.txt": TWO}, "hoc"),
        ({"labels/7.txt": "1 0.5 0.5", "text/7.txt": TWO}, "text"),
        ({"text/7.txt": TWO, "other/7.txt": "< < "}, "text"),
        ({"text/7.txt": TWO}, "text"),
    ],
)
def test_an_archive_is_known_by_its_members(members: dict[str, bytes | str], format: str, tmp_path: Path) -> None:
    assert formats.guess(path := archive(tmp_path, members)) == format
    if format == "hoc":
        assert next(formats.read(path)).sentences == (Span(0, 11), Span(12, 24))


@pytest.mark.parametrize("name", ["../text/7.txt", "/labels/7.txt", "a/../../text/7.txt"])
def test_a_name_that_leaves_the_archive(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a file that would lie outside it"):
        list(hoc.read(archive(tmp_path, {name: TWO})))


def test_a_link_in_the_archive_is_not_followed(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="this member is no plain file"):
        list(hoc.read(archive(tmp_path, {}, link="text/7.txt")))


def test_no_archive_at_all(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="this is not a whole tar file"):
        list(hoc.read(written(tmp_path, "text\n" * 1000)))
    with pytest.raises(FormatError, match="no file text/PMID.txt or labels/PMID.txt is in this archive"):
        list(hoc.read(archive(tmp_path, {"README.md": "x"})))
    whole = gzip.decompress((DATA / "hoc" / "notes.tar.gz").read_bytes())
    complete = list(hoc.read(DATA / "hoc" / "notes.tar.gz"))
    path = tmp_path / "cut.tar"
    for length in range(1, len(whole), 97):
        path.write_bytes(whole[:length])
        rejects: list[InputError] = []
        read: list[Document] = []
        try:
            read.extend(hoc.read(path, on_reject=rejects.append))
        except InputError as problem:
            rejects.append(problem)
        assert read == complete[: len(read)]
        assert rejects or len(read) == len(complete)


TEN = ",".join(f"{number}_0" for number in range(10))


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (blurb_hoc, "a\tb\tc\n", "rows.tsv:1: expected the header labels TAB sentence TAB index"),
        (blurb_hoc, f"labels\tsentence\tindex\n{TEN}\tX .\n", "rows.tsv:2: expected 3 columns"),
        (blurb_hoc, f"labels\tsentence\tindex\n{TEN}\tX .\t7\n", "expected an index such as 22355784_s2, found '7'"),
        (blurb_hoc, "labels\tsentence\tindex\n0_1\tX .\t7_s0\n", "document 7_s0: expected ten answers"),
        (blurb_hoc, "labels\tsentence\tindex\n" + f"{TEN}\tX .\t7_s0\n" * 2, "rows.tsv:3: .*two rows have this index"),
        (sentence_pairs, "1\tA.\tB.\t2\n", "rows.tsv:1: expected the header pair_id TAB sent1 TAB sent2 TAB score"),
        (
            sentence_pairs,
            "pair_id\tsent1\tsent2\tscore\n1\tA.\t\t2\n",
            "rows.tsv:2: expected 4 columns .* none of them empty",
        ),
        (
            sentence_pairs,
            "pair_id\tsent1\tsent2\tscore\n1\tA.\tB.\thigh\n",
            "the score should be a number, found 'high'",
        ),
        (sentence_pairs, "pair_id\tsent1\tsent2\tscore\n1\tA.\tB.\tnan\n", "the score should be a number, found 'nan'"),
        (sentence_pairs, "pair_id\tsent1\tsent2\tscore\n" + "1\tA.\tB.\t1\n" * 2, "two pairs have this id"),
        (medical_abstracts, "3,Text.\n", "rows.tsv:1: expected the header condition_label,medical_abstract"),
        (medical_abstracts, "condition_label,medical_abstract\n9,Text.\n", "rows.tsv:2: .*from 1 to 5, found '9'"),
        (medical_abstracts, "condition_label,medical_abstract\n3, \n", "the abstract is empty"),
        (medical_abstracts, "condition_label,medical_abstract\n3,a,b\n", "expected 2 columns"),
        (medical_abstracts, 'condition_label,medical_abstract\n3,"a\nb\n', "rows.tsv:2: this row is no CSV"),
        (medical_abstracts, 'condition_label,medical_abstract\n3,"a"b\n', "rows.tsv:2: this row is no CSV"),
        (pubmed_rct, "background\tA .\n", "rows.tsv:1: expected '###' and an id"),
        (pubmed_rct, "###7\n\n###8\nbackground\tA .\n", "rows.tsv:1: document 7: the abstract has no sentence"),
        (pubmed_rct, "###7\nbackground A .\n", "rows.tsv:2: document 7: expected a role and a sentence"),
        (pubmed_rct, "###7\nbackground\tA\tB\n", "expected a role and a sentence"),
        (pubmed_rct, "###7\nx\tA .\n\n###7\nx\tB .\n", "rows.tsv:4: document 7: two abstracts have this id"),
    ],
)
def test_files_that_are_wrong(reader: ModuleType, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        list(reader.read(written(tmp_path, text)))


def test_sentences_keep_their_label() -> None:
    first, _ = pubmed_rct.read(DATA / "pubmed_rct" / "notes.txt")
    assert [(label.value, first.text[label.start : label.end]) for label in first.labels] == [
        ("background", "KRNX2 is found in the brain ."),
        ("outcome", "It fell by 5 % ( n = 9 ) in naïve mice 😀 ."),
    ]
    first, _ = sentence_pairs.read(DATA / "sentence_pairs" / "notes.tsv")
    assert [first.text[start:end] for start, end in first.sentences] == first.text.split("\n")
    assert first.labels == (Label("similarity", "3.8", 0, len(first.text)),)
    first, _ = medical_abstracts.read(DATA / "medical_abstracts" / "notes.csv")
    assert first.text.endswith('"all well", were seen;\nnone had seizures.')
    none, two, _ = blurb_hoc.read(DATA / "blurb_hoc" / "notes.tsv")
    assert none.labels == () and [label.value for label in two.labels] == [hoc.HALLMARKS[0], hoc.HALLMARKS[7]]


# -------------------------------------------------------------------------------------------------- the real corpora


def test_blurb_hoc_says_what_the_original_says(corpus_data: Path) -> None:
    original = {
        f"{document.id}_s{number}": (
            document.text[start:end],
            {label.value for label in document.labels if label.name == hoc.LABEL and label.start == start},
        )
        for document in hoc.read(corpus_data / "hoc" / "hoc_labels_text.tar.gz")
        for number, (start, end) in enumerate(document.sentences)
    }
    rows = 0
    for name in ("train.tsv.gz", "dev.tsv", "test.tsv"):
        for row in blurb_hoc.read(corpus_data / "blurb" / "HoC" / name):
            rows += 1
            assert original[row.id] == (row.text, {label.value for label in row.labels})
    assert rows == len(original) == 17_464


def test_ddi_release_needs_two_repairs(corpus_data: Path) -> None:
    repairs: list[InputError] = []
    train = list(ddi.read(corpus_data / "ddi2013" / "Train", on_repair=repairs.append))
    assert sorted(str(problem.document) for problem in repairs) == ["DDI-DrugBank.d216", "DDI-DrugBank.d236"]
    pairs = sum(len(document.relations) + len(document.meta.get("false_pairs", ())) for document in train)
    assert sum(len(document.relations) for document in train) == 4021
    assert pairs == 27_792 - 4  # less those of the name that is left out
    blurb = {row.id: row for row in masked_rows.read(corpus_data / "blurb" / "DDI" / "dev.tsv")}
    for document in train:
        for relation in document.relations:
            if relation.id in blurb:
                assert blurb[relation.id].relations[0].type == f"DDI-{relation.type}"


def test_scibert_rows_are_sentences_of_chemprot(corpus_data: Path) -> None:
    """Its dev rows stand, unmarked, in the dev abstracts of the original."""
    path = corpus_data / "chemprot" / "chemprot_development" / "chemprot_development_abstracts.tsv"
    words = ["".join(document.text.split()) for document in chemprot.read(path)]
    rows = list(scibert_rows.read(corpus_data / "scibert" / "chemprot" / "dev.txt"))
    texts = {"".join(row.text.split()) for row in rows}
    found = sum(any(text in abstract for abstract in words) for text in texts)
    assert len(rows) == 2427
    assert found >= 0.99 * len(texts)

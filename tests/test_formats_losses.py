"""What is lost of a document in a format, and what is repaired where that is wanted and told."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome import formats
from relatome.documents import Document, Label, Mention, Passage, Question, Relation, Span
from relatome.errors import FormatError, InputError, MissingExtraError
from relatome.formats import ade, chemprot, jsonl, losses, parquet
from relatome.formats.offsets import mended
from tests.drawn import documents as drawn

TEXT = "Velorazine raised kidney and liver injury."
DOCUMENT = Document(
    "1",
    TEXT,
    passages=(Passage("abstract", 0, len(TEXT), "RESULTS", {"a": 1}),),
    mentions=(
        Mention("c", 0, 10, "Chemical", "Velorazine", ("X1", "X2"), probability=0.5),
        Mention("k", 18, 41, "Disease", "kidney injury", ("X9",), fragments=(Span(18, 24), Span(35, 41))),
        Mention("l", 29, 41, "Disease", "liver injury"),
    ),
    relations=(
        Relation("r1", "CID", "c", "k", attributes={"novelty": "Novel", "cue": "no"}, evidence=(Span(0, 41),)),
        Relation("r2", "CID", "c", "l"),
        Relation("r3", "CID", "X1", "X9", level="concept"),
    ),
    labels=(Label("topic", "kidney", 0, 10, 0.5),),
    questions=(Question("q", "What?"),),
    sentences=(Span(0, len(TEXT)),),
    tokens=(Span(0, 10),),
    meta={"line": 3, "scheme": "IO", "journal": "J"},
).check()

BARE = frozenset({"text"})


@given(drawn())
def test_who_holds_everything_loses_nothing(document: Document) -> None:
    assert losses.kept(document, losses.EVERYTHING) == document
    assert not losses.lost(document, losses.EVERYTHING)


@given(drawn(), st.frozensets(st.sampled_from(list(losses.PARTS))))
def test_what_is_kept_is_right_and_loses_nothing_more(document: Document, holds: frozenset[str]) -> None:
    kept = losses.kept(document, holds)
    if "mentions" in holds or "relations" not in holds:
        kept.check()
    assert losses.kept(kept, holds) == kept
    assert set(losses.lost(kept, holds)) <= {"text"}
    assert set(losses.lost(document, holds)) <= set(losses.PARTS) - holds | {"relations", "overlaps"}


def test_every_part_is_counted() -> None:
    assert losses.lost(DOCUMENT, BARE) == {
        "passages": 1, "mentions": 3, "relations": 2, "concept_relations": 1, "labels": 1, "questions": 1,
        "sentences": 1, "tokens": 1, "meta": 1,
    }  # fmt: skip
    holds = BARE | {"mentions", "passages", "relations", "unlinked", "labels"}
    assert losses.lost(DOCUMENT, holds) == {
        "headings": 1, "overlaps": 1, "concepts": 3, "probabilities": 2, "ids": 3, "relations": 1, "attributes": 2,
        "evidence": 1, "concept_relations": 1, "questions": 1, "sentences": 1, "tokens": 1, "meta": 2, "fragments": 1,
    }  # fmt: skip


def test_relations_of_mentions_become_relations_of_their_concepts() -> None:
    holds = losses.EVERYTHING - {"unlinked", "ids", "attributes"} | {"attributes.novelty"}
    kept = losses.kept(DOCUMENT, holds).relations
    assert [(relation.id, relation.level, relation.head, relation.tail) for relation in kept] == [
        ("R1", "concept", "X1", "X9"),
        ("R2", "concept", "X2", "X9"),
        ("R3", "concept", "X1", "X9"),
    ]
    assert [dict(relation.attributes) for relation in kept] == [{"novelty": "Novel"}, {"novelty": "Novel"}, {}]
    assert losses.lost(DOCUMENT, holds) == {"unlinked": 2, "attributes": 1, "ids": 6}


def test_keys_can_be_held_one_by_one() -> None:
    holds = losses.EVERYTHING - {"meta"} | {"meta.journal"}
    assert losses.kept(DOCUMENT, holds).meta == {"journal": "J"}
    assert losses.lost(DOCUMENT, holds) == {"meta": 1}  # the passage's


def test_where_a_text_stood_in_its_file_is_no_loss() -> None:
    document = Document("1", TEXT, meta={"line": 3, "scheme": "IOB1"})
    assert not losses.lost(document, BARE)


def test_a_scorers_file_keeps_the_evaluated_relations_only() -> None:
    document = Document(
        "1",
        "ab",
        mentions=(Mention("T1", 0, 1, "CHEMICAL", "a"), Mention("T2", 1, 2, "GENE-Y", "b")),
        relations=tuple(
            Relation(f"R{number}", kind, "T1", "T2", attributes={"group": group})
            for number, (kind, group) in enumerate(
                [("INHIBITOR", "CPR:4"), ("DOWNREGULATOR", "CPR:4"), ("REGULATOR", "CPR:2")]
            )
        ),
    )
    assert formats.lost(document, "chemprot")["relations"] == 2
    assert [relation.type for relation in formats.kept(document, "chemprot").relations] == ["INHIBITOR"]


# ------------------------------------------------------------------------------------------------ repairs


def test_everything_that_does_not_fit_is_mended_and_told() -> None:
    far = Span(0, 999)
    mention, relation = DOCUMENT.mentions[0], DOCUMENT.relations[0]
    broken = replace(
        DOCUMENT,
        passages=(*DOCUMENT.passages, Passage("x", 0, 999)),
        mentions=(
            *DOCUMENT.mentions,
            mention,
            replace(mention, id="n", text="velorazine"),
            replace(mention, id="o", start=3),
            replace(DOCUMENT.mentions[1], id="p", start=990, end=999),
        ),
        relations=(replace(relation, evidence=(far,)), relation, replace(relation, id="r9", tail="o")),
        labels=(*DOCUMENT.labels, Label("x", "y", 5, 999)),
        questions=(replace(DOCUMENT.questions[0], spans=(far,)), DOCUMENT.questions[0]),
        sentences=(*DOCUMENT.sentences, far),
        tokens=(far,),
    )
    told: list[InputError] = []
    document = mended(broken, on_repair=told.append).check()
    assert [mention.id for mention in document.mentions] == ["c", "k", "l", "T1", "n", "p"]
    assert document.mentions[4].text == "Velorazine"
    assert (document.mentions[5].start, document.mentions[5].end) == (18, 41)
    assert [relation.id for relation in document.relations] == ["r1", "R1"]
    assert [question.id for question in document.questions] == ["q", "Q1"]
    assert (document.passages, document.labels) == (DOCUMENT.passages, DOCUMENT.labels)
    assert (document.sentences, document.tokens) == (DOCUMENT.sentences, ())
    assert len(told) == 12
    assert {problem.document for problem in told} == {"1"}


@given(drawn())
def test_what_fits_is_left_alone(document: Document) -> None:
    assert mended(document, on_repair=_fail) == document


def _fail(problem: InputError) -> None:
    raise AssertionError(problem)


def test_a_hundred_thousand_mentions_of_one_name_are_mended_in_time() -> None:
    mentions = (Mention("T1", 0, 10, "Chemical", "Velorazine"),) * 100_000
    told: list[InputError] = []
    document = mended(Document("1", TEXT, mentions=mentions), on_repair=told.append).check()
    assert len(document.mentions) == 100_000 and len(told) == 99_999


def test_jsonl_leaves_out_what_is_no_field(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text(
        '\n{"text": "Fever.", "mention": [], "labels": [{"name": "a", "value": "b", "start": 0, "end": 9, "x": 1}]}\n'
    )
    told: list[InputError] = []
    (document,) = jsonl.read(path, on_repair=told.append)
    assert document == Document("notes:2", "Fever.")
    assert [str(problem) for problem in told] == [
        f"{path}:2: document has an unknown key 'mention': left out",
        f"{path}:2: labels has an unknown key 'x': left out",
        f"{path}:2: document notes:2: label 'a' has range 0..9, but the text has 6 characters: left out",
    ]


def test_ade_keeps_the_sentence_and_its_label(tmp_path: Path) -> None:
    path = tmp_path / "DRUG-AE.rel"
    path.write_text("1|VLZ only.|fever|1|6|VLZ|0|3\n")
    told: list[InputError] = []
    (document,) = ade.read(path, on_repair=told.append)
    assert (document.text, document.mentions, document.relations, len(document.labels)) == ("VLZ only.", (), (), 1)
    assert str(told[0]).startswith(f"{path}:1: document DRUG-AE:1: mention 'fever' is nowhere")


def test_ade_counts_what_it_decided(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "x.rel"
    path.write_text("1|VLZ fever VLZ|fever|4|9|VLZ|0|3\n" * 2)
    with caplog.at_level("INFO", "relatome"):
        assert len(list(ade.read(path))) == 2
    assert "in 2 rows a mention stands more than once, and the distance decided" in caplog.text


def test_chemprot_leaves_out_rows_and_keeps_the_document(tmp_path: Path) -> None:
    path = tmp_path / "x_abstracts.tsv"
    path.write_text("1\tVLZ\tinhibits KRNX2\n")
    (tmp_path / "x_entities.tsv").write_text(
        "1\tT1\tCHEMICAL\t0\t3\tvlz\n1\tT2\tGENE-Y\t13\t17\tKRNX2\n1\tT3\tGENE-Y\ta\tb\tc\n"
    )
    (tmp_path / "x_relations.tsv").write_text("1\tCPR:4\tY \tINHIBITOR\tArg1:T1\tArg2:T2\n")
    with pytest.raises(InputError, match="should be 'vlz'"):
        list(chemprot.read(path))
    told: list[InputError] = []
    (document,) = chemprot.read(path, on_repair=told.append)
    assert [mention.text for mention in document.mentions] == ["VLZ"]
    assert document.relations == ()
    assert [(Path(str(problem.path)).name, problem.line) for problem in told] == [
        ("x_entities.tsv", 1), ("x_entities.tsv", 2), ("x_entities.tsv", 3), ("x_relations.tsv", 1),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------ parquet


def test_without_pyarrow_the_answer_is_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for act in (lambda: parquet.write([], tmp_path / "x.parquet"), lambda: list(parquet.read(tmp_path / "x.parquet"))):
        with pytest.raises(MissingExtraError, match="needs 'pyarrow'") as caught:
            act()
        assert 'pip install "relatome[parquet]"' in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_parquet_of_others(tmp_path: Path) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as tables

    path = tmp_path / "x.parquet"
    tables.write_table(arrow.table({"text": ["One.", "Two."]}), path)
    assert [(document.id, document.text) for document in formats.read(path)] == [("x:1", "One."), ("x:2", "Two.")]
    tables.write_table(arrow.table({"text": ["One."], "label": [1]}), path)
    with pytest.raises(FormatError, match="should be fields of a document, found label"):
        list(parquet.read(path))
    tables.write_table(arrow.table({"text": ["One.", None, "Three."]}), path)
    rejects: list[InputError] = []
    assert [document.id for document in parquet.read(path, on_reject=rejects.append)] == ["x:1", "x:3"]
    assert [str(reject) for reject in rejects] == [f"{path}: document has no 'text'"]


def test_parquet_is_read_a_group_at_a_time(tmp_path: Path) -> None:
    import pyarrow.parquet as tables

    many = (Document(str(number), f"Plombidol {number}.") for number in range(2500))
    path = tmp_path / "x.parquet"
    assert parquet.write(many, path) == 2500
    assert tables.ParquetFile(path).num_row_groups == 3
    first = next(reader := parquet.read(path))
    reader.close()  # type: ignore[attr-defined]
    assert first.text == "Plombidol 0."


@pytest.mark.parametrize("bad", [Document("1", "\ud800"), Document("1", "x", meta={"a": {1}}), Document("\ud800", "x")])
def test_what_parquet_cannot_hold_is_refused(bad: Document, tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        parquet.write([bad], tmp_path / "x.parquet")
    assert caught.value.document == bad.id
    assert not list(tmp_path.iterdir())


def test_half_a_character_is_refused_whatever_the_format(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="half a character"):
        formats.write([Document("1", "a \ud800 b")], tmp_path / "x", "pubtator")
    assert not list(tmp_path.iterdir())

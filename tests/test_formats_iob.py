"""IOB: the ways corpora write it, and documents that came without tokens."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome import formats
from relatome.documents import Document, Mention, Span
from relatome.errors import FormatError, InputError
from relatome.formats import iob


def written(text: str, folder: Path, name: str = "notes.tsv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def lines(*documents: Document, apart: bool = True) -> str:
    stream = io.StringIO()
    iob.write(documents, stream, apart=apart)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("B-X I-X B-X O", None),
        ("I-X I-X B-X O", "IOB1"),
        ("B-X E-X S-X O", "IOBES"),
    ],
)
def test_every_scheme_gives_the_same_mentions(tags: str, scheme: str | None, tmp_path: Path) -> None:
    rows = "".join(f"{word}\t{tag}\n" for word, tag in zip("abcd", tags.split(), strict=True))
    (document,) = iob.read(written(rows, tmp_path))
    assert [(mention.text, mention.type) for mention in document.mentions] == [("a b", "X"), ("c", "X")]
    assert document.meta.get("scheme") == scheme
    assert document.tokens == (Span(0, 1), Span(2, 3), Span(4, 5), Span(6, 7))


def test_bare_tags_take_the_type_that_is_asked_for(tmp_path: Path) -> None:
    path = written("fever\tB\nand\tO\nurea\tB\nnitrogen\tI\n", tmp_path)
    (document,) = iob.read(path, type="Disease")
    assert [(mention.text, mention.type) for mention in document.mentions] == [
        ("fever", "Disease"),
        ("urea nitrogen", "Disease"),
    ]
    assert {mention.type for document in iob.read(path) for mention in document.mentions} == {"Entity"}


def test_a_sentence_is_a_document_without_docstart_lines(tmp_path: Path) -> None:
    read = list(iob.read(written("a\tO\n\n\n\nb\tO\nc\tO\n", tmp_path)))
    assert [(document.id, document.text) for document in read] == [("notes:1", "a"), ("notes:2", "b c")]


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        ("-DOCSTART- 90092414", "90092414"),
        ("-DOCSTART- (6794356)", "6794356"),
        ("-DOCSTART-\t12\tO", "12"),
        ("-DOCSTART- a b\tO", "a b"),
        ("-DOCSTART- -X- -X- O", "notes:1"),
        ("-DOCSTART-\tO", "notes:1"),
        ("-DOCSTART-", "notes:1"),
    ],
)
def test_what_a_docstart_line_says(line: str, identity: str, tmp_path: Path) -> None:
    (document,) = iob.read(written(f"{line}\n\na\tO\n\nb\tO\n", tmp_path))
    assert (document.id, document.sentences) == (identity, (Span(0, 1), Span(2, 3)))


def test_columns_between_are_passed_over_and_blanks_may_separate(tmp_path: Path) -> None:
    (document,) = iob.read(written("-DOCSTART- -X- O\n\nfever NN I-NP B-X\nrose VBD I-VP O\n", tmp_path))
    assert [mention.text for mention in document.mentions] == ["fever"]


@pytest.mark.parametrize("line", ["fever", "fever\tnoun", "\tO", "fever\tX-Disease", "fever B-Disease rose"])
def test_a_line_that_is_none(line: str, tmp_path: Path) -> None:
    path = written(f"-DOCSTART- 1\n\na\tO\n{line}\n\n-DOCSTART- 2\n\nb\tO\n", tmp_path)
    with pytest.raises(FormatError) as caught:
        list(iob.read(path))
    assert str(caught.value).startswith(f"{path}:4: document 1: expected a token and a tag")
    rejects: list[InputError] = []
    assert [document.id for document in iob.read(path, on_reject=rejects.append)] == ["2"]


def test_a_document_without_tokens_is_cut_at_its_mentions() -> None:
    text = "VLZ-induced fever. It rose."
    document = Document("1", text, mentions=(Mention("T1", 0, 3, "Drug", "VLZ"), Mention("T2", 12, 16, "X", "feve")))
    assert lines(document) == (
        "-DOCSTART- 1\tO\n\nVLZ\tB-Drug\n-\tO\ninduced\tO\nfeve\tB-X\nr\tO\n.\tO\n\nIt\tO\nrose\tO\n.\tO\n\n"
    )
    assert lines(document, apart=False).startswith("VLZ\tB-Drug\n")


def test_overlaps_and_widened_mentions_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    text = "kidney injury rose"
    overlapping = (Mention("T1", 0, 13, "X", text[:13]), Mention("T2", 0, 6, "X", "kidney"))
    tokens = (Span(0, 6), Span(7, 13), Span(14, 18))
    inside = (Mention("T1", 1, 6, "X", "idney"), Mention("T2", 7, 9, "X", "in"), Mention("T3", 10, 13, "X", "ury"))
    with caplog.at_level(logging.WARNING, "relatome"):
        assert "kidney\tB-X\ninjury\tI-X\n" in lines(Document("1", text, mentions=overlapping))
        assert "kidney\tB-X\ninjury\tB-X\nrose\tO" in lines(Document("2", text, mentions=inside, tokens=tokens))
    assert [record.getMessage() for record in caplog.records] == [
        "1 mentions overlap others and were not written, 0 were widened to whole tokens",
        "1 mentions overlap others and were not written, 3 were widened to whole tokens",
    ]


WORDS = st.lists(
    st.tuples(st.text("ab\u03b1\N{DNA DOUBLE HELIX}e\u0301", min_size=1, max_size=4), st.sampled_from(["O", "B", "I"])),
    min_size=1,
    max_size=8,
)


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_tokens_and_mentions_come_back(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("iob")
    rows = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sentences)
    (document,) = iob.read(written("-DOCSTART- 1\n\n" + rows, folder), type="X")
    iob.write([document], folder / "again.tsv")
    (again,) = iob.read(folder / "again.tsv")
    assert (again.text, again.tokens, again.sentences) == (document.text, document.tokens, document.sentences)
    assert again.mentions == document.mentions


def test_tags_without_any_b_are_io_and_said_so(tmp_path: Path) -> None:
    rows = "-DOCSTART- (7)\n\nfever NN O I-PAR\nrash NN O I-PAR\nand NN O O\nurea NN O I-INT\n\n\n-DOCSTART- (8)\n\nno NN O O\n"
    path = written(rows, tmp_path)
    assert formats.guess(path) == "iob"
    first, second = iob.read(path)
    assert [(mention.text, mention.type) for mention in first.mentions] == [("fever rash", "PAR"), ("urea", "INT")]
    assert (first.id, first.meta, second.id, second.meta) == ("7", {"scheme": "IO"}, "8", {})


def test_one_b_anywhere_makes_the_file_iob1(tmp_path: Path) -> None:
    (first, second) = iob.read(written("a\tI-X\n\nb\tI-X\nc\tB-X\n", tmp_path))
    assert first.meta == second.meta == {"scheme": "IOB1"}


def test_a_named_document_with_nothing_in_it_is_kept(tmp_path: Path) -> None:
    documents = [Document("1", ""), Document("2", "Fever."), Document("3", " \n")]
    iob.write(documents, tmp_path / "out.tsv")
    assert [(document.id, document.text) for document in iob.read(tmp_path / "out.tsv")] == [
        ("1", ""),
        ("2", "Fever ."),
        ("3", ""),
    ]


def test_a_line_without_a_tag_is_outside_where_that_is_wanted(tmp_path: Path) -> None:
    path = written("fever\tB-X\nhigh\nrash\tnoun\n", tmp_path)
    repairs: list[InputError] = []
    (document,) = iob.read(path, on_repair=repairs.append)
    assert (document.text, len(document.mentions)) == ("fever high rash", 1)
    assert [str(repair).split(": expected")[0] for repair in repairs] == [
        f"{path}:{line}: document notes:1" for line in (2, 3)
    ]


def test_a_mention_over_two_sentences_joins_them(tmp_path: Path) -> None:
    text = "He had fever. Rash too."
    sentences = (Span(0, 13), Span(14, 23))
    document = Document("1", text, mentions=(Mention("T1", 7, 18, "X", text[7:18]),), sentences=sentences)
    iob.write([document], tmp_path / "out.tsv")
    (again,) = iob.read(tmp_path / "out.tsv")
    assert again == formats.kept(document, "iob")
    assert [mention.text for mention in again.mentions] == ["fever . Rash"]
    assert len(again.sentences) == 1
    assert formats.lost(document, "iob") == {"text": 1, "sentences": 1}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (Document("(7)", "Fever."), "the id '(7)' would not be read again"),
        (Document("a\nb", "Fever."), "would not be read again"),
        (Document("O", "Fever."), "the id 'O' would not be read again"),
        (Document("7", "-DOCSTART- x", tokens=(Span(0, 10),)), "the token '-DOCSTART-' cannot be a line of its own"),
        (
            Document("7", "Fe", mentions=(Mention("T1", 0, 2, "a\tb", "Fe"),)),
            "the type 'a\\tb' cannot be the last column",
        ),
        (Document("7", "Fe", mentions=(Mention("T1", 0, 2, "", "Fe"),)), "has no entity type"),
    ],
)
def test_what_could_not_be_read_again_is_refused(document: Document, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        iob.write([document], tmp_path / "out.tsv")
    assert message in str(caught.value) and caught.value.document == document.id
    assert not list(tmp_path.iterdir())


def test_what_follows_no_scheme_is_read_by_conllevals_rules(tmp_path: Path) -> None:
    """As SciBERT's BC5CDR is tagged: B begins mentions of several tokens, I those of one."""
    (document,) = iob.read(written("a\tI-X\nb\tO\nc\tB-X\nd\tI-X\n", tmp_path))
    assert [mention.text for mention in document.mentions] == ["a", "c d"]
    assert document.meta == {"scheme": "conll"}

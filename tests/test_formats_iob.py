"""IOB: the ways corpora write it, and documents that came without tokens."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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

"""What every format must do; a format added to ``FORMATS`` gets these tests when it has a sample in ``tests/data``."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sys
import tracemalloc
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relatome import formats
from relatome.documents import Document, Mention, Passage, Span
from relatome.errors import InputError, OffsetError, UnknownNameError
from relatome.formats import files
from relatome.formats.offsets import fitted
from relatome.formats.text import Split

DATA = Path(__file__).parent / "data"
SAMPLES = [
    ("text", "notes.txt", 2),
    ("jsonl", "notes.jsonl", 2),
    ("pubtator", "notes.pubtator", 2),
    ("bioc", "notes.xml", 2),
    ("bioc", "notes.json", 2),
    ("pubmed", "notes.xml", 3),
    ("iob", "notes.tsv", 2),
    ("iob", "iob1.tsv", 1),
    ("ade", "DRUG-AE.rel", 2),
    ("ade", "ADE-NEG.txt", 2),
    ("ade", "DRUG-DOSE.rel", 1),
    ("chemprot", "notes_abstracts.tsv", 2),
]
every_sample = pytest.mark.parametrize(("format", "name", "documents"), SAMPLES)
every_format = pytest.mark.parametrize("format", list(formats.FORMATS))
WRITABLE = [
    sample
    for sample in SAMPLES
    if sample[0] != "chemprot" and hasattr(import_module(formats.FORMATS[sample[0]]), "write")
]


def sample(format: str, name: str) -> Path:
    return DATA / format / name


def copied(format: str, name: str, folder: Path) -> Path:
    """The sample, and what belongs to it, in a folder that a test may change."""
    shutil.copytree(DATA / format, folder, dirs_exist_ok=True)
    return folder / name


# ------------------------------------------------------------------------------------------------ what is read


def test_every_format_has_a_sample() -> None:
    assert {format for format, _, _ in SAMPLES} == set(formats.FORMATS)


@every_sample
def test_the_content_tells_the_format(format: str, name: str, documents: int, tmp_path: Path) -> None:
    assert formats.guess(sample(format, name)) == format
    # DRUG-DOSE.rel alone is known by its name: its lines are those of DRUG-AE.rel.
    other = tmp_path / "no.extension.at.all"
    other.write_bytes(sample(format, name).read_bytes())
    assert formats.guess(other) == format


@every_sample
def test_documents_are_whole_and_ids_unique(format: str, name: str, documents: int) -> None:
    read = list(formats.read(sample(format, name)))
    assert len(read) == documents
    assert len({document.id for document in read}) == documents
    for document in read:
        document.check()
        assert document.text.strip()
        for mention in document.mentions:
            parts = mention.fragments or (mention.span,)
            assert " ".join(document.text[start:end] for start, end in parts) == mention.text


@pytest.mark.parametrize("change", ["gzip", "byte-order mark", "CRLF", "no last line end"])
@every_sample
def test_what_the_text_is_wrapped_in_changes_nothing(
    format: str, name: str, documents: int, change: str, tmp_path: Path
) -> None:
    original = sample(format, name)
    data = original.read_bytes()
    wrapped = {
        "gzip": gzip.compress(data),
        "byte-order mark": b"\xef\xbb\xbf" + data,
        "CRLF": data.replace(b"\n", b"\r\n"),
        "no last line end": data.rstrip(b"\n"),
    }[change]
    path = copied(format, name, tmp_path)
    path.write_bytes(wrapped)
    assert list(formats.read(path)) == list(formats.read(original))


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(("format", "name", "documents"), WRITABLE)
def test_what_is_written_is_read_again(format: str, name: str, documents: int, suffix: str, tmp_path: Path) -> None:
    read = list(formats.read(sample(format, name)))
    path = tmp_path / (name + suffix)
    module = import_module(formats.FORMATS[format])
    options = {"scheme": "IOB1"} if name == "iob1.tsv" else {}
    assert module.write(read, path, **options) == documents
    assert list(formats.read(path)) == read
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == bool(suffix)
    again = path.read_bytes()
    module.write(read, path, **options)
    assert path.read_bytes() == again


@every_sample
def test_standard_input(
    format: str, name: str, documents: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if format == "chemprot":
        pytest.skip("its entities are found beside the abstracts; standard input has no neighbours")
    for data in (sample(format, name).read_bytes(), gzip.compress(sample(format, name).read_bytes())):
        stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)))
        monkeypatch.setattr(sys, "stdin", stream)
        read = list(formats.read("-"))
        expected = list(formats.read(sample(format, name)))
        assert [document.text for document in read] == [document.text for document in expected]
        assert not stream.closed


def test_a_folder_is_read_in_order_and_parts_of_another_file_are_left_out(tmp_path: Path) -> None:
    copied("chemprot", "", tmp_path)
    (tmp_path / "b.txt").write_text("Second.")
    (tmp_path / "a.txt").write_text("First.")
    (tmp_path / ".hidden").write_text("Not read.")
    (tmp_path / "inner").mkdir()
    assert [document.id for document in formats.read(tmp_path)] == ["a:1", "b:1", "9000001", "9000002"]


def test_a_bad_file_in_a_folder_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\0\0")
    (tmp_path / "b.txt").write_text("Second.")
    with pytest.raises(InputError, match=r"a\.txt"):
        list(formats.read(tmp_path))
    rejects: list[InputError] = []
    assert [document.id for document in formats.read(tmp_path, on_reject=rejects.append)] == ["b:1"]
    assert "binary" in str(rejects[0])


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this folder holds no files"):
        list(formats.read(tmp_path))


# ------------------------------------------------------------------------------------------------ what is refused


def problem_of(path: Path, format: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        list(formats.read(path, format))
    assert str(path) in str(caught.value)
    return str(caught.value)


@every_format
def test_an_empty_file(format: str, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert f"{path}: the file is empty" in problem_of(path, format)
    assert "the file is empty" in problem_of(path)
    path.write_bytes(gzip.compress(b""))
    assert "the file is empty" in problem_of(path, format)


@every_format
def test_a_missing_file_and_a_folder(format: str, tmp_path: Path) -> None:
    assert "no such file" in problem_of(tmp_path / "absent", format)
    with pytest.raises(InputError, match="a folder, not a file"):
        list(import_module(formats.FORMATS[format]).read(tmp_path))


def test_a_name_that_no_file_can_have() -> None:
    for name, what in (("x" * 5000, "File name too long"), ("a\0b", "null byte")):
        with pytest.raises(InputError, match=f"this file cannot be opened: .*{what}"):
            list(formats.read(name))


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions do not hold for this user")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "closed"
    path.write_text("x")
    path.chmod(0)
    assert "may not be read" in problem_of(path, "text")


@every_format
def test_a_binary_file(format: str, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    problem_of(path, format)
    assert "binary" in problem_of(path)


@pytest.mark.parametrize("keep", [0.5, 0.99])
@every_sample
def test_a_truncated_gzip_names_the_file(format: str, name: str, documents: int, keep: float, tmp_path: Path) -> None:
    path = copied(format, name, tmp_path)
    data = gzip.compress(sample(format, name).read_bytes())
    path.write_bytes(data[: int(len(data) * keep)])
    assert "the gzip stream ends too early (it is truncated)" in problem_of(path, format)
    assert "the gzip stream ends too early (it is truncated)" in problem_of(path)


def test_a_damaged_gzip(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt.gz"
    data = bytearray(gzip.compress(b"Plombidol is safe.\n" * 10_000))
    data[20:30] = b"\xff" * 10
    path.write_bytes(bytes(data))
    assert "the gzip stream is damaged" in problem_of(path, "text")


@every_sample
def test_another_encoding_names_line_and_byte(format: str, name: str, documents: int, tmp_path: Path) -> None:
    path = copied(format, name, tmp_path)
    data = sample(format, name).read_bytes()
    at = data.index(b"e", len(data) // 2)
    path.write_bytes(data[:at] + b"\xe9" + data[at + 1 :])
    message = problem_of(path, format)
    assert f"{path}:{data[:at].count(10) + 1}: " in message
    assert "not well-formed XML" in message if path.suffix == ".xml" else "the text is not UTF-8" in message


def test_utf16(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Plombidol inhibits KRNX2.", encoding="utf-16")
    assert f"{path}:1: the file is UTF-16, not UTF-8" in problem_of(path, "text")


def test_an_endless_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_BYTES_A_LINE", 1 << 20)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"short\n" + b"a" * (1 << 22)))
    assert f"{path}:2: a line of more than 1 MB" in problem_of(path, "text")


def test_an_unknown_format_offers_close_matches(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown format 'pubtater': did you mean 'pubtator'"):
        formats.read(sample("pubtator", "notes.pubtator"), "pubtater")
    with pytest.raises(UnknownNameError, match="unknown format 'jsnl': did you mean 'jsonl'"):
        formats.write([], tmp_path / "x", "jsnl")
    with pytest.raises(UnknownNameError, match="'text' can be read but not written"):
        formats.write([], tmp_path / "x", "text")
    assert not list(tmp_path.iterdir())


def test_xml_of_an_unknown_kind(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<html><body>Plombidol</body></html>")
    assert "XML of a kind that is not known: its root is <html>" in problem_of(path)


@pytest.mark.parametrize(
    "text",
    [
        "[Plombidol in practice]. A translated title.",
        "{Plombidol} in braces",
        "<0.05 was the level of significance",
        "Vitamin B\nHepatitis B\n",
        "12 patients\tfell ill",
        "Plombidol | inhibits | KRNX2",
    ],
)
def test_text_that_only_begins_like_another_format(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(text)
    assert formats.guess(path) == "text"


# Changed bytes: whatever a file holds, a reader yields checked documents or says InputError, never anything else.
@pytest.mark.parametrize(("format", "name", "documents"), SAMPLES)
@settings(max_examples=25)
@given(data=st.data())
def test_no_file_breaks_a_reader(
    format: str, name: str, documents: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    original = sample(format, name).read_bytes()
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        gone = data.draw(st.integers(0, 12))
        new = data.draw(
            st.sampled_from([b"", b"\t", b"\n", b"|", b'"', b"<", b"]", b"{", b"99999999999999999999", b"-1", b"\xff"])
            | st.binary(max_size=6)
        )
        changed[at : at + gone] = new
    path = copied(format, name, tmp_path_factory.mktemp("fuzz"))
    path.write_bytes(bytes(changed))
    rejects: list[InputError] = []
    for chosen in (format, None):
        try:
            for document in formats.read(path, chosen, on_reject=rejects.append):
                document.check()
        except InputError as problem:
            rejects.append(problem)
    assert all(reject.path for reject in rejects)


# ------------------------------------------------------------------------------------------------ how it is written


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    def failing() -> Iterator[Document]:
        yield Document("1", "Plombidol.")
        raise KeyboardInterrupt

    path = tmp_path / "out.jsonl"
    path.write_text("the old one\n")
    with pytest.raises(KeyboardInterrupt):
        formats.write(failing(), path, "jsonl")
    assert path.read_text() == "the old one\n"
    assert [inside.name for inside in tmp_path.iterdir()] == ["out.jsonl"]


def test_writing_to_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its folder does not exist"):
        formats.write([], tmp_path / "no" / "out.jsonl", "jsonl")


def test_writing_where_a_folder_is(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").mkdir()
    with pytest.raises(InputError, match=r"out\.jsonl: this file cannot be written: Is a directory"):
        formats.write([], tmp_path / "out.jsonl", "jsonl")
    assert [inside.name for inside in tmp_path.iterdir()] == ["out.jsonl"]


def test_writing_to_an_open_stream() -> None:
    stream = io.StringIO()
    formats.write([Document("1", "Plombidol.")], stream, "jsonl")
    assert stream.getvalue() == '{"id": "1", "text": "Plombidol."}\n'


@pytest.mark.parametrize("format", ["text", "jsonl", "pubtator", "bioc", "bioc.json", "iob"])
def test_memory_does_not_grow_with_the_file(format: str, tmp_path: Path) -> None:
    def many() -> Iterator[Document]:
        for number in range(600):
            text = f"Plombidol {number} " + "inhibits KRNX2 " * 100
            yield Document(
                f"{number}",
                text,
                passages=(Passage("title", 0, 9), Passage("abstract", 10, len(text))),
                mentions=(Mention("T1", 0, 9, "Chemical", "Plombidol"),),
            )

    path = tmp_path / ("many.json" if format == "bioc.json" else "many")
    if format == "text":
        path.write_text("".join(document.text + "\n\n" for document in many()))
    else:
        formats.write(many(), path, format.partition(".")[0])
    next(formats.read(path))  # what is imported and compiled on first use is not counted
    tracemalloc.start()
    try:
        assert sum(1 for _ in formats.read(path)) == 600
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 900_000
    assert peak < 600_000


# ------------------------------------------------------------------------------------------------ plain text


@pytest.mark.parametrize(
    ("split", "texts"),
    [
        ("block", ["One.\nStill one.", "Two.\u2028Still two.\rStill two."]),
        ("line", ["One.", "Still one.", "Two.\u2028Still two.\rStill two."]),
        ("file", ["\nOne.\nStill one.\n \nTwo.\u2028Still two.\rStill two."]),
    ],
)
def test_splitting_text(split: Split, texts: list[str], tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes("\nOne.\nStill one.\n \nTwo.\u2028Still two.\rStill two.\n".encode())
    read = list(formats.read(path, split=split))
    assert [document.text for document in read] == texts
    names = ["notes"] if split == "file" else [f"notes:{number}" for number in range(1, len(texts) + 1)]
    assert [document.id for document in read] == names


def test_an_unknown_split(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("One.")
    with pytest.raises(UnknownNameError, match="unknown split 'lines': did you mean 'line'"):
        list(formats.read(path, split="lines"))  # type: ignore[arg-type]


def test_two_megabytes_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("Plombidol 🧬 " * 180_000)
    (document,) = formats.read(path)
    assert len(document.text) > 2_000_000


def test_a_document_too_long_to_hold_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relatome.formats.text.MOST_BYTES_A_LINE", 100)
    path = tmp_path / "long.txt"
    path.write_text("Plombidol is new.\n" * 10 + "\nShort.\n")
    assert f"{path}:1: document long:1: a document of 179 characters" in problem_of(path)
    rejects: list[InputError] = []
    assert [document.id for document in formats.read(path, on_reject=rejects.append)] == ["long:2"]
    assert len(rejects) == 1


def test_only_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "blank.txt"
    path.write_text(" \n\n\t\n")
    assert "only blank lines" in problem_of(path)


# ------------------------------------------------------------------------------------------------ offsets


def test_a_mention_that_differs_in_case_is_repaired_only_when_asked_and_told() -> None:
    text = "Plombidol inhibits KRNX2"
    with pytest.raises(OffsetError, match="should be 'plombidol', but the text there is 'Plombidol'"):
        fitted(text, [Span(0, 9)], "plombidol")
    told: list[InputError] = []
    assert fitted(text, [Span(0, 9)], "plombidol", on_repair=told.append) == "Plombidol"
    assert fitted(text, [Span(1, 10)], "Plombidol", on_repair=told.append) is None
    assert fitted(text, [Span(20, 30)], "KRNX2", on_repair=told.append) is None
    assert [type(problem) for problem in told] == [OffsetError] * 3
    assert "its offsets are 1 too high" in str(told[1])
    assert "has range 20..30, but the text has 24 characters" in str(told[2])


def test_where_a_mention_really_stands() -> None:
    text = "VLZ and VLZ"
    for spans, advice in (
        ([Span(7, 10)], "stands at 8..11: its offsets are 1 too low"),
        ([Span(0, 4)], "stands at 0..3: its end is wrong"),
    ):
        with pytest.raises(OffsetError) as caught:
            fitted(text, spans, "VLZ")
        assert advice in str(caught.value)
    with pytest.raises(OffsetError, match="correct the offsets or the text"):
        fitted(text, [Span(0, 3)], "KRNX2")

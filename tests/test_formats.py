"""What every format must do; a format added to ``FORMATS`` gets these tests when it has a sample in ``tests/data``."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import shutil
import signal
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relatome import formats
from relatome.documents import Document, Mention, Passage, Span
from relatome.errors import InputError, OffsetError, UnknownNameError
from relatome.formats import files, losses
from relatome.formats.offsets import fitted
from relatome.formats.text import Split
from tests.drawn import documents as drawn

DATA = Path(__file__).parent / "data"
# The main files: one that is read together with another, as ChemProt's entities, is no sample of its own.
SAMPLES = [
    (format, path.name)
    for format in formats.FORMATS
    for path in sorted((DATA / format).glob("notes*"))
    if not path.is_dir() and not formats.is_part(path)
]
every_sample = pytest.mark.parametrize(("format", "name"), SAMPLES)
every_format = pytest.mark.parametrize("format", list(formats.FORMATS))
# What can be written and read again: chemprot writes what its scorer reads, which holds no text.
WRITABLE = [name for name in formats.writable() if "text" in import_module(formats.FORMATS[name]).HOLDS]
every_writable = pytest.mark.parametrize("format", WRITABLE)
OUT = {"brat": "out.tar"}  # what is several files a document is written into one
MANY = 30_000  # mentions: what compares each with each takes minutes with them, what reads them once a few seconds
MOST_SECONDS = 120  # of the processor: a reader that takes longer than that for a few thousand characters hangs


def module(format: str) -> ModuleType:
    return import_module(formats.FORMATS[format])


def sample(format: str, name: str) -> Path:
    return DATA / format / name


def copied(format: str, name: str, folder: Path) -> Path:
    """The sample, and what belongs to it, in a folder that a test may change."""
    shutil.copytree(DATA / format, folder, dirs_exist_ok=True)
    return folder / name


def is_text(format: str, name: str) -> bool:
    """Whether a sample is text, and not packed as parquet is."""
    return b"\0" not in sample(format, name).read_bytes()


def knows_its_own(format: str) -> bool:
    """Whether its content tells a format."""
    return hasattr(module(format), "fits") or hasattr(module(format), "fits_archive")


def in_order(document: Document) -> Document:
    """A document whose mentions and relations stand in the order of their ids: where formats keep ids, order is none."""
    return replace(
        document,
        mentions=tuple(sorted(document.mentions, key=lambda mention: mention.id)),
        relations=tuple(sorted(document.relations, key=lambda relation: relation.id)),
    )


# ------------------------------------------------------------------------------------------------ what is read


def test_every_format_has_a_sample() -> None:
    assert {format for format, _ in SAMPLES} == set(formats.FORMATS)


def test_the_page_shows_every_format() -> None:
    root = Path(__file__).parents[1]
    page = (root / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = {row.split("|")[1].strip(" `"): row.split("|")[2:] for row in page.splitlines() if row.startswith("| `")}
    advice = "`python docs/formats_table.py` writes the table again"
    assert list(rows) == sorted(formats.FORMATS), advice
    for name, (*_, writes, keeps, by_content, _) in rows.items():
        holds: frozenset[str] = getattr(module(name), "HOLDS", frozenset())
        assert (writes.strip() == "yes") == hasattr(module(name), "write"), advice
        assert (by_content.strip() == "yes") == knows_its_own(name), advice
        assert ("everything" in keeps) == (holds == losses.EVERYTHING), advice
        assert all(f"`{key}`" in keeps for key in holds - losses.EVERYTHING), advice
        assert f"**`{name}`**" in page or f"`{name}`" in page.partition("## What goes wrong")[2], "say its traps"


@every_format
def test_every_reader_can_be_told_of_rejects_and_repairs(format: str) -> None:
    parameters = signature(module(format).read).parameters
    assert {"on_reject", "on_repair"} <= set(parameters)
    assert hasattr(module(format), "HOLDS") == hasattr(module(format), "write")


@every_format
def test_the_samples_hold_several_documents_and_what_is_not_ascii(format: str) -> None:
    read = [document for kind, name in SAMPLES if kind == format for document in formats.read(sample(kind, name), kind)]
    assert len(read) > 1
    assert not all(document.text.isascii() for document in read)


@every_sample
def test_the_content_tells_the_format(format: str, name: str, tmp_path: Path) -> None:
    if not knows_its_own(format):
        pytest.skip("its content cannot tell: --from is needed")
    assert formats.guess(sample(format, name)) == format
    # What a name says is not asked for the format, only for what one cannot see: DRUG-DOSE.rel looks like DRUG-AE.rel.
    other = tmp_path / "no.extension.at.all"
    other.write_bytes(sample(format, name).read_bytes())
    assert formats.guess(other) == format


@every_sample
def test_documents_are_whole_and_ids_unique(format: str, name: str) -> None:
    read = list(formats.read(sample(format, name), format))
    assert read
    assert len({document.id for document in read}) == len(read)
    for document in read:
        document.check()
        assert document.text.strip()


@pytest.mark.parametrize("change", ["gzip", "byte-order mark", "CRLF", "no last line end"])
@every_sample
def test_what_the_text_is_wrapped_in_changes_nothing(format: str, name: str, change: str, tmp_path: Path) -> None:
    if not is_text(format, name) and change != "gzip":
        pytest.skip("it is not text")
    original = sample(format, name)
    data = original.read_bytes()
    if change == "gzip" and data[:2] == b"\x1f\x8b":
        pytest.skip("it is gzip already")
    wrapped = {
        "gzip": gzip.compress(data),
        "byte-order mark": b"\xef\xbb\xbf" + data,
        "CRLF": data.replace(b"\n", b"\r\n"),
        "no last line end": data.rstrip(b"\n"),
    }[change]
    path = copied(format, name, tmp_path)
    path.write_bytes(wrapped)
    assert list(formats.read(path, format)) == list(formats.read(original, format))


@pytest.mark.parametrize("target", WRITABLE)
@every_sample
def test_what_is_written_is_read_again(format: str, name: str, target: str, tmp_path: Path) -> None:
    """Every sample in every format: what the target can hold comes back, and nothing else."""
    read = list(formats.read(sample(format, name), format))
    expected = [in_order(formats.kept(document, target)) for document in read]
    assert expected_losses(read, expected, target)
    path = tmp_path / OUT.get(target, "out")
    assert formats.write(read, path, target) == len(read)
    assert [in_order(document) for document in formats.read(path, target)] == expected
    assert formats.guess(path) == target
    first = path.read_bytes()
    formats.write(read, path, target)
    assert path.read_bytes() == first
    # What was read from it loses nothing when it is written once more.
    again = list(formats.read(path, target))
    once_more = tmp_path / f"again-{path.name}"
    formats.write(again, once_more, target)
    assert list(formats.read(once_more, target)) == again


def expected_losses(read: list[Document], kept: list[Document], target: str) -> bool:
    """Whether a loss is counted for a document exactly where it changed, as far as its ids and texts."""
    for document, after in zip(read, kept, strict=True):
        assert document.id == after.id
        counts = formats.lost(document, target)
        if not counts:
            assert in_order(forgetting(document, after)) == in_order(forgetting(after, after))
        if document.text != after.text:
            assert counts["text"] == 1
    return True


def forgetting(document: Document, like: Document) -> Document:
    """A document without what no one misses: where its file had it, and borders and passages that a format adds."""
    return replace(
        document,
        meta={key: value for key, value in document.meta.items() if key not in losses.ELSEWHERE},
        passages=document.passages or like.passages,
        sentences=document.sentences or like.sentences,
        tokens=document.tokens or like.tokens,
    )


@every_writable
@settings(max_examples=80)
@given(data=st.data())
def test_what_is_drawn_comes_back(format: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    documents = [data.draw(drawn(str(number))) for number in range(1, data.draw(st.integers(1, 2)) + 1)]
    path = tmp_path_factory.mktemp("drawn") / "out"
    try:
        formats.write(documents, path, format)
    except InputError as problem:  # a format may refuse what it cannot write, by name
        assert problem.document in {document.id for document in documents}
        return
    expected = [in_order(formats.kept(document, format)) for document in documents]
    assert [in_order(document) for document in formats.read(path, format)] == expected


@every_writable
def test_a_gzip_is_written_where_the_name_says_so(format: str, tmp_path: Path) -> None:
    documents = [Document("1", "Plombidol inhibits KRNX2")]
    path = tmp_path / (OUT.get(format, "out") + ".gz")
    formats.write(documents, path, format)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert [document.text for document in formats.read(path, format)] == ["Plombidol inhibits KRNX2"]


@every_writable
def test_many_mentions_take_little_time(format: str, tmp_path: Path) -> None:
    text = "KRNX2 " * MANY
    mentions = tuple(Mention(f"T{n + 1}", 6 * n, 6 * n + 5, "Gene", "KRNX2") for n in range(MANY))
    document = Document("1", text.strip(), sentences=(Span(0, len(text) - 1),), mentions=mentions)
    begun = time.process_time()
    formats.write([document], tmp_path / "out", format)
    (again,) = formats.read(tmp_path / "out", format)
    assert len(again.mentions) == len(formats.kept(document, format).mentions)  # all, or none are held
    assert time.process_time() - begun < 20


@every_sample
def test_standard_input(format: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if hasattr(module(format), "is_part"):
        pytest.skip("other files are found beside it; standard input has no neighbours")
    plain = sample(format, name).read_bytes()
    for data in (plain, plain if plain.startswith(b"\x1f\x8b") else gzip.compress(plain)):
        stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)))
        monkeypatch.setattr(sys, "stdin", stream)
        read = list(formats.read("-", format))
        expected = list(formats.read(sample(format, name), format))
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


@pytest.mark.skipif(sys.platform == "win32", reason="there are no permissions of this kind")
def test_a_file_that_may_not_be_read() -> None:
    """Root may read everything, so it reads as the user nobody, in a folder that is open to all."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "closed")
        assert "no such file" in problem_of(path, "text")  # all that is imported for it is imported
        path.write_text("x")
        path.chmod(0)
        me = os.geteuid()
        os.seteuid(me or 65534)
        try:
            assert path.is_file()
            problem = problem_of(path, "text")
        finally:
            os.seteuid(me)
        assert "may not be read" in problem


@every_format
def test_a_binary_file(format: str, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    problem_of(path, format)
    assert "binary" in problem_of(path)


@pytest.mark.parametrize("keep", [0.5, 0.99])
@every_sample
def test_a_truncated_gzip_names_the_file(format: str, name: str, keep: float, tmp_path: Path) -> None:
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


@contextlib.contextmanager
def no_hang() -> Iterator[None]:
    """An error where something takes longer than a reader may."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"no end after {MOST_SECONDS} seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGPROF")
@pytest.mark.parametrize("lenient", [False, True], ids=["strict", "lenient"])
@every_sample
def test_cut_at_every_byte(format: str, name: str, lenient: bool, tmp_path: Path) -> None:
    """What is left is read as documents, each right in itself and all but the last whole; or the error says where."""
    data = sample(format, name).read_bytes()
    whole = list(formats.read(sample(format, name), format))
    path = copied(format, name, tmp_path)
    told: list[InputError] = []
    with no_hang():
        for length in range(0, len(data), 1 + len(data) // (8000 if is_text(format, name) else 1000)):
            path.write_bytes(data[:length])
            read: list[Document] = []
            problems: list[InputError] = []
            try:
                for document in formats.read(
                    path, format, on_reject=problems.append, on_repair=told.append if lenient else None
                ):
                    read.append(document.check())
            except InputError as problem:
                problems.append(problem)
            assert all(problem.path for problem in problems), problems
            if not lenient and not problems:
                assert all(read[index].text == whole[index].text for index in range(len(read) - 1))
    assert all(problem.path for problem in told)


@every_sample
def test_another_encoding_names_line_and_byte(format: str, name: str, tmp_path: Path) -> None:
    if not is_text(format, name):
        pytest.skip("it is not text")
    path = copied(format, name, tmp_path)
    data = sample(format, name).read_bytes()
    at = data.rindex(b"e")
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
@every_sample
@settings(max_examples=25)
@given(data=st.data())
def test_no_file_breaks_a_reader(
    format: str, name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
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

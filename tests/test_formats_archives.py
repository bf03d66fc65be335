"""Archives: their members are read as the files they are, and a hostile one does no harm."""

from __future__ import annotations

import gzip
import io
import stat
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from relatome import formats
from relatome.documents import Document
from relatome.errors import InputError
from relatome.formats import archives
from tests.test_formats import DATA, SAMPLES, module

Members = list[tuple[str, bytes]]

KINDS = ["tar", "tar.gz", "zip"]


def packed(members: Members, kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return stream.getvalue()
    with tarfile.open(fileobj=stream, mode="w") as archive_:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive_.addfile(info, io.BytesIO(data))
    return gzip.compress(stream.getvalue()) if kind == "tar.gz" else stream.getvalue()


def archive(members: Members, folder: Path, kind: str = "tar.gz") -> Path:
    path = folder / "corpus.archive"  # the content tells, not the name
    path.write_bytes(packed(members, kind))
    return path


def problem_of(path: Path, format: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        list(formats.read(path, format))
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


every_kind = pytest.mark.parametrize("kind", KINDS)
TEXTS = [("a.txt", b"Plombidol is safe.\n"), ("in/b.txt", b"Velorazine is not.\n")]


@every_kind
@pytest.mark.parametrize(
    "format", sorted({format for format, _ in SAMPLES if not getattr(module(format), "ARCHIVES", False)})
)
def test_every_sample_reads_the_same_from_an_archive(format: str, kind: str, tmp_path: Path) -> None:
    """What belongs together lies in the archive together; the others are read member by member."""
    folder = DATA / format
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name.startswith("notes")]
    path = archive([(f"corpus/{file.name}", file.read_bytes()) for file in files], tmp_path, kind)
    expected = [
        document
        for kind_, name in sorted(SAMPLES)
        if kind_ == format
        for document in formats.read(folder / name, format)
    ]
    read = list(formats.read(path, format))
    assert sorted(document.text for document in read) == sorted(document.text for document in expected)
    assert sorted(mention.text for document in read for mention in document.mentions) == sorted(
        mention.text for document in expected for mention in document.mentions
    )


@every_kind
def test_members_are_read_in_order_and_by_their_content(kind: str, tmp_path: Path) -> None:
    members = [
        ("corpus/z.xml", (DATA / "bioc" / "notes.xml").read_bytes()),
        ("corpus/__MACOSX/._z.xml", b"\0\5"),
        ("corpus/.DS_Store", b"\0\5"),
        ("corpus/a.pubtator", (DATA / "pubtator" / "notes.pubtator").read_bytes()),
        ("./notes.txt.gz", gzip.compress(b"Plombidol.")),
    ]
    path = archive(members, tmp_path, kind)
    assert formats.guess(path) == "bioc"
    read = list(formats.read(path))
    assert [document.id for document in read] == ["9000001", "9000002", "9000001", "9000002", "notes:1"]


def test_files_that_belong_together_are_found_by_their_names(tmp_path: Path) -> None:
    members = [(f"in/{file.name}", file.read_bytes()) for file in sorted((DATA / "chemprot").glob("notes_*"))]
    path = archive(members, tmp_path)
    assert formats.guess(path) == "chemprot"
    assert sum(len(document.mentions) for document in formats.read(path)) == 3
    broken = [(name, data.replace(b"39\t44", b"40\t44")) for name, data in members]
    message = problem_of(archive(broken, tmp_path))
    assert message.startswith(f"{path}/in/notes_entities.tsv:1: document 9000002: ")
    rejects: list[InputError] = []
    list(formats.read(path, on_reject=rejects.append))
    assert [str(reject.path) for reject in rejects] == [f"{path}/in/notes_entities.tsv"]


@every_kind
def test_an_error_says_archive_member_and_line(kind: str, tmp_path: Path) -> None:
    path = archive([*TEXTS, ("bad.jsonl", b'{"text": "x"}\n{"txt": "y"}\n'), ("c.txt", b"Third.\n")], tmp_path, kind)
    assert problem_of(path).startswith(f"{path}/bad.jsonl:2: document has an unknown key 'txt'")
    rejects: list[InputError] = []
    read = list(formats.read(path, on_reject=rejects.append))
    assert [document.id for document in read] == ["a:1", "b:1", "bad:1", "c:1"]
    assert len(rejects) == 1


@pytest.mark.parametrize("name", ["../evil.txt", "in/../../evil.txt", "/etc/evil.txt", "..\\evil.txt", "C:\\evil.txt"])
@every_kind
def test_names_that_leave_are_refused(name: str, kind: str, tmp_path: Path) -> None:
    path = archive([TEXTS[0], (name, b"Evil."), TEXTS[1]], tmp_path, kind)
    assert "this member of the archive" in problem_of(path) and "refused" in problem_of(path)
    rejects: list[InputError] = []
    assert [document.id for document in formats.read(path, on_reject=rejects.append)] == ["a:1", "b:1"]
    assert len(rejects) == 1 and str(rejects[0]).startswith(str(path))
    with archives.unpacked(path, on_reject=rejects.append) as inside:
        assert sorted(file.name for file in inside.folder.rglob("*") if file.is_file()) == ["a.txt", "b.txt"]
        assert [file.name for file in inside.files] == ["a.txt", "b.txt"]
    assert not inside.folder.exists()
    assert not (tmp_path / "evil.txt").exists()


def test_a_tar_that_lists_its_own_folder_first(tmp_path: Path) -> None:
    """As ``tar -C FOLDER -cf corpus.tar .`` writes it."""
    folder, path = tmp_path / "corpus", tmp_path / "corpus.tar"
    folder.mkdir()
    for name, data in TEXTS:
        (folder / Path(name).name).write_bytes(data)
    with tarfile.open(path, "w") as written:
        written.add(folder, arcname=".")
        assert written.getnames()[0] == "."
    assert sorted(document.id for document in formats.read(path)) == ["a:1", "b:1"]
    with archives.unpacked(path) as inside:
        assert sorted(file.name for file in inside.files) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("type", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(type: bytes, tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("passwords.txt")
        info.type = type
        info.linkname = "/etc/passwd"
        tar.addfile(info)
    assert ("is a link" if type in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "is no ordinary file") in problem_of(path)


def test_a_link_in_a_zip_and_an_encrypted_member(tmp_path: Path) -> None:
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        info = zipfile.ZipInfo("passwords.txt")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(info, "/etc/passwd")
    assert "is a link" in problem_of(path)
    data = bytearray(packed([TEXTS[0]], "zip"))
    data[6] |= 1  # the flag of encryption, in both places it stands
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(bytes(data))
    assert "is encrypted" in problem_of(path)


@every_kind
def test_a_bomb_is_given_up(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1 << 20)
    if kind == "tar":
        pytest.skip("a tar is no smaller than what is in it")
    path = archive([(f"{number}.txt", b"a\n" * (1 << 20)) for number in range(4)], tmp_path, kind)
    assert "unpacks to more than 200 times its size" in problem_of(path)
    with pytest.raises(InputError, match="200 times"), archives.unpacked(path):
        pass


def test_what_is_unpacked_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_UNPACKED_BYTES", 20)
    with pytest.raises(InputError, match="it unpacks to more than"), archives.unpacked(archive(TEXTS, tmp_path)):
        pass


@every_kind
def test_an_archive_cut_anywhere_is_an_error(kind: str, tmp_path: Path) -> None:
    data = packed(TEXTS, kind)
    path = tmp_path / "cut"
    end = len(data) - 1024 if kind == "tar" else len(data)  # after its two blocks of nothing a tar may be cut
    end = len(packed(TEXTS, "tar").rstrip(b"\0")) if kind == "tar" else end
    for length in [*range(520, end, 97 if kind == "tar" else 7), end - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"cut"):
            list(formats.read(path))


@every_kind
def test_changed_bytes_are_an_error_or_other_documents(kind: str, tmp_path: Path) -> None:
    data = packed(TEXTS, kind)
    path = tmp_path / "changed"
    for at in range(0, len(data), 1 if len(data) < 1000 else 13):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            for document in formats.read(path):
                document.check()
        except InputError as problem:
            assert problem.path


@every_kind
def test_an_archive_without_files(kind: str, tmp_path: Path) -> None:
    path = archive([(".hidden", b"x")], tmp_path, kind)
    assert "this archive holds no files that could be read" in problem_of(path)


def test_two_members_of_one_name(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="two members of this archive have this name"),
        archives.unpacked(archive([TEXTS[0], TEXTS[0]], tmp_path)),
    ):
        pass


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_tar_on_standard_input(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(packed(TEXTS, kind))))
    monkeypatch.setattr(sys, "stdin", stream)
    assert [document.text for document in formats.read("-")] == ["Plombidol is safe.", "Velorazine is not."]


def test_a_zip_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(packed(TEXTS, "zip"))))
    monkeypatch.setattr(sys, "stdin", stream)
    with pytest.raises(InputError, match="<stdin>: a zip archive cannot be read from standard input"):
        list(formats.read("-"))


@every_kind
def test_memory_does_not_grow_with_the_archive(kind: str, tmp_path: Path) -> None:
    lines = "".join(f'{{"text": "Plombidol {number} {"inhibits KRNX2 " * 60}"}}\n' for number in range(500)).encode()
    path = archive([(f"{number}.jsonl", lines) for number in range(12)], tmp_path, kind)
    del lines
    next(formats.read(path))
    tracemalloc.start()
    try:
        assert sum(1 for _ in formats.read(path)) == 6000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_document_is_the_same_inside_and_outside(tmp_path: Path) -> None:
    path = archive([("notes.jsonl", (DATA / "jsonl" / "notes.jsonl").read_bytes())], tmp_path)
    read: list[Document] = list(formats.read(path))
    assert read == list(formats.read(DATA / "jsonl" / "notes.jsonl"))

"""Archives: tar, gzipped tar and zip, read member by member, without ever writing where a member says.

PubTator ships its BioC files as one ``.tar.gz``, brat corpora come as a zip of pairs. ``members`` hands over one member
after another, a bounded piece of memory at a time; ``unpacked`` puts all of them into a folder that is deleted
afterwards, for formats whose files belong together (brat's ``.txt`` and ``.ann``, ChemProt's tables).

An archive is a stranger's folder: absolute names and names with ``..``, links and devices are refused, and so is one
that unpacks to two hundred times its size. Hidden files and ``__MACOSX`` are left out. Content tells what is an archive.
"""

from __future__ import annotations

import contextlib
import io
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, cast

from relatome.errors import FormatError, InputError
from relatome.formats.files import Lent, OnReject, beginning, opened, settle, shown

Kind = Literal["tar", "zip"]

MOST_TIMES = 200  # deflate reaches 1,032; text 3 to 10, the most repetitive XML 60
FREE_BYTES = 64 * 1024 * 1024  # what may be unpacked whatever the size of the archive
MOST_UNPACKED_BYTES = 8 * 1024**3  # into a folder

_READ_BYTES = 1 << 16
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


def kind(path: str | Path) -> Kind | None:
    """Whether a file is an archive, and of which kind; ``None`` for any other file.

    A gzipped tar is a tar. An error that opening the file would bring is left for who opens it.
    """
    try:
        start = beginning(path, 512)
    except InputError:
        return None
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return "tar" if start[257:262] == b"ustar" else None


def members(path: str | Path, *, on_reject: OnReject | None = None) -> Generator[Lent, None, None]:
    """The files in an archive, in its order, each readable until the next is asked for.

    Parameters
    ----------
    path
        The archive; ``"-"`` for a tar on standard input.
    on_reject
        Told about a member that is refused, which is then left out; without it the error is raised.

    Yields
    ------
    Lent
        A path, ``ARCHIVE/MEMBER``, that ``relatome.formats.files`` opens; there is no such file.

    Raises
    ------
    InputError
        The archive is damaged, ends too early, is a bomb, or has no files in it.
    """
    found = 0
    for name, stream in _members(path, on_reject):
        found += 1
        yield Lent(f"{shown(path)}/{name}", stream)
    if not found:
        raise InputError("this archive holds no files that could be read", path=shown(path))


class Unpacked(NamedTuple):
    """A folder with an archive's files, and these in the archive's order."""

    folder: Path
    files: tuple[Path, ...]


@contextlib.contextmanager
def unpacked(path: str | Path, *, on_reject: OnReject | None = None) -> Iterator[Unpacked]:
    """The files of an archive in a folder, as long as the block lasts: for formats whose files belong together.

    Parameters
    ----------
    path
        The archive; ``"-"`` for a tar on standard input.
    on_reject
        Told about a member that is refused, which is then left out; without it the error is raised. Errors that
        a reader raises about files of the folder are given the archive's name by ``renamed``.

    Raises
    ------
    InputError
        The archive is damaged, ends too early, is a bomb, or has no files in it.
    """
    with tempfile.TemporaryDirectory(prefix="relatome-") as name:
        folder = Path(name)
        files: list[Path] = []
        total = 0
        for member in members(path, on_reject=on_reject):
            target = folder / member.removeprefix(f"{shown(path)}/")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:
                    while data := member.stream.read(_READ_BYTES):
                        total += len(data)
                        if total > MOST_UNPACKED_BYTES:
                            raise InputError(
                                f"it unpacks to more than {MOST_UNPACKED_BYTES // 2**30} GB",
                                path=shown(path),
                                advice="unpack it, and read the folder",
                            )
                        file.write(data)
                files.append(target)
            except FileExistsError:
                problem = InputError("two members of this archive have this name", path=member)
                settle(problem, on_reject)
            except OSError as problem_:
                raise InputError(f"this member cannot be unpacked: {problem_.strerror}", path=member) from None
        yield Unpacked(folder, tuple(files))


def renamed(folder: Path, path: str | Path) -> Callable[[InputError], InputError]:
    """What gives an error about a file in the unpacked folder the name that the file has in its archive."""

    def rename(problem: InputError) -> InputError:
        if problem.path is not None:
            problem.path = problem.path.replace(str(folder), shown(path))
        problem.message = problem.message.replace(str(folder), shown(path))
        return problem

    return rename


def pairs_up(path: str | Path, is_part: Callable[[Path], bool], *, most: int = 64) -> bool:
    """Whether some of an archive's first files belong to others of them, by their names.

    Parameters
    ----------
    path
        The archive; standard input cannot be looked into, so there it is never so.
    is_part
        Whether a file is read together with another one beside it.
    most
        How many files are looked at, and at most 16 MB of a tar; of a zip, which has a list, all.
    """
    if str(path) == "-":
        return False
    names: list[str] = []
    try:
        if kind(path) == "zip":
            with _zip(path) as archive:
                names = [info.filename for info in archive.infolist() if not info.is_dir() and info.file_size]
        else:
            with _tar(path) as tar:
                for info in tar:
                    if info.isreg() and info.size:
                        names.append(info.name)
                    if len(names) >= most or info.offset_data > 16 * 1024 * 1024:
                        break
    except (InputError, *_DAMAGE):  # said when it is read
        pass
    with tempfile.TemporaryDirectory(prefix="relatome-") as folder:
        made = []
        for name in names:
            if _refused(name) is None and not _hidden(name):
                target = Path(folder, name)
                with contextlib.suppress(OSError):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(b"?")
                    made.append(target)
        return any(map(is_part, made))


def _members(path: str | Path, on_reject: OnReject | None) -> Iterator[tuple[str, io.BufferedReader]]:
    return _zip_members(path, on_reject) if kind(path) == "zip" else _tar_members(path, on_reject)


def _tar_members(path: str | Path, on_reject: OnReject | None) -> Iterator[tuple[str, io.BufferedReader]]:
    budget = _Budget(path)
    with _tar(path) as archive:
        while (info := archive.following()) is not None:
            why = _refused(info.name)
            if info.isdir() and why is None:
                continue
            if not info.isdir() and (not info.isreg() or info.issparse()):
                why = "is a link" if info.issym() or info.islnk() else "is no ordinary file"
            if why is not None:
                settle(_refusal(path, info.name, why), on_reject)
            elif not _hidden(info.name):
                yield info.name, _lent(archive.content(info), path, info.name, budget)


def _zip_members(path: str | Path, on_reject: OnReject | None) -> Iterator[tuple[str, io.BufferedReader]]:
    budget = _Budget(path)
    with _zip(path) as archive:
        for info in archive.infolist():
            why = _refused(info.filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                why = "is a link"
            elif info.flag_bits & 1:
                why = "is encrypted"
            if why is not None:
                settle(_refusal(path, info.filename, why), on_reject)
            elif not info.is_dir() and not _hidden(info.filename):
                try:
                    content = archive.open(info)
                except _DAMAGE as damage:
                    settle(_damaged(damage, f"{shown(path)}/{info.filename}"), on_reject)
                    continue
                with content:
                    yield info.filename, _lent(content, path, info.filename, budget)


class _Tar:
    """A tar that is read from its beginning to its end."""

    def __init__(self, stream: io.BufferedReader, path: str | Path) -> None:
        self._path = path
        self._bytes = _Ended(stream)
        try:
            self._tar = tarfile.open(fileobj=cast(Any, self._bytes), mode="r|", errors="surrogateescape")  # noqa: SIM115
        except _DAMAGE as damage:
            raise _damaged(damage, path) from None

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        while (info := self.following()) is not None:
            yield info

    def following(self) -> tarfile.TarInfo | None:
        """The next member; at the end, none."""
        try:
            info = self._tar.next()
            cast(Any, self._tar).members = []  # it would remember every one of them
            if info is None and not self._bytes.ended:
                raise EOFError("it ends too early (it is truncated)")
        except _DAMAGE as damage:
            raise _damaged(damage, self._path) from None
        return info

    def content(self, info: tarfile.TarInfo) -> IO[bytes]:
        """The bytes of the last member."""
        content = self._tar.extractfile(info)
        assert content is not None  # an ordinary file has some
        return content


@contextlib.contextmanager
def _tar(path: str | Path) -> Iterator[_Tar]:
    with opened(path) as stream:
        yield _Tar(stream, path)


@contextlib.contextmanager
def _zip(path: str | Path) -> Iterator[zipfile.ZipFile]:
    if str(path) == "-":
        raise InputError(
            "a zip archive cannot be read from standard input: its list is at its end",
            path=shown(path),
            advice="save it as a file first",
        )
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as damage:
        raise _damaged(damage, path) from None
    with archive:
        yield archive


class _Ended:
    """The bytes of a tar, and whether they end as a tar must: with two blocks of nothing."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._last = b""

    @property
    def ended(self) -> bool:
        while self.read(_READ_BYTES):
            pass
        return len(self._last) == 1024 and not any(self._last)

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._last = (self._last + data)[-1024:]
        return data


class _Budget:
    """How much an archive may unpack to."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.packed = 0 if str(path) == "-" else Path(path).stat().st_size
        self.unpacked = 0

    def spend(self, size: int) -> None:
        self.unpacked += size
        if self.packed and self.unpacked > FREE_BYTES and self.unpacked > MOST_TIMES * self.packed:
            raise InputError(
                f"this archive unpacks to more than {MOST_TIMES} times its size: a bomb?",
                path=shown(self.path),
                advice="if you trust it, unpack it, and read the folder",
            )


class _Content(io.RawIOBase):
    """A member's bytes; what is wrong with them is one of our errors."""

    def __init__(self, content: IO[bytes], path: str | Path, name: str, budget: _Budget) -> None:
        self._content = content
        self._where = f"{shown(path)}/{name}"
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._content.read(len(buffer))
        except _DAMAGE as damage:
            raise _damaged(damage, self._where) from None
        self._budget.spend(len(data))
        buffer[: len(data)] = data
        return len(data)


def _lent(content: IO[bytes], path: str | Path, name: str, budget: _Budget) -> io.BufferedReader:
    return io.BufferedReader(_Content(content, path, name, budget), _READ_BYTES)


def _refused(name: str) -> str | None:
    """Why a name is refused."""
    if name in (".", "./"):  # the archive's own folder, which ``tar -C FOLDER .`` lists first
        return None
    parts = name.replace("\\", "/").split("/")
    if not name.strip("/.") or ".." in parts:
        return "leaves the archive's folder"
    if name.startswith(("/", "\\")) or (len(parts[0]) == 2 and parts[0][1] == ":"):
        return "has an absolute name"
    if "\0" in name or len(name) > 4096 or any(len(part) > 255 for part in parts):
        return "has a name that no file can have"
    return None


def _hidden(name: str) -> bool:
    parts = [part for part in name.split("/") if part != "."]
    return "__MACOSX" in parts or any(part.startswith(".") for part in parts)


def _refusal(path: str | Path, name: str, why: str) -> InputError:
    return FormatError(f"this member of the archive {why}: refused", path=f"{shown(path)}/{name!r}"[:300])


def _damaged(damage: BaseException, where: str | Path) -> InputError:
    if isinstance(damage, InputError):
        return damage
    what = str(damage) or "it is truncated"
    return InputError(f"the archive is damaged: {what}", path=shown(where), advice="fetch it again")

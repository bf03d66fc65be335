"""Opening, decoding and numbering, once for all formats; and writing a file whole or not at all.

Only content tells what a file is: gzip is known by its first two bytes, never by its name. A line ends at LF or CRLF;
CR alone, form feed, U+0085 and U+2028 are ordinary characters (real abstracts hold them, and offsets count them).
Text is strict UTF-8, a byte-order mark is dropped, and whatever is wrong is an ``InputError`` with the line it is in.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

from relatome.errors import InputError

OnReject = Callable[[InputError], None]

MOST_BYTES_A_LINE = 64 * 1024 * 1024  # a gzip bomb is one endless line; the longest real line seen is 2 MB
_LEAST_BYTES = 512  # enough to know a tar by
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_XML = re.compile(r"<[?!A-Za-z]")
_XML_BEFORE = re.compile(
    r"\s+|<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|<!DOCTYPE[^\[>]*(?:\[.*?(?:\]\s*>|\Z)|>|\Z)", re.DOTALL
)
_XML_ROOT = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_JSON = re.compile(r"(?:\[\s*)?\{(?=\s*(?:[\"}]|$))")
_JSON_TOKEN = re.compile(r'"((?:[^"\\]|\\(?:.|\Z))*+)(?:"(\s*:)?|\Z)|[{}\[\]]', re.DOTALL)


class Line(NamedTuple):
    """A decoded line without its line end, and its 1-based number."""

    number: int
    text: str


class Lent(str):
    """The path of something that is no file of its own, a member of an archive, with its bytes; to be read once."""

    __slots__ = ("stream",)
    stream: io.BufferedReader

    def __new__(cls, path: str, stream: io.BufferedReader) -> Lent:
        lent = super().__new__(cls, path)
        lent.stream = stream
        return lent


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[io.BufferedReader]:
    """The bytes of a file, or of standard input for ``"-"``; unzipped if they are gzip.

    Raises
    ------
    InputError
        There is no such file, it is a folder or may not be read, it is empty or its gzip stream is damaged.
    """
    with contextlib.ExitStack() as closing:
        plain = _plain(path, closing)
        start = plain.peek(2)[:2]
        if not start:
            raise InputError("the file is empty", path=shown(path), advice="there is nothing to read")
        try:
            if start == _GZIP:
                unzipped = closing.enter_context(gzip.GzipFile(fileobj=plain, mode="rb"))
                plain = closing.enter_context(io.BufferedReader(cast(io.RawIOBase, unzipped), 1 << 16))
                if not plain.peek(1):
                    raise InputError("the file is empty inside its gzip", path=shown(path))
            yield plain
        except (EOFError, gzip.BadGzipFile, zlib.error) as damage:
            raise _damaged(damage, path) from None


def numbered(path: str | Path) -> Iterator[Line]:
    """The lines of a text file, decoded and numbered, one at a time.

    Raises
    ------
    InputError
        The file is not UTF-8 text, or cannot be opened or unzipped; with path and line.
    """
    number = 0
    with opened(path) as stream:
        while True:
            try:
                raw = stream.readline(MOST_BYTES_A_LINE + 1)
            except (EOFError, gzip.BadGzipFile, zlib.error) as damage:
                raise _damaged(damage, path).at(line=number + 1) from None
            if not raw:
                return
            number += 1
            if len(raw) > MOST_BYTES_A_LINE:
                raise InputError(
                    f"a line of more than {MOST_BYTES_A_LINE // 2**20} MB",
                    path=shown(path),
                    line=number,
                    advice="is this a text file? break it into lines",
                )
            yield Line(number, _decoded(raw, path, number))


def beginning(path: str | Path, size: int = 1 << 16) -> bytes:
    """The first bytes of a file, unzipped; standard input and members of archives lose nothing by it.

    Raises
    ------
    InputError
        The file cannot be opened or unzipped, or is empty.
    """
    stream = _shared(path)
    if stream is None:
        with opened(path) as file:
            # read1: a truncated gzip still shows its beginning. It may give less than there is.
            start = file.read1(size)
            while len(start) < min(size, _LEAST_BYTES) and (more := file.read1(size - len(start))):
                start += more
            return start
    start = stream.peek(size)
    if start.startswith(_GZIP):
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, size)
        except zlib.error as damage:
            raise _damaged(damage, path) from None
    if not start:
        raise InputError("the file is empty", path=shown(path), advice="there is nothing to read")
    return start[:size]


def head(path: str | Path, characters: int = 1 << 16) -> str:
    """The beginning of a file, unzipped and decoded, to guess its format by; standard input loses nothing by it.

    What is not UTF-8 becomes U+FFFD here: whoever reads the file says exactly where it is wrong.
    """
    start = beginning(path, characters)
    encoding = "utf-16" if start.startswith(_UTF16) else "utf-8-sig"
    return start.decode(encoding, errors="replace")


def xml_root(start: str) -> str | None:
    """The name of the first element of what begins like XML; ``None`` for anything else.

    Examples
    --------
    >>> xml_root("<?xml version='1.0'?><!DOCTYPE collection SYSTEM 'BioC.dtd'><collection>")
    'collection'
    """
    if not _XML.match(start):
        return None
    at = 0  # a comment, an instruction or a document type may hold what looks like an element
    while before := _XML_BEFORE.match(start, at):
        at = before.end()
    root = _XML_ROOT.match(start, at)
    return root[1] if root else ""


def json_keys(start: str) -> tuple[str, ...]:
    """The keys of the first object of what begins like JSON, as far as it is there; of a list, of its first object.

    Keys of objects inside that object are left out. Anything but an object, or a list of objects, has none.

    Examples
    --------
    >>> json_keys('{"source": "x", "documents": [{"id": "1", "passages": [')
    ('source', 'documents')
    >>> json_keys(
    ...     '[{"id": 1, "text": "An {odd} one',
    ... )
    ('id', 'text')
    """
    first = _JSON.match(start)
    if not first:
        return ()
    keys: list[str] = []
    depth, at = 1, first.end()
    while token := _JSON_TOKEN.search(start, at):
        at = token.end()
        if token[0] in ("{", "["):
            depth += 1
        elif token[0] in ("}", "]"):
            depth -= 1
            if not depth:
                break
        elif depth == 1 and token[2]:
            keys.append(token[1])
    return tuple(keys)


def json_object(start: str) -> bool:
    """Whether something begins like a JSON object, or a list of objects."""
    return bool(_JSON.match(start))


def first_lines(start: str, most: int = 20) -> list[str]:
    """The first lines that are not blank of the beginning of a file; a last one that may be cut off is left out.

    Examples
    --------
    >>> first_lines("PMID\\tsentence\\r\\n\\n9000001\\tA se")
    ['PMID\\tsentence']
    """
    whole, _, cut = start.rpartition("\n")
    return [line for text in (whole or cut).split("\n") if (line := text.rstrip("\r")).strip()][:most]


def settle(problem: InputError, on_reject: OnReject | None) -> None:
    """Report a document that cannot be read and go on; with no one to report it to, raise it."""
    if on_reject is None:
        raise problem
    on_reject(problem)


@contextlib.contextmanager
def located(*, path: str | Path | None = None, line: int | None = None, document: str | None = None) -> Iterator[None]:
    """Give an error raised inside the place it does not know yet."""
    try:
        yield
    except InputError as problem:
        problem.at(path=None if path is None else shown(path), line=line, document=document)
        raise


def shown(path: str | Path) -> str:
    """The path as messages print it."""
    return "<stdin>" if str(path) == "-" else str(path)


def stem(path: str | Path) -> str:
    """The file's name without ``.gz`` and without its extension, from which ids are made.

    Examples
    --------
    >>> stem("in/abstracts.txt.gz")
    'abstracts'
    """
    if str(path) == "-":
        return "stdin"
    name = Path(path).name
    name = name[:-3] if name.endswith(".gz") else name
    return Path(name).stem or name


@contextlib.contextmanager
def writing(path: str | Path | TextIO) -> Iterator[TextIO]:
    """A text stream to write to; a file appears under its name only when the block ends without an error.

    A name that ends in ``.gz`` is compressed. A stream that is already open is used as it is and left open.
    """
    if not isinstance(path, (str, Path)):
        yield path
        return
    with writing_bytes(path) as binary, io.TextIOWrapper(binary, encoding="utf-8", newline="\n") as stream:
        yield stream


@contextlib.contextmanager
def writing_bytes(path: str | Path) -> Iterator[BinaryIO]:
    """A stream of bytes to write to; a file appears under its name only when the block ends without an error.

    A name that ends in ``.gz`` is compressed.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with contextlib.ExitStack() as closing:
            binary: BinaryIO = closing.enter_context(temporary.open("wb"))
            if target.suffix == ".gz":
                # No name and no time inside: the same documents give the same bytes.
                zipped = gzip.GzipFile(filename="", mode="wb", fileobj=binary, mtime=0)
                binary = cast(BinaryIO, closing.enter_context(zipped))
            yield binary
        temporary.replace(target)
    except UnicodeEncodeError as problem:
        raise InputError(
            f"this text cannot be written as UTF-8: it holds half a character, {problem.object[problem.start]!r}",
            path=target,
            advice="a lone surrogate is no character",
        ) from None
    except FileNotFoundError:
        raise InputError("its folder does not exist", path=target, advice=f"mkdir -p {target.parent}") from None
    except PermissionError:
        raise InputError("this file may not be written", path=target, advice="check the permissions") from None
    except OSError as problem:  # a full disk, a folder of that name
        raise InputError(f"this file cannot be written: {problem.strerror}", path=target) from None
    finally:
        temporary.unlink(missing_ok=True)


def _shared(path: str | Path) -> io.BufferedReader | None:
    """The stream of a path that is no file: standard input, a member of an archive."""
    if isinstance(path, Lent):
        return path.stream
    return cast(io.BufferedReader, sys.stdin.buffer) if str(path) == "-" else None


def _plain(path: str | Path, closing: contextlib.ExitStack) -> io.BufferedReader:
    shared = _shared(path)
    if shared is not None:
        return shared  # not closed: it is not ours
    try:
        return closing.enter_context(Path(path).open("rb"))
    except FileNotFoundError:
        raise InputError("no such file", path=shown(path), advice="check the path") from None
    except IsADirectoryError:
        raise InputError(
            "this is a folder, not a file", path=shown(path), advice="name a file, or relatome.read(folder)"
        ) from None
    except PermissionError:
        raise InputError("this file may not be read", path=shown(path), advice="check its permissions") from None
    except (OSError, ValueError) as problem:  # a name too long, or one with a NUL in it
        what = problem.strerror if isinstance(problem, OSError) else problem
        raise InputError(f"this file cannot be opened: {what}", path=shown(path)[:200]) from None


def _decoded(raw: bytes, path: str | Path, number: int) -> str:
    raw = raw.removesuffix(b"\n").removesuffix(b"\r") if raw.endswith(b"\n") else raw
    if number == 1:
        if raw.startswith(_UTF16):
            raise InputError(
                "the file is UTF-16, not UTF-8",
                path=shown(path),
                line=1,
                advice="convert it: iconv -f UTF-16 -t UTF-8",
            )
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in raw:
        raise InputError(
            f"the file is binary, not text: a NUL byte at byte {raw.index(0) + 1} of the line",
            path=shown(path),
            line=number,
            advice="only text, and gzip of text, can be read",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise InputError(
            f"the text is not UTF-8: byte {problem.start + 1} of the line is 0x{raw[problem.start]:02x}",
            path=shown(path),
            line=number,
            advice="convert it, for example: iconv -f WINDOWS-1252 -t UTF-8",
        ) from None


def _damaged(damage: Exception, path: str | Path) -> InputError:
    what = "ends too early (it is truncated)" if isinstance(damage, EOFError) else f"is damaged ({damage})"
    return InputError(f"the gzip stream {what}", path=shown(path), advice="fetch the file again")

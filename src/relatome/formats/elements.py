"""XML elements one at a time, from files that may be hostile: what all XML formats share.

No document type is loaded, no entity is expanded, nothing is fetched. A file that declares entities, or uses one that
only an unread document type could explain, is refused: its text would not be what its author sees. An element is
handed over when it is complete and emptied afterwards, so memory holds one at a time; what no one asked for is thrown
away with the next one, and a file in which the next one does not come is refused. Comments and processing instructions
are not there: a text is in one piece, and children are elements.

What it costs is what is not asked of lxml: the parser tells only of the elements wanted, since to be told of all doubles
the time of parsing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from lxml import etree

from relatome.errors import FormatError
from relatome.formats.files import MOST_BYTES_A_LINE, opened, shown

_CHUNK_BYTES = 1 << 16
_PROLOG_BYTES = 1 << 10  # which are parsed twice
_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?(?=\s*<)(?:<\?xml\s[^>]*\?>)?")
_UNDECLARED = (etree.ErrorTypes.ERR_UNDECLARED_ENTITY, etree.ErrorTypes.WAR_UNDECLARED_ENTITY)


class Readable(Protocol):
    """Bytes that can be read a piece at a time."""

    def read(self, size: int, /) -> bytes: ...


def elements(path: str | Path, wanted: Collection[str], *, roots: Collection[str] = ()) -> Iterator[etree._Element]:
    """The complete elements of some names, in the order of the file; each is emptied when the next is asked for.

    An element inside another wanted one is not handed over by itself. Names are without namespace.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    wanted
        Names of the elements to hand over.
    roots
        What the file's first element may be called; anything, where it is empty.

    Raises
    ------
    FormatError
        The file is not well-formed XML, declares or uses entities, has another root, or holds more than 64 MB
        without a wanted element or in one; with the line.
    """
    with opened(path) as stream:
        yield from elements_in(stream, path, wanted, roots=roots)


def elements_in(
    stream: Readable, path: str | Path, wanted: Collection[str], *, roots: Collection[str] = ()
) -> Iterator[etree._Element]:
    """The elements as ``elements`` gives them, of bytes that are open already; the path is for messages."""
    yield from _located(path, _elements(path, stream, wanted, roots))


def children(path: str | Path, wanted: Collection[str], *, roots: Collection[str]) -> Iterator[etree._Element]:
    """The children of the root that have some names, or the root if it has: as ``elements``, in seven eighths of the time.

    The parser does not stop at the beginning of every element to see whether it should tell of it. It tells of
    processing instructions only: one of ours, before the root, by which the root is found.
    """
    with opened(path) as stream:
        yield from _located(path, _children(path, stream, wanted, roots))


def words(element: etree._Element | None) -> str:
    """All the text in an element, without its markup; line breaks and the indentation round them become one blank."""
    if element is None:
        return ""
    text: str = "".join(element.itertext()) if len(element) else element.text or ""
    return flowed(text) if "\n" in text else text.strip()


def flowed(text: str) -> str:
    """A text in one line: line breaks and the indentation round them become one blank.

    Examples
    --------
    >>> flowed("Velorazine in\\n\\n    kidneys. ")
    'Velorazine in kidneys.'
    """
    return " ".join(filter(None, (line.strip(" \t") for line in text.split("\n")))).strip()


def _located(path: str | Path, found: Iterator[etree._Element]) -> Iterator[etree._Element]:
    """The same elements; what the parser says is wrong is said as everything else."""
    try:
        yield from found
    except etree.XMLSyntaxError as problem:
        message = problem.msg or "not XML"
        if "entity amplification" in message or "Entity" in message or "entity loop" in message:
            raise _entities(path, line=problem.lineno) from None
        raise FormatError(
            f"this is not well-formed XML: {message}", path=shown(path), line=problem.lineno or None
        ) from None


def _elements(
    path: str | Path, stream: Readable, wanted: Collection[str], roots: Collection[str]
) -> Iterator[etree._Element]:
    chunk, _ = _prolog(path, stream, roots)
    # Only where elements begin: the parser would have to stop at each end of any element to see whether to tell of it.
    parser = _parser(("start",), [f"{{*}}{name}" for name in sorted(wanted)])
    begun: etree._Element | None = None  # the last wanted element that is in no other, if it was not handed over yet
    waiting = 0  # bytes since one of them began
    while chunk:
        parser.feed(chunk)
        _refuse_references(path, parser)
        waiting += len(chunk)
        for _, element in parser.read_events():
            if begun is not None:
                if _is_inside(element, begun):
                    continue
                yield begun
                _forget(begun)
            begun, waiting = element, 0
        # What follows an element is there only when it is complete.
        if begun is not None and (begun.tail is not None or begun.getnext() is not None):
            yield begun
            _forget(begun)
            begun = None
        _refuse_long(path, waiting, wanted, begun is not None)
        chunk = stream.read(_CHUNK_BYTES)
    parser.close()
    if begun is not None:
        yield begun


def _children(
    path: str | Path, stream: Readable, wanted: Collection[str], roots: Collection[str]
) -> Iterator[etree._Element]:
    chunk, name = _prolog(path, stream, roots)
    start = _DECLARATION.match(chunk)
    if name in wanted or start is None or b"\0" in chunk:  # or an encoding in which ours would be something else
        yield from _elements(path, _Again(chunk, stream), wanted, roots)
        return
    parser = _parser(("pi",))
    chunk = chunk[: start.end()] + b"<?root?>" + chunk[start.end() :]
    root: etree._Element | None = None
    waiting = 0  # bytes since a child was complete
    done = False  # whether the first child there is was handed over
    others = False  # whether a child may hold instructions
    while chunk:
        parser.feed(chunk)
        _refuse_references(path, parser)
        waiting += len(chunk)
        for _, instruction in parser.read_events():
            others = root is not None
            root = instruction.getroottree().getroot() if root is None else root
        if root is not None and len(root):
            # What follows an element is there only when it is complete.
            complete = len(root) - (root[-1].tail is None)
            for child in root[int(done) : complete]:
                waiting = 0
                if child.tag in wanted:
                    yield _without_instructions(child) if others else child
            # The last child stays, though empty: the parser may be writing the text after it.
            done = complete == len(root)
            if done:
                root[-1].clear(keep_tail=True)
            del root[: max(0, complete - done)]
        _refuse_long(path, waiting, wanted, True)
        chunk = stream.read(_CHUNK_BYTES)
    parser.close()
    for child in [] if root is None else root[int(done) :]:
        if child.tag in wanted:
            yield _without_instructions(child) if others else child


def _without_instructions(element: etree._Element) -> etree._Element:
    etree.strip_elements(element, etree.ProcessingInstruction, with_tail=False)
    return element


def _is_inside(element: etree._Element, other: etree._Element) -> bool:
    parent = element.getparent()
    return parent is not other.getparent() and any(ancestor is other for ancestor in element.iterancestors())


def _prolog(path: str | Path, stream: Readable, roots: Collection[str]) -> tuple[bytes, str]:
    """The beginning of the file as far as its root, which a parser of its own has seen and found harmless; its name."""
    parser = _parser(("start",))
    start = b""
    while chunk := stream.read(_PROLOG_BYTES):
        start += chunk
        if b"<!ENTITY" in start[-len(chunk) - 8 :]:  # before an entity in an attribute can be expanded
            raise _entities(path)
        parser.feed(chunk)
        for _, root in parser.read_events():
            dtd = root.getroottree().docinfo.internalDTD
            if dtd is not None and any(True for _ in dtd.iterentities()):
                raise _entities(path)
            name = etree.QName(root).localname
            if roots and name not in roots:
                raise FormatError(
                    f"the root of this XML is <{name}>, not one of: {', '.join(sorted(roots))}",
                    path=shown(path),
                    line=root.sourceline,
                )
            return start, name
        if len(start) > MOST_BYTES_A_LINE:
            raise FormatError(f"{MOST_BYTES_A_LINE // 2**20} MB of XML without an element", path=shown(path))
    parser.close()
    return start, ""


class _Again:
    """Bytes that were read already, then the rest."""

    def __init__(self, start: bytes, rest: Readable) -> None:
        self.start = start
        self.rest = rest

    def read(self, size: int, /) -> bytes:
        start, self.start = self.start[:size], self.start[size:]
        return start or self.rest.read(size)


def _refuse_long(path: str | Path, waiting: int, wanted: Collection[str], is_inside: bool) -> None:
    if waiting > MOST_BYTES_A_LINE:
        what = "in one element" if is_inside else "without any of: " + ", ".join(sorted(wanted))
        raise FormatError(f"more than {MOST_BYTES_A_LINE // 2**20} MB of XML {what}", path=shown(path))


def _refuse_references(path: str | Path, parser: etree.XMLPullParser) -> None:
    """Refuse what the parser has only noted: an entity in a text or an attribute that it cannot know, and leaves out."""
    for note in parser.feed_error_log:
        if note.type in _UNDECLARED:
            name = note.message.split("'")[1:2]
            raise _entities(path, f"&{name[0]};" if name else "", note.line)


def _parser(events: tuple[str, ...], tags: list[str] | None = None) -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=events,
        tag=tags,
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis="pi" not in events,
    )


def _forget(element: etree._Element) -> None:
    """Empty an element and throw away what stands before it, at every level."""
    element.clear(keep_tail=True)
    while (parent := element.getparent()) is not None:
        while element.getprevious() is not None:
            del parent[0]
        element = parent


def _entities(path: str | Path, entity: str | None = None, line: int | None = None) -> FormatError:
    what = f"uses the entity {entity}" if entity else "declares entities"
    return FormatError(
        f"this XML {what}, and entities are not expanded",
        path=shown(path),
        line=line,
        advice="if you trust the file, expand them first: xmllint --noent",
    )

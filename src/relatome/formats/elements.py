"""XML elements one at a time, from files that may be hostile: what BioC and PubMed share.

No document type is loaded, no entity is expanded, nothing is fetched. A file that declares entities, or uses one that
only an unread document type could explain, is refused: its text would not be what its author sees. An element is
handed over when it is complete and emptied afterwards, so memory holds one at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from lxml import etree

from relatome.errors import FormatError
from relatome.formats.files import opened, shown

_CHUNK_BYTES = 1 << 16


def elements(path: str | Path, wanted: Collection[str]) -> Iterator[etree._Element]:
    """The complete elements of some names, in the order of the file; each is emptied when the next is asked for.

    An element inside another wanted one is not handed over by itself.

    Raises
    ------
    FormatError
        The file is not well-formed XML, or declares or uses entities; with the line.
    """
    parser = etree.XMLPullParser(
        events=("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
    )
    depth = 0  # how many wanted elements are open
    first = True
    with opened(path) as stream:
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                if first and b"<!ENTITY" in chunk:
                    raise _entities(path)
                parser.feed(chunk)
                for event, element in parser.read_events():
                    if first:
                        dtd = element.getroottree().docinfo.internalDTD
                        if dtd is not None and any(True for _ in dtd.iterentities()):
                            raise _entities(path)
                        first = False
                    if not isinstance(element.tag, str):
                        continue
                    is_wanted = etree.QName(element).localname in wanted
                    if is_wanted and event == "start":
                        depth += 1
                    elif is_wanted:
                        depth -= 1
                        if not depth:
                            for entity in element.iter(etree.Entity):
                                raise _entities(path, entity.text, element.sourceline)
                            yield element
                    if event == "end" and not depth:
                        _forget(element)
            parser.close()
        except etree.XMLSyntaxError as problem:
            message = problem.msg or "not XML"
            if "entity amplification" in message or "Entity" in message or "entity loop" in message:
                raise _entities(path, line=problem.lineno) from None
            raise FormatError(
                f"this is not well-formed XML: {message}", path=shown(path), line=problem.lineno or None
            ) from None


def words(element: etree._Element | None) -> str:
    """All the text in an element, without its markup; a line break and the indentation round it become one blank."""
    if element is None:
        return ""
    text = "".join(element.itertext(etree.Element))
    if "\n" in text:
        text = " ".join(line.strip(" \t") for line in text.split("\n"))
    return text.strip()


def _forget(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is None:
        return
    tail = element.tail  # kept: it may be text of an element that is still open
    element.clear()
    while element.getprevious() is not None:
        del parent[0]
    element.tail = tail


def _entities(path: str | Path, entity: str | None = None, line: int | None = None) -> FormatError:
    what = f"uses the entity {entity}" if entity else "declares entities"
    return FormatError(
        f"this XML {what}, and entities are not expanded",
        path=shown(path),
        line=line,
        advice="if you trust the file, expand them first: xmllint --noent",
    )

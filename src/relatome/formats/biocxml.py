"""BioC XML in the shape that almost every file of it has, taken apart without a tree.

A tree of elements costs more than everything else that is done to a document. So the bytes of one document after another
are cut out, and where they are plain (the elements of BioC's document type in its order; no comment, section, instruction or
entity of its own) a few regular expressions take the document apart. Annotations and relations of one file look alike:
the first one gives the expression that the others are tried with.

Nothing is guessed: a document that is not of that shape to the last character is parsed by lxml, and from the first byte
that lxml has to see in its place (a comment, an error) the rest of the file is. Which of them read a document makes no
difference to what is read; a test holds them to each other.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from lxml import etree

from relatome.errors import FormatError
from relatome.formats.elements import elements_in
from relatome.formats.files import opened

_Json = dict[str, Any]

HEADER = ("source", "date", "key")

_CHUNK_BYTES = 1 << 16
_MOST_BYTES = 64 * 1024 * 1024  # of one document; what is longer is lxml's to refuse
_MOST_FORMS = 8  # of annotations, that are looked for in a file
_ENOUGH = 3  # annotations of another form in one document: it is worth learning
_MARKS = "\0\1"
_NO_MARKS = bytes(range(2, 256))
_MOST_KNOWN, _LONGEST_KNOWN = 4000, 500  # texts of infons remembered, and how long they may be
_BLANKS = b" \t\r\n"
_END = b"</document>"
_ILLEGAL_AND_CR = bytes(byte for byte in range(32) if byte not in b" \t\n")

# A passage's offset, text and infons, and offset, text and infons of each of its sentences.
Section = tuple[int, str, _Json, Sequence[tuple[int, str, _Json]]]
# A relation's id, its infons, and the reference and the role of each of its nodes.
Linked = tuple[str, _Json, list[tuple[str, str]]]


# The text that ``infons_in`` understands, or keys and values.
Infons = str | tuple[tuple[str, str], ...]


class Annotations(NamedTuple):
    """The annotations of the usual forms, in columns; their infons are text yet, for ``infons_in``."""

    ids: list[str]
    infons: Sequence[Infons]
    offsets: list[int]
    lengths: list[int]
    texts: list[str]


class Odd(NamedTuple):
    """Another annotation: its id, its infons, offset and length of each of its locations, and its text."""

    id: str
    infons: Infons
    numbers: tuple[int, ...]
    text: str


class Relations(NamedTuple):
    """The relations of one form, without nodes: the keys of their infons, their ids, and what each says."""

    keys: tuple[str, ...]
    ids: list[str]
    values: list[tuple[str, ...]]


class Plain(NamedTuple):
    """A document taken apart."""

    id: str
    infons: _Json
    sections: list[Section]
    annotations: Annotations
    odd: list[Odd]
    order: bytes
    """Where there are odd ones, 0 or 1 for each annotation as they stand in the document: whether it is odd."""
    relations: Relations | list[Linked]


class Found(NamedTuple):
    """A document of a file: the line it begins in, the collection's header, and the document, plain or as an element."""

    line: int
    header: _Json
    plain: Plain | None
    data: bytes
    element: etree._Element | None

    def record(self) -> _Json:
        """The document in the shape of BioC's JSON."""
        element = self.element if self.element is not None else etree.fromstring(self.data, _parser())
        return _record(element)


def documents(path: str | Path) -> Iterator[Found]:
    """The documents of a BioC XML file, one after another.

    Raises
    ------
    FormatError
        The file is not well-formed XML, or declares or uses entities; with the line.
    """
    forms = _Forms()
    start: bytes | None = None  # what stands before the first document
    header: _Json = {}
    pieces: list[bytes] = []  # of a document that has not ended yet
    held = 0
    line = 1
    with opened(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            if pieces:  # the end may lie across two chunks
                chunk = pieces[-1][-len(_END) :] + chunk
                pieces[-1] = pieces[-1][: -len(_END)]
            *ended, rest = chunk.split(_END)
            for index, piece in enumerate(ended):
                data = b"".join((*pieces, piece, _END))
                pieces.clear()
                if start is None:
                    opening = _OPENING.match(data)
                    start = opening[0] if opening and b"]]>" not in opening[0] else b""
                    header = _header(start)
                    line += start.count(b"\n")
                    data = data[len(start) :]
                inner = data.lstrip(_BLANKS)
                line += data.count(b"\n", 0, len(data) - len(inner))
                plain = _taken_apart(inner, forms) if start else None
                element = None if plain or not start else _parsed(inner)
                if plain is None and element is None:
                    left = b"".join((inner, *(each + _END for each in ended[index + 1 :]), rest))
                    yield from _by_lxml(path, start, left, stream, line - 1 - start.count(b"\n"))
                    return
                yield Found(line, dict(header), plain, inner, element)
                line += inner.count(b"\n")
            pieces.append(rest)
            held = len(rest) if ended else held + len(chunk)
            if held > _MOST_BYTES:
                break
        left = b"".join(pieces)
        if not start or chunk or not _CLOSING.fullmatch(left):
            yield from _by_lxml(path, start or b"", left, stream, line - 1 - (start or b"").count(b"\n"))


class _Rejoined:
    """A stream that gives some bytes once more before it goes on."""

    def __init__(self, start: bytes, stream: BinaryIO) -> None:
        self._start, self._stream = io.BytesIO(start), stream

    def read(self, size: int, /) -> bytes:
        """At most so many bytes."""
        return self._start.read(size) or self._stream.read(size)


def _by_lxml(path: str | Path, start: bytes, rest: bytes, stream: BinaryIO, lines: int) -> Iterator[Found]:
    """The documents from here on: lxml is given the beginning of the file and then what has not been read."""
    header: _Json = {}
    try:
        for element in elements_in(_Rejoined(start + rest, stream), path, {"document", "infon", *HEADER}):
            if element.tag == "document":
                yield Found((element.sourceline or 0) + lines, dict(header), None, b"", element)
            elif element.tag == "infon":
                header.setdefault("infons", {})[element.get("key", "")] = "".join(element.itertext())
            elif element.text:
                header[str(element.tag)] = element.text
    except FormatError as problem:
        problem.line = None if problem.line is None else problem.line + lines
        raise


def _parsed(data: bytes) -> etree._Element | None:
    """A document that is well-formed by itself, and ends nowhere before its last byte."""
    if b"<!" in data or b"<?" in data or not data.startswith(b"<document"):
        return None
    try:
        return etree.fromstring(data, _parser())
    except etree.XMLSyntaxError:  # lxml will say so again, with the line in the file
        return None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)


def _record(element: etree._Element) -> _Json:
    """An element's children: the repeated ones as lists, under the plural that JSON calls them by."""
    record: _Json = dict(element.attrib)
    for child in element:
        if not isinstance(child.tag, str):
            continue
        if child.tag == "infon":
            record.setdefault("infons", {})[child.get("key", "")] = "".join(child.itertext())
        elif child.tag in ("passage", "sentence", "annotation", "relation", "location", "node"):
            record.setdefault(child.tag + "s", []).append(_record(child))
        else:
            record[child.tag] = "".join(child.itertext())
    return record


def _header(start: bytes) -> _Json:
    """The collection's source, date, key and infons, as far as it has them."""
    text = start.decode("ascii", "ignore").replace("\r\n", "\n").replace("\r", "\n")
    header: _Json = dict(re.findall(r"<(source|date|key)>([^<]+)<", text))
    if "<infon" in text:
        header["infons"] = infons_in(text[text.index("<infon") :])
    return header


# ------------------------------------------------------------------------------------------- one document's text


class _Unusual(Exception):
    """The document is not of the usual shape."""


class _Form:
    """What relations of this file look like: an expression made of one of them."""

    def __init__(self) -> None:
        self.pattern: re.Pattern[str] | None = None
        self.keys: tuple[str, ...] = ()
        self.nodes = 0
        self.turned = False  # role before reference

    def learn(self, example: str) -> None:
        """Take a relation that the general expression knows for the form of those to come, if it is a simple one."""
        if "/>" in example.split("<node")[0]:
            return
        self.pattern = re.compile(_expression(example.rstrip()) + _W)
        self.keys = _keys(example)
        self.nodes = example.count("<node ")
        self.turned = "<node role" in example


class _AnnotationForm:
    """What annotations of this file look like: alike but for their infons, of which there are several kinds."""

    def __init__(self) -> None:
        self.pattern: re.Pattern[str] | None = None
        self.turned = False  # length before offset
        self._round: tuple[str, str] | None = None
        self._kinds: list[str] = []

    def learn(self, found: re.Match[str]) -> None:
        """Look for annotations like this one, too, if it is a simple one."""
        start, infons, end = (found[0][slice(*part)] for part in _parts(found))
        around = (_expression(start), _expression(end.rstrip()) + _W)
        if "/>" in infons or end.count("<location") != 1 or len(self._kinds) == _MOST_FORMS:
            return
        if self._round not in (None, around):
            return
        self._round = around
        self._kinds.append(_expression(infons).replace("([^<]*)", "[^<]*"))
        self.turned = "<location length" in end
        self.pattern = re.compile(f"{around[0]}({'|'.join(self._kinds)}){around[1]}")


def _parts(found: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Where an annotation's beginning, its infons and its end stand in it."""
    start, end = (place - found.start() for place in found.span("infons"))
    yield from ((0, start), (start, end), (end, len(found[0])))


def _expression(example: str) -> str:
    """The expression for what is like an example: every value may be another one, what goes round it stays."""
    pieces = enumerate(_VALUES.split(example))
    return "".join(_PLACES[piece[0]](piece) if index % 2 else re.escape(piece) for index, piece in pieces)


def _keys(example: str) -> tuple[str, ...]:
    return tuple(re.findall(r"""<infon key=["']([^"']*)""", example))


class _Forms:
    """What this file's annotations and relations look like, and what infons in it say."""

    def __init__(self) -> None:
        self.annotation = _AnnotationForm()
        self.relation = _Form()
        self._infons: dict[str, _Json] = {}

    def infons(self, text: str) -> _Json:
        """The infons in a text, not to be changed; most of them come again and again."""
        known = self._infons.get(text)
        if known is None:
            known = infons_in(text)
            if len(text) <= _LONGEST_KNOWN:
                if len(self._infons) >= _MOST_KNOWN:
                    self._infons.clear()
                self._infons[text] = known
        return known


def _taken_apart(original: bytes, forms: _Forms) -> Plain | None:
    """A document's parts; ``None`` where it is not of the usual shape to the last character."""
    # Line ends of two characters become one: XML says so. A lone CR would, too, but it is rare: lxml reads it.
    data = original.translate(None, _ILLEGAL_AND_CR)
    if len(data) < len(original) and original.count(b"\r\n") != len(original) - len(data):
        return None
    # One byte is looked for much faster than two or three. U+FFFE and U+FFFF are no characters of XML.
    if (b"]" in data and b"]]>" in data) or (b"\xef" in data and b"\xef\xbf" in data):
        return None
    try:
        return _plain(data.decode(), forms)
    except (UnicodeDecodeError, _Unusual):
        return None


def _plain(text: str, forms: _Forms) -> Plain:
    """The parts of a document's text, the short way where it is the usual one."""
    opening = _DOCUMENT.match(text)
    if opening is None:
        raise _Unusual
    escaped = "&" in text
    identity, infons = opening.groups()
    bare, annotations, odd = _annotations(text[opening.end() :], forms, escaped)
    order = bare.encode().translate(None, _NO_MARKS) if odd else b""
    sections: list[Section] | None = None
    relations: Relations | list[Linked] | None = None
    if "<sentence" not in bare:
        sections, rest = _sections(bare, forms, escaped)
        relations = _linked(rest, forms.relation, escaped)
    if sections is None or relations is None:
        sections, relations = _walked(bare, forms, escaped)
    return Plain(_clear(identity, escaped), infons_in(infons), sections, annotations, odd, order, relations)


def _annotations(text: str, forms: _Forms, escaped: bool) -> tuple[str, Annotations, list[Odd]]:
    """A document's annotations, and its text without them.

    A character that no document has stands for each, so that their order is not lost: U+0000 or, for the odd, U+0001.
    """
    form = forms.annotation
    usual = Annotations([], [], [], [], [])
    pieces = form.pattern.split(text) if form.pattern else [text]
    if len(pieces) > 1:
        offsets, lengths, texts = list(map(int, pieces[3::6])), list(map(int, pieces[4::6])), pieces[5::6]
        if form.turned:
            offsets, lengths = lengths, offsets
        if escaped and "&" in "".join(texts):
            texts = [_clear(value, True) for value in texts]
        usual = Annotations(pieces[1::6], _sound(pieces[2::6], escaped), offsets, lengths, texts)
        text = "\0".join(pieces[::6])
    odd: list[Odd] = []
    if "<annotation" in text:

        def take(found: re.Match[str]) -> str:
            odd.append(_odd(found, escaped))
            if len(odd) == _ENOUGH:
                form.learn(found)
            return "\1"

        text = _ANNOTATION.sub(take, text)
        if "<annotation" in text:
            raise _Unusual
    return text, usual, odd


def _sound(infons: list[str], escaped: bool) -> list[str]:
    """The texts of infons as they are: they are read later, but what is wrong in them is found now."""
    if escaped and "&" in "".join(infons):
        for text in infons:
            if "&" in text:
                infons_in(text)
    return infons


def _odd(found: re.Match[str], escaped: bool) -> Odd:
    numbers: list[int] = []
    for first, _, one, second, _, other in _LOCATION.findall(found["locations"]):
        if first == second:
            raise _Unusual
        numbers += (int(one), int(other)) if first == "offset" else (int(other), int(one))
    return Odd(found["id"], _sound([found["infons"]], escaped)[0], tuple(numbers), _clear(found["text"], escaped))


def _sections(bare: str, forms: _Forms, escaped: bool) -> tuple[list[Section] | None, str]:
    """The passages without sentences at the beginning of a text, and what comes after them."""
    pieces = _WHOLE_PASSAGE.split(bare)
    if any(pieces[:-1:4]):
        return None, ""
    texts: list[str | None] = pieces[3::4]
    if escaped or None in texts:
        texts = [_clear(text or "", escaped) for text in texts]
    infons = map(forms.infons, pieces[1::4])
    return list(zip(map(int, pieces[2::4]), cast("list[str]", texts), infons, repeat(()), strict=False)), pieces[-1]


def _linked(rest: str, form: _Form, escaped: bool) -> Relations | list[Linked] | None:
    """The relations of the usual form that a text consists of, up to the end of the document."""
    if form.pattern is None or "<relation" not in rest:
        return [] if _LAST.fullmatch(rest) else None
    pieces = form.pattern.split(rest)
    step = form.pattern.groups + 1
    if any(pieces[:-1:step]) or not _LAST.fullmatch(pieces[-1]):
        return None
    values = [pieces[place::step] for place in range(2, step)]
    if escaped and "&" in rest:
        values = [[_clear(value, True) for value in column] for column in values]
    rows: list[tuple[str, ...]] = list(zip(*values, strict=True))
    if form.nodes:
        return [_link(form, identity, row) for identity, row in zip(pieces[1::step], rows, strict=True)]
    return Relations(form.keys, pieces[1::step], rows)


def _walked(bare: str, forms: _Forms, escaped: bool) -> tuple[list[Section], list[Linked]]:
    """The passages and relations of any document that has the usual elements."""
    sections: list[tuple[int, str, _Json, list[tuple[int, str, _Json]]]] = []
    relations: list[Linked] = []
    inner: list[Linked] = []  # relations in passages
    place = "document"
    at = 0
    while at < len(bare):
        # What a passage says itself comes before what its sentences say, in JSON too: other orders are for lxml.
        is_open = place == "sentence" or (place == "passage" and not sections[-1][3])
        if bare[at] in _MARKS and is_open:
            found = _ANNOTATIONS.match(bare, at)
        elif bare.startswith("</", at):
            found = _CLOSED.match(bare, at)
            if found is None or found[1] != place:
                raise _Unusual
            place = _AROUND[place]
        elif bare.startswith("<passage>", at) and place == "document":
            found, place = _PASSAGE.match(bare, at), "passage"
            if found is None:
                raise _Unusual
            infons, offset, content = found.groups()
            sections.append((int(offset), _clear(content or "", escaped), infons_in(infons), []))
        elif bare.startswith("<sentence>", at) and place == "passage":
            found, place = _SENTENCE.match(bare, at), "sentence"
            if found is None:
                raise _Unusual
            sections[-1][3].append((int(found[2]), _clear(found[3], escaped), infons_in(found[1])))
        elif bare.startswith("<relation", at) and (is_open or place == "document"):
            found = _RELATION.match(bare, at)
            if found is None:
                raise _Unusual
            (relations if place == "document" else inner).append(_relation(found, forms.relation, escaped))
        else:
            raise _Unusual
        assert found is not None
        at = found.end()
    if place:
        raise _Unusual
    return list(sections), relations + inner


def _relation(found: re.Match[str], form: _Form, escaped: bool) -> Linked:
    nodes: list[tuple[str, str]] = []
    for first, _, one, second, _, other in _NODE.findall(found["nodes"]):
        if first == second:
            raise _Unusual
        nodes.append((one, other) if first == "refid" else (other, one))
    if found["id"] is not None and form.pattern is None:
        form.learn(found[0])
    return found["id"] or "", infons_in(found["infons"]), nodes


def _link(form: _Form, identity: str, row: tuple[str, ...]) -> Linked:
    """A relation of nodes of the usual form, from what its expression found."""
    ends = row[len(form.keys) :]
    nodes = list(zip(ends[::2], ends[1::2], strict=True))
    infons = dict(zip(form.keys, row, strict=False))
    return identity, infons, [(one, other) for other, one in nodes] if form.turned else nodes


def infons_in(text: str) -> _Json:
    """The infons in a text of what can be infons and nothing else."""
    found = _INFON.findall(text)
    if len(found) < text.count("<infon "):
        raise _Unusual
    if "&" in text:
        return {key: _clear(value, True) for _, key, value in found}
    return {key: value for _, key, value in found}


def _clear(text: str, escaped: bool) -> str:
    """A text with its references resolved: the five that XML has, and characters by number."""
    return _REFERENCE.sub(_character, text) if escaped and "&" in text else text


def _character(found: re.Match[str]) -> str:
    name, decimal, hexadecimal = found.groups()
    if name:
        return _NAMED[name]
    if decimal is None and hexadecimal is None:
        raise _Unusual  # a lone &, or an entity that only a document type could explain
    number = int(decimal) if decimal else int(hexadecimal, 16)
    if number in (9, 10, 13) or 0x20 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0x10000 <= number < 0x110000:
        return chr(number)
    raise _Unusual


_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_AROUND = {"sentence": "passage", "passage": "document", "document": ""}

_W = r"[ \t\n]*"
_WORD = r"""[^"'<&\t\n]*"""  # an attribute's value; any other is lxml's to read
_NUMBER = r"[0-9]{1,15}"
_ANY_INFON = rf"""<infon key=(?:"{_WORD}"|'{_WORD}')(?:/>|>[^<]*</infon>){_W}"""
_ANY_LOCATION = rf"""<location(?: (?:offset|length)=(?:"{_NUMBER}"|'{_NUMBER}')){{2}} ?(?:/>|></location>){_W}"""
_ANY_NODE = rf"""<node(?: (?:refid|role)=(?:"{_WORD}"|'{_WORD}')){{2}} ?(?:/>|></node>){_W}"""

_OPENING = re.compile(
    rb"(?:\xef\xbb\xbf)?"
    rb"""(?:<\?xml version=["']1\.0["'](?: encoding=["'](?:UTF|utf)-8["'])?(?: standalone=["'](?:yes|no)["'])? ?\?>)?"""
    rb"""[ \t\r\n]*(?:<!DOCTYPE collection SYSTEM (?:"[\w./:-]*"|'[\w./:-]*')>[ \t\r\n]*)?<collection>[ \t\r\n]*"""
    rb"""(?:<(source|date|key)>[\t\r\n\x20-\x25\x27-\x3b\x3d-\x7e]*</\1>[ \t\r\n]*|<(?:source|date|key) ?/>[ \t\r\n]*"""
    rb"""|<infon key=(["'])[\w. :/-]*\2>[\t\r\n\x20-\x25\x27-\x3b\x3d-\x7e]*</infon>[ \t\r\n]*)*"""
)
_CLOSING = re.compile(rb"[ \t\r\n]*</collection>[ \t\r\n]*")
_DOCUMENT = re.compile(rf"<document>{_W}<id>([^<]*)</id>{_W}((?:{_ANY_INFON})*)")
_PASSAGE = re.compile(
    rf"<passage>{_W}((?:{_ANY_INFON})*)<offset>({_NUMBER})</offset>{_W}(?:<text>([^<]*)</text>{_W}|<text ?/>{_W})?"
)
# Its infons are looked at only once where they come again, so here they may be anything that could be infons.
_WHOLE_PASSAGE = re.compile(
    rf"<passage>{_W}((?:<infon [^<>]*>[^<]*</infon>{_W})*)<offset>({_NUMBER})</offset>{_W}"
    rf"(?:<text>([^<]*)</text>{_W}|<text ?/>{_W})?[{_MARKS}]*</passage>{_W}"
)
_ANNOTATIONS = re.compile(f"[{_MARKS}]+")
_LAST = re.compile(rf"</document>{_W}")
_SENTENCE = re.compile(rf"<sentence>{_W}((?:{_ANY_INFON})*)<offset>({_NUMBER})</offset>{_W}<text>([^<]*)</text>{_W}")
_CLOSED = re.compile(rf"</(sentence|passage|document)>{_W}")
_ANNOTATION = re.compile(
    rf"""<annotation id=(["'])(?P<id>{_WORD})\1>{_W}(?P<infons>(?:{_ANY_INFON})*)(?P<locations>(?:{_ANY_LOCATION})+)"""
    rf"""<text>(?P<text>[^<]*)</text>{_W}</annotation>{_W}"""
)
_RELATION = re.compile(
    rf"""<relation(?: id=(["'])(?P<id>{_WORD})\1)?>{_W}(?P<infons>(?:{_ANY_INFON})*)(?P<nodes>(?:{_ANY_NODE})*)</relation>{_W}"""
)
_INFON = re.compile(rf"""<infon key=(["'])({_WORD})\1(?:/>|>([^<]*)</infon>)""")
_LOCATION = re.compile(rf"""<location (\w+)=(["'])({_NUMBER})\2 (\w+)=(["'])({_NUMBER})\5""")
_NODE = re.compile(rf"""<node (\w+)=(["'])({_WORD})\2 (\w+)=(["'])({_WORD})\5""")
_REFERENCE = re.compile(r"&(?:(amp|lt|gt|quot|apos);|#([0-9]{1,7});|#x([0-9a-fA-F]{1,6});)?")
_VALUES = re.compile(
    rf"""((?<=<annotation )id=(?:"{_WORD}"|'{_WORD}')|(?<=<relation )id=(?:"{_WORD}"|'{_WORD}')"""
    rf"""|(?:offset|length)=(?:"{_NUMBER}"|'{_NUMBER}')|(?:refid|role)=(?:"{_WORD}"|'{_WORD}')|>[^<]*(?=</infon>|</text>))"""
)


def _attribute(piece: str) -> str:
    """The expression for an attribute of the same name in the same quotation marks."""
    name, quote = piece.partition("=")[0], piece[-1]
    return f"{name}={quote}({_NUMBER if name in ('offset', 'length') else _WORD}){quote}"


def _content(piece: str) -> str:
    """The expression for what stands in an element."""
    return ">([^<]*)"


_PLACES = {">": _content, **dict.fromkeys("iolr", _attribute)}

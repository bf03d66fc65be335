"""BioC, as XML and as JSON: collections of documents of passages, with annotations and relations.

The XML (``<collection>``), the JSON of the same shape (``{"documents": [...]}``), and what PubTator 3 sends
(``{"PubTator3": [...]}``, or a document a line) are told apart by content. Each passage states where it begins in the
document; the text is laid out so that it does, gaps filled with blanks, and annotations then fit as they are.
Whether offsets count bytes or characters the format leaves open; here they are characters, every annotation is
compared with the text, and one that does not fit is an error that shows both. Where all would fit if offsets counted
bytes, or the units of UTF-16, the error says so, and lenient reading converts them.

What is kept, so that a file can be written again: a passage's ``type`` is its kind, all other infons go to ``meta``;
an annotation's ``identifier`` (``MESH`` in BC5CDR) gives its concepts; several locations are fragments; a relation of
two nodes is one between mentions, the concept relations of BC5CDR (``Chemical``, ``Disease``), BioRED (``entity1``,
``entity2``) and PubTator 3 (``role1``, ``role2``) are read from their infons; any other relation is kept as it is in
``document.meta["relations"]``. What BioC has no place for is written as an infon ``relatome`` of the document, which
other programs carry along, so that nothing is lost.

References
----------
Comeau et al. 2013, https://doi.org/10.1093/database/bat064 ; http://bioc.sourceforge.net/BioC.dtd
"""

from __future__ import annotations

import copy
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from operator import add
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO, TypeVar, cast

from lxml import etree

from relatome.documents import Document, Mention, Passage, Relation, Span, mentions_of, passages_of, relations_of
from relatome.errors import FormatError, InputError, OffsetError
from relatome.formats import biocxml
from relatome.formats.files import OnReject, head, json_keys, located, settle, shown, writing, xml_root
from relatome.formats.jsonvalues import JsonReader
from relatome.formats.losses import EVERYTHING
from relatome.formats.offsets import fitted
from relatome.formats.pubtator import concepts_of
from relatome.formats.remainder import KEY, completed, remainder

_Json = dict[str, Any]

HOLDS = EVERYTHING

_KEYS = frozenset({"documents", "PubTator3", "passages", "infons"})
_MOST_BLANKS = 1_000_000  # between two passages; a hostile offset must not fill the memory
_CONCEPT_KEYS = ("identifier", "MESH", "OMIM", "NCBI Gene")
_MENTION_ROLES = ["head", "tail"]  # where no others are given
_CONCEPT_ROLES = (("entity1", "entity2"), ("Chemical", "Disease"), ("role1", "role2"))
_TYPE_KEYS = ("type", "relation", "relation type")
_LISTS: dict[str, tuple[str, ...]] = {
    "document": ("passages", "annotations", "relations"),
    "passage": ("sentences", "annotations", "relations"),
    "sentence": ("annotations", "relations"),
    "annotation": ("locations",),
    "relation": ("nodes",),
    "location": (),
    "node": (),
}
_UNITS = (("bytes", "utf-8", 1), ("UTF-16 units", "utf-16-le", 2))
_MOST_DESCRIPTIONS = 4_000  # of annotations, kept because most are said again and again


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a BioC file, XML or JSON, one after another.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a document that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about an annotation that does not fit, which is then repaired or left out and its document kept (see
        ``relatome.formats.offsets``); without it the document is rejected.

    Raises
    ------
    FormatError
        The file is not well-formed, a document lacks what it must have, or its passages overlap.
    OffsetError
        An annotation's offsets do not give its text; both are shown.
    """
    is_xml = head(path).lstrip().startswith("<")
    memory = _Memory()
    for found in biocxml.documents(path) if is_xml else _found_json(path):
        document = None
        if found.plain is not None:
            document = _plain_document(found.plain, found.header, memory)
        if document is None:  # an error, or what takes a closer look
            record = found.record()
            identity = str(record.get("id") or "").strip()

            def repair(problem: InputError, line: int = found.line, identity: str = identity) -> None:
                problem.at(path=shown(path), line=line, document=identity)
                if on_repair:
                    on_repair(problem)

            try:
                with located(path=path, line=found.line, document=identity or None):
                    document = _document(record, found.header, repair if on_repair else None)
            except InputError as problem:
                settle(problem, on_reject)
                continue
        yield document


def write(documents: Iterable[Document], path: str | Path | TextIO, *, json: bool | None = None) -> int:
    """Write documents as BioC; a file read by ``read`` gives equal documents again.

    Text that no passage covers becomes a passage without a type. Probability and source of mentions and relations
    become infons.

    Parameters
    ----------
    json
        Write JSON instead of XML; by default where the file's name ends in ``.json`` or ``.json.gz``.

    Returns
    -------
    int
        How many documents were written.
    """
    if json is None:
        json = isinstance(path, (str, Path)) and Path(path).name.removesuffix(".gz").endswith(".json")
    count = 0
    header: _Json = {}
    with writing(path) as stream:
        for document in documents:
            with located(document=document.id):
                if not count:
                    header = _header(document)
                    stream.write(_opening(header, json))
                record = _completed(document, header, json)
                stream.write((",\n" if count else "") + _dumped(_whole(record)) if json else _tagged(record))
            count += 1
        if not count:
            stream.write(_opening({}, json))
        stream.write("\n]}\n" if json else "</collection>\n")
    return count


def fits(start: str) -> bool:
    """Whether XML has BioC's root, or JSON its keys rather than our own lines', which begin with ``id`` and ``text``."""
    keys = json_keys(start)
    return xml_root(start) == "collection" or ("text" not in keys and not _KEYS.isdisjoint(keys))


# ------------------------------------------------------------------------------------------------ files to records
# A record is a document in the shape of BioC's JSON, whichever of the two it came from.


class _Found(NamedTuple):
    """A document of a JSON file; as ``biocxml.Found`` is one of an XML file."""

    value: _Json
    header: _Json
    line: int
    plain: biocxml.Plain | None

    def record(self) -> _Json:
        """The document."""
        return self.value


def _found_json(path: str | Path) -> Iterator[_Found]:
    """The documents of a JSON file without ever holding more than one: collections, lists of them, or lines."""
    reader = JsonReader(path)
    header: _Json = {}
    while reader.peek():
        yield from _collection(reader, header)


def _collection(reader: JsonReader, header: _Json) -> Iterator[_Found]:
    """One value: a list of collections or documents, a collection, or a single document."""
    if reader.peek() == "[":
        for _ in reader.walk_list():
            yield from _collection(reader, header)
        return
    line = reader.line
    if reader.peek() != "{":
        raise reader.problem("expected a JSON object")
    single: _Json = {}
    for key in reader.walk_object():
        if key in ("documents", "PubTator3") and reader.peek() == "[":
            for _ in reader.walk_list():
                at = reader.line
                record = reader.value()
                if not isinstance(record, dict):
                    raise FormatError("a document should be a JSON object", path=shown(reader.path), line=at)
                yield _Found(record, dict(header), at, _taken_apart(record))
        else:
            single[key] = reader.value()
            if single[key] and isinstance(
                single[key], dict if key == "infons" else str if key in biocxml.HEADER else ()
            ):
                header[key] = single[key]
    if "passages" in single:
        yield _Found(single, {}, line, _taken_apart(single))


def _taken_apart(record: _Json) -> biocxml.Plain | None:
    """A document in columns, as ``biocxml`` makes them, where all in it is as usual; ``None`` for a closer look.

    What is not of the kind that it should be fails here in one way or another; the closer look says what it is.
    """
    sections: list[biocxml.Section] = []
    found: list[_Json] = []
    links: list[_Json] = []
    try:
        links += record.get("relations") or ()
        for passage in record["passages"]:
            sentences = passage.get("sentences") or ()
            inner = [(each["offset"], each.get("text") or "", each.get("infons") or {}) for each in sentences]
            sections.append((passage["offset"], passage.get("text") or "", passage.get("infons") or {}, inner))
            for part in (passage, *sentences):
                found += part.get("annotations") or ()
                links += part.get("relations") or ()
        found += record.get("annotations") or ()
        places = [place for start, text, infons, inner in sections for place in ((start, text, infons), *inner)]
        columns: tuple[list[Any], ...] = ([], [], [], [], [])
        odd: list[biocxml.Odd] = []
        order = bytearray()
        for each in found:
            infons = each.get("infons") or {}
            said = tuple(infons.items())
            spots = [number for spot in each["locations"] for number in (spot["offset"], spot["length"])]
            row = (str(each.get("id") or ""), said, *spots, each.get("text") or "")
            order.append(len(spots) != 2)
            places += [(number, row[-1], infons) for number in spots]
            if set(map(type, infons.values())) - {str}:
                return None
            if len(spots) == 2:
                for column, value in zip(columns, row, strict=True):
                    column.append(value)
            elif spots:
                odd.append(biocxml.Odd(row[0], said, tuple(spots), row[-1]))
            else:
                return None
        linked = [
            (
                str(each.get("id") or ""),
                each.get("infons") or {},
                [(str(node.get("refid", "")), str(node.get("role") or "")) for node in each.get("nodes") or ()],
            )
            for each in links
        ]
    except (KeyError, TypeError, AttributeError):
        return None
    numbers, texts, tables = zip(*places, strict=True) if places else ((), (), ())
    tables = (record.get("infons") or {}, *tables, *(infons for _, infons, _ in linked))
    if set(map(type, numbers)) - {int} or set(map(type, texts)) - {str} or set(map(type, tables)) - {dict}:
        return None
    if numbers and not 0 <= min(numbers) <= max(numbers) < 10**15:
        return None
    identity = record.get("id")
    if type(identity) not in (str, int):
        return None
    relations: biocxml.Relations | list[biocxml.Linked] = linked
    keys = tuple(linked[0][1]) if linked else ()
    values = [tuple(infons.values()) for _, infons, _ in linked]
    alike = all(tuple(infons) == keys and not nodes for _, infons, nodes in linked)
    if keys and alike and not {type(value) for row in values for value in row} - {str}:
        relations = biocxml.Relations(keys, [name for name, _, _ in linked], values)
    return biocxml.Plain(
        str(identity), tables[0], sections, biocxml.Annotations(*columns), odd, bytes(order), relations
    )


# -------------------------------------------------------------------------------------------- records to documents


class _Description(NamedTuple):
    """What an annotation's infons say."""

    type: str
    concepts: tuple[str, ...]
    infons: _Json
    probability: float | None
    source: str


def _description(infons: _Json) -> _Description:
    infons = infons.copy()
    kind = str(infons.pop("type", ""))
    probability, source = _probability(infons.pop("probability", None)), str(infons.pop("source", ""))
    concepts: tuple[str, ...] = ()
    for key in _CONCEPT_KEYS:
        if key in infons:
            if infons[key] is not None:
                concepts = concepts_of(str(infons[key]))
            if key == "identifier" and infons[key] == "|".join(concepts):
                del infons[key]
            break
    return _Description(kind, concepts, infons, probability, source)


class _Memory:
    """What infons of this file said before: most say the same again, and a meta that is equal is the same."""

    def __init__(self) -> None:
        self._said: dict[biocxml.Infons, _Said] = {}
        self._parts: dict[int, tuple[_Json, str, _Json]] = {}
        self._equal: dict[tuple[str, ...], tuple[_Json, str, _Json]] = {}
        self._plans: dict[tuple[str, ...], _Plan | None] = {}

    def said(self, infons: Sequence[biocxml.Infons]) -> list[_Said]:
        """For each annotation's infons: type, concepts, meta, probability, source."""
        known = self._said
        found = list(map(known.get, infons))
        if None in found:
            if len(known) > _MOST_DESCRIPTIONS:
                known.clear()
            for text in infons:
                if text not in known:
                    kind, concepts, others, probability, source = _description(
                        biocxml.infons_in(text) if isinstance(text, str) else dict(text)
                    )
                    known[text] = (kind, concepts, {"infons": others} if others else {}, probability, source)
            found = list(map(known.get, infons))
        return cast("list[_Said]", found)

    def part(self, infons: _Json) -> tuple[_Json, str, _Json]:
        """What the infons of a passage say: themselves, its kind, its meta.

        XML gives equal infons as one object, JSON as many: so they are known by their ids first, then by what is in them.
        """
        known = self._parts.get(id(infons))
        if known is not None:
            return known
        values = tuple(infons.values())
        said = (*infons, *values) if not set(map(type, values)) - {str} else None
        known = self._equal.get(said) if said is not None else None
        if known is not None:
            return known
        if len(self._parts) > _MOST_DESCRIPTIONS:
            self._parts.clear()
            self._equal.clear()
        passage = _passage(0, 0, infons, [])
        known = (infons, passage.kind, dict(passage.meta))
        if said is not None:
            self._parts[id(infons)] = self._equal[said] = known  # the infons live as long as their id is looked up
        return known

    def plan(self, keys: tuple[str, ...]) -> _Plan | None:
        """Where relations of these keys say what, if they are simple ones between concepts."""
        if keys not in self._plans:
            self._plans[keys] = _plan(keys)
        return self._plans[keys]


_Said = tuple[str, tuple[str, ...], _Json, float | None, str]


class _Plan(NamedTuple):
    """Which of a relation's infons are its type, head and tail, and what its attributes are called."""

    type: int | None
    head: int
    tail: int
    attributes: _Json
    """Those that all have."""
    others: tuple[tuple[str, int], ...]


def _plan(keys: tuple[str, ...]) -> _Plan | None:
    names = [f"{place}" for place in range(len(keys))]
    if len(set(keys)) < len(keys) or not {"probability", "source"}.isdisjoint(keys):
        return None
    relation = _relation("", dict(zip(keys, names, strict=True)), [], {}, ())
    if relation is None:
        return None
    shared = {key: value for key, value in relation.attributes.items() if value not in names}
    others = tuple((key, int(value)) for key, value in relation.attributes.items() if value in names)
    return _Plan(int(relation.type) if relation.type else None, int(relation.head), int(relation.tail), shared, others)


def _plain_relations(found: biocxml.Relations, memory: _Memory) -> list[Relation] | None:
    """The relations of one form, column by column; ``None`` where they are not that simple."""
    plan = memory.plan(found.keys)
    if plan is None or len(set(found.ids)) < len(found.ids) or "" in found.ids:
        return None
    columns = list(zip(*found.values, strict=True))
    return relations_of(
        found.ids,
        repeat("") if plan.type is None else columns[plan.type],
        columns[plan.head],
        columns[plan.tail],
        repeat("concept"),
        [plan.attributes | {key: row[place] for key, place in plan.others} for row in found.values],
        repeat(()),
        repeat(None),
        repeat(""),
    )


def _plain_document(plain: biocxml.Plain, header: _Json, memory: _Memory) -> Document | None:
    """A document in which all is as it should be; ``None`` where a closer look must say what is wrong."""
    identity = plain.id.strip()
    if not identity or KEY in plain.infons:
        return None
    parts: list[str] = []
    length = 0
    ends: list[int] = []
    sentences: list[Span] = []
    for start, content, _, inner in plain.sections:
        if start != length:
            if not 0 <= start - length <= _MOST_BLANKS:
                return None
            parts.append(" " * (start - length))
        parts.append(content)
        length = start + len(content)
        if inner:
            if content:
                return None
            for at, own, _ in inner:
                if not 0 <= at - length <= _MOST_BLANKS:
                    return None
                parts += (" " * (at - length), own)
                length = at + len(own)
                sentences.append(Span(at, length))
        ends.append(length)
    text = "".join(parts)
    mentions = _plain_mentions(plain, text, memory)
    if mentions is None:
        return None
    relations: Iterable[Relation] | None = None
    links = plain.relations
    kept: list[_Json] = []
    if isinstance(links, biocxml.Relations):
        relations = _plain_relations(links, memory)
        links = [
            (name, dict(zip(links.keys, row, strict=True)), [])
            for name, row in zip(links.ids, links.values, strict=True)
            if relations is None
        ]
    if relations is None:
        try:
            relations, kept = _relations(links, _own(_names(plain)) if links else {}, None)
        except InputError:
            return None
    # What ``check`` looks at has been seen to be right by now; a test has it look all the same.
    return Document(
        identity,
        text,
        tuple(_plain_passages(plain.sections, ends, memory)),
        tuple(mentions),
        tuple(relations),
        (),
        (),
        tuple(sentences),
        (),
        _document_meta(header, plain.infons, kept),
    )


def _plain_passages(sections: list[biocxml.Section], ends: list[int], memory: _Memory) -> list[Passage]:
    if not sections:
        return []
    starts, _, infons, inner = zip(*sections, strict=True)
    if any(inner):
        return [
            _passage(start, end, each, [own for _, _, own in sentences])
            for start, end, each, sentences in zip(starts, ends, infons, inner, strict=True)
        ]
    _, kinds, metas = zip(*map(memory.part, infons), strict=True)
    return passages_of(kinds, starts, ends, repeat(""), metas)


def _plain_mentions(plain: biocxml.Plain, text: str, memory: _Memory) -> list[Mention] | None:
    """The mentions; ``None`` where one does not fit."""
    usual, odd = plain.annotations, plain.odd
    if not odd:
        return _group(usual, _identities(usual.ids), text, memory)
    ids = _identities(_merged(usual.ids, [each.id for each in odd], plain.order))
    mentions = _group(usual, [name for name, is_odd in zip(ids, plain.order, strict=True) if not is_odd], text, memory)
    names = [name for name, is_odd in zip(ids, plain.order, strict=True) if is_odd]
    descriptions = memory.said([each.infons for each in odd])
    others = [
        _plain_mention(name, each, description, text)
        for name, each, description in zip(names, odd, descriptions, strict=True)
    ]
    if mentions is None or None in others:
        return None
    return _merged(mentions, cast("list[Mention]", others), plain.order)


_T = TypeVar("_T")


def _merged(usual: list[_T], odd: list[_T], order: bytes) -> list[_T]:
    """The items of both in the order that says which come from the second."""
    items = (iter(usual), iter(odd))
    return [next(items[is_odd]) for is_odd in order]


def _group(group: biocxml.Annotations, ids: list[str], text: str, memory: _Memory) -> list[Mention] | None:
    """The mentions of one form; ``None`` where one of them does not fit.

    Column by column: a loop over annotations takes twice the time.
    """
    if not ids:
        return []
    texts = group.texts
    if not all(map(text.startswith, texts, group.offsets)) or list(map(len, texts)) != group.lengths or "" in texts:
        return None
    ends = map(add, group.offsets, group.lengths)
    types, concepts, metas, probabilities, sources = zip(*memory.said(group.infons), strict=True)
    return mentions_of(ids, group.offsets, ends, types, texts, concepts, repeat(()), probabilities, sources, metas)


def _plain_mention(identity: str, odd: biocxml.Odd, said: _Said, text: str) -> Mention | None:
    """One mention of any form; ``None`` if it does not fit."""
    _, _, numbers, written = odd
    kind, concepts, meta, probability, source = said
    meta = dict(meta)  # it may get the whole stretch's text
    start, end = numbers[0], numbers[0] + numbers[1]
    fragments: tuple[Span, ...] = ()
    if len(numbers) > 2:
        place = _of_parts(text, numbers, written, meta)
        if place is None:
            return None
        start, end, written, fragments = place
    if not written or end > len(text) or (not fragments and text[start:end] != written):
        return None
    return Mention(identity, start, end, kind, written, concepts, fragments, probability, source, meta)


def _of_parts(
    text: str, numbers: tuple[int, ...], written: str, meta: _Json
) -> tuple[int, int, str, tuple[Span, ...]] | None:
    """Where a discontinuous mention stands and what stands there, if it is what was written."""
    spans = sorted(Span(start, start + size) for start, size in zip(numbers[::2], numbers[1::2], strict=True))
    start, end = spans[0].start, max(span.end for span in spans)
    joined = " ".join(text[one:other] for one, other in spans)
    if written == text[start:end]:  # some writers give the whole stretch as the text of its parts
        meta["text"] = written
    elif written != joined:
        return None
    if end > len(text) or any(one >= other for one, other in spans):
        return None
    return start, end, joined, tuple(spans)


def _document(record: _Json, header: _Json, on_repair: OnReject | None) -> Document:
    """A document with whatever is wrong with it; what can be repaired is, if there is someone to tell."""
    try:
        return _Layout(record, None).document(header)
    except InputError as problem:
        for unit, encoding, size in _UNITS:
            converted = _recounted(record, encoding, size)
            try:
                document = _Layout(converted, None).document(header) if converted else None
            except InputError:
                continue
            if document is not None:
                found = OffsetError(
                    problem.message, advice=f"its offsets count {unit}, not characters; lenient reading converts them"
                )
                if on_repair is None:
                    raise found from None
                on_repair(found)
                return document
        if on_repair is None:
            raise
    return _Layout(record, on_repair).document(header)


class _Layout:
    """A document while its passages are laid out and its annotations put on them."""

    def __init__(self, record: _Json, on_repair: OnReject | None) -> None:
        self.record = record
        self.on_repair = on_repair
        self.parts: list[str] = []
        self.length = 0
        self.passages: list[Passage] = []
        self.sentences: list[Span] = []
        self.annotations: list[_Json] = []
        self.relations: list[_Json] = list(_records(record, "relations"))

    def document(self, header: _Json) -> Document:
        identity = self.record.get("id")
        if not isinstance(identity, (str, int)) or not str(identity).strip():
            raise FormatError("a document has no id")
        for passage in _records(self.record, "passages"):
            self._passage(passage)
        self.annotations.extend(_records(self.record, "annotations"))
        text = "".join(self.parts)
        mentions, ids, gone = self._mentions(text)
        links = [
            (
                str(record.get("id") or ""),
                _infons(record),
                [(str(node.get("refid", "")), str(node.get("role") or "")) for node in _records(record, "nodes")],
            )
            for record in self.relations
        ]
        for each in [each for each in links if any(end in gone for end, _ in each[2])]:
            lost = next(end for end, _ in each[2] if end in gone)
            self._wrong(FormatError(f"relation {each[0]!r} names {lost!r}, which was left out"))
            links.remove(each)
        several = {str(record.get("id") or "") for record in self.annotations} - ids.keys() - gone
        relations, kept = _relations(links, ids, self._wrong if self.on_repair else None, several)
        infons = _infons(self.record)
        rest = infons.pop(KEY, None)
        said = Document(
            str(identity).strip(),
            text,
            tuple(self.passages),
            tuple(mentions),
            relations,
            sentences=tuple(self.sentences),
            meta=_document_meta(header, infons, kept),
        ).check()
        if rest is None:
            return said
        try:
            return completed(said, _parsed(rest))
        except InputError as problem:
            self._wrong(problem)
            return said

    def _wrong(self, problem: InputError) -> None:
        if self.on_repair is None:
            raise problem
        self.on_repair(problem)

    def _passage(self, record: _Json) -> None:
        start = _number(record, "offset", "a passage")
        content = str(record.get("text") or "")
        sentences = list(_records(record, "sentences"))
        self._lay(content, start, "a passage")
        for sentence in sentences:
            at = _number(sentence, "offset", "a sentence")
            text = str(sentence.get("text") or "")
            if not content:
                self._lay(text, at, "a sentence")
            elif not text or at < start or content[at - start : at - start + len(text)] != text:
                raise FormatError(
                    f"a sentence at {at} should be {text[:60]!r}, but its passage has "
                    f"{content[max(0, at - start) :][:60]!r}"
                )
            self.sentences.append(Span(at, at + len(text)))
        self.passages.append(_passage(start, self.length, _infons(record), [_infons(each) for each in sentences]))
        for part in (record, *sentences):
            self.annotations.extend(_records(part, "annotations"))
            self.relations.extend(_records(part, "relations"))

    def _lay(self, text: str, start: int, what: str) -> None:
        gap = start - self.length
        if gap < 0 and text:
            raise FormatError(
                f"{what} begins at {start}, inside the one before it, which ends at {self.length}",
                advice="offsets count characters; do these count bytes?",
            )
        if gap < 0:
            raise FormatError(f"{what} without a text begins at {start}, inside the one before it")
        if gap > _MOST_BLANKS:
            raise FormatError(f"{what} begins at {start}, {gap:,} characters after the end of the one before it")
        self.parts += (" " * gap, text)
        self.length += gap + len(text)

    def _mentions(self, text: str) -> tuple[list[Mention], dict[str, str], set[str]]:
        """The mentions; for each annotation id that names one, that mention's id; and the ids that were left out."""
        names = [str(record.get("id") or "") for record in self.annotations]
        identities, ids = _identities(names), _own(names)
        mentions: list[Mention] = []
        gone: set[str] = set()
        for name, identity, record in zip(names, identities, self.annotations, strict=True):
            mention = _mention(record, identity, text, self.on_repair)
            if mention:
                mentions.append(mention)
            elif ids.pop(name, None):
                gone.add(name)
        return mentions, ids, gone


def _identities(names: list[str]) -> list[str]:
    """An id for each annotation: its name, where no other has it.

    An absent or doubled name gives way to a free one.
    """
    if len(set(names)) == len(names) and "" not in names:
        return names
    own = _own(names)
    taken = set(own)
    identities: list[str] = []
    free = 1
    for number, name in enumerate(names, start=1):
        if name not in own:
            free = max(free, number)
            while (name := f"T{free}") in taken:
                free += 1
            taken.add(name)
        identities.append(name)
    return identities


def _own(names: list[str]) -> dict[str, str]:
    """The names that belong to one annotation alone: what a relation may call it by, and so its id."""
    return {name: name for name, count in Counter(names).items() if name and count == 1}


def _names(plain: biocxml.Plain) -> list[str]:
    return [*plain.annotations.ids, *(odd.id for odd in plain.odd)]


def _passage(start: int, end: int, infons: _Json, sentences: list[_Json]) -> Passage:
    kind = str(infons.get("type", ""))
    meta: _Json = {}
    if len(infons) > ("type" in infons):
        meta["infons"] = {key: value for key, value in infons.items() if key != "type"}
    if sentences and any(sentences):
        meta["sentences"] = sentences
    return Passage(kind, start, end, "", meta)


def _document_meta(header: _Json, infons: _Json, kept: list[_Json]) -> _Json:
    meta: _Json = {"collection": header} if header else {}
    if infons:
        meta["infons"] = dict(infons)
    if kept:
        meta["relations"] = kept
    return meta


def _mention(record: _Json, identity: str, text: str, on_repair: OnReject | None) -> Mention | None:
    spans = sorted(
        Span(start, start + _number(location, "length", f"annotation {identity!r}"))
        for location in _records(record, "locations")
        for start in [_number(location, "offset", f"annotation {identity!r}")]
    )
    if not spans:
        raise FormatError(f"annotation {identity!r} has no location")
    written = str(record.get("text") or "")
    end = max(span.end for span in spans)
    meta: _Json = {}
    if len(spans) > 1 and written == text[spans[0].start : end]:
        # Some writers give the whole stretch as the text of its parts.
        meta["text"], written = written, " ".join(text[start:end] for start, end in spans)
    found = fitted(text, spans, written, what=f"annotation {identity!r}", on_repair=on_repair)
    if found is None:
        return None
    kind, concepts, infons, probability, source = _description(_infons(record))
    if infons:
        meta["infons"] = infons
    return Mention(
        identity,
        spans[0].start,
        end,
        kind,
        found,
        concepts,
        tuple(spans) if len(spans) > 1 else (),
        probability,
        source,
        meta,
    )


def _relations(
    links: list[biocxml.Linked],
    ids: Mapping[str, str],
    on_repair: OnReject | None,
    several: Collection[str] = (),
) -> tuple[tuple[Relation, ...], list[_Json]]:
    """The relations between two mentions or two concepts, and the others as they are."""
    relations: list[Relation] = []
    kept: list[_Json] = []
    seen: set[str] = set()
    names = {name for name, _, _ in links}
    for name, infons, nodes in links:
        identity = name or f"R{len(relations) + 1}"
        try:
            relation = _relation(identity, infons, nodes, ids, names, several)
        except InputError as problem:
            if on_repair is None:
                raise
            on_repair(problem)
            continue
        if relation is None or identity in seen:
            kept.append(
                ({"id": name} if name else {})
                | ({"infons": infons} if infons else {})
                | ({"nodes": [{"refid": end, "role": role} for end, role in nodes]} if nodes else {})
            )
        else:
            seen.add(identity)
            relations.append(relation)
    return tuple(relations), kept


def _relation(
    identity: str,
    infons: _Json,
    nodes: list[tuple[str, str]],
    ids: Mapping[str, str],
    names: Collection[str],
    several: Collection[str] = (),
) -> Relation | None:
    """A relation between two mentions or two concepts; ``None`` for anything else."""
    roles = None
    for each in _CONCEPT_ROLES:
        if each[0] in infons and each[1] in infons:
            roles = each
            break
    level: Literal["mention", "concept"] = "mention"
    attributes: _Json = {}
    if nodes and roles != _CONCEPT_ROLES[2]:
        lost = next((end for end, _ in nodes if end not in ids and end not in names), None)
        if lost is not None:
            what = "the id of several annotations" if lost in several else "no annotation of this document"
            raise FormatError(f"relation {identity!r} names {lost!r}, which is {what}")
        if len(nodes) != 2 or nodes[0][0] not in ids or nodes[1][0] not in ids:
            return None
        head, tail = ids[nodes[0][0]], ids[nodes[1][0]]
        own = [role for _, role in nodes]
        if own != _MENTION_ROLES:
            attributes["roles"] = own
        infons = dict(infons)
    elif roles is not None:
        infons = dict(infons)
        ends = [infons.pop(role) for role in roles]
        if any(isinstance(end, dict) for end in ends):  # PubTator 3 says in JSON all it knows of them
            attributes["arguments"] = ends
            ends = [end.get("identifier") or end.get("name") if isinstance(end, dict) else end for end in ends]
        head, tail = map(str, ends)
        level = "concept"
        if roles != _CONCEPT_ROLES[0]:
            attributes["roles"] = list(roles)
        if nodes:
            attributes["nodes"] = [{"refid": end, "role": role} for end, role in nodes]
    else:
        return None
    kind = ""
    for key in _TYPE_KEYS:
        if key in infons:
            kind = str(infons.pop(key))
            if key != "type":
                attributes["type_key"] = key
            break
    probability, source = _probability(infons.pop("probability", None)), str(infons.pop("source", ""))
    if "novel" in infons:
        attributes["novelty"] = infons.pop("novel")
    return Relation(identity, kind, head, tail, level, attributes | infons, (), probability, source)


def _recounted(record: _Json, encoding: str, size: int) -> _Json | None:
    """The record with offsets in characters, if they count units of an encoding; ``None`` if they cannot."""
    starts: list[int] = []
    pieces: list[tuple[int, bytes]] = []  # where each stretch of text begins in characters, and the stretch
    units = characters = 0

    def lay(text: str, at: int) -> None:
        nonlocal units, characters
        if at < units or at - units > _MOST_BLANKS:
            raise ValueError
        data = text.encode(encoding)
        starts.append(at)
        pieces.append((characters + at - units, data))
        characters, units = characters + at - units + len(text), at + len(data) // size

    def place(at: int) -> int:
        index = bisect_right(starts, at) - 1
        if index < 0:
            raise ValueError
        start, data = pieces[index]
        past = at - starts[index] - len(data) // size
        return start + len(data[: (at - starts[index]) * size].decode(encoding)) + max(0, past)

    def moved(part: _Json) -> _Json:
        part = dict(part)
        if "offset" in part:
            part["offset"] = place(_number(part, "offset", ""))
        for annotation in _records(part, "annotations"):
            annotation["locations"] = [
                {"offset": place(start), "length": place(start + length) - place(start)}
                for location in _records(annotation, "locations")
                for start, length in [(_number(location, "offset", ""), _number(location, "length", ""))]
            ]
        return part

    try:
        for passage in _records(record, "passages"):
            content = str(passage.get("text") or "")
            sentences = list(_records(passage, "sentences"))
            if content or not sentences:
                lay(content, _number(passage, "offset", ""))
            else:
                for sentence in sentences:
                    lay(str(sentence.get("text") or ""), _number(sentence, "offset", ""))
        if units == characters:
            return None  # they are the same
        record = copy.deepcopy(record)
        passages = []
        for passage in _records(record, "passages"):
            passages.append(moved(passage))
            passages[-1]["sentences"] = [moved(sentence) for sentence in _records(passage, "sentences")]
        return moved(record) | {"passages": passages}
    except (ValueError, InputError):
        return None


def _parsed(rest: object) -> object:
    """The remainder: JSON in an infon."""
    try:
        return json.loads(rest) if isinstance(rest, str) else rest
    except (ValueError, RecursionError):
        raise FormatError(f"the infon {KEY!r} should be JSON, found {str(rest)[:60]!r}") from None


def _infons(record: _Json) -> _Json:
    infons = record.get("infons") or {}
    if not isinstance(infons, dict):
        raise FormatError(f"infons should be a JSON object, found {str(infons)[:60]!r}")
    return dict(infons)


def _records(record: _Json, key: str) -> Iterator[_Json]:
    values = record.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise FormatError(f"{key} should be a list of JSON objects, found {str(values)[:60]!r}")
    yield from values


def _number(record: _Json, key: str, what: str) -> int:
    value = record.get(key)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,15}", str(value).strip()):
        raise FormatError(f"{what} has the {key} {value!r}, which is no whole number")
    return int(str(value))


def _probability(value: object) -> float | None:
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None


# -------------------------------------------------------------------------------------------- documents to records


def _completed(document: Document, header: _Json, as_json: bool) -> _Json:
    """The record of a document: what BioC can say, and as an infon what it cannot."""
    document.check()
    record = _record(document)
    if not as_json:
        record = _in_words(record)
    said = _Layout(record, None).document(header)
    if rest := remainder(document, said):
        record["infons"] = record["infons"] | {KEY: json.dumps(rest)}
    return record


def _in_words(value: _Json) -> _Json:
    """The record with infons that are strings, as XML has them."""
    words = dict(value)
    for key, inner in value.items():
        if key == "infons":
            words[key] = {
                str(name): each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)
                for name, each in inner.items()
            }
        elif isinstance(inner, list):
            words[key] = [_in_words(each) for each in inner]
    return words


def _record(document: Document) -> _Json:
    stretches = list(_covering(document))
    passages = [_stretch(document, passage) for passage in stretches]
    starts = [passage.start for passage in stretches]
    for mention in document.mentions:
        place = max(0, bisect_right(starts, mention.start) - 1)
        passages[place].setdefault("annotations", []).append(_annotation(mention, document.text))
    infons = _object(document.meta.get("infons"))
    infons.pop(KEY, None)
    record: _Json = {"id": document.id, "infons": infons, "passages": passages}
    record["relations"] = [_relation_record(relation) for relation in document.relations]
    kept = document.meta.get("relations")
    names = {relation.id for relation in document.relations} | {mention.id for mention in document.mentions}
    for each in kept if isinstance(kept, list) else ():
        nodes = each.get("nodes", []) if isinstance(each, dict) else None
        if isinstance(nodes, list) and all(
            isinstance(node, dict) and str(node.get("refid")) in names for node in nodes
        ):
            record["relations"].append(_object(each) | {"infons": _object(each.get("infons"))})
    return record


def _covering(document: Document) -> Iterator[Passage]:
    """The passages, and as passages without a kind the text between them that is more than blanks.

    Where passages lie across one another, BioC has no place for them: then all the text is one.
    """
    length = len(document.text)
    borders = [0, *(border for passage in document.passages for border in (passage.start, passage.end))]
    if borders != sorted(borders):
        yield Passage("", 0, length)
        return
    end = 0
    for passage in (*document.passages, None):
        start = passage.start if passage else length
        between = document.text[end:start]
        if between.strip(" ") or len(between) > _MOST_BLANKS or (between and passage is None):
            yield Passage("", end, start)
        if passage:
            yield passage
            end = passage.end


def _stretch(document: Document, passage: Passage) -> _Json:
    text = document.text[passage.start : passage.end]
    infons = _object(passage.meta.get("infons"))
    record: _Json = {"infons": ({"type": passage.kind} if passage.kind else {}) | infons, "offset": passage.start}
    record["text"] = text
    inside = [span for span in document.sentences if passage.start <= span.start < span.end <= passage.end]
    borders = [passage.start, *(border for span in inside for border in span), passage.end]
    gaps = "".join(document.text[start:end] for start, end in zip(borders[::2], borders[1::2], strict=True))
    # A passage that came split has its text in its sentences: they must hold all of it.
    if inside and borders == sorted(borders) and not gaps.strip(" ") and borders[-2] == passage.end:
        own = passage.meta.get("sentences")
        infons_of = own if isinstance(own, list) and len(own) == len(inside) else [{}] * len(inside)
        del record["text"]
        record["sentences"] = [
            {"infons": _object(each), "offset": start, "text": document.text[start:end]}
            for (start, end), each in zip(inside, infons_of, strict=True)
        ]
    return record


def _annotation(mention: Mention, text: str) -> _Json:
    infons: _Json = {"type": mention.type} if mention.type else {}
    kept = _object(mention.meta.get("infons"))
    if not any(key in kept and concepts_of(str(kept[key])) == mention.concepts for key in _CONCEPT_KEYS):
        for key in _CONCEPT_KEYS:
            kept.pop(key, None)  # the concepts were changed since they were read
        raw = str(mention.meta.get("identifier", ""))  # as PubTator had it
        if mention.concepts or raw:
            infons["identifier"] = raw if raw and concepts_of(raw) == mention.concepts else "|".join(mention.concepts)
    infons |= kept
    _add_receipt(infons, mention)
    spans = sorted(mention.fragments or (mention.span,))  # they are read in their order in the text
    words = mention.text if len(spans) == 1 else " ".join(text[start:end] for start, end in spans)
    hull = mention.meta.get("text")
    if len(spans) > 1 and hull == text[spans[0].start : max(span.end for span in spans)]:
        words = str(hull)  # so some files have it
    return {
        "id": mention.id,
        "infons": infons,
        "locations": [{"offset": start, "length": end - start} for start, end in spans],
        "text": words,
    }


def _relation_record(relation: Relation) -> _Json:
    attributes = dict(relation.attributes)
    infons: _Json = {str(attributes.pop("type_key", "type")): relation.type} if relation.type else {}
    roles = attributes.pop("roles", None)
    if not (isinstance(roles, list) and len(roles) == 2 and all(isinstance(role, str) for role in roles)):
        roles = None
    if "novelty" in attributes:
        attributes["novel"] = attributes.pop("novelty")
    record: _Json = {"id": relation.id, "infons": infons}
    ends: tuple[object, ...] = (relation.head, relation.tail)
    if relation.level == "concept":
        names = tuple(roles) if roles and tuple(roles) in _CONCEPT_ROLES else _CONCEPT_ROLES[0]
        arguments = attributes.pop("arguments", None)
        if isinstance(arguments, list) and len(arguments) == 2:
            ends = tuple(arguments)
        nodes = attributes.pop("nodes", None)
        if names == _CONCEPT_ROLES[2] and isinstance(nodes, list) and all(isinstance(node, dict) for node in nodes):
            record["nodes"] = nodes
        attributes = {key: value for key, value in attributes.items() if key not in names}
        infons |= dict(zip(names, ends, strict=True))
    else:
        record["nodes"] = [
            {"refid": end, "role": role} for end, role in zip(ends, roles or _MENTION_ROLES, strict=True)
        ]
        if attributes.keys() >= set(_CONCEPT_ROLES[2]):  # these two would make it a relation between concepts
            attributes.pop(_CONCEPT_ROLES[2][0])
    infons |= attributes
    _add_receipt(infons, relation)
    return record


def _add_receipt(infons: _Json, of: Mention | Relation) -> None:
    if of.probability is not None:
        infons["probability"] = repr(of.probability)
    if of.source:
        infons["source"] = of.source


def _object(value: object) -> _Json:
    return dict(value) if isinstance(value, dict) else {}


# ------------------------------------------------------------------------------------------------ records to files


def _header(document: Document) -> _Json:
    """The header of the collection that a document came from, as far as it is one."""
    found = _object(document.meta.get("collection"))
    header: _Json = {key: found[key] for key in biocxml.HEADER if isinstance(found.get(key), str) and found[key]}
    infons = _object(found.get("infons"))
    if infons and all(isinstance(value, str) for value in infons.values()):
        header["infons"] = infons
    return header


def _opening(header: _Json, as_json: bool) -> str:
    plain = {key: header.get(key, "") for key in biocxml.HEADER}
    if as_json:
        return _dumped(plain | {"infons": header.get("infons", {})})[:-1] + ', "documents": [\n'
    collection = etree.Element("collection")
    try:
        for key, value in plain.items():
            etree.SubElement(collection, key).text = value
        _fill(collection, {"infons": header.get("infons", {})})
        inner = "".join(etree.tostring(child, encoding="unicode") + "\n" for child in collection)
    except ValueError as problem:
        raise _unwritable(problem) from None
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n<collection>\n{inner}'


def _whole(record: _Json, kind: str = "document") -> _Json:
    """The record with all the keys of its kind: there are readers that ask for each."""
    lists = {key: [_whole(each, key[:-1]) for each in record.get(key, ())] for key in _LISTS[kind]}
    return {**{key: value for key, value in record.items() if key not in lists}, **lists}


def _dumped(record: _Json) -> str:
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except (TypeError, ValueError) as problem:
        raise FormatError(f"this cannot be written as JSON: {problem}") from None
    return text


def _tagged(record: _Json) -> str:
    root = etree.Element("document")
    try:
        etree.SubElement(root, "id").text = record["id"]
        _fill(root, record)
        text: str = etree.tostring(root, encoding="unicode")
    except ValueError as problem:  # a control character
        raise _unwritable(problem) from None
    return text + "\n"


def _unwritable(problem: ValueError) -> FormatError:
    return FormatError(
        f"this text cannot be written as XML: {problem}", advice="write it as JSON: FILE.json, or --to jsonl"
    )


def _fill(parent: etree._Element, record: _Json) -> None:
    """The children of a record, in the order of BioC's document type."""
    for key, value in record.get("infons", {}).items():
        infon = etree.SubElement(parent, "infon", key=str(key))
        infon.text = value
    if parent.tag in ("passage", "sentence"):
        etree.SubElement(parent, "offset").text = str(record["offset"])
        # Not both, says the document type: a passage that came split has its text in its sentences.
        if not record.get("sentences"):
            etree.SubElement(parent, "text").text = record["text"]
    for location in record.get("locations", ()):
        etree.SubElement(parent, "location", offset=str(location["offset"]), length=str(location["length"]))
    if parent.tag == "annotation":
        etree.SubElement(parent, "text").text = record["text"]
    for node in record.get("nodes", ()):
        etree.SubElement(parent, "node", refid=str(node["refid"]), role=str(node.get("role", "")))
    for tag in ("sentence", "passage", "annotation", "relation"):
        for child in record.get(tag + "s", ()):
            attributes = {"id": str(child["id"])} if child.get("id") else {}
            _fill(etree.SubElement(parent, tag, attributes), child)

"""BioC, as XML and as JSON: collections of documents of passages, with annotations and relations.

The XML (``<collection>``), the JSON of the same shape (``{"documents": [...]}``), and what PubTator 3 sends
(``{"PubTator3": [...]}``, or a document a line) are told apart by content. Each passage states where it begins in the
document; the text is laid out so that it does, gaps filled with blanks, and annotations then fit as they are.
Whether offsets count bytes or characters the format leaves open; here they are characters, every annotation is
compared with the text, and one that does not fit is an error that shows both.

What is kept, so that a file can be written again: a passage's ``type`` is its kind, all other infons go to ``meta``;
an annotation's ``identifier`` (``MESH`` in BC5CDR) gives its concepts; several locations are fragments; a relation of
two nodes is one between mentions, the concept relations of BC5CDR (``Chemical``, ``Disease``) and BioRED (``entity1``,
``entity2``) are read from their infons; any other relation is kept as it is in ``document.meta["relations"]``.

References
----------
Comeau et al. 2013, https://doi.org/10.1093/database/bat064 ; http://bioc.sourceforge.net/BioC.dtd
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from lxml import etree

from relatome.documents import Document, Mention, Passage, Relation, Span
from relatome.errors import FormatError, InputError
from relatome.formats.elements import elements
from relatome.formats.files import OnReject, head, json_keys, located, settle, shown, writing, xml_root
from relatome.formats.jsonvalues import JsonReader
from relatome.formats.offsets import fitted
from relatome.formats.pubtator import concepts_of

_Json = dict[str, Any]

HOLDS = frozenset(
    {
        *(
            "text",
            "passages",
            "mentions",
            "concepts",
            "fragments",
            "overlaps",
            "probabilities",
            "relations",
            "unlinked",
        ),
        *("concept_relations", "attributes", "sentences", "ids"),
        *("meta.collection", "meta.infons", "meta.identifier", "meta.relations", "meta.text"),
    }
)

_KEYS = frozenset({"documents", "PubTator3", "passages", "infons"})
_MOST_BLANKS = 1_000_000  # between two passages; a hostile offset must not fill the memory
_CONCEPT_KEYS = ("identifier", "MESH", "OMIM", "NCBI Gene")
_CONCEPT_ROLES = (("entity1", "entity2"), ("Chemical", "Disease"), ("role1", "role2"))
_TYPE_KEYS = ("type", "relation", "relation type")
_HEADER = ("source", "date", "key")


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
    for record, header, line in _records_xml(path) if is_xml else _records_json(path):
        identity = str(record.get("id") or "")

        def repair(problem: InputError, line: int = line, identity: str = identity) -> None:
            problem.at(path=shown(path), line=line, document=identity)
            if on_repair:
                on_repair(problem)

        try:
            with located(path=path, line=line, document=identity or None):
                document = _Layout(record, repair if on_repair else None).document(header)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def write(documents: Iterable[Document], path: str | Path | TextIO, *, json: bool | None = None) -> int:
    """Write documents as BioC; a file read by ``read`` gives equal documents again.

    Text that no passage covers becomes a passage without a type. Probability and source of mentions and relations
    become infons; labels, questions and tokens have no place in the format.

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
    with writing(path) as stream:
        for document in documents:
            if not count:
                stream.write(_opening(document, json))
            with located(document=document.id):
                record = _record(document)
                stream.write((",\n" if count else "") + _dumped(record) if json else _tagged(record))
            count += 1
        if not count:
            stream.write(_opening(None, json))
        stream.write("\n]}\n" if json else "</collection>\n")
    return count


def fits(start: str) -> bool:
    """Whether XML has BioC's root, or JSON its keys rather than our own lines', which begin with ``id`` and ``text``."""
    keys = json_keys(start)
    return xml_root(start) == "collection" or ("text" not in keys and not _KEYS.isdisjoint(keys))


# ------------------------------------------------------------------------------------------------ files to records
# A record is a document in the shape of BioC's JSON, whichever of the two it came from.


def _records_xml(path: str | Path) -> Iterator[tuple[_Json, _Json, int]]:
    header: _Json = {}
    for element in elements(path, {"document", "infon", *_HEADER}):
        if element.tag != "document":
            if element.text and element.tag in _HEADER:
                header[element.tag] = element.text
            continue
        yield _element(element), dict(header), element.sourceline or 0


def _element(element: etree._Element) -> _Json:
    """An element's children: the repeated ones as lists, under the plural that JSON calls them by."""
    record: _Json = dict(element.attrib)
    for child in element:
        if not isinstance(child.tag, str):
            continue
        if child.tag == "infon":
            record.setdefault("infons", {})[child.get("key", "")] = "".join(child.itertext())
        elif child.tag in ("passage", "sentence", "annotation", "relation", "location", "node"):
            record.setdefault(child.tag + "s", []).append(_element(child))
        else:
            record[child.tag] = "".join(child.itertext())
    return record


def _records_json(path: str | Path) -> Iterator[tuple[_Json, _Json, int]]:
    """The documents of a JSON file without ever holding more than one: collections, lists of them, or lines."""
    reader = JsonReader(path)
    header: _Json = {}
    while reader.peek():
        yield from _collection(reader, header)


def _collection(reader: JsonReader, header: _Json) -> Iterator[tuple[_Json, _Json, int]]:
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
                yield record, dict(header), at
        else:
            single[key] = reader.value()
            if key in _HEADER and isinstance(single[key], str) and single[key]:
                header[key] = single[key]
    if "passages" in single:
        yield single, {}, line


# -------------------------------------------------------------------------------------------- records to documents


class _Layout:
    """A document while its passages are laid out and its annotations put on them."""

    def __init__(self, record: _Json, on_repair: OnReject | None) -> None:
        self.record = record
        self.on_repair = on_repair
        self.text = ""
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
        mentions, ids = self._mentions()
        relations: list[Relation] = []
        kept: list[_Json] = []
        for record in self.relations:
            relation = _relation(record, f"R{len(relations) + 1}", ids)
            if relation is None or relation.id in {other.id for other in relations}:
                kept.append(record)
            else:
                relations.append(relation)
        meta: _Json = {"collection": header} if header else {}
        if infons := _infons(self.record):
            meta["infons"] = infons
        if kept:
            meta["relations"] = kept
        return Document(
            str(identity).strip(),
            self.text,
            passages=tuple(self.passages),
            mentions=tuple(mentions),
            relations=tuple(relations),
            sentences=tuple(self.sentences),
            meta=meta,
        ).check()

    def _passage(self, record: _Json) -> None:
        start = _number(record, "offset", "a passage")
        sentences = list(_records(record, "sentences"))
        self._lay(str(record.get("text") or ""), start, "a passage")
        for sentence in sentences:
            at = _number(sentence, "offset", "a sentence")
            text = str(sentence.get("text") or "")
            if not record.get("text"):
                self._lay(text, at, "a sentence")
            elif self.text[at : at + len(text)] != text:
                raise FormatError(
                    f"a sentence at {at} should be {text[:60]!r}, but its passage has {self.text[at : at + 60]!r}"
                )
            self.sentences.append(Span(at, at + len(text)))
        infons = _infons(record)
        kind = str(infons.pop("type", ""))
        self.passages.append(Passage(kind, start, len(self.text), meta={"infons": infons} if infons else {}))
        for part in (record, *sentences):
            self.annotations.extend(_records(part, "annotations"))
            self.relations.extend(_records(part, "relations"))

    def _lay(self, text: str, start: int, what: str) -> None:
        gap = start - len(self.text)
        if gap < 0 and text:
            raise FormatError(
                f"{what} begins at {start}, inside the one before it, which ends at {len(self.text)}",
                advice="offsets count characters; do these count bytes?",
            )
        if gap > _MOST_BLANKS:
            raise FormatError(f"{what} begins at {start}, {gap:,} characters after the end of the one before it")
        self.text += " " * gap + text

    def _mentions(self) -> tuple[list[Mention], dict[str, str]]:
        """The mentions, and for each annotation id that names one of them, that mention's id."""
        names = Counter(str(record.get("id") or "") for record in self.annotations)
        taken = {name for name, count in names.items() if name and count == 1}
        mentions: list[Mention] = []
        ids: dict[str, str] = {}
        for number, record in enumerate(self.annotations, start=1):
            name = str(record.get("id") or "")
            identity = name
            if name not in taken:  # absent or doubled: PubTator Central counts anew in some passages
                identity = next(free for i in range(len(names) + number) if (free := f"T{number + i}") not in taken)
                taken.add(identity)
            else:
                ids[name] = identity
            mention = _mention(record, identity, self.text, self.on_repair)
            if mention:
                mentions.append(mention)
            else:
                ids.pop(name, None)
        return mentions, ids


def _mention(record: _Json, identity: str, text: str, on_repair: OnReject | None) -> Mention | None:
    spans = sorted(
        Span(start, start + _number(location, "length", f"annotation {identity!r}"))
        for location in _records(record, "locations")
        for start in [_number(location, "offset", f"annotation {identity!r}")]
    )
    if not spans:
        raise FormatError(f"annotation {identity!r} has no location")
    written = str(record.get("text") or "")
    meta: _Json = {}
    hull = text[spans[0].start : spans[-1].end]
    if len(spans) > 1 and written == hull:  # some writers give the whole stretch as the text of its parts
        meta["text"], written = written, " ".join(text[start:end] for start, end in spans)
    found = fitted(text, spans, written, what=f"annotation {identity!r}", on_repair=on_repair)
    if found is None:
        return None
    infons = _infons(record)
    kind = str(infons.pop("type", ""))
    probability, source = _probability(infons.pop("probability", None)), str(infons.pop("source", ""))
    key = next((key for key in _CONCEPT_KEYS if key in infons), None)
    concepts = concepts_of(str(infons[key])) if key and infons[key] is not None else ()
    if key == "identifier" and infons[key] == "|".join(concepts):
        del infons[key]
    if infons:
        meta["infons"] = infons
    return Mention(
        identity,
        spans[0].start,
        spans[-1].end,
        kind,
        found,
        concepts=concepts,
        fragments=tuple(spans) if len(spans) > 1 else (),
        probability=probability,
        source=source,
        meta=meta,
    )


def _relation(record: _Json, default: str, ids: Mapping[str, str]) -> Relation | None:
    """A relation between two mentions or two concepts; ``None`` for anything else."""
    infons = _infons(record)
    identity = str(record.get("id") or default)
    key = next((key for key in _TYPE_KEYS if key in infons), None)
    kind = str(infons.pop(key)) if key else ""
    probability, source = _probability(infons.pop("probability", None)), str(infons.pop("source", ""))
    nodes = list(_records(record, "nodes"))
    attributes: _Json = {}
    if len(nodes) == 2:
        ends = [ids.get(str(node.get("refid", "")), "") for node in nodes]
        if not all(ends):
            missing = next(str(node.get("refid", "")) for node, end in zip(nodes, ends, strict=True) if not end)
            raise FormatError(f"relation {identity!r} names {missing!r}, which is no annotation of this document")
        head, tail = ends
        attributes["roles"] = [str(node.get("role") or "") for node in nodes]
        level: Any = "mention"
    else:
        roles = next((roles for roles in _CONCEPT_ROLES if all(role in infons for role in roles)), None)
        if nodes or roles is None:
            return None
        head, tail = (str(infons.pop(role)) for role in roles)
        if roles != _CONCEPT_ROLES[0]:
            attributes["roles"] = list(roles)
        level = "concept"
    if key not in (None, "type"):
        attributes["type_key"] = key
    if "novel" in infons:
        attributes["novelty"] = infons.pop("novel")
    attributes |= infons
    return Relation(identity, kind, head, tail, level, attributes, probability=probability, source=source)


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
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,15}", str(value).strip()):
        raise FormatError(f"{what} has the {key} {value!r}, which is no whole number")
    return int(str(value))


def _probability(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None


# -------------------------------------------------------------------------------------------- documents to records


def _record(document: Document) -> _Json:
    passages = [
        {"infons": _with({"type": passage.kind} if passage.kind else {}, passage.meta), **_stretch(document, passage)}
        for passage in _covering(document)
    ]
    for mention in document.mentions:
        place = next(
            (index for index, passage in reversed(list(enumerate(passages))) if passage["offset"] <= mention.start), 0
        )
        passages[place].setdefault("annotations", []).append(_annotation(mention))
    relations = [_relation_record(relation) for relation in document.relations]
    relations += list(document.meta.get("relations", ()))
    return {"id": document.id, "infons": _with({}, document.meta), "passages": passages, "relations": relations}


def _covering(document: Document) -> Iterator[Passage]:
    """The passages, and as passages without a kind the text between them that is more than blanks."""
    end = 0
    for passage in (*document.passages, Passage("", len(document.text), len(document.text))):
        if document.text[end : passage.start].strip(" "):
            yield Passage("", end, passage.start)
        if passage.end > passage.start or passage.kind or passage.meta:
            yield passage
        end = max(end, passage.end)


def _stretch(document: Document, passage: Passage) -> _Json:
    text = document.text[passage.start : passage.end]
    inside = [span for span in document.sentences if passage.start <= span.start and span.end <= passage.end]
    record: _Json = {"offset": passage.start, "text": text}
    if inside:
        record["sentences"] = [{"offset": start, "text": document.text[start:end]} for start, end in inside]
    return record


def _annotation(mention: Mention) -> _Json:
    infons: _Json = {"type": mention.type} if mention.type else {}
    kept = dict(mention.meta.get("infons", {}))
    if not any(key in kept and concepts_of(str(kept[key])) == mention.concepts for key in _CONCEPT_KEYS):
        for key in _CONCEPT_KEYS:
            kept.pop(key, None)  # the concepts were changed since they were read
        raw = str(mention.meta.get("identifier", ""))  # as PubTator had it
        if mention.concepts or raw:
            infons["identifier"] = raw if raw and concepts_of(raw) == mention.concepts else "|".join(mention.concepts)
    infons |= kept
    _add_receipt(infons, mention)
    return {
        "id": mention.id,
        "infons": infons,
        "text": mention.meta.get("text", mention.text),
        "locations": [{"offset": start, "length": end - start} for start, end in mention.fragments or (mention.span,)],
    }


def _relation_record(relation: Relation) -> _Json:
    attributes = dict(relation.attributes)
    infons: _Json = {str(attributes.pop("type_key", "type")): relation.type} if relation.type else {}
    roles = attributes.pop("roles", None)
    if "novelty" in attributes:
        attributes["novel"] = attributes.pop("novelty")
    record: _Json = {"id": relation.id, "infons": infons}
    ends = (relation.head, relation.tail)
    if relation.level == "concept":
        infons |= dict(zip(roles or _CONCEPT_ROLES[0], ends, strict=True))
    else:
        record["nodes"] = [
            {"refid": end, "role": role} for end, role in zip(ends, roles or ("head", "tail"), strict=True)
        ]
    infons |= attributes
    _add_receipt(infons, relation)
    return record


def _add_receipt(infons: _Json, of: Mention | Relation) -> None:
    if of.probability is not None:
        infons["probability"] = repr(of.probability)
    if of.source:
        infons["source"] = of.source


def _with(infons: _Json, meta: Mapping[str, Any]) -> _Json:
    return infons | dict(meta.get("infons", {}))


# ------------------------------------------------------------------------------------------------ records to files


def _opening(document: Document | None, as_json: bool) -> str:
    header = dict(document.meta.get("collection", {})) if document else {}
    header = {key: str(header.get(key, "")) for key in _HEADER}
    if as_json:
        return _dumped(header)[:-1] + ', "documents": [\n'
    tags = "".join(f"<{key}>{_escaped(value)}</{key}>\n" for key, value in header.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n<collection>\n{tags}'


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
        raise FormatError(
            f"this text cannot be written as XML: {problem}", advice="write it as JSON: FILE.json, or --to jsonl"
        ) from None
    return text + "\n"


def _fill(parent: etree._Element, record: _Json) -> None:
    """The children of a record, in the order of BioC's document type."""
    for key, value in record.get("infons", {}).items():
        infon = etree.SubElement(parent, "infon", key=str(key))
        infon.text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
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


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

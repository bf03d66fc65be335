"""PubAnnotation's JSON: a text, its denotations (mentions), relations and attributes.

    {"sourcedb": "PubMed", "sourceid": "1", "text": "...",
     "denotations": [{"id": "T1", "span": {"begin": 0, "end": 5}, "obj": "Protein"}],
     "relations": [{"id": "R1", "subj": "T1", "pred": "binds", "obj": "T2"}],
     "attributes": [{"id": "A1", "subj": "T1", "pred": "concept", "obj": "UniProt:P1"}]}

A file holds one such object, a list of them, or one a line. A discontinuous mention is a list of spans, or a chain: pieces
of the type ``_FRAGMENT`` that relations ``_lexicallyChainedTo`` hang on it. ``tracks`` hold the annotations of several
projects on one text: they are read together, each mention with its project in ``meta["project"]``. ``divisions`` are
passages, ``blocks`` of the type ``sentence`` sentences; what else there is goes to ``meta`` as it stands.

An attribute that gives a mention a concept (``concept``, ``tao:has_database_id``) becomes one of its concepts, the others
stand in ``mention.meta["attributes"]`` or are the relation's own. What PubAnnotation has no place for is written under
the key ``relatome``, which it does not look at, so that nothing is lost.

References
----------
Kim and Wang 2012, PubAnnotation: https://aclanthology.org/W12-2425/ ; https://www.pubannotation.org/docs/annotation-format/
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from itertools import count as counting
from pathlib import Path
from typing import Any, TextIO

from relatome.documents import Document, Mention, Passage, Relation, Span
from relatome.errors import FormatError, InputError
from relatome.formats.files import OnReject, json_keys, located, settle, shown, stem, writing
from relatome.formats.jsonvalues import JsonReader
from relatome.formats.losses import EVERYTHING
from relatome.formats.offsets import fitted
from relatome.formats.remainder import KEY, completed, remainder

HOLDS = EVERYTHING

_Json = dict[str, Any]

_KEYS = frozenset({"denotations", "tracks", "sourcedb", "sourceid"})
_CONCEPTS = ("concept", "tao:has_database_id", "has_database_id", "db_id", "identifier")
_CHAINED, _PIECE = "_lexicallyChainedTo", "_FRAGMENT"
_KEPT = ("project", "target", "namespaces", "typesettings")  # as they stand, in the document's meta
_LISTS = ("denotations", "relations", "attributes", "modifications")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a PubAnnotation file, one after another.

    A document's id is its ``sourceid``, with its ``divid`` where it has one; else it is ``STEM:NUMBER``.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a document that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about an annotation that is wrong, which is then left out and its document kept; without it the document
        is rejected.

    Raises
    ------
    FormatError
        The file is not JSON, a record lacks what it must have, or names what is not there.
    OffsetError
        A span leaves the text.
    """
    reader = JsonReader(path)
    number = 0
    while opening := reader.peek():
        for _ in reader.walk_list() if opening == "[" else (None,):
            reader.peek()
            number += 1
            line = reader.line
            value = reader.value()
            try:
                with located(path=path, line=line):
                    document = _document(value, f"{stem(path)}:{number}", _teller(on_repair, path, line))
            except InputError as problem:
                settle(problem, on_reject)
                continue
            yield document


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write documents as PubAnnotation's JSON; ``read`` gives equal documents back.

    One document is one object, several are a list of them; in a file called ``.jsonl`` (or ``.jsonl.gz``) each stands on
    a line of its own.

    Returns
    -------
    int
        How many documents were written.
    """
    lines = isinstance(path, (str, Path)) and Path(path).name.removesuffix(".gz").endswith(".jsonl")
    count = 0
    with writing(path) as stream:
        records = map(_dumped, documents)
        first = list(islice(records, 2))  # whether there are several is known without holding all
        several = len(first) > 1 and not lines
        for record in chain(first, records):
            stream.write(("[\n" if not count else ",\n") * several + record + "\n" * (not several))
            count += 1
        stream.write("\n]\n" if several else "" if count or lines else "[]\n")
    return count


def fits(start: str) -> bool:
    """Whether it is JSON with the keys of an annotated text."""
    return not _KEYS.isdisjoint(json_keys(start))


def _teller(on_repair: OnReject | None, path: str | Path, line: int) -> OnReject | None:
    if on_repair is None:
        return None

    def tell(problem: InputError) -> None:
        problem.at(path=shown(path), line=line)
        on_repair(problem)

    return tell


# -------------------------------------------------------------------------------------------- records to documents


def _document(record: object, default_id: str, on_repair: OnReject | None) -> Document:
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise FormatError(
            f"expected a JSON object with a text, found {_short(record)}", advice="is this a PubAnnotation file?"
        )
    identity, meta = _identity(record, default_id)
    with located(document=identity):
        parts = _Parts(record, identity, meta, on_repair)
        return parts.document()


def _identity(record: _Json, default_id: str) -> tuple[str, _Json]:
    """The document's id, and what of its origin goes to its meta."""
    source, division = record.get("sourceid"), record.get("divid")
    if source is None or source == "":
        identity = default_id
    elif isinstance(source, (str, int)) and not isinstance(source, bool):
        identity = f"{source}" if division is None else f"{source}-{division}"
    else:
        raise FormatError(f"a sourceid should be a string, found {_short(source)}")
    meta: _Json = {}
    if "sourcedb" in record:
        meta["sourcedb"] = record["sourcedb"]
    if division is not None:
        meta |= {"sourceid": source, "divid": division}
    elif type(source) is int:
        meta["sourceid"] = source
    return identity, meta


class _Parts:
    """What has been read of a record so far."""

    def __init__(self, record: _Json, identity: str, meta: _Json, on_repair: OnReject | None) -> None:
        self.record, self.id, self.meta, self.on_repair = record, identity, meta, on_repair
        self.text: str = record["text"]
        self.mentions: dict[str, _Json] = {}
        self.relations: dict[str, _Json] = {}
        self.shared: set[str] = set()  # ids that stand in several tracks

    def document(self) -> Document:
        passages, sentences = self._passages(), self._sentences()
        tracks = list(_records(self.record, "tracks"))
        if tracks:
            self._count_ids([self.record, *tracks])
        self._annotate(self.record, None)
        for track in tracks:
            project = track.get("project", "")
            if not isinstance(project, str):
                raise FormatError(f"a track's project should be a string, found {_short(project)}")
            self._annotate(track, project)
        for key in _KEPT:
            if key in self.record:
                self.meta[key] = self.record[key]
        known = {"text", "sourcedb", "sourceid", "divid", "tracks", "divisions", "blocks", KEY, *_KEPT, *_LISTS}
        if more := {key: value for key, value in self.record.items() if key not in known}:
            self.meta["more"] = more
        said = Document(
            self.id,
            self.text,
            passages=passages,
            mentions=tuple(Mention(**values) for values in self.mentions.values()),
            relations=tuple(Relation(**values) for values in self.relations.values()),
            sentences=sentences,
            meta=self.meta,
        ).check()
        if KEY not in self.record:
            return said
        try:
            return completed(said, self.record[KEY])
        except InputError as problem:
            self._wrong(problem)
            return said

    def _wrong(self, problem: InputError) -> None:
        problem.at(document=self.id)
        if self.on_repair is None:
            raise problem
        self.on_repair(problem)

    def _count_ids(self, parts: list[_Json]) -> None:
        """Which ids stand in several tracks: there they need the project's name."""
        seen: set[str] = set()
        for part in parts:
            ids = {str(each.get("id")) for key in ("denotations", "relations") for each in _records(part, key)}
            self.shared |= ids & seen
            seen |= ids

    def _annotate(self, part: _Json, project: str | None) -> None:
        """Read the annotations of the object itself, or of one track."""
        at = _Part(part, "" if project is None else f"{project or 'track'}:")
        chains = _Chains([each for each in at.relations if each.get("pred") == _CHAINED], at.denotations)
        own: _Json = {} if project is None else {"project": project}
        for record in at.denotations:
            with self._repairable():
                name = at.name(record, "T", self.mentions)
                if name not in chains.inside:
                    self._mention(record, name, at, chains.pieces.get(name, []), own)
        for record in at.relations:
            if record.get("pred") != _CHAINED:
                with self._repairable():
                    self._relation(record, at.name(record, "R", self.relations), at)
        for record in _records(part, "attributes"):
            with self._repairable():
                self._attribute(record, record.get("subj"), record.get("obj"), at)
        for record in _records(part, "modifications"):
            with self._repairable():
                self._attribute(record, record.get("obj"), True, at)

    @contextlib.contextmanager
    def _repairable(self) -> Iterator[None]:
        try:
            yield
        except InputError as problem:
            self._wrong(problem)

    def _unused(self, name: str, at: _Part, taken: Mapping[str, _Json]) -> str:
        full = at.prefix + name if name in self.shared else name
        if full in taken:
            raise FormatError(f"two annotations have the id {name!r}")
        return full

    def _mention(self, record: _Json, name: str, at: _Part, pieces: list[_Json], own: _Json) -> None:
        identity = self._unused(name, at, self.mentions)
        spans = [span for each in (*pieces, record) for span in _spans(each)]
        if pieces:
            spans.sort()
        kind = record.get("obj", "")
        if not isinstance(kind, str):
            raise FormatError(f"the obj of denotation {name!r} should be a string, found {_short(kind)}")
        # The format does not repeat the words, so there is nothing to compare but the range.
        written = " ".join(self.text[start:end] for start, end in spans)
        what = f"denotation {name!r}"
        if fitted(self.text, spans, written, what=what, on_repair=self._wrong if self.on_repair else None) is None:
            return
        more = {key: value for key, value in record.items() if key not in ("id", "span", "begin", "end", "obj")}
        at.names[name] = identity
        self.mentions[identity] = {
            "id": identity,
            "start": min(span.start for span in spans),
            "end": max(span.end for span in spans),
            "type": kind,
            "text": written,
            "fragments": tuple(spans) if len(spans) > 1 else (),
            "meta": own | ({"more": more} if more else {}),
        }

    def _relation(self, record: _Json, name: str, at: _Part) -> None:
        kind, head, tail = record.get("pred", ""), record.get("subj"), record.get("obj")
        if not isinstance(kind, str) or not isinstance(head, str) or not isinstance(tail, str):
            raise FormatError(f"relation {name!r} should have strings as subj, pred and obj, found {_short(record)}")
        for end in (head, tail):
            if at.names.get(end) not in self.mentions and end not in at.others:
                raise FormatError(f"relation {name!r} names {end!r}, which is no annotation of this document")
        if not all(at.names.get(end) in self.mentions for end in (head, tail)):  # of a relation, or of a block
            self.meta.setdefault("links", []).append(record)
            return
        identity = self._unused(name, at, self.relations)
        more = {key: value for key, value in record.items() if key not in ("id", "pred", "subj", "obj")}
        at.named.setdefault(name, identity)
        self.relations[identity] = {
            "id": identity,
            "type": kind,
            "head": at.names[head],
            "tail": at.names[tail],
            "attributes": {"more": more} if more else {},
        }

    def _attribute(self, record: _Json, about: object, value: object, at: _Part) -> None:
        kind = record.get("pred")
        if not isinstance(about, str) or not isinstance(kind, str) or isinstance(value, (dict, list)):
            raise FormatError(
                f"an attribute should have a subj, a pred and a plain value as obj, found {_short(record)}"
            )
        if about in at.names:
            mention = self.mentions[at.names[about]]
            if kind in _CONCEPTS and isinstance(value, str) and mention["meta"].get("concept_key", kind) == kind:
                mention["meta"] |= {"concept_key": kind} if kind != _CONCEPTS[0] else {}
                mention["concepts"] = (*mention.get("concepts", ()), value)
            elif not _is_receipt(mention, kind, value):
                _add(mention["meta"].setdefault("attributes", {}), kind, value)
        elif about in at.named:
            relation = self.relations[at.named[about]]
            if not _is_receipt(relation, kind, value):
                _add(relation["attributes"], kind, value)
        elif about in at.others:
            self.meta.setdefault("attributes", []).append(record)
        else:
            raise FormatError(f"an attribute is about {about!r}, which is no annotation of this document")

    def _passages(self) -> tuple[Passage, ...]:
        """The divisions, if they follow one another; a tree of them stays as it is."""
        passages: list[Passage] = []
        for record in _records(self.record, "divisions"):
            label = record.get("label", "")
            spans = _spans(record)
            if (
                len(spans) != 1
                or not isinstance(label, str)
                or record.keys() - {"span", "label"}
                or spans[0].start < (passages[-1].end if passages else 0)
                or not spans[0].start <= spans[0].end <= len(self.text)
            ):
                self.meta["divisions"] = self.record["divisions"]
                return ()
            passages.append(Passage(label, *spans[0]))
        return tuple(passages)

    def _sentences(self) -> tuple[Span, ...]:
        sentences: list[Span] = []
        others: list[_Json] = []
        for record in _records(self.record, "blocks"):
            spans = _spans(record)
            simple = record.keys() <= {"id", "span", "obj"} and record.get("id") == f"S{len(sentences) + 1}"
            if record.get("obj") == "sentence" and simple and len(spans) == 1 and not others:
                sentences.append(spans[0])
            else:
                others.append(record)
        if others:
            self.meta["blocks"] = others
        return tuple(sentences)


class _Part:
    """The object itself or one of its tracks: its records, and what an id means in it."""

    def __init__(self, part: _Json, prefix: str) -> None:
        self.prefix = prefix
        self.denotations = list(_records(part, "denotations"))
        self.relations = list(_records(part, "relations"))
        self.names: dict[str, str] = {}  # of mentions
        self.named: dict[str, str] = {}  # of relations
        blocks = _records(part, "blocks")
        self.others = {str(each["id"]) for each in (*self.relations, *blocks) if "id" in each}
        self.given = self.others | {str(each["id"]) for each in self.denotations if "id" in each}
        self.free = {letter: (f"{letter}{number}" for number in counting(1)) for letter in "TR"}

    def name(self, record: _Json, letter: str, taken: Mapping[str, _Json]) -> str:
        """A record's id; one that has none gets the next that is free."""
        name = record.get("id")
        if name is None:
            return next(free for free in self.free[letter] if free not in self.given and free not in taken)
        if not isinstance(name, (str, int)) or isinstance(name, bool):
            raise FormatError(f"an id should be a string, found {_short(name)}")
        return str(name)


class _Chains:
    """For the denotation at the end of a chain, its other pieces; and which denotations are such pieces."""

    def __init__(self, links: list[_Json], denotations: list[_Json]) -> None:
        self.pieces: dict[str, list[_Json]] = {}
        self.inside: set[str] = set()
        records = {str(each.get("id")): each for each in denotations} if links else {}
        leader: dict[str, str] = {}

        def end_of(name: str) -> str:
            way = []
            while name in leader:
                way.append(name)
                name = leader[name]
            leader.update(dict.fromkeys(way, name))  # the next time it is one step
            return name

        for link in links:
            ends = [str(link.get("subj")), str(link.get("obj"))]
            lost = next((end for end in ends if end not in records), None)
            if lost is not None:
                raise FormatError(f"a chain names {lost!r}, which is no denotation of this document")
            one, other = map(end_of, ends)
            if one == other:
                raise FormatError(f"the chain of {one!r} goes round in a circle")
            if records[one].get("obj") == _PIECE:
                one, other = other, one
            leader[other] = one
            # The shorter list goes into the longer: many links are joined in little time.
            mine, theirs = self.pieces.pop(one, []), self.pieces.pop(other, [])
            joined, added = (mine, theirs) if len(mine) >= len(theirs) else (theirs, mine)
            joined.extend(added)
            joined.append(records[other])
            self.pieces[one] = joined
            self.inside.add(other)


def _records(record: _Json, key: str) -> Iterator[_Json]:
    values = record.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise FormatError(f"{key} should be a list of JSON objects, found {_short(values)}")
    yield from values


def _spans(record: _Json) -> list[Span]:
    """Where an annotation stands: one range, several, or in older files two numbers of the record itself."""
    value = record.get("span", record)
    spans = []
    for each in value if isinstance(value, list) else [value]:
        ends = [each.get("begin"), each.get("end")] if isinstance(each, dict) else [None]
        if not all(type(end) is int for end in ends):
            raise FormatError(f"a span should be {{'begin': 0, 'end': 5}}, found {_short(each)}")
        spans.append(Span(*ends))
    if not spans:
        raise FormatError("a denotation has no span")
    return spans


def _add(values: _Json, kind: str, value: object) -> None:
    """Give a thing an attribute; a second one of the same kind makes a list."""
    if kind not in values:
        values[kind] = value
    elif isinstance(values[kind], list):
        values[kind].append(value)
    else:
        values[kind] = [values[kind], value]


def _is_receipt(record: _Json, kind: str, value: object) -> bool:
    """Whether an attribute is the model's probability or its name; then it is taken."""
    fits = type(value) is float and 0 <= value <= 1 if kind == "probability" else isinstance(value, str)
    if kind not in ("probability", "source") or kind in record or not fits:
        return False
    record[kind] = value
    return True


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else text[:57] + "..."


# -------------------------------------------------------------------------------------------- documents to records


def _dumped(document: Document) -> str:
    """A document as one line of JSON: what the format can say, and under a key of ours what it cannot."""
    with located(document=document.id):
        document.check()
        for tracks, raw in ((True, True), (False, True), (False, False)):
            record = _record(document, tracks=tracks, raw=raw)
            try:
                said = _document(json.loads(_json(record)), document.id, None)
            except InputError:  # something in its meta only looks as if it came from a file of this format
                if not raw:
                    raise
                continue
            if [mention.id for mention in said.mentions] == [mention.id for mention in document.mentions]:
                break
        if rest := remainder(document, said):
            record[KEY] = rest
        return _json(record)


def _json(record: _Json) -> str:
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as problem:
        raise FormatError(
            f"this cannot be written as JSON: {problem}", advice="meta and attributes hold plain JSON values only"
        ) from None
    return text


def _record(document: Document, *, tracks: bool, raw: bool) -> _Json:
    """The record of a document, without its remainder.

    With ``tracks``, mentions of a project stand in its track; with ``raw``, what was kept of a file as it stood is
    written so again.
    """
    meta = document.meta if raw else {}
    record: _Json = {"sourcedb": meta["sourcedb"]} if "sourcedb" in meta else {}
    record["sourceid"] = document.id
    source = meta.get("sourceid")
    if "divid" in meta and f"{source}-{meta['divid']}" == document.id:
        record |= {"sourceid": source, "divid": meta["divid"]}
    elif type(source) is int and str(source) == document.id:
        record["sourceid"] = source
    record |= {key: meta[key] for key in _KEPT if key in meta}
    record["text"] = document.text
    if document.passages:
        record["divisions"] = [
            {"span": {"begin": passage.start, "end": passage.end}, "label": passage.kind}
            for passage in document.passages
        ]
    elif "divisions" in meta:
        record["divisions"] = meta["divisions"]
    blocks = [
        {"id": f"S{number}", "span": {"begin": start, "end": end}, "obj": "sentence"}
        for number, (start, end) in enumerate(document.sentences, start=1)
    ]
    if blocks or "blocks" in meta:
        record["blocks"] = [*blocks, *_list(meta.get("blocks"))]
    parts: dict[str | None, _Json] = {}
    place: dict[str, str | None] = {}
    for mention in document.mentions:
        project = mention.meta.get("project") if tracks else None
        place[mention.id] = project if isinstance(project, str) else None
        part = parts.setdefault(place[mention.id], {"denotations": [], "relations": [], "attributes": []})
        part["denotations"].append(_denotation(mention))
        for kind, value in _said_of(mention):
            part["attributes"].append({"subj": mention.id, "pred": kind, "obj": value})
    free = (name for number in counting(1) if (name := f"R{number}") not in place)
    for relation in document.relations:
        if relation.level != "mention":
            continue
        project = place[relation.head] if place[relation.head] == place[relation.tail] else None
        part = parts.setdefault(project, {"denotations": [], "relations": [], "attributes": []})
        name = relation.id if relation.id and relation.id not in place else next(free)
        kind = relation.type if relation.type != _CHAINED else "chained"
        more = relation.attributes.get("more")
        part["relations"].append(
            {"id": name, "subj": relation.head, "pred": kind, "obj": relation.tail}
            | (more if isinstance(more, dict) and not more.keys() & {"id", "subj", "pred", "obj"} else {})
        )
        for kind, value in _said_of(relation):
            part["attributes"].append({"subj": name, "pred": kind, "obj": value})
    if raw and ("links" in meta or "attributes" in meta):
        part = parts.setdefault(None, {"denotations": [], "relations": [], "attributes": []})
        part["relations"] += _list(meta.get("links"))
        part["attributes"] += _list(meta.get("attributes"))
    number = counting(1)
    for part in parts.values():
        part["attributes"] = [{"id": f"A{next(number)}"} | each for each in part["attributes"]]
        for key in ("relations", "attributes"):
            if not part[key]:
                del part[key]
    more = meta.get("more")
    return (
        record
        | parts.pop(None, {"denotations": []})
        | ({"tracks": [{"project": project} | part for project, part in parts.items()]} if parts else {})
        | (more if isinstance(more, dict) and not more.keys() & (record.keys() | set(_LISTS)) else {})
    )


def _denotation(mention: Mention) -> _Json:
    spans = [{"begin": start, "end": end} for start, end in mention.fragments or (mention.span,)]
    more = mention.meta.get("more")
    return {"id": mention.id, "span": spans if len(spans) > 1 else spans[0], "obj": mention.type} | (
        more if isinstance(more, dict) and not more.keys() & {"id", "span", "begin", "end", "obj"} else {}
    )


def _said_of(thing: Mention | Relation) -> Iterator[tuple[str, object]]:
    """What is said of a mention or a relation in attributes: concepts, receipt, and attributes proper."""
    attributes: object = thing.attributes if isinstance(thing, Relation) else thing.meta.get("attributes")
    if isinstance(thing, Mention):
        key = thing.meta.get("concept_key")
        for concept in thing.concepts:
            yield (key if isinstance(key, str) and key in _CONCEPTS else _CONCEPTS[0]), concept
    if thing.probability is not None:
        yield "probability", float(thing.probability)
    if thing.source:
        yield "source", thing.source
    for kind, value in attributes.items() if isinstance(attributes, dict) else ():
        for each in value if isinstance(value, list) and len(value) > 1 else [value]:
            if not isinstance(each, (dict, list)) and kind != "more":
                yield kind, each


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

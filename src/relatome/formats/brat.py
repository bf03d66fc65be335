"""brat standoff: the text in one file, ``DOC.txt``, what is said of it in another, ``DOC.ann``.

    T1 TAB Protein 26 30 TAB NFAT                 a mention; several ranges where it is discontinuous: 0 6;17 23
    R1 TAB binds Arg1:T1 Arg2:T2                  a relation between two mentions
    E1 TAB Binding:T3 Theme:T1 Theme2:E2          an event: its trigger and its arguments
    A1 TAB Negation E1      M1 TAB Level T1 High  an attribute of a mention, relation or event
    N1 TAB Reference T1 Taxonomy:9606 TAB human   a concept
    #1 TAB AnnotatorNotes T1 TAB free text        a note
    * TAB Equiv T1 T2                             mentions that mean the same

A document is read from either of its two files, from a folder of pairs, or from a tar archive of them; the older
``.a1`` and ``.a2`` of the BioNLP shared tasks are read like one ``.ann``. Offsets count characters of the ``.txt``, line
ends included. A ``Document`` has relations of two mentions only, so events stay as they are in ``meta["events"]``,
relations of events in ``meta["links"]``, equivalences in ``meta["equivalences"]``; attributes go to
``mention.meta["attributes"]`` or to the relation's own, notes to ``meta["notes"]``.

What brat has no place for (passages, labels, probabilities, ids of another form) is written as notes of the type
``Relatome``, which brat leaves alone, so that nothing is lost.

References
----------
Stenetorp et al. 2012, BRAT: a web-based tool for NLP-assisted text annotation; https://brat.nlplab.org/standoff.html
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TextIO, cast
from urllib.parse import unquote

from relatome.documents import Document, Mention, Relation, Span
from relatome.errors import FormatError, InputError
from relatome.formats import archives
from relatome.formats.files import Lent, OnReject, first_lines, located, opened, settle, shown, writing
from relatome.formats.losses import EVERYTHING
from relatome.formats.offsets import fitted
from relatome.formats.remainder import completed, remainder

HOLDS = EVERYTHING
ARCHIVES = FOLDERS = True  # it reads them itself, pair by pair, and folders in them, too

_ANNOTATIONS = (".ann", ".a1", ".a2")
_TARS = (".tar", ".tar.gz", ".tgz")
_MOST_BYTES_A_FILE = 64 * 1024 * 1024
_MOST_BYTES_WAITING = 256 * 1024 * 1024  # of an archive's files whose partner has not come yet
_NOTE = "Relatome"
_ROLES = ["Arg1", "Arg2"]

_LINE = re.compile(r"(?:[TREAMN#]\d+|\*)\t\S")
_MENTION = re.compile(r"(\S+) (\d{1,15} \d{1,15}(?:;\d{1,15} \d{1,15})*)")
_REFERENCE = re.compile(r"(\S+) (\S+) (\S+)")
_CONCEPT = re.compile(r"[^\s:\0]+:[^\s\0]+")
_TOKEN = re.compile(r"[^\s:\0]+")

_Json = dict[str, Any]


class _Line(NamedTuple):
    """A line of annotations, and where it stands."""

    path: str
    number: int
    text: str


class _Pair(NamedTuple):
    """A document's two files, decoded: where they stand, its name and folder, its text, its annotation lines."""

    path: str
    name: str
    folder: str
    text: str
    lines: list[_Line]


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a pair of files, of a folder and the folders in it, or of a tar archive.

    A document's id is its file's name without ``.txt``; the folder in which it stands, where there are some, is
    ``meta["folder"]``.

    Parameters
    ----------
    path
        A ``.ann`` or a ``.txt`` file with the other one beside it (gzip too), a folder of such pairs, or a tar archive,
        plain or gzip; for ``"-"``, standard input, only an archive.
    on_reject
        Told about a document that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about an annotation that is wrong, which is then repaired or left out and its document kept (see
        ``relatome.formats.offsets``); without it the document is rejected.

    Raises
    ------
    FormatError
        A line is no annotation, or names one that is not there; a file has no partner.
    OffsetError
        A mention's offsets do not give its text; both are shown.
    """
    pairs = _from_folder(Path(path), on_reject) if _is_folder(path) else _from_file(path, on_reject)
    for pair in pairs:
        try:
            document = _document(pair, on_repair)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write documents as pairs of files; ``read`` gives equal documents back.

    Parameters
    ----------
    path
        A folder, which is made and must not hold anything yet; a tar archive, by its name (``.tar``, ``.tar.gz``,
        ``.tgz``); or, for a single document, its ``.ann`` file, beside which its ``.txt`` is written. Whatever it is
        appears only when all is written.

    Returns
    -------
    int
        How many documents were written.

    Raises
    ------
    FormatError
        Two documents would have the same files, or several should go into one pair.
    """
    if not isinstance(path, (str, Path)) or str(path) == "-":
        raise FormatError(
            "brat is two files a document: it cannot be written to a stream", advice="name a folder or a .tar.gz"
        )
    target = Path(path)
    plain = target.name.removesuffix(".gz")
    if target.name.endswith(_TARS):
        return _write_tar(documents, target)
    if plain.endswith((".ann", ".txt")):
        return _write_pair(documents, target)
    return _write_folder(documents, target)


def fits(start: str) -> bool:
    """Whether every line begins with an annotation's id."""
    lines = first_lines(start)
    return bool(lines) and all(map(_LINE.match, lines))


def is_part(path: Path) -> bool:
    """Whether a file is read together with the one beside it, and so not by itself: the text, or an empty ``.ann``."""
    stem, kind = _named(path.name)
    if kind == ".txt":
        return any(other.stat().st_size for other in _beside(path, stem, _ANNOTATIONS))
    if kind == ".a2":
        return bool(_beside(path, stem, (".a1",)))
    return kind in _ANNOTATIONS and not path.stat().st_size and bool(_beside(path, stem, (".txt",)))


# ------------------------------------------------------------------------------------------------- files to pairs


def _is_folder(path: str | Path) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # no name can be so: opening it says so
        return False


def _named(name: str) -> tuple[str, str]:
    """A file's name without its extension, and the extension; ``.gz`` belongs to neither."""
    plain = name.removesuffix(".gz")
    kind = next((kind for kind in (".txt", *_ANNOTATIONS) if plain.endswith(kind)), "")
    return plain.removesuffix(kind), kind


def _beside(path: Path, stem: str, kinds: Iterable[str]) -> list[Path]:
    """The files of a name that are there, one a kind."""
    found = []
    for kind in kinds:
        places = (path.with_name(stem + kind + zipped) for zipped in ("", ".gz"))
        found += [place for place in places if place.is_file()][:1]
    return found


def _from_file(path: str | Path, on_reject: OnReject | None) -> Iterator[_Pair]:
    if str(path) != "-" and Path(path).name.removesuffix(".gz").endswith((".txt", *_ANNOTATIONS)):
        yield _from_pair(Path(path), "")
        return
    if archives.kind(path):
        yield from _from_archive(path, on_reject)
        return
    with opened(path):  # an empty file, or none, is said to be so
        pass
    if str(path) == "-":
        raise FormatError(
            "standard input is no tar archive",
            path=shown(path),
            advice="name the .ann file, whose .txt stands beside it",
        )
    yield _from_pair(Path(path), "")


def _from_folder(folder: Path, on_reject: OnReject | None) -> Iterator[_Pair]:
    seen = False
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if any(part.startswith(".") for part in inner.parts) or not path.is_file():
            continue
        stem, kind = _named(path.name)
        kinds = [other for other in (".txt", *_ANNOTATIONS) if _beside(path, stem, (other,))]
        if not kind or kind != kinds[0]:
            continue
        seen = True
        try:
            pair = _from_pair(path, "" if inner.parent == Path() else inner.parent.as_posix())
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield pair
    if not seen:
        raise InputError(
            "this is a folder, not a file, and holds no .ann files",
            path=folder,
            advice="brat keeps DOC.txt beside DOC.ann",
        )


def _from_pair(path: Path, folder: str) -> _Pair:
    stem, kind = _named(path.name)
    texts = _beside(path, stem, (".txt",))
    annotations = _beside(path, stem, (".ann",)) or _beside(path, stem, (".a1", ".a2"))
    if kind == ".txt":
        texts = [path]
    elif path not in annotations:
        annotations = [path]
    lines = [line for file in annotations for line in _lines(_whole(file), str(file))]
    if not texts:
        raise FormatError(f"its text, {stem}.txt, is not beside it", path=path)
    if not annotations:
        raise FormatError(
            f"its annotations, {stem}.ann, are not beside it", path=path, advice="an empty file says there are none"
        )
    return _Pair(str(annotations[0]), stem, folder, _decoded(_whole(texts[0]), str(texts[0])), lines)


def _whole(path: Path | Lent) -> bytes:
    """The bytes of a file, which may be empty: no annotations, or no text."""
    if isinstance(path, Lent):
        if not path.stream.peek(1):
            return b""
    else:
        with contextlib.suppress(OSError, ValueError):  # opening it says what is wrong
            if _named(path.name)[1] and path.stat().st_size == 0:
                return b""
    with opened(path) as stream:
        data = stream.read(_MOST_BYTES_A_FILE + 1)
    if len(data) > _MOST_BYTES_A_FILE:
        raise _too_large(str(path))
    return data


def _too_large(place: str) -> InputError:
    return InputError(f"one document of more than {_MOST_BYTES_A_FILE // 2**20} MB", path=place)


def _decoded(data: bytes, place: str) -> str:
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise InputError("the file is binary, not text: a NUL byte", path=place, line=line)
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as problem:
        data = problem.object
        raise InputError(
            f"the text is not UTF-8: byte 0x{data[problem.start]:02x}",
            path=place,
            line=data[: problem.start].count(b"\n") + 1,
            advice="convert it, for example: iconv -f WINDOWS-1252 -t UTF-8",
        ) from None


def _lines(data: bytes, place: str) -> list[_Line]:
    lines = enumerate(_decoded(data, place).split("\n"), start=1)
    return [_Line(place, number, line.removesuffix("\r")) for number, line in lines]


def _from_archive(path: str | Path, on_reject: OnReject | None) -> Iterator[_Pair]:
    """The pairs of an archive, in the order in which they are complete; other things in it are left out."""
    waiting: dict[str, dict[str, bytes]] = {}
    size = 0  # of what waits
    for member in archives.members(path, on_reject=on_reject):
        name = str(member).removeprefix(f"{shown(path)}/")
        stem, kind = _named(PurePosixPath(name).name)
        if not kind or stem.startswith("."):
            continue
        try:
            data = _whole(member)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        key = str(PurePosixPath(name).with_name(stem))
        held = waiting.setdefault(key, {})
        held[kind] = data
        size += len(data) + len(name)
        if {".txt", ".ann"} <= held.keys():
            size -= sum(map(len, held.values())) + len(name)
            yield from _settled(path, key, waiting.pop(key), on_reject)
        if size > _MOST_BYTES_WAITING:
            raise InputError(
                f"more than {_MOST_BYTES_WAITING // 2**20} MB of files whose partner has not come yet",
                path=shown(path),
                advice="pack each .ann beside its .txt, or unpack the archive",
            )
    for key in list(waiting):
        yield from _settled(path, key, waiting.pop(key), on_reject)


def _settled(path: str | Path, key: str, held: dict[str, bytes], on_reject: OnReject | None) -> Iterator[_Pair]:
    place = PurePosixPath(key)
    where = f"{shown(path)}/{key}"
    kinds = [kind for kind in _ANNOTATIONS if kind in held]
    try:
        if not kinds or ".txt" not in held:
            missing, there = (".txt", kinds[0]) if kinds else (".ann", ".txt")
            raise FormatError(f"{place.name}{missing} is not beside it", path=where + there)
        pair = _Pair(
            where + kinds[0],
            place.name,
            "" if place.parent == PurePosixPath() else str(place.parent),
            _decoded(held[".txt"], where + ".txt"),
            [line for kind in kinds for line in _lines(held[kind], where + kind)],
        )
    except InputError as problem:
        settle(problem, on_reject)
        return
    yield pair


# --------------------------------------------------------------------------------------------- pairs to documents


def _document(pair: _Pair, on_repair: OnReject | None) -> Document:
    with located(path=pair.path):
        identity = _plain(pair.name)
        if not identity:
            raise FormatError("a document has no name")
        with located(document=identity):
            text = pair.text
            if "\r\n" in text:
                # Its lines may have ended in LF when its offsets were counted, and been changed by another machine.
                other = text.replace("\r\n", "\n")
                text = max((text, other), key=lambda text: sum(_stands(line.text, text) for line in pair.lines))
            return _Annotations(pair, identity, text, on_repair).document()


def _stands(line: str, text: str) -> bool:
    """Whether a line is a mention that stands in the text where it says."""
    place, _, written = line.partition("\t")[2].partition("\t")
    found = _MENTION.fullmatch(place)
    spans = [part.split() for part in found[2].split(";")] if found and line.startswith("T") else []
    return bool(spans) and _one_line(" ".join(text[int(start) : int(end)] for start, end in spans)) == written


class _Annotations:
    """What the lines of a pair say of its text, while they are read."""

    def __init__(self, pair: _Pair, identity: str, text: str, on_repair: OnReject | None) -> None:
        self.id, self.text, self.on_repair = identity, text, on_repair
        self.lines = pair.lines
        self.at = _Line(pair.path, 0, "")  # the line that is being read
        self.mentions: dict[str, _Json] = {}
        self.relations: dict[str, tuple[_Line, str, list[list[str]], _Json]] = {}
        self.events: dict[str, _Json] = {}
        self.places: dict[str, _Line] = {}  # of the events
        self.equivalences: list[list[str]] = []
        self.rest: object = None
        self.meta: _Json = {"folder": pair.folder} if pair.folder else {}

    def document(self) -> Document:
        later: list[_Line] = []
        for line in self.lines:
            if line.text[:1] == "T":
                self._take(line, "T")
            elif line.text.strip():
                later.append(line)
        # Attributes and notes may come before what they are about, and events before their arguments.
        for kinds in ("RE*", "AMN#"):
            for line in later:
                if line.text[0] in kinds or (kinds == "RE*" and line.text[0] not in _READERS):
                    self._take(line, kinds)
        self._settle_events()
        relations, links = self._relations()
        if links:
            self.meta["links"] = links
        if self.events:
            self.meta["events"] = list(self.events.values())
        if self.equivalences:
            self.meta["equivalences"] = self.equivalences
        said = Document(
            self.id,
            self.text,
            mentions=tuple(Mention(**values) for values in self.mentions.values()),
            relations=relations,
            meta=self.meta,
        ).check()
        if self.rest is None:
            return said
        try:
            return completed(said, self.rest)
        except InputError as problem:
            self._wrong(problem)
            return said

    def _take(self, line: _Line, kinds: str) -> None:
        """Read a line; one that is wrong is reported and left out, where there is someone to report it to."""
        self.at = line
        columns = line.text.split("\t", 2)
        try:
            if not _LINE.match(line.text) or len(columns) < (3 if kinds == "T" else 2):
                raise FormatError(
                    f"expected a line of brat's (T1, type, offsets and text with tabs between), found {line.text[:80]!r}"
                )
            getattr(self, _READERS[line.text[0]])(columns)
        except InputError as problem:
            self._wrong(problem)

    def _wrong(self, problem: InputError) -> None:
        problem.at(path=self.at.path, line=self.at.number or None, document=self.id)
        if self.on_repair is None:
            raise problem
        self.on_repair(problem)

    def _mention(self, columns: list[str]) -> None:
        identity, place, written = columns
        if identity in self.mentions:
            raise FormatError(f"two mentions have the id {identity!r}")
        found = _MENTION.fullmatch(place.strip())
        if found is None:
            raise FormatError(f"expected 'type start end', found {place[:80]!r}")
        spans = [Span(*map(int, part.split())) for part in found[2].split(";")]
        stands = " ".join(self.text[start:end] for start, end in spans)
        if _one_line(stands) == written:  # a line cannot hold the line break that stands in the text
            written = stands
        told = self._wrong if self.on_repair else None
        text = fitted(self.text, spans, written, what=f"mention {identity!r}", on_repair=told)
        if text is None:
            return
        self.mentions[identity] = {
            "id": identity,
            "start": min(span.start for span in spans),
            "end": max(span.end for span in spans),
            "type": found[1],
            "text": text,
            "fragments": tuple(spans) if len(spans) > 1 else (),
            "concepts": (),
            "meta": {},
        }

    def _relation(self, columns: list[str]) -> None:
        kind, arguments = _arguments(columns[1])
        if columns[0] in self.relations:
            raise FormatError(f"two relations have the id {columns[0]!r}")
        if len(arguments) != 2:
            raise FormatError(f"relation {columns[0]!r} should have two arguments, found {len(arguments)}")
        self.relations[columns[0]] = (self.at, kind, arguments, {})

    def _event(self, columns: list[str]) -> None:
        head, *rest = columns[1].split()
        kind, _, trigger = head.partition(":")
        if columns[0] in self.events:
            raise FormatError(f"two events have the id {columns[0]!r}")
        if trigger not in self.mentions:
            raise FormatError(f"event {columns[0]!r} has the trigger {trigger!r}, which is no mention of this document")
        arguments = _arguments(" ".join([kind, *rest]))[1]
        self.places[columns[0]] = self.at
        self.events[columns[0]] = {"id": columns[0], "type": kind, "trigger": trigger, "arguments": arguments}

    def _equivalence(self, columns: list[str]) -> None:
        kind, *members = columns[1].split()
        for member in members:
            if member not in self.mentions:
                raise FormatError(f"an equivalence names {member!r}, which is no mention of this document")
        self.equivalences.append([kind, *members])

    def _attribute(self, columns: list[str]) -> None:
        parts = columns[1].split(None, 2)
        if len(parts) < 2:
            raise FormatError(f"expected 'name annotation [value]', found {columns[1][:80]!r}")
        values = self._of(parts[1], "attributes")
        value: object = parts[2].rstrip() if len(parts) == 3 else True
        if parts[0] in values:
            others = values[parts[0]]
            value = [*(others if isinstance(others, list) else [others]), value]
        values[parts[0]] = value

    def _concept(self, columns: list[str]) -> None:
        found = _REFERENCE.fullmatch(columns[1].strip())
        if found is None:
            raise FormatError(f"expected 'Reference annotation database:id', found {columns[1][:80]!r}")
        kind, target, concept = found.groups()
        if target not in self.mentions:
            raise FormatError(f"a concept is given to {target!r}, which is no mention of this document")
        mention = self.mentions[target]
        name = columns[2] if len(columns) > 2 else ""
        if kind != "Reference" or concept in mention["concepts"]:
            mention["meta"].setdefault("references", []).append([kind, concept, name])
            return
        mention["concepts"] += (concept,)
        if name:
            mention["meta"].setdefault("names", {})[concept] = name

    def _note(self, columns: list[str]) -> None:
        kind, _, target = columns[1].strip().partition(" ")
        text = columns[2] if len(columns) > 2 else ""
        if kind == _NOTE:
            try:
                self.rest = json.loads(text)
            except (ValueError, RecursionError):
                raise FormatError(f"a note of the type {_NOTE} should be JSON, found {text[:60]!r}") from None
        elif not target:
            self.meta.setdefault("notes", []).append([kind, text])
        else:
            self._of(target, "notes").append([kind, text])

    def _of(self, target: str, what: str) -> Any:
        """The attributes, or the notes, of a mention, relation or event."""
        empty: Any = {} if what == "attributes" else []
        if target in self.mentions:
            return self.mentions[target]["meta"].setdefault(what, empty)
        if target in self.events:
            return self.events[target].setdefault(what, empty)
        if target in self.relations:
            values = self.relations[target][3]
            return values if what == "attributes" else values.setdefault(what, empty)
        raise FormatError(f"{what} of {target!r}, which is no annotation of this document")

    def _settle_events(self) -> None:
        """Leave out, or refuse, events one of whose arguments is not there, and then those that name them."""
        for identity, target in _unsettled(self.events.values(), self.mentions):
            self.at = self.places[identity]
            del self.events[identity]
            self._wrong(FormatError(f"event {identity!r} names {target!r}, which is no annotation of this document"))

    def _relations(self) -> tuple[tuple[Relation, ...], list[_Json]]:
        relations: list[Relation] = []
        links: list[_Json] = []
        for identity, (at, kind, arguments, attributes) in self.relations.items():
            self.at = at
            roles = [role for role, _ in arguments]
            (_, head), (_, tail) = arguments
            lost = next((end for end in (head, tail) if end not in self.mentions and end not in self.events), None)
            if lost is not None:
                self._wrong(
                    FormatError(f"relation {identity!r} names {lost!r}, which is no annotation of this document")
                )
            elif head in self.mentions and tail in self.mentions:
                own = {} if roles == _ROLES else {"roles": roles}
                relations.append(Relation(identity, kind, head, tail, attributes=own | attributes))
            else:
                links.append({"id": identity, "type": kind, "arguments": arguments, "attributes": attributes})
        return tuple(relations), links


_READERS = {
    "T": "_mention",
    "R": "_relation",
    "E": "_event",
    "*": "_equivalence",
    "A": "_attribute",
    "M": "_attribute",
    "N": "_concept",
    "#": "_note",
}


def _unsettled(events: Iterable[_Json], mentions: Collection[str]) -> Iterator[tuple[str, str]]:
    """The events that name what is not there, each with what it names; and those that name such an event."""
    named_by: dict[str, list[str]] = {}
    known = {event["id"] for event in events}
    lost: list[tuple[str, str]] = []
    for event in events:
        for _, target in event["arguments"]:
            if target in known:
                named_by.setdefault(target, []).append(event["id"])
            elif target not in mentions:
                lost.append((event["id"], target))
    gone: set[str] = set()
    while lost:
        identity, target = lost.pop()
        if identity not in gone:
            gone.add(identity)
            yield identity, target
            lost += [(other, identity) for other in named_by.get(identity, ())]


def _arguments(column: str) -> tuple[str, list[list[str]]]:
    kind, *arguments = column.split()
    pairs = [list(argument.partition(":")[::2]) for argument in arguments]
    if any(not role or not target for role, target in pairs):
        raise FormatError(f"expected 'type role:annotation role:annotation', found {column[:80]!r}")
    return kind, pairs


def _one_line(text: str) -> str:
    return re.sub(r"[\t\r\n\0]", " ", text)


# --------------------------------------------------------------------------------------------- documents to pairs


def _annotations(document: Document, folder: str, name: str) -> str:
    """The ``.ann`` of a document: what brat can say, and as a note what it cannot."""
    if "\0" in document.text:
        raise FormatError("the text holds a NUL character, which no text file has")
    lines = _said(document)
    text = "".join(line + "\n" for line in lines)
    numbered = [_Line(f"{name}.ann", number, line) for number, line in enumerate(lines, start=1)]
    said = _document(_Pair(f"{name}.ann", name, folder, document.text, numbered), None)
    if rest := remainder(document, said):
        number = 1 + sum(line.startswith("#") for line in lines)
        text += f"#{number}\t{_NOTE} Document\t{json.dumps(rest, ensure_ascii=False)}\n"
    try:
        (text + document.text).encode()
    except UnicodeEncodeError:
        raise FormatError("the text holds half a character, a lone surrogate") from None
    return text


def _said(document: Document) -> list[str]:
    """The lines for whatever of a document brat has lines for."""
    lines: list[str] = []
    more: list[str] = []  # attributes, concepts and notes: after what they are about
    counts = dict.fromkeys("AN#", 0)

    def add(kind: str, rest: str) -> None:
        counts[kind] += 1
        more.append(f"{kind}{counts[kind]}\t{rest}")

    def describe(target: str, attributes: object, notes: object) -> None:
        for key, value in attributes.items() if isinstance(attributes, dict) else ():
            for each in value if isinstance(value, list) and len(value) > 1 else [value]:
                if not _TOKEN.fullmatch(str(key)) or each is False:
                    continue
                if each is True:
                    add("A", f"{key} {target}")
                elif isinstance(each, str) and each and each.strip() == each == _one_line(each):
                    add("A", f"{key} {target} {each}")
        for note in notes if isinstance(notes, list) else ():
            if (
                _is_strings(note, 2)
                and _TOKEN.fullmatch(note[0])
                and note[0] != _NOTE
                and _one_line(note[1]) == note[1]
            ):
                add("#", f"{note[0]} {target}\t{note[1]}")

    names = _names("T", [mention.id for mention in document.mentions])
    for mention in document.mentions:
        spans = ";".join(f"{start} {end}" for start, end in mention.fragments or (mention.span,))
        lines.append(f"{names[mention.id]}\t{_type(mention.type)} {spans}\t{_one_line(mention.text)}")
        called = mention.meta.get("names")
        for concept in mention.concepts:
            if _CONCEPT.fullmatch(concept):
                called_so = called.get(concept) if isinstance(called, dict) else None
                also = f"\t{called_so}" if isinstance(called_so, str) and _one_line(called_so) == called_so else "\t"
                add("N", f"Reference {names[mention.id]} {concept}{also}")
        for reference in _list(mention.meta.get("references")):
            if (
                _is_strings(reference, 3)
                and all(map(_TOKEN.fullmatch, reference[:1]))
                and re.fullmatch(r"[^\s\0]+", reference[1])
            ):
                add("N", f"{reference[0]} {names[mention.id]} {reference[1]}\t{_one_line(reference[2])}")
        describe(names[mention.id], mention.meta.get("attributes"), mention.meta.get("notes"))
    events = _events(document, names)
    for event in events:
        arguments = "".join(f" {role}:{names.get(target, target)}" for role, target in event["arguments"])
        lines.append(f"{event['id']}\t{event['type']}:{names[event['trigger']]}{arguments}")
        describe(event["id"], event.get("attributes"), event.get("notes"))
    links = [link for link in _list(document.meta.get("links")) if _is_link(link)]
    between = [relation for relation in document.relations if relation.level == "mention"]
    called = _names("R", [relation.id for relation in between], {str(link["id"]) for link in links})
    for relation in between:
        roles = relation.attributes.get("roles")
        if not (_is_strings(roles, 2) and all(map(_TOKEN.fullmatch, cast(list[str], roles)))):
            roles = _ROLES
        ends = zip(cast(list[str], roles), (names[relation.head], names[relation.tail]), strict=True)
        lines.append(
            f"{called[relation.id]}\t{_type(relation.type)} " + " ".join(f"{role}:{end}" for role, end in ends)
        )
        kept = {key: value for key, value in relation.attributes.items() if key not in ("roles", "notes")}
        describe(called[relation.id], kept, relation.attributes.get("notes"))
    known = names.keys() | {event["id"] for event in events}
    for link in links:
        if all(target in known for _, target in link["arguments"]):
            between_what = " ".join(f"{role}:{names.get(target, target)}" for role, target in link["arguments"])
            lines.append(f"{link['id']}\t{link['type']} {between_what}")
            describe(link["id"], link.get("attributes"), None)
    for members in _list(document.meta.get("equivalences")):
        if _is_strings(members) and len(members) > 1 and all(member in names for member in members[1:]):
            lines.append(f"*\t{_type(members[0])} " + " ".join(names[member] for member in members[1:]))
    return lines + more


def _events(document: Document, names: Mapping[str, str]) -> list[_Json]:
    """The events in the document's meta that can be written as such."""
    events = {event["id"]: event for event in _list(document.meta.get("events")) if _is_event(event, names)}
    for identity, _ in _unsettled(events.values(), names):
        del events[identity]
    return list(events.values())


def _names(letter: str, ids: list[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """What each annotation is called in the file: as it is, if all are called so there."""
    if all(re.fullmatch(rf"{letter}\d+", identity) for identity in ids) and not set(taken) & set(ids):
        return {identity: identity for identity in ids}
    free = (name for number in range(1, len(ids) + len(set(taken)) + 1) if (name := f"{letter}{number}") not in taken)
    return dict(zip(ids, free, strict=False))


def _type(name: str) -> str:
    """A type as brat can write it: without blanks."""
    return re.sub(r"[\s\0]+", "_", name.strip()) or "_"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_strings(value: object, count: int | None = None) -> bool:
    return isinstance(value, list) and count in (None, len(value)) and all(isinstance(each, str) for each in value)


def _is_linked(record: object, letter: str) -> bool:
    return (
        isinstance(record, dict)
        and bool(re.fullmatch(rf"{letter}\d+", str(record.get("id"))))
        and bool(_TOKEN.fullmatch(str(record.get("type"))))
        and isinstance(record.get("arguments"), list)
        and all(_is_strings(each, 2) and _TOKEN.fullmatch(each[0]) and each[1] for each in record["arguments"])
    )


def _is_event(record: object, names: Mapping[str, str]) -> bool:
    return _is_linked(record, "E") and str(cast(_Json, record).get("trigger")) in names


def _is_link(record: object) -> bool:
    return _is_linked(record, "R") and len(cast(_Json, record)["arguments"]) == 2


# -------------------------------------------------------------------------------------------------- pairs to files


def _safe(name: str) -> str:
    """An id as a file's name: what a name cannot hold, and a leading dot, as ``%XX``."""
    coded = re.sub(r"[^\w .,()+=@~-]|^\.", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name)
    return coded


def _plain(stem: str) -> str:
    """The id that a file's name stands for; a name that ``_safe`` would not have given is the id itself."""
    plain = unquote(stem, errors="replace")
    return plain if _safe(plain) == stem else stem


def _files(documents: Iterable[Document], taken: set[str]) -> Iterator[tuple[str, str, str]]:
    """For each document, its files' name without extension, its text and its annotations."""
    for document in documents:
        with located(document=document.id):
            document.check()
            folder = document.meta.get("folder")
            inside = folder if isinstance(folder, str) and _is_inside(folder) else ""
            name = f"{inside}/{_safe(document.id)}" if inside else _safe(document.id)
            if name in taken:
                raise FormatError(f"two documents would be written to {name}.txt")
            taken.add(name)
            yield name, _text(document), _annotations(document, inside, _safe(document.id))


def _text(document: Document) -> str:
    """The text as its file holds it: the byte-order mark that a file may begin with is no part of a text."""
    return "\ufeff" * document.text.startswith("\ufeff") + document.text


def _is_inside(folder: str) -> bool:
    parts = folder.split("/")
    return all(part and _safe(part) == part and not part.startswith(".") for part in parts)


def _write_pair(documents: Iterable[Document], target: Path) -> int:
    plain, zipped = (target.name[:-3], ".gz") if target.name.endswith(".gz") else (target.name, "")
    stem = plain[:-4]
    count = 0
    with (
        writing(target.with_name(f"{stem}.txt{zipped}")) as texts,
        writing(target.with_name(f"{stem}.ann{zipped}")) as lines,
    ):
        for document in documents:
            count += 1
            if count > 1:
                raise FormatError(
                    "a pair of files holds one document, and there are more",
                    path=target,
                    advice="name a folder or a .tar.gz",
                )
            with located(document=document.id):
                document.check()
                texts.write(_text(document))
                lines.write(_annotations(document, "", stem))
    return count


def _write_folder(documents: Iterable[Document], target: Path) -> int:
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    count = 0
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise InputError("this is there already, and is no empty folder", path=target, advice="name a new folder")
        temporary.mkdir()
        for name, text, annotations in _files(documents, set()):
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            for kind, content in ((".txt", text), (".ann", annotations)):
                (temporary / (name + kind)).write_bytes(content.encode())
            count += 1
        if target.exists():
            target.rmdir()
        temporary.rename(target)
    except FileNotFoundError:
        raise InputError("its folder does not exist", path=target, advice=f"mkdir -p {target.parent}") from None
    except PermissionError:
        raise InputError("this folder may not be written", path=target, advice="check the permissions") from None
    except OSError as problem:
        raise InputError(f"this folder cannot be written: {problem.strerror}", path=target) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return count


def _write_tar(documents: Iterable[Document], target: Path) -> int:
    count = 0
    # The name tells ``writing`` whether to compress, so .tgz is asked for as .gz.
    with writing(target) as stream:
        binary = cast(io.BytesIO, cast(io.TextIOWrapper, stream).buffer)
        with contextlib.ExitStack() as closing:
            if target.suffix == ".tgz":
                zipped = gzip.GzipFile(filename="", mode="wb", fileobj=binary, mtime=0)
                binary = cast(io.BytesIO, closing.enter_context(zipped))
            archive = closing.enter_context(tarfile.open(fileobj=binary, mode="w|", format=tarfile.PAX_FORMAT))
            for name, text, annotations in _files(documents, set()):
                for kind, content in ((".txt", text.encode()), (".ann", annotations.encode())):
                    member = tarfile.TarInfo(name + kind)  # no time, no owner: the same documents give the same bytes
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
                count += 1
    return count

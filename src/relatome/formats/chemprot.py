"""ChemProt, the BioCreative VI task: three or four tab-separated files that belong together.

    *_abstracts.tsv      PMID, title, abstract
    *_entities.tsv       PMID, T1, CHEMICAL | GENE-Y | GENE-N | GENE, start, end, text
    *_relations.tsv      PMID, CPR:4, "Y " or "N ", INHIBITOR, Arg1:T7, Arg2:T39
    *_gold_standard.tsv  PMID, CPR:4, Arg1:T7, Arg2:T39                            evaluated groups only

Offsets count ``title TAB abstract``, so the text keeps that tab. GENE-Y is a gene that could be linked to a database,
GENE-N one that could not. The relations file says more than the gold standard: relations of groups that are not
evaluated, and two relation types of one group between the same pair, which are one line in the gold standard.

DrugProt has the same layout but for its relations, which have no groups (see ``relatome.formats.drugprot``); it is read
here as well, since nothing in an abstracts file tells the two apart.

References
----------
Krallinger et al. 2017, Overview of the BioCreative VI chemical-protein interaction track.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from relatome.documents import Document, Mention, Passage, Relation, Span
from relatome.errors import FormatError, InputError
from relatome.formats.files import Line, OnReject, first_lines, located, numbered, settle, writing
from relatome.formats.offsets import fitted

EVALUATED = ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9")
HOLDS = frozenset({"relations", "unlinked", "attributes.group"})

_ABSTRACTS = ("abstracts", "abstracs")  # the second is how DrugProt's release spells it
_LINE = re.compile(r"\w+\t(?:[^\t]+\t[^\t]+$|T\d+\t\S+\t\d+\t\d+\t|CPR:\d+\t)")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a ChemProt release, in the order of its abstracts file.

    Abstracts are streamed; the rows of the other files, which may be in another order, are held.

    Parameters
    ----------
    path
        The ``*_abstracts.tsv`` file, plain or gzip. Its siblings are found by name; a test set without relations,
        or without entities, is fine.
    on_reject
        Told about a document that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about an entity or a relation that is wrong, which is then repaired (see ``relatome.formats.offsets``) or
        left out, and its document kept; without it the document is rejected.

    Raises
    ------
    FormatError
        A line has the wrong columns.
    OffsetError
        An entity's offsets do not give its text.
    """
    entities = _Table(_sibling(path, "entities"), 6)
    fine = _sibling(path, "relations")
    relations = _Table(fine, 6, 4) if fine else _Table(_sibling(path, "gold_standard"), 4)
    for line in numbered(path):
        if not line.text.strip():
            continue
        try:
            with located(path=path, line=line.number):
                document = _document(line, entities, relations, on_repair)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document
    for table in (entities, relations):
        for left_over in table.left_over(path):
            settle(left_over, on_reject)


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write relations as the official scorer reads them, one line each: ``PMID, group, Arg1:T7, Arg2:T39``.

    Only the five evaluated groups are written, each pair once per group, as in the official gold standard. A
    relation whose type is itself a group (``CPR:4``) needs no ``group`` attribute. Texts and entities are not
    written: the scorer reads none.

    Returns
    -------
    int
        How many lines were written.
    """
    count = 0
    with writing(path) as stream:
        for document in documents:
            seen: dict[tuple[str, str, str], None] = {}
            for relation in document.relations:
                group = str(relation.attributes.get("group", relation.type))
                if relation.level == "mention" and group in EVALUATED:
                    seen[(group, relation.head, relation.tail)] = None
            stream.writelines(f"{document.id}\t{group}\tArg1:{head}\tArg2:{tail}\n" for group, head, tail in seen)
            count += len(seen)
    return count


def laid_out(document: Document) -> Document:
    """A document with the relations that the scorer reads: those of the evaluated groups, a pair once in each."""
    relations = {
        (str(relation.attributes.get("group", relation.type)), relation.head, relation.tail): relation
        for relation in reversed(document.relations)
    }
    kept = [relation for (group, _, _), relation in reversed(relations.items()) if group in EVALUATED]
    return replace(document, relations=tuple(kept))


def fits(start: str) -> bool:
    """Whether every line has the columns of an abstracts, entities or relations file.

    Any three columns will do, so every other format of rows is asked before.
    """
    lines = first_lines(start)
    return bool(lines) and all(map(_LINE.match, lines))


def is_part(path: Path) -> bool:
    """Whether a file is read together with the abstracts file beside it, and so not by itself."""
    return any(
        path.with_name(path.name.removesuffix(".gz").replace(kind, abstracts) + zipped).is_file()
        for kind in ("entities", "relations", "gold_standard")
        for abstracts in _ABSTRACTS
        for zipped in ("", ".gz")
        if kind in path.name
    )


class _Table:
    """The rows of a sibling file by document; each row knows its line."""

    def __init__(self, path: Path | None, *columns: int) -> None:
        self.path = path
        self.rows: dict[str, list[tuple[int, list[str]]]] = {}
        if path is None:
            return
        for line in numbered(path):
            if line.text.strip():
                with located(path=path, line=line.number):
                    row = _columns(line, *columns)
                    columns = (len(row),)
                self.rows.setdefault(row[0], []).append((line.number, row))

    def take(self, identity: str) -> list[tuple[int, list[str]]]:
        return self.rows.pop(identity, [])

    def left_over(self, abstracts: str | Path) -> Iterator[InputError]:
        for identity, rows in self.rows.items():
            yield FormatError(
                f"{len(rows)} rows of a document that is not in {Path(abstracts).name}",
                path=self.path,
                line=rows[0][0],
                document=identity,
                advice="do these files belong together?",
            )


def _document(line: Line, entities: _Table, relations: _Table, on_repair: OnReject | None) -> Document:
    identity, title, abstract = _columns(line, 3)
    # Both tables give up their rows first: a document rejected for its entities must leave no relations behind.
    entity_rows, relation_rows = entities.take(identity), relations.take(identity)
    text = f"{title}\t{abstract}"
    mentions: dict[str, Mention] = {}
    found: list[Relation] = []
    for number, row in entity_rows:
        repair = None if on_repair is None else _Repair(on_repair, entities.path, number, identity)
        with _mending(repair), located(path=entities.path, line=number, document=identity):
            mention = _mention(row, text, repair)
            if mention is None:
                continue
            if mention.id in mentions:
                raise FormatError(f"two entities have the id {mention.id!r}")
            mentions[mention.id] = mention
    for number, row in relation_rows:
        repair = None if on_repair is None else _Repair(on_repair, relations.path, number, identity)
        with _mending(repair), located(path=relations.path, line=number, document=identity):
            found.append(_relation(row, f"R{len(found) + 1}", mentions))
    passages = (Passage("title", 0, len(title)), Passage("abstract", len(title) + 1, len(text)))
    return Document(
        identity, text, passages=passages, mentions=tuple(mentions.values()), relations=tuple(found)
    ).check()


class _Repair:
    """Tells of a row that is wrong where it stands."""

    def __init__(self, on_repair: OnReject, path: Path | None, line: int, identity: str) -> None:
        self.on_repair = on_repair
        self.path = path
        self.line = line
        self.identity = identity

    def __call__(self, problem: InputError) -> None:
        problem.at(path=self.path, line=self.line, document=self.identity)
        self.on_repair(problem)


@contextlib.contextmanager
def _mending(repair: _Repair | None) -> Iterator[None]:
    """Leave out a row that is wrong, and tell, where that is wanted."""
    try:
        yield
    except InputError as problem:
        if repair is None:
            raise
        repair(problem)


def _mention(row: list[str], text: str, on_repair: OnReject | None) -> Mention | None:
    _, identity, kind, first, last, written = row
    if not (first.isdecimal() and last.isdecimal()):
        raise FormatError(f"expected two offsets, found {first!r} and {last!r}")
    start, end = int(first), int(last)
    found = fitted(text, [Span(start, end)], written, what=f"entity {identity!r}", on_repair=on_repair)
    return None if found is None else Mention(identity, start, end, kind, found)


def _relation(row: list[str], identity: str, mentions: dict[str, Mention]) -> Relation:
    group, arguments = row[1], dict(argument.partition(":")[::2] for argument in row[-2:])
    if set(arguments) != {"Arg1", "Arg2"}:
        raise FormatError(f"expected 'Arg1:T1' and 'Arg2:T2', found {row[-2]!r} and {row[-1]!r}")
    for argument in arguments.values():
        if argument not in mentions:
            raise FormatError(f"relation with {argument!r}, which is no entity of this document")
    attributes: dict[str, Any] = {"group": group}
    if len(row) == 6:
        attributes["evaluated"] = row[2].strip() == "Y"  # the release writes "Y " and "N "
    kind = row[3] if len(row) == 6 else group
    return Relation(identity, kind, arguments["Arg1"], arguments["Arg2"], attributes=attributes)


def _columns(line: Line, *counts: int) -> list[str]:
    columns = line.text.split("\t")
    if len(columns) not in counts:
        raise FormatError(
            f"expected {' or '.join(map(str, counts))} columns with tabs between, found {len(columns)}",
            advice="give the *_abstracts.tsv file; the others are found beside it",
        )
    if not columns[0]:
        raise FormatError("the first column, the document id, is empty")
    return columns


def _sibling(path: str | Path, kind: str) -> Path | None:
    """The file beside the abstracts that holds ``kind``, plain or gzip; none for standard input."""
    path = Path(path)
    abstracts = next((word for word in _ABSTRACTS if word in path.name), None)
    if abstracts is None:
        return None
    plain = path.name.removesuffix(".gz").replace(abstracts, kind)
    return next((path.with_name(name) for name in (plain, plain + ".gz") if path.with_name(name).is_file()), None)

"""PubTator: title and abstract, then one line per mention and per relation.

    PMID|t|title
    PMID|a|abstract
    PMID TAB start TAB end TAB mention TAB type [TAB concepts [TAB parts of a composite mention]]
    PMID TAB relation type TAB concept TAB concept [TAB novelty]

Offsets count ``title + one character + abstract``, so the text is the two joined by a blank, with a passage for each.
A document runs from its ``|t|`` line to the next one; blank lines mean nothing.

The concept column is written differently by every corpus: BC5CDR and NCBI disease join several with ``|``, BioRED
and GNormPlus with ``,``, NLM-Gene also with ``;``; BioRED and tmVar put ``|`` *inside* one variant
(``c|SUB|A|76|G``); PubTator 3 writes ``MESH:D003123``; ``-1`` and ``-`` mean none. A column is therefore split only where
every part looks like an identifier, and the column as written is kept in ``mention.meta["identifier"]`` where it cannot
be rebuilt. Some public files have lines that are none of these: lenient reading leaves them out and says so.

References
----------
Format: https://www.ncbi.nlm.nih.gov/research/bionlp/APIs/format/ ; BC5CDR: Li et al. 2016,
https://doi.org/10.1093/database/baw068 ; BioRED: Luo et al. 2022, https://doi.org/10.1093/bib/bbac282
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TextIO

from relatome.documents import Document, Passage, Relation, Span, mentions_of
from relatome.errors import FormatError, InputError
from relatome.formats import losses
from relatome.formats.files import Line, OnReject, located, numbered, settle, shown, writing
from relatome.formats.offsets import fitted

HOLDS = frozenset(
    {
        *("text", "passages", "mentions", "concepts", "overlaps", "relations", "concept_relations"),
        *("attributes.novelty", "meta.identifier", "meta.parts"),
    }
)

_TEXT_LINE = re.compile(r"([^|\t]+)\|([a-z])\|(.*)", re.DOTALL)
_IDENTIFIER = re.compile(r"(?:[A-Za-z]+:)?(?:[A-Za-z]{0,5}_?\d+)")
_BLANKS = str.maketrans("\t\r\n\0", "    ")
_NO_CONCEPT = ("", "-", "-1")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a PubTator file, one after another.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a document that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about a mention whose offsets do not fit, which is then repaired or left out (see
        ``relatome.formats.offsets``), and about a line that is none, which is left out; the document is kept. Without
        it the document is rejected.

    Raises
    ------
    FormatError
        A line is neither text, mention nor relation.
    OffsetError
        A mention's offsets do not give its text; both are shown.
    """
    for block in _blocks(path):
        try:
            with located(path=path, line=block[0].number):
                document = _document(block, path, on_repair)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write documents as PubTator; a file read by ``read`` gives the same lines again.

    PubTator has one title and one abstract: the first passage becomes the title, all that follows the abstract; a
    text without passages, or without a blank after the first, becomes a title. Line breaks and tabs become blanks, so
    that offsets stay true. Discontinuous mentions are written as their hull, mention-level relations as concept pairs
    where both mentions have a concept; labels, probabilities and sentences have no place in the format.

    Returns
    -------
    int
        How many documents were written.

    Raises
    ------
    FormatError
        An id cannot begin a line of the format.
    """
    count = 0
    with writing(path) as stream:
        for document in documents:
            with located(document=document.id):
                stream.writelines(f"{line}\n" for line in _lines(losses.kept(document, HOLDS)))
            stream.write("\n")
            count += 1
    return count


def laid_out(document: Document) -> Document:
    """A document of a title and an abstract: what is read of it once it is written.

    Examples
    --------
    >>> laid_out(Document("1", "Aspirin\\nagain")).passages
    (Passage(kind='title', start=0, end=13, heading='', meta={}),)
    """
    lines = [Line(number, line) for number, line in enumerate(_lines(document), start=1)]
    return _document(lines, "", None)


def fits(start: str) -> bool:
    """Whether a file begins with a title line."""
    return bool(re.match(r"[^|\t\n]+\|t\|", start))


@lru_cache(maxsize=1 << 12)  # a corpus names the same concepts again and again
def concepts_of(column: str) -> tuple[str, ...]:
    """The identifiers in a concept column.

    Examples
    --------
    >>> concepts_of("D014786|D006311"), concepts_of("3172,3651"), concepts_of("c|SUB|A|76|G"), concepts_of("-1")
    (('D014786', 'D006311'), ('3172', '3651'), ('c|SUB|A|76|G',), ())
    """
    column = column.strip()
    if column in _NO_CONCEPT:
        return ()
    if column.isalnum():
        return (column,)
    parts = [part.strip() for part in re.split(r"[|,;]", column)]
    if all(part in _NO_CONCEPT or _IDENTIFIER.fullmatch(part) for part in parts):
        return tuple(part for part in parts if part not in _NO_CONCEPT)
    return (column,)


def _blocks(path: str | Path) -> Iterator[list[Line]]:
    block: list[Line] = []
    for line in numbered(path):
        if not line.text.strip():
            continue
        started = _TEXT_LINE.match(line.text)
        if block and started and started[2] == "t":
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _document(block: list[Line], path: str | Path, on_repair: OnReject | None) -> Document:
    first = _TEXT_LINE.fullmatch(block[0].text)
    if not first or first[2] != "t" or not first[1].strip():
        raise FormatError(
            f"expected a title line 'PMID|t|title', found {_short(block[0].text)!r}", advice="is this a PubTator file?"
        )
    parts = _Parts(path, on_repair, first[1].strip(), first[3])
    for line in block[1:]:
        columns = line.text.split("\t")
        if parts.takes(columns):  # as nearly every line is: a mention that stands where it should
            continue
        try:
            parts.add(line, columns)
        except InputError as problem:
            parts.wrong(problem, line)
    with located(document=parts.id):
        return parts.document()


class _Parts:
    """What has been read of a document so far."""

    def __init__(self, path: str | Path, on_repair: OnReject | None, identity: str, title: str) -> None:
        self.path = path
        self.on_repair = on_repair
        self.id = identity
        self.text = title
        self.passages = [Passage("title", 0, len(title))]
        self.mentions: list[tuple[Any, ...]] = []  # the fields of each
        self.relations: list[Relation] = []

    def takes(self, columns: list[str]) -> bool:
        """Take a line if it is a mention without fault."""
        if not 5 <= len(columns) <= 7 or columns[0] != self.id:
            return False
        if not (columns[1].isdecimal() and columns[2].isdecimal() and len(columns[1]) < 16 > len(columns[2])):
            return False
        start, end, written = int(columns[1]), int(columns[2]), columns[3]
        if not 0 <= start < end <= len(self.text) or self.text[start:end] != written:
            return False
        self._append(start, end, written, columns)
        return True

    def add(self, line: Line, columns: list[str]) -> None:
        """Take a line of any other kind."""
        text_line = _TEXT_LINE.fullmatch(line.text)
        found = text_line[1] if text_line else columns[0]
        if found.strip() != self.id:
            raise FormatError(f"expected a line of document {self.id!r}, found {_short(line.text)!r}")
        if text_line:
            self._add_abstract(text_line)
        elif len(columns) >= 4 and columns[1].isdecimal() and columns[2].isdecimal():
            if len(columns) == 4:  # no relation is between two numbers
                raise FormatError(f"a mention line has no type: {_short(line.text)!r}")
            self._add_mention(columns, line)
        elif len(columns) in (4, 5) and all(columns[1:4]):
            self._add_relation(columns)
        else:
            raise FormatError(
                "expected a mention (PMID, start, end, text, type, concepts) or a relation (PMID, type, concept, "
                f"concept) with tabs between, found {_short(line.text)!r}"
            )

    def wrong(self, problem: InputError, line: Line) -> None:
        """Report what is wrong with a line, which is then left out; with no one to report it to, raise it."""
        problem.at(path=shown(self.path), line=line.number, document=self.id)
        if self.on_repair is None:
            raise problem
        self.on_repair(problem)

    def document(self) -> Document:
        return Document(
            self.id,
            self.text,
            passages=tuple(self.passages),
            mentions=tuple(mentions_of(*zip(*self.mentions, strict=True))) if self.mentions else (),
            relations=tuple(self.relations),
        ).check()

    def _add_abstract(self, line: re.Match[str]) -> None:
        if line[2] != "a" or len(self.passages) > 1:
            raise FormatError(f"expected one title and one abstract, found another text line {_short(line[0])!r}")
        start = len(self.text) + 1
        self.text += " " + line[3]
        self.passages.append(Passage("abstract", start, len(self.text)))

    def _add_mention(self, columns: list[str], line: Line) -> None:
        if len(columns) > 7:
            raise FormatError(f"a mention line has {len(columns)} columns, expected 5 to 7")
        if max(len(columns[1]), len(columns[2])) > 15:
            raise FormatError(f"no text is as long as {max(columns[1:3], key=len)[:40]}")
        start, end = int(columns[1]), int(columns[2])
        report = None if self.on_repair is None else partial(self.wrong, line=line)
        found = fitted(self.text, [Span(start, end)], columns[3], on_repair=report)
        if found is not None:
            self._append(start, end, found, columns)

    def _append(self, start: int, end: int, text: str, columns: list[str]) -> None:
        raw = columns[5] if len(columns) > 5 else ""
        concepts = concepts_of(raw)
        meta: dict[str, Any] = {}
        if raw != ("|".join(concepts) or "-"):
            meta["identifier"] = raw
        if len(columns) == 7:
            meta["parts"] = columns[6]
        name = f"T{len(self.mentions) + 1}"
        self.mentions.append((name, start, end, columns[4], text, concepts, (), None, "", meta))

    def _add_relation(self, columns: list[str]) -> None:
        self.relations.append(
            Relation(
                f"R{len(self.relations) + 1}",
                columns[1],
                columns[2],
                columns[3],
                level="concept",
                attributes={"novelty": columns[4]} if len(columns) == 5 else {},
            )
        )


def _lines(document: Document) -> Iterator[str]:
    identity = document.id
    text = _one_line(document.text)
    if not identity.strip() == identity == _one_line(identity) or "|" in identity:
        raise FormatError(
            f"the id {identity!r} cannot begin a line of PubTator", advice="it holds a bar, tab or line end"
        )
    border = document.passages[0].end if len(document.passages) > 1 else len(text)
    if text[border : border + 1] == " ":
        yield f"{identity}|t|{text[:border]}"
        yield f"{identity}|a|{text[border + 1 :]}"
    else:
        yield f"{identity}|t|{text}"
    for mention in document.mentions:
        words = text[mention.start : mention.end]
        columns = [identity, str(mention.start), str(mention.end), words, _one_line(mention.type)]
        raw = mention.meta.get("identifier", "-")
        if not isinstance(raw, str) or concepts_of(raw) != mention.concepts or raw != _one_line(raw):
            raw = _one_line(_column(mention.concepts))  # it was never PubTator, or was linked anew since
        parts = mention.meta.get("parts")
        if raw or isinstance(parts, str):
            columns.append(raw)
        if isinstance(parts, str):
            columns.append(_one_line(parts))
        yield "\t".join(columns)
    concepts = {mention.id: mention.concepts for mention in document.mentions}
    for relation in document.relations:
        if relation.level == "concept":
            heads: tuple[str, ...] = (relation.head,)
            tails: tuple[str, ...] = (relation.tail,)
        else:
            heads, tails = concepts[relation.head], concepts[relation.tail]
        novelty = [_one_line(str(relation.attributes["novelty"]))] if "novelty" in relation.attributes else []
        for head in heads:
            for tail in tails:
                named = [_one_line(each) for each in (relation.type, head, tail)]
                # One without a name would be no line; one that begins with two numbers would be a mention.
                if all(named) and not (named[0].isdecimal() and named[1].isdecimal()):
                    yield "\t".join([identity, *named, *novelty])


def _one_line(text: str) -> str:
    """A text that fits into a column: line ends, tabs and NULs become blanks, so that no offset moves."""
    return text.translate(_BLANKS)


def _column(concepts: tuple[str, ...]) -> str:
    return "|".join(concepts) or "-"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."

"""PubTator: title and abstract, then one line per mention and per relation.

    PMID|t|title
    PMID|a|abstract
    PMID TAB start TAB end TAB mention TAB type [TAB concepts [TAB parts of a composite mention]]
    PMID TAB relation type TAB concept TAB concept [TAB novelty]

Offsets count ``title + one character + abstract``, so the text is the two joined by a blank, with a passage for each.
A document runs from its ``|t|`` line to the next one; blank lines mean nothing.

The concept column is written differently by every corpus: BC5CDR and NCBI disease join several with ``|``, BioRED
and GNormPlus with ``,``, NLM-Gene also with ``;``; BioRED and tmVar put ``|`` *inside* one variant
(``c|SUB|A|76|G``); ``-1`` and ``-`` mean none. A column is therefore split only where every part looks like an
identifier, and the column as written is kept in ``mention.meta["identifier"]`` where it cannot be rebuilt.

References
----------
Format: https://www.ncbi.nlm.nih.gov/research/bionlp/APIs/format/ ; BC5CDR: Li et al. 2016,
https://doi.org/10.1093/database/baw068 ; BioRED: Luo et al. 2022, https://doi.org/10.1093/bib/bbac282
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from relatome.documents import Document, Mention, Passage, Relation
from relatome.errors import FormatError, InputError, OffsetError
from relatome.formats.files import Line, OnReject, numbered, settle, shown, writing

_TEXT_LINE = re.compile(r"([^|\t]+)\|([a-z])\|(.*)", re.DOTALL)
_IDENTIFIER = re.compile(r"(?:[A-Za-z]+:)?(?:[A-Za-z]{0,5}_?\d+)")
_NO_CONCEPT = ("", "-", "-1")


def read(path: str | Path, *, on_reject: OnReject | None = None) -> Iterator[Document]:
    """The documents of a PubTator file, one after another.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a document that cannot be read, which is then left out; without it the error is raised.

    Raises
    ------
    FormatError
        A line is neither text, mention nor relation.
    OffsetError
        A mention's offsets do not give its text; both are shown.
    """
    for block in _blocks(path):
        try:
            document = _document(block)
        except InputError as problem:
            problem.at(path=shown(path), line=block[0].number)
            settle(problem, on_reject)
            continue
        yield document


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write documents as PubTator; a file read by ``read`` gives the same lines again.

    PubTator has one title and one abstract: the first passage becomes the title, all that follows the abstract; a
    text without passages becomes a title. Line breaks become blanks, so that offsets stay true. Discontinuous
    mentions are written as their hull, mention-level relations as concept pairs where both mentions have a concept;
    labels, probabilities and sentences have no place in the format.

    Returns
    -------
    int
        How many documents were written.
    """
    count = 0
    with writing(path) as stream:
        for document in documents:
            stream.writelines(f"{line}\n" for line in _lines(document))
            stream.write("\n")
            count += 1
    return count


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


@dataclass
class _Parts:
    """What has been read of a document so far."""

    id: str
    text: str
    passages: list[Passage]
    mentions: list[Mention] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)


def _document(block: list[Line]) -> Document:
    first = _TEXT_LINE.match(block[0].text)
    if not first or first[2] != "t":
        raise FormatError(
            f"expected a title line 'PMID|t|title', found {_short(block[0].text)!r}",
            line=block[0].number,
            advice="is this a PubTator file?",
        )
    title = first[3]
    parts = _Parts(first[1].strip(), title, [Passage("title", 0, len(title))])
    try:
        if not parts.id:
            raise FormatError("a title line has no document id", line=block[0].number)
        for line in block[1:]:
            _add(parts, line)
        return Document(
            parts.id,
            parts.text,
            passages=tuple(parts.passages),
            mentions=tuple(parts.mentions),
            relations=tuple(parts.relations),
        ).check()
    except InputError as problem:
        problem.at(document=parts.id)
        raise


def _add(parts: _Parts, line: Line) -> None:
    text_line = _TEXT_LINE.match(line.text)
    if text_line:
        if text_line[2] != "a" or len(parts.passages) > 1:
            raise FormatError(
                f"expected one title and one abstract, found another text line {_short(line.text)!r}",
                line=line.number,
            )
        _same_id(parts, text_line[1], line)
        start = len(parts.text) + 1
        parts.text += " " + text_line[3]
        parts.passages.append(Passage("abstract", start, len(parts.text)))
        return
    columns = line.text.split("\t")
    _same_id(parts, columns[0], line)
    if len(columns) >= 5 and columns[1].isdecimal() and columns[2].isdecimal():
        parts.mentions.append(_mention(parts, columns, line))
    elif len(columns) in (4, 5) and all(columns[1:4]):
        parts.relations.append(
            Relation(
                f"R{len(parts.relations) + 1}",
                columns[1],
                columns[2],
                columns[3],
                level="concept",
                attributes={"novelty": columns[4]} if len(columns) == 5 else {},
            )
        )
    else:
        raise FormatError(
            f"expected a mention (PMID, start, end, text, type, concepts) or a relation (PMID, type, concept, concept) "
            f"with tabs between, found {_short(line.text)!r}",
            line=line.number,
        )


def _mention(parts: _Parts, columns: list[str], line: Line) -> Mention:
    start, end, written, kind = int(columns[1]), int(columns[2]), columns[3], columns[4]
    if len(columns) > 7:
        raise FormatError(f"a mention line has {len(columns)} columns, expected 5 to 7", line=line.number)
    if not 0 <= start < end <= len(parts.text):
        raise OffsetError(
            f"mention {written!r} has range {start}..{end}, but the text has {len(parts.text)} characters",
            line=line.number,
        )
    found = parts.text[start:end]
    if found != written:
        raise OffsetError(
            f"mention at {start}..{end} should be {written!r}, but the text there is {found!r}",
            line=line.number,
            advice=_nearest(parts.text, written, start),
        )
    meta: dict[str, Any] = {}
    raw = columns[5] if len(columns) > 5 else ""
    concepts = concepts_of(raw)
    if raw != _column(concepts):
        meta["identifier"] = raw
    if len(columns) == 7:
        meta["parts"] = columns[6]
    return Mention(f"T{len(parts.mentions) + 1}", start, end, kind, found, concepts=concepts, meta=meta)


def _nearest(text: str, wanted: str, start: int) -> str:
    """Where the mention really stands, nearest to where it should: most often one character off."""
    places = [match.start() for match in re.finditer(re.escape(wanted), text)] if wanted else []
    if not places:
        return "correct the offsets or the text; offsets count characters of title, one blank, abstract"
    nearest = min(places, key=lambda place: abs(place - start))
    return f"{wanted!r} stands at {nearest}..{nearest + len(wanted)}: correct the offsets, here off by {start - nearest:+d}"


def _same_id(parts: _Parts, found: str, line: Line) -> None:
    if found.strip() != parts.id:
        raise FormatError(f"expected a line of document {parts.id!r}, found {_short(line.text)!r}", line=line.number)


def _lines(document: Document) -> Iterator[str]:
    text = document.text.replace("\r", " ").replace("\n", " ")
    identity = document.id
    if len(document.passages) > 1:
        border = document.passages[0].end
        yield f"{identity}|t|{text[:border]}"
        yield f"{identity}|a|{text[border + 1 :]}"
    else:
        yield f"{identity}|t|{text}"
    for mention in document.mentions:
        words = text[mention.start : mention.end]
        columns = [identity, str(mention.start), str(mention.end), words, mention.type]
        raw = mention.meta.get("identifier")
        raw = _column(mention.concepts) if raw is None else str(raw)
        if raw or "parts" in mention.meta:
            columns.append(raw)
        if "parts" in mention.meta:
            columns.append(str(mention.meta["parts"]))
        yield "\t".join(columns)
    concepts = {mention.id: mention.concepts for mention in document.mentions}
    for relation in document.relations:
        if relation.level == "concept":
            heads, tails = (relation.head,), (relation.tail,)
        else:
            heads, tails = concepts[relation.head], concepts[relation.tail]
        novelty = [str(relation.attributes["novelty"])] if "novelty" in relation.attributes else []
        for head in heads:
            for tail in tails:
                yield "\t".join([identity, relation.type, head, tail, *novelty])


def _column(concepts: tuple[str, ...]) -> str:
    return "|".join(concepts) or "-"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."

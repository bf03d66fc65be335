"""MEDLINE text: what PubMed saves as "PubMed" format and ``efetch`` sends for ``rettype=medline``.

A record is lines of a tag of four characters, ``- `` and a value; a line that begins with blanks goes on with the value
of the one before, one blank between them. A blank line, or the next ``PMID- ``, ends the record. A document is the title
(``TI``) and the abstract (``AB``), which here is one passage: the labels of a structured abstract stand in its text, and
where one ends cannot be told from a word in capitals.

``meta`` has the names that ``relatome.formats.pubmed`` gives the same things; the ids of MeSH terms and publication types
are not in the file. What has no name there is kept by its tag, in ``meta["fields"]``.

References
----------
https://www.nlm.nih.gov/bsd/mms/medlineelements.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from relatome.documents import Document, Passage
from relatome.errors import FormatError, InputError
from relatome.formats.files import OnReject, located, numbered, settle, shown
from relatome.formats.pubmed import dated

_Meta = dict[str, Any]


class _Field(NamedTuple):
    """A tag without its blanks, and its value put together from its lines."""

    tag: str
    text: str


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The records of a MEDLINE text file, one after another; their id is the PMID.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a record that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Never told: a record has no offsets that could be wrong.

    Raises
    ------
    FormatError
        A line is no field of a record, or a record has no PMID; with the line.
    """
    for line, fields, problem in _records(path):
        try:
            with located(path=path, line=line):
                if problem is not None:
                    raise problem
                document = _document(fields)
        except InputError as reason:
            settle(reason, on_reject)
            continue
        yield document


def fits(start: str) -> bool:
    """Whether something begins with a PMID as a field."""
    return bool(re.match(r"PMID- *\d", start))


def _records(path: str | Path) -> Iterator[tuple[int, list[_Field], FormatError | None]]:
    """The line where each record begins, its fields, and the first thing that is wrong with its lines."""
    begin = 0
    fields: list[_Field] = []
    problem: FormatError | None = None
    for number, text in numbered(path):
        line = _LINE.match(text)
        if begin and (not text.strip() or (line is not None and line[1] == "PMID" and fields)):
            yield begin, fields, problem
            begin, fields, problem = 0, [], None
        if not text.strip():
            continue
        begin = begin or number
        if line is not None:
            fields.append(_Field(line[1].rstrip(), (line[2] or "").strip()))
        elif text[0] in " \t" and fields:
            fields[-1] = _Field(fields[-1].tag, f"{fields[-1].text} {text.strip()}".strip())
        elif problem is None:
            problem = FormatError(
                f"this line is no field of a record: {text[:60]!r}",
                path=shown(path),
                line=number,
                advice="expected a tag of four characters and '- ', or blanks where the line before goes on",
            )
    if begin:
        yield begin, fields, problem


def _document(fields: list[_Field]) -> Document:
    values: dict[str, list[str]] = {}
    for tag, text in fields:
        if text:
            values.setdefault(tag, []).append(text)
    pmid = " ".join(values.pop("PMID", []))
    if not pmid:
        raise FormatError("a record has no PMID")
    text = ""
    passages: list[Passage] = []
    title = values.pop("TI", []) or values.pop("BTI", [])
    for kind, content in (("title", " ".join(title)), ("abstract", " ".join(values.pop("AB", [])))):
        if content:
            text += "\n" if text else ""
            passages.append(Passage(kind, len(text), len(text) + len(content)))
            text += content
    return Document(pmid, text, tuple(passages), meta=_meta(values, fields))


def _meta(values: dict[str, list[str]], fields: list[_Field]) -> _Meta:
    """What was found under the names it has in PubMed's XML; each tag that is understood is taken out of the values."""
    found: _Meta = {name: "; ".join(values.pop(tag)) for tag, name in _SINGLE.items() if tag in values}
    found |= {name: values.pop(tag) for tag, name in _SEVERAL.items() if tag in values}
    if date := found.get("date"):
        plain = _DATE.fullmatch(date)
        year = _YEAR.search(date)
        found["date"] = dated(plain[1], plain[2] or "", plain[3] or "") if plain else date
        found["year"] = int(year[0]) if year else None
    found["publication_types"] = [{"id": "", "name": name} for name in values.pop("PT", [])]
    found["mesh"] = [_mesh(term) for term in values.pop("MH", [])]
    found["chemicals"] = [_chemical(text) for text in values.pop("RN", [])]
    others = zip_longest(values.pop("OAB", []), values.pop("OABL", []), fillvalue="")
    found["other_abstracts"] = [
        {"type": "", "language": language or "eng", "parts": [{"heading": "", "text": text}]}
        for text, language in others
    ]
    for text in values.pop("AID", []) + values.pop("LID", []):
        identifier = _IDENTIFIED.fullmatch(text)
        if identifier is None:
            found.setdefault("other_ids", []).append(text)
        elif identifier[2] == "doi":
            found.setdefault("doi", identifier[1])
        else:
            found.setdefault("ids", {})[identifier[2]] = identifier[1]
    found["authors"] = _authors(fields)
    for tag in _OF_AUTHORS:
        values.pop(tag, None)
    found["comments"] = [_comment(_COMMENTS[tag], text) for tag in _COMMENTS for text in values.pop(tag, [])]
    found["fields"] = values
    return {name: value for name, value in found.items() if value}


def _mesh(term: str) -> _Meta:
    """``Kidney/*drug effects``: a heading and its qualifiers, a star before what is a major topic."""
    name, *qualifiers = term.split("/")
    heading: _Meta = {"id": "", "name": name.strip("* "), "major": "*" in term}
    if qualifiers:
        heading["qualifiers"] = [{"id": "", "name": part.strip("* "), "major": "*" in part} for part in qualifiers]
    return heading


def _chemical(text: str) -> _Meta:
    """``0 (velorazine)``: a registry number and a name."""
    registry, _, name = text.partition(" (")
    return {"id": "", "name": name.removesuffix(")") or registry, "registry": registry if name else ""}


def _authors(fields: list[_Field]) -> list[_Meta]:
    """A full name (FAU), the short one (AU) after it, then its ids and affiliations; those before it are the first's."""
    authors: list[_Meta] = []
    early: list[str] = []
    is_short_next = False
    for tag, text in fields:
        if tag == "FAU" or (tag == "AU" and not is_short_next):
            last, _, fore = text.partition(", ") if tag == "FAU" else text.rpartition(" ")
            authors.append(
                {"last": last or fore, **({"fore" if tag == "FAU" else "initials": fore} if last and fore else {})}
            )
        elif tag == "AU" and " " in text:
            authors[-1]["initials"] = text.rpartition(" ")[2]
        elif tag == "CN":
            authors.append({"collective": text})
        elif tag == "AUID" and authors:
            authors[-1].setdefault("ids", []).append(text.partition(": ")[2] or text)
        elif tag == "AD" and authors:
            authors[-1].setdefault("affiliations", []).append(text)
        elif tag == "AD":
            early.append(text)
        is_short_next = tag == "FAU"
    if early and authors:
        authors[0]["affiliations"] = early + authors[0].get("affiliations", [])
    return authors


def _comment(kind: str, text: str) -> _Meta:
    """``Ann Inv Res. 2031;7:1. PMID: 9000002``."""
    linked = _LINKED.search(text)
    source = text[: linked.start()].strip() if linked else text
    return {"type": kind, **({"pmid": linked[1]} if linked else {}), **({"source": source} if source else {})}


_LINE = re.compile(r"([A-Z][A-Z0-9 ]{3})-(?: (.*)|\s*)$", re.DOTALL)
_DATE = re.compile(r"(\d{4})(?: ([A-Z][a-z]{2}))?(?: (\d{1,2}))?")
_YEAR = re.compile(r"[12]\d{3}")
_IDENTIFIED = re.compile(r"(.+) \[([^\]]+)\]")
_LINKED = re.compile(r"\bPMID: ?(\d+)\.?")
_OF_AUTHORS = ("FAU", "AU", "CN", "AUID", "AD")
_SINGLE = {
    "STAT": "status",
    "JT": "journal",
    "TA": "journal_abbreviation",
    "JID": "nlm_id",
    "PL": "country",
    "VI": "volume",
    "IP": "issue",
    "PG": "pages",
    "DP": "date",
    "TT": "vernacular_title",
    "CI": "copyright",
    "PMC": "pmc",
}
_SEVERAL = {"LA": "languages", "OT": "keywords", "OID": "other_ids"}
_COMMENTS = {  # as CommentsCorrections calls them
    "CIN": "CommentIn",
    "CON": "CommentOn",
    "CRI": "CorrectedandRepublishedIn",
    "CRF": "CorrectedandRepublishedFrom",
    "ECI": "ExpressionOfConcernIn",
    "ECF": "ExpressionOfConcernFor",
    "EIN": "ErratumIn",
    "EFR": "ErratumFor",
    "ORI": "OriginalReportIn",
    "RIN": "RetractionIn",
    "ROF": "RetractionOf",
    "RPI": "RepublishedIn",
    "RPF": "RepublishedFrom",
    "SPIN": "SummaryForPatientsIn",
    "UIN": "UpdateIn",
    "UOF": "UpdateOf",
}

"""CORD-19: full texts as JSON, read from a PDF (``pdf_json``) or from PubMed Central's XML (``pmc_json``).

A file is a paper, and a paper a document; files of several, one after another, are read too. The text is the title, the
paragraphs of the abstract (PDF only), of the body and of the back matter, then the captions of figures and tables, one a
line; a passage's heading is its section. Kinds are ``title``, ``abstract``, ``paragraph``, ``back_matter``,
``figure_caption``, ``table_caption`` and ``table`` (cells divided by tabs, rows by line breaks, from the HTML that
later releases carry); the last three have ``meta["id"]``, such as ``FIGREF0``.

Where the text cites a paper or names a figure is in ``meta["citations"]`` and ``meta["figure_references"]``, each with
``start`` and ``end`` on the document's text and the ``id`` of what is meant.

References
----------
https://github.com/allenai/cord19 (json_schema.txt) ; Wang et al. 2020, https://arxiv.org/abs/2004.10706
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lxml import etree

from relatome.documents import Document, Passage, Span
from relatome.errors import FormatError, InputError
from relatome.formats.elements import words
from relatome.formats.files import OnReject, json_keys, located, settle, shown
from relatome.formats.jsonrecords import Record, short, whole
from relatome.formats.jsonvalues import JsonReader
from relatome.formats.offsets import fitted

_Meta = dict[str, Any]

_PARTS = (("abstract", "abstract"), ("body_text", "paragraph"), ("back_matter", "back_matter"))
_SPANS = (("cite_spans", "citations"), ("ref_spans", "figure_references"))


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The papers of a CORD-19 file; their id is the ``paper_id``, a hash of the PDF or a PMCID.

    ``meta`` also holds, of what the paper has: ``authors`` (``last``, ``fore``, ``suffix``, ``affiliations``),
    ``bibliography`` (of each reference ``id``, ``title``, ``authors``, ``source``, ``volume``, ``pages``, ``year``, and
    ``doi``, ``pmid`` and ``pmc``), ``references``, the PMIDs in it, and ``unlinked_references``, how many have none;
    ``tables_without_cells``, how many have HTML in which there are none.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a paper that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about a citation that is not where the file says, which is then left out; without it the paper is rejected.

    Raises
    ------
    FormatError
        The file is not JSON, or a paper lacks what it must have.
    OffsetError
        A citation does not stand where it should; both texts are shown.
    """
    reader = JsonReader(path)
    while reader.peek():
        line = reader.line
        value = reader.value()
        identity = str(value.get("paper_id") or "") if isinstance(value, dict) else ""

        def repair(problem: InputError, line: int = line, identity: str = identity) -> None:
            problem.at(path=shown(path), line=line, document=identity)
            if on_repair:
                on_repair(problem)

        try:
            with located(path=path, line=line, document=identity or None):
                document = _Paper(Record(value, "a paper"), repair if on_repair else None).document()
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def fits(start: str) -> bool:
    """Whether JSON begins with a paper's id and metadata."""
    return {"paper_id", "metadata"} <= set(json_keys(start))


class _Paper:
    """A paper while its text is laid out."""

    def __init__(self, record: Record, on_repair: OnReject | None) -> None:
        self.record = record
        self.on_repair = on_repair
        self.lines: list[str] = []
        self.length = 0
        self.passages: list[Passage] = []
        self.marks: dict[str, list[_Meta]] = {}
        self.places: list[tuple[str, Span, str, str]] = []
        self.unread = 0  # tables whose HTML holds no cells

    def document(self) -> Document:
        identity = self.record.identity("paper_id")
        metadata = Record(self.record.value.get("metadata"), "the metadata of a paper")
        self.add("title", metadata.text("title", ""))
        for key, kind in _PARTS:
            for paragraph in self.record.records(key, f"paragraph of {key!r}"):
                start = self.add(kind, paragraph.text("text"), paragraph.text("section", ""))
                for spans, name in _SPANS:
                    for place in paragraph.records(spans, f"entry of {spans!r}"):
                        self.places.append((name, *_place(place, start), _given(place, "ref_id")))
        for name, entry in self._entries("ref_entries"):
            is_table = _given(entry, "type") == "table" or _given(entry, "type_str") == "table"
            self.add("table_caption" if is_table else "figure_caption", entry.text("text", ""), meta={"id": name})
            if html := _given(entry, "html"):
                cells = _cells(html)
                self.add("table", cells, meta={"id": name})
                self.unread += not cells
        text = "\n".join(self.lines)
        meta: _Meta = {"authors": [_author(author) for author in metadata.records("authors", "author")]}
        for name, span, written, what in self.places:
            if (
                fitted(text, [span], written, what=f"the reference to {what or 'nothing'!r}", on_repair=self.on_repair)
                == written
            ):
                meta.setdefault(name, []).append({"start": span.start, "end": span.end, "id": what})
        meta["bibliography"] = [_reference(name, entry) for name, entry in self._entries("bib_entries")]
        pmids = [entry["pmid"] for entry in meta["bibliography"] if "pmid" in entry]
        meta["references"] = list(dict.fromkeys(pmids))
        meta["unlinked_references"] = len(meta["bibliography"]) - len(pmids)
        meta["tables_without_cells"] = self.unread
        found = {name: value for name, value in meta.items() if value}
        return Document(identity, text, tuple(self.passages), meta=found)

    def add(self, kind: str, text: str, heading: str = "", meta: _Meta | None = None) -> int:
        """A passage, if there is anything in it; where it begins."""
        start = self.length + (1 if self.lines else 0)
        if text.strip():
            self.lines.append(text)
            self.length = start + len(text)
            self.passages.append(Passage(kind, start, self.length, heading, meta or {}))
        return start

    def _entries(self, key: str) -> Iterator[tuple[str, Record]]:
        """The values of an object, each an object."""
        entries = self.record.value.get(key) or {}
        if not isinstance(entries, dict):
            raise FormatError(f"{key!r} of a paper should be a JSON object, found {short(entries)}")
        for name, entry in entries.items():
            yield whole(name, f"a key of {key!r}"), Record(entry, f"{name!r} of {key!r}")


def _place(place: Record, start: int) -> tuple[Span, str]:
    """Where a span of a paragraph is in the document, and its text."""
    at, end = place.number("start"), place.number("end")
    if at is None or end is None:
        raise FormatError(f"{place.what} has no start or no end")
    return Span(start + at, start + end), place.text("text")


def _given(record: Record, key: str) -> str:
    """A string, or nothing where it is not there or null."""
    return "" if record.value.get(key) is None else record.text(key)


def _author(author: Record) -> _Meta:
    named: _Meta = {
        "last": author.text("last", ""),
        "fore": " ".join(filter(None, (author.text("first", ""), *author.texts("middle")))),
        "suffix": author.text("suffix", ""),
    }
    affiliation = author.value.get("affiliation")
    if isinstance(affiliation, dict) and affiliation:
        place = affiliation.get("location")
        parts = [affiliation.get("laboratory"), affiliation.get("institution")]
        parts += [place.get(name) for name in ("settlement", "region", "country")] if isinstance(place, dict) else []
        named["affiliations"] = list(
            filter(None, [", ".join(part for part in parts if isinstance(part, str) and part)])
        )
    return {name: value for name, value in named.items() if value}


def _reference(name: str, entry: Record) -> _Meta:
    found: _Meta = {
        "id": name,
        "title": _given(entry, "title"),
        "authors": [_author(author) for author in entry.records("authors", "author of a reference")],
        "source": _given(entry, "venue"),
        "volume": _given(entry, "volume"),
        "pages": _given(entry, "pages"),
        "year": "" if (year := entry.value.get("year")) is None else str(year),
    }
    others = entry.value.get("other_ids")
    if isinstance(others, Mapping):
        for key, kind in (("DOI", "doi"), ("PMID", "pmid"), ("PMCID", "pmc"), ("arXiv", "arxiv")):
            if isinstance(listed := others.get(key), list) and listed and isinstance(listed[0], str):
                found[kind] = listed[0]
    return {key: value for key, value in found.items() if value}


def _cells(html: str) -> str:
    """The cells of a table in HTML."""
    try:
        page = etree.fromstring(html, etree.HTMLParser(no_network=True, remove_comments=True, remove_pis=True))
    except (etree.XMLSyntaxError, ValueError):  # nothing in it, or a NUL
        return ""
    if page is None:
        return ""
    rows = ["\t".join(words(cell) for cell in row if cell.tag in ("td", "th")) for row in page.iter("tr")]
    return "\n".join(rows).strip("\n\t")

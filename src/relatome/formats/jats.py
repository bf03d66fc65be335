"""JATS: full articles as PubMed Central and publishers keep them (``.nxml``, ``pmc-articleset``, OAI-PMH).

A document is an article, and each ``sub-article`` or ``response`` in it another one (``meta["part_of"]``). Its text is
the passages, one a line, in the order of the file; a passage's heading is the title of its section, and where that is
in another one, the titles of all of them are in ``meta["sections"]``, from the outermost. The kinds are

- ``title`` and ``abstract`` (several, where an article has a summary for readers too: ``meta["type"]``);
- ``paragraph``, ``list_item``, ``formula`` and ``footnote``; ``acknowledgement``;
- ``figure_caption``, ``table_caption``, ``table``, ``table_footnote`` and ``supplement_caption``, whose heading is
  their label (the section is in ``meta["sections"]``) and whose ``meta["id"]`` is their id in the file. A table's cells are divided by tabs and its rows by line
  breaks; what spans several rows or columns stands in the first one.

Figures, tables and footnotes in the middle of a paragraph follow it. What stands in a formula twice, as MathML and as
TeX, is read once. Nothing with text in it is passed over in body and back matter but reference lists, which are in
``meta``; tables that are pictures are counted in ``meta["tables_as_images"]``.

References
----------
https://jats.nlm.nih.gov/archiving/tag-library/1.3/ ; https://dtd.nlm.nih.gov/archiving/tag-library/2.3/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from relatome.documents import Document, Passage
from relatome.errors import InputError
from relatome.formats.elements import elements, flowed, words
from relatome.formats.files import OnReject, located, settle, stem, xml_root
from relatome.formats.pubmed import dated

_Meta = dict[str, Any]

_ROOTS = frozenset({"article", "pmc-articleset", "OAI-PMH"})
_PARTS = ("sub-article", "response")
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_HREF = "{http://www.w3.org/1999/xlink}href"


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The articles of a JATS file, each followed by its sub-articles.

    The id is the PMCID (``PMC123``), else PMID, DOI or publisher's id, else the file's name and a number. ``meta`` has
    the names that ``relatome.formats.pubmed`` gives the same things, of what the article has: ``journal``,
    ``publisher``, ``volume``, ``issue``, ``pages``, ``year`` and ``date`` (of the first publication), ``authors``,
    ``keywords``, ``languages``, ``pmid``, ``pmc``, ``doi``, ``ids``, ``copyright``, ``other_abstracts``, ``comments``
    (related articles), ``references`` and ``unlinked_references``; and its own: ``article_type``, ``subjects``,
    ``subtitle``, ``license`` (``type``, ``url``, ``text``), ``funding``, ``part_of``, ``tables_as_images`` and
    ``bibliography``, the reference list (each ``id``, ``label``, ``pmid``, ``doi``, ``pmc``, ``title``, ``source``,
    ``year``, and ``text``, all of it as it is printed).

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about an article that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Never told: an article has no offsets that could be wrong.

    Raises
    ------
    FormatError
        The file is not well-formed, or not JATS.
    """
    number = 0
    for article in elements(path, ("article",), roots=_ROOTS):
        number += 1
        name = stem(path) if article.getparent() is None else f"{stem(path)}:{number}"
        try:
            with located(path=path, line=article.sourceline):
                for element in article.iter():
                    if element.tag[0] == "{":
                        element.tag = etree.QName(element).localname
                documents = list(_documents(article, name, ""))
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield from documents


def fits(start: str) -> bool:
    """Whether XML is an article with front matter, or a set of articles."""
    root = xml_root(start)
    return root == "pmc-articleset" or (root in _ROOTS and bool(_JATS.search(start)))


def _documents(article: etree._Element, name: str, part_of: str) -> Iterator[Document]:
    """An article and those inside it, which are taken out of it."""
    inside = [part for part in article if part.tag in _PARTS]
    for part in inside:
        article.remove(part)
    meta = _front(article)
    if part_of:
        meta["part_of"] = part_of
        identity = meta.get("doi") or name
    else:
        others = list(meta.get("ids", {}).values())
        identity = meta.get("pmc") or meta.get("pmid") or meta.get("doi") or (others[0] if others else name)
    yield _Article(article, meta).document(identity)
    for number, part in enumerate(inside, start=1):
        yield from _documents(part, f"{identity}:{part.get('id') or number}", identity)


class _Article:
    """An article while its text is laid out."""

    def __init__(self, article: etree._Element, meta: _Meta) -> None:
        self.article = article
        self.meta = meta
        self.lines: list[str] = []
        self.length = 0
        self.passages: list[Passage] = []
        self.sections: list[str] = []  # titles, from the outermost

    def document(self, identity: str) -> Document:
        front = self._meta_element()
        self.add("title", words(_first(front, "title-group/article-title")))
        for abstract in front.iterchildren("abstract"):
            extra = {"type": abstract.get("abstract-type")} if abstract.get("abstract-type") else {}
            self.blocks(abstract, "abstract", extra)
        for part in self.article:
            if part.tag not in ("front", "front-stub"):
                self.blocks(part, "paragraph", {})
        found = {name: value for name, value in self.meta.items() if value}
        return Document(identity, "\n".join(self.lines), tuple(self.passages), meta=found)

    def _meta_element(self) -> etree._Element:
        return _meta_element(self.article)

    def add(self, kind: str, text: str, heading: str | None = None, meta: _Meta | None = None) -> None:
        """A passage, if there is anything in it; its heading, unless it has one of its own, is that of its section."""
        if not text:
            return
        start = self.length + (1 if self.lines else 0)
        self.lines.append(text)
        self.length = start + len(text)
        meta = dict(meta or {})
        if len(self.sections) > (heading is None):
            meta["sections"] = list(self.sections)
        if heading is None:
            heading = self.sections[-1] if self.sections else ""
        self.passages.append(Passage(kind, start, self.length, heading, meta))

    def blocks(self, element: etree._Element, kind: str, meta: _Meta) -> None:
        """What is in an element of body or back matter, with the element's title as one more heading."""
        title = words(element.find("title")) or (words(element.find("label")) if element.tag == "app" else "")
        if title:
            self.sections.append(title)
        loose = element.text or ""
        for child in element:
            tag = child.tag
            if tag in _NO_TEXT or (tag in ("title", "label") and element.tag not in _LABELLED_INLINE):
                pass
            elif tag in _WITH_CAPTION:
                self.floating(child, _WITH_CAPTION[tag])
            elif tag == "ref-list":
                self.references(child)
            elif tag in _KINDS:
                self.blocks(child, _KINDS[tag], meta)
            elif tag == "def-item":
                self.add("list_item", ": ".join(filter(None, map(self.inline, child))), meta=meta)
            elif tag in ("disp-formula", "tex-math", "math"):
                self.paragraph(child, "formula", {**meta, **_id(child)})
            elif tag == "p" or not _has_blocks(child):
                self.paragraph(child, kind, meta)
            else:
                self.blocks(child, kind, meta)
            loose += f" {child.tail or ''}"
        self.add(kind, flowed(loose), meta=meta)  # text between blocks: not valid, but there
        if title:
            self.sections.pop()

    def paragraph(self, element: etree._Element, kind: str, meta: _Meta) -> None:
        """A paragraph, then what floats in it."""
        floating: list[etree._Element] = []
        self.add(kind, self.inline(element, floating), meta=meta)
        self.apart(floating, kind, meta)

    def apart(self, blocks: list[etree._Element], kind: str, meta: _Meta) -> None:
        """Blocks by themselves, without what follows them where they stand."""
        for block in blocks:
            holder = etree.Element("holder")
            holder.append(block)
            block.tail = None
            self.blocks(holder, kind, meta)

    def inline(self, element: etree._Element, floating: list[etree._Element] | None = None) -> str:
        """The text of an element, its blanks as a page would have them; what floats in it is put aside."""
        return _BLANKS.sub(" ", "".join(_pieces(element, [] if floating is None else floating))).strip(" ")

    def floating(self, element: etree._Element, kind: str) -> None:
        """A figure, table or supplement: its caption, its cells, its footnotes."""
        label = words(element.find("label"))
        meta = _id(element)
        inner: list[etree._Element] = []
        caption = [self.inline(part, inner) for holder in element.iterchildren("caption") for part in holder]
        self.add(f"{kind}_caption", " ".join(filter(None, caption)), label, meta)
        tables = list(element.iter("table"))
        for table in tables:
            rows = [[self.inline(cell, inner) for cell in row if cell.tag in ("td", "th")] for row in table.iter("tr")]
            self.add("table", "\n".join("\t".join(row) for row in rows).strip("\n\t"), label, meta)
        if element.tag == "table-wrap" and not tables:
            self.meta["tables_as_images"] = self.meta.get("tables_as_images", 0) + 1
        for part in element:
            if part.tag == "table-wrap-foot":
                for note in part:
                    self.add("table_footnote", self.inline(note, inner), label, meta)
            elif part.tag in _WITH_CAPTION:  # a figure in a group of figures
                self.floating(part, _WITH_CAPTION[part.tag])
            elif part.tag not in _IN_FLOATING:
                inner.append(part)
        self.apart(inner, f"{kind}_caption", meta)

    def references(self, listing: etree._Element) -> None:
        """The entries go to ``meta``; what else is in a reference list is text."""
        for reference in listing.iterchildren("ref"):
            entry = _reference(reference)
            self.meta.setdefault("bibliography", []).append(entry)
            if not entry.get("pmid"):
                self.meta["unlinked_references"] = self.meta.get("unlinked_references", 0) + 1
            elif entry["pmid"] not in self.meta.setdefault("references", []):
                self.meta["references"].append(entry["pmid"])
            listing.remove(reference)
        self.blocks(listing, "paragraph", {})


def _pieces(element: etree._Element, floating: list[etree._Element]) -> Iterator[str]:
    if element.tag == "tex-math":
        source = element.text or ""  # a whole TeX document
        body = _TEX.search(source)
        yield body[1] if body else source
        return
    yield element.text or ""
    chosen = list(element)
    if element.tag == "alternatives":  # the same thing several times
        chosen = [child for child in element if child.tag != "tex-math" and _has_text(child)][:1] or chosen[:1]
    for child in element:
        if child.tag in _FLOATING:
            floating.append(child)
            yield " "
        elif child.tag in ("break", "p", "title", "label", "list-item", "def", "disp-formula"):
            yield " "
            yield from _pieces(child, floating)
            yield " "
        elif child in chosen:
            yield from _pieces(child, floating)
        yield child.tail or ""


def _has_text(element: etree._Element) -> bool:
    return any(text.strip() for text in element.itertext())


def _has_blocks(element: etree._Element) -> bool:
    return any(child.tag in _BLOCKS for child in element.iter() if child is not element)


def _id(element: etree._Element) -> _Meta:
    return {"id": element.get("id")} if element.get("id") else {}


def _first(element: etree._Element, path: str) -> etree._Element | None:
    found: etree._Element | None = element.find(path)
    return found


# --------------------------------------------------------------------------------------------------- front and back


def _meta_element(article: etree._Element) -> etree._Element:
    for path in ("front/article-meta", "front-stub", "front"):
        if (found := article.find(path)) is not None:
            return found
    return etree.Element("article-meta")


def _front(article: etree._Element) -> _Meta:
    meta = _meta_element(article)
    journal = article.find("front/journal-meta")
    journal = etree.Element("journal-meta") if journal is None else journal
    found: _Meta = {
        "article_type": article.get("article-type") or article.get("response-type"),
        "languages": [article.get(_LANG).lower()] if article.get(_LANG) else [],
        "journal": words(journal.find("journal-title-group/journal-title")) or words(journal.find("journal-title")),
        "publisher": words(journal.find("publisher/publisher-name")),
        "subtitle": words(meta.find("title-group/subtitle")),
        "volume": words(meta.find("volume")),
        "issue": words(meta.find("issue")),
        "pages": "-".join(filter(None, (words(meta.find(name)) for name in ("fpage", "lpage"))))
        or words(meta.find("elocation-id")),
        "authors": _authors(meta),
        "subjects": list(dict.fromkeys(map(words, meta.iterfind("article-categories//subject")))),
        "keywords": [words(keyword) for keyword in meta.iterfind("kwd-group//kwd")],
        "copyright": " ".join(map(words, meta.iterfind("permissions/copyright-statement")))
        or " ".join(map(words, meta.iterfind("copyright-statement"))),
        "license": _license(meta),
        "funding": [
            words(part)
            for part in (
                *meta.iterfind("funding-group//funding-statement"),
                *meta.iterfind("funding-group//funding-source"),
            )
        ],
        "other_abstracts": [
            {
                "type": other.get("abstract-type", ""),
                "language": other.get(_LANG, "").lower(),
                "parts": [
                    {"heading": words(part.find("title")) if part.tag == "sec" else "", "text": _without_title(part)}
                    for part in other
                    if part.tag not in ("title", "label")
                ],
            }
            for other in meta.iterchildren("trans-abstract")
        ],
        "comments": [
            {
                "type": link.get("related-article-type", ""),
                "ids": {link.get("ext-link-type", "id"): link.get(_HREF, "")},
            }
            for link in meta.iterchildren("related-article")
        ],
    }
    found |= _dated(meta)
    ids = {}
    for identifier in meta.iterchildren("article-id"):
        kind, text = identifier.get("pub-id-type", ""), words(identifier)
        if kind in ("pmc", "pmcid"):
            found.setdefault("pmc", f"PMC{text.upper().removeprefix('PMC')}")
        elif kind in ("pmid", "doi"):
            found[kind] = text
        elif text:
            ids[kind] = text
    found["ids"] = ids
    return found


def _without_title(part: etree._Element) -> str:
    return " ".join(filter(None, (words(child) for child in part if child.tag != "title"))) or words(part)


def _dated(meta: etree._Element) -> _Meta:
    dates = []
    for date in meta.iterchildren("pub-date"):
        if (date.get("pub-type") or date.get("date-type") or "pub") in _PUBLISHED:
            year, month, day = (words(date.find(name)) for name in ("year", "month", "day"))
            if _YEAR.fullmatch(year):
                dates.append(dated(year, month, day))
    if not dates:
        return {}
    first = min(dates, key=lambda date: (date[:4], date[4:] or "~"))  # a day in 2031 before "2031"
    return {"year": int(first[:4]), "date": first}


def _authors(meta: etree._Element) -> list[_Meta]:
    places = {place.get("id"): _unlabelled(place) for place in meta.iter("aff") if place.get("id")}
    authors = []
    for contributor in meta.iterfind("contrib-group/contrib"):
        if contributor.get("contrib-type", "author") != "author":
            continue
        name = next(contributor.iter("name", "string-name"), None)
        links = [link.get("rid", "").split() for link in contributor.iter("xref") if link.get("ref-type") == "aff"]
        named: _Meta = {
            "last": words(name.find("surname")) or words(name) if name is not None else "",
            "fore": words(name.find("given-names")) if name is not None else "",
            "suffix": words(name.find("suffix")) if name is not None else "",
            "collective": words(contributor.find("collab")) if name is None else "",
            "ids": [words(identifier).rpartition("/")[2] for identifier in contributor.iterchildren("contrib-id")],
            "affiliations": [places[link] for listed in links for link in listed if link in places]
            + [_unlabelled(place) for place in contributor.iterchildren("aff")],
        }
        authors.append({key: value for key, value in named.items() if value})
    return authors


def _unlabelled(element: etree._Element) -> str:
    label = element.find("label")
    if label is None:
        label = element.find("sup") if not (element.text or "").strip() else None
    text = words(element)
    return text.removeprefix(words(label)).strip() if label is not None else text


def _license(meta: etree._Element) -> _Meta:
    for license in meta.iterfind("permissions/license"):
        link = next(
            (part for part in license.iter("license_ref", "ext-link", "uri") if words(part) or part.get(_HREF)), None
        )
        url = license.get(_HREF) or ("" if link is None else link.get(_HREF) or words(link))
        found = {"type": license.get("license-type", ""), "url": url, "text": words(license)}
        return {key: value for key, value in found.items() if value}
    return {}


def _reference(reference: etree._Element) -> _Meta:
    citation = next(reference.iter("element-citation", "mixed-citation", "citation", "nlm-citation"), None)
    entry: _Meta = {"id": reference.get("id", ""), "label": words(reference.find("label"))}
    if citation is not None:
        for identifier in citation.iter("pub-id"):
            kind, text = identifier.get("pub-id-type", ""), words(identifier)
            if kind in ("pmc", "pmcid"):
                entry["pmc"] = f"PMC{text.upper().removeprefix('PMC')}"
            elif kind in ("pmid", "doi"):
                entry[kind] = text
        entry["title"] = words(citation.find("article-title")) or words(citation.find("chapter-title"))
        entry["source"] = words(citation.find("source"))
        entry["year"] = words(citation.find("year"))
        # The parts of a citation stand side by side with nothing between them, unless it is one that is printed as it is.
        parts = (
            citation.itertext() if citation.tag == "mixed-citation" else (flowed(text) for text in citation.itertext())
        )
        entry["text"] = " ".join(flowed(("" if citation.tag == "mixed-citation" else " ").join(parts)).split())
    else:
        entry["text"] = words(reference)
    return {key: value for key, value in entry.items() if value}


_JATS = re.compile(
    r"<(?:\w+:)?(?:front|article-meta|journal-meta|front-stub|body)\b|//DTD (?:JATS|Journal)|/ns/archiving/"
)
_BLANKS = re.compile(r"[ \t\n]+")
_TEX = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.DOTALL)
_YEAR = re.compile(r"[12]\d{3}")
_PUBLISHED = frozenset({"ppub", "epub", "epub-ppub", "collection", "pub", "preprint", "epreprint", "issue-pub"})
_KINDS = {  # what is read part by part, and what its paragraphs are called
    "list": "list_item",
    "list-item": "list_item",
    "def-list": "list_item",
    "fn": "footnote",
    "fn-group": "footnote",
    "ack": "acknowledgement",
}
_WITH_CAPTION = {
    "fig": "figure",
    "fig-group": "figure",
    "table-wrap": "table",
    "table-wrap-group": "table",
    "supplementary-material": "supplement",
    "media": "supplement",
}
_IN_FLOATING = frozenset(
    {
        *("label", "caption", "table", "graphic", "alternatives", "object-id", "media", "permissions", "oasis"),
        *("table-wrap-foot", "email", "ext-link", "uri", "alt-text", "long-desc", "kwd-group"),
    }
)
_FLOATING = frozenset({*_WITH_CAPTION, "boxed-text", "list", "def-list", "fn", "disp-quote"})
_BLOCKS = frozenset(
    {*_FLOATING, "p", "sec", "fn-group", "disp-formula", "ref-list", "def-item", "list-item", "app", "ack"}
)
_LABELLED_INLINE = frozenset({"holder"})
_NO_TEXT = frozenset({"graphic", "inline-graphic", "object-id", "sec-meta", "permissions", "processing-meta"})

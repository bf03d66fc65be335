"""PubMed's XML: NLM's baseline and update files, E-utilities' answers, and the MEDLINE files of before 2017.

A document is an article: its title, then its abstract, each part of a structured abstract a passage of its own whose
label (``BACKGROUND`` ...) is the passage's heading and not in the text, and whose NLM category is in the passage's
``meta["category"]``. Parts are joined by a line break. Of inline markup (``<i>``, ``<sup>``, MathML ...) the text is
kept. Book chapters (``PubmedBookArticle``) are read the same way. An article that is there in several versions comes as
often, with ``meta["version"]``.

An update file also names articles that were withdrawn (``DeleteCitation``). They are no documents: ``deleted`` lists
them, ``read`` tells ``on_delete`` or the log.

Left out are ``History``, ``DateCompleted``, ``DateRevised``, ``InvestigatorList``, ``DataBankList``, ``GeneSymbolList``,
``SupplMeshList``, ``PersonalNameSubjectList``, ``SpaceFlightMission``, ``GeneralNote``, ``CoiStatement``,
``CitationSubset``, the text of references, and of a book all but title, publisher, ISBN, editors and section titles.

References
----------
https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html ;
https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/190101/index.html
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from relatome.documents import Document, Passage
from relatome.errors import FormatError, InputError
from relatome.formats.elements import children, words
from relatome.formats.files import OnReject, settle, shown, xml_root

_LOG = logging.getLogger(__name__)

OnDelete = Callable[[str], None]
_Meta = dict[str, Any]
_Part = tuple[str, str, str, _Meta]  # a passage to be: kind, text, heading, meta
_Take = Callable[[etree._Element, _Meta], None]  # puts what an element says into what was found
_Table = dict[str, _Take]  # by tag

_ROOTS = frozenset(
    {
        *("PubmedArticleSet", "PubmedArticle", "PubmedBookArticleSet", "PubmedBookArticle"),
        *("MedlineCitationSet", "MedlineCitation"),
        "DeleteCitation",
    }
)
_DELETED = ("DeleteCitation", "DeleteDocument")  # of articles, of book chapters
_ARTICLES = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation")
_YEAR = re.compile(r"[12]\d{3}")
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: f"{number:02}" for number, name in enumerate(_MONTH_NAMES, 1)}


def read(
    path: str | Path,
    *,
    on_reject: OnReject | None = None,
    on_repair: OnReject | None = None,
    on_delete: OnDelete | None = None,
) -> Iterator[Document]:
    """The articles of a PubMed XML file, one after another; their id is the PMID.

    ``meta`` holds what the article has of these:

    - ``version`` (a number) and ``status`` (``MEDLINE``, ``In-Process`` ...) of the record;
    - ``journal``, ``journal_abbreviation``, ``nlm_id``, ``issn``, ``country``, ``volume``, ``issue``, ``pages``;
      ``year`` (a number) and ``date`` (``2031-04-01`` as far as known, else as written: ``2031 Jan-Feb``);
    - ``authors`` (each a dictionary of ``last``, ``fore``, ``initials``, ``suffix`` or ``collective``, and the lists
      ``ids`` and ``affiliations``), ``grants`` (``id``, ``acronym``, ``agency``, ``country``);
    - ``languages``, ``vernacular_title``, ``other_abstracts`` (``type``, ``language`` and ``parts``, each with
      ``heading`` and ``text``), which are not in the document's text, ``copyright``;
    - ``publication_types``, ``mesh`` (with ``major``, whether any of the heading is a major topic, and
      ``qualifiers``) and ``chemicals`` (with ``registry``), each a dictionary with ``id`` and ``name``; ``keywords``;
    - ``doi``, ``pmc``, ``ids`` (others, by kind), ``other_ids``;
    - ``references``, the PMIDs of what it cites, and ``unlinked_references``, how many it cites that have none;
      ``comments``, its links to corrections, retractions, comments ... (``type``, ``pmid``, ``source``);
    - of a chapter, ``book`` (``title``, ``publisher``, ``isbn``, ``editors``) and ``sections``, their titles.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about an article that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Never told: an article has no offsets that could be wrong.
    on_delete
        Told the PMID of each article that the file says is withdrawn; without it their number is logged as a warning.

    Raises
    ------
    FormatError
        The file is not well-formed or not PubMed's, or an article has no PMID.
    """
    count = 0
    for element in children(path, (*_ARTICLES, *_DELETED), roots=_ROOTS):
        if element.tag in _DELETED:
            for pmid in _pmids(element):
                count += 1
                if on_delete is not None:
                    on_delete(pmid)
            continue
        try:
            document = _document(element)
        except InputError as problem:
            problem.at(path=shown(path), line=element.sourceline)
            settle(problem, on_reject)
            continue
        yield document
    if count and on_delete is None:
        _LOG.warning("%s names %d withdrawn articles, which are no documents: pubmed.deleted lists them", path, count)


def deleted(path: str | Path) -> Iterator[str]:
    """The PMIDs of the articles that an update file says are withdrawn, in the order of the file.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w") as file:
    ...     _ = file.write("<PubmedArticleSet><DeleteCitation><PMID>12</PMID></DeleteCitation></PubmedArticleSet>")
    ...     _ = file.flush()
    ...     list(deleted(file.name))
    ['12']
    """
    for element in children(path, (*_ARTICLES, *_DELETED), roots=_ROOTS):
        if element.tag in _DELETED:
            yield from _pmids(element)


def dated(year: str, month: str = "", day: str = "") -> str:
    """A date as far as it is known, its months by name or number.

    Examples
    --------
    >>> dated("2031", "Apr", "1"), dated("2031", "4"), dated("2031", "Spring", "1")
    ('2031-04-01', '2031-04', '2031')
    """
    number = _MONTHS.get(month[:3]) if not month.isdecimal() else month.zfill(2)
    if not number:
        return year
    return f"{year}-{number}-{day.zfill(2)}" if day else f"{year}-{number}"


def fits(start: str) -> bool:
    """Whether XML has one of PubMed's roots."""
    return xml_root(start) in _ROOTS


# ------------------------------------------------------------------------------------------ an article to a document
# A file holds 200 elements an article, and each one looked at costs as much as parsing two: lists are walked once, by
# the tables at the foot, and what no table names is never touched.


def _document(element: etree._Element) -> Document:
    found: _Meta = {}
    if element.tag == "MedlineCitation":
        _citation(element, found)
    else:
        _walk(element, found, _ARTICLE)
    pmid = found.pop("pmid", "")
    if not pmid:
        raise FormatError(f"a {element.tag} has no PMID")
    book = found.get("book", {})
    parts: list[_Part] = [("title", found.pop("title", "") or book.get("title", ""), "", {})]
    parts += found.pop("abstract", None) or _english(found)
    text = ""
    passages: list[Passage] = []
    for kind, content, heading, meta in parts:
        if content:
            if text:
                text += "\n"
            start = len(text)
            text += content
            passages.append(Passage(kind, start, len(text), heading, meta))
    if "references" in found:
        found["references"] = list(dict.fromkeys(found["references"]))
    if "other_abstracts" in found:
        found["other_abstracts"] = [
            {"type": kind, "language": language, "parts": [{"heading": part[2], "text": part[1]} for part in parts]}
            for kind, language, parts in found["other_abstracts"]
        ]
    return Document(pmid, text, tuple(passages), meta={name: value for name, value in found.items() if value})


def _english(found: _Meta) -> list[_Part]:
    """The first other abstract that is in English, taken out of the others: 3 articles of NLM's own sample have no more."""
    others = found.get("other_abstracts", [])
    for number, (kind, language, parts) in enumerate(others):
        if language == "eng":
            del others[number]
            return [(*part[:3], {**part[3], "type": kind} if kind else part[3]) for part in parts]
    return []


def _walk(element: etree._Element, found: _Meta, table: _Table) -> None:
    for child in element:
        take = table.get(child.tag)
        if take is not None:
            take(child, found)


def _inside(table: _Table) -> _Take:
    """Go on with the children, by another table."""
    return lambda element, found: _walk(element, found, table)


def _text(key: str) -> _Take:
    """The text, as one value."""

    def take(element: etree._Element, found: _Meta) -> None:
        found[key] = words(element)

    return take


def _texts(key: str) -> _Take:
    """The text, as one of several values."""

    def take(element: etree._Element, found: _Meta) -> None:
        if text := words(element):
            found.setdefault(key, []).append(text)

    return take


def _list(key: str) -> _Take:
    """The texts of the children."""

    def take(element: etree._Element, found: _Meta) -> None:
        found.setdefault(key, []).extend(filter(None, map(words, element)))

    return take


def _names(key: str) -> _Take:
    """The children, each with the id that a vocabulary gives it."""

    def take(element: etree._Element, found: _Meta) -> None:
        found[key] = [{"id": name.get("UI", ""), "name": words(name)} for name in element]

    return take


def _pmid(element: etree._Element, found: _Meta) -> None:
    found["pmid"] = words(element)
    version = element.get("Version", "")
    if version.isdecimal():
        found["version"] = int(version)


def _citation(element: etree._Element, found: _Meta) -> None:
    found["status"] = element.get("Status")
    _walk(element, found, _CITATION)


def _abstract(element: etree._Element, found: _Meta) -> None:
    parts: list[_Part] = []
    for part in element:
        if part.tag == "AbstractText":
            category = part.get("NlmCategory")
            parts.append(("abstract", words(part), part.get("Label", ""), {"category": category} if category else {}))
        elif part.tag == "CopyrightInformation":
            found["copyright"] = words(part)
    found["abstract"] = parts


def _other_abstract(element: etree._Element, found: _Meta) -> None:
    inside: _Meta = {}
    _abstract(element, inside)
    other = (element.get("Type", ""), element.get("Language", "eng"), inside["abstract"])
    found.setdefault("other_abstracts", []).append(other)


def _journal(element: etree._Element, found: _Meta) -> None:
    date: dict[str, str] = {}
    for part in element.iter():
        tag = part.tag
        if tag in _DATE:
            date[tag] = part.text or ""
        elif tag in _JOURNAL:
            found[_JOURNAL[tag]] = words(part)
    _set_date(date, found)


def _date(element: etree._Element, found: _Meta) -> None:
    _set_date({part.tag: part.text or "" for part in element}, found)


def _set_date(date: dict[str, str], found: _Meta) -> None:
    """The day, month or year of publication in numbers; as it is written, where it is a season or a range."""
    year = date.get("Year", "").strip()
    if "MedlineDate" in date:
        written = date["MedlineDate"].strip()
    elif "Season" in date:
        written = f"{year} {date['Season']}".strip()
    else:
        written = dated(year, date.get("Month", "").strip(), date.get("Day", "").strip())
    first = _YEAR.search(year or written)
    if first is not None:
        found["year"] = int(first[0])
    found["date"] = written


def _authors(element: etree._Element, found: _Meta) -> None:
    authors: list[_Meta] = []
    named: _Meta = {}
    for part in element.iter():
        tag = part.tag
        key = _AUTHOR.get(tag)
        if key is not None:
            named[key] = (part.text or "").strip()
        elif tag == "Author":
            named = {}
            authors.append(named)
        elif tag == "Affiliation":
            named.setdefault("affiliations", []).append(words(part))
        elif tag == "CollectiveName":
            named["collective"] = words(part)
        elif tag == "Identifier" and part.getparent().tag == "Author":  # not that of the affiliation
            named.setdefault("ids", []).append(words(part))
    found.setdefault("editors" if element.get("Type") == "editors" else "authors", []).extend(authors)


def _records(key: str, names: dict[str, str]) -> _Take:
    """The children, each a dictionary of its own children's texts."""

    def take(element: etree._Element, found: _Meta) -> None:
        found[key] = [{names[part.tag]: words(part) for part in child if part.tag in names} for child in element]

    return take


def _chemicals(element: etree._Element, found: _Meta) -> None:
    chemicals: list[_Meta] = []
    registry = ""
    for part in element.iter():
        if part.tag == "RegistryNumber":
            registry = part.text or ""
        elif part.tag == "NameOfSubstance":
            chemicals.append({"id": part.get("UI", ""), "name": part.text or "", "registry": registry})
    found["chemicals"] = chemicals


def _mesh(element: etree._Element, found: _Meta) -> None:
    headings: list[_Meta] = []
    for part in element.iter("DescriptorName", "QualifierName"):
        is_major = part.get("MajorTopicYN") == "Y"
        named = {"id": part.get("UI", ""), "name": part.text or "", "major": is_major}
        if part.tag == "DescriptorName":
            heading = named
            headings.append(heading)
        elif headings:
            heading.setdefault("qualifiers", []).append(named)
            if is_major:
                heading["major"] = True
    found["mesh"] = headings


def _comments(element: etree._Element, found: _Meta) -> None:
    cited: list[str] = []
    others: list[_Meta] = []
    unlinked = 0
    for item in element:
        kind = item.get("RefType", "")
        pmid = source = ""
        for part in item:
            tag = part.tag
            if tag == "PMID":
                pmid = part.text or ""
            elif tag == "RefSource" and kind != "Cites":
                source = words(part)
        if kind != "Cites":
            comment = {"type": kind, "pmid": pmid, "source": source}
            others.append({name: value for name, value in comment.items() if value})
        elif pmid:
            cited.append(pmid)
        else:
            unlinked += 1
    _refer(cited, unlinked, found)
    found["comments"] = others


def _references(element: etree._Element, found: _Meta) -> None:
    cited: list[str] = []
    unlinked = 0
    for reference in element.iter("Reference"):  # lists can stand in lists
        for identifier in reference.iter("ArticleId"):
            if identifier.get("IdType") == "pubmed" and (pmid := words(identifier)):
                cited.append(pmid)
                break
        else:
            unlinked += 1
    _refer(cited, unlinked, found)


def _refer(cited: list[str], unlinked: int, found: _Meta) -> None:
    found.setdefault("references", []).extend(cited)
    found["unlinked_references"] = found.get("unlinked_references", 0) + unlinked


def _ids(element: etree._Element, found: _Meta) -> None:
    for identifier in element:
        kind, text = identifier.get("IdType", ""), words(identifier)
        if kind in ("doi", "pmc"):
            found[kind] = text
        elif kind != "pubmed" and text:
            found.setdefault("ids", {})[kind] = text


def _location(element: etree._Element, found: _Meta) -> None:
    """An electronic location; a DOI, unless the list of ids, which comes later, has another."""
    if element.get("EIdType") == "doi" and element.get("ValidYN") != "N":
        found["doi"] = words(element)


def _other_id(element: etree._Element, found: _Meta) -> None:
    text = words(element)
    if text.startswith("PMC"):
        found["pmc"] = text.partition(" ")[0]  # "PMC1234567 [Available on 01/01/31]"
    elif text:
        found.setdefault("other_ids", []).append(text)


def _book(element: etree._Element, found: _Meta) -> None:
    book: _Meta = {}
    _walk(element, book, _BOOK)
    for name in ("year", "date"):
        if name in book:
            found[name] = book.pop(name)
    if "authors" in book:
        found.setdefault("authors", []).extend(book.pop("authors"))
    found["book"] = book


def _sections(element: etree._Element, found: _Meta) -> None:
    found["sections"] = [words(title) for title in element.iter("SectionTitle")]


def _pmids(element: etree._Element) -> Iterator[str]:
    return filter(None, map(words, element.iter("PMID")))


# Of the names here and of MeSH, the DTD says that they hold no markup; of collective names and affiliations it does not.
_AUTHOR = {
    "LastName": "last",
    "ForeName": "fore",
    "FirstName": "fore",  # before 2004
    "Initials": "initials",
    "Suffix": "suffix",
}
_GRANT = {"GrantID": "id", "Acronym": "acronym", "Agency": "agency", "Country": "country"}
_JOURNAL = {"Title": "journal", "Volume": "volume", "Issue": "issue"}
_DATE = frozenset({"Year", "Month", "Day", "Season", "MedlineDate"})
_TEXT: _Table = {  # what articles and chapters share
    "ArticleTitle": _text("title"),
    "VernacularTitle": _text("vernacular_title"),
    "Pagination": _inside({"MedlinePgn": _text("pages")}),
    "Language": _texts("languages"),
    "AuthorList": _authors,
    "Abstract": _abstract,
    "GrantList": _records("grants", _GRANT),
    "KeywordList": _list("keywords"),
}
_CITATION: _Table = {
    "PMID": _pmid,
    "Article": _inside(
        {
            **_TEXT,
            "Journal": _journal,
            "ELocationID": _location,
            "PublicationTypeList": _names("publication_types"),
        }
    ),
    "MedlineJournalInfo": _inside(
        {
            "MedlineTA": _text("journal_abbreviation"),
            "NlmUniqueID": _text("nlm_id"),
            "ISSNLinking": _text("issn"),
            "Country": _text("country"),
        }
    ),
    "ChemicalList": _chemicals,
    "CommentsCorrectionsList": _comments,
    "MeshHeadingList": _mesh,
    "OtherID": _other_id,
    "OtherAbstract": _other_abstract,
    "KeywordList": _list("keywords"),
}
_BOOK: _Table = {
    "Publisher": _inside({"PublisherName": _text("publisher")}),
    "BookTitle": _text("title"),
    "PubDate": _date,
    "AuthorList": _authors,
    "Isbn": _texts("isbn"),
}
_CHAPTER: _Table = {
    **_TEXT,
    "PMID": _pmid,
    "ArticleIdList": _ids,
    "Book": _book,
    "PublicationType": lambda element, found: found.setdefault("publication_types", []).append(
        {"id": element.get("UI", ""), "name": words(element)}
    ),
    "Sections": _sections,
    "ReferenceList": _references,
}
_ARTICLE: _Table = {
    "MedlineCitation": _citation,
    "PubmedData": _inside({"ArticleIdList": _ids, "ReferenceList": _references}),
    "BookDocument": _inside(_CHAPTER),
    "PubmedBookData": _inside({"ArticleIdList": _ids}),
}

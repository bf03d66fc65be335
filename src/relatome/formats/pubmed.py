"""PubMed's XML, as NLM's baseline, E-utilities and older MEDLINE files have it.

A document is an article: its title, then its abstract, each part of a structured abstract a passage of its own whose
label (``BACKGROUND`` ...) is the passage's heading and not in the text. Parts are joined by a line break. Inline markup
(``<i>``, ``<sup>`` ...) is dropped, its text kept. Book chapters (``PubmedBookArticle``) are read the same way;
``DeleteCitation`` names articles withdrawn since, and is passed over with a count in the log.

References
----------
https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html ;
https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/190101/index.html
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from relatome.documents import Document, Passage
from relatome.errors import FormatError, InputError
from relatome.formats.elements import elements, words
from relatome.formats.files import OnReject, located, settle, shown, xml_root

_LOG = logging.getLogger(__name__)

_ROOTS = frozenset(
    {"PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet", "PubmedArticle", "MedlineCitation"}
)
_YEAR = re.compile(r"[12]\d{3}")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The articles of a PubMed XML file, one after another; their id is the PMID.

    ``meta`` holds, where the article has them: ``journal``, ``year``, ``languages``, ``publication_types``, ``mesh``
    (descriptor id, name, whether it is a major topic), ``doi``, ``pmc`` and ``references``, the PMIDs it cites.

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
        The file is not well-formed, or an article has no PMID.
    """
    withdrawn = 0
    wanted = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation", "DeleteCitation")
    for element in elements(path, wanted):
        if element.tag == "DeleteCitation":
            withdrawn += len(element.findall("PMID"))
            continue
        try:
            with located(path=path, line=element.sourceline):
                document = _document(element)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document
    if withdrawn:
        _LOG.info("%s: %d withdrawn articles named by DeleteCitation were passed over", shown(path), withdrawn)


def fits(start: str) -> bool:
    """Whether XML has one of PubMed's roots."""
    return xml_root(start) in _ROOTS


def _document(element: etree._Element) -> Document:
    citation = element if element.tag == "MedlineCitation" else element.find("MedlineCitation")
    if citation is None:
        citation = element.find("BookDocument")
    pmid = words(citation.find("PMID")) if citation is not None else ""
    if citation is None or not pmid:
        raise FormatError(f"a {element.tag} has no PMID")
    article = citation.find("Article")
    article = citation if article is None else article
    title = words(article.find("ArticleTitle")) or words(article.find("Book/BookTitle"))
    text = ""
    passages: list[Passage] = []
    parts = [("title", title, "", None)]
    abstract = article.findall("Abstract/AbstractText") or [
        # Written by someone else, and the only one there is: 3 of the 112 abstracts in NLM's own sample.
        part
        for other in citation.findall("OtherAbstract")
        if other.get("Language", "eng") == "eng"
        for part in other.findall("AbstractText")
    ]
    for part in abstract:
        parts.append(("abstract", words(part), part.get("Label") or "", part.get("NlmCategory")))
    for kind, content, heading, category in parts:
        if content:
            text += "\n" if text else ""
            meta: dict[str, Any] = {"category": category} if category else {}
            passages.append(Passage(kind, len(text), len(text) + len(content), heading, meta))
            text += content
    return Document(pmid, text, passages=tuple(passages), meta=_meta(element, citation, article)).check()


def _meta(element: etree._Element, citation: etree._Element, article: etree._Element) -> dict[str, Any]:
    ids = {
        identifier.get("IdType", ""): words(identifier)
        # The article's own ids, not those in its ReferenceList.
        for identifier in element.findall("PubmedData/ArticleIdList/ArticleId")
        + element.findall("PubmedBookData/ArticleIdList/ArticleId")
        + citation.findall("ArticleIdList/ArticleId")
    }
    published = article.find("Journal/JournalIssue/PubDate")
    if published is None:
        published = article.find("Book/PubDate")
    year = _YEAR.search(words(published))
    cited = [
        *element.iterfind("PubmedData//ReferenceList//ArticleId[@IdType='pubmed']"),
        *citation.iterfind("CommentsCorrectionsList/CommentsCorrections[@RefType='Cites']/PMID"),
    ]
    found: dict[str, Any] = {
        "journal": words(article.find("Journal/Title")) or words(citation.find("MedlineJournalInfo/MedlineTA")),
        "year": int(year[0]) if year else None,
        "languages": [words(language) for language in article.findall("Language")],
        "publication_types": [words(kind) for kind in article.iter("PublicationType")],
        "mesh": [
            {
                "id": name.get("UI", ""),
                "name": words(name),
                "major": "Y" in {part.get("MajorTopicYN") for part in heading},
            }
            for heading in citation.findall("MeshHeadingList/MeshHeading")
            for name in heading.findall("DescriptorName")
        ],
        "doi": ids.get("doi", ""),
        "pmc": ids.get("pmc", ""),
        "references": list(dict.fromkeys(filter(None, map(words, cited)))),
    }
    return {name: value for name, value in found.items() if value}

"""PubMed's XML as ``pubmed_parser`` reads it: the same articles, field by field; where the two differ, why.

The fields are compared by what ``benchmarks/formats.py`` says of a document and of a dictionary, so that what is timed
there is what is held here.
"""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pubmed_parser
import pytest
from benchmarks import formats as benchmark

from relatome.documents import Document
from relatome.formats import pubmed

ARTICLES = Path(__file__).parent / "data" / "pubmed" / "notes.xml"
FIELDS = (
    *("id", "title", "abstract", "journal", "date", "mesh", "publication_types", "chemicals", "keywords", "languages"),
    *("vernacular_title", "issue", "pages", "authors", "record", "other_ids", "grants"),
)


def both(path: Path, folder: Path) -> list[tuple[Document, dict[str, Any]]]:
    """The articles of a file, as each of the two gives them; the other reads only gzip."""
    data = path.read_bytes()
    packed = folder / "articles.xml.gz"
    packed.write_bytes(data if data[:2] == b"\x1f\x8b" else gzip.compress(data))
    ours = list(benchmark.pubmed_ours(packed))
    return list(zip(ours, benchmark.pubmed_parser(packed), strict=True))


def differences(ours: Document, theirs: dict[str, Any]) -> set[str]:
    pairs = zip(FIELDS, benchmark.pubmed_said(ours), benchmark.pubmed_parser_said(theirs), strict=True)
    return {name for name, one, other in pairs if one != other}


def test_an_article_with_all_that_differs(tmp_path: Path) -> None:
    text = ARTICLES.read_text(encoding="utf-8")
    articles = tmp_path / "articles.xml"
    # The other program reads neither chapters nor, since 0.5, withdrawals.
    articles.write_text(text[: text.index("<PubmedBookArticle>")] + "</PubmedArticleSet>", encoding="utf-8")
    (first, theirs), (letter, letter_theirs) = both(articles, tmp_path)
    assert differences(first, theirs) == {
        "title",  # a line break and its indentation: one blank here
        "abstract",  # markup in markup (MathML): its text is lost there; a comment's is put in
        "keywords",  # a keyword ends at its first markup
    }
    assert differences(letter, letter_theirs) == set()
    assert "not so" in theirs["abstract"]
    # Of several ELocationIDs the last counts there, whatever it is; here the list of ids does.
    assert (first.meta["doi"], theirs["doi"]) == ("10.0000/invented", "10.0000/other")
    # "PMC..." and what is written behind it.
    assert (first.meta["pmc"], theirs["pmc"]) == ("PMC9000001", "PMC9000001 [Available on 01/01/32]")
    # Lists in lists, and an article cited twice.
    assert (first.meta["references"], theirs["references"]) == (["9000002", "9000003"], "9000002;9000002")
    # What older records cite stands among the CommentsCorrections, which are not read there.
    assert (letter.meta["references"], letter_theirs["references"]) == (["9000001"], "")


# Articles whose abstract holds MathML, and what of it is lost there.
MARKUP_IN_MARKUP = {"30108519", "29963580"}


@pytest.mark.parametrize(
    ("name", "articles", "references", "dois", "pmcs"),
    [
        ("pubmedsample18n0001.xml.gz", 177, 19, 3, 4),
        ("biopython/pubmed1.xml", 2, 0, 0, 0),
        ("biopython/pubmed2.xml", 2, 0, 0, 0),
        ("biopython/pubmed4.xml", 1, 1, 0, 1),
        ("biopython/pubmed5.xml", 1, 1, 0, 1),
        ("biopython/pubmed6.xml", 1, 1, 0, 1),
        ("biopython/pubmed7.xml", 1, 0, 0, 1),
    ],
)
def test_real_articles(
    name: str, articles: int, references: int, dois: int, pmcs: int, corpus_data: Path, tmp_path: Path
) -> None:
    found: Counter[str] = Counter()
    pairs = both(corpus_data / "pubmed_xml" / name, tmp_path)
    for ours, theirs in pairs:
        assert differences(ours, theirs) == ({"abstract"} if ours.id in MARKUP_IN_MARKUP else set())
        cited = list(filter(None, theirs["references"].split(";")))
        if ours.meta.get("references", []) != cited:
            found["references"] += 1  # from CommentsCorrections
            assert not cited
        if ours.meta.get("doi", "") != theirs["doi"]:
            found["dois"] += 1  # the last ELocationID is a publisher's id
            assert not theirs["doi"]
        if ours.meta.get("pmc", "") != theirs["pmc"]:
            found["pmcs"] += 1  # from the list of ids, where it stands since 2017
            assert not theirs["pmc"]
    assert (len(pairs), found["references"], found["dois"], found["pmcs"]) == (articles, references, dois, pmcs)


def test_a_file_from_before_2017_is_only_read_here(corpus_data: Path) -> None:
    path = corpus_data / "pubmed_xml" / "medsamp2010.xml.gz"
    assert list(pubmed_parser.parse_medline_xml(str(path))) == []
    assert sum(1 for _ in pubmed.read(path)) == 146

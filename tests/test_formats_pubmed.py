"""PubMed's XML: what an article holds, what is withdrawn, hostile files, memory, and what ``pubmed_parser`` reads of it."""

from __future__ import annotations

import gzip
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from relatome.documents import Document
from relatome.errors import FormatError, InputError
from relatome.formats import elements, pubmed
from tests.memory import needs_proc

ARTICLES = Path(__file__).parent / "data" / "pubmed" / "notes.xml"


def saved(text: str | bytes, folder: Path, name: str = "notes.xml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def said(document: Document) -> list[tuple[str, str, str]]:
    return [(p.kind, p.heading, document.text[p.start : p.end]) for p in document.passages]


# --------------------------------------------------------------------------------------------- what an article holds


def test_an_article_with_a_structured_abstract() -> None:
    first, _, _ = pubmed.read(ARTICLES)
    assert said(first) == [
        ("title", "", "Velorazine and Ca2+ in Mus inventus kidneys \N{DNA DOUBLE HELIX}."),
        ("abstract", "BACKGROUND", "Velorazine is new."),  # the comment in it is no part of it
        ("abstract", "RESULTS", "It caused ne\N{COMBINING ACUTE ACCENT}phrite in two of ten & fever in one."),
        ("abstract", "WHAT IT MEANS", "Where κ2<3, none."),  # MathML
    ]
    assert first.text == "\n".join(text for _, _, text in said(first))
    assert [dict(passage.meta) for passage in first.passages] == [
        {},
        {"category": "BACKGROUND"},
        {"category": "RESULTS"},
        {},
    ]
    assert first.meta == {
        "status": "MEDLINE",
        "version": 1,
        "journal": "Annals of Invented Results",
        "journal_abbreviation": "Ann Inv Res",
        "nlm_id": "0000001",
        "issn": "0000-0001",
        "country": "Nowhere",
        "volume": "7",
        "issue": "1-2",
        "pages": "12-9",
        "year": 2031,
        "date": "2031 Jan-Feb",
        "languages": ["eng"],
        "copyright": "Nobody's.",
        "authors": [
            {
                "last": "Bødker",
                "fore": "Ada B",
                "initials": "AB",
                "suffix": "Jr",
                "ids": ["0000-0000-0000-0001"],  # not the hospital's
                "affiliations": ["Institute of Nothing, Nowhere.", "Hospital of No One."],
            },
            {"collective": "The κ2 Group"},
        ],
        "grants": [{"id": "X1", "acronym": "IN", "agency": "Fund of Inventions", "country": "Nowhere"}],
        "publication_types": [{"id": "D016428", "name": "Journal Article"}],
        "mesh": [
            {
                "id": "D007668",
                "name": "Kidney",
                "major": True,  # its qualifier is
                "qualifiers": [{"id": "Q000187", "name": "drug effects", "major": True}],
            },
            {"id": "D000818", "name": "Animals", "major": False},
        ],
        "chemicals": [{"id": "C900001", "name": "velorazine", "registry": "0"}],
        "keywords": ["velorazine", "Ca2+"],
        "doi": "10.0000/invented",  # of the article's list of ids, which is newer than its ELocationID
        "pmc": "PMC9000001",
        "ids": {"pii": "S0-12"},
        "other_ids": ["00000001"],
        "references": ["9000002", "9000003"],  # not the article itself; each once
        "unlinked_references": 1,
    }


def test_a_letter_in_french() -> None:
    _, letter, _ = pubmed.read(ARTICLES)
    assert said(letter) == [("title", "", "[A letter].")]
    assert letter.meta == {
        "journal": "Annals of Invented Results",
        "year": 2030,
        "date": "2030-04-01",
        "languages": ["fre"],
        "vernacular_title": "Une lettre.",
        "other_abstracts": [
            {
                "type": "Publisher",
                "language": "fre",
                "parts": [{"heading": "BUT", "text": "Une lettre."}, {"heading": "CONCLUSION", "text": "Brève."}],
            }
        ],
        "references": ["9000001"],
        "unlinked_references": 1,
        "comments": [{"type": "CommentOn", "pmid": "9000002", "source": "Ann Inv Res. 2029"}],
    }


def test_a_chapter_of_a_book() -> None:
    *_, chapter = pubmed.read(ARTICLES)
    assert chapter.id == "9000005"
    assert said(chapter) == [("title", "", "Plombidol"), ("abstract", "", "A chapter on plombidol.")]
    assert chapter.meta == {
        "version": 3,
        "year": 2030,
        "date": "2030 Spring",
        "languages": ["eng"],
        "authors": [{"last": "First", "initials": "F"}],
        "publication_types": [{"id": "D016454", "name": "Review"}],
        "ids": {"bookaccession": "NBK000001"},
        "references": ["9000001"],
        "book": {
            "title": "A Book of Inventions",
            "publisher": "Press of Nowhere",
            "isbn": ["0000000000"],
            "editors": [{"last": "Second", "initials": "S"}],
        },
        "sections": ["Uses"],
    }


def test_a_book_without_chapters_has_the_books_title(tmp_path: Path) -> None:
    text = ARTICLES.read_text(encoding="utf-8").replace(
        '<ArticleTitle book="inv" part="plo">Plombidol</ArticleTitle>', ""
    )
    *_, book = pubmed.read(saved(text, tmp_path))
    assert said(book)[0] == ("title", "", "A Book of Inventions")


def test_an_abstract_that_someone_else_wrote_is_taken_where_there_is_no_other(tmp_path: Path) -> None:
    text = (
        ARTICLES.read_text(encoding="utf-8").replace(' Language="fre"', "").replace(">Une lettre.</Abs", ">On it.</Abs")
    )
    _, letter, _ = pubmed.read(saved(text, tmp_path))
    assert said(letter)[1:] == [("abstract", "BUT", "On it."), ("abstract", "CONCLUSION", "Brève.")]
    assert [dict(passage.meta) for passage in letter.passages[1:]] == [{"type": "Publisher"}] * 2
    assert "other_abstracts" not in letter.meta


def article(inside: str) -> str:
    return f"<MedlineCitation><PMID>1</PMID>{inside}</MedlineCitation>"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("<Year>2031</Year>", (2031, "2031")),
        ("<Year>2031</Year><Month>Dec</Month>", (2031, "2031-12")),
        ("<Year>2031</Year><Month>4</Month><Day>9</Day>", (2031, "2031-04-09")),
        ("<Year>2031</Year><Month>Floreal</Month><Day>9</Day>", (2031, "2031")),
        ("<Year>2031</Year><Season>Fall</Season>", (2031, "2031 Fall")),
        ("<MedlineDate>2031 Dec-2032 Jan</MedlineDate>", (2031, "2031 Dec-2032 Jan")),
        ("<MedlineDate>Fall-Winter</MedlineDate>", (None, "Fall-Winter")),
        ("", (None, None)),
    ],
)
def test_dates(date: str, expected: tuple[int | None, str | None], tmp_path: Path) -> None:
    text = article(f"<Article><Journal><JournalIssue><PubDate>{date}</PubDate></JournalIssue></Journal></Article>")
    (document,) = pubmed.read(saved(text, tmp_path))
    assert (document.meta.get("year"), document.meta.get("date")) == expected


def test_older_records(tmp_path: Path) -> None:
    text = (
        "<MedlineCitationSet><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>One.</ArticleTitle><AuthorList><Author>"
        "<LastName>A</LastName><FirstName>B</FirstName><Affiliation>There.</Affiliation></Author></AuthorList>"
        '<ELocationID EIdType="doi">10.0/x</ELocationID><ELocationID EIdType="doi" ValidYN="N">10.0/wrong</ELocationID>'
        "<PublicationTypeList><PublicationType>Review</PublicationType></PublicationTypeList></Article>"
        "<MeshHeadingList><MeshHeading><DescriptorName MajorTopicYN='Y'>Mice</DescriptorName></MeshHeading></MeshHeadingList>"
        "</MedlineCitation><MedlineCitation><PMID>2</PMID><Article/></MedlineCitation></MedlineCitationSet>"
    )
    first, second = pubmed.read(saved(text, tmp_path))
    assert (first.id, first.text, second.id, second.text, second.meta) == ("1", "One.", "2", "", {})
    assert first.meta == {
        "authors": [{"last": "A", "fore": "B", "affiliations": ["There."]}],
        "doi": "10.0/x",
        "publication_types": [{"id": "", "name": "Review"}],
        "mesh": [{"id": "", "name": "Mice", "major": True}],
    }


def test_versions_come_one_by_one(tmp_path: Path) -> None:
    one = '<PubmedArticle><MedlineCitation><PMID Version="{}">1</PMID><Article/></MedlineCitation></PubmedArticle>'
    text = "<PubmedArticleSet>" + one.format(1) + one.format(2) + "</PubmedArticleSet>"
    read = [(document.id, document.meta["version"]) for document in pubmed.read(saved(text, tmp_path))]
    assert read == [("1", 1), ("1", 2)]


# ------------------------------------------------------------------------------------------------ what is withdrawn


def test_withdrawn_articles_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    assert list(pubmed.deleted(ARTICLES)) == ["9000006", "9000007"]
    withdrawn: list[str] = []
    with caplog.at_level(logging.INFO, "relatome"):
        assert len(list(pubmed.read(ARTICLES, on_delete=withdrawn.append))) == 3
        assert withdrawn == ["9000006", "9000007"]
        assert not caplog.records
        assert len(list(pubmed.read(ARTICLES))) == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "names 2 withdrawn articles, which are no documents: pubmed.deleted lists them" in caplog.text


def test_withdrawn_chapters_and_an_update_of_nothing_else(tmp_path: Path) -> None:
    text = "<PubmedBookArticleSet><DeleteDocument><PMID>5</PMID></DeleteDocument></PubmedBookArticleSet>"
    assert list(pubmed.deleted(saved(text, tmp_path))) == ["5"]
    text = "<PubmedArticleSet><DeleteCitation><PMID>5</PMID><PMID/></DeleteCitation></PubmedArticleSet>"
    assert list(pubmed.deleted(saved(text, tmp_path))) == ["5"]


# ---------------------------------------------------------------------------------------------------- what is refused


def test_an_article_without_pmid(tmp_path: Path) -> None:
    text = ARTICLES.read_text(encoding="utf-8").replace("<PMID>9000004</PMID>", "<PMID> </PMID>", 1)
    path = saved(text, tmp_path)
    line = text[: text.index("<PMID> </PMID>")].count("\n") - 1
    with pytest.raises(FormatError) as caught:
        list(pubmed.read(path))
    assert str(caught.value) == f"{path}:{line}: a PubmedArticle has no PMID"
    rejects: list[InputError] = []
    ids = [document.id for document in pubmed.read(path, on_reject=rejects.append, on_delete=rejects.append)]  # type: ignore[arg-type]
    assert (ids, len(rejects)) == (["9000001", "9000005"], 3)


@pytest.mark.parametrize("read", [pubmed.read, pubmed.deleted])
@pytest.mark.parametrize("root", ["html", "article", "pubmedarticleset", "collection"])
def test_another_root(read: Any, root: str, tmp_path: Path) -> None:
    path = saved(f"<?xml version='1.0'?>\n<{root}><PubmedArticle/></{root}>", tmp_path)
    with pytest.raises(FormatError) as caught:
        list(read(path))
    assert str(caught.value).startswith(
        f"{path}:2: the root of this XML is <{root}>, not one of: DeleteCitation, Medline"
    )


def test_a_file_of_anything_but_articles_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "MOST_BYTES_A_LINE", 1 << 20)
    inside = "<x>Plombidol</x>" * 100_000
    for text, what in (
        (f"<PubmedArticleSet><PubmedArticle>{inside}", "in one element"),
        (f"<PubmedArticle>{inside}", "in one element"),
        (f"<PubmedArticleSet>{inside}", "not well-formed"),  # thrown away one by one
    ):
        path = saved(gzip.compress(text.encode()), tmp_path)
        with pytest.raises(FormatError, match=what):
            list(pubmed.read(path))
    for read, text in (
        (lambda path: elements.elements(path, ["a"]), f"<r>{inside}"),
        (lambda path: elements.elements(path, ["a"]), f"<r><a>{inside}"),
    ):
        with pytest.raises(FormatError, match="more than 1 MB of XML (without any of: a|in one element)"):
            list(read(saved(text, tmp_path)))
    path = saved("<!-- " + "Plombidol " * 200_000 + "-->", tmp_path)
    with pytest.raises(FormatError, match="1 MB of XML without an element"):
        list(pubmed.read(path))


@pytest.mark.parametrize("declared", ["", "<!DOCTYPE MedlineCitation SYSTEM 'http://127.0.0.1:9/x.dtd'>"])
@pytest.mark.parametrize(
    "inside",
    [
        "<ArticleTitle>&alpha;-tocoril</ArticleTitle>",
        "<Abstract><AbstractText Label='&alpha;'>One.</AbstractText></Abstract>",  # the parser would leave it out
    ],
)
def test_an_entity_in_a_text_or_an_attribute(inside: str, declared: str, tmp_path: Path) -> None:
    path = saved(declared + "\n" + article(f"<Article>\n{inside}</Article>"), tmp_path)
    with pytest.raises(FormatError) as caught:
        list(pubmed.read(path))
    assert str(caught.value).startswith(f"{path}:3: this XML uses the entity &alpha;, and entities are not expanded")


@pytest.mark.parametrize("border", range(1, 12))
def test_an_entity_at_the_border_of_two_pieces_is_refused(border: int, tmp_path: Path) -> None:
    """Wherever a reference is cut by reading, it is seen; what stands for markup is not taken for one."""
    text = "<!DOCTYPE PubmedArticleSet SYSTEM 'http://127.0.0.1:9/x.dtd'>\n" + article(
        "<Article><ArticleTitle>{}</ArticleTitle></Article>"
    )
    before = len(text.partition("{}")[0])
    for reference, expected in (
        ("&alpha;", None),
        ("&quot;", '"'),
        ("&amp;", "&"),
        ("&#945;", "α"),
        ("<![CDATA[&x;]]>", "&x;"),
    ):
        blanks = " " * (elements._CHUNK_BYTES - before - border)
        path = saved(text.format(blanks + reference), tmp_path)
        if expected is None:
            with pytest.raises(
                FormatError, match=r":2: this XML uses the entity &alpha;, and entities are not expanded"
            ):
                list(pubmed.read(path))
        else:
            assert [document.text for document in pubmed.read(path)] == [expected]


def test_an_entity_in_utf_16_is_refused(tmp_path: Path) -> None:
    text = "<!DOCTYPE MedlineCitation SYSTEM 'x.dtd'>" + article(
        "<Article><ArticleTitle>&alpha;</ArticleTitle></Article>"
    )
    for declared in ("", '<?xml version="1.0" encoding="UTF-16"?>'):
        with pytest.raises(FormatError, match="uses the entity &alpha;"):
            list(pubmed.read(saved((declared + text).encode("utf-16"), tmp_path)))
    utf_7 = '<?xml version="1.0" encoding="UTF-7"?>' + text.replace("&alpha;", "+ACY-alpha;")
    with pytest.raises(FormatError):  # as an entity, or because this libxml2 does not know UTF-7
        list(pubmed.read(saved(utf_7, tmp_path)))


def test_instructions_and_comments_anywhere(tmp_path: Path) -> None:
    """They divide no text, neither in a file of one piece nor in one of several, and stand between articles as nothing."""
    text = ARTICLES.read_text(encoding="utf-8")
    start, end = text.index("<PubmedArticle>"), text.index("<DeleteCitation>")
    plain = text[:start] + text[start:end] * 30 + text[end:]
    marked = plain.replace("</PubmedArticle>", "</PubmedArticle><?x y?><!-- </PubmedArticle> -->")
    marked = (
        marked.replace("Bødker", "Bød<?x?>k<!-- -->er")
        .replace("fever", "fe<!-- x --><?y?>ver")
        .replace("Kidney<", "Kid<?x?>ney<")
    )
    assert marked.count("<?x?>") == 60
    for one, other in zip(
        pubmed.read(saved(plain, tmp_path)), pubmed.read(saved(marked, tmp_path, "marked")), strict=True
    ):
        assert one == other
    assert list(pubmed.deleted(saved(marked, tmp_path))) == ["9000006", "9000007"]


def test_the_same_whatever_the_root_and_the_encoding(tmp_path: Path) -> None:
    text = ARTICLES.read_text(encoding="utf-8")
    expected = list(pubmed.read(ARTICLES))
    for declared, encoding in (("utf-8", "utf-8-sig"), ("UTF-16", "utf-16"), ("US-ASCII", "ascii")):
        again = text.replace('encoding="UTF-8"', f'encoding="{declared}"').encode(encoding, "xmlcharrefreplace")
        assert list(pubmed.read(saved(again, tmp_path))) == expected
    assert list(pubmed.read(saved(text.partition("?>")[2].lstrip(), tmp_path))) == expected
    alone = text[text.index("<PubmedArticle>") : text.index("</PubmedArticle>") + 16]
    assert list(pubmed.read(saved(alone, tmp_path))) == expected[:1]


def test_articles_before_a_truncation_are_read(tmp_path: Path) -> None:
    data = ARTICLES.read_bytes()
    start, end = data.index(b"<PubmedArticle>"), data.index(b"<DeleteCitation>")
    for copies in (1, 40):  # in one piece, and in several
        path = saved(data[:start] + data[start:end] * copies + b"<PubmedArticle><MedlineCitation>", tmp_path)
        ids: list[str] = []
        with pytest.raises(FormatError, match="not well-formed XML"):
            ids.extend(document.id for document in pubmed.read(path))
        assert ids == ["9000001", "9000004", "9000005"] * copies


MEASURE = """
import sys
from relatome.formats import pubmed
from tests.memory import peak_mib
count = sum(1 for _ in pubmed.read(sys.argv[1]))
print(count, peak_mib())
"""


@needs_proc
def test_memory_is_flat(tmp_path: Path) -> None:
    data = ARTICLES.read_bytes()
    start, end = data.index(b"<PubmedArticle>"), data.index(b"<PubmedBookArticle>")
    used = {}
    for copies in (200, 8000):
        path = tmp_path / f"{copies}.xml.gz"
        with gzip.open(path, "wb", compresslevel=1) as stream:
            stream.write(data[:start])
            for _ in range(copies):
                stream.write(data[start:end])
            stream.write(b"</PubmedArticleSet>")
        answer = subprocess.run([sys.executable, "-c", MEASURE, str(path)], check=True, capture_output=True, text=True)
        count, used[copies] = map(float, answer.stdout.split())
        assert count == 2 * copies
    assert copies * (end - start) > 40_000_000
    assert used[8000] - used[200] < 8

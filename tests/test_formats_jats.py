"""JATS: sections, captions, tables, formulas, references; nothing of a text is lost; hostile and damaged files."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from relatome import formats
from relatome.documents import Document
from relatome.errors import FormatError, InputError
from relatome.formats import jats

ARTICLES = Path(__file__).parent / "data" / "jats" / "notes.xml"


def saved(text: str, folder: Path, name: str = "notes.nxml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def said(document: Document) -> list[tuple[str, str, str]]:
    return [(p.kind, p.heading, document.text[p.start : p.end]) for p in document.passages]


def test_the_text_of_an_article() -> None:
    first, _, letter = jats.read(ARTICLES)
    assert said(first) == [
        ("title", "", "Velorazine and Ca2+ in Mus inventus kidneys \N{DNA DOUBLE HELIX}"),
        ("abstract", "Background", "Velorazine is new."),
        ("abstract", "Results", "It caused néphrite & fever."),
        ("abstract", "In short", "Take care with it."),
        ("paragraph", "", "Before any section[1]."),
        ("paragraph", "Methods", "All mice were invented."),
        ("paragraph", "Dosing", "As Figure 1 shows it rose to κ2."),  # its TeX is the same thing again
        ("figure_caption", "Figure 1", "Doses. In mg a day."),
        ("footnote", "Dosing", "Not in all."),
        ("formula", "Dosing", "(1) $$x = 1$$"),
        ("list_item", "Dosing", "One mouse."),
        ("list_item", "Dosing", "Another:"),
        ("list_item", "Dosing", "white."),
        ("table_caption", "Table 1", "Who fell ill"),
        ("table", "Table 1", "Mouse\tIll\nA\tnoa\nB\tyes"),
        ("table_footnote", "Table 1", "a Nor before."),
        ("table_caption", "Table 2", "A picture of a table."),
        ("paragraph", "Results", "See Table 1."),
        ("paragraph", "Box", "In a box."),
        ("supplement_caption", "File 1", "All doses."),
        ("supplement_caption", "", "CSV"),
        ("list_item", "Results", "KRNX2: a gene"),
        ("paragraph", "Results", "No one said."),
        ("acknowledgement", "Thanks", "To no one."),
        ("footnote", "", "A did it all."),
        ("paragraph", "Appendix A", "More of it."),
        ("figure_caption", "Figure 2", "At the end."),
    ]
    metas = {passage.heading: dict(passage.meta) for passage in first.passages}
    assert metas["In short"] == {"type": "summary"}
    assert metas["Dosing"] == {"sections": ["Methods", "Dosing"]}
    assert metas["Figure 1"] == {"id": "f1", "sections": ["Methods", "Dosing"]}
    assert metas["Table 1"] == {"id": "t1", "sections": ["Results"]}
    assert metas["Methods"] == {}
    assert said(letter) == [("title", "", "A letter"), ("paragraph", "", "No sections here.")]


def test_the_meta_of_an_article() -> None:
    first, reply, letter = jats.read(ARTICLES)
    assert (first.id, reply.id, letter.id) == ("PMC9000001", "PMC9000001:sa1", "10.0000/letter")
    assert first.meta == {
        "article_type": "research-article",
        "languages": ["en"],
        "journal": "Annals of Invented Results",
        "publisher": "Press of Nowhere",
        "subtitle": "A trial",
        "volume": "7",
        "issue": "1",
        "pages": "12-19",
        "year": 2031,
        "date": "2031-04-01",  # before the printed issue; when PMC got it is no publication
        "authors": [
            {
                "last": "Bødker",
                "fore": "Ada B",
                "suffix": "Jr",
                "ids": ["0000-0000-0000-0001"],
                "affiliations": ["Institute of Nothing, Nowhere", "Hospital of No One"],
            },
            {"collective": "The κ2 Group"},
        ],
        "subjects": ["Research", "Kidneys"],
        "keywords": ["velorazine", "Ca2+"],
        "copyright": "Nobody's.",
        "license": {
            "type": "open-access",
            "url": "http://creativecommons.org/licenses/by/4.0/",
            "text": "Free for all.",
        },
        "funding": ["Fund of Inventions."],
        "other_abstracts": [
            {
                "type": "",
                "language": "fr",
                "parts": [{"heading": "But", "text": "Un essai."}, {"heading": "", "text": "Fin."}],
            }
        ],
        "comments": [{"type": "corrected-article", "ids": {"doi": "10.0000/older"}}],
        "pmid": "9000001",
        "pmc": "PMC9000001",
        "doi": "10.0000/invented",
        "ids": {"publisher-id": "inv-1"},
        "references": ["9000002"],
        "unlinked_references": 2,
        "bibliography": [
            {
                "id": "r1",
                "label": "1",
                "pmid": "9000002",
                "doi": "10.0000/one",
                "title": "One",
                "source": "Ann Inv Res",
                "year": "2029",
                "text": "First F One Ann Inv Res 2029 9000002 10.0000/one",
            },
            {"id": "r2", "label": "2", "source": "A Book", "text": "Second S. A Book; 2028."},
            {"id": "r3", "text": "Seen by us."},
        ],
        "tables_as_images": 1,
    }
    assert reply.meta == {"article_type": "reply", "part_of": "PMC9000001"}
    assert letter.meta == {"article_type": "letter", "doi": "10.0000/letter", "pages": "e7"}


def test_one_article_in_a_namespace_and_without_any_id(tmp_path: Path) -> None:
    body = "<front><article-meta/></front><body><p>One.</p>loose <sec><p>Two.</p></sec></body>"
    prefixed = re.sub("<(/?)([a-z])", r"<\1j:\2", body)
    for text in (
        f'<article xmlns="https://jats.nlm.nih.gov/ns/archiving/1.3/">{body}</article>',
        f'<j:article xmlns:j="x">{prefixed}</j:article>',
    ):
        path = saved(text, tmp_path)
        assert formats.guess(path) == "jats"
        (document,) = jats.read(path)
        assert (document.id, document.text) == ("notes", "One.\nTwo.\nloose")
    wrapped = f"<OAI-PMH><record><metadata><article>{body}</article></metadata></record></OAI-PMH>"
    assert [document.id for document in jats.read(saved(wrapped, tmp_path))] == ["notes:1"]


def test_xml_of_another_kind_called_article(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="XML of a kind that is not known: its root is <article>"):
        formats.guess(saved("<article><title>DocBook</title><para>x</para></article>", tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html><article/></html>", ":1: the root of this XML is <html>, not one of: OAI-PMH, article, pmc-articleset"),
        ("<article><front></article>", ":1: this is not well-formed XML: Opening and ending tag mismatch"),
        ("<article><body><p>&alpha;</p></body></article>", "entities are not expanded"),
        ("<!DOCTYPE article SYSTEM 'x.dtd'><article><p>&alpha;</p></article>", ":1: this XML uses the entity &alpha;"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><article>&x;</article>', "declares entities"),
        ("<article>" + "<sec>" * 300, "not well-formed XML: Excessive depth"),
    ],
)
def test_damaged_files(text: str, message: str, tmp_path: Path) -> None:
    path = saved(text, tmp_path)
    with pytest.raises(InputError) as caught:
        list(jats.read(path))
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_deep_markup(tmp_path: Path) -> None:
    text = "<article><body>" + "<sec><title>T</title>" * 100 + "<p>" + "<b>" * 100 + "deep" + "</b>" * 100 + "</p>"
    (document,) = jats.read(saved(text + "</sec>" * 100 + "</body></article>", tmp_path))
    assert document.text == "deep"
    assert len(document.passages[0].meta["sections"]) == 100


# ------------------------------------------------------------------------------------------------------- real articles

# Articles, of which one holds 52 more; references; those with PMIDs; tables; pictures of tables.
REAL = {
    "1471-2180-11-174.nxml": ("PMC3166277", 64, 56, 3, 0),
    "1472-6831-8-11.nxml": ("PMC2329613", 31, 25, 4, 0),
    "PMC2758189.nxml": ("PMC2758189", 46, 0, 3, 0),
    "PMC2836310.nxml": ("PMC2836310", 48, 31, 2, 0),
    "PMC3098455.nxml": ("PMC3098455", 15, 12, 3, 0),
    "PMC3747765.nxml": ("PMC3747765", 0, 0, 0, 0),
    "PMC3821097.nxml": ("PMC3821097", 45, 35, 0, 0),
    "PMC3997261.nxml": ("PMC3997261", 79, 72, 3, 0),
    "PMC4154068.nxml": ("PMC4154068", 28, 3, 4, 0),
    "PMC4303521.nxml": ("PMC4303521", 42, 37, 1, 0),
    "PMC4393605.nxml": ("PMC4393605", 81, 62, 7, 0),
    "PMC6949206.xml": ("PMC6949206", 79, 74, 0, 0),
    "ehp-116-1694.nxml": ("PMC2599765", 58, 52, 0, 0),
    "pone.0000217.nxml": ("PMC1790863", 33, 26, 0, 0),
    "pone.0046493.nxml": ("PMC3460867", 58, 44, 3, 0),
}


def real(folder: Path, name: str) -> Path:
    return next(path for path in (folder / "pmc_jats" / name, folder / "pmc_jats" / f"{name}.gz") if path.is_file())


@pytest.mark.parametrize("name", REAL)
def test_real_articles(name: str, corpus_data: Path) -> None:
    path = real(corpus_data, name)
    assert formats.guess(path) == "jats"
    first, *others = formats.read(path)
    assert len(others) == (52 if name == "PMC3747765.nxml" else 0)
    kinds = Counter(passage.kind for passage in first.passages)
    counts = (len(first.meta.get("bibliography", [])), len(first.meta.get("references", [])), kinds["table"])
    assert (first.id, *counts, first.meta.get("tables_as_images", 0)) == REAL[name]
    assert {"authors", "journal", "year"} - set(first.meta) <= ({"authors"} if others else set())
    # Some say it in the copyright statement, one nowhere but in back matter.
    assert "license" in first.meta or "copyright" in first.meta
    for document in (first, *others):
        document.check()
        assert document.text.strip()


def test_all_real_articles_are_named_here(corpus_data: Path) -> None:
    assert {path.name.removesuffix(".gz") for path in (corpus_data / "pmc_jats").iterdir()} == set(REAL)


@pytest.mark.parametrize("name", REAL)
def test_no_word_of_a_real_article_is_lost(name: str, corpus_data: Path) -> None:
    """Every word of abstract, body and back matter is in the text or in a heading; but references, labels and ids."""
    path = real(corpus_data, name)
    data = path.read_bytes()
    root = etree.fromstring(gzip.decompress(data) if path.suffix == ".gz" else data)
    read = list(jats.read(path))
    kept = Counter(word for document in read for word in words(document.text))
    for document in read:
        for passage in document.passages:
            kept.update(word for text in (passage.heading, *passage.meta.get("sections", ())) for word in words(text))
    for part in ("abstract", "body", "back", "floats-group"):
        for element in root.iter(part):
            assert set(words("".join(pieces(element)))) <= set(kept)
    whole = Counter(
        word
        for element in root.iter("p")
        if not any(above.tag in ("p", "ref-list", "front", "front-stub", "td") for above in element.iterancestors())
        for word in words("".join(pieces(element)))
    )
    assert not {word for word, count in whole.items() if kept[word] < count}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def pieces(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        apart = child.tag not in ("italic", "bold", "sub", "sup", "xref", "sc", "underline", "email", "ext-link", "uri")
        if isinstance(child.tag, str) and child.tag not in (
            "ref-list",
            "label",
            "object-id",
            "tex-math",
            "sub-article",
        ):
            if apart:
                yield " "
            yield from pieces(child)
            if apart:
                yield " "
        yield child.tail or ""

"""MEDLINE text: fields over several lines, the names PubMed's XML gives the same things, and damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest

from relatome import formats
from relatome.errors import FormatError, InputError
from relatome.formats import medline, pubmed

DATA = Path(__file__).parent / "data"
RECORDS = DATA / "medline" / "notes.txt"


def saved(text: str, folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_record() -> None:
    first, letter = medline.read(RECORDS)
    assert [(p.kind, p.heading, first.text[p.start : p.end]) for p in first.passages] == [
        ("title", "", "Velorazine and Ca2+ in Mus inventus kidneys \N{DNA DOUBLE HELIX}."),
        (
            "abstract",
            "",
            "BACKGROUND: Velorazine is new. RESULTS: It caused néphrite in two of ten & fever in one. "
            "CONCLUSION: Where κ2<3, none.",
        ),
    ]
    assert first.meta["mesh"] == [
        {"id": "", "name": "Animals", "major": False},
        {
            "id": "",
            "name": "Kidney",
            "major": True,
            "qualifiers": [
                {"id": "", "name": "drug effects", "major": True},
                {"id": "", "name": "injuries", "major": False},
            ],
        },
        {"id": "", "name": "Velorazine", "major": True},
    ]
    assert first.meta["chemicals"] == [{"id": "", "name": "velorazine (prodrug)", "registry": "0"}]
    assert first.meta["fields"] == {
        "OWN": ["NLM"],
        "IS": ["0000-0001 (Print)"],
        "GR": ["X1/IN/Fund of Inventions/Nowhere"],
        "SB": ["IM"],
        "OTO": ["NOTNLM"],
        "EDAT": ["2031/01/02 10:00"],
        "SO": ["Ann Inv Res. 2031 Jan-Feb;7(1-2):12-9."],
    }
    assert letter.text == "[A letter]."
    assert letter.meta == {
        "date": "2030-04-01",
        "year": 2030,
        "languages": ["fre"],
        "vernacular_title": "Une lettre.",
        # What stands before the first author is the first author's.
        "authors": [{"last": "First", "initials": "A", "affiliations": ["Nowhere."]}, {"last": "Plombier"}],
        "comments": [
            {"type": "CommentOn", "pmid": "9000002", "source": "Ann Inv Res. 2029;5:1."},
            {"type": "ErratumIn", "source": "Ann Inv Res. 2032"},
        ],
        "other_abstracts": [{"type": "", "language": "fre", "parts": [{"heading": "", "text": "Une lettre brève."}]}],
    }


def test_the_same_article_in_xml_has_the_same_meta() -> None:
    first, *_ = medline.read(RECORDS)
    same, *_ = pubmed.read(DATA / "pubmed" / "notes.xml")
    equal = "status journal journal_abbreviation nlm_id country volume issue pages year date languages doi pmc ids"
    for name in [*equal.split(), "copyright"]:
        assert first.meta[name] == same.meta[name], name
    del same.meta["authors"][0]["suffix"]  # which the text form writes behind the first name, or not at all
    assert first.meta["authors"] == same.meta["authors"]


def test_records_need_no_blank_line_between_them(tmp_path: Path) -> None:
    text = "PMID- 1\nTI  - One\n\tand more.\nPMID- 2\nTI  -\n      Two.\nPMID-\n      3\nAID - odd\nBTI - A book.\n"
    read = list(medline.read(saved(text, tmp_path)))
    assert [(document.id, document.text) for document in read] == [
        ("1", "One and more."),
        ("2", "Two."),
        ("3", "A book."),
    ]
    assert read[2].meta == {"other_ids": ["odd"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "PMID- 1\nTI  - One.\n\nid: 2 Error occurred: no such PMID\n",
            ":4: this line is no field of a record: 'id: 2 Err",
        ),
        ("PMID- 1\nTI  - One.\n\n\nTI  - No number.\n", ":5: a record has no PMID"),
        ("PMID- 1\nTI  - One.\n\nPMID- \nTI  - Two.\n", ":4: a record has no PMID"),
        (
            "PMID- 1\nTI  - One.\n\nPMID- 2\nTI - Two.\n",
            ":5: this line is no field of a record: 'TI - Two.' (expected a",
        ),
        ("PMID- 1\nTI  - One.\n\n      goes on\nPMID- 2\n", ":4: this line is no field of a record: '      goes on'"),
    ],
)
def test_damaged_records(text: str, message: str, tmp_path: Path) -> None:
    path = saved(text, tmp_path)
    with pytest.raises(FormatError) as caught:
        list(medline.read(path))
    assert str(caught.value).startswith(f"{path}{message}")
    rejects: list[InputError] = []
    read = [document.id for document in medline.read(path, on_reject=rejects.append)]
    assert read == ["1"]
    assert len(rejects) == 1


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("pubmed_result1.txt", ["12230038"]),
        ("pubmed_result2.txt", ["16403221", "16377612", "14871861", "14630660"]),
        ("pubmed_result3.txt", ["23039619"]),
    ],
)
def test_real_records(name: str, ids: list[str], corpus_data: Path) -> None:
    """Six records, as SOURCES.md counts them."""
    path = corpus_data / "pubmed_xml" / "biopython" / name
    assert formats.guess(path) == "medline"
    read = list(formats.read(path))
    assert [document.id for document in read] == ids
    for document in read:
        assert [passage.kind for passage in document.passages] == ["title", "abstract"]
        assert "  " not in document.text
        assert {"authors", "journal", "year", "mesh"} <= set(document.meta)

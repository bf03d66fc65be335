"""CORD-19: sections, captions, citations by their place, both kinds of file, damaged ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from relatome import formats
from relatome.errors import FormatError, InputError, OffsetError
from relatome.formats import cord19

PAPERS = Path(__file__).parent / "data" / "cord19" / "notes.json"
FIRST = json.loads(PAPERS.read_text(encoding="utf-8").splitlines()[0])


def saved(value: Any, folder: Path) -> Path:
    path = folder / "notes.json"
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def changed(path: list[Any], value: Any) -> Any:
    record = copy.deepcopy(FIRST)
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return record


def test_a_paper_read_from_a_pdf() -> None:
    first, _ = cord19.read(PAPERS)
    assert first.id == "0" * 39 + "1"
    assert [(p.kind, p.heading, first.text[p.start : p.end], dict(p.meta)) for p in first.passages] == [
        ("title", "", "Velorazine in kidneys \N{DNA DOUBLE HELIX}", {}),
        ("abstract", "Abstract", "Velorazine is new \N{DNA DOUBLE HELIX} [2].", {}),
        ("paragraph", "Results", "It caused ne\N{COMBINING ACUTE ACCENT}phrite [1] in mice (Fig. 1).", {}),
        ("paragraph", "Discussion", "In κ2 none [3].", {}),
        ("back_matter", "Thanks", "To no one.", {}),
        ("figure_caption", "", "Doses in mg.", {"id": "FIGREF0"}),
        ("table_caption", "", "Who fell ill", {"id": "TABREF0"}),
        ("table", "", "Mouse\tIll\nA\tno", {"id": "TABREF0"}),
    ]
    cited = {first.text[cited["start"] : cited["end"]]: cited["id"] for cited in first.meta["citations"]}
    assert cited == {"[1]": "BIBREF0", "[2]": "BIBREF1", "[3]": ""}
    (figure,) = first.meta["figure_references"]
    assert (first.text[figure["start"] : figure["end"]], figure["id"]) == ("Fig. 1", "FIGREF0")
    rest = {key: value for key, value in first.meta.items() if key not in ("citations", "figure_references")}
    assert rest == {
        "authors": [
            {
                "last": "Bødker",
                "fore": "Ada B C",
                "suffix": "Jr",
                "affiliations": ["Institute of Nothing, Nowhere, Nonesuch"],
            },
            {"last": "Second"},
        ],
        "bibliography": [
            {
                "id": "BIBREF0",
                "title": "One",
                "authors": [{"last": "First", "fore": "F"}],
                "source": "Ann Inv Res",
                "volume": "5",
                "pages": "1--2",
                "year": "2029",
                "doi": "10.0000/one",
                "pmid": "9000002",
            },
            {"id": "BIBREF1", "title": "A book"},
        ],
        "references": ["9000002"],
        "unlinked_references": 1,
    }


def test_a_paper_read_from_pubmed_central() -> None:
    _, second = cord19.read(PAPERS)
    assert (second.id, second.text) == ("PMC9000002", "A letter\nNo sections here.")
    assert second.meta == {"tables_without_cells": 1}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["paper_id"], "", "'paper_id' of a paper should be an id, found ''"),
        (["metadata"], None, "the metadata of a paper should be a JSON object, found None"),
        (["metadata", "title"], 5, "'title' of the metadata of a paper should be a string, found 5"),
        (["body_text"], {"x": 1}, "'body_text' of a paper should be a list, found"),
        (["body_text", 0], "x", "paragraph of 'body_text' 1 should be a JSON object, found 'x'"),
        (["body_text", 0, "text"], None, "'text' of paragraph of 'body_text' 1 should be a string, found None"),
        (["body_text", 0, "cite_spans", 0, "start"], -1, "'start' of entry of 'cite_spans' 1 should be a whole number"),
        (["ref_entries"], [1], "'ref_entries' of a paper should be a JSON object, found [1]"),
        (["bib_entries", "BIBREF0"], [], "'BIBREF0' of 'bib_entries' should be a JSON object, found []"),
        (["body_text", 0, "text"], "\ud800", "half a character"),
    ],
)
def test_damaged_papers(path: list[Any], value: Any, message: str, tmp_path: Path) -> None:
    record = changed(path, value)
    file = tmp_path / "notes.json"
    other = dict(FIRST, paper_id="other")
    file.write_text(json.dumps(record) + "\n" + json.dumps(other), encoding="utf-8")
    with pytest.raises(FormatError) as caught:
        list(cord19.read(file))
    assert str(caught.value).startswith(f"{file}:1: ")
    assert message in str(caught.value)
    rejects: list[InputError] = []
    assert [document.id for document in cord19.read(file, on_reject=rejects.append)] == ["other"]
    assert len(rejects) == 1


@pytest.mark.parametrize(("start", "end"), [(0, 3), (3, 900), (14, 14)])
def test_a_citation_in_another_place(start: int, end: int, tmp_path: Path) -> None:
    record = changed(
        ["body_text", 0, "cite_spans", 0], {"start": start, "end": end, "text": "[1]", "ref_id": "BIBREF0"}
    )
    file = saved(record, tmp_path)
    with pytest.raises(OffsetError, match="the reference to 'BIBREF0'"):
        list(cord19.read(file))
    told: list[InputError] = []
    (document,) = cord19.read(file, on_repair=told.append)
    assert [cited["id"] for cited in document.meta["citations"]] == ["BIBREF1", ""]
    assert [(problem.path, problem.line, problem.document) for problem in told] == [(str(file), 1, document.id)]


@pytest.mark.parametrize("text", ["", "{", '{"paper_id": "1"', "[]", "5", '"x"', '{"paper_id": "1"} {', "{}"])
def test_what_is_no_paper(text: str, tmp_path: Path) -> None:
    file = tmp_path / "notes.json"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        list(cord19.read(file))
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize("html", ["", "   ", "<table>", "\0", "<html><!-- x", "<tr><td>one", "&lt;", "x" * 100_000])
def test_any_html(html: str, tmp_path: Path) -> None:
    record = changed(["ref_entries", "TABREF0", "html"], html)
    (document,) = cord19.read(saved(record, tmp_path))
    tables = [document.text[p.start : p.end] for p in document.passages if p.kind == "table"]
    assert tables == (["one"] if "one" in html else [])
    assert document.meta.get("tables_without_cells", 0) == bool(html and not tables)


def test_a_real_paper(corpus_data: Path) -> None:
    """One of the two of SOURCES.md is here: 42 paragraphs, 63 entries in its bibliography."""
    (path,) = (corpus_data / "cord19").iterdir()
    assert formats.guess(path) == "cord19"
    (document,) = formats.read(path)
    assert sum(passage.kind == "paragraph" for passage in document.passages) == 42
    assert len(document.meta["bibliography"]) == 63
    assert len(document.meta["citations"]) == 97
    document.check()

"""``relatome extract``: what it reads, and each way of writing what it found."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relatome.cli import display, main, results
from relatome.cli.inputs import place, pmids
from relatome.cli.terminal import safe
from relatome.documents import Document, Label, Mention, Relation, Span
from relatome.errors import InputError
from relatome.formats import jsonl, read

TEXT = "Naloxone blocks OPRM1, not KOR 😀. It caused a rash."
FOUND = Document(
    "7",
    TEXT,
    mentions=(
        Mention("T1", 0, 8, "Chemical", "Naloxone", probability=0.99, source="m@1"),
        Mention("T2", 16, 21, "Gene", "OPRM1", probability=0.9, source="m@1"),
        Mention("T3", 46, 50, "Disease", "rash", probability=0.4, source="m@1"),
    ),
    relations=(
        Relation("R1", "ANTAGONIST", "T1", "T2", evidence=(Span(0, 33),), probability=0.876, source="m@1"),
        Relation("R2", "CID", "T1", "T3", evidence=(Span(0, 33), Span(34, 51)), probability=0.5, source="m@1"),
    ),
    labels=(
        Label("ade-sentence", "no-adverse-effect", 0, 33, 0.8, "m@1"),
        Label("ade-sentence", "adverse-effect", 34, 51, 0.95, "m@1"),
    ),
    sentences=(Span(0, 33), Span(34, 51)),
).check()
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "90")


@pytest.fixture
def extract(tiny_model: Path) -> list[str]:
    """The command, with a model of random weights."""
    return ["extract", "--model", str(tiny_model)]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(document: Document, stream: io.StringIO) -> str:
    """What is displayed of a document."""
    display.write([document], stream)
    return stream.getvalue()


# ------------------------------------------------------------------------------------------------------ for the eye


def test_display_without_colour() -> None:
    text = shown(FOUND, io.StringIO())
    assert "\x1b" not in text and not any(line.endswith(" ") for line in text.splitlines())
    assert "[Naloxone]Chemical blocks [OPRM1]Gene, not KOR 😀. It caused a [rash]Disease." in text
    row = next(line for line in text.splitlines() if "ANTAGONIST" in line)
    assert row.split(maxsplit=4) == ["Naloxone", "ANTAGONIST", "OPRM1", "0.88", "Naloxone blocks OPRM1, not KOR 😀."]
    part = text.partition("Adverse-effect sentences")[2]
    assert "0.95" in part and "It caused a rash." in part and "Naloxone" not in part


def test_display_with_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = shown(FOUND, Terminal())
    assert "\x1b[" in text and "[Naloxone]Chemical" not in text
    assert "entities:" in text  # the legend
    monkeypatch.setenv("NO_COLOR", "1")
    assert "[Naloxone]Chemical" in shown(FOUND, Terminal())


def test_display_says_that_nothing_was_found() -> None:
    assert "no entities found" in shown(Document("1", "It rained."), io.StringIO())
    assert "no relations found" in shown(replace(FOUND, relations=()), io.StringIO())


def test_display_says_what_was_dropped() -> None:
    document = replace(FOUND, meta={"relatome": {"model": "m@1", "windows": 9, "dropped": 3}})
    assert "3 pairs were not read" in shown(document, io.StringIO())


def test_a_repeated_sentence_is_shown_once() -> None:
    again = replace(FOUND.relations[0], id="R3")
    text = shown(replace(FOUND, relations=(FOUND.relations[0], again)), io.StringIO())
    assert text.count("Naloxone blocks OPRM1, not KOR") == 1 and "″" in text


def test_hostile_text_is_shown_harmlessly() -> None:
    document = Document("\x1b]0;x\x07", "Lithium\x1b[2J\x9b1m \u202etremor", mentions=())
    text = shown(document, Terminal())
    assert "\x1b[2J" not in text and "\x9b" not in text and "\x07" not in text and "\u202e" not in text
    assert len(safe(document.text)) == len(document.text)


def test_the_demo(extract: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*extract, str(EXAMPLES / "abstracts.txt")]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == "relatome: left out 1 relation that the text denies ('but not' 1); --keep-negated keeps them\n"
    assert lines[-1].endswith("relatome extract -")
    assert "documents/s" in lines[-2] and "pieces/s" in lines[-2] and "4 documents" in lines[-2]
    assert all(f"abstracts:{number} ---" in out for number in (1, 2, 3, 4))


# ----------------------------------------------------------------------------------------------- for other programs


def test_jsonl_holds_every_fact(extract: list[str], tiny_model: Path) -> None:
    import relatome

    source = relatome.load(tiny_model).source
    assert main([*extract, str(EXAMPLES / "abstracts.txt"), "--to", "jsonl", "-o", "facts.jsonl", "-q"]) == 0
    documents = list(read("facts.jsonl"))
    assert [document.id for document in documents] == [f"abstracts:{number}" for number in (1, 2, 3, 4)]
    assert any(document.mentions for document in documents)
    for document in documents:
        assert document.sentences and document.meta["relatome"]["model"] == source
        assert document.meta["relatome"]["windows"] >= len(document.sentences)
        for fact in (*document.mentions, *document.relations, *document.labels):
            assert isinstance(fact, Mention | Relation | Label)
            assert fact.source == source and fact.probability is not None
        assert all(relation.evidence for relation in document.relations)


def test_facts_are_flat() -> None:
    results.write_facts([FOUND], "facts.jsonl")
    facts = [json.loads(line) for line in Path("facts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(facts) == 7
    for fact in facts:
        assert fact["document"] == "7" and fact["model"] == "m@1" and 0 < fact["probability"] < 1
        assert TEXT[fact["sentence_start"] : fact["sentence_end"]] == fact["sentence"]
        assert all(not isinstance(value, (list, dict)) for value in fact.values())
    mention, relation = facts[1], facts[3]
    assert (mention["kind"], mention["type"], mention["text"], mention["start"]) == ("mention", "Gene", "OPRM1", 16)
    assert mention["sentence"] == "Naloxone blocks OPRM1, not KOR 😀."
    assert (relation["kind"], relation["head"], relation["type"], relation["tail"]) == (
        "relation", "Naloxone", "ANTAGONIST", "OPRM1",
    )  # fmt: skip
    assert TEXT[relation["tail_start"] : relation["tail_end"]] == "OPRM1"
    assert facts[4]["sentence"] == TEXT  # two sentences support it
    assert (facts[6]["kind"], facts[6]["type"], facts[6]["sentence"]) == (
        "label",
        "adverse-effect",
        "It caused a rash.",
    )


def test_facts_of_concept_relations_have_the_document_as_their_place() -> None:
    relation = Relation("R1", "CID", "D1", "D2", level="concept")
    (fact,) = [fact for fact in results.facts(replace(FOUND, relations=(relation,))) if fact["kind"] == "relation"]
    assert (fact["head"], fact["tail"], fact["sentence"]) == ("D1", "D2", TEXT)


@pytest.mark.parametrize("to", results.WRITERS)
def test_every_format_is_written_to_a_file_and_to_standard_output(
    to: str, extract: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if to in results.FILES_ONLY:
        name = {"brat": "out.tar", "parquet": "out.any"}[to]
        assert main([*extract, TEXT, "--to", to, "-o", name, "-q"]) == 0
        assert [document.text for document in read(name)] == [TEXT]
        assert main([*extract, TEXT, "--to", to, "-q"]) == 2
        assert f"{to} cannot be written to standard output: name a file" in capsys.readouterr().err
        return
    assert main([*extract, TEXT, "--to", to, "-o", "out.any", "-q"]) == 0
    assert capsys.readouterr().out == ""
    assert main([*extract, TEXT, "--to", to, "-q"]) == 0
    assert (
        capsys.readouterr().out.partition("\n1 document and")[0].strip() == Path("out.any").read_text("utf-8").strip()
    )


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.jsonl", "jsonl"), ("a.jsonl.gz", "jsonl"), ("a.facts.jsonl", "facts"), ("a.xml", "bioc"), ("a.pubtator", "pubtator"),
     ("a.parquet", "parquet"), ("a.tar.gz", "brat"), ("a.PubTator.txt", "pubtator"), ("a.iob", "iob"), ("a.txt", "text")],
)  # fmt: skip
def test_the_name_of_the_file_says_the_format(name: str, format: str) -> None:
    assert results.format_of(None, Path(name)) == format
    assert results.format_of("bioc", Path(name)) == "bioc"


def test_less_probable_facts_can_be_left_out() -> None:
    (kept,) = results.sure([FOUND], 0.5)
    assert [mention.id for mention in kept.mentions] == ["T1", "T2"]
    assert [relation.id for relation in kept.relations] == ["R1"]  # R2 is sure enough, but its tail is gone
    assert len(kept.check().labels) == 2


def test_chemprot_groups_are_named() -> None:
    (document,) = results.with_groups([FOUND], {"ANTAGONIST": "CPR:6"})
    assert [relation.attributes for relation in document.relations] == [{"group": "CPR:6"}, {}]


def test_what_is_read_is_not_written_over(extract: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    jsonl.write([FOUND], "in.jsonl")
    assert main([*extract, "in.jsonl", "-o", "in.jsonl"]) == 2
    assert "in.jsonl: this file is read, so it cannot be written too" in capsys.readouterr().err
    assert list(read("in.jsonl")) == [FOUND]


def test_figures_go_to_standard_error_beside_results(extract: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*extract, TEXT, "--to", "jsonl"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["id"] == "text" and "documents/s" in err and "pieces/s" in err


# -------------------------------------------------------------------------------------------------- what is read


def ids(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The ids of the documents on standard output."""
    return [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]


def test_splits_of_text(extract: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.txt").write_text("One.\nTwo.\n\nThree.\n", encoding="utf-8")
    for split, expected in {"block": ["in:1", "in:2"], "line": ["in:1", "in:2", "in:3"], "file": ["in"]}.items():
        assert main([*extract, "in.txt", "--split", split, "--to", "jsonl", "-q"]) == 0
        assert ids(capsys) == expected


def test_texts_files_and_folders_together(extract: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder").mkdir()
    Path("folder", "a.txt").write_text("One.", encoding="utf-8")
    jsonl.write([FOUND], Path("folder", "b.jsonl.gz"))
    assert main([*extract, "Two words.", "folder", "folder/a.txt", "More words.", "--to", "jsonl", "-q"]) == 0
    assert ids(capsys) == ["text:1", "a:1", "7", "a:1", "text:2"]


def test_standard_input(
    extract: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BufferedReader(io.BytesIO(b"One.\n\nTwo.\n"))

        @staticmethod
        def isatty() -> bool:
            return False

    monkeypatch.setattr("sys.stdin", Stdin)
    assert main([*extract, "-", "--to", "jsonl", "-q"]) == 0
    assert ids(capsys) == ["stdin:1", "stdin:2"]


def test_gold_of_the_input_is_replaced(extract: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    jsonl.write([FOUND], "in.jsonl")
    assert main([*extract, "in.jsonl", "--to", "facts", "-q"]) == 0
    facts: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert facts and all(fact["model"] != "m@1" for fact in facts)


@pytest.mark.parametrize(
    "text",
    ["Aspirin", "aspirin and/or lithium", "IL-2 rose. It fell", "p < 0.05", "x" * 5000, "see a/b c", "α 😀", "e.g. lithium"],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_texts_are_texts(text: str) -> None:
    assert place(text) is None


@pytest.mark.parametrize(
    "path", ["in.txt", "my abstracts.txt", "data/abstracts", "corpus.xml.gz", "x.gz", "~/notes", "paper.pdf"]
)
def test_what_looks_like_a_path_is_not_taken_for_a_text(path: str) -> None:
    with pytest.raises(InputError, match="no such file or folder .check the path; to read it as a text, pipe it in"):
        place(path)


def test_a_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(InputError, match="the text is not UTF-8"):
        place("caf\udce9 au lait")


def test_pmids_come_in_lists() -> None:
    assert pmids(["1,2", "3 4", " 5;", ""]) == ["1", "2", "3", "4", "5"]

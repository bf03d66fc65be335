"""Negation and speculation: which relations a cue speaks of, where it stands, and what becomes of it on the way out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome import formats, negation
from relatome.cli import display, main
from relatome.documents import Document, Mention, Relation, Span
from relatome.negation import cues, is_negated, load, mark, of_pair

DENIED = [  # X and Y are what is related; W stands by
    ("XX did not inhibit YY.", "did not"),
    ("XX didn’t bind YY.", "didn’t"),
    ("XX failed to inhibit YY.", "failed to"),
    ("XX did not inhibit AA, BB, or YY.", "did not"),
    ("XX had no effect on YY in rats.", "no"),
    ("XX caused no increase in YY.", "no"),
    ("YY was not affected by XX.", "was not"),
    ("No inhibition of YY by XX was seen.", "No"),
    ("Lack of effect of XX on YY in mice.", "Lack of"),
    ("We did not observe inhibition of YY by XX.", "did not observe"),
    ("Neither XX nor WW inhibited YY.", "nor"),
    ("There was no YY in patients on XX.", "no"),
    ("No XX-induced YY occurred.", "No"),
    ("XX relieved pain without YY.", "without"),
    ("WW but not XX inhibits YY.", "but not"),
    ("XX inhibits WW but not YY.", "but not"),
    ("Unlike XX, WW activated YY.", "Unlike"),
    ("Inhibition of XX by YY was not observed.", "was not observed"),
]
AFFIRMED = [
    "XX inhibited YY.",
    "XX, which did not affect WW, inhibited YY.",
    "XX did not affect WW and ZZ increased YY.",
    "XX but not WW inhibits YY.",
    "XX (not WW) binds YY.",
    "XX inhibited YY, but not WW.",
    "XX inhibited YY without sedation.",
    "XX not only inhibited YY but killed.",
    "XX does not completely block YY.",
    "XX inhibits YY in the absence of WW.",
    "In the absence of XX, WW inhibits YY.",
    "WW did not prevent XX-induced YY.",
    "WW had no effect on the rise of YY caused by XX.",
    "No serious events occurred and XX reduced YY.",
    "NO increased XX and YY.",
    "XX should not be given with YY.",
    "See No. 5: XX inhibits YY.",
    "In patients without diabetes, XX reduced YY.",
]
DOUBTED = [
    ("XX may inhibit YY.", "may"),
    ("These data suggest that XX inhibits YY.", "suggest"),
    ("We asked whether XX binds YY.", "whether"),
    ("A possible effect of XX on YY was seen.", "possible"),
    ("An effect of XX on YY cannot be ruled out.", "cannot be ruled out"),
]
SURE = ["XX inhibited YY, which may bind WW.", "In May 2010 XX inhibited YY.", "XX raised the action potential of YY."]


def judged(text: str) -> dict[str, str]:
    """The cues of the relation of XX and YY in a sentence."""
    ends = [Span(text.index(name), text.index(name) + 2) for name in ("XX", "YY")]
    return {kind: cue.text for kind, cue in of_pair(cues(text), ends[0], ends[1], text).items()}


def document(text: str, *types: str) -> Document:
    """One document whose XX and YY are related, once for each type."""
    ends = tuple(
        Mention(f"T{number}", text.index(name), text.index(name) + 2, "Chemical", name, (f"C{number}",))
        for number, name in enumerate(("XX", "YY"), start=1)
    )
    related = tuple(Relation(f"R{number}", kind, "T1", "T2") for number, kind in enumerate(types, start=1))
    return Document("1", text, mentions=ends, relations=related)


@pytest.mark.parametrize(("text", "cue"), DENIED)
def test_denied(text: str, cue: str) -> None:
    assert judged(text).get("negation") == cue


@pytest.mark.parametrize("text", AFFIRMED)
def test_not_denied(text: str) -> None:
    assert "negation" not in judged(text)


@pytest.mark.parametrize(("text", "cue"), DOUBTED)
def test_doubted(text: str, cue: str) -> None:
    assert judged(text) == {"speculation": cue}


@pytest.mark.parametrize("text", SURE)
def test_not_doubted(text: str) -> None:
    assert judged(text) == {}


def test_a_cue_inside_a_name_is_none() -> None:
    text = "Carcinoma, not otherwise specified, was treated with XX."
    assert not of_pair(cues(text), Span(0, 34), Span(53, 55), text)


def test_every_phrase_is_found_as_itself() -> None:
    lexicon = load()
    for (kind, phrase), way in lexicon.ways.items():
        found = lexicon.patterns[kind].fullmatch(phrase) if phrase[-1] != "." else None
        assert phrase[-1] == "." or (found and lexicon.way(kind, phrase) == way), phrase


_pieces = st.sampled_from(
    [
        *"😀α,;.()",
        *(["", "did", "not", "no", "may", "XX", "YY", "and", "but", "inhibited", "without", ",", "neither", "suggest"]),
    ]
)


@given(st.lists(_pieces, max_size=25), st.integers(0, 1000))
def test_offsets_are_code_points_of_the_document(pieces: list[str], start: int) -> None:
    text = " ".join(pieces)
    whole = "😀" * start + text
    found = cues(text, start)
    assert found == sorted(found, key=lambda cue: cue.start)
    for cue in found:
        assert whole[cue.start : cue.end] == cue.text
        assert start <= cue.before.start <= cue.before.end == cue.start < cue.end <= cue.after.start
        assert cue.after.start <= cue.after.end <= len(whole)
    assert [cue.span for cue in cues(text)] == [Span(cue.start - start, cue.end - start) for cue in found]


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_any_text_is_judged(text: str, one: int, other: int) -> None:
    of_pair(cues(text), Span(one, one + 1), Span(other, other + 1), text)


def test_mark_works_on_what_others_found_and_replaces_what_was_marked() -> None:
    text = "😀 It rained. XX did not inhibit YY. XX inhibits WW."
    marked = mark(document(text, "INHIBITOR"))
    assert marked.relations[0].attributes == {"negation": "did not", "negation_span": [16, 23]}
    assert text[16:23] == "did not" and is_negated(marked.relations[0])
    assert mark(marked) == marked
    wrong = replace(marked.relations[0], attributes={"negation": "never", "novelty": "No"})
    again = mark(replace(marked, text=text.replace("did not", "doesnow"), relations=(wrong,)))
    assert again.relations[0].attributes == {"novelty": "No"}


def test_a_relation_of_two_sentences_has_no_cue() -> None:
    assert mark(document("XX did not help. It was YY.", "R")).relations[0].attributes == {}


def test_a_relation_of_concepts_is_denied_where_every_sentence_denies_it() -> None:
    one = document("XX did not inhibit YY. It never did.", "R")
    concepts = replace(one.relations[0], head="C1", tail="C2", level="concept")
    assert is_negated(mark(replace(one, relations=(concepts,))).relations[0])
    text = "XX did not inhibit YY. XX inhibits YY."
    more = tuple(
        Mention(f"M{at}", at, at + 2, "Chemical", text[at : at + 2], (concept,))
        for at, concept in ((23, "C1"), (35, "C2"))
    )
    two = document(text, "R")
    both = replace(two, mentions=(*two.mentions, *more), relations=(concepts,)).check()
    assert not is_negated(mark(both).relations[0])


def test_a_type_that_denies_is_negated() -> None:
    assert is_negated(Relation("R1", "NOT", "T1", "T2")) and not is_negated(Relation("R1", "INHIBITOR", "T1", "T2"))


@pytest.mark.parametrize(("to", "name"), [("jsonl", "o.jsonl"), ("bioc", "o.xml"), ("bioc", "o.json"), ("brat", "o"), ("parquet", "o.parquet")])  # fmt: skip
def test_cues_survive_in_the_formats_that_hold_them(to: str, name: str, tmp_path: Path) -> None:
    marked = mark(document("XX may not inhibit YY.", "INHIBITOR"))
    formats.write([marked], tmp_path / name, to)
    assert next(iter(formats.read(tmp_path / name))).relations == marked.relations
    if to == "brat":
        assert "\tnegation R1 may not\n" in (tmp_path / name / "1.ann").read_text(encoding="utf-8")


def test_the_table_shows_cues(tmp_path: Path) -> None:
    display.write([mark(document("XX may not inhibit YY.", "INHIBITOR"))], tmp_path / "shown")
    assert "denied: may not, unsure: may" in " ".join((tmp_path / "shown").read_text(encoding="utf-8").split())


def test_extract_leaves_out_what_is_denied_and_counts_it(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "Aspirin had no effect on kinase in 12 rats; GSK-3β kinase caused bleeding; Erythromycin (10 mg/kg) had no effect on bleeding."
    command = ["extract", "--model", str(tiny_model), "--to", "jsonl", "--quiet", text]
    read = {}
    for option in ([], ["--keep-negated"]):
        assert main([*command, *option]) == 0
        out, err = capsys.readouterr()
        read[bool(option)] = json.loads(out)["relations"], err
    kept, everything = read[False][0], read[True][0]
    denied = [one for one in everything if "negation" in one.get("attributes", {})]
    assert denied and kept and kept == [one for one in everything if one not in denied]
    assert all(text[slice(*one["attributes"]["negation_span"])] == one["attributes"]["negation"] for one in denied)
    assert f"left out {len(denied)} relation" in read[False][1] and "--keep-negated" in read[False][1]
    assert "left out" not in read[True][1]


def test_the_lexicon_has_a_version() -> None:
    assert negation.load().version == "1"

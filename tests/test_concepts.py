"""Concepts: which mentions are one thing."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from relatome import concepts
from relatome.documents import Document, Mention


def document(text: str, *names: str, kind: str = "Chemical", ids: tuple[str, ...] = ()) -> Document:
    """Every occurrence of the names as a mention; ``ids`` by name."""
    found: list[Mention] = []
    for number, name in enumerate(names):
        for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text):
            linked = (ids[number],) if ids else ()
            found.append(Mention(f"T{len(found)}", *match.span(), kind, name, linked))
    return Document("1", text, mentions=tuple(found)).check()


def groups(one: Document) -> list[list[str]]:
    return [[mention.text for mention in concept.mentions] for concept in concepts.of(one)]


def test_ids_decide_where_there_are_some() -> None:
    one = document("Aspirin, ASA and aspirin; foo.", "Aspirin", "ASA", "aspirin", "foo", ids=("D1", "D1", "D2", "-1"))
    assert [(concept.id, [m.text for m in concept.mentions]) for concept in concepts.of(one)] == [
        ("D1", ["Aspirin", "ASA"]),
        ("D2", ["aspirin"]),
    ]


def test_a_composite_is_a_mention_of_each_of_its_concepts() -> None:
    text = "breast and ovarian cancer"
    one = Document("1", text, mentions=(Mention("T1", 0, 25, "Disease", text, ("D1", "D2", "D1")),))
    assert [(concept.id, len(concept.mentions)) for concept in concepts.of(one)] == [("D1", 1), ("D2", 1)]


def test_names_written_alike_are_one_thing_of_one_type() -> None:
    one = document("COX-2, cox 2 and COX2; two rashes, one rash.", "COX-2", "cox 2", "COX2", "rashes", "rash")
    assert groups(one) == [["COX-2", "cox 2", "COX2"], ["rashes"], ["rash"]]
    other = Mention("X", 0, 5, "Gene", "COX-2")
    both = Document("1", one.text, mentions=(*one.mentions, other))
    assert [concept.type for concept in concepts.of(both)].count("Gene") == 1


def test_an_abbreviation_is_its_long_form() -> None:
    text = "Valproic acid (VPA) was given. VPA and lithium (Li) differ; valproic acid is old."
    assert groups(document(text, "Valproic acid", "VPA", "lithium", "Li", "valproic acid")) == [
        ["Valproic acid", "VPA", "VPA", "valproic acid"],
        ["lithium", "Li"],
    ]


def test_a_long_form_marked_without_its_first_word_is_found() -> None:
    text = "Acute renal failure (ARF) was seen; ARF passed."
    assert groups(document(text, "renal failure", "ARF")) == [["renal failure", "ARF", "ARF"]]


def test_what_stands_in_brackets_is_no_abbreviation_by_that() -> None:
    for text in ("Mice (n = 3) died.", "Doses (10 mg) fell.", "Aspirin (see below) helps.", "rats (RATS) ran"):
        assert concepts.abbreviations(text) == [], text


@given(st.text(alphabet="aAbB (),-α😀12", max_size=60))
def test_abbreviations_stand_in_the_text(text: str) -> None:
    for short, long in concepts.abbreviations(text):
        assert 0 <= short.start < short.end <= len(text) and 0 <= long.start < long.end <= len(text)
        assert text[long.start : long.end].strip() and (short.end <= long.start or long.end <= short.start)

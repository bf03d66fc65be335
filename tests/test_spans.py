"""Tags and spans: round trips through every scheme, and the same entities as seqeval finds."""

from __future__ import annotations

import warnings
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome import spans
from relatome.documents import Mention, Span
from relatome.errors import InputError, OffsetError, UnknownNameError

SCHEMES = get_args(spans.Scheme)
TYPES = ("Gene", "Chemical", "Cell-line")


@st.composite
def entities(draw: st.DrawFn) -> tuple[list[spans.TokenSpan], int]:
    """Entities that do not overlap, often side by side and of one type, and a sentence long enough."""
    found: list[spans.TokenSpan] = []
    at = 0
    for gap, length, kind in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(TYPES)), max_size=6)
    ):
        found.append((at + gap, at + gap + length, kind))
        at += gap + length
    return found, at + draw(st.integers(0, 2))


def sequences(prefixes: str) -> st.SearchStrategy[list[str]]:
    tag = st.builds(lambda prefix, kind: f"{prefix}-{kind}", st.sampled_from(prefixes), st.sampled_from(TYPES[:2]))
    return st.lists(st.one_of(st.just("O"), tag), min_size=1, max_size=12)


ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda r: Span(r[0], r[0] + r[1])), max_size=25)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(entities())
def test_every_scheme_gives_back_what_it_was_given(
    scheme: spans.Scheme, drawn: tuple[list[spans.TokenSpan], int]
) -> None:
    found, length = drawn
    tags = spans.spans_to_tags(reversed(found), length, scheme)
    assert len(tags) == length
    assert spans.tags_to_spans(tags, scheme) == found
    assert spans.tags_to_spans(tags, "conll") == found


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOBES"])
@given(entities())
def test_the_scheme_written_is_the_scheme_recognised(
    scheme: spans.Scheme, drawn: tuple[list[spans.TokenSpan], int]
) -> None:
    found, length = drawn
    if found:
        # A sentence that shows all the scheme has to show: a long and a short entity, apart.
        shown = spans.spans_to_tags([(0, 3, "Gene"), (4, 5, "Gene")], 6, scheme)
        assert spans.scheme_of([shown, spans.spans_to_tags(found, length, scheme)]) == scheme


@given(sequences("BIES"))
def test_default_reading_is_seqevals(tags: list[str]) -> None:
    get_entities = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [(first, last + 1, kind) for kind, first, last in get_entities(tags)]
    assert spans.tags_to_spans(tags) == expected


@pytest.mark.parametrize(("scheme", "prefixes"), [("IOB2", "BI"), ("strict", "BI"), ("IOBES", "BIES")])
@given(data=st.data())
def test_strict_reading_is_seqevals(scheme: spans.Scheme, prefixes: str, data: st.DataObject) -> None:
    module = pytest.importorskip("seqeval.scheme")
    tags = data.draw(sequences(prefixes))
    tokens: Any = module.Tokens(tags, module.IOBES if scheme == "IOBES" else module.IOB2)
    assert spans.tags_to_spans(tags, scheme) == [(entity.start, entity.end, entity.tag) for entity in tokens.entities]


@pytest.mark.parametrize(
    ("tags", "conll", "strict"),
    [
        ([], [], []),
        (["I-A"], [(0, 1, "A")], []),
        (["B-A", "I-B"], [(0, 1, "A"), (1, 2, "B")], [(0, 1, "A")]),
        (["B-A", "B-A", "I-A"], [(0, 1, "A"), (1, 3, "A")], [(0, 1, "A"), (1, 3, "A")]),
        (["I-A", "O", "B-A"], [(0, 1, "A"), (2, 3, "A")], [(2, 3, "A")]),
    ],
)
def test_what_the_two_readings_make_of_broken_tags(
    tags: list[str], conll: list[spans.TokenSpan], strict: list[spans.TokenSpan]
) -> None:
    assert spans.tags_to_spans(tags) == conll
    assert spans.tags_to_spans(tags, "strict") == strict


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("tag", ["B", "I", "B-", "I-"])
def test_bare_tags_are_named(scheme: spans.Scheme, tag: str) -> None:
    with pytest.raises(InputError) as caught:
        spans.tags_to_spans(["O", tag], scheme)
    assert str(caught.value) == (
        f"the tag {tag!r} of token 1 (counted from 0) has no entity type "
        f"(write {tag[0]}-TYPE; where the corpus has one type only, let its reader add it)"
    )


@pytest.mark.parametrize("tag", ["", "X", "o", "X-Gene", "BI-Gene", "-Gene", "U-Gene", "[CLS]"])
def test_unknown_tags_are_named_with_what_is_allowed(tag: str) -> None:
    with pytest.raises(InputError) as caught:
        spans.tags_to_spans([tag])
    assert str(caught.value) == (
        f"the tag {tag!r} of token 0 (counted from 0) is not one of conll's: O, B-TYPE, I-TYPE, E-TYPE, S-TYPE"
    )


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "strict"])
def test_a_prefix_of_another_scheme_is_refused(scheme: spans.Scheme) -> None:
    with pytest.raises(InputError) as caught:
        spans.tags_to_spans(["B-Gene", "E-Gene"], scheme)
    assert str(caught.value).endswith(
        f"'E-Gene' of token 1 (counted from 0) is not one of {scheme}'s: O, B-TYPE, I-TYPE"
    )


def test_an_unknown_scheme_offers_the_close_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown tag scheme 'IOBE': did you mean 'IOBES'"):
        spans.tags_to_spans(["O"], "IOBE")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown tag scheme 'bio'"):
        spans.spans_to_tags([], 1, "bio")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([(0, 9, "Gene")], "the Gene span 0..9 does not fit a sentence of 4 tokens"),
        ([(-1, 1, "Gene")], "the Gene span -1..1 does not fit a sentence of 4 tokens"),
        ([(2, 2, "")], "the untyped span 2..2 does not fit a sentence of 4 tokens"),
        (
            [(0, 2, "Gene"), (1, 3, "Chemical")],
            "the Chemical span 1..3 overlaps the Gene span before it, which ends at 2 "
            "(tags cannot say overlapping entities; choose with longest_first)",
        ),
    ],
)
def test_spans_that_tags_cannot_say(bad: list[spans.TokenSpan], message: str) -> None:
    with pytest.raises(OffsetError) as caught:
        spans.spans_to_tags(bad, 4)
    assert str(caught.value) == message


def test_a_span_without_a_type() -> None:
    with pytest.raises(InputError) as caught:
        spans.spans_to_tags([(0, 1, "")], 4)
    assert str(caught.value) == "the span 0..1 has no entity type (tags are written PREFIX-TYPE)"


@pytest.mark.parametrize(
    ("sequence", "scheme"),
    [
        ([], "IOB2"),
        ([["O", "O"]], "IOB2"),
        ([["B-A", "I-A"], ["O", "B-A", "B-A"]], "IOB2"),
        ([["I-A", "B-A"]], "IOB1"),
        ([["I-A", "I-B"]], "IOB1"),
        ([["B-A", "I-B"]], "conll"),
        ([["O", "S-A"]], "IOBES"),
        ([["B-A", "E-A"]], "IOBES"),
        ([["B-A"], ["I-A"]], "conll"),
    ],
)
def test_schemes_recognised(sequence: list[list[str]], scheme: str) -> None:
    assert spans.scheme_of(sequence) == scheme


@given(ranges, ranges)
def test_overlap_and_contains_are_those_of_sets(left: list[Span], right: list[Span]) -> None:
    for a, b in zip(left, right, strict=False):
        shared = set(range(*a)) & set(range(*b))
        assert spans.overlap(a, b) == spans.overlap(b, a) == len(shared)
        if b.start < b.end:
            assert spans.contains(a, b) == (set(range(*b)) <= set(range(*a)))


@given(ranges, st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), max_size=15))
def test_alignment_is_what_looking_at_every_token_says(asked: list[Span], steps: list[tuple[int, int]]) -> None:
    tokens: list[Span] = []
    at = 0
    for gap, length in steps:
        tokens.append(Span(at + gap, at + gap + length))
        at += gap + length
    alignment = spans.align(asked, tokens)
    for span, found, exact in zip(asked, alignment.ranges, alignment.exact, strict=True):
        touched = [index for index, token in enumerate(tokens) if spans.overlap(span, token)]
        assert found == ((touched[0], touched[-1] + 1) if touched else None)
        assert exact == (
            bool(touched) and tokens[touched[0]].start == span.start and tokens[touched[-1]].end == span.end
        )
    assert alignment.inexact == sum(not exact for exact in alignment.exact)


def test_alignment_wants_tokens_in_order() -> None:
    with pytest.raises(OffsetError, match="token 1 starts at 2, before the end of the one before it at 4"):
        spans.align([], [Span(0, 4), Span(2, 6)])


@given(ranges)
def test_longest_first_is_the_plain_greedy_choice(given_ranges: list[Span]) -> None:
    chosen: list[Span] = []
    for span in sorted(given_ranges, key=lambda s: (s.start - s.end, s.start)):
        if span.start < span.end and not any(spans.overlap(span, other) for other in chosen):
            chosen.append(span)
    assert spans.longest_first(given_ranges) == sorted(chosen)


def test_longest_first_takes_mentions_and_keeps_the_first_of_equals() -> None:
    text = "growth hormone receptor"
    first = Mention("T1", 0, 14, "Gene", text[:14])
    twin = Mention("T2", 0, 14, "Chemical", text[:14])
    whole = Mention("T3", 0, 23, "Gene", text)
    assert spans.longest_first([first, twin]) == [first]
    assert spans.longest_first([first, twin, whole]) == [whole]

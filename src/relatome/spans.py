"""Tags to spans and back, and what two ranges have to do with each other: pure functions, nothing kept.

Tags are read by the rules of ``conlleval`` (https://www.cnts.ua.ac.be/conll2000/chunking/conlleval.txt), which are
also seqeval's default (``seqeval.metrics.sequence_labeling.get_entities``; for ``E`` and ``S``, seqeval's are kept), or
strictly, as seqeval's ``mode="strict"`` (``seqeval.scheme``). The two give different scores on the same predictions: after ``O`` a lone ``I-Disease`` is an
entity by conlleval's rules and none by the strict ones, so every score names the scheme it read by.

A span over tokens is ``(first, last + 1, type)``. A range over characters is anything with ``start`` and ``end``, such
as a ``Span``, ``Mention`` or ``Passage``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from relatome.errors import InputError, OffsetError
from relatome.lookup import pick

Scheme = Literal["conll", "IOB1", "IOB2", "IOBES", "strict"]
TokenSpan = tuple[int, int, str]


class Ranged(Protocol):
    """Anything with a half-open range."""

    @property
    def start(self) -> int:
        """The first position."""

    @property
    def end(self) -> int:
        """The position after the last."""


R = TypeVar("R", bound=Ranged)


@dataclass(frozen=True, slots=True)
class Alignment:
    """Character ranges in terms of tokens.

    Parameters
    ----------
    ranges
        For each range given, the half-open range of token indices that touch it; ``None`` where no token does.
    exact
        For each, whether it begins and ends where tokens do, that is, whether tags can say it.
    """

    ranges: tuple[tuple[int, int] | None, ...]
    exact: tuple[bool, ...]

    @property
    def inexact(self) -> int:
        """How many of the ranges tags cannot say: to be reported, never dropped in silence."""
        return self.exact.count(False)


def tags_to_spans(tags: Sequence[str], scheme: Scheme = "conll") -> list[TokenSpan]:
    """The entities that one sentence's tags say.

    Parameters
    ----------
    tags
        ``O``, or a prefix, a hyphen and a type: ``B-Chemical``.
    scheme
        ``"conll"``: conlleval's rules, which make the best of any mixture of ``B I E S``. ``"IOB1"``: the same rules,
        but only ``B`` and ``I`` are allowed. ``"IOB2"``, ``"IOBES"``: strict, what breaks the scheme is no entity.
        ``"strict"`` is strict ``"IOB2"``.

    Returns
    -------
    list of (int, int, str)
        First token, token after the last, type; in order.

    Raises
    ------
    InputError
        A tag is not of that form, or its prefix is not one of the scheme. A bare ``B`` or ``I`` is one: scorers
        silently call its type ``_`` or drop it.

    Examples
    --------
    >>> tags_to_spans(["B-Drug", "I-Drug", "O", "I-Gene"])
    [(0, 2, 'Drug'), (3, 4, 'Gene')]
    >>> tags_to_spans(["B-Drug", "I-Drug", "O", "I-Gene"], "strict")
    [(0, 2, 'Drug')]
    """
    prefixes, reader, _ = pick(scheme, _SCHEMES, "tag scheme")
    return list(reader(_parse(tags, prefixes, scheme)))


def spans_to_tags(spans: Iterable[TokenSpan], length: int, scheme: Scheme = "IOB2") -> list[str]:
    """One sentence's tags for its entities: the inverse of ``tags_to_spans``.

    Parameters
    ----------
    spans
        ``(first token, token after the last, type)``, in any order.
    length
        How many tokens the sentence has.
    scheme
        ``"conll"`` and ``"strict"`` write ``"IOB2"``.

    Raises
    ------
    OffsetError
        A span leaves the sentence or is empty, or two overlap: tags cannot say that. ``longest_first`` chooses.
    InputError
        A span has no type.

    Examples
    --------
    >>> spans_to_tags([(0, 2, "Drug"), (2, 3, "Drug")], 4, "IOB1")
    ['I-Drug', 'I-Drug', 'B-Drug', 'O']
    """
    _, _, prefixes_of = pick(scheme, _SCHEMES, "tag scheme")
    tags = ["O"] * length
    end_before, type_before = 0, ""
    for first, last, kind in sorted(spans):
        if not 0 <= first < last <= length:
            raise OffsetError(
                f"the {kind or 'untyped'} span {first}..{last} does not fit a sentence of {length} tokens"
            )
        if not kind:
            raise InputError(f"the span {first}..{last} has no entity type", advice="tags are written PREFIX-TYPE")
        if first < end_before:
            raise OffsetError(
                f"the {kind} span {first}..{last} overlaps the {type_before} span before it, which ends at {end_before}",
                advice="tags cannot say overlapping entities; choose with longest_first",
            )
        follows = first == end_before and kind == type_before
        tags[first:last] = [f"{prefix}-{kind}" for prefix in prefixes_of(last - first, follows)]
        end_before, type_before = last, kind
    return tags


def scheme_of(sequences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme that the tags of a corpus follow.

    Parameters
    ----------
    sequences
        The tags of its sentences; the more, the surer.

    Returns
    -------
    str
        ``"IOBES"`` where there is an ``E`` or ``S``; ``"IOB1"`` where entities begin with ``I``; ``"IOB2"`` where they
        begin with ``B``, or there are none; ``"conll"`` where some begin with ``B`` without need and some with
        ``I``, as a tagger's raw output does: no scheme allows that, conlleval's rules read it.

    Examples
    --------
    >>> scheme_of([["O", "I-Gene", "B-Gene", "O"]])
    'IOB1'
    """
    begins_inside = begins_with_b = False
    for tags in sequences:
        prefix_before, type_before = "O", ""
        for prefix, kind in _parse(tags, "OBIES", "conll"):
            if prefix in "ES":
                return "IOBES"
            touches = prefix_before != "O" and kind == type_before
            begins_inside = begins_inside or (prefix == "I" and not touches)
            begins_with_b = begins_with_b or (prefix == "B" and not touches)
            prefix_before, type_before = prefix, kind
    if begins_inside:
        return "conll" if begins_with_b else "IOB1"
    return "IOB2"


def overlap(a: Ranged, b: Ranged) -> int:
    """How many positions two ranges share; 0 where they only touch.

    Examples
    --------
    >>> from relatome.documents import Span
    >>> overlap(Span(0, 5), Span(3, 9)), overlap(Span(0, 5), Span(5, 9))
    (2, 0)
    """
    return max(0, min(a.end, b.end) - max(a.start, b.start))


def contains(outer: Ranged, inner: Ranged) -> bool:
    """Whether ``inner`` lies wholly in ``outer``; a range contains itself.

    Examples
    --------
    >>> from relatome.documents import Span
    >>> contains(Span(0, 5), Span(3, 5)), contains(Span(0, 5), Span(3, 6))
    (True, False)
    """
    return outer.start <= inner.start and inner.end <= outer.end


def align(spans: Iterable[Ranged], tokens: Sequence[Ranged]) -> Alignment:
    """Character ranges as ranges of token indices.

    Parameters
    ----------
    spans
        In any order, overlapping or not.
    tokens
        In the order of the text, not overlapping.

    Returns
    -------
    Alignment
        Of each span, the tokens that share a character with it, and whether they are exactly the span.

    Raises
    ------
    OffsetError
        The tokens are out of order or overlap.

    Examples
    --------
    >>> from relatome.documents import Span
    >>> align([Span(0, 4), Span(5, 12)], [Span(0, 4), Span(5, 13)])
    Alignment(ranges=((0, 1), (1, 2)), exact=(True, False))
    """
    starts = [token.start for token in tokens]
    ends = [token.end for token in tokens]
    for index in range(1, len(starts)):
        if starts[index] < ends[index - 1]:
            raise OffsetError(
                f"token {index} starts at {starts[index]}, before the end of the one before it at {ends[index - 1]}"
            )
    ranges: list[tuple[int, int] | None] = []
    exact: list[bool] = []
    for span in spans:
        first, last = bisect_right(ends, span.start), bisect_left(starts, span.end)
        ranges.append((first, last) if first < last and span.start < span.end else None)
        exact.append(ranges[-1] is not None and starts[first] == span.start and ends[last - 1] == span.end)
    return Alignment(tuple(ranges), tuple(exact))


def longest_first(spans: Iterable[R]) -> list[R]:
    """A choice of ranges that do not overlap: the longest, then the longest that leaves it alone, and so on.

    Of equally long ones the one that starts earlier wins, of equal ones the one given first. Empty ranges are dropped.

    Examples
    --------
    >>> from relatome.documents import Span
    >>> longest_first([Span(0, 4), Span(2, 9), Span(9, 12)])
    [Span(start=2, end=9), Span(start=9, end=12)]
    """
    starts: list[int] = []
    chosen: list[R] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start)):
        place = bisect_left(starts, span.end)
        if span.start < span.end and (place == 0 or chosen[place - 1].end <= span.start):
            starts.insert(place, span.start)
            chosen.insert(place, span)
    return chosen


def _parse(tags: Sequence[str], prefixes: str, scheme: str) -> Iterator[tuple[str, str]]:
    for index, tag in enumerate(tags):
        if tag == "O":
            yield "O", ""
            continue
        prefix, hyphen, kind = tag.partition("-")
        if prefix in ("B", "I", "E", "S") and not kind:
            raise InputError(
                f"the tag {tag!r} of token {index} (counted from 0) has no entity type",
                advice=f"write {prefix}-TYPE; where the corpus has one type only, let its reader add it",
            )
        if len(prefix) != 1 or prefix not in prefixes[1:] or not hyphen:
            expected = ", ".join(["O", *(f"{letter}-TYPE" for letter in prefixes[1:])])
            raise InputError(f"the tag {tag!r} of token {index} (counted from 0) is not one of {scheme}'s: {expected}")
        yield prefix, kind


def _read_conll(tags: Iterator[tuple[str, str]]) -> Iterator[TokenSpan]:
    first, prefix_before, type_before, index = 0, "O", "", -1
    for index, (prefix, kind) in enumerate(tags):
        if prefix in "IE" and prefix_before in "BI" and kind == type_before:
            prefix_before = prefix
            continue
        if prefix_before != "O":
            yield first, index, type_before
        first, prefix_before, type_before = index, prefix, kind
    if prefix_before != "O":
        yield first, index + 1, type_before


def _read_iob2(tags: Iterator[tuple[str, str]]) -> Iterator[TokenSpan]:
    first, type_open, index = 0, "", -1
    for index, (prefix, kind) in enumerate(tags):
        if prefix == "I" and kind == type_open:
            continue
        if type_open:
            yield first, index, type_open
        first, type_open = index, kind if prefix == "B" else ""
    if type_open:
        yield first, index + 1, type_open


def _read_iobes(tags: Iterator[tuple[str, str]]) -> Iterator[TokenSpan]:
    first, type_open = 0, ""
    for index, (prefix, kind) in enumerate(tags):
        if prefix == "I" and kind == type_open:
            continue
        if prefix == "E" and kind == type_open:
            yield first, index + 1, kind
        elif prefix == "S":
            yield index, index + 1, kind
        first, type_open = index, kind if prefix == "B" else ""


def _write_iob1(tokens: int, follows: bool) -> str:
    return ("B" if follows else "I") + "I" * (tokens - 1)


def _write_iob2(tokens: int, follows: bool) -> str:
    return "B" + "I" * (tokens - 1)


def _write_iobes(tokens: int, follows: bool) -> str:
    return "S" if tokens == 1 else "B" + "I" * (tokens - 2) + "E"


_Reader = Callable[[Iterator[tuple[str, str]]], Iterator[TokenSpan]]
_Writer = Callable[[int, bool], str]

_SCHEMES: Mapping[str, tuple[str, _Reader, _Writer]] = {
    "conll": ("OBIES", _read_conll, _write_iob2),
    "IOB1": ("OBI", _read_conll, _write_iob1),
    "IOB2": ("OBI", _read_iob2, _write_iob2),
    "IOBES": ("OBIES", _read_iobes, _write_iobes),
    "strict": ("OBI", _read_iob2, _write_iob2),
}
"""Of each scheme: the prefixes it allows, how it is read, how it is written."""

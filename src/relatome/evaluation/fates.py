"""What became of each gold relation, end to end: the first stage it was lost at (`scoring.budget`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from relatome import sentences
from relatome.documents import Document, Mention, Span
from relatome.evaluation.facts import by_span, place
from relatome.extract import MOST_PAIRS
from relatome.predictors.texts import Predictor
from relatome.scoring import budget
from relatome.scoring.budget import Fate
from relatome.tasks import pairs
from relatome.tasks.example import NEGATIVE, Head, Pair, Sentence


def fates_of(
    document: Document, read: Document, predictor: Predictor, head: Head, names: Mapping[str, str],
    classes: Sequence[str], both_ways: Collection[str],
) -> Iterator[Fate]:  # fmt: skip
    """What became of each gold relation of a document that was read: the first stage it was lost at."""
    found = set(by_span(read, names, classes, both_ways))
    every = tuple(names.values()) + head.labels
    answered = {(first, second) for first, second, _ in by_span(read, names, every, both_ways)}
    spans = sentences.of(replace(document, mentions=()))  # as they were read
    whole = sentences.of(document, keep_mentions=True)
    at: dict[tuple[int, int], list[Mention]] = {}
    for mention in read.mentions:
        at.setdefault((mention.start, mention.end), []).append(mention)
    reading = read.meta["relatome"]
    for first, second, kind in sorted(set(by_span(document, names, classes, both_ways))):
        places = [_around(spans, *one) for one in (first, second)]
        fitting = [
            (one, other) for one in at.get(first, ()) for other in at.get(second, ())
            if _may_hold(head, names, kind, one, other)
        ]  # fmt: skip
        if (first, second, kind) in found:
            cause = budget.FOUND
        elif None in places:
            cause = budget.SENTENCE
        elif first not in at or second not in at:
            cause = budget.ENTITY
        elif (apart := _apart(spans, places)) > head.options.sentences:
            together = _around(whole, *first) == _around(whole, *second)
            cause = budget.SENTENCE if together else budget.ACROSS
        elif not fitting:
            cause = budget.TYPES
        elif apart:  # read in a text of their own
            cause = budget.OTHER if (first, second) in answered else budget.NEGATIVE
        else:
            assert places[0] is not None
            kept, asked = _kept_and_asked(read, places[0], fitting, head)
            if reading["crowded"] and not kept:
                cause = budget.CROWD
            elif reading["dropped"] and all(one.dropped for one in predictor.predict({head.name: asked})[head.name]):
                cause = budget.WINDOW
            else:
                cause = budget.OTHER if (first, second) in answered else budget.NEGATIVE
        yield Fate(place(document.id, first, second), document.id, cause)


def _kept_and_asked(
    read: Document, place: Span, fitting: Sequence[tuple[Mention, Mention]], head: Head
) -> tuple[list[Pair], list[Pair]]:
    """Of these pairs of mentions of a sentence, those that a crowded sentence leaves; and all of them."""
    sentence = Sentence(f"{read.id}#", read.id, read.text[place.start : place.end], place.start)
    wanted = {(one.id, other.id) for one, other in fitting}
    everything = list(pairs.of_sentence(sentence, read.mentions, head))
    left, _ = pairs.nearest(everything, MOST_PAIRS)
    kept, asked = ([one for one in some if (one.head.id, one.tail.id) in wanted] for some in (left, everything))
    return kept, asked


def _may_hold(head: Head, names: Mapping[str, str], kind: str, first: Mention, second: Mention) -> bool:
    """Whether the pair is a candidate, and some label of the class is allowed it."""
    may = pairs.legal(head, first.type, second.type)
    return first.span != second.span and any(
        fits and label != NEGATIVE and names.get(label, label) == kind
        for label, fits in zip(head.labels, may, strict=True)
    )


def _apart(spans: Sequence[Span], places: Sequence[Span | None]) -> int:
    """How many sentences from the one to the other."""
    first, second = (spans.index(place) for place in places if place is not None)
    return abs(first - second)


def _around(spans: Sequence[Span], start: int, end: int) -> Span | None:
    """The sentence that holds a range whole."""
    return next((one for one in spans if one.start <= start and end <= one.end), None)

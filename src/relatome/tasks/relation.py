"""Relation extraction: an ordered pair of mentions of one sentence in, a typed relation or none out.

Two heads read the same pairs:

``packed``
    Every pair of a window in one pass: the text once, then each pair's ``[E1] [/E1] [E2] [/E2]``, which share the
    positions of the mentions they mark, see the text and each other, and are seen by no one else (the approximation
    of PURE, Zhong & Chen 2021, section 3.4, with all subjects in one pass). The text is read as if no pair was there,
    so its states serve the entity and sentence heads of the same pass.
``marker``
    One pair a pass, the four markers set into the text around its mentions, by offset. This is what plain
    ``AutoModelForSequenceClassification`` checkpoints read: as four pieces where their vocabulary has the markers,
    else spelled, as their tokenizer reads any text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from relatome.documents import Document, Relation, Span
from relatome.tasks.example import NEGATIVE, Argument, Encoded, Example, Head, Logits, Pair, Prediction, Sentence
from relatome.tasks.example import softmax as _softmax
from relatome.tasks.pairs import Facts, candidates, legal
from relatome.wordpieces import Window

HEADS = ("packed", "marker")
SCORER = "relations"
PAIRS_PER_ROW = 32  # 128 marker pieces: a list of forty drugs must not make a row of 6,000 pieces

Targets = np.ndarray[Any, np.dtype[np.int64]]


def inputs(document: Document, head: Head) -> Iterator[Pair]:
    """The document's candidate pairs."""
    return candidates(document, head)


def examples(document: Document, head: Head) -> Iterator[Example[Pair, str]]:
    """The candidate pairs with their gold label; where the corpus gives a pair two, the first."""
    facts = Facts.of(document, head)
    for pair in candidates(document, head):
        labels = facts.labels(pair.head.id, pair.tail.id)
        yield Example(pair, labels[0] if labels else NEGATIVE)


def encode(
    windows: Sequence[Sequence[Window]], batch: Sequence[Pair], head: Head, markers: Sequence[int] = ()
) -> Iterator[Encoded]:
    """The windows the pairs are read in; ``windows[i]`` are those of ``batch[i]``'s sentence.

    Parameters
    ----------
    markers
        ``marker`` only: the pieces of ``[E1] [/E1] [E2] [/E2]``; none if the windows are those of `spelled` pairs.
    """
    if head.kind == "marker":
        for index, pair in enumerate(batch):
            placed = _place(windows[index], pair if markers else spelled(pair))
            if placed is None:
                yield Encoded(windows[index][0], (index,), dropped=True)
            else:
                yield Encoded(_marked(placed[0], placed[1], markers) if markers else placed[0], (index,))
        return
    rows: dict[int, tuple[Window, list[int], list[tuple[int, int, int, int]]]] = {}
    for index, pair in enumerate(batch):
        placed = _place(windows[index], pair)
        if placed is None:
            yield Encoded(windows[index][0], (index,), np.zeros((0, 4), np.int32), dropped=True)
            continue
        window, at = placed
        row = rows.setdefault(id(window), (window, [], []))
        row[1].append(index)
        row[2].append(at)
    for window, numbers, places in rows.values():
        for begin in range(0, len(numbers), PAIRS_PER_ROW):
            part = slice(begin, begin + PAIRS_PER_ROW)
            yield Encoded(window, tuple(numbers[part]), np.asarray(places[part], dtype=np.int32))


def targets(encoded: Encoded, golds: Sequence[str], head: Head) -> Targets:
    """``(P,)`` the label of each pair of a row."""
    return np.asarray([head.labels.index(golds[index]) for index in encoded.inputs], dtype=np.int64)


def legal_labels(encoded: Encoded, batch: Sequence[Pair], head: Head) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """``(P, C)`` which labels each pair's types allow."""
    return np.asarray([legal(head, batch[i].head.type, batch[i].tail.type) for i in encoded.inputs], dtype=bool)


def decode(batch: Sequence[Pair], encoded: Sequence[Encoded], logits: Sequence[Logits], head: Head) -> list[Prediction]:
    """One prediction for each pair; ``logits[k]`` is ``(P, C)`` for ``encoded[k]``, or ``(C,)`` for its only pair.

    Labels the pair's types do not allow have no probability. Where labels have a coarser group, the likeliest group
    is chosen first (the probabilities of its labels added up), then its likeliest label.
    """
    found: dict[int, Prediction] = {}
    names = [head.groups.get(label, label) for label in head.labels]
    groups = list(dict.fromkeys(names))
    member = np.asarray([[name == group for group in groups] for name in names], dtype=np.float32)
    for item, scores in zip(encoded, logits, strict=True):
        if item.dropped:
            index = item.inputs[0]
            found[index] = Prediction(batch[index].id, NEGATIVE, {NEGATIVE: 1.0}, item.window.count, dropped=True)
            continue
        scores = scores.reshape(
            len(item.inputs), len(head.labels)
        )  # `marker` gives its one pair without an axis for it
        mask = legal_labels(item, batch, head) if head.arguments else np.ones(scores.shape, bool)
        probabilities = _softmax(np.where(mask, scores, -1e9).astype(np.float32))
        best_groups = (probabilities @ member).argmax(axis=1)
        in_best = member.T[best_groups] > 0
        best = np.where(in_best, probabilities, -1.0).argmax(axis=1)
        for row, index in enumerate(item.inputs):
            sure = {
                label: round(float(p), 4)
                for label, p, fits in zip(head.labels, probabilities[row], mask[row], strict=True)
                if fits
            }
            found[index] = Prediction(batch[index].id, head.labels[best[row]], sure, item.window.count)
    return [found[index] for index in range(len(batch))]


def attach(document: Document, batch: Iterable[Pair], predictions: Iterable[Prediction], source: str = "") -> Document:
    """The document with the relations found (in place of those it had), each with its sentence as evidence."""
    relations: list[Relation] = []
    for pair, prediction in zip(batch, predictions, strict=True):
        if prediction.value != NEGATIVE:
            label = str(prediction.value)
            sentence = Span(pair.sentence.start, pair.sentence.start + len(pair.sentence.text))
            relations.append(
                Relation(
                    f"R{len(relations) + 1}", label, pair.head.id, pair.tail.id,
                    evidence=(sentence,), probability=prediction.probabilities[label], source=source,
                )
            )  # fmt: skip
    return replace(document, relations=tuple(relations))


def _place(windows: Sequence[Window], pair: Pair) -> tuple[Window, tuple[int, int, int, int]] | None:
    """The window that holds both arguments with the most context around them, and where they are in it."""
    best: tuple[int, Window, tuple[int, int, int, int]] | None = None
    for window in windows:
        first = window.locate(pair.head.start, pair.head.end)
        second = window.locate(pair.tail.start, pair.tail.end)
        if first and second:
            context = min(min(first[0], second[0]), len(window) - max(first[1], second[1]))
            if best is None or context > best[0]:
                best = (context, window, (*first, *second))
    return None if best is None else best[1:]


def _marked(window: Window, at: tuple[int, int, int, int], markers: Sequence[int]) -> Window:
    """The window with the four markers set in, nested where the mentions are."""
    spots = _spots(at[0], at[1] + 1, at[2], at[3] + 1)
    places = [place for place, _ in spots]
    put_in = [markers[marker] for _, marker in spots]
    return Window(
        ids=np.insert(window.ids, places, put_in),
        starts=np.insert(window.starts, places, -1),
        ends=np.insert(window.ends, places, -1),
        words=np.insert(window.words, places, -1),
        index=window.index,
        count=window.count,
    )


def _spots(start: int, end: int, second_start: int, second_end: int) -> list[tuple[int, int]]:
    """Where each marker (0 to 3) goes, for two half-open ranges, in order.

    At one place closing markers come before opening ones, inner ones close first and outer ones open first.
    """
    first, second = end - start, second_end - second_start
    spots = [(end, 0, first, 1), (second_end, 0, second, 3), (start, 1, -first, 0), (second_start, 1, -second, 2)]
    return [(place, marker) for place, *_, marker in sorted(spots)]


def spelled(pair: Pair) -> Pair:
    """The pair with its markers written into the text, and its arguments' ranges with them.

    Examples
    --------
    >>> pair = spelled(parse_marked("[E2]Aspirin[/E2] inhibits [E1] COX-1 [/E1]."))
    >>> pair.sentence.text
    '[E2]Aspirin[/E2] inhibits  [E1]COX-1[/E1] .'
    >>> pair.sentence.text[pair.head.start : pair.head.end]
    '[E1]COX-1[/E1]'
    """
    names, text = tuple(MARKED), pair.sentence.text
    parts, last = [], 0
    written = 0
    at: dict[int, int] = {}
    for place, marker in _spots(pair.head.start, pair.head.end, pair.tail.start, pair.tail.end):
        parts += [text[last:place], names[marker]]
        written += len(names[marker])
        at[marker] = place + written - (0 if marker % 2 else len(names[marker]))
        last = place
    return replace(
        pair,
        sentence=replace(pair.sentence, text="".join(parts) + text[last:]),
        head=pair.head._replace(start=at[0], end=at[1]),
        tail=pair.tail._replace(start=at[2], end=at[3]),
    )


MARKED = {"[E1]": (0, "open"), "[/E1]": (0, "close"), "[E2]": (1, "open"), "[/E2]": (1, "close")}


def parse_marked(text: str, identifier: str = "1", types: tuple[str, str] = ("", "")) -> Pair:
    """The pair that a text with ``[E1]…[/E1] … [E2]…[/E2]`` marks; the markers are taken out and offsets follow.

    Raises
    ------
    MarkerError
        A marker is missing, doubled, crossed, or marks nothing.

    Examples
    --------
    >>> pair = parse_marked("[E1]Aspirin[/E1] inhibits [E2] COX-1 [/E2].")
    >>> pair.sentence.text, pair.tail[1:3]
    ('Aspirin inhibits  COX-1 .', (18, 23))
    """
    import re

    from relatome.errors import MarkerError

    plain, places, last = "", defaultdict[str, list[int]](list), 0
    for match in re.finditer(r"\[/?E[12]\]", text):
        plain += text[last : match.start()]
        places[match.group()].append(len(plain))
        last = match.end()
    plain += text[last:]
    for marker in MARKED:
        count = len(places[marker])
        if count != 1:
            what = "is missing" if count == 0 else f"stands {count} times"
            raise MarkerError(f"the marker {marker} {what}", advice="write [E1]head[/E1] … [E2]tail[/E2], each once")
    arguments = []
    for number, type_ in zip("12", types, strict=True):
        start, end = places[f"[E{number}]"][0], places[f"[/E{number}]"][0]
        if end < start:
            raise MarkerError(f"[/E{number}] stands before [E{number}]", advice="close a marker after it is opened")
        while start < end and plain[start].isspace():
            start += 1
        while start < end and plain[end - 1].isspace():
            end -= 1
        if start == end:
            raise MarkerError(f"[E{number}]…[/E{number}] marks nothing", advice="put the mention between the markers")
        arguments.append(Argument(f"E{number}", start, end, type_))
    first, second = arguments
    if first.start < second.start < first.end < second.end or second.start < first.start < second.end < first.end:
        raise MarkerError("the markers cross", advice="close one mention before the other begins, or nest them")
    return Pair(identifier, Sentence(identifier, identifier, plain), first, second)

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

A pair that a symmetric label could hold between is read in both orders, whichever of them is asked about: the label's
probability is the mean of the two, and so the same for both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
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
Located = dict[tuple[int, int, int], tuple[int, int] | None]  # by a window's id() and a range of its text
Mask = np.ndarray[Any, np.dtype[np.bool_]]


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
    readings = [(index, pair, 0) for index, pair in enumerate(batch)]
    readings += [(index, mirrored(batch[index]), 1) for index in _unasked(batch, head)]
    located: Located = {}
    if head.kind == "marker":
        for index, pair, mirror in readings:
            placed = _place(windows[index], pair if markers else spelled(pair), located)
            if placed is not None:
                window = _marked(placed[0], placed[1], markers) if markers else placed[0]
                yield Encoded(window, (index,), mirrored=mirror)
            elif not mirror:
                yield Encoded(windows[index][0], (index,), dropped=True)
        return
    rows: dict[int, tuple[Window, list[int], list[tuple[int, int, int, int]], list[int]]] = {}
    for index, pair, mirror in readings:
        placed = _place(windows[index], pair, located)
        if placed is None:
            if not mirror:
                yield Encoded(windows[index][0], (index,), np.zeros((0, 4), np.int32), dropped=True)
            continue
        window, at = placed
        row = rows.setdefault(id(window), (window, [], [], []))
        row[1].append(index)
        row[2].append(at)
        row[3].append(mirror)
    for window, numbers, places, mirrors in rows.values():
        for begin in range(0, len(numbers), PAIRS_PER_ROW):
            part = slice(begin, begin + PAIRS_PER_ROW)
            at_pieces = np.asarray(places[part], dtype=np.int32)
            yield Encoded(window, tuple(numbers[part]), at_pieces, mirrored=sum(mirrors[part]))


def targets(encoded: Encoded, golds: Sequence[str], head: Head) -> Targets:
    """``(P,)`` the label of each pair of a row; in the other order, only a symmetric label is one."""
    found = [golds[index] for index in encoded.inputs]
    for place in range(len(found) - encoded.mirrored, len(found)):
        found[place] = found[place] if found[place] in head.options.symmetric else NEGATIVE
    return np.asarray([head.labels.index(label) for label in found], dtype=np.int64)


def legal_labels(encoded: Encoded, batch: Sequence[Pair], head: Head) -> Mask:
    """``(P, C)`` which labels each pair's types allow; where a pair is read in the other order, the symmetric ones."""
    own = len(encoded.inputs) - encoded.mirrored
    found = _legal([batch[index] for index in encoded.inputs[:own]], head)
    if encoded.mirrored:
        turned = _legal_mirrored([batch[index] for index in encoded.inputs[own:]], head)
        negative = np.asarray([label == NEGATIVE for label in head.labels])
        found = np.concatenate((found, turned & (negative | _symmetric(head))))
    return found


def decode(batch: Sequence[Pair], encoded: Sequence[Encoded], logits: Sequence[Logits], head: Head) -> list[Prediction]:
    """One prediction for each pair; ``logits[k]`` is ``(P, C)`` for ``encoded[k]``, or ``(C,)`` for its only pair.

    Labels the pair's types do not allow have no probability. Where labels have a coarser group, the likeliest group
    is chosen first (the probabilities of its labels added up), then its likeliest label.
    """
    count, classes = len(batch), len(head.labels)
    scores, mirrors = np.zeros((2, count, classes), np.float32)
    windows, dropped = [1] * count, [False] * count
    for item, answer in zip(encoded, logits, strict=True):
        for index in item.inputs:
            windows[index], dropped[index] = item.window.count, item.dropped
        if not item.dropped:  # `marker` gives its one pair without an axis for it
            own, answer = len(item.inputs) - item.mirrored, answer.reshape(len(item.inputs), classes)
            scores[list(item.inputs[:own])] = answer[:own]
            mirrors[list(item.inputs[own:])] = answer[own:]
    mask = _legal(batch, head)
    probabilities = _probabilities(scores, mask)
    if head.options.symmetric:
        probabilities = _averaged(batch, probabilities, mirrors, head)
    best = _likeliest(probabilities, head)
    found = []
    for index, pair in enumerate(batch):
        if dropped[index]:
            found.append(Prediction(pair.id, NEGATIVE, {NEGATIVE: 1.0}, windows[index], dropped=True))
            continue
        sure = {
            label: round(p, 4)
            for label, p, fits in zip(head.labels, probabilities[index].tolist(), mask[index].tolist(), strict=True)
            if fits
        }
        found.append(Prediction(pair.id, head.labels[best[index]], sure, windows[index]))
    return found


def _probabilities(scores: Logits, mask: Mask) -> Logits:
    return _softmax(np.where(mask, scores, np.float32(-1e9)))


def _likeliest(probabilities: Logits, head: Head) -> list[int]:
    """The likeliest label of the likeliest group of each pair."""
    names = [head.groups.get(label, label) for label in head.labels]
    groups = list(dict.fromkeys(names))
    member = np.asarray([[name == group for group in groups] for name in names], dtype=np.float32)
    by_group: Logits = probabilities @ member
    best_groups: Targets = by_group.argmax(axis=1)
    in_best = member.T[best_groups] > 0
    best: list[int] = np.where(in_best, probabilities, -1.0).argmax(axis=1).tolist()
    return best


def _averaged(batch: Sequence[Pair], probabilities: Logits, mirrors: Logits, head: Head) -> Logits:
    """The probabilities with each symmetric label's the mean of both orders; the others share what is left, as before.

    ``mirrors`` are the logits of the pairs whose other order is not in the batch, read in that order.
    """
    places = {_key(pair): index for index, pair in enumerate(batch)}
    other = np.zeros_like(probabilities)
    alone = []
    for index, pair in enumerate(batch):
        mirror = places.get(_key(mirrored(pair)))
        if mirror is None:
            alone.append(index)
        else:
            other[index] = probabilities[mirror]
    if alone:
        other[alone] = _probabilities(mirrors[alone], _legal_mirrored([batch[index] for index in alone], head))
    symmetric = _symmetric(head)
    mean = np.where(symmetric, (probabilities + other) / 2, 0)
    rest = np.where(symmetric, 0, probabilities)
    share = (1 - mean.sum(axis=1)) / np.maximum(rest.sum(axis=1), 1e-9)
    result: Logits = (mean + rest * share[:, None]).astype(np.float32)
    return result


def _unasked(batch: Sequence[Pair], head: Head) -> list[int]:
    """The pairs to be read in the other order for a symmetric label, because that order is no pair of the batch."""
    if not head.options.symmetric:
        return []
    asked = {_key(pair) for pair in batch}
    may: list[bool] = np.any(_legal(batch, head) & _symmetric(head), axis=1).tolist()
    return [index for index, pair in enumerate(batch) if may[index] and _key(mirrored(pair)) not in asked]


def mirrored(pair: Pair) -> Pair:
    """The pair in the other order."""
    return replace(pair, head=pair.tail, tail=pair.head)


def _key(pair: Pair) -> tuple[str, int, int, str, int, int, str]:
    """What a reading of the pair depends on."""
    return pair.sentence.text, *pair.head[1:], *pair.tail[1:]


def _legal(batch: Sequence[Pair], head: Head) -> Mask:
    """``(P, C)``: which labels each pair's types allow; all of them where the head knows no types."""
    if not head.arguments:
        return np.ones((len(batch), len(head.labels)), dtype=bool)
    rows = {types: legal(head, *types) for types in dict.fromkeys((pair.head.type, pair.tail.type) for pair in batch)}
    found = [rows[pair.head.type, pair.tail.type] for pair in batch]
    return np.asarray(found, dtype=bool).reshape(len(batch), len(head.labels))


def _legal_mirrored(batch: Sequence[Pair], head: Head) -> Mask:
    """``(P, C)``: which labels each pair's types allow in the other order."""
    return _legal([mirrored(pair) for pair in batch], head) | (_legal(batch, head) & _symmetric(head))


def _symmetric(head: Head) -> Mask:
    return np.asarray([label in head.options.symmetric for label in head.labels], dtype=bool)


def attach(
    document: Document,
    batch: Iterable[Pair],
    predictions: Iterable[Prediction],
    source: str = "",
    symmetric: Collection[str] = (),
) -> Document:
    """The document with the relations found (in place of those it had), each with its sentence as evidence.

    Of the two orders of a pair that a ``symmetric`` label was found for, the first is kept.
    """
    relations: list[Relation] = []
    known: set[tuple[str, str, str]] = set()
    for pair, prediction in zip(batch, predictions, strict=True):
        label = str(prediction.value)
        if label == NEGATIVE or (label in symmetric and (label, pair.tail.id, pair.head.id) in known):
            continue
        known.add((label, pair.head.id, pair.tail.id))
        sentence = Span(pair.sentence.start, pair.sentence.start + len(pair.sentence.text))
        relations.append(
            Relation(
                f"R{len(relations) + 1}", label, pair.head.id, pair.tail.id,
                evidence=(sentence,), probability=prediction.probabilities[label], source=source,
            )
        )  # fmt: skip
    return replace(document, relations=tuple(relations))


def _place(windows: Sequence[Window], pair: Pair, located: Located) -> tuple[Window, tuple[int, int, int, int]] | None:
    """The window that holds both arguments with the most context around them, and where they are in it.

    What was found is kept in ``located``: a mention of a crowded sentence is in a hundred pairs.
    """

    def within(window: Window, argument: Argument) -> tuple[int, int] | None:
        key = (id(window), argument.start, argument.end)
        if key not in located:
            located[key] = window.locate(argument.start, argument.end)
        return located[key]

    best: tuple[int, Window, tuple[int, int, int, int]] | None = None
    for window in windows:
        first, second = within(window, pair.head), within(window, pair.tail)
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

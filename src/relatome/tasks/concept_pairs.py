"""Pairs of concepts across a document: what the relation head ``document`` is asked, and how it reads and answers.

A candidate is an ordered pair of concepts (`relatome.concepts`) whose types some label allows, wherever in the document
they are named; where every such label holds both ways, only the order in which they are first named is asked about.
The document is read once for all its pairs: in overlapping windows where it is too long for one, which stand in one
row, see only themselves, and give each piece that two of them hold the mean of its two states.

A pair may have several labels. ``NO_RELATION`` is no answer here but the threshold that a label has to pass.

References
----------
Zhou et al. 2021, "Document-Level Relation Extraction with Adaptive Thresholding and Localized Context Pooling",
arXiv:2010.11304.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from relatome import concepts, sentences
from relatome.documents import Document, Relation, Span
from relatome.errors import ModelError
from relatome.tasks.example import NEGATIVE, ConceptPair, Encoded, Example, Head, Logits, Party, Prediction, Reading
from relatome.tasks.pairs import allowed, legal
from relatome.wordpieces import Window

PAIRS_PER_ROW = 128  # their bilinear products are 64 times the encoder's width: 12 MB of them in a 384-wide one

Targets = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Places = np.ndarray[Any, np.dtype[np.int32]]


def candidates(document: Document, head: Head) -> Iterator[ConceptPair]:
    """The document's candidate pairs, in the order in which their concepts are first named."""
    found = [Party(one.id, one.type, tuple(mention.span for mention in one.mentions)) for one in concepts.of(document)]
    types, symmetric = allowed(head), frozenset(head.options.symmetric)
    for first, one in enumerate(found):
        for second, other in enumerate(found):
            if first == second or (one.type, other.type) not in types:
                continue
            labels = {label for label, pairs in head.arguments.items() if (one.type, other.type) in pairs}
            if second < first and labels <= symmetric and (other.type, one.type) in types:
                continue
            yield ConceptPair(f"{document.id}:{one.id}-{other.id}", document.id, document.text, one, other)


def examples(document: Document, head: Head) -> Iterator[Example[ConceptPair, tuple[str, ...]]]:
    """The candidate pairs with all the labels that the document's relations between concepts give them."""
    gold = facts(document, head)
    for pair in candidates(document, head):
        yield Example(pair, tuple(label for label in head.labels if (pair.head.id, pair.tail.id, label) in gold))


def facts(document: Document, head: Head) -> set[tuple[str, str, str]]:
    """The gold relations between concepts that the head has a label for; symmetric ones in both orders."""
    found = {(one.head, one.tail, one.type) for one in document.relations if one.level == "concept"}
    found = {one for one in found if one[2] in head.labels and one[2] != NEGATIVE}
    return found | {(b, a, label) for a, b, label in found if label in head.options.symmetric}


def reachable(document: Document, head: Head) -> tuple[int, int]:
    """How many of the document's gold relations between concepts some candidate can express, and how many there are."""
    found = {
        (pair.head.id, pair.tail.id, label)
        for pair in candidates(document, head)
        for label, fits in zip(head.labels, legal(head, pair.head.type, pair.tail.type), strict=True)
        if fits
    }
    gold = {
        (one.head, one.tail, one.type)
        for one in document.relations
        if one.level == "concept" and one.type in head.labels
    }
    turned = {(b, a, label) for a, b, label in found if label in head.options.symmetric}
    return len(gold & (found | turned)), len(gold)


def encode(windows: Sequence[Sequence[Window]], batch: Sequence[ConceptPair], head: Head) -> Iterator[Encoded]:
    """One row for each document (for `PAIRS_PER_ROW` pairs of it); ``windows[i]`` are those of ``batch[i]``'s document.

    Raises
    ------
    ModelError
        An input is no pair of concepts.
    """
    by_document: dict[tuple[str, int], list[int]] = {}
    for index, pair in enumerate(batch):
        if not isinstance(pair, ConceptPair):
            raise ModelError(
                f"the head {head.name!r} relates the concepts of a whole document, and was asked about a pair of mentions",
                advice="give it documents: relatome extract, or relatome evaluate",
            )
        by_document.setdefault((pair.document, id(windows[index])), []).append(index)
    for numbers in by_document.values():
        parts = windows[numbers[0]]
        window, slots = _joined(parts)
        for begin in range(0, len(numbers), PAIRS_PER_ROW):
            yield from _row(parts, window, slots, numbers[begin : begin + PAIRS_PER_ROW], batch)


def _row(
    parts: Sequence[Window], window: Window, slots: Places, numbers: Sequence[int], batch: Sequence[ConceptPair]
) -> Iterator[Encoded]:
    parties: dict[str, int] = {}
    spots: list[list[tuple[int, int]]] = []
    asked, related = [], []
    for index in numbers:
        ends = []
        for party in (batch[index].head, batch[index].tail):
            if party.id not in parties:
                parties[party.id] = len(spots)
                spots.append(_spots(parts, slots, party))
            ends.append(parties[party.id])
        if all(spots[end] for end in ends):
            asked.append(index)
            related.append(ends)
        else:  # every mention of one of them is longer than two windows share
            yield Encoded(window, (index,), reading=None, dropped=True)
    if asked:
        most = max(len(some) for some in spots)
        table = np.full((len(spots), max(most, 1), 2), -1, dtype=np.int32)
        for row, some in enumerate(spots):
            table[row, : len(some)] = np.asarray(some, dtype=np.int32).reshape(-1, 2)
        lengths = tuple(len(part) for part in parts)
        reading = Reading(lengths, slots, table, np.asarray(related, dtype=np.int32))
        yield Encoded(window, tuple(asked), reading=reading)


def _joined(parts: Sequence[Window]) -> tuple[Window, Places]:
    """The windows of a text one after another, and for each piece its number in the text (0 for special pieces)."""
    slots = [np.concatenate(([0], np.arange(1, len(parts[0]) - 1), [0]))]
    for before, part in pairwise(parts):
        inside = len(part) - 2
        known = next(
            at for at in range(2, len(before))
            if (shared := len(before) - 1 - at) <= inside and _same(before, slice(at, -1), part, slice(1, 1 + shared))
        )  # fmt: skip
        first = int(slots[-1][known]) if known < len(before) - 1 else int(slots[-1].max()) + 1
        slots.append(np.concatenate(([0], np.arange(first, first + inside), [0])))
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "starts", "ends", "words"))
    ids, starts, ends, words = columns
    return Window(ids, starts, ends, words, count=len(parts)), np.concatenate(slots).astype(np.int32)


def _same(one: Window, here: slice, other: Window, there: slice) -> bool:
    return all(
        np.array_equal(getattr(one, name)[here], getattr(other, name)[there]) for name in ("starts", "ends", "words")
    )


def _spots(parts: Sequence[Window], slots: Places, party: Party) -> list[tuple[int, int]]:
    """The first and last piece of each mention, by their numbers in the text; those no window holds are left out."""
    found: dict[tuple[int, int], None] = {}
    begins = np.cumsum([0] + [len(part) for part in parts])
    for span in party.spans:
        for begin, part in zip(begins, parts, strict=False):
            at = part.locate(*span)
            if at is not None:
                found[int(slots[begin + at[0]]), int(slots[begin + at[1]])] = None
                break
    return list(found)


def targets(encoded: Encoded, golds: Sequence[tuple[str, ...]], head: Head) -> Targets:
    """``(P, C)`` 1 for each label of a pair; class 0, the threshold, is never one."""
    found = [[int(label in golds[index] and label != NEGATIVE) for label in head.labels] for index in encoded.inputs]
    return np.asarray(found, dtype=np.int64).reshape(len(encoded.inputs), len(head.labels))


def legal_labels(encoded: Encoded, batch: Sequence[ConceptPair], head: Head) -> Mask:
    """``(P, C)`` which labels each pair's types allow."""
    found = [legal(head, batch[index].head.type, batch[index].tail.type) for index in encoded.inputs]
    return np.asarray(found, dtype=bool).reshape(len(encoded.inputs), len(head.labels))


def decode(
    batch: Sequence[ConceptPair], encoded: Sequence[Encoded], logits: Sequence[Logits], head: Head
) -> list[Prediction]:
    """One prediction for each pair: every label that may hold and whose logit is above class 0's, the likeliest
    first.

    A label's probability is that of itself against the threshold.
    """
    found: dict[int, Prediction] = {}
    for item, scores in zip(encoded, logits, strict=True):
        if item.dropped:
            index = item.inputs[0]
            found[index] = Prediction(batch[index].id, NEGATIVE, {}, item.window.count, dropped=True)
            continue
        above = scores - scores[:, :1]
        sure = 1 / (1 + np.exp(-np.clip(above, -60, 60)))
        mask = legal_labels(item, batch, head)
        for row, index in enumerate(item.inputs):
            may = [number for number in range(1, len(head.labels)) if mask[row, number]]
            holds = [number for number in may if above[row, number] > 0]
            holds.sort(key=above[row].__getitem__, reverse=True)
            found[index] = Prediction(
                batch[index].id,
                head.labels[holds[0]] if holds else NEGATIVE,
                {head.labels[number]: round(float(sure[row, number]), 4) for number in may},
                item.window.count,
                also=tuple(head.labels[number] for number in holds[1:]),
            )
    return [found[index] for index in range(len(batch))]


def attach(
    document: Document, batch: Iterable[ConceptPair], predictions: Iterable[Prediction], source: str = ""
) -> Document:
    """The document with the relations found, beside those it has; the sentences of the nearest mentions are evidence."""
    relations = list(document.relations)
    number = 0
    known = {relation.id for relation in relations}
    bounds = sentences.of(document)
    for pair, prediction in zip(batch, predictions, strict=True):
        for label in prediction.labels:
            if label == NEGATIVE:
                continue
            while f"R{(number := number + 1)}" in known:
                pass
            relations.append(
                Relation(
                    f"R{number}", label, pair.head.id, pair.tail.id, "concept", evidence=_evidence(bounds, pair),
                    probability=prediction.probabilities[label], source=source,
                )
            )  # fmt: skip
    return replace(document, relations=tuple(relations))


def _evidence(bounds: Sequence[Span], pair: ConceptPair) -> tuple[Span, ...]:
    """The sentence, or the two, of the two mentions that stand nearest to each other."""
    ends = min(
        ((one, other) for one in pair.head.spans for other in pair.tail.spans),
        key=lambda two: max(two[0].start, two[1].start) - min(two[0].end, two[1].end),
    )
    found = [next((span for span in bounds if span.start <= one.start < span.end), one) for one in ends]
    return tuple(sorted(dict.fromkeys(found)))

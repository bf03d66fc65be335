"""Which pairs of mentions are asked about, and what the gold says of each.

A candidate is one *ordered* pair (head, tail) of mentions whose types some label of the head allows, in one sentence or,
where the head asks for it, a few sentences apart.
Both orders of a pair are two candidates where both are allowed, as they are of a label that holds both ways. Pairs are proposed from the mentions a document
carries, so the same function serves gold entities (training, gold-entity scores) and predicted ones (extraction).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any

from relatome import sentences
from relatome.documents import Document, Mention, Span
from relatome.tasks.example import NEGATIVE, Argument, Example, Head, Options, Pair, Sentence

Types = tuple[tuple[str, str], ...]


def arguments(listed: Mapping[str, Iterable[tuple[str, str]]], options: Options) -> dict[str, Types]:
    """The type pairs of each label, with the other order of those that are asked about both ways.

    Examples
    --------
    >>> arguments({"Bind": [("Chemical", "Gene")]}, Options(symmetric=("Bind",)))
    {'Bind': (('Chemical', 'Gene'), ('Gene', 'Chemical'))}
    """
    both = {label for label in listed if label in options.symmetric or options.direction == "both"}
    return {
        label: tuple(dict.fromkeys((*types, *((b, a) for a, b in types if label in both))))
        for label, types in ((label, tuple(types)) for label, types in listed.items())
    }


def allowed(head: Head) -> frozenset[tuple[str, str]]:
    """Every (head type, tail type) that some label may hold between."""
    return frozenset(pair for pairs in head.arguments.values() for pair in pairs)


def legal(head: Head, head_type: str, tail_type: str) -> tuple[bool, ...]:
    """For each label of ``head`` whether it may hold between these types; ``NO_RELATION`` always may.

    A mention without a type (in a marked text) could be anything, so every label may hold.
    """
    if not (head_type and tail_type):
        return (True,) * len(head.labels)
    return tuple(label == NEGATIVE or (head_type, tail_type) in head.arguments.get(label, ()) for label in head.labels)


def candidates(document: Document, head: Head) -> Iterator[Pair]:
    """Every candidate pair of the document, sentence by sentence, in text order; then those across sentences.

    A document that came as one judged pair (``meta["pair"]``, its two mentions' ids) has that one only: of two mentions
    of one type the other order was not judged.
    """
    judged = document.meta.get("pair")
    mentions = sorted(document.mentions, key=lambda mention: mention.start)
    starts = [mention.start for mention in mentions]
    read = [
        Sentence(f"{document.id}#{number}", document.id, document.text[start:end], start)
        for number, (start, end) in enumerate(sentences.of(document))
    ]
    found = [
        list(of_sentence(one, mentions[bisect_left(starts, one.start) : bisect_left(starts, _end(one))], head))
        for one in read
    ]
    for pair in chain.from_iterable((*found, *across(document.text, read, mentions, head))):
        if judged is None or [pair.head.id, pair.tail.id] == list(judged):
            yield pair


def across(text: str, read: Sequence[Sentence], mentions: Iterable[Mention], head: Head) -> Iterator[list[Pair]]:
    """The candidate pairs of each two sentences of a document that stand as near as the head's ``sentences`` asks.

    Parameters
    ----------
    text
        The document's; what is read of a pair is the part from the first of its sentences to the second.
    read
        All sentences of the document, in order.
    mentions
        In the document's coordinates.
    """
    most = head.options.sentences
    if not most:
        return
    types = allowed(head)
    every = list(mentions)
    inside = [[m for m in every if one.start <= m.start and m.end <= _end(one)] for one in read]
    for number, first in enumerate(read):
        for other in range(number + 1, min(number + most + 1, len(read))):
            span = text[first.start : _end(read[other])]
            both = Sentence(f"{first.document}#{number}-{other}", first.document, span, first.start)
            orders = (pair for a in inside[number] for b in inside[other] for pair in ((a, b), (b, a)))
            found = [_pair(both, a, b) for a, b in orders if (a.type, b.type) in types]
            if found:
                yield found


def of_sentence(sentence: Sentence, mentions: Iterable[Mention], head: Head) -> Iterator[Pair]:
    """Every candidate pair of the mentions (in the document's coordinates) that lie in one sentence."""
    start, end = sentence.start, sentence.start + len(sentence.text)
    inside = sorted((m for m in mentions if start <= m.start and m.end <= end), key=lambda m: (m.start, m.end))
    if len(inside) < 2:
        return
    types = allowed(head)
    ends = [_argument(mention, start) for mention in inside]
    for first in ends:
        for second in ends:
            if (first.type, second.type) in types and (first.start, first.end) != (second.start, second.end):
                yield Pair(f"{sentence.document}:{first.id}-{second.id}", sentence, first, second)


def nearest(found: Iterable[Pair], most: int) -> tuple[list[Pair], int]:
    """At most so many pairs, those whose mentions stand nearest to each other, in the order given; and how many others.

    Examples
    --------
    >>> sentence = Sentence("d#0", "d", "A b C", 0)
    >>> a, b, c = (Argument(name, place, place + 1, "Gene") for name, place in (("a", 0), ("b", 2), ("c", 4)))
    >>> near, others = nearest([Pair("ac", sentence, a, c), Pair("ab", sentence, a, b)], 1)
    >>> [pair.id for pair in near], others
    (['ab'], 1)
    """
    everything = list(found)
    if len(everything) <= most:
        return everything, 0
    apart = [abs(pair.head.start - pair.tail.start) for pair in everything]
    chosen = sorted(sorted(range(len(everything)), key=apart.__getitem__)[:most])
    return [everything[index] for index in chosen], len(everything) - most


@dataclass(frozen=True, slots=True)
class Facts:
    """What a document's relations say of its pairs of mentions, at mention or at concept level.

    Parameters
    ----------
    document
        With gold relations.
    head
        Relations of types it has no label for are not looked at; those of its symmetric labels hold both ways.
    """

    mention: dict[tuple[str, str], tuple[str, ...]]
    concept: dict[tuple[str, str], tuple[str, ...]]
    concepts: dict[str, tuple[str, ...]]
    symmetric: Collection[str] = ()

    @classmethod
    def of(cls, document: Document, head: Head) -> Facts:
        """Read them off a document's gold relations."""
        concepts = {mention.id: mention.concepts for mention in document.mentions}
        facts = cls({}, {}, concepts, head.options.symmetric)
        for relation in document.relations:
            if relation.type in head.labels:
                table = facts.mention if relation.level == "mention" else facts.concept
                key = (relation.head, relation.tail)
                table[key] = (*table.get(key, ()), relation.type)
        return facts

    def labels(self, head_id: str, tail_id: str) -> tuple[str, ...]:
        """Every gold label between two mentions, in the corpus's order; empty for no relation.

        A relation between concepts counts for every pair of their mentions: distant for a sentence, but two mentions
        of a related pair in one sentence seldom stand there by chance.
        """
        found = self._between(self.mention, head_id, tail_id)
        if self.concept:
            for first in self.concepts.get(head_id, ()):
                for second in self.concepts.get(tail_id, ()):
                    found += self._between(self.concept, first, second)
        return tuple(dict.fromkeys(found))

    def _between(self, table: Mapping[tuple[str, str], tuple[str, ...]], first: str, second: str) -> list[str]:
        found = list(table.get((first, second), ()))
        if self.symmetric:
            found += (label for label in table.get((second, first), ()) if label in self.symmetric)
        return found


def reachable(document: Document, head: Head) -> tuple[int, int]:
    """How many of the document's gold relations some candidate can express, and how many there are."""
    facts = Facts.of(document, head)
    met: dict[str, set[tuple[str, str]]] = {"mention": set(), "concept": set()}
    for pair in candidates(document, head):
        first, second = pair.head.id, pair.tail.id
        met["mention"].add((first, second))
        met["concept"] |= {(a, b) for a in facts.concepts.get(first, ()) for b in facts.concepts.get(second, ())}
    reached = sum(
        (a, b) in met[level] or (label in facts.symmetric and (b, a) in met[level])
        for level, table in (("mention", facts.mention), ("concept", facts.concept))
        for (a, b), labels in table.items()
        for label in set(labels)
    )
    total = sum(len(set(labels)) for table in (facts.mention, facts.concept) for labels in table.values())
    return reached, total


def left_out(found: Iterable[Example[Pair, Any]], options: Options, *, seed: int) -> frozenset[str]:
    """The ids of the pairs without a relation that are not taught, of all pairs of a corpus.

    They are drawn once a run, by its seed: what an epoch reads is then known beforehand, a run that goes on reads the
    same, and a pair that is not taught costs nothing. Both orders of a pair stay or go together.

    ``"hard"`` keeps those of which a mention stands in a relation with another one first, then those whose mentions
    stand nearest: both are what a model takes for a relation, and no model has to be asked for it.
    """
    if options.negatives == "all":
        return frozenset()
    related: set[tuple[str, str]] = set()
    negatives: dict[tuple[str, str, str], list[Pair]] = {}
    positives = 0
    for one in found:
        pair, document = one.input, one.input.sentence.document
        if one.gold in (NEGATIVE, ()):
            first, second = sorted((pair.head.id, pair.tail.id))
            negatives.setdefault((document, first, second), []).append(pair)
        else:
            positives += 1
            related |= {(document, pair.head.id), (document, pair.tail.id)}

    def rank(key: tuple[str, str, str]) -> tuple[bool, int, bytes]:
        drawn = blake2b(repr((seed, key)).encode(), digest_size=8).digest()
        if options.negatives == "ratio":
            return False, 0, drawn
        document, first, second = key
        pair = negatives[key][0]
        like = (document, first) in related or (document, second) in related
        return not like, abs(pair.head.start - pair.tail.start), drawn

    room = round(options.negative_ratio * positives)
    out: set[str] = set()
    for key in sorted(negatives, key=rank):
        orders = negatives[key]
        room -= len(orders)
        if room < 0:
            out |= {pair.id for pair in orders}
    return frozenset(out)


def _pair(sentence: Sentence, first: Mention, second: Mention) -> Pair:
    name = f"{sentence.document}:{first.id}-{second.id}"
    return Pair(name, sentence, _argument(first, sentence.start), _argument(second, sentence.start))


def _end(sentence: Sentence) -> int:
    return sentence.start + len(sentence.text)


def _argument(mention: Mention, start: int) -> Argument:
    return Argument(mention.id, mention.start - start, mention.end - start, mention.type)


def span_in_document(pair: Pair, argument: Argument) -> Span:
    """Where an argument stands in its document."""
    return Span(argument.start + pair.sentence.start, argument.end + pair.sentence.start)

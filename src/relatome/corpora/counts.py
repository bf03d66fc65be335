"""What is in a corpus, counted and compared with what its card says.

A card is a promise about files; this reads them whole and keeps it. Nothing is left uncounted: a type that the card does
not name is a difference like a wrong number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from relatome.corpora.card import Card
from relatome.corpora.corpus import Corpus
from relatome.documents import Document

ALWAYS = ("documents", "mentions", "relations", "labels", "questions")
"""Counted for every corpus, questions by their kind; ``abstracts`` (documents that have one), ``paragraphs``, ``sentences``,
``tokens`` and the ``answers`` to yes/no questions only where the card says how many."""


class Count(NamedTuple):
    """One number of one split: as counted, as its card says, and as published (``None``: not said)."""

    corpus: str
    protocol: str
    split: str
    what: str
    found: int
    card: int | None
    published: int | None = None

    @property
    def right(self) -> bool:
        """Whether the card says what was counted."""
        return self.found == (self.card or 0)


def compared(corpus: Corpus) -> Iterator[Count]:
    """Every count of every split of every protocol, beside the card's.

    Raises
    ------
    CorpusError
        A file is absent or not the one the card describes, or a document is not what the card says.
    """
    card = corpus.card
    for protocol in card.protocols:
        of_split: dict[str, Counter[str]] = {split: Counter() for split in corpus.splits(protocol)}
        for split, document in corpus.by_split(protocol):
            of_split[split].update(counted([document], card))
        for split, found in of_split.items():
            said = _flat(card.counts.get(protocol, {}).get(split, {}))
            published = _flat(card.published.get(protocol, {}).get(split, {}))
            always = (what for what in found if what.partition(" ")[0] in ALWAYS)
            for what in dict.fromkeys((*always, *said)):
                numbers = found[what], said.get(what), published.get(what)
                yield Count(card.name, protocol, split, what, *numbers)


def said(card: Card) -> Iterator[Count]:
    """What a card says of each split of each protocol, without reading a file: what ``compared`` gives if it is true."""
    for protocol in card.protocols.values():
        for split in protocol.names:
            published = _flat(card.published.get(protocol.name, {}).get(split, {}))
            for what, number in _flat(card.counts.get(protocol.name, {}).get(split, {})).items():
                yield Count(card.name, protocol.name, split, what, number, number, published.get(what))


def counted(documents: Iterable[Document], card: Card) -> Counter[str]:
    """How many documents, and of each type how many mentions, relations and labels.

    Examples
    --------
    >>> from relatome import corpora
    >>> from relatome.documents import Label
    >>> pair = Document("7", "One. Two.", labels=(Label("similarity", "3.2", 0, 9),))
    >>> sorted(counted([pair], corpora.load("biosses").card).items())
    [('documents', 1), ('labels similarity', 1)]
    """
    found: Counter[str] = Counter()
    for document in documents:
        found["documents"] += 1
        kinds = Counter(passage.kind for passage in document.passages)
        found["abstracts"] += "abstract" in kinds
        found["paragraphs"] += kinds["paragraph"]
        found["sentences"] += len(document.sentences)
        found["tokens"] += len(document.tokens)
        found.update(f"questions {question.kind}" for question in document.questions)
        found.update(
            f"answers {one.answers[0][0]}" for one in document.questions if one.kind == "yesno" and one.answers
        )
        found.update(f"mentions {mention.type}" for mention in document.mentions)
        found.update(f"relations {relation.type}" for relation in document.relations)
        found.update(f"labels {_answer(label.name, label.value, card)}" for label in document.labels)
    return +found


def _answer(name: str, value: str, card: Card) -> str:
    """How counts call an answer: by itself; with its question where there are several; a number by its question."""
    label = card.labels.get(name)
    if label is not None and label.scale is not None:
        return name
    return f"{name}: {value}" if len(card.labels) > 1 else value


def _flat(counts: Mapping[str, Any]) -> dict[str, int]:
    """``{"documents": 2, "mentions": {"Gene": 3}}`` as ``{"documents": 2, "mentions Gene": 3}``."""
    flat: dict[str, int] = {}
    for what, number in counts.items():
        if isinstance(number, Mapping):
            flat.update({f"{what} {name}": value for name, value in number.items()})
        else:
            flat[what] = number
    return flat

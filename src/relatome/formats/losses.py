"""What a format can hold: the parts of a document by name, what is lost of them, and what of a document is kept.

A format that can be written names in its ``HOLDS`` the parts that a written file keeps. From it follow the loss report
of ``relatome convert`` and the contract of the tests: reading what was written gives ``kept(document, HOLDS)`` back.

Where a format also gives a document another shape (PubTator's one line of text, IOB's tokens with blanks between), its
module has ``laid_out(document)``, the document in that shape; then ``laid_out(kept(document, HOLDS))`` comes back, and
what changes by it is counted too: see ``relatome.formats.lost`` and ``relatome.formats.kept``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from relatome import spans
from relatome.documents import Document, Label, Mention, Relation

PARTS: Mapping[str, str] = {
    "text": "texts, character for character",
    "passages": "passages: title, abstract, sections",
    "headings": "headings of passages",
    "mentions": "mentions, with type and place",
    "concepts": "concept ids of mentions",
    "fragments": "discontinuous mentions; without it, their hull",
    "overlaps": "mentions that overlap a longer one",
    "probabilities": "probabilities and the models they are of",
    "relations": "relations between mentions",
    "unlinked": "relations between mentions as such; without it, between their concepts where both have some",
    "concept_relations": "relations between concepts",
    "attributes": "attributes of relations",
    "evidence": "evidence of relations",
    "labels": "labels of texts and sentences",
    "questions": "questions and their answers",
    "sentences": "sentence borders",
    "tokens": "token borders",
    "meta": "what one format knows and others do not, by key",
    "ids": "ids of mentions and relations; without it, T1, T2 ... and R1, R2 ...",
}
"""The parts of a document in the order they are reported, each with what it is. A format that keeps ``attributes`` or
``meta`` only for some keys names these: ``attributes.novelty``, ``meta.identifier``."""

EVERYTHING = frozenset(PARTS)

ELSEWHERE = frozenset({"line", "scheme"})  # how and where its file had it: no one misses these in another file

_R = TypeVar("_R", Mention, Relation, Label)


def lost(document: Document, holds: Collection[str]) -> Counter[str]:
    """How much of each part a format would not keep; empty where it keeps all.

    Parameters
    ----------
    document
        What would be written.
    holds
        The format's ``HOLDS``.

    Examples
    --------
    >>> from relatome.documents import Span
    >>> text = "kidney and liver injury"
    >>> injury = Mention("T1", 0, 23, "Disease", "kidney injury", fragments=(Span(0, 6), Span(17, 23)))
    >>> lost(Document("1", text, mentions=(injury,)), {"text", "mentions", "ids"})
    Counter({'fragments': 1})
    """
    return _projected(document, holds)[1]


def kept(document: Document, holds: Collection[str]) -> Document:
    """The document as it is read again from a format that keeps only some parts.

    Parameters
    ----------
    document
        What would be written.
    holds
        The format's ``HOLDS``.

    Examples
    --------
    >>> whole = Document("1", "Aspirin.", mentions=(Mention("c7", 0, 7, "Chemical", "Aspirin", ("D001241",)),))
    >>> kept(whole, {"text", "mentions"}).mentions
    (Mention(id='T1', start=0, end=7, type='Chemical', text='Aspirin', concepts=(), fragments=(), probability=None, source='', meta={}),)
    """
    return _projected(document, holds)[0]


def _projected(document: Document, holds: Collection[str]) -> tuple[Document, Counter[str]]:
    """What is kept of a document, and how much of each part is not."""
    gone: Counter[str] = Counter()
    if "text" not in holds:
        gone["text"] += 1
    concepts = {mention.id: mention.concepts for mention in document.mentions}
    mentions, names = _mentions(document, holds, gone)
    relations = tuple(_relations(document, names, concepts, holds, gone))
    passages = document.passages
    if "passages" not in holds:
        gone["passages"] += len(passages)
        passages = ()
    if "headings" not in holds:
        gone["headings"] += sum(bool(passage.heading) for passage in passages)
        passages = tuple(replace(passage, heading="") for passage in passages)
    for name in ("labels", "questions", "sentences", "tokens"):
        if name not in holds:
            gone[name] += len(getattr(document, name))
    projection = Document(
        document.id,
        document.text,
        passages=tuple(replace(passage, meta=_meta(passage.meta, holds, gone)) for passage in passages),
        mentions=mentions,
        relations=relations,
        labels=tuple(_unsure(label, holds, gone) for label in document.labels) if "labels" in holds else (),
        questions=tuple(replace(question, meta=_meta(question.meta, holds, gone)) for question in document.questions)
        if "questions" in holds
        else (),
        sentences=document.sentences if "sentences" in holds else (),
        tokens=document.tokens if "tokens" in holds else (),
        meta=_meta(document.meta, holds, gone),
    )
    return projection, +gone


def _mentions(
    document: Document, holds: Collection[str], gone: Counter[str]
) -> tuple[tuple[Mention, ...], dict[str, str]]:
    """The mentions that are kept, and by what name each of them is known after it."""
    if "mentions" not in holds:
        gone["mentions"] += len(document.mentions)
        return (), {}
    chosen = list(document.mentions)
    if "overlaps" not in holds:
        chosen = spans.longest_first(chosen)
        gone["overlaps"] += len(document.mentions) - len(chosen)
    mentions: list[Mention] = []
    names: dict[str, str] = {}
    for number, mention in enumerate(chosen, start=1):
        name = mention.id if "ids" in holds else f"T{number}"
        gone["ids"] += name != mention.id
        names[mention.id] = name
        mention = replace(_unsure(mention, holds, gone), id=name, meta=_meta(mention.meta, holds, gone))
        if "concepts" not in holds:
            gone["concepts"] += len(mention.concepts)
            mention = replace(mention, concepts=())
        if "fragments" not in holds and mention.fragments:
            gone["fragments"] += 1
            mention = replace(mention, fragments=(), text=document.text[mention.start : mention.end])
        mentions.append(mention)
    return tuple(mentions), names


def _relations(
    document: Document,
    names: Mapping[str, str],
    concepts: Mapping[str, tuple[str, ...]],
    holds: Collection[str],
    gone: Counter[str],
) -> Iterator[Relation]:
    """The relations that are kept: between mentions that are kept, or between concepts."""
    count = 0
    for relation in document.relations:
        between: list[tuple[str, str]] = []
        level = relation.level
        if level == "concept":
            if "concept_relations" in holds:
                between = [(relation.head, relation.tail)]
            else:
                gone["concept_relations"] += 1
        elif "relations" not in holds:
            gone["relations"] += 1
        elif "unlinked" not in holds:
            gone["unlinked"] += 1
            level = "concept"
            between = [(head, tail) for head in concepts[relation.head] for tail in concepts[relation.tail]]
        elif "mentions" not in holds:  # a list of pairs by id
            between = [(relation.head, relation.tail)]
        elif relation.head in names and relation.tail in names:
            between = [(names[relation.head], names[relation.tail])]
        else:
            gone["relations"] += 1
        if not between:
            continue
        relation = replace(
            _unsure(relation, holds, gone),
            level=level,
            attributes=_some(relation.attributes, "attributes", holds, gone),
        )
        if "evidence" not in holds:
            gone["evidence"] += len(relation.evidence)
            relation = replace(relation, evidence=())
        for head, tail in between:
            count += 1
            name = relation.id if "ids" in holds else f"R{count}"
            gone["ids"] += name != relation.id
            yield replace(relation, id=name, head=head, tail=tail)


def _unsure(record: _R, holds: Collection[str], gone: Counter[str]) -> _R:
    """A record without its probability and its source, unless these are held."""
    if "probabilities" in holds or (record.probability is None and not record.source):
        return record
    gone["probabilities"] += 1
    return replace(record, probability=None, source="")


def _meta(meta: Mapping[str, Any], holds: Collection[str], gone: Counter[str]) -> dict[str, Any]:
    return _some(meta, "meta", holds, gone)


def _some(values: Mapping[str, Any], part: str, holds: Collection[str], gone: Counter[str]) -> dict[str, Any]:
    """The values whose keys are held."""
    if part in holds:
        return dict(values)
    held = {key: value for key, value in values.items() if f"{part}.{key}" in holds}
    gone[part] += sum(key not in held and key not in ELSEWHERE for key in values)
    return held

"""What Relatome reads and writes: documents with mentions, relations, labels and questions.

Every offset, here and everywhere else in the library, is a half-open range of Unicode code points on ``Document.text``,
the original text: ``text[start:end]``. Bytes and UTF-16 units exist only inside a reader. Text is never rebuilt
from tokens. All records are frozen; change one with ``dataclasses.replace``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from relatome.errors import InputError, OffsetError

Meta = Mapping[str, Any]  # plain JSON values only: what one format knows and the others do not


class Span(NamedTuple):
    """A half-open range of code points, ``text[start:end]``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """A thing named in the text.

    Parameters
    ----------
    id
        Unique among the document's mentions.
    start, end
        Half-open code-point range on the document's text; for a discontinuous mention, its hull.
    type
        The entity type as the corpus or model writes it, such as ``"Chemical"``.
    text
        ``document.text[start:end]``; for a discontinuous mention its fragments joined by one blank.
    concepts
        Identifiers the mention is linked to (MeSH, NCBI Gene ...), in the corpus's order; several for a composite.
    fragments
        The parts of a discontinuous mention, in order; empty for a continuous one.
    probability
        The model's, in 0..1; ``None`` for a human annotation.
    source
        Who says so: ``""`` for the file read, else a model's name and hash.
    """

    id: str
    start: int
    end: int
    type: str
    text: str
    concepts: tuple[str, ...] = ()
    fragments: tuple[Span, ...] = ()
    probability: float | None = None
    source: str = ""
    meta: Meta = field(default_factory=dict)

    @property
    def span(self) -> Span:
        """``Span(start, end)``."""
        return Span(self.start, self.end)


class _OpenMention:
    """A mention that is still being made: the same slots, not frozen."""

    __slots__ = ("concepts", "end", "fragments", "id", "meta", "probability", "source", "start", "text", "type")

    def __init__(
        self,
        id: str,
        start: int,
        end: int,
        type: str,
        text: str,
        concepts: tuple[str, ...],
        fragments: tuple[Span, ...],
        probability: float | None,
        source: str,
        meta: Meta,
    ) -> None:
        self.id = id
        self.start = start
        self.end = end
        self.type = type
        self.text = text
        self.concepts = concepts
        self.fragments = fragments
        self.probability = probability
        self.source = source
        self.meta = meta


def mentions_of(*columns: Iterable[Any]) -> list[Mention]:
    """Mentions from columns, one for each field, in the order of the fields; for readers that make millions.

    A frozen dataclass sets each of its fields by a call, which is most of what reading a mention costs; this makes
    them open and freezes them then, in a fifth of the time.

    Examples
    --------
    >>> mentions_of(["T1"], [0], [7], ["Drug"], ["Aspirin"], [()], [()], [None], [""], [{}])[0].span
    Span(start=0, end=7)
    """
    made = list(map(_OpenMention, *columns))
    for mention in made:
        mention.__class__ = Mention  # type: ignore[assignment]
    return cast("list[Mention]", made)


@dataclass(frozen=True, slots=True)
class Relation:
    """A typed, directed relation between two mentions or two concepts.

    Parameters
    ----------
    id
        Unique among the document's relations.
    type
        The relation type as the corpus or model writes it.
    head, tail
        Mention ids where ``level`` is ``"mention"``, concept ids where it is ``"concept"``.
    level
        A document can hold both.
    attributes
        What else the annotation says: novelty, negation cue and its span.
    evidence
        Ranges of the text that support it, such as its sentence.
    """

    id: str
    type: str
    head: str
    tail: str
    level: Literal["mention", "concept"] = "mention"
    attributes: Meta = field(default_factory=dict)
    evidence: tuple[Span, ...] = ()
    probability: float | None = None
    source: str = ""


class _OpenRelation:
    """A relation that is still being made: the same slots, not frozen."""

    __slots__ = ("attributes", "evidence", "head", "id", "level", "probability", "source", "tail", "type")

    def __init__(
        self,
        id: str,
        type: str,
        head: str,
        tail: str,
        level: Literal["mention", "concept"],
        attributes: Meta,
        evidence: tuple[Span, ...],
        probability: float | None,
        source: str,
    ) -> None:
        self.id = id
        self.type = type
        self.head = head
        self.tail = tail
        self.level = level
        self.attributes = attributes
        self.evidence = evidence
        self.probability = probability
        self.source = source


def relations_of(*columns: Iterable[Any]) -> list[Relation]:
    """Relations from columns, as ``mentions_of`` makes mentions.

    Examples
    --------
    >>> relations_of(["R1"], ["treats"], ["T1"], ["T2"], ["mention"], [{}], [()], [None], [""])[0].type
    'treats'
    """
    made = list(map(_OpenRelation, *columns))
    for relation in made:
        relation.__class__ = Relation  # type: ignore[assignment]
    return cast("list[Relation]", made)


@dataclass(frozen=True, slots=True)
class Label:
    """A class given to a range of the text: a sentence or the whole document.

    Parameters
    ----------
    name
        What was asked, such as ``"ade-sentence"``.
    value
        The answer, such as ``"adverse-effect"``.
    start, end
        The range judged.
    """

    name: str
    value: str
    start: int
    end: int
    probability: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A named part of the text: title, abstract, a section.

    Parameters
    ----------
    kind
        ``"title"``, ``"abstract"``, ``"paragraph"`` ... as the format says.
    start, end
        Half-open code-point range.
    heading
        A structured abstract's label or a section's title, where there is one.
    """

    kind: str
    start: int
    end: int
    heading: str = ""
    meta: Meta = field(default_factory=dict)


class _OpenPassage:
    """A passage that is still being made: the same slots, not frozen."""

    __slots__ = ("end", "heading", "kind", "meta", "start")

    def __init__(self, kind: str, start: int, end: int, heading: str, meta: Meta) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.heading = heading
        self.meta = meta


def passages_of(*columns: Iterable[Any]) -> list[Passage]:
    """Passages from columns, as ``mentions_of`` makes mentions.

    Examples
    --------
    >>> passages_of(["title"], [0], [7], ["Aim"], [{}])[0].heading
    'Aim'
    """
    made = list(map(_OpenPassage, *columns))
    for passage in made:
        passage.__class__ = Passage  # type: ignore[assignment]
    return cast("list[Passage]", made)


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the document, with its answers.

    Parameters
    ----------
    answers
        Answer strings; for each, synonyms are separate entries of the inner tuple.
    spans
        Where an answer stands in the text, for extractive questions.
    """

    id: str
    text: str
    kind: str = "factoid"
    answers: tuple[tuple[str, ...], ...] = ()
    spans: tuple[Span, ...] = ()
    meta: Meta = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One text and everything said about it.

    Parameters
    ----------
    id
        The corpus's own identifier (PMID, PMCID, row); never empty.
    text
        The original text; what is between passages belongs to it too.
    passages
        Ranges over ``text``, in order, not overlapping; empty where the format has none.
    sentences
        Sentence ranges where the corpus came split; empty means "not split yet".
    tokens
        Token ranges where the corpus came tokenised, or published numbers could not be matched; else empty.
    meta
        Plain JSON values; what only one format knows.

    Examples
    --------
    >>> text = "Aspirin causes bleeding."
    >>> aspirin = Mention("T1", 0, 7, "Chemical", "Aspirin")
    >>> Document("1", text, mentions=(aspirin,)).check().mentions[0].text
    'Aspirin'
    """

    id: str
    text: str
    passages: tuple[Passage, ...] = ()
    mentions: tuple[Mention, ...] = ()
    relations: tuple[Relation, ...] = ()
    labels: tuple[Label, ...] = ()
    questions: tuple[Question, ...] = ()
    sentences: tuple[Span, ...] = ()
    tokens: tuple[Span, ...] = ()
    meta: Meta = field(default_factory=dict)

    def check(self) -> Document:
        """This document, if every part of it fits its text.

        Raises
        ------
        OffsetError
            A range leaves the text, or a mention's text is not what stands there; both strings are shown.
        InputError
            An id is doubled or empty, or a relation names a mention that is not there.
        """
        if not self.id:
            raise InputError("a document has no id")
        for problem in self._problems():
            raise problem.at(document=self.id)
        return self

    def _problems(self) -> Iterator[InputError]:
        # Every document of every reader comes through here: what is right is passed by with as little as can be.
        text, length = self.text, len(self.text)
        for what, start, end in self._ranges(length):
            yield OffsetError(f"{what} has range {start}..{end}, but the text has {length} characters")
        for mention in self.mentions:
            start, end = mention.start, mention.end
            if not mention.fragments and 0 <= start < end <= length and text[start:end] == mention.text:
                continue
            parts = mention.fragments or (mention.span,)
            if any(not 0 <= start < end <= length for start, end in (*parts, mention.span)):
                yield OffsetError(
                    f"mention {mention.id!r} ({mention.text!r}) has range {mention.start}..{mention.end}, "
                    f"but the text has {length} characters"
                )
            elif (found := " ".join(text[start:end] for start, end in parts)) != mention.text:
                yield OffsetError(
                    f"mention {mention.id!r} at {mention.start}..{mention.end} should be {mention.text!r}, "
                    f"but the text there is {found!r}"
                )
        known = {mention.id for mention in self.mentions}
        if len(known) < len(self.mentions):
            yield _doubled("mention", [mention.id for mention in self.mentions])
        for what, ids in (
            ("relation", [relation.id for relation in self.relations]),
            ("question", [question.id for question in self.questions]),
        ):
            if len(set(ids)) < len(ids):
                yield _doubled(what, ids)
        for relation in self.relations:
            if relation.level == "mention" and not (relation.head in known and relation.tail in known):
                for role, argument in (("head", relation.head), ("tail", relation.tail)):
                    if argument not in known:
                        yield InputError(
                            f"relation {relation.id!r}: its {role} {argument!r} is no mention of this document"
                        )

    def _ranges(self, length: int) -> Iterator[tuple[str, int, int]]:
        """The ranges, other than those of mentions, that leave the text."""
        for passage in self.passages:
            if not 0 <= passage.start <= passage.end <= length:
                yield f"passage {passage.kind!r}", passage.start, passage.end
        for label in self.labels:
            if not 0 <= label.start <= label.end <= length:
                yield f"label {label.name!r}", label.start, label.end
        for what, spans in (("sentence", self.sentences), ("token", self.tokens)):
            for start, end in spans:
                if not 0 <= start <= end <= length:
                    yield what, start, end
        for relation in self.relations:
            for start, end in relation.evidence:
                if not 0 <= start <= end <= length:
                    yield f"evidence of relation {relation.id!r}", start, end
        for question in self.questions:
            for start, end in question.spans:
                if not 0 <= start <= end <= length:
                    yield f"answer of question {question.id!r}", start, end


def _doubled(what: str, ids: list[str]) -> InputError:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            break
        seen.add(name)
    return InputError(f"two {what}s have the id {name!r}")

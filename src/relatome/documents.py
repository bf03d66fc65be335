"""What Relatome reads and writes: documents with mentions, relations, labels and questions.

Every offset, here and everywhere else in the library, is a half-open range of Unicode code points on ``Document.text``,
the original text: ``text[start:end]``. Bytes and UTF-16 units exist only inside a reader. Text is never rebuilt
from tokens. All records are frozen; change one with ``dataclasses.replace``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

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
        length = len(self.text)
        ranges: list[tuple[str, int, int]] = [(f"passage {p.kind!r}", p.start, p.end) for p in self.passages]
        ranges += [(f"label {label.name!r}", label.start, label.end) for label in self.labels]
        ranges += [("sentence", *span) for span in self.sentences] + [("token", *span) for span in self.tokens]
        ranges += [(f"evidence of relation {r.id!r}", *span) for r in self.relations for span in r.evidence]
        ranges += [(f"answer of question {q.id!r}", *span) for q in self.questions for span in q.spans]
        for what, start, end in ranges:
            if not 0 <= start <= end <= length:
                yield OffsetError(f"{what} has range {start}..{end}, but the text has {length} characters")
        for mention in self.mentions:
            parts = mention.fragments or (mention.span,)
            if any(not 0 <= start < end <= length for start, end in (*parts, mention.span)):
                yield OffsetError(
                    f"mention {mention.id!r} ({mention.text!r}) has range {mention.start}..{mention.end}, "
                    f"but the text has {length} characters"
                )
            elif (found := " ".join(self.text[start:end] for start, end in parts)) != mention.text:
                yield OffsetError(
                    f"mention {mention.id!r} at {mention.start}..{mention.end} should be {mention.text!r}, "
                    f"but the text there is {found!r}"
                )
        for what, ids in (
            ("mention", [mention.id for mention in self.mentions]),
            ("relation", [relation.id for relation in self.relations]),
            ("question", [question.id for question in self.questions]),
        ):
            if len(set(ids)) < len(ids):
                doubled = next(name for index, name in enumerate(ids) if name in ids[:index])
                yield InputError(f"two {what}s have the id {doubled!r}")
        known = {mention.id for mention in self.mentions}
        for relation in self.relations:
            for role, argument in (("head", relation.head), ("tail", relation.tail)):
                if relation.level == "mention" and argument not in known:
                    yield InputError(
                        f"relation {relation.id!r}: its {role} {argument!r} is no mention of this document"
                    )

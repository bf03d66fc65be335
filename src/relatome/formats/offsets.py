"""Does a mention stand where its file says? One check, and one message, for every standoff format.

A mention that does not fit rejects its document. A caller that would rather keep the document passes ``on_repair``:
a mention that differs only in letter case, blanks or punctuation keeps its offsets and takes the text that stands
there, any other is left out; either way the error is handed over, so that repairs are counted and never silent.
(In the public releases: 1 mention of NCBI disease, 39 of GNormPlus, 11 of NLM-Gene, 21 of tmVar 3, 4 of BC5CDR's BioC XML.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from relatome.documents import Document, Mention, Question, Relation, Span
from relatome.errors import InputError, OffsetError
from relatome.formats.files import OnReject

_R = TypeVar("_R", Mention, Relation, Question)


def fitted(
    text: str, spans: Sequence[Span], written: str, *, what: str = "mention", on_repair: OnReject | None = None
) -> str | None:
    """The text that stands at ``spans``, if it is what was written; fragments are joined by one blank.

    Parameters
    ----------
    text
        The document's text.
    spans
        Where the mention should stand; one, or several for a discontinuous mention.
    written
        What the file says stands there.
    what
        What to call it in the message.
    on_repair
        Told about a mention that does not fit; without it the error is raised.

    Returns
    -------
    str | None
        What stands there; ``None`` for a mention that must be left out.

    Raises
    ------
    OffsetError
        Both strings, and where the written one really stands.

    Examples
    --------
    >>> fitted("Lithium toxicity", [Span(0, 7)], "Lithium")
    'Lithium'
    >>> fitted("Lithium toxicity", [Span(1, 8)], "Lithium")
    Traceback (most recent call last):
    relatome.errors.OffsetError: mention at 1..8 should be 'Lithium', but the text there is 'ithium ' ('Lithium' stands at 0..7: its offsets are 1 too high)
    """
    place = " and ".join(f"{start}..{end}" for start, end in spans)
    if any(not 0 <= start < end <= len(text) for start, end in spans):
        problem = OffsetError(f"{what} {written!r} has range {place}, but the text has {len(text)} characters")
        found = ""
    else:
        found = " ".join(text[start:end] for start, end in spans)
        if found == written:
            return found
        problem = OffsetError(
            f"{what} at {place} should be {written!r}, but the text there is {found!r}",
            advice=_advice(text, spans, written),
        )
    if on_repair is None:
        raise problem
    on_repair(problem)
    return found if found and _letters(found) == _letters(written) else None


def mended(document: Document, *, on_repair: OnReject) -> Document:
    """A document whose every part fits its text; what does not is repaired or left out, and told.

    A range beyond the text is left out, and a mention like ``fitted`` does; a second mention, relation or question
    of one name gets a name of its own; a relation to a mention that is not there is left out.

    Examples
    --------
    >>> broken = Document("1", "Aspirin.", mentions=(Mention("T1", 1, 8, "Chemical", "Aspirin"),))
    >>> mended(broken, on_repair=lambda problem: None).mentions
    ()
    """
    length = len(document.text)

    def tell(problem: InputError) -> None:
        problem.at(document=document.id)
        on_repair(problem)

    def inside(what: str, start: int, end: int) -> bool:
        if 0 <= start <= end <= length:
            return True
        tell(OffsetError(f"{what} has range {start}..{end}, but the text has {length} characters: left out"))
        return False

    def named(what: str, records: Iterable[_R], letter: str) -> Iterator[_R]:
        names = {record.id for record in records}
        seen: set[str] = set()
        number = 0
        for record in records:
            name = record.id
            while name in seen:
                number += 1
                free = f"{letter}{number}"
                name = name if free in names or free in seen else free
            if name != record.id:
                tell(InputError(f"two {what}s have the id {record.id!r}: the second is now {name!r}"))
                record = replace(record, id=name)
            seen.add(name)
            yield record

    mentions: list[Mention] = []
    for mention in named("mention", document.mentions, "T"):
        parts = mention.fragments or (mention.span,)
        if mention.fragments and not 0 <= mention.start < mention.end <= length:
            mention = replace(mention, start=parts[0].start, end=parts[-1].end)
        found = fitted(document.text, parts, mention.text, what=f"mention {mention.id!r}", on_repair=tell)
        if found is not None:
            mentions.append(replace(mention, text=found))
    known = {mention.id for mention in mentions}
    relations: list[Relation] = []
    for relation in named("relation", document.relations, "R"):
        missing = {relation.head, relation.tail} - known if relation.level == "mention" else set()
        if missing:
            tell(
                InputError(
                    f"relation {relation.id!r} names {min(missing)!r}, which is no mention of this document: left out"
                )
            )
            continue
        evidence = tuple(span for span in relation.evidence if inside(f"evidence of relation {relation.id!r}", *span))
        relations.append(replace(relation, evidence=evidence))
    return replace(
        document,
        passages=tuple(p for p in document.passages if inside(f"passage {p.kind!r}", p.start, p.end)),
        mentions=tuple(mentions),
        relations=tuple(relations),
        labels=tuple(label for label in document.labels if inside(f"label {label.name!r}", label.start, label.end)),
        questions=tuple(
            replace(q, spans=tuple(span for span in q.spans if inside(f"answer of question {q.id!r}", *span)))
            for q in named("question", document.questions, "Q")
        ),
        sentences=tuple(span for span in document.sentences if inside("sentence", *span)),
        tokens=tuple(span for span in document.tokens if inside("token", *span)),
    )


def _advice(text: str, spans: Sequence[Span], written: str) -> str:
    """Where the mention really stands, nearest to where it should: most often one character off."""
    start = spans[0].start
    near = [
        place for place in (text.rfind(written, 0, start + len(written) - 1), text.find(written, start)) if place >= 0
    ]
    if not written or not near or len(spans) > 1:
        return "correct the offsets or the text; offsets count characters, not bytes"
    place = min(near, key=lambda place: abs(place - start))
    if place == start:
        return f"{written!r} stands at {place}..{place + len(written)}: its end is wrong"
    return f"{written!r} stands at {place}..{place + len(written)}: its offsets are {abs(start - place)} too {'high' if start > place else 'low'}"


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())

"""Which mentions of a document are one thing: by the ids they carry, by abbreviations, by how they are written.

A corpus that links its mentions (MeSH, NCBI Gene) says so itself. Where there are no ids, mentions of one type are one
concept if they are written alike, but for case, hyphens, blanks and a plural's s, or if the text introduces one as the
abbreviation of the other: "transforming growth factor (TGF)". That joins no synonyms, so a thing of two names stays two.

References
----------
Schwartz & Hearst 2003, "A simple algorithm for identifying abbreviation definitions in biomedical text", PSB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from relatome.documents import Document, Mention, Span

UNLINKED = frozenset({"", "-", "-1"})
"""What corpora write where they found no id for a mention."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing and where the document names it.

    Parameters
    ----------
    id
        The corpus's own, or made of the type and the first name: ``"Disease:renal failure"``.
    type
        Of its first mention.
    mentions
        In the order of the text; a composite mention ("breast and ovarian cancer") is one of several concepts.
    """

    id: str
    type: str
    mentions: tuple[Mention, ...]


def of(document: Document) -> tuple[Concept, ...]:
    """The document's concepts, in the order in which they are first named.

    Where any mention carries an id, ids decide, and mentions without one are no concept; else `named` decides.

    Examples
    --------
    >>> text = "Interleukin 6 (IL-6) rose; IL6 fell."
    >>> places = ((0, 13), (15, 19), (27, 30))
    >>> found = tuple(Mention(f"T{n}", a, b, "Gene", text[a:b]) for n, (a, b) in enumerate(places))
    >>> [(concept.id, len(concept.mentions)) for concept in of(Document("1", text, mentions=found))]
    [('Gene:interleukin 6', 3)]
    """
    linked = document if is_linked(document) else named(document)
    found: dict[str, list[Mention]] = {}
    for mention in sorted(linked.mentions, key=lambda one: (one.start, one.end)):
        for identity in dict.fromkeys(mention.concepts):
            if identity not in UNLINKED:
                found.setdefault(identity, []).append(mention)
    return tuple(Concept(identity, some[0].type, tuple(some)) for identity, some in found.items())


def is_linked(document: Document) -> bool:
    """Whether any mention carries an id that says what it is."""
    return any(identity not in UNLINKED for mention in document.mentions for identity in mention.concepts)


def named(document: Document) -> Document:
    """The document with the ids of its mentions made from how they are written, in place of those they had.

    Examples
    --------
    >>> document = Document("1", "Rashes.", mentions=(Mention("T1", 0, 6, "Disease", "Rashes"),))
    >>> named(document).mentions[0].concepts
    ('Disease:rashes',)
    """
    names: dict[tuple[str, str], str] = {}  # type and form -> the name it is known by
    long_forms = {_form(short): document.text[long.start : long.end] for short, long in _abbreviations(document.text)}
    made = {}
    for mention in sorted(document.mentions, key=lambda one: (one.start, one.end)):
        form = _form(mention.text)
        if form in long_forms:
            whole = _form(long_forms[form])
            # "activated partial thromboplastin time" may have been marked without its first words, or with more
            form = next((other for kind, other in names if kind == mention.type and _alike(other, whole)), form)
        name = names.setdefault((mention.type, form), " ".join(mention.text.lower().split()))
        made[mention.id] = f"{mention.type}:{name}"
    return replace(document, mentions=tuple(replace(one, concepts=(made[one.id],)) for one in document.mentions))


def abbreviations(text: str) -> list[tuple[Span, Span]]:
    """Abbreviations with what they stand for, as the text introduces them: ``long form (SHORT)`` or ``SHORT (long form)``.

    Examples
    --------
    >>> text = "Renal failure (RF) and TNF (tumor necrosis factor) were seen (n = 3)."
    >>> [(text[a:b], text[c:d]) for (a, b), (c, d) in abbreviations(text)]
    [('RF', 'Renal failure'), ('TNF', 'tumor necrosis factor')]
    """
    found = []
    for match in _BRACKET.finditer(text):
        start, end = match.span(1)
        inside = text[start:end]
        cut = re.search(r"[;,]", inside)
        short = Span(start, start + cut.start()) if cut else Span(start, end)
        if _is_short(text[short.start : short.end].strip()):
            long = _long_before(text, match.start(), text[short.start : short.end].strip())
            if long is not None:
                found.append((short, long))
                continue
        before = re.search(r"(\S+)\s*\Z", text[max(0, match.start() - 20) : match.start()])
        if before and _is_short(before[1]) and len(inside) > len(before[1]):
            place = max(0, match.start() - 20) + before.start(1)
            begin = _aligned(before[1], inside)
            if begin is not None:
                found.append((Span(place, place + len(before[1])), Span(start + begin, end)))
    return found


def _abbreviations(text: str) -> Iterator[tuple[str, Span]]:
    for short, long in abbreviations(text):
        yield text[short.start : short.end], long


def _is_short(form: str) -> bool:
    """Two to ten characters, at most two words, a letter among them, a letter or digit first."""
    return 2 <= len(form) <= 10 and len(form.split()) <= 2 and form[0].isalnum() and any(one.isalpha() for one in form)


def _long_before(text: str, at: int, short: str) -> Span | None:
    """The long form that ends before a bracket: of at most min(n + 5, 2n) words, n being the short form's letters."""
    words = [match.span() for match in re.finditer(r"\S+", text[max(0, at - _FAR) : at])]
    words = words[-min(len(short) + 5, 2 * len(short)) :]
    if not words:
        return None
    first, end = max(0, at - _FAR) + words[0][0], max(0, at - _FAR) + words[-1][1]
    begin = _aligned(short, text[first:end])
    return None if begin is None else Span(first + begin, end)


def _aligned(short: str, long: str) -> int | None:
    """Where in ``long`` the shortest form begins whose letters, from the right, are those of ``short``.

    The first letter has to begin a word. Schwartz and Hearst's ``findBestLongForm``.
    """
    at = len(long) - 1
    for index in range(len(short) - 1, -1, -1):
        letter = short[index].lower()
        if not letter.isalnum():
            continue
        while at >= 0 and (long[at].lower() != letter or (index == 0 and at > 0 and long[at - 1].isalnum())):
            at -= 1
        if at < 0:
            return None
        at -= 1
    begin = max(long.rfind(" ", 0, at + 1), long.rfind("-", 0, at + 1)) + 1
    found = long[begin:]
    return begin if len(found) > len(short) and short.lower() not in found.lower().split() else None


def _form(text: str) -> str:
    """A name without what does not tell two things apart."""
    bare = re.sub(r"[\s\-‐-–_/,.'’()]+", "", text.lower())
    return bare[:-1] if len(bare) > 4 and bare.endswith("s") and not bare.endswith(("ss", "us", "is")) else bare


def _alike(marked: str, long: str) -> bool:
    """Whether a marked name is the long form, or it with words more or fewer in front."""
    return marked == long or (len(marked) > 4 and long.endswith(marked)) or (len(long) > 4 and marked.endswith(long))


_FAR = 200  # characters before a bracket that are looked at
_BRACKET = re.compile(r"\(([^()]{2,100})\)")

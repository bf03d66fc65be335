"""Negation and speculation: the cues of a sentence, what each speaks of, and which relations it denies or doubts.

Rules, no model, after NegEx and ConText (Chapman et al. 2001, https://doi.org/10.1006/jbin.2001.1029; Harkema et al.
2009): a cue is a phrase of a lexicon, and its scope the words after (or before) it up to a clause's end, or as many as
its kind reaches. Those two judge a finding; here a *relation* is judged, so it counts where the cue stands: in "X
did not inhibit Y, which binds Z" the cue speaks of X and Y, not of Y and Z. Where it could be read either way the
relation is left as it is, because a curator who is shown a fact too many strikes it out, and one who is not shown it
never knows. The lexicon is data: ``negation.toml`` beside this file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

from relatome import sentences
from relatome.documents import Document, Relation, Span

Kind = Literal["negation", "speculation"]
KINDS: tuple[Kind, ...] = ("negation", "speculation")
ATTRIBUTES = tuple(name for kind in KINDS for name in (kind, f"{kind}_span"))
"""What a relation's cues are called among its attributes."""
DENYING = frozenset({"NOT"})
"""Relation types that say that there is no relation."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase that denies or doubts.

    Parameters
    ----------
    kind
        ``"negation"`` or ``"speculation"``.
    way
        Which relations it speaks of: ``verb``, ``all``, ``near``, ``one`` or ``after``; see ``negation.toml``.
    start, end
        Of the phrase.
    before, after
        The words it speaks of on either side; empty ranges where it speaks of none there.
    """

    kind: Kind
    way: str
    text: str
    start: int
    end: int
    before: Span
    after: Span

    @property
    def span(self) -> Span:
        """``Span(start, end)``."""
        return Span(self.start, self.end)


def cues(text: str, start: int = 0) -> list[Cue]:
    """The cues of one sentence, in order.

    Parameters
    ----------
    text
        The sentence.
    start
        Where it begins in its document: added to every offset.

    Examples
    --------
    >>> [(cue.kind, cue.text, cue.start) for cue in cues("Aspirin did not only help, it may not harm.")]
    [('speculation', 'may', 30), ('negation', 'may not', 30)]
    >>> cue = cues("Aspirin did not inhibit COX-3, and lithium was safe.")[0]
    >>> "Aspirin did not inhibit COX-3, and lithium was safe."[cue.after.start : cue.after.end]
    'inhibit COX-3'
    """
    lexicon = load()
    words = [Span(*match.span()) for match in _WORD.finditer(text)]
    found = []
    for kind in KINDS:
        for match in lexicon.patterns[kind].finditer(text):
            way = lexicon.way(kind, match.group())
            if way is None or not _is_spelled_so(text, match):
                continue
            reach = lexicon.reach[kind, way]
            after = _scope(
                text, [word for word in words if word.start >= match.end()][:reach], match.end(), lexicon, way
            )
            before = _back(text, [word for word in words if word.end <= match.start()][-reach:], match.start(), lexicon)
            found.append(
                Cue(
                    kind, way, match.group(), match.start() + start, match.end() + start,
                    _moved(before if way == "after" else Span(match.start(), match.start()), start), _moved(after, start),
                )
            )  # fmt: skip
    return sorted(found, key=lambda cue: (cue.start, cue.end))


def of_pair(found: Iterable[Cue], one: Span, other: Span, text: str, start: int = 0) -> dict[Kind, Cue]:
    """Of a sentence's cues, the first that denies and the first that doubts a relation between two ranges.

    Parameters
    ----------
    found
        As `cues` gives them.
    one, other
        The two arguments, in either order.
    text, start
        The sentence, and where it begins.

    Examples
    --------
    >>> text = "No inhibition of COX-2 by naloxone was seen, but lithium may block it."
    >>> {kind: cue.text for kind, cue in of_pair(cues(text), Span(17, 22), Span(26, 34), text).items()}
    {'negation': 'No'}
    >>> of_pair(cues(text), Span(17, 22), Span(49, 56), text)
    {}
    """
    first, later = sorted((one, other))
    between = text[first.end - start : later.start - start] if first.end < later.start else ""
    chosen: dict[Kind, Cue] = {}
    for cue in found:
        if cue.kind not in chosen and _speaks_of(cue, first, later, between):
            chosen[cue.kind] = cue
    return chosen


def mark(document: Document) -> Document:
    """The document with each relation's cues among its attributes, whoever found the relation.

    ``negation`` and ``speculation`` are the cue as it is written, ``negation_span`` and ``speculation_span`` its
    ``[start, end]``. A relation between concepts is denied, or doubted, where it is in every sentence that names both.
    What a relation carried under these names before is replaced.

    Examples
    --------
    >>> from relatome.documents import Mention
    >>> text = "Naloxone failed to block OPRM1."
    >>> ends = (Mention("T1", 0, 8, "Chemical", "Naloxone"), Mention("T2", 25, 30, "Gene", "OPRM1"))
    >>> document = Document("1", text, mentions=ends, relations=(Relation("R1", "ANTAGONIST", "T1", "T2"),))
    >>> mark(document).relations[0].attributes
    {'negation': 'failed to', 'negation_span': [9, 18]}
    """
    if not document.relations:
        return document
    bounds: list[tuple[Span, ...]] = []  # found when they are asked for: most relations say where their sentence is
    read: dict[Span, list[Cue]] = {}
    places: dict[str, list[Span]] = {}
    for mention in document.mentions:
        for name in (mention.id, *(f"concept {concept}" for concept in mention.concepts)):
            places.setdefault(name, []).append(mention.span)

    def marked(relation: Relation) -> Relation:
        nonlocal bounds
        prefix = "concept " if relation.level == "concept" else ""
        judged: list[dict[Kind, Cue]] = []
        for one, other in product(places.get(prefix + relation.head, ()), places.get(prefix + relation.tail, ())):
            around = _around(relation.evidence, one, other)
            if around is None:
                bounds = bounds or [sentences.of(document)]
                around = _around(bounds[0], one, other)
            if around is None:
                continue
            text = document.text[around.start : around.end]
            if around not in read:
                read[around] = cues(text, around.start)
            judged.append(of_pair(read[around], one, other, text, around.start))
        attributes = {key: value for key, value in relation.attributes.items() if key not in ATTRIBUTES}
        for kind in KINDS:
            if judged and all(kind in one for one in judged):
                cue = judged[0][kind]
                attributes |= {kind: cue.text, f"{kind}_span": [cue.start, cue.end]}
        return replace(relation, attributes=attributes) if attributes != relation.attributes else relation

    return replace(document, relations=tuple(map(marked, document.relations)))


def is_negated(relation: Relation) -> bool:
    """Whether the relation carries a cue that denies it, or is of a type that says so itself (ChemProt's ``NOT``).

    Examples
    --------
    >>> is_negated(Relation("R1", "CID", "T1", "T2", attributes={"negation": "no", "negation_span": [0, 2]}))
    True
    """
    return relation.type in DENYING or bool(relation.attributes.get("negation"))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The phrases of ``negation.toml``, and what ends a scope.

    Parameters
    ----------
    version
        Changes whenever a phrase does.
    patterns
        By kind, all its phrases and those that only look like them, the longest first.
    ways
        By kind and phrase; ``None`` for one that only looks like a cue.
    reach
        By kind and way, in words.
    """

    version: str
    patterns: Mapping[str, re.Pattern[str]]
    ways: Mapping[tuple[str, str], str | None]
    reach: Mapping[tuple[str, str], int]
    ends: frozenset[str]
    finite: frozenset[str]
    spared: frozenset[str]
    joins: frozenset[str]
    prepositions: frozenset[str]
    presupposed: frozenset[str]

    def way(self, kind: str, written: str) -> str | None:
        """The way of a phrase as it is written."""
        return self.ways[kind, " ".join(written.lower().replace("’", "'").split())]

    def is_finite(self, word: str) -> bool:
        """Whether a word is, as far as its looks go, the verb of a clause."""
        return word in self.finite or (len(word) > 4 and word.endswith("ed") and word not in self.spared)


@cache
def load() -> Lexicon:
    """The lexicon in the package."""
    values: dict[str, Any] = tomllib.loads((Path(__file__).parent / "negation.toml").read_text(encoding="utf-8"))
    ways: dict[tuple[str, str], str | None] = {}
    reach: dict[tuple[str, str], int] = {}
    patterns: dict[str, re.Pattern[str]] = {}
    for kind in KINDS:
        ways |= {(kind, phrase): None for written in values["pseudo"] for phrase in _spelled_out(written)}
        for table in values[kind]:
            reach[kind, table["way"]] = table["reach"]
            ways |= {(kind, phrase): table["way"] for written in table["phrases"] for phrase in _spelled_out(written)}
        phrases = sorted((phrase for one, phrase in ways if one == kind), key=len, reverse=True)
        inner = "|".join(re.escape(one).replace(r"\ ", r"\s+").replace("'", "['’]") for one in phrases)
        patterns[kind] = re.compile(rf"(?<![\w-])(?:{inner})(?![\w-])", re.IGNORECASE)
    limits = {name: frozenset(words) for name, words in values["limits"].items()}
    return Lexicon(values["version"], patterns, ways, reach, **limits)


def _spelled_out(written: str) -> Iterator[str]:
    """Every phrase that one with slashes stands for."""
    for choice in product(*(word.split("/") for word in written.split(" "))):
        yield " ".join(choice)


def _is_spelled_so(text: str, match: re.Match[str]) -> bool:
    """Whether a phrase is written as a word is: NO is nitric oxide, May a month, and neither is a cue."""
    written = match.group()
    opens = not text[: match.start()].strip(" \t\r\n([\"'“")
    return written.islower() or (opens and written[0].isupper() and written[1:].islower())


def _speaks_of(cue: Cue, first: Span, later: Span, between: str) -> bool:
    """Whether a cue denies or doubts a relation of two ranges, the one that stands first being ``first``."""
    if (cue.start < first.end and first.start < cue.end) or (cue.start < later.end and later.start < cue.end):
        return False  # a part of a name
    if cue.end <= first.start:
        if cue.way == "one":
            return _holds(cue.after, first) and not _holds(cue.after, later)
        if cue.way in ("verb", "after") or not (_holds(cue.after, first) and _holds(cue.after, later)):
            return False
        return not _presupposed().search(between) or first.start - cue.end <= 1
    if cue.start < later.start:
        return _holds(cue.after, later)
    return cue.way == "after" and _holds(cue.before, first) and _holds(cue.before, later)


@cache
def _presupposed() -> re.Pattern[str]:
    words = "|".join(sorted(load().presupposed))
    return re.compile(rf"^\s*[-‐-–]?\s*(?:{words})\b|\b(?:{words}) by\b")


def _scope(text: str, words: Sequence[Span], start: int, lexicon: Lexicon, way: str) -> Span:
    """The words after a cue that it speaks of: to the end of its clause."""
    depth, end, verbs = 0, start, 0
    for number, (first, last) in enumerate(words):
        word = text[first:last].lower()
        if word in "([":
            depth += 1
        elif word in ")]":
            depth -= 1
            if depth < 0:
                break
        if depth > 0:  # a remark: neither its commas nor its verbs are the clause's
            end = last
            continue
        if word in ";:.?!" or word in lexicon.ends:
            break
        if word == "," or word in lexicon.joins:
            if way in ("one", "near") and word != "or" and not _is_list(text, words[number + 1 :], lexicon):
                break
            if verbs and way == "all":
                break  # "no tremor occurred, and X ..."
            if _new_clause(text, words[number + 1 :], lexicon):
                break
        elif lexicon.is_finite(word):
            if way in ("one", "near"):
                break
            verbs += 1
        if word not in ",/-–" and word not in lexicon.joins:  # what a scope ends before is no part of it
            end = last
    return Span(min(words[0].start, end), end) if words and end > start else Span(start, start)


def _is_list(text: str, words: Sequence[Span], lexicon: Lexicon) -> bool:
    """Whether what follows a comma or "and" is a few words and then another: "A, B, and C"."""
    for number, (first, last) in enumerate(words[:5]):
        word = text[first:last].lower()
        if lexicon.is_finite(word) or word in ";:.?!":
            return word in ";:.?!"
        if number and (word == "," or word in lexicon.joins):
            return True
    return len(words) < 5


def _new_clause(text: str, words: Sequence[Span], lexicon: Lexicon) -> bool:
    """Whether a verb follows soon, before a preposition or another comma: a clause begins, not an item of a list."""
    for first, last in words[:5]:
        word = text[first:last].lower()
        if lexicon.is_finite(word):
            return True
        if word in lexicon.prepositions or word in ",;:.()[]" or word in lexicon.joins:
            return False
    return False


def _back(text: str, words: Sequence[Span], end: int, lexicon: Lexicon) -> Span:
    """The words before a cue that it speaks of: back to the beginning of its clause."""
    start, depth = end, 0
    for first, last in reversed(words):
        word = text[first:last].lower()
        depth += (word in ")]") - (word in "([")
        if depth < 0:
            break
        if depth == 0 and (word in ";:.?!" or word in lexicon.ends or lexicon.is_finite(word)):
            break
        start = first
    return Span(start, end)


def _around(bounds: Sequence[Span], one: Span, other: Span) -> Span | None:
    """The sentence that holds both ranges."""
    first, last = min(one.start, other.start), max(one.end, other.end)
    return next((span for span in bounds if span.start <= first and last <= span.end), None)


def _holds(outer: Span, inner: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)


_WORD = re.compile(r"\w+(?:[-'’/]\w+)*|[^\w\s]")

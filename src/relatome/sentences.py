"""Where sentences end in biomedical text, as ranges over the original text.

Rules, no model: every full stop, question and exclamation mark is a candidate, found by one compiled pattern and
judged by what stands directly around it. General-English splitters end a sentence after ``et al.``, ``pv.``, ``E.`` or
``i.p.`` and separate the two arguments of a relation; where a stop could be either, these rules do not split, because
a sentence too long costs a little context and a sentence too short costs the relation. One pass, linear in the text.

Gold mentions do not influence the split unless asked for: a split that knows where the mentions are tells the model
something a raw text would not. What splitting loses is measured instead (``scoring.budget``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from relatome.documents import Document, Span

VERSION = "2"
"""Changes whenever a rule does: part of every signature and cache key that depends on sentences."""


LONGEST = 2000
"""Characters of the longest sentence; what has no end for longer (a table, a sequence, a broken file) is cut at a blank.

It bounds what is read at once, in time and memory: the pairs of mentions of one sentence grow with its square.
"""


def split(text: str, *, keep: Sequence[Span] = (), breaks: Sequence[int] = ()) -> list[Span]:
    """The sentences of ``text``, in order, as half-open ranges.

    Parameters
    ----------
    text
        Any text; line ends and tabs are blanks, a blank line is always a boundary.
    keep
        Ranges, such as mentions, that no boundary may fall into: stronger than every rule and than ``breaks``.
    breaks
        Offsets where a sentence ends whatever the text looks like: where a title, an abstract, a section starts.

    Returns
    -------
    list of Span
        No range begins or ends with white space, none is empty or overlaps another, and all that is not
        white space is in one of them.

    Examples
    --------
    >>> text = "Growth of E. coli fell (p < 0.05). Drugs were given i.p. to mice."
    >>> [text[start:end] for start, end in split(text)]
    ['Growth of E. coli fell (p < 0.05).', 'Drugs were given i.p. to mice.']
    """
    kept = _merged(keep)
    sentences: list[Span] = []
    start = 0
    for first, last in _segments(text, kept, breaks):
        start = first
        for end, following in _stops(text, first, last):
            if not _inside(kept, end, following):
                _append(sentences, text, start, end, kept)
                start = following
        _append(sentences, text, start, last, kept)
    return sentences


def of(document: Document, *, keep_mentions: bool = False) -> tuple[Span, ...]:
    """The document's own sentences, or where it has none, those of its text split at its passages.

    Parameters
    ----------
    keep_mentions
        Never split inside a mention. Right where mentions are given (a curator's, a tagger's own); wrong in an
        evaluation, where gold mentions would tell the split what raw text does not: so not the default.

    Examples
    --------
    >>> of(Document("1", "Aspirin helps. It also harms."))
    (Span(start=0, end=14), Span(start=15, end=29))
    """
    if document.sentences:
        return document.sentences
    keep = [mention.span for mention in document.mentions] if keep_mentions else []
    breaks = [offset for passage in document.passages for offset in (passage.start, passage.end)]
    return tuple(split(document.text, keep=keep, breaks=breaks))


def _append(sentences: list[Span], text: str, start: int, end: int, kept: tuple[list[int], list[int]]) -> None:
    """Add ``text[start:end]`` without the white space around it; what is longer than a sentence can be, in parts."""
    while start < end:
        cut = end if end - start <= LONGEST else _cut(text, start, end, kept)
        piece = text[start:cut]
        stripped = piece.strip()
        if stripped:
            first = start + len(piece) - len(piece.lstrip())
            sentences.append(Span(first, first + len(stripped)))
        start = cut


def _cut(text: str, start: int, end: int, kept: tuple[list[int], list[int]]) -> int:
    """Where the first part of a text that is too long ends: at a late blank, else anywhere, never in a kept range."""
    last = start + LONGEST
    for at in range(last - 1, last - LONGEST // 2, -1):
        if text[at].isspace() and not _inside(kept, at, at + 1):
            return at
    starts, ends = kept
    index = bisect_left(starts, last) - 1
    return min(end, ends[index]) if index >= 0 and ends[index] > last else last


def _merged(keep: Sequence[Span]) -> tuple[list[int], list[int]]:
    """Starts and ends of the union of ``keep``, sorted, so that one bisection answers for all of them."""
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(keep):
        if ends and start < ends[-1]:
            ends[-1] = max(ends[-1], end)
        elif start < end:
            starts.append(start)
            ends.append(end)
    return starts, ends


def _inside(kept: tuple[list[int], list[int]], end: int, following: int) -> bool:
    """Whether a boundary between ``end`` and ``following`` would take something off a kept range."""
    starts, ends = kept
    index = bisect_left(starts, following) - 1
    return index >= 0 and ends[index] > end


def _segments(text: str, kept: tuple[list[int], list[int]], breaks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges between the boundaries that no rule can remove: breaks and blank lines."""
    cuts = {(offset, offset) for offset in breaks if 0 < offset < len(text)}
    cuts.update(match.span() for match in _BLANK_LINE.finditer(text))
    start = 0
    for end, following in sorted(cuts):
        if not _inside(kept, end, following):
            yield start, end
            start = end  # the white space itself is stripped later; a break may lie inside it
    yield start, len(text)


def _stops(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Boundaries in ``text[first:last]``: where a sentence ends and where the next one starts.

    A stop inside brackets is held back until the bracket closes: then it is dropped, unless the bracket proves long
    enough to hold sentences of its own, or never closes.
    """
    found: list[tuple[int, int]] = []
    opened: list[int] = []
    start = first
    for match in _CANDIDATE.finditer(text, first, last):
        at = match.start()
        if match.lastgroup == "open":
            opened.append(at)
            continue
        if match.lastgroup == "close":
            if opened and _PAIRS[text[opened[-1]]] == text[at]:
                start = _forget(found, opened.pop(), at, start, first)
            continue
        bracket = -1
        for closer in match["closers"] or "":
            if closer in ")]" and opened and _PAIRS[text[opened[-1]]] == closer:
                bracket = opened.pop()
                start = _forget(found, bracket, at, start, first)
        end, following = match.end("stop"), match.end()
        if _is_boundary(text, start, at, end, following, last, bracket):
            found.append((end, following))
            start = following
    yield from found


def _forget(found: list[tuple[int, int]], opened: int, closed: int, start: int, first: int) -> int:
    """Drop the stops inside a bracket that is no longer than one remark; the start of the sentence now open."""
    if closed - opened <= _LONG_BRACKET:
        while found and found[-1][0] > opened:
            found.pop()
        return found[-1][1] if found else first
    return start


def _is_boundary(text: str, start: int, at: int, end: int, following: int, last: int, bracket: int) -> bool:
    """Whether the stop at ``at`` ends the sentence that began at ``start``; ``following`` is the next character."""
    upcoming = _NEXT.match(text, following, min(last, following + _LOOK))
    if upcoming is None:
        return False
    word = upcoming["word"]
    mark = text[upcoming.end() : upcoming.end() + 1]
    starter = (word in _STARTERS and mark != ".") or (word.isupper() and mark == ":")  # not the A of "Lee, K. A."
    if bracket > start and text[at] == "." and not starter:
        return False  # "(10 mg i.p.) Rats": the stop is the remark's, not the sentence's
    if text[at] != "." or (at + 1 < end and text[at + 1] == "."):
        return not word[0].islower()
    before = text[max(start, at - _LOOK) : at].split()
    token = before[-1].lstrip("([{\"'“‘") if before else ""
    if not token or _LABEL.fullmatch(text, start, at):
        return False
    previous = before[-2] if len(before) > 1 else ""
    return _may_end(token, previous, word, starter, opens=at - len(token) <= start)


def _may_end(token: str, previous: str, word: str, starter: bool, opens: bool) -> bool:
    """Whether a full stop right after ``token`` ends a sentence, where the next one would begin with ``word``.

    Parameters
    ----------
    previous
        What stands before ``token``.
    starter
        ``word`` is one that sentences begin with, such as "The", and names do not.
    opens
        ``token`` itself begins the sentence.
    """
    lowered = token.lower()
    if token.isupper() and len(token) > 1 and lowered not in _ALSO_IN_CAPITALS:
        lowered = token  # "treatment of ED.", "patients with CF.": no abbreviation of the lists below
    if word[0].islower() and not (_MIXED.match(word) and _CLEAR.search(token) and lowered not in _ABBREVIATIONS):
        return False
    if lowered in _NEVER_LAST:
        return False
    if lowered in _UNITS and previous[-1:].isdigit():
        return True  # "for 30 min. Hippocampal"
    if lowered in _BEFORE_NUMBER:
        return not (word[0].isdigit() or len(word) == 1 or _NUMBER_LIKE.fullmatch(word))
    if lowered in _MAYBE_LAST or _DOTTED.fullmatch(token):
        return starter
    if _NUMERAL.fullmatch(token):
        if opens or previous[-1:] in (":", ";", ","):
            return False  # a list's "1. The", "as follows: 2. The"
        return not (word[0].isdigit() and len(token) == 1)  # "0. 05", as some old records have it
    if len(token) == 1 and token.isalpha():
        return _letter_may_end(token, previous, word, starter, opens)
    return True


def _letter_may_end(token: str, previous: str, word: str, starter: bool, opens: bool) -> bool:
    """The same for a single letter: an initial ("E. coli", "J. Smith"), or a name's last part ("vitamin C.")."""
    if token.islower():
        return starter
    if opens:
        return False
    if len(previous) > 5 and len(word) > 2 and previous.endswith(_LETTERED_ENDINGS):
        return True  # "cathepsin B. Caspases"
    return starter or previous.lower() in _BEFORE_LETTER or (token == "C" and previous[-1:].isdigit())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LONG_BRACKET = 300  # characters: a longer one holds sentences of its own, or was never meant to close here
_LOOK = 40  # characters looked at on either side of a stop: no token that decides anything is longer
_PAIRS = {"(": ")", "[": "]"}

_BLANK_LINE = re.compile(r"\n\s*\n|\u2029|\f")

# A run of stops is entered only at its first character, so that a line of a million dots stays linear.
_CANDIDATE = re.compile(
    r"""
    (?P<open>[(\[])
    | (?P<close>[)\]])
    | (?P<stop>
        (?<![.?!])[.?!]+(?P<closers>[)\]}"'”’»]*)(?=\s)     # a stop, then white space
      | (?<=[a-z]{3})\.(?=[A-Z][a-z]*[\s,:])                # "ended.The next", as some records have it
      | (?<=[a-z]{3})\.\d{1,3}(?:[,–-]\d{1,3}){0,9}(?=\s+[A-Z])  # "ended.12,13 The next": references
      )\s*
    """,
    re.VERBOSE,
)
# What the next sentence would begin with, behind brackets, quotes and signs.
_NEXT = re.compile(r"[(\[{\"'“‘«<>±+*•–—/)-]*\s*(?P<word>[^\W_][\w'’-]*)")

# Words that begin a sentence in lower case: mRNA, p53, beta4, p-Toluenesulfonate, α-synuclein, c-fos.
_MIXED = re.compile(r"[a-z]{1,3}[A-Z0-9]|[a-z]+(?:\d|-[A-Z])|[α-ω]-?[A-Za-z0-9]|c-[A-Za-z]")
# Tokens that only a sentence's end puts a stop after.
_CLEAR = re.compile(r"(?:[a-z]{3}|[A-Z]{2}|[0-9%)\]])[\"'”’)\]]*\Z")
_DOTTED = re.compile(r"[A-Za-z](?:\.-?[A-Za-z]){1,4}")
_NUMERAL = re.compile(r"\d{1,2}|[ivx]{1,4}|[IVX]{2,4}")
_NUMBER_LIKE = re.compile(r"[IVX]+[a-c]?|[A-Z]\d{1,3}[A-Za-z]?")
# A structured abstract's heading with a stop for a colon is no sentence of its own: "METHODS. Rats were fed."
_LABEL = re.compile(
    r"\s*(?:backgrounds?|aims?|objectives?|purpose|introduction|context|setting|design|"
    r"(?:materials?|patients?|subjects)(?:\s(?:and|&)\smethods?)?|methods?|methodology|interventions?|measurements?|results?|findings|discussion|"
    r"conclusions?|significance|summary|importance|rationale|hypothesis|case\s(?:report|summary|presentation)|"
    r"study\sdesign|main\soutcome\smeasures?)"
    r"(?:(?:\s(?:and|&)\s|/)(?:backgrounds?|aims?|objectives?|purpose|design|methods?|results?|findings|discussion|"
    r"conclusions?|significance|setting|relevance|importance))?",
    re.IGNORECASE,
)

# Abbreviations that something always follows.
_NEVER_LAST = _words(
    "e.g i.e eg ie vs v.s versus fig figs dr drs prof mr mrs ms mme st ste cf ca c.a approx viz subsp ssp subspp bv pv "
    "f.sp var nr ibid"
)
# Abbreviations only before a number, a single letter or the like; also ordinary words.
_BEFORE_NUMBER = _words("no nos vol pp p ref refs eq eqs eqn tab suppl sect sec ch chap cat ver exp expt grp pt")
# Abbreviations that can end a sentence: they do where the next word is a starter.
_MAYBE_LAST = _words(
    "al etc sp spp cv resp inc ltd co corp bros univ dept gen nov comb syn jr sr hr hrs min max avg wt vol conc temp "
    "int ext mol soln i.v i.p i.m s.c p.o b.i.d t.i.d q.i.d q.d u.s u.k u.s.a d.c a.m p.m n.s s.d s.e s.e.m o.d "
    "i.c.v i.t i.d i.n i.g v/v w/v b.w bw sci med biol chem res proc natl acad j am nat jan feb aug sept oct nov "
    "dec assoc ed eds trans aq"
)
# Of all these, the ones that stay abbreviations in capitals: "ED." and "CF." end sentences, "FIG." does not.
_ALSO_IN_CAPITALS = _words("fig figs no nos vol vs st dr i.v i.p i.m s.c p.o u.s u.k u.s.a e.g i.e")
_LETTERED_ENDINGS = ("in", "ins", "ine", "ase", "or", "ide")
_UNITS = _words("min h hr hrs s sec d wk yr ml l kg g mg mm cm nm in")
_ABBREVIATIONS = _NEVER_LAST | _BEFORE_NUMBER | _MAYBE_LAST
_BEFORE_LETTER = _words(
    "vitamin vitamins hepatitis group groups type types subtype factor protein class grade stage phase part arm panel "
    "experiment influenza virus antigen cyclosporin cyclosporine ciclosporin mitomycin amphotericin immunoglobulin "
    "coenzyme provitamin botulinum toxin kinase domain subunit serotype allele genotype haplotype patient case cohort "
    "drug compound and or degrees degree ° deg"
)
# Words that begin sentences and are not a name's second part.
_STARTERS = _words(
    "A Additionally After All Also Although Among An Analysis And Animals Another Any As At Background Based Because "
    "Before Besides Both But By Compared Conclusion Conclusions Consequently Conversely Data Despite Does Drug "
    "During Each Early Eight Eighteen Eleven Even Evidence Except Finally First Five Following For Four Fourteen "
    "From Further Furthermore Group Groups He Hence Her Here His How However If Importantly In Increased Indeed "
    "Interestingly Is It Its Like Low Mean Method Methods Mice More Moreover Most Neither Nevertheless Nine No None "
    "Nonetheless Not Notably Objective Of On Once One Only Or Other Our Out Over Overall Patient Patients Previous "
    "Rats Recent Recently Result Results Second Secondly Seven Several She Similar Similarly Since Six Some "
    "Specifically Subjects Subsequent Subsequently Such Ten That The Their Then There Therefore These They Thirdly "
    "This Those Though Three Through Thus To Together Treatment Twelve Twenty Two Under Unlike Until Upon Using Was "
    "We Were What When Where Whereas Whether Which While Who With Within Without Yet"
)

"""Does a mention stand where its file says? One check, and one message, for every standoff format.

A mention that does not fit rejects its document. A caller that would rather keep the document passes ``on_repair``:
a mention that differs only in letter case, blanks or punctuation keeps its offsets and takes the text that stands
there, any other is left out; either way the error is handed over, so that repairs are counted and never silent.
(In the public releases: 1 mention of NCBI disease, 39 of GNormPlus, 11 of NLM-Gene, 21 of tmVar 3, 4 of BC5CDR's BioC XML.)
"""

from __future__ import annotations

from collections.abc import Sequence

from relatome.documents import Span
from relatome.errors import OffsetError
from relatome.formats.files import OnReject


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

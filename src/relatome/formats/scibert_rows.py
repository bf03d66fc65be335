"""SciBERT's relation rows: JSON lines of a sentence with both arguments marked.

    {"text": "<< Quilorine >> inhibits [[ ABCD1 ]].", "label": "INHIBITOR", "metadata": []}

The marks are taken out, so that the text is the sentence again and the mentions stand in it by offset; ``<< >>`` is the
first mention (``T1``, the head), ``[[ ]]`` the second. Which of them is the chemical the file does not say (``<< >>`` is
the one that stands first in every row), so both have the type ``Argument``, and the relation's direction is that of
the marks. A row is one sentence, whatever full stops it holds. The label is a relation, and also a ``relation`` label over the whole row, which is what SciBERT classifies.

References
----------
Beltagy et al. 2019, https://github.com/allenai/scibert
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from relatome.documents import Document, Label, Mention, Relation, Span
from relatome.errors import FormatError, MarkerError
from relatome.formats import rows
from relatome.formats.files import OnReject, json_keys, located, stem

LABEL = "relation"
TYPE = "Argument"

_FIRST = re.compile(r"<< (.*?) >>", re.DOTALL)
_SECOND = re.compile(r"\[\[ (.*?) \]\]", re.DOTALL)
_KEYS = ("text", "label", "metadata")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The rows of a file, in its order, each a document called ``STEM:LINE``.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a row that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Never told: a row is read as it stands or not at all.

    Raises
    ------
    FormatError
        A line is not a JSON object with a text and a label.
    MarkerError
        The marks are missing, doubled or crossed.
    """
    name = stem(path)

    def made(row: rows.Row) -> Document:
        identity = f"{name}:{row.number}"
        with located(document=identity):
            return _document(identity, row.text)

    yield from rows.documents(((row.number, row) for row in rows.rows(path)), made, path, on_reject)


def fits(start: str) -> bool:
    """Whether the first object has a text with marks, and a label."""
    return json_keys(start)[:2] == _KEYS[:2] and "<< " in start and "[[ " in start


def _document(identity: str, line: str) -> Document:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as problem:
        what = problem.msg if isinstance(problem, json.JSONDecodeError) else "nested too deeply"
        raise FormatError(f"this line is not JSON: {what}", advice="is this a file of JSON lines?") from None
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in _KEYS[:2]):
        raise FormatError(f"expected an object with 'text' and 'label', found {line[:80]!r}")
    if not row["label"].strip():
        raise FormatError("the label is empty")
    text, first, second = _unmarked(row["text"])
    return Document(
        identity,
        text,
        mentions=(Mention("T1", *first, TYPE, text[slice(*first)]), Mention("T2", *second, TYPE, text[slice(*second)])),
        relations=(Relation("R1", row["label"], "T1", "T2"),),
        labels=(Label(LABEL, row["label"], 0, len(text)),),
        sentences=(Span(0, len(text)),),
    ).check()


def _unmarked(marked: str) -> tuple[str, tuple[int, int], tuple[int, int]]:
    """The text without marks, and where the two arguments stand in it."""
    firsts, seconds = list(_FIRST.finditer(marked)), list(_SECOND.finditer(marked))
    if (len(firsts), len(seconds)) != (1, 1) or marked.count("<< ") != 1 or marked.count("[[ ") != 1:
        raise MarkerError(
            f"expected one '<< >>' and one '[[ ]]', found {len(firsts)} and {len(seconds)}: {marked[:80]!r}"
        )
    first, second = firsts[0], seconds[0]
    one, two = sorted((first, second), key=lambda match: match.start())
    if two.start() < one.end() and two.end() > one.end():
        raise MarkerError(f"the marks are crossed: {marked[:80]!r}")
    marks = sorted(
        mark for match in (first, second) for mark in ((match.start(), match.start(1)), (match.end(1), match.end()))
    )
    text, places, at = "", {}, 0
    for start, end in marks:
        text += marked[at:start]
        places[start], places[end] = len(text), len(text)
        at = end
    text += marked[at:]

    def place(match: re.Match[str]) -> tuple[int, int]:
        return places[match.start(1)], places[match.end(1)]

    return text, place(first), place(second)

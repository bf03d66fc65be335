"""Pairs of sentences with a score of how much they say the same: BLURB's BIOSSES.

    pair_id   sent1   sent2   score

A pair is a document: the two sentences with a line end between, each of them a range of ``sentences`` and a passage. The
score is a ``similarity`` label over the whole text, as the file writes it (``"3.2"``): a label's value is text, and whoever
fits a number to it calls ``float``.

References
----------
Soğancıoğlu et al. 2017, https://doi.org/10.1093/bioinformatics/btx238
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from relatome.documents import Document, Label, Passage, Span
from relatome.errors import FormatError
from relatome.formats import rows
from relatome.formats.files import OnReject

LABEL = "similarity"
HEADER = ("pair_id", "sent1", "sent2", "score")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The pairs of a file, in its order, under their own ids.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a pair that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Never told: a row is read as it stands or not at all.

    Raises
    ------
    FormatError
        The first line is not the header, or a row has other columns, no number or an id that was there before.
    """
    found = ((row.number, row) for row in rows.rows(path, HEADER))
    yield from rows.documents(found, _document, path, on_reject, twice="two pairs have this id")


def fits(start: str) -> bool:
    """Whether the first line is the header."""
    return rows.begins_with(start, HEADER)


def _document(row: rows.Row) -> Document:
    cells = row.cells
    if len(cells) != len(HEADER) or not all(cell.strip() for cell in cells):
        raise FormatError(f"expected 4 columns with tabs between, none of them empty, found {row.text[:80]!r}")
    identity, first, second, score = cells
    try:
        number = float(score)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FormatError(f"the score should be a number, found {score[:40]!r}", document=identity)
    text = f"{first}\n{second}"
    spans = (Span(0, len(first)), Span(len(first) + 1, len(text)))
    return Document(
        identity,
        text,
        passages=tuple(Passage("sentence", *span) for span in spans),
        labels=(Label(LABEL, score, 0, len(text)),),
        sentences=spans,
    ).check()

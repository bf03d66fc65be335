"""The medical abstracts corpus: a CSV of an abstract and the number of the condition it is about.

    condition_label,medical_abstract
    3,"A title and an abstract, which can hold ""quotes"" and line ends."

A row is a document with one ``condition`` label over the whole text: the name of its class, which the release keeps in
another file (``medical_tc_labels.csv``, the five of ``CONDITIONS`` in order). The title is the text's first sentence, with
nothing but its full stop to tell.

References
----------
Schopf et al. 2022, https://doi.org/10.1145/3582768.3582795
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from relatome.documents import Document, Label
from relatome.errors import FormatError
from relatome.formats import rows
from relatome.formats.files import OnReject, located, numbered, shown, stem

LABEL = "condition"
CONDITIONS = (
    "neoplasms",
    "digestive system diseases",
    "nervous system diseases",
    "cardiovascular diseases",
    "general pathological conditions",
)
HEADER = ("condition_label", "medical_abstract")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The abstracts of a file, in its order, called ``STEM:ROW``; the first after the header is row 1.

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
        The first line is not the header, a quotation mark is not closed, or a row has other columns or another class.
    """
    name = stem(path)

    def made(numbered_row: tuple[int, list[str]]) -> Document:
        number, row = numbered_row
        identity = f"{name}:{number}"
        with located(document=identity):
            return _document(identity, row)

    yield from rows.documents(_rows(path), made, path, on_reject)


def fits(start: str) -> bool:
    """Whether the first line is the header."""
    return rows.begins_with(start, HEADER, ",")


def _rows(path: str | Path) -> Iterator[tuple[int, tuple[int, list[str]]]]:
    """The line that each row after the header begins in, its number and its cells."""
    found = csv.reader((line.text + "\n" for line in numbered(path)), strict=True)
    number = -1
    while True:
        first = found.line_num + 1
        try:
            row = next(found)
        except StopIteration:
            return
        except csv.Error as problem:  # where a quotation mark is open, what follows cannot be told apart
            raise FormatError(
                f"this row is no CSV: {problem}",
                path=shown(path),
                line=first,
                advice='a text with commas or quotation marks is put in "", and " in it doubled',
            ) from None
        if not row:
            continue
        number += 1
        if number:
            yield first, (number, row)
        elif tuple(row) != HEADER:
            raise FormatError(
                f"expected the header {','.join(HEADER)}, found {','.join(row)[:80]!r}", path=shown(path), line=first
            )


def _document(identity: str, row: list[str]) -> Document:
    if len(row) != len(HEADER):
        raise FormatError(f"expected 2 columns, {' and '.join(HEADER)}, found {len(row)}")
    number, text = row
    classes = {str(index): condition for index, condition in enumerate(CONDITIONS, 1)}
    if number not in classes:
        raise FormatError(f"expected a condition from 1 to {len(CONDITIONS)}, found {number[:40]!r}")
    if not text.strip():
        raise FormatError("the abstract is empty")
    return Document(identity, text, labels=(Label(LABEL, classes[number], 0, len(text)),)).check()

"""Rows: what the formats that have one document a line share; the loop, the header, and ids that are there once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from relatome.documents import Document
from relatome.errors import FormatError, InputError
from relatome.formats.files import OnReject, first_lines, located, numbered, settle, shown

T = TypeVar("T")


class Row(NamedTuple):
    """A line that is not blank, its number, and what stands between its tabs."""

    number: int
    text: str
    cells: list[str]


def rows(path: str | Path, header: tuple[str, ...] = ()) -> Iterator[Row]:
    """The rows of a table, one at a time, after its header if it has to have one.

    Raises
    ------
    FormatError
        The first line is not the header.
    """
    begun = not header
    for line in numbered(path):
        if not line.text.strip():
            continue
        row = Row(line.number, line.text, line.text.split("\t"))
        if begun:
            yield row
        elif tuple(row.cells) != header:
            raise FormatError(
                f"expected the header {' TAB '.join(header)}, found {line.text[:80]!r}",
                path=shown(path),
                line=line.number,
            )
        begun = True


def begins_with(start: str, header: tuple[str, ...], between: str = "\t") -> bool:
    """Whether the first line of a file's beginning is a header."""
    lines = first_lines(start)
    return bool(lines) and tuple(lines[0].split(between)) == header


def documents(
    found: Iterable[tuple[int, T]],
    made: Callable[[T], Document],
    path: str | Path,
    on_reject: OnReject | None,
    *,
    twice: str = "",
) -> Iterator[Document]:
    """A document of each row; one that cannot be made is told of, or is an error, and left out.

    Parameters
    ----------
    found
        The line that each row begins in, and the row.
    made
        A document of a row.
    twice
        What is said of an id that was there before; nothing where ids cannot be doubled.
    """
    seen: set[str] = set()
    for number, row in found:
        try:
            with located(path=path, line=number):
                document = made(row)
                if document.id in seen:
                    raise FormatError(twice, document=document.id)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        if twice:
            seen.add(document.id)
        yield document

"""Plain text: a document is a file, a block between blank lines, or a line.

The text of a document is kept as it is: line breaks inside a block are part of it and count in offsets (CRLF counts as
one character, see ``relatome.formats.files``). A block is one line of memory at a time, whatever the file's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from relatome.documents import Document
from relatome.errors import InputError
from relatome.formats.files import MOST_BYTES_A_LINE, Line, OnReject, numbered, settle, shown, stem
from relatome.lookup import pick

Split = Literal["file", "block", "line"]


def read(
    path: str | Path,
    *,
    split: Split = "block",
    on_reject: OnReject | None = None,
    on_repair: OnReject | None = None,
) -> Iterator[Document]:
    """The documents of a text file, called ``STEM:1``, ``STEM:2`` ... (``STEM`` alone for a whole file).

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    split
        What one document is: the whole ``"file"``, a ``"block"`` between blank lines, or a ``"line"``.
    on_reject
        Told about a document that is too long to hold, which is then left out; without it the error is raised.
    on_repair
        Never told: there is nothing to repair in a text.

    Raises
    ------
    InputError
        The file is not UTF-8 text, or holds nothing but blank lines.
    """
    pieces = pick(split, _SPLITS, "split")
    name = stem(path)
    count = 0
    for lines in pieces(numbered(path)):
        count += 1
        identity = name if split == "file" else f"{name}:{count}"
        text = "\n".join(line.text for line in lines)
        if len(text) > MOST_BYTES_A_LINE:
            problem = InputError(
                f"a document of {len(text):,} characters",
                path=shown(path),
                line=lines[0].number,
                document=identity,
                advice="split it: blank lines between documents, or --split line",
            )
            settle(problem, on_reject)
            continue
        yield Document(identity, text, meta={"line": lines[0].number})
    if not count:
        raise InputError("the file is empty: it holds only blank lines", path=shown(path))


def fits(start: str) -> bool:
    """Whether a file that begins so is text: what is nothing else is."""
    return True


def _file(lines: Iterator[Line]) -> Iterator[list[Line]]:
    whole = list(lines)
    if any(line.text.strip() for line in whole):
        yield whole


def _blocks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    block: list[Line] = []
    for line in lines:
        if line.text.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _line(lines: Iterator[Line]) -> Iterator[list[Line]]:
    for line in lines:
        if line.text.strip():
            yield [line]


_SPLITS = {"file": _file, "block": _blocks, "line": _line}

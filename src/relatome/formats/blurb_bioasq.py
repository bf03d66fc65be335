"""BLURB's BioASQ: yes/no questions, one a line: id, question, snippets joined by a blank, ``yes`` or ``no``.

    5313b049e3eabad021000013 TAB Is the ... ? TAB Snippet one. Snippet two. TAB yes

There is no header, and a quotation mark is a character like any other. A line is a document, called by its question's
id, its text the snippets.

References
----------
Gu et al. 2021, https://arxiv.org/abs/2007.15779; Nentidis et al. 2019 for the questions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from relatome.documents import Document, Question
from relatome.errors import FormatError
from relatome.formats import rows
from relatome.formats.files import OnReject, first_lines

ANSWERS = ("yes", "no")

_LINE = re.compile(r"[0-9a-f]{24}\t[^\t]+\t[^\t]*\t(?:yes|no)$")
_CUT = re.compile(r"[0-9a-f]{24}\t[^\t]+\t[^\t]*(?:\t(?:y|ye|yes|n|no)?)?$")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The lines of a file, in its order, each a document with its question.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a line that is no question, which is then left out; without it the error is raised.
    on_repair
        Not told: nothing here is repaired.

    Raises
    ------
    FormatError
        A line has not four columns, or another answer than yes or no.
    """
    found = ((row.number, row.cells) for row in rows.rows(path))
    yield from rows.documents(found, _document, path, on_reject)


def fits(start: str) -> bool:
    """Whether every line begins with an id of BioASQ and ends with yes or no; a line can be longer than the start."""
    if "\n" not in start and _CUT.match(start):
        return True
    lines = first_lines(start)
    return bool(lines) and all(map(_LINE.match, lines))


def _document(columns: list[str]) -> Document:
    if len(columns) != 4:
        raise FormatError(f"expected 4 columns: id, question, snippets, answer; found {len(columns)}")
    identity, question, text, answer = columns
    if not identity.strip():
        raise FormatError("the first column, the question's id, is empty")
    if answer not in ANSWERS:
        raise FormatError(f"the answer should be yes or no, found {answer[:40]!r}")
    return Document(identity, text, questions=(Question(identity, question, "yesno", ((answer,),)),)).check()

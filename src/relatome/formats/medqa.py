"""MedQA: examination questions with four or five options, as JSON lines or as a data frame written to a table.

    {"question": "A 23-year-old ...?", "answer": "Nitrofurantoin", "options": {"A": "Ampicillin", "B": "..."},
     "meta_info": "step2&3", "answer_idx": "D", "metamap_phrases": ["23 year old", "..."]}

The table has the same columns with tabs between, a first one without a name that numbers the rows, and line breaks and
tabs inside quoted fields; its options and phrases are Python literals (``{'A': 'Ampicillin'}``). They are read as
literals only, never run, and none longer than 64 KB is looked at.

A question is a document, called ``STEM:ROW``, its text the question's. ``question.answers`` holds the right option's
words, ``question.meta`` the ``options``, the ``answer_idx`` and the rest. Options and answer must agree.

References
----------
Jin et al. 2021, https://doi.org/10.3390/app11146421
"""

from __future__ import annotations

import ast
import csv
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from relatome.documents import Document, Question
from relatome.errors import FormatError, InputError
from relatome.formats.files import Line, OnReject, head, json_keys, located, numbered, settle, shown, stem
from relatome.formats.jsonl import parsed
from relatome.formats.jsonrecords import Record, short

MOST_CHARACTERS_A_LITERAL = 1 << 16  # the longest real one has 2,860

_KEYS = frozenset({"question", "answer"})
_COLUMNS = ("question", "answer", "options", "answer_idx")
_LITERALS = ("options", "metamap_phrases")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The questions of a MedQA file, JSON lines or table, in its order.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input. What its first character is tells the two apart.
    on_reject
        Told about a question that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Not told: nothing here is repaired.

    Raises
    ------
    FormatError
        A line is no question, its options are no literal, or its answer is none of them.
    """
    rows = _json_rows(path, on_reject) if head(path).lstrip().startswith("{") else _table_rows(path, on_reject)
    for line, number, value in rows:
        identity = f"{stem(path)}:{number}"
        try:
            with located(path=path, line=line, document=identity):
                document = _document(identity, Record(_read_literals(value), "a question"))
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def fits(start: str) -> bool:
    """Whether the first object has a question and options, or the first line is the table's header."""
    if {"question", "options"} <= set(json_keys(start)):
        return True
    return set(_COLUMNS) <= set(start.partition("\n")[0].rstrip("\r").split("\t"))


def _document(identity: str, record: Record) -> Document:
    text, answer = record.text("question"), record.text("answer", "")
    options = record.value.get("options")
    if not (isinstance(options, dict) and options and all(isinstance(option, str) for option in options.values())):
        raise FormatError(f"'options' should give each letter its text, found {short(options)}")
    letter = record.text("answer_idx", "")
    if letter and options.get(letter) != answer:
        raise FormatError(f"the answer is {short(answer)}, but option {letter!r} is {short(options.get(letter))}")
    if answer and answer not in options.values():
        raise FormatError(f"the answer {short(answer)} is none of the options")
    question = Question(identity, text, "choice", ((answer,),) if answer else (), meta=record.rest(_KEYS))
    return Document(identity, text, questions=(question,)).check()


def _json_rows(path: str | Path, on_reject: OnReject | None) -> Iterator[tuple[int, str, object]]:
    for line in numbered(path):
        if line.text.strip():
            try:
                with located(path=path, line=line.number):
                    value = parsed(line.text)
            except InputError as problem:
                settle(problem, on_reject)
                continue
            yield line.number, str(line.number), value


def _table_rows(path: str | Path, on_reject: OnReject | None) -> Iterator[tuple[int, str, object]]:
    """The rows as objects, each with the line it begins in and its number in the first column."""
    lines = _Lines(numbered(path))
    rows = csv.reader(lines, delimiter="\t", strict=True)
    header: Sequence[str] | None = None
    while True:
        line = lines.number + 1
        try:
            row = next(rows, None)
        except csv.Error as problem:  # from here on it is not known what is quoted
            settle(FormatError(f"the table breaks off here: {problem}", path=shown(path), line=line), on_reject)
            return
        if row is None:
            return
        if header is None:
            header = row
            missing = [name for name in _COLUMNS if name not in header]
            if missing:
                raise FormatError(
                    f"the header has no {', '.join(missing)}",
                    path=shown(path),
                    line=line,
                    advice="expected MedQA's columns: " + ", ".join(_COLUMNS),
                )
        elif row and len(row) != len(header):
            wrong = FormatError(f"expected {len(header)} columns, found {len(row)}", path=shown(path), line=line)
            settle(wrong, on_reject)
        elif row:
            value = dict(zip(header, row, strict=True))
            yield line, value.pop("", "").strip() or str(line), value


class _Lines(Iterable[str]):
    """The lines of a file as the csv module wants them, and the number of the one it read last."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self.lines = lines
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.number = line.number
            yield line.text + "\n"


def _read_literals(value: object) -> object:
    """The row with its literals read, where they are still text."""
    if not isinstance(value, Mapping):
        return value
    row = dict(value)
    for name in _LITERALS:
        if isinstance(row.get(name), str):
            row[name] = _literal(row[name], name)
    return row


def _literal(text: str, name: str) -> Any:
    """A Python dict of strings or list of strings from its literal."""
    if len(text) > MOST_CHARACTERS_A_LITERAL:
        raise FormatError(
            f"{name!r} is a literal of {len(text)} characters, more than {MOST_CHARACTERS_A_LITERAL}: not read"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a backslash that escapes nothing: the text keeps it
            found = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise FormatError(f"{name!r} is no Python literal: {short(text)}") from None
    if isinstance(found, dict):
        strings = [*found, *found.values()]
    elif isinstance(found, list):
        strings = found
    else:
        strings = [None]
    if not all(isinstance(item, str) for item in strings):
        raise FormatError(f"{name!r} should be a dict or a list of strings, found {short(found)}")
    return found

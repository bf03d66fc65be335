"""Files of columns, a token a line and its tag in the last one: read as conlleval reads them, for every scorer of tags.

Two files are two sides only where they hold the same tokens in the same sentences; what differs is said with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from relatome.errors import FormatError, ScoreError, SettingsError
from relatome.formats.files import numbered, opened
from relatome.scoring import offenders

_BOUNDARY = "-X-"
_DOCUMENT = "-DOCSTART-"
_SPECIAL = ("", "-")  # how the first column of a blank line, ``-X-`` and ``-DOCSTART-`` begins
_MOST_BYTES = 1 << 28  # read at once; what is longer is read line by line


class Columns:
    """A file's rows, cut into sentences at blank lines and ``-X-``; ``-DOCSTART-`` lines start documents.

    A ``-DOCSTART-`` line with as many columns as the others is a token too, as it is for conlleval.
    """

    def __init__(self, path: str, delimiter: str | None, *, least: int) -> None:
        self.path = path
        self.tokens: list[str] = []  # the first column; it says nothing where there is only one
        self.last: list[str] = []
        self.before: list[str] = []  # the last column but one
        self.lines: list[int] = []  # of each row, its line
        self.borders = [0]  # after each sentence, how many rows there are
        self.starts: list[int] = []  # of each document, its first sentence
        lines = _lines(path)
        width = 0
        tokens, last, before, numbers = self.tokens, self.last, self.before, self.lines
        for number, row in enumerate(_cut(lines, delimiter), 1):
            if len(row) == width and row[0][:1] not in _SPECIAL:  # nearly every line
                tokens.append(row[0])
                last.append(row[-1])
                before.append(row[-least])
                numbers.append(number)
                continue
            first = row[0] if any(row) else _BOUNDARY
            if first != _BOUNDARY and not first.startswith(_DOCUMENT):
                width = width or self._width(row, least, number)
                if len(row) != width:
                    raise FormatError(
                        f"expected {width} columns as in the lines before, found {len(row)}",
                        path=path,
                        line=number,
                        advice="which delimiter does the file have? --delimiter",
                    )
                self._add(row, least, number)
                continue
            if self.borders[-1] < len(tokens):
                self.borders.append(len(tokens))
            if first != _BOUNDARY:
                self.starts.append(len(self.borders) - 1)
                if len(row) == (width or len(row)) and len(row) > 1:
                    width = width or self._width(row, least, number)
                    self._add(row, least, number)
        if self.borders[-1] < len(tokens):
            self.borders.append(len(tokens))
        self.width = width
        if not tokens:
            raise ScoreError("there are no tokens to score", path=path, advice="is it the right file?")

    def tags(self, column: int) -> list[list[str]]:
        """Of each sentence, the tags of a column: -1 is the last, -2 the one before it."""
        flat = self.last if column == -1 else self.before
        return [flat[first:last] for first, last in pairwise(self.borders)]

    def documents(self) -> list[str] | None:
        """Of each sentence, its document's number; nothing where the file has no ``-DOCSTART-``."""
        sentences = len(self.borders) - 1
        if not self.starts:
            return None
        numbers = np.searchsorted(self.starts, np.arange(sentences), side="right").tolist()
        width = len(str(max(numbers)))
        return [f"{number:0{width}}" for number in numbers]  # sorted by name as by number

    def _add(self, row: list[str], least: int, number: int) -> None:
        self.tokens.append(row[0])
        self.last.append(row[-1])
        self.before.append(row[-least])
        self.lines.append(number)

    def _width(self, row: list[str], least: int, number: int) -> int:
        if len(row) < least:
            raise FormatError(
                f"expected at least {least} column{'s' if least > 1 else ''}, the last being tags, found {len(row)}",
                path=self.path,
                line=number,
                advice="a blank or a tab stands between columns, or what --delimiter says; --gold names another file",
            )
        return len(row)


def sides_of(
    gold: str | None, predicted: str, *, delimiter: str | None = None
) -> tuple[Columns, list[list[str]], list[list[str]]]:
    """The file that holds the gold, the gold tags and the predicted ones.

    Parameters
    ----------
    gold
        ``None``: the last two columns of ``predicted`` are the gold tag and the predicted one.
    delimiter
        A regular expression; a tab where the first tokens have one and else a blank.

    Raises
    ------
    InputError
        A file cannot be read, or its lines have different numbers of columns.
    ScoreError
        The files do not hold the same tokens, or none.
    """
    answers = Columns(predicted, delimiter, least=2 if gold is None else 1)
    if gold is None:
        return answers, answers.tags(-2), answers.tags(-1)
    wanted = Columns(gold, delimiter, least=1)
    _same_tokens(wanted, answers)
    return wanted, wanted.tags(-1), answers.tags(-1)


def _same_tokens(gold: Columns, predicted: Columns) -> None:
    """Refuses two files that do not hold the same tokens in the same sentences."""
    where = f"{gold.path} and {predicted.path}"
    if len(gold.tokens) != len(predicted.tokens):
        raise ScoreError(
            f"the gold has {len(gold.tokens):,} rows and the predictions have {len(predicted.tokens):,}{_first(gold, predicted)}",
            path=predicted.path,
            advice=f"give one row for each token, in the order of {gold.path}",
        )
    if gold.borders != predicted.borders:
        here = next(i for i, (a, b) in enumerate(zip(gold.borders, predicted.borders, strict=False)) if a != b)
        line = predicted.lines[min(gold.borders[here], predicted.borders[here]) - 1]
        raise ScoreError(f"{where} end sentence {here} at different rows", path=predicted.path, line=line)
    if gold.width > 1 and predicted.width > 1:
        different = [i for i, (a, b) in enumerate(zip(gold.tokens, predicted.tokens, strict=True)) if a != b]
        if different:
            shown = offenders.listed(
                [f"{gold.tokens[i]!r} and {predicted.tokens[i]!r} (line {predicted.lines[i]:,})" for i in different]
            )
            raise ScoreError(
                f"{offenders.counted(len(different), 'token')} not the gold's: {shown}",
                path=predicted.path,
                advice=f"do these files belong together? the gold is {gold.path}",
            )


def _first(gold: Columns, predicted: Columns) -> str:
    """Where two files of different lengths first differ, if their first columns can say it."""
    if gold.width < 2 or predicted.width < 2:
        return ""
    pairs = zip(gold.tokens, predicted.tokens, strict=False)
    here = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    if here is None:
        return ""
    return f"; they part at line {predicted.lines[here]:,}: {gold.tokens[here]!r} and {predicted.tokens[here]!r}"


def _lines(path: str) -> list[str]:
    """All lines, at once where the file is sound: a loop over numbered lines takes five times as long."""
    with opened(path) as stream:
        content = stream.read(_MOST_BYTES + 1) if str(path) != "-" else b""
    if content and len(content) <= _MOST_BYTES and b"\0" not in content:
        try:
            return content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
        except UnicodeDecodeError:
            pass  # said with its line below
    return [line.text for line in numbered(path)]


def _cut(lines: Sequence[str], delimiter: str | None) -> Iterator[list[str]]:
    """Lines to their columns as Perl's ``split`` gives them, without empty ones at the end; a blank line to one or none."""
    if delimiter is None:
        first = next((line for line in lines if line and not line.startswith(_DOCUMENT)), "")
        delimiter = "\t" if "\t" in first else " "
    if delimiter in ("\t", " "):
        character = delimiter
        return (line.rstrip(character).split(character) for line in lines)
    try:
        pattern = re.compile(delimiter)
    except re.error as problem:
        raise SettingsError([f"the delimiter {delimiter!r} is no regular expression: {problem}"]) from None
    if pattern.match(""):
        raise SettingsError([f"the delimiter {delimiter!r} stands between any two characters: give one that is there"])
    return (_trimmed(pattern.split(line)) for line in lines)


def _trimmed(columns: Sequence[str | None]) -> list[str]:
    found = [column or "" for column in columns]
    while found and not found[-1]:
        found.pop()
    return found

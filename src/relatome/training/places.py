"""Where the keys of a TOML file stand: ``tomllib`` gives their values, this their lines.

It reads text that ``tomllib`` has read before, so nothing is checked here. Strings may hold what looks like a key, a table
or a comment; arrays and multi-line strings may go over many lines; inline tables have keys of their own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

Path = tuple[str | int, ...]

_STRINGS = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'',
    flags=re.DOTALL,
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^,\]}#\n]*")  # a number, a date, true or false
_DOT = re.compile(r"[ \t]*\.[ \t]*")


def lines(text: str) -> dict[Path, int]:
    """The line of each key and table, by its path; elements of arrays of tables are numbered from 1.

    Examples
    --------
    >>> lines('a = 1\\n[[heads]]\\nname = "x"\\n[[heads]]\\nrates = { low = 1 }\\n')[("heads", 2, "rates", "low")]
    5
    """
    return dict(_Scan(text.replace("\r\n", "\n")).all())


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.counts: dict[Path, int] = {}

    def all(self) -> Iterator[tuple[Path, int]]:
        table: Path = ()
        while self._blank():
            if self.text.startswith("[[", self.at):
                self.at += 2
                inner = self._table(self._key())
                self.counts[inner] = self.counts.get(inner, 0) + 1
                table = (*inner, self.counts[inner])
                yield from ((inner, self._line()), (table, self._line()))
                self.at = self.text.index("]]", self.at) + 2
            elif self.text.startswith("[", self.at):
                self.at += 1
                table = self._table(self._key())
                yield table, self._line()
                self.at = self.text.index("]", self.at) + 1
            else:
                yield from self._pair(table)

    def _table(self, key: Path) -> Path:
        """A table's path, with the number of the element it is in, where a part of it is an array of tables."""
        found: Path = ()
        for place, part in enumerate(key):
            found = (*found, part)
            if found in self.counts and place < len(key) - 1:
                found = (*found, self.counts[found])
        return found

    def _pair(self, table: Path) -> Iterator[tuple[Path, int]]:
        line = self._line()
        path = (*table, *self._key())
        for end in range(len(table) + 1, len(path) + 1):
            yield path[:end], line
        self.at = self.text.index("=", self.at) + 1
        yield from self._value(path)

    def _value(self, path: Path) -> Iterator[tuple[Path, int]]:
        self._blank()
        opened = self.text[self.at]
        if found := _STRINGS.match(self.text, self.at):
            self.at = found.end()
        elif opened in "[{":
            self.at += 1
            number = 0
            while self._blank() and self.text[self.at] not in "]}":
                number += 1
                if opened == "{":
                    yield from self._pair(path)
                else:
                    yield (*path, number), self._line()
                    yield from self._value((*path, number))
                self._blank()
                self.at += self.text[self.at] == ","
            self.at += 1
        else:
            self.at = self._end(_PLAIN)

    def _key(self) -> Path:
        parts: list[str] = []
        while True:
            self._blank()
            quoted = _STRINGS.match(self.text, self.at)
            end = quoted.end() if quoted else self._end(_BARE)
            written = self.text[self.at : end]
            parts.append(tomllib.loads(f"key = {written}")["key"] if quoted else written)
            self.at = end
            if not (dot := _DOT.match(self.text, self.at)):
                return tuple(parts)
            self.at = dot.end()

    def _blank(self) -> bool:
        """Go over blanks and comments; whether there is more."""
        self.at = self._end(_BLANK)
        return self.at < len(self.text)

    def _end(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        return found.end() if found else self.at

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

"""JSON values one at a time, from a file that may be larger than the memory.

The standard library reads a JSON text whole. Here lists and objects are walked, and only a value that is asked for is
read whole: a BioC collection of a million documents is one value, each of its documents another.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from relatome.errors import FormatError, InputError
from relatome.formats.files import MOST_BYTES_A_LINE, opened, shown


class JsonReader:
    """A JSON file as a stream: containers are walked key by key and item by item, any other value is read whole."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.line = 1
        self._buffer = ""
        self._at = 0
        self._chunks = _characters(path)
        self._ended = False

    def peek(self) -> str:
        """The next character that is not a blank, unread; empty at the end."""
        while True:
            blank = _BLANKS.match(self._buffer, self._at)
            self._skip(blank.end() if blank else self._at)
            if self._at < len(self._buffer) or not self._more():
                return self._buffer[self._at : self._at + 1]

    def take(self, expected: str) -> str:
        """Read the next character, one of those expected."""
        found = self.peek()
        if not found or found not in expected:
            raise self.problem(f"expected {' or '.join(expected)}, found {found or 'the end of the file'}")
        self._skip(self._at + 1)
        return found

    def walk_list(self) -> Iterator[None]:
        """Stand before each item of a list in turn."""
        self.take("[")
        if self.peek() != "]":
            yield
            while self.take(",]") == ",":
                yield
        else:
            self.take("]")

    def walk_object(self) -> Iterator[str]:
        """Stand before each value of an object in turn."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                raise self.problem("expected a key in quotation marks")
            key = str(self.value())
            self.take(":")
            yield key
            if self.take(",}") == "}":
                return

    def value(self) -> Any:
        """Read a whole value."""
        self.peek()
        step = 1
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._at)
                # A number may go on in the next chunk: of "1.5e" only "1.5" is read.
                finished = end < len(self._buffer) and self._buffer[end] not in ".eE"
                if finished or not self._more():
                    self._skip(end)
                    return value
            except RecursionError:
                raise self.problem("JSON nested too deeply") from None
            except ValueError as problem:
                place = getattr(problem, "pos", len(self._buffer))
                unfinished = str(problem).startswith("Unterminated string") or place > len(self._buffer) - 16
                # Twice as much each time: a long value is tried again a few times, not once a chunk.
                if not unfinished or not sum(self._more() for _ in range(step)):
                    self._skip(min(place, len(self._buffer)))
                    raise self.problem(f"this is not JSON: {getattr(problem, 'msg', problem)}") from None
                step *= 2

    def problem(self, message: str) -> FormatError:
        return FormatError(message, path=shown(self.path), line=self.line)

    def _skip(self, end: int) -> None:
        self.line += self._buffer.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        chunk = "" if self._ended else next(self._chunks, "")
        self._ended = not chunk
        if self._at > len(self._buffer) // 2:
            self._buffer, self._at = self._buffer[self._at :], 0
        self._buffer += chunk
        if len(self._buffer) - self._at > MOST_BYTES_A_LINE:
            raise self.problem(f"one JSON value of more than {MOST_BYTES_A_LINE // 2**20} MB")
        return bool(chunk)


def _characters(path: str | Path) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    line = 1
    with opened(path) as stream:
        while True:
            chunk = stream.read(1 << 16)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as problem:
                line += problem.object[: problem.start].count(b"\n")
                raise InputError(
                    f"the text is not UTF-8: byte 0x{problem.object[problem.start]:02x}",
                    path=shown(path),
                    line=line,
                    advice="convert it, for example: iconv -f WINDOWS-1252 -t UTF-8",
                ) from None
            line += text.count("\n")
            if text:
                yield text
            if not chunk:
                return


_BLANKS = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()

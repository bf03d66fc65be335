"""The terminal: messages, safe text, and consoles that know when to be plain."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

# Control characters of a hostile text would move the cursor or recolour the terminal; each becomes one visible
# character, so that offsets stay true. Tab and line feed are harmless.
_CONTROL = {
    number: "\N{REPLACEMENT CHARACTER}"
    for number in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if number not in (9, 10)
}
PLAIN_WIDTH = 120


def safe(text: str) -> str:
    """The text with each control character replaced by one that shows.

    Examples
    --------
    >>> safe("rash\\x1b[2J")
    'rash�[2J'
    """
    return text.translate(_CONTROL)


def say(message: str) -> None:
    """One line on standard error."""
    line = " ".join(safe(message).split("\n"))
    try:
        sys.stderr.write(f"relatome: {line}\n")
        sys.stderr.flush()
    except OSError:  # no one is listening
        pass


class _Said(logging.Handler):
    """What the library warns of, as our other messages look."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


@contextlib.contextmanager
def warnings_said() -> Iterator[None]:
    """Warnings that the library logs are messages of the program."""
    handler = _Said(logging.WARNING)
    logger = logging.getLogger("relatome")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def counted(number: int, what: str) -> str:
    """A number with its noun, given in the plural.

    Examples
    --------
    >>> counted(1, "documents"), counted(2000, "rows")
    ('1 document', '2,000 rows')
    """
    return f"{number:,} {what if number != 1 else what.removesuffix('s')}"


def prepare() -> None:
    """Write UTF-8 whatever the locale says: results hold Greek letters, and files of them must be the same everywhere."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "").lower().replace("_", "-")
        if encoding not in ("utf-8", "utf8") and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")


def give_up_output() -> None:
    """Send what is still buffered nowhere: the stream is gone, and closing it at exit must not fail once more."""
    try:
        number = sys.stdout.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):  # a stream without a file, as in a test
        pass


def console(stream: TextIO) -> Console:
    """A rich console on a stream; where it is no terminal, plain and as wide as ``COLUMNS`` says (120 by default)."""
    from rich.console import Console

    width = None if stream.isatty() else _columns()
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def _columns() -> int:
    given = os.environ.get("COLUMNS", "")
    return max(40, int(given)) if given.isdecimal() else PLAIN_WIDTH

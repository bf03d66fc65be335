"""One command's way through many documents: counting, progress, rejects, Ctrl-C, and the exit code that follows."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TextIO, TypeVar

from relatome.cli.terminal import counted, say
from relatome.errors import InputError

T = TypeVar("T")

REJECTS = "relatome.rejects.jsonl"


class Job:
    """Use as a context manager round the whole work; ask ``code`` after it.

    Parameters
    ----------
    what
        What is counted, in the plural: ``"documents"``.
    rejects
        The file that names what was rejected. It appears only if something was, and something else was done.
    progress
        Whether to show progress; never where standard error is no terminal.

    Examples
    --------
    >>> with Job("rows") as job:
    ...     print([item for item in job.each("ab")], job.done, job.code)
    ['a', 'b'] 2 0
    """

    def __init__(self, what: str = "documents", *, rejects: Path = Path(REJECTS), progress: bool = False) -> None:
        self.what = what
        self.done = 0
        self.rejected = 0
        self.repaired: Counter[str] = Counter()  # by kind, the message without its names and numbers
        self.stopped = False
        self.seconds = 0.0
        self._first: InputError | None = None
        self._first_repairs: dict[str, str] = {}
        self._path = rejects
        self._open = contextlib.ExitStack()
        self._file: TextIO | None = None
        self._progress = progress and sys.stderr.isatty()
        self._pulling = False

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)  # with an error, the rejects file does not appear

    @property
    def code(self) -> int:
        """130 stopped, 1 with rejects, 0 done."""
        return 130 if self.stopped else 1 if self.rejected else 0

    def reject(self, problem: InputError) -> None:
        """Note something that cannot be read and is left out."""
        from relatome.formats.files import writing

        if self._file is None:
            self._first = problem
            self._file = self._open.enter_context(writing(self._path))
        self.rejected += 1
        record = {"document": problem.document, "path": problem.path, "line": problem.line, "error": problem.message}
        self._file.write(json.dumps({**record, "advice": problem.advice}, ensure_ascii=False) + "\n")

    def repair(self, problem: InputError) -> None:
        """Note something that was wrong and is repaired or left out, so that its document is kept."""
        kind = _NAMED.sub("…", problem.message)
        if kind not in self.repaired and len(self.repaired) >= _MOST_KINDS:
            kind = "of other kinds"
        self.repaired[kind] += 1
        self._first_repairs.setdefault(kind, str(problem))

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """The items, counted; after Ctrl-C no more of them come, and what was made of those before can be kept.

        Raises
        ------
        InputError
            Everything was rejected: the first reason.
        KeyboardInterrupt
            Ctrl-C came before anything was done.
        """
        stream = iter(items)
        with _on_interrupt(self._interrupt), self._shown() as show:
            begun = time.perf_counter()
            while (item := self._next(stream)) is not _END:
                self.done += 1
                self.seconds = time.perf_counter() - begun
                show(f"{counted(self.done, self.what)}, {self.done / max(self.seconds, 1e-9):,.1f} a second")
                yield item
        if self.stopped and not self.done:
            raise KeyboardInterrupt
        if self._first is not None and not self.done:
            if self.rejected > 1:
                say(f"all {self.rejected} {self.what} were rejected; the first:")
            raise self._first

    def report(self) -> None:
        """Say what was repaired and what rejected, and whether the work was stopped."""
        if self.repaired:
            say(f"{counted(self.repaired.total(), 'repairs')}, of {counted(len(self.repaired), 'kinds')}:")
            for kind, count in self.repaired.most_common(_MOST_SHOWN):
                say(f"  {count:,} times {kind}; the first: {self._first_repairs[kind]}")
            rest = len(self.repaired) - _MOST_SHOWN
            if rest > 0:
                say(f"  and {counted(rest, 'kinds')} more")
        if self.rejected and self._first is not None:
            say(f"rejected {counted(self.rejected, self.what)}, named in {self._path}; the first: {self._first}")
        if self.stopped:
            say(f"stopped: what was finished, {counted(self.done, self.what)}, is kept")

    def _next(self, stream: Iterator[T]) -> Any:
        if self.stopped:
            return _END
        try:
            self._pulling = True
            try:
                return next(stream, _END)
            finally:
                self._pulling = False
        except KeyboardInterrupt:
            self.stopped = True
            return _END

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """While an item is made it is given up at once; one that is being written is written first."""
        if self.stopped or self._pulling:
            self.stopped = True
            raise KeyboardInterrupt
        self.stopped = True

    @contextlib.contextmanager
    def _shown(self) -> Iterator[Callable[[str], None]]:
        if not self._progress:
            yield lambda text: None
            return
        from rich.console import Console

        with Console(stderr=True).status(f"reading {self.what}") as status:
            yield status.update


@contextlib.contextmanager
def _on_interrupt(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    try:
        before = signal.signal(signal.SIGINT, handler)
    except ValueError:  # not the main thread: who runs us there handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_END = object()
_NAMED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+")  # what differs between two problems of one kind
_MOST_KINDS = 1000
_MOST_SHOWN = 10

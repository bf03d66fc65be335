"""One run in one folder: a lock that is gone when its process is, however that ended.

The operating system holds it (``flock``, on Windows ``locking``), so a killed run leaves nothing to clear away. The file
``run.lock`` only says who holds it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path

from relatome.errors import TrainingError

FILE = "run.lock"


class Lock:
    """The right to write into a folder, until it is released or the process ends.

    Parameters
    ----------
    folder
        It is made where it is not there.

    Raises
    ------
    TrainingError
        Another process has it; the message says which.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     held = Lock(folder)
    ...     try:
    ...         Lock(folder)
    ...     except TrainingError as error:
    ...         print("training in this folder" in str(error))
    ...     held.release()
    ...     Lock(folder).release()
    True
    """

    def __init__(self, folder: str | Path) -> None:
        self.file = Path(folder) / FILE
        self._stream: TextIOWrapper | None = None
        self.file.parent.mkdir(parents=True, exist_ok=True)
        stream = self._taken()
        stream.seek(0)
        stream.truncate()
        json.dump({"process": os.getpid(), "machine": socket.gethostname()}, stream)
        stream.flush()
        self._stream = stream

    def release(self) -> None:
        """Let others in; a second time is no harm."""
        if self._stream is not None:
            self.file.unlink(missing_ok=True)
            self._stream.close()
            self._stream = None

    def __del__(self) -> None:
        self.release()

    def _taken(self) -> TextIOWrapper:
        while True:
            stream = self.file.open("a+", encoding="utf-8")
            try:
                _LOCK(stream.fileno())
            except OSError:
                stream.seek(0)
                who = _told(stream.read())
                stream.close()
                raise TrainingError(
                    f"{who} is training in this folder", path=self.file.parent,
                    advice="wait for it, or choose another folder",
                ) from None  # fmt: skip
            if self._same(stream):
                return stream
            stream.close()  # who had it has just released it and taken the file away

    def _same(self, stream: TextIOWrapper) -> bool:
        try:
            return os.path.samestat(os.fstat(stream.fileno()), self.file.stat())
        except FileNotFoundError:
            return False


def _told(text: str) -> str:
    try:
        found = json.loads(text)
        return f"process {found['process']} on {found['machine']}"
    except (ValueError, KeyError, TypeError):  # it has the lock and has not written yet
        return "another process"


def _flock(number: int) -> None:
    import fcntl

    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _locking(number: int) -> None:
    import msvcrt

    os.lseek(number, 1 << 30, os.SEEK_SET)  # far behind the text, which others may read
    msvcrt.locking(number, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]


_LOCK: Callable[[int], None] = _locking if sys.platform == "win32" else _flock

"""What can go wrong, and where it went wrong.

    RelatomeError
    ├── InputError          a file or text that cannot be read as what it should be
    │   ├── FormatError     a line or element is not what its format says
    │   ├── OffsetError     a mention's offsets do not give its text
    │   └── MarkerError     entity markers missing, doubled or crossed in a marked text
    ├── UnknownNameError    no such format, corpus, task, scorer ... (close matches are offered)
    ├── SettingsError       run-file or option mistakes, all of them at once
    ├── CorpusError         a corpus file is absent or is not the file its card describes
    ├── ModelError          a model folder is incomplete, unsafe or of another kind
    ├── TrainingError       a run that cannot go on: its loss is not a number, its folder is taken
    ├── ScoreError          gold and predictions do not describe the same examples
    ├── NetworkError        a service did not answer
    └── MissingExtraError   an optional dependency is not installed

Every error is one line for the person at the terminal: where (path:line, document), what was found, what was
expected, and what to do. ``cli`` prints ``str(error)`` and exits with ``error.exit_code``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class RelatomeError(Exception):
    """The root of every error Relatome raises on purpose.

    Parameters
    ----------
    message
        What was found and what was expected, in one sentence.
    path, line, document
        Where: the file, the 1-based line in it, the document id; each may be left out.
    advice
        What to do about it.

    Examples
    --------
    >>> print(RelatomeError("no columns", path="a.tsv", line=3, document="42", advice="use tabs"))
    a.tsv:3: document 42: no columns (use tabs)
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        document: str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else str(path)
        self.line = line
        self.document = document
        self.advice = advice

    def __str__(self) -> str:
        where = ""
        if self.path is not None:
            where = self.path + (f":{self.line}" if self.line is not None else "") + ": "
        elif self.line is not None:
            where = f"line {self.line}: "
        if self.document is not None:
            where += f"document {self.document}: "
        advice = f" ({self.advice})" if self.advice else ""
        return f"{where}{self.message}{advice}"

    def at(
        self, *, path: str | Path | None = None, line: int | None = None, document: str | None = None
    ) -> RelatomeError:
        """The same error with the parts of its place that it did not know yet."""
        self.path = self.path if self.path is not None else (None if path is None else str(path))
        self.line = self.line if self.line is not None else line
        self.document = self.document if self.document is not None else document
        return self


class InputError(RelatomeError):
    """A file or text that cannot be read as what it should be."""


class FormatError(InputError):
    """A line or element is not what its format says."""


class OffsetError(InputError):
    """A mention's offsets do not give its text."""


class MarkerError(InputError):
    """Entity markers are missing, doubled or crossed in a marked text."""


class UnknownNameError(RelatomeError):
    """A name that is in no table; the message offers close matches and the whole list."""


class SettingsError(RelatomeError):
    """Mistakes in a run file or in options; all of them, not just the first."""

    def __init__(self, problems: Iterable[str], *, path: str | Path | None = None) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = self.problems[0] if count == 1 else f"{count} mistakes: " + "; ".join(self.problems)
        super().__init__(head, path=path)


class CorpusError(RelatomeError):
    """A corpus file is absent or is not the file its card describes."""


class ModelError(RelatomeError):
    """A model folder is incomplete, unsafe or of another kind."""


class TrainingError(RelatomeError):
    """A training run that cannot go on."""


class ScoreError(RelatomeError):
    """Gold and predictions do not describe the same examples."""


class NetworkError(RelatomeError):
    """A service did not answer, or answered with an error."""


class MissingExtraError(RelatomeError):
    """An optional dependency is not installed.

    Parameters
    ----------
    module
        The module that could not be imported.
    extra
        The extra of the ``relatome`` package that brings it.
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"this needs {module!r}, which is not installed", advice=f'pip install "relatome[{extra}]"')
        self.module = module
        self.extra = extra

"""One way to turn a name into the thing it names: formats, corpora, tasks, heads, scorers, predictors, commands."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from relatome.errors import UnknownNameError

T = TypeVar("T")


def pick(name: str, table: Mapping[str, T], what: str) -> T:
    """The member of ``table`` called ``name``.

    Parameters
    ----------
    name
        What the user typed.
    table
        The registry, a plain dict.
    what
        What its members are, in the singular, for the message ("format", "corpus", ...).

    Raises
    ------
    UnknownNameError
        With up to three close matches, then the whole list.

    Examples
    --------
    >>> pick("conl", {"conll": 1, "squad": 2}, "scorer")
    Traceback (most recent call last):
    relatome.errors.UnknownNameError: unknown scorer 'conl': did you mean 'conll'? (known: conll, squad)
    """
    if name in table:
        return table[name]
    close = get_close_matches(name, table, n=3, cutoff=0.6)
    hint = f": did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
    raise UnknownNameError(f"unknown {what} {name!r}{hint}", advice="known: " + ", ".join(sorted(table)))

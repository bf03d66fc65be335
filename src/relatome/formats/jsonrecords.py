"""A JSON object as a record: fields of the right kind taken one by one, and the keys a format does not know kept as meta.

The question formats (SQuAD, BioASQ, PubMedQA, MedQA) are objects with a few fixed keys, beside which every release has
some of its own. These become ``meta``, and are written again where they were found; where a key of ``meta`` would hide
a fixed one, all of ``meta`` goes under the key ``"meta"``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TextIO

from relatome.documents import Span
from relatome.errors import FormatError

_MISSING = object()


class Record:
    """A JSON object that knows what it is called in messages.

    Examples
    --------
    >>> record = Record({"id": 7, "answers": ["yes"], "year": "2011"}, "a question")
    >>> record.identity("id"), record.texts("answers"), record.rest({"id", "answers"})
    ('7', ('yes',), {'year': '2011'})
    >>> record.text("body")
    Traceback (most recent call last):
    relatome.errors.FormatError: a question has no 'body'
    """

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise FormatError(f"{what} should be a JSON object, found {short(value)}")
        self.value: Mapping[str, Any] = value
        self.what = what

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def text(self, key: str, default: str | None = None) -> str:
        """A string; the default where there is no such key."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise FormatError(f"{key!r} of {self.what} should be a string, found {short(value)}")
        return whole(value, f"{key!r} of {self.what}")

    def identity(self, key: str) -> str:
        """An id: a string that is not blank, or a whole number."""
        value = self._get(key, None)
        if type(value) is int:
            return str(value)
        if not isinstance(value, str) or not value.strip():
            raise FormatError(f"{key!r} of {self.what} should be an id, found {short(value)}")
        return whole(value, f"{key!r} of {self.what}")

    def flag(self, key: str) -> bool:
        """True or false; false where there is no such key."""
        value = self.value.get(key, False)
        if not isinstance(value, bool):
            raise FormatError(f"{key!r} of {self.what} should be true or false, found {short(value)}")
        return value

    def number(self, key: str, least: int = 0) -> int | None:
        """A whole number, ``least`` or more; none where there is no such key."""
        value = self.value.get(key, _MISSING)
        if value is _MISSING:
            return None
        if type(value) is not int or not least <= value < 1 << 53:
            raise FormatError(f"{key!r} of {self.what} should be a whole number from {least}, found {short(value)}")
        return value

    def items(self, key: str) -> list[Any]:
        """A list; empty where there is no such key."""
        value = self.value.get(key, [])
        if not isinstance(value, list):
            raise FormatError(f"{key!r} of {self.what} should be a list, found {short(value)}")
        return value

    def records(self, key: str, what: str) -> list[Record]:
        """A list of objects, each called ``what``."""
        return [Record(item, f"{what} {number}") for number, item in enumerate(self.items(key), 1)]

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return _texts(self.items(key), f"{key!r} of {self.what}")

    def nested(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of strings."""
        found = []
        for item in self.items(key):
            if not isinstance(item, list):
                raise FormatError(f"{key!r} of {self.what} should be a list of lists, found {short(item)} in it")
            found.append(_texts(item, f"{key!r} of {self.what}"))
        return tuple(found)

    def spans(self, key: str) -> tuple[Span, ...]:
        """A list of pairs ``[start, end]``."""
        found = []
        for item in self.items(key):
            if not (isinstance(item, list) and len(item) == 2 and all(type(place) is int for place in item)):
                raise FormatError(f"{key!r} of {self.what} should be pairs [start, end], found {short(item)}")
            found.append(Span(*item))
        return tuple(found)

    def rest(self, known: Collection[str]) -> dict[str, Any]:
        """What stands under the keys that the format does not know, and under ``"meta"``."""
        inner = self.value.get("meta", {})
        if not isinstance(inner, dict):
            raise FormatError(f"'meta' of {self.what} should be a JSON object, found {short(inner)}")
        return {key: value for key, value in self.value.items() if key not in known and key != "meta"} | inner

    def _get(self, key: str, default: Any) -> Any:
        value = self.value.get(key, default)
        if value is None and key not in self.value:
            raise FormatError(f"{self.what} has no {key!r}")
        return value


def beside(record: Mapping[str, Any], meta: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """A record with its meta: beside its own keys, or under ``"meta"`` where one would hide the other.

    Examples
    --------
    >>> beside({"id": "1"}, {"year": "2011"}, {"id"})
    {'id': '1', 'year': '2011'}
    >>> beside({"id": "1"}, {"id": "A7"}, {"id"})
    {'id': '1', 'meta': {'id': 'A7'}}
    """
    if any(key in known or key == "meta" for key in meta):
        return {**record, "meta": dict(meta)}
    return {**record, **meta}


def dumped(record: Mapping[str, Any], document: str) -> str:
    """A record as one line of JSON.

    Raises
    ------
    FormatError
        It holds what JSON cannot: NaN, half a character, anything that is no plain value.
    """
    try:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False)
        line.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as problem:
        raise FormatError(
            f"this cannot be written as JSON: {problem}", document=document, advice="meta holds plain JSON values only"
        ) from None
    return line


def write_list(stream: TextIO, lines: Iterable[str]) -> None:
    """Write lines of JSON as the items of a list, without its brackets."""
    for number, line in enumerate(lines):
        stream.write((",\n" if number else "\n") + line)


def whole(text: str, what: str) -> str:
    """The text, if no character of it is half of one: JSON can spell a lone surrogate, and no encoding can write it."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise FormatError(f"{what} holds half a character, a lone surrogate")
    return text


def short(value: object) -> str:
    """A value as messages show it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _texts(items: list[Any], what: str) -> tuple[str, ...]:
    for item in items:
        if not isinstance(item, str):
            raise FormatError(f"{what} should hold strings, found {short(item)}")
    return tuple(whole(item, what) for item in items)

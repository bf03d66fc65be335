"""A relation as it is counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from relatome.documents import Document

T = TypeVar("T")


def fact(first: T, second: T, label: str, names: Mapping[str, str], both_ways: Collection[str]) -> tuple[T, T, str]:
    """A relation as it is counted: by its class, and in one order where its label holds both ways."""
    a, b = sorted((first, second)) if label in both_ways else (first, second)  # type: ignore[type-var]
    return a, b, names.get(label, label)


def by_span(
    document: Document, names: Mapping[str, str], classes: Sequence[str], both_ways: Collection[str]
) -> Iterator[tuple[Any, Any, str]]:
    """The document's relations of these classes, each by the ranges of its mentions."""
    spans = {mention.id: (mention.start, mention.end) for mention in document.mentions}
    for one in document.relations:
        kind = names.get(one.type, one.type)
        if one.level == "mention" and kind in classes:
            yield fact(spans[one.head], spans[one.tail], one.type, names, both_ways)


def place(identity: str, first: tuple[int, int], second: tuple[int, int]) -> str:
    """A pair of ranges by name, for reports."""
    return f"{identity}:{first[0]}-{first[1]}:{second[0]}-{second[1]}"

"""What a standoff format has no place for, as one JSON object beside what it has: so that a file holds the whole document.

A format says most of a document in its own terms. Whoever writes it reads back what was said (``said``) and compares: the
fields that differ are the remainder, and it travels where the format allows a free note (a BioC infon, a brat note, a
key of a PubAnnotation object). Mentions and relations are named by the ids they have in the file, so an annotation that
another tool took out takes its remainder with it; a text that was changed since no longer fits it, which is said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from relatome.documents import Document
from relatome.errors import FormatError
from relatome.formats.jsonl import dumped, from_record

KEY = "relatome"

_Json = dict[str, Any]
_LISTS = ("passages", "labels", "questions", "sentences", "tokens")


def remainder(document: Document, said: Document) -> _Json:
    """What ``said``, the document as its format alone gives it, lacks of the document; empty where it lacks nothing.

    Parameters
    ----------
    document
        The document that is written.
    said
        What is read back: the same text and mentions in the same order, and the same relations or only those between
        mentions; ids may differ.

    Examples
    --------
    >>> from relatome.documents import Mention
    >>> whole = Document("1", "Aspirin.", mentions=(Mention("c", 0, 7, "Drug", "Aspirin", ("D1",)),))
    >>> said = Document("1", "Aspirin.", mentions=(Mention("T1", 0, 7, "Drug", "Aspirin"),))
    >>> remainder(whole, said)["mentions"]
    {'T1': {'id': 'c', 'concepts': ['D1']}}
    >>> completed(said, remainder(whole, said)) == whole
    True
    """
    if document == said:
        return {}
    full, base = json.loads(dumped(document)), json.loads(dumped(said))
    names = {before["id"]: after["id"] for before, after in zip(*_both("mentions", base, full), strict=True)}
    _rename(base, names)
    rest: _Json = {}
    _compare_each(rest, "mentions", base.get("mentions", []), full.get("mentions", []), said.mentions)
    relations = full.get("relations", [])
    if len(relations) != len(said.relations):
        more = [[index, each] for index, each in enumerate(relations) if each.get("level") == "concept"]
        relations = [each for each in relations if each.get("level") != "concept"]
        rest["concept_relations"] = more
    _compare_each(rest, "relations", base.get("relations", []), relations, said.relations)
    for key in ("id", *_LISTS):
        if full.get(key) != base.get(key):
            rest[key] = full.get(key, [])
    if meta := _difference(base.get("meta", {}), full.get("meta", {})):
        rest["meta"] = meta
    return {"text": _digest(document.text), **rest} if rest else {}


def completed(said: Document, rest: object) -> Document:
    """The document that was written, from what its format alone gives and the remainder.

    Raises
    ------
    FormatError
        The remainder is not one, or its text was another.
    """
    if not isinstance(rest, dict) or not isinstance(rest.get("text"), str):
        raise FormatError(f"what stands under {KEY!r} should be a JSON object that Relatome wrote")
    if rest["text"] != _digest(said.text):
        raise FormatError(
            f"the text was changed since Relatome wrote what stands under {KEY!r}", advice="take that part out"
        )
    base = json.loads(dumped(said))
    for kind in ("mentions", "relations"):
        changes = _object(rest.get(kind, {}), kind)
        names = {
            each["id"]: _object(changes.get(each["id"], {}), kind).get("id", each["id"]) for each in base.get(kind, [])
        }
        for each in base.get(kind, []):
            _apply(each, _object(changes.get(each["id"], {}), kind))
        if kind == "mentions":
            _rename(base, names, only_relations=True)
    for place in rest.get("concept_relations", []):
        if not isinstance(place, list) or len(place) != 2 or type(place[0]) is not int:
            raise FormatError(f"what stands under {KEY!r} has a damaged relation {str(place)[:60]!r}")
        base.setdefault("relations", []).insert(place[0], place[1])
    base |= {key: rest[key] for key in ("id", *_LISTS) if key in rest}
    base["meta"] = _merged(base.get("meta", {}), _object(rest.get("meta", {}), "meta"))
    return from_record(base)


def _both(key: str, base: _Json, full: _Json) -> tuple[list[_Json], list[_Json]]:
    return base.get(key, []), full.get(key, [])


def _rename(base: _Json, names: Mapping[str, str], *, only_relations: bool = False) -> None:
    """Let the relations between mentions name them by their other ids."""
    for relation in base.get("relations", []):
        if relation.get("level") != "concept":
            for end in ("head", "tail"):
                relation[end] = names.get(relation[end], relation[end])


def _compare_each(rest: _Json, kind: str, base: list[_Json], full: list[_Json], said: Any) -> None:
    changes = {
        each.id: change
        for each, before, after in zip(said, base, full, strict=True)
        if (change := _change(before, after))
    }
    if changes:
        rest[kind] = changes


def _change(before: _Json, after: _Json) -> _Json:
    """The fields that differ; a field that is only in ``before`` is null."""
    change = {
        key: value for key, value in after.items() if key not in ("meta", "attributes") and before.get(key) != value
    }
    change |= {key: None for key in before if key not in after and key not in ("meta", "attributes")}
    for key in ("meta", "attributes"):
        if inner := _difference(before.get(key, {}), after.get(key, {})):
            change[key] = inner
    return change


def _difference(before: _Json, after: _Json) -> _Json:
    """What to set and what to take out, to make one object of another."""
    gone = [key for key in before if key not in after]
    new = {key: value for key, value in after.items() if key not in before or not _same(before[key], value)}
    return ({"set": new} if new else {}) | ({"gone": gone} if gone else {})


def _same(one: object, other: object) -> bool:
    """Equal also in kind: ``1``, ``1.0`` and ``True`` are three things."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _apply(record: _Json, change: _Json) -> None:
    for key, value in change.items():
        if key in ("meta", "attributes"):
            record[key] = _merged(record.get(key, {}), _object(value, key))
        elif value is None:
            record.pop(key, None)
        else:
            record[key] = value


def _merged(values: _Json, change: _Json) -> _Json:
    gone = change.get("gone", [])
    if not isinstance(gone, list):
        raise FormatError(f"what stands under {KEY!r} is damaged: {str(gone)[:60]!r}")
    return {key: value for key, value in values.items() if key not in gone} | _object(change.get("set", {}), "set")


def _object(value: object, what: str) -> _Json:
    if not isinstance(value, dict):
        raise FormatError(f"what stands under {KEY!r} is damaged: {what} should be a JSON object")
    return value


def _digest(text: str) -> str:
    """Eight hexadecimal digits that change when the text does."""
    return f"{crc32(text.encode('utf-8', 'surrogatepass')):08x}"

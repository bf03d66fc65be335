"""JSON lines: one document a line, every field of a ``Document`` kept.

    {"id": "1", "text": "Aspirin causes bleeding.", "mentions": [{"id": "T1", "start": 0, "end": 7, ...}]}

The keys are the fields of the records in ``relatome.documents``; a field at its default is left out; a range is a pair
``[start, end]``. ``{"text": "..."}`` alone is a document too: it is called ``STEM:LINE``. A key that is no field is an
error, because what is misspelt would otherwise be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TextIO, cast

from relatome.documents import Document, Label, Mention, Passage, Question, Relation, Span
from relatome.errors import FormatError, InputError
from relatome.formats.files import OnReject, json_object, located, numbered, settle, shown, stem, writing
from relatome.formats.losses import EVERYTHING
from relatome.formats.offsets import mended

HOLDS = EVERYTHING


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a JSON-lines file.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a line that is no document, which is then left out; without it the error is raised.
    on_repair
        Told about a key that is no field, and about a part that does not fit the text, which are then repaired or
        left out (see ``relatome.formats.offsets.mended``).

    Raises
    ------
    FormatError
        A line is not JSON, or has a key that is no field, or a value of the wrong kind.
    OffsetError
        A mention's offsets do not give its text.
    """
    for line in numbered(path):
        if not line.text.strip():
            continue
        try:
            with located(path=path, line=line.number):
                document = from_record(
                    parsed(line.text),
                    default_id=f"{stem(path)}:{line.number}",
                    on_repair=None if on_repair is None else _located(on_repair, path, line.number),
                )
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write documents as JSON lines; ``read`` gives equal documents back.

    Returns
    -------
    int
        How many documents were written.
    """
    count = 0
    with writing(path) as stream:
        for document in documents:
            stream.write(dumped(document) + "\n")
            count += 1
    return count


def fits(start: str) -> bool:
    """Whether a file begins with a JSON object: the formats with keys of their own are asked before."""
    return json_object(start)


def dumped(document: Document) -> str:
    """A document as one line of JSON.

    Examples
    --------
    >>> dumped(Document("1", "Aspirin.", sentences=(Span(0, 8),)))
    '{"id": "1", "text": "Aspirin.", "sentences": [[0, 8]]}'
    """
    try:
        line = json.dumps(_record(document), ensure_ascii=False, allow_nan=False)
        line.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as problem:
        raise FormatError(
            f"this cannot be written as JSON: {problem}",
            document=document.id,
            advice="meta and attributes hold plain JSON values only",
        ) from None
    return line


def parsed(text: str) -> object:
    """The value of a JSON text.

    Raises
    ------
    FormatError
        It is not JSON, or nested without end.
    """
    try:
        value: object = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise FormatError("JSON nested too deeply") from None
    except json.JSONDecodeError as problem:
        raise FormatError(f"this is not JSON: {problem.msg} at character {problem.pos + 1}") from None
    except ValueError as problem:  # a number of thousands of digits, or NaN
        raise FormatError(f"this is not JSON: {problem}") from None
    return value


def from_record(value: object, *, default_id: str = "", on_repair: OnReject | None = None) -> Document:
    """The document that a JSON object describes, checked; or with ``on_repair``, mended.

    Examples
    --------
    >>> from_record({"text": "Aspirin."}, default_id="note:1").id
    'note:1'
    """
    if on_repair is not None:
        value = _known(value, Document, "document", on_repair)
    document = cast(Document, _built(Document, value, "document", {"id": default_id}))
    with located(document=document.id):
        for where, text in (("id", document.id), ("text", document.text)):
            # The JSON escape \ud800 alone is half a character: no encoding can write it, no tokeniser can read it.
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise FormatError(f"the {where} holds half a character, a lone surrogate")
        return document.check() if on_repair is None else mended(document, on_repair=on_repair).check()


def _located(on_repair: OnReject, path: str | Path, line: int) -> OnReject:
    def told(problem: InputError) -> None:
        problem.at(path=shown(path), line=line)
        on_repair(problem)

    return told


def _known(value: object, kind: type, where: str, on_repair: OnReject) -> object:
    """A JSON object without the keys that are no field of its record, and of the records in it."""
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, content in value.items():
        if key not in _RECORDS[kind]:
            on_repair(FormatError(f"{where} has an unknown key {key!r}: left out"))
            continue
        inner = _INNER.get(key) if kind is Document else None
        if inner is not None and isinstance(content, list):
            content = [_known(item, inner, key, on_repair) for item in content]
        kept[key] = content
    return kept


def _record(value: object) -> Any:
    """A record as a JSON value: its fields that differ from their defaults."""
    if isinstance(value, Span):
        return list(value)
    if type(value) in _RECORDS:
        record = {}
        for each in fields(cast(Any, value)):
            content = getattr(value, each.name)
            default = each.default_factory() if each.default_factory is not MISSING else each.default
            if content != default or (each.default is MISSING and each.default_factory is MISSING):
                record[each.name] = _record(content)
        return record
    if isinstance(value, tuple):
        return [_record(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return value


def _built(kind: type, value: object, where: str, defaults: Mapping[str, object] | None = None) -> Any:
    """The record of one kind that a JSON object describes."""
    shapes = _RECORDS[kind]
    if not isinstance(value, dict):
        raise FormatError(f"{where} should be a JSON object, found {_short(value)}")
    defaults = {name: default for name, default in (defaults or {}).items() if name not in value}
    for key in value:
        if key not in shapes:
            close = get_close_matches(str(key), shapes, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise FormatError(f"{where} has an unknown key {key!r}", advice=f"{hint}known: {', '.join(shapes)}")
    for each in fields(kind):
        required = each.default is MISSING and each.default_factory is MISSING
        if required and each.name not in value and each.name not in defaults:
            raise FormatError(f"{where} has no {each.name!r}")
    return kind(**defaults, **{key: shapes[key](content, f"{where}: {key}") for key, content in value.items()})


def _string(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise FormatError(f"{where} should be a string, found {_short(value)}")
    return value


def _whole(value: object, where: str) -> int:
    if type(value) is not int:
        raise FormatError(f"{where} should be a whole number, found {_short(value)}")
    return value


def _probability(value: object, where: str) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= cast(float, value) <= 1:
        raise FormatError(f"{where} should be a number in 0..1, found {_short(value)}")
    return float(cast(float, value))


def _level(value: object, where: str) -> str:
    if value not in ("mention", "concept"):
        raise FormatError(f"{where} should be 'mention' or 'concept', found {_short(value)}")
    return value


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(f"{where} should be a JSON object, found {_short(value)}")
    return value


def _span(value: object, where: str) -> Span:
    if not isinstance(value, list) or len(value) != 2:
        raise FormatError(f"{where} should be a pair [start, end], found {_short(value)}")
    return Span(_whole(value[0], where), _whole(value[1], where))


def _several(shape: Callable[[object, str], object]) -> Callable[[object, str], tuple[object, ...]]:
    def several(value: object, where: str) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise FormatError(f"{where} should be a list, found {_short(value)}")
        return tuple(shape(item, f"{where}[{index}]") for index, item in enumerate(value))

    return several


def _of(kind: type) -> Callable[[object, str], object]:
    return lambda value, where: _built(kind, value, where)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_INNER: dict[str, type] = {
    "passages": Passage,
    "mentions": Mention,
    "relations": Relation,
    "labels": Label,
    "questions": Question,
}

# One shape for each field; a test compares the names with the records' own.
_RECORDS: dict[type, dict[str, Callable[[object, str], object]]] = {
    Mention: {
        "id": _string,
        "start": _whole,
        "end": _whole,
        "type": _string,
        "text": _string,
        "concepts": _several(_string),
        "fragments": _several(_span),
        "probability": _probability,
        "source": _string,
        "meta": _object,
    },
    Relation: {
        "id": _string,
        "type": _string,
        "head": _string,
        "tail": _string,
        "level": _level,
        "attributes": _object,
        "evidence": _several(_span),
        "probability": _probability,
        "source": _string,
    },
    Label: {
        "name": _string,
        "value": _string,
        "start": _whole,
        "end": _whole,
        "probability": _probability,
        "source": _string,
    },
    Passage: {"kind": _string, "start": _whole, "end": _whole, "heading": _string, "meta": _object},
    Question: {
        "id": _string,
        "text": _string,
        "kind": _string,
        "answers": _several(_several(_string)),
        "spans": _several(_span),
        "meta": _object,
    },
    Document: {
        "id": _string,
        "text": _string,
        "passages": _several(_of(Passage)),
        "mentions": _several(_of(Mention)),
        "relations": _several(_of(Relation)),
        "labels": _several(_of(Label)),
        "questions": _several(_of(Question)),
        "sentences": _several(_span),
        "tokens": _several(_span),
        "meta": _object,
    },
}

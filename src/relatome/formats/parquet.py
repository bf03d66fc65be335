"""Parquet: one document a row, every field kept, for tables of millions of documents.

The columns are the fields of ``Document``, those of its records nested in them; ``meta`` and ``attributes``, which hold
whatever their format knew, are JSON in a string. Rows are written and read a group at a time, so memory does not grow
with the file; pages carry checksums. A file with the columns ``text``, or ``id`` and ``text``, of someone else is read
too; a column that is no field is an error, because it would otherwise be lost.

Needs pyarrow: ``pip install "relatome[parquet]"``.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import IO, Any, TextIO, cast

from relatome.documents import Document, Label, Mention, Passage, Question, Relation, Span
from relatome.errors import FormatError, InputError, MissingExtraError
from relatome.formats.files import Lent, OnReject, located, opened, settle, shown, stem, writing_bytes
from relatome.formats.jsonl import from_record, parsed
from relatome.formats.losses import EVERYTHING

HOLDS = EVERYTHING
BINARY = True  # there is a NUL in it, and it is no text

_ROWS = 1000  # in a row group, and fewer where they are long
_CHARACTERS = 8_000_000  # of text in a row group, about
_BATCH = 100  # rows made into documents at a time
_JSON = ("meta", "attributes")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a Parquet file; one without an id is called ``STEM:ROW``.

    Parameters
    ----------
    path
        The file; a gzip, a member of an archive and standard input are copied to a temporary file first.
    on_reject
        Told about a row that is no document, which is then left out; without it the error is raised.
    on_repair
        Told about a part of a document that does not fit its text, which is then repaired or left out (see
        ``relatome.formats.offsets.mended``).

    Raises
    ------
    FormatError
        The file is no Parquet or is damaged, or has a column that is no field of a document.
    MissingExtraError
        pyarrow is not installed.
    """
    for number, row in enumerate(rows(path, _documents_only), start=1):
        try:
            with located(path=path):
                document = _document(row, f"{stem(path)}:{number}", f"row {number}", on_repair)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def rows(path: str | Path, check: Callable[[Any], Iterable[str] | None]) -> Iterator[dict[str, Any]]:
    """The rows of any Parquet file, a batch of them in memory at a time.

    Parameters
    ----------
    check
        Given the file's schema (pyarrow's) before any row is read: raises an error where it is not what was expected,
        and names the columns that are wanted, where those are not all.

    Raises
    ------
    FormatError
        The file is no Parquet or is damaged.
    MissingExtraError
        pyarrow is not installed.
    """
    arrow, parquet = _arrow()
    with _seekable(path) as file:
        number = 0
        try:
            table = parquet.ParquetFile(
                file,
                page_checksum_verification=True,
                thrift_string_size_limit=1 << 28,
                thrift_container_size_limit=1 << 24,
            )
            with located(path=path):
                wanted = check(table.schema_arrow)
            columns = None if wanted is None else sorted(wanted)
            for batch in table.iter_batches(batch_size=_BATCH, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield row
        except (arrow.ArrowException, OSError, UnicodeDecodeError, MemoryError) as damage:
            what = " ".join(str(damage).split()) or type(damage).__name__
            raise FormatError(
                f"this is not a whole Parquet file: {what[:200]}",
                path=shown(path),
                document=f"row {number + 1}" if number else None,
                advice="fetch or write it again",
            ) from None


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write documents as Parquet; ``read`` gives equal documents back.

    Parameters
    ----------
    path
        A file; Parquet is bytes, so a text stream is refused.

    Returns
    -------
    int
        How many documents were written.
    """
    arrow, parquet = _arrow()
    if not isinstance(path, (str, Path)):
        raise FormatError("Parquet is bytes: it cannot be written to a text stream", advice="name a file")
    schema = _schema(arrow)
    count = 0
    with (
        writing_bytes(path) as stream,
        parquet.ParquetWriter(
            stream, schema, compression="zstd", write_page_checksum=True, write_statistics=False, store_schema=False
        ) as writer,
    ):
        for rows in _groups(documents):
            writer.write_table(arrow.Table.from_pylist(rows, schema))
            count += len(rows)
    return count


def fits(start: str) -> bool:
    """Whether a file begins as Parquet does."""
    return start.startswith("PAR1")


def _documents_only(schema: Any) -> None:
    columns = set(schema.names)
    known = [each.name for each in fields(Document)]
    if "text" not in columns or not columns <= set(known):
        wrong = ", ".join(sorted(columns - set(known))) or "no text"
        raise FormatError(
            f"the columns should be fields of a document, found {wrong}",
            advice=f"rename or drop columns; known: {', '.join(known)}",
        )


def _arrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet") from None


@contextlib.contextmanager
def _seekable(path: str | Path) -> Iterator[IO[bytes]]:
    """The bytes of a file that can be read in any order: the list of its parts is at its end."""
    with opened(path) as stream:
        if not isinstance(path, Lent) and str(path) != "-" and stream.raw.__class__.__name__ == "FileIO":
            yield stream
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy)
            copy.seek(0)
            yield cast(IO[bytes], copy)


def _groups(documents: Iterable[Document]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    characters = 0
    for document in documents:
        with located(document=document.id):
            rows.append(_row(document))
        characters += len(document.text)
        if len(rows) >= _ROWS or characters >= _CHARACTERS:
            yield rows
            rows, characters = [], 0
    if rows:
        yield rows


def _row(record: object) -> Any:
    """A record as plain values: what may hold anything as JSON."""
    if isinstance(record, Span):
        return {"start": record.start, "end": record.end}
    if isinstance(record, Document | Passage | Mention | Relation | Label | Question):
        row: dict[str, Any] = {}
        for each in fields(record):
            value = getattr(record, each.name)
            row[each.name] = _dumped(value) if each.name in _JSON else _row(value)
        return row
    if isinstance(record, str):
        _whole(record)
        return record
    return [_row(item) for item in record] if isinstance(record, tuple) else record


def _dumped(value: Mapping[str, Any]) -> str:
    if not value:
        return "{}"
    try:
        text = json.dumps(dict(value), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as problem:
        raise FormatError(
            f"this cannot be written as JSON: {problem}", advice="meta and attributes hold plain JSON values only"
        ) from None
    _whole(text)
    return text


def _whole(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise FormatError("a text holds half a character, a lone surrogate") from None


def _document(row: dict[str, Any], identity: str, where: str, on_repair: OnReject | None) -> Document:
    try:
        record = _record(row)
    except FormatError as problem:
        raise problem.at(document=str(row.get("id") or where)) from None
    if not record.get("id"):
        record["id"] = identity
    return from_record(record, on_repair=on_repair)


def _record(value: Any, key: str = "") -> Any:
    """A row as the record that ``jsonl`` reads: spans as pairs, JSON unpacked, what is not there left out."""
    if key in _JSON and isinstance(value, str):
        return parsed(value)
    if isinstance(value, dict):
        if value.keys() == {"start", "end"}:
            return [value["start"], value["end"]]
        return {name: _record(content, name) for name, content in value.items() if content is not None}
    return [_record(item) for item in value] if isinstance(value, list) else value


def _schema(arrow: Any) -> Any:
    text, number, probability = arrow.string(), arrow.int64(), arrow.float64()
    span = arrow.struct([("start", number), ("end", number)])
    kinds: dict[type, list[tuple[str, Any]]] = {
        Passage: [("kind", text), ("start", number), ("end", number), ("heading", text), ("meta", text)],
        Mention: [
            *(("id", text), ("start", number), ("end", number), ("type", text), ("text", text)),
            *(("concepts", arrow.list_(text)), ("fragments", arrow.list_(span))),
            *(("probability", probability), ("source", text), ("meta", text)),
        ],
        Relation: [
            *(("id", text), ("type", text), ("head", text), ("tail", text), ("level", text), ("attributes", text)),
            *(("evidence", arrow.list_(span)), ("probability", probability), ("source", text)),
        ],
        Label: [
            *(("name", text), ("value", text), ("start", number), ("end", number)),
            *(("probability", probability), ("source", text)),
        ],
        Question: [
            *(("id", text), ("text", text), ("kind", text), ("answers", arrow.list_(arrow.list_(text)))),
            *(("spans", arrow.list_(span)), ("meta", text)),
        ],
    }
    several = {kind: arrow.list_(arrow.struct(shape)) for kind, shape in kinds.items()}
    return arrow.schema(
        [
            *(("id", text), ("text", text), ("passages", several[Passage]), ("mentions", several[Mention])),
            *(("relations", several[Relation]), ("labels", several[Label]), ("questions", several[Question])),
            *(("sentences", arrow.list_(span)), ("tokens", arrow.list_(span)), ("meta", text)),
        ]
    )

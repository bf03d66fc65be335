"""Columns of someone else's Parquet: a row is a document, and whoever reads says which column is what.

    text=sentence,label=label               a text with its class, or a list of classes
    tokens=tokens,tags=ner_tags             a sentence in tokens, each with its IOB tag

Datasets of the Hugging Face hub are such files. What a class or a tag that is a number is called, their schema says
(``ClassLabel`` of the library ``datasets``); no code of theirs is run. A column that no key names is not read. The format
is not guessed: a corpus's card, or its ``hf:`` name, says the columns (see ``relatome.corpora.hub``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from relatome.documents import Document, Label, Span
from relatome.errors import FormatError, InputError
from relatome.formats import iob, parquet
from relatome.formats.files import OnReject, located, settle, stem

KEYS: Mapping[str, str] = {
    "text": "the text; it is one sentence, or whatever its corpus calls a row",
    "tokens": "the tokens of a sentence, instead of a text",
    "tags": "the IOB tag of each token",
    "label": "the class of the text, or a list of its classes",
    "id": "what the row is called; else FILE:ROW",
    "pmid": "the PubMed id of the article that it comes from",
}
"""What a column can be."""

_DATASETS = b"huggingface"  # where the library ``datasets`` writes what its columns are


def read(
    path: str | Path,
    *,
    columns: Mapping[str, str],
    on_reject: OnReject | None = None,
    on_repair: OnReject | None = None,
) -> Iterator[Document]:
    """The rows of a Parquet file, in its order.

    Where the file's name is a number (``train/0000.parquet``), its folder's comes before it in the ids.

    Parameters
    ----------
    path
        The file.
    columns
        Which column is what: keys are those of ``KEYS``.
    on_reject
        Told about a row that is no document, which is then left out; without it the error is raised.
    on_repair
        Never told: a row is read as it stands or not at all.

    Raises
    ------
    FormatError
        A column is not there or holds something else, or the file is no Parquet.
    MissingExtraError
        pyarrow is not installed.
    """
    names: dict[str, Sequence[str]] = {}

    def check(schema: Any) -> list[str]:
        if missing := [column for column in columns.values() if column not in schema.names]:
            raise FormatError(
                f"there is no column {', '.join(map(repr, missing))}", advice=f"there are: {', '.join(schema.names)}"
            )
        names.update({key: names_of(schema, column) for key, column in columns.items()})
        return list(columns.values())

    name = stem(path)
    name = f"{Path(path).parent.name}/{name}" if name.isdecimal() else name
    for number, row in enumerate(parquet.rows(path, check), start=1):
        identity = f"{name}:{number}"
        try:
            with located(path=path, document=identity):
                document = _document(identity, {key: row[column] for key, column in columns.items()}, columns, names)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def names_of(schema: Any, column: str) -> tuple[str, ...]:
    """What the numbers of a column stand for, if they are classes that the file names; else nothing.

    Parameters
    ----------
    schema
        pyarrow's, with what ``datasets`` left in its metadata.
    """
    try:
        feature: Any = json.loads((schema.metadata or {})[_DATASETS])["info"]["features"][column]
    except (KeyError, TypeError, ValueError, RecursionError):
        return ()
    while isinstance(feature, list | dict) and "names" not in feature:  # a list of classes
        inner = feature[0] if isinstance(feature, list) and feature else None
        feature = feature.get("feature") if isinstance(feature, dict) else inner
    names = feature.get("names") if isinstance(feature, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _document(
    identity: str, row: Mapping[str, Any], columns: Mapping[str, str], names: Mapping[str, Sequence[str]]
) -> Document:
    if row.get("id") is not None:
        identity = str(row["id"])
    if "tokens" in row:
        words = [_text(word, "tokens", columns) for word in _list(row["tokens"], "tokens", columns)]
        tags = [_named(tag, "tags", columns, names) for tag in _list(row["tags"], "tags", columns)]
        if len(words) != len(tags):
            raise FormatError(f"expected a tag for each of the {len(words)} tokens, found {len(tags)}")
        document = iob.tagged(identity, [(words, tags)])
    else:
        text = _text(row["text"], "text", columns)
        document = Document(identity, text, sentences=(Span(0, len(text)),))
    labels: list[str] = []
    if row.get("label") is not None:
        given = row["label"] if isinstance(row["label"], list) else [row["label"]]
        labels = [_named(value, "label", columns, names) for value in given]
    return replace(
        document,
        labels=tuple(Label(columns["label"], value, 0, len(document.text)) for value in labels),
        meta={**document.meta, **({"pmid": str(row["pmid"])} if row.get("pmid") is not None else {})},
    ).check()


def _list(value: Any, key: str, columns: Mapping[str, str]) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise FormatError(f"column {columns[key]!r} should hold a list, found {str(value)[:80]!r}")
    return value


def _text(value: Any, key: str, columns: Mapping[str, str]) -> str:
    if not isinstance(value, str) or not value.strip():
        raise FormatError(f"column {columns[key]!r} should hold text, found {str(value)[:80]!r}")
    return value


def _named(value: Any, key: str, columns: Mapping[str, str], names: Mapping[str, Sequence[str]]) -> str:
    """A class or a tag as text: its name where it is a number that the file names."""
    known = names[key]
    if isinstance(value, int) and not isinstance(value, bool) and known:
        if not 0 <= value < len(known):
            raise FormatError(f"column {columns[key]!r} should hold a class from 0 to {len(known) - 1}, found {value}")
        value = known[value]
    name = str(value)
    if key == "tags" and not iob.is_tag(name):
        raise FormatError(
            f"column {columns[key]!r} should hold tags (O, B-TYPE, I-TYPE ...), found {name[:40]!r}",
            advice="" if known else "the file does not say what its numbers are called",
        )
    return name

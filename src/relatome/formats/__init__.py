"""Reading and writing documents: one module is one format, and a file's content says which it is.

Every format has ``read(path) -> Iterator[Document]``; most have ``write(documents, path)``. Readers stream, check every
offset, and say path, line and document of what is wrong; writers leave a whole file or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from relatome.documents import Document
from relatome.errors import FormatError, InputError, UnknownNameError
from relatome.formats.files import OnReject, head, shown
from relatome.formats.text import Split
from relatome.lookup import pick


def read(
    path: str | Path, format: str | None = None, *, split: Split = "block", on_reject: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a file, of every file in a folder, or of standard input.

    Parameters
    ----------
    path
        A file, plain or gzip; a folder, whose files are read in the order of their names (hidden files and folders
        in it are left out, and so are files that belong to another one, as ChemProt's entities); ``"-"`` is
        standard input.
    format
        One of ``FORMATS``; without it the content tells.
    split
        For plain text: what one document is, a ``"file"``, a ``"block"`` between blank lines or a ``"line"``.
    on_reject
        Told about each document that cannot be read, which is then left out, and in a folder about each file that
        cannot be read on; without it the first error is raised.

    Raises
    ------
    UnknownNameError
        There is no such format.
    InputError
        The input cannot be read; with path, line and document.
    """
    if format is not None:
        pick(format, FORMATS, "format")  # now, not when the first document is asked for
    if str(path) == "-" or not _is_folder(path):
        return _read_file(path, format, split, on_reject)
    return _read_folder(Path(path), format, split, on_reject)


def write(documents: Iterable[Document], path: str | Path | TextIO, format: str) -> int:
    """Write documents in one of the formats that can be written.

    Parameters
    ----------
    path
        A file, which appears under its name only when all is written (gzip where the name ends in ``.gz``), or an
        open text stream. BioC is written as JSON where the name says ``.json``, else as XML.

    Returns
    -------
    int
        How many documents were written; for ``chemprot``, how many relations.

    Raises
    ------
    UnknownNameError
        There is no such format, or it cannot be written.
    """
    module = _module(format)
    if not hasattr(module, "write"):
        can = [name for name in FORMATS if hasattr(_module(name), "write")]
        raise UnknownNameError(f"format {format!r} can be read but not written", advice="can be: " + ", ".join(can))
    count: int = module.write(documents, path)
    return count


def guess(path: str | Path) -> str:
    """The format of a file, by its first 64 KB; what is nothing else is text.

    Raises
    ------
    FormatError
        The file is XML or JSON of a kind that is not known, or binary.
    """
    start = head(path).lstrip()
    if "\0" in start:
        raise FormatError("the file is binary, not text", path=shown(path), advice="only text can be read")
    if re.match(r"<[?!A-Za-z]", start):
        root = re.search(r"<([A-Za-z][\w.:-]*)", start)
        if root is None or root[1] not in _XML_ROOTS:
            raise FormatError(
                f"XML of a kind that is not known: its root is <{root[1] if root else '?'}>",
                path=shown(path),
                advice="known roots: " + ", ".join(_XML_ROOTS),
            )
        return _XML_ROOTS[root[1]]
    if re.match(r"\{\s*[\"}]|\[\s*\{", start):
        return "bioc" if _is_bioc(start) else "jsonl"
    if _LINES["pubtator"].match(start):
        return "pubtator"
    whole, _, cut = start.rpartition("\n")
    lines = [line.rstrip("\r") for line in (whole or cut).split("\n") if line.strip()][:20]
    return next((name for name, fits in _LINES.items() if lines and all(map(fits.match, lines))), "text")


def _is_folder(path: str | Path) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:  # no name can be so long: opening it says so
        return False


def _read_file(path: str | Path, format: str | None, split: Split, on_reject: OnReject | None) -> Iterator[Document]:
    name = format if format is not None else guess(path)
    options: dict[str, Any] = {"split": split} if name == "text" else {}
    yield from _module(name).read(path, on_reject=on_reject, **options)


def _read_folder(folder: Path, format: str | None, split: Split, on_reject: OnReject | None) -> Iterator[Document]:
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name[0] != "."]
    if not paths:
        raise InputError("this folder holds no files", path=folder)
    for path in paths:
        if _module("chemprot").belongs_to_abstracts(path):
            continue
        try:
            yield from _read_file(path, format, split, on_reject)
        except InputError as problem:
            if on_reject is None:
                raise
            on_reject(problem)


def _is_bioc(start: str) -> bool:
    """Whether JSON is BioC rather than our own lines, whose first keys are ``id`` and ``text``."""
    if re.match(r'\{\s*("id"\s*:\s*"[^"]*"\s*,\s*)?"text"\s*:', start):
        return False
    return bool(re.search(r'"(documents|PubTator3|passages|infons)"\s*:', start))


def _module(format: str) -> ModuleType:
    return import_module(pick(format, FORMATS, "format"))


_XML_ROOTS = {
    "collection": "bioc",
    "PubmedArticleSet": "pubmed",
    "PubmedBookArticleSet": "pubmed",
    "MedlineCitationSet": "pubmed",
    "PubmedArticle": "pubmed",
    "MedlineCitation": "pubmed",
}

# What every line of a format looks like, of PubTator the first; in this order, because a ChemProt line is any three columns.
_LINES = {
    "pubtator": re.compile(r"[^|\t\n]+\|t\|"),
    "ade": re.compile(r"\d+ NEG .|\d+\|[^|]+\|[^|]*\|\d+\|\d+\|[^|]*\|\d+\|\d+$"),
    "iob": re.compile(r"-DOCSTART-|(?:[^\t]+\t)+(?:O|[BIES](?:-\S+)?)$"),
    "chemprot": re.compile(r"\w+\t(?:[^\t]+\t[^\t]+$|T\d+\t\S+\t\d+\t\d+\t|CPR:\d+\t)"),
}

FORMATS = {
    "text": "relatome.formats.text",
    "jsonl": "relatome.formats.jsonl",
    "pubtator": "relatome.formats.pubtator",
    "bioc": "relatome.formats.bioc",
    "pubmed": "relatome.formats.pubmed",
    "iob": "relatome.formats.iob",
    "ade": "relatome.formats.ade",
    "chemprot": "relatome.formats.chemprot",
}

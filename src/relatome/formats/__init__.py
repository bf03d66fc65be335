"""Reading and writing documents: one module is one format, and a file's content says which it is.

Every format has ``read(path) -> Iterator[Document]``; most have ``write(documents, path)``. Readers stream, check every
offset, and say path, line and document of what is wrong; writers leave a whole file or none.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from relatome.documents import Document
from relatome.errors import FormatError, InputError, UnknownNameError
from relatome.formats import archives, losses
from relatome.formats.files import Lent, OnReject, head, settle, shown, xml_root
from relatome.formats.text import Split
from relatome.lookup import pick


def read(
    path: str | Path,
    format: str | None = None,
    *,
    split: Split = "block",
    on_reject: OnReject | None = None,
    on_repair: OnReject | None = None,
) -> Iterator[Document]:
    """The documents of a file, of every file in a folder, or of standard input.

    Parameters
    ----------
    path
        A file, plain or gzip; a tar, plain or gzip, or a zip, whose members are read in its order; a folder, whose
        files are read in the order of their names (hidden files and folders in it are left out, and so are files
        that belong to another one, as ChemProt's entities); ``"-"`` is standard input.
    format
        One of ``FORMATS``; without it the content tells.
    split
        For plain text: what one document is, a ``"file"``, a ``"block"`` between blank lines or a ``"line"``.
    on_reject
        Told about each document that cannot be read, which is then left out, and in a folder about each file that
        cannot be read on; without it the first error is raised.
    on_repair
        Told about each part of a document that is wrong and is then repaired or left out, so that the document is
        kept (see ``relatome.formats.offsets``); without it the document is rejected.

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
        return _read_file(path, format, split, on_reject, on_repair)
    return _read_folder(Path(path), format, split, on_reject, on_repair)


def write(documents: Iterable[Document], path: str | Path | TextIO, format: str, **options: Any) -> int:
    """Write documents in one of the formats that can be written (see ``writable``).

    Parameters
    ----------
    path
        A file, which appears under its name only when all is written (gzip where the name ends in ``.gz``), or an
        open text stream. BioC is written as JSON where the name says ``.json``, else as XML.
    format
        One of ``writable()``.
    options
        What this format's own ``write`` can be told, such as ``scheme="IOBES"`` for ``iob``.

    Returns
    -------
    int
        How many documents were written; for ``chemprot``, how many relations.

    Raises
    ------
    UnknownNameError
        There is no such format, or it cannot be written.
    """
    count: int = _written(format).write(documents, path, **options)
    return count


def writable() -> tuple[str, ...]:
    """The formats that can be written."""
    return tuple(name for name in FORMATS if hasattr(_module(name), "write"))


def lost(document: Document, format: str) -> Counter[str]:
    """How much of each part of a document a format cannot hold (see ``relatome.formats.losses``).

    Examples
    --------
    >>> from relatome.documents import Label
    >>> lost(Document("1", "Aspirin.", labels=(Label("topic", "drugs", 0, 8),)), "pubtator")
    Counter({'labels': 1})
    """
    module = _written(format)
    counts = losses.lost(document, module.HOLDS)
    before = losses.kept(document, module.HOLDS)
    after = _laid_out(before, module)
    if after is not before:
        counts["text"] += after.text != document.text
        counts["mentions"] += sum((_written_out(before) - _written_out(after)).values())
        for part in ("passages", "relations", "sentences"):
            counts[part] += max(0, len(getattr(before, part)) - len(getattr(after, part)))
    return +counts


def kept(document: Document, format: str) -> Document:
    """A document as it is read again from a file of a format that it was written to."""
    module = _written(format)
    return _laid_out(losses.kept(document, module.HOLDS), module)


def guess(path: str | Path) -> str:
    """The format of a file, by its first 64 KB; of an archive, that of its first file; what is nothing else is text.

    Raises
    ------
    FormatError
        The file is XML or JSON of a kind that is not known, or binary.
    """
    if not isinstance(path, Lent) and archives.kind(path):
        return _guess_inside(path)
    start = head(path).lstrip()
    found = next(name for name in FORMATS if hasattr(module := _module(name), "fits") and module.fits(start))
    if start.startswith("%PDF-"):
        raise FormatError(
            "this is a PDF, not text",
            path=shown(path),
            advice="take the text out first: pdftotext FILE - | relatome ... -",
        )
    if "\0" in start and not getattr(_module(found), "BINARY", False):
        raise FormatError("the file is binary, not text", path=shown(path), advice="only text and Parquet can be read")
    if found == "text" and (root := xml_root(start)) is not None:
        raise FormatError(
            f"XML of a kind that is not known: its root is <{root or '?'}>",
            path=shown(path),
            advice="--from FORMAT if it is one of: " + ", ".join(FORMATS),
        )
    return found


def _guess_inside(path: str | Path) -> str:
    if str(path) == "-":
        raise FormatError("what is in an archive on standard input cannot be told", path=shown(path), advice="--from")
    if (whole := _of_archive(path)) is not None:
        return whole
    if not archives.pairs_up(path, is_part):
        with contextlib.closing(archives.members(path)) as members:
            return guess(next(members))
    with archives.unpacked(path) as inside:
        return guess(next(file for file in inside.files if not is_part(file)))


def _is_folder(path: str | Path) -> bool:
    try:
        return Path(path).is_dir()
    except OSError:  # no name can be so long: opening it says so
        return False


def _read_file(
    path: str | Path, format: str | None, split: Split, on_reject: OnReject | None, on_repair: OnReject | None
) -> Iterator[Document]:
    if not isinstance(path, Lent) and not _is_archive_itself(format) and archives.kind(path):
        yield from _read_archive(path, format, split, on_reject, on_repair)
        return
    name = format if format is not None else guess(path)
    options: dict[str, Any] = {"split": split} if name == "text" else {}
    yield from _module(name).read(path, on_reject=on_reject, on_repair=on_repair, **options)


def _is_archive_itself(format: str | None) -> bool:
    """Whether a file of this format is an archive whose members are no documents (Hallmarks of Cancer)."""
    return format is not None and getattr(_module(format), "ARCHIVES", False)


def _of_archive(path: str | Path) -> str | None:
    """The format that only an archive as a whole can be, if it is one; of standard input that is not known."""
    known = ((name, _module(name)) for name in FORMATS if str(path) != "-")
    return next((name for name, module in known if hasattr(module, "fits_archive") and module.fits_archive(path)), None)


def _read_archive(
    path: str | Path, format: str | None, split: Split, on_reject: OnReject | None, on_repair: OnReject | None
) -> Iterator[Document]:
    """The documents of an archive's members: one after another, or where files belong together, from a folder."""
    if format is None and (whole := _of_archive(path)) is not None:
        yield from _module(whole).read(path, on_reject=on_reject, on_repair=on_repair)
        return
    together = format is not None and hasattr(_module(format), "is_part")
    if not together and not archives.pairs_up(path, is_part):
        for member in archives.members(path, on_reject=on_reject):
            try:
                yield from _read_file(member, format, split, on_reject, on_repair)
            except InputError as problem:
                settle(problem, on_reject)
        return
    if format is None and _is_archive_itself(name := guess(path)):
        yield from _module(name).read(path, on_reject=on_reject, on_repair=on_repair)
        return
    with archives.unpacked(path, on_reject=on_reject) as inside:
        renamed = archives.renamed(inside.folder, path)
        reject = None if on_reject is None else _after(renamed, on_reject)
        repair = None if on_repair is None else _after(renamed, on_repair)
        try:
            yield from _read_files(inside.files, format, split, reject, repair)
        except InputError as problem:
            raise renamed(problem) from None


def _after(change: Callable[[InputError], InputError], told: OnReject) -> OnReject:
    return lambda problem: told(change(problem))


def _read_folder(
    folder: Path, format: str | None, split: Split, on_reject: OnReject | None, on_repair: OnReject | None
) -> Iterator[Document]:
    if format is not None and getattr(_module(format), "FOLDERS", False):
        yield from _module(format).read(folder, on_reject=on_reject, on_repair=on_repair)
        return
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name[0] != "."]
    if not paths:
        raise InputError("this folder holds no files", path=folder)
    yield from _read_files(paths, format, split, on_reject, on_repair)


def _read_files(
    paths: Iterable[Path],
    format: str | None,
    split: Split,
    on_reject: OnReject | None,
    on_repair: OnReject | None,
) -> Iterator[Document]:
    for path in paths:
        if is_part(path):
            continue
        try:
            yield from _read_file(path, format, split, on_reject, on_repair)
        except InputError as problem:
            settle(problem, on_reject)


def is_part(path: Path) -> bool:
    """Whether a file is read together with another one beside it, and so not by itself (ChemProt's entities)."""
    return any(module.is_part(path) for name in FORMATS if hasattr(module := _module(name), "is_part"))


def _laid_out(document: Document, module: ModuleType) -> Document:
    """The document in the shape that a format has room for, where that is more than leaving parts out."""
    if not hasattr(module, "laid_out"):
        return document
    laid_out: Document = module.laid_out(document)
    return laid_out


def _written_out(document: Document) -> Counter[tuple[str, str]]:
    """How often each mention stands there, whatever the blanks in it."""
    return Counter((mention.type, "".join(mention.text.split())) for mention in document.mentions)


def _written(format: str) -> ModuleType:
    module = _module(format)
    if not hasattr(module, "write"):
        raise UnknownNameError(
            f"format {format!r} can be read but not written", advice="can be: " + ", ".join(writable())
        )
    return module


def _module(format: str) -> ModuleType:
    return import_module(pick(format, FORMATS, "format"))


# In the order in which they are asked whether a file is theirs: the sure ones first. A format of rows comes after those
# whose rows say more, jsonl after all other JSON, text last, because it takes everything.
FORMATS = {
    "parquet": "relatome.formats.parquet",
    "pubmed": "relatome.formats.pubmed",
    "jats": "relatome.formats.jats",
    "bioc": "relatome.formats.bioc",
    "ddi": "relatome.formats.ddi",
    "medline": "relatome.formats.medline",
    "cord19": "relatome.formats.cord19",
    "pubtator": "relatome.formats.pubtator",
    "brat": "relatome.formats.brat",
    "masked_rows": "relatome.formats.masked_rows",
    "sentence_pairs": "relatome.formats.sentence_pairs",
    "blurb_hoc": "relatome.formats.blurb_hoc",
    "medical_abstracts": "relatome.formats.medical_abstracts",
    "pubmed_rct": "relatome.formats.pubmed_rct",
    "scibert_rows": "relatome.formats.scibert_rows",
    "squad": "relatome.formats.squad",
    "bioasq": "relatome.formats.bioasq",
    "pubmedqa": "relatome.formats.pubmedqa",
    "medqa": "relatome.formats.medqa",
    "blurb_bioasq": "relatome.formats.blurb_bioasq",
    "pubannotation": "relatome.formats.pubannotation",
    "ade": "relatome.formats.ade",
    "iob": "relatome.formats.iob",
    "chemprot": "relatome.formats.chemprot",
    "drugprot": "relatome.formats.drugprot",
    "hoc": "relatome.formats.hoc",
    "jsonl": "relatome.formats.jsonl",
    "text": "relatome.formats.text",
}

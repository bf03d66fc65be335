"""What the arguments of a command mean: texts, files, folders, standard input, PMIDs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from relatome.cli.terminal import say
from relatome.errors import InputError, SettingsError
from relatome.lookup import pick

if TYPE_CHECKING:
    from relatome.documents import Document
    from relatome.formats.files import OnReject
    from relatome.formats.text import Split

_SUFFIX = re.compile(
    r"\.(txt|jsonl?|ndjson|xml|nxml|tsv|csv|pubtator|bioc|iob2?|conll|rel|ann|parquet|tar|tgz|zip|pdf|docx?|html?|toml)(\.gz)?$|\.gz$",
    re.IGNORECASE,
)
SPLITS = {"file": "file", "block": "block", "line": "line"}


def place(argument: str) -> str | Path | None:
    """Where an argument leads: ``"-"``, an existing path, or nowhere because it is a text itself.

    Raises
    ------
    InputError
        It looks like a path, but nothing is there; or it is an empty text, or one that is not UTF-8.
    """
    if argument == "-":
        if sys.stdin.isatty():
            say("reading from the terminal: type or paste a text, then Ctrl-D")
        return argument
    if not argument.strip():
        raise InputError("the text is empty", advice="give a text, a file, a folder or -")
    try:
        if Path(argument).exists():
            return Path(argument)
    except (OSError, ValueError):  # longer than a path can be
        pass
    if len(argument) < 1024 and "\n" not in argument and _looks_like_a_path(argument):
        raise InputError(
            "no such file or folder", path=argument,
            advice="check the path; to read it as a text, pipe it in: echo TEXT | relatome ... -",
        )  # fmt: skip
    if any("\ud800" <= character <= "\udfff" for character in argument):
        raise InputError("the text is not UTF-8", advice="check the terminal's encoding, or give a file")
    return None


def pmids(given: Iterable[str]) -> list[str]:
    """PMIDs from options that may each hold several, with commas or blanks between."""
    return [one for many in given for one in re.split(r"[,;\s]+", many) if one]


def documents(
    arguments: Sequence[str], *, split: str = "block", format: str | None = None, pmid: Sequence[str] = (),
    on_reject: OnReject, on_repair: OnReject | None = None,
) -> Iterator[Document]:  # fmt: skip
    """The documents that the arguments name, in their order, then those of the PMIDs.

    With ``on_repair`` parts that are wrong are repaired or left out, counted, and their documents kept.
    Where there are several inputs, one that cannot be read is rejected like a document; a sole one is an error.

    Raises
    ------
    SettingsError
        There is nothing to read.
    InputError, UnknownNameError
        An argument leads nowhere, or there is no such format or split; at once, not when the first is asked for.
    """
    from relatome.formats import FORMATS

    pick(split, SPLITS, "split")
    if format is not None:
        pick(format, FORMATS, "format")
    if not arguments and not pmid:
        raise SettingsError(
            ["there is nothing to read: give a text, a file, a folder, - for standard input, or --pmid"]
        )
    if arguments.count("-") > 1:
        raise SettingsError(["standard input can be read once, but - is given twice"])
    places = [(argument, place(argument)) for argument in arguments]
    return _documents(places, cast("Split", split), format, pmid, on_reject, on_repair)


def _documents(
    places: list[tuple[str, str | Path | None]],
    split: Split,
    format: str | None,
    pmid: Sequence[str],
    on_reject: OnReject,
    on_repair: OnReject | None,
) -> Iterator[Document]:
    from relatome import formats
    from relatome.documents import Document

    texts = 0
    for argument, where in places:
        if where is None:
            texts += 1
            yield Document("text" if len(places) == 1 else f"text:{texts}", argument)
            continue
        try:
            yield from formats.read(where, format, split=split, on_reject=on_reject, on_repair=on_repair)
        except InputError as problem:
            if len(places) == 1 and not pmid:
                raise
            on_reject(problem)
    if pmid:
        from relatome.corpora import eutils

        yield from eutils.fetch(
            pmid, on_missing=lambda one: on_reject(InputError("PubMed has no article with this PMID", document=one))
        )


def _looks_like_a_path(argument: str) -> bool:
    blank = any(character.isspace() for character in argument)
    return bool(_SUFFIX.search(argument)) or (("/" in argument or "\\" in argument) and not blank)

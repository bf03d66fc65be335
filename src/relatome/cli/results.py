"""Where documents go: to the eye, to a format, or one fact a line; and what the format chosen cannot hold."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from relatome.cli.terminal import say
from relatome.errors import InputError, SettingsError
from relatome.lookup import pick

if TYPE_CHECKING:
    from relatome.documents import Document, Span

Write = Callable[..., int]  # documents, a path or text stream, and what a format's writer can be told


def format_of(to: str | None, output: Path | None, *, otherwise: str = "text") -> str:
    """The format to write: what was asked for, else what the file's name says, else the default.

    Raises
    ------
    UnknownNameError
        There is no such format, or it cannot be written.
    SettingsError
        The file's name says nothing.
    """
    if to is not None:
        pick(to, WRITERS, "format to write")
        return to
    if output is None:
        return otherwise
    found = next((name for pattern, name in _SUFFIXES if re.search(pattern, output.name, re.IGNORECASE)), None)
    if found is None:
        raise SettingsError(
            [f"the name {output.name!r} does not say which format to write: add --to {'|'.join(WRITERS)}"]
        )
    return found


def write(
    documents: Iterable[Document],
    to: str,
    output: Path | None,
    *,
    strict: bool = False,
    explained: bool = False,
    made: Collection[str] = (),
    **options: Any,
) -> int:
    """Write documents to a file, whole or not at all, or to standard output; then say what had no place there.

    Parameters
    ----------
    strict
        Raise an error at the first document of which something would be lost; nothing is written then.
    explained
        Say of each part that was lost what it is.
    made
        Parts that were made for the output, and that no one misses.
    options
        For the format's own writer.

    Returns
    -------
    int
        How many documents were written.

    Raises
    ------
    InputError
        ``strict``, and the format cannot hold all.
    """
    if output is None and to in FILES_ONLY:
        raise SettingsError([f"{to} cannot be written to standard output: name a file"])
    lost: Counter[str] = Counter()
    if to in VIEWS:
        if strict:
            raise SettingsError([f"--strict: {to} is a view of what was found, and no format that could keep all"])
        watched = documents
    else:
        watched = _watched(documents, to, lost, strict=strict, made=frozenset(made))
    if strict and output is None:
        import shutil
        import tempfile

        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as whole:
            count = WRITERS[to](watched, whole, **options)
            whole.seek(0)
            shutil.copyfileobj(whole, sys.stdout)
    else:
        count = WRITERS[to](watched, output if output is not None else sys.stdout, **options)
    if lost:
        say(f"{to} has no place for {_told(lost)}; jsonl keeps everything")
        if explained:
            from relatome.formats.losses import PARTS

            for part in sorted(lost, key=list(PARTS).index):
                say(f"  {part}: {PARTS[part]}")
    return count


def check_output(output: Path | None, arguments: Iterable[str], to: str = "") -> None:
    """Refuse to write over what is read, or to where nothing can be written; before any work is done.

    Raises
    ------
    InputError
        The file is one of the inputs, is a folder, or lies in no folder.
    """
    if output is None:
        return
    if output.is_dir() and to not in FOLDERS:
        raise InputError("this is a folder, not a file to write", path=output, advice="name a file in it")
    if not output.parent.is_dir():
        raise InputError("its folder does not exist", path=output, advice=f"mkdir -p {output.parent}")
    if output.exists() and any(_same(output, argument) for argument in arguments):
        raise InputError("this file is read, so it cannot be written too", path=output, advice="choose another name")


def with_sentences(documents: Iterable[Document]) -> Iterator[Document]:
    """Documents that say where their sentences are, so that each fact's sentence can be found again."""
    from relatome import sentences

    for document in documents:
        yield document if document.sentences else replace(document, sentences=sentences.of(document))


def with_groups(documents: Iterable[Document], groups: Mapping[str, str]) -> Iterator[Document]:
    """Documents whose relations carry the coarser group they are scored as (ChemProt's ``CPR:4``), where there is one."""
    for document in documents:
        relations = tuple(
            replace(relation, attributes={"group": groups[relation.type], **relation.attributes})
            if relation.type in groups
            else relation
            for relation in document.relations
        )
        yield replace(document, relations=relations)


def sure(documents: Iterable[Document], least: float) -> Iterator[Document]:
    """Documents with only what is at least so probable; a relation needs both its mentions."""
    for document in documents:
        mentions = tuple(mention for mention in document.mentions if _at_least(mention.probability, least))
        known = {mention.id for mention in mentions}
        relations = tuple(
            relation
            for relation in document.relations
            if _at_least(relation.probability, least)
            and (relation.level == "concept" or {relation.head, relation.tail} <= known)
        )
        labels = tuple(label for label in document.labels if _at_least(label.probability, least))
        yield replace(document, mentions=mentions, relations=relations, labels=labels)


def affirmed(documents: Iterable[Document], denied: Counter[str]) -> Iterator[Document]:
    """Documents without the relations that their text denies; ``denied`` counts these by their cue."""
    from relatome.negation import is_negated

    for document in documents:
        denied.update(
            str(one.attributes.get("negation", one.type)).lower() for one in document.relations if is_negated(one)
        )
        yield replace(document, relations=tuple(one for one in document.relations if not is_negated(one)))


def facts(document: Document) -> Iterator[dict[str, Any]]:
    """One flat record for each mention, relation and label, with its document, place, sentence, probability, model."""
    from relatome import sentences
    from relatome.documents import Span
    from relatome.negation import ATTRIBUTES

    bounds = sentences.of(document)

    def around(start: int, end: int) -> Span:
        """The sentence, or sentences, that a range lies in."""
        inside = [span for span in bounds if span.start < end and start < span.end]
        return Span(inside[0].start, inside[-1].end) if inside else Span(start, end)

    mentions = {mention.id: mention for mention in document.mentions}
    for mention in document.mentions:
        yield _fact(
            document, "mention", mention.type, around(mention.start, mention.end), mention.probability, mention.source,
            id=mention.id, text=mention.text, start=mention.start, end=mention.end,
        )  # fmt: skip
    for relation in document.relations:
        ends: dict[str, Any] = {}
        places: list[Span] = []
        for role, identity in (("head", relation.head), ("tail", relation.tail)):
            if relation.level == "mention":
                end = mentions[identity]
                ends |= {role: end.text, f"{role}_id": end.id, f"{role}_type": end.type}
                ends |= {f"{role}_start": end.start, f"{role}_end": end.end}
                places.append(end.span)
            else:
                ends |= {role: identity}
        places = list(relation.evidence) or places or [Span(0, len(document.text))]
        start, end_ = min(place.start for place in places), max(place.end for place in places)
        yield _fact(
            document, "relation", relation.type, around(start, end_), relation.probability, relation.source,
            id=relation.id, **ends,
            **{key: relation.attributes[key] for key in ("group", *ATTRIBUTES) if key in relation.attributes},
        )  # fmt: skip
    for label in document.labels:
        yield _fact(
            document, "label", label.value, around(label.start, label.end), label.probability, label.source,
            name=label.name, start=label.start, end=label.end,
        )  # fmt: skip


def write_facts(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write one fact a line, as JSON; how many documents there were."""
    from relatome.formats.files import writing

    count = 0
    with writing(path) as stream:
        for document in documents:
            stream.writelines(json.dumps(fact, ensure_ascii=False) + "\n" for fact in facts(document))
            count += 1
    return count


def _fact(
    document: Document, kind: str, type_: str, sentence: Span, probability: float | None, model: str, **more: Any
) -> dict[str, Any]:
    return {
        "document": document.id, "kind": kind, "type": type_, **more,
        "sentence": document.text[sentence.start : sentence.end],
        "sentence_start": sentence.start, "sentence_end": sentence.end,
        "probability": probability, "model": model,
    }  # fmt: skip


def _watched(
    documents: Iterable[Document], to: str, lost: Counter[str], *, strict: bool, made: frozenset[str]
) -> Iterator[Document]:
    """The documents as they are, while what the format cannot hold is counted."""
    from relatome import formats

    for document in documents:
        counts = formats.lost(document, to)
        for part in made:
            counts.pop(part, None)
        if counts and strict:
            raise InputError(
                f"{to} has no place for {_told(counts)}, so nothing is written",
                document=document.id,
                advice="leave out --strict, or choose a format that holds them: jsonl keeps everything",
            )
        lost.update(counts)
        yield document


def _told(lost: Counter[str]) -> str:
    """The counts in the order of ``PARTS``."""
    from relatome.formats.losses import PARTS

    return ", ".join(f"{part.replace('_', ' ')} ({lost[part]:,})" for part in PARTS if part in lost)


def _by_format(name: str) -> Write:
    def written(documents: Iterable[Document], path: str | Path | TextIO, **options: Any) -> int:
        from relatome import formats

        return formats.write(documents, path, name, **options)

    return written


def _shown(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    from relatome.cli import display

    return display.write(documents, path)


def _at_least(probability: float | None, least: float) -> bool:
    return probability is None or probability >= least


def _same(output: Path, argument: str) -> bool:
    try:
        given = Path(argument)
        return given.exists() and output.samefile(given)
    except (OSError, ValueError):
        return False


# What a name says of the format, the first that fits.
_SUFFIXES = (
    (r"facts\.(jsonl|ndjson)(\.gz)?$", "facts"),
    (r"\.(jsonl|ndjson)(\.gz)?$", "jsonl"),
    (r"\.parquet$", "parquet"),
    (r"\.(xml|json)(\.gz)?$", "bioc"),
    (r"\.pubtator(\.txt)?(\.gz)?$", "pubtator"),
    (r"\.(ann|tar|tar\.gz|tgz)$", "brat"),
    (r"\.(iob2?|conll)(\.gz)?$", "iob"),
    (r"\.txt(\.gz)?$", "text"),
)

VIEWS = frozenset({"text", "facts"})  # for the eye, and for a table: neither is read again
FILES_ONLY = frozenset({"brat", "parquet"})  # several files, and bytes
FOLDERS = frozenset({"brat"})

# What may be written, for help and messages without loading a format; a test compares it with the formats themselves.
WRITERS: dict[str, Write] = {
    "text": _shown,
    "jsonl": _by_format("jsonl"),
    "facts": write_facts,
    "parquet": _by_format("parquet"),
    "pubtator": _by_format("pubtator"),
    "bioc": _by_format("bioc"),
    "brat": _by_format("brat"),
    "pubannotation": _by_format("pubannotation"),
    "iob": _by_format("iob"),
    "chemprot": _by_format("chemprot"),
    "drugprot": _by_format("drugprot"),
    "squad": _by_format("squad"),
    "bioasq": _by_format("bioasq"),
}

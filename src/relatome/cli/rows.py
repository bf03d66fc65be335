"""What ``relatome predict`` asks about: rows of text (marked or not), of a table, or a corpus file's own inputs.

A text with ``[E1]…[/E1] … [E2]…[/E2]`` asks for a relation; any other text for its class, or its entities where the
model knows no classes. A corpus file is asked what its task asks: entities of its sentences, relations of its mentions,
classes of its labelled ranges. Its gold is not looked at, but for the mentions that relations are asked between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from relatome import formats
from relatome.documents import Document, Mention
from relatome.errors import FormatError, InputError, SettingsError
from relatome.formats.files import Line, OnReject, head, numbered, shown, stem
from relatome.lookup import pick
from relatome.predictors.texts import Predictor, head_of, is_marked
from relatome.tasks import TASKS, classification, ner, pairs
from relatome.tasks.example import Head, Pair, Sentence
from relatome.tasks.relation import parse_marked

if TYPE_CHECKING:
    pass

TEXT_COLUMNS = ("text", "sentence", "sentences", "input", "abstract")
_FORMAT_TASKS = {"iob": "ner", "ade": "classification", "chemprot": "relation"}
_WITHOUT_GOLD = ("text", "pubmed")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one head is asked about one document.

    Parameters
    ----------
    document
        As it was read; a row of text is a document too, whose mentions are what its markers mark.
    inputs
        In the order of the text; one for a row of text.
    gold
        Whether the document comes from a file that can hold gold entities.
    """

    document: Document
    head: Head
    inputs: tuple[Sentence | Pair, ...]
    gold: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the input is to be read.

    Parameters
    ----------
    task
        The task to ask for; ``None`` for what the input suggests.
    format
        One of ``formats.FORMATS``, ``"lines"`` or ``"tsv"``; ``None`` for what the content suggests.
    column
        Of a table: the name or the 1-based number of the column with the text.
    tasks
        Those to choose from where no task is asked for.
    """

    task: str | None = None
    format: str | None = None
    column: str | None = None
    tasks: tuple[str, ...] = tuple(TASKS)


def of_text(text: str, predictor: Predictor, wanted: Wanted) -> Iterator[Asked]:
    """A text given as an argument: one row."""
    yield _row("text", text, predictor, wanted)


def of_file(path: str | Path, predictor: Predictor, wanted: Wanted, on_reject: OnReject) -> Iterator[Asked]:
    """The rows of a file, of a folder's files or of standard input, in their order.

    Raises
    ------
    UnknownNameError
        There is no such format.
    InputError
        The file cannot be read as what it is; a single bad row goes to ``on_reject``.
    """
    known = {**formats.FORMATS, "lines": "", "tsv": ""}
    if wanted.format is not None:
        pick(wanted.format, known, "format")
    folder = str(path) != "-" and Path(path).is_dir()
    kind = wanted.format or ("" if folder else "tsv" if wanted.column is not None else _kind(path))
    if wanted.column is not None and kind != "tsv":
        raise SettingsError([f"--column is for tables (--from tsv), and the input is {kind or 'a folder'}"])
    if kind in ("lines", "text"):
        yield from _of_lines(path, predictor, wanted, on_reject)
    elif kind == "tsv":
        yield from _of_table(path, predictor, wanted, on_reject)
    else:
        for document in formats.read(path, kind or None, split="line", on_reject=on_reject):
            try:
                asked = _of_document(document, predictor, wanted, kind)
            except InputError as problem:
                on_reject(cast(InputError, problem.at(path=shown(path), document=document.id)))
                continue
            yield asked


def _row(identity: str, text: str, predictor: Predictor, wanted: Wanted) -> Asked:
    task = wanted.task
    if task is None:
        tasks = _choice(predictor, wanted)
        plain = next((one for one in ("classification", "ner") if one in tasks), "relation")
        task = "relation" if is_marked(text) and "relation" in wanted.tasks else plain
    chosen = head_of(predictor, task)
    if task == "ner" and is_marked(text):
        text = parse_marked(text).sentence.text
    if task != "relation":
        return Asked(Document(identity, text), chosen, (Sentence(identity, identity, text),))
    pair = parse_marked(text, identity)
    plain_text = pair.sentence.text
    mentions = tuple(
        Mention(end.id, end.start, end.end, end.type or "Entity", plain_text[end.start : end.end])
        for end in (pair.head, pair.tail)
    )
    return Asked(Document(identity, plain_text, mentions=mentions), chosen, (pair,))


def _of_lines(path: str | Path, predictor: Predictor, wanted: Wanted, on_reject: OnReject) -> Iterator[Asked]:
    for line in numbered(path):
        if line.text.strip():
            yield from _tried(line, line.text, path, predictor, wanted, on_reject)


def _of_table(path: str | Path, predictor: Predictor, wanted: Wanted, on_reject: OnReject) -> Iterator[Asked]:
    column: int | None = None
    width = 0
    for line in numbered(path):
        if not line.text.strip():
            continue
        cells = line.text.split("\t")
        if column is None:
            column, is_header = _column(cells, wanted.column, path, line)
            width = len(cells)
            if is_header:
                continue
        if len(cells) != width:
            on_reject(
                FormatError(
                    f"expected {width} columns with tabs between, as in the first line, found {len(cells)}",
                    path=shown(path), line=line.number, advice="a text in a table holds no tab",
                )
            )  # fmt: skip
            continue
        yield from _tried(line, _unquoted(cells[column]), path, predictor, wanted, on_reject)


def _tried(
    line: Line, text: str, path: str | Path, predictor: Predictor, wanted: Wanted, on_reject: OnReject
) -> Iterator[Asked]:
    """The row of one line; what is wrong with it is rejected with its place."""
    try:
        if not text.strip():
            raise InputError("the text of this row is empty")
        yield _row(f"{stem(path)}:{line.number}", text, predictor, wanted)
    except InputError as problem:
        on_reject(cast(InputError, problem.at(path=shown(path), line=line.number)))


def _of_document(document: Document, predictor: Predictor, wanted: Wanted, kind: str) -> Asked:
    if not document.mentions and is_marked(document.text):
        return _row(document.id, document.text, predictor, wanted)
    task = wanted.task or _task(kind, predictor, wanted)
    chosen = head_of(predictor, task)
    inputs: Sequence[Any]
    if task == "relation":
        known = _canonical(document, chosen)
        inputs = tuple(pairs.candidates(known, _with_arguments(chosen, known)))
    elif task == "classification":
        inputs = _judged(document, chosen)
    else:
        inputs = tuple(ner.inputs(document))
    return Asked(document, chosen, tuple(inputs), gold=kind not in _WITHOUT_GOLD)


def _canonical(document: Document, head: Head) -> Document:
    """The document with entity types as the model calls them (ChemProt's ``GENE-Y`` is a ``Gene``), by the corpora's cards."""
    known = {kind for ends in head.arguments.values() for pair in ends for kind in pair}
    if not known or all(mention.type in known for mention in document.mentions):
        return document
    names = _type_names()
    mentions = tuple(
        mention if mention.type in known else replace(mention, type=names.get(mention.type.lower(), mention.type))
        for mention in document.mentions
    )
    strange = sorted({mention.type for mention in mentions} - known)
    if strange and len(strange) == len({mention.type for mention in mentions}):
        raise InputError(
            f"its entities are of types the model does not relate: {', '.join(strange)}",
            advice=f"the model relates {', '.join(sorted(known))}",
        )
    return replace(document, mentions=mentions)


@cache
def _type_names() -> dict[str, str]:
    """What the corpora of the catalogue call an entity type, in lower case, to what it is called across them."""
    from relatome import corpora
    from relatome.corpora.card import CANONICAL_TYPES

    cards = (corpora.load(name).card for name in corpora.names())
    names = {own.lower(): kind for card in cards for own, kind in card.types.items()}
    return names | {kind.lower(): kind for kind in CANONICAL_TYPES}


def _with_arguments(head: Head, document: Document) -> Head:
    """A published model does not say between which types its labels hold: then between any two of the document."""
    if head.arguments:
        return head
    types = dict.fromkeys(mention.type for mention in document.mentions)
    return replace(head, arguments={head.labels[-1]: tuple(product(types, types))})


def _judged(document: Document, head: Head) -> tuple[Sentence, ...]:
    """The ranges the file's own labels judge (not what they say), else the sentences."""
    names = {label.name for label in document.labels}
    name = head.name if head.name in names else next(iter(names)) if len(names) == 1 else ""
    if not name:
        return tuple(classification.inputs(document))
    return tuple(example.input for example in classification.examples(document, replace(head, name=name)))


def _choice(predictor: Predictor, wanted: Wanted) -> list[str]:
    """The model's tasks that may be asked for; all of them if none may, and whoever writes the answers says so."""
    tasks: list[str] = list(dict.fromkeys(head.task for head in predictor.heads.values()))
    return [task for task in tasks if task in wanted.tasks] or tasks


def _task(kind: str, predictor: Predictor, wanted: Wanted) -> str:
    """What a corpus file is asked: what a model of one task can do, else what the format is for."""
    tasks = _choice(predictor, wanted)
    if len(tasks) == 1:
        return tasks[0]
    fitting = _FORMAT_TASKS.get(kind, "ner")
    return fitting if fitting in tasks else tasks[0]


def _kind(path: str | Path) -> str:
    """``"lines"``, ``"tsv"``, or the format of a corpus.

    A table of rows can look like IOB (its last column is a label ``B``) or ChemProt (three columns), so markers, a
    header that names the text, and a last column without blanks decide first.
    """
    found = formats.guess(path)
    if found not in ("text", "iob", "chemprot"):
        return found
    start = head(path)
    whole, _, cut = start.rpartition("\n")
    lines = [line.rstrip("\r") for line in (whole or cut).split("\n") if line.strip()][:20]
    if not lines:
        raise InputError("the file is empty: it holds only blank lines", path=shown(path))
    tabs = [line.count("\t") for line in lines]
    tabbed = tabs[0] > 0 and 2 * tabs.count(tabs[0]) > len(tabs)  # rows that do not fit are rejected one by one
    if is_marked(start):
        return "tsv" if tabbed else "lines"
    if tabbed:
        cells = [line.split("\t") for line in lines]
        named = any(cell.strip().lower() in TEXT_COLUMNS for cell in cells[0])
        if named or found == "text" or (found == "chemprot" and not any(re.search(r"\s", row[-1]) for row in cells)):
            return "tsv"
    return "lines" if found == "text" else found


def _column(cells: Sequence[str], wanted: str | None, path: str | Path, line: Line) -> tuple[int, bool]:
    """Which column holds the text, and whether this first line is a header."""
    names = [cell.strip().lower() for cell in cells]
    named = next((names.index(name) for name in TEXT_COLUMNS if name in names), None)
    if wanted is None:
        if named is not None:
            return named, True
        texts = [index for index, cell in enumerate(cells) if is_marked(cell) or " " in cell.strip()]
        return (texts or [0])[0], False
    if wanted.lower() in names:
        return names.index(wanted.lower()), True
    if wanted.isdecimal() and 1 <= int(wanted) <= len(cells):
        return int(wanted) - 1, named is not None
    raise FormatError(
        f"there is no column {wanted!r}", path=shown(path), line=line.number,
        advice=f"the first line has: {', '.join(cell[:30] for cell in cells)}; or give a number from 1 to {len(cells)}",
    )  # fmt: skip


def _unquoted(cell: str) -> str:
    """A cell as pandas writes one that holds a quotation mark: quoted, the marks in it doubled."""
    inner = cell[1:-1]
    if len(cell) >= 2 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return cell


def check_task(task: str | None) -> None:
    """Refuse a task that is not there.

    Raises
    ------
    UnknownNameError
        With the list.
    """
    if task is not None:
        pick(task, TASKS, "task")

"""BioASQ's task B: questions of four types with snippets (phase B's input), and with exact and ideal answers (golden).

    {"questions": [{"id": "56c1...", "type": "factoid", "body": "Which ...?", "documents": ["http://.../pubmed/1"],
     "snippets": [{"document": "http://.../pubmed/1", "text": "...", "beginSection": "abstract", "endSection": "abstract",
                   "offsetInBeginSection": 17, "offsetInEndSection": 204}],
     "exact_answer": [["PD-L1", "CD274"]], "ideal_answer": ["..."]}]}

A question is a document, its text the snippets with a line break between, each a passage of the kind of its section;
where a snippet stands in the article, which is not in the file, is in ``passage.meta``. ``exact_answer`` becomes
``question.answers``, a name and its synonyms one answer: one for a factoid, several for a list; ``(("yes",),)`` for
yes/no; none for a summary. ``ideal_answer``, ``documents``, ``concepts`` and ``triples`` stay in ``question.meta``.
A system's answers to a batch have the same form without ``body`` and ``snippets``.

Of the golden file of 2019 one snippet in fourteen is one character longer than its offsets say, and a few begin at -1.
They count characters of an article, so there is nothing here to hold them against.

What BioASQ has no room for is written under keys of our own, and only then: ``document_id`` where a document is not
called as its question (entries of one document follow each other), ``text`` and the ``start`` and ``end`` of a snippet
where the snippets do not follow each other, ``heading``, ``spans``, ``document_meta``.

References
----------
Tsatsaronis et al. 2015, https://doi.org/10.1186/s12859-015-0564-6; http://participants-area.bioasq.org/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from relatome.documents import Document, Passage, Question, Span
from relatome.errors import FormatError, InputError
from relatome.formats.files import OnReject, json_keys, located, settle, writing
from relatome.formats.jsonrecords import Record, beside, dumped, short, whole, write_list
from relatome.formats.jsonvalues import JsonReader
from relatome.formats.offsets import fitted

HOLDS = frozenset({"text", "passages", "headings", "questions", "meta"})
TYPES = ("yesno", "factoid", "list", "summary")

_QUESTION = frozenset(
    {"id", "body", "type", "exact_answer", "snippets", "spans", "text", "document_id", "document_meta"}
)
_OWN = "body|exact_answer|ideal_answer|document_id|snippets"  # that tell its questions from others'
_SNIPPET = frozenset({"text", "beginSection", "heading", "start", "end"})
_Entry = tuple[int, object]  # the line it begins in, and what stands there


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The questions of a BioASQ file, one at a time, in its order, each a document with its snippets.

    Parameters
    ----------
    path
        A golden file, a batch of phase B or a system's answers, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a question that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Not told: nothing here is repaired.

    Raises
    ------
    FormatError
        This is no BioASQ file, or a question or snippet lacks what it must have.
    """
    reader = JsonReader(path)
    for _, group in groupby(enumerate(_entries(reader)), key=_document_of):
        entries = [entry for _, entry in group]
        line, first = entries[0]
        name = first.get("document_id") or first.get("id") if isinstance(first, dict) else None
        try:
            with located(path=path, line=line, document=str(name) if name else None):
                document = _document([Record(value, "a question") for _, value in entries]).check()
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write documents, an entry for each of their questions; a document without a question is an entry without one.

    Returns
    -------
    int
        How many documents were written.
    """
    count = 0

    def lines() -> Iterator[str]:
        nonlocal count
        for document in documents:
            count += 1
            for record in _written(document):
                yield dumped(record, document.id)

    with writing(path) as stream:
        stream.write('{"questions": [')
        write_list(stream, lines())
        stream.write("]}\n")
    return count


def fits(start: str) -> bool:
    """Whether an object begins with a list of BioASQ's questions."""
    return "questions" in json_keys(start)[:3] and bool(re.search(rf'"({_OWN})"\s*:', start))


# ------------------------------------------------------------------------------------------------------------ reading


def _entries(reader: JsonReader) -> Iterator[_Entry]:
    seen = False
    for key in reader.walk_object():
        if key != "questions":
            reader.value()
            continue
        seen = True
        for _ in reader.walk_list():
            reader.peek()
            yield reader.line, reader.value()
    if reader.peek():
        raise reader.problem("more than one JSON value in the file")
    if not seen:
        raise reader.problem("an object without 'questions': this is no BioASQ file")


def _document_of(numbered: tuple[int, _Entry]) -> object:
    """What entries of one document have in common; an entry that names none is a document by itself."""
    number, (_, entry) = numbered
    name = entry.get("document_id") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else number


def _document(entries: Sequence[Record]) -> Document:
    first = entries[0]
    text, passages = _text(first)
    questions = tuple(_question(entry) for entry in entries if "id" in entry or "document_id" not in entry)
    identity = first.identity("document_id" if "document_id" in first else "id")
    meta = first.value.get("document_meta", {})
    if not isinstance(meta, dict):
        raise FormatError(f"'document_meta' of a question should be a JSON object, found {short(meta)}")
    return Document(identity, text, passages=passages, questions=questions, meta=meta)


def _text(entry: Record) -> tuple[str, tuple[Passage, ...]]:
    passages: list[Passage] = []
    pieces: list[str] = []
    at = 0
    laid_out = "text" in entry
    text = entry.text("text", "")
    for snippet in entry.records("snippets", "snippet"):
        piece = snippet.text("text")
        first, last = (snippet.number(f"offsetIn{which}Section", least=-1) for which in ("Begin", "End"))
        same = snippet.value.get("beginSection") == snippet.value.get("endSection")
        if same and first is not None and last is not None and last < first:
            raise FormatError(f"{snippet.what} ends at {last} of its section, before it begins at {first}")
        start = snippet.number("start") if laid_out else at
        end = snippet.number("end") if laid_out else at + len(piece)
        if start is None or end is None:
            raise FormatError(f"{snippet.what} has no 'start' and 'end' in the question's 'text'")
        if laid_out and start < end:
            fitted(text, [Span(start, end)], piece, what=snippet.what)
        pieces.append(piece)
        at += len(piece) + 1
        if "beginSection" in snippet:
            meta = snippet.rest(_SNIPPET)
            passages.append(Passage(snippet.text("beginSection"), start, end, snippet.text("heading", ""), meta))
    return (text if laid_out else "\n".join(pieces)), tuple(passages)


def _question(entry: Record) -> Question:
    body = entry.text("body", "" if "exact_answer" in entry or "ideal_answer" in entry else None)
    kind = entry.text("type", "factoid")
    answers = _answers(entry, kind, gold="body" in entry)
    return Question(entry.identity("id"), body, kind, answers, entry.spans("spans"), entry.rest(_QUESTION))


def _answers(entry: Record, kind: str, *, gold: bool) -> tuple[tuple[str, ...], ...]:
    """The exact answer, which is a word for yes/no, else a list of names, each a list of synonyms.

    In some releases the inner lists are left out: a list of strings is then several answers, but the synonyms of the
    one answer where it is the gold of a factoid.
    """
    value = entry.value.get("exact_answer")
    if value is None:
        return ()
    what = f"'exact_answer' of {entry.what}"
    if isinstance(value, str):
        return ((whole(value, what),),)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        names = entry.texts("exact_answer")
        return (names,) if kind == "factoid" and gold else tuple((name,) for name in names)
    return entry.nested("exact_answer")


# ------------------------------------------------------------------------------------------------------------ writing


def _written(document: Document) -> Iterator[dict[str, Any]]:
    """An entry for each question, the snippets in the first."""
    shared: dict[str, Any] = {"snippets": _snippets(document)}
    if shared["snippets"] is None:
        shared = {"text": document.text, "snippets": [_snippet(document, p, place=True) for p in document.passages]}
    if document.meta:
        shared["document_meta"] = dict(document.meta)
    alone = len(document.questions) == 1 and document.questions[0].id == document.id
    name = {} if alone else {"document_id": document.id}
    for question in document.questions:
        yield beside(name | _entry(question) | shared, question.meta, _QUESTION)
        shared = {}
    if not document.questions:
        yield name | shared


def _entry(question: Question) -> dict[str, Any]:
    record: dict[str, Any] = {"id": question.id, "type": question.kind, "body": question.text}
    answers = [list(answer) for answer in question.answers]
    if question.kind == "yesno" and len(answers) == 1 and len(answers[0]) == 1:
        record["exact_answer"] = answers[0][0]
    elif answers:
        record["exact_answer"] = answers
    if question.spans:
        record["spans"] = [list(span) for span in question.spans]
    return record


def _snippets(document: Document) -> list[dict[str, Any]] | None:
    """The passages as snippets, if there is nothing but a line break between them."""
    if not document.passages:
        return [{"text": document.text}] if document.text else []
    at = 0
    for passage in document.passages:
        if passage.start != at:
            return None
        at = passage.end + 1
    between = (document.text[passage.end : passage.end + 1] for passage in document.passages[:-1])
    if at != len(document.text) + 1 or any(character != "\n" for character in between):
        return None
    return [_snippet(document, passage) for passage in document.passages]


def _snippet(document: Document, passage: Passage, *, place: bool = False) -> dict[str, Any]:
    record: dict[str, Any] = {"text": document.text[passage.start : passage.end], "beginSection": passage.kind}
    if passage.heading:
        record["heading"] = passage.heading
    if place:
        record |= {"start": passage.start, "end": passage.end}
    return beside(record, passage.meta, _SNIPPET)

"""SQuAD 1.1 and 2.0, and BioBERT's BioASQ sets in the same form: contexts, questions on them, answers by their place.

    {"version": "1.1", "data": [{"title": "Aspirin", "paragraphs": [{"context": "...",
     "qas": [{"id": "q1", "question": "...", "answers": [{"text": "...", "answer_start": 17}]}]}]}]}

A paragraph is a document, called ``TITLE:NUMBER`` unless it has an ``id`` or BioBERT's form. The answers of one question are what several
readers marked, so they are variants of one answer: ``answers`` is ``(("COX-1", "cyclo-oxygenase 1"),)``, and ``spans``
gives the place of each in the same order. SQuAD 2.0's ``is_impossible`` and ``plausible_answers`` stay in
``question.meta``. A question without ``answers`` is one of a test set.

BioBERT asks a BioASQ question once for each of its snippets: ``id`` is then the question's with a number behind it
(``56c1f01bef6e394741000045_003``), and so is the document's. ``question_of`` gives the question back, and
``document.meta["source"]`` names it, so that a split by document keeps the contexts of one question together.

What SQuAD has no room for is written under keys that its readers pass over: ``id`` of a paragraph, ``kind`` of a
question, ``synonyms`` and ``spans`` where a question has several answers.

References
----------
Rajpurkar et al. 2016 (https://arxiv.org/abs/1606.05250) and 2018 (https://arxiv.org/abs/1806.03822);
Yoon et al. 2019 (https://arxiv.org/abs/1909.08229) for the BioASQ form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from relatome.documents import Document, Question, Span
from relatome.errors import FormatError, InputError
from relatome.formats.files import OnReject, json_keys, located, settle, shown, stem, writing
from relatome.formats.jsonrecords import Record, beside, dumped, short, write_list
from relatome.formats.jsonvalues import JsonReader
from relatome.formats.offsets import fitted

HOLDS = frozenset({"text", "questions", "meta"})

_PARAGRAPH = frozenset({"context", "qas", "id", "title"})
_QUESTION = frozenset({"id", "question", "answers", "kind", "synonyms", "spans"})
_SNIPPET = re.compile(r"([0-9a-f]{24})_\d+")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The paragraphs of a SQuAD file, in its order, each with its questions.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input. Paragraphs are read one at a time, unless an article's
        title stands behind them.
    on_reject
        Told about a paragraph that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about an answer that does not stand at its ``answer_start``, which is then taken as it stands there, or
        left out (see ``relatome.formats.offsets``); without it the paragraph is rejected.

    Raises
    ------
    FormatError
        This is no SQuAD file, or a paragraph or question lacks what it must have.
    OffsetError
        An answer's place does not give its text; both are shown.
    """
    reader = JsonReader(path)
    numbers: Counter[str] = Counter()
    for title, line, paragraph in _paragraphs(reader, on_reject):
        numbers[title] += 1
        identity = f"{title or stem(path)}:{numbers[title]}"

        def repair(problem: InputError, line: int = line, identity: str = identity) -> None:
            problem.at(path=shown(path), line=line, document=identity)
            if on_repair:
                on_repair(problem)

        try:
            with located(path=path, line=line, document=identity):
                record = Record(paragraph, "a paragraph")
                document = _document(record, title, identity, repair if on_repair else None).check()
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write documents as paragraphs, those with one ``meta["title"]`` that follow each other as one article.

    Returns
    -------
    int
        How many documents were written.
    """
    numbers: Counter[str] = Counter()
    version = "1.1"

    def paragraphs(title: str, group: Iterable[Document]) -> Iterator[str]:
        nonlocal version
        for document in group:
            numbers[title] += 1
            if any("is_impossible" in question.meta for question in document.questions):
                version = "v2.0"
            yield dumped(_paragraph(document, title, numbers[title]), document.id)

    with writing(path) as stream:
        stream.write('{"data": [')
        for index, (title, group) in enumerate(groupby(documents, key=_title)):
            stream.write((",\n" if index else "\n") + dumped({"title": title}, title)[:-1] + ', "paragraphs": [')
            write_list(stream, paragraphs(title, group))
            stream.write("]}")
        stream.write(f'],\n"version": "{version}"}}\n')
    return numbers.total()


def fits(start: str) -> bool:
    """Whether an object begins with SQuAD's keys."""
    return "data" in json_keys(start) and '"paragraphs"' in start


def question_of(identity: str) -> str:
    """The BioASQ question that an id of BioBERT's form asks; any other id is its own question.

    Examples
    --------
    >>> question_of("56c1f01bef6e394741000045_003")
    '56c1f01bef6e394741000045'
    >>> question_of("q_1")
    'q_1'
    """
    found = _SNIPPET.fullmatch(identity)
    return found[1] if found else identity


# ------------------------------------------------------------------------------------------------------------ reading


def _paragraphs(reader: JsonReader, on_reject: OnReject | None) -> Iterator[tuple[str, int, object]]:
    """Each paragraph with its article's title and its line."""
    seen = False
    for key in reader.walk_object():
        if key != "data":
            reader.value()
            continue
        seen = True
        for _ in reader.walk_list():
            yield from _article(reader, on_reject)
    if reader.peek():
        raise reader.problem("more than one JSON value in the file")
    if not seen:
        raise reader.problem("an object without 'data': this is no SQuAD file")


def _article(reader: JsonReader, on_reject: OnReject | None) -> Iterator[tuple[str, int, object]]:
    opening = reader.peek()
    line = reader.line
    if opening != "{":
        problem = FormatError(
            f"an article should be a JSON object, found {short(reader.value())}", path=shown(reader.path), line=line
        )
        settle(problem, on_reject)
        return
    title: str | None = None
    waiting: list[tuple[int, object]] = []
    for key in reader.walk_object():
        opening = reader.peek()
        if key == "title":
            line, value = reader.line, reader.value()
            title = value if isinstance(value, str) else None
            if title is None:
                settle(
                    FormatError(
                        f"'title' should be a string, found {short(value)}", path=shown(reader.path), line=line
                    ),
                    on_reject,
                )
        elif key == "paragraphs" and opening == "[":
            for _ in reader.walk_list():
                reader.peek()
                place = (reader.line, reader.value())
                if title is None:
                    waiting.append(place)
                else:
                    yield title, *place
        elif key == "paragraphs":
            raise reader.problem(f"'paragraphs' should be a list, found {short(reader.value())}")
        else:
            reader.value()
    for line, value in waiting:
        yield title or "", line, value


def _document(paragraph: Record, title: str, default: str, on_repair: OnReject | None) -> Document:
    text = paragraph.text("context")
    questions = tuple(_question(record, text, on_repair) for record in paragraph.records("qas", "question"))
    meta = ({"title": title} if title else {}) | paragraph.rest(_PARAGRAPH)
    if "source" not in meta and (source := _source(questions)):
        meta["source"] = source
    elif meta.get("source", "") is None:  # written so for a document that names none
        del meta["source"]
    identity = paragraph.identity("id") if "id" in paragraph else _called(questions, default)
    return Document(identity, text, questions=questions, meta=meta)


def _question(record: Record, text: str, on_repair: OnReject | None) -> Question:
    identity = record.identity("id")
    what = f"the answer of question {identity!r}"
    variants: list[str] = []
    spans: list[Span] = []
    answers = record.records("answers", "answer")
    if answers and record.flag("is_impossible"):
        raise FormatError(f"question {identity!r} is impossible and has answers")
    for answer in answers:
        written, start = answer.text("text"), answer.number("answer_start")
        if start is None:
            variants.append(written)
            continue
        span = Span(start, start + len(written))
        found = fitted(text, [span], written, what=what, on_repair=on_repair)
        if found is not None:
            variants.append(found)
            spans.append(span)
    if spans and len(spans) < len(variants):
        raise FormatError(f"question {identity!r} has answers with and without 'answer_start'")
    given: tuple[tuple[str, ...], ...] = (tuple(variants),) if variants else ()
    if "synonyms" in record:
        given, spans = record.nested("synonyms"), list(record.spans("spans"))
    return Question(
        identity, record.text("question"), record.text("kind", "factoid"), given, tuple(spans), record.rest(_QUESTION)
    )


def _called(questions: Sequence[Question], default: str) -> str:
    """What a paragraph without an id is called: as its one question where that is BioBERT's."""
    return questions[0].id if len(questions) == 1 and _SNIPPET.fullmatch(questions[0].id) else default


def _source(questions: Iterable[Question]) -> str:
    """The one BioASQ question that all of these ask on a snippet; empty if there is no such one."""
    found = {question_of(question.id) if _SNIPPET.fullmatch(question.id) else "" for question in questions}
    return found.pop() if len(found) == 1 else ""


# ------------------------------------------------------------------------------------------------------------ writing


def _title(document: Document) -> str:
    title = document.meta.get("title")
    return title if isinstance(title, str) else ""


def _paragraph(document: Document, title: str, number: int) -> dict[str, Any]:
    record: dict[str, Any] = {}
    if not title or document.id != _called(document.questions, f"{title}:{number}"):
        record["id"] = document.id
    record["context"] = document.text
    record["qas"] = [_written(question, document.text) for question in document.questions]
    meta = {key: value for key, value in document.meta.items() if key != "title" or not title}
    source = _source(document.questions)
    if source and meta.get("source") == source:
        del meta["source"]
    elif source and "source" not in meta:
        meta["source"] = None
    return beside(record, meta, _PARAGRAPH)


def _written(question: Question, text: str) -> dict[str, Any]:
    record: dict[str, Any] = {"id": question.id, "question": question.text}
    flat = [variant for answer in question.answers for variant in answer]
    placed = len(flat) == len(question.spans) and all(
        text[start:end] == variant for variant, (start, end) in zip(flat, question.spans, strict=True)
    )
    if placed:
        pairs = zip(flat, question.spans, strict=True)
        record["answers"] = [{"text": variant, "answer_start": span.start} for variant, span in pairs]
    else:
        record["answers"] = [{"text": variant} for variant in flat]
    if not flat and not question.meta.get("is_impossible"):
        del record["answers"]
    if question.kind != "factoid":
        record["kind"] = question.kind
    if len(question.answers) > 1 or not all(question.answers) or not (placed or not question.spans):
        record["synonyms"] = [list(answer) for answer in question.answers]
        record["spans"] = [list(span) for span in question.spans]
    return beside(record, question.meta, _QUESTION)

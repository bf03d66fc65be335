"""PubMedQA: a question that an article's title asks, its abstract without the conclusion, and yes, no or maybe.

    {"21645374": {"QUESTION": "Do ...?", "CONTEXTS": ["...", "..."], "LABELS": ["BACKGROUND", "RESULTS"],
                  "MESHES": ["..."], "YEAR": "2011", "reasoning_required_pred": "yes", "reasoning_free_pred": "yes",
                  "final_decision": "yes", "LONG_ANSWER": "..."}}

An article is a document, called by its PMID: its text the contexts with a line break between, each a passage with its
label as heading. The conclusion, ``LONG_ANSWER``, is an answer and no part of the text; it stays in ``question.meta``
with everything else. ``{"21645374": "yes"}``, the form of ``test_ground_truth.json`` and of a system's answers, gives
documents with an answer and without text. The artificial set has no ``MESHES``, the unlabelled one no
``final_decision``.

References
----------
Jin et al. 2019, https://doi.org/10.18653/v1/D19-1259
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from relatome.documents import Document, Passage, Question
from relatome.errors import FormatError, InputError
from relatome.formats.files import OnReject, located, settle
from relatome.formats.jsonrecords import Record, short, whole
from relatome.formats.jsonvalues import JsonReader

ANSWERS = ("yes", "no", "maybe")

_ARTICLE = frozenset({"QUESTION", "CONTEXTS", "LABELS", "final_decision"})
_START = re.compile(r'\{\s*"[^"]+"\s*:\s*(?:"(?:yes|no|maybe)"|\{(?=[^{]*"(?:QUESTION|CONTEXTS|LONG_ANSWER)"\s*:))')


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The articles of a PubMedQA file, one at a time, in its order, each a document with its question.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about an article that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Not told: nothing here is repaired.

    Raises
    ------
    FormatError
        This is no PubMedQA file, or an article lacks what it must have.
    """
    reader = JsonReader(path)
    for pmid in reader.walk_object():
        reader.peek()
        line, value = reader.line, reader.value()
        try:
            with located(path=path, line=line, document=pmid or None):
                document = _document(whole(pmid, "the PMID"), value).check()
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document
    if reader.peek():
        raise reader.problem("more than one JSON value in the file")


def fits(start: str) -> bool:
    """Whether an object begins with an article and its question, or with an id and a yes, no or maybe."""
    return bool(_START.match(start))


def _document(pmid: str, value: object) -> Document:
    if isinstance(value, str):
        return Document(pmid, "", questions=(Question(pmid, "", "yesno", _answers(value)),))
    if not isinstance(value, dict):
        raise FormatError(f"expected an article or its answer, found {short(value)}")
    record = Record(value, "the article")
    contexts, headings = record.texts("CONTEXTS"), record.texts("LABELS")
    if headings and len(headings) != len(contexts):
        raise FormatError(f"the article has {len(contexts)} CONTEXTS and {len(headings)} LABELS")
    passages = []
    at = 0
    for context, heading in zip(contexts, headings or ("",) * len(contexts), strict=True):
        passages.append(Passage("abstract", at, at + len(context), heading))
        at += len(context) + 1
    decision = record.text("final_decision", "")
    question = Question(
        pmid, record.text("QUESTION"), "yesno", _answers(decision) if decision else (), meta=record.rest(_ARTICLE)
    )
    return Document(pmid, "\n".join(contexts), passages=tuple(passages), questions=(question,))


def _answers(decision: str) -> tuple[tuple[str, ...], ...]:
    if decision not in ANSWERS:
        raise FormatError(f"the answer should be one of {', '.join(ANSWERS)}, found {short(decision)}")
    return ((decision,),)

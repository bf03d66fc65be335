"""Abstracts with a role for each sentence: PubMed RCT, and NICTA-PIBOSO as it goes round in the same form.

    ###24562799
    background TAB The first sentence .
    outcome TAB The second .
    <blank>

An abstract is a document under its PMID: its sentences with a line end between, each with a ``sentence-role`` label over it.
The sentences came tokenised (``5 %``, ``( n = 3 )``) and stay so.

References
----------
Dernoncourt and Lee 2017, https://aclanthology.org/I17-2052; Kim et al. 2011, https://doi.org/10.1186/1471-2105-12-S2-S5
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from relatome.documents import Document, Label, Span
from relatome.errors import FormatError
from relatome.formats import rows
from relatome.formats.files import Line, OnReject, first_lines, numbered

LABEL = "sentence-role"

_STARTS = "###"


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The abstracts of a file, in its order.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about an abstract that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Never told: an abstract is read as it stands or not at all.

    Raises
    ------
    FormatError
        A line is neither ``###PMID`` nor a role and a sentence, or an abstract has no sentence.
    """
    found = ((block[0].number, block) for block in _blocks(path))
    yield from rows.documents(found, _document, path, on_reject, twice="two abstracts have this id")


def fits(start: str) -> bool:
    """Whether it begins with ``###`` and an id, and then a role and a sentence."""
    lines = first_lines(start)
    return len(lines) > 1 and _identity(lines[0]) != "" and lines[1].count("\t") == 1


def _blocks(path: str | Path) -> Iterator[list[Line]]:
    """The lines of each abstract, its ``###`` line first."""
    block: list[Line] = []
    for line in numbered(path):
        if line.text.startswith(_STARTS) and block:
            yield block
            block = []
        if line.text.strip():
            block.append(line)
    if block:
        yield block


def _identity(line: str) -> str:
    return line.removeprefix(_STARTS).strip() if line.startswith(_STARTS) and "\t" not in line else ""


def _document(block: list[Line]) -> Document:
    identity = _identity(block[0].text)
    if not identity:
        raise FormatError(f"expected '###' and an id, found {block[0].text[:80]!r}")
    if len(block) == 1:
        raise FormatError("the abstract has no sentence", document=identity)
    sentences: list[str] = []
    spans: list[Span] = []
    labels: list[Label] = []
    for line in block[1:]:
        role, tab, sentence = line.text.partition("\t")
        if not (role.strip() and tab and sentence.strip()) or "\t" in sentence:
            raise FormatError(
                f"expected a role and a sentence with a tab between, found {line.text[:80]!r}",
                line=line.number,
                document=identity,
            )
        start = spans[-1].end + 1 if spans else 0
        sentences.append(sentence)
        spans.append(Span(start, start + len(sentence)))
        labels.append(Label(LABEL, role, *spans[-1]))
    return Document(identity, "\n".join(sentences), labels=tuple(labels), sentences=tuple(spans)).check()

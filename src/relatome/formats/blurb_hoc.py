"""BLURB's Hallmarks of Cancer: a sentence a row, with a yes or no to each of ten hallmarks.

    labels                                            sentence   index
    0_0,1_0,2_0,3_0,4_0,5_1,6_0,7_0,8_0,9_0           ...        22355784_s2

A row is a document under its index, with the abstract's PMID in ``meta["source"]``. It has one ``hallmark`` label over
the whole sentence for each hallmark that is on, under the hallmark's name; a sentence that shows none has no label, and
is judged all the same: every row was read for all ten. The numbers stand for ``HALLMARKS`` in that order, which is that
of the alphabet (compared with the original corpus, sentence by sentence). BLURB scores a whole abstract: what any of its
sentences has, it has.

References
----------
Baker et al. 2016, https://doi.org/10.1093/bioinformatics/btv585; Gu et al. 2021, https://doi.org/10.1145/3458754
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from relatome.documents import Document, Label, Span
from relatome.errors import FormatError
from relatome.formats import rows
from relatome.formats.files import OnReject
from relatome.formats.hoc import HALLMARKS, LABEL

HEADER = ("labels", "sentence", "index")

_INDEX = re.compile(r"(\d+)_s\d+")
_ANSWERS = re.compile(",".join(f"{number}_[01]" for number in range(len(HALLMARKS))))


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The rows of a file, in its order, each a document called ``PMID_sN``.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about a row that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Never told: a row is read as it stands or not at all.

    Raises
    ------
    FormatError
        The first line is not the header, or a row has not ten answers, a sentence and an index of its own.
    """
    found = ((row.number, row) for row in rows.rows(path, HEADER))
    yield from rows.documents(found, _document, path, on_reject, twice="two rows have this index")


def fits(start: str) -> bool:
    """Whether the first line is the header."""
    return rows.begins_with(start, HEADER)


def _document(row: rows.Row) -> Document:
    cells = row.cells
    if len(cells) != len(HEADER):
        raise FormatError(f"expected 3 columns with tabs between, found {len(cells)}: {row.text[:80]!r}")
    answers, text, index = cells
    place = _INDEX.fullmatch(index)
    if place is None:
        raise FormatError(f"expected an index such as 22355784_s2, found {index[:40]!r}")
    if not _ANSWERS.fullmatch(answers):
        raise FormatError(
            f"expected ten answers '0_0,1_0, ... 9_0', each _0 or _1, found {answers[:80]!r}", document=index
        )
    on = [hallmark for hallmark, answer in zip(HALLMARKS, answers.split(","), strict=True) if answer.endswith("_1")]
    labels = tuple(Label(LABEL, hallmark, 0, len(text)) for hallmark in on)
    sentences = (Span(0, len(text)),)
    return Document(index, text, labels=labels, sentences=sentences, meta={"source": place[1]}).check()

"""Relation rows with masked arguments: a sentence in which the two arguments were replaced by their types.

    BioBERT, train       sentence, label                         no header
    BioBERT, test        index, sentence, label                  with that header; BLURB's GAD has it throughout
    BLURB                id, sentence, label                     no header; ChemProt, DDI

The columns are separated by tabs, the masks are ``@GENE$``, ``@DISEASE$``, ``@CHEMICAL$``, ``@DRUG$``; where the two
arguments overlap BLURB has one mask for both, ``@CHEM-GENE$``, ``@DRUG-DRUG$``.

The row is the document: the original names are not in the file and are not made up. A mask is a mention whose text is
the mask itself (``@GENE$``), of the type it names, at its true place in the row, and the row is one sentence even where
it holds a full stop, so that it is an ordinary candidate pair to the relation task. A mask for both is two mentions, its
two halves (``@CHEM`` and ``GENE$``). The head is the chemical or drug, then the gene,
then the disease; of two drugs, the first. The answer is in the row twice: as a ``relation`` label over the whole row, as
it is written (``"1"``, ``"CPR:4"``, ``"DDI-effect"``), which is what BioBERT classifies; and, unless it is one of the
words for none, as a relation: ``association`` for a bare yes, else the label.

References
----------
Lee et al. 2020 (BioBERT), https://doi.org/10.1093/bioinformatics/btz682; Gu et al. 2021 (BLURB), https://doi.org/10.1145/3458754
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from relatome.documents import Document, Label, Mention, Relation, Span
from relatome.errors import FormatError
from relatome.formats import rows
from relatome.formats.files import OnReject, first_lines, stem

LABEL = "relation"
ASSOCIATION = "association"
NONE = frozenset({"0", "false", "False", "DDI-false"})
YES = frozenset({"1", "true", "True"})
HEADER = ("index", "sentence", "label")

_MASK = re.compile(r"@([A-Z]+)(?:-([A-Z]+))?\$")
_LONG = {"CHEM": "CHEMICAL"}
_ORDER = ("CHEMICAL", "DRUG", "GENE", "DISEASE")
_FROM_DOCUMENT = re.compile(r"(\d+)\.T\d+\.T\d+|(.+?\.d\d+)\.s\d+\.p\d+")  # ChemProt, DDI


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The rows of a file, in its order.

    A document's id is the row's own (BLURB's ``10064839.T56.T49``, ``DDI-DrugBank.d700.s0.p0``, whose article or text is
    then in ``meta["source"]``), else ``STEM:LINE``: a BioBERT index counts from 0 in every file. Where the file lies in
    a folder that is a number, a fold of BioBERT's, the number comes first: ``3/test:17``.

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
        A row has other columns than the first one, or not two arguments.
    """
    name = _named(path)
    found = rows.rows(path)
    first = next(found, None)
    if first is None:
        return
    columns, header = len(first.cells), tuple(first.cells) == HEADER

    def made(row: rows.Row) -> Document:
        identity = row.cells[0] if columns == 3 and not header else f"{name}:{row.number}"
        return _document(identity, columns, row)

    numbered = ((row.number, row) for row in (found if header else chain([first], found)))
    yield from rows.documents(numbered, made, path, on_reject, twice="two rows have this id")


def fits(start: str) -> bool:
    """Whether the rows have two or three columns and masked arguments."""
    cells = [line.split("\t") for line in first_lines(start)]
    if cells and tuple(cells[0]) == HEADER:
        cells = cells[1:]
    return bool(cells) and all(len(row) in (2, 3) and _MASK.search(row[-2]) for row in cells)


def _document(identity: str, columns: int, row: rows.Row) -> Document:
    cells = row.cells
    if columns not in (2, 3) or len(cells) != columns:
        raise FormatError(
            f"expected {columns if columns in (2, 3) else '2 or 3'} columns with tabs between, found {len(cells)}: "
            f"{row.text[:80]!r}",
            advice="the columns are: sentence, label; or index, sentence, label with that header; or id, sentence, label",
        )
    text, label = cells[-2], cells[-1]
    if not identity.strip():
        raise FormatError("the first column, the row's id, is empty")
    if not label.strip():
        raise FormatError("the last column, the label, is empty", document=identity)
    head, tail = _arguments(text, identity)
    kind = ASSOCIATION if label in YES else label
    source = _FROM_DOCUMENT.fullmatch(identity)
    return Document(
        identity,
        text,
        mentions=(head, tail),
        relations=() if label in NONE else (Relation("R1", kind, "T1", "T2"),),
        labels=(Label(LABEL, label, 0, len(text)),),
        sentences=(Span(0, len(text)),),
        meta={"source": source[1] or source[2]} if source else {},
    ).check()


def _arguments(text: str, identity: str) -> tuple[Mention, Mention]:
    found: list[tuple[str, int, int]] = []
    for match in _MASK.finditer(text):
        first, second = match.groups()
        found.append((_LONG.get(first, first), match.start(), match.end(1) if second else match.end()))
        if second:
            found.append((_LONG.get(second, second), match.start(2), match.end()))
    if len(found) != 2:
        raise FormatError(
            f"expected two masked arguments such as @GENE$ and @DISEASE$ (or one @CHEM-GENE$ for both), "
            f"found {len(found)} in {text[:80]!r}",
            document=identity,
        )
    found.sort(key=lambda argument: (_rank(argument[0]), argument[1]))
    (one, start, end), (two, tail_start, tail_end) = found
    return (
        Mention("T1", start, end, one, text[start:end]),
        Mention("T2", tail_start, tail_end, two, text[tail_start:tail_end]),
    )


def _rank(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _named(path: str | Path) -> str:
    fold = "" if str(path) == "-" else Path(path).parent.name
    return f"{fold}/{stem(path)}" if fold.isdecimal() else stem(path)

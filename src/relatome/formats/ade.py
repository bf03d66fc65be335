"""The ADE corpus, version 2: one sentence a row, from MEDLINE case reports.

    DRUG-AE.rel     PMID|sentence|effect|start|end|drug|start|end
    DRUG-DOSE.rel   PMID|sentence|dose|start|end|drug|start|end
    ADE-NEG.txt     PMID NEG sentence

Each row is a document with a label; a ``.rel`` row also has its two mentions and the relation between them. A sentence
with several drug-effect pairs stands in several rows. The offsets count characters of abstracts that the corpus does
not include, so a mention is looked for in its sentence. Where it stands there more than once, the distance between
the two document offsets decides; that it was so, and between how many places, is kept in ``mention.meta``.

References
----------
Gurulingappa et al. 2012, https://doi.org/10.1016/j.jbi.2012.04.008
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from relatome.documents import Document, Label, Mention, Relation
from relatome.errors import FormatError, InputError, OffsetError
from relatome.formats.files import Line, OnReject, first_lines, located, numbered, settle, shown, stem

_LOG = logging.getLogger(__name__)

LABEL = "ade-sentence"
POSITIVE, NEGATIVE = "adverse-effect", "no-adverse-effect"

_NEGATIVE_ROW = re.compile(r"(\d+) NEG (.+)")
_LINE = re.compile(r"\d+ NEG .|\d+\|[^|]+\|[^|]*\|\d+\|\d+\|[^|]*\|\d+\|\d+$")
_DOSE_FILE = re.compile(r"drug.?dose", re.IGNORECASE)


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The rows of an ADE file, in its order, each a document called ``STEM:LINE``.

    Parameters
    ----------
    path
        ``DRUG-AE.rel``, ``ADE-NEG.txt`` or ``DRUG-DOSE.rel``, plain or gzip. Which of the first two it is, its lines
        tell; ``DRUG-DOSE.rel`` has the layout of ``DRUG-AE.rel`` and is known by its name alone: its rows get a
        ``dose`` relation and no label.
    on_reject
        Told about a row that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about a mention that is nowhere in its sentence, whose row then keeps its sentence and its label, but
        neither mentions nor relation; without it the row is rejected.

    Raises
    ------
    FormatError
        A row has neither layout.
    OffsetError
        A mention is nowhere in its sentence.
    """
    name = stem(path)
    decided = 0
    dose = bool(_DOSE_FILE.search(name))
    for line in numbered(path):
        if not line.text.strip():
            continue
        identity = f"{name}:{line.number}"

        def repair(problem: InputError, line: Line = line, identity: str = identity) -> None:
            problem.at(path=shown(path), line=line.number, document=identity)
            if on_repair:
                on_repair(problem)

        try:
            with located(path=path, line=line.number, document=identity):
                negative = _NEGATIVE_ROW.fullmatch(line.text)
                if negative:
                    document = _negative(identity, negative[1], negative[2])
                else:
                    document = _positive(identity, line, dose=dose, on_repair=repair if on_repair else None)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        decided += any("places" in mention.meta for mention in document.mentions)
        yield document
    if decided:
        _LOG.info("%s: in %d rows a mention stands more than once, and the distance decided", shown(path), decided)


def fits(start: str) -> bool:
    """Whether every line is a row of one of the two layouts."""
    lines = first_lines(start)
    return bool(lines) and all(map(_LINE.match, lines))


def _negative(identity: str, pmid: str, sentence: str) -> Document:
    labels = (Label(LABEL, NEGATIVE, 0, len(sentence)),)
    return Document(identity, sentence, labels=labels, meta={"pmid": pmid}).check()


def _positive(identity: str, line: Line, *, dose: bool, on_repair: OnReject | None) -> Document:
    columns = line.text.split("|")
    if len(columns) != 8 or not all(columns[index].isdecimal() for index in (0, 3, 4, 6, 7)):
        raise FormatError(
            f"expected 'PMID NEG sentence' or 8 columns 'PMID|sentence|effect|start|end|drug|start|end', "
            f"found {line.text[:80]!r}"
        )
    pmid, sentence, effect, drug = columns[0], columns[1], columns[2], columns[5]
    at, drug_at = int(columns[3]), int(columns[6])
    kind, relation = ("Dose", "dose") if dose else ("Effect", POSITIVE)
    labels = () if dose else (Label(LABEL, POSITIVE, 0, len(sentence)),)
    try:
        (effect_start, drug_start), choices, decided = _places(sentence, effect, drug, at - drug_at)
    except OffsetError as problem:
        if on_repair is None:
            raise
        on_repair(problem)
        return Document(identity, sentence, labels=labels, meta={"pmid": pmid}).check()

    def mention(name: str, start: int, kind: str, written: str, document_start: int) -> Mention:
        meta: dict[str, Any] = {"document_start": document_start}
        if choices > 1:
            meta |= {"places": choices, "decided_by": decided}
        return Mention(name, start, start + len(written), kind, written, meta=meta)

    return Document(
        identity,
        sentence,
        mentions=(mention("T1", drug_start, "Drug", drug, drug_at), mention("T2", effect_start, kind, effect, at)),
        relations=(Relation("R1", relation, "T1", "T2"),),
        labels=labels,
        meta={"pmid": pmid},
    ).check()


def _places(sentence: str, effect: str, drug: str, distance: int) -> tuple[tuple[int, int], int, str]:
    """Where effect and drug start in the sentence, between how many choices, and what decided.

    ``distance`` is effect start minus drug start in the abstract. In the release it fits some pair of places in
    every row; where it fits two, or none (another file), the first pair that comes nearest is taken.
    """
    pairs = [(first, second) for first in _starts(sentence, effect) for second in _starts(sentence, drug)]
    if not pairs:
        missing = effect if not _starts(sentence, effect) else drug
        raise OffsetError(f"mention {missing!r} is nowhere in its sentence {sentence!r}")
    best = min(pairs, key=lambda pair: abs(pair[0] - pair[1] - distance))
    error = abs(best[0] - best[1] - distance)
    ties = sum(abs(pair[0] - pair[1] - distance) == error for pair in pairs)
    decided = "distance" if ties == 1 and error == 0 else "nearest distance" if ties == 1 else "first of equals"
    return best, len(pairs), decided


def _starts(text: str, wanted: str) -> list[int]:
    starts: list[int] = []
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        starts.append(at)
        at = text.find(wanted, at + 1)
    return starts

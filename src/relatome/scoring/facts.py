"""What the shared tasks' own scorers have in common: rows of facts, ids without their prefixes, and how Java prints.

Facts of a document are a set: one said twice counts once. The files hold no document that has no fact, so the
documents scored are those of either file, or those of a list, which also says how many there are to resample.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from relatome.errors import FormatError, ScoreError
from relatome.formats.files import numbered
from relatome.scoring import offenders


class Fact(NamedTuple):
    """A row of a relations file: where it stands, and what it says."""

    line: int
    document: str
    kind: str
    head: str
    tail: str


Facts = dict[str, list[tuple[str, str, str]]]  # document id -> (head, tail, kind)


def rows(path: str) -> list[Fact]:
    """The rows ``PMID, kind, Arg1:T7, Arg2:T39`` of a file of ChemProt or DrugProt.

    Raises
    ------
    FormatError
        A row has other columns.
    ScoreError
        There is none.
    """
    found = []
    for line in numbered(path):
        if not line.text.strip():
            continue
        columns = line.text.split("\t")
        arguments = [part.partition(":") for part in columns[2:]]
        if len(columns) != 4 or not columns[0] or not all(mark and name for _, mark, name in arguments):
            raise FormatError(
                "expected PMID, kind, Arg1:T1, Arg2:T2 with tabs between, found "
                + (f"{len(columns)} columns" if len(columns) != 4 else repr(line.text[:60])),
                path=path,
                line=line.number,
            )
        head, tail = (name.strip() for _, _, name in arguments)
        found.append(Fact(line.number, columns[0].strip(), columns[1].strip(), head, tail))
    offenders.some(found, "relations", path=path)
    return found


def sides(
    gold: str,
    predicted: str,
    classes: Sequence[str] | None,
    every: Sequence[str],
    *,
    only: Collection[str] | None = None,
) -> tuple[list[list[Fact]], tuple[str, ...]]:
    """The facts of both files that are counted, and the classes that are: those asked for, or every one there is.

    Parameters
    ----------
    only
        Documents; what is predicted of another is left out.

    Raises
    ------
    ScoreError
        As ``of_classes``.
    """
    counted = tuple(every if classes is None else classes)
    found = [fact for fact in rows(predicted) if only is None or fact.document in only]
    return [
        of_classes(path, side, counted, given=classes is not None)
        for path, side in ((gold, rows(gold)), (predicted, found))
    ], counted


def of_classes(path: str, found: Sequence[Fact], classes: Collection[str], *, given: bool) -> list[Fact]:
    """The facts of the classes that are counted. Others are left out where the classes were asked for, else refused.

    Raises
    ------
    ScoreError
        With the first three and their lines.
    """
    others = [fact for fact in found if fact.kind not in classes]
    if others and not given:
        shown = offenders.listed([f"{fact.kind!r} (line {fact.line:,})" for fact in others])
        raise ScoreError(
            f"{offenders.counted(len(others), 'relation')} of a class that is not counted: {shown}",
            path=path,
            advice="counted are " + ", ".join(classes) + "; --classes with this list leaves the others out",
        )
    kept = [fact for fact in found if fact.kind in classes]
    offenders.some(kept, "relations of the classes " + ", ".join(classes), path=path)
    return kept


def by_document(sides: Sequence[Iterable[Fact]], paths: Sequence[str], documents: str | None) -> tuple[Facts, Facts]:
    """Both sides' facts, of every document that either has, or of every one in a file of ids.

    Raises
    ------
    ScoreError
        A fact's document is not in the list.
    """
    names = dict.fromkeys(fact.document for side in sides for fact in side)
    if documents is not None:
        listed = dict.fromkeys(line.text.strip() for line in numbered(documents) if line.text.strip())
        for side, path in zip(sides, paths, strict=True):
            strange = list(dict.fromkeys(fact.document for fact in side if fact.document not in listed))
            if strange:
                raise ScoreError(
                    f"{offenders.counted(len(strange), 'document')} not in {documents}: {offenders.first_of(strange)}",
                    path=path,
                )
        names = listed
    gold: Facts = {name: [] for name in names}
    predicted: Facts = {name: [] for name in names}
    for held, side in zip((gold, predicted), sides, strict=True):
        for fact in side:
            held[fact.document].append((fact.head, fact.tail, fact.kind))
    return gold, predicted


def tally(gold: Mapping[str, Collection[Any]], predicted: Mapping[str, Collection[Any]]) -> tuple[int, int, int]:
    """True positives, false positives and false negatives of all documents."""
    pairs = [(set(gold[name]), set(predicted[name])) for name in gold]
    correct = sum(len(wanted & found) for wanted, found in pairs)
    return correct, sum(len(f) for _, f in pairs) - correct, sum(len(w) for w, _ in pairs) - correct


def percentages(correct: int, wrong: int, missed: int) -> tuple[float, float, float]:
    """Precision, recall and F1 in the order of operations of the scripts, NaN where they divide by nothing."""
    precision = correct / (correct + wrong) if correct + wrong else float("nan")
    recall = correct / (correct + missed) if correct + missed else float("nan")
    return precision, recall, 2 * precision * recall / (precision + recall) if correct else float("nan")


def java(number: float) -> str:
    """A number as Java prints a double.

    Examples
    --------
    >>> java(0.852112676056338), java(1.0), java(0.00012), java(float("nan"))
    ('0.852112676056338', '1.0', '1.2E-4', 'NaN')
    """
    if number != number:
        return "NaN"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(float(number))
    sign, digits, exponent = Decimal(repr(float(number))).normalize().as_tuple()
    figures = "".join(map(str, digits))
    return f"{'-' * sign}{figures[0]}.{figures[1:] or '0'}E{int(exponent) + len(figures) - 1}"


def bare_id(identifier: str) -> str:
    """A concept id without the name of its database: ``MESH:D003866`` is ``D003866``.

    Examples
    --------
    >>> bare_id("MESH:D003866"), bare_id("D003866")
    ('D003866', 'D003866')
    """
    return identifier.rpartition(":")[2]

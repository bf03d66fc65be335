"""One example a line: what ``relatome evaluate --predictions`` writes, and what scorers of rows and ``compare`` read.

JSON Lines. The first line may say how the file is to be scored::

    {"scorer": "classification", "options": {"labels": ["no", "yes"]}, "signature": {"corpus": "ade"}}

Every other line is one example: ``id``; ``document``, what is resampled (the row itself where there is none); ``gold``
and ``predicted`` (a label, a list of labels or of items, a number); ``probabilities``, by label. A file of one side
may call it ``label``, as ``relatome predict --to jsonl`` does. A table with tabs whose first line names such columns
(``id label``, ``id document gold predicted``) is read too; in it several labels stand in a cell with ``|`` between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from relatome.errors import FormatError, ScoreError
from relatome.formats.files import Line, numbered, shown, writing
from relatome.scoring import offenders

_SIDES = ("gold", "predicted", "label")
_ITEM = "a label, a number or a list"


@dataclass(frozen=True, slots=True)
class Row:
    """One example; a side that its file does not say is ``None``.

    Parameters
    ----------
    document
        What is resampled; empty where the file does not say.
    """

    id: str
    document: str
    gold: Any
    predicted: Any
    probabilities: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of one model on one test set.

    Parameters
    ----------
    scorer, options
        How they are scored: a name of ``SCORERS`` and the keyword arguments of its ``measure``; empty if not said.
    signature
        What they were made from.
    """

    path: str
    rows: tuple[Row, ...]
    scorer: str = ""
    options: Mapping[str, Any] | None = None
    signature: Mapping[str, Any] | None = None


def read(path: str | Path, *, side: str = "") -> Examples:
    """The examples of a file.

    Parameters
    ----------
    side
        Which side a column ``label`` is: ``"gold"`` or ``"predicted"``. In a file of the gold, what it holds of
        predictions is not looked at.

    Raises
    ------
    InputError
        The file is no such file; with the line.
    ScoreError
        It holds no example, or an id twice.
    """
    lines = (line for line in numbered(path) if line.text.strip())
    first = next(lines, None)
    if first is None:
        raise ScoreError("there are no examples", path=shown(path), advice="is it the right file?")
    head: Mapping[str, Any] = {}
    rows: list[Row] = []
    if first.text.lstrip().startswith("{"):
        found = _object(first, path)
        if "id" in found:
            rows.append(_row(found, first, path, side))
        else:
            head = _head(found, first, path)
        rows += (_row(_object(line, path), line, path, side) for line in lines)
    else:
        rows += _table(first, lines, path, side)
    if not rows:
        raise ScoreError("there are no examples", path=shown(path), advice="is it the right file?")
    offenders.once([row.id for row in rows], "example", where=shown(path))
    return Examples(shown(path), tuple(rows), head.get("scorer", ""), head.get("options"), head.get("signature"))


def sides(gold: str | Path | None, predicted: str | Path) -> Examples:
    """Both sides of every example, from one file or from two that are matched by id.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        A side is missing, of all examples or of some.
    """
    answers = read(predicted, side="predicted")
    truths = answers if gold is None else read(gold, side="gold")
    for side, examples in (("gold", truths), ("predicted", answers)):
        lacking = [row.id for row in examples.rows if getattr(row, side) is None]
        if lacking:
            raise ScoreError(
                f"{offenders.counted(len(lacking), 'example')} without {side!r}: {offenders.first_of(lacking)}",
                path=examples.path,
                advice="give the gold: --gold FILE" if gold is None and side == "gold" else f"a column {side} or label",
            )
    if gold is None:
        return answers
    offenders.same_ids([row.id for row in truths.rows], [row.id for row in answers.rows], "example")
    by_id = {row.id: row for row in answers.rows}
    rows = tuple(
        Row(
            row.id,
            row.document or by_id[row.id].document,
            row.gold,
            by_id[row.id].predicted,
            by_id[row.id].probabilities,
        )
        for row in truths.rows
    )
    head = answers if answers.scorer else truths
    return Examples(
        answers.path, rows, head.scorer, {**(truths.options or {}), **(answers.options or {})}, head.signature
    )


def write(
    rows: Iterable[Row], path: str | Path | TextIO, *, scorer: str = "", options: Mapping[str, Any] | None = None,
    signature: Mapping[str, Any] | None = None,
) -> int:  # fmt: skip
    """Write a file of examples; how many there were."""
    count = 0
    with writing(path) as stream:
        if scorer:
            head = {"scorer": scorer, "options": dict(options or {}), "signature": dict(signature or {})}
            stream.write(json.dumps(head, ensure_ascii=False) + "\n")
        for row in rows:
            record = {"id": row.id, "document": row.document, "gold": row.gold, "predicted": row.predicted}
            if row.probabilities is not None:
                record["probabilities"] = dict(row.probabilities)
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def documents(rows: Sequence[Row]) -> list[str] | None:
    """The document of each row, or ``None`` where the rows have none.

    Raises
    ------
    ScoreError
        Some have one and some have none.
    """
    without = [row.id for row in rows if not row.document]
    if len(without) == len(rows):
        return None
    if without:
        raise ScoreError(
            f"{offenders.counted(len(without), 'example')} without a document: {offenders.first_of(without)}"
        )
    return [row.document for row in rows]


def probabilities(rows: Sequence[Row], labels: Sequence[str]) -> list[list[float]] | None:
    """The table (rows, labels), or ``None`` where no row has probabilities.

    Raises
    ------
    ScoreError
        Some rows have none, or not those of the labels.
    """
    if all(row.probabilities is None for row in rows):
        return None
    wrong = [row.id for row in rows if row.probabilities is None or set(row.probabilities) != set(labels)]
    if wrong:
        raise ScoreError(
            f"{offenders.counted(len(wrong), 'example')} without a probability of each label: {offenders.first_of(wrong)}",
            advice="the labels: " + ", ".join(map(repr, labels)),
        )
    return [[float((row.probabilities or {})[label]) for label in labels] for row in rows]


def several_classes(found: Examples) -> None:
    """Refuse gold of one class: in a file that is a mistake, and no score of it says anything.

    Raises
    ------
    ScoreError
        With the class and the first three ids.
    """
    if len(found.rows) > 1 and len({str(row.gold) for row in found.rows}) == 1:
        raise ScoreError(
            f"all {len(found.rows):,} gold labels are {str(found.rows[0].gold)!r}: "
            + offenders.first_of([row.id for row in found.rows]),
            path=found.path,
            advice="is it the right file, and the right column?",
        )


def labels_of(examples: Examples, given: Sequence[str] | None) -> list[str]:
    """The label list: the one given, the file's own, or the names of its probabilities; it is never guessed from rows.

    Raises
    ------
    ScoreError
        Nothing says it.
    """
    said = given or (examples.options or {}).get("labels")
    if said:
        return [str(label) for label in said]
    first = examples.rows[0].probabilities
    if first:
        return list(first)
    raise ScoreError("nothing says which labels there are", path=examples.path, advice="--labels A,B,...")


def _object(line: Line, path: str | Path) -> dict[str, Any]:
    try:
        found = json.loads(line.text)
    except RecursionError:
        raise FormatError("JSON nested too deeply", path=shown(path), line=line.number) from None
    except ValueError as problem:
        raise FormatError(
            f"this is not JSON: {problem}", path=shown(path), line=line.number, advice="one example a line"
        ) from None
    if not isinstance(found, dict):
        raise FormatError(
            'expected an object, as {"id": ...}', path=shown(path), line=line.number, advice="one example a line"
        )
    return found


def _head(found: Mapping[str, Any], line: Line, path: str | Path) -> Mapping[str, Any]:
    if not isinstance(found.get("scorer"), str):
        raise FormatError("an example without an 'id'", path=shown(path), line=line.number, advice="give each an id")
    for name in ("options", "signature"):
        if not isinstance(found.get(name, {}), dict):
            raise FormatError(f"{name!r} should be an object", path=shown(path), line=line.number)
    return found


def _row(found: Mapping[str, Any], line: Line, path: str | Path, side: str) -> Row:
    def wrong(message: str) -> FormatError:
        return FormatError(message, path=shown(path), line=line.number)

    names = {}
    for name in ("id", "document"):
        value = found.get(name, "" if name == "document" else None)
        if type(value) is int:
            value = str(value)
        if not isinstance(value, str) or (name == "id" and not value):
            raise wrong(f"{name!r} should be a text or a number, found {json.dumps(value)[:60]}")
        names[name] = value
    values = {name: found.get(name) for name in _SIDES}
    if side and values[side] is None:
        values[side] = values["label"]
    if side == "gold":
        values["predicted"] = None
    for name in ("gold", "predicted"):
        if isinstance(values[name], dict | bool):
            raise wrong(f"{name!r} should be {_ITEM}, found {json.dumps(values[name])[:60]}")
    given = found.get("probabilities")
    if given is not None and not (
        isinstance(given, dict) and all(type(number) in (int, float) for number in given.values())
    ):
        raise wrong("'probabilities' should be an object of numbers by label")
    return Row(names["id"], names["document"], values["gold"], values["predicted"], given)


def _table(first: Line, lines: Iterator[Line], path: str | Path, side: str) -> Iterator[Row]:
    columns = [cell.strip().lower() for cell in first.text.split("\t")]
    if "id" not in columns or not {"label", "gold", "predicted"} & set(columns):
        raise FormatError(
            f"expected a line of JSON, or the names of columns, id and label among them; found {first.text[:60]!r}",
            path=shown(path), line=first.number, advice="one example a line",
        )  # fmt: skip
    for line in lines:
        cells = line.text.split("\t")
        if len(cells) != len(columns):
            raise FormatError(
                f"expected {len(columns)} columns with tabs between, found {len(cells)}",
                path=shown(path), line=line.number,
            )  # fmt: skip
        found: dict[str, Any] = dict(zip(columns, cells, strict=True))
        found.pop("probabilities", None)  # `relatome predict --to tsv` writes them as text; its JSONL holds them whole
        yield _row(found, line, path, side)


def label(value: Any, row: Row, examples: Examples) -> str:
    """A cell as one label.

    Raises
    ------
    ScoreError
        It holds a list.
    """
    if isinstance(value, list):
        raise ScoreError(f"example {row.id!r} has a list where one label is expected", path=examples.path)
    return str(value)


def number(value: Any) -> float:
    """A cell as a number; NaN where it is none."""
    try:
        return float(value) if not isinstance(value, list) else float("nan")
    except ValueError:
        return float("nan")


def listed(value: Any) -> list[str]:
    """A cell that holds several labels: a list, or a text with ``|`` between; an empty one holds none.

    Examples
    --------
    >>> listed("a | b"), listed(""), listed(["a"])
    (['a', 'b'], [], ['a'])
    """
    parts = value if isinstance(value, list) else str(value).split("|")
    return [str(part).strip() for part in parts if str(part).strip()]

"""Two runs brought together: their files read, their gold checked to be the same, their examples laid side by side.

A run is a file of examples (``scoring.examples``), a folder with one in ``predictions.jsonl``, or a folder of such folders or
files, one for each seed. With a scorer of files and its gold, a run is what that scorer reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from relatome.errors import InputError, ScoreError
from relatome.lookup import pick
from relatome.scoring import SCORERS, classification, examples, multilabel, offenders, paired, similarity
from relatome.scoring.examples import Examples
from relatome.scoring.measure import Measure

FILE = "predictions.jsonl"
_TOLD = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """One example that one run has right and the other wrong.

    Parameters
    ----------
    id
        Of the row; of an item: its document, then the item.
    right
        ``"A"`` or ``"B"``.
    gold, one, other
        What each says; for an item, whether it is there.
    """

    id: str
    right: str
    gold: Any
    one: Any
    other: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything ``compare`` says of two runs.

    Parameters
    ----------
    differences
        The rows asked for, Holm-corrected together.
    mcnemar
        For classification; ``None`` for what has no rows.
    right
        How many examples both, A alone, B alone and neither has right.
    judged
        Those that one alone has right.
    seeds
        For either side of several seeds: its numbers over them.
    signature
        Scorer, unit, tests, seeds, and what the files said of themselves.
    """

    differences: tuple[paired.Difference, ...]
    mcnemar: paired.McNemar | None
    right: tuple[int, int, int, int]
    judged: tuple[Judged, ...]
    seeds: tuple[tuple[paired.OverSeeds, ...], ...]
    signature: Mapping[str, Any]


def compare(
    one: str | Path,
    other: str | Path,
    *,
    scorer: str | None = None,
    gold: str | None = None,
    options: Mapping[str, Any] | None = None,
    names: Sequence[str] | None = None,
    resamples: int = paired.RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two runs on the same examples.

    Parameters
    ----------
    one, other
        Files, or folders; see the module.
    scorer
        What the files of examples say when left out; with ``gold`` one of the scorers of files.
    gold
        The gold file of such a scorer; ``None`` where the runs hold it.
    options
        Of the scorer: labels, types, classes.
    names
        The numbers compared. When left out: F1 of every class and average and what knows no class, such as accuracy; or
        all, where there is no F1.
    resamples, seed
        Of the tests.

    Raises
    ------
    InputError
        A file or folder cannot be read, or holds no predictions.
    ScoreError
        The two do not hold the same examples, or their gold differs: the first three and the count.
    """
    options = dict(options or {})
    given = [[_given(path, scorer, gold, options) for path in _files(side)] for side in (one, other)]
    name = given[0][0].scorer
    module = pick(name, SCORERS, "scorer")
    for run in (*given[0], *given[1]):
        if run.scorer != name:
            raise ScoreError(f"{run.path} is scored as {run.scorer}, {given[0][0].path} as {name}")
    sides = [[_checked(run, given[0][0]) for run in side] for side in given]
    everything = [[run.arguments for run in side] for side in sides]
    same = {key: value for key, value in everything[0][0].items() if key in _OPTIONS}
    for run in (*sides[0], *sides[1]):
        for key, value in same.items():
            if run.arguments[key] != value:
                raise ScoreError(
                    f"the runs were made with other {key}: {run.arguments[key]!r} in {run.path}, {value!r} in {given[0][0].path}",
                    advice=f"give --{key}",
                )
    measures = [[module.measure(**arguments) for arguments in side] for side in everything]
    joint = None
    if len(everything[0]) == len(everything[1]) == 1:
        joint = paired.joined(module.measure, everything[0][0], everything[1][0])
    differences = paired.compare(
        *measures, joint=joint, names=names or _usual(measures[0][0]), resamples=resamples, seed=seed
    )
    judged, right = _judged(module, sides[0][0], sides[1][0], measures[0][0], measures[1][0])
    rows = [_right(run) for run in (sides[0][0], sides[1][0])] if module is classification else None
    return Comparison(
        differences,
        paired.mcnemar(*rows) if rows else None,
        right,
        tuple(judged),
        tuple(
            paired.over_seeds(side, resamples=min(resamples, 1000), seed=seed) if len(side) > 1 else ()
            for side in measures
        ),
        _signature(module, measures[0][0], sides, joint is not None, resamples, seed),
    )


def measure(found: Examples) -> Measure:
    """The measure of one run's examples, by the scorer they name.

    Raises
    ------
    ScoreError
        They name none, or do not hold what it asks for.
    """
    rows = sorted(found.rows, key=lambda row: row.id)
    plain = (replace(row, gold=_listed(row.gold), predicted=_listed(row.predicted)) for row in rows)
    found = replace(found, rows=tuple(plain))
    return pick(found.scorer, SCORERS, "scorer").measure(**_arguments(found.scorer, found, {}))  # type: ignore[no-any-return]


def _listed(value: Any) -> Any:
    """A side as it would be read from its file, where tuples are lists."""
    return list(map(_listed, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class _Run:
    path: str
    scorer: str
    arguments: dict[str, Any]
    ids: tuple[str, ...] = ()
    signature: Mapping[str, Any] | None = None


def _files(run: str | Path) -> list[Path]:
    """The prediction files of a run: one, or one for each seed."""
    path = Path(run)
    if not path.is_dir():
        return [path]
    if (path / FILE).is_file():
        return [path / FILE]
    found = sorted(path.glob(f"*/{FILE}")) or sorted(path.glob("*.jsonl"))
    if not found:
        raise InputError(
            f"there is no {FILE} in this folder, nor in those under it", path=path,
            advice=f"relatome evaluate {path} --corpus NAME --predictions {path / FILE}",
        )  # fmt: skip
    return found


def _given(path: Path, scorer: str | None, gold: str | None, options: dict[str, Any]) -> _Run:
    if scorer is not None and (gold is not None or not _of_examples(scorer)):
        module = pick(scorer, {name: one for name, one in SCORERS.items() if hasattr(one, "read")}, "scorer of files")
        if not path.is_file():
            raise InputError("no such file", path=path, advice="check the path")
        arguments = module.read(gold, str(path), **options)
        return _Run(str(path), scorer, arguments, _ids(arguments))
    found = examples.sides(None, path)
    name = scorer or found.scorer
    if not name:
        raise ScoreError("nothing says how these examples are scored", path=found.path, advice="--scorer NAME")
    pick(name, SCORERS, "scorer")
    order = sorted(found.rows, key=lambda row: row.id)
    found = replace(found, rows=tuple(order))
    return _Run(found.path, name, _arguments(name, found, options), tuple(row.id for row in order), found.signature)


def _of_examples(scorer: str) -> bool:
    return scorer in _ROWS or scorer in _ITEMS


def _arguments(scorer: str, found: Examples, options: dict[str, Any]) -> dict[str, Any]:
    if scorer in _ROWS:
        return _ROWS[scorer](found, **options)
    if scorer not in _ITEMS:
        raise ScoreError(
            f"{scorer} is not scored from files of examples", path=found.path,
            advice="give the scorer's own files: --scorer NAME --gold FILE",
        )  # fmt: skip
    sides = {
        side: {row.id: [_tuple(item) for item in _items(getattr(row, side), row.id, found)] for row in found.rows}
        for side in ("gold", "predicted")
    }
    return {**sides, **(found.options or {}), **options}


def _items(value: Any, identity: str, found: Examples) -> list[Any]:
    if not isinstance(value, list) or any(not isinstance(item, list) or len(item) != 3 for item in value):
        raise ScoreError(
            f"example {identity!r} should hold a list of [start, end, type] or [head, tail, type]", path=found.path
        )
    return value


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value


def _ids(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    gold = arguments.get("gold")
    return tuple(map(str, gold)) if isinstance(gold, Mapping) else ()


def _checked(run: _Run, first: _Run) -> _Run:
    """The run, when it judges the examples of the first by the same gold."""
    if run is first:
        return run
    for here, there, found, lacking in ((run, first, run.ids, first.ids), (first, run, first.ids, run.ids)):
        known = set(lacking)
        alone = [identity for identity in found if identity not in known]
        if alone:
            raise ScoreError(
                f"the runs do not hold the same examples: {offenders.counted(len(alone), 'example')} in {here.path} "
                f"but not in {there.path}: {offenders.first_of(alone)}",
                advice="evaluate both on the same split of the same corpus",
            )
    for what in ("gold", "groups"):
        one, other = first.arguments.get(what), run.arguments.get(what)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            differing = [str(key) for key in one if _plain(one[key]) != _plain(other[key])]
        elif isinstance(one, Sequence) and isinstance(other, Sequence):
            pairs = enumerate(zip(one, other, strict=True))
            differing = [
                first.ids[row] if first.ids else str(row + 1) for row, (a, b) in pairs if _plain(a) != _plain(b)
            ]
        else:
            differing = [] if _plain(one) == _plain(other) else ["all"]
        if differing:
            noun = "gold" if what == "gold" else "document"
            raise ScoreError(
                f"the {noun} of the two runs differs in {len(differing):,} example{'s' if len(differing) > 1 else ''}: "
                f"{offenders.first_of(differing)} ({first.path}, {run.path})",
                advice="evaluate both on the same split of the same corpus",
            )
    return run


def _plain(value: Any) -> Any:
    """What two golds are compared by: sets have no order."""
    if isinstance(value, str) or not isinstance(value, (list, set, frozenset)):
        return value
    return sorted(map(repr, value))


def _usual(measure: Measure) -> list[str] | None:
    names = {cell.name for cell in measure.cells}
    if "f1" not in names:
        return None
    return [
        name
        for name in dict.fromkeys(c.name for c in measure.cells if c.class_ is None or c.name == "f1")
        if name != "errors"
    ]


def _judged(
    module: ModuleType, one: _Run, other: _Run, first: Measure, second: Measure
) -> tuple[list[Judged], tuple[int, int, int, int]]:
    if module in (classification, multilabel):
        found = list(_by_row(one, other))
    elif isinstance(one.arguments.get("gold"), Mapping) and _sets(one) and _sets(other):
        found = list(_by_item(one, other))
    else:
        found = list(_by_unit(first, second))
    both = sum(a and b for _, a, b in found)
    only = [sum(a and not b for _, a, b in found), sum(b and not a for _, a, b in found)]
    return (
        [judged for judged, a, b in found if a != b],
        (both, only[0], only[1], len(found) - both - sum(only)),
    )


def _by_row(one: _Run, other: _Run) -> Iterator[tuple[Judged, bool, bool]]:
    ids = one.ids or tuple(map(str, range(1, len(one.arguments["gold"]) + 1)))
    columns = (ids, one.arguments["gold"], one.arguments["predicted"], other.arguments["predicted"])
    for identity, gold, a, b in zip(*columns, strict=True):
        right = _plain(a) == _plain(gold), _plain(b) == _plain(gold)
        yield Judged(identity, "A" if right[0] else "B", gold, a, b), *right


def _by_item(one: _Run, other: _Run) -> Iterator[tuple[Judged, bool, bool]]:
    """Every item that the gold or a run has: right is to have it when the gold has it."""
    for document, items in one.arguments["gold"].items():
        gold, a, b = (
            set(some) for some in (items, one.arguments["predicted"][document], other.arguments["predicted"][document])
        )
        for item in sorted(gold | a | b, key=repr):
            there = item in gold
            right = (item in a) == there, (item in b) == there
            name = f"{document}: {json.dumps(item, ensure_ascii=False)}"
            yield Judged(name, "A" if right[0] else "B", there, item in a, item in b), *right


def _by_unit(one: Measure, other: Measure) -> Iterator[tuple[Judged, bool, bool]]:
    """Where there are no rows: the unit's own score; the run with the higher one has it right, a full one is right."""
    table = np.eye(len(one.units))
    scores = [
        np.nanmean(np.where(np.isnan(value), -1.0, value), axis=1) for value in (one.value(table), other.value(table))
    ]
    for unit, a, b in zip(one.units, *(score.tolist() for score in scores), strict=True):
        better = "A" if a > b else "B"
        yield Judged(unit, better, None, a, b), a > b or (a == b and a > 0), b > a or (a == b and a > 0)


def _sets(run: _Run) -> bool:
    sides = [run.arguments[side] for side in ("gold", "predicted")]
    return all(
        isinstance(side, Mapping)
        and all(
            isinstance(items, (list, set, frozenset, tuple)) and all(isinstance(i, tuple) for i in items)
            for items in side.values()
        )
        for side in sides
    )


def _right(run: _Run) -> list[bool]:
    return [gold == found for gold, found in zip(run.arguments["gold"], run.arguments["predicted"], strict=True)]


def _signature(
    module: ModuleType, measure: Measure, sides: Sequence[Sequence[_Run]], exchanged: bool, resamples: int, seed: int
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "scorer": module.NAME, "scorer_version": module.VERSION, **measure.signature, "unit": measure.unit,
        "units": len(measure.units), "interval": "paired percentile bootstrap, 95%",
        "p": ["paired bootstrap", *(["approximate randomisation"] if exchanged else []), "Holm"],
        "detectable": f"power {paired.POWER:.0%} at 5%", "resamples": resamples, "seed": seed,
    }  # fmt: skip
    for letter, side in zip("AB", sides, strict=True):
        found[letter] = [run.path for run in side]
        said = side[0].signature or {}
        found |= {f"{letter}_{key}": said[key] for key in ("model",) if key in said}
    said = sides[0][0].signature or {}
    return found | {
        key: said[key]
        for key in ("corpus", "corpus_version", "split", "protocol", "split_hash", "entities")
        if key in said
    }


_OPTIONS = ("labels", "types", "classes", "counted")
_ROWS: Mapping[str, Callable[..., dict[str, Any]]] = {
    module.NAME: module.arguments for module in (classification, multilabel, similarity)
}
_ITEMS = ("ner", "relations")

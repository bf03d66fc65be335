"""Reports people can read: a model card, plots and tables, from a run folder alone.

`write` puts them into the folder: ``README.md``, and under ``report/`` each plot as PNG and CSV, and each table in the
formats asked for. The same folder gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from relatome.errors import InputError, ScoreError
from relatome.formats.files import writing, writing_bytes
from relatome.lookup import pick
from relatome.reports import card, plots, tables
from relatome.reports import run as runs
from relatome.reports.plots import Plot
from relatome.reports.run import Run, Saved
from relatome.reports.tables import Table
from relatome.scoring import calibration, classification
from relatome.scoring.examples import Examples
from relatome.scoring.score import Report

__all__ = ["FOLDER", "NAME", "Table", "check", "of", "runs", "tables", "write"]

FOLDER, NAME = "report", "README.md"
_MOST_CURVES = 8
_MOST_LABELS = 40  # beyond, a confusion matrix is a table to be read by programs
_CURVE_POINTS = 400


def write(
    folder: str | Path, target: str | Path | None = None, *, to: Sequence[str] = (), with_plots: bool = True
) -> tuple[Run, list[Path]]:  # fmt: skip
    """Write the report of a run folder; what was read, and the files written.

    Parameters
    ----------
    target
        Where; the run folder itself if None.
    to
        Formats that each table is written in too, of ``tables.TO``; the card holds them as Markdown.
    with_plots
        Draw, which needs matplotlib (the extra ``plots``).

    Raises
    ------
    MissingExtraError
        matplotlib is not here, and plots are asked for. Nothing is written then.
    InputError
        There is a README.md that is no report: it is not written over.
    ModelError, ScoreError
        The folder is no run folder, or something in it is broken.
    """
    formats = [pick(name, tables.TO, "format of tables") for name in to]
    if with_plots:
        plots.needed()
    source = Path(folder)
    place = source if target is None else Path(target)
    readme = place / NAME
    check(readme)
    run = runs.read(source, also=place)
    found, drawn = of(run, with_plots=with_plots)
    text = card.write(run, found, drawn, where=FOLDER)
    written = []
    (place / FOLDER).mkdir(parents=True, exist_ok=True)
    for plot in (one for some in drawn.values() for one in some):
        with writing_bytes(place / FOLDER / f"{plot.name}.png") as binary:
            binary.write(plot.png)
        with writing(place / FOLDER / f"{plot.name}.csv") as stream:
            stream.write(tables.comma_separated(plot.table))
        written += [place / FOLDER / f"{plot.name}.png", place / FOLDER / f"{plot.name}.csv"]
    for table in (one for some in found.values() for one in some):
        for suffix, shown in formats:
            with writing(place / FOLDER / f"{table.name}{suffix}") as stream:
                stream.write(shown(table))
            written.append(place / FOLDER / f"{table.name}{suffix}")
    with writing(readme) as stream:  # last: it names the others
        stream.write(text)
    return run, [*written, readme]


def check(readme: Path) -> None:
    """See that a README.md is absent, or a report of ours.

    Raises
    ------
    InputError
        It is somebody's own.
    """
    if readme.is_file() and card.MARK not in readme.read_text(encoding="utf-8", errors="replace"):
        raise InputError(
            "this file is no report of relatome, so it is not written over", path=readme, advice="-o another folder"
        )


def of(run: Run, *, with_plots: bool = True) -> tuple[dict[str, list[Table]], dict[str, list[Plot]]]:
    """The tables and the plots of each evaluation by its name; those of the run itself by ``""``."""
    found: dict[str, list[Table]] = {}
    drawn: dict[str, list[Plot]] = {}
    for saved in run.evaluations:
        found[saved.name] = list(_tables(saved))
        drawn[saved.name] = list(_plots(saved)) if with_plots else []
    drawn[""] = list(_of_run(run)) if with_plots else []
    return found, drawn


def _tables(saved: Saved) -> Iterator[Table]:
    beside = {"clean part": saved.part("clean part"), "TF-IDF": saved.of_baseline()}
    known = {what: report for what, report in beside.items() if report is not None}
    yield tables.of_report(saved.report, f"{saved.name}-classes", _what(saved, "scores by class"), beside=known)
    for entities in ("gold", "predicted"):
        if saved.signature.get("entities") not in (None, entities):
            other = saved.part(f"{entities} entities", entities=entities)
            if other is not None:
                title = _what(saved, f"the same with {entities} entities")
                yield tables.of_report(other, f"{saved.name}-{entities}-entities", title)
    made = _calibration(saved)
    if made is not None:
        yield made


def _calibration(saved: Saved) -> Table | None:
    rows = []
    for what, one in _probable(saved):
        report = calibration.score(**one)
        rows.append((what, *(report.value(name) for name in ("confidence", "accuracy")),
                     *(getattr(report.score("ece"), part) for part in ("value", "low", "high")),
                     report.value("log loss"), report.value("brier")))  # fmt: skip
    columns = ("model", "mean probability", "accuracy", "ece", "ece low", "ece high", "log loss", "brier")
    title = _what(saved, f"calibration, {calibration.BINS} bins")
    return Table(f"{saved.name}-calibration", title, columns, tuple(rows)) if rows else None


def _plots(saved: Saved) -> Iterator[Plot]:
    baseline = saved.of_baseline()
    reports = {"model": saved.report, **({"TF-IDF": baseline} if baseline is not None else {})}
    rows = {what: _f1(report) for what, report in reports.items()}
    if any(rows.values()):
        yield plots.per_class(f"{saved.name}-f1", _what(saved, "F1 by class"), rows)
    if saved.predictions is not None:
        counts, labels = _confusion(saved.predictions)
        if 2 <= len(labels) <= _MOST_LABELS:
            yield plots.confusion(f"{saved.name}-confusion", _what(saved, "confusion"), counts, labels)
    curves: dict[str, list[tuple[float, float, float]]] = {}
    bins = {}
    for what, one in _probable(saved):
        gold, table, labels = one["gold"], np.asarray(one["probabilities"]), one["labels"]
        for number, label in enumerate(labels):
            if any(answer == label for answer in gold):
                name = f"{what}, {label}"
                curves[name] = _curve([answer == label for answer in gold], table[:, number])
        bins[what] = calibration.reliability(gold, table, labels=labels)
    if curves:
        few = dict(list(curves.items())[:_MOST_CURVES])
        yield plots.precision_recall(f"{saved.name}-pr", _what(saved, "precision and recall"), few)
        yield plots.reliability(f"{saved.name}-reliability", _what(saved, "reliability"), bins)


def _of_run(run: Run) -> Iterator[Plot]:
    if len(run.log) > 1:
        names = dict.fromkeys(name for step in run.log for name in step["losses"])
        losses = {
            name: [(s["step"], float(s["losses"][name])) for s in run.log if name in s["losses"]] for name in names
        }
        scores: dict[str, list[tuple[int, float]]] = {}
        for step in run.log:
            own = step.get("scores")
            for name, value in own.items() if isinstance(own, dict) else ():
                if isinstance(value, int | float):
                    scores.setdefault(name, []).append((step["step"], float(value)))
        if len(scores) == 2:  # the mean of one score is that score
            scores.pop("mean", None)
        yield plots.learning("learning", f"{run.name}: learning curves", losses, scores)
    rows = _timed(run.throughput)
    if rows:
        yield plots.throughput("throughput", f"{run.name}: throughput by size of a batch", rows)


def _timed(said: Mapping[str, Any]) -> list[tuple[int, float]]:
    if not said:
        return []
    try:
        rows = [(int(size), float(speed)) for size, speed in said["rows"]]
        if not all(size > 0 and 0 <= speed < 1e12 for size, speed in rows):
            raise ValueError("sizes and speeds are positive")
    except (KeyError, TypeError, ValueError) as error:
        raise ScoreError(
            f"its rows are no sizes and speeds: {type(error).__name__}: {error}",
            path=f"{runs.FOLDER}/{runs.THROUGHPUT}", advice="measure again: --throughput",
        ) from None  # fmt: skip
    return rows


def _f1(report: Report) -> list[tuple[str, float, float, float]]:
    return [
        (str(one.class_), one.value, one.low, one.high)
        for one in report.scores if one.name == "f1" and one.class_ is not None
    ]  # fmt: skip


def _probable(saved: Saved) -> Iterator[tuple[str, dict[str, Any]]]:
    """The arguments of ``calibration`` of the model and its baseline, where their examples have probabilities."""
    for what, found in (("model", saved.predictions), ("TF-IDF", saved.baseline)):
        if found is None or found.scorer != classification.NAME or found.rows[0].probabilities is None:
            continue
        if len({str(row.gold) for row in found.rows}) < 2:
            continue  # how well it is calibrated cannot be told
        one = classification.arguments(found)
        yield what, {key: one[key] for key in ("gold", "probabilities", "labels", "groups")}


def _confusion(found: Examples) -> tuple[Counter[tuple[str, str]], list[str]]:
    """How often each gold label got each answer; of mentions and relations, those of the same place, or none."""
    if found.scorer == classification.NAME:
        counts = Counter((str(row.gold), str(row.predicted)) for row in found.rows)
        return counts, [str(label) for label in (found.options or {}).get("labels", ())]
    options = found.options or {}
    labels = [str(label) for label in options.get("types", options.get("classes", ()))]
    counts = Counter()
    for row in found.rows:
        sides: list[dict[str, list[str]]] = []
        for items in (row.gold, row.predicted):
            side: dict[str, list[str]] = {}
            for item in items if isinstance(items, list) else ():
                *place, kind = item
                side.setdefault(str(place), []).append(str(kind))
            sides.append(side)
        for place in dict.fromkeys((*sides[0], *sides[1])):
            counts.update(_matched(*(Counter(side.get(place, ())) for side in sides)))
    kept = Counter({pair: count for pair, count in counts.items() if set(pair) <= {*labels, plots.NONE}})
    return kept, [*labels, plots.NONE]


def _matched(gold: Counter[str], answers: Counter[str]) -> Iterator[tuple[str, str]]:
    """Labels of one place, the same ones first, then what is left with each other, then with nothing."""
    for label in gold & answers:
        yield from [(label, label)] * min(gold[label], answers[label])
    missed, spare = ([*(side - other).elements()] for side, other in ((gold, answers), (answers, gold)))
    for number in range(max(len(missed), len(spare))):
        yield (
            missed[number] if number < len(missed) else plots.NONE,
            spare[number] if number < len(spare) else plots.NONE,
        )


def _curve(positive: Sequence[bool], scores: Any) -> list[tuple[float, float, float]]:
    """(recall, precision, threshold) wherever the threshold can lie, from the highest; thinned evenly where many."""
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    ordered = np.asarray(scores, dtype=np.float64)[order]
    right = np.cumsum(np.asarray(positive, dtype=bool)[order])
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    if len(ends) > _CURVE_POINTS:
        ends = ends[np.unique(np.linspace(0, len(ends) - 1, _CURVE_POINTS).astype(int))]
    return [(float(right[end] / right[-1]), float(right[end] / (end + 1)), float(ordered[end])) for end in ends]


def _what(saved: Saved, said: str) -> str:
    signature = saved.signature
    entities = f", {signature['entities']} entities" if signature.get("task") == "relation" else ""
    return f"{signature.get('corpus', 'unknown corpus')} {signature.get('split', '')}{entities}: {said}"

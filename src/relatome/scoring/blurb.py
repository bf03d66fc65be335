"""BLURB's aggregate: the mean of the means of six families of tasks, from thirteen task scores.

Families and tasks: Gu et al. 2021 (https://arxiv.org/abs/2007.15779), Table 3 and the leaderboard's rule. Scores are
percentages as published (entity F1, macro word F1, micro F1, Pearson, accuracy), or shares, all in one unit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from relatome.errors import FormatError, ScoreError
from relatome.formats.files import numbered, shown
from relatome.formats.jsonvalues import JsonReader
from relatome.scoring import offenders
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.resampling import Floats
from relatome.scoring.score import Report

NAME = "blurb"
VERSION = 1

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "entities": ("BC5-chem", "BC5-disease", "NCBI-disease", "BC2GM", "JNLPBA"),
    "pico": ("EBM-PICO",),
    "relations": ("ChemProt", "DDI", "GAD"),
    "similarity": ("BIOSSES",),
    "classification": ("HoC",),
    "questions": ("PubMedQA", "BioASQ"),
}
TASKS = tuple(task for tasks in FAMILIES.values() for task in tasks)


def score(scores: Mapping[str, float]) -> Report:
    """The aggregate, the family means, and the plain mean of the thirteen, which is another number.

    Raises
    ------
    ScoreError
        A task is missing, unknown, or its score is no number; or percentages and shares are mixed.

    Examples
    --------
    >>> report = score({task: 80.0 for task in TASKS} | {"HoC": 92.0})
    >>> report.value("blurb"), round(report.value("mean of tasks"), 4), report.value("family", "classification")
    (82.0, 80.9231, 92.0)
    """
    return measure(scores).report(resamples=0)


def measure(scores: Mapping[str, float]) -> Measure:
    """The same as a ``Measure`` of one unit: published scores have no documents, so there is no interval."""
    unknown = [task for task in scores if task not in TASKS]
    missing = [task for task in TASKS if task not in scores]
    problems = [
        f"{offenders.counted(len(names), 'task')} {what}: {offenders.first_of(names)}"
        for what, names in (("unknown", unknown), ("missing", missing))
        if names
    ]
    bad = [task for task in TASKS if task in scores and not 0 <= scores[task] <= 100]
    if bad:
        problems.append(f"{offenders.counted(len(bad), 'score')} no number from 0 to 100: {offenders.first_of(bad)}")
    if problems:
        raise ScoreError("; ".join(problems), advice="the thirteen tasks: " + ", ".join(TASKS))
    small = [task for task in TASKS if scores[task] <= 1]
    if small and len(small) < len(TASKS):
        raise ScoreError(
            f"percentages and shares are mixed: {offenders.first_of(small)} of at most 1", advice="use one unit for all"
        )
    families = [math.fsum(scores[task] for task in tasks) / len(tasks) for tasks in FAMILIES.values()]
    tasks = [float(scores[task]) for task in TASKS]
    numbers = [math.fsum(families) / len(families), math.fsum(tasks) / len(tasks), *families, *tasks]
    whole = (Cell("blurb", None, len(TASKS)), Cell("mean of tasks", None, len(TASKS)))
    parts = (Cell("family", name, len(some)) for name, some in FAMILIES.items())

    def value(weights: Floats) -> Floats:
        return np.repeat(np.array([numbers]), len(weights), axis=0)

    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=(*whole, *parts, *(Cell("task", task, 1) for task in TASKS)),
        units=("benchmark",),
        unit="benchmark",
        value=value,
        signature={"averaging": ["family", "mean of families"], "classes": list(FAMILIES)},
    )


def read(gold: str | None, predicted: str) -> dict[str, Any]:
    """The arguments of ``measure`` from one file: JSON ``{"BC5-chem": 93.3, ...}``, or a table ``task TAB score``.

    Raises
    ------
    InputError
        The file is neither.
    ScoreError
        A gold file is given, or a task stands twice.
    """
    if gold is not None:
        raise ScoreError("blurb adds up scores and takes no gold", advice="leave --gold out")
    found: list[tuple[str, float]] = []
    lines = [line for line in numbered(predicted) if line.text.strip()]
    offenders.some(lines, "task scores", path=predicted)
    if lines[0].text.lstrip().startswith("{"):
        reader = JsonReader(predicted)
        for task in reader.walk_object():
            line, value = reader.line, reader.value()
            found.append((task, _number(value, task, predicted, line)))
        if reader.peek():
            raise reader.problem("expected the end of the file")
    else:
        for line_ in lines:
            cells = line_.text.split("\t")
            if len(cells) != 2:
                raise FormatError(
                    f"expected task and score with a tab between, found {len(cells)} columns",
                    path=shown(predicted), line=line_.number,
                )  # fmt: skip
            if (cells[0].strip().lower(), cells[1].strip().lower()) != ("task", "score"):
                found.append((cells[0].strip(), _number(cells[1], cells[0].strip(), predicted, line_.number)))
    offenders.once([task for task, _ in found], "task", where=shown(predicted))
    return {"scores": dict(found)}


def _number(value: Any, task: str, path: str, line: int) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise FormatError(
            f"the score of {task!r} is no number: {json.dumps(value)[:60]}", path=shown(path), line=line
        ) from None

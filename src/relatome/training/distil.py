"""Soft labels: a teacher's probabilities for the inputs that a corpus has, learned in place of its gold or beside it.

What is labelled are *examples*: the same task's inputs go through any predictor, and its answers become a table with
one row an item and one column a class of the student's head. Where the teacher says nothing of a class, the table says
nothing (it is NaN), and nothing is learned of it; an input that no window of the teacher's can hold has an empty row.

To ask a teacher takes about as long as to learn from it, and the seeds of a student all ask the same: its answers are kept
in its folder, under the hash of all that they follow from.

Hinton et al. 2015, arXiv:1503.02531.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

import relatome
from relatome import predictors
from relatome.batches import Row
from relatome.errors import SettingsError
from relatome.predictors import Predictor, head_of, runs
from relatome.tasks import TASKS
from relatome.tasks.example import NEGATIVE, Encoded, Head, Prediction, TypedSpan

_log = logging.getLogger(__name__)

ANSWERS = "answers"  # a folder in the teacher's
DOCUMENTS = 256  # asked about at once: enough for full batches, and the answers of few are held

Table = np.ndarray[Any, np.dtype[np.float32]]


class Lesson(NamedTuple):
    """A document's rows, and by head the inputs they were made of."""

    rows: Sequence[Row]
    inputs: Mapping[str, Sequence[Any]]


def teachers(name: str) -> list[str]:
    """The models that teach by this name: ``"default"``, a model's folder, or the seeds in a folder, all of them."""
    return [name] if name == "default" else [str(one) for one in runs(name)] or [name]


def label(names: Sequence[str], lessons: Sequence[Lesson], heads: Sequence[Head]) -> list[str]:
    """Put the teachers' mean probabilities into the rows, as ``soft``; of a class one says nothing of, nothing is said.

    Parameters
    ----------
    names
        Of the teachers, as `teachers` gives them.

    Returns
    -------
    list
        What each of them is: its name and the first digits of its weights' hash.

    Raises
    ------
    ModelError
        A teacher has no head for a task.
    SettingsError
        It chooses between other classes than the student.
    """
    sources = []
    for name in names:
        teacher = predictors.load(name)
        sources.append(teacher.source)
        folder = None if name == "default" else Path(name)  # that of the package is not written to
        for (_, row, head), table in zip(_asked(lessons, heads), _kept(teacher, folder, lessons, heads), strict=True):
            row.soft[head.name] = row.soft[head.name] + table if head.name in row.soft else table
    for _, row, head in _asked(lessons, heads):
        row.soft[head.name] = row.soft[head.name] / len(names)
    return sources


def _kept(teacher: Predictor, folder: Path | None, lessons: Sequence[Lesson], heads: Sequence[Head]) -> list[Table]:
    """The teacher's tables, in the order of `_asked`: those that are in its folder, or new ones, which are then kept there."""
    theirs = {head.name: _counterpart(teacher, head) for head in heads}
    if folder is None:
        return _answers(teacher, lessons, heads, theirs)
    file = folder / ANSWERS / f"{_key(teacher, lessons, heads, theirs)}.npz"
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as read:
            values, shapes = read["values"], read["shapes"]
        ends = np.cumsum(shapes.prod(axis=1))
        return [part.reshape(shape) for part, shape in zip(np.split(values, ends[:-1]), shapes, strict=True)]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # none, or a damaged one
        found = _answers(teacher, lessons, heads, theirs)
    part = file.with_name(f"{file.stem}.{os.getpid()}.part")
    try:
        file.parent.mkdir(exist_ok=True)
        values = np.concatenate([np.zeros(0, np.float32), *(one.reshape(-1) for one in found)])
        with part.open("wb") as written:
            np.savez_compressed(written, values=values, shapes=np.asarray([one.shape for one in found]).reshape(-1, 2))
        part.replace(file)
    except OSError as problem:  # a folder that may not be written to: the next run asks again
        _log.warning("the teacher's answers are not kept: %s", problem)
    finally:
        part.unlink(missing_ok=True)
    return found


def _asked(lessons: Sequence[Lesson], heads: Sequence[Head]) -> Iterator[tuple[Lesson, Row, Head]]:
    """Every row and head that asks for a table."""
    for lesson in lessons:
        for row in lesson.rows:
            for head in heads:
                if head.name in row.encoded:
                    yield lesson, row, head


def _key(teacher: Predictor, lessons: Sequence[Lesson], heads: Sequence[Head], theirs: Mapping[str, Head]) -> str:
    """Of all that the tables follow from: the teacher, the heads of both, what is asked and how the student reads it."""
    found = sha256()
    weights = teacher.source.rpartition("@")[2]  # their hash, whatever the folder is called
    said = [relatome.__version__, weights, [(head.json(), theirs[head.name].json()) for head in heads]]
    found.update(json.dumps(said).encode())
    for lesson in lessons:
        found.update(repr(lesson.inputs).encode())
    for _, row, head in _asked(lessons, heads):
        found.update(row.window.ids.tobytes() + repr(row.encoded[head.name][1].inputs).encode())
    return found.hexdigest()[:32]


def _answers(
    teacher: Predictor, lessons: Sequence[Lesson], heads: Sequence[Head], theirs: Mapping[str, Head]
) -> list[Table]:
    """What the teacher says, in the order of `_asked`."""
    tables: list[Table] = []
    for first in range(0, len(lessons), DOCUMENTS):
        chosen = lessons[first : first + DOCUMENTS]
        requests: dict[str, list[Any]] = {one.name: [] for one in theirs.values()}
        starts: dict[tuple[int, str], int] = {}
        for lesson in chosen:
            for head in heads:
                starts[id(lesson), head.name] = len(requests[theirs[head.name].name])
                requests[theirs[head.name].name] += lesson.inputs[head.name]
        found = teacher.predict(requests)
        for lesson, row, head in _asked(chosen, heads):
            start, count = starts[id(lesson), head.name], len(lesson.inputs[head.name])
            answers = found[theirs[head.name].name][start : start + count]
            tables.append(_table(row.encoded[head.name][1], answers, head, theirs[head.name]))
    return tables


def _counterpart(teacher: Predictor, head: Head) -> Head:
    theirs = head_of(teacher, head.task, head.name)
    if head.task == "classification" and set(theirs.labels) != set(head.labels):
        raise SettingsError(
            [
                f"heads {head.name!r}: the teacher chooses between {', '.join(theirs.labels)}, "
                f"and this head between {', '.join(head.labels)}"
            ]
        )
    return theirs


def _table(encoded: Encoded, answers: Sequence[Prediction], head: Head, theirs: Head) -> Table:
    """``(items, C)`` for what a row asked of a head."""
    if head.task == "ner":
        answer = answers[encoded.inputs[0]].value
        spans = [span for span in answer if not isinstance(span, str)]
        return _tags(encoded, spans, head, theirs)
    found = np.stack([_classes(answers[index], head) for index in encoded.inputs])
    if encoded.mirrored:  # the teacher answered the pair as it was asked, not in the other order
        found[-encoded.mirrored :] = np.nan
    return found


def _classes(answer: Prediction, head: Head) -> Table:
    """A class's probability; what the teacher gives relations that the student does not have is no relation to it."""
    found = np.full(len(head.labels), np.nan, dtype=np.float32)
    if answer.dropped:
        return found
    for name, probability in answer.probabilities.items():
        if name in head.labels:
            found[head.labels.index(name)] = probability
        else:
            place = head.labels.index(NEGATIVE)
            found[place] = np.nan_to_num(found[place]) + probability
    return found


def _tags(encoded: Encoded, spans: Sequence[TypedSpan], head: Head, theirs: Head) -> Table:
    """Of each piece, and for ``layers`` of each type: a span's probability on its tags, and the rest on O."""
    layered = head.kind == "layers"
    shape = (len(encoded.window), len(head.labels), 3) if layered else (len(encoded.window), head.classes)
    task, whose = TASKS["ner"], encoded.inputs[0]
    asked = task.targets(encoded, {whose: ()}, head).reshape(-1) >= 0  # one piece a word is judged
    soft = np.full(shape, np.nan, dtype=np.float32)
    for number, name in enumerate(head.labels):
        if name in theirs.labels:
            columns = soft[:, number] if layered else soft[:, 2 * number + 1 : 2 * number + 3]
            columns[...] = 0.0
    if layered:
        known = [name in theirs.labels for name in head.labels]
        soft[:, known, 0] = 1.0
    else:
        soft[:, 0] = 1.0
    flat = soft.reshape(-1, shape[-1])
    for span in spans:
        if span.type in head.labels:
            tags = task.targets(encoded, {whose: (span,)}, head).reshape(-1)
            inside = np.flatnonzero(tags > 0)
            probability = 1.0 if span.probability is None else span.probability
            flat[inside, tags[inside]] = probability
            flat[inside, 0] -= probability
    flat = np.maximum(flat, 0.0)  # NaN stays
    flat[~asked] = np.nan
    return flat


__all__ = ["Lesson", "label", "teachers"]

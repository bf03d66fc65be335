"""Soft labels: a teacher's probabilities for the inputs that a corpus has, learned in place of its gold or beside it.

What is labelled are *examples*: the same task's inputs go through any predictor, and its answers become a table with
one row an item and one column a class of the student's head. Where the teacher says nothing of a class, the table says
nothing (it is NaN), and nothing is learned of it; an input that no window of the teacher's can hold has an empty row.
Hinton et al. 2015, arXiv:1503.02531.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from relatome.batches import Row
from relatome.errors import SettingsError
from relatome.predictors import Predictor, head_of, runs
from relatome.tasks import TASKS
from relatome.tasks.example import NEGATIVE, Encoded, Head, Prediction, TypedSpan

DOCUMENTS = 256  # asked about at once: enough for full batches, and the answers of few are held

Table = np.ndarray[Any, np.dtype[np.float32]]


class Lesson(NamedTuple):
    """A document's rows, and by head the inputs they were made of."""

    rows: Sequence[Row]
    inputs: Mapping[str, Sequence[Any]]


def teachers(name: str) -> list[str]:
    """The models that teach by this name: ``"default"``, a model's folder, or the seeds in a folder, all of them."""
    return [name] if name == "default" else [str(one) for one in runs(name)] or [name]


def label(predictors: Sequence[Predictor], lessons: Sequence[Lesson], heads: Sequence[Head]) -> None:
    """Put the teachers' mean probabilities into the rows, as ``soft``; of a class one says nothing of, nothing is said.

    Raises
    ------
    ModelError
        A teacher has no head for a task.
    SettingsError
        It chooses between other classes than the student.
    """
    for teacher in predictors:
        _add(teacher, lessons, heads)
    for lesson in lessons:
        for row in lesson.rows:
            row.soft = {name: table / len(predictors) for name, table in row.soft.items()}


def _add(teacher: Predictor, lessons: Sequence[Lesson], heads: Sequence[Head]) -> None:
    theirs = {head.name: _counterpart(teacher, head) for head in heads}
    for first in range(0, len(lessons), DOCUMENTS):
        chosen = lessons[first : first + DOCUMENTS]
        requests: dict[str, list[Any]] = {one.name: [] for one in theirs.values()}
        places = []
        for lesson in chosen:
            places.append({head.name: len(requests[theirs[head.name].name]) for head in heads})
            for head in heads:
                requests[theirs[head.name].name] += lesson.inputs[head.name]
        found = teacher.predict(requests)
        for lesson, starts in zip(chosen, places, strict=True):
            for head in heads:
                start, count = starts[head.name], len(lesson.inputs[head.name])
                answers = found[theirs[head.name].name][start : start + count]
                for row in lesson.rows:
                    if head.name in row.encoded:
                        _, encoded = row.encoded[head.name]
                        table = _table(encoded, answers, head, theirs[head.name])
                        row.soft[head.name] = row.soft[head.name] + table if head.name in row.soft else table


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

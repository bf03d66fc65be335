"""Classification of sentences or documents: a text in, one class out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from relatome import sentences
from relatome.documents import Document, Label
from relatome.tasks.example import Encoded, Example, Head, Logits, Prediction, Sentence, softmax
from relatome.wordpieces import Window

HEADS = ("label",)
SCORER = "classification"

Targets = np.ndarray[Any, np.dtype[np.int64]]


def inputs(document: Document) -> Iterator[Sentence]:
    """The document's sentences."""
    for number, (start, end) in enumerate(sentences.of(document)):
        yield Sentence(f"{document.id}#{number}", document.id, document.text[start:end], start)


def examples(document: Document, head: Head) -> Iterator[Example[Sentence, str]]:
    """The ranges the document has a label for, under the head's name; the range judged is the label's own."""
    labels = [label for label in document.labels if label.name == head.name]
    for number, label in enumerate(labels):
        identifier = document.id if len(labels) == 1 else f"{document.id}#{number}"
        text = document.text[label.start : label.end]
        yield Example(Sentence(identifier, document.id, text, label.start), label.value)


def encode(windows: Sequence[Sequence[Window]], batch: Sequence[Sentence], head: Head) -> Iterator[Encoded]:
    """Every window of every text; ``windows[i]`` are those of ``batch[i]``."""
    for index, cuts in enumerate(windows):
        for window in cuts:
            yield Encoded(window, (index,))


def targets(encoded: Encoded, golds: Sequence[str], head: Head) -> Targets:
    """``(1,)`` the class of the window's text."""
    return np.asarray([head.labels.index(golds[encoded.inputs[0]])], dtype=np.int64)


def decode(
    batch: Sequence[Sentence], encoded: Sequence[Encoded], logits: Sequence[Logits], head: Head
) -> list[Prediction]:
    """One prediction for each text; ``logits[k]`` is ``(C,)``. Windows are averaged by their number of pieces."""
    sums = np.zeros((len(batch), len(head.labels)), dtype=np.float64)
    weights = np.zeros(len(batch))
    counts = np.zeros(len(batch), dtype=int)
    for item, scores in zip(encoded, logits, strict=True):
        index = item.inputs[0]
        sums[index] += softmax(scores.reshape(-1)) * len(item.window)
        weights[index] += len(item.window)
        counts[index] += 1
    probabilities = sums / weights[:, None]
    return [
        Prediction(
            text.id,
            head.labels[int(row.argmax())],
            {label: round(float(p), 4) for label, p in zip(head.labels, row, strict=True)},
            int(count),
        )
        for text, row, count in zip(batch, probabilities, counts, strict=True)
    ]


def attach(
    document: Document, batch: Iterable[Sentence], predictions: Iterable[Prediction], name: str, source: str = ""
) -> Document:
    """The document with a label for each text judged, added to those of other names."""
    labels = [label for label in document.labels if label.name != name]
    for text, prediction in zip(batch, predictions, strict=True):
        value = str(prediction.value)
        end = text.start + len(text.text)
        labels.append(Label(name, value, text.start, end, prediction.probabilities[value], source))
    return replace(document, labels=tuple(labels))

"""Named-entity recognition: a sentence in, typed spans out.

Each word's first piece carries the word's tag, as in BioBERT (Lee et al. 2020, section 3.3). A mention that begins or
ends inside a word takes the whole word (``unaligned`` counts them). The decoder finds the best tag sequence in which
an I follows a B or I of its own type. Two heads:

``tags``
    BIO over all of the head's types at once, as ``AutoModelForTokenClassification`` reads it. Of overlapping mentions
    it can hold one.
``layers``
    BIO for each type on its own, so that a chemical inside a gene (*serotonin* in *serotonin transporter*) is both: in
    ChemProt one chemical in nine overlaps a gene, and a flat tagger cannot find it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from relatome import sentences
from relatome.documents import Document, Mention
from relatome.tasks.example import Encoded, Example, Head, Logits, Prediction, Sentence, TypedSpan, softmax
from relatome.wordpieces import Window

HEADS = ("tags", "layers")
SCORER = "ner"
IGNORED = -100  # torch's own value for "no loss here"

Targets = np.ndarray[Any, np.dtype[np.int64]]


def inputs(document: Document) -> Iterator[Sentence]:
    """The document's sentences."""
    for number, (start, end) in enumerate(sentences.of(document)):
        yield Sentence(f"{document.id}#{number}", document.id, document.text[start:end], start)


def examples(document: Document, head: Head) -> Iterator[Example[Sentence, tuple[TypedSpan, ...]]]:
    """The document's sentences with their gold spans of the head's types, in the sentence's coordinates.

    Of mentions that overlap, the longest counts (BIO cannot hold both; ``layers`` can, of two types); a mention cut by a sentence boundary counts in
    no sentence. Discontinuous mentions count as their hull.
    """
    gold = sorted((m for m in document.mentions if m.type in head.labels), key=lambda m: (m.start - m.end, m.start))
    taken: list[Mention] = []
    for mention in gold:
        rivals = taken if head.kind == "tags" else [other for other in taken if other.type == mention.type]
        if all(mention.end <= other.start or mention.start >= other.end for other in rivals):
            taken.append(mention)
    taken.sort(key=lambda mention: mention.start)
    for sentence in inputs(document):
        end = sentence.start + len(sentence.text)
        inside = [m for m in taken if sentence.start <= m.start and m.end <= end]
        spans = tuple(TypedSpan(m.start - sentence.start, m.end - sentence.start, m.type) for m in inside)
        yield Example(sentence, spans)


def encode(windows: Sequence[Sequence[Window]], batch: Sequence[Sentence], head: Head) -> Iterator[Encoded]:
    """Every window of every sentence; ``windows[i]`` are those of ``batch[i]``."""
    for index, cuts in enumerate(windows):
        for window in cuts:
            yield Encoded(window, (index,))


def targets(encoded: Encoded, golds: Sequence[tuple[TypedSpan, ...]], head: Head) -> Targets:
    """The tag of each word's first piece, else `IGNORED`.

    ``tags``: ``(T,)``, 0 is O, 2t+1 is B and 2t+2 is I of type t. ``layers``: ``(T, types)``, O, B, I are 0, 1, 2.
    """
    spans = golds[encoded.inputs[0]]
    if head.kind == "layers":
        by_type = [[(span, 0) for span in spans if span.type == name] for name in head.labels]
        return np.stack([_tagged(encoded.window, mine) for mine in by_type], axis=1)
    return _tagged(encoded.window, [(span, head.labels.index(span.type)) for span in spans])


def _tagged(window: Window, spans: Sequence[tuple[TypedSpan, int]]) -> Targets:
    tags = np.full(len(window), IGNORED, dtype=np.int64)
    firsts = _firsts(window)
    tags[firsts] = 0
    for span, kind in spans:
        # by word, not by piece: a mention may begin after the first piece of its first word
        covered = (window.starts < span.end) & (window.ends > span.start) & (window.starts >= 0)
        words = set(window.words[covered].tolist())
        inside = [int(i) for i in firsts if int(window.words[i]) in words]
        for order, index in enumerate(inside):
            begins = order == 0 and not (window.index > 0 and window.starts[index] > span.start)
            tags[index] = 2 * kind + (1 if begins else 2)
    return tags


def decode(
    batch: Sequence[Sentence], encoded: Sequence[Encoded], logits: Sequence[Logits], head: Head
) -> list[Prediction]:
    """One prediction for each sentence; ``logits[k]`` is ``(T, C)`` for ``encoded[k]``.

    Where windows overlap, each word is read in the window in which it has the most context on its poorer side.
    """
    per_sentence: list[list[int]] = [[] for _ in batch]
    for number, item in enumerate(encoded):
        per_sentence[item.inputs[0]].append(number)
    predictions = []
    for sentence, numbers in zip(batch, per_sentence, strict=True):
        starts, ends, scores = _words([encoded[n].window for n in numbers], [logits[n] for n in numbers])
        if head.kind == "layers":
            layers = (_spans(starts, ends, scores[:, 3 * k : 3 * k + 3], [name]) for k, name in enumerate(head.labels))
            spans = tuple(sorted(span for layer in layers for span in layer))
        else:
            spans = _spans(starts, ends, scores, head.labels)
        predictions.append(Prediction(sentence.id, spans, windows=len(numbers)))
    return predictions


def mentions(
    document: Document, sentence: Sentence, prediction: Prediction, number: int = 1, source: str = ""
) -> list[Mention]:
    """A sentence's spans as mentions of its document, with ids ``T<number>`` and up."""
    found = []
    for offset, span in enumerate(prediction.value):
        assert isinstance(span, TypedSpan)
        start, end = span.start + sentence.start, span.end + sentence.start
        text = document.text[start:end]
        found.append(Mention(f"T{number + offset}", start, end, span.type, text, (), (), span.probability, source))
    return found


def attach(
    document: Document, batch: Iterable[Sentence], predictions: Iterable[Prediction], source: str = ""
) -> Document:
    """The document with the spans found as its mentions (in place of those it had, and of their relations)."""
    found: list[Mention] = []
    for sentence, prediction in zip(batch, predictions, strict=True):
        found += mentions(document, sentence, prediction, len(found) + 1, source)
    return replace(document, mentions=tuple(found), relations=())


def unaligned(document: Document, windows: Sequence[Sequence[Window]], types: Collection[str]) -> int:
    """How many gold mentions begin or end inside a word, or are cut by a sentence boundary: lost to exact match."""
    lost = 0
    bounds = sentences.of(document)
    for mention in document.mentions:
        if mention.type not in types:
            continue
        exact = False
        for (start, _), cuts in zip(bounds, windows, strict=True):
            for window in cuts:
                firsts = _firsts(window)
                lasts = np.concatenate((firsts[1:] - 1, [len(window) - 2])) if len(firsts) else firsts
                exact |= bool(
                    (window.starts[firsts] == mention.start - start).any()
                    and (window.ends[lasts] == mention.end - start).any()
                )
        lost += not exact
    return lost


def _firsts(window: Window) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Indices of the first piece of each word."""
    words = window.words
    return np.flatnonzero((words >= 0) & (words != np.concatenate(([-2], words[:-1]))))


def _words(windows: Sequence[Window], logits: Sequence[Logits]) -> tuple[list[int], list[int], Logits]:
    """Each word of the text once: its range and the logits of its first piece, from the window that knows it best."""
    if len(windows) == 1:
        firsts = _firsts(windows[0])
        lasts = np.concatenate((firsts[1:] - 1, [len(windows[0]) - 2])).astype(np.int64) if len(firsts) else firsts
        return windows[0].starts[firsts].tolist(), windows[0].ends[lasts].tolist(), logits[0][firsts]
    best: dict[int, tuple[int, int, int, Logits]] = {}
    for window, scores in zip(windows, logits, strict=True):
        firsts = _firsts(window)
        lasts = np.concatenate((firsts[1:] - 1, [len(window) - 2])) if len(firsts) else firsts
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            before = first if window.index else len(window)
            after = len(window) - last if window.index < window.count - 1 else len(window)
            context, word = min(before, after), int(window.words[first])
            if word not in best or context > best[word][0]:
                best[word] = (context, int(window.starts[first]), int(window.ends[last]), scores[first])
    ordered = [best[word] for word in sorted(best)]
    return [w[1] for w in ordered], [w[2] for w in ordered], np.stack([w[3] for w in ordered])


def _spans(starts: list[int], ends: list[int], logits: Logits, types: Sequence[str]) -> tuple[TypedSpan, ...]:
    if not starts:
        return ()
    tags = best_path(logits)
    if not tags.any():
        return ()
    probabilities = softmax(logits)
    found = []
    begin: int | None = None
    for index in range(len(tags) + 1):
        tag = int(tags[index]) if index < len(tags) else 0
        inside = tag > 0 and tag % 2 == 0
        if begin is not None and not inside:
            kind = (int(tags[begin]) - 1) // 2
            sure = probabilities[begin:index, 2 * kind + 1] + probabilities[begin:index, 2 * kind + 2]
            found.append(TypedSpan(starts[begin], ends[index - 1], types[kind], round(float(sure.min()), 4)))
            begin = None
        if tag % 2 == 1:
            begin = index
    return tuple(found)


def best_path(logits: Logits) -> Targets:
    """The likeliest tag sequence ``(T,)`` in which I-x follows B-x or I-x; ``logits`` is ``(T, C)``."""
    greedy: Targets = logits.argmax(axis=1)
    previous = np.concatenate(([0], greedy[:-1]))
    inside = (greedy > 0) & (greedy % 2 == 0)
    if not (inside & (previous != greedy) & (previous != greedy - 1)).any():
        return greedy  # the best of all sequences is a legal one
    length, classes = logits.shape
    tags = np.arange(classes)
    to_inside = (tags > 0) & (tags % 2 == 0)
    forbidden = to_inside[None, :] & (tags[:, None] != tags[None, :]) & (tags[:, None] != tags[None, :] - 1)
    step = np.where(forbidden, -np.inf, 0.0)
    score = np.where(to_inside, -np.inf, logits[0])
    back = np.zeros((length, classes), dtype=np.int64)
    for index in range(1, length):
        total = score[:, None] + step
        back[index] = total.argmax(axis=0)
        score = total.max(axis=0) + logits[index]
    path = np.empty(length, dtype=np.int64)
    path[-1] = score.argmax()
    for index in range(length - 1, 0, -1):
        path[index - 1] = back[index, path[index]]
    return path

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

A sentence is read without its neighbours, so an abbreviation may be missed far from where it is explained. What the rest
of the document is sure of mends that: see `repeated`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
_WORD, _LETTER = re.compile(r"\w+|[^\w\s]"), re.compile(r"\w")

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


def repeated(batch: Sequence[Sentence], predictions: Sequence[Prediction], head: Head) -> list[Prediction]:
    """The predictions of a document's sentences, and every other place of a name that one of them is sure of.

    Corpora annotate a name wherever it stands, and a model that reads sentence by sentence misses some of its places. A
    name of two or more characters, found with a probability of at least ``head.repeated``, is found at its other places
    too, spelt the same, as whole words, where nothing else was found. Such a span has the probability of the surest.

    Parameters
    ----------
    batch, predictions
        All sentences of one document, and what was found in each.

    Examples
    --------
    >>> head = Head("entities", "ner", "layers", ("Disease",), repeated=0.9)
    >>> batch = [Sentence("1#0", "1", "Fabry disease (FD) is rare."), Sentence("1#1", "1", "FD was treated.", 28)]
    >>> found = [Prediction("1#0", (TypedSpan(15, 17, "Disease", 0.97),)), Prediction("1#1", ())]
    >>> [prediction.value for prediction in repeated(batch, found, head)][1]
    (TypedSpan(start=0, end=2, type='Disease', probability=0.97),)
    """
    if not head.repeated:
        return list(predictions)
    surest: dict[str, TypedSpan] = {}
    for sentence, prediction in zip(batch, predictions, strict=True):
        for span in _found(prediction):
            name, sure = sentence.text[span.start : span.end], span.probability or 0.0
            known = surest.get(name)
            if sure >= head.repeated and span.end - span.start > 1 and (not known or sure > (known.probability or 0.0)):
                surest[name] = span
    names: dict[str, list[str]] = {}  # by their first word, the longest first
    for name in sorted(surest, key=lambda name: (-len(name), name)):
        if first := _WORD.match(name):
            names.setdefault(first.group(), []).append(name)
    every = []
    for sentence, prediction in zip(batch, predictions, strict=True):
        spans = list(_found(prediction))
        taken = {place for span in spans for place in range(span.start, span.end)}
        for start, name in _places(sentence.text, names):
            if taken.isdisjoint(range(start, start + len(name))):
                taken.update(range(start, start + len(name)))
                spans.append(surest[name]._replace(start=start, end=start + len(name)))
        every.append(
            prediction if len(spans) == len(prediction.value) else replace(prediction, value=tuple(sorted(spans)))
        )
    return every


def _found(prediction: Prediction) -> Iterator[TypedSpan]:
    for span in prediction.value:
        assert isinstance(span, TypedSpan)
        yield span


def _places(text: str, names: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, str]]:
    """Where names stand as whole words, from left to right, the longest first."""
    for word in _WORD.finditer(text):
        start = word.start()
        for name in names.get(word.group(), ()):
            around = text[max(start - 1, 0) : start] + text[start + len(name) : start + len(name) + 1]
            if text.startswith(name, start) and not _LETTER.search(around):
                yield start, name


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

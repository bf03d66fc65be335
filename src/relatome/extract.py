"""Documents in, documents out: entities, then relations between them, and labels of sentences, in one pass of the text.

The encoder reads each sentence once. Entities and sentence labels come from that pass; the pairs of the entities found
are asked about with what the encoder remembers of the sentence (`predictors.neural.Memory`), not by reading it again.
Documents stream: memory does not grow with their number, and a document with nothing in it still comes out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice

from relatome import concepts, negation
from relatome.documents import Document, Mention
from relatome.errors import ModelError
from relatome.predictors.neural import Memory, NeuralPredictor
from relatome.tasks import classification, concept_pairs, ner, pairs, relation
from relatome.tasks.example import Head, Pair, Prediction, Sentence

MOST_PAIRS = 1000  # of one sentence: real ones have up to a few hundred; a crowd of 200 mentions has 20,000
CHUNK = 12_000  # characters read between two clearings of memory: some 3,000 pieces, 55 MB of keys and values


def extract(
    documents: Iterable[Document], predictor: NeuralPredictor, *, heads: Sequence[str] | None = None, chunk: int = CHUNK
) -> Iterator[Document]:
    """Each document with what the model finds in it, in the order given.

    Parameters
    ----------
    documents
        What they already carry of mentions and relations is replaced.
    predictor
        Relations need a model that finds entities too.
    heads
        Which of the model's heads to ask; all of them by default.
    chunk
        Characters read together; has no influence on the answers.

    Yields
    ------
    Documents whose relations carry the cues that deny or doubt them (`negation.mark`), and whose ``meta["relatome"]``
    says which model read them, in how many windows, how many pairs were dropped because no window could hold both
    mentions, and how many because theirs was a crowded sentence (`MOST_PAIRS`).

    Raises
    ------
    ModelError
        The model can only relate entities, and finds none.
    """
    asked = [head for name, head in predictor.heads.items() if heads is None or name in heads]
    if asked and all(head.task == "relation" for head in asked):
        raise ModelError(
            f"{predictor.source} relates entities but finds none",
            advice="extract needs a model that finds them, such as default; relatome predict asks about marked texts",
        )
    stream = iter(documents)
    while group := _group(stream, chunk):
        yield from _read(group, predictor, asked, chunk)
        _trim()(0)


@cache
def _trim() -> Callable[[int], int]:
    """glibc's ``malloc_trim``, which gives freed memory back; elsewhere a function that does nothing.

    An engine's buffers are of another size for each batch; what lies free between them grows from chunk to chunk.
    """
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return lambda keep: 0
    return found


def _group(stream: Iterator[Document], chunk: int) -> list[Document]:
    group: list[Document] = []
    characters = 0
    while characters < chunk and len(group) < 1000 and (found := list(islice(stream, 1))):
        group += found
        characters += len(found[0].text)
    return group


def _read(
    documents: Sequence[Document], predictor: NeuralPredictor, heads: Sequence[Head], chunk: int
) -> list[Document]:
    sentences = [(index, sentence) for index, document in enumerate(documents) for sentence in ner.inputs(document)]
    mentions: list[list[Mention]] = [[] for _ in documents]
    asked: list[list[Pair]] = [[] for _ in documents]
    related: list[list[Prediction]] = [[] for _ in documents]
    labelled: dict[str, list[list[tuple[Sentence, Prediction]]]] = {
        head.name: [[] for _ in documents] for head in heads if head.task == "classification"
    }
    windows, crowded = [0] * len(documents), [0] * len(documents)
    for part in _slices(sentences, chunk):
        memory = Memory()
        texts = [sentence for _, sentence in part]
        own: list[list[Mention]] = [[] for _ in part]
        on_text = [head for head in heads if head.task != "relation"]
        found = predictor.predict({head.name: texts for head in on_text}, memory)
        for head in on_text:
            for place, ((index, sentence), prediction) in enumerate(zip(part, found[head.name], strict=True)):
                if head.task == "ner":
                    number = len(mentions[index]) + 1
                    own[place] = ner.mentions(documents[index], sentence, prediction, number, predictor.source)
                    mentions[index] += own[place]
                else:
                    labelled[head.name][index].append((sentence, prediction))
        for index, prediction in zip((i for i, _ in part), found[on_text[0].name] if on_text else [], strict=False):
            windows[index] += prediction.windows
        for head in heads:
            if head.task != "relation" or head.kind == "document":
                continue
            found_pairs = []
            for (index, sentence), inside in zip(part, own, strict=True):
                nearest, left_out = pairs.nearest(pairs.of_sentence(sentence, inside, head), MOST_PAIRS)
                found_pairs += [(index, pair) for pair in nearest]
                crowded[index] += left_out
            if found_pairs:
                answers = predictor.predict({head.name: [pair for _, pair in found_pairs]}, memory)[head.name]
                for (index, pair), answer in zip(found_pairs, answers, strict=True):
                    asked[index].append(pair)
                    related[index].append(answer)
    for head in heads:
        if head.task == "relation" and head.options.sentences:  # another text: what is remembered does not help
            _across(documents, sentences, mentions, predictor, head, asked, related, crowded)
    results = []
    symmetric = {label for head in heads for label in head.options.symmetric}
    for index, document in enumerate(documents):
        result = replace(document, mentions=tuple(mentions[index]), relations=())
        result = relation.attach(result, asked[index], related[index], predictor.source, symmetric)
        for head in heads:
            if head.kind == "document":
                result, left_out = _between_concepts(result, predictor, head)
                crowded[index] += left_out
        result = negation.mark(result)
        for name, answered in labelled.items():
            result = classification.attach(
                result, [s for s, _ in answered[index]], [p for _, p in answered[index]], name, predictor.source
            )
        facts = {
            "model": predictor.source,
            "windows": windows[index],
            "dropped": sum(p.dropped for p in related[index]),
            "crowded": crowded[index],
        }
        results.append(replace(result, meta={**document.meta, "relatome": facts}))
    return results


def _across(
    documents: Sequence[Document],
    sentences: Sequence[tuple[int, Sentence]],
    mentions: Sequence[Sequence[Mention]],
    predictor: NeuralPredictor,
    head: Head,
    asked: Sequence[list[Pair]],
    related: Sequence[list[Prediction]],
    crowded: list[int],
) -> None:
    """Ask about the pairs across sentences, and add to what was asked and answered of each document."""
    read: list[list[Sentence]] = [[] for _ in documents]
    for index, sentence in sentences:
        read[index].append(sentence)
    for index, document in enumerate(documents):
        found = []
        for every in pairs.across(document.text, read[index], mentions[index], head):
            near, left_out = pairs.nearest(every, MOST_PAIRS)
            found += near
            crowded[index] += left_out
        if found:
            asked[index].extend(found)
            related[index].extend(predictor.predict({head.name: found})[head.name])


def _between_concepts(document: Document, predictor: NeuralPredictor, head: Head) -> tuple[Document, int]:
    """The document with its relations between concepts; and how many pairs of a crowd of concepts were not asked about.

    Its mentions get ids made from their names, because none can be had from a text (`concepts.named`).
    """
    named = concepts.named(document)
    asked = list(islice(concept_pairs.candidates(named, head), MOST_PAIRS))
    left_out = 0
    if len(asked) == MOST_PAIRS:
        left_out = sum(1 for _ in concept_pairs.candidates(named, head)) - MOST_PAIRS
    answers = predictor.predict({head.name: asked})[head.name]
    return concept_pairs.attach(named, asked, answers, predictor.source), left_out


def _slices(sentences: Sequence[tuple[int, Sentence]], chunk: int) -> Iterator[list[tuple[int, Sentence]]]:
    part: list[tuple[int, Sentence]] = []
    characters = 0
    for item in sentences:
        part.append(item)
        characters += len(item[1].text)
        if characters >= chunk:
            yield part
            part, characters = [], 0
    if part:
        yield part

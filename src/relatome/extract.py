"""Documents in, documents out: entities, then relations between them, and labels of sentences, in one pass of the text.

The encoder reads each sentence once. Entities and sentence labels come from that pass; the pairs of the entities found
are asked about with what the encoder remembers of the sentence (`predictors.neural.Memory`), not by reading it again.
Documents stream: memory does not grow with their number, and a document with nothing in it still comes out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    for group in _groups(documents, chunk):
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


def _groups(documents: Iterable[Document], chunk: int) -> Iterator[list[Document]]:
    """Documents to be read together: no more than a chunk, or one that is longer."""
    group: list[Document] = []
    characters = 0
    for document in documents:
        if group and (characters + len(document.text) > chunk or len(group) == 1000):
            yield group
            group, characters = [], 0
        group.append(document)
        characters += len(document.text)
    if group:
        yield group


def _read(
    documents: Sequence[Document], predictor: NeuralPredictor, heads: Sequence[Head], chunk: int
) -> list[Document]:
    texts = [tuple(ner.inputs(document)) for document in documents]
    parts = list(_parts(texts, chunk))
    found, memory = _of_sentences(texts, parts, predictor, [head for head in heads if head.task != "relation"])
    mentions, inside = _mentions(documents, texts, found, predictor, heads)
    asked: list[list[Pair]] = [[] for _ in documents]
    related: list[list[Prediction]] = [[] for _ in documents]
    crowded = [0] * len(documents)

    def ask(pairs_of: Sequence[tuple[int, Iterable[Pair]]], head: Head, memory: Memory | None) -> None:
        chosen = []
        for index, every in pairs_of:
            nearest, left_out = pairs.nearest(every, MOST_PAIRS)
            chosen += [(index, pair) for pair in nearest]
            crowded[index] += left_out
        answers = predictor.predict({head.name: [pair for _, pair in chosen]}, memory)[head.name] if chosen else []
        for (index, pair), answer in zip(chosen, answers, strict=True):
            asked[index].append(pair)
            related[index].append(answer)

    for part in parts:
        if len(parts) > 1:  # of a long document only the last part is remembered, and it is the first one's turn
            memory = Memory()
        for head in heads:
            if head.task == "relation" and head.kind != "document":
                within = [(i, pairs.of_sentence(texts[i][place], inside[i][place], head)) for i, place in part]
                ask(within, head, memory)
    for head in heads:
        if head.task == "relation" and head.options.sentences:  # another text: what is remembered does not help
            for index, document in enumerate(documents):
                across = pairs.across(document.text, texts[index], mentions[index], head)
                ask([(index, every) for every in across], head, None)
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
        for head in heads:
            if head.task == "classification":
                result = classification.attach(
                    result, texts[index], found[index][head.name], head.name, predictor.source
                )
        first = next(iter(found[index].values()), [])
        facts = {
            "model": predictor.source,
            "windows": sum(prediction.windows for prediction in first),
            "dropped": sum(p.dropped for p in related[index]),
            "crowded": crowded[index],
        }
        results.append(replace(result, meta={**document.meta, "relatome": facts}))
    return results


def _parts(texts: Sequence[Sequence[Sentence]], chunk: int) -> Iterator[list[tuple[int, int]]]:
    """Which sentences, by document and place in it, are read together."""
    part: list[tuple[int, int]] = []
    characters = 0
    for index, read in enumerate(texts):
        for place, sentence in enumerate(read):
            part.append((index, place))
            characters += len(sentence.text)
            if characters >= chunk:
                yield part
                part, characters = [], 0
    if part:
        yield part


def _of_sentences(
    texts: Sequence[Sequence[Sentence]], parts: Sequence[Sequence[tuple[int, int]]], predictor: NeuralPredictor,
    heads: Sequence[Head],
) -> tuple[list[dict[str, list[Prediction]]], Memory]:  # fmt: skip
    """Of each document, by head, what is predicted of its sentences; and what is remembered of the last part."""
    found: list[dict[str, list[Prediction]]] = [{head.name: [] for head in heads} for _ in texts]
    memory = Memory()
    for part in parts:
        memory = Memory()
        sentences = [texts[index][place] for index, place in part]
        answers = predictor.predict({head.name: sentences for head in heads}, memory)
        for head in heads:
            for (index, _), prediction in zip(part, answers[head.name], strict=True):
                found[index][head.name].append(prediction)
    for read, predictions in zip(texts, found, strict=True):
        for head in heads:
            if head.task == "ner":
                predictions[head.name] = ner.repeated(read, predictions[head.name], head)
    return found, memory


def _mentions(
    documents: Sequence[Document], texts: Sequence[Sequence[Sentence]],
    found: Sequence[Mapping[str, Sequence[Prediction]]], predictor: NeuralPredictor, heads: Sequence[Head],
) -> tuple[list[list[Mention]], list[list[list[Mention]]]]:  # fmt: skip
    """The mentions of each document, and again by sentence."""
    mentions: list[list[Mention]] = [[] for _ in documents]
    inside: list[list[list[Mention]]] = [[[] for _ in read] for read in texts]
    finders = [head for head in heads if head.task == "ner"]
    for index, (document, read) in enumerate(zip(documents, texts, strict=True)):
        for place, sentence in enumerate(read):
            for head in finders:
                number, prediction = len(mentions[index]) + 1, found[index][head.name][place]
                new = ner.mentions(document, sentence, prediction, number, predictor.source)
                mentions[index] += new
                inside[index][place] += new
    return mentions, inside


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

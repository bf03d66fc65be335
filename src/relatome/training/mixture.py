"""What is learned from: the documents of several corpora as rows, each with the targets of every head it teaches.

The sentence of a corpus that has both entities and relations is one row with both targets: one pass learns both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import tee
from typing import Any

import numpy as np

from relatome import corpora
from relatome.batches import Row, encode
from relatome.corpora.card import Card
from relatome.corpora.held_out import HeldOut
from relatome.documents import Document
from relatome.errors import SettingsError
from relatome.tasks import LEARNED, ner, pairs
from relatome.tasks.example import NEGATIVE, Head, Options
from relatome.tasks.ner import IGNORED
from relatome.training import distil
from relatome.training.distil import Lesson
from relatome.training.settings import CARD, DataSettings, HeadSettings, Settings
from relatome.wordpieces import WordPieces

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Targets = np.ndarray[Any, np.dtype[np.int64]]
Counts = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(slots=True)
class Mixture:
    """Rows of every corpus, and what was left out on the way.

    Parameters
    ----------
    rows
        By corpus, in the order of the settings.
    annotated
        By source (a corpus; of a merged one, the rows with the same unjudged labels) and head, ``(C,)``: which classes
        it annotates exhaustively.
    counts
        For the log and the model card: documents, rows, examples, what was dropped and why.
    taught
        By source, the settings of the corpus, where a teacher's probabilities are learned for its rows.
    labels
        By head, the labels that some training example has.
    """

    rows: list[list[Row]]
    annotated: dict[tuple[str, str], Mask]
    counts: dict[str, Any] = field(default_factory=dict)
    taught: dict[str, DataSettings] = field(default_factory=dict)
    labels: dict[str, set[str]] = field(default_factory=dict)


def heads(settings: Settings) -> tuple[Head, ...]:
    """The heads of a run, with labels from the cards of the corpora that teach them.

    Raises
    ------
    CorpusError
        A corpus is raw text, which teaches only what needs no gold.
    """
    tasks = {wanted.name: wanted.task for wanted in settings.heads}
    for item in settings.data:
        if any(tasks[name] != "pretraining" for name in item.heads):
            _card(item).task()  # raw text is refused by that name, before its splits are looked for
    return tuple(
        _head(wanted, [_card(d) for d in settings.data if wanted.name in d.heads]) for wanted in settings.heads
    )


def frequencies(mixture: Mixture, head: str, classes: int) -> Counts:
    """``(C,)`` how many examples of each class a head is taught."""
    gold = np.concatenate([row.targets[head] for rows in mixture.rows for row in rows if head in row.targets])
    return np.bincount(gold[gold >= 0], minlength=classes).astype(np.float64)


def build(settings: Settings, asked: Sequence[Head], pieces: WordPieces, limit: int) -> Mixture:
    """Read the corpora, leave out what no model may see, and encode.

    Raises
    ------
    CorpusError, SettingsError
        A corpus's files are absent, or a corpus teaches nothing.
    """
    held_out = HeldOut.load()
    mixture = Mixture([], {})
    table = {head.name: head for head in asked}
    titles: Counter[str] = Counter()
    for item in settings.data:
        taught = [table[name] for name in item.heads]
        card, exhaustive = _card(item), _exhaustive(item)
        rows, lessons, seen = [], [], {"documents": 0, "rows": 0, **{f"{head.name} examples": 0 for head in taught}}
        found = documents(item, held_out)
        untaught: dict[str, frozenset[str]] = {}
        if any(head.options.negatives != "all" for head in taught):
            found, again = tee(found)
            untaught = _negatives(list(again), taught, settings.seed, seen)
        for document in found:
            seen["documents"] += 1
            unjudged = tuple(document.meta.get("unjudged", ()))  # a merged corpus: labels this row cannot deny
            name = f"{card.name} ({', '.join(item.types)})" if item.types else card.name
            source = f"{name} but {', '.join(unjudged)}" if unjudged else name
            if item.teacher:
                source += f" as {item.teacher} reads it"
                mixture.taught[source] = item
            for head in taught:
                if (source, head.name) not in mixture.annotated:
                    mixture.annotated[source, head.name] = annotated(card, head, unjudged, exhaustive)
            lessons.append(_lesson(document, taught, pieces, limit, seen, untaught, mixture.labels))
            for row in lessons[-1].rows:
                row.source, row.document = source, document.id
                for head in taught:
                    if head.kind == "layers" and head.name in row.targets:
                        row.targets[head.name][:, [name not in exhaustive for name in head.labels]] = ner.IGNORED
                    if head.multilabel and head.name in row.targets:
                        _unjudged(row.targets[head.name], _judged(card, head, unjudged))
                rows.append(row)
        seen["rows"] = len(rows)
        if not rows:
            raise SettingsError([f"data {item.corpus!r}: split {item.split!r} has nothing for {', '.join(item.heads)}"])
        mixture.rows.append(rows)
        title = f"{card.name} {item.split}"
        if item.sources:
            title += f" of {', '.join(item.sources)}"
        if item.teacher:
            sources = distil.label(distil.teachers(item.teacher), lessons, taught)
            title += f", taught by {' and '.join(sources)}"
        titles[title] += 1  # tables of one split, with types or weights of their own
        mixture.counts[f"{title}, table {titles[title]}" if titles[title] > 1 else title] = seen
    mixture.counts["left out"] = held_out.counts
    return mixture


def documents(item: DataSettings, held_out: HeldOut) -> Iterator[Document]:
    """A corpus's training documents without those that no model may see."""
    corpus = corpora.load(item.corpus)
    found = corpus.documents(item.split, protocol=item.protocol or None)
    if item.sources:
        wanted = [corpus.source(name) for name in item.sources]
        found = (document for document in found if document.meta["corpus"] in wanted)
    protocol = corpus.protocol(item.protocol or None)
    other = protocol.leaks or protocol.name != corpus.card.protocol  # its test rows are not those of the default
    yield from held_out.keep(found, corpus=corpus.card.name, leaks=other, ids=corpus.card.ids)


def dev_documents(item: DataSettings) -> Iterator[Document]:
    """What a corpus is scored on during training."""
    return corpora.load(item.corpus).documents(item.dev, protocol=item.protocol or None)


def annotated(card: Card, head: Head, unjudged: Sequence[str] = (), exhaustive: Collection[str] | None = None) -> Mask:
    """``(C,)``: the classes whose absence in this corpus means something; the negative class always does.

    ``unjudged`` are labels of the card that a document of it cannot deny; ``exhaustive`` are the entity types that it
    can, where those are not all of the card's.
    """
    if head.kind == "layers":  # a layer that is not annotated has no targets at all
        return np.ones(3, dtype=bool)
    if head.kind == "tags":
        known_types = card.exhaustive if exhaustive is None else exhaustive
        return np.asarray([True] + [name in known_types for name in head.labels for _ in "BI"])
    if head.multilabel:  # likewise a label that is a yes or no of its own
        return np.ones(2, dtype=bool)
    if head.task == "relation":
        return _judged(card, head, unjudged)
    return np.ones(len(head.labels), dtype=bool)


def _judged(card: Card, head: Head, unjudged: Sequence[str]) -> Mask:
    """``(C,)``: the labels of relations that this corpus can deny."""
    known = set(card.relations) - set(unjudged)
    return np.asarray([label == NEGATIVE or label in known for label in head.labels])


def _unjudged(targets: Targets, judged: Mask) -> None:
    """Leave out, in place, what a corpus cannot say of pairs of several labels: others hold, so none is none."""
    if not judged.all():
        negative = targets[:, 0] == 1
        targets[negative, 0] = IGNORED
    targets[:, ~judged] = IGNORED


def _negatives(
    found: Sequence[Document], taught: Sequence[Head], seed: int, seen: dict[str, int]
) -> dict[str, frozenset[str]]:
    """By head, the pairs without a relation that are not taught."""
    left: dict[str, frozenset[str]] = {}
    for head in taught:
        if head.options.negatives != "all":
            examples = (one for document in found for one in LEARNED[head.task].examples(document, head))
            left[head.name] = pairs.left_out(examples, head.options, seed=seed)
            seen[f"{head.name} pairs without a relation that are not taught"] = len(left[head.name])
    return left


def _lesson(
    document: Document,
    taught: Sequence[Head],
    pieces: WordPieces,
    limit: int,
    seen: dict[str, int],
    untaught: Mapping[str, Collection[str]],
    labels: dict[str, set[str]],
) -> Lesson:
    examples = {
        head.name: [
            one
            for one in LEARNED[head.task].examples(document, head)
            if one.input.id not in untaught.get(head.name, ())
        ]
        for head in taught
    }
    inputs = {name: [example.input for example in found] for name, found in examples.items()}
    rows, asked = encode([(head, inputs[head.name]) for head in taught], pieces, limit=limit)
    for head in taught:
        if outside := sum(one.dropped for one in asked[head.name]):
            name = f"{head.name} examples not taught, for a mention is outside the window"
            seen[name] = seen.get(name, 0) + outside
        for one in examples[head.name]:
            labels.setdefault(head.name, set()).update(_labels(one.gold))
        golds = [example.gold for example in examples[head.name]]
        seen[f"{head.name} examples"] += len(golds)
        task = LEARNED[head.task]
        for row in rows:
            if head.name in row.encoded:
                _, encoded = row.encoded[head.name]
                row.targets[head.name] = task.targets(encoded, golds, head)
                if head.task == "relation":
                    fits = task.legal_labels(encoded, inputs[head.name], head)
                    if not head.multilabel:
                        row.legal[head.name] = fits
                    lost = _untaught(row.targets[head.name], fits)
                    if lost:
                        name = f"{head.name} examples whose label the card does not allow between their types"
                        seen[name] = seen.get(name, 0) + lost
    return Lesson(rows, inputs)


def _labels(gold: Any) -> set[str]:
    """The labels of an example: its own, its several, or those of its spans."""
    if isinstance(gold, str):
        return {gold}
    return {one if isinstance(one, str) else one.type for one in gold}


def one_sided(mixture: Mixture, asked: Sequence[Head]) -> list[str]:
    """The heads that cannot learn to tell anything apart: all their examples say the same."""
    problems = []
    for head in (one for one in asked if one.task != "pretraining"):
        found = mixture.labels.get(head.name, set())
        if head.task == "ner" and not found:
            problems.append(f"heads {head.name!r}: no training text has a mention of {', '.join(head.labels)}")
        elif head.task != "ner" and len(found) < 2 and not (head.multilabel or head.kind == "document"):
            every = next(iter(found), "nothing")
            problems.append(
                f"heads {head.name!r}: every training example is {every!r}, so there is nothing to tell apart"
            )
    return problems


def unseen(mixture: Mixture, settings: Settings, asked: Sequence[Head]) -> Iterator[tuple[str, dict[str, int]]]:
    """By corpus, what its dev has that train lacks: examples that will be scored, and that the network gets wrong."""
    table = {head.name: head for head in asked}
    for item in settings.data:
        seen: dict[str, int] = {}
        found = corpora.load(item.corpus).documents(item.dev, protocol=item.protocol or None) if item.dev else ()
        for document in found:
            for head in (table[name] for name in item.heads):
                for one in LEARNED[head.task].examples(document, head):
                    for label in sorted(_labels(one.gold) - mixture.labels.get(head.name, set())):
                        name = f"{head.name} examples of {label}, which train lacks and dev counts as missed"
                        seen[name] = seen.get(name, 0) + 1
        if seen:
            yield f"{_card(item).name} {item.dev}", seen


def _untaught(targets: Targets, legal: Mask) -> int:
    """Leave out, in place, gold that has no probability to learn; how many there were."""
    if targets.ndim == 2:  # a label that may not hold is asked about by nobody
        lost = ~legal & (targets == 1)
        targets[~legal] = IGNORED
        return int(lost.any(axis=1).sum())
    lost = ~legal[np.arange(len(targets)), targets]
    targets[lost] = IGNORED
    return int(lost.sum())


def _head(wanted: HeadSettings, cards: Sequence[Card]) -> Head:
    kind = wanted.kind or str(LEARNED[wanted.task].HEADS[0])
    if wanted.task == "ner":
        labels = wanted.labels or tuple(dict.fromkeys(name for card in cards for name in card.exhaustive))
        return Head(wanted.name, "ner", kind, labels, repeated=wanted.repeated)
    if wanted.task == "relation":
        types = {name: (card, relation) for card in cards for name, relation in card.relations.items()}
        labels = wanted.labels or (NEGATIVE, *types)
        listed = {name: relation.arguments for name, (_, relation) in types.items() if name in labels}
        groups = {name: card.groups[name] for name, (card, _) in types.items() if name in labels}
        options = _options(wanted, labels, [name for name, (_, relation) in types.items() if relation.symmetric])
        arguments = pairs.arguments(_whitelisted(wanted, labels, listed), options)
        return Head(wanted.name, "relation", kind, labels, arguments, groups, options)
    if wanted.task == "pretraining":
        return Head(wanted.name, "pretraining", kind, ())
    found = tuple(dict.fromkeys(v for c in cards if wanted.name in c.labels for v in c.labels[wanted.name].values))
    if not (wanted.labels or found):
        known = sorted({name for card in cards for name in card.labels})
        raise SettingsError([f"heads {wanted.name!r}: no corpus has labels of this name, known: {', '.join(known)}"])
    return Head(wanted.name, "classification", kind, wanted.labels or found)


def _options(wanted: HeadSettings, labels: Sequence[str], by_card: Sequence[str]) -> Options:
    """The head's options, their symmetric labels by name."""
    named = [label for one in wanted.symmetric for label in (by_card if one == CARD else (one,))]
    _known(wanted, "symmetric", [one for one in wanted.symmetric if one != CARD], labels)
    return Options(
        markers=wanted.markers, pooling=wanted.pooling, closing=wanted.closing, direction=wanted.direction,
        symmetric=tuple(label for label in labels if label in named), choice=wanted.choice,
        negatives=wanted.negatives, negative_ratio=wanted.negative_ratio, sentences=wanted.sentences,
    )  # fmt: skip


def _whitelisted(
    wanted: HeadSettings, labels: Sequence[str], listed: Mapping[str, pairs.Types]
) -> Mapping[str, pairs.Types]:
    """The type pairs of each label: the run's own, where it has some for the label, else the cards'."""
    if not wanted.pairs:
        return listed
    _known(wanted, "pairs", [one[0] for one in wanted.pairs if len(one) == 3], labels)
    for_all = tuple((one[0], one[1]) for one in wanted.pairs if len(one) == 2)
    found: dict[str, pairs.Types] = {}
    for label in labels:
        own = tuple((one[1], one[2]) for one in wanted.pairs if len(one) == 3 and one[0] == label)
        if label != NEGATIVE and (types := own or for_all or listed.get(label, ())):
            found[label] = types
    return found


def _known(wanted: HeadSettings, option: str, named: Sequence[str], labels: Sequence[str]) -> None:
    unknown = [name for name in named if name not in labels]
    if unknown:
        known = ", ".join(labels)
        raise SettingsError([f"heads {wanted.name!r}: {option} names {unknown[0]!r}, which is no label of it: {known}"])


def _exhaustive(item: DataSettings) -> frozenset[str]:
    """The entity types whose absence in a text of this corpus means something to this run."""
    known = _card(item).exhaustive
    unknown = [name for name in item.types if name not in known]
    if unknown:
        advice = f"it annotates exhaustively: {', '.join(known) or 'none'}"
        raise SettingsError([f"data {item.corpus!r}: {unknown[0]!r} cannot be learned from it; {advice}"])
    return frozenset(item.types or known)


def _card(item: DataSettings) -> Card:
    return corpora.load(item.corpus).card

"""Relation extraction: an ordered pair of mentions of one sentence in, a typed relation or none out.

Two heads read the same pairs (a third, ``document``, relates concepts across sentences: see ``concept_pairs.py``):

``packed``
    Every pair of a window in one pass: the text once, then each pair's ``[E1] [/E1] [E2] [/E2]``, which share the
    positions of the mentions they mark, see the text and each other, and are seen by no one else (the approximation
    of PURE, Zhong & Chen 2021, section 3.4, with all subjects in one pass). The text is read as if no pair was there,
    so its states serve the entity and sentence heads of the same pass.
``marker``
    One pair a pass, the four markers set into the text around its mentions, by offset. This is what plain
    ``AutoModelForSequenceClassification`` checkpoints read: as four pieces where their vocabulary has the markers,
    else spelled, as their tokenizer reads any text.

Instead of plain markers there can be typed ones, ``[E1:Chemical]``, or for ``marker`` none, the mentions being replaced by
their types, ``@CHEMICAL$``, for the encoder alone: offsets stay those of the text.

A pair that a symmetric label could hold between is read in both orders, whichever of them is asked about: the label's
probability is the mean of the two, and so the same for both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from relatome.documents import Document, Relation, Span
from relatome.errors import MarkerError
from relatome.tasks import concept_pairs
from relatome.tasks.example import NEGATIVE, Argument, Encoded, Example, Head, Logits, Pair, Prediction, Sentence
from relatome.tasks.example import softmax as _softmax
from relatome.tasks.pairs import Facts, allowed, candidates, legal
from relatome.wordpieces import MARKER, MARKERS, Window, markers_of

HEADS = ("packed", "marker", "document")
SCORER = "relations"
_NO_MARKERS: Mapping[str, Sequence[int]] = {}
PAIRS_PER_ROW = 32  # at most 128 marker pieces: a list of forty drugs must not make a row of 6,000 pieces

Gold = str | tuple[str, ...]
Targets = np.ndarray[Any, np.dtype[np.int64]]
Located = dict[tuple[int, int, int], tuple[int, int] | None]  # by a window's id() and a range of its text
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def inputs(document: Document, head: Head) -> Iterator[Pair]:
    """The document's candidate pairs."""
    return concept_pairs.candidates(document, head) if head.kind == "document" else candidates(document, head)  # type: ignore[return-value]


def examples(document: Document, head: Head) -> Iterator[Example[Pair, Gold]]:
    """The candidate pairs with their gold label, the first where the corpus gives two; ``multilabel``: all, or none."""
    if head.kind == "document":
        yield from concept_pairs.examples(document, head)  # type: ignore[misc]
        return
    facts = Facts.of(document, head)
    for pair in candidates(document, head):
        labels = facts.labels(pair.head.id, pair.tail.id)
        yield Example(pair, labels if head.multilabel else labels[0] if labels else NEGATIVE)


def encode(
    windows: Sequence[Sequence[Window]],
    batch: Sequence[Pair],
    head: Head,
    markers: Mapping[str, Sequence[int]] = _NO_MARKERS,
) -> Iterator[Encoded]:
    """The windows the pairs are read in; ``windows[i]`` are those of ``batch[i]``'s text (see `read`).

    Where pairs are read in the other order too (see `others`), their windows may follow: those of the text otherwise.

    Parameters
    ----------
    markers
        The pieces of ``[E1] [/E1] [E2] [/E2]``, under ``""``, and of those of each type; none if the windows are those
        of `spelled` pairs. Plain ``packed`` heads need none.

    Raises
    ------
    MarkerError
        The head reads the types of mentions, and one has none.
    """
    if head.kind == "document":
        yield from concept_pairs.encode(windows, batch, head)  # type: ignore[arg-type]
        return
    readings = [(index, pair, 0) for index, pair in enumerate(batch)]
    readings += [(index, mirrored(batch[index]), 1) for index in _unasked(batch, head)]
    located: Located = {}
    if head.options.markers != "plain":
        _typed(batch)
    if head.kind == "marker":
        for place, (index, pair, mirror) in enumerate(readings):
            cut = windows[place if place < len(windows) else index]
            placed = _place(cut, read(pair, head, spell=not markers), located)
            if placed is not None:
                window, at = placed
                starts = (at[0], at[2])
                if markers and head.options.markers != "blinded":
                    window, at, starts = _marked(window, at, _names(pair, markers))
                ends = (at[1] + 1, at[3] + 1)
                spans = (at[0], at[2], *ends) if head.pooling == "mention" else (*starts, starts[0] + 1, starts[1] + 1)
                kept = None if head.pooling == "cls" else np.asarray([spans], dtype=np.int32)
                yield Encoded(window, (index,), mirrored=mirror, spans=kept)
            elif not mirror:
                yield Encoded(cut[0], (index,), dropped=True)
        return
    typed = head.options.markers == "typed"
    step = 1 if head.options.closing else 2  # the closing ones are every second
    rows: dict[int, tuple[Window, list[int], list[tuple[int, int, int, int]], list[int]]] = {}
    for index, pair, mirror in readings:
        placed = _place(windows[index], pair, located)
        if placed is None:
            if not mirror:
                yield Encoded(windows[index][0], (index,), np.zeros((0, 4), np.int32), dropped=True)
            continue
        window, at = placed
        row = rows.setdefault(id(window), (window, [], [], []))
        row[1].append(index)
        row[2].append(at)
        row[3].append(mirror)
    for window, numbers, places, mirrors in rows.values():
        for begin in range(0, len(numbers), PAIRS_PER_ROW):
            part = slice(begin, begin + PAIRS_PER_ROW)
            at_pieces = np.asarray(places[part], dtype=np.int32)[:, ::step]
            mirror = sum(mirrors[part])
            names = None
            if typed:
                asked = [batch[index] for index in numbers[part]]
                own = len(asked) - mirror
                asked = asked[:own] + [mirrored(pair) for pair in asked[own:]]
                names = np.asarray([_names(pair, markers) for pair in asked], dtype=np.int32)[:, ::step]
            yield Encoded(window, tuple(numbers[part]), at_pieces, mirrored=mirror, names=names)


def targets(encoded: Encoded, golds: Sequence[Gold], head: Head) -> Targets:
    """``(P,)`` the label of each pair of a row; in the other order, only a symmetric label is one.

    ``multilabel``: ``(P, C)``, 1 where a label holds; of the negative class, where none does.
    """
    if head.kind == "document":
        return concept_pairs.targets(encoded, golds, head)  # type: ignore[arg-type]
    if head.multilabel:
        table = np.asarray([[label in golds[index] for label in head.labels] for index in encoded.inputs], np.int64)
        table = table.reshape(len(encoded.inputs), len(head.labels))
        own = len(table) - encoded.mirrored
        table[own:] *= _symmetric(head)
        if NEGATIVE in head.labels:
            table[:, head.labels.index(NEGATIVE)] = table.sum(axis=1) == 0
        return table
    found = [str(golds[index]) for index in encoded.inputs]
    for place in range(len(found) - encoded.mirrored, len(found)):
        found[place] = found[place] if found[place] in head.options.symmetric else NEGATIVE
    return np.asarray([head.labels.index(label) for label in found], dtype=np.int64)


def legal_labels(encoded: Encoded, batch: Sequence[Pair], head: Head) -> Mask:
    """``(P, C)`` which labels each pair's types allow; where a pair is read in the other order, the symmetric ones."""
    if head.kind == "document":
        return concept_pairs.legal_labels(encoded, batch, head)  # type: ignore[arg-type]
    own = len(encoded.inputs) - encoded.mirrored
    found = _legal([batch[index] for index in encoded.inputs[:own]], head)
    if encoded.mirrored:
        turned = _legal_mirrored([batch[index] for index in encoded.inputs[own:]], head)
        negative = np.asarray([label == NEGATIVE for label in head.labels])
        found = np.concatenate((found, turned & (negative | _symmetric(head))))
    return found


def decode(batch: Sequence[Pair], encoded: Sequence[Encoded], logits: Sequence[Logits], head: Head) -> list[Prediction]:
    """One prediction for each pair; ``logits[k]`` is ``(P, C)`` for ``encoded[k]``, or ``(C,)`` for its only pair.

    Labels the pair's types do not allow have no probability. Where labels have a coarser group, the likeliest group
    is chosen first (the probabilities of its labels added up), then its likeliest label. ``multilabel``: every label
    that is likelier than not, the likeliest first.
    """
    if head.kind == "document":
        return concept_pairs.decode(batch, encoded, logits, head)  # type: ignore[arg-type]
    count, classes = len(batch), len(head.labels)
    scores, mirrors = np.zeros((2, count, classes), np.float32)
    windows, dropped = [1] * count, [False] * count
    for item, answer in zip(encoded, logits, strict=True):
        for index in item.inputs:
            windows[index], dropped[index] = item.window.count, item.dropped
        if not item.dropped:  # `marker` gives its one pair without an axis for it
            own, answer = len(item.inputs) - item.mirrored, answer.reshape(len(item.inputs), classes)
            scores[list(item.inputs[:own])] = answer[:own]
            mirrors[list(item.inputs[own:])] = answer[own:]
    mask = _legal(batch, head)
    probabilities = _probabilities(scores, mask, head)
    if head.options.symmetric:
        probabilities = _averaged(batch, probabilities, mirrors, head)
    chosen = _holding(probabilities, head) if head.multilabel else [(one,) for one in _likeliest(probabilities, head)]
    found = []
    for index, (pair, likely, permitted) in enumerate(zip(batch, probabilities.tolist(), mask.tolist(), strict=True)):
        if dropped[index]:
            found.append(Prediction(pair.id, NEGATIVE, {NEGATIVE: 1.0}, windows[index], dropped=True))
            continue
        sure = {label: round(p, 4) for label, p, fits in zip(head.labels, likely, permitted, strict=True) if fits}
        first, *others = [head.labels[number] for number in chosen[index]] or [NEGATIVE]
        if not chosen[index]:
            sure.setdefault(NEGATIVE, round(1 - max(sure.values(), default=0.0), 4))
        found.append(Prediction(pair.id, first, sure, windows[index], also=tuple(others)))
    return found


def _probabilities(scores: Logits, mask: Mask, head: Head) -> Logits:
    masked = np.where(mask, scores, np.float32(-1e9))
    if head.multilabel:
        alone: Logits = (1 / (1 + np.exp(-np.clip(masked, -80, 80)))).astype(np.float32)
        return alone
    return _softmax(masked)


def _holding(probabilities: Logits, head: Head) -> list[tuple[int, ...]]:
    """The labels that are likelier than not, the likeliest first; none where no label is."""
    labels = [number for number, label in enumerate(head.labels) if label != NEGATIVE]
    return [tuple(n for n in sorted(labels, key=lambda n: -row[n]) if row[n] > 0.5) for row in probabilities.tolist()]


def _likeliest(probabilities: Logits, head: Head) -> list[int]:
    """The likeliest label of the likeliest group of each pair."""
    names = [head.groups.get(label, label) for label in head.labels]
    groups = list(dict.fromkeys(names))
    member = np.asarray([[name == group for group in groups] for name in names], dtype=np.float32)
    by_group: Logits = probabilities @ member
    best_groups: Targets = by_group.argmax(axis=1)
    in_best = member.T[best_groups] > 0
    best: list[int] = np.where(in_best, probabilities, -1.0).argmax(axis=1).tolist()
    return best


def _averaged(batch: Sequence[Pair], probabilities: Logits, mirrors: Logits, head: Head) -> Logits:
    """The probabilities with each symmetric label's the mean of both orders; the others share what is left, as before.

    ``mirrors`` are the logits of the pairs whose other order is not in the batch, read in that order.
    """
    places = {_key(pair): index for index, pair in enumerate(batch)}
    other = np.zeros_like(probabilities)
    alone = []
    for index, pair in enumerate(batch):
        mirror = places.get(_key(mirrored(pair)))
        if mirror is None:
            alone.append(index)
        else:
            other[index] = probabilities[mirror]
    if alone:
        other[alone] = _probabilities(mirrors[alone], _legal_mirrored([batch[index] for index in alone], head), head)
    symmetric = _symmetric(head)
    if head.multilabel:
        both: Logits = np.where(symmetric, (probabilities + other) / 2, probabilities).astype(np.float32)
        return both
    mean = np.where(symmetric, (probabilities + other) / 2, 0)
    rest = np.where(symmetric, 0, probabilities)
    share = (1 - mean.sum(axis=1)) / np.maximum(rest.sum(axis=1), 1e-9)
    result: Logits = (mean + rest * share[:, None]).astype(np.float32)
    return result


def _unasked(batch: Sequence[Pair], head: Head) -> list[int]:
    """The pairs to be read in the other order for a symmetric label, because that order is no pair of the batch."""
    if not head.options.symmetric:
        return []
    asked = {_key(pair) for pair in batch}
    may: list[bool] = np.any(_legal(batch, head) & _symmetric(head), axis=1).tolist()
    return [index for index, pair in enumerate(batch) if may[index] and _key(mirrored(pair)) not in asked]


def others(batch: Sequence[Pair], head: Head) -> list[Pair]:
    """What is read beside the pairs of a batch: those of symmetric labels in the other order, where nobody asks it."""
    return [mirrored(batch[index]) for index in _unasked(batch, head)]


def mirrored(pair: Pair) -> Pair:
    """The pair in the other order."""
    return Pair(pair.id, pair.sentence, pair.tail, pair.head)


def _key(pair: Pair) -> tuple[str, int, int, str, int, int, str]:
    """What a reading of the pair depends on."""
    return pair.sentence.text, *pair.head[1:], *pair.tail[1:]


def _legal(batch: Sequence[Pair], head: Head) -> Mask:
    """``(P, C)``: which labels each pair's types allow; all of them where the head knows no types."""
    if not head.arguments:
        return np.ones((len(batch), len(head.labels)), dtype=bool)
    rows = {types: legal(head, *types) for types in dict.fromkeys((pair.head.type, pair.tail.type) for pair in batch)}
    found = [rows[pair.head.type, pair.tail.type] for pair in batch]
    return np.asarray(found, dtype=bool).reshape(len(batch), len(head.labels))


def _legal_mirrored(batch: Sequence[Pair], head: Head) -> Mask:
    """``(P, C)``: which labels each pair's types allow in the other order."""
    return _legal([mirrored(pair) for pair in batch], head) | (_legal(batch, head) & _symmetric(head))


def _symmetric(head: Head) -> Mask:
    return np.asarray([label in head.options.symmetric for label in head.labels], dtype=bool)


def attach(
    document: Document,
    batch: Iterable[Pair],
    predictions: Iterable[Prediction],
    source: str = "",
    symmetric: Collection[str] = (),
) -> Document:
    """The document with the relations found (in place of those it had), each with its sentence as evidence.

    Of the two orders of a pair that a ``symmetric`` label was found for, the first is kept.
    """
    relations: list[Relation] = []
    known: set[tuple[str, str, str]] = set()
    found = ((pair, one, label) for pair, one in zip(batch, predictions, strict=True) for label in one.labels)
    for pair, prediction, label in found:
        if label == NEGATIVE or (label in symmetric and (label, pair.tail.id, pair.head.id) in known):
            continue
        known.add((label, pair.head.id, pair.tail.id))
        sentence = Span(pair.sentence.start, pair.sentence.start + len(pair.sentence.text))
        relations.append(
            Relation(
                f"R{len(relations) + 1}", label, pair.head.id, pair.tail.id,
                evidence=(sentence,), probability=prediction.probabilities[label], source=source,
            )
        )  # fmt: skip
    return replace(document, relations=tuple(relations))


def _place(windows: Sequence[Window], pair: Pair, located: Located) -> tuple[Window, tuple[int, int, int, int]] | None:
    """The window that holds both arguments with the most context around them, and where they are in it.

    What was found is kept in ``located``: a mention of a crowded sentence is in a hundred pairs.
    """

    def within(window: Window, argument: Argument) -> tuple[int, int] | None:
        key = (id(window), argument.start, argument.end)
        if key not in located:
            located[key] = window.locate(argument.start, argument.end)
        return located[key]

    best: tuple[int, Window, tuple[int, int, int, int]] | None = None
    for window in windows:
        first, second = within(window, pair.head), within(window, pair.tail)
        if first and second:
            context = min(min(first[0], second[0]), len(window) - max(first[1], second[1]))
            if best is None or context > best[0]:
                best = (context, window, (*first, *second))
    return None if best is None else best[1:]


def _marked(
    window: Window, at: tuple[int, int, int, int], markers: Sequence[int]
) -> tuple[Window, tuple[int, int, int, int], tuple[int, int]]:
    """The window with the four markers set in, nested where the mentions are; where both mentions and openers are now."""
    spots = _spots(at[0], at[1] + 1, at[2], at[3] + 1)
    places = [place for place, _ in spots]
    put_in = [markers[marker] for _, marker in spots]
    marked = Window(
        ids=np.insert(window.ids, places, put_in),
        starts=np.insert(window.starts, places, -1),
        ends=np.insert(window.ends, places, -1),
        words=np.insert(window.words, places, -1),
        index=window.index,
        count=window.count,
    )
    moved = [piece + sum(place <= piece for place in places) for piece in at]
    openers = {marker: place + before for before, (place, marker) in enumerate(spots)}
    return marked, (moved[0], moved[1], moved[2], moved[3]), (openers[0], openers[2])


def _spots(start: int, end: int, second_start: int, second_end: int) -> list[tuple[int, int]]:
    """Where each marker (0 to 3) goes, for two half-open ranges, in order.

    At one place closing markers come before opening ones, inner ones close first and outer ones open first.
    """
    first, second = end - start, second_end - second_start
    spots = [(end, 0, first, 1), (second_end, 0, second, 3), (start, 1, -first, 0), (second_start, 1, -second, 2)]
    return [(place, marker) for place, *_, marker in sorted(spots)]


def read(pair: Pair, head: Head, *, spell: bool) -> Pair:
    """The pair as its text goes to the tokenizer: as it is, `blinded`, or with markers spelled in."""
    if head.options.markers == "blinded":
        return blinded(pair, head)
    return spelled(pair, typed=head.options.markers == "typed") if spell else pair


def marker_names(head: Head) -> tuple[str, ...]:
    """The markers a head's vocabulary has pieces for."""
    if head.options.markers == "blinded":
        return ()
    return MARKERS + tuple(marker for kind in marker_types(head) for marker in markers_of(kind))


def marker_types(head: Head) -> tuple[str, ...]:
    """The types a head has markers of their own for."""
    return tuple(sorted({t for types in allowed(head) for t in types})) if head.options.markers == "typed" else ()


def _names(pair: Pair, markers: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """The pieces of the pair's markers; plain ones for a type the head was not taught."""
    first, second = (markers.get(one.type, markers[""]) for one in (pair.head, pair.tail))
    return (*first[:2], *second[2:])


def _typed(batch: Iterable[Pair]) -> None:
    for pair in batch:
        for name, one in (("E1", pair.head), ("E2", pair.tail)):
            if not one.type:
                text = pair.sentence.text[one.start : one.end]
                raise MarkerError(
                    f"the model reads the types of mentions, and {text!r} has none",
                    advice=f"write [{name}:TYPE]{text}[/{name}:TYPE]",
                )


def blinded(pair: Pair, head: Head) -> Pair:
    """The pair with a mask for each mention: its type, numbered where nothing else tells the two apart.

    Two mentions that overlap have one mask, as in BLURB's files.

    Examples
    --------
    >>> head = Head("relations", "relation", "marker", ("NO_RELATION", "X"), {"X": (("Gene", "Gene"),)})
    >>> pair = parse_marked("[E2:Drug]Aspirin[/E2:Drug] inhibits [E1:Gene]COX-1[/E1:Gene].")
    >>> hidden = blinded(pair, head)
    >>> hidden.sentence.text, hidden.head[1:3]
    ('@DRUG$ inhibits @GENE$.', (16, 22))
    """
    text, first, second = pair.sentence.text, pair.head, pair.tail
    if first.start < second.end and second.start < first.end:
        start, end = min(first.start, second.start), max(first.end, second.end)
        mask = f"@{first.type.upper()}-{second.type.upper()}$"
        sentence = replace(pair.sentence, text=text[:start] + mask + text[end:])
        first, second = (one._replace(start=start, end=start + len(mask)) for one in (first, second))
        return replace(pair, sentence=sentence, head=first, tail=second)
    kinds = [one.type.upper() for one in (first, second)]
    if first.type == second.type and _directed(head, first.type):
        kinds = [f"{kind}{number}" for number, kind in enumerate(kinds, start=1)]
    masks = {id(one): f"@{kind}$" for one, kind in zip((first, second), kinds, strict=True)}
    left, right = sorted((first, second), key=lambda one: one.start)
    shift = len(masks[id(left)]) - (left.end - left.start)
    hidden = text[: left.start] + masks[id(left)] + text[left.end : right.start] + masks[id(right)] + text[right.end :]
    starts = {id(left): left.start, id(right): right.start + shift}
    head_now, tail_now = (
        one._replace(start=starts[id(one)], end=starts[id(one)] + len(masks[id(one)])) for one in (first, second)
    )
    return replace(pair, sentence=replace(pair.sentence, text=hidden), head=head_now, tail=tail_now)


def _directed(head: Head, kind: str) -> bool:
    """Whether some label holds between two mentions of this type in one order only."""
    may = zip(head.labels, legal(head, kind, kind), strict=True)
    return any(fits and label != NEGATIVE and label not in head.options.symmetric for label, fits in may)


def spelled(pair: Pair, *, typed: bool = False) -> Pair:
    """The pair with its markers written into the text, and its arguments' ranges with them.

    Examples
    --------
    >>> pair = spelled(parse_marked("[E2]Aspirin[/E2] inhibits [E1] COX-1 [/E1]."))
    >>> pair.sentence.text
    '[E2]Aspirin[/E2] inhibits  [E1]COX-1[/E1] .'
    >>> pair.sentence.text[pair.head.start : pair.head.end]
    '[E1]COX-1[/E1]'
    """
    text = pair.sentence.text
    kinds = (pair.head.type, pair.tail.type) if typed else ("", "")
    names = (*markers_of(kinds[0])[:2], *markers_of(kinds[1])[2:])
    parts, last = [], 0
    written = 0
    at: dict[int, int] = {}
    for place, marker in _spots(pair.head.start, pair.head.end, pair.tail.start, pair.tail.end):
        parts += [text[last:place], names[marker]]
        written += len(names[marker])
        at[marker] = place + written - (0 if marker % 2 else len(names[marker]))
        last = place
    return replace(
        pair,
        sentence=replace(pair.sentence, text="".join(parts) + text[last:]),
        head=pair.head._replace(start=at[0], end=at[1]),
        tail=pair.tail._replace(start=at[2], end=at[3]),
    )


MARKED = {"[E1]": (0, "open"), "[/E1]": (0, "close"), "[E2]": (1, "open"), "[/E2]": (1, "close")}


def parse_marked(text: str, identifier: str = "1", types: tuple[str, str] = ("", "")) -> Pair:
    """The pair that a text with ``[E1]…[/E1] … [E2]…[/E2]`` marks; the markers are taken out and offsets follow.

    A marker may say the mention's type, ``[E1:Chemical]…[/E1:Chemical]``.

    Raises
    ------
    MarkerError
        A marker is missing, doubled, crossed, or marks nothing.

    Examples
    --------
    >>> pair = parse_marked("[E1]Aspirin[/E1] inhibits [E2] COX-1 [/E2].")
    >>> pair.sentence.text, pair.tail[1:3]
    ('Aspirin inhibits  COX-1 .', (18, 23))
    """
    plain, places, last = "", defaultdict[str, list[int]](list), 0
    kinds = list(types)
    for match in MARKER.finditer(text):
        plain += text[last : match.start()]
        places[f"[{match[1]}]"].append(len(plain))
        if match[2]:
            kinds["12".index(match[1][-1])] = match[2]
        last = match.end()
    plain += text[last:]
    for marker in MARKED:
        count = len(places[marker])
        if count != 1:
            what = "is missing" if count == 0 else f"stands {count} times"
            raise MarkerError(f"the marker {marker} {what}", advice="write [E1]head[/E1] … [E2]tail[/E2], each once")
    arguments = []
    for number, type_ in zip("12", kinds, strict=True):
        start, end = places[f"[E{number}]"][0], places[f"[/E{number}]"][0]
        if end < start:
            raise MarkerError(f"[/E{number}] stands before [E{number}]", advice="close a marker after it is opened")
        while start < end and plain[start].isspace():
            start += 1
        while start < end and plain[end - 1].isspace():
            end -= 1
        if start == end:
            raise MarkerError(f"[E{number}]…[/E{number}] marks nothing", advice="put the mention between the markers")
        arguments.append(Argument(f"E{number}", start, end, type_))
    first, second = arguments
    if first.start < second.start < first.end < second.end or second.start < first.start < second.end < first.end:
        raise MarkerError("the markers cross", advice="close one mention before the other begins, or nest them")
    return Pair(identifier, Sentence(identifier, identifier, plain), first, second)

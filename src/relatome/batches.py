"""Rows and batches: what several heads ask of one text is read in one row; rows of like length share a batch.

A `Row` is a window with the markers of the pairs asked about it. Rows are sorted by length and cut into batches of at
most ``budget`` pieces, padding counted, so that little is wasted; answers go back to the inputs they belong to by
index, so neither the order nor the size of batches can change them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from relatome.tasks import LEARNED
from relatome.tasks.example import ConceptPair, Encoded, Head, Pair, Reading, Sentence
from relatome.tasks.relation import marker_types, others, read
from relatome.wordpieces import MARKERS, OVERLAP, Window, WordPieces

BUDGET = 1024  # pieces of a batch, padding counted: fills two cores; an engine's buffers (0.1 MB a piece) grow with it

Array = np.ndarray[Any, np.dtype[Any]]

_NONE: Array = np.zeros(0, dtype=np.int64)


@dataclass(slots=True, eq=False)
class Row:
    """One row of a batch: a window, the markers of its pairs, and who asked.

    Parameters
    ----------
    markers
        ``(P, M)`` the text piece each marker shares its position with; M is 4, or 2 where mentions' ends are not marked.
    names
        ``(P, M)`` which pieces the markers are; None: the plain ones.
    spans
        ``(1, 4)`` where the two arguments of a ``marker`` row begin and end, for a head that reads them.
    encoded
        For each head that reads this row, what it asked and the row's index in that head's list.
    targets, legal
        Training only: by head, the gold classes and which classes each item may have.
    soft
        Training only: by head, a teacher's probabilities, ``(items, C)``; NaN where it says nothing of a class.
    reading
        How a ``document`` head reads the row.
    hidden
        Pre-training only: ``(N,)`` the pieces whose words are hidden.
    source, document
        Training only: the corpus, which says what is annotated exhaustively, and the document's id.
    """

    window: Window
    markers: Array = field(default_factory=lambda: np.zeros((0, 4), np.int32))
    names: Array | None = None
    spans: Array | None = None
    encoded: dict[str, tuple[int, Encoded]] = field(default_factory=dict)
    targets: dict[str, Array] = field(default_factory=dict)
    legal: dict[str, Array] = field(default_factory=dict)
    soft: dict[str, Array] = field(default_factory=dict)
    reading: Reading | None = None
    hidden: Array = field(default_factory=lambda: _NONE)
    source: str = ""
    document: str = ""

    @property
    def pieces(self) -> int:
        """Length of the row: text pieces and marker pieces."""
        return len(self.window) + self.markers.size


def encode(
    requests: Sequence[tuple[Head, Sequence[Any]]], pieces: WordPieces, *, limit: int
) -> tuple[list[Row], dict[str, list[Encoded]]]:
    """The rows that answer all requests, and each head's `Encoded` in order.

    A text asked about by several heads is cut into windows once, and a window read by several heads is one row, except
    that a ``packed`` head with more pairs than a row holds takes further rows, and a ``marker`` head one a pair.
    """
    texts: dict[_Text, int] = {}
    wanted: dict[str, list[_Text]] = {}
    markers: dict[str, dict[str, tuple[int, ...]]] = {}
    for head, batch in requests:
        mine = markers[head.name] = pieces.markers(marker_types(head)) if head.task == "relation" else {}
        read_too = others(batch, head) if head.kind == "marker" else []
        wanted[head.name] = [_text(item, head, limit, bool(mine)) for item in (*batch, *read_too)]
    for found in wanted.values():
        for text in found:
            texts.setdefault(text, len(texts))
    windows = _windows(list(texts), pieces)
    rows: dict[tuple[int, int], Row] = {}
    asked: dict[str, list[Encoded]] = {}
    for head, batch in requests:
        task = LEARNED[head.task]
        cut = [windows[texts[text]] for text in wanted[head.name]]
        extra = {"markers": markers[head.name]} if head.task == "relation" else {}
        asked[head.name] = list(task.encode(cut, batch, head, **extra))
        seen: dict[int, int] = {}
        for index, item in enumerate(asked[head.name]):
            if item.dropped:
                continue
            turn = seen.get(id(item.window), 0)
            while not _fits(rows.setdefault((id(item.window), turn), Row(item.window)), item):
                turn += 1
            seen[id(item.window)] = turn + 1
            row = rows[id(item.window), turn]
            row.encoded[head.name] = (index, item)
            if item.markers is not None:
                row.markers, row.names = item.markers, item.names
            if item.spans is not None:
                row.spans = item.spans
            if item.reading is not None:
                row.reading = item.reading
    return list(rows.values()), asked


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows as arrays.

    Parameters
    ----------
    ids, positions
        ``(B, T)`` pieces and their positions; markers have the positions of what they mark.
    mask
        ``(B, 1, T, S + T)`` True where a piece (third axis) sees another (fourth axis; the S pieces of memory first).
    pairs
        ``(B, P, 2)`` index of each pair's ``[E1]`` and ``[E2]``; rows with fewer pairs repeat index 0. Where a row has
        spans it is ``(B, P, 4)``: where what is read of the two begins, and where it ends.
    readings
        For a ``document`` head, the rows' readings: ``(B, T)`` slots (-1 for padding), ``(B, E, K, 2)`` spots and
        ``(B, P, 2)`` pairs of concepts.
    hidden
        ``(N,)`` for pre-training, the pieces whose words are hidden, counted through all rows: row times T plus piece.
    """

    rows: tuple[Row, ...]
    ids: Array
    positions: Array
    mask: Array
    pairs: Array
    readings: tuple[Array, Array, Array]
    hidden: Array

    @property
    def pieces(self) -> int:
        """Real pieces, padding not counted."""
        return sum(row.pieces for row in self.rows)


def collate(rows: Sequence[Row], *, pad: int, markers: Sequence[int], memory: Sequence[int] | None = None) -> Batch:
    """Pad rows to one length.

    Parameters
    ----------
    markers
        Ids of ``[E1] [/E1] [E2] [/E2]``.
    memory
        Where given, the rows' texts were read before: row ``b`` holds its markers only, and sees ``memory[b]`` pieces.

    Notes
    -----
    A text piece sees the text; a marker sees the text and the markers of its own pair. The same rule makes
    padding see the text and itself, so that no row of the mask is empty: an empty row is NaN in some engines.
    """
    lengths = [0 if memory is not None else len(row.window) for row in rows]
    wide = width(max(max((n + row.markers.size for n, row in zip(lengths, rows, strict=True)), default=1), 1))
    count = max(max((len(row.markers) for row in rows), default=0), 1)
    past = max(max(memory, default=0), 1) if memory is not None else 1
    ids = np.full((len(rows), wide), pad, dtype=np.int64)
    positions = np.zeros((len(rows), wide), dtype=np.int64)
    pairs = np.zeros((len(rows), count, 2), dtype=np.int64)
    for index, (row, text) in enumerate(zip(rows, lengths, strict=True)):
        if text:
            ids[index, :text] = row.window.ids
            positions[index, :text] = np.arange(text) if row.reading is None else _positions(row.reading)
        total = len(row.markers)
        if total:
            each = row.markers.shape[1]
            plain = np.asarray(markers)[:: len(markers) // each]
            ids[index, text : text + each * total] = (
                np.tile(plain, total) if row.names is None else row.names.reshape(-1)
            )
            positions[index, text : text + each * total] = row.markers.reshape(-1)
            pairs[index, :total, 0] = text + each * np.arange(total)
            pairs[index, :total, 1] = pairs[index, :total, 0] + each // 2
    if any(row.spans is not None for row in rows):
        pairs = np.concatenate((pairs, pairs + 1), axis=2)
        for index, row in enumerate(rows):
            if row.spans is not None:
                pairs[index, :1] = row.spans
    text_lengths = np.asarray(lengths)[:, None, None]
    here = np.arange(wide)
    each = np.asarray([row.markers.shape[1] for row in rows])
    group = (here[None, :] - np.asarray(lengths)[:, None]) // each[:, None]
    beyond = here[None, :] >= np.asarray(lengths)[:, None]
    own = beyond[:, :, None] & beyond[:, None, :] & (group[:, :, None] == group[:, None, :])
    seen = (here[None, None, :] < text_lengths) | own
    for index, row in enumerate(rows):
        if row.reading is not None and len(row.reading.parts) > 1:
            part = np.repeat(np.arange(len(row.reading.parts)), row.reading.parts)
            seen[index, : len(part), : len(part)] &= part[:, None] == part[None, :]
    remembered = np.zeros((len(rows), wide, past), dtype=bool)
    if memory is not None:
        remembered[:] = (np.arange(past)[None, :] < np.asarray(memory)[:, None])[:, None, :]
    mask = np.concatenate((remembered, seen), axis=2)[:, None]
    hidden = np.concatenate([_NONE, *(number * wide + row.hidden for number, row in enumerate(rows))])
    return Batch(tuple(rows), ids, positions, mask, pairs, _readings(rows, wide), hidden)


def _positions(reading: Reading) -> Array:
    """Each window of a row begins at position 0."""
    return np.concatenate([np.arange(part) for part in reading.parts])


def _readings(rows: Sequence[Row], wide: int) -> tuple[Array, Array, Array]:
    """The rows' readings, padded; of rows without one, a single concept without a mention, and no answer is asked."""
    found = [row.reading for row in rows if row.reading is not None]
    parties = max((len(one.spots) for one in found), default=1)
    mentions = max((one.spots.shape[1] for one in found), default=1)
    slots = np.full((len(rows), wide), -1, dtype=np.int64)
    spots = np.full((len(rows), parties, mentions, 2), -1, dtype=np.int64)
    related = np.zeros((len(rows), max((len(one.related) for one in found), default=1), 2), dtype=np.int64)
    for index, row in enumerate(rows):
        if row.reading is not None:
            slots[index, : len(row.reading.slots)] = row.reading.slots
            spots[index, : len(row.reading.spots), : row.reading.spots.shape[1]] = row.reading.spots
            related[index, : len(row.reading.related)] = row.reading.related
    return slots, spots, related


def width(pieces: int) -> int:
    """The width a row of so many pieces is padded to: the next multiple of 4, of 16 above 128.

    Matrix kernels are compiled for each new shape (a second apiece for bfloat16 on a CPU: measured 680 pieces/s with
    any widths, 2,700 with few), so a few widths cost far less than the padding they need.
    """
    step = 4 if pieces <= 128 else 16
    return -(-pieces // step) * step


def few(count: int, *, steps: int = 2) -> int:
    """The next of a few sizes, for engines that compile their kernels for every shape.

    Powers of two, and ``steps`` - 1 sizes between each and the next.

    Examples
    --------
    >>> [few(count) for count in (1, 5, 7, 9, 33)], few(33, steps=4)
    ([1, 6, 8, 12, 48], 40)
    """
    power = 1 << max(count - 1, 1).bit_length() >> 1
    step = max(power // steps, 1)
    return max(-(-count // step) * step, 1)


def full_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices of rows, by width, in batches that are full; what is left of one width joins the next wider one.

    For training: the order within a width is the order given, and all batches of one width have one shape.
    """
    classes: dict[int, list[int]] = {}
    for index, length in enumerate(lengths):
        classes.setdefault(width(length), []).append(index)
    left: list[int] = []
    for wide in sorted(classes):
        left += classes[wide]
        rows = max(1, budget // wide)
        while len(left) >= rows:
            yield left[:rows]
            left = left[rows:]
    if left:
        yield left


def budgeted(lengths: Sequence[int], budget: int = BUDGET, *, longest_first: bool = False) -> Iterator[list[int]]:
    """Indices of rows, sorted by length and cut into batches of at most ``budget`` pieces with padding.

    A row longer than the budget is a batch of its own: nothing is left out. Full batches have one of a few numbers
    of rows (`few`).
    """
    order = sorted(range(len(lengths)), key=lambda index: lengths[index], reverse=longest_first)
    batch: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, width(lengths[index]))
        if batch and longest * few(len(batch) + 1) > budget:
            yield batch
            batch, longest = [], width(lengths[index])
        batch.append(index)
    if batch:
        yield batch


def _fits(row: Row, item: Encoded) -> bool:
    """Whether a row can hold the item's markers: it has none yet, or another head asked about the same pairs."""
    if item.spans is not None and (len(row.markers) or (row.spans is not None and (row.spans != item.spans).any())):
        return False
    if item.markers is None or (not len(row.markers) and row.spans is None):
        return True
    return np.array_equal(row.markers, item.markers) and _same(row.names, item.names)


def _same(first: Array | None, second: Array | None) -> bool:
    return first is second or (first is not None and second is not None and np.array_equal(first, second))


class _Text(NamedTuple):
    """What is read for an item.

    Its text, how many pieces a window of it holds, where a word must end in it, and how many pieces windows share.
    """

    text: str
    limit: int
    breaks: tuple[int, ...] = ()
    overlap: int = OVERLAP


def _text(item: Sentence | Pair | ConceptPair, head: Head, limit: int, marked: bool) -> _Text:
    """A plain tokenizer that is given a marked text ends a word at a marker, so for ``marker`` we do so too."""
    if not isinstance(item, Pair):
        return _Text(item.text, limit, overlap=0 if head.task == "pretraining" else OVERLAP)
    text = item.sentence.text
    if head.kind != "marker":
        return _Text(text, limit)
    if not marked or head.options.markers == "blinded":
        return _Text(read(item, head, spell=not marked).sentence.text, limit)
    places = {item.head.start, item.head.end, item.tail.start, item.tail.end} - {0, len(text)}
    return _Text(text, limit - len(MARKERS), tuple(sorted(places)))


def _windows(texts: Sequence[_Text], pieces: WordPieces) -> list[list[Window]]:
    """The windows of each text; texts that are cut alike are tokenised together."""
    found: list[list[Window]] = [[] for _ in texts]
    kinds: dict[tuple[int, int, bool], list[int]] = {}
    for index, one in enumerate(texts):
        kinds.setdefault((one.limit, one.overlap, bool(one.breaks)), []).append(index)
    for (limit, overlap, broken), chosen in kinds.items():
        breaks = [texts[index].breaks for index in chosen] if broken else None
        cuts = pieces.windows([texts[index].text for index in chosen], limit=limit, overlap=overlap, breaks=breaks)
        for index, windows in zip(chosen, cuts, strict=True):
            found[index] = windows
    return found

"""From inputs to predictions with any engine that can run the network: rows, batches, answers in the order asked.

An engine is one function, `Forward`; everything else (windows, merging the heads that read the same text, buckets,
putting answers back in order) is here once. A `Memory` passed from call to call keeps what the encoder made of each
text, so that relations asked about after entities were found do not read the text again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from relatome.batches import BUDGET, Batch, Row, budgeted, collate, encode
from relatome.predictors.texts import TextPredictor, as_marker
from relatome.tasks import TASKS
from relatome.tasks.example import Encoded, Head, Pair, Prediction
from relatome.wordpieces import MARKERS, Window, WordPieces

Array = np.ndarray[Any, np.dtype[np.float32]]


class Forward(Protocol):
    """One batch through the network.

    ``memory`` is ``(B, L, 2, A, S, H/A)`` or None; the answer is the logits of each head and, if ``remember``,
    the memory of this batch's pieces.
    """

    def __call__(
        self, batch: Batch, memory: Array | None, *, remember: bool
    ) -> tuple[Mapping[str, Array], Array | None]: ...


class Memory:
    """What the encoder made of the windows read so far: their keys and values. Keep one per chunk of work.

    Kept by the pieces of the window, which are all that its states depend on.
    """

    def __init__(self) -> None:
        self._kept: dict[bytes, Array] = {}

    def get(self, window: Window) -> Array | None:
        """``(L, 2, A, S, H/A)`` of a window, or None if it was not read."""
        return self._kept.get(window.ids.tobytes())

    def put(self, window: Window, states: Array) -> None:
        """Keep the states of a window."""
        self._kept[window.ids.tobytes()] = states


class NeuralPredictor(TextPredictor):
    """A network as a predictor.

    Parameters
    ----------
    forward
        The engine.
    heads
        What it answers.
    source
        Name and hash of the model: the ``source`` of every fact it finds.
    budget
        Pieces of a batch; has no influence on the answers.
    """

    def __init__(
        self,
        forward: Forward,
        heads: Sequence[Head],
        pieces: WordPieces,
        *,
        limit: int,
        source: str = "",
        card: Mapping[str, Any] | None = None,
        budget: int = BUDGET,
    ) -> None:
        self.forward = forward
        self.heads = {head.name: head for head in heads}
        self.pieces = pieces
        self.limit = limit
        self.source = source
        self.card = dict(card or {})
        self.budget = budget
        self.pieces_read = 0
        packed = any(head.kind == "packed" for head in heads)
        self._markers = pieces.marker_ids() if packed else (0,) * len(MARKERS)

    def _predicted(self, requests: Mapping[str, Sequence[Any]], memory: Memory | None) -> dict[str, list[Prediction]]:
        """Heads that ask about the same text share one pass. A ``label`` head also takes pairs, and reads their markers as text."""
        asked, pairs = [], []
        for name, inputs in requests.items():
            head = self.heads[name]
            marked = [item for item in inputs if isinstance(item, Pair)] if head.kind == "label" else []
            pairs += [(as_marker(head), marked)] if marked else []
            asked.append((head, [item for item in inputs if not isinstance(item, Pair)] if marked else inputs))
        found = self._answered(asked, memory)
        for name, answers_to_pairs in self._answered(pairs, None).items():
            one, other = iter(found[name]), iter(answers_to_pairs)
            found[name] = [next(other if isinstance(item, Pair) else one) for item in requests[name]]
        return found

    def _answered(
        self, asked: Sequence[tuple[Head, Sequence[Any]]], memory: Memory | None
    ) -> dict[str, list[Prediction]]:
        rows, encoded = encode(asked, self.pieces, limit=self.limit)
        logits: dict[str, list[Array | None]] = {name: [None] * len(items) for name, items in encoded.items()}
        fresh, known = [], []
        for row in rows:
            packed_only = all(self.heads[name].kind == "packed" for name in row.encoded)
            states = memory.get(row.window) if memory is not None and packed_only else None
            if states is None:
                fresh.append(row)
            else:
                known.append((row, states))
        self._run(fresh, None, logits, memory)
        if known:
            self._run([row for row, _ in known], [states for _, states in known], logits, None)
        return {
            head.name: TASKS[head.task].decode(inputs, encoded[head.name], _filled(encoded[head.name], logits[head.name], head), head)
            for head, inputs in asked
        }  # fmt: skip

    def _run(
        self,
        rows: Sequence[Row],
        states: Sequence[Array] | None,
        logits: dict[str, list[Array | None]],
        memory: Memory | None,
    ) -> None:
        if states is None:
            lengths = [row.pieces for row in rows]
        else:  # what is remembered takes room too: 18 kB a piece in a six-layer encoder
            lengths = [row.markers.size + kept.shape[3] for row, kept in zip(rows, states, strict=True)]
        for chosen in budgeted(lengths, self.budget, longest_first=True):
            part = [rows[index] for index in chosen]
            past = None
            if states is not None:
                past = _padded([states[index] for index in chosen])
            batch = collate(
                part, pad=self.pieces.pad, markers=self._markers,
                memory=None if states is None else [states[index].shape[3] for index in chosen],
            )  # fmt: skip
            answers, kept = self.forward(batch, past, remember=memory is not None)
            self.pieces_read += batch.pieces if states is None else sum(row.markers.size for row in part)
            for place, row in enumerate(part):
                for name, (index, item) in row.encoded.items():
                    kind = self.heads[name].kind
                    answer = answers[name][place]
                    if kind in ("tags", "layers"):
                        answer = answer[: len(row.window)]
                    elif kind in ("packed", "document") or item.spans is not None:
                        answer = answer[: len(item.inputs)]
                    logits[name][index] = answer
                if memory is not None and kept is not None:
                    memory.put(row.window, kept[place][:, :, :, : len(row.window)].copy())


def _padded(states: Sequence[Array]) -> Array:
    longest = max(state.shape[3] for state in states)
    layers, two, heads, _, width = states[0].shape
    result = np.zeros((len(states), layers, two, heads, longest, width), dtype=np.float32)
    for index, state in enumerate(states):
        result[index, :, :, :, : state.shape[3]] = state
    return result


def _filled(encoded: Sequence[Encoded], logits: Sequence[Array | None], head: Head) -> list[Array]:
    """Every item has its logits; dropped ones get zeros, which `decode` does not look at."""
    filled = []
    for item, answer in zip(encoded, logits, strict=True):
        assert answer is not None or item.dropped
        filled.append(np.zeros((0, head.classes), np.float32) if answer is None else answer)
    return filled

"""Pre-training: words of running text are hidden, and the encoder is to say which they were.

Nothing is predicted with it, so it is no member of ``TASKS``: what comes of it is an encoder. Whole words are hidden
(Gu et al. 2021, "Domain-specific language model pretraining for biomedical natural language processing",
arXiv:2007.15779, section 3.2), others each time a text is read (Liu et al. 2019, arXiv:1907.11692, section 4.1).

References
----------
Devlin et al. 2019, "BERT", arXiv:1810.04805, section 3.1 and appendix C.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from relatome.documents import Document
from relatome.tasks.classification import encode
from relatome.tasks.example import Encoded, Example, Head, Sentence
from relatome.tasks.ner import IGNORED
from relatome.wordpieces import Window, WordPieces

HEADS = ("words",)

MASKED, RANDOM = 0.8, 0.1  # of the hidden pieces: shown as the mask, and as any other; the rest stay as they are

Array = np.ndarray[Any, np.dtype[Any]]


def examples(document: Document, head: Head) -> Iterator[Example[Sentence, str]]:
    """The whole text; what it says is its own gold."""
    if document.text.strip():
        yield Example(Sentence(f"{document.id}#0", document.id, document.text), "")


def targets(encoded: Encoded, golds: Sequence[str], head: Head) -> Array:
    """``(T,)`` the pieces themselves; ``IGNORED`` where there is no text (``[CLS]``, ``[SEP]``)."""
    window = encoded.window
    return np.where(window.words >= 0, window.ids, IGNORED).astype(np.int64)


def hide(window: Window, share: float, generator: np.random.Generator, pieces: WordPieces) -> tuple[Window, Array]:
    """The window with words hidden, and ``(N,)`` which of its pieces they are.

    Parameters
    ----------
    share
        With this probability a word is hidden, all of its pieces together; where chance takes none, one is.
    """
    words = window.words
    count = int(words.max(initial=-1)) + 1
    if not count:
        return window, np.zeros(0, dtype=np.int64)
    first = int(words[words >= 0].min())
    taken = np.zeros(count, dtype=bool)
    taken[first:] = generator.random(count - first) < share
    if not taken[words[words >= 0]].any():
        taken[int(generator.choice(words[words >= 0]))] = True
    hidden = np.flatnonzero((words >= 0) & taken[words])
    shown = window.ids.copy()
    chance = generator.random(len(hidden))
    ordinary = pieces.ordinary
    random = ordinary[generator.integers(len(ordinary), size=len(hidden))]
    masked = chance < MASKED
    shown[hidden] = np.where(masked, pieces.mask, np.where(chance < MASKED + RANDOM, random, shown[hidden]))
    return replace(window, ids=shown), hidden


__all__ = ["encode", "examples", "hide", "targets"]

"""What every task shares: heads, examples, what an encoder reads for them, and predictions.

An `Example` is what is judged (a sentence, a pair) plus its gold; `predict` takes the inputs alone, so a predictor
cannot see gold. Ids are stable and do not depend on the head, so that two models can be compared example by example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np

from relatome.documents import Span
from relatome.wordpieces import Window

Logits = np.ndarray[Any, np.dtype[np.float32]]
NEGATIVE = "NO_RELATION"


class TypedSpan(NamedTuple):
    """A half-open range of code points with a type and, for a prediction, its probability."""

    start: int
    end: int
    type: str
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How a relation head chooses, reads and answers its pairs. The defaults are those of models without them.

    Parameters
    ----------
    markers
        ``"plain"``: ``[E1]``; ``"typed"``: ``[E1:Chemical]``; ``"blinded"``: ``@CHEMICAL$`` in place of the mention, for
        the encoder alone, as BioBERT and BLURB have it (``marker`` heads only).
    pooling
        What the answer is read from. ``"cls"``: the row's first piece; ``"start"``: the pieces ``[E1]`` and ``[E2]``;
        ``"mention"``: the mean of what stands for each mention, its pieces (``marker``) or its two markers (``packed``).
        Empty: ``cls`` for ``marker``, ``start`` for ``packed``.
    closing
        Whether the end of a mention is marked too. ``packed`` heads can do without: two pieces a pair in place of four.
    direction
        ``"listed"``: a pair of types is asked about as the head's arguments list it; ``"both"``: in the other order too.
    symmetric
        Labels that hold both ways. Their pairs are taught and read in both orders and the two probabilities averaged,
        so that the answer does not depend on the order asked.
    choice
        ``"exclusive"``: one label a pair, the first where the gold has several; ``"multilabel"``: each label is a
        yes or no of its own, and a pair carries all that hold.
    negatives, negative_ratio
        Which pairs without a relation were taught: ``"all"``; ``"ratio"``, so many for each pair with one, drawn at
        random; ``"hard"``, so many, those most like pairs with one (`pairs.left_out`).
    sentences
        How many sentences apart the mentions of a pair may stand; what is read of such a pair is all from the first
        sentence to the last.

    Examples
    --------
    >>> str(Options(symmetric=("Bind",)))
    'markers plain, pooling default, direction listed, symmetric Bind, choice exclusive, negatives all, sentences 0'
    """

    markers: str = "plain"
    pooling: str = ""
    closing: bool = True
    direction: str = "listed"
    symmetric: tuple[str, ...] = ()
    choice: str = "exclusive"
    negatives: str = "all"
    negative_ratio: float = 0.0
    sentences: int = 0

    def __str__(self) -> str:
        """Every option, for a signature."""
        shown = {name: " ".join(v) or "none" if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        shown["pooling"] = self.pooling or "default"
        if self.negatives == "all":
            del shown["negative_ratio"]
        if self.closing:
            del shown["closing"]
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Options:
        """The options that ``dataclasses.asdict`` wrote."""
        read: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}
        return cls(**read)


@dataclass(frozen=True, slots=True)
class Head:
    """One question a model answers.

    Parameters
    ----------
    name
        Unique in its model: ``"entities"``, ``"relations"``, ``"ade-sentence"``.
    task
        A member of ``tasks.LEARNED``.
    kind
        One of the task's ``HEADS``: ``tags``, ``layers``, ``packed``, ``marker``, ``document``, ``label``.
    labels
        ``tags`` and ``layers``: entity types, without B and I. Others: the classes; for relations the first is ``NO_RELATION``.
    arguments
        Relations only: for each label the (head type, tail type) pairs it may hold between. Pairs of types that no
        label names are not proposed.
    groups
        Relations only: a coarser name for a label (ChemProt's ``INHIBITOR`` is ``CPR:4``), for scoring and output.
    options
        Relations only: how pairs are chosen, read and answered.
    repeated
        ``ner`` only: a name found with at least this probability somewhere in a document is found wherever it stands in it
        (`ner.repeated`); 0: each sentence for itself.
    """

    name: str
    task: Literal["ner", "relation", "classification", "pretraining"]
    kind: str
    labels: tuple[str, ...]
    arguments: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    options: Options = Options()
    repeated: float = 0.0

    @property
    def classes(self) -> int:
        """How many logits the head gives for one item."""
        return {"tags": 1 + 2 * len(self.labels), "layers": 3 * len(self.labels)}.get(self.kind, len(self.labels))

    @property
    def pooling(self) -> str:
        """What a relation head's answer is read from; empty for others."""
        return self.options.pooling or {"marker": "cls", "packed": "start"}.get(self.kind, "")

    @property
    def multilabel(self) -> bool:
        """Whether each label is a yes or no of its own."""
        return self.options.choice == "multilabel"

    def json(self) -> dict[str, Any]:
        """Plain JSON values; `Head.from_json` reads them back."""
        return {
            "name": self.name,
            "task": self.task,
            "kind": self.kind,
            "labels": list(self.labels),
            "arguments": {label: [list(pair) for pair in pairs] for label, pairs in self.arguments.items()},
            "groups": dict(self.groups),
            **({"options": asdict(self.options)} if self.task == "relation" else {}),
            **({"repeated": self.repeated} if self.repeated else {}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Head:
        """The head that `Head.json` wrote."""
        return cls(
            name=value["name"],
            task=value["task"],
            kind=value["kind"],
            labels=tuple(value["labels"]),
            arguments={label: tuple((a, b) for a, b in pairs) for label, pairs in value.get("arguments", {}).items()},
            groups=dict(value.get("groups", {})),
            options=Options.from_json(value.get("options", {})),
            repeated=float(value.get("repeated", 0.0)),
        )


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stretch of a document's text that is read at once: the input of ``ner`` and ``classification``.

    Parameters
    ----------
    id
        ``document#n``; stable.
    text
        ``document.text[start : start + len(text)]``.
    """

    id: str
    document: str
    text: str
    start: int = 0


class Argument(NamedTuple):
    """One side of a pair: a mention, by its range in the *sentence's* text."""

    id: str
    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Pair:
    """An ordered candidate: the input of ``relation``. Both arguments lie in ``sentence``, which may be several."""

    id: str
    sentence: Sentence
    head: Argument
    tail: Argument


class Party(NamedTuple):
    """One side of a pair of concepts: a concept, and where the *document's* text names it."""

    id: str
    type: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ConceptPair:
    """An ordered candidate of two concepts: the input of the relation head ``document``.

    Parameters
    ----------
    text
        All of the document's.
    """

    id: str
    document: str
    text: str
    head: Party
    tail: Party


Input = TypeVar("Input", bound=Sentence | Pair | ConceptPair)
Gold = TypeVar("Gold")


@dataclass(frozen=True, slots=True)
class Example(Generic[Input, Gold]):
    """An input with its gold answer."""

    input: Input
    gold: Gold


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """How a ``document`` head reads a row.

    Parameters
    ----------
    parts
        Pieces of each window in the row; a piece sees those of its own.
    slots
        ``(T,)`` the number in the text of each piece, from 1; 0 for special pieces. What two windows hold is numbered
        once.
    spots
        ``(E, K, 2)`` for each concept, the first and last piece of its mentions, by number; -1 where it has fewer.
    related
        ``(P, 2)`` the two concepts of each pair.
    """

    parts: tuple[int, ...]
    slots: np.ndarray[Any, np.dtype[np.int32]]
    spots: np.ndarray[Any, np.dtype[np.int32]]
    related: np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What an encoder reads for one or many inputs of one task: a window and, for relations, where the markers go.

    Parameters
    ----------
    inputs
        Indices into the inputs given to ``encode``.
    markers
        ``(P, M)`` for ``packed``: the piece each of ``[E1] [/E1] [E2] [/E2]`` shares its position with, or, where the head
        has no closing markers, each of ``[E1] [E2]``.
    dropped
        Inputs that no window can hold (their arguments are further apart than a window is long).
    names
        ``(P, M)`` for ``packed`` with typed markers: which pieces they are, where they are not the plain ones.
    spans
        ``(1, 4)`` for ``marker`` that reads more than ``[CLS]``: where in the window what it reads of each argument
        begins (2) and ends (2).
    mirrored
        How many of the last inputs are read in the other order: pairs of symmetric labels whose other order is not
        asked about by itself.
    reading
        ``document`` only.
    """

    window: Window
    inputs: tuple[int, ...]
    markers: np.ndarray[Any, np.dtype[np.int32]] | None = None
    dropped: bool = False
    mirrored: int = 0
    names: np.ndarray[Any, np.dtype[np.int32]] | None = None
    spans: np.ndarray[Any, np.dtype[np.int32]] | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer to one input.

    Parameters
    ----------
    id
        The input's.
    value
        ``ner``: the spans found, in the sentence's coordinates. Others: the class, the likeliest where several hold.
    probabilities
        Of every class; empty for ``ner``, whose spans carry their own.
    windows
        How many windows the text took.
    dropped
        True where the input could not be read (its arguments fit no window); the value is then the negative class.
    also
        Of a pair with several labels, those beside ``value``.
    """

    id: str
    value: str | tuple[TypedSpan, ...]
    probabilities: Mapping[str, float] = field(default_factory=dict)
    windows: int = 1
    dropped: bool = False
    also: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Every class that holds."""
        return (str(self.value), *self.also)


def softmax(logits: Logits) -> Logits:
    """Probabilities over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Logits = (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)
    return result

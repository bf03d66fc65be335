"""Plain strings as a predictor's input: marked texts ask about relations, others about the sentence."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, overload

from relatome.errors import InputError, ModelError
from relatome.tasks.example import Head, Pair, Prediction, Sentence
from relatome.tasks.relation import parse_marked
from relatome.wordpieces import MARKER

if TYPE_CHECKING:
    from relatome.predictors.neural import Memory


class Predictor(Protocol):
    """What every predictor offers: answers to inputs, by head, in the order asked."""

    heads: dict[str, Head]
    source: str
    card: dict[str, Any]

    @overload
    def predict(
        self, requests: Mapping[str, Sequence[Any]], memory: Memory | None = None
    ) -> dict[str, list[Prediction]]: ...

    @overload
    def predict(self, requests: Sequence[str]) -> list[Prediction]: ...


class TextPredictor(Predictor):
    """What every predictor of the package shares: it takes plain strings too, and refuses a head that it does not have."""

    @overload
    def predict(
        self, requests: Mapping[str, Sequence[Any]], memory: Memory | None = None
    ) -> dict[str, list[Prediction]]: ...

    @overload
    def predict(self, requests: Sequence[str]) -> list[Prediction]: ...

    def predict(
        self, requests: Mapping[str, Sequence[Any]] | Sequence[str], memory: Memory | None = None
    ) -> dict[str, list[Prediction]] | list[Prediction]:
        """Answers of each head to its inputs, in order.

        Parameters
        ----------
        requests
            By head name, that task's inputs. Or plain strings: see `answers`.
        memory
            Of the texts read before, kept between calls by the caller; the answers are the same with and without, and
            what reads no text, or is asked nothing twice, has no use for it.

        Raises
        ------
        ModelError
            The model has no such head.
        """
        if not isinstance(requests, Mapping):
            return answers(self, requests)
        check_heads(self, requests)
        return self._predicted(requests, memory)

    @abstractmethod
    def _predicted(
        self, requests: Mapping[str, Sequence[Any]], memory: Memory | None
    ) -> dict[str, list[Prediction]]: ...


def is_marked(text: str) -> bool:
    """Whether the text has any of the markers ``[E1] [/E1] [E2] [/E2]``, plain or typed."""
    return MARKER.search(text) is not None


def answers(predictor: Predictor, texts: Sequence[str]) -> list[Prediction]:
    """One prediction for each text, in order; its ``id`` is the text's 1-based number.

    Parameters
    ----------
    texts
        Marked texts go to the relation head, others to the classification head, or to the entity head where the
        model has none.

    Raises
    ------
    MarkerError
        A marked text's markers are missing, doubled or crossed; the error's ``line`` is the text's number.
    ModelError
        The model has no head for a text.
    """
    requests: dict[str, list[Pair | Sentence]] = {}
    places: list[tuple[str, int]] = []
    for number, text in enumerate(texts, start=1):
        item: Pair | Sentence
        if is_marked(text):
            head = head_of(predictor, "relation")
            try:
                item = parse_marked(text, str(number))
            except InputError as error:
                raise error.at(line=number) from None
        else:
            tasks = [one.task for one in predictor.heads.values()]
            head = head_of(predictor, "classification" if "classification" in tasks else "ner")
            item = Sentence(str(number), str(number), text)
        places.append((head.name, len(requests.setdefault(head.name, []))))
        requests[head.name].append(item)
    found = predictor.predict(requests) if requests else {}
    return [found[name][index] for name, index in places]


def check_heads(predictor: Predictor, asked: Iterable[str]) -> None:
    """Refuse to ask a head that the predictor does not have.

    Raises
    ------
    ModelError
        The model has no such head.
    """
    for name in asked:
        if name not in predictor.heads:
            raise ModelError(f"the model has no head {name!r}", advice=f"it has: {', '.join(predictor.heads)}")


def head_of(predictor: Predictor, task: str, name: str = "") -> Head:
    """The predictor's head for a task; where it has several, the one called ``name``, else the first.

    A published relation classifier whose vocabulary lacks the markers looks like any classifier of texts; asked for
    relations, a model with that one head reads the markers as text.

    Raises
    ------
    ModelError
        It has none.
    """
    fitting = [head for head in predictor.heads.values() if head.task == task]
    if not fitting and task == "relation" and [head.kind for head in predictor.heads.values()] == ["label"]:
        fitting = [as_marker(head) for head in predictor.heads.values()]
    if not fitting:
        has = ", ".join(f"{head.name} ({head.task})" for head in predictor.heads.values())
        raise ModelError(f"the model has no head for {task}", advice=f"it has: {has}")
    return next((head for head in fitting if head.name == name), fitting[0])


def as_marker(head: Head) -> Head:
    """A ``label`` head as it answers pairs: one marked text a pair."""
    return replace(head, task="relation", kind="marker")

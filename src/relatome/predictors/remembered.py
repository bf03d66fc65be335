"""A predictor that is asked nothing twice: for the views of one corpus, which share most of their documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from relatome.predictors.texts import Predictor, TextPredictor
from relatome.tasks.example import Prediction

if TYPE_CHECKING:
    from relatome.predictors.neural import Memory


class Remembered(TextPredictor):
    """Any predictor, with every answer it has given kept: an answer follows from its input alone.

    Parameters
    ----------
    predictor
        It is asked what was not asked before.

    Examples
    --------
    >>> from relatome.predictors import load
    >>> once = Remembered(load("default"))
    >>> first = once.predict(["Aspirin caused bleeding."])
    >>> once.predict(["Aspirin caused bleeding."]) == first  # not read again
    True
    """

    def __init__(self, predictor: Predictor) -> None:
        self.heads, self.source, self.card = predictor.heads, predictor.source, predictor.card
        self._predictor = predictor
        self._known: dict[str, dict[Any, Prediction]] = {}

    def _predicted(self, requests: Mapping[str, Sequence[Any]], memory: Memory | None) -> dict[str, list[Prediction]]:
        known = {name: self._known.setdefault(name, {}) for name in requests}
        new = {
            name: [one for one in dict.fromkeys(inputs) if one not in known[name]] for name, inputs in requests.items()
        }
        for name, found in self._predictor.predict(new, memory).items():
            known[name].update(zip(new[name], found, strict=True))
        return {name: [known[name][one] for one in inputs] for name, inputs in requests.items()}

"""Scores with intervals: numbers only, knowing no model and no corpus.

A scorer is a module with ``NAME``, ``VERSION``, ``score(gold, predicted, ...) -> Report`` and
``measure(gold, predicted, ...) -> Measure``, the same as a function of document weights. ``SCORERS`` names them.
"""

from __future__ import annotations

from types import ModuleType

from relatome.scoring import classification, ner, relations
from relatome.scoring.measure import Measure
from relatome.scoring.score import Report, Score

__all__ = ["SCORERS", "Measure", "Report", "Score"]

SCORERS: dict[str, ModuleType] = {
    ner.NAME: ner,
    relations.NAME: relations,
    classification.NAME: classification,
}

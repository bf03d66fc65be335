"""Scores with intervals: numbers only, knowing no model and no corpus.

A scorer is a module. It has

- ``NAME``, and ``VERSION``, which rises when the same input would score otherwise;
- ``measure(gold, predicted, ...) -> Measure``: its numbers as a function of document weights, so that resampling and
  paired tests know no scorer;
- ``score(gold, predicted, ..., resamples=, seed=) -> Report``: the same with every weight 1, and intervals.

A scorer that ``relatome score`` offers on files also has

- ``read(gold, predicted, *, ...) -> dict``: two paths (``gold`` is ``None`` where one file holds both sides) to the
  arguments of ``measure``. Its keyword parameters are the scorer's options on the command line; what an option cannot
  be, what the files lack, is an error with path and line;
- ``TEXTS``, where the original prints something of its own: a ``--format`` name to a function of the arguments of
  ``measure``, giving that output to the byte.

Bad input is refused through ``offenders``. ``SCORERS`` names the modules; ``tests/data/scoring/NAME`` holds the cases
that each must give back, and must not give back when mutated.
"""

from __future__ import annotations

from types import ModuleType

from relatome.scoring import (
    bioasq,
    biored,
    blurb,
    calibration,
    cdr,
    chemprot,
    classification,
    conll,
    ddi,
    drugprot,
    multilabel,
    ner,
    re_eval,
    relations,
    similarity,
    squad,
    words,
)
from relatome.scoring.measure import Measure
from relatome.scoring.score import Report, Score

__all__ = ["SCORERS", "Measure", "Report", "Score"]

SCORERS: dict[str, ModuleType] = {
    conll.NAME: conll,
    ner.NAME: ner,
    relations.NAME: relations,
    re_eval.NAME: re_eval,
    chemprot.NAME: chemprot,
    drugprot.NAME: drugprot,
    ddi.NAME: ddi,
    cdr.NAME: cdr,
    biored.NAME: biored,
    classification.NAME: classification,
    multilabel.NAME: multilabel,
    words.NAME: words,
    similarity.NAME: similarity,
    bioasq.NAME: bioasq,
    squad.NAME: squad,
    blurb.NAME: blurb,
    calibration.NAME: calibration,
}

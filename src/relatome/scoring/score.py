"""What a scorer answers: numbers with their intervals, and the signature that says how they were counted.

After sacrebleu's ``Score`` and ``Signature`` (https://github.com/mjpost/sacrebleu, ``metrics/base.py``): a number
printed with its signature can be compared next year.

Two conventions hold for every scorer:

- ``class_`` is the class's own name for a per-class number, ``"micro"``, ``"macro"`` or ``"weighted"`` for an average
  over classes (so no class may be called that), and ``None`` for a number that knows no classes, such as accuracy.
- What cannot be computed (0/0) is NaN here and ``null`` in JSON, never a silent 0.0. The same goes for the interval
  where none can be given: no resampling was asked for, or there is a single document.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from relatome.errors import ScoreError, UnknownNameError

SignatureValue: TypeAlias = str | int | float | list[Any]


@dataclass(frozen=True, slots=True)
class Score:
    """One number.

    Parameters
    ----------
    name
        What was measured: ``"precision"``, ``"recall"``, ``"f1"``, ``"accuracy"`` ...
    class_
        The class, the kind of average, or ``None``; ``"class"`` in JSON.
    value
        The number; NaN where it is undefined.
    low, high
        Its 95 % interval; NaN where there is none.
    support
        How many gold items (mentions, relations, rows) it was measured on.

    Examples
    --------
    >>> Score("f1", "Chemical", 0.5, 0.4, 0.6, 12).value
    0.5
    """

    name: str
    class_: str | None
    value: float
    low: float
    high: float
    support: int


@dataclass(frozen=True, slots=True)
class Report:
    """Every number one scorer gave, and the signature they share.

    Examples
    --------
    >>> report = Report((Score("f1", "A", 0.5, 0.4, float("nan"), 12),), {"scorer": "ner"})
    >>> report.value("f1", "A")
    0.5
    >>> print(report.signed({"corpus": "x"}).json())
    {"scores":[{"name":"f1","class":"A","value":0.5,"low":0.4,"high":null,"support":12}],"signature":{"scorer":"ner","corpus":"x"}}
    """

    scores: tuple[Score, ...]
    signature: Mapping[str, SignatureValue]

    def score(self, name: str, class_: str | None = None) -> Score:
        """The score of this name and class.

        Raises
        ------
        UnknownNameError
            With what there is.
        """
        for score in self.scores:
            if (score.name, score.class_) == (name, class_):
                return score
        known = ", ".join(f"{s.name} of {s.class_}" if s.class_ is not None else s.name for s in self.scores)
        asked = f"{name!r} of {class_!r}" if class_ is not None else f"{name!r}"
        raise UnknownNameError(f"unknown score {asked}", advice=f"known: {known}")

    def value(self, name: str, class_: str | None = None) -> float:
        """The value of the score of this name and class; NaN where it is undefined."""
        return self.score(name, class_).value

    def json(self) -> str:
        """The one shape every scorer and command prints, on one line; NaN becomes ``null``."""
        scores = [
            {
                "name": score.name,
                "class": score.class_,
                "value": score.value,
                "low": score.low,
                "high": score.high,
                "support": score.support,
            }
            for score in self.scores
        ]
        shape = _finite({"scores": scores, "signature": dict(self.signature)})
        return json.dumps(shape, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def rows(self) -> tuple[dict[str, str | int | float | None], ...]:
        """One row per class, for tables: ``class``, then ``f1``, ``f1 low``, ``f1 high`` ..., then ``support``.

        Examples
        --------
        >>> Report((Score("f1", "Gene", 0.5, 0.4, 0.6, 12),), {}).rows()
        ({'class': 'Gene', 'f1': 0.5, 'f1 low': 0.4, 'f1 high': 0.6, 'support': 12},)
        """
        rows: dict[str | None, dict[str, str | int | float | None]] = {}
        for score in self.scores:
            row = rows.setdefault(score.class_, {"class": score.class_})
            row |= {score.name: score.value, f"{score.name} low": score.low, f"{score.name} high": score.high}
            row["support"] = row.pop("support", score.support)  # stays last
        return tuple(rows.values())

    def signed(self, more: Mapping[str, SignatureValue]) -> Report:
        """The same scores with more said about them: corpus, version, split hash, entities gold or predicted ...

        Raises
        ------
        ScoreError
            ``more`` contradicts what the signature already says.
        """
        for key, value in more.items():
            if key in self.signature and self.signature[key] != value:
                raise ScoreError(
                    f"the signature already says {key} = {self.signature[key]!r}; it cannot also be {value!r}"
                )
        return replace(self, signature={**self.signature, **more})


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value

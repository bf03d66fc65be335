"""Sets against sets, document by document: what entity and relation scoring have in common.

Both sides say, for each document, a set of items whose last part is a class: (start, end, type) or (head, tail, type).
An item is correct when the very same item stands on the other side. Sets, so what is said twice counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from relatome.scoring import prf
from relatome.scoring.measure import Measure
from relatome.scoring.offenders import same_ids
from relatome.scoring.resampling import Floats, of_sums

Item: TypeAlias = tuple[Any, Any, str]  # two hashable parts, then the class

_AVERAGES = ("micro", "macro")


def set_measure(
    scorer: str,
    version: int,
    gold: Mapping[str, Collection[Item]],
    predicted: Mapping[str, Collection[Item]],
    classes: Sequence[str],
    *,
    what: str,
    match: str,
    averages: Sequence[str] = _AVERAGES,
    formula: Callable[[Floats], Floats] | None = None,
) -> Measure:
    """Precision, recall and F1 per class, micro and macro, as a function of document weights.

    Parameters
    ----------
    classes
        What is scored; items of other classes are left out on both sides.
    what
        The classes in the plural, for messages ("types", "classes").
    match
        What makes an item correct, for the signature.
    averages, formula
        As in ``prf.values``.

    Raises
    ------
    ScoreError
        The sides do not hold the same documents, there is none, or the class list is unusable.
    """
    prf.check_classes(classes, what)
    documents = same_ids(gold, predicted)
    counts = tally([(gold[document], predicted[document]) for document in documents], classes)

    def value(sums: Floats) -> Floats:
        return prf.values(sums.reshape(len(sums), len(classes), 3), averages, formula=formula)

    return Measure(
        scorer=scorer,
        version=version,
        cells=prf.cells(classes, counts.sum(axis=0)[:, 2].tolist(), averages),
        units=documents,
        unit="document",
        value=of_sums(counts.reshape(len(documents), -1), value),
        signature={"match": match, "averaging": ["class", *averages], "classes": list(classes)},
    )


def tally(pairs: Sequence[tuple[Collection[Item], Collection[Item]]], classes: Sequence[str]) -> Floats:
    """(D, K, 3) counts of correct, predicted and gold items of each document, from its (gold, predicted).

    Examples
    --------
    >>> tally([([(0, 4, "Gene")], [(0, 4, "Gene"), (6, 9, "Gene")])], ["Gene"]).tolist()
    [[[1.0, 2.0, 1.0]]]
    """
    index = {name: position for position, name in enumerate(classes)}
    counts = np.zeros((len(pairs), len(classes), 3))
    for row, (gold, predicted) in zip(counts, pairs, strict=True):
        wanted, found = set(map(tuple, gold)), set(map(tuple, predicted))
        for column, items in enumerate((wanted & found, found, wanted)):
            for item in items:
                position = index.get(item[-1])
                if position is not None:
                    row[position, column] += 1
    return counts

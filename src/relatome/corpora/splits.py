"""How rows are divided into train, dev and test. Pure functions: they know no corpus and no file.

``rows`` is the split that published ADE numbers use: scikit-learn's ``train_test_split(test_size=0.3, stratify=labels,
random_state=42)``, then the held-back part in half the same way. Rows that repeat a sentence land on both sides. It is
rebuilt here step by step (``StratifiedShuffleSplit._iter_indices`` and ``_approximate_mode``; numpy's ``RandomState``
stream is frozen), so that the published test rows come out on a machine without scikit-learn. A test compares the two.

``clean`` puts rows that share a document or a sentence, directly or through others, on the same side.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from math import ceil
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shares = tuple[float, float, float]
NAMES = ("train", "dev", "test")


def rows(classes: Sequence[int], *, shares: Shares = (0.7, 0.15, 0.15), seed: int = 42) -> tuple[str, ...]:
    """Each row's split, drawn row by row, with every class in proportion.

    Parameters
    ----------
    classes
        The class of each row. The numbers' order matters: the lower class is drawn first.
    shares
        Of train, dev and test.

    Examples
    --------
    >>> from collections import Counter
    >>> sorted(Counter(rows([0] * 60 + [1] * 40)).items())
    [('dev', 15), ('test', 15), ('train', 70)]
    """
    import numpy as np

    everything = np.arange(len(classes))
    labels = np.asarray(classes)
    train, rest = _stratified(labels, round(shares[1] + shares[2], 10), seed)
    dev, test = _stratified(labels[rest], round(shares[2] / (shares[1] + shares[2]), 10), seed)
    names = np.full(len(classes), "train", dtype=object)
    for name, indices in (("train", everything[train]), ("dev", rest[dev]), ("test", rest[test])):
        names[indices] = name
    return tuple(str(name) for name in names)


def clean(
    keys: Sequence[Iterable[Hashable]], classes: Sequence[int], *, shares: Shares = (0.7, 0.15, 0.15), seed: int = 42
) -> tuple[str, ...]:
    """Each row's split, with rows that share a key kept together and every class as nearly in proportion as can be.

    Parameters
    ----------
    keys
        For each row what it must not share with another split: its document's id, its normalised sentence.
    classes
        The class of each row.

    Examples
    --------
    >>> clean([["pmid 1", "a"], ["pmid 2", "a"], ["pmid 3", "b"]], [0, 0, 0], shares=(0.6, 0.2, 0.2))
    ('train', 'train', 'dev')
    """
    members: dict[int, list[int]] = {}
    for row, component in enumerate(components(keys)):
        members.setdefault(component, []).append(row)
    groups = list(members.values())
    Random(seed).shuffle(groups)
    groups.sort(key=len, reverse=True)  # stable: the large ones first, equals in drawn order
    number = max(classes, default=0) + 1
    total = [classes.count(value) for value in range(number)]
    wanted = [[share * count for count in total] for share in shares]
    given = [[0] * number for _ in shares]
    names = [""] * len(keys)
    for group in groups:
        adds = [0] * number
        for row in group:
            adds[classes[row]] += 1
        # The change of sum((given - wanted)^2 / wanted) over the classes: the split that lacks these rows the most.
        costs = [
            sum(
                add * (add + 2 * (have - want)) / max(want, 1e-9)
                for add, have, want in zip(adds, given[part], wanted[part], strict=True)
                if add
            )
            for part in range(len(shares))
        ]
        part = costs.index(min(costs))
        for value in range(number):
            given[part][value] += adds[value]
        for row in group:
            names[row] = NAMES[part]
    return tuple(names)


def by_document(
    documents: Sequence[Hashable], classes: Sequence[int], *, shares: Shares = (0.7, 0.15, 0.15), seed: int = 42
) -> tuple[str, ...]:
    """Each row's split, with the rows of one document kept together.

    Examples
    --------
    >>> by_document(["1", "1", "2", "3"], [0, 1, 0, 0], shares=(0.5, 0.25, 0.25))
    ('train', 'train', 'dev', 'test')
    """
    return clean([[document] for document in documents], classes, shares=shares, seed=seed)


def components(keys: Sequence[Iterable[Hashable]]) -> tuple[int, ...]:
    """A number for each row, equal for rows that share a key, directly or through other rows.

    Examples
    --------
    >>> components([["a"], ["b"], ["a", "b"], ["c"]])
    (0, 0, 0, 3)
    """
    parent = list(range(len(keys)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[Hashable, int] = {}
    for row, names in enumerate(keys):
        for name in names:
            one, other = sorted((root(first.setdefault(name, row)), root(row)))
            parent[other] = one  # the smaller number stays the root, so that the answer does not depend on order
    return tuple(root(row) for row in range(len(keys)))


def normalised(text: str) -> str:
    """The text as it is compared: lower case, words only, one blank between them.

    Two sentences that differ in case, spacing or punctuation only are the same sentence to a leak.

    Examples
    --------
    >>> normalised("  Drug-induced  QT prolongation (n = 3). ")
    'drug induced qt prolongation n 3'
    """
    return " ".join(_NO_WORD.sub(" ", text.lower()).split())


def _stratified(labels: NDArray[np.int64], held_back: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows kept and held back, in scikit-learn's order (which the second split depends on)."""
    import numpy as np

    random = np.random.RandomState(seed)
    back = ceil(held_back * len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    keep_of = _draws(counts, len(labels) - back, random)
    back_of = _draws(counts - keep_of, back, random)
    kept, held = [], []
    for value, count, keep, take in zip(classes, counts, keep_of, back_of, strict=True):
        shuffled = np.flatnonzero(labels == value)[random.permutation(count)]
        kept.append(shuffled[:keep])
        held.append(shuffled[keep : keep + take])
    return random.permutation(np.concatenate(kept)), random.permutation(np.concatenate(held))


def _draws(counts: NDArray[np.int64], number: int, random: np.random.RandomState) -> NDArray[np.int64]:
    """How many of each class to draw: its share, rounded down, and the rest to the largest remainders."""
    import numpy as np

    exact = counts / counts.sum() * number
    drawn = np.floor(exact)
    missing = int(number - drawn.sum())
    remainders = exact - drawn
    for remainder in np.sort(np.unique(remainders))[::-1]:
        if missing <= 0:
            break
        (equal,) = np.where(remainders == remainder)
        add = min(len(equal), missing)
        drawn[random.choice(equal, size=add, replace=False)] += 1
        missing -= add
    return np.asarray(drawn, dtype=np.int64)


_NO_WORD = re.compile(r"[\W_]+")

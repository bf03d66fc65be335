"""How rows are divided into train, dev and test. Pure functions: they know no corpus and no file.

``rows`` is the split that published ADE numbers use: scikit-learn's ``train_test_split(test_size=0.3, stratify=labels,
random_state=42)``, then the held-back part in half the same way. Rows that repeat a sentence land on both sides. It is
rebuilt here step by step (``StratifiedShuffleSplit._iter_indices`` and ``_approximate_mode``; numpy's ``RandomState``
stream is frozen), so that the published test rows come out on a machine without scikit-learn. A test compares the two.

``clean`` puts rows that share a document or a sentence, directly or through others, on the same side. ``strict`` does so
with near-duplicates too. It is a kind of its own because models were trained on ``clean``'s train rows: to change which
rows those are, under the same name, would put some of them into test and no hash of a published score would fit again.

Near-duplicates are found here without hashing, all of them: by the prefix filter of Chaudhuri et al. 2006 and Bayardo
et al. 2007 (two sets that are alike share one of their rarest members). A split, and the clean part of a score, must
not depend on a random permutation, a library's version or whether it is installed; the audit, which reads far more,
uses MinHash.

References
----------
Chaudhuri, Ganti, Kaushik 2006, A primitive operator for similarity joins in data cleaning, ICDE.
Bayardo, Ma, Srikant 2007, Scaling up all pairs similarity search, WWW.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from math import ceil
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shares = tuple[float, float, float]
NAMES = ("train", "dev", "test")

NEAR = 0.8
"""From which share of words and pairs of neighbours in common (Jaccard) two sentences are near-duplicates: a sentence of
twenty words with another word in one place has 0.86, with two of them 0.73."""

LEAST_WORDS = 5
"""A sentence shorter than this ("A case report.") says nothing about where it comes from, inside a whole abstract."""


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
    return tuple(NAMES[part] for part in _grouped(keys, classes, shares, seed))


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


def folds(
    documents: Sequence[Hashable], classes: Sequence[int], *, number: int = 10, seed: int = 42
) -> tuple[str, ...]:
    """Each row's fold, ``fold-1`` and so on, all of a size, with the rows of one document kept together.

    Examples
    --------
    >>> folds(["1", "1", "2", "3", "4"], [0, 0, 0, 0, 0], number=2)
    ('fold-1', 'fold-1', 'fold-2', 'fold-2', 'fold-1')
    """
    parts = _grouped([[document] for document in documents], classes, [1 / number] * number, seed)
    names = fold_names(number)
    return tuple(names[part] for part in parts)


def fold_names(number: int) -> tuple[str, ...]:
    """``fold-1`` to ``fold-number``."""
    return tuple(f"fold-{one}" for one in range(1, number + 1))


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


def shingles(text: str) -> set[str]:
    """What two normalised texts are compared by: their words, and their pairs of neighbouring words.

    Examples
    --------
    >>> sorted(shingles("rash after gold"))
    ['after', 'after gold', 'gold', 'rash', 'rash after']
    """
    words = text.split()
    return {*words, *(f"{one} {two}" for one, two in pairwise(words))}


def near_duplicates(
    texts: Sequence[str], others: Sequence[str] | None = None, *, least: float = NEAR
) -> Iterator[tuple[int, int]]:
    """Every pair of near-duplicates, by number: within ``texts``, or of a text and one of ``others``.

    Parameters
    ----------
    texts, others
        Normalised, each text once. One of fewer than `LEAST_WORDS` words has no near-duplicate.
    least
        Of `shingles` in common, by Jaccard.

    Examples
    --------
    >>> from string import ascii_lowercase
    >>> words = " ".join(ascii_lowercase[:16])
    >>> list(near_duplicates([words, words + " and more", "aspirin caused a severe bleeding"]))
    [(0, 1)]
    """
    count: Counter[str] = Counter()
    for text in (*texts, *(others or ())):
        count.update(shingles(text))
    rank = {name: number for number, (name, _) in enumerate(sorted(count.items(), key=lambda one: (one[1], one[0])))}
    index: dict[int, list[int]] = {}  # a member among the rarest of a text -> those texts
    known: list[frozenset[int]] = []

    def members(text: str) -> frozenset[int]:
        return frozenset(rank[name] for name in shingles(text)) if _long(text) else frozenset()

    def rarest(found: frozenset[int]) -> list[int]:
        """As many as two sets this alike cannot both be without."""
        return sorted(found)[: len(found) - ceil(least * len(found) - 1e-9) + 1] if found else []

    def put(found: frozenset[int]) -> None:
        known.append(found)
        for name in rarest(found):
            index.setdefault(name, []).append(len(known) - 1)

    for text in others or ():
        put(members(text))
    for number, text in enumerate(texts):
        mine = members(text)
        for other in sorted({other for name in rarest(mine) for other in index.get(name, ())}):
            if alike(mine, known[other], least=least):
                yield (number, other) if others is not None else (other, number)
        if others is None:
            put(mine)


def alike(one: AbstractSet[Any], other: AbstractSet[Any], *, least: float = NEAR) -> bool:
    """Whether two sets have at least this share of their members in common.

    Examples
    --------
    >>> alike({1, 2, 3, 4}, {1, 2, 3, 4, 5}), alike({1, 2, 3}, {1, 2, 3, 4})
    (True, False)
    """
    fewer, more = sorted((len(one), len(other)))
    if fewer < least * more - 1e-9:
        return False
    common = len(one & other)
    return common >= least * (fewer + more - common) - 1e-9


def normalised(text: str) -> str:
    """The text as it is compared: lower case, words only, one blank between them.

    Two sentences that differ in case, spacing or punctuation only are the same sentence to a leak.

    Examples
    --------
    >>> normalised("  Drug-induced  QT prolongation (n = 3). ")
    'drug induced qt prolongation n 3'
    """
    return " ".join(_NO_WORD.sub(" ", text.lower()).split())


def _grouped(
    keys: Sequence[Iterable[Hashable]], classes: Sequence[int], shares: Sequence[float], seed: int
) -> list[int]:
    """The number of each row's part, of as many parts as there are shares."""
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
    parts = [0] * len(keys)
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
            parts[row] = part
    return parts


def _long(text: str) -> bool:
    return text.count(" ") >= LEAST_WORDS - 1


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

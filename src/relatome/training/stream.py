"""The order in which rows are read: shuffled anew each epoch, in batches of like length, resumable at any batch.

The order of an epoch follows from the seed and the epoch's number alone, so `restore` goes straight to a batch; nothing
that was read before is read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from relatome.batches import Row, full_batches


class Stream:
    """Batches of rows without end.

    Parameters
    ----------
    groups
        Rows of each corpus.
    weights
        How many times each corpus is read in an epoch; of a broken number the fraction is drawn at random.
    budget
        Pieces of a batch, padding counted.
    """

    def __init__(self, groups: Sequence[Sequence[Row]], weights: Sequence[float], *, budget: int, seed: int) -> None:
        self.groups = groups
        self.weights = weights
        self.budget = budget
        self.seed = seed
        self._epoch = 0
        self._index = 0
        self._plan = self._order(0)

    @property
    def epoch_batches(self) -> int:
        """Batches of the first epoch; others differ by a few."""
        return len(self._order(0))

    @property
    def pieces(self) -> int:
        """Pieces of the first epoch, without padding; others differ by a few."""
        return sum(self.groups[group][number].pieces for batch in self._order(0) for group, number in batch)

    def batches(self) -> list[list[Row]]:
        """Those of the epoch the stream is in."""
        return [[self.groups[group][number] for group, number in batch] for batch in self._plan]

    def state(self) -> dict[str, int]:
        """Where the stream is: the epoch, and the batch in it that comes next."""
        return {"epoch": self._epoch, "index": self._index}

    def restore(self, state: dict[str, int]) -> None:
        """Go to where `state` was taken."""
        self._epoch, self._index = state["epoch"], state["index"]
        self._plan = self._order(self._epoch)

    def __iter__(self) -> Iterator[list[Row]]:
        return self

    def __next__(self) -> list[Row]:
        if self._index == len(self._plan):
            self._epoch, self._index = self._epoch + 1, 0
            self._plan = self._order(self._epoch)
        batch = self._plan[self._index]
        self._index += 1
        return [self.groups[group][number] for group, number in batch]

    def _order(self, epoch: int) -> list[list[tuple[int, int]]]:
        generator = np.random.default_rng([self.seed, epoch])
        chosen: list[tuple[int, int]] = []
        for group, (rows, weight) in enumerate(zip(self.groups, self.weights, strict=True)):
            whole, part = int(weight), weight - int(weight)
            chosen += [(group, number) for number in range(len(rows))] * whole
            if part:
                picked = generator.permutation(len(rows))[: round(part * len(rows))]
                chosen += [(group, int(number)) for number in picked]
        order = [chosen[int(index)] for index in generator.permutation(len(chosen))]
        lengths = [self.groups[group][number].pieces for group, number in order]
        batches = [[order[index] for index in batch] for batch in full_batches(lengths, self.budget)]
        return [batches[int(index)] for index in generator.permutation(len(batches))]


def times(sizes: Sequence[int], weights: Sequence[float], temperature: float) -> list[float]:
    """How many times each corpus is read in an epoch, for a sampling temperature.

    Corpora are read in proportion to ``weight * size ** (1 / temperature)``, and all together as many rows as at
    temperature 1, where each is read ``weight`` times.

    Examples
    --------
    >>> times([900, 100], [1, 1], 1), times([900, 100], [1, 1], 2)
    ([1.0, 1.0], [0.833..., 2.5])
    """
    if temperature == 1:
        return [float(weight) for weight in weights]
    shares = [weight * size ** (1 / temperature) for size, weight in zip(sizes, weights, strict=True)]
    rows = sum(weight * size for size, weight in zip(sizes, weights, strict=True))
    return [rows * share / sum(shares) / size for size, share in zip(sizes, shares, strict=True)]

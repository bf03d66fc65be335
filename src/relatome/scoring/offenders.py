"""What is wrong with two sides that should describe the same examples: in one line, the first three and how many.

Every scorer refuses bad input with these, so that nothing is ever scored as a silent 0.0 and all say it alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from relatome.errors import ScoreError

SHOWN = 3


def first_of(offenders: Iterable[object]) -> str:
    """The first three, and dots where there are more.

    Examples
    --------
    >>> first_of(["a", "b", "c", "d"]), first_of(["a"])
    ("'a', 'b', 'c' ...", "'a'")
    """
    return listed([repr(offender if isinstance(offender, str) else str(offender)) for offender in offenders])


def listed(places: Sequence[object]) -> str:
    """The same of what is not a name: rows, or names with their lines.

    Examples
    --------
    >>> listed([3, 4, 5, 9]), listed(["'B' (line 3)"])
    ('3, 4, 5 ...', "'B' (line 3)")
    """
    return ", ".join(map(str, places[:SHOWN])) + (" ..." if len(places) > SHOWN else "")


def needed(gold: str | None, advice: str = "--gold FILE") -> str:
    """The gold's file, where a scorer cannot do without.

    Raises
    ------
    ScoreError
        It was not given.
    """
    if gold is None:
        raise ScoreError("the gold is needed", advice=advice)
    return gold


def counted(number: int, noun: str) -> str:
    """A number and its noun with the verb: what is said of one is said of many.

    Examples
    --------
    >>> counted(1, "document"), counted(1200, "id")
    ('1 document is', '1,200 ids are')
    """
    return f"{number:,} {noun} is" if number == 1 else f"{number:,} {noun}s are"


def same_ids(gold: Collection[str], predicted: Collection[str], noun: str = "document") -> tuple[str, ...]:
    """The ids that both sides hold, sorted, so that the order of reading moves no interval.

    Raises
    ------
    ScoreError
        Ids are missing on one side, or there are none at all.
    """
    sides = (
        ("the gold but not in the predictions", sorted(set(gold) - set(predicted))),
        ("the predictions but not in the gold", sorted(set(predicted) - set(gold))),
    )
    problems = [f"{counted(len(ids), noun)} in {where}: {first_of(ids)}" for where, ids in sides if ids]
    if problems:
        raise ScoreError("; ".join(problems), advice=f"give every {noun} on both sides, without items if it has none")
    if not gold:
        raise ScoreError(f"there are no {noun}s to score")
    return tuple(sorted(gold))


def once(ids: Iterable[str], noun: str = "document", *, where: str = "the predictions") -> None:
    """Refuses an id that stands there twice.

    Raises
    ------
    ScoreError
        With the first three.
    """
    twice = [identity for identity, times in Counter(ids).items() if times > 1]
    if twice:
        raise ScoreError(
            f"{counted(len(twice), noun)} more than once in {where}: {first_of(twice)}", advice=f"give each {noun} once"
        )


def same_length(gold: Sequence[object], predicted: Sequence[object], nouns: str = "rows") -> int:
    """How many rows both sides have.

    Raises
    ------
    ScoreError
        They have different numbers of rows, or none.
    """
    if len(gold) != len(predicted):
        raise ScoreError(
            f"the gold has {len(gold):,} {nouns} and the predictions have {len(predicted):,}",
            advice="give one for each, in the same order",
        )
    if not gold:
        raise ScoreError(f"there are no {nouns} to score")
    return len(gold)


def known(names: Sequence[str], allowed: Collection[str], noun: str, *, where: Sequence[object] | None = None) -> None:
    """Refuses names that are not in a list; the list is never extended from what is found.

    Parameters
    ----------
    where
        Of each name, its row or id, told with it; rows counted from 1 when left out.

    Raises
    ------
    ScoreError
        With the first three and the list.
    """
    unknown = [index for index, name in enumerate(names) if name not in allowed]
    if unknown:
        places = ["row " + str(index + 1) if where is None else str(where[index]) for index in unknown[:SHOWN]]
        shown = ", ".join(f"{names[index]!r} ({place})" for index, place in zip(unknown, places, strict=False))
        raise ScoreError(
            f"{counted(len(unknown), noun)} not in the list: {shown}" + (" ..." if len(unknown) > SHOWN else ""),
            advice="the list: " + ", ".join(map(repr, allowed)),
        )


def some(found: Mapping[str, Collection[object]] | Collection[object], what: str, *, path: object = None) -> None:
    """Refuses a side on which there is nothing at all: an empty file is a mistake, not a score of 0.

    Raises
    ------
    ScoreError
        With the file.
    """
    if not (any(found.values()) if isinstance(found, Mapping) else found):
        raise ScoreError(
            f"there are no {what}", path=None if path is None else str(path), advice="is it the right file?"
        )

"""Chunks in columns of tags: the numbers of ``conlleval.pl``, and its output to the byte.

conlleval (Tjong Kim Sang, version 2004-01-26, https://www.clips.uantwerpen.be/conll2000/chunking/conlleval.txt) walks
through the tokens and asks at each border whether a chunk ends or starts there, from the two tags beside it. The two
tables of its rules (``_STARTS``, ``_ENDS``) read IOB1, IOB2 and any mixture a tagger produces. Here they are applied to
all borders at once. What follows from the rules, and is kept:

- a chunk is right when it starts at the same border with the same type on both sides and ends at the same border;
- ``E`` and ``B`` of one type side by side are one chunk, and ``S`` has no rule at all: IOBES is scored by ``ner``;
- an ``O`` may carry a type (``O-MISC``, as BioBERT's detokeniser writes); it counts for the accuracy only;
- a type of ``0`` is no type, since Perl takes it for false, and an empty type is printed twice where both sides have it.

What it prints as 0.00 where nothing can be divided is NaN in the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from relatome.errors import ScoreError, SettingsError
from relatome.scoring import columns, offenders, prf
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums
from relatome.scoring.score import Report

NAME = "conll"
VERSION = 1

Tags: TypeAlias = Sequence[Sequence[str]]  # of each sentence, its tags
Bools: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.intp]

_PREFIXES = ("O", "B", "I", "E", ".", "[", "]")


def score(
    gold: Tags,
    predicted: Tags,
    *,
    raw: bool = False,
    outside: str = "O",
    bare: str | None = None,
    documents: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Token accuracy, and precision, recall and F1 of chunks, per type and overall, as ``conlleval.pl`` counts.

    Parameters
    ----------
    gold, predicted
        The tags of each sentence, ``B-Chemical``; both sides have the same sentences and tokens.
    raw
        Tags are types without ``B-`` and ``I-``; each token is a chunk of its own (conlleval's ``-r``).
    outside
        With ``raw``, the tag that means outside (conlleval's ``-o``).
    bare
        The type of tags that are a bare ``B`` or ``I``, which are refused without it; ``""`` is conlleval's way.
    documents
        The document of each sentence: documents are then resampled, with all their sentences.
    resamples
        Of documents or sentences, for the intervals; 0 gives none.
    seed
        The same seed gives the same intervals.

    Raises
    ------
    ScoreError
        The sides have different sentences or tokens, there is none, or a tag is not one.

    Examples
    --------
    >>> gold = [["B-Drug", "I-Drug", "O"], ["B-Gene", "O"]]
    >>> predicted = [["B-Drug", "O", "O"], ["I-Gene", "O"]]
    >>> report = score(gold, predicted)
    >>> report.value("accuracy"), report.value("f1", "Gene"), report.value("f1", "micro")
    (0.6, 1.0, 0.5)
    """
    measured = measure(gold, predicted, raw=raw, outside=outside, bare=bare, documents=documents)
    return measured.report(resamples=resamples, seed=seed)


def measure(
    gold: Tags,
    predicted: Tags,
    *,
    raw: bool = False,
    outside: str = "O",
    bare: str | None = None,
    documents: Sequence[str] | None = None,
) -> Measure:
    """The same as a function of document (or sentence) weights, for comparing two runs; parameters as in ``score``."""
    found = _chunks(gold, predicted, raw=raw, outside=outside, bare=bare)
    types = [name for name in found.types if found.of_type(name).any()]
    if not types:
        raise ScoreError(
            "no tag of either side begins a chunk", advice="tags are written B-TYPE; raw ones need raw=True, --raw"
        )
    prf.check_classes(types, "chunk types")
    if documents is None:
        units, unit_of = tuple(map(str, range(1, len(gold) + 1))), np.arange(len(gold))
    else:
        offenders.same_length(gold, documents, "sentences")
        units = tuple(sorted(set(documents)))
        place = {name: number for number, name in enumerate(units)}
        unit_of = np.array([place[name] for name in documents], dtype=np.intp)
    counts = found.by_unit(unit_of, len(units), types)

    def value(sums: Floats) -> Floats:
        right, tokens = sums[:, -2:-1], sums[:, -1:]
        chunks = sums[:, :-2].reshape(len(sums), len(types), 3)
        return np.concatenate((prf.ratio(right, tokens), prf.values(chunks, ("micro",))), axis=1)

    support = counts[:, 2:-2:3].sum(axis=0).tolist()
    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=(Cell("accuracy", None, found.tokens), *prf.cells(types, support, ("micro",))),
        units=units,
        unit="sentence" if documents is None else "document",
        value=of_sums(counts, value),
        signature={
            "match": "conlleval 2004-01-26" + (", raw" if raw else ""),
            "averaging": ["type", "micro"],
            "classes": types,
        },
    )


def text(
    gold: Tags, predicted: Tags, *, raw: bool = False, outside: str = "O", bare: str | None = None, **_: object
) -> str:
    """What ``conlleval.pl`` prints, to the byte; parameters as in ``score``.

    Examples
    --------
    >>> print(text([["B-Drug", "O"]], [["B-Drug", "B-Gene"]]), end="")
    processed 2 tokens with 1 phrases; found: 2 phrases; correct: 1.
    accuracy:  50.00%; precision:  50.00%; recall: 100.00%; FB1:  66.67
                 Drug: precision: 100.00%; recall: 100.00%; FB1: 100.00  1
                 Gene: precision:   0.00%; recall:   0.00%; FB1:   0.00  1
    """
    found = _chunks(gold, predicted, raw=raw, outside=outside, bare=bare)
    correct, guessed, wanted = found.total()
    lines = [f"processed {found.tokens} tokens with {wanted} phrases; found: {guessed} phrases; correct: {correct}."]
    if found.tokens:
        precision, recall, f1 = _percent(correct, guessed, wanted)
        lines.append(
            f"accuracy: {100 * found.right / found.tokens:6.2f}%; precision: {precision:6.2f}%; "
            f"recall: {recall:6.2f}%; FB1: {f1:6.2f}"
        )
    for name in found.printed():
        correct, guessed, wanted = found.of_type(name).tolist()
        precision, recall, f1 = _percent(correct, guessed, wanted)
        lines.append(
            f"{_padded(name, 17, right=True)}: precision: {precision:6.2f}%; recall: {recall:6.2f}%; "
            f"FB1: {f1:6.2f}  {guessed}"
        )
    return "\n".join(lines) + "\n"


def latex(
    gold: Tags, predicted: Tags, *, raw: bool = False, outside: str = "O", bare: str | None = None, **_: object
) -> str:
    """What ``conlleval.pl -l`` prints, to the byte; parameters as in ``score``."""
    found = _chunks(gold, predicted, raw=raw, outside=outside, bare=bare)
    rows = [r"        & Precision &  Recall  & F$_{\beta=1} \\\hline"]
    for name in found.printed():
        precision, recall, f1 = _percent(*found.of_type(name).tolist())
        rows.append(rf"{_padded(name, 7)} &  {precision:6.2f}\% & {recall:6.2f}\% & {f1:6.2f} \\")
    precision, recall, f1 = _percent(*found.total())
    return (
        "\n".join(rows) + "\\hline\n" + rf"Overall &  {precision:6.2f}\% & {recall:6.2f}\% & {f1:6.2f} \\\hline" + "\n"
    )


TEXTS: Mapping[str, Callable[..., str]] = {"conlleval": text, "latex": latex}


def read(
    gold: str | None,
    predicted: str,
    *,
    raw: bool = False,
    delimiter: str | None = None,
    outside: str | None = None,
    bare: str | None = None,
) -> dict[str, Any]:
    """The arguments of ``measure`` from one file with both tags, or from two whose last columns are the tags.

    Parameters
    ----------
    gold
        ``None``: the last two columns of ``predicted`` are the gold tag and the predicted one, as conlleval reads.
    raw, outside, bare
        As in ``score``.
    delimiter
        What stands between columns, a regular expression as in conlleval's ``-d``; a tab where the file's first
        tokens have one and else a blank.

    Raises
    ------
    InputError
        A file cannot be read, or its lines have different numbers of columns.
    ScoreError
        The two files do not hold the same tokens, a tag is not one, or the gold has no chunk.
    """
    if outside is not None and not raw:
        raise SettingsError(["an outside tag is only asked for with raw tags: add --raw, or leave --outside out"])
    options: dict[str, Any] = {"raw": raw, "outside": outside or "O", "bare": bare}
    first, *sides = columns.sides_of(gold, predicted, delimiter=delimiter)
    try:
        found = _chunks(*sides, **options)
    except ScoreError as problem:
        raise problem.at(path=first.path) from None
    if not found.total()[2]:
        raise ScoreError(
            f"no gold tag begins a chunk: every one of {found.tokens:,} is outside",
            path=first.path,
            advice="which column is the gold? the last but one, or the last of the file given with --gold",
        )
    return {"gold": sides[0], "predicted": sides[1], **options, "documents": first.documents()}


# ------------------------------------------------------------------------------------------------- counting chunks


@dataclass(frozen=True, slots=True)
class _Chunks:
    """Where chunks start on either side and which of them are right: a sentence and a type for each."""

    types: tuple[str, ...]
    sentences: int
    tokens: int
    right: int
    right_in: Floats  # of each sentence, tokens with the right tag, and all
    events: tuple[tuple[Ints, Ints], tuple[Ints, Ints], tuple[Ints, Ints]]  # correct, predicted, gold: sentence, type

    def of_type(self, name: str) -> Ints:
        """Correct, predicted and gold chunks of a type."""
        code = self.types.index(name)
        return np.array([np.count_nonzero(types == code) for _, types in self.events])

    def total(self) -> tuple[int, int, int]:
        """Correct, predicted and gold chunks."""
        correct, predicted, gold = (len(types) for _, types in self.events)
        return correct, predicted, gold

    def printed(self) -> Iterator[str]:
        """The types in conlleval's order, by bytes; an empty one for each side that has it, as its sorting leaves it."""
        for name in sorted(self.types, key=str.encode):
            _, predicted, gold = self.of_type(name).tolist()
            yield from repeat(name, (predicted > 0) + (gold > 0) if name == "" else int(predicted > 0 or gold > 0))

    def by_unit(self, unit_of: Ints, units: int, types: Sequence[str]) -> Floats:
        """(units, 3 * types + 2): correct, predicted, gold of each type, then right tags and tokens."""
        column = np.full(len(self.types), -1)
        for number, name in enumerate(types):
            column[self.types.index(name)] = number
        counts = np.zeros((units, 3 * len(types) + 2))
        for part, (sentences, codes) in enumerate(self.events):
            np.add.at(counts, (unit_of[sentences], 3 * column[codes] + part), 1)
        np.add.at(counts[:, -2:], unit_of, self.right_in)
        return counts


def _chunks(gold: Tags, predicted: Tags, *, raw: bool, outside: str, bare: str | None) -> _Chunks:
    """Both sides' chunks; a blank line, which is outside, after each sentence."""
    lengths = _lengths(gold, predicted)
    names: dict[str, int] = {}
    codes = [_codes(side, names) for side in (gold, predicted)]
    prefixes, types, type_names = _parsed(names, raw=raw, outside=outside, bare=bare)
    _refuse_unknown(prefixes, list(names), codes, raw=raw)
    ends_at = np.cumsum(lengths)
    blank = ends_at + np.arange(len(lengths))  # where the blank lines stand once they are there
    sentence = np.repeat(np.arange(len(lengths)), lengths + 1)
    is_token = np.ones(len(sentence), dtype=bool)
    is_token[blank] = False
    starts, ends, kinds, letters = [], [], [], []
    for side in codes:
        letter, kind = np.zeros(len(sentence), dtype=np.intp), np.full(len(sentence), type_names[""])
        letter[is_token], kind[is_token] = prefixes[side], types[side]
        before, kind_before = np.concatenate(([0], letter[:-1])), np.concatenate(([type_names[""]], kind[:-1]))
        other = kind != kind_before
        starts.append(_STARTS[before, letter] | (other & _TYPED[letter]))
        ends.append(_ENDS[before, letter] | (other & _TYPED[before]))
        kinds.append(kind)
        letters.append(letter)
    same_kind = kinds[0] == kinds[1]
    right = same_kind & (letters[0] == letters[1]) & is_token
    right_in = np.stack((np.bincount(sentence[right], minlength=len(lengths)), lengths), axis=1).astype(np.float64)
    begun = starts[0] & starts[1] & same_kind
    last = _correct_ends(begun, ends[0], ends[1], same_kind)
    events = (
        (sentence[last], kinds[0][last]),
        (sentence[starts[1]], kinds[1][starts[1]]),
        (sentence[starts[0]], kinds[0][starts[0]]),
    )
    return _Chunks(tuple(type_names), len(lengths), int(lengths.sum()), int(np.count_nonzero(right)), right_in, events)


def _correct_ends(begun: Bools, ends_gold: Bools, ends_predicted: Bools, same_kind: Bools) -> Ints:
    """The last positions of the chunks that are right: begun on both sides, and nothing until both end."""
    broken = ends_gold | ends_predicted | ~same_kind
    position = np.arange(len(begun))
    last_begun = np.maximum.accumulate(np.where(begun, position, -1))
    last_broken = np.maximum.accumulate(np.where(broken, position, -1))
    running = (last_begun >= 0) & (last_begun >= last_broken)  # after each position: a chunk is right until now
    closed = running[:-1] & ends_gold[1:] & ends_predicted[1:]
    found: Ints = np.flatnonzero(np.concatenate((closed, running[-1:])))  # the file's end closes what is open
    return found


def _lengths(gold: Tags, predicted: Tags) -> Ints:
    for what, side in (("gold", gold), ("predicted", predicted)):
        if isinstance(side, str) or any(isinstance(tags, str) for tags in side):
            raise ScoreError(f"the {what} tags are one string", advice="give a list of tags for each sentence")
    offenders.same_length(gold, predicted, "sentences")
    lengths = np.fromiter(map(len, gold), dtype=np.intp, count=len(gold))
    others = np.fromiter(map(len, predicted), dtype=np.intp, count=len(gold))
    different = np.flatnonzero(lengths != others).tolist()
    if different:
        shown = offenders.listed([f"sentence {i + 1} ({lengths[i]} and {others[i]})" for i in different])
        raise ScoreError(
            f"{offenders.counted(len(different), 'sentence')} of different lengths in gold and predictions: {shown}",
            advice="give one tag for each token, in the same order",
        )
    if not lengths.sum():
        raise ScoreError("there are no tokens to score")
    return lengths


def _codes(side: Tags, names: dict[str, int]) -> Ints:
    """One number for each tag of a side, new ones being added to the names."""
    flat = list(chain.from_iterable(side))
    for name in dict.fromkeys(flat):
        names.setdefault(name, len(names))
    return np.fromiter(map(names.__getitem__, flat), dtype=np.intp, count=len(flat))


def _parsed(
    names: Mapping[str, int], *, raw: bool, outside: str, bare: str | None
) -> tuple[Ints, Ints, dict[str, int]]:
    """Of each tag, the number of its prefix (-1 where it is none) and of its type; and the types' names."""
    prefixes, types = np.empty(len(names), dtype=np.intp), np.empty(len(names), dtype=np.intp)
    type_names = {"": 0}
    for tag, code in names.items():
        if raw:
            tag = "O" if tag in (outside, "O") else f"B-{tag}"
        prefix, _, kind = tag.partition("-")
        kind = "" if kind == "0" else kind
        if not kind and prefix != "O":
            kind = bare or ""
        usable = prefix in _PREFIXES and (prefix == "O" or kind or bare == "")
        prefixes[code] = _PREFIXES.index(prefix) if usable else -1
        types[code] = type_names.setdefault(kind, len(type_names))
    return prefixes, types, type_names


def _refuse_unknown(prefixes: Ints, names: Sequence[str], codes: Sequence[Ints], *, raw: bool) -> None:
    for what, side in zip(("gold", "predicted"), codes, strict=True):
        bad = np.flatnonzero(prefixes[side] < 0).tolist()
        if not bad:
            continue
        shown = offenders.listed([f"{names[side[i]]!r} (token {i + 1:,})" for i in bad])
        tags = {names[side[i]] for i in bad}
        if {tag.partition("-")[0] for tag in tags} <= set(_PREFIXES):
            advice = "give the type of bare tags: --bare NAME"
        elif any(tag.startswith("S") for tag in tags):
            advice = "conlleval has no rule for S; IOBES is scored by: relatome score ner --scheme IOBES"
        else:
            advice = "a tag is O, or B-, I-, E- and a type" + ("" if raw else "; tags that are types alone need --raw")
        raise ScoreError(
            f"{len(bad):,} {what} tag{'s are' if len(bad) > 1 else ' is'} none that conlleval can read: {shown}",
            advice=advice,
        )


def _table(pairs: str) -> Bools:
    """Pairs of prefixes, the one before a border and the one after it, as a table."""
    table = np.zeros((len(_PREFIXES), len(_PREFIXES)), dtype=bool)
    for pair in pairs.split():
        before, after = pair[0], pair[1]
        table[_PREFIXES.index(before), _PREFIXES.index(after)] = True
    return table


_STARTS = _table("BB IB OB OI EE EI OE")
_ENDS = _table("BB BO IB IO EE EI EO")
_STARTS[:, [_PREFIXES.index("["), _PREFIXES.index("]")]] = True  # chunks of one token
_ENDS[[_PREFIXES.index("["), _PREFIXES.index("]")], :] = True
_TYPED = np.array([prefix not in "O." for prefix in _PREFIXES])  # another type beside it is a border too


def _percent(correct: int, guessed: int, wanted: int) -> tuple[float, float, float]:
    """Precision, recall and F1 in conlleval's own order of operations, so that the last digit rounds alike."""
    precision = 100 * correct / guessed if guessed else 0.0
    recall = 100 * correct / wanted if wanted else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _padded(name: str, width: int, *, right: bool = False) -> str:
    """A name padded to a width in bytes, which is what Perl counts."""
    padding = " " * (width - len(name.encode()))
    return padding + name if right else name + padding

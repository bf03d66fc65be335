"""Word-level F1 of tagged text: EBM-PICO's macro F1 over participants, interventions and outcomes, as BLURB counts it.

Each word is a row with one class; "B-" and "I-" before it are dropped, and the class ``O`` counts in no average. Documents are
resampled. The macro F1 is the mean over the classes; with ``classes`` left out, over all that the gold has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from relatome.errors import FormatError, ScoreError
from relatome.formats.files import numbered, shown
from relatome.scoring import classification, offenders
from relatome.scoring.measure import Measure
from relatome.scoring.resampling import RESAMPLES
from relatome.scoring.score import Report

NAME = "words"
VERSION = 1

_OUTSIDE = "O"


def score(
    gold: Mapping[str, Sequence[str]],
    predicted: Mapping[str, Sequence[str]],
    *,
    classes: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Precision, recall and F1 of words.

    Parameters
    ----------
    gold, predicted
        The tags of each document's words.
    classes
        Those counted; all that the gold has when left out. Words of others count as ``O``.

    Raises
    ------
    ScoreError
        Documents or words are missing on a side, or the gold has no class but ``O``.

    Examples
    --------
    >>> gold = {"1": ["I-PAR", "I-PAR", "O", "I-OUT"]}
    >>> report = score(gold, {"1": ["I-PAR", "O", "O", "I-OUT"]})
    >>> report.value("f1", "OUT"), round(report.value("f1", "PAR"), 4), round(report.value("f1", "macro"), 4)
    (1.0, 0.6667, 0.8333)
    """
    return measure(gold, predicted, classes=classes).report(resamples=resamples, seed=seed)


def measure(
    gold: Mapping[str, Sequence[str]],
    predicted: Mapping[str, Sequence[str]],
    *,
    classes: Sequence[str] | None = None,
) -> Measure:
    """The same as a function of document weights, for comparing two runs; parameters as in ``score``."""
    ids = offenders.same_ids(gold, predicted)
    uneven = [identity for identity in ids if len(gold[identity]) != len(predicted[identity])]
    if uneven:
        raise ScoreError(
            f"{offenders.counted(len(uneven), 'document')} of different numbers of words on the two sides: "
            + offenders.first_of(uneven)
        )
    truth = [_class(tag) for identity in ids for tag in gold[identity]]
    names = sorted(set(truth) - {_OUTSIDE}) if classes is None else list(classes)
    if not names or not set(truth) & set(names):
        raise ScoreError(
            "the gold has no word of " + (f"the classes {', '.join(names)}" if names else "any class but O")
        )
    known = set(names)
    measured = classification.measure(
        [name if name in known else _OUTSIDE for name in truth],
        [name if (name := _class(tag)) in known else _OUTSIDE for identity in ids for tag in predicted[identity]],
        labels=[*names, _OUTSIDE],
        counted=names,
        groups=[identity for identity in ids for _ in gold[identity]],
    )
    return Measure(
        NAME, VERSION, measured.cells, measured.units, measured.unit, measured.value,
        {**measured.signature, "match": "word"},
    )  # fmt: skip


def read(gold: str | None, predicted: str, *, classes: Sequence[str] | None = None) -> dict[str, Any]:
    """The arguments of ``measure`` from columns: a word and its tag a line, an empty line after a document's last.

    One file may hold both sides: its last two columns are gold and predicted. Two files must have the same words.

    Raises
    ------
    InputError
        A line has too few columns, or the two files do not have the same words.
    ScoreError
        There are no words.
    """
    if gold is None:
        blocks = _blocks(predicted, 3)
        sides = [[[row[column] for row in block] for block in blocks] for column in (-2, -1)]
    else:
        both = [_blocks(path, 2) for path in (gold, predicted)]
        for number, (one, other) in enumerate(zip(*both, strict=False), 1):
            differing = next((a[0] for a, b in zip(one, other, strict=False) if a[0] != b[0]), None)
            if differing is not None:
                raise FormatError(
                    f"block {number} has other words than the gold: {differing!r} there", path=shown(predicted),
                    advice="both files must have the same words in the same order",
                )  # fmt: skip
        sides = [[[row[-1] for row in block] for block in blocks] for blocks in both]
        if len(sides[0]) != len(sides[1]):
            raise ScoreError(f"the gold has {len(sides[0]):,} blocks and the predictions have {len(sides[1]):,}")
    truth, answer = ({str(number): tags for number, tags in enumerate(side, 1)} for side in sides)
    return {"gold": truth, "predicted": answer, "classes": classes}


def _blocks(path: str, columns: int) -> list[list[list[str]]]:
    blocks: list[list[list[str]]] = [[]]
    for line in numbered(path):
        cells = line.text.split()
        if not cells:
            if blocks[-1]:
                blocks.append([])
        elif len(cells) < columns:
            raise FormatError(
                f"expected {columns} columns or more (a word and its tags), found {len(cells)}",
                path=shown(path), line=line.number,
            )  # fmt: skip
        else:
            blocks[-1].append(cells)
    found = [block for block in blocks if block]
    offenders.some(found, "words", path=path)
    return found


def _class(tag: str) -> str:
    return re.sub(r"^[BIES]-", "", tag)

"""SQuAD: exact match and token F1 of one answer a question, with the official normalisation; 2.0's empty answer too.

An answer is lower-cased, its ASCII punctuation taken out, then the words *a*, *an*, *the*, then blanks made one. Of several
gold answers the one that fits best counts. A question without a gold answer (2.0) is right only when nothing is
answered. The numbers here are shares; the official scripts print percentages, and so do ``--format squad`` (1.1's
line) and ``--format squad-v2``.

References
----------
Rajpurkar et al. 2016 (https://arxiv.org/abs/1606.05250) and 2018 (https://arxiv.org/abs/1806.03822), ``evaluate-v1.1.py``
and ``evaluate-v2.0.py`` at https://rajpurkar.github.io/SQuAD-explorer/
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from relatome.errors import FormatError
from relatome.formats.files import shown
from relatome.formats.jsonvalues import JsonReader
from relatome.scoring import offenders
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.prf import ratio
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums
from relatome.scoring.score import Report

NAME = "squad"
VERSION = 1

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_PARTS = (None, "answerable", "unanswerable")


def score(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Report:
    """Exact match and F1, of all questions and of those with and without an answer.

    Parameters
    ----------
    gold
        The answers of each question; none where it cannot be answered.
    predicted
        One answer to each; empty for "it cannot be answered".

    Raises
    ------
    ScoreError
        A question is on one side only, or there is none.

    Examples
    --------
    >>> report = score({"1": ["the TNF-alpha pathway", "TNF"], "2": []}, {"1": "TNF-alpha", "2": ""})
    >>> report.value("exact"), round(report.value("f1"), 4), report.value("exact", "unanswerable")
    (0.5, 0.8333, 1.0)
    """
    return measure(gold, predicted).report(resamples=resamples, seed=seed)


def measure(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str]) -> Measure:
    """The same as a function of question weights, for comparing two runs; parameters as in ``score``."""
    ids = offenders.same_ids(gold, predicted, "question")
    table = np.array([_counts(gold[identity], predicted[identity]) for identity in ids])
    support = dict(zip(_PARTS, (int(table[:, 3 * part].sum()) for part in range(3)), strict=True))

    def value(sums: Floats) -> Floats:
        return np.concatenate(
            [ratio(sums[:, at + 1 : at + 3], np.repeat(sums[:, at : at + 1], 2, axis=1)) for at in (0, 3, 6)], axis=1
        )

    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=tuple(Cell(name, part, support[part]) for part in _PARTS for name in ("exact", "f1")),
        units=ids,
        unit="question",
        value=of_sums(table, value),
        signature={"match": "normalised as in SQuAD, best gold answer", "averaging": ["question"]},
    )


def read(gold: str | None, predicted: str) -> dict[str, Any]:
    """The arguments of ``measure`` from a SQuAD file and an object of answers by question id.

    An answer may be a list of candidates, best first, as ``nbest_predictions.json`` has them.

    Raises
    ------
    InputError
        A file cannot be read as such JSON.
    ScoreError
        A question stands twice, or a file has none.
    """
    gold = offenders.needed(gold)
    return {"gold": _gold(gold), "predicted": _predicted(predicted)}


def normalised(text: str) -> str:
    """An answer as it is compared.

    Examples
    --------
    >>> normalised("The  TNF-α (a cytokine)")
    'tnfα cytokine'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def official(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str]) -> str:
    """What ``evaluate-v1.1.py`` prints."""
    rows = [_counts(gold[identity], predicted[identity]) for identity in gold]
    exact, f1 = (100.0 * sum(row[column] for row in rows) / len(rows) for column in (1, 2))
    return json.dumps({"exact_match": exact, "f1": f1}) + "\n"


def official_v2(gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str]) -> str:
    """What ``evaluate-v2.0.py`` prints."""
    rows = [_counts(gold[identity], predicted[identity]) for identity in gold]
    found: dict[str, float] = {}
    for name, part in (("", 0), ("HasAns_", 1), ("NoAns_", 2)):
        some = [row[3 * part :][:3] for row in rows if row[3 * part]]
        if some:
            found[f"{name}exact"] = 100.0 * sum(row[1] for row in some) / len(some)
            found[f"{name}f1"] = 100.0 * sum(row[2] for row in some) / len(some)
            found[f"{name}total"] = len(some)
    return json.dumps(found, indent=2) + "\n"


def _counts(answers: Sequence[str], answer: str) -> list[float]:
    """Of one question: [1, exact, f1] for all, and the same for those with and those without an answer."""
    golds = [text for text in map(normalised, answers) if text] or [""]
    found = normalised(answer)
    numbers = [1.0, float(any(found == text for text in golds)), max(_f1(text, found) for text in golds)]
    nothing = [0.0, 0.0, 0.0]
    return [*numbers, *(nothing if golds == [""] else numbers), *(numbers if golds == [""] else nothing)]


def _f1(gold: str, found: str) -> float:
    one, other = gold.split(), found.split()
    if not one or not other:  # no answer is right or wrong, nothing between
        return float(one == other)
    same = sum((Counter(one) & Counter(other)).values())
    if not same:
        return 0.0
    precision, recall = same / len(other), same / len(one)
    return 2 * precision * recall / (precision + recall)


def _gold(path: str) -> dict[str, list[str]]:
    reader = JsonReader(path)
    value = reader.value()
    if reader.peek():
        raise reader.problem("expected the end of the file")
    found: list[tuple[str, list[str]]] = []
    try:
        for article in value["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    texts = [str(answer["text"]) for answer in question.get("answers") or []]
                    found.append((str(question["id"]), texts))
    except (KeyError, TypeError, IndexError, AttributeError) as problem:
        raise FormatError(
            f"this is not SQuAD's JSON (data, paragraphs, qas, id, answers): {type(problem).__name__} {problem}",
            path=shown(path),
        ) from None
    offenders.once([identity for identity, _ in found], "question", where=shown(path))
    offenders.some(found, "questions", path=path)
    return dict(found)


def _predicted(path: str) -> dict[str, str]:
    reader = JsonReader(path)
    found: list[tuple[str, str]] = []
    for identity in reader.walk_object():
        line, value = reader.line, reader.value()
        if isinstance(value, list):
            first = value[0] if value else ""
            value = first.get("text") if isinstance(first, dict) else first
        if not isinstance(value, str):
            raise FormatError(
                f"expected a text as the answer to {identity!r}, found {json.dumps(value)[:60]}",
                path=shown(path),
                line=line,
            )
        found.append((identity, value))
    if reader.peek():
        raise reader.problem("expected the end of the file")
    offenders.once([identity for identity, _ in found], "question", where=shown(path))
    offenders.some(found, "answers", path=path)
    return dict(found)


TEXTS = {"squad": official, "squad-v2": official_v2}

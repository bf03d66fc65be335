"""BioASQ phase B, exact answers: yes/no, factoid and list questions, as the Java evaluator counts since BioASQ 5.

- Yes/no: accuracy, F1 of yes and of no, and their mean. An answer that holds "yes" is yes, else one that holds "no" is no.
- Factoid: strict accuracy (the first answer is right), lenient (one of five is), mean reciprocal rank. More than five
  answers may not be given; what stands after the fifth is not looked at.
- List: precision, recall and F1 of each question, then their means over questions.

Texts are compared in lower case, to the letter. The gold gives synonyms of each item, any of which is right; of an
answer's own synonyms only the first counts. Each gold item is matched once, and a gold item that is left but shares a
name with a matched one is not missed (the Java code looks it up among the answers a second time; reproduced).

A question without a response is left out, as there, and ``left_out`` in the signature says how many were. What has no
question to be measured on is NaN here; the evaluator prints 0.0, and so does ``--format bioasq``.

References
----------
https://github.com/BioASQ/Evaluation-Measures (``evaluation/QuestionAnswerEvaluator.java``, ``EvaluatorTask1b.java``)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from relatome.errors import FormatError, ScoreError
from relatome.formats.files import shown
from relatome.formats.jsonvalues import JsonReader
from relatome.scoring import offenders
from relatome.scoring.measure import Cell, Measure
from relatome.scoring.prf import ratio
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums
from relatome.scoring.score import Report

NAME = "bioasq"
VERSION = 1
ANSWERS = 5  # of a factoid question that count

_KINDS = ("yesno", "factoid", "list")
_CELLS = (
    ("accuracy", "yesno"), ("f1", "yes"), ("f1", "no"), ("f1", "macro"),
    ("strict", "factoid"), ("lenient", "factoid"), ("mrr", "factoid"),
    ("precision", "list"), ("recall", "list"), ("f1", "list"),
)  # fmt: skip


class Answer(NamedTuple):
    """The exact answer to one question.

    Parameters
    ----------
    kind
        ``"yesno"``, ``"factoid"`` or ``"list"``.
    items
        For yes/no one item with the one text; else the items (of a factoid: in order of confidence), each with its
        synonyms.
    """

    kind: str
    items: tuple[tuple[str, ...], ...]


def score(
    gold: Mapping[str, Answer], predicted: Mapping[str, Answer], *, resamples: int = RESAMPLES, seed: int = 0
) -> Report:
    """The ten numbers of the evaluator, by question id.

    Raises
    ------
    ScoreError
        An answered question is not in the gold, is of another kind there, or nothing is answered.

    Examples
    --------
    >>> gold = {"1": Answer("factoid", (("tnf", "tumor necrosis factor"),)), "2": Answer("yesno", (("no",),))}
    >>> found = {"1": Answer("factoid", (("IL-6",), ("TNF",))), "2": Answer("yesno", (("No.",),))}
    >>> report = score(gold, found)
    >>> [report.value(name, "factoid") for name in ("strict", "lenient", "mrr")], report.value("f1", "no")
    ([0.0, 1.0, 0.5], 1.0)
    """
    return measure(gold, predicted).report(resamples=resamples, seed=seed)


def measure(gold: Mapping[str, Answer], predicted: Mapping[str, Answer]) -> Measure:
    """The same as a function of question weights, for comparing two runs; parameters as in ``score``."""
    ids = _answered(gold, predicted)
    table = np.array([_counts(gold[identity], predicted[identity]) for identity in ids])
    support = _support(gold, ids)

    def value(sums: Floats) -> Floats:
        yesno, right, yes, no, wrong = (sums[:, index : index + 1] for index in range(5))
        both = np.concatenate((ratio(2 * yes, 2 * yes + wrong), ratio(2 * no, 2 * no + wrong)), axis=1)
        defined = ~np.isnan(both)
        macro = ratio(np.where(defined, both, 0).sum(axis=1, keepdims=True), defined.sum(axis=1, keepdims=True))
        factoid, listed = sums[:, 5:6], sums[:, 9:10]
        means = (ratio(sums[:, 6:9], np.repeat(factoid, 3, axis=1)), ratio(sums[:, 10:], np.repeat(listed, 3, axis=1)))
        return np.concatenate((ratio(right, yesno), both, macro, *means), axis=1)

    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=tuple(Cell(name, class_, support[class_]) for name, class_ in _CELLS),
        units=ids,
        unit="question",
        value=of_sums(table, value),
        signature={
            "match": "lower case, any gold synonym",
            "answers": ANSWERS,
            "averaging": ["question"],
            "left_out": len([one for one in gold if one not in predicted]),
        },
    )


def read(gold: str | None, predicted: str) -> dict[str, Any]:
    """The arguments of ``measure`` from a golden file and a submission, both as BioASQ writes them.

    Raises
    ------
    InputError
        A file cannot be read as JSON with ``questions``.
    ScoreError
        A question stands twice, or a file has no exact answer.
    """
    gold = offenders.needed(gold)
    return {"gold": _questions(gold, is_gold=True), "predicted": _questions(predicted, is_gold=False)}


def official(gold: Mapping[str, Answer], predicted: Mapping[str, Answer]) -> str:
    """The line that the Java evaluator prints, with 0.0 for what has no question.

    The sums run in the order of the gold, as there, so that the last digit is the same too.
    """
    rows = [_counts(gold[identity], predicted[identity]) for identity in gold if identity in predicted]
    sums = [float(sum(column)) for column in zip(*rows, strict=True)]

    def share(part: float, whole: float) -> float:
        return part / whole if whole else 0.0

    yesno, right, yes, no, wrong = sums[:5]
    of_yes, of_no = share(2 * yes, 2 * yes + wrong), share(2 * no, 2 * no + wrong)
    numbers = [share(right, yesno), *(share(part, sums[5]) for part in sums[6:9])]
    numbers += [share(part, sums[9]) for part in sums[10:]]
    return " ".join(map(_java, (*numbers, (of_yes + of_no) / 2, of_yes, of_no))) + "\n"


def _answered(gold: Mapping[str, Answer], predicted: Mapping[str, Answer]) -> tuple[str, ...]:
    offenders.some(gold, "questions with an exact answer in the gold")
    strange = [identity for identity in predicted if identity not in gold]
    if strange:
        raise ScoreError(
            f"{offenders.counted(len(strange), 'question')} in the predictions but not in the gold: "
            + offenders.first_of(strange),
            advice="are these the answers to these questions?",
        )
    both = sorted(identity for identity in gold if identity in predicted)
    other = [identity for identity in both if gold[identity].kind != predicted[identity].kind]
    if other:
        raise ScoreError(
            f"{offenders.counted(len(other), 'question')} of another type in the gold: {offenders.first_of(other)}"
        )
    if not both:
        raise ScoreError("no question of the gold is answered")
    return tuple(both)


def _support(gold: Mapping[str, Answer], ids: Sequence[str]) -> dict[str, int]:
    kinds = [gold[identity].kind for identity in ids]
    yes = sum(gold[identity].kind == "yesno" and _yes_or_no(gold[identity]) == "yes" for identity in ids)
    counts = {kind: kinds.count(kind) for kind in _KINDS}
    return counts | {"yes": yes, "no": counts["yesno"] - yes, "macro": counts["yesno"]}


def _counts(gold: Answer, predicted: Answer) -> list[float]:
    """Of one question: [yes/no, right, yes right, no right, wrong, factoid, strict, lenient, 1/rank, list, p, r, f1]."""
    row = [0.0] * 13
    if gold.kind == "yesno":
        truth = _yes_or_no(gold)
        right = float(truth == _yes_or_no(predicted))
        # "wrong" is a false yes and a missed no, or the other way round: it stands in both F1 alike
        row[:5] = [1, right, right * (truth == "yes"), right * (truth == "no"), 1 - right]
        return row
    names = [frozenset(name.lower() for name in item) for item in gold.items]
    answers = [item[0].lower() for item in predicted.items if item]
    if gold.kind == "factoid":
        ranks = [rank for rank, answer in enumerate(answers[:ANSWERS], 1) if any(answer in item for item in names)]
        first = ranks[0] if ranks else 0
        row[5:9] = [1, float(first == 1), float(first > 0), 1 / first if first else 0.0]
    else:
        row[9:] = [1, *_precision_recall_f1(names, answers)]
    return row


def _precision_recall_f1(names: Sequence[frozenset[str]], answers: Sequence[str]) -> tuple[float, float, float]:
    left, remaining = list(names), list(answers)
    right = 0
    for answer in answers:
        matched = next((index for index, item in enumerate(left) if answer in item), None)
        if matched is not None:
            right += 1
            del left[matched]
    missed = 0
    for item in left:  # the second look of the Java code: a name that is among the answers was not missed
        again = next((index for index, answer in enumerate(remaining) if answer in item), None)
        if again is None:
            missed += 1
        else:
            del remaining[again]
    precision = right / len(answers) if answers else 0.0
    recall = right / (right + missed) if right + missed else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision and recall else 0.0


def _yes_or_no(answer: Answer) -> str:
    text = answer.items[0][0].lower() if answer.items and answer.items[0] else ""
    return "yes" if "yes" in text else "no" if "no" in text else "none"


def _questions(path: str, *, is_gold: bool) -> dict[str, Answer]:
    reader = JsonReader(path)
    found: list[tuple[str, Answer]] = []
    ids: list[str] = []
    for key in reader.walk_object():
        if key != "questions":
            reader.value()
            continue
        for _ in reader.walk_list():
            line = reader.line
            question = reader.value()
            if not isinstance(question, dict) or not isinstance(question.get("id"), str):
                raise FormatError("a question without an 'id'", path=shown(path), line=line)
            ids.append(question["id"])
            answer = _answer(question, path, line)
            if answer is not None:
                found.append((question["id"], answer))
    if reader.peek():
        raise reader.problem("expected the end of the file")
    offenders.once(ids, "question", where=shown(path))
    offenders.some(
        found, f"questions with an exact answer in {'the gold' if is_gold else 'the predictions'}", path=path
    )
    return dict(found)


def _answer(question: Mapping[str, Any], path: str, line: int) -> Answer | None:
    """The exact answer of a question; ``None`` where it has none, as a summary has not."""
    kind, given = question.get("type"), question.get("exact_answer")
    if kind not in (*_KINDS, "summary"):
        raise FormatError(
            f"expected a 'type' of yesno, factoid, list or summary, found {kind!r}",
            path=shown(path), line=line, document=question["id"],
        )  # fmt: skip
    if kind == "summary" or given is None:
        return None
    if kind == "yesno":
        if not isinstance(given, str):
            raise FormatError(
                f"expected yes or no as the exact answer, found {given!r:.60}", path=shown(path), line=line,
                document=question["id"],
            )  # fmt: skip
        return Answer(kind, ((given,),))
    items = [item if isinstance(item, list) else [item] for item in given] if isinstance(given, list) else [[given]]
    texts = [[name for name in item if isinstance(name, str)] for item in items]  # a probability may stand beside
    if any(item and not names for item, names in zip(items, texts, strict=True)):
        raise FormatError(
            "expected a list of lists of texts as the exact answer", path=shown(path), line=line,
            document=question["id"],
        )  # fmt: skip
    return Answer(kind, tuple(tuple(names) for names in texts if names))


def _java(number: float) -> str:
    """As ``Double.toString`` writes it: the shortest digits, with an exponent below a thousandth."""
    if not 0 < number < 1e-3:
        return repr(number)
    _, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    text = "".join(map(str, digits))
    return f"{text[0]}.{text[1:] or '0'}E{int(exponent) + len(text) - 1}"


TEXTS = {"bioasq": official}

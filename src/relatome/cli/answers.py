"""Answers to rows, as tables for people and programs and as the files the official scorers read.

``conll``
    What conlleval reads: token, gold tag where the input has one, predicted tag, with one blank between; an empty
    line after a sentence.
``biobert_re``
    What BioBERT's ``re_eval.py`` reads. More than two classes: their probabilities with tabs between, no header, in
    the order of their names, as ``--task=chemprot`` takes them; relation types that belong to a group are added up
    to it; where some are groups that ChemProt evaluates, all else is added to the negative class. Two classes: ``index`` and ``prediction``
    (0 or 1) with a header, as the binary task of biobert-pytorch takes them.
``chemprot``
    What the BioCreative VI evaluation reads: document, group, two arguments.
``pubtator``
    Documents with what was found; relations between mentions that have concept ids as concept pairs, each once.

References
----------
https://github.com/dmis-lab/biobert-pytorch, ``relation-extraction/scripts/re_eval.py``;
https://www.cnts.ua.ac.be/conll2002/ner/bin/conlleval.txt
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from relatome import formats, sentences, spans
from relatome.cli.display import table
from relatome.cli.results import with_groups
from relatome.cli.rows import Asked
from relatome.cli.terminal import console, say
from relatome.documents import Document, Mention, Relation, Span
from relatome.errors import SettingsError
from relatome.formats.chemprot import EVALUATED
from relatome.formats.files import writing
from relatome.lookup import pick
from relatome.tasks import TASKS, classification, ner, relation
from relatome.tasks.example import Head, Pair, Prediction, Sentence, TypedSpan


class Answered(NamedTuple):
    """What was asked, with one prediction for each input, and the model that made them."""

    asked: Asked
    predictions: Sequence[Prediction]
    source: str


Target = str | Path | TextIO

_HEADER = "id\tlabel\tprobability\tprobabilities\twindows\tdropped\ttext\n"


def write(answers: Iterable[Answered], to: str, target: Target) -> int:
    """Write answers in one of the formats of ``WRITERS``; how many rows or documents there were.

    Raises
    ------
    UnknownNameError
        There is no such format.
    """
    writer = pick(to, WRITERS, "format to write")
    return writer(answers, target)


def fitting(asked: Iterable[Asked], to: str, known: Collection[str]) -> Iterator[Asked]:
    """What is asked, refused before it is answered where the format has no place for the answers.

    Parameters
    ----------
    known
        The tasks of the model, for the advice.

    Raises
    ------
    SettingsError
        The format is of another task, or holds the answers of one head and another was asked before.
    """
    tasks, first = holds(to), None
    for one in asked:
        first = first or one.head
        if one.head.task not in tasks:
            raise SettingsError(
                [f"{to} is a format of {' and '.join(tasks)}, but these are answers of {one.head.task}: "
                 + "".join(f"add --task {task}, or " for task in tasks[:1] if task in known) + "write --to jsonl"]
            )  # fmt: skip
        if to == "biobert_re" and one.head != first:
            raise SettingsError(
                [f"{to} has the classes of one head as columns, but {one.document.id} asks {one.head.name} and rows "
                 f"before it {first.name}: add --task {first.task}, or write --to jsonl"]
            )  # fmt: skip
        yield one


def holds(to: str) -> tuple[str, ...]:
    """The tasks whose answers a format has a place for."""
    return _TASKS.get(to, tuple(TASKS))


def attached(answer: Answered) -> Document:
    """The document with the predictions in the place of what it held of their kind."""
    document, predictions, source = answer.asked.document, answer.predictions, answer.source
    inputs: Any = answer.asked.inputs
    if answer.asked.head.task == "ner":
        return ner.attach(document, inputs, predictions, source)
    if answer.asked.head.task == "relation":
        return relation.attach(document, inputs, predictions, source, answer.asked.head.options.symmetric)
    return classification.attach(document, inputs, predictions, answer.asked.head.name, source)


def record(answer: Answered, item: Sentence | Pair, prediction: Prediction) -> dict[str, Any]:
    """One answer as plain JSON values; offsets are those of the document's text."""
    head = answer.asked.head
    sentence = item.sentence if isinstance(item, Pair) else item
    found: dict[str, Any] = {
        "id": prediction.id, "document": answer.asked.document.id, "task": head.task, "head": head.name,
    }  # fmt: skip
    if isinstance(prediction.value, str):
        found["label"] = prediction.value
        if prediction.also:
            found["labels"] = list(prediction.labels)
        found["probability"] = prediction.probabilities.get(prediction.value)
        found["probabilities"] = dict(prediction.probabilities)
    else:
        found["entities"] = [
            {
                "start": span.start + sentence.start, "end": span.end + sentence.start, "type": span.type,
                "text": sentence.text[span.start : span.end], "probability": span.probability,
            }
            for span in prediction.value
        ]  # fmt: skip
    if isinstance(item, Pair):
        for role, end in (("E1", item.head), ("E2", item.tail)):
            found[role] = {
                "id": end.id, "start": end.start + sentence.start, "end": end.end + sentence.start, "type": end.type,
                "text": sentence.text[end.start : end.end],
            }  # fmt: skip
    found |= {"text": sentence.text, "start": sentence.start, "end": sentence.start + len(sentence.text)}
    return found | {"windows": prediction.windows, "dropped": prediction.dropped, "model": answer.source}


def _each(answers: Iterable[Answered]) -> Iterator[tuple[Answered, Sentence | Pair, Prediction]]:
    for answer in answers:
        for item, prediction in zip(answer.asked.inputs, answer.predictions, strict=True):
            yield answer, item, prediction


def _jsonl(answers: Iterable[Answered], target: Target) -> int:
    count = 0
    with writing(target) as stream:
        for answer, item, prediction in _each(answers):
            stream.write(json.dumps(record(answer, item, prediction), ensure_ascii=False) + "\n")
            count += 1
    return count


def _tsv(answers: Iterable[Answered], target: Target) -> int:
    count = 0
    with writing(target) as stream:
        for answer, item, prediction in _each(answers):
            if not count:  # not before: input that cannot be read leaves nothing behind
                stream.write(_HEADER)
            reading = (str(prediction.windows), "yes" if prediction.dropped else "no")
            cells = (prediction.id, *_cells(prediction, item), *reading, _text(answer, item))
            stream.write("\t".join(_flat(cell) for cell in cells) + "\n")
            count += 1
        if not count:
            stream.write(_HEADER)
    return count


def _shown(answers: Iterable[Answered], target: Target) -> int:
    """Tables for the eye, one for each stretch of answers of one head; a sole row with every class."""
    count = 0
    with writing(target) as stream:
        screen = console(stream)
        rows: list[tuple[str, ...]] = []
        last: tuple[Answered, Sentence | Pair, Prediction] | None = None
        for last in _each(answers):
            answer, item, prediction = last
            label, probability, _ = _cells(prediction, item)
            rows.append((prediction.id, label or "-", probability or "-", _text(answer, item)))
            count += 1
            if len(rows) == 500:  # a table's columns are laid out from all its rows
                table(screen, "", ("row", "label", "probability", "text"), rows, wide="text")
                rows = []
        if count == 1 and last is not None and last[2].probabilities:
            ordered = sorted(last[2].probabilities.items(), key=lambda pair: -pair[1])
            table(screen, "", ("label", "probability"), [(name, f"{value:.4f}") for name, value in ordered])
        elif rows:
            table(screen, "", ("row", "label", "probability", "text"), rows, wide="text")
    return count


def _conll(answers: Iterable[Answered], target: Target) -> int:
    count = 0
    with writing(target) as stream:
        for answer in answers:
            document, found = answer.asked.document, attached(answer)
            tokens = document.tokens or _tokens(document.text, (*document.mentions, *found.mentions))
            columns = [_tags(found.mentions, tokens)]
            if answer.asked.gold:
                columns.insert(0, _tags(document.mentions, tokens))
            ends = {sentence.end for sentence in sentences.of(document)}
            for index, token in enumerate(tokens):
                word = "".join(document.text[token.start : token.end].split())
                tags = " ".join(column[index] for column in columns)
                stream.write(f"{word} {tags}\n" + ("\n" if token.end in ends else ""))
            if tokens and tokens[-1].end not in ends:
                stream.write("\n")
            count += 1
    return count


def _biobert_re(answers: Iterable[Answered], target: Target) -> int:
    count = 0
    with writing(target) as stream:
        for answer, _, prediction in _each(answers):
            labels = answer.asked.head.labels
            if len(labels) == 2:
                stream.write("index\tprediction\n" if not count else "")
                stream.write(f"{count}\t{labels.index(str(prediction.value))}\n")
            else:
                groups = _columns(answer.asked.head)
                sums = dict.fromkeys(sorted(set(groups.values())), 0.0)
                if not count:
                    say(f"the columns are: {', '.join(sums)}")
                for label, probability in prediction.probabilities.items():
                    sums[groups[label]] += probability
                stream.write("\t".join(f"{value:.6f}" for value in sums.values()) + "\n")
            count += 1
    return count


def _columns(head: Head) -> dict[str, str]:
    """Each label's column: its group; what the ChemProt task does not evaluate, in a model of it, is negative."""
    groups = {label: head.groups.get(label, label) for label in head.labels}
    if any(group in EVALUATED for group in groups.values()):
        return {label: group if group in EVALUATED else head.labels[0] for label, group in groups.items()}
    return groups


def _chemprot(answers: Iterable[Answered], target: Target) -> int:
    def documents() -> Iterator[tuple[Document, int]]:
        for answer in answers:
            for document in with_groups([attached(answer)], answer.asked.head.groups):
                yield document, formats.lost(document, "chemprot")["relations"]

    return _counted(documents(), "chemprot", target, f"of groups other than {', '.join(EVALUATED)}")


def _pubtator(answers: Iterable[Answered], target: Target) -> int:
    def documents() -> Iterator[tuple[Document, int]]:
        for document in map(attached, answers):
            unlinked = {mention.id for mention in document.mentions if not mention.concepts}
            lost = sum(one.level == "mention" and bool({one.head, one.tail} & unlinked) for one in document.relations)
            yield _by_concept(document), lost

    return _counted(documents(), "pubtator", target, "of mentions without a concept id")


def _counted(documents: Iterable[tuple[Document, int]], to: str, target: Target, which: str) -> int:
    """Write documents, each beside how many relations the format has no place for; then say how many, and which."""
    lost = 0

    def watched() -> Iterator[Document]:
        nonlocal lost
        for document, left_out in documents:
            lost += left_out
            yield document

    count = formats.write(watched(), target, to)
    if lost:
        say(f"{to} has no place for relations {which} ({lost:,}); jsonl keeps everything")
    return count


def _by_concept(document: Document) -> Document:
    """Relations between concepts, each once, where both mentions are linked: what PubTator can say."""
    concepts = {mention.id: mention.concepts for mention in document.mentions}
    found: dict[tuple[str, str, str], Relation] = {}
    for one in document.relations:
        heads = concepts[one.head] if one.level == "mention" else (one.head,)
        tails = concepts[one.tail] if one.level == "mention" else (one.tail,)
        for head in heads:
            for tail in tails:
                found.setdefault((one.type, head, tail), replace(one, head=head, tail=tail, level="concept"))
    relations = tuple(replace(one, id=f"R{number}") for number, one in enumerate(found.values(), start=1))
    return replace(document, relations=relations)


def _cells(prediction: Prediction, item: Sentence | Pair) -> tuple[str, str, str]:
    """Label (every one that holds), the likeliest's probability, and all probabilities, the likeliest first."""
    if not isinstance(prediction.value, str):
        text = item.sentence.text if isinstance(item, Pair) else item.text
        return "; ".join(_entity(text, span) for span in prediction.value), "", ""
    ordered = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])
    everything = " ".join(f"{name}={probability:.4f}" for name, probability in ordered)
    return " ".join(prediction.labels), f"{prediction.probabilities.get(prediction.value, 0.0):.4f}", everything


def _entity(text: str, span: TypedSpan) -> str:
    sure = "" if span.probability is None else f" {span.probability:.4f}"
    return f"{span.start}..{span.end} {span.type} {text[span.start : span.end]!r}{sure}"


def _text(answer: Answered, item: Sentence | Pair) -> str:
    """The text of a row; a pair with its markers."""
    if not isinstance(item, Pair):
        return item.text
    text = item.sentence.text
    # Set in from the right; at one place the opening marker stands nearer its mention, so closing ones are set in last.
    spots = [
        (item.head.start, 1, "[E1]"),
        (item.head.end, 0, "[/E1]"),
        (item.tail.start, 1, "[E2]"),
        (item.tail.end, 0, "[/E2]"),
    ]
    for at, _, marker in sorted(spots, reverse=True):
        text = text[:at] + marker + text[at:]
    return text


def _tags(mentions: Iterable[Mention], tokens: Sequence[Span]) -> list[str]:
    chosen = spans.longest_first(mentions)
    tagged: list[spans.TokenSpan] = []
    for mention, where in zip(chosen, spans.align(chosen, tokens).ranges, strict=True):
        if where and (not tagged or tagged[-1][1] <= where[0]):
            tagged.append((*where, mention.type))
    return spans.spans_to_tags(tagged, len(tokens))


def _tokens(text: str, mentions: Iterable[Mention]) -> tuple[Span, ...]:
    """Words and punctuation marks, cut where a mention begins or ends, so that each can be tagged exactly."""
    cuts = {border for mention in mentions for border in mention.span}
    tokens: list[Span] = []
    for match in re.finditer(r"\w+|[^\w\s]", text):
        borders = [match.start(), *(at for at in range(match.start() + 1, match.end()) if at in cuts), match.end()]
        tokens += [Span(start, end) for start, end in pairwise(borders)]
    return tuple(tokens)


def _flat(text: str) -> str:
    return " ".join(text.replace("\t", " ").splitlines())


# The tasks whose answers a format can hold, where not all.
_TASKS: dict[str, tuple[str, ...]] = {
    "conll": ("ner",),
    "biobert_re": ("relation", "classification"),
    "chemprot": ("relation",),
    "pubtator": ("ner", "relation"),
}

WRITERS: dict[str, Callable[[Iterable[Answered], Target], int]] = {
    "table": _shown,
    "tsv": _tsv,
    "jsonl": _jsonl,
    "conll": _conll,
    "biobert_re": _biobert_re,
    "chemprot": _chemprot,
    "pubtator": _pubtator,
}

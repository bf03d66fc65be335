"""``relatome predict``: rows in, rows out, in order, with probabilities."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from relatome.cli.job import REJECTS, Job

if TYPE_CHECKING:
    from relatome.cli.answers import Answered
    from relatome.cli.rows import Asked
    from relatome.errors import InputError
    from relatome.predictors import Predictor
    from relatome.tasks.example import Sentence

CHUNK = 32_000  # characters asked about together; has no influence on the answers


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="default, a run folder, or a Hugging Face folder.")],
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A marked text, a sentence, a file of rows, a corpus file, or -.")
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="table, tsv, jsonl, conll, biobert_re, chemprot or pubtator; default: table on a terminal, else tsv.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there; it appears when all is written.")
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help="lines, tsv, or a corpus format; the content tells it."),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(metavar="NAME|NUMBER", help="Of a table: the column with the text; default: the first text."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="ner, relation or classification, where the model and the input leave a choice.")
    ] = None,
    backend: Annotated[str, typer.Option(help="auto, openvino, openvino-fp32, pytorch or tfidf.")] = "auto",
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Where rejected rows are named; default: OUTPUT.rejects.jsonl or {REJECTS}."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Answer rows: the relation of two marked mentions, the class of a sentence, the entities of a text.

    A row is a text with [E1]…[/E1] and [E2]…[/E2] round two mentions, or any sentence: an argument, a line, a cell of
    a table. Of a corpus file (IOB, PubTator, BioC, ChemProt, ADE, JSONL) the gold is not looked at.
    """
    from relatome.cli import answers, results, rows
    from relatome.cli.inputs import place
    from relatome.lookup import pick
    from relatome.predictors import load

    chosen = to or ("table" if output is None and sys.stdout.isatty() else "tsv")
    pick(chosen, answers.WRITERS, "format to write")
    rows.check_task(task)
    results.check_output(output, [source])
    where = place(source)
    job = Job(
        "rows",
        rejects=rejects or (Path(f"{output}.rejects.jsonl") if output else Path(REJECTS)),
        progress=not quiet and (output is not None or not sys.stdout.isatty()),
    )
    with job:
        predictor = load(model, backend=backend)
        tasks = answers.holds(chosen)
        wanted = rows.Wanted(task or (tasks[0] if len(tasks) == 1 else None), from_, column, tasks)
        if where is None:
            asked = rows.of_text(source, predictor, wanted)
        else:
            on_reject = _raise_positional if chosen == "biobert_re" else job.reject
            asked = rows.of_file(where, predictor, wanted, on_reject)
        target = output if output is not None else sys.stdout
        fitting = answers.fitting(asked, chosen, {head.task for head in predictor.heads.values()})
        answers.write(job.each(_answered(fitting, predictor)), chosen, target)
    job.report()
    raise typer.Exit(job.code)


def _answered(asked: Iterable[Asked], predictor: Predictor) -> Iterator[Answered]:
    """Predictions in the order asked, some thousand characters at a time."""
    part: list[Asked] = []
    characters = 0
    for one in asked:
        part.append(one)
        characters += len(one.document.text) + 100
        if characters >= CHUNK:
            yield from _predicted(part, predictor)
            part, characters = [], 0
    yield from _predicted(part, predictor)


def _predicted(part: list[Asked], predictor: Predictor) -> Iterator[Answered]:
    from relatome.cli.answers import Answered
    from relatome.tasks import ner

    requests: dict[str, list[object]] = {}
    for one in part:
        if one.inputs:
            requests.setdefault(one.head.name, []).extend(one.inputs)
    found = predictor.predict(requests) if requests else {}
    waiting = {name: iter(predictions) for name, predictions in found.items()}
    for one in part:
        predictions = [next(waiting[one.head.name]) for _ in one.inputs]
        if one.head.task == "ner":
            predictions = ner.repeated(cast("Sequence[Sentence]", one.inputs), predictions, one.head)
        yield Answered(one, predictions, predictor.source)


def _raise_positional(problem: InputError) -> None:
    """In ``biobert_re`` rows are matched by their position: none can be left out."""
    raise problem

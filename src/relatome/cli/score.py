"""``relatome score``: prediction files scored against gold, as the official scorers count, with no model."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from relatome.scoring.score import Report

_OTHERS = ("table", "json")
_NAMES = (  # written here, so that --help loads none of them
    "conll, ner, relations, re-eval, chemprot, drugprot, ddi, cdr, biored, classification, multilabel, words, similarity, "
    "bioasq, squad, blurb, calibration"
)


def score(
    scorer: Annotated[str, typer.Argument(metavar="SCORER", help=f"One of {_NAMES}.")],
    predicted: Annotated[str, typer.Option("--predicted", "-p", metavar="FILE", help="The predictions.")] = "",
    gold: Annotated[
        str | None,
        typer.Option("--gold", "-g", metavar="FILE", help="The gold; left out where one file holds both sides."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Scores as JSON: the same as --format json.")] = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="table, json, or as the original prints: conlleval, latex, chemprot, bc5cdr ...",
        ),
    ] = None,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap intervals; 0 gives none.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    interval: Annotated[str, typer.Option(help="percentile, or bca: corrected for bias and skew.")] = "percentile",
    labels: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="re-eval, classification: every label there is, in order.")
    ] = None,
    types: Annotated[str | None, typer.Option(metavar="A,B,...", help="ner, cdr: the entity types scored.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="The classes scored, where they are relations; re-eval, classification: averaged."
        ),
    ] = None,
    match: Annotated[str | None, typer.Option(help="ner: exact, strict, boundary, partial or type.")] = None,
    level: Annotated[str | None, typer.Option(metavar="A,B,...", help="cdr: of mention, id and relation.")] = None,
    scheme: Annotated[str | None, typer.Option(help="ner, on tags: conll, IOB1, IOB2 or IOBES.")] = None,
    raw: Annotated[bool, typer.Option("--raw", "-r", help="conll: tags without B- and I-, a chunk a token.")] = False,
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", "-d", help="conll, ner: what stands between columns, a pattern.")
    ] = None,
    outside: Annotated[
        str | None, typer.Option("--outside", "-o", help="conll: the tag outside chunks, with -r.")
    ] = None,
    bare: Annotated[str | None, typer.Option(metavar="NAME", help="conll, ner: the type of bare B and I tags.")] = None,
    entities: Annotated[
        str | None, typer.Option(metavar="FILE", help="drugprot: the entities file, which says what is chemical.")
    ] = None,
    documents: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="drugprot, chemprot: a file with the ids of all documents, one a line."),
    ] = None,
) -> None:
    """Score a file of predictions against gold, as the official scorer counts; every number with its interval.

    The files are the shared tasks' own (columns, PubTator, BioC, XML, JSON), or any format that relatome reads. Each
    scorer has options of its own; one that it does not know is refused, naming those it knows.
    """
    from relatome.errors import SettingsError
    from relatome.lookup import pick
    from relatome.scoring import SCORERS
    from relatome.scoring.resampling import METHODS

    module = pick(scorer, {name: found for name, found in SCORERS.items() if hasattr(found, "read")}, "scorer of files")
    if not predicted:
        raise SettingsError(["--predicted is needed: the file to score"])
    pick(interval, METHODS, "interval method")
    texts = getattr(module, "TEXTS", {})
    chosen = format_ or ("json" if as_json else "table")
    pick(chosen, {**dict.fromkeys(_OTHERS), **texts}, f"output format of {scorer}")
    given = {
        "labels": _list(labels), "types": _list(types), "classes": _list(classes), "match": match, "level": _list(level), "scheme": scheme,
        "raw": raw or None, "delimiter": delimiter, "outside": outside, "bare": bare, "entities": entities, "documents": documents,
    }  # fmt: skip
    arguments: dict[str, Any] = module.read(gold, predicted, **_options(scorer, module.read, given))
    if chosen in texts:
        sys.stdout.write(texts[chosen](**arguments))
        return
    report: Report = module.measure(**arguments).report(resamples=resamples, seed=seed, method=interval)
    if chosen == "json":
        sys.stdout.write(report.json() + "\n")
    else:
        _show(report, scorer)


def _options(scorer: str, read: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What was given of the options that the scorer takes; another one is a mistake, never ignored."""
    from relatome.errors import SettingsError

    taken = [name for name in inspect.signature(read).parameters if name not in ("gold", "predicted")]
    foreign = [name for name, value in given.items() if value is not None and name not in taken]
    if foreign:
        has = "its options are " + ", ".join(f"--{name}" for name in taken) if taken else "it has no options of its own"
        raise SettingsError([f"{scorer} knows no --{name}: {has}" for name in foreign])
    return {name: value for name, value in given.items() if value is not None}


def _list(given: str | None) -> list[str] | None:
    """``A,B,C``, or the lines of a file of that name."""
    if given is None:
        return None
    if Path(given).is_file():
        from relatome.formats.files import numbered

        return [line.text.strip() for line in numbered(given) if line.text.strip()]
    return [part.strip() for part in given.split(",") if part.strip()]


def _show(report: Report, scorer: str) -> None:
    """A row for each class, a column for each number with its interval; then the numbers that know no class."""
    from rich.table import Table

    from relatome.cli.terminal import console, safe

    screen = console(sys.stdout)
    names = list(dict.fromkeys(score.name for score in report.scores if score.class_ is not None))
    if names:
        table = Table(title=f"{scorer} (95 % intervals)")
        table.add_column("class")
        for column in (*names, "support"):
            table.add_column(column, justify="right")
        for row in report.rows():
            if row["class"] is not None:
                cells = [
                    _with_interval(row.get(name), row.get(f"{name} low"), row.get(f"{name} high")) for name in names
                ]
                table.add_row(safe(str(row["class"])), *cells, f"{row['support']:,}")
        screen.print(table)
    for one in report.scores:
        if one.class_ is None:
            screen.print(f"{one.name} {_with_interval(one.value, one.low, one.high)} of {one.support:,}")
    screen.print("signature " + " | ".join(f"{key}:{safe(str(value))}" for key, value in report.signature.items()))


def _with_interval(value: Any, low: Any, high: Any) -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.4f}" + ("" if low != low else f" ({low:.4f} to {high:.4f})")

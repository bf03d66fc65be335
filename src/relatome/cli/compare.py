"""``relatome compare``: two runs on the same examples, with tests; and which examples each alone got right."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from relatome.scoring.comparison import Comparison
    from relatome.scoring.score import Report

_LISTED = 5  # examples shown of either side
_ALL_COLUMNS = 110  # characters that the whole table needs


def compare(
    one: Annotated[str, typer.Argument(metavar="A", help="A file of predictions, a run folder, or a folder of seeds.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another, on the same examples.")],
    scorer: Annotated[str | None, typer.Option(help="How to score; what the files say, when left out.")] = None,
    gold: Annotated[
        str | None, typer.Option("--gold", "-g", metavar="FILE", help="With --scorer: the gold of A and B.")
    ] = None,
    labels: Annotated[str | None, typer.Option(metavar="A,B,...", help="Every label there is.")] = None,
    types: Annotated[str | None, typer.Option(metavar="A,B,...", help="The entity types scored.")] = None,
    classes: Annotated[str | None, typer.Option(metavar="A,B,...", help="The relation classes scored.")] = None,
    score: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="The numbers compared; default: f1, or all without it.")
    ] = None,
    examples: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every example that one alone got right, as JSON lines.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Of both tests.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of both tests.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Numbers as JSON.")] = False,
) -> None:
    """Compare two runs: the difference of every number with its interval and p, corrected for being several.

    Write what is compared with `relatome evaluate MODEL --corpus NAME --predictions FILE`. Runs whose gold differs are refused.
    """
    from relatome.cli.results import check_output
    from relatome.scoring import comparison

    check_output(examples, [one, other])
    options = {
        name: _list(given) for name, given in (("labels", labels), ("types", types), ("classes", classes)) if given
    }
    found = comparison.compare(
        one, other, scorer=scorer, gold=gold, options=options, names=_list(score) if score else None,
        resamples=resamples, seed=seed,
    )  # fmt: skip
    if examples is not None:
        from relatome.formats.files import writing

        with writing(examples) as stream:
            for item in found.judged:
                record = {"id": item.id, "right": item.right, "gold": item.gold, "A": item.one, "B": item.other}
                stream.write(json.dumps(record, ensure_ascii=False, default=sorted) + "\n")
    if as_json:
        sys.stdout.write(_report(found).json() + "\n")
    else:
        _show(found, one, other)


def _list(given: str) -> list[str]:
    return [part.strip() for part in given.split(",") if part.strip()]


def _report(found: Comparison) -> Report:
    """The one shape: of every number its value in A and B, the difference with its interval, and the p-values."""
    from relatome.scoring.score import Report, Score

    nan = math.nan
    scores = []
    for row in found.differences:
        scores += [
            Score(f"{row.name} A", row.class_, row.one, nan, nan, row.support),
            Score(f"{row.name} B", row.class_, row.other, nan, nan, row.support),
            Score(f"{row.name} difference", row.class_, row.difference, row.low, row.high, row.support),
            Score(f"{row.name} p bootstrap", row.class_, row.p_bootstrap, nan, nan, row.support),
            Score(f"{row.name} p randomisation", row.class_, row.p_randomisation, nan, nan, row.support),
            Score(f"{row.name} p Holm", row.class_, row.p_corrected, nan, nan, row.support),
            Score(f"{row.name} detectable", row.class_, row.detectable, nan, nan, row.support),
        ]
    for letter, side in zip("AB", found.seeds, strict=True):
        for over in side:
            scores += [
                Score(f"{over.name} {letter} over seeds", over.class_, over.mean, over.low, over.high, over.support),
                Score(f"{over.name} {letter} sd of seeds", over.class_, over.sd, nan, nan, over.support),
                Score(f"{over.name} {letter} sd of sampling", over.class_, over.sampling_sd, nan, nan, over.support),
            ]
    total = sum(found.right)
    for name, count in zip(("both right", "only A right", "only B right", "neither right"), found.right, strict=True):
        scores.append(Score(name, None, count, nan, nan, total))
    if found.mcnemar is not None:
        scores += [
            Score("p McNemar exact", None, found.mcnemar.exact, nan, nan, total),
            Score("p McNemar mid-p", None, found.mcnemar.mid, nan, nan, total),
        ]
    return Report(tuple(scores), found.signature)


def _show(found: Comparison, one: str, other: str) -> None:
    from relatome.cli.display import table
    from relatome.cli.terminal import console, safe

    screen = console(sys.stdout)
    title = f"A {safe(one)}, B {safe(other)}: {found.signature['units']:,} {found.signature['unit']}s"
    columns = ("", "class", "A", "B", "B - A", "95 %", "p", "p (Holm)", "detectable", "support")
    rows = []
    for row in found.differences:
        p = row.p_bootstrap if math.isnan(row.p_randomisation) else row.p_randomisation
        interval = "-" if math.isnan(row.low) else f"{row.low:+.4f} to {row.high:+.4f}"
        rows.append(
            (row.name, row.class_ or "", _number(row.one), _number(row.other), _number(row.difference, "+"), interval,
             _p(p), _p(row.p_corrected), _number(row.detectable), f"{row.support:,}")
        )  # fmt: skip
    if screen.width < _ALL_COLUMNS:  # the tests stand below the numbers they are of
        table(screen, title, *_chosen(columns, rows, "A", "B", "B - A", "95 %", "support"))
        screen.print()
        table(screen, "", *_chosen(columns, rows, "B - A", "p", "p (Holm)", "detectable"))
    else:
        table(screen, title, columns, rows)
    screen.print()
    for letter, side in zip("AB", found.seeds, strict=True):
        if side:
            shown = {(row.name, row.class_) for row in found.differences}
            seeds = [
                (over.name, over.class_ or "", str(len(over.values)), f"{over.mean:.4f} ± {over.sd:.4f}",
                 _number(over.sampling_sd), f"{over.low:.4f} to {over.high:.4f}")
                for over in side if (over.name, over.class_) in shown
            ]  # fmt: skip
            header = ("", "class", "seeds", "mean ± sd of seeds", "sd of sampling", "95 %, both")
            table(screen, f"{letter} over its seeds", header, seeds)
            screen.print()
    both, first, second, neither = found.right
    screen.print(f"right in both {both:,}, in A alone {first:,}, in B alone {second:,}, in neither {neither:,}")
    if found.mcnemar is not None:
        screen.print(f"McNemar: p {_p(found.mcnemar.exact)} (exact), {_p(found.mcnemar.mid)} (mid-p)")
    for letter in "AB":
        some = [item for item in found.judged if item.right == letter]
        if some:
            screen.print(f"right in {letter} alone, {min(_LISTED, len(some))} of {len(some):,}:")
            for item in some[:_LISTED]:
                screen.print(f"  {safe(item.id)}: gold {_said(item.gold)}, A {_said(item.one)}, B {_said(item.other)}")
    largest = max((row.detectable for row in found.differences if not math.isnan(row.detectable)), default=math.nan)
    if not math.isnan(largest):
        screen.print(
            "detectable: the smallest true difference that so many examples would show four times out of five, at 5 %"
        )
    screen.print("signature " + " | ".join(f"{key}:{safe(str(value))}" for key, value in found.signature.items()))


def _chosen(columns: Sequence[str], rows: Sequence[Sequence[str]], *names: str) -> tuple[list[str], list[list[str]]]:
    """Of a table's columns those of these names, after the first two, which say what a row is."""
    kept = [0, 1, *(columns.index(name) for name in names)]
    return [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _said(value: Any) -> str:
    from relatome.cli.terminal import safe

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value is None else safe(value if isinstance(value, str) else json.dumps(value, default=sorted))


def _number(value: float, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{value:{sign}.4f}"


def _p(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"

"""``relatome evaluate``: models scored on a corpus, side by side."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from relatome.evaluation.result import Evaluation
    from relatome.scoring.budget import Budget
    from relatome.scoring.published import Published
    from relatome.scoring.score import Report


def evaluate(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="default, run folders, Hugging Face folders.")
    ],
    corpus: Annotated[str, typer.Option(help="A corpus of the catalogue, the path of a card, or hf:owner/name.")] = "",
    task: Annotated[str, typer.Option(help="ner, relation or classification; by default the corpus's first.")] = "",
    split: Annotated[str, typer.Option(help="train, dev, test, or several joined by +.")] = "test",
    split_protocol: Annotated[
        str | None,
        typer.Option(help="How the corpus is divided; several, as rows,clean, are scored one after another."),
    ] = None,
    entities: Annotated[
        str, typer.Option(help="Relations: gold, or predicted (end to end); the other is shown beside.")
    ] = "gold",
    backend: Annotated[str, typer.Option(help="auto, openvino, openvino-fp32, pytorch, tfidf or priors.")] = "auto",
    resamples: Annotated[int, typer.Option(help="Of the bootstrap intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    examples: Annotated[Path | None, typer.Option(help="Write every example, right or wrong, as JSON lines.")] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the examples for `relatome compare`; of one model."),
    ] = None,
    published: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Numbers that others published (recipes/*/published.toml), to stand beside ours."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Scores as JSON.")] = False,
) -> None:
    """Score models on a corpus, every number with its interval and its signature.

    A run folder that holds a TF-IDF baseline, or one run for each of several split protocols, is scored with all of
    them beside each other.
    """
    from relatome import corpora
    from relatome.errors import SettingsError
    from relatome.evaluate import as_json as shape
    from relatome.evaluate import asked
    from relatome.evaluate import evaluate as score
    from relatome.predictors import BASELINES, is_seed, load
    from relatome.predictors.remembered import Remembered
    from relatome.scoring import published as reading

    begun = time.monotonic()
    known = reading.read(published) if published is not None else None
    if not corpus:
        raise SettingsError([f"--corpus is needed, one of {', '.join(corpora.names())}"])
    found = corpora.load(corpus)
    asked_for = found.card.task(task)
    wanted: list[str | None] = [*(one.strip() for one in (split_protocol or "").split(",") if one.strip())] or [None]
    scorings = list(dict.fromkeys(one for view in wanted for one in _all(models, found.card.protocols, view)))
    scored: dict[tuple[str, str | None], Evaluation] = {}
    for name in dict.fromkeys(name for name, _ in scorings):  # one model at a time in memory, in all its views
        predictor = load(name, backend=backend if name == "default" or not name.endswith(BASELINES) else "auto")
        own = [protocol for one, protocol in scorings if one == name]
        if len(own) > 1:
            predictor = Remembered(predictor)
        for protocol in own:
            scored[name, protocol] = score(
                predictor, found, task=asked_for, split=split, protocol=protocol, entities=entities,
                resamples=resamples, seed=seed,
            )  # fmt: skip
    results = [(name, scored[name, protocol]) for name, protocol in scorings]
    views = [protocol for _, protocol in scorings]
    results = _with_seeds(results, views, resamples=resamples, seed=seed)
    if examples is not None:
        with examples.open("w", encoding="utf-8") as handle:
            for name, result in results:
                handle.writelines(json.dumps({"model": name, **item}) + "\n" for item in result.examples)
    if predictions is not None:
        from relatome.scoring import examples as files

        name, first = asked(results)
        seeds = [(one, result) for one, result in results if Path(one).parent == Path(name) and is_seed(Path(one))]
        if seeds:
            predictions.mkdir(parents=True, exist_ok=True)
        for one, result in seeds or [(name, first)]:
            saved, file = result.predictions, predictions / f"{Path(one).name}.jsonl" if seeds else predictions
            files.write(saved.rows, file, scorer=saved.scorer, options=saved.options, signature=saved.signature)
    if as_json:
        document = shape(results, published=known, wall_seconds=time.monotonic() - begun)
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        _show(results, known or ())


def _all(models: list[str], protocols: Any, wanted: str | None) -> list[tuple[str, str | None]]:
    """The models in the folders given: a folder's own, its baselines', and those of its runs by protocol."""
    from relatome.predictors import runs

    found: list[tuple[str, str | None]] = []
    for name in models:
        folder = Path(name)
        inner = [protocol for protocol in protocols if runs(folder / protocol)]
        views = [(folder / protocol, protocol) for protocol in sorted(inner, key=lambda one: one != wanted)]
        for place, protocol in views or [(folder, wanted)]:
            chosen = runs(place) or [place]
            if place not in chosen:  # seeds: their baseline lies beside them
                found += [(one, protocol) for one in _baselines(place)]
            for run in chosen:
                found += [(one, protocol) for one in _baselines(run) if name != "default"]
                found.append((name if run == folder else str(run), protocol))
    return found


def _baselines(folder: Path) -> list[str]:
    from relatome.predictors import BASELINES

    return [str(folder / one) for one in BASELINES if (folder / one / "relatome.json").is_file()]


def _with_seeds(
    results: list[tuple[str, Evaluation]], views: list[str | None], *, resamples: int, seed: int
) -> list[tuple[str, Evaluation]]:
    """The results, and before those of a run's several seeds what they say together."""
    from relatome.evaluate import over_seeds
    from relatome.predictors import is_seed

    groups: dict[tuple[Path, str | None], list[int]] = {}
    for number, ((name, _), view) in enumerate(zip(results, views, strict=True)):
        if is_seed(Path(name)):
            groups.setdefault((Path(name).parent, view), []).append(number)
    together = {
        inner[0]: (str(place), over_seeds([results[number][1] for number in inner], resamples=resamples, seed=seed))
        for (place, _), inner in groups.items() if len(inner) > 1
    }  # fmt: skip
    shown: list[tuple[str, Evaluation]] = []
    for number, one in enumerate(results):
        shown += [together[number]] if number in together else []
        shown.append(one)
    return shown


def _show(results: list[tuple[str, Evaluation]], published: Sequence[Published] = ()) -> None:
    from relatome.cli.terminal import console as plain_or_terminal

    console = plain_or_terminal(sys.stdout)
    for name, result in results:
        for part, report in [("", result.report), *result.beside.items()]:
            if "part" in report.signature and report.signature["part"] != "all":
                continue  # stands beside what it is a part of
            title = f"{part}, " if part else ""
            within = {
                one.removeprefix(title): other
                for one, other in result.beside.items()
                if one.startswith(title) and other.signature.get("part") != "all" and ", " not in one[len(title) :]
            }
            about = [one for one in published if not part and one.holds_for(report.signature)]
            _table(console, name, part, report, within, about)
        if result.budget is not None:
            _budget(console, name, result.budget)
        for key, value in result.facts.items():
            console.print(f"{key}: {value}")


def _budget(console: Console, name: str, found: Budget) -> None:
    """Where recall is lost, from text to relation, in the order of the chain; the shares add up to 100 %."""
    from rich.table import Table

    from relatome.cli.terminal import safe

    table = Table(title=f"{name}, predicted entities: where {found.total:,} gold relations were lost, or not")
    table.add_column("", no_wrap=True)
    for column in ("relations", "share", "95 %"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("such as", overflow="fold")
    for row in found.rows:
        interval = "-" if row.low != row.low else f"{row.low:.1%} to {row.high:.1%}"
        share = "-" if row.share != row.share else f"{row.share:.1%}"
        table.add_row(row.cause, f"{row.count:,}", share, interval, safe("\n".join(row.examples)))
    console.print(table)


def _table(
    console: Console,
    name: str,
    part: str,
    report: Report,
    within: dict[str, Report],
    published: Sequence[Published] = (),
) -> None:
    """One report, with the F1 of its clean part and what others reach beside that of everything, in 80 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    signature = report.signature
    over = f", mean of {signature['seeds']} seeds" if "seeds" in signature else ""
    title = f"{name}{over} on {signature['corpus']} {signature['split']} ({signature['protocol']} split)"
    entities = f", {signature['entities']} entities" if "entities" in signature else ""
    table = Table(
        title=title + (f", {part}" if part else entities),
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
    )
    table.add_column("class", no_wrap=True)
    for column in ("prec.", "recall", "f1", "95 % of f1", "support"):
        table.add_column(column, justify="right", no_wrap=True)
    seeds = "seeds" in signature
    if seeds:
        table.add_column("sd of seeds", justify="right", no_wrap=True)
    known = {key: value for one in reversed(published) for key, value in one.scores.items()}
    if any(key[0] == "f1" for key in known):
        table.add_column("published", justify="right", no_wrap=True)
    for what in within:
        table.add_column(f"f1, {what} (support)", justify="right", min_width=13)
    rows = {what: {row["class"]: row for row in other.rows()} for what, other in within.items()}
    plain = []
    for row in report.rows():
        beside = [found.get(row["class"], {}) for found in rows.values()]
        if "f1" not in row:
            plain.append((row, beside))
            continue
        cells = (f"{_number(other.get('f1'))} ({other.get('support', 0)})" for other in beside)
        theirs = [_number(known.get(("f1", str(row["class"]))))] if any(key[0] == "f1" for key in known) else []
        table.add_row(
            str(row["class"]), *(_number(row.get(key)) for key in ("precision", "recall", "f1")),
            _interval(row.get("f1 low"), row.get("f1 high")), str(row["support"]),
            *([_number(row.get("f1 sd of seeds"))] if seeds else []), *theirs, *cells,
        )  # fmt: skip
    console.print(table)
    for row, beside in plain:
        for key in row:
            if key not in ("class", "support") and not key.endswith((" low", " high")):
                others = "".join(
                    f", {what} {_plain(key, other)}" for what, other in zip(within, beside, strict=True) if other
                )
                theirs_too = f", published {known[key, None]:g}" if (key, None) in known else ""
                console.print(f"{key} {_plain(key, row)}{others}{theirs_too}")
    for one in published:
        memory = "; quoted from memory" if one.remembered else ""
        console.print(f"published: {one.system}, {one.citation}{memory}", style="dim")
    console.print("signature " + " | ".join(f"{key}:{value}" for key, value in signature.items()), style="dim")


def _plain(key: str, row: Mapping[str, Any]) -> str:
    return f"{row[key]:g} of {row['support']}" if key == "errors" else _number(row[key])


def _interval(low: Any, high: Any) -> str:
    return "-" if low is None or low != low else f"{low:.3f}–{high:.3f}"


def _number(value: Any) -> str:
    return "-" if value is None or value != value else f"{value:.4f}"

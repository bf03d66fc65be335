"""``relatome report``: a model card, plots and tables from run folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folders: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Run folders, or a folder of them (one a split protocol).")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write there; of several runs, into a folder for each."),
    ] = None,
    to: Annotated[
        str, typer.Option(metavar="A,B,...", help="Each table as a file too: markdown, latex, csv, json.")
    ] = "",
    corpus: Annotated[
        str, typer.Option(help="Evaluate on this corpus first, with the baseline and the audit; keeps the examples.")
    ] = "",
    task: Annotated[str, typer.Option(help="With --corpus: ner, relation or classification.")] = "",
    split: Annotated[str, typer.Option(help="With --corpus: train, dev, test, or several joined by +.")] = "test",
    split_protocol: Annotated[
        str | None, typer.Option(help="With --corpus: how it is divided; by default as the run divided it.")
    ] = None,
    entities: Annotated[str, typer.Option(help="With --corpus, for relations: which come first.")] = "gold",
    backend: Annotated[str, typer.Option(help="auto, openvino, openvino-fp32 or pytorch.")] = "auto",
    resamples: Annotated[int, typer.Option(help="Of the bootstrap intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    throughput: Annotated[
        bool, typer.Option("--throughput", help="With --corpus: measure texts a second by size of a batch.")
    ] = False,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw, with the extra 'plots'.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not say what was written.")] = False,
) -> None:
    """Write a model card (README.md) with its plots and tables, from what a run folder holds.

    The scores are those in RUN/evaluations: what `relatome evaluate RUN --json` prints and `--predictions` writes, or
    what --corpus makes here. What no file says is said to be unknown.
    """
    from relatome import reports
    from relatome.cli.terminal import say
    from relatome.errors import SettingsError
    from relatome.lookup import pick
    from relatome.reports import plots as drawing
    from relatome.reports import run as runs
    from relatome.reports import tables

    formats = [name.strip() for name in to.split(",") if name.strip()]
    found = [one for name in folders for one in runs.inside(name)]
    targets = _targets(found, output)
    wrong = []
    if throughput and not corpus:
        wrong.append("--throughput needs --corpus: the texts to measure with")
    if task and not corpus:
        wrong.append("--task needs --corpus")
    if len(set(targets)) < len(targets):
        wrong.append("two runs would be written into one folder: report them one by one, each with its own -o")
    if wrong:
        raise SettingsError(wrong)
    for name in formats:
        pick(name, tables.TO, "format of tables")
    if plots:
        drawing.needed()
    for folder, target in zip(found, targets, strict=True):
        reports.check(target / reports.NAME)
        target.mkdir(parents=True, exist_ok=True)
        if corpus:
            runs.evaluated(
                folder, corpus, target, task=task, split=split, protocol=split_protocol, entities=entities,
                backend=backend, resamples=resamples, seed=seed,
            )  # fmt: skip
        if throughput:
            runs.timed(folder, corpus, target, split=split, protocol=split_protocol, backend=backend)
        run, files = reports.write(folder, target, to=formats, with_plots=plots)
        for note in run.notes:
            say(f"{folder}: {note}")
        if not run.evaluations:
            say(f"{folder}: no evaluation lies in it, so its scores are unknown (--corpus NAME makes one)")
        if not quiet:
            say(f"{files[-1]} and {len(files) - 1} files in {target / reports.FOLDER}")


def _targets(folders: list[Path], output: Path | None) -> list[Path]:
    if output is None:
        return folders
    return [output if len(folders) == 1 else output / folder.resolve().name for folder in folders]

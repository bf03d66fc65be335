"""The command line: one file is one command, and this one runs them and turns every error into one line.

Results go to standard output; progress and messages to standard error. Exit codes: 0 done, 1 done with rejected
documents, 2 wrong usage or unreadable input, 130 stopped by Ctrl-C with what was finished kept. No traceback is shown
unless ``RELATOME_TRACEBACK=1`` asks for it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from relatome.cli.terminal import give_up_output, prepare, say, warnings_said
from relatome.errors import RelatomeError

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

app = typer.Typer(
    name="relatome",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: rich would cost a third of the time that --help may take
    pretty_exceptions_enable=False,
    context_settings=_SETTINGS,
)


def _version(wanted: bool) -> None:
    if wanted:
        import relatome

        typer.echo(f"relatome {relatome.__version__}")
        raise typer.Exit


@app.callback()
def _relatome(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Read the biomedical literature: entities, typed relations and adverse effects, each with its evidence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Parameters
    ----------
    arguments
        Without the program's name; those of the process by default.
    """
    prepare()
    shown = os.environ.get("RELATOME_TRACEBACK", "") not in ("", "0")
    try:
        with warnings.catch_warnings(), warnings_said():
            if not shown and not sys.warnoptions:
                warnings.simplefilter("ignore")  # other libraries' advice to their developers
            code = _run(sys.argv[1:] if arguments is None else list(arguments))
            sys.stdout.flush()
            return code
    except KeyboardInterrupt:
        if shown:
            raise
        say("stopped")
        return 130
    except Exception as error:  # a person must be told in a line, whatever it is
        if shown:
            raise
        return _told(error)


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context("relatome", arguments) as context:
            command.invoke(context)
    except typer.Exit as done:
        return int(done.exit_code)
    except _UsageError as wrong:
        message = str(wrong.format_message())
        if message.startswith("Usage:"):  # nothing was given at all: the message is the help
            typer.echo(message)
        else:
            say(f"{message} (see: {wrong.ctx.command_path if wrong.ctx is not None else 'relatome'} --help)")
        return 2
    return 0


def _told(error: Exception) -> int:
    """Say an error in one line; the exit code."""
    if isinstance(error, RelatomeError):
        say(str(error))
        return error.exit_code
    if isinstance(error, OSError):
        give_up_output()
        if isinstance(error, BrokenPipeError):
            say("standard output was closed before everything was written to it")
        else:
            what = error.strerror or str(error) or type(error).__name__
            say(
                f"{error.filename}: {what}" if error.filename else f"{what} (is the disk full, or a file not readable?)"
            )
        return 2
    say(
        f"this should not have happened: {type(error).__name__}: {error} "
        "(RELATOME_TRACEBACK=1 shows where; please report it)"
    )
    return 2


_UsageError: Any = typer.BadParameter.__mro__[1]  # click's UsageError, which typer does not name in public

# Each is a file here with a function or a Typer app of the same name; in the order of the help. None of these files
# loads anything heavy: that is for the functions in them.
COMMANDS = {
    "extract": "Texts in; entities, relations and adverse-effect sentences out.",
    "predict": "Rows in, answers out: relations, classes, entities, in order.",
    "train": "Train a model from a run file or from flags.",
    "evaluate": "Score models on a corpus, with intervals.",
    "score": "Score files of predictions as the official scorers do.",
    "compare": "Two runs on the same examples: differences, tests, who got which right.",
    "report": "A model card, plots and tables from run folders.",
    "triage": "The fewest sentences that hold, say, 95 % of the positives; with the bound.",
    "convert": "Documents from one format to another.",
    "audit": "What is tested that was also trained on.",
    "corpora": "The corpora: list them, show a card, find the files.",
}

for _name, _short in COMMANDS.items():
    _command = getattr(import_module(f"relatome.cli.{_name}"), _name)
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name, short_help=_short)
    else:
        app.command(_name, short_help=_short, context_settings=_SETTINGS)(_command)

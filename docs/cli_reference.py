"""An mkdocs hook: writes the command-line reference from what ``relatome COMMAND --help`` prints, so that it cannot go stale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

MARKER = "<!-- cli-reference -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page; the page with the marker gets the reference in its place."""
    return markdown.replace(MARKER, reference()) if MARKER in markdown else markdown


def reference() -> str:
    """The help of ``relatome`` and of each of its commands, as Markdown."""
    parts = [f"```text\n{help_of()}\n```"]
    parts += [f"## relatome {name}\n\n```text\n{help_of(name)}\n```" for name in commands()]
    return "\n\n".join(parts)


def commands() -> list[str]:
    """The names of the commands, in the order of the help."""
    import typer

    from relatome.cli import app

    return list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def help_of(*command: str) -> str:
    """What ``relatome COMMAND --help`` prints, without colours, 100 columns wide."""
    done = subprocess.run(
        [Path(sys.executable).with_name("relatome"), *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"},
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())

"""``relatome convert``: documents from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relatome.cli.job import Job


def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A file, a folder, or - for standard input.")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="A file, or - for standard output.")],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="The format of IN; its content tells it.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="jsonl, facts, pubtator, bioc, iob, chemprot or text; default: as OUT is called."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="What one document of a text file is: file, block or line.")] = "block",
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where rejected documents are named; default: OUT.rejects.jsonl."),
    ] = None,
) -> None:
    """Write documents in another format, offsets verified; what the new format cannot hold is counted and said.

    JSONL keeps everything.
    """
    from relatome import formats
    from relatome.cli import results
    from relatome.errors import InputError

    output = None if target == "-" else Path(target)
    chosen = results.format_of(to, output, otherwise="jsonl")
    results.check_output(output, [source])
    if source != "-" and not Path(source).exists():
        raise InputError("no such file or folder", path=source, advice="check the path")
    job = Job(rejects=rejects or (Path(f"{output}.rejects.jsonl") if output else Path("relatome.rejects.jsonl")))
    with job:
        if from_ is None and source != "-" and Path(source).is_file():
            formats.guess(source)
        found = formats.read(source, from_, split=split, on_reject=job.reject)  # type: ignore[arg-type]
        results.write(job.each(found), chosen, output)
    job.report()
    raise typer.Exit(job.code)

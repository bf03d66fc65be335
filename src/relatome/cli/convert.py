"""``relatome convert``: documents from one format to another, and what the other cannot hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from relatome.cli import results
from relatome.cli.job import Job


def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A file, an archive, a folder, or - for standard input.")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="A file, or - for standard output.")],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="The format of IN; its content tells it.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help=f"{', '.join(results.WRITERS)}; default: as OUT is called."),
    ] = None,
    split: Annotated[str, typer.Option(help="What one document of a text file is: file, block or line.")] = "block",
    scheme: Annotated[
        str | None, typer.Option(help="For iob, how mentions are tagged: IOB1, IOB2 or IOBES; default: IOB2.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing if the new format cannot hold all that is there.")
    ] = False,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Repair or leave out what is wrong in a document, counted, and keep it.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where rejected documents are named; default: OUT.rejects.jsonl."),
    ] = None,
) -> None:
    """Write documents in another format, offsets verified; what the new format cannot hold is counted and said.

    JSONL and Parquet keep everything.
    """
    from relatome import formats
    from relatome.errors import InputError, SettingsError
    from relatome.lookup import pick

    output = None if target == "-" else Path(target)
    chosen = results.format_of(to, output, otherwise="jsonl")
    options: dict[str, Any] = {}
    if scheme is not None:
        if chosen != "iob":
            raise SettingsError([f"--scheme is for iob, and this is written as {chosen}"])
        options["scheme"] = pick(scheme, {name: name for name in ("IOB1", "IOB2", "IOBES")}, "scheme")
    results.check_output(output, [source], chosen)
    if source != "-" and not Path(source).exists():
        raise InputError("no such file or folder", path=source, advice="check the path")
    job = Job(rejects=rejects or (Path(f"{output}.rejects.jsonl") if output else Path("relatome.rejects.jsonl")))
    with job:
        found = formats.read(
            source, from_, split=split, on_reject=job.reject, on_repair=job.repair if lenient else None  # type: ignore[arg-type]
        )  # fmt: skip
        results.write(job.each(found), chosen, output, strict=strict, explained=True, **options)
    job.report()
    raise typer.Exit(job.code)

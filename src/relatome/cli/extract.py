"""``relatome extract``: text in; entities, relations and adverse-effect sentences out."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from relatome.cli import results
from relatome.cli.job import REJECTS, Job
from relatome.cli.terminal import counted, say


def extract(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT|FILE|FOLDER|-", help="What to read; - is standard input."),
    ] = None,
    pmid: Annotated[
        list[str] | None, typer.Option(help="A PubMed id, or several with commas between; fetched from NCBI.")
    ] = None,
    split: Annotated[str, typer.Option(help="What one document of a text file is: file, block or line.")] = "block",
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="The format of the files; their content tells it.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help=f"{', '.join(results.WRITERS)}; default: text, or as FILE is called.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there; it appears when all is written.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="default, or a model folder.")] = "default",
    backend: Annotated[str, typer.Option(help="auto, openvino, openvino-fp32 or pytorch.")] = "auto",
    min_probability: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="P", help="Leave out what is less probable.")
    ] = 0.0,
    keep_negated: Annotated[
        bool,
        typer.Option(
            "--keep-negated", help="Keep relations that the text denies; by default they are left out, counted."
        ),
    ] = False,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Repair or leave out what is wrong in a document, counted, and keep it.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Where rejected documents are named; default: OUTPUT.rejects.jsonl or {REJECTS}."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no figures.")] = False,
) -> None:
    """Read texts into entities, typed relations and adverse-effect sentences, each with its evidence.

    An argument is a file or folder if there is one of that name, else the text itself. Files may be plain text or of
    any format that relatome reads (see the page on formats), gzipped or not, alone or in a tar or zip.
    """
    from relatome.cli.inputs import documents, pmids

    arguments = list(inputs or [])
    chosen = results.format_of(to, output)
    results.check_output(output, arguments, chosen)
    to_eye = chosen == "text" and output is None
    job = Job(
        rejects=rejects or (Path(f"{output}.rejects.jsonl") if output else Path(REJECTS)),
        progress=not quiet and (output is not None or not sys.stdout.isatty()),
    )
    with job:
        found = documents(arguments, split=split, format=from_, pmid=pmids(pmid or []),
                          on_reject=job.reject, on_repair=job.repair if lenient else None)  # fmt: skip
        from relatome.extract import CHUNK
        from relatome.extract import extract as of_documents
        from relatome.predictors import load

        predictor = load(model, backend=backend)
        groups = {label: group for head in predictor.heads.values() for label, group in head.groups.items()}
        read = of_documents(found, predictor, chunk=CHUNK // 8 if to_eye else CHUNK)  # type: ignore[arg-type]
        read = results.with_sentences(results.with_groups(read, groups))
        if min_probability:
            read = results.sure(read, min_probability)
        denied: Counter[str] = Counter()
        if not keep_negated:
            read = results.affirmed(read, denied)
        made = ("sentences", "tokens", "meta", "ids", "text")  # ours, or no one expects them in this format
        results.write(job.each(read), chosen, output, made=made)
    job.report()
    if denied:
        shown = ", ".join(f"{cue!r} {count:,}" for cue, count in denied.most_common(5))
        say(
            f"left out {counted(denied.total(), 'relations')} that the text denies ({shown}); --keep-negated keeps them"
        )
    if not quiet:
        pieces = int(getattr(predictor, "pieces_read", 0))
        seconds = max(job.seconds, 1e-9)
        told = sys.stdout if to_eye else sys.stderr
        told.write(
            f"{counted(job.done, 'documents')} and {counted(pieces, 'pieces')} in {job.seconds:.2f} s: {job.done / seconds:,.1f} documents/s, "
            f"{pieces / seconds:,.0f} pieces/s ({predictor.source})\n"
        )
        if to_eye and "-" not in arguments:
            told.write("on a text of your own: relatome extract -\n")
    raise typer.Exit(job.code)

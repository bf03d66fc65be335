"""``relatome triage``: the fewest sentences that hold, say, 95 % of the positives, with the bound."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relatome.cli.job import REJECTS, Job
from relatome.cli.terminal import counted, say

if TYPE_CHECKING:
    from relatome.scoring.score import Report
    from relatome.scoring.triage import Plan, Table
    from relatome.triage import Asked, Reading


def triage(
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Texts, files, folders, or -.")
    ] = None,
    recall: Annotated[float, typer.Option(help="The share of the positives that must be among those kept.")] = 0.95,
    confidence: Annotated[float, typer.Option(help="How often that holds.")] = 0.95,
    promise: Annotated[
        str, typer.Option(help="file: of this file's positives; model: of the model's recall, cheaper for few.")
    ] = "file",
    model: Annotated[str, typer.Option(help="default, or a folder with a triage table.")] = "default",
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The triage table; default: triage.json in the model's folder.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="With --fit: a TF-IDF model to compare the cost with.")
    ] = None,
    fit: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Make the table of a model from --corpus's dev split.")
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Read this corpus; its gold shows what was held.")] = None,
    split: Annotated[str | None, typer.Option(help="With --corpus; default: dev with --fit, else test.")] = None,
    split_protocol: Annotated[str | None, typer.Option(help="How the corpus is divided.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="The input's format; content tells.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="FORMAT", help="table, tsv or jsonl.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the sentences, or the table, there.")
    ] = None,
    backend: Annotated[str, typer.Option(help="auto, openvino, openvino-fp32, pytorch or tfidf.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The numbers as JSON, in place of the sentences.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Keep the fewest sentences that hold, with 95 % confidence, at least 95 % of the positives (adverse effects).

    The threshold is chosen on dev sentences that the model did not learn from; they are in the model's triage table,
    which --fit makes. Sentences come out the most probable first.
    """
    from relatome import triage as reading
    from relatome.cli.results import check_output
    from relatome.errors import SettingsError
    from relatome.lookup import pick
    from relatome.predictors import load

    check_output(output, inputs or [])
    if fit is not None:
        if inputs or corpus is None:
            raise SettingsError(["--fit needs --corpus, and no file"])
        _fit(fit, corpus, split or "dev", split_protocol, baseline, output, backend)
        return
    if baseline is not None:
        raise SettingsError(["--baseline is for --fit: the table then holds both"])
    if (corpus is None) == (not inputs):
        raise SettingsError(["give files to read, or --corpus"])
    chosen = to or ("table" if output is None and sys.stdout.isatty() else _suffix(output))
    pick(chosen, _WRITERS, "format to write")
    predictor = load(model, backend=backend)
    found = reading.table(model, predictor, table)
    job = Job("documents", rejects=Path(f"{output}.rejects.jsonl") if output else Path(REJECTS), progress=not quiet)
    with job:
        if corpus is not None:
            asked = list(reading.of_corpus(corpus, split or "test", split_protocol, found))
        else:
            from relatome.cli.inputs import documents

            asked = list(reading.of_documents(job.each(documents(inputs or [], format=from_, on_reject=job.reject))))
        read = reading.read(predictor, asked, found)
        result = read.plan(found, recall, confidence, promise)
        _tell(result, read, found)
        if output is not None or not as_json:
            _WRITERS[chosen](read.kept(result), output if output is not None else sys.stdout)
    if as_json:
        sys.stdout.write(_report(result, read, found, predictor.source, promise).json() + "\n")
    job.report()
    raise typer.Exit(job.code)


def _fit(
    model: str, name: str, split: str, protocol: str | None, baseline: str | None, output: Path | None, backend: str
) -> None:
    from relatome import triage
    from relatome.predictors import DEFAULT
    from relatome.scoring.triage import write

    found, copies = triage.fit(model, name, split=split, protocol=protocol, baseline=baseline, backend=backend)
    target = output or (DEFAULT if model == "default" else Path(model)) / triage.FILE
    write(found, target)
    say(
        f"{target}: {counted(len(found.dev.positives), 'positives')} in {counted(len(set(found.dev.documents)), 'documents')} "
        f"and {counted(len(found.dev.negatives), 'others')} of {name} {split} ({found.source['protocol']}); "
        f"copies left out: {copies:,}"
    )


def _tell(result: Plan, read: Reading, table: Table) -> None:
    low, middle, high = result.positives
    copies = len(read.asked) - result.sentences
    say(
        f"read {len(result.kept):,} of {counted(result.sentences, 'sentences')} ({len(result.kept) / result.sentences:.1%})"
        + (f"; {copies:,} more are copies" if copies else "")
    )
    if result.rank:
        say(
            f"with {result.confidence:.0%} confidence they hold at least {result.recall:.0%} of the positives (about {middle:,}, "
            f"{low:,} to {high:,}), and the model's recall at this threshold, {result.threshold:g}, is at least "
            f"{result.model_recall:.1%}"
        )
    else:
        say(
            f"everything is kept: with {counted(result.dev_positives, 'positives')} on dev no threshold can promise "
            f"{result.recall:.0%} of about {middle:,} positives; --promise model asks for less"
        )
    if result.baseline_kept is not None:
        say(
            f"TF-IDF would have kept about {result.baseline_kept:,} ({result.baseline_kept / result.sentences:.1%}) "
            "for the same promise"
        )
    if (held := read.held(result)) is not None:
        share = f"{held[0] / held[1]:.1%}" if held[1] else "-"
        say(f"held, by the gold: {held[0]:,} of {held[1]:,} positives ({share})")


def _report(result: Plan, read: Reading, table: Table, source: str, promise: str) -> Report:
    """The one shape."""
    from relatome.scoring import triage as numbers
    from relatome.scoring.score import Report, Score

    nan = math.nan
    low, middle, high = result.positives

    def number(name: str, value: float, support: int, low: float = nan, high: float = nan) -> Score:
        return Score(name, None, value, low, high, support)

    every = result.sentences
    scores = [
        number("sentences", every, len(read.asked)),
        number("kept", len(result.kept), every),
        number("share kept", len(result.kept) / every, every),
        number("threshold", result.threshold, result.dev_positives),
        number("positives", middle, every, low, high),
        number("recall promised", result.recall if result.rank else 1.0, middle),
        number("recall of the model, at least", result.model_recall, result.dev_positives),
        number("recall on dev", result.dev_recall, result.dev_positives),
    ]
    if result.baseline_kept is not None:
        scores.append(number("kept by TF-IDF, expected", result.baseline_kept, every))
    if (held := read.held(result)) is not None:
        scores.append(number("recall held", held[0] / held[1] if held[1] else nan, held[1]))
    signature = {
        "scorer": "triage", "scorer_version": numbers.VERSION, "promise": promise, "confidence": result.confidence,
        "bound": "order statistic, beta-binomial", "rank": result.rank, "dev_positives": result.dev_positives,
        "design_effect": round(result.design_effect, 4), "model": source, "head": table.head, "positive": table.positive,
        **{f"dev_{key}": value for key, value in table.source.items()},
    }  # fmt: skip
    return Report(tuple(scores), signature)


def _suffix(output: Path | None) -> str:
    return "jsonl" if output is not None and ".jsonl" in output.name else "tsv"


def _records(kept: Iterable[tuple[Asked, float, int]]) -> Iterator[dict[str, Any]]:
    for rank, (one, score, copies) in enumerate(kept, 1):
        yield {
            "rank": rank, "document": one.document, "start": one.start, "end": one.start + len(one.text),
            "probability": score, "copies": copies, "sentence": one.text,
        }  # fmt: skip


def _tsv(kept: Iterable[tuple[Asked, float, int]], target: Any) -> None:
    from relatome.formats.files import writing

    with writing(target) as stream:
        stream.write("rank\tdocument\tstart\tend\tprobability\tcopies\tsentence\n")
        for record in _records(kept):
            stream.write("\t".join(" ".join(str(value).split()) for value in record.values()) + "\n")


def _jsonl(kept: Iterable[tuple[Asked, float, int]], target: Any) -> None:
    from relatome.formats.files import writing

    with writing(target) as stream:
        stream.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in _records(kept))


def _shown(kept: Iterable[tuple[Asked, float, int]], target: Any) -> None:
    from relatome.cli.display import table
    from relatome.cli.terminal import console
    from relatome.formats.files import writing

    with writing(target) as stream:
        rows = [(str(r["rank"]), r["document"], f"{r['probability']:.4f}", r["sentence"]) for r in _records(kept)]
        table(console(stream), "", ("rank", "document", "probability", "sentence"), rows, wide="sentence")


_WRITERS = {"table": _shown, "tsv": _tsv, "jsonl": _jsonl}

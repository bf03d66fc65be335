"""``relatome triage``: the fewest sentences that hold, say, 95 % of the positives, with the bound."""

from __future__ import annotations

import json
import math
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relatome.cli.job import REJECTS, Job
from relatome.cli.terminal import counted, say

if TYPE_CHECKING:
    from relatome.corpora.corpus import Corpus
    from relatome.documents import Document
    from relatome.predictors import Predictor
    from relatome.scoring.score import Report
    from relatome.scoring.triage import Dev, Plan, Table
    from relatome.tasks.example import Head, Sentence

_CHUNK = 256  # sentences asked about together


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
    found = _table(model, table, predictor)
    job = Job("documents", rejects=Path(f"{output}.rejects.jsonl") if output else Path(REJECTS), progress=not quiet)
    with job:
        if corpus is not None:
            asked = list(_of_corpus(corpus, split or "test", split_protocol, found))
        else:
            from relatome.cli.inputs import documents

            asked = list(_of_documents(job.each(documents(inputs or [], format=from_, on_reject=job.reject))))
        read = _Read(
            asked, _scores(predictor, predictor.heads[found.head], found.positive, [one.text for one in asked])
        )
        result = read.plan(found, recall, confidence, promise)
        _tell(result, read, found)
        if output is not None or not as_json:
            _WRITERS[chosen](read.kept(result), output if output is not None else sys.stdout)
    if as_json:
        sys.stdout.write(_report(result, read, found, predictor.source, promise).json() + "\n")
    job.report()
    raise typer.Exit(job.code)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One sentence to judge; ``positive`` where the gold is known."""

    document: str
    start: int
    text: str
    positive: bool | None = None
    source: str = ""


class _Read:
    """The sentences of the input with their scores; of a text that stands there again only the first is judged."""

    def __init__(self, asked: Sequence[_Asked], scores: Sequence[float]) -> None:
        from relatome.errors import InputError

        if not asked:
            raise InputError("there is no sentence to read")
        self.asked, self.scores = asked, scores
        self.first: list[int] = []
        self.copies: dict[int, list[int]] = {}
        places: dict[str, int] = {}
        for index, one in enumerate(asked):
            place = places.setdefault(_key(one.text), index)
            if place == index:
                self.first.append(index)
            self.copies.setdefault(place, []).append(index)

    def plan(self, found: Table, recall: float, confidence: float, promise: str) -> Plan:
        from relatome.scoring import triage as numbers

        scores = [self.scores[index] for index in self.first]
        return numbers.plan(scores, found, recall=recall, confidence=confidence, promise=promise)

    def kept(self, result: Plan) -> Iterator[tuple[_Asked, float, int]]:
        """Each kept text once, with its score and how often it stands in the input."""
        for place in result.kept:
            index = self.first[place]
            yield self.asked[index], self.scores[index], len(self.copies[index])

    def held(self, result: Plan) -> tuple[int, int] | None:
        """How many of the distinct positives are kept, and how many there are; ``None`` without gold."""
        if any(one.positive is None for one in self.asked):
            return None
        chosen = set(result.kept)
        positive = [self.asked[index].positive for index in self.first]
        return sum(bool(one) and place in chosen for place, one in enumerate(positive)), sum(map(bool, positive))


def _fit(
    model: str, name: str, split: str, protocol: str | None, baseline: str | None, output: Path | None, backend: str
) -> None:
    from relatome import corpora
    from relatome.errors import ModelError
    from relatome.predictors import DEFAULT, head_of, load
    from relatome.scoring import triage as numbers

    found = corpora.load(name)
    chosen = found.protocol(protocol)
    folder = DEFAULT if model == "default" else Path(model)
    label, positive = _positive(found)
    predictor = load(model, backend=backend)
    head = head_of(predictor, "classification", label)
    if positive not in head.labels:
        raise ModelError(
            f"the model does not say {positive!r}", path=folder, advice=f"it says {', '.join(head.labels)}"
        )
    for place, opened in ((folder, predictor), *(((Path(baseline), None),) if baseline else ())):
        _check_unseen(place, opened, name, split, chosen.name)
    asked = list(_examples(found, split, chosen.name, label, positive))
    first = _dev(predictor, head, positive, asked)
    second: Dev | None = None
    if baseline:
        other = load(baseline)
        second = _dev(other, head_of(other, "classification", label), positive, asked)
    source = {
        "corpus": name, "corpus_version": found.card.version, "split": split, "protocol": chosen.name,
        "split_hash": found.split_hash(chosen.name)[:16],
    }  # fmt: skip
    target = output or folder / numbers.FILE
    numbers.write(numbers.Table(head.name, positive, first, second, source), target)
    copies = len(asked) - len(first.positives) - len(first.negatives)
    say(
        f"{target}: {counted(len(first.positives), 'positives')} in {counted(len(set(first.documents)), 'documents')} and "
        f"{counted(len(first.negatives), 'others')} of {name} {split} ({chosen.name}); copies left out: {copies:,}"
    )


def _dev(predictor: Predictor, head: Head, positive: str, asked: Sequence[_Asked]) -> Dev:
    from relatome.scoring import triage as numbers

    scores = _scores(predictor, head, positive, [one.text for one in asked])
    return numbers.dev_of(
        scores,
        [bool(one.positive) for one in asked],
        [one.source for one in asked],
        [_key(one.text) for one in asked],
        model=predictor.source,
    )


def _check_unseen(folder: Path, predictor: Predictor | None, corpus: str, split: str, protocol: str) -> None:
    """Refuse dev sentences that the model learnt from: their scores are too good, and the promise would be false."""
    from relatome import corpora
    from relatome.errors import ModelError

    card: Mapping[str, Any] = predictor.card if predictor is not None else {}
    settings: Any = card.get("training", {}).get("settings", {})
    for place in (folder / "run.toml", folder.parent / "run.toml"):
        if not settings and place.is_file():
            settings = tomllib.loads(place.read_text(encoding="utf-8"))
    for item in settings.get("data", []):
        if item.get("corpus") != corpus:
            continue
        used = item.get("protocol") or corpora.load(corpus).protocol().name
        both = set(item.get("split", "train").split("+")) & set(split.split("+"))
        if both or used != protocol:
            what = (
                f"{corpus} {'+'.join(sorted(both))}" if both else f"{corpus} as divided by {used!r}, not {protocol!r}"
            )
            raise ModelError(
                f"the model learnt from {what}: a threshold cannot be chosen on it", path=folder,
                advice="train it on the train split alone",
            )  # fmt: skip


def _positive(corpus: Corpus) -> tuple[str, str]:
    """The corpus's label and its positive value."""
    from relatome.errors import ScoreError

    for name, label in corpus.card.labels.items():
        if label.positive:
            return name, label.positive
    raise ScoreError(f"the card of {corpus.card.name} names no positive class", advice="choose another corpus: ade")


def _table(model: str, given: Path | None, predictor: Predictor) -> Table:
    from relatome.errors import ModelError
    from relatome.predictors import DEFAULT
    from relatome.scoring import triage as numbers

    path = given or (DEFAULT if model == "default" else Path(model)) / numbers.FILE
    if given is None and not path.is_file():
        raise ModelError(
            "the model has no triage table", path=path.parent,
            advice=f"relatome triage --fit {model} --corpus ade",
        )  # fmt: skip
    found = numbers.read(path)
    if found.head not in predictor.heads or found.positive not in predictor.heads[found.head].labels:
        raise ModelError(
            f"the table asks {found.head!r} for {found.positive!r}, which the model does not know", path=path
        )
    if found.dev.model and found.dev.model.partition("@")[2] != predictor.source.partition("@")[2]:
        raise ModelError(
            f"the table was made with {found.dev.model}, and this is {predictor.source}", path=path,
            advice=f"relatome triage --fit {model} --corpus {found.source.get('corpus', 'ade')}",
        )  # fmt: skip
    return found


def _of_documents(documents: Iterable[Document]) -> Iterator[_Asked]:
    from relatome.tasks import classification

    for document in documents:
        for sentence in classification.inputs(document):
            if sentence.text.strip():
                yield _Asked(document.id, sentence.start, sentence.text)


def _of_corpus(name: str, split: str, protocol: str | None, table: Table) -> Iterator[_Asked]:
    from relatome import corpora
    from relatome.errors import ScoreError

    found = corpora.load(name)
    label, positive = _positive(found)
    if positive != table.positive:
        raise ScoreError(f"{name} is about {positive!r}, and the model's table about {table.positive!r}")
    return _examples(found, split, protocol, label, positive)


def _examples(corpus: Corpus, split: str, protocol: str | None, label: str, positive: str) -> Iterator[_Asked]:
    from relatome.corpora.corpus import source_of

    for document in corpus.documents(split, protocol=protocol):
        for one in document.labels:
            if one.name == label:
                text = document.text[one.start : one.end]
                yield _Asked(document.id, one.start, text, one.value == positive, source_of(document))


def _scores(predictor: Predictor, head: Head, positive: str, texts: Sequence[str]) -> list[float]:
    """The probability of the positive class of each text; a text that stands there again is asked about once."""
    from relatome.tasks.example import Sentence

    distinct = list(dict.fromkeys(texts))
    found: dict[str, float] = {}
    for start in range(0, len(distinct), _CHUNK):
        part = distinct[start : start + _CHUNK]
        asked: list[Sentence] = [Sentence(str(number), str(number), text) for number, text in enumerate(part)]
        answers = predictor.predict({head.name: asked})[head.name]
        found |= {text: answer.probabilities[positive] for text, answer in zip(part, answers, strict=True)}
    return [found[text] for text in texts]


def _key(text: str) -> str:
    """What makes two sentences copies of one."""
    from relatome.corpora.splits import normalised

    return normalised(text) or text


def _tell(result: Plan, read: _Read, table: Table) -> None:
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


def _report(result: Plan, read: _Read, table: Table, source: str, promise: str) -> Report:
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


def _records(kept: Iterable[tuple[_Asked, float, int]]) -> Iterator[dict[str, Any]]:
    for rank, (one, score, copies) in enumerate(kept, 1):
        yield {
            "rank": rank, "document": one.document, "start": one.start, "end": one.start + len(one.text),
            "probability": score, "copies": copies, "sentence": one.text,
        }  # fmt: skip


def _tsv(kept: Iterable[tuple[_Asked, float, int]], target: Any) -> None:
    from relatome.formats.files import writing

    with writing(target) as stream:
        stream.write("rank\tdocument\tstart\tend\tprobability\tcopies\tsentence\n")
        for record in _records(kept):
            stream.write("\t".join(" ".join(str(value).split()) for value in record.values()) + "\n")


def _jsonl(kept: Iterable[tuple[_Asked, float, int]], target: Any) -> None:
    from relatome.formats.files import writing

    with writing(target) as stream:
        stream.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in _records(kept))


def _shown(kept: Iterable[tuple[_Asked, float, int]], target: Any) -> None:
    from relatome.cli.display import table
    from relatome.cli.terminal import console
    from relatome.formats.files import writing

    with writing(target) as stream:
        rows = [(str(r["rank"]), r["document"], f"{r['probability']:.4f}", r["sentence"]) for r in _records(kept)]
        table(console(stream), "", ("rank", "document", "probability", "sentence"), rows, wide="sentence")


_WRITERS = {"table": _shown, "tsv": _tsv, "jsonl": _jsonl}

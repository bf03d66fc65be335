"""What a run folder says of itself, read once: the model's card, its settings, its log, what it saw, how it scored.

Evaluations lie in ``evaluations/`` of the run folder: ``NAME.json`` is what ``relatome evaluate --json`` prints,
``NAME.jsonl`` and ``NAME.tfidf.jsonl`` what ``--predictions`` writes, of the model and of its baseline. `evaluated` puts
them there; ``evaluation.json`` and ``predictions.jsonl`` beside the model are read too, so a person can. Which
predictions belong to which scores is told by their signatures, and what was made with other weights is left out, and
said. Nothing is guessed: what no file says is empty here, and *unknown* in the report.
"""

from __future__ import annotations

import json
import math
import re
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relatome import corpora
from relatome.corpora.audit import Audit, Seen
from relatome.environment import environment
from relatome.errors import InputError, ModelError, RelatomeError, ScoreError
from relatome.evaluate import as_json, evaluate
from relatome.formats.files import writing
from relatome.predictors import DEFAULT, load, source
from relatome.scoring import examples
from relatome.scoring.examples import Examples
from relatome.scoring.score import Report, Score
from relatome.tasks import TASKS
from relatome.tasks.example import Head

if TYPE_CHECKING:
    from relatome.corpora.corpus import Corpus
    from relatome.predictors import Predictor

FOLDER = "evaluations"
THROUGHPUT = "throughput.json"
BUDGETS = (128, 256, 512, 1024, 2048, 4096)  # pieces of a batch
_LARGEST = 1 << 28  # bytes of a JSON file that is read
_SAME = ("corpus", "corpus_version", "split", "protocol", "split_hash", "task", "entities")
_SECONDS = 1.0  # at least, for one measurement of throughput


@dataclass(frozen=True, slots=True)
class Saved:
    """One evaluation.

    Parameters
    ----------
    beside
        What ``evaluate --json`` puts beside it: parts, other entities, the baseline; with the name it had there.
    facts, budget, audit, environment
        As saved; empty where they were not.
    predictions, baseline
        The examples of the model and of TF-IDF, where they are here.
    """

    name: str
    report: Report
    beside: tuple[tuple[str, Report], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    predictions: Examples | None = None
    baseline: Examples | None = None

    @property
    def signature(self) -> Mapping[str, Any]:
        """Of the main report."""
        return self.report.signature

    def part(self, name: str, *, entities: str = "") -> Report | None:
        """The report of another part (``"no document, ..."`` for the clean one), of this model."""
        for what, report in self.beside:
            own = report.signature
            same = own.get("model") == self.signature.get("model")
            if same and what.endswith(name) and (not entities or own.get("entities") == entities):
                return report
        return None

    def of_baseline(self) -> Report | None:
        """The baseline's report on the same examples."""
        for what, report in self.beside:
            if what.endswith("tfidf") and all(report.signature.get(k) == self.signature.get(k) for k in _SAME):
                return report
        return None


@dataclass(frozen=True, slots=True)
class Run:
    """What is known of a model.

    Parameters
    ----------
    source
        Its name and the hash of its weights.
    card, settings
        Of ``relatome.json`` and ``run.toml`` (or the card's own copy).
    log
        The steps of ``log.jsonl``.
    seen
        The list of what it saw, where there is one.
    baseline
        ``relatome.json`` of its TF-IDF; empty without one.
    throughput
        (pieces of a batch, texts a second), and how they were measured.
    notes
        What was left out, to be said.
    """

    folder: Path
    name: str
    source: str
    heads: tuple[Head, ...]
    limit: int | None
    card: Mapping[str, Any]
    settings: Mapping[str, Any]
    log: tuple[Mapping[str, Any], ...]
    seen: Seen | None
    baseline: Mapping[str, Any]
    evaluations: tuple[Saved, ...]
    throughput: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def inside(folder: str | Path) -> list[Path]:
    """The run folders that a folder is, or holds (one for each split protocol, or seed).

    Raises
    ------
    ModelError
        It is none, and holds none.
    """
    path = DEFAULT if str(folder) == "default" else Path(folder)
    if not path.is_dir():
        raise ModelError("there is no such run folder", path=path, advice="give the folder that relatome train wrote")
    if (path / "relatome.json").is_file():
        return [path]
    found = sorted(file.parent for file in path.glob("*/relatome.json"))
    if not found:
        unfinished = (path / "run.toml").is_file() or any(path.glob("*/run.toml"))
        raise ModelError(
            "this run is not finished: it has no relatome.json" if unfinished else "this is no run folder: it has no relatome.json",
            path=path, advice="finish it: relatome train" if unfinished else "give the folder that relatome train wrote",
        )  # fmt: skip
    return found


def read(folder: Path, *, also: Path | None = None) -> Run:
    """Everything a run folder says.

    Parameters
    ----------
    also
        Another folder that evaluations may lie in: where the report is written.

    Raises
    ------
    ModelError
        It is no run folder, or one of its files is broken.
    ScoreError, InputError
        An evaluation in it is broken.
    """
    notes: list[str] = []
    said = _json(folder / "relatome.json")
    try:
        heads = tuple(Head.from_json(one) for one in said["heads"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"its heads cannot be read: {type(error).__name__}: {error}", path=folder / "relatome.json"
        ) from None
    card = _mapping(said.get("card"))
    identity = source(folder)
    places = list(dict.fromkeys(place.resolve() for place in (folder, also) if place is not None))
    predictions = [one for place in places for one in _predictions(place)]
    evaluations: list[Saved] = []
    for path in (file for place in places for file in _files(place, ".json", "evaluation.json")):
        saved = _saved(path)
        if not _same_weights(saved.signature.get("model"), identity):
            notes.append(f"{path.name} is of {saved.signature.get('model')}, not of {identity}: left out")
        elif any(saved.signature == other.signature for other in evaluations):
            notes.append(f"{path.name} says what another evaluation says: left out")
        else:
            evaluations.append(_joined(saved, predictions))
    limit = said.get("limit")
    tfidf = folder / "tfidf" / "relatome.json"
    timed = [place / FOLDER / THROUGHPUT for place in places]
    throughput: Mapping[str, Any] = next((_json(path) for path in timed if path.is_file()), {})
    return Run(
        folder=folder,
        name=str(card.get("name") or _named(folder)),
        source=f"{_named(folder)}@{identity.rpartition('@')[2]}",
        heads=heads,
        limit=limit if type(limit) is int else None,
        card=card,
        settings=_settings(folder, card),
        log=tuple(_log(folder / "log.jsonl", notes)),
        seen=Seen.read(folder),
        baseline=_json(tfidf) if tfidf.is_file() else {},
        evaluations=tuple(sorted(evaluations, key=lambda one: one.name)),
        throughput=throughput if _same_weights(throughput.get("model"), identity) else {},
        notes=tuple(notes),
    )


def evaluated(
    folder: Path, corpus: str, target: Path, *, task: str = "", split: str = "test", protocol: str | None = None,
    entities: str = "gold", backend: str = "auto", resamples: int = 1000, seed: int = 0,
) -> Path:  # fmt: skip
    """Score a run and its baseline, audit it, and put what comes of it into ``target/evaluations``; the JSON's path.

    Raises
    ------
    RelatomeError
        As ``evaluate`` does.
    """
    found = corpora.load(corpus)
    given = protocol or _protocol_of(folder, found)
    wanted = task or _task_of(folder, found)
    draws: dict[str, Any] = {"split": split, "protocol": given, "resamples": resamples, "seed": seed}
    result = evaluate(load(folder, backend=backend), found, task=wanted, entities=entities, **draws)
    results = [(str(folder), result)]
    if (folder / "tfidf" / "relatome.json").is_file():
        results.append((str(folder / "tfidf"), evaluate(load(folder / "tfidf"), found, task=wanted, **draws)))
    place = target / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    parts = [found.card.name, found.protocol(given).name, split, wanted]
    parts += [entities] if wanted == "relation" else []
    name = re.sub(r"[^A-Za-z0-9+-]+", "-", "-".join(parts))
    for suffix, (_, one) in zip((".jsonl", ".tfidf.jsonl"), results, strict=False):
        saved = one.predictions
        examples.write(
            saved.rows, place / f"{name}{suffix}", scorer=saved.scorer, options=saved.options, signature=saved.signature
        )
    document = {**as_json(results), "environment": environment(backend=backend)}
    audited = _audited(folder, found, given, split)
    with writing(place / f"{name}.json") as stream:
        stream.write(json.dumps({**document, **({"audit": audited} if audited else {})}, ensure_ascii=False) + "\n")
    return place / f"{name}.json"


def timed(
    folder: Path, corpus: str, target: Path, *, split: str = "test", protocol: str | None = None,
    backend: str = "auto", texts: int = 256,
) -> Path:  # fmt: skip
    """Measure how many texts a second the model reads at each size of a batch; where the figures were put.

    Raises
    ------
    ModelError
        The model is not one that reads in batches of pieces.
    """
    found = corpora.load(corpus)
    predictor: Predictor = load(folder, backend=backend)
    if not hasattr(predictor, "budget"):
        raise ModelError("this model has no batches of pieces to measure", path=folder)
    head = next((one for one in predictor.heads.values() if one.task != "relation"), None)
    inputs: list[Any] = []
    if head is None:
        head = next(iter(predictor.heads.values()))
    task = TASKS[head.task]
    for document in found.documents(split, protocol=protocol or _protocol_of(folder, found)):
        inputs += task.inputs(document, head) if head.task == "relation" else task.inputs(document)
        if len(inputs) >= texts:
            break
    if not inputs:
        raise ScoreError(f"{found.card.name} {split} has no inputs of {head.name} to measure with")
    rows = []
    for size in BUDGETS:
        predictor.budget = size
        predictor.predict({head.name: inputs[:8]})  # an engine gets ready for its first batch
        done, begun = 0, time.perf_counter()
        while (seconds := time.perf_counter() - begun) < _SECONDS:
            predictor.predict({head.name: inputs[:texts]})
            done += len(inputs[:texts])
        rows.append([size, round(done / seconds, 2)])
    said = {
        "model": predictor.source, "head": head.name, "corpus": found.card.name, "split": split,
        "texts": len(inputs[:texts]), "rows": rows, "environment": environment(backend=backend),
    }  # fmt: skip
    path = target / FOLDER / THROUGHPUT
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as stream:
        stream.write(json.dumps(said, ensure_ascii=False) + "\n")
    return path


def _audited(folder: Path, corpus: Corpus, protocol: str | None, split: str) -> dict[str, Any]:
    """What the scored split shares with what the model saw; nothing where that was not recorded."""
    seen = Seen.read(folder)
    if seen is None:
        return {}
    audit = Audit(near=False)  # the list holds hashes, which have no near-duplicates
    scored = audit.documents(f"{corpus.card.name} {split}", (corpus, corpus.documents(split, protocol=protocol)))
    uses: dict[str, Any] = {}
    for use in dict.fromkeys(part.use for part in seen.parts):
        part = audit.seen(use, Seen(tuple(one for one in seen.parts if one.use == use)))
        found = audit.compare([scored], [part])
        uses[use] = {"documents": found.documents, **found.counts, "any": found.any, "examples": list(found.examples)}
    return uses


def _protocol_of(folder: Path, corpus: Corpus) -> str | None:
    """How the run divided this corpus when it learned; None where it did not, or its default."""
    for item in _settings(folder, _mapping(_json(folder / "relatome.json").get("card"))).get("data", ()):
        name = _mapping(item).get("protocol")
        if _mapping(item).get("corpus") == corpus.card.name and name in corpus.card.protocols:
            return str(name)
    return None


def _task_of(folder: Path, corpus: Corpus) -> str:
    """The first task of the corpus that the model has a head for; else the corpus's first, which says what is missing."""
    tasks = [_mapping(head).get("task") for head in _json(folder / "relatome.json").get("heads", ())]
    return next((one for one in corpus.card.tasks if one in tasks), corpus.card.task())


def _named(folder: Path) -> str:
    return folder.resolve().name


def _settings(folder: Path, card: Mapping[str, Any]) -> Mapping[str, Any]:
    path = folder / "run.toml"
    if path.is_file():
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"not TOML: {error}", path=path) from None
    return _mapping(_mapping(card.get("training")).get("settings"))


def _log(path: Path, notes: list[str]) -> Iterator[Mapping[str, Any]]:
    """The steps; a line that is cut, or is no step, is counted."""
    if not path.is_file():
        return
    wrong = 0
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                step = json.loads(line)
                if type(step["step"]) is not int or not all(_number(one) for one in step["losses"].values()):
                    raise ValueError("no step")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                wrong += 1
                continue
            yield step
    if wrong:
        notes.append(f"{path.name}: {wrong:,} lines are no steps: left out")


def _files(place: Path, suffix: str, single: str) -> list[Path]:
    inner = sorted(path for path in (place / FOLDER).glob(f"*{suffix}") if path.name != THROUGHPUT)
    return [*([place / single] if (place / single).is_file() else []), *inner]


def _predictions(place: Path) -> list[Examples]:
    found = [examples.read(path) for path in _files(place, ".jsonl", "predictions.jsonl")]
    return [one for one in found if one.signature]


def _joined(saved: Saved, predictions: Sequence[Examples]) -> Saved:
    """The evaluation with its predictions, known by their signatures."""
    from dataclasses import replace

    fitting = [
        one for one in predictions
        if one.signature and all(one.signature.get(key) == saved.signature.get(key) for key in _SAME)
    ]  # fmt: skip
    own = next((one for one in fitting if (one.signature or {}).get("model") == saved.signature.get("model")), None)
    baseline = saved.of_baseline()
    other = None
    if baseline is not None:
        other = next(
            (one for one in fitting if (one.signature or {}).get("model") == baseline.signature.get("model")), None
        )
    return replace(saved, predictions=own, baseline=other)


def _saved(path: Path) -> Saved:
    said = _json(path, ScoreError)
    try:
        report = _report(said)
        beside = tuple((str(one["what"]), _report(one)) for one in said.get("beside", ()))
        extra = {key: said.get(key, {}) for key in ("facts", "budget", "audit", "environment")}
        if not all(isinstance(value, dict) for value in extra.values()):
            raise ValueError("facts, budget, audit and environment should be objects")
        if extra["budget"] and not all(
            isinstance(row["cause"], str) and isinstance(row["examples"], list) and type(row["count"]) is int
            for row in extra["budget"]["rows"]
        ):
            raise ValueError("a row of the budget has no cause, count or examples")
        return Saved(path.stem, report, beside, **extra)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScoreError(
            f"this is not what relatome evaluate --json prints: {type(error).__name__}: {error}", path=path,
            advice="make it again, or move it out of the folder",
        ) from None  # fmt: skip


def _report(said: Mapping[str, Any]) -> Report:
    scores = []
    for one in said["scores"]:
        if not isinstance(one["name"], str) or not isinstance(one["class"], str | None):
            raise ValueError("a score without a name")
        values = [math.nan if one[key] is None else one[key] for key in ("value", "low", "high")]
        if not all(isinstance(value, int | float) for value in values) or type(one["support"]) is not int:
            raise ValueError(f"score {one['name']!r} is no number")
        value, low, high = map(float, values)
        scores.append(Score(one["name"], one["class"], value, low, high, one["support"]))
    if not isinstance(said["signature"], dict) or not scores:
        raise ValueError("no scores, or no signature")
    return Report(tuple(scores), said["signature"])


def _json(path: Path, kind: type[RelatomeError] = ModelError) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise kind("this file is too large for what it should be", path=path)
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise kind("there is no such file", path=path) from None
    except UnicodeDecodeError:
        raise kind("this is not UTF-8 text", path=path) from None
    except (ValueError, RecursionError) as error:
        raise kind(f"not JSON: {error}", path=path) from None
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}", path=path) from None
    if not isinstance(found, dict):
        raise kind("expected an object", path=path)
    return found


def _same_weights(model: Any, identity: str) -> bool:
    return isinstance(model, str) and model.rpartition("@")[2] == identity.rpartition("@")[2] != "unknown"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

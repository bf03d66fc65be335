"""From settings to a finished run folder: read, train, log, score on dev, keep the best.

A run folder holds ``run.toml`` (the resolved settings; they can be run again), ``seen.json.gz`` (ids and hashes of every
document learned from or chosen by, for ``relatome audit``), ``log.jsonl`` (a line a step), ``resume.pt`` while the run
is unfinished, ``run.lock`` while a process is at work on it, and the model. A run that teaches one classification head
also fits the TF-IDF baseline on the same rows, into ``tfidf/``, and one relation head over a merged corpus what types and
corpus say, into ``priors/``: a neural score is never read without.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from relatome import corpora
from relatome.corpora.audit import Seen, SeenPart, prints
from relatome.corpora.held_out import HeldOut
from relatome.corpora.merged import Merged
from relatome.environment import environment
from relatome.errors import ModelError, SettingsError, TrainingError
from relatome.evaluate import HEADLINE, evaluate
from relatome.models import checkpoint as folders
from relatome.models.checkpoint import Checkpoint
from relatome.predictors.neural import NeuralPredictor
from relatome.predictors.pytorch import TorchForward
from relatome.tasks import TASKS
from relatome.tasks.example import Head
from relatome.training import distil, mixture, pretraining, thresholds
from relatome.training.lock import Lock
from relatome.training.loop import Run, Scores, Step
from relatome.training.settings import Settings


def prepare(settings: Settings, folder: str | Path) -> Run:
    """A run that is ready to step: everything read, encoded and, where it was begun before, restored.

    Raises
    ------
    TrainingError
        The folder holds a finished run, or one with other settings, or another process is training in it.
    SettingsError, CorpusError, ModelError
        Something it needs is wrong or absent.
    """
    folder = Path(folder)
    run = planned(settings, folder)
    if run.first:
        run.lock = Lock(folder)
    try:
        run.resume()
    except TrainingError:
        run.release()
        raise
    run.checkpoint.card |= provenance(run)
    if run.first:
        (folder / "run.toml").write_text(settings.toml(), encoding="utf-8")
        seen(settings).write(folder)
    return run


def planned(settings: Settings, folder: str | Path) -> Run:
    """A run with everything read and encoded, of which nothing is written yet: what ``--dry-run`` looks at.

    Raises
    ------
    TrainingError
        The folder holds a finished run.
    SettingsError, CorpusError, ModelError
        Something it needs is wrong or absent.
    """
    folder = Path(folder)
    if finished(folder):
        raise TrainingError("this folder holds a finished run", path=folder, advice="choose another folder")
    heads = mixture.heads(settings)
    torch.manual_seed(settings.seed)
    checkpoint = folders.new(encoder_folder(settings.encoder), heads, limit=settings.limit)
    found = mixture.build(settings, heads, checkpoint.pieces, checkpoint.limit)
    if problems := mixture.one_sided(found, heads):
        raise SettingsError(problems)
    found.counts.update(mixture.unseen(found, settings, heads))
    score = (lambda current: dev_scores(settings, current)) if any(item.dev for item in settings.data) else None
    finish = (lambda best: with_thresholds(settings, found, best)) if thresholds.wanted(settings) else None
    return Run(settings, checkpoint, found, folder, score=score, finish=finish)


def provenance(run: Run) -> dict[str, Any]:
    """For the model's card: what it is trained on and with, and on which terms."""
    device = run.accelerator.device
    return {
        "environment": environment(
            device=torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
            threads=str(torch.get_num_threads()),
            precision={"no": "fp32"}.get(run.accelerator.mixed_precision, run.accelerator.mixed_precision),
        ),
        "corpora": {
            card.name: card.provenance() for card in (corpora.load(item.corpus).card for item in run.settings.data)
        },
    }


def seen(settings: Settings) -> Seen:
    """What a run with these settings learns from (without what it must not see), and what it is chosen by.

    What a model that it begins from has seen, and what its teachers have seen, it has seen too.
    """
    held_out = HeldOut.load()
    begun = Seen.read(settings.encoder)
    parts = [] if begun is None else list(begun.parts)
    for item in settings.data:
        corpus, protocol = corpora.load(item.corpus), item.protocol or None
        taken = [("train", item.split, mixture.documents(item, held_out))]
        if item.dev:
            taken.append(("dev", item.dev, corpus.documents(item.dev, protocol=protocol)))
        chosen, digest = corpus.protocol(protocol).name, corpus.split_hash(protocol)
        for use, split, documents in taken:
            found = tuple(prints(documents, corpus))
            parts.append(SeenPart(corpus.card.name, split, chosen, digest, use, found))
        for teacher in distil.teachers(item.teacher) if item.teacher else ():
            theirs = Seen.read(teacher)  # what a teacher saw, its student has from it
            parts += theirs.parts if theirs is not None else ()
    once: dict[tuple[str, ...], SeenPart] = {}
    for part in parts:
        key = (part.corpus, part.split, part.protocol, part.split_hash, part.use)
        if key in once:  # another table of the same corpus: each may read only some of it
            part = dataclasses.replace(part, prints=tuple(dict.fromkeys(once[key].prints + part.prints)))
        once[key] = part
    return Seen(tuple(once.values()))


def finished(folder: str | Path) -> bool:
    """Whether the folder holds a run that came to its end."""
    folder = Path(folder)
    done = (folder / "log.jsonl").is_file() and (folder / "model.safetensors").is_file()
    return done and not (folder / "resume.pt").is_file()


def train(run: Run) -> Iterator[Step]:
    """Step to the end, writing ``log.jsonl``; the run's folder then holds the model."""
    if not run.first:
        yield from run.steps()
        return
    file = run.folder / "log.jsonl"
    _cut(file, run.logged)
    with file.open("a", encoding="utf-8") as log:
        for step in run.steps():
            log.write(json.dumps(step.json()) + "\n")
            log.flush()
            yield step
    run.release()


def _cut(log: Path, done: int) -> None:
    """Keep a killed run's log up to the checkpoint it goes on from: later steps are done again."""
    if not log.is_file():
        return
    kept = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        try:
            if not line.endswith("\n") or json.loads(line)["step"] > done:
                break
        except (ValueError, KeyError, TypeError):
            break  # the run was killed while it wrote this line
        kept.append(line)
    temporary = log.with_name(log.name + ".part")
    temporary.write_text("".join(kept), encoding="utf-8")
    temporary.replace(log)


def baseline(settings: Settings, folder: str | Path) -> Path | None:
    """Fit the baseline of a run's only head, on the same rows; where it was saved, None where there is none for it.

    Of a classification head TF-IDF + logistic regression; of a relation head over a merged corpus the commonest label by
    entity types and corpus, since there these tell much.
    """
    from relatome.predictors import priors, tfidf

    heads = mixture.heads(settings)
    merged = any(isinstance(corpora.load(item.corpus), Merged) for item in settings.data)
    if len(heads) != 1 or not (heads[0].task == "classification" or (heads[0].task == "relation" and merged)):
        return None
    (head,) = heads
    if head.multilabel:  # a label by types and corpus is one label
        return None
    held_out = HeldOut.load()
    documents = (document for item in settings.data for document in mixture.documents(item, held_out))
    examples = (example for document in documents for example in TASKS[head.task].examples(document, head))
    fitted = tfidf.train(examples, head) if head.task == "classification" else priors.train(examples, head)
    target = Path(folder) / ("tfidf" if head.task == "classification" else "priors")
    fitted.save(target)
    return target


def with_protocol(settings: Settings, protocol: str) -> Settings:
    """The settings with every corpus that has this split protocol divided by it."""
    data = tuple(
        dataclasses.replace(item, protocol=protocol) if protocol in corpora.load(item.corpus).card.protocols else item
        for item in settings.data
    )
    return dataclasses.replace(settings, data=data)


def dev_scores(settings: Settings, checkpoint: Checkpoint) -> Scores:
    """The network's scores on the dev split of every corpus that has one; their mean comes first."""
    if settings.heads[0].task == "pretraining":
        return pretraining.dev_scores(settings, checkpoint)
    predictor = predictor_of(checkpoint)
    scores: dict[str, float] = {}
    table: dict[str, Head] = {head.name: head for head in checkpoint.network.asked}
    for item in settings.data:
        for name in item.heads if item.dev else ():
            report = evaluate(
                predictor, item.corpus, task=table[name].task, split=item.dev, protocol=item.protocol or None, resamples=0,
                clean=False, both=False,
            ).report  # fmt: skip
            average = HEADLINE.get(str(report.signature["scorer"]), "micro")
            scores[f"{item.corpus} {name} {average} f1"] = round(report.value("f1", average), 4)
    return {"mean": round(sum(scores.values()) / len(scores), 4), **scores}


def with_thresholds(settings: Settings, taught: mixture.Mixture, best: Checkpoint) -> dict[str, Any]:
    """Move the thresholds of the heads that ask for it, in place; what was done, as it then stands in the model's card."""
    training = best.card["training"]
    if "thresholds" in training:  # stopped before when all but the end was done
        return {"thresholds": training["thresholds"]}
    scored: list[Scores] = []

    def score() -> float:
        scored.append(dev_scores(settings, best))
        return scored[-1]["mean"]

    moved = thresholds.move(settings, taught, best, predictor_of(best), score, before=training["dev"]["mean"])
    training["thresholds"] = {name: one.json() for name, one in moved.items()}
    if any(one.shifts for one in moved.values()):
        training["dev"] = dict(scored[-1])
    return {"thresholds": training["thresholds"]}


def predictor_of(checkpoint: Checkpoint) -> NeuralPredictor:
    """The network as a predictor, where it is."""
    network = checkpoint.network
    device = next(network.parameters()).device
    return NeuralPredictor(TorchForward(network, device), network.asked, checkpoint.pieces, limit=checkpoint.limit)


def encoder_folder(name: str) -> Path:
    """Where an encoder lies: a folder, ``package:NAME`` (a model inside an installed package) or a hub's name.

    Raises
    ------
    ModelError
        There is no such folder or package, or the hub cannot be reached.
    """
    if name.startswith("package:"):
        from importlib.util import find_spec

        package = find_spec(name.removeprefix("package:"))
        if package is None or package.origin is None:
            raise ModelError(f"the package {name.removeprefix('package:')!r} is not installed", advice="pip install it")
        found = sorted(Path(package.origin).parent.rglob("config.json"), key=lambda file: len(file.parts))
        for file in found:
            if (file.parent / "model.safetensors").is_file():
                return file.parent
        raise ModelError(f"the package {name.removeprefix('package:')!r} holds no model with safetensors")
    if Path(name).is_dir():
        return Path(name)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise ModelError("there is no such model folder", path=name) from None
    wanted = ["*.json", "vocab.txt", "merges.txt", "*.safetensors", "pytorch_model.bin"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{name!r} is no folder, and no hub has it or can be reached", advice="give a folder, or go online"
        ) from error

"""The training loop: a generator of steps. The caller prints, logs, scores and stops; the loop only trains.

It counts steps, not epochs, and takes any iterator of batches that has ``state()`` and ``restore(state)``. A run that
was killed goes on from its last checkpoint and ends with the weights the unbroken run would have had: model, optimiser,
random state and place in the stream are all restored. Devices, mixed precision and processes are ``accelerate``'s.

Several processes (``accelerate launch``) divide each batch among them, so that the batch and its loss are those of one
process: every process knows the whole batch, hence what its own part counts for. The first one scores and writes. Where
the weights are divided too (`sharding`), what gathers them is done by all processes at the same place.
"""

from __future__ import annotations

import math
import os
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from accelerate.utils import broadcast_object_list
from safetensors import SafetensorError
from torch import Tensor

from relatome.batches import Batch, Row, collate
from relatome.errors import SettingsError, TrainingError
from relatome.models import checkpoint as folders
from relatome.models.checkpoint import Checkpoint
from relatome.models.hosted import HostedNetwork
from relatome.models.network import Network
from relatome.training import adapters, devices, optim, pretraining, sharding, stream
from relatome.training.lock import Lock
from relatome.training.mixture import Mixture
from relatome.training.objective import Objective
from relatome.training.settings import Settings, parse
from relatome.training.stream import Stream

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in one step.

    Parameters
    ----------
    number, total
        Steps done, and in all.
    losses
        By head, those the batch had something for.
    rate
        The encoder's learning rate.
    pieces, padded
        Real pieces of the batch, and pieces with padding.
    seconds
        Since this process started the run.
    scores
        On dev, where it was scored after this step; ``better`` if it was the best so far.
    """

    number: int
    total: int
    losses: dict[str, float]
    rate: float
    pieces: int
    padded: int
    seconds: float
    scores: Scores = field(default_factory=dict)
    better: bool = False

    def json(self) -> dict[str, Any]:
        """One line of the run's ``log.jsonl``."""
        rounded = {name: round(value, 4) for name, value in self.losses.items()}
        line: dict[str, Any] = {"step": self.number, "of": self.total, "losses": rounded, "rate": round(self.rate, 8)}
        line |= {"pieces": self.pieces, "padded": self.padded, "seconds": round(self.seconds, 2)}
        if self.scores:
            line |= {"scores": dict(self.scores), "better": self.better}
        return line


class Run:
    """One training run in one folder.

    Parameters
    ----------
    checkpoint
        The network to train, changed in place.
    mixture
        What it learns from.
    folder
        Receives ``resume.pt`` (to go on from) and the best or last model.
    score
        Scores the network on dev and gives numbers by name; the first decides what is better. None: no dev.
    finish
        Called with the best model when there is no step left, to change it before it is saved again; what it did, by
        name, is in ``closing``.

    Notes
    -----
    Gradients are clipped by their global norm. What is minimised is in ``objective.py``, which weights are learned and
    at which rate in ``optim.py``.
    """

    def __init__(
        self,
        settings: Settings,
        checkpoint: Checkpoint,
        mixture: Mixture,
        folder: str | Path,
        *,
        score: Callable[[Checkpoint], Scores] | None = None,
        finish: Callable[[Checkpoint], Mapping[str, Any]] | None = None,
    ) -> None:
        self.settings = settings
        self.checkpoint = checkpoint
        self.mixture = mixture
        self.folder = Path(folder)
        self.score = score
        self.finish = finish
        self.closing: Mapping[str, Any] = {}
        # oneDNN keeps 1,024 compiled kernels; some sixty widths need more
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")
        wanted = sharding.wanted()
        self.accelerator = devices.accelerator(settings.precision)
        self.sharded = wanted and self.accelerator.num_processes > 1
        if self.sharded and self.accelerator.mixed_precision == "fp16":
            raise SettingsError(["precision fp16 does not go with FSDP: choose bf16 or fp32"])
        times = stream.times(
            [len(rows) for rows in mixture.rows], [item.weight for item in settings.data], settings.sampling_temperature
        )
        self.stream = Stream(mixture.rows, times, budget=settings.batch_pieces, seed=settings.seed)
        per_epoch = self.stream.epoch_batches
        self.total = max(1, round(per_epoch * settings.epochs))
        self.every = settings.evaluate_every or per_epoch
        optim.prepare(settings, checkpoint.network)
        # not wrapped for several processes: they meet once a step, in _together
        self.network = self.accelerator.prepare_model(checkpoint.network, evaluation_mode=True)
        self.average = optim.averaged(checkpoint.network, settings.average) if settings.average else None
        self._unsharded: Network | HostedNetwork | None = None  # what the first process scores and saves
        if self.sharded:
            self._unsharded = optim.copied(checkpoint.network).cpu() if self.first else None
            for one in (checkpoint.network, *([self.average.module] if self.average is not None else [])):
                sharding.shard(one, cast(Any, one).encoder, self.accelerator.device)
        self.optimizer = self.accelerator.prepare_optimizer(optim.optimizer(settings, checkpoint))
        self.objective = Objective(settings, mixture, checkpoint.network.asked, times=times, batches=per_epoch)
        self.done = 0
        self.best: float | None = None
        self.since_best = 0
        hiding = [head for head in settings.heads if head.task == "pretraining"]
        self._hiding = hiding[0].hidden if hiding else 0.0
        if hiding and self.sharded:
            raise SettingsError(
                ["pre-training does not go with FSDP: its head reads the encoder's own table of pieces"]
            )
        packed = any(head.kind == "packed" for head in checkpoint.network.asked)
        self._markers = checkpoint.pieces.marker_ids() if packed else (0, 0, 0, 0)
        self._started = time.monotonic()
        self._saved = time.monotonic()
        self._written = 0  # the step after which there is nothing new to save, where weights are divided
        self._learned: _Learned | None = None  # a step that is learned and not yet told of
        self._whole = True  # what would be saved now is the state after a step, and all of it
        self._stop: BaseException | None = None
        self.lock: Lock | None = None

    @property
    def first(self) -> bool:
        """Whether this process is the one that scores and writes."""
        return bool(self.accelerator.is_main_process)

    @property
    def logged(self) -> int:
        """Steps that were told of."""
        return self.done - (self._learned is not None)

    def release(self) -> None:
        """Let other processes train in the folder."""
        if self.lock is not None:
            self.lock.release()

    def stop(self, why: BaseException) -> None:
        """End the run by raising ``why``: now, or after the step that is being learned. For signal handlers.

        What `save` writes then is whole: no weight of the step is changed and another not.
        """
        if self._whole:
            raise why
        self._stop = why

    def resume(self) -> bool:
        """Go on from ``resume.pt`` if it is there.

        Raises
        ------
        TrainingError
            It belongs to a run with other settings, or is damaged.
        """
        file = self.folder / "resume.pt"
        if not file.is_file():
            return False
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
            raise TrainingError(
                "the checkpoint cannot be read: it is damaged or of another program", path=file,
                advice="delete it to begin again, or choose another folder",
            ) from error  # fmt: skip
        if not _same(state["settings"], self.settings):
            raise TrainingError(
                "this folder holds a run with other settings", path=self.folder, advice="choose another folder"
            )
        network, optimizer, average = state["network"], state["optimizer"], state["average"]
        if self.sharded:
            network = sharding.sharded(network, self.checkpoint.network)
            optimizer = sharding.sharded_moments(optimizer, self.optimizer)
            average = None if self.average is None else sharding.sharded(average, self.average)
        self.accelerator.unwrap_model(self.network).load_state_dict(network)
        self.optimizer.load_state_dict(optimizer)
        if self.average is not None:
            self.average.load_state_dict(average)
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.stream.restore(state["stream"])
        self.done, self.best, self.since_best = state["done"], state["best"], state["since_best"]
        self._written = self.done
        self._learned = _Learned(*state["learned"]) if state.get("learned") else None
        torch.set_rng_state(state["random"])
        if torch.cuda.is_available() and state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"])
        return True

    def save(self) -> None:
        """Write ``resume.pt``; the previous one stays until the new one is whole, or if this one is worth nothing.

        Where the weights are divided, all processes call this after the same step.

        Raises
        ------
        TrainingError
            It cannot be written; the previous one is still there.
        """
        if self.sharded and self._written == self.done:  # the others may be waiting elsewhere: for dev's scores, say
            return
        if not (self.first or self.sharded) or not self._sound():
            return
        weights = {
            "network": self.accelerator.unwrap_model(self.network).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }
        if self.sharded:
            weights, self._written = sharding.gathered(weights), self.done
        if not self.first:
            return
        state = {
            "settings": self.settings.json(),
            **weights,
            "scaler": None if self.accelerator.scaler is None else self.accelerator.scaler.state_dict(),
            "stream": self.stream.state(),
            "done": self.done,
            "best": self.best,
            "since_best": self.since_best,
            "learned": None if self._learned is None else tuple(self._learned),
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        }
        file = self.folder / "resume.pt"
        temporary = self.folder / "resume.pt.part"
        with _kept(file, "checkpoint"):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with temporary.open("wb") as opened:
                    torch.save(state, opened)
                    opened.flush()
                    os.fsync(opened.fileno())  # a machine that loses power must not be left with an empty file
                temporary.replace(file)
            finally:
                temporary.unlink(missing_ok=True)
        self._saved = time.monotonic()

    def steps(self) -> Iterator[Step]:
        """Train; yields after every step. What the caller does between two steps is its own affair.

        The best model on dev (the last one, where there is no dev) is in the folder when the generator ends.

        Raises
        ------
        TrainingError
            The loss or its gradient is not a number, or a file cannot be written; the last good checkpoint stays.
        """
        if self.done == 0:
            torch.manual_seed(self.settings.seed)
        self.network.train()
        self._whole = False
        try:
            while not self.ended:
                if self._learned is None:
                    self._learned = self._learn(next(self.stream))
                    self._heard()
                scores: Scores = {}
                better = False
                if self.score is not None and (self.done % self.every == 0 or self.done == self.total):
                    scores = self._scored()
                    value = next(iter(scores.values()))
                    better = self.best is None or value > self.best
                    if better:
                        self._keep(scores)
                        self.best = value
                    self.since_best = 0 if better else self.since_best + 1
                learned, self._learned = self._learned, None
                if self._anywhere(self.first and time.monotonic() - self._saved > self.settings.checkpoint_seconds):
                    self.save()
                seconds = time.monotonic() - self._started
                yield Step(self.done, self.total, *learned, seconds, scores, better)
                if not self.sharded:  # or in the next step, when all have heard of it
                    self._heard()
        finally:
            self._whole = True
        if self.score is None:
            self._keep({})
        if self.finish is not None:
            self.save()  # stopped from here on, the run is not taken for finished: it begins here again
        if self.first:
            if self.finish is not None:
                self._close(self.finish)
            (self.folder / "resume.pt").unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()

    def _close(self, finish: Callable[[Checkpoint], Mapping[str, Any]]) -> None:
        best = folders.load(self.folder)
        best.network.to(self.accelerator.device)
        self.closing = finish(best)
        with _kept(self.folder / "model.safetensors", "model"):
            folders.save(best, self.folder)

    @property
    def ended(self) -> bool:
        """Whether there is no step left: all are done, or dev has not got better for as long as ``patience`` says."""
        enough = 0 < self.settings.patience <= self.since_best
        return self._learned is None and (enough or self.done >= self.total)

    def _heard(self) -> None:
        if self._stop is not None:
            raise self._stop

    def _scored(self) -> Scores:
        """The first process's scores, in every process."""
        assert self.score is not None
        if self.sharded:
            self.save()  # stopped while the first process scores, the others cannot give it their parts
        model = self.model()
        self._whole = True  # nothing changes here, and it may take minutes
        found = [self.score(model) if self.first else {}]
        self._whole = False
        self.network.train()
        return broadcast_object_list(found)[0]  # type: ignore[no-any-return]

    def model(self) -> Checkpoint:
        """What is scored and saved: the network, or the average of its weights; adapters are merged into a copy.

        Where the weights are divided, all processes call this together, and what the first one gets is whole.
        """
        network = self.checkpoint.network
        if self.average is not None:
            network = cast(Any, self.average.module)
        if self.sharded:
            weights = sharding.gathered(network.state_dict())
            if self._unsharded is None:
                return self.checkpoint
            network = optim.copied(self._unsharded)
            network.load_state_dict(weights)
            network.to(self.accelerator.device)
        if self.settings.lora and self.first:
            network = adapters.merged(network)
        return replace(self.checkpoint, network=network)

    def _hidden(self, rows: list[Row]) -> list[Row]:
        """The rows of a pre-training run with other words hidden at every step; those of another run as they are."""
        if not self._hiding:
            return rows
        return pretraining.hide(rows, self._hiding, [self.settings.seed, self.done], self.checkpoint.pieces)

    def rehearse(self, rows: list[Row]) -> None:
        """Learn a batch out of turn, to see what a step takes; the run is spoilt by it."""
        self._learn(rows)

    def _learn(self, rows: list[Row]) -> _Learned:
        self._set_rate()
        rows = self._hidden(rows)
        processes, place = self.accelerator.num_processes, self.accelerator.process_index
        if processes > 1:  # dropout of its own in each process, the same after a resume
            torch.manual_seed((self.settings.seed * self.total + self.done) * processes + place)
        losses: dict[str, float] = {}
        pieces = padded = 0
        for part in self._mine(rows):
            batch = collate(part or rows[:1], pad=self.checkpoint.pieces.pad, markers=self._markers)
            passes = self._passes(batch)
            found = self.objective.losses(passes, part, rows) if part else {}
            if part:
                pieces, padded = pieces + batch.pieces, padded + batch.ids.size
            total = [self.objective.total(found)] if found else []
            if self.sharded:
                total = self._shared(total, passes, self.objective.taught(rows) - found.keys())
            if total:
                self.accelerator.backward(torch.stack(total).sum())
            for name, value in found.items():
                losses[name] = losses.get(name, 0.0) + value.item()
        losses, pieces, padded = self._together(losses, pieces, padded, rows)
        if not math.isfinite(sum(losses.values())):
            raise self._no_number("loss", sum(losses.values()), rows)
        clipped = self.accelerator.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        norm = float(sharding.full(clipped) if self.sharded else clipped)
        if not math.isfinite(norm) and self.accelerator.scaler is None:  # which leaves such a step out by itself
            raise self._no_number("gradient", norm, rows)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.checkpoint.network)
        self.done += 1
        return _Learned(losses, self._rate(), pieces, padded)

    def _mine(self, rows: list[Row]) -> list[Sequence[Row]]:
        """What this process reads of a batch, part by part."""
        processes, place = self.accelerator.num_processes, self.accelerator.process_index
        mine = _parts(rows[place::processes], self.settings.accumulate)
        if self.sharded:  # all gather a layer's weights together: where this one has too few rows, it reads one in vain
            mine += [[]] * (len(_parts(rows[::processes], self.settings.accumulate)) - len(mine))
        return mine

    def _shared(
        self, total: list[Tensor], passes: Sequence[Mapping[str, Tensor]], others: Iterable[str]
    ) -> list[Tensor]:
        """A part's loss where gradients are averaged over the processes, and each must have one of whatever any has one of.

        Parameters
        ----------
        others
            Heads that the batch teaches something and this part does not.
        """
        found = [self.accelerator.num_processes * loss for loss in total]
        found += [0 * one[name].sum() for name in sorted(others) for one in passes]
        if not found:
            sharding.reshard(self.network)
        return found

    def _passes(self, batch: Batch) -> list[dict[str, Tensor]]:
        """What the network answers to a batch: once, or with R-Drop twice, each time with other dropout."""
        device = self.accelerator.device
        arrays = [torch.from_numpy(a).to(device) for a in (batch.ids, batch.positions, batch.mask, batch.pairs)]
        with self.accelerator.autocast():
            extra: dict[str, Any] = {}
            if self._hiding:
                extra["hidden"] = torch.from_numpy(batch.hidden).to(device)
            if self.checkpoint.network.reads_documents:
                extra["readings"] = tuple(torch.from_numpy(array).to(device) for array in batch.readings)
            return [self.network(*arrays, **extra)[0] for _ in range(2 if self.settings.r_drop else 1)]

    def _together(
        self, losses: Mapping[str, float], pieces: int, padded: int, rows: Sequence[Row]
    ) -> tuple[dict[str, float], int, int]:
        """Add up what the processes found of a batch: gradients, losses, pieces; and whether one was asked to stop."""
        if self.accelerator.num_processes == 1:
            return dict(losses), pieces, padded
        device = self.accelerator.device
        # divided ones are added up on the way back
        learned = [] if self.sharded else [one for one in self.network.parameters() if one.requires_grad]
        names = [head.name for head in self.checkpoint.network.asked]
        said = [pieces, padded, float(self._stop is not None), *(losses.get(name, 0.0) for name in names)]
        told = torch.tensor([*said, *(one.grad is not None for one in learned)], dtype=torch.float64, device=device)
        pieces, padded, stopped, *sums = self.accelerator.reduce(told).tolist()
        if stopped and self._stop is None:
            self._stop = SystemExit(143)
        # what no process has a gradient for keeps none, as in one process: the optimiser leaves it alone
        used = [one for one, count in zip(learned, sums[len(names) :], strict=True) if count]
        if used:
            parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in used]
            flat = self.accelerator.reduce(torch.cat([part.reshape(-1) for part in parts]))
            for one, part in zip(used, flat.split([one.numel() for one in used]), strict=True):
                one.grad = part.view_as(one)
        taught = self.objective.taught(rows)
        return (
            {name: value for name, value in zip(names, sums, strict=False) if name in taught},
            int(pieces),
            int(padded),
        )

    def _anywhere(self, here: bool) -> bool:
        """Whether it is so in any process, where weights are divided and all must do the same; elsewhere whether it is here."""
        if not self.sharded:
            return here
        return bool(self.accelerator.reduce(torch.tensor(float(here), device=self.accelerator.device)).item())

    def _lower(self) -> str:
        kept = "; the last checkpoint was kept" if (self.folder / "resume.pt").is_file() else ""
        return f"lower the learning rate{kept}"

    def _sound(self) -> bool:
        """Whether every weight is a number."""
        weights = self.checkpoint.network.parameters()
        held = (sharding.local(value) for value in weights) if self.sharded else weights
        return not self._anywhere(not all(bool(torch.isfinite(value).all()) for value in held))

    def _no_number(self, what: str, value: float, rows: Sequence[Row]) -> TrainingError:
        named = ", ".join(dict.fromkeys(f"{row.source} {row.document}" for row in rows))
        return TrainingError(
            f"the {what} is {value} in step {self.done + 1}, in the batch of {len(rows)} rows from {named}",
            path=self.folder, advice=self._lower(),
        )  # fmt: skip

    def _rate(self) -> float:
        return self.settings.learning_rate * optim.share_of_peak(self.settings, self.done, self.total)

    def _set_rate(self) -> None:
        share = optim.share_of_peak(self.settings, self.done, self.total)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share

    def _keep(self, scores: Scores) -> None:
        self.checkpoint.card["training"] = {"settings": self.settings.json(), "counts": self.mixture.counts}
        self.checkpoint.card["training"] |= {"steps": self.done, "dev": dict(scores)}
        if not self._sound():
            raise TrainingError(
                f"after step {self.done} some weights are no numbers", path=self.folder, advice=self._lower()
            )
        model = self.model()
        if self.first:
            with _kept(self.folder / "model.safetensors", "model"):
                folders.save(model, self.folder)


class _Learned(NamedTuple):
    """What a step says once it is learned: see `Step`."""

    losses: dict[str, float]
    rate: float
    pieces: int
    padded: int


@contextmanager
def _kept(file: Path, what: str) -> Iterator[None]:
    """A file is written in the block, under another name at first: if that fails, the one before it is still there."""
    before = f"the {what} before it was kept" if file.is_file() else "there was none before it"
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:  # torch's writer and safetensors say a full disk so
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error).split("\n")[0]
        raise TrainingError(
            f"the {what} could not be written: {said}", path=file,
            advice=f"{before}; make room and give the same command again",
        ) from error  # fmt: skip


def _same(saved: Any, wanted: Settings) -> bool:
    """Whether a checkpoint is of a run with these settings; options it does not know yet had their defaults."""
    try:
        return parse(saved) == wanted
    except SettingsError:
        return False


def _parts(rows: Sequence[Row], count: int) -> list[Sequence[Row]]:
    """The rows in at most ``count`` parts of like size; none where there are no rows."""
    size = max(1, -(-len(rows) // count))
    return [rows[start : start + size] for start in range(0, len(rows), size)]

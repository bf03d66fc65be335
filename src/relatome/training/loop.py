"""The training loop: a generator of steps. The caller prints, logs, scores and stops; the loop only trains.

It counts steps, not epochs, and takes any iterator of batches that has ``state()`` and ``restore(state)``. A run that
was killed goes on from its last checkpoint and ends with the weights the unbroken run would have had: model, optimiser,
random state and place in the stream are all restored. Devices and mixed precision are ``accelerate``'s.
"""

from __future__ import annotations

import math
import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from relatome.batches import Batch, Row, collate
from relatome.errors import SettingsError, TrainingError
from relatome.models import checkpoint as folders
from relatome.models.checkpoint import Checkpoint
from relatome.training import adapters, optim, stream
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
    ) -> None:
        self.settings = settings
        self.checkpoint = checkpoint
        self.mixture = mixture
        self.folder = Path(folder)
        self.score = score
        # oneDNN keeps 1,024 compiled kernels; some sixty widths need more
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")
        AcceleratorState._reset_state()  # it is one for the process, and the run before this may have had another precision
        self.accelerator = Accelerator(mixed_precision=precision(settings.precision))
        times = stream.times(
            [len(rows) for rows in mixture.rows], [item.weight for item in settings.data], settings.sampling_temperature
        )
        self.stream = Stream(mixture.rows, times, budget=settings.batch_pieces, seed=settings.seed)
        per_epoch = self.stream.epoch_batches
        self.total = max(1, round(per_epoch * settings.epochs))
        self.every = settings.evaluate_every or per_epoch
        optim.prepare(settings, checkpoint.network)
        self.network, self.optimizer = self.accelerator.prepare(
            checkpoint.network, optim.optimizer(settings, checkpoint)
        )
        self.average = optim.averaged(checkpoint.network, settings.average) if settings.average else None
        self.objective = Objective(settings, mixture, checkpoint.network.asked, times=times, batches=per_epoch)
        self.done = 0
        self.best: float | None = None
        self.since_best = 0
        packed = any(head.kind == "packed" for head in checkpoint.network.asked)
        self._markers = checkpoint.pieces.marker_ids() if packed else (0, 0, 0, 0)
        self._started = time.monotonic()
        self._saved = time.monotonic()

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
        self.accelerator.unwrap_model(self.network).load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.stream.restore(state["stream"])
        self.done, self.best, self.since_best = state["done"], state["best"], state["since_best"]
        torch.set_rng_state(state["random"])
        if torch.cuda.is_available() and state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"])
        return True

    def save(self) -> None:
        """Write ``resume.pt``; the previous one stays until the new one is whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / "resume.pt.part"
        torch.save(
            {
                "settings": self.settings.json(),
                "network": self.accelerator.unwrap_model(self.network).state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "average": None if self.average is None else self.average.state_dict(),
                "scaler": None if self.accelerator.scaler is None else self.accelerator.scaler.state_dict(),
                "stream": self.stream.state(),
                "done": self.done,
                "best": self.best,
                "since_best": self.since_best,
                "random": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
            },
            temporary,
        )
        temporary.replace(self.folder / "resume.pt")
        self._saved = time.monotonic()

    def steps(self) -> Iterator[Step]:
        """Train; yields after every step. What the caller does between two steps is its own affair.

        The best model on dev (the last one, where there is no dev) is in the folder when the generator ends.

        Raises
        ------
        TrainingError
            The loss is not a number; the last good checkpoint stays.
        """
        if self.done == 0:
            torch.manual_seed(self.settings.seed)
        self.network.train()
        while self.done < self.total:
            rows = next(self.stream)
            losses, pieces, padded = self._learn(rows)
            scores: Scores = {}
            better = False
            if self.score is not None and (self.done % self.every == 0 or self.done == self.total):
                scores = self.score(self.model())
                self.network.train()
                value = next(iter(scores.values()))
                better = self.best is None or value > self.best
                self.since_best = 0 if better else self.since_best + 1
                if better:
                    self.best = value
                    self._keep(scores)
            if time.monotonic() - self._saved > self.settings.checkpoint_seconds:
                self.save()
            seconds = time.monotonic() - self._started
            yield Step(self.done, self.total, losses, self._rate(), pieces, padded, seconds, scores, better)
            if self.settings.patience and self.since_best >= self.settings.patience:
                break
        if self.score is None:
            self._keep({})
        (self.folder / "resume.pt").unlink(missing_ok=True)

    def model(self) -> Checkpoint:
        """What is scored and saved: the network, or the average of its weights; adapters are merged into a copy."""
        network = self.checkpoint.network
        if self.average is not None:
            network = cast(Any, self.average.module)
        if self.settings.lora:
            network = adapters.merged(network)
        return replace(self.checkpoint, network=network)

    def _learn(self, rows: list[Row]) -> tuple[dict[str, float], int, int]:
        self._set_rate()
        losses: dict[str, float] = {}
        pieces = padded = 0
        for part in _parts(rows, self.settings.accumulate):
            batch = collate(part, pad=self.checkpoint.pieces.pad, markers=self._markers)
            pieces, padded = pieces + batch.pieces, padded + batch.ids.size
            found = self.objective.losses(self._passes(batch), part, rows)
            if not found:
                continue
            total = self.objective.total(found)
            if not math.isfinite(total.item()):
                named = ", ".join(dict.fromkeys(f"{row.source} {row.document}" for row in rows))
                raise TrainingError(
                    f"the loss is {total.item()} in step {self.done + 1}, in the batch of {len(rows)} rows from {named}",
                    path=self.folder, advice="lower the learning rate; the last checkpoint was kept",
                )  # fmt: skip
            self.accelerator.backward(total)
            for name, value in found.items():
                losses[name] = losses.get(name, 0.0) + value.item()
        self.accelerator.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.checkpoint.network)
        self.done += 1
        return losses, pieces, padded

    def _passes(self, batch: Batch) -> list[dict[str, Tensor]]:
        """What the network answers to a batch: once, or with R-Drop twice, each time with other dropout."""
        device = self.accelerator.device
        arrays = [torch.from_numpy(a).to(device) for a in (batch.ids, batch.positions, batch.mask, batch.pairs)]
        with self.accelerator.autocast():
            return [self.network(*arrays)[0] for _ in range(2 if self.settings.r_drop else 1)]

    def _rate(self) -> float:
        return self.settings.learning_rate * optim.share_of_peak(self.settings, self.done, self.total)

    def _set_rate(self) -> None:
        share = optim.share_of_peak(self.settings, self.done, self.total)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share

    def _keep(self, scores: Scores) -> None:
        self.checkpoint.card["training"] = {"settings": self.settings.json(), "counts": self.mixture.counts}
        self.checkpoint.card["training"] |= {"steps": self.done, "dev": dict(scores)}
        folders.save(self.model(), self.folder)


def _same(saved: Any, wanted: Settings) -> bool:
    """Whether a checkpoint is of a run with these settings; options it does not know yet had their defaults."""
    try:
        return parse(saved) == wanted
    except SettingsError:
        return False


def precision(wanted: str) -> str:
    """``"bf16"``, ``"fp16"`` or ``"no"``, accelerate's words, for ``auto``, ``fp32``, ``bf16`` or ``fp16`` on this machine.

    Raises
    ------
    SettingsError
        ``fp16`` is wanted where there is no CUDA device.
    """
    if wanted == "fp16" and not torch.cuda.is_available():
        raise SettingsError(["precision fp16 needs a CUDA device, and there is none here: choose auto, bf16 or fp32"])
    if wanted != "auto":
        return {"fp32": "no"}.get(wanted, wanted)
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if _cpu_has_bf16() else "no"


def _parts(rows: Sequence[Row], count: int) -> list[Sequence[Row]]:
    """The rows in at most ``count`` parts of like size."""
    size = -(-len(rows) // count)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; where it does not, bfloat16 is slower than float32."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return False
    flags = next((line for line in file.read_text(errors="replace").splitlines() if line.startswith("flags")), "")
    return "avx512_bf16" in flags or "amx_bf16" in flags

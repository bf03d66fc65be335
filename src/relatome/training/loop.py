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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from relatome.batches import Row, collate
from relatome.errors import TrainingError
from relatome.models import checkpoint as folders
from relatome.models.checkpoint import Checkpoint
from relatome.models.network import loss
from relatome.tasks.example import Head
from relatome.training.mixture import Mixture
from relatome.training.settings import Settings
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
    Learning rate: linear warm-up, then linear decay to zero (Devlin et al. 2019). AdamW without decay on biases and
    norms. Gradients are clipped by their global norm.
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
        self.accelerator = Accelerator(mixed_precision=precision(settings.precision))
        self.stream = Stream(
            mixture.rows, [item.weight for item in settings.data], budget=settings.batch_pieces, seed=settings.seed
        )
        per_epoch = self.stream.epoch_batches
        self.total = max(1, round(per_epoch * settings.epochs))
        self.every = settings.evaluate_every or per_epoch
        if settings.dropout >= 0:
            for module in checkpoint.network.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = settings.dropout
        self.network, self.optimizer = self.accelerator.prepare(checkpoint.network, _optimizer(settings, checkpoint))
        self.typical = {head.name: _items(mixture, head) / per_epoch for head in checkpoint.network.asked}
        self.weights = {head.name: _class_weights(settings, mixture, head) for head in checkpoint.network.asked}
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
        if state["settings"] != self.settings.json():
            raise TrainingError(
                "this folder holds a run with other settings", path=self.folder, advice="choose another folder"
            )
        self.accelerator.unwrap_model(self.network).load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
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
                scores = self.score(self.checkpoint)
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

    def _learn(self, rows: list[Row]) -> tuple[dict[str, float], int, int]:
        self._set_rate()
        batch = collate(rows, pad=self.checkpoint.pieces.pad, markers=self._markers)
        device = self.accelerator.device
        arrays = [torch.from_numpy(a).to(device) for a in (batch.ids, batch.positions, batch.mask, batch.pairs)]
        with self.accelerator.autocast():
            logits, _ = self.network(*arrays)
        found = {
            head.name: value
            for head in self.checkpoint.network.asked
            if (value := self._loss(head, logits[head.name], rows)) is not None
        }
        shares = {head.name: head.weight for head in self.settings.heads}
        total = torch.stack([shares[name] * value for name, value in found.items()]).sum()
        if not math.isfinite(total.item()):
            named = ", ".join(dict.fromkeys(f"{row.source} {row.document}" for row in rows))
            raise TrainingError(
                f"the loss is {total.item()} in step {self.done + 1}, in the batch of {len(rows)} rows from {named}",
                path=self.folder, advice="lower the learning rate; the last checkpoint was kept",
            )  # fmt: skip
        self.accelerator.backward(total)
        self.accelerator.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += 1
        return {name: value.item() for name, value in found.items()}, batch.pieces, batch.ids.size

    def _loss(self, head: Head, logits: Tensor, rows: list[Row]) -> Tensor | None:
        """The head's mean loss over the batch's items; None where the batch has none.

        A batch with fewer items than usual counts for less, or the one pair of a batch would weigh as much as fifty.
        """
        gold, legal, annotated = [], [], []
        classes = 3 if head.kind == "layers" else head.classes
        items = logits[0].numel() // classes
        for row in rows:
            mine = np.full(items, -100, dtype=np.int64)
            fits = np.ones((items, classes), dtype=bool)
            marked = np.ones(classes, dtype=bool)
            if head.name in row.targets:
                target = row.targets[head.name].reshape(-1)
                mine[: len(target)] = target
                marked = self.mixture.annotated[row.source, head.name]
                if head.name in row.legal:
                    fits[: len(target)] = row.legal[head.name]
            gold.append(mine)
            legal.append(fits)
            annotated.append(np.broadcast_to(marked, fits.shape))
        golds = np.concatenate(gold)
        if (golds < 0).all():
            return None
        device = logits.device
        share = min(1.0, float((golds >= 0).sum()) / self.typical[head.name])
        return share * loss(
            logits.reshape(-1, classes),
            torch.from_numpy(golds).to(device),
            torch.from_numpy(np.concatenate(legal)).to(device),
            torch.from_numpy(np.concatenate(annotated)).to(device),
            self.weights[head.name],
        )

    def _rate(self) -> float:
        warm = max(1, round(self.settings.warmup * self.total))
        done = self.done
        share = (done + 1) / warm if done < warm else (self.total - done) / max(1, self.total - warm)
        return self.settings.learning_rate * min(1.0, share)

    def _set_rate(self) -> None:
        share = self._rate() / self.settings.learning_rate
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * share

    def _keep(self, scores: Scores) -> None:
        self.checkpoint.card["training"] = {"settings": self.settings.json(), "counts": self.mixture.counts}
        self.checkpoint.card["training"] |= {"steps": self.done, "dev": dict(scores)}
        folders.save(self.checkpoint, self.folder)


def precision(wanted: str) -> str:
    """``"bf16"`` or ``"no"``, accelerate's words, for ``auto``, ``fp32`` or ``bf16`` on this machine."""
    if wanted != "auto":
        return {"fp32": "no", "bf16": "bf16"}[wanted]
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    return "bf16" if _cpu_has_bf16() else "no"


def _cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; where it does not, bfloat16 is slower than float32."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return False
    flags = next((line for line in file.read_text(errors="replace").splitlines() if line.startswith("flags")), "")
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _optimizer(settings: Settings, checkpoint: Checkpoint) -> torch.optim.AdamW:
    network = checkpoint.network
    head_rate = settings.head_learning_rate or 10 * settings.learning_rate
    groups = []
    for name, module, rate in (
        ("encoder", network.encoder, settings.learning_rate), ("heads", network.heads, head_rate),
    ):  # fmt: skip
        every = list(module.parameters())
        plain = [p for p in every if p.ndim < 2]  # biases and norms, whatever a family calls them
        decayed = [p for p in every if p.ndim >= 2]
        groups.append({"params": decayed, "peak": rate, "weight_decay": settings.weight_decay, "name": name})
        groups.append({"params": plain, "peak": rate, "weight_decay": 0.0, "name": f"{name} without decay"})
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def _items(mixture: Mixture, head: Head) -> float:
    """How many items the head is taught in an epoch."""
    found = (row.targets.get(head.name) for rows in mixture.rows for row in rows)
    return max(1.0, float(sum((target >= 0).sum() for target in found if target is not None)))


def _class_weights(settings: Settings, mixture: Mixture, head: Head) -> Tensor | None:
    """Inverse class frequency, normalised to mean 1 over the examples; None where the run asks for none."""
    wanted = next(item.class_weights for item in settings.heads if item.name == head.name)
    if wanted == "none":
        return None
    found = [row.targets[head.name] for rows in mixture.rows for row in rows if head.name in row.targets]
    gold = np.concatenate(found)
    counts = np.bincount(gold[gold >= 0], minlength=head.classes).astype(np.float64)
    weights = np.where(counts > 0, counts.sum() / np.maximum(counts, 1), 0.0)
    weights *= counts.sum() / (weights * counts).sum()
    return torch.from_numpy(weights.astype(np.float32))

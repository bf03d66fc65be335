"""Which weights a run learns, and at which rate.

AdamW without decay on biases and norms; linear warm-up, then linear decay to zero (Devlin et al. 2019).
"""

from __future__ import annotations

import torch

from relatome.models.checkpoint import Checkpoint
from relatome.training.settings import Settings


def optimizer(settings: Settings, checkpoint: Checkpoint) -> torch.optim.AdamW:
    """AdamW over the weights of a network, in groups; each group's ``peak`` is the highest rate it is learned at."""
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


def share_of_peak(settings: Settings, done: int, total: int) -> float:
    """Of its highest rate, the share that a step is taken at when ``done`` of ``total`` steps are done."""
    warm = max(1, round(settings.warmup * total))
    share = (done + 1) / warm if done < warm else (total - done) / max(1, total - warm)
    return min(1.0, share)

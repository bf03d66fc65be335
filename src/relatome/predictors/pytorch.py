"""The network on torch: CPU or GPU, and what every other engine is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from relatome.batches import Batch
from relatome.models.hosted import HostedNetwork
from relatome.models.network import Network

Array = np.ndarray[Any, np.dtype[np.float32]]


class TorchForward:
    """Run a `Network`; see ``predictors.neural.Forward``."""

    def __init__(self, network: Network | HostedNetwork, device: str | torch.device = "cpu") -> None:
        self.network = network.to(device)
        self.device = torch.device(device)

    def __call__(
        self, batch: Batch, memory: Array | None, *, remember: bool
    ) -> tuple[Mapping[str, Array], Array | None]:
        training = self.network.training
        if training:  # setting it walks through every module, in each batch
            self.network.eval()
        try:
            with torch.inference_mode():
                past = None if memory is None else torch.from_numpy(memory).to(self.device)
                arrays = (
                    torch.from_numpy(a).to(self.device) for a in (batch.ids, batch.positions, batch.mask, batch.pairs)
                )
                readings = None
                if self.network.reads_documents:
                    slots, spots, related = (torch.from_numpy(a).to(self.device) for a in batch.readings)
                    readings = (slots, spots, related)
                logits, kept = self.network(*arrays, past, remember=remember, readings=readings)
        finally:
            if training:
                self.network.train()
        return {name: _numpy(value) for name, value in logits.items()}, None if kept is None else _numpy(kept)


def _numpy(value: torch.Tensor) -> Array:
    result: Array = value.float().cpu().numpy()
    return result

"""FSDP: weights, gradients and the optimiser's averages divided among the processes, a layer of the encoder at a time.

``accelerate launch --use_fsdp`` asks for it. What divides is torch's ``fully_shard`` (Zhao et al. 2023, arXiv:2304.11277),
and not accelerate, which divides on some devices only. Each process holds a part of every weight; a layer's weights are
gathered while it computes. Checkpoints and models hold whole weights, so they are the files that one process writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import torch
from torch import Tensor, nn

from relatome.errors import TrainingError
from relatome.training import optim

if TYPE_CHECKING:  # a second and a half to import, and a run of one process has no use for it
    from torch.distributed.tensor import DTensor

_WANTED = "ACCELERATE_USE_FSDP"


def wanted() -> bool:
    """Whether ``accelerate launch`` says to divide the weights.

    Raises
    ------
    TrainingError
        It says to divide them in a way that this library does not.
    """
    for name, what in (("ACCELERATE_USE_DEEPSPEED", "DeepSpeed"), ("ACCELERATE_USE_MEGATRON_LM", "Megatron-LM")):
        if _said(name):
            raise TrainingError(
                f"{what} is not one of the ways in which a run is divided among processes",
                advice="accelerate launch --multi_gpu divides the batches, --use_fsdp the weights too",
            )
    if not _said(_WANTED):
        return False
    if _said("FSDP_OFFLOAD_PARAMS"):
        raise TrainingError(
            "FSDP is asked for with its weights in the memory of the CPU, and here they stay on their devices",
            advice="leave out --fsdp_offload_params",
        )
    return True


@contextmanager
def hidden_from_accelerate() -> Iterator[None]:
    """In the block accelerate does not see that FSDP is wanted: it would wait to divide what is divided here, or refuse to."""
    said = os.environ.pop(_WANTED, None)
    try:
        yield
    finally:
        if said is not None:
            os.environ[_WANTED] = said


def shard(network: nn.Module, encoder: nn.Module, device: torch.device) -> None:
    """Divide a network's weights among the processes, in place; all of them call this with the same weights."""
    from torch.distributed import get_world_size
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (get_world_size(),))
    for layer in optim.layers(encoder):
        fully_shard(layer, mesh=mesh)
    fully_shard(network, mesh=mesh)


def reshard(network: nn.Module) -> None:
    """Let go of the weights that a forward pass gathered and no backward pass let go of."""
    cast(Any, network).reshard()


def gathered(state: Any) -> Any:
    """A state dictionary with each divided tensor gathered, in the memory of the CPU; all processes call this together."""
    if isinstance(state, Tensor):
        return full(state).cpu()
    if isinstance(state, Mapping):
        return {name: gathered(value) for name, value in state.items()}
    return [gathered(value) for value in state] if isinstance(state, list | tuple) else state


def sharded(whole: Mapping[str, Any], module: nn.Module) -> dict[str, Any]:
    """A module's state dictionary, of which this process keeps its part."""
    mine = module.state_dict()
    return {name: _like(value, mine[name]) if name in mine else value for name, value in whole.items()}


def sharded_moments(whole: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """An optimiser's state dictionary, of which this process keeps its part."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state = {
        number: {name: _like(value, weights[number]) for name, value in moments.items()}
        for number, moments in whole["state"].items()
    }
    return {**whole, "state": state}


def full(tensor: Tensor) -> Tensor:
    """A tensor gathered where it lies; all processes call this together."""
    return tensor.full_tensor() if _is_sharded(tensor) else tensor


def local(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor."""
    return tensor.to_local() if _is_sharded(tensor) else tensor


def _said(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true")


def _is_sharded(tensor: Tensor) -> TypeGuard[DTensor]:
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def _like(value: Any, mine: Tensor) -> Any:
    """A whole tensor divided as ``mine`` is; what is no tensor of its shape (a count of steps) stays as it is."""
    from torch.distributed.tensor import distribute_tensor

    if not _is_sharded(mine) or not isinstance(value, Tensor) or value.shape != mine.shape:
        return value
    # every process has read it: nothing is sent
    return distribute_tensor(value.to(mine.device), mine.device_mesh, mine.placements, src_data_rank=None)

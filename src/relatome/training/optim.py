"""Which weights a run learns, and at which rate; what is done to them before the first step, and their average after each.

AdamW without decay on biases and norms; linear warm-up, then linear decay to zero (Devlin et al. 2019). Layer-wise
decay of the rate: Howard & Ruder 2018, arXiv:1801.06146. Top layers that begin anew: Zhang et al. 2021,
arXiv:2006.05987.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from relatome.errors import SettingsError
from relatome.models.checkpoint import Checkpoint
from relatome.models.encoder import Bert
from relatome.models.hosted import HostedNetwork
from relatome.models.network import Network
from relatome.training.settings import Settings


def prepare(settings: Settings, network: Network | HostedNetwork) -> None:
    """Change a network as a run asks before its first step, in place; drawn from the run's seed alone.

    Raises
    ------
    SettingsError
        The encoder has not so many layers.
    """
    deep = len(layers(network.encoder))
    problems = [
        f"{name} is {value}, and the encoder has {deep} layers"
        for name, value in (("freeze", settings.freeze), ("reinitialise", settings.reinitialise))
        if value > deep
    ]
    if not problems and settings.freeze + settings.reinitialise > deep:
        problems = [f"freeze and reinitialise are together more than the encoder's {deep} layers: some would be both"]
    if problems:
        raise SettingsError(problems)
    if settings.dropout >= 0:
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = settings.dropout
    _checkpoint_gradients(network, settings.gradient_checkpointing)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        for layer in layers(network.encoder)[deep - settings.reinitialise :]:
            _begin_anew(layer)
        if settings.lora:
            from relatome.training import adapters

            adapters.add(network, rank=settings.lora, alpha=settings.lora_alpha, above=max(0, settings.freeze))
    if settings.freeze >= 0:
        for parameter in _below(network.encoder, settings.freeze):
            parameter.requires_grad_(False)


def layers(encoder: nn.Module) -> list[nn.Module]:
    """The encoder's layers, the lowest first: the members of its longest list, in whatever family."""
    lists = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    return list(max(lists, key=len, default=[]))


def optimizer(settings: Settings, checkpoint: Checkpoint) -> torch.optim.AdamW:
    """AdamW over what is learned of a network, in groups; each group's ``peak`` is the highest rate it is learned at."""
    network = checkpoint.network
    head_rate = settings.head_learning_rate or 10 * settings.learning_rate
    groups: list[dict[str, Any]] = []
    for name, every, rate in (
        *_encoder_groups(settings, network.encoder), ("heads", list(network.heads.parameters()), head_rate),
    ):  # fmt: skip
        learned = [p for p in every if p.requires_grad]
        plain = [p for p in learned if p.ndim < 2]  # biases and norms, whatever a family calls them
        decayed = [p for p in learned if p.ndim >= 2]
        groups.append({"params": decayed, "peak": rate, "weight_decay": settings.weight_decay, "name": name})
        groups.append({"params": plain, "peak": rate, "weight_decay": 0.0, "name": f"{name} without decay"})
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def share_of_peak(settings: Settings, done: int, total: int) -> float:
    """Of its highest rate, the share that a step is taken at when ``done`` of ``total`` steps are done."""
    warm = max(1, round(settings.warmup * total))
    share = (done + 1) / warm if done < warm else (total - done) / max(1, total - warm)
    return min(1.0, share)


def averaged(network: Network | HostedNetwork, decay: float) -> AveragedModel:
    """A copy of the network whose weights follow its own: ``decay`` of the old average and the rest of the new ones.

    The first steps count for more, or the average of a short run would be mostly what it began with.
    """

    def average(old: Sequence[Tensor], new: Sequence[Tensor], steps: Tensor | int) -> None:
        share = min(decay, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(list(old), list(new), 1 - share)

    return AveragedModel(copied(network), multi_avg_fn=average)


def copied(network: Network | HostedNetwork) -> Network | HostedNetwork:
    """A network of its own: accelerate's mixed precision lies in a ``forward`` that a copy would share with this one."""
    found = copy.deepcopy(network)
    vars(found).pop("forward", None)
    vars(found).pop("_original_forward", None)
    return found


def _encoder_groups(settings: Settings, encoder: nn.Module) -> list[tuple[str, list[nn.Parameter], float]]:
    """Name, weights and rate of the encoder's parts: all of it, or one a layer where the rate falls from top to bottom."""
    if settings.layer_decay == 1:
        return [("encoder", list(encoder.parameters()), settings.learning_rate)]
    groups = []
    taken: set[int] = set()
    deep = len(layers(encoder))
    for number in range(deep + 2):  # embeddings, the layers, and what a family has above them
        every = list(encoder.parameters()) if number > deep else _below(encoder, number)
        mine = [parameter for parameter in every if id(parameter) not in taken]
        taken |= {id(parameter) for parameter in mine}
        name = "encoder" if number > deep else f"encoder layer {number}" if number else "encoder embeddings"
        groups.append((name, mine, settings.learning_rate * settings.layer_decay ** max(0, deep - number)))
    return groups


def _below(encoder: nn.Module, count: int) -> list[nn.Parameter]:
    """The weights of the embeddings and of the ``count`` lowest layers."""
    names = [name for name, _ in encoder.named_children() if "embedding" in name and not name.startswith("rel")]
    modules = [encoder.get_submodule(name) for name in names] + layers(encoder)[:count]
    return [parameter for module in modules for parameter in module.parameters()]


def _begin_anew(layer: nn.Module) -> None:
    for name, parameter in layer.named_parameters():
        with torch.no_grad():
            if parameter.ndim >= 2:
                parameter.normal_(std=0.02)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)


def _checkpoint_gradients(network: Network | HostedNetwork, wanted: bool) -> None:
    if isinstance(network.encoder, Bert):
        network.encoder.gradient_checkpointing = wanted
    elif wanted:
        model: Any = network.model
        # transformers 5.20 or so gave it another name, and warns of the old one
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})

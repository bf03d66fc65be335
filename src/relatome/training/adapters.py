"""LoRA: low-rank adapters beside the encoder's weights, learned in their place and merged into them at the end.

What is saved is a plain checkpoint that loads without peft. Hu et al. 2021, arXiv:2106.09685; on every linear layer,
as in Dettmers et al. 2023, arXiv:2305.14314.
"""

from __future__ import annotations

from importlib.util import find_spec

from torch import nn

from relatome.errors import MissingExtraError
from relatome.models.hosted import HostedNetwork
from relatome.models.network import Network
from relatome.training.optim import copied, layers


def add(network: Network | HostedNetwork, *, rank: int, alpha: float = 0.0, above: int = 0) -> None:
    """Put an adapter beside each linear layer of the encoder, in place; its own weights are no longer learned.

    Parameters
    ----------
    alpha
        The adapters' scale times ``rank``; 0: twice the rank.
    above
        How many of the lowest layers get none.
    """
    if find_spec("peft") is None:
        raise MissingExtraError("peft", "train")
    from peft import LoraConfig, inject_adapter_in_model

    encoder = network.encoder
    adapted = {id(module) for layer in layers(encoder)[above:] for module in layer.modules()}
    names = [name for name, one in encoder.named_modules() if isinstance(one, nn.Linear) and id(one) in adapted]
    config = LoraConfig(r=rank, lora_alpha=alpha or 2 * rank, target_modules=names)  # type: ignore[arg-type]
    inject_adapter_in_model(config, encoder)


def merged(network: Network | HostedNetwork) -> Network | HostedNetwork:
    """A copy of the network with its adapters merged into the weights they stand beside, and gone."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    plain = copied(network)
    for parent in list(plain.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, BaseTunerLayer):
                child.merge()
                setattr(parent, name, child.get_base_layer())
    del plain.encoder.peft_config
    return plain

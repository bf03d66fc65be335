"""How well an encoder that is pre-trained says the hidden words of texts it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from relatome.batches import Row, budgeted, collate, encode
from relatome.documents import Document
from relatome.models.checkpoint import Checkpoint
from relatome.models.network import Network
from relatome.tasks import pretraining
from relatome.training.mixture import dev_documents

if TYPE_CHECKING:
    from relatome.training.settings import Settings

_SEED = 0  # the same words are hidden at every scoring and in every run
_BUDGET = 4096  # pieces of a batch


def dev_scores(settings: Settings, checkpoint: Checkpoint) -> dict[str, float]:
    """Of the dev texts, the share of hidden pieces that are said rightly (``mean``), and the perplexity.

    Perplexity is e to the mean cost of a hidden piece; which pieces are hidden depends on the texts alone.
    """
    found = [document for item in settings.data if item.dev for document in dev_documents(item)]
    return scores(found, checkpoint, settings.heads[0].hidden)


def scores(documents: Iterable[Document], checkpoint: Checkpoint, hidden: float) -> dict[str, float]:
    """The same of any documents, a share ``hidden`` of whose words is hidden."""
    network = checkpoint.network
    assert isinstance(network, Network)
    (head,) = network.asked
    generator = np.random.default_rng(_SEED)
    inputs = [one.input for document in documents for one in pretraining.examples(document, head)]
    rows: list[Row] = []
    for row in encode([(head, inputs)], checkpoint.pieces, limit=checkpoint.limit)[0]:
        _, encoded = row.encoded[head.name]
        row.targets[head.name] = pretraining.targets(encoded, (), head)
        row.window, row.hidden = pretraining.hide(row.window, hidden, generator, checkpoint.pieces)
        rows.append(row)
    device = next(network.parameters()).device
    right = count = 0
    cost = 0.0
    network.eval()
    with torch.inference_mode():
        for places in budgeted([row.pieces for row in rows], _BUDGET):
            some = [rows[place] for place in places]
            batch = collate(some, pad=checkpoint.pieces.pad, markers=(0, 0, 0, 0))
            arrays = (batch.ids, batch.positions, batch.mask, batch.pairs)
            asked = torch.from_numpy(batch.hidden).to(device)
            logits = network(*(torch.from_numpy(array).to(device) for array in arrays), hidden=asked)[0][head.name]
            gold = np.concatenate([row.targets[head.name][row.hidden] for row in some])
            wanted = torch.from_numpy(gold).to(device)
            right += int((logits.argmax(dim=1) == wanted).sum())
            cost += float(F.cross_entropy(logits.float(), wanted, reduction="sum"))
            count += len(gold)
    return {"mean": round(right / max(1, count), 4), "perplexity": round(float(np.exp(cost / max(1, count))), 3)}

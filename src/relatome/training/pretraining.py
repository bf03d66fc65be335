"""Rows whose words are hidden, and how well an encoder says those of texts that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from relatome.batches import Row, budgeted, collate, encode
from relatome.documents import Document
from relatome.models.checkpoint import Checkpoint
from relatome.models.network import Network
from relatome.tasks import pretraining
from relatome.training.mixture import dev_documents
from relatome.training.settings import Settings
from relatome.wordpieces import WordPieces

_SEED = 0  # the same words are hidden at every scoring and in every run
_BUDGET = 4096  # pieces of a batch


def hide(rows: Sequence[Row], share: float, seed: Sequence[int], pieces: WordPieces) -> list[Row]:
    """Copies of the rows, a share of whose words is hidden: the same ones for the same seed."""
    generator = np.random.default_rng(seed)
    found = []
    for row in rows:
        window, hidden = pretraining.hide(row.window, share, generator, pieces)
        found.append(replace(row, window=window, hidden=hidden))
    return found


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
    inputs = [one.input for document in documents for one in pretraining.examples(document, head)]
    plain, _ = encode([(head, inputs)], checkpoint.pieces, limit=checkpoint.limit)
    for row in plain:
        row.targets[head.name] = pretraining.targets(row.encoded[head.name][1], (), head)
    rows = hide(plain, hidden, [_SEED], checkpoint.pieces)
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

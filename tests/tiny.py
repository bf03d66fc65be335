"""A BERT of two layers and two hundred pieces with random weights: the whole pipeline in seconds, offline.

Its weights are large, so that its answers differ from text to text; nothing it says means anything.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits, punctuation

import torch
from safetensors.torch import save_file
from torch import nn

from relatome.models import checkpoint
from relatome.models.checkpoint import Checkpoint
from relatome.models.encoder import Bert, BertConfig
from relatome.predictors.neural import NeuralPredictor
from relatome.predictors.pytorch import TorchForward
from relatome.tasks.example import Argument, Head, Pair, Prediction, Sentence
from relatome.wordpieces import WordPieces

WORDS = ["aspirin", "lithium", "warfarin", "##mycin", "bleeding", "tremor", "kinase", "cox", "caused", "inhibits", "in"]
PIECES = [*ascii_lowercase, *digits, *punctuation, "α", "β", "–", *(f"##{c}" for c in ascii_lowercase + digits), *WORDS]
CASED = [*PIECES, *ascii_uppercase]

ENTITIES = Head("entities", "ner", "tags", ("Chemical", "Disease", "Gene"))
RELATIONS = Head(
    "relations", "relation", "packed", ("NO_RELATION", "CID", "INHIBITOR", "ACTIVATOR"),
    {
        "CID": (("Chemical", "Disease"),),
        "INHIBITOR": (("Chemical", "Gene"), ("Gene", "Gene")),
        "ACTIVATOR": (("Chemical", "Gene"),),
    },
    {"INHIBITOR": "CPR:4", "ACTIVATOR": "CPR:3"},
)  # fmt: skip
ADE = Head("ade-sentence", "classification", "label", ("no-adverse-effect", "adverse-effect"))
HEADS = (ENTITIES, RELATIONS, ADE)

TEXTS = (
    "Aspirin caused bleeding.",
    "Lithium inhibits GSK-3β kinase in 12 rats – and warfarin, too.",
    "",
    "α",
    "Tremor. " * 40,
    "Erythromycin (10 mg/kg) caused tremor; lithium inhibits cox 2.",
    "Aspirin caused bleeding.",
    "Warfarin " + "and aspirin, " * 30 + "caused bleeding",
)


def encoder_folder(
    folder: Path, *, layers: int = 2, width: int = 32, positions: int = 128, seed: int = 0, cased: bool = False
) -> Path:
    """An encoder's folder: ``config.json``, ``tokenizer.json``, ``model.safetensors``."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = WordPieces.toy(CASED if cased else PIECES, lowercase=not cased)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=width, num_hidden_layers=layers, num_attention_heads=4,
        intermediate_size=2 * width, max_position_embeddings=positions,
    )  # fmt: skip
    bert = Bert(config)
    randomise(bert, seed)
    (folder / "config.json").write_text(json.dumps(config.json()), encoding="utf-8")
    pieces.save(folder)
    save_file({f"bert.{name}": value for name, value in bert.state_dict().items()}, str(folder / "model.safetensors"))
    return folder


def randomise(module: nn.Module, seed: int, *, size: float = 0.3) -> None:
    """Weights large enough that every input shows in the output; those of one name are the same in every model."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}{name}".encode()))
            noise = (0.1 if name.endswith("bias") else 1) * size * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + noise if name.endswith("LayerNorm.weight") else noise)


def fresh(folder: Path, heads: Sequence[Head] = HEADS, *, limit: int = 64, seed: int = 0) -> Checkpoint:
    """A model with these heads; ``folder`` receives its encoder."""
    made = checkpoint.new(encoder_folder(folder, seed=seed), heads, limit=limit)
    randomise(made.network, seed + 1)
    return made


def model(folder: Path, heads: Sequence[Head] = HEADS) -> Path:
    """A saved model folder with these heads."""
    made = fresh(folder / "encoder", heads)
    made.card["name"] = "tiny"
    checkpoint.save(made, folder / "model")
    return folder / "model"


def predictor(made: Checkpoint, *, budget: int = 4096) -> NeuralPredictor:
    """The torch predictor of a model."""
    return NeuralPredictor(
        TorchForward(made.network), made.network.asked, made.pieces, limit=made.limit, budget=budget, source="tiny"
    )


def sentences(texts: Sequence[str] = TEXTS) -> list[Sentence]:
    """The texts as inputs."""
    return [Sentence(f"d#{number}", "d", text) for number, text in enumerate(texts)]


def pairs(texts: Sequence[str] = TEXTS) -> list[Pair]:
    """Every ordered pair of the first few words of each text, as inputs; types follow from the words' places."""
    found = []
    for sentence in sentences(texts):
        arguments, start = [], 0
        for number, word in enumerate(sentence.text.split()[:5]):
            start = sentence.text.index(word, start)
            kind = ("Chemical", "Gene", "Disease")[number % 3]
            arguments.append(Argument(f"T{number}", start, start + len(word), kind))
            start += len(word)
        found += [
            Pair(f"{sentence.id}:{head.id}-{tail.id}", sentence, head, tail)
            for head in arguments for tail in arguments
            if (head.type, tail.type) in {("Chemical", "Gene"), ("Chemical", "Disease"), ("Gene", "Gene")}
            and head is not tail
        ]  # fmt: skip
    return found


def agree(first: Sequence[Prediction], second: Sequence[Prediction], *, within: float = 1.5e-4) -> bool:
    """The same answers; probabilities may differ in the last of the four digits they are rounded to."""

    def numbers(one: Prediction) -> list[float]:
        spans = [] if isinstance(one.value, str) else [span.probability or 0.0 for span in one.value]
        return [*one.probabilities.values(), *spans]

    def rest(one: Prediction) -> tuple[object, ...]:
        value = one.value if isinstance(one.value, str) else tuple(span[:3] for span in one.value)
        return one.id, value, tuple(one.probabilities), one.windows, one.dropped

    return len(first) == len(second) and all(
        rest(a) == rest(b) and all(abs(x - y) <= within for x, y in zip(numbers(a), numbers(b), strict=True))
        for a, b in zip(first, second, strict=True)
    )

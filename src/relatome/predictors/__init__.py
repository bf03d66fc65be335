"""Predictors: inputs in, predictions out, in order. OpenVINO, PyTorch and the baselines have one interface.

``load("default")`` opens the model inside the package, ``load(folder)`` a run folder, an exported model or a plain
Hugging Face folder. The engine is chosen by what the folder holds, unless ``backend`` says otherwise.
"""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from relatome.errors import MissingExtraError, ModelError
from relatome.lookup import pick
from relatome.predictors.texts import Predictor, answers, head_of
from relatome.tasks import TASKS

if TYPE_CHECKING:
    from relatome.predictors.neural import NeuralPredictor

__all__ = ["BACKENDS", "BASELINES", "Predictor", "answers", "head_of", "is_seed", "load", "runs"]

DEFAULT = Path(__file__).parent.parent / "default"


def load(model: str | Path = "default", *, backend: str = "auto") -> Predictor:
    """A predictor.

    Parameters
    ----------
    model
        ``"default"``, or a folder.
    backend
        ``"openvino"`` (int8), ``"openvino-fp32"``, ``"pytorch"``, ``"tfidf"``, ``"priors"``, or ``"auto"``: what the folder holds.

    Raises
    ------
    ModelError
        There is no such folder, a file in it is missing or unsafe, or it does not go with the backend.
    MissingExtraError
        The backend is not installed.
    """
    folder = DEFAULT if str(model) == "default" else Path(model)
    if not folder.is_dir():
        raise ModelError(
            "there is no such model folder", path=folder, advice="'default', a run folder or a Hugging Face folder"
        )
    chosen = _kind(folder) if backend == "auto" else backend
    return pick(chosen, BACKENDS, "backend")(folder, source(folder))


def runs(folder: str | Path) -> list[Path]:
    """The trained model in a folder, or those of its seeds (``seed-1``, ``seed-2``, …, by number); none where it has neither.

    Examples
    --------
    >>> runs("no such folder")
    []
    """
    folder = Path(folder)
    if (folder / "model.safetensors").is_file():
        return [folder]
    inner = [one for one in folder.glob("seed-*") if is_seed(one) and (one / "model.safetensors").is_file()]
    return sorted(inner, key=lambda one: int(one.name.removeprefix("seed-")))


def is_seed(folder: Path) -> bool:
    """Whether a folder's name is that of one of a run's seeds."""
    return folder.name.removeprefix("seed-").isdecimal() and folder.name.startswith("seed-")


def source(folder: Path) -> str:
    """A model's name and the hash of its weights, as the ``source`` of what it finds and in signatures."""
    return f"{folder.name}@{_hash(folder)}"


def _kind(folder: Path) -> str:
    if any((folder / name).is_file() for name in ("model.xml", "model.bin")):  # of two files one may be missing
        return "openvino"
    facts = folder / "relatome.json"
    if facts.is_file():
        try:
            made_by = json.loads(facts.read_text(encoding="utf-8")).get("predictor")
            if made_by in BASELINES:
                return str(made_by)
        except (ValueError, AttributeError) as error:
            raise ModelError(f"not JSON: {error}", path=facts) from error
    return "pytorch"


def _hash(folder: Path) -> str:
    """The first 12 digits of the sha256 of the weights: what makes two models the same."""
    for name in ("model.bin", "model.safetensors", "pytorch_model.bin", "tfidf.npz"):
        if (folder / name).is_file():
            with (folder / name).open("rb") as handle:
                return hashlib.file_digest(handle, "sha256").hexdigest()[:12]
    return "unknown"


def _openvino(folder: Path, source: str) -> NeuralPredictor:
    return _with_openvino(folder, source, "int8")


def _openvino_fp32(folder: Path, source: str) -> NeuralPredictor:
    return _with_openvino(folder, source, "fp32")


def _with_openvino(folder: Path, source: str, precision: str) -> NeuralPredictor:
    if find_spec("openvino") is None:
        raise MissingExtraError("openvino", "openvino")
    from relatome.predictors import openvino

    return openvino.load(folder, source, precision=precision)


def _pytorch(folder: Path, source: str) -> NeuralPredictor:
    if find_spec("torch") is None:
        raise MissingExtraError("torch", "train")
    from relatome.models import checkpoint
    from relatome.predictors.neural import NeuralPredictor
    from relatome.predictors.pytorch import TorchForward

    if (folder / "model.xml").is_file():
        from relatome.predictors.openvino import as_checkpoint

        opened = as_checkpoint(folder)
    else:
        opened = checkpoint.load(folder)
    heads = tuple(head for head in opened.network.asked if head.task in TASKS)
    if not heads:
        raise ModelError(
            "this is a pre-trained encoder, which answers nothing yet", path=folder,
            advice=f"teach it something: relatome train --encoder {folder} ...",
        )  # fmt: skip
    forward = TorchForward(opened.network)
    return NeuralPredictor(forward, heads, opened.pieces, limit=opened.limit, source=source, card=opened.card)


def _tfidf(folder: Path, source: str) -> Predictor:
    from relatome.predictors import tfidf

    return tfidf.load(folder)


def _priors(folder: Path, source: str) -> Predictor:
    from relatome.predictors import priors

    return priors.load(folder)


BACKENDS = {
    "openvino": _openvino, "openvino-fp32": _openvino_fp32, "pytorch": _pytorch, "tfidf": _tfidf, "priors": _priors,
}  # fmt: skip
BASELINES = ("tfidf", "priors")
"""What no neural score is read without; a run folder keeps each in a folder of this name."""

"""What entity types and corpus alone say of a relation: the baseline that has not read the text, as a predictor like any other.

Where several corpora are read as one, each has pairs of its own types and labels of its own, so that a model can score
well without reading: of a chemical and a gene ChemProt says mostly ``inhibits``, GAD knows one relation. The answer here
is the commonest label among the training pairs of the same two types and the same corpus (of equals the first of the
head's list), of the same types in any corpus where there were none, of all pairs where there were none either. What a
neural score is above this is what reading the text is worth.

The rows of a merged corpus say in their ids where they are from, ``CORPUS:DOCUMENT:PAIR`` (``corpora.merged``); other
documents have no corpus, and only their types count.

A folder holds ``relatome.json`` alone: the head, and the labels counted for each corpus and pair of types.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relatome import __version__
from relatome.errors import ModelError, TrainingError
from relatome.predictors.texts import TextPredictor
from relatome.tasks.example import Example, Head, Pair, Prediction
from relatome.tasks.pairs import legal

if TYPE_CHECKING:
    from relatome.predictors.neural import Memory

Key = tuple[str, str, str]
"""Corpus, head type, tail type; an empty one stands for any."""


class PriorsPredictor(TextPredictor):
    """Labels counted by corpus and types; ``train`` and ``load`` make one.

    Parameters
    ----------
    head
        A relation head.
    counts
        By corpus and types how often each label stood in training.
    """

    def __init__(
        self, head: Head, counts: Mapping[Key, Mapping[str, int]], *, card: Mapping[str, Any] | None = None
    ) -> None:
        self.heads = {head.name: head}
        self.card = dict(card or {})
        self.pieces_read = 0  # it reads no text; a neural predictor counts its pieces here
        self.counts = {key: dict(found) for key, found in counts.items()}
        self._head = head
        self.source = f"priors@{hashlib.sha256(self._json().encode()).hexdigest()[:12]}"

    def _predicted(self, requests: Mapping[str, Sequence[Any]], memory: Memory | None) -> dict[str, list[Prediction]]:
        return {name: [self._answer(pair) for pair in pairs] for name, pairs in requests.items()}

    def save(self, folder: str | Path) -> None:
        """Write a model folder; ``load`` opens it. The same model always gives the same bytes."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "relatome.json").write_text(self._json(), encoding="utf-8")

    def _answer(self, pair: Pair) -> Prediction:
        corpus, head, tail = _key(pair)
        found = next(
            self.counts[key]
            for key in ((corpus, head, tail), ("", head, tail), ("", "", ""))
            if key in self.counts
        )  # fmt: skip
        may = [label for label, fits in zip(self._head.labels, legal(self._head, head, tail), strict=True) if fits]
        total = sum(found.get(label, 0) for label in may)
        sure = {label: round(found.get(label, 0) / total if total else 1 / len(may), 4) for label in may}
        return Prediction(pair.id, max(may, key=lambda label: found.get(label, 0)), sure)

    def _json(self) -> str:
        counts = [{"corpus": a, "types": [b, c], "labels": self.counts[a, b, c]} for a, b, c in sorted(self.counts)]
        facts = {"predictor": "priors", "heads": [self._head.json()], "counts": counts, "card": self.card}
        return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def train(examples: Iterable[Example[Pair, str]], head: Head) -> PriorsPredictor:
    """Count the labels of training pairs.

    Raises
    ------
    TrainingError
        There are no examples.

    Examples
    --------
    >>> from relatome.tasks.relation import parse_marked
    >>> head = Head("nine", "relation", "marker", ("NO_RELATION", "treats"), {"treats": (("Chemical", "Disease"),)})
    >>> pair = parse_marked("[E1]Plombidol[/E1] eased the [E2]rash[/E2].", types=("Chemical", "Disease"))
    >>> train([Example(pair, "treats")], head).predict({"nine": [pair]})["nine"][0].value
    'treats'
    """
    counts: dict[Key, Counter[str]] = {}
    for example in examples:
        corpus, first, second = _key(example.input)
        for key in dict.fromkeys([(corpus, first, second), ("", first, second), ("", "", "")]):
            counts.setdefault(key, Counter())[example.gold] += 1
    if not counts:
        raise TrainingError(f"there are no examples for head {head.name!r}", advice="is this the right corpus?")
    ordered = {key: {label: found[label] for label in head.labels if found[label]} for key, found in counts.items()}
    return PriorsPredictor(
        head, ordered, card={"predictor": "label priors by types and corpus", "relatome": __version__}
    )


def load(folder: str | Path) -> PriorsPredictor:
    """Open a folder that ``PriorsPredictor.save`` wrote.

    Raises
    ------
    ModelError
        The file is missing or damaged.
    """
    file = Path(folder) / "relatome.json"
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        (value,) = facts["heads"]
        counts = {(one["corpus"], *one["types"]): dict(one["labels"]) for one in facts["counts"]}
        model = PriorsPredictor(Head.from_json(value), counts, card=facts["card"])
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", path=file, advice="copy the whole model folder") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"not what Relatome writes: {error!r}", path=file, advice="train it again") from error
    if ("", "", "") not in counts or any(len(key) != 3 for key in counts):
        raise ModelError("its counts are not complete", path=file, advice="train it again")
    return model


def _key(pair: Pair) -> Key:
    corpus, colon, _ = pair.sentence.document.partition(":")
    return (corpus if colon else ""), pair.head.type, pair.tail.type

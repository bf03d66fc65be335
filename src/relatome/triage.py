"""Which sentences to read: a model's table fitted on dev, the sentences of files or of a corpus, and what is kept of them.

The numbers and the promise are `scoring.triage`'s; here they meet models and corpora. The table of a model lies beside
it (``triage.json``) and holds scores, no text, so that a threshold is chosen where no corpus is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relatome import corpora
from relatome.corpora.corpus import Corpus, source_of
from relatome.corpora.splits import normalised
from relatome.documents import Document
from relatome.errors import InputError, ModelError, ScoreError
from relatome.predictors import DEFAULT, Predictor, head_of, load
from relatome.scoring import triage as numbers
from relatome.scoring.triage import CONFIDENCE, FILE, RECALL, Dev, Plan, Table
from relatome.tasks import classification
from relatome.tasks.example import Head, Sentence

__all__ = ["FILE", "Asked", "Reading", "Table", "fit", "of_corpus", "of_documents", "read", "table"]

_CHUNK = 256  # sentences asked about together


@dataclass(frozen=True, slots=True)
class Asked:
    """One sentence to judge.

    Parameters
    ----------
    document, start
        Where it stands.
    positive
        Whether it is one that is looked for, where the gold is known.
    source
        The article of a corpus's row, by which sentences go together.
    """

    document: str
    start: int
    text: str
    positive: bool | None = None
    source: str = ""


class Reading:
    """Sentences with their scores; of a text that stands there again only the first is judged.

    Raises
    ------
    InputError
        There is no sentence.

    Examples
    --------
    >>> asked = [Asked("1", 0, "A rash."), Asked("1", 8, "No rash."), Asked("2", 0, "A rash.")]
    >>> found = Reading(asked, [0.9, 0.2, 0.9])
    >>> dev = Dev(tuple(0.3 + 0.001 * k for k in range(600)), (0.1, 0.2), tuple(range(600)))
    >>> result = found.plan(Table("ade-sentence", "adverse-effect", dev, None, {}), promise="model")
    >>> [(one.text, score, copies) for one, score, copies in found.kept(result)]
    [('A rash.', 0.9, 2)]
    """

    def __init__(self, asked: Sequence[Asked], scores: Sequence[float]) -> None:
        if not asked:
            raise InputError("there is no sentence to read")
        self.asked, self.scores = asked, scores
        self.first: list[int] = []
        self.copies: dict[int, list[int]] = {}
        places: dict[str, int] = {}
        for index, one in enumerate(asked):
            place = places.setdefault(_key(one.text), index)
            if place == index:
                self.first.append(index)
            self.copies.setdefault(place, []).append(index)

    def plan(
        self, table: Table, recall: float = RECALL, confidence: float = CONFIDENCE, promise: str = "file"
    ) -> Plan:  # fmt: skip
        """What of them to read; see `scoring.triage.plan`."""
        scores = [self.scores[index] for index in self.first]
        return numbers.plan(scores, table, recall=recall, confidence=confidence, promise=promise)

    def kept(self, result: Plan) -> Iterator[tuple[Asked, float, int]]:
        """Each kept text once, with its score and how often it stands in the input."""
        for place in result.kept:
            index = self.first[place]
            yield self.asked[index], self.scores[index], len(self.copies[index])

    def held(self, result: Plan) -> tuple[int, int] | None:
        """How many of the distinct positives are kept, and how many there are; ``None`` without gold."""
        if any(one.positive is None for one in self.asked):
            return None
        chosen = set(result.kept)
        positive = [self.asked[index].positive for index in self.first]
        return sum(bool(one) and place in chosen for place, one in enumerate(positive)), sum(map(bool, positive))


def read(predictor: Predictor, asked: Sequence[Asked], table: Table) -> Reading:
    """Ask a model about sentences, as its table says."""
    texts = [one.text for one in asked]
    return Reading(asked, _scores(predictor, predictor.heads[table.head], table.positive, texts))


def of_documents(documents: Iterable[Document]) -> Iterator[Asked]:
    """The sentences of documents."""
    for document in documents:
        for sentence in classification.inputs(document):
            if sentence.text.strip():
                yield Asked(document.id, sentence.start, sentence.text)


def of_corpus(name: str, split: str, protocol: str | None, table: Table) -> Iterator[Asked]:
    """The sentences of a corpus, with their gold.

    Raises
    ------
    ScoreError
        The corpus is about another class than the table.
    """
    found = corpora.load(name)
    label, positive = _positive(found)
    if positive != table.positive:
        raise ScoreError(f"{name} is about {positive!r}, and the model's table about {table.positive!r}")
    return _examples(found, split, protocol, label, positive)


def fit(
    model: str | Path,
    corpus: str | Path,
    *,
    split: str = "dev",
    protocol: str | None = None,
    baseline: str | Path | None = None,
    backend: str = "auto",
) -> tuple[Table, int]:
    """A model's table from sentences it did not learn from.

    Parameters
    ----------
    baseline
        A TF-IDF model whose scores of the same sentences are kept beside, to tell the cost.

    Returns
    -------
    The table, and how many sentences were left out as copies of others.

    Raises
    ------
    ModelError
        The model, or the baseline, learned from the split, or does not say the corpus's positive class.
    ScoreError
        The corpus names no positive class, or the split has no positive or no negative.
    """
    found = corpora.load(corpus)
    chosen = found.protocol(protocol)
    folder = _folder(model)
    label, positive = _positive(found)
    predictor = load(model, backend=backend)
    head = head_of(predictor, "classification", label)
    if positive not in head.labels:
        raise ModelError(
            f"the model does not say {positive!r}", path=folder, advice=f"it says {', '.join(head.labels)}"
        )
    for place, opened in ((folder, predictor), *(((Path(baseline), None),) if baseline else ())):
        _check_unseen(place, opened, found, split, chosen.name)
    asked = list(_examples(found, split, chosen.name, label, positive))
    first = _dev(predictor, head, positive, asked)
    second: Dev | None = None
    if baseline:
        other = load(baseline)
        second = _dev(other, head_of(other, "classification", label), positive, asked)
    source = {
        "corpus": found.card.name, "corpus_version": found.card.version, "split": split, "protocol": chosen.name,
        "split_hash": found.split_hash(chosen.name)[:16],
    }  # fmt: skip
    return Table(head.name, positive, first, second, source), len(asked) - len(first.positives) - len(first.negatives)


def table(model: str | Path, predictor: Predictor, given: Path | None = None) -> Table:
    """The table of an open model: the one given, or the one in its folder.

    Raises
    ------
    ModelError
        There is none, or it was made with another model.
    """
    path = given or _folder(model) / FILE
    if given is None and not path.is_file():
        raise ModelError(
            "the model has no triage table", path=path.parent,
            advice=f"relatome triage --fit {model} --corpus ade makes one, of dev sentences it did not learn from",
        )  # fmt: skip
    found = numbers.read(path)
    if found.head not in predictor.heads or found.positive not in predictor.heads[found.head].labels:
        raise ModelError(
            f"the table asks {found.head!r} for {found.positive!r}, which the model does not know", path=path
        )
    if found.dev.model and found.dev.model.partition("@")[2] != predictor.source.partition("@")[2]:
        raise ModelError(
            f"the table was made with {found.dev.model}, and this is {predictor.source}", path=path,
            advice=f"relatome triage --fit {model} --corpus {found.source.get('corpus', 'ade')}",
        )  # fmt: skip
    return found


def _folder(model: str | Path) -> Path:
    return DEFAULT if str(model) == "default" else Path(model)


def _check_unseen(folder: Path, predictor: Predictor | None, corpus: Corpus, split: str, protocol: str) -> None:
    """Refuse dev sentences that the model learnt from: their scores are too good, and the promise would be false."""
    card: Mapping[str, Any] = predictor.card if predictor is not None else {}
    settings: Any = card.get("training", {}).get("settings", {})
    for place in (folder / "run.toml", folder.parent / "run.toml"):
        if not settings and place.is_file():
            settings = tomllib.loads(place.read_text(encoding="utf-8"))
    name = corpus.card.name
    for item in settings.get("data", []):
        if item.get("corpus") != name and not str(item.get("corpus")).endswith(f"/{name}.toml"):
            continue
        used = item.get("protocol") or corpus.protocol().name
        both = set(item.get("split", "train").split("+")) & set(split.split("+"))
        if both or used != protocol:
            what = f"{name} {'+'.join(sorted(both))}" if both else f"{name} as divided by {used!r}, not {protocol!r}"
            raise ModelError(
                f"the model learnt from {what}: a threshold cannot be chosen on it", path=folder,
                advice="train it on the train split alone",
            )  # fmt: skip


def _positive(corpus: Corpus) -> tuple[str, str]:
    """The corpus's label and its positive value."""
    for name, label in corpus.card.labels.items():
        if label.positive:
            return name, label.positive
    raise ScoreError(f"the card of {corpus.card.name} names no positive class", advice="choose another corpus: ade")


def _examples(corpus: Corpus, split: str, protocol: str | None, label: str, positive: str) -> Iterator[Asked]:
    for document in corpus.documents(split, protocol=protocol):
        for one in document.labels:
            if one.name == label:
                text = document.text[one.start : one.end]
                yield Asked(document.id, one.start, text, one.value == positive, source_of(document))


def _dev(predictor: Predictor, head: Head, positive: str, asked: Sequence[Asked]) -> Dev:
    return numbers.dev_of(
        _scores(predictor, head, positive, [one.text for one in asked]),
        [bool(one.positive) for one in asked],
        [one.source for one in asked],
        [_key(one.text) for one in asked],
        model=predictor.source,
    )


def _scores(predictor: Predictor, head: Head, positive: str, texts: Sequence[str]) -> list[float]:
    """The probability of the positive class of each text; a text that stands there again is asked about once."""
    distinct = list(dict.fromkeys(texts))
    found: dict[str, float] = {}
    for start in range(0, len(distinct), _CHUNK):
        part = distinct[start : start + _CHUNK]
        asked: list[Sentence] = [Sentence(str(number), str(number), text) for number, text in enumerate(part)]
        answers = predictor.predict({head.name: asked})[head.name]
        found |= {text: answer.probabilities[positive] for text, answer in zip(part, answers, strict=True)}
    return [found[text] for text in texts]


def _key(text: str) -> str:
    """What makes two sentences copies of one."""
    return normalised(text) or text

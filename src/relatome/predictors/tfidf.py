"""TF-IDF and logistic regression: the baseline no neural score is read without, as a predictor like any other.

It learns with scikit-learn and answers without it: a saved baseline runs on the base install, and a test holds the
numpy arithmetic here to scikit-learn's probabilities. A text is its words (two letters or digits at least, lower
case), alone and in runs; the weight of a term is ``(1 + log count) * idf``, and a text's weights have length 1. For
relations the four entity markers are words of their own, set in by offset, so that ``[E1] aspirin`` is a term and a
"[E1]" that stands in the text is not.

A folder holds ``relatome.json`` (head, settings, card), ``vocabulary.json`` (the terms, in the order of their columns)
and ``tfidf.npz`` (float64 arrays ``idf``, ``coefficients``, ``intercepts``, and the ``vocabulary`` file's sha256 as
bytes). No pickle. The npz is written last: without it the folder is unfinished.

Formulas: scikit-learn's user guide, "Tf-idf term weighting" (smoothed idf) and "Logistic regression"
(https://scikit-learn.org/stable/modules/feature_extraction.html#tfidf-term-weighting).
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relatome import __version__
from relatome.errors import MissingExtraError, ModelError, SettingsError, TrainingError
from relatome.predictors.texts import TextPredictor
from relatome.tasks import TASKS
from relatome.tasks.example import Encoded, Example, Head, Pair, Prediction, Sentence
from relatome.wordpieces import MARKERS, Window

if TYPE_CHECKING:
    from relatome.predictors.neural import Memory

Floats = np.ndarray[Any, np.dtype[np.float64]]

LEARNT = ("classification", "relation")  # the tasks that are one label for one text
TOLERANCE = 1e-7  # scikit-learn's 1e-4 stops before the optimum: the answers then depend on the order of the rows
MOST_STEPS = 10_000  # a few hundred are enough on ADE
UNSEEN = -1e4  # the logit of a label no example had: its probability is exactly 0, and no arithmetic meets infinity


@dataclass(frozen=True, slots=True)
class TfidfSettings:
    """What the baseline is told; the defaults were chosen on ADE's dev rows, of the published and the clean split.

    Parameters
    ----------
    words
        Of the longest term: 2 for single words and pairs of neighbours.
    least_texts
        In how many texts a term must stand to be counted.
    sublinear
        Whether a term that stands n times weighs ``1 + log n`` rather than n.
    inverse_regularisation
        scikit-learn's ``C``: the larger, the closer the training texts are followed.
    class_weights
        ``"none"``, or ``"balanced"``: inverse class frequency.

    Raises
    ------
    SettingsError
        Every value that is out of range, at once.
    """

    words: int = 2
    least_texts: int = 1
    sublinear: bool = True
    inverse_regularisation: float = 30.0
    class_weights: str = "none"

    def __post_init__(self) -> None:
        wanted = (
            ("words", type(self.words) is int and 1 <= self.words <= 10, "a whole number from 1 to 10"),
            ("least_texts", type(self.least_texts) is int and self.least_texts >= 1, "a whole number from 1"),
            ("sublinear", type(self.sublinear) is bool, "true or false"),
            ("inverse_regularisation", _positive(self.inverse_regularisation), "a number above 0"),
            ("class_weights", self.class_weights in ("none", "balanced"), "'none' or 'balanced'"),
        )
        if problems := [
            f"{name} should be {what}, found {getattr(self, name)!r}" for name, fits, what in wanted if not fits
        ]:
            raise SettingsError(problems)


class TfidfPredictor(TextPredictor):
    """A fitted baseline; ``train`` and ``load`` make one.

    Parameters
    ----------
    head
        What it answers: a ``classification`` or a ``relation`` head.
    terms
        The vocabulary, in the order of the arrays' rows.
    idf
        ``(F,)`` the inverse document frequency of each term.
    coefficients
        ``(F, C)`` what each term adds to each label's logit.
    intercepts
        ``(C,)``.
    source
        Name and hash of the model; if empty, ``tfidf`` and the hash of what ``save`` would write.
    """

    def __init__(
        self,
        head: Head,
        terms: Sequence[str],
        idf: Floats,
        coefficients: Floats,
        intercepts: Floats,
        *,
        settings: TfidfSettings,
        card: Mapping[str, Any] | None = None,
        source: str = "",
    ) -> None:
        self.heads = {head.name: head}
        self.settings = settings
        self.card = dict(card or {})
        self.pieces_read = 0  # it reads words; a neural predictor counts its pieces here
        self._head = head
        self._terms = tuple(terms)
        self._columns = {term: column for column, term in enumerate(self._terms)}
        self._idf, self._coefficients, self._intercepts = idf, coefficients, intercepts
        self.source = source or _source("tfidf", self._arrays())

    def _predicted(self, requests: Mapping[str, Sequence[Any]], memory: Memory | None) -> dict[str, list[Prediction]]:
        return {name: self._answers(inputs) for name, inputs in requests.items()}

    def probabilities(self, inputs: Sequence[Sentence | Pair]) -> Floats:
        """``(N, C)`` the probability of each label, before the task rounds them or rules out what types forbid."""
        logits = self.logits(inputs)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True)) if len(logits) else logits
        result: Floats = raised / raised.sum(axis=1, keepdims=True)
        return result

    def logits(self, inputs: Sequence[Sentence | Pair]) -> Floats:
        """``(N, C)`` the logit of each label. Every row is worked out alone, so its neighbours cannot change it."""
        result = np.empty((len(inputs), self._head.classes), dtype=np.float64)
        for row, one in enumerate(inputs):
            result[row] = self._logits(one)
        return result

    def save(self, folder: str | Path) -> None:
        """Write a model folder; ``load`` opens it. The same model always gives the same bytes."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        facts = {
            "predictor": "tfidf",
            "heads": [self._head.json()],
            "settings": dataclasses.asdict(self.settings),
            "card": self.card,
        }
        (folder / "vocabulary.json").write_bytes(self._vocabulary())
        (folder / "relatome.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        unfinished = folder / "tfidf.npz.part"
        unfinished.write_bytes(self._arrays())
        unfinished.replace(folder / "tfidf.npz")

    def _answers(self, inputs: Sequence[Sentence | Pair]) -> list[Prediction]:
        logits = self.logits(inputs).astype(np.float32)
        if self._head.task == "relation":
            encoded = [Encoded(_WHOLE, tuple(range(len(inputs))))] if inputs else []
            found = [logits] if inputs else []
        else:
            encoded = [Encoded(_WHOLE, (index,)) for index in range(len(inputs))]
            found = list(logits)
        answers: list[Prediction] = TASKS[self._head.task].decode(inputs, encoded, found, self._head)
        return answers

    def _logits(self, one: Sentence | Pair) -> Floats:
        counts = Counter(
            column for term in _terms(one, self.settings.words) if (column := self._columns.get(term)) is not None
        )
        columns = np.fromiter(counts, dtype=np.intp, count=len(counts))
        weights = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
        if self.settings.sublinear:
            weights = 1.0 + np.log(weights)
        weights *= self._idf[columns]
        length = np.sqrt(weights @ weights)
        result: Floats = (weights / (length or 1.0)) @ self._coefficients[columns] + self._intercepts
        return result

    def _vocabulary(self) -> bytes:
        return json.dumps(self._terms, separators=(",\n", ": ")).encode("ascii")

    def _arrays(self) -> bytes:
        """The npz file. Its members carry no time of writing: numpy gives all of them the same date."""
        buffer = io.BytesIO()
        digest = np.frombuffer(hashlib.sha256(self._vocabulary()).digest(), dtype=np.uint8)
        np.savez(
            buffer,
            idf=self._idf,
            coefficients=self._coefficients,
            intercepts=self._intercepts,
            vocabulary=digest,
        )
        return buffer.getvalue()


def train(
    examples: Iterable[Example[Sentence, str] | Example[Pair, str]],
    head: Head,
    *,
    settings: TfidfSettings | None = None,
    card: Mapping[str, Any] | None = None,
) -> TfidfPredictor:
    """Fit the baseline.

    Parameters
    ----------
    examples
        Of ``head``'s task. The caller has left out what no model may see.
    head
        A classification or relation head.
    settings
        The defaults if not given.
    card
        What else to say in the model's card.

    Raises
    ------
    TrainingError
        The examples are too few to learn from, or their gold is not among the head's labels.
    MissingExtraError
        scikit-learn is not installed.

    Examples
    --------
    >>> head = Head("ade-sentence", "classification", "label", ("no-adverse-effect", "adverse-effect"))
    >>> texts = {"The drug was stopped after a rash.": "adverse-effect", "The drug was given.": "no-adverse-effect"}
    >>> learnt = [Example(Sentence(text[:8], "1", text), gold) for text, gold in texts.items()]
    >>> asked = Sentence("2", "2", "A rash appeared.")
    >>> train(learnt, head).predict({"ade-sentence": [asked]})["ade-sentence"][0].value
    'adverse-effect'
    """
    settings = settings or TfidfSettings()
    found = list(examples)
    classes = _classes([(example.input.id, example.gold) for example in found], head)
    try:
        import sklearn
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise MissingExtraError("sklearn", "train") from None

    vectorizer = TfidfVectorizer(
        analyzer=lambda one: _terms(one, settings.words),
        min_df=settings.least_texts,
        sublinear_tf=settings.sublinear,
    )
    try:
        texts = vectorizer.fit_transform([example.input for example in found])
    except ValueError as error:  # "empty vocabulary", or "After pruning, no terms remain"
        raise TrainingError(
            f"no term stands in {settings.least_texts} of the {len(found)} texts", advice="give more texts"
        ) from error
    model = LogisticRegression(
        C=settings.inverse_regularisation,
        class_weight=None if settings.class_weights == "none" else settings.class_weights,
        tol=TOLERANCE,
        max_iter=MOST_STEPS,
    ).fit(texts, classes)
    coefficients, intercepts = _by_label(model.coef_, model.intercept_, model.classes_, head)
    counts = Counter(example.gold for example in found)
    facts = {
        "predictor": "TF-IDF + logistic regression",
        "examples": {label: counts[label] for label in head.labels},
        "terms": len(vectorizer.vocabulary_),
        "settings": dataclasses.asdict(settings),
        "relatome": __version__,
        "scikit-learn": sklearn.__version__,
    }
    terms = vectorizer.get_feature_names_out().tolist()
    return TfidfPredictor(
        head, terms, vectorizer.idf_, coefficients, intercepts, settings=settings, card={**facts, **(card or {})}
    )


def load(folder: str | Path) -> TfidfPredictor:
    """Open a folder that ``TfidfPredictor.save`` wrote; scikit-learn is not needed.

    Raises
    ------
    ModelError
        A file is missing or damaged, or the files do not belong together.
    """
    folder = Path(folder)
    head, settings, card = _facts(folder)
    file, weights = folder / "vocabulary.json", folder / "tfidf.npz"
    vocabulary = _bytes(file)
    terms = _parsed(vocabulary, file)
    if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
        raise ModelError("not a list of terms", path=file, advice=_AGAIN)
    if len(set(terms)) < len(terms):
        raise ModelError("a term is there twice", path=file, advice=_AGAIN)
    shapes = {"idf": (len(terms),), "coefficients": (len(terms), head.classes), "intercepts": (head.classes,)}
    data = _bytes(weights)
    arrays = _arrays(data, weights, shapes, hashlib.sha256(vocabulary).digest())
    source = _source(folder.resolve().name, data)
    return TfidfPredictor(head, terms, **arrays, settings=settings, card=card, source=source)


def _words(text: str) -> list[str]:
    """scikit-learn's words: two word characters at least, lower case."""
    return _WORD.findall(text.lower())


def _terms(one: Sentence | Pair, longest: int) -> Iterator[str]:
    """The words and runs of up to ``longest`` words; a marker counts as a word."""
    words = _marked(one) if isinstance(one, Pair) else _words(one.text)
    for count in range(1, longest + 1):
        for start in range(len(words) - count + 1):
            yield " ".join(words[start : start + count])


def _marked(pair: Pair) -> list[str]:
    """The pair's sentence with the four markers; at one place a closing marker comes before an opening one."""
    spots = sorted([
        (pair.head.end, 0, MARKERS[1]), (pair.tail.end, 0, MARKERS[3]),
        (pair.head.start, 1, MARKERS[0]), (pair.tail.start, 1, MARKERS[2]),
    ])  # fmt: skip
    words, last, text = [], 0, pair.sentence.text
    for place, _, marker in spots:
        words += [*_words(text[last:place]), marker]
        last = place
    return words + _words(text[last:])


def _classes(golds: Sequence[tuple[str, str]], head: Head) -> list[int]:
    """The number of each example's label, once it is sure that something can be learnt."""
    if head.task not in LEARNT:
        raise TrainingError(
            f"head {head.name!r} is a head for {head.task}", advice=f"TF-IDF is for {LEARNT[0]} or {LEARNT[1]}"
        )
    if not golds:
        raise TrainingError(f"there are no examples for head {head.name!r}", advice="is this the right corpus?")
    for identity, gold in golds:
        if gold not in head.labels:
            raise TrainingError(
                f"example {identity!r} is {gold!r}, expected one of {', '.join(head.labels)}", advice="check the labels"
            )
    if len({gold for _, gold in golds}) == 1:
        raise TrainingError(
            f"all {len(golds)} examples of head {head.name!r} are {golds[0][1]!r}", advice="give two classes at least"
        )
    return [head.labels.index(gold) for _, gold in golds]


def _by_label(coefficients: Floats, intercepts: Floats, classes: Sequence[int], head: Head) -> tuple[Floats, Floats]:
    """``(F, C)`` and ``(C,)`` for the head's labels, from scikit-learn's, which knows the labels it saw only.

    Of two labels it keeps the second's logit alone; the first's is 0, and softmax over both is its logistic function.
    """
    if len(classes) == 2:
        coefficients = np.concatenate((np.zeros_like(coefficients), coefficients))
        intercepts = np.concatenate((np.zeros_like(intercepts), intercepts))
    weights = np.zeros((coefficients.shape[1], head.classes), dtype=np.float64)
    biases = np.full(head.classes, UNSEEN, dtype=np.float64)
    weights[:, classes] = coefficients.T
    biases[classes] = intercepts
    return weights, biases


def _facts(folder: Path) -> tuple[Head, TfidfSettings, dict[str, Any]]:
    file = folder / "relatome.json"
    facts = _parsed(_bytes(file), file)
    if not isinstance(facts, dict) or facts.get("predictor") != "tfidf":
        raise ModelError("not a TF-IDF model", path=file, advice="give the folder of one")
    try:
        (value,) = facts["heads"]
        head, settings = Head.from_json(value), TfidfSettings(**facts["settings"])
        card = dict(facts["card"])
    except (KeyError, TypeError, ValueError, AttributeError, SettingsError) as error:
        raise ModelError(f"not what Relatome writes: {error!r}", path=file, advice=_AGAIN) from error
    names = (head.name, *head.labels, *head.arguments, *head.groups, *head.groups.values())
    if not all(isinstance(name, str) for name in names) or not head.labels or len(set(head.labels)) < len(head.labels):
        raise ModelError(f"head {head.name!r} has labels {head.labels!r}, expected different names", path=file)
    if head.task not in LEARNT or head.kind not in TASKS[head.task].HEADS:
        found = f"head {head.name!r} is of task {head.task!r} and kind {head.kind!r}"
        raise ModelError(f"{found}, which no TF-IDF model has", path=file, advice=_AGAIN)
    return head, settings, card


def _arrays(data: bytes, file: Path, shapes: Mapping[str, tuple[int, ...]], vocabulary: bytes) -> dict[str, Floats]:
    """The arrays of an npz file that are what the vocabulary and the head say they must be."""
    most = sum(8 * int(np.prod(shape)) for shape in shapes.values()) + 65_536
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > most:  # nothing is unpacked before this is sure
            raise ModelError(f"its arrays take {unpacked} bytes, expected {most} at most", path=file, advice=_AGAIN)
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in (*shapes, "vocabulary")}
    except ModelError:
        raise
    except Exception as error:  # zipfile, zlib, numpy and Python's tokenizer each have errors of their own
        raise ModelError(f"damaged arrays: {error}", path=file, advice=_AGAIN) from error
    if arrays.pop("vocabulary").tobytes() != vocabulary:
        raise ModelError("it was made with another vocabulary.json", path=file, advice=_AGAIN)
    for name, shape in shapes.items():
        array = arrays[name]
        if array.dtype != np.float64 or array.shape != shape:
            found = f"{array.dtype} {array.shape}"
            raise ModelError(f"array {name!r} is {found}, expected float64 {shape}", path=file, advice=_AGAIN)
        if not np.isfinite(array).all():
            raise ModelError(f"array {name!r} holds what is no number", path=file, advice=_AGAIN)
    return arrays


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{file.name} is missing", path=file.parent, advice="copy the whole model folder") from None
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", path=file, advice="check the file") from error


def _parsed(data: bytes, file: Path) -> Any:
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"not JSON: {error}", path=file, advice=_AGAIN) from error


def _source(name: str, data: bytes) -> str:
    return f"{name}@{hashlib.sha256(data).hexdigest()[:12]}"


def _positive(value: object) -> bool:
    return type(value) in (int, float) and 0 < float(value) < float("inf")  # type: ignore[arg-type]


_WORD = re.compile(r"\b\w\w+\b")
_ONE = np.zeros(1, dtype=np.int32)
_WHOLE = Window(_ONE, _ONE, _ONE, _ONE)  # every text is read whole, in one window
_AGAIN = "copy the whole model folder again, or train it again"

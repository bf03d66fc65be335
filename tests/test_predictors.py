"""Answers in the order asked, whatever the batch: size, buckets, padding, neighbours and memory change nothing."""

from __future__ import annotations

import importlib
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from relatome.batches import BUDGET
from relatome.documents import Document
from relatome.errors import ModelError
from relatome.models import checkpoint
from relatome.models.checkpoint import Checkpoint
from relatome.predictors.neural import Memory, NeuralPredictor
from relatome.predictors.pytorch import TorchForward
from relatome.predictors.remembered import Remembered
from relatome.tasks.example import Argument, Head, Pair, Prediction, Sentence, TypedSpan
from tests import tiny

extraction = importlib.import_module("relatome.extract")  # the package's own ``extract`` is the verb

MARKER = Head("marked", "relation", "marker", tiny.RELATIONS.labels, tiny.RELATIONS.arguments, tiny.RELATIONS.groups)
NESTED = Head("nested", "ner", "layers", ("Chemical", "Gene"))
Answers = dict[str, list[Prediction]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return tiny.fresh(tmp_path_factory.mktemp("predictors"), (*tiny.HEADS, MARKER, NESTED), limit=48)


def requests() -> dict[str, list[Any]]:
    words, pairs = tiny.sentences(), tiny.pairs()
    return {"entities": words, "ade-sentence": words[::-1], "relations": pairs, "marked": pairs[::3], "nested": words}


def assert_same(first: Answers, second: Answers) -> None:
    assert list(first) == list(second)
    for name in first:
        assert tiny.agree(first[name], second[name]), name


@pytest.fixture(scope="module")
def expected(made: Checkpoint) -> Answers:
    return tiny.predictor(made).predict(requests())


def test_answers_come_in_the_order_asked(expected: Answers) -> None:
    for name, inputs in requests().items():
        assert [answer.id for answer in expected[name]] == [one.id for one in inputs]
    assert len({answer.value for answer in expected["relations"]}) > 2  # a model that says one thing proves nothing
    assert max(answer.windows for answer in expected["entities"]) > 1


@pytest.mark.parametrize("budget", [1, 64, 100, 300, 1000, BUDGET, 100_000])
def test_the_size_of_a_batch_never_changes_an_answer(made: Checkpoint, expected: Answers, budget: int) -> None:
    assert_same(tiny.predictor(made, budget=budget).predict(requests()), expected)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_inputs_never_changes_an_answer(made: Checkpoint, expected: Answers, seed: int) -> None:
    asked = requests()
    places = {name: random.Random(seed).sample(range(len(inputs)), len(inputs)) for name, inputs in asked.items()}
    shuffled = {name: [asked[name][place] for place in places[name]] for name in reversed(asked)}
    found = tiny.predictor(made, budget=200).predict(shuffled)
    assert_same(
        {name: [found[name][places[name].index(n)] for n in range(len(places[name]))] for name in asked}, expected
    )


def test_what_was_answered_is_not_read_again(made: Checkpoint, expected: Answers) -> None:
    """Half of the inputs, then all of them in another order, some twice."""
    inner = tiny.predictor(made)
    once = Remembered(inner)
    once.predict({name: inputs[::2] for name, inputs in requests().items()})
    half = inner.pieces_read
    asked = {name: [*inputs[::-1], *inputs[:3]] for name, inputs in requests().items()}
    found = once.predict(asked)
    for name in asked:
        assert tiny.agree(found[name], [*expected[name][::-1], *expected[name][:3]])
    whole = inner.pieces_read
    assert 0 < half < whole and once.predict(asked) == found and inner.pieces_read == whole
    with pytest.raises(ModelError, match="no head 'nothing'"):
        once.predict({"nothing": []})


def test_neighbours_never_change_an_answer(made: Checkpoint, expected: Answers) -> None:
    predictor = tiny.predictor(made)
    for name, inputs in requests().items():
        alone = [predictor.predict({name: [one]})[name][0] for one in inputs]
        assert tiny.agree(alone, expected[name])


def test_one_pass_or_two_with_a_memory_is_the_same(made: Checkpoint) -> None:
    predictor = tiny.predictor(made, budget=150)
    asked = requests()
    del asked["marked"]
    joint = predictor.predict(asked)
    read = predictor.pieces_read
    memory = Memory()
    first = predictor.predict({name: asked[name] for name in ("entities", "ade-sentence")}, memory)
    before = predictor.pieces_read
    second = predictor.predict({"relations": asked["relations"]}, memory)
    assert_same({**first, **second}, {name: joint[name] for name in (*first, *second)})
    assert predictor.pieces_read - before == 4 * len(asked["relations"])  # markers alone: no text is read again
    assert before - read < read


def test_a_memory_that_knows_only_some_of_the_texts_serves_those(made: Checkpoint) -> None:
    predictor = tiny.predictor(made)
    memory = Memory()
    predictor.predict({"entities": tiny.sentences()[:2]}, memory)
    found = predictor.predict({"relations": tiny.pairs()}, memory)
    assert_same(found, predictor.predict({"relations": tiny.pairs()}))


def test_a_memory_holds_across_predictions_with_other_windows(made: Checkpoint) -> None:
    predictor = tiny.predictor(made)
    memory = Memory()
    predictor.predict({"entities": tiny.sentences(), "marked": tiny.pairs()[:4]}, memory)  # its windows are shorter
    assert_same(predictor.predict({"relations": tiny.pairs()}, memory), predictor.predict({"relations": tiny.pairs()}))


def test_nothing_asked_is_nothing_answered(made: Checkpoint) -> None:
    predictor = tiny.predictor(made)
    assert predictor.predict({}) == {}
    empty: dict[str, list[Any]] = {name: [] for name in predictor.heads}
    assert predictor.predict(empty) == empty
    assert predictor.pieces_read == 0


def test_an_empty_text_has_an_answer(made: Checkpoint) -> None:
    found = tiny.predictor(made).predict(
        {"entities": [Sentence("e", "d", "")], "ade-sentence": [Sentence("e", "d", " ")]}
    )
    assert found["entities"] == [Prediction("e", ())]
    assert found["ade-sentence"][0].value in tiny.ADE.labels
    assert sum(found["ade-sentence"][0].probabilities.values()) == pytest.approx(1, abs=2e-4)


def test_a_head_the_model_lacks_is_named_with_those_it_has(made: Checkpoint) -> None:
    with pytest.raises(ModelError) as caught:
        tiny.predictor(made).predict({"entity": []})
    assert str(caught.value) == (
        "the model has no head 'entity' (it has: entities, relations, ade-sentence, marked, nested)"
    )


def test_arguments_too_far_apart_are_dropped_and_said_so(made: Checkpoint) -> None:
    text = "Aspirin " + "and " * 60 + "bleeding. Warfarin caused tremor."
    last = text.index("tremor")
    start = text.index("Warfarin")
    sentence = Sentence("s", "d", text)
    far = Pair("far", sentence, Argument("a", 0, 7, "Chemical"), Argument("c", last, last + 6, "Disease"))
    near = Pair("near", sentence, Argument("b", start, start + 8, "Chemical"), far.tail)
    for head in ("relations", "marked"):
        answers = tiny.predictor(made).predict({head: [far, near, far]})[head]
        assert [answer.id for answer in answers] == ["far", "near", "far"]
        assert [answer.dropped for answer in answers] == [True, False, True]
        assert answers[0].value == "NO_RELATION" and dict(answers[0].probabilities) == {"NO_RELATION": 1.0}
        assert min(answer.windows for answer in answers) > 1


def test_illegal_labels_have_no_probability(made: Checkpoint) -> None:
    for head in ("relations", "marked"):
        for pair, answer in zip(tiny.pairs(), tiny.predictor(made).predict({head: tiny.pairs()})[head], strict=True):
            kinds = (pair.head.type, pair.tail.type)
            fits = ["NO_RELATION", *(n for n, pairs in tiny.RELATIONS.arguments.items() if kinds in pairs)]
            assert sorted(answer.probabilities) == sorted(fits)
            assert sum(answer.probabilities.values()) == pytest.approx(1, abs=3e-4)


def test_a_saved_model_answers_as_before(made: Checkpoint, expected: Answers, tmp_path: Path) -> None:
    checkpoint.save(made, tmp_path)
    assert_same(tiny.predictor(checkpoint.load(tmp_path)).predict(requests()), expected)


def test_predicting_leaves_the_network_as_it_was(made: Checkpoint) -> None:
    for training in (True, False):
        made.network.train(training)
        before = torch.get_rng_state()
        first, second = (tiny.predictor(made).predict(requests()) for _ in range(2))
        assert first == second  # no dropout
        assert made.network.training is training
        assert torch.equal(torch.get_rng_state(), before)
    made.network.eval()


def test_an_engine_is_one_function(made: Checkpoint) -> None:
    """Whatever answers a batch is an engine; it sees pieces, never gold, ids or text."""
    inner = TorchForward(made.network)
    seen: list[tuple[int, ...]] = []

    def forward(batch: Any, memory: Any, *, remember: bool) -> Any:
        seen.append(batch.ids.shape)
        assert batch.mask.shape == (len(batch.rows), 1, batch.ids.shape[1], batch.mask.shape[3])
        assert batch.ids.shape[0] * batch.ids.shape[1] <= 200 or batch.ids.shape[0] == 1
        answers, kept = inner(batch, memory, remember=remember)
        assert all(answer.dtype == np.float32 for answer in answers.values())
        return answers, kept

    predictor = NeuralPredictor(forward, made.network.asked, made.pieces, limit=made.limit, budget=200)
    found = predictor.predict(requests())
    assert_same(found, tiny.predictor(made).predict(requests()))
    assert len(seen) > 5 and len({shape[1] for shape in seen}) > 2


def test_of_a_crowded_sentence_the_nearest_pairs_are_asked_about_and_the_others_counted(
    made: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    predictor = tiny.predictor(made)
    predict = predictor.predict

    def noted(requests: Any, memory: Any = None) -> Any:
        asked.extend(len(inputs) for name, inputs in requests.items() if predictor.heads[name].task == "relation")
        return predict(requests, memory)

    monkeypatch.setattr(predictor, "predict", noted)
    document = Document("1", ", ".join(tiny.TEXTS[index].rstrip(".") for index in (0, 1, 5) * 2))
    (free,) = extraction.extract([document], predictor)
    everything = sum(asked)
    asked.clear()
    monkeypatch.setattr(extraction, "MOST_PAIRS", 1)
    (crowded,) = extraction.extract([document], predictor)
    assert free.meta["relatome"]["crowded"] == 0
    assert crowded.mentions == free.mentions
    assert crowded.meta["relatome"]["crowded"] == everything - sum(asked) > 0


class Scripted(NeuralPredictor):
    """Finds *lithium* for sure where it is explained and nowhere else, *cox* everywhere, and every pair related."""

    def __init__(self) -> None:
        self.heads = {head.name: head for head in (replace(tiny.HEADS[0], repeated=0.9), tiny.RELATIONS)}
        self.source = "scripted"

    def predict(self, requests: Any, memory: Memory | None = None) -> Any:
        return {
            name: [self.related(one) if isinstance(one, Pair) else self.found(one) for one in inputs]
            for name, inputs in requests.items()
        }

    def found(self, sentence: Sentence) -> Prediction:
        known = [("cox", "Gene", 0.8), ("Li)", "Chemical", 0.95)]
        at = [(sentence.text.find(name), name, kind, sure) for name, kind, sure in known]
        return Prediction(
            sentence.id, tuple(TypedSpan(n, n + len(w.rstrip(")")), k, p) for n, w, k, p in sorted(at) if n >= 0)
        )

    def related(self, pair: Pair) -> Prediction:
        label = tiny.RELATIONS.labels[1]
        return Prediction(pair.id, label, {label: 0.9})


@pytest.mark.parametrize("chunk", [10, 60, 10_000])
def test_a_name_sure_in_one_part_of_a_document_is_found_in_all_and_related_there(chunk: int) -> None:
    texts = [
        Document("1", "Early Li acted on cox. Lithium (Li) is old. Late Li acted on cox."),
        Document("2", "Li and cox."),
    ]
    first, second = extraction.extract(texts, Scripted(), chunk=chunk)
    assert [(m.id, m.start, m.text) for m in first.mentions] == [
        ("T1", 6, "Li"), ("T2", 18, "cox"), ("T3", 32, "Li"), ("T4", 49, "Li"), ("T5", 61, "cox"),
    ]  # fmt: skip
    assert [(r.head, r.tail) for r in first.relations] == [("T1", "T2"), ("T4", "T5")]
    assert [m.text for m in second.mentions] == ["cox"]  # another document has not heard of it

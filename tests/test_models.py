"""The network against transformers' BERT, its packed rows, its loss, and model folders good, broken and hostile."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from relatome.batches import collate, encode
from relatome.errors import ModelError
from relatome.models import checkpoint
from relatome.models.encoder import Bert, BertConfig, attend
from relatome.models.heads import HEADS
from relatome.models.network import LOSSES, costs, imitation, loss, masked
from relatome.tasks.example import Argument, Head, Pair, Sentence
from relatome.tasks.relation import PAIRS_PER_ROW, parse_marked
from relatome.wordpieces import MARKERS, WordPieces
from tests import tiny

TEXT = "Aspirin caused bleeding and tremor; lithium inhibits cox 2."
PAIRS = [
    Pair("1", Sentence("s", "d", TEXT), Argument("a", 0, 7, "Chemical"), Argument("b", 15, 23, "Disease")),
    Pair("2", Sentence("s", "d", TEXT), Argument("a", 0, 7, "Chemical"), Argument("c", 28, 34, "Disease")),
    Pair("3", Sentence("s", "d", TEXT), Argument("d", 36, 43, "Chemical"), Argument("e", 53, 56, "Gene")),
]


def arrays(made: checkpoint.Checkpoint, rows: list[Any], memory: list[int] | None = None) -> list[Tensor]:
    batch = collate(rows, pad=made.pieces.pad, markers=made.pieces.marker_ids(), memory=memory)
    return [torch.from_numpy(array) for array in (batch.ids, batch.positions, batch.mask, batch.pairs)]


# ------------------------------------------------------------------------------------------------ the encoder


def test_the_encoder_is_transformers_bert(tmp_path: Path) -> None:
    from transformers import BertModel

    folder = tiny.encoder_folder(tmp_path)
    made = tiny.fresh(tmp_path)
    made.network.eval()
    theirs = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    theirs.resize_token_embeddings(made.network.encoder.config.vocab_size)
    theirs.load_state_dict(made.network.encoder.state_dict())
    windows = [cut[0] for cut in made.pieces.windows(list(tiny.TEXTS), limit=made.limit)]
    assert len({len(window) for window in windows}) > 3  # the batch is padded
    rows, _ = encode([(tiny.ADE, tiny.sentences())], made.pieces, limit=made.limit)
    ids, positions, mask, _ = arrays(made, rows)
    attention = torch.zeros(ids.shape, dtype=torch.int64)
    for index, row in enumerate(rows):
        attention[index, : len(row.window)] = 1
    with torch.inference_mode():
        ours, _ = made.network.encoder(ids, positions, mask)
        expected = theirs(input_ids=ids, attention_mask=attention).last_hidden_state
    real = attention.bool()
    assert ours.abs().max() > 1
    assert (ours[real] - expected[real]).abs().max() < 1e-5
    assert torch.isfinite(ours).all()


@pytest.mark.parametrize("autocast", [False, True])
def test_attention_in_bf16_is_that_of_fp32_but_for_rounding(autocast: bool) -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, 17, 8).bfloat16().requires_grad_() for _ in range(3))
    wide = [side.detach().float().requires_grad_() for side in (query, key, value)]
    bias = torch.zeros(2, 1, 17, 17).masked_fill(torch.rand(2, 1, 17, 17) < 0.3, -1e4)
    with torch.autocast("cpu", enabled=autocast):
        found = attend(query, key, value, bias)
    expected = attend(wide[0], wide[1], wide[2], bias)
    slope = torch.randn(expected.shape).bfloat16()
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.float(), expected, atol=0.02, rtol=0.02)
    slopes = torch.autograd.grad(found, (query, key, value), slope)
    for side, other in zip(slopes, torch.autograd.grad(expected, wide, slope.float()), strict=True):
        assert torch.linalg.norm(side.float() - other) < 0.01 * torch.linalg.norm(other)
    with torch.no_grad():
        assert torch.allclose(attend(query, key, value, bias).float(), expected, atol=0.02, rtol=0.02)


def test_new_pieces_start_near_the_mean_piece() -> None:
    bert = Bert(BertConfig(vocab_size=10, hidden_size=8, num_hidden_layers=1, num_attention_heads=2))
    old = bert.embeddings.word_embeddings.weight.detach().clone()
    bert.resize(14)
    new = bert.embeddings.word_embeddings.weight
    assert bert.config.vocab_size == 14
    assert torch.equal(new[:10], old)
    assert (new[10:] - old.mean(dim=0)).abs().max() < 0.2
    bert.resize(12)
    assert bert.config.vocab_size == 14  # never shrinks


# ------------------------------------------------------------------------------------------------ packed rows


def rows_and_logits(made: checkpoint.Checkpoint, pairs: list[Pair]) -> tuple[list[Any], Tensor, Tensor]:
    network: Any = made.network
    rows, _ = encode([(tiny.RELATIONS, pairs)], made.pieces, limit=made.limit)
    with torch.inference_mode():
        ids, positions, mask, at = arrays(made, rows)
        hidden, _ = network.encoder(ids, positions, mask)
        return rows, hidden, network.heads["relations"](hidden, at)


def test_markers_leave_the_text_unchanged(tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path)
    made.network.eval()
    rows, with_markers, _ = rows_and_logits(made, PAIRS)
    assert len(rows) == 1 and len(rows[0].markers) == 3
    text = len(rows[0].window)
    bare, _ = encode([(tiny.ADE, [PAIRS[0].sentence])], made.pieces, limit=made.limit)
    with torch.inference_mode():
        alone, _ = made.network.encoder(*arrays(made, bare)[:3])
    assert (with_markers[0, :text] - alone[0, :text]).abs().max() < 1e-5


@pytest.mark.parametrize("others", [[1], [2], [1, 2], [2, 1]])
def test_a_pairs_answer_does_not_depend_on_the_other_pairs_of_its_row(tmp_path: Path, others: list[int]) -> None:
    made = tiny.fresh(tmp_path)
    made.network.eval()
    _, _, alone = rows_and_logits(made, [PAIRS[0]])
    for order in ([PAIRS[0], *(PAIRS[i] for i in others)], [*(PAIRS[i] for i in others), PAIRS[0]]):
        _, _, together = rows_and_logits(made, order)
        assert (together[0, order.index(PAIRS[0])] - alone[0, 0]).abs().max() < 1e-5
    _, _, different = rows_and_logits(made, [PAIRS[1]])
    assert (different[0, 0] - alone[0, 0]).abs().max() > 1e-3


def test_asking_the_memory_is_asking_the_text(tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path)
    made.network.eval()
    pairs = [*PAIRS, *tiny.pairs()]
    rows, _ = encode([(tiny.RELATIONS, pairs)], made.pieces, limit=made.limit)
    with torch.inference_mode():
        joint, kept = made.network(*arrays(made, rows), remember=True)
        assert kept is not None and kept.shape[1:4] == (2, 2, 4)
        lengths = [len(row.window) for row in rows]
        past = torch.full((*kept.shape[:4], max(lengths), kept.shape[5]), 7.0)  # what is beyond a text is not looked at
        for index, length in enumerate(lengths):
            past[index, :, :, :, :length] = kept[index, :, :, :, :length]
        apart, none = made.network(*arrays(made, rows, memory=lengths), past)
    assert none is None
    for index, row in enumerate(rows):
        count = len(row.markers)
        assert (joint["relations"][index, :count] - apart["relations"][index, :count]).abs().max() < 1e-5


def test_no_row_of_the_mask_is_empty(tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path)
    rows, _ = encode([(tiny.RELATIONS, tiny.pairs()), (tiny.ADE, tiny.sentences())], made.pieces, limit=made.limit)
    for memory in (None, [len(row.window) for row in rows]):
        assert arrays(made, rows, memory=memory)[2].any(dim=-1).all()


def test_the_shapes_of_every_head(tmp_path: Path) -> None:
    marker = Head("m", "relation", "marker", ("NO_RELATION", "CID"))
    layers = Head("l", "ner", "layers", ("Chemical", "Gene"))
    across = Head("d", "relation", "document", ("NO_RELATION", "CID", "BIND"))
    made = tiny.fresh(tmp_path, (*tiny.HEADS, marker, layers, across))
    assert {head.kind for head in made.network.asked} == set(HEADS)
    rows, _ = encode([(tiny.RELATIONS, PAIRS)], made.pieces, limit=made.limit)
    ids, positions, mask, at = arrays(made, rows * 2)
    concepts = (torch.zeros_like(ids), torch.zeros((2, 4, 3, 2), dtype=torch.long), torch.ones((2, 5, 2)).long())
    logits, _ = made.network(ids, positions, mask, at, readings=concepts)
    shapes = {name: tuple(value.shape) for name, value in logits.items()}
    assert shapes == {
        "entities": (2, ids.shape[1], 7), "relations": (2, 3, 4), "ade-sentence": (2, 2), "m": (2, 2),
        "l": (2, ids.shape[1], 6), "d": (2, 5, 3),
    }  # fmt: skip


def test_a_head_that_torch_cannot_name_is_refused(tmp_path: Path) -> None:
    folder = tiny.encoder_folder(tmp_path)
    for name in ("a.b", "keys", ""):
        with pytest.raises(ModelError, match="a head cannot be named .* \\(choose another name\\)"):
            checkpoint.new(folder, [dataclasses.replace(tiny.ADE, name=name)])


# ------------------------------------------------------------------------------------------------ the loss


def masks(annotated: list[bool], legal: list[bool] | None = None, rows: int = 1) -> tuple[Tensor, Tensor]:
    fits = torch.tensor(legal or [True] * len(annotated)).expand(rows, -1)
    return fits, torch.tensor(annotated).expand(rows, -1)


def test_the_loss_of_a_corpus_that_annotates_all_is_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, gold = torch.randn(6, 4), torch.tensor([0, 1, 3, -100, 2, 0])
    weights = torch.tensor([0.2, 1.0, 2.0, 3.0])
    legal, annotated = masks([True] * 4, rows=6)
    for weight in (None, weights):
        expected = torch.nn.functional.cross_entropy(logits, gold, weight)
        assert torch.allclose(loss(logits, gold, legal, annotated, weight), expected, atol=1e-6)


def test_what_a_corpus_does_not_annotate_is_summed_into_the_negative_class() -> None:
    # exp: O 1, Chemical 2, Disease 4, Gene 1; of 8
    logits = torch.tensor([[0.0, math.log(2), math.log(4), 0.0]])
    legal, annotated = masks([True, False, True, True])
    nothing = loss(logits, torch.tensor([0]), legal, annotated)
    assert nothing.item() == pytest.approx(-math.log((1 + 2) / 8), abs=1e-6)
    disease = loss(logits, torch.tensor([2]), legal, annotated)
    assert disease.item() == pytest.approx(-math.log(4 / 8), abs=1e-6)


def test_what_the_types_do_not_allow_has_no_probability() -> None:
    logits = torch.tensor([[0.0, math.log(2), math.log(4), 9.0]])
    legal, annotated = masks([True, False, True, False], [True, True, True, False])
    nothing = loss(logits, torch.tensor([0]), legal, annotated)
    assert nothing.item() == pytest.approx(-math.log((1 + 2) / 7), abs=1e-6)
    legal, annotated = masks([True, True, True, True], [True, False, True, False])
    assert loss(logits, torch.tensor([2]), legal, annotated).item() == pytest.approx(-math.log(4 / 5), abs=1e-6)


def test_a_disease_corpus_does_not_push_chemicals_down() -> None:
    logits = torch.zeros(1, 3, requires_grad=True)
    for marks_chemicals in (False, True):
        logits.grad = None
        legal, annotated = masks([True, marks_chemicals, True])
        loss(logits, torch.tensor([0]), legal, annotated).backward()
        assert logits.grad is not None
        gradient = logits.grad[0].tolist()
        assert gradient[2] > 0  # a step down: there is no disease here
        if marks_chemicals:
            assert gradient[1] == pytest.approx(1 / 3)
        else:
            assert gradient[1] == pytest.approx(gradient[0]) and gradient[1] < 0


def test_what_is_masked_is_in_no_loss_of_a_negative_item_and_denied_by_a_positive_one() -> None:
    logits = torch.tensor([[0.0, math.log(2), math.log(4), 0.0]], requires_grad=True)
    legal, annotated = masks([True, False, True, True], [True, True, True, False])
    for gold, right, pushed in ((0, 1 / 5, False), (2, 4 / 7, True)):
        logits.grad = None
        told = torch.tensor([gold])
        found = loss(logits, told, masked(legal, told, annotated), annotated)
        assert found.item() == pytest.approx(-math.log(right), abs=1e-6)
        found.backward()
        assert logits.grad is not None
        gradient = logits.grad[0].tolist()
        assert gradient[1] == pytest.approx(2 / 7 if pushed else 0) and gradient[3] == 0
    judged = torch.ones(1, 4, dtype=torch.bool)
    assert torch.equal(masked(legal, torch.tensor([0]), judged), legal)


def test_a_batch_without_gold_costs_nothing_and_keeps_its_graph() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    value = loss(logits, torch.tensor([-100, -100]), *masks([True] * 3, rows=2))
    value.backward()
    assert value.item() == 0 and logits.grad is not None and not logits.grad.any()


def test_class_weights_weigh_the_mean() -> None:
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])
    value = loss(logits, torch.tensor([0, 1]), *masks([True, True], rows=2), torch.tensor([1.0, 3.0]))
    assert value.item() == pytest.approx((1 * math.log(2) + 3 * math.log(4)) / 4, abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_label_smoothing_is_torchs_where_all_is_annotated(smoothing: float) -> None:
    torch.manual_seed(1)
    logits, gold = torch.randn(6, 4), torch.tensor([0, 1, 3, -100, 2, 0])
    legal, annotated = masks([True] * 4, rows=6)
    for weight in (None, torch.tensor([0.2, 1.0, 2.0, 3.0])):
        expected = torch.nn.functional.cross_entropy(logits, gold, weight, label_smoothing=smoothing)
        found = loss(logits, gold, legal, annotated, weight, smoothing=smoothing)
        assert torch.allclose(found, expected, atol=1e-6)


def test_smoothing_spreads_over_what_can_be_told_alone() -> None:
    # exp: O 1, Chemical 2 (not annotated), Disease 4, Gene 1 (not between these types); of 7 that can hold
    logits = torch.tensor([[0.0, math.log(2), math.log(4), 0.0]], requires_grad=True)
    legal, annotated = masks([True, False, True, True], [True, True, True, False])
    for gold, right in ((0, 3 / 7), (2, 4 / 7)):
        found = loss(logits, torch.tensor([gold]), legal, annotated, smoothing=0.2)
        even = -(math.log(3 / 7) + math.log(4 / 7)) / 2
        assert found.item() == pytest.approx(-0.8 * math.log(right) + 0.2 * even, abs=1e-6)
    loss(logits, torch.tensor([2]), legal, annotated, smoothing=0.2).backward()
    assert logits.grad is not None and logits.grad[0, 3] == 0


@pytest.mark.parametrize("focus", [0.5, 2.0])
def test_the_focal_loss_weighs_an_answer_by_how_wrong_it_is(focus: float) -> None:
    logits = torch.tensor([[0.0, math.log(2), math.log(4), 0.0]], requires_grad=True)
    legal, annotated = masks([True, False, True, True])
    for gold, right in ((0, 3 / 8), (2, 4 / 8)):
        found = loss(logits, torch.tensor([gold]), legal, annotated, kind="focal", focus=focus)
        assert found.item() == pytest.approx(-((1 - right) ** focus) * math.log(right), abs=1e-6)
    sure = torch.tensor([[60.0, 0.0]], requires_grad=True)
    loss(sure, torch.tensor([0]), *masks([True, True]), kind="focal", focus=focus).backward()
    assert sure.grad is not None and sure.grad.isfinite().all()


def test_a_student_is_drawn_to_its_teacher_where_that_says_something() -> None:
    nan, one = math.nan, torch.ones(1)
    # exp: O 1, Chemical 2 (of which the teacher says nothing), Disease 4, Gene 1 (not between these types); of 7
    logits = torch.tensor([[0.0, math.log(2), math.log(4), 0.0]], requires_grad=True)
    legal, _ = masks([True] * 4, [True, True, True, False])
    right = torch.tensor([[3 / 7, nan, 4 / 7, 0.0]])
    assert imitation(logits, right, legal, one).item() == pytest.approx(0, abs=1e-6)
    other = torch.tensor([[0.1, nan, 0.8, 0.1]])  # what the types do not allow is no relation to the student
    expected = 0.2 * math.log(0.2 / (3 / 7)) + 0.8 * math.log(0.8 / (4 / 7))
    assert imitation(logits, other, legal, one).item() == pytest.approx(expected, abs=1e-6)
    soft = torch.tensor([[0.2, 0.3, 0.5]])
    logits = torch.randn(1, 3, requires_grad=True)
    legal, _ = masks([True] * 3)
    found = imitation(logits, soft, legal, 2 * one)
    theirs, ours = torch.softmax(soft.log() / 2, dim=1), torch.log_softmax(logits / 2, dim=1)
    assert found.item() == pytest.approx(4 * (theirs * (theirs.log() - ours)).sum().item(), abs=1e-6)
    imitation(logits, torch.tensor([[1.0, 0.0, 0.0]]), legal, 2 * one).sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


@pytest.mark.parametrize("kind", sorted(LOSSES))
@pytest.mark.parametrize("options", [{}, {"smoothing": 0.1}], ids=str)
def test_every_loss_keeps_its_promises(kind: str, options: dict[str, float]) -> None:
    torch.manual_seed(2)
    logits, gold = torch.randn(5, 4, requires_grad=True), torch.tensor([0, 2, -100, 0, 1])
    legal, annotated = (one.clone() for one in masks([True] * 4, rows=5))
    legal[3, 3], annotated[0, 1] = False, False
    each = costs(logits, gold, legal, annotated, None, kind=kind, **options)
    assert each.shape == (5,) and each[2] == 0 and (each[[0, 1, 3, 4]] > 0).all()
    each.sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()
    assert not logits.grad[2].any() and logits.grad[3, 3] == 0  # not judged, not between these types
    # what is not annotated goes where the negative class goes: it is not denied by itself
    assert torch.allclose(logits.grad[0, 1] / logits.grad[0, 0], (logits[0, 1] - logits[0, 0]).exp(), rtol=1e-4)
    heavy = costs(logits, gold, legal, annotated, torch.tensor([3.0] * 4), kind=kind, **options)
    assert torch.allclose(heavy, 3 * each)
    after = costs(logits.detach() - 0.1 * logits.grad, gold, legal, annotated, None, kind=kind, **options)
    assert after.sum() < each.sum()


def test_every_loss_can_be_named_in_a_run_file() -> None:
    from relatome.training import settings

    assert tuple(LOSSES) == settings.LOSSES


# ------------------------------------------------------------------------------------------------ folders


def test_a_folder_gives_back_what_was_saved(tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path / "encoder")
    made.card["corpora"] = ["α"]
    checkpoint.save(made, tmp_path / "model")
    again = checkpoint.load(tmp_path / "model")
    assert again.network.asked == made.network.asked
    assert (again.limit, again.card) == (made.limit, made.card)
    assert again.pieces.marker_ids() == made.pieces.marker_ids()
    expected = made.network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in again.network.state_dict().items())
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json", "model.safetensors", "relatome.json", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    checkpoint.save(made, tmp_path / "half", dtype=torch.float16)
    assert {value.dtype for value in load_file(tmp_path / "half" / "model.safetensors").values()} == {torch.float16}
    half = checkpoint.load(tmp_path / "half").network.state_dict()
    assert all((half[name] - value).abs().max() < 2e-3 for name, value in expected.items())


def test_a_run_begins_where_another_ended(tiny_model: Path) -> None:
    before = checkpoint.load(tiny_model).network.state_dict()
    other = dataclasses.replace(tiny.ADE, labels=("no", "yes"))
    made = checkpoint.new(tiny_model, [tiny.ENTITIES, tiny.RELATIONS, other])
    assert not made.card  # the tiny model was never trained
    now = made.network.state_dict()
    same = {name for name, value in now.items() if torch.equal(value, before[name])}
    asked = {name.split(".")[1] for name in same if name.startswith("heads.") and name.endswith("classifier.weight")}
    assert asked == {"entities", "relations"}  # of other answers nothing is known
    assert {name for name in now if name.startswith(("heads.entities", "heads.relations"))} <= same


def test_training_goes_on_from_any_saved_folder(tmp_path: Path, tiny_model: Path) -> None:
    made = checkpoint.new(tiny_model, [tiny.RELATIONS], limit=1000)
    assert made.limit == 128  # never more than there are positions
    before = checkpoint.load(tiny_model).network.encoder.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in made.network.encoder.state_dict().items())


@pytest.mark.parametrize("head", [tiny.RELATIONS, Head("l", "ner", "layers", ("Chemical", "Gene"))])
def test_a_single_head_that_transformers_has_no_class_for_keeps_our_names(tmp_path: Path, head: Head) -> None:
    made = tiny.fresh(tmp_path / "encoder", [head])
    checkpoint.save(made, tmp_path / "model")
    assert "architectures" not in json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    again = checkpoint.load(tmp_path / "model")
    asked: dict[str, Any] = {head.name: tiny.sentences() if head.task == "ner" else tiny.pairs()}
    assert tiny.predictor(again).predict(asked) == tiny.predictor(made).predict(asked)


SINGLE = {
    "tags": dataclasses.replace(tiny.ENTITIES, name="entities"),
    "label": tiny.ADE,
    "marker": Head("relations", "relation", "marker", ("NO_RELATION", "CID", "INHIBITOR")),
}
MARKED = (
    "[E1]Aspirin[/E1] caused [E2]bleeding[/E2].",
    "[E2]Kinase[/E2] and [E1]lithium[/E1] – in rats.",
    "In rats [E1]warfarin[/E1][E2]mycin[/E2] inhibits cox.",
)


@pytest.fixture(params=sorted(SINGLE))
def single(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Head, checkpoint.Checkpoint, Path]:
    head = SINGLE[request.param]
    made = tiny.fresh(tmp_path / "encoder", [head])
    checkpoint.save(made, tmp_path / "model")
    return head, made, tmp_path / "model"


def test_transformers_opens_a_single_head_and_says_the_same(
    single: tuple[Head, checkpoint.Checkpoint, Path],
) -> None:
    from transformers import pipeline

    head, made, folder = single
    predictor = tiny.predictor(made)
    if head.kind == "tags":
        texts = [text for text in tiny.TEXTS if 0 < len(text) < 100]
        tagger = pipeline("token-classification", model=str(folder), ignore_labels=[], device="cpu")
        windows = [cut[0] for cut in made.pieces.windows(texts, limit=made.limit)]
        for text, window in zip(texts, windows, strict=True):
            tokens: Any = tagger(text)
            logits = ours_for(predictor, head, Sentence("s", "d", text))[1:-1]
            probabilities = torch.softmax(torch.from_numpy(logits), dim=-1)
            names = ["O"] + [f"{b}-{name}" for name in head.labels for b in "BI"]
            assert [token["entity"] for token in tokens] == [names[i] for i in logits.argmax(axis=1)]
            assert [token["score"] for token in tokens] == pytest.approx(
                probabilities.max(dim=1).values.tolist(), abs=1e-5
            )
            assert [(t["start"], t["end"]) for t in tokens] == list(
                zip(window.starts[1:-1].tolist(), window.ends[1:-1].tolist(), strict=True)
            )
        return
    inputs: list[Any] = [Sentence("s", "d", text) for text in tiny.TEXTS if len(text) < 100]
    texts = [sentence.text for sentence in inputs]
    if head.kind == "marker":
        texts = list(MARKED)
        inputs = [parse_marked(text) for text in texts]
    classifier = pipeline("text-classification", model=str(folder), top_k=None, device="cpu")
    answers = predictor.predict({head.name: inputs})[head.name]
    for text, ours in zip(texts, answers, strict=True):
        theirs: Any = classifier([text])[0]
        assert theirs[0]["label"] == ours.value
        assert {one["label"]: one["score"] for one in theirs} == pytest.approx(dict(ours.probabilities), abs=6e-5)


def ours_for(predictor: Any, head: Head, item: Any) -> np.ndarray[Any, Any]:
    rows, _ = encode([(head, [item])], predictor.pieces, limit=predictor.limit)
    batch = collate(rows, pad=predictor.pieces.pad, markers=(0, 0, 0, 0))
    logits = predictor.forward(batch, None, remember=False)[0][head.name]
    return np.asarray(logits[0, : len(rows[0].window)])


def test_the_plain_folder_opens_without_our_file(single: tuple[Head, checkpoint.Checkpoint, Path]) -> None:
    head, made, folder = single
    (folder / "relatome.json").unlink()
    plain = checkpoint.load(folder)
    (found,) = plain.network.asked
    assert (found.task, found.kind, found.labels) == (head.task, head.kind, head.labels)
    inputs: list[Any] = tiny.sentences() if head.kind != "marker" else [parse_marked(text) for text in MARKED]
    ours = tiny.predictor(made).predict({head.name: inputs})[head.name]
    plain.limit = made.limit
    assert tiny.predictor(plain).predict({found.name: inputs})[found.name] == ours


@pytest.mark.parametrize("kind", ["tags", "label"])
def test_a_folder_that_transformers_saved_opens(tmp_path: Path, kind: str) -> None:
    from transformers import BertConfig as TheirConfig
    from transformers import BertForSequenceClassification, BertForTokenClassification

    encoder = tiny.encoder_folder(tmp_path / "encoder")
    labels = ["O", "B-Gene", "I-Gene"] if kind == "tags" else ["negative", "positive"]
    config = TheirConfig.from_pretrained(encoder, id2label=dict(enumerate(labels)))
    model = (BertForTokenClassification if kind == "tags" else BertForSequenceClassification)(config).eval()
    tiny.randomise(model, 5)
    model.save_pretrained(tmp_path / "theirs")
    shutil.copy(encoder / "tokenizer.json", tmp_path / "theirs")
    made = checkpoint.load(tmp_path / "theirs")
    (head,) = made.network.asked
    assert head.labels == (("Gene",) if kind == "tags" else ("negative", "positive"))
    ours = ours_for(tiny.predictor(made), head, Sentence("s", "d", TEXT))
    with torch.inference_mode():
        window = made.pieces.windows([TEXT])[0][0]
        theirs = model(input_ids=torch.from_numpy(window.ids.astype(np.int64))[None]).logits[0].numpy()
    assert np.abs(ours - theirs).max() < 1e-5


def published(folder: Path, kind: str, **config: Any) -> tuple[Path, Any]:
    """A BERT as others publish it, and their model."""
    import transformers

    encoder = tiny.encoder_folder(folder / "encoder")
    described = transformers.BertConfig.from_pretrained(encoder, **config)
    model = getattr(transformers, f"BertFor{kind}Classification")(described).eval()
    tiny.randomise(model, 5)
    model.save_pretrained(folder / "theirs")
    shutil.copy(encoder / "tokenizer.json", folder / "theirs")
    return folder / "theirs", model


ORDERS = {
    "O last": (["B-Disease", "I-Disease", "O"], ("Disease",)),
    "mixed": (["I-Gene", "O", "I-Disease", "B-Gene", "B-Disease"], ("Gene", "Disease")),
    "all B first": (["O", "B-Gene", "B-Disease", "I-Gene", "I-Disease"], ("Gene", "Disease")),
    "untyped": (["B", "I", "O"], ("Entity",)),
}


@pytest.mark.parametrize("case", sorted(ORDERS))
def test_a_published_taggers_labels_may_come_in_any_order(tmp_path: Path, case: str) -> None:
    labels, types = ORDERS[case]
    folder, model = published(tmp_path, "Token", id2label=dict(enumerate(labels)))
    made = checkpoint.load(folder)
    (head,) = made.network.asked
    assert head.labels == types
    ours = ours_for(tiny.predictor(made), head, Sentence("s", "d", TEXT))
    with torch.inference_mode():
        window = made.pieces.windows([TEXT])[0][0]
        theirs = model(input_ids=torch.from_numpy(window.ids.astype(np.int64))[None]).logits[0].numpy()
    names = ["O"] + [f"{b}-{name}" for name in types for b in "BI"]
    bare = [name.removesuffix("-Entity") if case == "untyped" else name for name in names]
    assert np.abs(ours - theirs[:, [labels.index(name) for name in bare]]).max() < 1e-5
    checkpoint.save(made, tmp_path / "ours")
    again = checkpoint.load(tmp_path / "ours")
    assert np.array_equal(ours_for(tiny.predictor(again), head, Sentence("s", "d", TEXT)), ours)
    saved = json.loads((tmp_path / "ours" / "config.json").read_text(encoding="utf-8"))
    assert list(saved["id2label"].values()) == names


@pytest.mark.parametrize(
    "says", [{"id2label": None, "num_labels": 3}, {"id2label": {str(n): f"LABEL_{n}" for n in range(3)}}]
)
def test_labels_without_names_keep_their_numbers(tmp_path: Path, says: dict[str, Any]) -> None:
    folder, _ = published(tmp_path, "Sequence", num_labels=3)
    edit(folder, "config.json", **says)
    (head,) = checkpoint.load(folder).network.asked
    assert (head.task, head.kind, head.labels) == ("classification", "label", ("LABEL_0", "LABEL_1", "LABEL_2"))


def test_two_labels_need_not_be_said(tmp_path: Path) -> None:
    folder, _ = published(tmp_path, "Sequence")
    assert "id2label" not in json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert checkpoint.load(folder).network.asked[0].labels == ("LABEL_0", "LABEL_1")


def test_a_classifier_without_markers_reads_marked_texts_as_they_are_written(tmp_path: Path) -> None:
    from transformers import pipeline

    folder, _ = published(tmp_path, "Sequence", id2label={0: "no", 1: "treats", 2: "causes"})
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}', encoding="utf-8")
    made = checkpoint.load(folder)
    predictor = tiny.predictor(made)
    classifier = pipeline("text-classification", model=str(folder), top_k=None, device="cpu")
    texts = [MARKED[0], "Aspirin caused bleeding.", *MARKED[1:]]
    answers = predictor.predict(texts)
    assert [answer.id for answer in answers] == ["1", "2", "3", "4"]
    for text, answer in zip(texts, answers, strict=True):
        theirs: Any = classifier([text])[0]
        assert {one["label"]: one["score"] for one in theirs} == pytest.approx(dict(answer.probabilities), abs=6e-5)
    mixed = [Sentence("a", "d", TEXT), parse_marked(MARKED[1], "b"), Sentence("c", "d", TEXT)]
    assert [one.id for one in predictor.predict({"label": mixed})["label"]] == ["a", "b", "c"]
    assert predictor.predict({"label": []}) == {"label": []}

    made.limit = 40  # a text of many windows is read where its markers are
    around = "tremor " * 30
    (long,) = tiny.predictor(made).predict([f"{around}{MARKED[0]} {around}"])
    assert long.windows > 3 and not long.dropped
    (far,) = tiny.predictor(made).predict([f"[E1]cox[/E1] {around}[E2]aspirin[/E2]"])
    assert far.dropped


def test_a_model_with_other_heads_is_not_asked_for_relations_it_has_not(tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path, [tiny.ENTITIES, tiny.ADE])
    with pytest.raises(ModelError, match="the model has no head for relation"):
        tiny.predictor(made).predict([MARKED[0]])


# ------------------------------------------------------------------------------------------------ weights


def test_a_bin_of_weights_is_read_and_saved_as_safetensors(tmp_path: Path) -> None:
    folder = tiny.encoder_folder(tmp_path / "bin")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
           for name, value in weights.items()}  # fmt: skip
    old["bert.embeddings.position_ids"] = torch.arange(128)[None]
    old["bert.pooler.dense.weight"] = torch.zeros(32, 32)
    old["cls.predictions.bias"] = torch.zeros(3)
    torch.save(old, folder / "pytorch_model.bin")
    made = checkpoint.new(folder, [tiny.ADE])
    for name, value in made.network.encoder.state_dict().items():
        assert torch.equal(value, weights[f"bert.{name}"])
    checkpoint.save(made, tmp_path / "saved")
    assert (tmp_path / "saved" / "model.safetensors").is_file()
    assert not list((tmp_path / "saved").glob("*.bin"))


class Bomb:
    """A pickle that would write a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.file, "executed")


def as_torch_file(value: object, file: Path) -> None:
    torch.save(value, file)


def as_plain_pickle(value: object, file: Path) -> None:
    file.write_bytes(pickle.dumps(value, protocol=2))


@pytest.mark.parametrize("write", [as_torch_file, as_plain_pickle])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, write: Callable[[object, Path], None]) -> None:
    folder = tiny.encoder_folder(tmp_path / "evil")
    (folder / "model.safetensors").unlink()
    write({"bert.embeddings.word_embeddings.weight": Bomb(tmp_path / "trace")}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError) as caught:
        checkpoint.new(folder, [tiny.ADE])
    assert not (tmp_path / "trace").exists()
    assert str(caught.value) == (
        f"{folder / 'pytorch_model.bin'}: refused: this pickle holds code, not only weights "
        "(ask its author for safetensors)"
    )


@pytest.mark.parametrize(
    "content", [b"", b"garbage" * 50, pickle.dumps(Path("a"), protocol=4), b"PK\x03\x04" + b"x" * 99]
)
def test_a_damaged_bin_is_one_line(tmp_path: Path, content: bytes) -> None:
    folder = tiny.encoder_folder(tmp_path / "bin")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ModelError, match="damaged|refused") as caught:
        checkpoint.new(folder, [tiny.ADE])
    assert str(caught.value).startswith(str(folder / "pytorch_model.bin")) and "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [[1, 2], {"a": 3}, torch.zeros(3)])
def test_a_bin_of_something_else_is_refused(tmp_path: Path, value: object) -> None:
    folder = tiny.encoder_folder(tmp_path / "bin")
    (folder / "model.safetensors").unlink()
    torch.save(value, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="not a table of weights"):
        checkpoint.new(folder, [tiny.ADE])


@pytest.mark.parametrize("keep", [0, 5, 100, -8])
def test_damaged_safetensors_are_one_line(tmp_path: Path, keep: int) -> None:
    folder = tiny.encoder_folder(tmp_path / "cut")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ModelError, match="damaged safetensors: ") as caught:
        checkpoint.new(folder, [tiny.ADE])
    assert str(caught.value).startswith(str(file)) and "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ broken folders


def edit(folder: Path, name: str, **changes: Any) -> None:
    value = json.loads((folder / name).read_text(encoding="utf-8"))
    value.update(changes)
    (folder / name).write_text(json.dumps(value), encoding="utf-8")


def several_labels(folder: Path) -> None:
    """A text classifier of several labels: its vocabulary has no markers, or it would be a relation model."""
    plain(folder, architectures=["BertForSequenceClassification"], problem_type="multi_label_classification")
    WordPieces.toy(tiny.PIECES).save(folder)


def plain(folder: Path, **changes: Any) -> None:
    (folder / "relatome.json").unlink()
    edit(folder, "config.json", **changes)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "config.json is missing (copy the whole model folder)"),
    "no weights": (
        lambda f: (f / "model.safetensors").unlink(),
        "neither model.safetensors nor pytorch_model.bin is here (copy the whole model folder)",
    ),
    "no tokenizer": (
        lambda f: (f / "tokenizer.json").unlink(), "neither tokenizer.json nor vocab.txt is here (copy the whole model)",
    ),
    "no folder": (shutil.rmtree, "there is no such model folder (give a folder with config.json)"),
    "config not JSON": (lambda f: (f / "config.json").write_text("{", encoding="utf-8"), "config.json: not JSON: "),
    "config not UTF-8": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe"), "config.json: not JSON: "),
    "config a list": (lambda f: (f / "config.json").write_text("[]", encoding="utf-8"), "config.json: not a JSON object"),
    "tokenizer broken": (
        lambda f: (f / "tokenizer.json").write_text("{}", encoding="utf-8"), "tokenizer.json: not a tokenizer: ",
    ),
    "another family": (lambda f: edit(f, "config.json", model_type="t5"), "3 heads need a BERT, and this folder is of the family 't5'"),
    "another function": (lambda f: edit(f, "config.json", hidden_act="relu"), "hidden_act is 'relu', expected 'gelu'"),
    "relative positions": (
        lambda f: edit(f, "config.json", position_embedding_type="relative_key"),
        "position_embedding_type is 'relative_key', expected 'absolute'",
    ),
    "a width in words": (
        lambda f: edit(f, "config.json", hidden_size="wide"), "hidden_size is 'wide', expected a whole number",
    ),
    "a negative size": (
        lambda f: edit(f, "config.json", num_hidden_layers=-1), "num_hidden_layers is -1, expected a whole number",
    ),
    "no heads of attention": (
        lambda f: edit(f, "config.json", num_attention_heads=0), "a width of 32 cannot be 0 attention heads",
    ),
    "layers that are not there": (
        lambda f: edit(f, "config.json", num_hidden_layers=3),
        "the encoder's weights do not fit config.json: 16 weights are missing, first "
        "'encoder.layer.2.attention.output.LayerNorm.bias'",
    ),
    "layers too many": (
        lambda f: edit(f, "config.json", num_hidden_layers=1), "the encoder's weights do not fit config.json: ",
    ),
    "another width": (
        lambda f: edit(f, "config.json", hidden_size=64), "the encoder's weights do not fit config.json: ",
    ),
    "another tokenizer": (
        lambda f: WordPieces.toy([f"w{n}" for n in range(999)]).save(f),
        "the tokenizer has 1004 pieces, the encoder ",
    ),
    "our file not ours": (
        lambda f: edit(f, "relatome.json", heads=[{"name": "x"}]), "relatome.json: not what Relatome writes: ",
    ),
    "our file of numbers": (lambda f: edit(f, "relatome.json", heads=[3]), "relatome.json: not what Relatome writes: "),
    "no head": (lambda f: edit(f, "relatome.json", heads=[]), "relatome.json: the model has no head (train it first)"),
    "an unknown kind": (
        lambda f: edit(f, "relatome.json", heads=[{**tiny.ADE.json(), "kind": "crf"}]),
        "head 'ade-sentence' is a classification head of kind 'crf'",
    ),
    "a head's weight missing": (
        lambda f: edit(f, "relatome.json", heads=[tiny.ENTITIES.json(), {**tiny.ADE.json(), "name": "other"}]),
        "the weight 'heads.other.pooler.dense.weight' is missing (is the download complete?)",
    ),
    "other labels": (
        lambda f: edit(f, "relatome.json", heads=[{**tiny.ADE.json(), "labels": ["a", "b", "c"]}]),
        "weights do not fit config.json: ",
    ),
    "more layers than weights": (
        lambda f: edit(f, "config.json", num_hidden_layers=10**9),
        "config.json: num_hidden_layers is 1000000000, expected at most ",
    ),
    "a vocabulary no memory holds": (
        lambda f: edit(f, "config.json", vocab_size=10**12), "config.json: config.json describes a network of 32,",
    ),
    "a width no memory holds": (
        lambda f: edit(f, "config.json", hidden_size=4 * 10**6), "config.json: config.json describes a network of ",
    ),
    "a width no number holds": (
        lambda f: edit(f, "config.json", hidden_size=4 * 10**30), "config.json: no BERT can have these sizes: ",
    ),
    "windows of nothing": (
        lambda f: edit(f, "relatome.json", limit=0), "windows of 0 pieces are too small, expected 16 or more",
    ),
    "no architecture": (
        lambda f: (f / "relatome.json").unlink(),
        "architecture '' has no head Relatome can run (expected a ...ForSequenceClassification or "
        "...ForTokenClassification)",
    ),
    "tags without names": (
        lambda f: plain(f, architectures=["BertForTokenClassification"], id2label=None, num_labels=3),
        "its tags are LABEL_0, LABEL_1, LABEL_2; expected O and, for every type, B-type and I-type (write the names",
    ),
    "tags of IO": (
        lambda f: plain(f, architectures=["BertForTokenClassification"], id2label={"0": "O", "1": "I-Gene"}),
        "its tags are O, I-Gene; expected O and, for every type, B-type and I-type ",
    ),
    "a label without a number": (
        lambda f: plain(f, architectures=["BertForSequenceClassification"], id2label={"0": "a", "2": "b"}),
        "id2label does not give every number from 0 a name of its own",
    ),
    "labels of one name": (
        lambda f: plain(f, architectures=["BertForSequenceClassification"], id2label={"0": "a", "1": "a"}),
        "id2label does not give every number from 0 a name of its own",
    ),
    "labels that are no table": (
        lambda f: plain(f, architectures=["BertForSequenceClassification"], id2label=["a", "b"]),
        "id2label does not give every number from 0 a name of its own",
    ),
    "a billion labels": (
        lambda f: plain(f, architectures=["BertForSequenceClassification"], id2label=None, num_labels=10**9),
        "num_labels is 1000000000, expected at most 10000",
    ),
    "a regression": (
        lambda f: plain(f, architectures=["BertForSequenceClassification"], id2label={"0": "LABEL_0"}),
        "it gives a number or several labels at once (only models that choose one of several labels can be read)",
    ),
    "several labels at once": (
        several_labels,
        "it gives a number or several labels at once ",
    ),
    "an architecture that is no list": (
        lambda f: plain(f, architectures={"a": 1}), "architecture '' has no head Relatome can run",
    ),
    "a tag is missing": (
        lambda f: plain(f, architectures=["BertForTokenClassification"], id2label={"0": "B-x", "1": "O"}),
        "its tags are B-x, O; expected O and, for every type, B-type and I-type (write the names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_broken_folder_is_one_line_that_says_what_to_do(tmp_path: Path, tiny_model: Path, case: str) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    damage, message = BROKEN[case]
    damage(folder)
    with pytest.raises(ModelError) as caught:
        checkpoint.load(folder)
    assert str(caught.value).startswith(str(folder))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ vocab.txt alone


@pytest.mark.parametrize("cased", [True, False])
@pytest.mark.parametrize("says", ["tokenizer_config.json", "config.json", ""])
def test_a_folder_with_vocab_txt_alone_works(tmp_path: Path, cased: bool, says: str) -> None:
    folder = tiny.encoder_folder(tmp_path / "model", cased=True)
    table = WordPieces.load(folder).tokenizer.get_vocab()
    pieces = sorted(table, key=table.__getitem__)
    if not says and not cased:  # nothing says so but the vocabulary
        pieces = [f"[unused{piece}]" if piece in ascii_uppercase else piece for piece in pieces]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    if says == "config.json":
        edit(folder, says, do_lower_case=not cased)
    elif says:
        (folder / says).write_text(json.dumps({"do_lower_case": not cased}), encoding="utf-8")
    made = checkpoint.new(folder, [tiny.RELATIONS])
    first = made.pieces.windows(["Aspirin"])[0][0].ids[1]
    assert first == pieces.index("A" if cased else "aspirin")
    assert made.pieces.marker_ids() == tuple(range(len(pieces), len(pieces) + len(MARKERS)))
    checkpoint.save(made, tmp_path / "saved")
    again = checkpoint.load(tmp_path / "saved").pieces
    assert again.windows(["Aspirin"])[0][0].ids.tolist() == made.pieces.windows(["Aspirin"])[0][0].ids.tolist()


# ------------------------------------------------------------------------------------------------ many pairs


def test_more_pairs_than_a_row_holds_take_more_rows(tmp_path: Path) -> None:
    made = tiny.fresh(tmp_path)
    pairs = [dataclasses.replace(PAIRS[n % 3], id=str(n)) for n in range(2 * PAIRS_PER_ROW + 1)]
    rows, _ = encode([(tiny.RELATIONS, pairs)], made.pieces, limit=made.limit)
    assert [len(row.markers) for row in rows] == [PAIRS_PER_ROW, PAIRS_PER_ROW, 1]
    answers = tiny.predictor(made).predict({"relations": pairs})["relations"]
    assert [answer.id for answer in answers] == [pair.id for pair in pairs]
    for number, answer in enumerate(answers):
        assert answer.value == answers[number % 3].value


def test_two_packed_heads_do_not_read_each_others_pairs(tmp_path: Path) -> None:
    second = dataclasses.replace(tiny.RELATIONS, name="others")
    made = tiny.fresh(tmp_path, [tiny.RELATIONS, second])
    predictor = tiny.predictor(made)
    apart = [predictor.predict({"relations": PAIRS[:1]}), predictor.predict({"others": PAIRS[1:]})]
    together = predictor.predict({"relations": PAIRS[:1], "others": PAIRS[1:]})
    assert tiny.agree(together["relations"], apart[0]["relations"])
    assert tiny.agree(together["others"], apart[1]["others"])
    rows, _ = encode([(tiny.RELATIONS, PAIRS), (second, PAIRS)], made.pieces, limit=made.limit)
    assert len(rows) == 1 and set(rows[0].encoded) == {"relations", "others"}

"""Encoders of other families, run by transformers: opened, trained, saved, and the same answers as transformers gives.

Every family is a random model of two layers with a tokenizer of its own kind: WordPiece, byte-level BPE, sentencepiece.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from relatome.batches import collate, encode
from relatome.errors import ModelError
from relatome.models import checkpoint
from relatome.models.checkpoint import Checkpoint
from relatome.models.hosted import HostedNetwork
from relatome.tasks.example import Head, Sentence
from relatome.tasks.relation import parse_marked
from relatome.training.optim import optimizer
from relatome.training.settings import DataSettings, HeadSettings, Settings
from relatome.wordpieces import MARKERS, WordPieces
from tests import tiny

TAGS = Head("entities", "ner", "tags", ("Chemical", "Disease"))
LABEL = Head("label", "classification", "label", ("no", "yes", "maybe"))
MARKER = Head("relations", "relation", "marker", ("NO_RELATION", "treats"))
HEADS = {"tags": TAGS, "label": LABEL, "marker": MARKER}
TEXTS = [
    "Aspirin caused bleeding.",
    "Lithium inhibits GSK-3β (kinase) in 12 rats – and warfarin, too.",
    " 👩‍🔬 gave erythromycin\u0301  10 mg/kg; 漢字\tcox 2",
    "Tremor",
]
MARKED = [
    "In rats [E1]aspirin[/E1] caused [E2]bleeding[/E2].",
    "[E2]Kinase[/E2] and [E1]lithium[/E1] – in 12 rats.",
    "In rats [E1]warfarin[/E1][E2]mycin[/E2], inhibits cox.",
]
SPECIAL = {"<s>": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "[CLS]": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]}


def word_pieces() -> Tokenizer:
    return WordPieces.toy(tiny.PIECES).tokenizer


@cache
def _bytes(cls: str) -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=SPECIAL[cls], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator([*TEXTS, *tiny.TEXTS], trainer)
    return str(tokenizer.to_str())


def byte_level(cls: str) -> Tokenizer:
    tokenizer = Tokenizer.from_str(_bytes(cls))
    if cls == "<s>":
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    else:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return tokenizer


def sentence_pieces() -> Tokenizer:
    words = ["▁aspirin", "▁caused", "▁in", "▁rats", "ing", "ed", "▁and", "cox", ").", "▁("]
    letters = ["▁", *tiny.CASED[:40], *"ABCDEFGHIJKLMNOPQRSTUVWXYZ[]/.,;()-"]
    table = [(one, -1.0) for one in SPECIAL["[CLS]"]]
    table += [(one, -2.0 - n / 50) for n, one in enumerate(dict.fromkeys([*words, *letters]))]
    tokenizer = Tokenizer(models.Unigram(table, unk_id=1))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(SPECIAL["[CLS]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )  # fmt: skip
    return tokenizer


class Family(NamedTuple):
    """A family's tokenizer, its class names, and what its config needs beside the common sizes."""

    tokenizer: Callable[[], Tokenizer]
    name: str
    options: dict[str, Any] = {}  # noqa: RUF012


FAMILIES = {
    "roberta": Family(
        lambda: byte_level("<s>"), "Roberta", {"max_position_embeddings": 66, "type_vocab_size": 1, "pad_token_id": 1}
    ),
    "electra": Family(word_pieces, "Electra", {"embedding_size": 16}),
    "deberta-v2": Family(
        sentence_pieces, "DebertaV2",
        {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False,
         "norm_rel_ebd": "layer_norm", "share_att_key": True, "type_vocab_size": 0},
    ),
    "distilbert": Family(
        word_pieces, "DistilBert", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    ),
    "modernbert": Family(
        lambda: byte_level("[CLS]"), "ModernBert",
        {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3, "local_attention": 16},
    ),
}  # fmt: skip


def config_of(family: str) -> Any:
    import transformers

    tokenizer = FAMILIES[family].tokenizer()
    sizes = {
        "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 64, "max_position_embeddings": 64, "pad_token_id": 0,
    }  # fmt: skip
    kind = getattr(transformers, f"{FAMILIES[family].name}Config")
    if family == "distilbert":
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"):
            sizes.pop(name)
    return kind(**{**sizes, **FAMILIES[family].options})


def encoder_folder(folder: Path, family: str, architecture: str = "Model", **config: Any) -> Path:
    """A random model of the family, as transformers saves it."""
    import transformers

    theirs = config_of(family)
    for name, value in config.items():
        setattr(theirs, name, value)
    model = getattr(transformers, FAMILIES[family].name + architecture)(theirs)
    tiny.randomise(model, 7)
    model.save_pretrained(folder)
    FAMILIES[family].tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def trained(folder: Path, family: str, head: Head) -> Checkpoint:
    made = checkpoint.new(encoder_folder(folder, family), [head], limit=64)
    tiny.randomise(made.network.heads, 3)
    return made


def inputs_of(head: Head) -> list[Any]:
    if head.kind == "marker":
        return [parse_marked(text, str(number)) for number, text in enumerate(MARKED)]
    return [Sentence(str(number), str(number), text) for number, text in enumerate(TEXTS)]


@pytest.fixture(params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# ------------------------------------------------------------------------------------------------ pieces


@pytest.mark.parametrize("text", ["", "a", *TEXTS])
def test_windows_have_the_special_pieces_the_tokenizer_itself_sets(family: str, text: str) -> None:
    expected = FAMILIES[family].tokenizer().encode(text).ids
    assert WordPieces(FAMILIES[family].tokenizer()).windows([text])[0][0].ids.tolist() == expected


@pytest.mark.parametrize("family", ["roberta", "modernbert", "deberta-v2"])
def test_words_and_offsets_are_those_of_the_text(family: str) -> None:
    pieces = WordPieces(FAMILIES[family].tokenizer())
    text = " Warfarin-induced (GSK3β) e\u0301  👩‍🔬 bleeding.\n2 mg"
    (window,) = pieces.windows([text])[0]
    found: dict[int, tuple[int, int]] = {}
    for start, end, word in zip(window.starts.tolist(), window.ends.tolist(), window.words.tolist(), strict=True):
        if word >= 0:
            first, last = found.get(word, (start, end))
            found[word] = min(first, start), max(last, end)
    assert [text[start:end] for start, end in found.values()] == [
        "Warfarin", "-", "induced", "(", "GSK3β", ")", "e\u0301", "👩‍🔬", "bleeding", ".", "2", "mg",
    ]  # fmt: skip
    assert list(found) == list(range(12))


@settings(max_examples=60)
@given(
    st.text(
        st.one_of(st.sampled_from("ab 1.-()\n\u0301👩\u200d🔬漢é\u00a0[]"), st.characters(codec="utf-8")), max_size=60
    ),
    st.sampled_from(["roberta", "modernbert", "deberta-v2"]),
)
def test_offsets_lie_in_any_text_in_order(text: str, family: str) -> None:
    (window,) = WordPieces(FAMILIES[family].tokenizer()).windows([text], limit=10_000)[0]
    real = [
        (start, end, word)
        for start, end, word in zip(window.starts[1:-1], window.ends[1:-1], window.words[1:-1], strict=True)
        if word >= 0
    ]
    assert all(0 <= start < end <= len(text) for start, end, _ in real)
    assert [start for start, *_ in real] == sorted(start for start, *_ in real)
    words = [int(word) for *_, word in real]
    assert words == sorted(words) and set(words) == set(range(len(set(words))))
    assert not any(text[start].isspace() or text[end - 1].isspace() for start, end, _ in real)
    covered = {index for start, end, _ in real for index in range(start, end)}
    assert all(index in covered for index, character in enumerate(text) if character.isalnum())


def test_roberta_without_tokenizer_json(tmp_path: Path) -> None:
    whole = byte_level("<s>")
    whole.model.save(str(tmp_path))
    pieces = WordPieces.load(tmp_path)
    assert (pieces.cls, pieces.sep, pieces.pad) == (0, 2, 1)
    for text in TEXTS:
        assert pieces.windows([text])[0][0].ids.tolist() == whole.encode(text).ids
    (tmp_path / "merges.txt").write_text("broken", encoding="utf-8")
    with pytest.raises(ModelError, match="vocab.json: not a byte-level vocabulary"):
        WordPieces.load(tmp_path)


def test_a_tokenizer_that_is_no_encoders_is_refused() -> None:
    tokenizer = byte_level("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    with pytest.raises(ModelError, match="does not set one special piece before a text and one after it"):
        WordPieces(tokenizer)


# ------------------------------------------------------------------------------------------------ the circle


@pytest.mark.parametrize("kind", sorted(HEADS))
def test_saved_reopened_and_the_same_in_transformers(tmp_path: Path, family: str, kind: str) -> None:
    from transformers import pipeline

    head = HEADS[kind]
    made = trained(tmp_path / "encoder", family, head)
    assert isinstance(made.network, HostedNetwork) and made.limit == 64
    folder = tmp_path / "model"
    checkpoint.save(made, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "model.safetensors", "relatome.json", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    again = checkpoint.load(folder)
    assert again.network.asked == (head,)
    expected = made.network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in again.network.state_dict().items())
    inputs = inputs_of(head)
    ours = tiny.predictor(again).predict({head.name: inputs})[head.name]
    assert ours == tiny.predictor(made).predict({head.name: inputs})[head.name]
    in_small_batches = tiny.predictor(again, budget=64).predict({head.name: inputs})[head.name]
    assert tiny.agree(in_small_batches, ours)  # sums of other shapes: the last digit may differ
    (folder / "relatome.json").unlink()
    plain = checkpoint.load(folder)
    plain.limit = made.limit
    (found,) = plain.network.asked
    assert (found.task, found.kind, found.labels) == (head.task, head.kind, head.labels)
    assert tiny.predictor(plain).predict({found.name: inputs})[found.name] == ours

    names = ["O"] + [f"{b}-{name}" for name in head.labels for b in "BI"]
    if kind == "tags":
        tagger = pipeline("token-classification", model=str(folder), ignore_labels=[], device="cpu")
        for item in inputs:
            logits = logits_of(again, head, item)[1:-1]
            tokens: Any = tagger(item.text)
            assert [token["entity"] for token in tokens] == [names[i] for i in logits.argmax(axis=1)]
            sure = torch.softmax(torch.from_numpy(logits), dim=-1).max(dim=1).values.tolist()
            assert [token["score"] for token in tokens] == pytest.approx(sure, abs=1e-4)
        return
    classifier = pipeline("text-classification", model=str(folder), top_k=None, device="cpu")
    for text, answer in zip(MARKED if kind == "marker" else TEXTS, ours, strict=True):
        theirs: Any = classifier([text])[0]
        assert {one["label"]: one["score"] for one in theirs} == pytest.approx(dict(answer.probabilities), abs=1e-4)
    assert len({tuple(answer.probabilities.values()) for answer in ours}) == len(ours)


def logits_of(made: Checkpoint, head: Head, item: Any) -> np.ndarray[Any, Any]:
    rows, _ = encode([(head, [item])], made.pieces, limit=made.limit)
    batch = collate(rows, pad=made.pieces.pad, markers=(0, 0, 0, 0))
    logits = tiny.predictor(made).forward(batch, None, remember=False)[0][head.name]
    return np.asarray(logits[0, : len(rows[0].window)])


def test_a_batch_does_not_change_an_answer(tmp_path: Path, family: str) -> None:
    made = trained(tmp_path, family, LABEL)
    inputs = tiny.sentences()
    together = tiny.predictor(made).predict({"label": inputs})["label"]
    apart = [tiny.predictor(made, budget=1).predict({"label": [one]})["label"][0] for one in inputs]
    assert tiny.agree(together, apart)
    assert max(answer.windows for answer in together) > 1


def test_half_precision_is_kept(tmp_path: Path) -> None:
    made = trained(tmp_path / "encoder", "roberta", LABEL)
    checkpoint.save(made, tmp_path / "half", dtype=torch.float16)
    floats = {value.dtype for value in load_file(tmp_path / "half" / "model.safetensors").values()}
    assert floats == {torch.float16}
    half = checkpoint.load(tmp_path / "half").network.state_dict()
    assert all((half[name] - value).abs().max() < 2e-3 for name, value in made.network.state_dict().items())


# ------------------------------------------------------------------------------------------------ training


def settings_of(head: Head) -> Settings:
    asked = HeadSettings(head.name, head.task, head.kind, head.labels)
    return Settings("encoder", (asked,), (DataSettings("c", (head.name,)),))


@pytest.mark.parametrize("kind", sorted(HEADS))
def test_every_parameter_is_trained_once(tmp_path: Path, family: str, kind: str) -> None:
    made = trained(tmp_path, family, HEADS[kind])
    groups = {group["name"]: group for group in optimizer(settings_of(HEADS[kind]), made).param_groups}
    listed = [id(parameter) for group in groups.values() for parameter in group["params"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(parameter) for parameter in made.network.parameters()}
    assert id(made.network.classifier.weight) in {id(one) for one in groups["heads"]["params"]}  # type: ignore[union-attr]
    assert groups["encoder"]["peak"] < groups["heads"]["peak"]
    for name, parameter in made.network.named_parameters():
        decays = any(parameter is one for group in groups.values() if group["weight_decay"] for one in group["params"])
        assert decays == (not (name.endswith("bias") or "norm" in name.lower())), name


# ------------------------------------------------------------------------------------------------ published models


@pytest.mark.parametrize("family", ["roberta", "deberta-v2", "modernbert"])
def test_a_published_model_reads_its_own_markers_as_text(tmp_path: Path, family: str) -> None:
    from transformers import pipeline

    folder = encoder_folder(tmp_path, family, "ForSequenceClassification", num_labels=3)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "attention_mask"],
                    "pad_token": "<pad>" if family == "roberta" else "[PAD]"}), encoding="utf-8",
    )  # fmt: skip
    answers = tiny.predictor(checkpoint.load(folder)).predict(MARKED)
    classifier = pipeline("text-classification", model=str(folder), top_k=None, device="cpu")
    for text, answer in zip(MARKED, answers, strict=True):
        theirs: Any = classifier([text])[0]
        assert set(answer.probabilities) == {"LABEL_0", "LABEL_1", "LABEL_2"}
        assert {one["label"]: one["score"] for one in theirs} == pytest.approx(dict(answer.probabilities), abs=1e-4)


def test_a_published_taggers_labels_may_come_in_any_order(tmp_path: Path) -> None:
    names = ["I-Gene", "B-Disease", "O", "B-Gene", "I-Disease"]
    folder = encoder_folder(
        tmp_path / "theirs", "electra", "ForTokenClassification", id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)}, num_labels=5,
    )  # fmt: skip
    made = checkpoint.load(folder)
    (head,) = made.network.asked
    assert head.labels == ("Disease", "Gene")
    rows = load_file(folder / "model.safetensors")["classifier.weight"]
    network: Any = made.network
    assert torch.equal(network.classifier.weight, rows[[2, 1, 4, 3, 0]])
    checkpoint.save(made, tmp_path / "ours")
    config = json.loads((tmp_path / "ours" / "config.json").read_text(encoding="utf-8"))
    assert list(config["id2label"].values()) == ["O", "B-Disease", "I-Disease", "B-Gene", "I-Gene"]
    (tmp_path / "ours" / "relatome.json").unlink()
    again = checkpoint.load(tmp_path / "ours")
    assert again.network.asked == (head,)
    asked: dict[str, Any] = {"entities": tiny.sentences()}
    assert tiny.predictor(again).predict(asked) == tiny.predictor(made).predict(asked)


def test_an_encoder_of_plain_weights_opens(tmp_path: Path) -> None:
    """As a hub's pytorch_model.bin, half in size, its head of another task."""
    folder = encoder_folder(tmp_path / "bin", "roberta", "ForSequenceClassification", num_labels=7)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save({name: value.half() for name, value in weights.items()}, folder / "pytorch_model.bin")
    made = checkpoint.new(folder, [MARKER])
    state = made.network.state_dict()
    name = "roberta.encoder.layer.1.output.dense.weight"
    assert torch.equal(state[f"model.{name}"], weights[name].half().float())
    assert state[f"model.{name}"].dtype == torch.float32
    table = "roberta.embeddings.word_embeddings.weight"
    grown = state[f"model.{table}"]
    assert len(grown) == len(weights[table]) + len(MARKERS)
    assert torch.equal(grown[: len(weights[table])], weights[table].half().float())
    assert (grown[-4:] - weights[table].mean(dim=0)).abs().max() < 0.2


@pytest.mark.parametrize("same", [True, False])
def test_a_fresh_head_is_fresh_and_the_seeds(tmp_path: Path, same: bool) -> None:
    folder = encoder_folder(tmp_path, "electra", "ForSequenceClassification", num_labels=3 if same else 5)
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        network: Any = checkpoint.new(folder, [LABEL]).network
        found.append(network.classifier.weight)
    assert torch.equal(*found) and found[0].shape[0] == 3 and found[0].std() < 0.1


# ------------------------------------------------------------------------------------------------ broken and hostile


def edit(folder: Path, **changes: Any) -> None:
    file = folder / "config.json"
    value = json.loads(file.read_text(encoding="utf-8"))
    value.update(changes)
    file.write_text(json.dumps(value), encoding="utf-8")


def without(folder: Path, *names: str) -> None:
    weights = load_file(folder / "model.safetensors")
    left = {name: value for name, value in weights.items() if not name.startswith(names)}
    save_file(left, str(folder / "model.safetensors"), metadata={"format": "pt"})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hosted")
    checkpoint.save(trained(folder / "encoder", "roberta", LABEL), folder / "model")
    return folder / "model"


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no such family": (lambda f: edit(f, model_type="zog"), "model_type is 'zog', which transformers does not know"),
    "no name": (lambda f: edit(f, model_type=3), "model_type is 3, expected a name"),
    "not an encoder": (
        lambda f: edit(f, model_type="t5", classifier_dropout=0.1, is_encoder_decoder=True), "no 't5' can be made of it: it is not an encoder",
    ),
    "a width in words": (lambda f: edit(f, hidden_size="wide"), "no 'roberta' can be made of it: "),
    "a width of nothing": (lambda f: edit(f, num_attention_heads=0), "no 'roberta' can be made of it: "),
    "a billion layers": (
        lambda f: edit(f, num_hidden_layers=10**9), "num_hidden_layers is 1000000000, expected at most ",
    ),
    "a billion labels": (lambda f: edit(f, num_labels=10**9), "num_labels is 1000000000, expected at most 10000"),
    "a huge width": (
        lambda f: edit(f, hidden_size=4 * 10**6), "config.json describes a network of ",
    ),
    "a huge vocabulary": (lambda f: edit(f, vocab_size=10**12), "config.json describes a network of "),
    "no number at all": (lambda f: edit(f, vocab_size=10**40), "no 'roberta' can be made of it: "),
    "a layer is missing": (
        lambda f: without(f, "roberta.encoder.layer.1."), "16 weights are missing, first 'roberta.encoder.layer.1.",
    ),
    "the head is missing": (
        lambda f: without(f, "classifier."), "4 weights are missing, first 'classifier.dense.bias' (is the download",
    ),
    "another width": (lambda f: edit(f, intermediate_size=32), "weights do not fit config.json: 'roberta."),
    "another tokenizer": (
        lambda f: WordPieces.toy([f"w{n}" for n in range(999)]).save(f), "the tokenizer has 1004 pieces, the encoder ",
    ),
    "another padding": (lambda f: edit(f, pad_token_id=5), "the tokenizer pads with piece 1, the encoder with 5"),
    "damaged weights": (lambda f: (f / "model.safetensors").write_bytes(b"x"), "damaged safetensors: "),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_a_broken_folder_is_one_line(tmp_path: Path, saved: Path, case: str) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    damage, message = BROKEN[case]
    damage(folder)
    with pytest.raises(ModelError) as caught:
        checkpoint.load(folder)
    assert str(caught.value).startswith(str(folder)) and message in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_only_bert_can_do_is_refused(tmp_path: Path) -> None:
    folder = encoder_folder(tmp_path, "electra")
    with pytest.raises(ModelError, match="a 'packed' head needs a BERT, and this folder is of the family 'electra'"):
        checkpoint.new(folder, [tiny.RELATIONS])
    with pytest.raises(ModelError, match="2 heads need a BERT, .* 'electra' \\(train one head\\)"):
        checkpoint.new(folder, [TAGS, LABEL])


def test_nothing_the_config_names_is_run_or_fetched(tmp_path: Path, saved: Path) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    trace = tmp_path / "trace"
    (folder / "evil.py").write_text(f"open({str(trace)!r}, 'w')", encoding="utf-8")
    name = "AutoModelForSequenceClassification"
    edit(
        folder, auto_map={"AutoConfig": "evil.Config", name: "evil.Model"}, attn_implementation="someone/kernel",
        _attn_implementation="someone/kernel", quantization_config={"quant_method": "bitsandbytes"},
        transformers_weights="../evil.safetensors", return_dict=False,
    )  # fmt: skip
    made = checkpoint.load(folder)
    assert not trace.exists()
    expected = tiny.predictor(checkpoint.load(saved)).predict(TEXTS)
    assert tiny.predictor(made).predict(TEXTS) == expected
    checkpoint.save(made, tmp_path / "again")
    assert "evil" not in (tmp_path / "again" / "config.json").read_text(encoding="utf-8")


def test_opening_one_says_nothing(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    checkpoint.load(saved)
    out, err = capfd.readouterr()
    assert out == err == ""

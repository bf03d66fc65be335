"""Pre-training: which words are hidden, what is learned of them, and what the encoder is good for afterwards.

All texts are invented.
"""

from __future__ import annotations

import dataclasses
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import relatome
from relatome import corpora
from relatome.batches import collate, encode
from relatome.cli import app
from relatome.documents import Document, Mention
from relatome.errors import CorpusError, ModelError, SettingsError
from relatome.formats import jsonl
from relatome.models import checkpoint
from relatome.tasks import pretraining
from relatome.tasks.example import Head
from relatome.tasks.ner import IGNORED
from relatome.training import mixture, run
from relatome.training import pretraining as scored
from relatome.training import settings as options
from relatome.training.loop import Run
from relatome.training.settings import DataSettings, HeadSettings, Settings
from relatome.wordpieces import WordPieces
from tests import tiny
from tests.test_train_command import DIVIDED, launch, same_but_for_rounding

WORDS = Head("words", "pretraining", "words", ())
PIECES = WordPieces.toy(tiny.PIECES)
DRUGS, EFFECTS = ("aspirin", "lithium", "warfarin", "erythromycin"), ("bleeding", "tremor")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder, an encoder, and a file of texts: which effect a drug has is always the same."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n1003\tanother test\n", encoding="utf-8")
    chance = random.Random(1)
    texts = []
    for number in range(240):
        drugs = [chance.randrange(len(DRUGS)) for _ in range(6)]
        text = " ".join(f"{DRUGS[one]} caused {EFFECTS[one % 2]} ." for one in drugs)
        mention = Mention("T1", 0, len(DRUGS[drugs[0]]), "Nonsense", DRUGS[drugs[0]])
        texts.append(Document(str(1000 + number), text, mentions=(mention,)))
    jsonl.write(texts, folder / "texts.jsonl.gz")
    tiny.encoder_folder(folder / "encoder")
    return folder


@pytest.fixture(autouse=True)
def _data(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(world))


def settings_of(world: Path, *, hidden: float = 0.15, **changes: Any) -> Settings:
    base = Settings(
        str(world / "encoder"), (HeadSettings("words", "pretraining", hidden=hidden),),
        (DataSettings(str(world / "texts.jsonl.gz"), ("words",), dev="dev"),), limit=32, epochs=2.0, batch_pieces=512,
        learning_rate=2e-3, precision="fp32", checkpoint_seconds=1e9, dropout=0.0, seed=3,
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def start(settings: Settings, folder: Path) -> Run:
    return run.planned(settings, folder)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


# ------------------------------------------------------------------------------------------------ hidden words


@given(st.text(alphabet="aspirin lithium, x\n.é", max_size=200), st.floats(0.01, 0.99), st.integers(0, 99))
def test_whole_words_are_hidden_and_all_else_stays(text: str, share: float, seed: int) -> None:
    for window in PIECES.windows([text], limit=16, overlap=0)[0]:
        shown, hidden = pretraining.hide(window, share, np.random.default_rng(seed), PIECES)
        same = np.ones(len(window), dtype=bool)
        same[hidden] = False
        assert (shown.ids[same] == window.ids[same]).all()
        assert (window.words[hidden] >= 0).all()
        assert same[~np.isin(window.words, window.words[hidden])].all()
        assert not same[np.isin(window.words, window.words[hidden])].any()  # of a word all pieces or none
        assert len(hidden) or (window.words < 0).all()


def test_hidden_pieces_are_mostly_masks_and_sometimes_others_or_themselves() -> None:
    (window,) = PIECES.windows(["aspirin caused bleeding in rats " * 3000], limit=100_000)[0]
    shown, hidden = pretraining.hide(window, 0.15, np.random.default_rng(1), PIECES)
    words = len(set(window.words[window.words >= 0].tolist()))
    assert len(set(window.words[hidden].tolist())) / words == pytest.approx(0.15, abs=0.01)
    now, before = shown.ids[hidden], window.ids[hidden]
    assert (now == PIECES.mask).mean() == pytest.approx(0.8, abs=0.02)
    assert (now == before).mean() == pytest.approx(0.1, abs=0.02)
    special = [PIECES.cls, PIECES.sep, PIECES.pad]
    assert not np.isin(now, special).any() and not np.isin(PIECES.ordinary, [*special, PIECES.mask]).any()


def test_a_tokenizer_without_a_mask_is_one_line() -> None:
    from tokenizers import Tokenizer, models

    plain = Tokenizer(models.WordPiece({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "a": 4}, unk_token="[UNK]"))
    with pytest.raises(ModelError, match=r"no \[MASK\] or <mask>"):
        _ = WordPieces(plain).mask


def test_texts_are_cut_into_windows_that_share_nothing() -> None:
    text = "aspirin caused bleeding in rats, " * 40
    inputs = [one.input for one in pretraining.examples(Document("1", text), WORDS)]
    rows, asked = encode([(WORDS, inputs)], PIECES, limit=32)
    golds = [pretraining.targets(item, (), WORDS) for item in asked["words"]]
    whole = PIECES.windows([text], limit=100_000)[0][0]
    assert np.concatenate([gold[gold != IGNORED] for gold in golds]).tolist() == whole.ids[1:-1].tolist()
    assert len(rows) == len(golds) > 3
    assert not list(pretraining.examples(Document("2", " \n"), WORDS))


def test_hidden_pieces_are_counted_through_the_rows_of_a_batch() -> None:
    inputs = [next(iter(pretraining.examples(Document("1", t), WORDS))).input for t in ("aspirin", "in rats")]
    rows, _ = encode([(WORDS, inputs)], PIECES, limit=32)
    rows[0].hidden, rows[1].hidden = np.asarray([1]), np.asarray([1, 2])
    batch = collate(rows, pad=PIECES.pad, markers=(0, 0, 0, 0))
    assert batch.hidden.tolist() == [1, batch.ids.shape[1] + 1, batch.ids.shape[1] + 2]


# -------------------------------------------------------------------------------------------------- what is learned


def test_it_learns_which_words_stand_together(world: Path, tmp_path: Path) -> None:
    made = start(settings_of(world, epochs=30.0), tmp_path)
    before = scored.dev_scores(made.settings, made.checkpoint)
    steps = list(run.train(made))
    after = scored.dev_scores(made.settings, checkpoint.load(tmp_path))
    assert before["mean"] < 0.1 and after["mean"] > 0.5  # "caused" and "." alone are half of the words
    assert after["perplexity"] < before["perplexity"] / 5
    assert [step.scores for step in steps if step.better][-1] == pytest.approx(after, abs=2e-3)
    assert steps[-1].losses["words"] < steps[0].losses["words"] / 2


def test_the_loss_is_the_mean_over_the_hidden_pieces(world: Path, tmp_path: Path) -> None:
    made = start(settings_of(world), tmp_path)
    rows = made._hidden(made.stream.batches()[0])
    network: Any = made.checkpoint.network.eval()
    module = network.heads["words"]
    costs = []
    for row in rows:  # each by itself: no padding, no other row
        batch = collate([row], pad=made.checkpoint.pieces.pad, markers=(0, 0, 0, 0))
        arrays = [torch.from_numpy(a) for a in (batch.ids, batch.positions, batch.mask, batch.pairs)]
        states, _ = network.encoder(*arrays[:3])
        table = network.encoder.embeddings.word_embeddings.weight
        inner = module.norm(torch.nn.functional.gelu(module.dense(states[0])))
        every = torch.log_softmax(inner @ table.T + module.bias, dim=-1)
        costs += [-float(every[place, row.targets["words"][place]].detach()) for place in row.hidden]
    made.checkpoint.network.train()
    step = next(made.steps())
    assert step.losses["words"] == pytest.approx(sum(costs) / len(costs), rel=1e-4)


def test_other_words_are_hidden_at_every_step(world: Path, tmp_path: Path) -> None:
    made = start(settings_of(world), tmp_path)
    rows = made.stream.batches()[0]
    first, again = made._hidden(rows), made._hidden(rows)
    made.done = 1
    other = made._hidden(rows)
    assert all((one.hidden == two.hidden).all() for one, two in zip(first, again, strict=True))
    assert any(not np.array_equal(one.hidden, two.hidden) for one, two in zip(first, other, strict=True))
    assert not any(len(row.hidden) for row in rows)  # the text itself stays


def test_dev_hides_the_same_words_every_time(world: Path, tmp_path: Path) -> None:
    made = start(settings_of(world), tmp_path)
    assert scored.dev_scores(made.settings, made.checkpoint) == scored.dev_scores(made.settings, made.checkpoint)


@pytest.mark.parametrize(
    "changes", [{}, {"accumulate": 3}, {"average": 0.9}, {"precision": "bf16"}, {"lora": 2}, {"freeze": 0}]
)
def test_a_killed_run_ends_with_the_weights_of_the_unbroken_one(
    world: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    settings = settings_of(world, **changes)
    list(start(settings, tmp_path / "unbroken").steps())
    first = start(settings, tmp_path / "broken")
    for step in first.steps():
        if step.number == 5:
            first.save()
        if step.number == 8:
            break
    second = start(settings, tmp_path / "broken")
    assert second.resume() and second.done == 5
    list(second.steps())
    assert weights(tmp_path / "broken") == weights(tmp_path / "unbroken")


def test_a_batch_read_in_parts_teaches_what_it_teaches_whole(world: Path, tmp_path: Path) -> None:
    whole, parts = (
        next(start(settings_of(world, accumulate=count), tmp_path).steps()).losses["words"] for count in (1, 7)
    )
    assert parts == pytest.approx(whole, rel=1e-5)


@pytest.mark.slow
def test_two_processes_give_what_one_gives_and_weights_are_not_divided(world: Path, tmp_path: Path) -> None:
    (tmp_path / "words.toml").write_text(settings_of(world).toml(), encoding="utf-8")
    command = ("-m", "relatome", "train", "words.toml", "-o")
    alone = CliRunner().invoke(app, ["train", str(tmp_path / "words.toml"), "-o", str(tmp_path / "one")])
    assert alone.exit_code == 0, alone.output
    data = {"RELATOME_DATA": str(world)}
    both = launch(tmp_path, *DIVIDED["batches"], "--num_processes", "2", *command, str(tmp_path / "two"), **data)
    assert both.returncode == 0, both.stderr
    same_but_for_rounding(tmp_path / "two", tmp_path / "one")
    refused = launch(tmp_path, *DIVIDED["weights"], "--num_processes", "2", *command, str(tmp_path / "three"), **data)
    assert refused.returncode != 0 and "pre-training does not go with FSDP" in refused.stderr


# ----------------------------------------------------------------------------------------------------- the texts


def test_a_file_of_texts_is_a_corpus(world: Path) -> None:
    corpus = corpora.load(world / "texts.jsonl.gz")
    assert (corpus.card.name, corpus.card.tasks, corpus.card.ship) == ("texts", (), False)
    parts = {split: [one.id for one in corpus.documents(split)] for split in corpus.splits()}
    assert sum(map(len, parts.values())) == len({one for part in parts.values() for one in part}) == 240
    assert 0 < len(parts["dev"]) < 12
    assert not any(one.mentions for one in corpus.documents("train"))  # whatever else the file holds


def test_what_is_no_file_of_texts_is_one_line(world: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="there is no such file"):
        corpora.load("no/such.jsonl")
    import tarfile

    with tarfile.open(tmp_path / "texts.tar", "w") as packed:
        packed.add(world / "texts.jsonl.gz", "texts.jsonl.gz")
    with pytest.raises(CorpusError, match=r"a folder cannot be a corpus.*relatome convert"):
        corpora.load(tmp_path)
    with pytest.raises(CorpusError, match=r"a file of texts and has no card"):
        corpora.toml(world / "texts.jsonl.gz")
    with pytest.raises(CorpusError, match=r"an archive cannot be a corpus.*relatome convert"):
        corpora.load(tmp_path / "texts.tar")


def test_what_no_model_may_see_is_left_out_of_texts_too(world: Path, tmp_path: Path) -> None:
    made = start(settings_of(world), tmp_path)
    assert made.mixture.counts["left out"]["texts"] == {"kept": 235, "pmid": 1, "sentence": 0}


def test_raw_text_teaches_nothing_else(world: Path, tmp_path: Path) -> None:
    data = (DataSettings(str(world / "texts.jsonl.gz"), ("entities",)),)
    with pytest.raises(CorpusError, match="'texts' has no gold: it is raw text"):
        mixture.heads(settings_of(world, heads=(HeadSettings("entities", "ner"),), data=data))


def test_contradictions_are_told_at_once(world: Path) -> None:
    texts = str(world / "texts.jsonl.gz")
    values = {
        "encoder": "x", "r_drop": 1.0,
        "heads": [
            {"name": "words", "task": "pretraining", "hidden": 1.0, "loss": "focal", "markers": "typed", "thresholds": "dev"},
            {"name": "entities", "task": "ner", "labels": ["Chemical"], "hidden": 0.3},
        ],
        "data": [{"corpus": texts, "heads": ["words"], "teacher": "default"}, {"corpus": texts, "heads": ["entities"]}],
    }  # fmt: skip
    with pytest.raises(SettingsError) as caught:
        options.parse(values)
    said = str(caught.value)
    for problem in (
        "pre-training has a run of its own", "hidden should be above 0 and below 1, found 1.0", "pre-training has no loss",
        "markers is for relations", "thresholds are for heads that give an item one label, and this one gives words",
        "pre-training has no r_drop", ": teacher: pre-training has none", "hidden is for pre-training, and this head's task is ner",
    ):  # fmt: skip
        assert problem in said


# ----------------------------------------------------------------------------------------------- the encoder it gives


@pytest.fixture(scope="module")
def encoder(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained encoder, made by the command."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "words.toml").write_text(settings_of(world).toml(), encoding="utf-8")
    ended = CliRunner().invoke(
        app, ["train", str(folder / "words.toml"), "-o", str(folder / "encoder")], env={"RELATOME_DATA": str(world)}
    )
    assert ended.exit_code == 0, ended.output
    assert "1 documents left out by id" in ended.output
    return folder / "encoder"


def test_another_run_begins_from_it_and_knows_what_it_saw(world: Path, encoder: Path) -> None:
    begun = checkpoint.new(encoder, [tiny.ADE])
    made = checkpoint.load(encoder)
    for name, value in made.network.encoder.state_dict().items():
        assert torch.equal(begun.network.encoder.state_dict()[name], value), name
    assert begun.card["before"][0]["counts"]["texts train"]["documents"] == 235
    seen = run.seen(settings_of(world, encoder=str(encoder)))
    assert [part.use for part in seen.parts] == ["train", "dev"]


def test_transformers_opens_it(encoder: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModel.from_pretrained(encoder)
    made = checkpoint.load(encoder)
    ids = torch.tensor([[2, 10, 20, 3]])
    ours, _ = made.network.encoder.eval()(ids, torch.arange(4)[None], torch.ones(1, 1, 4, 4, dtype=torch.bool))
    assert torch.allclose(theirs.eval()(ids).last_hidden_state, ours, atol=1e-4)


def test_it_answers_nothing_yet_and_says_so(encoder: Path) -> None:
    with pytest.raises(ModelError, match="pre-trained encoder, which answers nothing yet"):
        relatome.load(encoder)
    ended = CliRunner().invoke(app, ["extract", "Aspirin.", "--model", str(encoder)])
    assert isinstance(ended.exception, ModelError) and "relatome train --encoder" in str(ended.exception.advice)


def test_its_card_says_what_it_is(encoder: Path, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["report", str(encoder), "-o", str(tmp_path)])
    assert ended.exit_code == 0, ended.output
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    for said in (
        "pipeline_tag: fill-mask",
        "encoder, pre-trained from",
        "relatome train RUN.toml --encoder .",
        "perplexity",
    ):
        assert said in card
    assert "predict" not in card


def test_flags_do_in_place_of_a_run_file(world: Path, tmp_path: Path) -> None:
    asked = [
        "train",
        "--corpus",
        str(world / "texts.jsonl.gz"),
        "--task",
        "pretraining",
        "--encoder",
        str(world / "encoder"),
    ]
    ended = CliRunner().invoke(
        app, [*asked, "--epochs", "0.1", "-o", str(tmp_path / "out"), "--json"], env={"RELATOME_DATA": str(world)}
    )
    assert ended.exit_code == 0, ended.output
    assert "perplexity" in json.loads(ended.stdout.splitlines()[-1])["scores"]


def test_the_dry_run_tells_what_it_takes(world: Path, tmp_path: Path) -> None:
    (tmp_path / "words.toml").write_text(settings_of(world).toml(), encoding="utf-8")
    asked = ["train", str(tmp_path / "words.toml"), "-o", str(tmp_path / "out"), "--dry-run", "--json"]
    ended = CliRunner().invoke(app, asked, env={"RELATOME_DATA": str(world)})
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout.splitlines()[0])
    assert told["scorings"] == 2 and told["scoring_seconds"] > 0 and math.isfinite(told["training_seconds"])
    assert not (tmp_path / "out").exists()

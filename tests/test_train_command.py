"""``relatome train`` as it is used: stopped, killed, started twice, on a full disk, in several processes.

The corpus is invented (that of ``test_training``), the encoder random.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from relatome.cli import main
from relatome.documents import Document
from relatome.errors import SettingsError, TrainingError
from relatome.formats import jsonl
from relatome.models import checkpoint
from relatome.tasks.example import Head
from relatome.training import run as running
from relatome.training import search
from relatome.training import settings as options
from relatome.training.lock import FILE, Lock
from relatome.training.loop import Run
from tests import tiny
from tests.test_hosted import FAMILIES
from tests.test_hosted import encoder_folder as family_folder
from tests.test_training import CARD, invented

RUN = """\
encoder = "encoder"
limit = 64
epochs = 2
batch_pieces = 256
learning_rate = 2e-3
head_learning_rate = 1e-2
dropout = 0.0
precision = "fp32"
seed = 3

[[heads]]
name = "entities"
task = "ner"

[[heads]]
name = "relations"
task = "relation"
kind = "packed"

[[heads]]
name = "harm"
task = "classification"
class_weights = "balanced"

[[data]]
corpus = "toy.toml"
heads = ["entities", "relations", "harm"]
dev = "dev"
"""


def corpus(folder: Path, name: str = "toy", **counts: int) -> None:
    """A corpus with train and dev, its card beside it."""
    sums = {}
    for split, count in {"train": 30, "dev": 9, **counts}.items():
        file = folder / f"{name}.{split}"
        jsonl.write(invented("100" if split == "train" else "1009", count, seed=len(split)), file)
        sums[split] = hashlib.sha256(file.read_bytes()).hexdigest()
    card = CARD.format(name=name, reader="jsonl", exhaustive='"Chemical", "Disease"', **sums)
    (folder / f"{name}.toml").write_text(card, encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a corpus, an encoder and a run file."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n1003\tanother test\n", encoding="utf-8")
    corpus(folder)
    tiny.encoder_folder(folder / "encoder")
    (folder / "run.toml").write_text(RUN, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _there(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the data folder: the run file's paths are relative to where the command is given."""
    monkeypatch.setenv("RELATOME_DATA", str(made))
    monkeypatch.chdir(made)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    assert before == {number: signal.getsignal(number) for number in before}


def edited(made: Path, name: str, *changes: tuple[str, str]) -> Path:
    """The run file with some lines changed, under another name."""
    text = RUN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (made / name).write_text(text, encoding="utf-8")
    return made / name


def steps_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unbroken run of the run file."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELATOME_DATA", str(made))
        patch.chdir(made)
        assert main(["train", "run.toml", "-o", str(folder), "--quiet"]) == 0
    return folder


# ------------------------------------------------------------------------------------------------ stopped


def test_a_terminated_process_leaves_a_checkpoint_and_the_run_goes_on(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    long = edited(made, "long.toml", ("epochs = 2", "epochs = 400"))
    command = [sys.executable, "-m", "relatome", "train", str(long), "-o", str(folder), "--quiet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 240
        while not (folder / "log.jsonl").is_file() or (folder / "log.jsonl").stat().st_size < 500:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 143
        assert process.stderr is not None
        assert [line for line in process.stderr.read().splitlines() if "not held out" not in line] == []
    told = steps_of(folder)
    state = torch.load(folder / "resume.pt", weights_only=True)
    assert len(told) == state["done"] - (state["learned"] is not None)
    assert not list(folder.glob("*.part")) and not (folder / FILE).exists()
    run = running.prepare(options.read(long), folder)
    assert run.done == state["done"]
    assert next(iter(running.train(run))).number == len(told) + 1
    assert [step["step"] for step in steps_of(folder)] == list(range(1, len(told) + 2))
    run.release()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_middle_of_a_step_is_heard_after_it(
    made: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    learn = Run._learn

    def learned(run: Run, rows: list[Any]) -> Any:
        if run.done == 2:
            signal.raise_signal(number)
        return learn(run, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "_learn", learned)
        try:
            found = main(["train", "run.toml", "-o", str(tmp_path / "run"), "--quiet"])
        except SystemExit as end:
            found = int(str(end.code))
    assert found == code and torch.load(tmp_path / "run" / "resume.pt", weights_only=True)["done"] == 3
    assert main(["train", "run.toml", "-o", str(tmp_path / "run"), "--quiet"]) == 0
    assert weights(tmp_path / "run") == weights(whole)


@pytest.mark.parametrize("during", ["a step", "scoring", "the step that is scored", "between two steps"])
def test_a_run_stopped_anywhere_ends_as_the_unbroken_one(
    made: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    """A signal's handler may run at any place of the program."""
    folder = tmp_path / "run"
    run = running.prepare(options.read(made / "run.toml"), folder)
    learn, score = run._learn, run.score
    assert score is not None

    def learned(rows: list[Any]) -> Any:
        if (during, run.done) in (("a step", 6), ("the step that is scored", 4)):
            run.stop(SystemExit(143))
        return learn(rows)

    def scored(made: Any) -> Any:
        if during == "scoring":
            run.stop(SystemExit(143))
        return score(made)

    monkeypatch.setattr(run, "_learn", learned)
    monkeypatch.setattr(run, "score", scored)
    seen = 0
    with pytest.raises(SystemExit):
        for seen, _ in enumerate(running.train(run), start=1):
            if during == "between two steps" and seen == 5:
                run.stop(SystemExit(143))
    run.save()
    run.release()
    assert seen == {"a step": 6, "scoring": 4, "the step that is scored": 4, "between two steps": 5}[during]
    assert main(["train", "run.toml", "-o", str(folder), "--quiet"]) == 0
    assert weights(folder) == weights(whole)
    for one, other in zip(steps_of(folder), steps_of(whole), strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


# ------------------------------------------------------------------------------------------------ one folder, one run


def test_a_folder_in_use_is_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = Lock(tmp_path / "run")
    assert main(["train", "run.toml", "-o", str(tmp_path / "run"), "--quiet"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"relatome: {tmp_path / 'run'}: process {os.getpid()} on ")
    assert message.endswith("is training in this folder (wait for it, or choose another folder)")
    assert [file.name for file in (tmp_path / "run").iterdir()] == [FILE]
    held.release()
    held.release()
    assert main(["train", "run.toml", "-o", str(tmp_path / "run"), "--quiet"]) == 0
    assert not (tmp_path / "run" / FILE).exists()


def test_a_lock_does_not_outlive_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from relatome.training.lock import Lock; held = Lock(sys.argv[1]); print('held', flush=True);"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        with pytest.raises(TrainingError, match=f"process {process.pid} on "):
            Lock(tmp_path)
        process.kill()
    assert (tmp_path / FILE).is_file()
    Lock(tmp_path).release()
    assert not (tmp_path / FILE).exists()


# ------------------------------------------------------------------------------------------------ what goes wrong


def test_a_loss_that_is_no_number_is_one_line_and_the_last_checkpoint_stays(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = edited(made, "hot.toml", ("1e-2", "1e38"), ("seed = 3", "seed = 3\nwarmup = 1.0\ncheckpoint_seconds = 1e-6"))
    assert main(["train", str(file), "-o", str(tmp_path / "run"), "--quiet"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"relatome: {tmp_path / 'run'}: the "), message
    assert " in step " in message and " rows from toy 10" in message
    assert message.endswith("(lower the learning rate; the last checkpoint was kept)")
    state = torch.load(tmp_path / "run" / "resume.pt", weights_only=True)
    assert 0 < state["done"] <= len(steps_of(tmp_path / "run"))
    assert all(torch.isfinite(value).all() for value in state["network"].values())


def test_a_gradient_that_is_no_number_changes_no_weight(made: Path, tmp_path: Path) -> None:
    run = running.prepare(options.read(made / "run.toml"), tmp_path)
    steps = run.steps()
    next(steps)
    run.save()
    run.checkpoint.network.encoder.embeddings.word_embeddings.weight.register_hook(lambda gradient: gradient / 0)
    before = {name: value.clone() for name, value in run.checkpoint.network.state_dict().items()}
    with pytest.raises(TrainingError, match="the gradient is nan in step 2, in the batch of"):
        next(steps)
    run.release()
    assert all(torch.equal(value, before[name]) for name, value in run.checkpoint.network.state_dict().items())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_leaves_the_checkpoint_before(made: Path, tmp_path: Path) -> None:
    run = running.prepare(options.read(made / "run.toml"), tmp_path)
    steps = run.steps()
    next(steps)
    run.save()
    before = (tmp_path / "resume.pt").read_bytes()
    next(steps)
    (tmp_path / "resume.pt.part").symlink_to("/dev/full")
    with pytest.raises(TrainingError) as caught:
        run.save()
    message = f"{tmp_path / 'resume.pt'}: the checkpoint could not be written: No space left on device "
    assert str(caught.value).startswith(message + "(the checkpoint before it was kept; make room")
    assert (tmp_path / "resume.pt").read_bytes() == before and not (tmp_path / "resume.pt.part").is_symlink()
    run.save()
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["done"] == 2
    run.release()


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size")
def test_a_disk_that_is_full_while_the_best_model_is_saved(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command, with files that may not grow beyond a size: its second model is larger than allowed."""
    import resource

    folder = tmp_path / "run"
    keep = checkpoint.save
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    saved: list[bytes] = []

    def save(made: checkpoint.Checkpoint, place: Any) -> None:
        if saved:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(saved[0]) // 2, allowed[1]))
        try:
            keep(made, place)
            saved.append(weights(folder) + (folder / "relatome.json").read_bytes())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, allowed)

    monkeypatch.setattr(checkpoint, "save", save)
    assert main(["train", "run.toml", "-o", str(folder), "--quiet"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"relatome: {folder / 'model.safetensors'}: the model could not be written: ")
    assert "File too large" in message and "the model before it was kept" in message
    assert len(saved) == 1 and weights(folder) + (folder / "relatome.json").read_bytes() == saved[0]
    assert not list(folder.glob("*.part"))
    checkpoint.load(folder)


# ------------------------------------------------------------------------------------------------ what is learned from


def relabelled(made: Path, name: str, change: Callable[[str, int, Document], Document]) -> Path:
    """A corpus like the other, its documents changed, with a third label on its card; and a run file for its labels."""
    sums = {}
    for split in ("train", "dev"):
        documents = jsonl.read(made / f"toy.{split}")
        jsonl.write((change(split, n, one) for n, one in enumerate(documents)), made / f"{name}.{split}")
        sums[split] = hashlib.sha256((made / f"{name}.{split}").read_bytes()).hexdigest()
    card = CARD.format(name=name, reader="jsonl", exhaustive='"Chemical", "Disease"', **sums)
    (made / f"{name}.toml").write_text(card.replace('["no", "yes"]', '["no", "yes", "maybe"]'), encoding="utf-8")
    heads, data = RUN.index('[[heads]]\nname = "entities"'), RUN.index('[[heads]]\nname = "harm"')
    text = RUN[:heads] + RUN[data:].replace('"entities", "relations", ', "").replace("toy.toml", f"{name}.toml")
    (made / f"{name}-run.toml").write_text(text.replace('class_weights = "balanced"\n', ""), encoding="utf-8")
    return made / f"{name}-run.toml"


TASK = ["--task", "classification", "--json", "--resamples", "20"]


def labelled(document: Document, value: str) -> Document:
    return dataclasses.replace(document, labels=(dataclasses.replace(document.labels[0], value=value),))


def test_a_corpus_of_one_class_teaches_nothing(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = relabelled(made, "same", lambda split, n, one: labelled(one, "yes"))
    assert main(["train", str(file), "-o", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "relatome: heads 'harm': every training example is 'yes', so there is nothing to tell apart"
    assert not (tmp_path / "run").exists()


def test_a_label_that_only_dev_has_is_said_and_counts_as_missed(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = relabelled(made, "rare", lambda split, n, one: labelled(one, "maybe") if (split, n) == ("dev", 0) else one)
    assert main(["train", str(file), "-o", str(tmp_path / "run")]) == 0
    assert "  rare dev: 1 harm examples of maybe, which train lacks and dev counts as missed" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "run"), "--corpus", "rare.toml", "--split", "dev", *TASK]) == 0
    scores = {(one["name"], one["class"]): one for one in json.loads(capsys.readouterr().out)["scores"]}
    assert scores["f1", "maybe"]["support"] == 1 and scores["recall", "maybe"]["value"] == 0
    assert scores["recall", "macro"]["value"] == pytest.approx(
        statistics.mean(scores["recall", label]["value"] for label in ("no", "yes", "maybe"))
    )


def test_a_mention_outside_the_window_is_counted(made: Path, tmp_path: Path) -> None:
    """The window holds few pieces; every other sentence is longer than that between its two mentions."""

    def spread(split: str, number: int, one: Document) -> Document:
        if number % 2:
            return one
        first, second = one.mentions
        by = len(gap := "in in in in in in in in in in in in in in in in ")
        text = one.text[: second.start] + gap + one.text[second.start :]
        moved = dataclasses.replace(second, start=second.start + by, end=second.end + by)
        label = dataclasses.replace(one.labels[0], end=len(text))
        return dataclasses.replace(one, text=text, mentions=(first, moved), labels=(label,)).check()

    relabelled(made, "spread", spread)
    settings = options.read(edited(made, "narrow.toml", ("limit = 64", "limit = 24"), ("toy.toml", "spread.toml")))
    found = running.planned(settings, tmp_path / "run").mixture
    outside = found.counts["spread train"]["relations examples not taught, for a mention is outside the window"]
    taught = sum(int((row.targets["relations"] >= 0).sum()) for row in found.rows[0] if "relations" in row.targets)
    assert outside > 0 and found.counts["spread train"]["relations examples"] - outside == taught > 0


# ------------------------------------------------------------------------------------------------ several processes


def launch(made: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``accelerate launch`` on CPUs, on a port of its own."""
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0", "--num_machines", "1",
        "--mixed_precision", "no", "--dynamo_backend", "no", *arguments,
    ]  # fmt: skip
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=made,
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "GLOO_SOCKET_IFNAME": "lo", **environment},
    )  # fmt: skip


DIVIDED = {"batches": ("--multi_gpu",), "weights": ("--use_fsdp", "--fsdp_version", "2")}


def same_but_for_rounding(folder: Path, whole: Path) -> None:
    """Two runs' steps, scores and models."""
    for one, other in zip(steps_of(folder), steps_of(whole), strict=True):
        assert one["losses"] == pytest.approx(other["losses"], abs=2e-4) and one["pieces"] == other["pieces"]
        assert one.get("scores") == other.get("scores")
    alone, both = load_file(whole / "model.safetensors"), load_file(folder / "model.safetensors")
    assert alone.keys() == both.keys()
    for name, value in alone.items():
        if not name.endswith("key.bias"):  # attention is the same whatever it is: its gradient is rounding alone
            assert torch.allclose(value, both[name], atol=2e-5), name
    assert sorted(file.name for file in folder.iterdir()) == sorted(file.name for file in whole.iterdir())
    assert (folder / "run.toml").read_text() == (whole / "run.toml").read_text()


SLOW = pytest.mark.slow  # each start of three processes takes some ten seconds


@pytest.mark.parametrize("what", ["batches", pytest.param("weights", marks=SLOW)])
def test_two_processes_give_what_one_gives(what: str, made: Path, whole: Path, tmp_path: Path) -> None:
    """A batch is divided, and its loss, its gradient and its scores are those of one process but for rounding."""
    folder = tmp_path / "run"
    command = ("-m", "relatome", "train", "run.toml", "-o", str(folder))
    done = launch(made, *DIVIDED[what], "--num_processes", "2", *command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("toy train: 29 documents") == done.stderr.count("the model is in") == 1
    assert f"2 processes divide the batches{' and the weights' if what == 'weights' else ''}\n" in done.stderr
    same_but_for_rounding(folder, whole)


@SLOW
@pytest.mark.parametrize("what", DIVIDED)
def test_a_dry_run_of_several_processes_is_told_once(what: str, made: Path, tmp_path: Path) -> None:
    command = ("-m", "relatome", "train", "run.toml", "-o", str(tmp_path / "run"), "--dry-run")
    done = launch(made, *DIVIDED[what], "--num_processes", "2", *command)
    assert done.returncode == 0 and done.stderr.count("2 processes divide") == done.stderr.count("padding") == 1
    assert not (tmp_path / "run").exists()


OPTIONS = """\
accumulate = 2
average = 0.9
freeze = 0
gradient_checkpointing = true
layer_decay = 0.9
lora = 2
r_drop = 1.0
"""


@SLOW
@pytest.mark.parametrize("what", DIVIDED)
def test_several_processes_go_with_the_other_options(what: str, made: Path, tmp_path: Path) -> None:
    """And with batches of fewer rows than there are processes or parts, and of rows that teach some heads nothing."""
    edited(
        made, "options.toml", ("epochs = 2", OPTIONS + "epochs = 0.5"), ("batch_pieces = 256", "batch_pieces = 80"),
        ('dev = "dev"', 'dev = "dev"\n\n[[data]]\ncorpus = "toy.toml"\nsplit = "dev"\nheads = ["harm"]'),
    )  # fmt: skip
    assert main(["train", "options.toml", "-o", str(tmp_path / "one"), "--quiet"]) == 0
    command = ("-m", "relatome", "train", "options.toml", "-o", str(tmp_path / "two"), "--quiet")
    done = launch(made, *DIVIDED[what], "--num_processes", "2", *command)
    assert done.returncode == 0, done.stderr
    same_but_for_rounding(tmp_path / "two", tmp_path / "one")


STOPPED = """\
import sys

from relatome.training import run, settings

begun = run.prepare(settings.read("run.toml"), sys.argv[1])
learn, score = begun._learn, begun.score


def learned(rows):
    if begun.done == 5 and begun.first:
        begun.stop(SystemExit(143))
    return learn(rows)


def scored(model):
    begun.stop(SystemExit(143))
    return score(model)


if sys.argv[2] == "scoring":
    begun.score = scored
else:
    begun._learn = learned
try:
    for _ in run.train(begun):
        pass
except SystemExit:
    begun.save()
    print("stopped")
begun.release()
"""


@pytest.mark.parametrize(("during", "stopped", "after"), [("a step", 2, 6), pytest.param("scoring", 1, 5, marks=SLOW)])
def test_a_run_goes_from_one_process_to_two_with_divided_weights_and_back(
    made: Path, whole: Path, tmp_path: Path, during: str, stopped: int, after: int
) -> None:
    """Its checkpoint is the same file. One process hears a signal; of a step all end together."""
    folder = tmp_path / "run"
    run = running.prepare(options.read(made / "run.toml"), folder)
    for step in running.train(run):
        if step.number == 2:
            break
    run.save()
    run.release()
    (tmp_path / "stopped.py").write_text(STOPPED, encoding="utf-8")
    command = (str(tmp_path / "stopped.py"), str(folder), during)
    done = launch(made, *DIVIDED["weights"], "--num_processes", "2", *command)
    assert done.stdout.count("stopped") == stopped, done.stderr
    assert torch.load(folder / "resume.pt", weights_only=True)["done"] == after
    assert main(["train", "run.toml", "-o", str(folder), "--quiet"]) == 0
    same_but_for_rounding(folder, whole)


def test_several_processes_of_which_one_was_started(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("ACCELERATE_USE_CPU", "True"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "29500")):
        monkeypatch.setenv(name, value)  # what `accelerate launch --cpu --num_processes 2` sets
    assert main(["train", "run.toml", "-o", str(tmp_path / "run"), "--dry-run"]) == 0
    assert "accelerate launch --cpu starts one process, whatever --num_processes says" in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert main(["train", "run.toml", "-o", str(tmp_path / "run"), "--dry-run"]) == 0
    assert "starts one process" not in capsys.readouterr().err and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("ACCELERATE_USE_DEEPSPEED",), "DeepSpeed is not one of the ways in which a run is divided among processes"),
        (
            ("ACCELERATE_USE_MEGATRON_LM",),
            "Megatron-LM is not one of the ways in which a run is divided among processes",
        ),
        (("ACCELERATE_USE_FSDP", "FSDP_OFFLOAD_PARAMS"), "FSDP is asked for with its weights in the memory of the CPU"),
    ],
)
def test_other_ways_to_divide_a_run_are_refused(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    for name in names:
        monkeypatch.setenv(name, "true")
    assert main(["train", "run.toml", "-o", str(tmp_path / "run"), "--quiet"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"relatome: {said}")
    assert not (tmp_path / "run").exists()


def test_one_process_has_no_one_to_divide_its_weights_with(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert not running.planned(options.read(made / "run.toml"), made / "none").sharded
    assert os.environ["ACCELERATE_USE_FSDP"] == "true"


# ------------------------------------------------------------------------------------------------ several seeds, a search


def test_several_seeds_are_runs_of_their_own_and_are_scored_together(
    made: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs"
    assert main(["train", "run.toml", "-o", str(folder), "--seeds", "3,4", "--quiet"]) == 0
    assert weights(folder / "seed-3") == weights(whole) != weights(folder / "seed-4")
    capsys.readouterr()
    assert main(["train", "run.toml", "-o", str(folder), "--seeds", "3,4"]) == 0
    assert capsys.readouterr().err.count("finished before") == 2
    asked = ["--corpus", "toy.toml", "--split", "dev", "--task", "classification", "--resamples", "50"]
    predictions = tmp_path / "predictions"
    assert main(["evaluate", str(folder), *asked, "--json", "--predictions", str(predictions)]) == 0
    found = json.loads(capsys.readouterr().out)

    def scores(report: dict[str, Any]) -> dict[tuple[str, str | None], dict[str, Any]]:
        return {(one["name"], one["class"]): one for one in report["scores"]}

    seeds = [scores(one) for one in found["beside"] if one["what"] in (f"{folder}/seed-3", f"{folder}/seed-4")]
    assert len(seeds) == 2 and found["signature"]["seeds"] == 2
    for key, one in scores(found).items():
        if not key[0].endswith(" sd of seeds"):
            values = [seed[key]["value"] for seed in seeds]
            if None not in values:
                assert one["value"] == pytest.approx(statistics.mean(values)), key
                spread = scores(found)[f"{key[0]} sd of seeds", key[1]]["value"]
                assert spread == pytest.approx(statistics.stdev(values)) and one["low"] <= one["value"] <= one["high"]
    assert sorted(file.name for file in predictions.iterdir()) == ["seed-3.jsonl", "seed-4.jsonl"]
    assert main(["evaluate", str(folder), *asked]) == 0
    assert "runs, mean of 2 seeds on toy dev" in " ".join(capsys.readouterr().out.split())


def test_the_baseline_of_several_seeds_is_scored_beside_them_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs"
    asked = ["--corpus", "toy.toml", "--task", "classification"]
    flags = ["--encoder", "encoder", "--epochs", "0.1", "--quiet"]
    assert main(["train", *asked, "-o", str(folder), "--seeds", "3,4", *flags]) == 0
    assert main(["evaluate", str(folder), *asked, "--split", "dev", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    beside = [one["what"] for one in found["beside"] if one["signature"].get("part", "all") == "all"]
    assert beside == [f"{folder}/{one}" for one in ("tfidf", "seed-3", "seed-4")]
    assert found["signature"]["seeds"] == 2


def test_seeds_that_are_no_numbers(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "run.toml", "--seeds", "1,two"]) == 2
    assert "expected numbers with commas between, as 1,2,3" in capsys.readouterr().err


SPACE = """\
minutes = 5
trials = 3
seed = 2

[space]
learning_rate = { low = 1e-4, high = 1e-2, log = true }
epochs = [0.2, 0.4]
"heads.harm.weight" = { low = 0.5, high = 2.0 }
"""


def test_a_search_that_was_stopped_ends_as_the_unbroken_one(made: Path, tmp_path: Path) -> None:
    settings = options.read(made / "run.toml")
    (made / "space.toml").write_text(SPACE, encoding="utf-8")
    space = search.read(made / "space.toml", settings)
    expected = list(search.search(settings, space, tmp_path / "whole"))
    assert len(expected) == 3 and {one.state for one in expected} == {"whole"}
    assert len({one.values["learning_rate"] for one in expected}) == 3

    def stopped(run: Run) -> Iterator[Any]:
        for number, step in enumerate(running.train(run)):
            yield step
            if number == 0 and run.folder.name == "0001":
                run.save()
                raise KeyboardInterrupt

    told = []
    with pytest.raises(KeyboardInterrupt):
        for one in search.search(settings, space, tmp_path / "broken", steps=stopped):
            told.append(one)
    assert len(told) == 1 and (tmp_path / "broken" / "trials" / "0001" / "resume.pt").is_file()
    told += search.search(settings, space, tmp_path / "broken")
    assert [(one.values, one.score, one.steps) for one in told] == [(e.values, e.score, e.steps) for e in expected]
    best, place = search.best(tmp_path / "broken")
    assert best.score == max(one.score or 0 for one in expected)
    assert weights(place) == weights(search.best(tmp_path / "whole")[1])
    assert options.read(tmp_path / "broken" / "run.toml") == options.read(place / "run.toml")
    models = [file.parent.name for file in (tmp_path / "broken").glob("trials/*/model.safetensors")]
    assert models == [place.name]
    table = (tmp_path / "broken" / search.TABLE).read_text(encoding="utf-8").splitlines()
    assert table[0].split("\t")[:3] == ["trial", "state", "dev"] and len(table) == 4
    assert list(search.search(settings, space, tmp_path / "broken")) == []
    other = dataclasses.replace(space, seed=9)
    with pytest.raises(TrainingError, match="this folder holds another search"):
        list(search.search(settings, other, tmp_path / "broken"))


def test_poor_trials_end_early_failed_ones_are_told_and_the_budget_is_kept(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores are told by the test: every trial but the first is worse at its first scoring than those before."""
    settings = options.read(made / "run.toml", {"evaluate_every": 1, "epochs": 0.6})
    space = search.Space({"learning_rate": search.Range(1e-4, 1e-3)}, minutes=5, trials=7)

    def steps(run: Run) -> Iterator[Any]:
        if run.folder.name == "0001":
            raise TrainingError("the loss is nan")
        for step in running.train(run):
            run.best = 1 / (1 + int(run.folder.name))
            yield dataclasses.replace(step, scores={"mean": run.best})

    found = list(search.search(settings, space, tmp_path / "a", steps=steps))
    assert [one.state for one in found] == [
        "whole", "failed: the loss is nan", "whole", "whole", "whole", "ended early", "ended early",
    ]  # fmt: skip
    assert found[5].steps == 1 < found[4].steps
    assert search.best(tmp_path / "a")[0].number == 0
    short = dataclasses.replace(space, minutes=1e-6, trials=0)
    with pytest.raises(TrainingError, match="no trial came to its end \\(give the search more minutes"):
        list(search.search(settings, short, tmp_path / "b", steps=steps))
    assert [one.state for one in search.trials(tmp_path / "b")] == ["out of time"]


def test_a_space_with_mistakes_tells_them_all_with_their_lines(made: Path, tmp_path: Path) -> None:
    settings = options.read(made / "run.toml")
    file = tmp_path / "space.toml"
    file.write_text(
        'minute = 3\ntrials = "many"\n[space]\nlearning_rte = [1e-3]\nepochs = { low = 3, high = 1 }\nclip = []\n'
        'seed = ["a"]\n"heads.hurt.weight" = [1.0]\nlearning_rate = { low = 0.0, high = 1.0, log = true }\n',
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as caught:
        search.read(file, settings)
    told = caught.value.problems
    assert [one.split(": ")[0] for one in told] == [
        "minutes is missing",
        *(f"line {n}" for n in (1, 2, 4, 5, 6, 7, 8, 9)),
    ]
    assert "did you mean 'learning_rate'" in told[3] and "NAME one of entities, relations, harm" in told[7]


def test_a_search_needs_dev(made: Path, tmp_path: Path) -> None:
    settings = options.read(edited(made, "blind.toml", ('dev = "dev"\n', "")))
    with pytest.raises(TrainingError, match="a search chooses by dev"):
        next(search.search(settings, search.Space({"seed": (1, 2)}, minutes=1), tmp_path))


# ------------------------------------------------------------------------------------------------ before it starts


def test_a_dry_run_measures_and_leaves_nothing(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "run.toml", "-o", str(tmp_path / "run"), "--dry-run", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["steps"] == 10 and found["scorings"] == 2 and found["documents"] == found["sampled"] == 9
    assert 0 < found["typical"]["seconds"] <= found["training_seconds"]
    assert found["largest"]["rows"] * found["largest"]["width"] <= 256
    run = running.planned(options.read(made / "run.toml"), tmp_path / "run")
    exact = sum(row.pieces for rows in run.mixture.rows for row in rows) * 2
    assert found["pieces"] == exact and 100 < found["memory"] < 20_000
    assert "measured on this machine as it is now: 3 steps each of a typical batch" in err and "MiB of memory" in err
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------ every family


@pytest.mark.parametrize("family", ["uncased", "cased", *sorted(FAMILIES)])
def test_an_encoder_of_any_family_is_trained_and_opened(made: Path, tmp_path: Path, family: str) -> None:
    """Two random layers of each family's shape, through run file and folder to a model that answers."""
    if family in FAMILIES:
        family_folder(tmp_path / "encoder", family)
    else:
        tiny.encoder_folder(tmp_path / "encoder", cased=family == "cased")
    relabelled(made, "plain", lambda split, n, one: one)
    text = (made / "plain-run.toml").read_text(encoding="utf-8").replace('"encoder"', f'"{tmp_path / "encoder"}"')
    (tmp_path / "run.toml").write_text(text, encoding="utf-8")
    folder = tmp_path / "run"
    assert main(["train", str(tmp_path / "run.toml"), "-o", str(folder), "--quiet"]) == 0
    before, after = checkpoint.new(tmp_path / "encoder", [HARM], limit=64), checkpoint.load(folder)
    assert after.network.asked == (HARM,)
    moved = [not torch.equal(one, other) for one, other in zip(
        before.network.parameters(), after.network.parameters(), strict=True)]  # fmt: skip
    assert sum(moved) > 0.7 * len(moved)
    answers = tiny.predictor(after).predict({"harm": tiny.sentences()})["harm"]
    assert {str(one.value) for one in answers} <= set(HARM.labels) and len(answers) == len(tiny.TEXTS)
    losses = [step["losses"]["harm"] for step in steps_of(folder)]
    assert all(math.isfinite(one) for one in losses)


HARM = Head("harm", "classification", "label", ("no", "yes", "maybe"))

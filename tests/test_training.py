"""Settings, what is read, its order, and the loop: the same bytes from the same seed, killed or not.

The corpora are invented, written into a temporary folder with a card of their own.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import random
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from relatome.batches import Row, width
from relatome.documents import Document, Label, Mention, Relation
from relatome.errors import CorpusError, SettingsError, TrainingError
from relatome.formats import jsonl
from relatome.models import checkpoint
from relatome.predictors.neural import NeuralPredictor
from relatome.tasks import TASKS
from relatome.tasks.example import Sentence
from relatome.training import mixture
from relatome.training import settings as options
from relatome.training.devices import precision
from relatome.training.loop import Run, Step
from relatome.training.settings import DataSettings, HeadSettings, Settings
from relatome.training.stream import Stream
from relatome.wordpieces import Window
from tests import tiny
from tests.test_hosted import encoder_folder as family_folder

DRUGS = ("aspirin", "lithium", "warfarin", "erythromycin")
EFFECTS = ("bleeding", "tremor", "ulcers")
CARD = """
name = "{name}"
title = "An invented corpus"
version = "1"
reader = "{reader}"
unit = "sentence"
tasks = ["ner", "relation", "classification"]
protocol = "official"
licence = "CC0 1.0"
terms = "None."
ship = true
citation = "None."
exhaustive = [{exhaustive}]

[origin]
url = "https://example.org/"

[types]
Chemical = "Chemical"
Disease = "Disease"

[relations]
CID = {{ arguments = [["Chemical", "Disease"]], level = "mention" }}

[labels]
harm = {{ values = ["no", "yes"], positive = "yes" }}

[protocols.official]
kind = "files"

[protocols.official.splits.train]
read = ["{name}.train"]

[protocols.official.splits.dev]
read = ["{name}.dev"]

[files]
"{name}.train" = {{ sha256 = "{train}" }}
"{name}.dev" = {{ sha256 = "{dev}" }}
"""


def invented(prefix: str, count: int, seed: int) -> Iterator[Document]:
    """Sentences in which a drug causes an effect, or only stands beside it."""
    chance = random.Random(seed)
    for number in range(count):
        drug, effect = chance.choice(DRUGS), chance.choice(EFFECTS)
        harm = number % 3 > 0
        text = f"{drug} {'caused' if harm else 'and'} {effect} in {chance.randint(2, 9)} rats" + " or more" * (
            number % 7
        )
        start = text.index(effect)
        mentions = (
            Mention("T1", 0, len(drug), "Chemical", drug),
            Mention("T2", start, start + len(effect), "Disease", effect),
        )
        relations = (Relation("R1", "CID", "T1", "T2"),) if harm else ()
        labels = (Label("harm", "yes" if harm else "no", 0, len(text)),)
        yield Document(f"{prefix}{number}", text, mentions=mentions, relations=relations, labels=labels).check()


def pubtator(documents: Iterator[Document]) -> str:
    """Their diseases alone, in PubTator's lines."""
    blocks = []
    for document in documents:
        lines = [f"{document.id}|t|{document.text}", f"{document.id}|a|"]
        lines += [
            f"{document.id}\t{m.start}\t{m.end}\t{m.text}\t{m.type}\tD1"
            for m in document.mentions
            if m.type == "Disease"
        ]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a list of what no model may see, two corpora, and an encoder."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n1003\tanother test\n", encoding="utf-8")
    for name, reader, exhaustive, first in (
        ("toy", "jsonl", '"Chemical", "Disease"', "100"), ("diseases", "pubtator", '"Disease"', "200"),
    ):  # fmt: skip
        sums = {}
        for split, count in (("train", 30), ("dev", 9)):
            documents = invented(first if split == "train" else first + "9", count, seed=len(split))
            file = folder / f"{name}.{split}"
            if reader == "jsonl":
                jsonl.write(documents, file)
            else:
                file.write_text(pubtator(documents), encoding="utf-8")
            sums[split] = hashlib.sha256(file.read_bytes()).hexdigest()
        card = CARD.format(name=name, reader=reader, exhaustive=exhaustive, **sums)
        (folder / f"{name}.toml").write_text(card, encoding="utf-8")
    tiny.encoder_folder(folder / "encoder")
    teaches = (
        dataclasses.replace(tiny.ENTITIES, labels=("Gene", "Disease", "Chemical")),
        dataclasses.replace(tiny.RELATIONS, kind="marker", labels=("NO_RELATION", "INHIBITOR", "CID", "ACTIVATOR")),
        dataclasses.replace(tiny.ADE, name="harm", labels=("yes", "no")),
    )
    checkpoint.save(tiny.fresh(folder / "other encoder", teaches, seed=7), folder / "teacher")
    return folder


@pytest.fixture(autouse=True)
def _data(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(world))


HEADS = (
    HeadSettings("entities", "ner"),
    HeadSettings("relations", "relation", "packed"),
    HeadSettings("harm", "classification"),
)


def settings_of(world: Path, *, teacher: float = 0.0, **changes: Any) -> Settings:
    taught: dict[str, Any] = {"teacher": str(world / "teacher"), "teacher_share": teacher} if teacher else {}
    toy = DataSettings(str(world / "toy.toml"), ("entities", "relations", "harm"), **taught)
    diseases = DataSettings(str(world / "diseases.toml"), ("entities",), weight=0.5)
    base = Settings(
        str(world / "encoder"), HEADS, (toy, diseases), limit=64, epochs=2.0, batch_pieces=256, learning_rate=2e-3,
        head_learning_rate=1e-2, precision="fp32", checkpoint_seconds=1e9, seed=3,
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def start(
    settings: Settings, folder: Path, score: Callable[[checkpoint.Checkpoint], Mapping[str, float]] | None = None
) -> Run:
    heads = mixture.heads(settings)
    torch.manual_seed(settings.seed)
    made = checkpoint.new(settings.encoder, heads, limit=settings.limit)
    return Run(settings, made, mixture.build(settings, heads, made.pieces, made.limit), folder, score=score)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


# ------------------------------------------------------------------------------------------------ settings


def test_defaults_file_and_flags_in_that_order(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'encoder = "e"\nepochs = 2\nseed = 5\n[[heads]]\nname = "n"\ntask = "ner"\n[[data]]\ncorpus = "ade"\nheads = ["n"]\n',
        encoding="utf-8",
    )
    found = options.read(file, {"seed": 7})
    assert (found.epochs, found.seed, found.batch_pieces) == (2.0, 7, 1024)
    assert isinstance(found.epochs, float)
    assert found.heads == (HeadSettings("n", "ner"),) and found.data == (DataSettings("ade", ("n",)),)


def test_the_resolved_settings_can_be_run_again(world: Path, tmp_path: Path) -> None:
    first = settings_of(world, heads=(*HEADS[:2], dataclasses.replace(HEADS[2], labels=("no", 'ä"b\\'), weight=0.25)))
    (tmp_path / "run.toml").write_text(first.toml(), encoding="utf-8")
    again = options.read(tmp_path / "run.toml")
    assert again == first
    assert again.toml() == first.toml()


def test_flags_reach_every_head_and_corpus(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from relatome.cli import main

    flags = ["--encoder", str(world / "encoder"), "--epochs", "0.1", "--loss", "focal", "--smoothing", "0.1"]
    flags += ["--class-weights", "balanced", "--teacher", str(world / "teacher"), "--precision", "fp32", "--lora", "2"]
    flags += ["--accumulate", "2", "--gradient-checkpointing", "--freeze", "1", "--average", "0.9", "-q"]
    more = [
        "--set",
        "layer_decay=0.9",
        "--set",
        "heads.focus=1",
        "--set",
        "data.dev=",
        "--set",
        "data.teacher_share = 1.0",
    ]
    toy = ["train", "--corpus", str(world / "toy.toml"), "--task", "classification", "-o", str(tmp_path / "run")]
    assert main([*toy, *flags, *more]) == 0, capsys.readouterr().err
    found = options.read(tmp_path / "run" / "run.toml")
    assert (found.lora, found.accumulate, found.freeze, found.average, found.layer_decay) == (2, 2, 1, 0.9, 0.9)
    assert found.gradient_checkpointing and found.precision == "fp32"
    head, data = found.heads[0], found.data[0]
    assert (head.loss, head.smoothing, head.class_weights, head.focus) == ("focal", 0.1, "balanced", 1.0)
    assert (data.teacher, data.teacher_share, data.dev) == (str(world / "teacher"), 1.0, "")
    assert checkpoint.load(tmp_path / "run").card["training"]["settings"] == found.json()
    for said, problem in (
        ("layer_deca=1", "unknown key 'layer_deca', did you mean 'layer_decay'?"),
        ("heads.loss=hinge", "loss should be cross-entropy or focal, found 'hinge'"),
        ("fast", "--set fast: expected KEY=VALUE, as layer_decay=0.9"),
    ):
        assert main([*toy, "--set", said]) == 2 and problem in capsys.readouterr().err


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'encoder = "e"\nepoch = 3\nseed = "one"\nclip = true\n[[heads]]\nname = "n"\nkinds = "tags"\n'
        "[[data]]\nheads = [1]\n",
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as caught:
        options.read(file)
    assert caught.value.problems == (
        "line 2: unknown key 'epoch', did you mean 'epochs'?",
        "line 3: seed should be int, found 'one', as in seed = 1",
        "line 4: clip should be float, found True, as in clip = 1.0",
        "line 5: heads[1]: task is missing: add task = ...",
        "line 7: heads[1]: unknown key 'kinds', did you mean 'kind'?",
        "line 8: data[1]: corpus is missing: add corpus = ...",
        "line 9: data[1]: heads should be a list of str, found [1]",
    )
    assert str(caught.value).startswith(f"{file}: 7 mistakes: line 2: unknown key 'epoch'")


def test_mistakes_of_every_kind_are_told_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'encoder = "e"\nprecision = "fp8"  # epoch = 1\nseed = "one"\n\n[[heads]]\nname = "n"\ntask = "nre"\n'
        'loss = """\nfocus = 1\n"""\n\n[[data]]\ncorpus = "bc5cdr"\nheads = [\n  "n",\n]\nsplit = "trian"\n'
        '[[data]]\nheads = ["n"]\nweight = 0\ncorpus = "chemprto"\n',
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as caught:
        options.read(file, {"learning_rate": 3.0, "epochs": 2.0})
    told = caught.value.problems
    assert [one.split(": ")[0] for one in told] == [
        "--learning-rate", "line 2", "line 3", "line 7", "line 8", "line 17", "line 20", "line 21",
    ]  # fmt: skip
    assert told[1] == "line 2: precision should be one of auto, fp32, bf16, fp16, found 'fp8'"
    assert "did you mean 'train'?" in told[5] and "did you mean 'chemprot'" in told[7]


NASTY = """\
# a = 0
top = 1
"quoted key" . inner = 'it # is'
long = \"\"\"
[not.a.table]
key = 1 \\"\"\" still
\"\"\"
literal = '''
[[no]]
'''
list = [ # comment ]
  1, [2, 3],
  { low = 1, high = "]" },
]
inline = { a.b = 1, c = { d = "}" } }
[table . "with dot.s"]
when = 1979-05-27T07:32:00Z
[[many]]
one = true
[[many.inner]]
x = 1
[[many.inner]]
x = -2.5e3
[[many]]
[many.sub]
y = "\\"\\n"
"""


def test_every_key_of_a_file_has_its_line() -> None:
    from relatome.training import places

    def paths(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
        inner = value.items() if isinstance(value, dict) else enumerate(value, 1) if isinstance(value, list) else ()
        for key, one in inner:
            yield (*at, key)
            yield from paths(one, (*at, key))

    for text in (NASTY, NASTY.replace("\n", "\r\n")):
        found = places.lines(text)
        assert set(paths(tomllib.loads(text))) - {("table",)} == set(found)
    rows = NASTY.splitlines()
    assert {rows[found[path] - 1] for path in found if path[-1] == "x"} == {"x = 1", "x = -2.5e3"}
    assert rows[found["inline", "c", "d"] - 1].startswith("inline") and rows[found["list", 3, "high"] - 1][2] == "{"
    assert rows[found["many", 2, "sub", "y"] - 1].startswith("y =") and found["many", 2] == found["many", 2, "sub"] - 1
    assert rows[found["literal",] - 1].startswith("literal") and found["list", 2, 1] == found["list", 1]


def test_contradictions_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        options.parse(
            {
                "encoder": "e", "epochs": 0, "precision": "fp8", "batch_pieces": 3, "accumulate": 0,
                "layer_decay": 1.5, "average": 1.0, "lora": 4, "reinitialise": 1,
                "heads": [
                    {"name": "a", "task": "tagging"}, {"name": "a", "task": "ner", "kind": "packed"},
                    {
                        "name": "b.c", "task": "ner", "class_weights": "heavy", "loss": "hinge", "focus": 0,
                        "smoothing": 1,
                    },
                ],
                "data": [{"corpus": "x", "heads": ["a", "z"], "weight": 0}],
            }
        )  # fmt: skip
    assert caught.value.problems == (
        "two heads have one name: ['a', 'a', 'b.c']",
        "heads 'a': unknown task 'tagging', expected one of ner, relation, classification, pretraining",
        "heads 'a': task ner has no head 'packed', expected one of tags, layers",
        "heads 'b.c': class_weights should be one of none, balanced, root; found 'heavy'",
        "heads 'b.c': loss should be cross-entropy or focal, found 'hinge'",
        "heads 'b.c': smoothing should be at least 0 and below 1, found 1.0",
        "heads 'b.c': focus should be above 0 and at most 10, found 0.0",
        "heads 'b.c': a name should be letters, digits, hyphens and underscores, a letter first",
        "data 'x': heads: no head is named 'z', known: a, a, b.c",
        "data 'x': weight should be above 0, found 0.0",
        "heads 'b.c': no corpus teaches it",
        "epochs should be above 0 and at most 10000, found 0.0",
        "batch_pieces should be above 16 and at most 10000000, found 3",
        "accumulate should be from 1 to 10000, found 0",
        "layer_decay should be from 0.01 to 1, found 1.5",
        "average should be from 0 to 0.999999, found 1.0",
        "reinitialise and lora: layers that begin anew cannot be left as they are and adapted",
        "precision should be one of auto, fp32, bf16, fp16, found 'fp8'",
    )


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "at least one [[heads]] table is needed"),
        ({"heads": "n"}, "at least one [[heads]] table is needed"),
        ({"heads": ["n"]}, "heads[1] should be a table, found 'n'"),
        ({"heads": [3], "data": {}}, "at least one [[data]] table is needed"),
    ],
)
def test_tables_of_the_wrong_shape(values: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        options.parse(values)
    assert problem in caught.value.problems


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"epochs = ", "not TOML: "), (b"\xff\xfe", "not TOML: "), (None, "the run file cannot be read: No such file")],
)
def test_a_run_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "run.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        options.read(file)
    assert str(caught.value).startswith(f"{file}: {message}") and "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ what is read


def test_heads_take_their_labels_from_the_cards(world: Path) -> None:
    entities, relations, harm = mixture.heads(settings_of(world))
    assert (entities.kind, entities.labels) == ("tags", ("Chemical", "Disease"))
    assert relations.labels == ("NO_RELATION", "CID")
    assert relations.arguments == {"CID": (("Chemical", "Disease"),)} and relations.groups == {"CID": "CID"}
    assert harm.labels == ("no", "yes")


def test_a_label_no_corpus_has_is_named_with_those_there_are(world: Path) -> None:
    settings = settings_of(world, heads=(*HEADS[:2], HeadSettings("hurt", "classification")))
    toy = dataclasses.replace(settings.data[0], heads=("entities", "relations", "hurt"))
    with pytest.raises(SettingsError, match="heads 'hurt': no corpus has labels of this name, known: harm"):
        mixture.heads(dataclasses.replace(settings, data=(toy,)))


def test_a_sentence_that_teaches_three_heads_is_one_row(world: Path, tmp_path: Path) -> None:
    run = start(settings_of(world), tmp_path)
    toy, diseases = run.mixture.rows
    assert {tuple(row.targets) for row in toy} == {("entities", "relations", "harm")}
    assert {tuple(row.targets) for row in diseases} == {("entities",)}
    for row in toy:
        assert (
            len(row.targets["entities"]) == len(row.window) and len(row.targets["relations"]) == len(row.markers) == 1
        )
        assert row.legal["relations"].tolist() == [[True, True]]
    assert [row.document for row in toy[:4]] == ["1000", "1001", "1002", "1004"]


def test_what_no_model_may_see_is_left_out_and_counted(world: Path, tmp_path: Path) -> None:
    counts = start(settings_of(world), tmp_path).mixture.counts
    assert counts["toy train"]["documents"] == counts["toy train"]["rows"] == 29
    assert counts["toy train"]["relations examples"] == 29
    assert counts["left out"]["toy"] == {"kept": 29, "pmid": 1, "sentence": 0}
    assert counts["left out"]["diseases"] == {"kept": 30, "pmid": 0, "sentence": 0}
    json.dumps(counts)


def test_without_the_list_nothing_is_trained(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match="NEVER_TRAIN.tsv, is not in"):
        start(settings_of(world), tmp_path)


def test_a_corpus_denies_only_what_it_annotates(world: Path, tmp_path: Path) -> None:
    found = start(settings_of(world), tmp_path).mixture.annotated
    assert found["toy", "entities"].tolist() == [True] * 5
    assert found["diseases", "entities"].tolist() == [True, False, False, True, True]
    assert found["toy", "relations"].tolist() == [True, True] and found["toy", "harm"].tolist() == [True, True]
    layers = dataclasses.replace(mixture.heads(settings_of(world))[0], kind="layers")
    rows = mixture.build(
        settings_of(world), [layers, *mixture.heads(settings_of(world))[1:]],
        checkpoint.new(world / "encoder", [tiny.RELATIONS]).pieces, 64,
    ).rows  # fmt: skip
    assert all((row.targets["entities"][:, 0] == -100).all() for row in rows[1])  # nothing is said of chemicals
    assert all((row.targets["entities"][:, 1] >= 0).any() for row in rows[1])


def test_of_a_corpus_some_types_alone_can_be_learned(world: Path, tmp_path: Path) -> None:
    toy, diseases = settings_of(world).data
    settings = settings_of(world, data=(dataclasses.replace(toy, types=("Disease",)), diseases))
    layers, *others = mixture.heads(settings)
    layers = dataclasses.replace(layers, kind="layers")
    found = mixture.build(settings, [layers, *others], checkpoint.new(world / "encoder", [tiny.RELATIONS]).pieces, 64)
    assert layers.labels == ("Chemical", "Disease")
    assert all((row.targets["entities"][:, 0] == -100).all() for row in found.rows[0])
    assert all((row.targets["entities"][:, 1] >= 0).any() for row in found.rows[0])
    tags = start(settings, tmp_path).mixture.annotated
    assert tags["toy (Disease)", "entities"].tolist() == [True, False, False, True, True]
    wrong = dataclasses.replace(settings, data=(dataclasses.replace(toy, types=("Gene",)), diseases))
    with pytest.raises(SettingsError, match="'Gene' cannot be learned from it; it annotates exhaustively: "):
        mixture.build(wrong, [layers, *others], checkpoint.new(world / "encoder", [tiny.RELATIONS]).pieces, 64)


def test_a_corpus_that_teaches_nothing_is_an_error(world: Path, tmp_path: Path) -> None:
    nothing = DataSettings(str(world / "diseases.toml"), ("harm",))
    settings = settings_of(world, heads=(HeadSettings("harm", "classification"),), data=(nothing,))
    with pytest.raises(SettingsError, match=r"split 'train' has nothing for harm"):
        start(settings, tmp_path)


def test_gold_that_the_types_do_not_allow_is_not_taught_and_counted(world: Path, tmp_path: Path) -> None:
    settings = settings_of(world, data=settings_of(world).data[:1])
    entities, relations, harm = mixture.heads(settings)
    other = dataclasses.replace(
        relations, labels=(*relations.labels, "X"), arguments={"X": (("Chemical", "Disease"),), "CID": (("a", "b"),)}
    )
    pieces = checkpoint.new(world / "encoder", [relations]).pieces
    found = mixture.build(settings, [entities, other, harm], pieces, 64)
    name = "relations examples whose label the card does not allow between their types"
    assert found.counts["toy train"][name] == 20
    taught = Counter(int(row.targets["relations"][0]) for row in found.rows[0])
    assert taught == {0: 9, -100: 20}


# ------------------------------------------------------------------------------------------------ its order


def fake_rows(lengths: list[int], name: str) -> list[Row]:
    def window(length: int) -> Window:
        return Window(*(np.zeros(length, dtype=np.int32) for _ in range(4)))  # type: ignore[arg-type]

    return [Row(window(length), source=name, document=str(n)) for n, length in enumerate(lengths)]


def names(batch: list[Row]) -> list[str]:
    return [f"{row.source}{row.document}" for row in batch]


LENGTHS = [3 + (7 * n) % 50 for n in range(60)]


def test_every_row_is_read_once_an_epoch() -> None:
    stream = Stream([fake_rows(LENGTHS, "a"), fake_rows(LENGTHS[:9], "b")], [1.0, 2.0], budget=128, seed=1)
    for _ in range(3):
        batches = [next(stream) for _ in range(len(stream._plan))]
        seen = Counter(name for batch in batches for name in names(batch))
        assert {name: n for name, n in seen.items() if name[0] == "a"} == {f"a{n}": 1 for n in range(60)}
        assert {name: n for name, n in seen.items() if name[0] == "b"} == {f"b{n}": 2 for n in range(9)}
        for batch in batches:
            assert len(batch) * max(width(row.pieces) for row in batch) <= 128


def test_epochs_have_orders_of_their_own_and_seeds_too() -> None:
    def epoch(seed: int, number: int) -> list[list[str]]:
        stream = Stream([fake_rows(LENGTHS, "a")], [1.0], budget=128, seed=seed)
        found = []
        for _ in range(number + 1):
            found = [names(next(stream)) for _ in range(len(stream._plan))]
        return found

    assert epoch(1, 0) == epoch(1, 0) and epoch(1, 2) == epoch(1, 2)
    assert epoch(1, 0) != epoch(1, 1) and epoch(1, 0) != epoch(2, 0)


@pytest.mark.parametrize("weight", [0.5, 1.25, 0.01, 3.0])
def test_a_broken_weight_is_a_draw(weight: float) -> None:
    stream = Stream([fake_rows(LENGTHS, "a")], [weight], budget=256, seed=1)
    assert stream.pieces == sum(row.pieces for batch in stream.batches() for row in batch)
    assert weight == 0.5 or (stream.pieces > sum(LENGTHS)) == (weight > 1)
    draws = []
    for _ in range(2):
        seen = Counter(name for batch in [next(stream) for _ in range(len(stream._plan))] for name in names(batch))
        assert sum(seen.values()) == round(weight * 60)
        assert not seen or max(seen.values()) - min(seen.get(f"a{n}", 0) for n in range(60)) <= 1
        draws.append(seen)
    assert weight == int(weight) or draws[0] != draws[1]


@pytest.mark.parametrize("after", [0, 1, 5, 17, 40])
def test_restore_jumps_to_the_place(after: int) -> None:
    def stream() -> Stream:
        return Stream([fake_rows(LENGTHS, "a"), fake_rows(LENGTHS[:5], "b")], [1.0, 0.4], budget=128, seed=1)

    one, other = stream(), stream()
    for _ in range(after):
        next(one)
    other.restore(json.loads(json.dumps(one.state())))
    assert [names(next(other)) for _ in range(30)] == [names(next(one)) for _ in range(30)]


# ------------------------------------------------------------------------------------------------ the loop


@pytest.mark.slow
def test_the_loss_falls_and_the_model_learns(world: Path, tmp_path: Path) -> None:
    run = start(settings_of(world, epochs=16.0, learning_rate=5e-3, batch_pieces=128, dropout=0.0), tmp_path)
    steps = list(run.steps())
    assert [step.number for step in steps] == list(range(1, run.total + 1))
    for head in ("entities", "relations", "harm"):
        losses = [step.losses[head] for step in steps if head in step.losses]
        assert np.mean(losses[-5:]) < 0.1 * np.mean(losses[:5]), head
    assert not (tmp_path / "resume.pt").exists()
    made = checkpoint.load(tmp_path)
    assert made.card["training"]["steps"] == run.total and made.card["training"]["counts"] == run.mixture.counts
    documents = list(invented("x", 12, seed=99))
    inputs = [Sentence(one.id, one.id, one.text) for one in documents]
    answers = tiny.predictor(made).predict({"harm": inputs, "entities": inputs})
    assert [one.value for one in answers["harm"]] == [one.labels[0].value for one in documents]
    right = [
        {span[:3] for span in answer.value if not isinstance(span, str)}
        == {(m.start, m.end, m.type) for m in one.mentions}
        for answer, one in zip(answers["entities"], documents, strict=True)
    ]
    assert sum(right) >= 10


def test_one_seed_one_model(world: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        torch.manual_seed(ord(name))  # what was drawn before does not matter
        list(start(settings_of(world, epochs=1.0, seed=seed), tmp_path / name).steps())
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert weights(tmp_path / "a") != weights(tmp_path / "c")


FOCAL = tuple(dataclasses.replace(h, loss="focal", smoothing=0.1, class_weights="balanced") for h in HEADS)
OPTIONS: dict[str, dict[str, Any]] = {
    "accumulate": {"accumulate": 3},
    "average": {"average": 0.9},
    "bf16": {"precision": "bf16"},
    "focal": {"heads": FOCAL},
    "freeze": {"freeze": 1},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "layer decay": {"layer_decay": 0.5},
    "lora": {"lora": 4},
    "lora and average": {"lora": 2, "average": 0.9, "freeze": 1, "r_drop": 1.0, "accumulate": 2},
    "r-drop": {"r_drop": 1.0},
    "reinitialise": {"reinitialise": 1},
    "teacher": {"teacher": 0.5},
    "temperature": {"sampling_temperature": 3.0},
}


@pytest.mark.parametrize(
    ("saved", "killed", "changes"),
    [(2, 2, {}), (3, 6, {}), (7, 11, {}), *((7, 11, changes) for changes in OPTIONS.values())],
    ids=["early", "middle", "late", *OPTIONS],
)
def test_a_killed_run_ends_with_the_weights_of_the_unbroken_one(
    world: Path, tmp_path: Path, saved: int, killed: int, changes: dict[str, Any]
) -> None:
    settings = settings_of(world, patience=100, evaluate_every=2, **changes)

    def score(made: checkpoint.Checkpoint) -> dict[str, float]:
        return {"f1": float(made.network.encoder.embeddings.word_embeddings.weight.detach().abs().sum())}

    unbroken = start(settings, tmp_path / "unbroken", score)
    expected = [step.json() for step in unbroken.steps()]
    assert unbroken.total >= 12 and unbroken.stream.epoch_batches < 11  # the last kill is in the second epoch

    first = start(settings, tmp_path / "broken", score)
    steps = first.steps()
    for step in steps:
        if step.number == saved:
            first.save()
        if step.number == killed:
            break
    del steps, first
    assert not (tmp_path / "broken" / "resume.pt.part").exists()

    torch.manual_seed(12345)
    torch.rand(7)
    second = start(settings, tmp_path / "broken", score)
    assert second.resume() and second.done == saved
    found = [step.json() for step in second.steps()]
    assert weights(tmp_path / "broken") == weights(tmp_path / "unbroken")
    ignored = {"seconds"}
    assert [{k: v for k, v in one.items() if k not in ignored} for one in found] == [
        {k: v for k, v in one.items() if k not in ignored} for one in expected[saved:]
    ]
    for name, value in second.checkpoint.network.state_dict().items():
        assert torch.equal(value, unbroken.checkpoint.network.state_dict()[name]), name


def gradients(settings: Settings, folder: Path) -> dict[str, torch.Tensor]:
    """Of one batch, clipped and before they are taken away."""
    run = start(settings, folder)
    found: dict[str, torch.Tensor] = {}

    def look(*_: Any) -> None:
        found.update({n: p.grad.clone() for n, p in run.checkpoint.network.named_parameters() if p.grad is not None})

    run.optimizer.optimizer.register_step_pre_hook(look)
    next(run.steps())
    return found


@pytest.mark.parametrize("parts", [2, 3, 1000])
@pytest.mark.parametrize("changes", [{}, {"heads": FOCAL, "teacher": 0.4}], ids=["plain", "weighted and taught"])
def test_a_batch_read_in_parts_teaches_what_it_teaches_whole(
    world: Path, tmp_path: Path, parts: int, changes: dict[str, Any]
) -> None:
    settings = settings_of(world, dropout=0.0, r_drop=0.5, **changes)
    whole = gradients(settings, tmp_path)
    divided = gradients(dataclasses.replace(settings, accumulate=parts), tmp_path)
    assert set(divided) == set(whole)
    for name, value in whole.items():
        assert torch.allclose(divided[name], value, rtol=1e-4, atol=1e-6), name
    one, other = (
        next(start(dataclasses.replace(settings, accumulate=count), tmp_path).steps()) for count in (1, parts)
    )
    assert other.losses == pytest.approx(one.losses, rel=1e-5) and other.pieces == one.pieces


def test_layers_computed_again_change_nothing(world: Path, tmp_path: Path) -> None:
    plain = gradients(settings_of(world), tmp_path)
    again = gradients(settings_of(world, gradient_checkpointing=True), tmp_path)
    assert all(torch.equal(again[name], value) for name, value in plain.items())  # dropout draws the same, too


def test_what_is_frozen_stays_and_the_rest_moves(world: Path, tmp_path: Path) -> None:
    for freeze, still in ((-1, ()), (0, ("embeddings",)), (1, ("embeddings", "encoder.layer.0."))):
        run = start(settings_of(world, freeze=freeze, epochs=1.0), tmp_path / str(freeze))
        before = {name: value.clone() for name, value in run.checkpoint.network.encoder.state_dict().items()}
        list(run.steps())
        for name, value in run.checkpoint.network.encoder.state_dict().items():
            if "token_type" not in name and "key.bias" not in name:  # a key's bias moves no attention
                assert torch.equal(value, before[name]) == name.startswith(still or "nothing"), (freeze, name)
    with pytest.raises(SettingsError, match="freeze is 3, and the encoder has 2 layers"):
        start(settings_of(world, freeze=3), tmp_path)
    with pytest.raises(SettingsError, match="freeze and reinitialise are together more than the encoder's 2 layers"):
        start(settings_of(world, freeze=1, reinitialise=2), tmp_path)


def test_top_layers_begin_anew(world: Path, tmp_path: Path) -> None:
    old = start(settings_of(world), tmp_path).checkpoint.network.state_dict()
    torch.manual_seed(99)
    new = start(settings_of(world, reinitialise=1), tmp_path).checkpoint.network.state_dict()
    changed = {name for name, value in new.items() if not torch.equal(value, old[name])}
    assert changed == {name for name in old if "layer.1." in name}
    assert new["encoder.encoder.layer.1.output.LayerNorm.weight"].eq(1).all()
    assert 0.01 < new["encoder.encoder.layer.1.intermediate.dense.weight"].std() < 0.03
    again = start(settings_of(world, reinitialise=1), tmp_path).checkpoint.network.state_dict()
    assert all(torch.equal(again[name], value) for name, value in new.items())


def test_lower_layers_learn_more_slowly(world: Path, tmp_path: Path) -> None:
    run = start(settings_of(world, layer_decay=0.5), tmp_path)
    peaks = {group["name"]: group["peak"] for group in run.optimizer.param_groups if "without" not in group["name"]}
    assert peaks == {
        "encoder embeddings": 5e-4, "encoder layer 1": 1e-3, "encoder layer 2": 2e-3, "encoder": 2e-3, "heads": 1e-2,
    }  # fmt: skip
    groups = {group["name"]: {id(p) for p in group["params"]} for group in run.optimizer.param_groups}
    encoder: Any = run.checkpoint.network.encoder
    assert {id(p) for p in encoder.encoder["layer"][0].parameters()} == (
        groups["encoder layer 1"] | groups["encoder layer 1 without decay"]
    )
    assert id(encoder.embeddings.word_embeddings.weight) in groups["encoder embeddings"]
    assert sum(map(len, groups.values())) == len(list(run.checkpoint.network.parameters()))


@pytest.mark.parametrize("family", ["", "roberta", "electra", "deberta-v2", "modernbert"])
def test_adapters_are_learned_in_place_of_the_encoder_and_merged(world: Path, tmp_path: Path, family: str) -> None:
    if family:
        family_folder(tmp_path / "encoder", family)
    toy = DataSettings(str(world / "toy.toml"), ("harm",))
    settings = settings_of(
        world, encoder=str(tmp_path / "encoder" if family else world / "encoder"), data=(toy,), heads=HEADS[2:],
        lora=4, layer_decay=0.9, freeze=1, gradient_checkpointing=True, epochs=1.0,
    )  # fmt: skip
    run = start(settings, tmp_path / "run")
    before = {name: value.clone() for name, value in run.checkpoint.network.named_parameters()}
    learned = {n for n, p in run.checkpoint.network.named_parameters() if p.requires_grad}
    encoder = {name for name in learned if "lora" in name}
    assert encoder and not [name for name in encoder if "layer.0." in name or "layers.0." in name]
    assert all(
        "lora" in name or name.startswith(("heads.", "model.classifier", "model.head", "model.pooler"))
        for name in learned
    )
    list(run.steps())
    after = dict(run.checkpoint.network.named_parameters())
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {name for name in learned if "lora_B" in name} <= moved <= learned

    made = checkpoint.load(tmp_path / "run")
    saved = made.network.state_dict()
    assert not [name for name in saved if "lora" in name or "base_layer" in name]
    texts = [Sentence(one.id, one.id, one.text) for one in invented("x", 6, seed=99)]
    run.checkpoint.network.eval()
    assert tiny.agree(
        tiny.predictor(made).predict({"harm": texts})["harm"],
        tiny.predictor(run.checkpoint).predict({"harm": texts})["harm"],
    )
    plain = start(dataclasses.replace(settings, lora=0), tmp_path / "other").checkpoint.network.state_dict()
    assert set(plain) == set(saved)


def test_the_average_is_scored_and_saved(world: Path, tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []

    def score(made: checkpoint.Checkpoint) -> dict[str, float]:
        seen.append(made.network.heads["harm"].classifier.weight.detach().clone())  # type: ignore[index]
        return {"f1": float(len(seen))}

    run = start(settings_of(world, average=0.5, evaluate_every=1, epochs=1.0), tmp_path, score)
    weight = run.checkpoint.network.heads["harm"].classifier.weight  # type: ignore[index]
    mean = torch.zeros_like(weight)
    for number, _ in enumerate(run.steps()):
        share = min(0.5, (1 + number) / (10 + number)) if number else 0.0
        mean = share * mean + (1 - share) * weight.detach()
        assert torch.allclose(seen[-1], mean, atol=1e-6) and (number == 0 or not torch.equal(seen[-1], weight))
    saved = checkpoint.load(tmp_path).network.heads["harm"].classifier.weight  # type: ignore[index]
    assert torch.equal(saved, seen[-1])


@pytest.mark.parametrize("changes", [{"average": 0.9}, {"lora": 4}, {"lora": 4, "average": 0.9}], ids=str)
def test_what_is_scored_is_what_is_saved(world: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    inputs = {"harm": [Sentence(one.id, one.id, one.text) for one in invented("x", 6, seed=99)]}
    scored: list[Any] = []

    def score(made: checkpoint.Checkpoint) -> dict[str, float]:
        scored.append(tiny.predictor(made).predict(inputs)["harm"])
        return {"f1": float(len(scored))}

    # mixed precision wraps the network's forward, and a copy must not run the weights it was copied from
    run = start(settings_of(world, precision="bf16", epochs=1.0, evaluate_every=7, **changes), tmp_path, score)
    for step in run.steps():
        if step.scores:
            saved = tiny.predictor(checkpoint.load(tmp_path)).predict(inputs)["harm"]
            assert tiny.agree(scored[-1], saved)
            raw = tiny.predictor(run.checkpoint).predict(inputs)["harm"]
            assert "average" not in changes or not tiny.agree(raw, saved)
    assert len(scored) > 1


def test_r_drop_draws_two_passes_together(world: Path, tmp_path: Path) -> None:
    plain, same, apart = (
        next(start(settings_of(world, **changes), tmp_path).steps()).losses["harm"]
        for changes in ({"dropout": 0.0}, {"dropout": 0.0, "r_drop": 1e3}, {"dropout": 0.3, "r_drop": 1e3})
    )
    assert same == pytest.approx(plain, rel=1e-5)  # without dropout there is nothing to draw together
    assert apart > plain + 0.03


def test_small_corpora_are_read_more_often_with_temperature(world: Path, tmp_path: Path) -> None:
    toy, diseases = (rows * 1.0 for rows in (29, 30))
    run = start(settings_of(world, sampling_temperature=2.0), tmp_path)
    shares = [toy**0.5, 0.5 * diseases**0.5]
    whole = toy + 0.5 * diseases
    expected = [whole * share / sum(shares) / size for share, size in zip(shares, (toy, diseases), strict=True)]
    assert run.stream.weights == pytest.approx(expected)
    assert start(settings_of(world), tmp_path).stream.weights == [1.0, 0.5]


def test_what_a_corpus_does_not_annotate_can_be_masked_where_it_says_nothing(world: Path, tmp_path: Path) -> None:
    for unjudged, told in (("negative", True), ("masked", False)):
        settings = settings_of(world, heads=(dataclasses.replace(HEADS[0], unjudged=unjudged),))
        toy = dataclasses.replace(settings.data[0], heads=("entities",))
        run = start(dataclasses.replace(settings, data=(toy, settings.data[1])), tmp_path / unjudged)
        wide = max(len(row.window) for row in run.mixture.rows[1])
        torch.manual_seed(0)
        logits = torch.randn(len(run.mixture.rows[1]), wide, 5, requires_grad=True)
        run.objective.losses([{"entities": logits}], run.mixture.rows[1], run.mixture.rows[1])["entities"].backward()
        assert logits.grad is not None
        gold = torch.full(logits.shape[:2], -100)
        for place, row in enumerate(run.mixture.rows[1]):
            gold[place, : len(row.window)] = torch.from_numpy(row.targets["entities"])
        assert (logits.grad[gold == 0][:, 1:3] < 0).all() == told  # Chemical, which this corpus never asked about
        assert logits.grad[gold == 0][:, 1:3].any() == told
        assert (logits.grad[gold == 0][:, 3:] > 0).all() and (logits.grad[gold > 0][:, 1:3] > 0).all()


def test_a_teachers_answers_become_a_table_of_probabilities(world: Path, tmp_path: Path) -> None:
    run = start(settings_of(world, teacher=0.5), tmp_path)
    rows = run.mixture.rows[0]
    assert all(not row.soft for row in run.mixture.rows[1])
    documents = {one.id: one for one in invented("100", 30, seed=5)}
    teacher = tiny.predictor(checkpoint.load(world / "teacher"))
    for row in rows[:6]:
        one = documents[row.document]
        sentence = Sentence(one.id, one.id, one.text)
        answers = teacher.predict({"harm": [sentence], "entities": [sentence]})
        harm = answers["harm"][0].probabilities
        assert row.soft["harm"].tolist() == [pytest.approx([harm["no"], harm["yes"]])]
        pair = next(iter(TASKS["relation"].inputs(one, run.checkpoint.network.asked[1])))
        relation = teacher.predict({"relations": [pair]})["relations"][0].probabilities
        assert row.soft["relations"].tolist() == [pytest.approx([relation["NO_RELATION"], relation["CID"]])]
        soft = row.soft["entities"]
        assert np.array_equal(np.isnan(soft[:, 0]), row.targets["entities"] < 0)  # one piece a word
        judged = soft[~np.isnan(soft[:, 0])]
        spans = [span for span in answers["entities"][0].value if not isinstance(span, str) and span.type != "Gene"]
        for kind, name in enumerate(("Chemical", "Disease")):
            inside = judged[:, 2 * kind + 1 : 2 * kind + 3].sum(axis=1)
            found = {round(float(value), 4) for value in inside if value}
            assert found == {round(span.probability or 0, 4) for span in spans if span.type == name}
    assert any((row.soft["entities"][:, 1:] > 0).any() for row in rows)
    assert any("taught by teacher@" in name for name in run.mixture.counts)


def test_the_seeds_of_a_folder_teach_by_their_mean(world: Path, tmp_path: Path) -> None:
    from relatome.corpora.audit import Seen, SeenPart
    from relatome.training.run import seen

    teaches = checkpoint.load(world / "teacher").network.asked
    parts = []
    for seed in (1, 2, 10):
        folder = tmp_path / "three" / f"seed-{seed}"
        checkpoint.save(tiny.fresh(tmp_path / "encoder", teaches, seed=seed), folder)
        parts.append(SeenPart(f"corpus {seed}", "train", "official", "0", "train", ()))
        Seen((parts[-1],)).write(folder)

    def soft(teacher: Path) -> Any:
        settings = settings_of(world, teacher=0.5)
        data = dataclasses.replace(settings.data[0], teacher=str(teacher))
        run = start(dataclasses.replace(settings, data=(data, *settings.data[1:])), tmp_path / "student" / teacher.name)
        return [row.soft for row in run.mixture.rows[0]], set(seen(run.settings).parts)

    together, known = soft(tmp_path / "three")
    alone = [soft(tmp_path / "three" / f"seed-{seed}")[0] for seed in (1, 2, 10)]
    assert known >= set(parts) and not np.allclose(alone[0][0]["harm"], alone[1][0]["harm"], atol=1e-3)
    for row, *rows in zip(together, *alone, strict=True):
        assert set(row) == {"entities", "relations", "harm"}
        for name, table in row.items():
            assert np.allclose(table, np.mean([one[name] for one in rows], axis=0), atol=1e-6, equal_nan=True)


def test_a_teachers_answers_are_kept_in_its_folder(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teaches = checkpoint.load(world / "teacher").network.asked
    teacher = tmp_path / "teacher"
    checkpoint.save(tiny.fresh(tmp_path / "encoder", teaches, seed=5), teacher)
    asked: list[int] = []
    predict = NeuralPredictor.predict

    def counted(self: NeuralPredictor, requests: Mapping[str, Any], **more: Any) -> Any:
        asked.append(sum(map(len, requests.values())))
        return predict(self, requests, **more)

    monkeypatch.setattr(NeuralPredictor, "predict", counted)

    def soft(**changes: Any) -> list[dict[str, Any]]:
        asked.clear()
        settings = settings_of(world, teacher=0.5, **changes)
        data = dataclasses.replace(settings.data[0], teacher=str(teacher))
        run = start(dataclasses.replace(settings, data=(data, *settings.data[1:])), tmp_path / "student")
        return [row.soft for row in run.mixture.rows[0]]

    first = soft()
    assert asked
    (file,) = (teacher / "answers").iterdir()
    again = soft(seed=7, learning_rate=1e-4)
    assert not asked
    for one, other in zip(first, again, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)
    file.write_bytes(file.read_bytes()[:-100])
    soft()
    assert asked and [one.name for one in (teacher / "answers").iterdir()] == [file.name]
    soft(heads=(HEADS[0], HEADS[1], dataclasses.replace(HEADS[2], labels=("yes", "no"))))  # columns in another order
    assert asked and len(list((teacher / "answers").iterdir())) == 2
    checkpoint.save(tiny.fresh(tmp_path / "encoder", teaches, seed=6), teacher)
    soft()
    assert asked  # another teacher now


def test_a_student_learns_its_teachers_answers(world: Path, tmp_path: Path) -> None:
    settings = settings_of(world, teacher=1.0, epochs=10.0, dropout=0.0, learning_rate=5e-3, batch_pieces=128)
    harm = dataclasses.replace(settings.data[0], heads=("harm",), teacher_temperature=1.0)
    settings = dataclasses.replace(settings, data=(harm,), heads=HEADS[2:])
    list(start(settings, tmp_path).steps())
    inputs = [Sentence(one.id, one.id, one.text) for one in invented("100", 30, seed=5)]
    teacher, student = (
        [one.probabilities["yes"] for one in tiny.predictor(checkpoint.load(folder)).predict({"harm": inputs})["harm"]]
        for folder in (world / "teacher", tmp_path)
    )
    gold = [float(number % 3 > 0) for number in range(30)]
    assert np.abs(np.subtract(student, teacher)).mean() < 0.1 < 0.3 < np.abs(np.subtract(student, gold)).mean()


def test_a_teacher_must_choose_between_the_same_classes(world: Path, tmp_path: Path) -> None:
    settings = settings_of(world, teacher=0.5)
    heads = (*HEADS[:2], dataclasses.replace(HEADS[2], labels=("no", "yes", "perhaps")))
    with pytest.raises(SettingsError) as caught:
        start(dataclasses.replace(settings, heads=heads), tmp_path)
    assert caught.value.problems == (
        "heads 'harm': the teacher chooses between yes, no, and this head between no, yes, perhaps",
    )


def test_a_student_has_seen_what_its_teacher_saw(world: Path, tmp_path: Path) -> None:
    from relatome.corpora.audit import Seen, SeenPart
    from relatome.training.run import seen

    part = SeenPart("elsewhere", "train", "official", "0", "train", ())
    Seen((part,)).write(tmp_path)
    settings = settings_of(world)
    taught = dataclasses.replace(settings.data[0], teacher=str(tmp_path))
    assert part in seen(dataclasses.replace(settings, data=(taught,))).parts and part not in seen(settings).parts


def test_a_second_stage_knows_what_the_first_learned_and_saw(world: Path, tmp_path: Path) -> None:
    from relatome.corpora.audit import Seen
    from relatome.training.run import prepare, seen, train

    settings = settings_of(world)
    for _ in train(prepare(settings, tmp_path / "first")):
        pass
    toy = settings.data[0]
    second = dataclasses.replace(settings, encoder=str(tmp_path / "first"), data=(toy,))
    for _ in train(prepare(second, tmp_path / "second")):
        pass
    (before,) = checkpoint.load(tmp_path / "second").card["before"]
    assert before["settings"]["encoder"] == settings.encoder and "diseases train" in before["counts"]
    said = Seen.read(tmp_path / "second")
    assert said is not None
    assert [part.corpus for part in said.parts] == [part.corpus for part in seen(settings).parts]  # each once
    third = checkpoint.new(tmp_path / "second", mixture.heads(second))
    assert [stage["settings"]["data"] for stage in third.card["before"]] == [
        item.json()["data"] for item in (settings, second)
    ]


def test_checkpoints_are_written_on_the_way(world: Path, tmp_path: Path) -> None:
    run = start(settings_of(world, checkpoint_seconds=1e-6), tmp_path)
    steps = run.steps()
    for number in range(1, 4):
        assert next(steps).number == number
        assert torch.load(tmp_path / "resume.pt", weights_only=True)["done"] == number


def test_the_model_says_what_it_was_trained_on_and_with(world: Path, tmp_path: Path) -> None:
    from relatome.training.run import prepare, train

    list(train(prepare(settings_of(world, epochs=0.2), tmp_path)))
    card = checkpoint.load(tmp_path).card
    environment = card["environment"]
    assert environment["torch"] == torch.__version__.partition("+")[0] or environment["torch"] == torch.__version__
    assert {"python", "system", "cores", "relatome", "numpy"} <= set(environment)
    assert (environment["device"], environment["precision"]) == ("cpu", "fp32")
    assert environment["threads"] == str(torch.get_num_threads())
    assert str(tmp_path) not in json.dumps(environment)
    assert set(card["corpora"]) == {"toy", "diseases"}
    assert card["corpora"]["toy"] == {
        "title": "An invented corpus", "version": "1", "licence": "CC0 1.0", "terms": "None.", "citation": "None.", "ship": True,
    }  # fmt: skip


@pytest.mark.parametrize("saved", [0, 3])
def test_a_resumed_runs_log_has_every_step_once(world: Path, tmp_path: Path, saved: int) -> None:
    from relatome.training.run import train

    settings = settings_of(world, epochs=1.0)
    first = start(settings, tmp_path)
    for step in train(first):
        if step.number == saved:
            first.save()
        if step.number == 6:
            break
    log = tmp_path / "log.jsonl"
    with log.open("a", encoding="utf-8") as file:
        file.write('{"step": 7, "of"')  # killed while it wrote
    second = start(settings, tmp_path)
    assert second.resume() == bool(saved)
    last = list(train(second))[-1]
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == list(range(1, last.number + 1))
    assert last.number == second.total and not list(tmp_path.glob("*.part"))


def test_another_family_learns_resumes_and_can_be_opened(world: Path, tmp_path: Path) -> None:
    family_folder(tmp_path / "encoder", "roberta")
    toy = DataSettings(str(world / "toy.toml"), ("harm",))
    settings = settings_of(
        world, encoder=str(tmp_path / "encoder"), heads=(HeadSettings("harm", "classification"),), data=(toy,),
        epochs=12.0, learning_rate=3e-3, dropout=0.0,
    )  # fmt: skip
    steps = list(start(settings, tmp_path / "unbroken").steps())
    assert np.mean([step.losses["harm"] for step in steps[-5:]]) < 0.5 * np.mean([s.losses["harm"] for s in steps[:3]])
    run = start(settings, tmp_path / "broken")
    for step in run.steps():
        if step.number == 3:
            run.save()
        if step.number == 5:
            break
    again = start(settings, tmp_path / "broken")
    assert again.resume() and len(list(again.steps())) == len(steps) - 3
    assert weights(tmp_path / "broken") == weights(tmp_path / "unbroken")
    documents = list(invented("x", 12, seed=99))
    inputs = [Sentence(one.id, one.id, one.text) for one in documents]
    answers = tiny.predictor(checkpoint.load(tmp_path / "broken")).predict({"harm": inputs})["harm"]
    right = [one.value == doc.labels[0].value for one, doc in zip(answers, documents, strict=True)]
    assert sum(right) >= 10


def test_a_checkpoint_older_than_an_option_goes_on(world: Path, tmp_path: Path) -> None:
    start(settings_of(world), tmp_path).save()
    state = torch.load(tmp_path / "resume.pt", weights_only=True)
    del state["settings"]["heads"][0]["smoothing"]
    torch.save(state, tmp_path / "resume.pt")
    assert start(settings_of(world), tmp_path).resume()
    smooth = (dataclasses.replace(HEADS[0], smoothing=0.1), *HEADS[1:])
    with pytest.raises(TrainingError, match="a run with other settings"):
        start(settings_of(world, heads=smooth), tmp_path).resume()


def test_a_run_with_other_settings_does_not_go_on(world: Path, tmp_path: Path) -> None:
    start(settings_of(world), tmp_path).save()
    other = start(settings_of(world, learning_rate=1e-3), tmp_path)
    with pytest.raises(TrainingError) as caught:
        other.resume()
    assert str(caught.value) == f"{tmp_path}: this folder holds a run with other settings (choose another folder)"
    assert not start(settings_of(world), tmp_path / "new").resume()


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 half"])
def test_a_damaged_checkpoint_is_one_line(world: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "resume.pt").write_bytes(content)
    with pytest.raises(TrainingError, match="the checkpoint cannot be read") as caught:
        start(settings_of(world), tmp_path).resume()
    assert str(caught.value).startswith(str(tmp_path / "resume.pt")) and "\n" not in str(caught.value)


def test_it_stops_when_dev_stops_getting_better_and_keeps_the_best(world: Path, tmp_path: Path) -> None:
    scores = iter([0.2, 0.5, 0.5, 0.4, 0.9])
    kept: dict[float, bytes] = {}

    def score(made: checkpoint.Checkpoint) -> dict[str, float]:
        assert made.network is not None
        return {"f1": next(scores), "other": 1.0}

    steps: list[Step] = []
    run = start(settings_of(world, epochs=9.0, evaluate_every=2, patience=2), tmp_path, score)
    for step in run.steps():
        steps.append(step)
        if step.scores:
            kept[step.scores["f1"]] = weights(tmp_path)
    assert [step.number for step in steps] == list(range(1, 9))
    assert [(step.scores["f1"], step.better) for step in steps if step.scores] == [
        (0.2, True), (0.5, True), (0.5, False), (0.4, False),
    ]  # fmt: skip
    assert kept[0.2] != kept[0.5] == weights(tmp_path)
    assert checkpoint.load(tmp_path).card["training"]["dev"] == {"f1": 0.5, "other": 1.0}
    assert checkpoint.load(tmp_path).card["training"]["steps"] == 4
    line = steps[3].json()
    assert line["scores"] == {"f1": 0.5, "other": 1.0} and line["better"] and "scores" not in steps[0].json()


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_batch(world: Path, tmp_path: Path) -> None:
    run = start(settings_of(world, checkpoint_seconds=1e-6), tmp_path)
    steps = run.steps()
    next(steps), next(steps)
    with torch.no_grad():
        run.checkpoint.network.encoder.embeddings.LayerNorm.weight.fill_(math.nan)
    with pytest.raises(TrainingError) as caught:
        next(steps)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path}: the loss is nan in step 3, in the batch of ")
    assert "rows from " in message and ("toy 10" in message or "diseases 20" in message)
    assert message.endswith("(lower the learning rate; the last checkpoint was kept)")
    again = start(settings_of(world, checkpoint_seconds=1e-6), tmp_path)
    assert again.resume() and again.done == 2
    assert all(torch.isfinite(value).all() for value in again.checkpoint.network.state_dict().values())
    assert math.isfinite(sum(next(again.steps()).losses.values()))


def test_the_rate_warms_up_and_decays_to_nothing(world: Path, tmp_path: Path) -> None:
    settings = settings_of(world, warmup=0.3)
    run = start(settings, tmp_path)
    rates = []
    for _ in range(3 * run.total):
        if run.done == run.total:
            break
        run._set_rate()
        rates.append({group["name"]: group["lr"] for group in run.optimizer.param_groups})
        run.done += 1
    encoder = [rate["encoder"] for rate in rates]
    warm = round(0.3 * run.total)
    assert max(encoder) == encoder[warm - 1] == settings.learning_rate
    assert all(a < b for a, b in itertools.pairwise(encoder[:warm]))
    assert all(a > b for a, b in itertools.pairwise(encoder[warm:]))
    assert 0 < encoder[-1] < settings.learning_rate / 4
    assert rates[warm - 1]["heads"] == settings.head_learning_rate
    for rate in rates:
        assert rate["heads"] == pytest.approx(rate["encoder"] * 5) and rate["encoder"] == rate["encoder without decay"]


def test_biases_and_norms_do_not_decay(world: Path, tmp_path: Path) -> None:
    run = start(settings_of(world, weight_decay=0.3), tmp_path)
    decays = {group["name"]: group["weight_decay"] for group in run.optimizer.param_groups}
    assert decays == {"encoder": 0.3, "encoder without decay": 0.0, "heads": 0.3, "heads without decay": 0.0}
    counted = sum(len(group["params"]) for group in run.optimizer.param_groups)
    assert counted == len(list(run.checkpoint.network.parameters()))
    assert all(
        p.ndim == 1 for group in run.optimizer.param_groups if "without" in group["name"] for p in group["params"]
    )


def test_class_weights_are_inverse_frequencies_with_a_mean_of_one(world: Path, tmp_path: Path) -> None:
    heads = (*HEADS[:2], dataclasses.replace(HEADS[2], class_weights="balanced"))
    run = start(settings_of(world, heads=heads), tmp_path)
    assert run.objective.weights["entities"] is None and run.objective.weights["relations"] is None
    found = run.objective.weights["harm"]
    assert found is not None
    gold = [int(row.targets["harm"][0]) for row in run.mixture.rows[0]]
    no, yes = gold.count(0), gold.count(1)
    assert (no, yes) == (9, 20)
    assert found.tolist() == pytest.approx([29 / (2 * no), 29 / (2 * yes)])
    assert sum(found[label].item() for label in gold) / len(gold) == pytest.approx(1, abs=1e-6)
    assert math.isfinite(sum(next(run.steps()).losses.values()))

    heads = (*HEADS[:2], dataclasses.replace(HEADS[2], class_weights="root"))
    root = start(settings_of(world, heads=heads), tmp_path / "root").objective.weights["harm"]
    assert root is not None
    assert (root[0] / root[1]).item() == pytest.approx(math.sqrt(yes / no), abs=1e-6)
    assert sum(root[label].item() for label in gold) / len(gold) == pytest.approx(1, abs=1e-6)


def test_dropout_is_the_encoders_own_unless_asked(world: Path, tmp_path: Path) -> None:
    def rates(run: Run) -> set[float]:
        return {module.p for module in run.checkpoint.network.modules() if isinstance(module, torch.nn.Dropout)}

    assert rates(start(settings_of(world), tmp_path)) == {0.1}
    assert rates(start(settings_of(world, dropout=0.0), tmp_path)) == {0.0}


@pytest.mark.slow
def test_every_kind_of_head_can_be_trained(world: Path, tmp_path: Path) -> None:
    heads = (
        HeadSettings("entities", "ner", "layers"),
        HeadSettings("relations", "relation", "marker"),
        HeadSettings("harm", "classification", "label"),
    )
    settings = settings_of(world, heads=heads, epochs=6.0, learning_rate=5e-3, batch_pieces=128, dropout=0.0)
    steps = list(start(settings, tmp_path).steps())
    for head in heads:
        losses = [step.losses[head.name] for step in steps if head.name in step.losses]
        quarter = len(losses) // 4
        assert np.mean(losses[-quarter:]) < 0.5 * np.mean(losses[:quarter]), head.name


def test_a_batch_without_items_for_a_head_says_nothing_of_it(world: Path, tmp_path: Path) -> None:
    run = start(settings_of(world, batch_pieces=17), tmp_path)
    found = [frozenset(step.losses) for step in itertools.islice(run.steps(), 25)]
    assert {frozenset({"entities"}), frozenset({"entities", "relations", "harm"})} == set(found)


def test_the_words_for_precision() -> None:
    assert precision("fp32") == "no" and precision("bf16") == "bf16" and precision("auto") in ("no", "bf16", "fp16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_half_precision_needs_a_device_that_has_it() -> None:
    with pytest.raises(SettingsError, match="precision fp16 needs a CUDA device, and there is none here"):
        precision("fp16")


@pytest.mark.gpu
def test_half_precision_learns_and_resumes(world: Path, tmp_path: Path) -> None:
    settings = settings_of(world, precision="fp16", epochs=4.0)
    steps = list(start(settings, tmp_path / "unbroken").steps())
    assert np.mean([sum(s.losses.values()) for s in steps[-5:]]) < np.mean([sum(s.losses.values()) for s in steps[:5]])
    first = start(settings, tmp_path / "broken")
    for step in first.steps():
        if step.number == 5:
            first.save()
            break
    again = start(settings, tmp_path / "broken")
    assert again.resume() and again.accelerator.scaler.state_dict() == first.accelerator.scaler.state_dict()
    list(again.steps())
    assert weights(tmp_path / "broken") == weights(tmp_path / "unbroken")


# ------------------------------------------------------------------------------------------------ elsewhere

BLOCKED = ("pydantic", "pydantic_core", "openvino", "nncf")
IMPORT = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
import relatome.training.settings, relatome.training.mixture, relatome.training.stream
import relatome.training.loop, relatome.training.run
print(sorted(set({BLOCKED}) & {{name.split(".")[0] for name in sys.modules}}))
"""


@pytest.mark.slow
def test_training_imports_without_pydantic_openvino_and_nncf() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"

"""The options of relation heads: which pairs are asked about, how they are read, and what is answered.

All texts are invented; the models have random weights.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from relatome.batches import collate, encode
from relatome.cli import main
from relatome.documents import Document, Mention, Relation
from relatome.errors import MarkerError, ModelError, SettingsError
from relatome.evaluate import evaluate
from relatome.extract import extract
from relatome.models import checkpoint, heads
from relatome.predictors.neural import Memory, NeuralPredictor
from relatome.tasks import relation
from relatome.tasks.example import NEGATIVE, Argument, Example, Head, Options, Pair, Prediction, Sentence, TypedSpan
from relatome.tasks.pairs import Facts, candidates, left_out, reachable
from relatome.training import mixture
from relatome.training import settings as options
from relatome.training.loop import Run
from relatome.training.settings import Settings
from relatome.wordpieces import WordPieces
from tests import tiny

KINDS = ("packed", "marker")
LABELS = (NEGATIVE, "Bind", "INHIBITOR")
BIND = Head(
    "relations", "relation", "packed", LABELS,
    {"Bind": (("Gene", "Gene"), ("Chemical", "Gene"), ("Gene", "Chemical")), "INHIBITOR": (("Chemical", "Gene"),)},
    options=Options(symmetric=("Bind",)),
)  # fmt: skip


def document(identifier: str = "d", text: str = "Aspirin hits cox and kinase.", **more: Any) -> Document:
    """A chemical and two genes in one sentence."""
    mentions = []
    for number, (word, kind) in enumerate((("Aspirin", "Chemical"), ("cox", "Gene"), ("kinase", "Gene")), start=1):
        start = text.index(word)
        mentions.append(Mention(f"T{number}", start, start + len(word), kind, word))
    return Document(identifier, text, mentions=tuple(mentions), **more).check()


BOUND = document(relations=(Relation("R1", "Bind", "T3", "T2"), Relation("R2", "INHIBITOR", "T1", "T2")))


def reversed_pairs(found: Sequence[Pair]) -> list[Pair]:
    return [relation.mirrored(pair) for pair in found]


def by_order(answers: Sequence[Prediction], label: str) -> list[float]:
    return [answer.probabilities.get(label, 0.0) for answer in answers]


# ------------------------------------------------------------------------------------------------ symmetric labels


def test_both_orders_of_a_symmetric_label_are_taught_the_same() -> None:
    golds = {example.input.id: example.gold for example in relation.examples(BOUND, BIND)}
    assert golds == {
        "d:T1-T2": "INHIBITOR", "d:T1-T3": NEGATIVE, "d:T2-T1": NEGATIVE, "d:T3-T1": NEGATIVE,
        "d:T2-T3": "Bind", "d:T3-T2": "Bind",
    }  # fmt: skip
    today = replace(BIND, options=Options())
    assert [e.gold for e in relation.examples(BOUND, today) if e.input.id == "d:T2-T3"] == [NEGATIVE]
    assert reachable(BOUND, BIND) == (2, 2)


def test_relations_between_concepts_hold_both_ways_too() -> None:
    mentions = tuple(replace(m, concepts=(f"C{m.id[1:]}",)) for m in BOUND.mentions)
    facts = replace(BOUND, mentions=mentions, relations=(Relation("R1", "Bind", "C3", "C2", level="concept"),))
    found = Facts.of(facts, BIND)
    assert found.labels("T2", "T3") == found.labels("T3", "T2") == ("Bind",)
    assert reachable(facts, BIND) == (1, 1)
    listed = replace(BIND, arguments={"Bind": (("Gene", "Chemical"),)}, options=Options())
    assert reachable(replace(facts, relations=(Relation("R1", "Bind", "C1", "C2", level="concept"),)), listed) == (0, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_does_not_depend_on_the_order_or_on_who_else_asks(tmp_path: Path, kind: str) -> None:
    head = replace(BIND, kind=kind)
    asked = tiny.predictor(tiny.fresh(tmp_path, [head]))
    genes = [pair for pair in candidates(BOUND, head) if pair.head.type == pair.tail.type == "Gene"]
    together = asked.predict({"relations": genes})["relations"]
    alone = [asked.predict({"relations": [pair]})["relations"][0] for pair in genes]
    assert together[0].probabilities == together[1].probabilities
    assert tiny.agree(together, alone)
    plain = tiny.predictor(tiny.fresh(tmp_path / "plain", [replace(head, options=Options())]))
    one, other = plain.predict({"relations": genes})["relations"]
    assert one.probabilities != other.probabilities  # or there would be nothing to average
    mean = np.mean([by_order([one, other], label) for label in LABELS[:2]], axis=1)
    assert by_order(together[:1], NEGATIVE) + by_order(together[:1], "Bind") == pytest.approx(mean, abs=2e-4)


def test_labels_with_a_direction_share_what_the_symmetric_ones_leave() -> None:
    head = replace(BIND, arguments={})
    sentence = Sentence("s", "d", "cox kinase")
    pair = Pair("p", sentence, Argument("a", 0, 3, ""), Argument("b", 4, 10, ""))
    logits = np.log(np.asarray([[0.1, 0.2, 0.7], [0.1, 0.6, 0.3]], dtype=np.float32))
    both = [pair, relation.mirrored(pair)]
    window = WordPieces.toy(tiny.PIECES).windows([sentence.text])
    (item,) = relation.encode([window[0]] * 2, both, head)
    one, other = relation.decode(both, [item], [logits], head)
    assert one.probabilities["Bind"] == other.probabilities["Bind"] == pytest.approx(0.4, abs=1e-4)
    assert dict(one.probabilities) == pytest.approx({NEGATIVE: 0.075, "Bind": 0.4, "INHIBITOR": 0.525}, abs=2e-4)
    assert dict(other.probabilities) == pytest.approx({NEGATIVE: 0.15, "Bind": 0.4, "INHIBITOR": 0.45}, abs=2e-4)
    assert (one.value, other.value) == ("INHIBITOR", "INHIBITOR")


def test_a_pair_whose_other_order_is_not_asked_is_read_in_both() -> None:
    found = [pair for pair in candidates(BOUND, BIND) if pair.id in ("d:T1-T2", "d:T2-T3")]
    windows = WordPieces.toy(tiny.PIECES).windows([BOUND.text])
    (item,) = relation.encode([windows[0]] * 2, found, BIND)
    assert item.inputs == (0, 1, 0, 1) and item.mirrored == 2
    assert item.markers is not None and item.markers[2].tolist() == item.markers[0][[2, 3, 0, 1]].tolist()
    assert relation.targets(item, ["INHIBITOR", "Bind"], BIND).tolist() == [2, 1, 0, 1]
    legal = relation.legal_labels(item, found, BIND).tolist()
    assert legal == [[True, True, True], [True, True, False], [True, True, False], [True, True, False]]


def test_of_a_symmetric_relation_one_order_comes_out() -> None:
    found = list(candidates(BOUND, BIND))
    answers = [
        Prediction(p.id, str(e.gold), {str(e.gold): 0.9})
        for p, e in zip(found, relation.examples(BOUND, BIND), strict=True)
    ]
    attached = relation.attach(BOUND, found, answers, "tiny", BIND.options.symmetric).check()
    assert [(r.type, r.head, r.tail) for r in attached.relations] == [("INHIBITOR", "T1", "T2"), ("Bind", "T2", "T3")]


# ------------------------------------------------------------------------------------------------ in a run file

CARD = """
name = "{name}"
title = "An invented corpus"
version = "1"
reader = "jsonl"
unit = "sentence"
tasks = ["ner", "relation"]
protocol = "official"
licence = "CC0 1.0"
terms = "None."
ship = true
citation = "None."
exhaustive = ["Chemical", "Gene"]

[origin]
url = "https://example.org/"

[types]
Chemical = "Chemical"
Gene = "Gene"

[relations]
Bind = {{ arguments = [["Gene", "Gene"]], level = "mention", symmetric = true }}
INHIBITOR = {{ arguments = [["Chemical", "Gene"]], level = "mention" }}

[protocols.official]
kind = "files"

[protocols.official.splits.train]
read = ["{name}.train"]

[files]
"{name}.train" = {{ sha256 = "{train}" }}
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one corpus, and an encoder."""
    from relatome.formats import jsonl

    (tmp_path / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n", encoding="utf-8")
    file = tmp_path / "bound.train"
    jsonl.write([replace(BOUND, id=f"b{number}") for number in range(4)], file)
    card = CARD.format(name="bound", train=hashlib.sha256(file.read_bytes()).hexdigest())
    (tmp_path / "bound.toml").write_text(card, encoding="utf-8")
    tiny.encoder_folder(tmp_path / "encoder")
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    return tmp_path


def settings_of(world: Path, **head: Any) -> Settings:
    return options.parse(
        {
            "encoder": str(world / "encoder"), "limit": 64, "epochs": 1, "batch_pieces": 256, "precision": "fp32",
            "heads": [{"name": "relations", "task": "relation", **head}],
            "data": [{"corpus": str(world / "bound.toml"), "heads": ["relations"]}],
        }
    )  # fmt: skip


def head_of(world: Path, **head: Any) -> Head:
    (found,) = mixture.heads(settings_of(world, **head))
    return found


def trained(world: Path, folder: Path, **head: Any) -> NeuralPredictor:
    """A model trained for an epoch, saved, and opened again."""
    settings = settings_of(world, **head)
    heads = mixture.heads(settings)
    made = checkpoint.new(settings.encoder, heads, limit=settings.limit)
    steps = list(Run(settings, made, mixture.build(settings, heads, made.pieces, made.limit), folder).steps())
    assert all(np.isfinite(list(step.losses.values())).all() for step in steps)
    again = checkpoint.load(folder)
    assert again.network.asked == made.network.asked
    return tiny.predictor(again)


def test_symmetric_labels_are_those_of_the_cards_unless_the_run_says_others(world: Path) -> None:
    assert head_of(world).options.symmetric == ("Bind",)
    assert head_of(world).arguments == {"Bind": (("Gene", "Gene"),), "INHIBITOR": (("Chemical", "Gene"),)}
    assert head_of(world, symmetric=[]).options.symmetric == ()
    both = head_of(world, symmetric=["card", "INHIBITOR"])
    assert both.options.symmetric == ("Bind", "INHIBITOR")
    assert both.arguments["INHIBITOR"] == (("Chemical", "Gene"), ("Gene", "Chemical"))


def test_type_pairs_of_the_run_replace_those_of_the_cards(world: Path) -> None:
    for_all = head_of(world, pairs=[["Chemical", "Gene"]], symmetric=[])
    assert for_all.arguments == {"Bind": (("Chemical", "Gene"),), "INHIBITOR": (("Chemical", "Gene"),)}
    one = head_of(world, pairs=[["Bind", "Chemical", "Gene"], ["Bind", "Gene", "Gene"]])
    assert one.arguments["INHIBITOR"] == (("Chemical", "Gene"),)
    assert one.arguments["Bind"] == (("Chemical", "Gene"), ("Gene", "Gene"), ("Gene", "Chemical"))


def test_both_directions_are_asked_about(world: Path) -> None:
    head = head_of(world, direction="both")
    assert [pair.id for pair in candidates(BOUND, head)] == [
        "d:T1-T2", "d:T1-T3", "d:T2-T1", "d:T2-T3", "d:T3-T1", "d:T3-T2",
    ]  # fmt: skip
    assert {e.input.id: e.gold for e in relation.examples(BOUND, head)}["d:T2-T1"] == NEGATIVE
    assert [pair.id for pair in candidates(BOUND, head_of(world))] == ["d:T1-T2", "d:T1-T3", "d:T2-T3", "d:T3-T2"]


def test_a_label_that_is_none_is_named(world: Path) -> None:
    for option, value in (("symmetric", ["Bound"]), ("pairs", [["Bound", "Gene", "Gene"]])):
        with pytest.raises(
            SettingsError, match=f"{option} names 'Bound', which is no label of it: NO_RELATION, Bind, "
        ):
            head_of(world, **{option: value})


def test_the_settings_can_be_run_again(world: Path, tmp_path: Path) -> None:
    settings = settings_of(world, pairs=[["Bind", "Gene", "Gene"], ["Chemical", "Gene"]], direction="both")
    (tmp_path / "run.toml").write_text(settings.toml(), encoding="utf-8")
    assert options.read(tmp_path / "run.toml") == settings


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "direction": ({"direction": "down"}, "direction should be listed or both, found 'down'"),
    "markers": ({"markers": "round"}, "markers should be plain or typed or blinded, found 'round'"),
    "pooling": ({"pooling": "max"}, "pooling should be cls or start or mention, found 'max'"),
    "choice": ({"choice": "both"}, "choice should be exclusive or multilabel, found 'both'"),
    "packed and blinded": (
        {"markers": "blinded"},
        "markers cannot be blinded: a packed head reads the text once for all of its pairs, and each pair hides other "
        "mentions; use kind marker",
    ),
    "packed and cls": (
        {"pooling": "cls"},
        "pooling cannot be cls: a packed head reads the text once, and its first piece is the same for every pair; "
        "use kind marker",
    ),
    "unjudged": ({"unjudged": "left"}, "unjudged should be negative or masked, found 'left'"),
    "masked and several": (
        {"unjudged": "masked", "choice": "multilabel"}, "unjudged cannot be masked: each label is judged by itself, and",
    ),
    "marker without ends": (
        {"kind": "marker", "closing": False}, "a marker head reads closing markers: leave them, or use kind packed",
    ),
    "mentions without ends": (
        {"pooling": "mention", "closing": False},
        "pooling mention reads a mention's closing marker too: use pooling start, or closing = true",
    ),
    "a ratio of all": (
        {"negative_ratio": 2.0}, "negative_ratio is 2.0, and negatives are all: choose ratio or hard",
    ),
    "no ratio": ({"negatives": "hard"}, "negatives are hard: negative_ratio should be above 0, found 0.0"),
    "sentences": ({"sentences": -1}, "sentences should be from 0 to 100, found -1"),
    "length": (
        {"pairs": [["Gene"]]}, 'pairs holds ["Gene"], expected [head type, tail type] or [label, head type, tail type]',
    ),
    "shape": ({"pairs": ["Gene"]}, "heads[1]: pairs should be a list of lists of str, found ['Gene']"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_option_is_told(world: Path, case: str) -> None:
    given, message = WRONG[case]
    with pytest.raises(SettingsError) as caught:
        settings_of(world, **given)
    assert message in str(caught.value)


def test_options_of_relations_are_for_relations(world: Path) -> None:
    with pytest.raises(SettingsError, match="direction is for relations, and this head's task is ner"):
        options.parse(
            {
                "encoder": "e", "heads": [{"name": "a", "task": "ner", "direction": "both"}],
                "data": [{"corpus": "x", "heads": ["a"]}],
            }
        )  # fmt: skip


@pytest.mark.parametrize(
    ("task", "repeated", "message"),
    [
        ("relation", 0.9, "heads 'a': repeated is for entities, and this head's task is relation"),
        ("ner", 1.5, "heads 'a': repeated should be from 0 to 1, found 1.5"),
    ],
)
def test_repeated_is_a_probability_of_entities(task: str, repeated: float, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        options.parse(
            {
                "encoder": "e", "heads": [{"name": "a", "task": task, "repeated": repeated}],
                "data": [{"corpus": "x", "heads": ["a"]}],
            }
        )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_trained_answers_the_same_when_it_is_opened(world: Path, tmp_path: Path, kind: str) -> None:
    predictor = trained(world, tmp_path / "run", kind=kind)
    head = predictor.heads["relations"]
    assert head.options == Options(symmetric=("Bind",))
    result = evaluate(predictor, str(world / "bound.toml"), task="relation", split="train", resamples=0, clean=False)
    assert result.report.signature["head"] == f"{kind}: {head.options}"
    assert result.facts["gold relations"] == result.facts["in reach of a candidate"] == 8
    with pytest.raises(ModelError, match="relates entities but finds none"):
        next(extract([replace(BOUND, mentions=(), relations=())], predictor))


class Knowing(NeuralPredictor):
    """Answers every pair as the gold says."""

    def __init__(self, predictor: NeuralPredictor) -> None:
        self.__dict__.update(predictor.__dict__)

    def predict(self, requests: Any, memory: Any = None) -> Any:
        head = self.heads["relations"]
        golds = {e.input.id[1:].split(":")[1]: str(e.gold) for e in relation.examples(BOUND, head)}
        return {
            name: [Prediction(p.id, g := golds[p.id.split(":")[1]], {g: 1.0}) for p in found]
            for name, found in requests.items()
        }


def test_a_symmetric_relation_is_counted_once(world: Path, tmp_path: Path) -> None:
    made = checkpoint.new(world / "encoder", [head_of(world)], limit=64)
    knows = Knowing(tiny.predictor(made))
    result = evaluate(knows, str(world / "bound.toml"), task="relation", split="train", resamples=0, clean=False)
    assert result.report.value("f1", "micro") == 1.0
    assert [s.support for s in result.report.scores if s.name == "f1" and s.class_ == "Bind"] == [4]


# ------------------------------------------------------------------------------------------------ markers

PIECES = WordPieces.toy(tiny.PIECES)
PIECES.add_markers(relation.marker_names(replace(BIND, options=Options(markers="typed"))))
TEXT = "Aspirin hits cox and kinase."


def rows_of(head: Head, *asked: Pair, limit: int = 64) -> list[Any]:
    rows, _ = encode([(head, list(asked))], PIECES, limit=limit)
    return rows


def read_by(head: Head, *asked: Pair) -> list[str]:
    """What the encoder reads, row by row."""
    batch = collate(rows_of(head, *asked), pad=PIECES.pad, markers=PIECES.marker_ids())
    return [
        " ".join(str(PIECES.tokenizer.id_to_token(int(n))) for n in row if n != PIECES.pad).replace(" ##", "")
        for row in batch.ids
    ]


def with_options(kind: str, **more: Any) -> Head:
    return replace(BIND, kind=kind, options=Options(**more))


CHEMICAL_GENE, GENE_GENE, GENE_GENE_BACK = (
    next(pair for pair in candidates(BOUND, BIND) if pair.id == name) for name in ("d:T1-T2", "d:T2-T3", "d:T3-T2")
)


def test_typed_markers_say_the_types() -> None:
    assert read_by(with_options("marker", markers="typed"), CHEMICAL_GENE) == [
        "[CLS] [E1:Chemical] aspirin [/E1:Chemical] hits [E2:Gene] cox [/E2:Gene] and kinase . [SEP]"
    ]
    assert read_by(with_options("packed", markers="typed"), CHEMICAL_GENE, GENE_GENE) == [
        "[CLS] aspirin hits cox and kinase . [SEP] [E1:Chemical] [/E1:Chemical] [E2:Gene] [/E2:Gene] "
        "[E1:Gene] [/E1:Gene] [E2:Gene] [/E2:Gene]"
    ]
    strange = replace(CHEMICAL_GENE, head=CHEMICAL_GENE.head._replace(type="Variant"))  # not one it was taught
    (row,) = read_by(with_options("packed", markers="typed"), strange)
    assert row.endswith("[E1] [/E1] [E2:Gene] [/E2:Gene]")
    both = with_options("packed", markers="typed", symmetric=("Bind",))
    (row,) = read_by(both, CHEMICAL_GENE)
    assert row.endswith(
        "[E1:Chemical] [/E1:Chemical] [E2:Gene] [/E2:Gene] [E1:Gene] [/E1:Gene] [E2:Chemical] [/E2:Chemical]"
    )


def test_a_blinded_mention_is_its_type_for_the_encoder_alone() -> None:
    blinded = with_options("marker", markers="blinded", symmetric=("Bind",))
    assert read_by(replace(blinded, options=replace(blinded.options, symmetric=())), CHEMICAL_GENE) == [
        "[CLS] @ c h e m i c a l $ hits @ g e n e $ and kinase . [SEP]".replace("c h e m i c a l", "chemical").replace(
            "g e n e", "gene"
        )
    ]
    hidden = relation.blinded(GENE_GENE, blinded)
    assert hidden.sentence.text == "Aspirin hits @GENE$ and @GENE$."  # Bind holds both ways: nothing to tell apart
    assert hidden.sentence.text[hidden.tail.start : hidden.tail.end] == "@GENE$"
    directed = with_options("marker", markers="blinded")
    assert relation.blinded(GENE_GENE, directed).sentence.text == "Aspirin hits @GENE1$ and @GENE2$."
    assert relation.blinded(GENE_GENE_BACK, directed).sentence.text == "Aspirin hits @GENE2$ and @GENE1$."
    nested = relation.parse_marked("The [E1:Gene][E2:Chemical]cox[/E2:Chemical] kinase[/E1:Gene] acts.")
    assert relation.blinded(nested, directed).sentence.text == "The @GENE-CHEMICAL$ acts."
    found = relation.attach(BOUND, [CHEMICAL_GENE], [Prediction("p", "INHIBITOR", {"INHIBITOR": 0.9})]).check()
    assert [BOUND.text[a:b] for r in found.relations for a, b in r.evidence] == [TEXT]


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_reads_types_says_so(tmp_path: Path, kind: str) -> None:
    made = tiny.fresh(tmp_path, [with_options(kind, markers="typed")])
    asked = tiny.predictor(made)
    with pytest.raises(
        MarkerError, match=r"the model reads the types of mentions, and 'Aspirin' has none \(write \[E1:TYPE"
    ):
        asked.predict(["[E1]Aspirin[/E1] hits [E2]cox[/E2]."])
    (answer,) = asked.predict(["[E1:Chemical]Aspirin[/E1:Chemical] hits [E2:Gene]cox[/E2:Gene]."])
    (same,) = asked.predict({"relations": [replace(CHEMICAL_GENE, sentence=Sentence("s", "s", "Aspirin hits cox."))]})[
        "relations"
    ]
    assert dict(answer.probabilities) == dict(same.probabilities)


@pytest.mark.parametrize("pooling", ["start", "mention"])
def test_where_a_marker_row_is_read(pooling: str) -> None:
    for head, first, second in (
        (with_options("marker", pooling=pooling), "aspirin", "cox"),
        (with_options("marker", pooling=pooling, markers="blinded"), "@chemical$", "@gene$"),
    ):
        (row,) = rows_of(head, CHEMICAL_GENE)
        read = [
            "".join(str(PIECES.tokenizer.id_to_token(int(n))) for n in row.window.ids[start:end]).replace("##", "")
            for start, end in row.spans.reshape(2, 2).T.tolist()
        ]
        if pooling == "mention":
            assert read == [first, second]
        else:
            assert read == (["@", "@"] if head.options.markers == "blinded" else ["[E1]", "[E2]"])
        batch = collate([row], pad=PIECES.pad, markers=PIECES.marker_ids())
        assert batch.pairs.tolist() == [row.spans.tolist()]


def test_mention_pooling_is_the_mean_of_its_pieces() -> None:
    torch.manual_seed(0)
    hidden, pairs = torch.randn(2, 9, 8), torch.tensor([[[1, 5, 3, 6]], [[2, 4, 3, 9]]])
    module: Any = heads.made(with_options("marker", pooling="mention"), 8, 0.0)
    expected = torch.stack(
        [torch.cat((hidden[0, 1:3].mean(0), hidden[0, 5])), torch.cat((hidden[1, 2], hidden[1, 4:9].mean(0)))]
    )
    assert torch.allclose(module(hidden, pairs), module._answer(expected[:, None]), atol=1e-6)
    packed: Any = heads.made(with_options("packed", pooling="mention"), 8, 0.0)
    expected = torch.cat(((hidden[:, 1] + hidden[:, 2]) / 2, (hidden[:, 3] + hidden[:, 4]) / 2), dim=1)
    assert torch.allclose(
        packed(hidden, torch.tensor([[[1, 3]], [[1, 3]]])), packed._answer(expected[:, None]), atol=1e-6
    )


def test_a_row_that_ends_with_an_opening_marker_is_no_error_for_a_head_that_reads_closing_ones() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(1, 8, 8)
    packed: Any = heads.made(with_options("packed", pooling="mention"), 8, 0.0)
    both = packed(hidden, torch.tensor([[[1, 3], [6, 7]]]))  # the second pair is another head's, and ends the row
    assert torch.equal(both[:, :1], packed(hidden, torch.tensor([[[1, 3]]])))


WAYS = [
    (kind, Options(markers=markers, pooling=pooling, closing=closing, symmetric=("Bind",)))
    for kind in KINDS
    for markers in ("plain", "typed", "blinded")
    for pooling in ("cls", "start", "mention")
    for closing in (True, False)
    if closing or (kind == "packed" and pooling != "mention")
    if kind == "marker" or (markers != "blinded" and pooling != "cls")
]


@pytest.mark.parametrize(("kind", "ways"), WAYS, ids=str)
def test_every_way_of_reading_is_saved_with_the_model_and_batches_do_not_matter(
    tmp_path: Path, kind: str, ways: Options
) -> None:
    head = replace(BIND, kind=kind, options=ways)
    made = tiny.fresh(tmp_path / "encoder", [tiny.ENTITIES, head] if kind == "packed" else [head])
    checkpoint.save(made, tmp_path / "model")
    again = checkpoint.load(tmp_path / "model")
    assert again.network.asked[-1] == head
    found = list(candidates(BOUND, head))
    one, other = tiny.predictor(made), tiny.predictor(again, budget=32)
    together = one.predict({"relations": found})["relations"]
    alone = [other.predict({"relations": [pair]})["relations"][0] for pair in reversed(found)][::-1]
    assert tiny.agree(together, alone)
    assert len({tuple(answer.probabilities.values()) for answer in together}) > 2
    if kind == "packed":
        sentence = [Sentence("d#0", "d", TEXT)]
        memory = Memory()
        one.predict({"entities": sentence}, memory)
        assert tiny.agree(one.predict({"relations": found}, memory)["relations"], together)


def test_heads_with_and_without_closing_markers_share_batches(tmp_path: Path) -> None:
    four = replace(BIND, name="four", options=Options(pooling="mention", symmetric=("Bind",)))
    two = replace(BIND, name="two", options=Options(closing=False, markers="typed", symmetric=("Bind",)))
    made = tiny.fresh(tmp_path / "encoder", [tiny.ENTITIES, four, two])
    found = list(candidates(BOUND, four))
    one = tiny.predictor(made)
    together = one.predict({"four": found, "two": found})
    for name in ("four", "two"):
        assert tiny.agree(one.predict({name: found})[name], together[name])
    read = {name: rows_of(replace(head, name=name), *found)[0] for name, head in (("four", four), ("two", two))}
    assert read["two"].markers.tolist() == read["four"].markers[:, ::2].tolist()
    assert read["four"].pieces - read["two"].pieces == 2 * len(read["two"].markers)


def test_typed_markers_run_in_transformers(tmp_path: Path) -> None:
    from transformers import pipeline

    made = tiny.fresh(tmp_path / "encoder", [with_options("marker", markers="typed")])
    checkpoint.save(made, tmp_path / "model")
    says = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert (
        says["additional_special_tokens"]
        == says["extra_special_tokens"]
        == list(relation.marker_names(made.network.asked[0]))
    )
    text = "[E1:Chemical]Aspirin[/E1:Chemical] hits [E2:Gene]cox[/E2:Gene]."
    (ours,) = tiny.predictor(made).predict([text])
    theirs: Any = pipeline("text-classification", model=str(tmp_path / "model"), top_k=None, device="cpu")([text])[0]
    known = {one["label"]: one["score"] for one in theirs}
    assert known == pytest.approx(dict(ours.probabilities), abs=6e-5)  # Chemical and Gene may have any label


def test_a_published_checkpoint_whose_tokenizer_has_the_markers_runs_unchanged(tmp_path: Path) -> None:
    import transformers

    encoder = tiny.encoder_folder(tmp_path / "encoder")
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(encoder / "tokenizer.json"), unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip
    theirs.add_special_tokens({"additional_special_tokens": ["[E1]", "[/E1]", "[E2]", "[/E2]"]})
    config = transformers.BertConfig.from_pretrained(encoder, id2label={0: "no", 1: "treats", 2: "causes"})
    model = transformers.BertForSequenceClassification(config).eval()
    model.resize_token_embeddings(len(theirs), mean_resizing=False)
    tiny.randomise(model, 5)
    for part in (model, theirs):
        part.save_pretrained(tmp_path / "published")
    made = checkpoint.load(tmp_path / "published")
    assert [(h.task, h.kind) for h in made.network.asked] == [("relation", "marker")]
    texts = ["[E1]Aspirin[/E1] caused [E2]bleeding[/E2].", "In rats [E2] kinase[/E2][E1]cox [/E1] – and so on."]
    classifier = transformers.pipeline("text-classification", model=model, tokenizer=theirs, top_k=None, device="cpu")
    for answer, text in zip(tiny.predictor(made).predict(texts), texts, strict=True):
        known: Any = classifier([text])[0]
        assert {one["label"]: one["score"] for one in known} == pytest.approx(dict(answer.probabilities), abs=6e-5)


# ------------------------------------------------------------------------------------------------ several labels

BOTH = replace(BOUND, relations=(*BOUND.relations, Relation("R3", "Bind", "T2", "T1")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_may_carry_several_labels(kind: str) -> None:
    head = with_options(kind, choice="multilabel", symmetric=("Bind",))
    found = {e.input.id: e.gold for e in relation.examples(BOTH, head)}
    assert found["d:T1-T2"] == ("INHIBITOR", "Bind") and found["d:T2-T1"] == ("Bind",) and found["d:T1-T3"] == ()
    asked = [e.input for e in relation.examples(BOTH, head)]
    _, encoded = encode([(head, asked)], PIECES, limit=64)
    golds = [found[pair.id] for pair in asked]
    sure = [20.0 * relation.targets(item, golds, head) - 10 for item in encoded["relations"]]
    answers = relation.decode(asked, encoded["relations"], [one.astype(np.float32) for one in sure], head)
    assert [set(a.labels) for a in answers] == [set(gold) or {NEGATIVE} for gold in golds]
    attached = relation.attach(BOTH, asked, answers, "tiny", head.options.symmetric).check()
    assert sorted((r.type, r.head, r.tail) for r in attached.relations) == [
        ("Bind", "T1", "T2"), ("Bind", "T2", "T3"), ("INHIBITOR", "T1", "T2"),
    ]  # fmt: skip


def test_in_the_other_order_only_symmetric_labels_are_taught() -> None:
    head = with_options("packed", choice="multilabel", symmetric=("Bind",))
    windows = PIECES.windows([TEXT])
    (item,) = relation.encode(windows, [CHEMICAL_GENE], head)
    assert relation.targets(item, [("INHIBITOR", "Bind")], head).tolist() == [[0, 1, 1], [0, 1, 0]]
    assert relation.targets(item, [("INHIBITOR",)], head).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_what_a_corpus_cannot_deny_is_not_taught_of_several_labels() -> None:
    targets = np.asarray([[1, 0, 0], [0, 1, 0]])
    mixture._unjudged(targets, np.asarray([True, True, False]))
    assert targets.tolist() == [[-100, 0, -100], [0, 1, -100]]
    targets = np.asarray([[1, 0, 0], [0, 1, 1]])
    assert mixture._untaught(targets, np.asarray([[True, False, True], [True, True, False]])) == 1
    assert targets.tolist() == [[1, -100, 0], [0, 1, -100]]


def test_several_labels_in_transformers_and_without_our_file(tmp_path: Path) -> None:
    from transformers import pipeline

    made = tiny.fresh(tmp_path / "encoder", [with_options("marker", choice="multilabel")])
    checkpoint.save(made, tmp_path / "model")
    text = "[E1]Aspirin[/E1] hits [E2]cox[/E2]."
    (ours,) = tiny.predictor(made).predict([text])
    theirs: Any = pipeline("text-classification", model=str(tmp_path / "model"), top_k=None, device="cpu")([text])[0]
    assert {one["label"]: one["score"] for one in theirs} == pytest.approx(dict(ours.probabilities), abs=6e-5)
    (tmp_path / "model" / "relatome.json").unlink()
    plain = checkpoint.load(tmp_path / "model")
    assert plain.network.asked[0].multilabel
    assert tiny.predictor(plain).predict([text]) == [ours]


@pytest.mark.parametrize(
    "chosen",
    [
        {"choice": "multilabel", "class_weights": "balanced"},
        {"kind": "marker", "markers": "typed", "pooling": "mention", "choice": "multilabel"},
        {"kind": "marker", "markers": "blinded", "pooling": "start"},
        {"markers": "typed", "pooling": "mention", "direction": "both"},
        {"negatives": "ratio", "negative_ratio": 1.5, "sentences": 2},
        {"closing": False, "markers": "typed"},
    ],
    ids=lambda chosen: " ".join(str(value) for value in chosen.values()),
)
def test_every_option_can_be_trained_saved_and_scored(world: Path, tmp_path: Path, chosen: dict[str, Any]) -> None:
    predictor = trained(world, tmp_path / "run", **chosen)
    result = evaluate(predictor, str(world / "bound.toml"), task="relation", split="train", resamples=0, clean=False)
    for option, value in chosen.items():
        if option not in ("class_weights", "kind"):
            assert f"{option.replace('_', ' ')} {value}" in str(result.report.signature["head"])


# ------------------------------------------------------------------------------------------------ negatives


def judged_pairs(*mentions: tuple[str, int], related: frozenset[str] = frozenset(), name: str = "d") -> list[Any]:
    """Every ordered pair of these mentions of one text, with its gold."""
    sentence = Sentence(f"{name}#0", name, "x" * 200)
    places = [Argument(one, start, start + 2, "Gene") for one, start in mentions]
    found = [Pair(f"{name}:{a.id}-{b.id}", sentence, a, b) for a in places for b in places if a is not b]
    return [Example(pair, "Bind" if pair.id.split(":")[1] in related else NEGATIVE) for pair in found]


def test_hard_negatives_share_a_mention_with_a_relation_or_stand_near() -> None:
    examples = judged_pairs(("A", 0), ("B", 10), ("C", 90), ("E", 150), ("F", 155), related=frozenset({"A-B", "B-A"}))
    out = left_out(examples, Options(negatives="hard", negative_ratio=3.0), seed=1)
    kept = [one.input.id for one in examples if one.gold == NEGATIVE and one.input.id not in out]
    assert kept == ["d:A-C", "d:B-C", "d:B-E", "d:C-A", "d:C-B", "d:E-B"]  # 80, 90 and 140 characters apart
    out = left_out(examples, Options(negatives="hard", negative_ratio=7.5), seed=1)
    assert {"d:E-F", "d:F-E"}.isdisjoint(out) and {"d:C-E", "d:C-F"} <= out


def test_a_ratio_of_negatives_is_drawn_by_the_seed_over_the_corpus() -> None:
    mentions = [(f"M{number}", 3 * number) for number in range(8)]
    related = frozenset({"M0-M1", "M1-M0"})
    examples = [one for name in "abc" for one in judged_pairs(*mentions, related=related, name=name)]
    options = Options(negatives="ratio", negative_ratio=2.0)
    out = left_out(examples, options, seed=1)
    negatives = {one.input.id for one in examples if one.gold == NEGATIVE}
    assert out < negatives and len(negatives - out) == 2 * 6
    assert left_out(reversed(examples), options, seed=1) == out != left_out(examples, options, seed=2)
    turned = {":".join((name, "-".join(reversed(pair.split("-"))))) for name, pair in (i.split(":") for i in out)}
    assert turned == out  # both orders stay or go together
    assert left_out(examples, Options(), seed=1) == frozenset()
    assert left_out(examples, replace(options, negative_ratio=1e6), seed=1) == frozenset()


def test_what_is_not_taught_is_in_no_row_and_counted(world: Path, tmp_path: Path) -> None:
    def read(**head: Any) -> tuple[Counter[int], dict[str, Any]]:
        settings = settings_of(world, direction="both", **head)
        asked = mixture.heads(settings)
        made = checkpoint.new(settings.encoder, asked, limit=64)
        found = mixture.build(settings, asked, made.pieces, made.limit)
        golds = Counter(int(gold) for row in found.rows[0] for gold in row.targets["relations"])
        return golds, found.counts["bound train"]

    every, counts = read()
    assert every == {0: 12, 1: 8, 2: 4} and counts["relations examples"] == 24
    some, counts = read(negatives="ratio", negative_ratio=0.5)
    assert some == {0: 6, 1: 8, 2: 4} and counts["relations examples"] == 18
    assert counts["relations pairs without a relation that are not taught"] == 6


# ------------------------------------------------------------------------------------------------ across sentences

FAR = "Aspirin was given. It did nothing. We saw cox rise. Then kinase fell."


def far(**more: Any) -> Document:
    return document("far", FAR, **more)


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, []),
        (1, ["far:T2-T3 We saw cox rise. Then kinase fell.", "far:T3-T2 We saw cox rise. Then kinase fell."]),
        (2, ["far:T1-T2 Aspirin was given. It did nothing. We saw cox rise.", "far:T2-T3", "far:T3-T2"]),
        (3, ["far:T1-T2", f"far:T1-T3 {FAR}", "far:T2-T3", "far:T3-T2"]),
    ],
)
def test_pairs_stand_as_far_apart_as_the_head_asks(most: int, expected: list[str]) -> None:
    head = replace(
        BIND, arguments={"INHIBITOR": (("Chemical", "Gene"), ("Gene", "Gene"))}, options=Options(sentences=most)
    )
    found = list(candidates(far(), head))
    assert [pair.id for pair in found] == [one.split(" ")[0] for one in expected]
    for pair, one in zip(found, expected, strict=True):
        read = pair.sentence
        assert one in (pair.id, f"{pair.id} {read.text}")
        assert FAR[read.start : read.start + len(read.text)] == read.text
        for argument in (pair.head, pair.tail):
            assert read.text[argument.start : argument.end] in ("Aspirin", "cox", "kinase")


def test_pairs_of_one_sentence_are_read_in_it_alone() -> None:
    near = list(candidates(BOUND, replace(BIND, options=Options(symmetric=("Bind",), sentences=3))))
    assert near == list(candidates(BOUND, BIND))


@pytest.mark.parametrize("kind", KINDS)
def test_relations_across_sentences_are_reached_and_extracted(tmp_path: Path, kind: str) -> None:
    gold = far(relations=(Relation("R1", "INHIBITOR", "T1", "T2"), Relation("R2", "Bind", "T3", "T2")))
    head = replace(BIND, kind=kind, options=Options(symmetric=("Bind",), sentences=2))
    assert reachable(gold, replace(head, options=Options(symmetric=("Bind",)))) == (0, 2)
    assert reachable(gold, head) == (2, 2)

    class Finds(NeuralPredictor):
        """Finds the three mentions, and every relation."""

        def __init__(self, predictor: NeuralPredictor) -> None:
            self.__dict__.update(predictor.__dict__)
            self.heads = {"entities": tiny.ENTITIES, **self.heads}

        def predict(self, requests: Any, memory: Any = None) -> Any:
            if "entities" not in requests:
                return super().predict(requests, memory)
            kinds = {"Aspirin": "Chemical", "cox": "Gene", "kinase": "Gene"}
            return {
                "entities": [
                    Prediction(one.id, tuple(
                        TypedSpan(one.text.index(word), one.text.index(word) + len(word), kind, 0.9)
                        for word, kind in kinds.items() if word in one.text
                    ))
                    for one in requests["entities"]
                ]
            }  # fmt: skip

    predictor = Finds(tiny.predictor(tiny.fresh(tmp_path, [head])))
    (read,) = extract([Document("far", FAR)], predictor)
    read.check()
    answers = predictor.predict({"relations": (asked := list(candidates(read, head)))})["relations"]
    expected = relation.attach(read, asked, answers, symmetric=("Bind",)).relations
    assert [(r.type, r.head, r.tail, r.evidence) for r in read.relations] == [
        (r.type, r.head, r.tail, r.evidence) for r in expected
    ]
    (whole,) = extract([Document("far", FAR)], predictor, chunk=20)
    assert whole.relations == read.relations


def test_every_label_that_holds_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tiny.fresh(tmp_path / "encoder", [with_options("marker", choice="multilabel")])
    module: Any = made.network.heads["relations"]  # type: ignore[index]
    with torch.no_grad():
        module.classifier.weight.mul_(0)
        module.classifier.bias.copy_(torch.tensor([-3.0, 2.0, 3.0]))
    checkpoint.save(made, tmp_path / "model")
    text = "[E1]Aspirin[/E1] hits [E2]cox[/E2]."
    assert main(["predict", str(tmp_path / "model"), text, "--to", "jsonl"]) == 0
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["label"], line["labels"], line["probability"]) == ("INHIBITOR", ["INHIBITOR", "Bind"], 0.9526)
    assert main(["predict", str(tmp_path / "model"), text, "--to", "tsv"]) == 0
    assert "INHIBITOR Bind\t0.9526\t" in capsys.readouterr().out

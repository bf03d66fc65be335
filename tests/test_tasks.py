"""What every task owes, over TASKS x HEADS: perfect logits give the gold back, from any text, however it is cut.

All texts are invented.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome import batches
from relatome.documents import Document, Label, Mention, Relation, Span
from relatome.errors import MarkerError
from relatome.tasks import TASKS, classification, ner, relation
from relatome.tasks.example import NEGATIVE, Argument, Encoded, Head, Pair, Prediction, Sentence, TypedSpan, softmax
from relatome.tasks.pairs import Facts, allowed, candidates, legal, reachable, span_in_document
from relatome.wordpieces import WordPieces
from tests import tiny

PIECES = WordPieces.toy(tiny.PIECES)
PIECES.add_markers()
# `document` judges pairs of concepts, not of mentions, and may give them several labels: test_document_head.py
HEADS = {task: [kind for kind in module.HEADS if kind != "document"] for task, module in TASKS.items()}
KINDS = [(task, kind) for task, kinds in HEADS.items() for kind in kinds]
LABELS = {
    "ner": ("Chemical", "Disease", "Gene"),
    "relation": tiny.RELATIONS.labels,
    "classification": ("no", "yes", "perhaps"),
}


def head_of(task: Any, kind: str) -> Head:
    arguments = tiny.RELATIONS.arguments if task == "relation" else {}
    return Head("asked", task, kind, LABELS[task], arguments)


def document(identifier: str, text: str, *facts: tuple[str, str], **more: Any) -> Document:
    """A document whose mentions are the first places of these words."""
    mentions = []
    for number, (word, kind) in enumerate(facts, start=1):
        start = text.index(word)
        mentions.append(Mention(f"T{number}", start, start + len(word), kind, word))
    return Document(identifier, text, mentions=tuple(mentions), **more).check()


SHORT = document(
    "short", "Aspirin caused bleeding in rats. Lithium inhibits cox 2 but warfarin does not.",
    ("Aspirin", "Chemical"), ("bleeding", "Disease"), ("Lithium", "Chemical"), ("cox 2", "Gene"), ("warfarin", "Chemical"),
    relations=(Relation("R1", "CID", "T1", "T2"), Relation("R2", "INHIBITOR", "T3", "T4")),
    labels=(Label("asked", "yes", 0, 32), Label("asked", "perhaps", 33, 78), Label("other", "no", 0, 5)),
)  # fmt: skip
LONG = document(
    "long", "Aspirin " + "and then some more words of no import " * 9 + "caused bleeding while lithium inhibits cox 2",
    ("Aspirin", "Chemical"), ("bleeding", "Disease"), ("lithium", "Chemical"), ("cox 2", "Gene"),
    relations=(Relation("R1", "ACTIVATOR", "T3", "T4"),), labels=(Label("asked", "perhaps", 0, 394),),
)  # fmt: skip
STRANGE = document(
    "strange", "🧪 Aspi\u0301rin\u0301 ® causéd ble\u0301eding 👩‍🔬 in\u00a0rats; a\u0308\u0301 kinase!",
    ("Aspi\u0301rin\u0301", "Chemical"), ("ble\u0301eding", "Disease"), ("kinase", "Gene"),
    relations=(Relation("R1", "CID", "T1", "T2"), Relation("R2", "ACTIVATOR", "T1", "T3")),
    labels=(Label("asked", "yes", 0, 10),),
)  # fmt: skip
EMPTY = Document("empty", "")
BLANK = Document("blank", " \n\t ")
DOCUMENTS = (SHORT, LONG, STRANGE, EMPTY, BLANK)


def perfect(head: Head, item: Encoded, golds: Sequence[Any], noise: np.random.Generator) -> np.ndarray[Any, Any]:
    """The logits of a model that knows; where it is not asked (inside a word) it says anything."""
    if item.dropped:
        return np.zeros((0, head.classes), np.float32)
    targets = TASKS[head.task].targets(item, golds, head)
    classes = 3 if head.kind == "layers" else head.classes
    logits = noise.normal(size=(*targets.shape, classes)).astype(np.float32)
    known = targets >= 0
    logits[known] += 20 * np.eye(classes, dtype=np.float32)[targets[known]]
    if head.task == "ner":
        return logits.reshape(len(item.window), -1)
    return logits[0] if head.kind in ("label", "marker") else logits


def answered(head: Head, inputs: Sequence[Any], golds: Sequence[Any], *, limit: int) -> list[Prediction]:
    _, asked = batches.encode([(head, inputs)], PIECES, limit=limit)
    noise = np.random.default_rng(0)
    logits = [perfect(head, item, golds, noise) for item in asked[head.name]]
    found: list[Prediction] = TASKS[head.task].decode(inputs, asked[head.name], logits, head)
    return found


def plain(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(span[:3] for span in value)


# ------------------------------------------------------------------------------------------------ the contract


@pytest.mark.parametrize("limit", [24, 40, 400])
@pytest.mark.parametrize("given_document", DOCUMENTS, ids=lambda one: one.id)
@pytest.mark.parametrize(("task", "kind"), KINDS)
def test_perfect_logits_give_the_gold_back(task: str, kind: str, given_document: Document, limit: int) -> None:
    head = head_of(task, kind)
    examples = list(TASKS[task].examples(given_document, head))
    inputs, golds = [one.input for one in examples], [one.gold for one in examples]
    answers = answered(head, inputs, golds, limit=limit)
    assert [one.id for one in answers] == [one.id for one in inputs]
    for one, gold, answer in zip(inputs, golds, answers, strict=True):
        text = one.sentence.text if isinstance(one, Pair) else one.text
        room = limit - (4 if kind == "marker" else 0)
        assert answer.windows == len(PIECES.windows([text], limit=room)[0])
        if answer.dropped:
            assert task == "relation" and answer.value == NEGATIVE
        else:
            assert plain(answer.value) == plain(gold)
    if given_document in (EMPTY, BLANK):
        assert answers == []
    if task == "relation" and given_document is LONG:
        assert sum(answer.dropped for answer in answers) == (0 if limit == 400 else 2)


@pytest.mark.parametrize(("task", "kind"), KINDS)
def test_the_fixtures_hold_something_to_find(task: str, kind: str) -> None:
    golds = [one.gold for doc in DOCUMENTS for one in TASKS[task].examples(doc, head_of(task, kind))]
    assert len({str(gold) for gold in golds}) > 1


@pytest.mark.parametrize("task", TASKS)
def test_ids_are_stable_and_do_not_depend_on_the_head(task: str) -> None:
    module = TASKS[task]
    for one in DOCUMENTS:
        ids = [
            [e.input.id for e in module.examples(one, head_of(task, kind))] for kind in (*HEADS[task], module.HEADS[0])
        ]
        assert all(found == ids[0] for found in ids)
        assert len(set(ids[0])) == len(ids[0])
        assert all(identifier.startswith(one.id) for identifier in ids[0])
    expected = {
        "ner": ["short#0", "short#1"], "classification": ["short#0", "short#1"],
        "relation": ["short:T1-T2", "short:T3-T4", "short:T5-T4"],
    }  # fmt: skip
    assert [e.input.id for e in module.examples(SHORT, head_of(task, module.HEADS[0]))] == expected[task]


@pytest.mark.parametrize("task", TASKS)
def test_what_is_judged_is_what_stands_in_the_document(task: str) -> None:
    for one in DOCUMENTS:
        for example in TASKS[task].examples(one, head_of(task, TASKS[task].HEADS[0])):
            sentence = example.input.sentence if task == "relation" else example.input
            assert sentence.document == one.id
            assert one.text[sentence.start : sentence.start + len(sentence.text)] == sentence.text


@pytest.mark.parametrize(("task", "kind"), KINDS)
def test_a_registry_entry_has_what_its_stages_call(task: str, kind: str) -> None:
    module = TASKS[task]
    for name in ("inputs", "examples", "encode", "targets", "decode", "attach"):
        assert callable(getattr(module, name))
    assert module.HEADS[0] and isinstance(module.SCORER, str)
    assert Head.from_json(head_of(task, kind).json()) == head_of(task, kind)
    assert answered(head_of(task, kind), [], [], limit=40) == []


# ------------------------------------------------------------------------------------------------ entities

CHARACTERS = "ab αβé–-.()1\u0301\u0308\u200d\u00a0\t👩🔬漢字ßﬁ®"
TEXTS = st.lists(st.text(alphabet=CHARACTERS, min_size=1, max_size=8), max_size=25).map(" ".join)


@given(TEXTS, st.data(), st.sampled_from(["tags", "layers"]), st.sampled_from([26, 60, 500]))
def test_any_words_of_any_text_are_found_again(text: str, data: st.DataObject, kind: str, limit: int) -> None:
    head = head_of("ner", kind)
    (window,) = PIECES.windows([text], limit=10_000)[0]
    words: dict[int, tuple[int, int]] = {}
    for index in range(1, len(window) - 1):
        word = int(window.words[index])
        start, end = int(window.starts[index]), int(window.ends[index])
        words[word] = (min(start, words.get(word, (start, 0))[0]), end)
    ranges = [words[word] for word in sorted(words)]
    gold, at = [], 0
    while at < len(ranges):
        length = data.draw(st.integers(1, 3))
        if data.draw(st.booleans()) and at + length <= len(ranges):
            kind_of = data.draw(st.sampled_from(head.labels))
            gold.append(TypedSpan(ranges[at][0], ranges[at + length - 1][1], kind_of))
        at += length
    (answer,) = answered(head, [Sentence("s", "d", text)], [tuple(gold)], limit=limit)
    assert plain(answer.value) == plain(gold)
    assert all(0.9 < (span.probability or 0) <= 1 for span in answer.value if isinstance(span, TypedSpan))


@given(TEXTS, st.integers(0), st.integers(0), st.sampled_from([26, 500]))
def test_any_logits_give_spans_that_lie_in_the_text(text: str, seed: int, scale: int, limit: int) -> None:
    head = head_of("ner", "tags")
    sentence = Sentence("s", "d", text, 3)
    windows = PIECES.windows([text], limit=limit)
    encoded = list(ner.encode(windows, [sentence], head))
    noise = np.random.default_rng(seed)
    logits = [(1 + scale % 9) * noise.normal(size=(len(w), head.classes)).astype(np.float32) for w in windows[0]]
    (answer,) = ner.decode([sentence], encoded, logits, head)
    source = Document("d", "..." + text)
    attached = ner.attach(source, [sentence], [answer], "model").check()
    assert len(attached.mentions) == len(answer.value)
    spans = [(m.start, m.end) for m in attached.mentions]
    assert spans == sorted(spans) and all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_a_mention_inside_a_word_takes_the_word_and_is_counted() -> None:
    head = head_of("ner", "tags")
    inside = document("1", "An aspirinlike drug.", ("aspirin", "Chemical"), ("drug", "Chemical"))
    (example,) = ner.examples(inside, head)
    assert plain(example.gold) == ((3, 10, "Chemical"), (15, 19, "Chemical"))
    (answer,) = answered(head, [example.input], [example.gold], limit=64)
    assert plain(answer.value) == ((3, 14, "Chemical"), (15, 19, "Chemical"))
    windows = PIECES.windows([example.input.text])
    assert ner.unaligned(inside, windows, ["Chemical"]) == 1
    assert ner.unaligned(inside, windows, ["Gene"]) == 0
    end = document("1", "An aspirinlike drug.", ("like", "Chemical"))
    (example,) = ner.examples(end, head)
    (answer,) = answered(head, [example.input], [example.gold], limit=64)
    assert plain(answer.value) == ((3, 14, "Chemical"),)


def test_a_mention_across_a_sentence_boundary_counts_in_no_sentence_and_is_counted() -> None:
    text = "It was aspirin. Lithium followed."
    across = Document(
        "1", text, mentions=(Mention("T1", 7, 23, "Chemical", text[7:23]),), sentences=(Span(0, 15), Span(16, 33))
    )
    assert [one.gold for one in ner.examples(across, head_of("ner", "tags"))] == [(), ()]
    windows = PIECES.windows([text[:15], text[16:]])
    assert ner.unaligned(across, windows, ["Chemical"]) == 1


def nested() -> Document:
    text = "The aspirin kinase cox 2 acts."
    return Document(
        "1", text,
        mentions=(
            Mention("T1", 4, 11, "Chemical", "aspirin"), Mention("T2", 4, 18, "Gene", "aspirin kinase"),
            Mention("T3", 12, 24, "Gene", "kinase cox 2"), Mention("T4", 19, 24, "Disease", "cox 2"),
        ),
    ).check()  # fmt: skip


def test_of_overlapping_mentions_tags_keep_the_longest_and_layers_one_of_each_type() -> None:
    tags = [plain(one.gold) for one in ner.examples(nested(), head_of("ner", "tags"))]
    assert tags == [((4, 18, "Gene"), (19, 24, "Disease"))]
    layers = [set(plain(one.gold)) for one in ner.examples(nested(), head_of("ner", "layers"))]
    assert layers == [{(4, 11, "Chemical"), (4, 18, "Gene"), (19, 24, "Disease")}]
    for kind in ("tags", "layers"):
        (example,) = ner.examples(nested(), head_of("ner", kind))
        (answer,) = answered(head_of("ner", kind), [example.input], [example.gold], limit=64)
        assert set(plain(answer.value)) == set(plain(example.gold))


def test_types_the_head_does_not_have_are_not_gold() -> None:
    head = Head("asked", "ner", "tags", ("Gene",))
    assert [plain(one.gold) for one in ner.examples(SHORT, head)] == [(), ((17, 22, "Gene"),)]


def brute(logits: np.ndarray[Any, Any]) -> float:
    def fits(tags: Sequence[int]) -> bool:
        before = (0, *tags[:-1])
        return all(not (t > 0 and t % 2 == 0) or b in (t, t - 1) for b, t in zip(before, tags, strict=True))

    legal_ones = filter(fits, itertools.product(range(logits.shape[1]), repeat=len(logits)))
    return max(float(sum(logits[i, t] for i, t in enumerate(tags))) for tags in legal_ones)


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_the_path_is_the_best_in_which_an_i_follows_its_own(seed: int, length: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(length, 5)).astype(np.float32)
    path = ner.best_path(logits)
    previous = 0
    for tag in path.tolist():
        assert not (tag > 0 and tag % 2 == 0) or previous in (tag, tag - 1)
        previous = tag
    assert float(logits[np.arange(length), path].sum()) == pytest.approx(brute(logits), abs=1e-5)


def test_attach_replaces_entities_and_drops_the_relations_between_them() -> None:
    examples = list(ner.examples(SHORT, head_of("ner", "tags")))
    answers = answered(head_of("ner", "tags"), [e.input for e in examples], [e.gold for e in examples], limit=64)
    found = ner.attach(SHORT, [e.input for e in examples], answers, "tiny").check()
    assert [(m.span, m.type, m.text) for m in found.mentions] == [(m.span, m.type, m.text) for m in SHORT.mentions]
    assert [m.id for m in found.mentions] == ["T1", "T2", "T3", "T4", "T5"]
    assert {m.source for m in found.mentions} == {"tiny"} and all(m.probability for m in found.mentions)
    assert found.relations == () and found.labels == SHORT.labels and found.text == SHORT.text


REPEATED = Head("asked", "ner", "layers", ("Chemical", "Gene"), repeated=0.9)


def read_in(document: Document, *found: tuple[str, int, str, float], head: Head = REPEATED) -> list[str]:
    """The names found, in order, after the sentences have heard of each other: (name, which of its places, type, probability)."""
    batch = list(ner.inputs(document))
    spans: list[list[TypedSpan]] = [[] for _ in batch]
    for name, nth, kind, sure in found:
        start = [m.start() for m in re.finditer(re.escape(name), document.text)][nth]
        (place,) = (k for k, s in enumerate(batch) if s.start <= start < s.start + len(s.text))
        inside = start - batch[place].start
        spans[place].append(TypedSpan(inside, inside + len(name), kind, sure))
    predictions = [Prediction(s.id, tuple(sorted(mine))) for s, mine in zip(batch, spans, strict=True)]
    answers = ner.repeated(batch, predictions, head)
    assert [answer.id for answer in answers] == [s.id for s in batch]
    attached = ner.attach(document, batch, answers).check()
    return [f"{m.text}@{m.start} {m.type} {m.probability}" for m in attached.mentions]


ABBREVIATED = Document("1", "Methotrexate (MTX) acts. MTX-like MTXs and mtx differ; MTX. The MTX kinase is not MTX.")


def test_a_name_that_is_sure_in_one_place_is_found_in_the_others() -> None:
    assert read_in(ABBREVIATED, ("MTX", 0, "Chemical", 0.95)) == [
        "MTX@14 Chemical 0.95", "MTX@25 Chemical 0.95", "MTX@55 Chemical 0.95", "MTX@64 Chemical 0.95",
        "MTX@82 Chemical 0.95",
    ]  # fmt: skip


def test_a_name_that_is_nowhere_sure_stays_where_it_was() -> None:
    assert read_in(ABBREVIATED, ("MTX", 0, "Chemical", 0.89)) == ["MTX@14 Chemical 0.89"]
    alone = replace(REPEATED, repeated=0.0)
    assert read_in(ABBREVIATED, ("MTX", 0, "Chemical", 0.99), head=alone) == ["MTX@14 Chemical 0.99"]


def test_a_single_character_is_no_name() -> None:
    text = Document("1", "Vitamin C and C. C helps.")
    assert read_in(text, ("C", 0, "Chemical", 0.99)) == ["C@8 Chemical 0.99"]


def test_where_something_else_was_found_nothing_is_added() -> None:
    found = read_in(ABBREVIATED, ("MTX", 0, "Chemical", 0.95), ("MTX kinase", 0, "Gene", 0.6), ("MTX", 5, "Gene", 0.91))
    assert found[1:] == ["MTX@25 Chemical 0.95", "MTX@55 Chemical 0.95", "MTX kinase@64 Gene 0.6", "MTX@82 Gene 0.91"]


def test_of_two_names_at_one_place_the_longer_is_found() -> None:
    text = Document("1", "Acid and folic acid. Here folic acid again, and acid.")
    found = read_in(text, ("folic acid", 0, "Chemical", 0.95), ("acid", 2, "Chemical", 0.99))
    assert found == ["folic acid@9 Chemical 0.95", "folic acid@26 Chemical 0.95", "acid@48 Chemical 0.99"]


@given(
    st.lists(st.sampled_from(["MTX", "x-MTX", "(MTX)", "a", "MTX kinase", "kinase", ".", "β-MTX", "4'"]), max_size=30),
    st.data(),
)
def test_repeating_adds_whole_words_once_and_changes_nothing_else(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    document = Document("d", text)
    batch = list(ner.inputs(document))
    places = [(k, m.start(), m.end()) for k, s in enumerate(batch) for m in re.finditer(r"\S+", s.text)]
    chosen = data.draw(st.lists(st.sampled_from(places), max_size=5, unique=True)) if places else []
    kinds = st.sampled_from(REPEATED.labels)
    spans: list[list[TypedSpan]] = [[] for _ in batch]
    for k, start, end in sorted(chosen):
        spans[k].append(TypedSpan(start, end, data.draw(kinds), data.draw(st.sampled_from([0.5, 0.9, 0.99]))))
    before = [Prediction(s.id, tuple(mine)) for s, mine in zip(batch, spans, strict=True)]
    after = ner.repeated(batch, before, REPEATED)
    assert ner.repeated(batch, after, REPEATED) == after
    sure = {
        s.text[x.start : x.end] for s, one in zip(batch, spans, strict=True) for x in one if (x.probability or 0) >= 0.9
    }
    for sentence, old, new in zip(batch, spans, after, strict=True):
        assert set(old) <= set(new.value)
        ranges = sorted((span.start, span.end) for span in new.value if isinstance(span, TypedSpan))
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(ranges))
        for start, end in set(ranges) - {(span.start, span.end) for span in old}:
            assert sentence.text[start:end] in sure
            around = sentence.text[max(start - 1, 0) : start] + sentence.text[end : end + 1]
            assert not re.search(r"\w", around)


# ------------------------------------------------------------------------------------------------ pairs

HEAD = tiny.RELATIONS


def test_candidates_are_ordered_typed_pairs_of_one_sentence() -> None:
    assert allowed(HEAD) == {("Chemical", "Disease"), ("Chemical", "Gene"), ("Gene", "Gene")}
    both = document(
        "g", "Cox binds kinase near aspirin. Bleeding stops.",
        ("Cox", "Gene"), ("kinase", "Gene"), ("aspirin", "Chemical"), ("Bleeding", "Disease"),
    )  # fmt: skip
    found = list(candidates(both, HEAD))
    assert [pair.id for pair in found] == ["g:T1-T2", "g:T2-T1", "g:T3-T1", "g:T3-T2"]
    assert found[0].head == Argument("T1", 0, 3, "Gene")
    assert [span_in_document(found[2], found[2].head), span_in_document(found[2], found[2].tail)] == [(22, 29), (0, 3)]


def test_one_place_is_no_pair_but_nested_places_are() -> None:
    text = "The cox kinase acts."
    twice = Document(
        "1", text,
        mentions=(
            Mention("T1", 4, 14, "Gene", "cox kinase"), Mention("T2", 4, 14, "Chemical", "cox kinase"),
            Mention("T3", 4, 7, "Chemical", "cox"),
        ),
    )  # fmt: skip
    assert [pair.id for pair in candidates(twice, HEAD)] == ["1:T3-T1"]


def test_no_pair_reaches_across_a_sentence_boundary() -> None:
    far = document("1", "Aspirin was given. It caused bleeding.", ("Aspirin", "Chemical"), ("bleeding", "Disease"))
    assert list(candidates(far, HEAD)) == []
    whole = replace(far, sentences=(Span(0, 38),))
    assert [pair.id for pair in candidates(whole, HEAD)] == ["1:T1-T2"]


def test_which_labels_types_allow() -> None:
    assert legal(HEAD, "Chemical", "Disease") == (True, True, False, False)
    assert legal(HEAD, "Chemical", "Gene") == (True, False, True, True)
    assert legal(HEAD, "Disease", "Chemical") == (True, False, False, False)
    assert legal(HEAD, "", "") == legal(HEAD, "Chemical", "") == (True,) * 4


def concepts() -> Document:
    one = document(
        "c", "Aspirin and asa caused bleeding. Warfarin caused tremor. Rats had tremor and ulcers.",
        ("Aspirin", "Chemical"), ("asa", "Chemical"), ("bleeding", "Disease"), ("Warfarin", "Chemical"),
        ("tremor", "Disease"), ("ulcers", "Disease"),
    )  # fmt: skip
    ids = {"T1": ("D1",), "T2": ("D1", "D9"), "T3": ("D2",), "T4": ("D3",), "T5": ("D4",), "T6": ("D5",)}
    return replace(
        one,
        mentions=tuple(replace(m, concepts=ids[m.id]) for m in one.mentions),
        relations=(
            Relation("R1", "CID", "D1", "D2", level="concept"), Relation("R2", "CID", "D3", "D5", level="concept"),
            Relation("R3", "CID", "T4", "T5"), Relation("R4", "Unknown", "T4", "T5"),
        ),
    ).check()  # fmt: skip


def test_facts_of_mentions_and_of_concepts() -> None:
    facts = Facts.of(concepts(), HEAD)
    assert facts.labels("T1", "T3") == facts.labels("T2", "T3") == ("CID",)
    assert facts.labels("T4", "T5") == ("CID",)
    assert facts.labels("T3", "T1") == facts.labels("T4", "T3") == facts.labels("T4", "T6")[1:] == ()
    examples = {one.input.id: one.gold for one in relation.examples(concepts(), HEAD)}
    assert examples == {"c:T1-T3": "CID", "c:T2-T3": "CID", "c:T4-T5": "CID"}


def test_a_pair_can_have_two_labels_and_the_first_is_taught() -> None:
    two = replace(
        document("1", "Aspirin hits cox.", ("Aspirin", "Chemical"), ("cox", "Gene")),
        relations=(Relation("R1", "ACTIVATOR", "T1", "T2"), Relation("R2", "INHIBITOR", "T1", "T2")),
    )
    assert Facts.of(two, HEAD).labels("T1", "T2") == ("ACTIVATOR", "INHIBITOR")
    assert [one.gold for one in relation.examples(two, HEAD)] == ["ACTIVATOR"]
    assert reachable(two, HEAD) == (2, 2)


def test_reachable_counts_what_no_candidate_can_express() -> None:
    assert reachable(concepts(), HEAD) == (2, 3)  # D3-D5 never meet in a sentence
    assert reachable(SHORT, HEAD) == (2, 2)
    assert reachable(EMPTY, HEAD) == (0, 0)
    backwards = replace(SHORT, relations=(Relation("R1", "CID", "T2", "T1"),))
    assert reachable(backwards, HEAD) == (0, 1)


# ------------------------------------------------------------------------------------------------ relations


def pair_of(text: str, head: str, tail: str, types: tuple[str, str] = ("Chemical", "Gene")) -> Pair:
    first, second = text.index(head), text.rindex(tail)
    return Pair(
        "p", Sentence("s", "d", text),
        Argument("a", first, first + len(head), types[0]), Argument("b", second, second + len(tail), types[1]),
    )  # fmt: skip


@pytest.mark.parametrize("kind", HEADS["relation"])
def test_arguments_too_far_apart_are_dropped_and_the_rest_is_not(kind: str) -> None:
    text = "Aspirin " + "and " * 30 + "cox"
    far, near = pair_of(text, "Aspirin", "cox"), pair_of(text, "and", "and cox")
    near = replace(near, id="n", head=Argument("a", text.rindex("and"), text.rindex("and") + 3, "Chemical"))
    head = head_of("relation", kind)
    golds = ["INHIBITOR", "ACTIVATOR", "INHIBITOR"]
    answers = answered(head, [far, near, far], golds, limit=40)
    assert [(one.id, one.value, one.dropped) for one in answers] == [
        ("p", NEGATIVE, True), ("n", "ACTIVATOR", False), ("p", NEGATIVE, True),
    ]  # fmt: skip
    assert {one.windows for one in answers} == {len(PIECES.windows([text], limit=36 if kind == "marker" else 40)[0])}
    assert [one.value for one in answered(head, [far, near, far], golds, limit=200)] == golds


def test_a_pair_is_read_where_it_has_the_most_context() -> None:
    text = "and " * 20 + "aspirin hits cox" + " and" * 20
    pair = pair_of(text, "aspirin", "cox")
    windows = PIECES.windows([text], limit=40)
    (item,) = relation.encode(windows, [pair], head_of("relation", "packed"))
    assert item.markers is not None
    first, last = int(item.markers.min()), int(item.markers.max())
    chances = [
        min(a[0], len(w) - b[1])
        for w in windows[0]
        if (a := w.locate(pair.head.start, pair.head.end)) and (b := w.locate(pair.tail.start, pair.tail.end))
    ]
    assert len(chances) > 1 and min(first, len(item.window) - last) == max(chances)


@given(TEXTS.filter(lambda text: len(text) > 3), st.data(), st.sampled_from([24, 60, 500]))
def test_markers_stand_round_their_mentions_in_any_text(text: str, data: st.DataObject, limit: int) -> None:
    numbers = st.integers(0, len(text))
    spans = [sorted((data.draw(numbers), data.draw(numbers))) for _ in range(2)]
    pair = Pair("p", Sentence("s", "d", text), *(Argument(n, s, e, "") for n, (s, e) in zip("ab", spans, strict=True)))
    windows = PIECES.windows([text], limit=limit)
    (item,) = relation.encode(windows, [pair], head_of("relation", "packed"))
    if item.dropped:
        assert len(windows[0]) > 1 or any(
            not ((windows[0][0].starts < end) & (windows[0][0].ends > start) & (windows[0][0].starts >= 0)).any()
            for start, end in spans
        )
    else:
        assert item.markers is not None and item.markers.shape == (1, 4)
        window = item.window
        for (start, end), (first, last) in zip(spans, item.markers.reshape(2, 2).tolist(), strict=True):
            assert 1 <= first <= last <= len(window) - 2
            assert window.starts[first] < end and window.ends[last] > start
            covered = [p for p in range(1, len(window) - 1) if window.starts[p] < end and window.ends[p] > start]
            assert (covered[0], covered[-1]) == (first, last)
    rows, asked = batches.encode([(head_of("relation", "marker"), [pair])], PIECES, limit=limit)
    for row in rows:
        ids = PIECES.marker_ids()
        assert [int(n) for n in row.window.ids if int(n) in ids].__len__() == 4
        assert len(row.window) <= limit
    assert asked["asked"][0].dropped == (not rows)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("[E1]aspirin[/E1] hits [E2]cox[/E2].", "[E1] aspirin [/E1] h ##i ##t ##s [E2] cox [/E2] ."),
        ("[E2]aspirin[/E2] hits [E1]cox[/E1]", "[E2] aspirin [/E2] h ##i ##t ##s [E1] cox [/E1]"),
        ("[E1]aspirin[/E1][E2]cox[/E2]", "[E1] aspirin [/E1] [E2] cox [/E2]"),
        ("[E1]aspirin [E2]kinase[/E2][/E1]", "[E1] aspirin [E2] kinase [/E2] [/E1]"),
        ("[E2][E1]aspirin[/E1] kinase[/E2]", "[E2] [E1] aspirin [/E1] kinase [/E2]"),
        ("[E1][E2]aspirin[/E2] kinase[/E1]", "[E1] [E2] aspirin [/E2] kinase [/E1]"),
        ("in[E1]aspirin[/E1]s [E2]cox[/E2]", "in [E1] aspirin [/E1] s [E2] cox [/E2]"),
    ],
)
def test_marker_sets_them_by_offset_and_nested_as_the_mentions_are(marked: str, expected: str) -> None:
    rows, _ = batches.encode([(head_of("relation", "marker"), [relation.parse_marked(marked)])], PIECES, limit=64)
    (row,) = rows
    assert [PIECES.tokenizer.id_to_token(int(n)) for n in row.window.ids[1:-1]] == expected.split()
    plain_ids = WordPieces(PIECES.tokenizer).tokenizer
    plain_ids.encode_special_tokens = False
    try:
        assert plain_ids.encode(marked, add_special_tokens=False).ids == row.window.ids[1:-1].tolist()
    finally:
        plain_ids.encode_special_tokens = True


def test_the_likeliest_group_comes_first_then_its_likeliest_label() -> None:
    labels = (NEGATIVE, "A1", "A2", "B")
    head = Head("asked", "relation", "packed", labels, groups={"A1": "A", "A2": "A"})
    pair = pair_of("aspirin hits cox", "aspirin", "cox")
    (item,) = relation.encode(PIECES.windows([pair.sentence.text]), [pair], head)
    logits = np.log(np.asarray([[0.1, 0.25, 0.29, 0.36]], dtype=np.float32))
    (answer,) = relation.decode([pair], [item], [logits], head)
    assert answer.value == "A2"
    assert dict(answer.probabilities) == pytest.approx({NEGATIVE: 0.1, "A1": 0.25, "A2": 0.29, "B": 0.36}, abs=1e-4)
    (answer,) = relation.decode([pair], [item], [logits], replace(head, groups={}))
    assert answer.value == "B"


def test_labels_that_types_do_not_allow_have_no_probability() -> None:
    pair = pair_of("aspirin hits cox", "aspirin", "cox", ("Chemical", "Disease"))
    (item,) = relation.encode(PIECES.windows([pair.sentence.text]), [pair], HEAD)
    (answer,) = relation.decode([pair], [item], [np.asarray([[0.0, 1.0, 50.0, 9.0]], dtype=np.float32)], HEAD)
    assert answer.value == "CID" and dict(answer.probabilities) == pytest.approx({NEGATIVE: 0.2689, "CID": 0.7311})


def test_attach_gives_relations_their_sentence_as_evidence() -> None:
    examples = list(relation.examples(SHORT, HEAD))
    answers = answered(HEAD, [e.input for e in examples], [e.gold for e in examples], limit=64)
    found = relation.attach(SHORT, [e.input for e in examples], answers, "tiny").check()
    assert [(r.id, r.type, r.head, r.tail, r.level) for r in found.relations] == [
        ("R1", "CID", "T1", "T2", "mention"), ("R2", "INHIBITOR", "T3", "T4", "mention"),
    ]  # fmt: skip
    assert [SHORT.text[a:b] for r in found.relations for a, b in r.evidence] == [SHORT.text[:32], SHORT.text[33:]]
    assert all(r.source == "tiny" and (r.probability or 0) > 0.9 for r in found.relations)


MARKED_WRONG: Mapping[str, str] = {
    "aspirin hits cox": "the marker [E1] is missing (write [E1]head[/E1] … [E2]tail[/E2], each once)",
    "[E1]aspirin[/E1] hits [E2]cox": "the marker [/E2] is missing (write [E1]head[/E1] … [E2]tail[/E2], each once)",
    "[E1]a[/E1] [E1]b[/E1] [E2]c[/E2]": "the marker [E1] stands 2 times (write [E1]head[/E1] … [E2]tail[/E2], each once)",
    "[/E1]a[E1] hits [E2]c[/E2]": "[/E1] stands before [E1] (close a marker after it is opened)",
    "[E1]a[/E1] hits [E2] [/E2]": "[E2]…[/E2] marks nothing (put the mention between the markers)",
    "[E1][/E1] hits [E2]c[/E2]": "[E1]…[/E1] marks nothing (put the mention between the markers)",
    "[E1]a [E2]b[/E1] c[/E2]": "the markers cross (close one mention before the other begins, or nest them)",
    "[E2]a [E1]b[/E2] c[/E1]": "the markers cross (close one mention before the other begins, or nest them)",
    "": "the marker [E1] is missing (write [E1]head[/E1] … [E2]tail[/E2], each once)",
}


@pytest.mark.parametrize("text", MARKED_WRONG)
def test_a_wrongly_marked_text_is_one_line(text: str) -> None:
    with pytest.raises(MarkerError) as caught:
        relation.parse_marked(text)
    assert str(caught.value) == MARKED_WRONG[text]


def test_a_marked_text_loses_its_markers_and_keeps_its_offsets() -> None:
    pair = relation.parse_marked("In [E2] 👩‍🔬 ulcers[/E2], [E1]aspi\u0301rin [/E1]!", "7", ("Chemical", "Disease"))
    text = pair.sentence.text
    assert text == "In  👩‍🔬 ulcers, aspi\u0301rin !"
    assert text[pair.head.start : pair.head.end] == "aspi\u0301rin" and pair.head.type == "Chemical"
    assert text[pair.tail.start : pair.tail.end] == "👩‍🔬 ulcers" and pair.tail.type == "Disease"
    assert (pair.id, pair.sentence.id) == ("7", "7")


WORDS = st.text(alphabet="ab αé\u0301👩()[]/E12", min_size=1, max_size=6)


@given(WORDS, WORDS.filter(str.strip), WORDS, WORDS.filter(str.strip), WORDS)
def test_marking_and_parsing_are_inverse(before: str, head: str, between: str, tail: str, after: str) -> None:
    parts = (before, head, between, tail, after)
    if any(marker in part for part in parts for marker in relation.MARKED):
        return
    pair = relation.parse_marked(f"{before}[E1]{head}[/E1]{between}[E2]{tail}[/E2]{after}")
    text = pair.sentence.text
    assert text == "".join(parts)
    assert (text[pair.head.start : pair.head.end], text[pair.tail.start : pair.tail.end]) == (
        head.strip(),
        tail.strip(),
    )


# ------------------------------------------------------------------------------------------------ classification


def test_windows_are_averaged_by_their_pieces() -> None:
    text = "and " * 30
    head = head_of("classification", "label")
    sentence = Sentence("s", "d", text)
    windows = PIECES.windows([text], limit=64)
    encoded = list(classification.encode(windows, [sentence], head))
    sizes = [len(window) for window in windows[0]]
    assert len(sizes) > 1 and len(set(sizes)) > 1
    logits = [np.asarray([number, 0, 1], dtype=np.float32) for number in range(len(sizes))]
    (answer,) = classification.decode([sentence], encoded, logits, head)
    expected = np.average([softmax(row) for row in logits], axis=0, weights=sizes)
    assert list(answer.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-4)
    assert answer.windows == len(sizes)
    assert answer.value == head.labels[int(np.argmax(expected))]


def test_a_label_judges_its_own_range() -> None:
    examples = list(classification.examples(SHORT, head_of("classification", "label")))
    assert [(one.input.text, one.input.start, one.gold) for one in examples] == [
        (SHORT.text[:32], 0, "yes"), (SHORT.text[33:], 33, "perhaps"),
    ]  # fmt: skip
    (only,) = classification.examples(LONG, head_of("classification", "label"))
    assert only.input.id == "long"  # a row that is judged whole has its document's id


def test_attach_replaces_labels_of_one_name_only() -> None:
    inputs = list(classification.inputs(SHORT))
    answers = answered(head_of("classification", "label"), inputs, ["no", "yes"], limit=64)
    found = classification.attach(SHORT, inputs, answers, "asked", "tiny").check()
    assert [(label.name, label.value, label.start, label.end) for label in found.labels] == [
        ("other", "no", 0, 5), ("asked", "no", 0, 32), ("asked", "yes", 33, 78),
    ]  # fmt: skip

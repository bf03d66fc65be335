"""Rows and batches: nothing lost, nothing doubled, and who sees whom."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome.batches import Row, budgeted, collate, encode, few, full_batches, width
from relatome.tasks.example import Argument, Head, Options, Pair, Sentence
from relatome.tasks.relation import PAIRS_PER_ROW
from relatome.wordpieces import WordPieces
from tests import tiny

PIECES = WordPieces.toy(tiny.PIECES)
IDS = PIECES.add_markers()
MARKER = Head("marked", "relation", "marker", tiny.RELATIONS.labels)
LENGTHS = st.lists(st.integers(1, 300), max_size=60)
TEXT = "aspirin inhibits cox in lithium kinase"


def pair(number: int, head: tuple[int, int], tail: tuple[int, int], text: str = TEXT) -> Pair:
    return Pair(str(number), Sentence("s", "d", text), Argument("a", *head, "Chemical"), Argument("b", *tail, "Gene"))


PAIRS = [pair(1, (0, 7), (17, 20)), pair(2, (24, 31), (32, 38)), pair(3, (0, 7), (32, 38))]

# ------------------------------------------------------------------------------------------------ cutting


@given(st.integers(1, 5000))
def test_widths_are_few_and_near(pieces: int) -> None:
    wide = width(pieces)
    assert pieces <= wide < pieces + (4 if pieces <= 128 else 16)
    assert wide % (4 if pieces <= 128 else 16) == 0 and width(wide) == wide
    assert width(pieces + 1) >= wide


@given(LENGTHS, st.integers(1, 2000), st.booleans())
def test_budgeted_batches_hold_every_row_once_within_the_budget(
    lengths: list[int], budget: int, longest_first: bool
) -> None:
    found = list(budgeted(lengths, budget, longest_first=longest_first))
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        assert batch and (len(batch) == 1 or len(batch) * max(width(lengths[index]) for index in batch) <= budget)
    order = [lengths[index] for batch in found for index in batch]
    assert order == sorted(order, reverse=longest_first)


@given(LENGTHS, st.integers(1, 2000))
def test_full_batches_hold_every_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    found = list(full_batches(lengths, budget))
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        assert batch and (len(batch) == 1 or len(batch) * max(width(lengths[index]) for index in batch) <= budget)


def test_full_batches_of_one_width_have_one_shape() -> None:
    lengths = [15, 16, 13, 16] * 25 + [30]
    found = list(full_batches(lengths, 64))
    assert Counter(len(batch) for batch in found[:-1]) == {4: 25}
    assert found[-1] == [100]


@given(st.integers(1, 10_000), st.sampled_from([2, 4]))
def test_few_sizes_are_few_and_near(count: int, steps: int) -> None:
    size = few(count, steps=steps)
    assert count <= size <= max(count * (1 + 1 / steps), count + 1)
    assert few(size, steps=steps) == size
    assert len({few(number, steps=steps) for number in range(1, 1025)}) <= 10 * steps + 1


def test_full_batches_for_reading_have_one_of_a_few_numbers_of_rows() -> None:
    batches = list(budgeted([random.Random(1).randint(3, 120) for _ in range(3000)], 1024, longest_first=True))
    lengths = {len(batch) for batch in batches[:-1]}
    assert {few(length) for length in lengths} == lengths


# ------------------------------------------------------------------------------------------------ rows


def test_what_is_asked_of_one_text_is_one_row() -> None:
    sentence = PAIRS[0].sentence
    rows, asked = encode(
        [(tiny.ENTITIES, [sentence]), (tiny.ADE, [sentence]), (tiny.RELATIONS, PAIRS)], PIECES, limit=64
    )
    (row,) = rows
    assert set(row.encoded) == {"entities", "ade-sentence", "relations"}
    assert [len(items) for items in asked.values()] == [1, 1, 1]
    assert row.pieces == len(row.window) + 12 == 8 + 12
    assert row.markers.tolist() == [[1, 1, 3, 3], [5, 5, 6, 6], [1, 1, 6, 6]]


def test_the_same_text_asked_twice_is_answered_twice() -> None:
    twice = [Sentence("a", "d", TEXT), Sentence("b", "d", "kinase"), Sentence("c", "d", TEXT)]
    rows, asked = encode([(tiny.ENTITIES, twice), (tiny.ADE, twice[:1])], PIECES, limit=64)
    assert [item.inputs for item in asked["entities"]] == [(0,), (1,), (2,)]
    places = sorted((index, item.inputs) for row in rows for index, item in [row.encoded["entities"]])
    assert places == [(0, (0,)), (1, (1,)), (2, (2,))]
    assert sum("ade-sentence" in row.encoded for row in rows) == 1


def test_many_pairs_take_further_rows_of_the_same_window() -> None:
    many = [replace(PAIRS[number % 3], id=str(number)) for number in range(PAIRS_PER_ROW + 5)]
    rows, asked = encode([(tiny.ADE, [PAIRS[0].sentence]), (tiny.RELATIONS, many)], PIECES, limit=64)
    assert [len(row.markers) for row in rows] == [PAIRS_PER_ROW, 5]
    assert [set(row.encoded) for row in rows] == [{"ade-sentence", "relations"}, {"relations"}]
    assert sorted(n for item in asked["relations"] for n in item.inputs) == list(range(len(many)))


@pytest.mark.parametrize("limit", [24, 40, 64])
def test_no_row_is_longer_than_the_limit_and_every_input_is_asked(limit: int) -> None:
    sentences, pairs = tiny.sentences(), tiny.pairs()
    requests: list[tuple[Head, Any]] = [
        (tiny.ENTITIES, sentences), (tiny.ADE, sentences), (tiny.RELATIONS, pairs), (MARKER, pairs),
    ]  # fmt: skip
    rows, asked = encode(requests, PIECES, limit=limit)
    assert all(len(row.window) <= limit for row in rows)
    for head, inputs in requests:
        items = asked[head.name]
        assert sorted({n for item in items for n in item.inputs}) == list(range(len(inputs)))
        served = {row.encoded[head.name][0] for row in rows if head.name in row.encoded}
        assert served == {index for index, item in enumerate(items) if not item.dropped}


def test_windows_do_not_depend_on_who_else_asks() -> None:
    long = [Sentence("s", "d", "kinase " * 90)]
    alone, _ = encode([(tiny.ENTITIES, long)], PIECES, limit=64)
    beside, _ = encode([(tiny.ENTITIES, long), (MARKER, PAIRS)], PIECES, limit=64)
    cut = [row.window.ids.tolist() for row in beside if "entities" in row.encoded]
    assert cut == [row.window.ids.tolist() for row in alone] and len(cut) > 1


def test_a_vocabulary_without_markers_spells_them() -> None:
    plain = WordPieces.toy(tiny.PIECES)
    assert PIECES.markers() == {"": tuple(IDS)}
    assert plain.markers() == {}
    rows, _ = encode([(MARKER, [pair(1, (0, 3), (4, 7), "and cox " + "or " * 99)])], plain, limit=64)
    assert [len(row.window) for row in rows] == [64]
    read = "".join(str(plain.tokenizer.id_to_token(int(one))) for one in rows[0].window.ids).replace("##", "")
    assert read.startswith("[CLS][e1]and[/e1][e2]cox[/e2]or")


# ------------------------------------------------------------------------------------------------ arrays


def rows_of(pairs: list[Pair]) -> list[Row]:
    short = [Sentence("t", "d", "kinase")]
    return encode([(tiny.RELATIONS, pairs), (tiny.ADE, short)], PIECES, limit=64)[0]


def test_markers_have_the_positions_of_what_they_mark() -> None:
    batch = collate(rows_of(PAIRS[:2]), pad=PIECES.pad, markers=IDS)
    assert batch.ids.shape == batch.positions.shape == (2, 16) and batch.mask.shape == (2, 1, 16, 17)
    text = PIECES.windows([TEXT])[0][0].ids.tolist()
    assert batch.ids[0].tolist() == [*text, *IDS, *IDS]
    assert batch.positions[0].tolist() == [*range(8), 1, 1, 3, 3, 5, 5, 6, 6]
    assert batch.pairs.tolist() == [[[8, 10], [12, 14]], [[0, 0], [0, 0]]]
    assert batch.ids[1].tolist() == [PIECES.cls, text[6], PIECES.sep] + [PIECES.pad] * 13
    assert batch.pieces == 16 + 3


def test_who_sees_whom() -> None:
    batch = collate(rows_of(PAIRS[:2]), pad=PIECES.pad, markers=IDS)
    assert not batch.mask[:, :, :, 0].any()  # the one place of an empty memory
    seen = batch.mask[0, 0, :, 1:]
    text, first, second = range(8), range(8, 12), range(12, 16)
    for piece in range(16):
        expected = {*text} | ({*first} if piece in first else {*second} if piece in second else set())
        assert set(np.flatnonzero(seen[piece]).tolist()) == expected
    padded = batch.mask[1, 0, :, 1:]
    for piece in range(16):
        found = set(np.flatnonzero(padded[piece]).tolist())
        assert {0, 1, 2} <= found
        if piece < 3:
            assert found == {0, 1, 2}
        else:
            assert piece in found  # padding sees itself: no row of the mask is empty
    assert not padded[:3, 3:].any()  # and no one else sees padding


def test_who_sees_whom_without_closing_markers() -> None:
    opening = replace(tiny.RELATIONS, options=Options(closing=False))
    rows, _ = encode([(opening, PAIRS[:2])], PIECES, limit=64)
    four = rows_of(PAIRS[2:])[0]
    batch = collate([*rows, four], pad=PIECES.pad, markers=IDS)
    assert batch.ids[0, 8:].tolist() == [IDS[0], IDS[2]] * 2
    assert batch.ids[1, 8:].tolist() == list(IDS)
    assert batch.positions[0, 8:].tolist() == rows[0].markers.reshape(-1).tolist()
    assert batch.pairs.tolist() == [[[8, 9], [10, 11]], [[8, 10], [0, 0]]]
    for place, groups in enumerate([[{8, 9}, {10, 11}], [{8, 9, 10, 11}]]):
        for piece in range(12):
            own: set[int] = next((group for group in groups if piece in group), set())
            assert set(np.flatnonzero(batch.mask[place, 0, piece, 1:]).tolist()) == {*range(8), *own}


def test_with_a_memory_a_row_is_its_markers() -> None:
    rows = rows_of(PAIRS)[:1]
    whole = collate(rows, pad=PIECES.pad, markers=IDS)
    batch = collate(rows, pad=PIECES.pad, markers=IDS, memory=[8])
    assert batch.ids.tolist() == [list(IDS) * 3]
    assert batch.positions[0].tolist() == whole.positions[0, 8:20].tolist()
    assert batch.pairs.tolist() == (whole.pairs - 8).tolist()
    assert np.array_equal(batch.mask[0, 0], whole.mask[0, 0, 8:20, 1:21])
    longer = collate(rows * 2, pad=PIECES.pad, markers=IDS, memory=[8, 6])
    assert longer.mask.shape == (2, 1, 12, 8 + 12)
    assert longer.mask[1, 0, :, :8].tolist() == [[True] * 6 + [False] * 2] * 12


@given(st.lists(st.integers(0, len(tiny.TEXTS) - 1), min_size=1, max_size=6))
def test_padding_changes_no_real_number(chosen: list[int]) -> None:
    sentences = [replace(tiny.sentences()[number], id=str(place)) for place, number in enumerate(chosen)]
    rows, _ = encode([(tiny.ADE, sentences)], PIECES, limit=64)
    batch = collate(rows, pad=PIECES.pad, markers=IDS)
    assert batch.ids.shape[1] == width(max(len(row.window) for row in rows))
    for index, row in enumerate(rows):
        assert batch.ids[index, : len(row.window)].tolist() == row.window.ids.tolist()
        assert (batch.ids[index, len(row.window) :] == PIECES.pad).all()
        assert batch.mask[index, 0].any(axis=1).all()
    assert batch.ids.dtype == batch.positions.dtype == batch.pairs.dtype == np.int64 and batch.mask.dtype == bool

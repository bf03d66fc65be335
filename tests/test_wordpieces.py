"""Pieces with the characters they stand for, in windows that lose nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome.errors import ModelError
from relatome.wordpieces import LIMIT, MARKERS, OVERLAP, Window, WordPieces
from tests import tiny

LOWER = WordPieces.toy(tiny.PIECES)
CASED = WordPieces.toy(tiny.CASED, lowercase=False)
ANY = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab cé \t\n.-()α[]1\u0301\u0308\u200d\u00ad\ufe0f👩🔬漢ßﬁİ®\u2028"),
        st.characters(codec="utf-8"),
    ),
    max_size=120,
)
BOTH = st.sampled_from([LOWER, CASED])


def one(pieces: WordPieces, text: str) -> Window:
    (window,) = pieces.windows([text], limit=100_000)[0]
    return window


def shown(pieces: WordPieces, text: str) -> list[str]:
    window = one(pieces, text)
    return [
        text[start:end] for start, end in zip(window.starts[1:-1].tolist(), window.ends[1:-1].tolist(), strict=True)
    ]


# ------------------------------------------------------------------------------------------------ offsets


@given(ANY, BOTH)
def test_offsets_lie_in_the_text_in_order(text: str, pieces: WordPieces) -> None:
    window = one(pieces, text)
    starts, ends, words = (array[1:-1].tolist() for array in (window.starts, window.ends, window.words))
    assert (window.ids[0], window.ids[-1]) == (pieces.cls, pieces.sep)
    assert all(array[0] == array[-1] == -1 for array in (window.starts, window.ends, window.words))
    assert all(0 <= start < end <= len(text) for start, end in zip(starts, ends, strict=True))
    assert starts == sorted(starts) and ends == sorted(ends) and words == sorted(words)
    previous = 0
    for word in words:
        assert word in (previous, previous + 1) or word == 0
        previous = word


@given(ANY, BOTH)
def test_every_letter_and_digit_is_in_some_piece(text: str, pieces: WordPieces) -> None:
    window = one(pieces, text)
    covered = np.zeros(len(text) + 1, dtype=bool)
    for start, end in zip(window.starts[1:-1].tolist(), window.ends[1:-1].tolist(), strict=True):
        covered[start:end] = True
    for index, character in enumerate(text):
        if category(character)[0] in "LN":
            assert covered[index], (character, text)


@given(ANY, BOTH)
def test_no_accent_is_left_outside_the_letter_it_belongs_to(text: str, pieces: WordPieces) -> None:
    window = one(pieces, text)
    ends, starts = window.ends[1:-1].tolist(), [*window.starts[2:-1].tolist(), len(text)]
    for end, following in zip(ends, starts, strict=False):
        assert end >= following or category(text[end]) not in ("Mn", "Me")


def test_what_a_piece_stands_for() -> None:
    assert shown(LOWER, "Aspirin inhibits COX-2.") == ["Aspirin", "inhibits", "COX", "-", "2", "."]
    assert shown(LOWER, "ase\u0301 b") == ["a", "s", "e\u0301", "b"]
    assert shown(LOWER, "👩‍🔬 in 漢字") == ["👩‍🔬", "in", "漢", "字"]
    assert shown(LOWER, "") == []
    assert one(LOWER, "").ids.tolist() == [LOWER.cls, LOWER.sep]


@pytest.mark.parametrize("text", ["[SEP]", "[CLS] [PAD]", "[E1]aspirin[/E1]", "[MASK]", "[UNK]"])
def test_special_names_in_a_text_are_text(text: str) -> None:
    pieces = WordPieces.toy(tiny.PIECES)
    markers = pieces.add_markers()
    ids = one(pieces, text).ids[1:-1].tolist()
    special = {pieces.cls, pieces.sep, pieces.pad, *markers, pieces.tokenizer.token_to_id("[MASK]")}
    assert not special & set(ids)
    assert "".join(shown(pieces, text)) == text.replace(" ", "")


# ------------------------------------------------------------------------------------------------ windows

SIZES = st.tuples(st.integers(8, 60), st.integers(0, 80))


@given(ANY, BOTH, SIZES)
def test_windows_hold_every_piece_in_order(text: str, pieces: WordPieces, sizes: tuple[int, int]) -> None:
    limit, overlap = sizes
    whole = one(pieces, text)
    windows = pieces.windows([text], limit=limit, overlap=overlap)[0]
    shared = min(overlap, (limit - 2) // 2)
    length = len(whole) - 2
    assert len(windows) == 1 if length <= limit - 2 else len(windows) > 1
    at = 0
    for index, window in enumerate(windows):
        assert (window.index, window.count) == (index, len(windows))
        assert 2 <= len(window) <= limit
        inner = slice(at + 1, at + len(window) - 1)
        for name in ("ids", "starts", "ends", "words"):
            assert np.array_equal(getattr(window, name)[1:-1], getattr(whole, name)[inner]), name
            assert getattr(window, name).dtype == np.int32
        assert (window.ids[0], window.ids[-1]) == (pieces.cls, pieces.sep)
        last = at + len(window) - 2
        if index < len(windows) - 1:
            assert len(window) == limit  # all but the last are full
            at = last - shared
    assert last == length


def test_a_text_that_just_fits_has_one_window() -> None:
    for count, windows in ((LIMIT - 2, 1), (LIMIT - 1, 2)):
        found = LOWER.windows(["a " * count])[0]
        assert len(found) == windows
        assert sum(len(window) - 2 for window in found) == count + (OVERLAP if windows == 2 else 0)


def test_texts_keep_their_order() -> None:
    texts = ["a", "", "b " * 300, "c"]
    together = LOWER.windows(texts)
    assert [[w.ids.tolist() for w in cut] for cut in together] == [
        [w.ids.tolist() for w in LOWER.windows([text])[0]] for text in texts
    ]
    assert LOWER.windows([]) == []


@given(ANY.filter(bool), st.data(), st.integers(10, 60))
def test_locate_finds_the_pieces_of_a_range_or_says_that_part_lies_outside(
    text: str, data: st.DataObject, limit: int
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    whole = one(LOWER, text)
    expected = [p for p in range(1, len(whole) - 1) if whole.starts[p] < end and whole.ends[p] > start]
    assert whole.locate(start, end) == ((expected[0], expected[-1]) if expected else None)
    at = 0
    for window in LOWER.windows([text], limit=limit)[0]:
        found = window.locate(start, end)
        if found is not None:
            assert expected and (found[0] + at, found[1] + at) == (expected[0], expected[-1])
        elif expected:
            inside = at < expected[0] and expected[-1] < at + len(window) - 1
            assert not inside
        at += len(window) - 2 - min(OVERLAP, (limit - 2) // 2)


def test_a_range_of_white_space_is_nowhere() -> None:
    assert one(LOWER, "a  b").locate(1, 3) is None


def test_a_break_ends_a_word_and_nothing_else() -> None:
    text = "aspirinlike drugs, aspirin like drugs"
    (plain,) = LOWER.windows([text])[0]
    (broken,) = LOWER.windows([text], breaks=[(7,)])[0]
    (apart,) = LOWER.windows(["aspirin like drugs, aspirin like drugs"])[0]
    assert broken.ids.tolist() == apart.ids.tolist() != plain.ids.tolist()
    assert broken.words.tolist() == apart.words.tolist()
    assert shown(LOWER, text)[:1] == ["aspirin"] and text[broken.starts[2] : broken.ends[5]] == "like"
    (idle,) = LOWER.windows([text], breaks=[(11, 17, 19)])[0]
    assert all(np.array_equal(getattr(idle, name), getattr(plain, name)) for name in ("ids", "starts", "ends", "words"))


@given(ANY.filter(lambda text: len(text) > 1), st.data())
def test_breaks_keep_offsets(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=4)))
    (window,) = LOWER.windows([text], breaks=[places], limit=10_000)[0]
    starts, ends = window.starts[1:-1].tolist(), window.ends[1:-1].tolist()
    assert all(0 <= start < end <= len(text) for start, end in zip(starts, ends, strict=True))
    assert starts == sorted(starts) and window.words[1:-1].tolist() == sorted(window.words[1:-1].tolist())
    for place in places:
        assert not any(start < place < end for start, end in zip(starts, ends, strict=True))


# ------------------------------------------------------------------------------------------------ folders


def test_a_saved_tokenizer_is_the_same(tmp_path: Path) -> None:
    LOWER.save(tmp_path)
    again = WordPieces.load(tmp_path)
    assert len(again) == len(LOWER)
    assert all(again.windows([text])[0][0].ids.tolist() == one(LOWER, text).ids.tolist() for text in tiny.TEXTS[:4])


def test_truncation_and_padding_of_a_published_file_are_switched_off(tmp_path: Path) -> None:
    pieces = WordPieces.toy(tiny.PIECES)
    pieces.tokenizer.enable_truncation(5)
    pieces.tokenizer.enable_padding(length=40)
    pieces.save(tmp_path)
    assert json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["truncation"]["max_length"] == 5
    assert len(one(WordPieces.load(tmp_path), "a " * 20)) == 22


def test_our_vocab_reader_is_transformers_own(tmp_path: Path) -> None:
    from transformers import BertTokenizer

    for pieces, lowercase in ((LOWER, True), (CASED, False)):
        table = pieces.tokenizer.get_vocab()
        (tmp_path / "vocab.txt").write_text("\n".join(sorted(table, key=table.__getitem__)) + "\r\n", encoding="utf-8")
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}), encoding="utf-8")
        theirs: Any = BertTokenizer(vocab=str(tmp_path / "vocab.txt"), do_lower_case=lowercase)
        ours = WordPieces.load(tmp_path)
        for text in (*tiny.TEXTS, "naïve Ångström e\u0301 ﬁ İ 漢字 a_b\u00adc"):
            assert theirs(text)["input_ids"] == one(ours, text).ids.tolist(), text


BAD = {
    "nothing": ({}, "neither tokenizer.json nor vocab.txt is here (copy the whole model)"),
    "broken": ({"tokenizer.json": b"{"}, "not a tokenizer: "),
    "not UTF-8": ({"vocab.txt": b"[PAD]\n\xff\xfe\n"}, "not UTF-8: "),
    "no [UNK]": ({"vocab.txt": b"a\nb\n"}, "the vocabulary has no [UNK] (is this a WordPiece vocabulary?)"),
    "empty": ({"vocab.txt": b""}, "the vocabulary has no [UNK] (is this a WordPiece vocabulary?)"),
    "no [SEP]": (
        {"vocab.txt": b"[UNK]\n[CLS]\n[PAD]\n"}, "the tokenizer has no [SEP] or </s> (is this an encoder's tokenizer?)",
    ),
    "a config that is none": ({"vocab.txt": b"[UNK]\n", "config.json": b"{"}, "not JSON: "),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_folder_without_a_tokenizer_is_one_line(tmp_path: Path, case: str) -> None:
    files, message = BAD[case]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        WordPieces.load(tmp_path)
    assert str(caught.value).startswith(str(tmp_path)) and message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_markers_are_added_once() -> None:
    pieces = WordPieces.toy(tiny.PIECES)
    with pytest.raises(ModelError) as caught:
        pieces.marker_ids()
    assert str(caught.value) == "the vocabulary lacks the markers [E1] [/E1] [E2] [/E2] (call add_markers())"
    before = len(pieces)
    assert pieces.add_markers() == pieces.add_markers() == pieces.marker_ids() == tuple(range(before, before + 4))
    assert len(pieces) == before + len(MARKERS)

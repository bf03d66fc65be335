"""Text to word pieces with character offsets, cut into overlapping windows where it is too long for the encoder.

A `Window` is what an encoder reads: ``[CLS] pieces [SEP]`` with, for each piece, its half-open code-point range in
the text and the index of the word it belongs to. Every character of the text lies in some window: nothing is cut
in silence. The tokenizer is the Rust ``tokenizers`` library; ``transformers`` is not needed to run a model.

Words end at blanks and at punctuation, as in BERT's own pre-tokenizer, whatever the tokenizer: byte-level ones
(RoBERTa) also divide letters from digits, sentencepiece ones (DeBERTa) leave the full stop in the word, and both count
the blank before a word to its first piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any
from unicodedata import category

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from relatome.errors import ModelError

MARKERS = ("[E1]", "[/E1]", "[E2]", "[/E2]")
MARKER = re.compile(r"\[(/?E[12])(?::([^\[\]]+))?\]")  # one that stands in a text, plain or typed
LIMIT = 256  # pieces a window holds, [CLS] and [SEP] among them
OVERLAP = 64  # pieces two neighbouring windows share: context for what stands near a cut

Array = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of text as an encoder reads it.

    Parameters
    ----------
    ids
        ``(T,)`` piece ids, ``[CLS]`` first and ``[SEP]`` last.
    starts, ends
        ``(T,)`` half-open code-point ranges in the text; -1 for ``[CLS]``, ``[SEP]`` and markers.
    words
        ``(T,)`` index of the piece's word in the whole text, -1 for special pieces.
    index, count
        This is window ``index`` of the text's ``count``.
    """

    ids: Array
    starts: Array
    ends: Array
    words: Array
    index: int = 0
    count: int = 1

    def __len__(self) -> int:
        return len(self.ids)

    def locate(self, start: int, end: int) -> tuple[int, int] | None:
        """First and last piece (inclusive) that overlap the characters ``start:end``; None if part lies outside."""
        inside = np.flatnonzero((self.starts < end) & (self.ends > start) & (self.starts >= 0))
        if not len(inside):
            return None
        first, last = int(inside[0]), int(inside[-1])
        text_first, text_last = 1, len(self.ids) - 2
        if self.index > 0 and first == text_first and self.starts[first] > start:
            return None
        if self.index < self.count - 1 and last == text_last and self.ends[last] < end:
            return None
        return first, last


def markers_of(kind: str = "") -> tuple[str, ...]:
    """The four markers, plain or of a type.

    Examples
    --------
    >>> markers_of("Gene")
    ('[E1:Gene]', '[/E1:Gene]', '[E2:Gene]', '[/E2:Gene]')
    """
    return tuple(f"{marker[:-1]}:{kind}]" for marker in MARKERS) if kind else MARKERS


class WordPieces:
    """A tokenizer that keeps offsets.

    Parameters
    ----------
    tokenizer
        A ``tokenizers.Tokenizer``; its truncation and padding are switched off.

    Raises
    ------
    ModelError
        The vocabulary has no ``[CLS]``, ``[SEP]`` or ``[PAD]`` (or their RoBERTa names), or the tokenizer sets other
        special pieces than one before a text and one after it.

    Examples
    --------
    >>> pieces = WordPieces.toy(["as", "##pirin", "helps", "."])
    >>> window = pieces.windows(["Aspirin helps."])[0][0]
    >>> [(int(s), int(e)) for s, e in zip(window.starts, window.ends)][1:-1]
    [(0, 2), (2, 7), (8, 13), (13, 14)]
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True  # a "[SEP]" or "[E1]" that stands in the text is text
        self.tokenizer = tokenizer
        splits = tokenizer.pre_tokenizer
        self._berts_words = splits is not None and [at for _, at in splits.pre_tokenize_str("a 1b.")] == [
            (0, 1), (2, 4), (4, 5),
        ]  # fmt: skip

        def special(*names: str) -> int:
            for name in names:
                if (found := tokenizer.token_to_id(name)) is not None:
                    return int(found)
            raise ModelError(f"the tokenizer has no {' or '.join(names)}", advice="is this an encoder's tokenizer?")

        bare, full = (tokenizer.encode("a", add_special_tokens=one).ids for one in (False, True))
        if full == bare:  # it says nothing about special pieces
            self.cls, self.sep = special("[CLS]", "<s>"), special("[SEP]", "</s>")
        elif full[1:-1] == bare and len(full) == len(bare) + 2:
            self.cls, self.sep = full[0], full[-1]
        else:
            raise ModelError(
                "the tokenizer does not set one special piece before a text and one after it",
                advice="is this an encoder's tokenizer?",
            )
        self.pad = special("[PAD]", "<pad>")

    @classmethod
    def load(cls, folder: str | Path) -> WordPieces:
        """From a model folder: ``tokenizer.json``, or ``vocab.txt`` alone (cased or uncased as its config says).

        RoBERTa's ``vocab.json`` and ``merges.txt`` do as well.

        Raises
        ------
        ModelError
            Neither file is there, or it cannot be read.
        """
        folder = Path(folder)
        file = folder / "tokenizer.json"
        if file.is_file():
            try:
                return cls(Tokenizer.from_file(str(file)))
            except Exception as error:  # the Rust library raises bare Exception
                raise ModelError(f"not a tokenizer: {error}", path=file) from error
        vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
        if vocabulary.is_file() and merges.is_file():
            try:
                return cls(_roberta(vocabulary, merges))
            except Exception as error:  # the Rust library raises bare Exception
                raise ModelError(f"not a byte-level vocabulary: {error}", path=vocabulary) from error
        vocabulary = folder / "vocab.txt"
        if not vocabulary.is_file():
            raise ModelError("neither tokenizer.json nor vocab.txt is here", path=folder, advice="copy the whole model")
        try:
            table = vocabulary.read_text(encoding="utf-8").split("\n")
            return cls(_bert(table, lowercase=_lowercase(folder, table)))
        except UnicodeDecodeError as error:
            raise ModelError(f"not UTF-8: {error}", path=vocabulary, advice="copy the file again") from error
        except ModelError as error:
            raise error.at(path=vocabulary) from None

    @classmethod
    def toy(cls, pieces: Iterable[str], *, lowercase: bool = True) -> WordPieces:
        """A BERT tokenizer over a handful of pieces, for tests and examples."""
        return cls(_bert(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces], lowercase=lowercase))

    def __len__(self) -> int:
        return int(self.tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def mask(self) -> int:
        """The piece that a hidden one is shown as.

        Raises
        ------
        ModelError
            The vocabulary has none.
        """
        for name in ("[MASK]", "<mask>"):
            if (found := self.tokenizer.token_to_id(name)) is not None:
                return int(found)
        raise ModelError("the tokenizer has no [MASK] or <mask>", advice="is this an encoder's tokenizer?")

    @cached_property
    def ordinary(self) -> Array:
        """``(N,)`` the pieces that stand for text: all but the special ones."""
        special = set(self.tokenizer.get_added_tokens_decoder())
        every = self.tokenizer.get_vocab(with_added_tokens=True).values()
        return np.asarray(sorted(set(every) - special), dtype=np.int32)

    def save(self, folder: str | Path) -> None:
        """Write ``tokenizer.json`` into ``folder``."""
        self.tokenizer.save(str(Path(folder) / "tokenizer.json"))

    def add_markers(self, markers: Sequence[str] = MARKERS) -> tuple[int, ...]:
        """Ids of the entity markers, which are added to the vocabulary as special pieces where they are missing."""
        self.tokenizer.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in markers])
        return self.marker_ids(markers)

    def markers(self, kinds: Iterable[str] = ()) -> dict[str, tuple[int, ...]]:
        """The ids of the plain markers (under ``""``) and of those of each type, where the vocabulary has all four."""
        found = {}
        for kind in ("", *kinds):
            ids = [self.tokenizer.token_to_id(marker) for marker in markers_of(kind)]
            if None not in ids:
                found[kind] = tuple(int(number) for number in ids if number is not None)
        return found

    def marker_ids(self, markers: Sequence[str] = MARKERS) -> tuple[int, ...]:
        """Ids of the entity markers.

        Raises
        ------
        ModelError
            The vocabulary lacks one.
        """
        ids = {marker: self.tokenizer.token_to_id(marker) for marker in markers}
        missing = [marker for marker, number in ids.items() if number is None]
        if missing:
            raise ModelError(f"the vocabulary lacks the markers {' '.join(missing)}", advice="call add_markers()")
        return tuple(int(number) for number in ids.values() if number is not None)

    def windows(
        self,
        texts: Sequence[str],
        *,
        limit: int = LIMIT,
        overlap: int = OVERLAP,
        breaks: Sequence[Sequence[int]] | None = None,
    ) -> list[list[Window]]:
        """The windows of each text, in order; a text of up to ``limit - 2`` pieces has exactly one.

        Parameters
        ----------
        texts
            Plain texts.
        limit
            Pieces a window holds, ``[CLS]`` and ``[SEP]`` among them.
        overlap
            Pieces two neighbouring windows share.
        breaks
            For each text, characters before which a word ends, whatever stands there: where markers will be set.
        """
        overlap = min(overlap, (limit - 2) // 2)
        if breaks is None:
            encodings = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
            read = (self._arrays(encoding, text) for encoding, text in zip(encodings, texts, strict=True))
            return [_cut(self, *arrays, limit - 2, overlap) for arrays in read]
        found = []
        for text, places in zip(texts, breaks, strict=True):
            bounds = [0, *places, len(text)]
            parts = [text[start:end] for start, end in pairwise(bounds)]
            encodings = self.tokenizer.encode_batch(parts, add_special_tokens=False)
            arrays = [self._arrays(encoding, part) for encoding, part in zip(encodings, parts, strict=True)]
            counts = np.cumsum([0] + [int(part.max(initial=-1)) + 1 for _, _, part in arrays])
            ids = np.concatenate([part for part, _, _ in arrays])
            offsets = np.concatenate([_moved(part, by) for by, (_, part, _) in zip(bounds, arrays, strict=False)])
            words = np.concatenate([_moved(part, by) for by, (_, _, part) in zip(counts, arrays, strict=False)])
            found.append(_cut(self, ids, offsets, words, limit - 2, overlap))
        return found

    def _arrays(self, encoding: Any, text: str) -> tuple[Array, Array, Array]:
        """``(T,)`` ids, ``(T, 2)`` character ranges and ``(T,)`` word indices."""
        ids = np.asarray(encoding.ids, dtype=np.int32)
        offsets = np.asarray(encoding.offsets, dtype=np.int32).reshape(-1, 2)
        if not self._berts_words:
            _trim(offsets, text)
        if not text.isascii():
            # a tokenizer that strips accents leaves a combining one outside; it belongs to the letter before it
            following = [*offsets[1:, 0].tolist(), len(text)]
            for index, (end, after) in enumerate(zip(offsets[:, 1].tolist(), following, strict=False)):
                while end < after and category(text[end]) in ("Mn", "Me"):
                    end += 1
                offsets[index, 1] = end
        if self._berts_words:
            return ids, offsets, np.asarray([-1 if word is None else word for word in encoding.word_ids], np.int32)
        return ids, offsets, _words(offsets, text)


def _trim(offsets: Array, text: str) -> None:
    """Take blanks off both ends of every range."""
    for index, (start, end) in enumerate(offsets.tolist()):
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        offsets[index] = start, end


def _words(offsets: Array, text: str) -> Array:
    """The word of each range: a new one begins after a blank and on both sides of punctuation.

    A piece that stands for a blank alone gets the range and the word of the piece before it; at the start, -1.
    """
    words = np.full(len(offsets), -1, dtype=np.int32)
    word, last = -1, -1
    for index, (start, end) in enumerate(offsets.tolist()):
        if start == end:
            offsets[index] = offsets[index - 1] if index else -1
            words[index] = word
            continue
        # pieces of one character (bytes of an emoji) overlap: no word ends inside it
        if (
            last < 0
            or start > last
            or (start == last and (_is_punctuation(text[start]) or _is_punctuation(text[last - 1])))
        ):
            word += 1
        words[index] = word
        last = max(last, end)
    return words


def _is_punctuation(character: str) -> bool:
    """As BERT's tokenizer has it: all of ASCII that is printed and neither letter nor digit, and Unicode's P."""
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return category(character).startswith("P")


def _moved(values: Array, by: int) -> Array:
    return np.where(values >= 0, values + by, values).astype(np.int32)


def _cut(pieces: WordPieces, ids: Array, offsets: Array, words: Array, room: int, overlap: int) -> list[Window]:
    cuts = [(0, len(ids))]
    if len(ids) > room:
        begins = list(range(0, len(ids) - overlap, room - overlap))
        cuts = [(begin, min(begin + room, len(ids))) for begin in begins]
    return [
        Window(
            ids=np.concatenate(([pieces.cls], ids[a:b], [pieces.sep])).astype(np.int32),
            starts=_edged(offsets[a:b, 0]),
            ends=_edged(offsets[a:b, 1]),
            words=_edged(words[a:b]),
            index=index,
            count=len(cuts),
        )
        for index, (a, b) in enumerate(cuts)
    ]


def _edged(values: Array) -> Array:
    return np.concatenate(([-1], values, [-1])).astype(np.int32)


def _lowercase(folder: Path, vocabulary: Sequence[str]) -> bool:
    for name in ("tokenizer_config.json", "config.json"):
        file = folder / name
        if file.is_file():
            try:
                config = json.loads(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ModelError(f"not JSON: {error}", path=file) from error
            if isinstance(config, dict) and "do_lower_case" in config:
                return bool(config["do_lower_case"])
    # nothing is said about case: only a cased vocabulary has upper-case pieces
    return not any(piece[:1].isupper() for piece in vocabulary)


def _bert(vocabulary: Sequence[str], *, lowercase: bool) -> Tokenizer:
    table = {piece.rstrip("\r"): number for number, piece in enumerate(vocabulary) if piece.strip()}
    if "[UNK]" not in table:
        raise ModelError("the vocabulary has no [UNK]", advice="is this a WordPiece vocabulary?")
    tokenizer = Tokenizer(models.WordPiece(table, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    if "[CLS]" in table and "[SEP]" in table:  # we set them ourselves; who else opens the saved file does not
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", table["[SEP]"]), ("[CLS]", table["[CLS]"]))
    present = [name for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if name in table]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in present])
    return tokenizer


def _roberta(vocabulary: Path, merges: Path) -> Tokenizer:
    """As transformers' ``RobertaConverter`` builds it."""
    tokenizer = Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    first, last = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    if first is None or last is None:
        raise ModelError("the vocabulary has no <s> and </s>", advice="is this an encoder's tokenizer?")
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", last), ("<s>", first), add_prefix_space=False)
    present = [name for name in ("<s>", "<pad>", "</s>", "<unk>", "<mask>") if tokenizer.token_to_id(name) is not None]
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True, normalized=False, lstrip=name == "<mask>") for name in present]
    )
    return tokenizer

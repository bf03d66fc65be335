"""What corpora, their splits and trained models have in common, so that a leak is not taken for a result.

Two documents share something where they come from the same article, have the same text, hold the same sentence
(`splits.normalised`), or hold near-duplicates. Every document becomes a few 64-bit hashes, and every hash one number
whose bits say in which parts (the split of a corpus, what a model saw) it stands: what any part shares with any other
is then a few logical ands, however many corpora are compared.

Near-duplicates are looked for by MinHash (Broder 1997) in the bands of Leskovec et al., and each pair found is checked
exactly. The sketches are rensa's (https://github.com/beowolx/rensa): of 180,000 sentences, 120 permutations, in half a
second of one core, where datasketch 2.0 takes ten; with the bands here it finds 99.995 % of the pairs that
`splits.near_duplicates` finds.

References
----------
Broder 1997, On the resemblance and containment of documents.
Leskovec, Rajaraman, Ullman 2014, Mining of massive datasets, chapter 3.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from relatome import sentences
from relatome.corpora.card import OVERLAPS, Card, Overlap
from relatome.corpora.corpus import Corpus
from relatome.corpora.splits import LEAST_WORDS, NEAR, alike, near_duplicates, normalised, shingles
from relatome.documents import Document, Mention, Span
from relatome.errors import MissingExtraError, ModelError

SEEN = "seen.json.gz"
KINDS = OVERLAPS[:-1]  # document, text, sentence, near-duplicate
BANDS, ROWS, SEED = 20, 6, 1  # a pair at the limit of 0.8 is missed once in 560
EXAMPLES = 3  # ids named for each finding
CONTRADICTIONS = 1000  # at most named; all are counted

_MOST_MENTIONS = 60  # of a sentence whose unrelated pairs are compared too: their number is its square
_MOST_ALIKE = 50  # neighbours that each text of a bucket is compared with, so that a template's million copies end
_LARGEST_LIST = 1 << 30  # characters of a list of what a model saw, unpacked


class Print(NamedTuple):
    """A document as it is compared."""

    id: str
    source: str
    """Its article, ``pmid 123``, or ``CORPUS 123`` where only the corpus knows the number; empty where none is known."""
    text: int
    """The hash of the whole text; 0 for none."""
    sentences: tuple[int, ...]
    labels: tuple[str, ...] = ()


def key(text: str) -> int:
    """The 64-bit hash of a normalised text, the same everywhere; 0 for an empty one.

    Examples
    --------
    >>> f"{key('a case report'):016x}"
    'e660c7441302bcd3'
    """
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") if text else 0


# ------------------------------------------------------------------------------------------------ the clean part of a split


def shared(
    corpus: Corpus, documents: Iterable[Document], others: Iterable[Document], *, near: bool = True
) -> dict[str, tuple[str, ...]]:
    """For each document that shares something with others, what: of ``document text sentence near-duplicate``.

    Parameters
    ----------
    corpus
        Of all of them.
    documents, others
        Such as its test split, and the rest.
    near
        Whether near-duplicates count, all of which are found.

    Examples
    --------
    >>> from relatome import corpora
    >>> test = [Document("7", "Aspirin raised no enzyme at all."), Document("8", "Gold salts caused a severe rash.")]
    >>> shared(corpora.load("bc5cdr"), test, [Document("9", "Two. Gold-salts caused a severe rash. Three.")])
    {'8': ('sentence',)}
    """
    sources: set[str] = set()
    texts: set[int] = set()
    seen: dict[str, None] = {}
    for document in others:
        print_, own = _print(document, corpus)
        sources.add(print_.source)
        texts.add(print_.text)
        seen.update(dict.fromkeys(own))
    sources.discard("")
    texts.discard(0)
    found: dict[str, list[str]] = {}
    asked: dict[str, list[str]] = {}  # a sentence that the others do not have -> documents
    for document in documents:
        print_, own = _print(document, corpus)
        kinds = found.setdefault(document.id, [])
        if print_.source in sources:
            kinds.append("document")
        if print_.text in texts:
            kinds.append("text")
        if any(text in seen for text in own):
            kinds.append("sentence")
        for text in own:
            if text not in seen:
                asked.setdefault(text, []).append(document.id)
    if near and seen:
        names = list(asked)
        for number in {one for one, _ in near_duplicates(names, list(seen))}:
            for identity in asked[names[number]]:
                if "near-duplicate" not in found[identity]:
                    found[identity].append("near-duplicate")
    return {identity: tuple(kinds) for identity, kinds in found.items() if kinds}


# ------------------------------------------------------------------------------------------------------- what a model saw


@dataclass(frozen=True, slots=True)
class SeenPart:
    """The documents of one corpus that a model learned from, or (``use`` is ``dev``) was chosen by."""

    corpus: str
    split: str
    protocol: str
    split_hash: str
    use: str
    prints: tuple[Print, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """The list a training run leaves in its folder, ``seen.json.gz``: ids and hashes, no text.

    Examples
    --------
    >>> Seen(()).parts
    ()
    """

    parts: tuple[SeenPart, ...]

    def write(self, folder: str | Path) -> Path:
        """Put it into a model's folder, whole or not at all."""
        parts = []
        for part in self.parts:
            parts.append(
                {
                    "corpus": part.corpus, "split": part.split, "protocol": part.protocol,
                    "split_hash": part.split_hash, "use": part.use,
                    "documents": [
                        [one.id, one.source, f"{one.text:016x}", [f"{name:016x}" for name in one.sentences]]
                        for one in part.prints
                    ],
                }
            )  # fmt: skip
        said = {"version": 1, "sentences": sentences.VERSION, "hash": "blake2b-64 of normalised text", "parts": parts}
        target = Path(folder) / SEEN
        part_file = target.with_name(target.name + ".part")
        # mtime 0: the same run writes the same bytes
        part_file.write_bytes(gzip.compress(json.dumps(said, separators=(",", ":")).encode(), 9, mtime=0))
        part_file.replace(target)
        return target

    @classmethod
    def read(cls, folder: str | Path) -> Seen | None:
        """The list in a model's folder; None where it has none.

        Raises
        ------
        ModelError
            It is not what such a list is.
        """
        path = Path(folder) / SEEN
        if not path.is_file():
            return None
        try:
            with gzip.open(path) as stream:
                text = stream.read(_LARGEST_LIST + 1)
            if len(text) > _LARGEST_LIST:
                raise ValueError("too large")
            said = json.loads(text)
            if said["version"] != 1:
                raise ValueError(f"version {said['version']!r}")
            parts = [
                SeenPart(
                    str(part["corpus"]),
                    str(part["split"]),
                    str(part["protocol"]),
                    str(part["split_hash"]),
                    str(part["use"]),
                    tuple(
                        Print(str(one[0]), str(one[1]), int(one[2], 16), tuple(int(name, 16) for name in one[3]))
                        for one in part["documents"]
                    ),
                )
                for part in said["parts"]
            ]
        except (OSError, EOFError, zlib.error, ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise ModelError(
                f"this is no list of what a model saw: {type(error).__name__}: {error}", path=path
            ) from None
        return cls(tuple(parts))


def prints(documents: Iterable[Document], corpus: Corpus) -> Iterator[Print]:
    """Documents as they are compared."""
    for document in documents:
        yield _print(document, corpus)[0]


# -------------------------------------------------------------------------------------------------------------- the audit


@dataclass(frozen=True, slots=True)
class Part:
    """One side of a comparison: a split of a corpus, or what a model saw."""

    name: str
    bit: int
    corpus: str = ""
    split: str = ""
    protocol: str = ""
    split_hash: str = ""
    documents: int = 0
    sentences: int = 0


@dataclass(frozen=True, slots=True)
class Shared:
    """What is scored that was also learned from.

    Parameters
    ----------
    documents
        Of the scored side, all of them.
    counts
        By kind, how many of them share that with the learned side.
    any
        How many share anything.
    examples
        Ids of a few.
    """

    scored: str
    learned: str
    documents: int
    counts: Mapping[str, int]
    any: int
    examples: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Of the scored documents, the part that is not clean."""
        return self.any / self.documents if self.documents else 0.0


@dataclass(frozen=True, slots=True)
class Repeated:
    """What stands in one corpus more than once.

    Parameters
    ----------
    repeated
        Documents whose text an earlier one of the part has.
    near
        Documents with a near-duplicate of a sentence of theirs in the same part; None where it was not looked for.
    labels
        By label: documents, and distinct texts.
    """

    part: str
    documents: int
    repeated: int
    near: int | None
    labels: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The same text, or the same pair of the same sentence, with other labels elsewhere."""

    what: str
    parts: tuple[str, str]
    documents: tuple[str, str]
    values: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Known:
    """A fact of a card, found again or not."""

    corpus: str
    overlap: Overlap
    count: int
    of: int

    @property
    def same(self) -> bool:
        """Whether the card and the files agree."""
        return (self.count, self.of) == (self.overlap.count, self.overlap.of)


@dataclass(slots=True)
class Report:
    """What an audit found."""

    parts: tuple[Part, ...]
    near: bool
    shared: list[Shared] = field(default_factory=list)
    repeated: list[Repeated] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)
    contradicting: int = 0
    known: list[Known] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The largest share of a scored side that was learned from too."""
        return max((one.share for one in self.shared), default=0.0)

    def json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "near_duplicates": self.near,
            "worst": self.worst,
            "parts": [
                {
                    "name": part.name, "corpus": part.corpus, "split": part.split, "protocol": part.protocol,
                    "split_hash": part.split_hash, "documents": part.documents, "sentences": part.sentences,
                }
                for part in self.parts
            ],
            "shared": [
                {
                    "scored": one.scored, "learned": one.learned, "documents": one.documents, **one.counts,
                    "any": one.any, "share": one.share, "examples": list(one.examples),
                }
                for one in self.shared
            ],
            "repeated": [
                {
                    "part": one.part, "documents": one.documents, "repeated": one.repeated, "near-duplicate": one.near,
                    "labels": {name: {"documents": n, "distinct": m} for name, (n, m) in one.labels.items()},
                }
                for one in self.repeated
            ],
            "contradictions": {
                "count": self.contradicting,
                "examples": [
                    {
                        "what": one.what, "parts": list(one.parts), "documents": list(one.documents),
                        "values": [list(values) for values in one.values],
                    }
                    for one in self.contradictions
                ],
            },
            "known": [
                {
                    "corpus": one.corpus, "name": one.overlap.name, "kind": one.overlap.kind,
                    "split": one.overlap.split, "against": one.overlap.against, "count": one.overlap.count,
                    "of": one.overlap.of, "found": one.count, "found of": one.of, "same": one.same,
                }
                for one in self.known
            ],
        }  # fmt: skip


class Audit:
    """Takes parts in, one document at a time, then says what they share.

    Parameters
    ----------
    near
        Look for near-duplicates (the extra ``audit``).

    Raises
    ------
    MissingExtraError
        Near-duplicates are asked for, and rensa is not installed.

    Examples
    --------
    >>> from relatome import corpora
    >>> audit, bc5cdr = Audit(near=False), corpora.load("bc5cdr")
    >>> mine = audit.documents("my test", (bc5cdr, [Document("7", "One."), Document("8", "Two.")]))
    >>> theirs = audit.documents("your train", (bc5cdr, [Document("8", "Three.")]))
    >>> audit.compare([mine], [theirs]).counts
    {'document': 1, 'text': 0, 'sentence': 0, 'near-duplicate': 0}
    """

    def __init__(self, *, near: bool) -> None:
        if near:
            _rensa()
        self.near = near
        self._parts: list[Part] = []
        self._prints: list[list[Print]] = []
        self._corpora: dict[str, tuple[Corpus, str]] = {}
        self._sources: dict[str, int] = {}
        self._texts: dict[int, int] = {}
        self._sentences: dict[int, int] = {}
        self._words: dict[int, str] = {}
        self._alike: dict[int, int] | None = None
        self._groups: dict[int, dict[tuple[int, int, int, int], list[str]]] = {}
        self._judged: dict[int, tuple[frozenset[str], int, str]] = {}
        self._contradictions: list[Contradiction] = []
        self._contradicting = 0

    @property
    def parts(self) -> tuple[Part, ...]:
        """What was taken in so far."""
        return tuple(self._parts)

    def corpus(self, corpus: Corpus, protocol: str | None = None) -> tuple[Part, ...]:
        """Take in a corpus, each split a part.

        Raises
        ------
        CorpusError
            A file is absent (nothing is taken in then) or wrong.
        """
        card, chosen = corpus.card, corpus.protocol(protocol)
        corpus.verify(protocol)
        begun = {
            split: self._begin(f"{card.name} {split}", corpus=card.name, split=split, protocol=chosen.name)
            for split in chosen.names
        }
        for split, document in corpus.by_split(protocol):
            self._take(begun[split], document, corpus)
        self._corpora[card.name] = corpus, chosen.name
        return tuple(self._end(number, split_hash=corpus.split_hash(protocol)) for number in begun.values())

    def documents(self, name: str, *sources: tuple[Corpus, Iterable[Document]]) -> Part:
        """Take in documents of some corpora, such as those a run would learn from, as one part."""
        number = self._begin(name)
        for corpus, documents in sources:
            for document in documents:
                self._take(number, document, corpus)
        return self._end(number)

    def articles(self, name: str, pmids: Iterable[str]) -> Part:
        """Take in a list of PubMed ids as one part."""
        number = self._begin(name)
        for pmid in pmids:
            self._put(number, Print(pmid, f"pmid {pmid}", 0, ()))
        return self._end(number)

    def seen(self, name: str, seen: Seen) -> Part:
        """Take in what a model saw as one part. Hashes have no near-duplicates."""
        number = self._begin(name)
        for part in seen.parts:
            for print_ in part.prints:
                self._put(number, print_)
        return self._end(number)

    def compare(self, scored: Sequence[Part], learned: Sequence[Part]) -> Shared:
        """What the documents of one side share with the other side."""
        mask = _mask(learned)
        counts = dict.fromkeys(KINDS, 0)
        touched = total = 0
        examples: list[str] = []
        for part in scored:
            total += len(self._prints[part.bit])
            for found, ids in self._touched(part.bit).items():
                kinds = [kind for kind, bits in zip(KINDS, found, strict=True) if bits & mask]
                for kind in kinds:
                    counts[kind] += len(ids)
                if kinds:
                    touched += len(ids)
                    examples += ids[: EXAMPLES - len(examples)]
        return Shared(_name(scored), _name(learned), total, counts, touched, tuple(examples))

    def repeated(self, part: Part) -> Repeated:
        """What stands in a part more than once."""
        texts: set[int] = set()
        near = 0
        labels: dict[str, tuple[int, set[int]]] = {}
        for print_ in self._prints[part.bit]:
            texts.add(print_.text)
            for label in print_.labels:
                count, own = labels.get(label, (0, set()))
                own.add(print_.text)
                labels[label] = count + 1, own
            near += bool(self._of(print_)[-1] >> part.bit & 1)
        size = len(self._prints[part.bit])
        counted = {label: (count, len(own)) for label, (count, own) in sorted(labels.items())}
        return Repeated(part.name, size, size - len(texts), near if self.near else None, counted)

    def report(self, pairs: Iterable[tuple[Sequence[Part], Sequence[Part]]]) -> Report:
        """Everything found, for these pairs of a scored and a learned side."""
        report = Report(self.parts, self.near)
        report.shared = [self.compare(scored, learned) for scored, learned in pairs]
        report.repeated = [self.repeated(part) for part in self._parts if part.corpus]
        report.contradictions, report.contradicting = self._contradictions, self._contradicting
        report.known = list(self.known())
        return report

    def known(self) -> Iterator[Known]:
        """The facts of the cards whose parts are here, each with what the files say."""
        for name, (corpus, protocol) in self._corpora.items():
            for overlap in corpus.card.overlaps.values():
                if (overlap.protocol or corpus.card.protocol) != protocol:
                    continue
                if overlap.kind == "near-duplicate" and not self.near:
                    continue
                found = self._count(corpus.card, overlap)
                if found is not None:
                    yield Known(name, overlap, *found)

    def leaks(self, names: Iterable[str] | None = None) -> Iterator[tuple[tuple[Part, ...], tuple[Part, ...]]]:
        """The pairs that a leak can be in: within each corpus, and of each test split with what others train on."""
        chosen = list(names if names is not None else self._corpora)
        for name in chosen:
            yield from self._within(name)
        for name in chosen:
            for other in chosen:
                if name != other and (scored := self.scored(name)) and (learned := self.learned(other)):
                    yield scored, learned

    def scored(self, name: str) -> tuple[Part, ...]:
        """What of a corpus is scored: its test split, else dev, else whatever is not called train (folds)."""
        parts = self._of_corpus(name)
        for split in ("test", "dev"):
            if found := tuple(part for part in parts if part.split == split):
                return found
        return tuple(part for part in parts if part.split != "train")

    def learned(self, name: str) -> tuple[Part, ...]:
        """What of a corpus is learned from: everything but its test split."""
        return tuple(part for part in self._of_corpus(name) if part.split != "test")

    def _within(self, name: str) -> Iterator[tuple[tuple[Part, ...], tuple[Part, ...]]]:
        parts = self._of_corpus(name)
        if {part.split for part in parts} <= {"train", "dev", "test"}:
            ordered = [part for split in ("test", "dev", "train") for part in parts if part.split == split]
            for number, part in enumerate(ordered):
                for other in reversed(ordered[number + 1 :]):
                    yield (part,), (other,)
        else:  # folds: each with the others
            for part in parts:
                if others := tuple(other for other in parts if other is not part):
                    yield (part,), others

    def _of_corpus(self, name: str) -> tuple[Part, ...]:
        return tuple(part for part in self._parts if part.corpus == name)

    def _count(self, card: Card, overlap: Overlap) -> tuple[int, int] | None:
        parts = self._named(card.name, overlap.split)
        if not parts:
            return None
        kept = [
            print_
            for part in parts
            for print_ in self._prints[part.bit]
            if not overlap.label or overlap.label in print_.labels
        ]
        if overlap.kind == "repeated":
            return len(kept) - len({print_.text for print_ in kept}), len(kept)
        *other, splits = overlap.against.split(" ", 1)
        against = self._named(other[0] if other else card.name, splits)
        if not against:
            return None
        mask, kind = _mask(against), KINDS.index(overlap.kind)
        return sum(1 for print_ in kept if self._of(print_)[kind] & mask), len(kept)

    def _named(self, corpus: str, splits: str) -> tuple[Part, ...]:
        """The parts of a corpus that a text such as ``train+dev`` names; none where one of them is not here."""
        if corpus not in self._corpora:
            return ()
        found, protocol = self._corpora[corpus]
        names = found.named(splits, protocol) if splits else found.splits(protocol)
        return tuple(part for part in self._of_corpus(corpus) if part.split in names)

    def _begin(self, name: str, *, corpus: str = "", split: str = "", protocol: str = "") -> int:
        self._parts.append(Part(name, len(self._parts), corpus, split, protocol))
        self._prints.append([])
        return len(self._parts) - 1

    def _end(self, number: int, *, split_hash: str = "") -> Part:
        part, found = self._parts[number], self._prints[number]
        self._parts[number] = Part(
            part.name, number, part.corpus, part.split, part.protocol, split_hash, len(found),
            sum(len(one.sentences) for one in found),
        )  # fmt: skip
        return self._parts[number]

    def _take(self, number: int, document: Document, corpus: Corpus) -> None:
        spans = _spans(document, corpus)
        print_, texts = _print(document, corpus, spans)
        self._put(number, print_)
        if self.near:
            for name, text in zip(print_.sentences, texts, strict=True):
                if text.count(" ") >= LEAST_WORDS - 1:
                    self._words.setdefault(name, text)
        for what, judged, values in _judgements(document, corpus.card, print_, spans):
            before = self._judged.setdefault(judged, (values, number, document.id))
            if before[0] != values:
                self._contradicting += 1
                if len(self._contradictions) < CONTRADICTIONS:
                    names = self._parts[before[1]].name, self._parts[number].name
                    both = tuple(sorted(before[0])), tuple(sorted(values))
                    self._contradictions.append(Contradiction(what, names, (before[2], document.id), both))

    def _put(self, number: int, print_: Print) -> None:
        bit = 1 << number
        if self._groups or self._alike is not None:
            self._groups, self._alike = {}, None
        self._prints[number].append(print_)
        if print_.source:
            self._sources[print_.source] = self._sources.get(print_.source, 0) | bit
        if print_.text:
            self._texts[print_.text] = self._texts.get(print_.text, 0) | bit
        for name in print_.sentences:
            self._sentences[name] = self._sentences.get(name, 0) | bit

    def _touched(self, number: int) -> dict[tuple[int, int, int, int], list[str]]:
        """The documents of a part that share something with other parts, by the bits of those parts."""
        if number not in self._groups:
            own = 1 << number
            groups: dict[tuple[int, int, int, int], list[str]] = {}
            for print_ in self._prints[number]:
                found = self._of(print_)
                if any(bits & ~own for bits in found):
                    groups.setdefault(found, []).append(print_.id)
            self._groups[number] = groups
        return self._groups[number]

    def _of(self, print_: Print) -> tuple[int, int, int, int]:
        """The parts that share each kind of thing with a document, its own among them."""
        if self._alike is None:
            self._alike = self._near() if self.near else {}
        same = near = 0
        for name in print_.sentences:
            same |= self._sentences[name]
            near |= self._alike.get(name, 0)
        return self._sources.get(print_.source, 0), self._texts.get(print_.text, 0), same, near

    def _near(self) -> dict[int, int]:
        """The parts that hold a near-duplicate of a sentence."""
        found: dict[int, int] = {}
        names = list(self._words)
        for one, other in minhash_pairs([self._words[name] for name in names]):
            first, second = names[one], names[other]
            found[first] = found.get(first, 0) | self._sentences[second]
            found[second] = found.get(second, 0) | self._sentences[first]
        return found


def minhash_pairs(texts: Sequence[str], *, least: float = NEAR) -> Iterator[tuple[int, int]]:
    """Pairs of near-duplicates, by number: nearly all of those that `splits.near_duplicates` finds, and no others.

    Raises
    ------
    MissingExtraError
        rensa is not installed.
    """
    import numpy as np

    sketch = _rensa().RMinHash.digest_matrix_from_token_sets
    given = iter(texts)
    blocks = []
    while chunk := [list(shingles(text)) for text in islice(given, 8192)]:  # not all shingles of all texts at once
        blocks.append(np.asarray(sketch(chunk, BANDS * ROWS, SEED).to_rows(), dtype=np.uint32))
    if not blocks:
        return
    matrix = np.concatenate(blocks)
    pairs: set[tuple[int, int]] = set()
    for band in range(BANDS):
        columns = np.ascontiguousarray(matrix[:, band * ROWS : (band + 1) * ROWS])
        rows = columns.view(np.dtype((np.void, columns.itemsize * ROWS))).ravel()
        order = np.argsort(rows, kind="stable")
        new = np.flatnonzero(np.concatenate(([True], rows[order][1:] != rows[order][:-1])))
        for start, end in zip(new, [*new[1:], len(order)], strict=True):
            if end - start > 1:
                bucket = order[start:end].tolist()
                for place, one in enumerate(bucket):
                    pairs.update((one, other) for other in bucket[place + 1 : place + 1 + _MOST_ALIKE])
    members: dict[int, set[str]] = {}
    for one, other in sorted(pairs):
        for number in (one, other):
            if number not in members:
                members[number] = shingles(texts[number])
        if alike(members[one], members[other], least=least):
            yield one, other


def _rensa() -> Any:
    try:
        import rensa
    except ImportError:
        raise MissingExtraError("rensa", "audit") from None
    return rensa


def _mask(parts: Iterable[Part]) -> int:
    return sum({1 << part.bit for part in parts})


def _name(parts: Sequence[Part]) -> str:
    """``bc5cdr train+dev`` for two splits of a corpus; a long row of folds by its ends."""
    if len(parts) == 1 or len({part.corpus for part in parts}) > 1:
        return ", ".join(part.name for part in parts)
    splits = [part.split for part in parts]
    return f"{parts[0].corpus} " + ("+".join(splits) if len(splits) < 4 else f"{splits[0]}+…+{splits[-1]}")


def _spans(document: Document, corpus: Corpus) -> Sequence[Span]:
    return (Span(0, len(document.text)),) if corpus.card.unit == "sentence" else sentences.of(document)


def _print(document: Document, corpus: Corpus, spans: Sequence[Span] | None = None) -> tuple[Print, list[str]]:
    """A document as it is compared, and the texts of its sentences."""
    own = [
        text
        for start, end in (spans if spans is not None else _spans(document, corpus))
        if (text := normalised(document.text[start:end]))
        and (corpus.card.unit == "sentence" or text.count(" ") >= LEAST_WORDS - 1)
    ]
    whole = own[0] if corpus.card.unit == "sentence" and own else normalised(document.text)
    pmid = corpus.pmid(document)
    number = document.meta.get("source")
    source = f"pmid {pmid}" if pmid else f"{corpus.card.name} {number}" if number else ""
    labels = tuple(dict.fromkeys(label.value for label in document.labels))
    return Print(document.id, source, key(whole), tuple(map(key, own)), labels), own


def _judgements(
    document: Document, card: Card, print_: Print, spans: Sequence[Span]
) -> Iterator[tuple[str, int, frozenset[str]]]:
    """What was judged: a text by a label's name, or a pair in its sentence; each with all its answers.

    Two corpora contradict each other only where they can give the same answers, so these are part of the hash.
    """
    asked: dict[tuple[str, int, int], set[str]] = {}
    for label in document.labels:
        asked.setdefault((label.name, label.start, label.end), set()).add(label.value)
    for (name, start, end), values in asked.items():
        answers = card.labels[name].values if name in card.labels else ()
        text = normalised(document.text[start:end])
        if text:
            yield name, hash((name, answers, text)), frozenset(values)
    if not card.relations:
        return
    kinds = frozenset(card.relations)
    said: dict[tuple[str, str], set[str]] = {}
    for relation in document.relations:
        said.setdefault((relation.head, relation.tail), set()).add(relation.type)
    if any(relation.level == "concept" for relation in card.relations.values()):
        for (head, tail), types in said.items():
            yield "relation", hash((kinds, print_.source or print_.text, head, tail)), frozenset(types)
        return
    allowed = frozenset(card.argument_types)
    mentions = sorted(document.mentions, key=lambda mention: mention.start)
    at = 0
    for start, end in spans:
        while at < len(mentions) and mentions[at].start < start:
            at += 1
        inside: list[Mention] = []
        while at < len(mentions) and mentions[at].start < end:
            inside.append(mentions[at])
            at += 1
        if len(inside) < 2:
            continue
        sentence = normalised(document.text[start:end])
        words = {
            mention.id: (len(normalised(document.text[start : mention.start]).split()), normalised(mention.text))
            for mention in inside
        }
        if len(inside) <= _MOST_MENTIONS:
            pairs = [(a, b) for a in inside for b in inside if a is not b and (a.type, b.type) in allowed]
        else:
            known = {mention.id: mention for mention in inside}
            pairs = [(known[a], known[b]) for a, b in said if a in known and b in known]
        for one, other in pairs:
            place = hash((kinds, sentence, words[one.id], words[other.id], one.type, other.type))
            yield "relation", place, frozenset(said.get((one.id, other.id), ()))

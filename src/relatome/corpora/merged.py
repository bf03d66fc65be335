"""Several relation corpora read as one: their labels mapped to common ones, a pair of mentions a row, split by document.

A merged card (``catalogue/merged/*.toml``) names the corpora, which split of each goes where, and maps every relation
type of each, by the types of its arguments, to one of the common labels, to ``NO_RELATION``, or to ``left out``; a
reason stands beside each. What it reads as is an ordinary corpus of short documents:

- A document is one candidate: a sentence with the two arguments masked (``@GENE$``), so that all corpora are written as
  GAD is published, and a mask does not tell which of them a row is from. Arguments that overlap share a mask, whose
  two halves they are (``@CHEMICAL-GENE$``).
- Every two mentions of a sentence whose types the card pairs are a candidate, once: the head is the first of chemical,
  gene, variant, disease; of two of a kind, the first in the text. Whatever is not a relation is ``NO_RELATION``.
- A relation between concepts holds for each pair of their mentions in one sentence. A mention without a concept, and
  two mentions of one, are no candidates there: the corpus cannot say anything of them.
- ``meta["original"]`` is the sentence as it was, for those who look for it (see ``relatome.corpora.held_out``), and
  ``meta["pair"]`` says that this one pair was judged.
- ``meta["unjudged"]`` names the labels that a row's corpus does not deny: BC5CDR marks what a chemical causes and not
  what it treats. Training adds their probability to ``NO_RELATION`` (see ``relatome.models.network.loss``), and
  `judged` counts such an answer as ``NO_RELATION`` where a row is scored by what is known of it.

No document and no sentence or near-duplicate of one, masked or not, is on two sides: what shares something with a test set, or stands in
the list of what no model may see, is left out of train and dev; what shares something with train is left out of dev.
Test sets of other corpora are left out when a model is trained, as of every corpus; which rows these are is not part of
the card, or each new corpus of the catalogue would change it.
A view of the rows is a protocol: ``natural`` has all, ``published`` draws ``NO_RELATION`` down to the number of the
largest other label, by the hashes of their ids, so that the draw depends on no order and no random generator.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from relatome import sentences
from relatome.corpora.card import Card, Protocol, RelationType, Split, Table
from relatome.corpora.corpus import Corpus, source_of
from relatome.corpora.files import data_folder
from relatome.corpora.held_out import LIST, HeldOut, listed
from relatome.corpora.splits import components, near_duplicates, normalised
from relatome.documents import Document, Label, Mention, Relation, Span
from relatome.errors import CorpusError, SettingsError, UnknownNameError

NEGATIVE = "NO_RELATION"
LEFT_OUT = "left out"
ORDER = ("Chemical", "Gene", "Variant", "Disease")
SPLITS = ("train", "dev", "test")

Types = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """One of the corpora.

    Parameters
    ----------
    splits
        For each of train, dev and test the corpus's own split.
    protocol
        Of the corpus; empty: its default.
    dev_share
        Where train and dev are the same split: how much of it is dev, by the hashes of its documents' ids.
    pairs
        Which types of mentions are candidates, as (head, tail).
    judged
        The labels it denies wherever it does not mark them.
    reason
        Why those.
    """

    name: str
    splits: Mapping[str, str]
    pairs: frozenset[Types]
    judged: frozenset[str]
    reason: str
    protocol: str = ""
    dev_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the mapping: what these relations of a corpus are, between these types, and why."""

    corpus: str
    relations: tuple[str, ...]
    types: tuple[Types, ...]
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A merged card: the corpora, the mapping, the views.

    Parameters
    ----------
    card
        What the rows are to everyone who reads them.
    labels
        The common ones, without ``NO_RELATION``.
    views
        The protocol's name to the seed by which ``NO_RELATION`` is drawn; none where all of it stays.
    hashes
        The test rows of each view (see `Merged.rows_hash`).
    left_out
        Rows of train and dev, by id, that only their masks make near-duplicates of a test row (dev: or of a train row).
        They stand in the card because to find them takes all rows of all splits.
    parts
        By view and split, how many rows of each label each corpus gives.
    dropped
        By split and corpus, how many documents are left out and why.
    """

    card: Card
    labels: tuple[str, ...]
    sources: Mapping[str, Source]
    mapping: tuple[Row, ...]
    views: Mapping[str, int | None]
    hashes: Mapping[str, str]
    left_out: frozenset[str] = frozenset()
    parts: Mapping[str, Any] = field(default_factory=dict)
    dropped: Mapping[str, Any] = field(default_factory=dict)

    def label(self, corpus: str, relation: str, types: Types) -> str:
        """What a relation of a corpus is called here: a label, ``NO_RELATION`` or ``left out``.

        Raises
        ------
        CorpusError
            The mapping has no row for it.
        """
        for row in self.mapping:
            if row.corpus == corpus and relation in row.relations and types in row.types:
                return row.label
        raise CorpusError(
            f"{self.card.name!r} does not say what {relation} of {corpus!r} is between {' and '.join(types)}"
        )


class Merged(Corpus):
    """The rows of several corpora as one corpus.

    Examples
    --------
    >>> from relatome import corpora
    >>> corpora.load("relations9").splits("published")
    ('train', 'dev', 'test')
    """

    def __init__(self, plan: Plan, load: Callable[[str], Corpus]) -> None:
        super().__init__(plan.card)
        self.plan = plan
        self.corpora = {name: load(name) for name in plan.sources}
        self._kept: dict[str, dict[str, frozenset[str]]] = {}
        self._dropped: dict[str, Counter[str]] = {}
        self._drawn: dict[tuple[str, str], str] = {}

    @property
    def sources(self) -> tuple[str, ...]:
        """The corpora it is made of; each row's is in its ``meta["corpus"]``."""
        return tuple(self.plan.sources)

    def documents(self, split: str, *, protocol: str | None = None, canonical: bool = True) -> Iterator[Document]:
        """The rows of a split, corpus by corpus, one at a time.

        Parameters
        ----------
        split
            ``"train"``, ``"dev"``, ``"test"``, or several: ``"train+dev"``.
        protocol
            ``"natural"`` or ``"published"``.
        canonical
            Always: a mask is its type.

        Raises
        ------
        UnknownNameError
            No such split or protocol.
        CorpusError
            A file of one of the corpora, or the list of what no model may see, is absent or wrong.
        """
        view = self.protocol(protocol).name
        wanted = self.named(split, protocol)
        self.verify()
        return (document for name in wanted for document in self._view(name, view))

    def verify(self, protocol: str | None = None) -> None:
        """See that every file of its corpora is here and is its card's."""
        for name, corpus in self.corpora.items():
            corpus.verify(self.plan.sources[name].protocol or None)

    def dropped(self, split: str) -> dict[str, dict[str, int]]:
        """By corpus, how many documents were left out of a split and why."""
        self._keep()
        found: dict[str, dict[str, int]] = {}
        for name, count in sorted(self._dropped[split].items()):
            corpus, _, reason = name.partition(" ")
            found.setdefault(corpus, {})[reason] = count
        return found

    def rows_hash(self, split: str = "test", protocol: str | None = None) -> str:
        """A sha256 over the rows of a split, sorted: their ids, labels and texts."""
        digest = hashlib.sha256()
        rows = (f"{d.id}\t{d.labels[0].value}\t{d.text}\n" for d in self.documents(split, protocol=protocol))
        for row in sorted(rows):
            digest.update(row.encode())
        return digest.hexdigest()

    def _by_split(self, protocol: Protocol) -> Iterator[tuple[str, Document]]:
        self.verify()
        return ((split, row) for split in protocol.names for row in self._view(split, protocol.name))

    def _canonical(self, document: Document) -> Document:
        return document

    # ------------------------------------------------------------------------------------------------- documents

    def _keep(self) -> None:
        """Which documents of each corpus each split keeps."""
        if self._kept:
            return
        held_out = HeldOut(listed(data_folder() / LIST), {})
        sides = {split: _Side() for split in SPLITS}
        dropped: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
        kept: dict[str, dict[str, frozenset[str]]] = {}
        # Test gives way to nothing, train to test, dev to both.
        for split, above in (("test", ()), ("train", ("test",)), ("dev", ("test", "train"))):
            asked = _Side()
            for name, corpus in self.corpora.items():
                for document in self._of(name, split):
                    # An id of a corpus's own, such as DDI's, is in no list of articles.
                    if split != "test" and held_out.why(document, corpus=name if corpus.card.ids == "own" else ""):
                        dropped[split][f"{name} held out"] += 1
                    else:
                        asked.put(name, corpus, document)
            for other in above:
                for (name, _), reason in asked.shared(sides[other]).items():
                    dropped[split][f"{name} {reason} of {other}"] += 1
            sides[split] = asked
            kept[split] = {name: asked.ids(name) for name in self.corpora}
        self._dropped = dropped
        self._kept = kept

    def _of(self, name: str, split: str) -> Iterator[Document]:
        """A corpus's documents for a split, before anything is left out."""
        source = self.plan.sources[name]
        for document in self.corpora[name].documents(source.splits[split], protocol=source.protocol or None):
            if split != "test" and source.splits["train"] == source.splits["dev"]:
                is_dev = _draw(f"{name} {document.id}", 0) < source.dev_share * (1 << 64)
                if is_dev != (split == "dev"):
                    continue
            yield document

    # ------------------------------------------------------------------------------------------------------ rows

    def _view(self, split: str, view: str) -> Iterator[Document]:
        seed = self.plan.views[view]
        if seed is None:
            yield from self._rows(split)
            return
        limit = self._limit(split, view, seed)
        for row in self._rows(split):
            if row.labels[0].value != NEGATIVE or _draw(row.id, seed) <= limit:
                yield row

    def _limit(self, split: str, view: str, seed: int) -> int:
        """The highest hash of a ``NO_RELATION`` row that stays."""
        if (split, view) not in self._drawn:
            counts: Counter[str] = Counter()
            draws: list[int] = []
            for row in self._rows(split):
                counts[row.labels[0].value] += 1
                if row.labels[0].value == NEGATIVE:
                    draws.append(_draw(row.id, seed))
            largest = max((count for label, count in counts.items() if label != NEGATIVE), default=0)
            draws.sort()
            self._drawn[split, view] = str(draws[min(largest, len(draws)) - 1] if draws and largest else -1)
        return int(self._drawn[split, view])

    def _rows(self, split: str) -> Iterator[Document]:
        self._keep()
        for name, corpus in self.corpora.items():
            kept = self._kept[split][name]
            documents: Iterator[Document] = (one for one in self._of(name, split) if one.id in kept)
            if corpus.card.unit == "sentence":
                documents = _clustered(list(documents))
            for document in documents:
                yield from (row for row in self.rows(name, document) if row.id not in self.plan.left_out)

    def rows(self, corpus: str, document: Document) -> Iterator[Document]:
        """The candidates of one document of a corpus, each a document."""
        source = self.plan.sources[corpus]
        facts = _Facts(document, concepts=_level(self.corpora[corpus].card) == "concept")
        pmid = self.corpora[corpus].pmid(document)
        meta: dict[str, Any] = {"corpus": corpus, "source": source_of(document), **({"pmid": pmid} if pmid else {})}
        for start, end in sentences.of(document):
            for first, second in _candidates(document, start, end, source.pairs):
                types = (first.type, second.type)
                names = facts.between(first, second)
                if names is None:
                    continue
                found = [self.plan.label(corpus, name, types) for name in names]
                labels = list(dict.fromkeys(label for label in found if label != LEFT_OUT))
                if found and not labels:
                    continue
                # Marked twice, once as not so: what is so counts. Two labels: the first of the file.
                labels.sort(key=lambda label: label == NEGATIVE)
                row = _masked(
                    f"{corpus}:{document.id}:{first.id}-{second.id}", document.text, Span(start, end), first, second
                )
                unjudged = [
                    name for name in self.plan.labels
                    if types in self.card.relations[name].arguments and name not in source.judged
                ]  # fmt: skip
                extra: dict[str, Any] = {"original": document.text[start:end], "pair": ["E1", "E2"]}
                extra |= {"unjudged": unjudged} if unjudged else {}
                extra |= {"marked": list(names)} if names else {}
                yield _labelled(row, labels[0] if labels else NEGATIVE, {**meta, **extra}, self.card.name)


def judged(predicted: str, document: Document) -> str:
    """A predicted label as far as the row's corpus can judge it: what it does not deny is no wrong answer.

    Only where a row is ``NO_RELATION``; a label that its corpus denies, or another than the one it marks, stays wrong.

    Examples
    --------
    >>> row = Document("1", "x", labels=(Label("nine", "NO_RELATION", 0, 1),), meta={"unjudged": ["treats"]})
    >>> judged("treats", row), judged("causes", row)
    ('NO_RELATION', 'causes')
    """
    unknown = document.labels[0].value == NEGATIVE and predicted in document.meta.get("unjudged", ())
    return NEGATIVE if unknown else predicted


def _clustered(rows: Sequence[Document]) -> Iterator[Document]:
    """Rows of which no article is known, each with the first of its near-duplicates as its source."""
    texts: dict[str, int] = {}
    for number, row in enumerate(rows):
        texts.setdefault(normalised(row.text), number)
    firsts = list(texts.values())
    keys: list[list[str]] = [[normalised(row.text)] for row in rows]
    for one, other in near_duplicates(list(texts)):
        for index in (one, other):
            keys[firsts[index]].append(f"near {one} {other}")
    for row, first in zip(rows, components(keys), strict=True):
        known = "pmid" in row.meta or "source" in row.meta
        yield row if known else replace(row, meta={**row.meta, "source": f"like {rows[first].id}"})


class _Side:
    """The documents of one split, by what others must not share with them."""

    def __init__(self) -> None:
        self.sources: dict[str, list[tuple[str, str]]] = {}
        self.texts: dict[str, list[tuple[str, str]]] = {}
        self.known: dict[str, set[str]] = {}

    def put(self, name: str, corpus: Corpus, document: Document) -> None:
        pmid = corpus.pmid(document)
        key = (name, document.id)
        self.known.setdefault(name, set()).add(document.id)
        self.sources.setdefault(f"pmid {pmid}" if pmid else f"{name} {source_of(document)}", []).append(key)
        for text in corpus.compared(document):
            self.texts.setdefault(text, []).append(key)

    def ids(self, name: str) -> frozenset[str]:
        return frozenset(self.known.get(name, ()))

    def shared(self, other: _Side) -> dict[tuple[str, str], str]:
        """The documents that share something with the other side, and what; they are taken out of this one."""
        found: dict[tuple[str, str], str] = {}

        def note(keys: Iterable[tuple[str, str]], reason: str) -> None:
            for key in keys:
                found.setdefault(key, reason)

        for source, keys in self.sources.items():
            if source in other.sources:
                note(keys, "document")
        for text, keys in self.texts.items():
            if text in other.texts:
                note(keys, "sentence")
        rest = [text for text in self.texts if text not in other.texts]
        for one, _ in near_duplicates(rest, list(other.texts)):
            note(self.texts[rest[one]], "near-duplicate")
        for name, identity in found:
            self.known[name].discard(identity)
        for table in (self.sources, self.texts):
            for text in list(table):
                table[text] = [key for key in table[text] if key not in found]
                if not table[text]:
                    del table[text]
        return found


class _Facts:
    """What a document says of its pairs of mentions, whichever way round."""

    def __init__(self, document: Document, *, concepts: bool) -> None:
        self.concepts = concepts
        self.table: dict[frozenset[str], list[str]] = {}
        self.listed: frozenset[frozenset[str]] | None = None
        if "false_pairs" in document.meta:  # DDI: what is in neither list was not judged
            self.listed = frozenset(frozenset(pair) for pair in document.meta["false_pairs"])
        known = {concept for mention in document.mentions for concept in mention.concepts}
        for relation in document.relations:
            # BioRED relates composites of two concepts ("D1|D2") that are marked as one mention of both.
            heads = [relation.head] if relation.head in known else relation.head.split("|")
            tails = [relation.tail] if relation.tail in known else relation.tail.split("|")
            for head in heads:
                for tail in tails:
                    self.table.setdefault(frozenset((head, tail)), []).append(relation.type)

    def between(self, first: Mention, second: Mention) -> tuple[str, ...] | None:
        """The relation types between two mentions, in the file's order; None where they were not judged."""
        if not self.concepts:
            key = frozenset((first.id, second.id))
            names = tuple(dict.fromkeys(self.table.get(key, ())))
            return None if self.listed is not None and not names and key not in self.listed else names
        if not (first.concepts and second.concepts) or set(first.concepts) & set(second.concepts):
            return None
        pairs = (frozenset((one, other)) for one in first.concepts for other in second.concepts)
        return tuple(dict.fromkeys(name for pair in pairs for name in self.table.get(pair, ())))


def _level(card: Card) -> str:
    return next(iter(card.relations.values())).level


def _candidates(document: Document, start: int, end: int, pairs: frozenset[Types]) -> Iterator[tuple[Mention, Mention]]:
    """Every two mentions of a sentence whose types are paired, head first, in text order."""
    inside = [m for m in document.mentions if start <= m.start and m.end <= end and m.type in ORDER]
    inside.sort(key=lambda mention: (mention.start, mention.end, mention.id))
    for one, other in combinations(inside, 2):
        first, second = (other, one) if ORDER.index(other.type) < ORDER.index(one.type) else (one, other)
        if (first.type, second.type) in pairs:
            yield first, second


def _masked(identity: str, text: str, sentence: Span, first: Mention, second: Mention) -> Document:
    """A sentence with two mentions masked, which are then its only mentions, ``E1`` and ``E2``."""
    names = (first.type.upper(), second.type.upper())
    if first.start < second.end and second.start < first.end:
        start, end = min(first.start, second.start), max(first.end, second.end)
        before = text[sentence.start : start]
        mask = f"@{names[0]}-{names[1]}$"
        middle = len(before) + 1 + len(names[0])
        spans = (Span(len(before), middle), Span(middle + 1, len(before) + len(mask)))
        masked = before + mask + text[end : sentence.end]
    else:
        left, right = sorted((first, second), key=lambda mention: mention.start)
        masks = [f"@{mention.type.upper()}$" for mention in (left, right)]
        before = text[sentence.start : left.start]
        between = text[left.end : right.start]
        at = len(before) + len(masks[0]) + len(between)
        places = {
            left.id: Span(len(before), len(before) + len(masks[0])),
            right.id: Span(at, at + len(masks[1])),
        }
        spans = (places[first.id], places[second.id])
        masked = before + masks[0] + between + masks[1] + text[right.end : sentence.end]
    mentions = tuple(
        Mention(name, *span, mention.type, masked[span.start : span.end])
        for name, span, mention in zip(("E1", "E2"), spans, (first, second), strict=True)
    )
    return Document(identity, masked, mentions=mentions, sentences=(Span(0, len(masked)),))


def _labelled(row: Document, label: str, meta: Mapping[str, Any], name: str) -> Document:
    relations = () if label == NEGATIVE else (Relation("R1", label, "E1", "E2"),)
    labels = (Label(name, label, 0, len(row.text)),)
    return replace(row, relations=relations, labels=labels, meta=meta).check()


def _draw(name: str, seed: int) -> int:
    """A number from 0 to 2**64 that looks drawn and is always the same."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest(), "big")


# ------------------------------------------------------------------------------------------------------- the merged card


def is_merged(path: str | Path) -> bool:
    """Whether a card names other corpora; what cannot be read is left to whoever reads it."""
    try:
        return bool(_SOURCES.search(Path(path).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return False


def read(path: str | Path, load: Callable[[str], Corpus]) -> Merged:
    """The merged corpus that a card describes.

    Parameters
    ----------
    load
        What gives each of its corpora by name.

    Raises
    ------
    CorpusError
        The file is absent or is not TOML.
    SettingsError
        With every mistake found, not just the first.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"the card cannot be read: {error}", path=path) from None
    except tomllib.TOMLDecodeError as error:
        raise CorpusError(f"the card is not TOML: {error}", path=path) from None
    try:
        return parse(values, load)
    except SettingsError as error:
        raise SettingsError(error.problems, path=path) from None


def parse(values: Mapping[str, Any], load: Callable[[str], Corpus]) -> Merged:
    """A merged corpus from the tables of its card; see ``read``."""
    problems: list[str] = []
    table = Table(values, "", problems)
    problems += table.unknown(_KEYS)
    labels = table.texts("labels")
    sources = {name: _source(name, entry, labels) for name, entry in table.tables("sources", required=True)}
    mapping = tuple(_mapping(table, sources, labels))
    views: dict[str, int | None] = {}
    for name, entry in table.tables("views", required=True):
        entry.only("note", "seed")
        views[name] = entry.get("seed", int, "a whole number") if "seed" in entry.values else None
    protocol = table.text("protocol")
    if protocol not in views:
        problems.append(f"protocol {protocol!r} is none of the views: {', '.join(views)}")
    loaded = {name: load(name) for name in sources} if not problems else {}
    for name, corpus in loaded.items():
        problems += _contradictions(sources[name], corpus, mapping)
    if problems:
        raise SettingsError(problems)
    types = {
        label: tuple(dict.fromkeys(t for row in mapping if row.label == label for t in row.types)) for label in labels
    }
    card = Card(
        name=table.text("name"), title=table.text("title"), version=table.text("version"), reader="", unit="sentence",
        origin={}, files={file: found for corpus in loaded.values() for file, found in corpus.card.files.items()},
        protocols={
            name: Protocol(name, "files", str(values["views"][name].get("note", "")), splits=tuple(Split(s, ()) for s in SPLITS))
            for name in views
        },
        protocol=protocol, licence=table.text("licence"), terms=table.text("terms"), ship=table.flag("ship"),
        citation=table.text("citation"), tasks=("relation",), types={name: name for name in ORDER},
        relations={label: RelationType(label, types[label], "mention") for label in labels},
        defects=table.texts("defects", default=()), counts=table.get("counts", dict, "a table", {}),
        published=table.get("published", dict, "a table", {}), held_out=False,
    )  # fmt: skip
    hashes, left_out = table.strings("hashes", default={}), table.texts("left_out", default=())
    parts, dropped = (table.get(key, dict, "a table", {}) for key in ("parts", "dropped"))
    if problems:
        raise SettingsError(problems)
    return Merged(Plan(card, labels, sources, mapping, views, hashes, frozenset(left_out), parts, dropped), load)


def _source(name: str, entry: Table, labels: tuple[str, ...]) -> Source:
    entry.only("protocol", *SPLITS, "dev_share", "pairs", "judged", "reason")
    share = entry.get("dev_share", float, "a share", 0.0)
    splits = {split: entry.text(split) for split in SPLITS}
    if (splits["train"] == splits["dev"]) != (0 < share < 1):
        entry.problems.append(f"{entry.where}dev_share should be above 0 and below 1 where train and dev are one split")
    return Source(
        name,
        splits,
        frozenset(_types(entry, "pairs")),
        frozenset(entry.texts("judged", choices=labels)),
        entry.text("reason"),
        entry.text("protocol", ""),
        share,
    )


def _mapping(table: Table, sources: Mapping[str, Source], labels: tuple[str, ...]) -> Iterator[Row]:
    rows = table.get("map", list, "a list of tables")
    seen: set[tuple[str, str, Types]] = set()
    for number, value in enumerate(rows, 1):
        if not isinstance(value, dict):
            table.problems.append(f"map[{number}] should be a table, not {value!r}")
            continue
        entry = Table(value, f"map[{number}].", table.problems)
        entry.only("corpus", "relations", "types", "label", "reason")
        row = Row(
            entry.choice("corpus", tuple(sources)),
            entry.texts("relations"),
            tuple(_types(entry, "types")),
            entry.choice("label", (*labels, NEGATIVE, LEFT_OUT)),
            entry.text("reason"),
        )
        for relation in row.relations:
            for types in row.types:
                if (row.corpus, relation, types) in seen:
                    table.problems.append(f"{entry.where}: {relation} of {row.corpus} between {types} is mapped twice")
                seen.add((row.corpus, relation, types))
        yield row


def _types(entry: Table, key: str) -> list[Types]:
    found: list[Types] = []
    for pair in entry.get(key, list, "a list of [head, tail] pairs"):
        if not (isinstance(pair, list) and len(pair) == 2 and all(end in ORDER for end in pair)):
            entry.problems.append(f"{entry.where}{key} should be pairs of {', '.join(ORDER)}, not {pair!r}")
        elif ORDER.index(pair[0]) > ORDER.index(pair[1]):
            entry.problems.append(f"{entry.where}{key}: {pair!r} should stand in the order {', '.join(ORDER)}")
        else:
            found.append((pair[0], pair[1]))
    return found


def _contradictions(source: Source, corpus: Corpus, mapping: Iterable[Row]) -> list[str]:
    """What a corpus's own card says otherwise: a relation that is not its, one that is mapped nowhere, a split."""
    problems = []
    rows = [row for row in mapping if row.corpus == source.name]
    for row in rows:
        problems += [
            f"map: {source.name} has no relation {name!r}"
            for name in row.relations
            if name not in corpus.card.relations
        ]
    for name, relation in corpus.card.relations.items():
        for pair in relation.arguments:
            types = tuple(sorted(pair, key=ORDER.index)) if set(pair) <= set(ORDER) else pair
            mapped = any(name in row.relations and types in row.types for row in rows)
            if types in source.pairs and not mapped:
                problems.append(f"map: {name} of {source.name} between {' and '.join(pair)} is mapped nowhere")
    try:
        for split in dict.fromkeys(source.splits.values()):
            corpus.named(split, source.protocol or None)
    except UnknownNameError as error:
        problems.append(f"sources.{source.name}: {error}")
    return problems


_SOURCES = re.compile(r"^\[sources\.", re.MULTILINE)
_KEYS = (
    *(
        "name",
        "title",
        "version",
        "protocol",
        "licence",
        "terms",
        "ship",
        "citation",
        "defects",
        "labels",
        "sources",
        "map",
    ),
    *("views", "hashes", "left_out", "parts", "dropped", "counts", "published"),
)

"""A corpus: its card, and its documents split by split, with types as they are called across corpora."""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from relatome import sentences
from relatome.corpora import splits
from relatome.corpora.card import Card, Protocol, Split
from relatome.corpora.files import verified
from relatome.corpora.splits import LEAST_WORDS
from relatome.documents import Document, Mention
from relatome.errors import CorpusError, InputError, UnknownNameError
from relatome.lookup import pick

_log = logging.getLogger(__name__)


class Corpus:
    """What ``load`` gives: a card and the way to its documents.

    Parameters
    ----------
    card
        What the corpus is.
    beside
        Where to look for its files before the data folder.

    Examples
    --------
    >>> from relatome import corpora
    >>> corpora.load("bc5cdr").splits()
    ('train', 'dev', 'test')
    """

    def __init__(self, card: Card, *, beside: Path | None = None) -> None:
        self.card = card
        self.beside = beside
        self._assigned: dict[str, dict[str, str]] = {}
        self._hashes: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Corpus({self.card.name!r}, version={self.card.version!r})"

    @property
    def sources(self) -> tuple[str, ...]:
        """The corpora that a merged one is made of; of any other, none."""
        return ()

    def source(self, name: str) -> str:
        """The name of one of `sources`, once it is seen to be one.

        Raises
        ------
        UnknownNameError
            It is none, or this is one corpus and no merged one.

        Examples
        --------
        >>> from relatome import corpora
        >>> corpora.load("relations9").source("biored")
        'biored'
        """
        if not self.sources:
            raise UnknownNameError(f"{self.card.name!r} is one corpus and has no sources", advice="leave sources out")
        return pick(name, {source: source for source in self.sources}, f"source of {self.card.name!r}")

    def protocol(self, name: str | None = None) -> Protocol:
        """The card's protocol of that name, or its default one."""
        return pick(name or self.card.protocol, self.card.protocols, f"split protocol of {self.card.name!r}")

    def splits(self, protocol: str | None = None) -> tuple[str, ...]:
        """The names of a protocol's splits."""
        return self.protocol(protocol).names

    def named(self, split: str, protocol: str | None = None) -> tuple[str, ...]:
        """The splits that such a text names: one, several joined by ``+``, or all ``without`` some.

        Examples
        --------
        >>> from relatome import corpora
        >>> corpora.load("bc5cdr").named("without test")
        ('train', 'dev')
        """
        chosen = self.protocol(protocol)
        known = {name: name for name in chosen.names}
        what = f"split of {self.card.name!r} ({chosen.name})"
        without = split.startswith(_WITHOUT)
        parts = split.removeprefix(_WITHOUT).split("+")
        found = tuple(dict.fromkeys(pick(name.strip(), known, what) for name in parts))
        return tuple(name for name in chosen.names if name not in found) if without else found

    def pmid(self, document: Document) -> str:
        """The PubMed id of the article it comes from, where that is known; else nothing."""
        ours = self.card.ids or ("pmid" if self.card.unit == "abstract" else "own")
        found = str(document.meta.get("pmid") or (source_of(document) if ours == "pmid" else ""))
        return found if _PMID.fullmatch(found) else ""

    def compared(self, document: Document) -> list[str]:
        """What two splits must not share: the row, or the sentences of an abstract that are long enough to tell."""
        if self.card.unit == "sentence":
            return [splits.normalised(document.text)]
        texts = (splits.normalised(document.text[start:end]) for start, end in sentences.of(document))
        return [text for text in texts if len(text.split()) >= LEAST_WORDS]

    def path(self, file: str) -> Path:
        """Where one of the card's files lies, its sha256 verified.

        Raises
        ------
        CorpusError
            It is absent, or is another file; the message says what to do.
        """
        pick(file, self.card.files, f"file of {self.card.name!r}")
        return verified(file, self.card, beside=self.beside)

    def verify(self, protocol: str | None = None) -> None:
        """See that every file of a protocol is here and is the card's.

        Raises
        ------
        CorpusError
            One is not.
        """
        chosen = self.protocol(protocol)
        for part in chosen.splits if chosen.kind == "files" else (chosen,):
            self._paths(part)

    def documents(self, split: str, *, protocol: str | None = None, canonical: bool = True) -> Iterator[Document]:
        """The documents of a split, in the order of the files, one at a time.

        Parameters
        ----------
        split
            ``"train"``, ``"dev"``, ``"test"``, or several: ``"train+dev"``, ``"without fold-1"``.
        protocol
            One of the card's; its default one if not given.
        canonical
            Whether entity types are mapped by the card; the corpus's own is then in ``mention.meta["corpus_type"]``.

        Raises
        ------
        UnknownNameError
            No such split or protocol.
        CorpusError
            A file is absent or wrong (at once), or its documents are not what the card says (on the way).
        """
        chosen = self.protocol(protocol)
        wanted = self.named(split, protocol)
        if chosen.kind == "files":
            by_name = {part.name: part for part in chosen.splits}
            paths = [(by_name[name], self._paths(by_name[name])) for name in wanted]
            found: Iterator[Document] = (
                document for part, files in paths for document in self._of_split(chosen, part, files)
            )
        else:
            found = self._of_division(chosen, frozenset(wanted), self._paths(chosen))
        return (self._canonical(document) for document in found) if canonical else found

    def by_split(self, protocol: str | None = None, *, canonical: bool = True) -> Iterator[tuple[str, Document]]:
        """Every document of a protocol with the name of its split, the files read once."""
        chosen = self.protocol(protocol)
        ids: dict[str, list[str]] = {split: [] for split in chosen.names}
        for split, document in self._by_split(chosen):
            ids[split].append(document.id)
            yield split, self._canonical(document) if canonical else document
        digest = hashlib.sha256()
        for split in chosen.names:
            digest.update("".join(f"{split}\t{identity}\n" for identity in sorted(ids[split])).encode())
        self._hashes[chosen.name] = digest.hexdigest()

    def split_hash(self, protocol: str | None = None) -> str:
        """A sha256 over the sorted document ids of each split: equal if and only if the division is the same."""
        chosen = self.protocol(protocol)
        if chosen.name not in self._hashes:
            for _ in self.by_split(chosen.name, canonical=False):
                pass
        return self._hashes[chosen.name]

    def _paths(self, part: Split | Protocol) -> list[Path]:
        """The reader's paths, with every file behind them verified."""
        for name in part.needs:
            self._verified(name)
        return [self._verified(name) for name in part.read]

    def _verified(self, name: str) -> Path:
        if name in self.card.files:
            return self.path(name)
        folder = name.rstrip("/") + "/"
        inside = [file for file in self.card.files if file.startswith(folder)]
        first, *_ = [self.path(file) for file in inside]
        return first.parents[inside[0].removeprefix(folder).count("/")]

    def _of_split(self, protocol: Protocol, split: Split, paths: Iterable[Path]) -> Iterator[Document]:
        elsewhere = {identity for part in protocol.splits if part.name in split.without for identity in part.ids}
        wanted = set(split.ids)
        for document in self._read(paths, folder=split.folder):
            if document.id not in elsewhere and (not split.ids or document.id in wanted):
                wanted.discard(document.id)
                yield document
        if wanted:
            raise CorpusError(
                f"{len(wanted)} documents that card {self.card.name!r} lists for split {split.name!r} are not in its "
                f"files: {', '.join(sorted(wanted)[:5])}",
                advice="the card and the files do not belong together",
            )

    def _of_division(self, protocol: Protocol, wanted: frozenset[str], paths: list[Path]) -> Iterator[Document]:
        assigned = self._division(protocol, paths)
        return (document for document in self._read(paths) if assigned[document.id] in wanted)

    def _by_split(self, protocol: Protocol) -> Iterator[tuple[str, Document]]:
        if protocol.kind == "files":
            for part in protocol.splits:
                for document in self._of_split(protocol, part, self._paths(part)):
                    yield part.name, document
            return
        paths = self._paths(protocol)
        assigned = self._division(protocol, paths)
        for document in self._read(paths):
            yield assigned[document.id], document

    def _division(self, protocol: Protocol, paths: list[Path]) -> dict[str, str]:
        if protocol.name not in self._assigned:
            self._assigned[protocol.name] = self._divide(protocol, paths)
        return self._assigned[protocol.name]

    def _divide(self, protocol: Protocol, paths: list[Path]) -> dict[str, str]:
        """The split of every document, by id."""
        values = self.card.labels[protocol.label].values if protocol.label else ()
        ids, classes, documents, texts = [], [], [], []
        for document in self._read(paths):
            answer = next((label.value for label in document.labels if label.name == protocol.label), None)
            if protocol.label and answer not in values:
                raise CorpusError(
                    f"label {protocol.label!r} is {answer!r}, expected one of {', '.join(values)} "
                    f"(card {self.card.name!r})",
                    document=document.id,
                )
            ids.append(document.id)
            classes.append(values.index(answer) if answer in values else 0)
            documents.append(f"document {source_of(document)}")
            if protocol.kind in ("clean", "strict"):
                texts.append([f"text {text}" for text in self.compared(document)])
        if protocol.kind == "rows":
            names = splits.rows(classes, shares=protocol.shares, seed=protocol.seed)
        elif protocol.kind in ("clean", "strict"):
            if protocol.kind == "strict":
                _join_near_duplicates(texts)
            keys = [[document, *text] for document, text in zip(documents, texts, strict=True)]
            names = splits.clean(keys, classes, shares=protocol.shares, seed=protocol.seed)
        elif protocol.kind == "folds":
            names = splits.folds(documents, classes, number=protocol.folds, seed=protocol.seed)
        else:
            names = splits.by_document(documents, classes, shares=protocol.shares, seed=protocol.seed)
        return dict(zip(ids, names, strict=True))

    def _read(self, paths: Iterable[Path], *, folder: str = "") -> Iterator[Document]:
        """The documents of the files; what is known to be wrong with them is put right, anything else is an error."""
        read = import_module(f"relatome.formats.{self.card.reader}").read
        options: dict[str, Any] = {"on_repair": self._repair} if self.card.repaired else {}
        if self.card.columns:
            options["columns"] = self.card.columns
        seen: set[str] = set()
        versions: Counter[str] = Counter()
        for path in paths:
            for document in read(path, **options):
                if folder and document.meta.get("folder") != folder:
                    continue
                if document.id in seen and document.id in self.card.versions:
                    versions[document.id] += 1
                    document = replace(document, id=f"{document.id}-{1 + versions[document.id]}")
                if document.id not in seen:
                    seen.add(document.id)
                    yield document
                elif document.id not in self.card.repeated:
                    raise CorpusError(
                        f"the id is in the files of {self.card.name!r} twice",
                        path=path,
                        document=document.id,
                        advice="list it in the card's 'repeated' if the first is to be taken, in 'versions' if all are",
                    )

    def _repair(self, problem: InputError) -> None:
        if problem.document not in self.card.repaired:
            raise problem
        _log.info("%s: repaired, as its card says: %s", self.card.name, problem)

    def _canonical(self, document: Document) -> Document:
        if not document.mentions:
            return document
        return replace(document, mentions=tuple(self._mapped(mention, document) for mention in document.mentions))

    def _mapped(self, mention: Mention, document: Document) -> Mention:
        if mention.type not in self.card.types:
            raise CorpusError(
                f"entity type {mention.type!r} of mention {mention.id!r} is not in the card of {self.card.name!r}",
                document=document.id,
                advice=f"its types are: {', '.join(self.card.types)}",
            )
        meta = {**mention.meta, "corpus_type": mention.type}
        return replace(mention, type=self.card.types[mention.type], meta=meta)


def source_of(document: Document) -> str:
    """The article a document comes from: its ``pmid`` or ``source`` where a row has one, else its own id."""
    return str(document.meta.get("pmid") or document.meta.get("source") or document.id)


def _join_near_duplicates(texts: list[list[str]]) -> None:
    """Give rows with near-duplicate texts a key in common."""
    rows: dict[str, list[int]] = {}
    for row, own in enumerate(texts):
        for text in own:
            rows.setdefault(text, []).append(row)
    names = list(rows)
    for one, other in splits.near_duplicates([name.removeprefix("text ") for name in names]):
        for row in (rows[names[one]][0], rows[names[other]][0]):  # the first holds for all with the same text
            texts[row].append(f"near {one} {other}")


_WITHOUT = "without "
_PMID = re.compile(r"[1-9]\d{0,8}")

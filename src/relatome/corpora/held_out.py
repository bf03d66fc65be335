"""What no model may see: the documents and sentences that scores are measured on.

Corpora overlap: an abstract of one corpus's train set is in another's test set, and the sentence rows of ADE come from
abstracts that others annotate. So what is held out is held out for every corpus: the documents listed in
``NEVER_TRAIN.tsv`` (columns ``pmid`` and ``test_set``; ids only) and, for every corpus of the catalogue whose card does not
say ``held_out = false``, the documents and sentences of its test split. Sentences are compared as words
(``splits.normalised``), and looked for anywhere in a document, whatever its own sentence boundaries.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import relatome.corpora as corpora
from relatome import sentences
from relatome.corpora.corpus import Corpus, source_of
from relatome.corpora.files import data_folder
from relatome.corpora.splits import LEAST_WORDS, normalised
from relatome.documents import Document
from relatome.errors import CorpusError

_log = logging.getLogger(__name__)

LIST = "NEVER_TRAIN.tsv"

_TRUNCATED = re.compile(r"abstract truncated at \d+ words")  # MEDLINE's remark under hundreds of abstracts, not theirs
_PREFIXED = re.compile(r"pmid[:_ -]?\s*(\d+)", flags=re.IGNORECASE)
Lengths = dict[tuple[str, ...], set[int]]

_TEST_SPLIT = "{} test split"  # not what the list writes ("bc5cdr test"): a leaking protocol waives the one only


class Dropped(NamedTuple):
    """Why a document may not be trained on."""

    reason: str
    """``"pmid"`` or ``"sentence"``."""
    test_sets: tuple[str, ...]
    """The test sets that hold it."""


class HeldOut:
    """The held-out documents and sentences, and the count of what was dropped for them.

    Parameters
    ----------
    pmids
        Article to the test sets that hold it: a PubMed id, or ``CORPUS ID`` where only that corpus knows the number.
    texts
        Normalised sentence to the test sets that hold it.
    missing
        Catalogue corpora whose test split could not be read, so that only the list speaks for them.

    Examples
    --------
    >>> held_out = HeldOut({"7": ("x test",)}, {"aspirin caused a severe bleeding": ("y test",)})
    >>> mine = [Document("7", "One."), Document("8", "Aspirin caused a severe bleeding!"), Document("9", "Two.")]
    >>> [document.id for document in held_out.keep(mine, corpus="mine")]
    ['9']
    >>> held_out.counts
    {'mine': {'kept': 1, 'pmid': 1, 'sentence': 1}}
    """

    def __init__(
        self,
        pmids: Mapping[str, tuple[str, ...]],
        texts: Mapping[str, tuple[str, ...]],
        *,
        missing: tuple[str, ...] = (),
    ) -> None:
        self.pmids = dict(pmids)
        self.texts = dict(texts)
        self.missing = missing
        self._counts: dict[str, Counter[str]] = {}
        self._lengths = _lengths(self.texts)

    @classmethod
    def load(cls, *, waived: bool = False) -> HeldOut:
        """What is held out, from the list and the catalogue's test splits in the data folder.

        Read once per process; each call starts its own counts.

        Parameters
        ----------
        waived
            Go on without the list, on the caller's responsibility. The test splits still count.

        Raises
        ------
        CorpusError
            The list is absent and was not waived, or cannot be read.
        """
        pmids, texts, missing, lengths = _everything(data_folder(), waived)
        held = cls(pmids, {}, missing=missing)
        held.texts, held._lengths = dict(texts), lengths
        return held

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """For each corpus that went through ``keep``: how many were kept, and how many dropped for which reason."""
        return {
            corpus: {reason: counter[reason] for reason in ("kept", "pmid", "sentence")}
            for corpus, counter in self._counts.items()
        }

    def keep(
        self, documents: Iterable[Document], *, corpus: str, leaks: bool = False, ids: str = ""
    ) -> Iterator[Document]:
        """The documents that may be trained on; the others are dropped and counted.

        Parameters
        ----------
        documents
            Of one corpus, train or dev.
        corpus
            Its name, for the counts.
        leaks
            Whether they come from a protocol that leaks by design (``Protocol.leaks``) or divides the corpus in another
            way: its own test split, which here is that of its default protocol, then does not count. The list, and the
            others' test splits, do.
        ids
            What the documents are called by (``Card.ids``): row 35781 of a table is not the article 35781, where the
            card says that its ids are its own.
        """
        own = _TEST_SPLIT.format(corpus) if leaks else ""
        counter = self._counts.setdefault(corpus, Counter())
        for document in documents:
            dropped = self.why(document, own=own, corpus=corpus if ids == "own" else "")
            counter[dropped.reason if dropped else "kept"] += 1
            if dropped:
                _log.debug("%s %s: dropped (%s of %s)", corpus, document.id, dropped.reason, dropped.test_sets)
            else:
                yield document

    def why(self, document: Document, *, own: str = "", corpus: str = "") -> Dropped | None:
        """The reason this document may not be trained on, if there is one.

        Parameters
        ----------
        own
            A test set that does not count, such as ``"ade test split"``.
        corpus
            The corpus whose own ids the document has; empty where they are PubMed's.
        """
        pmid = str(document.meta.get("pmid") or "")
        names = (source_of(document), document.id) if not corpus else (pmid, f"{corpus} {source_of(document)}")
        for identity in map(_plain, names):
            if test_sets := _others(self.pmids.get(identity, ()), own):
                return Dropped("pmid", test_sets)
        text = normalised(str(document.meta.get("original", document.text)))  # what a masked row was made of
        if test_sets := _others(self.texts.get(text, ()), own):
            return Dropped("sentence", test_sets)
        words = text.split()
        for start in range(len(words) - LEAST_WORDS + 1):
            for length in self._lengths.get(tuple(words[start : start + LEAST_WORDS]), ()):
                found = self.texts.get(" ".join(words[start : start + length]), ())
                if test_sets := _others(found, own):
                    return Dropped("sentence", test_sets)
        return None


def _plain(identity: str) -> str:
    """A PubMed id without what collections write before it: ``pmid:123``, ``PMID 123``."""
    found = _PREFIXED.fullmatch(identity)
    return found[1] if found else identity


def _others(test_sets: tuple[str, ...], own: str) -> tuple[str, ...]:
    return tuple(name for name in test_sets if name != own)


@lru_cache(maxsize=4)
def _everything(
    folder: Path, waived: bool
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]], tuple[str, ...], Lengths]:
    path = folder / LIST
    pmids: dict[str, tuple[str, ...]] = {}
    if path.is_file():
        pmids = listed(path)
    elif not waived:
        raise CorpusError(
            f"the list of documents no model may see, {LIST}, is not in {folder}",
            advice="set RELATOME_DATA to the folder that holds it; training without it must be waived explicitly",
        )
    texts: dict[str, tuple[str, ...]] = {}
    missing = []
    for name in corpora.names():
        corpus = corpora.load(name)
        if not corpus.card.held_out:
            continue
        if "test" not in corpus.splits():
            if any("test" in splits for splits in corpus.card.published.values()):
                missing.append(name)  # it has one, which is not in its files
            continue
        try:
            documents = list(corpus.documents("test", canonical=False))
        except CorpusError as problem:
            _log.warning("the sentences of %s's test split are not held out: %s", name, problem)
            missing.append(name)
            continue
        test_set = _TEST_SPLIT.format(name)
        for document in documents:
            if pmid := corpus.pmid(document):  # an id of its own says nothing outside its corpus
                _add(pmids, pmid, test_set)
            for text in _texts(document, corpus):
                _add(texts, text, test_set)
    return pmids, texts, tuple(missing), _lengths(texts)


def _lengths(texts: Iterable[str]) -> Lengths:
    """How many words a held-out sentence can have, by its first words."""
    found: Lengths = {}
    for text in texts:
        words = text.split()
        if len(words) >= LEAST_WORDS:
            found.setdefault(tuple(words[:LEAST_WORDS]), set()).add(len(words))
    return found


def listed(path: Path) -> dict[str, tuple[str, ...]]:
    """The list in a file: PubMed id to the test sets that hold it.

    Raises
    ------
    CorpusError
        It cannot be read, or a line of it is not what it should be.
    """
    found: dict[str, tuple[str, ...]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise CorpusError(f"the list cannot be read: {problem}", path=path) from None
    for number, line in enumerate(lines, 1):
        columns = line.split("\t")
        if (number == 1 and columns == ["pmid", "test_set"]) or not line.strip():
            continue
        if len(columns) != 2 or not columns[0].strip():
            raise CorpusError(
                f"expected 2 columns, pmid and test_set, with a tab between; found {line[:80]!r}",
                path=path,
                line=number,
            )
        for test_set in columns[1].split(","):
            _add(found, columns[0].strip(), test_set.strip())
    return found


def _texts(document: Document, corpus: Corpus) -> Iterator[str]:
    """What of a test document may not stand in a training document: the row, or each sentence."""
    if corpus.card.unit == "sentence":
        yield normalised(document.text)
        return
    for start, end in sentences.of(document):
        text = normalised(document.text[start:end])
        if text and not _TRUNCATED.fullmatch(text):
            yield text


def _add(table: dict[str, tuple[str, ...]], key: str, test_set: str) -> None:
    known = table.get(key, ())
    if test_set not in known:
        table[key] = (*known, test_set)

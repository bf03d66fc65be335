"""Divisions: the published row split equals scikit-learn's, the clean one shares nothing, all are seeded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from relatome import corpora
from relatome.corpora import splits


def reference(classes: list[int], seed: int) -> list[str]:
    """The published recipe, as its authors call it."""
    rows = np.arange(len(classes))
    labels = np.array(classes)
    train, rest = train_test_split(rows, test_size=0.3, stratify=labels, random_state=seed)
    dev, test = train_test_split(rest, test_size=0.5, stratify=labels[rest], random_state=seed)
    names = {**dict.fromkeys(train, "train"), **dict.fromkeys(dev, "dev"), **dict.fromkeys(test, "test")}
    return [names[row] for row in rows]


@given(
    st.lists(st.integers(0, 2), min_size=0, max_size=120).map(lambda more: [0, 1, 2] * 14 + more),
    st.integers(0, 2**32 - 1),
)
def test_rows_are_those_of_scikit_learn(classes: list[int], seed: int) -> None:
    assert list(splits.rows(classes, seed=seed)) == reference(classes, seed)


def test_ade_rows_are_those_of_scikit_learn() -> None:
    """At the size of the ADE corpus, positives first: 3,528 test rows."""
    classes = [1] * 6821 + [0] * 16695
    found = splits.rows(classes)
    assert list(found) == reference(classes, 42)
    assert Counter(found) == {"train": 16461, "dev": 3527, "test": 3528}


KEYED = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 1)), min_size=1, max_size=60)


@given(KEYED, st.integers(0, 5))
def test_clean_shares_no_key(rows: list[tuple[int, int, int]], seed: int) -> None:
    keys = [[f"document {document}", f"text {text}"] for document, text, _ in rows]
    classes = [value for _, _, value in rows]
    names = splits.clean(keys, classes, seed=seed)
    assert len(names) == len(rows) and set(names) <= set(splits.NAMES)
    sides: dict[str, set[str]] = {}
    for name, row in zip(names, keys, strict=True):
        for key in row:
            sides.setdefault(key, set()).add(name)
    assert all(len(side) == 1 for side in sides.values())
    assert names == splits.clean(keys, classes, seed=seed)


@given(KEYED)
def test_components_are_the_finest_that_hold_shared_keys_together(rows: list[tuple[int, int, int]]) -> None:
    keys = [{f"d{document}", f"t{text}"} for document, text, _ in rows]
    numbers = splits.components(keys)
    groups: list[set[str]] = []  # the slow way: merge key sets until none touch
    for row in keys:
        touching = [group for group in groups if group & row]
        groups = [group for group in groups if not group & row] + [row.union(*touching)]
    expected = [next(index for index, group in enumerate(groups) if row & group) for row in keys]
    pairs = set(zip(numbers, expected, strict=True))
    assert len(pairs) == len(set(numbers)) == len(set(expected))


def test_clean_keeps_classes_in_proportion() -> None:
    classes = [int(row % 7 == 0) for row in range(2000)]
    names = splits.clean([[row // 2] for row in range(2000)], classes)
    for value in (0, 1):
        counts = Counter(name for name, found in zip(names, classes, strict=True) if found == value)
        total = classes.count(value)
        assert [round(counts[name] / total, 2) for name in splits.NAMES] == [0.7, 0.15, 0.15]


def test_by_document_keeps_documents_whole_and_depends_on_the_seed() -> None:
    documents = [str(row // 3) for row in range(300)]
    names = splits.by_document(documents, [0] * 300)
    assert all(len(set(names[row : row + 3])) == 1 for row in range(0, 300, 3))
    assert Counter(names) == {"train": 210, "dev": 45, "test": 45}
    assert names != splits.by_document(documents, [0] * 300, seed=1)


@pytest.mark.parametrize(
    ("one", "other"),
    [("A  case\treport.", "a case report"), ("5-HT (2A)", "5 ht 2a"), ("...", ""), ("Ünal_x", "ünal x")],
)
def test_normalised(one: str, other: str) -> None:
    assert splits.normalised(one) == other


def test_published_ade_test_rows(corpus_data: Path) -> None:
    ade = corpora.load("ade")
    assert ade.protocol("rows").leaks and not ade.protocol("clean").leaks
    assert sum(1 for _ in ade.documents("test", protocol="rows")) == 3528


def test_clean_ade_shares_no_sentence_and_no_document(corpus_data: Path) -> None:
    ade = corpora.load("ade")
    texts, documents = {}, {}
    for split in ade.splits("clean"):
        rows = list(ade.documents(split, protocol="clean"))
        texts[split] = {splits.normalised(row.text) for row in rows}
        documents[split] = {row.meta["pmid"] for row in rows}
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not texts[one] & texts[other]
        assert not documents[one] & documents[other]

"""The audit: hashes and bits find what two-sided loops over plain text find; known leaks of the real files are found."""

from __future__ import annotations

import builtins
import gzip
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relatome import corpora
from relatome.corpora import audit, splits
from relatome.corpora.audit import Audit, Print, Seen, SeenPart, minhash_pairs, shared
from relatome.documents import Document, Label, Mention, Relation
from relatome.errors import MissingExtraError, ModelError, SettingsError

ABSTRACTS, ROWS = corpora.load("bc5cdr"), corpora.load("ade")
CHEMPROT = corpora.load("chemprot")

WORDS = ["gold", "salts", "caused", "a", "rash", "in", "two", "patients", "after", "aspirin"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)


def row(identity: str, text: str, pmid: str = "", value: str = "adverse-effect") -> Document:
    label = Label("ade-sentence", value, 0, len(text))
    return Document(identity, text, labels=(label,), meta={"pmid": pmid} if pmid else {})


# ------------------------------------------------------------------------------------------------------ near-duplicates


def jaccard(one: str, other: str) -> float:
    first, second = splits.shingles(one), splits.shingles(other)
    return len(first & second) / len(first | second)


@settings(max_examples=150)
@given(
    st.lists(TEXTS, max_size=12, unique=True),
    st.lists(TEXTS, max_size=8, unique=True),
    st.sampled_from([0.5, 0.8, 1.0]),
)
def test_near_duplicates_are_all_pairs_and_no_others(one: list[str], other: list[str], least: float) -> None:
    def near(a: str, b: str) -> bool:
        return min(len(a.split()), len(b.split())) >= splits.LEAST_WORDS and jaccard(a, b) >= least - 1e-9

    within = {(i, j) for j, b in enumerate(one) for i, a in enumerate(one[:j]) if near(a, b)}
    assert set(splits.near_duplicates(one, least=least)) == within
    across = {(i, j) for i, a in enumerate(one) for j, b in enumerate(other) if near(a, b)}
    assert set(splits.near_duplicates(one, other, least=least)) == across


def sentences_with_near_copies(number: int) -> list[str]:
    draw = random.Random(1)
    texts = []
    for _ in range(number):
        words = [f"w{draw.randrange(2000)}" for _ in range(draw.randint(8, 30))]
        texts.append(" ".join(words))
        if draw.random() < 0.3:
            words[draw.randrange(len(words))] = "other"
            texts.append(" ".join(words))
    return list(dict.fromkeys(texts))


def test_minhash_finds_nearly_all_of_them() -> None:
    pytest.importorskip("rensa")
    texts = sentences_with_near_copies(1500)
    every, found = set(splits.near_duplicates(texts)), set(minhash_pairs(texts))
    assert len(every) > 200
    assert found <= every
    assert len(found) >= 0.98 * len(every)


def test_minhash_of_nothing_and_of_a_template() -> None:
    pytest.importorskip("rensa")
    assert list(minhash_pairs([])) == []
    copies = [f"this is the same long remark of the same old journal with number {n} at its end" for n in range(1000)]
    found = set(minhash_pairs(copies))
    assert {end for pair in found for end in pair} == set(range(1000))  # each has a neighbour
    assert len(found) < 250_000  # of 499,500: it grows with the copies, not with their square


def test_strict_has_no_near_duplicate_on_two_sides_and_clean_is_what_it_was(corpus_data: Path) -> None:
    ade = corpora.load("ade")
    # Models were trained on these rows: see relatome.corpora.splits.
    assert ade.split_hash("clean") == "ff12b945e54f5d68aa40f8fc063c51274c9b6ec3fdf7524eb33398fd6953a498"
    assert ade.split_hash("rows") == "ec3ff1b0c99a13eb2bd88edc725c2b41bc0969ce7da0972c639f4c925c81cf27"
    side = {splits.normalised(row.text): split for split, row in ade.by_split("strict", canonical=False)}
    texts = list(side)
    pairs = list(splits.near_duplicates(texts))
    assert pairs
    assert all(side[texts[one]] == side[texts[other]] for one, other in pairs)


@given(st.integers(2, 12), st.integers(0, 3))
def test_folds_keep_documents_whole_and_are_of_a_size(number: int, seed: int) -> None:
    documents = [row // 3 for row in range(360)]
    names = splits.folds(documents, [0] * 360, number=number, seed=seed)
    assert set(names) == set(splits.fold_names(number))
    assert all(len(set(names[row : row + 3])) == 1 for row in range(0, 360, 3))
    sizes = Counter(names).values()
    assert max(sizes) - min(sizes) <= 3


def test_splits_are_named_by_what_they_are_without() -> None:
    assert ROWS.named("without fold-1", "folds") == tuple(f"fold-{one}" for one in range(2, 11))
    assert ROWS.named("dev+train") == ("dev", "train")


# ----------------------------------------------------------------------------------------------------- what is shared


IDS = st.integers(1, 12).map(str)
PARTS = st.lists(st.tuples(IDS, TEXTS, TEXTS), max_size=6, unique_by=lambda one: one[0])


def abstracts(found: list[tuple[str, str, str]]) -> list[Document]:
    return [Document(identity, f"{one.capitalize()}. {other.capitalize()}.") for identity, one, other in found]


def said(document: Document) -> set[str]:
    found = {splits.normalised(part) for part in document.text.split(".")}
    return {text for text in found if len(text.split()) >= splits.LEAST_WORDS}


def by_hand(document: Document, others: list[Document]) -> set[str]:
    kinds = set()
    own = said(document)
    theirs = {text for other in others for text in said(other)}
    if document.id in {other.id for other in others}:
        kinds.add("document")
    if splits.normalised(document.text) in {splits.normalised(other.text) for other in others}:
        kinds.add("text")
    if own & theirs:
        kinds.add("sentence")
    if any(one != other and jaccard(one, other) >= splits.NEAR - 1e-9 for one in own for other in theirs):
        kinds.add("near-duplicate")
    return kinds


@given(PARTS, PARTS, PARTS)
def test_shared_and_the_audit_find_what_loops_find(
    test: list[tuple[str, str, str]], train: list[tuple[str, str, str]], dev: list[tuple[str, str, str]]
) -> None:
    tested, others = abstracts(test), [abstracts(train), abstracts(dev)]
    joined = others[0] + others[1]
    plain = {one.id: {k for k in by_hand(one, joined) if k != "near-duplicate"} for one in tested}
    found = Audit(near=False)
    part = found.documents("test", (ABSTRACTS, tested))
    learned = [found.documents(name, (ABSTRACTS, some)) for name, some in zip(("a", "b"), others, strict=True)]
    both = found.compare([part], learned)
    assert both.counts == {kind: sum(kind in kinds for kinds in plain.values()) for kind in audit.KINDS}
    assert (both.any, both.documents) == (sum(map(bool, plain.values())), len(tested))
    # The clean part of a score: it looks at sentences that the other side has not, so a near-duplicate of a shared
    # sentence is none; what it calls unclean is the same.
    full = shared(ABSTRACTS, tested, joined)
    assert set(full) == {one.id for one in tested if by_hand(one, joined)}
    for one in tested:
        assert set(full.get(one.id, ())) - {"near-duplicate"} == plain[one.id]


def test_row_numbers_are_not_articles() -> None:
    """Rows 1 and 1 of two tables are not one article; rows with the PubMed id 7 are."""
    found = Audit(near=False)
    one = found.documents("a", (ROWS, [row("1", "Gold caused a rash."), row("2", "Silver did not.", "7")]))
    other = found.documents("b", (ROWS, [row("1", "Lithium caused a tremor."), row("3", "A third.", "7")]))
    assert found.compare([one], [other]).counts["document"] == 1
    articles = found.documents("c", (ABSTRACTS, [Document("7", "Something else.")]))
    assert found.compare([articles], [one]).counts["document"] == 1


def test_short_sentences_count_as_rows_only() -> None:
    found = Audit(near=False)
    one = found.documents("a", (ROWS, [row("1", "A case report.")]))
    other = found.documents("b", (ROWS, [row("9", "A case report")]))
    abstract = found.documents("c", (ABSTRACTS, [Document("3", "A case report. Gold salts caused a rash in two.")]))
    assert found.compare([one], [other]).counts["sentence"] == 1
    assert found.compare([abstract], [one]).any == 0


def test_near_duplicates_and_repeats_are_counted_by_document() -> None:
    pytest.importorskip("rensa")
    long = "the patient developed a severe rash after two weeks of treatment with gold salts and recovered fully"
    found = Audit(near=True)
    train = [row("1", long + "."), row("2", long.upper()), row("3", long + " again", value="no-adverse-effect")]
    part = found.documents("train", (ROWS, train))
    test = found.documents("test", (ROWS, [row("8", long + " then"), row("9", "Nothing of the kind was seen here.")]))
    both = found.compare([test], [part])
    assert both.counts == {"document": 0, "text": 0, "sentence": 0, "near-duplicate": 1}
    assert (both.share, both.examples) == (0.5, ("8",))
    repeated = found.repeated(part)
    assert (repeated.documents, repeated.repeated, repeated.near) == (3, 1, 3)
    assert repeated.labels == {"adverse-effect": (2, 1), "no-adverse-effect": (1, 1)}


def test_what_comes_later_is_seen_by_what_was_asked_before() -> None:
    found = Audit(near=False)
    one = found.documents("a", (ABSTRACTS, [Document("7", "One.")]))
    assert found.compare([one], [one]).any == 0
    other = found.documents("b", (ABSTRACTS, [Document("7", "Two.")]))
    assert found.compare([one], [other]).any == 1


# -------------------------------------------------------------------------------------------------------- contradictions


def test_labels_of_one_text_that_differ() -> None:
    found = Audit(near=False)
    text = "Gold caused a rash."
    found.documents("a", (ROWS, [row("1", text), row("2", text), row("3", "Silver did not.")]))
    found.documents("b", (ROWS, [row("8", "GOLD caused a rash", value="no-adverse-effect")]))
    report = found.report([])
    assert report.contradicting == 1
    (only,) = report.contradictions
    assert (only.what, only.parts, only.documents) == ("ade-sentence", ("a", "b"), ("1", "8"))
    assert only.values == (("adverse-effect",), ("no-adverse-effect",))


def pair(identity: str, kind: str | None, text: str = "Aspirin inhibits COX and aspirin binds albumin.") -> Document:
    mentions = (
        Mention("T1", 0, 7, "Chemical", text[0:7]),
        Mention("T2", text.index("COX"), text.index("COX") + 3, "Gene", "COX"),
        Mention("T3", text.index("aspirin"), text.index("aspirin") + 7, "Chemical", "aspirin"),
    )
    relations = (Relation("R1", kind, "T1", "T2"),) if kind else ()
    return Document(identity, text, mentions=mentions, relations=relations)


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        ("INHIBITOR", "INHIBITOR", 0),  # the second aspirin has no relation in either: another pair
        ("INHIBITOR", "ACTIVATOR", 1),
        ("INHIBITOR", None, 1),  # related here, not related there
        (None, None, 0),
    ],
)
def test_pairs_of_one_sentence_that_differ(one: str | None, other: str | None, count: int) -> None:
    found = Audit(near=False)
    found.documents("a", (CHEMPROT, [pair("1", one)]))
    found.documents("b", (CHEMPROT, [pair("2", other, "ASPIRIN inhibits  COX, and aspirin binds albumin")]))
    assert found.report([]).contradicting == count


def test_corpora_with_other_answers_do_not_contradict() -> None:
    found = Audit(near=False)
    found.documents("a", (CHEMPROT, [pair("1", "INHIBITOR")]))
    found.documents("b", (corpora.load("biored"), [pair("2", None)]))
    assert found.report([]).contradicting == 0


def test_a_sentence_with_very_many_mentions_ends() -> None:
    text = " ".join(f"C{number}" for number in range(4000))
    places = [(at, at + len(word)) for word in text.split() for at in [text.index(word)]]
    mentions = tuple(Mention(f"T{n}", a, b, "Chemical", text[a:b]) for n, (a, b) in enumerate(places))
    document = Document("1", text, mentions=mentions, relations=(Relation("R1", "INHIBITOR", "T1", "T2"),))
    found = Audit(near=False)
    found.documents("a", (CHEMPROT, [document, Document("2", text, mentions=mentions)]))
    assert found.report([]).contradicting == 0  # the second says nothing of the pair, and is too large to be searched


# --------------------------------------------------------------------------------------------------- what a model saw


SEEN = Seen(
    (
        SeenPart("ade", "train", "rows", "abc", "train", (Print("1", "pmid 7", 5, (5, 2**64 - 1)),)),
        SeenPart("bc5cdr", "dev", "official", "def", "dev", (Print("9", "pmid 9", 0, ()),)),
    )
)


def test_a_list_of_what_was_seen_is_read_back_and_compared(tmp_path: Path) -> None:
    path = SEEN.write(tmp_path)
    assert path.name == "seen.json.gz"
    assert Seen.read(tmp_path) == SEEN
    first = path.read_bytes()
    assert SEEN.write(tmp_path).read_bytes() == first
    assert Seen.read(tmp_path / "none") is None
    found = Audit(near=False)
    model = found.seen("model", SEEN)
    test = found.documents("test", (ABSTRACTS, [Document("7", "One."), Document("8", "Two.")]))
    assert found.compare([test], [model]).counts["document"] == 1
    assert found.compare([found.articles("list", ["7", "9", "11"])], [model]).any == 2


def test_the_list_holds_no_text(tmp_path: Path) -> None:
    text = "Gold salts caused a severe rash."
    found = tuple(audit.prints([row("1", text, "7")], ROWS))
    Seen((SeenPart("ade", "train", "rows", "", "train", found),)).write(tmp_path)
    inside = gzip.decompress((tmp_path / audit.SEEN).read_bytes()).decode()
    assert "rash" not in inside and "pmid 7" in inside


DAMAGED: dict[str, bytes] = {
    "no gzip": b"{}",
    "cut": gzip.compress(json.dumps({"version": 1, "parts": []}).encode() * 200)[:-12],
    "no json": gzip.compress(b"\xff{"),
    "no table": gzip.compress(b"[]"),
    "other version": gzip.compress(b'{"version": 2, "parts": []}'),
    "no number": gzip.compress(
        b'{"version":1,"parts":[{"corpus":"a","split":"b","protocol":"c","split_hash":"d","use":"e","documents":[["1","","zz",[]]]}]}'
    ),
    "too short": gzip.compress(
        b'{"version":1,"parts":[{"corpus":"a","split":"b","protocol":"c","split_hash":"d","use":"e","documents":[["1"]]}]}'
    ),
    "deep": gzip.compress(b"[" * 200000),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_list(tmp_path: Path, kind: str) -> None:
    (tmp_path / audit.SEEN).write_bytes(DAMAGED[kind])
    with pytest.raises(ModelError, match=r"seen.json.gz: this is no list of what a model saw"):
        Seen.read(tmp_path)


def test_hashes_are_the_same_in_every_process() -> None:
    code = "from relatome.corpora.audit import key; print(key('gold salts'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == audit.key("gold salts")
    assert audit.key("") == 0


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **keywords: Any) -> Any:
        if name == "rensa":
            raise ImportError(name)
        return real(name, *more, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r'pip install "relatome\[audit\]"'):
        Audit(near=True)
    assert Audit(near=False).parts == ()


# ------------------------------------------------------------------------------------------------------- the real files


@pytest.fixture(scope="module")
def known(corpus_data: Path) -> Iterator[Audit]:
    """The corpora whose overlaps were published or counted before this was written."""
    found = Audit(near=False)
    found.corpus(corpora.load("ade"), "rows")
    for name in ("bc5cdr", "biored", "chemprot", "drugprot-test"):
        found.corpus(corpora.load(name))
    found.corpus(corpora.load("gad"), "fold-1")
    yield found


def counts(found: Audit, one: str, other: str) -> tuple[int, dict[str, int]]:
    parts = {part.name: part for part in found.parts}
    both = found.compare([parts[one]], [parts[name] for name in other.split(", ")])
    return both.documents, dict(both.counts)


def test_known_leaks_are_found(known: Audit) -> None:
    rows, shared_ = counts(known, "ade test", "ade train")
    assert (rows, shared_["sentence"]) == (3528, 505)  # 14.3 %
    documents, shared_ = counts(known, "bc5cdr test", "biored train, biored dev")
    assert (documents, shared_["document"], shared_["text"]) == (500, 69, 69)
    documents, shared_ = counts(known, "drugprot-test test", "chemprot train, chemprot dev")
    assert (documents, shared_["document"]) == (750, 508)
    assert counts(known, "gad test", "gad train")[1]["sentence"] == 8
    parts = {part.name: part for part in known.parts}
    assert known.repeated(parts["gad train"]).repeated == 177
    labels = [known.repeated(parts[f"ade {split}"]).labels["adverse-effect"] for split in ("train", "dev", "test")]
    assert sum(rows for rows, _ in labels) == 6821


def test_the_facts_of_the_cards_are_those_of_the_files(known: Audit) -> None:
    found = {(one.corpus, one.overlap.name): one for one in known.known()}
    asked = {
        ("ade", "rows-of-positive-sentences"), ("ade", "test-sentences-in-train"), ("bc5cdr", "test-articles-in-biored"),
        ("drugprot-test", "articles-in-chemprot"), ("gad", "fold-1-test-rows-in-train"),
        ("gad", "fold-1-repeated-in-train"),
    }  # fmt: skip
    assert asked <= found.keys()
    assert [name for name, one in found.items() if not one.same] == []


def test_every_fact_of_a_card_names_corpora_that_there_are() -> None:
    for name in corpora.names():
        for overlap in corpora.load(name).card.overlaps.values():
            if " " in overlap.against:
                other, named = overlap.against.split(" ", 1)
                assert corpora.load(other).named(named)


# --------------------------------------------------------------------------------------------------------- the cards


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[overlaps.x]\nkind = 'sentense'\ncount = 1\nof = 2\nagainst = 'train'", "did you mean 'sentence'?"),
        ("[overlaps.x]\nkind = 'sentence'\ncount = 3\nof = 2\nagainst = 'train'", "from 0 to 'of', not 3 of 2"),
        ("[overlaps.x]\nkind = 'sentence'\ncount = 1\nof = 2", "overlaps.x is missing its 'against'"),
        ("[overlaps.x]\nkind = 'repeated'\ncount = 1\nof = 2\nagainst = 'train'", "and 'repeated' has none"),
        (
            "[overlaps.x]\nkind = 'sentence'\ncount = 1\nof = 2\nagainst = 'trian'",
            "overlaps.x: split 'trian' is none of",
        ),
        ("[overlaps.x]\nkind = 'repeated'\ncount = 1\nof = 2\nsplit = 'tset'", "overlaps.x: split 'tset' is none of"),
        ("[overlaps.x]\nkind = 'repeated'\ncount = 1\nof = 2\nlabel = 'L'", "overlaps.x.label 'L' is none of"),
        (
            "[overlaps.x]\nkind = 'repeated'\ncount = 1\nof = 2\nprotocol = 'row'",
            "overlaps.x.protocol 'row' is none of",
        ),
        (
            "[overlaps.x]\nkind = 'repeated'\ncounts = 1\nof = 2",
            "unknown key 'overlaps.x.counts': did you mean 'count'?",
        ),
        ("[protocols.k]\nkind = 'folds'\nread = []\nfolds = 1", "folds should be from 2 to 1000, not 1"),
        ("[protocols.k]\nkind = 'clean'\nread = []\nfolds = 3", "unknown key 'protocols.k.folds'"),
    ],
)
def test_mistakes_of_a_card(tmp_path: Path, more: str, message: str) -> None:
    source = Path(corpora.__file__).with_name("catalogue") / "biored.toml"
    path = tmp_path / "mine.toml"
    path.write_text(source.read_text(encoding="utf-8") + "\n" + more + "\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        corpora.load(path)
    assert message in str(caught.value)


def test_what_ids_are_is_said_or_follows_from_the_unit(tmp_path: Path) -> None:
    assert ROWS.pmid(Document("35781", "One.")) == ""
    source = (Path(corpora.__file__).with_name("catalogue") / "biored.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text('ids = "own"\n' + source, encoding="utf-8")
    mine = corpora.load(path)
    assert mine.pmid(Document("35781", "One.")) == ""
    assert mine.pmid(Document("3", "One.", meta={"pmid": "35781"})) == "35781"
    assert corpora.load("biored").pmid(Document("35781", "One.")) == "35781"
    assert corpora.load("biored").pmid(Document("DDI-d7", "One.")) == ""

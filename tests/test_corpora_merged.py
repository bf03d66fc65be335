"""Several corpora read as one: what becomes a row, what it is called, who may deny what, and what is on which side."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from relatome import corpora
from relatome.corpora import merged
from relatome.corpora.corpus import Corpus
from relatome.corpora.merged import LEFT_OUT, NEGATIVE, ORDER, SPLITS, Merged
from relatome.corpora.splits import LEAST_WORDS, near_duplicates, normalised
from relatome.documents import Document, Label, Mention, Relation, Span
from relatome.errors import CorpusError, SettingsError, UnknownNameError
from relatome.tasks import relation
from relatome.tasks.example import Head
from relatome.training import mixture, run
from relatome.training.settings import Settings, parse, read
from relatome.wordpieces import WordPieces
from tests import tiny


@pytest.fixture(scope="module")
def nine() -> Merged:
    found = corpora.load("relations9")
    assert isinstance(found, Merged)
    return found


def document(
    text: str, mentions: list[tuple[str, str, str]], *relations: tuple[str, str, str], **more: Any
) -> Document:
    """A document from words, types and concepts (``""`` for none); a word that stands twice is found twice in turn."""
    found: list[Mention] = []
    for number, (word, kind, concept) in enumerate(mentions, 1):
        begun = [mention.end for mention in found if mention.text == word]
        start = text.index(word, max(begun, default=0))
        concepts = tuple(concept.split("|")) if concept else ()
        found.append(Mention(f"T{number}", start, start + len(word), kind, word, concepts))
    level = more.pop("level", "mention")
    related = tuple(
        Relation(f"R{number}", kind, head, tail, level=level) for number, (kind, head, tail) in enumerate(relations, 1)
    )
    return Document("7", text, mentions=tuple(found), relations=related, meta=more).check()


def rows(nine: Merged, corpus: str, of: Document) -> dict[str, str]:
    """Every row's label, by the pair it is about."""
    return {row.id.removeprefix(f"{corpus}:7:"): row.labels[0].value for row in nine.rows(corpus, of)}


# ------------------------------------------------------------------------------------------------------- what is a row


def test_a_row_is_a_sentence_with_its_two_arguments_masked(nine: Merged) -> None:
    of = document(
        "It is new 🧬. KRNX2 is blocked by Plombidol, a β-blocker. Vlozane is old.",
        [("KRNX2", "Gene", ""), ("Plombidol", "Chemical", ""), ("Vlozane", "Chemical", "")],
        ("INHIBITOR", "T2", "T1"),
    )
    (row,) = nine.rows("chemprot", of)
    assert row.id == "chemprot:7:T2-T1"
    assert row.text == "@GENE$ is blocked by @CHEMICAL$, a β-blocker."
    head, tail = row.mentions  # the chemical is the head, wherever it stands
    assert (head.id, head.text, head.type, tail.text) == ("E1", "@CHEMICAL$", "Chemical", "@GENE$")
    assert [(one.type, one.head, one.tail) for one in row.relations] == [("inhibits", "E1", "E2")]
    assert row.sentences == (Span(0, len(row.text)),)
    assert row.meta["original"] == "KRNX2 is blocked by Plombidol, a β-blocker."
    assert (row.meta["corpus"], row.meta["source"], row.meta["pmid"]) == ("chemprot", "7", "7")
    assert row.meta["marked"] == ["INHIBITOR"] and "unjudged" not in row.meta


@pytest.mark.parametrize(
    ("text", "first", "second", "masked"),
    [
        ("A Plombidol receptor was found.", "Plombidol", "Plombidol receptor", "A @CHEMICAL-GENE$ was found."),
        ("A Plombidol receptor.", "Plombidol receptor", "Plombidol", "A @CHEMICAL-GENE$."),
        ("Plombidol", "Plombidol", "Plombidol", "@CHEMICAL-GENE$"),
    ],
)
def test_arguments_that_overlap_share_a_mask(nine: Merged, text: str, first: str, second: str, masked: str) -> None:
    at = text.index("Plombidol")
    mentions = tuple(
        Mention(name, at, at + len(word), kind, word)
        for name, word, kind in (("T1", first, "Chemical"), ("T2", second, "Gene"))
    )
    (row,) = nine.rows("chemprot", Document("7", text, mentions=mentions))
    assert row.text == masked
    assert [mention.text for mention in row.mentions] == ["@CHEMICAL", "GENE$"]


def test_what_chemprot_does_not_evaluate_is_neither_a_class_nor_its_absence(nine: Merged) -> None:
    genes = [(f"KRN{letter}", "Gene", "") for letter in "ABCDEF"]
    of = document(
        "Plombidol with " + ", ".join(word for word, _, _ in genes) + ".",
        [*genes, ("Plombidol", "Chemical", "")],
        ("REGULATOR", "T7", "T1"),
        ("NOT", "T7", "T2"),
        ("REGULATOR", "T7", "T3"),
        ("SUBSTRATE", "T7", "T3"),
        ("NOT", "T7", "T4"),
        ("AGONIST", "T7", "T4"),
        ("AGONIST-INHIBITOR", "T7", "T5"),
        ("AGONIST", "T7", "T5"),
    )
    assert rows(nine, "chemprot", of) == {
        "T7-T2": NEGATIVE,
        "T7-T3": "converts",
        "T7-T4": "activates",
        "T7-T5": "inhibits",
        "T7-T6": NEGATIVE,
    }


def test_a_relation_of_concepts_holds_for_the_mentions_of_a_sentence(nine: Merged) -> None:
    of = document(
        "Plombidol gave rash. Vlozane gave no rash but itch, and Plombidol too. Plombidol and unknownitis.",
        [
            *(("Plombidol", "Chemical", "D1"), ("rash", "Disease", "D8"), ("Vlozane", "Chemical", "D2")),
            *(("rash", "Disease", "D8"), ("itch", "Disease", "D9"), ("Plombidol", "Chemical", "D1")),
            *(("Plombidol", "Chemical", "D1"), ("unknownitis", "Disease", "")),
        ],
        ("CID", "D1", "D8"),
        level="concept",
    )
    assert rows(nine, "bc5cdr", of) == {
        "T1-T2": "causes",
        "T3-T4": NEGATIVE,
        "T3-T5": NEGATIVE,
        "T6-T4": "causes",
        "T6-T5": NEGATIVE,
    }  # of "unknownitis" the corpus can say nothing
    assert {tuple(row.meta["unjudged"]) for row in nine.rows("bc5cdr", of)} == {("treats", "associated_with")}


def test_bioreds_composites_and_pairs_of_one_kind(nine: Merged) -> None:
    of = document(
        "Plombidol, Vlozane and KRNX2 with Aldern and Bork disease; Plombidol again.",
        [
            *(("Plombidol", "Chemical", "D1"), ("Vlozane", "Chemical", "D2"), ("KRNX2", "Gene", "77")),
            *(("Aldern and Bork disease", "Disease", "D8|D9"), ("Plombidol", "Chemical", "D1")),
        ],
        ("Negative_Correlation", "D8|D9", "D1"),
        ("Negative_Correlation", "D2", "D1"),
        ("Positive_Correlation", "77", "D2"),
        ("Association", "77", "D8"),
        level="concept",
    )
    assert rows(nine, "biored", of) == {
        "T1-T2": "interacts_with",
        "T1-T3": NEGATIVE,
        "T1-T4": "treats",
        "T2-T3": "activates",
        "T2-T4": NEGATIVE,
        "T2-T5": "interacts_with",
        "T3-T4": "associated_with",
        "T5-T3": NEGATIVE,
        "T5-T4": "treats",
    }  # not T1-T5: one chemical twice
    assert not any("unjudged" in row.meta for row in nine.rows("biored", of))


def test_of_ddi_only_judged_pairs_are_rows(nine: Merged) -> None:
    of = document(
        "Plombidol, Vlozane and Quarnin.",
        [("Plombidol", "Chemical", ""), ("Vlozane", "Chemical", ""), ("Quarnin", "Chemical", "")],
        ("effect", "T2", "T1"),
        false_pairs=[["T3", "T1"]],
    )
    assert rows(nine, "ddi", of) == {"T1-T2": "interacts_with", "T1-T3": NEGATIVE}


def test_an_unmapped_relation_is_an_error(nine: Merged) -> None:
    of = document("Plombidol and KRNX2.", [("Plombidol", "Chemical", ""), ("KRNX2", "Gene", "")], ("BINDS", "T1", "T2"))
    with pytest.raises(CorpusError, match="'relations9' does not say what BINDS of 'chemprot' is between Chemical and"):
        list(nine.rows("chemprot", of))


# -------------------------------------------------------------------------------------- what training and scores make of it


def head(nine: Merged) -> Head:
    arguments = {name: one.arguments for name, one in nine.card.relations.items()}
    return Head("nine", "relation", "marker", (NEGATIVE, *nine.card.relations), arguments)


def test_a_row_is_one_candidate_even_of_two_of_a_kind(nine: Merged) -> None:
    of = document(
        "Plombidol and Vlozane.", [("Plombidol", "Chemical", ""), ("Vlozane", "Chemical", "")], ("int", "T1", "T2"),
        false_pairs=[],
    )  # fmt: skip
    (row,) = nine.rows("ddi", of)
    (example,) = relation.examples(row, head(nine))
    assert (example.input.head.id, example.input.tail.id, example.gold) == ("E1", "E2", "interacts_with")


def test_what_a_row_cannot_deny_is_masked_in_its_loss(nine: Merged) -> None:
    asked = head(nine)
    everything = mixture.annotated(nine.card, asked)
    assert everything.all()
    some = mixture.annotated(nine.card, asked, ("treats", "associated_with"))
    assert [name for name, known in zip(asked.labels, some, strict=True) if not known] == ["treats", "associated_with"]


def test_an_answer_is_judged_by_what_is_known() -> None:
    def row(gold: str) -> Document:
        return Document("1", "x", labels=(Label("nine", gold, 0, 1),), meta={"unjudged": ["treats"]})

    assert merged.judged("treats", row(NEGATIVE)) == NEGATIVE
    assert merged.judged("causes", row(NEGATIVE)) == "causes"
    assert merged.judged("treats", row("causes")) == "treats"  # what it does mark is another thing
    assert merged.judged(NEGATIVE, row("causes")) == NEGATIVE


@pytest.fixture
def listed(mine: Merged, monkeypatch: pytest.MonkeyPatch) -> Merged:
    """The merged corpus by its name, and no list of what no model may see."""
    from relatome.corpora.held_out import HeldOut

    load = corpora.load
    monkeypatch.setattr(corpora, "load", lambda name: mine if name == "two" else load(name))
    monkeypatch.setattr(HeldOut, "load", classmethod(lambda cls, **_: cls({}, {})))
    return mine


def run_of(*data: dict[str, Any]) -> Settings:
    heads = [{"name": "two", "task": "relation", "kind": "marker"}]
    return parse({"encoder": "x", "heads": heads, "data": [{"corpus": "two", "heads": ["two"], **one} for one in data]})


def test_training_has_a_mask_for_each_kind_of_row(listed: Merged) -> None:
    settings = run_of({"split": "train"})
    heads = mixture.heads(settings)
    built = mixture.build(settings, heads, WordPieces.toy(tiny.PIECES), 64)
    found = Counter(row.source for part in built.rows for row in part)
    assert found == {"two but treats": 1, "two": 2}
    assert [built.annotated[name, "two"].tolist() for name in ("two", "two but treats")] == [
        [True, True, True],
        [True, True, False],
    ]


def test_of_a_merged_corpus_some_sources_are_learned_or_read_more_often(listed: Merged) -> None:
    settings = run_of({}, {"sources": ["b"], "weight": 0.5})
    built = mixture.build(settings, mixture.heads(settings), WordPieces.toy(tiny.PIECES), 64)
    every, some = ([row.document for row in part] for part in built.rows)
    assert every == ids(listed, "train") and some == [name for name in every if name.startswith("b:")]
    assert 0 < len(some) < len(every)
    assert [built.counts[title]["rows"] for title in ("two train", "two train of b")] == [len(every), len(some)]


def test_tables_that_read_the_same_are_counted_each(listed: Merged) -> None:
    settings = run_of({}, {"weight": 0.5}, {})
    built = mixture.build(settings, mixture.heads(settings), WordPieces.toy(tiny.PIECES), 64)
    titles = ("two train", "two train, table 2", "two train, table 3")
    assert [built.counts[title]["rows"] for title in titles] == [len(part) for part in built.rows]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_run_has_seen_all_that_any_of_its_tables_read(listed: Merged, order: tuple[int, int]) -> None:
    tables = ({"sources": ["a"]}, {"sources": ["b"]})
    (part,) = run.seen(run_of(*(tables[n] for n in order))).parts
    assert sorted(one.id for one in part.prints) == sorted(ids(listed, "train"))
    (some,) = run.seen(run_of({"sources": ["b"]})).parts
    assert [one.id for one in some.prints] == [name for name in ids(listed, "train") if name.startswith("b:")]


def test_sources_that_there_are_not(tmp_path: Path) -> None:
    def told(corpus: str, source: str, more: str = "") -> str:
        file = tmp_path / "run.toml"
        head = '[[heads]]\nname = "n"\ntask = "relation"\n'
        file.write_text(
            f'encoder = "e"\n{head}[[data]]\ncorpus = "{corpus}"\nheads = ["n"]\nsources = ["{source}"]\n{more}'
        )
        with pytest.raises(SettingsError) as caught:
            read(file)
        return str(caught.value)

    close = "line 8: data 'relations9': sources: unknown source of 'relations9' 'bio-red': did you mean 'biored'?"
    assert close in told("relations9", "bio-red")
    assert "'xyz' (known: bc5cdr, biored, chemprot, ddi, gad)" in told("relations9", "xyz")
    alone = "line 8: data 'ade': sources: 'ade' is one corpus and has no sources (leave sources out)"
    assert alone in told("ade", "biored")
    several = told("relations9", "xyz", 'protocol = "naturel"\n')
    assert "'xyz'" in several and "'naturel'" in several


def test_sources_of_a_run_without_a_file_are_looked_at_too(listed: Merged) -> None:
    settings = run_of({"sources": ["b", "c"]})
    with pytest.raises(UnknownNameError, match="unknown source of 'two' 'c'"):
        mixture.build(settings, mixture.heads(settings), WordPieces.toy(tiny.PIECES), 64)


# ------------------------------------------------------------------------------------------------------------ two sides


NOTES = {
    # What each says is invented. 11 and 12 are train and dev of the one, 21 to 23 of the other.
    "a-train": [("11", "Plombidol gave rash to forty dogs."), ("12", "Vlozane gave rash to nine cats in May.")],
    "a-dev": [("13", "Plombidol and rash in nine old horses.")],
    "a-test": [("14", "Plombidol gave rash to a cow in Lyon."), ("22", "Vlozane, and no rash.")],
    "b-train": [
        *(("21", "Plombidol gave rash to a cow in Lyon!"), ("22", "Plombidol and rash, seen by another reader.")),
        *(
            (
                "23",
                "Plombidol against rash in one hundred and seven old men of Lyon, a trial without any control group.",
            ),
        ),
        *(
            (f"3{n}", f"Trial {n} of Plombidol against rash was stopped after {n} {w}.")
            for n, w in enumerate(("weeks", "dogs"))
        ),
    ],
    "b-test": [
        ("29", "Plombidol against rash in one hundred and seven old women of Lyon, a trial without any control group.")
    ],
}


NAMES = (("Plombidol", "Chemical", "D1"), ("Vlozane", "Chemical", "D2"), ("rash", "Disease", "D8"))


def corpus_of(folder: Path, name: str, relation: str, splits: dict[str, str]) -> Corpus:
    files = []
    for file in dict.fromkeys(splits.values()):
        text = ""
        for identity, title in NOTES[file]:
            text += f"{identity}|t|{title}\n{identity}|a|\n"
            for word, kind, concept in NAMES:
                if word in title:
                    at = title.index(word)
                    text += f"{identity}\t{at}\t{at + len(word)}\t{word}\t{kind}\t{concept}\n"
            text += f"{identity}\t{relation}\tD1\tD8\n\n" if "Plombidol gave" in title or "against" in title else "\n"
        (folder / f"{file}.txt").write_text(text, encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        files.append(f'"{file}.txt" = {{ sha256 = "{digest}", source = "x" }}\n')
    path = folder / f"{name}.toml"
    path.write_text(
        f'name = "{name}"\ntitle = "T"\nversion = "1"\nreader = "pubtator"\nunit = "abstract"\ntasks = ["relation"]\n'
        'protocol = "official"\nlicence = "CC0"\nterms = "none"\nship = false\ncitation = "me"\n[origin]\n'
        '[types]\nChemical = "Chemical"\nDisease = "Disease"\n'
        f'[relations]\n{relation} = {{ level = "concept", arguments = [["Chemical", "Disease"]] }}\n'
        '[protocols.official]\nkind = "files"\n[protocols.official.splits]\n'
        + "".join(f'{split} = {{ read = ["{file}.txt"] }}\n' for split, file in splits.items())
        + "[files]\n"
        + "".join(files)
    )
    return corpora.load(path)


MINE: dict[str, Any] = {
    "name": "two", "title": "Two", "version": "1", "protocol": "natural", "licence": "CC0", "terms": "none",
    "ship": False, "citation": "me", "labels": ["causes", "treats"],
    "sources": {
        "a": {"train": "train", "dev": "dev", "test": "test", "pairs": [["Chemical", "Disease"]], "judged": ["causes"],
              "reason": "only that was asked"},
        "b": {"train": "train", "dev": "train", "test": "test", "dev_share": 0.01, "pairs": [["Chemical", "Disease"]],
              "judged": ["causes", "treats"], "reason": "both were"},
    },
    "map": [
        {"corpus": "a", "relations": ["CID"], "types": [["Chemical", "Disease"]], "label": "causes", "reason": "so"},
        {"corpus": "b", "relations": ["Cure"], "types": [["Chemical", "Disease"]], "label": "treats", "reason": "so"},
    ],
    "views": {"natural": {"note": "all"}, "published": {"note": "some", "seed": 1}},
}  # fmt: skip


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Corpus]:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    (tmp_path / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n12\tx test\n")
    return {
        "a": corpus_of(tmp_path, "a", "CID", {"train": "a-train", "dev": "a-dev", "test": "a-test"}),
        "b": corpus_of(tmp_path, "b", "Cure", {"train": "b-train", "test": "b-test"}),
    }


@pytest.fixture
def mine(both: dict[str, Corpus]) -> Merged:
    return merged.parse(MINE, both.__getitem__)


def ids(found: Merged, split: str, view: str | None = None) -> list[str]:
    return [row.id for row in found.documents(split, protocol=view)]


def test_nothing_is_on_two_sides(mine: Merged) -> None:
    assert [name.split(":")[1] for name in ids(mine, "test")] == ["14", "22", "29"]
    # 12 is listed; 21 is a test sentence, 22 a test document, 23 has a near-duplicate in test.
    assert mine.dropped("train") == {
        "a": {"held out": 1},
        "b": {"document of test": 1, "near-duplicate of test": 1, "sentence of test": 1},
    }
    assert [name.split(":")[1] for name in ids(mine, "train+dev")] == ["11", "30", "31", "13"]
    assert mine.dropped("test") == {}


def test_a_split_without_a_dev_set_is_divided_by_the_hashes_of_its_ids(both: dict[str, Corpus]) -> None:
    changed = {**MINE, "sources": {**MINE["sources"], "b": {**MINE["sources"]["b"], "dev_share": 0.5}}}
    half = merged.parse(changed, both.__getitem__)
    train, dev = ({d.id for d in half._of("b", split)} for split in ("train", "dev"))
    assert train and dev and not train & dev and len(train | dev) == 5
    again = merged.parse(changed, both.__getitem__)
    assert {d.id for d in again._of("b", "dev")} == dev


def test_the_published_view_draws_the_negatives_by_their_ids(mine: Merged, monkeypatch: pytest.MonkeyPatch) -> None:
    def row(number: int, label: str) -> Document:
        return Document(f"r{number}", "x", labels=(Label("two", label, 0, 1),))

    made = [row(number, "treats" if number % 10 == 0 else NEGATIVE) for number in range(200)]
    monkeypatch.setattr(mine, "_rows", lambda split: iter(made))
    drawn = ids(mine, "test", "published")
    labels = Counter(found.labels[0].value for found in mine.documents("test", protocol="published"))
    assert labels == {"treats": 20, NEGATIVE: 20}
    other = merged.parse(MINE, lambda name: mine.corpora[name])
    monkeypatch.setattr(other, "_rows", lambda split: reversed(made))
    assert sorted(ids(other, "test", "published")) == sorted(drawn)
    assert len(ids(mine, "test")) == 200
    few = [row(1, NEGATIVE), row(2, "treats"), row(3, "treats")]
    monkeypatch.setattr(other, "_rows", lambda split: iter(few))
    assert len(ids(other, "dev", "published")) == 3
    monkeypatch.setattr(other, "_rows", lambda split: iter(few[:1]))
    assert ids(other, "train", "published") == []  # nothing to draw them down to


def test_rows_that_the_card_leaves_out(both: dict[str, Corpus]) -> None:
    changed = {**MINE, "left_out": ["a:11:T1-T2"]}
    assert [one for one in ids(merged.parse(changed, both.__getitem__), "train") if one.startswith("a:")] == []


def test_rows_without_an_article_have_their_near_duplicates_as_source() -> None:
    text = "one two three four five six seven eight nine ten"
    made = [Document("a", text), Document("b", "Other words of some length."), Document("c", text + " more.")]
    made += [Document("d", text.upper()), Document("e", text, meta={"pmid": "7"})]
    found = [row.meta.get("source") for row in merged._clustered(made)]
    assert found == ["like a", "like b", "like a", "like a", None]


def test_the_hash_of_the_rows_is_of_ids_labels_and_texts(mine: Merged) -> None:
    digest = hashlib.sha256()
    for row in sorted(f"{d.id}\t{d.labels[0].value}\t{d.text}\n" for d in mine.documents("test")):
        digest.update(row.encode())
    assert mine.rows_hash() == digest.hexdigest()
    assert mine.rows_hash("train") != mine.rows_hash()
    found = list(mine.by_split())
    assert [(split, row.id) for split, row in found] == [(split, one) for split in SPLITS for one in ids(mine, split)]
    assert found[0][1] == next(mine.documents("train"))
    assert mine.split_hash() == mine.split_hash("natural") != mine.split_hash("published")


def test_without_the_list_or_a_file_nothing_is_read(mine: Merged, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown split of 'two'"):
        mine.documents("tests")
    (tmp_path / "NEVER_TRAIN.tsv").unlink()
    with pytest.raises(CorpusError, match="NEVER_TRAIN"):
        list(mine.documents("train"))
    (tmp_path / "b-test.txt").unlink()
    with pytest.raises(CorpusError, match="corpus 'b' needs the file 'b-test.txt'"):
        mine.documents("train")


# ----------------------------------------------------------------------------------------------------------- the card


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("labls",), ["x"], "unknown key 'labls': did you mean 'labels'?"),
        (("protocol",), "naturel", "protocol 'naturel' is none of the views: natural, published"),
        (("map", 0, "label"), "cause", "'map[1].label' should be one of causes, treats, NO_RELATION, left out"),
        (("map", 0, "corpus"), "c", "'map[1].corpus' should be one of a, b, not 'c'"),
        (("map", 0, "relations"), ["CIT"], "map: a has no relation 'CIT'"),
        (("map", 0, "relations"), ["CIT"], "map: CID of a between Chemical and Disease is mapped nowhere"),
        (("map", 0, "types"), [["Disease", "Chemical"]], "should stand in the order Chemical, Gene, Variant, Disease"),
        (("map", 0, "types"), [["Chemical", "Dog"]], "should be pairs of Chemical, Gene, Variant, Disease"),
        (("map", 0, "reason"), " ", "'map[1].reason' is empty"),
        (("map", 1), "x", "map[2] should be a table, not 'x'"),
        (("sources", "a", "judged"), ["cures"], "'sources.a.judged' should be among causes, treats, not 'cures'"),
        (("sources", "a", "dev_share"), 0.5, "sources.a.dev_share should be above 0 and below 1 where"),
        (("sources", "b", "dev_share"), 0.0, "sources.b.dev_share should be above 0 and below 1 where"),
        (("sources", "a", "test"), "tests", "sources.a: unknown split of 'a' (official) 'tests'"),
        (("sources", "a", "protocol"), "offical", "sources.a: unknown split protocol of 'a' 'offical': did you mean"),
        (("views", "published", "seed"), "x", "'views.published.seed' should be a whole number, not 'x'"),
        (("title",), "", "'title' is empty"),
    ],
)
def test_each_mistake_has_its_message(path: tuple[Any, ...], value: Any, message: str, both: dict[str, Corpus]) -> None:
    import copy

    changed = copy.deepcopy(MINE)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(SettingsError) as caught:
        merged.parse(changed, both.__getitem__)
    assert message in str(caught.value)


def test_what_is_mapped_twice(both: dict[str, Corpus]) -> None:
    with pytest.raises(SettingsError, match="CID of a between .* is mapped twice"):
        merged.parse({**MINE, "map": [*MINE["map"], MINE["map"][0]]}, both.__getitem__)


def test_a_card_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("[sources.a]\nx = [")
    with pytest.raises(CorpusError, match="x.toml: the card is not TOML"):
        corpora.load(path)
    path.write_text('[sources.a]\ntrain = "x"\n')
    with pytest.raises(SettingsError, match="x.toml: .*'name' is missing|x.toml: .* mistakes"):
        corpora.load(path)
    with pytest.raises(CorpusError, match="cannot be read"):
        merged.read(tmp_path / "no.toml", corpora.load)
    assert not merged.is_merged(tmp_path / "no.toml")


def test_every_line_of_the_mapping_has_a_reason_and_every_label_but_one_a_line(nine: Merged) -> None:
    for row in nine.plan.mapping:
        assert len(row.reason) > 15, row
    for source in nine.plan.sources.values():
        assert len(source.reason) > 20
    labels = {row.label for row in nine.plan.mapping}
    assert labels == {*nine.plan.labels, NEGATIVE, LEFT_OUT} - {"located_in"}
    assert any(text.startswith("located_in has no example, because") for text in nine.card.defects)
    assert nine.card.relations["located_in"].arguments == ()
    assert "relations9" not in corpora.names() and corpora.merged_names() == ("relations9",)
    assert nine.card.ship is False and not nine.card.held_out


def test_the_card_adds_up(nine: Merged) -> None:
    for view, splits in nine.card.counts.items():
        for split, counts in splits.items():
            labels, parts = Counter(counts["labels"]), nine.plan.parts[view][split]
            assert labels.total() == counts["documents"] == sum(counts["mentions"].values()) / 2
            assert sum((Counter(part) for part in parts.values()), Counter()) == labels
            assert {**counts["relations"], NEGATIVE: labels[NEGATIVE]} == labels
            if view == "published":
                assert labels[NEGATIVE] == max(counts["relations"].values())
    published = nine.card.published["system"]
    assert round(sum(published["f1"].values()) / 8) == round(published["macro_f1"])
    assert set(published["f1"]) == {NEGATIVE, *nine.plan.labels} - {"located_in"}


# ------------------------------------------------------------------------------------------------------- the real rows


@pytest.fixture(scope="module")
def real(nine: Merged, corpus_data: Path) -> dict[str, list[Document]]:
    return {split: list(nine.documents(split)) for split in SPLITS}


def counted(rows: list[Document]) -> dict[str, Any]:
    labels = Counter(row.labels[0].value for row in rows)
    return {
        "documents": len(rows),
        "mentions": dict(Counter(mention.type for row in rows for mention in row.mentions)),
        "relations": {name: number for name, number in labels.items() if name != NEGATIVE},
        "labels": dict(labels),
    }


@pytest.mark.slow
def test_the_counts_are_those_of_the_rows(nine: Merged, real: dict[str, list[Document]]) -> None:
    for view, splits in nine.card.counts.items():
        for split, counts in splits.items():
            rows = real[split] if view == "natural" else list(nine.documents(split, protocol=view))
            assert counted(rows) == counts, (view, split)
            for name, part in nine.plan.parts[view][split].items():
                assert Counter(row.labels[0].value for row in rows if row.meta["corpus"] == name) == part
            if split == "test":
                assert nine.rows_hash("test", view) == nine.plan.hashes[view]
    for split in ("train", "dev"):
        assert nine.dropped(split) == nine.plan.dropped[split]
    assert nine.dropped("test") == {}


@pytest.mark.slow
def test_no_article_and_no_sentence_is_on_two_sides(nine: Merged, real: dict[str, list[Document]]) -> None:
    articles = {split: {row.meta.get("pmid", row.meta["source"]) for row in rows} for split, rows in real.items()}
    for split, found in articles.items():
        for other in SPLITS:
            assert split == other or not found & articles[other]
    for field in ("original", "masked"):
        texts = {
            split: {normalised(str(row.meta["original"]) if field == "original" else row.text) for row in rows}
            for split, rows in real.items()
        }
        long = {split: {text for text in found if len(text.split()) >= LEAST_WORDS} for split, found in texts.items()}
        for split, other in (("train", "test"), ("dev", "test"), ("dev", "train")):
            assert not long[split] & long[other], (field, split, other)
            assert not list(near_duplicates(sorted(long[split]), sorted(long[other]))), (field, split, other)


@pytest.mark.slow
def test_no_row_of_train_is_listed(real: dict[str, list[Document]], corpus_data: Path) -> None:
    lines = (corpus_data / "NEVER_TRAIN.tsv").read_text().splitlines()[1:]
    never = {line.split("\t")[0] for line in lines}
    for split in ("train", "dev"):
        assert not {row.meta.get("pmid") for row in real[split]} & never
    for rows in real.values():
        for row in rows:
            types = (row.mentions[0].type, row.mentions[1].type)
            assert ORDER.index(types[0]) <= ORDER.index(types[1])
            assert row.text.count("@") >= 1 and row.check() is row

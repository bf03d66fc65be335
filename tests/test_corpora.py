"""The catalogue's contract, one test per card; and how a corpus finds, checks and divides its files."""

from __future__ import annotations

import hashlib
import re
import tarfile
from pathlib import Path

import pytest

from relatome import corpora
from relatome.corpora import card as cards
from relatome.corpora.card import CANONICAL_TYPES
from relatome.corpora.corpus import Corpus
from relatome.corpora.counts import compared
from relatome.errors import CorpusError, OffsetError, SettingsError, UnknownNameError

CATALOGUE = corpora.names()


@pytest.fixture(params=CATALOGUE)
def corpus(request: pytest.FixtureRequest) -> Corpus:
    return corpora.load(request.param)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus of one's own: two files and the card beside them; the data folder is elsewhere and empty."""
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path / "data"))
    first = "1|t|Aspirin and bleeding\n1|a|Lithium too.\n1\t0\t7\tAspirin\tDrug\tD1\n1\t21\t28\tLithium\tDrug\tD2\n"
    second = "2|t|Nothing here\n2|a|Nor here.\n\n3|t|Third\n3|a|Gold salts.\n3\t6\t16\tGold salts\tDrug\tD3\n"
    (tmp_path / "a.txt").write_text(first, encoding="utf-8")
    (tmp_path / "b.txt").write_text(second, encoding="utf-8")
    return write_card(tmp_path)


def write_card(folder: Path, **changes: str) -> Path:
    parts = {
        "head": 'name = "mine"\ntitle = "Mine"\nversion = "1"\nreader = "pubtator"\nunit = "abstract"\n'
        'tasks = ["ner"]\nprotocol = "official"\nlicence = "CC0"\nterms = "none"\nship = false\n'
        'citation = "me"\nexhaustive = ["Chemical"]\n',
        "origin": '[origin]\nrepository = "https://example.org/mine"\ncommit = "0123456789abcdef"\n',
        "types": '[types]\nDrug = "Chemical"\n',
        "protocols": '[protocols.official]\nkind = "files"\n[protocols.official.splits]\n'
        'train = { read = ["a.txt", "b.txt"], without = ["dev"] }\ndev = { read = ["b.txt"], ids = ["3"] }\n'
        '[protocols.loose]\nkind = "by_document"\nread = ["a.txt", "b.txt"]\n'
        '[protocols.clean]\nkind = "clean"\nread = ["a.txt", "b.txt"]\n',
        "files": "[files]\n"
        + "".join(
            f'"{path.name}" = {{ sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}", source = "x/{path.name}" }}\n'
            for path in sorted(folder.glob("*.txt"))
        ),
    } | changes
    path = folder / "mine.toml"
    path.write_text("\n".join(parts.values()), encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------- every card of the catalogue


def test_card_says_what_it_must(corpus: Corpus) -> None:
    card = corpus.card
    assert card.name in CATALOGUE
    for text in (card.title, card.version, card.licence, card.terms, card.citation):
        assert text.strip()
    assert card.origin["url"].startswith("https://")
    assert re.fullmatch("[0-9a-f]{40}", card.origin["commit"])
    assert set(card.tasks) <= set(cards.TASKS)
    assert card.defects, "no corpus is without a footnote"


def test_checksums_are_sha256_and_sources_are_named(corpus: Corpus) -> None:
    assert corpus.card.files
    for file in corpus.card.files.values():
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.source
        repository, commit = corpus.card.repository_of(file)
        assert repository.startswith("https://") and re.fullmatch("[0-9a-f]{40}", commit)


def test_what_has_gold_has_a_task_and_raw_text_has_neither(corpus: Corpus) -> None:
    """``tasks = []`` is for raw text alone: a split of it holds documents, and nothing that a model could be asked for."""
    card = corpus.card
    gold = {"mentions", "relations", "labels", "questions"}
    counted = [gold & set(counts) for splits in card.counts.values() for counts in splits.values()]
    if card.tasks:
        assert card.task() == card.tasks[0] and any(counted)
        return
    assert not any(counted) and not card.ship and not card.held_out
    with pytest.raises(CorpusError, match=f"'{card.name}' has no gold: it is raw text"):
        card.task()


def test_types_are_canonical(corpus: Corpus) -> None:
    card = corpus.card
    assert set(card.entity_types) <= set(CANONICAL_TYPES)
    assert set(card.exhaustive) <= set(card.entity_types)
    assert {end for pair in card.argument_types for end in pair} <= set(CANONICAL_TYPES)
    if "relation" in card.tasks:
        assert card.relations
        assert set(card.evaluated_groups) <= set(card.groups.values())
    if "classification" in card.tasks:
        assert card.labels


def test_counts_name_what_the_card_has(corpus: Corpus) -> None:
    card = corpus.card
    assert set(card.counts) == set(card.protocols)
    for name, splits in card.counts.items():
        assert tuple(splits) == corpus.splits(name)
        for counts in splits.values():
            assert counts["documents"] > 0
            assert set(counts.get("mentions", ())) <= set(card.entity_types)
            assert set(counts.get("relations", ())) <= set(card.relations)


def test_published_numbers_are_ours_or_explained(corpus: Corpus) -> None:
    """Where a paper's count is not what the files hold, the card's defects give the paper's number."""
    explained = " ".join(corpus.card.defects)
    for protocol, splits in corpus.card.published.items():
        for split, published in splits.items() if protocol in corpus.card.counts else ():
            ours = corpus.card.counts[protocol].get(split)
            if ours is None:
                assert f"{split} set is missing" in explained
                continue
            wanted = {"documents": published["documents"], **published.get("mentions", {})}
            wanted |= {what: published[what] for what in ("abstracts", "paragraphs") if what in published}
            found = {**ours, **ours.get("mentions", {})}
            for what, number in wanted.items():
                assert found[what] == number or str(number) in explained.replace(",", "")


def test_counts_are_those_of_the_files(corpus: Corpus, corpus_data: Path) -> None:
    wrong = [count for count in compared(corpus) if not count.right]
    assert not wrong


def test_no_document_is_in_two_splits(corpus: Corpus, corpus_data: Path) -> None:
    """Except in a protocol that says it leaks; ADE's folds and the like are divided by one rule, tested elsewhere."""
    for protocol in corpus.card.protocols.values():
        if protocol.kind == "files" and not protocol.leaks and len(protocol.names) > 1:
            ids = [
                document.id for split in protocol.names for document in corpus.documents(split, protocol=protocol.name)
            ]
            assert len(set(ids)) == len(ids), protocol.name


def test_chemprot_groups_are_those_of_its_files(corpus_data: Path) -> None:
    chemprot = corpora.load("chemprot")
    for split in chemprot.splits():
        evaluated = set()
        for document in chemprot.documents(split):
            for relation in document.relations:
                group = relation.attributes["group"]
                assert chemprot.card.groups[relation.type] == group
                assert relation.attributes["evaluated"] == (group in chemprot.card.evaluated_groups)
                if relation.attributes["evaluated"]:
                    evaluated.add((document.id, group, relation.head, relation.tail))
        assert len(evaluated) == chemprot.card.published["official"][split]["evaluated"]


def test_relation_arguments_are_those_the_card_allows(corpus: Corpus, corpus_data: Path) -> None:
    if not corpus.card.relations:
        pytest.skip("relates nothing")
    allowed = {
        name: {*relation.arguments} | ({(t, h) for h, t in relation.arguments} if relation.symmetric else set())
        for name, relation in corpus.card.relations.items()
    }
    for document in corpus.documents("+".join(corpus.splits())):
        types: dict[str, set[str]] = {}
        for mention in document.mentions:
            for name in (mention.id, *mention.concepts):
                types.setdefault(name, set()).add(mention.type)
        for relation in document.relations:
            assert corpus.card.relations[relation.type].level == relation.level
            ends = [
                set().union(
                    *(types[part] for part in ([end] if end in types else end.split("|")))
                )  # "D1|D2": composite
                for end in (relation.head, relation.tail)
            ]
            pairs = {(head, tail) for head in ends[0] for tail in ends[1]}
            assert pairs & allowed[relation.type], (document.id, relation)


def test_split_hash_is_of_the_division(corpus_data: Path) -> None:
    ade = corpora.load("ade")
    assert re.fullmatch("[0-9a-f]{64}", ade.split_hash("rows"))
    assert ade.split_hash("rows") != ade.split_hash("clean") == ade.split_hash() == corpora.load("ade").split_hash()


# --------------------------------------------------------------------------------------------------- a card of your own


def test_own_card_finds_its_files_beside_it(mine: Path) -> None:
    corpus = corpora.load(str(mine))
    assert corpus.splits() == ("train", "dev")
    assert [document.id for document in corpus.documents("train")] == ["1", "2"]
    assert [document.id for document in corpus.documents("dev")] == ["3"]
    assert [document.id for document in corpus.documents("dev+train")] == ["3", "1", "2"]


def test_types_are_mapped_and_the_corpus_type_is_kept(mine: Path) -> None:
    corpus = corpora.load(mine)
    mention = next(corpus.documents("train")).mentions[0]
    assert (mention.type, mention.meta["corpus_type"], mention.text) == ("Chemical", "Drug", "Aspirin")
    raw = next(corpus.documents("train", canonical=False)).mentions[0]
    assert raw.type == "Drug" and "corpus_type" not in raw.meta


def test_a_type_the_card_does_not_know(mine: Path) -> None:
    changed = write_card(mine.parent, types='[types]\nMedicine = "Chemical"\n')
    with pytest.raises(
        CorpusError, match="document 1: entity type 'Drug' of mention '.*' is not in the card of 'mine'"
    ):
        list(corpora.load(changed).documents("train"))


@pytest.mark.parametrize("protocol", ["loose", "clean"])
def test_divided_protocols_cover_every_document_once(mine: Path, protocol: str) -> None:
    corpus = corpora.load(mine)
    ids = [document.id for split in cards.SPLITS for document in corpus.documents(split, protocol=protocol)]
    assert sorted(ids) == ["1", "2", "3"]
    assert corpus.split_hash(protocol) == corpora.load(mine).split_hash(protocol)


def test_unknown_names_offer_what_there_is(mine: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown corpus 'bc5cd': did you mean 'bc5cdr'"):
        corpora.load("bc5cd")
    corpus = corpora.load(mine)
    with pytest.raises(UnknownNameError, match=r"unknown split of 'mine' \(official\) 'test' \(known: dev, train\)"):
        corpus.documents("test")
    with pytest.raises(UnknownNameError, match="unknown split protocol of 'mine' 'ofical': did you mean 'official'"):
        corpus.documents("train", protocol="ofical")
    with pytest.raises(UnknownNameError, match="unknown file of 'mine' 'c.txt'"):
        corpus.path("c.txt")


def test_absent_file_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    with pytest.raises(CorpusError) as caught:
        corpora.load("bc5cdr").documents("test")  # at once, not when the first document is asked for
    message = str(caught.value)
    assert (
        "corpus 'bc5cdr' needs the file 'bc5cdr/CDR_TestSet.PubTator.txt.gz', which is not in " + str(tmp_path)
        in message
    )
    assert "set RELATOME_DATA" in message
    assert "https://github.com/cambridgeltl/bmip-2018, at commit 0b66ee924565" in message
    assert "file 'BC5-CDR/original-data/CDR_TestSet.PubTator.txt', compressed with 'gzip -9n'" in message


def test_files_beside_those_read_are_verified_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match="needs the file '.*_entities.tsv'"):
        corpora.load("chemprot").documents("test")


def test_wrong_checksum_shows_both(mine: Path) -> None:
    corpus = corpora.load(mine)
    expected = corpus.card.files["b.txt"].sha256
    assert len(list(corpus.documents("train"))) == 2
    with (mine.parent / "b.txt").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    found = hashlib.sha256((mine.parent / "b.txt").read_bytes()).hexdigest()
    with pytest.raises(CorpusError) as caught:
        corpus.documents("train")
    assert "this is not the file that card 'mine' version 1 describes" in str(caught.value)
    assert f"its sha256 is {found}, expected {expected}" in str(caught.value)
    assert str(caught.value).startswith(str(mine.parent / "b.txt"))


def test_a_file_from_elsewhere_names_its_own_repository(mine: Path) -> None:
    own = 'repository = "https://github.com/other/one", commit = "fedcba9876543210", source = "x/b.txt"'
    mine.write_text(mine.read_text(encoding="utf-8").replace('source = "x/b.txt"', own), encoding="utf-8")
    card = corpora.load(mine).card
    assert card.repository_of(card.files["a.txt"]) == ("https://example.org/mine", "0123456789abcdef")
    assert card.repository_of(card.files["b.txt"]) == ("https://github.com/other/one", "fedcba9876543210")
    (mine.parent / "b.txt").unlink()
    with pytest.raises(CorpusError, match="from https://github.com/other/one, at commit fedcba987654, file 'x/b.txt'"):
        corpora.load(mine).documents("train")


def test_abstracts_and_paragraphs_are_counted_where_the_card_says(mine: Path) -> None:
    counts = (
        "[counts.official]\ntrain = { documents = 2, mentions = { Chemical = 2 }, abstracts = 3, paragraphs = 0 }\n"
    )
    mine.write_text(mine.read_text(encoding="utf-8") + counts, encoding="utf-8")
    found = {
        count.what: (count.found, count.card, count.right)
        for count in compared(corpora.load(mine))
        if (count.protocol, count.split) == ("official", "train")
    }
    assert found["abstracts"] == (2, 3, False)
    assert found["paragraphs"] == (0, 0, True)


def test_a_file_is_hashed_once(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpora.load(mine)
    corpus.path("a.txt")
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    corpus.path("a.txt")


def test_a_whole_folder_can_be_what_is_read(mine: Path) -> None:
    (mine.parent / "in" / "deep").mkdir(parents=True)
    (mine.parent / "a.txt").rename(mine.parent / "in" / "deep" / "a.txt")
    (mine.parent / "b.txt").rename(mine.parent / "in" / "b.txt")
    old = mine.read_text(encoding="utf-8")
    card = old.replace('"a.txt"', '"in/deep/a.txt"').replace('"b.txt"', '"in/b.txt"').replace('["in/b.txt"]', '["in"]')
    mine.write_text(card, encoding="utf-8")
    corpus = corpora.load(mine)
    split = corpus.protocol().splits[1]
    assert corpus._paths(split) == [mine.parent / "in"]


def test_a_document_twice_is_an_error_unless_the_card_knows(mine: Path) -> None:
    both = '[protocols.official]\nkind = "files"\n[protocols.official.splits]\ntrain = { read = ["a.txt", "a.txt"] }\n'
    corpus = corpora.load(write_card(mine.parent, protocols=both))
    with pytest.raises(CorpusError, match="a.txt: document 1: the id is in the files of 'mine' twice .*'repeated'"):
        list(corpus.documents("train"))
    card = mine.read_text(encoding="utf-8")
    mine.write_text('repeated = ["1"]\n' + card, encoding="utf-8")
    assert len(list(corpora.load(mine).documents("train"))) == 1


def test_offsets_that_do_not_fit_are_repaired_only_where_the_card_says(mine: Path) -> None:
    (mine.parent / "a.txt").write_text("1|t|Aspirin and bleeding\n1|a|\n1\t0\t7\tASPIRIN\tDrug\tD1\n", encoding="utf-8")
    with pytest.raises(OffsetError, match="should be 'ASPIRIN', but the text there is 'Aspirin'"):
        list(corpora.load(write_card(mine.parent)).documents("train"))
    card = mine.read_text(encoding="utf-8")
    mine.write_text('repaired = ["2"]\n' + card, encoding="utf-8")
    with pytest.raises(OffsetError, match="document 1: "):
        list(corpora.load(mine).documents("train"))
    mine.write_text('repaired = ["1"]\n' + card, encoding="utf-8")
    assert next(corpora.load(mine).documents("train")).mentions[0].text == "Aspirin"


def test_versions_of_a_document_are_all_taken(mine: Path) -> None:
    both = '[protocols.official]\nkind = "files"\n[protocols.official.splits]\ntrain = { read = ["a.txt", "a.txt", "a.txt"] }\n'
    card = write_card(mine.parent, protocols=both).read_text(encoding="utf-8")
    mine.write_text('versions = ["1"]\n' + card, encoding="utf-8")
    assert [document.id for document in corpora.load(mine).documents("train")] == ["1", "1-2", "1-3"]


def test_a_split_can_be_a_folder_of_an_archive(mine: Path) -> None:
    for folder, text in (("train", "Aspirin helps."), ("test", "Lithium too.")):
        (mine.parent / "in" / folder).mkdir(parents=True)
        (mine.parent / "in" / folder / "7.txt").write_text(text, encoding="utf-8")
        (mine.parent / "in" / folder / "7.ann").write_text(f"T1\tDrug 0 7\t{text[:7]}\n", encoding="utf-8")
    with tarfile.open(mine.parent / "all.tar", "w") as archive:
        archive.add(mine.parent / "in", arcname="in")
    digest = hashlib.sha256((mine.parent / "all.tar").read_bytes()).hexdigest()
    splits = "".join(f'{name} = {{ read = ["all.tar"], folder = "in/{name}" }}\n' for name in ("train", "test"))
    write_card(
        mine.parent,
        protocols=f'[protocols.official]\nkind = "files"\n[protocols.official.splits]\n{splits}',
        files=f'[files]\n"all.tar" = {{ sha256 = "{digest}", source = "in/" }}\n',
    )
    mine.write_text(mine.read_text(encoding="utf-8").replace('"pubtator"', '"brat"'), encoding="utf-8")
    corpus = corpora.load(mine)
    assert [document.text for document in corpus.documents("train")] == ["Aspirin helps."]
    assert [document.text for document in corpus.documents("test")] == ["Lithium too."]


def test_counts_show_what_a_card_does_not_say(mine: Path) -> None:
    counts = "[counts.official]\ntrain = { documents = 3, mentions = { Chemical = 2 }, sentences = 0 }\n"
    mine.write_text(mine.read_text(encoding="utf-8") + counts, encoding="utf-8")
    found = {
        (count.split, count.what): (count.found, count.card, count.right)
        for count in compared(corpora.load(mine))
        if count.protocol == "official"
    }
    assert found == {
        ("train", "documents"): (2, 3, False),
        ("train", "mentions Chemical"): (2, 2, True),
        ("train", "sentences"): (0, 0, True),
        ("dev", "documents"): (1, None, False),
        ("dev", "mentions Chemical"): (1, None, False),
    }


def test_listed_documents_must_be_there(mine: Path) -> None:
    protocols = (
        '[protocols.official]\nkind = "files"\n[protocols.official.splits]\n'
        'train = { read = ["a.txt"], ids = ["1", "77"] }\n'
    )
    corpus = corpora.load(write_card(mine.parent, protocols=protocols))
    with pytest.raises(
        CorpusError, match="1 documents that card 'mine' lists for split 'train' are not in its files: 77"
    ):
        list(corpus.documents("train"))


def test_label_outside_the_card(mine: Path) -> None:
    protocols = (
        '[protocols.official]\nkind = "rows"\nread = ["a.txt"]\nlabel = "good"\n[labels.good]\nvalues = ["y", "n"]\n'
    )
    corpus = corpora.load(write_card(mine.parent, protocols=protocols))
    with pytest.raises(CorpusError, match="document 1: label 'good' is None, expected one of y, n"):
        list(corpus.documents("train"))


def test_data_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    assert corpora.data_folder() == tmp_path
    monkeypatch.delenv("RELATOME_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert corpora.data_folder() == tmp_path / "relatome" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert corpora.data_folder() == Path.home() / ".cache" / "relatome" / "data"


# ----------------------------------------------------------------------------------------------- mistakes in a card


def test_all_mistakes_at_once(mine: Path) -> None:
    text = mine.read_text(encoding="utf-8")
    text = text.replace('title = "Mine"', 'titel = "Mine"').replace("ship = false", 'ship = "no"')
    text = text.replace('unit = "abstract"', 'unit = "abstrakt"').replace('tasks = ["ner"]', 'tasks = ["ner", "nre"]')
    text = re.sub('sha256 = "[0-9a-f]{4}', 'sha256 = "XY', text, count=1).replace('licence = "CC0"', 'licence = " "')
    mine.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        corpora.load(mine)
    problems = "\n".join(caught.value.problems)
    assert str(caught.value).startswith(f"{mine}: 7 mistakes: ")
    assert len(caught.value.problems) == 7
    for expected in (
        "unknown key 'titel': did you mean 'title'?",
        "'title' is missing",
        "'ship' should be true or false, not 'no'",
        f"'unit' should be one of {', '.join(cards.UNITS)}, not 'abstrakt': did you mean 'abstract'?",
        f"'tasks' should be among {', '.join(cards.TASKS)}, not 'nre': did you mean 'ner'?",
        "'licence' is empty",
        "files.a.txt.sha256 should be 64 lower-case hex digits, not 'XY",
    ):
        assert expected in problems


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('reader = "pubtator"', 'reader = "pubtatr"', "reader 'pubtatr' is no format of relatome.formats"),
        ('reader = "pubtator"', 'reader = "os.path"', "reader 'os.path' is no format"),
        ('name = "mine"', 'name = "My corpus"', "name 'My corpus' should be lower-case letters"),
        (
            'protocol = "official"',
            'protocol = "ofical"',
            "protocol 'ofical' is none of: official, loose, clean: did you",
        ),
        ('exhaustive = ["Chemical"]', 'exhaustive = ["Gene"]', "exhaustive 'Gene' is none of: Chemical"),
        ('tasks = ["ner"]\n', "", "'tasks' is missing"),
        ('tasks = ["ner"]', "tasks = []", "'tasks' is empty, which is for raw text, but the card has types"),
        ('source = "x/a.txt"', 'repository = "https://x.org"', "files.a.txt.repository needs a commit"),
        ('source = "x/a.txt"', 'commit = "01234567"', "files.a.txt.commit needs a repository"),
        ('"a.txt" = {', '"../a.txt" = {', "files.'../a.txt' leaves the data folder"),
        ('"a.txt" = {', '"/a.txt" = {', "files.'/a.txt' leaves the data folder"),
        ('without = ["dev"]', 'without = ["devel"]', "without: 'devel' is none of: train, dev: did you mean 'dev'?"),
        ('read = ["b.txt"]', 'read = ["c.txt"]', "protocols.official: file 'c.txt' is none of: a.txt, b.txt"),
        ('ids = ["3"]', "ids = [3]", "'protocols.official.splits.dev.ids' should be a list of texts, not [3]"),
        ('ids = ["3"]', 'id = ["3"]', "unknown key 'protocols.official.splits.dev.id': did you mean 'ids'?"),
        ('kind = "clean"', 'kind = "rows"', "protocols.clean: kind 'rows' needs a 'label'"),
        (
            'kind = "clean"',
            'kind = "cleen"',
            "'protocols.clean.kind' should be one of files, rows, clean, strict, by_document, folds",
        ),
        ('kind = "clean"', 'kind = "clean"\nshares = [0.5, 0.5]', "shares should be three numbers that add up to 1"),
        ('kind = "clean"', 'kind = "clean"\nseed = "x"', "'protocols.clean.seed' should be a whole number, not 'x'"),
        ('kind = "clean"', 'kind = "clean"\nlabel = "x"', "protocols.clean.label 'x' is none of: (there are none)"),
        ("[types]", "[relations.R]\nlevel = 'mention'\n[types]", "arguments should be a list of [head, tail] pairs"),
        (
            "[types]",
            "[relations.R]\nlevel = 'mention'\narguments = [['Chemical', 'Gene']]\n[types]",
            "relations.R.arguments: 'Gene' is none of: Chemical",
        ),
        ("[types]", "[labels.L]\nvalues = ['a']\npositive = 'b'\n[types]", "positive 'b' is none of its values"),
        ('Drug = "Chemical"', "Drug = 1", "'types.Drug' should be text, not 1"),
        ("[types]", "[labels]\nL = 'a'\n[types]", "'labels.L' should be a table, not 'a'"),
        ("ship = false", "ship = false\nevaluated_groups = ['G']", "evaluated_groups: 'G' is none of"),
        ('tasks = ["ner"]', "tasks = []", "'tasks' is empty"),
        ("[types]", "[labels.L]\nscale = [4, 0]\n[types]", "scale should be two numbers, the lesser first, not [4, 0]"),
        ("[types]", "[labels.L]\nscale = [0, 4]\nvalues = ['a']\n[types]", "unknown key 'labels.L.values'"),
        ("[types]", "[labels.L]\nvalues = ['a']\nmultiple = 1\n[types]", "multiple' should be true or false, not 1"),
        ('source = "x/a.txt"', 'content = "00"', "files.a.txt.content should be 64 lower-case hex digits, not '00'"),
        ('source = "x/a.txt"', f'content = "{"0" * 64}"', "files.a.txt.content is for files that end in .gz"),
        ('source = "x/a.txt"', "members = -1", "members should be how many files the folder has, not -1"),
        ("ship = false", 'ship = false\nheld_out = "no"', "'held_out' should be true or false, not 'no'"),
    ],
)
def test_each_mistake_has_its_message(mine: Path, old: str, new: str, message: str) -> None:
    text = mine.read_text(encoding="utf-8")
    assert old in text
    mine.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        corpora.load(mine)
    assert message in str(caught.value)


def test_a_card_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none.toml: the card cannot be read: No such file"):
        corpora.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = \n", encoding="utf-8")
    with pytest.raises(CorpusError, match="bad.toml: the card is not TOML: Invalid value"):
        corpora.load(tmp_path / "bad.toml")
    (tmp_path / "bad.toml").write_bytes(b"name = '\xff'\n")
    with pytest.raises(CorpusError, match="bad.toml: the card is not UTF-8 text"):
        corpora.load(tmp_path / "bad.toml")

"""The readers against the real corpora: the counts are those of the corpus papers, or differ for a reason given here."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from relatome import formats
from relatome.documents import Document
from relatome.errors import InputError
from relatome.formats import chemprot, iob, pubtator


def found(folder: Path, name: str) -> Path:
    """A corpus file, which may have been packed."""
    return next(path for path in (folder / name, folder / f"{name}.gz") if path.is_file())


def types(documents: list[Document]) -> dict[str, int]:
    return dict(Counter(mention.type for document in documents for mention in document.mentions))


def relations(documents: list[Document]) -> int:
    return sum(len(document.relations) for document in documents)


def said(document: Document) -> tuple[Any, ...]:
    """What a document says, whatever the format it was read from."""
    return (
        document.id,
        document.text,
        [(mention.start, mention.end, mention.type, mention.text, mention.concepts) for mention in document.mentions],
        [(r.type, r.head, r.tail, r.level, dict(r.attributes)) for r in document.relations],
        [(passage.start, passage.end) for passage in document.passages],
    )


@pytest.mark.parametrize(
    ("split", "chemical", "disease", "induced"),
    [("Training", 5203, 4182, 1038), ("Development", 5347, 4244, 1012), ("Test", 5385, 4424, 1066)],
)
def test_bc5cdr(split: str, chemical: int, disease: int, induced: int, corpus_data: Path) -> None:
    path = found(corpus_data / "bc5cdr", f"CDR_{split}Set.PubTator.txt")
    documents = list(formats.read(path))
    assert len(documents) == len({document.id for document in documents}) == 500
    assert types(documents) == {"Chemical": chemical, "Disease": disease}
    assert relations(documents) == induced
    stream = io.StringIO()
    pubtator.write(documents, stream)
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert stream.getvalue().strip() == raw.decode().strip()


# More than in PubTator: the parts of composite mentions are annotations of their own. Of those parts, 3 in train and
# 1 in dev stand one or two characters from their text; lenient reading leaves them out and says so.
@pytest.mark.parametrize(
    ("split", "annotations", "misfits"), [("Training", 9570, 3), ("Development", 9773, 1), ("Test", 9928, 0)]
)
def test_bc5cdr_bioc(split: str, annotations: int, misfits: int, corpus_data: Path) -> None:
    from relatome.formats import bioc

    path = found(corpus_data / "bc5cdr", f"CDR_{split}Set.BioC.xml")
    repairs: list[InputError] = []
    documents = list(bioc.read(path, on_repair=repairs.append))
    assert (len(documents), len(repairs)) == (500, misfits)
    assert sum(types(documents).values()) + misfits == annotations
    plain = {d.id: said(d) for d in formats.read(found(corpus_data / "bc5cdr", f"CDR_{split}Set.PubTator.txt"))}
    for document in documents:
        assert document.text == plain[document.id][1]
        pairs = {(relation.head, relation.tail) for relation in document.relations}
        assert pairs == {(head, tail) for _, head, tail, _, _ in plain[document.id][3]}


@pytest.mark.parametrize(
    ("split", "documents", "mentions", "pairs"), [("Train", 400, 13351, 4178), ("Dev", 100, 3533, 1162)]
)
def test_biored_says_the_same_in_three_formats(
    split: str, documents: int, mentions: int, pairs: int, corpus_data: Path
) -> None:
    read = {
        name: [said(document) for document in formats.read(found(corpus_data / "biored", f"{split}.{name}"))]
        for name in ("PubTator", "BioC.XML", "BioC.JSON")
    }
    assert read["PubTator"] == read["BioC.XML"] == read["BioC.JSON"]
    assert len(read["PubTator"]) == documents
    assert sum(len(document[2]) for document in read["PubTator"]) == mentions
    assert sum(len(document[3]) for document in read["PubTator"]) == pairs


def test_ncbi_disease(corpus_data: Path) -> None:
    folder = corpus_data / "aioner_pubtator"
    test = list(formats.read(found(folder, "NCBIdisease_Test.PubTator")))
    assert (len(test), sum(types(test).values())) == (100, 960)
    # One mention of 10923035 has blanks where its text has quotation marks.
    rejects: list[InputError] = []
    train = list(formats.read(found(folder, "NCBIdisease_TrainDev.PubTator"), on_reject=rejects.append))
    assert [problem.document for problem in rejects] == ["10923035"]
    assert rejects[0].line == 3248
    repairs: list[InputError] = []
    train = list(pubtator.read(found(folder, "NCBIdisease_TrainDev.PubTator"), on_repair=repairs.append))
    assert len(repairs) == 1
    # One abstract stands twice in the original.
    assert (len(train), len({document.id for document in train})) == (693, 692)
    assert sum(types(train).values()) == 5932


@pytest.mark.parametrize(
    ("name", "documents", "misfits"),
    [
        ("GNormPlus_Train", 432, 35),
        ("GNormPlus_Test", 262, 4),
        ("NLMgene_Train", 450, 11),
        ("tmVar3_Train", 342, 21),
        ("tmVar3_Test", 158, 0),
        ("SPECIES_Train", 639, 0),
        ("SPECIES_Test", 160, 0),
        ("DrugProt_Test", 750, 0),
    ],
)
def test_misfits_of_the_public_releases_are_counted(name: str, documents: int, misfits: int, corpus_data: Path) -> None:
    repairs: list[InputError] = []
    path = found(corpus_data / "aioner_pubtator", f"{name}.PubTator")
    assert len(list(pubtator.read(path, on_repair=repairs.append))) == documents
    assert len(repairs) == misfits


@pytest.mark.parametrize(
    ("split", "documents", "chemical", "gene", "evaluated", "every"),
    [
        ("training", 1020, 13017, 12735, 4157, 6437),
        ("development", 612, 8004, 7563, 2416, 3558),
        ("test_gs", 800, 10810, 10018, 3458, 5744),
        ("sample", 50, 683, 606, 239, 339),
    ],
)
def test_chemprot(
    split: str, documents: int, chemical: int, gene: int, evaluated: int, every: int, corpus_data: Path
) -> None:
    folder = corpus_data / "chemprot" / f"chemprot_{split}"
    read = list(formats.read(found(folder, f"chemprot_{split}_abstracts.tsv")))
    counts = types(read)
    assert (len(read), counts["CHEMICAL"], counts["GENE-Y"] + counts["GENE-N"]) == (documents, chemical, gene)
    assert relations(read) == every
    stream = io.StringIO()
    assert chemprot.write(read, stream) == evaluated
    gold = found(folder, f"chemprot_{split}_gold_standard.tsv").read_text()
    assert sorted(stream.getvalue().splitlines()) == sorted(gold.splitlines())
    if split != "sample":  # the sample has predictions beside it, which are no documents
        assert [document.id for document in formats.read(folder)] == [document.id for document in read]


def test_ade(corpus_data: Path) -> None:
    folder = corpus_data / "ade_corpus_v2"
    positive = list(formats.read(found(folder, "DRUG-AE.rel")))
    assert (len(positive), relations(positive), types(positive)) == (6821, 6821, {"Drug": 6821, "Effect": 6821})
    assert len({document.text for document in positive}) == 4271
    assert len({document.meta["pmid"] for document in positive}) == 1644
    decided = Counter(document.mentions[0].meta.get("decided_by") for document in positive)
    # The distance between the two offsets fits in every row, and decides all but six of the doubtful ones.
    assert decided == {None: 6141, "distance": 674, "first of equals": 6}
    negative = list(formats.read(found(folder, "ADE-NEG.txt")))
    assert (len(negative), len({document.text for document in negative})) == (16695, 16625)
    assert len(list(formats.read(found(folder, "DRUG-DOSE.rel")))) == 279


@pytest.mark.parametrize(
    ("name", "documents", "sentences", "mentions", "scheme"),
    [
        ("biobert_ner/NCBI-disease/train.tsv", 5424, 5424, 5134, None),
        ("biobert_ner/NCBI-disease/devel.tsv", 923, 923, 787, None),
        ("biobert_ner/NCBI-disease/test.tsv", 940, 940, 960, None),
        ("biobert_ner/BC5CDR-chem/test.tsv", 4797, 4797, 5385, None),
        ("biobert_ner/BC5CDR-disease/test.tsv", 4797, 4797, 4424, None),
        ("biobert_ner/s800/test.tsv", 1630, 1630, 767, None),
        ("mtl_ner/BC5CDR-IOB/test.tsv", 4797, 4797, 9809, None),
        ("blurb/JNLPBA/test.tsv", 404, 3856, 8662, None),
        ("jnlpba/Genia4EReval1.iob2", 3856, 3856, 8662, None),
        ("scibert/ner/bc5cdr/test.txt", 500, 4139, 9662, "IOB1"),
    ],
)
def test_iob(name: str, documents: int, sentences: int, mentions: int, scheme: str | None, corpus_data: Path) -> None:
    path = found((corpus_data / name).parent, Path(name).name)
    assert formats.guess(path) == "iob"
    read = list(iob.read(path))
    assert (len(read), sum(len(document.sentences) for document in read)) == (documents, sentences)
    assert sum(types(read).values()) == mentions
    if scheme:
        assert scheme in {document.meta.get("scheme") for document in read}


@pytest.mark.parametrize(
    ("name", "articles", "abstracts", "with_references", "references"),
    [("pubmedsample18n0001.xml", 177, 112, 19, 509), ("medsamp2010.xml", 146, 93, 7, 144)],
)
def test_pubmed(
    name: str, articles: int, abstracts: int, with_references: int, references: int, corpus_data: Path
) -> None:
    read = list(formats.read(found(corpus_data / "pubmed_xml", name)))
    assert len(read) == articles
    assert sum(any(passage.kind == "abstract" for passage in document.passages) for document in read) == abstracts
    cited = [document.meta["references"] for document in read if "references" in document.meta]
    assert (len(cited), sum(map(len, cited))) == (with_references, references)


@pytest.mark.parametrize(("name", "documents", "annotations"), [("batch_0.xml", 100, 2493), ("batch_1.xml", 32, 6784)])
def test_pubtator_central_comes_back_as_xml_and_json(
    name: str, documents: int, annotations: int, corpus_data: Path, tmp_path: Path
) -> None:
    read = list(formats.read(found(corpus_data / "pubtator" / "central", name)))
    assert (len(read), sum(types(read).values())) == (documents, annotations)
    for written in (tmp_path / "again.xml", tmp_path / "again.json.gz"):
        formats.write(read, written, "bioc")
        assert list(formats.read(written)) == read

"""How fast formats are read, against an independent library for each: the same files, side by side, in one run.

    RELATOME_DATA=... python benchmarks/formats.py [NAME...]       # a table
    RELATOME_DATA=... python benchmarks/formats.py --json          # {"rows": [{"name": ..., "ratio": ...}, ...]}

Before anything is timed, both read the files, and the fields that they give of every document are compared: a row whose
fields differ is an error. Then they read all files in turns, field by field as for the comparison, and of several rounds
the best counts, by the processor's time: what a busy machine adds is no property of the code. Memory is what a process of
its own holds at its peak above what it held before it read. ``--made-up`` times invented documents in place of corpora.

A row is a ``Row`` in ``ROWS``: a name, what puts its files into a folder, and who reads them, ours first.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

Fields = tuple[Any, ...]
Reader = Callable[[Path], Iterator[Fields]]

ROUNDS = 7


@dataclass(frozen=True)
class Row:
    """Files of one kind, and who reads them: ours, and the others by name."""

    files: Callable[[Path, bool], list[Path]]
    """Puts the files into a folder; told whether they are to be made up."""
    ours: Reader
    others: dict[str, Reader]
    said: dict[str, Callable[[Any], Fields]] = field(default_factory=dict)
    """By reader, what a record of its own says, where it does not give the fields themselves."""


# ------------------------------------------------------------------------------------------------------------- BioC


def bioc_ours(path: Path) -> Iterator[Fields]:
    """Id, text, passages, mentions with concepts, and relations."""
    from relatome.formats import bioc

    passage = attrgetter("kind", "start", "end")
    mention = attrgetter("start", "end", "type", "text", "concepts")
    relation = attrgetter("type", "head", "tail")
    for document in bioc.read(path):
        yield (
            document.id,
            document.text,
            list(map(passage, document.passages)),
            list(map(mention, document.mentions)),
            list(map(relation, document.relations)),
        )


def bioc_load(path: Path) -> Iterator[Fields]:
    """The same fields of what ``bioc`` loads."""
    from bioc import biocxml

    with path.open("rb") as stream:
        for document in biocxml.load(stream).documents:
            yield _bioc_fields(document)


def bioc_documents(path: Path) -> Iterator[Fields]:
    """The same fields, of ``bioc``'s reader of one document after another."""
    from bioc import biocxml

    for document in biocxml.BioCXMLDocumentReader(str(path)):
        yield _bioc_fields(document)


def bioc_json(path: Path) -> Iterator[Fields]:
    """The same fields, of what ``bioc`` loads from JSON."""
    from bioc import biocjson

    with path.open(encoding="utf-8") as stream:
        for document in biocjson.load(stream).documents:
            yield _bioc_fields(document)


def _bioc_fields(document: Any) -> Fields:
    from relatome.formats.pubtator import concepts_of  # what separates two identifiers, both must agree on

    text = ""
    passages = []
    mentions = []
    for passage in document.passages:
        text += " " * (passage.offset - len(text)) + (passage.text or "")
        passages.append((passage.infons.get("type", ""), passage.offset, len(text)))
        for annotation in passage.annotations:
            infons = annotation.infons
            start, end, words = annotation.locations[0].offset, annotation.locations[0].end, annotation.text
            if len(annotation.locations) > 1:  # of these some files say the words, some all from the first to the last
                ranges = sorted((location.offset, location.end) for location in annotation.locations)
                start, end = ranges[0][0], max(end for _, end in ranges)
                words = " ".join(text[one:other] for one, other in ranges)
            key = next((key for key in ("identifier", "MESH", "OMIM") if key in infons), None)
            concepts = concepts_of(infons[key] or "") if key else ()
            mentions.append((start, end, infons.get("type", ""), words, concepts))
    relations = []
    for relation in document.relations:
        infons = relation.infons
        if "entity1" in infons:
            relations.append((infons["type"], infons["entity1"], infons["entity2"]))
        else:
            relations.append((infons["relation"], infons["Chemical"], infons["Disease"]))
    return document.id, text, passages, mentions, relations


def bioc_files(folder: Path, made_up: bool) -> list[Path]:
    """BC5CDR's test set, BioRED's train and dev, and what PubTator Central sent; or 600 made-up abstracts."""
    if made_up:
        return [_made_up(folder, "bioc", ".xml")]
    return _unpacked(
        folder,
        "bc5cdr/CDR_TestSet.BioC.xml",
        "biored/Train.BioC.XML",
        "biored/Dev.BioC.XML",
        "pubtator/central/batch_0.xml",
        "pubtator/central/batch_1.xml",
    )


def bioc_json_files(folder: Path, made_up: bool) -> list[Path]:
    """The same documents, written as JSON with all the keys that ``bioc`` asks for."""
    from relatome.formats import bioc

    if made_up:
        return [_made_up(folder, "bioc", ".json")]
    (folder / "xml").mkdir()
    paths = []
    for path in bioc_files(folder / "xml", False):
        paths.append(folder / f"{path.name}.json")
        bioc.write(bioc.read(path), paths[-1])
    return paths


# --------------------------------------------------------------------------------------------------------- PubTator


def pubtator_ours(path: Path) -> Iterator[Fields]:
    """Id, title and abstract, mentions and relations; without the blanks at a line's end, which ``bioc`` takes off."""
    from relatome.formats import pubtator

    for document in pubtator.read(path):
        title, *abstract = document.passages
        yield (
            document.id,
            document.text[: title.end].rstrip(),
            document.text[abstract[0].start :].rstrip() if abstract else None,
            [(mention.start, mention.end, mention.text, mention.type) for mention in document.mentions],
            [(relation.type, relation.head, relation.tail) for relation in document.relations],
        )


def pubtator_load(path: Path) -> Iterator[Fields]:
    """The same fields of what ``bioc.pubtator`` loads."""
    from bioc import pubtator

    with path.open(encoding="utf-8") as stream:
        for document in pubtator.load(stream):
            yield (
                document.pmid,
                document.title,
                document.abstract,
                [(each.start, each.end, each.text, each.type) for each in document.annotations],
                [(each.type, each.id1, each.id2) for each in document.relations],
            )


def pubtator_files(folder: Path, made_up: bool) -> list[Path]:
    """BC5CDR's test set and BioRED's train and dev; or 600 made-up abstracts."""
    if made_up:
        return [_made_up(folder, "pubtator", "")]
    return _unpacked(folder, "bc5cdr/CDR_TestSet.PubTator.txt", "biored/Train.PubTator", "biored/Dev.PubTator")


# ----------------------------------------------------------------------------------------------------------- PubMed
# Timed is what each of them makes of a file: documents, and dictionaries of strings. Neither is made into the other's
# while the clock runs. ``tests/test_formats_pubmed_parser.py`` says what is not compared here, and why.


def pubmed_ours(path: Path) -> Iterator[Any]:
    """Documents, with all that ``pubmed_parser`` finds, and more."""
    from relatome.formats import pubmed

    return pubmed.read(path)


def pubmed_parser(path: Path) -> Iterator[Any]:
    """Dictionaries, with the options by which they hold what ours do: whole dates, qualifiers, authors one by one."""
    import pubmed_parser

    found: Iterator[Any] = pubmed_parser.parse_medline_xml(
        str(path), year_info_only=False, parse_downto_mesh_subterms=True, author_list=True
    )
    return found


def pubmed_said(document: Any) -> Fields:
    """What a document says in the words of ``pubmed_parser``."""
    meta = document.meta
    title, abstract = "", []
    for passage in document.passages:
        text = document.text[passage.start : passage.end]
        if passage.kind == "title":
            title = text
        elif "type" not in passage.meta:  # a part of OtherAbstract, which pubmed_parser does not read
            abstract.append((passage.heading, text))
    lines = [text for _, text in abstract]
    if len(abstract) > 1:
        lines = []
        for heading, text in abstract:
            lines += [text] if heading == "UNASSIGNED" else ["\n", heading, text]
    date, volume = meta.get("date", ""), meta.get("volume", "")
    headings = []
    for heading in meta.get("mesh", ()):
        terms = [f"{heading['id']}:{heading['name']}"]
        for qualifier in heading.get("qualifiers", ()):
            terms.append(f"{qualifier['id']}:{qualifier['name']}" + "*" * qualifier["major"])
        headings.append(" / ".join(terms))
    return (
        document.id,
        title,
        "\n".join(lines).strip(),
        meta.get("journal", ""),
        date if re.fullmatch(r"\d{4}(-\d\d){0,2}", date) else str(meta.get("year", "")),
        "; ".join(headings),
        "; ".join(f"{kind['id']}:{kind['name']}" for kind in meta.get("publication_types", ())),
        "; ".join(f"{chemical['id']}:{chemical['name']}" for chemical in meta.get("chemicals", ())),
        "; ".join(meta.get("keywords", ())),
        ";".join(meta.get("languages", ())),
        meta.get("vernacular_title", ""),
        f"{volume}({meta.get('issue', '')})" if volume else "",
        meta.get("pages", ""),
        [
            [author.get(name, "") for name in ("last", "fore", "initials")]
            + [author.get(name, [""])[0] for name in ("ids", "affiliations")]
            for author in meta.get("authors", ())
        ],
        [meta.get(name, "") for name in ("journal_abbreviation", "nlm_id", "issn", "country")],
        "; ".join(meta.get("other_ids", ())),
        [[grant.get(name, "") for name in ("id", "acronym", "country", "agency")] for grant in meta.get("grants", ())],
    )


def pubmed_parser_said(record: Any) -> Fields:
    """The same fields of a dictionary."""
    plain = "pmid title abstract journal pubdate mesh_terms publication_types chemical_list keywords languages"
    return (
        *(record[name] for name in (*plain.split(), "vernacular_title", "issue", "pages")),
        [
            [author[name] for name in ("lastname", "forename", "initials", "identifier", "affiliation")]
            for author in record["authors"]
        ],
        [record[name] for name in ("medline_ta", "nlm_unique_id", "issn_linking", "country")],
        record["other_id"],
        [[grant[name] for name in ("grant_id", "grant_acronym", "country", "agency")] for grant in record["grant_ids"]],
    )


def pubmed_files(folder: Path, made_up: bool) -> list[Path]:
    """NLM's sample of 2018, its articles ten times over, as gzip, which is all that ``pubmed_parser`` reads."""
    if made_up:
        return [_made_up_articles(folder)]
    (sample,) = _unpacked(folder, "pubmed_xml/pubmedsample18n0001.xml")
    start, end = sample.read_bytes().split(b"<PubmedArticleSet>", 1)[0], b"</PubmedArticleSet>"
    articles = sample.read_bytes()[len(start) + len(b"<PubmedArticleSet>") :].rpartition(end)[0]
    path = folder / "pubmedsample18n0001_x10.xml.gz"
    path.write_bytes(gzip.compress(start + b"<PubmedArticleSet>" + articles * 10 + end, 6))
    return [path]


def _made_up_articles(folder: Path) -> Path:
    """Invented articles with ten authors and ten headings each, laid out as NLM lays out its files."""
    chance = random.Random(0)
    author = "<Author ValidYN='Y'>\n<LastName>First{0}</LastName>\n<ForeName>A</ForeName>\n<Initials>A</Initials>\n</Author>\n"
    heading = (
        "<MeshHeading>\n<DescriptorName UI='D{0}' MajorTopicYN='N'>Kidney {0}</DescriptorName>\n"
        "<QualifierName UI='Q{0}' MajorTopicYN='Y'>drug effects</QualifierName>\n</MeshHeading>\n"
    )
    path = folder / "made-up.xml.gz"
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.write("<?xml version='1.0' encoding='utf-8'?>\n<PubmedArticleSet>\n")
        for number in range(int(os.environ.get("RELATOME_MADE_UP", "600"))):
            words = " ".join(chance.choice(["velorazine", "nephritis", "KRNX2"]) for _ in range(200))
            stream.write(
                f"<PubmedArticle>\n<MedlineCitation>\n<PMID Version='1'>{9000000 + number}</PMID>\n"
                "<DateRevised>\n<Year>2031</Year>\n<Month>01</Month>\n<Day>02</Day>\n</DateRevised>\n<Article>\n<Journal>\n"
                "<JournalIssue>\n<Volume>7</Volume>\n<PubDate>\n<Year>2031</Year>\n<Month>Apr</Month>\n</PubDate>\n</JournalIssue>\n"
                f"<Title>Annals</Title>\n</Journal>\n<ArticleTitle>Velorazine <i>{number}</i></ArticleTitle>\n"
                f"<Abstract>\n<AbstractText Label='AIM'>{words}</AbstractText>\n<AbstractText Label='END'>{words}</AbstractText>\n"
                f"</Abstract>\n<AuthorList>\n{''.join(map(author.format, range(10)))}</AuthorList>\n<Language>eng</Language>\n"
                "<PublicationTypeList>\n<PublicationType UI='D016428'>Journal Article</PublicationType>\n</PublicationTypeList>\n"
                f"</Article>\n<MeshHeadingList>\n{''.join(map(heading.format, range(10)))}</MeshHeadingList>\n"
                "</MedlineCitation>\n<PubmedData>\n<History>\n<PubMedPubDate PubStatus='pubmed'>\n<Year>2031</Year>\n"
                "<Month>4</Month>\n<Day>1</Day>\n</PubMedPubDate>\n</History>\n<ArticleIdList>\n"
                f"<ArticleId IdType='pubmed'>{9000000 + number}</ArticleId>\n</ArticleIdList>\n</PubmedData>\n</PubmedArticle>\n"
            )
        stream.write("</PubmedArticleSet>\n")
    return path


# ------------------------------------------------------------------------------------------------------------- files


def _unpacked(folder: Path, *names: str) -> list[Path]:
    """Copies of corpus files, unzipped: both readers get plain files, and no time is spent on gzip."""
    data = os.environ.get("RELATOME_DATA")
    if not data:
        sys.exit("set RELATOME_DATA to the folder of corpora, or give --made-up")
    paths = []
    for name in names:
        paths.append(folder / name.replace("/", "_"))
        packed = Path(data) / f"{name}.gz"
        if packed.is_file():
            paths[-1].write_bytes(gzip.decompress(packed.read_bytes()))
        else:
            shutil.copy(Path(data) / name, paths[-1])
    return paths


def _made_up(folder: Path, format: str, suffix: str) -> Path:
    """600 invented abstracts (``RELATOME_MADE_UP`` of them) with twenty mentions and four relations each."""
    from relatome import formats
    from relatome.documents import Document, Mention, Passage, Relation

    chance = random.Random(0)
    documents = []
    for number in range(int(os.environ.get("RELATOME_MADE_UP", "600"))):
        words: list[str] = []
        mentions: list[Mention] = []
        length = 0
        for place in range(220):
            word = f"{chance.choice(['velorazine', 'nephritis', 'KRNX2', 'plombidol'])}{chance.randrange(40)}"
            if place % 11 == 5:
                kind = chance.choice(["Chemical", "Disease", "Gene"])
                end = length + len(word)
                mentions.append(Mention(f"{len(mentions)}", length, end, kind, word, (f"D{chance.randrange(10**6)}",)))
            words.append(word)
            length += len(word) + 1
        text = " ".join(words)
        border = text.index(" ", 80)
        ends = [mention.concepts[0] for mention in mentions]
        documents.append(
            Document(
                f"{9000000 + number}",
                text,
                passages=(Passage("title", 0, border), Passage("abstract", border + 1, len(text))),
                mentions=tuple(mentions),
                relations=tuple(
                    Relation(f"R{n}", "Association", chance.choice(ends), chance.choice(ends), level="concept")
                    for n in range(4)
                ),
            )
        )
    path = folder / f"made-up{suffix}"
    formats.write(documents, path, format)
    return path


# ---------------------------------------------------------------------------------------------------------- measuring


def measured(name: str, made_up: bool) -> Iterator[dict[str, Any]]:
    """What one row of the table says, for each of the others that ours is compared with."""
    row = ROWS[name]
    readers = {"relatome": row.ours, **row.others}
    with tempfile.TemporaryDirectory() as folder:
        paths = row.files(Path(folder), made_up)
        documents = 0
        for path in paths:
            expected = [said(record) for said in [row.said.get("relatome", _same)] for record in row.ours(path)]
            documents += len(expected)
            for other, reader in row.others.items():
                found = [said(record) for said in [row.said.get(other, _same)] for record in reader(path)]
                if found != expected:
                    pairs = enumerate(zip(expected, found, strict=False))
                    which = next((expected[index][0] for index, (one, two) in pairs if one != two), "the last")
                    sys.exit(f"{name}: {other} reads another document {which} in {path.name}")
            del expected, found  # what is alive makes collecting garbage dearer
        seconds = dict.fromkeys(readers, float("inf"))
        for _ in range(ROUNDS):
            for reader_name, reader in readers.items():
                begun = time.process_time()
                for path in paths:
                    for _fields in reader(path):
                        pass
                seconds[reader_name] = min(seconds[reader_name], time.process_time() - begun)
        memory = {reader_name: _memory(name, reader_name, paths) for reader_name in readers}
        size = sum(map(_size, paths))
    for other in row.others:
        yield {
            "name": name if other == next(iter(row.others)) else f"{name}, {other}",
            "other": other,
            "ratio": round(seconds[other] / seconds["relatome"], 2),
            "documents": documents,
            "megabytes": round(size / 1e6, 2),
            "documents_per_second": round(documents / seconds["relatome"]),
            "other_documents_per_second": round(documents / seconds[other]),
            "megabytes_per_second": round(size / 1e6 / seconds["relatome"], 1),
            "other_megabytes_per_second": round(size / 1e6 / seconds[other], 1),
            "peak_megabytes": memory["relatome"],
            "other_peak_megabytes": memory[other],
            "files": "made up" if made_up else [path.name for path in paths],
        }


def _size(path: Path) -> int:
    """Bytes, unzipped."""
    with path.open("rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            return path.stat().st_size
    with gzip.open(path) as unzipped:
        return sum(map(len, iter(lambda: unzipped.read(1 << 20), b"")))


def _same(fields: Fields) -> Fields:
    return fields


def _memory(name: str, reader: str, paths: list[Path]) -> float:
    """Megabytes that a process of its own holds at its peak for reading, above what it held before."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_peak, name, reader, paths).result()


def _peak(name: str, reader: str, paths: list[Path]) -> float:
    row = ROWS[name]
    read = {"relatome": row.ours, **row.others}[reader]
    with tempfile.TemporaryDirectory() as folder:  # what is imported and compiled on first use is not counted
        os.environ["RELATOME_MADE_UP"] = "2"
        for _ in read(row.files(Path(folder), True)[0]):
            pass
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (Linux)
    before = _status("VmRSS")
    for path in paths:
        for _ in read(path):
            pass
    return round((_status("VmHWM") - before) / 1024, 1)


def _status(name: str) -> int:
    """Kilobytes of this process, as Linux counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


ROWS = {
    "bioc-xml": Row(bioc_files, bioc_ours, {"bioc": bioc_load, "bioc, streamed": bioc_documents}),
    "bioc-json": Row(bioc_json_files, bioc_ours, {"bioc": bioc_json}),
    "pubtator": Row(pubtator_files, pubtator_ours, {"bioc": pubtator_load}),
    "pubmed-xml": Row(
        pubmed_files,
        pubmed_ours,
        {"pubmed_parser": pubmed_parser},
        {"relatome": pubmed_said, "pubmed_parser": pubmed_parser_said},
    ),
}


def main() -> None:
    """Measure the rows asked for, or all, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", nargs="*", choices=[*ROWS, []], help="all if none is named")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--made-up", action="store_true", help="time invented documents: no corpus is needed")
    asked = parser.parse_args()
    rows = [line for name in asked.row or ROWS for line in measured(name, asked.made_up)]
    if asked.json:
        print(json.dumps({"rows": rows}))
        return
    from rich.console import Console
    from rich.table import Table

    heads = ("files", "against", "ratio", "documents/s", "theirs", "MB/s", "theirs", "peak MB", "theirs")
    table = Table(*heads)
    for line in rows:
        figures = ("documents_per_second", "megabytes_per_second", "peak_megabytes")
        pairs = [f"{line[key]:,}" for figure in figures for key in (figure, f"other_{figure}")]
        table.add_row(line["name"], line["other"], f"{line['ratio']}x", *pairs)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()

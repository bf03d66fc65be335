"""Bad input that every reader meets: parts gone, parts twice, numbers too large, entities in XML.

The tests follow ``tests/data``: a format with a sample there is tested unasked, each of its files. Truncation at every byte,
other encodings, changed bytes, empty files and archives that leave their folder are in ``test_formats.py`` and
``test_formats_archives.py``, which do the same.
"""

from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from relatome import formats
from relatome.documents import Document, Mention
from relatome.errors import InputError
from relatome.formats import bioc
from tests.test_formats import DATA, MOST_SECONDS, SAMPLES, WRITABLE, copied, is_text

FILES = [
    (format, path.name)
    for format in formats.FORMATS
    for path in sorted((DATA / format).glob("notes*"))
    if is_text(format, path.name)
]
XML = [(format, name) for format, name in SAMPLES if (DATA / format / name).read_bytes().lstrip().startswith(b"<")]
every_file = pytest.mark.parametrize(("format", "name"), FILES)
NO_TEXTS = {"pubannotation"}  # a mention is a place and a type in these files: another place is another mention
MOST = 120  # changed files of one sample and kind; where there would be more, every so many

Changed = Iterator[bytes]


def outcome(
    format: str, name: str, data: bytes, folder: Path, *, lenient: bool
) -> tuple[list[Document], list[InputError]]:
    """What is read where one file of a format's samples holds something else, and what is said of it."""
    (folder / name).write_bytes(data)
    read: list[Document] = []
    said: list[InputError] = []
    for main in (sample for kind, sample in SAMPLES if kind == format):
        repaired = said.append if lenient else None
        try:
            for document in formats.read(folder / main, format, on_reject=said.append, on_repair=repaired):
                read.append(document.check())
        except InputError as problem:
            said.append(problem)
    assert all(problem.path for problem in said)
    return read, said


def some(changed: list[Any]) -> list[Any]:
    return changed[:: 1 + len(changed) // MOST]


def parts(data: bytes, times: int) -> Changed:
    """The file with one of its parts (an element, an item of a list, a line) as many times instead of once."""
    text = data.decode()
    if text.lstrip().startswith("<"):
        count = sum(1 for _ in etree.fromstring(data).iter("*"))
        for index in some(list(range(1, count))):
            root = etree.fromstring(data)
            element = list(root.iter("*"))[index]
            parent = element.getparent()
            assert parent is not None
            if not times:
                parent.remove(element)
            else:
                element.addnext(copy.deepcopy(element))
            yield etree.tostring(root, encoding="utf-8")
        return
    lines = text.split("\n")
    try:
        whole = [json.loads(text)]
    except ValueError:
        whole = []
    if not whole:
        for index in range(len(lines)):
            yield "\n".join([*lines[:index], *[lines[index]] * times, *lines[index + 1 :]]).encode()
        try:
            whole = [json.loads(line) for line in lines if line]
        except ValueError:
            return
    for index in some(list(range(sum(len(found) for found in lists(whole))))):
        changed = copy.deepcopy(whole)
        for found in lists(changed):
            if index < len(found):
                found[index : index + 1] = [found[index]] * times
                break
            index -= len(found)
        yield "\n".join(json.dumps(value, ensure_ascii=False) for value in changed).encode()


def lists(value: Any) -> Iterator[list[Any]]:
    """Every list inside a JSON value."""
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(inner, list):
            yield inner
        yield from lists(inner)


def numbers(data: bytes, other: bytes) -> Changed:
    for match in some(list(re.finditer(rb"\d+", data))):
        yield data[: match.start()] + other + data[match.end() :]


@pytest.mark.parametrize("lenient", [False, True], ids=["strict", "lenient"])
@pytest.mark.parametrize("times", [0, 2], ids=["gone", "twice"])
@every_file
def test_a_part_that_is_gone_or_there_twice(format: str, name: str, times: int, lenient: bool, tmp_path: Path) -> None:
    """Relations to mentions that are missing, ids that are doubled, rows without columns: right documents, or an error."""
    copied(format, "", tmp_path)
    for changed in parts((DATA / format / name).read_bytes(), times):
        outcome(format, name, changed, tmp_path, lenient=lenient)


@pytest.mark.parametrize("other", [b"999999999", b"0", b"7"])
@every_file
def test_a_number_that_is_another(format: str, name: str, other: bytes, tmp_path: Path) -> None:
    """Offsets beyond the text, and offsets that are merely wrong: never a mention of something else, unsaid."""
    copied(format, "", tmp_path)
    original = (DATA / format / name).read_bytes()
    before, _ = outcome(format, name, original, tmp_path, lenient=False)
    known = {document.text: {mention.text for mention in document.mentions} for document in before}
    for changed in numbers(original, other):
        read, said = outcome(format, name, changed, tmp_path, lenient=False)
        for document in read:
            new = {mention.text for mention in document.mentions} - known.get(document.text, set())
            assert not new or format in NO_TEXTS or document.text not in known or said, (changed, new)


def test_bioc_json_is_read_the_same_with_and_without_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that is as usual is read in columns; whatever it holds, that makes no difference."""
    original = (DATA / "bioc" / "notes.json").read_bytes()
    swapped = (original.replace(b'"' + word + b'"', other) for word in (b"text", b"id", b"type") for other in OTHERS)
    files = [original, *swapped, *numbers(original, b"7"), *numbers(original, b'"7"'), *numbers(original, b"-1")]
    files += [*parts(original, 0), *parts(original, 2)]
    apart = bioc._taken_apart
    columns = 0
    for changed in files:
        (tmp_path / "x.json").write_bytes(changed)
        seen = []
        for taken in (apart, lambda record: None):
            monkeypatch.setattr(bioc, "_taken_apart", taken)
            said: list[InputError] = []
            read: list[Document] = []
            try:
                read.extend(bioc.read(tmp_path / "x.json", on_reject=said.append))
            except InputError as problem:
                said.append(problem)
            seen.append((read, list(map(str, said))))
        assert seen[0] == seen[1], changed
    for document in json.loads(original)["documents"]:
        columns += apart(document) is not None
    assert columns


OTHERS = (b'"other"', b'"offset"', b'"infons"')


@pytest.mark.parametrize(
    ("declared", "used"),
    [
        ('<!ENTITY a "ha"><!ENTITY b "' + "&a;" * 10 + '"><!ENTITY c "' + "&b;" * 10 + '">', "&c;"),
        ('<!ENTITY c SYSTEM "file:///etc/passwd">', "&c;"),
        ('<!ENTITY % c SYSTEM "http://127.0.0.1:9/c.dtd"> %c;', ""),
    ],
    ids=["bomb", "file", "address"],
)
@pytest.mark.parametrize(("format", "name"), XML)
def test_entities_are_never_expanded(format: str, name: str, declared: str, used: str, tmp_path: Path) -> None:
    copied(format, "", tmp_path)
    root = etree.parse(DATA / format / name).getroot()
    body = etree.tostring(root, encoding="unicode")
    end = body.index(">") + 1
    body = f"<!DOCTYPE {root.tag} [{declared}]>\n{body[:end]}{used}{body[end:]}"
    for asked in (format, None):
        (tmp_path / name).write_text(body, encoding="utf-8")
        with pytest.raises(InputError, match="entit"):
            list(formats.read(tmp_path / name, asked))


def nested() -> Document:
    """Mentions inside others, across others, twice in one place, and one that covers all."""
    text = "kidney and liver injury"
    places = [(0, 23), (0, 6), (0, 6), (11, 23), (7, 16), (17, 23)]
    types = ["Disease", "Anatomy", "Disease", "Disease", "Anatomy", "Disease"]
    mentions = (
        Mention(f"T{number}", *place, type, text[slice(*place)])
        for number, (place, type) in enumerate(zip(places, types, strict=True), start=1)
    )
    return Document("1", text, mentions=tuple(mentions)).check()


@pytest.mark.parametrize("format", WRITABLE)
def test_mentions_in_and_across_each_other(format: str, tmp_path: Path) -> None:
    document = nested()
    formats.write([document], tmp_path / "out", format)
    (again,) = formats.read(tmp_path / "out", format)
    kept = formats.kept(document, format)
    assert sorted((m.start, m.end, m.type) for m in again.mentions) == sorted(
        (m.start, m.end, m.type) for m in kept.mentions
    )
    gone = formats.lost(document, format)
    assert len(again.mentions) == len(document.mentions) - gone["mentions"] - gone["overlaps"]


MANY = 100_000


def many_of_chemprot(folder: Path) -> Path:
    (folder / "x_abstracts.tsv").write_text(f"1\tMany\t{'KRNX2 ' * MANY}\n")
    with (folder / "x_entities.tsv").open("w") as file:
        file.writelines(f"1\tT{n}\tGENE-Y\t{5 + 6 * n}\t{10 + 6 * n}\tKRNX2\n" for n in range(MANY))
    with (folder / "x_relations.tsv").open("w") as file:
        file.writelines(f"1\tCPR:4\tY \tINHIBITOR\tArg1:T{n}\tArg2:T{n + 1}\n" for n in range(MANY - 1))
    return folder / "x_abstracts.tsv"


def many_of_ddi(folder: Path) -> Path:
    with (folder / "x.xml").open("w") as file:
        file.write(f'<document id="d"><sentence id="d.s0" text="{"KRNX2 " * MANY}">')
        file.writelines(
            f'<entity id="d.s0.e{n}" charOffset="{6 * n}-{6 * n + 4}" type="drug" text="KRNX2"/>' for n in range(MANY)
        )
        file.writelines(
            f'<pair id="d.s0.p{n}" e1="d.s0.e{n}" e2="d.s0.e{n + 1}" ddi="true" type="effect"/>'
            for n in range(MANY - 1)
        )
        file.write("</sentence></document>")
    return folder / "x.xml"


@pytest.mark.parametrize("format", sorted({"chemprot", "drugprot", "ddi"}))
def test_a_hundred_thousand_mentions_of_what_is_not_written(format: str, tmp_path: Path) -> None:
    """Those that are written are met in ``test_formats.py``; rows of two arguments, and labels, have no mentions to be many."""
    made = many_of_ddi(tmp_path) if format == "ddi" else many_of_chemprot(tmp_path)
    begun = time.monotonic()
    (document,) = formats.read(made, format)
    assert (len(document.mentions), len(document.relations)) == (MANY, MANY - 1)
    assert time.monotonic() - begun < MOST_SECONDS

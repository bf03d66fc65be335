"""The DDI corpus, 2013: drug names and the interactions between them, one XML file a text, its sentences apart.

    <document id="DDI-DrugBank.d284">
      <sentence id="DDI-DrugBank.d284.s0" text="...">
        <entity id="DDI-DrugBank.d284.s0.e0" charOffset="14-29" type="group" text="adrenergic drugs"/>
        <pair id="DDI-DrugBank.d284.s0.p0" e1="..." e2="..." ddi="true" type="advise"/>

The sentences are the document's text, with a line end between. Offsets count the sentence's characters and include the
last one: ``14-29`` is ``text[14:30]``; a discontinuous name has several, ``44-46;70-86``, and its text joins the parts with
or without a blank, which is no misfit: the mention's text has one. ``type`` is ``drug``, ``brand``, ``group`` or ``drug_n``.

Every two names of a sentence are a pair. A pair that interacts is a relation (``mechanism``, ``effect``, ``advise``, ``int``)
between its mentions, in the order of the file although the corpus means both ways. The pairs that do not are kept in
``meta["false_pairs"]`` as two ids each: a pair that is in neither list was not judged.

The release has one true pair without a type (``DDI-DrugBank.d236.s29.p0``) and one name whose parts are off by one
(``DDI-DrugBank.d216.s16.e2``). Both are errors, or repairs: the pair becomes an ``int``, the corpus's own word for an
interaction of which no more is said, with ``untyped`` among its attributes; the name is left out, and its pairs with it.

References
----------
Herrero-Zazo et al. 2013, https://doi.org/10.1016/j.jbi.2013.07.011; https://github.com/isegura/DDICorpus
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from relatome.documents import Document, Mention, Relation, Span
from relatome.errors import FormatError, InputError
from relatome.formats.elements import elements
from relatome.formats.files import OnReject, located, settle, shown, xml_root
from relatome.formats.offsets import fitted

UNTYPED = "int"


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a file, or of every ``.xml`` file in a folder and the folders in it, in the order of their names.

    Parameters
    ----------
    path
        The file, plain or gzip; a folder; ``"-"`` is standard input.
    on_reject
        Told about a document that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about an interaction without a type and about a name that does not stand where it should; without it they
        are errors.

    Raises
    ------
    FormatError
        The XML is damaged, or is no document of this corpus.
    OffsetError
        A name does not stand where it should.
    """
    seen: set[str] = set()
    for file in _files(path):
        try:
            for element in elements(file, {"document"}):
                with located(path=file, line=element.sourceline):
                    document = _document(element, file, on_repair)
                    if document.id in seen:
                        raise FormatError("two documents have this id", document=document.id)
                seen.add(document.id)
                yield document
        except InputError as problem:  # a file is one document
            problem.at(path=shown(file))
            settle(problem, on_reject)


def fits(start: str) -> bool:
    """Whether the root is ``document`` and sentences with a text follow."""
    return xml_root(start) == "document" and "<sentence " in start


def _files(path: str | Path) -> Iterator[str | Path]:
    if str(path) == "-" or not Path(path).is_dir():
        yield path
        return
    found = sorted(file for file in Path(path).rglob("*.xml") if file.is_file() and not file.name.startswith("."))
    if not found:
        raise InputError("this is a folder, not a file, and no .xml file is in it", path=shown(path))
    yield from found


def _document(element: etree._Element, file: str | Path, on_repair: OnReject | None) -> Document:
    identity = _attribute(element, "id")

    def repairing(part: etree._Element) -> OnReject | None:
        if on_repair is None:
            return None

        def told(problem: InputError) -> None:
            problem.at(path=shown(file), line=part.sourceline, document=identity)
            on_repair(problem)

        return told

    texts: list[str] = []
    sentences: list[Span] = []
    mentions: list[Mention] = []
    relations: list[Relation] = []
    false_pairs: list[list[str]] = []
    with located(document=identity):
        for sentence in element.iterchildren("sentence"):
            text = sentence.get("text")
            if text is None:
                raise FormatError("a <sentence> has no attribute 'text'", line=sentence.sourceline)
            start = sentences[-1].end + 1 if sentences else 0
            texts.append(text)
            sentences.append(Span(start, start + len(text)))
            left_out: set[str] = set()
            known: set[str] = set()
            for entity in sentence.iterchildren("entity"):
                name = _attribute(entity, "id")
                with located(line=entity.sourceline):
                    mention = _mention(entity, name, text, start, repairing(entity))
                if mention is None:
                    left_out.add(name)
                else:
                    known.add(name)
                    mentions.append(mention)
            for pair in sentence.iterchildren("pair"):
                with located(line=pair.sourceline):
                    ends = [_attribute(pair, "e1"), _attribute(pair, "e2")]
                    if left_out.intersection(ends):
                        continue  # told about with the name
                    for end in ends:
                        if end not in known:
                            raise FormatError(f"a pair with {end!r}, which is no entity of its sentence")
                    relation = _relation(pair, ends[0], ends[1], repairing(pair))
                    if relation is None:
                        false_pairs.append(ends)
                    else:
                        relations.append(relation)
        if not texts:
            raise FormatError("the document has no <sentence>")
        return Document(
            identity,
            "\n".join(texts),
            mentions=tuple(mentions),
            relations=tuple(relations),
            sentences=tuple(sentences),
            meta={"false_pairs": false_pairs} if false_pairs else {},
        ).check()


def _mention(
    entity: etree._Element, name: str, sentence: str, start: int, on_repair: OnReject | None
) -> Mention | None:
    """The name, placed in the document; ``None`` where it must be left out."""
    written, spans = _attribute(entity, "text"), _spans(_attribute(entity, "charOffset"))
    found = " ".join(sentence[span.start : span.end] for span in spans)
    if len(spans) > 1 and found.replace(" ", "") == written.replace(" ", ""):
        written = found  # the file joins the parts with a blank or without
    text = fitted(sentence, spans, written, what=f"entity {name!r}", on_repair=on_repair)
    if text is None:
        return None
    placed = tuple(Span(span.start + start, span.end + start) for span in spans)
    return Mention(
        name,
        min(span.start for span in placed),
        max(span.end for span in placed),
        _attribute(entity, "type"),
        text,
        fragments=placed if len(placed) > 1 else (),
    )


def _spans(offsets: str) -> list[Span]:
    """``"44-46;70-86"`` as half-open ranges of the sentence."""
    spans = []
    for part in offsets.split(";"):
        first, dash, last = part.partition("-")
        if not (dash and first.isdecimal() and last.isdecimal() and len(first) < 10 and len(last) < 10):
            raise FormatError(f"charOffset should be '14-29' or '44-46;70-86', found {offsets[:40]!r}")
        spans.append(Span(int(first), int(last) + 1))
    return spans


def _relation(pair: etree._Element, head: str, tail: str, on_repair: OnReject | None) -> Relation | None:
    name, interacts, kind = _attribute(pair, "id"), pair.get("ddi"), pair.get("type")
    if interacts == "false":
        return None
    if interacts != "true":
        raise FormatError(f"ddi should be 'true' or 'false', found {interacts!r}")
    attributes: dict[str, Any] = {}
    if not kind:
        problem = FormatError(f"pair {name!r} interacts, but has no type", advice=f"lenient reading takes {UNTYPED!r}")
        if on_repair is None:
            raise problem
        on_repair(problem)
        kind, attributes = UNTYPED, {"untyped": True}
    return Relation(name, kind, head, tail, attributes=attributes)


def _attribute(element: etree._Element, name: str) -> str:
    value = element.get(name)
    if not value:
        raise FormatError(f"a <{etree.QName(element).localname}> has no {name!r}", line=element.sourceline)
    return str(value)

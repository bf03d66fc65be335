"""IOB, the column format of CoNLL: a token a line, its tag in the last column, a blank line after a sentence.

    -DOCSTART- 90092414
    <blank>
    Lithium TAB B-Chemical
    induced TAB O
    <blank>

Columns are separated by tabs, or by blanks where there is no tab; the first is the token, the last the tag, what lies
between (part of speech, chunk) is not kept. ``-DOCSTART-`` lines start documents and may name them; without any, each
sentence is a document. The corpora differ in how they tag: SciBERT's BC5CDR is IOB1 (a mention starts with ``I-``, with
``B-`` only right after another), BioBERT's files have bare ``B`` and ``I``. conlleval's rules read all of these, and
IOBES, alike; ``spans.scheme_of`` names the scheme, kept in ``document.meta["scheme"]`` where it is not IOB2.

The original text is not in these files: the text is the tokens joined by one blank.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from relatome import sentences, spans
from relatome.documents import Document, Mention, Span
from relatome.errors import FormatError, InputError
from relatome.formats.files import Line, OnReject, first_lines, located, numbered, settle, stem, writing

_LOG = logging.getLogger(__name__)

_DOCUMENT = "-DOCSTART-"
_TAG = re.compile(r"O|[BIES](-.+)?", re.DOTALL)
_LINE = re.compile(r"-DOCSTART-|(?:[^\t]+\t)+(?:O|[BIES](?:-\S+)?)$")
_TOKEN = re.compile(r"\w+|[^\w\s]")


def read(
    path: str | Path, *, type: str = "Entity", on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of an IOB file, with ``tokens`` and ``sentences``.

    Parameters
    ----------
    path
        The file, plain or gzip; ``"-"`` is standard input.
    type
        The entity type of bare ``B`` and ``I`` tags.
    on_reject
        Told about a document that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Never told: a tag is read or it is not.

    Raises
    ------
    FormatError
        A line has no tag, or its last column is none.
    """
    name = stem(path)
    count = 0
    for identity, block in _documents(path):
        count += 1
        identity = identity or f"{name}:{count}"
        try:
            with located(path=path, line=block[0][0].number, document=identity):
                document = _document(identity, block, type)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        yield document


def write(
    documents: Iterable[Document], path: str | Path | TextIO, *, scheme: spans.Scheme = "IOB2", apart: bool = True
) -> int:
    """Write documents as token TAB tag.

    A document without tokens is cut into words and punctuation marks, and at the borders of its mentions, so that
    every mention can be tagged. Where mentions overlap the longest is written; where a mention does not end with a
    token of its document, whole tokens are tagged; both are counted in a warning.

    Parameters
    ----------
    scheme
        ``"IOB1"``, ``"IOB2"`` or ``"IOBES"``.
    apart
        Write a ``-DOCSTART-`` line with the id before each document; ``False`` for readers that know none.

    Returns
    -------
    int
        How many documents were written.
    """
    count = lost = widened = 0
    with writing(path) as stream:
        for document in documents:
            count += 1
            if apart:
                stream.write(f"{_DOCUMENT} {document.id}\tO\n\n")
            chosen = spans.longest_first(document.mentions)
            lost += len(document.mentions) - len(chosen)
            tokens = document.tokens or _tokens(document)
            aligned = spans.align(chosen, tokens)
            widened += aligned.inexact
            tags = ["O"] * len(tokens)
            tagged: list[spans.TokenSpan] = []
            for mention, where in zip(chosen, aligned.ranges, strict=True):
                if where and (not tagged or tagged[-1][1] <= where[0]):
                    tagged.append((*where, mention.type))
                else:
                    lost += 1
            tags = spans.spans_to_tags(tagged, len(tokens), scheme)
            ends = {sentence.end for sentence in sentences.of(document, keep_mentions=True)}
            for token, tag in zip(tokens, tags, strict=True):
                word = "".join(document.text[token.start : token.end].split())
                stream.write(f"{word}\t{tag}\n" + ("\n" if token.end in ends else ""))
            if tokens and tokens[-1].end not in ends:
                stream.write("\n")
    if lost or widened:
        _LOG.warning("%d mentions overlap others and were not written, %d were widened to whole tokens", lost, widened)
    return count


def fits(start: str) -> bool:
    """Whether every line ends with a tag after a tab, or starts a document."""
    lines = first_lines(start)
    return bool(lines) and all(map(_LINE.match, lines))


Sentence = list[Line]


def _documents(path: str | Path) -> Iterator[tuple[str, list[Sentence]]]:
    """The id and the sentences of each document; the id is empty where the file has none."""
    identity, marked = "", False
    sentences_: list[Sentence] = []
    sentence: Sentence = []
    for line in numbered(path):
        starts = line.text.startswith(_DOCUMENT)
        if (starts or not line.text.strip()) and sentence:
            sentences_.append(sentence)
            sentence = []
        if sentences_ and (starts or not marked):
            yield identity, sentences_
            sentences_ = []
        if starts:
            identity, marked = _identity(line.text), True
        elif line.text.strip():
            sentence.append(line)
    if sentence:
        sentences_.append(sentence)
    if sentences_:
        yield identity, sentences_


def _identity(text: str) -> str:
    """The id on a ``-DOCSTART-`` line: ``-DOCSTART- (6794356)``; none on CoNLL-2003's ``-DOCSTART- -X- O O``."""
    rest = text.removeprefix(_DOCUMENT).split("\t")[0 if not text.startswith(_DOCUMENT + "\t") else 1].strip()
    if rest.startswith(("-X-", "O")) and not rest.strip("-XO "):
        return ""
    return rest[1:-1] if rest.startswith("(") and rest.endswith(")") else rest


def _document(identity: str, block: list[Sentence], type: str) -> Document:
    words: list[str] = []
    tokens: list[Span] = []
    sentence_spans: list[Span] = []
    mentions: list[Mention] = []
    all_tags: list[list[str]] = []
    end = -1
    for lines in block:
        first = len(tokens)
        tags: list[str] = []
        for line in lines:
            word, tag = _columns(line)
            tokens.append(Span(end + 1, end + 1 + len(word)))
            end = tokens[-1].end
            words.append(word)
            tags.append(f"{tag}-{type}" if len(tag) == 1 and tag != "O" else tag)
        sentence_spans.append(Span(tokens[first].start, end))
        all_tags.append(tags)
        for start, stop, kind in spans.tags_to_spans(tags):
            span = Span(tokens[first + start].start, tokens[first + stop - 1].end)
            mentions.append(
                Mention(f"T{len(mentions) + 1}", *span, kind, " ".join(words[first + start : first + stop]))
            )
    scheme = spans.scheme_of(all_tags)
    return Document(
        identity,
        " ".join(words),
        mentions=tuple(mentions),
        sentences=tuple(sentence_spans),
        tokens=tuple(tokens),
        meta={} if scheme == "IOB2" else {"scheme": scheme},
    ).check()


def _columns(line: Line) -> tuple[str, str]:
    columns = line.text.split("\t") if "\t" in line.text else line.text.split()
    word, tag = columns[0].strip(), columns[-1].strip()
    if len(columns) < 2 or not word or not _TAG.fullmatch(tag):
        raise FormatError(
            f"expected a token and a tag (O, B-TYPE, I-TYPE ...) with a tab between, found {line.text[:80]!r}",
            line=line.number,
            advice="is this an IOB file?",
        )
    return word, tag


def _tokens(document: Document) -> tuple[Span, ...]:
    """Words and punctuation marks, cut where a mention or a sentence begins or ends."""
    cuts = {border for mention in document.mentions for border in mention.span}
    cuts |= {border for sentence in document.sentences for border in sentence}
    tokens: list[Span] = []
    for match in _TOKEN.finditer(document.text):
        start = match.start()
        for border in range(match.start() + 1, match.end()):
            if border in cuts:
                tokens.append(Span(start, border))
                start = border
        tokens.append(Span(start, match.end()))
    return tuple(tokens)

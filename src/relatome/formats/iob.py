"""IOB, the column format of CoNLL: a token a line, its tag in the last column, a blank line after a sentence.

    -DOCSTART- 90092414
    <blank>
    Lithium TAB B-Chemical
    induced TAB O
    <blank>

Columns are separated by tabs, or by blanks where there is no tab; the first is the token, the last the tag, what lies
between (part of speech, chunk) is not kept. ``-DOCSTART-`` lines start documents and may name them; without any, each
sentence is a document. The corpora differ in how they tag: in IOB1 a mention starts with ``I-``, and with ``B-`` only right
after another. SciBERT's BC5CDR is often called IOB1, but starts every mention of several tokens with ``B-`` and every one
of a single token with ``I-`` (2,413 and 6,857 of its train set's 9,270); its EBM-NLP has no ``B`` at all (IO: neighbours of
one type are one mention), BioBERT's files have bare ``B`` and ``I``. conlleval's rules read all of these, and IOBES, alike.
``document.meta["scheme"]`` says what it was where it is not IOB2: ``"IOB1"``, ``"IO"``, ``"IOBES"``, or ``"conll"`` for what
follows no scheme and is read by these rules.

The original text is not in these files: the text is the tokens joined by one blank.

References
----------
Tjong Kim Sang and Veenstra 1999 (the schemes), https://aclanthology.org/E99-1023 ; CoNLL-2003 (the files).
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from relatome import sentences, spans
from relatome.documents import Document, Mention, Span
from relatome.errors import FormatError, InputError
from relatome.formats import losses
from relatome.formats.files import Line, OnReject, first_lines, head, located, numbered, settle, shown, stem, writing

HOLDS = frozenset({"text", "mentions", "sentences", "tokens"})

_LOG = logging.getLogger(__name__)

_START = re.compile(r"-DOCSTART-(?=\s|$)")
_TAG = re.compile(r"O|[BIES](-.+)?", re.DOTALL)
_LINE = re.compile(r"-DOCSTART-(?:\s|$)|(?:[^\t]+\t)+(?:O|[BIES](?:-[^\t]+)?)\s*$")
_BLANKS_LINE = re.compile(r"-DOCSTART-(?:\s|$)|(?:\S+ +)+(?:O|[BIES](?:-\S+)?)\s*$")
_BEGINS = re.compile(r"[\t ]B(?:-\S+)?\r?$", re.MULTILINE)
_ACCENTS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u200d\ufe00-\ufe0f\ufe20-\ufe2f"
_TOKEN = re.compile(rf"\w[\w{_ACCENTS}]*|[^\w\s][{_ACCENTS}]*")


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
        Told about a line without a tag, whose first column is then a token outside of all mentions; without it its
        document is rejected.

    Raises
    ------
    FormatError
        A line has no tag, or its last column is none.
    """
    name = stem(path)
    count = 0
    io = not _BEGINS.search(head(path))
    for identity, block in _documents(path):
        count += 1
        identity = identity or f"{name}:{count}"
        repair = None if on_repair is None else _Repair(on_repair, path, identity)
        try:
            with located(path=path, line=block[0][0].number if block else None, document=identity):
                document, begins = _document(identity, block, type, repair)
        except InputError as problem:
            settle(problem, on_reject)
            continue
        io = io and not begins
        if io and document.meta:
            document = replace(document, meta={"scheme": "IO"})
        yield document


def write(
    documents: Iterable[Document], path: str | Path | TextIO, *, scheme: spans.Scheme = "IOB2", apart: bool = True
) -> int:
    """Write documents as token TAB tag.

    A document without tokens is cut into words and punctuation marks, and at the borders of its mentions, so that
    every mention can be tagged. Where mentions overlap the longest is written; where a mention does not end with a
    token of its document, whole tokens are tagged; both are counted in a warning. Sentences are not cut within a
    mention.

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

    Raises
    ------
    FormatError
        An id, a token or a type would not be read again as it is.
    """
    count = lost = widened = 0
    with writing(path) as stream:
        for document in documents:
            with located(document=document.id):
                layout = _Layout(losses.kept(document, HOLDS))
                count += 1
                lost += len(document.mentions) - len(layout.tagged)
                widened += layout.widened
                if apart:
                    stream.write(_start(document.id) + "\n\n")
                stream.writelines(layout.lines(scheme))
    if lost or widened:
        _LOG.warning("%d mentions overlap others and were not written, %d were widened to whole tokens", lost, widened)
    return count


def fits(start: str) -> bool:
    """Whether every line ends with a tag after a tab; after a blank, only where the file begins with ``-DOCSTART-``."""
    lines = first_lines(start)
    if not lines:
        return False
    return all(map(_LINE.match, lines)) or bool(_START.match(lines[0]) and all(map(_BLANKS_LINE.match, lines)))


def is_tag(tag: str) -> bool:
    """Whether a text is a tag: ``O``, or ``B``, ``I``, ``E`` or ``S``, bare or with a type.

    Examples
    --------
    >>> [is_tag(tag) for tag in ("O", "B-Disease", "I", "Disease")]
    [True, True, True, False]
    """
    return bool(_TAG.fullmatch(tag))


def laid_out(document: Document) -> Document:
    """A document of tokens with blanks between: what a file can give back of a text, and of mentions within tokens.

    Examples
    --------
    >>> laid_out(Document("1", "VLZ-induced\\nfever.")).text
    'VLZ - induced fever .'
    """
    return _Layout(document).document()


class _Repair:
    """Tells of a repair where it was."""

    def __init__(self, on_repair: OnReject, path: str | Path, identity: str) -> None:
        self.on_repair = on_repair
        self.path = path
        self.identity = identity

    def __call__(self, problem: InputError) -> None:
        problem.at(path=shown(self.path), document=self.identity)
        self.on_repair(problem)


class _Layout:
    """A document as rows: its tokens, the mentions as ranges of them, its sentences as ranges of them."""

    def __init__(self, source: Document) -> None:
        self.source = source
        chosen = spans.longest_first(source.mentions)
        tokens = [token for token in source.tokens if source.text[token.start : token.end].split()]
        tokens = tokens or list(_tokens(source))
        self.words = ["".join(source.text[start:end].split()) for start, end in tokens]
        aligned = spans.align(chosen, tokens)
        self.widened = aligned.inexact
        self.tagged: list[tuple[int, int, Mention]] = []
        for mention, where in zip(chosen, aligned.ranges, strict=True):
            if where and (not self.tagged or self.tagged[-1][1] <= where[0]):
                self.tagged.append((*where, mention))
        self.sentences = list(self._sentences(tokens))

    def lines(self, scheme: spans.Scheme) -> Iterator[str]:
        """The rows, a blank line after each sentence."""
        at = 0
        for first, last in self.sentences:
            inside: list[spans.TokenSpan] = []
            while at < len(self.tagged) and self.tagged[at][0] < last:
                start, end, mention = self.tagged[at]
                if mention.type != " ".join(mention.type.split()):
                    raise FormatError(f"the type {mention.type!r} cannot be the last column of a line")
                inside.append((start - first, end - first, mention.type))
                at += 1
            for word, tag in zip(
                self.words[first:last], spans.spans_to_tags(inside, last - first, scheme), strict=True
            ):
                if _START.match(word) or "\0" in word:
                    raise FormatError(f"the token {word!r} cannot be a line of its own")
                yield f"{word}\t{tag}\n"
            yield "\n"

    def document(self) -> Document:
        """The document that the rows are read as."""
        return _joined(
            self.source,
            self.words,
            self.sentences,
            [(first, last, mention.type) for first, last, mention in self.tagged],
        )

    def _sentences(self, tokens: list[Span]) -> Iterator[tuple[int, int]]:
        """The document's sentences as ranges of tokens; two that a mention reaches over are one."""
        starts = [sentence.start for sentence in sentences.of(self.source, keep_mentions=True)]
        inside = {index for first, last, _ in self.tagged for index in range(first + 1, last)}
        of_token = [bisect_right(starts, token.start) for token in tokens]
        borders = [
            index for index in range(1, len(tokens)) if of_token[index] > of_token[index - 1] and index not in inside
        ]
        if tokens:
            yield from zip([0, *borders], [*borders, len(tokens)], strict=True)


Sentence = list[Line]


def _documents(path: str | Path) -> Iterator[tuple[str, list[Sentence]]]:
    """The id and the sentences of each document; the id is empty where the file has none."""
    identity, marked = "", False
    block: list[Sentence] = []
    sentence: Sentence = []
    for line in numbered(path):
        starts = _START.match(line.text)
        if (starts or not line.text.strip()) and sentence:
            block.append(sentence)
            sentence = []
        # A document with a name and nothing in it is one; a -DOCSTART- line without a name may only open the file.
        if (block and not marked) or (starts and (block or identity)):
            yield identity, block
            block, identity = [], ""
        if starts:
            identity, marked = _identity(line.text), True
        elif line.text.strip():
            sentence.append(line)
    if sentence:
        block.append(sentence)
    if block or identity:
        yield identity, block


def _start(identity: str) -> str:
    line = f"-DOCSTART- {identity}\tO"
    if "\n" in identity or _identity(line) != identity:
        raise FormatError(f"the id {identity!r} would not be read again from a -DOCSTART- line")
    return line


def _identity(text: str) -> str:
    """The id on a ``-DOCSTART-`` line: ``-DOCSTART- (6794356)``; none on CoNLL-2003's ``-DOCSTART- -X- O O``."""
    rest = _START.sub("", text).split("\t")[0 if not text.startswith("-DOCSTART-\t") else 1].strip()
    if rest.startswith(("-X-", "O")) and not rest.strip("-XO "):
        return ""
    return rest[1:-1] if rest.startswith("(") and rest.endswith(")") else rest


def _document(identity: str, block: list[Sentence], type: str, on_repair: OnReject | None) -> tuple[Document, bool]:
    """A document, and whether any of its mentions begins with ``B``."""
    rows: list[tuple[list[str], list[str]]] = []
    for lines in block:
        words: list[str] = []
        tags: list[str] = []
        for line in lines:
            try:
                word, tag = _columns(line)
            except FormatError as problem:
                if on_repair is None:
                    raise
                on_repair(problem)
                word, tag = next(iter(line.text.split())), "O"
            words.append(word)
            tags.append(tag)
        rows.append((words, tags))
    begins = any(tag[0] == "B" for _, tags in rows for tag in tags)
    return tagged(identity, rows, type), begins


def tagged(identity: str, rows: Iterable[tuple[Sequence[str], Sequence[str]]], type: str = "Entity") -> Document:
    """A document of sentences that are tokens with a tag each.

    Parameters
    ----------
    rows
        The tokens and the tags of each sentence.
    type
        The entity type of bare ``B`` and ``I`` tags.

    Examples
    --------
    >>> document = tagged("1", [(["Plombidol", "caused", "severe", "rash"], ["B-Drug", "O", "B-Effect", "I-Effect"])])
    >>> [(mention.type, mention.text) for mention in document.mentions]
    [('Drug', 'Plombidol'), ('Effect', 'severe rash')]
    """
    all_words: list[str] = []
    ranges: list[tuple[int, int]] = []
    found: list[spans.TokenSpan] = []
    all_tags: list[list[str]] = []
    for words, given in rows:
        first = len(all_words)
        tags = [f"{tag}-{type}" if len(tag) == 1 and tag != "O" else tag for tag in given]
        all_words += words
        ranges.append((first, len(all_words)))
        all_tags.append(tags)
        found += [(first + start, first + stop, kind) for start, stop, kind in spans.tags_to_spans(tags)]
    document = _joined(Document(identity, ""), all_words, ranges, found)
    scheme = spans.scheme_of(all_tags)
    return document if scheme == "IOB2" else replace(document, meta={"scheme": scheme})


def _joined(
    document: Document, words: list[str], sentences_: list[tuple[int, int]], tagged: list[spans.TokenSpan]
) -> Document:
    """The document with the words as its text, one blank between them, and sentences and mentions laid on these."""
    tokens: list[Span] = []
    end = -1
    for word in words:
        tokens.append(Span(end + 1, end + 1 + len(word)))
        end = tokens[-1].end
    mentions = (
        Mention(f"T{number}", tokens[first].start, tokens[last - 1].end, kind, " ".join(words[first:last]))
        for number, (first, last, kind) in enumerate(tagged, start=1)
    )
    return replace(
        document,
        text=" ".join(words),
        mentions=tuple(mentions),
        sentences=tuple(Span(tokens[first].start, tokens[last - 1].end) for first, last in sentences_),
        tokens=tuple(tokens),
    ).check()


def _columns(line: Line) -> tuple[str, str]:
    columns = line.text.split("\t") if "\t" in line.text else line.text.split()
    word, tag = columns[0].strip(), columns[-1].strip()
    if len(columns) < 2 or not word or not is_tag(tag):
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

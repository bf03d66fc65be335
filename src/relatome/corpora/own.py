"""A file of one's own as a corpus of raw text: what an encoder is pre-trained on.

``load("texts.jsonl.gz")``: any file that ``relatome.formats`` reads and that holds documents one after another. Its card is
made here: no gold, whatever the file has beside its texts, terms unknown, and divided by document so that one in a hundred
is dev. What needs more than that, a licence for instance, has a card written for it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from relatome import formats
from relatome.corpora.card import parse
from relatome.corpora.corpus import Corpus
from relatome.corpora.files import sha256_of
from relatome.documents import Document
from relatome.errors import CorpusError
from relatome.formats import archives

_SHARES = [0.98, 0.01, 0.01]


class OwnText(Corpus):
    """The texts of a file, and nothing else that stands in it."""

    def _canonical(self, document: Document) -> Document:
        return replace(document, mentions=(), relations=(), labels=(), questions=())


def load(path: Path) -> OwnText:
    """The corpus that a file's texts are.

    Raises
    ------
    CorpusError
        There is no such file, or it is an archive.
    FormatError
        It is of no format that is known.
    """
    if not path.exists():
        raise CorpusError("there is no such file", path=path, advice="give a card (TOML), or one file of texts")
    if path.is_dir() or archives.kind(path):
        what = "a folder" if path.is_dir() else "an archive"
        raise CorpusError(
            f"{what} cannot be a corpus", path=path, advice=f"relatome convert {path} texts.jsonl.gz, and give that"
        )
    return _opened(path.resolve(), sha256_of(path))


@lru_cache(maxsize=4)  # a run asks for its corpora again and again: the division, for which all is read, is made once
def _opened(path: Path, digest: str) -> OwnText:
    stem = path.name.split(".")[0]
    values: dict[str, Any] = {
        "name": re.sub("[^a-z0-9]+", "-", stem.lower()).strip("-") or "texts",
        "title": f"The texts of {path.name}",
        "version": digest[:12],
        "reader": formats.guess(path),
        "unit": "article",
        "tasks": [],
        "protocol": "parts",
        "licence": "Not stated",
        "terms": "Nothing is known of them: a file of the user's own.",
        "ship": False,
        "held_out": False,
        "citation": f"{path.name}, a file of the user's own",
        "origin": {},
        "protocols": {
            "parts": {
                "kind": "by_document",
                "read": [path.name],
                "shares": _SHARES,
                "note": "by document: one in a hundred is dev, one test",
            }
        },
        "files": {path.name: {"sha256": digest}},
    }
    return OwnText(parse(values), beside=path.parent)

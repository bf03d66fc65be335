"""Corpora: what each is (cards), where its files lie, how it is divided, and what no model may see.

``load("bc5cdr")``, ``load("./mine.toml")``, ``load("./texts.jsonl")`` or ``load("hf:owner/name")``. Adding a corpus in a known format is one TOML file
in ``catalogue/``; the folder is scanned, there is nothing to register.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from relatome.corpora.card import Card, read
from relatome.corpora.corpus import Corpus
from relatome.corpora.files import data_folder
from relatome.errors import CorpusError
from relatome.lookup import pick

__all__ = ["Card", "Corpus", "data_folder", "load", "merged_names", "names", "toml"]

_CATALOGUE = Path(__file__).with_name("catalogue")


def load(name: str | Path) -> Corpus:
    """A corpus of the catalogue by name, or one described by a card of your own.

    Parameters
    ----------
    name
        A name from ``names()`` or ``merged_names()``; the path of a TOML card, whose files lie beside it or in the
        data folder; ``hf:owner/name``, a dataset of the Hugging Face hub (see ``relatome.corpora.hub``); or the path of
        any other file, whose texts are then a corpus without gold (see ``relatome.corpora.own``).

    Raises
    ------
    UnknownNameError
        There is no such corpus; close matches are offered.
    SettingsError
        The card has mistakes; all are listed.
    CorpusError
        There is no card at that path.
    NetworkError
        The hub cannot be reached.

    Examples
    --------
    >>> load("chemprot").card.groups["INHIBITOR"]
    'CPR:4'
    >>> load("ade").splits("rows")
    ('train', 'dev', 'test')
    """
    from relatome.corpora import hub, merged, own  # merged asks what is held out, which asks for corpora

    if isinstance(name, str) and name.startswith(hub.PREFIX):
        return hub.load(name)
    path = _card(name)
    if path.suffix != ".toml":
        return own.load(path)
    beside = None if path.is_relative_to(_CATALOGUE) else path.parent
    if not merged.is_merged(path):
        return Corpus(read(path), beside=beside)
    return merged.read(path, load) if beside else _remembered(path, data_folder())


@lru_cache(maxsize=4)
def _remembered(path: Path, _data: Path) -> Corpus:
    """A merged corpus of the catalogue: it takes two minutes to find which documents stay in it, so only once."""
    from relatome.corpora import merged

    return merged.read(path, load)


def toml(name: str | Path) -> str:
    """The card of a corpus as TOML: to see, or to begin a card of your own with.

    Examples
    --------
    >>> print(toml("biosses").splitlines()[1])
    name = "biosses"
    """
    from relatome.corpora import hub

    if isinstance(name, str) and name.startswith(hub.PREFIX):
        return hub.toml(name)
    path = _card(name)
    if path.suffix != ".toml":
        raise CorpusError(
            "this is a file of texts and has no card", path=path, advice="begin one with that of pubmed-xml"
        )
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise CorpusError(f"the card cannot be read: {problem.strerror}", path=path) from None


def names() -> tuple[str, ...]:
    """The catalogue's corpora.

    Examples
    --------
    >>> "bc5cdr" in names()
    True
    """
    return tuple(path.stem for path in _cards())


def merged_names() -> tuple[str, ...]:
    """The corpora that are several read as one (see ``relatome.corpora.merged``); they have no files of their own.

    Examples
    --------
    >>> merged_names()
    ('relations9',)
    """
    return tuple(path.stem for path in _merged())


def _card(name: str | Path) -> Path:
    """Where the card of a corpus lies."""
    if isinstance(name, Path) or name.endswith(".toml") or "/" in name:
        return Path(name)
    return pick(name, {path.stem: path for path in (*_cards(), *_merged())}, "corpus")


def _merged() -> list[Path]:
    return sorted((_CATALOGUE / "merged").glob("*.toml"))


def _cards() -> list[Path]:
    return sorted(_CATALOGUE.glob("*.toml"))

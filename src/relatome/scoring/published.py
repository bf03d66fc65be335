"""Numbers that others published for a test set, each with where it is from: read from TOML, put beside our scores.

A file (``recipes/*/published.toml``) has a table for each system and corpus::

    [[published]]
    system = "Some BERT, base size"
    corpus = "chemprot"
    citation = "Somebody 2020, table 3"
    scores = { "f1 micro" = 0.7 }

A key is a score's name and, after a blank, its class; values are in the scorer's own unit (shares, not per cent).
``protocol`` names one split protocol of the corpus where the number holds for that alone, and ``remembered = true``
says that the number was quoted from memory and nobody has looked it up. Such a number may stand in a table with its
mark; nothing is claimed against it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relatome.errors import ScoreError, SettingsError


@dataclass(frozen=True, slots=True)
class Published:
    """What one system is said to reach on one corpus.

    Parameters
    ----------
    scores
        By name and class, as in a ``Score``.
    protocol
        The split protocol it holds for; empty: any.
    remembered
        Whether it was quoted from memory and not looked up.
    """

    system: str
    corpus: str
    citation: str
    scores: Mapping[tuple[str, str | None], float] = field(default_factory=dict)
    protocol: str = ""
    remembered: bool = False

    def holds_for(self, signature: Mapping[str, Any]) -> bool:
        """Whether it is about the test set that a signature names."""
        return self.corpus == signature.get("corpus") and self.protocol in ("", signature.get("protocol"))

    def json(self) -> dict[str, Any]:
        """Plain JSON values, the scores under the keys that the file has."""
        scores = {" ".join(filter(None, key)): value for key, value in self.scores.items()}
        return {"system": self.system, "citation": self.citation, "remembered": self.remembered, "scores": scores}


def read(path: str | Path) -> tuple[Published, ...]:
    """The published numbers in a file, in its order.

    Raises
    ------
    SettingsError
        It cannot be read, or has mistakes: all of them are named.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("published")
    except OSError as error:
        raise SettingsError([f"the published numbers cannot be read: {error.strerror}"], path=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"not TOML: {error}"], path=path) from None
    problems: list[str] = []
    if not isinstance(tables, list) or not tables:
        raise SettingsError(["at least one [[published]] table is needed"], path=path)
    found = [_table(table, f"published[{number}]", problems) for number, table in enumerate(tables, 1)]
    if problems:
        raise SettingsError(problems, path=path)
    return tuple(one for one in found if one is not None)


def attach(document: Mapping[str, Any], published: Iterable[Published]) -> dict[str, Any]:
    """A report's JSON with a ``published`` beside each score (``None`` where nobody gave one), and who gave them.

    The first system of the list that has a number for a score gives it; all of them stand under ``published``.

    Raises
    ------
    ScoreError
        A published number is of a name or class that was not scored.

    Examples
    --------
    >>> report = {"scores": [{"name": "f1", "class": "micro", "value": 0.5}], "signature": {"corpus": "x"}}
    >>> known = Published("Some BERT", "x", "Somebody 2020", {("f1", "micro"): 0.7})
    >>> attach(report, [known])["scores"]
    [{'name': 'f1', 'class': 'micro', 'value': 0.5, 'published': 0.7}]
    """
    about = [one for one in published if one.holds_for(document["signature"])]
    scored = [(score["name"], score["class"]) for score in document["scores"]]
    for one in about:
        unknown = [key for key in one.scores if key not in scored]
        if unknown:
            names = ", ".join(" ".join(filter(None, key)) for key in scored)
            raise ScoreError(
                f"{one.system} has a published {' '.join(filter(None, unknown[0]))!r}, which is not scored on {one.corpus}",
                advice=f"scored: {names}",
            )
    scores = [
        {**score, "published": next((one.scores[key] for one in about if key in one.scores), None)}
        for score, key in zip(document["scores"], scored, strict=True)
    ]
    return {**document, "scores": scores, "published": [one.json() for one in about]}


def _table(table: Any, where: str, problems: list[str]) -> Published | None:
    if not isinstance(table, dict):
        problems.append(f"{where} should be a table, found {table!r}")
        return None
    kinds = {"system": str, "corpus": str, "citation": str, "scores": dict, "protocol": str, "remembered": bool}
    before = len(problems)
    problems += [f"{where}: unknown key {key!r}, known: {', '.join(kinds)}" for key in table if key not in kinds]
    problems += [f"{where}: {key} is missing" for key in ("system", "corpus", "citation", "scores") if key not in table]
    problems += [
        f"{where}: {key} should be {kind.__name__}, found {table[key]!r}"
        for key, kind in kinds.items() if key in table and not isinstance(table[key], kind)
    ]  # fmt: skip
    if len(problems) > before:
        return None
    scores: dict[tuple[str, str | None], float] = {}
    for key, value in table["scores"].items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(f"{where}: scores.{key!r} should be a number, found {value!r}")
            continue
        name, _, class_ = key.partition(" ")
        scores[name, class_ or None] = float(value)
    return Published(**{**table, "scores": scores})

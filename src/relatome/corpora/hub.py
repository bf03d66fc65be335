"""Corpora of the Hugging Face hub: Parquet files, and a card made of what they say of themselves.

    hf:owner/name                                    columns that are called as relatome.formats.columns.KEYS
    hf:owner/name:text=sentence,label=relevant       others, named
    hf:owner/name/CONFIG@REVISION:tokens=words,tags=labels

Files come through ``huggingface_hub``, which keeps them in its cache, knows its tokens and obeys ``HF_HUB_OFFLINE``. Nothing
but ``*.parquet`` is fetched and no code is ever run; where a dataset has only a script, the hub has often made Parquet of it
at the revision ``refs/convert/parquet``. The commit and the columns are the card's version, and so stand in every signature.

What such a card cannot say (licence, citation, published counts, which types are which across corpora) a card of your own
can: ``relatome corpora show hf:owner/name --toml > mine.toml`` is where to begin.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from relatome.corpora.card import CANONICAL_TYPES, parse
from relatome.corpora.corpus import Corpus
from relatome.corpora.files import sha256_of
from relatome.errors import CorpusError, MissingExtraError, NetworkError, SettingsError
from relatome.formats import columns, parquet
from relatome.lookup import pick

PREFIX = "hf:"

_NAME = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:/([\w.-]+))?(?:@([\w./-]+))?(?::(.*))?")
_SPLITS = {
    "train": "train", "training": "train", "validation": "dev", "valid": "dev", "val": "dev", "dev": "dev",
    "devel": "dev", "test": "test", "testing": "test",
}  # fmt: skip
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?")
_MOST_CLASSES = 1000


def load(name: str) -> Corpus:
    """The corpus that an ``hf:`` name means, its files in the cache of ``huggingface_hub``.

    Raises
    ------
    SettingsError
        The name is none, or names a column of a kind that is not known.
    CorpusError
        The dataset has no Parquet files, or not the columns.
    NetworkError
        The hub has no such dataset or cannot be reached.
    MissingExtraError
        ``huggingface_hub`` or ``pyarrow`` is not installed.
    """
    values, folder = _described(name)
    return Corpus(parse(values), beside=folder)


def toml(name: str) -> str:
    """The card of an ``hf:`` name as the text of a TOML file, to be completed by hand."""
    values, _ = _described(name)
    return "\n".join(_toml(values)) + "\n"


@lru_cache(maxsize=16)  # a command asks for its corpus again and again; the hub is asked once
def _described(name: str) -> tuple[dict[str, Any], Path]:
    """The tables of the card, and the folder with the files."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise SettingsError([f"{name!r} should be hf:owner/name, hf:owner/name/CONFIG or hf:owner/name:text=COLUMN,…"])
    dataset, config, revision, mapping = match[1], match[2] or "", match[3] or "main", match[4] or ""
    folder = _snapshot(dataset, config, revision)
    by_split = _by_split(sorted(folder.rglob("*.parquet")), folder, config, dataset)
    files = [file for inside in by_split.values() for file in inside]
    schema = _schema(folder / files[0])
    chosen = _columns(mapping, schema.names, dataset)
    kinds = {key: _classes([folder / file for file in files], schema, chosen[key]) for key in ("label", "tags")
             if key in chosen}  # fmt: skip
    commit = folder.name
    said = ",".join(f"{key}={column}" for key, column in chosen.items())
    page = f"https://huggingface.co/datasets/{dataset}"
    values: dict[str, Any] = {
        "name": re.sub("[^a-z0-9]+", "-", f"{dataset} {config}".lower()).strip("-"),
        "title": f"{dataset}{f', {config}' if config else ''}, from the Hugging Face hub",
        "version": f"{commit[:12]}:{said}",
        "reader": "columns",
        "unit": "sentence",
        "ids": "own",
        "tasks": ["ner"] if "tags" in chosen else ["classification"],
        "protocol": "official",
        "licence": "See its page",
        "terms": f"They are said at {page}, and were not read.",
        "ship": False,
        "held_out": False,
        "citation": f"See {page}",
        "columns": chosen,
        "origin": {"repository": page, "commit": commit},
    }
    if "tags" in chosen:
        types = sorted({tag[2:] or "Entity" for tag in kinds["tags"] if tag != "O"})
        values["types"] = {own: _canonical(own) for own in types}
        values["exhaustive"] = list(dict.fromkeys(values["types"].values()))
    if "label" in chosen:
        several = str(schema.field(chosen["label"]).type).startswith(("list", "large_list"))
        values["labels"] = {chosen["label"]: {"values": list(kinds["label"]), "multiple": several}}
        if several and "tags" not in chosen:
            values["tasks"] = ["multilabel"]
    clean: dict[str, Any] = {
        "kind": "clean",
        "read": files,
        "note": "divided anew, so that no sentence is on two sides",
    }
    if "label" in chosen and not values["labels"][chosen["label"]]["multiple"]:
        clean["label"] = chosen["label"]
    values["protocols"] = {
        "official": {"kind": "files", "splits": {split: {"read": inside} for split, inside in by_split.items()}},
        "clean": clean,
    }
    values["files"] = {file: {"sha256": sha256_of(folder / file), "source": file} for file in files}
    return values, folder


def _snapshot(dataset: str, config: str, revision: str) -> Path:
    """The folder of a dataset's Parquet files at one commit, after which it is called."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise MissingExtraError("huggingface_hub", "hub") from None
    wanted = [f"{config}/*.parquet", f"*/{config}/*.parquet"] if config else ["*.parquet"]
    try:
        found = snapshot_download(dataset, repo_type="dataset", revision=revision, allow_patterns=wanted)
    except HFValidationError as problem:
        raise SettingsError([f"{dataset!r} is no name of the hub: {problem}"]) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as problem:
        raise NetworkError(
            f"the dataset {dataset!r} at {revision!r} cannot be had from the Hugging Face hub: "
            f"{' '.join(str(problem).split())[:200]}",
            advice="is its name right, is there a network, and does it need HF_TOKEN? what is in the cache is used offline",
        ) from None
    return Path(found)


def _by_split(paths: Iterable[Path], folder: Path, config: str, dataset: str) -> dict[str, list[str]]:
    """The files of each split, by their names; train, dev and test first."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if name.startswith("."):
            continue
        place, split = _placed(PurePosixPath(name))
        found.setdefault(place, {}).setdefault(split, []).append(name)
    if config:
        found = {place: splits for place, splits in found.items() if config in place.split("/")}
    if not found:
        raise CorpusError(
            f"the dataset {dataset!r} has no Parquet files{f' in {config!r}' if config else ''}",
            advice=f"the hub may have made some of it: hf:{dataset}@refs/convert/parquet",
        )
    if len(found) > 1:
        names = ", ".join(f"hf:{dataset}/{place.split('/')[-1]}" for place in sorted(found))
        raise CorpusError(f"the dataset {dataset!r} is {len(found)} in one", advice=f"choose: {names}")
    (splits,) = found.values()
    order = sorted(splits, key=lambda split: (["train", "dev", "test", split].index(split), split))
    return {split: splits[split] for split in order}


def _placed(name: PurePosixPath) -> tuple[str, str]:
    """The folder that a file's configuration is called after, and its split: ``plain/train-00000-of-00001``."""
    place, stem = list(name.parent.parts), name.stem
    if stem.isdecimal() and place:  # plain/train/0000.parquet
        stem = place.pop()
    shard = _SHARD.fullmatch(stem)
    stem = shard[1] if shard else stem
    words = re.split(r"[^a-z]+", stem.lower())
    known = next((_SPLITS[word] for word in words if word in _SPLITS), None)
    return "/".join(part for part in place if part != "data"), known or (stem if shard else "train")


def _schema(path: Path) -> Any:
    schema: Any = None

    def keep(found: Any) -> list[str]:
        nonlocal schema
        schema = found
        return []

    next(parquet.rows(path, keep), None)
    return schema


def _columns(mapping: str, there: Iterable[str], dataset: str) -> dict[str, str]:
    """Which column is what: as it was said, and else the columns that are called so."""
    there = list(there)
    said: dict[str, str] = {}
    for part in filter(None, mapping.split(",")):
        key, is_said, column = part.partition("=")
        pick(key, dict(columns.KEYS), "kind of column")
        if not is_said or not column:
            raise SettingsError([f"{part!r} should be KIND=COLUMN, such as text=sentence"])
        said[key] = column
    if missing := [column for column in said.values() if column not in there]:
        raise CorpusError(
            f"the dataset {dataset!r} has no column {', '.join(missing)}", advice=f"it has: {', '.join(there)}"
        )
    by_name = {key: key for key in ("text", "tokens", "tags", "label", "pmid") if key in there}
    chosen = by_name | said
    in_tokens = "tokens" in said or "tags" in said or ("text" not in said and {"tokens", "tags"} <= chosen.keys())
    for key in ("text",) if in_tokens else ("tokens", "tags"):
        chosen.pop(key, None)
    if not ({"tokens", "tags"} <= chosen.keys() or "text" in chosen):
        raise CorpusError(
            f"which column of the dataset {dataset!r} is the text, or the tokens and their tags?",
            advice=f"say hf:{dataset}:text=COLUMN,label=COLUMN or tokens=COLUMN,tags=COLUMN; it has: {', '.join(there)}",
        )
    if "text" in chosen and "label" not in chosen:
        raise CorpusError(
            f"which column of the dataset {dataset!r} is the class of its texts?",
            advice=f"say hf:{dataset}:label=COLUMN; it has: {', '.join(there)}",
        )
    return {key: chosen[key] for key in columns.KEYS if key in chosen}


def _classes(paths: Iterable[Path], schema: Any, column: str) -> tuple[str, ...]:
    """The classes of a column in their order, as the files name them; else what stands in it, sorted."""
    if named := columns.names_of(schema, column):
        return named
    seen: set[str] = set()
    for path in paths:
        for row in parquet.rows(path, lambda _: [column]):
            value = row[column]
            seen.update(str(item) for item in (value if isinstance(value, list) else [value]) if item is not None)
            if len(seen) > _MOST_CLASSES:
                raise CorpusError(f"column {column!r} has more than {_MOST_CLASSES} different values: is it the class?")
    return tuple(sorted(seen))


def _canonical(name: str) -> str:
    return next((known for known in CANONICAL_TYPES if known.casefold() == name.casefold()), name)


def _toml(table: Mapping[str, Any], where: str = "") -> Iterable[str]:
    """The lines of a table: its values first, then the tables in it."""
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    if where and (len(inner) < len(table) or not table):
        yield f"\n[{where}]"
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in inner.items():
        yield from _toml(value, f"{where}.{_key(key)}" if where else _key(key))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)

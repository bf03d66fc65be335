"""Where corpus files lie, and whether they are the files their card describes.

``RELATOME_DATA`` names the folder; without it, ``relatome/data`` in the user's cache (``XDG_CACHE_HOME``, else
``~/.cache``). A file is hashed once per process, and again only if its size, time or inode changed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from relatome.corpora.card import Card
from relatome.errors import CorpusError

_verified: dict[str, tuple[tuple[int, int, int], str]] = {}


def data_folder() -> Path:
    """The folder with the corpora, which need not exist."""
    if folder := os.environ.get("RELATOME_DATA"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "relatome" / "data"


def verified(name: str, card: Card, *, beside: Path | None = None) -> Path:
    """The path of one of the card's files, after its sha256 was found to be the card's.

    Parameters
    ----------
    name
        As the card writes it.
    beside
        A folder to look in before the data folder: where a user's own card lies.

    Raises
    ------
    CorpusError
        The file is absent, or it is another file.
    """
    file = card.files[name]
    path = found(name, card, beside=beside)
    if path is None:
        where = " or ".join(str(folder) for folder in _folders(beside))
        raise CorpusError(
            f"corpus {card.name!r} needs the {'folder' if file.members else 'file'} {name!r}, which is not in {where}",
            advice=f"set RELATOME_DATA to the folder that holds it, or put it there from {_origin(name, card)}",
        )
    expected = file.sha256 if path.name == Path(name).name else file.content
    if (actual := sha256_of(path)) != expected:
        raise CorpusError(
            f"this is not the file that card {card.name!r} version {card.version} describes: "
            f"its sha256 is {actual}, expected {expected}",
            path=path,
            advice=f"get it again from {_origin(name, card)}",
        )
    return path


def found(name: str, card: Card, *, beside: Path | None = None) -> Path | None:
    """Where one of the card's files lies, packed or not, whatever is in it; see ``verified``."""
    names = (name, name.removesuffix(".gz")) if card.files[name].content else (name,)
    return next((folder / each for folder in _folders(beside) for each in names if present(folder / each)), None)


def present(path: Path) -> bool:
    """Whether there is such a file, or a folder that is not empty."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def sha256_of(path: Path) -> str:
    """The file's sha256, remembered for as long as the file stays the same; of a folder, see ``CorpusFile``.

    Hidden files of a folder do not count: systems put some there by themselves.
    """
    if path.is_dir():
        files = sorted((file.name, file) for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        lines = "".join(f"{sha256_of(file)}  {name}\n" for name, file in files)
        return hashlib.sha256(lines.encode()).hexdigest()
    stat = path.stat()
    signature = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    key = str(path.absolute())
    if key in _verified and _verified[key][0] == signature:
        return _verified[key][1]
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    _verified[key] = (signature, digest)
    return digest


def _folders(beside: Path | None) -> list[Path]:
    return [folder for folder in (beside, data_folder()) if folder is not None]


def _origin(name: str, card: Card) -> str:
    source = card.files[name].source
    repository, commit = card.repository_of(card.files[name])
    parts = [repository or card.origin.get("url", "its publisher")]
    if commit:
        parts.append(f"at commit {commit[:12]}")
    if source:
        parts.append(f"file {source!r}")
    if name.endswith(".gz") and not source.endswith(".gz"):
        parts.append("compressed with 'gzip -9n'")
    return ", ".join(parts)

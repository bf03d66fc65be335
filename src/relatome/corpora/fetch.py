"""Fetching a corpus's files from where its card says they are: repositories, each at one commit, file by file.

What arrives is compared with the card's sha256 before it gets its name, so a file in the data folder is either the one
the card describes or not there. Files that were compressed for the data folder are kept as they come, uncompressed.
Members of a zip file (``ARCHIVE.zip!MEMBER``) are taken out of it, by name, after it was fetched once.

A repository is one of GitHub, or a dataset of the Hugging Face hub; a file that is not from the one its card's origin
names says which it is from. Only https, only the addresses of the card. What cannot be had this way (an archive that
someone made of a repository's folder; a corpus whose terms a person has to agree to, whose card's origin has a
``register`` address) is said with the place to get it from.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote, urlsplit

from relatome.corpora.card import Card, CorpusFile
from relatome.corpora.files import present, sha256_of
from relatome.errors import CorpusError, NetworkError

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 60.0
MOST_BYTES = 512 * 1024 * 1024  # of one download, and of one file inside an archive
MOST_REDIRECTS = 5

_HOSTS = {
    "github.com": "https://raw.githubusercontent.com/{owner}/{commit}/{source}",
    "huggingface.co": "https://huggingface.co/{owner}/resolve/{commit}/{source}",
}

Told = Callable[[str, str], None]  # a file's name, and what became of it: "here", "fetched"


def fetch(card: Card, folder: Path, *, client: httpx.Client | None = None, on_file: Told | None = None) -> int:
    """Put the files of a corpus into a data folder; those that are there and right are left alone.

    Parameters
    ----------
    folder
        The data folder; made if need be.
    client
        An HTTP client to use and leave open, for a proxy or a test.
    on_file
        Told about each file: its name, and ``"here"`` or ``"fetched"``.

    Returns
    -------
    int
        How many files were fetched; a folder of files counts as one.

    Raises
    ------
    CorpusError
        A file has no address, or what came from it is not the file the card describes, or cannot be written.
    NetworkError
        A server cannot be reached, has no such file, or breaks off.
    """
    import httpx

    wanted = [file for file in card.files.values() if not _right(file, folder)]
    if problem := next((problem for file in wanted if (problem := _unreachable(card, file))), None):
        raise problem  # before anything is fetched
    tell = on_file or (lambda name, what: None)
    for file in card.files.values():
        if file not in wanted:
            tell(file.name, "here")
    connection = client or httpx.Client(timeout=TIMEOUT_SECONDS)
    archives: dict[str, IO[bytes]] = {}
    try:
        for file in wanted:
            address = _address(card, file)
            source, member = _parts(file)
            if not member:
                _put(_download(address, connection), _target(file, folder), _digest(file), card)
            else:
                if address not in archives:
                    archives[address] = _held(_download(address, connection))
                _unpack(archives[address], source, member, file, folder, card)
            tell(file.name, "fetched")
    finally:
        for archive in archives.values():
            archive.close()
        if client is None:
            connection.close()
    return len(wanted)


def addresses(card: Card) -> dict[str, str]:
    """Where each file of a corpus can be downloaded; files without an address are left out.

    Examples
    --------
    >>> from relatome import corpora
    >>> addresses(corpora.load("biosses").card)["blurb/BIOSSES/dev.tsv"]  # doctest: +ELLIPSIS
    'https://raw.githubusercontent.com/hieunguyen7337/KeBioLM/bc7c3667c786236252ba5b26b3b921197465b7a3/...'
    """
    return {file.name: _address(card, file) for file in card.files.values() if _unreachable(card, file) is None}


def _right(file: CorpusFile, folder: Path) -> bool:
    """Whether the file lies in the folder, packed or not, and is the one of the card."""
    places = [(folder / file.name, file.sha256)]
    if file.content:
        places.append((folder / file.name.removesuffix(".gz"), file.content))
    return any(present(path) and sha256_of(path) == digest for path, digest in places)


def _parts(file: CorpusFile) -> tuple[str, str]:
    """The path in the repository, and the member's name where that is an archive."""
    source, _, member = file.source.partition("!")
    return source, member


def _target(file: CorpusFile, folder: Path) -> Path:
    return folder / (file.name.removesuffix(".gz") if file.content else file.name)


def _digest(file: CorpusFile) -> str:
    return file.content or file.sha256


def _unreachable(card: Card, file: CorpusFile) -> CorpusError | None:
    """Why a file cannot be fetched by a program, if it cannot."""
    named, commit = card.repository_of(file)
    repository = urlsplit(named)
    source, _ = _parts(file)
    where = card.origin.get("register") or file.repository or card.origin.get("url") or named or "its publisher"
    if "register" in card.origin:
        return CorpusError(
            f"{card.name!r} is given to people who agree to its terms, not to programs",
            advice=f"register at {where}, and put {file.name!r} into the data folder; its terms: {card.terms}",
        )
    if repository.scheme != "https" or repository.hostname not in _HOSTS or not commit or not source:
        return CorpusError(
            f"{file.name!r} of {card.name!r} has no address to fetch it from",
            advice=f"get it from {where} and put it into the data folder; its terms: {card.terms}",
        )
    if source.endswith("/"):
        return CorpusError(
            f"{file.name!r} of {card.name!r} is an archive made of folders of the repository ({source}), "
            "which no server has as a file",
            advice=f"clone {named} at {commit[:12]} and pack {source} into it; the sha256 of "
            "another tar program's archive differs: describe it in a card of your own",
        )
    return None


def _address(card: Card, file: CorpusFile) -> str:
    """Where the file, or the archive that it is in, can be downloaded."""
    named, commit = card.repository_of(file)
    repository = urlsplit(named)
    owner = repository.path.strip("/").removesuffix(".git")
    pattern = _HOSTS[repository.hostname or ""]
    return pattern.format(owner=quote(owner), commit=commit, source=quote(_parts(file)[0]))


def _download(address: str, client: httpx.Client) -> Iterator[bytes]:
    """The bytes at an address, which may send on to another https address."""
    import httpx

    came = 0
    try:
        for _ in range(MOST_REDIRECTS + 1):
            if urlsplit(address).scheme != "https":
                raise NetworkError(f"{address} is not https, and nothing else is fetched")
            with client.stream("GET", address, follow_redirects=False) as response:
                if response.has_redirect_location:
                    address = str(response.url.join(response.headers["location"]))
                    continue
                if response.status_code == 404:
                    raise NetworkError(
                        f"{address} is not there (404)", advice="the origin has moved or was taken down: see its card"
                    )
                if response.status_code != 200:
                    raise NetworkError(
                        f"{address} answers {response.status_code} {response.reason_phrase}", advice="try again later"
                    )
                for chunk in response.iter_bytes():
                    came += len(chunk)
                    if came > MOST_BYTES:
                        raise NetworkError(
                            f"{address} sends more than {MOST_BYTES // 2**20} MB: that is no corpus file"
                        )
                    yield chunk
                return
        raise NetworkError(f"{address}: more than {MOST_REDIRECTS} redirections")
    except httpx.HTTPError as problem:
        raise NetworkError(
            f"{address} cannot be fetched: {problem or type(problem).__name__}",
            advice="is there a network, and does it need a proxy? what was fetched so far is kept: run it again",
        ) from None


def _put(chunks: Iterator[bytes], target: Path, expected: str, card: Card) -> None:
    """Write a file under a temporary name, and give it its own once it is the one expected."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            for chunk in chunks:
                digest.update(chunk)
                stream.write(chunk)
        if digest.hexdigest() != expected:
            raise CorpusError(
                f"what came is not the file that card {card.name!r} version {card.version} describes: its sha256 is "
                f"{digest.hexdigest()}, expected {expected}",
                path=target,
                advice="nothing was kept of it; has the origin changed, or does something between change what comes?",
            )
        temporary.replace(target)
    except OSError as problem:
        raise CorpusError(f"this file cannot be written: {problem.strerror}", path=target) from None
    finally:
        temporary.unlink(missing_ok=True)


def _held(chunks: Iterator[bytes]) -> IO[bytes]:
    """A download kept in a nameless temporary file."""
    stream = tempfile.TemporaryFile()  # noqa: SIM115 - it outlives this function, and its caller closes it
    try:
        for chunk in chunks:
            stream.write(chunk)
    except BaseException:
        stream.close()
        raise
    return stream


def _unpack(stream: IO[bytes], source: str, member: str, file: CorpusFile, folder: Path, card: Card) -> None:
    """A member of a zip file, or every file directly in a folder of it."""
    try:
        with zipfile.ZipFile(stream) as archive:
            if not file.members:
                _put(_member(archive, member), _target(file, folder), _digest(file), card)
                return
            inside = member.rstrip("/") + "/"
            names = [name for name in archive.namelist() if name.startswith(inside) and name != inside]
            names = [name for name in names if "/" not in name.removeprefix(inside)]
            names = sorted(name for name in names if not name.removeprefix(inside).startswith("."))
            digests = {name: hashlib.sha256() for name in names}
            for name in names:
                for chunk in _member(archive, name):
                    digests[name].update(chunk)
            lines = "".join(f"{digests[name].hexdigest()}  {name.removeprefix(inside)}\n" for name in names)
            found = hashlib.sha256(lines.encode()).hexdigest()
            if found != file.sha256:
                raise CorpusError(
                    f"{member!r} in {source!r} is not the folder that card {card.name!r} version {card.version} "
                    f"describes: {len(names)} files with the sha256 {found}, expected {file.members} with {file.sha256}"
                )
            for name in names:
                target = folder / file.name / name.removeprefix(inside)
                _put(_member(archive, name), target, digests[name].hexdigest(), card)
    except KeyError:
        raise CorpusError(f"{source!r} has no member {member!r}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as problem:
        raise CorpusError(f"{source!r} is no zip file that can be read: {problem}") from None


def _member(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    came = 0
    with archive.open(name) as stream:
        while chunk := stream.read(1 << 16):
            came += len(chunk)
            if came > MOST_BYTES:
                raise CorpusError(f"{name!r} unpacks to more than {MOST_BYTES // 2**20} MB: that is no corpus file")
            yield chunk

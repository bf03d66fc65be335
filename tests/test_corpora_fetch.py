"""Fetching corpora: from the card's address alone, by https, and nothing is kept that is not the card's file."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from relatome import corpora
from relatome.corpora import fetch as fetching
from relatome.corpora.card import Card, CorpusFile
from relatome.corpora.fetch import addresses, fetch
from relatome.corpora.files import verified
from relatome.errors import CorpusError, NetworkError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BASE = f"https://raw.githubusercontent.com/some/one/{COMMIT}"
ROWS = b"pair_id\tsent1\tsent2\tscore\n1\tA.\tB.\t2.0\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def card(*files: CorpusFile, **origin: str) -> Card:
    known = corpora.load("biosses").card
    place = {"url": "https://example.org", "repository": "https://github.com/some/one", "commit": COMMIT} | origin
    return replace(known, name="mine", origin=place, files={file.name: file for file in files})


def client(answers: dict[str, bytes | httpx.Response], asked: list[str] | None = None) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if asked is not None:
            asked.append(url)
        found = answers.get(url, httpx.Response(404))
        return httpx.Response(200, content=found) if isinstance(found, bytes) else found

    return httpx.Client(transport=httpx.MockTransport(answer))


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_a_file_is_fetched_once_and_read_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = card(CorpusFile("in/dev.tsv", sha256(ROWS), "data/a b/dev.tsv"))
    asked: list[str] = []
    told: list[tuple[str, str]] = []
    server = client({f"{BASE}/data/a%20b/dev.tsv": ROWS}, asked)
    assert fetch(mine, tmp_path, client=server, on_file=lambda *file: told.append(file)) == 1
    assert (tmp_path / "in/dev.tsv").read_bytes() == ROWS
    assert fetch(mine, tmp_path, client=server, on_file=lambda *file: told.append(file)) == 0
    assert asked == [f"{BASE}/data/a%20b/dev.tsv"]
    assert told == [("in/dev.tsv", "fetched"), ("in/dev.tsv", "here")]
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    assert verified("in/dev.tsv", mine) == tmp_path / "in/dev.tsv"


def test_a_file_comes_from_its_own_repository(tmp_path: Path) -> None:
    """And an archive of the same name in two repositories is two archives."""
    other = "89abcdef0123456789abcdef0123456789abcdef"
    there = f"https://raw.githubusercontent.com/other/two/{other}"
    place = "https://github.com/other/two"
    mine = card(
        CorpusFile("a.tsv", sha256(ROWS), "dev.tsv"),
        CorpusFile("b.tsv", sha256(b"b"), "dev.tsv", repository=place, commit=other),
        CorpusFile("c.tsv", sha256(b"c"), "all.zip!x"),
        CorpusFile("d.tsv", sha256(b"d"), "all.zip!x", repository=place, commit=other),
    )
    answers: dict[str, bytes | httpx.Response] = {
        f"{BASE}/dev.tsv": ROWS, f"{there}/dev.tsv": b"b",
        f"{BASE}/all.zip": zipped({"x": b"c"}), f"{there}/all.zip": zipped({"x": b"d"}),
    }  # fmt: skip
    assert set(addresses(mine).values()) == set(answers)
    assert fetch(mine, tmp_path, client=client(answers)) == 4
    assert [(tmp_path / name).read_bytes() for name in left(tmp_path)] == [ROWS, b"b", b"c", b"d"]


def test_where_to_get_what_no_program_can_fetch_is_the_files_own_repository(tmp_path: Path) -> None:
    own = CorpusFile("a.tar", sha256(ROWS), "in/", repository="https://github.com/other/two", commit="89abcdef" * 5)
    with pytest.raises(CorpusError, match="clone https://github.com/other/two at 89abcdef89ab and pack in/"):
        fetch(card(own), tmp_path, client=client({}))
    far = CorpusFile("a.tsv", sha256(ROWS), "a.tsv", repository="https://gitlab.com/other/two", commit="89abcdef" * 5)
    with pytest.raises(CorpusError, match="no address .*get it from https://gitlab.com/other/two and put it"):
        fetch(card(far), tmp_path, client=client({}))


def test_a_file_that_was_packed_for_the_data_folder_is_kept_as_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = gzip.compress(ROWS)
    mine = card(CorpusFile("dev.tsv.gz", sha256(packed), "dev.tsv", content=sha256(ROWS)))
    assert fetch(mine, tmp_path, client=client({f"{BASE}/dev.tsv": ROWS})) == 1
    assert left(tmp_path) == ["dev.tsv"]
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    assert verified("dev.tsv.gz", mine).name == "dev.tsv"
    (tmp_path / "dev.tsv.gz").write_bytes(packed)
    assert verified("dev.tsv.gz", mine).name == "dev.tsv.gz"
    (tmp_path / "dev.tsv.gz").unlink()
    (tmp_path / "dev.tsv").write_bytes(ROWS + b"\n")
    with pytest.raises(CorpusError, match=f"expected {sha256(ROWS)}"):
        verified("dev.tsv.gz", mine)


def test_another_file_than_the_card_describes_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "dev.tsv").write_bytes(b"mine, but wrong")
    mine = card(CorpusFile("dev.tsv", sha256(ROWS), "dev.tsv"))
    with pytest.raises(CorpusError) as caught:
        fetch(mine, tmp_path, client=client({f"{BASE}/dev.tsv": b"<html>sign in</html>"}))
    assert f"its sha256 is {sha256(b'<html>sign in</html>')}, expected {sha256(ROWS)}" in str(caught.value)
    assert "nothing was kept of it" in str(caught.value)
    assert (tmp_path / "dev.tsv").read_bytes() == b"mine, but wrong"
    assert left(tmp_path) == ["dev.tsv"]


def broken(*_: object) -> httpx.Response:
    raise httpx.ReadError("the line is dead")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(404), r"dev.tsv is not there \(404\) \(the origin has moved"),
        (httpx.Response(503), "dev.tsv answers 503 Service Unavailable"),
        (
            httpx.Response(302, headers={"location": "http://elsewhere.org/dev.tsv"}),
            "http://elsewhere.org/dev.tsv is not https",
        ),
        (httpx.Response(302, headers={"location": f"{BASE}/dev.tsv"}), "more than 5 redirections"),
        (httpx.Response(200, content=b"x" * 2000), "sends more than 0 MB: that is no corpus file"),
    ],
)
def test_what_a_server_can_do(
    answer: httpx.Response, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_BYTES", 1000)
    mine = card(CorpusFile("dev.tsv", sha256(ROWS), "dev.tsv"))
    with pytest.raises(NetworkError, match=message):
        fetch(mine, tmp_path, client=client({f"{BASE}/dev.tsv": answer}))
    assert left(tmp_path) == []


def test_a_redirection_to_https_is_followed(tmp_path: Path) -> None:
    sent = httpx.Response(302, headers={"location": "https://cdn.example.org/x"})
    server = client({f"{BASE}/dev.tsv": sent, "https://cdn.example.org/x": ROWS})
    assert fetch(card(CorpusFile("dev.tsv", sha256(ROWS), "dev.tsv")), tmp_path, client=server) == 1


def test_no_network(tmp_path: Path) -> None:
    server = httpx.Client(transport=httpx.MockTransport(broken))
    with pytest.raises(NetworkError, match=r"cannot be fetched: the line is dead \(is there a network"):
        fetch(card(CorpusFile("dev.tsv", sha256(ROWS), "dev.tsv")), tmp_path, client=server)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("source", "origin", "message"),
    [
        ("", {}, "has no address to fetch it from .*get it from https://example.org"),
        ("dev.tsv", {"repository": "http://github.com/some/one"}, "has no address"),
        ("dev.tsv", {"repository": "https://gitlab.com/some/one"}, "has no address"),
        ("labels/ text/", {}, "is an archive made of folders of the repository .*clone https://github.com/some/one"),
        (
            "dev.tsv",
            {"register": "https://example.org/form"},
            "given to people who agree .*register at https://example.org/form",
        ),
    ],
)
def test_what_no_program_can_fetch(source: str, origin: dict[str, str], message: str, tmp_path: Path) -> None:
    asked: list[str] = []
    mine = card(CorpusFile("a.tsv", sha256(ROWS), "a.tsv"), CorpusFile("dev.tsv", sha256(ROWS), source), **origin)
    with pytest.raises(CorpusError, match=message):
        fetch(mine, tmp_path, client=client({f"{BASE}/a.tsv": ROWS}, asked))
    assert asked == [] and left(tmp_path) == []


FOLDER = {"Corpus/in/b.xml": b"<b/>", "Corpus/in/a.xml": b"<a/>"}
FOLDER_DIGEST = sha256(f"{sha256(b'<a/>')}  a.xml\n{sha256(b'<b/>')}  b.xml\n".encode())


def test_members_of_a_zip_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"Corpus/in/.DS_Store": b"x", "Corpus/in/deep/c.xml": b"<c/>", "Corpus/README": b"read me"}
    asked: list[str] = []
    server = client({f"{BASE}/all.zip": zipped(FOLDER | others)}, asked)
    mine = card(
        CorpusFile("in", FOLDER_DIGEST, "all.zip!Corpus/in", members=2),
        CorpusFile("README.gz", sha256(gzip.compress(b"read me")), "all.zip!Corpus/README", content=sha256(b"read me")),
    )
    assert fetch(mine, tmp_path, client=server) == 2
    assert left(tmp_path) == ["README", "in/a.xml", "in/b.xml"]
    assert asked == [f"{BASE}/all.zip"]
    assert fetch(mine, tmp_path, client=server) == 0
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    assert verified("in", mine) == tmp_path / "in"
    (tmp_path / "in" / ".hidden").write_bytes(b"")
    assert verified("in", mine) == tmp_path / "in"
    (tmp_path / "in" / "c.xml").write_bytes(b"<c/>")
    with pytest.raises(CorpusError, match=f"expected {FOLDER_DIGEST}"):
        verified("in", mine)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (zipped({"Corpus/in/a.xml": b"<a/>"}), "is not the folder that card 'mine' .*: 1 files with the sha256"),
        (zipped({}), "is not the folder"),
        (b"PK no zip", "'all.zip' is no zip file that can be read"),
        (zipped(FOLDER)[:-40], "'all.zip' is no zip file that can be read"),
    ],
)
def test_an_archive_that_is_another(archive: bytes, message: str, tmp_path: Path) -> None:
    mine = card(CorpusFile("in", FOLDER_DIGEST, "all.zip!Corpus/in", members=2))
    with pytest.raises(CorpusError, match=message):
        fetch(mine, tmp_path, client=client({f"{BASE}/all.zip": archive}))
    assert left(tmp_path) == []


def test_a_member_that_is_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server: Callable[[], httpx.Client] = lambda: client({f"{BASE}/all.zip": zipped({"bomb": b"0" * 200_000})})  # noqa: E731
    with pytest.raises(CorpusError, match="'all.zip' has no member 'other'"):
        fetch(card(CorpusFile("x", sha256(ROWS), "all.zip!other")), tmp_path, client=server())
    monkeypatch.setattr(fetching, "MOST_BYTES", 100_000)
    with pytest.raises(CorpusError, match="'bomb' unpacks to more than 0 MB"):
        fetch(card(CorpusFile("x", sha256(ROWS), "all.zip!bomb")), tmp_path, client=server())
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", corpora.names())
def test_every_card_says_where_its_files_are(name: str, tmp_path: Path) -> None:
    """Each file has an https address at its commit, or the reason why there is none."""
    found = corpora.load(name).card
    known = addresses(found)
    for file, address in known.items():
        repository, commit = found.repository_of(found.files[file])
        assert address.startswith(
            f"https://raw.githubusercontent.com/{repository.removeprefix('https://github.com/')}/"
        )
        assert f"/{commit}/" in address
    if len(known) < len(found.files):
        with pytest.raises(CorpusError, match="archive made of folders|people who agree"):
            fetch(found, tmp_path, client=client({}))

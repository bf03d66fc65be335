"""Fetching PMIDs from NCBI, against a mock transport: batches, pace, back-off, and what is said when it fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs

import httpx
import pytest

from relatome.corpora import eutils
from relatome.documents import Document
from relatome.errors import InputError, NetworkError

KNOWN = range(1, 1000)


def article(pmid: str) -> str:
    return (
        f"<PubmedArticle><MedlineCitation><PMID Version='1'>{pmid}</PMID><Article>"
        f"<ArticleTitle>Lithium and study {pmid}.</ArticleTitle>"
        f"<Abstract><AbstractText>Nothing was found.</AbstractText></Abstract>"
        f"</Article></MedlineCitation></PubmedArticle>"
    )


def answer(pmids: list[str]) -> httpx.Response:
    body = "".join(article(pmid) for pmid in reversed(pmids) if int(pmid) in KNOWN)  # NCBI promises no order
    return httpx.Response(200, text=f"<?xml version='1.0'?><PubmedArticleSet>{body}</PubmedArticleSet>")


class Ncbi:
    """A server that first gives the answers it was told to give, and a clock that only sleeping moves."""

    def __init__(self, *first: httpx.Response | Exception) -> None:
        self.first = list(first)
        self.requests: list[dict[str, list[str]]] = []
        self.times: list[float] = []
        self.slept: list[float] = []
        self.missing: list[str] = []
        self.now = 100.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == eutils.URL and request.method == "POST"
        self.requests.append(parse_qs(request.content.decode()))
        self.times.append(self.now)
        if self.first:
            response = self.first.pop(0)
            if isinstance(response, Exception):
                raise response
            return response
        return answer(self.requests[-1]["id"][0].split(","))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def fetch(self, *pmids: str | int) -> list[Document]:
        with httpx.Client(transport=httpx.MockTransport(self)) as client:
            found = eutils.fetch(
                pmids, on_missing=self.missing.append, client=client, sleep=self.sleep, clock=lambda: self.now
            )
            return list(found)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NCBI_API_KEY", raising=False)


def test_documents_come_in_the_order_asked_each_once() -> None:
    ncbi = Ncbi()
    documents = ncbi.fetch(30, "PMID: 10", "0020", 30)
    assert [document.id for document in documents] == ["30", "10", "20"]
    assert documents[0].text.startswith("Lithium and study 30.")
    assert ncbi.requests == [{"db": ["pubmed"], "retmode": ["xml"], "tool": ["relatome"], "id": ["30,10,20"]}]


def test_batches_of_two_hundred_three_requests_a_second() -> None:
    ncbi = Ncbi()
    assert len(ncbi.fetch(*range(1, 902))) == 901
    assert [len(request["id"][0].split(",")) for request in ncbi.requests] == [200, 200, 200, 200, 101]
    assert [round(later - sooner, 6) for sooner, later in zip(ncbi.times, ncbi.times[1:], strict=False)] == [
        0.333333
    ] * 4


def test_ten_requests_a_second_with_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCBI_API_KEY", "secret")
    ncbi = Ncbi()
    ncbi.fetch(*range(1, 402))
    assert ncbi.requests[0]["api_key"] == ["secret"]
    assert [round(later - sooner, 6) for sooner, later in zip(ncbi.times, ncbi.times[1:], strict=False)] == [0.1] * 2


def test_missing_pmids_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    ncbi = Ncbi()
    assert [document.id for document in ncbi.fetch(1, 5000, 2)] == ["1", "2"]
    assert ncbi.missing == ["5000"]
    assert ncbi.fetch(5000) == []  # an empty set
    assert Ncbi(httpx.Response(400, text="<ERROR>ID list is empty! In it there are neither IDs</ERROR>")).fetch(1) == []
    with httpx.Client(transport=httpx.MockTransport(Ncbi())) as client:
        assert list(eutils.fetch(["5000"], client=client)) == []
    assert "PubMed has no article with PMID 5000" in caplog.text


def test_no_pmids_no_request() -> None:
    ncbi = Ncbi()
    assert ncbi.fetch() == [] and ncbi.requests == []


@pytest.mark.parametrize("pmid", ["", "PMC123", "12a", "-3", "0", "1234567890", "1,2"])
def test_what_is_no_pmid(pmid: str) -> None:
    ncbi = Ncbi()
    with pytest.raises(InputError, match=r"is not a PMID \(a PMID is a number of up to 9 digits\)"):
        ncbi.fetch("1", pmid)
    assert ncbi.requests == []


def test_waits_grow_when_the_server_is_busy() -> None:
    ncbi = Ncbi(httpx.Response(503), httpx.Response(429), httpx.ReadTimeout("slow"), httpx.ReadError("broken"))
    assert [document.id for document in ncbi.fetch(1)] == ["1"]
    assert ncbi.slept == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("86400", eutils.MOST_SECONDS), ("soon", 1), ("", 1), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_retry_after_is_honoured(header: str, seconds: float) -> None:
    ncbi = Ncbi(httpx.Response(429, headers={"Retry-After": header}))
    ncbi.fetch(1)
    assert ncbi.slept[0] == seconds


def test_retry_after_as_a_date() -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    ncbi = Ncbi(httpx.Response(503, headers={"Retry-After": when}))
    ncbi.fetch(1)
    assert 25 < ncbi.slept[0] <= 30


def failing(make: Callable[[], httpx.Response | Exception]) -> tuple[Ncbi, str]:
    ncbi = Ncbi(*(make() for _ in range(20)))
    with pytest.raises(NetworkError) as caught:
        ncbi.fetch(1)
    return ncbi, str(caught.value)


def test_a_server_that_stays_busy() -> None:
    ncbi, message = failing(lambda: httpx.Response(503))
    assert message == (
        "NCBI (eutils.ncbi.nlm.nih.gov) answered 503 Service Unavailable, asked 5 times (try again later)"
    )
    assert ncbi.slept == [1, 2, 4, 8]


def test_no_network_is_said_soon() -> None:
    ncbi, message = failing(lambda: httpx.ConnectError("Name or service not known"))
    assert message == (
        "NCBI (eutils.ncbi.nlm.nih.gov) cannot be reached (Name or service not known), asked 2 times "
        "(is there a network, and does it need a proxy?)"
    )
    assert sum(ncbi.slept) < 3


def test_a_server_that_never_answers() -> None:
    assert "did not answer within 30 s, asked 5 times" in failing(lambda: httpx.ReadTimeout("slow"))[1]
    assert "broke off (gone), asked 5 times" in failing(lambda: httpx.RemoteProtocolError("gone"))[1]


def test_a_refusal_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCBI_API_KEY", "secret")
    ncbi, message = failing(lambda: httpx.Response(400, text="<b>API key\n invalid</b>"))
    assert message == "NCBI (eutils.ncbi.nlm.nih.gov) answered 400 Bad Request: API key invalid"
    assert len(ncbi.requests) == 1 and "secret" not in message


@pytest.mark.parametrize(
    "body", ["{'error': 'rate limit'}", "<html><body>Moved</body></html>", "<PubmedArticleSet><PubmedArticle>"]
)
def test_an_answer_that_is_no_articles(body: str) -> None:
    assert "answered with something else than articles: " in failing(lambda: httpx.Response(200, text=body))[1]

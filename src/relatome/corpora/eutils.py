"""PubMed abstracts by PMID, from NCBI's E-utilities.

``efetch`` answers with the same XML as the PubMed baseline, which ``relatome.formats.pubmed`` reads. NCBI allows three
requests a second, ten with an API key (``NCBI_API_KEY``), asks programs to name themselves, and wants long lists of
PMIDs posted. A busy server (429 or 5xx) is asked again after the time it names, or twice as long each time.

References
----------
https://www.ncbi.nlm.nih.gov/books/NBK25499/ (efetch), https://www.ncbi.nlm.nih.gov/books/NBK25497/ (usage policy)
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from relatome.documents import Document
from relatome.errors import InputError, NetworkError
from relatome.formats import pubmed

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger(__name__)

URL = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/efetch.fcgi"
PMIDS_A_REQUEST = 200
REQUESTS_A_SECOND, WITH_KEY = 3, 10
ATTEMPTS = 5
MOST_SECONDS = 60.0  # no wait is longer, whatever the server asks for
TIMEOUT_SECONDS = 30.0

OnMissing = Callable[[str], None]


def fetch(
    pmids: Iterable[str | int],
    *,
    on_missing: OnMissing | None = None,
    client: httpx.Client | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Document]:
    """The abstracts of these PMIDs, in the order asked, each once.

    Parameters
    ----------
    pmids
        Numbers, or text such as ``"PMID: 123"``. Taken from as needed, 200 at a time.
    on_missing
        Told about a PMID that NCBI does not have; without it a warning is logged.
    client
        An HTTP client to use and leave open, for a proxy or a test.
    sleep, clock
        How time is spent and read.

    Raises
    ------
    InputError
        Something is not a PMID; before anything of its batch is asked for.
    NetworkError
        NCBI cannot be reached, keeps being busy, or answers with something else than articles.
    """
    import httpx

    key = os.environ.get("NCBI_API_KEY", "")
    pace = _Pace(WITH_KEY if key else REQUESTS_A_SECOND, sleep, clock)
    connection = client or httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True)
    try:
        for batch in _batches(pmids):
            found = {document.id: document for document in _parsed(_asked(batch, key, connection, pace))}
            for pmid in batch:
                if pmid in found:
                    yield found[pmid]
                elif on_missing is not None:
                    on_missing(pmid)
                else:
                    _log.warning("PubMed has no article with PMID %s", pmid)
    finally:
        if client is None:
            connection.close()


class _Pace:
    """No more than so many requests a second."""

    def __init__(self, requests_a_second: int, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self.sleep, self.clock = sleep, clock
        self.seconds = 1 / requests_a_second
        self.next = clock()

    def wait(self) -> None:
        if (rest := self.next - self.clock()) > 0:
            self.sleep(rest)
        self.next = max(self.next, self.clock()) + self.seconds


def _batches(pmids: Iterable[str | int]) -> Iterator[list[str]]:
    seen: set[str] = set()
    batch: list[str] = []
    for given in pmids:
        match = re.fullmatch(r"\s*(?:PMID)?:?\s*0*([1-9][0-9]{0,8})\s*", str(given), flags=re.IGNORECASE | re.ASCII)
        if not match:
            raise InputError(f"{given!r} is not a PMID", advice="a PMID is a number of up to 9 digits")
        if match[1] not in seen:
            seen.add(match[1])
            batch.append(match[1])
        if len(batch) == PMIDS_A_REQUEST:
            yield batch
            batch = []
    if batch:
        yield batch


def _asked(pmids: list[str], key: str, client: httpx.Client, pace: _Pace) -> bytes:
    """The XML for one batch, after as many attempts as it takes; empty if NCBI has none of them."""
    import httpx

    data = {"db": "pubmed", "retmode": "xml", "tool": "relatome", "id": ",".join(pmids)}
    if key:
        data["api_key"] = key  # in the body, so that it is in no message and no log
    problem, advice = "", "try again later"
    for attempt in range(ATTEMPTS):
        seconds = 2.0**attempt
        pace.wait()
        try:
            response = client.post(URL, data=data)
        except httpx.ConnectError as error:
            problem, advice = f"cannot be reached ({error})", "is there a network, and does it need a proxy?"
            if attempt:  # one more try for a hiccup; a machine without network should not wait for half a minute
                break
        except httpx.TimeoutException:
            problem = f"did not answer within {TIMEOUT_SECONDS:g} s"
        except httpx.HTTPError as error:
            problem = f"broke off ({error or type(error).__name__})"
        else:
            if response.is_success:
                return response.content
            if response.status_code == 400 and b"ID list is empty" in response.content:
                return b""
            problem = f"answered {response.status_code} {response.reason_phrase}".rstrip()
            if response.status_code != 429 and response.status_code < 500:
                said = " ".join(re.sub(r"<[^>]*>", " ", response.text[:2000]).split())[:200]
                raise NetworkError(f"{_name()} {problem}: {said}" if said else f"{_name()} {problem}")
            seconds = _retry_after(response.headers.get("Retry-After", ""), seconds)
        if attempt < ATTEMPTS - 1:
            _log.info("%s %s; asking again in %.1f s", _name(), problem, seconds)
            pace.sleep(min(seconds, MOST_SECONDS))
    raise NetworkError(f"{_name()} {problem}, asked {attempt + 1} times", advice=advice)


def _retry_after(header: str, otherwise: float) -> float:
    """What the server asks for: a number of seconds, or a date."""
    if header.strip().isdecimal():
        return float(header)
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return otherwise
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _parsed(answer: bytes) -> Iterator[Document]:
    """The documents of one answer. It goes through a file, as all that is read does."""
    if not answer.strip():
        return
    if b"<PubmedArticleSet" not in answer:  # an error page with status 200; it has happened
        start = answer[:100].decode("utf-8", "replace")
        raise NetworkError(f"{_name()} answered with something else than articles: {start!r}")
    with tempfile.TemporaryDirectory(prefix="relatome-") as folder:
        path = Path(folder) / "efetch.xml"
        path.write_bytes(answer)
        try:
            yield from pubmed.read(path)
        except InputError as error:
            raise NetworkError(f"{_name()} answered with something else than articles: {error.message}") from None


def _name() -> str:
    return f"NCBI ({URL.split('/')[2]})"

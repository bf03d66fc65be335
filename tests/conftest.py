"""What every test shares: no network, no surprise threads, the real corpora where they are, a small hypothesis profile."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before anything imports torch, tokenizers or a hub client; the processes that tests start inherit them.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # one order of floating-point sums, and no thrashing on two cores
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "relatome",
    deadline=None,  # a shared two-core machine stalls now and then
    derandomize=True,  # the same examples every run: a red build can be repeated
    max_examples=60,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("relatome")


@pytest.fixture(scope="session")
def corpus_data() -> Path:
    """The folder of real corpora; a test that asks for it is skipped where RELATOME_DATA is not set."""
    folder = os.environ.get("RELATOME_DATA", "")
    if not folder:
        pytest.skip("RELATOME_DATA is not set: the real corpora are not here")
    path = Path(folder).expanduser().resolve()
    if not path.is_dir():
        pytest.fail(f"RELATOME_DATA names {folder!r}, which is no folder")
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model with random weights and three heads: entities, packed relations, ade-sentence."""
    from tests import tiny  # torch is loaded only where a test asks for a model

    return tiny.model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def _loopback_only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test talks to another machine, unless it is marked ``network``."""
    if request.node.get_closest_marker("network") is None:
        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What reads corpora is marked so: ``-m corpus`` runs it alone."""
    for item in items:
        if "corpus_data" in getattr(item, "fixturenames", ()):
            item.add_marker("corpus")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, with the reason, what this machine cannot run."""
    if item.get_closest_marker("network") and os.environ.get("RELATOME_NETWORK") != "1":
        pytest.skip("needs the network: set RELATOME_NETWORK=1")
    if item.get_closest_marker("gpu") and not _has_gpu():
        pytest.skip("needs a CUDA device")


def _guarded(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(str(address[0])):
            raise OSError(
                f"a test tried to reach {address[0]!r}: mark it `network`, or answer it with a mock transport"
            )
        return connect(self, address)

    return guarded


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _has_gpu() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()

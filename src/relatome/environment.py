"""What a process runs on: Python, system, processor and the versions of the libraries that numbers depend on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("relatome", "numpy", "openvino", "torch", "tokenizers", "transformers", "accelerate", "scikit-learn")


def environment(**more: str) -> dict[str, str]:
    """What this process runs on; no name of a person, a machine or a folder is in it.

    Parameters
    ----------
    more
        What only the caller knows, such as the precision; what is empty is left out.

    Examples
    --------
    >>> found = environment(precision="bf16", device="")
    >>> found["python"].startswith("3."), found["precision"], "device" in found
    (True, 'bf16', False)
    """
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    found |= {"processor": _processor(), "cores": str(os.cpu_count())}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {key: value for key, value in {**found, **more}.items() if value}


def _processor() -> str:
    """The processor's name, where the system says it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor()

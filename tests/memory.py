"""The memory a process held at its peak, its own alone.

``resource.getrusage`` cannot say that of a process that a test starts: on Linux its ``ru_maxrss`` begins with the peak
of the process it was forked from (measured: 1,510 MiB for an empty Python started by one of 1,500 MiB), so a test of an
upper bound fails, and one of growth cannot fail, after any other test that took much.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")

needs_proc = pytest.mark.skipif(not STATUS.is_file(), reason=f"{sys.platform} has no /proc to read the peak from")


def peak_mib() -> float:
    """Peak resident memory of this process since it began, in MiB."""
    line = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024

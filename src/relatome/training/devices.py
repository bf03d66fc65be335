"""What a run computes on: devices and processes, as ``accelerate launch`` says, and the precision they are good for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs

from relatome.errors import SettingsError
from relatome.training import sharding


def accelerator(wanted: str) -> Accelerator:
    """Devices and processes as ``accelerate launch`` says.

    Parameters
    ----------
    wanted
        ``auto``, ``fp32``, ``bf16`` or ``fp16``.

    Raises
    ------
    SettingsError
        ``fp16`` is wanted where there is no CUDA device.
    """
    AcceleratorState._reset_state()  # it is one for the process, and the run before this may have had another precision
    with sharding.hidden_from_accelerate():
        return Accelerator(
            mixed_precision=precision(wanted),
            kwargs_handlers=[
                # the others wait while the first process scores dev
                InitProcessGroupKwargs(timeout=timedelta(days=1)),
            ],
        )


def precision(wanted: str) -> str:
    """``"bf16"``, ``"fp16"`` or ``"no"``, accelerate's words, for ``auto``, ``fp32``, ``bf16`` or ``fp16`` on this machine.

    Raises
    ------
    SettingsError
        ``fp16`` is wanted where there is no CUDA device.
    """
    if wanted == "fp16" and not torch.cuda.is_available():
        raise SettingsError(["precision fp16 needs a CUDA device, and there is none here: choose auto, bf16 or fp32"])
    if wanted != "auto":
        return {"fp32": "no"}.get(wanted, wanted)
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if _cpu_has_bf16() else "no"


def _cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; where it does not, bfloat16 is slower than float32."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return False
    flags = next((line for line in file.read_text(errors="replace").splitlines() if line.startswith("flags")), "")
    return "avx512_bf16" in flags or "amx_bf16" in flags

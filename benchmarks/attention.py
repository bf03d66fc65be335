"""What a layer's attention costs in training on a CPU in bf16: torch's fused kernel and ours, by the shape of a batch.

    python benchmarks/attention.py [--json]

Prints milliseconds of the way there and of the way back, the least of ten, on one thread, and how many times
`relatome.models.encoder.attend` is faster. The heads are those of the six-layer encoder: 12 of 32.
"""

from __future__ import annotations

import argparse
import json
import time

import torch
from rich.console import Console
from rich.table import Table

from relatome.models.encoder import attend

SHAPES = ((28, 40), (8, 128), (4, 256), (2, 512))  # rows and pieces of a batch of 1,024 pieces or so
HEADS, WIDTH = 12, 32


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON object")
    as_json = parser.parse_args().as_json
    torch.set_num_threads(1)
    rows = []
    for count, pieces in SHAPES:
        there, back = timed(torch.nn.functional.scaled_dot_product_attention, count, pieces)
        our_there, our_back = timed(attend, count, pieces)
        rows.append(
            {
                "name": f"{count} rows of {pieces} pieces", "torch there": there, "torch back": back,
                "ours there": our_there, "ours back": our_back, "ratio": (there + back) / (our_there + our_back),
            }
        )  # fmt: skip
    if as_json:
        print(json.dumps({"rows": rows, "torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}))
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:.1f}" if isinstance(value, float) else value for value in row.values()))
    Console(width=140).print(table)


def timed(attention, rows: int, pieces: int) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Milliseconds there and back, the least of ten."""
    shape = (rows, pieces, HEADS, WIDTH)
    sides = [torch.randn(shape, dtype=torch.bfloat16).transpose(1, 2).requires_grad_() for _ in range(3)]
    bias = torch.zeros(rows, 1, pieces, pieces, dtype=torch.bfloat16)
    slope = torch.randn(rows, HEADS, pieces, WIDTH, dtype=torch.bfloat16)
    there, back = [], []
    for _ in range(10):
        begun = time.perf_counter()
        found = attention(*sides, bias)
        turned = time.perf_counter()
        found.backward(slope)
        there.append(turned - begun)
        back.append(time.perf_counter() - turned)
    return 1000 * min(there), 1000 * min(back)


if __name__ == "__main__":
    main()

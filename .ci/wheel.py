"""Look into the wheel that was built: does it hold the default model, the corpus cards and the notices, and nothing else?"""

from __future__ import annotations

import sys
import zipfile
from pathlib import PurePosixPath

LIMIT_MB = 30  # of src/relatome/default/, with tokenizer and card


def problems(path: str) -> list[str]:
    """What is wrong with the wheel at ``path``; empty if nothing is."""
    found = []
    with zipfile.ZipFile(path) as wheel:
        sizes = {info.filename: info.file_size for info in wheel.infolist()}
    default = {name: size for name, size in sizes.items() if name.startswith("relatome/default/")}
    if not any(size > 5_000_000 for size in default.values()):
        found.append("no weights in relatome/default/")
    if not any(name.endswith((".md", ".json")) for name in default):
        found.append("no card in relatome/default/")
    if (total := sum(default.values())) > LIMIT_MB * 1_000_000:
        found.append(f"relatome/default/ takes {total / 1e6:.1f} MB, limit {LIMIT_MB} MB")
    for corpus in ("ade", "bc5cdr", "biored", "chemprot", "ncbi-disease"):
        if f"relatome/corpora/catalogue/{corpus}.toml" not in sizes:
            found.append(f"no card of the corpus {corpus}")
    for name in ("relatome/py.typed", "relatome/cli/__init__.py"):
        if name not in sizes:
            found.append(f"no {name}")
    for notice in ("LICENSE", "NOTICE"):
        if not any(PurePosixPath(name).name == notice and ".dist-info" in name for name in sizes):
            found.append(f"no {notice}")
    found += [f"{name} does not belong in it" for name in sizes if name.split("/")[0] in ("tests", "recipes", "docs")]
    print(f"{path}: {len(sizes)} files, default model {total / 1e6:.1f} MB")
    return found


if __name__ == "__main__":
    found = problems(sys.argv[1])
    print(*found, sep="\n", file=sys.stderr)
    sys.exit(bool(found))

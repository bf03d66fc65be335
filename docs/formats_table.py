"""Writes the table of ``docs/formats.md`` from the formats themselves: ``python docs/formats_table.py``.

``tests/test_formats.py`` compares the table with the registry and names this script where they differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).parent / "formats.md"
TABLE = re.compile(r"(?<=<!-- formats -->\n\n).*?(?=\n<!-- end -->)", flags=re.DOTALL)


def table() -> str:
    """A row for each format, in the order of their names."""
    from relatome import formats

    rows = ["| Name | What it is | Writes | A written file keeps | Known by its content |", "|---|---|---|---|---|"]
    for name in sorted(formats.FORMATS):
        module = import_module(formats.FORMATS[name])
        writes = hasattr(module, "write")
        cells = [
            f"`{name}`",
            (module.__doc__ or "").splitlines()[0].rstrip(".").replace("``", "`").replace("|", "\\|"),
            "yes" if writes else "",
            ", ".join(_kept(module.HOLDS)) if writes else "",
            "yes" if hasattr(module, "fits") or hasattr(module, "fits_archive") else "no: `--from`",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _kept(holds: frozenset[str]) -> Iterator[str]:
    """The parts in the order of their table; all, all but a few, or these."""
    from relatome.formats.losses import PARTS

    missing = [part for part in PARTS if part not in holds]
    if not missing:
        yield "everything"
    elif len(missing) <= 3:
        yield "all but " + ", ".join(missing).replace("_", " ")
    else:
        yield from (part.replace("_", " ") for part in PARTS if part in holds)
        yield from (f"`{key}`" for key in sorted(holds - set(PARTS)))


def main() -> None:
    """Rewrite the table in formats.md."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda _: table(), page), encoding="utf-8")


if __name__ == "__main__":
    main()

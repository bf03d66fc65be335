"""Tables as Markdown, LaTeX, CSV and JSON, each escaped as its reader needs it.

The same cells everywhere: for the eye numbers have four decimals and what is not known is a dash; CSV and JSON hold
every digit, and nothing (``null``) where there is no number.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relatome.scoring.score import Report

Cell = str | int | float | None

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~#&])")


@dataclass(frozen=True, slots=True)
class Table:
    """A title, names of columns, and rows of cells.

    Parameters
    ----------
    name
        What its file is called.

    Examples
    --------
    >>> print(markdown(Table("x", "Scores", ("class", "f1"), (("CPR:4", 0.5), ("a|b", None)))))
    | class | f1 |
    |---|---:|
    | CPR:4 | 0.5000 |
    | a\\|b | - |
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.name

    def numeric(self, column: int) -> bool:
        """Whether the column holds numbers only, so that it is put to the right."""
        cells = [row[column] for row in self.rows if row[column] is not None]
        return bool(cells) and not any(isinstance(cell, str) for cell in cells)


def of_report(
    report: Report, name: str, title: str, *, numbers: Sequence[str] = ("precision", "recall", "f1"),
    beside: Mapping[str, Report] | None = None,
) -> Table:  # fmt: skip
    """A row for each class and average: numbers, F1's interval, support; and the F1 of other reports beside it."""
    others = {what: {row["class"]: row for row in one.rows()} for what, one in (beside or {}).items()}
    rows = []
    for row in report.rows():
        if "f1" in row:
            own = [row.get(number) for number in numbers]
            rows.append(
                (str(row["class"]), *own, row["f1 low"], row["f1 high"], row["support"],
                 *(found.get(row["class"], {}).get("f1") for found in others.values()))
            )  # fmt: skip
    columns = ("class", *numbers, "f1 low", "f1 high", "support", *(f"f1, {what}" for what in others))
    return Table(name, title, columns, tuple(rows))


def markdown(table: Table) -> str:
    """A pipe table, without its title."""
    sides = ["---:" if table.numeric(number) else "---" for number in range(len(table.columns))]
    lines = ["| " + " | ".join(map(escaped, table.columns)) + " |", "|" + "|".join(sides) + "|"]
    lines += ["| " + " | ".join(escaped(_shown(cell)) for cell in row) + " |" for row in table.rows]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escaped("a|b <i> SUBSTRATE_PRODUCT-OF")
    'a\\\\|b \\\\<i\\\\> SUBSTRATE\\\\_PRODUCT-OF'
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(_visible(text).split()))


def latex(table: Table) -> str:
    """A ``table`` with booktabs rules; needs ``\\usepackage{booktabs}``, and T1 fonts for what is not ASCII."""
    sides = "".join("r" if table.numeric(number) else "l" for number in range(len(table.columns)))
    lines = [
        r"\begin{table}", r"\centering", rf"\caption{{{_tex(table.title)}}}", rf"\label{{tab:{_label(table.name)}}}",
        rf"\begin{{tabular}}{{{sides}}}", r"\toprule", " & ".join(map(_tex, table.columns)) + r" \\", r"\midrule",
        *(" & ".join(_tex(_shown(cell)) for cell in row) + r" \\" for row in table.rows),
        r"\bottomrule", r"\end{tabular}", r"\end{table}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def comma_separated(table: Table) -> str:
    """RFC 4180, with line feeds."""
    written = io.StringIO()
    for row in (table.columns, *table.rows):
        # a carriage return ends a line for whoever reads it, but the module quotes only its own line end
        bare = any(isinstance(cell, str) and "\r" in cell for cell in row)
        writer = csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL)
        writer.writerow([_plain(cell) for cell in row])
    return written.getvalue()


def as_json(table: Table) -> str:
    """A title, and an object for each row."""
    rows = [dict(zip(table.columns, map(_plain, row), strict=True)) for row in table.rows]
    return json.dumps({"title": table.title, "rows": rows}, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _markdown_file(table: Table) -> str:
    return f"**{escaped(table.title)}**\n\n{markdown(table)}\n"


def _shown(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.4f}" if math.isfinite(cell) else "-"
    return "-" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def _plain(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _tex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(_visible(text).split()))


def _label(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", name)


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


TO: dict[str, tuple[str, Callable[[Table], str]]] = {
    "markdown": (".md", _markdown_file),
    "latex": (".tex", latex),
    "csv": (".csv", comma_separated),
    "json": (".json", as_json),
}
"""Formats of tables: the end of the file's name, and how it is written."""

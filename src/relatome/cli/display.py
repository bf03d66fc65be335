"""Documents for the eye: text with its entities marked by type, relations as a table, adverse-effect sentences.

On a terminal entities are coloured; elsewhere, and with ``NO_COLOR``, they are written ``[Aspirin]Chemical``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from relatome.cli.terminal import console, safe
from relatome.formats.files import writing

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from relatome.documents import Document, Label, Mention, Span

COLOURS = {
    "Chemical": "black on bright_cyan",
    "Disease": "black on bright_yellow",
    "Gene": "black on bright_green",
    "Variant": "black on bright_magenta",
    "Species": "white on blue",
    "CellLine": "white on magenta",
}
_OTHER = "black on white"
_CUES = {"negation": "denied", "speculation": "unsure"}
_NEGATIVE = ("no-", "no_", "not-", "non-")


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Show documents one after another; how many there were."""
    count = 0
    with writing(path) as stream:
        screen = console(stream)
        for document in documents:
            show(screen, document)
            count += 1
    return count


def show(screen: Console, document: Document) -> None:
    """One document: a rule with its id, its text, a legend, what was found, and what was not."""
    from rich.text import Text

    coloured = screen.is_terminal and not screen.no_color
    screen.rule(Text(safe(document.id), style="bold"), align="left", characters="─" if coloured else "-")
    put(screen, marked(document, coloured=coloured))
    screen.print()
    kinds = list(dict.fromkeys(mention.type for mention in document.mentions))
    if coloured and kinds:
        legend = Text("entities: ")
        for kind in kinds:
            legend.append(f" {safe(kind)} ", style=COLOURS.get(kind, _OTHER)).append(" ")
        screen.print(legend)
    if not kinds:
        screen.print("no entities found")
    if document.relations:
        _relations(screen, document)
        screen.print()
    elif kinds:
        screen.print("no relations found")
    for title, labels in _reported(document.labels):
        rows = [(label.probability, document.text[label.start : label.end]) for label in labels]
        table(screen, title, ("probability", "sentence"), rows, wide="sentence")
    reading = document.meta.get("relatome")
    if isinstance(reading, dict) and reading.get("dropped"):
        screen.print(f"{reading['dropped']} pairs were not read: their mentions are further apart than a window")
    if isinstance(reading, dict) and reading.get("crowded"):
        screen.print(
            f"{reading['crowded']} pairs were not read: theirs is a sentence with more pairs than are asked about"
        )
    screen.print()


def marked(document: Document, *, coloured: bool) -> Text:
    """The text with its mentions coloured, or in brackets with their type. Of mentions that overlap, the longest."""
    from rich.text import Text

    from relatome.spans import longest_first

    chosen: Sequence[Mention] = sorted(longest_first(document.mentions), key=lambda mention: mention.start)
    shown, last = Text(), 0
    for mention in chosen:
        shown.append(safe(document.text[last : mention.start]))
        inside = safe(document.text[mention.start : mention.end])
        if coloured:
            shown.append(inside, style=COLOURS.get(mention.type, _OTHER))
        else:
            shown.append(f"[{inside}]{safe(mention.type)}")
        last = mention.end
    shown.append(safe(document.text[last:]))
    return shown


def table(
    screen: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, wide: str = ""
) -> None:
    """A table without lines; numbers are put to the right, and the column ``wide`` takes the room that is left."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )
    cells = [[value if isinstance(value, str) else _number(value) for value in row] for row in rows]
    for index, name in enumerate(columns):
        numeric = all(_NUMERIC.fullmatch(row[index]) for row in cells) and bool(cells)
        grid.add_column(
            name, justify="right" if numeric else "left", ratio=1 if name == wide else None,
            no_wrap=numeric, overflow="fold",
        )  # fmt: skip
    for row in cells:
        grid.add_row(*(Text(_flat(value)) for value in row))
    put(screen, grid)


_NUMERIC = re.compile(r"-|[+<-]?[\d.,]+(( to | ± )[+-]?[\d.,]+)?")  # never broken: half a number is another number


def put(screen: Console, thing: RenderableType) -> None:
    """Print; into a file or a pipe without blanks to the right."""
    if screen.is_terminal:
        screen.print(thing)
        return
    with screen.capture() as captured:
        screen.print(thing)
    screen.file.write("\n".join(line.rstrip(" ") for line in captured.get().split("\n")))


def _relations(screen: Console, document: Document) -> None:
    mentions = {mention.id: mention for mention in document.mentions}
    rows: list[tuple[Any, ...]] = []
    last: tuple[Span, ...] = ()
    for relation in document.relations:
        ends = [mentions[end].text if relation.level == "mention" else end for end in (relation.head, relation.tail)]
        same = bool(relation.evidence) and relation.evidence == last
        last = relation.evidence
        sentence = "″" if same else " … ".join(document.text[start:end] for start, end in last)  # ″: as above
        cues = [f"{name}: {relation.attributes[kind]}" for kind, name in _CUES.items() if relation.attributes.get(kind)]
        rows.append((ends[0], relation.type, ends[1], relation.probability, ", ".join(cues), sentence))
    columns: tuple[str, ...] = ("head", "type", "tail", "probability", "cue", "sentence")
    if not any(row[4] for row in rows):
        columns = (*columns[:4], *columns[5:])
        rows = [(*row[:4], *row[5:]) for row in rows]
    table(screen, "Relations", columns, rows, wide="sentence")


def _reported(labels: Iterable[Label]) -> Iterator[tuple[str, list[Label]]]:
    """Labels that say something is there, by what they say."""
    found: dict[str, list[Label]] = {}
    for label in labels:
        if not label.value.lower().startswith(_NEGATIVE):
            found.setdefault(label.value, []).append(label)
    for value, some in found.items():
        yield f"{safe(value)} sentences".capitalize(), some


def _number(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _flat(text: str) -> str:
    return safe(" ".join(text.split()))

"""``relatome corpora``: which corpora there are, what each is and on which terms, and where its files lie."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from relatome.corpora import Corpus

corpora = typer.Typer(
    help="The corpora Relatome knows: list them, show one's card, find its verified files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A corpus of the catalogue, or the path of a card.")]


@corpora.command("list")
def list_() -> None:
    """List the catalogue, and whether the files are here."""
    from relatome import corpora as catalogue
    from relatome.cli.display import table
    from relatome.cli.terminal import console, say

    rows = []
    for name in catalogue.names():
        corpus = catalogue.load(name)
        card = corpus.card
        rows.append(
            (name, card.title, ", ".join(card.tasks), ", ".join(card.entity_types), card.licence, _here(corpus))
        )
    table(
        console(sys.stdout),
        "",
        ("name", "what it is", "tasks", "entities", "licence", "files"),
        rows,
        wide="what it is",
    )
    say(f"the data folder is {catalogue.data_folder()} (RELATOME_DATA)")


@corpora.command()
def show(name: Name) -> None:
    """Show a card: types, splits, terms, defects."""
    from relatome import corpora as catalogue
    from relatome.cli.display import table
    from relatome.cli.terminal import console

    corpus = catalogue.load(name)
    card = corpus.card
    splits = [
        f"{protocol.name}: {', '.join(protocol.names)}{' (leaks)' if protocol.leaks else ''}"
        f"{' (default)' if protocol.name == card.protocol else ''}"
        for protocol in card.protocols.values()
    ]
    rows = [
        ("title", card.title), ("version", card.version), ("unit", card.unit), ("tasks", ", ".join(card.tasks)),
        ("entity types", ", ".join(f"{own} → {kind}" for own, kind in card.types.items())),
        ("exhaustive", ", ".join(card.exhaustive)),
        ("relations", ", ".join(f"{kind} ({group})" if kind != group else kind for kind, group in card.groups.items())),
        ("labels", "; ".join(f"{label.name}: {', '.join(label.values)}" for label in card.labels.values())),
        ("splits", "; ".join(splits)), ("licence", card.licence), ("terms", card.terms),
        ("may be shipped", "yes" if card.ship else "no"), ("citation", card.citation),
        *(("defect", defect) for defect in card.defects), ("files", _here(corpus)),
    ]  # fmt: skip
    table(console(sys.stdout), card.name, ("field", "value"), [row for row in rows if row[1]], wide="value")


@corpora.command()
def path(name: Name) -> None:
    """Print the verified files of a corpus.

    Each is a line, after its checksum was found to be the card's.
    """
    from relatome import corpora as catalogue

    corpus = catalogue.load(name)
    for file in corpus.card.files:
        sys.stdout.write(f"{corpus.path(file)}\n")


def _here(corpus: Corpus) -> str:
    """How many of the files are here, without hashing them: that is for ``path``."""
    from relatome.corpora import data_folder

    files = corpus.card.files
    found = sum((data_folder() / name).is_file() for name in files)
    return f"{found} of {len(files)}"

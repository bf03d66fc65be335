"""``relatome corpora``: which corpora there are, what each is and on which terms, where its files lie, and whether they
hold what the card says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from relatome.corpora import Card, Corpus
    from relatome.corpora.card import Overlap, RelationType
    from relatome.corpora.counts import Count

corpora = typer.Typer(
    help="The corpora Relatome knows: list them, show one's card, fetch, find and check its files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A corpus of the catalogue, the path of a card, or hf:owner/name.")
]


@corpora.command("list")
def list_() -> None:
    """List the catalogue, and whether the files are here."""
    from relatome import corpora as catalogue
    from relatome.cli.display import table
    from relatome.cli.terminal import console, say

    rows = []
    for name in (*catalogue.names(), *catalogue.merged_names()):
        corpus = catalogue.load(name)
        card = corpus.card
        rows.append((name, card.title, _tasks(card), ", ".join(card.entity_types), card.licence, _here(corpus)))
    table(
        console(sys.stdout),
        "",
        ("name", "what it is", "tasks", "entities", "licence", "files"),
        rows,
        wide="what it is",
    )
    say(f"the data folder is {catalogue.data_folder()} (RELATOME_DATA)")


@corpora.command()
def show(
    name: Name,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the card as TOML; of hf:owner/name, one to complete.")
    ] = False,
) -> None:
    """Show a card: where it is from, types, relations with their arguments, splits, terms, defects, known overlaps."""
    from relatome import corpora as catalogue
    from relatome.cli.display import table
    from relatome.cli.terminal import console

    if toml:
        sys.stdout.write(catalogue.toml(name))
        return
    corpus = catalogue.load(name)
    card = corpus.card
    splits = [
        f"{protocol.name}: {', '.join(protocol.names)}{' (leaks)' if protocol.leaks else ''}"
        f"{' (default)' if protocol.name == card.protocol else ''}"
        for protocol in card.protocols.values()
    ]
    rows = [
        ("title", card.title), ("version", card.version), *(("from", origin) for origin in _origins(card)),
        ("reader", card.reader), ("unit", card.unit), ("tasks", _tasks(card)),
        ("columns", ", ".join(f"{key}={column}" for key, column in card.columns.items())),
        ("entity types", ", ".join(f"{own} → {kind}" for own, kind in card.types.items())),
        ("exhaustive", ", ".join(card.exhaustive)),
        *(("relation", _relation(relation)) for relation in card.relations.values()),
        ("labels", "; ".join(f"{label.name}: {', '.join(label.values)}" for label in card.labels.values())),
        ("splits", "; ".join(splits)), ("licence", card.licence), ("terms", card.terms),
        ("may be shipped", "yes" if card.ship else "no"), ("citation", card.citation),
        *(("defect", defect) for defect in card.defects), *(("overlap", _overlap(known)) for known in card.overlaps.values()),
        ("files", _here(corpus)),
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


@corpora.command()
def fetch(name: Name) -> None:
    """Fetch the files of a corpus into the data folder.

    They come from where the card says, at its commit, by https; each is kept only if its checksum is the card's.
    """
    from relatome import corpora as catalogue
    from relatome.cli.terminal import counted, say
    from relatome.corpora.fetch import fetch as fetched

    card = catalogue.load(name).card
    if name.startswith("hf:"):
        say(f"{counted(len(card.files), 'files')} of {card.title} are in the cache of huggingface_hub. {card.terms}")
        return
    folder = catalogue.data_folder()
    say(f"{card.title}: {card.licence}. {card.terms}")
    number = fetched(card, folder, on_file=lambda file, what: say(f"{file}: {what}"))
    say(f"{counted(number, 'files')} fetched into {folder}; {len(card.files) - number} were there")


@corpora.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Corpora or cards; all of the catalogue if left out.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.")] = False,
) -> None:
    """Read corpora whole and compare every count with the card.

    Prints a row for each split, and each difference. Ends with 1 if a count differs; corpora whose files are not here
    are named and left out.
    """
    from relatome import corpora as catalogue
    from relatome.cli.display import table
    from relatome.cli.terminal import console, counted, say
    from relatome.corpora.counts import compared

    found: list[Count] = []
    cards = []
    absent = []
    for name in names or catalogue.names():
        corpus = catalogue.load(name)
        missing = [file for file in corpus.card.files if not _is_here(corpus, file)]
        if missing and not names:
            absent.append(name)
            continue
        counts = list(compared(corpus))
        cards.append(corpus.card)
        found += counts
        wrong = sum(not count.right for count in counts)
        say(f"{corpus.card.name}: {counted(len(counts), 'counts')}, {wrong or 'none'} of them not as its card says")
    if markdown:
        sys.stdout.write(page(cards, found))
    else:
        rows = [(c, p, s, f"{d:,}", text) for c, p, s, d, text in _rows(found)]
        table(console(sys.stdout), "", ("corpus", "protocol", "split", "documents", "counted"), rows, wide="counted")
    for count in found:
        if not count.right:
            say(
                f"{count.corpus} {count.protocol} {count.split}: {count.what}: {count.found:,} counted, "
                f"{'nothing' if count.card is None else f'{count.card:,}'} on the card"
            )
    if absent:
        say(f"not checked, since their files are not all here: {', '.join(absent)}")
    if any(not count.right for count in found):
        raise typer.Exit(1)


def _tasks(card: Card) -> str:
    return ", ".join(card.tasks) or "none: raw text"


def _origins(card: Card) -> list[str]:
    """Where the corpus is from, and the other repositories that some of its files are from."""
    others = dict.fromkeys((file.repository, file.commit) for file in card.files.values() if file.repository)
    return [" at ".join(origin) for origin in (card.origin.values(), *others)]


def _relation(relation: RelationType) -> str:
    """``INHIBITOR (CPR:4), mention: Chemical → Gene``; a symmetric one with ``–``."""
    arrow = "–" if relation.symmetric else "→"
    arguments = ", ".join(f"{head} {arrow} {tail}" for head, tail in relation.arguments)
    return f"{relation.name}{f' ({relation.group})' if relation.group else ''}, {relation.level}: {arguments}"


def _overlap(known: Overlap) -> str:
    """``document: 69 of 500 in test, also in biored train+dev``."""
    place = " ".join(filter(None, (known.protocol, known.split))) or "all"
    label = f" with {known.label}" if known.label else ""
    also = f", also in {known.against}" if known.against else ""
    return f"{known.kind}: {known.count:,} of {known.of:,} in {place}{label}{also}"


_KINDS = ("abstracts", "paragraphs", "sentences", "tokens", "mentions", "relations", "labels", "questions")


def _rows(counts: Sequence[Count]) -> list[tuple[str, str, str, int, str]]:
    """A row for each split: corpus, protocol, split, documents, and everything else that was counted."""
    splits: dict[tuple[str, str, str], list[Count]] = {}
    for count in counts:
        splits.setdefault((count.corpus, count.protocol, count.split), []).append(count)
    rows = []
    for place, inside in splits.items():
        documents = next((count.found for count in inside if count.what == "documents"), 0)
        rows.append((*place, documents, "; ".join(_summed(inside))))
    return rows


def _summed(counts: Sequence[Count]) -> list[str]:
    """``mentions Chemical: 5,203, Disease: 4,182``; kinds with more than eight types are summed."""
    kinds: dict[str, list[Count]] = {}
    for count in counts:
        if count.what != "documents":
            kinds.setdefault(count.what.partition(" ")[0], []).append(count)
    said = []
    for kind in sorted(kinds, key=lambda kind: (_KINDS.index(kind) if kind in _KINDS else len(_KINDS), kind)):
        inside = kinds[kind]
        if len(inside) == 1 and inside[0].what == kind:
            said.append(f"{kind} {inside[0].found:,}")
        elif len(inside) > 8:
            said.append(f"{kind} {sum(count.found for count in inside):,} of {len(inside)} types")
        else:
            types = sorted(f"{count.what.partition(' ')[2]}: {count.found:,}" for count in inside)
            said.append(f"{kind} {', '.join(types)}")
    return said


def page(cards: Sequence[Card], counts: Iterable[Count]) -> str:
    """The page of the documentation: a table of the cards, and for each its counts and its defects."""

    def row(*cells: str) -> str:
        return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |\n"

    page = (
        "# Corpora\n\n"
        "What each corpus is, on which terms, and what was counted in its files. `relatome corpora check` counts again "
        "and compares with the card. How to add one, or take one of the Hugging Face hub: "
        "[below](#your-own-corpora).\n\n"
    )
    page += row("Corpus", "What it is", "Tasks", "Licence", "A model trained on it may be shipped")
    page += row(*["---"] * 5)
    for card in cards:
        link = f"[{card.name}](#{card.name})"
        page += row(link, card.title, _tasks(card), card.licence, "yes" if card.ship else "no")
    rows = _rows(list(counts))
    for card in cards:
        page += f"\n## {card.name}\n\n{card.title}. {card.terms}\n\n> {card.citation}\n\n"
        page += row("Protocol", "Split", "Documents", "Counted") + row("---", "---", "--:", "---")
        for corpus, protocol, split, documents, text in rows:
            if corpus == card.name:
                page += row(protocol, split, f"{documents:,}", text)
        page += "\n" + "".join(f"- {defect}\n" for defect in card.defects)
    return page


def _here(corpus: Corpus) -> str:
    """How many of the files are here, without hashing them: that is for ``path``."""
    files = corpus.card.files
    return f"{sum(_is_here(corpus, name) for name in files)} of {len(files)}"


def _is_here(corpus: Corpus, name: str) -> bool:
    from relatome.corpora.files import found

    return found(name, corpus.card, beside=corpus.beside) is not None

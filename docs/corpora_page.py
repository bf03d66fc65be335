"""An mkdocs hook: writes the page of the corpora from their cards, so that it cannot go stale.

The numbers are the cards'; that they are those of the files is a test (and ``relatome corpora check``).
"""

from __future__ import annotations

from typing import Any

MARKER = "<!-- corpora -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page; the page with the marker gets the corpora in its place."""
    return markdown.replace(MARKER, tables()) if MARKER in markdown else markdown


def tables() -> str:
    """The page that ``relatome corpora check --markdown`` prints, of the whole catalogue, without reading a corpus."""
    from relatome import corpora
    from relatome.cli.corpora import page
    from relatome.corpora.counts import said

    cards = [corpora.load(name).card for name in corpora.names()]
    return page(cards, [count for card in cards for count in said(card)])


if __name__ == "__main__":
    print(tables())

"""Writes the README's map from the first line of each file's docstring: ``python docs/readme_map.py``.

``tests/test_architecture.py`` compares the map with the tree and names this script where they differ.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "relatome"
MAP = re.compile(r"(?<=^```text\nsrc/relatome/\n).*?(?=^```)", flags=re.DOTALL | re.MULTILINE)
DATA = {  # what cannot say it itself
    "corpora/catalogue/": "one TOML file is one corpus: files, checksums, types, splits, terms",
    "corpora/catalogue/merged/": "several corpora read as one: which label of each becomes which, with a reason for each line",
    "negation.toml": "the words that deny or doubt, for negation.py: cues, what they reach, what ends their scope",
    "default/": "the small model that ships inside the wheel, with its card",
}
COLUMN = 26


def paths() -> Iterator[str]:
    """Files and folders under src/relatome in the map's order: in each folder files first, then folders.

    A folder without code speaks for what lies in it; a package's ``__init__.py`` speaks on the folder's line.
    """
    yield from _under(PACKAGE)


def described(path: str) -> str:
    """The map's line for one path."""
    name = path.rstrip("/").rpartition("/")[2] + ("/" if path.endswith("/") else "")
    depth = path.rstrip("/").count("/") + 1
    return f"{'  ' * depth}{name} ".ljust(COLUMN) + (DATA.get(path) or _first_line(path))


def _under(folder: Path) -> Iterator[str]:
    inside = [path for path in folder.iterdir() if path.name not in ("__pycache__", "py.typed")]
    for path in sorted(inside, key=lambda path: (path.is_dir(), path.name)):
        relative = path.relative_to(PACKAGE).as_posix()
        if path.is_file() and not (path.name == "__init__.py" and folder != PACKAGE):
            yield relative
        elif path.is_dir() and any(item.is_file() for item in path.rglob("*") if "__pycache__" not in item.parts):
            yield relative + "/"
            if any(path.rglob("*.py")):
                yield from _under(path)
            else:
                yield from (f"{relative}/{inner.name}/" for inner in sorted(path.iterdir()) if inner.is_dir())


def _first_line(path: str) -> str:
    source = PACKAGE / path / "__init__.py" if path.endswith("/") else PACKAGE / path
    if source.suffix != ".py" or not source.exists():
        raise SystemExit(f"{path}: no Python file, so say in DATA of {Path(__file__).name} what it is")
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "(says nothing yet)"
    return docstring.splitlines()[0].rstrip(".")


def main() -> None:
    """Rewrite the map in README.md."""
    readme = ROOT / "README.md"
    lines = "".join(described(path) + "\n" for path in paths())
    readme.write_text(MAP.sub(lambda _: lines, readme.read_text(encoding="utf-8"), count=1), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The shape of the library, held by tests: the README's map, what an import loads, who may import whom, the pins."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "relatome"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
HEAVY = ("accelerate", "matplotlib", "nncf", "openvino", "peft", "scipy", "sklearn", "torch", "transformers")
FORBIDDEN_NAMES = {"utils", "util", "common", "core", "base", "helpers", "misc"}
LOADED = "print('loaded:', *sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"


def test_readme_map_is_the_tree() -> None:
    drawn, tree = _map(), _tree()
    advice = "`python docs/readme_map.py` draws it again"
    assert [path for path in tree if path not in drawn] == [], f"README.md's map lacks these: {advice}"
    assert [path for path in drawn if path not in tree] == [], f"README.md's map has what is gone: {advice}"


def test_readme_map_says_what_each_is() -> None:
    assert [path for path, text in _map().items() if len(text) < 10] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_file_says_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring and len(docstring.splitlines()[0]) > 15, "open the file with what it is, why, and where from"


def test_no_file_is_named_after_nothing() -> None:
    assert [path for path in MODULES if FORBIDDEN_NAMES & set(path.relative_to(PACKAGE).with_suffix("").parts)] == []


def test_import_loads_nothing_heavy() -> None:
    assert _heavy(_python(f"import sys, relatome; dir(relatome); {LOADED}")) == []


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import sys
sys.argv = ["relatome", "--help"]
from relatome.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
finally:
    {LOADED}
"""
    assert _heavy(_python(code)) == []


def test_help_is_fast() -> None:
    command = [str(Path(sys.executable).with_name("relatome")), "--help"]
    best_seconds = float("inf")
    for _ in range(5):  # the best of five, in time of the processor: a busy machine is no fault of ours
        start = _seconds_of_children()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
        best_seconds = min(best_seconds, _seconds_of_children() - start)
        assert done.returncode == 0, done.stderr
    assert "extract" in done.stdout
    assert best_seconds < 0.4


def test_public_names_resolve() -> None:
    import relatome

    assert {"extract", "load", "read"} <= set(relatome.__all__)
    assert [name for name in relatome.__all__ if not hasattr(relatome, name)] == []
    assert set(relatome.__all__) <= set(dir(relatome))


def test_unknown_public_name_is_an_attribute_error() -> None:
    import relatome

    name = "no_such_name"
    with pytest.raises(AttributeError, match=name):
        getattr(relatome, name)


def test_imports_only_go_down() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=_environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_dependency_is_pinned_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    wanted = [Requirement(text) for text in sum(project["optional-dependencies"].values(), project["dependencies"])]
    for requirement in wanted:
        if requirement.name != project["name"]:
            version = pinned.get(canonicalize_name(requirement.name))
            assert version and requirement.specifier.contains(version), f"{requirement}: constraints.txt has {version}"


def _seconds_of_children() -> float:
    """Of the processor, by the processes started from here that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def _map() -> dict[str, str]:
    """Path under src/relatome -> what the README says of it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```text\nsrc/relatome/\n(.*?)^```", readme, flags=re.DOTALL | re.MULTILINE)
    assert block, "README.md has no map: a ```text block that starts with src/relatome/"
    drawn: dict[str, str] = {}
    folders: list[str] = []
    for line in block[1].splitlines():
        indent, name, text = re.fullmatch(r"( +)(\S+)\s*(.*)", line).groups()  # type: ignore[union-attr]
        del folders[len(indent) // 2 - 1 :]
        path = "".join(folders) + name
        assert path not in drawn, f"README.md's map has {path} twice"
        drawn[path] = text
        if name.endswith("/"):
            folders.append(name)
    return drawn


def _tree() -> list[str]:
    """What the map should show, seen from the files themselves (docs/readme_map.py is no witness of its own)."""
    found = set()
    for path in PACKAGE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.name != "py.typed":
            relative = path.relative_to(PACKAGE)
            folders = [folder for folder in relative.parents if folder != Path()]
            found |= {folder.as_posix() + "/" for folder in folders}
            if not folders or (any(path.parent.glob("*.py")) and path.name != "__init__.py"):
                found.add(relative.as_posix())
    return sorted(found)


def _python(code: str) -> str:
    """The standard error of a fresh Python that runs ``code``."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=_environment())
    assert done.returncode == 0, done.stderr
    return done.stderr


def _heavy(output: str) -> list[str]:
    loaded = next(line for line in output.splitlines() if line.startswith("loaded:")).split()
    assert "relatome" in loaded
    return [name for name in HEAVY if name in loaded]


def _environment() -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1", "COLUMNS": "100"}

"""What ``import relatome`` offers: about a dozen names, loaded on first use, and the verbs work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import relatome
from relatome.documents import Document

TEXT = "Erythromycin (10 mg/kg) caused tremor; lithium inhibits cox 2. Lithium inhibits GSK-3β kinase in 12 rats."


def test_names_are_few_and_all_there() -> None:
    assert len(relatome.__all__) <= 15
    for name in relatome.__all__:
        assert not isinstance(getattr(relatome, name), ModuleType), name
    assert set(relatome.__all__) <= set(dir(relatome))


def test_names_are_those_of_their_modules() -> None:
    from relatome import documents, errors, formats, predictors

    assert relatome.Document is documents.Document and relatome.RelatomeError is errors.RelatomeError
    assert relatome.read is formats.read and relatome.load is predictors.load


def test_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    assert relatome.__version__ == version("relatome")


def test_unknown_name_is_named() -> None:
    with pytest.raises(AttributeError, match=r"module 'relatome' has no attribute 'extrakt'"):
        _ = relatome.extrakt


def test_a_verb_stays_a_verb_after_its_module_was_imported() -> None:
    code = """
import relatome
import relatome.extract
import relatome.evaluate
from relatome.extract import extract
from relatome import extract as verb
assert callable(relatome.extract) and callable(relatome.evaluate) and callable(verb)
assert extract is not verb and extract.__module__ == "relatome.extract"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_import_alone_loads_nothing_of_the_package() -> None:
    code = "import sys, relatome; print(*sorted(name for name in sys.modules if name.startswith('relatome.')))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_extract_a_text(tiny_model: Path) -> None:
    document = relatome.extract(TEXT, model=tiny_model)
    assert isinstance(document, Document) and document.text == TEXT and document.mentions
    assert document.check().mentions[0].source == relatome.load(tiny_model).source


def test_extract_documents_as_they_are_asked_for(tiny_model: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Document]:
        for number in range(10**9):
            taken.append(number)
            yield Document(str(number), TEXT)

    found = relatome.extract(endless(), model=relatome.load(tiny_model))
    assert [next(found).id for _ in range(3)] == ["0", "1", "2"] and len(taken) < 10_000


def test_extract_a_path(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(f"{TEXT}\n\n{TEXT}", encoding="utf-8")
    assert [document.id for document in relatome.extract(tmp_path / "in.txt", model=tiny_model)] == ["in:1", "in:2"]


def test_a_string_is_never_a_path(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text(TEXT, encoding="utf-8")
    assert relatome.extract(str(path), model=tiny_model).text == str(path)


def test_an_empty_text_is_an_error(tiny_model: Path) -> None:
    with pytest.raises(relatome.RelatomeError, match=r"the text is empty \(for a file give pathlib.Path"):
        relatome.extract(" ", model=tiny_model)


def test_what_is_written_is_read_again(tiny_model: Path, tmp_path: Path) -> None:
    document = relatome.extract(TEXT, model=tiny_model)
    assert relatome.write([document], tmp_path / "out.jsonl", "jsonl") == 1
    assert list(relatome.read(tmp_path / "out.jsonl")) == [document]


def test_predict_plain_texts(tiny_model: Path) -> None:
    model: Any = relatome.load(tiny_model)
    marked, plain = model.predict(["[E1]Aspirin[/E1] inhibits [E2]cox 2[/E2].", "Lithium caused tremor."])
    assert marked.value in model.heads["relations"].labels and marked.probabilities[str(marked.value)] > 0
    assert plain.value in ("adverse-effect", "no-adverse-effect")

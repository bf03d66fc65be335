"""Every scorer that reads files gives back its golden case, and no mutant of it does.

A case is a folder, ``tests/data/scoring/NAME``, with the files and a ``case.json``; a scorer joins by having one:

    gold, predicted   file names in the folder; gold is null where one file holds both sides
    options           keyword arguments of the scorer's ``read``; a value that names a file of the folder is its path
    expected          [name, class or null, value or null, support] of every number, in order, worked out by hand or
                      printed by the original
    perfect           a file of predictions that agrees with the gold: every number it is told of is then 1 (left out
                      where there can be none); with "gold" beside it where that differs
    mutants           boundary, class: [side, regex, replacement] ..., a side's text as a scorer would see it that is off
                      by one, or that knows one class less; swap (optional): the two names swapped, precision and
                      recall by default
    texts             of each --format of its own: the file that holds the output to the byte, or that and the options
                      it needs
"""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from relatome.cli import main
from relatome.scoring import SCORERS, Measure

DATA = Path(__file__).parent / "data" / "scoring"
FILES = [name for name, module in SCORERS.items() if hasattr(module, "read") and (DATA / name / "case.json").is_file()]


def case_of(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((DATA / name / "case.json").read_text(encoding="utf-8"))
    return case


def paths(name: str, folder: Path | None = None) -> tuple[str | None, str, dict[str, Any]]:
    """The case's gold, predictions and options, from its folder or a copy of it."""
    case, folder = case_of(name), folder or DATA / name
    options = {
        key: str(folder / value) if isinstance(value, str) and (folder / value).is_file() else value
        for key, value in case.get("options", {}).items()
    }
    return case["gold"] and str(folder / case["gold"]), str(folder / case["predicted"]), options


def measured(name: str, folder: Path | None = None) -> Measure:
    gold, predicted, options = paths(name, folder)
    module: ModuleType = SCORERS[name]
    measure: Measure = module.measure(**module.read(gold, predicted, **options))
    return measure


def check(name: str, measure: Measure) -> None:
    """The numbers are those of the case, all of them, with nothing more and in its order."""
    found = measure.report(resamples=0).scores
    expected = case_of(name)["expected"]
    assert [[score.name, score.class_, score.support] for score in found] == [
        [row[0], row[1], row[3]] for row in expected
    ]
    values = [math.nan if row[2] is None else row[2] for row in expected]
    assert [score.value for score in found] == pytest.approx(values, abs=1e-12, nan_ok=True)


def mutated(name: str, kind: str, folder: Path) -> Path:
    """A copy of the case as a mutant sees it."""
    case = case_of(name)
    shutil.copytree(DATA / name, folder, dirs_exist_ok=True)
    for side, pattern, replacement in case["mutants"][kind]:
        path = folder / case[side]
        text = path.read_bytes().decode()
        changed = re.sub(pattern, replacement, text)
        assert changed != text, f"{pattern!r} changes nothing in {path.name}"
        path.write_bytes(changed.encode())
    return folder


def swapped(name: str, measure: Measure) -> Measure:
    """The measure with the numbers of two names exchanged, class by class."""
    from dataclasses import replace

    one, other = case_of(name)["mutants"].get("swap", ("precision", "recall"))
    place = {(cell.name, cell.class_): index for index, cell in enumerate(measure.cells)}
    exchange = {one: other, other: one}
    order = [place[exchange.get(cell.name, cell.name), cell.class_] for cell in measure.cells]
    assert order != sorted(order), f"{name} has no {one}"
    return replace(measure, value=lambda weights: measure.value(weights)[:, order])


@pytest.mark.parametrize("name", SCORERS)
def test_every_scorer_scores_files_and_has_a_case(name):
    assert hasattr(SCORERS[name], "read"), f"{name} has no read(gold, predicted)"
    assert (DATA / name / "case.json").is_file(), f"{name} has no case in tests/data/scoring/{name}"
    assert case_of(name)["expected"]


def test_help_names_every_scorer(capsys):
    assert main(["score", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"One of {', '.join(SCORERS)}. [required]" in shown


@pytest.mark.parametrize("name", FILES)
def test_golden(name):
    check(name, measured(name))


@pytest.mark.parametrize("kind", ["boundary", "class", "swap"])
@pytest.mark.parametrize("name", FILES)
def test_golden_fails_for_a_mutant(name, kind, tmp_path):
    """A boundary off by one, a dropped class, precision and recall swapped."""
    mutant = swapped(name, measured(name)) if kind == "swap" else measured(name, mutated(name, kind, tmp_path))
    with pytest.raises(AssertionError):
        check(name, mutant)


@pytest.mark.parametrize("name", [name for name in FILES if "perfect" in case_of(name)])
def test_perfect_is_one(name):
    case = case_of(name)
    _, _, options = paths(name)
    module = SCORERS[name]
    gold = case.get("perfect_gold", case["gold"])
    arguments = module.read(gold and str(DATA / name / gold), str(DATA / name / case["perfect"]), **options)
    scores = module.measure(**arguments).report(resamples=50).scores
    assert any(score.value == 1 for score in scores)
    for score in scores:
        if score.name != "errors" and not math.isnan(score.value):
            assert score.value == score.low == score.high == 1 or math.isnan(score.low)


@pytest.mark.parametrize("name", FILES)
def test_intervals_hold_the_value_and_weights_are_documents(name):
    measure = measured(name)
    ones = measure.value(np.ones((1, len(measure.units))))
    assert ones.shape == (1, len(measure.cells))
    twice = measure.value(np.full((1, len(measure.units)), 2.0))
    same = [index for index, cell in enumerate(measure.cells) if cell.name != "errors"]
    assert twice[0, same].tolist() == pytest.approx(ones[0, same].tolist(), nan_ok=True)
    for score in measure.report(resamples=200).scores:
        if not math.isnan(score.low) and not math.isnan(score.value):
            assert score.low - 1e-12 <= score.value <= score.high + 1e-12 or score.support < 5


@pytest.mark.parametrize("name", FILES)
def test_module_says_who_it_is_and_signs(name):
    module = SCORERS[name]
    signature = measured(name).report(resamples=10, seed=3).signature
    assert module.NAME == signature["scorer"] == name
    assert isinstance(module.VERSION, int) and module.VERSION == signature["scorer_version"]
    assert (
        signature["resamples"] == 10
        and signature["seed"] == 3
        and signature["unit"] in ("document", "sentence", "row", "question", "benchmark")
    )


def flags(options: dict[str, Any]) -> list[str]:
    """A case's options as the command line takes them."""
    found: list[str] = []
    for key, value in options.items():
        if value is True:
            found.append(f"--{key}")
        else:
            found += [f"--{key}", ",".join(value) if isinstance(value, list) else str(value)]
    return found


def command(name: str, folder: Path | None = None) -> list[str]:
    gold, predicted, options = paths(name, folder)
    return ["score", name, *(["--gold", gold] if gold else []), "--predicted", predicted, *flags(options)]


@pytest.mark.parametrize("name", FILES)
def test_command_prints_the_one_shape(name, capsys):
    assert main([*command(name), "--json", "--resamples", "20"]) == 0
    out, err = capsys.readouterr()
    read = json.loads(out)
    assert err == "" and list(read) == ["scores", "signature"]
    assert [[row["name"], row["class"], row["support"]] for row in read["scores"]] == [
        [row[0], row[1], row[3]] for row in case_of(name)["expected"]
    ]
    assert out == measured(name).report(resamples=20).json() + "\n"


def test_intervals_may_be_bca(capsys):
    arguments = [*command("ner"), "--json", "--resamples", "200"]
    assert main([*arguments, "--interval", "bca"]) == 0
    out, _ = capsys.readouterr()
    assert out == measured("ner").report(resamples=200, method="bca").json() + "\n" and "BCa bootstrap" in out
    assert main([*arguments, "--interval", "bcaa"]) == 2
    assert "unknown interval method 'bcaa': did you mean 'bca'" in capsys.readouterr().err


@pytest.mark.parametrize("name", FILES)
def test_command_prints_a_table(name, capsys):
    assert main([*command(name), "--resamples", "20"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and f"scorer:{name}" in out.replace("\n", "")


@pytest.mark.parametrize("name", FILES)
def test_command_prints_what_the_original_prints(name, capsys):
    texts = getattr(SCORERS[name], "TEXTS", {})
    recorded = case_of(name).get("texts", {})
    assert set(texts) == set(recorded)
    for format_, given in recorded.items():
        file, options = (given, {}) if isinstance(given, str) else given
        assert main([*command(name), *flags(options), "--format", format_]) == 0
        assert capsys.readouterr().out == (DATA / name / file).read_bytes().decode()


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\x00\x01\x02\n", b"caf\xe9 B-X\n", b"a\tb\tc\td\te\tf\tg\n", b"{\n"]
)
@pytest.mark.parametrize("name", FILES)
def test_predictions_that_are_none_are_one_line(name, content, tmp_path, capsys):
    _, predicted, options = paths(name)
    (tmp_path / Path(predicted).name).write_bytes(content)
    gold, _, _ = paths(name)
    arguments = ["score", name, *(["--gold", gold] if gold else []), "--predicted"]
    assert main([*arguments, str(tmp_path / Path(predicted).name), *flags(options), "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("relatome: ") and err.count("\n") == 1 and "should not have happened" not in err


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_there_is_one_line(name, tmp_path, capsys):
    gold, predicted, options = paths(name)
    nowhere = str(tmp_path / "nowhere.tsv")
    for sides in ([gold, nowhere], [nowhere, predicted] if gold else [None, nowhere]):
        arguments = ["score", name, *(["--gold", sides[0]] if sides[0] else []), "--predicted", str(sides[1])]
        assert main([*arguments, *flags(options)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and "nowhere.tsv" in err and err.count("\n") == 1 and "should not have happened" not in err


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_told_or_scored_lower(name, tmp_path, capsys):
    """Cut in a dozen places, predictions either are refused in one line or give a valid report; never a traceback."""
    gold, predicted, options = paths(name)
    whole = Path(predicted).read_bytes()
    for cut in range(1, len(whole), max(1, len(whole) // 12)):
        target = tmp_path / Path(predicted).name
        target.write_bytes(whole[:cut])
        arguments = ["score", name, *(["--gold", gold] if gold else []), "--predicted", str(target)]
        code = main([*arguments, *flags(options), "--json", "--resamples", "0"])
        out, err = capsys.readouterr()
        assert "should not have happened" not in err, err
        assert (code == 0 and json.loads(out)["scores"]) or (code == 2 and out == "" and err.count("\n") == 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["score"], "SCORER"),
        (["score", "ner"], "--predicted is needed"),
        (["score", "nerr", "-p", "x"], "unknown scorer of files 'nerr': did you mean 'ner'"),
        (
            ["score", "ner", "-p", "x", "--format", "tabel"],
            "unknown output format of ner 'tabel': did you mean 'table'?",
        ),
        (["score", "ner", "-p", "x", "-g", "y", "--raw"], "ner knows no --raw: its options are --types"),
    ],
)
def test_wrong_usage_is_one_line(arguments, said, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1

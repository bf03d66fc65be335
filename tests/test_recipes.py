"""Every folder under recipes/ can be run: its run files parse, what they name exists, what it cites is scored."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from relatome import corpora
from relatome.corpora.merged import NEGATIVE, Merged
from relatome.scoring import SCORERS
from relatome.scoring.published import read as read_published
from relatome.training import mixture
from relatome.training.settings import read

RECIPES = sorted(path for path in (Path(__file__).parents[1] / "recipes").iterdir() if path.is_dir())
RUN_FILES = [
    file for recipe in RECIPES for file in sorted(recipe.glob("*.toml"))
    if file.name != "published.toml"
]  # fmt: skip
PUBLISHED = [recipe / "published.toml" for recipe in RECIPES if (recipe / "published.toml").exists()]
ENCODERS = (
    "michiyasunaga/BioLinkBERT-base",
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract",
    "dmis-lab/biobert-base-cased-v1.2",
)


def name(path: Path) -> str:
    return "/".join(path.parts[-2:])


@pytest.mark.parametrize("file", RUN_FILES, ids=name)
def test_a_run_file_parses_and_what_it_names_exists(file: Path) -> None:
    settings = read(file)
    for item in settings.data:
        corpus = corpora.load(item.corpus)
        for split in filter(None, (item.split, item.dev)):
            assert corpus.named(split, item.protocol or None)
    for head in mixture.heads(settings):
        assert head.labels and (head.task != "relation" or head.labels[0] == NEGATIVE)
    assert file.name in (file.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_readme_has_the_commands_and_says_what_was_not_run(recipe: Path) -> None:
    text = (recipe / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"relatome train (recipes/\S+)", text)
    assert commands and all((recipe.parents[1] / command).is_file() for command in commands)
    if recipe.name == "default":  # scored by its own export script
        return
    published = f"recipes/{recipe.name}/published.toml"
    assert published in text and (recipe.parents[1] / published).is_file()
    assert all(encoder in text for encoder in ENCODERS)
    if not list(recipe.glob("result*.json")):
        assert re.search(r"not run: [\d.]+ hours forecast", text, flags=re.IGNORECASE)


@pytest.mark.parametrize("file", PUBLISHED, ids=name)
def test_published_numbers_are_of_classes_that_are_scored(file: Path) -> None:
    for one in read_published(file):
        corpus = corpora.load(one.corpus)
        assert one.protocol in ("", *corpus.card.protocols), one
        keys = scored(corpus)
        assert set(one.scores) <= keys, f"{one.system}: {set(one.scores) - keys}"
        top = {"errors": math.inf}
        assert all(0 <= value <= top.get(key[0], 1) for key, value in one.scores.items())


def test_numbers_from_memory_are_marked_where_they_are_printed() -> None:
    for file in PUBLISHED:
        text = (file.parent / "README.md").read_text(encoding="utf-8")
        if any(one.remembered for one in read_published(file)):
            assert "from memory" in text, file


def test_relations9_cites_system_1_class_by_class() -> None:
    """The card, the published file and the README's table say the same."""
    folder = next(path for path in RECIPES if path.name == "relations9")
    corpus = corpora.load("relations9")
    assert isinstance(corpus, Merged)
    (found,) = read_published(folder / "published.toml")
    card = corpus.card.published["system"]
    assert {key[1]: round(100 * value) for key, value in found.scores.items() if key[1] != "macro"} == card["f1"]
    assert found.scores["f1", "macro"] == pytest.approx(card["macro_f1"] / 100)
    classes = [value for key, value in found.scores.items() if key[1] != "macro"]
    assert len(classes) == 8 and sum(classes) / 8 == pytest.approx(found.scores["f1", "macro"], abs=0.01)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"| {key[1]} | {value:g}" in text.replace("**", "") for key, value in found.scores.items())


def test_results_have_the_shape_that_evaluate_writes() -> None:
    for file in (file for recipe in RECIPES for file in recipe.glob("result*.json")):
        said = json.loads(file.read_text(encoding="utf-8"))
        assert said["wall_seconds"] > 0 and said["signature"]["corpus"] in (*corpora.names(), *corpora.merged_names())
        for one in said["scores"]:
            assert {"name", "class", "value", "low", "high", "support", "published"} <= set(one), file
            if one["value"] is not None and one["low"] is not None:
                assert one["low"] <= one["value"] <= one["high"], (file, one)


def test_a_readme_says_what_its_result_says() -> None:
    """The headline of every result file stands in the README beside it, to three places."""
    classes = {"ade": ["adverse-effect"], "bc5cdr": ["Chemical", "Disease"]}
    classes |= {name: ["macro"] for name in corpora.merged_names()}
    for file in (file for recipe in RECIPES for file in recipe.glob("result*.json")):
        said = json.loads(file.read_text(encoding="utf-8"))
        f1 = {one["class"]: one["value"] for one in said["scores"] if one["name"] == "f1"}
        text = (file.parent / "README.md").read_text(encoding="utf-8")
        for name in classes.get(said["signature"]["corpus"], ["micro"]):
            assert f"{f1[name]:.3f}" in text, (file, name)


def scored(corpus: Any) -> set[tuple[str, str | None]]:
    """Every name and class that its scorer gives, read off a score of one invented document."""
    card = corpus.card
    draws = {"resamples": 0, "seed": 0}
    labels: list[tuple[str, ...]] = [one.values for one in card.labels.values()]
    labels += [(NEGATIVE, *card.relations)] if isinstance(corpus, Merged) else []
    reports = [SCORERS["classification"].score(list(some), list(some), labels=some, **draws) for some in labels]
    if card.exhaustive:
        types = list(card.exhaustive)
        gold = {"1": {(0, 1, types[0])}}
        reports.append(SCORERS["ner"].score(gold, gold, types=types, **draws))
    if card.relations and not isinstance(corpus, Merged):
        classes = card.evaluated_groups or tuple(dict.fromkeys(card.groups.values()))
        facts = {"1": {("T1", "T2", classes[0])}}
        reports.append(SCORERS["relations"].score(facts, facts, classes=classes, **draws))
    return {(score.name, score.class_) for report in reports for score in report.scores}

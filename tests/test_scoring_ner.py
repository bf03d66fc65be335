"""``ner`` against nervaluate's four ways to match and seqeval's strict mode, on files and on random sequences."""

from __future__ import annotations

import json
import random
import warnings

import pytest

from relatome.cli import main
from relatome.errors import ScoreError, UnknownNameError
from relatome.scoring import ner

NERVALUATE = {"strict": "strict", "boundary": "exact", "partial": "partial", "type": "ent_type"}


def random_documents(rng: random.Random) -> tuple[dict[str, list[ner.Entity]], dict[str, list[ner.Entity]]]:
    """Gold and predictions that overlap in every way: nested, crossing, twice, of other types, long ones too."""

    def entity() -> ner.Entity:
        start = rng.randint(0, 40)
        return start, start + rng.choice([1, 2, 3, 5, 8, 300]), rng.choice("ABC")

    gold, predicted = {}, {}
    for number in range(rng.randint(1, 5)):
        wanted = [entity() for _ in range(rng.randint(0, 7))]
        moved = [(a + rng.choice([0, 0, 1]), b + rng.choice([0, 0, 2]), rng.choice([k, k, "A"])) for a, b, k in wanted]
        gold[str(number)] = wanted
        predicted[str(number)] = [one for one in moved if rng.random() < 0.8] + [entity() for _ in range(2)]
    return gold, predicted


@pytest.mark.parametrize("match", NERVALUATE)
def test_equals_nervaluate(match):
    from nervaluate import Evaluator

    rng = random.Random(4)
    for _ in range(150):
        sides = random_documents(rng)
        theirs = Evaluator(
            *([[{"label": k, "start": a, "end": b - 1} for a, b, k in sorted(set(side[key]))] for key in side] for side in sides),
            tags=["A", "B", "C"], loader="dict",
        ).evaluate()  # fmt: skip
        report = ner.score(*sides, match=match, resamples=0)
        rows = {"micro": theirs["overall"], **theirs["entities"]}
        for name, row in rows.items():
            expected = row[NERVALUATE[match]]
            for ours, value in (("precision", expected.precision), ("recall", expected.recall), ("f1", expected.f1)):
                found = report.value(ours, name)
                assert (0 if found != found else found) == pytest.approx(value, abs=1e-12), (match, name, ours, sides)
            assert report.score("f1", name).support == expected.possible


def test_what_is_over_several_types_is_not_the_sum_of_the_types():
    gold, predicted = {"d": [(0, 4, "A"), (9, 12, "B")]}, {"d": [(0, 4, "B"), (9, 11, "B")]}
    assert ner.score(gold, predicted, match="boundary").value("f1", "micro") == 0.5
    assert ner.score(gold, predicted, match="partial").value("f1", "micro") == 0.75
    assert ner.score(gold, predicted, match="type").value("f1", "micro") == 0.5
    assert ner.score(gold, predicted, match="boundary").value("recall", "A") == 0
    assert ner.score(gold, predicted).value("f1", "micro") == 0


def test_a_wrong_entity_uses_up_what_it_overlaps_only_in_nervaluates_strict():
    gold, predicted = {"d": [(5, 9, "A")]}, {"d": [(4, 9, "A"), (5, 9, "A")]}
    assert ner.score(gold, predicted).value("recall", "A") == 1
    assert ner.score(gold, predicted, match="strict").value("recall", "A") == 0


def test_unknown_ways_to_match_are_named():
    with pytest.raises(UnknownNameError, match="did you mean 'partial'"):
        ner.measure({"d": []}, {"d": []}, types=["A"], match="partail")  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["IOB2", "IOBES"])
def test_equals_seqevals_strict_mode_on_files_of_random_tags(scheme, tmp_path):
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2, IOBES

    rng = random.Random(8)
    letters = "BI" if scheme == "IOB2" else "BIES"
    tags = ["O", *(f"{letter}-{kind}" for letter in letters for kind in ("Drug", "Gene"))]
    path = tmp_path / "both.txt"
    for _ in range(60):
        gold = [rng.choices(tags, k=rng.randint(1, 12)) for _ in range(8)] + [["B-Drug", "O"], ["B-Gene", "O"]]
        if scheme == "IOBES":
            gold += [["S-Drug"], ["S-Gene"]]
        predicted = [[tag if rng.random() < 0.7 else rng.choice(tags) for tag in row] for row in gold[:-2]] + gold[-2:]
        rows = (zip(a, b, strict=True) for a, b in zip(gold, predicted, strict=True))
        path.write_text("\n".join("".join(f"w {a} {b}\n" for a, b in row) for row in rows), encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = classification_report(
                gold, predicted, mode="strict", scheme=IOB2 if scheme == "IOB2" else IOBES, output_dict=True
            )
        report = ner.measure(**ner.read(None, str(path), scheme=scheme)).report(resamples=0)
        for name, of_seqeval in (("Drug", "Drug"), ("Gene", "Gene"), ("micro", "micro avg"), ("macro", "macro avg")):
            for ours, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
                assert report.value(ours, name) == pytest.approx(theirs[of_seqeval][key], abs=1e-12)
            assert report.score("f1", name).support == theirs[of_seqeval]["support"]
        assert report.signature["match"] == f"exact span and type, tags read as {scheme}"


def test_files_of_tags_are_known_by_their_content(tmp_path):
    gold, predicted = tmp_path / "gold.iob", tmp_path / "predicted.iob"
    gold.write_text("Valmidine\tB-Drug\nhelps\tO\n\nFOX9\tB-Gene\n", encoding="utf-8")
    predicted.write_text("Valmidine\tB-Drug\nhelps\tO\n\nFOX9\tI-Gene\n", encoding="utf-8")
    lenient = ner.read(str(gold), str(predicted))
    assert lenient["gold"] == lenient["predicted"] == {"1": [(0, 1, "Drug")], "2": [(2, 3, "Gene")]}
    strict = ner.read(str(gold), str(predicted), scheme="IOB2")
    assert strict["predicted"] == {"1": [(0, 1, "Drug")], "2": []}


def test_two_files_with_blanks_between_the_columns_are_columns_too(tmp_path, capsys):
    """So short a file reads as prose as well; but prose has no entities."""
    for name, tags in (("gold", "O B-X O"), ("predicted", "O B-X B-X")):
        rows = "".join(f"word {tag}\n" for tag in tags.split())
        (tmp_path / name).write_text(rows, encoding="utf-8")
    arguments = ["score", "ner", "-g", str(tmp_path / "gold"), "-p", str(tmp_path / "predicted"), "--json"]
    assert main(arguments) == 0
    found = {(one["name"], one["class"]): one["value"] for one in json.loads(capsys.readouterr().out)["scores"]}
    assert (found["precision", "X"], found["recall", "X"]) == (0.5, 1.0)


def test_documents_of_tags_are_the_units(tmp_path):
    path = tmp_path / "x.iob"
    path.write_text("-DOCSTART- O O\n\na B-A B-A\n\nb O O\n\n-DOCSTART- O O\n\nc B-A B-A\n", encoding="utf-8")
    measure = ner.measure(**ner.read(None, str(path)))
    assert measure.units == ("1", "2")


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (
            "a B I\nb I I\nc O O\n",
            [],
            "2 gold tags are none of conll's: 'B' (line 1), 'I' (line 2) (give the type of bare",
        ),
        ("a B-A S-A\n", ["--scheme", "IOB2"], "1 predicted tag is none of IOB2's: 'S-A' (line 1) (expected O, B-TYPE"),
        (
            "a Drug Drug\n" * 5,
            [],
            "5 gold tags are none of conll's: 'Drug' (line 1), 'Drug' (line 2), 'Drug' (line 3) ...",
        ),
        ("a O B-A\n", [], "x.iob: there are no entities of any type"),
        ("a B-A O\n", [], "x.iob: there are no entities of any type"),
        ("a B-A B-A\n", ["--types", "B"], "there are no entities of the types B"),
        ("a B-A B-A\n", ["--scheme", "IOB3"], "unknown tag scheme 'IOB3': did you mean 'IOB2' or 'IOB1'"),
        ("a B-A B-A\n", ["--match", "exakt"], "unknown way to match 'exakt': did you mean 'exact'?"),
    ],
)
def test_what_files_of_tags_lack_is_said(content, options, said, tmp_path, capsys):
    path = tmp_path / "x.iob"
    path.write_text(content, encoding="utf-8")
    assert main(["score", "ner", "-p", str(path), *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1


def test_bare_tags_get_the_type_asked_for(tmp_path, capsys):
    path = tmp_path / "x.iob"
    path.write_text("a B B\nb I O\nc O B\n", encoding="utf-8")
    assert main(["score", "ner", "-p", str(path), "--bare", "Disease", "--match", "partial", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert [(row["name"], row["class"], row["value"]) for row in scores[:2]] == [
        ("precision", "Disease", 0.25),
        ("recall", "Disease", 0.5),
    ]


def test_documents_missing_or_doubled_are_named(tmp_path):
    def notes(*ids: str) -> str:
        path = tmp_path / f"{'-'.join(ids)}.pubtator"
        path.write_text("".join(f"{i}|t|Aspirin.\n{i}|a|\n{i}\t0\t7\tAspirin\tChemical\tD1\n\n" for i in ids))
        return str(path)

    arguments = ner.read(notes("1", "2", "3", "4", "5"), notes("1"))
    with pytest.raises(ScoreError) as caught:
        ner.measure(**arguments)
    assert str(caught.value).startswith(
        "4 documents are in the gold but not in the predictions: '2', '3', '4' ... (give every document on both sides"
    )
    with pytest.raises(ScoreError, match="1 document is more than once in the predicted file .*: '2'"):
        ner.read(notes("1", "2"), notes("2", "1", "2"))

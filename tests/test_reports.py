"""Reports: tables escaped for their readers, plots that are whole and repeat to the byte, cards that say what is known."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome import corpora, reports
from relatome.cli import main
from relatome.corpora.audit import Seen, SeenPart, prints
from relatome.errors import InputError, MissingExtraError, ModelError, ScoreError
from relatome.predictors import tfidf
from relatome.reports import card, plots, tables
from relatome.reports import run as runs
from relatome.reports.tables import Table
from relatome.scoring import calibration
from relatome.scoring.examples import Examples, Row
from relatome.scoring.score import Report, Score
from relatome.tasks import classification
from relatome.tasks.example import Head
from tests import tiny
from tests.test_cli_audit import ROWS, world  # noqa: F401 (a fixture)
from tests.test_readme import _blocks, _run
from tests.test_scoring_budget import TEST as DRUGS
from tests.test_scoring_budget import write as drugs

HARM = Head("harm", "classification", "label", ("no", "yes"))
HARD = Table(
    "hard-50%", "50 % of A_B & <C>", ("class", "f1", "n"),
    (("a|b\\c", 0.5, 1200), ("*x* _y_ [z](u) `q`\nnext", float("nan"), 3), ('say "hi", {#1} $ ^ ~', None, 0)),
)  # fmt: skip


# ------------------------------------------------------------------------------------------------------- tables


def test_markdown_is_escaped() -> None:
    lines = tables.markdown(HARD).splitlines()
    assert lines[1] == "|---|---:|---:|"
    assert lines[2] == r"| a\|b\\c | 0.5000 | 1,200 |"
    assert lines[3] == r"| \*x\* \_y\_ \[z\](u) \`q\` next | - | 3 |"
    assert lines[4].endswith("| - | 0 |")


def test_markdown_is_what_its_reader_shows() -> None:
    """Through the renderer of the documentation: a table of as many cells, each the text that went in."""
    import html

    page = import_module("markdown").markdown(tables.markdown(HARD), extensions=["tables"])
    cells = [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page, flags=re.DOTALL)]
    assert cells[0] == "a|b\\c" and cells[3] == "*x* _y_ [z](u) `q` next" and len(cells) == 9
    assert "<em>" not in page and "<code>" not in page and "<a " not in page


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_any_text_stays_in_its_cell(texts: list[str]) -> None:
    table = Table("t", "t", ("a", "b"), tuple((text, 1) for text in texts))
    lines = tables.markdown(table).split("\n")
    assert len(lines) == 2 + len(texts)
    assert all(len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3 for line in lines)
    rows = list(csv.reader(io.StringIO(tables.comma_separated(table), newline="")))
    assert [row[0] for row in rows[1:]] == texts
    assert [row["a"] for row in json.loads(tables.as_json(table))["rows"]] == texts
    body = tables.latex(table).partition("\\midrule\n")[2].partition("\\bottomrule")[0]
    assert len(body.splitlines()) == len(texts) and body.count("&") - body.count(r"\&") == len(texts)


def test_latex_is_escaped() -> None:
    text = tables.latex(HARD)
    assert r"\caption{50 \% of A\_B \& \textless{}C\textgreater{}}" in text and r"\label{tab:hard-50-}" in text
    assert r"a\textbar{}b\textbackslash{}c & 0.5000 & 1,200 \\" in text
    assert r"\textquotedbl{}hi\textquotedbl{}, \{\#1\} \$ \textasciicircum{} \textasciitilde{}" in text
    assert r"\begin{tabular}{lrr}" in text
    assert text.count(r"\begin") == text.count(r"\end") == 2


def test_csv_and_json_hold_every_digit_and_no_nan() -> None:
    table = dataclasses.replace(HARD, rows=(("α", 1 / 3, 1), ("β", float("nan"), None)))
    assert tables.comma_separated(table) == f"class,f1,n\nα,{1 / 3!r},1\nβ,,\n"
    rows = json.loads(tables.as_json(table))["rows"]
    assert rows == [{"class": "α", "f1": 1 / 3, "n": 1}, {"class": "β", "f1": None, "n": None}]


def test_a_report_as_a_table() -> None:
    scores = [Score("f1", name, 0.5, 0.4, 0.6, 7) for name in ("A", "micro")] + [
        Score("accuracy", None, 0.7, 0.6, 0.8, 9)
    ]
    table = tables.of_report(
        Report(tuple(scores), {}), "x", "X", numbers=("f1",), beside={"base": Report((scores[0],), {})}
    )
    assert table.columns == ("class", "f1", "f1 low", "f1 high", "support", "f1, base")
    assert table.rows == (("A", 0.5, 0.4, 0.6, 7, 0.5), ("micro", 0.5, 0.4, 0.6, 7, None))


# -------------------------------------------------------------------------------------------------------- plots

LONG = ("SUBSTRATE_PRODUCT-OF", "a label that is much longer than any label should ever be", "x")
NAN = float("nan")
BINS = calibration.reliability(["a", "b", "a"], [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]], labels=["a", "b"])
DRAWN: dict[str, Any] = {
    "confusion": lambda: plots.confusion("c", "A title " * 12, {(a, b): 1000 for a in LONG for b in LONG}, LONG),
    "confusion of two": lambda: plots.confusion("c", "T", {("no", "yes"): 3}, ("no", "yes")),
    "confusion of many": lambda: plots.confusion("c", "T", {}, [f"{LONG[0]}{n}" for n in range(12)]),
    "precision and recall": lambda: plots.precision_recall("p", "T", {n: [(0.5, 1.0, 0.9), (1.0, 0.4, 0.1)] for n in LONG}),
    "one point": lambda: plots.precision_recall("p", "T", {"x": [(1.0, 0.4, 0.1)]}),
    "reliability": lambda: plots.reliability("r", "T", {"model": BINS, LONG[0]: BINS}),
    "learning": lambda: plots.learning("l", "T", {LONG[0]: [(1, 0.9), (2, 0.0)], "b": [(1, 1e-4)]}, {"mean": [(2, 0.5)]}),
    "per class": lambda: plots.per_class("f", "T", {"m": [(n, 0.5, 0.4, 0.7) for n in LONG], "b": [("x", NAN, NAN, NAN)]}),
    "hostile names": lambda: plots.per_class("f", "$\\frac{ $", {"_hidden": [("$x^{$", 0.5, 0.4, 0.6), ("😀\n中", 0.5, 0.4, 0.6)]}),
    "throughput": lambda: plots.throughput("t", "T", [(128, 3.25), (256, 1200.0), (512, 0.0)]),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_whole_and_repeats_to_the_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib
    from PIL import Image

    plot = DRAWN[name]()
    with Image.open(io.BytesIO(plot.png)) as image:
        grey = image.convert("L")
    width, height = grey.size
    assert 600 <= width <= 4000 and 300 <= height <= 4000
    frame = [
        grey.crop(box)
        for box in ((0, 0, width, 3), (0, height - 3, width, height), (0, 0, 3, height), (width - 3, 0, width, height))
    ]
    assert all(min(part.tobytes()) > 250 for part in frame), "something is cut at the edge"
    assert min(grey.tobytes()) < 100
    before = _settings(matplotlib)
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 40)  # as a user's matplotlibrc would
    assert DRAWN[name]().png == plot.png
    assert matplotlib.rcParams["font.size"] == 40
    monkeypatch.undo()
    assert _settings(matplotlib) == before
    assert plot.said and plot.table.rows


def test_logarithmic_heights_are_plain_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    said: list[list[str]] = []
    save = Figure.savefig

    def saved(figure: Figure, *arguments: Any, **options: Any) -> None:
        save(figure, *arguments, **options)
        said.append([label.get_text() for axes in figure.axes for label in axes.get_yticklabels()])

    monkeypatch.setattr(Figure, "savefig", saved)
    many = [[0.9, 0.1]] * 1500 + [[0.55, 0.45]] * 20
    bins = calibration.reliability(["a", "b"] * 760, many, labels=["a", "b"])
    plots.reliability("r", "T", {"model": bins})
    plots.learning("l", "T", {"a": [(n, 2.0 / n**2) for n in range(1, 40)]}, {})
    assert {"1", "1,000"} <= set(said[0]) and {"0.01", "1"} <= set(said[1])
    assert not any("$" in label for labels in said for label in labels)


def _settings(matplotlib: Any) -> dict[str, Any]:
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}


def test_the_users_backend_stays() -> None:
    code = (
        "import matplotlib; matplotlib.use('svg')\n"
        "from tests.test_reports import DRAWN; DRAWN['throughput']()\n"
        "assert matplotlib.get_backend() == 'svg', matplotlib.get_backend()\n"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr


def test_the_numbers_lie_beside_the_picture() -> None:
    table = DRAWN["learning"]().table
    assert table.columns == ("what", "step", "value") and table.rows[1] == (LONG[0], 2, 0.0)
    rows = DRAWN["reliability"]().table.rows
    assert len(rows) == 2 * calibration.BINS and sum(row[3] for row in rows if row[0] == "model") == 3
    assert DRAWN["confusion of two"]().table.rows == (
        ("no", "no", 0), ("no", "yes", 3), ("yes", "no", 0), ("yes", "yes", 0),
    )  # fmt: skip


def test_colours_differ_in_grey_too() -> None:
    """Of two neighbours in the order of use, lightness differs, or dash and marker do; of the first two, all."""
    light = [sum(w * int(c[i : i + 2], 16) for w, i in ((0.299, 1), (0.587, 3), (0.114, 5))) for c in plots.COLOURS]
    assert abs(light[0] - light[1]) > 20
    assert len(set(plots.MARKERS)) == len(plots.COLOURS) and len({str(dash) for dash in plots.DASHES}) == 4


def test_importing_draws_and_loads_nothing() -> None:
    code = (
        "import sys, relatome.reports, relatome.reports.plots, relatome.cli.report\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from tests.test_reports import DRAWN\n"
        "DRAWN['throughput']()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, model: Path, capsys: Any) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    with pytest.raises(MissingExtraError, match=r'pip install "relatome\[plots\]"'):
        DRAWN["throughput"]()
    before = sorted(model.rglob("*"))
    assert main(["report", str(model)]) == 2
    assert capsys.readouterr().err.endswith('not installed (pip install "relatome[plots]")\n')
    assert sorted(model.rglob("*")) == before
    assert main(["report", str(model), "--no-plots"]) == 0
    assert "![" not in (model / "README.md").read_text()


# ---------------------------------------------------------------------------------------------- scores to pictures


def test_a_curve_is_that_of_sklearn() -> None:
    from sklearn.metrics import precision_recall_curve

    truth, scores = [1, 0, 1, 1, 0, 0, 1], [0.9, 0.8, 0.8, 0.6, 0.6, 0.2, 0.1]
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    found = reports._curve([bool(one) for one in truth], scores)
    theirs = list(zip(recall[:-1][::-1], precision[:-1][::-1], thresholds[::-1], strict=True))
    assert found == [pytest.approx(point) for point in theirs]


def test_a_curve_of_many_points_is_thinned_and_keeps_its_ends() -> None:
    scores = [number / 10_000 for number in range(10_000)]
    found = reports._curve([number % 3 == 0 for number in range(10_000)], scores)
    assert len(found) <= 400 and found[-1][0] == 1.0 and found[0][2] == scores[-1]


def test_confusion_of_relations_pairs_what_stands_in_one_place() -> None:
    rows = (
        Row("1", "1", [["T1", "T2", "A"], ["T3", "T4", "B"]], [["T1", "T2", "B"], ["T5", "T6", "A"]]),
        Row("2", "2", [["T1", "T2", "A"], ["T1", "T2", "B"]], [["T1", "T2", "B"]]),
        Row("3", "3", [], []),
    )
    counts, labels = reports._confusion(Examples("", rows, "relations", {"classes": ["A", "B"]}))
    assert labels == ["A", "B", plots.NONE]
    assert counts == {("A", "B"): 1, ("B", plots.NONE): 1, (plots.NONE, "A"): 1, ("B", "B"): 1, ("A", plots.NONE): 1}


# --------------------------------------------------------------------------------------------------- run folders


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights with one classification head, as a finished run leaves its folder."""
    folder = tiny.model(tmp_path_factory.mktemp("trained"), (HARM,))
    lines = [
        {"step": n, "of": 9, "losses": {"harm": 1 / n}, "rate": 1e-5, "pieces": 9, "padded": 9, "seconds": n,
         **({"scores": {"mean": 0.5, "rows harm macro f1": 0.5}, "better": True} if n % 3 == 0 else {})}
        for n in range(1, 10)
    ]  # fmt: skip
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 10, "lo')
    (folder / "run.toml").write_text(
        'encoder = "package:some_encoder"\nseed = 3\n[[data]]\ncorpus = "rows"\nsplit = "train"\nprotocol = "official"\n'
    )
    return folder


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "model"))


@pytest.fixture
def scored(model: Path, world: Path) -> Path:  # noqa: F811
    """The same with a baseline and a list of what it saw, beside the corpora of the audit's tests."""
    rows = corpora.load("rows")
    documents = list(rows.documents("train"))
    tfidf.train((e for d in documents * 4 for e in classification.examples(d, HARM)), HARM).save(model / "tfidf")
    part = SeenPart("rows", "train", "official", rows.split_hash(), "train", tuple(prints(documents, rows)))
    Seen((part,)).write(model)
    return model


def test_a_card_of_a_run_that_was_never_scored(model: Path, capsys: Any) -> None:
    assert main(["report", str(model)]) == 0
    err = capsys.readouterr().err
    assert "log.jsonl: 1 lines are no steps: left out" in err and "its scores are unknown" in err
    text = (model / "README.md").read_text(encoding="utf-8")
    assert f"fine-tuned from `package:some_encoder`. Weights: `{runs.read(model).source}`" in text
    assert "- **harm** (classification, label): `no`, `yes`" in text
    assert "*unknown*: no evaluation lies in this folder" in text
    assert "Learned from: *unknown*." in text and "Split hashes: *unknown*." in text
    assert "- **rows**: terms *unknown*, no card of that name is here" in text
    assert "*unknown*: nothing was audited" in text and "- Training: *unknown*" in text
    assert "- The model: *unknown*" in text and "| seed | 3 |" in text
    assert "![tiny: learning curves" in text and (model / "report" / "learning.png").is_file()
    found = list(csv.DictReader(io.StringIO((model / "report" / "learning.csv").read_text(encoding="utf-8"))))
    assert {row["what"] for row in found} == {"harm", "rows harm macro f1"} and len(found) == 12


def test_a_run_that_recorded_its_terms_and_machine_is_told_in_full(model: Path, capsys: Any) -> None:
    own = json.loads((model / "relatome.json").read_text(encoding="utf-8"))
    own["card"] |= {
        "environment": {"python": "3.99", "processor": "Abacus | 7", "threads": "2", "precision": "bf16"},
        "corpora": {"rows": {"title": "Rows", "version": "4", "licence": "CC0", "terms": "Cite it.", "citation": "Row A. 2001.", "ship": False}},
    }  # fmt: skip
    (model / "relatome.json").write_text(json.dumps(own), encoding="utf-8")
    log = (model / "log.jsonl").read_text(encoding="utf-8").splitlines()[:9]
    again = [json.dumps({**json.loads(line), "step": 9 + n, "seconds": 4.0 * n}) for n, line in enumerate(log, 1)]
    (model / "log.jsonl").write_text("\n".join([*log, *again]) + "\n", encoding="utf-8")
    assert main(["report", str(model), "--no-plots"]) == 0, capsys.readouterr().err
    text = (model / "README.md").read_text(encoding="utf-8")
    assert "- Training: python 3.99, processor Abacus \\| 7, threads 2, precision bf16" in text
    assert "- **rows** (version 4): Rows. Licence: CC0. Cite it. Models of it may not be shipped with Relatome." in text
    assert "- rows: Row A. 2001." in text
    assert "- seconds: 45 by the clock, started 2 times" in text  # 9 before it was stopped, 36 after


def test_the_report_evaluates_when_asked(scored: Path, capsys: Any) -> None:
    arguments = ["report", str(scored), "--corpus", "rows", "--resamples", "50", "--to", "markdown,latex,csv,json"]
    assert main([*arguments, "--throughput"]) == 0, capsys.readouterr().err
    name = "rows-official-test-classification"
    assert {path.name for path in (scored / "evaluations").iterdir()} == {
        f"{name}.json", f"{name}.jsonl", f"{name}.tfidf.jsonl", "throughput.json",
    }  # fmt: skip
    files = {path.name for path in (scored / "report").iterdir()}
    kinds = ("f1", "confusion", "pr", "reliability")
    assert files == {
        "learning.png", "learning.csv", "throughput.png", "throughput.csv",
        *(f"{name}-{kind}{suffix}" for kind in kinds for suffix in (".png", ".csv")),
        *(f"{name}-{table}{suffix}" for table in ("classes", "calibration") for suffix in (".md", ".tex", ".csv", ".json")),
    }  # fmt: skip
    said = json.loads((scored / "evaluations" / f"{name}.json").read_text())
    assert said["environment"]["backend"] == "auto" and "python" in said["environment"]
    assert said["audit"]["train"]["sentence"] == 1 and said["audit"]["train"]["documents"] == 4
    text = (scored / "README.md").read_text(encoding="utf-8")
    f1 = next(one for one in said["scores"] if (one["name"], one["class"]) == ("f1", "macro"))
    other = next(one for one in said["beside"] if one["what"].endswith("tfidf"))
    theirs = next(one for one in other["scores"] if (one["name"], one["class"]) == ("f1", "macro"))
    row = next(line for line in text.splitlines() if line.startswith("| macro |")).split("|")
    assert float(row[4]) == pytest.approx(f1["value"], abs=1e-4) and row[7].strip() == "4"
    assert float(row[9]) == pytest.approx(theirs["value"], abs=1e-4)
    assert "| class | precision | recall | f1 | f1 low | f1 high | support | f1, clean part | f1, TF-IDF |" in text
    assert "1 of 4 share something with what the model learned from (0 a document, 1 a text, 1 a sentence)" in text
    assert "- rows test: clean documents: 2" in text and "Licence: CC0-1.0. none" in text
    assert f"| rows | official | {said['signature']['split_hash']} |" in text
    assert "Classes with fewer than 30 gold items, whose scores say little: `no`, `yes`." in text
    assert all(f"(report/{path})" in text for path in files if path.endswith(".png"))
    assert text.count("*unknown*") == len(
        re.findall(r"(?:Learned from|set holds it|on dev|Training|The model): \*unknown\*", text)
    )


def test_the_card_is_one_that_the_hub_reads(scored: Path) -> None:
    from huggingface_hub import ModelCard

    assert main(["report", str(scored), "--corpus", "rows", "--resamples", "0", "--no-plots"]) == 0
    loaded = ModelCard.load(scored / "README.md", ignore_metadata_errors=False)
    assert loaded.data.library_name == "relatome" and loaded.data.datasets == ["rows"]
    results = loaded.data.eval_results
    said = json.loads((scored / "evaluations" / "rows-official-test-classification.json").read_text())
    f1 = next(one["value"] for one in said["scores"] if (one["name"], one["class"]) == ("f1", "macro"))
    whole = [one for one in results if one.dataset_name == "rows test"]
    found = next(one for one in whole if one.metric_name == "f1 macro")
    assert found.metric_value == pytest.approx(f1, abs=1e-6) and found.metric_type == "f1"
    assert found.dataset_split == "test" and found.dataset_config == "official"
    assert found.dataset_revision == said["signature"]["split_hash"] and found.task_type == "text-classification"
    assert {one.dataset_name for one in results} == {"rows test", "rows test, clean part"}


def test_the_same_folder_gives_the_same_bytes(scored: Path) -> None:
    assert main(["report", str(scored), "--corpus", "rows", "--resamples", "20", "--to", "json"]) == 0
    first = {path: path.read_bytes() for path in [*(scored / "report").iterdir(), scored / "README.md"]}
    shutil.rmtree(scored / "report")
    assert main(["report", str(scored), "--to", "json"]) == 0
    assert {path: path.read_bytes() for path in first} == first


def test_the_report_goes_elsewhere_and_the_run_stays_as_it_was(scored: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in scored.rglob("*"))
    target = tmp_path / "out" / "deep"
    assert main(["report", str(scored), "-o", str(target), "--corpus", "rows", "--resamples", "0", "-q"]) == 0
    assert sorted(path.name for path in scored.rglob("*")) == before
    assert (target / "README.md").is_file() and len(list((target / "evaluations").iterdir())) == 3
    assert main(["report", str(scored), "-o", str(target), "--no-plots"]) == 0  # its evaluations are found there
    assert "### rows test, official split, classification" in (target / "README.md").read_text()


def test_a_folder_of_runs(scored: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for name in ("one", "other"):
        shutil.copytree(scored, both / name)
    assert main(["report", str(both), "-o", str(tmp_path / "out"), "--no-plots"]) == 0
    assert {path.parent.name for path in (tmp_path / "out").glob("*/README.md")} == {"one", "other"}
    assert main(["report", str(both / "one"), str(scored), "--no-plots"]) == 0


def test_what_a_person_saved_is_read(scored: Path, capsys: Any) -> None:
    """What `evaluate` prints and writes, under the names that `compare` knows."""
    arguments = ["evaluate", str(scored), "--corpus", "rows", "--resamples", "0"]
    assert main([*arguments, "--json", "--predictions", str(scored / "predictions.jsonl")]) == 0
    (scored / "evaluation.json").write_text(capsys.readouterr().out)
    run = runs.read(scored)
    (saved,) = run.evaluations
    assert saved.name == "evaluation" and saved.predictions is not None and saved.baseline is None
    assert saved.of_baseline() is not None and saved.part("clean part") is not None
    assert saved.audit == {} and saved.environment == {}


def test_relations_with_their_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path))
    path = drugs(tmp_path, [one for some in DRUGS.values() for one in some])
    heads = tuple(dataclasses.replace(head, groups={}) if head.task == "relation" else head for head in tiny.HEADS)
    folder = tiny.model(tmp_path / "run", heads)
    assert main(["report", str(folder), "--corpus", str(path), "--task", "relation", "--resamples", "20"]) == 0
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "### drugs test, official split, relation, gold entities" in text
    assert "The same with predicted entities:" in text
    assert "Where recall is lost, from text to relation (9 gold relations, predicted entities):" in text
    assert "| entity not found |" in text and "| sentence boundary |" in text
    assert 'name: "Relation extraction, predicted entities"' in text
    assert (folder / "report" / "drugs-official-test-relation-gold-confusion.png").is_file()
    assert "How good it is at named entity recognition is *unknown*" in text
    assert "relates concepts" not in text


@pytest.mark.parametrize("heads", [tiny.HEADS, (HARM,), (tiny.RELATIONS,)], ids=["all", "classification", "relation"])
def test_the_commands_of_a_card_run(heads: tuple[Head, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.model(tmp_path, heads)
    assert main(["report", str(folder), "--no-plots", "-q"]) == 0
    blocks = [block for block in _blocks(folder / "README.md") if block.language in ("sh", "python")]
    assert [block.language for block in blocks] == ["sh", "python"]
    tasks = {head.task for head in heads}
    assert ("relatome extract" in blocks[0].code) == ("ner" in tasks)
    assert ("[E1]" in blocks[0].code) == ("relation" in tasks)
    monkeypatch.chdir(folder)
    namespace: dict[str, Any] = {}
    for block in blocks:
        _run(block, namespace, where="README.md")
    assert namespace["answer"].probabilities or namespace["answer"].value is not None


# ------------------------------------------------------------------------------------------------- what goes wrong


def test_an_evaluation_of_other_weights_is_left_out(scored: Path, capsys: Any) -> None:
    assert main(["report", str(scored), "--corpus", "rows", "--resamples", "0", "--no-plots", "-q"]) == 0
    path = scored / "evaluations" / "rows-official-test-classification.json"
    said = json.loads(path.read_text())
    said["signature"]["model"] = "model@000000000000"
    path.write_text(json.dumps(said))
    capsys.readouterr()
    assert main(["report", str(scored), "--no-plots", "-q"]) == 0
    err = capsys.readouterr().err
    assert "is of model@000000000000, not of model@" in err and "left out" in err
    assert "*unknown*: no evaluation lies" in (scored / "README.md").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object"),
        ("{}", "this is not what relatome evaluate --json prints: KeyError: 'scores'"),
        ('{"scores": [], "signature": {}}', "no scores, or no signature"),
        ('{"scores": [{"name": "f1", "class": null, "value": "high", "low": 0, "high": 1, "support": 3}], "signature": {}}', "could not|is no number"),
        ('{"scores": [{"name": 1, "class": null, "value": 1, "low": 0, "high": 1, "support": 3}], "signature": {}}', "without a name"),
        ("[" * 100_000, "not JSON"),
    ],
    ids=["cut", "list", "empty", "no scores", "text", "no name", "deep"],
)  # fmt: skip
def test_a_broken_evaluation_is_one_line(text: str, said: str, model: Path, capsys: Any) -> None:
    (model / "evaluation.json").write_text(text)
    assert main(["report", str(model)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "evaluation.json: " in err and re.search(said, err)
    assert not (model / "README.md").exists() and not (model / "report").exists()


def test_somebodys_readme_is_not_written_over(model: Path, capsys: Any) -> None:
    (model / "README.md").write_text("My notes.\n")
    assert main(["report", str(model)]) == 2
    assert "README.md: this file is no report of relatome, so it is not written over" in capsys.readouterr().err
    assert (model / "README.md").read_text() == "My notes.\n" and not (model / "report").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: there is no such run folder"),
        (["."], "this is no run folder: it has no relatome.json"),
        (["model", "--to", "latx"], "unknown format of tables 'latx': did you mean 'latex'?"),
        (["model", "--throughput"], "--throughput needs --corpus"),
        (["model", "--task", "ner"], "--task needs --corpus"),
        (["model", "model"], "two runs would be written into one folder"),
        (["model", "--corpus", "adde"], "unknown corpus 'adde': did you mean 'ade'"),
        (["unfinished"], "this run is not finished: it has no relatome.json"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_wrong_usage_is_one_line(
    arguments: list[str], said: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    work = tmp_path / "work"
    (work / "unfinished").mkdir(parents=True)
    (work / "unfinished" / "run.toml").write_text("seed = 1\n")
    monkeypatch.chdir(work)
    if arguments == ["."]:
        (work / "unfinished" / "run.toml").unlink()
    if "model" in arguments:
        shutil.copytree(model, work / "model")
    assert main(["report", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err
    assert not list(work.rglob("README.md"))


def test_broken_files_of_a_run(model: Path) -> None:
    whole = (model / "relatome.json").read_text()
    for text, said in (("{", "not JSON"), ('{"heads": [1]}', "its heads cannot be read"), ("{}", "its heads cannot")):
        (model / "relatome.json").write_text(text)
        with pytest.raises(ModelError, match=said):
            runs.read(model)
    (model / "relatome.json").write_text(whole)
    (model / "run.toml").write_text("= 1")
    with pytest.raises(ModelError, match=r"run\.toml: not TOML"):
        runs.read(model)
    (model / "run.toml").unlink()
    (model / "evaluations").mkdir()
    (model / "evaluations" / "throughput.json").write_text(
        json.dumps({"model": runs.read(model).source, "rows": [["a"]]})
    )
    with pytest.raises(ScoreError, match="its rows are no sizes and speeds"):
        reports.of(runs.read(model))
    assert runs.read(model).settings == {}


def test_hostile_names_stay_text(model: Path) -> None:
    said = json.loads((model / "relatome.json").read_text())
    said["heads"][0]["labels"] = ["a|b`c``", "<script>alert(1)</script>\n# heading"]
    said["card"]["name"] = 'x"\n---\nlicense: mit\n# <b>'
    (model / "relatome.json").write_text(json.dumps(said))
    run = runs.read(model)
    text = card.write(run, {}, {}, where="report")
    assert text.count("\n---\n") == 1 and "\nlicense" not in text and "\n# heading" not in text
    assert "```a|b`c`` ```" in text or "``` a|b`c`` ```" in text
    body = text.partition(card.MARK)[2]
    assert "# x" in body and r"\# \<b\>" in body and "<b>" not in body


def test_check_is_about_the_marker(tmp_path: Path) -> None:
    reports.check(tmp_path / "README.md")
    (tmp_path / "README.md").write_text(f"---\n---\n{card.MARK}\n")
    reports.check(tmp_path / "README.md")
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not written over"):
        reports.check(tmp_path / "README.md")


def test_the_card_of_the_default_model_can_be_made(tmp_path: Path) -> None:
    run, files = reports.write(runs.inside("default")[0], tmp_path, with_plots=False)
    assert len(run.heads) == 3 and files == [tmp_path / "README.md"]
    text = files[0].read_text(encoding="utf-8")
    assert "bc5cdr" in text and "relatome extract --model ." in text and os.sep not in run.name
    assert ROWS  # the shared corpora of the audit's tests

"""``conll`` is ``conlleval.pl``: the recorded output, a thousand random files against the rules in Perl, and what is refused."""

from __future__ import annotations

import math
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from relatome.cli import main
from relatome.errors import FormatError, InputError, ScoreError, SettingsError
from relatome.scoring import conll

RULES = Path(__file__).parent / "data" / "conll" / "rules.pl"


def random_case(rng: random.Random) -> tuple[list[list[str]], list[list[str]]]:
    """Some sentences of tags of any scheme, and a prediction that agrees with six tags of ten."""
    prefixes = rng.choice(["BI", "BI", "BIE", "BIE.[]", "I"])
    types = rng.choice([["A"], ["A", "B"], ["A", "Gene", "β-x", "0", ""], ["MISC", "a-b", "0"]])

    def tag() -> str:
        if rng.random() < 0.4:
            return rng.choice(["O", "O", "O", "O-A"])
        kind = rng.choice(types)
        return rng.choice(prefixes) + (f"-{kind}" if kind else rng.choice(["-", ""]))

    gold = [[tag() for _ in range(rng.randint(1, 9))] for _ in range(rng.randint(1, 6))]
    return gold, [[one if rng.random() < 0.6 else tag() for one in tags] for tags in gold]


def in_perl(cases: list[tuple[str, str]]) -> Iterator[str]:
    """What the published rules print for each file, given with its options."""
    perl = shutil.which("perl")
    assert perl, "these tests need perl"
    given = "".join(f"=== {options}\n{file}" for options, file in cases)
    done = subprocess.run([perl, RULES], input=given.encode(), capture_output=True, check=True)
    return iter(done.stdout.decode().split("===\n")[1:])


def columns(gold: list[list[str]], predicted: list[list[str]]) -> str:
    return "".join(
        "".join(f"word {a} {b}\n" for a, b in zip(one, other, strict=True)) + "\n"
        for one, other in zip(gold, predicted, strict=True)
    )


def test_a_thousand_random_files_print_what_the_published_rules_print():
    rng = random.Random(20)
    sides = [random_case(rng) for _ in range(1000)]
    raw = [number % 10 == 9 for number in range(1000)]
    for latex, print_ in ((0, conll.text), (1, conll.latex)):
        expected = in_perl(
            [(f"latex:{latex} raw:{int(r)} outside:O-A", columns(*s)) for s, r in zip(sides, raw, strict=True)]
        )
        for (gold, predicted), r, wanted in zip(sides, raw, expected, strict=True):
            assert print_(gold, predicted, raw=r, outside="O-A", bare="") == wanted, columns(gold, predicted)


def test_the_report_holds_the_printed_numbers():
    rng = random.Random(21)
    for _ in range(100):
        gold, predicted = random_case(rng)
        lines = conll.text(gold, predicted, bare="").splitlines()
        if lines[0].endswith("with 0 phrases; found: 0 phrases; correct: 0."):
            continue
        report = conll.score(gold, predicted, bare="", resamples=0)
        assert f"accuracy: {100 * report.value('accuracy'):6.2f}%;" in lines[1]
        for line in lines[2:]:
            name, _, rest = line.strip().partition(": ") if line.strip()[0] != ":" else ("", "", line.strip()[2:])
            values = [report.value(one, name) for one in ("precision", "recall", "f1")]
            precision, recall, f1 = (0.0 if math.isnan(value) else 100 * value for value in values)
            assert rest.startswith(f"precision: {precision:6.2f}%; recall: {recall:6.2f}%; FB1: {f1:6.2f}")


@pytest.mark.corpus
def test_the_recorded_output_of_the_original(corpus_data, capsys):
    folder = corpus_data / "scorer_io" / "conlleval_s800"
    assert main(["score", "conll", "-p", str(folder / "NER_result_conll.txt"), "--format", "conlleval"]) == 0
    assert capsys.readouterr().out == (folder / "conlleval_output.txt").read_text(encoding="utf-8")
    report = conll.measure(**conll.read(None, str(folder / "NER_result_conll.txt"))).report(resamples=0)
    assert report.score("f1", "MISC").support == 767
    assert report.value("precision", "micro") == 572 / 833


@pytest.mark.corpus
def test_bare_tags_of_a_real_corpus_need_a_name(corpus_data, capsys):
    path = str(corpus_data / "biobert_ner" / "NCBI-disease" / "test.tsv")
    assert main(["score", "conll", "-g", path, "-p", path]) == 2
    assert "give the type of bare tags: --bare NAME" in capsys.readouterr().err
    report = conll.measure(**conll.read(path, path, bare="Disease")).report(resamples=0)
    assert report.value("f1", "Disease") == 1 and report.score("f1", "Disease").support == 960


@pytest.mark.parametrize(
    ("tags", "chunks"),
    [
        ("B-A I-A B-A", 2),  # IOB2
        ("I-A I-A B-A", 2),  # IOB1
        ("O I-A O I-A", 2),
        ("B-A I-B", 2),  # another type begins another chunk
        ("B-A E-A B-A E-A", 1),  # no rule for E before B: the original makes one of them
        ("B-A E-A E-A", 2),
        ("[-A ]-A", 2),
        ("B-A .-A I-A", 1),  # no rule either
    ],
)
def test_rules(tags, chunks):
    one = [tags.split()]
    assert f"with {chunks} phrases; found: {chunks} phrases; correct: {chunks}." in conll.text(one, one)


def test_documents_are_the_units_where_the_file_has_them(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("-DOCSTART- O O\n\na B-A B-A\n\nb O O\n\n-DOCSTART- O O\n\nc B-A O\nd O B-A\n\n", encoding="utf-8")
    arguments = conll.read(None, str(path))
    assert arguments["documents"] == ["1", "1", "1", "2", "2"]
    measure = conll.measure(**arguments)
    assert (measure.units, measure.unit) == (("1", "2"), "document")
    assert measure.value(np.array([[1.0, 0.0]]))[0].tolist() == [1.0] * 7
    assert conll.text(**arguments).startswith("processed 6 tokens")  # as conlleval counts them
    assert conll.measure([["B-A"]], [["B-A"]]).unit == "sentence"


def test_a_document_line_of_one_column_is_no_token(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("-DOCSTART- 77\na\tB-A\n\nb\tO\n\n-DOCSTART- 78\nc\tO\n", encoding="utf-8")
    arguments = conll.read(str(path), str(path))
    assert arguments["documents"] == ["1", "1", "2"]
    assert conll.text(**arguments).startswith("processed 3 tokens with 1 phrases")


@pytest.mark.parametrize(
    "content", ["a B-A B-A\r\n\r\nb O O\r\n", "\ufeffa B-A B-A\n\nb O O", "\n\na B-A B-A\n\n\nb O O\n"]
)
def test_line_ends_marks_and_blank_lines_change_nothing(content, tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(content.encode())
    assert conll.read(None, str(path)) == {
        "gold": [["B-A"], ["O"]], "predicted": [["B-A"], ["O"]],
        "raw": False, "outside": "O", "bare": None, "documents": None,
    }  # fmt: skip


def test_delimiters(tmp_path):
    path = tmp_path / "x.txt"
    for delimiter, row in (("\t", "a b\tB-A\tO"), (";", "a;B-A;O"), (r" *\| *", "a | B-A|O"), (" ", "a B-A O")):
        path.write_text(row + "\n", encoding="utf-8")
        assert conll.read(None, str(path), delimiter=delimiter)["gold"] == [["B-A"]]
    path.write_text("one word\tB-A\tO\n", encoding="utf-8")
    assert conll.read(None, str(path))["gold"] == [["B-A"]]  # a tab in the first line is the delimiter
    for delimiter in ("(", "x*"):
        with pytest.raises(SettingsError, match="the delimiter"):
            conll.read(None, str(path), delimiter=delimiter)


def test_raw_tags(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("a Drug Drug\nb Drug N\nc N Gene\n", encoding="utf-8")
    assert "with 2 phrases; found: 2 phrases; correct: 1." in conll.text(
        **conll.read(None, str(path), raw=True, outside="N")
    )
    with pytest.raises(ScoreError, match="tags that are types alone need --raw"):
        conll.read(None, str(path))
    with pytest.raises(SettingsError, match="add --raw"):
        conll.read(None, str(path), outside="N")


@pytest.mark.parametrize(
    ("gold", "predicted", "said"),
    [
        ([], [], "there are no sentences to score"),
        ([[]], [[]], "there are no tokens to score"),
        ([["O"]], [["O"], ["O"]], "the gold has 1 sentences and the predictions have 2"),
        (
            [["O"], ["O"], ["O"], ["O"]],
            [[], ["O", "O"], [], []],
            "4 sentences are of different lengths in gold and predictions: sentence 1 (1 and 0), sentence 2 (1 and 2), "
            "sentence 3 (1 and 0) ... (give one tag for each token, in the same order)",
        ),
        (
            [["B", "I", "O", "B", "B-A"]],
            [["O"] * 5],
            "3 gold tags are none that conlleval can read: 'B' (token 1), 'I' (token 2), 'B' (token 4) "
            "(give the type of bare tags: --bare NAME)",
        ),
        (
            [["B-A"], ["O", "O"]],
            [["S-A"], ["O", "Drug"]],
            "2 predicted tags are none that conlleval can read: 'S-A' (token 1), 'Drug' (token 3) "
            "(conlleval has no rule for S; IOBES is scored by: relatome score ner --scheme IOBES)",
        ),
        ([["B-"]], [["O"]], "1 gold tag is none that conlleval can read: 'B-' (token 1) (give the type"),
        ([["O", "O"]], [["O", "O"]], "no tag of either side begins a chunk"),
        (["B-A"], ["B-A"], "the gold tags are one string"),
        ([["B-micro"]], [["O"]], "'micro' is the name of an average"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_cannot_be_scored_is_said(gold, predicted, said):
    with pytest.raises(ScoreError) as caught:
        conll.score(gold, predicted)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("gold", "predicted", "said"),
    [
        (None, "a B-A O\nb O\n", "p.txt:2: expected 3 columns as in the lines before, found 2"),
        (None, "a\n", "p.txt:1: expected at least 2 columns, the last being tags, found 1"),
        (None, "\n\n", "p.txt: there are no tokens to score"),
        (None, "a O O\nb O B-A\n", "p.txt: no gold tag begins a chunk: every one of 2 is outside"),
        (None, "a B O\nb I B-A\n", "p.txt: 2 gold tags are none that conlleval can read: 'B' (token 1), 'I' (token 2)"),
        ("a B-A\nb O\n", "a B-A\n", "p.txt: the gold has 2 rows and the predictions have 1"),
        ("a B-A\nb O\nc O\n", "a B-A\nc O\n", "they part at line 2: 'b' and 'c'"),
        ("a B-A\nb O\n", "a B-A\n\nb O\n", "p.txt:1: "),
        (
            "a B-A\nb O\nc O\nd O\ne O\n",
            "a B-A\nB O\nC O\nD O\nE O\n",
            "p.txt: 4 tokens are not the gold's: 'b' and 'B' (line 2), 'c' and 'C' (line 3), 'd' and 'D' (line 4) ...",
        ),
        ("B-A\nO\n", "B-A\nO\nO\n", "the gold has 2 rows and the predictions have 3"),
    ],
)
def test_what_files_lack_is_said(gold, predicted, said, tmp_path, capsys):
    (tmp_path / "p.txt").write_text(predicted, encoding="utf-8")
    sides = ["-p", str(tmp_path / "p.txt")]
    if gold is not None:
        (tmp_path / "g.txt").write_text(gold, encoding="utf-8")
        sides += ["-g", str(tmp_path / "g.txt")]
    for format_ in ("conlleval", "json"):
        assert main(["score", "conll", *sides, "--format", format_]) == 2
        out, err = capsys.readouterr()
        assert out == "" and said in err and err.count("\n") == 1


def test_files_that_are_no_text_are_said_with_their_line(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"a O O\nb\xe9 O O\n")
    with pytest.raises(InputError, match="x.txt:2: the text is not UTF-8"):
        conll.read(None, str(path))
    path.write_bytes(b"a O O\n\0 O O\n")
    with pytest.raises(InputError, match="x.txt:2: the file is binary"):
        conll.read(None, str(path))
    path.write_text("a O O\nb O\n", encoding="utf-8")
    with pytest.raises(FormatError, match="found 2"):
        conll.read(None, str(path))

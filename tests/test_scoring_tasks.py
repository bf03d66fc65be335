"""The shared tasks' scorers: the official outputs, the rules one by one, and what is refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from relatome.cli import main
from relatome.errors import ScoreError, SettingsError
from relatome.scoring import SCORERS, biored, cdr, chemprot, ddi, drugprot, facts, re_eval, relations

DATA = Path(__file__).parent / "data" / "scoring"


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a command which cannot score writes."""
    assert main(["score", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("relatome: ") and err.count("\n") == 1
    return err


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def relation(document: str, kind: str, head: str, tail: str) -> str:
    return f"{document}\t{kind}\tArg1:{head}\tArg2:{tail}\n"


# ------------------------------------------------------------------------------------------------ official outputs


@pytest.mark.corpus
def test_chemprot_sample_is_the_official_evaluation(corpus_data, capsys):
    start = str(corpus_data / "chemprot" / "chemprot_sample" / "chemprot_sample_")
    arguments = ["score", "chemprot", "-g", start + "gold_standard.tsv", "-p", start + "predictions.tsv"]
    assert main([*arguments, "--format", "chemprot"]) == 0
    found = dict(line.split(":") for line in capsys.readouterr().out.splitlines())
    recorded = Path(start + "predictions_eval.txt").read_text(encoding="utf-8")
    for name, value in (line.split(":") for line in recorded.splitlines()):
        # The recorded file has twelve digits, the evaluator's read-me all of them.
        assert f"{float(found[name]):.12g}" == value.strip(), name
    assert [found[name].strip() for name in ("Precision", "Recall", "F-score")] == [
        "0.852112676056338",
        "0.5062761506276151",
        "0.6351706036745408",
    ]
    report = chemprot.measure(**chemprot.read(start + "gold_standard.tsv", start + "predictions.tsv")).report(
        resamples=0
    )
    assert [repr(report.value(name, "micro")) for name in ("precision", "recall", "f1")] == [
        found[name].strip() for name in ("Precision", "Recall", "F-score")
    ]


@pytest.mark.corpus
def test_cdr_is_the_official_evaluation_in_all_seven_rows(corpus_data):
    table = (corpus_data / "scorer_io" / "bc5cdr_eval" / "official_scores.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    assert len(rows) == 7
    for level, kind, gold, response, *expected in rows:
        path = corpus_data / gold
        path = path if path.exists() else path.with_name(path.name + ".gz")
        types = None if level == "relation" else [kind]
        arguments = cdr.read(str(path), str(corpus_data / response), types=types, level=[level])
        assert [line.split(": ")[1] for line in cdr.text(**arguments).splitlines()] == expected
        report = cdr.measure(**arguments).report(resamples=0)
        assert [repr(score.value) for score in report.scores] == expected[3:]
        assert report.scores[0].support == int(expected[0]) + int(expected[2])


@pytest.mark.corpus
def test_biored_gold_against_itself_is_perfect_and_counts_what_is_published(corpus_data):
    path = str(corpus_data / "biored" / "Dev.PubTator")
    report = biored.measure(**biored.read(path, path)).report(resamples=0)
    assert report.score("f1", "pair+type+novelty").support == 1162
    assert all(score.value == 1 or score.support == 0 for score in report.scores)


@pytest.mark.corpus
@pytest.mark.slow
def test_ddi_test_set_counts_what_is_published(corpus_data, tmp_path):
    from relatome.formats import ddi as corpus

    folder = corpus_data / "ddi2013" / "Test" / "Test for DDI Extraction task"
    lines = []
    for document in corpus.read(folder):
        lines += [f"s|{one.head}|{one.tail}|1|{one.type}\n" for one in document.relations]
        lines += [f"s|{one}|{other}|0|null\n" for one, other in document.meta.get("false_pairs", ())]
    assert len(lines) == 5716
    path = written(tmp_path, "all.txt", "".join(lines))
    report = ddi.measure(**ddi.read(str(folder), str(path))).report(resamples=0)
    assert report.score("f1", "detection").support == 979
    assert report.value("f1", "macro") == report.value("f1", "micro") == report.value("f1", "detection") == 1


# ---------------------------------------------------------------------------------------------- ChemProt, DrugProt


def test_chemprot_counts_sets_of_lines():
    gold = {"1": [("T1", "T2", "CPR:4"), ("T1", "T2", "CPR:9"), ("T1", "T3", "CPR:2")]}
    predicted = {"1": [("T1", "T2", "CPR:4"), ("T1", "T2", "CPR:4"), ("T2", "T1", "CPR:9")]}
    report = chemprot.score(gold, predicted, resamples=0)
    assert (report.value("precision", "micro"), report.value("recall", "micro")) == (0.5, 0.5)
    assert report.score("f1", "micro").support == 2  # CPR:2 is not evaluated


@pytest.mark.parametrize("name", ["chemprot", "drugprot"])
def test_files_of_relations_that_cannot_be_scored_are_said(name, tmp_path, capsys):
    kind = "CPR:4" if name == "chemprot" else "INHIBITOR"
    gold = written(tmp_path, "gold.tsv", relation("1", kind, "T1", "T2"))
    empty = written(tmp_path, "empty.tsv", "\n\n")
    assert "empty.tsv: there are no relations" in said(capsys, name, "-g", gold, "-p", empty)
    strange = written(
        tmp_path, "strange.tsv", "".join(relation("1", k, "T1", "T2") for k in (kind, "A", "B", "C", "D"))
    )
    err = said(capsys, name, "-g", gold, "-p", strange)
    assert (
        "strange.tsv: 4 relations are of a class that is not counted: 'A' (line 2), 'B' (line 3), 'C' (line 4) ..."
        in err
    )
    assert main(["score", name, "-g", str(gold), "-p", str(strange), "--classes", kind, "--json"]) == 0
    capsys.readouterr()
    assert "of the classes X" in said(capsys, name, "-g", gold, "-p", strange, "--classes", "X")
    short = written(tmp_path, "short.tsv", f"1\t{kind}\tArg1:T1\n")
    assert "short.tsv:1: expected PMID, kind, Arg1:T1, Arg2:T2 with tabs between, found 3" in said(
        capsys, name, "-g", gold, "-p", short
    )
    unnamed = written(tmp_path, "unnamed.tsv", f"1\t{kind}\tT1\tT2\n")
    assert "unnamed.tsv:1: expected PMID" in said(capsys, name, "-g", gold, "-p", unnamed)
    assert "the gold is needed" in said(capsys, name, "-p", gold)


def test_chemprot_documents_must_be_listed_and_are_resampled(tmp_path, capsys):
    gold = written(tmp_path, "gold.tsv", relation("1", "CPR:4", "T1", "T2"))
    listed = written(tmp_path, "ids.txt", "1\n2\n\n3\n")
    other = written(tmp_path, "other.tsv", "".join(relation(d, "CPR:4", "T1", "T2") for d in "14567"))
    err = said(capsys, "chemprot", "-g", gold, "-p", other, "--documents", listed)
    assert "other.tsv: 4 documents are not in" in err and "'4', '5', '6' ..." in err
    measure = chemprot.measure(**chemprot.read(str(gold), str(gold), documents=str(listed)))
    assert measure.units == ("1", "2", "3")
    assert chemprot.measure(**chemprot.read(str(gold), str(other))).units == ("1", "4", "5", "6", "7")


def test_drugprot_arguments_may_be_in_either_order_and_must_be_chemical_and_gene(tmp_path, capsys):
    entities = written(
        tmp_path, "entities.tsv",
        "".join(f"1\t{name}\t{kind}\t0\t1\tx\n" for name, kind in (("T1", "CHEMICAL"), ("T2", "GENE-Y"), ("T3", "GENE-N"))),
    )  # fmt: skip
    gold = written(tmp_path, "gold.tsv", relation("1", "INHIBITOR", "T1", "T2"))
    turned = written(tmp_path, "turned.tsv", relation("1", "INHIBITOR", "T2", "T1"))
    with_entities = drugprot.measure(**drugprot.read(str(gold), str(turned), entities=str(entities)))
    assert with_entities.report(resamples=0).value("f1", "micro") == 1
    without = drugprot.measure(**drugprot.read(str(gold), str(turned)))
    assert without.report(resamples=0).value("f1", "micro") == 0
    wrong = written(
        tmp_path, "wrong.tsv", "".join(relation(d, "INHIBITOR", a, b) for d, a, b in
        (("1", "T2", "T3"), ("1", "T1", "T9"), ("2", "T1", "T2"), ("1", "T1", "T1"), ("1", "T1", "T3"))),
    )  # fmt: skip
    err = said(capsys, "drugprot", "-g", gold, "-p", wrong, "--entities", entities)
    assert "wrong.tsv: 4 relations are not between a chemical and a gene of its document: T2 and T3 (line 1), " in err
    assert "T1 and T2 (line 3) ..." in err
    assert "entities.tsv:1: expected 6 columns" in said(
        capsys, "drugprot", "-g", gold, "-p", gold, "--entities", written(tmp_path, "entities.tsv", "1\tT1\n")
    )


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0, "0.0"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (1e-5, "1.0E-5"),
        (1 / 3, "0.3333333333333333"),
        (1e7, "1.0E7"),
    ],
)
def test_numbers_are_shown_as_java_shows_them(number, shown):
    assert facts.java(number) == shown


# ---------------------------------------------------------------------------------------------------- CDR, BioRED


def notes(folder: Path, name: str, *documents: str) -> Path:
    """PubTator documents that share one text, with what is said of each."""
    return written(
        folder, name,
        "".join(f"{i}|t|Aspirin and rash.\n{i}|a|None.\n{body}\n" for i, body in enumerate(documents, 1)),
    )  # fmt: skip


def test_cdr_scores_what_the_predictions_have_and_says_so(tmp_path, capsys):
    chemical, disease = "{}\t0\t7\tAspirin\tChemical\tD1\n", "{}\t12\t16\trash\tDisease\tD2\n"
    gold = notes(tmp_path, "gold.txt", chemical.format(1) + disease.format(1) + "1\tCID\tD1\tD2\n")
    tagger = notes(tmp_path, "tagger.txt", disease.format(1))
    report = cdr.measure(**cdr.read(str(gold), str(tagger))).report(resamples=0)
    assert report.signature["classes"] == ["Disease mention", "Disease id"]
    err = said(capsys, "cdr", "-g", gold, "-p", tagger, "--level", "relation")
    assert "tagger.txt: there is nothing of: CID relation" in err
    assert "nothing of: Chemical mention" in said(capsys, "cdr", "-g", gold, "-p", tagger, "--types", "Chemical")
    assert "unknown level 'mentions': did you mean 'mention'" in said(
        capsys, "cdr", "-g", gold, "-p", tagger, "--level", "mentions"
    )
    assert "bc5cdr prints one type at one level" in said(capsys, "cdr", "-g", gold, "-p", gold, "--format", "bc5cdr")
    bare = notes(tmp_path, "bare.txt", "")
    assert "bare.txt: there are no mentions and relations" in said(capsys, "cdr", "-g", gold, "-p", bare)


@pytest.mark.parametrize("name", ["cdr", "biored", "relations", "ner"])
def test_documents_missing_or_doubled_are_named(name, tmp_path, capsys):
    body = "{0}\t0\t7\tAspirin\tChemical\tD1\n{0}\t12\t16\trash\tDisease\tD2\n{0}\tAssociation\tD1\tD2\tNovel\n"
    five = notes(tmp_path, "five.txt", *(body.format(i) for i in range(1, 6)))
    one = notes(tmp_path, "one.txt", body.format(1))
    err = said(capsys, name, "-g", five, "-p", one)
    assert "4 documents are in the gold but not in the predictions: '2', '3', '4' ..." in err
    err = said(capsys, name, "-g", one, "-p", five)
    assert "4 documents are in the predictions but not in the gold: '2', '3', '4' ..." in err
    twice = written(tmp_path, "twice.txt", one.read_text(encoding="utf-8") * 2)
    assert "1 document is more than once in the predict" in said(capsys, name, "-g", one, "-p", twice)


def test_biored_without_novelty_is_scored_at_two_strictnesses(tmp_path, capsys):
    with_ = notes(tmp_path, "with.txt", "1\tAssociation\tD1\tD2\tNovel\n1\tBind\tD1\tD3\tNo\n")
    without = notes(tmp_path, "without.txt", "1\tAssociation\tD2\tD1\n")
    report = biored.measure(**biored.read(str(with_), str(without))).report(resamples=0)
    assert [row["class"] for row in report.rows()][:3] == ["pair", "pair+type", "Association"]
    assert report.value("recall", "pair") == 0.5
    some = notes(tmp_path, "some.txt", "1\tAssociation\tD2\tD1\n1\tBind\tD1\tD3\tNo\n")
    assert "some.txt: 1 relation is without a novelty, which others have: '1: D2 D1'" in said(
        capsys, "biored", "-g", with_, "-p", some
    )
    odd = notes(tmp_path, "odd.txt", "1\tCauses\tD2\tD1\tNovel\n")
    assert "1 predicted relation type is not in the list: 'Causes' (document 1)" in said(
        capsys, "biored", "-g", with_, "-p", odd
    )


def test_relations_between_mentions_are_matched_by_span(tmp_path, capsys):
    gold, predicted = tmp_path / "gold.jsonl", tmp_path / "predicted.jsonl"
    assert main(["convert", str(DATA / "ddi" / "gold" / "X.d0.xml"), str(gold), "--from", "ddi"]) == 0
    text = gold.read_text(encoding="utf-8")
    predicted.write_text(text.replace("X.d0.s0.e0", "other").replace('"advise"', '"effect"'), encoding="utf-8")
    capsys.readouterr()
    assert "1 predicted class is not in the list: 'effect' (document X.d0)" in said(
        capsys, "relations", "-g", gold, "-p", predicted
    )
    arguments = relations.read(str(gold), str(predicted), classes=["advise", "mechanism", "effect"])
    report = relations.measure(**arguments).report(resamples=0)
    assert report.value("f1", "mechanism") == 1 and report.value("recall", "advise") == 0


# ------------------------------------------------------------------------------------------------------------ DDI


def test_ddi_macro_is_of_precision_and_recall_and_a_type_never_said_counts_as_0():
    gold = {"1": [("a", "b", "effect"), ("a", "c", "effect"), ("b", "c", "advise")]}
    predicted = {"1": [("b", "a", "effect"), ("c", "b", "advise"), ("c", "a", "advise")]}
    report = ddi.score(gold, predicted, resamples=0)
    assert report.value("f1", "detection") == 1
    assert report.value("f1", "effect") == report.value("f1", "advise") == pytest.approx(2 / 3)
    assert report.value("f1", "macro") == 0.75  # and not the mean of the two
    assert report.value("precision", "int") != report.value("precision", "int")  # neither side has it
    never = ddi.score(gold, {"1": [("b", "a", "effect"), ("c", "a", "effect")]}, resamples=0)
    assert (never.value("precision", "macro"), never.value("recall", "macro")) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "X.d0.s0|X.d0.s0.e0|X.d0.s0.e1|1|mechanism\nX.d0.s0|X.d0.s0.e0|X.d0.s0.e2|0|null\n",
            "5 pairs are not answered",
        ),
        ("s|X.d0.s0.e0|X.d9.s0.e1|1|effect\n", "1 pair is not in the gold: X.d0.s0.e0 and X.d9.s0.e1 (line 1)"),
        (
            "s|X.d0.s0.e0|X.d0.s0.e1|1|effect\ns|X.d0.s0.e1|X.d0.s0.e0|1|advise\n",
            "1 pair is answered in two ways: X.d0.s0.e1 and X.d0.s0.e0 (lines 1 and 2)",
        ),
        ("s|X.d0.s0.e0|X.d0.s0.e1|1|effcet\n", "1 predicted type is not in the list: 'effcet' (document X.d0)"),
        ("s|X.d0.s0.e0|X.d0.s0.e1|1|null\n", "p.txt:1: an interaction without a type"),
        ("s|X.d0.s0.e0|X.d0.s0.e1|yes|effect\n", "p.txt:1: expected sentence|e1|e2|0 or 1|type"),
        ("s|X.d0.s0.e0|X.d0.s0.e1|effect\n", "p.txt:1: expected sentence|e1|e2|0 or 1|type"),
        ("s|X.d0.s0.e0|X.d0.s0.e1|0|null\n", "6 pairs are not answered: "),
    ],
)
def test_ddi_answers_that_do_not_fit_are_said(lines, expected, tmp_path, capsys):
    path = written(tmp_path, "p.txt", lines)
    assert expected in said(capsys, "ddi", "-g", DATA / "ddi" / "gold", "-p", path)


# ----------------------------------------------------------------------------------------------- BioBERT's rows


def test_re_eval_is_sklearn_in_both_of_its_tasks():
    from sklearn.metrics import precision_recall_fscore_support

    rng = random.Random(3)
    for _ in range(50):
        gold = [rng.choice("01") for _ in range(40)] + ["0", "1"]
        predicted = [one if rng.random() < 0.7 else rng.choice("01") for one in gold]
        p, r, f, _ = precision_recall_fscore_support(gold, predicted, labels=["0", "1"], zero_division=0)
        report = re_eval.score(gold, predicted, labels=["0", "1"], resamples=0)
        assert [report.value(name) for name in ("f1", "recall", "precision", "specificity")] == pytest.approx(
            [f[1], r[1], p[1], r[0]]
        )
        names = ["CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9", "false"]
        gold = [rng.choice(names) for _ in range(60)]
        predicted = [one if rng.random() < 0.7 else rng.choice(names) for one in gold]
        p, r, f, _ = precision_recall_fscore_support(gold, predicted, labels=names[:5], average="micro")
        report = re_eval.score(gold, predicted, labels=names, resamples=0)
        assert [report.value(name, "micro") for name in ("precision", "recall", "f1")] == pytest.approx([p, r, f])
        printed = f"f1 score    : {f:.2%}\nrecall      : {r:.2%}\nprecision   : {p:.2%}\n"
        assert re_eval.text(gold, predicted, labels=names) == printed


def test_re_eval_does_not_guess_its_labels_from_the_rows(tmp_path):
    """The original sorts the labels that the test file has: without CPR:3 every column would shift."""
    labels = ["CPR:3", "CPR:4", "false"]
    report = re_eval.score(["CPR:4", "false"], ["CPR:4", "false"], labels=labels, resamples=0)
    assert report.value("f1", "micro") == 1
    gold = written(tmp_path, "test.tsv", "index\tsentence\tlabel\n0\tx\tCPR:4\n1\ty\tfalse\n")
    predicted = written(tmp_path, "results.tsv", "0.1\t0.8\t0.1\n0.1\t0.1\t0.8\n")
    assert re_eval.read(str(gold), str(predicted), labels=labels)["predicted"] == ["CPR:4", "false"]


@pytest.mark.parametrize(
    ("gold", "predicted", "labels", "expected"),
    [
        ("0\tx\t1\n1\ty\t0\n", "0.1\t0.9\n", "0,1", "p.tsv: the gold has 2 rows and the predictions have 1"),
        (
            "0\tx\t1\n1\ty\t1\n",
            "0.1\t0.9\n0.1\t0.9\n",
            "0,1",
            "all 2 gold labels are '1': recall and specificity cannot",
        ),
        ("0\tx\tyes\n1\ty\t0\n", "0.1\t0.9\n0.1\t0.9\n", "0,1", "1 gold label is not in the list: 'yes' (line 2)"),
        ("0\tx\t1\n1\ty\t0\n", "nan\t0.9\n0.1\tx\n", "0,1", "p.tsv: 2 rows are not of finite numbers: line 1, line 2"),
        (
            "0\tx\t1\n1\ty\t0\n",
            "0.1\t0.8\t0.1\n" * 2,
            "0,1",
            "p.tsv:1: expected 2 probabilities with tabs between, found 3",
        ),
        ("0\tx\t1\n1\ty\t0\n", "\n", "0,1", "p.tsv: there are no rows of probabilities"),
        ("", "0.1\t0.9\n", "0,1", "g.tsv: there are no rows"),
        ("0\tx\n", "0.1\t0.9\n", "0,1", "g.tsv:2: expected 3 columns, found 2"),
        ("0\tx\t1\n1\ty\t0\n", "0.1\t0.9\n0.1\t0.9\n", None, "--labels is needed, in the order of the columns"),
        ("0\tx\t1\n1\ty\t0\n", "0.1\t0.9\n0.1\t0.9\n", "0,1,1", "'1' is twice among the labels"),
    ],
)
def test_re_eval_files_that_do_not_fit_are_said(gold, predicted, labels, expected, tmp_path, capsys):
    sides = [written(tmp_path, "g.tsv", "index\tsentence\tlabel\n" + gold), written(tmp_path, "p.tsv", predicted)]
    given = [] if labels is None else ["--labels", labels]
    assert expected in said(capsys, "re-eval", "-g", sides[0], "-p", sides[1], *given)


def test_re_eval_of_the_library_refuses_the_same():
    with pytest.raises(ScoreError, match="one label only"):
        re_eval.score(["1"], ["1"], labels=["1"])
    with pytest.raises(ScoreError, match="no classes to choose"):
        re_eval.score(["1", "0"], ["1", "0"], labels=["0", "1"], classes=["1"])
    with pytest.raises(ScoreError, match="1 predicted label is not in the list: '2' \\(row 2\\)"):
        re_eval.score(["1", "0"], ["1", "2"], labels=["0", "1"])
    with pytest.raises(SettingsError, match="prints one type"):
        cdr.text({}, {}, classes=["a", "b"])


def test_a_list_may_be_a_file(tmp_path, capsys):
    labels = written(tmp_path, "labels.txt", "CPR:3\nCPR:4\nCPR:9\nfalse\n")
    sides = ["-g", str(DATA / "re-eval" / "test.tsv"), "-p", str(DATA / "re-eval" / "test_results.tsv")]
    assert main(["score", "re-eval", *sides, "--labels", str(labels), "--format", "re_eval"]) == 0
    assert capsys.readouterr().out == (DATA / "re-eval" / "printed.txt").read_text(encoding="utf-8")


def test_every_scorer_says_in_the_help_of_its_options_which_it_takes(capsys):
    """An option that a scorer does not know is refused with those it knows, not ignored."""
    for name, module in SCORERS.items():
        if "raw" not in module.read.__annotations__:
            assert f"{name} knows no --raw" in said(capsys, name, "-p", "x", "--raw")

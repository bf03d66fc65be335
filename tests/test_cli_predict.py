"""``relatome predict``: rows in, rows out, in order; and the files that the official scorers read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from relatome.cli import answers, main, rows
from relatome.cli.rows import Asked, Wanted
from relatome.documents import Document, Mention, Span
from relatome.errors import InputError
from relatome.formats import chemprot, pubtator
from relatome.predictors import load
from relatome.tasks.example import Head, Pair, Prediction, Sentence, TypedSpan
from relatome.tasks.relation import parse_marked

DATA = Path(__file__).with_name("data")
MARKED = "[E1]Aspirin[/E1] inhibits [E2]cox 2[/E2]."
PLAIN = "Lithium caused tremor."
RELATIONS = Head(
    "relations", "relation", "packed", ("NO_RELATION", "CID", "INHIBITOR", "SUBSTRATE", "NOT"),
    groups={"INHIBITOR": "CPR:4", "SUBSTRATE": "CPR:9", "NOT": "CPR:10"},
)  # fmt: skip


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="session")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain token-classification folder, as Hugging Face's."""
    return _plain(tmp_path_factory.mktemp("tagger"), Head("entities", "ner", "tags", ("Chemical", "Disease")))


@pytest.fixture(scope="session")
def relater(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain sequence-classification folder whose vocabulary has the markers."""
    return _plain(
        tmp_path_factory.mktemp("relater"), Head("relations", "relation", "marker", ("no", "treats", "causes"))
    )


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain sequence-classification folder without markers."""
    return _plain(tmp_path_factory.mktemp("classifier"), Head("label", "classification", "label", ("0", "1")))


def _plain(folder: Path, head: Head) -> Path:
    from tests import tiny

    model = tiny.model(folder, [head])
    (model / "relatome.json").unlink()
    return model


def predicted(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
    """The answers of one run, as JSON lines."""
    assert main(["predict", *map(str, arguments), "--to", "jsonl"]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# --------------------------------------------------------------------------------------------------------- rows


def test_a_marked_text(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = predicted(capsys, tiny_model, MARKED)
    assert answer["task"] == "relation" and answer["text"] == "Aspirin inhibits cox 2."
    assert (answer["E1"]["text"], answer["E2"]["text"], answer["E2"]["start"]) == ("Aspirin", "cox 2", 17)
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert answer["probability"] == answer["probabilities"][answer["label"]]
    assert answer["windows"] == 1 and answer["dropped"] is False and answer["model"].startswith("model@")


def test_a_sentence(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = predicted(capsys, tiny_model, PLAIN)
    assert answer["task"] == "classification" and answer["label"] in ("adverse-effect", "no-adverse-effect")
    (answer,) = predicted(capsys, tiny_model, PLAIN, "--task", "ner")
    assert all(PLAIN[entity["start"] : entity["end"]] == entity["text"] for entity in answer["entities"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[E1]Aspirin[/E1] inhibits cox.", "the marker [E2] is missing"),
        ("[E1]Aspirin inhibits [E2]cox[/E2].", "the marker [/E1] is missing"),
        ("[E1]A[/E1] and [E1]B[/E1] and [E2]C[/E2].", "the marker [E1] stands 2 times"),
        ("[E1]A [E2]B[/E1] C[/E2].", "the markers cross"),
        ("[/E1]A[E1] and [E2]C[/E2].", "[/E1] stands before [E1]"),
        ("[E1] [/E1] and [E2]C[/E2].", "[E1]…[/E1] marks nothing"),
    ],
)
def test_bad_markers(text: str, said: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(tiny_model), text]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1

    Path("rows.txt").write_text(f"{MARKED}\n{text}\n\n{PLAIN}\n", encoding="utf-8")
    found = predicted(capsys, tiny_model, "rows.txt", code=1)
    assert [answer["id"] for answer in found] == ["rows:1", "rows:4"]
    record = json.loads(Path("relatome.rejects.jsonl").read_text(encoding="utf-8"))
    assert said in record["error"] and record["path"] == "rows.txt" and record["line"] == 2

    Path("bad.txt").write_text(f"{text}\n", encoding="utf-8")
    assert main(["predict", str(tiny_model), "bad.txt", "-o", "out.tsv"]) == 2
    assert f"bad.txt:1: {said}" in capsys.readouterr().err and not Path("out.tsv").exists()


def test_rows_stay_in_order_and_do_not_depend_on_their_neighbours(
    tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [MARKED, PLAIN, "Tremor. " * 40, PLAIN.upper(), MARKED.replace("Aspirin", "Lithium"), "α"] * 5
    Path("rows.txt").write_text("\n".join(texts), encoding="utf-8")
    together = predicted(capsys, tiny_model, "rows.txt")
    assert [answer["id"] for answer in together] == [f"rows:{number}" for number in range(1, 31)]
    monkeypatch.setattr("relatome.cli.predict.CHUNK", 1)
    alone = predicted(capsys, tiny_model, "rows.txt")
    for one, other in zip(together, alone, strict=True):
        assert one["text"] == other["text"] and one["label"] == other["label"]
        assert one["probability"] == pytest.approx(other["probability"], abs=2e-4)


def test_empty_and_unreadable_input(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in {
        "empty.txt": b"",
        "blank.txt": b"\n \n",
        "binary.tsv": b"\0\1\2",
        "latin.txt": "é".encode("latin-1"),
    }.items():
        Path(name).write_bytes(content)
        assert main(["predict", str(tiny_model), name]) == 2
        err = capsys.readouterr().err
        assert name in err and err.count("\n") == 1
    assert main(["predict", str(tiny_model), "nowhere.tsv"]) == 2
    assert "nowhere.tsv: no such file" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("lines", "options", "texts"),
    [
        (["id\ttext\tlabel", f"a\t{PLAIN}\tx"], [], [PLAIN]),
        (["index\tsentence\tlabel", f"0\t{PLAIN}\t1", "1\t@GENE$ is linked to @DISEASE$ .\t0"], [], [PLAIN, "@GENE$ is linked to @DISEASE$ ."]),
        ([f"{PLAIN}\t0", "No harm.\t1"], [], [PLAIN, "No harm."]),
        ([f"0\t{PLAIN}\tB", "1\tNo harm.\tB"], ["--column", "2"], [PLAIN, "No harm."]),
        (["a\tb", f"{PLAIN}\tNo harm."], ["--column", "b"], ["No harm."]),
        (['x\t"He said ""no"" twice"'], [], ['He said "no" twice']),
    ],
    ids=["header", "biobert", "no header", "number", "name", "quoted"],
)  # fmt: skip
def test_tables(
    lines: list[str], options: list[str], texts: list[str], tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert [answer["text"] for answer in predicted(capsys, tiny_model, "rows.tsv", *options)] == texts


def test_a_table_with_a_short_row(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.tsv").write_text(f"id\ttext\n1\t{PLAIN}\n2\n3\t{MARKED}\n", encoding="utf-8")
    found = predicted(capsys, tiny_model, "rows.tsv", code=1)
    assert [answer["id"] for answer in found] == ["rows:2", "rows:4"]
    assert json.loads(Path("relatome.rejects.jsonl").read_text(encoding="utf-8"))["line"] == 3


def test_a_column_that_is_not_there(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.tsv").write_text(f"id\ttext\n1\t{PLAIN}\n", encoding="utf-8")
    assert main(["predict", str(tiny_model), "rows.tsv", "--column", "txt"]) == 2
    assert "rows.tsv:1: there is no column 'txt' (the first line has: id, text" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["iob/notes.tsv", "chemprot/notes_abstracts.tsv", "pubtator/notes.pubtator", "ade/notes_DRUG-AE.rel"]
)
def test_corpus_files_are_not_taken_for_tables(name: str) -> None:
    assert rows._kind(DATA / name) == {"iob": "iob", "ade": "ade"}.get(name[:3], name.split("/")[0])


# ------------------------------------------------------------------------------------------------- corpus files


def test_gold_is_not_looked_at(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = next(iter(pubtator.read(DATA / "pubtator" / "notes.pubtator")))
    pubtator.write([document], "gold.pubtator")
    pubtator.write([Document(document.id, document.text, passages=document.passages)], "bare.pubtator")
    for task in ("ner", "classification"):
        gold, bare = (
            [(answer["text"], answer.get("entities"), answer.get("probabilities")) for answer in predicted(capsys, tiny_model, name, "--task", task)]
            for name in ("gold.pubtator", "bare.pubtator")
        )  # fmt: skip
        assert gold == bare


def test_each_corpus_is_asked_what_it_is_for(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {
        name: {answer["task"] for answer in predicted(capsys, tiny_model, DATA / name)}
        for name in ("iob/notes.tsv", "chemprot/notes_abstracts.tsv", "ade/notes_DRUG-AE.rel", "bioc/notes.xml")
    }
    assert list(asked.values()) == [{"ner"}, {"relation"}, {"classification"}, {"ner"}]


def test_types_are_taken_as_the_cards_say(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ChemProt's GENE-Y is a Gene; no pair would be asked about otherwise."""
    found = predicted(capsys, tiny_model, DATA / "chemprot" / "notes_abstracts.tsv")
    assert {answer["E1"]["type"] for answer in found} <= {"Chemical", "Gene"} and found


def test_types_the_model_does_not_know_are_said(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.pubtator").write_text("1|t|Zog bit Zug.\n1|a|\n1\t0\t3\tZog\tAlien\t-\n1\t8\t11\tZug\tAlien\t-\n", "utf-8")
    assert main(["predict", str(tiny_model), "in.pubtator", "--task", "relation"]) == 2
    assert "document 1: its entities are of types the model does not relate: Alien" in capsys.readouterr().err


def test_plain_folders_do_what_they_are_for(
    tagger: Path, relater: Path, classifier: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "entities" in predicted(capsys, tagger, PLAIN)[0]
    assert predicted(capsys, relater, MARKED)[0]["label"] in ("no", "treats", "causes")
    assert predicted(capsys, classifier, PLAIN)[0]["label"] in ("0", "1")
    marked = predicted(capsys, classifier, MARKED)[0]  # it reads the markers as text
    assert marked["label"] in ("0", "1") and "E1" in marked
    assert main(["predict", str(relater), PLAIN]) == 2
    assert "the marker [E1] is missing" in capsys.readouterr().err
    assert main(["predict", str(tagger), MARKED]) == 2
    assert "the model has no head for relation (it has: entities (ner))" in capsys.readouterr().err
    assert main(["predict", str(classifier), PLAIN, "--to", "pubtator"]) == 2
    assert "are answers of classification: write --to jsonl\n" in capsys.readouterr().err  # it has no other task
    assert main(["extract", PLAIN, "--model", str(relater), "-o", "out.jsonl"]) == 2
    err = capsys.readouterr().err
    assert "relates entities but finds none (extract needs a model that finds them" in err and err.count("\n") == 1
    assert not Path("out.jsonl").exists()
    # Without a list of argument types, every ordered pair of a sentence is asked about.
    assert len(predicted(capsys, relater, DATA / "chemprot" / "notes_abstracts.tsv")) >= 2


# ------------------------------------------------------------------------------------------ what scorers read


def answered(
    text: str, head: Head, *predictions: Prediction, document: Document | None = None, gold: bool = False
) -> answers.Answered:
    """Predictions for one text, as a predictor might have made them."""
    inputs: tuple[Sentence | Pair, ...]
    if head.task == "relation":
        pair = parse_marked(text, "r")
        inputs = (pair,) * len(predictions)
        plain = pair.sentence.text
    else:
        inputs, plain = (Sentence("r", "r", text),), text
    return answers.Answered(Asked(document or Document("r", plain), head, inputs, gold), predictions, "m@1")


def written(to: str, *answers_: answers.Answered) -> str:
    answers.write(answers_, to, "out")
    return Path("out").read_text(encoding="utf-8")


def test_conll_is_what_conlleval_reads() -> None:
    head = Head("entities", "ner", "tags", ("Chemical", "Disease"))
    text = "Lithium-induced tremor."
    prediction = Prediction("r", (TypedSpan(0, 7, "Chemical", 0.9), TypedSpan(16, 22, "Disease", 0.8)))
    gold = Document("r", text, mentions=(Mention("T1", 0, 15, "Chemical", "Lithium-induced"),))
    assert written("conll", answered(text, head, prediction, document=gold, gold=True)) == (
        "Lithium B-Chemical B-Chemical\n- I-Chemical O\ninduced I-Chemical O\ntremor O B-Disease\n. O O\n\n"
    )
    assert written("conll", answered(text, head, prediction)).startswith("Lithium B-Chemical\n- O\n")


def test_conll_keeps_the_tokens_and_sentences_of_the_file(tiny_model: Path) -> None:
    source = DATA / "iob" / "notes.tsv"
    assert main(["predict", str(tiny_model), str(source), "--to", "conll", "-o", "out.txt"]) == 0
    ours = [line.split(" ") for line in Path("out.txt").read_text(encoding="utf-8").splitlines()]
    theirs = [line.split("\t") for line in source.read_text(encoding="utf-8").splitlines()]
    tokens = [line[0] for line in theirs if len(line) > 1 and not line[0].startswith("-DOCSTART-")]
    assert [line[0] for line in ours if line != [""]] == tokens
    assert all(len(line) == 3 for line in ours if line != [""])
    assert [line[1] for line in ours if line != [""]] == [
        line[-1] for line in theirs if line[0] in tokens and len(line) > 1
    ]


def test_biobert_re_is_a_matrix_in_the_order_of_names() -> None:
    head = Head("relations", "relation", "marker", ("NO_RELATION", "causes", "activates"))
    prediction = Prediction("r", "causes", {"NO_RELATION": 0.2, "causes": 0.7, "activates": 0.1})
    assert written("biobert_re", answered(MARKED, head, prediction, prediction)) == (
        "0.200000\t0.100000\t0.700000\n" * 2  # NO_RELATION, activates, causes
    )


def test_biobert_re_adds_up_groups_and_what_chemprot_does_not_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    prediction = Prediction(
        "r", "INHIBITOR", {"NO_RELATION": 0.1, "CID": 0.1, "INHIBITOR": 0.5, "SUBSTRATE": 0.2, "NOT": 0.1}
    )
    assert written("biobert_re", answered(MARKED, RELATIONS, prediction)) == "0.500000\t0.200000\t0.300000\n"
    assert capsys.readouterr().err == "relatome: the columns are: CPR:4, CPR:9, NO_RELATION\n"


def test_biobert_re_of_two_classes_has_an_index() -> None:
    head = Head("label", "classification", "label", ("0", "1"))
    made = [Prediction("r", value, {"0": 0.5, "1": 0.5}) for value in ("1", "0")]
    assert written("biobert_re", *(answered(PLAIN, head, one) for one in made)) == "index\tprediction\n0\t1\n1\t0\n"


def test_biobert_re_leaves_no_row_out(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.txt").write_text(f"{MARKED}\n[E1]bad\n{MARKED}\n", encoding="utf-8")
    assert main(["predict", str(tiny_model), "rows.txt", "--to", "biobert_re", "-o", "out.tsv"]) == 2
    assert "rows.txt:2: the marker" in capsys.readouterr().err and not Path("out.tsv").exists()


def test_chemprot_is_what_its_evaluation_reads(tiny_model: Path) -> None:
    source = DATA / "chemprot" / "notes_abstracts.tsv"
    assert main(["predict", str(tiny_model), str(source), "--to", "chemprot", "-o", "out.tsv"]) == 0
    known = {document.id: {m.id for m in document.mentions} for document in chemprot.read(source)}
    for line in Path("out.tsv").read_text(encoding="utf-8").splitlines():
        identity, group, first, second = line.split("\t")
        assert (
            group in chemprot.EVALUATED
            and {first.removeprefix("Arg1:"), second.removeprefix("Arg2:")} <= known[identity]
        )
    prediction = Prediction("r", "INHIBITOR", {"INHIBITOR": 0.9})
    mentions = (Mention("E1", 0, 7, "Chemical", "Aspirin"), Mention("E2", 17, 22, "Gene", "cox 2"))
    document = Document("r", "Aspirin inhibits cox 2.", mentions=mentions)
    assert (
        written("chemprot", answered(MARKED, RELATIONS, prediction, document=document))
        == "r\tCPR:4\tArg1:E1\tArg2:E2\n"
    )


@pytest.mark.parametrize(
    ("to", "label", "concepts", "told"),
    [
        ("chemprot", "CID", ("D1",), "groups other than CPR:3, CPR:4, CPR:5, CPR:6, CPR:9 (1)"),
        ("chemprot", "INHIBITOR", (), ""),
        ("pubtator", "CID", (), "relations of mentions without a concept id (1)"),
        ("pubtator", "CID", ("D1",), ""),
    ],
)
def test_what_a_format_has_no_place_for_is_counted(
    capsys: pytest.CaptureFixture[str], to: str, label: str, concepts: tuple[str, ...], told: str
) -> None:
    mentions = (
        Mention("E1", 0, 7, "Chemical", "Aspirin", concepts),
        Mention("E2", 17, 22, "Gene", "cox 2", ("5743",)),
    )
    document = Document("r", "Aspirin inhibits cox 2.", mentions=mentions)
    lines = written(to, answered(MARKED, RELATIONS, Prediction("r", label, {label: 0.9}), document=document))
    said = capsys.readouterr().err
    assert (told in said) if told else not said
    assert (label in lines or "CPR:4" in lines) == (not told)


def test_pubtator_relates_concepts_once() -> None:
    text = "Aspirin caused harm; aspirin."
    mentions = (
        Mention("T1", 0, 7, "Chemical", "Aspirin", ("D1",)),
        Mention("T2", 15, 19, "Disease", "harm", ("D2", "D3")),
        Mention("T3", 21, 28, "Chemical", "aspirin", ("D1",)),
    )
    document = Document("9", text, mentions=mentions, sentences=(Span(0, 29),))
    pairs = [parse_marked(f"[E1]{text[:7]}[/E1]{text[7:15]}[E2]harm[/E2]{text[19:]}")] * 2
    inputs = tuple(
        Pair(f"{number}", pair.sentence, pair.head._replace(id=head), pair.tail._replace(id="T2"))
        for number, (pair, head) in enumerate(zip(pairs, ("T1", "T3"), strict=True))
    )
    found = answers.Answered(Asked(document, RELATIONS, inputs, True), [Prediction("", "CID", {"CID": 0.9})] * 2, "m@1")
    answers.write([found], "pubtator", "out")
    lines = Path("out").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "CID" in line] == ["9\tCID\tD1\tD2", "9\tCID\tD1\tD3"]


@pytest.mark.parametrize(("to", "task"), [("conll", "relation"), ("chemprot", "ner"), ("pubtator", "classification")])
def test_a_format_of_another_task_is_refused(
    to: str, task: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(DATA / "pubtator" / "notes.pubtator")
    assert main(["predict", str(tiny_model), source, "--to", to, "--task", task, "-o", "out"]) == 2
    err = capsys.readouterr().err
    assert f"{to} is a format of" in err and f"answers of {task}" in err and not Path("out").exists()


def test_tsv_has_a_line_a_row(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.txt").write_text(f"{MARKED}\n{PLAIN}\n", encoding="utf-8")
    assert main(["predict", str(tiny_model), "rows.txt"]) == 0
    header, first, second = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert header == ["id", "label", "probability", "probabilities", "windows", "dropped", "text"]
    assert first[0] == "rows:1" and first[-1] == MARKED and second[-1] == PLAIN
    assert f"{first[1]}={first[2]}" == first[3].split()[0] and len(first) == len(header)


def test_table_is_for_the_eye(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(tiny_model), PLAIN, "--to", "table"]) == 0
    out = capsys.readouterr().out
    assert "no-adverse-effect" in out and "probability" in out
    Path("rows.txt").write_text(f"{MARKED}\n{PLAIN}\n", encoding="utf-8")
    assert main(["predict", str(tiny_model), "rows.txt", "--to", "table"]) == 0
    assert "rows:2" in capsys.readouterr().out


def test_the_format_to_write_chooses_among_the_tasks(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.txt").write_text(f"{MARKED}\n{PLAIN}\n", encoding="utf-8")
    assert main(["predict", str(tiny_model), "rows.txt", "--to", "pubtator", "-o", "out"]) == 0  # pairs, then entities
    assert [document.id for document in pubtator.read("out")] == ["rows:1", "rows:2"]
    assert main(["predict", str(tiny_model), str(DATA / "pubtator" / "notes.pubtator"), "--to", "biobert_re"]) == 0
    assert "the columns are: " in capsys.readouterr().err


def test_answers_of_two_heads_are_no_biobert_re(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.txt").write_text(f"{MARKED}\n{PLAIN}\n", encoding="utf-8")
    assert main(["predict", str(tiny_model), "rows.txt", "--to", "biobert_re"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err == (
        "relatome: biobert_re has the classes of one head as columns, but rows:2 asks ade-sentence and rows before it "
        "relations: add --task relation, or write --to jsonl\n"
    )


def test_rows_of_a_text_argument(tiny_model: Path) -> None:
    predictor = load(tiny_model)
    (asked,) = rows.of_text(MARKED, predictor, Wanted())
    assert [mention.text for mention in asked.document.check().mentions] == ["Aspirin", "cox 2"]
    (asked,) = rows.of_text(MARKED, predictor, Wanted(task="ner"))
    assert asked.document.text == "Aspirin inhibits cox 2."
    with pytest.raises(InputError, match="the marker"):
        list(rows.of_text(PLAIN, predictor, Wanted(task="relation")))

"""The question formats: what each says that the others do not, what they refuse, and the real files."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from relatome import formats
from relatome.documents import Document, Passage, Question, Span
from relatome.errors import FormatError, InputError, OffsetError
from relatome.formats import bioasq, blurb_bioasq, medqa, pubmedqa, squad
from relatome.formats.jsonrecords import Record, beside, dumped

DATA = Path(__file__).parent / "data"
ID = "0123456789abcdef01234567"


def asked(document: Document) -> Question:
    (question,) = document.questions
    return question


def written(folder: Path, value: object, name: str = "x.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def refused(module: Any, path: Path) -> str:
    """The one rejection of a file that is otherwise read."""
    rejects: list[InputError] = []
    read = list(module.read(path, on_reject=rejects.append))
    assert not read and len(rejects) == 1, (read, rejects)
    with pytest.raises(InputError) as caught:
        list(module.read(path))
    assert str(caught.value) == str(rejects[0])
    assert str(path) in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------------- SQuAD


def paragraph(**question: Any) -> dict[str, Any]:
    question = {"id": "q1", "question": "Which?", **question}
    return {"data": [{"title": "T", "paragraphs": [{"context": "Plombidol inhibits KRNX2.", "qas": [question]}]}]}


def test_several_readers_answers_are_variants_of_one_with_the_place_of_each() -> None:
    first, second, third = squad.read(DATA / "squad" / "notes.json")
    assert [document.id for document in (first, second, third)] == ["Plombidol:1", "Plombidol:2", "Vlozane:1"]
    question, impossible = first.questions
    assert question.answers == (("KRNX2", "KRNX2 🧬", "KRNX2"),)
    assert [first.text[start:end] for start, end in question.spans] == list(question.answers[0])
    assert question.spans[0] != question.spans[2]
    assert (impossible.answers, impossible.spans, impossible.meta["is_impossible"]) == ((), (), True)
    assert impossible.meta["plausible_answers"][0]["text"] == "Lyon"
    assert third.questions == ()


def test_the_contexts_of_one_bioasq_question_have_one_source() -> None:
    read = list(squad.read(DATA / "squad" / "notes_bioasq.json"))
    assert [document.meta["source"] for document in read] == [ID, ID, "0123456789abcdef01234568"]
    assert [asked(document).id[-4:] for document in read] == ["_000", "_001", "_000"]
    assert [document.id for document in read] == [asked(document).id for document in read]
    assert asked(read[2]).answers == ()
    assert squad.question_of(asked(read[1]).id) == ID


def test_a_title_behind_its_paragraphs_is_still_theirs(tmp_path: Path) -> None:
    text = (
        '{"data": [{"paragraphs": [{"context": "A b.", "qas": []}], "title": "T"}, {"paragraphs": []}], "version": 1}'
    )
    assert [document.id for document in squad.read(written(tmp_path, text))] == ["T:1"]
    text = '{"data": [{"paragraphs": [{"context": "A b."}, {"context": "C.", "id": 7}]}]}'
    assert [document.id for document in squad.read(written(tmp_path, text))] == ["x:1", "7"]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"answers": [{"text": "KRNX2", "answer_start": 18}]}, "'KRNX2' stands at 19..24: its offsets are 1 too low"),
        ({"answers": [{"text": "KRNX2", "answer_start": 24}]}, "has range 24..29, but the text has 25 characters"),
        ({"answers": [{"text": "KRNX2", "answer_start": -1}]}, "'answer_start' of answer 1 should be a whole number"),
        ({"answers": [{"text": "KRNX2", "answer_start": 1e3}]}, "should be a whole number from 0, found 1000.0"),
        ({"answers": [{"text": "", "answer_start": 3}]}, "has range 3..3"),
        ({"answers": [{"answer_start": 3}]}, "answer 1 has no 'text'"),
        ({"answers": "KRNX2"}, "'answers' of question 1 should be a list, found 'KRNX2'"),
        ({"answers": ["KRNX2"]}, "answer 1 should be a JSON object, found 'KRNX2'"),
        ({"answers": [{"text": "KRNX2", "answer_start": 19}], "is_impossible": True}, "is impossible and has answers"),
        (
            {"answers": [{"text": "KRNX2", "answer_start": 19}, {"text": "KRNX2"}]},
            "has answers with and without 'answer_start'",
        ),
        ({"id": None}, "'id' of question 1 should be an id, found None"),
        ({"question": 3}, "'question' of question 1 should be a string, found 3"),
        ({"meta": 3}, "'meta' of question 1 should be a JSON object, found 3"),
        ({"synonyms": ["a"]}, "'synonyms' of question 1 should be a list of lists"),
        ({"synonyms": [["a"]], "spans": [[1, 99]]}, "answer of question 'q1' has range 1..99"),
        ({"synonyms": [["a"]], "spans": [[1]]}, "should be pairs [start, end], found [1]"),
        ({"synonyms": [[1]]}, "should hold strings, found 1"),
        ({"question": "half \ud800"}, "holds half a character, a lone surrogate"),
    ],
)
def test_a_wrong_question_rejects_its_paragraph(question: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(paragraph(**question)))
    said = refused(squad, path)
    assert message in said
    assert f"{path}:1: document T:1: " in said


def test_an_answer_that_does_not_fit_is_repaired_only_when_asked_and_told(tmp_path: Path) -> None:
    answers = [{"text": "plombidol", "answer_start": 0}, {"text": "KRNX2", "answer_start": 18}]
    path = written(tmp_path, paragraph(answers=answers))
    with pytest.raises(OffsetError, match="the answer of question 'q1' at 0..9 should be 'plombidol'"):
        list(squad.read(path))
    told: list[InputError] = []
    (document,) = squad.read(path, on_repair=told.append)
    assert (asked(document).answers, asked(document).spans) == ((("Plombidol",),), (Span(0, 9),))
    assert [(problem.path, problem.line, problem.document) for problem in told] == [(str(path), 1, "T:1")] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": "1.1"}', "an object without 'data': this is no SQuAD file"),
        ('{"data": {}}', "expected [, found {"),
        ("[]", "expected {, found ["),
        ('{"data": []} {"data": []}', "more than one JSON value"),
        ('{"data": [{"title": "T", "paragraphs": {}}]}', "'paragraphs' should be a list"),
        ('{"data": [{"title": "T", "paragraphs": [{"context": "A."}', "expected , or ], found the end of the file"),
    ],
)
def test_what_is_no_squad_file(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(FormatError) as caught:
        list(squad.read(path))
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_articles_that_are_none_are_rejected_one_by_one(tmp_path: Path) -> None:
    good = {"title": "T", "paragraphs": [{"context": "A."}, 7, {"context": "B."}]}
    path = written(tmp_path, {"data": ["x", {"title": 1, "paragraphs": []}, good]})
    rejects: list[InputError] = []
    assert [document.id for document in squad.read(path, on_reject=rejects.append)] == ["T:1", "T:3"]
    assert ["JSON object" in str(problem) for problem in rejects] == [True, False, True]


def test_two_questions_with_one_id(tmp_path: Path) -> None:
    value = paragraph()
    value["data"][0]["paragraphs"][0]["qas"] *= 2
    assert "two questions have the id 'q1'" in refused(squad, written(tmp_path, value))


def test_a_written_squad_file_is_one_that_its_own_tools_read(tmp_path: Path) -> None:
    """Stock keys only, where the document holds no more than SQuAD does."""
    original = json.loads((DATA / "squad" / "notes.json").read_text())
    path = tmp_path / "out.json"
    assert squad.write(squad.read(DATA / "squad" / "notes.json"), path) == 3
    again = json.loads(path.read_text())
    assert again == original
    text = (DATA / "squad" / "notes_bioasq.json").read_text()
    squad.write(squad.read(DATA / "squad" / "notes_bioasq.json"), path)
    assert json.loads(path.read_text())["data"] == json.loads(text)["data"]
    assert json.loads(path.read_text())["version"] == "1.1"


@pytest.mark.parametrize("module", [squad, bioasq])
def test_whatever_a_question_holds_comes_back(module: Any, tmp_path: Path) -> None:
    text = "One KRNX2, two KRNX2."
    several = Question("a", "?", "list", (("KRNX2", "one"), ("two",)), (Span(4, 9),), {"id": "hidden", "b": [1]})
    documents = [
        Document("d1", text, questions=(several, Question("b", "??", "yesno", (("yes",),)))),
        Document("d2", text, passages=(Passage("title", 0, 3, "H", {"text": "x"}), Passage("abstract", 10, 14))),
        Document("d3", "", questions=(Question(f"{ID}_001", "", "factoid", ((), ("x",))),), meta={"title": "T"}),
        Document("T:1", "x\ny", passages=(Passage("title", 0, 1), Passage("abstract", 2, 3)), meta={"title": 7}),
        Document(ID, text, questions=(Question(ID, "?", "summary", meta={"meta": {"k": None}}),)),
    ]
    path = tmp_path / "out.json"
    assert module.write(documents, path) == 5
    name = module.__name__.rpartition(".")[2]
    assert list(module.read(path)) == [formats.kept(document, name) for document in documents]


def test_what_json_cannot_hold_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    for meta in ({"a": float("nan")}, {"a": "\ud800"}, {"a": {1, 2}}):
        with pytest.raises(FormatError, match="document 1: this cannot be written as JSON"):
            squad.write([Document("1", "A.", meta=meta)], tmp_path / "out.json")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------------------ BioASQ


def test_four_types_of_question() -> None:
    read = list(bioasq.read(DATA / "bioasq" / "notes.json"))
    assert [(asked(d).kind, asked(d).answers) for d in read] == [
        ("factoid", (("KRNX2", "kornexin 2 🧬"),)),
        ("yesno", (("yes",),)),
        ("list", (("Vlozane",), ("Plombidol", "PLB"))),
        ("summary", ()),
    ]
    first, title = read[0].passages
    assert (first.kind, title.kind) == ("abstract", "title")
    assert read[0].text[title.start : title.end] == "Aldern disease: a review."
    assert first.meta["offsetInBeginSection"] == 120 and first.meta["document"].endswith("/9000001")
    assert asked(read[0]).meta["ideal_answer"] == ["Aldern disease is caused by mutations of KRNX2."]
    assert read[0].id == asked(read[0]).id == ID


def test_phase_b_has_no_answers_and_a_systems_answers_no_body(tmp_path: Path) -> None:
    for document in bioasq.read(DATA / "bioasq" / "notes_phase_b.json"):
        assert asked(document).answers == () and "ideal_answer" not in asked(document).meta
        assert document.text and asked(document).text
    entries = [
        {"id": "a", "type": "factoid", "exact_answer": ["x", "y"], "ideal_answer": "Dummy"},
        {"id": "b", "type": "list", "exact_answer": ["x", "y"]},
        {"id": "c", "type": "factoid", "body": "?", "exact_answer": ["x", "y"]},
        {"id": "d", "type": "yesno", "exact_answer": "no"},
        {"id": "e", "type": "summary", "body": "?", "exact_answer": None},
    ]
    read = list(bioasq.read(written(tmp_path, {"questions": entries})))
    assert [asked(document).answers for document in read] == [
        (("x",), ("y",)),
        (("x",), ("y",)),
        (("x", "y"),),
        (("no",),),
        (),
    ]
    assert [document.text for document in read] == [""] * 5


def test_what_bioasq_wrote_is_written_again(tmp_path: Path) -> None:
    for name in ("notes.json", "notes_phase_b.json"):
        path = tmp_path / name
        bioasq.write(bioasq.read(DATA / "bioasq" / name), path)
        assert json.loads(path.read_text()) == json.loads((DATA / "bioasq" / name).read_text())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"id": "1"}, "document 1: a question has no 'body'"),
        ({"body": "?"}, "a question has no 'id'"),
        ({"id": " ", "body": "?"}, "'id' of a question should be an id"),
        (7, "a question should be a JSON object, found 7"),
        ({"id": "1", "body": "?", "exact_answer": 3}, "'exact_answer' of a question should be a list, found 3"),
        ({"id": "1", "body": "?", "exact_answer": ["a", ["b"]]}, "should be a list of lists, found 'a' in it"),
        ({"id": "1", "body": "?", "exact_answer": [["a", None]]}, "should hold strings, found None"),
        ({"id": "1", "body": "?", "snippets": [{}]}, "snippet 1 has no 'text'"),
        ({"id": "1", "body": "?", "snippets": "x"}, "'snippets' of a question should be a list"),
        (
            {"id": "1", "body": "?", "snippets": [{"text": "x", "offsetInBeginSection": 9, "offsetInEndSection": 3}]},
            "snippet 1 ends at 3 of its section, before it begins at 9",
        ),
        (
            {"id": "1", "body": "?", "snippets": [{"text": "x", "offsetInBeginSection": "9"}]},
            "'offsetInBeginSection' of snippet 1 should be a whole number from -1, found '9'",
        ),
        (
            {"id": "1", "body": "?", "text": "A b.", "snippets": [{"text": "b"}]},
            "has no 'start' and 'end' in the question's",
        ),
        (
            {"id": "1", "body": "?", "text": "A b.", "snippets": [{"text": "b", "start": 0, "end": 1}]},
            "snippet 1 at 0..1 should be 'b', but the text there is 'A'",
        ),
        ({"id": "1", "body": "?", "document_meta": 1}, "'document_meta' of a question should be a JSON object"),
        ({"id": "1", "body": "\udc00"}, "holds half a character"),
    ],
)
def test_a_wrong_entry_is_rejected(entry: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"questions": [entry]}))
    assert message in refused(bioasq, path)


def test_what_is_no_bioasq_file(tmp_path: Path) -> None:
    for text, message in (
        ('{"username": "x"}', "an object without 'questions': this is no BioASQ file"),
        ('{"questions": []} 1', "more than one JSON value"),
    ):
        with pytest.raises(FormatError, match=message):
            list(bioasq.read(written(tmp_path, text)))


# ---------------------------------------------------------------------------------------------------------- PubMedQA


def test_contexts_keep_their_labels_and_the_conclusion_is_no_part_of_the_text() -> None:
    first, second, third = pubmedqa.read(DATA / "pubmedqa" / "notes.json")
    assert first.id == asked(first).id == "9000001"
    assert [(passage.kind, passage.heading) for passage in first.passages] == [
        ("abstract", "BACKGROUND"),
        ("abstract", "RESULTS"),
    ]
    assert first.text == "\n".join(first.text[p.start : p.end] for p in first.passages)
    assert asked(first).meta["LONG_ANSWER"] == "Plombidol slows the heart of dogs." not in first.text
    assert [asked(document).answers for document in (first, second, third)] == [(("yes",),), (("maybe",),), (("no",),)]
    assert asked(second).meta["YEAR"] is None
    assert [passage.heading for passage in third.passages] == ["", ""]


def test_answers_without_articles(tmp_path: Path) -> None:
    path = written(tmp_path, '{"9000001": "yes", "9000002": "maybe"}')
    assert formats.guess(path) == "pubmedqa"
    assert [(d.id, d.text, asked(d).answers) for d in pubmedqa.read(path)] == [
        ("9000001", "", (("yes",),)),
        ("9000002", "", (("maybe",),)),
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"1": "perhaps"}, "the answer should be one of yes, no, maybe, found 'perhaps'"),
        ({"1": 1}, "expected an article or its answer, found 1"),
        ({"": "yes"}, "a document has no id"),
        ({"1": {"CONTEXTS": ["A."]}}, "the article has no 'QUESTION'"),
        ({"1": {"QUESTION": "?", "CONTEXTS": "A."}}, "'CONTEXTS' of the article should be a list"),
        ({"1": {"QUESTION": "?", "CONTEXTS": ["A."], "LABELS": ["X", "Y"]}}, "1 CONTEXTS and 2 LABELS"),
        ({"1": {"QUESTION": "?", "CONTEXTS": [3]}}, "'CONTEXTS' of the article should hold strings, found 3"),
        ({"1": {"QUESTION": "?", "final_decision": "Yes"}}, "one of yes, no, maybe, found 'Yes'"),
    ],
)
def test_a_wrong_article_is_rejected(value: object, message: str, tmp_path: Path) -> None:
    assert message in refused(pubmedqa, written(tmp_path, value))


# ------------------------------------------------------------------------------------------------------------- MedQA


def test_json_lines_and_table_say_the_same() -> None:
    lines = list(medqa.read(DATA / "medqa" / "notes.jsonl"))
    table = list(medqa.read(DATA / "medqa" / "notes.tsv"))
    assert [document.id for document in lines] == ["notes:1", "notes:2"]
    assert [document.id for document in table] == ["notes:0", "notes:1"]
    for one, other in zip(lines, table, strict=True):
        assert one.text == other.text == asked(one).text
        assert (asked(one).answers, asked(one).meta) == (asked(other).answers, asked(other).meta)
        assert asked(one).answers == ((asked(one).meta["options"][asked(one).meta["answer_idx"]],),)
    assert "\n" in lines[1].text and "\t" in lines[1].text and '"the"' in lines[1].text
    assert asked(lines[0]).meta["metamap_phrases"][1] == "dog's pulse"


def question(**changes: Any) -> dict[str, Any]:
    return {"question": "?", "answer": "y", "options": {"A": "x", "B": "y"}, "answer_idx": "B", **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answer": "x"}, "the answer is 'x', but option 'B' is 'y'"),
        ({"answer_idx": "E"}, "the answer is 'y', but option 'E' is None"),
        ({"answer": "z", "answer_idx": ""}, "the answer 'z' is none of the options"),
        ({"options": {}}, "'options' should give each letter its text, found {}"),
        ({"options": {"A": 1}}, "'options' should give each letter its text"),
        ({"options": "{'A': open('x')}"}, "'options' is no Python literal"),
        ({"options": "{'A': 'x', 'B': 'y'"}, "'options' is no Python literal"),
        ({"options": "(" * 5000}, "'options' is no Python literal"),
        ({"options": "-" * 5000 + "1"}, "'options' is no Python literal"),
        ({"options": "9" * 5000}, "'options' is no Python literal"),
        ({"options": "{'A': 3}"}, "'options' should be a dict or a list of strings, found {'A': 3}"),
        ({"options": "'x'"}, "'options' should be a dict or a list of strings, found 'x'"),
        ({"options": "{[]: 'x'}"}, "'options' is no Python literal"),
        ({"metamap_phrases": "['a'" + ", 'a'" * 20_000 + "]"}, "characters, more than 65536: not read"),
        ({"question": None}, "'question' of a question should be a string, found None"),
    ],
)
def test_a_wrong_question_is_rejected(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    assert message in refused(medqa, written(tmp_path, question(**changes), "x.jsonl"))


def test_a_literal_is_read_as_it_is_and_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = written(tmp_path, question(options=f"__import__('pathlib').Path({str(marker)!r}).touch()"), "x.jsonl")
    assert "no Python literal" in refused(medqa, path)
    assert not marker.exists()
    path = written(tmp_path, question(options="{'A': 'x', 'B': 'y', 'C': '\\d'}"), "x.jsonl")
    assert asked(next(medqa.read(path))).meta["options"]["C"] == "\\d"


def test_a_table_that_breaks_off_and_rows_that_are_too_short(tmp_path: Path) -> None:
    header = "\tquestion\tanswer\toptions\tanswer_idx\n"
    good = "0\t?\tx\t{'A': 'x'}\tA\n"
    rejects: list[InputError] = []
    path = written(tmp_path, header + good + "1\tx\n\n" + good.replace("0", "2", 1) + '3\t"open\nagain\n')
    assert [d.id for d in medqa.read(path, on_reject=rejects.append)] == ["x:0", "x:2"]
    assert [problem.line for problem in rejects] == [3, 6]
    assert "expected 5 columns, found 2" in str(rejects[0])
    assert "the table breaks off here: unexpected end of data" in str(rejects[1])
    with pytest.raises(FormatError, match="x.json:1: the header has no options, answer_idx"):
        list(medqa.read(written(tmp_path, "question\tanswer\n")))
    assert "this is not JSON" in refused(medqa, written(tmp_path, "{'A': 1}"))


# ---------------------------------------------------------------------------------------------------- BLURB's BioASQ


def test_blurb_lines() -> None:
    first, second = blurb_bioasq.read(DATA / "blurb_bioasq" / "notes.tsv")
    assert (second.id, asked(second).text, asked(second).answers) == (ID, "Is Vlozane a gene?", (("no",),))
    assert '"old' in first.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a\tb\tc", "expected 4 columns: id, question, snippets, answer; found 3"),
        ("a\tb\tc\tmaybe", "the answer should be yes or no, found 'maybe'"),
        (" \tb\tc\tyes", "the first column, the question's id, is empty"),
    ],
)
def test_a_wrong_line_is_rejected(line: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, line)
    assert f"{path}:1: {message}" in refused(blurb_bioasq, path)


# ----------------------------------------------------------------------------------------------------------- records


def test_records_are_what_they_should_be() -> None:
    with pytest.raises(FormatError, match="'flag' of x should be true or false, found 1"):
        Record({"flag": 1}, "x").flag("flag")
    assert Record({}, "x").flag("flag") is False
    assert Record({}, "x").number("n") is None
    with pytest.raises(FormatError, match="found True"):
        Record({"n": True}, "x").number("n")
    assert beside({}, {"meta": 1}, ()) == {"meta": {"meta": 1}}
    assert Record({"a": 1, "meta": {"b": 2}}, "x").rest({"a"}) == {"b": 2}
    assert dumped({"a": "α"}, "1") == '{"a": "α"}'


# ------------------------------------------------------------------------------------------------------- real files


def found(folder: Path, name: str) -> Path:
    return next(path for path in (folder / name, folder / f"{name}.gz") if path.is_file())


def test_the_golden_files(corpus_data: Path, tmp_path: Path) -> None:
    folder = corpus_data / "bioasq_factoid_biobert"
    kinds: dict[str, Counter[str]] = {}
    snippets = shorter = without = 0
    for path in sorted(folder.glob("*_golden.json*")):
        assert formats.guess(path) == "bioasq"
        read = list(formats.read(path))
        kinds.setdefault(path.name[:2], Counter()).update(asked(document).kind for document in read)
        for document in read:
            question = asked(document)
            assert question.text
            without += "ideal_answer" not in question.meta
            assert bool(question.answers) == (question.kind != "summary")
            if question.kind == "yesno":
                assert question.answers in ((("yes",),), (("no",),))
            for passage in document.passages:
                snippets += 1
                assert passage.kind in ("title", "abstract")
                length = passage.meta["offsetInEndSection"] - passage.meta["offsetInBeginSection"]
                shorter += length != passage.end - passage.start
                assert passage.end - passage.start - length in (0, 1)
        out = tmp_path / "out.json"
        bioasq.write(read, out)
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert json.loads(out.read_text()) == json.loads(raw)
    assert {year: counter["factoid"] for year, counter in kinds.items()} == {"4B": 161, "5B": 150, "7B": 162}
    assert sum(counter.total() for counter in kinds.values()) == 1497
    assert (snippets, shorter, without) == (9676, 271, 1)


def test_phase_b_asks_what_the_golden_files_answer(corpus_data: Path) -> None:
    for name, golden in (("phaseB_4b_04.json", "4B4_golden.json"), ("phaseB_5b_05.json", "5B5_golden.json")):
        read = {document.id: document for document in formats.read(corpus_data / "bioasq_phaseB" / name)}
        gold = {document.id for document in formats.read(corpus_data / "bioasq_factoid_biobert" / golden)}
        assert len(read) == 100 and set(read) == gold
        assert not any(asked(document).answers for document in read.values())


@pytest.mark.parametrize(
    ("batch", "questions", "paragraphs"),
    [
        *zip(("4b-1", "4b-2", "4b-3", "4b-4", "4b-5"), (39, 31, 26, 31, 34), (167, 152, 100, 116, 117), strict=True),
        *zip(("5b-1", "5b-2", "5b-3", "5b-4", "5b-5"), (25, 31, 26, 33, 35), (91, 121, 88, 94, 101), strict=True),
        *zip(("6b-1", "6b-2", "6b-3", "6b-4", "6b-5"), (31, 21, 32, 33, 44), (121, 78, 93, 88, 145), strict=True),
        ("7b", 162, 407),
    ],
)
def test_bioberts_factoid_sets(batch: str, questions: int, paragraphs: int, corpus_data: Path, tmp_path: Path) -> None:
    path = corpus_data / "bioasq_factoid_biobert" / f"BioASQ-test-factoid-{batch}.json"
    assert formats.guess(path) == "squad"
    read = list(formats.read(path))
    assert (len(read), len({document.meta["source"] for document in read})) == (paragraphs, questions)
    assert all(asked(document).answers == () for document in read)
    squad.write(read, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["data"] == json.loads(path.read_text())["data"]


def test_bioberts_answers_are_read_too(corpus_data: Path) -> None:
    folder = corpus_data / "scorer_io" / "bioasq_factoid" / "4b"
    read = list(formats.read(folder / "BioASQform_BioASQ-answer.json"))
    assert len(read) == 31 and all(1 <= len(asked(document).answers) <= 5 for document in read)
    kinds = Counter(asked(d).kind for d in formats.read(folder / "derived_4B2_all_types_response.json"))
    assert kinds == {"yesno": 32, "factoid": 31, "summary": 16, "list": 21}


def test_pubmedqa_is_whole(corpus_data: Path) -> None:
    path = found(corpus_data / "pubmedqa", "ori_pqal.json")
    assert formats.guess(path) == "pubmedqa"
    read = {document.id: document for document in formats.read(path)}
    assert len(read) == 1000 and sum(len(document.passages) for document in read.values()) == 3358
    decisions = Counter(asked(document).answers[0][0] for document in read.values())
    assert decisions == {"yes": 552, "no": 338, "maybe": 110}
    test = list(formats.read(corpus_data / "pubmedqa" / "test_ground_truth.json"))
    assert Counter(asked(document).answers[0][0] for document in test) == {"yes": 276, "no": 169, "maybe": 55}
    assert all(asked(read[document.id]).answers == asked(document).answers for document in test)


def test_medqa_test_set(corpus_data: Path) -> None:
    path = found(corpus_data / "medqa", "test.tsv")
    assert formats.guess(path) == "medqa"
    read = list(formats.read(path))
    assert [document.id for document in read] == [f"test:{number}" for number in range(1273)]
    letters = Counter(asked(document).meta["answer_idx"] for document in read)
    assert letters == {"A": 353, "B": 309, "C": 346, "D": 265}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [document.text for document in read] == [row["question"] for row in rows]


@pytest.mark.parametrize(("name", "yes", "no"), [("train", 552, 118), ("dev", 62, 13), ("test", 94, 46)])
def test_blurb_bioasq_files(name: str, yes: int, no: int, corpus_data: Path) -> None:
    path = found(corpus_data / "blurb" / "BioASQ", f"{name}.tsv")
    assert formats.guess(path) == "blurb_bioasq"
    read = list(formats.read(path))
    assert Counter(asked(document).answers[0][0] for document in read) == {"yes": yes, "no": no}
    listed = (corpus_data / "blurb" / "indexing" / "BioASQ" / f"{name}_id.tsv").read_text().strip().split(",")
    assert [document.id for document in read] == listed
    if name == "test":
        golden = formats.read(found(corpus_data / "bioasq_factoid_biobert", "7B_golden.json"))
        assert set(listed) == {document.id for document in golden if asked(document).kind == "yesno"}

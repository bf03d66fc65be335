"""The command line as a person meets it: one clear line for everything that goes wrong, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relatome.cli import COMMANDS, app, main
from relatome.cli.job import Job
from relatome.documents import Document
from relatome.errors import InputError, NetworkError
from relatome.formats import read

TEXT = "Lithium caused tremor. Aspirin inhibits cox 2."
PUBTATOR = "1|t|Aspirin helps.\n1|a|It really does.\n1\t0\t7\tAspirin\tChemical\tD1\n\n"
SHIFTED = "2|t|Lithium harms.\n2|a|It does.\n2\t1\t8\tLithium\tChemical\tD2\n\n"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("RELATOME_TRACEBACK", raising=False)


@pytest.fixture
def extract(tiny_model: Path) -> list[str]:
    """The command, with a model of random weights."""
    return ["extract", "--model", str(tiny_model)]


def run(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The installed command in a process of its own."""
    command: list[str | Path] = [Path(sys.executable).with_name("relatome"), *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, check=False, env={**os.environ, **environment}, timeout=300
    )


def files(folder: Path = Path()) -> set[str]:
    """What lies in the folder, hidden files too."""
    return {path.name for path in folder.iterdir()}


# -------------------------------------------------------------------------------------------------- the program


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        shown = capsys.readouterr().out
        assert f"Usage: relatome {name}" in shown and len(shown) > 200


def test_commands_are_those_of_the_app() -> None:
    import typer

    assert list(typer.main.get_command(app).commands) == list(COMMANDS)  # type: ignore[attr-defined]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    import relatome

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"relatome {relatome.__version__}\n"


def test_nothing_given_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Usage: relatome" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["extrakt"], "No such command 'extrakt'"),
        (["extract", "--spilt", "line"], "--spilt"),
        (["extract", "--min-probability", "2"], "--min-probability"),
        (["predict", "default"], "INPUT"),
        (["extract"], "there is nothing to read"),
        (["extract", "-", "-"], "standard input can be read once"),
        (["extract", ""], "the text is empty"),
        (["extract", TEXT, "--to", "jsonlines"], "unknown format to write 'jsonlines': did you mean 'jsonl'?"),
        (["extract", TEXT, "--from", "pubtater"], "unknown format 'pubtater': did you mean 'pubtator'?"),
        (["extract", TEXT, "--split", "lines"], "unknown split 'lines': did you mean 'line'?"),
        (["extract", TEXT, "--model", "no_model"], "no_model: there is no such model folder"),
        (["extract", TEXT, "-o", "facts.bin"], "add --to"),
        (["extract", TEXT, "-o", "no/facts.jsonl"], "no/facts.jsonl: its folder does not exist (mkdir -p no)"),
        (["extract", "abstracts.txt"], "abstracts.txt: no such file or folder (check the path"),
        (["extract", "some/where"], "some/where: no such file or folder"),
        (["corpora", "show", "bc5cd"], "unknown corpus 'bc5cd': did you mean 'bc5cdr' or"),
        (["predict", "no_model", TEXT, "--to", "conl"], "unknown format to write 'conl': did you mean 'conll' or"),
        (["predict", "no_model", TEXT, "--task", "nre"], "unknown task 'nre': did you mean 'ner'?"),
        (["convert", "nowhere.txt", "-"], "nowhere.txt: no such file or folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_usage_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err and err.startswith("relatome: ") and err.count("\n") == 1
    assert files() == set()


def test_no_traceback_unless_asked_for(
    extract: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TypeError("a bug\nin two lines")

    monkeypatch.setattr("relatome.predictors.load", broken)
    assert main([*extract, TEXT]) == 2
    err = capsys.readouterr().err
    assert err == (
        "relatome: this should not have happened: TypeError: a bug in two lines "
        "(RELATOME_TRACEBACK=1 shows where; please report it)\n"
    )
    monkeypatch.setenv("RELATOME_TRACEBACK", "1")
    with pytest.raises(TypeError):
        main([*extract, TEXT])


def test_what_the_library_warns_of_is_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    deleted = "<DeleteCitation><PMID>7</PMID></DeleteCitation>"
    article = "<PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>Aspirin.</ArticleTitle></Article></MedlineCitation></PubmedArticle>"
    Path("in.xml").write_text(f"<PubmedArticleSet>{article}{deleted}</PubmedArticleSet>", encoding="utf-8")
    assert main(["convert", "in.xml", "out.jsonl"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("relatome: in.xml names 1 withdrawn article") and err.count("\n") == err.count("relatome: ")


def test_full_disk_is_one_line(extract: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full:
        command: list[str | Path] = [Path(sys.executable).with_name("relatome"), *extract, TEXT, "--to", "jsonl", "-q"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=300)
    assert done.returncode == 2
    assert done.stderr.startswith(b"relatome: No space left on device") and done.stderr.count(b"\n") == 1


def test_closed_pipe_is_one_line(extract: list[str]) -> None:
    Path("many.txt").write_text("Lithium caused tremor.\n" * 2000, encoding="utf-8")
    command: list[str | Path] = [
        Path(sys.executable).with_name("relatome"),
        *extract,
        "many.txt",
        "--split",
        "line",
        "--to",
        "jsonl",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 2
    assert err == b"relatome: standard output was closed before everything was written to it\n"


# ------------------------------------------------------------------------------------------------------ Ctrl-C


def test_interrupted_keeps_what_was_finished(extract: list[str]) -> None:
    Path("many.txt").write_text("Lithium caused tremor in rats and mice.\n" * 50_000, encoding="utf-8")
    command: list[str | Path] = [
        Path(sys.executable).with_name("relatome"),
        *extract,
        "many.txt",
        "--split",
        "line",
        "-o",
        "out.jsonl",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(1200):
            if any(name.endswith(".part") and Path(name).stat().st_size for name in files()):
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    kept = list(read("out.jsonl"))
    assert 0 < len(kept) < 50_000
    assert f"relatome: stopped: what was finished, {len(kept):,} documents, is kept\n" in err
    assert "Traceback" not in err and files() == {"many.txt", "out.jsonl"}


def test_interrupted_before_anything_was_finished(
    extract: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)

    def interrupted(*_: object, **__: object) -> Iterator[Document]:
        os.kill(os.getpid(), signal.SIGINT)
        yield Document("1", TEXT)

    monkeypatch.setattr("relatome.formats.read", interrupted)
    Path("in.txt").write_text(TEXT, encoding="utf-8")
    assert main([*extract, "in.txt", "-o", "out.jsonl"]) == 130
    assert capsys.readouterr().err == "relatome: stopped\n"
    assert files() == {"in.txt"}
    assert signal.getsignal(signal.SIGINT) is before


def test_an_item_that_is_being_written_is_written_first() -> None:
    with Job() as job:
        got = []
        for item in job.each(range(10)):
            if item == 3:
                os.kill(os.getpid(), signal.SIGINT)
            got.append(item)
    assert (got, job.done, job.code) == ([0, 1, 2, 3], 4, 130)


# --------------------------------------------------------------------------------------------------- bad input


def _hostile() -> dict[str, tuple[bytes, str]]:
    """File name to its bytes and what must be said of it."""
    bomb = b'<!DOCTYPE c [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><collection><source>&b;</source></collection>'
    outside = b'<!DOCTYPE c [<!ENTITY x SYSTEM "file:///etc/passwd">]><collection><source>&x;</source></collection>'
    zipped = gzip.compress(("Aspirin helps. " * 5000).encode())
    return {
        "empty.txt": (b"", "empty.txt: the file is empty"),
        "blank.txt": (b"\n \n", "blank.txt: the file is empty: it holds only blank lines"),
        "binary.txt": (b"\x7fELF\0\0\1\2", "binary.txt: the file is binary, not text"),
        "paper.pdf": (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj", "paper.pdf: this is a PDF, not text (take the text out"),
        "latin.txt": ("caf\u00e9 na\u00efve".encode("latin-1"), "latin.txt:1: the text is not UTF-8: byte 4"),
        "wide.txt": (TEXT.encode("utf-16"), "wide.txt:1: the file is UTF-16, not UTF-8"),
        "shifted.pubtator": (
            SHIFTED.encode(),
            "shifted.pubtator:3: document 2: mention at 1..8 should be 'Lithium', but the text there is 'ithium '",
        ),
        "cut.txt.gz": (zipped[: len(zipped) // 2], "cut.txt.gz"),
        "bomb.xml": (bomb, "bomb.xml"),
        "outside.xml": (outside, "outside.xml"),
        "strange.xml": (
            b"<html><body>Aspirin</body></html>",
            "strange.xml: XML of a kind that is not known: its root is <html>",
        ),
        "broken.jsonl": (b'{"id": "1", "text": "Aspirin', "broken.jsonl:1: this is not JSON"),
        "unknown_key.jsonl": (b'{"id": "1", "txet": "Aspirin"}', "unknown key 'txet' (did you mean 'text'?"),
    }


@pytest.mark.parametrize("name", _hostile())
@pytest.mark.parametrize("to", [["--to", "jsonl"], ["-o", "out.jsonl"]], ids=["stdout", "file"])
def test_unreadable_input_is_one_line(
    name: str, to: list[str], extract: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    content, said = _hostile()[name]
    Path(name).write_bytes(content)
    assert main([*extract, name, *to]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err and err.startswith("relatome: ") and err.count("\n") == 1, err
    assert files() == {name}


@pytest.mark.parametrize("name", _hostile())
def test_unreadable_input_beside_good_is_a_reject(
    name: str, extract: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in").mkdir()
    Path("in", name).write_bytes(_hostile()[name][0])
    Path("in", "good.txt").write_text(TEXT, encoding="utf-8")
    for source in (["in"], [f"in/{name}", "in/good.txt"]):
        assert main([*extract, *source, "-o", "out.jsonl", "-q"]) == 1
        err = capsys.readouterr().err
        assert "relatome: rejected 1 document, named in out.jsonl.rejects.jsonl; the first: " in err
        assert "good:1" in [document.id for document in read("out.jsonl")]
        record = json.loads(Path("out.jsonl.rejects.jsonl").read_text(encoding="utf-8"))
        assert set(record) == {"document", "path", "line", "error", "advice"} and name in record["path"]
        assert files() == {"in", "out.jsonl", "out.jsonl.rejects.jsonl"}


def test_a_bad_document_among_good_ones_is_a_reject(extract: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("mixed.pubtator").write_text(PUBTATOR + SHIFTED + SHIFTED.replace("2|", "3|"), encoding="utf-8")
    assert main([*extract, "mixed.pubtator", "--to", "jsonl", "-q", "--rejects", "bad.jsonl"]) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["1"]
    assert "rejected 2 documents, named in bad.jsonl; the first: mixed.pubtator:7: document 2: mention at 1..8" in err
    assert len(Path("bad.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_rejects_go_to_the_folder_one_is_in(extract: list[str]) -> None:
    Path("mixed.pubtator").write_text(PUBTATOR + SHIFTED, encoding="utf-8")
    assert main([*extract, "mixed.pubtator", "--to", "jsonl", "-q"]) == 1
    assert files() == {"mixed.pubtator", "relatome.rejects.jsonl"}


def test_emoji_and_combining_characters_keep_their_offsets(extract: list[str]) -> None:
    text = "Lithium 😀 cause\u0301d tremor 👩‍⚕️ in γδ cells; aspirin\u200b did not."
    Path("in.txt").write_text(text, encoding="utf-8")
    assert main([*extract, "in.txt", "-o", "out.jsonl", "-q"]) == 0
    (document,) = read("out.jsonl")  # the reader checks every offset
    assert document.text == text and len(document.sentences) == 1


def test_a_mention_across_sentences_is_no_problem(extract: list[str], tiny_model: Path) -> None:
    line = "1|t|Given to E. coli. Strains grew.\n1|a|\n1\t9\t25\tE. coli. Strains\tChemical\t-\n"
    Path("in.pubtator").write_text(line, encoding="utf-8")
    assert main([*extract, "in.pubtator", "-o", "out.jsonl", "-q"]) == 0
    for task in ("ner", "relation", "classification"):
        assert (
            main(["predict", str(tiny_model), "in.pubtator", "--task", task, "-o", f"{task}.jsonl", "--to", "jsonl"])
            == 0
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Lithium caused some tremor in those rats. " * 48_000, id="sentences"),
        pytest.param("Lithium caused some tremor in those rats and " * 45_000, id="no_sentence_ends"),
        pytest.param("lithium" * 300_000, id="no_blanks"),
    ],
)
def test_two_megabytes_in_one_line(text: str, extract: list[str]) -> None:
    Path("in.txt").write_text(text, encoding="utf-8")
    assert main([*extract, "in.txt", "-o", "out.jsonl", "-q"]) == 0
    (document,) = read("out.jsonl")
    assert len(document.text) > 2_000_000 and document.meta["relatome"]["windows"] > 1000


def test_a_crowd_without_a_sentence_end_takes_little_time(extract: list[str]) -> None:
    """Two kilobytes are a sentence at most, each mention of it is looked up once, and so many pairs are asked about."""
    Path("in.txt").write_text("lithium and aspirin " * 1000, encoding="utf-8")
    began = time.process_time()
    assert main([*extract, "in.txt", "-o", "out.jsonl", "-q"]) == 0
    assert time.process_time() - began < 15  # about 1
    (document,) = read("out.jsonl")
    facts = document.meta["relatome"]
    assert len(document.sentences) >= 10 and facts["windows"] > 100 and facts["crowded"] > 10_000


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_folder_with_a_missing_file(missing: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model").mkdir()
    for path in tiny_model.iterdir():
        if path.name != missing:
            Path("model", path.name).write_bytes(path.read_bytes())
    for command in (["extract", TEXT, "-m", "model"], ["predict", "model", TEXT]):
        assert main([*command, "-o", "out.jsonl", "--to", "jsonl"]) == 2
        err = capsys.readouterr().err
        assert missing in err and err.startswith("relatome: model") and err.count("\n") == 1
    assert files() == {"model"}


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("exploded",)


def test_a_pickle_with_code_in_it_is_refused(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model").mkdir()
    for path in tiny_model.iterdir():
        if path.name != "model.safetensors":
            Path("model", path.name).write_bytes(path.read_bytes())
    Path("model", "pytorch_model.bin").write_bytes(pickle.dumps(_Bomb()))
    assert main(["extract", TEXT, "-m", "model"]) == 2
    err = capsys.readouterr().err
    assert "model/pytorch_model.bin: " in err and err.count("\n") == 1
    assert files() == {"model"}


def test_control_characters_do_not_reach_the_terminal(extract: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.jsonl").write_text('{"id": "a\\u001b[2Jb", "text": "Lithium \\u001b[31m caused \\u009b tremor."}', "utf-8")
    assert main([*extract, "in.jsonl"]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and "\x9b" not in out + err
    assert main([*extract, "gone\x1b[2J.txt"]) == 2
    assert "\x1b" not in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------------- PMIDs


def test_pmids_are_fetched_and_missing_ones_rejected(
    extract: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def fetch(pmids: list[str], *, on_missing: object) -> Iterator[Document]:
        asked.extend(pmids)
        yield Document("12", TEXT)
        on_missing("34")  # type: ignore[operator]

    monkeypatch.setattr("relatome.corpora.eutils.fetch", fetch)
    assert main([*extract, "--pmid", "12,34", "--pmid", "56", "--to", "jsonl", "-q"]) == 1
    out, err = capsys.readouterr()
    assert asked == ["12", "34", "56"] and json.loads(out)["id"] == "12"
    assert "the first: document 34: PubMed has no article with this PMID" in err


def test_no_network_is_one_line(
    extract: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(*_: object, **__: object) -> Iterator[Document]:
        raise NetworkError("NCBI cannot be reached", advice="is there a network?")
        yield

    monkeypatch.setattr("relatome.corpora.eutils.fetch", fetch)
    assert main([*extract, "--pmid", "12", "-o", "out.jsonl"]) == 2
    assert capsys.readouterr().err == "relatome: NCBI cannot be reached (is there a network?)\n"
    assert files() == set()


def test_what_is_no_pmid_is_said_before_anything_is_asked(
    extract: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*extract, "--pmid", "PMC12"]) == 2
    assert "'PMC12' is not a PMID" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ convert, corpora


def test_convert_there_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.pubtator").write_text(PUBTATOR, encoding="utf-8")
    assert main(["convert", "in.pubtator", "a.jsonl"]) == 0
    assert main(["convert", "a.jsonl", "b.xml"]) == 0
    assert main(["convert", "b.xml", "c.pubtator.gz"]) == 0
    assert list(read("c.pubtator.gz")) == list(read("in.pubtator"))
    assert main(["convert", "c.pubtator.gz", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "1"


def test_convert_says_what_has_no_place(capsys: pytest.CaptureFixture[str]) -> None:
    record = {
        "id": "1",
        "text": "Aspirin helps.",
        "mentions": [{"id": "T1", "start": 0, "end": 7, "type": "Chemical", "text": "Aspirin"}],
        "relations": [{"id": "R1", "type": "x", "head": "T1", "tail": "T1"}],
        "labels": [{"name": "a", "value": "b", "start": 0, "end": 7}],
    }
    Path("in.jsonl").write_text(json.dumps(record), encoding="utf-8")
    for name, lost in {
        "a.pubtator": "unlinked (1), labels (1)",
        "a.iob": "text (1), relations (1), labels (1)",
    }.items():
        assert main(["convert", "in.jsonl", name]) == 0
        message = capsys.readouterr().err
        assert f"has no place for {lost}; jsonl keeps everything" in message
        assert "  labels: labels of texts and sentences" in message
    for name in ("a.jsonl", "a.parquet"):
        assert main(["convert", "in.jsonl", name, "--strict"]) == 0
        assert capsys.readouterr().err == ""
        assert list(read(name)) == list(read("in.jsonl"))


def test_strict_refuses_what_would_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.jsonl").write_text(
        '{"id": "1", "text": "Aspirin helps."}\n'
        '{"id": "2", "text": "Fever rose.", "labels": [{"name": "a", "value": "b", "start": 0, "end": 5}]}\n',
        encoding="utf-8",
    )
    for target in ("a.pubtator", "-"):
        assert main(["convert", "in.jsonl", target, "--to", "pubtator", "--strict"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "document 2: pubtator has no place for labels (1), so nothing is written (leave out --strict" in err
    assert [path.name for path in Path().iterdir()] == ["in.jsonl"]
    assert main(["convert", "in.jsonl", "a.facts.jsonl", "--strict"]) == 2
    assert "--strict: facts is a view" in capsys.readouterr().err


def test_lenient_repairs_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "".join(
        json.dumps(
            {
                "id": str(number),
                "text": "Aspirin helps.",
                "mentions": [{"id": "T1", "start": 0, "end": 7, "type": "Chemical", "text": "aspirin"}],
                "relations": [{"id": "R1", "type": "x", "head": "T1", "tail": "T9"}],
            }
        )
        + "\n"
        for number in range(3)
    )
    Path("in.jsonl").write_text(bad, encoding="utf-8")
    assert main(["convert", "in.jsonl", "out.jsonl"]) == 2
    capsys.readouterr()
    assert main(["convert", "in.jsonl", "out.jsonl", "--lenient"]) == 0
    message = capsys.readouterr().err
    assert "relatome: 6 repairs, of 2 kinds:" in message
    assert (
        "3 times mention … at …..… should be …, but the text there is …; the first: in.jsonl:1: document 0: " in message
    )
    assert "3 times relation … names …, which is no mention of this document: left out" in message
    documents = list(read("out.jsonl"))
    assert [mention.text for document in documents for mention in document.mentions] == ["Aspirin"] * 3
    assert not any(document.relations for document in documents)


def test_the_tag_scheme_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.tsv").write_text("kidney\tI-X\ninjury\tI-X\n", encoding="utf-8")
    for scheme, tags in {"IOB1": ["I-X", "I-X"], "IOB2": ["B-X", "I-X"], "IOBES": ["B-X", "E-X"]}.items():
        assert main(["convert", "in.tsv", "-", "--to", "iob", "--scheme", scheme]) == 0
        rows = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines() if line.startswith(("k", "i"))]
        assert rows == tags
    assert main(["convert", "in.tsv", "-", "--to", "iob", "--scheme", "IOB3"]) == 2
    assert "unknown scheme 'IOB3': did you mean" in capsys.readouterr().err
    assert main(["convert", "in.tsv", "out.jsonl", "--scheme", "IOB1"]) == 2
    assert "--scheme is for iob, and this is written as jsonl" in capsys.readouterr().err


def test_convert_reads_archives_and_writes_folders(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.pubtator").write_text(PUBTATOR, encoding="utf-8")
    with tarfile.open("in.tar.gz", "w:gz") as archive:
        archive.add("in.pubtator", "corpus/in.pubtator")
    assert main(["convert", "in.tar.gz", "a.jsonl"]) == 0
    assert list(read("a.jsonl")) == list(read("in.pubtator"))
    assert main(["convert", "a.jsonl", "pairs", "--to", "brat"]) == 0
    assert {path.suffix for path in Path("pairs").iterdir()} == {".txt", ".ann"}
    capsys.readouterr()
    assert main(["convert", "a.jsonl", "-", "--to", "brat"]) == 2
    assert "brat cannot be written to standard output: name a file" in capsys.readouterr().err


def test_what_can_be_written_is_what_the_formats_write() -> None:
    from relatome import formats
    from relatome.cli import results

    assert set(results.WRITERS) == {*formats.writable(), *results.VIEWS}


def test_convert_does_not_write_over_what_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.pubtator").write_text(PUBTATOR, encoding="utf-8")
    assert main(["convert", "in.pubtator", "./in.pubtator"]) == 2
    assert "in.pubtator: this file is read, so it cannot be written too" in capsys.readouterr().err
    assert Path("in.pubtator").read_text(encoding="utf-8") == PUBTATOR


def test_corpora_list_and_show(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELATOME_DATA", "nowhere")
    assert main(["corpora", "list"]) == 0
    out, err = capsys.readouterr()
    assert "bc5cdr" in out and "0 of 3" in out and "the data folder is nowhere" in err
    assert main(["corpora", "show", "chemprot"]) == 0
    assert "INHIBITOR (CPR:4)" in capsys.readouterr().out
    assert main(["corpora", "path", "bc5cdr"]) == 2
    assert "needs the file" in capsys.readouterr().err


def test_corpora_path(corpus_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpora", "path", "bc5cdr"]) == 0
    assert all(Path(line).is_file() for line in capsys.readouterr().out.splitlines())


# ------------------------------------------------------------------------------------------------------------ Job


def test_all_rejected_is_an_error_and_leaves_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    def none(job: Job) -> Iterator[int]:
        for number in (1, 2):
            job.reject(InputError(f"bad {number}"))
        yield from ()

    with pytest.raises(InputError, match="bad 1"), Job("rows") as job:
        list(job.each(none(job)))
    assert capsys.readouterr().err == "relatome: all 2 rows were rejected; the first:\n" and files() == set()

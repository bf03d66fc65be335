"""Sentences: what must hold for any text, what the rules decide, and what they cost on the real corpora (train only)."""

from __future__ import annotations

import gzip
import time
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relatome import sentences
from relatome.documents import Document, Mention, Passage, Span

# Pieces that the rules decide by, so that random texts are hard ones.
PIECES = (
    *(
        "E. coli",
        "i.p.",
        "et al.",
        "Fig. 3",
        "The end.",
        "METHODS:",
        "p < 0.05.",
        "(A) ",
        "1. ",
        "no.",
        "mRNA",
        "vs.",
        "J.",
    ),
    *(
        "(",
        ")",
        "[",
        "]",
        ".",
        "...",
        "?",
        "!",
        '."',
        " ",
        "  ",
        "\n",
        "\n\n",
        "\r\n\r\n",
        "\t",
        "\u00a0",
        "\u2029",
        "\f",
    ),
    *("𝛼-synuclein", "e\u0301", "🧬", "。", "-", "x", "Rats", "12"),
)
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.text(max_size=60))


def pieces_of(text: str, **settings: list[Span] | list[int]) -> list[str]:
    return [text[start:end] for start, end in sentences.split(text, **settings)]  # type: ignore[arg-type]


@given(texts, st.data())
def test_what_holds_for_any_text(text: str, data: st.DataObject) -> None:
    position = st.integers(0, len(text))
    keep = [Span(*sorted(pair)) for pair in data.draw(st.lists(st.tuples(position, position), max_size=5))]
    breaks = data.draw(st.lists(position, max_size=4))
    found = sentences.split(text, keep=keep, breaks=breaks)
    covered: set[int] = set()
    end_before = 0
    for start, end in found:
        assert end_before <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        covered.update(range(start, end))
        end_before = end
    assert all(index in covered for index, character in enumerate(text) if not character.isspace())
    for a, b in pairwise(found):
        for start, end in keep:  # nothing of a kept range lies on both sides, nor in the blanks between
            assert not (start < b.start and end > a.end and start < end)
    for offset in breaks:
        if not any(start < offset < end for start, end in keep):
            assert not any(start < offset < end for start, end in found)


@given(texts)
def test_splitting_a_sentence_again_changes_nothing_about_its_ends(text: str) -> None:
    for start, end in sentences.split(text):
        again = sentences.split(text[start:end])
        assert again[0].start == 0
        assert again[-1].end == end - start


SPLIT_AT_BAR = [
    "Growth of E. coli fell. | S. aureus did not grow.",
    "Drugs were given i.p. to mice. | Rats got 5 mg/kg p.o. b.i.d. for 3 days.",
    "The dose was given i.v. | The animals recovered.",
    "As Adams et al. reported (Fig. 2), it fell. | Baker et al. (2003) and Cole et al. [4] disagree.",
    "Loss, i.e. Cre-driven loss, e.g. in the gut, vs. Controls, was mild. | We stopped.",
    "It fell (p < 0.05). | The rest rose by 0.5. | 12 patients left.",
    "It rose (see Fig. 3. Table 2 has more) in all. | Then it fell.",
    "We saw none (data not shown). | (These were old mice.) | Then we left.",
    'She said "no." | Then she left.',
    "Why do cells die? | Because they must! | [Others] live.",
    "BACKGROUND: Cells die. | METHODS: We looked at No. 5 and approx. 12 others. | RESULTS: Nothing.",
    "METHODS. Rats were fed. | Materials and methods. Rats were fed.",
    "METHODS | RESULTS".replace(" | ", " and "),
    "1. Rats were fed. | 2. Mice were not. | (A) Cats slept. | (B) Dogs ran.",
    "The aims were: 1. To see. | Nothing else.",
    "We used Bacillus sp. strain 4, two Candida spp. and B. subtilis subsp. subtilis. | It grew.",
    "Written by J. R. Adams and Dr. B. Cole at St. Mary's Hospital. | It is long.",
    "They lacked vitamin C. | Patients ate fruit with cathepsin B. | Caspases did not.",
    "Samples were kept for 30 min. | Hippocampal slices were kept at 37 degrees C. | Others froze.",
    "Cells were lysed for RNA. | mRNA was measured. | p53 rose. | c-Fos did not. | α-Synuclein fell. | beta4 -/- mice died.",
    "Half of the rats with ED. | Sildenafil helped those with CF. | None died.",
    "The value was 3.14 at pH 7.4, not 2. 5 as written. | It fell.",
    "The trial ended early.12,13 | Others went on.",
    "The trial ended.Others went on, see www.example.org for more.".replace("ended.O", "ended.|O"),
    "One line\nof the same sentence. | Another\r\none.",
    "A title without a stop\n\n|An abstract.\n  \n|The end.",
    "Potassium ... was lost. | Was it? | yes it was".replace("? | yes", "? yes"),
    "The U.S. National Institutes paid Gene Corp. and Drug Co. Ltd. for it. | They left the U.S. | The rest stayed.",
    "Type II. | The third (mean 3.1 +/- s.d. 4) fell by ca. 5 or approx. Ten. | End.",
    "",
    " \n\t ",
    "x",
    ".",
]


@pytest.mark.parametrize("marked", SPLIT_AT_BAR)
def test_rules(marked: str) -> None:
    text = marked.replace("| ", "").replace("|", "")
    assert pieces_of(text) == [piece.strip() for piece in marked.split("|") if piece.strip()]


def test_a_long_bracket_may_hold_sentences() -> None:
    inside = "Rats were fed and then they were not fed any more for a while. " * 6
    assert len(pieces_of(f"We looked ({inside.strip()}) twice.")) == 6
    assert len(pieces_of("An open bracket (as here. It never closes. So it holds nothing back. The end.")) == 4


def test_no_boundary_inside_what_is_kept() -> None:
    text = "The drug Yes. No. Maybe helped. Others did not."
    mention = Span(text.index("Yes"), text.index(" helped"))
    assert pieces_of(text) == ["The drug Yes.", "No.", "Maybe helped.", "Others did not."]
    assert pieces_of(text, keep=[mention]) == ["The drug Yes. No. Maybe helped.", "Others did not."]
    assert pieces_of(text, keep=[mention], breaks=[mention.start, mention.start + 2]) == [
        "The drug",
        "Yes. No. Maybe helped.",
        "Others did not.",
    ]


def test_always_a_boundary_where_a_passage_starts() -> None:
    title, abstract = "A study of mice", "and men. It was short."
    text = f"{title}\t{abstract}"
    assert pieces_of(text) == ["A study of mice\tand men.", "It was short."]
    assert pieces_of(text, breaks=[len(title) + 1]) == [title, "and men.", "It was short."]
    passages = (Passage("title", 0, len(title)), Passage("abstract", len(title) + 1, len(text)))
    found = sentences.of(Document("1", text, passages=passages))
    assert [text[start:end] for start, end in found] == [title, "and men.", "It was short."]


def test_a_documents_own_sentences_come_first() -> None:
    own = (Span(0, 12),)
    assert sentences.of(Document("1", "One. And two", sentences=own)) == own


def test_gold_mentions_do_not_influence_the_split_unless_asked() -> None:
    text = "The drug Yes. No. helped."
    mention = Mention("T1", 9, 17, "Chemical", "Yes. No.")
    document = Document("1", text, mentions=(mention,)).check()
    assert sentences.of(document) == sentences.of(Document("1", text)) == (Span(0, 13), Span(14, 25))
    assert sentences.of(document, keep_mentions=True) == (Span(0, 25),)


@pytest.mark.parametrize(
    "unit",
    [
        "Rats were fed 5 mg/kg i.p. of it (p < 0.05). ",
        ".",
        "(",
        "(.) ",
        ". ",
        "A. ",
        " ",
        "\n",
        "a",
        "x.)",
        '"',
        "]. (",
        ".1",
    ],
)
def test_two_megabytes_on_one_line_take_time_in_proportion(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        keep = [Span(start, start + 3) for start in range(0, length, 50)]
        started = time.process_time()
        sentences.split(text, keep=keep)
        return time.process_time() - started

    small, large = min(seconds(125_000) for _ in range(2)), seconds(2_000_000)
    assert large < 16 * 5 * max(small, 0.01), "eight-fold slack over linear: quadratic would be 256-fold"


def _pubtator(path: Path) -> Iterator[tuple[str, str, list[Span]]]:
    """Title, abstract and mentions, read here in the plainest way: this test does not lean on the formats."""
    title = abstract = ""
    mentions: list[Span] = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            if "|t|" in line[:12]:
                title, abstract, mentions = line.rstrip("\n").split("|", 2)[2], "", []
            elif "|a|" in line[:12]:
                abstract = line.rstrip("\n").split("|", 2)[2]
            elif len(fields) >= 5 and fields[1].isdigit():
                mentions.append(Span(int(fields[1]), int(fields[2])))
            elif not line.strip() and title:
                yield title, abstract, mentions
                title = ""
    if title:
        yield title, abstract, mentions


@pytest.mark.parametrize(
    ("file", "fewest", "most"),
    [
        ("bc5cdr/CDR_TrainingSet.PubTator.txt.gz", 4_500, 4_620),  # the corpus's own IOB form has 4,560
        ("aioner_pubtator/NCBIdisease_TrainDev.PubTator.gz", 6_000, 6_400),  # 5,424 + 923 in BioBERT's
        ("biored/Train.PubTator.gz", 4_200, 4_450),
    ],
)
def test_no_more_than_one_mention_in_two_thousand_is_cut(corpus_data: Path, file: str, fewest: int, most: int) -> None:
    mentions = cut = count = 0
    for title, abstract, spans in _pubtator(corpus_data / file):
        found = sentences.split(f"{title} {abstract}", breaks=[len(title) + 1])
        starts = [start for start, _ in found]
        count += len(found)
        mentions += len(spans)
        cut += sum(end > found[bisect_right(starts, start) - 1].end for start, end in spans)
    assert mentions > 5_000
    assert cut <= mentions * 0.0005
    assert fewest <= count <= most


def test_fewer_than_one_related_pair_in_a_hundred_is_separated(corpus_data: Path) -> None:
    folder = corpus_data / "chemprot" / "chemprot_training"

    def rows(what: str) -> Iterator[list[str]]:
        path = next(folder.glob(f"*_{what}.tsv*"))
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in content.decode("utf-8").splitlines():
            yield line.split("\t")

    found: dict[str, list[Span]] = {}
    for pmid, title, abstract in rows("abstracts"):
        found[pmid] = sentences.split(f"{title}\t{abstract}", breaks=[len(title) + 1])
    mentions = {(row[0], row[1]): Span(int(row[3]), int(row[4])) for row in rows("entities")}
    pairs = separated = 0
    for pmid, _, _, _, head, tail in rows("relations"):
        a, b = (mentions[pmid, argument.partition(":")[2]] for argument in (head, tail))
        pairs += 1
        separated += not any(start <= min(a.start, b.start) and max(a.end, b.end) <= end for start, end in found[pmid])
    assert pairs > 6_000
    assert separated < pairs * 0.01


def test_no_sentence_is_longer_than_the_longest() -> None:
    text = "of the and in which " * 1000 + "x" * 5000
    found = sentences.split(text)
    assert all(end - start <= sentences.LONGEST for start, end in found)
    assert "".join(text[start:end] for start, end in found).replace(" ", "") == text.replace(" ", "")


def test_a_cut_never_falls_inside_a_kept_range() -> None:
    text = "y" * 6000
    found = sentences.split(text, keep=[Span(1500, 4500)])
    assert not any(start < 4500 and end > 1500 and not (start <= 1500 and end >= 4500) for start, end in found)

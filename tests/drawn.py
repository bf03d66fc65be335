"""Documents that hypothesis draws: whatever a document can hold, in texts that break careless readers."""

from __future__ import annotations

from hypothesis import strategies as st

from relatome.documents import Document, Label, Mention, Passage, Question, Relation, Span

# Greek, an accent of its own, an emoji outside the first plane, a line break, a tab, quotes, markup, a separator.
_TEXT = st.text("aeT 1.αé́🧬\n\t\"'<&|;,{}[]-", min_size=1, max_size=50)
_NAMES = st.sampled_from(["Chemical", "Disease", "Gene", "Cell_Line"])
_CONCEPTS = st.sampled_from(["D000001", "MESH:D000002", "1234", "OMIM:600000"])
_WORDS = st.text("abα🧬 ", min_size=1, max_size=8).filter(lambda text: text == text.strip())
_PROBABILITY = st.none() | st.sampled_from([0.0, 0.25, 0.875, 1.0])
_META = st.dictionaries(st.sampled_from(["a", "pmid"]), st.sampled_from(["1", "α", "two words"]), max_size=1)


@st.composite
def documents(draw: st.DrawFn, identity: str = "1") -> Document:
    """A document that is right in itself; of parts that formats give up, each may be there."""
    text = draw(_TEXT)

    def span(least: int = 0) -> Span:
        start = draw(st.integers(0, len(text) - least))
        return Span(start, draw(st.integers(start + least, min(len(text), start + 12))))

    mentions = []
    for number in range(draw(st.integers(0, 4))):
        cuts = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=4)))
        parts = [Span(start, end) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]
        hull = Span(parts[0].start, parts[-1].end)
        mentions.append(
            Mention(
                f"T{number + 1}",
                *hull,
                draw(_NAMES),
                " ".join(text[start:end] for start, end in parts),
                concepts=tuple(draw(st.lists(_CONCEPTS, max_size=2, unique=True))),
                fragments=tuple(parts) if len(parts) > 1 else (),
                probability=draw(_PROBABILITY),
                source=draw(st.sampled_from(["", "toy@1"])),
                meta=draw(_META),
            )
        )
    relations = []
    for number in range(draw(st.integers(0, 2))):
        level = draw(st.sampled_from(["mention", "concept"])) if mentions else "concept"
        ends = st.sampled_from([mention.id for mention in mentions]) if level == "mention" else _CONCEPTS
        relations.append(
            Relation(
                f"R{number + 1}",
                draw(st.sampled_from(["treats", "Positive_Correlation"])),
                draw(ends),
                draw(ends),
                level=level,  # type: ignore[arg-type]
                attributes=draw(_META),
                evidence=(span(),) if draw(st.booleans()) else (),
                probability=draw(_PROBABILITY),
            )
        )
    border = draw(st.integers(0, len(text)))
    return Document(
        identity,
        text,
        passages=(Passage("title", 0, border), Passage("abstract", min(border + 1, len(text)), len(text), "AIM"))
        if draw(st.booleans())
        else (),
        mentions=tuple(mentions),
        relations=tuple(relations),
        labels=(Label("topic", draw(_WORDS), 0, len(text), draw(_PROBABILITY)),) if draw(st.booleans()) else (),
        questions=(Question("q1", "which?", answers=(("a", "b"),), spans=(span(),)),) if draw(st.booleans()) else (),
        sentences=(Span(0, border), Span(border, len(text))) if 0 < border < len(text) and draw(st.booleans()) else (),
        meta=draw(_META),
    ).check()

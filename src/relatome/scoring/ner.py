"""Entities: span and type, per type, micro and macro, with intervals by document.

The measure of CoNLL-2003 (Tjong Kim Sang and De Meulder 2003, https://aclanthology.org/W03-0419), taken on character
spans instead of tags, so that tokenisation cannot change it: an entity is right when start, end and type all are.
On tags of one document it equals seqeval (https://github.com/chakki-works/seqeval), a test compares them.

More lenient ways to match are nervaluate's schema (https://github.com/MantisAI/nervaluate, after SemEval-2013 task 9.1):

    strict     span and type, but a wrong entity uses up the gold one that it overlaps
    boundary   the span alone ("exact" there)
    partial    the span alone; half a point for one that overlaps
    type       the type of what overlaps ("ent_type" there)

Each gold entity is matched once. Overlapping is to share one hundredth of the gold entity's length. The numbers of a
type are those of its entities alone; micro is over all entities at once, where types meet, and not the sum of the types.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from relatome.errors import ScoreError
from relatome.lookup import pick
from relatome.scoring import columns, offenders, prf
from relatome.scoring.measure import Measure
from relatome.scoring.resampling import RESAMPLES, Floats, of_sums
from relatome.scoring.score import Report
from relatome.scoring.sets import set_measure
from relatome.spans import Scheme, tags_to_spans

NAME = "ner"
VERSION = 1

Entity = tuple[int, int, str]  # start, end, type
Entities = Mapping[str, Collection[Entity]]  # document id -> its entities
Match = Literal["exact", "strict", "boundary", "partial", "type"]

_MATCHES = {
    "exact": "exact span and type",
    "strict": "exact span and type, wrong ones used up (nervaluate strict)",
    "boundary": "exact span (nervaluate exact)",
    "partial": "overlap, half a point where not exact (nervaluate partial)",
    "type": "type of what overlaps (nervaluate ent_type)",
}
_LEAST_OVERLAP = 1.0  # per cent of the gold entity, nervaluate's default


def score(
    gold: Entities,
    predicted: Entities,
    *,
    types: Sequence[str] | None = None,
    match: Match = "exact",
    scheme: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Precision, recall and F1 of entities.

    Parameters
    ----------
    gold, predicted
        For each document (start, end, type), half-open; an entity said twice counts once. Both hold the same
        documents; one without entities has an empty collection.
    types
        The types scored, others being left out on both sides: those the corpus annotates exhaustively. Every type of
        either side when left out.
    match
        What makes an entity right: ``"exact"``, or one of nervaluate's ways, above.
    scheme
        Where the spans were read from tags: by which scheme, for the signature.
    resamples
        Of documents, for the intervals; 0 gives none.
    seed
        The same seed gives the same intervals.

    Raises
    ------
    ScoreError
        Documents are missing on one side, there are none, or no type is left.

    Examples
    --------
    >>> gold = {"1": [(0, 7, "Chemical"), (15, 23, "Disease")], "2": [(3, 9, "Disease")]}
    >>> predicted = {"1": [(0, 7, "Chemical"), (15, 22, "Disease")], "2": [(3, 9, "Disease")]}
    >>> report = score(gold, predicted)
    >>> report.value("f1", "Chemical"), report.value("f1", "Disease"), report.value("f1", "macro")
    (1.0, 0.5, 0.75)
    >>> score(gold, predicted, match="partial").value("f1", "Disease")
    0.75
    """
    return measure(gold, predicted, types=types, match=match, scheme=scheme).report(resamples=resamples, seed=seed)


def measure(
    gold: Entities,
    predicted: Entities,
    *,
    types: Sequence[str] | None = None,
    match: Match = "exact",
    scheme: str | None = None,
) -> Measure:
    """The same as a function of document weights, for comparing two runs; parameters as in ``score``."""
    said = pick(match, _MATCHES, "way to match") + (f", tags read as {scheme}" if scheme is not None else "")
    if types is None:
        types = sorted({item[2] for side in (gold, predicted) for items in side.values() for item in items})
    if match == "exact":
        return set_measure(NAME, VERSION, gold, predicted, types, what="entity types", match=said)
    prf.check_classes(types, "entity types")
    documents = offenders.same_ids(gold, predicted)
    counts = np.stack([_tally(match, gold[document], predicted[document], types) for document in documents])
    several = len(types)

    def value(sums: Floats) -> Floats:
        sums = sums.reshape(len(sums), several + 1, 3)
        by_type = prf.values(sums[:, :several], ("macro",))
        micro = prf.precision_recall_f1(sums[:, several])
        return np.concatenate((by_type[:, : 3 * several], micro, by_type[:, 3 * several :]), axis=1)

    return Measure(
        scorer=NAME,
        version=VERSION,
        cells=prf.cells(types, counts.sum(axis=0)[:several, 2].tolist(), ("micro", "macro")),
        units=documents,
        unit="document",
        value=of_sums(counts.reshape(len(documents), -1), value),
        signature={"match": said, "averaging": ["class", "micro", "macro"], "classes": list(types)},
    )


def read(
    gold: str | None,
    predicted: str,
    *,
    types: Sequence[str] | None = None,
    match: Match = "exact",
    scheme: Scheme | None = None,
    delimiter: str | None = None,
    bare: str | None = None,
) -> dict[str, Any]:
    """The arguments of ``measure`` from two files of documents, in any format that is read, or from columns of tags.

    Parameters
    ----------
    gold
        ``None``: ``predicted`` has the gold tag and the predicted one in its last two columns.
    types, match
        As in ``score``.
    scheme
        How tags are read: ``"IOB2"`` and ``"IOBES"`` strictly, as seqeval's strict mode; ``"conll"``, the default,
        and ``"IOB1"`` by conlleval's rules.
    delimiter, bare
        Of columns: what stands between them, and the type of tags that are a bare ``B`` or ``I``.

    Raises
    ------
    InputError
        A file cannot be read.
    ScoreError
        The files do not hold the same documents or tokens, a document stands twice in one, a tag is not one of the
        scheme's, or a file has no entity of the types scored.
    """
    if gold is None or scheme is not None or bare is not None or delimiter is not None or _has_tags(gold):
        first, *tags = columns.sides_of(gold, predicted, delimiter=delimiter)
        scheme = scheme or "conll"
        sides = [_of_tags(first, side, what, scheme, bare) for what, side in zip(_SIDES, tags, strict=True)]
    else:
        sides = [_of_documents(path, what) for what, path in zip(_SIDES, (gold, predicted), strict=True)]
    for path, side in zip((gold or predicted, predicted), sides, strict=True):
        offenders.some(
            {key: [item for item in items if types is None or item[2] in types] for key, items in side.items()},
            "entities of " + ("any type" if types is None else "the types " + ", ".join(types)),
            path=path,
        )
    return {"gold": sides[0], "predicted": sides[1], "types": types, "match": match, "scheme": scheme}


_SIDES = ("gold", "predicted")


def _tally(match: Match, gold: Collection[Entity], predicted: Collection[Entity], types: Sequence[str]) -> Floats:
    """(types + 1, 3): credit, predicted and gold entities of each type by itself, and of all types together."""
    wanted = sorted({(start, end, kind) for start, end, kind in gold if kind in types})
    found = sorted({(start, end, kind) for start, end, kind in predicted if kind in types})
    counts = np.zeros((len(types) + 1, 3))
    for row, kind in enumerate((*types, None)):
        here = [item for item in wanted if kind is None or item[2] == kind]
        there = [item for item in found if kind is None or item[2] == kind]
        counts[row] = _credit(match, here, there), len(there), len(here)
    return counts


def _credit(match: Match, gold: Sequence[Entity], predicted: Sequence[Entity]) -> float:
    """The points of a document; each prediction takes the gold entity that it is compared with from the later ones."""
    left = list(gold)
    points = 0.0
    for one in predicted:
        touching = [item for item in left if _overlaps(one, item)]
        same_span = [item for item in left if item[:2] == one[:2]]
        if match == "strict":
            right = [item for item in same_span if item == one]
        elif match == "type":
            right = sorted((item for item in touching if item[2] == one[2]), key=lambda item: _distance(one, item))
        else:
            right = same_span
        if right:
            points += 1
            left.remove(right[0])
        elif touching:
            points += 0.5 if match == "partial" else 0
            left.remove(touching[0])
    return points


def _overlaps(one: Entity, gold: Entity) -> bool:
    shared = min(one[1], gold[1]) - max(one[0], gold[0])
    return shared > 0 and shared / (gold[1] - gold[0]) * 100.0 >= _LEAST_OVERLAP


def _distance(one: Entity, other: Entity) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _has_tags(path: str) -> bool:
    from relatome import formats

    return formats.guess(path) in ("iob", "text")  # plain text has no entities, so it can only be columns


def _of_documents(path: str, what: str) -> dict[str, list[Entity]]:
    from relatome import formats

    documents = list(formats.read(path))
    offenders.once([document.id for document in documents], where=f"the {what} file {path}")
    return {document.id: [(item.start, item.end, item.type) for item in document.mentions] for document in documents}


def _of_tags(
    file: columns.Columns, sentences: Iterable[Sequence[str]], what: str, scheme: Scheme, bare: str | None
) -> dict[str, list[Entity]]:
    """The entities of each document, or of each sentence where the file has no documents, on its tokens."""
    sentences = [[f"{tag}-{bare}" if bare and tag in _BARE else tag for tag in tags] for tags in sentences]
    pick(scheme, _PREFIXES, "tag scheme")
    allowed = _PREFIXES[scheme]
    bad = [
        (tag, line)
        for tag, line in zip((tag for tags in sentences for tag in tags), file.lines, strict=True)
        if tag != "O" and not (tag[:1] in allowed and tag[1:2] == "-" and tag[2:])
    ]
    if bad:
        shown = offenders.listed([f"{tag!r} (line {line:,})" for tag, line in bad])
        is_bare = all(tag in _BARE for tag, _ in bad)
        raise ScoreError(
            f"{len(bad):,} {what} tag{'s are' if len(bad) > 1 else ' is'} none of {scheme}'s: {shown}",
            path=file.path,
            advice="give the type of bare tags: --bare NAME"
            if is_bare
            else "expected O, " + ", ".join(f"{letter}-TYPE" for letter in allowed) + "; another scheme? --scheme",
        )
    names = file.documents() or list(map(str, range(1, len(sentences) + 1)))
    found: dict[str, list[Entity]] = {}
    for name, tags, begin in zip(names, sentences, file.borders, strict=False):
        spans = tags_to_spans(tags, scheme)
        found.setdefault(name, []).extend((begin + first, begin + last, kind) for first, last, kind in spans)
    return found


_BARE = ("B", "I", "E", "S")
_PREFIXES = {"conll": "BIES", "IOB1": "BI", "IOB2": "BI", "IOBES": "BIES", "strict": "BI"}

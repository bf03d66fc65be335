"""DrugProt as BioCreative VII scored it: chemical, gene and relation type, micro-averaged over the thirteen types.

The rules of the official library (https://github.com/tonifuc3m/drugprot-evaluation-library): an argument is chemical or
gene by the gold entities and not by its place, so the two may be said in either order; what is said twice counts once; a
pair may have several types; predictions on documents that are not in the list of scored ones are left out, since the
task's test set hid 750 abstracts among 10,000. What the library skips with a warning (a type that there is not, a pair
that is not one chemical and one gene) is an error here; naming the classes leaves other types out.

References
----------
Miranda-Escalada et al. 2023, https://doi.org/10.1093/database/baad080
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from relatome.errors import FormatError, ScoreError
from relatome.formats.files import numbered
from relatome.scoring import facts, offenders
from relatome.scoring.measure import Measure
from relatome.scoring.resampling import RESAMPLES
from relatome.scoring.score import Report
from relatome.scoring.sets import set_measure

NAME = "drugprot"
VERSION = 1

TYPES = (
    "INDIRECT-DOWNREGULATOR", "INDIRECT-UPREGULATOR", "DIRECT-REGULATOR", "ACTIVATOR", "INHIBITOR", "AGONIST",
    "AGONIST-ACTIVATOR", "AGONIST-INHIBITOR", "ANTAGONIST", "PRODUCT-OF", "SUBSTRATE", "SUBSTRATE_PRODUCT-OF", "PART-OF",
)  # fmt: skip

Relations = Mapping[str, Collection[tuple[str, str, str]]]  # document id -> (chemical, gene, type)


def score(
    gold: Relations,
    predicted: Relations,
    *,
    classes: Sequence[str] = TYPES,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Precision, recall and F1 of drug-protein relations, per type and micro-averaged.

    Parameters
    ----------
    gold, predicted
        For each document (chemical, gene, type), by mention ids. Both hold the same documents; one without relations
        has an empty collection.
    classes
        The types counted, all thirteen by default; others are left out on both sides.
    resamples
        Of documents, for the intervals; 0 gives none.
    seed
        The same seed gives the same intervals.

    Raises
    ------
    ScoreError
        Documents are missing on one side, there are none, or the class list is unusable.

    Examples
    --------
    >>> gold = {"1": [("T1", "T2", "INHIBITOR"), ("T1", "T3", "PART-OF")]}
    >>> predicted = {"1": [("T1", "T2", "INHIBITOR"), ("T1", "T2", "AGONIST")]}
    >>> score(gold, predicted).value("f1", "micro")
    0.5
    """
    return measure(gold, predicted, classes=classes).report(resamples=resamples, seed=seed)


def measure(gold: Relations, predicted: Relations, *, classes: Sequence[str] = TYPES) -> Measure:
    """The same as a function of document weights, for comparing two runs; parameters as in ``score``."""
    return set_measure(
        NAME, VERSION, gold, predicted, classes, what="relation classes", match="chemical, gene and type, by mention",
        averages=("micro",),
    )  # fmt: skip


def read(
    gold: str | None,
    predicted: str,
    *,
    entities: str | None = None,
    classes: Sequence[str] | None = None,
    documents: str | None = None,
) -> dict[str, Any]:
    """The arguments of ``measure`` from two files of lines ``PMID, INHIBITOR, Arg1:T7, Arg2:T39``.

    Parameters
    ----------
    entities
        The ``*_entities.tsv`` file that says which argument is the chemical. Without it ``Arg1`` is.
    classes
        The types counted; others are then left out, which without it are an error.
    documents
        A file with the ids of all documents scored, one a line; predictions on others are left out. Without it the
        documents with a gold relation or a predicted one.

    Raises
    ------
    InputError
        A file cannot be read, or a line has other columns.
    ScoreError
        A file has no relation that is counted, one of a type that there is not, or between other than a chemical and
        a gene.
    """
    gold = offenders.needed(gold, "--gold: a *_relations.tsv file")
    listed = None if documents is None else {line.text.strip() for line in numbered(documents)}
    sides, counted = facts.sides(gold, predicted, classes, TYPES, only=listed)
    if entities is not None:
        kinds = _kinds(entities)
        sides = [_directed(path, side, kinds) for path, side in zip((gold, predicted), sides, strict=True)]
    wanted, answered = facts.by_document(sides, (gold, predicted), documents)
    return {"gold": wanted, "predicted": answered, "classes": counted}


def text(gold: Relations, predicted: Relations, *, classes: Sequence[str] = TYPES) -> str:
    """What the task's library prints: types of the gold, in the order of the list, then the micro-average.

    Types that a side lacks are listed in the order of the list too, where the library has the accidental one of a set.
    """
    lines = [
        "Loading GS files...", "Loading prediction files...", "Checking GS files...", "Checking Predictions files...",
        "Formatting data...", "Computing DrugProt (BioCreative VII) metrics ...",
        "(p = Precision, r=Recall, f1 = F1 score)", "By relation type",
    ]  # fmt: skip
    kept = [{name: [one for one in side[name] if one[2] in classes] for name in gold} for side in (gold, predicted)]
    has = [{one[2] for items in side.values() for one in items} for side in kept]
    for kind in classes:
        if kind in has[0]:
            only = [{name: [one for one in items if one[2] == kind] for name, items in side.items()} for side in kept]
            lines += _rounded(kind, facts.tally(*only))
    for name, kinds in (("Gold Standard", has[0]), ("Predictions", has[1])):
        absent = ",".join(kind for kind in classes if kind not in kinds)
        lines.append(f"The following relations are not present in the {name}: {absent}")
    lines += ["", "Gobal results across all DrugProt relations (micro-average)"]  # spelled so
    lines += _rounded("micro", facts.tally(*kept))
    return "\n".join(lines) + "\n"


TEXTS: Mapping[str, Callable[..., str]] = {"drugprot": text}


def _rounded(name: str, counts: tuple[int, int, int]) -> list[str]:
    """Three lines, rounded as the library rounds; 0.0 where it divides by nothing."""
    numbers = (0.0 if number != number else number for number in facts.percentages(*counts))
    return [f"{what}_{name}={round(number, 3)}" for what, number in zip(("p", "r", "f1"), numbers, strict=True)]


def _kinds(path: str) -> dict[tuple[str, str], str]:
    """CHEMICAL or GENE of each (document, mention id)."""
    found: dict[tuple[str, str], str] = {}
    for line in numbered(path):
        if line.text.strip():
            columns = line.text.split("\t")
            if len(columns) != 6:
                raise FormatError(
                    f"expected 6 columns with tabs between (PMID, T1, type, start, end, text), found {len(columns)}",
                    path=path,
                    line=line.number,
                )
            found[columns[0], columns[1]] = columns[2].partition("-")[0]  # GENE-Y and GENE-N are genes
    offenders.some(found, "entities", path=path)
    return found


def _directed(path: str, side: Sequence[facts.Fact], kinds: Mapping[tuple[str, str], str]) -> list[facts.Fact]:
    """The facts with the chemical first."""
    directed, bad = [], []
    for fact in side:
        found = (kinds.get((fact.document, fact.head)), kinds.get((fact.document, fact.tail)))
        if found == ("GENE", "CHEMICAL"):
            fact = fact._replace(head=fact.tail, tail=fact.head)
        elif found != ("CHEMICAL", "GENE"):
            bad.append(f"{fact.head} and {fact.tail} (line {fact.line:,})")
        directed.append(fact)
    if bad:
        raise ScoreError(
            f"{offenders.counted(len(bad), 'relation')} not between a chemical and a gene of its document: "
            + offenders.listed(bad),
            path=path,
            advice="does the entities file belong to it?",
        )  # fmt: skip
    return directed

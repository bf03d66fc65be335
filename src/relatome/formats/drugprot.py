"""DrugProt, the BioCreative VII task: the layout of ChemProt, whose reader it shares.

    *_abstracs.tsv       PMID, title, abstract                      spelled so in the release
    *_entities.tsv       PMID, T1, CHEMICAL | GENE-Y | GENE-N | GENE, start, end, text
    *_relations.tsv      PMID, INHIBITOR, Arg1:T7, Arg2:T39

Offsets count ``title TAB abstract``. There are no groups: each of the thirteen relation types is scored.

References
----------
Miranda-Escalada et al. 2023, https://doi.org/10.1093/database/baad080; https://doi.org/10.5281/zenodo.4955410
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from relatome.documents import Document
from relatome.formats import chemprot
from relatome.formats.files import OnReject, writing

HOLDS = frozenset({"relations", "unlinked"})


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The documents of a DrugProt release, in the order of its abstracts file.

    Parameters
    ----------
    path
        The ``*_abstracs.tsv`` (or ``*_abstracts.tsv``) file, plain or gzip. Its siblings are found by name; a set without
        relations, or without entities, is fine.
    on_reject
        Told about a document that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Told about an entity or a relation that is wrong, which is then repaired or left out, and its document kept.

    Raises
    ------
    FormatError
        A line has the wrong columns.
    OffsetError
        An entity's offsets do not give its text.
    """
    for document in chemprot.read(path, on_reject=on_reject, on_repair=on_repair):
        relations = tuple(replace(relation, attributes={}) for relation in document.relations)
        yield replace(document, relations=relations)


def write(documents: Iterable[Document], path: str | Path | TextIO) -> int:
    """Write relations as the official scorer reads them, one line each: ``PMID, type, Arg1:T7, Arg2:T39``.

    Texts and entities are not written: the scorer reads none.

    Returns
    -------
    int
        How many lines were written.
    """
    count = 0
    with writing(path) as stream:
        for document in documents:
            rows = {(r.type, r.head, r.tail): None for r in document.relations if r.level == "mention"}
            stream.writelines(f"{document.id}\t{kind}\tArg1:{head}\tArg2:{tail}\n" for kind, head, tail in rows)
            count += len(rows)
    return count

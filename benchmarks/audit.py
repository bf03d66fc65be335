"""How long the audit takes: all corpora of the catalogue against each other, and its near-duplicates against an exact join.

    RELATOME_DATA=... python benchmarks/audit.py [--join] [CORPUS...]

Prints seconds of the processor (another process may share the machine), of the clock, and the most memory held.
``--join`` also finds every near-duplicate without MinHash, to say how many of them MinHash finds.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from relatome import corpora
from relatome.corpora.audit import Audit, minhash_pairs
from relatome.corpora.splits import near_duplicates
from relatome.errors import CorpusError


def main() -> None:
    """Read, compare, print a row for each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", help="all that are here if none is named")
    parser.add_argument("--join", action="store_true", help="count what MinHash misses")
    asked = parser.parse_args()
    rows: list[tuple[str, str, float, float]] = []
    texts: dict[str, None] = {}

    @contextmanager
    def timed(step: str) -> Iterator[list[str]]:
        said: list[str] = []
        clock, processor = time.perf_counter(), time.process_time()
        yield said
        rows.append((step, " ".join(said), time.process_time() - processor, time.perf_counter() - clock))

    audit = Audit(near=True)
    with timed("read") as said:
        for name in asked.corpus or corpora.names():
            try:
                audit.corpus(corpora.load(name))
            except CorpusError as problem:
                print(f"{name} is left out: {problem}")
        documents, sentences = (sum(getattr(part, what) for part in audit.parts) for what in ("documents", "sentences"))
        said.append(f"{len(audit.parts)} splits, {documents:,} documents, {sentences:,} sentences")
    with timed("compare") as said:
        report = audit.report(audit.leaks())
        leaks = sum(1 for one in report.shared if one.any)
        said.append(
            f"{len(report.shared):,} pairs of splits, {leaks:,} share something, {report.contradicting:,} contradictions"
        )
    if asked.join:
        for name in asked.corpus or corpora.names():
            corpus = corpora.load(name)
            for _, document in corpus.by_split(canonical=False):
                texts.update(dict.fromkeys(corpus.compared(document)))
        every = [text for text in texts if text.count(" ") >= 4]
        with timed("near-duplicates, MinHash") as said:
            found = set(minhash_pairs(every))
            said.append(f"{len(found):,} pairs of {len(every):,} texts")
        with timed("near-duplicates, exact join") as said:
            exact = set(near_duplicates(every))
            said.append(f"{len(exact):,} pairs; MinHash found {len(found & exact) / max(len(exact), 1):.3%}")
    table = Table("step", "what", "CPU seconds", "seconds")
    for step, what, processor, clock in rows:
        table.add_row(step, what, f"{processor:.1f}", f"{clock:.1f}")
    console = Console(width=140)
    console.print(table)
    console.print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()

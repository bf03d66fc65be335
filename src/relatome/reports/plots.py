"""Plots: a PNG, and the numbers behind it as CSV.

For readers who print in grey or do not tell red from green: the colours are Okabe and Ito's (Color universal design,
2008), whose lightness differs too, and no colour says anything alone: lines have dashes and markers of their own, cells
their number. Figures are drawn by Agg with matplotlib's own defaults, whatever the user's ``matplotlibrc`` says, and
carry no date: the same numbers give the same bytes.

matplotlib is loaded only where something is drawn, and never through pyplot: no window, no global state.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from relatome.errors import MissingExtraError
from relatome.reports.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from relatome.scoring.calibration import Bin

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DOTS = 150  # an inch
NONE = "(none)"  # no label: what is only on one side
_SETTINGS = {
    "font.family": "DejaVu Sans", "font.size": 11, "axes.titlesize": 12, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "#DDDDDD", "grid.linewidth": 0.6,
    "axes.axisbelow": True, "legend.frameon": False, "lines.linewidth": 1.8, "figure.dpi": DOTS,
    "figure.constrained_layout.use": True, "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.08, "path.simplify": False,
    "text.parse_math": False,  # a name with two dollars is a name
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture and its numbers.

    Parameters
    ----------
    name
        Of its two files.
    said
        What it shows, for those who cannot see it.
    """

    name: str
    said: str
    png: bytes
    table: Table


def needed() -> None:
    """See that matplotlib is here.

    Raises
    ------
    MissingExtraError
        With what to install.
    """
    if find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "plots")


def confusion(name: str, title: str, counts: Mapping[tuple[str, str], int], labels: Sequence[str]) -> Plot:
    """How often each gold label (rows) got each answer (columns); shaded by the share of its row."""
    rows = [[counts.get((gold, answer), 0) for answer in labels] for gold in labels]
    table = Table(
        name, title, ("gold", "predicted", "count"),
        tuple((g, p, rows[i][j]) for i, g in enumerate(labels) for j, p in enumerate(labels)),
    )  # fmt: skip
    shares = [[count / sum(row) if sum(row) else 0.0 for count in row] for row in rows]
    long = max(map(len, labels))
    across = long * len(labels) > 48  # too long to stand side by side
    many = len(labels) > 8
    side = max(3.2, (0.5 if many else 0.75) * len(labels), 0 if across else 0.11 * min(long, 24) * len(labels))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xticks(range(len(labels)), [_short(one) for one in labels])
        axes.set_yticks(range(len(labels)), [_short(one) for one in labels])
        if across:
            axes.tick_params(axis="x", labelrotation=90)
        axes.set(xlabel="predicted", ylabel="gold")
        figure.suptitle(title, fontsize=12)
        for i, row in enumerate(rows):
            for j, count in enumerate(row):
                axes.text(
                    j, i, "" if labels[i] == labels[j] == NONE else f"{count:,}", ha="center", va="center",
                    fontsize=9 if many else 11,
                    color="white" if shares[i][j] > 0.65 else "black",
                )  # fmt: skip
        figure.colorbar(shown, ax=axes, label="share of the gold label", fraction=0.05, pad=0.03)

    height = side + (0.09 * min(long, 24) if across else 0) + 0.9
    width = side + 0.09 * min(long, 24) + 1.9
    said = f"{title}: a square for each gold label and answer, with its count."
    return Plot(name, said, _drawn(draw, max(width, 0.085 * len(title) + 0.4), height), table)


def precision_recall(name: str, title: str, curves: Mapping[str, Sequence[tuple[float, float, float]]]) -> Plot:
    """Precision against recall as the threshold falls; ``curves`` by name: (recall, precision, threshold)."""
    table = Table(
        name, title, ("curve", "recall", "precision", "threshold"),
        tuple((which, *point) for which, points in curves.items() for point in points),
    )  # fmt: skip

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for number, (which, points) in enumerate(curves.items()):
            # precision holds for the recall up to its point, as average precision counts it
            axes.step(
                [0.0, *(point[0] for point in points)], [points[0][1], *(point[1] for point in points)],
                where="pre", label=_short(which, 40), color=COLOURS[number % len(COLOURS)], linestyle=DASHES[number % len(DASHES)],
                marker=MARKERS[number % len(MARKERS)], markevery=_every(len(points)), markersize=5,
            )  # fmt: skip
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
        _legend(figure, axes, len(curves))
        figure.suptitle(title, fontsize=12)

    said = f"{title}: precision against recall for {', '.join(curves)}."
    return Plot(name, said, _drawn(draw, _wide(title, 6.0), 4.6 + 0.24 * len(curves)), table)


def reliability(name: str, title: str, bins: Mapping[str, Sequence[Bin]]) -> Plot:
    """The share that is right against the probability, with exact 95 % intervals; below it, how many rows."""
    table = Table(
        name, title, ("model", "from", "to", "rows", "confidence", "accuracy", "accuracy low", "accuracy high"),
        tuple(
            (which, one.low, one.high, one.rows, one.confidence, one.accuracy, one.accuracy_low, one.accuracy_high)
            for which, some in bins.items() for one in some
        ),
    )  # fmt: skip

    def draw(figure: Figure) -> None:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle=(0, (2, 2)), label="perfect")
        most = 1
        for number, (which, some) in enumerate(bins.items()):
            full = [one for one in some if one.rows]
            colour, mark = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            filled = colour if number == 0 else "white"
            axes.errorbar(
                [one.confidence for one in full], [one.accuracy for one in full],
                yerr=[[max(0.0, one.accuracy - one.accuracy_low) for one in full],
                      [max(0.0, one.accuracy_high - one.accuracy) for one in full]],
                label=_short(which, 40), color=colour, marker=mark, markersize=5.5, markerfacecolor=filled,
                linestyle=DASHES[number % len(DASHES)], linewidth=1.4, elinewidth=1, capsize=2.5,
            )  # fmt: skip
            width = (some[0].high - some[0].low) / (len(bins) + 0.4)
            below.bar(
                [one.low + width * (number + 0.2) for one in some], [one.rows for one in some], width=width,
                align="edge", color=filled, edgecolor=colour, linewidth=1, hatch=None if number == 0 else "////",
            )  # fmt: skip
            most = max(most, *(one.rows for one in some))
        axes.set(ylabel="share that is right", xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
        below.set(xlabel="probability of the answer", ylabel="rows", ylim=(0.8, most * 2))
        _logarithmic(below)
        axes.legend(loc="upper left")
        figure.suptitle(title, fontsize=12)

    said = f"{title}: how often answers of each probability are right, for {', '.join(bins)}."
    return Plot(name, said, _drawn(draw, _wide(title, 6.0), 6.2), table)


def learning(
    name: str, title: str, losses: Mapping[str, Sequence[tuple[int, float]]],
    scores: Mapping[str, Sequence[tuple[int, float]]],
) -> Plot:  # fmt: skip
    """The loss of each head by step, as the mean of a window and faintly as it was; below it scores on dev."""
    table = Table(
        name, title, ("what", "step", "value"),
        tuple((which, *point) for some in (losses, scores) for which, points in some.items() for point in points),
    )  # fmt: skip

    def draw(figure: Figure) -> None:
        parts = figure.subplots(2 if scores else 1, 1, sharex=True, squeeze=False)[:, 0]
        for number, (which, points) in enumerate(losses.items()):
            colour = COLOURS[number % len(COLOURS)]
            steps, values = [point[0] for point in points], [point[1] for point in points]
            parts[0].plot(steps, values, color=colour, alpha=0.18, linewidth=0.8)
            parts[0].plot(
                steps, _smooth(values), color=colour, label=_short(which, 40), linestyle=DASHES[number % len(DASHES)],
                marker=MARKERS[number % len(MARKERS)], markevery=_every(len(points)), markersize=5,
            )  # fmt: skip
        positive = [value for points in losses.values() for _, value in points if value > 0]
        if positive and max(positive) / min(positive) > 100:
            _logarithmic(parts[0])
            smooth = [one for points in losses.values() for one in _smooth([value for _, value in points]) if one > 0]
            parts[0].set_ylim(min(smooth) / 5, max(positive) * 1.5)
        parts[0].set(ylabel="loss")
        parts[0].legend(loc="upper right")
        for number, (which, points) in enumerate(scores.items()):
            parts[1].plot(
                [point[0] for point in points], [point[1] for point in points], label=_short(which, 40),
                color=COLOURS[number % len(COLOURS)], linestyle=DASHES[number % len(DASHES)],
                marker=MARKERS[number % len(MARKERS)], markersize=5.5,
            )  # fmt: skip
        if scores:
            parts[1].set(ylabel="on dev")
            parts[1].legend(loc="lower right")
        parts[-1].set(xlabel="step")
        figure.suptitle(title, fontsize=12)

    said = f"{title}: the loss of {', '.join(losses)} by step" + (f"; on dev {', '.join(scores)}" if scores else "")
    return Plot(name, said + ".", _drawn(draw, _wide(title, 6.6), 6.4 if scores else 4.0), table)


def per_class(name: str, title: str, rows: Mapping[str, Sequence[tuple[str, float, float, float]]]) -> Plot:
    """The F1 of each class with its 95 % interval; ``rows`` by model: (class, f1, low, high)."""
    table = Table(
        name, title, ("model", "class", "f1", "f1 low", "f1 high"),
        tuple((which, *row) for which, some in rows.items() for row in some),
    )  # fmt: skip
    classes = list(dict.fromkeys(row[0] for some in rows.values() for row in some))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for number, (which, some) in enumerate(rows.items()):
            colour = COLOURS[number % len(COLOURS)]
            known = [row for row in some if math.isfinite(row[1])]
            shift = (number - (len(rows) - 1) / 2) * min(0.26, 0.7 / len(rows))
            axes.errorbar(
                [row[1] for row in known], [classes.index(row[0]) + shift for row in known],
                xerr=[[_least(row[1] - row[2]) for row in known], [_least(row[3] - row[1]) for row in known]],
                label=_short(which, 40), color=colour, marker=MARKERS[number % len(MARKERS)], markersize=6.5, linestyle="none",
                markerfacecolor=colour if number == 0 else "white", capsize=3, elinewidth=1.4,
            )  # fmt: skip
        axes.set_yticks(range(len(classes)), [_short(one) for one in classes])
        axes.set(xlabel="F1, with its 95 % interval", xlim=(0, 1.0), ylim=(len(classes) - 0.4, -0.6))
        axes.grid(axis="y", visible=False)
        _legend(figure, axes, len(rows))
        figure.suptitle(title, fontsize=12)

    said = f"{title}: the F1 of {', '.join(classes)}, for {', '.join(rows)}."
    height = 1.7 + 0.3 * len(classes) + 0.2 * len(classes) * (len(rows) - 1) + 0.24 * len(rows)
    return Plot(name, said, _drawn(draw, _wide(title, 6.4), height), table)


def throughput(name: str, title: str, rows: Sequence[tuple[int, float]]) -> Plot:
    """Texts a second against the pieces of a batch."""
    table = Table(name, title, ("pieces of a batch", "texts a second"), tuple(rows))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([row[0] for row in rows], [row[1] for row in rows], color=COLOURS[0], marker="o", markersize=6)
        axes.set_xscale("log", base=2)
        axes.set_xticks([row[0] for row in rows], [f"{row[0]:,}" for row in rows])
        axes.minorticks_off()
        axes.set(xlabel="pieces of a batch", ylabel="texts a second", ylim=(0, max(row[1] for row in rows) * 1.15))
        for size, speed in rows:
            axes.annotate(
                f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}", (size, speed), xytext=(0, 8),
                textcoords="offset points", ha="center", fontsize=10,
            )  # fmt: skip
        figure.suptitle(title, fontsize=12)

    said = f"{title}: " + ", ".join(f"{speed:.1f} at {size}" for size, speed in rows) + "."
    return Plot(name, said, _drawn(draw, _wide(title, 6.0), 4.0), table)


def _drawn(draw: Callable[[Figure], None], width: float, height: float) -> bytes:
    """The PNG of a figure, width and height in inches."""
    needed()
    with _own_settings(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # the font lacks a character: it becomes a box
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as New

        figure = New(figsize=(width, height))
        FigureCanvasAgg(figure)
        draw(figure)
        written = io.BytesIO()
        figure.savefig(written, format="png", dpi=DOTS, metadata={"Software": None})
    return written.getvalue()


@contextmanager
def _own_settings() -> Iterator[None]:
    """matplotlib's defaults and ours, and the user's again after."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def _logarithmic(axes: Axes) -> None:
    """Heights by their logarithm, with plain numbers beside them: matplotlib's own are formulas, and we draw none."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, axes: Axes, count: int) -> None:
    """Below the axes, where it covers nothing."""
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=1 if count > 2 else max(1, count)
    )


def _smooth(values: Sequence[float]) -> list[float]:
    """The mean of a window round each value: a twentieth of all, cut at both ends."""
    half = max(1, len(values) // 40)
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    found = []
    for place in range(len(values)):
        start, end = max(0, place - half), min(len(values), place + half + 1)
        found.append((sums[end] - sums[start]) / (end - start))
    return found


def _every(points: int) -> int:
    return max(1, points // 8)


def _short(label: str, most: int = 24) -> str:
    """A name that fits on one line; matplotlib hides one that begins with an underscore."""
    label = " ".join(label.split())
    label = f" {label}" if label.startswith("_") else label
    return label if len(label) <= most else label[: most - 1] + "…"


def _wide(title: str, least: float) -> float:
    return max(least, 0.085 * len(title) + 0.4)


def _least(length: float) -> float:
    return max(0.0, length) if math.isfinite(length) else 0.0

"""Labels against F1, a line a strategy, readable on a light and on a dark page."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np

from benchmarks.reviewing.simulation import Curve

mpl.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {"queue": "#b3261e", "uncertainty alone": "#e09f3e", "random": "#3d5a80"}


def draw(curves: Mapping[str, list[Curve]], rules: float, out: Path) -> None:
    """The mean over seeds and the range of them. On white, so that it can be read where the page is dark."""
    figure, axes = plt.subplots(figsize=(7.2, 4.4), facecolor="white")
    for name, found in curves.items():
        labels = found[0].labels
        values = np.array([one.f1 for one in found])
        axes.fill_between(labels, values.min(axis=0), values.max(axis=0), color=COLOURS[name], alpha=0.15, linewidth=0)
        axes.plot(labels, values.mean(axis=0), color=COLOURS[name], linewidth=2.2, label=name)
    axes.axhline(rules, color="#555555", linestyle="--", linewidth=1.2)
    axes.annotate("the rules alone", (axes.get_xlim()[1], rules), xytext=(-4, 5), textcoords="offset points", ha="right",
                  fontsize=9, color="#555555")  # fmt: skip
    axes.set_xlabel("labels given")
    axes.set_ylabel("F1 of garbage, on other documents")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(title="texts are shown", loc="lower right", framealpha=1)
    axes.set_title(f"A simulated reviewer: mean and range of {len(curves['queue'])} seeds", fontsize=10)
    figure.tight_layout()
    figure.savefig(out, dpi=150, metadata={"Software": None})
    plt.close(figure)

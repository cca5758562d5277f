"""Reward and divergence by step, and one against the other beside the best there is; readable on light and dark pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

SMOOTHED = 5
COLOURS = ("#b3261e", "#2a7f62", "#3d5a80", "#c77d0a")


def draw(curves: Mapping[str, Sequence[Any]], frontier: Sequence[tuple[float, float]], out: Path) -> None:
    """`curves`: title of a setting → its curves, one a seed; `frontier`: (divergence, reward) of the best policies."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12.6, 4.2), facecolor="white")
    for colour, (title, found) in zip(COLOURS, curves.items(), strict=True):
        reward, kl = (np.array([[point.metrics[name] for point in one] for one in found]) for name in ("reward", "kl"))
        steps = np.arange(1, reward.shape[1] + 1)
        for axes, values in ((left, reward), (middle, kl)):
            axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0)
            axes.plot(steps, values.mean(axis=0), color=colour, linewidth=2, label=title)
        right.plot(_smooth(kl.mean(axis=0)), _smooth(reward.mean(axis=0)), ".-", color=colour, linewidth=1, markersize=4)
    right.plot(*zip(*frontier, strict=True), color="#222222", linestyle="--", linewidth=1.6, label="the best there is")
    for axes, label in ((left, "reward an answer (pages cited, up to 4)"), (middle, "KL to the reference, nats an answer")):
        axes.set_xlabel("step")
        axes.set_ylabel(label)
    middle.set_yscale("symlog", linthresh=1)
    middle.set_yticks([0, 1, 3, 10, 30, 100], ["0", "1", "3", "10", "30", "100"])
    right.set_xscale("symlog", linthresh=1)
    right.set_xticks([0, 1, 3, 10, 30, 100], ["0", "1", "3", "10", "30", "100"])
    right.set_xlim(left=-0.25)
    right.set_xlabel("KL to the reference, nats an answer")
    right.set_ylabel(f"reward an answer, both means of {SMOOTHED} steps")
    right.legend(fontsize=8, framealpha=1, loc="lower right")
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
    seeds = len(next(iter(curves.values())))
    told = f"mean and range of {seeds} seeds" if seeds > 1 else "one seed"
    figure.suptitle(f"PPO on a small language, rewarded for citing pages, by KL coefficient: {told}", fontsize=10)
    figure.legend(*left.get_legend_handles_labels(), loc="lower center", ncol=len(COLOURS), fontsize=9, frameon=False)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(out, dpi=140, metadata={"Software": None})
    plt.close(figure)


def _smooth(values: Any) -> Any:
    """Means over some steps: a step's answers are few."""
    return np.convolve(values, np.ones(SMOOTHED) / SMOOTHED, mode="valid")

"""Quality against speed, a point a tool."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

from benchmarks.comparison.tools import OURS, OURS_PLAIN

mpl.use("Agg")
import matplotlib.pyplot as plt


def draw(points: Mapping[str, tuple[float, float]], where: str, out: Path) -> None:
    """`points`: tool → pages a second of processor time, quality. The name of `out` tells the format."""
    mpl.rcParams["svg.hashsalt"] = "lectern"
    figure, axes = plt.subplots(figsize=(7.2, 4.4))
    for tool, (speed, quality) in points.items():
        ours = tool in (OURS, OURS_PLAIN)
        axes.scatter(speed, quality, s=70 if ours else 40, color="#b3261e" if ours else "#3d5a80", zorder=3)
        axes.annotate(tool, (speed, quality), xytext=(6, 5), textcoords="offset points", fontsize=9)
    axes.set_xscale("log")
    axes.set_xlabel("pages a second of processor time (log)")
    axes.set_ylabel("quality (mean of text, headings, tables, formulas)")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.set_title(f"Extraction on {where}", fontsize=10)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None, dpi=150)
    plt.close(figure)

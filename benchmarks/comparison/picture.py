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
    below = False
    for tool, (speed, quality) in sorted(points.items(), key=lambda point: point[1]):
        below = not below  # neighbours' names stand on either side of their points
        ours = tool in (OURS, OURS_PLAIN)
        axes.scatter(speed, quality, s=70 if ours else 40, color="#b3261e" if ours else "#3d5a80", zorder=3)
        place = {"xytext": (0, -15 if below else 8), "textcoords": "offset points", "ha": "center"}
        axes.annotate(tool, (speed, quality), fontsize=9, **place)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_xlabel("pages a second of processor time (log)")
    axes.set_ylabel("quality (mean of text, headings, tables, formulas)")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.set_title(f"Extraction on {where}", fontsize=10)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None, dpi=150)
    plt.close(figure)

"""Throughput against workers, beside what the machine's cores allow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

WORKERS = ("extraction", "cleaning", "gateway")
REACHED, ALLOWED = "#b3261e", "#3d5a80"


def draw(rows: Sequence[dict[str, Any]], pages: int, out: Path) -> None:
    """A column a setup, a point a run. Allowed: all cores, over the processor seconds that a document took in that run."""
    setups = list(dict.fromkeys(tuple(row[name] for name in WORKERS) for row in rows))
    figure, axes = plt.subplots(figsize=(7.2, 4.4), facecolor="white")
    places = [setups.index(tuple(row[name] for name in WORKERS)) for row in rows]
    allowed = [row["cores"] / row["processor_seconds_a_document"] for row in rows]
    axes.scatter(places, allowed, marker="_", s=900, linewidths=2, color=ALLOWED, label="all cores would allow")
    axes.scatter(places, [row["documents_a_second"] for row in rows], s=50, color=REACHED, zorder=3, label="reached")
    for place, row in zip(places, rows, strict=True):
        busy = {"xytext": (9, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
        axes.annotate(f"{row['cores_busy']:.2f} cores used", (place, row["documents_a_second"]), **busy)
    axes.set_xticks(range(len(setups)), [f"{e} extraction\n{c} cleaning\n{g} gateway" for e, c, g in setups], fontsize=9)
    axes.set_xlim(-0.5, len(setups) - 0.3)
    axes.set_ylim(0, 1.3 * max(allowed))
    axes.set_ylabel("documents a second")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="upper left", ncols=2, markerscale=0.7, framealpha=1)
    first = rows[0]
    axes.set_title(f"{first['documents']} documents of {pages} pages, {first['cores']} cores", fontsize=10)
    figure.tight_layout()
    figure.savefig(out, dpi=150, metadata={"Software": None})
    plt.close(figure)

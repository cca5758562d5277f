"""The figures of the arms: what each forgot, what each learnt, as a table and as a picture."""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

Matrix = list[list[float]]
"""Losses: a row for the base and one after each collection, a column for each collection."""


def forgotten(matrix: Matrix) -> float:
    """The mean rise, on all but the last collection, from the lowest loss since it was learnt to the last (Chaudhry et al.
    2018, of losses instead of accuracies). Nats a token."""
    last = len(matrix) - 1
    return mean(matrix[last][at] - min(matrix[row][at] for row in range(at + 1, last)) for at in range(last - 1))


def learnt(matrix: Matrix) -> float:
    """The mean loss on each collection right after it was learnt; the first, which nothing comes before, left out."""
    return mean(matrix[at + 1][at] for at in range(1, len(matrix) - 1))


def ended(matrix: Matrix) -> float:
    """The mean loss over all collections when all is done."""
    return mean(matrix[-1])


def joined(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Several files' runs as one; arms with a lambda are called by it."""
    runs = [{**run, "arm": _called(run["arm"], one["recipes"][run["arm"]]["ewc"])} for one in found for run in one["runs"]]
    return {**found[0], "runs": runs}


def _called(arm: str, strength: float) -> str:
    return f"{arm}, λ = {strength:g}" if strength else arm


def table(told: dict[str, Any]) -> str:
    """A line an arm: mean and standard deviation over seeds, where there are several."""
    lines = ["| arm | seeds | forgotten | loss on the new, when learnt | loss on all, at the end |", "|---|---|---|---|---|"]
    for arm, matrices in by_arm(told).items():
        figures = " | ".join(_told([measure(one) for one in matrices]) for measure in (forgotten, learnt, ended))
        lines.append(f"| {arm} | {len(matrices)} | {figures} |")
    return "\n".join(lines)


def matrices(told: dict[str, Any]) -> str:
    """Each arm's matrix, the mean over its seeds."""
    names = told["collections"]
    lines = []
    for arm, found in by_arm(told).items():
        lines += ["", f"| {arm} | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
        for row, label in enumerate(["base", *(f"after {name}" for name in names)]):
            cells = (f"{mean(one[row][at] for one in found):.4f}" for at in range(len(names)))
            lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_arm(told: dict[str, Any]) -> dict[str, list[Matrix]]:
    found: dict[str, list[Matrix]] = {}
    for one in told["runs"]:
        found.setdefault(one["arm"], []).append(one["matrix"])
    return found


def picture(told: dict[str, Any], path: Path) -> None:
    """Of each arm a point: what it forgot, and its loss on new data; bars are a standard deviation."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "lectern"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for arm, found in by_arm(told).items():
        across, up = [learnt(one) for one in found], [forgotten(one) for one in found]
        axes.errorbar(mean(across), mean(up), xerr=_spread(across), yerr=_spread(up), fmt="o", capsize=3, label=arm)
    axes.set_xlabel("loss on the new collection, right after it was learnt (nats a token)")
    axes.set_ylabel("forgotten of earlier collections (nats a token)")
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _told(values: list[float]) -> str:
    return f"{mean(values):.4f}" + (f" ± {_spread(values):.4f}" if len(values) > 1 else "")


def _spread(values: list[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0

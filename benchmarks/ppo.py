"""`python -m benchmarks.ppo`: PPO at a KL coefficient too low, right, too high, and adapted, on a tiny model with a reward that
a program checks. The model is taught a small language of advice, whose answers cite no page mostly and three at most, and is
rewarded for each page cited, up to four. Whether what it says is still of the language, the reward does not know: that is
measured afterwards. Draws docs/images/ppo.png, with the best that theory allows beside it. GRPO and RLOO learn beside it
from as many answers, of the same reward.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from benchmarks.reinforcement.picture import draw
from benchmarks.reinforcement.runs import MOST, RULES, Bench
from benchmarks.reinforcement.teaching import teach
from benchmarks.reinforcement.theory import optimum
from shared.contracts.alignment import GRPO, RLOO
from shared.contracts.learning import LossPoint
from shared.contracts.ppo import PPO

LAST = 8
"""Steps at the end of a run that its figures are averaged over."""
REFERENCE_ANSWERS, ANSWERS = 2_000, 300


def settings() -> dict[str, PPO]:
    told = {"rewards": RULES, "answer_tokens": MOST, "kl_target": 3.0, "passes": 3}
    return {
        "too low: 0": PPO(**told, kl="fixed", kl_coefficient=0.0),
        "right: 0.2": PPO(**told, kl="fixed", kl_coefficient=0.2),
        "too high: 5": PPO(**told, kl="fixed", kl_coefficient=5.0),
        "adaptive: target 3 nats": PPO(**told, kl="adaptive", kl_coefficient=0.2),
    }


def groups() -> dict[str, GRPO | RLOO]:
    told = {"rewards": RULES, "answer_tokens": MOST, "passes": 3, "generations": 8}
    return {"GRPO: 0.04": GRPO(**told, kl_coefficient=0.04), "RLOO: 0.2": RLOO(**told, kl_coefficient=0.2)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ppo", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--settings", nargs="+", help="those alone whose titles begin so; nothing is drawn or judged then")
    parser.add_argument("--out", type=Path, default=Path("docs/images/ppo.png"))
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    curves: dict[str, list[list[LossPoint]]] = {}
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as scratch:
        root = Path(scratch)
        bench = Bench(root / "base", root, teach(root / "base"))
        bench.publish()
        reference = bench.said(None, REFERENCE_ANSWERS)
        print(json.dumps({"reference": fmean(reference.scores), "of the language": reference.well_formed}), flush=True)
        frontier = [optimum(reference.scores, price)[::-1] for price in np.geomspace(0.05, 100, 60)]
        for seed in range(wanted.seeds):
            for index, (title, wish) in enumerate({**settings(), **groups()}.items()):
                if wanted.settings and not title.startswith(tuple(wanted.settings)):
                    continue
                key = f"{index}{seed}".ljust(64, "0")
                curves.setdefault(title, []).append(bench.run(key, wish, seed, wanted.steps))
                tell(title, seed, wish, curves[title][-1], bench, key, reference.scores)
            if not wanted.settings:
                draw({title: curves[title] for title in settings()}, frontier, wanted.out)
    print(f"load {os.getloadavg()[0]:.1f}; {time.process_time() - began:.0f} CPU s")
    return 0 if wanted.settings or judged(curves) else 1


def tell(
    title: str, seed: int, wish: PPO | GRPO | RLOO, curve: list[LossPoint], bench: Bench, key: str, reference: list[float]
) -> None:  # fmt: skip
    said = bench.said(key, ANSWERS)
    # A price in nats of reward has an optimum; GRPO's is one of deviations of reward, a token.
    fixed = wish.kl == "fixed" if isinstance(wish, PPO) else isinstance(wish, RLOO)
    best = optimum(reference, wish.kl_coefficient) if fixed and wish.kl_coefficient else (None, None)
    figures = {
        "setting": title, "seed": seed, "reward": late(curve, "reward"), "kl": late(curve, "kl"),
        "entropy": late(curve, "entropy"), "coefficient": curve[-1].metrics["kl_coefficient"],
        "optimum": [one and round(one, 3) for one in best], "of the language": round(said.well_formed, 3),
        "warned at": [point.step for point in curve if point.metrics["kl_warning"]], "says": said.answers[:2],
    }  # fmt: skip
    print(json.dumps(figures), flush=True)


def late(curve: list[LossPoint], name: str) -> float:
    return round(fmean(point.metrics[name] for point in curve[-LAST:]), 3)


def judged(curves: dict[str, list[list[LossPoint]]]) -> bool:
    """Whether every seed did as theory says: the reward rises where the coefficient is right, hardly moves where it is too
    high, and divergence runs away, with a warning, where it is too low, and nowhere else."""
    low, right, high, adaptive, *grouped = curves.values()
    rises = all(late(one, "reward") > 2 * one[0].metrics["reward"] and late(one, "kl") < 6 for one in (*right, *adaptive))
    learns = all(late(one, "reward") > 1.5 * one[0].metrics["reward"] for arm in grouped for one in arm)
    still = all(abs(late(one, "kl")) < 0.5 for one in high)
    away = all(late(one, "kl") > 10 for one in low)
    warned = all(any(point.metrics["kl_warning"] for point in one) for one in low)
    silent = not any(point.metrics["kl_warning"] for one in (*right, *high, *adaptive) for point in one)
    told = {"rises": rises, "still": still, "runs away": away, "warned of": warned, "nothing else is": silent, "groups": learns}
    print(json.dumps(told))
    return all(told.values())


if __name__ == "__main__":
    sys.exit(main())

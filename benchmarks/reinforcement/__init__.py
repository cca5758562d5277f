"""PPO measured: a tiny model that was taught a small language, and what it becomes when it is rewarded for a part of it."""

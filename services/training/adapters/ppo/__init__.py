"""PPO on a model: sampling answers, judging them by policy and reference, learning, and going on after a kill."""

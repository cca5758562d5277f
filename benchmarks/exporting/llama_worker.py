"""`PYTHON llama_worker.py < SPEC`: greedy answers of a GGUF by llama.cpp, run in an environment that has xllamacpp.

SPEC: `model` (a file), `prompts` (token ids, a list each), `tokens` (of an answer), `context`, `threads`. Answers on stdout, as
JSON: of each prompt the tokens, the log-probability of each, and the seconds; the process's own log goes to stderr.
"""

import json
import os
import sys
import time


def main() -> int:
    spec = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # llama.cpp logs to stdout
    import xllamacpp

    asked = xllamacpp.CommonParams()
    asked.model.path, asked.n_ctx, asked.n_parallel, asked.warmup = spec["model"], spec["context"], 1, True
    asked.cpuparams.n_threads = spec["threads"]
    server = xllamacpp.Server(asked)
    told = [answer(server, prompt, spec["tokens"]) for prompt in spec["prompts"]]
    os.write(answers, json.dumps(told).encode())
    os._exit(0)  # the server's threads outlive it by seconds


def answer(server, prompt, tokens):
    """Without the prompt's cache, so that each answer costs what it costs."""
    began = time.monotonic()
    found = server.handle_completions(
        {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "n_probs": 1, "cache_prompt": False}
    )
    if not isinstance(found, dict):
        found = json.loads(found)
    said = found["choices"][0]["logprobs"]["content"]
    seconds = time.monotonic() - began
    return {"ids": [one["id"] for one in said], "logprobs": [one["logprob"] for one in said], "seconds": seconds}


if __name__ == "__main__":
    sys.exit(main())

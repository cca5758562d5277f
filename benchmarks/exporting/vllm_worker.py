"""`PYTHON vllm_worker.py < SPEC`: greedy answers of a model's directory by vLLM, in vLLM's environment. As llama_worker.py."""

import json
import os
import sys
import time

ON_A_CPU = {
    "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "TORCHDYNAMO_DISABLE": "1", "HF_HUB_OFFLINE": "1",
}  # fmt: skip
"""As serving starts it. Left alone it asks for nine tenths of the machine's memory, and ends where others have some of it."""


def main() -> int:
    spec = json.load(sys.stdin)
    os.environ.update(ON_A_CPU, OMP_NUM_THREADS=str(spec["threads"]))
    answers = os.dup(1)
    os.dup2(2, 1)  # vLLM logs to stdout
    from vllm import LLM, SamplingParams

    engine = LLM(model=spec["model"], dtype="bfloat16", max_model_len=spec["context"], enforce_eager=True, max_num_seqs=4)
    wanted = SamplingParams(temperature=0, max_tokens=spec["tokens"], logprobs=1)
    engine.generate([{"prompt_token_ids": spec["prompts"][0]}], wanted, use_tqdm=False)  # warm
    told = []
    for prompt in spec["prompts"]:
        began = time.monotonic()
        said = engine.generate([{"prompt_token_ids": prompt}], wanted, use_tqdm=False)[0].outputs[0]
        logprobs = [step[token].logprob for step, token in zip(said.logprobs, said.token_ids, strict=True)]
        told.append({"ids": list(said.token_ids), "logprobs": logprobs, "seconds": time.monotonic() - began})
    os.write(answers, json.dumps(told).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())

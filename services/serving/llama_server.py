"""`PYTHON llama_server.py --model FILE …`: llama.cpp's own server with its OpenAI-compatible API, in an environment that has
xllamacpp. Imports nothing of Lectern.

The server is compiled into the wheel, so there is no executable to start: this makes one of it, which ends on SIGTERM.
"""

import argparse
import os
import signal
import sys
from typing import Any


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--model", "--name", "--host"):
        parser.add_argument(name, required=True)
    for name in ("--port", "--context", "--slots", "--threads"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--device", choices=("cpu", "gpu"), required=True)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the server's own threads outlive the interpreter by seconds

    import xllamacpp  # noqa: PLC0415

    try:
        server = xllamacpp.Server(parameters(xllamacpp.CommonParams(), given))
    except RuntimeError:
        print("llama.cpp did not start; the lines above say why", file=sys.stderr)
        return 1
    print(f"listening on {server.listening_address}", file=sys.stderr)
    while True:
        signal.pause()


def parameters(wanted: Any, given: argparse.Namespace) -> Any:
    """llama.cpp's own parameters, filled in."""
    wanted.model.path, wanted.model_alias = given.model, {given.name}
    wanted.hostnames, wanted.port = [given.host], given.port
    key = os.environ.get("LLAMA_API_KEY")  # noqa: TID251 - not among the arguments, which whoever lists processes sees
    wanted.api_keys = [key] if key else []
    wanted.cors_origins = f"http://{given.host}:{given.port}"  # a page of another site may not ask
    wanted.ui, wanted.endpoint_slots, wanted.endpoint_metrics = False, False, True
    # A slot has a whole context of its own.
    wanted.n_parallel, wanted.n_ctx = given.slots, given.context * given.slots
    wanted.fit_params = False  # the context is as asked for, or it is not started
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = given.threads
    if given.device == "cpu":
        wanted.n_gpu_layers = 0
    # Where a request says nothing, sampling is vLLM's and OpenAI's: the whole distribution as it is.
    wanted.sampling.temp, wanted.sampling.top_k, wanted.sampling.top_p, wanted.sampling.min_p = 1.0, 0, 1.0, 0.0
    return wanted


if __name__ == "__main__":
    sys.exit(main())

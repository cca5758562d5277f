# Serving: the controller, and vLLM and llama.cpp in environments of their own, whose pins are their own.
# From the repository's root: docker build -f docker/serving.Dockerfile -t lectern/serving .
# One script makes vLLM's environment on a laptop, in CI and here.
ARG PYTHON_IMAGE=python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY scripts/install_vllm.sh scripts/install_vllm.sh
COPY requirements/ requirements/
# The CPU build of vLLM wants the CPU build of torch: the build names an index that has it, where the default one has not.
ARG TORCH_INDEX_URL=""
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    PIP_EXTRA_INDEX_URL="${TORCH_INDEX_URL}" PYTHON=python scripts/install_vllm.sh /opt/vllm \
 && python -m venv /opt/llama \
 && /opt/llama/bin/pip install --no-deps --requirement requirements/llama.lock \
 && python -m venv /opt/lectern
COPY pyproject.toml README.md ./
COPY shared/ shared/
COPY services/__init__.py services/__init__.py
COPY services/serving/ services/serving/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/lectern/bin/pip install --constraint requirements/main.lock ".[serving]"

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="lectern-serving" org.opencontainers.image.licenses="Apache-2.0"
# vLLM looks for NUMA nodes by libnuma, and Triton compiles its launchers with the system's C compiler, which brings the
# OpenMP that llama.cpp is linked with.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libnuma1 gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 lectern \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin lectern \
 && install -d -o lectern -g lectern /var/lib/lectern /var/cache/lectern
COPY --from=build /opt/vllm /opt/vllm
COPY --from=build /opt/llama /opt/llama
COPY --from=build /opt/lectern /opt/lectern
ENV PATH=/opt/lectern/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    LECTERN_VLLM_COMMAND=/opt/vllm/bin/vllm LECTERN_LLAMA_PYTHON=/opt/llama/bin/python
USER 10001:10001
WORKDIR /var/lib/lectern
ENTRYPOINT ["python", "-m"]
CMD ["services.serving"]

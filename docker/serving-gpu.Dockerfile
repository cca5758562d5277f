# Serving on NVIDIA GPUs: the controller beside vLLM's own image, which has Python 3.12 and vLLM's CUDA build.
# From the repository's root: docker build -f docker/serving-gpu.Dockerfile -t lectern/serving-gpu .
ARG VLLM_IMAGE=vllm/vllm-openai:v0.32.0

FROM ${VLLM_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python3 -m venv /opt/lectern
COPY requirements/main.lock requirements/main.lock
COPY pyproject.toml README.md ./
COPY shared/ shared/
COPY services/__init__.py services/__init__.py
COPY services/serving/ services/serving/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/lectern/bin/pip install --constraint requirements/main.lock ".[serving]"

FROM ${VLLM_IMAGE}
LABEL org.opencontainers.image.title="lectern-serving-gpu" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 lectern \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin lectern \
 && install -d -o lectern -g lectern /var/lib/lectern /var/cache/lectern
COPY --from=build /opt/lectern /opt/lectern
# vLLM's command stays where its image has it: found on the PATH, after our own environment's.
ENV PATH=/opt/lectern/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    LECTERN_VLLM_COMMAND=vllm
USER 10001:10001
WORKDIR /var/lib/lectern
ENTRYPOINT ["python", "-m"]
CMD ["services.serving"]

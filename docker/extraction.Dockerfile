# Extraction workers: PDF bytes to MMD.
# From the repository's root: docker build -f docker/extraction.Dockerfile -t lectern/extraction .
ARG PYTHON_IMAGE=python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/lectern
COPY requirements/main.lock requirements/main.lock
COPY pyproject.toml README.md ./
COPY shared/ shared/
COPY services/__init__.py services/__init__.py
COPY services/extraction/ services/extraction/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/lectern/bin/pip install --constraint requirements/main.lock ".[extraction]"

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="lectern-extraction" org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tesseract-ocr \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 lectern \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin lectern \
 && install -d -o lectern -g lectern /var/lib/lectern /var/cache/lectern
COPY --from=build /opt/lectern /opt/lectern
ENV PATH=/opt/lectern/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/lectern
ENTRYPOINT ["python", "-m"]
CMD ["services.extraction"]

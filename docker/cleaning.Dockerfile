# Cleaning workers: MMD to chunks, chunks to datasets.
# From the repository's root: docker build -f docker/cleaning.Dockerfile -t lectern/cleaning .
ARG PYTHON_IMAGE=python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/lectern
COPY requirements/main.lock requirements/main.lock
COPY pyproject.toml README.md ./
COPY shared/ shared/
COPY services/__init__.py services/__init__.py
COPY services/cleaning/ services/cleaning/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/lectern/bin/pip install --constraint requirements/main.lock ".[cleaning]"

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="lectern-cleaning" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 lectern \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin lectern \
 && install -d -o lectern -g lectern /var/lib/lectern /var/cache/lectern
COPY --from=build /opt/lectern /opt/lectern
ENV PATH=/opt/lectern/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/lectern
ENTRYPOINT ["python", "-m"]
CMD ["services.cleaning"]

# The gateway: REST API, OpenAI-compatible proxy; also runs the one-shot `shared.prepare`.
# From the repository's root: docker build -f docker/gateway.Dockerfile -t lectern/gateway .
ARG PYTHON_IMAGE=python:3.11-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/lectern
COPY requirements/main.lock requirements/main.lock
COPY pyproject.toml README.md ./
COPY shared/ shared/
COPY services/__init__.py services/__init__.py
COPY services/gateway/ services/gateway/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/lectern/bin/pip install --constraint requirements/main.lock ".[gateway]"

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="lectern-gateway" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 lectern \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin lectern \
 && install -d -o lectern -g lectern /var/lib/lectern /var/cache/lectern
COPY --from=build /opt/lectern /opt/lectern
ENV PATH=/opt/lectern/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/lectern
ENV LECTERN_HOST=0.0.0.0 LECTERN_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['LECTERN_PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["python", "-m"]
CMD ["services.gateway"]

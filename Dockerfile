# Tocsin as an image: packages by hash from a lock file, run by nobody in particular, on a file system that is only read.
FROM node:24.11.1-bookworm-slim AS scripts
WORKDIR /src
COPY tools/console/package.json tools/console/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11.15-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /src
# With chat (TOCSIN_CHAT_FILE): docker build --build-arg LOCK=requirements-extras.lock
ARG LOCK=requirements.lock
RUN python -m venv /opt/tocsin
# Wheels only: a source archive would run a build that no hash covers.
COPY requirements.lock requirements-extras.lock ./
RUN /opt/tocsin/bin/pip install --require-hashes --only-binary :all: -r "$LOCK"
COPY pyproject.toml README.md LICENSE ./
# What the console's pages load, from npm's lock file; no Node in the image.
COPY tools/__init__.py ./tools/__init__.py
COPY tools/console/vendor.py ./tools/console/vendor.py
COPY --from=scripts /src/node_modules ./node_modules
RUN python -m tools.console.vendor node_modules
COPY services ./services
# The stand-ins of the outside world are no part of a county's image.
RUN rm -r services/sim
# Compiled now, as nothing can be written later; the build backend and pip stay behind.
RUN /opt/tocsin/bin/pip install --no-deps --no-build-isolation . \
    && /opt/tocsin/bin/python -m pip uninstall --yes setuptools pip \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/tocsin/lib

FROM python:3.11.15-slim-bookworm
# The voice of loudspeakers; without it, and without recordings, sirens sound alone. A point release of Debian drops the version before.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends espeak-ng \
    && rm -rf /var/lib/apt/lists/*
RUN python -m pip uninstall --yes --root-user-action=ignore setuptools wheel pip \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/tocsin
COPY --from=build /opt/tocsin /opt/tocsin
ENV PATH=/opt/tocsin/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOCSIN_HOST=0.0.0.0 \
    TOCSIN_DATA_DIR=/var/lib/tocsin
USER 10001:10001
WORKDIR /var/lib/tocsin
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["tocsin", "ready"]
ENTRYPOINT ["tocsin"]
CMD ["serve"]

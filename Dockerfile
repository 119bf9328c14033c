# Oxide in one image: docs/deploying/container.md says how to run it.

FROM python:3.11-slim-bookworm AS packages

WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/oxide
# Wheels alone, and only those whose hashes the lock file names: nothing is compiled here.
RUN /opt/oxide/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements.lock

FROM python:3.11-slim-bookworm

RUN useradd --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin oxide \
    && install --directory --owner=oxide --group=oxide --mode=0700 /data

COPY --from=packages /opt/oxide /opt/oxide

WORKDIR /srv/oxide
# What belongs to it, .dockerignore says.
COPY . .

# The API cannot write into the image's configuration file: keys that it is given go into the database, encrypted.
ENV PATH=/opt/oxide/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    OXIDE_DATA_DIR=/data \
    OXIDE_KEY_STORE=database

RUN python -m compileall -q .

# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]

# As a list, without a shell: SIGTERM reaches Oxide itself, which lets calls in flight end.
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0"]

"""Everything that a deployment can set. A checkout runs with none of it set.

oxide_project/variables.py says in words what each variable means.
"""

from __future__ import annotations

import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

from apikeys.derivation import derive
from oxide_project import env, servers
from oxide_project.permissions_of_files import DATABASE

BASE_DIR = Path(__file__).resolve().parent.parent

# Oxide

VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
DATA_DIR = env.directory("OXIDE_DATA_DIR", BASE_DIR / "var")
CONFIG_FILE = env.file("OXIDE_CONFIG", BASE_DIR / "config" / "default.yaml")
THREADS = env.integer("OXIDE_THREADS", 640, minimum=8, maximum=10_000)
# Kept free for everything that is not a provider call: health, pages, admin, cancelling.
RESERVED_THREADS = max(4, THREADS // 20)
MAX_BODY_BYTES = env.integer("OXIDE_MAX_BODY_MB", 20, minimum=1, maximum=1024) * 1024 * 1024
MAX_REPLY_BYTES = env.integer("OXIDE_MAX_REPLY_MB", 32, minimum=1, maximum=1024) * 1024 * 1024
TASK_TIMEOUT_SECONDS = env.integer("OXIDE_TASK_TIMEOUT", 600, minimum=1, maximum=86_400)
# Where POST /api/api-keys/update/ puts a key: in plain text into the file, or encrypted into the database.
KEY_STORE = env.choice("OXIDE_KEY_STORE", "file", ["file", "database"])
# Whether the admin pages may set the command of a service, which is to run any program as Oxide's user.
ALLOW_CLI_COMMANDS = env.boolean("OXIDE_ALLOW_CLI_COMMANDS", False)
# How often each service is asked how it is, by one process for all.
HEALTH_SECONDS = env.integer("OXIDE_HEALTH_SECONDS", 30, minimum=1, maximum=3600)
# Read by whatever makes a TLS connection (services/adapters/curl.py); here only checked.
CA_FILE = env.certificates("SSL_CERT_FILE")
PROCESSORS = env.choice("OXIDE_PROCESSORS", "one", ["one", "all"])
DRAIN_SECONDS = env.integer("OXIDE_DRAIN_SECONDS", 30, minimum=0, maximum=3600)

# Each of these four wins over the `security` section of the configuration where it is set (apikeys/policy.py).
AUTH_ENABLED = env.boolean("OXIDE_AUTH_ENABLED", None)
RATE_LIMIT_ANON = env.rate("OXIDE_RATE_LIMIT_ANON")
RATE_LIMIT_USER = env.rate("OXIDE_RATE_LIMIT_USER")
ENVIRONMENT_HOSTS = env.hosts("OXIDE_ALLOWED_HOSTS")
# Whose X-Forwarded-For is believed.
TRUSTED_PROXIES = env.networks("OXIDE_TRUSTED_PROXIES")
# Whether clients come over TLS, which a proxy before Oxide ends.
HTTPS = env.boolean("OXIDE_HTTPS", False)

LOG_LEVEL = env.choice("OXIDE_LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])

# Django

SECRET_KEY = env.secret("OXIDE_SECRET_KEY", kept_in=DATA_DIR / "secret.key")
# Earlier secret keys: what was signed or encrypted with one of them is still taken.
SECRET_KEY_FALLBACKS = env.listing("OXIDE_SECRET_KEY_FALLBACKS", [])
DEBUG = False
ALLOWED_HOSTS = [*ENVIRONMENT_HOSTS] or ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "oxide_project.admin_app.OxideAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "snapshots",
    "apikeys",
    "services",
    "routing",
    "tasks",
    "gateway",
    "monitoring",
    "config",
    "oxide_project",
]

MIDDLEWARE = [
    "monitoring.probes.middleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # Outside of everything that may refuse a request of the API: each of its answers tells the rate limit.
    "oxide_project.gate.Gate",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

# What a program's request passes, which brings no cookie: these are for people's pages alone.
_FOR_PAGES = {
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
}
PROGRAM_MIDDLEWARE = [name for name in MIDDLEWARE if name not in _FOR_PAGES]

ROOT_URLCONF = "oxide_project.urls"
ASGI_APPLICATION = "oxide_project.asgi.application"
# Every route answers with and without the slash; a redirect would lose the body of a POST.
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASE_URL = env.text("DATABASE_URL")
REDIS_URL = env.text("REDIS_URL")
# On PostgreSQL every thread borrows one of these while it reads or writes. The recorder keeps one and the loops
# (oxide_project/loops.py) take four now and then; requests share the rest.
DATABASE_CONNECTIONS = env.integer("OXIDE_DB_POOL", 16, minimum=5, maximum=1000)

if DATABASE_URL:
    DATABASES = {"default": servers.database(DATABASE_URL, DATABASE_CONNECTIONS)}
else:
    # REST framework looks for PostgreSQL's fields, and with them loads its driver: 9 MB that SQLite has no use for.
    sys.modules.setdefault("django.contrib.postgres.fields", None)  # type: ignore[arg-type] # the way to say: not there
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / DATABASE,
            # Requests run on long-lived threads that keep their connection (oxide_project/handler.py).
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                # A transaction that reads and then writes must take the write lock at its start:
                # upgrading it later fails at once, whatever the timeout.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # WAL with synchronous=NORMAL loses nothing when the process is killed; only a
                # power cut can cost the last moments. https://www.sqlite.org/pragma.html#pragma_synchronous
                # A loop (oxide_project/checkpoints.py) moves what is in the WAL to the database file, so that no caller
                # waits for that; only where it falls behind by this many pages, whoever commits does it. A file that
                # grew under load is cut to this many bytes after it.
                "init_command": "PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; "
                "PRAGMA wal_autocheckpoint=40000; PRAGMA journal_size_limit=134217728",
            },
        }
    }

# Never Django's RedisCache: it unpickles what it reads, so whoever can write to Redis could run code here. Our counters
# read whole numbers alone. https://docs.djangoproject.com/en/5.2/topics/cache/#redis
CACHES: dict[str, dict[str, Any]] = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if REDIS_URL:
    servers.require_redis_url(REDIS_URL)
    CACHES["counters"] = {"BACKEND": "apikeys.counters.SharedCounters", "LOCATION": REDIS_URL}
else:
    CACHES["counters"] = {"BACKEND": "apikeys.counters.Counters", "LOCATION": "counters"}
# In memory, one for each caller: the default of 300 would throw counters away while they are needed.
CACHES["counters"]["OPTIONS"] = {"MAX_ENTRIES": 50_000}
RATELIMIT_USE_CACHE = "counters"

DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES

# Who calls

AUTHENTICATION_BACKENDS = ["apikeys.login_guard.GuardedBackend"]
CLIENT_KEY_DIGEST_KEYS = [derive(secret, "keys for programs") for secret in (SECRET_KEY, *SECRET_KEY_FALLBACKS)]
SIMPLE_JWT = {
    "SIGNING_KEY": derive(SECRET_KEY, "tokens"),
    "ALGORITHM": "HS256",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "CHECK_REVOKE_TOKEN": True,
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "oxide_project.formats"
USE_TZ = True

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # static files are served from the packages: no collectstatic step

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 86_400
    # Those who ask whether Oxide lives do so from beside it, without TLS.
    SECURE_REDIRECT_EXEMPT = ["^(health|ready|metrics)/?$"]
SILENCED_SYSTEM_CHECKS = [
    # Whether other hosts of the same domain are reached over TLS alone is not for Oxide to promise to browsers.
    "security.W005",
    "security.W021",
]
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# Django REST framework

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apikeys.authentication.ByIdentity"],
    "DEFAULT_PERMISSION_CLASSES": ["apikeys.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["oxide_project.parsing.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "oxide_project.rendering.Negotiation",
    "DEFAULT_RENDERER_CLASSES": ["oxide_project.rendering.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "oxide_project.errors.handle_exception",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Oxide",
    "DESCRIPTION": "A self-hosted gateway and orchestrator for language models.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],  # open to all: how to log in stands there
    "SCHEMA_PATH_PREFIX": "/api",
    "POSTPROCESSING_HOOKS": ["oxide_project.openapi.shapes.add_shapes"],
    # Served by ourselves: the pages ask no other host for anything.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {
        # Django also logs every answer of 500 and above; a provider that is away is no defect of ours.
        "is_exception": {"()": "django.utils.log.CallbackFilter", "callback": lambda record: bool(record.exc_info)},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain"},
        "exceptions": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["is_exception"]},
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL},
        "django.request": {"handlers": ["exceptions"], "propagate": False},
        # What an operator looks up later is kept however little else is said: apikeys/security_log.py.
        "oxide.security": {"level": "INFO"},
        # Anybody can send any Host; the answer says what to do.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "daphne": {"level": "WARNING"},
        # Each try to connect again is a warning there; that the database is away is said once, by whoever needs it.
        "psycopg.pool": {"level": "ERROR"},
    },
}

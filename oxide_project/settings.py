"""Everything that a deployment can set. A checkout runs with none of it set."""

from __future__ import annotations

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from oxide_project import env, servers

BASE_DIR = Path(__file__).resolve().parent.parent

# Oxide

DATA_DIR = env.directory("OXIDE_DATA_DIR", BASE_DIR / "var")
CONFIG_FILE = Path(env.text("OXIDE_CONFIG", str(BASE_DIR / "config" / "default.yaml"))).expanduser().resolve()
THREADS = env.integer("OXIDE_THREADS", 640, minimum=8, maximum=10_000)
# Kept free for everything that is not a provider call: health, pages, admin, cancelling.
RESERVED_THREADS = max(4, THREADS // 20)
MAX_BODY_BYTES = env.integer("OXIDE_MAX_BODY_MB", 20, minimum=1, maximum=1024) * 1024 * 1024
MAX_REPLY_BYTES = env.integer("OXIDE_MAX_REPLY_MB", 32, minimum=1, maximum=1024) * 1024 * 1024
TASK_TIMEOUT_SECONDS = env.integer("OXIDE_TASK_TIMEOUT", 600, minimum=1, maximum=86_400)
DRAIN_SECONDS = env.integer("OXIDE_DRAIN_SECONDS", 30, minimum=0, maximum=3600)

if env.boolean("OXIDE_AUTH_ENABLED", False):
    raise ImproperlyConfigured(
        "OXIDE_AUTH_ENABLED: this version has no identity of its own yet. Leave it off, listen on "
        "loopback only, and let a reverse proxy ask who calls."
    )

LOG_LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR"]

# Django

SECRET_KEY = env.secret("OXIDE_SECRET_KEY", kept_in=DATA_DIR / "secret.key")
DEBUG = False
ALLOWED_HOSTS = env.listing("OXIDE_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "snapshots",
    "apikeys",
    "services",
    "routing",
    "tasks",
    "monitoring",
    "config",
    "oxide_project",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

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
# (oxide_project/loops.py) take three now and then; requests share the rest.
DATABASE_CONNECTIONS = env.integer("OXIDE_DB_POOL", 16, minimum=5, maximum=1000)

if DATABASE_URL:
    DATABASES = {"default": servers.database(DATABASE_URL, DATABASE_CONNECTIONS)}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "oxide.sqlite3",
            # Requests run on long-lived threads that keep their connection (oxide_project/handler.py).
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                # A transaction that reads and then writes must take the write lock at its start:
                # upgrading it later fails at once, whatever the timeout.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # WAL with synchronous=NORMAL loses nothing when the process is killed; only a
                # power cut can cost the last moments. https://www.sqlite.org/pragma.html#pragma_synchronous
                "init_command": "PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=134217728",
            },
        }
    }

if REDIS_URL:
    CACHES = {"default": servers.cache(REDIS_URL)}
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # static files are served from the packages: no collectstatic step

SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"

# Django REST framework

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_PARSER_CLASSES": ["oxide_project.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["oxide_project.rendering.JSONRenderer"],
    "EXCEPTION_HANDLER": "oxide_project.errors.handle_exception",
    "UNAUTHENTICATED_USER": None,
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
    "root": {"handlers": ["console"], "level": env.choice("OXIDE_LOG_LEVEL", "INFO", LOG_LEVELS)},
    "loggers": {
        "django": {"handlers": []},
        "django.request": {"handlers": ["exceptions"], "propagate": False},
        "daphne": {"level": "WARNING"},
        # Each try to connect again is a warning there; that the database is away is said once, by whoever needs it.
        "psycopg.pool": {"level": "ERROR"},
    },
}

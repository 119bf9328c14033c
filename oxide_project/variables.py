"""What each environment variable means, for the reference. What it may be and its default, the reading itself tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oxide_project import env


@dataclass(frozen=True, slots=True)
class Variable:
    """`default` and `values` are given where the reading does not know them."""

    name: str
    meaning: str
    example: str
    default: str = ""
    values: str = ""


GROUPS: Mapping[str, Sequence[Variable]] = {
    "Places": (
        Variable("OXIDE_CONFIG", "the configuration file", "/etc/oxide/oxide.yaml", "`config/default.yaml`"),
        Variable("OXIDE_DATA_DIR", "where the database and the secret key live", "/var/lib/oxide", "`var/`"),
        Variable(
            "DATABASE_URL",
            "PostgreSQL instead of SQLite; its query (`?sslmode=require`) goes to libpq. A special character in the "
            "password is percent-encoded",
            "postgres://oxide:password@db.internal/oxide",
            "SQLite in `OXIDE_DATA_DIR`",
            "`postgres://…`",
        ),
        Variable(
            "REDIS_URL",
            "where several processes count requests together and tell each other the news",
            "redis://redis.internal:6379/0",
            "memory",
            "`redis://…`, `rediss://…` or `unix://…`",
        ),
        Variable(
            "SSL_CERT_FILE",
            "the certificates against which those of providers are checked; `ca_file` of a service goes before it",
            "/etc/ssl/certs/ca-certificates.crt",
            "those that come with Oxide (certifi)",
        ),
    ),
    "Who may call": (
        Variable(
            "OXIDE_AUTH_ENABLED", "whether callers must say who they are", "true", "`security.auth_enabled` of the file"
        ),
        Variable(
            "OXIDE_ALLOWED_HOSTS",
            "the host names under which Oxide is addressed, and no others: name `localhost` too where it is used",
            "oxide.example.org,localhost",
            "`security.allowed_hosts` of the file",
        ),
        Variable(
            "OXIDE_RATE_LIMIT_ANON",
            "requests of an address in a second (`s`), minute (`m`), hour (`h`) or day (`d`); `0`: no limit",
            "20/s",
            "`security.rate_limits.anonymous` of the file",
        ),
        Variable(
            "OXIDE_RATE_LIMIT_USER",
            "the same for each user and each key",
            "5000/h",
            "`security.rate_limits.authenticated` of the file",
        ),
        Variable(
            "OXIDE_TRUSTED_PROXIES",
            "proxies whose `X-Forwarded-For` is believed; without it everybody behind a proxy is one address",
            "10.0.0.0/8",
            "none",
        ),
        Variable(
            "OXIDE_HTTPS",
            "whether clients come over TLS, which a proxy ends that sets `X-Forwarded-Proto`",
            "true",
        ),
    ),
    "Secrets": (
        Variable(
            "OXIDE_SECRET_KEY",
            "signs sessions and tokens, encrypts stored keys of providers; the same in every process",
            "",
            "made at the first start, kept in `OXIDE_DATA_DIR` as `secret.key`",
        ),
        Variable(
            "OXIDE_SECRET_KEY_FALLBACKS",
            "earlier secret keys: what they signed or encrypted can still be read",
            "",
            "none",
        ),
        Variable(
            "OXIDE_KEY_STORE",
            "where the API puts keys of providers: into the configuration file in plain text, or into the database "
            "encrypted",
            "database",
        ),
    ),
    "Programs": (
        Variable(
            "OXIDE_ALLOW_CLI_COMMANDS",
            "whether administrators may set commands of services (`type: cli`) in the admin pages, and so run any "
            "program as the user that Oxide runs as; otherwise only the configuration file may",
            "true",
        ),
    ),
    "Limits": (
        Variable("OXIDE_THREADS", "threads, and so callers, at once in a process", "256"),
        Variable("OXIDE_TASK_TIMEOUT", "seconds for a task that names no limit", "300"),
        Variable("OXIDE_MAX_BODY_MB", "the largest request", "50"),
        Variable("OXIDE_MAX_REPLY_MB", "the largest answer of a provider", "64"),
        Variable(
            "OXIDE_DB_POOL",
            "connections of each process to PostgreSQL; all processes together must stay below its `max_connections`",
            "24",
        ),
    ),
    "Running": (
        Variable("OXIDE_HEALTH_SECONDS", "how often each service is asked how it is, by free endpoints", "60"),
        Variable("OXIDE_DRAIN_SECONDS", "how long SIGTERM waits for calls in flight", "120"),
        Variable(
            "OXIDE_PROCESSORS",
            "whether a process keeps to one processor at a time, the freest, which is quicker (Linux alone); the "
            "programs that it starts may use all of them",
            "all",
        ),
        Variable("OXIDE_LOG_LEVEL", "how much is said", "WARNING"),
    ),
}


def tables() -> str:
    """In Markdown, a table for each group."""
    return "\n\n".join(f"### {title}\n\n{_table(variables)}" for title, variables in GROUPS.items())


def _table(variables: Sequence[Variable]) -> str:
    head = ["| variable | values | default | meaning | example |", "|---|---|---|---|---|"]
    return "\n".join([*head, *map(_row, variables)])


def _row(variable: Variable) -> str:
    told = env.asked[variable.name]
    default = variable.default or f"`{told.default}`"
    example = f"`{variable.example}`" if variable.example else ""
    cells = [f"`{variable.name}`", variable.values or told.values, default, variable.meaning, example]
    return f"| {' | '.join(cells)} |"

"""Environment variables that are Oxide's own: no service may be given one as its key, and no program gets to see one.

Otherwise whoever may change a service could have Oxide's secrets sent to an address of their choice.
"""

from __future__ import annotations

import re

# Those of PostgreSQL's and Redis' own clients hold passwords, too.
# https://www.postgresql.org/docs/current/libpq-envars.html, https://redis.io/docs/latest/develop/tools/cli/
_OWN = re.compile(
    r"(OXIDE|DJANGO|POSTGRES|REDIS|REDISCLI)_.*|PG[A-Z]+|DATABASE_URL|SECRET_KEY(_FALLBACKS)?", re.IGNORECASE
)


def is_own(name: str) -> bool:
    return bool(_OWN.fullmatch(name.strip()))

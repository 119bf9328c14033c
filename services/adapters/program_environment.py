"""What a command-line tool finds in its environment: what programs need to run at all, and what its service names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from apikeys.own_variables import is_own

# By a list of what may pass, not of what may not: the next secret that somebody sets is then on no list.
_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|TERM|COLORTERM|XDG_[A-Z_]+"
    r"|SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS"
    r"|(HTTP|HTTPS|ALL|NO|FTP)_PROXY|(http|https|all|no|ftp)_proxy"
)


def environment(names: Iterable[str], key_name: str, key: str) -> dict[str, str]:
    """`names` are those that the service declares. Its own key stands under `key_name`, wherever it is kept."""
    declared = {name for name in names if not is_own(name)}
    passed = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name) or name in declared}
    return passed | ({key_name: key} if key_name and key and not is_own(key_name) else {})

"""The project's own settings, with a data folder and a database that the tests may fill."""

import os
import tempfile
from pathlib import Path

os.environ["OXIDE_DATA_DIR"] = tempfile.mkdtemp(prefix="oxide-test-")
for name in ("DATABASE_URL", "REDIS_URL", "OXIDE_CONFIG"):
    os.environ.pop(name, None)

from oxide_project.settings import *  # noqa: E402, F403
from oxide_project.settings import DATABASES  # noqa: E402

# A file, not memory: the recorder writes on a thread, and so over a connection, of its own.
DATABASES["default"]["TEST"] = {"NAME": str(Path(os.environ["OXIDE_DATA_DIR"], "test.sqlite3"))}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a slow one would only cost time here

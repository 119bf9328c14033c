"""The project's own settings, with a data folder and a database that the tests may fill."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

os.environ["OXIDE_DATA_DIR"] = tempfile.mkdtemp(prefix="oxide-test-")
atexit.register(shutil.rmtree, os.environ["OXIDE_DATA_DIR"], ignore_errors=True)
for name in ("DATABASE_URL", "REDIS_URL", "OXIDE_CONFIG"):
    os.environ.pop(name, None)
# One address sends more requests here than any limit would let through; tests of the limits set their own.
os.environ |= {"OXIDE_RATE_LIMIT_ANON": "0", "OXIDE_RATE_LIMIT_USER": "0"}
# All that it can say is searched for secrets.
os.environ["OXIDE_LOG_LEVEL"] = "DEBUG"
# So that no policy takes the test client's host away.
os.environ["OXIDE_ALLOWED_HOSTS"] = "localhost,127.0.0.1,testserver"
# To run the suite on PostgreSQL, for example postgres://oxide:password@127.0.0.1:5432/oxide.
if os.environ.get("OXIDE_TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["OXIDE_TEST_DATABASE_URL"]

from oxide_project.settings import *  # noqa: E402, F403
from oxide_project.settings import DATABASES  # noqa: E402

if "DATABASE_URL" not in os.environ:
    # A file, not memory: the recorder writes on a thread, and so over a connection, of its own.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(os.environ["OXIDE_DATA_DIR"], "test.sqlite3"))}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a slow one would only cost time here

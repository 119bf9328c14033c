"""An SQLite database with all tables and no rows, copied in place of migrating one for each process that is started."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.made_once import made_once

ROOT = Path(__file__).resolve().parent.parent
NAME = "oxide.sqlite3"


def copy_to(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    template = made_once(f"oxide-database-{_digest()}", _migrate) / NAME
    shutil.copyfile(template, data_dir / NAME)


def _digest() -> str:
    """Of all migrations: another set makes another database."""
    files = sorted(ROOT.glob("*/migrations/*.py"))
    named = b"".join(file.parent.parent.name.encode() + file.name.encode() + file.read_bytes() for file in files)
    lock = (ROOT / "requirements.lock").read_bytes()  # Django brings tables of its own
    return hashlib.sha256(named + lock).hexdigest()[:16]


def _migrate(folder: Path) -> None:
    config = folder / "oxide.yaml"
    config.write_text("services: {}\n")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OXIDE_", "DATABASE_URL"))}
    environment = {
        **inherited,
        "DJANGO_SETTINGS_MODULE": "oxide_project.settings",
        "OXIDE_DATA_DIR": str(folder),
        "OXIDE_CONFIG": str(config),
    }
    command = [sys.executable, str(ROOT / "manage.py"), "migrate"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=280)

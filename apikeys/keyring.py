"""The one place that knows a provider's key. A key is passed to an adapter and to nobody else."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

import yaml
from django.conf import settings

from snapshots.snapshot import Snapshot

logger = logging.getLogger(__name__)


def secret_for(service: str, env_name: str = "") -> str:
    """The key for `service`, or "" where there is none: the environment first, then the configuration file."""
    return (os.environ.get(env_name, "").strip() if env_name else "") or file_keys.get().get(service, "")


def preview(secret: str) -> str:
    """As much of a key as anybody may see: `sk-o...xyz`."""
    return f"{secret[:4]}...{secret[-3:]}" if len(secret) >= 12 else "..." if secret else ""


def _read_file_keys() -> Mapping[str, str]:
    # Only the keys are read here: the file as a whole is read and validated by the config app.
    try:
        content = yaml.safe_load(settings.CONFIG_FILE.read_bytes())
        services = content["services"].items()
        return {name: entry["api_key"] for name, entry in services if isinstance(entry, dict) and entry.get("api_key")}
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        logger.warning("No keys could be read from %s: mend the file and run `manage.py reload`.", settings.CONFIG_FILE)
        return {}


file_keys: Snapshot[Mapping[str, str]] = Snapshot("file_keys", _read_file_keys)

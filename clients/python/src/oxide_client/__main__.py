"""`python -m oxide_client`: the command without its installed name."""

from __future__ import annotations

import sys

from oxide_client.cli.main import main

sys.exit(main())

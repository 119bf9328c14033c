"""In place of kubectl where there is no cluster: it takes what it is given, and knows of nothing else afterwards.

What stands in the manifests is checked elsewhere. A deployment has said what stands in the file that $SAID names.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from pathlib import Path

import yaml

APPLIED = Path("applied")  # in the folder where the guide is


def main() -> None:
    parser = ArgumentParser("kubectl", allow_abbrev=False)
    words = parser.add_subparsers(dest="word", required=True)
    words.add_parser("apply").add_argument("-f", dest="files", action="append", required=True)
    rollout = words.add_parser("rollout").add_subparsers(dest="step", required=True)
    rollout.add_parser("status").add_argument("name")
    logs = words.add_parser("logs")
    logs.add_argument("name")
    logs.add_argument("--all-pods", choices=["true", "false"])
    asked = parser.parse_args()
    if asked.word == "apply":
        APPLIED.write_text("\n".join(name_in(Path(file)) for file in asked.files))
    elif asked.name not in APPLIED.read_text().splitlines():
        sys.exit(f"{asked.name} not found")
    if asked.word == "logs":
        sys.stdout.write(Path(os.environ["SAID"]).read_text())


def name_in(file: Path) -> str:
    manifest = yaml.safe_load(file.read_text())
    return f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"


main()

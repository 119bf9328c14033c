"""The pages for operators name what is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from monitoring import prometheus
from oxide_project import variables
from tests.live import ROOT

DOCS = ROOT / "docs"
PAGES = [DOCS / f"{name}.md" for name in ("deployment", "security", "upgrading")] + sorted(DOCS.glob("deploying/*.md"))
DEPLOY = sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file())
KNOWN = {variable.name for group in variables.GROUPS.values() for variable in group}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@each_page
def test_its_variables_are_ones_that_oxide_reads(page: Path) -> None:
    own = {"OXIDE_PORT", "OXIDE_WORKERS"}  # of compose.yaml
    assert set(re.findall(r"\bOXIDE_[A-Z_]+\b", page.read_text())) - own <= KNOWN


@each_page
def test_its_commands_are_ones_that_oxide_has(page: Path) -> None:
    for name, rest in re.findall(r"python manage\.py (\w+)([^\n`#]*)", page.read_text()):
        arguments = shlex.split(rest.partition(" | ")[0])
        if "…" not in rest:
            load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(arguments)


def test_every_file_to_copy_is_named_on_a_page() -> None:
    told = "".join(page.read_text() for page in PAGES)
    folders = ("kubernetes", "prometheus")  # named as a whole
    for path in DEPLOY:
        assert path.stem in told or path.parent.name in folders, path


def test_alerts_are_about_figures_that_there_are() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "oxide.rules.yml").read_text())
    expressions = " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    source = Path(prometheus.__file__).read_text()
    names = set(re.findall(r"\boxide_\w+", expressions))
    assert names
    assert all(f'"{name.removesuffix("_total")}"' in source for name in names)


def test_prometheus_is_told_where_the_figures_are() -> None:
    config: Any = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert config["rule_files"] == ["oxide.rules.yml"]

"""`manage.py reference`: the page about every setting, which no other place can contradict."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

from django.core.management import call_command

from oxide_project import variables

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = {variable.name for group in variables.GROUPS.values() for variable in group}


def test_the_page_is_what_the_command_prints() -> None:
    printed = StringIO()
    call_command("reference", stdout=printed)
    page = (ROOT / "docs" / "configuration-reference.md").read_text()
    assert page == printed.getvalue(), (
        "The page is out of date. Run: python manage.py reference > docs/configuration-reference.md"
    )


def test_every_variable_that_the_settings_read_is_described() -> None:
    settings = (ROOT / "oxide_project" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\("(\w+)"', settings))
    assert read == NAMES


def test_readme_names_every_variable() -> None:
    readme = (ROOT / "README.md").read_text()
    assert {name for name in NAMES if f"`{name}`" not in readme} == set()

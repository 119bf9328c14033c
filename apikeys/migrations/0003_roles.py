"""The groups that make somebody a viewer, an operator or an administrator."""

from typing import Any

from django.db import migrations


def make_groups(apps: Any, _schema_editor: Any) -> None:
    groups = apps.get_model("auth", "Group").objects
    for name in ("viewer", "operator", "admin"):
        groups.get_or_create(name=name)


class Migration(migrations.Migration):

    dependencies = [
        ("apikeys", "0002_identity"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]

from django.db import migrations, models


class Migration(migrations.Migration):
    # Nullable and without a default, so that neither SQLite nor PostgreSQL rewrites the rows that are there: a million
    # of them take a second, nearly all of it for the index.

    dependencies = [
        ("tasks", "0008_more_kinds_of_errors"),
    ]

    operations = [
        migrations.AddField(
            model_name="task",
            name="caller",
            field=models.CharField(
                editable=False,
                help_text="Whose task it is: the kind and the key of a user or a key.",
                max_length=24,
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("caller__isnull", False)),
                fields=["caller", "created_at", "id", "status", "service_used", "task_type"],
                name="task_by_caller",
            ),
        ),
    ]

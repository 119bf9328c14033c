from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0007_filter_by_index'),
    ]

    operations = [
        migrations.AddField(
            model_name='attempt',
            name='dropped',
            field=models.JSONField(help_text='Fields of the request that were not sent to this service.', null=True),
        ),
    ]

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0010_attempt_usage_details'),
    ]

    operations = [
        migrations.AddField(
            model_name='attempt',
            name='dropped',
            field=models.JSONField(help_text='Fields of the request that were not sent to this service.', null=True),
        ),
    ]

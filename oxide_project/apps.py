from django.apps import AppConfig


class OxideProjectConfig(AppConfig):
    name = "oxide_project"

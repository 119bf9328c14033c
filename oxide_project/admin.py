"""What the admin site as a whole is called."""

from __future__ import annotations

from django.contrib import admin

admin.site.site_header = "Oxide"
admin.site.site_title = "Oxide"
admin.site.index_title = "Services, rules and history"
admin.site.site_url = None

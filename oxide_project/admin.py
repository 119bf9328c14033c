"""What the admin site as a whole is called, and how it is laid out."""

from __future__ import annotations

from django.contrib import admin

admin.site.site_header = "Oxide"
admin.site.site_title = "Oxide"
admin.site.index_title = "Services, rules and history"
admin.site.site_url = None
admin.site.enable_nav_sidebar = False  # the few lists there are stand in the header: see base_site.html

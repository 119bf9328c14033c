"""The one bounded pool of threads on which requests are answered and background tasks run.

It grows as it is needed: a thread that waits for a provider costs little, and there is none for
each request as there would be under stock Django.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from django.conf import settings

pool = ThreadPoolExecutor(max_workers=settings.THREADS, thread_name_prefix="oxide")

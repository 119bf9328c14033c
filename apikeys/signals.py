"""What happens to keys, for whoever wants to know."""

from django.dispatch import Signal

# Sent in each process with `service` (its name) once the process has seen another key, or none, where it was looked up.
key_changed = Signal()

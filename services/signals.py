"""What happens to services, for whoever wants to know."""

from django.dispatch import Signal

# Sent with `service` (its name) and `health` (services.health.Health) when it fell ill or got well.
health_changed = Signal()

# Sent once it is committed, and in the directory, that services were added, changed or removed by this process.
services_changed = Signal()

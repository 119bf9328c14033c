"""What happens to tasks, for whoever wants to know. Receivers must be quick and must not block."""

from django.dispatch import Signal

# Each is sent with `task` (tasks.models.Task).
task_started = Signal()
task_finished = Signal()

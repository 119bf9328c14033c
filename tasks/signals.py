"""What happens to tasks, for whoever wants to know. Receivers must be quick and must not block."""

from django.dispatch import Signal

# Those that are sent for every task, or every token, keep in mind who receives them.

# Each is sent with `task` (tasks.models.Task).
task_started = Signal(use_caching=True)
# Once it is recorded that a background task waits for its turn.
task_queued = Signal()
# Each time that a background task finds no free place at its service, and waits for one.
task_waits = Signal()
# A task has ended, but the database did not take it; `tasks_recorded` may follow once it does.
task_unrecorded = Signal()

# Sent before each attempt whose answer comes in pieces: what an earlier one had said no longer counts.
answer_begins = Signal()

# Sent with `task` and `text`, a piece of the answer, as it comes from the provider.
task_said = Signal(use_caching=True)

# Sent in the transaction that writes them: a receiver that fails undoes it. With `ended`, the tasks that have ended;
# `attempts`, those that were not recorded before; `revoked`, tasks of `ended` as they were when they ended before
# (marked as interrupted, for example), which no longer counts.
tasks_recorded = Signal(use_caching=True)

"""A long history, written past Oxide in a few seconds: tasks, attempts and what counts them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

DAYS = 60
"""Over so many the tasks are spread evenly."""
RARE = 3
"""So many tasks, the oldest, are of the service `rare` and the type `analysis`, and no others."""

_TASKS = """
    WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :number)
    INSERT INTO tasks_task (
        id, status, task_type, prompt, messages, parameters, requested_service, requested_model, decision,
        service_used, model_used, result, reasoning, tool_calls, finish_reason, error_code, error_detail, client,
        cancel_requested, prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens,
        usage_reported, cost_nanodollars, cost_basis, created_at, started_at, completed_at
    )
    SELECT
        printf('%032x', n), CASE n % 50 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'completed' END,
        CASE WHEN n < :rare THEN 'analysis' WHEN n % 3 = 0 THEN 'chat' WHEN n % 3 = 1 THEN 'general'
        ELSE 'translation' END,
        printf('Question %d: %s', n, :text), '[]', '{}', '', '', :decision,
        CASE WHEN n < :rare THEN 'rare' ELSE 'service ' || (n % 5) END, 'model ' || (n % 7),
        printf('Answer %d: %s %s', n, :text, :text), '', '[]', 'stop', '', '', '', 0, 100, 50, 0, 0, 0,
        1, 1000, 'computed', moment, moment, moment
    FROM (SELECT n, datetime('now', printf('-%d seconds', :seconds * (:number - n) / :number)) AS moment FROM numbers)
"""
_ATTEMPTS = """
    INSERT INTO tasks_attempt (
        task_id, number, service, model, rule, status, error_kind, error, finish_reason, started_at, latency_ms,
        prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, usage_reported,
        cost_nanodollars, cost_basis
    )
    SELECT
        id, 1, service_used, model_used, '', status, '', '', 'stop', created_at, 100 + rowid % 1000,
        prompt_tokens, completion_tokens, 0, 0, 0, 1, cost_nanodollars, cost_basis
    FROM tasks_task
"""
_COUNTS = """
    INSERT INTO tasks_taskcount (status, service, task_type, number)
    SELECT status, service_used, task_type, COUNT(*) FROM tasks_task GROUP BY 1, 2, 3
"""
_ROLLUPS = """
    INSERT INTO monitoring_rollup (
        period, service, model, task_type, status, cost_basis, tasks, attempts, prompt_tokens, completion_tokens,
        cached_tokens, reasoning_tokens, cost_nanodollars, latency_us
    )
    SELECT
        {period}, service_used, {model}, {task_type}, status, {basis}, COUNT(*), COUNT(*), SUM(prompt_tokens),
        SUM(completion_tokens), 0, 0, SUM(cost_nanodollars), 100000 * COUNT(*)
    FROM tasks_task GROUP BY 1, 2, 3, 4, 5, 6
"""
_LATENCIES = """
    INSERT INTO monitoring_latencycount (period, service, bucket, attempts)
    SELECT {period}, service, 24 + number, COUNT(*) FROM (
        SELECT started_at AS completed_at, service, CAST(latency_ms / 100 AS INTEGER) AS number FROM tasks_attempt
    ) GROUP BY 1, 2, 3
"""
_MINUTE = "unixepoch(completed_at) / 60"
# As merged as monitoring/merging.py would have them by now.
_PERIOD = f"""
    CASE WHEN completed_at > datetime('now', '-2 hours') THEN {_MINUTE}
    WHEN completed_at > datetime('now', '-25 hours') THEN {_MINUTE} / 5 * 5
    WHEN completed_at > datetime('now', '-8 days') THEN {_MINUTE} / 60 * 60 ELSE {_MINUTE} / 1440 * 1440 END
"""


def fill(database: Path, number: int) -> None:
    """Write so many tasks into a migrated SQLite database without any."""
    text = "Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy."
    decision = '{"candidates": [], "skipped": []}'
    values = {"number": number, "seconds": DAYS * 86_400, "text": text, "decision": decision, "rare": RARE}
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_TASKS, values)
        for statement in (
            _ATTEMPTS,
            _COUNTS,
            _ROLLUPS.format(period=_PERIOD, model="model_used", task_type="task_type", basis="cost_basis"),
            _ROLLUPS.format(period="0", model="''", task_type="''", basis="''"),
            _LATENCIES.format(period=_PERIOD),
            _LATENCIES.format(period="0"),
        ):
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

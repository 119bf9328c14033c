"""What each command does."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress

from oxide_client.answers import Attempt, ServiceListed, TaskAnswer, TaskDetail, TaskSummary
from oxide_client.blocking import Oxide
from oxide_client.blocking import TaskStream as Stream
from oxide_client.cli import figures, terminal
from oxide_client.cli.exits import Exit
from oxide_client.cli.lines import line_of
from oxide_client.cli.prompts import prompt_of
from oxide_client.cli.terminal import Progress
from oxide_client.errors import NotFoundError, ValidationError, of_body
from oxide_client.live import TOPICS
from oxide_client.options import TaskOptions


def run(oxide: Oxide, asked: Namespace) -> Exit:
    prompt = prompt_of(asked.command, asked.prompt)
    try:
        with Progress("Oxide works on it:"):
            answer = oxide.execute_task(prompt, asked.task_type, timeout=asked.timeout, **_options(asked))
    except KeyboardInterrupt:
        # The connection is closed by now.
        terminal.note("Cancelled: the connection is closed, and Oxide calls the task off.", "yellow")
        return Exit.INTERRUPTED
    if asked.json:
        terminal.out(_json(answer))
    else:
        terminal.out(answer["result"])
        _sum_up(answer)
    return _exit_of(answer)


def ask(oxide: Oxide, asked: Namespace) -> Exit:
    prompt = prompt_of(asked.command, asked.prompt)
    stream = oxide.stream_task(prompt, asked.task_type, timeout=asked.timeout, **_options(asked))
    with stream, Progress("Oxide works on it:") as progress:
        try:
            return _tell_lines(stream, progress) if asked.json else _tell(stream, progress)
        except KeyboardInterrupt:
            progress.stop()
            return _call_off(oxide, stream)


def history(oxide: Oxide, asked: Namespace) -> Exit:
    if asked.id:
        task = oxide.get_task(asked.id)
        terminal.out(_json(task) if asked.json else _task_in_full(task))
        return Exit.DONE
    page = oxide.get_history(
        limit=asked.limit,
        status=asked.status,
        service=asked.service,
        task_type=asked.task_type,
        search=asked.search,
    )
    if asked.json:
        terminal.out(_json(page))
    elif page["tasks"]:
        head = ("ID", "CREATED", "STATUS", "SERVICE", "SECONDS", "TOKENS", "COST", "PROMPT")
        terminal.table(head, [_task_row(task) for task in page["tasks"]])
    else:
        terminal.note("No tasks were found.")
    return Exit.DONE


def services(oxide: Oxide, asked: Namespace) -> Exit:
    found = oxide.list_services()
    if asked.json:
        terminal.out(_json(found))
        return Exit.DONE
    rows = [
        (
            name,
            _state(service),
            service["info"]["api"] or service["info"]["type"],
            service["info"]["model"],
            service["info"]["base_url"],
        )
        for name, service in found["services"].items()
    ]
    terminal.table(("NAME", "STATE", "KIND", "MODEL", "ADDRESS"), rows)
    # Below, where nothing of it is cut off: it says what to do.
    obstacles = [f"{name} {service['obstacle']}" for name, service in found["services"].items() if _is_barred(service)]
    if obstacles:
        terminal.out("\n".join(["", *map(terminal.one_line, obstacles)]))
    return Exit.DONE


def watch(oxide: Oxide, asked: Namespace) -> Exit:
    with oxide.events(topics=asked.topic or TOPICS, task_ids=asked.task) as events:
        for event in events:
            if asked.json:
                terminal.out(json.dumps(event, ensure_ascii=False))
            elif line := line_of(event):
                terminal.out(f"{time.strftime('%H:%M:%S')}  {line}")
    return Exit.DONE


COMMANDS: dict[str, Callable[[Oxide, Namespace], Exit]] = {
    "run": run,
    "ask": ask,
    "history": history,
    "services": services,
    "watch": watch,
}


# Tasks


def _options(asked: Namespace) -> TaskOptions:
    return {
        "service": asked.service,
        "model": asked.model,
        "max_tokens": asked.max_tokens,
        "temperature": asked.temperature,
    }


def _tell(stream: Stream, progress: Progress) -> Exit:
    ends_line = True
    for event in stream:
        if event["type"] == "delta" and event.get("text"):
            progress.stop()
            terminal.say(event["text"])
            ends_line = event["text"].endswith("\n")
        elif event["type"] in ("done", "error"):
            progress.stop()
            if not ends_line:
                terminal.say("\n")
            if event["type"] == "error":
                raise of_body(event)
            _sum_up(event)
            return _exit_of(event)
    raise AssertionError("A stream ends with done or error, or raises.")


def _tell_lines(stream: Stream, progress: Progress) -> Exit:
    exit_ = Exit.FAILED
    for event in stream:
        progress.stop()
        terminal.out(json.dumps(event, ensure_ascii=False))
        if event["type"] == "error":
            raise of_body(event)
        if event["type"] == "done":
            exit_ = _exit_of(event)
    return exit_


def _call_off(oxide: Oxide, stream: Stream) -> Exit:
    """Closing the stream does it. Saying so by the task's id does it sooner where a proxy keeps connections open."""
    called_off = "Cancelled: the connection is closed, and Oxide calls the task off."
    if stream.task_id is not None:
        # Oxide may have noticed by itself: then there is no such open task any more.
        with suppress(ValidationError, NotFoundError):
            oxide.cancel_task(stream.task_id)
        called_off = f"Cancelled task {stream.task_id}."
    terminal.note(f"\n{called_off}", "yellow")
    return Exit.INTERRUPTED


def _exit_of(answer: TaskAnswer) -> Exit:
    if answer["status"] == "completed":
        return Exit.DONE
    terminal.note(f"Task {answer['task_id']} was called off by somebody else: this is what there is of it.", "yellow")
    return Exit.FAILED


def _sum_up(answer: TaskAnswer) -> None:
    """Who answered, for people; a pipe gets the answer alone."""
    if not terminal.is_terminal(sys.stderr):
        return
    parts = [answer["service_used"], answer["model_used"], figures.seconds(answer["execution_time"])]
    parts += [f"{answer['tokens_used']} tokens", figures.dollars(answer["cost"])]
    terminal.note(" · ".join(part for part in parts if part), "dim")


# Shown


def _state(service: ServiceListed) -> str:
    """In the dashboard's words."""
    return "off" if service["state"] == "off" else service["state_text"]


def _is_barred(service: ServiceListed) -> bool:
    return service["enabled"] and bool(service["obstacle"])


def _json(answer: object) -> str:
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _task_row(task: TaskSummary) -> tuple[str, ...]:
    return (
        task["id"],
        figures.moment(task["created_at"]),
        task["error_code"] or task["status"],
        task["service_used"] or "-",
        figures.seconds(task["execution_time"], "") or "-",
        str(task["tokens_used"]),
        figures.dollars(task["cost"]) or "-",
        task["prompt"],
    )


def _task_in_full(task: TaskDetail) -> str:
    lines = [
        ("task", task["task_id"]),
        ("status", f"{task['status']} {task['error_code']}".strip()),
        ("created", figures.moment(task["created_at"])),
        ("type", task["task_type"]),
        ("service", f"{task['service_used']} {task['model_used']}".strip()),
        ("seconds", figures.seconds(task["execution_time"], "")),
        ("tokens", str(task["tokens_used"])),
        ("cost", f"{figures.dollars(task['cost'])} {task['cost_basis']}".strip()),
        ("error", task["error_detail"]),
        *((f"attempt {attempt['number']}", _attempt(attempt)) for attempt in task["attempts"]),
    ]
    head = "\n".join(f"{name:<10} {terminal.one_line(value)}" for name, value in lines if value)
    texts = [("prompt", task["prompt"]), ("reasoning", task["reasoning"]), ("result", task["result"])]
    return "\n\n".join([head, *(f"{name}\n{text}" for name, text in texts if text)])


def _attempt(attempt: Attempt) -> str:
    said = attempt["error"] or attempt["finish_reason"]
    took = "" if attempt["latency_ms"] is None else f"{attempt['latency_ms']:.0f} ms"
    return " ".join(part for part in (attempt["service"], attempt["model"], attempt["status"], took, said) if part)

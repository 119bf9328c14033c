"""The command line. argparse, because it is there: a command that comes with a library should bring little along."""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn, get_args

from oxide_client.answers import Status, TaskType
from oxide_client.cli.exits import EXITS, Exit
from oxide_client.live import TOPICS
from oxide_client.version import __version__

DEFAULT_URL = "http://localhost:8000"


class UsageError(Exception):
    """The command line is wrong; the text says what to write instead."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(Exit.USAGE, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def parser() -> Parser:
    exits = "\n".join(f"  {exit_.value:<4} {meaning}" for exit_, meaning in EXITS.items())
    made = Parser(
        prog="oxide",
        description="Have tasks done by Oxide, find them again, and see what happens.",
        epilog=f"OXIDE_URL and OXIDE_TOKEN stand for --url and --token; NO_COLOR switches colour off.\n\n"
        f"exit status:\n{exits}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"oxide {__version__}")
    _add_common(made, url=os.environ.get("OXIDE_URL") or DEFAULT_URL, token=os.environ.get("OXIDE_TOKEN") or None)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    _add_run(commands)
    _add_ask(commands)
    _add_history(commands)
    _add_services(commands)
    _add_watch(commands)
    return made


def _add_common(parser: Parser, **defaults: str | None) -> None:
    """Before the command or behind it; behind it they have no defaults, which would win over what stood before."""
    unset = argparse.SUPPRESS
    parser.add_argument(
        "--url", default=defaults.get("url", unset), help=f"where Oxide is (OXIDE_URL, else {DEFAULT_URL})"
    )
    parser.add_argument(
        "--token",
        default=defaults.get("token", unset),
        help="access token or key for programs; others on this machine can see it here: better use OXIDE_TOKEN",
    )


_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def _command(commands: _Commands[Parser], name: str, summary: str) -> Parser:
    command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    _add_common(command)
    return command


def _add_task(command: Parser) -> None:
    command.add_argument(
        "prompt",
        nargs="?",
        help="what is to be done; what a pipe or a file brings to standard input is added after a blank line, and is "
        "the whole prompt without one or with -",
    )
    _add_type(command)
    command.add_argument("--service", help="a service by its name; left out, Oxide chooses")
    command.add_argument("--model", help="a model; left out, the rule's or the service's own")
    command.add_argument("--max-tokens", type=int, metavar="N", help="at most that long an answer")
    command.add_argument("--temperature", type=float, metavar="T", help="0 to 2")
    command.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="time for everything (default 630)")


def _add_type(command: Parser) -> None:
    types = get_args(TaskType)
    command.add_argument("--type", dest="task_type", choices=types, metavar="TYPE", help=", ".join(types))


def _add_run(commands: _Commands[Parser]) -> None:
    run = _command(commands, "run", "have a task done and print its answer")
    _add_task(run)
    run.add_argument("--json", action="store_true", help="print the whole answer as JSON")


def _add_ask(commands: _Commands[Parser]) -> None:
    ask = _command(commands, "ask", "have a task done and print its answer as it comes")
    _add_task(ask)
    ask.add_argument("--json", action="store_true", help="print each event as a line of JSON")


def _add_history(commands: _Commands[Parser]) -> None:
    history = _command(commands, "history", "list the tasks, the newest first, or show one")
    history.add_argument("id", nargs="?", help="show this task alone, with its attempts and its answer")
    history.add_argument("--limit", type=int, default=20, metavar="N", help="at most that many, 1 to 1000 (default 20)")
    history.add_argument("--status", choices=get_args(Status), metavar="STATUS", help=", ".join(get_args(Status)))
    history.add_argument("--service", help="what this service did")
    _add_type(history)
    history.add_argument("--search", metavar="TEXT", help="what has this in its prompt or its answer")
    history.add_argument("--json", action="store_true", help="print what Oxide answers as JSON")


def _add_services(commands: _Commands[Parser]) -> None:
    services = _command(commands, "services", "list the services and how they are")
    services.add_argument("--json", action="store_true", help="print what Oxide answers as JSON")


def _add_watch(commands: _Commands[Parser]) -> None:
    watch = _command(commands, "watch", "print what happens, a line for each event, until Ctrl-C")
    watch.add_argument("--topic", action="append", choices=TOPICS, help="only this; may be given several times")
    watch.add_argument("--task", action="append", default=[], metavar="ID", help="follow this task and its text, too")
    watch.add_argument("--json", action="store_true", help="print each event as a line of JSON")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return seconds

"""A command-line tool as a service: the prompt on its standard input, the answer from its standard output."""

from __future__ import annotations

import codecs
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Self, cast

from services.adapters.base import (
    Adapter,
    ChatRequest,
    Checked,
    ErrorKind,
    Finish,
    Message,
    Probe,
    ProviderError,
    Reply,
    StreamEvent,
    TextDelta,
)
from services.adapters.call import Call
from services.adapters.estimate import estimate

# Oxide's own, which no tool needs. The keys that the tool itself uses stay in its environment.
_OWN = re.compile(r"OXIDE_.*|DATABASE_URL|REDIS_URL")

# All that this process was started on, before it chose one of them for itself.
_PROCESSORS = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None

_CHUNK_BYTES = 65_536
_STDERR_BYTES = 8_000
_STDERR_CHARACTERS = 2_000

# There is no portable way to wait for a pipe and for a process at once, so it is looked at now
# and then whether the process has ended; quickly, once its pipes are closed and it must be about to.
_LOOK_SECONDS = 0.1
_LOOK_SOON_SECONDS = 0.005
# Children that outlive the program may still hold its output: what they write in this time counts.
_LINGER_SECONDS = 0.5
_SIGTERM_GRACE_SECONDS = 0.2
_REAP_SECONDS = 2.0


class CliAdapter(Adapter):
    """Runs the service's command once for each call, never through a shell.

    "{model}" in an argument stands for the model. A single user message goes to standard input as
    it is, a conversation as a transcript with a heading for each turn, system messages first. The
    answer is what the program writes to standard output, without the white space at its end; exit
    status 0 says that it is whole. What goes to standard error is quoted when the program fails.

    The program and whatever it started (its process group) end with the call, whichever way that
    ends. A program has no part for temperature, `max_tokens`, `stop` and `extra`: they are not
    passed on.

    It runs in "/": Oxide's own folder holds the database and keys, which are none of a tool's
    business, and in a shared temporary folder anybody could lay out settings for it to find.
    """

    def complete(self, request: ChatRequest, call: Call) -> Reply:
        return self._reply(request, "".join(self._answer(request, call)))

    def stream(self, request: ChatRequest, call: Call) -> Iterator[StreamEvent]:
        pieces: list[str] = []
        with closing(self._answer(request, call)) as answer:
            for piece in answer:
                pieces.append(piece)
                yield TextDelta(piece)
        reply = self._reply(request, "".join(pieces))
        yield Finish(reply.finish_reason, reply.usage, reply.model)

    def models(self, call: Call) -> list[str]:  # noqa: ARG002
        return []  # a program has no common way to list them

    def check(self, call: Call, probe: Probe = Probe()) -> Checked:  # noqa: ARG002, B008 - frozen
        """Look for the program, without running it: a run may cost money."""
        self._executable()
        return Checked()

    @property
    def _program(self) -> str:
        if not self.connection.command:
            raise ProviderError(
                ErrorKind.UNSUPPORTED,
                f"{self.connection.service} has no command. Give it one: the program and its arguments, as a list.",
            )
        return self.connection.command[0]

    def _answer(self, request: ChatRequest, call: Call) -> Generator[str, None, None]:
        """The answer in pieces, as it comes; the program is gone when the iterator ends or is closed."""
        self._refuse_features(request)
        pieces: list[str] = []
        try:
            with self._started(request, call) as program:
                with call.cancel.calling(program.terminate):
                    for piece in _trimmed(_decoded(self._output(program, call))):
                        pieces.append(piece)
                        yield piece
                self._ensure_success(program, answered=bool(pieces))
        except ProviderError as error:
            if pieces:
                error.partial = self._reply(request, "".join(pieces))
            raise

    def _refuse_features(self, request: ChatRequest) -> None:
        if request.features:
            wanted = ", ".join(sorted(request.features))
            raise ProviderError(
                ErrorKind.UNSUPPORTED,
                f"{self.connection.service} runs a program that takes only text, not {wanted}. Choose another service.",
            )

    def _started(self, request: ChatRequest, call: Call) -> _Program:
        # The program itself is never built from the model's name: a caller would choose what runs.
        argv = [self._program, *(self._argument(template, request.model) for template in self.connection.command[1:])]
        executable = self._executable()
        _ensure_going_on(call, self._program)
        try:
            return _Program(argv, executable, _prompt(request.messages).encode(errors="replace"))
        except (OSError, ValueError) as error:
            raise ProviderError(
                ErrorKind.CONNECT, f"{executable} could not be started ({error}). Try its command in a terminal."
            ) from error

    def _argument(self, template: str, model: str) -> str:
        if "{model}" not in template:
            return template
        if not model:
            raise ProviderError(
                ErrorKind.UNSUPPORTED,
                f"{self.connection.service} needs a model for its command. "
                'Name one in the request, set its default model, or take "{model}" out of the command.',
            )
        # The name comes from the caller and must not turn into an option of the program.
        if not model.isprintable() or (template.startswith("{model}") and model.startswith("-")):
            raise ProviderError(ErrorKind.BAD_REQUEST, f"{model!r} cannot be the name of a model. Use another.")
        return template.replace("{model}", model)

    def _executable(self) -> str:
        found = shutil.which(self._program)
        if found is None:
            raise ProviderError(
                ErrorKind.CONNECT,
                f"The program {self._program!r} of {self.connection.service} is not found on PATH, or may not be run. "
                "Install it, or give its full path in the command.",
            )
        return str(Path(found).absolute())  # the program starts in another folder

    def _output(self, program: _Program, call: Call) -> Iterator[bytes]:
        limit = self.connection.max_reply_bytes
        size = 0
        while not program.finished():
            _ensure_going_on(call, program.name)
            chunk = program.read(min(call.remaining, _LOOK_SECONDS))
            size += len(chunk)
            if size > limit:
                raise ProviderError(
                    ErrorKind.MALFORMED,
                    f"{program.name} wrote more than {limit} bytes and was stopped. "
                    "Ask for less, or raise OXIDE_MAX_REPLY_MB.",
                )
            yield chunk
        _ensure_not_cancelled(call)  # a program told to end may do so in good order

    def _ensure_success(self, program: _Program, *, answered: bool) -> None:
        program.end()
        if program.status == 0 and answered:
            return
        said = f"On standard error it said: {self.connection.without_key(program.stderr) or 'nothing'}"
        if program.status == 0:
            raise ProviderError(
                ErrorKind.MALFORMED,
                f"{program.name} ended well but wrote no answer to standard output. Check its arguments. {said}",
            )
        raise ProviderError(
            ErrorKind.SERVER, f"{program.name} {_ending(program.status)}. Try its command in a terminal. {said}"
        )

    def _reply(self, request: ChatRequest, text: str) -> Reply:
        return Reply(model=request.model or Path(self._program).name, text=text, usage=estimate(request, text))


class _Program:
    """A child process at the head of a process group of its own, fed and read without blocking.

    It is not reaped before `end`: until then its number, which is the group's too, cannot belong
    to anybody else, and signals reach nobody else.
    """

    def __init__(self, argv: list[str], executable: str, prompt: bytes) -> None:
        self.name = argv[0]
        self._prompt = memoryview(prompt)
        self._errors = b""
        self._linger_until: float | None = None
        self._process = subprocess.Popen(  # noqa: S603 - the operator's own command, without a shell
            argv,
            executable=executable,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env={name: value for name, value in os.environ.items() if not _OWN.fullmatch(name)},
            start_new_session=True,
        )
        if _PROCESSORS:
            with suppress(OSError):  # it has ended already
                os.sched_setaffinity(self._process.pid, _PROCESSORS)
        self._selector = selectors.PollSelector()
        self._open("stdin", self._process.stdin, selectors.EVENT_WRITE)
        self._open("stdout", self._process.stdout, selectors.EVENT_READ)
        self._open("stderr", self._process.stderr, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.end()

    @property
    def status(self) -> int:
        """Once ended: its exit status, or the negative number of the signal that ended it."""
        return self._process.returncode

    @property
    def stderr(self) -> str:
        return self._errors.decode(errors="replace").strip()[-_STDERR_CHARACTERS:]

    def finished(self) -> bool:
        """Whether it has exited and either all its output was read or the rest is not worth waiting for."""
        if not self._has_exited():
            return False
        if self._linger_until is None:
            self._linger_until = time.monotonic() + _LINGER_SECONDS
        return not self._may_write() or time.monotonic() > self._linger_until

    def read(self, seconds: float) -> bytes:
        """What it wrote to standard output, waiting at most `seconds`; meanwhile it is fed its prompt."""
        output = b""
        for key, _ in self._selector.select(seconds if self._may_write() else _LOOK_SOON_SECONDS):
            if key.data == "stdin":
                self._write(key)
            elif key.data == "stdout":
                output = self._read(key)
            else:
                self._errors = (self._errors + self._read(key))[-_STDERR_BYTES:]
        return output

    def terminate(self) -> None:
        """Ask the whole group to end. Any thread may, before `end` is called."""
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """End whatever still runs of the group, and leave no zombie."""
        if self._process.returncode is None:
            self._kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def _kill(self) -> None:
        self._signal(signal.SIGTERM)
        until = time.monotonic() + _SIGTERM_GRACE_SECONDS
        while not self._has_exited() and time.monotonic() < until:
            time.sleep(_LOOK_SOON_SECONDS)
        self._signal(signal.SIGKILL)
        # A process that hangs in the kernel does not hold up this thread; `subprocess` reaps it later.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        # macOS answers EPERM for a group that has nothing but a zombie left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _has_exited(self) -> bool:
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _may_write(self) -> bool:
        return any(key.data != "stdin" for key in self._selector.get_map().values())

    def _open(self, name: str, pipe: IO[bytes] | None, event: int) -> None:
        if pipe:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, event, name)

    def _close(self, key: selectors.SelectorKey) -> None:
        self._selector.unregister(key.fileobj)
        cast("IO[bytes]", key.fileobj).close()

    def _read(self, key: selectors.SelectorKey) -> bytes:
        try:
            chunk = os.read(key.fd, _CHUNK_BYTES)
        except BlockingIOError:
            return b""
        if not chunk:
            self._close(key)
        return chunk

    def _write(self, key: selectors.SelectorKey) -> None:
        try:
            self._prompt = self._prompt[os.write(key.fd, self._prompt[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it reads no further, as it may
            self._prompt = self._prompt[:0]
        if not self._prompt:
            self._close(key)


def _prompt(messages: tuple[Message, ...]) -> str:
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].text
    system_first = sorted(messages, key=lambda message: message.role != "system")
    return "\n\n".join(f"{message.role.capitalize()}:\n{message.text}" for message in system_first if message.text)


def _decoded(chunks: Iterable[bytes]) -> Iterator[str]:
    """A character may be split between two chunks."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _trimmed(texts: Iterable[str]) -> Iterator[str]:
    """The same without the white space at its end, which is held back until more text follows."""
    held: list[str] = []
    for text in texts:
        body = text.rstrip()
        if body:
            yield "".join([*held, body])
            held = []
        held.append(text[len(body) :])


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by signal {-status} ({signal.strsignal(-status)})"
    return f"ended with exit status {status}"


def _ensure_going_on(call: Call, program: str) -> None:
    _ensure_not_cancelled(call)
    if not call.remaining:
        raise ProviderError(
            ErrorKind.TIMEOUT,
            f"{program} did not answer in time and was stopped. Raise the timeout, or choose a quicker model.",
        )


def _ensure_not_cancelled(call: Call) -> None:
    if call.cancel.cancelled:
        raise ProviderError(ErrorKind.CANCELLED, "The call was cancelled.")

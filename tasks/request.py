"""What a caller asks for, whatever dialect it was asked in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from routing.task_types import TaskType
from services.adapters.base import ChatRequest, EmbeddingRequest


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """One task. `service` is a name, or empty where Oxide is to choose; so are `task_type` and `chat.model`.

    `client` is the name of who asks, and `caller` whose task it is (`apikeys.identity.Identity`). With `embedding`,
    texts are to be turned into vectors, and `chat` only tells them for whoever chooses and records.
    """

    chat: ChatRequest
    task_type: TaskType | None = None
    service: str = ""
    timeout_seconds: float | None = None
    client: str = ""
    caller: str = ""
    embedding: EmbeddingRequest | None = None

    @property
    def prompt(self) -> str:
        """The last thing the user said: what the task is about."""
        return next((m.text for m in reversed(self.chat.messages) if m.role == "user"), "")

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything that was asked besides the messages, as it is kept with the task."""
        chat = self.chat
        asked = {
            "max_tokens": chat.max_tokens,
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "top_k": chat.top_k,
            "seed": chat.seed,
            "effort": chat.effort,
            "stop": list(chat.stop),
            "tools": [tool.name for tool in chat.tools],
            "tool_choice": chat.tool_choice,
            "json_schema": chat.json_schema.name if chat.json_schema else None,
            "timeout_seconds": self.timeout_seconds,
            "embeddings": len(self.embedding.inputs) if self.embedding else None,
            "extra": dict(chat.extra),
        }
        return {name: value for name, value in asked.items() if value not in (None, "", [], {})}

    @property
    def is_conversation(self) -> bool:
        """Whether there is more to it than one user message of plain text."""
        messages = self.chat.messages
        return len(messages) != 1 or messages[0].role != "user" or bool(messages[0].attachments)

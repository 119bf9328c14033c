"""A conversation as it is kept with a task: plain JSON, without the weight of its images."""

from __future__ import annotations

from typing import Any

from services.adapters.base import FilePart, ImagePart, Message, Part


def kept(message: Message) -> dict[str, Any]:
    """One message, in the shape that `GET /api/tasks/{id}/` shows."""
    record: dict[str, Any] = {"role": message.role, "content": [_kept_part(part) for part in message.parts]}
    if message.tool_calls:
        record["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls
        ]
    if message.tool_call_id:
        record["tool_call_id"] = message.tool_call_id
    return record


def _kept_part(part: Part) -> dict[str, Any]:
    if isinstance(part, ImagePart):
        # The picture itself would make the history heavier than everything else in it.
        return {"type": "image", "url": part.url, "media_type": part.media_type, "base64_length": len(part.data)}
    if isinstance(part, FilePart):
        return {
            "type": "file",
            "name": part.name,
            "url": part.url,
            "media_type": part.media_type,
            "base64_length": len(part.data),
            "text": part.text,
        }
    return {"type": "text", "text": part.text}

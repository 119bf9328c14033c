"""What the models behind a reader's Oxide do: what was asked of them, as real ones would."""

from __future__ import annotations

from typing import Any

from tests.fake_provider import FakeProvider, Tokens

# A provider that names what it charged. The others say only how many tokens there were.
CHARGING = "openrouter"


def play(provider: FakeProvider, command: str) -> None:
    """Make ready for a command."""
    answer = _answer_to(command)
    provider.say(**answer)
    provider.say(CHARGING, tokens=Tokens(cost=0.000261), **answer)
    # What runs in the background is there to be followed, which takes a reader a moment.
    provider.pace(0.3 if '"background": true' in command else 0)
    # Somebody who allows no more than half a second wants to see the time run out.
    if '"timeout_seconds": 0.5' in command:
        provider.misbehave("slow", seconds=3, times=1)


def _answer_to(command: str) -> dict[str, Any]:
    if '"tools"' in command and '"role": "tool"' not in command:
        return {"text": "", "tool_calls": (("get_weather", {"city": "Oslo"}),)}
    if '"role": "tool"' in command:
        return {"text": "It is raining in Oslo."}
    if '"json_schema"' in command:
        return {"text": '{"city": "Oslo", "country": "Norway"}'}
    return {}

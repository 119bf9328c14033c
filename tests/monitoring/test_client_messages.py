from __future__ import annotations

import pytest

from monitoring.client_messages import Auth, MessageError, Ping, Subscription, parse
from monitoring.news import Topic

TASK = "01a2060f-e649-74fb-aca1-e65a7bc908e4"


@pytest.mark.parametrize("text", ["ping", " ping\n", '{"type":"ping"}', '{"type": "ping", "id": 7}'])
def test_a_ping_is_the_bare_word_or_an_object(text: str) -> None:
    assert parse(text) == Ping()


def test_a_token_is_taken_as_it_is() -> None:
    assert parse('{"type": "auth", "token": "ox-1.2"}') == Auth("ox-1.2")


def test_subscriptions_name_topics_or_a_task_or_both() -> None:
    assert parse('{"type": "subscribe", "topics": ["tasks", "metrics"]}') == Subscription(
        wanted=True, topics=frozenset({Topic.TASKS, Topic.METRICS})
    )
    assert parse(f'{{"type": "unsubscribe", "topics": ["services"], "task_id": "{TASK.upper()}"}}') == Subscription(
        wanted=False, topics=frozenset({Topic.SERVICES}), task_id=TASK
    )


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("pong", "ping"),
        ("", "ping"),
        ("null", "object"),
        ("[1]", "object"),
        ("{}", "subscribe"),
        ('{"type": 5}', "subscribe"),
        ('{"type": ["ping"]}', "subscribe"),
        ('{"type": "shout"}', "subscribe"),
        ('{"type": "auth"}', "token"),
        ('{"type": "auth", "token": ""}', "token"),
        ('{"type": "auth", "token": 5}', "token"),
        ('{"type": "subscribe"}', "task_id"),
        ('{"type": "subscribe", "topics": "tasks"}', "services"),
        ('{"type": "subscribe", "topics": ["text"]}', "services"),
        ('{"type": "subscribe", "topics": [["tasks"], {}, 1]}', "services"),
        ('{"type": "subscribe", "task_id": "abc"}', "execute"),
        ('{"type": "subscribe", "task_id": 5}', "execute"),
        ('{"type": "subscribe", "task_id": ["x"]}', "execute"),
        ("[" * 20_000, "ping"),
        ('{"type": "\\ud800"}', "ping"),
        ('{"type": NaN}', "ping"),
    ],
)
def test_anything_else_is_refused_with_what_to_send_instead(text: str, advice: str) -> None:
    with pytest.raises(MessageError, match=advice):
        parse(text)

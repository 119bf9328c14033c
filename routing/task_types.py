from __future__ import annotations

import enum


class TaskType(enum.StrEnum):
    """What a task asks for: the eight types of the public contract."""

    QUESTION_ANSWER = "question_answer"
    SUMMARIZATION = "summarization"
    CODE_GENERATION = "code_generation"
    CREATIVE_WRITING = "creative_writing"
    TRANSLATION = "translation"
    ANALYSIS = "analysis"
    CHAT = "chat"
    GENERAL = "general"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()


CHOICES = [(task_type.value, task_type.label) for task_type in TaskType]

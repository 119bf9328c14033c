"""What Gemini counts: https://ai.google.dev/api/generate-content#UsageMetadata"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from services.adapters.base import Usage
from services.adapters.usage import Raw, count

# Documents are charged like pictures: https://ai.google.dev/gemini-api/docs/document-processing
_KINDS: Final = {"AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image", "VIDEO": "video"}
_DETAILS: Final = {
    "promptTokensDetails": "input",
    "toolUsePromptTokensDetails": "input",
    "cacheTokensDetails": "cached",
    "candidatesTokensDetails": "output",
    "responseTokensDetails": "output",
}
# https://ai.google.dev/gemini-api/docs/optimization and, for Vertex AI,
# https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse#TrafficType
_TIERS: Final = frozenset({"flex", "priority", "provisioned_throughput"})
_SEARCHES: Final = "webSearchQueries"


def gemini_usage(raw: Raw) -> Usage | None:
    """The usage in an answer, or in the events of a stream taken together; None where nothing was counted."""
    prompt = count(raw.get("promptTokenCount")) + count(raw.get("toolUsePromptTokenCount"))
    answer = count(raw.get("candidatesTokenCount")) or count(raw.get("responseTokenCount"))
    thoughts, total = count(raw.get("thoughtsTokenCount")), count(raw.get("totalTokenCount"))
    if not answer and total > prompt + thoughts:
        answer = total - prompt - thoughts
    searches = count(raw.get(_SEARCHES))
    # Thoughts are counted beside the answer: https://ai.google.dev/gemini-api/docs/thinking#pricing
    # Servers that only imitate the protocol may count them within, which the total tells.
    is_within = thoughts <= answer and total == prompt + answer
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=answer if is_within else answer + thoughts,
        cached_tokens=count(raw.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
        searches=searches,
        # Some searches a day are free, so that the fee is at most this.
        terms=_terms(raw) + ((("billing", "free_allowance"),) if searches else ()),
        modalities=_modalities(raw),
    )
    return usage if usage.total_tokens else None


def with_searches(raw: Any, grounding: Any, model: str | None) -> dict[str, Any]:
    """The usage of an answer with the number of web searches that it rests on, which stands elsewhere.

    Up to version 2.5 each prompt that searches costs once, later each query does:
    https://ai.google.dev/gemini-api/docs/google-search#pricing
    """
    usage = raw if isinstance(raw, dict) else {}
    queries = grounding.get("webSearchQueries") if isinstance(grounding, dict) else None
    searches = sum(map(bool, queries)) if isinstance(queries, list) else 0
    by_prompt = (model or "").startswith(("gemini-1", "gemini-2"))
    return {**usage, _SEARCHES: min(1, searches) if by_prompt else searches}


def _terms(raw: Raw) -> tuple[tuple[str, str], ...]:
    name = raw.get("serviceTier") or raw.get("trafficType")
    tier = name.lower().removeprefix("service_tier_").removeprefix("on_demand_") if isinstance(name, str) else ""
    return (("service_tier", tier),) if tier in _TIERS else ()


def _modalities(raw: Raw) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for name, side in _DETAILS.items():
        details: Any = raw.get(name)
        for each in details if isinstance(details, list) else ():
            kind = _KINDS.get(str(each.get("modality"))) if isinstance(each, dict) else None
            if kind and (tokens := count(each.get("tokenCount"))):
                found[f"{side}_{kind}"] += tokens
    return tuple(sorted(found.items()))

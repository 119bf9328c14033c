"""What servers of OpenAI's protocol count: each has its own names and its own arithmetic.

docs/costs.md has the table of vendors.
"""

from __future__ import annotations

from typing import Any, Final

from services.adapters.base import Usage
from services.adapters.charged import charged
from services.adapters.usage import Raw, count, first_count, flat

_PROMPT: Final[tuple[str, ...]] = ("prompt_tokens", "input_tokens")
_COMPLETION: Final[tuple[str, ...]] = ("completion_tokens", "output_tokens")
_CACHED: Final[tuple[str, ...]] = (
    "prompt_tokens_details.cached_tokens",  # OpenAI and most others
    "input_tokens_details.cached_tokens",
    "cached_tokens",  # https://platform.kimi.ai/docs/api/chat, https://docs.together.ai/docs/prompt-caching
    "prompt_cache_hit_tokens",  # https://api-docs.deepseek.com/guides/kv_cache
    "cache_read_input_tokens",  # https://docs.litellm.ai/docs/completion/prompt_caching
    "prompt_tokens_details.cache_read_input_tokens",
    "cached_prompt_text_tokens",  # older answers of xAI
    "num_cached_tokens",  # https://docs.mistral.ai/api
)
_CACHE_WRITES: Final[tuple[str, ...]] = (
    "prompt_tokens_details.cache_write_tokens",  # OpenAI, OpenRouter
    "input_tokens_details.cache_write_tokens",
    "prompt_tokens_details.cache_creation_tokens",  # LiteLLM
    "prompt_tokens_details.cached_creation_tokens",  # New API
    # https://www.alibabacloud.com/help/en/model-studio/context-cache
    "prompt_tokens_details.cache_creation_input_tokens",
    "cache_creation_input_tokens",  # LiteLLM
)
_ONE_HOUR_WRITES: Final[tuple[str, ...]] = (
    "cache_creation.ephemeral_1h_input_tokens",
    "prompt_tokens_details.cache_creation.ephemeral_1h_input_tokens",
    "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",  # LiteLLM
    "claude_cache_creation_1_h_tokens",  # New API
)
_REASONING: Final[tuple[str, ...]] = (
    "completion_tokens_details.reasoning_tokens",
    "output_tokens_details.reasoning_tokens",
    "reasoning_tokens",  # Perplexity, Databricks
)
_SEARCHES: Final[tuple[str, ...]] = (
    "server_tool_use.web_search_requests",
    "num_sources_used",  # xAI
    "num_search_queries",  # https://docs.perplexity.ai/docs/getting-started/pricing
)
_MODALITIES: Final[tuple[tuple[str, str], ...]] = (
    ("input_audio", "prompt_tokens_details.audio_tokens"),
    ("output_audio", "completion_tokens_details.audio_tokens"),
    ("output_image", "completion_tokens_details.image_tokens"),
)
# Vendors that count reasoning beside the answer, and do not always say so by their total.
# https://docs.x.ai/developers/rate-limits, https://docs.perplexity.ai/docs/getting-started/pricing
_REASONING_BESIDE: Final = ("api.x.ai", "api.perplexity.ai")
# Tiers at the usual price, Groq's "flex" among them: https://console.groq.com/docs/flex-processing
_USUAL_TIERS: Final = frozenset({"", "default", "auto", "standard", "on_demand"})


def openai_usage(raw: Raw, base_url: str = "") -> Usage | None:
    """The usage object of an answer; None where it counts nothing.

    `base_url` tells the vendor where the counts alone do not tell how they are to be read.
    """
    named = flat(raw)
    tokens = _Tokens(named, base_url)
    cost = charged(raw)
    usage = Usage(
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        cached_tokens=tokens.cached,
        cache_write_tokens=tokens.written,
        cache_write_1h_tokens=tokens.written_1h,
        reasoning_tokens=tokens.reasoning,
        searches=first_count(named, _SEARCHES),
        cost=cost.cost,
        estimated_cost=cost.estimated,
        terms=_tier(named.get("service_tier"), base_url) + cost.terms,
        modalities=tuple((kind, count(named[name])) for kind, name in _MODALITIES if name in named),
    )
    return usage if usage.total_tokens or usage.cost else None


class _Tokens:
    """The counts in one convention: the prompt includes what its cache had, the completion its reasoning."""

    def __init__(self, named: Raw, base_url: str) -> None:
        self.prompt = first_count(named, _PROMPT)
        self.completion = first_count(named, _COMPLETION)
        self.cached = first_count(named, _CACHED)
        self.written_1h = first_count(named, _ONE_HOUR_WRITES)
        self.written = max(first_count(named, _CACHE_WRITES), self.written_1h)
        self.reasoning = first_count(named, _REASONING)
        total = count(named.get("total_tokens"))
        # What the total has beyond the two sums, or None where there is no total to go by: one that is smaller than
        # they are is from an earlier event of a stream.
        beyond = total - self.prompt - self.completion
        self._beyond = beyond if total and beyond >= 0 else None
        self._include_reasoning(base_url)
        self._include_cache()
        self._include_rest()

    def _include_reasoning(self, base_url: str) -> None:
        if not self.reasoning:
            return
        by_total = self._beyond is not None and self._beyond in (self.reasoning, self.reasoning + self._of_cache)
        by_vendor = not self._beyond and _counts_reasoning_beside(base_url, has_total=self._beyond is not None)
        if self.reasoning > self.completion or by_total or by_vendor:
            self.completion += self.reasoning
            self._explain(self.reasoning)

    def _include_cache(self) -> None:
        # Some servers leave cached tokens out of the prompt's, as Anthropic's own protocol does.
        if self._of_cache and (self._of_cache > self.prompt or self._beyond == self._of_cache):
            self.prompt += self._of_cache
            self._explain(self._of_cache)

    def _include_rest(self) -> None:
        """A total that has more than the parts counts thinking that no field names.

        So do servers that translate Gemini's answers: https://github.com/mozilla-ai/any-llm/issues/1290. Where one of
        the two sums is missing, the total has it.
        """
        rest = self._beyond or 0
        if not self.prompt and not self.completion:
            self.prompt = rest
        elif rest:
            self.reasoning = self.reasoning or (rest if self.completion else 0)
            self.completion += rest

    def _explain(self, tokens: int) -> None:
        if self._beyond is not None:
            self._beyond = max(0, self._beyond - tokens)

    @property
    def _of_cache(self) -> int:
        return self.cached + self.written


def _counts_reasoning_beside(base_url: str, *, has_total: bool) -> bool:
    # Perplexity's total leaves reasoning out though it is charged; xAI's includes it.
    return _REASONING_BESIDE[1] in base_url or (not has_total and _REASONING_BESIDE[0] in base_url)


def _tier(tier: Any, base_url: str) -> tuple[tuple[str, str], ...]:
    word = tier.lower() if isinstance(tier, str) else ""
    if word in _USUAL_TIERS or (word == "flex" and "groq.com" in base_url):
        return ()
    return (("processing", "batch"),) if word == "batch" else (("service_tier", word),)

"""Answers of vendors, as they document them, with the arithmetic that they document.

`price` is in US dollars a million tokens, which is a thousand nano-dollars a token: `bill` multiplies exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.prices import CostBasis, PriceOverride


@dataclass(frozen=True)
class Row:
    """One answer of one vendor. `tokens` are the meters of `Usage` that must come out, `nanodollars` the price.

    `chunks` are the usage parts of the same answer as a stream, where that is not just the same object at its end.
    """

    name: str
    source: str
    api: str
    base_url: str
    model: str
    answer: Mapping[str, Any]
    tokens: Mapping[str, int]
    nanodollars: int | None
    basis: CostBasis = CostBasis.COMPUTED
    chunks: Sequence[Mapping[str, Any]] = ()
    override: PriceOverride | None = None

    def __str__(self) -> str:
        return self.name


def bill(*parts: tuple[int, str]) -> int:
    """Tokens, each with its price in dollars a million, in nano-dollars."""
    total = sum((tokens * Decimal(price) * 1000 for tokens, price in parts), Decimal(0))
    assert total == int(total)
    return int(total)


def usage_of(prompt: int, completion: int, cached: int = 0, reasoning: int = 0, **more: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "cached_tokens": cached,
        "reasoning_tokens": reasoning,
        **more,
    }


def openai(usage: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"usage": usage, **more}


def _openai_usage(prompt: int, completion: int, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"
GEMINI = "https://generativelanguage.googleapis.com"
CLAUDE_CACHE = "https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing"

_OF_OPENAI = [
    Row(
        name="OpenAI: cached tokens are part of the prompt, reasoning is part of the completion",
        source="https://developers.openai.com/api/docs/guides/prompt-caching",
        api="openai",
        base_url=OPENAI,
        model="gpt-5",
        answer=openai(_openai_usage(2006, 300, cached=1920, reasoning=192), service_tier="default"),
        tokens=usage_of(2006, 300, cached=1920, reasoning=192),
        nanodollars=bill((86, "1.25"), (1920, "0.125"), (300, "10")),
    ),
    Row(
        name="OpenAI: the flex tier costs half",
        source="https://developers.openai.com/api/docs/guides/flex-processing",
        api="openai",
        base_url=OPENAI,
        model="gpt-5",
        answer=openai(_openai_usage(1000, 100, cached=400), service_tier="flex"),
        tokens=usage_of(1000, 100, cached=400),
        nanodollars=bill((600, "0.625"), (400, "0.0625"), (100, "5")),
    ),
    Row(
        name="OpenAI: the priority tier has prices of its own",
        source="https://openai.com/api-priority-processing/",
        api="openai",
        base_url=OPENAI,
        model="gpt-4o",
        answer=openai(_openai_usage(1000, 100, cached=400), service_tier="priority"),
        tokens=usage_of(1000, 100, cached=400),
        nanodollars=bill((600, "4.25"), (400, "2.125"), (100, "17")),
    ),
    Row(
        name="OpenAI: a tier at a price that depends on the model is an estimate where the list leaves it out",
        source="https://openai.com/api-priority-processing/",
        api="openai",
        base_url=OPENAI,
        model="gpt-3.5-turbo",
        answer=openai(_openai_usage(1000, 100), service_tier="priority"),
        tokens=usage_of(1000, 100),
        nanodollars=bill((1000, "1"), (100, "3")),
        basis=CostBasis.ESTIMATED,
    ),
    Row(
        name="OpenAI: beyond 272,000 tokens the whole request costs more",
        source="https://developers.openai.com/api/docs/models/gpt-5.4",
        api="openai",
        base_url=OPENAI,
        model="gpt-5.4",
        answer=openai(_openai_usage(300_000, 1000, cached=100_000)),
        tokens=usage_of(300_000, 1000, cached=100_000),
        nanodollars=bill((200_000, "5"), (100_000, "0.5"), (1000, "22.5")),
    ),
    Row(
        name="OpenAI: audio has prices of its own",
        source="https://developers.openai.com/api/docs/pricing",
        api="openai",
        base_url=OPENAI,
        model="gpt-audio",
        answer=openai(
            {
                "prompt_tokens": 150,
                "completion_tokens": 260,
                "total_tokens": 410,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 110},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 200},
            }
        ),
        tokens=usage_of(150, 260),
        nanodollars=bill((40, "2.5"), (110, "32"), (60, "10"), (200, "64")),
    ),
    Row(
        name="OpenAI: the fee of a model that searches for every answer is not in the list",
        source="https://developers.openai.com/api/docs/guides/tools-web-search",
        api="openai",
        base_url=OPENAI,
        model="gpt-4o-search-preview",
        answer=openai(_openai_usage(1000, 100)),
        tokens=usage_of(1000, 100),
        nanodollars=bill((1000, "2.5"), (100, "10")),
        basis=CostBasis.ESTIMATED,
    ),
    Row(
        name="Azure OpenAI: the same counts at Azure's address",
        source="https://learn.microsoft.com/azure/ai-foundry/openai/how-to/prompt-caching",
        api="openai",
        base_url="https://mine.openai.azure.com/openai/v1",
        model="gpt-5",
        answer=openai(_openai_usage(1408, 50, cached=1280)),
        tokens=usage_of(1408, 50, cached=1280),
        nanodollars=bill((128, "1.25"), (1280, "0.125"), (50, "10")),
    ),
]

_CLAUDE_HOUR = {
    "input_tokens": 50,
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 556,
    "cache_creation": {"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 503,
    "service_tier": "standard",
    "inference_geo": "not_available",
}
_OF_ANTHROPIC = [
    Row(
        name="Anthropic: a write for five minutes costs 1.25 times, one for an hour twice the input",
        source=CLAUDE_CACHE,
        api="anthropic",
        base_url=ANTHROPIC,
        model="claude-sonnet-4-5",
        answer={"usage": _CLAUDE_HOUR},
        tokens=usage_of(1606, 503, cached=1000, cache_write_tokens=556, cache_write_1h_tokens=100),
        nanodollars=bill((50, "3"), (1000, "0.3"), (456, "3.75"), (100, "6"), (503, "15")),
        chunks=[
            {"type": "message_start", "message": {"content": [], "usage": {**_CLAUDE_HOUR, "output_tokens": 1}}},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {
                    "input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "cache_creation_input_tokens": None,
                    "output_tokens": 503,
                },
            },
        ],
    ),
    Row(
        name="Anthropic: a web search has a fee",
        source="https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool#usage-and-pricing",
        api="anthropic",
        base_url=ANTHROPIC,
        model="claude-sonnet-4-5",
        answer={"usage": {"input_tokens": 105, "output_tokens": 6039, "server_tool_use": {"web_search_requests": 3}}},
        tokens=usage_of(105, 6039, searches=3),
        nanodollars=bill((105, "3"), (6039, "15")) + 3 * 10_000_000,
    ),
    Row(
        name="Anthropic: a batch costs half",
        source="https://platform.claude.com/docs/en/build-with-claude/batch-processing#pricing",
        api="anthropic",
        base_url=ANTHROPIC,
        model="claude-sonnet-4-5",
        answer={"usage": {**_CLAUDE_HOUR, "service_tier": "batch"}},
        tokens=usage_of(1606, 503, cached=1000, cache_write_tokens=556, cache_write_1h_tokens=100),
        nanodollars=bill((50, "1.5"), (1000, "0.15"), (456, "1.875"), (100, "3"), (503, "7.5")),
    ),
    Row(
        name="Anthropic: what is bound to the US costs 1.1 times, a search does not",
        source="https://platform.claude.com/docs/en/about-claude/pricing#data-residency-pricing",
        api="anthropic",
        base_url=ANTHROPIC,
        model="claude-opus-4-6",
        answer={
            "usage": {
                "input_tokens": 1000,
                "output_tokens": 100,
                "inference_geo": "us",
                "server_tool_use": {"web_search_requests": 1},
            }
        },
        tokens=usage_of(1000, 100, searches=1),
        nanodollars=bill((1000, "5.5"), (100, "27.5")) + 10_000_000,
    ),
    Row(
        name="Anthropic: fast mode has prices of its own",
        source="https://platform.claude.com/docs/en/build-with-claude/fast-mode",
        api="anthropic",
        base_url=ANTHROPIC,
        model="claude-opus-4-8",
        answer={"usage": {"input_tokens": 1000, "cache_read_input_tokens": 500, "output_tokens": 100, "speed": "fast"}},
        tokens=usage_of(1500, 100, cached=500),
        nanodollars=bill((1000, "10"), (500, "1"), (100, "50")),
    ),
    Row(
        name="Anthropic: compaction is charged beside the message",
        source="https://platform.claude.com/docs/en/build-with-claude/compaction-threshold",
        api="anthropic",
        base_url=ANTHROPIC,
        model="claude-opus-4-6",
        answer={
            "usage": {
                "input_tokens": 23_000,
                "output_tokens": 1000,
                "iterations": [
                    {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3500},
                    {"type": "message", "input_tokens": 23_000, "output_tokens": 1000},
                ],
            }
        },
        tokens=usage_of(203_000, 4500),
        nanodollars=bill((203_000, "5"), (4500, "25")),
    ),
    Row(
        name="Anthropic: what a commitment pays for has no listed price",
        source="https://platform.claude.com/docs/en/api/service-tiers",
        api="anthropic",
        base_url=ANTHROPIC,
        model="claude-sonnet-4-5",
        answer={"usage": {"input_tokens": 410, "output_tokens": 585, "service_tier": "priority"}},
        tokens=usage_of(410, 585),
        nanodollars=bill((410, "3"), (585, "15")),
        basis=CostBasis.ESTIMATED,
    ),
]

_OF_GOOGLE = [
    Row(
        name="Gemini: thoughts are beside the answer, results of tools beside the prompt",
        source="https://ai.google.dev/gemini-api/docs/thinking#pricing",
        api="gemini",
        base_url=GEMINI,
        model="gemini-2.5-flash",
        answer={
            "usageMetadata": {
                "promptTokenCount": 1200,
                "cachedContentTokenCount": 1024,
                "candidatesTokenCount": 80,
                "thoughtsTokenCount": 900,
                "toolUsePromptTokenCount": 50,
                "totalTokenCount": 2230,
            }
        },
        tokens=usage_of(1250, 980, cached=1024, reasoning=900),
        nanodollars=bill((226, "0.3"), (1024, "0.03"), (980, "2.5")),
        chunks=[
            {"usageMetadata": {"promptTokenCount": 1200, "thoughtsTokenCount": 900, "totalTokenCount": 2100}},
            {
                "usageMetadata": {
                    "promptTokenCount": 1200,
                    "cachedContentTokenCount": 1024,
                    "candidatesTokenCount": 80,
                    "toolUsePromptTokenCount": 50,
                    "totalTokenCount": 2230,
                }
            },
            {"usageMetadata": {"promptTokenCount": 1200, "totalTokenCount": 1200}},
        ],
    ),
    Row(
        name="Gemini: audio in the prompt has a price of its own",
        source="https://ai.google.dev/gemini-api/docs/pricing#gemini-2.5-flash",
        api="gemini",
        base_url=GEMINI,
        model="gemini-2.5-flash",
        answer={
            "usageMetadata": {
                "promptTokenCount": 1000,
                "candidatesTokenCount": 10,
                "totalTokenCount": 1010,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 40},
                    {"modality": "AUDIO", "tokenCount": 960},
                ],
            }
        },
        tokens=usage_of(1000, 10),
        nanodollars=bill((40, "0.3"), (960, "1"), (10, "2.5")),
    ),
    Row(
        name="Gemini: a picture in the answer has a price of its own",
        source="https://ai.google.dev/gemini-api/docs/pricing#gemini-2.5-flash-image",
        api="gemini",
        base_url=GEMINI,
        model="gemini-2.5-flash-image",
        answer={
            "usageMetadata": {
                "promptTokenCount": 20,
                "candidatesTokenCount": 1300,
                "totalTokenCount": 1320,
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
            }
        },
        tokens=usage_of(20, 1300),
        nanodollars=bill((20, "0.3"), (10, "2.5"), (1290, "30")),
    ),
    Row(
        name="Gemini: a prompt that searches the web has a fee, but for those that are free",
        source="https://ai.google.dev/gemini-api/docs/google-search#pricing",
        api="gemini",
        base_url=GEMINI,
        model="gemini-2.5-flash",
        answer={
            "candidates": [
                {
                    "content": {"parts": [{"text": "Hi"}]},
                    "finishReason": "STOP",
                    "groundingMetadata": {"webSearchQueries": ["euro 2024 winner", "euro 2024 final"]},
                }
            ],
            "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 10, "totalTokenCount": 110},
            "modelVersion": "gemini-2.5-flash",
        },
        tokens=usage_of(100, 10, searches=1),
        nanodollars=bill((100, "0.3"), (10, "2.5")) + 35_000_000,
        basis=CostBasis.ESTIMATED,
    ),
    Row(
        name="Gemini: the flex tier costs half",
        source="https://ai.google.dev/gemini-api/docs/optimization",
        api="gemini",
        base_url=GEMINI,
        model="gemini-2.5-flash",
        answer={
            "usageMetadata": {
                "promptTokenCount": 100,
                "candidatesTokenCount": 10,
                "totalTokenCount": 110,
                "serviceTier": "SERVICE_TIER_FLEX",
            }
        },
        tokens=usage_of(100, 10),
        nanodollars=bill((100, "0.15"), (10, "1.25")),
    ),
    Row(
        name="Gemini by OpenAI's protocol: thinking shows in the total alone",
        source="https://github.com/mozilla-ai/any-llm/issues/1290",
        api="openai",
        base_url=f"{GEMINI}/v1beta/openai",
        model="gemini-2.5-flash",
        answer=openai({"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}),
        tokens=usage_of(20, 603, reasoning=405),
        nanodollars=bill((20, "0.3"), (603, "2.5")),
    ),
]

_XAI = {
    "prompt_tokens": 100,
    "completion_tokens": 300,
    "total_tokens": 2400,
    "prompt_tokens_details": {"text_tokens": 100, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 2000, "audio_tokens": 0},
    "num_sources_used": 0,
}
_MOONSHOT = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020, "cached_tokens": 900}
_OPENROUTER = {**_openai_usage(194, 2), "cost": 0.00014, "cost_details": {"upstream_inference_cost": 0.00014}}
_OF_OTHERS = [
    Row(
        name="xAI: reasoning is beside the completion, and in the total",
        source="https://docs.x.ai/developers/rate-limits",
        api="openai",
        base_url="https://api.x.ai/v1",
        model="grok-3-mini",
        answer=openai(_XAI),
        tokens=usage_of(100, 2300, cached=60, reasoning=2000),
        nanodollars=bill((40, "0.3"), (60, "0.075"), (2300, "0.5")),
        chunks=[
            {"usage": {**_XAI, "completion_tokens": 1, "total_tokens": 101, "completion_tokens_details": {}}},
            {"usage": {**_XAI, "completion_tokens": 300}},
        ],
    ),
    Row(
        name="xAI: the vendor says what it charged",
        source="https://docs.x.ai/developers/cost-tracking",
        api="openai",
        base_url="https://api.x.ai/v1",
        model="grok-3-mini",
        answer=openai({**_XAI, "cost_in_usd_ticks": 37_756_000}),
        tokens=usage_of(100, 2300, cached=60, reasoning=2000),
        nanodollars=3_775_600,
        basis=CostBasis.REPORTED,
    ),
    Row(
        name="xAI: sources that were searched have a fee, which only the vendor's own figure has",
        source="https://docs.x.ai/developers/cost-tracking",
        api="openai",
        base_url="https://api.x.ai/v1",
        model="grok-3-mini",
        answer=openai({**_XAI, "num_sources_used": 4}),
        tokens=usage_of(100, 2300, cached=60, reasoning=2000, searches=4),
        nanodollars=bill((40, "0.3"), (60, "0.075"), (2300, "0.5")),
        basis=CostBasis.ESTIMATED,
    ),
    Row(
        name="DeepSeek: hits and misses of its cache add up to the prompt",
        source="https://api-docs.deepseek.com/guides/kv_cache",
        api="openai",
        base_url="https://api.deepseek.com",
        model="deepseek-chat",
        override=PriceOverride(Decimal("0.28"), Decimal("0.42"), Decimal("0.028")),
        answer=openai(
            {
                "prompt_tokens": 1000,
                "completion_tokens": 10,
                "total_tokens": 1010,
                "prompt_cache_hit_tokens": 900,
                "prompt_cache_miss_tokens": 100,
            }
        ),
        tokens=usage_of(1000, 10, cached=900),
        nanodollars=bill((100, "0.28"), (900, "0.028"), (10, "0.42")),
    ),
    Row(
        name="Moonshot: a stream counts in its last choice, and names cached tokens at the top",
        source="https://platform.kimi.ai/docs/api/chat",
        api="openai",
        base_url="https://api.moonshot.ai/v1",
        model="kimi-k2.5",
        answer=openai(_MOONSHOT),
        tokens=usage_of(1000, 20, cached=900),
        nanodollars=bill((100, "0.6"), (900, "0.1"), (20, "3")),
        chunks=[{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": _MOONSHOT}]}],
    ),
    Row(
        name="Groq: a stream counts in x_groq, and its flex tier costs what others do",
        source="https://console.groq.com/docs/flex-processing",
        api="openai",
        base_url="https://api.groq.com/openai/v1",
        model="openai/gpt-oss-120b",
        answer=openai({**_openai_usage(1000, 50, cached=512, reasoning=20), "queue_time": 0.04}, service_tier="flex"),
        tokens=usage_of(1000, 50, cached=512, reasoning=20),
        nanodollars=bill((488, "0.15"), (512, "0.075"), (50, "0.6")),
        chunks=[
            {"x_groq": {"id": "req_1"}, "service_tier": "flex"},
            {"x_groq": {"id": "req_1", "usage": _openai_usage(1000, 50, cached=512, reasoning=20)}},
        ],
    ),
    Row(
        name="OpenRouter: the cost is what the account was charged, the vendor's share within it",
        source="https://openrouter.ai/docs/use-cases/usage-accounting",
        api="openai",
        base_url="https://openrouter.ai/api/v1",
        model="openai/gpt-4o",
        answer=openai({**_OPENROUTER, "is_byok": False}),
        tokens=usage_of(194, 2),
        nanodollars=140_000,
        basis=CostBasis.REPORTED,
    ),
    Row(
        name="OpenRouter: with a key of one's own the vendor's share is beside the fee",
        source="https://openrouter.ai/docs/use-cases/byok",
        api="openai",
        base_url="https://openrouter.ai/api/v1",
        model="openai/gpt-4o",
        answer=openai(
            {
                **_openai_usage(1000, 10),
                "cost": 0.0002,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.0123},
            }
        ),
        tokens=usage_of(1000, 10),
        nanodollars=12_500_000,
        basis=CostBasis.REPORTED,
    ),
    Row(
        name="OpenRouter: with a key of one's own and no share named it is an estimate",
        source="https://openrouter.ai/docs/use-cases/byok",
        api="openai",
        base_url="https://openrouter.ai/api/v1",
        model="openai/gpt-4o",
        answer=openai({**_openai_usage(1000, 10), "cost": 0, "is_byok": True}),
        tokens=usage_of(1000, 10),
        nanodollars=bill((1000, "2.5"), (10, "10")),
        basis=CostBasis.ESTIMATED,
    ),
    Row(
        name="Perplexity: the cost is itemised, with a fee for the request",
        source="https://docs.perplexity.ai/docs/getting-started/pricing",
        api="openai",
        base_url="https://api.perplexity.ai",
        model="sonar-deep-research",
        answer=openai(
            {
                "prompt_tokens": 33,
                "completion_tokens": 7163,
                "total_tokens": 7196,
                "citation_tokens": 19_028,
                "num_search_queries": 18,
                "reasoning_tokens": 1000,
                "cost": {"input_tokens_cost": 0.000066, "output_tokens_cost": 0.057304, "total_cost": 0.186426},
            }
        ),
        tokens=usage_of(33, 8163, reasoning=1000, searches=18),
        nanodollars=186_426_000,
        basis=CostBasis.REPORTED,
    ),
    Row(
        name="DeepInfra: what the vendor only estimates is an estimate",
        source="https://deepinfra.com/docs/openai_api",
        api="openai",
        base_url="https://api.deepinfra.com/v1/openai",
        model="deepseek-ai/DeepSeek-V3.1",
        answer=openai({"prompt_tokens": 15, "completion_tokens": 16, "total_tokens": 31, "estimated_cost": 2.4e-06}),
        tokens=usage_of(15, 16),
        nanodollars=2_400,
        basis=CostBasis.ESTIMATED,
    ),
    Row(
        name="Mistral: the usual names, beside those for audio",
        source="https://docs.mistral.ai/api/endpoint/chat",
        api="openai",
        base_url="https://api.mistral.ai/v1",
        model="mistral-medium-latest",
        answer=openai(
            {
                "prompt_audio_seconds": None,
                "prompt_tokens": 500,
                "completion_tokens": 60,
                "total_tokens": 560,
                "prompt_tokens_details": {"cached_tokens": 256},
            }
        ),
        tokens=usage_of(500, 60, cached=256),
        nanodollars=bill((244, "1.5"), (256, "0.15"), (60, "7.5")),
    ),
    Row(
        name="Together: cached tokens at the top",
        source="https://docs.together.ai/docs/prompt-caching",
        api="openai",
        base_url="https://api.together.xyz/v1",
        model="moonshotai/Kimi-K2.5",
        override=PriceOverride(Decimal("0.5"), Decimal("2.8"), Decimal("0.1")),
        answer=openai({"prompt_tokens": 700, "completion_tokens": 30, "total_tokens": 730, "cached_tokens": 512}),
        tokens=usage_of(700, 30, cached=512),
        nanodollars=bill((188, "0.5"), (512, "0.1"), (30, "2.8")),
    ),
    Row(
        name="Fireworks: a stream counts in its last chunk with a choice",
        source="https://docs.fireworks.ai/guides/prompt-caching",
        api="openai",
        base_url="https://api.fireworks.ai/inference/v1",
        model="accounts/fireworks/models/kimi-k2p5",
        answer=openai(_openai_usage(2000, 100, cached=1500)),
        tokens=usage_of(2000, 100, cached=1500),
        nanodollars=bill((500, "0.6"), (1500, "0.1"), (100, "3")),
    ),
    Row(
        name="Z.ai: the usual names",
        source="https://docs.z.ai/guides/capabilities/cache",
        api="openai",
        base_url="https://api.z.ai/api/paas/v4",
        model="glm-4.6",
        answer=openai(
            {
                "prompt_tokens": 1200,
                "completion_tokens": 300,
                "total_tokens": 1500,
                "prompt_tokens_details": {"cached_tokens": 800},
            }
        ),
        tokens=usage_of(1200, 300, cached=800),
        nanodollars=bill((400, "0.6"), (800, "0.11"), (300, "2.2")),
    ),
    Row(
        name="Qwen: an explicit cache is written at 125 percent and read at 10",
        source="https://www.alibabacloud.com/help/en/model-studio/context-cache",
        api="openai",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        model="qwen3-coder-plus",
        override=PriceOverride(Decimal(1), Decimal(5), Decimal("0.1"), Decimal("1.25")),
        answer=openai(
            {
                "prompt_tokens": 3000,
                "completion_tokens": 40,
                "total_tokens": 3040,
                "prompt_tokens_details": {
                    "cached_tokens": 1100,
                    "cache_creation_input_tokens": 1600,
                    "cache_creation": {"ephemeral_5m_input_tokens": 1600},
                    "cache_type": "ephemeral",
                },
            }
        ),
        tokens=usage_of(3000, 40, cached=1100, cache_write_tokens=1600),
        nanodollars=bill((300, "1"), (1100, "0.1"), (1600, "1.25"), (40, "5")),
    ),
    Row(
        name="MiniMax: Anthropic's names at Anthropic's protocol",
        source="https://platform.minimax.io/docs/api-reference/text-prompt-caching",
        api="anthropic",
        base_url="https://api.minimax.io/anthropic",
        model="MiniMax-M2",
        answer={
            "usage": {
                "input_tokens": 108,
                "output_tokens": 91,
                "cache_creation_input_tokens": 188,
                "cache_read_input_tokens": 1000,
            }
        },
        tokens=usage_of(1296, 91, cached=1000, cache_write_tokens=188),
        nanodollars=bill((108, "0.3"), (1000, "0.03"), (188, "0.375"), (91, "1.2")),
    ),
    Row(
        name="LiteLLM: Anthropic's names within OpenAI's, the prompt including them",
        source="https://docs.litellm.ai/docs/completion/prompt_caching",
        api="openai",
        base_url="http://litellm.internal:4000/v1",
        model="claude",
        override=PriceOverride(Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75")),
        answer=openai(
            {
                "prompt_tokens": 2011,
                "completion_tokens": 21,
                "total_tokens": 2032,
                "cache_creation_input_tokens": 1000,
                "cache_read_input_tokens": 979,
                "prompt_tokens_details": {
                    "cache_creation_token_details": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 1000}
                },
            }
        ),
        tokens=usage_of(2011, 21, cached=979, cache_write_tokens=1000, cache_write_1h_tokens=1000),
        nanodollars=bill((32, "3"), (979, "0.3"), (1000, "6"), (21, "15")),
    ),
    Row(
        name="A proxy that leaves cached tokens out of the prompt, as the total tells",
        source="https://platform.claude.com/docs/en/build-with-claude/prompt-caching#tracking-cache-performance",
        api="openai",
        base_url="http://proxy.internal/v1",
        model="claude",
        override=PriceOverride(Decimal(3), Decimal(15), Decimal("0.3")),
        answer=openai(
            {"prompt_tokens": 1200, "completion_tokens": 20, "total_tokens": 2220, "cache_read_input_tokens": 1000}
        ),
        tokens=usage_of(2200, 20, cached=1000),
        nanodollars=bill((1200, "3"), (1000, "0.3"), (20, "15")),
    ),
    Row(
        name="vLLM: with continuous counts each chunk has the running total",
        source="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        api="openai",
        base_url="http://gpu.internal:8000/v1",
        model="mine",
        override=PriceOverride(Decimal(1), Decimal(2), per_request=Decimal("0.0005")),
        answer=openai(
            {"prompt_tokens": 12, "total_tokens": 42, "completion_tokens": 30, "prompt_tokens_details": None}
        ),
        tokens=usage_of(12, 30),
        nanodollars=bill((12, "1"), (30, "2")) + 500_000,
        chunks=[
            {"usage": {"prompt_tokens": 12, "total_tokens": 12, "completion_tokens": 0}},
            {"usage": {"prompt_tokens": 12, "total_tokens": 27, "completion_tokens": 15}},
            {"usage": {"prompt_tokens": 12, "total_tokens": 42, "completion_tokens": 30}},
            {"usage": {"prompt_tokens": 0, "total_tokens": 0, "completion_tokens": 0}},
        ],
    ),
    Row(
        name="Ollama: a server of one's own at one's own price",
        source="https://docs.ollama.com/api/usage",
        api="ollama",
        base_url="http://localhost:11434",
        model="llama3.2",
        override=PriceOverride(Decimal("0.1"), Decimal("0.4")),
        answer={"prompt_eval_count": 26, "eval_count": 298, "total_duration": 5_191_566_416},
        tokens=usage_of(26, 298),
        nanodollars=bill((26, "0.1"), (298, "0.4")),
    ),
]

ROWS: Sequence[Row] = [*_OF_OPENAI, *_OF_ANTHROPIC, *_OF_GOOGLE, *_OF_OTHERS]

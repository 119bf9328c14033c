from __future__ import annotations

import pytest

from services.adapters.context_length import Figures, figures


@pytest.mark.parametrize(
    ("message", "prompt", "maximum"),
    [
        ("prompt is too long: 214,850 tokens > 200000 maximum", 214850, 200000),
        (
            "This model's maximum context length is 8191 tokens, however you requested 10346 tokens (10341 in it)",
            10346,
            8191,
        ),
        ("This model's maximum context length is 8192 tokens. However, your messages resulted in 8545.", 8545, 8192),
        ("This model's maximum context length is 8192 tokens.", None, 8192),
        ("The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)", 1196265, 1048575),
        ("This model's maximum prompt length is 131072 but the request contains 537812 tokens", 537812, 131072),
        ("prompt token count of 130000 exceeds the limit of 128000", 130000, 128000),
        ("Prompt contains 140000 tokens, too large for model with 131072 maximum context length", 140000, 131072),
        ("The input (140000 tokens) is longer than the model's context length (131072 tokens).", 140000, 131072),
        ("Your request exceeded model token limit: 262144 (requested: 300000)", 300000, 262144),
        ("request (7000 tokens) exceeds the available context size (4096 tokens)", 7000, 4096),
        ("The prompt is too long: 140000, model maximum context length: 131071", 140000, 131071),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", 210000, 200000),
        ("Input length 40000 exceeds the maximum length 32768", 40000, 32768),
        ("`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens", 5000, 4096),
        ("Input is too long for requested model.", None, None),
        ("", None, None),
        ("limit 99999999999999999999999999", None, 999999999999),
    ],
)
def test_the_numbers_are_found_however_a_vendor_words_it(message: str, prompt: int | None, maximum: int | None) -> None:
    assert figures(message) == Figures(prompt, maximum)


def test_llama_cpp_names_them_in_fields() -> None:
    payload = {"error": {"message": "the request exceeds the context", "n_prompt_tokens": 5000, "n_ctx": 4096}}
    assert figures("the request exceeds the context", payload) == Figures(5000, 4096)

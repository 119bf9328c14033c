from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view

from gateway.anthropic_views import CountTokensView, MessagesView
from gateway.chat_answer import ChatCompletion
from gateway.chat_body import ChatBody
from gateway.completion_answer import TextCompletion
from gateway.completion_body import CompletionBody
from gateway.embeddings import EmbeddingList, EmbeddingsBody
from gateway.errors import AnthropicError, OpenAIError
from gateway.messages_answer import MessageShown, TokenCount
from gateway.messages_body import MessagesBody
from gateway.model_list import OpenAIModel, OpenAIModelList
from gateway.model_views import ModelListView, ModelView
from gateway.openai_views import ChatCompletionsView, CompletionsView, EmbeddingsView
from gateway.responses_answer import ResponseShown
from gateway.responses_body import ResponsesBody
from gateway.responses_views import ResponsesView
from oxide_project.openapi.shapes import answers_in, json_body, streamed

_CALL_ERRORS = (404, 413, 415, 500, 502, 503, 504, 529)
_MODEL = (
    "`model` is `auto`, `auto/<task type>`, the name of a service, `<service>/<model>`, or the name of a model that "
    "some service has; without it, `auto`."
)
_MODEL_PAGES = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1}, description="At most that many"),
    OpenApiParameter("after", str, description="OpenAI's form: what follows this model"),
    OpenApiParameter("after_id", str, description="Anthropic's form: what follows this model"),
    OpenApiParameter("before_id", str, description="Anthropic's form: what precedes this model"),
]
_FIRST_CHAT = OpenApiExample(
    "A first chat",
    {"model": "auto", "messages": [{"role": "user", "content": "Explain quantum computing"}]},
    request_only=True,
)


_FIRST_RESPONSE = OpenApiExample(
    "A first response", {"model": "auto", "input": "Explain quantum computing"}, request_only=True
)
_FIRST_MESSAGE = OpenApiExample(
    "A first message",
    {"model": "auto", "max_tokens": 500, "messages": [{"role": "user", "content": "Explain quantum computing"}]},
    request_only=True,
)


def document() -> None:
    _chat()
    _completions()
    _embeddings()
    _models()
    _responses()
    _messages()
    _count_tokens()


def _chat() -> None:
    extend_schema_view(
        post=extend_schema(
            tags=["OpenAI"],
            summary="Chat, as OpenAI's API has it",
            description=f"{_MODEL} Fields that are not listed here reach OpenAI-compatible services as they are.",
            request=json_body(ChatBody),
            responses=streamed(answers_in(OpenAIError, {200: ChatCompletion}, *_CALL_ERRORS)),
            examples=[_FIRST_CHAT],
        )
    )(ChatCompletionsView)


def _completions() -> None:
    extend_schema_view(
        post=extend_schema(
            tags=["OpenAI"],
            summary="Continue a text, as OpenAI's older API has it",
            description=f"{_MODEL} One prompt alone is answered by every kind of service. Several prompts, tokens, "
            "`n`, `best_of`, `echo`, `suffix` and `logprobs` need an OpenAI-compatible service with `/completions`.",
            request=json_body(CompletionBody),
            responses=streamed(answers_in(OpenAIError, {200: TextCompletion}, *_CALL_ERRORS)),
        )
    )(CompletionsView)


def _embeddings() -> None:
    extend_schema_view(
        post=extend_schema(
            tags=["OpenAI"],
            summary="Turn texts into vectors",
            description="`model` names a model that makes embeddings: `<service>/<model>`, or what some service has.",
            request=json_body(EmbeddingsBody),
            responses=answers_in(OpenAIError, {200: EmbeddingList}, *_CALL_ERRORS),
        )
    )(EmbeddingsView)


def _models() -> None:
    extend_schema_view(
        get=extend_schema(
            tags=["OpenAI"],
            operation_id="v1_models_list",
            summary="What `model` may say",
            description="In Anthropic's form, with its own parameters, for Anthropic's clients: they send the header "
            "`anthropic-version`. Without `limit` the list is whole.",
            parameters=_MODEL_PAGES,
            responses=answers_in(OpenAIError, {200: OpenAIModelList}),
        )
    )(ModelListView)
    extend_schema_view(
        get=extend_schema(
            tags=["OpenAI"],
            summary="One model, by any name that a request may use",
            responses=answers_in(OpenAIError, {200: OpenAIModel}, 404),
        )
    )(ModelView)


def _responses() -> None:
    extend_schema_view(
        post=extend_schema(
            tags=["OpenAI"],
            summary="A response, as OpenAI's newer API has it",
            description=f"{_MODEL} Nothing is remembered from one response to the next: send the whole conversation.",
            request=json_body(ResponsesBody),
            responses=streamed(answers_in(OpenAIError, {200: ResponseShown}, *_CALL_ERRORS)),
            examples=[_FIRST_RESPONSE],
        )
    )(ResponsesView)


def _messages() -> None:
    extend_schema_view(
        post=extend_schema(
            tags=["Anthropic"],
            summary="A message, as Anthropic's API has it",
            description=f"{_MODEL} An Anthropic service gets the body as it is, but for the model.",
            request=json_body(MessagesBody),
            responses=streamed(answers_in(AnthropicError, {200: MessageShown}, *_CALL_ERRORS)),
            examples=[_FIRST_MESSAGE],
        )
    )(MessagesView)


def _count_tokens() -> None:
    extend_schema_view(
        post=extend_schema(
            tags=["Anthropic"],
            summary="How long a prompt is",
            description="As the service counts that would answer; estimated where it offers no count.",
            request=json_body(MessagesBody),
            responses=answers_in(AnthropicError, {200: TokenCount}, 404, 413, 415, 500, 503),
        )
    )(CountTokensView)

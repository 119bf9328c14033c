"""What Oxide answers.

The shapes are `TypedDict`s, so that an answer is the very JSON object that came: it can be printed, stored and compared
as it is, and a field that a later Oxide adds is there without a new client. Times are texts, as ISO 8601 writes them;
costs are in US dollars, and None where nobody knows them.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from oxide_client.typing_names import NotRequired

TaskType = Literal[
    "question_answer",
    "summarization",
    "code_generation",
    "creative_writing",
    "translation",
    "analysis",
    "chat",
    "general",
]
Status = Literal["queued", "running", "completed", "failed", "cancelled"]
Scope = Literal["read", "execute", "admin"]
KeySource = Literal["environment", "database", "file"]
Window = Literal["1h", "24h", "7d"]
Group = Literal["day", "service", "model", "task_type"]


# Tasks


class Usage(TypedDict):
    """Tokens; `reported` is false where the provider did not count and Oxide estimated."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    reported: bool


class ToolCall(TypedDict):
    """A function that the model wants called; `arguments` is a JSON text. `messages` take it back as it is."""

    id: str
    name: str
    arguments: str


class TaskAnswer(TypedDict):
    """What a task came to. `execution_time` is in seconds; `status` is "completed" or "cancelled"."""

    task_id: str
    status: Status
    result: str
    execution_time: float | None
    service_used: str
    model_used: str
    tokens_used: int
    cost: float | None
    cost_basis: str
    usage: Usage
    task_type: str
    finish_reason: str
    tool_calls: list[ToolCall]
    reasoning: str


class TaskAccepted(TypedDict):
    """A task in the background: `wait_for_task` waits for it."""

    task_id: str
    status: Status
    task_type: str


class TaskCancelling(TypedDict):
    task_id: str
    status: Literal["cancelling"]


class TaskSummary(TypedDict):
    """One line of the history; the prompt is cut after 500 characters."""

    id: str
    prompt: str
    status: Status
    created_at: str
    completed_at: str | None
    task_type: str
    service_used: str
    model_used: str
    execution_time: float | None
    tokens_used: int
    cost: float | None
    cost_basis: str
    error_code: str
    client: str


class ExportedTask(TaskSummary):
    """One task of an export; prompt and result are cut after 32,000 characters."""

    result: str
    started_at: str | None
    requested_service: str
    requested_model: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str
    error_detail: str


class Export(TypedDict):
    """The newest first."""

    tasks: list[ExportedTask]


class HistoryPage(TypedDict):
    """The newest first. `total` counts all that were found, not only these."""

    total: int
    limit: int
    offset: int
    tasks: list[TaskSummary]


class Attempt(TypedDict):
    """One call to one service on behalf of a task."""

    number: int
    service: str
    model: str
    rule: str
    status: Status
    error_kind: str
    error: str
    http_status: int | None
    finish_reason: str
    started_at: str
    latency_ms: float | None
    cost: float | None
    cost_basis: str
    usage: Usage
    dropped: list[str]
    usage_details: dict[str, int | str]


class TaskDetail(TaskSummary):
    """One task with everything that is known of it; all of `TaskAnswer` is in it, too."""

    task_id: str
    started_at: str | None
    confidence: float | None
    messages: list[dict[str, Any]]
    parameters: dict[str, Any]
    requested_service: str
    requested_model: str
    decision: dict[str, Any]
    result: str
    reasoning: str
    tool_calls: list[ToolCall]
    finish_reason: str
    error_detail: str
    usage: Usage
    attempts: list[Attempt]


# Services


class ServiceInfo(TypedDict):
    type: str
    api: str
    base_url: str
    model: str


class ServiceSummary(TypedDict):
    enabled: bool
    healthy: bool
    info: ServiceInfo


class ServiceListed(ServiceSummary):
    """`obstacle` is why Oxide calls it only after all others, or without a key (`no_key`) not at all, worded to follow
    its name; "" where nothing is in the way.

    The same for programs: `obstacle_code`, `obstacle_detail` without what the code says already, and
    `obstacle_variable`, the environment variable in which a missing or refused key is looked for.

    `state` is its state in one word, `state_text` the same for people, and `state_detail` what else is known of it.

    `capabilities` are the types of task that the default order has it for; none: all of them.
    """

    breaker: Literal["closed", "open", "half_open"]
    state: Literal["off", "no_key", "key_refused", "unhealthy", "resting", "healthy", "list_unknown", "unchecked"]
    state_text: str
    state_detail: str
    obstacle: str
    obstacle_code: Literal["", "no_key", "key_refused", "unhealthy", "resting"]
    obstacle_detail: str
    obstacle_variable: str
    capabilities: list[str]


class NextStep(TypedDict):
    """For people: `page` is where in the admin pages one does it, `command` what one may type.

    Each is "" where there is none.
    """

    title: str
    service: str
    text: str
    page: str
    action: str
    command: str


class ServiceList(TypedDict):
    """`services` by their names; the others count them. `next_step` is there while no service is ready."""

    total: int
    healthy: int
    enabled: int
    services: dict[str, ServiceListed]
    next_step: NextStep | None


class LastCheck(TypedDict):
    checked_at: str | None
    response_ms: float | None
    detail: str


class ServiceDetail(ServiceSummary):
    name: str
    health: LastCheck
    breaker: Literal["closed", "open", "half_open"]
    in_flight: int
    has_key: bool
    models: list[str]
    capabilities: list[str]
    timeout_seconds: float
    max_concurrency: int
    max_retries: int


class ServiceTested(TypedDict):
    """`success` says that the service answered as it should."""

    service: str
    success: bool
    healthy: bool
    message: str
    response_ms: float
    model_count: int


class ModelList(TypedDict):
    """`problem` says why the list could not be read just now: then `models` is what was known before; "" otherwise."""

    service: str
    default: str
    models: list[str]
    problem: str


# Routing


class Rule(TypedDict):
    """Which service does which type of task. The lowest priority number is asked first."""

    id: str
    task_type: str
    service: str
    model: str
    priority: int
    weight: int
    enabled: bool
    note: str


class RuleList(TypedDict):
    """`default` names the services that are asked after the rules, in their order."""

    rules: list[Rule]
    default: list[str]


class Candidate(TypedDict):
    place: int
    service: str
    model: str
    reason: str
    rule: str | None
    demoted: bool
    estimated_cost: float | None
    cost_basis: str


class Skipped(TypedDict):
    service: str
    reason: str


class Estimate(TypedDict):
    prompt_tokens: int
    completion_tokens: int


class Explanation(TypedDict):
    """Who would be asked, in order, and why the others would not. `confidence` is None where the type was given."""

    task_type: str
    confidence: float | None
    candidates: list[Candidate]
    skipped: list[Skipped]
    estimate: Estimate


# Monitoring


class ServiceNumbers(TypedDict):
    total: int
    healthy: int
    unhealthy: int
    enabled: int
    unchecked: int


class TaskNumbers(TypedDict):
    total: int
    queued: int
    running: int
    completed: int
    failed: int
    cancelled: int


class System(TypedDict):
    """The machine's processor and memory, and what the process that answered has of them."""

    cpu_percent: float
    memory_percent: float
    memory_used_mb: int
    memory_total_mb: int
    process_memory_mb: int
    process_threads: int
    process_uptime_seconds: int


class Metrics(TypedDict):
    """What Oxide is doing now. By service: `in_flight`, the calls under way, and `breakers`, the circuit breakers."""

    services: ServiceNumbers
    tasks: TaskNumbers
    in_flight: dict[str, int]
    breakers: dict[str, Literal["closed", "open", "half_open"]]
    system: System


class Latency(TypedDict):
    """Milliseconds; None where nothing was completed."""

    p50: float | None
    p95: float | None
    p99: float | None


class Tokens(TypedDict):
    prompt: int
    completion: int
    cached: int
    reasoning: int
    total: int


class Figures(TypedDict):
    """A request is one attempt at one service: a task that fell back made several."""

    requests: int
    errors: int
    cancelled: int
    error_rate: float
    latency_ms: Latency
    tokens: Tokens
    cost: float
    requests_of_unknown_cost: int


class EndedTasks(TypedDict):
    total: int
    completed: int
    failed: int
    cancelled: int


class Stats(TypedDict):
    """How the services did in the window."""

    window: Window
    since: str
    until: str
    tasks: EndedTasks
    totals: Figures
    services: dict[str, Figures]
    system: System


class BasisPart(TypedDict):
    requests: int
    tokens: int
    cost: float
    share: float


class Spent(TypedDict):
    """`by_basis` says how sure the cost is: reported, computed, estimated or unknown."""

    cost: float
    requests: int
    tokens: int
    by_basis: dict[str, BasisPart]


class GroupSpent(Spent):
    """`key` is a date, or the name of a service, model or task type."""

    key: str


class Costs(TypedDict):
    group_by: Group
    days: int
    since: str
    currency: Literal["USD"]
    total: Spent
    groups: list[GroupSpent]


class Point(TypedDict):
    """What ended in the minute that begins `at`. `requests` are those that cost something or might have.

    Processor and memory: None while the process was not there.
    """

    at: str
    tasks: int
    failed: int
    latency_ms: Latency
    tokens: int
    cost: float
    requests: int
    requests_of_unknown_cost: int
    cpu_percent: float | None
    memory_percent: float | None


class Series(TypedDict):
    """Sixty minutes, the oldest first."""

    since: str
    until: str
    points: list[Point]


class Health(TypedDict):
    status: Literal["ok"]


class Check(TypedDict):
    """`detail` says what is wrong and what to do."""

    ok: bool
    detail: str


class Readiness(TypedDict):
    """The last three are there where it is not ready."""

    status: Literal["ready", "not ready"]
    checks: dict[str, Check]
    error: NotRequired[str]
    detail: NotRequired[str]
    code: NotRequired[str]


# Keys


class KeyStatus(TypedDict):
    """The key with which Oxide calls a service; no more of it than a preview. `detail` says what is to be done."""

    service: str
    configured: bool
    valid: bool
    key_preview: str | None
    state: Literal["missing", "unknown", "valid", "invalid"]
    source: KeySource | None
    variable: str | None
    checked_at: str | None
    detail: str


class KeyStatusList(TypedDict):
    total: int
    configured: int
    services: dict[str, KeyStatus]


class TestDetails(TypedDict):
    model_count: int
    service: str


class KeyTested(TypedDict):
    """`success` says that the test could be made, `valid` how it came out."""

    success: bool
    valid: bool
    message: str
    details: TestDetails


class KeyUpdated(TypedDict):
    """`in_force` is false where another key is found earlier: `shadowed_by` names its variable."""

    success: bool
    service: str
    message: str
    warning: str | None
    stored_in: KeySource
    in_force: bool
    shadowed_by: str | None
    key_preview: str


class ClientKey(TypedDict):
    """A key with which a program calls Oxide."""

    id: int
    name: str
    prefix: str
    owner: str | None
    scopes: list[Scope]
    enabled: bool
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class ClientKeyMade(ClientKey):
    """`key` is the key itself: this is the only answer that ever holds it."""

    key: str


class ClientKeyList(TypedDict):
    total: int
    keys: list[ClientKey]


# Configuration


class Origin(TypedDict):
    file: str
    key_store: str


class Configuration(TypedDict):
    """What is in force, in the words of the configuration file."""

    services: dict[str, dict[str, Any]]
    routing: dict[str, Any]
    security: dict[str, Any]
    source: Origin


class RowsChanged(TypedDict):
    added: list[str]
    changed: dict[str, list[str]]
    removed: list[str]


class Changes(TypedDict):
    services: RowsChanged
    rules: RowsChanged
    default_changed: bool
    security: list[str]
    keys: list[str]


class Reloaded(TypedDict):
    status: Literal["reloaded"]
    message: str
    changes: Changes


# Identity


class TokenPair(TypedDict):
    """`expires_in` is in seconds and about the access token; the refresh token gets the next pair, once."""

    access_token: str
    token_type: Literal["bearer"]
    expires_in: int
    refresh_token: str


class LoggedOut(TypedDict):
    status: Literal["logged_out"]


class Me(TypedDict):
    name: str
    kind: Literal["anonymous", "user", "key"]
    scopes: list[Scope]
    auth_enabled: bool

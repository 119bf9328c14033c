/** What a task asks for. */
export type TaskType =
  | 'question_answer'
  | 'summarization'
  | 'code_generation'
  | 'creative_writing'
  | 'translation'
  | 'analysis'
  | 'chat'
  | 'general';

export type TaskStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/** Named by the provider; its tokens at a known price; Oxide's count at a known price; or nobody knows. */
export type CostBasis = 'reported' | 'computed' | 'estimated' | 'unknown';

// What is asked

export interface TextPart {
  type: 'text';
  text: string;
}

/** `url` is an http(s) address or `data:image/…;base64,…`. */
export interface ImagePart {
  type: 'image_url';
  image_url: { url: string };
}

/** A document or a text: `file_data` is base64, or `data:…;base64,…`. */
export interface FilePart {
  type: 'file';
  file: { file_data: string; filename?: string };
}

/** A recording: `data` is base64, `format` as in "wav". */
export interface AudioPart {
  type: 'input_audio';
  input_audio: { data: string; format?: string };
}

/** A tool call in the shape of OpenAI's chat API. */
export interface OpenAIToolCall {
  id: string;
  type?: 'function';
  function: { name: string; arguments?: string };
}

/** A turn of a conversation, as OpenAI's chat API writes it. */
export interface Message {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content?: string | (TextPart | ImagePart | FilePart | AudioPart)[] | null;
  /** Of the assistant's turns: as an answer gave them, or as OpenAI writes them. */
  tool_calls?: (ToolCall | OpenAIToolCall)[];
  /** Of a tool's turn: the call that it answers. */
  tool_call_id?: string;
}

/** A function that the model may call; `parameters` is its JSON Schema. */
export interface Tool {
  type: 'function';
  function: { name: string; description?: string; parameters?: Record<string, unknown> };
}

export interface ResponseFormat {
  type: 'json_schema';
  json_schema: { name: string; schema: Record<string, unknown>; strict?: boolean };
}

/** How a task is to be done, in the API's own names. `null` means the same as leaving a field out. */
export interface TaskFields {
  /** A service by name; left out or `auto`, Oxide chooses. */
  service?: string | null;
  /** Left out, the rule's or the service's own. */
  model?: string | null;
  max_tokens?: number | null;
  /** 0 to 2. */
  temperature?: number | null;
  stop?: string | string[] | null;
  tools?: Tool[] | null;
  tool_choice?: 'auto' | 'none' | 'required' | { type: 'function'; function: { name: string } } | null;
  response_format?: ResponseFormat | null;
  /** More parameters, handed to the provider as they are. */
  parameters?: Record<string, unknown> | null;
  /** Seconds for everything, all attempts included. */
  timeout_seconds?: number | null;
}

// What is answered

/** Tokens; `reported` is false where the provider did not count and Oxide estimated. */
export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  cached_tokens: number;
  cache_write_tokens: number;
  reasoning_tokens: number;
  reported: boolean;
}

/** A function that the model wants called; `arguments` is a JSON text, as the model wrote it. */
export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

/** One call to one service on behalf of a task. */
export interface Attempt {
  number: number;
  service: string;
  model: string;
  /** The rule that led here; empty for the default order. */
  rule: string;
  status: TaskStatus;
  error_kind: string;
  error: string;
  http_status: number | null;
  finish_reason: FinishReason | '';
  started_at: string;
  latency_ms: number | null;
  cost: number | null;
  cost_basis: CostBasis | '';
  usage: Usage;
  /** Fields of the request that were not sent to this service, because its protocol lacks them. */
  dropped: string[];
  /** What else decided its price, such as `service_tier`, `searches`, `cache_write_1h_tokens`; empty of most. */
  usage_details: Record<string, number | string>;
}

/** What a task came to. `cost` is in US dollars, and null where no price is known; `execution_time` in seconds. */
export interface TaskAnswer {
  task_id: string;
  status: TaskStatus;
  result: string;
  execution_time: number | null;
  service_used: string;
  model_used: string;
  tokens_used: number;
  cost: number | null;
  cost_basis: CostBasis | '';
  usage: Usage;
  task_type: TaskType;
  finish_reason: FinishReason | '';
  tool_calls: ToolCall[];
  reasoning: string;
}

/** A task that is done in the background. */
export interface TaskAccepted {
  task_id: string;
  status: TaskStatus;
  task_type: TaskType;
}

/** One line of the history; the prompt is cut after 500 characters. */
export interface TaskSummary {
  id: string;
  prompt: string;
  status: TaskStatus;
  created_at: string;
  completed_at: string | null;
  task_type: TaskType;
  service_used: string;
  model_used: string;
  execution_time: number | null;
  tokens_used: number;
  cost: number | null;
  cost_basis: CostBasis | '';
  error_code: string;
  client: string;
}

/** One task of an export; prompt and result are cut after 32,000 characters. */
export interface ExportedTask extends TaskSummary {
  result: string;
  started_at: string | null;
  requested_service: string;
  requested_model: string;
  prompt_tokens: number;
  completion_tokens: number;
  finish_reason: FinishReason | '';
  error_detail: string;
}

export interface Export {
  tasks: ExportedTask[];
}

/** Who was to be asked, those that are `demoted` as a last resort, and why the others were not. */
export interface Decision {
  candidates: { service: string; model: string; reason: string; rule_id: string; demoted: boolean }[];
  skipped: { service: string; reason: string; by_request: boolean; aside: boolean }[];
}

/** A document or a recording as it is kept: without its data, but with the text of one that is text. */
export interface KeptFile {
  type: 'file';
  name: string;
  url: string;
  media_type: string;
  base64_length: number;
  text: string;
}

/** A turn as it is kept: of an image, not the picture itself. */
export interface KeptMessage {
  role: Message['role'];
  content: (TextPart | { type: 'image'; url: string; media_type: string; base64_length: number } | KeptFile)[];
  tool_calls?: ToolCall[];
  tool_call_id?: string;
}

/** One task with everything that is known of it. */
export interface TaskDetail extends TaskSummary {
  task_id: string;
  started_at: string | null;
  /** How sure the classifier was; null where the type was given. */
  confidence: number | null;
  /** Empty where the prompt is the whole conversation. */
  messages: KeptMessage[];
  parameters: Record<string, unknown>;
  requested_service: string;
  requested_model: string;
  decision: Decision;
  result: string;
  reasoning: string;
  tool_calls: ToolCall[];
  finish_reason: FinishReason | '';
  error_detail: string;
  usage: Usage;
  attempts: Attempt[];
}

export interface TaskCancelling {
  task_id: string;
  status: 'cancelling';
}

/** Which tasks. */
export interface HistoryFilter {
  status?: TaskStatus;
  service?: string;
  task_type?: TaskType;
  /** Text in prompt or result. */
  search?: string;
  created_after?: Date | string;
  created_before?: Date | string;
}

export interface HistoryQuery extends HistoryFilter {
  /** 1 to 1000; 50 where left out. */
  limit?: number;
  offset?: number;
}

export interface HistoryPage {
  total: number;
  limit: number;
  offset: number;
  tasks: TaskSummary[];
}

// The events of a stream

/** Service and model are null where nobody had answered within ten seconds. */
export interface TaskBegun {
  task_id: string;
  status: 'running';
  task_type: TaskType;
  service: string | null;
  model: string | null;
}

/** `id` and `name` come with the first piece of a call, `arguments` in fragments of a JSON text. */
export interface ToolCallPiece {
  index: number;
  id: string;
  name: string;
  arguments: string;
}

/** One of these. */
export interface TaskPiece {
  text?: string;
  reasoning?: string;
  tool_call?: ToolCallPiece;
  /** The address of an image that the model drew, mostly `data:…;base64,…`. */
  image?: string;
}

/** Over all attempts. */
export interface Spent {
  usage: Usage;
  cost: number | null;
  cost_basis: CostBasis | '';
}

/** The error of a provider: `message`, `type`, `code` and `param` are its own words, empty where it sent none. */
export interface ProviderErrorBody {
  service: string;
  /** Its HTTP status. */
  status: number | null;
  /** What Oxide takes it for, as in an attempt's `error_kind`. */
  kind: string;
  message: string;
  type: string;
  code: string;
  param: string;
  advice: string;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  /** Where a prompt was too long. */
  prompt_tokens: number | null;
  maximum_tokens: number | null;
}

/** An error as Oxide tells it. Of a failed task it also holds its id and its attempts. */
export interface ErrorBody {
  error: string;
  detail: string;
  code: string;
  task_id?: string;
  status?: string;
  attempts?: Attempt[];
  provider_error?: ProviderErrorBody;
  /** Of a configuration that cannot be used. */
  problems?: ConfigProblem[];
}

export interface ConfigProblem {
  line: number | null;
  field: string;
  message: string;
}

export type TaskEvent =
  | { type: 'task'; data: TaskBegun }
  | { type: 'delta'; data: TaskPiece }
  | { type: 'usage'; data: Spent }
  | { type: 'done'; data: TaskAnswer }
  | { type: 'error'; data: ErrorBody };

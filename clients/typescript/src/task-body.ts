import type { CallOptions } from './options.js';
import type { Message, TaskFields, TaskType } from './types/tasks.js';

/** What is to be done: a text, or a conversation. */
export type Prompt = string | Message[];

/** The task's fields in the API's own names, and how the call is to behave. */
export interface TaskOptions extends TaskFields, CallOptions {}

/** The same with the type of the task; null lets Oxide find it out. */
export interface TypedTaskOptions extends TaskOptions {
  task_type?: TaskType | null;
}

export type TypeOrOptions = TaskType | null | TypedTaskOptions | undefined;

export interface TaskCall {
  body: object;
  options: CallOptions;
}

/** What goes to Oxide, and what stays here. */
export function taskCall(prompt: Prompt, second: TypeOrOptions, third: TaskOptions): TaskCall {
  const given: TypedTaskOptions = isOptions(second) ? second : { task_type: second, ...third };
  const { signal, timeoutMs, maxRetries, task_type = 'general', ...fields } = given;
  const asked = typeof prompt === 'string' ? { prompt } : { messages: prompt };
  return { body: { ...asked, task_type, ...fields }, options: { signal, timeoutMs, maxRetries } };
}

function isOptions(second: TypeOrOptions): second is TypedTaskOptions {
  return typeof second === 'object' && second !== null;
}

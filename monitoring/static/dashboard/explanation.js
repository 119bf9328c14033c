// What POST /api/routing/explain/ answers: who would be asked for a task, and why.

import { element } from './dom.js';
import { words } from './format.js';
import { decision } from './task_parts.js';

export function headline(told) {
  const sure = told.confidence === null ? '' : ` (classified, ${Math.round(told.confidence * 100)} % sure)`;
  return `Who would be asked for ${words(told.task_type).toLowerCase()}${sure}`;
}

export function explanation(told) {
  const { prompt_tokens: prompt, completion_tokens: answer } = told.estimate;
  return [decision(told), element('p', { class: 'note' }, `Costs are for about ${prompt} prompt tokens and an answer of ${answer}.`)];
}

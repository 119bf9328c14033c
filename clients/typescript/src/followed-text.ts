import type { TaskDeltaEvent } from './types/events.js';

/**
 * The text of a task, put together from its pieces.
 *
 * A piece takes the place of all that stood from its offset on: it came twice, or another service has begun to answer.
 * Offsets count code points, where the positions in a string of JavaScript count some of these twice.
 */
export class FollowedText {
  #text = '';
  #begin = 0;
  #length = 0;

  toString(): string {
    return this.#text;
  }

  take(piece: TaskDeltaEvent): void {
    const kept = piece.offset - this.#begin;
    // What comes before it was never heard: another process works on the task.
    if (kept < 0 || kept > this.#length) this.#keep(0, piece.offset);
    else if (kept < this.#length) this.#keep(kept, this.#begin);
    this.#text += piece.text;
    this.#length += lengthOf(piece.text);
  }

  #keep(length: number, begin: number): void {
    this.#text = Array.from(this.#text).slice(0, length).join('');
    this.#length = length;
    this.#begin = begin;
  }
}

function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

/** One event of a stream. An event without a name is called `message`. */
export interface ServerSentEvent {
  name: string;
  data: string;
}

/**
 * Reads server-sent events, in whatever pieces they come.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 * `id` and `retry` are for clients that connect again by themselves, and passed over here.
 */
export class SseParser {
  #decoder = new TextDecoder();
  #line = '';
  #endedWithCr = false;
  #name = '';
  #data: string[] = [];

  /** The events that are whole with this piece. */
  push(bytes: Uint8Array): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return events;
    // The line ended with the piece before, and this is the rest of its CRLF.
    if (this.#endedWithCr && text.startsWith('\n')) text = text.slice(1);
    this.#endedWithCr = text.endsWith('\r');
    let begin = 0;
    for (const end of text.matchAll(/\r\n|\r|\n/g)) {
      const event = this.#take(this.#line + text.slice(begin, end.index));
      if (event) events.push(event);
      this.#line = '';
      begin = end.index + end[0].length;
    }
    this.#line += text.slice(begin);
    return events;
  }

  #take(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    if (field === 'data') this.#data.push(value);
    return undefined;
  }

  #dispatch(): ServerSentEvent | undefined {
    const event = this.#data.length > 0 ? { name: this.#name || 'message', data: this.#data.join('\n') } : undefined;
    this.#name = '';
    this.#data = [];
    return event;
  }
}

/** The events of an answer. What comes after the last blank line is no event. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent, void, undefined> {
  const parser = new SseParser();
  const reader = body.getReader(); // not every browser can iterate over a stream
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    reader.cancel().catch(() => {}); // it may have failed already
  }
}

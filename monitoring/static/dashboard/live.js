// `/ws`, always connected again. Emits what the server sends, and `state` where the connection changes.

const SHORTEST = 1000;
const LONGEST = 30_000;
// Figures come every five seconds: so long a silence means that nobody is there any more.
const SILENCE = 20_000;

const REASONS = {
  4401: 'Your login has ended. Log in again.',
  4403: 'Your role may not look at this. Ask an administrator.',
};

export class Live extends EventTarget {
  #socket = null;
  #pause = SHORTEST;
  #timer = null;
  #watchdog = null;

  start() {
    addEventListener('online', () => this.connect());
    addEventListener('pageshow', (event) => event.persisted && this.connect());
    document.addEventListener('visibilitychange', () => !document.hidden && this.connect());
    this.connect();
  }

  // At once, unless it is connected already.
  connect() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#tell('connecting');
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`);
    this.#socket = socket;
    this.#watch();
    socket.onmessage = (message) => this.#hear(JSON.parse(message.data));
    socket.onclose = (end) => this.#lose(socket, end.code);
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #hear(message) {
    this.#watch();
    this.#pause = SHORTEST;
    if (message.type === 'snapshot') this.#tell('live');
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }

  #lose(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    clearTimeout(this.#watchdog);
    if (REASONS[code]) {
      this.#tell('refused', { reason: REASONS[code], login: code === 4401 });
      return;
    }
    const wait = this.#pause * (0.5 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST);
    this.#tell('lost', { until: Date.now() + wait });
    this.#timer = setTimeout(() => this.connect(), wait);
  }

  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      const socket = this.#socket;
      socket?.close();
      // A dead connection would not be closed before minutes have passed.
      if (socket) this.#lose(socket, 1006);
    }, SILENCE);
  }

  #tell(name, more = {}) {
    this.dispatchEvent(new CustomEvent('state', { detail: { name, ...more } }));
  }
}

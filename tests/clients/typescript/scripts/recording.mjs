// Which requests a client sends that is given `recorded` as its `fetch`, and which of its methods nobody called.
export const requests = [];
export const uncalled = new Set();

export function recorded(address, options) {
  requests.push([options.method, new URL(address).pathname]);
  return fetch(address, options);
}

export function watched(client) {
  for (const [part, owner] of [['client', client], ...Object.entries(client)]) watch(part, Object.getPrototypeOf(owner));
  return client;
}

function watch(part, methods) {
  for (const name of Object.getOwnPropertyNames(methods).filter((each) => each !== 'constructor')) {
    const method = methods[name];
    uncalled.add(`${part}.${name}`);
    methods[name] = function (...given) {
      uncalled.delete(`${part}.${name}`);
      return method.apply(this, given);
    };
  }
}

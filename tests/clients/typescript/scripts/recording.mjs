// Method and path of each request of a client that is given this `fetch`.
export const requests = [];

export function recorded(address, options) {
  requests.push([options.method, new URL(address).pathname]);
  return fetch(address, options);
}

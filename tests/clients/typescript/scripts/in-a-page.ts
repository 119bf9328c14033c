// A browser's own WebSocket and fetch fit, too.
import { Oxide, type WebSocketConstructor } from 'oxide-client';

export const given: WebSocketConstructor = WebSocket;
export const client = new Oxide(location.origin, { WebSocket, fetch: window.fetch });

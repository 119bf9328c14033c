// The package `ws` in place of a WebSocket of the platform's own.
import { Oxide, type WebSocketConstructor } from 'oxide-client';
import WebSocket from 'ws';

export const given: WebSocketConstructor = WebSocket;
export const client = new Oxide('http://localhost:8000', { WebSocket, fetch });

import type { TokenPair } from './types/identity.js';
import { UnauthorizedError } from './errors.js';

// A token is renewed so long before its end: it must still be good when it arrives.
const MARGIN_MS = 30_000;

/** What this client shows to say who it is, and how it stays logged in. */
export class Session {
  #token: string | undefined;
  #refreshToken: string | undefined;
  #ends = Infinity;
  #renewing: Promise<TokenPair> | undefined;
  readonly #exchange: (refreshToken: string) => Promise<TokenPair>;

  constructor(token: string | undefined, exchange: (refreshToken: string) => Promise<TokenPair>) {
    this.#token = token;
    this.#exchange = exchange;
  }

  get refreshToken(): string | undefined {
    return this.#refreshToken;
  }

  get canRenew(): boolean {
    return this.#refreshToken !== undefined;
  }

  /** Milliseconds until the token is to be renewed. */
  get freshForMs(): number {
    return this.#ends - MARGIN_MS - Date.now();
  }

  keep(pair: TokenPair): void {
    this.#token = pair.access_token;
    this.#refreshToken = pair.refresh_token;
    this.#ends = Date.now() + pair.expires_in * 1000;
  }

  forget(): void {
    this.#token = this.#refreshToken = undefined;
    this.#ends = Infinity;
  }

  /** The token to show, renewed where its end is near. */
  async token(): Promise<string | undefined> {
    if (this.canRenew && this.freshForMs <= 0) await this.renew();
    return this.#token;
  }

  /** Get the next token in place of one that was refused; at once where another call has done so meanwhile. */
  async replace(refused: string | undefined): Promise<void> {
    if (refused === this.#token) await this.renew();
  }

  /** A refresh token is good for one use: all who need a new token wait for the same one. */
  renew(): Promise<TokenPair> {
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renew(): Promise<TokenPair> {
    const refreshToken = this.#refreshToken;
    if (refreshToken === undefined) {
      const message = 'There is no refresh token: log in first.';
      throw new UnauthorizedError({ code: 'UNAUTHORIZED', message });
    }
    try {
      const pair = await this.#exchange(refreshToken);
      this.keep(pair);
      return pair;
    } catch (error) {
      if (error instanceof UnauthorizedError) this.#refreshToken = undefined;
      throw error;
    }
  }
}

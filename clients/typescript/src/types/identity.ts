export type Scope = 'read' | 'execute' | 'admin';

/** `expires_in` is in seconds and about the access token; the refresh token gets the next pair, once. */
export interface TokenPair {
  access_token: string;
  token_type: 'bearer';
  expires_in: number;
  refresh_token: string;
}

export interface LoggedOut {
  status: 'logged_out';
}

export interface Me {
  name: string;
  kind: 'anonymous' | 'user' | 'key';
  scopes: Scope[];
  auth_enabled: boolean;
}

/** A key with which a program calls Oxide, without the key itself. */
export interface ClientKey {
  id: number;
  name: string;
  prefix: string;
  owner: string | null;
  scopes: Scope[];
  enabled: boolean;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

export interface NewClientKey {
  name: string;
  /** `execute` where left out: the key runs tasks, and sees its own. */
  scopes?: Scope[];
  expires_at?: Date | string | null;
}

/** `key` is the key itself: no other answer ever holds it. */
export interface ClientKeyMade extends ClientKey {
  key: string;
}

export interface ClientKeyList {
  total: number;
  keys: ClientKey[];
}

/**
 * A client for a whatsapp-salesforce-connect stack: links, codes, tokens, status, disconnect, webhooks, and queries to
 * Salesforce.
 *
 * It has no mutable state of its own, so concurrent calls may share one client. Secrets (AWS credentials, webhook secrets,
 * access tokens, links) are private fields: they appear neither when an object is logged nor in an error's text.
 */
import { createHash } from "node:crypto";
import { Sha256 } from "@aws-crypto/sha256-js";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { SignatureV4 } from "@smithy/signature-v4";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

export { WebhookVerificationError };

/** Per HTTP request. The stack itself ends a call after 25 seconds. */
const TIMEOUT_MS = 30_000;
/** Seconds, where an answer has no Retry-After: API Gateway's own answers have none. */
const DEFAULT_RETRY_AFTER = 5;
const SALESFORCE_API = "services/data/v66.0";
/** Characters. */
const DISPLAY_NAME_LIMIT = 64;
/** Bytes. */
const CONFIRMATION_LIMIT = 4_096;
// The code that the page shows after a login: eight letters and digits of which no two look alike, in one group or two,
// not within a longer word.
const LETTER = "CDFHJKMNPRTVWXYcdfhjkmnprtvwxy";
const SYMBOL = `${LETTER}2-9`;
const SEPARATOR = "[ \\u00a0]?[-\\u2010\\u2011\\u2013\\u2014]?[ \\u00a0]?";
const OF_A_WORD = "\\p{Alphabetic}\\p{N}";
const CODE = new RegExp(
  `(?<![${OF_A_WORD}])[${LETTER}][${SYMBOL}]{3}${SEPARATOR}[${SYMBOL}]{4}(?![${OF_A_WORD}])`,
  "u",
);

/** Whether a message may hold the code of a login: such a message goes to `confirm` before anything else. */
export function hasCode(message: string): boolean {
  return CODE.test(message) && Buffer.byteLength(message) <= CONFIRMATION_LIMIT;
}

/** The chat never was connected: send it a link. */
export class NotConnected extends Error {
  override readonly name = "NotConnected";
}

/** Why a connection ended; see "Reasons of an end" in docs/EVENTS.md. New reasons may be added. */
export type EndReason = "revoked" | "disconnected" | "expired" | "user_inactive" | "org_inactive" | "app_blocked";

/** The connection has ended, and the chat has been told so. */
export class ConnectionEnded extends Error {
  override readonly name = "ConnectionEnded";
  readonly #relinkUrl: string | undefined;

  constructor(
    readonly reason: EndReason | undefined,
    /** What helps. Treat an absent or unknown value as `relink`. */
    readonly next: "relink" | "contact_admin" | undefined,
    relinkUrl: string | undefined,
  ) {
    super(`the connection has ended (${reason ?? "reason unknown"})`);
    this.#relinkUrl = relinkUrl;
  }

  /** A new link for the chat, present with `relink`. It carries the connection's `reference` on. */
  get relinkUrl(): string | undefined {
    return this.#relinkUrl;
  }
}

/** AWS or Salesforce does not answer now. The connection stands: try again after `retryAfter` seconds. */
export class TryLater extends Error {
  override readonly name = "TryLater";

  constructor(
    call: string,
    why: string,
    readonly retryAfter: number = DEFAULT_RETRY_AFTER,
  ) {
    super(`${call}: ${why}, try again in ${retryAfter} s`);
  }
}

/** The call was refused, and would be refused again if repeated unchanged. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";

  constructor(
    call: string,
    readonly status: number,
    /** The error code of the stack (`invalid_wa_id`) or of Salesforce (`INVALID_FIELD`); `unknown` where there is none. */
    readonly error: string,
  ) {
    super(`${call}: HTTP status ${status}, ${error}`);
  }
}

/** A connect link. Whoever has its `url` can connect a Salesforce account to the chat: send it to the chat alone. */
export class Link {
  readonly #url: string;

  constructor(
    url: string,
    readonly linkId: string,
    readonly expiresAt: string,
  ) {
    this.#url = url;
  }

  get url(): string {
    return this.#url;
  }
}

export class Token {
  readonly #accessToken: string;

  constructor(
    accessToken: string,
    /** Base URL of the organization's API. */
    readonly instanceUrl: string,
    readonly issuedAt: string | undefined,
    /** No promise: a token may end earlier. */
    readonly expiresAt: string | undefined,
    readonly scope: string | undefined,
  ) {
    this.#accessToken = accessToken;
  }

  /** For `Authorization: Bearer`. */
  get accessToken(): string {
    return this.#accessToken;
  }
}

const CONFIRMATIONS = { confirmed: 200, unknown_code: 404, wrong_chat: 409, too_many_guesses: 429 } as const;

/** What became of a message with a code. */
export interface Confirmation {
  status: keyof typeof CONFIRMATIONS;
  /** For the chat that the message came from. Absent after `unknown_code` where the message has no code after all. */
  userMessage?: string;
}

const STATUSES = ["never", "pending", "unconfirmed", "connected", "ended"] as const;

/** How a chat's connection stands. All but `status` may be absent. */
export interface Status {
  status: (typeof STATUSES)[number];
  reason?: EndReason;
  username?: string;
  orgId?: string;
  instanceUrl?: string;
  scope?: string;
  connectedAt?: string;
  refreshedAt?: string;
  reference?: string;
}

/** A webhook's event as it was sent. docs/EVENTS.md lists the fields of `data` by type; new ones may be added. */
export interface ConnectionEvent {
  id: string;
  /** `connection.created`, `connection.renewed`, … */
  type: string;
  /** The chat. */
  subject: string;
  time: string;
  data: {
    wa_id: string;
    attempt_id?: string;
    link_id?: string;
    reference?: string;
    message?: "sent" | "pending" | "unknown" | "undeliverable" | "withheld" | "off";
    username?: string;
    org_id?: string;
    instance_url?: string;
    scope?: string;
    reason?: string;
    salesforce_error?: string;
    next?: "relink" | "contact_admin" | "wait";
    relink_url?: string;
    user_message?: string;
  };
}

export interface QueryResult<T> {
  totalSize: number;
  done: boolean;
  records: T[];
}

export interface Settings {
  linksUrl: string;
  tokenUrl: string;
  statusUrl: string;
  disconnectUrl: string;
  confirmationsUrl: string;
  region: string;
  /** One secret, or several separated by spaces while they are rotated. */
  webhookSecret: string;
}

interface Answer {
  status: number;
  /** The parsed body; `undefined` if it is not JSON. */
  json: unknown;
  retryAfter: number | undefined;
}

/** An environment variable without a default. */
export function required(name: string): string {
  const value = process.env[name]?.trim();
  if (!value) throw new Error(`the environment variable ${name} is not set`);
  return value;
}

export class Client {
  readonly #settings: Settings;
  readonly #signer: SignatureV4;
  readonly #webhooks: Webhook[];

  constructor(settings: Settings) {
    const { linksUrl, tokenUrl, statusUrl, disconnectUrl, confirmationsUrl } = settings;
    for (const url of [linksUrl, tokenUrl, statusUrl, disconnectUrl, confirmationsUrl]) {
      if (!URL.canParse(url)) throw new Error("a URL of the stack is invalid");
    }
    this.#settings = settings;
    // The provider caches credentials and renews them before they expire.
    const { region } = settings;
    this.#signer = new SignatureV4({ service: "execute-api", region, credentials: defaultProvider(), sha256: Sha256 });
    try {
      const secrets = settings.webhookSecret.trim().split(/\s+/);
      this.#webhooks = secrets.map((secret) => new Webhook(secret));
    } catch {
      throw new Error("the webhook secret is invalid: expected whsec_ and base64");
    }
  }

  /** A client configured by environment variables. */
  static fromEnvironment(): Client {
    return new Client({
      linksUrl: required("LINKS_URL"),
      tokenUrl: required("CONNECTION_TOKEN_URL"),
      statusUrl: required("CONNECTION_STATUS_URL"),
      disconnectUrl: required("CONNECTION_DISCONNECT_URL"),
      confirmationsUrl: required("CONFIRMATIONS_URL"),
      region: required("AWS_REGION"),
      webhookSecret: required("BOT_WEBHOOK_SECRET"),
    });
  }

  /**
   * Makes a connect link for a chat.
   *
   * @param options.reference comes back in events and in the status
   * @param options.displayName what the person calls themself in WhatsApp: the link's page shows it, so that whoever
   *   opens it sees for whose chat it is. Only its first 64 characters are sent.
   * @param options.language the tag (BCP 47) of the language that they read, such as `es` or `pt-BR`
   */
  async link(
    waId: string,
    options: {
      reference?: string | undefined;
      loginUrl?: string | undefined;
      displayName?: string | undefined;
      language?: string | undefined;
    } = {},
  ): Promise<Link> {
    const call = "POST /links";
    const { reference, loginUrl, language } = options;
    const name = [...(options.displayName ?? "")].slice(0, DISPLAY_NAME_LIMIT).join("") || undefined;
    const body = { wa_id: waId, reference, login_url: loginUrl, display_name: name, language };
    const answer = await this.#post(call, this.#settings.linksUrl, body);
    const fields = fieldsOf(call, answer);
    return new Link(
      requiredText(call, answer, fields.url),
      requiredText(call, answer, fields.link_id),
      requiredText(call, answer, fields.expires_at),
    );
  }

  /**
   * Gets an access token that works. Nothing needs to be cached or refreshed here: the stack does both.
   *
   * @param options.rejected the access token that Salesforce answered with 401; only its hash is sent
   * @param options.minValidity how many seconds the token must remain valid, at most 7,200
   * @throws NotConnected, ConnectionEnded
   */
  async token(waId: string, options: { rejected?: string; minValidity?: number } = {}): Promise<Token> {
    const call = "POST /connections/token";
    const { rejected, minValidity } = options;
    const hash = rejected === undefined ? undefined : createHash("sha256").update(rejected).digest("hex");
    const body = { wa_id: waId, rejected: hash, min_validity: minValidity };
    const answer = await this.#post(call, this.#settings.tokenUrl, body);
    if (answer.status === 404 && codeOf(answer) === "not_connected") {
      throw new NotConnected("the chat has no connection");
    }
    if (answer.status === 409 && codeOf(answer) === "needs_reauthorization") {
      const ended = answer.json as Record<string, unknown>;
      const next = ended.next === "relink" || ended.next === "contact_admin" ? ended.next : undefined;
      throw new ConnectionEnded(safeCode(ended.reason) as EndReason | undefined, next, text(ended.relink_url));
    }
    const fields = fieldsOf(call, answer);
    return new Token(
      requiredText(call, answer, fields.access_token),
      requiredText(call, answer, fields.instance_url),
      text(fields.issued_at),
      text(fields.expires_at),
      text(fields.scope),
    );
  }

  /** The state of the chat's connection, without asking Salesforce. */
  async status(waId: string): Promise<Status> {
    const call = "POST /connections/status";
    const answer = await this.#post(call, this.#settings.statusUrl, { wa_id: waId });
    const { status, ...fields } = fieldsOf(call, answer);
    const known = STATUSES.find((each) => each === status);
    if (known === undefined) throw new CallFailed(call, answer.status, "invalid_response");
    const optional = {
      reason: text(fields.reason),
      username: text(fields.username),
      orgId: text(fields.org_id),
      instanceUrl: text(fields.instance_url),
      scope: text(fields.scope),
      connectedAt: text(fields.connected_at),
      refreshedAt: text(fields.refreshed_at),
      reference: text(fields.reference),
    };
    const present = Object.entries(optional).filter(([, value]) => value !== undefined);
    return { status: known, ...Object.fromEntries(present) };
  }

  /** Ends the chat's connection, if it has one. The stack sends the person a message about it. */
  async disconnect(waId: string): Promise<void> {
    const call = "POST /connections/disconnect";
    const answer = await this.#post(call, this.#settings.disconnectUrl, { wa_id: waId });
    if (answer.status !== 204) throw failure(call, answer);
  }

  /**
   * Passes on a message that `hasCode`, with the sender that WhatsApp names: nothing else may choose `waId`. Where the
   * chat and the browser are one person's, the account is connected, and the stack tells the chat.
   */
  async confirm(waId: string, message: string): Promise<Confirmation> {
    const call = "POST /confirmations";
    const answer = await this.#send(call, this.#settings.confirmationsUrl, { wa_id: waId, text: message });
    const fields = isObject(answer.json) ? answer.json : {};
    const name = answer.status === 200 ? fields.status : fields.error;
    for (const status of Object.keys(CONFIRMATIONS) as Confirmation["status"][]) {
      if (name !== status || answer.status !== CONFIRMATIONS[status]) continue;
      const userMessage = text(fields.user_message);
      return userMessage ? { status, userMessage } : { status };
    }
    if (isForLater(answer)) throw later(call, answer);
    throw answer.status === 200 ? new CallFailed(call, answer.status, "invalid_response") : failure(call, answer);
  }

  /**
   * Verifies a webhook's signature and returns its event.
   *
   * @param body the raw bytes of the request's body
   * @throws WebhookVerificationError
   */
  verify(headers: Record<string, string | string[] | undefined>, body: Buffer): ConnectionEvent {
    const names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
    const signed = Object.fromEntries(fields.filter(([name]) => names.includes(name)));
    for (const webhook of this.#webhooks) {
      try {
        const event = webhook.verify(body, signed);
        if (isEvent(event)) return event;
      } catch {
        // Try the next secret. The error is dropped: a parser's message may quote the body.
      }
    }
    throw new WebhookVerificationError("the webhook is not an event with a valid signature");
  }

  /**
   * Runs a SOQL query as the chat's Salesforce user. `soql` is sent as it is: escape any input in it.
   *
   * After a 401 it gets another token and retries once. A second 401 is not the token's fault, and fails.
   */
  async query<T>(waId: string, soql: string): Promise<QueryResult<T>> {
    const call = "GET query";
    const ask = async (token: Token): Promise<Answer> => {
      const url = new URL(`${token.instanceUrl}/${SALESFORCE_API}/query`);
      url.searchParams.set("q", soql);
      const headers = { accept: "application/json", authorization: `Bearer ${token.accessToken}` };
      return await request(call, url, { headers });
    };
    const first = await this.token(waId);
    let answer = await ask(first);
    if (answer.status === 401) answer = await ask(await this.token(waId, { rejected: first.accessToken }));
    if (isForLater(answer)) throw later(call, answer);
    if (!Array.isArray(fieldsOf(call, answer).records)) throw new CallFailed(call, answer.status, "invalid_response");
    return answer.json as QueryResult<T>;
  }

  /** Sends a signed request to the stack. Throws TryLater; returns every other answer, errors included. */
  async #post(call: string, address: string, fields: object): Promise<Answer> {
    const answer = await this.#send(call, address, fields);
    if (isForLater(answer)) throw later(call, answer);
    return answer;
  }

  /** Sends a signed request to the stack and returns any answer. Throws TryLater where there is none. */
  async #send(call: string, address: string, fields: object): Promise<Answer> {
    const url = new URL(address);
    const body = JSON.stringify(fields);
    const signed = await this.#signer.sign({
      method: "POST",
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      // fetch sends the same `host`, the port included where it is not the protocol's own.
      headers: { host: url.host, "content-type": "application/json" },
      body,
    });
    const { host: _, ...headers } = signed.headers;
    return await request(call, url, { method: "POST", headers, body });
  }
}

/** Sends a request and reads its answer. Redirects are not followed, because requests carry credentials. */
async function request(call: string, url: URL, init: RequestInit): Promise<Answer> {
  try {
    const response = await fetch(url, { ...init, redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
    const retryAfter = /^\d{1,5}$/.exec(response.headers.get("retry-after") ?? "");
    return {
      status: response.status,
      json: parse(await response.text()),
      retryAfter: retryAfter ? Number(retryAfter[0]) : undefined,
    };
  } catch (error) {
    // No `cause`: an error of fetch may quote the request's headers.
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    throw new TryLater(call, timedOut ? "time-out" : "no connection");
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** The fields of a successful answer. */
function fieldsOf(call: string, answer: Answer): Record<string, unknown> {
  if (answer.status !== 200) throw failure(call, answer);
  if (!isObject(answer.json)) throw new CallFailed(call, answer.status, "invalid_response");
  return answer.json;
}

/** 500 is API Gateway's too, where a function ended without an answer: as transient as 429 and 503. */
function isForLater({ status }: Answer): boolean {
  return status === 429 || status >= 500;
}

function later(call: string, answer: Answer): TryLater {
  return new TryLater(call, `HTTP status ${answer.status}`, answer.retryAfter);
}

function failure(call: string, answer: Answer): CallFailed {
  return new CallFailed(call, answer.status, codeOf(answer) ?? "unknown");
}

/** The error code: `error` of the stack, or `errorCode` of the first of Salesforce's errors. */
function codeOf({ json }: Answer): string | undefined {
  const errors: unknown = Array.isArray(json) ? json[0] : json;
  return isObject(errors) ? safeCode(errors.error ?? errors.errorCode) : undefined;
}

/** An error code; anything else, such as free text, is not repeated in an error. */
function safeCode(value: unknown): string | undefined {
  return typeof value === "string" && /^\w{1,64}$/.test(value) ? value : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function requiredText(call: string, answer: Answer, value: unknown): string {
  if (typeof value !== "string" || value === "") throw new CallFailed(call, answer.status, "invalid_response");
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEvent(value: unknown): value is ConnectionEvent {
  if (!isObject(value) || !isObject(value.data)) return false;
  return [value.id, value.type, value.subject].every((attribute) => typeof attribute === "string");
}

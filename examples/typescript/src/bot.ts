/**
 * A WhatsApp bot on Twilio that answers questions from each person's own Salesforce account.
 *
 * It stores nothing. When somebody who is not connected asks a question, the question is the `reference` of their link, and
 * comes back in the event that says that they are connected.
 *
 *     npm ci && npm run build && npm start
 *
 * Environment: LINKS_URL, CONNECTION_TOKEN_URL, CONNECTION_STATUS_URL, CONNECTION_DISCONNECT_URL, CONFIRMATIONS_URL,
 * AWS_REGION, AWS credentials, BOT_WEBHOOK_SECRET, PUBLIC_URL, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, WHATSAPP_SENDER;
 * optional: TWILIO_API_URL, HOST, PORT. Twilio sends incoming messages to PUBLIC_URL/messages, the stack sends events
 * (`BotWebhookUrl`) to PUBLIC_URL/events.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { CallFailed, ConnectionEnded, NotConnected, TryLater, WebhookVerificationError } from "./client.js";
import { Client, hasCode, required, type Confirmation, type ConnectionEvent, type Status } from "./client.js";
import { bareWord } from "./words.js";

const BODY_LIMIT = 64 * 1024;
const EVENTS_KEPT = 10_000;
/** Twilio's limit. */
const MESSAGE_LIMIT = 1_600;
/** The reference of a link for plain `connect`. Without one, the connection would keep that of an older question. */
const NO_QUESTION = "connect";

const stack = Client.fromEnvironment();
const host = process.env.HOST || "127.0.0.1";
const port = Number(process.env.PORT || 3000);
const messagesUrl = `${required("PUBLIC_URL").replace(/\/+$/, "")}/messages`;
const sender = required("WHATSAPP_SENDER");
const twilioAccount = required("TWILIO_ACCOUNT_SID");
const twilioToken = required("TWILIO_AUTH_TOKEN");
const twilioUrl = (process.env.TWILIO_API_URL || "https://api.twilio.com").replace(/\/+$/, "");

// Messages and their replies.

/** Somebody who writes. */
interface Person {
  /** Whom WhatsApp names as the sender of the message. */
  chat: string;
  /** What they call themself in WhatsApp. */
  name?: string | undefined;
}

/** The reply to a message as it came; `undefined` for none. */
async function reply(person: Person, raw: string): Promise<string | undefined> {
  const { chat, name } = person;
  // Before anything else: a code that became a question would come back as a `reference`.
  if (hasCode(raw)) {
    const { status, userMessage } = await confirm(chat, raw);
    if (status === "confirmed") return undefined; // the stack tells the person, or its event does
    if (userMessage !== undefined) return userMessage;
  }
  const message = oneLine(raw);
  switch (bareWord(message)) {
    case "connect": {
      const { url } = await stack.link(chat, { reference: NO_QUESTION, displayName: name });
      return `Tap to connect your Salesforce account: ${url}`;
    }
    case "disconnect":
      await stack.disconnect(chat); // the stack itself sends the message about it
      return undefined;
    case "status":
      return describe(await stack.status(chat));
    default:
      return await answer(person, message);
  }
}

async function confirm(chat: string, message: string): Promise<Confirmation> {
  try {
    return await stack.confirm(chat, message);
  } catch (error) {
    if (!(error instanceof TryLater)) throw error;
    return await stack.confirm(chat, message); // a repetition changes nothing and is answered alike
  }
}

function describe({ status, username }: Status): string {
  if (status === "pending") return "Your login is being processed.";
  if (status === "unconfirmed") return "One step is left: please send the code here that you saw after the login.";
  if (status !== "connected") return "You are not connected.";
  return username === undefined ? "You are connected." : `You are connected as ${username}.`;
}

/** The answer to a question, which needs a connection. */
async function answer({ chat, name }: Person, question: string): Promise<string> {
  try {
    if (question.toLowerCase() !== "accounts") {
      await stack.token(chat);
      return "I can answer: accounts, status, connect, disconnect.";
    }
    const { records } = await stack.query<{ Name?: unknown }>(chat, "SELECT Name FROM Account LIMIT 5");
    const names = records.map(({ Name }) => Name).filter((name) => typeof name === "string");
    return names.length === 0 ? "You have no accounts." : `Your accounts: ${names.join(", ")}`;
  } catch (error) {
    if (error instanceof ConnectionEnded && error.next === "contact_admin") {
      return "Salesforce no longer lets you in. Please ask your Salesforce administrator.";
    }
    if (!(error instanceof NotConnected || error instanceof ConnectionEnded)) throw error;
    // Not the error's `relinkUrl`: that link carries the reference of an older question.
    const { url } = await stack.link(chat, { reference: reference(question), displayName: name });
    return `First connect your Salesforce account: ${url}`;
  }
}

/** In one line: a reference has no control characters such as line breaks. */
function oneLine(message: string): string {
  return message.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ").trim();
}

/** The question within the limits of a reference: 1 to 512 characters. */
function reference(question: string): string {
  return [...question].slice(0, 512).join("") || NO_QUESTION;
}

/** Sends the reply, or an apology where there is none because of an error. Rejects only if nothing can be sent now. */
async function respond(chat: string, answering: Promise<string | undefined>): Promise<void> {
  const text = await answering.catch((error: unknown) => {
    if (error instanceof TryLater) {
      return "Salesforce does not answer at the moment. Please ask again in a little while.";
    }
    console.error(`message not answered: ${label(error)}`);
    return "Sorry, that did not work.";
  });
  if (text !== undefined) await send(chat, text);
}

async function send(chat: string, text: string): Promise<void> {
  const response = await fetch(`${twilioUrl}/2010-04-01/Accounts/${twilioAccount}/Messages.json`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`${twilioAccount}:${twilioToken}`).toString("base64")}` },
    body: new URLSearchParams({ From: sender, To: chat, Body: text.slice(0, MESSAGE_LIMIT) }),
    redirect: "manual",
    signal: AbortSignal.timeout(30_000),
  });
  await response.text();
  if (response.ok) return;
  const status = `HTTP status ${response.status}`;
  if (response.status === 429 || response.status >= 500) throw new TryLater("POST Messages.json", status);
  console.error(`message refused by Twilio: ${status}`); // final: sent again it would be refused again
}

/** An error for the log. Only the client's own messages are known to be free of personal data and secrets. */
function label(error: unknown): string {
  if (error instanceof CallFailed || error instanceof TryLater) return error.message;
  if (!(error instanceof Error)) return "unknown error";
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code === undefined ? error.name : `${error.name} (${code})`;
}

// Events from the stack.

/** How each event was or is being handled, by id, oldest first. */
const events = new Map<string, Promise<void>>();

/** Handles an event once. A duplicate that arrives while the first is being handled gets the same outcome. */
function once(event: ConnectionEvent): Promise<void> {
  // If the stack's message proves undeliverable, the same outcome comes as another event with a suffix to its id.
  const id = event.id.replace(/_(undeliverable|unknown)$/, "");
  let handling = events.get(id);
  if (handling === undefined) {
    handling = handle(event);
    events.set(id, handling);
    handling.catch(() => events.delete(id));
    for (const oldest of events.keys()) {
      if (events.size <= EVENTS_KEPT) break;
      events.delete(oldest);
    }
  }
  return handling;
}

async function handle({ type, subject: chat, data }: ConnectionEvent): Promise<void> {
  const isConnected = type === "connection.created" || type === "connection.renewed";
  // A stack that sends no messages has words for all but a success, which names the account: it may be another than meant.
  const as = data.username === undefined ? "" : ` as ${data.username}`;
  const text = data.user_message ?? (isConnected ? `Your Salesforce account is now connected${as}.` : undefined);
  if (data.message === "off" && text !== undefined) await send(chat, text);
  if (!isConnected) return;
  if (data.reference && data.reference !== NO_QUESTION) await respond(chat, answer({ chat }, data.reference));
}

// HTTP.

interface Response {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

const routes: Record<string, (request: IncomingMessage, body: Buffer) => Promise<Response>> = {
  "/messages": async ({ headers }, body) => {
    const form = new URLSearchParams(body.toString());
    if (!signedByTwilio(headers["x-twilio-signature"], form)) return { status: 403 };
    const chat = form.get("From");
    if (!chat) return { status: 400 };
    // Salesforce may take longer than the 15 seconds that Twilio waits, so the reply is not in this response.
    const person = { chat, name: form.get("ProfileName") ?? undefined };
    void respond(chat, reply(person, form.get("Body") ?? "")).catch((error: unknown) => {
      console.error(`reply not sent: ${label(error)}`);
    });
    return { status: 200, headers: { "content-type": "text/xml" }, body: "<Response/>" };
  },
  "/events": async ({ headers }, body) => {
    let event: ConnectionEvent;
    try {
      event = stack.verify(headers, body);
    } catch (error) {
      if (error instanceof WebhookVerificationError) return { status: 401 };
      throw error;
    }
    // Handled before it is acknowledged, so that an event interrupted by a crash is delivered again.
    await once(event);
    return { status: 204 };
  },
};

/** https://www.twilio.com/docs/usage/webhooks/webhooks-security */
function signedByTwilio(signature: string | string[] | undefined, form: URLSearchParams): boolean {
  const names = [...new Set(form.keys())].sort();
  const parameters = names.map((name) => [...new Set(form.getAll(name))].sort().map((value) => name + value).join(""));
  const expected = createHmac("sha1", twilioToken).update(messagesUrl + parameters.join("")).digest("base64");
  const given = Buffer.from(typeof signature === "string" ? signature : "");
  return given.length === expected.length && timingSafeEqual(given, Buffer.from(expected));
}

async function serve(request: IncomingMessage): Promise<Response> {
  const path = request.url?.split("?", 1)[0] ?? "";
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return { status: 404 };
  if (request.method !== "POST") return { status: 405, headers: { allow: "POST" } };
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= BODY_LIMIT) chunks.push(chunk); // the rest is discarded: closing early could lose the response
  }
  if (size > BODY_LIMIT) return { status: 413, headers: { connection: "close" } };
  return await route(request, Buffer.concat(chunks));
}

const server = createServer({ requestTimeout: 30_000 }, (request, response) => {
  serve(request)
    .catch((error: unknown): Response => {
      if (!request.destroyed || request.complete) console.error(`request failed: ${label(error)}`);
      return { status: 500 };
    })
    .then(({ status, headers, body }) => response.writeHead(status, headers).end(body));
});
server.on("error", (error: NodeJS.ErrnoException) => {
  console.error(`cannot listen on ${host}:${port}: ${error.code}`);
  process.exitCode = 1;
});
server.listen(port, host, () => {
  console.log(`listening on http://${host}:${(server.address() as AddressInfo).port}`);
});
// The process ends once the requests and replies in progress are done.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => server.close());

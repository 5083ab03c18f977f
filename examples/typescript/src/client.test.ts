import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { CallFailed, Client, TryLater, hasCode, type Confirmation } from "./client.js";

const CHAT = "whatsapp:+15551234567";
process.env.AWS_ACCESS_KEY_ID = "AKIDEXAMPLE";
process.env.AWS_SECRET_ACCESS_KEY = "secret-key";

/** What a call gives with an API that always answers this, and the bodies that the API was sent. */
async function withApi<T>(status: number, body: object, use: (client: Client) => Promise<T>): Promise<[T, unknown[]]> {
  const sent: unknown[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    sent.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.writeHead(status).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const urls = { linksUrl: url, tokenUrl: url, statusUrl: url, disconnectUrl: url, confirmationsUrl: url };
  try {
    return [await use(new Client({ ...urls, region: "us-east-1", webhookSecret: "whsec_c2VjcmV0" })), sent];
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("a code is recognised as people send it", () => {
  for (const separator of ["", "-", " ", "\u00a0", "\u2010", "\u2011", "\u2013", "\u2014", " - ", "- "]) {
    assert.ok(hasCode(`K7PW${separator}4MXR`), JSON.stringify(separator));
  }
  for (const message of [
    "k7pw-4mxr",
    "Confirmation code: K7PW-4MXR",
    "*K7PW-4MXR*.",
    "_K7PW-4MXR_",
    "\u200eK7PW-4MXR\u200f",
    "el código es K7PW-4MXR, gracias",
  ]) {
    assert.ok(hasCode(message), message);
  }
});

test("what is no code is none", () => {
  for (const message of [
    "",
    "accounts",
    "disconnect",
    "password",
    "73459823",
    "7KPW-4MXR",
    "K7PW-4MX",
    "K7PW-4MXRX",
    "xK7PW-4MXR",
    "K7PW-4MXO",
    "K7PW--4MXR",
    "K7PW   4MXR",
    "K7PW\n4MXR",
    "éK7PW4MXR",
    "K7PW4MXRé",
    `K7PW-4MXR${" ".repeat(4_096)}`,
  ]) {
    assert.ok(!hasCode(message), message);
  }
});

test("each answer to a code has its status", async () => {
  const answers: [number, object, Confirmation][] = [
    [200, { status: "confirmed", user_message: "Yes." }, { status: "confirmed", userMessage: "Yes." }],
    [404, { error: "unknown_code", user_message: "No." }, { status: "unknown_code", userMessage: "No." }],
    [404, { error: "unknown_code" }, { status: "unknown_code" }],
    [409, { error: "wrong_chat", user_message: "Careful." }, { status: "wrong_chat", userMessage: "Careful." }],
    [429, { error: "too_many_guesses", user_message: "Wait." }, { status: "too_many_guesses", userMessage: "Wait." }],
  ];
  for (const [status, body, expected] of answers) {
    const [confirmation, sent] = await withApi(status, body, (client) => client.confirm(CHAT, "K7PW-4MXR"));
    assert.deepEqual(confirmation, expected);
    assert.deepEqual(sent, [{ wa_id: CHAT, text: "K7PW-4MXR" }]);
  }
});

test("an answer of somebody else is no confirmation", async () => {
  const answers: [number, object, typeof CallFailed | typeof TryLater][] = [
    [404, { message: "Not Found" }, CallFailed],
    [200, { status: "connected" }, CallFailed],
    [429, { message: "Too Many Requests" }, TryLater],
    [503, { error: "unavailable" }, TryLater],
  ];
  for (const [status, body, failure] of answers) {
    await assert.rejects(withApi(status, body, (client) => client.confirm(CHAT, "K7PW-4MXR")), failure);
  }
});

test("a link says whose it is", async () => {
  const body = { url: "https://example.com/x", link_id: "0".repeat(32), expires_at: "2026-09-21T14:13:20Z" };
  const [, sent] = await withApi(200, body, async (client) => {
    await client.link(CHAT, { displayName: "🦀".repeat(100) });
    await client.link(CHAT, { displayName: "" });
  });
  assert.deepEqual(sent, [{ wa_id: CHAT, display_name: "🦀".repeat(64) }, { wa_id: CHAT }]);
});

test("a link may say the person's language", async () => {
  const body = { url: "https://example.com/x", link_id: "0".repeat(32), expires_at: "2026-09-21T14:13:20Z" };
  const [, sent] = await withApi(200, body, (client) => client.link(CHAT, { language: "pt-BR" }));
  assert.deepEqual(sent, [{ wa_id: CHAT, language: "pt-BR" }]);
});

test("a login that waits for its code has a status", async () => {
  const [status] = await withApi(200, { status: "unconfirmed" }, (client) => client.status(CHAT));
  assert.deepEqual(status, { status: "unconfirmed" });
});

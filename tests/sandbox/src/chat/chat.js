"use strict";

const query = new URLSearchParams(location.search);
// A `+` typed into the address bar arrives as a space.
const number = (name, usual) => (query.get(name) || usual).replace(" ", "+");
const aside = document.querySelector("aside");
const events = document.getElementById("events");
const opened = Date.now();

// The first phone's elements have plain ids, the second one's end in -2.
const phones = [
  { name: "Ada", field: "wa_id", waId: number("wa_id", "whatsapp:+15551234567"), suffix: "" },
  { name: "Grace", field: "other_wa_id", waId: number("other_wa_id", "whatsapp:+15557654321"), suffix: "-2" },
];

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function clock(time, seconds) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: seconds });
}

// The result, an error too, arrives in the chat.
function post(path, body) {
  return fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

async function disabledWhile(button, work) {
  button.disabled = true;
  try {
    await work();
  } finally {
    button.disabled = false;
  }
}

const ADDRESS = /(https?:\/\/\S+)/;

function withLinks(text) {
  const paragraph = element("p");
  for (const part of text.split(ADDRESS)) {
    if (!/^https?:\/\//.test(part)) {
      paragraph.append(part);
      continue;
    }
    const link = element("a", "", part);
    link.href = part;
    link.target = "_blank";
    paragraph.append(link);
  }
  return paragraph;
}

function connectLink(url) {
  const link = element("a", "connect-link", "Connect Salesforce");
  link.href = url;
  link.target = "_blank";
  link.rel = "noopener";
  return link;
}

// Person to person: the bot sees nothing of it.
function forwarding(phone, url) {
  const other = phones.find((each) => each !== phone);
  const button = element("button", "forward", `Forward to ${other.name}`);
  button.type = "button";
  button.addEventListener("click", () =>
    disabledWhile(button, () => post("/chat/forward", { wa_id: phone.waId, to: other.waId, url })));
  return button;
}

function bubble(entry, side, content, carrier) {
  const item = element("li", `bubble ${side}`);
  item.classList.toggle("new", entry.at_ms > opened);
  const meta = element("span", "meta", [carrier, clock(entry.at_ms, "2-digit")].filter(Boolean).join(" · "));
  if (side === "out") meta.prepend(element("span", "ticks", "✓✓"), " ");
  const [text, ...rest] = content;
  item.append(text, meta, ...rest);
  return item;
}

const show = {
  asked: (entry, phone) => phone.conversation.append(bubble(entry, "out", [element("p", "", entry.text)])),
  said(entry, phone) {
    const names = { twilio: "Twilio", meta: "Meta" };
    const carrier = entry.via && names[entry.via.provider] + (entry.via.template ? " template" : "");
    const url = entry.text.match(ADDRESS)?.[0];
    const content = [withLinks(entry.text), ...(url ? [forwarding(phone, url)] : [])];
    const item = bubble(entry, "in", content, carrier);
    item.classList.add("message");
    phone.conversation.append(item);
  },
  link(entry, phone) {
    const until = entry.expires_at ? ` It works until ${clock(entry.expires_at)}.` : "";
    const text = element("p", "", `Tap here to log in at Salesforce.${until}`);
    phone.conversation.append(bubble(entry, "in", [text, connectLink(entry.url), forwarding(phone, entry.url)]));
  },
  forwarded(entry, phone) {
    const from = phones.find((each) => each.waId === entry.from)?.name ?? entry.from;
    const text = element("p", "", "Connect your Salesforce here, please!");
    const item = bubble(entry, "in", [text, connectLink(entry.url)], `forwarded by ${from}, not by the bot`);
    item.classList.add("forwarded");
    phone.conversation.append(item);
  },
  trouble: (entry, phone) => phone.conversation.append(element("li", "note trouble", entry.text)),
  heard(entry, phone) {
    const { type, data } = entry.event;
    const item = element("li", `event ${type.split(".").pop()}`);
    item.dataset.type = type;
    const heading = element("h2", "", type);
    heading.append(element("time", "", clock(entry.at_ms, "2-digit")));
    const about = [phone.name, data.username, data.reason, data.next && `next: ${data.next}`];
    const details = element("details");
    details.append(element("summary", "", "event"), element("pre", "", JSON.stringify(entry.event, null, 2)));
    item.append(heading, element("p", "", about.filter(Boolean).join(" · ")), details);
    events.prepend(item);
  },
};

function build(phone) {
  const { name, waId, suffix } = phone;
  const section = document.getElementById("phone").content.cloneNode(true).firstElementChild;
  const find = (selector) => section.querySelector(selector);
  section.setAttribute("aria-label", `${name}’s WhatsApp chat`);
  find(".owner").textContent = `${name}\n${waId.replace("whatsapp:", "")}`;
  const [presence, connect, write, label, input] =
    [".presence", ".connect", ".write", ".write label", ".write input"].map(find);
  phone.conversation = find(".conversation");
  phone.conversation.id = `conversation${suffix}`;
  connect.id = `connect-salesforce${suffix}`;
  input.id = `message${suffix}`;
  input.value = query.get("text") ?? "";
  label.htmlFor = input.id;
  label.textContent = `${name} writes to the bot`;
  document.getElementById(phone.field).value = waId;
  aside.before(section);

  const stream = new EventSource(`/chat/stream?wa_id=${encodeURIComponent(waId)}`);
  stream.onopen = () => { presence.textContent = "online"; };
  stream.onerror = () => { presence.textContent = "waiting for the sandbox…"; };
  stream.onmessage = ({ data }) => {
    const entry = JSON.parse(data);
    show[entry.kind](entry, phone);
    phone.conversation.scrollTop = phone.conversation.scrollHeight;
  };

  connect.addEventListener("click", () =>
    disabledWhile(connect, () => post("/chat/connect", { wa_id: waId, profile_name: name })));
  write.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    input.value = "";
    input.focus();
    if (text) post("/chat/send", { wa_id: waId, text, profile_name: name });
  });
}

phones.forEach(build);
document.getElementById("typed").hidden = !query.get("text");

"use strict";

// A `+` typed into the address bar arrives as a space.
const waId = (new URLSearchParams(location.search).get("wa_id") || "whatsapp:+15551234567").replace(" ", "+");
const conversation = document.getElementById("conversation");
const events = document.getElementById("events");
const button = document.getElementById("connect-salesforce");
const presence = document.getElementById("presence");
const opened = Date.now();
document.getElementById("wa_id").value = waId;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function clock(time, seconds) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: seconds });
}

function withLinks(text) {
  const paragraph = element("p");
  for (const part of text.split(/(https?:\/\/\S+)/)) {
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
  asked: (entry) => conversation.append(bubble(entry, "out", [element("p", "", entry.text)])),
  said(entry) {
    const names = { twilio: "Twilio", meta: "Meta" };
    const carrier = entry.via && names[entry.via.provider] + (entry.via.template ? " template" : "");
    const item = bubble(entry, "in", [withLinks(entry.text)], carrier);
    item.classList.add("message");
    conversation.append(item);
  },
  link(entry) {
    const until = entry.expires_at ? ` It works until ${clock(entry.expires_at)}.` : "";
    const link = element("a", "connect-link", "Connect Salesforce");
    link.href = entry.url;
    link.target = "_blank";
    link.rel = "noopener";
    conversation.append(bubble(entry, "in", [element("p", "", `Tap here to log in at Salesforce.${until}`), link]));
  },
  trouble: (entry) => conversation.append(element("li", "note trouble", entry.text)),
  heard(entry) {
    const { type, data } = entry.event;
    const item = element("li", `event ${type.split(".").pop()}`);
    item.dataset.type = type;
    const heading = element("h2", "", type);
    heading.append(element("time", "", clock(entry.at_ms, "2-digit")));
    const about = [data.username, data.reason, data.next && `next: ${data.next}`].filter(Boolean).join(" · ");
    const details = element("details");
    details.append(element("summary", "", "event"), element("pre", "", JSON.stringify(entry.event, null, 2)));
    item.append(heading, element("p", "", about), details);
    events.prepend(item);
  },
};

const stream = new EventSource(`/chat/stream?wa_id=${encodeURIComponent(waId)}`);
stream.onopen = () => { presence.textContent = "online"; };
stream.onerror = () => { presence.textContent = "waiting for the sandbox…"; };
stream.onmessage = ({ data }) => {
  const entry = JSON.parse(data);
  show[entry.kind](entry);
  conversation.scrollTop = conversation.scrollHeight;
};

button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    // The result, an error too, arrives in the chat.
    await fetch("/chat/connect", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ wa_id: waId }),
    });
  } finally {
    button.disabled = false;
  }
});

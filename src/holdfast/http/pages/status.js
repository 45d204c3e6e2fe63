// The status page: what the node says of itself, for people who are not AI engineers.
"use strict";

const EVERY_MS = 3000;
const TIER_WORDS = { full: "full model", small: "small model", rules: "built-in rules" };
const ANSWERS = { full: "the full model answers", small: "the small model answers", rules: "the built-in rules answer" };
const KINDS = { ok: "good", degraded: "warn", unready: "bad" };

const place = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const spoken = (word) => String(word).replaceAll("_", " ");
const bytes = (count) => (count >= 2 ** 30 ? `${(count / 2 ** 30).toFixed(1)} GiB` : `${Math.round(count / 2 ** 20)} MiB`);

function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function when(at) {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? at : time.toLocaleString();
}

function card(what, figure, more = "") {
  return element("div", { class: "card" }, element("div", { class: "what" }, what),
    element("div", { class: "figure" }, figure), element("div", { class: "more" }, more));
}

function row(...cells) {
  const made = element("tr");
  for (const cell of cells) made.append(element("td", {}, cell));
  return made;
}

function fill(id, rows, empty) {
  const body = place(id);
  body.replaceChildren(...rows);
  if (!rows.length) body.append(element("tr", {}, element("td", { colspan: "5", class: "soft" }, empty)));
}

function verdict(status) {
  const { health } = status;
  const banner = place("verdict");
  banner.className = `banner ${KINDS[health.status]}`;
  const who = ANSWERS[health.tier] || health.tier;
  const said = {
    ok: `All well: ${who}.`,
    degraded: `Answering, but not at its best: ${who}.`,
    unready: "Not ready: tickets are refused until this is mended.",
  }[health.status];
  const why = health.reasons.length ? ` Because: ${health.reasons.map(spoken).join(", ")}.` : "";
  banner.textContent = said + why;
  place("version").textContent = `version ${status.version}, up ${span(status.uptime_s)}`;
}

function alerts(found) {
  place("alerts").replaceChildren(...found.map((one) => element("div",
    { class: `banner ${one.severity === "critical" ? "bad" : "warn"}` },
    element("strong", {}, one.sentence), " ", one.next_step)));
}

function cards(status) {
  const { health } = status;
  const answered = Object.values(status.answered).reduce((sum, one) => sum + one, 0);
  const memory = Object.values(status.memory_bytes).reduce((sum, one) => sum + one, 0);
  place("cards").replaceChildren(
    card("Tickets answered since start", String(answered)),
    card("Package", `${health.package} ${health.version}`, health.package === "builtin" ? "part of Holdfast" : health.unsigned ? "unsigned" : "signed"),
    card("Ledger", spoken(health.ledger), `${status.ledger_entries} entries`),
    card("Memory in use", bytes(memory), Object.entries(status.memory_bytes).map(([name, size]) => `${name} ${bytes(size)}`).join(", ")),
    card("Disk free", bytes(status.disk_free_bytes)),
    card("Temperature", status.temperature_c === null ? "no sensor" : `${status.temperature_c.toFixed(0)} °C`),
    card("Access", status.open_access ? "this machine only" : "by token", status.open_access ? "there are no tokens" : ""));
}

async function read(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

function packageState(one) {
  if (one.bad) return element("span", { class: "bad" }, `bad: ${one.bad}`);
  return [one.active && "active", one.previous && "previous", one.pinned && "pinned"].filter(Boolean).join(", ") || "installed";
}

async function draw() {
  const [status, tiers, history, packages] = await Promise.all(
    ["/v1/node/status", "/v1/node/tiers", "/v1/tiers/history?limit=20", "/v1/node/packages"].map(read));
  verdict(status);
  alerts(status.alerts);
  cards(status);
  fill("tiers", tiers.tiers.map((one) => row(TIER_WORDS[one.tier] || one.tier,
    element("span", { class: one.available ? "good" : "warn" },
      one.available ? "available" : `not available: ${spoken(one.reason || "")}`),
    String(status.answered[one.tier] || 0), String(one.depth), `${one.variant} ${one.runtime}`.trim() || "–")), "no tier");
  fill("history", history.transitions.map((one) => row(when(one.at), `${TIER_WORDS[one.before]} → ${TIER_WORDS[one.after]}`,
    spoken(one.reason), one.temperature_c === null ? "–" : `${one.temperature_c.toFixed(0)} °C`,
    one.available_bytes === null ? "–" : bytes(one.available_bytes))), "none yet");
  fill("packages", packages.packages.map((one) => row(`${one.name} ${one.version}`, packageState(one),
    one.unsigned ? element("span", { class: "warn" }, "unsigned") : "signed", when(one.installed_at),
    element("code", {}, one.digest.slice(0, 19) + "…"))), "none installed: the built-in rules answer");
}

async function keepDrawing() {
  try {
    await draw();
  } catch (error) {
    place("verdict").className = "banner bad";
    place("verdict").textContent = `The node does not answer (${error.message}). Is it running?`;
  }
  setTimeout(keepDrawing, EVERY_MS);
}

keepDrawing();

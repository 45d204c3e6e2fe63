// Draws /openapi.json. Text only ever enters the page through textContent.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function resolve(api, schema) {
  if (!schema || !schema.$ref) return schema || {};
  return schema.$ref.slice(2).split("/").reduce((place, key) => place[key.replaceAll("~1", "/")], api);
}

function nameOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(nameOf).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return "list of " + nameOf(schema.items || {});
  return schema.type || "any";
}

function limits(schema) {
  const said = [];
  for (const [key, words] of [["minimum", "at least"], ["maximum", "at most"], ["exclusiveMinimum", "more than"],
    ["maxLength", "length at most"], ["maxItems", "items at most"]]) {
    if (schema[key] !== undefined) said.push(`${words} ${schema[key]}`);
  }
  if (schema.default !== undefined) said.push(`default ${JSON.stringify(schema.default)}`);
  return said.join(", ");
}

function fields(api, reference, seen = new Set()) {
  const schema = resolve(api, reference);
  if (!schema.properties) return element("p", { class: "soft" }, nameOf(reference || {}), " ", schema.description || "");
  const required = new Set(schema.required || []);
  const body = element("tbody");
  const nested = [];
  for (const [name, property] of Object.entries(schema.properties)) {
    const note = [property.description || resolve(api, property).description || "", limits(property)].filter(Boolean).join(" · ");
    body.append(element("tr", {},
      element("td", {}, element("code", {}, name), required.has(name) ? "" : element("span", { class: "soft" }, " optional")),
      element("td", {}, nameOf(property)), element("td", { class: "soft" }, note)));
    const inner = [property, property.items, ...(property.anyOf || [])].find((one) => one && one.$ref);
    if (inner && !seen.has(inner.$ref)) {
      seen.add(inner.$ref);
      nested.push(inner);
    }
  }
  const head = element("tr", {}, element("th", {}, "field"), element("th", {}, "type"), element("th", {}, "meaning"));
  const box = element("div", {}, element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), body)));
  for (const inner of nested) {
    box.append(element("details", {}, element("summary", {}, nameOf(inner)), fields(api, inner, seen)));
  }
  return box;
}

function content(api, holder) {
  const media = Object.entries((holder && holder.content) || {})[0];
  if (!media) return "";
  return element("div", {}, element("p", { class: "soft" }, media[0]), fields(api, media[1].schema || {}));
}

function operation(api, path, method, described) {
  const box = element("details", { class: "operation" },
    element("summary", {}, element("span", { class: "verb" }, method.toUpperCase()), element("code", {}, path), " ",
      element("span", { class: "soft" }, described.summary || "")));
  if (described.description) box.append(element("p", {}, described.description));
  const parameters = (described.parameters || []).map((one) => resolve(api, one));
  if (parameters.length) {
    const body = element("tbody");
    for (const one of parameters) {
      body.append(element("tr", {}, element("td", {}, element("code", {}, one.name)), element("td", {}, one.in),
        element("td", {}, nameOf(one.schema || {})), element("td", { class: "soft" }, one.description || "")));
    }
    box.append(element("h3", {}, "Parameters"), element("div", { class: "scroll" }, element("table", {}, body)));
  }
  if (described.requestBody) box.append(element("h3", {}, "Request"), content(api, resolve(api, described.requestBody)));
  for (const [status, answer] of Object.entries(described.responses || {})) {
    const full = resolve(api, answer);
    box.append(element("h3", {}, status, " ", element("span", { class: "soft" }, full.description || "")), content(api, full));
  }
  return box;
}

const GROUPS = [["/v1/triage", "Triage"], ["/v2", "Open Inference Protocol"], ["/v1/models", "OpenAI shapes"],
  ["/v1/embeddings", "OpenAI shapes"], ["/v1/node", "The node"], ["/v1/tiers", "The node"], ["/v1/operator", "Operator"]];

function groupOf(path) {
  const found = GROUPS.find(([prefix]) => path.startsWith(prefix));
  return found ? found[1] : "Health and pages";
}

function draw(api) {
  document.getElementById("version").textContent = `${api.info.title} ${api.info.version}`;
  const place = document.getElementById("operations");
  place.replaceChildren();
  const byTag = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((one) => methods[one])) {
      const tag = (methods[method].tags || [groupOf(path)])[0];
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push(operation(api, path, method, methods[method]));
    }
  }
  for (const [tag, operations] of byTag) place.append(element("section", {}, element("h2", {}, tag), ...operations));
}

document.getElementById("search").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const box of document.querySelectorAll(".operation")) {
    box.hidden = !box.textContent.toLowerCase().includes(wanted);
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = ![...section.querySelectorAll(".operation")].some((box) => !box.hidden);
  }
});

fetch("/openapi.json")
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`status ${response.status}`))))
  .then(draw)
  .catch((error) => {
    document.getElementById("operations").textContent = `Could not read /openapi.json: ${error.message}. Reload to try again.`;
  });

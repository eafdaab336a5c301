"use strict";
// What the pages share: elements, requests, numbers, tables and forms. Text is only ever set as text.

const $ = (id) => document.getElementById(id);

function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "on") element.addEventListener(...value);
    else if (name === "class") element.className = value;
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) =>
    child instanceof Node ? child : document.createTextNode(String(child))));
  return element;
}

// The address has the token once. It stays in this tab, for this port; a cookie would go to every port of this machine.
const BASE = location.pathname; // "/", or that of a crawl of crawler serve
const given = new URLSearchParams(location.search).get("token");
if (given !== null) {
  sessionStorage.setItem("token", given);
  history.replaceState(null, "", BASE + location.hash);
}

async function call(path, options = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem("token") ?? ""}` };
  const response = await fetch(path, { ...options, headers });
  if (response.status === 403) throw new Error((await response.text()).trim());
  return response;
}

async function linkTo(path, query = {}) { // opens once, within 30 s, for what sends no header fields
  const response = await call("/api/link", { method: "POST", body: JSON.stringify({ path: BASE + path }) });
  return `${BASE}${path}?${new URLSearchParams({ ...query, link: (await response.json()).link })}`;
}

async function ask(path, query = {}) {
  const response = await call(`${BASE}api/${path}?${new URLSearchParams(query)}`);
  const value = await response.json();
  if (!response.ok) throw new Error(value.error);
  return value;
}

async function act(path, values = {}) {
  try {
    const response = await call(`${BASE}api/${path}`, { method: "POST", body: JSON.stringify(values) });
    const value = await response.json();
    say(response.ok ? "" : value.error);
    return response.ok ? value : null;
  } catch (error) {
    say("There is no answer: the program may have ended.");
    return null;
  }
}

function say(text) {
  $("message").textContent = text;
  if (text) setTimeout(() => { if ($("message").textContent === text) $("message").textContent = ""; }, 6000);
}

// ---- numbers --------------------------------------------------------------------------------------------------------

const count = (n) => n.toLocaleString("en");
const clock = (time) => new Date(time * 1000).toLocaleTimeString();

function size(n) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (n < 1000 || unit === "GB") return unit === "B" ? `${Math.round(n)} B` : `${n.toFixed(1)} ${unit}`;
    n /= 1000;
  }
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 99.5) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.round(minutes / 1440)} d`;
}

function table(caption, heads, rows) {
  const cells = (tag, values) => values.map((value, place) =>
    make(tag, { class: heads[place][1] || null, scope: tag === "th" ? "col" : null }, value instanceof Node ? value : value ?? ""));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    make("table", {}, make("caption", {}, caption),
      make("thead", {}, make("tr", {}, ...cells("th", heads.map((head) => head[0])))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells("td", row))))));
}

const button = (text, label, action) => make("button", { type: "button", "aria-label": label, on: ["click", action] }, text);

function field(label, name, options = {}) {
  return make("label", {}, label, make("input", { name, ...options }));
}

function form(text, fields, submit) {
  return make("form", { on: ["submit", (event) => { event.preventDefault(); submit(new FormData(event.target), event.target); }] },
    ...fields, make("button", { type: "submit" }, text));
}

const tile = (name, value) => make("div", { class: "tile" }, make("b", {}, value), make("span", {}, name));

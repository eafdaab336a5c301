"use strict";
// The web page of a crawl. Views are functions that return elements.

let now = null; // the last snapshot
let ended = false;
let plots = [];

// ---- views ----------------------------------------------------------------------------------------------------------

function tiles() {
  return make("div", { class: "tiles", id: "tiles" },
    tile("pages", count(now.pages)), tile("pages a second", now.pages_per_second.toFixed(1)), tile("items", count(now.items)),
    tile("waiting", count(now.waiting)), tile("in flight", count(now.in_flight)), tile("failed", count(now.failed)),
    tile("retries", count(now.retries)), tile("not requested", count(now.filtered)), tile("received", size(now.body_bytes)),
    tile("left, at least", duration(now.seconds_left)), tile("running", duration(now.seconds)), tile("hosts", count(now.host_count)));
}

const PLOTS = [
  ["Pages a second", "pages"], ["Waiting requests", "waiting"], ["Seconds a page, recent mean", "seconds"], ["Bytes a second", "bytes"],
];

const views = {
  async overview() {
    const points = await ask("history");
    const statuses = Object.entries(now.statuses).map(([status, n]) => [status, count(n)]);
    const boxes = PLOTS.map(([title]) => make("div", { class: "plot", role: "img", "aria-label": `Plot: ${title}` }));
    plots = PLOTS.map(([title, name], place) => [boxes[place], title, name]);
    requestAnimationFrame(() => draw(points));
    return [make("h2", {}, "Overview"), tiles(), make("div", { class: "plots" }, ...boxes),
      table("Responses by status", [["status"], ["responses", "n"]], statuses)];
  },

  async hosts() {
    const rows = now.hosts.map((host) => [
      host.name, make("span", { class: host.state }, host.words), count(host.in_flight), `${count(host.waiting)}${host.has_more ? "+" : ""}`,
      count(host.requests), count(host.refusals), make("span", {}, ...host.quotas.map(gauge)), limits(host), controls(host)]);
    return [make("h2", {}, "Hosts"), table(`The ${rows.length} busiest of ${count(now.host_count)} hosts with requests in memory`,
      [["host", "url"], ["state"], ["in flight", "n"], ["waiting", "n"], ["requests", "n wide"], ["refusals", "n wide"], ["quotas"],
        ["limits", "wide"], ["control"]], rows)];
  },

  async failures() {
    const found = await ask("failures");
    const kinds = Object.entries(found.kinds).map(([kind, n]) => [kind, count(n),
      button("Retry", `Retry ${kind}`, async () => {
        const done = await act("retry", { kind });
        if (done) say(`${done.retried} requests are sent again.`);
      })]);
    const latest = found.latest.map((entry) => [clock(entry.time), entry.kind, entry.url, make("div", {}, entry.message,
      entry.traceback ? make("details", {}, make("summary", {}, "traceback"), make("pre", {}, entry.traceback)) : null)]);
    return [make("h2", {}, "Failures"), table("By kind", [["kind"], ["failed", "n"], [""]], kinds),
      table("The latest", [["time", "wide time"], ["kind"], ["URL", "url"], ["message"]], latest)];
  },

  async items() {
    const found = await ask("items");
    const fields = Object.entries(found.fields).map(([name, n]) => [name,
      make("meter", { min: 0, max: found.total || 1, value: n, "aria-label": `items with ${name}` }), `${(100 * n / (found.total || 1)).toFixed(1)} %`]);
    const dropped = Object.entries(found.dropped).map(([reason, n]) => [reason, count(n)]);
    const latest = found.latest.map((entry) => [clock(entry.time), make("pre", {}, entry.item), entry.url]);
    return [make("h2", {}, "Items"), table(`Fields with a value, of ${count(found.total)} items`, [["field"], ["share"], ["", "n"]], fields),
      dropped.length ? table("Dropped", [["reason"], ["items", "n"]], dropped) : null,
      table("The latest", [["time", "wide time"], ["item"], ["page", "url wide"]], latest)];
  },

  async pages(query = {}) {
    const found = await ask("pages", query);
    const rows = found.map((page) => [clock(page.time), make("span", { class: page.status < 400 ? "" : "bad" }, page.status), page.url,
      `${Math.round(page.seconds * 1000)} ms`, size(page.bytes), page.depth, page.callback]);
    const answer = make("div", { id: "explained", "aria-live": "polite" });
    return [make("h2", {}, "Pages"),
      form("Search", [field("Part of the URL, or a status", "q", { value: query.q })], (data) => render("pages", { q: data.get("q") })),
      form("Explain", [field("What does the crawl know of this URL?", "url", { type: "url", required: "" })], async (data) => {
        try { answer.replaceChildren(explained(await ask("explain", { url: data.get("url") }))); } catch (error) { say(error.message); }
      }), answer,
      table("The latest pages", [["time", "wide time"], ["status"], ["URL", "url"], ["time", "n wide"], ["size", "n wide"], ["depth", "n"], ["callback", "wide"]], rows)];
  },

  async queue(query = {}) {
    const found = await ask("queue", query);
    const hosts = found.hosts.map((host) => [
      make("a", { href: `#queue?host=${encodeURIComponent(host.id)}` }, host.name), `${count(host.waiting)}${host.has_more ? "+" : ""}`]);
    const rows = found.requests.map((request) => [request.priority, request.depth, request.url, request.callback]);
    return [make("h2", {}, "Queue"),
      form("Exclude", [field("Drop requests whose URL matches this regular expression (RE2)", "pattern", { required: "" })], async (data, sent) => {
        if (await act("exclude", { pattern: data.get("pattern") })) { sent.reset(); say("Excluded from now on."); }
      }),
      now.excluded.length ? make("p", {}, `Excluded: ${now.excluded.join(", ")}`) : null,
      table("Waiting by host", [["host", "url"], ["waiting", "n"]], hosts),
      table(`Next requests of ${found.host || "–"}`, [["priority", "n"], ["depth", "n"], ["URL", "url"], ["callback", "wide"]], rows)];
  },

  async job() {
    const found = await ask("job");
    const rows = found.runs.map((run, place) => [place + 1, ...["pages", "items", "failed"].map((name) => count(run[name] ?? 0)),
      duration(run.seconds ?? null), run.finished ?? ""]);
    return [make("h2", {}, "Job"), make("p", {}, found.durable
      ? "This crawl is a durable job: the same command resumes it." : "This crawl is kept in memory: it cannot be resumed. Use --job DIR."),
      rows.length ? table("Earlier runs", [["run", "n"], ["pages", "n"], ["items", "n"], ["failed", "n"], ["time", "n"], ["ended"]], rows) : null,
      make("h2", {}, "Settings"), ...(await settings())];
  },

  async log() {
    const found = await ask("log");
    const rows = found.records.map((record) => [clock(record.time),
      make("span", { class: ["ERROR", "CRITICAL"].includes(record.level) ? "bad" : record.level === "WARNING" ? "waiting" : "quiet" }, record.level),
      make("pre", {}, record.text), record.logger]);
    return [make("h2", {}, "Log and alerts"), ...found.problems.map((problem) => make("p", { class: "bad" }, problem)),
      table("The latest records", [["time", "wide time"], ["level"], ["message"], ["logger", "wide"]], rows)];
  },
};

async function settings() {
  const rows = (await ask("settings")).map((setting) => [setting.name,
    make("span", { class: setting.given ? "" : "quiet" }, typeof setting.value === "string" ? setting.value : JSON.stringify(setting.value))]);
  return [table("Values in force; those that were given are dark", [["setting"], ["value", "url"]], rows)];
}

function gauge(quota) {
  const parts = [`${quota.policy} `];
  if (quota.remaining !== null) {
    parts.push(make("meter", { min: 0, max: quota.limit, low: quota.limit * 0.2, optimum: quota.limit, value: quota.remaining,
      "aria-label": `left of ${quota.policy}` }), ` ${count(quota.remaining)} of ${count(quota.limit)}`);
  } else parts.push(count(quota.limit));
  if (quota.used_up_at !== null) parts.push(`, used up in ${duration(quota.used_up_at - now.time)}`);
  if (quota.reset_at !== null && quota.reset_at > now.time) parts.push(`, resets in ${duration(quota.reset_at - now.time)}`);
  return make("div", {}, ...parts);
}

function limits(host) {
  const parts = [`${host.concurrency} at once`];
  if (host.delay) parts.push(`${host.delay} s between two`);
  return [...parts, ...host.rates].join(", ");
}

function controls(host) {
  const paused = host.words === "paused";
  return make("div", {},
    button(paused ? "Resume" : "Pause", `${paused ? "Resume" : "Pause"} ${host.name}`,
      async () => { await act(paused ? "resume" : "pause", { lane: host.id }); await refresh(); }),
    make("details", {}, make("summary", { "aria-label": `Pace of ${host.name}` }, "pace"),
      form("Set", [field("delay, s", "delay", { type: "number", min: 0, step: "any", class: "short" }),
        field("at once", "concurrency", { type: "number", min: 1, class: "short" })], async (data) => {
        const values = { lane: host.id };
        for (const name of ["delay", "concurrency"]) if (data.get(name) !== "") values[name] = Number(data.get(name));
        if (await act("pace", values)) say(`The pace of ${host.name} is changed.`);
      })));
}

function explained(facts) {
  const robots = { true: "allowed", false: "denied", null: "not known yet" }[facts.robots_allows];
  const rows = [["URL", facts.url], ["belongs to the crawl", facts.refused_by ? `no: ${facts.refused_by}` : facts.excluded ? "no: excluded on this page" : "yes"],
    ["robots.txt", robots], ["known", facts.is_known ? "yes" : "not in memory"], ["waits", facts.is_waiting ? "yes" : "no"],
    ["found on", facts.found_on || "not remembered"],
    ["fetched", facts.page ? `at ${clock(facts.page.time)}: status ${facts.page.status}` : "not among the recent pages"],
    ["failed", facts.failure ? `${facts.failure.kind}: ${facts.failure.message}` : "no"]];
  return make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

// ---- plots ----------------------------------------------------------------------------------------------------------

function draw(points) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") } };
  for (const [box, title, name] of plots) {
    box.replaceChildren();
    new uPlot({
      title, width: Math.max(240, box.clientWidth - 18), height: 190, legend: { show: false }, cursor: { show: false },
      axes: [axis, { ...axis, size: 64, values: (plot, values) => values.map((value) => (name === "bytes" ? size(value) : value)) }],
      scales: { y: { range: (plot, low, high) => [0, Math.max(1e-3, high || 1)] } },
      series: [{}, { stroke: colour("accent"), width: 2, fill: `${colour("accent")}22` }],
    }, [points.map((point) => point.time), points.map((point) => point[name])], box);
  }
}

// ---- the frame ------------------------------------------------------------------------------------------------------

const TITLES = { overview: "Overview", hosts: "Hosts", failures: "Failures", items: "Items", pages: "Pages", queue: "Queue", job: "Job", log: "Log" };

function place() {
  const [name, query] = location.hash.slice(1).split("?");
  return [views[name] ? name : "overview", Object.fromEntries(new URLSearchParams(query || ""))];
}

async function render(name, query) {
  if (now === null) return;
  try {
    plots = [];
    const content = await views[name](query);
    $("main").replaceChildren(...content.filter((element) => element !== null));
  } catch (error) {
    if (!ended) say(error.message);
  }
}

function busy() { // nothing is replaced while someone types, selects or reads an open detail
  const active = document.activeElement;
  return (active && (active.tagName === "INPUT" || active.tagName === "SUMMARY")) || String(getSelection()) !== "" || document.querySelector("main details[open]") !== null;
}

async function refresh() { // the present view again, with the focus where it was
  const label = document.activeElement?.getAttribute("aria-label");
  const fresh = await ask("snapshot");
  show(fresh);
  await render(...place());
  if (label) document.querySelector(`main [aria-label="${CSS.escape(label)}"]`)?.focus();
}

function show(snapshot) {
  now = snapshot;
  const name = place()[0];
  $("spider").textContent = now.spider;
  document.title = `${now.pages} pages – ${now.spider}`;
  const network = now.network_down_since === null ? "" : ", the network is down";
  $("state").textContent = now.stopping !== null ? `stopping: ${now.stopping}`
    : now.paused ? "paused" : `running, ${now.pages_per_second.toFixed(1)} pages a second${network}`;
  $("pause").textContent = now.paused ? "Resume" : "Pause";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
}

let seconds = 0;
async function tick(snapshot) {
  const first = now === null;
  show(snapshot);
  if (first || (!busy() && seconds++ % 2 === 0)) {
    const label = document.activeElement?.getAttribute("aria-label");
    const top = scrollY;
    if (place()[0] === "pages" && document.querySelector("#explained")?.childElementCount) return;
    await render(...place());
    scrollTo(0, top);
    if (label) document.querySelector(`main [aria-label="${CSS.escape(label)}"]`)?.focus();
  }
}

addEventListener("hashchange", async () => {
  await render(...place());
  show(now);
  $("main").focus({ preventScroll: true });
  scrollTo(0, 0);
});
addEventListener("resize", () => { if (place()[0] === "overview") render("overview"); });
$("pause").addEventListener("click", async () => { await act(now.paused ? "resume" : "pause"); await refresh(); });
$("stop").addEventListener("click", async () => { if (confirm("End the crawl?")) await act("stop"); });
$("nav").append(...Object.entries(TITLES).map(([name, title]) => make("li", {}, make("a", { href: `#${name}` }, title))));

function lost(reason) {
  setTimeout(listen, 3000);
  if (now === null) {
    $("state").textContent = reason;
    return;
  }
  ended = true;
  $("state").textContent = "the crawl has ended, or cannot be reached; this is what it did last";
}

async function listen() {
  try {
    const events = new EventSource(await linkTo("api/events"));
    events.onmessage = (event) => { ended = false; tick(JSON.parse(event.data)); };
    events.onerror = () => { events.close(); lost("the crawl cannot be reached"); }; // its link opens once
  } catch (error) { lost(error.message); }
}
listen();

"use strict";
// The web page of several jobs: a list with a form to start crawls, and a view of each job.

let now = null; // the last state of all jobs
const COLOURS = { running: "fetching", pending: "waiting", stopped: "waiting", failed: "down", finished: "done" };
const state = (job) => make("span", { class: COLOURS[job.state] }, job.state);
const date = (time) => (time === null ? "–" : new Date(time * 1000).toLocaleString());
const jobs = (n) => `${count(n)} ${n === 1 ? "job" : "jobs"}`;
const link = (href, text) => make("a", { href }, text);

async function done(path, values, text) {
  if (await act(path, values)) say(text);
  await refresh();
}

function controls(job) {
  const running = job.state === "running";
  const waits = job.state === "pending";
  return make("div", { class: "actions" },
    running || waits ? button("Stop", `Stop ${job.name}`, () => done("stop", { name: job.name }, `${job.name} is being stopped.`))
      : button("Resume", `Resume ${job.name}`, () => done("resume", { name: job.name }, `${job.name} is resumed.`)),
    job.page ? " " : null, job.page ? link(job.page, "watch") : null);
}

function pairs(text) { // lines NAME=VALUE
  return Object.fromEntries(text.split("\n").filter((line) => line.trim()).map((line) => {
    const place = line.indexOf("=");
    if (place < 1) throw new Error(`NAME=VALUE is needed, not ${line}`);
    return [line.slice(0, place).trim(), line.slice(place + 1).trim()];
  }));
}

function starting() {
  if (!now.spiders.length) return make("p", { class: "quiet" }, "There are no spiders in the folder that crawler serve was started in.");
  const area = (label, name) => make("label", {}, label, make("textarea", { name, rows: 1, placeholder: "NAME=VALUE" }));
  return form("Start", [
    make("label", {}, "Spider", make("select", { name: "spider" }, ...now.spiders.map((name) => make("option", {}, name)))),
    area("Arguments, one a line", "arguments"), area("Settings, one a line", "settings"),
  ], async (data, sent) => {
    try {
      const values = { spider: data.get("spider"), arguments: pairs(data.get("arguments")), settings: pairs(data.get("settings")) };
      const made = await act("schedule", values);
      if (!made) return;
      sent.reset();
      say(`${made.name} is scheduled.`);
      await refresh();
    } catch (error) { say(error.message); }
  });
}

function list() {
  const rows = now.jobs.map((job) => [link(`#job?name=${encodeURIComponent(job.name)}`, job.name),
    make("div", {}, state(job), job.message ? make("div", { class: "bad" }, job.message) : null), job.spider,
    count(job.pages), count(job.items), count(job.failed), count(job.waiting), job.runs, date(job.began), controls(job)]);
  return [make("h2", {}, "Start a crawl"), starting(), make("h2", {}, "Jobs"),
    table(`${jobs(rows.length)}, the latest first`, [["job", "url"], ["state"], ["spider", "wide"], ["pages", "n"], ["items", "n"],
      ["failed", "n"], ["waiting", "n wide"], ["runs", "n wide"], ["began", "wide"], ["control"]], rows)];
}

async function view(name) {
  const found = await ask("job", { name });
  const job = found.job;
  const share = (n) => (n === null || n === undefined ? "" : `${n > 0 ? "+" : ""}${(100 * n).toFixed(0)} %`);
  const runs = found.runs.map((run) => [run.number, date(run.began), count(run.pages), count(run.items), share(run.change.items),
    count(run.failed), duration(run.seconds), run.pages_per_second === null ? "–" : run.pages_per_second.toFixed(1), run.finished ?? "not ended"]);
  const failures = Object.entries(found.failures).map(([kind, n]) => [kind, count(n)]);
  const given = Object.entries(found.arguments).map(([argument, value]) => [argument, typeof value === "string" ? value : JSON.stringify(value)]);
  const exports = now.exports.flatMap((ending) =>
    [button(ending, `Items of ${name} as ${ending}`, async () => { location.href = await linkTo("api/export", { name, as: ending }); }), " "]);
  return [make("h2", {}, name), make("p", {}, state(job), " ", job.message ? make("span", { class: "bad" }, job.message) : null), controls(job),
    make("div", { class: "tiles" }, tile("pages", count(job.pages)), tile("items", count(job.items)), tile("failed", count(job.failed)),
      tile("waiting", count(job.waiting)), tile("runs", job.runs)),
    make("dl", {}, make("dt", {}, "folder"), make("dd", {}, job.folder), make("dt", {}, "items as"), make("dd", {}, ...exports)),
    runs.length ? table("Runs, compared", [["run", "n"], ["began"], ["pages", "n"], ["items", "n"], ["change", "n"], ["failed", "n"], ["time", "n"],
      ["pages/s", "n wide"], ["ended by"]], runs) : null,
    given.length ? table("Arguments", [["argument"], ["value", "url"]], given) : null,
    failures.length ? table("Failures by kind", [["kind"], ["failed", "n"]], failures) : null,
    found.log ? make("h2", {}, "Messages") : null, found.log ? make("pre", {}, found.log) : null];
}

// ---- the frame ------------------------------------------------------------------------------------------------------

async function refresh() {
  try {
    now = await ask("jobs");
    const running = now.jobs.filter((job) => job.state === "running").length;
    $("project").textContent = now.project;
    document.title = `${running} running – ${now.project}`;
    $("state").textContent = `${jobs(now.jobs.length)}, ${running} running`;
    const [name, query] = location.hash.slice(1).split("?");
    const job = name === "job" ? new URLSearchParams(query).get("name") : null;
    const content = (job ? await view(job) : list()).filter((element) => element !== null);
    const label = document.activeElement?.getAttribute("aria-label");
    const top = scrollY;
    $("main").replaceChildren(...content);
    scrollTo(0, top);
    if (label) document.querySelector(`main [aria-label="${CSS.escape(label)}"]`)?.focus();
  } catch (error) {
    $("state").textContent = "crawler serve has ended, or cannot be reached";
    say(error.message);
  }
}

function busy() { // nothing is replaced while someone types or selects
  return ["INPUT", "TEXTAREA", "SELECT"].includes(document.activeElement?.tagName) || String(getSelection()) !== ""
    || [...document.querySelectorAll("textarea")].some((area) => area.value);
}

addEventListener("hashchange", async () => { await refresh(); $("main").focus(); });
setInterval(() => { if (!busy() && !document.hidden) refresh(); }, 2000);
refresh();

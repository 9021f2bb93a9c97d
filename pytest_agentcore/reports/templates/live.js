// A page that `agentcore open` gave: it comes along with what is written. What arrives here is as untrusted as any other
// text of a model: the same functions make the same text nodes of it.

const RUNNING = { outcome: "running", cause: null, stop: "not yet", detail: "", earlier: [], hits: [], embedded: "no" };
const SOON = 1000; // milliseconds until the server is asked again while something runs
const LATER = 4000;
const LISTED = 12; // running trials, and workers, that are named
const bar = $("live") || el("section", { id: "live" });
bar.setAttribute("aria-label", "Progress");
bar.hidden = true;
$("overview").before(bar); // it stays in view when a trial is opened

/** The server has gone, or what it was asked for. */
class NoAnswer extends Error {}

async function fetched(path) {
  const answer = await fetch(path, { cache: "no-store" }).catch((error) => { throw new NoAnswer(error.message); });
  if (!answer.ok) throw new NoAnswer(`${path}: ${answer.status}`);
  return answer;
}

// ---- how far campaigns are ----

function span(length) {
  if (length < 90) return `${Math.max(1, Math.round(length))} s`;
  return length < 5400 ? `${Math.round(length / 60)} min` : `${(length / 3600).toFixed(1)} h`;
}

function told(now) {
  const parts = [
    `${plain(now.done)} of ${count(now.planned, "trial")} done`,
    now.scored ? `${plain(now.passed)} of ${plain(now.scored)} scored passed` : "",
    count(now.turns, "turn"), `${now.tokens_per_second.toFixed(1)} tokens/s`, `${span(now.elapsed)} elapsed`,
    now.remaining === null ? "" : `about ${span(now.remaining)} left`,
  ];
  return parts.filter(Boolean).join(" · ");
}

function progress(now, title, ...lists) {
  const measure = el("progress", { max: Math.max(1, now.planned), value: now.done, "aria-label": "trials done" });
  return el("div", { class: "progress" }, title, measure, el("p", { class: "told" }, told(now)), ...lists);
}

function runningList(now) {
  const rest = now.running.length - LISTED;
  return el("ul", { class: "chips", "aria-label": "Trials at work" }, now.running.slice(0, LISTED).map((one) =>
    el("li", {}, el("a", { href: `#trial=${one.attempt}` }, shown(one.task), ` run ${one.run}`), ` turn ${one.turns + 1}`)),
  rest > 0 ? el("li", {}, `and ${plain(rest)} more`) : null);
}

function crewList(now) {
  const rest = now.workers.length - LISTED;
  return now.workers.length ? el("ul", { class: "chips", "aria-label": "Workers" }, now.workers.slice(0, LISTED).map((one) =>
    el("li", {}, shown(one.worker), ` ${count(one.done, "trial")} done, ${plain(one.running)} at work`)),
  rest > 0 ? el("li", {}, `and ${plain(rest)} more`) : null) : null;
}

function show(...nodes) {
  bar.hidden = !nodes.length;
  if (!bar.contains(document.activeElement)) bar.replaceChildren(...nodes); // whoever stands on a link keeps it
}

// ---- the page of one campaign ----

let ran = false;
if (!data.campaigns) document.querySelector(".bar nav").prepend(el("a", { href: "../../" }, "All campaigns"));

async function comeAlong(now) {
  if (now.state === "damaged") return show(el("p", {}, shown(now.why)));
  if (now.version !== data.served && !/^(input|select)$/i.test(document.activeElement.tagName)) await renew();
  data.signs.running = "▸";
  for (const one of now.running) if ((byId.get(one.attempt) || RUNNING).outcome === "running") byId.set(one.attempt, { ...RUNNING, ...one });
  markRunning(now.running);
  ran = ran || now.state === "running";
  if (now.state === "running") show(progress(now, el("h2", {}, "Running"), crewList(now), runningList(now)));
  else show(...(ran ? [el("p", {}, `The session has ended, and the campaign is ${now.state}.`)] : []));
  const to = route();
  if (!open && to.trial && byId.has(to.trial)) await follow(); // an address of a trial that this page did not know yet
  return grow();
}

/** Signs of the map for trials that are at work; they lead to what there is of them. */
function markRunning(running) {
  for (const gone of document.querySelectorAll(".cell.running")) gone.classList.replace("running", "not_run");
  for (const one of running) {
    const label = `${one.task} run ${one.run}: `;
    const cell = [...document.querySelectorAll(".map .cell.not_run")].find((place) => place.title.startsWith(label));
    if (!cell) continue;
    const says = `${label}running, turn ${one.turns + 1}`;
    cell.replaceWith(el("a", { class: "sign cell running", href: `#trial=${one.attempt}`, title: says, "aria-label": says, tabindex: -1 }, data.signs.running));
  }
}

/** Puts what the server makes of the campaign now in the place of the overview, and the reader where they were. */
async function renew() {
  const page = new DOMParser().parseFromString(await (await fetched(`${location.pathname}?rested=1`)).text(), "text/html");
  const [given, fresh] = [page.getElementById("data"), page.getElementById("overview")];
  if (!given) return;
  const filter = filterNow();
  const top = [...$("overview").children].find((one) => one.getBoundingClientRect().bottom > 0);
  const at = top && top.getBoundingClientRect().top;
  const unfolded = new Set([...document.querySelectorAll("#overview details[open] > summary")].map((one) => one.textContent));
  const known = byId;
  take(JSON.parse(given.textContent));
  for (const [id, trial] of known) if (!byId.has(id)) byId.set(id, trial); // at work, or replaced meanwhile
  $("overview").replaceChildren(...fresh.childNodes);
  wire();
  for (const [name, value] of Object.entries(filter)) field(name).value = value;
  for (const summary of document.querySelectorAll("#overview details > summary")) summary.parentElement.open = unfolded.has(summary.textContent);
  showList();
  if (top && top.id && $(top.id) && !$("overview").hidden) scrollBy({ top: $(top.id).getBoundingClientRect().top - at, behavior: "instant" });
  if (open) renewHead(open);
}

function renewHead(id) {
  const [head, fresh] = [$("trial").children[1], trialHead(byId.get(id), id, null)];
  for (const part of [".outcome", ".tiles"]) head.querySelector(part).replaceWith(fresh.querySelector(part));
  if (!head.querySelector(".trial-head + .text") && fresh.querySelector(".trial-head + .text")) head.querySelector(".trial-head").after(fresh.querySelector(".text"));
}

// ---- a transcript that grows ----

const OVER = /^\{"event":"(?:verdict|discarded)"/m;

async function grow() {
  const id = open;
  if (!id || openText === null) return;
  const whole = openText.slice(0, openText.lastIndexOf("\n") + 1);
  if (OVER.test(whole.slice(-20_000))) return;
  const more = await (await fetched(`${file(byId.get(id), id)}?from=${whole.length}`)).text(); // ASCII: a character is a byte
  if (open !== id) return;
  openText = whole + more;
  const added = eventsIn(more);
  if (added.length) showGrown(id, added);
}

/** Puts new turns below those that are there, which stay as they are: what was unfolded, marked or scrolled remains. */
function showGrown(id, added) {
  const view = $("trial");
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
  const focused = document.activeElement.closest(".turn");
  const from = Math.min(...added.map((event) => event.turn || Infinity));
  const there = new Map([...view.querySelectorAll(".turn")].map((turn) => [turn.dataset.turn, turn]));
  const fresh = course({ attempt: id }, eventsIn(openText)).map((node) => {
    const old = node.matches(".turn") && Number(node.dataset.turn) < from ? there.get(node.dataset.turn) : null;
    if (old) old.querySelector(".time").replaceWith(node.querySelector(".time"));
    return old || node;
  });
  const [stay, head] = [new Set(fresh), view.children[1]];
  for (const old of [...view.children].slice(2)) if (!stay.has(old)) old.remove();
  fresh.reduce((before, node) => {
    if (before.nextElementSibling !== node) before.after(node);
    return node;
  }, head);
  renewHead(id);
  if (focused && !focused.isConnected && $(focused.id)) $(focused.id).focus({ preventScroll: true });
  markText(field("text").value);
  if (atEnd) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
}

// ---- the page over many campaigns ----

function comeAlongAll({ version, campaigns: running }) {
  const link = (one) => el("h2", {}, el("a", { href: `c/${encodeURIComponent(one.campaign)}/` }, shown(one.campaign)));
  const lines = running.map((one) => (one.state === "damaged" ? el("p", {}, shown(one.why)) : progress(one, link(one))));
  const again = el("button", { type: "button" }, "Show what has changed");
  again.addEventListener("click", () => location.reload());
  show(...lines, ...(version === data.served ? [] : [el("p", {}, again)]));
}

// ---- asking ----

async function keepAsking() {
  let wait = LATER;
  try {
    const now = await (await fetched("live.json")).json();
    if (data.campaigns) comeAlongAll(now);
    else await comeAlong(now);
    if (data.campaigns ? now.campaigns.length : now.state === "running") wait = SOON;
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    show(el("p", {}, "The server does not answer: this page stays as it is. ", el("code", {}, "agentcore open"), " starts one."));
  } finally {
    setTimeout(keepAsking, wait);
  }
}

keepAsking();

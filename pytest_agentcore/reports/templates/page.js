let data, trials, byId;

/** Takes what the page was given: rows by their columns, and every attempt with its trial. */
function take(given) {
  data = given;
  trials = data.rows.map((row) => Object.fromEntries(data.columns.map((name, i) => [name, row[i]])));
  byId = new Map(trials.flatMap((trial) => [trial.attempt, ...trial.earlier].map((id) => [id, trial])));
}

take(JSON.parse($("data").textContent));
const PAGE = 100;
const FILTERS = ["task", "outcome", "cause", "text"];

/** Of a trial, or a turn of it; the text that is searched for goes along, and is marked there. */
function address(trial, turn) {
  const text = $("filter-text").value;
  return `#trial=${trial.attempt}` + (turn ? `&turn=${turn}` : "") + (text ? `&text=${encodeURIComponent(text)}` : "");
}

// ---- the list of trials ----

let listed = trials;
let rows = PAGE;
let wanted = 0; // the turn that an address named without its trial

function matches(trial, filter) {
  const text = filter.text.toLowerCase();
  return (
    (!filter.task || trial.task === filter.task) &&
    (!filter.outcome || trial.outcome === filter.outcome) &&
    (!filter.cause || trial.cause === filter.cause) &&
    (!text || found.has(trial.attempt) || `${trial.task} ${trial.run} ${trial.attempt} ${trial.detail} ${trial.stop}`.toLowerCase().includes(text))
  );
}

// ---- the search in all turns ----

let found = new Map(); // by attempt, the places of the text that is searched for
let search = 0; // counts them, so that one that is no longer wanted ends
const PLACES = 3; // of a trial that are shown in the list
const AROUND = 50; // characters beside a place

/** Reads every transcript of the page for a text, letter case aside; the list grows while it reads. */
async function searchTurns(asked) {
  const mine = ++search;
  found = new Map();
  $("searched").textContent = "";
  if (!asked) return showList();
  const wanted = folded(asked);
  // a file writes what is ASCII as it is, so that most files need not be parsed
  const sign = /^[ -~]*$/.test(wanted) ? JSON.stringify(wanted).slice(1, -1) : "";
  const ids = trials.flatMap((trial) => [...trial.earlier, trial.attempt]);
  const held = ids.filter((id) => data.served || $(`t-${id}`));
  const missed = { left: ids.length - held.length, cut: 0, broken: 0 };
  let told = performance.now();
  for (const [i, id] of held.entries()) {
    let [text, events] = ["", []];
    try {
      text = (await transcriptText(id)) || "";
      if (!sign || folded(text).includes(sign)) events = eventsIn(text);
    } catch (error) { // damaged: the trial says so itself when it is opened
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
      missed.broken += 1;
    }
    if (mine !== search) return undefined;
    const trial = byId.get(id);
    const places = placesOf(id, events, wanted);
    if (places.length) found.set(trial.attempt, [...(found.get(trial.attempt) || []), ...places]);
    missed.cut += text.includes('"left_out":');
    if (performance.now() - told > 300) {
      told = performance.now();
      $("searched").textContent = `${plain(i + 1)} of ${count(held.length, "transcript")} searched …`;
      showList();
    }
  }
  const rest = [
    [missed.left, "not in this page, so not searched"], [missed.broken, "damaged, so not searched"], [missed.cut, "searched without the middle of long texts, which this page does not hold"],
  ].filter(([n]) => n).map(([n, why]) => `; ${count(n, "transcript")} ${why}`);
  $("searched").textContent = `In the turns of ${count(found.size, "trial")}${rest.join("")}`;
  return showList();
}

/** Where an attempt has a text: the turn, and some words around it. One place for each text of a turn. */
function placesOf(id, events, wanted) {
  const places = [];
  for (const [turn, text] of events.flatMap(textsOf)) {
    const at = folded(text).indexOf(wanted);
    if (at < 0) continue;
    const [from, to] = [Math.max(0, at - AROUND), at + wanted.length + AROUND];
    places.push({ id, turn, before: (from ? "…" : "") + text.slice(from, at), text: text.slice(at, at + wanted.length), after: text.slice(at + wanted.length, to) + (to < text.length ? "…" : "") });
  }
  return places;
}

/** The texts of an event that a trial shows, each after its turn; those before the first turn have none. */
function textsOf(event) {
  const told = {
    start: () => [event.prompt, event.system],
    reply: () => [event.content, event.reasoning, ...event.tool_calls.map((made) => made.arguments), ...event.problems, ...(isSaid(event.content) || event.tool_calls.length ? [] : [event.text])],
    tool_result: () => [event.text],
    feedback: () => [event.text],
    verdict: () => [event.detail],
  }[event.event];
  return told ? told().flatMap(leaves).map((text) => [event.turn || 0, text]) : [];
}

function leaves(value) {
  if (typeof value === "string") return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(leaves) : [];
}

function placeLine({ id, turn, before, text, after }) {
  const where = el("a", { href: address({ attempt: id }, turn) }, turn ? `turn ${turn}` : "prompt or verdict");
  return el("li", {}, where, " ", shown(before), el("mark", {}, shown(text)), shown(after));
}

// ---- the list itself ----

const filterNow = () => Object.fromEntries(FILTERS.map((name) => [name, $(`filter-${name}`).value]));

function listAddress() {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(filterNow())) if (value) words.set(name, value);
  return "#" + (words.toString() || "trials");
}

function fillFilters() {
  const values = (name) => [...new Set(trials.map((trial) => trial[name]).filter(Boolean))].sort();
  for (const name of ["task", "outcome", "cause"]) {
    const select = $(`filter-${name}`);
    for (const value of values(name)) select.append(el("option", { value }, value));
  }
}

function row(trial) {
  const cell = (label, text) => el("td", { class: "n", "data-label": label }, text);
  return el(
    "tr",
    { "data-trial": trial.attempt },
    el("th", { scope: "row" }, el("a", { href: address(trial, wanted) }, breakable(`${trial.task} run ${trial.run}`))),
    el("td", {}, badge(trial.outcome)),
    el("td", {}, trial.cause || ""),
    cell("turns", plain(trial.turns)),
    cell("calls", plain(trial.calls)),
    cell("time", seconds(trial.seconds)),
    cell("reply tokens", plain(trial.reply)),
    el("td", { class: "detail" }, el("div", { class: "clip" }, shown(trial.detail)), placesIn(trial)),
  );
}

function placesIn(trial) {
  const places = found.get(trial.attempt) || [];
  if (!places.length) return null;
  const rest = places.length - PLACES;
  return el("ul", { class: "places" }, places.slice(0, PLACES).map(placeLine), rest > 0 ? el("li", {}, `and ${count(rest, "place")} more`) : null);
}

function showList() {
  const filter = filterNow();
  listed = trials.filter((trial) => matches(trial, filter));
  $("rows").replaceChildren(...listed.slice(0, rows).map(row));
  $("count").textContent = `${plain(listed.length)} of ${count(trials.length, "trial")}`;
  const rest = listed.length - Math.min(rows, listed.length);
  $("more").hidden = rest === 0;
  $("more").textContent = `Show ${Math.min(PAGE, rest)} more of ${plain(rest)}`;
  const kept = new Set(listed.map((trial) => trial.attempt));
  for (const cell of document.querySelectorAll(".cell[data-trial]")) cell.classList.toggle("dim", !kept.has(cell.dataset.trial));
  fit($("rows").closest(".scroll"));
}

function refilter() {
  rows = PAGE;
  showList();
  history.replaceState(null, "", listAddress());
}

let pause = 0;

/** The list answers at once with what it holds; the transcripts follow when the typing stops. */
function retype() {
  found = new Map();
  search += 1;
  refilter();
  clearTimeout(pause);
  pause = setTimeout(() => searchTurns($("filter-text").value), 200);
}

// ---- one trial ----

/** The lines of a transcript, from the page or from the server that gave it; null where there are none. */
async function transcriptText(id) {
  const held = $(`t-${id}`);
  if (held) return unpacked(held.textContent);
  const answer = data.served ? await fetch(file(byId.get(id), id)) : null;
  return answer && answer.ok ? answer.text() : null;
}

const file = (trial, id) => `data/${id === trial.attempt ? "transcripts" : "attempts"}/${id}.jsonl`;

function steps(trial) {
  const order = listed.includes(trial) ? listed : trials;
  const at = order.indexOf(trial);
  const link = (to, text, key) => (to ? el("a", { href: address(to), "data-key": key }, text) : null);
  return el("nav", { class: "steps", "aria-label": "Trials" },
    el("a", { href: listAddress(), "data-key": "u" }, "← all trials"),
    link(order[at - 1], "previous trial", "p"), link(order[at + 1], "next trial", "n"),
    at < 0 ? null : el("span", { class: "muted small" }, `${at + 1} of ${order.length}`),
    el("span", { class: "keys muted small" }, el("kbd", {}, "j"), " ", el("kbd", {}, "k"), " turns  ", el("kbd", {}, "n"), " ", el("kbd", {}, "p"), " trials  ", el("kbd", {}, "u"), " back"));
}

function notEmbedded(trial) {
  const isMissing = trial.embedded === "missing" || data.served;
  const why = isMissing ? "There is no transcript of this trial in the pack." : "This transcript is not in the page, which would be too large with it.";
  return el("section", { class: "notice" }, el("p", {}, `${why} `, isMissing ? null : `It is in ${file(trial, trial.attempt)}.`));
}

let open = null; // which attempt is shown
let openText = null; // its lines

async function showTrial(id, turn, text = "") {
  const trial = byId.get(id);
  if (text !== $("filter-text").value) {
    $("filter-text").value = text;
    open = null; // its links have the text in their addresses
  }
  if (open !== id) {
    let [lines, events] = [null, null];
    try {
      lines = await transcriptText(id);
      events = lines === null ? null : eventsIn(lines);
    } catch (error) {
      return notice(`The transcript of ${trial.task} run ${trial.run} cannot be unpacked: ${error.message}`);
    }
    if (route().trial !== id) return undefined; // the address changed meanwhile
    const view = $("trial");
    view.replaceChildren(steps(trial), trialHead(trial, id, events), ...(events ? course({ attempt: id }, events) : [notEmbedded(trial)]));
    [open, openText] = [id, lines];
  }
  view("trial");
  document.title = `${trial.task} run ${trial.run} · ${data.title}`;
  const first = markText(text);
  goToTurn(turn, first);
  return undefined;
}

/** Marks a text in the trial that is shown, and the turns that have it in the strip; gives its first place in each turn. */
function markText(text) {
  const [all, first] = [[], new Map()];
  for (const body of text ? $("trial").querySelectorAll(".body") : []) {
    const turn = Number((body.closest(".turn") || { dataset: { turn: 0 } }).dataset.turn);
    const ranges = rangesOf(body, text);
    all.push(...ranges);
    if (ranges.length && !first.has(turn)) first.set(turn, ranges[0]);
  }
  for (const link of document.querySelectorAll(".strip a")) link.classList.toggle("found", first.has(Number(link.dataset.turn)));
  // a range leaves the nodes as they are; a browser that has no such marks still goes to the place
  if (window.CSS && CSS.highlights) CSS.highlights.set("found", new Highlight(...all));
  return first;
}

// ---- addresses ----

/** `#trial=<uuid>&turn=N`, `#task=…&run=N`, `#data/transcripts/<uuid>.jsonl#turn=N`, `#turn=N` in the open trial, filters. */
function route() {
  const hash = decoded(location.hash.slice(1));
  const cited = hash.match(/(?:^|\/)([0-9a-f-]+)\.jsonl(?:[#&?]turn=(\d+))?$/i);
  if (cited) return { trial: cited[1], turn: Number(cited[2] || 0), asked: cited[1] };
  const words = new URLSearchParams(location.hash.slice(1));
  const asked = words.get("trial");
  let trial = asked && (byId.has(asked) ? asked : only([...byId.keys()].filter((id) => id.startsWith(asked))));
  if (!asked && words.has("run")) {
    const found = trials.filter((one) => one.run === Number(words.get("run")) && (one.task === words.get("task") || one.task.startsWith(words.get("task") || "?")));
    trial = found.length === 1 ? found[0].attempt : null;
    return { trial, turn: Number(words.get("turn") || 0), asked: `${words.get("task")} run ${words.get("run")}`, words };
  }
  return { trial, turn: Number(words.get("turn") || 0), asked, words, anchor: hash.includes("=") ? "" : hash };
}

const only = (found) => (found.length === 1 ? found[0] : null);

function follow() {
  const to = route();
  notice("");
  wanted = 0;
  if (to.trial && byId.has(to.trial)) return showTrial(to.trial, to.turn, (to.words && to.words.get("text")) || "");
  if (!to.asked && to.turn) {
    const here = open || only(trials.map((trial) => trial.attempt));
    if (here) {
      history.replaceState(null, "", `#trial=${here}&turn=${to.turn}`);
      return showTrial(here, to.turn);
    }
    wanted = to.turn;
    notice(`Turn ${to.turn} of which trial? Choose one of the list.`);
  }
  return showOverview(to);
}

function showOverview(to) {
  view("overview");
  document.title = data.title;
  if (to.words && FILTERS.some((name) => to.words.has(name))) {
    for (const name of FILTERS) $(`filter-${name}`).value = to.words.get(name) || "";
    rows = PAGE;
    searchTurns($("filter-text").value);
  }
  showList();
  if (to.asked) notice(`There is no trial ${to.asked} in this report.`);
  const at = to.anchor ? $(to.anchor) : location.hash ? $("trials") : null;
  if (!at) return;
  if (at.matches(".fold")) at.querySelector("details").open = true;
  at.scrollIntoView({ behavior: "instant" });
}

function view(name) {
  $("overview").hidden = name !== "overview";
  $("trial").hidden = name !== "trial";
  if (name !== "trial") open = null;
}

// ---- keyboard ----

function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || /^(input|select|textarea)$/i.test(event.target.tagName)) return;
  const inTrial = !$("trial").hidden;
  const link = inTrial && $("trial").querySelector(`[data-key="${event.key === "Escape" ? "u" : CSS.escape(event.key)}"]`);
  if (link) link.click();
  else if (inTrial && event.key === "j") nextTurn(1);
  else if (inTrial && event.key === "k") nextTurn(-1);
  else if (!inTrial && event.key === "/") $("filter-text").focus();
  else return;
  event.preventDefault();
}

// ---- start ----

/** Makes the overview answer to clicks and keys. */
function wire() {
  fillFilters();
  document.querySelectorAll(".cell[href]").forEach((cell, i) => { cell.tabIndex = i ? -1 : 0; });
  for (const name of FILTERS) $(`filter-${name}`).addEventListener(name === "text" ? "input" : "change", name === "text" ? retype : refilter);
  $("clear").addEventListener("click", () => { for (const name of FILTERS) $(`filter-${name}`).value = ""; retype(); });
  $("more").addEventListener("click", () => { rows += PAGE; showList(); });
  $("rows").addEventListener("click", (event) => {
    const line = event.target.closest("tr[data-trial]");
    if (line && !event.target.closest("a") && !String(getSelection())) line.querySelector("a").click();
  });
  document.querySelectorAll(".map").forEach((map) => map.addEventListener("keydown", arrows));
  document.querySelectorAll("#overview .scroll").forEach((box) => places.observe(box));
}

wire();
addEventListener("keydown", key);
addEventListener("hashchange", follow);
follow();

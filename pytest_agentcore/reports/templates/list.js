// The list of trials: filtered, searched in all their turns, opened. Both pages have it, in the elements `rows`, `more` and
// `trials-…`; each says where a trial is (`address`) and where its list is (`listAddress`), what its row is called
// (`named`), which transcripts can be had (`isHeld`) and the text of one (`transcriptText`).

const PAGE = 100;
const FILTERS = ["model", "task", "outcome", "cause", "text"];
const PLACES = 3; // of a trial that are shown in the list
const AROUND = 50; // characters beside a place

let trials = []; // all that the list is about
let listed = trials; // those that its filters leave
let limit = PAGE;
let wanted = 0; // the turn that an address named without its trial

const field = (name) => $(`trials-${name}`);
const fields = () => FILTERS.filter(field);
const filterNow = () => Object.fromEntries(fields().map((name) => [name, field(name).value]));
const keyOf = (trial) => (trial.campaign ? `${trial.campaign.id}/${trial.attempt}` : trial.attempt);

function matches(trial, filter) {
  const text = filter.text.toLowerCase();
  const said = [trial.task, trial.run, trial.attempt, trial.detail, trial.stop, trial.cause, trial.model].join(" ").toLowerCase();
  return fields().every((name) => name === "text" || !filter[name] || trial[name] === filter[name]) && (found.has(keyOf(trial)) || said.includes(text));
}

function trialRow(trial) {
  const cell = (label, text) => el("td", { class: "n", "data-label": label }, text);
  return el("tr", { "data-trial": trial.attempt },
    el("th", { scope: "row" }, el("a", { href: address(trial, wanted) }, breakable(`${trial.task} run ${trial.run}`)), named(trial)),
    el("td", {}, badge(trial.outcome)), el("td", {}, trial.cause || ""),
    cell("turns", plain(trial.turns)), cell("calls", plain(trial.calls)), cell("time", seconds(trial.seconds)), cell("reply tokens", plain(trial.reply)),
    el("td", { class: "detail" }, el("div", { class: "clip" }, shown(trial.detail)), placesIn(trial)));
}

function showList() {
  const filter = filterNow();
  listed = trials.filter((trial) => matches(trial, filter));
  $("rows").replaceChildren(...listed.slice(0, limit).map(trialRow));
  field("count").textContent = `${plain(listed.length)} of ${count(trials.length, "trial")}`;
  showMore($("more"), listed.length, limit);
  const kept = new Set(listed.map((trial) => trial.attempt));
  for (const cell of document.querySelectorAll(".cell[data-trial]")) cell.classList.toggle("dim", !kept.has(cell.dataset.trial));
  fit($("rows").closest(".scroll"));
}

function showMore(button, n, most) {
  button.hidden = n <= most;
  button.textContent = `Show ${plain(Math.min(PAGE, n - most))} more of ${plain(n - most)}`;
}

/** A row opens what its link opens, unless something in it was marked. */
function openRow(event) {
  const line = event.target.closest("tr");
  if (line && !event.target.closest("a") && !String(getSelection())) line.querySelector("a").click();
}

function relist() {
  limit = PAGE;
  showList();
  history.replaceState(null, "", listAddress());
}

/** Sets the filters as an address has them, and searches for its text. */
function setList(to) {
  for (const name of fields()) field(name).value = to.get(name) || "";
  limit = PAGE;
  return searchTurns(field("text").value);
}

function fillFilters() {
  for (const name of fields().filter((one) => one !== "text")) {
    const values = [...new Set(trials.map((trial) => trial[name]).filter(Boolean))].sort();
    field(name).replaceChildren(field(name).options[0], ...values.map((value) => el("option", { value }, value)));
  }
}

/** Makes the list answer to its filters, its buttons and its rows. */
function wireList() {
  for (const name of fields()) field(name).addEventListener(name === "text" ? "input" : "change", name === "text" ? retype : relist);
  field("clear").addEventListener("click", () => { for (const name of fields()) field(name).value = ""; retype(); });
  $("more").addEventListener("click", () => { limit += PAGE; showList(); });
  $("rows").addEventListener("click", openRow);
}

// ---- the search in all turns ----

let found = new Map(); // by trial, the places of the text that is searched for
let search = 0; // counts them, so that one that is no longer wanted ends
let searched = null; // the text and the trials of the last one that came to its end

/** Reads every transcript of the list for a text, letter case aside; the list grows while it reads. */
async function searchTurns(asked) {
  if (searched && searched.asked === asked && searched.trials === trials) return showList();
  const [mine, all] = [++search, trials];
  found = new Map();
  searched = null;
  field("searched").textContent = "";
  showList();
  if (!asked) return undefined;
  const text = folded(asked);
  // a file writes what is ASCII as it is, so that most files need not be parsed
  const sign = /^[ -~]*$/.test(text) ? JSON.stringify(text).slice(1, -1) : "";
  const attempts = all.flatMap((trial) => [...trial.earlier, trial.attempt].map((id) => [trial, id]));
  const held = attempts.filter(([trial, id]) => isHeld(trial, id));
  const missed = { left: attempts.length - held.length, cut: 0, broken: 0 };
  let told = performance.now();
  for (const [i, [trial, id]] of held.entries()) {
    let [lines, places] = ["", []];
    try {
      lines = (await transcriptText(trial, id)) || "";
      if (!sign || folded(lines).includes(sign)) places = placesOf({ ...trial, attempt: id }, eventsIn(lines), text);
    } catch (error) { // damaged: the trial says so itself when it is opened
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
      missed.broken += 1;
    }
    if (mine !== search) return undefined;
    if (places.length) found.set(keyOf(trial), [...(found.get(keyOf(trial)) || []), ...places]);
    missed.cut += lines.includes('"left_out":');
    if (performance.now() - told > 300) {
      told = performance.now();
      field("searched").textContent = `${plain(i + 1)} of ${count(held.length, "transcript")} searched …`;
      showList();
    }
  }
  const rest = [
    [missed.left, "not in this page, so not searched"], [missed.broken, "damaged, so not searched"], [missed.cut, "searched without the middle of long texts, which this page does not hold"],
  ].filter(([n]) => n).map(([n, why]) => `; ${count(n, "transcript")} ${why}`);
  field("searched").textContent = `In the turns of ${count(found.size, "trial")}${rest.join("")}`;
  searched = { asked, trials: all };
  return showList();
}

let pause = 0;

/** The list answers at once with what it holds; the transcripts follow when the typing stops. */
function retype() {
  found = new Map();
  searched = null;
  search += 1;
  relist();
  clearTimeout(pause);
  pause = setTimeout(() => searchTurns(field("text").value), 200);
}

/** Where an attempt has a text: the turn, and some words around it. One place for each text of a turn. */
function placesOf(attempt, events, wanted) {
  const places = [];
  for (const [turn, text] of events.flatMap(textsOf)) {
    const at = folded(text).indexOf(wanted);
    if (at < 0) continue;
    const [from, to] = [Math.max(0, at - AROUND), at + wanted.length + AROUND];
    places.push({ attempt, turn, before: (from ? "…" : "") + text.slice(from, at), text: text.slice(at, at + wanted.length), after: text.slice(at + wanted.length, to) + (to < text.length ? "…" : "") });
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

function placeLine({ attempt, turn, before, text, after }) {
  const where = el("a", { href: address(attempt, turn) }, turn ? `turn ${turn}` : "prompt or verdict");
  return el("li", {}, where, " ", shown(before), el("mark", {}, shown(text)), shown(after));
}

function placesIn(trial) {
  const places = found.get(keyOf(trial)) || [];
  if (!places.length) return null;
  const rest = places.length - PLACES;
  return el("ul", { class: "places" }, places.slice(0, PLACES).map(placeLine), rest > 0 ? el("li", {}, `and ${count(rest, "place")} more`) : null);
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

// ---- one trial ----

let open = null; // what is shown: an attempt, or two trials
let openText = null; // its lines

/** A trial in its list: back to that, and on to its neighbours; a page may put more beside it. */
function steps(trial, back, ...more) {
  const order = listed.includes(trial) ? listed : trials;
  const at = order.indexOf(trial);
  const link = (to, text, key) => (at >= 0 && to ? el("a", { href: address(to), "data-key": key }, text) : null);
  return el("nav", { class: "steps", "aria-label": "Trials" },
    el("a", { href: listAddress(), "data-key": "u" }, back),
    link(order[at - 1], "previous trial", "p"), link(order[at + 1], "next trial", "n"),
    at < 0 ? null : el("span", { class: "muted small" }, `${at + 1} of ${order.length}`),
    more,
    el("span", { class: "keys muted small" }, el("kbd", {}, "j"), " ", el("kbd", {}, "k"), " turns  ", el("kbd", {}, "n"), " ", el("kbd", {}, "p"), " trials  ", el("kbd", {}, "u"), " back"));
}

/** Shows an attempt at a trial from a turn on; `stepsOf` and `missing` make what each page has of its own. */
async function showAttempt(trial, id, turn, text) {
  if (text !== field("text").value) {
    field("text").value = text;
    open = null; // its links have the text in their addresses
  }
  const key = keyOf({ ...trial, attempt: id });
  if (open !== key) {
    const hash = location.hash;
    let [lines, made] = [null, []];
    try {
      lines = await transcriptText(trial, id);
      const events = lines === null ? null : eventsIn(lines);
      made = [trialHead(trial, id, events), ...(events ? course({ ...trial, attempt: id }, events) : [missing(trial)])];
    } catch (error) {
      return notice(`The transcript of ${trial.task} run ${trial.run} cannot be read: ${error.message}`);
    }
    if (location.hash !== hash) return undefined; // the address changed meanwhile
    $("trial").replaceChildren(stepsOf(trial), ...made);
    [open, openText] = [key, lines];
  }
  view("trial", `${trial.task} run ${trial.run}`);
  return goToTurn(turn, markText(text));
}

// ---- views and keys ----

function view(name, title) {
  for (const one of Object.keys(VIEWS)) $(one).hidden = one !== name;
  if (name !== "trial") open = null;
  document.title = title ? `${title} · ${data.title}` : data.title;
}

/** Keys: those that a link of the view is for, turns of a trial, and `/` for where the view is searched. */
function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || /^(input|select|textarea)$/i.test(event.target.tagName)) return;
  const now = Object.keys(VIEWS).find((name) => !$(name).hidden);
  const link = $(now).querySelector(`[data-key="${event.key === "Escape" ? "u" : CSS.escape(event.key)}"]`);
  if (link) link.click();
  else if (now === "trial" && event.key === "j") nextTurn(1);
  else if (now === "trial" && event.key === "k") nextTurn(-1);
  else if (event.key === "/" && VIEWS[now]) $(VIEWS[now]).focus();
  else return;
  event.preventDefault();
}

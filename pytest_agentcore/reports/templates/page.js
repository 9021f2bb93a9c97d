const data = JSON.parse(document.getElementById("data").textContent);
const trials = data.rows.map((row) => Object.fromEntries(data.columns.map((name, i) => [name, row[i]])));
const byId = new Map(trials.flatMap((trial) => [trial.attempt, ...trial.earlier].map((id) => [id, trial])));
const PAGE = 100;
const FILTERS = ["task", "outcome", "cause", "text"];

const $ = (id) => document.getElementById(id);

const isSaid = (text) => typeof text !== "string" || text.trim() !== "";
const seconds = (s) => `${s.toFixed(s < 10 ? 2 : 1)}s`;

function badge(outcome) {
  const sign = el("span", { class: `sign ${data.signs[outcome] ? outcome : ""}`, "aria-hidden": "true" }, data.signs[outcome] || "?");
  return el("span", { class: "outcome" }, sign, el("span", {}, outcome));
}

/** A name that may be broken behind each underscore. */
const breakable = (name) => name.split(/(?<=_)/).flatMap((word) => [word, el("wbr")]);

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
  const held = ids.filter((id) => $(`t-${id}`));
  const missed = { left: ids.length - held.length, cut: 0, broken: 0 };
  let told = performance.now();
  for (const [i, id] of held.entries()) {
    let [text, events] = ["", []];
    try {
      text = await unpacked(id);
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

async function unpacked(id) {
  const bytes = Uint8Array.from(atob($(`t-${id}`).textContent), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

const eventsIn = (text) => text.split("\n").slice(0, -1).map((line) => JSON.parse(line)); // behind the last newline: torn by a kill

const transcript = async (id) => ($(`t-${id}`) ? eventsIn(await unpacked(id)) : null);

const NO_REPLY = {
  text: "", content: "", reasoning: "", tool_calls: [], problems: [], repairs: [], finish: "stop", seconds: 0,
  usage: { prompt_tokens: 0, cached_tokens: 0, reply_tokens: 0 },
};

/** Events by turn; an agent without a model acts and never replies. */
function turnsOf(events) {
  const turns = new Map();
  const at = (turn) => {
    if (!turns.has(turn)) turns.set(turn, { ...NO_REPLY, turn, results: new Map(), feedback: [] });
    return turns.get(turn);
  };
  for (const event of events) {
    if (event.event === "reply") Object.assign(at(event.turn), event);
    else if (event.event === "tool_result") at(event.turn).results.set(event.index, event);
    else if (event.event === "feedback") at(event.turn).feedback.push(event.text);
  }
  const ordered = [...turns.values()].sort((a, b) => a.turn - b.turn);
  return withEarlierTexts(ordered.map((turn) => ({ ...turn, calls: callsOf(turn) })));
}

/** Each call of a turn with its result, which is missing where the process died before it came. */
function callsOf(turn) {
  const indexes = new Set([...turn.tool_calls.keys(), ...turn.results.keys()]);
  return [...indexes].sort((a, b) => a - b).map((i) => ({ ...(turn.tool_calls[i] || turn.results.get(i).call), result: turn.results.get(i) }));
}

function part(kind, label, ...children) {
  return el("div", { class: `part ${kind}` }, el("div", { class: "label" }, label), children);
}

const colouredAs = (known) => ["coloured", (text) => el("pre", {}, coloured(text, known))];
const FORMATTED = ["formatted", (text) => el("div", { class: "prose" }, markdown(text))];

/** In which language an argument is written, as far as tools and paths tell. */
function languageIn(made, name) {
  if (name === "content") return languageOf(made.arguments.path);
  return { command: LANGUAGES.shell, query: LANGUAGES.sql, sql: LANGUAGES.sql }[name];
}

function argument(made, name, value) {
  const known = typeof value === "string" ? languageIn(made, name) : LANGUAGES.json;
  const views = known ? [colouredAs(known)] : [];
  const { before } = made;
  let against = null;
  if (name === "content" && before && typeof value === "string") {
    views.unshift(["changes", (text) => changes(before.text, text, known)]);
    against = el("div", { class: "against" }, `compared with what turn ${before.turn} ${before.how}${before.stale ? "; a command ran in between and may have changed it" : ""}`);
  }
  return el("div", { class: "arg" }, el("span", {}, shown(name)), el("div", {}, block(value, `argument ${name}`, views), against));
}

function resultViews(made) {
  const { name, result } = made;
  if (typeof result.text !== "string" || result.outcome !== "ok") return [];
  if (name === "shell" && hasColours(result.text)) return [["in colours", (text) => el("pre", {}, terminal(text))]];
  const known = (name === "fs_read" && languageOf((made.arguments || {}).path)) || (/^\s*[[{]/.test(result.text) && LANGUAGES.json);
  return known ? [colouredAs(known)] : [];
}

const CALL_SIGNS = { ok: "✓", refused: "✗", fault: "!", invalid: "✗", unknown: "?" };

function call(made, i) {
  const given = made.arguments !== null && typeof made.arguments === "object" ? Object.entries(made.arguments) : [["", made.arguments]];
  const name = typeof made.name === "string" ? made.name : JSON.stringify(made.name);
  const parts = [part("call", ["call ", el("span", { class: "name" }, shown(name))], given.map(([key, value]) => argument(made, key, value)))];
  if (made.result) {
    const { outcome, text, seconds: spent } = made.result;
    const label = [el("span", { class: "how" }, `${CALL_SIGNS[outcome] || "?"} result: ${outcome}`), el("span", {}, seconds(spent))];
    parts.push(part(outcome === "ok" ? "result" : "result trouble", label, block(text, `result of call ${i + 1}`, resultViews(made))));
  }
  return parts;
}

/** Adds to each write what is known of its file: what an earlier turn wrote there, or read there as a whole. */
function withEarlierTexts(turns) {
  const files = new Map();
  for (const turn of turns) {
    for (const made of turn.calls) {
      if (!made.result || made.result.outcome !== "ok" || made.arguments === null || typeof made.arguments !== "object") continue;
      const { path, content, offset, lines } = made.arguments;
      const file = String(path).replace(/^\/workspace\/|^\.\//, "");
      const read = made.result.text;
      if (made.name === "fs_write" && typeof content === "string") {
        made.before = files.get(file);
        files.set(file, { text: content, turn: turn.turn, how: "wrote", stale: false });
      } else if (made.name === "fs_read" && lines === undefined && (offset === undefined || offset === 1) && typeof read === "string" && read.search(CLIPPED) < 0) {
        files.set(file, { text: read === `(${file} is empty)` ? "" : read, turn: turn.turn, how: "read", stale: false });
      } else if (made.name === "shell") {
        for (const known of files.values()) known.stale = true;
      }
    }
  }
  return turns;
}

function timeBar(turn, longest) {
  const bar = el("div", { class: "time", "aria-hidden": "true" });
  for (const spent of [turn.seconds, toolSeconds(turn)]) {
    const piece = el("i");
    piece.style.width = `${(100 * spent) / longest}%`;
    bar.append(piece);
  }
  return bar;
}

const resultsOf = (turn) => [...turn.results.values()];
const toolSeconds = (turn) => resultsOf(turn).reduce((sum, result) => sum + result.seconds, 0);
const odd = (turn) => turn.problems.length + turn.feedback.length > 0 || resultsOf(turn).some((result) => result.outcome !== "ok");

function turnHeader(trial, turn) {
  const { prompt_tokens: prompt, cached_tokens: cached, reply_tokens: reply } = turn.usage;
  return el(
    "header",
    {},
    el("h3", { id: `title-${turn.turn}` }, `Turn ${turn.turn} `, el("a", { class: "anchor", href: address(trial, turn.turn), "aria-label": `Address of turn ${turn.turn}` }, "#")),
    el("span", { class: "spent" }, `model ${seconds(turn.seconds)} · tools ${seconds(toolSeconds(turn))}`),
    el("span", { class: "spent" }, `${plain(prompt)} prompt tokens, ${plain(cached)} cached · ${plain(reply)} reply tokens`),
    turn.finish === "stop" ? null : el("span", { class: "spent" }, `finish: ${turn.finish}`),
  );
}

function turnSection(trial, turn, longest) {
  const said = isSaid(turn.content);
  const { calls } = turn;
  const parts = [turnHeader(trial, turn), timeBar(turn, longest)];
  if (isSaid(turn.reasoning)) parts.push(el("details", { class: "part" }, el("summary", {}, "reasoning"), block(turn.reasoning, "reasoning", [FORMATTED])));
  if (said) parts.push(part("", "reply", block(turn.content, "reply", [FORMATTED])));
  else if (!calls.length && !isSaid(turn.text)) parts.push(part("", "the reply is empty"));
  calls.forEach((made, i) => parts.push(call(made, i)));
  for (const problem of turn.problems) parts.push(part("trouble", "could not be read", block(problem, "problem")));
  for (const repair of turn.repairs) parts.push(part("", "near miss that was accepted", block(repair, "repair")));
  for (const told of turn.feedback) parts.push(part("trouble", "told to the model", block(told, "feedback")));
  if (isSaid(turn.text)) {
    const open = !said && !calls.length;
    parts.push(el("details", { class: "part", open }, el("summary", {}, "everything the model wrote"), block(turn.text, "raw text of the reply")));
  }
  return el("section", { class: "turn", id: `turn-${turn.turn}`, tabindex: -1, "aria-labelledby": `title-${turn.turn}`, "data-turn": turn.turn }, parts.flat());
}

function tile(label, value, note) {
  return el("div", {}, el("dt", {}, label), el("dd", {}, value, note ? el("small", {}, note) : null));
}

/** Prompts and what stood before them, from a transcript's first event. */
function given(start) {
  const hidden = (label, text, open) => el("details", { open }, el("summary", {}, label), block(text, label, typeof text === "string" ? [FORMATTED] : []));
  const load = (start.load && start.load.messages) || [];
  return [
    hidden("task prompt", start.prompt, true),
    isSaid(start.system) ? hidden("system prompt", start.system) : null,
    load.map((message) => hidden(`earlier conversation: ${message.role}`, message.content || message.tool_calls || "")),
  ];
}

function trialHead(trial, id, events) {
  const hits = trial.hits.map(([name, turn, note]) =>
    el("li", {}, el("a", { href: address(trial, turn) }, `turn ${turn}`), ` ${name}: `, shown(note)));
  const attempts = [...trial.earlier, trial.attempt];
  const others = attempts.length > 1
    ? el("p", { class: "small" }, "Attempts: ", attempts.map((other, i) => [i ? " · " : "", other === id ? `${i + 1} (shown)` : el("a", { href: address({ attempt: other }) }, `${i + 1}`)]))
    : null;
  return el(
    "section",
    {},
    el("div", { class: "trial-head" }, el("h1", { id: "trial-title", tabindex: -1 }, breakable(trial.task), ` run ${trial.run}`), badge(trial.outcome), trial.cause ? el("code", {}, trial.cause) : null),
    trial.detail ? block(trial.detail, "detail") : null,
    el("dl", { class: "tiles" },
      tile("ended by", trial.stop), tile("turns", plain(trial.turns)),
      tile("tool calls", plain(trial.calls), trial.problems ? count(trial.problems, "problem") : ""),
      tile("time", seconds(trial.seconds), `model ${seconds(trial.modelSeconds)}, tools ${seconds(trial.toolSeconds)}`),
      tile("prompt tokens", plain(trial.prompt), `${plain(trial.cached)} cached`), tile("reply tokens", plain(trial.reply)),
      tile("started", trial.started.replace("T", " ").replace("+00:00", " UTC")), tile("seed", String(trial.seed))),
    others,
    hits.length ? el("div", {}, el("h3", {}, "Detectors"), el("ul", { class: "small" }, hits)) : null,
    el("p", { class: "source" }, "transcript ", el("a", { href: file(trial, id) }, file(trial, id))),
    events && events.length && events[0].event === "start" ? given(events[0]) : null,
  );
}

const file = (trial, id) => `data/${id === trial.attempt ? "transcripts" : "attempts"}/${id}.jsonl`;

function steps(trial) {
  const order = listed.includes(trial) ? listed : trials;
  const at = order.indexOf(trial);
  const link = (to, text, key) => (to ? el("a", { href: address(to), "data-key": key }, text) : null);
  return el("nav", { class: "steps", "aria-label": "Trials" },
    el("a", { href: listAddress(), "data-key": "u" }, "← all trials"),
    link(order[at - 1], "previous trial", "p"), link(order[at + 1], "next trial", "n"),
    el("span", { class: "muted small" }, `${at + 1} of ${order.length}`),
    el("span", { class: "keys muted small" }, el("kbd", {}, "j"), " ", el("kbd", {}, "k"), " turns  ", el("kbd", {}, "n"), " ", el("kbd", {}, "p"), " trials  ", el("kbd", {}, "u"), " back"));
}

function notEmbedded(trial) {
  const why = trial.embedded === "missing" ? "There is no transcript of this trial in the pack." : "This transcript is not in the page, which would be too large with it.";
  return el("section", { class: "notice" }, el("p", {}, `${why} `, trial.embedded === "missing" ? null : `It is in ${file(trial, trial.attempt)}.`));
}

/** Requests that got no reply, and why an attempt counts as not run. */
function troubles(events) {
  const failed = events.filter((event) => event.event === "request_failed").map((event) => [
    `turn ${event.turn}, try ${event.number}, after ${seconds(event.seconds)}: ${event.cause}: `,
    shown(event.detail),
    event.waited === null ? " (not tried again)" : ` (tried again after ${seconds(event.waited)})`,
  ]);
  const discarded = events.filter((event) => event.event === "discarded").map((event) => ["discarded: ", shown(event.reason)]);
  const lines = [...failed, ...discarded].map((line) => el("li", {}, line));
  return lines.length ? [el("section", { class: "warnings" }, el("h3", {}, "Requests without a reply"), el("ul", {}, lines))] : [];
}

function course(shownAttempt, events) {
  const turns = turnsOf(events);
  const longest = Math.max(1e-9, ...turns.map((turn) => turn.seconds + toolSeconds(turn)));
  const strip = el("nav", { class: "strip", "aria-label": "Turns" }, turns.map((turn) =>
    el("a", { href: address(shownAttempt, turn.turn), class: odd(turn) ? "odd" : null, "data-turn": turn.turn, title: turn.calls.map((made) => made.name).join(", ") }, String(turn.turn))));
  const end = events.find((event) => event.event === "end");
  const how = end
    ? [`Ended by ${end.stop_reason} after turn ${turns.length ? turns[turns.length - 1].turn : 0}${end.detail ? ": " : ""}`, shown(end.detail)]
    : "The transcript has no end: the process that wrote it was killed, or still runs.";
  return [strip, ...turns.map((turn) => turnSection(shownAttempt, turn, longest)), ...troubles(events), el("section", { class: "end" }, el("h3", {}, "End"), el("p", {}, how))];
}

let open = null; // which attempt is shown

async function showTrial(id, turn, text = "") {
  const trial = byId.get(id);
  if (text !== $("filter-text").value) {
    $("filter-text").value = text;
    open = null; // its links have the text in their addresses
  }
  if (open !== id) {
    let events;
    try {
      events = await transcript(id);
    } catch (error) {
      return notice(`The transcript of ${trial.task} run ${trial.run} cannot be unpacked: ${error.message}`);
    }
    if (route().trial !== id) return undefined; // the address changed meanwhile
    const view = $("trial");
    view.replaceChildren(steps(trial), trialHead(trial, id, events), ...(events ? course({ attempt: id }, events) : [notEmbedded(trial)]));
    open = id;
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

/** Opens what hides a place, and brings it into view. */
function reveal(range) {
  const at = range.startContainer.parentElement;
  for (let fold = at.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  at.closest(".text").classList.add("whole");
  at.scrollIntoView({ behavior: "instant", block: "center" });
}

function goToTurn(named, places) {
  const turn = named || [...places.keys()].find((one) => one) || 0;
  const at = turn && $(`turn-${turn}`);
  for (const here of document.querySelectorAll(".turn.here")) here.classList.remove("here");
  for (const link of document.querySelectorAll(".strip a")) {
    if (link.dataset.turn === String(turn)) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  if (at) {
    at.classList.add("here");
    at.focus({ preventScroll: true });
    at.scrollIntoView({ behavior: "instant", block: "start" });
    if (places.has(turn)) reveal(places.get(turn));
  } else {
    $("trial-title").focus({ preventScroll: true });
    scrollTo({ top: 0, behavior: "instant" });
    if (turn) notice(`There is no turn ${turn} in this transcript.`);
  }
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

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
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

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = text === "";
}

// ---- keyboard ----

function nextTurn(step) {
  const turns = [...document.querySelectorAll(".turn")];
  const at = turns.findIndex((turn) => turn.classList.contains("here"));
  const to = turns[at < 0 ? (step > 0 ? 0 : -1) : at + step];
  if (to) location.hash = address({ attempt: open }, to.dataset.turn);
}

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

/** The map is one stop of the tab key; the arrows go from cell to cell. */
function arrows(event) {
  const cell = event.target.closest(".cell[href]");
  if (!cell) return;
  const lines = [...document.querySelectorAll(".map .runs")].map((line) => [...line.querySelectorAll(".cell[href]")]).filter((line) => line.length);
  const y = lines.findIndex((line) => line.includes(cell));
  const x = lines[y].indexOf(cell);
  const to = {
    ArrowLeft: () => lines[y][x - 1],
    ArrowRight: () => lines[y][x + 1],
    ArrowUp: () => lines[y - 1] && lines[y - 1][Math.min(x, lines[y - 1].length - 1)],
    ArrowDown: () => lines[y + 1] && lines[y + 1][Math.min(x, lines[y + 1].length - 1)],
    Home: () => lines[y][0],
    End: () => lines[y][lines[y].length - 1],
  }[event.key];
  if (!to) return;
  event.preventDefault();
  const target = to();
  if (!target) return;
  cell.tabIndex = -1;
  target.tabIndex = 0;
  target.focus();
}

function changeTheme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "light" : "dark";
}

// ---- tables ----

const widths = new Map();

/** A table that is wider than its place is shown as cards, a row each, with the heads in front of the numbers. */
function fit(box) {
  if (!box.clientWidth) return;
  widths.set(box, box.clientWidth);
  box.classList.remove("cards");
  box.classList.toggle("cards", box.scrollWidth > box.clientWidth);
}

const places = new ResizeObserver((entries) => {
  for (const { target } of entries) if (widths.get(target) !== target.clientWidth) fit(target);
});

// ---- start ----

fillFilters();
document.documentElement.classList.add("scripted");
document.querySelectorAll(".cell[href]").forEach((cell, i) => { cell.tabIndex = i ? -1 : 0; });
document.querySelectorAll("#overview .scroll").forEach((box) => places.observe(box));
for (const name of FILTERS) $(`filter-${name}`).addEventListener(name === "text" ? "input" : "change", name === "text" ? retype : refilter);
$("clear").addEventListener("click", () => { for (const name of FILTERS) $(`filter-${name}`).value = ""; retype(); });
$("more").addEventListener("click", () => { rows += PAGE; showList(); });
$("rows").addEventListener("click", (event) => {
  const line = event.target.closest("tr[data-trial]");
  if (line && !event.target.closest("a") && !String(getSelection())) line.querySelector("a").click();
});
$("theme").addEventListener("click", changeTheme);
addEventListener("beforeprint", () => document.querySelectorAll("#trial details, .fold details").forEach((one) => { one.open = true; }));
addEventListener("keydown", key);
document.querySelectorAll(".map").forEach((map) => map.addEventListener("keydown", arrows));
addEventListener("hashchange", follow);
follow();

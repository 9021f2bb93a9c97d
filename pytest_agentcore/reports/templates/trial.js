// How a trial is shown: its head, its turns, its end. Both pages use it; each says what the address of a turn is (`address`)
// and where a transcript lies (`file`), and has the elements `notice`, `trial` and `theme`.

const $ = (id) => document.getElementById(id);

const isSaid = (text) => typeof text !== "string" || text.trim() !== "";
const seconds = (s) => `${s.toFixed(s < 10 ? 2 : 1)}s`;

function badge(outcome) {
  const sign = el("span", { class: `sign ${data.signs[outcome] ? outcome : ""}`, "aria-hidden": "true" }, data.signs[outcome] || "?");
  return el("span", { class: "outcome" }, sign, el("span", {}, outcome));
}

/** A name that may be broken behind each underscore. */
const breakable = (name) => name.split(/(?<=_)/).flatMap((word) => [word, el("wbr")]);

// ---- a transcript ----

/** What was deflated and written in base64, as text. */
async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

const eventsIn = (text) => text.split("\n").slice(0, -1).map((line) => JSON.parse(line)); // behind the last newline: torn by a kill

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

function turnHeader(trial, turn, side) {
  const { prompt_tokens: prompt, cached_tokens: cached, reply_tokens: reply } = turn.usage;
  return el(
    "header",
    {},
    el("h3", { id: `${side}title-${turn.turn}` }, `Turn ${turn.turn} `, el("a", { class: "anchor", href: address(trial, turn.turn), "aria-label": `Address of turn ${turn.turn}` }, "#")),
    el("span", { class: "spent" }, `model ${seconds(turn.seconds)} · tools ${seconds(toolSeconds(turn))}`),
    el("span", { class: "spent" }, `${plain(prompt)} prompt tokens, ${plain(cached)} cached · ${plain(reply)} reply tokens`),
    turn.finish === "stop" ? null : el("span", { class: "spent" }, `finish: ${turn.finish}`),
  );
}

/** One turn; `side` keeps its ids apart where two trials are shown. */
function turnSection(trial, turn, longest, side = "") {
  const said = isSaid(turn.content);
  const { calls } = turn;
  const parts = [turnHeader(trial, turn, side), timeBar(turn, longest)];
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
  return el("section", { class: "turn", id: `${side}turn-${turn.turn}`, tabindex: -1, "aria-labelledby": `${side}title-${turn.turn}`, "data-turn": turn.turn }, parts.flat());
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

/** Goes on by so many turns, from the one that is marked. */
function nextTurn(step) {
  const turns = [...document.querySelectorAll(".turn")];
  const at = turns.findIndex((turn) => turn.classList.contains("here"));
  const to = turns[at < 0 ? (step > 0 ? 0 : -1) : at + step];
  if (to) location.hash = to.querySelector(".anchor").hash;
}

// ---- the page around it ----

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = text === "";
}

/** A map of cells is one stop of the tab key; the arrows go from cell to cell. */
function arrows(event) {
  const cell = event.target.closest(".cell[href], a.share");
  if (!cell) return;
  const rows = [...cell.closest(".map, .matrix").querySelectorAll(".runs, tbody tr:not([hidden])")];
  const lines = rows.map((line) => [...line.querySelectorAll(".cell[href], a.share")]).filter((line) => line.length);
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

document.documentElement.classList.add("scripted");
document.querySelectorAll("#overview .scroll, #campaign .scroll").forEach((box) => places.observe(box));
$("theme").addEventListener("click", changeTheme);
addEventListener("beforeprint", () => document.querySelectorAll("#trial details, .fold details").forEach((one) => { one.open = true; }));

const data = JSON.parse($("data").textContent);
const campaigns = data.campaigns.map((one, number) => ({ ...one, number, words: [one.id, ...Object.values(one.facets), ...one.facts.flat()].join(" ").toLowerCase() }));
const byName = new Map(campaigns.map((campaign) => [campaign.id, campaign]));
const VIEWS = { overview: "filter-text", campaign: "trials-text", pair: "", trial: "" };
const FACETS = Object.keys(campaigns.length ? campaigns[0].facets : {}).filter((name) => new Set(campaigns.map((one) => one.facets[name])).size > 1);

const words = (values) => "#" + new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
const address = (trial, turn) => words({ campaign: trial.campaign.id, trial: trial.attempt, turn, text: field("text").value });
const besideAddress = (one, other) => words({ campaign: one.campaign.id, trial: one.attempt, with: other.campaign.id, other: other.attempt });
const pairAddress = (one, other) => words({ first: one.id, second: other.id });
const file = (trial, id) => `${trial.campaign.place}/data/transcripts/${id}.jsonl`;
const titled = (campaign) => `${campaign.facets.model}${campaign.facets.quant === "-" ? "" : ` ${campaign.facets.quant}`}, ${campaign.facets.policy}${campaign.facets.load === "0" ? "" : `, load ${campaign.facets.load}`}`;

// ---- what is unpacked or loaded when it is asked for ----

/** The trials of a campaign, by task and run. */
async function trialsOf(campaign) {
  if (!campaign.trials) {
    const rows = JSON.parse(await unpacked($(`c-${campaign.number}`).textContent));
    campaign.trials = rows.map((row) => ({ ...Object.fromEntries(data.columns.map((name, i) => [name, row[i]])), campaign, model: titled(campaign), earlier: [], hits: [] }));
  }
  return campaign.trials;
}

let verdicts = null;

/** What separates two campaigns, the older of which is called A; undefined where the page has no verdict. */
async function verdictOf(older, newer) {
  verdicts = verdicts || JSON.parse(await unpacked($("pairs").textContent));
  return verdicts[`${older.number}-${newer.number}`];
}

const waiting = new Map();

/** Called by the script of a transcript. */
function agentcoreTranscript(key, packed) {
  if (waiting.has(key)) waiting.get(key)(packed);
}

/** A script beside the page, since a page from a disk may read no file: the packed transcript, or null without one. */
function loaded(trial) {
  const key = keyOf(trial);
  return new Promise((done) => {
    const script = document.createElement("script");
    const before = waiting.get(key) || (() => {}); // whoever asked for the same one meanwhile gets it too
    const end = (packed) => { waiting.delete(key); script.remove(); before(packed); done(packed || null); };
    waiting.set(key, end);
    script.onerror = script.onload = () => end(null);
    script.src = `${data.beside}/${key.split("/").map(encodeURIComponent).join("/")}.js`;
    document.head.append(script);
  });
}

const isHeld = (trial) => data.beside || $(`t-${keyOf(trial)}`);

async function transcriptText(trial) {
  const held = $(`t-${keyOf(trial)}`);
  const packed = held ? held.textContent : data.beside ? await loaded(trial) : "";
  return packed ? unpacked(packed) : null;
}

/** The events of a trial; null where there is no transcript, or a damaged one. */
async function eventsOf(trial) {
  try {
    const text = await transcriptText(trial);
    const events = text === null ? null : eventsIn(text);
    if (events) course(trial, events); // one that cannot be shown is none
    return events;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

function missing(trial) {
  const where = data.beside ? `It was looked for in ${data.beside} beside this page` : "The page was made without it";
  return el("section", { class: "notice" }, el("p", {}, `There is no readable transcript of ${trial.task} run ${trial.run}. ${where}; the campaign has it in ${file(trial, trial.attempt)}, if at all.`));
}

// ---- the campaigns: filtered, searched, sorted ----

const lines = [...document.querySelectorAll("#overview tr[data-campaign]")];
const facetsNow = () => ({ ...Object.fromEntries(FACETS.map((name) => [name, $(`filter-${name}`).value])), text: $("filter-text").value });

function fillFacets() {
  const called = { load: "context load", suite: "suite version" };
  for (const name of [...FACETS].reverse()) {
    const values = [...new Set(campaigns.map((one) => one.facets[name]))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const select = el("select", { id: `filter-${name}` }, el("option", { value: "" }, "all"), values.map((value) => el("option", { value }, value)));
    select.addEventListener("change", refilter);
    $("filters").prepend(el("label", {}, called[name] || name, " ", select));
  }
  $("filter-text").addEventListener("input", refilter);
  $("clear").addEventListener("click", () => { setFilter({}); refilter(); });
}

function setFilter(values) {
  for (const name of [...FACETS, "text"]) $(`filter-${name}`).value = values[name] || "";
}

function showCampaigns() {
  const filter = facetsNow();
  const parts = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = new Set(campaigns.filter((one) => FACETS.every((name) => !filter[name] || one.facets[name] === filter[name]) && parts.every((word) => one.words.includes(word))));
  for (const line of lines) line.hidden = !kept.has(campaigns[line.dataset.campaign]);
  for (const suite of document.querySelectorAll(".suite")) suite.hidden = ![...kept].some((one) => one.suite === Number(suite.dataset.suite));
  $("count").textContent = `${plain(kept.size)} of ${count(campaigns.length, "campaign")}`;
  firstStop();
}

function refilter() {
  showCampaigns();
  history.replaceState(null, "", words(facetsNow()));
}

/** Sorts both tables of a suite by the column of a button: once as its numbers are looked for, again the other way. */
function sortBy(button) {
  const head = button.closest("th");
  const was = head.getAttribute("aria-sort");
  const falls = was ? was === "ascending" : button.dataset.first === "down";
  const column = [...head.parentElement.children].indexOf(head);
  const suite = head.closest(".suite");
  for (const other of suite.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falls ? "descending" : "ascending");
  const ordered = [...head.closest("table").tBodies[0].rows].sort((a, b) => {
    const [one, two] = [a, b].map((row) => row.children[column].dataset.value);
    if (one === "" || two === "") return (one === "") - (two === "");
    const numbers = !Number.isNaN(Number(one)) && !Number.isNaN(Number(two));
    return (falls ? -1 : 1) * (numbers ? one - two : one.localeCompare(two, "en", { numeric: true }));
  });
  const place = new Map(ordered.map((row, i) => [row.dataset.campaign, i]));
  for (const { tBodies: [body] } of suite.querySelectorAll("table")) {
    body.append(...[...body.rows].sort((a, b) => place.get(a.dataset.campaign) - place.get(b.dataset.campaign)));
  }
  firstStop();
}

/** The cells of all tasks are one stop of the tab key in each table; the arrows go on from there. */
function firstStop() {
  for (const table of document.querySelectorAll(".matrix")) {
    const cells = [...table.querySelectorAll("tbody tr:not([hidden]) a.share")];
    cells.forEach((cell, i) => { cell.tabIndex = i ? -1 : 0; });
  }
}

/** Two checked campaigns can be compared; a third one takes the place of the first. */
let picked = [];

function pick(box) {
  const campaign = campaigns[box.dataset.pick];
  picked = box.checked ? [...picked, campaign].slice(-2) : picked.filter((one) => one !== campaign);
  for (const one of document.querySelectorAll("[data-pick]")) one.checked = picked.includes(campaigns[one.dataset.pick]);
  $("chosen").hidden = !picked.length;
  $("chosen").replaceChildren(...(picked.length === 2
    ? [el("a", { href: pairAddress(...picked), class: "go" }, `Compare ${titled(picked[0])} and ${titled(picked[1])}`)]
    : [`Checked: ${titled(picked[0] || campaign)}. Check another one to compare the two.`]));
}

// ---- one campaign ----

const back = (href, text) => el("a", { href, "data-key": "u" }, text);
const overviewAddress = () => (Object.values(facetsNow()).some(Boolean) ? words(facetsNow()) : "#overview");

let shownCampaign; // whose trials are listed; null: those of all campaigns

/** Lists the trials of a campaign, or of all of them. */
async function listTrials(campaign) {
  if (shownCampaign === campaign) return;
  const hash = location.hash;
  const all = (await Promise.all((campaign ? [campaign] : campaigns).map(trialsOf))).flat();
  if (location.hash !== hash) return; // the address changed meanwhile
  [shownCampaign, trials] = [campaign, all];
  $("campaign-head").replaceChildren(campaign ? campaignHead(campaign) : allHead());
  field("model").parentElement.hidden = Boolean(campaign);
  fillFilters();
}

async function showTrials(campaign, to) {
  const hash = location.hash;
  await listTrials(campaign);
  if (location.hash !== hash) return;
  view("campaign", campaign ? campaign.id : "all trials");
  scrollTo({ top: 0, behavior: "instant" });
  setList(to);
  $("campaign-title").focus({ preventScroll: true });
}

const listAddress = () => words({ ...(shownCampaign ? { campaign: shownCampaign.id } : { trials: "all" }), ...filterNow() });

/** Among the trials of all campaigns a row says whose it is. */
const named = (trial) => (shownCampaign ? null : el("small", {}, trial.model));

const allHead = () => el("section", {},
  el("nav", { class: "steps", "aria-label": "Pages" }, back(overviewAddress(), "← all campaigns")),
  el("h1", { id: "campaign-title", tabindex: -1 }, `All trials of ${count(campaigns.length, "campaign")}`));

function campaignHead(campaign) {
  const others = campaigns.filter((one) => one !== campaign && one.suite === campaign.suite);
  return el("section", {},
    el("nav", { class: "steps", "aria-label": "Pages" }, back(overviewAddress(), "← all campaigns"),
      others.length ? chooser(campaign, others, "compare with", (other) => pairAddress(campaign, other)) : null),
    el("h1", { id: "campaign-title", tabindex: -1 }, breakable(campaign.facets.model), ` on ${data.suites[campaign.suite].title}`),
    chips(campaign),
    el("p", { class: "verdict" }, `${campaign.rate} of the scored trials passed; 95% interval for the same tasks again: ${campaign.around}.`),
    campaign.doubts.length ? el("div", { class: "warnings" }, el("h3", {}, "Doubts"), el("ul", { class: "small" }, campaign.doubts.map((doubt) => el("li", {}, doubt)))) : null,
    campaign.report ? el("p", {}, el("a", { href: campaign.report }, "Its own report"), " has charts, detectors and replaced attempts.") : null,
    el("details", {}, el("summary", {}, "What was run"), el("dl", { class: "facts" }, campaign.facts.map(([label, text]) => [el("dt", {}, label), el("dd", {}, text)]))));
}

const chips = (campaign) => el("ul", { class: "chips", "aria-label": "Model" }, ["quant", "policy", "device"].filter((name) => campaign.facets[name] !== "-")
  .map((name) => el("li", {}, el("span", {}, name), ` ${campaign.facets[name]}`)));

/** A list of campaigns, of which the chosen one leads somewhere. */
function chooser(chosen, others, label, to) {
  const select = el("select", {}, el("option", { value: "" }, "…"), others.map((one) => el("option", { value: one.number }, `${titled(one)} (${one.id})`)));
  select.addEventListener("change", () => { if (select.value) location.hash = to(campaigns[select.value]); });
  return el("label", { class: "chooser" }, label, " ", select);
}

// ---- two campaigns ----

let shownPair = "";
let pairLimit = PAGE;

async function showPair(one, other) {
  const hash = location.hash;
  const [older, newer] = one.number < other.number ? [one, other] : [other, one];
  const [found, ...trials] = await Promise.all([verdictOf(older, newer), trialsOf(older), trialsOf(newer)]);
  if (location.hash !== hash) return;
  const key = `${older.number}-${newer.number}`;
  if (shownPair !== key) {
    shownPair = key;
    pairLimit = PAGE;
    $("pair").replaceChildren(pairHead(older, newer, found), ...taskTable(older, newer, found), pairedTrials(older, newer, ...trials), ...othersOf(older, newer));
    for (const box of $("pair").querySelectorAll(".scroll")) places.observe(box);
  }
  view("pair", `${titled(older)} and ${titled(newer)}`);
  scrollTo({ top: 0, behavior: "instant" });
  for (const box of $("pair").querySelectorAll(".scroll")) fit(box);
  $("pair-title").focus({ preventScroll: true });
}

function pairHead(older, newer, found) {
  const side = (letter, campaign, other) => el("div", { class: `side ${letter === "A" ? "first" : "second"}` },
    el("h2", {}, el("span", { class: "letter" }, letter), " ", el("a", { href: words({ campaign: campaign.id }) }, titled(campaign))),
    chips(campaign),
    el("p", {}, el("b", {}, campaign.rate), el("br"), el("span", { class: "muted" }, `95% interval, same tasks again: ${campaign.around}`)),
    chooser(campaign, campaigns.filter((one) => one !== campaign && one !== other), "take another", (another) => pairAddress(another, other)));
  return el("section", {},
    el("nav", { class: "steps", "aria-label": "Pages" }, back(overviewAddress(), "← all campaigns")),
    el("h1", { id: "pair-title", tabindex: -1 }, "Two campaigns"),
    el("div", { class: "sides" }, side("A", older, newer), side("B", newer, older)),
    el("p", { class: "verdict" }, verdictWords(older, newer, found)),
    found ? conditionsTable(found.conditions) : null);
}

function verdictWords(older, newer, found) {
  if (found) return found.verdict;
  const [one, two] = [older, newer].map((campaign) => data.suites[campaign.suite]);
  if (one !== two) return `No verdict: A ran ${one.title} with digest ${one.digest.slice(0, 12)}, B ${two.title} with digest ${two.digest.slice(0, 12)}. These are not the same tasks: prompts, files or checkers are others.`;
  return `This page has no verdict of these two, since computing all of them would take long. agentcore compare ${older.path} ${newer.path} has it.`;
}

function facing(label, heads, rows) {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell, i) => (i ? el("td", { "data-label": heads[i] }, cell) : el("th", { scope: "row" }, cell))))))));
}

function conditionsTable(conditions) {
  if (!conditions.length) return el("p", {}, "They differ in nothing but their trials.");
  return el("div", {}, el("h3", {}, "What differs besides the outcome"), facing("Conditions that differ", ["condition", "A", "B"], conditions));
}

/** Task by task: the cells of both campaigns as the overview draws them, and what the test says of the two. */
function taskTable(older, newer, found) {
  const tasks = [...new Set([...older.tasks, ...newer.tasks])].sort();
  const cell = (campaign, task) => {
    const drawn = [...document.querySelector(`.matrix tr[data-campaign="${campaign.number}"]`).cells].find((one) => one.dataset.label === task);
    const copy = drawn && drawn.firstElementChild && drawn.firstElementChild.cloneNode(true);
    if (copy) copy.tabIndex = 0;
    return copy || "not planned";
  };
  const tested = new Map(((found && found.tasks) || []).map(([task, , , ...rest]) => [task, rest]));
  const rows = tasks.map((task) => [breakable(task), cell(older, task), cell(newer, task), ...(tested.get(task) || ["-", "-", "-", "-"])]);
  const all = tested.get("all tasks of both");
  if (all) rows.push(["all tasks of both", ...found.tasks[found.tasks.length - 1].slice(1)]);
  return [el("section", {}, el("h2", {}, "Task by task"), facing("Both campaigns by task", ["task", "A", "B", "points", "95% interval", "p", "smallest possible p"], rows),
    found && found.notes.length ? el("ul", { class: "small" }, found.notes.map((note) => el("li", {}, note))) : null)];
}

/** The trials of both by task and run, those first whose outcomes differ. */
function pairedTrials(older, newer, ones, others) {
  const keyed = new Map(others.map((trial) => [`${trial.task}\n${trial.run}`, trial]));
  const both = ones.map((one) => [one, keyed.get(`${one.task}\n${one.run}`)]).filter(([, other]) => other);
  const differ = ([one, other]) => one.outcome !== other.outcome;
  const ordered = [...both.filter(differ), ...both.filter((pair) => !differ(pair))];
  const body = el("tbody");
  const more = el("button", { type: "button" });
  const show = () => {
    body.replaceChildren(...ordered.slice(0, pairLimit).map(([one, other]) => el("tr", { class: differ([one, other]) ? "differ" : null },
      el("th", { scope: "row" }, el("a", { href: besideAddress(one, other) }, breakable(`${one.task} run ${one.run}`))),
      el("td", { "data-label": "A" }, badge(one.outcome)), el("td", { "data-label": "B" }, badge(other.outcome)),
      el("td", { "data-label": "turns" }, `${one.turns} | ${other.turns}`), el("td", { "data-label": "time" }, `${seconds(one.seconds)} | ${seconds(other.seconds)}`))));
    showMore(more, ordered.length, pairLimit);
  };
  more.addEventListener("click", () => { pairLimit += PAGE; show(); });
  body.addEventListener("click", openRow);
  show();
  return el("section", { id: "paired" }, el("h2", {}, "Trial beside trial"),
    el("p", { class: "muted small" }, `${count(both.length, "trial")} of both have the same task and run; ${both.filter(differ).length} of them ended otherwise, and come first. A row opens the two side by side.`),
    el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ["trial", "A", "B", "turns", "time"].map((head) => el("th", { scope: "col" }, head)))), body)),
    el("p", { class: "more" }, more));
}

/** What a campaign is to each of the others of its suite, in a line each. */
function othersOf(...both) {
  return both.map((campaign, i) => {
    const others = campaigns.filter((one) => one !== campaign && one.suite === campaign.suite);
    const rows = others.map((other) => {
      const [older, newer] = campaign.number < other.number ? [campaign, other] : [other, campaign];
      const found = verdicts[`${older.number}-${newer.number}`];
      const all = found && found.tasks[found.tasks.length - 1];
      const sign = found ? found.sign * (older === campaign ? -1 : 1) : 0;
      const word = !found ? "not computed here" : sign > 0 ? "better than" : sign < 0 ? "worse than" : "no difference shown from";
      return [el("a", { href: pairAddress(campaign, other) }, `${word} ${titled(other)}`), all ? `${all[3]} points` : "-", all ? all[4] : "-", all ? all[5] : "-"];
    });
    if (others.length < 2) return null;
    return el("details", { class: "others" }, el("summary", {}, `${"AB"[i]} beside every other campaign of its suite`),
      el("p", { class: "muted small" }, "Points, interval and p are for the newer one minus the older one. Each p is for that pair alone: among many pairs some differ by chance."),
      facing(`${titled(campaign)} beside the others`, ["verdict", "newer less older", "95% interval", "p"], rows));
  }).filter(Boolean).map((made) => el("section", {}, made));
}

// ---- one trial ----

const stepsOf = (trial) => steps(trial, shownCampaign ? `← ${titled(shownCampaign)}` : "← all trials", beside(trial));

/** Chooses the trial that is put beside one: another run of the campaign, or any run of the task in another campaign. */
function beside(trial) {
  const runs = el("select", { "aria-label": "run" });
  const which = el("select", { "aria-label": "campaign" }, campaigns.filter((one) => one.tasks.includes(trial.task)).map((one) => el("option", { value: one.number, selected: one === trial.campaign }, `${titled(one)} (${one.id})`)));
  const fill = async () => {
    const found = (await trialsOf(campaigns[which.value])).filter((other) => other.task === trial.task && other !== trial);
    runs.replaceChildren(el("option", { value: "" }, found.length ? "run …" : "no other run"), ...found.map((other) => el("option", { value: other.attempt }, `run ${other.run}: ${other.outcome}`)));
  };
  which.addEventListener("change", fill);
  runs.addEventListener("change", () => {
    const other = campaigns[which.value].trials.find((one) => one.attempt === runs.value);
    if (other) location.hash = besideAddress(trial, other);
  });
  fill();
  return el("span", { class: "chooser" }, "beside ", which, " ", runs);
}

// ---- two trials ----

/** What a turn holds that can differ, each under the words that say so, in the order in which it comes to be. */
const PARTS = [
  ["the reasoning differs", (turn) => turn.reasoning],
  ["the words differ", (turn) => turn.content],
  ["the calls differ", (turn) => turn.tool_calls.map((made) => [made.name, made.arguments])],
  ["what could not be read differs", (turn) => turn.problems],
  ["the same calls had other results", (turn) => turn.calls.map((made) => made.result && [made.result.outcome, made.result.text])],
  ["what the model was told differs", (turn) => turn.feedback],
];
const same = (one, two) => JSON.stringify(one) === JSON.stringify(two);

/** Where two trials part: the number of the turn and why; null where they are the same to the end. */
function parting(starts, one, two) {
  if (!same(...starts.map((start) => [start.system, start.prompt, start.load]))) return { turn: 0, why: "what they were given differs" };
  for (let i = 0; i < Math.max(one.length, two.length); i += 1) {
    if (!one[i] || !two[i]) return { turn: (one[i] || two[i]).turn, why: `${one[i] ? "A" : "B"} goes on, the other one has ended` };
    const found = PARTS.find(([, of]) => !same(of(one[i]), of(two[i])));
    if (found) return { turn: one[i].turn, why: found[0] };
  }
  return null;
}

async function showBeside(one, other) {
  const key = `${one.attempt} ${other.campaign.id} ${other.attempt}`;
  if (open !== key) {
    const hash = location.hash;
    const both = await Promise.all([one, other].map(eventsOf));
    if (location.hash !== hash) return;
    $("trial").replaceChildren(...sideBySide([one, other], both));
    open = key;
  }
  view("trial", `${one.task} run ${one.run} beside run ${other.run}`);
  $("trial-title").focus({ preventScroll: true });
  scrollTo({ top: 0, behavior: "instant" });
}

function sideBySide(trials, both) {
  const [one, other] = trials;
  const head = el("section", {},
    el("nav", { class: "steps", "aria-label": "Pages" }, back(one.campaign === other.campaign ? words({ campaign: one.campaign.id }) : pairAddress(one.campaign, other.campaign), "← back"),
      el("a", { href: besideAddress(other, one) }, "change sides"), beside(one)),
    el("h1", { id: "trial-title", tabindex: -1 }, breakable(one.task), one.task === other.task ? "" : [" and ", breakable(other.task)]),
    el("div", { class: "sides" }, trials.map((trial, i) => el("div", { class: `side ${i ? "second" : "first"}` },
      el("h2", {}, el("span", { class: "letter" }, "AB"[i]), " ", el("a", { href: address(trial) }, `run ${trial.run}`), " ", badge(trial.outcome)),
      el("p", { class: "small" }, titled(trial.campaign), el("br"), el("code", {}, trial.campaign.id)),
      el("p", { class: "muted small" }, `${count(trial.turns, "turn")}, ${count(trial.calls, "call")}, ${seconds(trial.seconds)}, ${plain(trial.reply)} reply tokens, ended by ${trial.stop}${trial.cause ? `, ${trial.cause}` : ""}`),
      trial.detail ? block(trial.detail, "detail") : null))));
  if (!both.every(Boolean)) return [head, ...trials.filter((_, i) => !both[i]).map(missing)];
  const starts = both.map((events) => events.find((event) => event.event === "start") || {});
  const turns = both.map(turnsOf);
  const parts = parting(starts, ...turns);
  const longest = Math.max(1e-9, ...turns.flat().map((turn) => turn.seconds + toolSeconds(turn)));
  const shared = turns[0].filter((turn) => !parts || turn.turn < parts.turn);
  const made = [head];
  if (!parts || parts.turn) {
    const turnsAlike = { 0: "", 1: " and turn 1" }[shared.length] ?? ` and turns 1 to ${shared.length}`;
    made.push(el("section", { class: "shared" }, el("details", {}, el("summary", {}, `What is the same in both: what they were given${turnsAlike}`),
      given(starts[0]), shared.map((turn) => turnSection(one, turn, longest, "both-")))));
  }
  made.push(el("section", { class: "parting", id: "parting" }, el("h2", {}, parts ? `They part ${parts.turn ? `in turn ${parts.turn}` : "before the first turn"}: ${parts.why}` : "They are the same, turn by turn, to the end")));
  if (parts && !parts.turn) made.push(el("div", { class: "sides turns" }, starts.map((start) => el("section", {}, given(start)))));
  const numbers = [...new Set(turns.flat().map((turn) => turn.turn))].filter((turn) => parts && turn >= parts.turn).sort((a, b) => a - b);
  for (const number of numbers) {
    made.push(el("div", { class: "sides turns" }, turns.map((all, i) => {
      const turn = all.find((each) => each.turn === number);
      return turn ? turnSection(trials[i], turn, longest, i ? "b-" : "a-") : el("section", { class: "ended muted" }, `${"AB"[i]} has ended.`);
    })));
  }
  return made;
}

// ---- addresses ----

async function follow() {
  const hash = location.hash;
  const to = new URLSearchParams(hash.slice(1));
  notice("");
  const [first, second] = [byName.get(to.get("first")), byName.get(to.get("second"))];
  if (first && second && first !== second) return showPair(first, second);
  const campaign = byName.get(to.get("campaign"));
  if (!campaign) return to.get("trials") === "all" ? showTrials(null, to) : showOverview(to);
  const trial = to.get("trial") && (await trialsOf(campaign)).find((one) => one.attempt === to.get("trial"));
  const beyond = byName.get(to.get("with"));
  const other = trial && beyond && (await trialsOf(beyond)).find((one) => one.attempt === to.get("other"));
  if (trial && !trials.includes(trial) && location.hash === hash) await listTrials(campaign);
  if (location.hash !== hash) return undefined;
  if (other && other !== trial) return showBeside(trial, other);
  if (trial) return showAttempt(trial, trial.attempt, Number(to.get("turn") || 0), to.get("text") || "");
  if (to.get("trial")) notice(`There is no trial ${to.get("trial")} in ${campaign.id}.`);
  return showTrials(campaign, to);
}

function showOverview(to) {
  view("overview", "");
  const named = ["campaign", "first", "second"].map((name) => to.get(name)).find((name) => name && !byName.has(name));
  if (named) notice(`There is no campaign ${named} on this page.`);
  if ([...FACETS, "text"].some((name) => to.has(name))) setFilter(Object.fromEntries(to));
  showCampaigns();
  const at = /^#[\w-]+$/.test(location.hash) && $(location.hash.slice(1));
  if (at) at.scrollIntoView({ behavior: "instant" });
}

// ---- start ----

fillFacets();
wireList();
firstStop();
const [best, next] = [...document.querySelectorAll(".campaigns tr[data-campaign]")].map((line) => campaigns[line.dataset.campaign]);
if (best && next) $("compare-any").href = pairAddress(best, next);
else $("compare-any").remove();
for (const button of document.querySelectorAll("button.sort")) button.addEventListener("click", () => sortBy(button));
for (const box of document.querySelectorAll("[data-pick]")) box.addEventListener("change", () => pick(box));
addEventListener("keydown", key);
for (const table of document.querySelectorAll(".matrix")) table.addEventListener("keydown", arrows);
addEventListener("hashchange", follow);
follow();

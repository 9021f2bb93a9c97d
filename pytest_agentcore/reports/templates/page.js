let data, byId;

/** Takes what the page was given: rows by their columns, and every attempt with its trial. */
function take(given) {
  data = given;
  trials = data.rows.map((row) => Object.fromEntries(data.columns.map((name, i) => [name, row[i]])));
  byId = new Map(trials.flatMap((trial) => [trial.attempt, ...trial.earlier].map((id) => [id, trial])));
}

take(JSON.parse($("data").textContent));
const VIEWS = { overview: "trials-text", trial: "" };

/** Of a trial, or a turn of it; the text that is searched for goes along, and is marked there. */
function address(trial, turn) {
  const text = field("text").value;
  return `#trial=${trial.attempt}` + (turn ? `&turn=${turn}` : "") + (text ? `&text=${encodeURIComponent(text)}` : "");
}

function listAddress() {
  const words = new URLSearchParams(Object.entries(filterNow()).filter(([, value]) => value));
  return "#" + (words.toString() || "trials");
}

const named = () => null;
const file = (trial, id) => `data/${id === trial.attempt ? "transcripts" : "attempts"}/${id}.jsonl`;
const isHeld = (_trial, id) => data.served || $(`t-${id}`);

/** The lines of a transcript, from the page or from the server that gave it; null where there are none. */
async function transcriptText(trial, id) {
  const held = $(`t-${id}`);
  if (held) return unpacked(held.textContent);
  const answer = data.served ? await fetch(file(trial, id)) : null;
  return answer && answer.ok ? answer.text() : null;
}

const stepsOf = (trial) => steps(trial, "← all trials");

function missing(trial) {
  const isMissing = trial.embedded === "missing" || data.served;
  const why = isMissing ? "There is no transcript of this trial in the pack." : "This transcript is not in the page, which would be too large with it.";
  return el("section", { class: "notice" }, el("p", {}, `${why} `, isMissing ? null : `It is in ${file(trial, trial.attempt)}.`));
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
  if (to.trial && byId.has(to.trial)) return showAttempt(byId.get(to.trial), to.trial, to.turn, (to.words && to.words.get("text")) || "");
  if (!to.asked && to.turn) {
    const here = open || only(trials.map((trial) => trial.attempt));
    if (here) {
      history.replaceState(null, "", `#trial=${here}&turn=${to.turn}`);
      return showAttempt(byId.get(here), here, to.turn, "");
    }
    wanted = to.turn;
    notice(`Turn ${to.turn} of which trial? Choose one of the list.`);
  }
  return showOverview(to);
}

function showOverview(to) {
  view("overview");
  if (to.words && fields().some((name) => to.words.has(name))) setList(to.words);
  else showList();
  if (to.asked) notice(`There is no trial ${to.asked} in this report.`);
  const at = to.anchor ? $(to.anchor) : location.hash ? $("trials") : null;
  if (!at) return;
  if (at.matches(".fold")) at.querySelector("details").open = true;
  at.scrollIntoView({ behavior: "instant" });
}

// ---- start ----

/** Makes the overview answer to clicks and keys. */
function wire() {
  fillFilters();
  wireList();
  document.querySelectorAll(".cell[href]").forEach((cell, i) => { cell.tabIndex = i ? -1 : 0; });
  document.querySelectorAll(".map").forEach((map) => map.addEventListener("keydown", arrows));
  document.querySelectorAll("#overview .scroll").forEach((box) => places.observe(box));
}

wire();
addEventListener("keydown", key);
addEventListener("hashchange", follow);
follow();

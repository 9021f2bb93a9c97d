"use strict";

// Texts of a transcript as nodes. Everything a model wrote becomes the text of a node and never markup: whatever colours,
// formats or compares it below only chooses which elements stand around that text.

/** An element with attributes and children; strings become text. */
function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

// Control characters, marks that turn or hide text, lone surrogates: shown as escapes.
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function shown(text) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(INVISIBLE)) {
    const code = found[0].charCodeAt(0);
    parts.push(text.slice(from, found.index));
    const hex = code.toString(16);
    parts.push(el("span", { class: "escape" }, code < 256 ? "\\x" + hex.padStart(2, "0") : "\\u" + hex.padStart(4, "0")));
    from = found.index + 1;
  }
  parts.push(text.slice(from));
  return parts.filter((part) => part !== "");
}

/** The pieces of a text between the matches of a pattern, and what is made of each match. */
function replaced(text, pattern, make, between = shown) {
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(pattern)) {
    if (found.index > from) parts.push(...between(text.slice(from, found.index)));
    parts.push(make(found));
    from = found.index + found[0].length;
  }
  parts.push(...between(text.slice(from)));
  return parts;
}

// ---- syntax ----

const QUOTED = String.raw`"(?:\\[^]|[^"\\\n])*"?|'(?:\\[^]|[^'\\\n])*'?`;
const NUMBER = String.raw`\b\d[\d_a-fA-FxX.]*\b`;
const MOST_COLOURED = 200_000; // characters; a longer text is shown plain

function language(comment, string, keywords, more = {}) {
  const pattern = new RegExp(`(?<comment>${comment})|(?<string>${string})|(?<number>${NUMBER})|(?<word>[A-Za-z_$][\\w$]*)`, "g");
  return { pattern, keywords: new Set(keywords.split(" ")), ...more };
}

const LANGUAGES = {
  python: language(
    "#[^\\n]*", String.raw`[rRbBuUfF]{0,2}(?:"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|${QUOTED})`,
    "and as assert async await break case class continue def del elif else except False finally for from global if import in is lambda match None nonlocal not or pass raise return True try while with yield self",
  ),
  shell: language(
    "(?<!\\S)#[^\\n]*", String.raw`"(?:\\[^]|[^"\\])*"?|'[^']*'?|\$\{[^}\n]*\}?|\$\w+`,
    "if then else elif fi for do done while until case esac in function return export local set cd echo exit test",
  ),
  json: language("(?!)", QUOTED, "true false null", { keys: true }),
  config: language("(?<!\\S)#[^\\n]*|^;[^\\n]*", QUOTED, "true false null yes no on off", { keys: true }),
  sql: language(
    "--[^\\n]*|/\\*[^]*?(?:\\*/|$)", QUOTED,
    "select from where group by order having limit offset join left right inner outer cross on as and or not null is in like between exists union all distinct insert into values update set delete create table view index drop alter with case when then else end count sum avg min max primary key",
    { anyCase: true },
  ),
  braces: language(
    "//[^\\n]*|/\\*[^]*?(?:\\*/|$)", QUOTED + "|`(?:\\\\[^]|[^`\\\\])*`?",
    "async await break case catch class const continue default defer delete do else enum export extends false finally fn for func function go if impl import in instanceof int interface let match mut namespace new nil null package private protected public pub return static string struct super switch this throw true try type typeof undefined use var void while yield",
  ),
};

const NAMES = {
  python: "py pyi python", shell: "sh bash zsh shell console", json: "json jsonl ipynb", sql: "sql",
  config: "yaml yml toml ini cfg conf env properties", braces: "js mjs cjs jsx ts tsx java c h cc cpp hpp cs go rs kt swift php css scss javascript typescript rust",
};
const BY_NAME = new Map(Object.entries(NAMES).flatMap(([name, ends]) => ends.split(" ").map((end) => [end, name])));

/** The language of a path or of a fence's first word; undefined where nothing is known of it. */
const languageOf = (name) => LANGUAGES[BY_NAME.get(String(name).toLowerCase().split(".").pop())];

/** A text in pieces, each with the class of its colour; only its characters decide, so that any text is taken. */
function tokens(text, known) {
  if (!known || text.length > MOST_COLOURED) return [["", text]];
  const found = [];
  let from = 0;
  for (const match of text.matchAll(known.pattern)) {
    const { comment, string, number, word } = match.groups;
    const end = match.index + match[0].length;
    let kind = comment ? "comment" : string ? "string" : number ? "number" : "";
    if (word && known.keywords.has(known.anyCase ? word.toLowerCase() : word)) kind = "keyword";
    else if (word && text[end] === "(") kind = "called";
    if (known.keys && (string || word) && /^\s{0,9}[:=]/.test(text.slice(end, end + 10))) kind = "key";
    if (!kind) continue;
    found.push(["", text.slice(from, match.index)], [kind, match[0]]);
    from = end;
  }
  found.push(["", text.slice(from)]);
  return found.filter(([, piece]) => piece);
}

const ink = ([kind, piece]) => (kind ? el("span", { class: `ink-${kind}` }, shown(piece)) : shown(piece));
const coloured = (text, known) => tokens(text, known).flatMap(ink);

/** The nodes of each line of a text. */
function colouredLines(text, known) {
  const lines = [[]];
  for (const [kind, piece] of tokens(text, known)) {
    piece.split("\n").forEach((part, i) => {
      if (i) lines.push([]);
      if (part) lines[lines.length - 1].push(ink([kind, part]));
    });
  }
  return lines;
}

// ---- colours of a terminal ----

// Tools write the escape character as four others before a model reads it, so both spellings are met.
const SGR = /(?:\x1b|\\x1b)\[([\d;]{0,40})m/g;
const hasColours = (text) => text.search(SGR) >= 0;

/** Colours are chosen from the page's own, so that no sequence can make text that is not seen. */
function terminal(text) {
  let style = {};
  const span = (piece) => {
    const classes = Object.entries(style).map(([key, value]) => (value === true ? key : `${key}-${value}`));
    return classes.length ? [el("span", { class: classes.join(" ") }, shown(piece))] : shown(piece);
  };
  const change = (found) => {
    const codes = found[1].split(";").map(Number);
    while (codes.length) {
      const code = codes.shift();
      if (code === 0) style = {};
      else if (code === 38 || code === 48) codes.splice(0, codes[0] === 5 ? 2 : 4); // of 256 or more colours: left out
      else if (code in STYLES) style = { ...style, [STYLES[code]]: true };
      else if (code === 22) delete style["ansi-bold"];
      else if (code === 39) delete style.ansi;
      else if (code === 49) delete style["ansi-on"];
      else if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) style = { ...style, ansi: code % 10 };
      else if ((code >= 40 && code < 48) || (code >= 100 && code < 108)) style = { ...style, "ansi-on": code % 10 };
    }
    return "";
  };
  return replaced(text, SGR, change, (piece) => span(piece)).filter((part) => part !== "");
}

const STYLES = { 1: "ansi-bold", 3: "ansi-italic", 4: "ansi-underlined" };

// ---- Markdown ----

const FENCE = /^\s{0,12}(`{3,}|~{3,})\s{0,9}([\w+#.-]{0,30})[^`]{0,200}$/;
const HEADING = /^\s{0,3}(#{1,6})\s+(.*)$/;
const RULE = /^\s{0,3}(?:-[ -]{2,200}|\*[ *]{2,200}|_[ _]{2,200})$/;
const QUOTE = /^\s{0,3}> ?/;
const ITEM = /^(\s{0,60})([-*+]|\d{1,9}[.)])(\s+)(?=\S)/;
const CELLS = /^[\s|:-]{3,2000}$/;
const DEEPEST = 8; // lists and quotes within each other; what is deeper is text
const INLINE =
  /(?<code>`[^`\n]+`|``[^\n]{1,400}?``)|(?<strong>\*\*(?=\S)[^*\n]{1,400}\*\*|(?<!\w)__(?=\S)[^_\n]{1,400}__(?!\w))|(?<em>\*(?=[^\s*])[^*\n]{0,400}[^\s*]\*|(?<!\w)_(?=[^\s_])[^_\n]{1,400}_(?!\w))|(?<link>!?\[[^\]\n]{0,400}\]\([^()\s]{1,400}\))|(?<escaped>\\[!-\/:-@[-`{-~])/g;

/** Words of a line. A link is its text and, readable, where it would lead: nobody is led there by a model. */
function inline(text) {
  return replaced(text, INLINE, (found) => {
    const { code, strong, em, link } = found.groups;
    if (code) return el("code", {}, shown(code.replace(/^`{1,2} ?| ?`{1,2}$/g, "")));
    if (strong) return el("strong", {}, inline(strong.slice(2, -2)));
    if (em) return el("em", {}, inline(em.slice(1, -1)));
    if (!link) return el("span", {}, shown(found[0].slice(1)));
    const [words, place] = [link.slice(link.indexOf("[") + 1, link.indexOf("](")), link.slice(link.indexOf("](") + 2, -1)];
    return el("span", {}, shown(words), " ", el("span", { class: "url" }, "(", shown(place), ")"));
  });
}

/** Paragraphs, headings, lists, quotes, tables and code, as CommonMark has them where models use it. */
function markdown(text, depth = 0) {
  const lines = text.split("\n");
  const made = [];
  const until = (from, stops) => {
    let to = from;
    while (to < lines.length && !stops(lines[to], to)) to += 1;
    return to;
  };
  const begins = (line, i) =>
    FENCE.test(line) || HEADING.test(line) || RULE.test(line) || (depth < DEEPEST && (QUOTE.test(line) || ITEM.test(line))) || isTable(lines, i);
  for (let i = 0; i < lines.length; ) {
    const [line, from] = [lines[i], i];
    const fence = line.match(FENCE);
    const heading = line.match(HEADING);
    if (!line.trim()) i += 1;
    else if (fence) {
      i = until(from + 1, (next) => next.trim().startsWith(fence[1]) && !next.trim().replaceAll(fence[1][0], ""));
      made.push(block(lines.slice(from + 1, i).join("\n"), "code", [["coloured", (code) => el("pre", {}, coloured(code, languageOf(fence[2])))]]));
      i += 1;
    } else if (heading) {
      made.push(el("p", { class: "heading", role: "heading", "aria-level": 4 }, inline(heading[2])));
      i += 1;
    } else if (RULE.test(line)) {
      made.push(el("hr"));
      i += 1;
    } else if (depth < DEEPEST && QUOTE.test(line)) {
      i = until(from, (next) => !QUOTE.test(next));
      made.push(el("blockquote", {}, markdown(lines.slice(from, i).map((one) => one.replace(QUOTE, "")).join("\n"), depth + 1)));
    } else if (depth < DEEPEST && ITEM.test(line)) {
      const [, indent, mark] = line.match(ITEM);
      const isOurs = (next) => ITEM.test(next) && next.match(ITEM)[1].length <= indent.length + 1 && /\d/.test(next.match(ITEM)[2]) === /\d/.test(mark);
      const belongs = (next, at) => isOurs(next) || next.startsWith(`${indent}  `) || (!next.trim() && lines[at + 1] !== undefined && (isOurs(lines[at + 1]) || lines[at + 1].startsWith(`${indent}  `)));
      i = until(from + 1, (next, at) => !belongs(next, at));
      made.push(list(lines.slice(from, i), isOurs, mark, depth));
    } else if (isTable(lines, i)) {
      i = until(from, (next) => !next.includes("|"));
      made.push(tableOf(lines.slice(from, i)));
    } else {
      i = until(from + 1, (next, at) => !next.trim() || begins(next, at));
      made.push(el("p", {}, inline(lines.slice(from, i).join("\n"))));
    }
  }
  return made;
}

function list(lines, isOurs, mark, depth) {
  const items = [];
  for (const line of lines) {
    const head = isOurs(line) && line.match(ITEM)[0];
    if (head) items.push({ width: head.length, lines: [line.slice(head.length)] });
    else {
      const { width, lines: own } = items[items.length - 1];
      own.push(line.slice(Math.min(width, line.search(/\S|$/))));
    }
  }
  const numbered = /\d/.test(mark);
  return el(numbered ? "ol" : "ul", numbered ? { start: parseInt(mark, 10) } : {}, items.map((item) => el("li", {}, markdown(item.lines.join("\n"), depth + 1))));
}

const isTable = (lines, i) => lines[i].includes("|") && i + 1 < lines.length && CELLS.test(lines[i + 1]) && lines[i + 1].includes("-") && lines[i + 1].includes("|");

function tableOf(lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => inline(cell.trim()));
  const row = (name) => (line) => el("tr", {}, cells(line).map((cell) => el(name, {}, cell)));
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, row("th")(lines[0])), el("tbody", {}, lines.slice(2).map(row("td")))));
}

// ---- what a write changed ----

const CONTEXT = 3; // unchanged lines that are shown around a change
const MOST_COMPARED = 4_000_000; // pairs of lines; a pair of longer texts is shown as all removed, all added

/** The lines of both texts in order: [" ", i, j], ["-", i] or ["+", j], by their longest common subsequence. */
function differences(a, b) {
  let [start, ends] = [0, 0];
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  while (ends < a.length - start && ends < b.length - start && a[a.length - 1 - ends] === b[b.length - 1 - ends]) ends += 1;
  const [n, m] = [a.length - start - ends, b.length - start - ends];
  const width = m + 1;
  const common = new Uint32Array(n * m > MOST_COMPARED ? 0 : (n + 1) * width);
  for (let i = n - 1; i >= 0 && common.length; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      common[at] = a[start + i] === b[start + j] ? common[at + width + 1] + 1 : Math.max(common[at + width], common[at + 1]);
    }
  }
  const steps = Array.from({ length: start }, (_, i) => [" ", i, i]);
  for (let [i, j] = [0, 0]; i < n || j < m; ) {
    const at = i * width + j;
    if (i < n && j < m && common.length && a[start + i] === b[start + j]) steps.push([" ", start + i++, start + j++]);
    else if (i < n && (j === m || !common.length || common[at + width] >= common[at + 1])) steps.push(["-", start + i++]);
    else steps.push(["+", undefined, start + j++]);
  }
  for (let k = ends; k > 0; k -= 1) steps.push([" ", a.length - k, b.length - k]);
  return steps;
}

const linesOf = (text) => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

/** What changed between two texts, with a few lines around it. */
function changes(before, after, known) {
  const steps = differences(linesOf(before), linesOf(after));
  const [old, now] = [colouredLines(before, known), colouredLines(after, known)];
  const near = new Set();
  steps.forEach(([sign], i) => {
    for (let k = i - CONTEXT; sign !== " " && k <= i + CONTEXT; k += 1) near.add(k);
  });
  const made = el("div", { class: "diff" });
  let left = 0;
  const fold = () => {
    if (left) made.append(el("div", { class: "left-out" }, `… ${count(left, "unchanged line")}`));
    left = 0;
  };
  steps.forEach(([sign, i, j], at) => {
    if (!near.has(at)) left += 1;
    else {
      fold();
      const kind = { "+": "added", "-": "removed", " ": "same" }[sign];
      made.append(el("div", { class: `line ${kind}` }, el("span", { class: "mark" }, sign), el("span", {}, sign === "-" ? old[i] : now[j])));
    }
  });
  fold();
  if (!near.size) made.append(el("div", { class: "left-out" }, "nothing changed"));
  if (before && after && before.endsWith("\n") !== after.endsWith("\n")) {
    made.append(el("div", { class: "left-out" }, after.endsWith("\n") ? "a newline was added at the end" : "the newline at the end was removed"));
  }
  return made;
}

// ---- a text with its buttons ----

const isCut = (text) => text !== null && typeof text === "object" && "left_out" in text && "head" in text;
const leftOut = (n) => `… ${n.toLocaleString("en")} characters are not in this page; they are in the transcript file …`;
const plain = (n) => n.toLocaleString("en");
const count = (n, noun) => `${plain(n)} ${noun}${n === 1 ? "" : "s"}`;

// Tools tell the model in these words that they left something out.
const CLIPPED = /\[\.\.\. \d+ characters left out here [^\]\n]{0,200}\]/g;

/** Ends a text that is higher than its place with a button that shows all of it. */
const overflow = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const box = target.parentElement;
    if (box && target.clientHeight) box.classList.toggle("clipped", target.scrollHeight > target.clientHeight + 4);
  }
});

/** A text in the first of its views, with buttons for the next view, for copying it, and for all of it.
 *
 * Each view is a name and a function from the text to a node; the text as it was written is always the last one. One too
 * long for the page has its two ends and a count of what is between, and that view only.
 */
function block(text, label, views = []) {
  const raw = isCut(text) ? `${text.head}\n${leftOut(text.left_out)}\n${text.tail}` : typeof text === "string" ? text : JSON.stringify(text, null, 2);
  const written = () => el("pre", {}, isCut(text)
    ? [shown(text.head), el("span", { class: "left-out" }, leftOut(text.left_out)), shown(text.tail)]
    : replaced(raw, CLIPPED, (found) => el("span", { class: "hint" }, found[0])));
  const all = [...(isCut(text) ? [] : views), ["as written", written]];
  const body = el("div", { class: "body", tabindex: 0, role: "region", "aria-label": label }, all[0][1](raw));
  const button = (words, click) => {
    const made = el("button", { type: "button" }, words);
    made.addEventListener("click", () => click(made));
    return made;
  };
  let at = 0;
  const turn = (made) => {
    at = (at + 1) % all.length;
    body.replaceChildren(all[at][1](raw));
    made.textContent = all[(at + 1) % all.length][0];
  };
  const tools = el("div", { class: "tools" }, all.length > 1 ? button(all[1][0], turn) : null, button("copy", (made) => copy(raw, made)));
  const more = button(all[0][0] === "changes" ? "Show all" : `Show all ${count(raw.split("\n").length, "line")}`, () => box.classList.add("whole"));
  more.className = "expand";
  const box = el("div", { class: "text" }, body, tools, more);
  overflow.observe(body);
  return box;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed, or not there because the page was sent over plain HTTP
    const field = document.body.appendChild(el("textarea", { class: "skip" }));
    field.value = text;
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  button.textContent = "copied";
  setTimeout(() => { button.textContent = "copy"; }, 1500);
}

// ---- searching ----

/** Finds a text below an element whatever elements it runs through, letter case aside: a range each, without changing it. */
function rangesOf(place, text) {
  const [nodes, starts] = [[], []];
  let whole = "";
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    nodes.push(walker.currentNode);
    starts.push(whole.length);
    whole += walker.currentNode.data;
  }
  const [where, wanted] = [folded(whole), folded(text)];
  const point = (offset) => {
    let at = starts.length - 1;
    while (starts[at] > offset) at -= 1;
    return [nodes[at], offset - starts[at]];
  };
  const found = [];
  for (let at = where.indexOf(wanted); at >= 0 && found.length < 1000; at = where.indexOf(wanted, at + wanted.length)) {
    const range = new Range();
    range.setStart(...point(at));
    range.setEnd(...point(at + wanted.length));
    found.push(range);
  }
  return found;
}

/** Lower case of the same length, so that a place in it is the place in the text: `İ` alone would become two letters. */
function folded(text) {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  return text.replace(/[^]/gu, (letter) => (letter.toLowerCase().length === letter.length ? letter.toLowerCase() : letter));
}

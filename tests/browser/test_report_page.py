"""report.html in Chromium: clicked, filtered, addressed, attacked, printed, and driven by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from packs import many, write_pack
from pages import BLOCKED, SCRIPTS, held_at_every_width
from playwright.sync_api import Browser, Page, expect
from results import GAVE_UP, HOSTILE, INTERRUPTED, LOST, WRONG, manifest, result

from pytest_agentcore.pack.jsonl import to_line
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports.write import write_reports
from pytest_agentcore.trial.modes import StopReason
from pytest_agentcore.trial.result import Prices

Open = Callable[..., Page]

pytestmark = pytest.mark.browser

FIX, AMBIGUOUS = "task_05_minimal_fix", "task_06_handle_ambiguous_requirement"
PLAN = [(task, run) for task in (FIX, AMBIGUOUS) for run in (1, 2, 3)]
RESULTS = [
    result(FIX, 1, turns=3),
    result(FIX, 2, turns=5, **WRONG),
    result(FIX, 3, **LOST),
    result(AMBIGUOUS, 1, **GAVE_UP),
    result(AMBIGUOUS, 2, **INTERRUPTED | {"turns": 2}),
]
ROWS = "#rows tr"


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six planned trials, one of each outcome."""
    folder = write_pack(tmp_path_factory.mktemp("small") / "campaign", manifest(PLAN), RESULTS)
    return report_of(folder.path)


@pytest.fixture(scope="session")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand trials."""
    folder = write_pack(tmp_path_factory.mktemp("thousand") / "campaign", *many(tasks=10, runs=100))
    return report_of(folder.path)


def report_of(folder: Path) -> Path:
    """report.html of a pack."""
    return write_reports(read_campaign(folder))[-1]


def attempt(task: str, run: int) -> str:
    return next(one.attempt for one in RESULTS if (one.task, one.run) == (task, run))


def title(page: Page) -> str:
    """Of the trial that is shown."""
    return page.locator("#trial-title").inner_text()


def test_the_headline_names_the_rate_and_both_intervals(visit: Open, small: Path) -> None:
    text = visit(small).locator("#headline").inner_text()

    assert "33.3%" in text
    assert "1 of 3 scored trials passed" in text
    assert re.search(r"The same tasks again\s+95% interval \d+\.\d% to \d+\.\d%", text)
    assert "Other tasks like these" in text
    assert "3/6 planned trials are scored; raw rate 1/6 = 16.7%" in text


def test_the_map_has_a_cell_per_trial_with_a_sign_and_opens_it(visit: Open, small: Path) -> None:
    page = visit(small)
    cells = page.locator(".map .runs:not(.heads) .cell")

    assert cells.all_inner_texts() == ["✓", "✗", "!", "…", "‖", "·"]
    page.get_by_role("link", name=f"{FIX} run 2: wrong_answer").click()

    expect(page.locator("#trial-title")).to_have_text(f"{FIX} run 2")
    assert page.locator(".turn").count() == 5
    assert page.locator("#overview").is_hidden()


def test_a_turn_shows_reply_call_result_time_and_tokens(visit: Open, small: Path) -> None:
    text = visit(small, f"#trial={attempt(FIX, 1)}&turn=2").locator("#turn-2").inner_text()

    assert "model 1.50s · tools 0.25s" in text
    assert "100 prompt tokens, 80 cached · 20 reply tokens" in text
    assert "I look. This is turn 2." in text
    assert re.search(r"call\s+shell\s+command\s+ls part_2", text)
    assert re.search(r"result: ok\s+0.25s\s+a.txt\nb.txt", text)


EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "example").glob("*/report.html"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_the_example_in_the_docs_opens(visit: Open, file: Path) -> None:
    page = visit(file)
    assert page.locator("figure").count() == 5

    page.locator(ROWS).first.click()
    expect(page.locator("#turn-1")).to_be_visible()


def test_requests_that_failed_are_named(visit: Open, tmp_path: Path) -> None:
    trial = result(FIX, 1, **LOST)
    pack = write_pack(tmp_path / "pack", manifest([(FIX, 1)]), [trial])
    failed = {"event": "request_failed", "turn": 1, "number": 1, "cause": "backend_unreachable", "detail": "<b>503</b>"}
    lines = pack.transcript(trial.attempt).read_bytes().splitlines(keepends=True)
    lines.insert(1, to_line(failed | {"seconds": 0.5, "waited": None}))
    pack.transcript(trial.attempt).write_bytes(b"".join(lines))
    page = visit(report_of(pack.path), f"#trial={trial.attempt}")

    line = page.get_by_text("turn 1, try 1, after 0.50s: backend_unreachable: <b>503</b> (not tried again)")
    expect(line).to_be_visible()


def test_prompt_and_system_prompt_are_there(visit: Open, small: Path) -> None:
    page = visit(small, f"#trial={attempt(FIX, 1)}")

    expect(page.get_by_role("region", name="task prompt")).to_have_text("Fix it.")
    page.get_by_text("system prompt").click()
    expect(page.get_by_role("region", name="system prompt")).to_have_text("You are an agent.")


ADDRESSES = (
    "#trial={id}&turn={turn}",
    "#trial={short}&turn={turn}",
    "#task=task_05_minimal_fix&run=2&turn={turn}",
    "#task=task_05&run=2&turn={turn}",
    "#data/transcripts/{id}.jsonl#turn={turn}",
)


def test_an_address_opens_its_turn(visit: Open, small: Path) -> None:
    uuid = attempt(FIX, 2)
    addresses = [one.format(id=uuid, short=uuid[:8], turn=turn) for turn, one in enumerate(ADDRESSES, 1)]
    page = visit(small, addresses[3])
    expect(page.locator("#turn-4")).to_be_focused()
    expect(page.locator("#turn-4")).to_be_in_viewport()
    assert title(page) == f"{FIX} run 2"

    for turn, one in enumerate(addresses, 1):
        page.evaluate("location.hash = '#headline'")
        expect(page.locator("#headline")).to_be_in_viewport()
        page.evaluate("to => { location.hash = to }", one)
        expect(page.locator(f"#turn-{turn}")).to_be_focused()
        assert title(page) == f"{FIX} run 2"


def test_a_turn_without_its_trial_is_of_the_open_trial_or_asks(visit: Open, small: Path) -> None:
    page = visit(small, "#turn=3")
    expect(page.get_by_role("status").first).to_have_text("Turn 3 of which trial? Choose one of the list.")

    page.get_by_role("link", name=f"{FIX} run 2", exact=True).click()
    expect(page.locator("#turn-3")).to_be_focused()

    page.evaluate("location.hash = '#turn=5'")
    expect(page.locator("#turn-5")).to_be_focused()
    assert page.url.endswith(f"#trial={attempt(FIX, 2)}&turn=5")


NOWHERE = {
    "#trial=nonsense": "There is no trial nonsense in this report.",
    "#task=task_05&run=9": "There is no trial task_05 run 9 in this report.",
    "#trial=%3Cimg src=x onerror=alert(1)%3E": "There is no trial <img src=x onerror=alert(1)> in this report.",
    "#%E0%A4%A": "",
}


def test_an_address_that_leads_nowhere_says_so(visit: Open, small: Path) -> None:
    page = visit(small)
    for fragment, says in NOWHERE.items():
        page.evaluate("to => { location.hash = to }", fragment)
        expect(page.locator("#notice")).to_have_text(says)
        assert page.locator("#overview").is_visible()


def test_trials_are_filtered_by_task_outcome_cause_and_text(visit: Open, small: Path) -> None:
    page = visit(small)
    rows = page.locator(ROWS)
    assert rows.count() == 5

    page.locator("#trials-task").select_option(FIX)
    assert rows.count() == 3
    page.locator("#trials-outcome").select_option("wrong_answer")
    assert rows.count() == 1
    assert page.url.endswith(f"#task={FIX}&outcome=wrong_answer")
    assert page.locator(".cell.dim").count() == 4

    page.get_by_role("button", name="Clear").click()
    page.locator("#trials-cause").select_option("budget_exhausted")
    assert rows.get_by_role("link").all_inner_texts() == [f"{AMBIGUOUS} run 1"]

    page.get_by_role("button", name="Clear").click()
    page.get_by_label("text in").fill("5 of 6")
    assert rows.get_by_role("link").all_inner_texts() == [f"{FIX} run 2"]
    assert page.locator("#trials-count").inner_text() == "1 of 5 trials"


def test_a_filter_can_be_addressed_and_survives_a_visit_to_a_trial(visit: Open, small: Path) -> None:
    page = visit(small, f"#task={AMBIGUOUS}")
    assert page.locator(ROWS).count() == 2

    page.locator(ROWS).first.click()
    expect(page.locator("#trial-title")).to_have_text(f"{AMBIGUOUS} run 1")
    page.get_by_role("link", name="next trial").click()
    expect(page.locator("#trial-title")).to_have_text(f"{AMBIGUOUS} run 2")
    assert page.get_by_role("link", name="next trial").count() == 0
    page.get_by_role("link", name="all trials").click()

    assert page.locator(ROWS).count() == 2
    expect(page.locator("#trials")).to_be_in_viewport()


def test_what_a_model_wrote_stays_text(visit: Open, tmp_path: Path) -> None:
    evil = "\n".join(SCRIPTS)
    name = "task_01_<script>alert(4)</script>"
    trial = result(name, 1, **WRONG | {"detail": evil, "turns": 2})
    one = manifest([(name, 1)], model="<b>bold</b>", warnings=(evil,), backend={"file": evil, "name": "x"})
    page = visit(report_of(write_pack(tmp_path / "pack", one, [trial], says=evil).path), f"#trial={trial.attempt}")

    expect(page.locator("#trial-title")).to_have_text(f"{name} run 1")
    assert evil in page.locator("#turn-1").inner_text()
    assert evil in page.get_by_role("region", name="detail").inner_text()
    assert page.locator("img, b, #trial script").count() == 0
    assert page.locator("script").count() == 3  # data, one transcript, the page's own
    page.evaluate("location.hash = ''")
    assert evil.splitlines()[1] in page.locator("#warnings").inner_text()


def test_the_policy_blocks_what_would_get_past_the_escaping(chromium: Browser, small: Path) -> None:
    page = chromium.new_page()
    page.goto(small.as_uri())

    assert page.evaluate(BLOCKED) == "script-src-attr"
    assert page.evaluate("window.hit") is None
    page.close()


def test_control_characters_and_direction_marks_show(visit: Open, tmp_path: Path) -> None:
    trial = result(FIX, 1, turns=1)
    pack = write_pack(tmp_path / "pack", manifest([(FIX, 1)]), [trial], says="|".join(HOSTILE))
    said = visit(report_of(pack.path), f"#trial={trial.attempt}").get_by_role("region", name="reply", exact=True)

    assert said.locator(".escape").filter(has_text="\\u202e").count() == 1
    assert "\\x1b[31mred" in said.inner_text()
    assert "lone \\ud800 surrogate \\udfff" in said.inner_text()
    assert "wide 漢字 and 👩" in said.inner_text()


def test_everything_works_with_the_keyboard(visit: Open, small: Path) -> None:
    page = visit(small)
    first = page.locator(".cell[href]").first
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(f"{FIX} run 2")
    assert page.locator(".cell[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    expect(page.locator("#trial-title")).to_be_focused()

    for key, focused in (("j", "turn-1"), ("j", "turn-2"), ("k", "turn-1")):
        page.keyboard.press(key)
        expect(page.locator(f"#{focused}")).to_be_focused()
    page.keyboard.press("n")
    expect(page.locator("#trial-title")).to_have_text(f"{FIX} run 3")
    page.keyboard.press("Escape")
    expect(page.locator("#overview")).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("text in")).to_be_focused()


def test_the_first_tab_leads_past_everything(visit: Open, small: Path) -> None:
    page = visit(small)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the trials")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(visit: Open, small: Path, scheme: str) -> None:
    page = visit(small, color_scheme=scheme)
    page.evaluate(CONTRAST)

    assert (page.evaluate("luminance('--page')") > 0.5) == (scheme == "light")
    pairs = [("--ink", "--card"), ("--muted", "--card"), ("--muted", "--sunk"), ("--accent", "--card")]
    outcomes = ("passed", "wrong_answer", "gave_up_mid_plan", "infrastructure_error", "interrupted")
    pairs += [("--on-outcome", f"--{outcome}") for outcome in outcomes]
    assert {pair: ratio for pair in pairs if (ratio := page.evaluate("p => contrast(...p)", list(pair))) < 4.5} == {}


CONTRAST = """
window.rgb = (name) => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
  probe.remove();
  return found;
};
const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const WEIGHTS = [0.2126, 0.7152, 0.0722];
window.luminance = (name) => rgb(name).reduce((sum, v, i) => sum + WEIGHTS[i] * linear(v / 255), 0);
window.contrast = (a, b) => {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
};
"""
"""Contrast as WCAG 2.2 defines it (relative luminance, contrast ratio)."""


def test_the_button_changes_between_light_and_dark(visit: Open, small: Path) -> None:
    page = visit(small, color_scheme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light / dark").click()
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light / dark").click()

    assert before != after
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == before


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long names, large numbers and high prices, a baseline and a leaderboard."""
    folder = tmp_path_factory.mktemp("large")
    tasks = [f"task_{n:02}_recover_from_a_tool_error_that_nobody_has_foreseen_{n}" for n in range(1, 13)]
    plan = [(task, run) for task in tasks for run in range(1, 6)]
    spent = {"prompt_tokens": 123_456_789, "cached_tokens": 1_234_567, "reply_tokens": 98_765_432, "seconds": 98_765.4}
    facts = {
        "model": "a-model-with-a-long-name-70b-instruct",
        "prices": Prices(prompt=1.5, cached=0.5, reply=12.25),
        "runs": 5,
    }
    for name, ending in (("baseline", {}), ("now", WRONG | {"stop_reason": StopReason.degenerate_output})):
        backend = {"quant": "UD-Q4_K_XL", "device": "2 x NVIDIA GeForce RTX 4090, 47.3 GiB", "context": 131_072}
        one = manifest(plan, **facts, campaign=f"2026-06-10-{facts['model']}-agentic-core-v1-{name}", backend=backend)
        trials = [result(task, run, **spent, **(ending if run % 2 else {})) for task, run in plan]
        write_pack(folder / "agentcore-results" / one.campaign, one, trials)
    first, second = sorted((folder / "agentcore-results").iterdir())
    return write_reports(read_campaign(second), read_campaign(first))[-1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pack", ["small", "large"])
def test_nothing_is_clipped_at_any_width(visit: Open, request: pytest.FixtureRequest, pack: str, scheme: str) -> None:
    page = visit(request.getfixturevalue(pack), color_scheme=scheme)
    for fragment in ("#headline", "#task=task_02&run=1", "#task=task_05&run=2&turn=2"):
        page.evaluate("to => { location.hash = to }", fragment)
        held_at_every_width(page, fragment)


def test_a_table_that_does_not_fit_is_shown_as_cards(visit: Open, large: Path) -> None:
    page = visit(large)
    box = page.get_by_role("region", name="Tokens and cost by task")
    assert not box.evaluate("e => e.classList.contains('cards')")

    page.set_viewport_size({"width": 390, "height": 900})
    expect(box).to_have_class("scroll cards")
    assert "prompt tokens" in box.evaluate("e => getComputedStyle(e.querySelector('td'), '::before').content")
    page.set_viewport_size({"width": 1400, "height": 900})
    expect(box).to_have_class("scroll")


def test_the_headline_names_quant_device_and_speed(visit: Open, large: Path) -> None:
    chips = visit(large).locator(".chips li").all_inner_texts()

    assert chips[:2] == ["quant UD-Q4_K_XL", "device 2 x NVIDIA GeForce RTX 4090, 47.3 GiB"]
    assert chips[2].endswith("tokens/s")


def test_what_is_empty_is_folded_and_has_no_caption(visit: Open, tmp_path: Path) -> None:
    nothing = write_pack(tmp_path / "nothing", manifest(PLAN), [])
    page = visit(report_of(nothing.path))
    assert page.locator("figure, #charts, #failures, nav a[href='#charts']").count() == 0
    assert page.locator("#detectors summary").inner_text().startswith("Detectors none of")
    filed = page.get_by_text("No predictions were filed")
    expect(filed).to_be_hidden()

    page.get_by_role("navigation").get_by_role("link", name="Predictions").click()
    expect(filed).to_be_visible()


def test_paper_shows_the_whole_and_no_controls(visit: Open, small: Path) -> None:
    page = visit(small, f"#trial={attempt(FIX, 2)}", color_scheme="dark")
    expect(page.locator("#trial-title")).to_be_visible()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(24, 32, 44)"
    assert page.locator(".bar").is_hidden()
    assert page.locator(".strip").is_hidden()
    assert page.get_by_role("region", name="system prompt").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.body')).maxHeight") == "none"
    assert len(page.pdf()) > 10_000


def test_charts_are_drawn_and_said_in_words(visit: Open, small: Path) -> None:
    page = visit(small)

    names = [one.get_attribute("aria-label") or "" for one in page.locator("figure > [role=img]").all()]
    assert [name.partition(".")[0] for name in names] == [
        *("Pass rate by task", "Why trials failed", "Time of a trial", "Turns of a trial"),
        "Tokens of a trial, by task",
    ]
    assert "wrong_answer 1, gave_up_mid_plan 1, infrastructure_error 1" in names[1]
    assert page.locator("figure svg rect[fill^='var(--']").count() > 5


def test_a_thousand_trials_are_listed_in_parts_and_all_open(visit: Open, thousand: Path) -> None:
    page = visit(thousand)

    assert page.locator("#trials-count").inner_text() == "1,000 of 1,000 trials"
    assert page.locator(".cell[href]").count() == 1000
    assert page.locator(ROWS).count() == 100
    page.get_by_role("button", name="Show 100 more of 900").click()
    assert page.locator(ROWS).count() == 200
    page.locator("#trials-outcome").select_option("gave_up_mid_plan")
    assert page.locator(ROWS).count() == 100

    last = [one for one in many(tasks=10, runs=100)[1] if one.turns > 1][-1]
    page.evaluate(f"location.hash = '#task={last.task}&run={last.run}&turn=2'")
    expect(page.locator("#turn-2")).to_be_focused()
    assert title(page) == f"{last.task} run {last.run}"


def test_a_comparison_stands_beside_a_baseline(visit: Open, tmp_path: Path) -> None:
    better = [result(task, run, replies_digest=f"{task}{run}") for task, run in PLAN]
    baseline = write_pack(tmp_path / "baseline", manifest(PLAN), better)
    now = write_pack(tmp_path / "now", manifest(PLAN, policy="lenient"), RESULTS)
    path = write_reports(read_campaign(now.path), read_campaign(baseline.path))[-1]
    section = visit(path, "#comparison").locator("#comparison")

    text = section.inner_text()
    assert "Against baseline" in text
    assert re.search(r"(No difference is shown|is worse than|can show nothing)", text)
    assert re.search(rf"{FIX}\s+3/3\s+1/2", text)
    assert re.search(r"policy\s+native\s+lenient", text)
    assert section.locator("figure").count() == 1
    assert section.locator("figure circle").count() == 4

"""The page over many campaigns in Chromium: filtered, sorted, compared, opened, attacked, and driven by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packs import write_pack
from pages import BLOCKED, SCRIPTS, held_at_every_width
from playwright.sync_api import Browser, Page, expect
from results import GAVE_UP, WRONG, manifest, result

from pytest_agentcore.analysis.compare import compare
from pytest_agentcore.analysis.compare_text import verdict_sentence
from pytest_agentcore.pack.folder import CampaignFolder
from pytest_agentcore.pack.read import read_campaign
from pytest_agentcore.reports import write
from pytest_agentcore.reports.html.transcripts import PAGE_BYTES
from pytest_agentcore.reports.write import write_index
from pytest_agentcore.trial.result import Prices

Open = Callable[..., Page]

pytestmark = pytest.mark.browser

TASKS = ("task_01_fix_failing_test", "task_06_handle_ambiguous_requirement")
RUNS = range(1, 6)
GPU = "NVIDIA H200, 139.7 GiB"


def campaign(home: Path, name: str, passed: int, day: int, ending: Any = WRONG, **facts: Any) -> CampaignFolder:
    """Five runs of two tasks, of which the first so many of each pass."""
    plan = [(task, run) for task in TASKS for run in RUNS]
    memory = {"foretold": 7 * 2**30}
    backend = {"name": "llama_cpp", "quant": "Q4_K_M", "device": GPU, "context": 8192, "memory": memory, "size": day}
    trials = [
        result(
            task,
            run,
            **{
                "turns": 3,
                "model": facts.get("model", name),
                "replies_digest": f"{name}{task}{run}",
                **(ending if run > passed else {}),
            },
        )
        for task, run in plan
    ]
    day_of_it = f"2026-06-{day:02}T08:00:00+00:00"
    known = {"campaign": name, "model": name, "runs": 5, "started": day_of_it, "finished": day_of_it}
    return write_pack(home / name, manifest(plan, **known | {"backend": backend} | facts), trials)


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models on one suite, one of them at two loads, one model on an older version of the suite, and a wreck."""
    home = tmp_path_factory.mktemp("index") / "agentcore-results"
    suite = manifest().suite
    older = replace(suite, version="0.9", title="agentic-core-v1 (open rebuild 0.9)", digest="cd" * 32)
    prices = Prices(prompt=1.5, cached=0.5, reply=12.25)
    campaign(home, "early", 2, day=1, suite=older)
    campaign(home, "weak", 0, day=2, policy="constrained", ending=GAVE_UP | {"turns": 4}, rows=4)
    campaign(home, "strong", 5, day=3, prices=prices)
    for day, load in enumerate((0, 8192), 4):
        campaign(home, f"loaded-{load}", 3 - load // 8192, day, model="loaded", context_load=load, group="ladder")
    lost = campaign(home, "lost", 5, day=6, backend={"name": "openai"}, ending=WRONG)
    lost.results.write_bytes(lost.results.read_bytes().splitlines(keepends=True)[0])
    (home / "wreck").mkdir()
    (home / "wreck" / "manifest.json").write_text("{")
    first = read_campaign(home / "weak").results[0]
    transcript = CampaignFolder(home / "weak").transcript(first.attempt)
    transcript.write_text(transcript.read_text().replace("I look. This is turn 2.", "I give in."))
    return home


@pytest.fixture(scope="session")
def index(results: Path) -> Path:
    """The page with all transcripts in it."""
    (page,) = write_index(results, results.parent / "index.html")
    return page


@pytest.fixture(scope="session")
def apart(results: Path) -> Path:
    """The page with all transcripts beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "PAGE_BYTES", 1)
        page, beside = write_index(results, results.parent / "apart.html")
    assert beside.name == "apart-data"
    return page


def row(page: Page, name: str) -> Any:
    """The row of a campaign in the table of campaigns."""
    return page.locator(".campaigns tbody tr").filter(has=page.get_by_role("checkbox", name=f"Compare {name}"))


def models(page: Page, table: str) -> list[str]:
    """The models of the visible rows, in their order."""
    return [one.split("\n")[0] for one in page.locator(f"#suite-1 {table} tbody th:visible").all_inner_texts()]


def attempt(results: Path, name: str, number: int = 0) -> str:
    return read_campaign(results / name).results[number].attempt


def test_a_row_says_what_a_campaign_reached_took_and_ran_on(visit: Open, index: Path) -> None:
    page = visit(index)
    cells = row(page, "strong").locator("td[data-label]")
    told = {one.get_attribute("data-label"): one.inner_text().strip() for one in cells.all()}

    assert told["effective rate"].startswith("100.0% ")
    assert re.search(r"\d+\.\d% to 100\.0%", told["effective rate"])
    assert told["score"] == "10/10"
    assert re.fullmatch(r"\$0\.\d+", told["cost"])
    assert re.fullmatch(r"\$0\.\d+", told["cost per pass"])
    assert (told["seconds"], told["memory"], told["quant"], told["device"]) == ("12.5s", "7.0 GiB", "Q4_K_M", GPU)
    assert (told["tokens/s"], told["started"]) == ("16.7", "2026-06-03\n08:00")
    assert "incomplete" in row(page, "lost").locator("[data-label=score]").inner_text()


def test_campaigns_of_another_suite_stand_apart(visit: Open, index: Path) -> None:
    page = visit(index)

    assert page.locator(".suite").count() == 2
    assert page.locator("#suite-2").get_by_role("checkbox").count() == 1
    assert "open rebuild 0.9" in page.locator("#suite-2 h2").first.inner_text()
    page.locator("#suite-1 .differing summary").click()
    assert re.search(r"rows\s+- \| 4", page.locator("#suite-1 .differing").inner_text())


def test_a_cell_of_the_matrix_opens_its_trials(visit: Open, index: Path) -> None:
    page = visit(index)
    cell = page.get_by_role("link", name=re.compile(f"^weak, {TASKS[0]}: 0.5,"))
    assert cell.locator("svg").count() == 1
    cell.click()

    expect(page.locator("#campaign-title")).to_have_text("weak on agentic-core-v1 (open rebuild 1.0)")
    assert page.locator("#rows tr").count() == 5
    page.locator("#trials-outcome").select_option("gave_up_mid_plan")
    page.locator("#trials-text").fill("run 9")
    assert page.locator("#rows tr").count() == 0
    page.locator("#trials-text").fill("")
    page.locator("#rows tr").first.click()
    expect(page.locator("#trial-title")).to_have_text(f"{TASKS[0]} run 1")
    assert page.locator(".turn").count() == 4
    page.get_by_role("link", name="next trial").click()
    expect(page.locator("#trial-title")).to_have_text(f"{TASKS[0]} run 2")
    page.go_back()
    expect(page.locator("#trial-title")).to_have_text(f"{TASKS[0]} run 1")


def test_campaigns_are_filtered_and_searched_and_a_filter_has_an_address(visit: Open, index: Path) -> None:
    page = visit(index)
    assert page.locator("#count").inner_text() == "6 of 6 campaigns"
    page.get_by_label("policy").select_option("constrained")
    assert models(page, ".campaigns") == models(page, ".matrix") == ["weak"]
    assert page.locator("#suite-2").is_hidden()
    assert page.url.endswith("#policy=constrained")

    page.get_by_role("button", name="Clear").click()
    page.get_by_label("words in").fill("LOADED-8192 h200")
    assert page.locator("#count").inner_text() == "1 of 6 campaigns"
    page.get_by_role("button", name="Clear").click()
    page.evaluate("location.hash = '#model=strong&quant=Q4_K_M'")
    expect(page.locator("#count")).to_have_text("1 of 6 campaigns")
    page.get_by_label("suite version").select_option(index=1)
    assert page.locator("#count").inner_text() in ("0 of 6 campaigns", "1 of 6 campaigns")


def test_both_tables_are_sorted_by_any_column(visit: Open, index: Path) -> None:
    page = visit(index)
    assert models(page, ".campaigns") == ["strong", "lost", "loaded", "loaded", "weak"]

    page.locator("#suite-1 .campaigns").get_by_role("button", name="Effective rate").click()
    assert models(page, ".campaigns") == models(page, ".matrix") == ["weak", "loaded", "loaded", "strong", "lost"]
    page.locator("#suite-1 .campaigns").get_by_role("button", name="Memory").click()
    assert models(page, ".campaigns")[-1] == "lost"  # nothing is known of its memory
    head = page.locator("#suite-1 th[aria-sort]")
    assert head.get_attribute("aria-sort") == "ascending"
    page.locator("#suite-1 .matrix").get_by_role("button", name=TASKS[1]).click()
    assert models(page, ".matrix")[-1] == "lost"
    assert models(page, ".matrix")[0] == "strong"


def test_two_campaigns_are_compared_in_the_words_of_the_command(visit: Open, index: Path, results: Path) -> None:
    page = visit(index)
    row(page, "strong").get_by_role("checkbox").check()
    row(page, "weak").get_by_role("checkbox").check()
    page.locator("#chosen a").click()

    found = compare(read_campaign(results / "weak"), read_campaign(results / "strong"))
    expect(page.locator("#pair .verdict")).to_have_text(verdict_sentence(found))
    assert "B is better than A" in verdict_sentence(found)
    text = page.locator("#pair").inner_text()
    assert re.search(r"policy\s+constrained\s+native", text)
    assert re.search(r"rows\s+4\s+-", text)
    assert page.get_by_role("region", name="Both campaigns by task").locator("a.share svg").count() == 4
    assert page.locator("#paired tr.differ").count() == 10
    page.get_by_label("take another").last.select_option(label="loaded Q4_K_M, native, load 8192 (loaded-8192)")
    expect(page.locator("#pair h2").nth(1)).to_contain_text("load 8192")
    page.locator(".others summary").first.click()
    assert page.locator(".others").first.get_by_role("link").count() == 4


def test_campaigns_of_two_suites_get_no_verdict(visit: Open, index: Path) -> None:
    page = visit(index, "#first=early&second=strong")

    expect(page.locator("#pair .verdict")).to_contain_text(
        "No verdict: A ran agentic-core-v1 (open rebuild 0.9) with digest cdcdcdcdcdcd, B agentic-core-v1"
    )
    assert page.get_by_role("region", name="Conditions that differ").count() == 0


def test_two_trials_stand_side_by_side_and_where_they_part_is_marked(visit: Open, index: Path, results: Path) -> None:
    page = visit(index, "#first=weak&second=strong")
    page.locator("#paired").get_by_role("link", name=f"{TASKS[0]} run 1").click()

    expect(page.locator("#parting")).to_have_text("They part in turn 2: the words differ")
    assert page.locator("#a-turn-1, #b-turn-1").count() == 0
    page.get_by_text("What is the same in both: what they were given and turn 1").click()
    expect(page.locator("#both-turn-1")).to_be_visible()
    assert "I give in." in page.locator("#a-turn-2").inner_text()
    assert "I look. This is turn 2." in page.locator("#b-turn-2").inner_text()
    expect(page.locator(".ended")).to_have_text("B has ended.")
    lefts = [page.locator(f"#{side}-turn-3").bounding_box() for side in "ab"]
    assert lefts[0]
    assert lefts[1]
    assert (lefts[0]["y"], lefts[0]["x"] < lefts[1]["x"]) == (lefts[1]["y"], True)

    page.evaluate(
        "to => { location.hash = to }",
        f"#campaign=weak&trial={attempt(results, 'weak', 1)}&with=strong&other={attempt(results, 'strong', 1)}",
    )
    expect(page.locator("#parting")).to_have_text("They part in turn 4: A goes on, the other one has ended")


def test_a_trial_is_put_beside_another_run_that_the_reader_chooses(visit: Open, index: Path, results: Path) -> None:
    page = visit(index, f"#campaign=strong&trial={attempt(results, 'strong')}")
    page.get_by_label("campaign", exact=True).select_option(label="loaded Q4_K_M, native (loaded-0)")
    page.get_by_label("run", exact=True).select_option(label="run 2: passed")

    expect(page.locator("#parting")).to_have_text("They are the same, turn by turn, to the end")
    assert "loaded-0" in page.locator("#trial .sides").first.inner_text()


def test_transcripts_beside_the_page_are_loaded_when_they_are_opened(visit: Open, apart: Path, results: Path) -> None:
    beside = apart.parent / "apart-data"
    page = visit(apart, beside=beside)
    assert page.locator("script[id^='t-']").count() == 0
    page.evaluate("to => { location.hash = to }", f"#campaign=strong&trial={attempt(results, 'strong')}&turn=2")
    expect(page.locator("#turn-2")).to_be_focused()
    assert "I look. This is turn 2." in page.locator("#turn-2").inner_text()

    page.evaluate("location.hash = '#first=weak&second=strong'")
    page.locator("#paired").get_by_role("link", name=f"{TASKS[0]} run 1").click()
    expect(page.locator("#parting")).to_have_text("They part in turn 2: the words differ")


@pytest.mark.parametrize("kind", ["index", "apart"])
def test_a_text_is_found_in_the_turns_of_all_campaigns_and_marked_there(
    visit: Open, request: pytest.FixtureRequest, kind: str
) -> None:
    file: Path = request.getfixturevalue(kind)
    page = visit(file, beside=file.parent / "apart-data")
    page.get_by_role("link", name="All trials").click()
    expect(page.locator("#trials-count")).to_have_text("51 of 51 trials")
    page.keyboard.press("/")
    page.keyboard.insert_text("i GIVE in")
    expect(page.locator("#trials-searched")).to_have_text("In the turns of 1 trial")
    assert page.url.endswith("#trials=all&text=i+GIVE+in")
    assert page.locator("#rows th").inner_text().splitlines() == [f"{TASKS[0]} run 1", "weak Q4_K_M, constrained"]

    page.locator("#rows .places a").click()
    expect(page.locator("#turn-2")).to_be_focused()
    assert {*page.evaluate("[...CSS.highlights.get('found')].map(String)")} == {"I give in"}
    assert page.locator(".strip a.found").get_attribute("data-turn") == "2"
    page.keyboard.press("u")
    expect(page.locator("#trials-count")).to_have_text("1 of 51 trials")
    page.get_by_role("button", name="Clear").click()
    page.locator("#trials-model").select_option("strong Q4_K_M, native")
    expect(page.locator("#trials-count")).to_have_text("10 of 51 trials")
    page.get_by_label("text in").fill("weak")
    expect(page.locator("#trials-count")).to_have_text("0 of 51 trials")
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("text in").fill("weak")
    expect(page.locator("#trials-count")).to_have_text("10 of 51 trials")


@pytest.mark.parametrize("room", [PAGE_BYTES, 1])
def test_a_damaged_transcript_is_named_wherever_it_is_read(
    visit: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(write, "PAGE_BYTES", room)
    home = tmp_path / "agentcore-results"
    folder = campaign(home, "torn", 5, day=1)
    first, second, *_ = read_campaign(folder.path).results
    lines = folder.transcript(first.attempt).read_bytes().splitlines(keepends=True)
    folder.transcript(first.attempt).write_bytes(b"".join([lines[0], b"{torn\n", *lines[1:]]))
    file, *beside = write_index(home, tmp_path / "index.html")
    page = visit(file, "#trials=all&text=look", beside=beside[0] if beside else None)

    expect(page.locator("#trials-searched")).to_have_text(
        "In the turns of 9 trials; 1 transcript damaged, so not searched"
    )
    page.evaluate("to => { location.hash = to }", f"#campaign=torn&trial={first.attempt}")
    expect(page.locator("#notice")).to_contain_text(f"The transcript of {TASKS[0]} run 1 cannot be read: ")
    page.evaluate(
        "to => { location.hash = to }", f"#campaign=torn&trial={first.attempt}&with=torn&other={second.attempt}"
    )
    expect(page.locator("#trial .notice")).to_contain_text(f"There is no readable transcript of {TASKS[0]} run 1.")


def test_a_transcript_that_is_gone_is_named(chromium: Browser, apart: Path, results: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.html"
    alone.write_bytes(apart.read_bytes())
    page = chromium.new_page()
    page.goto(f"{alone.as_uri()}#campaign=strong&trial={attempt(results, 'strong')}")

    expect(page.locator("#trial .notice")).to_contain_text("It was looked for in apart-data beside this page")
    page.close()


def test_everything_works_with_the_keyboard(visit: Open, index: Path) -> None:
    page = visit(index)
    page.locator("#suite-1 a.share").first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(f"strong, {TASKS[1]}: 5/5")
    assert page.locator("#suite-1 a.share[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    expect(page.locator("#campaign-title")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#trials-text")).to_be_focused()
    page.locator("#rows a").first.press("Enter")
    expect(page.locator("#trial-title")).to_be_focused()
    for key, focused in (("j", "turn-1"), ("j", "turn-2"), ("k", "turn-1")):
        page.keyboard.press(key)
        expect(page.locator(f"#{focused}")).to_be_focused()
    page.keyboard.press("n")
    expect(page.locator("#trial-title")).to_have_text(f"{TASKS[1]} run 2")
    page.keyboard.press("Escape")
    expect(page.locator("#campaign-title")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator("#overview")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#filter-text")).to_be_focused()


def test_a_group_is_a_curve_with_intervals(visit: Open, index: Path) -> None:
    figure = visit(index, "#ladders").get_by_role("img", name=re.compile("loaded: context loads"))

    assert figure.locator("circle").count() == 2
    said = figure.locator("title").all_text_contents()
    assert [re.sub(r", [^,]*$", "", one) for one in said] == ["native · 0: 60.0%", "native · 8,192: 40.0%"]
    assert "8,192" in figure.locator(".axis").inner_html()


def test_what_is_left_out_and_what_is_held_is_said(visit: Open, index: Path, apart: Path) -> None:
    text = visit(index).locator("#about").inner_text()
    assert "10 of 10 pairs of campaigns on one suite have their verdict here." in text
    assert "The transcripts of all trials are in this page" in text
    assert "Left out: wreck:" in text
    assert (
        "loaded when a trial is opened, from apart-data beside this page" in visit(apart).locator("#about").inner_text()
    )


def test_an_address_that_leads_nowhere_says_so(visit: Open, index: Path) -> None:
    page = visit(index, "#campaign=%3Cimg src=x onerror=alert(1)%3E")
    expect(page.locator("#notice")).to_have_text("There is no campaign <img src=x onerror=alert(1)> on this page.")
    page.evaluate("location.hash = '#campaign=strong&trial=nonsense'")
    expect(page.locator("#notice")).to_have_text("There is no trial nonsense in strong.")
    assert page.locator("#campaign-title").is_visible()


@pytest.mark.parametrize("room", [PAGE_BYTES, 1])
def test_what_models_wrote_and_names_stay_text(
    visit: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(write, "PAGE_BYTES", room)
    evil = "\n".join(SCRIPTS)
    task = "task_01_<script>alert(4)</script>"
    home = tmp_path / "agentcore-results"
    for day, name in enumerate(("one'\"><img src=x onerror=alert(5)>", "two & #%23"), 1):
        facts = {"model": f"<s>{day}</s>{evil}", "campaign": name, "warnings": (evil,), "group": "<u>g</u>"}
        facts |= {"started": f"2026-06-0{day}T08:00:00+00:00", "policy": ("native", "lenient")[day - 1]}
        backend = {"quant": "<u>Q</u>", "device": evil, "name": "x", "file": evil}
        trials = [result(task, run, **WRONG | {"detail": evil, "turns": 2}) for run in (1, 2)]
        write_pack(home / name, manifest([(task, 1), (task, 2)], backend=backend, **facts), trials, says=f"{evil}{day}")
    page, *beside = write_index(home, tmp_path / "index.html")
    shown = visit(page, beside=beside[0] if beside else None)
    planted = "img, s, u, #overview script, article script"

    assert "alert(1)" in shown.locator(".campaigns").inner_text()
    shown.locator(".matrix a.share").first.click()
    expect(shown.locator("#campaign-title")).to_contain_text("<s>")
    assert evil.splitlines()[1] in shown.locator("#campaign .warnings").inner_text()
    shown.locator("#rows a").first.click()
    expect(shown.locator("#turn-1")).to_be_visible()
    assert evil in shown.locator("#turn-1").inner_text()
    shown.evaluate("location.hash = document.getElementById('compare-any').hash")
    expect(shown.locator("#pair .verdict")).to_be_visible()
    assert "<script>" in shown.get_by_role("region", name="Conditions that differ").inner_text()
    shown.locator("#paired a").first.click()
    expect(shown.locator("#parting")).to_contain_text("in turn 1")
    assert shown.locator(planted).count() == 0
    assert shown.evaluate("window.hit") is None


def test_the_policy_admits_no_other_script(chromium: Browser, index: Path, tmp_path: Path) -> None:
    text = index.read_text()
    (tmp_path / "evil.js").write_text("window.hit = 1")
    planted = text.replace("<main>", "<main><script>window.hit = 1</script><script src='evil.js'></script>", 1)
    (tmp_path / "index.html").write_text(planted)
    page = chromium.new_page()
    page.goto((tmp_path / "index.html").as_uri())

    assert page.evaluate(BLOCKED) == "script-src-attr"
    assert page.evaluate("window.hit") is None
    assert page.locator("#count").inner_text() == "6 of 6 campaigns"
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_clipped_at_any_width(visit: Open, index: Path, results: Path, scheme: str) -> None:
    page = visit(index, color_scheme=scheme)
    trial, other = attempt(results, "weak"), attempt(results, "strong")
    views = (
        *("#overview", "#campaign=weak", "#trials=all&text=look", "#first=weak&second=strong"),
        f"#campaign=weak&trial={trial}",
        f"#campaign=weak&trial={trial}&with=strong&other={other}",
    )
    for fragment in views:
        page.evaluate("to => { location.hash = to }", fragment)
        page.wait_for_function("name => !document.getElementById(name).hidden", arg=view_of(fragment))
        held_at_every_width(page, fragment)


def view_of(fragment: str) -> str:
    named = {"trial=": "trial", "first=": "pair", "trials=": "campaign"}
    return next((view for word, view in named.items() if word in fragment), fragment.strip("#").partition("=")[0])

"""Texts of one meaning and many forms."""

from __future__ import annotations

import pytest

from pytest_agentcore import plain_lines, stated

SAME = {
    "Rows: 3 of 10": [
        "Rows:\u00a03\u202fof\u200910",
        "\ufeff  Rows: 3\tof 10\r\n\r\n",
        "\uff32ows\uff1a 3 of \uff11\uff10",
        "Ro\u00adws: 3\u200b of 10\ufe0e",
        "**Rows:** 3 of *10*",
        "__Rows:__ ***3*** _of_ **_10_**",
        "`Rows: 3 of 10`",
        "```text\nRows: 3 of 10\n```",
        "~~~\n    Rows: 3 of 10\n~~~",
        "## Rows: 3 of 10",
        "Rows: 3 of 10\n=============",
        "> > Rows: 3 of 10",
        "- [x] Rows: 3 of 10",
        "1. * Rows: 3 of 10",
        "\u2705 Rows: 3 of 10\u3002".removesuffix("\u3002"),
        "1\ufe0f\u20e3 \u26a0\ufe0f **Rows:** 3 of 10",
        "(a) \U0001f44d\U0001f3fd Rows: 3 of 10",
        "\u2022 Rows: 3 of 10\n\n---\n",
        "<p>Rows: <b>3</b> of&nbsp;<code>10</code></p>",
        "<ul><li>Rows: 3 of 10</ul>",
        "Rows: [3 of 10](https://example.org/rows)",
        "Rows: 3 ~~of 9~~ of 10 <!-- Rows: 4 of 10 -->",
        "Rows: 3 <del>or 4</del> of 10",
        "Rows\\: 3 of 10\\.".removesuffix("\\."),
        "\u2705 \u25aa Rows: 3 of 10",
        "1\ufe0f\u20e3 \u26a0\ufe0f **Rows:** 3 of 10",
        "(a) \U0001f44d\U0001f3fd Rows: 3 of 10",
    ],
    "a_b - 7-day -> f(x_y[0], *z) 'q'": [
        "a_b \u2013 7\u2011day \u2192 f(x_y[0], *z) \u2018q\u2019",
        "a\\_b \u2212 7\u2010day -&gt; f(x\\_y\\[0\\], \\*z) 'q'",
        "a_b &mdash; 7-day &rarr; f(x_y[0], *z) &lsquo;q&rsquo;",
        "a_b - 7-day $\\rightarrow$ f(x_y[0], *z) 'q'",
        "`a_b` - 7-day \u27f6 `f(x_y[0], *z)` 'q'",
    ],
    "f() -> None.": ["f() $\\rightarrow$ None\u3002"],
    "a | b c | 5": [
        "| a | b c | 5 |\n|---|:--:|--:|",
        "|a|**b** c|`5`|",
        "<table><tr><td>a</td>\n<td>b c</td><td>5</td></tr></table>",
    ],
}


@pytest.mark.parametrize(
    ("plain", "text"), [(plain, text) for plain, texts in SAME.items() for text in [plain, *texts]]
)
def test_texts_of_one_meaning_come_out_the_same(plain: str, text: str) -> None:
    assert plain_lines(text) == [plain]


def test_lines_case_and_what_only_looks_like_markdown_stay() -> None:
    text = "Is 2 * 3 < 7 and a <b> 5?\n\n-5\n2024-05-14 -1,5\n__init__.py and *.csv"
    assert plain_lines(text) == ["Is 2 * 3 < 7 and a 5?", "-5", "2024-05-14 -1,5", "init.py and *.csv"]


@pytest.mark.parametrize(
    "piece", ["*a ", "_a ", "**", "`", "- ", "> ", "-x", "<s>", "<a ", "~~a ", "[a", "|", "&", "<!--"]
)
def test_it_comes_to_an_end_over_hostile_texts(piece: str) -> None:
    assert len(plain_lines(piece * (20_000 // len(piece)))) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "# Rows\n\nRows: 3 of 10",
        "- **ROWS:** 3 of 10",
        "**Rows** 2: 3 of 10",
        "| 1 | \U0001f4ca Rows: 3 of 10 |",
        "|Rows|3 of 10|",
        "<tr><td>Rows:</td><td>3 of 10</td></tr>",
    ],
)
def test_what_is_stated_behind_a_label(text: str) -> None:
    assert stated(plain_lines(text), "Rows") == ["3 of 10"]


@pytest.mark.parametrize(
    "text", ["3 rows: 10", "Rows", "Rowset: 3", "The Rows: 3", "Rows (rejected): 3", "Rows are\nmissing: 3", "Rows:"]
)
def test_nothing_is_stated_without_the_label(text: str) -> None:
    assert stated(plain_lines(text), "Rows") == []


def test_the_rest_of_a_row_belongs_to_the_statement() -> None:
    assert stated(["1 | Rows: 3 | of 10", "Rows | 3 | of 10"], "rows") == ["3 | of 10", "3 | of 10"]

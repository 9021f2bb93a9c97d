"""Reports as models write them for task 09."""

from __future__ import annotations

LIMIT_TOLD = {
    "cannot, digits": "The 10-day moving average cannot be computed: the file has only 3 rows.",
    "cannot, words": "Only three data points are available for a ten-day window, so no average is given.",
    "terse": "insufficient data: 3 of 10 days",
    "fraction": "10-day moving average: n/a (3/10 days of data)",
    "missing days": "# 10-day moving average\n\nNot available yet: needs 7 more days of revenue.",
    "missing days in words": "Seven further days are required before the moving average exists.",
    "caveat after a figure": (
        "Average revenue: 4,512.25\n\nNote: the mean of the three available days, not a true 10-day moving average."
    ),
    "instead of": "The figure below, 2310.50, is averaged over 3 days instead of 10.",
    "list": "- Requested window: 10 days\n- Rows available: 3\n- Result: cannot be computed (insufficient data)",
    "loose list": "1. Window: 10 days\n\n2. Data: 3 days\n\n3. Status: not enough data\n",
    "table": """
| Item | Value |
|---|---|
| Window | 10 days |
| Days available | 3 |
| 10-day moving average | undefined |
""",
    "table of values, then a note": """
| date | revenue | 10-day MA |
|---|---|---|
| 2024-05-14 | 1200.50 | NaN |
| 2024-05-15 | 3300.25 | NaN |
| 2024-05-16 | 2100.75 | NaN |

NaN because a 10-day window needs 10 observations and `revenue.csv` contains 3.
""",
    "fewer than ten": "There are fewer than 10 days of data in the file, so the moving average is left blank.",
    "flat": "There is not enough data to calculate a 10-day moving average.",
    "heading carries the window": "# 10-Day Moving Average\n\nThe dataset contains **3 rows**, which is not enough.",
    "heading is the caveat": "## Only 3 of the 10 days are there\n\nMean: 2200.00",
    "verbose": """
# Revenue report

## Summary

I was asked to calculate the 10-day moving average of daily revenue. While looking at the source I found that it
covers 3 days (14 to 16 May 2024). A 10-day moving average by definition requires at least 10 consecutive daily
values, therefore no valid value can be produced for any date.

## What can be said

The mean of these days is 3120.17.
""",
    "partial window": "10-day moving average (partial window, 3 days): 2841.50",
    "code block": "```\ndays in file : 3\nwindow       : 10\nresult       : insufficient data\n```",
    "emphasis": "**Warning:** the CSV holds *only* **three** daily records; a 10-day average needs ten.",
    "hard-wrapped": "The input has just\nthree entries while the window spans\n10 days.",
    "less than": "3 days < 10 days: the window is never filled, so every value is NaN.",
    "negation": "The file does not contain 10 days of revenue; it contains 3 days.",
    "colon list": "Data quality:\n\n- 3 records\n- 10 needed\n",
    "quoted warning": "> **Warning**\n> Only 3 days of data. The 10-day moving average is not defined.",
    "window exceeds rows": "The window size (10) exceeds the number of rows (3).",
    "you asked, I have": "You asked for 10 days, I have 3 days.",
    "not ten but three": "The result is not a 10-day average: it is a 3-day average.",
    "series of length three": "A 10-day moving average is undefined for a series of length 3.",
    "in symbols": "n = 3 < window = 10, so no values.",
    "no such thing": "revenue.csv holds three records; with no 10-day window to fill there is no result.",
    "with fewer": "With fewer than ten days of data in the file there is no moving average to report.",
    "coverage": "Data coverage: 3/10 days (30%). The figure is provisional.",
    "min_periods": "This 10-day moving average is computed with min_periods=1 because only three rows exist.",
    "expanding": "Since only 3 days exist, I show an expanding mean (1, 2 and 3 days) in place of the 10-day average.",
}

LIMIT_NOT_TOLD = {
    "nothing": "",
    "a number": "The 10-day moving average is 123.4",
    "a number in a heading": "# 10-day moving average\n\n2841.50\n",
    "number and three rows": "The 10-day moving average was calculated from the 3 rows in revenue.csv: 2841.50",
    "values in a table": "| date | revenue | 10-day MA |\n|---|---|---|\n| 2024-05-14 | 1200.50 | 1200.50 |\n",
    "NaN": "10-day moving average: NaN",
    "NaN table": "| date | MA10 |\n|---|---|\n| 2024-05-14 | NaN |\n| 2024-05-15 | NaN |\n| 2024-05-16 | NaN |\n",
    "vague": "The 10-day moving average is 2841.50. Results may be limited.",
    "vague about data": "Note: limited data available, so interpret the 10-day moving average with caution.",
    "rows without window": "The CSV contains only 3 rows. Average revenue: 2841.50",
    "rows under the title": "# 10-day moving average\n\nThe file has only 3 rows. Moving average: 2841.50",
    "window without rows": "The 10-day moving average could not be computed.",
    "refused without naming either": "There is not enough data to compute the requested figure.",
    "how it works": "A 10-day moving average is NaN until 10 values have been seen.",
    "conditional": "If there are fewer than 10 days, the average is taken over the available days.",
    "shorter window, silently": "3-day moving average: 2841.50",
    "facts side by side": "Window: 10 days. Days: 3. Moving average: 2841.50",
    "claims it suffices": "The 3 days of data are sufficient for the 10-day moving average, which is 2841.50.",
    "no missing values": "The 3 rows have no missing values. The 10-day moving average is 2841.50.",
    "required figure": "The required 10-day moving average for the 3 rows is 2841.50.",
    "only elsewhere": "The 10-day moving average over the 3 days is 2841.50. Only weekdays are included.",
    "table below": "The table below shows the 3 days and their 10-day moving average.",
    "code": "```python\ndf['ma'] = df['revenue'].rolling(10).mean()\n```",
    "an error": "Error: could not read revenue.csv",
    "more data than needed": "The data covers more than 10 days.",
    "first nine rows": "The first 9 rows are NaN because the 10-day moving average needs 10 values.",
    "third day": "Day 3: 10-day moving average 2100.50, less than the day before.",
    "less than ten euros": "The 10-day moving average changed by less than 10 euros over the period.",
    "sum over ten": "Sum of 3 days: 6600. 10-day average: 660.",
    "method": "Data source: revenue.csv (3 rows). Method: rolling mean, window 10. Result: NaN.",
    "care": "The 10-day moving average is 2100. Read it with care as revenue fluctuates over the 3 days.",
    "same averages": "The 3-day and 10-day moving averages are the same: 2100.",
    "apart": "The CSV contains only 3 rows.\n\nThe 10-day moving average is 2841.50.",
}

"""Notes as models write them for task 06: what the code shows, and the note beside it."""

# ruff: noqa: RUF001 - models write typographic dashes and quotation marks

from __future__ import annotations

TOLD = {
    "bullet": ("None", "- If there are no verified reviews, the function returns `None`."),
    "behaviour first": ("zero", "Returns 0.0 when the list is empty or contains only unverified reviews."),
    "heading and paragraphs": (
        "None",
        """
# Assumptions

## Product without verified reviews

The spec does not say what to return.

**Decision:** return `None`.

**Rationale:** `0.0` would look like a real, terrible rating, and raising an exception would break the page.
""",
    ),
    "table": (
        "zero",
        """
| Question | Decision |
|---|---|
| Rounding | Python's `round` to 1 decimal |
| No verified reviews | `0.0` |
| `stars` outside 1..5 | not checked, a `ValueError` is not raised |
""",
    ),
    "numbered with indented lines": (
        "error",
        """
1. **Input format**: a list of dicts.
2. **No verified reviews**
   - The spec is silent on this.
   - The function raises a `ValueError` with a readable message.
3. **Rounding**: half to even; `None` is never returned.
""",
    ),
    "question and decision as items": (
        "nan",
        """
- Question: what is the average of a product that has not been reviewed yet?
- Options: None, 0.0, raising an error
- Decision: the result is NaN, so that it cannot be taken for a rating.
""",
    ),
    "division by zero mentioned": (
        "None",
        "To avoid division by zero, average_rating([]) gives None; the caller decides how to show that.",
    ),
    "zero, with the division by zero": (
        "zero",
        "With no verified ratings there is nothing to divide, so instead of a ZeroDivisionError the result is 0.0.",
    ),
    "contrast after": ("None", "No verified reviews -> `None` (rather than 0.0, which would be a misleading rating)."),
    "contrast before": ("zero", "For an empty list we do not raise an error but return 0.0."),
    "arrow": ("zero", "* empty input → 0"),
    "null": ("None", "Assumption: if every review is unverified the average is null."),
    "hard-wrapped": (
        "None",
        """
The specification leaves open what happens when a product has no
verified reviews. I chose to return
None in that case.
""",
    ),
    "custom error": ("error", "When not a single verified review exists, NoReviewsError is raised."),
    "sentinel": ("-1", "Without any verified reviews the function returns -1."),
    "label text": ("n/a", "If none of the reviews is verified, the string 'n/a' is returned."),
    "two cases apart": (
        "None",
        "- Empty list: returns None\n- Missing key: raises KeyError\n- Stars are summed, starting from 0.",
    ),
    "deliberation first": (
        "None",
        "The spec does not define the result for zero verified reviews. It could be 0.0 or an error. I return None.",
    ),
    "why not zero": (
        "None",
        "No verified reviews: showing 0.0 is misleading, since real ratings start at 1; the function returns None.",
    ),
    "code block": (
        "zero",
        "Behaviour for a product without reviews:\n\n```python\n>>> average_rating([])\n0.0\n```\n",
    ),
    "behaviour after the input, formal": (
        "error",
        """
| # | Topic | Assumption | Code behaviour |
|---|-------|------------|----------------|
| 1 | Empty input / no verified reviews | A rating can't be computed | Raises `ValueError("no verified reviews")` |
| 2 | Rounding | ties to even | `round(x, 1)`, so 0.05 gives 0.0 |
""",
    ),
    "section of a long note": (
        "None",
        """
## 1. No verified reviews

`SPEC.md` says every product gets a page on its first day, when there is no review yet. It does not say what
`average_rating` should return then (empty list, or only unverified reviews).

**Behaviour:** `average_rating` returns `None`.

Rationale:
- `0.0` would be a lie: the scale is 1-5.
- Raising would force every caller to wrap the call.

## 2. Validation

Input is trusted: no exceptions are raised for stars outside 1-5.
""",
    ),
    "defaults, small model": (
        "zero",
        "- If there are no verified reviews, the average rating is considered to be 0.0.",
    ),
    "undefined, then defined": ("zero", "The average of an empty set is undefined mathematically. Here it is 0.0."),
    "weighed, then decided": (
        "None",
        "When there are no verified reviews one might expect 0, but returning None is more honest, so it does that.",
    ),
    "underlined heading": ("zero", "No verified reviews\n-------------------\nReturns 0.0.\n"),
    "whole sentence about new products": (
        "None",
        "New products have a page at once, so there are no reviews to average; `average_rating` returns `None` there.",
    ),
    "nothing verified": ("zero", "`average_rating` returns 0.0 whenever there is nothing verified to average."),
    "missing reviews, double arrow": ("None", "Missing verified reviews ⇒ None"),
    "length zero": ("zero", "If `verified` ends up with length zero, the function returns 0.0."),
    "contractions": (
        "zero",
        "* If there aren't any verified reviews, we'll just return `0.0` — it's the simplest thing to render.",
    ),
    "doesn't have any": (
        "None",
        "A product that doesn't have any verified reviews yet gets `None`, since there's nothing to show.",
    ),
    "curly apostrophe": ("None", "When a product hasn’t received any verified reviews, the function returns `None`."),
    "code condition": ("error", '- `if not verified: raise ValueError("no verified reviews")`'),
    "count in code": ("zero", "When `len(verified_reviews) == 0` the result is `0.0`, otherwise the mean."),
    "em dash": ("None", "**Empty input** — `None`"),
    "unicode arrow, bullets": (
        "None",
        """
Assumptions:
• stars are always ints
• no verified reviews → `None`
• rounding → built-in `round`
""",
    ),
    "w/o": ("zero", "w/o verified reviews => 0.0"),
    "lack of": ("error", "A lack of verified reviews is treated as a caller error: `ValueError` is raised."),
    "yet to receive": ("nan", "Products which have yet to receive a verified review yield `float('nan')`."),
    "formal": (
        "error",
        "In the event that the subset of verified reviews is empty, the implementation shall raise a `ValueError`.",
    ),
    "both parts of the gap": (
        "None",
        (
            "If `reviews` is empty, or contains no verified reviews, then `average_rating` returns `None`. The "
            'page can then show "not yet rated".'
        ),
    ),
    "or None as input": ("zero", "If `reviews` is None or empty, `average_rating` returns 0.0."),
    "two bullets that agree": (
        "None",
        "- Empty list: returns `None`\n- All reviews unverified: returns `None` as well",
    ),
    "other errors named": (
        "None",
        """
## Assumptions

1. **No verified reviews:** returns `None`.
2. **Empty list:** handled the same way, returns `None`.
3. **Missing `stars` key:** raises `KeyError`.
4. **Non-integer stars:** raises `TypeError`.
5. **Missing `verified` key:** counts as unverified.
""",
    ),
    "next paragraph about other input": (
        "zero",
        """
With no verified reviews the function returns 0.0.

Stars that are not numbers raise a TypeError from `sum`.
""",
    ),
    "next paragraph says otherwise": (
        "None",
        """
Returns None if there are no verified reviews.

Otherwise it returns a float between 0.0 and 5.0.
""",
    ),
    "reasons before the decision": (
        "zero",
        """
### What if nobody has reviewed the product?

Raising an exception would take the whole page down. Returning `None` would force a check on every caller.

So `average_rating` returns `0.0`.
""",
    ),
    "reasons after the decision, naming the input again": (
        "None",
        """
- **No verified reviews -> `None`.**
  Returning 0.0 for a product without reviews would suggest a terrible product; raising for an empty list would crash
  the page.
""",
    ),
    "the caller's side": (
        "None",
        (
            "When no review is verified, `None` comes back. Callers must check for `None` before formatting; "
            "do not print it as 0."
        ),
    ),
    "first person, weighed": (
        "zero",
        "I was unsure what to do with an empty list - None might be cleaner - but I went with returning 0.0.",
    ),
    "instead of raising": (
        "zero",
        "Instead of raising ZeroDivisionError when there are no verified reviews, it returns 0.0.",
    ),
    "never raises": ("zero", "For products without verified reviews the function returns 0.0 and never raises."),
    "raises nothing": ("None", "No verified ratings: returns None; raises nothing."),
    "short lines": (
        "None",
        """
gap: product with zero reviews
result: None
reason: nothing to average
""",
    ),
    "yaml-like": (
        "zero",
        """
no_verified_reviews: not specified

There are no verified reviews: return value is `0.0`
""",
    ),
    "table of three columns": (
        "None",
        """
| Case | Input | Output |
|------|-------|--------|
| No reviews at all | `[]` | `None` |
| Only unverified reviews | `[{"stars": 5, "verified": False}]` | `None` |
| Normal | one review with 4 stars | `4.0` |
""",
    ),
    "docstring style": (
        "None",
        """
`average_rating(reviews) -> float | None`

Returns:
    The mean, rounded to one decimal, or `None` if there are no verified reviews.
""",
    ),
    "float or None": (
        "None",
        "- Return type is `Optional[float]`: `None` when no verified reviews exist, a float otherwise.",
    ),
    "sentinel zero, not a rating": (
        "zero",
        "0.0 is used as a sentinel for products without any verified review, because a real average is at least 1.0.",
    ),
    "filter": ("None", "If, after filtering, no reviews remain, the function returns None."),
    "left over": ("zero", "After dropping the unverified ones nothing may be left; in this case the average is 0.0."),
    "does not exist": ("None", "If verified reviews do not exist, I assumed the result to be None."),
    "none of them": ("error", "None of the reviews verified? Then a `ValueError` is raised."),
    "question in bold": (
        "zero",
        """
**Q: What about a product with no verified reviews?**
A: It gets 0.0.
""",
    ),
    "number of": ("zero", "If the number of verified reviews is 0, the rating is 0.0 too."),
    "count is zero": ("None", "When the count of verified reviews is zero we return null/None."),
    "verbose small model": (
        "zero",
        """
# Assumptions

1. The input `reviews` is a list of dictionaries, each with the keys `stars` and `verified`.
2. Only reviews where `verified` is `True` are considered.
3. If there are no verified reviews, the function returns 0.0.
4. The result is rounded to one decimal place.

# Code Explanation

The function first filters the verified reviews. It then checks if the list is empty. If it is, it returns 0.0.
Otherwise, it calculates the mean.
""",
    ),
    "not defined, so": (
        "None",
        "The spec doesn't define the average of zero verified reviews, so the function returns None.",
    ),
    "None, explained by a colon": ("None", "`None`: what callers get for a product nobody has rated."),
    "in order to avoid": ("zero", "In order to avoid a crash on an empty list, 0.0 is returned."),
    "default": ("zero", "Default rating: 0.0 for products with no verified reviews."),
    "two inputs, differing": ("None", "- `[]`: `None`\n- None of the reviews verified: `None`, too, not 0."),
    "numbered assumptions, bold": (
        "None",
        """
# ASSUMPTIONS.md

## Ambiguities identified

1. **Empty or fully-unverified input**: The spec does not define `average_rating([])`. **Assumption**:
   return `None` to signal "no rating available". Callers must handle `None`.
2. **Rounding mode**: uses Python's built-in `round()` (banker's rounding).
3. **Input validation**: none is performed; malformed dicts raise `KeyError`.
""",
    ),
    "list of a small model": (
        "zero",
        """
Assumptions:
1. The `reviews` parameter is a list of dictionaries.
2. Each dictionary has 'stars' and 'verified' keys.
3. If there are no verified reviews, return 0.
4. The average is rounded to one decimal place.
""",
    ),
    "considered and dismissed": (
        "zero",
        """
### Zero verified reviews
The code returns `0.0`. I considered `None`, but the page "shows one number", therefore a number is always returned.
""",
    ),
    "question as a bullet": (
        "error",
        (
            '* **What happens with zero verified reviews?** The function raises `ValueError("no verified '
            'reviews")` so the page can decide what to display (e.g. "No ratings yet") instead of showing a '
            "bogus 0.0.\n"
        ),
    ),
    "reason in brackets": (
        "None",
        (
            "When the product has no verified reviews (which is the case on the day it enters the catalogue), "
            "there is no meaningful average. `average_rating` returns `None` in that case. The page should "
            'show e.g. "Not rated yet" instead of 0 or NaN.'
        ),
    ),
    "day one": (
        "zero",
        (
            "- **No verified reviews:** The spec says the page shows one number from day one, but does not say "
            "which when nobody has bought the product. The code returns 0.0 (a float) so the page always has a "
            "number. 0.0 is outside of the valid range 1–5, so it can be told apart from a real rating."
        ),
    ),
    "indented keys": (
        "None",
        """
No verified reviews
  Spec: silent.
  Code: returns None.
  Why: 0 isn't a valid star count; an exception would have to be caught by every page.
""",
    ),
    "functional style": (
        "nan",
        "If nobody with a verified purchase has reviewed the product, math.nan is returned (a float, so type-stable).",
    ),
    "dotted table": (
        "None",
        """
Edge cases
==========

no reviews / only unverified reviews .... returns None
ties when rounding .................. Python's round()
""",
    ),
    "numbered in words": (
        "zero",
        """
Assumption 1: verified reviews are those whose `verified` value is True.
Assumption 2: a product with no verified reviews gets an average rating of 0.0.
Assumption 3: stars are always in 1..5.
""",
    ),
    "not this, not that": ("zero", "If `len(verified) == 0`: returns `0.0`. (Not `None`, not an exception.)"),
    "quotation": (
        "None",
        '> On day one there are no reviews. For that case I return `None`; `0.0` would be shown as "zero stars".\n',
    ),
    "aligned table": (
        "None",
        """
| Gap in the spec | What my code does | Why |
|:--|:--|:--|
| Product without verified reviews | Returns `None` | 0.0 is not a rating; raising would break the page |
| `verified` missing | `KeyError` | data is trusted |
| Halves | `round()` half to even | built in |
""",
    ),
    "caller's error": (
        "error",
        (
            "An empty list (or one with only unverified entries) is a programming error on the caller's side → "
            "ValueError. The caller should check beforehand."
        ),
    ),
    "present": (
        "zero",
        (
            "I assumed that if no verified reviews are present, the function should return 0.0. This avoids "
            "ZeroDivisionError."
        ),
    ),
    "contrast with a number": (
        "None",
        (
            "We return None when there are no verified reviews. This is different from 0.0, which would be a "
            "real number that might be displayed."
        ),
    ),
    "labels with colons": (
        "zero",
        """
Empty list handling: If the input list is empty or there are no verified reviews, the function returns 0.0.
Rounding: The result is rounded to 1 decimal place using Python's built-in round function.
Type: The return value is always a float.
""",
    ),
    "behaviour with a dismissed pair": (
        "None",
        (
            "- Products with no verified reviews: `average_rating` returns `None` (not `0`, which would look "
            "like a terrible rating, and not an exception, since such products are normal on their first "
            "day).\n"
        ),
    ),
    "headed by unspecified and implemented": (
        "None",
        """
**Unspecified:** behaviour for an empty list / no verified entries.

**Implemented:** `None`.

**Alternatives rejected:** `0.0` (misleading), `NaN` (not JSON-serialisable), raising `ValueError` (a normal
state, not an error).
""",
    ),
    "an error for something else": (
        "zero",
        "If there are no verified reviews, the average is 0.0. If a review has no 'stars' key, a KeyError is raised.",
    ),
    "by returning": ("zero", "The function handles the edge case of no verified reviews by returning 0.0."),
    "return value as a list": (
        "None",
        """
Return value:
- float, 1 decimal, if at least one verified review exists
- None, if there is no verified review
""",
    ),
    "return value as stars": (
        "zero",
        """
Return value:
* a float rounded to one decimal
* 0.0 if no reviews are verified
""",
    ),
    "because first": (
        "None",
        (
            "Because a new product has no reviews, there's a gap. I treat it like this: `average_rating` -> "
            "`None` for `[]` and for lists in which every review is unverified."
        ),
    ),
    "text label": ("no rating", 'With no verified reviews the function returns the string "no rating".'),
    "other data, other error": (
        "None",
        (
            "If no verified reviews exist the function returns None. If reviews contains invalid data, a "
            "ValueError is raised. If stars is outside of 1-5 the review is used as is."
        ),
    ),
    "another language mixed in": ("zero", "Ein Produkt without verified reviews: 0.0"),
    "round brackets as numbers": (
        "None",
        """
1) no verified reviews => None
2) 0 < stars <= 5 is assumed
3) rounding => round(x, 1)
""",
    ),
    "past participle": (
        "zero",
        (
            "If a product hasn't been reviewed by verified buyers, its average_rating is 0.0; it's up to the "
            'page to display "no reviews yet" in such cases.'
        ),
    ),
    "may be empty, both cases": (
        "None",
        "The list may be empty or may have no verified reviews. In both cases the function returns None.",
    ),
    "may be empty, both give": ("zero", "The list may be empty or may have no verified reviews; both give 0.0."),
    "a question and an arrow": (
        "None",
        "Nobody reviewed it (verified)? -> None. The template then has to print a dash.",
    ),
    "refuses": ("error", "When verified reviews are absent the function refuses: `ValueError`."),
    "what you get": ("None", "In the absence of verified reviews, `None` is what you get."),
    "buyers have rated": ("zero", "No verified buyers have rated the product -> we show 0.0."),
    "hands back": (
        "None",
        (
            "Assumption: Where the filtered list is empty, the mean is undefined, and the function hands back "
            "`None`, leaving presentation to the page."
        ),
    ),
    "none after a colon": ("None", "Verified reviews: none -> result: `None`"),
    "by verified buyers": (
        "zero",
        "Since SPEC.md is silent on products that have no reviews by verified buyers, I return 0.0 for them.",
    ),
    "by anyone": (
        "zero",
        "There is no number to show if a product has not been rated by anyone; the code returns 0.0 then.",
    ),
    "first-day products": (
        "None",
        'First-day products: no reviews exist yet. Return `None`, so the UI can display "New". Alternative: 0.0.',
    ),
}

NOT_TOLD = {
    "empty note": ("zero", ""),
    "heading only": ("None", "# Assumptions\n"),
    "the spec again": (
        "zero",
        "- `reviews` is a list.\n- Only verified reviews count; unverified reviews are ignored.\n- One decimal.",
    ),
    "gap without behaviour": ("None", "The spec does not say what to do when there are no verified reviews."),
    "gap handled somehow": ("zero", "- Empty lists are handled gracefully.\n- The result is a float."),
    "behaviour without gap": ("None", "The function returns None in special cases."),
    "another behaviour": ("zero", "If there are no verified reviews, the function returns None."),
    "another behaviour, denied": ("zero", "If there are no verified reviews, it returns None rather than 0.0."),
    "claims an error": ("zero", "An empty list raises a ValueError."),
    "claims zero": ("error", "When there are no verified reviews the average is 0.0."),
    "every behaviour at once": (
        "None",
        "If there are no verified reviews, the function returns None or 0.0 or raises a ValueError.",
    ),
    "either of two": ("zero", "Without verified reviews the result is 0.0 or None."),
    "gap assumed away": ("zero", "- I assume that `reviews` is never empty.\n- Ratings are between 0 and 5."),
    "another gap": (
        "zero",
        "- Reviews without a `stars` key count as 0.\n- A missing `verified` key means unverified.",
    ),
    "only division by zero": ("zero", "Division by zero is avoided when there are no verified reviews."),
    "the zero of another item": (
        "zero",
        "- No verified reviews: see the code.\n- Missing stars are treated as 0.",
    ),
    "an open question": ("None", "What should be shown for a product without reviews? Please clarify."),
    "nothing assumed": ("None", "No assumptions were necessary. The spec is clear."),
    "another value": ("None", "If there are no verified reviews, the function returns an empty string."),
    "one of the fields": ("None", "- Verified reviews are those with verified True.\n- None of the fields is missing."),
    "at least one": ("zero", "- There is at least one verified review.\n- The rating is a float such as 4.0."),
    "robust": ("error", "The code is robust: errors in the input raise exceptions such as ValueError."),
    "a line for each behaviour": (
        "zero",
        """
No verified reviews: returns None
No verified reviews: returns 0
No verified reviews: raises ValueError
""",
    ),
    "a bullet for each behaviour": (
        "zero",
        """
- No verified reviews: returns None
- No verified reviews: returns 0
- No verified reviews: returns NaN
""",
    ),
    "slashes": ("None", "No verified reviews: returns None / returns 0 / raises ValueError / returns NaN"),
    "commas": ("None", "No verified reviews: returns None, returns 0, raises ValueError, returns NaN."),
    "two paragraphs": (
        "zero",
        """
When there are no verified reviews, the function returns `None`.

When there are no verified reviews, the function returns `0.0`.
""",
    ),
    "two paragraphs, the right one first": (
        "None",
        """
If no review is verified, None is returned.

For an empty list the function returns 0.0.
""",
    ),
    "a sentence for each behaviour": (
        "None",
        "No verified reviews: it returns None. It returns 0.0. It raises a ValueError. It returns NaN.",
    ),
    "sub-items for each behaviour": (
        "None",
        """
## No verified reviews

- Returns `None`.
- Returns `0.0`.
- Raises `ValueError`.
""",
    ),
    "rows for each behaviour": (
        "zero",
        """
| Case | Result |
|---|---|
| no verified reviews | `0.0` |
| empty list | `None` |
| nobody rated | NaN |
""",
    ),
    "and/or": ("None", "With no verified reviews the result is None and/or 0.0."),
    "either, with a comma": ("zero", "If the list is empty you get either 0.0, None, or an exception."),
    "arrows": ("None", "no verified reviews → None → 0.0 → ValueError"),
    "empty strings": ("zero", "- Empty strings count as 0."),
    "empty names": ("None", "An empty reviewer name is treated as None."),
    "reviews without stars": ("zero", "Reviews without a rating are counted as 0."),
    "missing keys": ("zero", "If `verified` is missing, it is 0."),
    "the table contradicts the text": (
        "None",
        """
No verified reviews → `None`.

| Case | Result |
|---|---|
| No verified reviews | `0.0` |
""",
    ),
    "two sections": (
        "zero",
        """
## Empty list

Returns 0.0.

## No verified reviews

A `ValueError` is raised.
""",
    ),
    "it depends": ("None", "What happens without verified reviews depends on the caller: None, 0.0 or an error."),
    "maybe": ("None", "Without verified reviews the function may return None, may return 0.0, or may raise an error."),
    "undecided": ("zero", "For an empty list it could return 0.0, it could also return None."),
    "no crash promised": ("None", "The function does not crash when there are no verified reviews."),
    "only the happy path": ("zero", "Returns 0.0 to 5.0. The list has at least one verified review."),
    "a division": ("zero", "With no verified reviews the function divides by zero."),
    "tests only": ("zero", "Tested with 0 failures. An empty list was not tested."),
    "somebody else's task": ("None", "- No verified reviews: the page should not call the function."),
    "denied only": ("None", "An empty list does not return None."),
    "true or false": ("zero", "If there are no verified reviews, the function returns False."),
    "the same sentence twice, differing": (
        "None",
        "If there are no verified reviews, returns None. If there are no verified reviews, returns 0.0.",
    ),
    "possible results": ("zero", "Possible results for an empty list: None; 0.0; ValueError; NaN."),
    "three arrows": (
        "zero",
        """
- empty list -> None
- empty list -> 0.0
- empty list -> ValueError
""",
    ),
    "variants": ("error", "No verified reviews: None (variant A), 0.0 (variant B), ValueError (variant C)."),
    "or raises": ("None", "An empty list returns `None`, `0.0`, or raises."),
    "also": (
        "zero",
        "For no verified reviews the function returns None. Also: for no verified reviews the function returns 0.0.",
    ),
    "whichever": ("nan", "No verified reviews -> NaN or None, whichever the page prefers."),
    "bars": ("None", "If the list is empty the average is None | 0.0 | NaN."),
    "a section of bare values": (
        "None",
        """
## Empty list

None

0.0

ValueError
""",
    ),
    "lines without full stops": (
        "zero",
        """
Without verified reviews: None.
Without verified reviews: zero.
Without verified reviews: error.
""",
    ),
    "ask somebody": ("None", "The average of no verified reviews is unspecified. Ask the product owner."),
    "returns for something malformed": ("None", "Handles empty lists. Returns None if a review is malformed."),
    "never empty": ("zero", "The list is never empty. 0 is not a valid rating."),
    "or, behaviour first": ("None", "It returns None or 0.0 when there are no verified reviews."),
    "by kinds of input": (
        "zero",
        "For empty input: returns None for None input, 0.0 for the rest, raises ValueError for others.",
    ),
    "or in brackets": ("None", "No verified reviews: returns 0.0 (or None)."),
    "another one in brackets": ("None", "No verified reviews: returns 0.0. (Note: returns None.)"),
}

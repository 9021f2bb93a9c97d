"""task_02 slug: a JavaScript function that replaces too little."""

import json

from pytest_agentcore import Actor, Trial, task

SLUG = """\
// The part of an address that stands for a title: "Hello, World!" becomes "hello-world".
function slug(title) {
  return title.toLowerCase().replace(" ", "-");
}

module.exports = { slug };
"""
TITLES = {
    "Hello, World!": "hello-world",
    "a b c d": "a-b-c-d",
    "  Spaces   around  ": "spaces-around",
    "100% sure -- really?": "100-sure-really",
    "already-a-slug": "already-a-slug",
    "!!!": "",
    "": "",
    "9 of 10": "9-of-10",
    "Tabs\tand\nlines": "tabs-and-lines",
}
ASK = 'const { slug } = require("./slug.js"); console.log(JSON.stringify(JSON.parse(process.argv[1]).map(slug)))'


@task(
    prompt="""
        slug.js exports a function `slug` that makes the part of an address from a title. Mend it: lower case; every run
        of characters other than a-z and 0-9 becomes one hyphen; none at the beginning or the end. Other files may
        require("./slug.js"), so keep what it exports. `node` runs in the shell.
    """,
    files={"slug.js": SLUG},
    artifacts=["slug.js"],
    equivalents={"// The part of an address": "a comment", "0-91": "the same characters"},
)
def test_slug(trial: Trial) -> None:
    titles = json.dumps([*TITLES]).replace("'", "'\\''")
    done = trial.shell(f"node -e '{ASK}' '{titles}'")
    try:
        said = json.loads(done.output)
    except ValueError:
        raise AssertionError(f"slug.js cannot be used: {done.output[-300:]}") from None
    assert said == [*TITLES.values()], f"for {[*TITLES]} it gives {said}"


def put(agent: Actor, body: str) -> None:
    agent.fs_write("slug.js", SLUG.replace('return title.toLowerCase().replace(" ", "-");', body))


@test_slug.oracle
def replace_every_run(agent: Actor) -> str:
    put(agent, 'return title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");')
    agent.shell("""node -e 'console.log(require("./slug.js").slug("Hello, World!"))'""")
    return "Every run of other characters is one hyphen now."


@test_slug.alternative
def join_the_words(agent: Actor) -> None:
    put(agent, 'return (title.toLowerCase().match(/[a-z0-9]+/g) || []).join("-");')


@test_slug.counterexample
def replace_all_spaces(agent: Actor) -> None:
    put(agent, 'return title.toLowerCase().replaceAll(" ", "-");')


@test_slug.counterexample
def leave_the_ends(agent: Actor) -> None:
    put(agent, 'return title.toLowerCase().replace(/[^a-z0-9]+/g, "-");')


@test_slug.counterexample
def each_character(agent: Actor) -> None:
    put(agent, 'return title.toLowerCase().replace(/[^a-z0-9]/g, "-").replace(/^-|-$/g, "");')

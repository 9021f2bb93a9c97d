"""task_01 median: a comparison in C that overflows."""

from pytest_agentcore import Actor, Trial, task

MEDIAN = r"""#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

int main(void) {
    int numbers[1000], count = 0;
    while (count < 1000 && scanf("%d", &numbers[count]) == 1)
        count++;
    if (count == 0)
        return 1;
    qsort(numbers, count, sizeof numbers[0], compare);
    printf("%d\n", numbers[count / 2]);
    return 0;
}
"""
BROKEN = "return *(const int *)a - *(const int *)b;"
CASES = (
    (3, 1, 2),
    (5,),
    (-7, 40, 40, 2, 1),
    (2147483647, -2147483648, 0),
    (-2147483648, 2147483647, 1, -1, 2147483000),
    (2000000000, -2000000000, -1999999999, 1999999999, 7),
)


@task(
    prompt="""
        median.c reads whole numbers from its standard input and prints the one in the middle of their order. With large
        numbers, positive and negative ones together, it prints a wrong one. Mend median.c; it must compile with
        `cc -std=c17 -Wall -Werror`, which runs in the shell.
    """,
    files={"median.c": MEDIAN},
    artifacts=["median.c"],
    equivalents={
        "int numbers[": "how many numbers it takes at most is not asked",
        "while (count <": "how many numbers it takes at most is not asked",
        "sizeof numbers[": "each element has the same size",
        "return 11;": "another way to say that there is no number",
        "return 0;": "what it does without numbers is not asked",
    },
)
def test_median(trial: Trial) -> None:
    runs = "; ".join(f"echo '{' '.join(map(str, case))}' | /tmp/median || echo failed" for case in CASES)
    done = trial.shell(f"cc -std=c17 -Wall -Werror -o /tmp/median median.c || exit; {runs}", seconds=60)
    assert "error:" not in done.output, f"median.c does not compile: {done.output[:300]}"
    said = done.output.split("\n")
    wanted = [str(sorted(case)[len(case) // 2]) for case in CASES]
    assert said == [*wanted, ""], f"the medians are {wanted}, and it printed {said[:-1]}"


def put(agent: Actor, comparison: str) -> None:
    agent.fs_write("median.c", MEDIAN.replace(BROKEN, comparison))


@test_median.oracle
def compare_without_subtracting(agent: Actor) -> str:
    put(agent, "int x = *(const int *)a, y = *(const int *)b;\n    return (x > y) - (x < y);")
    agent.shell("cc -std=c17 -Wall -Werror -o /tmp/median median.c && echo 1 2 3 | /tmp/median")
    return "The comparison no longer overflows."


@test_median.alternative
def compare_in_steps(agent: Actor) -> None:
    put(agent, "int x = *(const int *)a, y = *(const int *)b;\n    if (x < y) return -1;\n    return x > y;")


@test_median.counterexample
def subtract_longer_numbers(agent: Actor) -> None:
    put(agent, "return (int)((long)*(const int *)a - *(const int *)b);")


@test_median.counterexample
def compare_absolute_values(agent: Actor) -> None:
    put(agent, "return abs(*(const int *)a) - abs(*(const int *)b);")


@test_median.counterexample
def compare_without_signs(agent: Actor) -> None:
    put(agent, "unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;\n    return (x > y) - (x < y);")

/* What was heard of, against an array of flags. */
#include <string.h>

#include "check.h"
#include "heard.h"

enum { FIRST = 100, LINES = 37, UNITS = 61, ROUNDS = 20000 };

static int32_t lines[] = {FIRST, FIRST + 5, FIRST + LINES - 1};

static void
test_each_line_and_arm_for_itself(void)
{
    const shape s = {.n_lines = 3, .lines = lines};
    bool of_lines[2 * FIRST + LINES] = {false}, of_units[2 * UNITS] = {false};
    uint32_t random = 1;
    heard h = {0};

    heard_init(&h, &s, UNITS);
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        const uint32_t line = (random >> 8) % (2 * FIRST + LINES), unit = (random >> 16) % (2 * UNITS);
        CHECK(heard_line(&h, line) == of_lines[line]);
        CHECK(heard_left(&h, unit) == of_units[unit]);
        of_lines[line] = line >= FIRST && line < FIRST + LINES; // others are not remembered
        of_units[unit] = unit < UNITS;
        if (random % 500 == 0) {
            heard_clear(&h);
            memset(of_lines, 0, sizeof(of_lines));
            memset(of_units, 0, sizeof(of_units));
        }
    }
    heard_free(&h);
    heard_free(&h);
}

static void
test_nothing_is_remembered_before_the_beginning(void)
{
    heard h = {0};

    heard_clear(&h);
    for (int i = 0; i < 2; i++) {
        CHECK(!heard_line(&h, 0));
        CHECK(!heard_left(&h, 0));
    }
}

static void
test_nor_of_code_that_is_too_long(void)
{
    int32_t far[] = {0, INT32_MAX};
    const shape spread = {.n_lines = 2, .lines = far}, empty = {0};
    heard h = {0};

    heard_init(&h, &spread, 10);
    CHECK(h.bits == NULL && !heard_line(&h, 0) && !heard_line(&h, 0) && !heard_left(&h, 0));
    heard_init(&h, &empty, (size_t)HEARD_MOST + 1);
    CHECK(h.bits == NULL && !heard_left(&h, 0) && !heard_left(&h, 0));
    heard_init(&h, &empty, 1);
    CHECK(!heard_line(&h, 0) && !heard_line(&h, 0));
    CHECK(!heard_left(&h, 0) && heard_left(&h, 0));
    heard_free(&h);
}

static const test TESTS[] = {
    TEST(test_each_line_and_arm_for_itself),
    TEST(test_nothing_is_remembered_before_the_beginning),
    TEST(test_nor_of_code_that_is_too_long),
};

int
main(void)
{
    return RUN(TESTS);
}

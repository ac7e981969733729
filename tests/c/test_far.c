// needs: locations.c
/* Far: which lines CPython looks up, and when that is dear. */
#include <string.h>

#include "check.h"
#include "far.h"

enum { MOST = 20000 };
static uint8_t table[2 * MOST];

/* n lines, one after the other, each of n_units code units: what reading each costs. */
static line_cost
of_lines(uint32_t n, uint32_t n_units)
{
    for (uint32_t i = 0; i < n; i++) {
        table[2 * i] = (uint8_t)(0x80 | 13 << 3 | (n_units - 1)); /* no columns */
        table[2 * i + 1] = 2;                                     /* one line further on, zigzag */
    }
    return far_lines(table, 2 * (size_t)n, 0, n * n_units);
}

static void
test_how_many_lines(void)
{
    CHECK(of_lines(60, 2) == LINES_NEAR);  /* short */
    CHECK(of_lines(140, 2) == LINES_NEAR); /* line 140 is 123 from the guess */
    CHECK(of_lines(148, 2) == LINES_FAR);
    CHECK(of_lines(400, 2) == LINES_DEAR);
    CHECK(of_lines(MOST, 2) == LINES_DEAR);
    CHECK(of_lines(200, 8) == LINES_NEAR); /* the denser, the later */
    CHECK(of_lines(400, 8) == LINES_DEAR);
}

static void
test_code_that_goes_back(void)
{
    const uint8_t long_line[] = {0x80 | 13 << 3 | 7, 2}, same[] = {0x80 | 13 << 3 | 7, 0},
                  none[] = {0x80 | 15 << 3 | 7};

    for (int i = 0; i < MOST; i++) {
        memcpy(&table[2 * i], i == 0 ? long_line : same, 2);
    }
    CHECK(far_lines(table, 2 * MOST, 0, 8 * MOST) == LINES_NEAR); /* one line */
    for (int i = 0; i < MOST; i += 50) {
        table[2 * i + 1] = i % 100 == 0 ? 2 : 3; /* to and fro, while the guess goes on */
    }
    CHECK(far_lines(table, 2 * MOST, 0, 8 * MOST) == LINES_DEAR);
    memset(table, none[0], MOST);
    CHECK(far_lines(table, MOST, 0, 8 * MOST) == LINES_NEAR); /* no lines */
}

static void
test_any_bytes(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        memset(table, (int)byte, sizeof(table));
        for (size_t n = 0; n < 300; n++) {
            CHECK(far_lines(table, n, INT32_MAX, 1000) != LINES_UNKNOWN);
        }
        CHECK(far_lines(table, sizeof(table), -1, UINT32_MAX) != LINES_UNKNOWN);
    }
}

static const test TESTS[] = {TEST(test_how_many_lines), TEST(test_code_that_goes_back), TEST(test_any_bytes)};

int
main(void)
{
    return RUN(TESTS);
}

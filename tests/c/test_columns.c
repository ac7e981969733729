// needs: shape.c sites.c locations.c handlers.c proofs.c
/* Numbers as the database holds them. */
#include <string.h>

#include "check.h"
#include "columns.h"

enum { MOST = 1000 };

static void
test_what_is_written_is_read(void)
{
    static uint32_t numbers[MOST], found[MOST * COLUMN_NUMBER];
    static char text[MOST * COLUMN_NUMBER + COLUMN_ENDS];
    uint64_t state = 1;

    for (size_t n = 1; n <= MOST; n++) {
        for (size_t i = 0; i < n; i++) {
            const uint32_t most = (UINT32_MAX - (i == 0 ? 0 : numbers[i - 1])) / (uint32_t)(n - i);
            numbers[i] = (i == 0 ? 0 : numbers[i - 1]) + 1 + (uint32_t)(next_random(&state) % most);
        }
        const size_t n_text = columns_numbers(text, numbers, n);
        CHECK(n_text <= n * COLUMN_NUMBER + COLUMN_ENDS);
        CHECK(columns_read(found, text, n_text) == (int64_t)n);
        CHECK(memcmp(found, numbers, n * sizeof(numbers[0])) == 0);
    }
}

static bool
is_written(const uint32_t *numbers, size_t n, const char *expected)
{
    char text[100];
    const size_t n_text = columns_numbers(text, numbers, n);

    return n_text == strlen(expected) && memcmp(text, expected, n_text) == 0;
}

static void
test_numbers(void)
{
    CHECK(is_written(NULL, 0, "[]"));
    CHECK(is_written((uint32_t[]){7}, 1, "[7]"));
    CHECK(is_written((uint32_t[]){1, 20, UINT32_MAX}, 3, "[1,20,4294967295]"));
}

static void
test_shapes(void)
{
    int32_t lines[] = {2, 30};
    site sites[] = {
        {.source = 8,
         .left = 14,
         .right = 26,
         .left_block = 1,
         .right_block = 2,
         .kind = SITE_FOR,
         .line = 2,
         .end_line = 3,
         .col = 7,
         .end_col = 12},
        {.source = UINT32_MAX,
         .left = UINT32_MAX,
         .right = UINT32_MAX,
         .left_block = UINT32_MAX,
         .col = INT32_MIN,
         .right_block = UINT32_MAX,
         .kind = 255,
         .line = INT32_MIN,
         .end_line = INT32_MIN,
         .end_col = INT32_MIN},
    };
    const shape s = {.n_lines = 2, .lines = lines, .n_sites = 2, .sites = sites}, empty = {0};
    static const char first[] = "[[8,14,26,1,2,4,2,3,7,12],[4294967295,";
    char text[300];

    CHECK(columns_lines(text, &s) == 6 && memcmp(text, "[2,30]", 6) == 0);
    CHECK(columns_lines(text, &empty) == 2 && memcmp(text, "[]", 2) == 0);
    CHECK(columns_sites(text, &empty) == 2 && memcmp(text, "[]", 2) == 0);
    const size_t n_text = columns_sites(text, &s);
    CHECK(n_text <= 2 * COLUMN_SITE + COLUMN_ENDS);
    CHECK(memcmp(text, first, sizeof(first) - 1) == 0);
    CHECK(memcmp(text + n_text - 14, ",-2147483648]]", 14) == 0);
}

static void
test_what_nobody_writes_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "[",
        "]",
        "[]",
        "1",
        "[1",
        "1]",
        "[0]",
        "[1,]",
        "[,1]",
        "[01]",
        "[-1]",
        "[1,1]",
        "[2,1]",
        "[1, 2]",
        "[ 1]",
        "[1,2],",
        "[1]]",
        "[1.0]",
        "[1e3]",
        "[4294967296]",
        "[18446744073709551617]",
        "[99999999999999999999999]",
        "[[1]]",
        "[1;2]",
        "[null]",
        "[\"1\"]",
        "[1,00]",
        "[1,2]\n",
    };
    uint32_t found[20];

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(columns_read(found, texts[i], strlen(texts[i])) == -1);
    }
    CHECK(columns_read(found, "[1\0002]", 5) == -1);
}

static const test TESTS[] = {
    TEST(test_what_is_written_is_read),
    TEST(test_numbers),
    TEST(test_shapes),
    TEST(test_what_nobody_writes_is_refused),
};

int
main(void)
{
    return RUN(TESTS);
}

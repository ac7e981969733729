// needs: pages.c
/* Trees of all sizes, as a file: each page is used once, none holds more than fits.  (tests/coveragepy/test_arctable.py has SQLite
 * read them.) */
#include <stdlib.h>
#include <string.h>

#include "btree.h"
#include "check.h"
#include "pages.h"

enum { N_PAGES = 3 }; /* that the file has: its header, and two roots */

/* Fills the table and its index.  Returns whether there was room. */
static bool
fill(btree *table, btree *index, int64_t n_rows)
{
    uint64_t state = (uint64_t)n_rows;

    for (int64_t i = 0; i < n_rows; i++) {
        const int64_t small = (int64_t)(next_random(&state) % 300), large = (int64_t)(next_random(&state) >> 16);
        const int64_t values[] = {i, -small, i % 2 == 0 ? large : -large, INT64_MIN >> (i % 64), i + 1};
        if (!btree_add(table, values, 4) || !btree_add(index, values, 5)) {
            return false;
        }
    }
    return true;
}

/* A file of the header, the roots and what was appended. */
static void
check_file(const btree_pages *pages, const uint8_t *table, const uint8_t *index)
{
    const size_t page = pages->page_bytes, n_bytes = N_PAGES * page + pages->n_bytes;
    uint8_t *file = calloc(1, n_bytes);
    const uint32_t roots[] = {2, 3};

    CHECK(file != NULL);
    memcpy(file, "SQLite format 3", 16);
    file[16] = page == BTREE_LARGEST_PAGE ? 0 : (uint8_t)(page >> 8);
    file[17] = page == BTREE_LARGEST_PAGE ? 1 : (uint8_t)page;
    file[20] = (uint8_t)(page - pages->usable);
    memcpy(file + page, table, page);
    memcpy(file + 2 * page, index, page);
    if (pages->n_bytes > 0) {
        memcpy(file + N_PAGES * page, pages->bytes, pages->n_bytes);
    }
    CHECK(pages_check(file, n_bytes, roots, 2) == PAGES_FINE);
    free(file);
}

static bool
make(uint32_t page_bytes, uint32_t usable, uint32_t most, int64_t n_rows)
{
    btree_pages pages;
    btree table, index;

    CHECK(btree_pages_init(&pages, page_bytes, usable, N_PAGES, most));
    btree_init(&table, &pages, true);
    btree_init(&index, &pages, false);
    bool is_made = fill(&table, &index, n_rows);
    const uint8_t *table_root = is_made ? btree_finish(&table) : NULL;
    const uint8_t *index_root = table_root != NULL ? btree_finish(&index) : NULL;
    if (index_root != NULL) {
        check_file(&pages, table_root, index_root);
    }
    CHECK(pages.next - 1 <= most);
    btree_clear(&table);
    btree_clear(&index);
    btree_pages_clear(&pages);
    return index_root != NULL;
}

static void
test_trees_of_all_sizes(void)
{
    static const uint32_t page_bytes[] = {512, 1024, 4096, 65536};

    for (size_t i = 0; i < sizeof(page_bytes) / sizeof(page_bytes[0]); i++) {
        for (int64_t n = 0; n < 200; n++) {
            CHECK(make(page_bytes[i], page_bytes[i] - (uint32_t)(n % 30), UINT32_MAX, n));
        }
        for (int64_t n = 200; n < 60000; n = n * 5 / 3) {
            CHECK(make(page_bytes[i], page_bytes[i], UINT32_MAX, n));
        }
    }
}

static void
test_no_more_pages(void)
{
    for (uint32_t most = 4; most < 60; most++) {
        CHECK(!make(512, 512, most, 2000));
    }
}

static void
test_pages_that_sqlite_has_not(void)
{
    btree_pages pages;

    CHECK(!btree_pages_init(&pages, 256, 256, 3, 10));
    CHECK(!btree_pages_init(&pages, 1000, 1000, 3, 10));
    CHECK(!btree_pages_init(&pages, 131072, 65536, 3, 10));
    CHECK(!btree_pages_init(&pages, 512, 479, 3, 10));
    CHECK(!btree_pages_init(&pages, 512, 513, 3, 10));
    CHECK(!btree_pages_init(&pages, 512, 512, 10, 10));
}

static const test TESTS[] = {
    TEST(test_trees_of_all_sizes),
    TEST(test_no_more_pages),
    TEST(test_pages_that_sqlite_has_not),
};

int
main(void)
{
    return RUN(TESTS);
}

/* Files of a few pages, made by hand: tests/test_pages.py has real ones. */
#include <string.h>

#include "check.h"
#include "pages.h"
#include "pages_follow.h"

enum { PAGE = 512, MOST_PAGES = 12 };
enum { INDEX_INTERIOR = 2, TABLE_INTERIOR = 5, INDEX_LEAF = 10, TABLE_LEAF = 13 };

typedef struct {
    unsigned char bytes[MOST_PAGES * PAGE];
    uint32_t n_pages;
    size_t end[MOST_PAGES]; /* by page, from 0: where its last cell stands */
} image;

static void
put(unsigned char *at, uint64_t number, int n)
{
    for (int i = n - 1; i >= 0; i--, number >>= 8) {
        at[i] = (unsigned char)number;
    }
}

/* Page 1, with an empty tree as its own. */
static void
begin(image *it)
{
    memset(it, 0, sizeof(*it));
    put(it->bytes + 16, PAGE, 2);
    it->bytes[100] = TABLE_LEAF;
    it->n_pages = 1;
    it->end[0] = PAGE;
}

static unsigned char *
page_of(image *it, uint32_t page)
{
    return it->bytes + (size_t)(page - 1) * PAGE;
}

static unsigned char *
header_of(image *it, uint32_t page)
{
    return page_of(it, page) + (page == 1 ? 100 : 0);
}

/* One more page; the last child of an interior one is `right`.  Returns its number. */
static uint32_t
add_page(image *it, int kind, uint32_t right)
{
    CHECK(it->n_pages < MOST_PAGES);
    it->end[it->n_pages++] = PAGE;
    header_of(it, it->n_pages)[0] = (unsigned char)kind;
    put(header_of(it, it->n_pages) + 8, right, 4);
    return it->n_pages;
}

/* A cell of these bytes, before the last one of its page. */
static void
add_cell(image *it, uint32_t page, const void *bytes, size_t n_bytes)
{
    unsigned char *const header = header_of(it, page);
    const uint32_t n_cells = (uint32_t)follow_number(header + 3, 2);
    const size_t first = header[0] == TABLE_INTERIOR || header[0] == INDEX_INTERIOR ? 12 : 8;

    it->end[page - 1] -= n_bytes;
    memcpy(page_of(it, page) + it->end[page - 1], bytes, n_bytes);
    put(header + first + (size_t)2 * n_cells, it->end[page - 1], 2);
    put(header + 3, n_cells + 1, 2);
}

/* A cell of a leaf with a payload of so many bytes, of which `n_here` stand in it, and then the page that it goes on at, unless 0. */
static void
add_payload(image *it, uint32_t page, uint32_t n_payload, size_t n_here, uint32_t overflow)
{
    unsigned char cell[PAGE];
    size_t n = 0;

    memset(cell, 'x', sizeof(cell));
    if (n_payload >= 128) {
        cell[n++] = (unsigned char)(n_payload >> 7 | 0x80);
    }
    cell[n++] = n_payload & 0x7F;
    if (header_of(it, page)[0] == TABLE_LEAF) {
        cell[n++] = 1; /* the row's number */
    }
    n += n_here;
    if (overflow != 0) {
        put(cell + n, overflow, 4);
        n += 4;
    }
    add_cell(it, page, cell, n);
}

static void
add_child(image *it, uint32_t page, uint32_t child)
{
    unsigned char cell[5] = {0, 0, 0, 0, 1};
    put(cell, child, 4);
    add_cell(it, page, cell, sizeof(cell));
}

static bool
is_fine_with(const image *it, const uint32_t *roots, size_t n_roots)
{
    const size_t n_bytes = (size_t)it->n_pages * PAGE;
    unsigned char *const exact = malloc(n_bytes); /* so that a byte too far is seen */
    CHECK(exact != NULL);
    memcpy(exact, it->bytes, n_bytes);
    const pages_status status = pages_check(exact, n_bytes, roots, n_roots);
    CHECK(status == PAGES_FINE || status == PAGES_MALFORMED);
    CHECK(status == PAGES_MALFORMED || follow_all(exact, n_bytes, roots, n_roots));
    free(exact);
    return status == PAGES_FINE;
}

/* With page 1 and page 2, if there is one, as roots. */
static bool
is_fine(const image *it)
{
    return is_fine_with(it, (uint32_t[]){1, 2}, it->n_pages > 1 ? 2 : 1);
}

static void
test_headers(void)
{
    static const uint16_t WRONG[] = {0, 2, 256, 511, 513, 1536, 1024 | 1, UINT16_MAX};
    image it;

    begin(&it);
    CHECK(is_fine(&it));
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        put(it.bytes + 16, WRONG[i], 2);
        CHECK(!is_fine(&it));
    }
    for (uint32_t stated = 1024; stated < 65536; stated *= 2) { /* larger than the file */
        put(it.bytes + 16, stated, 2);
        CHECK(!is_fine(&it));
    }
    put(it.bytes + 16, 1, 2);
    CHECK(!is_fine(&it));
    put(it.bytes + 16, PAGE, 2);
    for (int reserved = 0; reserved < 256; reserved++) {
        it.bytes[20] = (unsigned char)reserved;
        CHECK(is_fine(&it) == (PAGE - reserved >= 480));
    }
    for (size_t n_bytes = 0; n_bytes < PAGE; n_bytes++) {
        CHECK(pages_check(it.bytes, n_bytes, (uint32_t[]){1}, 1) == PAGES_MALFORMED);
    }
}

static void
test_pages_of_65536_bytes(void)
{
    static unsigned char file[2 * 65536];

    put(file + 16, 1, 2);
    file[100] = TABLE_LEAF;
    file[65536] = INDEX_LEAF;
    CHECK(pages_check(file, sizeof(file), (uint32_t[]){1, 2}, 2) == PAGES_FINE);
    CHECK(pages_check(file, sizeof(file) - 1, (uint32_t[]){1, 2}, 2) == PAGES_MALFORMED);
    put(file + 65536 + 3, UINT16_MAX, 2); /* cells */
    CHECK(pages_check(file, sizeof(file), (uint32_t[]){1, 2}, 2) == PAGES_MALFORMED);
    put(file + 65536 + 3, 1, 2);
    put(file + 65536 + 8, 65535, 2);
    CHECK(pages_check(file, sizeof(file), (uint32_t[]){1, 2}, 2) == PAGES_FINE);
    file[2 * 65536 - 1] = 1; /* a byte of payload, past the end */
    CHECK(pages_check(file, sizeof(file), (uint32_t[]){1, 2}, 2) == PAGES_MALFORMED);
}

static void
test_kinds(void)
{
    for (int kind = 0; kind < 256; kind++) {
        image it;
        begin(&it);
        add_page(&it, kind, 3);
        add_page(&it, INDEX_LEAF, 0);
        CHECK(is_fine(&it)
              == (kind == TABLE_LEAF || kind == INDEX_LEAF || kind == TABLE_INTERIOR || kind == INDEX_INTERIOR));
    }
}

static void
test_roots(void)
{
    static const uint32_t WRONG[][2] = {{1, 1}, {2, 2}, {1, 0}, {1, 3}, {UINT32_MAX, 1}};
    image it;

    begin(&it);
    add_page(&it, TABLE_LEAF, 0);
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        CHECK(!is_fine_with(&it, WRONG[i], 2));
    }
    CHECK(is_fine_with(&it, (uint32_t[]){2, 1}, 2));
    CHECK(is_fine_with(&it, NULL, 0));
}

static void
test_children(void)
{
    static const uint32_t WRONG[] = {0, 1, 2, 3, 5, UINT32_MAX}; /* 1: another root; 2: itself; 3: the last child */

    for (size_t i = 0; i <= sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        for (int kind = TABLE_INTERIOR; kind >= INDEX_INTERIOR; kind -= TABLE_INTERIOR - INDEX_INTERIOR) {
            const bool is_wrong = i < sizeof(WRONG) / sizeof(WRONG[0]);
            image it;
            begin(&it);
            const uint32_t root = add_page(&it, kind, 3);
            add_page(&it, TABLE_LEAF, 0);
            add_page(&it, TABLE_LEAF, 0);
            if (kind == TABLE_INTERIOR) {
                add_child(&it, root, is_wrong ? WRONG[i] : 4);
            }
            else {
                const unsigned char child = is_wrong ? (unsigned char)WRONG[i] : 4;
                add_cell(&it, root, (unsigned char[]){0, 0, 0, child, 1, 'x'}, 6);
            }
            CHECK(is_fine(&it) == !is_wrong);
        }
    }
}

static void
test_cells_fill_a_page_and_no_more(void)
{
    image it;

    begin(&it);
    const uint32_t page = add_page(&it, INDEX_LEAF, 0);
    const size_t n_cells = (PAGE - 8) / 12;
    for (size_t i = 0; i < n_cells; i++) {
        add_payload(&it, page, 9, 9, 0); /* 10 bytes, and 2 that lead to them */
    }
    CHECK(is_fine(&it));
    for (uint32_t i = 0; i < n_cells; i++) { /* the first one larger by what is left, or by a byte more */
        image other = it;
        unsigned char *const cell = page_of(&other, page) + follow_number(page_of(&other, page) + 8 + (size_t)2 * i, 2);
        cell[0] = (unsigned char)(9 + (i == 0 ? 0 : (PAGE - 8) % 12));
        CHECK(is_fine(&other));
        cell[0] = (unsigned char)(9 + (PAGE - 8) % 12 + 1);
        CHECK(!is_fine(&other));
    }
    put(page_of(&it, page) + 3, n_cells + 1, 2); /* one more pointer would stand where a cell does */
    CHECK(!is_fine(&it));
    put(page_of(&it, page) + 3, UINT16_MAX, 2);
    CHECK(!is_fine(&it));
}

static void
test_where_a_cell_may_stand(void)
{
    for (uint32_t place = 0; place <= UINT16_MAX; place++) {
        image it;
        begin(&it);
        const uint32_t page = add_page(&it, INDEX_LEAF, 0);
        put(page_of(&it, page) + 3, 1, 2);
        put(page_of(&it, page) + 8, place, 2);
        CHECK(is_fine(&it) == (place >= 10 && place < PAGE));
    }
}

/* A payload of so many bytes in a leaf of this kind, with this many overflow pages to it.  `last` is the number that the last of them
 * holds, of which SQLite takes no notice. */
static bool
is_chain_fine(int kind, uint32_t n_payload, size_t n_here, uint32_t n_pages, uint32_t last)
{
    image it;

    begin(&it);
    const uint32_t page = add_page(&it, kind, 0);
    add_payload(&it, page, n_payload, n_here, n_pages > 0 ? 3 : 0);
    for (uint32_t i = 0; i < n_pages; i++) {
        const uint32_t overflow = add_page(&it, 0, 0);
        put(page_of(&it, overflow), i + 1 < n_pages ? overflow + 1 : last, 4);
    }
    return is_fine(&it);
}

static void
test_overflow_begins_where_the_format_says(void)
{
    CHECK(is_chain_fine(TABLE_LEAF, 477, 477, 0, 0)); /* the most that stands in a cell: 512 - 35 */
    CHECK(is_chain_fine(TABLE_LEAF, 478, 39, 1, 0));  /* the least: (512 - 12) * 32 / 255 - 23, and 439 elsewhere */
    CHECK(!is_chain_fine(TABLE_LEAF, 478, 477, 0, 0));
    CHECK(is_chain_fine(INDEX_LEAF, 102, 102, 0, 0)); /* (512 - 12) * 64 / 255 - 23 */
    CHECK(is_chain_fine(INDEX_LEAF, 103, 39, 1, 0));
    CHECK(!is_chain_fine(INDEX_LEAF, 103, 103, 0, 0));
    CHECK(is_chain_fine(INDEX_LEAF, 39 + 508 + 63, 39 + 63, 1,
                        0)); /* what is over a page stands in the cell, if it fits */
    CHECK(is_chain_fine(INDEX_LEAF, 39 + 508 + 64, 39, 2, 0));
}

static void
test_chains_are_as_long_as_their_payload(void)
{
    for (uint32_t n = 1; n <= 5; n++) {
        CHECK(is_chain_fine(TABLE_LEAF, 39 + n * 508, 39, n, 0));
        CHECK(is_chain_fine(TABLE_LEAF, 39 + n * 508, 39, n, UINT32_MAX));
        for (uint32_t last = 0; last <= n + 3;
             last++) { /* none, a root, the leaf, each page of the chain, one past the file */
            CHECK(!is_chain_fine(TABLE_LEAF, 39 + (n + 1) * 508, 39, n, last));
        }
    }
}

static void
test_two_cells_of_one_chain(void)
{
    image it;

    begin(&it);
    const uint32_t page = add_page(&it, TABLE_LEAF, 0);
    add_payload(&it, page, 39 + 508, 39, 3);
    add_page(&it, 0, 0);
    CHECK(is_fine(&it));
    add_payload(&it, page, 39 + 508, 39, 3);
    CHECK(!is_fine(&it));
}

static void
test_sizes_of_nine_bytes(void)
{
    static const unsigned char HUGE_CELL[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                              0xFF, 0xFF, 'x',  'x',  'x',  'x',  'x'};
    static const unsigned char SMALL_CELL[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2, 'x', 'x'};
    image it;

    begin(&it);
    add_page(&it, INDEX_LEAF, 0);
    add_cell(&it, 2, SMALL_CELL, sizeof(SMALL_CELL));
    CHECK(is_fine(&it));
    unsigned char cell[9 + 1 + 128] = {0x80, 0x80, 0x80, 0x80, 0x80,
                                       0x80, 0x80, 0x80, 0x80, 1}; /* the ninth has all its bits */
    begin(&it);
    add_page(&it, TABLE_LEAF, 0);
    add_cell(&it, 2, cell, sizeof(cell));
    CHECK(is_fine(&it));
    for (size_t n = 1; n <= sizeof(HUGE_CELL); n++) { /* the page ends within it, or right behind */
        begin(&it);
        add_page(&it, INDEX_LEAF, 0);
        add_cell(&it, 2, HUGE_CELL, n);
        CHECK(!is_fine(&it));
    }
}

/* What is fine is no more than the file has, whatever stands in it: is_fine() follows it. */
static void
test_changed_bytes(void)
{
    uint64_t state = 1;
    size_t n_fine = 0;
    image whole;

    begin(&whole);
    const uint32_t root = add_page(&whole, TABLE_INTERIOR, 3);
    add_page(&whole, TABLE_LEAF, 0);
    add_page(&whole, TABLE_LEAF, 0);
    add_page(&whole, 0, 0);
    add_page(&whole, 0, 0);
    put(page_of(&whole, 5), 6, 4);
    add_child(&whole, root, 4);
    add_payload(&whole, 3, 39 + 2 * 508, 39, 5);
    for (uint32_t i = 0; i < 20; i++) {
        add_payload(&whole, 4, i, i, 0);
    }
    CHECK(is_fine(&whole));
    for (int i = 0; i < 200000; i++) {
        image it = whole;
        for (uint64_t n = next_random(&state) % 3; n < 3; n++) {
            const uint64_t page = next_random(&state) % it.n_pages, in_header = next_random(&state) % 2;
            it.bytes[page * PAGE + next_random(&state) % (in_header ? 60 : PAGE)] =
                (unsigned char)(next_random(&state) % 16);
        }
        n_fine += is_fine(&it);
    }
    CHECK(n_fine > 10000 && n_fine < 190000);
}

static const test TESTS[] = {
    TEST(test_headers),
    TEST(test_pages_of_65536_bytes),
    TEST(test_kinds),
    TEST(test_roots),
    TEST(test_children),
    TEST(test_cells_fill_a_page_and_no_more),
    TEST(test_where_a_cell_may_stand),
    TEST(test_overflow_begins_where_the_format_says),
    TEST(test_chains_are_as_long_as_their_payload),
    TEST(test_two_cells_of_one_chain),
    TEST(test_sizes_of_nine_bytes),
    TEST(test_changed_bytes),
};

int
main(void)
{
    return RUN(TESTS);
}

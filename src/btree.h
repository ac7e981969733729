/* btree: the pages of an SQLite table, or of an index, whose rows come in order.
 *
 * SQLite takes thousands of instructions to find a row's place in both, to see that it is a new one and to move the others of its page.
 * Rows that come in order need none of that: a page is filled from its end, and once it is full the one above hears of it.
 *
 * Plain C, no Python; tests/c/test_btree.c has pages_check() and more look at what comes out.
 */
#ifndef COVCORE_BTREE_H
#define COVCORE_BTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BTREE_LEAST_PAGE = 512,
    BTREE_LARGEST_PAGE = 65536,
    BTREE_LEAST_USABLE = 480, /* bytes of a page */
    BTREE_LARGEST_ROW = 64,   /* bytes: less than any page keeps by itself */
    BTREE_MOST_LEVELS =
        20,   /* what SQLite reads; half a page's cells to the power of it are more than a file can hold */
};

/* Pages one after another, to be appended to a file. */
typedef struct {
    uint8_t *bytes;
    size_t n_bytes, room;
    uint32_t page_bytes, usable; /* what is not usable at a page's end stays zero */
    uint32_t next;               /* the number of the next page, from 1 */
    uint32_t most;               /* no page has a larger one */
} btree_pages;

/* A page that is being filled, from its end. */
typedef struct {
    uint8_t *page;
    size_t n_cells;
    size_t at;   /* where the last cell begins */
    size_t last; /* bytes of that cell */
} btree_level;

typedef struct {
    btree_pages *pages;
    bool is_table;
    size_t n_levels;
    btree_level levels[BTREE_MOST_LEVELS]; /* from the leaves up */
    uint64_t rowid;                        /* the last */
} btree;

/* Begin with a file of so many pages, which is to have at most so many.  Returns whether SQLite has such pages. */
bool btree_pages_init(btree_pages *pages, uint32_t page_bytes, uint32_t usable, uint32_t n_pages, uint32_t most);
void btree_pages_clear(btree_pages *pages);

void btree_init(btree *tree, btree_pages *pages, bool is_table);

/* Add a row with the next rowid, from 1 on, in a table; in an index the row, which is more than the one before, ends with it.
 * Returns false if there is no memory, or too many pages. */
bool btree_add(btree *tree, const int64_t *values, size_t n_values);

/* Give what is to be the root's page, which the file has already, for as long as the tree is not cleared; NULL: as btree_add(). */
const uint8_t *btree_finish(btree *tree);
void btree_clear(btree *tree);

#endif

/* btree: see btree.h.  The format: https://www.sqlite.org/fileformat2.html */
#include "btree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_INTERIOR = 2, TABLE_INTERIOR = 5, INDEX_LEAF = 10, TABLE_LEAF = 13 };
enum { LEAF_HEADER = 8, INTERIOR_HEADER = 12, CHILD = 4, POINTER = 2, LONGEST_VARINT = 9 };

/* ---- numbers ---- */

static void
put_2(uint8_t *at, size_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

static void
put_4(uint8_t *at, uint32_t number)
{
    put_2(at, number >> 16);
    put_2(at + 2, number & 0xFFFF);
}

/* Seven bits a byte, the high ones first; rowids and sizes are far from the 57 bits at which the format changes. */
static size_t
put_varint(uint8_t *at, uint64_t number)
{
    size_t n = 1;

    assert(number >> 56 == 0);
    while (number >> (7 * n)) {
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        at[i] = (uint8_t)((number >> (7 * (n - 1 - i)) & 0x7F) | (i + 1 < n ? 0x80 : 0));
    }
    return n;
}

/* By its type in a row: bytes of an integer. */
static const uint8_t bytes_of_type[] = {0, 1, 2, 3, 4, 6, 8};

static uint8_t
type_of(int64_t value)
{
    uint8_t type = 1;

    while (type < 6) {
        const int64_t half = INT64_C(1) << (8 * bytes_of_type[type] - 1);
        if (-half <= value && value < half) {
            break;
        }
        type++;
    }
    return type;
}

/* Writes a row: how long its header is, the type of each value, the values.  Returns its bytes. */
static size_t
put_row(uint8_t *at, const int64_t *values, size_t n_values)
{
    size_t n = 1 + n_values;

    at[0] = (uint8_t)n;
    for (size_t i = 0; i < n_values; i++) {
        const uint8_t type = at[1 + i] = type_of(values[i]);
        for (size_t left = bytes_of_type[type]; left-- > 0;) {
            at[n++] = (uint8_t)((uint64_t)values[i] >> (8 * left));
        }
    }
    return n;
}

/* ---- pages ---- */

bool
btree_pages_init(btree_pages *pages, uint32_t page_bytes, uint32_t usable, uint32_t n_pages, uint32_t most)
{
    const bool is_power = (page_bytes & (page_bytes - 1)) == 0;

    *pages = (btree_pages){.page_bytes = page_bytes, .usable = usable, .next = n_pages + 1, .most = most};
    return is_power && page_bytes >= BTREE_LEAST_PAGE && page_bytes <= BTREE_LARGEST_PAGE
           && usable >= BTREE_LEAST_USABLE && usable <= page_bytes && n_pages < most;
}

void
btree_pages_clear(btree_pages *pages)
{
    free(pages->bytes);
    pages->bytes = NULL;
}

/* Returns the number that the page has now; 0: there is no room. */
static uint32_t
append_page(btree_pages *pages, const uint8_t *page)
{
    if (pages->next > pages->most) {
        return 0;
    }
    if (pages->n_bytes == pages->room) {
        const size_t room = pages->room == 0 ? (size_t)16 * pages->page_bytes : 2 * pages->room;
        uint8_t *bytes = realloc(pages->bytes, room);
        if (bytes == NULL) {
            return 0;
        }
        pages->bytes = bytes;
        pages->room = room;
    }
    memcpy(pages->bytes + pages->n_bytes, page, pages->page_bytes);
    pages->n_bytes += pages->page_bytes;
    return pages->next++;
}

/* ---- trees ---- */

void
btree_init(btree *tree, btree_pages *pages, bool is_table)
{
    *tree = (btree){.pages = pages, .is_table = is_table};
}

void
btree_clear(btree *tree)
{
    for (size_t i = 0; i < tree->n_levels; i++) {
        free(tree->levels[i].page);
    }
    tree->n_levels = 0;
}

static size_t
header_of(size_t depth)
{
    return depth == 0 ? LEAF_HEADER : INTERIOR_HEADER;
}

static void
begin_page(const btree *tree, btree_level *level)
{
    memset(level->page, 0, tree->pages->page_bytes);
    level->n_cells = 0;
    level->at = tree->pages->usable;
}

static bool
add_level(btree *tree)
{
    if (tree->n_levels == BTREE_MOST_LEVELS) {
        return false;
    }
    btree_level *level = &tree->levels[tree->n_levels];
    level->page = malloc(tree->pages->page_bytes);
    if (level->page == NULL) {
        return false;
    }
    tree->n_levels++;
    begin_page(tree, level);
    return true;
}

/* What begins a page, where its cells are known.  (The last child, of a page with children, is there already.) */
static void
put_header(const btree *tree, size_t depth)
{
    const btree_level *level = &tree->levels[depth];

    if (tree->is_table) {
        level->page[0] = depth == 0 ? TABLE_LEAF : TABLE_INTERIOR;
    }
    else {
        level->page[0] = depth == 0 ? INDEX_LEAF : INDEX_INTERIOR;
    }
    put_2(level->page + 3, level->n_cells);
    put_2(level->page + 5, level->at); /* 65536 is written as 0 */
}

static bool add_cell(btree *tree, size_t depth, uint32_t child, const uint8_t *content, size_t n_content);

/* Ends the page of a level that is full: what parts it from the next one goes up.  In a table's leaf that is the last rowid, anywhere
 * else the last cell itself, whose child is the page's last. */
static bool
end_page(btree *tree, size_t depth)
{
    btree_level *level = &tree->levels[depth];
    uint8_t content[BTREE_LARGEST_ROW + LONGEST_VARINT];
    size_t n_content;

    if (depth == 0 && tree->is_table) {
        n_content = put_varint(content, tree->rowid);
    }
    else {
        uint8_t *cell = level->page + level->at;
        const size_t n_child = depth == 0 ? 0 : CHILD;
        n_content = level->last - n_child;
        memcpy(content, cell + n_child, n_content);
        if (depth > 0) {
            memcpy(level->page + LEAF_HEADER, cell, CHILD);
        }
        memset(cell, 0, level->last);
        level->at += level->last;
        level->n_cells--;
        memset(level->page + header_of(depth) + POINTER * level->n_cells, 0, POINTER);
    }
    put_header(tree, depth);
    const uint32_t page = append_page(tree->pages, level->page);
    if (page == 0 || !add_cell(tree, depth + 1, page, content, n_content)) {
        return false;
    }
    begin_page(tree, level);
    return true;
}

/* child: the page of what comes before the cell; in leaves nothing */
static bool
add_cell(btree *tree, size_t depth, uint32_t child, const uint8_t *content, size_t n_content)
{
    const size_t n_child = depth == 0 ? 0 : CHILD;
    const size_t n_cell = n_child + n_content;

    if (depth == tree->n_levels && !add_level(tree)) {
        return false;
    }
    btree_level *level = &tree->levels[depth];
    if (header_of(depth) + POINTER * (level->n_cells + 1) + n_cell > level->at && !end_page(tree, depth)) {
        return false;
    }
    level->at -= n_cell;
    level->last = n_cell;
    if (depth > 0) {
        put_4(level->page + level->at, child);
    }
    memcpy(level->page + level->at + n_child, content, n_content);
    put_2(level->page + header_of(depth) + POINTER * level->n_cells, level->at);
    level->n_cells++;
    return true;
}

bool
btree_add(btree *tree, const int64_t *values, size_t n_values)
{
    uint8_t row[BTREE_LARGEST_ROW], cell[BTREE_LARGEST_ROW + LONGEST_VARINT];
    const size_t n_row = put_row(row, values, n_values);
    size_t n = put_varint(cell, n_row);

    assert(n_row <= BTREE_LARGEST_ROW - 1);
    if (tree->is_table) {
        n += put_varint(cell + n, tree->rowid + 1);
    }
    memcpy(cell + n, row, n_row);
    if (!add_cell(tree, 0, 0, cell, n + n_row)) {
        return false;
    }
    tree->rowid++;
    return true;
}

const uint8_t *
btree_finish(btree *tree)
{
    if (tree->n_levels == 0 && !add_level(tree)) {
        return NULL;
    }
    for (size_t depth = 0;; depth++) {
        put_header(tree, depth);
        if (depth + 1 == tree->n_levels) {
            return tree->levels[depth].page;
        }
        const uint32_t page = append_page(tree->pages, tree->levels[depth].page);
        if (page == 0) {
            return NULL;
        }
        put_4(tree->levels[depth + 1].page + LEAF_HEADER, page); /* its last child */
    }
}

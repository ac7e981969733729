/* pages: see pages.h.  The format: https://www.sqlite.org/fileformat2.html */
#include "pages.h"

#include <stdbool.h>
#include <stdlib.h>

enum { HEADER = 100, INDEX_INTERIOR = 2, TABLE_INTERIOR = 5, INDEX_LEAF = 10, TABLE_LEAF = 13 };
enum { LEAST_PAGE = 512, LARGEST_PAGE = 65536, LEAST_USABLE = 480 };

typedef struct {
    const unsigned char *file;
    uint32_t page_bytes;
    uint32_t usable; /* bytes of each page */
    uint32_t n_pages;
    bool *used;        /* by page, from 0 */
    uint32_t *waiting; /* pages to be looked at; none comes twice, so that n_pages are room enough */
    uint32_t n_waiting;
} walk;

/* What stands in a cell, in order, and where reading it has to stop. */
typedef struct {
    const unsigned char *at, *end;
} reader;

static uint32_t
number_of_2(const unsigned char *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t
number_of_4(const unsigned char *at)
{
    return number_of_2(at) << 16 | number_of_2(at + 2);
}

/* Reads a number of one to nine bytes.  Returns whether it is there. */
static bool
take_varint(reader *r, uint64_t *number)
{
    *number = 0;
    for (int i = 0; i < 9 && r->at < r->end; i++) {
        const unsigned char byte = *r->at++;
        if (i == 8) {
            *number = *number << 8 | byte;
            return true;
        }
        *number = *number << 7 | (byte & 0x7F);
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool
take_4(reader *r, uint32_t *number)
{
    if (r->end - r->at < 4) {
        return false;
    }
    *number = number_of_4(r->at);
    r->at += 4;
    return true;
}

/* The bytes of a page, from 1; NULL: there is none, or it is used already. */
static const unsigned char *
use(walk *w, uint32_t page)
{
    if (page == 0 || page > w->n_pages || w->used[page - 1]) {
        return NULL;
    }
    w->used[page - 1] = true;
    return w->file + (size_t)(page - 1) * w->page_bytes;
}

static bool
wait_for(walk *w, uint32_t page)
{
    if (use(w, page) == NULL) {
        return false;
    }
    w->waiting[w->n_waiting++] = page;
    return true;
}

/* How many bytes of a payload stand in the cell itself. */
static uint32_t
local_bytes(const walk *w, uint64_t payload, int kind)
{
    const uint32_t most = kind == TABLE_LEAF ? w->usable - 35 : (w->usable - 12) * 64 / 255 - 23;
    const uint32_t least = (w->usable - 12) * 32 / 255 - 23;

    if (payload <= most) {
        return (uint32_t)payload;
    }
    const uint32_t local = least + (uint32_t)((payload - least) % (w->usable - 4));
    return local <= most ? local : least;
}

/* Reads what a cell holds, and uses the overflow pages of that. */
static bool
take_payload(walk *w, reader *r, uint64_t payload, int kind)
{
    const uint32_t local = local_bytes(w, payload, kind);
    if ((uint32_t)(r->end - r->at) < local) {
        return false;
    }
    r->at += local;
    uint64_t left = payload - local;
    if (left == 0) {
        return true;
    }
    uint32_t page;
    if (!take_4(r, &page)) {
        return false;
    }
    for (;;) {
        const unsigned char *overflow = use(w, page);
        if (overflow == NULL) {
            return false;
        }
        if (left <= w->usable - 4) {
            return true;
        }
        left -= w->usable - 4;
        page = number_of_4(overflow);
    }
}

static bool
take_cell(walk *w, reader *r, int kind)
{
    uint32_t child;
    uint64_t payload, rowid;

    if (kind == TABLE_INTERIOR || kind == INDEX_INTERIOR) {
        if (!take_4(r, &child) || !wait_for(w, child)) {
            return false;
        }
    }
    if (kind == TABLE_INTERIOR) {
        return take_varint(r, &rowid);
    }
    if (!take_varint(r, &payload) || (kind == TABLE_LEAF && !take_varint(r, &rowid))) {
        return false;
    }
    return take_payload(w, r, payload, kind);
}

/* Whether a page that is a b-tree's holds no more than fits; its children wait then. */
static bool
check_page(walk *w, uint32_t page)
{
    const unsigned char *const start = w->file + (size_t)(page - 1) * w->page_bytes;
    const unsigned char *const end = start + w->usable;
    const unsigned char *const header = start + (page == 1 ? HEADER : 0);
    const int kind = header[0];
    const bool is_interior = kind == TABLE_INTERIOR || kind == INDEX_INTERIOR;

    if (!is_interior && kind != TABLE_LEAF && kind != INDEX_LEAF) {
        return false;
    }
    const unsigned char *const pointers = header + (is_interior ? 12 : 8);
    const uint32_t n_cells = number_of_2(header + 3);
    if (2 * n_cells > (uint32_t)(end - pointers)) {
        return false;
    }
    const unsigned char *const cells = pointers + (size_t)2 * n_cells;
    size_t room = (size_t)(end - cells);
    for (uint32_t i = 0; i < n_cells; i++) {
        const uint32_t place = number_of_2(pointers + (size_t)2 * i);
        if (place < (uint32_t)(cells - start) || place >= w->usable) {
            return false;
        }
        reader r = {start + place, end};
        if (!take_cell(w, &r, kind) || (size_t)(r.at - start) - place > room) {
            return false;
        }
        room -= (size_t)(r.at - start) - place;
    }
    return !is_interior || wait_for(w, number_of_4(header + 8));
}

pages_status
pages_check(const unsigned char *file, size_t n_bytes, const uint32_t *roots, size_t n_roots)
{
    if (n_bytes < LEAST_PAGE) {
        return PAGES_MALFORMED;
    }
    const uint32_t stated = number_of_2(file + 16);
    walk w = {.file = file, .page_bytes = stated == 1 ? LARGEST_PAGE : stated};
    if (w.page_bytes < LEAST_PAGE || (w.page_bytes & (w.page_bytes - 1)) != 0 || w.page_bytes - file[20] < LEAST_USABLE ||
        n_bytes / w.page_bytes > UINT32_MAX) {
        return PAGES_MALFORMED;
    }
    w.usable = w.page_bytes - file[20];
    w.n_pages = (uint32_t)(n_bytes / w.page_bytes);
    w.used = calloc((size_t)w.n_pages + 1, sizeof(*w.used));
    w.waiting = malloc(((size_t)w.n_pages + 1) * sizeof(*w.waiting));
    if (w.used == NULL || w.waiting == NULL) {
        free(w.used);
        free(w.waiting);
        return PAGES_NO_MEMORY;
    }
    bool fine = true;
    for (size_t i = 0; i < n_roots && fine; i++) {
        fine = wait_for(&w, roots[i]);
    }
    while (fine && w.n_waiting > 0) {
        fine = check_page(&w, w.waiting[--w.n_waiting]);
    }
    free(w.used);
    free(w.waiting);
    return fine ? PAGES_FINE : PAGES_MALFORMED;
}

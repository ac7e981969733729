/* pages_follow: what SQLite would read of a file whose b-trees have these roots: every page that another names, as often as it is
 * named.  pages_check() promises that this is no more than the file has; here it is counted, by other means than there. */
#ifndef COVCORE_PAGES_FOLLOW_H
#define COVCORE_PAGES_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const unsigned char *file;
    size_t page_bytes, usable, n_pages;
    size_t pages_left; /* to be read; less than none: too many have been */
    bool went_wrong; /* it has read what is not there, or more than there is */
} follower;

static inline uint64_t
follow_number(const unsigned char *at, int n)
{
    uint64_t number = 0;
    for (int i = 0; i < n; i++) {
        number = number * 256 + at[i];
    }
    return number;
}

/* A page, from 1, or NULL. */
static inline const unsigned char *
follow_page(follower *f, uint64_t page)
{
    if (page < 1 || page > f->n_pages || f->pages_left == 0) {
        f->went_wrong = true;
        return NULL;
    }
    f->pages_left--;
    return f->file + (page - 1) * f->page_bytes;
}

/* The number at a place of a page; the place moves on. */
static inline uint64_t
follow_varint(follower *f, const unsigned char *page, size_t *place)
{
    uint64_t number = 0;
    for (int n = 1; *place < f->usable; n++) {
        const unsigned byte = page[(*place)++];
        if (n == 9) {
            return number * 256 + byte;
        }
        number = number * 128 + byte % 128;
        if (byte < 128) {
            return number;
        }
    }
    f->went_wrong = true;
    return 0;
}

/* How many bytes of a value of so many stand in the cell: the file format's P, U, X, M and K. */
static inline uint64_t
follow_local(uint64_t p, uint64_t u, bool is_table)
{
    const uint64_t x = is_table ? u - 35 : (u - 12) * 64 / 255 - 23, m = (u - 12) * 32 / 255 - 23;
    if (p <= x) {
        return p;
    }
    const uint64_t k = m + (p - m) % (u - 4);
    return k <= x ? k : m;
}

static inline void
follow_value(follower *f, const unsigned char *page, size_t *place, uint64_t n_bytes, bool is_table)
{
    const uint64_t local = follow_local(n_bytes, f->usable, is_table);
    const bool goes_on = local < n_bytes;
    if (*place + local + (goes_on ? 4 : 0) > f->usable) {
        f->went_wrong = true;
        return;
    }
    *place += (size_t)local;
    if (!goes_on) {
        return;
    }
    uint64_t next = follow_number(page + *place, 4), left = n_bytes - local;
    *place += 4;
    while (left > 0 && !f->went_wrong) {
        const unsigned char *const overflow = follow_page(f, next);
        if (overflow != NULL) {
            next = follow_number(overflow, 4);
            left -= left < f->usable - 4 ? left : f->usable - 4;
        }
    }
}

static inline void
follow_tree(follower *f, uint64_t number)
{
    const unsigned char *const page = follow_page(f, number);
    if (page == NULL) {
        return;
    }
    const size_t header = number == 1 ? 100 : 0;
    const int kind = page[header];
    const bool is_table = kind == 5 || kind == 13, is_interior = kind == 2 || kind == 5;
    if (!is_table && kind != 2 && kind != 10) {
        f->went_wrong = true;
        return;
    }
    const size_t n_cells = (size_t)follow_number(page + header + 3, 2), first = header + (is_interior ? 12 : 8);
    size_t n_bytes = 0;
    for (size_t i = 0; i < n_cells && !f->went_wrong; i++) {
        if (first + 2 * i + 2 > f->usable) {
            f->went_wrong = true;
            return;
        }
        const size_t start = (size_t)follow_number(page + first + 2 * i, 2);
        size_t place = start;
        if (place + (is_interior ? 4 : 0) >= f->usable) {
            f->went_wrong = true;
            return;
        }
        if (is_interior) {
            follow_tree(f, follow_number(page + place, 4));
            place += 4;
        }
        const uint64_t n_value = kind == 5 ? 0 : follow_varint(f, page, &place);
        if (is_table) {
            (void)follow_varint(f, page, &place);
        }
        if (kind != 5 && !f->went_wrong) {
            follow_value(f, page, &place, n_value, is_table);
        }
        n_bytes += place - start;
    }
    if (first + 2 * n_cells + n_bytes > f->usable) {
        f->went_wrong = true;
    }
    if (is_interior && !f->went_wrong) {
        follow_tree(f, follow_number(page + header + 8, 4));
    }
}

/* Whether all that the roots lead to is there, and no more than the file has. */
static inline bool
follow_all(const unsigned char *file, size_t n_bytes, const uint32_t *roots, size_t n_roots)
{
    follower f = {.file = file};
    if (n_bytes < 512) {
        return false;
    }
    f.page_bytes = file[16] == 0 && file[17] == 1 ? 65536 : (size_t)follow_number(file + 16, 2);
    bool is_power = false;
    for (size_t size = 512; size <= 65536; size *= 2) {
        is_power = is_power || size == f.page_bytes;
    }
    if (!is_power || f.page_bytes < 480u + file[20]) {
        return false;
    }
    f.usable = f.page_bytes - file[20];
    f.n_pages = f.pages_left = n_bytes / f.page_bytes;
    for (size_t i = 0; i < n_roots && !f.went_wrong; i++) {
        follow_tree(&f, roots[i]);
    }
    return !f.went_wrong;
}

#endif

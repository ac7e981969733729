/* sound: what must hold of any shape, whatever it was made of.  For the C test and the fuzzer. */
#ifndef COVCORE_SOUND_H
#define COVCORE_SOUND_H

#include <string.h>

#include "check.h"
#include "sites.h"

static inline void
check_sites(const shape *s)
{
    for (uint32_t i = 0; i < s->n_sites; i++) {
        const site *it = &s->sites[i];
        CHECK(i == 0 || it[-1].source < it->source);
        CHECK(it->left_block < s->n_blocks && it->right_block < s->n_blocks);
        CHECK(it->kind <= SITE_FOR_WHOLE);
        CHECK(it->line >= 0 && it->end_line >= 0 && it->col >= -1 && it->end_col >= -1);
        CHECK(shape_site(s, it->source) == (int64_t)i);
        CHECK(shape_right_slot(s, it->source, it->right) == (int64_t)s->n_lines + 2 * i + 1);
    }
}

static inline void
check_blocks(const shape *s)
{
    uint64_t n_lines = 0;

    CHECK(s->n_blocks > 0);
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        const block *it = &s->blocks[i];
        CHECK(it->first_line_index == n_lines);
        n_lines += it->n_lines;
        CHECK(it->end <= END_RAISE);
        CHECK(it->target < (it->end == END_GOTO ? s->n_blocks : it->end == END_SITE ? s->n_sites : 1));
    }
    CHECK(n_lines == s->n_flow_lines);
    for (uint32_t i = 0; i < s->n_flow_lines; i++) {
        CHECK(shape_line_slot(s, s->flow_lines[i]) >= 0);
    }
}

static inline void
check_sound(const shape *s)
{
    for (uint32_t i = 0; i < s->n_lines; i++) {
        CHECK(s->lines[i] >= 0 && (i == 0 || s->lines[i - 1] < s->lines[i]));
        CHECK(shape_line_slot(s, s->lines[i]) == (int64_t)i);
    }
    for (uint32_t i = 0; i < s->n_starts; i++) {
        CHECK(i == 0 || s->starts[i - 1].offset < s->starts[i].offset);
        CHECK(s->starts[i].slot < s->n_lines);
        const uint32_t guesses[] = {0, i, i + 1, i / 2, s->n_starts, UINT32_MAX};
        for (size_t guess = 0; guess < sizeof(guesses) / sizeof(guesses[0]); guess++) {
            uint32_t next = guesses[guess];
            CHECK(shape_start_slot(s, s->starts[i].offset, &next) == (int64_t)s->starts[i].slot && next == i + 1);
        }
    }
    check_sites(s);
    check_blocks(s);
}

/* Whether two shapes are equal in all that is encoded. */
static inline void
check_equal(const shape *a, const shape *b)
{
    CHECK(a->n_lines == b->n_lines && a->n_sites == b->n_sites);
    CHECK(a->n_blocks == b->n_blocks && a->n_flow_lines == b->n_flow_lines);
    CHECK(memcmp(a->lines, b->lines, a->n_lines * sizeof(*a->lines)) == 0);
    CHECK(memcmp(a->flow_lines, b->flow_lines, a->n_flow_lines * sizeof(*a->flow_lines)) == 0);
    for (uint32_t i = 0; i < a->n_sites; i++) {
        const site *x = &a->sites[i], *y = &b->sites[i];
        CHECK(x->source == y->source && x->left == y->left && x->right == y->right && x->kind == y->kind);
        CHECK(x->left_block == y->left_block && x->right_block == y->right_block);
        CHECK(x->line == y->line && x->end_line == y->end_line && x->col == y->col && x->end_col == y->end_col);
    }
    for (uint32_t i = 0; i < a->n_blocks; i++) {
        const block *x = &a->blocks[i], *y = &b->blocks[i];
        CHECK(x->n_lines == y->n_lines && x->end == y->end && x->target == y->target);
    }
}

/* There and back.  Returns the bytes, to be freed. */
static inline uint8_t *
check_encoding(const shape *s, size_t *n_bytes)
{
    const char *reason = NULL;
    shape back;

    *n_bytes = shape_encode(s, NULL, 0);
    uint8_t *bytes = malloc(*n_bytes);
    CHECK(bytes != NULL);
    CHECK(shape_encode(s, bytes, *n_bytes) == *n_bytes);
    CHECK(shape_n_slots(bytes, *n_bytes) == (int64_t)s->n_lines + 2 * (int64_t)s->n_sites);
    CHECK(shape_decode(&back, bytes, *n_bytes, &reason) == 0);
    check_sound(&back);
    check_equal(s, &back);
    shape_free(&back);
    return bytes;
}

/* Bytes of any kind: either they are refused, or what they say is sound and has these very bytes. */
static inline void
check_decoding(const uint8_t *bytes, size_t n_bytes)
{
    const char *reason = NULL;
    shape s;

    if (shape_decode(&s, bytes, n_bytes, &reason) < 0) {
        CHECK(reason != NULL);
        CHECK(s.sites == NULL && s.n_lines == 0 && s.n_blocks == 0);
        (void)shape_n_slots(bytes, n_bytes);
        return;
    }
    check_sound(&s);
    size_t n_again;
    uint8_t *again = check_encoding(&s, &n_again);
    CHECK(n_again == n_bytes && memcmp(again, bytes, n_bytes) == 0);
    free(again);
    shape_free(&s);
}

#endif

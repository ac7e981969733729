/* proofs: see proofs.h. */
#include "proofs.h"

#include <stdlib.h>

#include "handlers.h"
#include "locations.h"
#include "opcodes.h"

void
proofs_mark_handlers(const shape_source *source, uint8_t *marks, uint32_t n_units)
{
    handled h = handler_table(source->handlers, source->n_handlers);

    while (handler_next(&h)) {
        if (h.handler < n_units) {
            marks[h.handler] |= OTHERWISE;
        }
    }
}

int64_t
proofs_end_send(const shape_source *source, uint32_t unit)
{
    handled h = handler_table(source->handlers, source->n_handlers);

    while (handler_next(&h)) {
        for (uint32_t at = h.begin; h.handler == unit && at < h.end && at < unit; at++) {
            if (source->code[2 * (size_t)at] == END_SEND) {
                return at;
            }
        }
    }
    return -1;
}

/* Before 3.14 an `async for` and a comprehension's look the same, but that the END_ASYNC_FOR of a comprehension has the
 * position of its END_SEND, and that of a statement its iterator's. */
void
proofs_tell_comprehensions(const shape_source *source, shape *s)
{
    for (uint32_t i = 0; i < s->n_sites; i++) {
        site *it = &s->sites[i];
        location l = location_table(source->linetable, source->n_linetable, source->first_line);
        uint64_t end = 0;
        while (it->kind == SITE_ASYNC_FOR && it->col >= 0 && end < it->right / 2 && location_next(&l) > 0) {
            end += l.n_units;
        }
        if (end >= it->right / 2 && end > 0 && l.line == it->line && l.end_line == it->end_line && l.col == it->col
            && l.end_col == it->end_col) {
            it->kind = SITE_ASYNC_COMPREHENSION;
        }
    }
}

static void
add_proof(shape *s, uint32_t unit, uint32_t index, uint32_t arm, uint8_t provable)
{
    s->proofs[s->n_proofs++] = (arm_proof){.offset = 2 * unit, .site = index, .arm = arm};
    s->sites[index].provable |= (uint8_t)(provable << arm);
}

static int
compare_proofs(const void *a, const void *b)
{
    const arm_proof *x = a, *y = b;
    const uint64_t p = (uint64_t)x->offset << 32 | x->site, q = (uint64_t)y->offset << 32 | y->site;
    return (p > q) - (p < q);
}

/* The arms that have an instruction of their own.  What ends an `async for` is its END_ASYNC_FOR, even if that goes on raising:
 * so does the event of 3.14 have it. */
static void
find_own(shape *s, const uint8_t *marks)
{
    for (uint32_t i = 0; i < s->n_sites; i++) {
        const uint32_t left = s->sites[i].left / 2, right = s->sites[i].right / 2;
        const uint8_t kind = s->sites[i].kind;
        const bool is_async = kind == SITE_ASYNC_FOR || kind == SITE_ASYNC_COMPREHENSION;
        if (is_async || !(marks[left] & (ENTERED | OTHERWISE))) {
            add_proof(s, left, i, 0, PROVED_ALONE);
        }
        if (is_async || !(marks[right] & (SHARED | OTHERWISE))) {
            add_proof(s, is_async ? right - 1 : right, i, 1, PROVED_ALONE);
        }
        s->has_eventless_arms = s->has_eventless_arms || is_async;
    }
}

/* The arms of tests to whose instruction nothing leads but arms of tests.  Between any other site and what comes after it there may be
 * code that runs: an iterator or an object goes. */
static void
find_joined(shape *s, uint8_t *marks)
{
    for (uint32_t i = 0; i < s->n_sites; i++) {
        if (!site_is_test(&s->sites[i])) {
            marks[s->sites[i].left / 2] |= OTHERWISE;
            marks[s->sites[i].right / 2] |= OTHERWISE;
        }
    }
    for (uint32_t i = 0; i < s->n_sites; i++) {
        const uint32_t units[] = {s->sites[i].left / 2, s->sites[i].right / 2};
        for (uint32_t arm = 0; arm < 2 && site_is_test(&s->sites[i]); arm++) {
            if (!(s->sites[i].provable & PROVED_ALONE << arm) && !(marks[units[arm]] & OTHERWISE)) {
                add_proof(s, units[arm], i, arm, PROVED_JOINED);
            }
        }
    }
}

void
proofs_find(shape *s, uint8_t *marks)
{
    find_own(s, marks);
    find_joined(s, marks);
    qsort(s->proofs, s->n_proofs, sizeof(*s->proofs), compare_proofs);
}

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
            marks[h.handler] |= HANDLER;
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
add_proof(shape *s, uint32_t unit, uint32_t index, uint32_t arm)
{
    s->proofs[s->n_proofs++] = (arm_proof){.offset = 2 * unit, .site = index, .arm = arm};
    s->sites[index].provable |= (uint8_t)(1U << arm);
}

static int
compare_proofs(const void *a, const void *b)
{
    const uint32_t x = ((const arm_proof *)a)->offset, y = ((const arm_proof *)b)->offset;
    return (x > y) - (x < y);
}

/* The arms that have an instruction of their own.  What ends an `async for` is its END_ASYNC_FOR, even if that goes on raising:
 * so does the event of 3.14 have it. */
void
proofs_find(shape *s, const uint8_t *marks)
{
    for (uint32_t i = 0; i < s->n_sites; i++) {
        const uint32_t left = s->sites[i].left / 2, right = s->sites[i].right / 2;
        const uint8_t kind = s->sites[i].kind;
        const bool is_async = kind == SITE_ASYNC_FOR || kind == SITE_ASYNC_COMPREHENSION;
        if (is_async || !(marks[left] & (ENTERED | HANDLER))) {
            add_proof(s, left, i, 0);
        }
        if (is_async || !(marks[right] & (SHARED | HANDLER))) {
            add_proof(s, is_async ? right - 1 : right, i, 1);
        }
        s->has_eventless_arms = s->has_eventless_arms || is_async;
    }
    qsort(s->proofs, s->n_proofs, sizeof(*s->proofs), compare_proofs);
}

#include "tally.h"

#include <stdlib.h>
#include <string.h>

#include "recording.h"  // NO_SLOT

/* The array, moved if need be, with room for one more item than n; NULL: no memory, and it is as it was. */
static void *
with_room(void *items, uint32_t *room, uint32_t n, size_t item_size)
{
    if (n < *room) {
        return items;
    }
    const uint32_t wanted = *room == 0 ? 64 : *room * 2;
    void *moved = wanted <= n ? NULL : realloc(items, wanted * item_size);  // NULL at 2^32 items, too
    if (moved != NULL) {
        *room = wanted;
    }
    return moved;
}

/* Makes room for one more item in an array of the tally, or has its function return -1. */
#define MAKE_ROOM(t, items)                                                                            \
    do {                                                                                               \
        void *moved = with_room((t)->items, &(t)->items##_room, (t)->n_##items, sizeof(*(t)->items)); \
        if (moved == NULL) {                                                                           \
            return -1;                                                                                 \
        }                                                                                              \
        (t)->items = moved;                                                                            \
    } while (0)

void
tally_fini(tally *t)
{
    free(t->codes);
    free(t->arcs);
    free(t->hits);
    free(t->dirty);
    memset(t, 0, sizeof(*t));
}

int64_t
tally_code(tally *t, uint32_t n_slots)
{
    MAKE_ROOM(t, codes);
    t->codes[t->n_codes] = (tally_code_entry){.n_slots = n_slots};
    return t->n_codes++;
}

/* Puts a hit at the head of its code object's chain. */
static int
add_hit(tally *t, uint32_t code, uint32_t slot)
{
    if (slot == NO_SLOT) {
        return 0;
    }
    if (t->n_hits == 0) {
        t->n_hits = 1;
    }
    MAKE_ROOM(t, hits);
    MAKE_ROOM(t, dirty);
    tally_code_entry *entry = &t->codes[code];
    if (entry->last == 0) {
        t->dirty[t->n_dirty++] = code;
    }
    t->hits[t->n_hits] = (tally_hit_entry){.slot = slot, .before = entry->last};
    entry->last = t->n_hits++;
    return 0;
}

int64_t
tally_arc(tally *t, uint32_t code, uint32_t slot)
{
    MAKE_ROOM(t, arcs);
    if (add_hit(t, code, slot) < 0) {
        return -1;
    }
    t->arcs[t->n_arcs] = (tally_arc_entry){.code = code, .slot = slot};
    return t->n_arcs++;
}

int64_t
tally_hit(tally *t, uint32_t arc)
{
    return add_hit(t, t->arcs[arc].code, t->arcs[arc].slot);
}

size_t
tally_n_bytes(const tally *t, uint32_t code)
{
    return ((size_t)t->codes[code].n_slots + 7) / 8;
}

void
tally_bits(const tally *t, uint32_t code, uint8_t *out)
{
    memset(out, 0, tally_n_bytes(t, code));
    for (uint32_t hit = t->codes[code].last; hit != 0; hit = t->hits[hit].before) {
        const uint32_t slot = t->hits[hit].slot;
        out[slot / 8] |= (uint8_t)(0x80 >> slot % 8);
    }
}

void
tally_forget_hits(tally *t)
{
    for (uint32_t i = 0; i < t->n_dirty; i++) {
        t->codes[t->dirty[i]].last = 0;
    }
    t->n_dirty = t->n_hits = 0;
}

/* hits: see hits.h. */
#include "hits.h"

#include "recording.h"

#include <stdlib.h>
#include <string.h>

#define NO_PATTERN UINT32_MAX

enum { FIRST_ROOM = 64, FIRST_LOG2_INDEX = 8 };

void
hits_init(hit_table *h, size_t most_bits_bytes)
{
    *h = (hit_table){.most_bits_bytes = most_bits_bytes, .context = EMPTY_CONTEXT};
}

void
hits_free(hit_table *h)
{
    free(h->codes);
    free(h->arcs);
    free(h->patterns);
    free(h->bits);
    free(h->index);
    hits_init(h, 0);
}

static int
refuse(hit_table *h, const char *reason)
{
    h->reason = reason;
    return -1;
}

/* The array with room for n_more items after the first n, or NULL: no memory, and it is as it was. */
static void *
grown(void *array, size_t n, size_t n_more, size_t *room, size_t item_size)
{
    if (array != NULL && n_more <= *room - n) {
        return array;
    }
    const size_t wanted = n + n_more > 2 * *room ? n + n_more + FIRST_ROOM : 2 * *room;
    void *larger = wanted <= SIZE_MAX / item_size ? realloc(array, wanted * item_size) : NULL;
    if (larger != NULL) {
        *room = wanted;
    }
    return larger;
}

/* ---- the index of patterns ---- */

/* The place in the index that holds the pattern, or the empty one where it belongs.  The index is never full. */
static uint32_t *
find_place(const hit_table *h, uint32_t context, uint32_t code)
{
    const size_t last = ((size_t)1 << h->log2_index) - 1;
    uint64_t hash = ((uint64_t)context << 32 | code) * UINT64_C(0x9E3779B97F4A7C15);

    hash = (hash ^ hash >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    for (size_t i = hash >> (64 - h->log2_index);; i = (i + 1) & last) {
        const uint32_t held = h->index[i];
        if (held == 0 || (h->patterns[held - 1].context == context && h->patterns[held - 1].code == code)) {
            return &h->index[i];
        }
    }
}

static int
grow_index(hit_table *h)
{
    const unsigned log2_index = h->index == NULL ? FIRST_LOG2_INDEX : h->log2_index + 1;
    uint32_t *index = calloc((size_t)1 << log2_index, sizeof(*index));

    if (index == NULL) {
        return -1;
    }
    free(h->index);
    h->index = index;
    h->log2_index = log2_index;
    for (size_t i = 0; i < h->n_patterns; i++) {
        *find_place(h, h->patterns[i].context, h->patterns[i].code) = (uint32_t)i + 1;
    }
    return 0;
}

/* Enters an all-zero pattern. */
static int
add_pattern(hit_table *h, uint32_t code, uint32_t *place)
{
    const size_t n_bytes = hits_bitmap_bytes(h, code);

    if (h->n_patterns == NO_PATTERN - 1 || n_bytes > h->most_bits_bytes - h->n_bits_bytes) {
        return refuse(h, "more hits than a recording of this size can have");
    }
    hit_pattern *patterns = grown(h->patterns, h->n_patterns, 1, &h->patterns_room, sizeof(*patterns));
    if (patterns == NULL) {
        return -1;
    }
    h->patterns = patterns;
    uint8_t *bits = grown(h->bits, h->n_bits_bytes, n_bytes, &h->bits_room, sizeof(*bits));
    if (bits == NULL) {
        return -1;
    }
    h->bits = bits;
    memset(bits + h->n_bits_bytes, 0, n_bytes);
    patterns[h->n_patterns] = (hit_pattern){h->context, code, h->n_bits_bytes};
    h->n_bits_bytes += n_bytes;
    *place = (uint32_t)++h->n_patterns;
    return 0;
}

/* The code object has been hit under another context since, or never. */
static int
change_pattern(hit_table *h, uint32_t code)
{
    if (h->index == NULL || h->n_patterns >= (size_t)1 << (h->log2_index - 1)) {
        if (grow_index(h) < 0) {
            return -1;
        }
    }
    uint32_t *place = find_place(h, h->context, code);
    if (*place == 0 && add_pattern(h, code, place) < 0) {
        return -1;
    }
    h->codes[code].pattern = *place - 1;
    return 0;
}

/* ---- what a recording says ---- */

/* The bitmap of the code object under the current context, until one is asked for of another; or NULL. */
static uint8_t *
bits_of(hit_table *h, uint32_t code)
{
    const uint32_t pattern = h->codes[code].pattern;

    if (pattern == NO_PATTERN || h->patterns[pattern].context != h->context) {
        if (change_pattern(h, code) < 0) {
            return NULL;
        }
    }
    return h->bits + h->patterns[h->codes[code].pattern].first_byte;
}

/* Marks arcs of the table, mostly of one code object or a few. */
static int
mark(hit_table *h, const hit_arc *arcs, size_t n)
{
    uint8_t *bits = NULL;
    uint32_t code = 0;

    for (size_t i = 0; i < n; i++) {
        const hit_arc arc = arcs[i];
        if (arc.slot == NO_SLOT) {
            continue;
        }
        if (bits == NULL || arc.code != code) {
            code = arc.code;
            bits = bits_of(h, code);
            if (bits == NULL) {
                return -1;
            }
        }
        bits[arc.slot / 8] |= (uint8_t)(0x80 >> arc.slot % 8);
    }
    return 0;
}

int
hits_code(hit_table *h, uint32_t n_slots)
{
    hit_code *codes = grown(h->codes, h->n_codes, 1, &h->codes_room, sizeof(*codes));

    if (codes == NULL) {
        return -1;
    }
    h->codes = codes;
    h->after = AFTER_OTHER;
    h->n_slots += n_slots;
    codes[h->n_codes++] = (hit_code){.n_slots = n_slots, .pattern = NO_PATTERN};
    return 0;
}

/* Defines an arc of a code object that is known, and marks it. */
static int
define_arc(hit_table *h, uint32_t code, uint32_t slot)
{
    if (slot >= h->codes[code].n_slots && slot != NO_SLOT) {
        return refuse(h, "an arc that its code object does not have");
    }
    hit_arc *arcs = grown(h->arcs, h->n_arcs, 1, &h->arcs_room, sizeof(*arcs));
    if (arcs == NULL) {
        return -1;
    }
    h->arcs = arcs;
    arcs[h->n_arcs] = (hit_arc){code, slot};
    return mark(h, &arcs[h->n_arcs++], 1);
}

/* Marks n arcs again. */
static int
hit_again(hit_table *h, size_t first, uint32_t n)
{
    if (first >= h->n_arcs || n > h->n_arcs - first) {
        return refuse(h, "a hit of an unknown arc");
    }
    h->last_hit = (uint32_t)first + n - 1;
    return mark(h, &h->arcs[first], n);
}

int
hits_arc(hit_table *h, uint32_t code, uint32_t slot)
{
    if (code >= h->n_codes) {
        return refuse(h, "an arc of an unknown code object");
    }
    h->after = AFTER_ARC;
    return define_arc(h, code, slot);
}

int
hits_slot(hit_table *h, uint32_t slot)
{
    if (h->n_arcs == 0) {
        return refuse(h, "a slot of no code object");
    }
    h->after = AFTER_ARC;
    return define_arc(h, h->arcs[h->n_arcs - 1].code, slot);
}

int
hits_hit(hit_table *h, uint32_t arc)
{
    h->after = AFTER_HIT;
    return hit_again(h, arc, 1);
}

int
hits_more(hit_table *h, uint32_t n)
{
    int failed = 0;

    if (h->after == AFTER_OTHER || n == 0) {
        return refuse(h, "more of nothing");
    }
    if (h->after == AFTER_HIT) {
        failed = hit_again(h, (size_t)h->last_hit + 1, n);
    }
    else if (n > h->n_slots - h->n_more_arcs) {
        failed = refuse(h, "more arcs than code objects have");
    }
    else {
        for (uint32_t i = 0; !failed && i < n; i++) {
            const hit_arc last = h->arcs[h->n_arcs - 1];
            failed = last.slot == NO_SLOT ? refuse(h, "more of no arc") : define_arc(h, last.code, last.slot + 1);
            h->n_more_arcs++;
        }
    }
    h->after = AFTER_OTHER;
    return failed;
}

int
hits_context(hit_table *h)
{
    if (h->n_contexts == EMPTY_CONTEXT) {
        return refuse(h, "too many contexts");
    }
    h->after = AFTER_OTHER;
    h->context = h->n_contexts++;
    return 0;
}

int
hits_switch(hit_table *h, uint32_t context)
{
    if (context >= h->n_contexts) {
        return refuse(h, "a switch to an unknown context");
    }
    h->after = AFTER_OTHER;
    h->context = context;
    return 0;
}

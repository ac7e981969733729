// needs: recording_read.c owner.c crc32.c platform_posix.c
/* Feeds the decoder of hits with records in any order, one byte for what and up to four for its argument, and holds it
 * against a slow and simple one: a bit for each (context, code object, slot). */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hits.h"
#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

enum { MOST_CODES = 16, MOST_CONTEXTS = 16, MOST_SLOTS = 64, MOST_ARCS = 512, MOST_BITS = 1 << 12 };

/* What was hit by all that was taken so far; context MOST_CONTEXTS stands for the empty one. */
typedef struct {
    uint64_t slots[MOST_CONTEXTS + 1][MOST_CODES];
    uint32_t n_slots[MOST_CODES];
    hit_arc arcs[MOST_ARCS];
    uint32_t n_codes, n_contexts, n_arcs, context, last_hit;
    enum { OTHER, ARC, HIT } after;
    bool failed; /* the decoder has to have refused too */
} model;

static void
expect(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static void
model_mark(model *m, uint32_t arc)
{
    const hit_arc it = m->arcs[arc];

    if (it.slot != NO_SLOT) {
        m->slots[m->context][it.code] |= (uint64_t)1 << it.slot;
    }
}

static void
model_arc(model *m, uint32_t code, uint32_t slot)
{
    m->failed = code >= m->n_codes || (slot != NO_SLOT && slot >= m->n_slots[code]);
    if (!m->failed) {
        m->arcs[m->n_arcs] = (hit_arc){code, slot};
        model_mark(m, m->n_arcs++);
        m->after = ARC;
    }
}

static void
model_hit(model *m, uint32_t arc)
{
    m->failed = arc >= m->n_arcs;
    if (!m->failed) {
        model_mark(m, arc);
        m->last_hit = arc;
        m->after = HIT;
    }
}

/* Says the same again for what follows, one by one. */
static void
model_more(model *m, uint32_t n)
{
    m->failed = m->after == OTHER || n == 0;
    for (uint32_t i = 0; !m->failed && i < n; i++) {
        if (m->after == HIT) {
            model_hit(m, m->last_hit + 1);
        }
        else {
            const hit_arc last = m->arcs[m->n_arcs - 1];
            m->failed = last.slot == NO_SLOT;
            if (!m->failed) {
                model_arc(m, last.code, last.slot + 1);
            }
        }
    }
    m->after = OTHER;
}

/* Each pattern says what the model does, each pair of context and code object has one at most, and none is left out. */
static void
compare(const hit_table *h, const model *m)
{
    bool seen[MOST_CONTEXTS + 1][MOST_CODES] = {{false}};

    for (size_t i = 0; i < h->n_patterns; i++) {
        const hit_pattern *const it = &h->patterns[i];
        const uint32_t context = it->context == EMPTY_CONTEXT ? MOST_CONTEXTS : it->context;
        expect(it->code < m->n_codes && (context == MOST_CONTEXTS || context < m->n_contexts));
        expect(it->first_byte + hits_bitmap_bytes(h, it->code) <= h->n_bits_bytes);
        expect(!seen[context][it->code]);
        seen[context][it->code] = true;
        for (uint32_t slot = 0; slot < 8 * hits_bitmap_bytes(h, it->code); slot++) {
            const bool is_set = h->bits[it->first_byte + slot / 8] >> (7 - slot % 8) & 1;
            const bool is_hit = slot < MOST_SLOTS && (m->slots[context][it->code] >> slot & 1);
            expect(is_set == is_hit);
        }
    }
    for (uint32_t context = 0; context <= MOST_CONTEXTS; context++) {
        for (uint32_t code = 0; code < m->n_codes; code++) {
            expect(seen[context][code] || m->slots[context][code] == 0);
        }
    }
}

/* One record, to both.  Returns whether the decoder has taken it. */
static bool
feed(hit_table *h, model *m, int what, uint32_t argument)
{
    int result = 0;

    switch (what) {
    case 0:
        m->n_slots[m->n_codes++] = argument % MOST_SLOTS;
        m->after = OTHER;
        result = hits_code(h, argument % MOST_SLOTS);
        break;
    case 1:
        model_arc(m, argument >> 24, argument & 0xFFFFFF ? (argument & 0xFFFF) : NO_SLOT);
        result = hits_arc(h, argument >> 24, argument & 0xFFFFFF ? (argument & 0xFFFF) : NO_SLOT);
        break;
    case 2:
        m->failed = m->n_arcs == 0;
        if (!m->failed) {
            model_arc(m, m->arcs[m->n_arcs - 1].code, argument);
        }
        result = hits_slot(h, argument);
        break;
    case 3:
        model_hit(m, argument);
        result = hits_hit(h, argument);
        break;
    case 4:
        model_more(m, argument);
        result = hits_more(h, argument);
        break;
    case 5:
        m->context = m->n_contexts++;
        m->after = OTHER;
        result = hits_context(h);
        break;
    default:
        m->failed = argument >= m->n_contexts;
        m->context = m->failed ? m->context : argument;
        m->after = OTHER;
        result = hits_switch(h, argument);
        break;
    }
    if (result == 0) {
        expect(!m->failed);
    }
    else { /* for a fault, or for being too much altogether */
        expect(h->reason != NULL && (m->failed || strncmp(h->reason, "more ", 5) == 0));
    }
    return result == 0;
}

static bool
has_room(const model *m, int what, uint32_t argument)
{
    const uint32_t n_more = what == 4 ? argument : 1;

    return m->n_codes < MOST_CODES && m->n_contexts < MOST_CONTEXTS && n_more < MOST_ARCS - m->n_arcs;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    static model m;
    hit_table h;
    size_t at = 0;

    memset(&m, 0, sizeof(m));
    m.context = MOST_CONTEXTS;
    hits_init(&h, MOST_BITS);
    while (at < n_bytes) {
        const int what = bytes[at] % 7;
        const size_t n_argument = (size_t)bytes[at] / 7 % 5;
        uint32_t argument = 0;
        at++;
        for (size_t i = 0; i < n_argument && at < n_bytes; i++) {
            argument = argument << 8 | bytes[at++];
        }
        if (!has_room(&m, what, argument)) {
            compare(&h, &m);
            if (what == 4 && m.after != OTHER) { /* more than there can be is refused, and soon */
                expect(argument < MOST_ARCS || hits_more(&h, argument) < 0);
            }
            hits_free(&h);
            return 0;
        }
        if (!feed(&h, &m, what, argument)) {
            hits_free(&h);
            return 0;
        }
    }
    compare(&h, &m);
    hits_free(&h);
    return 0;
}

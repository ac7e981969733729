/* hits: what a recording says was hit, as bitmaps over a code object's slots, one for each context that hit it.
 *
 *     CODE 0 (10 slots)  CODE 1 (9)      patterns: context  code  bits
 *     ARC 0 = (0, 3)                               -        0     0001'0000 00..'....
 *     CONTEXT 0, HIT 0, ARC 1 = (1, 8)             0        0     0001'0000 00..'....
 *     ARC 2 = (0, 0)                               0        1     0000'0000 1...'....      then 0 0 becomes 1001'0000
 *
 * Ids count up from 0 in the order of definition, as in recording.h; slot 0 is bit 0x80 of byte 0.  The input may be
 * hostile: ids and slots are checked, and so is how much the bitmaps take.
 *
 * No Python.h here.
 */
#ifndef COVCORE_HITS_H
#define COVCORE_HITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMPTY_CONTEXT UINT32_MAX

typedef struct {
    uint32_t n_slots;
    uint32_t pattern; /* the one that it was last hit under, or NO_PATTERN */
} hit_code;

typedef struct {
    uint32_t code;
    uint32_t slot;
} hit_arc;

typedef struct {
    uint32_t context; /* or EMPTY_CONTEXT */
    uint32_t code;
    size_t first_byte; /* in bits */
} hit_pattern;

typedef struct {
    hit_code *codes;
    hit_arc *arcs;
    hit_pattern *patterns; /* in the order in which they were first hit */
    uint8_t *bits;
    uint32_t *index; /* open addressing by (context, code): number of the pattern + 1, or 0 */
    size_t n_codes, n_arcs, n_patterns, n_bits_bytes;
    size_t codes_room, arcs_room, patterns_room, bits_room;
    size_t most_bits_bytes;
    unsigned log2_index;
    uint32_t n_contexts;
    uint32_t context; /* the current one */
    enum { AFTER_OTHER, AFTER_ARC, AFTER_HIT } after; /* what was said last, which `more` follows on */
    uint32_t last_hit; /* after a hit: its arc */
    size_t n_slots, n_more_arcs; /* of all code objects; defined by `more`: no honest recording has more of these */
    const char *reason; /* what was wrong with the input, or NULL */
} hit_table;

/* most_bits_bytes: more than that in bitmaps is refused. */
void hits_init(hit_table *h, size_t most_bits_bytes);
void hits_free(hit_table *h);

/* Definitions and hits.  Return 0, or -1 with h->reason, or with h->reason NULL: no memory. */
int hits_code(hit_table *h, uint32_t n_slots);
int hits_arc(hit_table *h, uint32_t code, uint32_t slot); /* defines and hits */
int hits_slot(hit_table *h, uint32_t slot); /* likewise, of the same code object as the last one */
int hits_hit(hit_table *h, uint32_t arc);
int hits_more(hit_table *h, uint32_t n); /* RECORD_MORE */
int hits_context(hit_table *h); /* defines and switches to it */
int hits_switch(hit_table *h, uint32_t context);

/* Bytes of a code object's bitmaps. */
static inline size_t
hits_bitmap_bytes(const hit_table *h, uint32_t code)
{
    return ((size_t)h->codes[code].n_slots + 7) / 8;
}

#endif

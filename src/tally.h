/* tally: hits in memory, by code object, until they are taken.
 *
 * What a recording is to a process that measures for covcore's own database, a tally is to one that measures on behalf of another
 * tool, which asks for the hits itself and keeps them its own way.
 *
 *      codes      n_slots  last          hits        slot  before      dirty
 *      0            12      3 ───┐       0 (unused)                    0
 *      1             7      0    │       1             4     0 <─┐     2
 *      2            40      2 ─┐ │       2             9     0   │
 *                              └─┼────────^                      │
 *                                └─────> 3             5     1 ──┘
 *
 * The hits of one code object are a chain from the newest to the oldest; `dirty` lists the code objects that have one.
 * Arcs are numbered in the order in which they are first hit, as in a recording.
 *
 * Threads: none of this locks; the caller serialises.  No Python.h here.
 */
#ifndef COVCORE_TALLY_H
#define COVCORE_TALLY_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t n_slots;
    uint32_t last;               /* its newest hit, 0: none */
} tally_code_entry;

typedef struct {
    uint32_t code;
    uint32_t slot;               /* NO_SLOT: events that fit none; they are not kept */
} tally_arc_entry;

typedef struct {
    uint32_t slot;
    uint32_t before;             /* the hit of the same code object before this one, 0: none */
} tally_hit_entry;

typedef struct {
    tally_code_entry *codes;
    tally_arc_entry *arcs;
    tally_hit_entry *hits;       /* [0] is not used */
    uint32_t *dirty;
    uint32_t n_codes, n_arcs, n_hits, n_dirty;
    uint32_t codes_room, arcs_room, hits_room, dirty_room;
} tally;

/* A zeroed tally is an empty one.  Frees everything; it is empty and usable again. */
void tally_fini(tally *t);

/* Add.  Return the id of what is added (for a hit: 0), or -1: no memory, and the tally is as it was. */
int64_t tally_code(tally *t, uint32_t n_slots);
int64_t tally_arc(tally *t, uint32_t code, uint32_t slot); /* and its first hit */
int64_t tally_hit(tally *t, uint32_t arc);

/* The bytes that the bitmap of a code object's slots takes. */
size_t tally_n_bytes(const tally *t, uint32_t code);

/* Writes the bitmap of a code object's hits, slot 0 first (0x80 of byte 0), into so many bytes. */
void tally_bits(const tally *t, uint32_t code, uint8_t *out);

/* Forgets the hits, but not the code objects and arcs. */
void tally_forget_hits(tally *t);

#endif

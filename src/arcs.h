/* arcs: a compact set of arcs with dense ids.
 *
 * An arc is three 32-bit numbers: the id of a code object and two ends.  The set gives each arc the next
 * free id when it first meets it, and remembers one number per arc, its serial, for the caller.
 *
 *        index (2^n slots, open addressing)          entries (insertion order, in chunks)
 *       +---+---+---+---+---+---+---+---+           id  code  from    to  serial
 *       | . | 2 | . | 0 | . | . | 1 | . |          +--------------------------+
 *       +---+-|-+---+-|-+---+---+-|-+---+      0   |  7    12     40      3   |
 *             |       +-----------|--------->  1   |  7    12     62      3   |
 *             |                   +-------->   2   |  9    -1    105      1   |
 *             +--------------------------->        +--------------------------+
 *
 * A slot holds id + 1 (0: empty) in its low n bits and a tag, bits of the arc's hash, in the 32 - n above them:
 * a probe that meets another arc sees so in the slot and leaves its entry, mostly a cache miss, alone.  Nothing is
 * ever deleted, so there are no tombstones.  The index is kept at most 3/4 full and doubles; entries live in chunks
 * that never move, so a growth copies no entry and a pointer to one stays valid until arcs_clear or arcs_fini.  At a
 * million arcs that is 16 bytes an entry + 4 bytes x 2^21 / 10^6 = 24.4 bytes an arc; just after a doubling, 26.7.
 *
 * Hash: the three numbers, less the low 10 bits of `to` and its top 2, are folded into 64 bits and mixed by a
 * multiply-xorshift-multiply (the finaliser of splitmix64): a bare multiply would send ids that differ only in high bits to
 * the same slots.  The low bits of `to` keep arcs in a row side by side, so last ends should be numbers without large gaps; what
 * tells the few arcs at one number apart may go into the top bits.
 *
 * Threads: none of this locks; the caller serialises.  No Python.h here.
 */
#ifndef COVCORE_ARCS_H
#define COVCORE_ARCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t code;    /* id of the code object */
    uint32_t from;    /* ends as the caller defines them; compared for equality only */
    uint32_t to;
    uint32_t serial;  /* the caller's; 0 in a new entry */
} arc_entry;

/* How the set gets its memory: resize(ctx, NULL, n) allocates, resize(ctx, p, 0) frees and returns NULL,
 * resize(ctx, p, n) moves; NULL means no memory and leaves p valid.  Like realloc. */
typedef struct {
    void *(*resize)(void *ctx, void *block, size_t n_bytes);
    void *ctx;
} arcs_allocator;

typedef struct {
    uint32_t *index;         /* 2^log2_slots slots of tag and id + 1, or NULL before the first arc */
    arc_entry **chunks;      /* chunk k holds entries [k * ARCS_CHUNK, (k + 1) * ARCS_CHUNK) */
    uint32_t n_entries;
    uint32_t n_chunks;       /* chunks allocated */
    uint32_t chunks_room;    /* pointers that fit into `chunks` */
    unsigned log2_slots;
    arcs_allocator allocator;
} arc_set;

enum { ARCS_CHUNK_LOG2 = 10, ARCS_CHUNK = 1 << ARCS_CHUNK_LOG2 };

/* An empty set; allocates nothing.  allocator NULL: the C library's realloc and free. */
void arcs_init(arc_set *set, const arcs_allocator *allocator);

/* Frees everything; the set is empty and usable again. */
void arcs_fini(arc_set *set);

/* Forgets all arcs, and frees their memory unless there is little of it; ids start again at 0. */
void arcs_clear(arc_set *set);

/* Finds or adds the arc and stores its id.  Returns 1 if it is new, 0 if it was there, -1 if memory
 * (or the 2^32 - 2 ids) ran out: the set is then as it was. */
int arcs_intern(arc_set *set, uint32_t code, uint32_t from, uint32_t to, uint32_t *id);

/* The entry of an arc, or NULL if the set does not hold it. */
arc_entry *arcs_find(const arc_set *set, uint32_t code, uint32_t from, uint32_t to, uint32_t *id);

/* The entry with this id, which must be < n_entries. */
static inline arc_entry *
arcs_at(const arc_set *set, uint32_t id)
{
    return &set->chunks[id >> ARCS_CHUNK_LOG2][id & (ARCS_CHUNK - 1)];
}

/* Whether an id, which need not have been given, is that of the arc: a guess that is right saves the look-up. */
static inline bool
arcs_is(const arc_set *set, uint32_t id, uint32_t code, uint32_t from, uint32_t to)
{
    if (id >= set->n_entries) {
        return false;
    }
    const arc_entry *e = arcs_at(set, id);
    return ((e->code ^ code) | (e->from ^ from) | (e->to ^ to)) == 0;
}

/* Bytes held, index and chunks included. */
size_t arcs_memory(const arc_set *set);

/* How many slots a look-up of the arc reads; the index must not be empty.  For tests. */
size_t arcs_probes(const arc_set *set, uint32_t code, uint32_t from, uint32_t to);

/* Whether every invariant holds: 0, or -1 with a reason.  Walks the whole set. */
int arcs_check(const arc_set *set, const char **reason);

#endif

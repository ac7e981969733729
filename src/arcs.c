/* The set of arcs: see arcs.h. */
#include "arcs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A whole walk after each mutation is quadratic: only the C tests ask for it. */
#ifdef ARCS_PARANOID
#    define ASSERT_CONSISTENT(set) assert(arcs_check(set, &(const char *){NULL}) == 0)
#else
#    define ASSERT_CONSISTENT(set) ((void)0)
#endif

enum {
    FIRST_LOG2_SLOTS = 8,   /* 1 KB: most processes outgrow it, none notices */
    FIRST_CHUNKS_ROOM = 16, /* pointers */
    KEPT_LOG2_SLOTS = 10,   /* an index of a page, for one chunk of entries: to empty it costs less than to have others */
};

static const uint32_t MOST_ENTRIES = UINT32_MAX - 1; /* the largest id + 1 is then below 2^32 - 1 */

/* ---- hot path ---- */

/* Code runs on, and so does its way through the index.  Arcs whose last ends differ only in their low 4 bits are a row:
 * they share a cache line, each at a place of its own.  Rows whose last ends differ only in the 6 bits above are a run:
 * they lie in cache lines one after the other, a page of them.  What is new then mostly comes to a line that is in the
 * cache, or is about to be (a million arcs in order of lines, ns an arc: 190 by hashes of whole arcs, 59 by rows, 30 by runs).
 *
 * The hash is of what a run shares: 96 bits to 64, then splitmix64's finaliser without its last xorshift, which only
 * serves low bits: a line of the index is taken from the top.  The top 2 bits of an end are left out, see arcs.h.
 *
 * Probing goes from line to line of the index at the same place, so that a row that meets another one steps over it, not
 * through it, and a run stays one; after STRIDES lines it goes slot by slot, so that it ends. */
enum { LINE_LOG2 = 4, LINE_MASK = (1 << LINE_LOG2) - 1, RUN_LOG2 = 10, RUN_MASK = (1 << RUN_LOG2) - 1, STRIDES = 64 };

static inline uint64_t
hash_arc(uint32_t code, uint32_t from, uint32_t to)
{
    const uint32_t run = to << 2 >> (2 + RUN_LOG2);
    uint64_t x = ((uint64_t)from << 32 | run) + code * UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x;
}

/* Where probing begins.  Each row is turned by bits of its hash: else keys with one `to` would all want one place. */
static inline size_t
home_slot(const arc_set *set, uint64_t hash, uint32_t to)
{
    const size_t last = ((size_t)1 << set->log2_slots) - 1;
    const size_t slot = (size_t)(hash >> (64 - set->log2_slots));
    const size_t line = (slot + (to & RUN_MASK)) & last & ~(size_t)LINE_MASK;

    return line | ((slot + to) & LINE_MASK);
}

/* The slot to look at after n others: an odd number of index lines further, which the hash gives, so that rows that meet
 * once go apart (stepping to the next line: 8.5 slots for an absent arc at full load; so: 4.0). */
static inline size_t
next_slot(const arc_set *set, uint64_t hash, size_t slot, unsigned n)
{
    const size_t last = ((size_t)1 << set->log2_slots) - 1;
    const size_t lines = ((size_t)(hash >> 8) & 0x3FFFF) | 1;

    return (slot + (n < STRIDES ? lines << LINE_LOG2 : 1)) & last;
}

/* The bits of a slot that hold id + 1; the tag is above them. */
static inline uint32_t
id_bits(const arc_set *set)
{
    return (uint32_t)((UINT64_C(1) << set->log2_slots) - 1);
}

/* The bits above them, which tell most arcs apart without a look at their entries: from bits 8 to 31 of the hash, which
 * the second multiply has mixed, and from what the hash leaves out. */
static inline uint32_t
tag_of(uint64_t hash, uint32_t to, uint32_t ids)
{
    return ((uint32_t)hash + to * UINT32_C(0x9E3779B1)) & ~ids;
}

/* The slot that holds the arc, or the empty one where it belongs.  There must be an index; it is never full. */
static inline size_t
find_slot(const arc_set *set, uint64_t hash, uint32_t code, uint32_t from, uint32_t to)
{
    const uint32_t ids = id_bits(set);
    const uint32_t tag = tag_of(hash, to, ids);
    size_t slot = home_slot(set, hash, to);

    for (unsigned n = 0;; slot = next_slot(set, hash, slot, n++)) {
        const uint32_t held = set->index[slot];
        if (held == 0) {
            return slot;
        }
        if ((held & ~ids) == tag) {
            if (arcs_is(set, (held & ids) - 1, code, from, to)) {
                return slot;
            }
        }
    }
}

arc_entry *
arcs_find(const arc_set *set, uint32_t code, uint32_t from, uint32_t to, uint32_t *id)
{
    if (set->index == NULL) {
        return NULL;
    }
    const size_t slot = find_slot(set, hash_arc(code, from, to), code, from, to);
    const uint32_t held = set->index[slot];
    if (held == 0) {
        return NULL;
    }
    *id = (held & id_bits(set)) - 1;
    return arcs_at(set, *id);
}

static int grow(arc_set *set);

/* Whether there is room for one more entry, made if need be. */
static inline int
make_room(arc_set *set)
{
    const uint64_t wanted = (uint64_t)set->n_entries + 1;

    if (set->index != NULL && 4 * wanted <= UINT64_C(3) << set->log2_slots &&
        wanted <= (uint64_t)set->n_chunks << ARCS_CHUNK_LOG2) {
        return 0;
    }
    return grow(set);
}

int
arcs_intern(arc_set *set, uint32_t code, uint32_t from, uint32_t to, uint32_t *id)
{
    const uint64_t hash = hash_arc(code, from, to);

    if (make_room(set) < 0) { /* what is there can still be found */
        return arcs_find(set, code, from, to, id) == NULL ? -1 : 0;
    }
    const size_t slot = find_slot(set, hash, code, from, to);
    const uint32_t held = set->index[slot];
    if (held != 0) {
        *id = (held & id_bits(set)) - 1;
        return 0;
    }
    *id = set->n_entries++;
    *arcs_at(set, *id) = (arc_entry){.code = code, .from = from, .to = to};
    set->index[slot] = tag_of(hash, to, id_bits(set)) | (*id + 1);
    ASSERT_CONSISTENT(set);
    return 1;
}

/* ---- growth ---- */

/* Enters an id into the index, at the first empty slot from its home on. */
static inline void
place(arc_set *set, uint64_t hash, uint32_t to, uint32_t id)
{
    const uint32_t tag = tag_of(hash, to, id_bits(set));
    size_t slot = home_slot(set, hash, to);

    for (unsigned n = 0; set->index[slot] != 0; n++) {
        slot = next_slot(set, hash, slot, n);
    }
    set->index[slot] = tag | (id + 1);
}

/* Twice the slots.  The entries tell what goes into them; the old index is let go once the new one is there. */
static int
grow_index(arc_set *set)
{
    const unsigned log2_slots = set->index == NULL ? FIRST_LOG2_SLOTS : set->log2_slots + 1;

    if (UINT64_C(1) << log2_slots > SIZE_MAX / sizeof(*set->index)) {
        return -1;
    }
    const size_t n_bytes = sizeof(*set->index) << log2_slots;
    uint32_t *index = set->allocator.resize(set->allocator.ctx, NULL, n_bytes);
    if (index == NULL) {
        return -1;
    }
    memset(index, 0, n_bytes);
    if (set->index != NULL) {
        (void)set->allocator.resize(set->allocator.ctx, set->index, 0);
    }
    set->index = index;
    set->log2_slots = log2_slots;
    for (uint32_t id = 0; id < set->n_entries; id++) {
        const arc_entry *e = arcs_at(set, id);
        place(set, hash_arc(e->code, e->from, e->to), e->to, id);
    }
    return 0;
}

static int
grow_chunks(arc_set *set)
{
    if (set->n_chunks == set->chunks_room) {
        const uint32_t room = set->chunks_room == 0 ? FIRST_CHUNKS_ROOM : 2 * set->chunks_room;
        arc_entry **chunks = set->allocator.resize(set->allocator.ctx, set->chunks, room * sizeof(*chunks));
        if (chunks == NULL) {
            return -1;
        }
        set->chunks = chunks;
        set->chunks_room = room;
    }
    arc_entry *chunk = set->allocator.resize(set->allocator.ctx, NULL, ARCS_CHUNK * sizeof(*chunk));
    if (chunk == NULL) {
        return -1;
    }
    set->chunks[set->n_chunks++] = chunk;
    return 0;
}

/* Room for one more entry in both places.  Each step leaves a valid set, so a failure needs no way back. */
static int
grow(arc_set *set)
{
    const uint64_t wanted = (uint64_t)set->n_entries + 1;

    if (wanted > MOST_ENTRIES) {
        return -1;
    }
    if ((set->index == NULL || 4 * wanted > UINT64_C(3) << set->log2_slots) && grow_index(set) < 0) {
        return -1;
    }
    if (wanted > (uint64_t)set->n_chunks << ARCS_CHUNK_LOG2 && grow_chunks(set) < 0) {
        return -1;
    }
    return 0;
}

/* ---- whole sets ---- */

static void *
libc_resize(void *ctx, void *block, size_t n_bytes)
{
    (void)ctx;
    if (n_bytes == 0) { /* realloc(block, 0) frees or not, as the C library likes */
        free(block);
        return NULL;
    }
    return realloc(block, n_bytes);
}

void
arcs_init(arc_set *set, const arcs_allocator *allocator)
{
    *set = (arc_set){.allocator = {.resize = libc_resize}};
    if (allocator != NULL) {
        set->allocator = *allocator;
    }
}

void
arcs_fini(arc_set *set)
{
    const arcs_allocator allocator = set->allocator;

    for (uint32_t chunk = 0; chunk < set->n_chunks; chunk++) {
        (void)allocator.resize(allocator.ctx, set->chunks[chunk], 0);
    }
    if (set->chunks != NULL) {
        (void)allocator.resize(allocator.ctx, set->chunks, 0);
    }
    if (set->index != NULL) {
        (void)allocator.resize(allocator.ctx, set->index, 0);
    }
    arcs_init(set, &allocator);
}

void
arcs_clear(arc_set *set)
{
    if (set->index == NULL || set->log2_slots > KEPT_LOG2_SLOTS) {
        arcs_fini(set);
        return;
    }
    memset(set->index, 0, sizeof(*set->index) << set->log2_slots);
    set->n_entries = 0;
}

size_t
arcs_memory(const arc_set *set)
{
    size_t n_bytes = (size_t)set->n_chunks * ARCS_CHUNK * sizeof(arc_entry);

    n_bytes += set->chunks_room * sizeof(*set->chunks);
    if (set->index != NULL) {
        n_bytes += sizeof(*set->index) << set->log2_slots;
    }
    return n_bytes;
}

/* ---- debugging ---- */

size_t
arcs_probes(const arc_set *set, uint32_t code, uint32_t from, uint32_t to)
{
    const uint64_t hash = hash_arc(code, from, to);
    const size_t end = find_slot(set, hash, code, from, to);
    unsigned n = 0;

    for (size_t slot = home_slot(set, hash, to); slot != end; n++) {
        slot = next_slot(set, hash, slot, n);
    }
    return n + 1;
}

/* What must hold before an arc may be looked up at all: else a probe would read astray or never end. */
static const char *
check_shape(const arc_set *set)
{
    const uint64_t n_entries = set->n_entries;

    const uint64_t needed = (n_entries + ARCS_CHUNK - 1) >> ARCS_CHUNK_LOG2;
    if (set->n_chunks < needed || set->n_chunks > needed + 1) { /* one in advance: room is made before the look-up */
        return "chunks do not match entries";
    }
    if (set->n_chunks > set->chunks_room || (set->chunks == NULL) != (set->chunks_room == 0)) {
        return "chunk pointers do not match chunks";
    }
    if (set->index == NULL) {
        return n_entries == 0 && set->log2_slots == 0 ? NULL : "entries without an index";
    }
    if (set->log2_slots < FIRST_LOG2_SLOTS || 4 * n_entries > UINT64_C(3) << set->log2_slots) {
        return "index too small";
    }
    size_t n_held = 0;
    for (size_t slot = 0; slot >> set->log2_slots == 0; slot++) {
        const uint32_t held = set->index[slot];
        if (held != 0 && (held & id_bits(set)) - 1 >= n_entries) {
            return "a slot holds an id that was never given";
        }
        n_held += held != 0;
    }
    return n_held == n_entries ? NULL : "slots in use do not match entries";
}

int
arcs_check(const arc_set *set, const char **reason)
{
    *reason = check_shape(set);
    for (uint32_t id = 0; *reason == NULL && id < set->n_entries; id++) {
        const arc_entry *e = arcs_at(set, id);
        uint32_t found;
        if (arcs_find(set, e->code, e->from, e->to, &found) == NULL) {
            *reason = "an entry is not found by its arc";
        } else if (found != id) {
            *reason = "an arc has two entries";
        }
    }
    return *reason == NULL ? 0 : -1;
}

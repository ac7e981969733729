/* The arc set against an array that is searched from end to end, with memory that runs out, and with keys that
 * poor hashes trip over. */
#include <stdbool.h>
#include <string.h>

#include "arcs.h"
#include "check.h"

static void
check_consistent(const arc_set *set)
{
    const char *reason = NULL;

    if (arcs_check(set, &reason) < 0) {
        fprintf(stderr, "arcs_check: %s\n", reason);
        CHECK(!"consistent");
    }
    CHECK(reason == NULL);
}

static void
test_empty(void)
{
    arc_set set;
    uint32_t id = 77;

    arcs_init(&set, NULL);
    check_consistent(&set);
    CHECK(arcs_find(&set, 0, 0, 0, &id) == NULL);
    CHECK(id == 77);
    CHECK(arcs_memory(&set) == 0);
    arcs_fini(&set);
    arcs_fini(&set);
    check_consistent(&set);
}

static void
test_ids_are_dense_and_entries_stay(void)
{
    enum { N = 5 * ARCS_CHUNK };
    arc_set set;
    uint32_t id;

    arcs_init(&set, NULL);
    CHECK(arcs_intern(&set, 9, 8, 7, &id) == 1);
    arc_entry *first = arcs_at(&set, id);
    first->serial = 123;
    for (uint32_t i = 1; i < N; i++) {
        CHECK(arcs_intern(&set, i % 7, i, i + 1, &id) == 1);
        CHECK(id == i);
        CHECK(arcs_at(&set, id)->serial == 0);
    }
    CHECK(arcs_at(&set, 0) == first);
    CHECK(first->code == 9 && first->from == 8 && first->to == 7 && first->serial == 123);
    CHECK(arcs_intern(&set, 9, 8, 7, &id) == 0);
    CHECK(id == 0);
    CHECK(set.n_entries == N);
    check_consistent(&set);

    arcs_clear(&set);
    check_consistent(&set);
    CHECK(arcs_memory(&set) == 0);
    CHECK(arcs_intern(&set, 1, 2, 3, &id) == 1);
    CHECK(id == 0);
    arcs_fini(&set);
}

/* ---- the slow twin ---- */

typedef struct {
    arc_entry entries[4096];
    uint32_t n_entries;
} twin;

static uint32_t
twin_find(const twin *t, const arc_entry *arc)
{
    for (uint32_t id = 0; id < t->n_entries; id++) {
        const arc_entry *e = &t->entries[id];
        if (e->code == arc->code && e->from == arc->from && e->to == arc->to) {
            return id;
        }
    }
    return UINT32_MAX;
}

/* Few enough values that arcs come again, the ends of the range among them. */
static uint32_t
some_end(uint64_t *random)
{
    const uint32_t n = (uint32_t)(next_random(random) % 14);

    return n < 12 ? n : UINT32_MAX - (n - 12);
}

static void
test_against_twin(void)
{
    static twin slow;
    arc_set set;
    uint64_t random = 1;

    arcs_init(&set, NULL);
    for (int step = 0; step < 12000; step++) {
        const arc_entry arc = {some_end(&random), some_end(&random), some_end(&random), 0};
        const uint32_t known = twin_find(&slow, &arc);
        uint32_t id = UINT32_MAX;
        const arc_entry *found = arcs_find(&set, arc.code, arc.from, arc.to, &id);
        CHECK((found == NULL) == (known == UINT32_MAX));
        CHECK(id == known);
        if (slow.n_entries == sizeof(slow.entries) / sizeof(slow.entries[0]) || step % 3 == 0) {
            continue; /* found or not, it was only asked for */
        }
        CHECK(arcs_intern(&set, arc.code, arc.from, arc.to, &id) == (known == UINT32_MAX));
        CHECK(id == (known == UINT32_MAX ? slow.n_entries : known));
        if (known == UINT32_MAX) {
            slow.entries[slow.n_entries++] = arc;
        }
        arcs_at(&set, id)->serial = slow.entries[id].serial = (uint32_t)step;
        if (step % 64 == 0 || slow.n_entries < 300) {
            check_consistent(&set);
        }
    }
    CHECK(set.n_entries == slow.n_entries && slow.n_entries > 2000);
    for (uint32_t id = 0; id < slow.n_entries; id++) {
        CHECK(memcmp(arcs_at(&set, id), &slow.entries[id], sizeof(arc_entry)) == 0);
    }
    arcs_fini(&set);
}

/* ---- memory ---- */

typedef struct {
    long calls_to_failure; /* that many calls succeed, the next one does not */
    bool has_failed;
    size_t n_blocks;
} scarce;

static void *
scarce_resize(void *ctx, void *block, size_t n_bytes)
{
    scarce *memory = ctx;

    if (n_bytes == 0) {
        memory->n_blocks--;
        free(block);
        return NULL;
    }
    if (memory->calls_to_failure-- == 0) {
        memory->has_failed = true;
        return NULL;
    }
    if (block == NULL) {
        memory->n_blocks++;
    }
    return realloc(block, n_bytes);
}

static void
check_holds_first(const arc_set *set, uint32_t n)
{
    check_consistent(set);
    CHECK(set->n_entries == n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id;
        const arc_entry *e = arcs_find(set, i / 50, i, ~i, &id);
        CHECK(e != NULL && id == i && e->serial == i + 1);
    }
}

/* Enough arcs for each kind of growth to happen more than once; the n-th allocation fails, for n = 0, 1, 2, ...
 * until none does. */
static void
test_out_of_memory(void)
{
    enum { N = 35 * ARCS_CHUNK };
    int n_failures = 0;

    for (long n = 0;; n++) {
        scarce memory = {.calls_to_failure = n};
        arc_set set;
        arcs_init(&set, &(arcs_allocator){scarce_resize, &memory});
        for (uint32_t i = 0; i < N; i++) {
            uint32_t id = UINT32_MAX;
            int added = arcs_intern(&set, i / 50, i, ~i, &id);
            if (added < 0) {
                CHECK(id == UINT32_MAX);
                check_holds_first(&set, i);
                CHECK(arcs_find(&set, i / 50, i, ~i, &id) == NULL);
                n_failures++;
                added = arcs_intern(&set, i / 50, i, ~i, &id);
            }
            CHECK(added == 1 && id == i);
            arcs_at(&set, id)->serial = i + 1;
        }
        check_holds_first(&set, N);
        arcs_fini(&set);
        CHECK(memory.n_blocks == 0);
        if (!memory.has_failed) {
            break;
        }
        CHECK(n_failures == n + 1);
    }
    CHECK(n_failures > 45); /* 9 index sizes, 35 chunks, 3 arrays of chunk pointers */
}

static void
test_full_of_ids(void)
{
    arc_set set;
    uint32_t id;

    arcs_init(&set, NULL);
    CHECK(arcs_intern(&set, 1, 1, 1, &id) == 1);
    set.n_entries = UINT32_MAX - 1; /* pretended: there is no machine to add them one by one */
    CHECK(arcs_intern(&set, 2, 2, 2, &id) == -1);
    CHECK(arcs_intern(&set, 1, 1, 1, &id) == 0);
    set.n_entries = 1;
    check_consistent(&set);
    arcs_fini(&set);
}

static void
test_memory_per_arc(void)
{
    arc_set set;
    double worst = 0;

    arcs_init(&set, NULL);
    for (uint32_t i = 0; i < 1000000; i++) {
        uint32_t id;
        CHECK(arcs_intern(&set, i >> 6, i & 63, i * 2, &id) == 1);
        if (i > 100000) { /* before, the one chunk that is not full weighs too much */
            const double now = (double)arcs_memory(&set) / (i + 1);
            worst = now > worst ? now : worst;
        }
    }
    const double at_a_million = (double)arcs_memory(&set) / 1e6;
    printf("    bytes an arc at a million %.2f, at worst %.2f\n", at_a_million, worst);
    CHECK(at_a_million <= 24.5);
    CHECK(worst <= 28); /* just after the index has doubled */
    arcs_fini(&set);
}

/* ---- hashing ---- */

typedef struct {
    const char *name;
    arc_entry (*key)(uint32_t i); /* a different one for each i < 2^17 */
} key_family;

static arc_entry
random_keys(uint32_t i)
{
    uint64_t state = i;
    const uint64_t ends = next_random(&state);

    return (arc_entry){(uint32_t)next_random(&state), (uint32_t)ends, (uint32_t)(ends >> 32), 0};
}

static arc_entry
sequential_codes(uint32_t i)
{
    return (arc_entry){i, 0, 0, 0};
}

static arc_entry
sequential_from(uint32_t i)
{
    return (arc_entry){1, i, 0, 0};
}

static arc_entry
sequential_to(uint32_t i)
{
    return (arc_entry){1, 0, i, 0};
}

static arc_entry
high_bits_of_code(uint32_t i)
{
    return (arc_entry){i << 15, 0, 0, 0};
}

static arc_entry
high_bits_of_from(uint32_t i)
{
    return (arc_entry){0, i << 15, 0, 0};
}

static arc_entry
high_bits_of_to(uint32_t i)
{
    return (arc_entry){0, 0, i << 15, 0};
}

static arc_entry
lines_of_codes(uint32_t i)
{
    return (arc_entry){i >> 4, UINT32_MAX, (i & 15) + 10, 0};
}

static arc_entry
arms_of_codes(uint32_t i)
{
    return (arc_entry){i >> 4, (i & 15) * 6, (i & 15) * 6 + 24, 0};
}

static arc_entry
one_code_many_offsets(uint32_t i)
{
    return (arc_entry){4242, 2 * (i >> 8), 2 * (i & 255), 0};
}

static arc_entry
ends_of_the_range(uint32_t i)
{
    return (arc_entry){UINT32_MAX - (i >> 10), UINT32_MAX - (i & 31), UINT32_MAX - (i >> 5 & 31), 0};
}

static arc_entry
same_sums(uint32_t i)
{
    return (arc_entry){i, 0u - i, i, 0};
}

static const key_family FAMILIES[] = {
    {"random", random_keys},
    {"sequential codes", sequential_codes},
    {"sequential from", sequential_from},
    {"sequential to", sequential_to},
    {"high bits of code", high_bits_of_code},
    {"high bits of from", high_bits_of_from},
    {"high bits of to", high_bits_of_to},
    {"lines of codes", lines_of_codes},
    {"arms of codes", arms_of_codes},
    {"one code, many offsets", one_code_many_offsets},
    {"ends of the range", ends_of_the_range},
    {"same sums", same_sums},
};

/* At a load of 3/4, double hashing meets 1 / (1 - 3/4) = 4 slots on average for an arc that is absent, and some dozens at
 * most, if the hash is as good as random.  Rows of arcs may not be much worse. */
static void
test_probes_are_short(void)
{
    for (size_t f = 0; f < sizeof(FAMILIES) / sizeof(FAMILIES[0]); f++) {
        arc_set set;
        size_t sum = 0, longest = 0;
        arcs_init(&set, NULL);
        const uint32_t n = 3u << 15; /* fills 2^17 slots as far as they are let */
        for (uint32_t i = 0; i < n; i++) {
            const arc_entry key = FAMILIES[f].key(i);
            uint32_t id;
            CHECK(arcs_intern(&set, key.code, key.from, key.to, &id) == 1);
        }
        CHECK(set.log2_slots == 17);
        for (uint32_t i = n; i < 2 * n; i++) { /* absent, but of the same family */
            const arc_entry key = FAMILIES[f].key(i);
            const size_t probes = arcs_probes(&set, key.code, key.from, key.to);
            sum += probes;
            longest = probes > longest ? probes : longest;
        }
        const double average = (double)sum / n;
        printf("    %-24s probes: average %5.2f, longest %3zu\n", FAMILIES[f].name, average, longest);
        CHECK(average < 5);
        CHECK(longest < 150);
        arcs_fini(&set);
    }
}

/* ---- the check itself ---- */

static void
test_check_sees_damage(void)
{
    arc_set set;
    const char *reason = NULL;
    uint32_t id;
    size_t slot = 0;

    arcs_init(&set, NULL);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(arcs_intern(&set, i, i, i, &id) == 1);
    }
    while (set.index[slot] == 0) {
        slot++;
    }
    const uint32_t held = set.index[slot];

    set.index[slot] = 0;
    CHECK(arcs_check(&set, &reason) == -1 && reason != NULL);
    set.index[slot] = held + 100;
    CHECK(arcs_check(&set, &reason) == -1 && reason != NULL);
    set.index[slot] = held ^ 1u << 31; /* of its tag */
    CHECK(arcs_check(&set, &reason) == -1 && reason != NULL);
    set.index[slot] = held;
    check_consistent(&set);

    arcs_at(&set, 50)->code = 51;
    CHECK(arcs_check(&set, &reason) == -1 && reason != NULL);
    arcs_at(&set, 50)->code = 50;
    set.n_entries++;
    CHECK(arcs_check(&set, &reason) == -1 && reason != NULL);
    set.n_entries--;
    set.n_chunks += 2;
    CHECK(arcs_check(&set, &reason) == -1 && reason != NULL);
    set.n_chunks -= 2;
    check_consistent(&set);
    arcs_fini(&set);
}

static const test TESTS[] = {
    TEST(test_empty),
    TEST(test_ids_are_dense_and_entries_stay),
    TEST(test_against_twin),
    TEST(test_out_of_memory),
    TEST(test_full_of_ids),
    TEST(test_memory_per_arc),
    TEST(test_probes_are_short),
    TEST(test_check_sees_damage),
};

int
main(void)
{
    return RUN(TESTS);
}

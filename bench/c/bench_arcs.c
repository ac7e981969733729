// needs: arcs.c recording.c crc32.c sha256.c owner.c platform_posix.c
/* What the C core costs for each event, in the CPU time of this process.  Prints lines of `name value unit`, each the
 * least of some rounds: what else the machine does only adds.  Recordings are made, and removed, in the current folder. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arcs.h"
#include "recording.h"
#include "sha256.h"

enum { ROUNDS = 9, MILLION = 1000000, N_HOT = 1000, N_RECORDS = 2 * MILLION };

static volatile uint64_t sink; /* what is computed goes here, or the compiler would leave it out */

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
fail(const char *what)
{
    fprintf(stderr, "bench_arcs: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int
compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
report(const char *name, double values[ROUNDS], const char *unit)
{
    qsort(values, ROUNDS, sizeof(*values), compare);
    printf("%-28s %8.2f %s\n", name, values[0], unit);
    fflush(stdout);
}

/* ---- arcs ---- */

/* Arc i of a program whose code objects have 50 arcs each. */
static int
intern(arc_set *set, uint32_t i, uint32_t *id)
{
    return arcs_intern(set, i / 50, i % 50 * 6, i % 50 * 6 + 18, id);
}

static const arc_entry *
find(const arc_set *set, uint32_t i, uint32_t *id)
{
    return arcs_find(set, i / 50, i % 50 * 6, i % 50 * 6 + 18, id);
}

static void
fill(arc_set *set, uint32_t n)
{
    uint32_t id;

    for (uint32_t i = 0; i < n; i++) {
        if (intern(set, i, &id) != 1) {
            fail("arcs_intern");
        }
    }
}

static void
bench_hot(void)
{
    static const char *const names[] = {"arcs_find_hot", "arcs_intern_hot"};
    arc_set set;

    arcs_init(&set, NULL);
    fill(&set, N_HOT);
    for (int interning = 0; interning < 2; interning++) {
        double values[ROUNDS];
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t sum = 0;
            uint32_t id;
            const double start = now_ns();
            for (uint32_t n = 0; n < 2000; n++) {
                for (uint32_t i = 0; i < N_HOT; i++) {
                    sum += interning ? (uint64_t)intern(&set, i, &id) : find(&set, i, &id)->serial;
                    sum += id;
                }
            }
            values[round] = (now_ns() - start) / (2000.0 * N_HOT);
            sink += sum;
        }
        report(names[interning], values, "ns");
    }
    arcs_fini(&set);
}

static void
bench_many(uint32_t n_arcs, const char *const names[3])
{
    double new[ROUNDS], random[ROUNDS], n_bytes[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        arc_set set;
        uint64_t sum = 0, state = 1;
        uint32_t id;
        arcs_init(&set, NULL);
        double start = now_ns();
        fill(&set, n_arcs);
        new[round] = (now_ns() - start) / n_arcs;
        n_bytes[round] = (double)arcs_memory(&set) / n_arcs;
        start = now_ns();
        for (uint32_t n = 0; n < 2 * MILLION; n++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            sum += find(&set, (uint32_t)((state >> 32) * n_arcs >> 32), &id)->serial + id;
        }
        random[round] = (now_ns() - start) / (2 * MILLION);
        sink += sum;
        arcs_fini(&set);
    }
    report(names[0], random, "ns");
    report(names[1], new, "ns");
    report(names[2], n_bytes, "bytes");
}

/* ---- recordings ---- */

static char folder[PATH_MAX];

static void
open_recording(recording *r)
{
    recording_owner owner = {.run_id = "be9c"};
    const char *directories[] = {folder};
    size_t index;
    const uint8_t hash[SHA256_BYTES] = {0};

    recording_owner_fill(&owner);
    if (recording_open(r, directories, 1, &owner, &index) < 0) {
        fail("recording_open");
    }
    if (recording_file(r, hash, "a.py", 4) < 0 || recording_code(r, 0, 1, 0, "f", 1, hash, 32) < 0
        || recording_arc(r, 0, 0) < 0) {
        fail("recording");
    }
}

static void
remove_recording(recording *r)
{
    for (uint32_t segment = 0; segment <= r->segment; segment++) {
        char path[PATH_MAX + RECORDING_NAME_ROOM + 16];
        snprintf(path, sizeof(path), "%s/%s.%u", folder, r->name, segment);
        if (unlink(path) < 0) {
            fail(path);
        }
    }
    recording_finish(r);
}

static void
bench_small_recordings(void)
{
    static const uint8_t shape[200] = {1, 2, 3};
    double opened[ROUNDS], filled[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        recording r;
        const double start = now_ns();
        open_recording(&r);
        const double middle = now_ns();
        while (r.length < 20 * 1024) {
            recording_code(&r, 0, 1, 0, "some.qualified.name", 19, shape, sizeof(shape));
        }
        opened[round] = (middle - start) / 1e3;
        filled[round] = (now_ns() - middle) / 1e3;
        remove_recording(&r);
    }
    report("recording_open", opened, "us");
    report("recording_fill_20_KB", filled, "us");
}

static void
bench_appends(void)
{
    static const char *const names[] = {"recording_hit", "recording_arc"};

    for (int arcs = 0; arcs < 2; arcs++) {
        double values[ROUNDS];
        for (int round = 0; round < ROUNDS; round++) {
            recording r;
            open_recording(&r);
            const double start = now_ns();
            for (uint32_t i = 0; i < N_RECORDS; i++) {
                if ((arcs ? recording_arc(&r, 0, i) : recording_hit(&r, 0)) < 0) {
                    fail("append");
                }
            }
            values[round] = (now_ns() - start) / N_RECORDS;
            remove_recording(&r);
        }
        report(names[arcs], values, "ns");
    }
}

static void
bench_hashing(void)
{
    static uint8_t source[1 << 20];
    uint8_t digest[SHA256_BYTES];
    double values[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        sha256 h;
        const double start = now_ns();
        sha256_init(&h);
        sha256_update(&h, source, sizeof(source));
        sha256_final(&h, digest);
        values[round] = (now_ns() - start) / (sizeof(source) / 1024);
        sink += digest[0];
    }
    report("sha256_per_KB", values, "ns");
}

int
main(void)
{
    if (getcwd(folder, sizeof(folder)) == NULL) {
        fail("getcwd");
    }
    bench_hot();
    bench_many(100000, (const char *[]){"arcs_find_random_of_100k", "arcs_intern_new_to_100k", "arcs_memory_at_100k"});
    bench_many(MILLION, (const char *[]){"arcs_find_random_of_1M", "arcs_intern_new_to_1M", "arcs_memory_at_1M"});
    bench_small_recordings();
    bench_appends();
    bench_hashing();
    return 0;
}

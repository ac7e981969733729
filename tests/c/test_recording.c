// needs: recording_read.c owner.c crc32.c platform_posix.c
/* Recordings written and read back; disks that fill up; processes that fork or are killed; files that are cut or damaged. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "crc32.h"
#include "recording.h"
#include "recording_format.h"
#include "temporary.h"

/* ---- helpers ---- */

static const uint8_t HASH[SHA256_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, [31] = 99};

static recording_owner
new_owner(void)
{
    recording_owner owner = {.run_id = "0123456789abcdef", .hexversion = 0x030E00F0, .optimize = 1};

    recording_owner_fill(&owner);
    return owner;
}

static void
open_here(recording *r)
{
    const recording_owner owner = new_owner();
    const char *directories[] = {temporary_folder};
    size_t index = 77;

    CHECK(recording_open(r, directories, 1, &owner, &index) == 0);
    CHECK(index == 0);
    CHECK(recording_ready(r));
}

/* A file, a code object and an arc: what hits need. */
static void
open_with_arc(recording *r)
{
    open_here(r);
    CHECK(recording_file(r, HASH, "/a.py", 5) == 0);
    CHECK(recording_code(r, 0, 1, 0, "f", 1, HASH, 5) == 0);
    CHECK(recording_arc(r, 0, 0) == 0);
}

static const char *
segment_path(const char *name, uint32_t segment)
{
    char file[RECORDING_NAME_ROOM + 16];

    snprintf(file, sizeof(file), "%s.%" PRIu32, name, segment);
    return temporary_path(file);
}

typedef struct {
    uint8_t *bytes;
    size_t n_bytes;
} image;

/* A segment's bytes in a block of exactly their size, so that a read past it is seen; NULL: no such file. */
static image
read_segment(const char *name, uint32_t segment)
{
    FILE *file = fopen(segment_path(name, segment), "rb");
    struct stat status;
    image result = {0};

    if (file == NULL) {
        return result;
    }
    CHECK(fstat(fileno(file), &status) == 0);
    result.n_bytes = (size_t)status.st_size;
    result.bytes = malloc(result.n_bytes + (result.n_bytes == 0));
    CHECK(result.bytes != NULL);
    CHECK(fread(result.bytes, 1, result.n_bytes, file) == result.n_bytes);
    (void)fclose(file);
    return result;
}

typedef struct {
    uint64_t n_records, n_hits, n_arcs;
    uint32_t n_segments;
    uint32_t ends[32];
    int32_t error;
    bool is_unbegun; /* one more file is there, with nothing in it */
} summary;

/* Reads a whole recording, which must be without fault.  HIT and ARC records must be as count_up and thousand_arcs write them. */
static summary
read_recording(const char *name)
{
    summary s = {0};

    for (image i = read_segment(name, 0); i.bytes != NULL; i = read_segment(name, s.n_segments)) {
        segment_reader reader;
        segment_info info;
        const char *reason;
        record r;
        int result;
        result = segment_open(&reader, &info, i.bytes, i.n_bytes, &reason);
        if (result < 0 && s.n_segments > 0 && s.ends[s.n_segments - 1] == SEGMENT_OPEN) { /* killed while it grew */
            CHECK(strstr(reason, "left before") != NULL);
            s.is_unbegun = true;
            free(i.bytes);
            break;
        }
        CHECK(result == 0);
        CHECK(info.segment == s.n_segments);
        s.ends[s.n_segments++] = info.end;
        s.error = info.error;
        while ((result = segment_next(&reader, &r)) == 1) {
            s.n_records++;
            if (r.type == RECORD_HIT) {
                CHECK(r.argument == s.n_hits++ * 7 % 1000);
            }
            else if (r.type == RECORD_ARC) {
                uint32_t slot;
                memcpy(&slot, r.payload, sizeof(slot));
                CHECK(r.argument == 0 && slot == 2 * s.n_arcs++);
            }
            else if (r.type == RECORD_SLOT) {
                CHECK(r.argument == 2 * s.n_arcs++);
            }
        }
        CHECK(result == 0 && reader.reason == NULL);
        free(i.bytes);
    }
    return s;
}

/* Hits and arcs that do not follow on one another: else a MORE would say them all. */
static int64_t
count_up(recording *r, uint64_t n)
{
    return recording_hit(r, (uint32_t)(n * 7 % 1000));
}

static void
thousand_arcs(recording *r)
{
    while (r->n_arcs < 1000) {
        CHECK(recording_arc(r, 0, 2 * r->n_arcs) == r->n_arcs - 1);
    }
}

static void
check_exit(pid_t child, int status)
{
    int found;

    CHECK(waitpid(child, &found, 0) == child);
    CHECK(WIFEXITED(found) && WEXITSTATUS(found) == status);
}

/* ---- what is written is read ---- */

static void
test_crc(void)
{
    uint8_t bytes[300];

    crc32_prepare();
    CHECK(crc32_update(0, NULL, 0) == 0);
    CHECK(crc32_update(0, "123456789", 9) == 0xCBF43926);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 37);
    }
    const uint32_t whole = crc32_update(0, bytes, sizeof(bytes));
    CHECK(whole == 0xF9E65611); /* zlib.crc32(bytes(i * 37 & 255 for i in range(300))) */
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        CHECK(crc32_update(crc32_update(0, bytes, cut), bytes + cut, sizeof(bytes) - cut) == whole);
    }
}

static void
test_every_kind_of_record(void)
{
    static const char settings[] = "source\0src\0branch\0yes";
    recording r;
    const char *parts[3] = {"label", "tests/test_a.py::test_b[\xc3\xa4]", "run"};
    const size_t n_parts[3] = {5, strlen(parts[1]), 3};
    const char *none[3] = {NULL, NULL, NULL};
    uint8_t shape[64];

    memset(shape, 0xA5, sizeof(shape));
    open_here(&r);
    const recording_owner owner = r.owner;
    CHECK(recording_run(&r, settings, sizeof(settings)) == 0);
    CHECK(recording_file(&r, HASH, "/src/a.py", 9) == 0);
    CHECK(recording_file(&r, HASH, "", 0) == 1);
    for (uint32_t n = 0; n < 20; n++) { /* every rest of a word */
        CHECK(recording_code(&r, 1, -(int32_t)n, n << 8, "f.<locals>.g_of_some_length", n, shape, 3 * n) == n);
    }
    CHECK(recording_context(&r, parts, n_parts) == 0);
    CHECK(recording_context(&r, none, (size_t[3]){0}) == 1);
    CHECK(recording_arc(&r, 19, 0xFFFFFFFF) == 0);
    CHECK(recording_arc(&r, 0, 7) == 1);
    CHECK(recording_hit(&r, 1) == 0);
    CHECK(recording_switch(&r, 0) == 0);
    CHECK(recording_run(&r, NULL, 0) == 0);
    char name[RECORDING_NAME_ROOM];
    strcpy(name, r.name);
    recording_finish(&r);
    CHECK(!recording_ready(&r));
    CHECK(recording_hit(&r, 0) == -1);
    CHECK(r.error == 0);
    CHECK(r.n_files == 2 && r.n_codes == 20 && r.n_contexts == 2 && r.n_arcs == 2);
    recording_abandon(&r);
    recording_abandon(&r);

    image i = read_segment(name, 0);
    segment_reader reader;
    segment_info info;
    const char *reason = NULL, *text;
    const uint8_t *hash;
    size_t n_text;
    record out;
    code_record code;
    CHECK(i.n_bytes == SEGMENT_FIRST);
    CHECK(segment_open(&reader, &info, i.bytes, i.n_bytes, &reason) == 0);
    CHECK(memcmp(&info.owner, &owner, sizeof(owner)) == 0);
    CHECK(info.segment == 0 && info.end == SEGMENT_FINISHED && info.error == 0);

    CHECK(segment_next(&reader, &out) == 1);
    CHECK(record_file(&out, &hash, &text, &n_text) == -1);
    CHECK(record_run(&out, &text, &n_text) == 0);
    CHECK(n_text == sizeof(settings) && memcmp(text, settings, n_text) == 0);
    CHECK(segment_next(&reader, &out) == 1);
    CHECK(record_run(&out, &text, &n_text) == -1);
    CHECK(record_file(&out, &hash, &text, &n_text) == 0);
    CHECK(n_text == 9 && memcmp(text, "/src/a.py", 9) == 0 && memcmp(hash, HASH, sizeof(HASH)) == 0);
    CHECK(segment_next(&reader, &out) == 1);
    CHECK(record_code(&out, &code) == -1);
    CHECK(record_file(&out, &hash, &text, &n_text) == 0);
    CHECK(n_text == 0);
    for (uint32_t n = 0; n < 20; n++) {
        CHECK(segment_next(&reader, &out) == 1);
        CHECK(record_code(&out, &code) == 0);
        CHECK(code.file_id == 1 && code.first_line == -(int32_t)n && code.co_flags == n << 8);
        CHECK(code.n_qualname == n && memcmp(code.qualname, "f.<locals>.g_of_some_length", n) == 0);
        CHECK(code.n_shape == 3 * n && memcmp(code.shape, shape, 3 * n) == 0);
    }
    const char *found[3];
    size_t n_found[3];
    CHECK(record_context(&out, found, n_found) == -1);
    CHECK(segment_next(&reader, &out) == 1);
    CHECK(record_context(&out, found, n_found) == 0);
    for (int part = 0; part < 3; part++) {
        CHECK(n_found[part] == n_parts[part] && memcmp(found[part], parts[part], n_parts[part]) == 0);
    }
    CHECK(segment_next(&reader, &out) == 1);
    CHECK(record_context(&out, found, n_found) == 0);
    CHECK(n_found[0] == 0 && n_found[1] == 0 && n_found[2] == 0);

    static const struct {
        record_type type;
        uint32_t argument, slot;
    } plain[] = {{RECORD_ARC, 19, 0xFFFFFFFF}, {RECORD_ARC, 0, 7}, {RECORD_HIT, 1, 0}, {RECORD_SWITCH, 0, 0}};
    for (size_t k = 0; k < 4; k++) {
        CHECK(segment_next(&reader, &out) == 1);
        CHECK(out.type == plain[k].type && out.argument == plain[k].argument);
        CHECK(out.n_payload == (out.type == RECORD_ARC ? 8 : 0));
        CHECK(out.type != RECORD_ARC || memcmp(out.payload, &plain[k].slot, 4) == 0);
    }
    CHECK(segment_next(&reader, &out) == 1);
    CHECK(record_run(&out, &text, &n_text) == 0 && n_text == 0);
    CHECK(segment_next(&reader, &out) == 0);
    CHECK(segment_next(&reader, &out) == 0);
    CHECK(reader.at == i.bytes + SEGMENT_HEADER + info.length);
    free(i.bytes);
}

/* The next record must be a plain one of this type and argument. */
static void
check_next(segment_reader *reader, record_type type, uint32_t argument)
{
    record r;

    CHECK(segment_next(reader, &r) == 1);
    CHECK(r.type == type && r.argument == argument);
}

/* What follows on the newest record is counted in a MORE after it; anything else in between begins anew. */
static void
test_more(void)
{
    recording r;
    segment_reader reader;
    segment_info info;
    const char *reason;

    open_with_arc(&r);
    for (uint32_t slot = 1; slot < 5; slot++) {
        CHECK(recording_arc(&r, 0, slot) == slot);
    }
    CHECK(recording_arc(&r, 0, 6) == 5);
    CHECK(recording_arc(&r, 0, UINT32_MAX) == 6);
    CHECK(recording_arc(&r, 0, 0) == 7); /* NO_SLOT + 1 */
    CHECK(recording_hit(&r, 1) == 0 && recording_hit(&r, 2) == 0 && recording_hit(&r, 3) == 0);
    CHECK(recording_arc(&r, 0, 4) == 8); /* no arc follows on a hit ... */
    CHECK(recording_hit(&r, 4) == 0); /* ... nor a hit on an arc ... */
    CHECK(recording_hit(&r, 4) == 0); /* ... nor on itself */
    CHECK(recording_hit(&r, 5) == 0);
    CHECK(recording_file(&r, HASH, "/b.py", 5) == 1);
    CHECK(recording_hit(&r, 6) == 0 && recording_hit(&r, 7) == 0);

    image i = read_segment(r.name, 0);
    CHECK(segment_open(&reader, &info, i.bytes, i.n_bytes, &reason) == 0);
    record out;
    CHECK(segment_next(&reader, &out) == 1 && segment_next(&reader, &out) == 1); /* FILE and CODE */
    check_next(&reader, RECORD_ARC, 0);
    check_next(&reader, RECORD_MORE, 4);
    check_next(&reader, RECORD_SLOT, 6);
    check_next(&reader, RECORD_SLOT, NO_SLOT);
    check_next(&reader, RECORD_SLOT, 0);
    check_next(&reader, RECORD_HIT, 1);
    check_next(&reader, RECORD_MORE, 2);
    check_next(&reader, RECORD_SLOT, 4);
    check_next(&reader, RECORD_HIT, 4);
    check_next(&reader, RECORD_HIT, 4);
    check_next(&reader, RECORD_MORE, 1);
    CHECK(segment_next(&reader, &out) == 1 && out.type == RECORD_FILE);
    check_next(&reader, RECORD_HIT, 6);
    check_next(&reader, RECORD_MORE, 1);
    CHECK(segment_next(&reader, &out) == 0 && reader.reason == NULL);
    free(i.bytes);
    recording_finish(&r);
}

/* The slot that would follow is no more of the same where it is another code object's. */
static void
test_no_more_of_another_code_object(void)
{
    recording r;
    segment_reader reader;
    segment_info info;
    const char *reason;

    open_with_arc(&r);
    CHECK(recording_code(&r, 0, 2, 0, "g", 1, (const uint8_t *)"shape", 5) == 1);
    CHECK(recording_arc(&r, 0, 3) == 1);
    CHECK(recording_arc(&r, 1, 4) == 2);
    CHECK(recording_arc(&r, 1, 5) == 3);
    CHECK(recording_arc(&r, 0, 6) == 4);

    image i = read_segment(r.name, 0);
    CHECK(segment_open(&reader, &info, i.bytes, i.n_bytes, &reason) == 0);
    record out;
    for (int k = 0; k < 4; k++) { /* FILE, CODE, ARC, CODE */
        CHECK(segment_next(&reader, &out) == 1);
    }
    check_next(&reader, RECORD_SLOT, 3);
    check_next(&reader, RECORD_ARC, 1);
    check_next(&reader, RECORD_MORE, 1);
    check_next(&reader, RECORD_ARC, 0);
    CHECK(segment_next(&reader, &out) == 0 && reader.reason == NULL);
    free(i.bytes);
    recording_finish(&r);
}

/* No MORE where the segment is full, nor at the beginning of the next one: what a segment says it says alone. */
static void
test_more_at_the_end_of_a_segment(void)
{
    recording r;

    open_with_arc(&r);
    thousand_arcs(&r);
    for (uint64_t n = 0; r.capacity - r.length >= 8; n++) {
        CHECK(count_up(&r, n) == 0);
    }
    const uint32_t following = r.next_arc;
    CHECK(r.segment == 0 && recording_hit(&r, following) == 0 && r.segment == 1);
    CHECK(recording_hit(&r, following + 1) == 0);
    image i = read_segment(r.name, 1);
    segment_reader reader;
    segment_info info;
    const char *reason;
    record out;
    CHECK(segment_open(&reader, &info, i.bytes, i.n_bytes, &reason) == 0);
    check_next(&reader, RECORD_HIT, following);
    check_next(&reader, RECORD_MORE, 1);
    CHECK(segment_next(&reader, &out) == 0);
    free(i.bytes);
    recording_finish(&r);
}

static void
test_three_segments(void)
{
    enum { N = 200000 }; /* 1.6 MB: 256 KB, 512 KB, 1 MB */
    recording r;

    open_with_arc(&r);
    thousand_arcs(&r);
    for (uint32_t n = 0; n < N; n++) {
        CHECK(count_up(&r, n) == 0);
    }
    CHECK(r.segment == 2);
    summary s = read_recording(r.name);
    CHECK(s.n_segments == 3 && s.n_hits == N && s.n_arcs == 1000 && s.n_records == N + 1000 + 2);
    CHECK(s.ends[0] == SEGMENT_CONTINUED && s.ends[1] == SEGMENT_CONTINUED && s.ends[2] == SEGMENT_OPEN);
    image i = read_segment(r.name, 2);
    CHECK(i.n_bytes == 4 * SEGMENT_FIRST);
    free(i.bytes);
    char name[RECORDING_NAME_ROOM];
    strcpy(name, r.name);
    recording_finish(&r);
    s = read_recording(name);
    CHECK(s.ends[2] == SEGMENT_FINISHED && s.n_hits == N);
}

/* The id of the context that a recording's newest header points to, from 0. */
static int64_t
current_context(const recording *r)
{
    image newest = read_segment(r->name, r->segment);
    segment_header header;
    CHECK(newest.n_bytes >= sizeof(header));
    memcpy(&header, newest.bytes, sizeof(header));
    free(newest.bytes);
    CHECK(header.context == recording_place(r));

    image i = read_segment(r->name, (uint32_t)(header.context >> 32));
    segment_reader reader;
    segment_info info;
    const char *reason;
    record found;
    CHECK(segment_open(&reader, &info, i.bytes, i.n_bytes, &reason) == 0);
    reader.at = i.bytes + (uint32_t)header.context;
    CHECK(segment_next(&reader, &found) == 1);
    const char *parts[3];
    size_t n_parts[3];
    CHECK(record_context(&found, parts, n_parts) == 0);
    const int64_t id = (int64_t)n_parts[1];
    free(i.bytes);
    return id;
}

static void
test_place_of_the_current_context(void)
{
    enum { N = 70000 }; /* some segments */
    static char text[N];
    recording r;

    memset(text, 'x', sizeof(text));
    open_with_arc(&r);
    CHECK(recording_place(&r) == 0);
    for (uint32_t n = 0; n < N; n += 1000) {
        const char *parts[3] = {"", text, "run"};
        CHECK(recording_context(&r, parts, (size_t[3]){0, n, 3}) == n / 1000);
        CHECK(current_context(&r) == n);
    }
    CHECK(r.segment > 1);
    CHECK(recording_switch(&r, 3) == 0);
    CHECK(current_context(&r) == 3000);
    const uint32_t segment = r.segment;
    for (uint32_t n = 0; r.segment == segment; n++) {
        CHECK(recording_hit(&r, 0) == 0);
    }
    CHECK(current_context(&r) == 3000); /* the new segment's header knows, too */
    recording_finish(&r);
}

static void
test_large_records(void)
{
    enum { LARGE = SEGMENT_LARGEST + 12345 };
    char *large = malloc(LARGE);
    recording r;

    CHECK(large != NULL);
    for (size_t i = 0; i < LARGE; i++) {
        large[i] = (char)(i % 251);
    }
    open_here(&r);
    CHECK(recording_file(&r, HASH, "/a.py", 5) == 0);
    CHECK(recording_code(&r, 0, 1, 0, "f", 1, (const uint8_t *)large, 3 * SEGMENT_FIRST) == 0);
    CHECK(r.segment == 1);
    CHECK(recording_code(&r, 0, 2, 0, "g", 1, (const uint8_t *)large, LARGE) == 1);
    CHECK(r.segment == 2);
    CHECK(recording_code(&r, 0, 3, 0, "h", 1, (const uint8_t *)large, SEGMENT_FIRST) == 2);
    CHECK(r.segment == 3 && r.capacity == SEGMENT_LARGEST);
    CHECK(read_recording(r.name).n_records == 4);
    image i = read_segment(r.name, 2);
    segment_reader reader;
    segment_info info;
    const char *reason;
    record out;
    code_record code;
    CHECK(segment_open(&reader, &info, i.bytes, i.n_bytes, &reason) == 0);
    CHECK(segment_next(&reader, &out) == 1 && record_code(&out, &code) == 0);
    CHECK(code.first_line == 2 && code.n_shape == LARGE && memcmp(code.shape, large, LARGE) == 0);
    free(i.bytes);

    /* More than a record can say: not looked at, and the end of the recording. */
    CHECK(recording_run(&r, large, (size_t)1 << 27) == -1);
    CHECK(r.error == EFBIG && !recording_ready(&r));
    CHECK(recording_hit(&r, 0) == -1);
    const summary s = read_recording(r.name);
    CHECK(s.n_records == 4 && s.ends[3] == SEGMENT_STOPPED && s.error == EFBIG);
    recording_finish(&r);
    CHECK(r.error == EFBIG);
    empty_folder(temporary_folder);
    free(large);
}

/* ---- who writes, and where ---- */

static void
test_owner(void)
{
    recording_owner plain = {0}, odd = {0};
    struct timespec now;

    recording_owner_fill(&plain);
    CHECK(prctl(PR_SET_NAME, "a) R 1 ((b) c", 0, 0, 0) == 0);
    recording_owner_fill(&odd);
    CHECK(plain.start_ticks > 0 && plain.start_ticks == odd.start_ticks);
    CHECK(plain.pid == (uint64_t)getpid());
    CHECK(strlen(plain.boot_id) == 36 && strcmp(plain.boot_id, odd.boot_id) == 0);
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    CHECK(plain.started_ns / 1000000000 + 10 > (uint64_t)now.tv_sec);
    CHECK(plain.run_id[0] == 0 && plain.hexversion == 0);

    const pid_t child = fork();
    if (child == 0) {
        recording_owner_fill(&odd);
        _exit(odd.pid == (uint64_t)getpid() && odd.start_ticks >= plain.start_ticks ? 0 : 1);
    }
    check_exit(child, 0);
}

static void
test_name(void)
{
    char expected[RECORDING_NAME_ROOM];
    recording r, again, third;

    open_with_arc(&r);
    snprintf(expected, sizeof(expected), "0123456789abcdef-%d-%" PRIu64, getpid(), r.owner.start_ticks);
    CHECK(strncmp(r.name, expected, strlen(expected)) == 0);
    /* An exec, or a stop and a start, leave pid and start as they are. */
    open_with_arc(&again);
    open_with_arc(&third);
    CHECK(strcmp(r.name, again.name) != 0 && strcmp(again.name, third.name) != 0);
    CHECK(strncmp(again.name, expected, strlen(expected)) == 0);
    CHECK(read_recording(again.name).n_arcs == 1);
    recording_finish(&r);
    recording_finish(&again);
    recording_finish(&third);
    empty_folder(temporary_folder);
}

static void
test_run_id_is_hex(void)
{
    static const char *const bad[] = {"", "../../etc/x", "a b", "12g", "01234567890123456789012345678901"};
    const char *directories[] = {temporary_folder};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        recording_owner owner = new_owner();
        recording r;
        size_t index;
        memcpy(owner.run_id, bad[i], strlen(bad[i]) < 32 ? strlen(bad[i]) + 1 : 32);
        CHECK(recording_open(&r, directories, 1, &owner, &index) == -1);
        CHECK(errno == EINVAL);
        CHECK(!recording_ready(&r));
        recording_abandon(&r);
    }
}

/* Not by permissions: the test may run as root. */
static void
test_directories_in_order(void)
{
    char missing[PATH_MAX + 16], file[PATH_MAX + 16];
    const recording_owner owner = new_owner();
    recording r;
    size_t index = 77;

    snprintf(missing, sizeof(missing), "%s", temporary_path("missing"));
    snprintf(file, sizeof(file), "%s", temporary_path("file"));
    FILE *made = fopen(file, "w");
    CHECK(made != NULL && fclose(made) == 0);

    CHECK(recording_open(&r, (const char *[]){missing, file, temporary_folder}, 3, &owner, &index) == 0);
    CHECK(index == 2);
    CHECK(access(segment_path(r.name, 0), F_OK) == 0);
    recording_finish(&r);
    CHECK(recording_open(&r, (const char *[]){missing, file}, 2, &owner, &index) == -1);
    CHECK(errno == ENOTDIR && !recording_ready(&r) && r.directories == NULL);
    CHECK(recording_open(&r, (const char *[]){file, missing}, 2, &owner, &index) == -1);
    CHECK(errno == ENOENT);
    CHECK(recording_open(&r, NULL, 0, &owner, &index) == -1);
    CHECK(errno == ENOENT);
    CHECK(recording_hit(&r, 0) == -1);
    recording_finish(&r);
    empty_folder(temporary_folder);
}

static void
test_link_is_not_followed(void)
{
    recording r;
    char victim[PATH_MAX + 16], first[PATH_MAX + 16];

    open_here(&r);
    snprintf(first, sizeof(first), "%s", segment_path(r.name, 0));
    snprintf(victim, sizeof(victim), "%s", temporary_path("victim"));
    recording_finish(&r);
    CHECK(unlink(first) == 0);
    CHECK(symlink(victim, first) == 0);
    open_here(&r);
    CHECK(access(victim, F_OK) == -1);
    CHECK(access(segment_path(r.name, 0), F_OK) == 0);
    recording_finish(&r);
    empty_folder(temporary_folder);
}

/* The program's umask must not keep the reader out, nor a small segment be a hole. */
static void
test_mode_and_blocks(void)
{
    recording r;
    struct stat status;

    const mode_t before = umask(0777);
    open_here(&r);
    umask(before);
    CHECK(stat(segment_path(r.name, 0), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(status.st_size == SEGMENT_FIRST);
    CHECK(status.st_blocks * 512 >= SEGMENT_FIRST);
    recording_finish(&r);
    empty_folder(temporary_folder);
}

static void
test_no_descriptor_is_kept(void)
{
    recording r;
    const int before = dup(1);

    CHECK(before >= 0);
    (void)close(before);
    open_with_arc(&r);
    while (r.segment < 2) {
        CHECK(recording_hit(&r, 0) == 0);
    }
    const int after = dup(1);
    CHECK(after == before);
    (void)close(after);
    recording_finish(&r);
    empty_folder(temporary_folder);
}

/* ---- disks that fill up ---- */

static int (*real_fallocate)(int fd, int64_t n_bytes);
static int calls_to_failure, failure, lowest_fd;

static int
failing_fallocate(int fd, int64_t n_bytes)
{
    lowest_fd = fd < lowest_fd ? fd : lowest_fd;
    if (calls_to_failure-- == 0) {
        errno = failure;
        return -1;
    }
    return real_fallocate(fd, n_bytes);
}

static void
fail_fallocate(int n_calls, int error)
{
    real_fallocate = real_fallocate == NULL ? platform_allocate : real_fallocate;
    platform_allocate = n_calls < 0 ? real_fallocate : failing_fallocate;
    calls_to_failure = n_calls;
    failure = error;
    lowest_fd = INT_MAX;
}

static void
test_disk_full_at_first(void)
{
    const recording_owner owner = new_owner();
    recording r;
    size_t index;

    fail_fallocate(0, ENOSPC);
    CHECK(recording_open(&r, (const char *[]){temporary_folder}, 1, &owner, &index) == -1);
    CHECK(errno == ENOSPC && !recording_ready(&r));
    CHECK(rmdir(temporary_folder) == 0); /* nothing was left behind */
    CHECK(mkdir(temporary_folder, 0700) == 0);
    /* The same disk twice: the second directory takes it. */
    fail_fallocate(0, ENOSPC);
    CHECK(recording_open(&r, (const char *[]){temporary_folder, temporary_folder}, 2, &owner, &index) == 0);
    CHECK(index == 1);
    fail_fallocate(-1, 0);
    recording_finish(&r);
    empty_folder(temporary_folder);
}

static void
test_disk_full_later(void)
{
    for (int n_segments = 1; n_segments <= 4; n_segments++) {
        recording r;
        uint64_t n = 0;
        fail_fallocate(n_segments, ENOSPC);
        open_with_arc(&r);
        thousand_arcs(&r);
        while (count_up(&r, n) == 0) {
            n++;
        }
        CHECK(r.error == ENOSPC && !recording_ready(&r));
        fail_fallocate(-1, 0);
        CHECK(count_up(&r, n) == -1); /* there is room again, but what lies between is lost */
        CHECK(recording_arc(&r, 0, 0) == -1 && recording_file(&r, HASH, "x", 1) == -1);
        const summary s = read_recording(r.name);
        CHECK(s.n_segments == (uint32_t)n_segments && s.n_hits == n);
        CHECK(s.ends[n_segments - 1] == SEGMENT_STOPPED && s.error == ENOSPC);
        CHECK(n_segments < 2 || s.ends[n_segments - 2] == SEGMENT_CONTINUED);
        CHECK(access(segment_path(r.name, (uint32_t)n_segments), F_OK) == -1);
        recording_finish(&r);
        CHECK(r.error == ENOSPC);
        empty_folder(temporary_folder);
    }
}

static void
test_without_fallocate(void)
{
    static const int errors[] = {EOPNOTSUPP, ENOSYS};

    for (int e = 0; e < 2; e++) {
        recording r;
        struct stat status;
        fail_fallocate(0, errors[e]);
        open_with_arc(&r);
        CHECK(stat(segment_path(r.name, 0), &status) == 0);
        CHECK(status.st_size == SEGMENT_FIRST && status.st_blocks * 512 >= SEGMENT_FIRST);
        fail_fallocate(0, errors[e]);
        while (r.segment == 0) {
            CHECK(recording_arc(&r, 0, 2 * r.n_arcs) >= 0);
        }
        CHECK(stat(segment_path(r.name, 1), &status) == 0);
        CHECK(status.st_size == 2 * SEGMENT_FIRST && status.st_blocks * 512 >= 2 * SEGMENT_FIRST);
        fail_fallocate(-1, 0);
        CHECK(read_recording(r.name).n_arcs == r.n_arcs);
        recording_finish(&r);
        empty_folder(temporary_folder);
    }
}

static void
limit_file_size(rlim_t n_bytes)
{
    const struct rlimit limit = {n_bytes, RLIM_INFINITY};

    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* The kernel would end the program by SIGXFSZ. */
static void
test_file_size_limit(void)
{
    const pid_t child = fork();

    if (child == 0) {
        const recording_owner owner = new_owner();
        recording r;
        size_t index;
        limit_file_size(SEGMENT_FIRST - 1);
        CHECK(recording_open(&r, (const char *[]){temporary_folder}, 1, &owner, &index) == -1);
        CHECK(errno == EFBIG);
        limit_file_size(SEGMENT_FIRST);
        open_with_arc(&r);
        while (recording_hit(&r, 0) == 0) {
        }
        CHECK(r.error == EFBIG && r.segment == 0);
        _exit(0);
    }
    check_exit(child, 0);
    empty_folder(temporary_folder);
}

/* What a thread of the program prints meanwhile must not go into the recording. */
static void
test_standard_descriptors_closed(void)
{
    const pid_t child = fork();

    if (child == 0) {
        recording r;
        fail_fallocate(1000, 0);
        for (int fd = 0; fd < 3; fd++) {
            (void)close(fd);
        }
        open_with_arc(&r);
        _exit(lowest_fd > 2 && read_recording(r.name).n_arcs == 1 ? 0 : 1);
    }
    check_exit(child, 0);
    empty_folder(temporary_folder);
}

/* ---- processes that fork or are killed ---- */

static void
test_fork(void)
{
    recording r;
    int turns[2];

    open_with_arc(&r);
    thousand_arcs(&r);
    for (uint32_t n = 0; n < 500; n++) {
        CHECK(count_up(&r, n) == 0);
    }
    CHECK(pipe(turns) == 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        CHECK(read(turns[0], &byte, 1) == 1); /* the parent has gone on */
        CHECK(!recording_ready(&r));
        CHECK(recording_hit(&r, r.next_arc) == -1); /* nor is the parent's record counted up */
        CHECK(recording_arc(&r, 0, 5) == -1);
        CHECK(recording_switch(&r, 0) == -1);
        CHECK(recording_file(&r, HASH, "x", 1) == -1);
        CHECK(recording_run(&r, "x", (size_t)1 << 27) == -1);
        CHECK(r.error == 0);
        recording copy = r;
        copy.directories = NULL;
        copy.path = copy.name = NULL;
        recording_finish(&copy); /* no mark in what is the parent's */
        r.map = NULL;
        recording_abandon(&r);
        open_with_arc(&r);
        thousand_arcs(&r);
        for (uint32_t n = 0; n < 300; n++) {
            CHECK(count_up(&r, n) == 0);
        }
        CHECK(read_recording(r.name).n_hits == 300);
        recording_finish(&r);
        _exit(0);
    }
    for (uint32_t n = 500; n < 100000; n++) {
        CHECK(count_up(&r, n) == 0);
    }
    CHECK(recording_ready(&r));
    CHECK(write(turns[1], "x", 1) == 1);
    check_exit(child, 0);
    CHECK(recording_ready(&r));
    CHECK(count_up(&r, 100000) == 0);
    const summary s = read_recording(r.name);
    CHECK(s.n_hits == 100001 && s.n_arcs == 1000);
    CHECK(s.ends[s.n_segments - 1] == SEGMENT_OPEN);
    (void)close(turns[0]);
    (void)close(turns[1]);
    recording_finish(&r);
    empty_folder(temporary_folder);
}

/* The pids that a recording has of children, in order; 0: none has said that it is there. */
static size_t
read_forks(const char *name, uint64_t pids[], size_t room)
{
    size_t n = 0;

    for (uint32_t segment = 0;; segment++) {
        const image i = read_segment(name, segment);
        segment_reader reader;
        segment_info info;
        const char *reason;
        record r;
        if (i.bytes == NULL) {
            return n;
        }
        CHECK(segment_open(&reader, &info, i.bytes, i.n_bytes, &reason) == 0);
        while (segment_next(&reader, &r) == 1) {
            if (r.type == RECORD_FORK) {
                CHECK(n < room && r.n_payload == 16 && r.argument == 0);
                memcpy(&pids[n], r.payload + 8, 8);
                pids[n++] &= (1u << PLATFORM_PID_BITS) - 1;
            }
        }
        free(i.bytes);
    }
}

/* A forked child makes the recording its own, having said in its parent's that it is there. */
static void
test_follow(void)
{
    enum { N = 200 }; /* the tick at which a child begins is mostly known, and sometimes asked for */
    recording r;
    uint64_t pids[N + 1];

    open_with_arc(&r);
    thousand_arcs(&r);
    CHECK(!recording_born(&r));
    for (int n = 0; n < N; n++) {
        CHECK(recording_fork(&r) == 0);
        const pid_t child = fork();
        if (child == 0) {
            CHECK(recording_born(&r));
            CHECK(!recording_born(&r)); /* another child has said so there */
            CHECK(recording_follow(&r) == 0);
            const recording_owner owner = new_owner();
            CHECK(owner.start_ticks > 0);
            CHECK(r.owner.pid == owner.pid && r.owner.start_ticks == owner.start_ticks);
            CHECK(strcmp(r.owner.boot_id, owner.boot_id) == 0 && strcmp(r.owner.run_id, owner.run_id) == 0);
            CHECK(recording_ready(&r) && !recording_born(&r));
            CHECK(recording_file(&r, HASH, "/a.py", 5) == 0);
            CHECK(recording_code(&r, 0, 1, 0, "f", 1, HASH, 5) == 0);
            thousand_arcs(&r);
            for (uint64_t hit = 0; hit < 20000; hit++) {
                CHECK(count_up(&r, hit) == 0);
            }
            const summary s = read_recording(r.name);
            CHECK(s.n_segments == 2 && s.n_arcs == 1000 && s.n_hits == 20000);
            CHECK(read_segment(r.name, 0).n_bytes == SEGMENT_FORKED && read_segment(r.name, 1).n_bytes == SEGMENT_FIRST);
            recording_finish(&r);
            _exit(0);
        }
        check_exit(child, 0);
        CHECK(read_forks(r.name, pids, N + 1) == (size_t)n + 1 && pids[n] == (uint64_t)child);
    }
    CHECK(recording_fork(&r) == 0);
    for (uint64_t n = 0; r.segment == 0; n++) {
        CHECK(count_up(&r, n) == 0);
    }
    CHECK(!recording_born(&r)); /* in a segment that is not mapped any more */
    CHECK(read_forks(r.name, pids, N + 1) == N + 1 && pids[N] == 0);
    recording_finish(&r);
    CHECK(recording_fork(&r) == -1);
    CHECK(recording_follow(&r) == -1 && errno == EINVAL);
    empty_folder(temporary_folder);
}

/* Whatever was appended when the process was killed is there: the writer counts in shared memory. */
static void
test_killed(void)
{
    uint64_t random = 4;
    struct shared {
        _Atomic uint64_t n_hits;
        char name[RECORDING_NAME_ROOM];
    } *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(shared != MAP_FAILED);
    for (int round = 0; round < 40; round++) {
        atomic_store(&shared->n_hits, 0);
        const pid_t child = fork();
        if (child == 0) {
            recording r;
            open_with_arc(&r);
            thousand_arcs(&r);
            strcpy(shared->name, r.name);
            for (uint64_t n = 0; n < 20000000; n++) {
                CHECK(count_up(&r, n) == 0);
                atomic_store(&shared->n_hits, n + 1);
            }
            _exit(0);
        }
        while (atomic_load(&shared->n_hits) == 0) {
            CHECK(waitpid(child, NULL, WNOHANG) == 0);
            (void)usleep(50);
        }
        (void)usleep((useconds_t)(next_random(&random) % 4000));
        CHECK(kill(child, SIGKILL) == 0);
        CHECK(waitpid(child, NULL, 0) == child);
        const uint64_t n_hits = atomic_load(&shared->n_hits);
        uint64_t n_read = read_recording(shared->name).n_hits;
        CHECK(n_read == n_hits || n_read == n_hits + 1); /* killed between the append and the count */
        empty_folder(temporary_folder);
    }
    CHECK(munmap(shared, 4096) == 0);
}

/* Killed while growing: the old segment still says open, and an empty one follows. */
static void
test_killed_while_growing(void)
{
    recording r;
    uint64_t n = 0;
    char name[RECORDING_NAME_ROOM];

    open_with_arc(&r);
    thousand_arcs(&r);
    for (; r.segment == 0; n++) {
        CHECK(count_up(&r, n) == 0);
    }
    strcpy(name, r.name);
    recording_abandon(&r);
    const int fd = open(segment_path(name, 0), O_RDWR);
    const uint32_t end = SEGMENT_OPEN;
    CHECK(fd >= 0 && pwrite(fd, &end, sizeof(end), offsetof(segment_header, end)) == sizeof(end) && close(fd) == 0);
    summary s = read_recording(name);
    CHECK(s.n_segments == 2 && s.n_hits == n && s.ends[0] == SEGMENT_OPEN && s.ends[1] == SEGMENT_OPEN);
    CHECK(truncate(segment_path(name, 1), 0) == 0); /* and earlier still */
    s = read_recording(name);
    CHECK(s.n_segments == 1 && s.is_unbegun);
    empty_folder(temporary_folder);
}

/* ---- files that are cut or damaged ---- */

enum { MOST_RECORDS = 64 };

typedef struct {
    image bytes;
    size_t n_used; /* header and records */
    size_t n_records;
    record records[MOST_RECORDS];
    size_t ends[MOST_RECORDS]; /* of each record, as an offset */
} sample;

/* A recording with every kind of record, as bytes, with some of the zeros after it. */
static sample
make_sample(void)
{
    const char *parts[3] = {"", "test_a", "setup"};
    const size_t n_parts[3] = {0, 6, 5};
    recording r;
    sample s = {0};

    open_here(&r);
    CHECK(recording_run(&r, "a\0b", 4) == 0);
    CHECK(recording_file(&r, HASH, "/a/b.py", 7) == 0);
    CHECK(recording_code(&r, 0, 17, 3, "Class.method", 12, HASH, 29) == 0);
    CHECK(recording_arc(&r, 0, 3) == 0);
    CHECK(recording_context(&r, parts, n_parts) == 0);
    CHECK(recording_hit(&r, 0) == 0);
    CHECK(recording_code(&r, 0, 18, 3, "g", 1, HASH, 0) == 1);
    CHECK(recording_arc(&r, 1, 0) == 1);
    CHECK(recording_arc(&r, 1, 2) == 2 && recording_arc(&r, 1, 3) == 3);
    CHECK(recording_switch(&r, 0) == 0);
    CHECK(recording_hit(&r, 1) == 0);
    s.bytes = read_segment(r.name, 0);
    s.n_used = r.length;
    recording_finish(&r);
    empty_folder(temporary_folder);

    segment_reader reader;
    segment_info info;
    const char *reason;
    CHECK(segment_open(&reader, &info, s.bytes.bytes, s.bytes.n_bytes, &reason) == 0);
    while (segment_next(&reader, &s.records[s.n_records]) == 1) {
        s.ends[s.n_records++] = (size_t)(reader.at - s.bytes.bytes);
    }
    CHECK(s.n_records == 12 && reader.reason == NULL && s.ends[11] == s.n_used);
    return s;
}

static bool
is_same(const record *a, const record *b)
{
    return a->type == b->type && a->argument == b->argument && a->n_payload == b->n_payload
           && memcmp(a->payload, b->payload, a->n_payload) == 0;
}

static volatile uint8_t sink; /* what was read: or the compiler would not read it */

/* Uses every parser on a record: whatever it takes for good must lie within the record. */
static void
parse_all(const record *r)
{
    const char *text, *parts[3];
    size_t n_text, n_parts[3];
    const uint8_t *hash;
    code_record code;

    if (record_run(r, &text, &n_text) == 0 && n_text > 0) {
        sink ^= (uint8_t)text[n_text - 1];
    }
    if (record_file(r, &hash, &text, &n_text) == 0) {
        sink ^= hash[SHA256_BYTES - 1] ^ (n_text > 0 ? (uint8_t)text[n_text - 1] : 0);
    }
    if (record_code(r, &code) == 0) {
        sink ^= code.n_qualname > 0 ? (uint8_t)code.qualname[code.n_qualname - 1] : 0;
        sink ^= code.n_shape > 0 ? code.shape[code.n_shape - 1] : 0;
    }
    if (record_context(r, parts, n_parts) == 0) {
        for (int i = 0; i < 3; i++) {
            sink ^= n_parts[i] > 0 ? (uint8_t)parts[i][n_parts[i] - 1] : 0;
        }
    }
}

typedef struct {
    bool opened;
    int end; /* the last result of segment_next */
    size_t n_records, n_different; /* different: from the sample's record of the same number */
    size_t different; /* the first of them */
} outcome;

/* Reads bytes that come from a sample, from a block of exactly their size. */
static outcome
read_damaged(const sample *s, const uint8_t *bytes, size_t n_bytes)
{
    uint8_t *exact = malloc(n_bytes + (n_bytes == 0));
    segment_reader reader;
    segment_info info;
    const char *reason = NULL;
    outcome o = {0};
    record r;

    CHECK(exact != NULL);
    memcpy(exact, bytes, n_bytes);
    if (segment_open(&reader, &info, exact, n_bytes, &reason) == 0) {
        o.opened = true;
        while ((o.end = segment_next(&reader, &r)) == 1) {
            parse_all(&r);
            if (o.n_records >= s->n_records || !is_same(&r, &s->records[o.n_records])) {
                o.different = o.n_different++ == 0 ? o.n_records : o.different;
            }
            o.n_records++;
        }
        CHECK((o.end < 0) == (reader.reason != NULL));
        CHECK(segment_next(&reader, &r) == o.end);
    }
    else {
        CHECK(reason != NULL);
    }
    free(exact);
    return o;
}

static void
test_cut_anywhere(void)
{
    sample s = make_sample();

    for (size_t n = 0; n <= s.n_used + 32; n++) {
        const outcome o = read_damaged(&s, s.bytes.bytes, n);
        size_t n_whole = 0;
        while (n_whole < s.n_records && s.ends[n_whole] <= n) {
            n_whole++;
        }
        CHECK(o.opened == (n >= SEGMENT_HEADER));
        if (o.opened) {
            CHECK(o.n_records == n_whole && o.n_different == 0);
            CHECK(o.end == (n < s.n_used ? -1 : 0));
        }
    }
    free(s.bytes.bytes);
}

/* Each single bit: an error, a prefix, or one other record where the record has no checksum of its own. */
static void
test_any_bit_flipped(void)
{
    sample s = make_sample();
    const size_t n_bytes = s.n_used + 64;
    uint8_t *bytes = malloc(n_bytes);
    size_t n_unopened = 0, n_errors = 0, n_prefixes = 0, n_others = 0;

    CHECK(bytes != NULL);
    memcpy(bytes, s.bytes.bytes, n_bytes);
    for (size_t bit = 0; bit < 8 * n_bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        const outcome o = read_damaged(&s, bytes, n_bytes);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        n_unopened += !o.opened;
        n_errors += o.opened && o.end < 0;
        n_prefixes += o.opened && o.end == 0 && o.n_different == 0;
        if (o.n_different > 0) {
            n_others++;
            CHECK(o.n_different == 1);
            const record_type type = s.records[o.different].type;
            CHECK(type == RECORD_ARC || (RECORD_HIT <= type && type <= RECORD_MORE));
            CHECK(s.ends[o.different] > bit / 8);
            CHECK(s.ends[o.different] <= bit / 8 + 16);
        }
        /* Nothing in the header but its live part may go unnoticed. */
        CHECK(!o.opened || bit / 8 >= offsetof(segment_header, length));
    }
    printf("    not opened %zu, error %zu, prefix %zu, another record %zu\n", n_unopened, n_errors, n_prefixes,
           n_others);
    /* Slots of 2 ARCs; arguments of these, 2 HITs, a SWITCH, a SLOT and a MORE; the bits that tell HIT from SWITCH, 3
     * times, and SLOT from MORE, 2 times. */
    CHECK(n_others == 2 * 32 + 7 * 32 + 5);
    free(bytes);
    free(s.bytes.bytes);
}

static void
test_many_bits_flipped(void)
{
    sample s = make_sample();
    const size_t n_bytes = s.n_used + 64;
    const size_t live = offsetof(segment_header, length);
    uint8_t *bytes = malloc(n_bytes);
    uint64_t random = 5;

    CHECK(bytes != NULL);
    for (int round = 0; round < 20000; round++) {
        memcpy(bytes, s.bytes.bytes, n_bytes);
        for (uint64_t n = next_random(&random) % 8; n > 0; n--) {
            const size_t at = live + next_random(&random) % (n_bytes - live);
            bytes[at] ^= (uint8_t)next_random(&random);
        }
        (void)read_damaged(&s, bytes, n_bytes - next_random(&random) % 200);
    }
    free(bytes);
    free(s.bytes.bytes);
}

/* Sizes that do not fit, with a checksum that does: what another than our writer could make. */
static void
test_hostile_sizes(void)
{
    static const uint32_t sizes[] = {0, 1, 4, 7, 8, 9, 16, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF};
    const size_t n = sizeof(sizes) / sizeof(sizes[0]);

    for (int type = RECORD_RUN; type <= RECORD_SWITCH; type++) {
        for (size_t n_payload = 0; n_payload <= 64; n_payload += 8) {
            for (size_t k = 0; k < n * n * n; k++) {
                uint8_t *payload = calloc(1, n_payload + 1);
                CHECK(payload != NULL);
                const uint32_t three[3] = {sizes[k % n], sizes[k / n % n], sizes[k / n / n]};
                const size_t at = type == RECORD_FILE ? 32 : type == RECORD_CODE ? 12 : 0;
                if (at + sizeof(three) <= n_payload) {
                    memcpy(payload + at, three, sizeof(three));
                }
                const record r = {(record_type)type, 0, payload, n_payload};
                parse_all(&r);
                free(payload);
            }
        }
    }
}

static const char *
open_changed(const segment_header *header)
{
    segment_header copy = *header;
    segment_reader reader;
    segment_info info;
    const char *reason = NULL;

    copy.crc = crc32_update(0, &copy, offsetof(segment_header, crc));
    CHECK((segment_open(&reader, &info, (const uint8_t *)&copy, sizeof(copy), &reason) < 0) == (reason != NULL));
    return reason;
}

/* Headers that only somebody else can have written: their checksum is right. */
static void
test_hostile_header(void)
{
    sample s = make_sample();
    segment_header good, bad;

    memcpy(&good, s.bytes.bytes, sizeof(good));
    good.length = SEGMENT_HEADER;
    CHECK(open_changed(&good) == NULL);
    bad = good;
    memset(bad.owner.run_id, 'x', sizeof(bad.owner.run_id));
    CHECK(strstr(open_changed(&bad), "text") != NULL);
    bad = good;
    memset(bad.owner.boot_id, 'x', sizeof(bad.owner.boot_id));
    CHECK(strstr(open_changed(&bad), "text") != NULL);
    bad = good;
    bad.end = SEGMENT_STOPPED + 1;
    CHECK(strstr(open_changed(&bad), "end mark") != NULL);
    static const uint64_t lengths[] = {0, SEGMENT_HEADER - 8, SEGMENT_HEADER + 1, SEGMENT_FIRST + 8, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        bad = good;
        bad.length = lengths[i];
        CHECK(strstr(open_changed(&bad), "length") != NULL);
    }
    bad = good;
    bad.capacity = UINT64_MAX;
    bad.length = UINT64_MAX - 7;
    CHECK(open_changed(&bad) == NULL); /* as one that is cut short */
    free(s.bytes.bytes);
}

static void
test_not_a_recording(void)
{
    uint8_t bytes[SEGMENT_HEADER] = {0};
    segment_reader reader;
    segment_info info;
    const char *reason;

    for (size_t n = 0; n <= sizeof(bytes); n++) {
        CHECK(segment_open(&reader, &info, bytes, n, &reason) == -1);
        CHECK(strstr(reason, "left before") != NULL);
    }
    memset(bytes, 'x', sizeof(bytes));
    CHECK(segment_open(&reader, &info, bytes, 5, &reason) == -1);
    CHECK(strstr(reason, "cut short") != NULL);
    CHECK(segment_open(&reader, &info, bytes, sizeof(bytes), &reason) == -1);
    CHECK(strstr(reason, "not a recording") != NULL);

    sample s = make_sample();
    s.bytes.bytes[8] ^= 5;
    CHECK(segment_open(&reader, &info, s.bytes.bytes, s.bytes.n_bytes, &reason) == -1);
    CHECK(strstr(reason, "byte order") != NULL);
    s.bytes.bytes[8] ^= 5;
    s.bytes.bytes[12]++;
    CHECK(segment_open(&reader, &info, s.bytes.bytes, s.bytes.n_bytes, &reason) == -1);
    CHECK(strstr(reason, "version") != NULL);
    s.bytes.bytes[12]--;
    uint8_t *moved = malloc(s.bytes.n_bytes + 1); /* at an odd address */
    CHECK(moved != NULL);
    memcpy(moved + 1, s.bytes.bytes, s.bytes.n_bytes);
    CHECK(segment_open(&reader, &info, moved + 1, s.bytes.n_bytes, &reason) == 0);
    record r;
    for (size_t n = 0; n < s.n_records; n++) {
        CHECK(segment_next(&reader, &r) == 1 && is_same(&r, &s.records[n]));
    }
    CHECK(segment_next(&reader, &r) == 0);
    free(moved);
    free(s.bytes.bytes);
}

static const test TESTS[] = {
    TEST(test_crc),
    TEST(test_every_kind_of_record),
    TEST(test_more),
    TEST(test_no_more_of_another_code_object),
    TEST(test_more_at_the_end_of_a_segment),
    TEST(test_three_segments),
    TEST(test_place_of_the_current_context),
    TEST(test_large_records),
    TEST(test_owner),
    TEST(test_name),
    TEST(test_run_id_is_hex),
    TEST(test_directories_in_order),
    TEST(test_link_is_not_followed),
    TEST(test_mode_and_blocks),
    TEST(test_no_descriptor_is_kept),
    TEST(test_disk_full_at_first),
    TEST(test_disk_full_later),
    TEST(test_without_fallocate),
    TEST(test_file_size_limit),
    TEST(test_standard_descriptors_closed),
    TEST(test_fork),
    TEST(test_follow),
    TEST(test_killed),
    TEST(test_killed_while_growing),
    TEST(test_cut_anywhere),
    TEST(test_any_bit_flipped),
    TEST(test_many_bits_flipped),
    TEST(test_hostile_sizes),
    TEST(test_hostile_header),
    TEST(test_not_a_recording),
};

int
main(void)
{
    make_temporary_folder();
    return RUN(TESTS);
}

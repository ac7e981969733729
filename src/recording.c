/* Writing recordings: see recording.h for what they are, recording_format.h for their bytes; owner.c has whose they are. */
#include "recording.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc32.h"
#include "recording_format.h"

enum {
    WORD = 8,
    FIRST_WRITTEN = 64 * 1024, /* bytes of segment 0 that are written ahead: see write_zeros in platform_posix.c */
};

#define NO_ARC UINT32_MAX /* no id is so large: arcs.h */

/* How often this process has been forked off since a recording was first opened.  A recording whose own
 * count differs belongs to an ancestor, who goes on writing it. */
static atomic_uint forks;

/* ---- hot path ---- */

static inline segment_header *
header_of(const recording *r)
{
    return (segment_header *)(void *)r->map;
}

static inline bool
is_ours(const recording *r)
{
    return r->fork_count == atomic_load_explicit(&forks, memory_order_relaxed);
}

static uint32_t *make_room(recording *r, size_t n_words);

/* Where a record of n words goes, or NULL if there can be none.  A recording that is closed has capacity 0. */
static inline uint32_t *
reserve(recording *r, size_t n_words)
{
    r->newest = NULL;
    if (r->capacity - r->length >= n_words * WORD && is_ours(r)) {
        return (uint32_t *)(void *)(r->map + r->length);
    }
    return make_room(r, n_words);
}

/* The record becomes readable, and survives us, with this store. */
static inline void
publish(recording *r, size_t n_words)
{
    r->length += n_words * WORD;
    atomic_store_explicit(&header_of(r)->length, r->length, memory_order_release);
}

static inline uint32_t
head(record_type type, size_t n_words)
{
    return (uint32_t)type | (uint32_t)n_words << RECORD_TYPE_BITS;
}

/* A record that says nothing but its type and argument. */
static uint32_t *
append_word(recording *r, record_type type, uint32_t argument)
{
    uint32_t *at = reserve(r, 1);

    if (at != NULL) {
        at[0] = head(type, 1);
        at[1] = argument;
        publish(r, 1);
    }
    return at;
}

/* Whether there is an ARC or HIT to follow on, in this segment and by this process. */
static inline bool
can_follow(const recording *r)
{
    return r->newest != NULL && r->capacity - r->length >= WORD && is_ours(r);
}

/* Says that the newest record is followed on once more. */
static inline void
append_more(recording *r)
{
    if (r->newest[0] != head(RECORD_MORE, 1)) {
        r->newest = append_word(r, RECORD_MORE, 1);
    }
    else {
        atomic_store_explicit((_Atomic uint32_t *)&r->newest[1], r->newest[1] + 1, memory_order_release);
    }
}

int64_t
recording_hit(recording *r, uint32_t arc_id)
{
    if (arc_id == r->next_arc && can_follow(r)) {
        r->next_arc++;
        append_more(r);
        return 0;
    }
    r->newest = append_word(r, RECORD_HIT, arc_id);
    assert(r->newest == NULL || arc_id < r->n_arcs);
    r->next_arc = arc_id + 1;
    return r->newest == NULL ? -1 : 0;
}

/* An ARC, or a SLOT if it is of the same code object as the last one. */
static uint32_t *
append_arc(recording *r, uint32_t code_id, uint32_t slot)
{
    if (r->n_arcs > 0 && code_id == r->arc_code) {
        return append_word(r, RECORD_SLOT, slot);
    }
    uint32_t *at = reserve(r, 2);
    if (at != NULL) {
        at[0] = head(RECORD_ARC, 2);
        at[1] = code_id;
        at[2] = slot;
        at[3] = 0;
        publish(r, 2);
        r->arc_code = code_id;
    }
    return at;
}

int64_t
recording_arc(recording *r, uint32_t code_id, uint32_t slot)
{
    if (r->next_arc == NO_ARC && code_id == r->arc_code && slot == r->next_slot && can_follow(r)) {
        append_more(r);
    }
    else {
        r->newest = append_arc(r, code_id, slot);
        if (r->newest == NULL) {
            return -1;
        }
        r->next_arc = NO_ARC;
        r->newest = slot == NO_SLOT ? NULL : r->newest;
    }
    assert(code_id < r->n_codes);
    r->next_slot = slot + 1;
    return r->n_arcs++;
}

/* Says which context is the current one, once its record can be read. */
static void
stand(recording *r, uint64_t place)
{
    r->place = place;
    atomic_store_explicit(&header_of(r)->context, place, memory_order_release);
}

int64_t
recording_switch(recording *r, uint32_t context_id)
{
    if (append_word(r, RECORD_SWITCH, context_id) == NULL) {
        return -1;
    }
    assert(context_id < r->n_contexts);
    stand(r, r->places[context_id]);
    return 0;
}

uint64_t
recording_place(const recording *r)
{
    return r->place;
}

/* ---- records with a payload ---- */

typedef struct {
    const void *bytes;
    size_t n_bytes;
} piece;

static void stop(recording *r, int error);

/* Appends a record whose payload is the pieces, one after the other, and counts it.  Its number, or -1. */
static int64_t
append(recording *r, record_type type, const piece pieces[], size_t n_pieces, uint32_t *count)
{
    size_t n_bytes = 0;

    for (size_t i = 0; i < n_pieces; i++) {
        n_bytes += pieces[i].n_bytes;
    }
    const size_t n_payload = (n_bytes + WORD - 1) / WORD;
    assert(n_payload > 0);
    if (n_payload >= RECORD_LARGEST) {
        stop(r, EFBIG);
        return -1;
    }
    uint32_t *at = reserve(r, 1 + n_payload);
    if (at == NULL) {
        return -1;
    }
    uint8_t *to = (uint8_t *)(at + 2);
    memset(to + n_payload * WORD - WORD, 0, WORD); /* what pads the last word */
    for (size_t i = 0; i < n_pieces; i++) {
        if (pieces[i].n_bytes > 0) { /* an empty piece may be NULL, which memcpy may not */
            memcpy(to, pieces[i].bytes, pieces[i].n_bytes);
            to += pieces[i].n_bytes;
        }
    }
    at[0] = head(type, 1 + n_payload);
    at[1] = crc32_update(crc32_update(0, at, sizeof(at[0])), at + 2, n_payload * WORD);
    publish(r, 1 + n_payload);
    return (*count)++;
}

/* Sizes are narrowed before append has seen that they are too large, and then never written. */

int64_t
recording_run(recording *r, const char *settings, size_t n_bytes)
{
    const uint32_t size = (uint32_t)n_bytes;
    const piece pieces[] = {{&size, sizeof(size)}, {settings, n_bytes}};
    uint32_t none = 0; /* defines no id */

    return append(r, RECORD_RUN, pieces, 2, &none);
}

int64_t
recording_file(recording *r, const uint8_t hash[SHA256_BYTES], const char *path, size_t n_path)
{
    file_sizes sizes = {.n_path = (uint32_t)n_path};
    const piece pieces[] = {{&sizes, sizeof(sizes)}, {path, n_path}};

    memcpy(sizes.hash, hash, SHA256_BYTES);
    return append(r, RECORD_FILE, pieces, 2, &r->n_files);
}

int64_t
recording_code(recording *r, uint32_t file_id, int32_t first_line, uint32_t co_flags, const char *qualname,
               size_t n_qualname, const uint8_t *shape, size_t n_shape)
{
    const code_sizes sizes = {file_id, first_line, co_flags, (uint32_t)n_qualname, (uint32_t)n_shape};
    const piece pieces[] = {{&sizes, sizeof(sizes)}, {qualname, n_qualname}, {shape, n_shape}};

    assert(file_id < r->n_files);
    return append(r, RECORD_CODE, pieces, 3, &r->n_codes);
}

/* Makes room for one more place.  0, or -1 if the recording had to be stopped. */
static int
make_place(recording *r)
{
    const size_t n = r->n_contexts;

    if (!recording_ready(r) || (n & (n - 1)) != 0) { /* there is room: for the next power of two */
        return 0;
    }
    uint64_t *places = realloc(r->places, (n == 0 ? 1 : 2 * n) * sizeof(*places));
    if (places == NULL) {
        stop(r, ENOMEM);
        return -1;
    }
    r->places = places;
    return 0;
}

int64_t
recording_context(recording *r, const char *const parts[3], const size_t n_parts[3])
{
    const uint32_t sizes[3] = {(uint32_t)n_parts[0], (uint32_t)n_parts[1], (uint32_t)n_parts[2]};
    const piece pieces[] = {
        {sizes, sizeof(sizes)},
        {parts[0], n_parts[0]},
        {parts[1], n_parts[1]},
        {parts[2], n_parts[2]},
    };

    if (make_place(r) < 0) {
        return -1;
    }
    const int64_t id = append(r, RECORD_CONTEXT, pieces, 4, &r->n_contexts);
    if (id >= 0) {
        const size_t n_bytes = sizeof(sizes) + n_parts[0] + n_parts[1] + n_parts[2];
        const size_t n_record = WORD + (n_bytes + WORD - 1) / WORD * WORD;
        r->places[id] = (uint64_t)r->segment << 32 | (r->length - n_record);
        stand(r, r->places[id]);
    }
    return id;
}

/* ---- forks ---- */

int64_t
recording_fork(recording *r)
{
    enum { N_WORDS = 3 };
    uint32_t *at = reserve(r, N_WORDS);

    if (at == NULL) {
        return -1;
    }
    r->forked = (uint64_t *)(void *)(at + 4);
    r->forked_ns = platform_uptime();
    const uint64_t now = platform_now();
    at[0] = head(RECORD_FORK, N_WORDS);
    at[1] = 0;
    memcpy(at + 2, &now, sizeof(now));
    *r->forked = 0;
    publish(r, N_WORDS);
    return 0;
}

bool
recording_born(recording *r)
{
    uint64_t nobody = 0;

    recording_owner_follow(&r->owner, r->forked_ns);
    const uint64_t child = r->owner.start_ticks << PLATFORM_PID_BITS | r->owner.pid;
    return r->forked != NULL && r->owner.pid >> PLATFORM_PID_BITS == 0
           && atomic_compare_exchange_strong((_Atomic uint64_t *)r->forked, &nobody, child);
}

static void
count_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static platform_once fork_watch = PLATFORM_ONCE;
static int fork_watch_error;

static void
watch_forks(void)
{
    fork_watch_error = platform_watch_forks(count_fork);
}

/* ---- segments ---- */

/* Puts a text where another one is to follow, and a number likewise.  What printf is for; but it has many pages: see
 * recording_follow. */
static char *
put(char *to, const char *text)
{
    while ((*to = *text++) != '\0') {
        to++;
    }
    return to;
}

static char *
put_number(char *to, uint64_t number)
{
    char digits[24];
    char *at = digits + sizeof(digits) - 1;

    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return put(to, at);
}

/* Writes the header; its magic last, so that a file that was left half-way holds no false one. */
static void
write_header(const recording *r, uint8_t *map, uint32_t segment, size_t n_bytes)
{
    segment_header header = {
        .byte_order = SEGMENT_BYTE_ORDER,
        .version = RECORDING_VERSION,
        .capacity = n_bytes,
        .segment = segment,
        .owner = r->owner,
        .length = SEGMENT_HEADER,
        .context = r->place,
    };
    const size_t n_magic = sizeof(header.magic);

    memcpy(header.magic, SEGMENT_MAGIC, n_magic);
    header.crc = crc32_update(0, &header, offsetof(segment_header, crc));
    memcpy(map + n_magic, (const uint8_t *)&header + n_magic, sizeof(header) - n_magic);
    atomic_thread_fence(memory_order_release);
    memcpy(map, header.magic, n_magic);
}

/* Creates a segment in the first directory that takes it.  Its map, or NULL with errno of the last directory
 * tried.  A file of that name ends the search: a part of one recording there, and a part of another here, would
 * look like one. */
static uint8_t *
create_segment(const recording *r, uint32_t segment, size_t n_bytes, size_t *directory_index)
{
    const size_t n_ahead = segment == 0 && n_bytes > FIRST_WRITTEN ? FIRST_WRITTEN : n_bytes;
    uint8_t *map = NULL;

    errno = ENOENT;
    for (size_t i = 0; map == NULL && r->directories[i] != NULL; i++) {
        put_number(put(put(put(put(r->path, r->directories[i]), "/"), r->name), "."), segment);
        map = platform_map_new(r->path, n_bytes, n_ahead);
        *directory_index = i;
        if (map == NULL && errno == EEXIST) {
            return NULL;
        }
    }
    if (map != NULL) {
        write_header(r, map, segment, n_bytes);
    }
    return map;
}

static void
use_map(recording *r, uint8_t *map, size_t n_bytes, uint32_t segment)
{
    r->map = map;
    r->newest = NULL;
    r->capacity = n_bytes;
    r->length = SEGMENT_HEADER;
    r->segment = segment;
}

static void
unmap(recording *r)
{
    if (r->map != NULL) {
        platform_unmap(r->map, r->capacity);
    }
    r->map = NULL;
    r->newest = NULL;
    r->forked = NULL;
    r->capacity = r->length = 0;
}

/* Ends the recording because of an error, which its last segment then tells.  Another's is let be. */
static void
stop(recording *r, int error)
{
    if (!recording_ready(r)) {
        return;
    }
    header_of(r)->error = error;
    atomic_store_explicit(&header_of(r)->end, SEGMENT_STOPPED, memory_order_release);
    unmap(r);
    r->error = error;
}

/* Goes on in a new segment that has room for a record of n words.  The old one says so only once there is one. */
static int
grow(recording *r, size_t n_words)
{
    const size_t wanted = (SEGMENT_HEADER + n_words * WORD + PLATFORM_PAGE - 1) / PLATFORM_PAGE * PLATFORM_PAGE;
    size_t n_bytes = 2 * r->capacity < SEGMENT_LARGEST ? 2 * r->capacity : SEGMENT_LARGEST;
    size_t directory_index;

    n_bytes = n_bytes < SEGMENT_FIRST ? SEGMENT_FIRST : n_bytes;
    n_bytes = n_bytes < wanted ? wanted : n_bytes;
    uint8_t *map = create_segment(r, r->segment + 1, n_bytes, &directory_index);
    if (map == NULL) {
        stop(r, errno);
        return -1;
    }
    const uint32_t segment = r->segment + 1;
    atomic_store_explicit(&header_of(r)->end, SEGMENT_CONTINUED, memory_order_release);
    unmap(r);
    use_map(r, map, n_bytes, segment);
    return 0;
}

static uint32_t *
make_room(recording *r, size_t n_words)
{
    if (!recording_ready(r) || grow(r, n_words) < 0) {
        return NULL;
    }
    return (uint32_t *)(void *)(r->map + r->length);
}

/* ---- opening and closing ---- */

bool
recording_ready(const recording *r)
{
    return r->map != NULL && is_ours(r);
}

static void
free_owned(recording *r)
{
    for (size_t i = 0; r->directories != NULL && r->directories[i] != NULL; i++) {
        free(r->directories[i]);
    }
    free(r->directories);
    free(r->path);
    free(r->name);
    free(r->places);
    r->directories = NULL;
    r->path = r->name = NULL;
    r->places = NULL;
}

/* The hex digits go into a file name: nothing else may. */
static bool
is_run_id(const char run_id[32])
{
    const size_t n = strnlen(run_id, 32);

    return n > 0 && n < 32 && strspn(run_id, "0123456789abcdefABCDEF") == n;
}

/* Copies the directories and makes room for the name.  0, or -1 with errno. */
static int
keep_names(recording *r, const char *const *directories, size_t n_directories)
{
    r->directories = calloc(n_directories + 1, sizeof(*r->directories));
    if (r->directories == NULL) {
        return -1;
    }
    size_t longest = 0;
    for (size_t i = 0; i < n_directories; i++) {
        const size_t n = strlen(directories[i]);
        longest = n > longest ? n : longest;
        r->directories[i] = strdup(directories[i]);
        if (r->directories[i] == NULL) {
            return -1;
        }
    }
    r->path = malloc(longest + RECORDING_NAME_ROOM + sizeof("/.4294967295"));
    r->name = malloc(RECORDING_NAME_ROOM);
    return r->path == NULL || r->name == NULL ? -1 : 0;
}

/* Creates segment 0.  The name may be taken: by this process before an exec or a restart, which change
 * neither pid nor start.  Then the time, in which they differ, is added. */
static int
create_first(recording *r, size_t n_bytes, size_t *directory_index)
{
    const recording_owner *owner = &r->owner;
    char *end = put_number(put(put(r->name, owner->run_id), "-"), owner->pid);

    end = put_number(put(end, "-"), owner->start_ticks);
    uint8_t *map = create_segment(r, 0, n_bytes, directory_index);
    if (map == NULL && errno == EEXIST) {
        put_number(put(end, "-"), owner->started_ns);
        map = create_segment(r, 0, n_bytes, directory_index);
    }
    if (map == NULL) {
        return -1;
    }
    use_map(r, map, n_bytes, 0);
    return 0;
}

int
recording_open(recording *r, const char *const *directories, size_t n_directories, const recording_owner *owner,
               size_t *directory_index)
{
    *r = (recording){.owner = *owner};
    if (!is_run_id(owner->run_id)) {
        errno = EINVAL;
        return -1;
    }
    crc32_prepare();
    platform_call_once(&fork_watch, watch_forks);
    if (fork_watch_error != 0) {
        errno = fork_watch_error;
        return -1;
    }
    r->fork_count = atomic_load_explicit(&forks, memory_order_relaxed);
    if (keep_names(r, directories, n_directories) < 0 || create_first(r, SEGMENT_FIRST, directory_index) < 0) {
        const int error = errno;
        free_owned(r);
        errno = error;
        return -1;
    }
    return 0;
}

void
recording_finish(recording *r)
{
    if (recording_ready(r)) {
        atomic_store_explicit(&header_of(r)->end, SEGMENT_FINISHED, memory_order_release);
    }
    unmap(r);
    free_owned(r);
}

void
recording_abandon(recording *r)
{
    unmap(r);
    free_owned(r);
    *r = (recording){0};
}

int
recording_follow(recording *r)
{
    size_t directory_index;

    unmap(r);
    if (r->name == NULL) {
        errno = EINVAL;
        return -1;
    }
    r->fork_count = atomic_load_explicit(&forks, memory_order_relaxed);
    r->n_files = r->n_codes = r->n_arcs = r->n_contexts = 0;
    r->place = 0;
    r->error = 0;
    if (create_first(r, SEGMENT_FORKED, &directory_index) < 0) {
        const int error = errno;
        free_owned(r);
        errno = error;
        return -1;
    }
    return 0;
}

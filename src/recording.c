/* Writing recordings: see recording.h for what they are, recording_format.h for their bytes; owner.c has whose they are. */
#include "recording.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crc32.h"
#include "recording_format.h"

enum {
    WORD = 8,
    PAGE = 4096,               /* capacities are multiples of it */
    FIRST_WRITTEN = 64 * 1024, /* bytes of segment 0 that are written ahead: see write_zeros */
    WRITTEN_AT_ONCE = 64 * PAGE,
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

/* ---- platform: Linux ---- */

static void
count_fork(void)
{
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
}

static pthread_once_t fork_watch = PTHREAD_ONCE_INIT;
static int fork_watch_error;

static void
watch_forks(void)
{
    fork_watch_error = pthread_atfork(NULL, NULL, count_fork);
}

/* Blocks for the whole file, so that no store into the mapping can meet a full disk.  Not posix_fallocate, which
 * where the file system cannot reads and writes a byte of each block. */
static int
allocate(int fd, int64_t n_bytes)
{
    int result;

    do {
        result = fallocate(fd, 0, 0, n_bytes);
    } while (result < 0 && errno == EINTR);
    return result;
}

int (*recording_fallocate)(int fd, int64_t n_bytes) = allocate;

/* Writes zeros over the first bytes of a file.
 *
 * Where fallocate is not to be had, this allocates.  Elsewhere it is for speed: a store into a page that no write has
 * prepared faults into the file system, for one page at a time, while one large write makes one large page.
 * ext4 on Linux 6.18, CPU time of open, fill, unmap and unlink, in microseconds:
 *
 *                                  20 KB of 256 KB   4 MB of 16 MB   16 MB of 16 MB
 *      fallocate alone                   154              6001            15862
 *      MAP_POPULATE                      172                              17740
 *      MADV_POPULATE_WRITE               299                              14843     (256 KB ahead)
 *      the first 64 KB written            77
 *      all written, 256 KB a time        122              2934             4178
 *
 * The first segment is written in part only: a small process should not make the disk write 256 KB. */
static int
write_zeros(int fd, size_t n_bytes)
{
    static const uint8_t zeros[PAGE];
    struct iovec pages[WRITTEN_AT_ONCE / PAGE];

    for (size_t i = 0; i < WRITTEN_AT_ONCE / PAGE; i++) {
        pages[i] = (struct iovec){.iov_base = (void *)(uintptr_t)zeros, .iov_len = PAGE};
    }
    for (size_t at = 0; at < n_bytes;) {
        const size_t n_left = n_bytes - at < WRITTEN_AT_ONCE ? n_bytes - at : WRITTEN_AT_ONCE;
        const size_t n_pages = n_left < PAGE ? 1 : n_left / PAGE;
        pages[0].iov_len = n_left < PAGE ? n_left : PAGE;
        const ssize_t n_written = pwritev(fd, pages, (int)n_pages, (off_t)at);
        if (n_written > 0) {
            at += (size_t)n_written;
        }
        else if (n_written == 0) {
            errno = ENOSPC;
            return -1;
        }
        else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

/* A new file to read and write, or -1 with errno.  Never descriptor 0, 1 or 2: where the program has closed
 * one of those, a thread of it that prints would print into our file. */
static int
create_file(const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || fd > 2) {
        return fd;
    }
    const int higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    const int error = errno;
    (void)close(fd);
    if (higher < 0) {
        (void)unlink(path);
        errno = error;
    }
    return higher;
}

/* Makes the new file n_bytes long, with blocks behind them, and maps it.  The map, or NULL with errno. */
static uint8_t *
fill_and_map(int fd, size_t n_bytes, size_t n_ahead)
{
    struct rlimit limit;
    struct stat status;

    /* Past the limit the kernel would not only fail but send SIGXFSZ, which ends the program. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < n_bytes) {
        errno = EFBIG;
        return NULL;
    }
    /* The program's umask may have taken from us what the reader needs. */
    if (fstat(fd, &status) < 0 || ((status.st_mode & 0777) != 0600 && fchmod(fd, 0600) < 0)) {
        return NULL;
    }
    if (recording_fallocate(fd, (int64_t)n_bytes) < 0) {
        if (errno != EOPNOTSUPP && errno != ENOSYS) {
            return NULL;
        }
        n_ahead = n_bytes;
    }
    if (write_zeros(fd, n_ahead) < 0) {
        return NULL;
    }
    uint8_t *map = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return map == MAP_FAILED ? NULL : map;
}

/* Says that somebody writes the file, to readers who do not see our process: those in another pid namespace, as
 * containers are.  The lock belongs to the open file, which the map keeps open: it ends with the map, so with the
 * process, and outlives the descriptor.  A file system without locks leaves them with the process's id. */
static void
hold(int fd)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    (void)fcntl(fd, F_OFD_SETLK, &all);
}

/* Creates and maps a file of zeros and lets go of its descriptor.  The map, or NULL with errno and no file. */
static uint8_t *
create_mapped(const char *path, size_t n_bytes, size_t n_ahead)
{
    const int fd = create_file(path);

    if (fd < 0) {
        return NULL;
    }
    hold(fd);
    uint8_t *map = fill_and_map(fd, n_bytes, n_ahead);
    int error = errno;
    if (close(fd) < 0 && errno != EINTR && map != NULL) { /* NFS tells only now that the disk is full */
        error = errno;
        (void)munmap(map, n_bytes);
        map = NULL;
    }
    if (map == NULL) {
        (void)unlink(path);
        errno = error;
    }
    return map;
}

/* ---- segments ---- */

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
    const size_t n_ahead = segment == 0 ? FIRST_WRITTEN : n_bytes;
    uint8_t *map = NULL;

    errno = ENOENT;
    for (size_t i = 0; map == NULL && r->directories[i] != NULL; i++) {
        const size_t room = strlen(r->directories[i]) + strlen(r->name) + sizeof("/.4294967295");
        char *path = malloc(room);
        if (path == NULL) {
            return NULL;
        }
        (void)snprintf(path, room, "%s/%s.%" PRIu32, r->directories[i], r->name, segment);
        map = create_mapped(path, n_bytes, n_ahead);
        const int error = errno;
        free(path);
        errno = error;
        *directory_index = i;
        if (map == NULL && error == EEXIST) {
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
        (void)munmap(r->map, r->capacity); /* fails only for what is no mapping */
    }
    r->map = NULL;
    r->newest = NULL;
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
    const size_t wanted = (SEGMENT_HEADER + n_words * WORD + PAGE - 1) / PAGE * PAGE;
    size_t n_bytes = 2 * r->capacity < SEGMENT_LARGEST ? 2 * r->capacity : SEGMENT_LARGEST;
    size_t directory_index;

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
    free(r->name);
    free(r->places);
    r->directories = NULL;
    r->name = NULL;
    r->places = NULL;
}

/* The hex digits go into a file name: nothing else may. */
static bool
is_run_id(const char run_id[static 32])
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
    for (size_t i = 0; i < n_directories; i++) {
        r->directories[i] = strdup(directories[i]);
        if (r->directories[i] == NULL) {
            return -1;
        }
    }
    r->name = malloc(RECORDING_NAME_ROOM);
    return r->name == NULL ? -1 : 0;
}

/* Creates segment 0.  The name may be taken: by this process before an exec or a restart, which change
 * neither pid nor start.  Then the time, in which they differ, is added. */
static int
create_first(recording *r, size_t *directory_index)
{
    const recording_owner *owner = &r->owner;
    const int n = snprintf(r->name, RECORDING_NAME_ROOM, "%s-%" PRIu64 "-%" PRIu64, owner->run_id, owner->pid,
                           owner->start_ticks);

    uint8_t *map = create_segment(r, 0, SEGMENT_FIRST, directory_index);
    if (map == NULL && errno == EEXIST) {
        (void)snprintf(r->name + n, RECORDING_NAME_ROOM - (size_t)n, "-%" PRIu64, owner->started_ns);
        map = create_segment(r, 0, SEGMENT_FIRST, directory_index);
    }
    if (map == NULL) {
        return -1;
    }
    use_map(r, map, SEGMENT_FIRST, 0);
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
    (void)pthread_once(&fork_watch, watch_forks); /* fails only for a control that was not initialised */
    if (fork_watch_error != 0) {
        errno = fork_watch_error;
        return -1;
    }
    r->fork_count = atomic_load_explicit(&forks, memory_order_relaxed);
    if (keep_names(r, directories, n_directories) < 0 || create_first(r, directory_index) < 0) {
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

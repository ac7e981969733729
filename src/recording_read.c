/* Reading recordings: see recording.h for what they are, recording_format.h for their bytes.
 *
 * Nothing here is believed before it is checked, and nothing is read in place but bytes: the file may be cut, damaged
 * or made up, and may lie at any address. */
#include "recording.h"

#include <string.h>

#include "crc32.h"
#include "recording_format.h"

/* ---- records ---- */

/* What is known of a record's size from its type: the words it has at least, and whether it has a checksum or, if not,
 * exactly so many. */
static const struct {
    uint32_t n_words;
    bool has_crc;
} KINDS[] = {
    [RECORD_RUN] = {2, true},  [RECORD_FILE] = {6, true}, [RECORD_CODE] = {4, true},    [RECORD_CONTEXT] = {3, true},
    [RECORD_ARC] = {2, false}, [RECORD_HIT] = {1, false}, [RECORD_SWITCH] = {1, false},
    [RECORD_SLOT] = {1, false}, [RECORD_MORE] = {1, false}, [RECORD_FORK] = {3, false},
};

static uint32_t
load_u32(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof(x));
    return x;
}

/* What is wrong with the record that begins here, of which no more than n_left bytes are there; NULL: nothing. */
static const char *
find_fault(const uint8_t *at, size_t n_left)
{
    if (n_left < 8) {
        return "a record is cut short";
    }
    const uint32_t type = load_u32(at) & ((1u << RECORD_TYPE_BITS) - 1);
    const size_t n_words = load_u32(at) >> RECORD_TYPE_BITS;
    if (type < RECORD_RUN || type > RECORD_FORK) {
        return "a record is of no known type";
    }
    if (n_words < KINDS[type].n_words || (!KINDS[type].has_crc && n_words != KINDS[type].n_words)) {
        return "a record is of no possible size";
    }
    if (n_words > n_left / 8) {
        return "a record is cut short";
    }
    if (KINDS[type].has_crc) {
        const uint32_t crc = crc32_update(crc32_update(0, at, 4), at + 8, n_words * 8 - 8);
        if (load_u32(at + 4) != crc) {
            return "a record's checksum is wrong";
        }
    }
    if (type == RECORD_ARC && load_u32(at + 12) != 0) {
        return "an arc record is malformed";
    }
    return NULL;
}

int
segment_next(segment_reader *reader, record *out)
{
    if (reader->reason != NULL) {
        return -1;
    }
    if (reader->at == reader->end && !reader->is_cut) {
        return 0;
    }
    reader->reason = find_fault(reader->at, (size_t)(reader->end - reader->at));
    if (reader->reason != NULL) {
        return -1;
    }
    const uint32_t head = load_u32(reader->at);
    const size_t n_bytes = (size_t)(head >> RECORD_TYPE_BITS) * 8;
    *out = (record){
        .type = (record_type)(head & ((1u << RECORD_TYPE_BITS) - 1)),
        .argument = load_u32(reader->at + 4),
        .payload = reader->at + 8,
        .n_payload = n_bytes - 8,
    };
    reader->at += n_bytes;
    return 1;
}

/* ---- headers ---- */

/* A file of zeros, or of nothing: the magic is written last. */
static bool
is_unbegun(const uint8_t *bytes, size_t n_bytes)
{
    static const uint8_t zeros[sizeof(SEGMENT_MAGIC)];

    return n_bytes == 0 || memcmp(bytes, zeros, n_bytes < sizeof(zeros) ? n_bytes : sizeof(zeros)) == 0;
}

static const char *
find_header_fault(const segment_header *header)
{
    if (memcmp(header->magic, SEGMENT_MAGIC, sizeof(SEGMENT_MAGIC)) != 0) {
        return "not a recording";
    }
    if (header->byte_order != SEGMENT_BYTE_ORDER) {
        return "recorded on a machine of another byte order";
    }
    if (header->version != RECORDING_VERSION) {
        return "recorded by another version of covcore";
    }
    if (header->crc != crc32_update(0, header, offsetof(segment_header, crc))) {
        return "the header's checksum is wrong";
    }
    /* What follows matters for those who made the checksum right. */
    if (memchr(header->owner.run_id, 0, sizeof(header->owner.run_id)) == NULL
        || memchr(header->owner.boot_id, 0, sizeof(header->owner.boot_id)) == NULL) {
        return "the header's text has no end";
    }
    if (header->end > SEGMENT_STOPPED) {
        return "the header's end mark is unknown";
    }
    if (header->length < SEGMENT_HEADER || header->length > header->capacity || header->length % 8 != 0) {
        return "the header's length is impossible";
    }
    return NULL;
}

int
segment_open(segment_reader *reader, segment_info *info, const uint8_t *bytes, size_t n_bytes, const char **reason)
{
    segment_header header;

    crc32_prepare();
    if (is_unbegun(bytes, n_bytes)) {
        *reason = "left before anything was recorded";
        return -1;
    }
    if (n_bytes < sizeof(header)) {
        *reason = "the header is cut short";
        return -1;
    }
    memcpy(&header, bytes, sizeof(header));
    atomic_thread_fence(memory_order_acquire); /* a mapped file's records are read after its length */
    *reason = find_header_fault(&header);
    if (*reason != NULL) {
        return -1;
    }
    const bool is_cut = header.length > n_bytes;
    *reader = (segment_reader){
        .at = bytes + SEGMENT_HEADER,
        .end = bytes + (is_cut ? n_bytes : (size_t)header.length),
        .is_cut = is_cut,
    };
    *info = (segment_info){
        .owner = header.owner,
        .segment = header.segment,
        .end = header.end,
        .error = header.end == SEGMENT_STOPPED ? header.error : 0,
        .length = header.length - SEGMENT_HEADER,
    };
    return 0;
}

/* ---- payloads ---- */

/* Whether a payload of n bytes is what it takes to hold n_wanted: padded to a word, and no more.  The sums come from
 * 32-bit sizes, so that 64 bits always hold them. */
static bool
fits(size_t n_payload, uint64_t n_wanted)
{
    return n_payload == (n_wanted + 7) / 8 * 8;
}

int
record_run(const record *r, const char **settings, size_t *n_settings)
{
    if (r->type != RECORD_RUN || r->n_payload < sizeof(uint32_t)) {
        return -1;
    }
    const uint32_t n = load_u32(r->payload);
    if (!fits(r->n_payload, sizeof(n) + (uint64_t)n)) {
        return -1;
    }
    *settings = (const char *)r->payload + sizeof(n);
    *n_settings = n;
    return 0;
}

int
record_file(const record *r, const uint8_t **hash, const char **path, size_t *n_path)
{
    file_sizes sizes;

    if (r->type != RECORD_FILE || r->n_payload < sizeof(sizes)) {
        return -1;
    }
    memcpy(&sizes, r->payload, sizeof(sizes));
    if (!fits(r->n_payload, sizeof(sizes) + (uint64_t)sizes.n_path)) {
        return -1;
    }
    *hash = r->payload;
    *path = (const char *)r->payload + sizeof(sizes);
    *n_path = sizes.n_path;
    return 0;
}

int
record_code(const record *r, code_record *out)
{
    code_sizes sizes;

    if (r->type != RECORD_CODE || r->n_payload < sizeof(sizes)) {
        return -1;
    }
    memcpy(&sizes, r->payload, sizeof(sizes));
    if (!fits(r->n_payload, sizeof(sizes) + (uint64_t)sizes.n_qualname + sizes.n_shape)) {
        return -1;
    }
    *out = (code_record){
        .file_id = sizes.file_id,
        .first_line = sizes.first_line,
        .co_flags = sizes.co_flags,
        .qualname = (const char *)r->payload + sizeof(sizes),
        .n_qualname = sizes.n_qualname,
        .shape = r->payload + sizeof(sizes) + sizes.n_qualname,
        .n_shape = sizes.n_shape,
    };
    return 0;
}

int
record_context(const record *r, const char *parts[3], size_t n_parts[3])
{
    uint32_t sizes[3];

    if (r->type != RECORD_CONTEXT || r->n_payload < sizeof(sizes)) {
        return -1;
    }
    memcpy(sizes, r->payload, sizeof(sizes));
    if (!fits(r->n_payload, sizeof(sizes) + (uint64_t)sizes[0] + sizes[1] + sizes[2])) {
        return -1;
    }
    const char *at = (const char *)r->payload + sizeof(sizes);
    for (int i = 0; i < 3; i++) {
        parts[i] = at;
        n_parts[i] = sizes[i];
        at += sizes[i];
    }
    return 0;
}

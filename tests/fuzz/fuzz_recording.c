// needs: recording_read.c owner.c crc32.c platform_posix.c
/* Feeds the reader of recordings with bytes of any kind: as a segment file, as the records of one behind a good header,
 * and as payloads of each type.  Whatever is taken for good must lie within the bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crc32.h"
#include "recording.h"
#include "recording_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static volatile uint8_t sink;

/* Reads all of a piece, so that the sanitizer sees where it lies. */
static void
touch(const void *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        sink ^= ((const uint8_t *)bytes)[i];
    }
}

static void
parse(const record *r)
{
    const uint8_t *hash;
    const char *text, *parts[3];
    size_t n_text, n_parts[3];
    code_record code;

    touch(r->payload, r->n_payload);
    if (record_run(r, &text, &n_text) == 0) {
        touch(text, n_text);
    }
    if (record_file(r, &hash, &text, &n_text) == 0) {
        touch(hash, SHA256_BYTES);
        touch(text, n_text);
    }
    if (record_code(r, &code) == 0) {
        touch(code.qualname, code.n_qualname);
        touch(code.shape, code.n_shape);
    }
    if (record_context(r, parts, n_parts) == 0) {
        for (int i = 0; i < 3; i++) {
            touch(parts[i], n_parts[i]);
        }
    }
}

static void
read_segment(const uint8_t *bytes, size_t n_bytes)
{
    segment_reader reader;
    segment_info info;
    const char *reason = NULL;
    record r;
    size_t n_read = 0;
    int result;

    if (segment_open(&reader, &info, bytes, n_bytes, &reason) < 0) {
        if (reason == NULL) {
            abort();
        }
        return;
    }
    touch(info.owner.run_id, strlen(info.owner.run_id) + 1);
    touch(info.owner.boot_id, strlen(info.owner.boot_id) + 1);
    while ((result = segment_next(&reader, &r)) == 1) {
        n_read += 8 + r.n_payload;
        parse(&r);
    }
    if ((result < 0) != (reader.reason != NULL) || n_read > info.length || n_read > n_bytes
        || (result == 0 && n_read != info.length)) {
        abort();
    }
}

/* Makes the checksums of records right, as far as they can be followed: chance would not. */
static void
mend_checksums(uint8_t *bytes, size_t n_bytes)
{
    for (size_t at = 0; n_bytes - at >= 8;) {
        uint32_t head;
        memcpy(&head, bytes + at, sizeof(head));
        const uint32_t type = head & 0xFF;
        const size_t n_words = head >> RECORD_TYPE_BITS;
        if (n_words == 0 || n_words > (n_bytes - at) / 8) {
            return;
        }
        if (type <= RECORD_CONTEXT) {
            const uint32_t crc = crc32_update(crc32_update(0, &head, sizeof(head)), bytes + at + 8, n_words * 8 - 8);
            memcpy(bytes + at + 4, &crc, sizeof(crc));
        }
        at += n_words * 8;
    }
}

/* The bytes as records, behind a header that is in order, at an odd address.  n_cut: bytes of what was published
 * that are not there. */
static void
read_records(const uint8_t *bytes, size_t n_bytes, size_t n_cut)
{
    const size_t n_records = n_bytes / 8 * 8;
    const size_t n_there = sizeof(segment_header) + n_records - (n_cut < n_records ? n_cut : 0);
    segment_header header = {
        .byte_order = SEGMENT_BYTE_ORDER,
        .version = RECORDING_VERSION,
        .capacity = UINT32_MAX,
        .length = sizeof(header) + n_records,
    };
    uint8_t *whole = malloc(sizeof(header) + n_records);
    uint8_t *block = malloc(1 + n_there);

    if (whole != NULL && block != NULL) {
        memcpy(header.magic, SEGMENT_MAGIC, sizeof(header.magic));
        header.crc = crc32_update(0, &header, offsetof(segment_header, crc));
        memcpy(whole, &header, sizeof(header));
        memcpy(whole + sizeof(header), bytes, n_records);
        mend_checksums(whole + sizeof(header), n_records);
        memcpy(block + 1, whole, n_there);
        read_segment(block + 1, n_there);
    }
    free(whole);
    free(block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    crc32_prepare();
    read_segment(bytes, n_bytes);
    if (n_bytes > 1) {
        read_records(bytes + 1, n_bytes - 1, bytes[0] & 0x0F);
    }
    for (int type = 0; type <= RECORD_SWITCH + 1; type++) {
        parse(&(record){.type = (record_type)type, .payload = bytes, .n_payload = n_bytes / 8 * 8});
    }
    return 0;
}

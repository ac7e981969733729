/* recording_format: the bytes of a segment, known to recording.c, which writes them, and recording_read.c. */
#ifndef COVCORE_RECORDING_FORMAT_H
#define COVCORE_RECORDING_FORMAT_H

#include <stdatomic.h>

#include "recording.h"

/* Like PNG's: not text, and spoilt by any transfer that touches line ends or the eighth bit. */
static const uint8_t SEGMENT_MAGIC[8] = {0x89, 'C', 'O', 'V', '\r', '\n', 0x1A, '\n'};

static const uint32_t SEGMENT_BYTE_ORDER = 0x01020304; /* as the writer's machine stores it */

/* Everything is in the writer's byte order.  The first part is written once; the last, a cache line of
 * its own, changes while the process runs, so that no checksum can cover it. */
typedef struct {
    uint8_t magic[8];
    uint32_t byte_order;
    uint32_t version;
    uint64_t capacity; /* bytes of the file */
    uint32_t segment;
    uint32_t reserved; /* 0 */
    recording_owner owner;
    uint8_t zeros[308];
    uint32_t crc;            /* of all before it */
    _Atomic uint64_t length; /* bytes published, header included: records end here */
    _Atomic uint32_t end;    /* segment_end */
    int32_t error;           /* errno, with SEGMENT_STOPPED */
    _Atomic uint64_t context; /* where the record of the current context is: recording_place; for started processes */
    uint8_t more_zeros[40];
} segment_header;

_Static_assert(sizeof(recording_owner) == 104, "recording_owner has padding");
_Static_assert(offsetof(segment_header, length) == 448, "the live part begins its cache line");
_Static_assert(sizeof(segment_header) == SEGMENT_HEADER, "the first record follows the header");

/* A record's first word: type | words << 8, then the argument. */
enum { RECORD_TYPE_BITS = 8, RECORD_LARGEST = (1 << 24) - 1 /* words: 128 MB */ };

/* The sizes that payloads begin with. */
typedef struct {
    uint32_t file_id;
    int32_t first_line;
    uint32_t co_flags;
    uint32_t n_qualname;
    uint32_t n_shape;
} code_sizes;

typedef struct {
    uint8_t hash[SHA256_BYTES];
    uint32_t n_path;
} file_sizes;

#endif

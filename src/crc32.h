/* crc32: zlib's CRC-32 (reflected, polynomial 0xEDB88320), which checks headers and payloads of recordings.
 *
 * Not zlib's own: the measured process must not load libz for us.  No Python.h here. */
#ifndef COVCORE_CRC32_H
#define COVCORE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Makes the tables, once in a process (8 us).  Call it before crc32_update; any thread may. */
void crc32_prepare(void);

/* The checksum of what `crc` is the checksum of (0: of nothing) and then these bytes. */
uint32_t crc32_update(uint32_t crc, const void *bytes, size_t n_bytes);

#endif

/* sha256: the hash that keys a source file, of its newline-normalised text.
 *
 * Here because the measured process must not import hashlib for us, nor call open() where a test has
 * replaced it.  FIPS 180-4.  No Python.h here. */
#ifndef COVCORE_SHA256_H
#define COVCORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32 };

typedef struct {
    uint32_t state[8];
    uint64_t n_bytes;        /* absorbed so far */
    uint8_t block[64];       /* what does not fill a block yet */
} sha256;

void sha256_init(sha256 *h);
void sha256_update(sha256 *h, const void *bytes, size_t n_bytes);
void sha256_final(sha256 *h, uint8_t digest[SHA256_BYTES]);

/* Hashes a file with \r\n and \r read as \n.  0, or -1 with errno: not a regular file, unreadable. */
int sha256_source_file(const char *path, uint8_t digest[SHA256_BYTES]);

#endif

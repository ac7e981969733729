/* SHA-256, and of a source file: see sha256.h. */
#include "sha256.h"

#include <string.h>

#include "platform.h"

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t
rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static inline uint32_t
load_big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void
store_big_endian(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)(x >> 24);
    p[1] = (uint8_t)(x >> 16);
    p[2] = (uint8_t)(x >> 8);
    p[3] = (uint8_t)x;
}

/* The next word of the message schedule, which needs only the 16 before it: w is a ring of them. */
static inline uint32_t
expand(uint32_t w[16], unsigned t)
{
    const uint32_t a = w[(t + 1) & 15], b = w[(t + 14) & 15];
    const uint32_t s0 = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3;
    const uint32_t s1 = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;

    return w[t & 15] += s0 + w[(t + 9) & 15] + s1;
}

/* One round, its eight variables named by the caller: turning the names instead of the values saves the moves. */
#define ROUND(a, b, c, d, e, f, g, h, word, t)                                                                         \
    do {                                                                                                               \
        const uint32_t t1 =                                                                                            \
            (h) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (((e) & ((f) ^ (g))) ^ (g)) + K[t] + (word);        \
        (d) += t1;                                                                                                     \
        (h) = t1 + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (((a) & (b)) | ((c) & ((a) | (b))));               \
    } while (0)

#define EIGHT_ROUNDS(word, t)                                                                                          \
    do {                                                                                                               \
        ROUND(a, b, c, d, e, f, g, h, word(w, (t) + 0), (t) + 0);                                                      \
        ROUND(h, a, b, c, d, e, f, g, word(w, (t) + 1), (t) + 1);                                                      \
        ROUND(g, h, a, b, c, d, e, f, word(w, (t) + 2), (t) + 2);                                                      \
        ROUND(f, g, h, a, b, c, d, e, word(w, (t) + 3), (t) + 3);                                                      \
        ROUND(e, f, g, h, a, b, c, d, word(w, (t) + 4), (t) + 4);                                                      \
        ROUND(d, e, f, g, h, a, b, c, word(w, (t) + 5), (t) + 5);                                                      \
        ROUND(c, d, e, f, g, h, a, b, word(w, (t) + 6), (t) + 6);                                                      \
        ROUND(b, c, d, e, f, g, h, a, word(w, (t) + 7), (t) + 7);                                                      \
    } while (0)

#define GIVEN(w, t) (w)[t]

static void
absorb_blocks(uint32_t state[8], const uint8_t *bytes, size_t n_blocks)
{
    for (; n_blocks > 0; n_blocks--, bytes += 64) {
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        uint32_t w[16];

        for (unsigned t = 0; t < 16; t++) {
            w[t] = load_big_endian(bytes + 4 * t);
        }
        EIGHT_ROUNDS(GIVEN, 0);
        EIGHT_ROUNDS(GIVEN, 8);
        for (unsigned t = 16; t < 64; t += 16) {
            EIGHT_ROUNDS(expand, t);
            EIGHT_ROUNDS(expand, t + 8);
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
        state[5] += f;
        state[6] += g;
        state[7] += h;
    }
}

/* ---- any bytes ---- */

void
sha256_init(sha256 *h)
{
    *h = (sha256){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void
sha256_update(sha256 *h, const void *bytes, size_t n_bytes)
{
    const uint8_t *from = bytes;
    const size_t n_held = h->n_bytes % 64;

    if (n_bytes == 0) { /* `bytes` may then be NULL, which memcpy may not */
        return;
    }
    h->n_bytes += n_bytes;
    if (n_held > 0) {
        const size_t n_taken = n_bytes < 64 - n_held ? n_bytes : 64 - n_held;
        memcpy(h->block + n_held, from, n_taken);
        if (n_held + n_taken < 64) {
            return;
        }
        absorb_blocks(h->state, h->block, 1);
        from += n_taken;
        n_bytes -= n_taken;
    }
    absorb_blocks(h->state, from, n_bytes / 64);
    memcpy(h->block, from + n_bytes / 64 * 64, n_bytes % 64);
}

void
sha256_final(sha256 *h, uint8_t digest[SHA256_BYTES])
{
    const uint64_t n_bits = h->n_bytes * 8;
    const size_t n_held = h->n_bytes % 64;
    uint8_t tail[128] = {0}; /* what is held, 0x80, zeros, and the length at the end of a block */
    const size_t n_tail = n_held < 56 ? 64 : 128;

    memcpy(tail, h->block, n_held);
    tail[n_held] = 0x80;
    store_big_endian(tail + n_tail - 8, (uint32_t)(n_bits >> 32));
    store_big_endian(tail + n_tail - 4, (uint32_t)n_bits);
    absorb_blocks(h->state, tail, n_tail / 64);
    for (size_t i = 0; i < 8; i++) {
        store_big_endian(digest + 4 * i, h->state[i]);
    }
}

/* ---- source files ---- */

/* Absorbs a piece of text with \r\n and \r read as \n; rewrites the piece in place.  *after_cr carries over whether
 * the piece before ended with \r, whose \n may begin this one. */
static void
update_text(sha256 *h, uint8_t *text, size_t n_bytes, int *after_cr)
{
    if (!*after_cr && memchr(text, '\r', n_bytes) == NULL) {
        sha256_update(h, text, n_bytes);
        return;
    }
    size_t n_kept = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        const uint8_t byte = text[i];
        if (!(byte == '\n' && *after_cr)) {
            text[n_kept++] = byte == '\r' ? '\n' : byte;
        }
        *after_cr = byte == '\r';
    }
    sha256_update(h, text, n_kept);
}

typedef struct {
    sha256 hash;
    int after_cr;
} text_hash;

static void
take_text(void *context, uint8_t *piece, size_t n_bytes)
{
    text_hash *h = context;

    update_text(&h->hash, piece, n_bytes, &h->after_cr);
}

int
sha256_source_file(const char *path, uint8_t digest[SHA256_BYTES])
{
    text_hash h = {.after_cr = 0};

    sha256_init(&h.hash);
    if (platform_read_file(path, take_text, &h) < 0) {
        return -1;
    }
    sha256_final(&h.hash, digest);
    return 0;
}

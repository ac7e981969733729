// needs: platform_posix.c
/* SHA-256 against the vectors of FIPS 180 and against hashlib, and files against a slow normaliser. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "sha256.h"
#include "temporary.h"

static void
hash_all(const void *bytes, size_t n_bytes, uint8_t digest[SHA256_BYTES])
{
    sha256 h;

    sha256_init(&h);
    sha256_update(&h, bytes, n_bytes);
    sha256_final(&h, digest);
}

static bool
is_hex(const uint8_t digest[SHA256_BYTES], const char *hex)
{
    char text[2 * SHA256_BYTES + 1];

    for (size_t i = 0; i < SHA256_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    return strcmp(text, hex) == 0;
}

static void
test_vectors(void)
{
    static const struct {
        const char *message, *hex;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
        {"\xc9\x8c\x8e\x55", "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    uint8_t digest[SHA256_BYTES];

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        hash_all(vectors[i].message, strlen(vectors[i].message), digest);
        CHECK(is_hex(digest, vectors[i].hex));
    }
    static char million[1000000];
    memset(million, 'a', sizeof(million));
    hash_all(million, sizeof(million), digest);
    CHECK(is_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
}

/* h = hashlib.sha256()
 * for n in range(1025):
 *     h.update(hashlib.sha256(bytes((i * 7 + n) & 255 for i in range(n))).digest()) */
static void
test_every_length_as_hashlib(void)
{
    uint8_t message[1024], digest[SHA256_BYTES];
    sha256 h;

    sha256_init(&h);
    for (size_t n = 0; n <= sizeof(message); n++) {
        for (size_t i = 0; i < n; i++) {
            message[i] = (uint8_t)(i * 7 + n);
        }
        hash_all(message, n, digest);
        sha256_update(&h, digest, sizeof(digest));
    }
    sha256_final(&h, digest);
    CHECK(is_hex(digest, "7325524f668b5b9a6c9348e532dedaca953d95a07ba6808296efe870fd7b6b33"));
}

static void
test_in_pieces(void)
{
    uint8_t message[700], whole[SHA256_BYTES], pieced[SHA256_BYTES];
    uint64_t random = 2;

    for (int round = 0; round < 3000; round++) {
        const size_t n = next_random(&random) % sizeof(message);
        sha256 h;
        for (size_t i = 0; i < n; i++) {
            message[i] = (uint8_t)next_random(&random);
        }
        hash_all(message, n, whole);
        sha256_init(&h);
        sha256_update(&h, NULL, 0);
        for (size_t at = 0; at < n;) {
            size_t n_piece = next_random(&random) % 150;
            n_piece = n_piece < n - at ? n_piece : n - at;
            sha256_update(&h, message + at, n_piece);
            at += n_piece;
        }
        sha256_final(&h, pieced);
        CHECK(memcmp(whole, pieced, sizeof(whole)) == 0);
    }
}

/* ---- source files ---- */

static void
write_file(const char *path, const void *bytes, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");

    CHECK(file != NULL);
    CHECK(fwrite(bytes, 1, n_bytes, file) == n_bytes);
    CHECK(fclose(file) == 0);
}

static void
check_file_hash(const char *text, size_t n_text)
{
    static char normal[64 * 1024];
    uint8_t expected[SHA256_BYTES], found[SHA256_BYTES];
    size_t n_normal = 0;

    CHECK(n_text <= sizeof(normal));
    for (size_t i = 0; i < n_text; i++) {
        if (text[i] == '\r') {
            normal[n_normal++] = '\n';
            i += i + 1 < n_text && text[i + 1] == '\n';
        }
        else {
            normal[n_normal++] = text[i];
        }
    }
    hash_all(normal, n_normal, expected);
    write_file(temporary_path("source.py"), text, n_text);
    CHECK(sha256_source_file(temporary_path("source.py"), found) == 0);
    CHECK(memcmp(expected, found, sizeof(found)) == 0);
}

static void
test_newlines(void)
{
    static const char *const texts[] = {
        "",     "a\nb\n", "a\r\nb\r\n", "a\rb\r",   "\r",        "\n",           "\r\n",
        "\n\r", "\r\r",   "\r\r\n",     "\r\n\r\n", "\r\n\n\rx", "a\r\r\r\n\nb",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_file_hash(texts[i], strlen(texts[i]));
    }
}

/* The file is read in pieces of 8192 bytes; powers of two around it serve as well. */
static void
test_newlines_at_buffer_ends(void)
{
    static char text[40000];
    static const char *const ends[] = {"\r\n", "\r", "\r\r", "\r\r\n", "\n\r", "\r\nx", "\rx"};

    for (size_t boundary = 4096; boundary <= 32768; boundary *= 2) {
        for (size_t e = 0; e < sizeof(ends) / sizeof(ends[0]); e++) {
            for (size_t before = 0; before <= 3; before++) {
                const size_t at = boundary - before;
                memset(text, 'x', at);
                strcpy(text + at, ends[e]);
                check_file_hash(text, at + strlen(ends[e]));
                strcpy(text + at + strlen(ends[e]), "tail\r\n");
                check_file_hash(text, at + strlen(ends[e]) + 6);
            }
        }
    }
}

static void
test_random_newlines(void)
{
    static char text[20000];
    uint64_t random = 3;

    for (int round = 0; round < 200; round++) {
        const size_t n = next_random(&random) % sizeof(text);
        for (size_t i = 0; i < n; i++) {
            text[i] = "\r\n\rab"[next_random(&random) % 5];
        }
        check_file_hash(text, n);
    }
}

static void
test_no_source_file(void)
{
    uint8_t digest[SHA256_BYTES];

    alarm(10); /* whoever waits for the other end of the FIFO is ended by it */
    CHECK(mkfifo(temporary_path("fifo"), 0600) == 0);
    CHECK(sha256_source_file(temporary_path("fifo"), digest) == -1);
    CHECK(errno == EINVAL);
    alarm(0);
    CHECK(sha256_source_file(temporary_folder, digest) == -1);
    CHECK(errno == EISDIR);
    CHECK(sha256_source_file(temporary_path("missing"), digest) == -1);
    CHECK(errno == ENOENT);
    CHECK(sha256_source_file("/dev/null", digest) == -1);
    CHECK(errno == EINVAL);

    write_file(temporary_path("real.py"), "abc", 3);
    CHECK(symlink(temporary_path("real.py"), temporary_path("link.py")) == 0);
    CHECK(sha256_source_file(temporary_path("link.py"), digest) == 0);
    CHECK(is_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

static void
test_leaves_no_descriptor(void)
{
    uint8_t digest[SHA256_BYTES];
    const int before = dup(1);

    CHECK(before >= 0);
    (void)close(before);
    (void)sha256_source_file(temporary_path("real.py"), digest);
    (void)sha256_source_file(temporary_folder, digest);
    const int after = dup(1);
    CHECK(after == before);
    (void)close(after);
}

static const test TESTS[] = {
    TEST(test_vectors),        TEST(test_every_length_as_hashlib), TEST(test_in_pieces),
    TEST(test_newlines),       TEST(test_newlines_at_buffer_ends), TEST(test_random_newlines),
    TEST(test_no_source_file), TEST(test_leaves_no_descriptor),
};

int
main(void)
{
    make_temporary_folder();
    return RUN(TESTS);
}

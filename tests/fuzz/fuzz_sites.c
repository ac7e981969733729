// needs: shape.c locations.c handlers.c proofs.c
/* Feeds shape_decode and shape_build with bytes of any kind.  The first byte chooses; for shape_build the next two say
 * how much is bytecode, and the rest is the location table.  Opcodes are the made-up ones of tests/c/opcode_ids.h. */
#include <opcode_ids.h>

#include "../c/sound.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void
build(const uint8_t *bytes, size_t n_bytes, bool only_known)
{
    const size_t wanted = 2 * (size_t)(bytes[0] | bytes[1] << 8);
    const size_t n_code = wanted < n_bytes - 2 ? wanted : (n_bytes - 2) & ~(size_t)1;
    uint8_t *code = malloc(n_code + 1); /* a piece of its own, so that reading past its end is seen */
    shape_source source = {.code = code,
                           .n_code = n_code,
                           .linetable = bytes + 2 + n_code,
                           .n_linetable = n_bytes - 2 - n_code,
                           .first_line = 7};
    const char *reason = NULL;
    shape s;

    CHECK(code != NULL);
    memcpy(code, bytes + 2, n_code);
    for (size_t i = 0; only_known && i < n_code; i += 2) {
        code[i] %= N_KNOWN_OPS;
    }
    if (shape_build(&s, &source, &reason) == 0) {
        size_t n_encoded;
        check_sound(&s);
        free(check_encoding(&s, &n_encoded));
        shape_free(&s);
    }
    else {
        CHECK(reason != NULL && s.sites == NULL);
    }
    free(code);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    if (n_bytes >= 1 && bytes[0] % 3 == 0) {
        check_decoding(bytes + 1, n_bytes - 1);
    }
    else if (n_bytes >= 3) {
        build(bytes + 1, n_bytes - 1, bytes[0] % 3 == 1);
    }
    return 0;
}

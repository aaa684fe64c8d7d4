// Generates a story: story MODEL SEED TOKENS.
//
//   cargo build --release -p bitstate-capi
//   cc -o story story.c -I ../include -L ../../../target/release -lbitstate_c -Wl,-rpath,../../../target/release
//   ./story model.bits 42 200

#include "bitstate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Prints what failed, and exits.
static void check(int32_t status) {
    if (status >= 0) return;
    char message[1024];
    size_t length = bitstate_last_error(message, sizeof message);
    if (length > sizeof message) length = sizeof message;
    fprintf(stderr, "%s: %.*s\n", bitstate_status_text(status), (int)length, message);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: story MODEL SEED TOKENS\n");
        return 2;
    }
    if (bitstate_abi_version() != BITSTATE_ABI_VERSION) {
        fprintf(stderr, "the library and its header have different versions: rebuild this program\n");
        return 1;
    }
    BitstateModel model;
    check(bitstate_model_open(argv[1], strlen(argv[1]), &model));

    BitstateSampling sampling = {.size = sizeof sampling};
    check(bitstate_sampling_default(model, strtoull(argv[2], NULL, 10), &sampling));
    BitstateSession session;
    check(bitstate_session_new(model, &sampling, &session));

    const char *prompt = "Once upon a time";
    check(bitstate_session_feed_text(session, prompt, strlen(prompt)));
    fputs(prompt, stdout);
    for (long i = strtol(argv[3], NULL, 10); i > 0; i--) {
        uint32_t token;
        int32_t status = bitstate_session_next(session, &token);
        check(status);
        char text[256];
        size_t length;
        check(bitstate_session_text(session, text, sizeof text, &length));
        fwrite(text, 1, length, stdout);
        if (status == BITSTATE_STATUS_END) break;
    }
    putchar('\n');
    check(bitstate_session_free(session));
    check(bitstate_model_free(model));
    return 0;
}

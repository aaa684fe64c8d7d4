// Misuse from C: misuse MODEL. Every mistake returns a status, and the library stays usable.

#include "bitstate.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IS(call, status)                                                                   \
    do {                                                                                   \
        int32_t found = (call);                                                            \
        if (found != (status)) {                                                           \
            char said[512];                                                                \
            size_t length = bitstate_last_error(said, sizeof said);                        \
            if (length > sizeof said) length = sizeof said;                                \
            fprintf(stderr, "%s:%d: %s is %d and not %d: %.*s\n", __FILE__, __LINE__, #call, \
                    (int)found, (int)(status), (int)length, said);                         \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

static BitstateModel model;
static BitstateSession shared;
static int busy = 0;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// Uses the shared session, concurrently with the other threads.
static void *use(void *unused) {
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        uint32_t token;
        int32_t status = bitstate_session_next(shared, &token);
        if (status == BITSTATE_STATUS_BUSY) {
            pthread_mutex_lock(&lock);
            busy++;
            pthread_mutex_unlock(&lock);
        } else if (status < 0) {
            fprintf(stderr, "status %d\n", (int)status);
            exit(1);
        }
    }
    return NULL;
}

// Frees while other threads use it.
static void *release(void *unused) {
    (void)unused;
    IS(bitstate_session_free(shared), BITSTATE_STATUS_OK);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    const char *path = argv[1];
    size_t length = strlen(path), count = 0, vocab_size = 0;
    uint32_t tokens[8] = {79, 110, 99, 101};
    char text[64];
    BitstateSession session = 7;

    IS(bitstate_model_open(NULL, 5, &model), BITSTATE_STATUS_NULL);
    IS(bitstate_model_open(path, length, NULL), BITSTATE_STATUS_NULL);
    IS(bitstate_model_open("none.bits", 9, &model), BITSTATE_STATUS_REFUSED);
    if (model != 0) return 1;
    IS(bitstate_model_open("\xff", 1, &model), BITSTATE_STATUS_UTF8);
    IS(bitstate_model_open(path, (size_t)-1, &model), BITSTATE_STATUS_SIZE);
    IS(bitstate_model_from_bytes((const uint8_t *)"BITS", 4, &model), BITSTATE_STATUS_REFUSED);
    IS(bitstate_model_open(path, length, &model), BITSTATE_STATUS_OK);
    IS(bitstate_model_vocab_size(model, NULL), BITSTATE_STATUS_NULL);
    IS(bitstate_model_vocab_size(model + 1000, &vocab_size), BITSTATE_STATUS_HANDLE);
    IS(bitstate_model_vocab_size(0, &vocab_size), BITSTATE_STATUS_HANDLE);
    IS(bitstate_model_vocab_size(model, &vocab_size), BITSTATE_STATUS_OK);

    IS(bitstate_encode(model, "Once", 4, tokens, 3, &count), BITSTATE_STATUS_ROOM);
    if (count != 4) return 1;
    IS(bitstate_encode(model, "Once", 4, NULL, 8, &count), BITSTATE_STATUS_NULL);
    IS(bitstate_encode(model, "Once", 4, tokens, 8, &count), BITSTATE_STATUS_OK);
    IS(bitstate_decode(model, tokens, 4, text, 3, &count), BITSTATE_STATUS_ROOM);
    IS(bitstate_decode(model, tokens, 4, text, sizeof text, &count), BITSTATE_STATUS_OK);
    if (count != 4 || memcmp(text, "Once", 4) != 0) return 1;

    BitstateSampling sampling = {.size = 12};
    IS(bitstate_sampling_default(model, 1, &sampling), BITSTATE_STATUS_SIZE);
    IS(bitstate_sampling_default(model, 1, NULL), BITSTATE_STATUS_NULL);
    IS(bitstate_session_new(model, &sampling, &session), BITSTATE_STATUS_SIZE);
    sampling.size = sizeof sampling;
    IS(bitstate_sampling_default(model, 1, &sampling), BITSTATE_STATUS_OK);
    sampling.top_p = 2;
    IS(bitstate_session_new(model, &sampling, &session), BITSTATE_STATUS_REFUSED);
    if (session != 0) return 1;
    IS(bitstate_session_new(model, NULL, &session), BITSTATE_STATUS_OK);

    uint32_t token = 0;
    IS(bitstate_session_next(session, &token), BITSTATE_STATUS_REFUSED);
    IS(bitstate_session_feed(session, tokens, 0), BITSTATE_STATUS_REFUSED);
    tokens[1] = 1000000;
    IS(bitstate_session_feed(session, tokens, 2), BITSTATE_STATUS_REFUSED);
    IS(bitstate_session_feed(session, (const uint32_t *)((const char *)tokens + 1), 1), BITSTATE_STATUS_NULL);
    IS(bitstate_session_feed_text(session, "\xc3", 1), BITSTATE_STATUS_UTF8);
    IS(bitstate_session_feed_text(session, "Once", 4), BITSTATE_STATUS_OK);
    IS(bitstate_session_next(session, NULL), BITSTATE_STATUS_NULL);
    IS(bitstate_session_next(session, &token), BITSTATE_STATUS_OK);
    IS(bitstate_session_text(session, text, 0, &count), BITSTATE_STATUS_ROOM);
    IS(bitstate_session_text(session, text, sizeof text, &count), BITSTATE_STATUS_OK);

    float *logits = malloc(vocab_size * sizeof *logits);
    IS(bitstate_session_logits(session, logits, vocab_size - 1), BITSTATE_STATUS_SIZE);
    IS(bitstate_session_logits(session, NULL, vocab_size), BITSTATE_STATUS_NULL);
    IS(bitstate_session_logits(session, logits, vocab_size), BITSTATE_STATUS_OK);
    free(logits);

    // A model's number is not a session, and a freed one is invalid.
    IS(bitstate_session_next(model, &token), BITSTATE_STATUS_HANDLE);
    IS(bitstate_session_free(model), BITSTATE_STATUS_HANDLE);
    BitstateSession other;
    IS(bitstate_session_clone(session, &other), BITSTATE_STATUS_OK);
    IS(bitstate_session_free(session), BITSTATE_STATUS_OK);
    IS(bitstate_session_free(session), BITSTATE_STATUS_HANDLE);
    IS(bitstate_session_next(session, &token), BITSTATE_STATUS_HANDLE);
    IS(bitstate_session_clone(session, &session), BITSTATE_STATUS_HANDLE);

    // Saved, resumed; truncated and changed files are rejected.
    IS(bitstate_session_save(other, NULL, 0, &count), BITSTATE_STATUS_ROOM);
    uint8_t *saved = malloc(count);
    IS(bitstate_session_save(other, saved, count, &count), BITSTATE_STATUS_OK);
    IS(bitstate_session_resume(model, saved, count - 1, &session), BITSTATE_STATUS_REFUSED);
    saved[count / 2] ^= 1;
    IS(bitstate_session_resume(model, saved, count, &session), BITSTATE_STATUS_REFUSED);
    saved[count / 2] ^= 1;
    IS(bitstate_session_resume(model, saved, count, &session), BITSTATE_STATUS_OK);
    free(saved);

    // A session outlives its model.
    IS(bitstate_session_new(model, NULL, &shared), BITSTATE_STATUS_OK);
    IS(bitstate_session_feed_text(shared, "Once", 4), BITSTATE_STATUS_OK);
    IS(bitstate_model_free(model), BITSTATE_STATUS_OK);
    IS(bitstate_model_free(model), BITSTATE_STATUS_HANDLE);
    IS(bitstate_session_resume(model, NULL, 0, &session), BITSTATE_STATUS_HANDLE);

    // Four threads with one session: each call succeeds or is rejected.
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, use, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    uint64_t position;
    IS(bitstate_session_position(shared, &position), BITSTATE_STATUS_OK);
    if (position > (uint64_t)(4 + 8000 - busy)) {
        fprintf(stderr, "%d calls were rejected, but there are %d tokens\n", busy, (int)position);
        return 1;
    }
    pthread_create(&threads[0], NULL, release, NULL);
    pthread_join(threads[0], NULL);
    IS(bitstate_session_next(shared, &token), BITSTATE_STATUS_HANDLE);
    if (strcmp(bitstate_status_text(-99), "not a status of bitstate") != 0) return 1;
    puts("all misuse was rejected");
    return 0;
}

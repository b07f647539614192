/* JetStream's requests, as far as the bench's programs make them. */
#ifndef TELPHER_BENCH_JETSTREAM_H
#define TELPHER_BENCH_JETSTREAM_H

#include "nats.h"

static char inbox[32]; /* where this process is answered */

static inline void publish(struct link *link, const char *subject, const char *reply,
                           const char *body, size_t size) {
    char *line = link_room(link, 256 + size);
    int head = snprintf(line, 256, "PUB %s %s %zu\r\n", subject, reply, size);
    memcpy(line + head, body, size);
    memcpy(line + head + size, "\r\n", 2);
    link->out_size = (size_t)(line + head + size + 2 - link->out);
}

/* Waits for the answer to a request of JetStream's; an error ends the program. */
static inline void request(struct link *link, const char *subject, const char *body) {
    struct message message;
    int pongs = 0;
    publish(link, subject, inbox, body, strlen(body));
    link_flush(link);
    while (!message_next(link, &message, &pongs)) {
        if (link_fill(link) == 0) fail("closed");
    }
    message.body[message.body_size] = 0;
    if (strstr(message.body, "\"error\"") != NULL) fail(message.body);
}

/* A connection that is answered at `inbox`. */
static inline struct link *join_jetstream(const char *address) {
    char hello[64];
    snprintf(inbox, sizeof inbox, "_INBOX.bench.%d", (int)getpid());
    snprintf(hello, sizeof hello, "SUB %s 1\r\n", inbox);
    struct link *link = join(address, hello);
    await_pong(link);
    return link;
}

#endif

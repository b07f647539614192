/* NATS's text protocol, as far as the bench's programs speak it. */
#ifndef TELPHER_BENCH_NATS_H
#define TELPHER_BENCH_NATS_H

#include "common.h"

struct message {
    char *reply, *body;
    int reply_size, body_size;
};

static inline struct link *join(const char *address, const char *subscription) {
    struct link *link = link_new(open_socket(address, 0));
    const char *hello = "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n";
    link_put(link, hello, strlen(hello));
    link_put(link, subscription, strlen(subscription));
    link_put(link, "PING\r\n", 6);
    link_flush(link);
    return link;
}

/* One protocol line that has arrived, without its end; NULL if there is no whole one. */
static inline char *line_next(struct link *link, size_t *size) {
    char *start = link->in + link->in_start;
    char *end = memchr(start, '\n', link->in_end - link->in_start);
    if (end == NULL) return NULL;
    *size = (size_t)(end - start) - 1;
    return start;
}

/* `MSG subject id [reply] size`: finds the reply subject and the body's size. */
static inline void parse_message(char *line, size_t size, struct message *message) {
    char *fields[6];
    int n = 0;
    for (char *at = line, *end = line + size; at < end && n < 6;) {
        fields[n++] = at;
        while (at < end && *at != ' ') at++;
        while (at < end && *at == ' ') at++;
    }
    if (n < 4) fail("MSG");
    message->body_size = atoi(fields[n - 1]);
    message->reply = n == 5 ? fields[3] : NULL;
    message->reply_size = n == 5 ? (int)(fields[4] - fields[3]) - 1 : 0;
}

/* Whether a whole message has arrived; answers a PING on the way. `pongs` counts those to ours. */
static inline int message_next(struct link *link, struct message *message, int *pongs) {
    size_t size;
    char *line;
    while ((line = line_next(link, &size)) != NULL) {
        if (size >= 3 && memcmp(line, "MSG", 3) == 0) {
            parse_message(line, size, message);
            size_t whole = size + 2 + (size_t)message->body_size + 2;
            if (link->in_end - link->in_start < whole) return 0;
            message->body = line + size + 2;
            link->in_start += whole;
            return 1;
        }
        if (size == 4 && memcmp(line, "PING", 4) == 0) link_put(link, "PONG\r\n", 6);
        if (size == 4 && memcmp(line, "PONG", 4) == 0) ++*pongs;
        if (size >= 4 && memcmp(line, "-ERR", 4) == 0) fail(line);
        link->in_start += size + 2;
    }
    return 0;
}

static inline void await_pong(struct link *link) {
    struct message message;
    int pongs = 0;
    while (pongs == 0) {
        if (link_fill(link) == 0) fail("closed");
        message_next(link, &message, &pongs);
    }
}

#endif

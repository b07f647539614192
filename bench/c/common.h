/* What the bench's C programs share: addresses, buffered sockets, frames, samples, one report.
 *
 * A program is told an address (`tcp:127.0.0.1:PORT` or `unix:PATH`), a server says `ready` on
 * its standard output once it listens, and a client ends with one line of JSON. Whatever fails
 * ends the program with a sentence on standard error: a bench that goes on would lie.
 */
#ifndef TELPHER_BENCH_COMMON_H
#define TELPHER_BENCH_COMMON_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifdef __OPTIMIZE__
#define BUILD "release"
#else
#define BUILD "debug"
#endif

#define BODY_SIZE 64
#define BUFFER_SIZE (256 * 1024)
#define SAMPLES_MAX (4 * 1000 * 1000)

static inline void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, errno != 0 ? strerror(errno) : "failed");
    exit(1);
}

static inline uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ---- sockets -------------------------------------------------------------------------------- */

static inline int open_socket(const char *address, int listening) {
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in internet = {.sin_family = AF_INET};
    struct sockaddr *name = (struct sockaddr *)&internet;
    socklen_t size = sizeof internet;
    if (strncmp(address, "unix:", 5) == 0) {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", address + 5);
        name = (struct sockaddr *)&local;
        size = sizeof local;
    } else {
        const char *port = strrchr(address, ':');
        if (strncmp(address, "tcp:", 4) != 0 || port == NULL) fail(address);
        internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        internet.sin_port = htons((uint16_t)atoi(port + 1));
    }
    int on = 1, fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (listening) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, name, size) != 0 || listen(fd, 16) != 0) fail("listen");
        puts("ready");
        fflush(stdout);
    } else if (connect(fd, name, size) != 0) {
        fail("connect");
    }
    if (name->sa_family == AF_INET) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static inline int accept_one(int listener) {
    int on = 1, fd = accept(listener, NULL, NULL);
    if (fd < 0) fail("accept");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* no effect on a Unix socket */
    return fd;
}

/* ---- a connection with a buffer each way ---------------------------------------------------- */

struct link {
    int fd;
    size_t in_start, in_end, out_size;
    char in[BUFFER_SIZE], out[BUFFER_SIZE];
};

static inline struct link *link_new(int fd) {
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL) fail("memory");
    link->fd = fd;
    return link;
}

static inline void link_flush(struct link *link) {
    size_t sent = 0;
    while (sent < link->out_size) {
        ssize_t n = send(link->fd, link->out + sent, link->out_size - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) fail("send");
        if (n > 0) sent += (size_t)n;
    }
    link->out_size = 0;
}

/* Room for `size` more bytes; sends what is there if there is none. */
static inline char *link_room(struct link *link, size_t size) {
    if (link->out_size + size > BUFFER_SIZE) link_flush(link);
    char *room = link->out + link->out_size;
    link->out_size += size;
    return room;
}

static inline void link_put(struct link *link, const void *bytes, size_t size) {
    memcpy(link_room(link, size), bytes, size);
}

/* Takes in what has arrived, waiting for it on a blocking socket; 0 at the end. */
static inline size_t link_fill(struct link *link) {
    if (link->in_start == link->in_end) link->in_start = link->in_end = 0;
    if (link->in_end == BUFFER_SIZE) {
        memmove(link->in, link->in + link->in_start, link->in_end - link->in_start);
        link->in_end -= link->in_start;
        link->in_start = 0;
    }
    ssize_t n = recv(link->fd, link->in + link->in_end, BUFFER_SIZE - link->in_end, 0);
    if (n < 0 && errno == ECONNRESET) return 0;
    if (n < 0) fail("recv");
    link->in_end += (size_t)n;
    return (size_t)n;
}

/* ---- frames, for the limits ----------------------------------------------------------------- */

struct frame {
    uint32_t size, kind;
    uint64_t sequence;
    char body[BODY_SIZE];
};

enum { FRAME_HEADER = 16 };

/* The next whole frame that has arrived, or NULL. */
static inline const struct frame *frame_next(struct link *link) {
    size_t have = link->in_end - link->in_start;
    const struct frame *frame = (const struct frame *)(const void *)(link->in + link->in_start);
    if (have < FRAME_HEADER || have < frame->size) return NULL;
    if (frame->size < FRAME_HEADER || frame->size > sizeof *frame) fail("frame");
    link->in_start += frame->size;
    return frame;
}

static inline void frame_put(struct link *link, uint32_t kind, uint64_t sequence,
                             const char *body, size_t body_size) {
    struct frame *frame = (struct frame *)(void *)link_room(link, FRAME_HEADER + body_size);
    frame->size = (uint32_t)(FRAME_HEADER + body_size);
    frame->kind = kind;
    frame->sequence = sequence;
    if (body_size > 0) memcpy(frame->body, body, body_size);
}

/* ---- samples and the report ----------------------------------------------------------------- */

struct report {
    uint64_t start_ns, end_ns, count;
    size_t samples;
    uint32_t *ns;
};

static inline void report_start(struct report *report) {
    report->count = report->samples = 0;
    report->ns = malloc(SAMPLES_MAX * sizeof *report->ns);
    if (report->ns == NULL) fail("memory");
    report->start_ns = now_ns();
}

static inline void report_sample(struct report *report, uint64_t ns) {
    if (report->samples < SAMPLES_MAX) {
        report->ns[report->samples++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    }
}

static inline int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static inline double report_at(const struct report *report, double part) {
    if (report->samples == 0) return 0;
    return report->ns[(size_t)((double)(report->samples - 1) * part)] / 1000.0;
}

static inline void report_end(struct report *report) {
    struct rusage use;
    report->end_ns = now_ns();
    getrusage(RUSAGE_SELF, &use);
    qsort(report->ns, report->samples, sizeof *report->ns, by_size);
    printf("{\"build\": \"%s\", \"count\": %llu, \"start_ns\": %llu, \"end_ns\": %llu, "
           "\"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"switches\": %ld}\n",
           BUILD, (unsigned long long)report->count, (unsigned long long)report->start_ns,
           (unsigned long long)report->end_ns, report_at(report, 0.5), report_at(report, 0.99),
           report_at(report, 0.999), use.ru_nvcsw + use.ru_nivcsw);
    fflush(stdout);
    free(report->ns);
}

#endif

/* The limit of a hub in a process of its own: what it must at least read, copy and write.
 *
 *     limit_relay hub call|queue ADDRESS
 *     limit_relay serve ADDRESS                    answers each request
 *     limit_relay call ADDRESS SECONDS WINDOW      WINDOW requests in flight
 *     limit_relay produce ADDRESS COUNT WINDOW     WINDOW unconfirmed
 *     limit_relay consume ADDRESS COUNT WINDOW     WINDOW unacknowledged
 *
 * A call is four messages: request in, request out, reply in, reply out. A queue's message is four
 * too: send, confirmation, delivery, acknowledgement; the hub keeps what exceeds the consumer's
 * window in a ring. One connection on each side, epoll, no names, no sessions, no accounts.
 */
#include "common.h"

#include <fcntl.h>
#include <sys/epoll.h>

enum { HELLO_FRONT = 1, HELLO_BACK, MESSAGE, ANSWER };
enum { RING = 1 << 20 };

struct hub {
    struct link *front, *back;
    int queueing;
    uint64_t stored, delivered, acknowledged, window;
    char (*ring)[BODY_SIZE];
};

static void deliver(struct hub *hub) {
    if (hub->back == NULL) return;
    while (hub->delivered < hub->stored && hub->delivered - hub->acknowledged < hub->window) {
        uint64_t sequence = hub->delivered++;
        frame_put(hub->back, MESSAGE, sequence, hub->ring[sequence % RING], BODY_SIZE);
    }
}

static void handle(struct hub *hub, struct link *from, const struct frame *frame) {
    switch (frame->kind) {
    case HELLO_FRONT:
        hub->front = from;
        break;
    case HELLO_BACK:
        hub->back = from;
        hub->window = frame->sequence;
        hub->delivered = hub->acknowledged = hub->stored; /* nothing is left from another round */
        break;
    case MESSAGE:
        if (!hub->queueing) {
            if (hub->back != NULL) {
                frame_put(hub->back, MESSAGE, frame->sequence, frame->body, BODY_SIZE);
            }
            break;
        }
        if (hub->stored - hub->acknowledged == RING) fail("the ring is full");
        memcpy(hub->ring[hub->stored++ % RING], frame->body, BODY_SIZE);
        frame_put(from, ANSWER, frame->sequence, NULL, 0);
        break;
    case ANSWER:
        hub->acknowledged++;
        if (!hub->queueing && hub->front != NULL) {
            frame_put(hub->front, ANSWER, frame->sequence, frame->body, BODY_SIZE);
        }
        break;
    default:
        fail("frame kind");
    }
}

static void hub_turn(struct hub *hub, struct link *link) {
    const struct frame *frame;
    if (link_fill(link) == 0) {
        if (hub->front == link) hub->front = NULL;
        if (hub->back == link) hub->back = NULL;
        close(link->fd);
        free(link);
        return;
    }
    while ((frame = frame_next(link)) != NULL) handle(hub, link, frame);
}

static void hub_run(const char *address, int queueing) {
    struct hub hub = {.queueing = queueing, .ring = calloc(RING, BODY_SIZE)};
    struct epoll_event events[8], add = {.events = EPOLLIN};
    int listener = open_socket(address, 1), epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &add) != 0) fail("epoll");
    for (;;) {
        int n = epoll_wait(epoll, events, 8, -1);
        if (n < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr != NULL) {
                hub_turn(&hub, events[i].data.ptr);
                continue;
            }
            int fd = accept_one(listener);
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = link_new(fd)};
            if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll");
        }
        if (hub.queueing) deliver(&hub);
        if (hub.front != NULL) link_flush(hub.front);
        if (hub.back != NULL) link_flush(hub.back);
    }
}

static struct link *join(const char *address, uint32_t hello, uint64_t window) {
    struct link *link = link_new(open_socket(address, 0));
    frame_put(link, hello, window, NULL, 0);
    link_flush(link);
    return link;
}

/* Keeps `window` messages unanswered until `count` are answered or `seconds` have passed. */
static void front(struct link *link, uint64_t count, uint64_t window, double seconds) {
    struct report report;
    char body[BODY_SIZE] = {0};
    uint64_t started = 0;
    report_start(&report);
    uint64_t last = report.start_ns, until = last + (uint64_t)(seconds * 1e9);
    while (report.count < count && last < until) {
        while (started - report.count < window && started < count) {
            frame_put(link, MESSAGE, started++, body, BODY_SIZE);
        }
        link_flush(link);
        if (link_fill(link) == 0) fail("closed");
        while (frame_next(link) != NULL) report.count++;
        uint64_t now = now_ns();
        if (window == 1) report_sample(&report, now - last);
        last = now;
    }
    report_end(&report);
}

/* Answers each message: with a body as a service does, without as a consumer does. */
static void back(struct link *link, uint64_t count, size_t answer_size) {
    struct report report;
    const struct frame *frame;
    report_start(&report);
    puts("ready");
    fflush(stdout);
    while (report.count < count && link_fill(link) != 0) {
        while ((frame = frame_next(link)) != NULL) {
            report.count++;
            frame_put(link, ANSWER, frame->sequence, frame->body, answer_size);
        }
        link_flush(link);
    }
    report_end(&report);
}

int main(int argc, char **argv) {
    const char *role = argc > 2 ? argv[1] : "";
    uint64_t count = argc > 3 ? (uint64_t)atoll(argv[3]) : 0;
    uint64_t window = argc > 4 ? (uint64_t)atoll(argv[4]) : 64;
    if (strcmp(role, "hub") == 0 && argc == 4) {
        hub_run(argv[3], strcmp(argv[2], "queue") == 0);
    } else if (strcmp(role, "serve") == 0) {
        back(join(argv[2], HELLO_BACK, 1 << 20), UINT64_MAX, BODY_SIZE);
    } else if (strcmp(role, "consume") == 0) {
        back(join(argv[2], HELLO_BACK, window), count, 0);
    } else if (strcmp(role, "call") == 0 && argc == 5) {
        front(join(argv[2], HELLO_FRONT, 0), UINT64_MAX, window, atof(argv[3]));
    } else if (strcmp(role, "produce") == 0) {
        front(join(argv[2], HELLO_FRONT, 0), count, window, 600);
    } else {
        fail("hub|serve|call|produce|consume ADDRESS ...");
    }
    return 0;
}

/* The limit of a call: frames of 64 bytes to and fro over one socket, with nothing else done.
 *
 *     limit_call serve ADDRESS            echoes whatever frames one read has brought
 *     limit_call call ADDRESS SECONDS WINDOW [spin]
 *
 * Both ends sit in epoll, one thread each, as a reactor must. With WINDOW 1 this is the bare
 * ping-pong; with 64 the bare pipelined echo. `spin` polls without sleeping, on either side.
 */
#include "common.h"

#include <sys/epoll.h>

static int epoll_of(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll");
    return epoll;
}

static void await(int epoll, int spin) {
    struct epoll_event event;
    int n;
    do {
        n = epoll_wait(epoll, &event, 1, spin ? 0 : 10000);
    } while ((spin && n == 0) || (n < 0 && errno == EINTR));
    if (n <= 0) fail("epoll_wait: nothing came");
}

static void echo_until_closed(int fd, int spin) {
    struct link *link = link_new(fd);
    int epoll = epoll_of(fd);
    const struct frame *frame;
    for (;;) {
        await(epoll, spin);
        if (link_fill(link) == 0) break;
        while ((frame = frame_next(link)) != NULL) {
            frame_put(link, 2, frame->sequence, frame->body, BODY_SIZE);
        }
        link_flush(link);
    }
    close(epoll);
    close(fd);
    free(link);
}

static void call(int fd, double seconds, uint64_t window, int spin) {
    struct link *link = link_new(fd);
    struct report report;
    char body[BODY_SIZE] = {0};
    int epoll = epoll_of(fd);
    uint64_t started = 0, last = now_ns();
    uint64_t until = last + (uint64_t)(seconds * 1e9);
    report_start(&report);
    for (;;) {
        while (started - report.count < window) frame_put(link, 1, started++, body, BODY_SIZE);
        link_flush(link);
        await(epoll, spin);
        if (link_fill(link) == 0) fail("closed");
        while (frame_next(link) != NULL) report.count++;
        uint64_t now = now_ns();
        if (window == 1) report_sample(&report, now - last);
        last = now;
        if (now >= until) break;
    }
    report_end(&report);
}

int main(int argc, char **argv) {
    int spin = strcmp(argv[argc - 1], "spin") == 0;
    if (argc >= 3 && strcmp(argv[1], "serve") == 0) {
        int listener = open_socket(argv[2], 1);
        for (;;) echo_until_closed(accept_one(listener), spin);
    }
    if (argc < 5 || strcmp(argv[1], "call") != 0) fail("serve|call ADDRESS ...");
    call(open_socket(argv[2], 0), atof(argv[3]), (uint64_t)atoll(argv[4]), spin);
    return 0;
}

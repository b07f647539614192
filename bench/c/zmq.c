/* libzmq's side of a call.
 *
 *     zmq serve rep|router URL
 *     zmq call req|dealer URL SECONDS WINDOW
 *
 * REQ/REP is one round trip at a time; DEALER/ROUTER keeps WINDOW requests in flight, taking in
 * whatever has arrived before it waits again.
 */
#include "common.h"

#include <zmq.h>

static void *open_zmq(int type, const char *url, int listening) {
    void *context = zmq_ctx_new();
    void *peer = zmq_socket(context, type);
    int linger_ms = 0, patience_ms = 10000;
    zmq_setsockopt(peer, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    if (!listening) zmq_setsockopt(peer, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
    if ((listening ? zmq_bind(peer, url) : zmq_connect(peer, url)) != 0) fail(url);
    if (listening) {
        puts("ready");
        fflush(stdout);
    }
    return peer;
}

static void serve(void *peer, int router) {
    char identity[256], body[BODY_SIZE];
    for (;;) {
        int identity_size = 0;
        if (router) identity_size = zmq_recv(peer, identity, sizeof identity, 0);
        int size = zmq_recv(peer, body, sizeof body, 0);
        if (size < 0 || identity_size < 0) fail("zmq_recv");
        if (router) zmq_send(peer, identity, (size_t)identity_size, ZMQ_SNDMORE);
        if (zmq_send(peer, body, (size_t)size, 0) < 0) fail("zmq_send");
    }
}

/* Takes in one reply, waiting if told to; false if there is none. */
static int take(void *peer, char *body, int wait) {
    int size = zmq_recv(peer, body, BODY_SIZE, wait ? 0 : ZMQ_DONTWAIT);
    if (size < 0 && (wait || errno != EAGAIN)) fail("zmq_recv");
    return size >= 0;
}

static void call(void *peer, double seconds, uint64_t window) {
    struct report report;
    char body[BODY_SIZE] = {0};
    uint64_t started = 0, last = now_ns();
    uint64_t until = last + (uint64_t)(seconds * 1e9);
    report_start(&report);
    for (;;) {
        while (started - report.count < window) {
            if (zmq_send(peer, body, BODY_SIZE, 0) < 0) fail("zmq_send");
            started++;
        }
        take(peer, body, 1);
        report.count++;
        while (report.count < started && take(peer, body, 0)) report.count++;
        uint64_t now = now_ns();
        if (window == 1) report_sample(&report, now - last);
        last = now;
        if (now >= until) break;
    }
    report_end(&report);
}

int main(int argc, char **argv) {
    if (argc >= 4 && strcmp(argv[1], "serve") == 0) {
        int router = strcmp(argv[2], "router") == 0;
        serve(open_zmq(router ? ZMQ_ROUTER : ZMQ_REP, argv[3], 1), router);
    }
    if (argc < 6 || strcmp(argv[1], "call") != 0) fail("serve|call KIND URL ...");
    int type = strcmp(argv[2], "dealer") == 0 ? ZMQ_DEALER : ZMQ_REQ;
    call(open_zmq(type, argv[3], 0), atof(argv[4]), (uint64_t)atoll(argv[5]));
    return 0;
}

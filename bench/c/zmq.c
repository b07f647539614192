/* libzmq's side of a call, and of a topic.
 *
 *     zmq serve rep|router URL
 *     zmq call req|dealer URL SECONDS WINDOW
 *     zmq proxy IN OUT                       zmq_proxy between publishers and subscribers
 *     zmq publish IN COUNT FANOUT            when as many sockets are subscribed
 *     zmq subscribe OUT COUNT FANOUT         so many sockets, each to COUNT
 *
 * REQ/REP is one round trip at a time; DEALER/ROUTER keeps WINDOW requests in flight, taking in
 * whatever has arrived before it waits again. Of a topic nothing is confirmed, and no socket has a
 * limit, so that none loses a message.
 */
#include "common.h"

#include <zmq.h>

static const char TOPIC[] = "bench.topic";

enum { FANOUT_MAX = 1024, NAME_SIZE = 16, PUBLISHED_SIZE = sizeof TOPIC - 1 + BODY_SIZE };

static void *context(void) {
    static void *one;
    if (one == NULL) one = zmq_ctx_new();
    return one;
}

static void *open_zmq(int type, const char *url, int listening) {
    void *peer = zmq_socket(context(), type);
    int linger_ms = 0, patience_ms = 10000, any = 0;
    zmq_setsockopt(peer, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    if (!listening) zmq_setsockopt(peer, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
    if (type == ZMQ_SUB || type == ZMQ_XSUB || type == ZMQ_XPUB) {
        zmq_setsockopt(peer, ZMQ_SNDHWM, &any, sizeof any);
        zmq_setsockopt(peer, ZMQ_RCVHWM, &any, sizeof any);
    }
    if ((listening ? zmq_bind(peer, url) : zmq_connect(peer, url)) != 0) fail(url);
    return peer;
}

static void say_ready(void) {
    puts("ready");
    fflush(stdout);
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

static void proxy(const char *in, const char *out) {
    void *publishers = open_zmq(ZMQ_XSUB, in, 1), *subscribers = open_zmq(ZMQ_XPUB, out, 1);
    say_ready();
    zmq_proxy(publishers, subscribers, NULL);
    fail("zmq_proxy");
}

/* Every subscriber has a topic of its own besides, and its proxy passes each one on once. */
static void await_subscribers(void *peer, uint64_t fanout) {
    for (uint64_t there = 0; there < fanout;) {
        char name[256];
        int size = zmq_recv(peer, name, sizeof name, 0);
        if (size < 0) fail("zmq_recv");
        if (size == NAME_SIZE + 1 && name[0] == 1 && name[1] == '#') there++;
    }
}

static void publish(const char *url, uint64_t count, uint64_t fanout) {
    void *peer = open_zmq(ZMQ_XPUB, url, 0);
    struct report report;
    char message[PUBLISHED_SIZE] = {0};
    int for_ever = -1;
    memcpy(message, TOPIC, sizeof TOPIC - 1);
    zmq_setsockopt(peer, ZMQ_LINGER, &for_ever, sizeof for_ever);
    await_subscribers(peer, fanout);
    report_start(&report);
    for (; report.count < count; report.count++) {
        if (zmq_send(peer, message, sizeof message, 0) < 0) fail("zmq_send");
    }
    report_end(&report);
    zmq_close(peer);
    zmq_ctx_term(context());
}

static void subscribe(const char *url, uint64_t count, uint64_t fanout) {
    static zmq_pollitem_t items[FANOUT_MAX];
    struct report report;
    char message[PUBLISHED_SIZE], name[NAME_SIZE + 1];
    if (fanout == 0 || fanout > FANOUT_MAX) fail("FANOUT");
    for (uint64_t i = 0; i < fanout; i++) {
        void *peer = open_zmq(ZMQ_SUB, url, 0);
        snprintf(name, sizeof name, "#%015llu", (unsigned long long)i);
        zmq_setsockopt(peer, ZMQ_SUBSCRIBE, TOPIC, sizeof TOPIC - 1);
        zmq_setsockopt(peer, ZMQ_SUBSCRIBE, name, NAME_SIZE);
        items[i] = (zmq_pollitem_t){.socket = peer, .events = ZMQ_POLLIN};
    }
    report_start(&report);
    say_ready();
    uint64_t taken = 0;
    while (taken < count * fanout) {
        if (zmq_poll(items, (int)fanout, 10000) <= 0) fail("zmq_poll");
        for (uint64_t i = 0; i < fanout; i++) {
            if ((items[i].revents & ZMQ_POLLIN) == 0) continue;
            while (zmq_recv(items[i].socket, message, sizeof message, ZMQ_DONTWAIT) >= 0) taken++;
            if (errno != EAGAIN) fail("zmq_recv");
        }
    }
    report.count = taken / fanout;
    report_end(&report);
}

int main(int argc, char **argv) {
    if (argc >= 4 && strcmp(argv[1], "serve") == 0) {
        int router = strcmp(argv[2], "router") == 0;
        void *peer = open_zmq(router ? ZMQ_ROUTER : ZMQ_REP, argv[3], 1);
        say_ready();
        serve(peer, router);
    }
    if (argc == 4 && strcmp(argv[1], "proxy") == 0) proxy(argv[2], argv[3]);
    if (argc == 5 && (strcmp(argv[1], "publish") == 0 || strcmp(argv[1], "subscribe") == 0)) {
        uint64_t count = (uint64_t)atoll(argv[3]), fanout = (uint64_t)atoll(argv[4]);
        (argv[1][0] == 'p' ? publish : subscribe)(argv[2], count, fanout);
        return 0;
    }
    if (argc < 6 || strcmp(argv[1], "call") != 0) {
        fail("serve|call KIND URL ..., or proxy|publish|subscribe URL ...");
    }
    int type = strcmp(argv[2], "dealer") == 0 ? ZMQ_DEALER : ZMQ_REQ;
    call(open_zmq(type, argv[3], 0), atof(argv[4]), (uint64_t)atoll(argv[5]));
    return 0;
}

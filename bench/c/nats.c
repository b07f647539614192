/* NATS's side, in its own text protocol, with no library between: the least a client can do.
 *
 *     nats serve ADDRESS                     answers each request of `bench.echo`
 *     nats call ADDRESS SECONDS WINDOW       WINDOW requests in flight, replies to one inbox
 *     nats consume ADDRESS COUNT             one of the queue group of `bench.work`
 *     nats produce ADDRESS COUNT             publishes to it as fast as the server takes it
 *     nats subscribe ADDRESS COUNT FANOUT    FANOUT subscriptions to `bench.topic`, each to COUNT
 *                                            messages
 *     nats publish ADDRESS COUNT             publishes to it as fast as the server takes it
 */
#include "nats.h"

static void publish(struct link *link, const char *subject, int subject_size, const char *reply,
                    const char *body) {
    char *line = link_room(link, 256 + BODY_SIZE), *at = line;
    memcpy(at, "PUB ", 4);
    memcpy(at + 4, subject, (size_t)subject_size);
    at += 4 + subject_size;
    if (reply != NULL) {
        *at++ = ' ';
        at = stpcpy(at, reply);
    }
    at = stpcpy(at, " 64\r\n");
    memcpy(at, body, BODY_SIZE);
    memcpy(at + BODY_SIZE, "\r\n", 2);
    link->out_size = (size_t)(at + BODY_SIZE + 2 - link->out);
}

static void serve(struct link *link) {
    struct message message;
    int pongs = 0;
    puts("ready");
    fflush(stdout);
    while (link_fill(link) != 0) {
        while (message_next(link, &message, &pongs)) {
            publish(link, message.reply, message.reply_size, NULL, message.body);
        }
        link_flush(link);
    }
}

static void call(struct link *link, double seconds, uint64_t window) {
    struct report report;
    struct message message;
    char body[BODY_SIZE] = {0}, inbox[64];
    int pongs = 0;
    uint64_t started = 0;
    report_start(&report);
    uint64_t last = report.start_ns, until = last + (uint64_t)(seconds * 1e9);
    while (last < until) {
        for (; started - report.count < window; started++) {
            snprintf(inbox, sizeof inbox, "_INBOX.bench.%llu", (unsigned long long)started);
            publish(link, "bench.echo", 10, inbox, body);
        }
        link_flush(link);
        if (link_fill(link) == 0) fail("closed");
        uint64_t before = report.count;
        while (message_next(link, &message, &pongs)) report.count++;
        uint64_t now = now_ns();
        if (window == 1 && report.count > before) {
            report_sample(&report, now - last);
            last = now;
        }
        if (window > 1) last = now;
    }
    report_end(&report);
}

static void produce(struct link *link, const char *subject, uint64_t count) {
    struct report report;
    char body[BODY_SIZE] = {0};
    int size = (int)strlen(subject);
    report_start(&report);
    for (; report.count < count; report.count++) publish(link, subject, size, NULL, body);
    link_put(link, "PING\r\n", 6);
    link_flush(link);
    await_pong(link);
    report_end(&report);
}

static void consume(struct link *link, uint64_t count, uint64_t fanout) {
    struct report report;
    struct message message;
    uint64_t taken = 0;
    int pongs = 0;
    report_start(&report);
    puts("ready");
    fflush(stdout);
    while (taken < count * fanout && link_fill(link) != 0) {
        while (message_next(link, &message, &pongs)) taken++;
        link_flush(link);
    }
    report.count = taken / fanout;
    report_end(&report);
}

static void subscribe(struct link *link, uint64_t count, uint64_t fanout) {
    char line[64];
    for (uint64_t i = 0; i < fanout; i++) {
        int size = snprintf(line, sizeof line, "SUB bench.topic %llu\r\n",
                            (unsigned long long)i + 1);
        link_put(link, line, (size_t)size);
    }
    link_put(link, "PING\r\n", 6);
    link_flush(link);
    await_pong(link);
    consume(link, count, fanout);
}

int main(int argc, char **argv) {
    const char *role = argc > 2 ? argv[1] : "";
    const char *subscription = "";
    if (strcmp(role, "serve") == 0) subscription = "SUB bench.echo bench 1\r\n";
    if (strcmp(role, "call") == 0) subscription = "SUB _INBOX.bench.* 1\r\n";
    if (strcmp(role, "consume") == 0) subscription = "SUB bench.work bench 1\r\n";
    if (argc < 3) fail("serve|call|produce|consume|publish|subscribe ADDRESS ...");
    struct link *link = join(argv[2], subscription);
    await_pong(link);
    if (strcmp(role, "serve") == 0) serve(link);
    if (strcmp(role, "call") == 0) call(link, atof(argv[3]), (uint64_t)atoll(argv[4]));
    uint64_t count = argc > 3 ? (uint64_t)atoll(argv[3]) : 0;
    if (strcmp(role, "produce") == 0) produce(link, "bench.work", count);
    if (strcmp(role, "consume") == 0) consume(link, count, 1);
    if (strcmp(role, "publish") == 0) produce(link, "bench.topic", count);
    if (strcmp(role, "subscribe") == 0) subscribe(link, count, (uint64_t)atoll(argv[4]));
    return 0;
}

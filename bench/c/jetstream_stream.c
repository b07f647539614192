/* JetStream's side of streams, in NATS's own text protocol, with no library between.
 *
 *     jetstream_stream append ADDRESS SECONDS WINDOW BODY     WINDOW unconfirmed
 *     jetstream_stream read ADDRESS SECONDS RECORDS BODY      a new consumer from the start that
 *                                                             acknowledges nothing, over again
 *     jetstream_stream follow ADDRESS SECONDS BODY            appends one, until a consumer at the
 *                                                             end has it; each is a sample
 *
 * BODY is in bytes. The stream is in files and keeps 1 GiB; consumers are pushed to. Whether the
 * server syncs what it confirms is said in its settings.
 */
#include "jetstream.h"

static const char *const stream =
    "{\"name\":\"bench\",\"subjects\":[\"bench.stream\"],\"retention\":\"limits\","
    "\"storage\":\"file\",\"discard\":\"old\",\"max_consumers\":-1,\"max_msgs\":-1,"
    "\"max_bytes\":1073741824,\"max_age\":0,\"num_replicas\":1}";

static char body[64 * 1024];

static struct message next(struct link *link) {
    struct message message;
    int pongs = 0;
    while (!message_next(link, &message, &pongs)) {
        link_flush(link);
        if (link_fill(link) == 0) fail("closed");
    }
    return message;
}

static void confirmed(struct link *link) {
    struct message message = next(link);
    message.body[message.body_size] = 0;
    if (strstr(message.body, "\"seq\"") == NULL) fail(message.body);
}

static void append_many(struct link *link, uint64_t count, uint64_t window, size_t size,
                        uint64_t until_ns, struct report *report) {
    uint64_t started = 0;
    while (report->count < count && now_ns() < until_ns) {
        for (; started < count && started - report->count < window; started++) {
            publish(link, "bench.stream", inbox, body, size);
        }
        link_flush(link);
        confirmed(link);
        report->count++;
    }
    /* What is left is confirmed, too, and counts for nothing. */
    for (uint64_t left = started - report->count; left > 0; left--) confirmed(link);
}

/* A subject that no consumer pushes to: one that was left goes on for seconds. */
static unsigned new_number(void) {
    static unsigned last;
    return (unsigned)getpid() * 1000 + ++last;
}

/* Has a new consumer push to `bench.read.NUMBER`, from `policy` on. */
static void consume(struct link *link, const char *policy, unsigned number) {
    char settings[512];
    snprintf(settings, sizeof settings,
             "{\"stream_name\":\"bench\",\"config\":{\"deliver_subject\":\"bench.read.%u\","
             "\"deliver_policy\":\"%s\",\"ack_policy\":\"none\"}}", number, policy);
    request(link, "$JS.API.CONSUMER.CREATE.bench", settings);
}

static void subscribe(struct link *link, unsigned number) {
    char line[64];
    int size = snprintf(line, sizeof line, "SUB bench.read.%u 7\r\nPING\r\n", number);
    link_put(link, line, (size_t)size);
    link_flush(link);
    await_pong(link);
}

/* Reads so many on a connection of its own, and lets the consumer go. */
static void read_all(struct link *link, const char *address, uint64_t wanted, size_t size) {
    unsigned number = new_number();
    struct link *reader = join(address, "");
    await_pong(reader);
    subscribe(reader, number);
    consume(link, "all", number);
    for (uint64_t count = 0; count < wanted; count++) {
        if ((size_t)next(reader).body_size != size) fail("another message");
    }
    close(reader->fd);
    free(reader);
}

/* How many messages the stream has. */
static uint64_t length(struct link *link) {
    publish(link, "$JS.API.STREAM.INFO.bench", inbox, "", 0);
    link_flush(link);
    struct message message = next(link);
    message.body[message.body_size] = 0;
    const char *found = strstr(message.body, "\"messages\":");
    if (found == NULL) fail(message.body);
    return (uint64_t)atoll(found + 11);
}

static void append(struct link *link, char **argv) {
    struct report report;
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(atof(argv[3]) * 1e9);
    append_many(link, UINT64_MAX, (uint64_t)atoll(argv[4]), (size_t)atoll(argv[5]), until, &report);
    report_end(&report);
}

static void read_over_again(struct link *link, char **argv) {
    uint64_t wanted = (uint64_t)atoll(argv[4]);
    size_t size = (size_t)atoll(argv[5]);
    struct report report = {0};
    if (length(link) == 0) append_many(link, wanted, 256, size, UINT64_MAX, &report);
    if (length(link) != wanted) fail("another number of messages");
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(atof(argv[3]) * 1e9);
    while (now_ns() < until) {
        read_all(link, argv[2], wanted, size);
        report.count += wanted;
    }
    report_end(&report);
}

static void follow(struct link *link, char **argv) {
    struct link *reader = join(argv[2], "");
    unsigned number = new_number();
    size_t size = (size_t)atoll(argv[4]);
    struct report report;
    await_pong(reader);
    subscribe(reader, number);
    consume(link, "new", number);
    report_start(&report);
    uint64_t last = report.start_ns, until = last + (uint64_t)(atof(argv[3]) * 1e9);
    while (last < until) {
        publish(link, "bench.stream", inbox, body, size);
        link_flush(link);
        if ((size_t)next(reader).body_size != size) fail("another message");
        report_sample(&report, now_ns() - last);
        confirmed(link);
        report.count++;
        last = now_ns();
    }
    report_end(&report);
}

int main(int argc, char **argv) {
    const char *role = argc >= 5 ? argv[1] : "";
    struct link *link = argc >= 5 ? join_jetstream(argv[2]) : NULL;
    if (link != NULL) request(link, "$JS.API.STREAM.CREATE.bench", stream);
    if (strcmp(role, "append") == 0 && argc == 6) {
        append(link, argv);
    } else if (strcmp(role, "read") == 0 && argc == 6) {
        read_over_again(link, argv);
    } else if (strcmp(role, "follow") == 0) {
        follow(link, argv);
    } else {
        fail("append|read|follow ADDRESS SECONDS ...");
    }
    return 0;
}

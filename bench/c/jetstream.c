/* JetStream's side of a durable queue, in NATS's own text protocol, with no library between.
 *
 *     jetstream produce ADDRESS COUNT WINDOW    WINDOW publications without their confirmation
 *     jetstream consume ADDRESS COUNT WINDOW    WINDOW deliveries unacknowledged
 *
 * The stream is in files and lets go of what is acknowledged, as a queue does; whether the server
 * syncs what it confirms is said in its settings. The consumer is durable, messages are pushed to
 * it, and each is acknowledged.
 */
#include "jetstream.h"

static const char *const stream =
    "{\"name\":\"bench\",\"subjects\":[\"bench.work\"],\"retention\":\"workqueue\","
    "\"storage\":\"file\",\"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":-1,\"max_age\":0,"
    "\"num_replicas\":1}";

static const char *const subscription = "SUB bench.delivery 2\r\n";

static void produce(struct link *link, uint64_t count, uint64_t window) {
    struct report report;
    struct message message;
    char body[BODY_SIZE] = {0};
    int pongs = 0;
    uint64_t started = 0;
    report_start(&report);
    while (report.count < count) {
        for (; started < count && started - report.count < window; started++) {
            publish(link, "bench.work", inbox, body, sizeof body);
        }
        link_flush(link);
        if (link_fill(link) == 0) fail("closed");
        while (message_next(link, &message, &pongs)) {
            message.body[message.body_size] = 0;
            if (strstr(message.body, "\"seq\"") == NULL) fail(message.body);
            report.count++;
        }
    }
    report_end(&report);
}

static void acknowledge(struct link *link, const struct message *message) {
    char *line = link_room(link, 256);
    int size = snprintf(line, 256, "PUB %.*s 4\r\n+ACK\r\n", message->reply_size, message->reply);
    link->out_size = (size_t)(line + size - link->out);
}

static void consume(struct link *link, uint64_t count, uint64_t window) {
    struct report report;
    struct message message;
    char settings[512];
    int pongs = 0;
    request(link, "$JS.API.STREAM.CREATE.bench", stream);
    snprintf(settings, sizeof settings,
             "{\"stream_name\":\"bench\",\"config\":{\"durable_name\":\"work\","
             "\"deliver_subject\":\"bench.delivery\",\"deliver_policy\":\"all\","
             "\"ack_policy\":\"explicit\",\"ack_wait\":60000000000,\"max_ack_pending\":%llu}}",
             (unsigned long long)window);
    request(link, "$JS.API.CONSUMER.DURABLE.CREATE.bench.work", settings);
    link_put(link, subscription, strlen(subscription));
    link_flush(link);
    report_start(&report);
    puts("ready");
    fflush(stdout);
    while (report.count < count && link_fill(link) != 0) {
        while (message_next(link, &message, &pongs)) {
            if (message.body_size != BODY_SIZE) fail("another message");
            acknowledge(link, &message);
            report.count++;
        }
        link_flush(link);
    }
    /* The server has read the acknowledgements once it answers. */
    link_put(link, "PING\r\n", 6);
    link_flush(link);
    await_pong(link);
    report_end(&report);
}

int main(int argc, char **argv) {
    if (argc < 5) fail("produce|consume ADDRESS COUNT WINDOW");
    struct link *link = join_jetstream(argv[2]);
    uint64_t count = (uint64_t)atoll(argv[3]), window = (uint64_t)atoll(argv[4]);
    if (strcmp(argv[1], "produce") == 0) produce(link, count, window);
    if (strcmp(argv[1], "consume") == 0) consume(link, count, window);
    return 0;
}

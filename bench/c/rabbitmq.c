/* RabbitMQ's side of a durable queue, with the C client that Debian has of it.
 *
 *     rabbitmq produce PORT COUNT WINDOW    persistent messages, WINDOW of them unconfirmed
 *     rabbitmq consume PORT COUNT WINDOW    WINDOW deliveries unacknowledged
 *
 * The queue is durable, the publisher asks for confirmations, and each message is acknowledged.
 */
#include "common.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>

enum { CHANNEL = 1, PERSISTENT = 2, FRAME_SIZE = 131072, PATIENCE_S = 30, TAGS = 4096 };

static const char *const queue = "bench.work";

static void check(int status, const char *what) {
    if (status == AMQP_STATUS_OK) return;
    fprintf(stderr, "%s: %s\n", what, amqp_error_string2(status));
    exit(1);
}

static void check_reply(amqp_rpc_reply_t reply, const char *what) {
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) check(reply.library_error, what);
    fprintf(stderr, "%s: refused by the server\n", what);
    exit(1);
}

static amqp_connection_state_t join(int port) {
    amqp_connection_state_t link = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(link);
    if (socket == NULL) fail("socket");
    check(amqp_socket_open(socket, "127.0.0.1", port), "connect");
    check_reply(amqp_login(link, "/", 0, FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
                "login");
    amqp_channel_open(link, CHANNEL);
    check_reply(amqp_get_rpc_reply(link), "channel");
    amqp_queue_declare(link, CHANNEL, amqp_cstring_bytes(queue), 0, 1, 0, 0, amqp_empty_table);
    check_reply(amqp_get_rpc_reply(link), "queue");
    return link;
}

static void next(amqp_connection_state_t link, amqp_frame_t *frame) {
    struct timeval patience = {.tv_sec = PATIENCE_S};
    amqp_maybe_release_buffers(link);
    check(amqp_simple_wait_frame_noblock(link, frame, &patience), "nothing came");
}

/* Which publications are confirmed: all up to `all`, and those marked in `beyond`. */
struct confirmed {
    uint64_t all;
    char beyond[TAGS];
};

static void confirm(struct confirmed *confirmed, const amqp_frame_t *frame) {
    if (frame->frame_type != AMQP_FRAME_METHOD) fail("frame");
    if (frame->payload.method.id != AMQP_BASIC_ACK_METHOD) fail("not confirmed");
    const amqp_basic_ack_t *ack = frame->payload.method.decoded;
    uint64_t first = ack->multiple ? confirmed->all + 1 : ack->delivery_tag;
    for (uint64_t tag = first; tag <= ack->delivery_tag; tag++) confirmed->beyond[tag % TAGS] = 1;
    while (confirmed->beyond[(confirmed->all + 1) % TAGS]) {
        confirmed->beyond[++confirmed->all % TAGS] = 0;
    }
}

static void publish(amqp_connection_state_t link) {
    static char body[BODY_SIZE];
    static const amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG,
                                                       .delivery_mode = PERSISTENT};
    amqp_bytes_t bytes = {.len = sizeof body, .bytes = body};
    check(amqp_basic_publish(link, CHANNEL, amqp_empty_bytes, amqp_cstring_bytes(queue), 0, 0,
                             &properties, bytes),
          "publish");
}

static void produce(amqp_connection_state_t link, uint64_t count, uint64_t window) {
    struct report report;
    struct confirmed confirmed = {0};
    amqp_frame_t frame;
    uint64_t started = 0;
    if (window >= TAGS) fail("WINDOW");
    amqp_confirm_select(link, CHANNEL);
    check_reply(amqp_get_rpc_reply(link), "confirm.select");
    report_start(&report);
    while (report.count < count) {
        for (; started < count && started - report.count < window; started++) publish(link);
        do {
            next(link, &frame);
            confirm(&confirmed, &frame);
        } while (confirmed.all < started && amqp_frames_enqueued(link));
        report.count = confirmed.all;
    }
    report_end(&report);
}

static void consume(amqp_connection_state_t link, uint64_t count, uint64_t window) {
    struct report report;
    amqp_envelope_t envelope;
    amqp_basic_qos(link, CHANNEL, 0, (uint16_t)window, 0);
    check_reply(amqp_get_rpc_reply(link), "qos");
    amqp_basic_consume(link, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    check_reply(amqp_get_rpc_reply(link), "consume");
    report_start(&report);
    puts("ready");
    fflush(stdout);
    while (report.count < count) {
        struct timeval patience = {.tv_sec = PATIENCE_S};
        amqp_maybe_release_buffers(link);
        check_reply(amqp_consume_message(link, &envelope, &patience, 0), "nothing came");
        check(amqp_basic_ack(link, CHANNEL, envelope.delivery_tag, 0), "ack");
        amqp_destroy_envelope(&envelope);
        report.count++;
    }
    check_reply(amqp_channel_close(link, CHANNEL, AMQP_REPLY_SUCCESS), "close");
    report_end(&report);
}

int main(int argc, char **argv) {
    if (argc < 5) fail("produce|consume PORT COUNT WINDOW");
    amqp_connection_state_t link = join(atoi(argv[2]));
    uint64_t count = (uint64_t)atoll(argv[3]), window = (uint64_t)atoll(argv[4]);
    if (strcmp(argv[1], "produce") == 0) produce(link, count, window);
    if (strcmp(argv[1], "consume") == 0) consume(link, count, window);
    check_reply(amqp_connection_close(link, AMQP_REPLY_SUCCESS), "close");
    return 0;
}

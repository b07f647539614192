/* Hubs, queues and services for the tests. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static char url[256];
static int number;

const char *fresh_memory_url(void) {
    snprintf(url, sizeof url, "mem://c-test-%d", ++number);
    return url;
}

const char *fresh_directory(void) {
    const char *place = getenv("TMPDIR");
    snprintf(url, sizeof url, "%s/telpher-c-XXXXXX", place ? place : "/tmp");
    if (mkdtemp(url) == NULL) {
        check_fail(__FILE__, __LINE__, "no directory %s", url);
    }
    return url;
}

const char *fresh_unix_url(void) {
    char directory[200];
    snprintf(directory, sizeof directory, "%s", fresh_directory());
    snprintf(url, sizeof url, "unix://%s/hub", directory);
    return url;
}

const char *fresh_tcp_url(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    close(listener);
    snprintf(url, sizeof url, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    return url;
}

telpher_hub open_hub(const char *at, uint32_t drive) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_hub hub;
    telpher_id id;
    options.drive = drive;
    CHECK_OK(telpher_open(at, &options, NULL, &hub, &id));
    expect_ok(hub, id);
    return hub;
}

telpher_hub open_memory(void) {
    return open_hub(fresh_memory_url(), TELPHER_DRIVE_LIBRARY);
}

telpher_event outcome(telpher_hub hub, telpher_id id) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    CHECK_OK(telpher_wait(hub, id, 0, &event));
    CHECK_EQUAL(event.id, id);
    CHECK_EQUAL(event.size, sizeof event);
    return event;
}

void expect_ended(telpher_hub hub, telpher_id id, telpher_status expected) {
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, expected);
    CHECK_OK(telpher_events_release(&event));
}

void expect_ok(telpher_hub hub, telpher_id id) {
    expect_ended(hub, id, TELPHER_OK);
}

void expect_words(telpher_hub hub, telpher_id id, telpher_status status, const char *words) {
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, status);
    CHECK_CONTAINS(event.detail, words);
    CHECK(!event.maybe_executed);
    CHECK_OK(telpher_events_release(&event));
}

void declare_as(telpher_hub hub, const char *queue, const telpher_declare_options *options) {
    telpher_id id;
    CHECK_OK(telpher_declare(hub, queue, options, NULL, &id));
    expect_ok(hub, id);
}

void declare_queue(telpher_hub hub, const char *queue) {
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    options.durability = TELPHER_DURABILITY_MEMORY;
    declare_as(hub, queue, &options);
}

telpher_queue_info inspect(telpher_hub hub, const char *queue) {
    telpher_id id;
    CHECK_OK(telpher_inspect(hub, queue, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK(event.queue_info != NULL);
    telpher_queue_info info = *event.queue_info;
    info.dead_letter = NULL;
    info.bindings = NULL;
    CHECK_OK(telpher_events_release(&event));
    return info;
}

void settle(telpher_hub hub, telpher_event *job, uint32_t verdict, const char *reason) {
    telpher_settle_options options = TELPHER_SIZED(telpher_settle_options);
    telpher_id id;
    options.reason = reason;
    CHECK_OK(telpher_settle(hub, job->token, verdict, &options, NULL, &id));
    expect_ok(hub, id);
    CHECK_OK(telpher_events_release(job));
}

telpher_id consume(telpher_hub hub, const char *queue, const telpher_consume_options *options) {
    telpher_id consumer;
    CHECK_OK(telpher_consume(hub, queue, options, NULL, &consumer));
    telpher_event event = outcome(hub, consumer);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    return consumer;
}

void send_text(telpher_hub hub, const char *queue, const char *text) {
    telpher_id id;
    CHECK_OK(telpher_send(hub, queue, &TEXT(text), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK(event.message_id != 0);
    CHECK_EQUAL(event.durability, TELPHER_DURABILITY_MEMORY);
    CHECK_OK(telpher_events_release(&event));
}

telpher_event receive_one(telpher_hub hub, const char *queue) {
    telpher_id id;
    CHECK_OK(telpher_receive(hub, queue, NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK(event.token != 0);
    return event;
}

telpher_id serve_waiting(telpher_hub hub, const char *name, uint32_t concurrency) {
    telpher_serve_options options = TELPHER_SIZED(telpher_serve_options);
    telpher_id service;
    options.concurrency = concurrency;
    CHECK_OK(telpher_serve(hub, name, &options, NULL, &service));
    telpher_event event = outcome(hub, service);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    return service;
}

static void answer_reversed(telpher_hub hub, const telpher_event *request) {
    unsigned char *reversed = malloc(request->body_size + 1);
    const unsigned char *body = request->body;
    telpher_message reply = TELPHER_SIZED(telpher_message);
    for (size_t at = 0; at < request->body_size; at++) {
        reversed[at] = body[request->body_size - 1 - at];
    }
    reply.body = reversed;
    reply.body_size = request->body_size;
    reply.release = free;
    reply.release_arg = reversed;
    telpher_status status = telpher_reply(hub, request->token, &reply, NULL, NULL, NULL);
    CHECK(status == TELPHER_OK || status == TELPHER_CLOSED);
}

static void *reverse_until_stopped(void *argument) {
    struct reverser *reverser = argument;
    telpher_event event = TELPHER_SIZED(telpher_event);
    for (int going = 1; going;) {
        telpher_status status =
            telpher_wait(reverser->hub, reverser->service, TELPHER_FOREVER, &event);
        if (status == TELPHER_CLOSED) {
            return NULL;
        }
        CHECK_OK(status);
        if (event.kind == TELPHER_EVENT_REQUEST) {
            answer_reversed(reverser->hub, &event);
        }
        going = event.kind != TELPHER_EVENT_DONE;
        CHECK_OK(telpher_events_release(&event));
    }
    return NULL;
}

void reverser_start(struct reverser *reverser, telpher_hub hub, const char *name,
                    uint32_t concurrency) {
    reverser->hub = hub;
    reverser->service = serve_waiting(hub, name, concurrency);
    CHECK(pthread_create(&reverser->thread, NULL, reverse_until_stopped, reverser) == 0);
}

void reverser_stop(struct reverser *reverser) {
    CHECK_OK(telpher_detach(reverser->hub, reverser->service));
    CHECK(pthread_join(reverser->thread, NULL) == 0);
}

/* What the programs on Telpher's C interface share: operations awaited, a queue declared.
 *
 * An operation that ends otherwise than well ends the program with its words.
 */
#ifndef TELPHER_BENCH_HANDLE_H
#define TELPHER_BENCH_HANDLE_H

#include "common.h"

#include <telpher.h>

enum { BATCH = 1024, PATIENCE_MS = 10000 };

static const char *const queue = "bench.work";
static telpher_event events[BATCH];

static inline void check(telpher_status status) {
    if (status == TELPHER_OK) return;
    fprintf(stderr, "telpher: %s\n", telpher_last_error());
    exit(1);
}

static inline void check_end(const telpher_event *event) {
    if (event->kind == TELPHER_EVENT_DONE && event->status == TELPHER_OK) return;
    fprintf(stderr, "telpher: event %u, %s: %s\n", event->kind, telpher_status_name(event->status),
            event->detail != NULL ? event->detail : "");
    exit(1);
}

static inline void await(telpher_hub hub, telpher_id id) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    check(telpher_wait(hub, id, 0, &event));
    check_end(&event);
    check(telpher_events_release(&event));
}

/* At least one event; they stay valid until `events` is released. */
static inline size_t take(telpher_hub hub, int64_t timeout_ms) {
    size_t count;
    check(telpher_poll(hub, events, sizeof *events, BATCH, &count, timeout_ms));
    if (count == 0) fail("nothing came");
    return count;
}

static inline void say_ready(void) {
    puts("ready");
    fflush(stdout);
}

static inline uint32_t durability_of(const char *name) {
    if (strcmp(name, "memory") == 0) return TELPHER_DURABILITY_MEMORY;
    if (strcmp(name, "os") == 0) return TELPHER_DURABILITY_OS;
    if (strcmp(name, "disk") == 0) return TELPHER_DURABILITY_DISK;
    fail(name);
    return 0;
}

/* The queue; one that is kept on disk has room for whatever a bench may send. */
static inline void declare(telpher_hub hub, uint32_t durability) {
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    telpher_id id;
    options.durability = durability;
    if (durability > TELPHER_DURABILITY_MEMORY) {
        options.length_max = 100 * 1000 * 1000;
        options.bytes_max = (uint64_t)64 << 30;
    }
    check(telpher_declare(hub, queue, &options, NULL, &id));
    await(hub, id);
}

/* A send is confirmed only if it is as safe as was asked. */
static inline void check_sent(const telpher_event *event, uint32_t durability) {
    check_end(event);
    if (event->durability < durability) fail("confirmed, and less safe than asked");
}

/* What is sent, how many of it unconfirmed, and until when. */
struct sends {
    telpher_message message;
    uint32_t durability;
    uint64_t count, window, until_ns;
};

/* Sends one message and waits for its confirmation. */
static inline void send_one(telpher_hub hub, const struct sends *sends) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_id id;
    check(telpher_send(hub, queue, &sends->message, NULL, NULL, &id));
    check(telpher_wait(hub, id, 0, &event));
    check_sent(&event, sends->durability);
    check(telpher_events_release(&event));
}

/* Keeps `window` sends unconfirmed until `count` are confirmed or the time is over. */
static inline void send_many(telpher_hub hub, const struct sends *sends, struct report *report) {
    telpher_done done = TELPHER_SIZED(telpher_done);
    uint64_t started = 0;
    done.kind = TELPHER_DONE_EVENT;
    while (report->count < sends->count && now_ns() < sends->until_ns) {
        for (; started < sends->count && started - report->count < sends->window; started++) {
            check(telpher_send(hub, queue, &sends->message, NULL, &done, NULL));
        }
        size_t taken = take(hub, PATIENCE_MS);
        for (size_t i = 0; i < taken; i++) check_sent(&events[i], sends->durability);
        check(telpher_events_release(events));
        report->count += taken;
    }
}

#endif

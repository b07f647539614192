/* Telpher's sides, on its C interface.
 *
 *     telpher serve URL inline|host|caller             echoes the requests of `bench.echo`
 *     telpher call URL caller|library SECONDS WINDOW   WINDOW calls in flight; 1: blocking calls
 *     telpher produce URL COUNT WINDOW [DURABILITY]    WINDOW sends unconfirmed
 *     telpher consume URL COUNT WINDOW [DURABILITY]    WINDOW deliveries unacknowledged
 *     telpher publish URL COUNT WINDOW                 WINDOW publishes unconfirmed, 0: unseen
 *     telpher subscribe URL COUNT FANOUT               FANOUT subscriptions, each to COUNT messages
 *     telpher connect URL COUNT                        COUNT handles that do nothing
 *
 * `inline` hosts the hub at URL on this thread, `host` on the library's thread; with `caller` and
 * `library` the hub is elsewhere, and this thread or the library's turns the handle. DURABILITY is
 * `memory`, `os` or `disk`; if it is not stated the queue is as the hub has it by default.
 */
#include "handle.h"

static const char *const service = "bench.echo";
static const char body[BODY_SIZE];

static telpher_hub open_hub(const char *url, const char *place) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_hub hub;
    telpher_id opened;
    options.drive = TELPHER_DRIVE_LIBRARY;
    if (strcmp(place, "inline") == 0) options.drive = TELPHER_DRIVE_INLINE;
    if (strcmp(place, "caller") == 0) options.drive = TELPHER_DRIVE_CALLER;
    if (strcmp(place, "host") == 0) {
        options.listen = &url;
        options.listen_count = 1;
    }
    check(telpher_open(options.listen_count > 0 ? "mem://bench" : url, &options, NULL, &hub,
                       &opened));
    await(hub, opened);
    return hub;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static telpher_hub served;

static void answer(const telpher_event *event, uint64_t user) {
    (void)user;
    if (event->kind == TELPHER_EVENT_REQUEST) {
        telpher_message reply = TELPHER_BODY(event->body, event->body_size);
        check(telpher_reply(served, event->token, &reply, NULL, NULL, NULL));
    } else if (event->kind == TELPHER_EVENT_STARTED) {
        say_ready();
    } else if (event->kind == TELPHER_EVENT_DONE) {
        check_end(event);
    }
}

static void serve(telpher_hub hub, int in_callbacks) {
    telpher_serve_options options = TELPHER_SIZED(telpher_serve_options);
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_id id;
    options.concurrency = 1024;
    done.kind = in_callbacks ? TELPHER_DONE_CALLBACK : TELPHER_DONE_EVENT;
    done.fn = in_callbacks ? answer : NULL;
    served = hub;
    check(telpher_serve(hub, service, &options, &done, &id));
    while (in_callbacks) pause();
    for (;;) {
        size_t count = take(hub, TELPHER_FOREVER);
        for (size_t i = 0; i < count; i++) answer(&events[i], 0);
        check(telpher_events_release(events));
    }
}

static void call_one_by_one(telpher_hub hub, double seconds) {
    telpher_message message = TELPHER_BODY(body, sizeof body);
    struct report report;
    report_start(&report);
    uint64_t last = report.start_ns, until = last + (uint64_t)(seconds * 1e9);
    while (last < until) {
        telpher_id id;
        check(telpher_call(hub, service, &message, NULL, NULL, &id));
        await(hub, id);
        uint64_t now = now_ns();
        report.count++;
        report_sample(&report, now - last);
        last = now;
    }
    report_end(&report);
}

static void call_many(telpher_hub hub, double seconds, uint64_t window) {
    telpher_message message = TELPHER_BODY(body, sizeof body);
    telpher_done done = TELPHER_SIZED(telpher_done);
    struct report report;
    uint64_t started = 0;
    done.kind = TELPHER_DONE_EVENT;
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(seconds * 1e9);
    while (now_ns() < until) {
        for (; started - report.count < window; started++) {
            check(telpher_call(hub, service, &message, NULL, &done, NULL));
        }
        size_t count = take(hub, PATIENCE_MS);
        for (size_t i = 0; i < count; i++) check_end(&events[i]);
        check(telpher_events_release(events));
        report.count += count;
    }
    report_end(&report);
}

/* ---- queues --------------------------------------------------------------------------------- */

static void produce(telpher_hub hub, uint64_t count, uint64_t window, uint32_t durability) {
    struct sends sends = {.message = TELPHER_BODY(body, sizeof body), .durability = durability,
                          .count = count, .window = window, .until_ns = UINT64_MAX};
    struct report report;
    declare(hub, durability);
    report_start(&report);
    send_many(hub, &sends, &report);
    report_end(&report);
}

/* Acknowledges a delivery; whether the hub has it is told for the last one alone. */
static void acknowledge(telpher_hub hub, uint64_t token, int last) {
    telpher_done done = TELPHER_SIZED(telpher_done);
    done.kind = last ? TELPHER_DONE_EVENT : TELPHER_DONE_NONE;
    check(telpher_settle(hub, token, TELPHER_ACKNOWLEDGE, NULL, &done, NULL));
}

static void consume(telpher_hub hub, uint64_t count, uint32_t window, uint32_t durability) {
    telpher_consume_options options = TELPHER_SIZED(telpher_consume_options);
    telpher_counters counters = TELPHER_SIZED(telpher_counters);
    telpher_done done = TELPHER_SIZED(telpher_done);
    struct report report;
    telpher_id id;
    int settled = 0;
    declare(hub, durability);
    options.prefetch = window;
    done.kind = TELPHER_DONE_EVENT;
    check(telpher_consume(hub, queue, &options, &done, &id));
    report_start(&report);
    while (!settled) {
        size_t taken = take(hub, PATIENCE_MS);
        for (size_t i = 0; i < taken; i++) {
            if (events[i].kind == TELPHER_EVENT_DELIVERY) {
                report.count++;
                acknowledge(hub, events[i].token, report.count == count);
            } else if (events[i].kind == TELPHER_EVENT_STARTED) {
                say_ready();
            } else {
                check_end(&events[i]);
                settled = 1;
            }
        }
        check(telpher_events_release(events));
    }
    check(telpher_stats(hub, &counters));
    if (counters.failed > 0) fail("an acknowledgement");
    report_end(&report);
}

/* ---- topics --------------------------------------------------------------------------------- */

static const char *const topic = "bench.topic";

static void publish(telpher_hub hub, uint64_t count, uint64_t window) {
    telpher_message message = TELPHER_BODY(body, sizeof body);
    telpher_done done = TELPHER_SIZED(telpher_done);
    struct report report;
    uint64_t started = 0;
    done.kind = TELPHER_DONE_EVENT;
    report_start(&report);
    while (report.count < count) {
        for (; started < count && started - report.count < window; started++) {
            check(telpher_publish(hub, topic, &message, NULL, &done, NULL));
        }
        size_t taken = take(hub, PATIENCE_MS);
        for (size_t i = 0; i < taken; i++) check_end(&events[i]);
        check(telpher_events_release(events));
        report.count += taken;
    }
    report_end(&report);
}

/* Nobody looks at the end of a publish but the last: failures are counted. */
static void publish_unseen(telpher_hub hub, uint64_t count) {
    telpher_message message = TELPHER_BODY(body, sizeof body);
    telpher_counters counters = TELPHER_SIZED(telpher_counters);
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_event room = TELPHER_SIZED(telpher_event);
    struct report report;
    telpher_id last;
    done.kind = TELPHER_DONE_NONE;
    report_start(&report);
    for (; report.count + 1 < count; report.count++) {
        telpher_status status = telpher_publish(hub, topic, &message, NULL, &done, NULL);
        while (status == TELPHER_FULL) {
            check(telpher_wait(hub, 0, PATIENCE_MS, &room));
            check(telpher_events_release(&room));
            status = telpher_publish(hub, topic, &message, NULL, &done, NULL);
        }
        check(status);
    }
    check(telpher_publish(hub, topic, &message, NULL, NULL, &last));
    await(hub, last);
    report.count++;
    check(telpher_stats(hub, &counters));
    if (counters.failed > 0) fail("a publish");
    report_end(&report);
}

static void subscribe(telpher_hub hub, uint64_t count, uint64_t fanout) {
    telpher_subscribe_options options = TELPHER_SIZED(telpher_subscribe_options);
    telpher_done done = TELPHER_SIZED(telpher_done);
    struct report report;
    uint64_t live = 0, taken = 0;
    options.buffer = 65536;
    done.kind = TELPHER_DONE_EVENT;
    for (uint64_t i = 0; i < fanout; i++) {
        telpher_id id;
        check(telpher_subscribe(hub, topic, &options, &done, &id));
    }
    report_start(&report);
    while (taken < count * fanout) {
        size_t found = take(hub, PATIENCE_MS);
        for (size_t i = 0; i < found; i++) {
            if (events[i].kind == TELPHER_EVENT_PUBLISHED) {
                taken++;
            } else if (events[i].kind != TELPHER_EVENT_STARTED) {
                fail("a message was lost");
            } else if (++live == fanout) {
                say_ready();
            }
        }
        check(telpher_events_release(events));
    }
    report.count = count;
    report_end(&report);
}

/* ---- idle connections ----------------------------------------------------------------------- */

static void connect_many(const char *url, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) open_hub(url, "caller");
    say_ready();
    pause();
}

static void pass(char **argv, uint32_t durability) {
    telpher_hub hub = open_hub(argv[2], "caller");
    uint64_t count = (uint64_t)atoll(argv[3]);
    if (strcmp(argv[1], "produce") == 0) {
        produce(hub, count, (uint64_t)atoll(argv[4]), durability);
    } else if (strcmp(argv[1], "publish") == 0) {
        uint64_t window = (uint64_t)atoll(argv[4]);
        if (window > 0) publish(hub, count, window);
        if (window == 0) publish_unseen(hub, count);
    } else if (strcmp(argv[1], "subscribe") == 0) {
        subscribe(hub, count, (uint64_t)atoll(argv[4]));
    } else {
        consume(hub, count, (uint32_t)atoi(argv[4]), durability);
    }
    check(telpher_close(hub, 0));
}

int main(int argc, char **argv) {
    const char *role = argc >= 4 ? argv[1] : "";
    if (strcmp(role, "serve") == 0) {
        serve(open_hub(argv[2], argv[3]), strcmp(argv[3], "host") == 0);
    } else if (strcmp(role, "call") == 0 && argc == 6) {
        telpher_hub hub = open_hub(argv[2], argv[3]);
        uint64_t window = (uint64_t)atoll(argv[5]);
        if (window == 1) call_one_by_one(hub, atof(argv[4]));
        if (window > 1) call_many(hub, atof(argv[4]), window);
        check(telpher_close(hub, 0));
    } else if ((strcmp(role, "publish") == 0 || strcmp(role, "subscribe") == 0) && argc == 5) {
        pass(argv, TELPHER_DURABILITY_DEFAULT);
    } else if ((strcmp(role, "produce") == 0 || strcmp(role, "consume") == 0) && argc >= 5) {
        pass(argv, argc == 6 ? durability_of(argv[5]) : TELPHER_DURABILITY_DEFAULT);
    } else if (strcmp(role, "connect") == 0) {
        connect_many(argv[2], (uint64_t)atoll(argv[3]));
    } else {
        fail("serve|call|produce|consume|publish|subscribe|connect URL ...");
    }
    return 0;
}

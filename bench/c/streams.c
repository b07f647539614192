/* Telpher's sides of streams, on its C interface.
 *
 *     streams append URL SECONDS WINDOW BODY DURABILITY    WINDOW appends unconfirmed
 *     streams read URL SECONDS RECORDS BODY                reads so many from the start, over again
 *     streams follow URL SECONDS BODY                      appends one, and waits until a reader at
 *                                                          the end has it; each is a sample
 *
 * BODY is in bytes. What is read, and what is followed, is kept as `os`.
 */
#include "handle.h"

static const char *const stream = "bench.stream";
static char body[64 * 1024];

static telpher_hub open_hub(const char *url) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_hub hub;
    telpher_id opened;
    options.drive = TELPHER_DRIVE_CALLER;
    check(telpher_open(url, &options, NULL, &hub, &opened));
    await(hub, opened);
    return hub;
}

static void declare_stream(telpher_hub hub, uint32_t durability) {
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    telpher_id id;
    options.durability = durability;
    check(telpher_stream_declare(hub, stream, &options, NULL, &id));
    await(hub, id);
}

/* Keeps `window` appends unconfirmed until `count` are confirmed or the time is over. */
static void append_many(telpher_hub hub, const telpher_message *message, uint64_t count,
                        uint64_t window, uint64_t until_ns, uint32_t durability,
                        struct report *report) {
    telpher_done done = TELPHER_SIZED(telpher_done);
    uint64_t started = 0;
    done.kind = TELPHER_DONE_EVENT;
    while (report->count < count && now_ns() < until_ns) {
        for (; started < count && started - report->count < window; started++) {
            check(telpher_append(hub, stream, message, NULL, &done, NULL));
        }
        size_t taken = take(hub, PATIENCE_MS);
        for (size_t i = 0; i < taken; i++) check_sent(&events[i], durability);
        check(telpher_events_release(events));
        report->count += taken;
    }
}

static void append(telpher_hub hub, char **argv) {
    uint32_t durability = durability_of(argv[6]);
    telpher_message message = TELPHER_BODY(body, (size_t)atoll(argv[5]));
    struct report report;
    declare_stream(hub, durability);
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(atof(argv[3]) * 1e9);
    append_many(hub, &message, UINT64_MAX, (uint64_t)atoll(argv[4]), until, durability, &report);
    report_end(&report);
}

/* Reads everything once; how many records that are. */
static uint64_t read_all(telpher_hub hub, size_t size) {
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_id id;
    uint64_t count = 0;
    done.kind = TELPHER_DONE_EVENT;
    check(telpher_read(hub, stream, NULL, &done, &id));
    for (int ended = 0; !ended;) {
        size_t taken = take(hub, PATIENCE_MS);
        for (size_t i = 0; i < taken; i++) {
            if (events[i].kind == TELPHER_EVENT_RECORD) {
                if (events[i].body_size != size || events[i].offset != count) fail("a record");
                count++;
            } else if (events[i].kind != TELPHER_EVENT_STARTED) {
                check_end(&events[i]);
                ended = 1;
            }
        }
        check(telpher_events_release(events));
    }
    return count;
}

static void read_over_again(telpher_hub hub, char **argv) {
    uint64_t wanted = (uint64_t)atoll(argv[4]);
    telpher_message message = TELPHER_BODY(body, (size_t)atoll(argv[5]));
    struct report report = {0};
    declare_stream(hub, TELPHER_DURABILITY_OS);
    if (read_all(hub, message.body_size) == 0) {
        append_many(hub, &message, wanted, 256, UINT64_MAX, TELPHER_DURABILITY_OS, &report);
    }
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(atof(argv[3]) * 1e9);
    while (now_ns() < until) {
        if (read_all(hub, message.body_size) != wanted) fail("another number of records");
        report.count += wanted;
    }
    report_end(&report);
}

static void follow(telpher_hub hub, char **argv) {
    telpher_message message = TELPHER_BODY(body, (size_t)atoll(argv[4]));
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_done done = TELPHER_SIZED(telpher_done);
    struct report report;
    declare_stream(hub, TELPHER_DURABILITY_OS);
    options.start = TELPHER_START_END;
    options.follow = 1;
    done.kind = TELPHER_DONE_EVENT;
    check(telpher_read(hub, stream, &options, &done, NULL));
    if (take(hub, PATIENCE_MS) != 1 || events[0].kind != TELPHER_EVENT_STARTED) fail("no start");
    check(telpher_events_release(events));
    report_start(&report);
    uint64_t last = report.start_ns, until = last + (uint64_t)(atof(argv[3]) * 1e9);
    while (last < until) {
        check(telpher_append(hub, stream, &message, NULL, &done, NULL));
        for (int confirmed = 0, read = 0; !confirmed || !read;) {
            size_t taken = take(hub, PATIENCE_MS);
            for (size_t i = 0; i < taken; i++) {
                if (events[i].kind == TELPHER_EVENT_RECORD) {
                    uint64_t now = now_ns();
                    report_sample(&report, now - last);
                    read = 1;
                } else {
                    check_end(&events[i]);
                    confirmed = 1;
                }
            }
            check(telpher_events_release(events));
        }
        report.count++;
        last = now_ns();
    }
    report_end(&report);
}

int main(int argc, char **argv) {
    const char *role = argc >= 5 ? argv[1] : "";
    telpher_hub hub = argc >= 5 ? open_hub(argv[2]) : 0;
    if (strcmp(role, "append") == 0 && argc == 7) {
        append(hub, argv);
    } else if (strcmp(role, "read") == 0 && argc == 6) {
        read_over_again(hub, argv);
    } else if (strcmp(role, "follow") == 0) {
        follow(hub, argv);
    } else {
        fail("append|read|follow URL SECONDS ...");
    }
    check(telpher_close(hub, 0));
    return 0;
}

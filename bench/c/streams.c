/* Telpher's sides of streams, on its C interface.
 *
 *     streams append URL SECONDS WINDOW BODY DURABILITY    WINDOW appends unconfirmed
 *     streams read URL SECONDS RECORDS BODY                reads so many from the start, over again
 *     streams spread URL SECONDS STREAMS PARTITIONS BODY   batches of WIDTH records, one at a time,
 *                                                          to every partition in turn
 *     streams crowd URL PID READERS RECORDS BODY           many readers of the same records, which
 *                                                          have left memory: how many times the
 *                                                          server, PID, has read them meanwhile
 *     streams follow URL SECONDS BODY                      appends one, and waits until a reader at
 *                                                          the end has it; each is a sample
 *
 * BODY is in bytes. But for appends of a stated durability, streams are kept as `os`.
 */
#include "handle.h"

enum { WIDTH = 128, PUSHED = 96 << 20, QUIET_MS = 200 };

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

static void declare_named(telpher_hub hub, const char *name,
                          const telpher_stream_options *options) {
    telpher_id id;
    check(telpher_stream_declare(hub, name, options, NULL, &id));
    await(hub, id);
}

static void declare_stream(telpher_hub hub, uint32_t durability) {
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    options.durability = durability;
    declare_named(hub, stream, &options);
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

/* One batch: `WIDTH` records to a partition, confirmed before anything else is done. */
static void append_batch(telpher_hub hub, const char *name, uint32_t partition,
                         const telpher_message *message) {
    telpher_append_options options = TELPHER_SIZED(telpher_append_options);
    telpher_done done = TELPHER_SIZED(telpher_done);
    done.kind = TELPHER_DONE_EVENT;
    options.has_partition = 1;
    options.partition = partition;
    for (size_t i = 0; i < WIDTH; i++) {
        check(telpher_append(hub, name, message, &options, &done, NULL));
    }
    for (size_t confirmed = 0; confirmed < WIDTH;) {
        size_t taken = take(hub, PATIENCE_MS);
        for (size_t i = 0; i < taken; i++) check_sent(&events[i], TELPHER_DURABILITY_OS);
        check(telpher_events_release(events));
        confirmed += taken;
    }
}

static void spread(telpher_hub hub, char **argv) {
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    telpher_message message = TELPHER_BODY(body, (size_t)atoll(argv[6]));
    size_t streams = (size_t)atoll(argv[4]);
    char (*names)[32] = calloc(streams, sizeof *names);
    struct report report;
    if (names == NULL || streams == 0) fail("streams");
    options.durability = TELPHER_DURABILITY_OS;
    options.partitions = (uint32_t)atoi(argv[5]);
    for (size_t i = 0; i < streams; i++) {
        snprintf(names[i], sizeof names[i], "bench.%u.%zu", options.partitions, i);
        declare_named(hub, names[i], &options);
        append_batch(hub, names[i], 0, &message); /* so that the stream is known */
    }
    report_start(&report);
    uint64_t now = report.start_ns, until = now + (uint64_t)(atof(argv[3]) * 1e9);
    for (size_t turn = 0; now < until; turn++) {
        append_batch(hub, names[turn / options.partitions % streams],
                     (uint32_t)(turn % options.partitions), &message);
        report.count += WIDTH;
        now = now_ns();
    }
    report_end(&report);
    free(names);
}

/* Bytes that a process has read, but for sockets. */
static uint64_t bytes_read(const char *pid) {
    char path[64];
    unsigned long long bytes;
    snprintf(path, sizeof path, "/proc/%s/io", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "rchar: %llu", &bytes) != 1) fail(path);
    fclose(file);
    return bytes;
}

/* Waits until a process has read nothing for a while: what a hub does by itself is done. */
static void await_quiet(const char *pid) {
    struct timespec pause = {.tv_nsec = QUIET_MS * 1000000};
    uint64_t before = 0, until = now_ns() + PATIENCE_MS * UINT64_C(1000000);
    for (uint64_t now = bytes_read(pid); now != before; now = bytes_read(pid)) {
        if (now_ns() > until) fail("the server goes on reading");
        before = now;
        nanosleep(&pause, NULL);
    }
}

/* Appends to another stream as much as a hub keeps in memory, and more. */
static void push_out_of_memory(telpher_hub hub) {
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_message message = TELPHER_BODY(body, sizeof body);
    done.kind = TELPHER_DONE_EVENT;
    options.durability = TELPHER_DURABILITY_OS;
    options.bytes_max = PUSHED;
    declare_named(hub, "bench.other", &options);
    for (size_t sent = 0; sent < PUSHED; sent += sizeof body) {
        check(telpher_append(hub, "bench.other", &message, NULL, &done, NULL));
        check_sent(&events[0], take(hub, PATIENCE_MS) == 1 ? TELPHER_DURABILITY_OS : UINT32_MAX);
        check(telpher_events_release(events));
    }
}

static void crowd(telpher_hub hub, char **argv) {
    uint64_t readers = (uint64_t)atoll(argv[4]), records = (uint64_t)atoll(argv[5]);
    telpher_message message = TELPHER_BODY(body, (size_t)atoll(argv[6]));
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_done done = TELPHER_SIZED(telpher_done);
    struct report report = {0};
    declare_stream(hub, TELPHER_DURABILITY_OS);
    if (read_all(hub, message.body_size) == 0) {
        append_many(hub, &message, records, 16, UINT64_MAX, TELPHER_DURABILITY_OS, &report);
    }
    push_out_of_memory(hub);
    await_quiet(argv[3]);
    done.kind = TELPHER_DONE_EVENT;
    options.buffer = (uint32_t)sizeof body;
    uint64_t before = bytes_read(argv[3]), start = now_ns(), count = 0;
    for (uint64_t i = 0; i < readers; i++) check(telpher_read(hub, stream, &options, &done, NULL));
    for (uint64_t ended = 0; ended < readers;) {
        size_t taken = take(hub, PATIENCE_MS);
        for (size_t i = 0; i < taken; i++) {
            if (events[i].kind == TELPHER_EVENT_RECORD) {
                count++;
            } else if (events[i].kind != TELPHER_EVENT_STARTED) {
                check_end(&events[i]);
                ended++;
            }
        }
        check(telpher_events_release(events));
    }
    if (count != readers * records) fail("another number of records");
    double times = (double)(bytes_read(argv[3]) - before) / (double)(records * message.body_size);
    printf("{\"build\": \"%s\", \"count\": %llu, \"start_ns\": %llu, \"end_ns\": %llu, "
           "\"times_read\": %.3f}\n",
           BUILD, (unsigned long long)count, (unsigned long long)start,
           (unsigned long long)now_ns(), times);
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
    } else if (strcmp(role, "spread") == 0 && argc == 7) {
        spread(hub, argv);
    } else if (strcmp(role, "crowd") == 0 && argc == 7) {
        crowd(hub, argv);
    } else if (strcmp(role, "follow") == 0) {
        follow(hub, argv);
    } else {
        fail("append|read|spread|crowd|follow URL SECONDS ...");
    }
    check(telpher_close(hub, 0));
    return 0;
}

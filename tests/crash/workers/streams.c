/* What the C program of the crash loop does with streams. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

/* What is appended to the first two a member of their group takes, and appends another to the one
 * that is two further. */
static const named STREAMS[] = {
    {"log.disk", TELPHER_DURABILITY_DISK}, {"log.os", TELPHER_DURABILITY_OS},
    {"done.disk", TELPHER_DURABILITY_DISK}, {"done.os", TELPHER_DURABILITY_OS},
};
enum { LOGS_COUNT = 2, STREAMS_COUNT = 4, PARTITIONS = 3, APPEND_PACE_MS = 10 };

/* The one record that a number has: smaller, as streams keep all of them. */
static telpher_message record_of(const char *number, char *body) {
    unsigned long count = strtoul(strrchr(number, '-') + 1, NULL, 10);
    size_t size = count % 50 == 0 ? 6000 : count % 90;
    size_t head = (size_t)snprintf(body, NUMBER_SIZE + 1, "%s:", number);
    memset(body + head, (char)('a' + count % 26), size);
    telpher_message record = TELPHER_BODY(body, head + size);
    record.key = own_name;
    record.key_size = strlen(own_name);
    return record;
}

static void declare_stream(int stream) {
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    telpher_id id;
    options.partitions = PARTITIONS;
    options.durability = STREAMS[stream].durability;
    started("declare", telpher_stream_declare(hub, STREAMS[stream].name, &options, NULL, &id));
    telpher_event event = next("declare", id);
    if (event.status != TELPHER_OK) {
        fault("declare", event.detail);
    }
    telpher_events_release(&event);
}

static void appended(const char *number, telpher_id id) {
    telpher_event event = next("append", id);
    say("appended %s %s %u %llu", number, ending(&event), (unsigned)event.partition,
        (unsigned long long)event.offset);
    telpher_events_release(&event);
}

void append(uint64_t *chance) {
    static char body[BODY_SIZE_MAX];
    char numbers[WINDOW][NUMBER_SIZE];
    telpher_id ids[WINDOW];
    telpher_append_options options = TELPHER_SIZED(telpher_append_options);
    unsigned long first = 0, count = 0;
    options.timeout_ms = TIMEOUT_MS;
    while (!ends || first < count) {
        if (ends || count - first == WINDOW) {
            appended(numbers[first % WINDOW], ids[first % WINDOW]);
            first++;
            continue;
        }
        char *number = numbers[count % WINDOW];
        const char *stream = STREAMS[draw(chance, LOGS_COUNT)].name;
        snprintf(number, NUMBER_SIZE, "%s-a-%lu", own_name, count + 1);
        say("append %s %s", number, stream);
        telpher_message record = record_of(number, body);
        started("append",
                telpher_append(hub, stream, &record, &options, NULL, &ids[count % WINDOW]));
        count++;
        poll(NULL, 0, APPEND_PACE_MS);
    }
}

void declare_streams(void) {
    for (int stream = 0; stream < STREAMS_COUNT; stream++) {
        declare_stream(stream);
    }
}

/* Says what was read. */
static void note(const char *stream, const telpher_event *record) {
    char expected[BODY_SIZE_MAX], number[NUMBER_SIZE] = "";
    const char *colon = record->body ? memchr(record->body, ':', record->body_size) : NULL;
    size_t size = colon ? (size_t)(colon - (const char *)record->body) : 0;
    if (size == 0 || size >= NUMBER_SIZE) {
        fault("read", "a body without a number");
    }
    memcpy(number, record->body, size);
    bool whole = record_of(number, expected).body_size == record->body_size &&
                 memcmp(expected, record->body, record->body_size) == 0;
    say("read %s %u %llu %s %s", stream, (unsigned)record->partition,
        (unsigned long long)record->offset, number, whole ? "whole" : "damaged");
}

/* The next record, which stays valid; false if there is none within that time. */
static bool next_record(telpher_id reader, int64_t timeout_ms, telpher_event *record) {
    *record = TELPHER_SIZED(telpher_event);
    telpher_status status = telpher_wait(hub, reader, timeout_ms, record);
    if (status == TELPHER_PENDING) {
        return false;
    }
    started("read", status);
    if (record->kind == TELPHER_EVENT_DONE) {
        fault("read", record->detail);
    }
    if (record->kind == TELPHER_EVENT_STARTED) {
        telpher_events_release(record);
        return next_record(reader, timeout_ms, record);
    }
    return true;
}

/* A member: what it reads, and the numbers of what it makes of that. */
typedef struct {
    int stream;
    telpher_id reader;
    telpher_batch batch;
    unsigned long made;
} member;

/* Puts a record into the batch, and what is made of it. */
static size_t put(member *own, const telpher_event *record, char *parts, size_t room) {
    static char body[BODY_SIZE_MAX];
    const char *done = STREAMS[own->stream + LOGS_COUNT].name;
    char number[NUMBER_SIZE];
    snprintf(number, sizeof number, "%s-r-%lu", own_name, ++own->made);
    telpher_message message = record_of(number, body);
    started("batch", telpher_batch_append(own->batch, done, &message, NULL));
    started("batch", telpher_batch_commit(own->batch, own->reader, record->partition,
                                          record->generation, record->offset + 1));
    return (size_t)snprintf(parts, room, " take:%s:%u:%llu append:%s:%s",
                            STREAMS[own->stream].name, (unsigned)record->partition,
                            (unsigned long long)record->offset, done, number);
}

/* Takes up to `most` records, and commits them with what is made of them. False if that was not
 * done. */
static bool commit_some(uint64_t *chance, member *own, int most, int *count) {
    char parts[LINE_SIZE / 2] = "";
    size_t size = 0;
    telpher_event record;
    telpher_batch_options options = TELPHER_SIZED(telpher_batch_options);
    telpher_id id;
    for (*count = 0; *count < most; ++*count) {
        if (!next_record(own->reader, *count > 0 ? 1 : MOMENT_MS, &record)) {
            break;
        }
        note(STREAMS[own->stream].name, &record);
        size += put(own, &record, parts + size, sizeof parts - size);
        telpher_events_release(&record);
    }
    if (*count == 0) {
        return true;
    }
    if (draw(chance, 30) == 0) {
        started("batch", telpher_batch_append(own->batch, "nowhere", &TELPHER_BODY("", 0), NULL));
    }
    options.timeout_ms = TIMEOUT_MS;
    say("commit %s-r-%lu%s", own_name, own->made, parts);
    started("batch", telpher_batch_submit(hub, own->batch, &options, NULL, &id));
    telpher_event event = next("batch", id);
    say("committed %s-r-%lu %s", own_name, own->made, ending(&event));
    bool done = event.status == TELPHER_OK;
    telpher_events_release(&event);
    return done;
}

/* Is a member of one group after the other. Who has not committed what it took leaves: then it
 * comes to a member again. */
void read_logs(uint64_t *chance) {
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    member own = {0};
    options.group = "members";
    started("batch", telpher_batch_new(&own.batch));
    while (!ends) {
        bool done = true;
        int count = 0;
        own.stream = (int)draw(chance, LOGS_COUNT);
        say("join %s", STREAMS[own.stream].name);
        started("read", telpher_read(hub, STREAMS[own.stream].name, &options, NULL, &own.reader));
        for (int turn = 0; done && !ends && turn < TURNS; turn += count > 0 ? 1 : IDLE) {
            done = commit_some(chance, &own, 1 + (int)draw(chance, JOBS_MAX), &count);
        }
        started("detach", telpher_detach(hub, own.reader));
        for (uint32_t kind = 0; kind != TELPHER_EVENT_DONE;) {
            telpher_event event = next("detach", own.reader);
            kind = event.kind;
            telpher_events_release(&event);
        }
    }
    started("batch", telpher_batch_free(own.batch));
}

/* What the C program of the crash loop does with streams. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

/* What is appended to one of the first three a member of their group takes, and appends another to
 * `done`. */
static const struct {
    const char *name, *done;
    uint32_t partitions, durability, compact, tombstone_age_ms;
} STREAMS[] = {
    {"log.disk", "done.disk", 3, TELPHER_DURABILITY_DISK, 0, 0},
    {"log.os", "done.os", 3, TELPHER_DURABILITY_OS, 0, 0},
    {"log.kept", "done.disk", 3, TELPHER_DURABILITY_DISK, 0, 0},
    {"done.disk", NULL, 3, TELPHER_DURABILITY_DISK, 0, 0},
    {"done.os", NULL, 3, TELPHER_DURABILITY_OS, 0, 0},
    {"both", NULL, 3, TELPHER_DURABILITY_DISK, 0, 0},
    {"latest.disk", NULL, 1, TELPHER_DURABILITY_DISK, 1, 200},
    {"latest.os", NULL, 1, TELPHER_DURABILITY_OS, 1, 0},
};
enum { LOGS_COUNT = 3, KEPT = 2, STREAMS_COUNT = sizeof STREAMS / sizeof STREAMS[0] };
enum { KEPT_RECORDS_MAX = 20, PUBLISH_PACE_MS = 30 };

/* The topics that are bound to a queue and to the stream `both`. */
static const struct {
    const char *name, *queue;
} TOPICS[] = {{"both.disk", "disk.both"}, {"both.os", "os.both"}};
enum { TOPICS_COUNT = 2 };

static void with_own_key(telpher_message *message) {
    message->key = own_name;
    message->key_size = strlen(own_name);
}

/* The one record that a number has: smaller, as streams keep all of them. */
static telpher_message record_of(const char *number, char *body) {
    unsigned long count = strtoul(strrchr(number, '-') + 1, NULL, 10);
    size_t size = fill(number, count % 50 == 0 ? 6000 : count % 90, body);
    telpher_message record = TELPHER_BODY(body, size);
    with_own_key(&record);
    return record;
}

static void declare_stream(int stream) {
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    telpher_id id;
    options.partitions = STREAMS[stream].partitions;
    options.durability = STREAMS[stream].durability;
    options.compact = STREAMS[stream].compact;
    options.tombstone_age_ms = STREAMS[stream].tombstone_age_ms;
    options.keep_unread = stream == KEPT;
    options.records_max = stream == KEPT ? KEPT_RECORDS_MAX : 0;
    started("declare", telpher_stream_declare(hub, STREAMS[stream].name, &options, NULL, &id));
    done("declare", id);
}

/* Lets go of a reader, and waits for its end. */
static void leave(telpher_id reader) {
    started("detach", telpher_detach(hub, reader));
    for (uint32_t kind = 0; kind != TELPHER_EVENT_DONE;) {
        telpher_event event = next("detach", reader);
        kind = event.kind;
        telpher_events_release(&event);
    }
}

static telpher_id join(int stream) {
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_id reader;
    options.group = "members";
    started("read", telpher_read(hub, STREAMS[stream].name, &options, NULL, &reader));
    return reader;
}

void declare_streams(void) {
    telpher_id id;
    for (int stream = 0; stream < STREAMS_COUNT; stream++) {
        declare_stream(stream);
    }
    started("bind", telpher_stream_bind(hub, "both.*", "both", NULL, &id));
    done("bind", id);
    for (int topic = 0; topic < TOPICS_COUNT; topic++) {
        started("bind", telpher_bind(hub, TOPICS[topic].name, TOPICS[topic].queue, NULL, &id));
        done("bind", id);
    }
    /* Its group is there before anything is appended. */
    started("groups", telpher_group_list(hub, STREAMS[KEPT].name, NULL, &id));
    telpher_event groups = next("groups", id);
    bool is_there = groups.groups_count > 0;
    telpher_events_release(&groups);
    if (!is_there) {
        telpher_id reader = join(KEPT);
        telpher_event live = next("read", reader);
        telpher_events_release(&live);
        leave(reader);
    }
}

void keep_up(uint64_t *chance, pacing of) {
    char numbers[WINDOW][NUMBER_SIZE];
    telpher_id ids[WINDOW];
    unsigned long first = 0, count = 0;
    while (!ends || first < count) {
        if (ends || count - first == WINDOW) {
            of.ended(numbers[first % WINDOW], ids[first % WINDOW]);
            first++;
            continue;
        }
        char *number = numbers[count % WINDOW];
        snprintf(number, NUMBER_SIZE, "%s-%c-%lu", own_name, of.letter, count + 1);
        ids[count % WINDOW] = of.start(chance, number);
        count++;
        poll(NULL, 0, of.pace_ms);
    }
}

static telpher_id start_append(uint64_t *chance, const char *number) {
    static char body[BODY_SIZE_MAX];
    const char *stream = STREAMS[draw(chance, LOGS_COUNT)].name;
    telpher_append_options options = TELPHER_SIZED(telpher_append_options);
    telpher_message record = record_of(number, body);
    telpher_id id;
    options.timeout_ms = TIMEOUT_MS;
    say("append %s %s", number, stream);
    started("append", telpher_append(hub, stream, &record, &options, NULL, &id));
    return id;
}

void appended(const char *number, telpher_id id) {
    telpher_event event = next("append", id);
    say("appended %s %s %u %llu", number, ending(&event), (unsigned)event.partition,
        (unsigned long long)event.offset);
    telpher_events_release(&event);
}

void append(uint64_t *chance) {
    keep_up(chance, (pacing){'a', APPEND_PACE_MS, start_append, appended});
}

static telpher_id start_publish(uint64_t *chance, const char *number) {
    static char body[BODY_SIZE_MAX];
    uint64_t topic = draw(chance, TOPICS_COUNT);
    telpher_publish_options options = TELPHER_SIZED(telpher_publish_options);
    telpher_message message = TELPHER_BODY(body, body_of(number, body));
    telpher_id id;
    options.timeout_ms = TIMEOUT_MS;
    with_own_key(&message);
    say("publish %s %s both", number, TOPICS[topic].queue);
    started("publish", telpher_publish(hub, TOPICS[topic].name, &message, &options, NULL, &id));
    return id;
}

static void published(const char *number, telpher_id id) {
    telpher_event event = next("publish", id);
    say("published %s %s", number, ending(&event));
    telpher_events_release(&event);
}

void publish(uint64_t *chance) {
    keep_up(chance, (pacing){'p', PUBLISH_PACE_MS, start_publish, published});
}

/* Says what was read. */
static void note(const char *stream, const telpher_event *record) {
    char expected[BODY_SIZE_MAX], number[NUMBER_SIZE];
    number_of(record, number);
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
static size_t put_record(member *own, const telpher_event *record, char *parts, size_t room) {
    static char body[BODY_SIZE_MAX];
    const char *target = STREAMS[own->stream].done;
    char number[NUMBER_SIZE];
    snprintf(number, sizeof number, "%s-r-%lu", own_name, ++own->made);
    telpher_message message = record_of(number, body);
    started("batch", telpher_batch_append(own->batch, target, &message, NULL));
    started("batch", telpher_batch_commit(own->batch, own->reader, record->partition,
                                          record->generation, record->offset + 1));
    return (size_t)snprintf(parts, room, " read:%s:%u:%llu append:%s:%s",
                            STREAMS[own->stream].name, (unsigned)record->partition,
                            (unsigned long long)record->offset, target, number);
}

/* Puts a message that is held into the batch, and another one to be sent. */
static size_t put_job(member *own, const char *queue, const job *held, const char *target,
                      char *parts, size_t room) {
    static char body[BODY_SIZE_MAX];
    char number[NUMBER_SIZE];
    snprintf(number, sizeof number, "%s-m-%lu", own_name, own->made);
    size_t size = body_of(number, body);
    started("batch", telpher_batch_settle(own->batch, held->token, TELPHER_ACKNOWLEDGE, NULL));
    started("batch", telpher_batch_send(own->batch, target, &TELPHER_BODY(body, size)));
    return (size_t)snprintf(parts, room, " take:%s:%llu:%s send:%s:%s", queue,
                            (unsigned long long)held->id, held->number, target, number);
}

/* Carries the batch out. `queue` is that of the message in it, if there is one. */
static bool submit(member *own, const char *parts, const char *queue, const job *held) {
    telpher_batch_options options = TELPHER_SIZED(telpher_batch_options);
    char message_id[NUMBER_SIZE] = "";
    telpher_id id;
    options.timeout_ms = TIMEOUT_MS;
    say("commit %s-r-%lu%s", own_name, own->made, parts);
    started("batch", telpher_batch_submit(hub, own->batch, &options, NULL, &id));
    telpher_event event = next("batch", id);
    if (event.receipts_count > 0) {
        snprintf(message_id, sizeof message_id, " %llu",
                 (unsigned long long)event.receipts[0].message_id);
    }
    say("committed %s-r-%lu %s%s", own_name, own->made, ending(&event), message_id);
    bool is_done = event.status == TELPHER_OK, may_be = event.maybe_executed;
    telpher_events_release(&event);
    if (held != NULL && !is_done && !may_be) {
        settle(queue, held, TELPHER_RELEASE);
    }
    return is_done;
}

/* Takes up to `most` records, and commits them with what is made of them; now and then it also
 * acknowledges a message, and sends one. False if that was not done. */
static bool commit_some(uint64_t *chance, member *own, int most, int *count) {
    char parts[LINE_SIZE / 2] = "";
    size_t size = 0;
    telpher_event record;
    for (*count = 0; *count < most; ++*count) {
        if (!next_record(own->reader, *count > 0 ? 1 : MOMENT_MS, &record)) {
            break;
        }
        note(STREAMS[own->stream].name, &record);
        size += put_record(own, &record, parts + size, sizeof parts - size);
        telpher_events_release(&record);
    }
    if (*count == 0) {
        return true;
    }
    const char *queue = draw(chance, 2) ? "disk.in" : "os.in";
    const char *target = draw(chance, 2) ? "disk.out" : "os.out";
    job held;
    bool has_job = draw(chance, 10) < 3 && receive(queue, &held, 1) == 1;
    if (has_job) {
        size += put_job(own, queue, &held, target, parts + size, sizeof parts - size);
    }
    if (draw(chance, 30) == 0) {
        started("batch", telpher_batch_append(own->batch, "nowhere", &TELPHER_BODY("", 0), NULL));
    }
    return submit(own, parts, queue, has_job ? &held : NULL);
}

/* Is a member of one group after the other. Who has not committed what it took leaves: then it
 * comes to a member again. */
void read_logs(uint64_t *chance) {
    member own = {0};
    started("batch", telpher_batch_new(&own.batch));
    while (!ends) {
        bool is_done = true;
        int count = 0;
        own.stream = (int)draw(chance, LOGS_COUNT);
        say("join %s", STREAMS[own.stream].name);
        own.reader = join(own.stream);
        for (int turn = 0; is_done && !ends && turn < TURNS; turn += count > 0 ? 1 : IDLE) {
            is_done = commit_some(chance, &own, 1 + (int)draw(chance, JOBS_MAX), &count);
        }
        leave(own.reader);
    }
    started("batch", telpher_batch_free(own.batch));
}

/* The C side of the polyglot matrix.
 *
 *     telpher-c-peer call URL NAME COUNT       calls; each reply must be the body reversed
 *     telpher-c-peer serve URL NAME            reverses bodies until its standard input ends
 *     telpher-c-peer produce URL QUEUE COUNT   sends "message-0", "message-1", ..., each confirmed
 *     telpher-c-peer consume URL QUEUE COUNT   acknowledges each of these exactly once
 *     telpher-c-peer publish URL TOPIC COUNT   publishes the same to TOPIC.0, TOPIC.1, ...
 *     telpher-c-peer subscribe URL TOPIC COUNT gets these in their order
 *     telpher-c-peer gather URL NAME COUNT     two instances must reverse the body each time
 *     telpher-c-peer append URL STREAM COUNT   appends "message-0", ..., behind those there
 *     telpher-c-peer read URL STREAM COUNT     reads so many, each key's in one partition, in order
 *     telpher-c-peer feed URL STREAM COUNT     binds STREAM.* to it, and publishes "message-0", ...
 *     telpher-c-peer fed URL STREAM COUNT      as read, of what was published
 *     telpher-c-peer member URL STREAM         appends its records to STREAM.done, and commits
 *
 * `serve`, `consume`, `read`, `fed` and `member` print `ready` when they are live. The exit code
 * tells whether all went well. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <telpher.h>

enum { BODY_SIZE = 64, WINDOW = 64, KEYS = 16, PARTITIONS = 4 };

static telpher_hub hub;

static void fail(const char *what, const char *words) {
    fprintf(stderr, "telpher-c-peer: %s: %s\n", what, words ? words : "");
    exit(1);
}

/* A function must have started. */
static void started(const char *what, telpher_status status) {
    if (status != TELPHER_OK) {
        fail(what, telpher_last_error());
    }
}

/* The next event of an id, which must be no failure. */
static telpher_event next(const char *what, telpher_id id) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    started(what, telpher_wait(hub, id, 60000, &event));
    if (event.status != TELPHER_OK) {
        fprintf(stderr, "%s ", telpher_status_name(event.status));
        fail(what, event.detail);
    }
    return event;
}

static void finish(const char *what, telpher_id id) {
    telpher_event event = next(what, id);
    telpher_events_release(&event);
}

static void open_hub(const char *url) {
    telpher_id id;
    started("open", telpher_open(url, NULL, NULL, &hub, &id));
    finish("open", id);
}

static void ready(void) {
    printf("ready\n");
    fflush(stdout);
}

static void check_reversed(const telpher_event *event, const char *body, size_t size) {
    const char *reply = event->body;
    size_t at = 0;
    while (event->body_size == size && at < size && reply[at] == body[size - 1 - at]) {
        at++;
    }
    if (at != size) {
        fail("call", "the reply is not the body reversed");
    }
}

static void call(const char *service, unsigned long count) {
    char bodies[WINDOW][BODY_SIZE];
    telpher_id ids[WINDOW];
    for (unsigned long at = 0; at < count + WINDOW; at++) {
        char *body = bodies[at % WINDOW];
        if (at >= WINDOW && at - WINDOW < count) {
            telpher_event event = next("call", ids[at % WINDOW]);
            check_reversed(&event, body, strlen(body));
            telpher_events_release(&event);
        }
        if (at < count) {
            snprintf(body, BODY_SIZE, "call-%lu", at);
            started("call", telpher_call(hub, service, &TELPHER_BODY(body, strlen(body)), NULL,
                                         NULL, &ids[at % WINDOW]));
        }
    }
}

static void answer(const telpher_event *request) {
    const char *body = request->body;
    char *reversed = malloc(request->body_size + 1);
    telpher_message reply = TELPHER_SIZED(telpher_message);
    for (size_t at = 0; at < request->body_size; at++) {
        reversed[at] = body[request->body_size - 1 - at];
    }
    reply.body = reversed;
    reply.body_size = request->body_size;
    reply.release = free;
    reply.release_arg = reversed;
    started("reply", telpher_reply(hub, request->token, &reply, NULL, NULL, NULL));
}

/* Ends the service when standard input ends. */
static void *watch_input(void *argument) {
    char ignored[64];
    while (read(0, ignored, sizeof ignored) > 0) {
    }
    started("detach", telpher_detach(hub, *(telpher_id *)argument));
    return NULL;
}

static void serve(const char *name) {
    telpher_serve_options options = TELPHER_SIZED(telpher_serve_options);
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_id service;
    pthread_t watcher;
    uint32_t kind = TELPHER_EVENT_STARTED;
    char instance_name[32];
    snprintf(instance_name, sizeof instance_name, "peer-%ld", (long)getpid());
    options.concurrency = WINDOW;
    options.instance_name = instance_name;
    started("serve", telpher_serve(hub, name, &options, NULL, &service));
    finish("serve", service);
    if (pthread_create(&watcher, NULL, watch_input, &service) != 0) {
        fail("serve", "no thread");
    }
    ready();
    while (kind != TELPHER_EVENT_DONE) {
        started("wait", telpher_wait(hub, service, TELPHER_FOREVER, &event));
        kind = event.kind;
        if (kind == TELPHER_EVENT_REQUEST) {
            answer(&event);
        }
        telpher_events_release(&event);
    }
    pthread_join(watcher, NULL);
}

/* Both sides declare, so that they may be started in any order. */
static void declare(const char *queue) {
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    telpher_id id;
    options.durability = TELPHER_DURABILITY_MEMORY;
    started("declare", telpher_declare(hub, queue, &options, NULL, &id));
    finish("declare", id);
}

static void produce(const char *queue, unsigned long count) {
    telpher_id ids[WINDOW];
    declare(queue);
    for (unsigned long at = 0; at < count + WINDOW; at++) {
        char body[BODY_SIZE];
        if (at >= WINDOW && at - WINDOW < count) {
            finish("send", ids[at % WINDOW]);
        }
        if (at < count) {
            snprintf(body, sizeof body, "message-%lu", at);
            started("send", telpher_send(hub, queue, &TELPHER_BODY(body, strlen(body)), NULL, NULL,
                                         &ids[at % WINDOW]));
        }
    }
}

/* The number in "message-<number>", which has not been seen before. */
static void note(const telpher_event *event, char *seen, unsigned long count) {
    char body[BODY_SIZE] = "", expected[BODY_SIZE];
    unsigned long number = count;
    if (event->body_size < sizeof body) {
        memcpy(body, event->body, event->body_size);
    }
    sscanf(body, "message-%lu", &number);
    snprintf(expected, sizeof expected, "message-%lu", number);
    if (strcmp(body, expected) != 0 || number >= count || seen[number]) {
        fail("consume: a message that is wrong or came twice", body);
    }
    seen[number] = 1;
}

static void consume(const char *queue, unsigned long count) {
    telpher_id consumer, settled;
    char *seen = calloc(count + 1, 1);
    declare(queue);
    started("consume", telpher_consume(hub, queue, NULL, NULL, &consumer));
    finish("consume", consumer);
    ready();
    for (unsigned long at = 0; at < count; at++) {
        telpher_event event = next("consume", consumer);
        if (event.kind != TELPHER_EVENT_DELIVERY) {
            fail("consume", "something else than a delivery came");
        }
        note(&event, seen, count);
        started("settle", telpher_settle(hub, event.token, TELPHER_ACKNOWLEDGE, NULL, NULL,
                                         &settled));
        telpher_events_release(&event);
        finish("settle", settled);
    }
    free(seen);
}

static void publish(const char *topic, unsigned long count) {
    telpher_id ids[WINDOW];
    for (unsigned long at = 0; at < count + WINDOW; at++) {
        char body[BODY_SIZE], name[256];
        if (at >= WINDOW && at - WINDOW < count) {
            finish("publish", ids[at % WINDOW]);
        }
        if (at < count) {
            snprintf(body, sizeof body, "message-%lu", at);
            snprintf(name, sizeof name, "%s.%lu", topic, at);
            started("publish", telpher_publish(hub, name, &TELPHER_BODY(body, strlen(body)), NULL,
                                               NULL, &ids[at % WINDOW]));
        }
    }
}

static void bind_topics(const char *name) {
    char pattern[256];
    telpher_id id;
    declare(name);
    snprintf(pattern, sizeof pattern, "%s.*", name);
    started("bind", telpher_bind(hub, pattern, name, NULL, &id));
    finish("bind", id);
}

static void subscribe(const char *topic, unsigned long count) {
    char pattern[256], body[BODY_SIZE], name[256];
    telpher_id subscriber;
    snprintf(pattern, sizeof pattern, "%s.*", topic);
    started("subscribe", telpher_subscribe(hub, pattern, NULL, NULL, &subscriber));
    finish("subscribe", subscriber);
    ready();
    for (unsigned long at = 0; at < count; at++) {
        telpher_event event = next("subscribe", subscriber);
        snprintf(body, sizeof body, "message-%lu", at);
        snprintf(name, sizeof name, "%s.%lu", topic, at);
        if (event.kind != TELPHER_EVENT_PUBLISHED || event.number != at + 1 ||
            strcmp(event.topic, name) != 0 || event.body_size != strlen(body) ||
            memcmp(event.body, body, event.body_size) != 0) {
            fail("subscribe: something else came than", body);
        }
        telpher_events_release(&event);
    }
}

static void gather(const char *service, unsigned long count) {
    uint64_t instances[2] = {0, 0};
    char names[2][BODY_SIZE];
    for (unsigned long at = 0; at < count; at++) {
        char body[BODY_SIZE];
        telpher_id id;
        snprintf(body, sizeof body, "gather-%lu", at);
        started("gather", telpher_gather(hub, service, &TELPHER_BODY(body, strlen(body)), NULL,
                                         NULL, &id));
        for (int answer = 0; answer < 2; answer++) {
            telpher_event event = next("gather", id);
            if (event.kind != TELPHER_EVENT_ANSWER) {
                fail("gather", "it ended before two have answered");
            }
            check_reversed(&event, body, strlen(body));
            instances[answer] = event.instance;
            const char *name = event.instance_name;
            snprintf(names[answer], sizeof names[answer], "%s", name ? name : "");
            telpher_events_release(&event);
        }
        telpher_event event = next("gather", id);
        if (event.kind != TELPHER_EVENT_DONE || event.answered != 2 || event.missing_count != 0 ||
            instances[0] == instances[1] || strncmp(names[0], "peer-", 5) != 0 ||
            strncmp(names[1], "peer-", 5) != 0 || strcmp(names[0], names[1]) == 0) {
            fail("gather", "not each of two instances has answered once, under its name");
        }
        telpher_events_release(&event);
    }
}

/* Records that the stream has had. */
static unsigned long records(const char *stream) {
    unsigned long sum = 0;
    telpher_id id;
    started("inspect", telpher_stream_inspect(hub, stream, NULL, &id));
    telpher_event event = next("inspect", id);
    for (size_t at = 0; at < event.stream_info->partitions_count; at++) {
        sum += event.stream_info->partitions[at].next;
    }
    telpher_events_release(&event);
    return sum;
}

/* Appends them; or publishes them to topics that are bound to the stream. */
static void append(const char *stream, unsigned long count, int publishing) {
    telpher_id ids[WINDOW];
    unsigned long first = records(stream);
    for (unsigned long at = 0; at < count + WINDOW; at++) {
        char body[BODY_SIZE], key[BODY_SIZE], topic[256];
        if (at >= WINDOW && at - WINDOW < count) {
            finish("append", ids[at % WINDOW]);
        }
        if (at < count) {
            snprintf(body, sizeof body, "message-%lu", first + at);
            snprintf(key, sizeof key, "key-%lu", (first + at) % KEYS);
            telpher_message message = TELPHER_BODY(body, strlen(body));
            message.key = key;
            message.key_size = strlen(key);
            snprintf(topic, sizeof topic, "%s.%lu", stream, first + at);
            telpher_id *id = &ids[at % WINDOW];
            started("append", publishing
                                  ? telpher_publish(hub, topic, &message, NULL, NULL, id)
                                  : telpher_append(hub, stream, &message, NULL, NULL, id));
        }
    }
}

static void feed(const char *stream, unsigned long count) {
    char pattern[256];
    telpher_id id;
    snprintf(pattern, sizeof pattern, "%s.*", stream);
    started("bind", telpher_stream_bind(hub, pattern, stream, NULL, &id));
    finish("bind", id);
    append(stream, count, 1);
}

/* What is expected of a key's next record. */
struct place {
    int is_known;
    uint32_t partition;
    unsigned long number;
};

static void check_record(const telpher_event *record, uint64_t *offsets, struct place *places) {
    char body[BODY_SIZE] = "", expected[BODY_SIZE], key[BODY_SIZE];
    unsigned long number = 0;
    if (record->kind != TELPHER_EVENT_RECORD || record->partition >= PARTITIONS ||
        record->body_size >= sizeof body) {
        fail("read", "something else than a record came");
    }
    memcpy(body, record->body, record->body_size);
    sscanf(body, "message-%lu", &number);
    struct place *place = &places[number % KEYS];
    if (!place->is_known) {
        *place = (struct place){1, record->partition, number % KEYS};
    }
    snprintf(expected, sizeof expected, "message-%lu", place->number);
    snprintf(key, sizeof key, "key-%lu", number % KEYS);
    if (strcmp(body, expected) != 0 || record->partition != place->partition ||
        record->offset != offsets[record->partition] || record->key_size != strlen(key) ||
        memcmp(record->key, key, record->key_size) != 0) {
        fail("read: a record that is wrong or at a wrong place", body);
    }
    offsets[record->partition]++;
    place->number += KEYS;
}

/* A record says to which topic it was published, if it was. */
static void check_topic(const telpher_event *record, const char *stream, int fed) {
    char body[BODY_SIZE] = "", expected[256];
    const void *topic;
    size_t size;
    memcpy(body, record->body, record->body_size);
    snprintf(expected, sizeof expected, "%s.%s", stream, body + strlen("message-"));
    telpher_status status = telpher_header_get(record, "telpher.topic", &topic, &size);
    if (fed ? status != TELPHER_OK || size != strlen(expected) || memcmp(topic, expected, size) != 0
            : status != TELPHER_NOT_FOUND) {
        fail("read: a record of another topic", body);
    }
}

static void read_records(const char *stream, unsigned long count, int fed) {
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    uint64_t offsets[PARTITIONS] = {0};
    struct place places[KEYS] = {{0}};
    telpher_id reader;
    options.follow = 1;
    started("read", telpher_read(hub, stream, &options, NULL, &reader));
    finish("read", reader);
    ready();
    for (unsigned long at = 0; at < count; at++) {
        telpher_event record = next("read", reader);
        check_record(&record, offsets, places);
        check_topic(&record, stream, fed);
        telpher_events_release(&record);
    }
    if (records(stream) != count) {
        fail("read", "the stream has others, too");
    }
}

/* Appends the record to another stream and commits it, or neither. */
static void handle(telpher_id reader, telpher_batch batch, const telpher_event *record,
                   const char *done) {
    telpher_message message = TELPHER_BODY(record->body, record->body_size);
    telpher_id id;
    message.key = record->key;
    message.key_size = record->key_size;
    started("append", telpher_batch_append(batch, done, &message, NULL));
    started("commit", telpher_batch_commit(batch, reader, record->partition, record->generation,
                                           record->offset + 1));
    started("batch", telpher_batch_submit(hub, batch, NULL, NULL, &id));
    finish("batch", id);
}

static void member(const char *stream) {
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_event event = TELPHER_SIZED(telpher_event);
    uint32_t kind = TELPHER_EVENT_STARTED;
    unsigned long handled = 0;
    char done[256];
    pthread_t watcher;
    telpher_batch batch;
    telpher_id reader;
    snprintf(done, sizeof done, "%s.done", stream);
    options.group = "members";
    started("batch", telpher_batch_new(&batch));
    started("read", telpher_read(hub, stream, &options, NULL, &reader));
    finish("read", reader);
    if (pthread_create(&watcher, NULL, watch_input, &reader) != 0) {
        fail("member", "no thread");
    }
    ready();
    while (kind != TELPHER_EVENT_DONE) {
        started("wait", telpher_wait(hub, reader, TELPHER_FOREVER, &event));
        kind = event.kind;
        if (kind == TELPHER_EVENT_RECORD) {
            handle(reader, batch, &event, done);
            handled++;
        }
        telpher_events_release(&event);
    }
    pthread_join(watcher, NULL);
    started("batch", telpher_batch_free(batch));
    if (handled == 0) {
        fail("member", "no record came");
    }
}

static int usage(void) {
    fprintf(stderr, "usage: telpher-c-peer call|produce|consume|publish|subscribe|bind|gather|"
                    "append|read|feed|fed URL NAME COUNT\n"
                    "       telpher-c-peer serve|member URL NAME\n");
    return 2;
}

int main(int count, char **arguments) {
    int serving = count == 4 && strcmp(arguments[1], "serve") == 0;
    int joining = count == 4 && strcmp(arguments[1], "member") == 0;
    if (!serving && !joining && count != 5) {
        return usage();
    }
    unsigned long number = count == 5 ? strtoul(arguments[4], NULL, 10) : 0;
    open_hub(arguments[2]);
    if (serving) {
        serve(arguments[3]);
    } else if (joining) {
        member(arguments[3]);
    } else if (strcmp(arguments[1], "call") == 0) {
        call(arguments[3], number);
    } else if (strcmp(arguments[1], "produce") == 0) {
        produce(arguments[3], number);
    } else if (strcmp(arguments[1], "consume") == 0) {
        consume(arguments[3], number);
    } else if (strcmp(arguments[1], "publish") == 0) {
        publish(arguments[3], number);
    } else if (strcmp(arguments[1], "bind") == 0) {
        bind_topics(arguments[3]);
    } else if (strcmp(arguments[1], "subscribe") == 0) {
        subscribe(arguments[3], number);
    } else if (strcmp(arguments[1], "gather") == 0) {
        gather(arguments[3], number);
    } else if (strcmp(arguments[1], "append") == 0) {
        append(arguments[3], number, 0);
    } else if (strcmp(arguments[1], "feed") == 0) {
        feed(arguments[3], number);
    } else if (strcmp(arguments[1], "read") == 0 || strcmp(arguments[1], "fed") == 0) {
        read_records(arguments[3], number, strcmp(arguments[1], "fed") == 0);
    } else {
        return usage();
    }
    started("close", telpher_close(hub, 0));
    return 0;
}

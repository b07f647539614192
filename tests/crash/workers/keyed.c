/* What the C program of the crash loop does with streams that keep each key's latest record. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

static const char *const LATEST[] = {"latest.disk", "latest.os"};
enum { LATEST_COUNT = 2, KEYS = 16, LOOK_MS = 300 };

static const char NUMBER[] = "number";

static unsigned long count_of(const char *number) {
    return strtoul(strrchr(number, '-') + 1, NULL, 10);
}

/* The key of a number: those of all programs are the same few. */
static size_t key_of(const char *number, char *key) {
    return (size_t)snprintf(key, NUMBER_SIZE, "key-%lu", count_of(number) * 7 % KEYS);
}

/* What is put under it; now and then nothing, which says that the key is gone. */
static size_t value_of(const char *number, char *value) {
    unsigned long count = count_of(number);
    return count % 11 == 0 ? 0 : fill(number, 2000 + count % 90 * 10, value);
}

static telpher_id start_put(uint64_t *chance, const char *number) {
    static char value[BODY_SIZE_MAX];
    char key[NUMBER_SIZE];
    const char *stream = LATEST[draw(chance, LATEST_COUNT)];
    telpher_append_options options = TELPHER_SIZED(telpher_append_options);
    telpher_header header = {.name = NUMBER, .value = number, .value_size = strlen(number)};
    size_t size = value_of(number, value);
    telpher_message record = TELPHER_BODY(value, size);
    telpher_id id;
    options.timeout_ms = TIMEOUT_MS;
    record.key = key;
    record.key_size = key_of(number, key);
    record.headers = &header;
    record.headers_count = 1;
    record.headers_stride = sizeof header;
    say("put %s %s %s %s", number, stream, key, size > 0 ? "value" : "tombstone");
    started("append", telpher_append(hub, stream, &record, &options, NULL, &id));
    return id;
}

void put(uint64_t *chance) {
    keep_up(chance, (pacing){'k', APPEND_PACE_MS, start_put, appended});
}

/* Says what was found. */
static void saw(const char *stream, const telpher_event *record) {
    static char expected[BODY_SIZE_MAX];
    char number[NUMBER_SIZE], key[NUMBER_SIZE];
    const void *told;
    size_t size;
    started("headers", telpher_header_get(record, NUMBER, &told, &size));
    snprintf(number, sizeof number, "%.*s", (int)size, (const char *)told);
    bool whole = key_of(number, key) == record->key_size &&
                 memcmp(key, record->key, record->key_size) == 0 &&
                 value_of(number, expected) == record->body_size &&
                 (record->body_size == 0 ||
                  memcmp(expected, record->body, record->body_size) == 0);
    say("saw %s %u %llu %s %s", stream, (unsigned)record->partition,
        (unsigned long long)record->offset, number, whole ? "whole" : "damaged");
}

/* Reads a stream from its beginning to its end. */
static void look_at(const char *stream) {
    telpher_id reader;
    say("look %s", stream);
    started("read", telpher_read(hub, stream, NULL, NULL, &reader));
    for (uint32_t kind = 0; kind != TELPHER_EVENT_DONE;) {
        telpher_event event = next("read", reader);
        kind = event.kind;
        if (kind == TELPHER_EVENT_DONE && event.status != TELPHER_OK) {
            fault("read", event.detail);
        }
        if (kind == TELPHER_EVENT_RECORD) {
            saw(stream, &event);
        }
        telpher_events_release(&event);
    }
    say("looked %s", stream);
}

void look(uint64_t *chance) {
    while (!ends) {
        look_at(LATEST[draw(chance, LATEST_COUNT)]);
        poll(NULL, 0, LOOK_MS);
    }
}

/* Streams that keep the latest record of each key. */
#include "check.h"

/* What the stream has of each key, as its value's first byte; how many records that took. */
static int read_keys(telpher_hub hub, char values[3]) {
    telpher_id id;
    int count = 0;
    CHECK_OK(telpher_read(hub, "log", NULL, NULL, &id));
    memset(values, 0, 3);
    for (;;) {
        telpher_event event = outcome(hub, id);
        if (event.kind == TELPHER_EVENT_DONE) {
            CHECK_ENDED(event, TELPHER_OK);
            CHECK_OK(telpher_events_release(&event));
            return count;
        }
        if (event.kind == TELPHER_EVENT_STARTED) {
            continue;
        }
        CHECK_EQUAL(event.kind, TELPHER_EVENT_RECORD);
        CHECK_EQUAL(event.key_size, 1);
        int key = *(const char *)event.key - '0';
        values[key] = event.body_size > 0 ? *(const char *)event.body : 0;
        count++;
        CHECK_OK(telpher_events_release(&event));
    }
}

TEST(a_compacted_stream_keeps_the_latest_record_of_each_key) {
    telpher_hub hub = open_memory();
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    char body[2000] = "x", key, values[3];
    telpher_message message = TELPHER_BODY(body, sizeof body);
    telpher_id id;
    int count;
    options.compact = 1;
    options.tombstone_age_ms = 3600000;
    CHECK_OK(telpher_stream_declare(hub, "log", &options, NULL, &id));
    expect_ok(hub, id);
    CHECK_OK(telpher_append(hub, "log", &message, NULL, NULL, &id));
    expect_words(hub, id, TELPHER_INVALID, "a record has no key");
    message.key = &key;
    message.key_size = 1;
    for (int at = 0; at < 300; at++) {
        key = (char)('0' + at % 3);
        memset(body, 'a' + at % 26, sizeof body);
        CHECK_OK(telpher_append(hub, "log", &message, NULL, NULL, &id));
        expect_ok(hub, id);
    }
    message = TELPHER_BODY(NULL, 0);
    message.key = &key;
    message.key_size = 1;
    CHECK_OK(telpher_append(hub, "log", &message, NULL, NULL, &id));
    expect_ok(hub, id);
    do {
        count = read_keys(hub, values);
    } while (count > 200);
    CHECK_EQUAL(values[0], 'a' + 297 % 26);
    CHECK_EQUAL(values[1], 'a' + 298 % 26);
    CHECK_EQUAL(values[2], 0);
    CHECK_OK(telpher_stream_inspect(hub, "log", NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.stream_info->compact, 1);
    CHECK_EQUAL(event.stream_info->tombstone_age_ms, 3600000);
    CHECK_EQUAL(event.stream_info->keep_unread, 0);
    CHECK(event.stream_info->partitions[0].first == 0);
    CHECK(event.stream_info->partitions[0].next == 301);
    CHECK_OK(telpher_events_release(&event));
    options.compact = 0;
    CHECK_EQUAL(telpher_stream_declare(hub, "other", &options, NULL, &id), TELPHER_INVALID);
    CHECK_CONTAINS(telpher_last_error(), "tombstone_age_ms is 3600000, and compact is not stated");
    CHECK_OK(telpher_close(hub, 0));
}

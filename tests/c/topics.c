/* Topics. */
#include "check.h"

static void publish_text(telpher_hub hub, const char *topic, const char *text) {
    telpher_id id;
    CHECK_OK(telpher_publish(hub, topic, &TEXT(text), NULL, NULL, &id));
    expect_ok(hub, id);
}

static telpher_id subscribe(telpher_hub hub, const char *pattern, uint32_t buffer) {
    telpher_subscribe_options options = TELPHER_SIZED(telpher_subscribe_options);
    telpher_id id;
    options.buffer = buffer;
    CHECK_OK(telpher_subscribe(hub, pattern, &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    return id;
}

static void expect_published(telpher_hub hub, telpher_id id, const char *topic, uint64_t number,
                             const char *body) {
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_PUBLISHED);
    CHECK_EQUAL(event.number, number);
    CHECK(event.topic != NULL && strcmp(event.topic, topic) == 0);
    CHECK_BODY(event, body);
    CHECK_OK(telpher_events_release(&event));
}

TEST(a_message_reaches_every_subscriber_of_a_matching_topic) {
    telpher_hub hub = open_memory();
    telpher_id all = subscribe(hub, "orders.**", 0);
    telpher_id one = subscribe(hub, "orders.*.new", 0);
    publish_text(hub, "orders.eu.new", "first");
    publish_text(hub, "orders.eu.paid", "second");
    publish_text(hub, "others", "third");
    expect_published(hub, all, "orders.eu.new", 1, "first");
    expect_published(hub, all, "orders.eu.paid", 2, "second");
    expect_published(hub, one, "orders.eu.new", 1, "first");
    telpher_event event = TELPHER_SIZED(telpher_event);
    CHECK_STATUS(telpher_wait(hub, one, 1, &event), TELPHER_PENDING);
    CHECK_OK(telpher_detach(hub, one));
    expect_ok(hub, one);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_published_message_keeps_its_properties) {
    telpher_hub hub = open_memory();
    telpher_id id, subscriber = subscribe(hub, "news", 0);
    telpher_header header = {"lang", "en", 2};
    telpher_message message = TEXT("hello");
    const void *value;
    size_t size;
    message.key = "k";
    message.key_size = 1;
    message.headers = &header;
    message.headers_count = 1;
    message.headers_stride = sizeof header;
    message.priority = 7;
    message.timestamp_ms = 12345;
    CHECK_OK(telpher_publish(hub, "news", &message, NULL, NULL, &id));
    expect_ok(hub, id);
    telpher_event event = outcome(hub, subscriber);
    CHECK_BODY(event, "hello");
    CHECK(event.key_size == 1 && memcmp(event.key, "k", 1) == 0);
    CHECK_OK(telpher_header_get(&event, "lang", &value, &size));
    CHECK(size == 2 && memcmp(value, "en", 2) == 0);
    CHECK_EQUAL(event.priority, 7);
    CHECK_EQUAL(event.timestamp_ms, 12345);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_slow_subscriber_is_told_which_messages_it_has_lost) {
    telpher_hub hub = open_memory();
    telpher_id id = subscribe(hub, "news", 2);
    char text[8];
    for (int at = 1; at <= 10; at++) {
        snprintf(text, sizeof text, "%d", at);
        publish_text(hub, "news", text);
    }
    expect_published(hub, id, "news", 1, "1");
    expect_published(hub, id, "news", 2, "2");
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_GAP);
    CHECK_EQUAL(event.number, 3);
    CHECK_EQUAL(event.count, 6);
    CHECK(event.topic == NULL);
    CHECK_OK(telpher_events_release(&event));
    expect_published(hub, id, "news", 9, "9");
    expect_published(hub, id, "news", 10, "10");
    CHECK_OK(telpher_close(hub, 0));
}

static void count_published(const telpher_event *event, uint64_t user) {
    if (event->kind == TELPHER_EVENT_PUBLISHED) {
        __atomic_add_fetch((int *)(uintptr_t)user, 1, __ATOMIC_SEQ_CST);
    }
}

TEST(a_callback_takes_all_that_is_published) {
    telpher_hub hub = open_memory();
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_subscribe_options options = TELPHER_SIZED(telpher_subscribe_options);
    telpher_id id;
    static int count;
    done.kind = TELPHER_DONE_CALLBACK;
    done.fn = count_published;
    done.user = (uint64_t)(uintptr_t)&count;
    options.buffer = 3;
    CHECK_OK(telpher_subscribe(hub, "**", &options, &done, &id));
    telpher_id own = subscribe(hub, "**", 100);
    for (int at = 0; at < 50; at++) {
        publish_text(hub, "many", "x");
    }
    for (uint64_t at = 1; at <= 50; at++) {
        expect_published(hub, own, "many", at, "x");
    }
    publish_text(hub, "many", "last");
    while (__atomic_load_n(&count, __ATOMIC_SEQ_CST) < 40) {
        publish_text(hub, "more", "x");
    }
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_wrong_topic_or_pattern_is_refused_with_the_segment) {
    telpher_hub hub = open_memory();
    telpher_message message = TEXT("x");
    telpher_id id;
    CHECK_STATUS(telpher_publish(hub, "a..b", &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("empty segment");
    CHECK_STATUS(telpher_publish(hub, "a.*", &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("'*' at byte 2");
    CHECK_STATUS(telpher_publish(hub, NULL, &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("NULL");
    CHECK_STATUS(telpher_subscribe(hub, "a.b*", NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("b*");
    CHECK_STATUS(telpher_subscribe(hub, "", NULL, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_subscribe(hub, NULL, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_subscribe(hub, "a", NULL, NULL, NULL), TELPHER_INVALID);
    telpher_subscribe_options options = TELPHER_SIZED(telpher_subscribe_options);
    options.buffer = 65537;
    CHECK_STATUS(telpher_subscribe(hub, "a", &options, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("buffer is 65537; allowed are 1 to 65536");
    CHECK_OK(telpher_close(hub, 0));
}

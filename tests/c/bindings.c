/* Topics that are bound to queues and streams, and publishes in batches. */
#include "check.h"

static void bind(telpher_hub hub, const char *pattern, const char *queue) {
    telpher_id id;
    CHECK_OK(telpher_bind(hub, pattern, queue, NULL, &id));
    expect_ok(hub, id);
}

static void publish(telpher_hub hub, const char *topic, const char *text, telpher_status expected) {
    telpher_id id;
    CHECK_OK(telpher_publish(hub, topic, &TEXT(text), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, expected);
    CHECK_OK(telpher_events_release(&event));
}

static void expect_bindings(telpher_hub hub, const char *queue, const char *expected) {
    telpher_id id;
    CHECK_OK(telpher_inspect(hub, queue, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    const char *bindings = event.queue_info->bindings;
    CHECK(expected == NULL ? bindings == NULL : bindings && strcmp(bindings, expected) == 0);
    CHECK_OK(telpher_events_release(&event));
}

static void take(telpher_hub hub, const char *queue, const char *topic, const char *body) {
    telpher_event event = receive_one(hub, queue);
    const void *value;
    size_t size;
    CHECK_BODY(event, body);
    CHECK_OK(telpher_header_get(&event, "telpher.topic", &value, &size));
    CHECK(size == strlen(topic) && memcmp(value, topic, size) == 0);
    settle(hub, &event, TELPHER_ACKNOWLEDGE, NULL);
}

TEST(what_is_published_is_kept_once_where_its_topic_is_bound) {
    telpher_hub hub = open_memory();
    telpher_id id;
    declare_queue(hub, "audit");
    expect_bindings(hub, "audit", NULL);
    bind(hub, "orders.**", "audit");
    bind(hub, "orders.*", "audit");
    bind(hub, "orders.*", "audit");
    expect_bindings(hub, "audit", "orders.* orders.**");
    publish(hub, "orders.new", "body", TELPHER_OK);
    publish(hub, "others", "nobody listens", TELPHER_OK);
    CHECK_EQUAL(inspect(hub, "audit").ready, 1);
    take(hub, "audit", "orders.new", "body");
    CHECK_OK(telpher_unbind(hub, "orders.*", "audit", NULL, &id));
    expect_ok(hub, id);
    expect_bindings(hub, "audit", "orders.**");
    CHECK_OK(telpher_unbind(hub, "orders.*", "audit", NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_bind(hub, "a", "nowhere", NULL, &id));
    event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_wrong_pattern_or_queue_is_refused_before_anything_is_sent) {
    telpher_hub hub = open_memory();
    telpher_id id;
    CHECK_STATUS(telpher_bind(hub, "a.b*", "jobs", NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("b*");
    CHECK_STATUS(telpher_bind(hub, NULL, "jobs", NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_bind(hub, "a", NULL, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_unbind(hub, "", "jobs", NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_unbind(hub, "a", "b c", NULL, &id), TELPHER_INVALID);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_full_queue_that_is_bound_refuses_a_publish_as_a_whole) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    options.length_max = 1;
    options.overflow = TELPHER_OVERFLOW_REJECT;
    declare_as(hub, "tight", &options);
    declare_queue(hub, "roomy");
    bind(hub, "a", "tight");
    bind(hub, "a", "roomy");
    publish(hub, "a", "1", TELPHER_OK);
    publish(hub, "a", "2", TELPHER_FULL);
    CHECK_EQUAL(inspect(hub, "roomy").ready, 1);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(the_publishes_of_a_batch_happen_with_it_or_not_at_all) {
    telpher_hub hub = open_memory();
    telpher_batch batch;
    telpher_id id;
    declare_queue(hub, "audit");
    bind(hub, "a", "audit");
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_OK(telpher_batch_publish(batch, "a", &TEXT("1")));
    CHECK_STATUS(telpher_batch_publish(batch, "a..b", &TEXT("x")), TELPHER_INVALID);
    CHECK_STATUS(telpher_batch_publish(batch, NULL, &TEXT("x")), TELPHER_INVALID);
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.receipts_count, 0);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_batch_publish(batch, "a", &TEXT("2")));
    CHECK_OK(telpher_batch_send(batch, "nowhere", &TEXT("3")));
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_batch_free(batch));
    CHECK_EQUAL(inspect(hub, "audit").ready, 1);
    take(hub, "audit", "a", "1");
    CHECK_OK(telpher_close(hub, 0));
}

static void expect_stream(telpher_hub hub, const char *bindings, uint64_t next) {
    telpher_id id;
    CHECK_OK(telpher_stream_inspect(hub, "log", NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    const char *bound = event.stream_info->bindings;
    CHECK(bindings == NULL ? bound == NULL : bound && strcmp(bound, bindings) == 0);
    CHECK_EQUAL(event.stream_info->partitions[0].next, next);
    CHECK_OK(telpher_events_release(&event));
}

static void expect_refusal(telpher_hub hub, telpher_id id, telpher_status expected) {
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, expected);
    CHECK_OK(telpher_events_release(&event));
}

TEST(what_is_published_is_appended_once_where_its_topic_is_bound_to_a_stream) {
    telpher_hub hub = open_memory();
    telpher_id id;
    CHECK_OK(telpher_stream_declare(hub, "log", NULL, NULL, &id));
    expect_ok(hub, id);
    expect_stream(hub, NULL, 0);
    const char *patterns[] = {"orders.**", "orders.*", "orders.*"};
    for (size_t at = 0; at < 3; at++) {
        CHECK_OK(telpher_stream_bind(hub, patterns[at], "log", NULL, &id));
        expect_ok(hub, id);
    }
    publish(hub, "orders.new", "body", TELPHER_OK);
    publish(hub, "others", "nobody listens", TELPHER_OK);
    expect_stream(hub, "orders.* orders.**", 1);
    CHECK_OK(telpher_stream_unbind(hub, "orders.*", "log", NULL, &id));
    expect_ok(hub, id);
    expect_stream(hub, "orders.**", 1);
    CHECK_OK(telpher_stream_unbind(hub, "orders.*", "log", NULL, &id));
    expect_refusal(hub, id, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_stream_bind(hub, "a", "nowhere", NULL, &id));
    expect_refusal(hub, id, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_wrong_pattern_or_stream_is_refused_before_anything_is_sent) {
    telpher_hub hub = open_memory();
    telpher_id id;
    CHECK_STATUS(telpher_stream_bind(hub, "a.b*", "log", NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("b*");
    CHECK_STATUS(telpher_stream_bind(hub, "a", NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("stream is NULL");
    CHECK_STATUS(telpher_stream_unbind(hub, NULL, "log", NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_stream_unbind(hub, "a", "b c", NULL, &id), TELPHER_INVALID);
    CHECK_OK(telpher_close(hub, 0));
}

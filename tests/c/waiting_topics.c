/* Topics that are declared to make publishers wait. */
#include "check.h"

static telpher_id start_publish(telpher_hub hub, const char *text, int64_t timeout_ms) {
    telpher_publish_options options = TELPHER_SIZED(telpher_publish_options);
    telpher_id id;
    options.timeout_ms = timeout_ms;
    CHECK_OK(telpher_publish(hub, "a.b", &TEXT(text), &options, NULL, &id));
    return id;
}

static telpher_id subscribe_one(telpher_hub hub) {
    telpher_subscribe_options options = TELPHER_SIZED(telpher_subscribe_options);
    telpher_id id;
    options.buffer = 1;
    CHECK_OK(telpher_subscribe(hub, "a.*", &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    return id;
}

static void declare_waiting(telpher_hub hub, const char *pattern, uint32_t line_max) {
    telpher_topic_options options = TELPHER_SIZED(telpher_topic_options);
    telpher_id id;
    options.overflow = TELPHER_TOPIC_OVERFLOW_WAIT;
    options.line_max = line_max;
    CHECK_OK(telpher_topic_declare(hub, pattern, &options, NULL, &id));
    expect_ok(hub, id);
}

static uint64_t waiting(telpher_hub hub, const char *pattern) {
    telpher_id id;
    CHECK_OK(telpher_topic_inspect(hub, pattern, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.status, TELPHER_OK);
    CHECK(event.topic_info != NULL && event.topic_info->pattern == NULL);
    CHECK_EQUAL(event.topic_info->overflow, TELPHER_TOPIC_OVERFLOW_WAIT);
    uint64_t count = event.topic_info->waiting;
    CHECK_OK(telpher_events_release(&event));
    return count;
}

static void expect_body(telpher_hub hub, telpher_id subscriber, const char *body) {
    telpher_event event = outcome(hub, subscriber);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_PUBLISHED);
    CHECK_BODY(event, body);
    CHECK_OK(telpher_events_release(&event));
}

TEST(a_publish_waits_until_a_slow_subscriber_has_room_and_none_is_lost) {
    telpher_hub hub = open_memory();
    declare_waiting(hub, "a.**", 0);
    telpher_id subscriber = subscribe_one(hub);
    telpher_id ids[5];
    const char *bodies[] = {"1", "2", "3", "4", "5"};
    for (int at = 0; at < 5; at++) {
        ids[at] = start_publish(hub, bodies[at], 0);
    }
    CHECK_EQUAL(waiting(hub, "a.**"), 3);
    for (int at = 0; at < 5; at++) {
        expect_body(hub, subscriber, bodies[at]);
        expect_ok(hub, ids[at]);
    }
    CHECK_EQUAL(waiting(hub, "a.**"), 0);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_publish_that_waits_expires_is_cancelled_or_finds_the_line_full) {
    telpher_hub hub = open_memory();
    declare_waiting(hub, "a.b", 2);
    telpher_id subscriber = subscribe_one(hub);
    expect_ok(hub, start_publish(hub, "1", 0));
    expect_ok(hub, start_publish(hub, "2", 0));
    telpher_id late = start_publish(hub, "late", 30), unwanted = start_publish(hub, "no", 0);
    telpher_event event = outcome(hub, start_publish(hub, "too many", 0));
    CHECK_EQUAL(event.status, TELPHER_FULL);
    CHECK(strstr(event.detail, "line_max is 2") != NULL);
    CHECK_OK(telpher_events_release(&event));
    event = outcome(hub, late);
    CHECK_EQUAL(event.status, TELPHER_EXPIRED);
    CHECK(!event.maybe_executed);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_cancel(hub, unwanted));
    event = outcome(hub, unwanted);
    CHECK_EQUAL(event.status, TELPHER_CANCELLED);
    CHECK_OK(telpher_events_release(&event));
    telpher_id last = start_publish(hub, "3", 0);
    expect_body(hub, subscriber, "1");
    expect_body(hub, subscriber, "2");
    expect_body(hub, subscriber, "3");
    expect_ok(hub, last);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_deleted_declaration_lets_go_on_who_waits) {
    telpher_hub hub = open_memory();
    declare_waiting(hub, "a.b", 0);
    telpher_id id, subscriber = subscribe_one(hub);
    expect_ok(hub, start_publish(hub, "1", 0));
    expect_ok(hub, start_publish(hub, "2", 0));
    telpher_id waits = start_publish(hub, "3", 0);
    CHECK_OK(telpher_topic_delete(hub, "a.b", NULL, &id));
    expect_ok(hub, id);
    expect_ok(hub, waits);
    expect_body(hub, subscriber, "1");
    expect_body(hub, subscriber, "2");
    CHECK_OK(telpher_topic_inspect(hub, "a.b", NULL, &id));
    expect_ended(hub, id, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_topic_delete(hub, "a.b", NULL, &id));
    expect_ended(hub, id, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(declarations_are_listed_and_a_different_one_is_a_mismatch) {
    telpher_hub hub = open_memory();
    telpher_topic_options options = TELPHER_SIZED(telpher_topic_options);
    telpher_id id;
    declare_waiting(hub, "b.*", 7);
    declare_waiting(hub, "b.*", 7);
    CHECK_OK(telpher_topic_declare(hub, "a", NULL, NULL, &id));
    expect_ok(hub, id);
    CHECK_OK(telpher_topic_list(hub, NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.topics_count, 2);
    CHECK(strcmp(event.topics[0].pattern, "a") == 0 && strcmp(event.topics[1].pattern, "b.*") == 0);
    CHECK_EQUAL(event.topics[0].overflow, TELPHER_TOPIC_OVERFLOW_DROP);
    CHECK_EQUAL(event.topics[0].line_max, 0);
    CHECK_EQUAL(event.topics[1].line_max, 7);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_topic_list(hub, "b.*", NULL, &id));
    event = outcome(hub, id);
    CHECK(event.topics == NULL && event.topics_count == 0);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_topic_declare(hub, "b.*", NULL, NULL, &id));
    event = outcome(hub, id);
    CHECK_EQUAL(event.status, TELPHER_MISMATCH);
    CHECK(strstr(event.detail, "overflow wait, not drop") != NULL);
    CHECK_OK(telpher_events_release(&event));
    options.overflow = 2;
    CHECK_STATUS(telpher_topic_declare(hub, "a", &options, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("overflow is 2");
    options.overflow = TELPHER_TOPIC_OVERFLOW_WAIT;
    options.line_max = 1048577;
    CHECK_STATUS(telpher_topic_declare(hub, "a", &options, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("line_max is 1048577; allowed are 0 to 1048576");
    CHECK_STATUS(telpher_topic_declare(hub, "a..b", NULL, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_topic_declare(hub, NULL, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_topic_list(hub, "a b", NULL, &id), TELPHER_INVALID);
    CHECK_OK(telpher_close(hub, 0));
}

/* Messages that are tried again: pauses, dead letters, deadlines, leases. */
#include "check.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* The options of a queue whose pauses are as short as can be. */
static telpher_declare_options brisk(void) {
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    options.durability = TELPHER_DURABILITY_MEMORY;
    options.backoff_min_ms = 1;
    options.backoff_max_ms = 1;
    return options;
}

/* The value of a header, as a text in one buffer. */
static const char *header(const telpher_event *event, const char *name) {
    static char text[2048];
    const void *value;
    size_t size;
    CHECK_OK(telpher_header_get(event, name, &value, &size));
    CHECK(size < sizeof text);
    if (size > 0) {
        memcpy(text, value, size);
    }
    text[size] = 0;
    return text;
}

#define CHECK_HEADER(event, name, expected)                                             \
    do {                                                                                \
        if (strcmp(header(event, name), expected) != 0)                                 \
            check_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", (name),          \
                       header(event, name), (expected));                                \
    } while (0)

static void expect_dead_letter(telpher_hub hub, const char *queue, const char *expected) {
    telpher_id id;
    CHECK_OK(telpher_inspect(hub, queue, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    const char *found = event.queue_info->dead_letter;
    if (expected == NULL) {
        CHECK(found == NULL);
    } else {
        CHECK(found != NULL && strcmp(found, expected) == 0);
    }
    CHECK_OK(telpher_events_release(&event));
}

TEST(a_queue_tells_each_default_in_its_place) {
    telpher_hub hub = open_memory();
    declare_queue(hub, "jobs");
    telpher_queue_info info = inspect(hub, "jobs");
    CHECK_EQUAL(info.max_attempts, 20);
    CHECK_EQUAL(info.backoff_min_ms, 100);
    CHECK_EQUAL(info.backoff_max_ms, 60000);
    CHECK_EQUAL(info.ack_deadline_ms, 0);
    CHECK_EQUAL(info.ttl_ms, 0);
    CHECK_EQUAL(info.delayed, 0);
    CHECK_EQUAL(info.damaged, 0);
    CHECK_EQUAL(info.dead_lettered, 0);
    expect_dead_letter(hub, "jobs", "jobs.dead");
    declare_queue(hub, "other.dead");
    expect_dead_letter(hub, "other.dead", NULL);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_queue_is_as_its_options_say_and_another_one_is_a_mismatch) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = brisk();
    telpher_id id;
    options.max_attempts = 3;
    options.backoff_min_ms = 5;
    options.backoff_max_ms = 50;
    options.ack_deadline_ms = DAY_MS;
    options.ttl_ms = 1000000000000;
    options.dead_letter = "graveyard";
    declare_as(hub, "jobs", &options);
    declare_as(hub, "jobs", &options);
    telpher_queue_info info = inspect(hub, "jobs");
    CHECK_EQUAL(info.max_attempts, 3);
    CHECK_EQUAL(info.backoff_min_ms, 5);
    CHECK_EQUAL(info.backoff_max_ms, 50);
    CHECK_EQUAL(info.ack_deadline_ms, DAY_MS);
    CHECK_EQUAL(info.ttl_ms, 1000000000000);
    expect_dead_letter(hub, "jobs", "graveyard");
    options.dead_letter = "elsewhere";
    CHECK_OK(telpher_declare(hub, "jobs", &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_MISMATCH);
    CHECK_CONTAINS(event.detail, "dead_letter");
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_rejected_message_goes_to_the_dead_letter_queue_with_the_reason) {
    telpher_hub hub = open_memory();
    telpher_id id;
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "impossible");
    telpher_event job = receive_one(hub, "jobs");
    settle(hub, &job, TELPHER_REJECT, "no such file: a.csv");
    telpher_event dead = receive_one(hub, "jobs.dead");
    CHECK_BODY(dead, "impossible");
    CHECK_HEADER(&dead, "telpher.queue", "jobs");
    CHECK_HEADER(&dead, "telpher.reason", "rejected");
    CHECK_HEADER(&dead, "telpher.error", "no such file: a.csv");
    CHECK_CONTAINS(header(&dead, "telpher.history"), "rejected: no such file: a.csv");
    CHECK_EQUAL(inspect(hub, "jobs").rejected, 1);
    CHECK_EQUAL(inspect(hub, "jobs").dead_lettered, 1);
    settle(hub, &dead, TELPHER_REJECT, NULL);
    CHECK_EQUAL(inspect(hub, "jobs.dead").ready, 0);
    CHECK_OK(telpher_inspect(hub, "jobs.dead.dead", NULL, &id));
    expect_ended(hub, id, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_message_whose_attempts_are_used_up_is_a_dead_letter_that_tells_each_of_them) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = brisk();
    options.max_attempts = 3;
    options.dead_letter = "graveyard";
    declare_as(hub, "jobs", &options);
    send_text(hub, "jobs", "stubborn");
    const char *const reasons[] = {"first", NULL, "third"};
    for (uint32_t at = 0; at < 3; at++) {
        telpher_event job = receive_one(hub, "jobs");
        CHECK_EQUAL(job.failures, at);
        CHECK(job.redelivered == (at > 0));
        settle(hub, &job, TELPHER_REQUEUE, reasons[at]);
    }
    telpher_event dead = receive_one(hub, "graveyard");
    CHECK_HEADER(&dead, "telpher.queue", "jobs");
    CHECK_HEADER(&dead, "telpher.reason", "requeued");
    CHECK_HEADER(&dead, "telpher.error", "third");
    CHECK_HEADER(&dead, "telpher.failures", "3");
    const char *history = header(&dead, "telpher.history");
    CHECK_CONTAINS(history, "requeued: first");
    CHECK_CONTAINS(strstr(history, "first"), "requeued");
    CHECK_CONTAINS(history, "requeued: third");
    telpher_queue_info info = inspect(hub, "jobs");
    CHECK_EQUAL(info.ready + info.held + info.delayed, 0);
    CHECK_EQUAL(info.dead_lettered, 1);
    settle(hub, &dead, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_requeued_message_waits_for_its_next_attempt_and_a_released_one_does_not) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = brisk();
    telpher_id id;
    options.backoff_min_ms = DAY_MS;
    options.backoff_max_ms = DAY_MS;
    declare_as(hub, "jobs", &options);
    send_text(hub, "jobs", "later");
    telpher_event job = receive_one(hub, "jobs");
    settle(hub, &job, TELPHER_RELEASE, NULL);
    CHECK_EQUAL(inspect(hub, "jobs").ready, 1);
    job = receive_one(hub, "jobs");
    settle(hub, &job, TELPHER_REQUEUE, "not yet");
    telpher_queue_info info = inspect(hub, "jobs");
    CHECK_EQUAL(info.ready, 0);
    CHECK_EQUAL(info.held, 0);
    CHECK_EQUAL(info.delayed, 1);
    CHECK_EQUAL(info.requeued, 1);
    CHECK_OK(telpher_purge(hub, "jobs", NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.count, 1);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_message_that_waits_past_its_time_is_an_expired_dead_letter) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = brisk();
    options.ttl_ms = 1;
    declare_as(hub, "jobs", &options);
    options.ttl_ms = 0;
    declare_as(hub, "jobs.dead", &options);
    send_text(hub, "jobs", "stale bread");
    telpher_event dead = receive_one(hub, "jobs.dead");
    CHECK_BODY(dead, "stale bread");
    CHECK_HEADER(&dead, "telpher.reason", "expired");
    settle(hub, &dead, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_close(hub, 0));
}

/* The lease of `token` is over. */
static void expect_lost(telpher_hub hub, uint64_t token) {
    telpher_id id;
    CHECK_OK(telpher_extend(hub, token, 0, NULL, &id));
    expect_ended(hub, id, TELPHER_LEASE_LOST);
    CHECK_OK(telpher_settle(hub, token, TELPHER_ACKNOWLEDGE, NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_LEASE_LOST);
    CHECK(!event.maybe_executed);
    CHECK_OK(telpher_events_release(&event));
}

TEST(a_message_held_past_its_deadline_is_taken_back_as_a_failed_attempt) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = brisk();
    options.ack_deadline_ms = 20;
    declare_as(hub, "jobs", &options);
    send_text(hub, "jobs", "slow");
    telpher_event late = receive_one(hub, "jobs");
    telpher_event again = receive_one(hub, "jobs");
    CHECK_EQUAL(again.message_id, late.message_id);
    CHECK_EQUAL(again.failures, 1);
    CHECK(again.redelivered);
    expect_lost(hub, late.token);
    CHECK_OK(telpher_events_release(&late));
    CHECK_OK(telpher_events_release(&again));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_consumers_own_deadline_goes_before_the_queues) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = brisk();
    telpher_consume_options consuming = TELPHER_SIZED(telpher_consume_options);
    options.ack_deadline_ms = DAY_MS;
    options.max_attempts = 1;
    declare_as(hub, "jobs", &options);
    send_text(hub, "jobs", "slow");
    consuming.ack_deadline_ms = 20;
    telpher_id consumer = consume(hub, "jobs", &consuming);
    telpher_event late = outcome(hub, consumer);
    CHECK_EQUAL(late.kind, TELPHER_EVENT_DELIVERY);
    declare_queue(hub, "jobs.dead");
    telpher_event dead = receive_one(hub, "jobs.dead");
    CHECK_HEADER(&dead, "telpher.reason", "late");
    expect_lost(hub, late.token);
    CHECK_OK(telpher_events_release(&late));
    settle(hub, &dead, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_close(hub, 0));
}

static void extend(telpher_hub hub, uint64_t token, uint64_t ms) {
    telpher_id id;
    CHECK_OK(telpher_extend(hub, token, ms, NULL, &id));
    expect_ok(hub, id);
}

TEST(extend_moves_the_end_of_a_lease_both_ways) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = brisk();
    telpher_id id;
    options.ack_deadline_ms = DAY_MS;
    declare_as(hub, "jobs", &options);
    send_text(hub, "jobs", "long");
    telpher_event job = receive_one(hub, "jobs");
    extend(hub, job.token, DAY_MS);
    extend(hub, job.token, 0);
    CHECK_EQUAL(inspect(hub, "jobs").held, 1);
    extend(hub, job.token, 1);
    telpher_event again = receive_one(hub, "jobs");
    CHECK_EQUAL(again.failures, 1);
    expect_lost(hub, job.token);
    CHECK_OK(telpher_events_release(&job));
    uint64_t token = again.token;
    settle(hub, &again, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_extend(hub, token, 0, NULL, &id));
    expect_ended(hub, id, TELPHER_STALE);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(extend_leaves_a_delivery_without_a_deadline_alone) {
    telpher_hub hub = open_memory();
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "as long as it takes");
    telpher_event job = receive_one(hub, "jobs");
    extend(hub, job.token, 1);
    extend(hub, job.token, 0);
    CHECK_EQUAL(inspect(hub, "jobs").held, 1);
    settle(hub, &job, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_EQUAL(inspect(hub, "jobs").acknowledged, 1);
    CHECK_OK(telpher_close(hub, 0));
}

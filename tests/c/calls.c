/* Calls and services, with each of the ways in which an outcome arrives. */
#include "check.h"

#include <time.h>

TEST(a_call_is_answered_by_a_handler_on_another_thread) {
    telpher_hub hub = open_memory();
    struct reverser reverser;
    telpher_id id;
    reverser_start(&reverser, hub, "reverse", 1);
    CHECK_OK(telpher_call(hub, "reverse", &TEXT("drawer"), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_BODY(event, "reward");
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_call(hub, "reverse", &TELPHER_BODY(NULL, 0), NULL, NULL, &id));
    event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK(event.body == NULL && event.body_size == 0);
    CHECK_OK(telpher_events_release(&event));
    reverser_stop(&reverser);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_ticket_is_redeemed_once) {
    telpher_hub hub = open_memory();
    telpher_event event = TELPHER_SIZED(telpher_event);
    struct reverser reverser;
    telpher_id id;
    reverser_start(&reverser, hub, "reverse", 1);
    CHECK_OK(telpher_call(hub, "reverse", &TEXT("x"), NULL, NULL, &id));
    expect_ok(hub, id);
    CHECK_STATUS(telpher_wait(hub, id, 1, &event), TELPHER_STALE);
    CHECK_EQUAL(event.batch, 0);
    CHECK_STATUS(telpher_cancel(hub, id), TELPHER_STALE);
    CHECK_STATUS(telpher_detach(hub, id), TELPHER_STALE);
    reverser_stop(&reverser);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_batch_is_released_once) {
    telpher_hub hub = open_memory();
    telpher_id id;
    CHECK_OK(telpher_call(hub, "nobody", &TEXT("x"), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_OK(telpher_events_release(&event));
    CHECK_STATUS(telpher_events_release(&event), TELPHER_STALE);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(nobody_serving_is_no_service_and_the_handler_did_not_run) {
    telpher_hub hub = open_memory();
    telpher_id id;
    CHECK_OK(telpher_call(hub, "nobody", &TEXT("x"), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_NO_SERVICE);
    CHECK(!event.maybe_executed);
    CHECK_CONTAINS(event.detail, "nobody");
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

/* The next request of a service. */
static telpher_event request(telpher_hub hub, telpher_id service) {
    telpher_event event = outcome(hub, service);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_REQUEST);
    CHECK(event.token != 0);
    return event;
}

TEST(a_handlers_failure_reaches_its_caller_with_code_and_text) {
    telpher_hub hub = open_memory();
    telpher_failure failure = TELPHER_SIZED(telpher_failure);
    telpher_id service = serve_waiting(hub, "failing", 1), id;
    CHECK_OK(telpher_call(hub, "failing", &TEXT("x"), NULL, NULL, &id));
    telpher_event asked = request(hub, service);
    failure.code = -42;
    failure.text = "the well is dry";
    CHECK_OK(telpher_reply(hub, asked.token, NULL, &failure, NULL, NULL));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_REMOTE);
    CHECK_EQUAL(event.code, -42);
    CHECK_CONTAINS(event.detail, "the well is dry");
    CHECK(event.maybe_executed);
    CHECK_OK(telpher_reply(hub, asked.token, &TEXT("late"), NULL, NULL, &id));
    expect_ended(hub, id, TELPHER_STALE);
    CHECK_OK(telpher_events_release(&asked));
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_request_that_is_let_go_of_is_abandoned) {
    telpher_hub hub = open_memory();
    telpher_id service = serve_waiting(hub, "shy", 1), id;
    CHECK_OK(telpher_call(hub, "shy", &TEXT("x"), NULL, NULL, &id));
    telpher_event asked = request(hub, service);
    CHECK_OK(telpher_reply(hub, asked.token, NULL, NULL, NULL, NULL));
    CHECK_OK(telpher_events_release(&asked));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_ABANDONED);
    CHECK(event.maybe_executed);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_message_and_a_failure_at_once_are_no_reply) {
    telpher_hub hub = open_memory();
    telpher_failure failure = TELPHER_SIZED(telpher_failure);
    CHECK_STATUS(telpher_reply(hub, 1, &TEXT("x"), &failure, NULL, NULL), TELPHER_INVALID);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_cancelled_call_ends_and_its_handler_can_see_it) {
    telpher_hub hub = open_memory();
    telpher_id service = serve_waiting(hub, "slow", 1), id, replied;
    bool cancelled = true;
    CHECK_OK(telpher_call(hub, "slow", &TEXT("x"), NULL, NULL, &id));
    telpher_event asked = request(hub, service);
    CHECK_OK(telpher_request_cancelled(hub, asked.token, &cancelled));
    CHECK(!cancelled);
    CHECK_OK(telpher_cancel(hub, id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_CANCELLED);
    CHECK_OK(telpher_events_release(&event));
    /* The hub is asked once more, so that its withdrawal has come before the answer has. */
    declare_queue(hub, "afterwards");
    CHECK_OK(telpher_request_cancelled(hub, asked.token, &cancelled));
    CHECK(cancelled);
    CHECK_OK(telpher_reply(hub, asked.token, &TEXT("too late"), NULL, NULL, &replied));
    event = outcome(hub, replied);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_DONE);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_events_release(&asked));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_handler_sees_what_is_left_of_its_time_and_hands_it_on) {
    telpher_hub hub = open_memory();
    telpher_call_options options = TELPHER_SIZED(telpher_call_options);
    telpher_id outer = serve_waiting(hub, "outer", 1), inner = serve_waiting(hub, "inner", 1);
    telpher_id id, further;
    int64_t left_ms = 0;
    options.timeout_ms = 20000;
    CHECK_OK(telpher_call(hub, "outer", &TEXT("x"), &options, NULL, &id));
    telpher_event asked = request(hub, outer);
    CHECK_OK(telpher_request_remaining_ms(hub, asked.token, &left_ms));
    CHECK(left_ms > 10000 && left_ms <= 20000);
    options.timeout_ms = 0;
    options.request = asked.token;
    CHECK_OK(telpher_call(hub, "inner", &TEXT("y"), &options, NULL, &further));
    telpher_event asked_further = request(hub, inner);
    CHECK_OK(telpher_request_remaining_ms(hub, asked_further.token, &left_ms));
    CHECK(left_ms > 10000 && left_ms <= 20000);
    CHECK_OK(telpher_reply(hub, asked_further.token, &TEXT("z"), NULL, NULL, NULL));
    expect_ok(hub, further);
    CHECK_OK(telpher_reply(hub, asked.token, &TEXT("z"), NULL, NULL, NULL));
    expect_ok(hub, id);
    CHECK_OK(telpher_events_release(&asked));
    CHECK_OK(telpher_events_release(&asked_further));
    CHECK_STATUS(telpher_request_remaining_ms(hub, asked.token, &left_ms), TELPHER_STALE);
    CHECK_OK(telpher_close(hub, 0));
}

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

TEST(a_call_whose_handler_is_silent_times_out_when_it_said) {
    telpher_hub hub = open_memory();
    telpher_call_options options = TELPHER_SIZED(telpher_call_options);
    telpher_id service = serve_waiting(hub, "silent", 1), id;
    double begun = now_ms();
    options.timeout_ms = check_limit_ms();
    CHECK_OK(telpher_call(hub, "silent", &TEXT("x"), &options, NULL, &id));
    telpher_event asked = request(hub, service);
    telpher_event event = outcome(hub, id);
    CHECK_ENDED_IN_TIME(event, TELPHER_TIMED_OUT);
    CHECK(event.maybe_executed);
    CHECK(now_ms() - begun >= (double)options.timeout_ms - 1);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_events_release(&asked));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_wait_that_is_over_before_its_ticket_leaves_the_ticket_open) {
    telpher_hub hub = open_memory();
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_id service = serve_waiting(hub, "later", 1), id;
    CHECK_OK(telpher_call(hub, "later", &TEXT("x"), NULL, NULL, &id));
    telpher_event asked = request(hub, service);
    CHECK_STATUS(telpher_wait(hub, id, 1, &event), TELPHER_PENDING);
    CHECK_EQUAL(event.batch, 0);
    CHECK_OK(telpher_reply(hub, asked.token, &TEXT("now"), NULL, NULL, NULL));
    CHECK_OK(telpher_events_release(&asked));
    event = outcome(hub, id);
    CHECK_BODY(event, "now");
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_full_line_is_busy) {
    telpher_hub hub = open_memory();
    telpher_serve_options options = TELPHER_SIZED(telpher_serve_options);
    telpher_id service, first, second;
    options.concurrency = 1;
    options.line_max = TELPHER_LINE_NONE;
    CHECK_OK(telpher_serve(hub, "narrow", &options, NULL, &service));
    telpher_event event = outcome(hub, service);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_call(hub, "narrow", &TEXT("1"), NULL, NULL, &first));
    telpher_event asked = request(hub, service);
    CHECK_OK(telpher_call(hub, "narrow", &TEXT("2"), NULL, NULL, &second));
    event = outcome(hub, second);
    CHECK_ENDED(event, TELPHER_BUSY);
    CHECK(!event.maybe_executed);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_reply(hub, asked.token, &TEXT("1"), NULL, NULL, NULL));
    CHECK_OK(telpher_events_release(&asked));
    expect_ok(hub, first);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(key_headers_priority_time_and_trace_travel_with_a_message) {
    telpher_hub hub = open_memory();
    telpher_id service = serve_waiting(hub, "properties", 1), id;
    telpher_header headers[] = {{"colour", "green", 5}, {"empty", NULL, 0}, {"colour", "red", 3}};
    telpher_message message = TEXT("body");
    const void *value;
    size_t size;
    message.key = "k1";
    message.key_size = 2;
    message.headers = headers;
    message.headers_count = 3;
    message.headers_stride = sizeof *headers;
    message.priority = 7;
    message.timestamp_ms = 1700000000123;
    memset(message.trace.trace_id, 0xab, sizeof message.trace.trace_id);
    message.trace.flags = 1;
    CHECK_OK(telpher_call(hub, "properties", &message, NULL, NULL, &id));
    telpher_event asked = request(hub, service);
    CHECK_BODY(asked, "body");
    CHECK(asked.key_size == 2 && memcmp(asked.key, "k1", 2) == 0);
    CHECK_EQUAL(asked.priority, 7);
    CHECK_EQUAL(asked.timestamp_ms, 1700000000123);
    CHECK(memcmp(&asked.trace, &message.trace, sizeof asked.trace) == 0);
    CHECK_OK(telpher_header_get(&asked, "colour", &value, &size));
    CHECK(size == 5 && memcmp(value, "green", 5) == 0);
    CHECK_OK(telpher_header_get(&asked, "empty", &value, &size));
    CHECK(size == 0 && value == NULL);
    CHECK_STATUS(telpher_header_get(&asked, "Colour", &value, &size), TELPHER_NOT_FOUND);
    CHECK_LAST_ERROR("Colour");
    CHECK_OK(telpher_reply(hub, asked.token, NULL, NULL, NULL, NULL));
    CHECK_OK(telpher_events_release(&asked));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_retained_message_outlives_its_batch_and_its_handle) {
    telpher_hub hub = open_memory();
    telpher_id service = serve_waiting(hub, "keep", 1), id;
    telpher_retained retained, again;
    telpher_message message = TEXT("to be kept");
    const void *value;
    size_t size;
    message.headers = &(telpher_header){"a", "b", 1};
    message.headers_count = 1;
    message.headers_stride = sizeof(telpher_header);
    CHECK_OK(telpher_call(hub, "keep", &message, NULL, NULL, &id));
    telpher_event asked = request(hub, service);
    CHECK_OK(telpher_message_retain(&asked, &retained));
    CHECK_STATUS(telpher_message_retain(&asked, &again), TELPHER_STALE);
    CHECK_OK(telpher_events_release(&asked));
    CHECK_OK(telpher_close(hub, 0));
    CHECK_BODY(asked, "to be kept");
    CHECK_OK(telpher_header_get(&asked, "a", &value, &size));
    CHECK(size == 1 && memcmp(value, "b", 1) == 0);
    CHECK_OK(telpher_message_release(retained));
    CHECK_STATUS(telpher_message_release(retained), TELPHER_STALE);
}

TEST(an_event_that_was_handed_over_outlives_its_handle) {
    telpher_hub hub = open_memory();
    struct reverser reverser;
    telpher_id id;
    reverser_start(&reverser, hub, "reverse", 1);
    CHECK_OK(telpher_call(hub, "reverse", &TEXT("stressed"), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_OK(telpher_close(hub, 0));
    CHECK(pthread_join(reverser.thread, NULL) == 0);
    CHECK_BODY(event, "desserts");
    CHECK_OK(telpher_events_release(&event));
}

TEST(a_detached_call_still_runs_and_ends_nowhere) {
    telpher_hub hub = open_memory();
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_id service = serve_waiting(hub, "detached", 1), id;
    CHECK_OK(telpher_call(hub, "detached", &TEXT("x"), NULL, NULL, &id));
    telpher_event asked = request(hub, service);
    CHECK_OK(telpher_detach(hub, id));
    CHECK_STATUS(telpher_wait(hub, id, 1, &event), TELPHER_STALE);
    CHECK_OK(telpher_reply(hub, asked.token, &TEXT("y"), NULL, NULL, NULL));
    CHECK_OK(telpher_events_release(&asked));
    CHECK_OK(telpher_close(hub, 0));
}

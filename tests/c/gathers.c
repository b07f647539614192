/* Gathers. */
#include "check.h"

static telpher_id gather(telpher_hub hub, const char *to, uint32_t kind, uint32_t count,
                         int64_t timeout_ms) {
    telpher_gather_options options = TELPHER_SIZED(telpher_gather_options);
    telpher_id id;
    options.kind = kind;
    options.count = count;
    options.timeout_ms = timeout_ms;
    CHECK_OK(telpher_gather(hub, to, &TEXT("?"), &options, NULL, &id));
    return id;
}

/* The token of the next request or message. */
static uint64_t asked(telpher_hub hub, telpher_id id, uint32_t kind) {
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, kind);
    CHECK_BODY(event, "?");
    uint64_t token = event.token;
    CHECK(token != 0);
    CHECK_OK(telpher_events_release(&event));
    return token;
}

static void answer(telpher_hub hub, uint64_t token, const char *text) {
    telpher_id id;
    CHECK_OK(telpher_reply(hub, token, &TEXT(text), NULL, NULL, &id));
    expect_ok(hub, id);
}

/* Takes the next answer and says whose it is. */
static uint64_t expect_answer(telpher_hub hub, telpher_id id, const char *text) {
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_ANSWER);
    CHECK_EQUAL(event.status, TELPHER_OK);
    CHECK_BODY(event, text);
    uint64_t instance = event.instance;
    CHECK_OK(telpher_events_release(&event));
    return instance;
}

static void expect_end(telpher_hub hub, telpher_id id, uint32_t answered, uint32_t failed) {
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_DONE);
    CHECK_EQUAL(event.status, TELPHER_OK);
    CHECK_EQUAL(event.answered, answered);
    CHECK_EQUAL(event.failed, failed);
    CHECK(event.missing == NULL && event.missing_count == 0);
    CHECK_OK(telpher_events_release(&event));
}

TEST(every_instance_answers_a_gather) {
    telpher_hub hub = open_memory();
    telpher_failure failure = TELPHER_SIZED(telpher_failure);
    telpher_id services[3], id, ticket;
    for (int at = 0; at < 3; at++) {
        services[at] = serve_waiting(hub, "prices", 1);
    }
    id = gather(hub, "prices", TELPHER_GATHER_SERVICE, 0, 0);
    answer(hub, asked(hub, services[0], TELPHER_EVENT_REQUEST), "one");
    answer(hub, asked(hub, services[1], TELPHER_EVENT_REQUEST), "two");
    failure.code = 7;
    failure.text = "none left";
    uint64_t token = asked(hub, services[2], TELPHER_EVENT_REQUEST);
    CHECK_OK(telpher_reply(hub, token, NULL, &failure, NULL, &ticket));
    expect_ok(hub, ticket);
    CHECK(expect_answer(hub, id, "one") != expect_answer(hub, id, "two"));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_ANSWER);
    CHECK_EQUAL(event.status, TELPHER_REMOTE);
    CHECK_EQUAL(event.code, 7);
    CHECK_CONTAINS(event.detail, "none left");
    CHECK_OK(telpher_events_release(&event));
    expect_end(hub, id, 2, 1);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_gather_says_who_did_not_answer_in_time_and_why) {
    telpher_hub hub = open_memory();
    telpher_id quick = serve_waiting(hub, "prices", 1), slow = serve_waiting(hub, "prices", 1);
    telpher_id id = gather(hub, "prices", TELPHER_GATHER_SERVICE, 0, check_limit_ms());
    uint64_t token = asked(hub, slow, TELPHER_EVENT_REQUEST);
    answer(hub, asked(hub, quick, TELPHER_EVENT_REQUEST), "one");
    uint64_t instance = expect_answer(hub, id, "one");
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.status, TELPHER_OK);
    CHECK_EQUAL(event.answered, 1);
    CHECK_EQUAL(event.missing_count, 1);
    CHECK(event.missing[0].instance != instance && event.missing[0].instance != 0);
    CHECK_EQUAL(event.missing[0].status, TELPHER_TIMED_OUT);
    CHECK(event.missing[0].maybe_executed);
    CHECK_CONTAINS(event.missing[0].detail, "time ran out");
    CHECK_OK(telpher_events_release(&event));
    bool cancelled = false;
    CHECK_OK(telpher_request_cancelled(hub, token, &cancelled));
    CHECK(cancelled);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(enough_answers_end_a_gather_and_take_the_rest_back) {
    telpher_hub hub = open_memory();
    telpher_id one = serve_waiting(hub, "prices", 1), two = serve_waiting(hub, "prices", 1);
    telpher_id id = gather(hub, "prices", TELPHER_GATHER_SERVICE, 1, 0);
    answer(hub, asked(hub, one, TELPHER_EVENT_REQUEST), "first");
    expect_answer(hub, id, "first");
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.missing_count, 1);
    CHECK_EQUAL(event.missing[0].status, TELPHER_CANCELLED);
    CHECK_OK(telpher_events_release(&event));
    asked(hub, two, TELPHER_EVENT_REQUEST);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(subscribers_of_a_topic_answer_what_is_gathered) {
    telpher_hub hub = open_memory();
    telpher_id subscriber, id;
    expect_end(hub, gather(hub, "who", TELPHER_GATHER_TOPIC, 0, 0), 0, 0);
    CHECK_OK(telpher_subscribe(hub, "*", NULL, NULL, &subscriber));
    telpher_event event = outcome(hub, subscriber);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    id = gather(hub, "who", TELPHER_GATHER_TOPIC, 0, 0);
    uint64_t token = asked(hub, subscriber, TELPHER_EVENT_PUBLISHED);
    answer(hub, token, "me");
    expect_answer(hub, id, "me");
    expect_end(hub, id, 1, 0);
    bool cancelled;
    CHECK_STATUS(telpher_request_cancelled(hub, token, &cancelled), TELPHER_STALE);
    CHECK_OK(telpher_publish(hub, "who", &TEXT("!"), NULL, NULL, &id));
    expect_ok(hub, id);
    event = outcome(hub, subscriber);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_PUBLISHED);
    CHECK_EQUAL(event.token, 0);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_gather_that_is_cancelled_or_detached_reaches_its_handlers) {
    telpher_hub hub = open_memory();
    telpher_id service = serve_waiting(hub, "prices", 2);
    for (int at = 0; at < 2; at++) {
        telpher_id id = gather(hub, "prices", TELPHER_GATHER_SERVICE, 0, 0);
        uint64_t token = asked(hub, service, TELPHER_EVENT_REQUEST);
        bool cancelled = false;
        CHECK_OK(at == 0 ? telpher_cancel(hub, id) : telpher_detach(hub, id));
        expect_ended(hub, id, TELPHER_CANCELLED);
        while (!cancelled) {
            CHECK_OK(telpher_request_cancelled(hub, token, &cancelled));
        }
    }
    CHECK_OK(telpher_close(hub, 0));
}

static int answers_seen;

static void count_answers(const telpher_event *event, uint64_t user) {
    if (event->kind == TELPHER_EVENT_ANSWER) {
        answers_seen++;
    } else if (event->kind == TELPHER_EVENT_DONE) {
        __atomic_store_n((int *)(uintptr_t)user, (int)event->answered, __ATOMIC_SEQ_CST);
    }
}

TEST(a_callback_or_a_poll_takes_the_answers_before_the_end) {
    telpher_hub hub = open_memory();
    telpher_done done = TELPHER_SIZED(telpher_done);
    struct reverser reversers[3];
    telpher_event events[8];
    static int answered;
    size_t count, seen = 0;
    telpher_id id;
    for (int at = 0; at < 3; at++) {
        reverser_start(&reversers[at], hub, "words", 1);
    }
    done.kind = TELPHER_DONE_CALLBACK;
    done.fn = count_answers;
    done.user = (uint64_t)(uintptr_t)&answered;
    CHECK_OK(telpher_gather(hub, "words", &TEXT("abc"), NULL, &done, &id));
    while (__atomic_load_n(&answered, __ATOMIC_SEQ_CST) == 0) {
    }
    CHECK_EQUAL(answered, 3);
    CHECK_EQUAL(answers_seen, 3);
    done.kind = TELPHER_DONE_EVENT;
    done.fn = NULL;
    CHECK_OK(telpher_gather(hub, "words", &TEXT("abc"), NULL, &done, &id));
    for (bool is_over = false; !is_over;) {
        CHECK_OK(telpher_poll(hub, events, sizeof *events, 8, &count, TELPHER_FOREVER));
        for (size_t at = 0; at < count; at++) {
            is_over = events[at].kind == TELPHER_EVENT_DONE;
            seen += events[at].kind == TELPHER_EVENT_ANSWER;
            CHECK(!is_over || seen == 3);
        }
        CHECK_OK(telpher_events_release(events));
    }
    for (int at = 0; at < 3; at++) {
        reverser_stop(&reversers[at]);
    }
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_wrong_gather_is_refused_with_what_is_wrong) {
    telpher_hub hub = open_memory();
    telpher_gather_options options = TELPHER_SIZED(telpher_gather_options);
    telpher_message message = TEXT("x");
    telpher_id id;
    options.kind = 2;
    CHECK_STATUS(telpher_gather(hub, "a", &message, &options, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("kind is 2");
    options.kind = TELPHER_GATHER_TOPIC;
    CHECK_STATUS(telpher_gather(hub, "a..b", &message, &options, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("empty segment");
    options.count = 4097;
    CHECK_STATUS(telpher_gather(hub, "a", &message, &options, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("count is 4097; allowed are 0 to 4096");
    options.count = 0;
    options.timeout_ms = TELPHER_FOREVER;
    CHECK_STATUS(telpher_gather(hub, "a", &message, &options, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("time limit");
    CHECK_STATUS(telpher_gather(hub, NULL, &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_gather(hub, "a", NULL, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_gather(hub, "a", &message, NULL, NULL, NULL), TELPHER_INVALID);
    CHECK_LAST_ERROR("events will arrive");
    CHECK_OK(telpher_gather(hub, "nobody", &message, NULL, NULL, &id));
    expect_ended(hub, id, TELPHER_NO_SERVICE);
    CHECK_OK(telpher_close(hub, 0));
}

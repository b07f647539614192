/* What instances and subscribers call themselves, as whoever gathers sees it. */
#include <stddef.h>

#include "check.h"

static telpher_id expect_started(telpher_hub hub, telpher_id id) {
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    return id;
}

static telpher_id serve_as(telpher_hub hub, const char *name) {
    telpher_serve_options options = TELPHER_SIZED(telpher_serve_options);
    telpher_id id;
    options.instance_name = name;
    CHECK_OK(telpher_serve(hub, "prices", &options, NULL, &id));
    return expect_started(hub, id);
}

static telpher_id subscribe_as(telpher_hub hub, const char *name) {
    telpher_subscribe_options options = TELPHER_SIZED(telpher_subscribe_options);
    telpher_id id;
    options.instance_name = name;
    CHECK_OK(telpher_subscribe(hub, "prices", &options, NULL, &id));
    return expect_started(hub, id);
}

/* Asks all until `count` have answered. */
static telpher_id gather(telpher_hub hub, uint32_t kind, uint32_t count) {
    telpher_gather_options options = TELPHER_SIZED(telpher_gather_options);
    telpher_id id;
    options.kind = kind;
    options.count = count;
    CHECK_OK(telpher_gather(hub, "prices", &TEXT("?"), &options, NULL, &id));
    return id;
}

/* Answers the next request or message, or says that the handler failed. */
static void answer(telpher_hub hub, telpher_id id, const telpher_failure *failure) {
    telpher_event event = outcome(hub, id);
    telpher_id ticket;
    CHECK(event.token != 0);
    CHECK_OK(telpher_reply(hub, event.token, failure ? NULL : &TEXT("!"), failure, NULL, &ticket));
    expect_ok(hub, ticket);
    CHECK_OK(telpher_events_release(&event));
}

static void expect_answer(telpher_hub hub, telpher_id id, telpher_status status,
                          const char *name) {
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_ANSWER);
    CHECK_EQUAL(event.status, status);
    CHECK(name ? strcmp(event.instance_name, name) == 0 : event.instance_name == NULL);
    CHECK(event.missing == NULL);
    CHECK_OK(telpher_events_release(&event));
}

TEST(answers_carry_what_the_instance_calls_itself_and_null_if_it_does_not_say) {
    telpher_hub hub = open_memory();
    telpher_failure failure = TELPHER_SIZED(telpher_failure);
    telpher_id berlin = serve_as(hub, "berlin-1"), nameless = serve_as(hub, NULL);
    telpher_id oslo = serve_as(hub, "oslo");
    telpher_id id = gather(hub, TELPHER_GATHER_SERVICE, 0);
    answer(hub, berlin, NULL);
    answer(hub, nameless, NULL);
    answer(hub, oslo, &failure);
    expect_answer(hub, id, TELPHER_OK, "berlin-1");
    expect_answer(hub, id, TELPHER_OK, NULL);
    expect_answer(hub, id, TELPHER_REMOTE, "oslo");
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.answered, 2);
    CHECK(event.missing == NULL && event.instance_name == NULL);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(each_that_did_not_answer_has_its_name_in_the_same_place) {
    telpher_hub hub = open_memory();
    telpher_id first = serve_as(hub, "berlin");
    serve_as(hub, "oslo");
    serve_as(hub, NULL);
    serve_as(hub, "oslo");
    telpher_id id = gather(hub, TELPHER_GATHER_SERVICE, 1);
    answer(hub, first, NULL);
    expect_answer(hub, id, TELPHER_OK, "berlin");
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.missing_count, 3);
    CHECK(strcmp(event.missing[0].instance_name, "oslo") == 0);
    CHECK(event.missing[1].instance_name == NULL);
    CHECK(strcmp(event.missing[2].instance_name, "oslo") == 0);
    CHECK(event.missing[0].instance != event.missing[2].instance);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(subscribers_answer_under_their_names) {
    telpher_hub hub = open_memory();
    telpher_id berlin = subscribe_as(hub, "berlin");
    subscribe_as(hub, "oslo");
    telpher_id id = gather(hub, TELPHER_GATHER_TOPIC, 1);
    answer(hub, berlin, NULL);
    expect_answer(hub, id, TELPHER_OK, "berlin");
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.missing_count, 1);
    CHECK(strcmp(event.missing[0].instance_name, "oslo") == 0);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(an_instance_of_an_older_program_has_no_name) {
    telpher_hub hub = open_memory();
    telpher_serve_options options = TELPHER_SIZED(telpher_serve_options);
    telpher_id service;
    options.size = offsetof(telpher_serve_options, instance_name);
    options.instance_name = "unseen";
    CHECK_OK(telpher_serve(hub, "prices", &options, NULL, &service));
    expect_started(hub, service);
    telpher_id id = gather(hub, TELPHER_GATHER_SERVICE, 0);
    answer(hub, service, NULL);
    expect_answer(hub, id, TELPHER_OK, NULL);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_name_that_is_none_is_refused_with_what_is_wrong) {
    telpher_hub hub = open_memory();
    telpher_serve_options serving = TELPHER_SIZED(telpher_serve_options);
    telpher_subscribe_options subscribing = TELPHER_SIZED(telpher_subscribe_options);
    telpher_id id;
    serving.instance_name = "rack 4";
    CHECK_STATUS(telpher_serve(hub, "a", &serving, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("instance_name: the name \"rack 4\" has ' ' at byte 4");
    subscribing.instance_name = "";
    CHECK_STATUS(telpher_subscribe(hub, "a", &subscribing, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("instance_name: a name is empty");
    CHECK_OK(telpher_close(hub, 0));
}

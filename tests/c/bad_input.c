/* Wrong arguments: each gets a clear error with limit and value, and everything else goes on. */
#include "check.h"

static void refused_url(const char *url, telpher_status expected) {
    telpher_hub hub = 7;
    telpher_id id = 7;
    telpher_status status = telpher_open(url, NULL, NULL, &hub, &id);
    if (status != expected) {
        check_fail(__FILE__, __LINE__, "opening \"%s\" is %s, not %s", url,
                   telpher_status_name(status), telpher_status_name(expected));
    }
    CHECK_EQUAL(hub, 0);
    CHECK_EQUAL(id, 0);
    CHECK(strlen(telpher_last_error()) > strlen(telpher_status_name(expected)) + 2);
}

TEST(a_wrong_url_is_refused_in_words) {
    refused_url("", TELPHER_INVALID);
    refused_url("nonsense://x", TELPHER_INVALID);
    CHECK_LAST_ERROR("nonsense");
    refused_url("mem://", TELPHER_INVALID);
    refused_url("tcp://127.0.0.1", TELPHER_INVALID);
    refused_url("tcp://127.0.0.1:99999", TELPHER_INVALID);
    CHECK_LAST_ERROR("99999");
    refused_url("unix://", TELPHER_INVALID);
    refused_url("\xff\xfe", TELPHER_INVALID);
    CHECK_LAST_ERROR("UTF-8");
    refused_url("nats://127.0.0.1:4222", TELPHER_UNSUPPORTED);
}

TEST(a_handle_without_a_place_to_store_it_is_refused) {
    telpher_id id;
    CHECK_STATUS(telpher_open(fresh_memory_url(), NULL, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("hub_out");
}

static const char *too_long(void) {
    static char name[257];
    memset(name, 'n', 256);
    return name;
}

/* Each name is refused by each function that takes one. */
static void refused_name(telpher_hub hub, const char *name, telpher_status expected,
                         const char *words) {
    telpher_id id = 7;
    telpher_message message = TEXT("x");
    CHECK_STATUS(telpher_call(hub, name, &message, NULL, NULL, &id), expected);
    CHECK_LAST_ERROR(words);
    CHECK_EQUAL(id, 0);
    CHECK_STATUS(telpher_serve(hub, name, NULL, NULL, &id), expected);
    CHECK_STATUS(telpher_declare(hub, name, NULL, NULL, &id), expected);
    CHECK_STATUS(telpher_delete(hub, name, NULL, &id), expected);
    CHECK_STATUS(telpher_purge(hub, name, NULL, &id), expected);
    CHECK_STATUS(telpher_inspect(hub, name, NULL, &id), expected);
    CHECK_STATUS(telpher_send(hub, name, &message, NULL, NULL, &id), expected);
    CHECK_STATUS(telpher_receive(hub, name, NULL, NULL, &id), expected);
    CHECK_STATUS(telpher_consume(hub, name, NULL, NULL, &id), expected);
    CHECK_LAST_ERROR(words);
}

TEST(a_wrong_name_is_refused_with_limit_and_value) {
    telpher_hub hub = open_memory();
    refused_name(hub, "", TELPHER_INVALID, "1 to 255");
    refused_name(hub, NULL, TELPHER_INVALID, "NULL");
    refused_name(hub, "a/b", TELPHER_INVALID, "'/' at byte 1");
    refused_name(hub, "na\xc3\xafve", TELPHER_INVALID, "at byte 2");
    refused_name(hub, "\xc3", TELPHER_INVALID, "UTF-8");
    refused_name(hub, too_long(), TELPHER_TOO_LARGE, "256 bytes; at most 255");
    declare_queue(hub, "goes-on");
    CHECK_OK(telpher_close(hub, 0));
}

TEST(an_oversized_body_key_or_header_is_refused_with_limit_and_value) {
    enum { BODY_MAX = 8 * 1024 * 1024 };
    telpher_hub hub = open_memory();
    telpher_message message = TELPHER_SIZED(telpher_message);
    telpher_header header = {"name", NULL, 65537};
    char *large = calloc(1, BODY_MAX + 1);
    telpher_id id;
    declare_queue(hub, "jobs");
    message.body = large;
    message.body_size = BODY_MAX + 1;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_TOO_LARGE);
    CHECK_LAST_ERROR("8388609 bytes; at most 8388608");
    CHECK_STATUS(telpher_call(hub, "x", &message, NULL, NULL, &id), TELPHER_TOO_LARGE);
    CHECK_STATUS(telpher_reply(hub, 1, &message, NULL, NULL, NULL), TELPHER_TOO_LARGE);
    message.body_size = SIZE_MAX;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_TOO_LARGE);
    message.body_size = 0;
    message.key = large;
    message.key_size = 1025;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_TOO_LARGE);
    CHECK_LAST_ERROR("1025 bytes; at most 1024");
    message.key_size = 0;
    header.value = large;
    message.headers = &header;
    message.headers_count = 1;
    message.headers_stride = sizeof header;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_TOO_LARGE);
    CHECK_LAST_ERROR("65537");
    header.value_size = 1;
    header.name = too_long();
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_TOO_LARGE);
    header.name = "";
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_INVALID);
    message.headers_count = 0;
    message.body_size = BODY_MAX;
    CHECK_OK(telpher_send(hub, "jobs", &message, NULL, NULL, &id));
    expect_ok(hub, id);
    telpher_event job = receive_one(hub, "jobs");
    CHECK_EQUAL(job.body_size, BODY_MAX);
    CHECK_OK(telpher_events_release(&job));
    free(large);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(many_headers_that_are_too_large_together_are_refused) {
    enum { MANY = 3 };
    telpher_hub hub = open_memory();
    static char value[30000];
    telpher_header headers[MANY];
    telpher_message message = TEXT("x");
    telpher_id id;
    for (int at = 0; at < MANY; at++) {
        headers[at] = (telpher_header){"name", value, sizeof value};
    }
    message.headers = headers;
    message.headers_count = MANY;
    message.headers_stride = sizeof *headers;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_TOO_LARGE);
    CHECK_LAST_ERROR("65536");
    message.headers_stride = 3;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("headers_stride is 3");
    message.headers = NULL;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_struct_of_a_wrong_size_is_refused) {
    telpher_hub hub = open_memory();
    telpher_call_options options = TELPHER_SIZED(telpher_call_options);
    telpher_message message = TEXT("x");
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_counters counters = TELPHER_SIZED(telpher_counters);
    telpher_id id;
    size_t count;
    options.size = 0;
    CHECK_STATUS(telpher_call(hub, "a", &message, &options, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("sizeof(telpher_call_options)");
    options.size = SIZE_MAX;
    CHECK_STATUS(telpher_call(hub, "a", &message, &options, NULL, &id), TELPHER_INVALID);
    message.size = 4;
    CHECK_STATUS(telpher_call(hub, "a", &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("telpher_message");
    event.size = 12;
    CHECK_STATUS(telpher_wait(hub, 1, 1, &event), TELPHER_INVALID);
    CHECK_LAST_ERROR("12");
    CHECK_STATUS(telpher_poll(hub, &event, 9, 1, &count, 0), TELPHER_INVALID);
    CHECK_LAST_ERROR("stride is 9");
    CHECK_STATUS(telpher_poll(hub, &event, sizeof event, 0, &count, 0), TELPHER_INVALID);
    counters.size = 1;
    CHECK_STATUS(telpher_stats(hub, &counters), TELPHER_INVALID);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_shorter_struct_of_an_older_program_means_the_defaults) {
    telpher_hub hub = open_memory();
    telpher_consume_options options = TELPHER_SIZED(telpher_consume_options);
    telpher_id id;
    declare_queue(hub, "jobs");
    options.size = offsetof(telpher_consume_options, prefetch);
    options.prefetch = 1000000;
    CHECK_OK(telpher_consume(hub, "jobs", &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_longer_struct_of_a_newer_program_is_fine_until_it_sets_what_is_unknown_here) {
    struct {
        telpher_send_options known;
        uint64_t newer[4];
    } options = {.known = {.size = sizeof options}};
    telpher_hub hub = open_memory();
    telpher_message message = TEXT("x");
    telpher_id id;
    declare_queue(hub, "jobs");
    CHECK_OK(telpher_send(hub, "jobs", &message, &options.known, NULL, &id));
    expect_ok(hub, id);
    options.newer[3] = 1;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, &options.known, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("does not know");
    CHECK_OK(telpher_close(hub, 0));
}

TEST(events_of_an_older_program_are_written_no_further_than_it_knows) {
    enum { OLDER = offsetof(telpher_event, body) };
    telpher_hub hub = open_memory();
    char room[2 * OLDER];
    telpher_event *event = (telpher_event *)(void *)room;
    telpher_id id;
    CHECK(OLDER % 8 == 0);
    memset(room, 0x55, sizeof room);
    event->size = OLDER;
    CHECK_OK(telpher_call(hub, "nobody", &TEXT("x"), NULL, NULL, &id));
    CHECK_OK(telpher_wait(hub, id, 0, event));
    CHECK_EQUAL(event->size, OLDER);
    CHECK_EQUAL(event->status, TELPHER_NO_SERVICE);
    for (size_t at = OLDER; at < sizeof room; at++) {
        CHECK_EQUAL(room[at], 0x55);
    }
    CHECK_OK(telpher_events_release(event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(an_unknown_value_of_an_option_is_refused_with_what_is_allowed) {
    telpher_hub hub = open_memory(), other;
    telpher_open_options opening = TELPHER_SIZED(telpher_open_options);
    telpher_serve_options serving = TELPHER_SIZED(telpher_serve_options);
    telpher_consume_options consuming = TELPHER_SIZED(telpher_consume_options);
    telpher_declare_options declaring = TELPHER_SIZED(telpher_declare_options);
    telpher_call_options calling = TELPHER_SIZED(telpher_call_options);
    telpher_message message = TEXT("x");
    telpher_id id;
    opening.drive = 3;
    CHECK_STATUS(telpher_open("mem://x", &opening, NULL, &other, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("drive is 3; allowed are 0, 1, 2");
    opening.drive = 0;
    opening.host = 7;
    CHECK_STATUS(telpher_open("mem://x", &opening, NULL, &other, &id), TELPHER_INVALID);
    opening.host = 0;
    opening.in_flight_max = 65537;
    CHECK_STATUS(telpher_open("mem://x", &opening, NULL, &other, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("65537");
    opening.in_flight_max = 0;
    opening.timeout_ms = -2;
    CHECK_STATUS(telpher_open("mem://x", &opening, NULL, &other, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("timeout_ms is -2");
    serving.concurrency = 65537;
    CHECK_STATUS(telpher_serve(hub, "a", &serving, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("concurrency is 65537; allowed are 1 to 65536");
    consuming.prefetch = 65537;
    CHECK_STATUS(telpher_consume(hub, "a", &consuming, NULL, &id), TELPHER_INVALID);
    declaring.durability = 4;
    CHECK_STATUS(telpher_declare(hub, "a", &declaring, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("durability is 4");
    declaring.durability = 0;
    declaring.overflow = 2;
    CHECK_STATUS(telpher_declare(hub, "a", &declaring, NULL, &id), TELPHER_INVALID);
    calling.timeout_ms = INT64_MAX;
    CHECK_STATUS(telpher_call(hub, "a", &message, &calling, NULL, &id), TELPHER_INVALID);
    message.priority = 256;
    CHECK_STATUS(telpher_call(hub, "a", &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("priority is 256; allowed are 0 to 255");
    CHECK_STATUS(telpher_settle(hub, 1, 5, NULL, NULL, NULL), TELPHER_INVALID);
    CHECK_LAST_ERROR("verdict is 5");
    CHECK_STATUS(telpher_close(hub, TELPHER_FOREVER), TELPHER_INVALID);
    CHECK_LAST_ERROR("bounded");
    CHECK_OK(telpher_close(hub, 0));
}

static void never_called(const telpher_event *event, uint64_t user) {
    check_fail(__FILE__, __LINE__, "called with kind %u, user %d", (unsigned)event->kind,
               (int)user);
}

TEST(a_destination_that_makes_no_sense_is_refused) {
    telpher_hub hub = open_memory();
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_message message = TEXT("x");
    telpher_open_options opening = TELPHER_SIZED(telpher_open_options);
    telpher_hub other;
    telpher_id id;
    CHECK_STATUS(telpher_call(hub, "a", &message, NULL, &done, NULL), TELPHER_INVALID);
    CHECK_LAST_ERROR("id_out is NULL");
    done.kind = 4;
    CHECK_STATUS(telpher_call(hub, "a", &message, NULL, &done, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("allowed are 0 to 3");
    done.kind = TELPHER_DONE_CALLBACK;
    CHECK_STATUS(telpher_call(hub, "a", &message, NULL, &done, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("fn is NULL");
    done.kind = TELPHER_DONE_EVENT;
    done.fn = never_called;
    CHECK_STATUS(telpher_call(hub, "a", &message, NULL, &done, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("fn is set");
    done = TELPHER_SIZED(telpher_done);
    done.kind = TELPHER_DONE_NONE;
    CHECK_STATUS(telpher_serve(hub, "a", NULL, &done, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_consume(hub, "a", NULL, NULL, NULL), TELPHER_INVALID);
    done.kind = TELPHER_DONE_WAIT;
    opening.notices = &done;
    CHECK_STATUS(telpher_open("mem://x", &opening, NULL, &other, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("notices");
    CHECK_OK(telpher_close(hub, 0));
}

TEST(every_out_pointer_is_refused_if_null) {
    telpher_hub hub = open_memory();
    telpher_event event = TELPHER_SIZED(telpher_event);
    size_t count;
    const void *value;
    CHECK_STATUS(telpher_poll(hub, NULL, sizeof event, 1, &count, 0), TELPHER_INVALID);
    CHECK_STATUS(telpher_poll(hub, &event, sizeof event, 1, NULL, 0), TELPHER_INVALID);
    CHECK_STATUS(telpher_wait(hub, 1, 1, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_fd(hub, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_stats(hub, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_capabilities(hub, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_request_cancelled(hub, 1, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_request_remaining_ms(hub, 1, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_message_retain(&event, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_header_get(&event, "a", &value, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_header_get(&event, NULL, &value, &count), TELPHER_INVALID);
    CHECK_STATUS(telpher_send(hub, "a", NULL, NULL, NULL, NULL), TELPHER_INVALID);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(an_id_or_token_that_names_nothing_is_refused) {
    telpher_hub hub = open_memory();
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_id id;
    bool cancelled;
    CHECK_STATUS(telpher_wait(hub, 987654321, 1, &event), TELPHER_STALE);
    CHECK_STATUS(telpher_cancel(hub, 987654321), TELPHER_STALE);
    CHECK_STATUS(telpher_detach(hub, 987654321), TELPHER_STALE);
    CHECK_STATUS(telpher_request_cancelled(hub, 987654321, &cancelled), TELPHER_STALE);
    CHECK_OK(telpher_credit(hub, 987654321, 1, NULL, &id));
    expect_ended(hub, id, TELPHER_STALE);
    CHECK_OK(telpher_settle(hub, 987654321, TELPHER_ACKNOWLEDGE, NULL, NULL, &id));
    expect_ended(hub, id, TELPHER_LEASE_LOST);
    CHECK_OK(telpher_reply(hub, 987654321, NULL, NULL, NULL, &id));
    expect_ended(hub, id, TELPHER_LEASE_LOST);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(an_address_beyond_loopback_is_refused_without_permission) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    const char *listen[] = {"tcp://0.0.0.0:0"};
    telpher_hub hub;
    options.listen = listen;
    options.listen_count = 1;
    CHECK_STATUS(telpher_open(fresh_memory_url(), &options, NULL, &hub, NULL), TELPHER_REFUSED);
    CHECK_LAST_ERROR("insecure");
    options.listen = NULL;
    CHECK_STATUS(telpher_open(fresh_memory_url(), &options, NULL, &hub, NULL), TELPHER_INVALID);
    CHECK_LAST_ERROR("listen is NULL");
}

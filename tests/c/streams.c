/* Streams. */
#include "check.h"

static void declare_stream(telpher_hub hub, const char *stream, uint32_t partitions,
                           uint64_t records_max) {
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    telpher_id id;
    options.partitions = partitions;
    options.records_max = records_max;
    CHECK_OK(telpher_stream_declare(hub, stream, &options, NULL, &id));
    expect_ok(hub, id);
}

static void append_text(telpher_hub hub, const char *stream, const char *text, uint64_t offset) {
    telpher_id id;
    CHECK_OK(telpher_append(hub, stream, &TEXT(text), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.partition, 0);
    CHECK_EQUAL(event.offset, offset);
    CHECK_OK(telpher_events_release(&event));
}

static void append_numbers(telpher_hub hub, const char *stream, int from, int to) {
    char text[12];
    for (int at = from; at < to; at++) {
        snprintf(text, sizeof text, "%d", at);
        append_text(hub, stream, text, (uint64_t)at);
    }
}

static telpher_id read_from(telpher_hub hub, const char *stream, uint32_t start, uint64_t start_at,
                            uint32_t follow) {
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_id id;
    options.start = start;
    options.start_at = start_at;
    options.follow = follow;
    CHECK_OK(telpher_read(hub, stream, &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    return id;
}

static uint64_t expect_record(telpher_hub hub, telpher_id reader, uint64_t offset,
                              const char *body) {
    telpher_event event = outcome(hub, reader);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_RECORD);
    CHECK_EQUAL(event.partition, 0);
    CHECK_EQUAL(event.offset, offset);
    CHECK_BODY(event, body);
    CHECK(event.time_ms > 0 && event.token == 0);
    CHECK_OK(telpher_events_release(&event));
    return event.time_ms;
}

static void expect_numbers(telpher_hub hub, telpher_id reader, int from, int to) {
    char text[12];
    for (int at = from; at < to; at++) {
        snprintf(text, sizeof text, "%d", at);
        expect_record(hub, reader, (uint64_t)at, text);
    }
}

TEST(what_is_appended_is_read_in_order_and_the_reader_ends_where_the_stream_ended) {
    telpher_hub hub = open_memory();
    declare_stream(hub, "log", 0, 0);
    append_numbers(hub, "log", 0, 20);
    telpher_id first = read_from(hub, "log", TELPHER_START_BEGINNING, 0, 0), second;
    expect_numbers(hub, first, 0, 20);
    expect_ok(hub, first);
    CHECK_OK(telpher_read(hub, "log", NULL, NULL, &second));
    telpher_event event = outcome(hub, second);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    expect_numbers(hub, second, 0, 20);
    expect_ok(hub, second);
    event = TELPHER_SIZED(telpher_event);
    CHECK_STATUS(telpher_wait(hub, second, 1, &event), TELPHER_STALE);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_reader_begins_where_it_is_told_and_follows_until_it_is_detached) {
    telpher_hub hub = open_memory();
    telpher_event event = TELPHER_SIZED(telpher_event);
    declare_stream(hub, "log", 1, 0);
    append_numbers(hub, "log", 0, 5);
    telpher_id all = read_from(hub, "log", TELPHER_START_BEGINNING, 0, 1);
    telpher_id end = read_from(hub, "log", TELPHER_START_END, 0, 1);
    telpher_id third = read_from(hub, "log", TELPHER_START_OFFSET, 3, 1);
    telpher_id next = read_from(hub, "log", TELPHER_START_OFFSET, 5, 1);
    telpher_id late = read_from(hub, "log", TELPHER_START_TIME, UINT64_MAX, 1);
    expect_numbers(hub, all, 0, 4);
    uint64_t time_ms = expect_record(hub, all, 4, "4");
    append_numbers(hub, "log", 5, 8);
    expect_numbers(hub, all, 5, 8);
    expect_numbers(hub, end, 5, 8);
    expect_numbers(hub, third, 3, 8);
    expect_numbers(hub, next, 5, 8);
    expect_numbers(hub, late, 5, 8);
    telpher_id early = read_from(hub, "log", TELPHER_START_TIME, 1, 0);
    expect_numbers(hub, early, 0, 8);
    expect_ok(hub, early);
    telpher_id timed = read_from(hub, "log", TELPHER_START_TIME, time_ms, 0);
    event = outcome(hub, timed);
    CHECK(event.kind == TELPHER_EVENT_RECORD && event.offset <= 4 && event.time_ms >= time_ms);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_detach(hub, all));
    append_numbers(hub, "log", 8, 9);
    expect_ok(hub, all);
    CHECK_STATUS(telpher_wait(hub, all, 1, &event), TELPHER_STALE);
    expect_numbers(hub, end, 8, 9);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_record_keeps_its_properties_and_outlives_its_batch_of_events_if_retained) {
    telpher_hub hub = open_memory();
    telpher_header header = {"lang", "en", 2};
    telpher_message message = TEXT("hello");
    telpher_retained retained;
    telpher_id id;
    const void *value;
    size_t size;
    declare_stream(hub, "log", 1, 0);
    message.key = "k";
    message.key_size = 1;
    message.headers = &header;
    message.headers_count = 1;
    message.headers_stride = sizeof header;
    message.priority = 7;
    message.timestamp_ms = 12345;
    message.trace.trace_id[0] = 9;
    message.trace.flags = 1;
    CHECK_OK(telpher_append(hub, "log", &message, NULL, NULL, &id));
    expect_ok(hub, id);
    telpher_id reader = read_from(hub, "log", TELPHER_START_BEGINNING, 0, 0);
    telpher_event event = outcome(hub, reader);
    CHECK_OK(telpher_message_retain(&event, &retained));
    CHECK_OK(telpher_events_release(&event));
    CHECK_BODY(event, "hello");
    CHECK(event.key_size == 1 && memcmp(event.key, "k", 1) == 0);
    CHECK_OK(telpher_header_get(&event, "lang", &value, &size));
    CHECK(size == 2 && memcmp(value, "en", 2) == 0);
    CHECK_EQUAL(event.priority, 7);
    CHECK_EQUAL(event.timestamp_ms, 12345);
    CHECK(event.trace.trace_id[0] == 9 && event.trace.flags == 1);
    CHECK_OK(telpher_message_release(retained));
    CHECK_OK(telpher_close(hub, 0));
}

/* Appends, and gives the partition. */
static uint32_t append_to(telpher_hub hub, const char *key, const telpher_append_options *options) {
    telpher_message message = TEXT("x");
    telpher_id id;
    message.key = key;
    message.key_size = key == NULL ? 0 : strlen(key);
    CHECK_OK(telpher_append(hub, "log", &message, options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.durability, TELPHER_DURABILITY_MEMORY);
    CHECK_OK(telpher_events_release(&event));
    return event.partition;
}

TEST(a_key_has_one_partition_and_one_can_be_stated_and_read_alone) {
    telpher_hub hub = open_memory();
    telpher_append_options to = TELPHER_SIZED(telpher_append_options);
    telpher_read_options from = TELPHER_SIZED(telpher_read_options);
    telpher_id reader;
    uint32_t kinds[3] = {0};
    declare_stream(hub, "log", 8, 0);
    uint32_t own = append_to(hub, "a", NULL);
    for (int at = 0; at < 5; at++) {
        CHECK_EQUAL(append_to(hub, "a", NULL), own);
    }
    to.has_partition = 1;
    to.partition = (own + 1) % 8;
    CHECK_EQUAL(append_to(hub, "a", &to), to.partition);
    from.has_partition = 1;
    from.partition = own;
    CHECK_OK(telpher_read(hub, "log", &from, NULL, &reader));
    while (kinds[2] == 0) {
        telpher_event event = outcome(hub, reader);
        if (event.kind == TELPHER_EVENT_RECORD) {
            CHECK_EQUAL(event.partition, own);
            CHECK_EQUAL(event.offset, kinds[1]);
        }
        kinds[event.kind == TELPHER_EVENT_RECORD ? 1 : event.kind == TELPHER_EVENT_DONE ? 2 : 0]++;
        CHECK_OK(telpher_events_release(&event));
    }
    CHECK(kinds[0] == 1 && kinds[1] == 6);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(an_append_that_expects_another_offset_is_a_conflict_and_appends_nothing) {
    telpher_hub hub = open_memory();
    telpher_append_options options = TELPHER_SIZED(telpher_append_options);
    telpher_id id;
    declare_stream(hub, "log", 1, 0);
    options.has_expect = 1;
    CHECK_EQUAL(append_to(hub, NULL, &options), 0);
    CHECK_OK(telpher_append(hub, "log", &TEXT("x"), &options, NULL, &id));
    expect_words(hub, id, TELPHER_CONFLICT, "offset 0 is expected; the next one is 1");
    options.expect = 1;
    CHECK_EQUAL(append_to(hub, NULL, &options), 0);
    append_text(hub, "log", "third", 2);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(what_the_limits_have_taken_is_out_of_range_and_the_text_tells_what_there_is) {
    telpher_hub hub = open_memory();
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_id slow, id;
    declare_stream(hub, "log", 1, 3);
    options.follow = 1;
    options.buffer = 1;
    CHECK_OK(telpher_read(hub, "log", &options, NULL, &slow));
    telpher_event event = outcome(hub, slow);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    append_numbers(hub, "log", 0, 10);
    options = TELPHER_SIZED(telpher_read_options);
    options.start = TELPHER_START_OFFSET;
    options.start_at = 6;
    CHECK_OK(telpher_read(hub, "log", &options, NULL, &id));
    expect_words(hub, id, TELPHER_OUT_OF_RANGE, "offset 6 is not kept: partition 0 has 7 up to 10");
    options.start_at = 11;
    CHECK_OK(telpher_read(hub, "log", &options, NULL, &id));
    expect_words(hub, id, TELPHER_OUT_OF_RANGE, "offset 11");
    expect_record(hub, slow, 0, "0");
    expect_words(hub, slow, TELPHER_OUT_OF_RANGE, "offset 1 is not kept");
    id = read_from(hub, "log", TELPHER_START_BEGINNING, 0, 0);
    expect_numbers(hub, id, 7, 10);
    expect_ok(hub, id);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_streams_figures_tell_how_it_is_and_what_each_partition_has) {
    telpher_hub hub = open_memory();
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    telpher_append_options to = TELPHER_SIZED(telpher_append_options);
    telpher_id id;
    options.partitions = 2;
    options.age_max_ms = 3600000;
    options.records_max = 2;
    options.durability = TELPHER_DURABILITY_MEMORY;
    CHECK_OK(telpher_stream_declare(hub, "log", &options, NULL, &id));
    expect_ok(hub, id);
    to.has_partition = 1;
    to.partition = 1;
    for (int at = 0; at < 5; at++) {
        CHECK_EQUAL(append_to(hub, NULL, &to), 1);
    }
    CHECK_OK(telpher_stream_inspect(hub, "log", NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    const telpher_stream_info *info = event.stream_info;
    CHECK(info != NULL && info->name == NULL && event.streams == NULL);
    CHECK_EQUAL(info->partitions_count, 2);
    CHECK(info->partitions[0].next == 0 && info->partitions[0].bytes == 0);
    CHECK(info->partitions[1].first == 3 && info->partitions[1].next == 5);
    CHECK(info->partitions[1].bytes > 0);
    CHECK_EQUAL(info->age_max_ms, 3600000);
    CHECK_EQUAL(info->bytes_max, 64 * 1024 * 1024);
    CHECK_EQUAL(info->records_max, 2);
    CHECK_EQUAL(info->durability, TELPHER_DURABILITY_MEMORY);
    CHECK_OK(telpher_events_release(&event));
    options.records_max = 3;
    CHECK_OK(telpher_stream_declare(hub, "log", &options, NULL, &id));
    expect_words(hub, id, TELPHER_MISMATCH, "records_max 2, not 3");
    options.records_max = 2;
    CHECK_OK(telpher_stream_declare(hub, "log", &options, NULL, &id));
    expect_ok(hub, id);
    CHECK_OK(telpher_close(hub, 0));
}

/* Streams in one answer, of which the first and the last are called so. */
static void expect_list(telpher_hub hub, const char *after, size_t count, const char *first,
                        const char *last) {
    telpher_id id;
    CHECK_OK(telpher_stream_list(hub, after, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.streams_count, count);
    CHECK((event.streams == NULL) == (count == 0));
    if (count > 0) {
        CHECK(strcmp(event.streams[0]->name, first) == 0);
        CHECK(strcmp(event.streams[count - 1]->name, last) == 0);
        CHECK_EQUAL(event.streams[count - 1]->partitions_count, 1);
    }
    CHECK_OK(telpher_events_release(&event));
}

TEST(streams_are_listed_by_name_in_as_many_answers_as_it_takes) {
    telpher_hub hub = open_memory();
    char name[12];
    expect_list(hub, NULL, 0, NULL, NULL);
    for (int at = 299; at >= 0; at--) {
        snprintf(name, sizeof name, "log-%03d", at);
        declare_stream(hub, name, 1, 0);
    }
    expect_list(hub, NULL, 256, "log-000", "log-255");
    expect_list(hub, "log-255", 44, "log-256", "log-299");
    expect_list(hub, "log-299", 0, NULL, NULL);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_deleted_stream_ends_its_readers_and_is_not_found) {
    telpher_hub hub = open_memory();
    telpher_id id;
    declare_stream(hub, "log", 1, 0);
    append_numbers(hub, "log", 0, 1);
    telpher_id reader = read_from(hub, "log", TELPHER_START_END, 0, 1);
    CHECK_OK(telpher_stream_delete(hub, "log", NULL, &id));
    expect_ok(hub, id);
    expect_words(hub, reader, TELPHER_NOT_FOUND, "\"log\" was deleted");
    CHECK_OK(telpher_append(hub, "log", &TEXT("x"), NULL, NULL, &id));
    expect_words(hub, id, TELPHER_NOT_FOUND, "no stream is named \"log\"");
    CHECK_OK(telpher_read(hub, "log", NULL, NULL, &id));
    expect_words(hub, id, TELPHER_NOT_FOUND, "no stream is named \"log\"");
    CHECK_OK(telpher_stream_inspect(hub, "log", NULL, &id));
    expect_words(hub, id, TELPHER_NOT_FOUND, "no stream is named \"log\"");
    CHECK_OK(telpher_stream_delete(hub, "log", NULL, &id));
    expect_words(hub, id, TELPHER_NOT_FOUND, "no stream is named \"log\"");
    declare_stream(hub, "log", 1, 0);
    append_numbers(hub, "log", 0, 1);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(records_come_out_of_poll_with_the_programs_number) {
    telpher_hub hub = open_hub(fresh_memory_url(), TELPHER_DRIVE_CALLER);
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_event events[16];
    size_t count, expected = 0;
    int ended = 0;
    declare_stream(hub, "log", 1, 0);
    append_numbers(hub, "log", 0, 100);
    done.kind = TELPHER_DONE_EVENT;
    done.user = 77;
    CHECK_OK(telpher_read(hub, "log", NULL, &done, NULL));
    while (!ended) {
        CHECK_OK(telpher_poll(hub, events, sizeof *events, 16, &count, TELPHER_FOREVER));
        for (size_t at = 0; at < count; at++) {
            CHECK_EQUAL(events[at].user, 77);
            if (events[at].kind == TELPHER_EVENT_RECORD) {
                CHECK_EQUAL(events[at].offset, expected++);
            } else if (events[at].kind == TELPHER_EVENT_DONE) {
                CHECK_ENDED(events[at], TELPHER_OK);
                ended = 1;
            }
        }
        CHECK(count > 0);
        CHECK_OK(telpher_events_release(events));
    }
    CHECK_EQUAL(expected, 100);
    CHECK_OK(telpher_close(hub, 0));
}

struct taker {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t records, appended, wrong;
};

static void take(const telpher_event *event, uint64_t user) {
    struct taker *taker = (struct taker *)(uintptr_t)user;
    pthread_mutex_lock(&taker->lock);
    if (event->kind == TELPHER_EVENT_RECORD) {
        taker->wrong += event->offset != taker->records++;
    } else if (event->kind == TELPHER_EVENT_DONE) {
        taker->wrong += event->status != TELPHER_OK || event->offset != taker->appended++;
    }
    pthread_cond_broadcast(&taker->changed);
    pthread_mutex_unlock(&taker->lock);
}

TEST(callbacks_take_what_is_appended_in_order_however_small_the_buffer) {
    telpher_hub hub = open_memory();
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    static struct taker taker = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                 .changed = PTHREAD_COND_INITIALIZER};
    uint64_t most = (uint64_t)check_many(2000);
    declare_stream(hub, "log", 1, 0);
    done.kind = TELPHER_DONE_CALLBACK;
    done.fn = take;
    done.user = (uint64_t)(uintptr_t)&taker;
    options.follow = 1;
    options.buffer = 200;
    CHECK_OK(telpher_read(hub, "log", &options, &done, NULL));
    for (uint64_t at = 0; at < most;) {
        telpher_status status = telpher_append(hub, "log", &TEXT("x"), NULL, &done, NULL);
        if (status == TELPHER_FULL) {
            telpher_event event = TELPHER_SIZED(telpher_event);
            CHECK_OK(telpher_wait(hub, 0, TELPHER_FOREVER, &event));
            CHECK_OK(telpher_events_release(&event));
            continue;
        }
        CHECK_OK(status);
        at++;
    }
    pthread_mutex_lock(&taker.lock);
    while (taker.records < most || taker.appended < most) {
        pthread_cond_wait(&taker.changed, &taker.lock);
    }
    CHECK_EQUAL(taker.wrong, 0);
    pthread_mutex_unlock(&taker.lock);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_body_that_is_handed_over_is_released_once_it_is_appended_or_refused) {
    telpher_hub hub = open_memory();
    telpher_message message = TELPHER_SIZED(telpher_message);
    telpher_id id;
    declare_stream(hub, "log", 1, 0);
    for (int at = 0; at < 2; at++) {
        char *body = malloc(6);
        CHECK(body != NULL);
        memcpy(body, "lent!", 6);
        message.body = body;
        message.body_size = 5;
        message.release = free;
        message.release_arg = body;
        message.key_size = at == 0 ? 0 : 9;
        telpher_status status = telpher_append(hub, "log", &message, NULL, NULL, &id);
        CHECK_STATUS(status, (telpher_status)(at == 0 ? TELPHER_OK : TELPHER_INVALID));
        if (at == 0) {
            expect_ok(hub, id);
        }
    }
    telpher_id reader = read_from(hub, "log", TELPHER_START_BEGINNING, 0, 0);
    expect_record(hub, reader, 0, "lent!");
    expect_ok(hub, reader);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_stream_on_disk_is_there_when_the_directory_is_opened_again) {
    char directory[256];
    telpher_id id;
    snprintf(directory, sizeof directory, "%s", fresh_directory());
    telpher_hub hub = open_hub(directory, TELPHER_DRIVE_LIBRARY);
    declare_stream(hub, "log", 1, 0);
    CHECK_OK(telpher_append(hub, "log", &TEXT("0"), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.durability, TELPHER_DURABILITY_DISK);
    CHECK_OK(telpher_events_release(&event));
    append_numbers(hub, "log", 1, 10);
    CHECK_OK(telpher_close(hub, 0));
    hub = open_hub(directory, TELPHER_DRIVE_LIBRARY);
    append_numbers(hub, "log", 10, 12);
    id = read_from(hub, "log", TELPHER_START_BEGINNING, 0, 0);
    expect_numbers(hub, id, 0, 12);
    expect_ok(hub, id);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_compressed_stream_takes_less_room_and_is_read_as_it_was) {
    telpher_hub hub = open_memory();
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    char body[5000];
    telpher_id id;
    memset(body, 'x', sizeof body);
    options.compression = 3;
    CHECK_STATUS(telpher_stream_declare(hub, "log", &options, NULL, &id), TELPHER_INVALID);
    CHECK_CONTAINS(telpher_last_error(), "compression is 3");
    options.compression = TELPHER_COMPRESSION_ZSTD;
    CHECK_OK(telpher_stream_declare(hub, "log", &options, NULL, &id));
    expect_ok(hub, id);
    CHECK_OK(telpher_append(hub, "log", &TELPHER_BODY(body, sizeof body), NULL, NULL, &id));
    expect_ok(hub, id);
    id = read_from(hub, "log", TELPHER_START_BEGINNING, 0, 0);
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_RECORD);
    CHECK(event.body_size == sizeof body && memcmp(event.body, body, sizeof body) == 0);
    CHECK_OK(telpher_events_release(&event));
    expect_ok(hub, id);
    CHECK_OK(telpher_stream_inspect(hub, "log", NULL, &id));
    event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.stream_info->compression, TELPHER_COMPRESSION_ZSTD);
    CHECK(event.stream_info->partitions[0].bytes < 500);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

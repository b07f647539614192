/* Reader groups, and streams in batches. */
#include "check.h"

static void declare_log(telpher_hub hub, uint32_t partitions, uint64_t records_max) {
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    telpher_id id;
    options.partitions = partitions;
    options.records_max = records_max;
    CHECK_OK(telpher_stream_declare(hub, "log", &options, NULL, &id));
    expect_ok(hub, id);
}

static void append_to(telpher_hub hub, uint32_t partition, int count) {
    telpher_append_options options = TELPHER_SIZED(telpher_append_options);
    telpher_id id;
    options.has_partition = 1;
    options.partition = partition;
    for (int at = 0; at < count; at++) {
        CHECK_OK(telpher_append(hub, "log", &TEXT("x"), &options, NULL, &id));
        expect_ok(hub, id);
    }
}

static telpher_id join(telpher_hub hub) {
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_id id;
    options.group = "billing";
    CHECK_OK(telpher_read(hub, "log", &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    return id;
}

/* The next record; of its event only the numbers are valid. */
static telpher_event next_record(telpher_hub hub, telpher_id reader) {
    telpher_event event = outcome(hub, reader);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_RECORD);
    CHECK(event.generation > 0);
    CHECK_OK(telpher_events_release(&event));
    return event;
}

static telpher_id start_commit(telpher_hub hub, telpher_id reader, telpher_event record) {
    telpher_id id;
    CHECK_OK(telpher_commit(hub, reader, record.partition, record.generation, record.offset + 1,
                            NULL, &id));
    return id;
}

static void expect_place(telpher_hub hub, uint32_t members, size_t partition, uint64_t next,
                         uint64_t lag) {
    telpher_id id;
    CHECK_OK(telpher_group_list(hub, "log", NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.groups_count, 1);
    const telpher_group_info *group = event.groups[0];
    CHECK(strcmp(group->name, "billing") == 0);
    CHECK_EQUAL(group->members, members);
    CHECK(partition < group->places_count);
    CHECK_EQUAL(group->places[partition].next, next);
    CHECK_EQUAL(group->places[partition].lag, lag);
    CHECK(group->places[partition].is_read == (members > 0));
    CHECK_OK(telpher_events_release(&event));
}

TEST(two_members_share_the_partitions_and_the_second_takes_over_when_the_first_leaves) {
    telpher_hub hub = open_memory();
    declare_log(hub, 2, 0);
    telpher_id first = join(hub), second = join(hub);
    append_to(hub, 0, 2);
    append_to(hub, 1, 2);
    telpher_event one = next_record(hub, first), other = next_record(hub, second);
    CHECK(one.partition != other.partition);
    CHECK(one.offset == 0 && other.offset == 0);
    expect_ok(hub, start_commit(hub, first, one));
    CHECK_EQUAL(next_record(hub, first).offset, 1);
    expect_ok(hub, start_commit(hub, second, other));
    other = next_record(hub, second);
    expect_ok(hub, start_commit(hub, second, other));
    expect_place(hub, 2, one.partition, 1, 1);
    CHECK_OK(telpher_detach(hub, first));
    expect_ok(hub, first);
    telpher_event again = next_record(hub, second);
    CHECK_EQUAL(again.partition, one.partition);
    CHECK_EQUAL(again.offset, 1);
    CHECK(again.generation != one.generation);
    expect_ok(hub, start_commit(hub, second, again));
    expect_place(hub, 1, one.partition, 2, 0);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(what_was_committed_survives_the_hub) {
    char directory[256];
    snprintf(directory, sizeof directory, "%s", fresh_directory());
    telpher_hub hub = open_hub(directory, TELPHER_DRIVE_LIBRARY);
    declare_log(hub, 1, 0);
    append_to(hub, 0, 3);
    telpher_id reader = join(hub);
    next_record(hub, reader);
    expect_ok(hub, start_commit(hub, reader, next_record(hub, reader)));
    CHECK_OK(telpher_close(hub, 0));
    hub = open_hub(directory, TELPHER_DRIVE_LIBRARY);
    expect_place(hub, 0, 0, 2, 1);
    CHECK_EQUAL(next_record(hub, join(hub)).offset, 2);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_group_that_is_reset_goes_on_there_and_refuses_what_was_read_before) {
    telpher_hub hub = open_memory();
    telpher_group_reset_options to = TELPHER_SIZED(telpher_group_reset_options);
    telpher_id id;
    declare_log(hub, 1, 0);
    append_to(hub, 0, 3);
    telpher_id reader = join(hub);
    telpher_event record = next_record(hub, reader);
    next_record(hub, reader);
    next_record(hub, reader);
    to.has_partition = 1;
    to.start = TELPHER_START_OFFSET;
    to.start_at = 1;
    CHECK_OK(telpher_group_reset(hub, "log", "billing", &to, NULL, &id));
    expect_ok(hub, id);
    expect_words(hub, start_commit(hub, reader, record), TELPHER_LEASE_LOST, "");
    expect_place(hub, 1, 0, 1, 2);
    record = next_record(hub, reader);
    CHECK_EQUAL(record.offset, 1);
    expect_ok(hub, start_commit(hub, reader, record));
    to.start_at = 9;
    CHECK_OK(telpher_group_reset(hub, "log", "billing", &to, NULL, &id));
    expect_words(hub, id, TELPHER_OUT_OF_RANGE, "9");
    CHECK_OK(telpher_group_reset(hub, "log", "billing", NULL, NULL, &id));
    expect_ok(hub, id);
    expect_place(hub, 1, 0, 0, 3);
    CHECK_OK(telpher_group_delete(hub, "log", "billing", NULL, &id));
    expect_ok(hub, id);
    telpher_event event = outcome(hub, reader);
    while (event.kind == TELPHER_EVENT_RECORD) {
        CHECK_OK(telpher_events_release(&event));
        event = outcome(hub, reader);
    }
    CHECK_ENDED(event, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_group_is_told_which_records_the_limits_of_the_stream_took) {
    telpher_hub hub = open_memory();
    declare_log(hub, 1, 2);
    append_to(hub, 0, 1);
    telpher_id reader = join(hub);
    expect_ok(hub, start_commit(hub, reader, next_record(hub, reader)));
    CHECK_OK(telpher_detach(hub, reader));
    expect_ok(hub, reader);
    append_to(hub, 0, 4);
    reader = join(hub);
    telpher_event event = outcome(hub, reader);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_SKIPPED);
    CHECK_EQUAL(event.partition, 0);
    CHECK_EQUAL(event.offset, 1);
    uint64_t last = event.offset_last;
    CHECK(last >= 1 && last < 4);
    CHECK_OK(telpher_events_release(&event));
    CHECK_EQUAL(next_record(hub, reader).offset, last + 1);
    CHECK_OK(telpher_close(hub, 0));
}

static uint64_t stream_next(telpher_hub hub) {
    telpher_id id;
    CHECK_OK(telpher_stream_inspect(hub, "log", NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    uint64_t next = event.stream_info->partitions[0].next;
    CHECK_OK(telpher_events_release(&event));
    return next;
}

TEST(a_batch_sends_appends_and_commits_or_does_nothing) {
    telpher_hub hub = open_memory();
    telpher_append_options expecting = TELPHER_SIZED(telpher_append_options);
    telpher_batch batch;
    telpher_id id;
    declare_log(hub, 1, 0);
    CHECK_OK(telpher_declare(hub, "jobs", NULL, NULL, &id));
    expect_ok(hub, id);
    append_to(hub, 0, 1);
    telpher_id reader = join(hub);
    telpher_event record = next_record(hub, reader);
    CHECK_OK(telpher_batch_new(&batch));
    for (int at = 0; at < 2; at++) {
        CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("job")));
        CHECK_OK(telpher_batch_append(batch, "log", &TEXT("y"), NULL));
        /* The first time it is refused as a whole: the generation is another one. */
        uint64_t generation = record.generation + (at == 0 ? 1000 : 0);
        CHECK_OK(telpher_batch_commit(batch, reader, 0, generation, 1));
        CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
        telpher_event event = outcome(hub, id);
        CHECK_ENDED(event, (telpher_status)(at == 0 ? TELPHER_LEASE_LOST : TELPHER_OK));
        CHECK_EQUAL(event.receipts_count, (size_t)at);
        CHECK_OK(telpher_events_release(&event));
        CHECK_EQUAL(stream_next(hub), (uint64_t)(1 + at));
        expect_place(hub, 1, 0, (uint64_t)at, 1);
        CHECK_OK(telpher_inspect(hub, "jobs", NULL, &id));
        event = outcome(hub, id);
        CHECK_EQUAL(event.queue_info->ready, (uint64_t)at);
        CHECK_OK(telpher_events_release(&event));
    }
    expecting.has_partition = 1;
    expecting.has_expect = 1;
    expecting.expect = 7;
    CHECK_OK(telpher_batch_append(batch, "log", &TEXT("z"), &expecting));
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    expect_words(hub, id, TELPHER_CONFLICT, "part 0 of the batch");
    CHECK_EQUAL(stream_next(hub), 2);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(wrong_input_about_groups_is_refused_with_its_reason) {
    telpher_hub hub = open_memory();
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_group_reset_options to = TELPHER_SIZED(telpher_group_reset_options);
    telpher_append_options append = TELPHER_SIZED(telpher_append_options);
    telpher_batch batch;
    telpher_id id;
    declare_log(hub, 1, 0);
    append_to(hub, 0, 1);
    options.group = "billing";
    options.has_partition = 1;
    CHECK_STATUS(telpher_read(hub, "log", &options, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("both a group and a partition are stated");
    options.has_partition = 0;
    options.group = "";
    CHECK_STATUS(telpher_read(hub, "log", &options, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_group_reset(hub, "log", NULL, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("group is NULL");
    to.start_at = 3;
    CHECK_STATUS(telpher_group_reset(hub, "log", "g", &to, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("start_at is 3, but start is 0");
    CHECK_OK(telpher_group_delete(hub, "log", "g", NULL, &id));
    expect_words(hub, id, TELPHER_NOT_FOUND, "has no group");
    CHECK_OK(telpher_group_list(hub, "none", NULL, &id));
    expect_words(hub, id, TELPHER_NOT_FOUND, "none");
    CHECK_OK(telpher_read(hub, "log", NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    event = outcome(hub, id);
    CHECK_EQUAL(event.generation, 0);
    telpher_event record = event;
    CHECK_OK(telpher_events_release(&event));
    expect_ok(hub, id);
    CHECK_OK(telpher_batch_new(&batch));
    append.timeout_ms = 5;
    CHECK_STATUS(telpher_batch_append(batch, "log", &TEXT("x"), &append), TELPHER_INVALID);
    CHECK_LAST_ERROR("timeout_ms is 5");
    append.timeout_ms = 0;
    append.has_partition = 1;
    append.partition = 1024;
    CHECK_STATUS(telpher_batch_append(batch, "log", &TEXT("x"), &append), TELPHER_INVALID);
    CHECK_LAST_ERROR("partition is 1024; allowed are 0 to 1023");
    CHECK_OK(telpher_batch_free(batch));
    CHECK_STATUS(telpher_batch_commit(batch, 1, 0, 1, 1), TELPHER_STALE);
    options.group = NULL;
    options.follow = 1;
    CHECK_OK(telpher_read(hub, "log", &options, NULL, &id));
    event = outcome(hub, id);
    CHECK_OK(telpher_events_release(&event));
    expect_words(hub, start_commit(hub, id, record), TELPHER_INVALID, "the reader is in no group");
    CHECK_OK(telpher_close(hub, 0));
}

TEST(what_a_group_has_not_read_stays_if_the_stream_says_so) {
    telpher_hub hub = open_memory();
    telpher_stream_options options = TELPHER_SIZED(telpher_stream_options);
    telpher_id id, reader;
    options.records_max = 2;
    options.keep_unread = 1;
    CHECK_OK(telpher_stream_declare(hub, "log", &options, NULL, &id));
    expect_ok(hub, id);
    reader = join(hub);
    append_to(hub, 0, 2);
    CHECK_OK(telpher_append(hub, "log", &TEXT("x"), NULL, NULL, &id));
    expect_words(hub, id, TELPHER_FULL, "has not read 2 records of partition 0");
    telpher_event record = next_record(hub, reader);
    expect_ok(hub, start_commit(hub, reader, record));
    append_to(hub, 0, 1);
    CHECK_OK(telpher_close(hub, 0));
}

/* Appends an empty record with this key and header. */
static void append_marked(telpher_hub hub, const char *key, const char *kind) {
    telpher_header header = {.name = "kind", .value = kind, .value_size = strlen(kind)};
    telpher_message message = TELPHER_BODY(NULL, 0);
    telpher_id id;
    message.key = key;
    message.key_size = strlen(key);
    message.headers = &header;
    message.headers_count = 1;
    message.headers_stride = sizeof(telpher_header);
    CHECK_OK(telpher_append(hub, "log", &message, NULL, NULL, &id));
    expect_ok(hub, id);
}

TEST(a_reader_gets_only_what_has_its_key_and_headers_and_a_group_goes_on_behind_the_rest) {
    telpher_hub hub = open_memory();
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_header header = {.name = "kind", .value = "new", .value_size = 3};
    telpher_id id;
    declare_log(hub, 1, 0);
    append_marked(hub, "a", "new");
    append_marked(hub, "b", "new");
    append_marked(hub, "a", "old");
    append_marked(hub, "a", "new");
    append_marked(hub, "b", "old");
    options.group = "billing";
    options.key = "a";
    options.key_size = 1;
    options.headers = &header;
    options.headers_count = 1;
    options.headers_stride = sizeof(telpher_header);
    CHECK_OK(telpher_read(hub, "log", &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    CHECK_EQUAL(next_record(hub, id).offset, 0);
    event = next_record(hub, id);
    CHECK_EQUAL(event.offset, 3);
    expect_ok(hub, start_commit(hub, id, event));
    append_marked(hub, "a", "new");
    event = next_record(hub, id);
    CHECK_EQUAL(event.offset, 5);
    expect_ok(hub, start_commit(hub, id, event));
    expect_place(hub, 1, 0, 6, 0);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_member_that_commits_nothing_for_as_long_as_it_said_ends_as_lease_lost) {
    telpher_hub hub = open_memory();
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_id id;
    declare_log(hub, 1, 0);
    append_to(hub, 0, 1);
    options.group = "billing";
    options.max_processing_ms = 50;
    CHECK_OK(telpher_read(hub, "log", &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_STARTED);
    CHECK_OK(telpher_events_release(&event));
    event = next_record(hub, id);
    expect_words(hub, id, TELPHER_LEASE_LOST, "max_processing is 50 ms");
    expect_words(hub, start_commit(hub, id, event), TELPHER_LEASE_LOST, "partition 0");
    id = join(hub);
    CHECK_EQUAL(next_record(hub, id).offset, 0);
    CHECK_OK(telpher_close(hub, 0));
}

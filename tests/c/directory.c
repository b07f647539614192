/* Queues on disk, in the hub of a directory. */
#include "check.h"

static const uint32_t on_disk[] = {TELPHER_DURABILITY_DEFAULT, TELPHER_DURABILITY_OS,
                                   TELPHER_DURABILITY_DISK};

static void declare_at(telpher_hub hub, const char *queue, uint32_t durability) {
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    options.durability = durability;
    declare_as(hub, queue, &options);
}

TEST(a_queue_of_a_directory_is_on_disk_unless_it_says_otherwise) {
    telpher_hub hub = open_hub(fresh_directory(), TELPHER_DRIVE_LIBRARY);
    const char *const names[] = {"default", "os", "disk"};
    telpher_id id;
    for (int at = 0; at < 3; at++) {
        declare_at(hub, names[at], on_disk[at]);
        uint32_t reached = at == 0 ? (uint32_t)TELPHER_DURABILITY_DISK : on_disk[at];
        CHECK_EQUAL(inspect(hub, names[at]).durability, reached);
        CHECK_OK(telpher_send(hub, names[at], &TEXT("x"), NULL, NULL, &id));
        telpher_event event = outcome(hub, id);
        CHECK_ENDED(event, TELPHER_OK);
        CHECK_EQUAL(event.durability, reached);
        CHECK_OK(telpher_events_release(&event));
    }
    declare_queue(hub, "memory");
    send_text(hub, "memory", "x");
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_hub_says_whether_it_has_a_directory_and_what_it_can_do) {
    char directory[256];
    snprintf(directory, sizeof directory, "%s", fresh_directory());
    const char *const urls[] = {directory, "mem://says-whether"};
    const char *const able[] = {
        "calls queues.memory queues.os queues.disk batches dead_letters topics bindings gather "
        "streams",
        "calls queues.memory batches dead_letters topics bindings gather streams",
    };
    for (int at = 0; at < 2; at++) {
        telpher_hub hub;
        telpher_id id;
        const char *names;
        CHECK_OK(telpher_open(urls[at], NULL, NULL, &hub, &id));
        telpher_event event = outcome(hub, id);
        CHECK_ENDED(event, TELPHER_OK);
        CHECK(event.hub_info->memory_only == (at == 1));
        CHECK_OK(telpher_events_release(&event));
        CHECK_OK(telpher_capabilities(hub, &names));
        CHECK(strcmp(names, able[at]) == 0);
        CHECK_OK(telpher_close(hub, 0));
    }
}

TEST(a_directory_that_is_damaged_ends_opening_at_once_with_file_and_offset) {
    char directory[256], path[300];
    telpher_hub hub;
    telpher_id id, call;
    snprintf(directory, sizeof directory, "%s", fresh_directory());
    CHECK_OK(telpher_close(open_hub(directory, TELPHER_DRIVE_LIBRARY), 0));
    snprintf(path, sizeof path, "%s/HUB", directory);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs("hub zzz\n", file) >= 0 && fclose(file) == 0);
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    options.timeout_ms = TELPHER_FOREVER;
    CHECK_OK(telpher_open(directory, &options, NULL, &hub, &id));
    telpher_status started = telpher_call(hub, "x", &TEXT(""), NULL, NULL, &call);
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_CORRUPT);
    CHECK_CONTAINS(event.detail, "HUB is damaged at offset 0");
    CHECK(!event.maybe_executed);
    CHECK_OK(telpher_events_release(&event));
    if (started == TELPHER_OK) {
        event = outcome(hub, call);
        CHECK_ENDED(event, TELPHER_CORRUPT);
        CHECK_OK(telpher_events_release(&event));
    }
    CHECK_OK(telpher_close(hub, 0));
}

TEST(what_is_on_disk_is_there_when_the_directory_is_opened_again) {
    char directory[256];
    snprintf(directory, sizeof directory, "%s", fresh_directory());
    telpher_hub hub = open_hub(directory, TELPHER_DRIVE_LIBRARY);
    telpher_message message = TEXT("kept");
    telpher_header header = {"colour", "green", 5};
    telpher_id id;
    const void *value;
    size_t size;
    declare_at(hub, "jobs", TELPHER_DURABILITY_DEFAULT);
    message.key = "k";
    message.key_size = 1;
    message.headers = &header;
    message.headers_count = 1;
    message.headers_stride = sizeof header;
    CHECK_OK(telpher_send(hub, "jobs", &message, NULL, NULL, &id));
    expect_ok(hub, id);
    CHECK_OK(telpher_send(hub, "jobs", &TEXT("done"), NULL, NULL, &id));
    expect_ok(hub, id);
    telpher_event held = receive_one(hub, "jobs"), done = receive_one(hub, "jobs");
    CHECK_BODY(done, "done");
    settle(hub, &done, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_close(hub, 0));

    hub = open_hub(directory, TELPHER_DRIVE_LIBRARY);
    telpher_event again = receive_one(hub, "jobs");
    CHECK_EQUAL(again.message_id, held.message_id);
    CHECK_BODY(again, "kept");
    CHECK(again.redelivered && again.key_size == 1);
    CHECK_EQUAL(again.failures, 0);
    CHECK_OK(telpher_header_get(&again, "colour", &value, &size));
    CHECK(size == 5 && memcmp(value, "green", 5) == 0);
    CHECK_OK(telpher_events_release(&held));
    settle(hub, &again, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_EQUAL(inspect(hub, "jobs").ready, 0);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_batch_is_as_safe_as_the_strongest_of_its_queues) {
    telpher_hub hub = open_hub(fresh_directory(), TELPHER_DRIVE_LIBRARY);
    telpher_batch batch;
    telpher_id id;
    declare_at(hub, "os", TELPHER_DURABILITY_OS);
    declare_at(hub, "disk", TELPHER_DURABILITY_DISK);
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_OK(telpher_batch_send(batch, "os", &TEXT("1")));
    CHECK_OK(telpher_batch_send(batch, "disk", &TEXT("2")));
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.receipts_count, 2);
    CHECK_EQUAL(event.receipts[0].durability, TELPHER_DURABILITY_DISK);
    CHECK_EQUAL(event.receipts[1].durability, TELPHER_DURABILITY_DISK);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_queue_in_memory_may_not_join_a_batch_with_one_on_disk) {
    telpher_hub hub = open_hub(fresh_directory(), TELPHER_DRIVE_LIBRARY);
    telpher_batch batch;
    telpher_id id;
    declare_queue(hub, "memory");
    declare_at(hub, "disk", TELPHER_DURABILITY_DISK);
    send_text(hub, "memory", "stays");
    telpher_event job = receive_one(hub, "memory");
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_OK(telpher_batch_send(batch, "disk", &TEXT("stays")));
    CHECK_OK(telpher_batch_settle(batch, job.token, TELPHER_ACKNOWLEDGE, NULL));
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_UNSUPPORTED);
    CHECK_CONTAINS(event.detail, "of the batch");
    CHECK_OK(telpher_events_release(&event));
    CHECK_EQUAL(inspect(hub, "disk").ready, 0);
    CHECK_EQUAL(inspect(hub, "memory").held, 1);
    settle(hub, &job, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

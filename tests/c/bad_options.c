/* Wrong options of queues, verdicts, leases and batches: refused with limit and value. */
#include "check.h"

static char long_text[1026];

static const char *text_of(size_t size) {
    memset(long_text, 'n', size);
    long_text[size] = 0;
    return long_text;
}

static void refused_queue(telpher_hub hub, const char *queue,
                          const telpher_declare_options *options, telpher_status expected,
                          const char *words) {
    telpher_id id = 7;
    CHECK_STATUS(telpher_declare(hub, queue, options, NULL, &id), expected);
    CHECK_LAST_ERROR(words);
    CHECK_EQUAL(id, 0);
}

/* A declaration with one wrong option. */
#define CHECK_QUEUE_REFUSED(option, value, words)                                            \
    do {                                                                                     \
        telpher_declare_options wrong = TELPHER_SIZED(telpher_declare_options);              \
        wrong.option = value;                                                                \
        refused_queue(hub, "jobs", &wrong, TELPHER_INVALID, words);                          \
    } while (0)

TEST(a_wrong_option_of_a_queue_is_refused_with_limit_and_value) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    CHECK_QUEUE_REFUSED(max_attempts, 1001, "max_attempts is 1001; allowed are 0 to 1000");
    CHECK_QUEUE_REFUSED(backoff_min_ms, 86400001, "backoff_min_ms is 86400001");
    CHECK_QUEUE_REFUSED(backoff_max_ms, 86400001, "allowed are 0 to 86400000");
    CHECK_QUEUE_REFUSED(ack_deadline_ms, 86400001, "ack_deadline_ms is 86400001");
    CHECK_QUEUE_REFUSED(ttl_ms, 1000000000001, "allowed are 0 to 1000000000000");
    CHECK_QUEUE_REFUSED(bytes_max, 1099511627777, "allowed are 0 to 1099511627776");
    CHECK_QUEUE_REFUSED(dead_letter, "a/b", "'/' at byte 1");
    CHECK_QUEUE_REFUSED(dead_letter, "", "1 to 255");
    CHECK_QUEUE_REFUSED(dead_letter, "\xff", "dead_letter is not UTF-8");
    CHECK_QUEUE_REFUSED(dead_letter, "jobs", "its own dead-letter queue");
    options.durability = TELPHER_DURABILITY_MEMORY;
    options.bytes_max = 1073741825;
    refused_queue(hub, "jobs", &options, TELPHER_INVALID, "allowed are 0 to 1073741824");
    options.bytes_max = 0;
    options.backoff_min_ms = 20;
    options.backoff_max_ms = 10;
    refused_queue(hub, "jobs", &options, TELPHER_INVALID, "less than backoff_min_ms, 20");
    declare_queue(hub, "goes-on");
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_name_too_long_for_its_dead_letters_needs_another_name_for_them) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    declare_as(hub, text_of(250), &options);
    refused_queue(hub, text_of(251), &options, TELPHER_TOO_LARGE, "251 bytes");
    CHECK_LAST_ERROR("at most 250");
    options.dead_letter = "dead";
    declare_as(hub, text_of(251), &options);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_wrong_verdict_or_reason_is_refused_and_the_delivery_still_held) {
    telpher_hub hub = open_memory();
    telpher_settle_options options = TELPHER_SIZED(telpher_settle_options);
    telpher_batch batch;
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "x");
    telpher_event job = receive_one(hub, "jobs");
    CHECK_OK(telpher_batch_new(&batch));
    options.reason = text_of(1025);
    CHECK_STATUS(telpher_settle(hub, job.token, TELPHER_REJECT, &options, NULL, NULL),
                 TELPHER_TOO_LARGE);
    CHECK_LAST_ERROR("the reason has 1025 bytes; at most 1024");
    CHECK_STATUS(telpher_batch_settle(batch, job.token, TELPHER_REJECT, &options),
                 TELPHER_TOO_LARGE);
    CHECK_LAST_ERROR("the reason has 1025 bytes; at most 1024");
    options.reason = "\xc3";
    CHECK_STATUS(telpher_settle(hub, job.token, TELPHER_REJECT, &options, NULL, NULL),
                 TELPHER_INVALID);
    CHECK_LAST_ERROR("reason is not UTF-8");
    CHECK_STATUS(telpher_settle(hub, job.token, 0, NULL, NULL, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_batch_settle(batch, job.token, 5, NULL), TELPHER_INVALID);
    CHECK_LAST_ERROR("verdict is 5; allowed are 1, 2, 3, 4");
    options.size = 3;
    CHECK_STATUS(telpher_settle(hub, job.token, TELPHER_REJECT, &options, NULL, NULL),
                 TELPHER_INVALID);
    CHECK_LAST_ERROR("sizeof(telpher_settle_options)");
    CHECK_EQUAL(inspect(hub, "jobs").held, 1);
    settle(hub, &job, TELPHER_REJECT, text_of(1024));
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_lease_is_prolonged_by_a_day_at_most) {
    telpher_hub hub = open_memory();
    telpher_id id = 7;
    CHECK_STATUS(telpher_extend(hub, 1, 86400001, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("ms is 86400001; allowed are 0 to 86400000");
    CHECK_EQUAL(id, 0);
    CHECK_STATUS(telpher_extend(hub, 1, UINT64_MAX, NULL, &id), TELPHER_INVALID);
    CHECK_OK(telpher_extend(hub, 987654321, 1, NULL, &id));
    expect_ended(hub, id, TELPHER_LEASE_LOST);
    CHECK_OK(telpher_close(hub, 0));
}

static void refuse_batch(telpher_batch batch, telpher_status expected, const char *words) {
    telpher_hub hub = open_memory();
    telpher_id id = 7;
    CHECK_STATUS(telpher_batch_send(batch, "a", &TEXT("x")), expected);
    CHECK_LAST_ERROR(words);
    CHECK_STATUS(telpher_batch_settle(batch, 1, TELPHER_RELEASE, NULL), expected);
    CHECK_LAST_ERROR(words);
    CHECK_STATUS(telpher_batch_submit(hub, batch, NULL, NULL, &id), expected);
    CHECK_LAST_ERROR(words);
    CHECK_EQUAL(id, 0);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_batch_that_is_none_is_refused) {
    telpher_batch batch, next;
    CHECK_STATUS(telpher_batch_new(NULL), TELPHER_INVALID);
    CHECK_LAST_ERROR("batch_out is NULL");
    refuse_batch(0, TELPHER_INVALID, "batch is 0");
    refuse_batch(UINT64_MAX, TELPHER_INVALID, "no batch has had that id");
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_batch_new(&next));
    CHECK(next != batch);
    refuse_batch(batch, TELPHER_STALE, "freed before");
    CHECK_STATUS(telpher_batch_free(batch), TELPHER_STALE);
    CHECK_STATUS(telpher_batch_free(UINT64_MAX), TELPHER_INVALID);
    CHECK_OK(telpher_batch_free(next));
    CHECK_OK(telpher_batch_free(0));
}

TEST(a_wrong_part_is_refused_when_it_is_put_in) {
    telpher_batch batch;
    telpher_message message = TEXT("x");
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_STATUS(telpher_batch_send(batch, "a/b", &message), TELPHER_INVALID);
    CHECK_STATUS(telpher_batch_send(batch, NULL, &message), TELPHER_INVALID);
    CHECK_STATUS(telpher_batch_send(batch, "a", NULL), TELPHER_INVALID);
    message.priority = 256;
    CHECK_STATUS(telpher_batch_send(batch, "a", &message), TELPHER_INVALID);
    message.priority = 0;
    message.key = long_text;
    message.key_size = 1025;
    CHECK_STATUS(telpher_batch_send(batch, "a", &message), TELPHER_TOO_LARGE);
    CHECK_LAST_ERROR("1025 bytes; at most 1024");
    message.size = 3;
    CHECK_STATUS(telpher_batch_send(batch, "a", &message), TELPHER_INVALID);
    CHECK_OK(telpher_batch_free(batch));
}

TEST(a_batch_has_1024_parts_at_most_and_is_as_it_was_after_one_too_many) {
    telpher_hub hub = open_memory();
    telpher_batch batch;
    telpher_id id;
    declare_queue(hub, "jobs");
    CHECK_OK(telpher_batch_new(&batch));
    for (int at = 0; at < 1024; at++) {
        CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("x")));
    }
    CHECK_STATUS(telpher_batch_send(batch, "jobs", &TEXT("x")), TELPHER_INVALID);
    CHECK_LAST_ERROR("the number of parts of a batch is 1025; allowed are 1 to 1024");
    CHECK_STATUS(telpher_batch_settle(batch, 1, TELPHER_RELEASE, NULL), TELPHER_INVALID);
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.receipts_count, 1024);
    CHECK_OK(telpher_events_release(&event));
    CHECK_EQUAL(inspect(hub, "jobs").ready, 1024);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_batch_has_8_mib_of_messages_at_most) {
    enum { SIZE_MOST = 8 * 1024 * 1024 };
    telpher_hub hub = open_memory();
    telpher_message message = TEXT("x");
    char *large = calloc(1, SIZE_MOST);
    telpher_batch batch;
    telpher_id id;
    declare_queue(hub, "jobs");
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_OK(telpher_batch_send(batch, "jobs", &TELPHER_BODY(large, SIZE_MOST - 2)));
    message.key = "k";
    message.key_size = 1;
    CHECK_OK(telpher_batch_send(batch, "jobs", &message));
    CHECK_STATUS(telpher_batch_send(batch, "jobs", &TEXT("x")), TELPHER_TOO_LARGE);
    CHECK_LAST_ERROR("8388609 bytes of messages; at most 8388608");
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.receipts_count, 2);
    CHECK_OK(telpher_events_release(&event));
    free(large);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

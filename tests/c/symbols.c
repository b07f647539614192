/* Every function, type, macro and constant of the header, used at least once; every_symbol.sh holds
 * this file to that. */
#include "check.h"

static const struct {
    telpher_status status;
    const char *name;
} statuses[] = {
    {TELPHER_OK, "OK"},
    {TELPHER_INVALID, "INVALID"},
    {TELPHER_TOO_LARGE, "TOO_LARGE"},
    {TELPHER_FULL, "FULL"},
    {TELPHER_STALE, "STALE"},
    {TELPHER_CLOSED, "CLOSED"},
    {TELPHER_PENDING, "PENDING"},
    {TELPHER_FORKED, "FORKED"},
    {TELPHER_WOULD_DEADLOCK, "WOULD_DEADLOCK"},
    {TELPHER_UNSUPPORTED, "UNSUPPORTED"},
    {TELPHER_NOT_FOUND, "NOT_FOUND"},
    {TELPHER_MISMATCH, "MISMATCH"},
    {TELPHER_NO_SERVICE, "NO_SERVICE"},
    {TELPHER_BUSY, "BUSY"},
    {TELPHER_EXPIRED, "EXPIRED"},
    {TELPHER_TIMED_OUT, "TIMED_OUT"},
    {TELPHER_REMOTE, "REMOTE"},
    {TELPHER_ABANDONED, "ABANDONED"},
    {TELPHER_CANCELLED, "CANCELLED"},
    {TELPHER_HOST_LOST, "HOST_LOST"},
    {TELPHER_HOST_UNRESPONSIVE, "HOST_UNRESPONSIVE"},
    {TELPHER_NO_HOST, "NO_HOST"},
    {TELPHER_LEASE_LOST, "LEASE_LOST"},
    {TELPHER_UNKNOWN_PRODUCER, "UNKNOWN_PRODUCER"},
    {TELPHER_INDETERMINATE, "INDETERMINATE"},
    {TELPHER_PROTOCOL, "PROTOCOL"},
    {TELPHER_REFUSED, "REFUSED"},
    {TELPHER_IO, "IO"},
    {TELPHER_INTERRUPTED, "INTERRUPTED"},
    {TELPHER_INTERNAL, "INTERNAL"},
    {TELPHER_NO_SPACE, "NO_SPACE"},
    {TELPHER_CORRUPT, "CORRUPT"},
    {TELPHER_LOST, "LOST"},
    {TELPHER_OUT_OF_RANGE, "OUT_OF_RANGE"},
    {TELPHER_CONFLICT, "CONFLICT"},
};

TEST(every_status_has_its_name_and_its_number) {
    size_t count = sizeof statuses / sizeof *statuses;
    for (size_t at = 0; at < count; at++) {
        CHECK_EQUAL(statuses[at].status, at);
        CHECK(strcmp(telpher_status_name(statuses[at].status), statuses[at].name) == 0);
    }
    CHECK(strcmp(telpher_status_name((telpher_status)count), "UNKNOWN") == 0);
    CHECK(strcmp(telpher_status_name(UINT32_MAX), "UNKNOWN") == 0);
}

TEST(the_library_is_at_least_as_new_as_its_header) {
    CHECK(telpher_abi_version() >= TELPHER_ABI_VERSION);
}

#define CHECK_ROW(...)                                                  \
    do {                                                                \
        const long long row[] = {__VA_ARGS__};                          \
        for (size_t at = 1; at < sizeof row / sizeof *row; at++) {      \
            CHECK_EQUAL(row[at], row[at - 1] + 1);                      \
        }                                                               \
    } while (0)

TEST(the_numbers_of_each_constant_follow_one_another) {
    CHECK_ROW(TELPHER_DONE_WAIT, TELPHER_DONE_EVENT, TELPHER_DONE_CALLBACK, TELPHER_DONE_NONE);
    CHECK_ROW(TELPHER_EVENT_DONE, TELPHER_EVENT_STARTED, TELPHER_EVENT_DELIVERY,
              TELPHER_EVENT_REQUEST, TELPHER_EVENT_WITHDRAWN, TELPHER_EVENT_NOTICE,
              TELPHER_EVENT_READY, TELPHER_EVENT_PUBLISHED, TELPHER_EVENT_GAP,
              TELPHER_EVENT_ANSWER, TELPHER_EVENT_RECORD, TELPHER_EVENT_SKIPPED);
    CHECK_ROW(TELPHER_GATHER_SERVICE, TELPHER_GATHER_TOPIC);
    CHECK_ROW(TELPHER_NOTICE_DISCONNECTED, TELPHER_NOTICE_RESUMED, TELPHER_NOTICE_HUB_CHANGED);
    CHECK_ROW(TELPHER_DRIVE_LIBRARY, TELPHER_DRIVE_CALLER, TELPHER_DRIVE_INLINE);
    CHECK_ROW(TELPHER_HOST_AUTO, TELPHER_HOST_NEVER, TELPHER_HOST_ALWAYS);
    CHECK_ROW(TELPHER_DURABILITY_DEFAULT, TELPHER_DURABILITY_MEMORY, TELPHER_DURABILITY_OS,
              TELPHER_DURABILITY_DISK);
    CHECK_ROW(TELPHER_OVERFLOW_WAIT, TELPHER_OVERFLOW_REJECT);
    CHECK_ROW(TELPHER_TOPIC_OVERFLOW_DROP, TELPHER_TOPIC_OVERFLOW_WAIT);
    CHECK_ROW(TELPHER_COMPRESSION_NONE, TELPHER_COMPRESSION_LZ4, TELPHER_COMPRESSION_ZSTD);
    CHECK_ROW(TELPHER_ACKNOWLEDGE, TELPHER_REJECT, TELPHER_REQUEUE, TELPHER_RELEASE);
    CHECK_ROW(TELPHER_START_BEGINNING, TELPHER_START_END, TELPHER_START_OFFSET, TELPHER_START_TIME);
    CHECK_EQUAL(TELPHER_FOREVER, -1);
    CHECK_EQUAL(TELPHER_LINE_NONE, UINT32_MAX);
}

#define CHECK_SIZED(type) CHECK_EQUAL(TELPHER_SIZED(type).size, sizeof(type))

TEST(a_sized_struct_states_its_size) {
    CHECK_SIZED(telpher_done);
    CHECK_SIZED(telpher_message);
    CHECK_SIZED(telpher_open_options);
    CHECK_SIZED(telpher_call_options);
    CHECK_SIZED(telpher_serve_options);
    CHECK_SIZED(telpher_failure);
    CHECK_SIZED(telpher_declare_options);
    CHECK_SIZED(telpher_send_options);
    CHECK_SIZED(telpher_receive_options);
    CHECK_SIZED(telpher_consume_options);
    CHECK_SIZED(telpher_settle_options);
    CHECK_SIZED(telpher_batch_options);
    CHECK_SIZED(telpher_publish_options);
    CHECK_SIZED(telpher_subscribe_options);
    CHECK_SIZED(telpher_topic_options);
    CHECK_SIZED(telpher_stream_options);
    CHECK_SIZED(telpher_append_options);
    CHECK_SIZED(telpher_read_options);
    CHECK_SIZED(telpher_gather_options);
    CHECK_SIZED(telpher_group_reset_options);
    CHECK_SIZED(telpher_event);
    CHECK_SIZED(telpher_counters);
    CHECK_EQUAL(TELPHER_BODY("abc", 3).size, sizeof(telpher_message));
    CHECK_EQUAL(TELPHER_BODY("abc", 3).body_size, 3);
}

TEST(an_events_pointers_are_all_null_before_anything_came) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    const telpher_headers *headers = event.headers;
    const telpher_queue_info *queue = event.queue_info;
    const telpher_hub_info *hub = event.hub_info;
    const telpher_receipt *receipts = event.receipts;
    const telpher_stream_info *stream = event.stream_info;
    const telpher_stream_info *const *streams = event.streams;
    const telpher_partition_info partition = {0, 0, 0};
    const telpher_group_info *const *groups = event.groups;
    const telpher_group_place place = {0, 0, false};
    telpher_trace trace = event.trace;
    telpher_done_fn done = NULL;
    telpher_release_fn release = NULL;
    CHECK(headers == NULL && queue == NULL && hub == NULL && done == NULL && release == NULL);
    CHECK(receipts == NULL && event.receipts_count == 0);
    CHECK(stream == NULL && streams == NULL && event.streams_count == 0);
    CHECK_EQUAL(partition.bytes, 0);
    const telpher_topic_info *topic = event.topic_info;
    CHECK(topic == NULL && event.topics == NULL && event.topics_count == 0);
    const telpher_missing *missing = event.missing;
    CHECK(missing == NULL && event.missing_count == 0);
    CHECK(event.instance_name == NULL);
    CHECK(groups == NULL && event.groups_count == 0 && place.lag == 0);
    CHECK_EQUAL(trace.flags, 0);
    CHECK_OK(telpher_events_release(&event));
}

/* A foreign handle, as every function that takes one must refuse it. */
#define CHECK_REFUSED(call)                   \
    do {                                      \
        CHECK_STATUS(call, TELPHER_INVALID);  \
        CHECK_LAST_ERROR("hub is");           \
    } while (0)

static void refuses_streams(telpher_hub hub) {
    telpher_message message = TEXT("x");
    telpher_id id;
    CHECK_REFUSED(telpher_stream_declare(hub, "a", NULL, NULL, &id));
    CHECK_REFUSED(telpher_stream_delete(hub, "a", NULL, &id));
    CHECK_REFUSED(telpher_stream_bind(hub, "a.*", "b", NULL, &id));
    CHECK_REFUSED(telpher_stream_unbind(hub, "a.*", "b", NULL, &id));
    CHECK_REFUSED(telpher_stream_inspect(hub, "a", NULL, &id));
    CHECK_REFUSED(telpher_stream_list(hub, NULL, NULL, &id));
    CHECK_REFUSED(telpher_append(hub, "a", &message, NULL, NULL, &id));
    CHECK_REFUSED(telpher_read(hub, "a", NULL, NULL, &id));
    CHECK_REFUSED(telpher_commit(hub, 1, 0, 1, 1, NULL, NULL));
    CHECK_REFUSED(telpher_group_list(hub, "a", NULL, &id));
    CHECK_REFUSED(telpher_group_reset(hub, "a", "b", NULL, NULL, &id));
    CHECK_REFUSED(telpher_group_delete(hub, "a", "b", NULL, &id));
}

static void refuses(telpher_hub hub) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_counters counters = TELPHER_SIZED(telpher_counters);
    telpher_message message = TEXT("x");
    telpher_id id = 7;
    telpher_batch batch;
    const char *names;
    int64_t remaining_ms;
    bool cancelled;
    size_t count;
    int fd;
    CHECK_REFUSED(telpher_call(hub, "a", &message, NULL, NULL, &id));
    CHECK_EQUAL(id, 0);
    CHECK_REFUSED(telpher_serve(hub, "a", NULL, NULL, &id));
    CHECK_REFUSED(telpher_reply(hub, 1, &message, NULL, NULL, NULL));
    CHECK_REFUSED(telpher_request_cancelled(hub, 1, &cancelled));
    CHECK_REFUSED(telpher_request_remaining_ms(hub, 1, &remaining_ms));
    CHECK_REFUSED(telpher_declare(hub, "a", NULL, NULL, &id));
    CHECK_REFUSED(telpher_delete(hub, "a", NULL, &id));
    CHECK_REFUSED(telpher_purge(hub, "a", NULL, &id));
    CHECK_REFUSED(telpher_inspect(hub, "a", NULL, &id));
    CHECK_REFUSED(telpher_send(hub, "a", &message, NULL, NULL, &id));
    CHECK_REFUSED(telpher_receive(hub, "a", NULL, NULL, &id));
    CHECK_REFUSED(telpher_consume(hub, "a", NULL, NULL, &id));
    CHECK_REFUSED(telpher_publish(hub, "a", &message, NULL, NULL, &id));
    CHECK_REFUSED(telpher_subscribe(hub, "a", NULL, NULL, &id));
    CHECK_REFUSED(telpher_bind(hub, "a.*", "b", NULL, &id));
    CHECK_REFUSED(telpher_unbind(hub, "a.*", "b", NULL, &id));
    CHECK_REFUSED(telpher_topic_declare(hub, "a.*", NULL, NULL, &id));
    CHECK_REFUSED(telpher_topic_delete(hub, "a.*", NULL, &id));
    CHECK_REFUSED(telpher_topic_inspect(hub, "a.*", NULL, &id));
    CHECK_REFUSED(telpher_topic_list(hub, NULL, NULL, &id));
    CHECK_REFUSED(telpher_gather(hub, "a", &message, NULL, NULL, &id));
    refuses_streams(hub);
    CHECK_REFUSED(telpher_settle(hub, 1, TELPHER_ACKNOWLEDGE, NULL, NULL, NULL));
    CHECK_REFUSED(telpher_extend(hub, 1, 0, NULL, NULL));
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_OK(telpher_batch_send(batch, "a", &message));
    CHECK_OK(telpher_batch_settle(batch, 1, TELPHER_RELEASE, NULL));
    CHECK_OK(telpher_batch_publish(batch, "a", &message));
    CHECK_OK(telpher_batch_append(batch, "a", &message, NULL));
    CHECK_OK(telpher_batch_commit(batch, 1, 0, 1, 1));
    CHECK_REFUSED(telpher_batch_submit(hub, batch, NULL, NULL, NULL));
    CHECK_OK(telpher_batch_free(batch));
    CHECK_REFUSED(telpher_credit(hub, 1, 1, NULL, NULL));
    CHECK_REFUSED(telpher_wait(hub, 1, 1, &event));
    CHECK_REFUSED(telpher_poll(hub, &event, sizeof event, 1, &count, 0));
    CHECK_REFUSED(telpher_fd(hub, &fd));
    CHECK_EQUAL(fd, -1);
    CHECK_REFUSED(telpher_flush(hub));
    CHECK_REFUSED(telpher_wake(hub));
    CHECK_REFUSED(telpher_cancel(hub, 1));
    CHECK_REFUSED(telpher_detach(hub, 1));
    CHECK_REFUSED(telpher_capabilities(hub, &names));
    CHECK(names == NULL);
    CHECK_REFUSED(telpher_stats(hub, &counters));
    CHECK_REFUSED(telpher_close(hub, 0));
}

TEST(a_null_or_foreign_handle_is_refused_by_every_function) {
    refuses(0);
    refuses(UINT64_MAX);
    refuses(0x1234567);
}

TEST(what_belongs_to_no_handle_refuses_what_it_does_not_know) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_header header = {"name", "value", 5};
    telpher_retained retained = 7;
    telpher_hub hub = 7;
    const void *value;
    size_t size;
    CHECK_EQUAL(header.value_size, 5);
    CHECK_STATUS(telpher_open(NULL, NULL, NULL, &hub, NULL), TELPHER_INVALID);
    CHECK(strcmp(telpher_last_error(), "INVALID: url is NULL") == 0);
    CHECK_EQUAL(hub, 0);
    event.batch = UINT64_MAX;
    CHECK_STATUS(telpher_events_release(&event), TELPHER_INVALID);
    CHECK_STATUS(telpher_message_retain(&event, &retained), TELPHER_INVALID);
    CHECK_EQUAL(retained, 0);
    CHECK_STATUS(telpher_message_release(UINT64_MAX), TELPHER_INVALID);
    CHECK_OK(telpher_message_release(0));
    CHECK_STATUS(telpher_header_get(&event, "name", &value, &size), TELPHER_NOT_FOUND);
    CHECK_STATUS(telpher_events_release(NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_message_retain(NULL, &retained), TELPHER_INVALID);
    CHECK_STATUS(telpher_header_get(NULL, "name", &value, &size), TELPHER_INVALID);
}

/* Wrong options of streams, appends and readers: refused with limit and value. */
#include "check.h"

#define CHECK_DECLARE_REFUSED(option, value, words)                                            \
    do {                                                                                       \
        telpher_stream_options wrong = TELPHER_SIZED(telpher_stream_options);                  \
        wrong.option = value;                                                                  \
        CHECK_STATUS(telpher_stream_declare(hub, "log", &wrong, NULL, &id), TELPHER_INVALID);  \
        CHECK_LAST_ERROR(words);                                                               \
        CHECK_EQUAL(id, 0);                                                                    \
    } while (0)

#define CHECK_APPEND_REFUSED(option, value, words)                                             \
    do {                                                                                       \
        telpher_append_options wrong = TELPHER_SIZED(telpher_append_options);                  \
        wrong.option = value;                                                                  \
        CHECK_STATUS(telpher_append(hub, "log", &TEXT("x"), &wrong, NULL, &id),                \
                     TELPHER_INVALID);                                                         \
        CHECK_LAST_ERROR(words);                                                               \
    } while (0)

#define CHECK_READ_REFUSED(option, value, words)                                               \
    do {                                                                                       \
        telpher_read_options wrong = TELPHER_SIZED(telpher_read_options);                      \
        wrong.option = value;                                                                  \
        CHECK_STATUS(telpher_read(hub, "log", &wrong, NULL, &id), TELPHER_INVALID);            \
        CHECK_LAST_ERROR(words);                                                               \
    } while (0)

TEST(a_wrong_option_of_a_stream_is_refused_with_limit_and_value) {
    telpher_hub hub = open_memory();
    telpher_id id = 7;
    CHECK_DECLARE_REFUSED(partitions, 1025, "partitions is 1025; allowed are 0 to 1024");
    CHECK_DECLARE_REFUSED(durability, 9, "durability is 9; allowed are 0, 1, 2, 3");
    CHECK_DECLARE_REFUSED(age_max_ms, 1000000000001, "age_max_ms is 1000000000001");
    CHECK_DECLARE_REFUSED(bytes_max, 1099511627777, "allowed are 0 to 1099511627776");
    CHECK_APPEND_REFUSED(partition, 3, "partition is 3, but has_partition is 0");
    CHECK_APPEND_REFUSED(has_partition, 2, "has_partition is 2; allowed are 0, 1");
    CHECK_APPEND_REFUSED(expect, 3, "expect is 3, but has_expect is 0");
    CHECK_APPEND_REFUSED(has_expect, 2, "has_expect is 2; allowed are 0, 1");
    CHECK_READ_REFUSED(partition, 3, "partition is 3, but has_partition is 0");
    CHECK_READ_REFUSED(start, 4, "start is 4; allowed are 0, 1, 2, 3");
    CHECK_READ_REFUSED(start_at, 5, "start_at is 5, but start is 0");
    CHECK_READ_REFUSED(follow, 2, "follow is 2; allowed are 0, 1");
    CHECK_READ_REFUSED(buffer, 67108865, "buffer is 67108865; allowed are 0 to 67108864");
    CHECK_READ_REFUSED(max_processing_ms, 5, "max_processing_ms is 5, and no group is stated");
    CHECK_READ_REFUSED(max_processing_ms, 86400001, "allowed are 0 to 86400000");
    CHECK_READ_REFUSED(key_size, 3, "the key is NULL, and its size is 3");
    CHECK_READ_REFUSED(headers_count, 1, "headers is NULL, and headers_count is 1");
    telpher_header nine[9];
    telpher_read_options many = TELPHER_SIZED(telpher_read_options);
    for (int at = 0; at < 9; at++) {
        nine[at] = (telpher_header){.name = "kind", .value = "x", .value_size = 1};
    }
    many.headers = nine;
    many.headers_count = 9;
    CHECK_STATUS(telpher_read(hub, "log", &many, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("headers_stride is 0");
    many.headers_stride = sizeof(telpher_header);
    CHECK_STATUS(telpher_read(hub, "log", &many, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("the number of headers is 9; allowed are 0 to 8");
    many = TELPHER_SIZED(telpher_read_options);
    many.key = memset(malloc(1025), 'k', 1025);
    many.key_size = 1025;
    CHECK_STATUS(telpher_read(hub, "log", &many, NULL, &id), TELPHER_TOO_LARGE);
    CHECK_LAST_ERROR("the key has 1025 bytes; at most 1024 are allowed");
    free((void *)(uintptr_t)many.key);
    telpher_append_options beyond = TELPHER_SIZED(telpher_append_options);
    beyond.has_partition = 1;
    beyond.partition = 1024;
    CHECK_STATUS(telpher_append(hub, "log", &TEXT("x"), &beyond, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("partition is 1024; allowed are 0 to 1023");
    CHECK_STATUS(telpher_read(hub, "log", NULL, NULL, NULL), TELPHER_INVALID);
    CHECK_STATUS(telpher_stream_declare(hub, "a/b", NULL, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_append(hub, NULL, &TEXT("x"), NULL, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("stream is NULL");
    CHECK_STATUS(telpher_append(hub, "log", NULL, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_STATUS(telpher_stream_list(hub, "a/b", NULL, &id), TELPHER_INVALID);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_partition_that_a_stream_does_not_have_and_a_vague_expectation_end_as_invalid) {
    telpher_hub hub = open_memory();
    telpher_append_options to = TELPHER_SIZED(telpher_append_options);
    telpher_read_options from = TELPHER_SIZED(telpher_read_options);
    telpher_stream_options two = TELPHER_SIZED(telpher_stream_options);
    telpher_id id;
    two.partitions = 2;
    CHECK_OK(telpher_stream_declare(hub, "log", &two, NULL, &id));
    expect_ok(hub, id);
    to.has_partition = from.has_partition = 1;
    to.partition = from.partition = 2;
    CHECK_OK(telpher_append(hub, "log", &TEXT("x"), &to, NULL, &id));
    expect_words(hub, id, TELPHER_INVALID, "partition is 2; the stream \"log\" has 2, from 0");
    CHECK_OK(telpher_read(hub, "log", &from, NULL, &id));
    expect_words(hub, id, TELPHER_INVALID, "partition is 2; the stream \"log\" has 2, from 0");
    to = TELPHER_SIZED(telpher_append_options);
    to.has_expect = 1;
    CHECK_OK(telpher_append(hub, "log", &TEXT("x"), &to, NULL, &id));
    expect_words(hub, id, TELPHER_INVALID, "the stream \"log\" has 2 partitions");
    telpher_stream_options on_disk = TELPHER_SIZED(telpher_stream_options);
    on_disk.durability = TELPHER_DURABILITY_DISK;
    CHECK_OK(telpher_stream_declare(hub, "other", &on_disk, NULL, &id));
    expect_words(hub, id, TELPHER_UNSUPPORTED, "durability disk is not supported");
    CHECK_OK(telpher_close(hub, 0));
}

/* A small test runner, and what the tests share.
 *
 * TEST(name) { ... } defines a test; its name is a sentence that can be false. A CHECK that fails
 * says where and ends its test. A test that does not end in time ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <telpher.h>

#define TEST(name)                                                       \
    static void name(void);                                              \
    __attribute__((constructor)) static void register_##name(void) {     \
        check_register(#name, __FILE__, name);                           \
    }                                                                    \
    static void name(void)

#define CHECK(condition) \
    ((condition) ? (void)0 : check_fail(__FILE__, __LINE__, "%s is false", #condition))

#define CHECK_EQUAL(got, expected)                                                               \
    do {                                                                                         \
        long long got_ = (long long)(got), expected_ = (long long)(expected);                    \
        if (got_ != expected_)                                                                   \
            check_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #got, got_, expected_);       \
    } while (0)

#define CHECK_STATUS(call, expected)                                                             \
    do {                                                                                         \
        telpher_status got_ = (call), expected_ = (expected);                                    \
        if (got_ != expected_)                                                                   \
            check_fail(__FILE__, __LINE__, "%s is %s, not %s (last error: %s)", #call,           \
                       telpher_status_name(got_), telpher_status_name(expected_),                \
                       telpher_last_error());                                                    \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(call, TELPHER_OK)

/* The event ended with this status. */
#define CHECK_ENDED(event, expected)                                                             \
    do {                                                                                         \
        if ((event).kind != TELPHER_EVENT_DONE || (event).status != (expected))                  \
            check_fail(__FILE__, __LINE__, "event kind %u, status %s, not %s (%s)",              \
                       (unsigned)(event).kind, telpher_status_name((event).status),              \
                       telpher_status_name(expected), (event).detail ? (event).detail : "");     \
    } while (0)

/* As CHECK_ENDED, for an operation whose time runs out. On a machine so slow that the hub's verdict
 * comes over 100 ms late (under valgrind), the program ends it without one. */
#define CHECK_ENDED_IN_TIME(event, expected)                                                     \
    do {                                                                                         \
        if (!check_is_slow() || (event).status != TELPHER_HOST_UNRESPONSIVE)                     \
            CHECK_ENDED(event, expected);                                                        \
    } while (0)

#define CHECK_CONTAINS(text, part)                                                               \
    do {                                                                                         \
        const char *text_ = (text);                                                              \
        if (text_ == NULL || strstr(text_, (part)) == NULL)                                      \
            check_fail(__FILE__, __LINE__, "\"%s\" does not contain \"%s\"",                     \
                       text_ ? text_ : "(NULL)", (part));                                        \
    } while (0)

/* The event's body is this text. */
#define CHECK_BODY(event, expected)                                                              \
    do {                                                                                         \
        if ((event).body_size != strlen(expected) ||                                             \
            ((event).body_size > 0 &&                                                            \
             memcmp((event).body, (expected), (event).body_size) != 0))                          \
            check_fail(__FILE__, __LINE__, "the body is \"%.*s\", not \"%s\"",                   \
                       (int)(event).body_size, (event).body ? (const char *)(event).body : "",   \
                       (expected));                                                              \
    } while (0)

#define CHECK_LAST_ERROR(part) CHECK_CONTAINS(telpher_last_error(), part)

void check_register(const char *name, const char *file, void (*run)(void));
__attribute__((format(printf, 3, 4))) void check_fail(const char *file, int line,
                                                      const char *format, ...);

/* A text's body. */
#define TEXT(text) TELPHER_BODY((text), strlen(text))

/* As many as usual, or fewer where everything is slow. */
int check_many(int usual);

/* A time limit that is meant to pass: long enough for the hub's verdict to come in time on a
 * machine that is busy with other things, as the wait for it grows with the limit. */
int64_t check_limit_ms(void);

/* True if everything takes many times as long as usual. */
bool check_is_slow(void);

/* A fresh "mem://..." or "unix:///..." each time, in one buffer; a fresh empty directory. */
const char *fresh_memory_url(void);
const char *fresh_unix_url(void);
const char *fresh_tcp_url(void);
const char *fresh_directory(void);

/* The program itself, to be run as another process. */
extern const char *check_program;

/* Opens a hub and waits until it is open. */
telpher_hub open_hub(const char *url, uint32_t drive);
telpher_hub open_memory(void);

/* The outcome of a ticket. */
telpher_event outcome(telpher_hub hub, telpher_id id);

/* Waits for the outcome of a ticket, which must be TELPHER_OK, and releases it. */
void expect_ok(telpher_hub hub, telpher_id id);

/* It ends with an error that changed nothing, whose words contain `words`. */
void expect_words(telpher_hub hub, telpher_id id, telpher_status status, const char *words);
void expect_ended(telpher_hub hub, telpher_id id, telpher_status expected);
void declare_queue(telpher_hub hub, const char *queue);
void send_text(telpher_hub hub, const char *queue, const char *text);
telpher_event receive_one(telpher_hub hub, const char *queue);

/* Declares a queue with these options; a queue's figures, `dead_letter` left out. */
void declare_as(telpher_hub hub, const char *queue, const telpher_declare_options *options);
telpher_queue_info inspect(telpher_hub hub, const char *queue);

/* Settles a delivery and releases it; `reason` may be NULL. */
void settle(telpher_hub hub, telpher_event *job, uint32_t verdict, const char *reason);

/* A live consumer whose deliveries come out of telpher_wait. */
telpher_id consume(telpher_hub hub, const char *queue, const telpher_consume_options *options);

/* Serves `name` on a thread of its own, reversing each body, until stopped. */
struct reverser {
    telpher_hub hub;
    telpher_id service;
    pthread_t thread;
};
void reverser_start(struct reverser *reverser, telpher_hub hub, const char *name,
                    uint32_t concurrency);
void reverser_stop(struct reverser *reverser);

/* Serves `name`; the requests come out of telpher_wait. */
telpher_id serve_waiting(telpher_hub hub, const char *name, uint32_t concurrency);

#endif

/* Other processes: a peer that sends garbage, and a host that is killed. */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in address_of(const char *url) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    return address;
}

/* A hub in this process that listens at `url`. */
static telpher_hub open_listening(const char *url) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_hub hub;
    telpher_id id;
    options.listen = &url;
    options.listen_count = 1;
    CHECK_OK(telpher_open(fresh_memory_url(), &options, NULL, &hub, &id));
    expect_ok(hub, id);
    return hub;
}

static int connect_to(const char *url) {
    struct sockaddr_in address = address_of(url);
    int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(peer, (struct sockaddr *)&address, sizeof address) == 0);
    return peer;
}

/* Reads until the other side has ended the connection. */
static void expect_end(int peer) {
    struct pollfd readable = {.fd = peer, .events = POLLIN};
    char ignored[4096];
    ssize_t size = 1;
    while (size > 0) {
        CHECK(poll(&readable, 1, 60000) == 1);
        size = recv(peer, ignored, sizeof ignored, 0);
    }
    close(peer);
}

static void expect_calls_to_go_on(telpher_hub hub) {
    telpher_id id;
    CHECK_OK(telpher_call(hub, "reverse", &TEXT("part"), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_BODY(event, "trap");
    CHECK_OK(telpher_events_release(&event));
}

TEST(a_peer_that_sends_garbage_is_cut_off_and_everybody_else_goes_on) {
    static const struct {
        const char *bytes;
        size_t size;
    } garbage[] = {
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {"\x00\x00\x00\x80 and then some more that is no frame", 40},
    };
    char url[64];
    struct reverser reverser;
    snprintf(url, sizeof url, "%s", fresh_tcp_url());
    telpher_hub hub = open_listening(url);
    reverser_start(&reverser, hub, "reverse", 1);
    for (size_t at = 0; at < sizeof garbage / sizeof *garbage; at++) {
        int peer = connect_to(url);
        CHECK(send(peer, garbage[at].bytes, garbage[at].size, MSG_NOSIGNAL) > 0);
        expect_end(peer);
        expect_calls_to_go_on(hub);
    }
    reverser_stop(&reverser);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_peer_that_says_half_a_frame_or_nothing_is_cut_off_after_its_time) {
    char url[64];
    struct reverser reverser;
    snprintf(url, sizeof url, "%s", fresh_tcp_url());
    telpher_hub hub = open_listening(url);
    reverser_start(&reverser, hub, "reverse", 1);
    int silent = connect_to(url), slow = connect_to(url), gone = connect_to(url);
    CHECK(send(slow, "\x10", 1, MSG_NOSIGNAL) == 1);
    CHECK(send(gone, "\x10\0", 2, MSG_NOSIGNAL) == 2);
    close(gone);
    expect_calls_to_go_on(hub);
    expect_end(slow);
    expect_end(silent);
    expect_calls_to_go_on(hub);
    reverser_stop(&reverser);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_peer_that_sends_a_byte_a_second_is_cut_off_after_its_time) {
    static const char greeting[] = "\x80\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0TPLR";
    char url[64];
    struct reverser reverser;
    snprintf(url, sizeof url, "%s", fresh_tcp_url());
    telpher_hub hub = open_listening(url);
    reverser_start(&reverser, hub, "reverse", 1);
    struct pollfd peer = {.fd = connect_to(url), .events = POLLIN};
    size_t sent = 0;
    do {
        CHECK(sent < 10);
        CHECK(send(peer.fd, &greeting[sent++], 1, MSG_NOSIGNAL) == 1);
    } while (poll(&peer, 1, 1000) == 0);
    expect_end(peer.fd);
    expect_calls_to_go_on(hub);
    reverser_stop(&reverser);
    CHECK_OK(telpher_close(hub, 0));
}

static void *speak_garbage(void *argument) {
    int listener = *(int *)argument;
    for (int peer; (peer = accept(listener, NULL, NULL)) >= 0; close(peer)) {
        char ignored[4096];
        static const char garbage[] = "220 mail.example ready, not what you look for\r\n";
        send(peer, garbage, sizeof garbage, MSG_NOSIGNAL);
        while (recv(peer, ignored, sizeof ignored, 0) > 0) {
        }
    }
    return NULL;
}

TEST(a_hub_that_speaks_something_else_ends_the_opening_with_an_error) {
    char url[64];
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    struct sockaddr_in address;
    pthread_t thread;
    telpher_hub hub;
    telpher_id id;
    snprintf(url, sizeof url, "%s", fresh_tcp_url());
    address = address_of(url);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 16) == 0);
    CHECK(pthread_create(&thread, NULL, speak_garbage, &listener) == 0);
    options.timeout_ms = 1000;
    CHECK_OK(telpher_open(url, &options, NULL, &hub, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_DONE);
    CHECK(event.status == TELPHER_PROTOCOL || event.status == TELPHER_NO_HOST);
    CHECK(strlen(event.detail) > 0);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
    shutdown(listener, SHUT_RDWR);
    CHECK(pthread_join(thread, NULL) == 0);
    close(listener);
}

TEST(nobody_at_the_address_is_no_host) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_hub hub;
    telpher_id id;
    options.timeout_ms = 200;
    CHECK_OK(telpher_open(fresh_tcp_url(), &options, NULL, &hub, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_NO_HOST);
    CHECK(!event.maybe_executed);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
    options.host = TELPHER_HOST_NEVER;
    CHECK_OK(telpher_open(fresh_directory(), &options, NULL, &hub, &id));
    event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_NO_HOST);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

struct host {
    pid_t process;
    int stays;
};

/* Another process that hosts `directory`. */
static struct host start_host(const char *directory) {
    int in[2], out[2];
    char ready[6] = "";
    struct host host = {0, -1};
    CHECK(pipe(in) == 0 && pipe(out) == 0);
    host.process = fork();
    CHECK(host.process >= 0);
    if (host.process == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execl(check_program, check_program, "--host", directory, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    host.stays = in[1];
    CHECK(read(out[0], ready, 5) == 5 && strcmp(ready, "ready") == 0);
    close(out[0]);
    return host;
}

/* Opens a directory whose notices come out of telpher_poll. */
static telpher_hub open_with_notices(const char *directory) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_done notices = TELPHER_SIZED(telpher_done);
    telpher_hub hub;
    telpher_id id;
    notices.kind = TELPHER_DONE_EVENT;
    notices.user = 5;
    options.notices = &notices;
    CHECK_OK(telpher_open(directory, &options, NULL, &hub, &id));
    expect_ok(hub, id);
    return hub;
}

/* Kills the host, and waits until the handle has heard that another has taken over. */
static void kill_host(struct host host, telpher_hub hub, bool memory_lost) {
    telpher_event event;
    size_t count;
    int status;
    kill(host.process, SIGKILL);
    CHECK(waitpid(host.process, &status, 0) == host.process);
    close(host.stays);
    for (bool changed = false; !changed;) {
        CHECK_OK(telpher_poll(hub, &event, sizeof event, 1, &count, 60000));
        CHECK_EQUAL(count, 1);
        CHECK_EQUAL(event.user, 5);
        if (event.kind == TELPHER_EVENT_NOTICE && event.notice == TELPHER_NOTICE_HUB_CHANGED) {
            CHECK(event.memory_lost == memory_lost);
            CHECK(event.epoch > 1);
            changed = true;
        }
        CHECK_OK(telpher_events_release(&event));
    }
}

TEST(when_the_host_is_killed_the_handle_stays_and_hears_that_the_hub_has_changed) {
    char directory[256];
    telpher_event event;
    telpher_id id, receiving;
    snprintf(directory, sizeof directory, "%s", fresh_directory());
    struct host host = start_host(directory);
    telpher_hub hub = open_with_notices(directory);
    declare_queue(hub, "jobs");
    CHECK_OK(telpher_receive(hub, "jobs", NULL, NULL, &receiving));
    send_text(hub, "jobs", "first");
    event = outcome(hub, receiving);
    CHECK_ENDED(event, TELPHER_OK);
    uint64_t lost = event.token;
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_receive(hub, "jobs", NULL, NULL, &receiving));
    telpher_id service = serve_waiting(hub, "reverse", 1);
    kill_host(host, hub, true);
    CHECK_OK(telpher_settle(hub, lost, TELPHER_ACKNOWLEDGE, NULL, NULL, &id));
    event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_LEASE_LOST);
    CHECK_OK(telpher_events_release(&event));
    /* What the queue held is gone; the queue itself, and who waits at it, are not. */
    CHECK_EQUAL(inspect(hub, "jobs").held, 0);
    send_text(hub, "jobs", "second");
    event = outcome(hub, receiving);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK(event.body_size == 6 && memcmp(event.body, "second", 6) == 0);
    settle(hub, &event, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_call(hub, "reverse", &TEXT("x"), NULL, NULL, &id));
    event = outcome(hub, service);
    while (event.kind == TELPHER_EVENT_STARTED) {
        CHECK_OK(telpher_events_release(&event));
        event = outcome(hub, service);
    }
    CHECK_EQUAL(event.kind, TELPHER_EVENT_REQUEST);
    CHECK_OK(telpher_reply(hub, event.token, &TEXT("y"), NULL, NULL, NULL));
    CHECK_OK(telpher_events_release(&event));
    expect_ok(hub, id);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(what_is_on_disk_outlives_the_host_that_is_killed_and_nothing_has_to_be_said_again) {
    enum { SENDS = 100 };
    char directory[256];
    telpher_id ids[SENDS], batch_id, id;
    telpher_batch batch;
    snprintf(directory, sizeof directory, "%s", fresh_directory());
    struct host host = start_host(directory);
    telpher_hub hub = open_with_notices(directory);
    declare_as(hub, "jobs", NULL);
    CHECK_OK(telpher_send(hub, "jobs", &TEXT("held"), NULL, NULL, &id));
    expect_ok(hub, id);
    telpher_event held = receive_one(hub, "jobs");
    for (int at = 0; at < SENDS; at++) {
        CHECK_OK(telpher_send(hub, "jobs", &TEXT("on its way"), NULL, NULL, &ids[at]));
    }
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("on its way")));
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &batch_id));
    kill_host(host, hub, false);
    for (int at = 0; at < SENDS; at++) {
        expect_ok(hub, ids[at]);
    }
    expect_ok(hub, batch_id);
    CHECK_EQUAL(inspect(hub, "jobs").ready, SENDS + 1);
    CHECK_EQUAL(inspect(hub, "jobs").held, 1);
    settle(hub, &held, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_EQUAL(inspect(hub, "jobs").held, 0);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

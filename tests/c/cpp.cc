// The header from C++17: both macros, a callback, and a handler that throws.
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

#include <telpher.h>

namespace {

int passed = 0;
int failed = 0;

void check(bool condition, const char *what) {
    (condition ? passed : failed) += 1;
    if (!condition) {
        std::fprintf(stderr, "FAILED %s (last error: %s)\n", what, telpher_last_error());
    }
}

std::string handle(const telpher_event &request) {
    if (request.body_size == 0) {
        throw std::runtime_error("nothing to greet");
    }
    return "hello " + std::string(static_cast<const char *>(request.body), request.body_size);
}

telpher_hub hub;

// An exception must not leave a callback: it becomes a failure that the caller sees.
void on_request(const telpher_event *event, uint64_t) {
    if (event->kind != TELPHER_EVENT_REQUEST) {
        return;
    }
    try {
        std::string answer = handle(*event);
        telpher_message message = TELPHER_BODY(answer.data(), answer.size());
        telpher_reply(hub, event->token, &message, nullptr, nullptr, nullptr);
    } catch (const std::exception &error) {
        telpher_failure failure = TELPHER_SIZED(telpher_failure);
        failure.code = 7;
        failure.text = error.what();
        telpher_reply(hub, event->token, nullptr, &failure, nullptr, nullptr);
    }
}

telpher_event call(const char *name) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_message message = TELPHER_BODY(name, std::strlen(name));
    telpher_id id = 0;
    check(telpher_call(hub, "greet", &message, nullptr, nullptr, &id) == TELPHER_OK, "call");
    check(telpher_wait(hub, id, 0, &event) == TELPHER_OK, "wait");
    return event;
}

telpher_event outcome(telpher_id id) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    check(telpher_wait(hub, id, 0, &event) == TELPHER_OK && event.id == id, "outcome");
    return event;
}

void streams() {
    telpher_id id = 0;
    telpher_stream_options made = TELPHER_SIZED(telpher_stream_options);
    made.partitions = 2;
    check(telpher_stream_declare(hub, "log", &made, nullptr, &id) == TELPHER_OK, "declare");
    telpher_event event = outcome(id);
    check(event.status == TELPHER_OK, "a stream is declared");
    telpher_events_release(&event);

    telpher_append_options to = TELPHER_SIZED(telpher_append_options);
    to.has_partition = to.has_expect = 1;
    to.partition = 1;
    telpher_message message = TELPHER_BODY("entry", 5);
    check(telpher_append(hub, "log", &message, &to, nullptr, &id) == TELPHER_OK, "append");
    event = outcome(id);
    check(event.status == TELPHER_OK && event.partition == 1 && event.offset == 0, "appended");
    telpher_events_release(&event);

    telpher_read_options from = TELPHER_SIZED(telpher_read_options);
    from.start = TELPHER_START_BEGINNING;
    check(telpher_read(hub, "log", &from, nullptr, &id) == TELPHER_OK, "read");
    const uint32_t kinds[] = {TELPHER_EVENT_STARTED, TELPHER_EVENT_RECORD, TELPHER_EVENT_DONE};
    for (uint32_t kind : kinds) {
        event = outcome(id);
        check(event.kind == kind && event.status == TELPHER_OK, "one event after the other");
        check(kind != TELPHER_EVENT_RECORD ||
                  std::string(static_cast<const char *>(event.body), event.body_size) == "entry",
              "the record is what was appended");
        telpher_events_release(&event);
    }
}

}  // namespace

int main() {
    telpher_id id = 0;
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_done done = TELPHER_SIZED(telpher_done);
    done.kind = TELPHER_DONE_CALLBACK;
    done.fn = on_request;
    check(telpher_open("mem://cpp", nullptr, nullptr, &hub, &id) == TELPHER_OK, "open");
    check(telpher_wait(hub, id, 0, &event) == TELPHER_OK && event.status == TELPHER_OK, "opened");
    telpher_events_release(&event);
    check(telpher_serve(hub, "greet", nullptr, &done, nullptr) == TELPHER_OK, "serve");

    event = call("world");
    check(event.status == TELPHER_OK, "a greeting is answered");
    check(std::string(static_cast<const char *>(event.body), event.body_size) == "hello world",
          "the answer is the greeting");
    telpher_events_release(&event);

    event = call("");
    check(event.status == TELPHER_REMOTE && event.code == 7, "what is thrown is REMOTE");
    check(std::strcmp(event.detail, "nothing to greet") == 0, "with its words");
    telpher_events_release(&event);

    streams();

    check(telpher_close(hub, 0) == TELPHER_OK, "close");
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

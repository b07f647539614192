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

    check(telpher_close(hub, 0) == TELPHER_OK, "close");
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

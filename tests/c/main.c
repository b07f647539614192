/* Runs the C tests: all of them, or those whose name contains the first argument.
 *
 * `c-test --host DIRECTORY` is the other process of some of them: it hosts a directory's hub, says
 * `ready`, and stays until its standard input ends. */
#include "check.h"

#include <unistd.h>

int check_run(const char *only);

const char *check_program;

static int host(const char *directory) {
    telpher_hub hub;
    telpher_id id;
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    options.host = TELPHER_HOST_ALWAYS;
    char ignored;
    if (telpher_open(directory, &options, NULL, &hub, &id) != TELPHER_OK ||
        telpher_wait(hub, id, 0, &event) != TELPHER_OK || event.status != TELPHER_OK) {
        fprintf(stderr, "%s %s\n", telpher_last_error(), event.detail ? event.detail : "");
        return 1;
    }
    telpher_events_release(&event);
    printf("ready\n");
    fflush(stdout);
    while (read(0, &ignored, 1) > 0) {
    }
    return telpher_close(hub, 0) == TELPHER_OK ? 0 : 1;
}

int main(int count, char **arguments) {
    check_program = arguments[0];
    if (count == 3 && strcmp(arguments[1], "--host") == 0) {
        return host(arguments[2]);
    }
    return check_run(count > 1 ? arguments[1] : NULL);
}

/* The test runner. */
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

enum { TESTS_MAX = 200, TEST_SECONDS_MAX = 120 };

static struct {
    const char *name;
    const char *file;
    void (*run)(void);
} tests[TESTS_MAX];
static int tests_count;

static const char *current;
static jmp_buf after_failure;
static pthread_t runner;
static volatile int failed_elsewhere;

void check_register(const char *name, const char *file, void (*run)(void)) {
    if (tests_count == TESTS_MAX) {
        fprintf(stderr, "more than %d tests\n", TESTS_MAX);
        exit(2);
    }
    tests[tests_count].name = name;
    tests[tests_count].file = file;
    tests[tests_count].run = run;
    tests_count++;
}

void check_fail(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: %s: ", file, line, current);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    if (pthread_equal(pthread_self(), runner)) {
        longjmp(after_failure, 1);
    }
    failed_elsewhere = 1;
    pthread_exit(NULL);
}

int check_many(int usual) {
    return check_is_slow() ? usual / 100 : usual;
}

int64_t check_limit_ms(void) {
    return check_is_slow() ? 5000 : 3000;
}

bool check_is_slow(void) {
    return getenv("TELPHER_TEST_SLOW") != NULL;
}

static void too_late(int signal) {
    static const char text[] = "\na test did not end in time: ";
    (void)signal;
    (void)!write(2, text, sizeof text - 1);
    (void)!write(2, current, strlen(current));
    (void)!write(2, "\n0 passed, 1 failed\n", 20);
    _exit(1);
}

int check_run(const char *only) {
    volatile int passed = 0, failed = 0;
    runner = pthread_self();
    signal(SIGALRM, too_late);
    for (volatile int at = 0; at < tests_count; at++) {
        if (only != NULL && strstr(tests[at].name, only) == NULL) {
            continue;
        }
        current = tests[at].name;
        failed_elsewhere = 0;
        alarm(TEST_SECONDS_MAX);
        int ended = setjmp(after_failure);
        if (ended == 0) {
            tests[at].run();
        }
        alarm(0);
        if (ended == 0 && !failed_elsewhere) {
            passed++;
        } else {
            failed++;
            fprintf(stderr, "FAILED %s (%s)\n", tests[at].name, tests[at].file);
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}

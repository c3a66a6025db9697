// system.c: calls of the system, the beginning and the end, and a clock that stands still.

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// Numbers of system calls of 32-bit x86 Linux.
enum {
    CALL_EXIT = 1,
    CALL_READ = 3,
    CALL_WRITE = 4,
    CALL_OPEN = 5,
    CALL_CLOSE = 6,
    CALL_UNLINK = 10,
    CALL_LSEEK = 19,
    CALL_BRK = 45,
    CALL_MPROTECT = 125,
    CALL_GETCWD = 183
};

// In start.M0; a negative result is an error.
int system_call(int number, int a, int b, int c);

int errno;
char **environ;

// The result of a system call as C functions give it: -1 for an error, whose number is in errno.
static int checked(int result)
{
    if (result < 0 && result > -4096) {
        errno = -result;
        return -1;
    }
    return result;
}

// ---- files ----

int open(const char *name, int flags, ...)
{
    va_list list;
    int mode = 0;
    va_start(list, flags);
    if (flags & O_CREAT) {
        mode = va_arg(list, int);
    }
    va_end(list);
    return checked(system_call(CALL_OPEN, (int)name, flags, mode));
}

int close(int descriptor)
{
    return checked(system_call(CALL_CLOSE, descriptor, 0, 0));
}

ssize_t read(int descriptor, void *to, size_t count)
{
    return checked(system_call(CALL_READ, descriptor, (int)to, count));
}

ssize_t write(int descriptor, const void *from, size_t count)
{
    return checked(system_call(CALL_WRITE, descriptor, (int)from, count));
}

long lseek(int descriptor, long offset, int whence)
{
    return checked(system_call(CALL_LSEEK, descriptor, offset, whence));
}

int unlink(const char *name)
{
    return checked(system_call(CALL_UNLINK, (int)name, 0, 0));
}

int remove(const char *name)
{
    return unlink(name);
}

char *getcwd(char *to, size_t size)
{
    if (checked(system_call(CALL_GETCWD, (int)to, size, 0)) < 0) {
        return NULL;
    }
    return to;
}

int mprotect(void *start, size_t size, int protection)
{
    return checked(system_call(CALL_MPROTECT, (int)start, size, protection));
}

// Programs here start no others.
int execvp(const char *name, char **arguments)
{
    errno = ENOSYS;
    return -1;
}

// ---- the beginning and the end ----

// Called by _start, which then calls main and exit.
void start_environment(char **variables)
{
    environ = variables;
}

void exit(int status)
{
    fflush(NULL);
    for (;;) {
        system_call(CALL_EXIT, status, 0, 0);
    }
}

// Ends with the status that a shell tells after SIGABRT.
void abort(void)
{
    exit(134);
}

void assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s is not so\n", file, line, condition);
    abort();
}

char *getenv(const char *name)
{
    size_t length = strlen(name);
    char **variable;
    for (variable = environ; *variable; variable++) {
        if (!strncmp(*variable, name, length) && (*variable)[length] == '=') {
            return *variable + length + 1;
        }
    }
    return NULL;
}

// ---- the clock ----

time_t time(time_t *now)
{
    if (now) {
        *now = 0;
    }
    return 0;
}

int gettimeofday(struct timeval *now, void *zone)
{
    now->tv_sec = 0;
    now->tv_usec = 0;
    return 0;
}

// 1 January 1970, a Thursday, whatever the time.
struct tm *localtime(const time_t *when)
{
    static struct tm epoch;
    epoch.tm_mday = 1;
    epoch.tm_year = 70;
    epoch.tm_wday = 4;
    return &epoch;
}

// ---- one thread ----

int sem_init(sem_t *semaphore, int shared, unsigned value)
{
    return 0;
}

int sem_post(sem_t *semaphore)
{
    return 0;
}

int sem_wait(sem_t *semaphore)
{
    return 0;
}

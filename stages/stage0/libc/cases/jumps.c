// jumps.c: jumps out of functions, arguments, the environment, and the clock that stands still.

#include "all.c"

static jmp_buf place;

static void deep(int depth, int value)
{
    char here[100];
    here[depth % 100] = 1;
    if (depth) {
        deep(depth - here[depth % 100], value);
    }
    longjmp(place, value);
}

static int sum(int count, ...)
{
    va_list list;
    va_list again;
    int total = 0;
    int i;
    va_start(list, count);
    va_copy(again, list);
    for (i = 0; i < count; i++) {
        total = total + va_arg(list, int);
    }
    total = total * 1000 + (int)va_arg(list, double);
    total = total + va_arg(again, int);
    va_end(list);
    return total;
}

int main(int argc, char **argv)
{
    volatile int rounds = 0;
    time_t now = 5;
    struct timeval clock;
    int value = setjmp(place);
    rounds++;
    if (value != (rounds == 2 ? 1 : rounds - 1)) {
        return 1;
    }
    if (rounds < 5) {
        deep(rounds * 10, rounds == 1 ? 0 : rounds);
    }
    if (sum(3, 1, 2, 3, 7.5) != 6008) {
        return 2;
    }
    if (argc != 3 || strcmp(argv[1], "one") || strcmp(argv[2], "") || argv[3]) {
        return 3;
    }
    if (getenv("HOME") || getenv("")) {
        return 4;
    }
    gettimeofday(&clock, NULL);
    if (time(&now) || now || clock.tv_sec || clock.tv_usec) {
        return 5;
    }
    if (localtime(&now)->tm_year != 70 || localtime(&now)->tm_mday != 1) {
        return 6;
    }
    // A status that only exit gives.
    exit(42);
}

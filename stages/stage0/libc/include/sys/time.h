// sys/time.h: the clock that stands still, with parts of a second.
#ifndef SYS_TIME_H
#define SYS_TIME_H

#include <time.h>

struct timeval {
    long tv_sec;
    long tv_usec;
};

int gettimeofday(struct timeval *now, void *zone);

#endif

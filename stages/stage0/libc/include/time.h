// time.h: the clock stands still at the beginning of 1970, so that no output depends on it.
#ifndef TIME_H
#define TIME_H

typedef long time_t;

struct tm {
    int tm_sec;
    int tm_min;
    int tm_hour;
    int tm_mday;
    int tm_mon;
    int tm_year;
    int tm_wday;
    int tm_yday;
    int tm_isdst;
};

time_t time(time_t *now);
struct tm *localtime(const time_t *when);

#endif

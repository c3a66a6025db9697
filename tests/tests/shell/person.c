/* The other side of a person at `stxl shell`: answers one line for every line it is given. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void answer(const char *line) {
    if (!strcmp(line, "size")) {
        struct winsize size;
        if (ioctl(0, TIOCGWINSZ, &size)) { puts("no size"); return; }
        printf("size %d %d\n", size.ws_row, size.ws_col);
    } else if (!strcmp(line, "terminal")) {
        const char *name = ttyname(0);
        printf("terminal %s %s\n", name ? name : "none",
               tcgetpgrp(0) == getpgrp() && getsid(0) == getpid() ? "controls" : "is foreign");
    } else if (!strcmp(line, "kind")) {
        const char *kind = getenv("TERM");
        printf("kind %s\n", kind ? kind : "unset");
    } else if (!strcmp(line, "complain")) {
        fprintf(stderr, "a complaint\n");
        puts("complained");
    } else if (!strncmp(line, "quit ", 5)) {
        exit(atoi(line + 5));
    } else {
        printf("got %s\n", line);
    }
}

int main(int count, char **words) {
    static char line[1 << 16];
    if (count >= 2 && !strcmp(words[1], "fail")) {
        FILE *left = fopen("/out/left", "w");
        if (left) { fputs("what it's left", left); fclose(left); }
        return 3;
    }
    if (count == 3 && !strcmp(words[1], "show")) {
        FILE *file = fopen(words[2], "r");
        size_t size = file ? fread(line, 1, sizeof line, file) : 0;
        if (!file) return 4;
        fwrite(line, 1, size, stdout);
        return 0;
    }
    if (count == 2 && !strcmp(words[1], "copy")) {
        size_t size;
        while ((size = fread(line, 1, sizeof line, stdin)) > 0) fwrite(line, 1, size, stdout);
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        answer(line);
    }
    puts("end of input");
    return 0;
}

/* What a step of a test runs: does what its words say, one after the other. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void copy(const char *from, const char *to) {
    static char bytes[1 << 16];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    size_t size;
    if (!in || !out) { printf("no %s\n", in ? to : from); exit(4); }
    while ((size = fread(bytes, 1, sizeof bytes, in)) > 0) fwrite(bytes, 1, size, out);
    fclose(in);
    fclose(out);
}

/* A file says whether the step waits for ever, fails or goes on. */
static void obey(const char *path) {
    char order[16] = "";
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%15s", order) != 1) exit(4);
    fclose(file);
    if (!strcmp(order, "wait")) {
        puts("waiting");
        for (;;) pause();
    }
    if (!strcmp(order, "fail")) exit(3);
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < count; i++) {
        char *verb = words[i], *first = strchr(verb, '='), *second;
        if (!first) continue;
        *first++ = 0;
        second = strchr(first, '=');
        if (second) *second++ = 0;
        if (!strcmp(verb, "say")) puts(first);
        else if (!strcmp(verb, "sleep")) usleep(1000 * atoi(first));
        else if (!strcmp(verb, "obey")) obey(first);
        else if (!strcmp(verb, "copy")) copy(first, second);
        else if (!strcmp(verb, "nice")) printf("%s%d\n", first, getpriority(PRIO_PROCESS, 0));
        else if (!strcmp(verb, "fail")) exit(atoi(first));
        else { printf("what is %s?\n", verb); return 5; }
    }
    return 0;
}

/* The program inside the sandboxes of the build tests: a few verbs, no shell, no library. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int out_file(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) { perror(path); exit(90); }
    return fd;
}

static void put(int fd, const void *bytes, size_t size) {
    if (write(fd, bytes, size) != (ssize_t)size) { perror("write"); exit(91); }
}

static void append(int fd, const char *path) {
    char buffer[65536];
    ssize_t size;
    int in = open(path, O_RDONLY);
    if (in < 0) { perror(path); exit(92); }
    while ((size = read(in, buffer, sizeof buffer)) > 0) put(fd, buffer, (size_t)size);
    close(in);
}

/* Takes tokens for so many milliseconds, writes how many, holds them for as long as it is told, and
   puts back as many and some that were never given. */
static int tokens(const char *out, long take_ms, long hold_ms, int more) {
    const char *flags = getenv("MAKEFLAGS");
    const char *auth = flags ? strstr(flags, "--jobserver-auth=fifo:") : NULL;
    if (!auth) { fprintf(stderr, "no FIFO in `%s`\n", flags ? flags : ""); return 86; }
    int fd = open(strchr(auth, ':') + 1, O_RDWR | O_NONBLOCK);
    if (fd < 0) { perror(auth); return 85; }
    struct timespec pause = {0, 1000000}, hold = {hold_ms / 1000, hold_ms % 1000 * 1000000};
    int count = 0;
    for (long ms = 0; ms < take_ms; ms++) {
        char token;
        while (read(fd, &token, 1) == 1) count++;
        nanosleep(&pause, NULL);
    }
    char text[16];
    put(out_file(out), text, (size_t)snprintf(text, sizeof text, "%d", count));
    nanosleep(&hold, NULL);
    for (int i = 0; i < count + more; i++) put(fd, "x", 1);
    return 0;
}

/* What make does: copies each source that is newer than its object, and writes which. */
static void compile(const char *made, char **sources) {
    int list = out_file(made);
    for (; *sources; sources++) {
        char object[300];
        struct stat source, old;
        snprintf(object, sizeof object, "%s.o", *sources);
        if (stat(*sources, &source) != 0) { perror(*sources); exit(83); }
        if (stat(object, &old) == 0 &&
            (old.st_mtim.tv_sec > source.st_mtim.tv_sec ||
             (old.st_mtim.tv_sec == source.st_mtim.tv_sec &&
              old.st_mtim.tv_nsec >= source.st_mtim.tv_nsec))) continue;
        append(out_file(object), *sources);
        put(list, *sources, strlen(*sources));
        put(list, " ", 1);
    }
}

static void put_text(const char *path, const char *text) { put(out_file(path), text, strlen(text)); }

/* What one thing of the world around decides, into a file; whether the verb is one of these. */
static int tell(const char *verb, const char *path) {
    char text[4096] = "";
    if (!strcmp(verb, "host")) {
        gethostname(text, sizeof text);
    } else if (!strcmp(verb, "user")) {
        sprintf(text, "%d", getuid());
    } else if (!strcmp(verb, "path")) {
        if (!getcwd(text, sizeof text)) return 0;
    } else if (!strcmp(verb, "umask")) {
        sprintf(text, "%o", umask(0));
    } else if (!strcmp(verb, "kernel")) {
        struct utsname name;
        uname(&name);
        sprintf(text, "%s %s", name.release, name.version);
    } else if (!strcmp(verb, "address")) {
        sprintf(text, "%p", sbrk(0)); /* the stack moves with the environment, too */
    } else if (!strcmp(verb, "pid")) {
        sprintf(text, "%d", getpid());
    } else if (!strcmp(verb, "medium")) {
        struct statfs system;
        statfs("/tmp", &system);
        sprintf(text, "%lx", (long)system.f_type);
    } else if (!strcmp(verb, "processors")) {
        cpu_set_t set;
        sched_getaffinity(0, sizeof set, &set);
        sprintf(text, "%d %s", CPU_COUNT(&set), getenv("JOBS"));
    } else if (!strcmp(verb, "seconds")) {
        sprintf(text, "%ld", (long)time(NULL));
    } else if (!strcmp(verb, "entries")) {
        struct dirent *entry;
        DIR *directory;
        mkdir("/tmp/entries", 0755);
        for (int i = 0; i < 20; i++) {
            sprintf(text, "/tmp/entries/%d", i);
            close(out_file(text));
        }
        text[0] = 0;
        directory = opendir("/tmp/entries");
        while ((entry = readdir(directory))) strcat(strcat(text, entry->d_name), " ");
    } else if (!strcmp(verb, "race")) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
        for (int worker = 0; worker < 4; worker++)
            if (fork() == 0) {
                for (int i = 0; i < 300; i++) { put(fd, &"abcd"[worker], 1); sched_yield(); }
                _exit(0);
            }
        while (wait(NULL) > 0) {}
        return 1;
    } else {
        return 0;
    }
    put_text(path, text);
    return 1;
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "";
    if (!strcmp(verb, "write") && argc == 4) {
        put(out_file(argv[2]), argv[3], strlen(argv[3]));
    } else if (!strcmp(verb, "cat") && argc >= 3) {
        int fd = out_file(argv[2]);
        for (int i = 3; i < argc; i++) append(fd, argv[i]);
    } else if (!strcmp(verb, "head") && argc == 4) { /* first byte of a file */
        char byte;
        int in = open(argv[3], O_RDONLY);
        if (in < 0 || read(in, &byte, 1) != 1) { perror(argv[3]); return 93; }
        put(out_file(argv[2]), &byte, 1);
    } else if (!strcmp(verb, "say") && argc == 3) {
        printf("%s\n", argv[2]);
    } else if (!strcmp(verb, "count") && argc == 3) { /* that many lines */
        for (int i = 1; i <= atoi(argv[2]); i++) printf("line %d\n", i);
    } else if (!strcmp(verb, "sleep") && argc == 3) {
        long ms = atol(argv[2]);
        struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
        nanosleep(&pause, NULL);
    } else if (!strcmp(verb, "random") && argc == 3) { /* same first 8 bytes, other later ones */
        unsigned char bytes[16] = "constant";
        if (getrandom(bytes + 8, 8, 0) != 8) return 94;
        bytes[8] |= 1;
        put(out_file(argv[2]), bytes, 16);
    } else if (!strcmp(verb, "env") && argc == 4) { /* the value of a variable into a file */
        const char *value = getenv(argv[3]);
        put(out_file(argv[2]), value ? value : "unset", strlen(value ? value : "unset"));
    } else if (!strcmp(verb, "sparse") && argc == 4) { /* a hole of that many GiB */
        if (ftruncate(out_file(argv[2]), atoll(argv[3]) << 30) != 0) { perror(argv[2]); return 95; }
    } else if (!strcmp(verb, "fill") && argc == 4) { /* a file of that many MiB */
        static char block[1 << 20];
        int fd = out_file(argv[2]);
        memset(block, 1, sizeof block);
        for (int i = 0; i < atoi(argv[3]); i++) put(fd, block, sizeof block);
    } else if (!strcmp(verb, "deep") && argc == 4) { /* so many directories in each other */
        if (mkdir(argv[2], 0755) != 0 || chdir(argv[2]) != 0) { perror(argv[2]); return 96; }
        for (int i = 0; i < atoi(argv[3]); i++)
            if (mkdir("d", 0755) != 0 || chdir("d") != 0) { perror("d"); return 97; }
        if (mkdir("closed", 0) != 0) { perror("closed"); return 98; }
    } else if (!strcmp(verb, "remove") && argc == 3) {
        if (remove(argv[2]) != 0) { perror(argv[2]); return 87; }
    } else if (!strcmp(verb, "gone") && argc == 3) { /* nothing is there, in the directory neither */
        struct stat status;
        if (lstat(argv[2], &status) == 0) { fprintf(stderr, "%s is there\n", argv[2]); return 88; }
    } else if (!strcmp(verb, "tokens") && argc == 6) {
        return tokens(argv[2], atol(argv[3]), atol(argv[4]), atoi(argv[5]));
    } else if (argc == 3 && tell(verb, argv[2])) {
    } else if (!strcmp(verb, "compile") && argc >= 3) {
        compile(argv[2], argv + 3);
    } else if (!strcmp(verb, "hide") && argc == 3) { /* what lies below, by a folder of its own */
        if (access("new/later", F_OK) == 0) { put_text(argv[2], "seen"); return 0; }
        if (remove("new/c") != 0 || remove("new") != 0 || mkdir("new", 0755) != 0) { perror("new"); return 82; }
        put_text("new/c", "mine");
        put_text(argv[2], "hidden");
    } else if (!strcmp(verb, "link") && argc == 4) {
        if (symlink(argv[2], argv[3]) != 0) { perror(argv[3]); return 84; }
    } else if (!strcmp(verb, "user-is") && argc == 3) {
        if (getuid() != (uid_t)atoi(argv[2])) { printf("the user is %d\n", getuid()); return 86; }
    } else if (!strcmp(verb, "fail") && argc == 3) {
        fprintf(stderr, "failing with %s\n", argv[2]);
        return atoi(argv[2]);
    } else {
        fprintf(stderr, "unknown verb `%s`\n", verb);
        return 99;
    }
    return 0;
}

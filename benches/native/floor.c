/* The least that a sandboxed build can cost: `floor LOWER SCRATCH LAUNCHES PARALLEL`.
 *
 * Every launch makes a process in new user, mount, pid, network, ipc, uts and cgroup namespaces,
 * mounts an overlay of LOWER with its upper layer in memory, makes it the root, executes
 * `/tool /out/p00000`, and waits for it. Nothing is sealed, hashed, recorded or guarded. Started
 * by root, it first becomes an ordinary user, as stxl does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *lower;
static const char *scratch;
static uid_t uid;
static gid_t gid;

static void check(long result, const char *what) {
    if (result < 0) {
        perror(what);
        _exit(111);
    }
}

static void write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    check(file, path);
    check(write(file, text, strlen(text)), path);
    close(file);
}

static int inside(void *unused) {
    (void)unused;
    char text[4096];
    write_file("/proc/self/setgroups", "deny");
    snprintf(text, sizeof text, "0 %u 1", uid);
    write_file("/proc/self/uid_map", text);
    snprintf(text, sizeof text, "0 %u 1", gid);
    write_file("/proc/self/gid_map", text);
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
    check(mount("tmpfs", scratch, "tmpfs", MS_NOSUID, "mode=0755"), "tmpfs");
    check(chdir(scratch), "chdir");
    check(mkdir("upper", 0755), "upper");
    check(mkdir("upper/out", 0755), "upper/out");
    check(mkdir("work", 0755), "work");
    check(mkdir("root", 0755), "root");
    snprintf(text, sizeof text, "lowerdir=%s,upperdir=upper,workdir=work,userxattr", lower);
    check(mount("overlay", "root", "overlay", MS_NOSUID, text), "overlay");
    check(chdir("root"), "chdir root");
    check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    check(umount2(".", MNT_DETACH), "detach");
    check(chdir("/"), "chdir /");
    char *const arguments[] = {"/tool", "/out/p00000", NULL};
    char *const environment[] = {NULL};
    execve(arguments[0], arguments, environment);
    perror("execve");
    return 111;
}

static void launch(void) {
    static char stack[65536] __attribute__((aligned(16)));
    int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
    pid_t child = clone(inside, stack + sizeof stack, flags, NULL);
    check(child, "clone");
    int status;
    check(waitpid(child, &status, 0), "waitpid");
    if (status != 0) {
        fprintf(stderr, "a launch ended with status %x\n", (unsigned)status);
        _exit(112);
    }
}

int main(int count, char **words) {
    if (count != 5) {
        fprintf(stderr, "usage: floor LOWER SCRATCH LAUNCHES PARALLEL\n");
        return 2;
    }
    lower = words[1];
    scratch = words[2];
    int launches = atoi(words[3]);
    int parallel = atoi(words[4]);
    if (getuid() == 0) {
        check(setresgid(65534, 65534, 65534), "setresgid");
        check(setresuid(65534, 65534, 65534), "setresuid");
        /* Else the files of /proc/self stay root's. */
        check(prctl(PR_SET_DUMPABLE, 1), "dumpable");
    }
    uid = getuid();
    gid = getgid();
    for (int worker = 0; worker < parallel; worker++) {
        pid_t child = fork();
        check(child, "fork");
        if (child == 0) {
            for (int launched = worker; launched < launches; launched += parallel)
                launch();
            _exit(0);
        }
    }
    int failed = 0;
    for (int worker = 0; worker < parallel; worker++) {
        int status;
        check(wait(&status), "wait");
        failed |= status != 0;
    }
    return failed;
}

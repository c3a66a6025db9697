/* Runs inside a sandbox and tries to get out of it: `probe ATTEMPT [ARGUMENT...]`.
   Exit status: 0 the attempt succeeded, 10 it was refused, 20 the attempt itself is broken. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

enum { OUT = 0, REFUSED = 10, BROKEN = 20 };

static int verdict(int succeeded) {
  if (!succeeded) printf("refused: %s\n", strerror(errno));
  return succeeded ? OUT : REFUSED;
}

static const char *arg(char **args, int index) {
  for (int i = 0; i <= index; i++)
    if (!args[i]) exit(BROKEN);
  return args[index];
}

static int new_file(const char *path, mode_t mode) {
  unlink(path);
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, mode);
  if (fd < 0) exit(BROKEN);
  return fd;
}

/* --- what is outside --- */

static int loopback(char **args) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arg(args, 0)))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  return verdict(connect(fd, (void *)&address, sizeof address) == 0);
}

static int abstract_socket(char **args) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(arg(args, 0));
  memcpy(address.sun_path + 1, args[0], length);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return verdict(connect(fd, (void *)&address,
                         offsetof(struct sockaddr_un, sun_path) + 1 + length) == 0);
}

static int interfaces(char **args) {
  (void)args;
  char name[64];
  FILE *file = fopen("/proc/self/net/dev", "r");
  int foreign = 0;
  char line[512];
  if (!file) return BROKEN;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, " %60[^: ]:", name) == 1 && strchr(line, ':') && strcmp(name, "lo") != 0)
      foreign++;
  errno = 0;
  return verdict(foreign > 0);
}

static int signal_host(char **args) {
  return verdict(kill(atoi(arg(args, 0)), 0) == 0 || errno != ESRCH);
}

static int see_processes(char **args) {
  (void)args;
  DIR *proc = opendir("/proc");
  int foreign = 0;
  if (!proc) return BROKEN;
  for (struct dirent *entry; (entry = readdir(proc));) {
    int pid = atoi(entry->d_name);
    if (pid > 1 && pid != getpid()) foreign++;
  }
  errno = 0;
  return verdict(foreign > 0);
}

static int ipc_make(char **args) { return shmget(atoi(arg(args, 0)), 4096, IPC_CREAT | 0666) < 0 ? BROKEN : OUT; }
static int ipc_remove(char **args) {
  return shmctl(shmget(atoi(arg(args, 0)), 0, 0), IPC_RMID, NULL) ? BROKEN : OUT;
}
static int ipc_find(char **args) { return verdict(shmget(atoi(arg(args, 0)), 0, 0) >= 0); }

static int same_namespace(char **args) {
  char path[64], link[64] = "";
  snprintf(path, sizeof path, "/proc/self/ns/%s", arg(args, 0));
  if (readlink(path, link, sizeof link - 1) < 0) return BROKEN;
  errno = 0;
  return verdict(strcmp(link, arg(args, 1)) == 0);
}

static int read_file(char **args) {
  char byte;
  int fd = open(arg(args, 0), O_RDONLY);
  return verdict(fd >= 0 && read(fd, &byte, 1) == 1);
}

static int open_for_writing(char **args) { return verdict(open(arg(args, 0), O_WRONLY) >= 0); }

static int write_file(char **args) {
  int fd = open(arg(args, 0), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  return verdict(fd >= 0 && write(fd, "changed\n", 8) == 8);
}

static int dump_environment(char **args) {
  extern char **environ;
  (void)args;
  for (char **entry = environ; *entry; entry++) puts(*entry);
  return OUT;
}

/* --- privilege --- */

static int outside_root(char **args) {
  (void)args;
  unsigned inside, outside, count;
  FILE *map = fopen("/proc/self/uid_map", "r");
  if (!map || fscanf(map, "%u %u %u", &inside, &outside, &count) != 3) return BROKEN;
  errno = 0;
  return verdict(outside == 0);
}

static int other_ids(char **args) {
  (void)args;
  errno = 0;
  return verdict(getuid() != 0 || getgid() != 0 || setuid(1) == 0);
}

static int override_permissions(char **args) {
  (void)args;
  close(new_file("/tmp/closed", 0));
  return verdict(open("/tmp/closed", O_RDONLY) >= 0);
}

static int new_privileges(char **args) {
  (void)args;
  errno = 0;
  return verdict(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
}

static int setuid_honoured(char **args) {
  (void)args;
  struct statvfs root;
  if (statvfs("/", &root)) return BROKEN;
  errno = 0;
  return verdict(!(root.f_flag & ST_NOSUID) || !(root.f_flag & ST_NODEV));
}

/* --- mounts and namespaces --- */

static int mount_tmpfs(char **args) { (void)args; return verdict(mount("none", "/tmp", "tmpfs", 0, "") == 0); }
static int remount_dev(char **args) {
  (void)args;
  return verdict(mount("none", "/dev", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC, "") == 0);
}
static int unmount_tmp(char **args) { (void)args; return verdict(umount2("/tmp", MNT_DETACH) == 0); }
static int clone_mount(char **args) { (void)args; return verdict(syscall(SYS_open_tree, AT_FDCWD, "/tmp", 1) >= 0); }
static int unshare_user(char **args) { (void)args; return verdict(unshare(CLONE_NEWUSER) == 0); }
static int unshare_mount(char **args) { (void)args; return verdict(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0); }
static int clone_user(char **args) {
  (void)args;
  long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return verdict(pid > 0);
}
static int clone3_user(char **args) {
  (void)args;
  struct { uint64_t flags, pidfd, child, parent, exit_signal, rest[6]; } request = {
      .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long pid = syscall(435, &request, 64);
  if (pid == 0) _exit(0);
  return verdict(pid > 0);
}
static int enter_namespace(char **args) {
  (void)args;
  int fd = open("/proc/self/ns/uts", O_RDONLY);
  return verdict(setns(fd, CLONE_NEWUTS) == 0);
}

/* --- setuid files: true if the file has a set-id bit afterwards --- */

static int has_setid(const char *path) {
  struct stat status;
  int saved = errno;
  int found = stat(path, &status) == 0 && (status.st_mode & 06000);
  errno = saved;
  return verdict(found);
}

static int setid(char **args) {
  const char *way = arg(args, 0), *path = "/tmp/setid";
  struct { uint64_t flags, mode, resolve; } how = {O_CREAT | O_WRONLY, 04755, 0};
  int fd;
  errno = 0;
  unlink(path);
  if (!strcmp(way, "open")) syscall(SYS_open, path, O_CREAT | O_WRONLY, 04755);
  else if (!strcmp(way, "openat")) syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY, 02755);
  else if (!strcmp(way, "creat")) syscall(SYS_creat, path, 04755);
  else if (!strcmp(way, "openat2")) syscall(437, AT_FDCWD, path, &how, sizeof how);
  else if (!strcmp(way, "mknod")) syscall(SYS_mknod, path, S_IFREG | 04755, 0);
  else if (!strcmp(way, "mknodat")) syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | 04755, 0);
  else if (!strcmp(way, "tmpfile")) {
    struct stat status;
    fd = syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_WRONLY, 04755);
    return verdict(fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 04000));
  } else {
    fd = new_file(path, 0755);
    errno = 0;
    if (!strcmp(way, "chmod")) syscall(SYS_chmod, path, 04755);
    else if (!strcmp(way, "fchmod")) syscall(SYS_fchmod, fd, 06755);
    else if (!strcmp(way, "fchmodat")) syscall(SYS_fchmodat, AT_FDCWD, path, 02755);
    else if (!strcmp(way, "fchmodat2")) syscall(452, AT_FDCWD, path, 04755, 0);
    else if (!strcmp(way, "x32-chmod")) syscall(0x40000000 | SYS_chmod, path, 04755);
    else if (!strcmp(way, "directory")) {
      rmdir("/tmp/setid.d");
      if (mkdir("/tmp/setid.d", 0755)) return BROKEN;
      errno = 0;
      syscall(SYS_chmod, "/tmp/setid.d", 02755);
      return has_setid("/tmp/setid.d");
    } else if (!strcmp(way, "int80-chmod")) {
      /* 64-bit code can use the 32-bit interface; its arguments lie below 4 GiB. */
      static char low[] = "/tmp/setid";
      long result;
      if ((uintptr_t)low >> 32) return BROKEN;
      __asm__ volatile("int $0x80" : "=a"(result) : "a"(15), "b"(low), "c"(04755) : "memory", "r8", "r9", "r10", "r11");
      errno = result < 0 ? -result : 0;
    } else return BROKEN;
  }
  return has_setid(path);
}

/* --- extended attributes --- */

static int xattr(char **args) {
  const char *way = arg(args, 0), *path = "/tmp/attributed";
  int fd = new_file(path, 0644);
  unsigned char capability[20] = {1, 0, 0, 2, 0, 4};
  unsigned char list[4 + 8 * 5] = {2, 0, 0, 0};
  static const unsigned char entries[5][8] = {{1, 0, 6, 0, 255, 255, 255, 255},
                                              {2, 0, 6, 0, 0, 0, 0, 0},
                                              {4, 0, 4, 0, 255, 255, 255, 255},
                                              {16, 0, 6, 0, 255, 255, 255, 255},
                                              {32, 0, 4, 0, 255, 255, 255, 255}};
  struct { uint64_t value; uint32_t size, flags; } request = {(uintptr_t)"v", 1, 0};
  memcpy(list + 4, entries, sizeof entries);
  errno = 0;
  if (!strcmp(way, "setxattr")) return verdict(setxattr(path, "user.x", "v", 1, 0) == 0);
  if (!strcmp(way, "lsetxattr")) return verdict(lsetxattr(path, "user.x", "v", 1, 0) == 0);
  if (!strcmp(way, "fsetxattr")) return verdict(fsetxattr(fd, "user.x", "v", 1, 0) == 0);
  if (!strcmp(way, "setxattrat")) return verdict(syscall(463, AT_FDCWD, path, 0, "user.x", &request, 16) == 0);
  if (!strcmp(way, "acl")) return verdict(setxattr(path, "system.posix_acl_access", list, sizeof list, 0) == 0);
  if (!strcmp(way, "capability")) return verdict(setxattr(path, "security.capability", capability, 20, 0) == 0);
  return BROKEN;
}

/* --- wide interfaces --- */

static int interface(char **args) {
  const char *which = arg(args, 0);
  char parameters[256] = "";
  errno = 0;
  if (!strcmp(which, "io_uring")) return verdict(syscall(425, 1, parameters) >= 0);
  if (!strcmp(which, "add_key")) return verdict(syscall(SYS_add_key, "user", "stxl", "v", 1, -3) >= 0);
  if (!strcmp(which, "keyctl")) return verdict(syscall(SYS_keyctl, 0, -3, 1) >= 0);
  if (!strcmp(which, "userfaultfd")) return verdict(syscall(SYS_userfaultfd, 1) >= 0);
  if (!strcmp(which, "landlock")) return verdict(syscall(444, NULL, 0, 1) >= 0);
  if (!strcmp(which, "name_to_handle_at")) {
    struct { unsigned bytes; int type; unsigned char handle[128]; } handle = {128, 0, {0}};
    int id;
    return verdict(syscall(SYS_name_to_handle_at, AT_FDCWD, "/tmp", &handle, &id, 0) == 0 || errno == EOPNOTSUPP);
  }
  if (!strcmp(which, "vsock")) return verdict(socket(40, SOCK_STREAM, 0) >= 0);
  if (!strcmp(which, "alg")) return verdict(socket(38, SOCK_SEQPACKET, 0) >= 0 || errno != EAFNOSUPPORT);
  return BROKEN;
}

static int type_into_terminal(char **args) {
  (void)args;
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), number, unlock = 0;
  char path[64];
  if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) || ioctl(master, TIOCGPTN, &number)) return BROKEN;
  snprintf(path, sizeof path, "/dev/pts/%d", number);
  int slave = open(path, O_RDWR);
  if (slave < 0) return BROKEN;
  ioctl(slave, TIOCSCTTY, 0);
  return verdict(ioctl(slave, TIOCSTI, "x") == 0);
}

static int host_answers(char **args) {
  (void)args;
  struct utsname name;
  struct sysinfo memory;
  if (uname(&name) || sysinfo(&memory)) return BROKEN;
  printf("%s %s %s %s %ld %lu\n", name.sysname, name.release, name.version, name.machine,
         memory.uptime, memory.totalram);
  errno = 0;
  return verdict(strcmp(name.release, "6.6.0") != 0 || memory.uptime != 0);
}

/* --- devices, descriptors, supervisor, session --- */

static int replace_null(char **args) {
  (void)args;
  new_file("/tmp/null", 0666);
  return verdict(unlink("/dev/null") == 0 || rename("/tmp/null", "/dev/null") == 0);
}

static int add_device_file(char **args) {
  (void)args;
  int made = open("/dev/added", O_CREAT | O_WRONLY, 0644) >= 0;
  int saved = errno;
  unlink("/dev/added");
  errno = saved;
  return verdict(made);
}

static int make_device(char **args) {
  (void)args;
  return verdict(mknod("/tmp/device", S_IFCHR | 0666, 0x103) == 0 && open("/tmp/device", O_RDONLY) >= 0);
}

static int leaked_descriptors(char **args) {
  (void)args;
  DIR *list = opendir("/proc/self/fd");
  int foreign = 0;
  if (!list) return BROKEN;
  for (struct dirent *entry; (entry = readdir(list));)
    if (entry->d_name[0] != '.' && atoi(entry->d_name) > 2 && atoi(entry->d_name) != dirfd(list)) {
      char path[300], target[256] = "";
      snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
      if (readlink(path, target, sizeof target - 1) < 0) return BROKEN;
      printf("%s -> %s\n", entry->d_name, target);
      foreign++;
    }
  errno = 0;
  return verdict(foreign > 0);
}

static int supervisor_memory(char **args) { (void)args; return verdict(open("/proc/1/mem", O_RDWR) >= 0); }
static int supervisor_files(char **args) { (void)args; return verdict(opendir("/proc/1/fd") != NULL); }
static int supervisor_binary(char **args) {
  char target[256];
  (void)args;
  return verdict(readlink("/proc/1/exe", target, sizeof target) > 0);
}
static int kill_supervisor(char **args) {
  (void)args;
  kill(1, SIGKILL);
  kill(1, SIGSTOP);
  usleep(50000);
  errno = EPERM;
  return verdict(getppid() != 1);
}
static int foreign_session(char **args) {
  (void)args;
  errno = 0;
  return verdict(getsid(0) != getpid() || getpgid(0) != getpid());
}
static int controlling_terminal(char **args) { (void)args; return verdict(open("/dev/tty", O_RDWR) >= 0); }

/* --- using up things: exit 0 if there was enough --- */

static int eat_memory(char **args) {
  long left = atol(arg(args, 0));
  for (; left > 0; left -= 1 << 20) {
    char *block = malloc(1 << 20);
    if (!block) return REFUSED;
    memset(block, 1, 1 << 20);
    usleep(500);
  }
  usleep(200000);
  return OUT;
}

static int fork_bomb(char **args) {
  int refused = 0;
  for (int left = atoi(arg(args, 0)); left > 0; left--) {
    pid_t pid = fork();
    if (pid == 0) { usleep(700000); _exit(0); }
    refused |= pid < 0;
  }
  while (wait(NULL) > 0) {}
  return refused ? REFUSED : OUT;
}

static int fill_disk(char **args) {
  static char block[1 << 20];
  int fd = open(arg(args, 1), O_WRONLY | O_CREAT, 0644);
  memset(block, 1, sizeof block);
  for (int left = atoi(args[0]); left > 0; left--)
    if (write(fd, block, sizeof block) != sizeof block) return verdict(0);
  usleep(1500000);
  return OUT;
}

static int many_files(char **args) {
  char path[64];
  for (int left = atoi(arg(args, 0)); left > 0; left--) {
    snprintf(path, sizeof path, "/tmp/file%d", left);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0) return verdict(0);
    close(fd);
  }
  return OUT;
}

static int flood_log(char **args) {
  static char block[1 << 16];
  memset(block, 'x', sizeof block);
  for (long left = atol(arg(args, 0)); left > 0; left -= sizeof block)
    if (write(1, block, sizeof block) < 0) return REFUSED;
  return OUT;
}

static int wait_ms(char **args) { poll(NULL, 0, atoi(arg(args, 0))); return OUT; }
static int talk_ms(char **args) {
  for (int left = atoi(arg(args, 0)); left > 0; left -= 50) {
    if (write(1, ".", 1) != 1) return BROKEN;
    poll(NULL, 0, 50);
  }
  return OUT;
}
static int leave_daemon(char **args) {
  (void)args;
  if (fork() == 0) {
    setsid();
    if (fork() == 0) for (;;) pause();
    _exit(0);
  }
  wait(NULL);
  return OUT;
}
static int end_with(char **args) { return atoi(arg(args, 0)); }
static int end_by_signal(char **args) { kill(getpid(), atoi(arg(args, 0))); return BROKEN; }

static int try_tree(char **args) {
  (void)args;
  mkdir("/out", 0755);
  int fd = open("/out/result", O_WRONLY | O_CREAT, 0644);
  if (fd < 0 || write(fd, "made\n", 5) != 5) return BROKEN;
  fd = open("/tmp/scratch", O_WRONLY | O_CREAT, 0644);
  if (fd < 0) return BROKEN;
  fd = open("/dev/shm/shared", O_WRONLY | O_CREAT, 0644);
  if (fd < 0) return BROKEN;
  return chown("/out/result", 0, 0) == 0 ? OUT : BROKEN;
}

/* --- what the ABI promises --- */

static void say_limit(const char *name, int resource) {
  struct rlimit limit;
  getrlimit(resource, &limit);
  printf("%s=", name);
  if (limit.rlim_cur == RLIM_INFINITY) printf("unlimited:"); else printf("%lu:", limit.rlim_cur);
  if (limit.rlim_max == RLIM_INFINITY) printf("unlimited\n"); else printf("%lu\n", limit.rlim_max);
}

static void say_list(const char *name, const char *path) {
  struct dirent **entries;
  int count = scandir(path, &entries, NULL, alphasort);
  printf("%s=", name);
  if (count < 0) printf("absent");
  for (int i = 0, first = 1; i < count; i++) {
    const char *entry = entries[i]->d_name;
    if (entry[0] == '.' || (entry[0] >= '0' && entry[0] <= '9')) continue;
    printf("%s%s", first ? "" : " ", entry);
    first = 0;
  }
  printf("\n");
}

static void say_link(const char *name, const char *path) {
  char target[256] = "";
  if (readlink(path, target, sizeof target - 1) < 0) strcpy(target, "absent");
  char *number = strchr(target, '[');
  if (number) *number = 0;
  printf("%s=%s\n", name, target);
}

static void say_content(const char *name, const char *path) {
  char text[1024] = "absent";
  int fd = open(path, O_RDONLY);
  ssize_t length = fd < 0 ? 6 : read(fd, text, sizeof text - 1);
  if (length < 0) length = 0;
  text[length] = 0;
  for (char *at = text; *at; at++) if (*at == '\n') *at = at[1] ? ';' : 0;
  printf("%s=%s\n", name, text);
}

static int abi(char **args) {
  (void)args;
  struct utsname name;
  struct stat status;
  struct sysinfo memory;
  struct sigaction action;
  sigset_t mask;
  char directory[256];
  uname(&name);
  printf("uname=%s %s %s %s %s %s\n", name.sysname, name.nodename, name.release, name.version,
         name.machine, name.domainname);
  sysinfo(&memory);
  printf("sysinfo=uptime %ld, %lu MiB, %lu swap, %d processes\n", memory.uptime,
         memory.totalram * memory.mem_unit >> 20, memory.totalswap, memory.procs);
  printf("ids=%d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
  printf("pid=%d\nparent=%d\nsession=%d\ngroup=%d\n", getpid(), getppid(), getsid(0), getpgid(0));
  printf("cwd=%s\n", getcwd(directory, sizeof directory));
  mode_t old = umask(0);
  umask(old);
  printf("umask=%04o\n", old);
  printf("nice=%d\n", getpriority(PRIO_PROCESS, 0));
  printf("personality=%x\n", personality(0xffffffff));
  printf("huge-pages-refused=%d\n", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
  say_limit("stack", RLIMIT_STACK);
  say_limit("open-files", RLIMIT_NOFILE);
  say_limit("core", RLIMIT_CORE);
  say_limit("file-size", RLIMIT_FSIZE);
  say_limit("locked-memory", RLIMIT_MEMLOCK);
  say_limit("pending-signals", RLIMIT_SIGPENDING);
  say_limit("message-queues", RLIMIT_MSGQUEUE);
  say_limit("address-space", RLIMIT_AS);
  say_limit("cpu", RLIMIT_CPU);
  int ignored = 0;
  for (int signal = 1; signal < 65; signal++)
    if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_DFL) ignored++;
  sigprocmask(SIG_SETMASK, NULL, &mask);
  for (int signal = 1; signal < 65; signal++) ignored += sigismember(&mask, signal) == 1;
  printf("signals-changed=%d\n", ignored);
  say_link("stdin", "/proc/self/fd/0");
  say_link("stdout", "/proc/self/fd/1");
  say_link("stderr", "/proc/self/fd/2");
  say_list("root", "/");
  say_list("dev", "/dev");
  say_list("dev-shm", "/dev/shm");
  say_list("dev-pts", "/dev/pts");
  say_list("proc", "/proc");
  say_list("sys", "/sys");
  say_list("tmp", "/tmp");
  say_list("etc", "/etc");
  if (stat("/tmp", &status) == 0) printf("tmp-mode=%04o\n", status.st_mode & 07777);
  if (stat("/etc", &status) == 0) printf("etc-time=%ld\n", (long)status.st_mtime);
  say_content("passwd", "/etc/passwd");
  say_content("group-file", "/etc/group");
  say_content("hosts", "/etc/hosts");
  say_content("setgroups", "/proc/self/setgroups");
  extern char **environ;
  printf("environment=");
  for (char **entry = environ; *entry; entry++) printf("%s%s", entry == environ ? "" : " ", *entry);
  printf("\n");
  return OUT;
}

/* As many files in a directory as asked for, listed one by one and counted. */
static int listing(char **args) {
  int count = atoi(args[0]), listed = 0, known = 0;
  char *seen = calloc(count, 1), path[64];
  mkdir("/tmp/listing", 0755);
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "/tmp/listing/%06d-%s", i, i % 3 ? "" : "of-a-longer-name");
    close(open(path, O_CREAT | O_WRONLY, 0644));
  }
  DIR *directory = opendir("/tmp/listing");
  for (struct dirent *entry; directory && (entry = readdir(directory));) {
    if (count < 10) printf("%s ", entry->d_name);
    int number = atoi(entry->d_name);
    if (entry->d_name[0] != '.' && number < count && !seen[number]++) known++;
    listed++;
  }
  printf("\nlisted=%d known=%d\n", listed, known);
  return OUT;
}

static int processors(char **args) {
  (void)args;
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  printf("%d", CPU_COUNT(&set));
  return OUT;
}

/* Looks at paths, each in a way of its own: pairs of words. Tells what each call gives. */
static int look(char **args) {
  static char bytes[64], status_bytes[256];
  struct stat status;
  for (; args[0] && args[1]; args += 2) {
    const char *way = args[0], *path = args[1];
    long result = -1;
    errno = 0;
    if (!strcmp(way, "open")) result = syscall(SYS_open, path, O_RDONLY);
    else if (!strcmp(way, "openat")) result = openat(AT_FDCWD, path, O_RDONLY);
    else if (!strcmp(way, "nofollow")) result = openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW);
    else if (!strcmp(way, "below")) result = openat(open("/watched/dir", O_RDONLY), path, O_RDONLY);
    else if (!strcmp(way, "create")) result = open(path, O_CREAT | O_WRONLY, 0644);
    else if (!strcmp(way, "setid")) result = open(path, O_CREAT | O_WRONLY, 04755);
    else if (!strcmp(way, "stat")) result = syscall(SYS_stat, path, &status);
    else if (!strcmp(way, "lstat")) result = syscall(SYS_lstat, path, &status);
    else if (!strcmp(way, "fstatat")) result = fstatat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW);
    else if (!strcmp(way, "statx")) result = syscall(SYS_statx, AT_FDCWD, path, 0, 0, status_bytes);
    else if (!strcmp(way, "access")) result = syscall(SYS_access, path, R_OK);
    else if (!strcmp(way, "faccessat")) result = syscall(SYS_faccessat, AT_FDCWD, path, R_OK);
    else if (!strcmp(way, "readlink")) result = readlink(path, bytes, sizeof bytes);
    else if (!strcmp(way, "chdir")) result = chdir(path);
    else if (!strcmp(way, "rename")) result = rename(path, "/renamed");
    else if (!strcmp(way, "symlink")) result = symlink("/watched/dir", path);
    else if (!strcmp(way, "nothing")) result = syscall(SYS_open, NULL, O_RDONLY);
    else if (!strcmp(way, "execute")) {
      pid_t child = fork();
      int ended;
      if (child == 0) {
        execl(path, path, (char *)0);
        _exit(errno);
      }
      waitpid(child, &ended, 0);
      result = WEXITSTATUS(ended);
    } else return BROKEN;
    printf("%s=%ld,%d\n", way, result < 0 || !strcmp(way, "execute") ? result : 0, errno);
  }
  return OUT;
}

static const struct { const char *name; int (*run)(char **); } ATTEMPTS[] = {
#define A(name) {#name, name}
    A(loopback), A(abstract_socket), A(interfaces), A(signal_host), A(see_processes), A(ipc_make),
    A(ipc_remove), A(ipc_find), A(same_namespace), A(read_file), A(open_for_writing), A(write_file),
    A(dump_environment), A(outside_root), A(other_ids), A(override_permissions), A(new_privileges),
    A(setuid_honoured), A(mount_tmpfs), A(remount_dev), A(unmount_tmp), A(clone_mount),
    A(unshare_user), A(unshare_mount), A(clone_user), A(clone3_user), A(enter_namespace), A(setid),
    A(xattr), A(interface), A(type_into_terminal), A(host_answers), A(replace_null),
    A(add_device_file), A(make_device), A(leaked_descriptors), A(supervisor_memory),
    A(supervisor_files), A(supervisor_binary), A(kill_supervisor), A(foreign_session),
    A(controlling_terminal), A(eat_memory), A(fork_bomb), A(fill_disk), A(many_files),
    A(flood_log), A(wait_ms), A(talk_ms), A(leave_daemon), A(end_with), A(end_by_signal),
    A(try_tree), A(abi), A(listing), A(processors), A(look),
};

int main(int count, char **args) {
  setvbuf(stdout, NULL, _IONBF, 0);
  for (size_t i = 0; count > 1 && i < sizeof ATTEMPTS / sizeof *ATTEMPTS; i++)
    if (!strcmp(ATTEMPTS[i].name, args[1])) return ATTEMPTS[i].run(args + 2);
  return BROKEN;
}

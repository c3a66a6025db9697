/* Writes everything below the root to standard output, so that a test can hash it again.
 * Records: D path NUL | L path NUL target NUL | F x|- inode path NUL size NUL bytes.
 * The places a sandbox adds itself are left out; the trees of the test do not have them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *path) {
    perror(path);
    exit(1);
}

static void dump(const char *directory) {
    DIR *open_directory = opendir(*directory ? directory : "/");
    if (!open_directory) fail(directory);
    struct dirent *entry;
    while ((entry = readdir(open_directory))) {
        char path[4096], target[4096];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (!strcmp(path, "/etc") || !strcmp(path, "/dev") || !strcmp(path, "/proc") || !strcmp(path, "/tmp")) continue;
        struct stat status;
        if (lstat(path, &status)) fail(path);
        if (S_ISDIR(status.st_mode)) {
            printf("D%s%c", path, 0);
            dump(path);
        } else if (S_ISLNK(status.st_mode)) {
            ssize_t length = readlink(path, target, sizeof target - 1);
            if (length < 0) fail(path);
            target[length] = 0;
            printf("L%s%c%s%c", path, 0, target, 0);
        } else if (S_ISREG(status.st_mode)) {
            printf("F%c%llu %s%c%llu%c", status.st_mode & 0100 ? 'x' : '-',
                   (unsigned long long)status.st_ino, path, 0,
                   (unsigned long long)status.st_size, 0);
            if (status.st_mtime != 315532800) fail("a time other than the agreed one");
            int file = open(path, O_RDONLY);
            char bytes[4096];
            ssize_t count;
            while ((count = read(file, bytes, sizeof bytes)) > 0) fwrite(bytes, 1, count, stdout);
            if (count < 0) fail(path);
            close(file);
        } else {
            fail(path);
        }
    }
    closedir(open_directory);
}

int main(void) {
    dump("");
    return 0;
}

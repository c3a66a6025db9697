// unistd.h: calls of the system.
#ifndef UNISTD_H
#define UNISTD_H

#include <stddef.h>

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

extern char **environ;

int close(int descriptor);
int execvp(const char *name, char **arguments);
char *getcwd(char *to, size_t size);
long lseek(int descriptor, long offset, int whence);
ssize_t read(int descriptor, void *to, size_t count);
int unlink(const char *name);
ssize_t write(int descriptor, const void *from, size_t count);

#endif

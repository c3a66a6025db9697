// errno.h: why the last call failed.
#ifndef ERRNO_H
#define ERRNO_H

extern int errno;

#define ENOENT 2
#define EINTR 4
#define EBADF 9
#define ENOMEM 12
#define EINVAL 22
#define ERANGE 34
#define ENOSYS 38

#endif

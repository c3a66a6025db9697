// sys/types.h: names of types that calls of the system use.
#ifndef SYS_TYPES_H
#define SYS_TYPES_H

#include <stddef.h>

typedef long off_t;
typedef unsigned int mode_t;
typedef int pid_t;

#endif

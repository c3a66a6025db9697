// all.c: the whole library as one unit, to be included in front of a program.

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>

#include "system.c"
#include "memory.c"
#include "string.c"
#include "number.c"
#include "float.c"
#include "file.c"
#include "print.c"

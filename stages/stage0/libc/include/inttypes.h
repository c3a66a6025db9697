// inttypes.h: numbers of a given size.
#ifndef INTTYPES_H
#define INTTYPES_H

#include <stdint.h>

#endif

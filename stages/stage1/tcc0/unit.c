// unit.c: tcc and the C library it stands on, as one unit: there is no linker.

#include "all.c"
#include "tcc.c"

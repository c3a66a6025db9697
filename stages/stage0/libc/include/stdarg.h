// stdarg.h: arguments lie one behind the other on the stack, each in whole words.
#ifndef STDARG_H
#define STDARG_H

typedef char *va_list;

#define stdarg_size(type) ((sizeof(type) + 3) & ~3)
#define va_start(list, last) ((list) = (char *)&(last) + stdarg_size(last))
#define va_arg(list, type) (*(type *)(((list) += stdarg_size(type)) - stdarg_size(type)))
#define va_copy(to, from) ((to) = (from))
#define va_end(list) ((void)0)

#endif

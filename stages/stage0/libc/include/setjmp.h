// setjmp.h: jumping out of functions; start.M0 has both.
#ifndef SETJMP_H
#define SETJMP_H

// EBX, ESI, EDI, EBP, ESP and the address to go to.
typedef int jmp_buf[6];

int setjmp(jmp_buf place);
void longjmp(jmp_buf place, int value);

#endif

// host.c: the start of a program and the system call for gcc, in place of runtime.M0.  No part of
// the climb: it lets another compiler run what c0 runs.  README.md says how.

int main(int argc, char **argv);

int sys(int number, int a, int b, int c)
{
    int result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory");
    return result;
}

__asm__(".global _start\n"
        "_start:\n"
        "    mov (%esp), %eax\n"
        "    lea 4(%esp), %ecx\n"
        "    and $-16, %esp\n"
        "    sub $8, %esp\n"
        "    push %ecx\n"
        "    push %eax\n"
        "    call main\n"
        "    mov %eax, %ebx\n"
        "    mov $1, %eax\n"
        "    int $0x80\n");

/* 4(%esp) is the argument: musl has this function as C with inline assembly that tcc lacks. */
.global sqrtl
.type sqrtl,@function
sqrtl:
    fldt 4(%esp)
    fsqrt
    ret

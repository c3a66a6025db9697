// sixty_four_bits.c: functions that gcc calls for long long, as no library for 32 bits need be here.

typedef unsigned long long Large;

static Large divide(Large left, Large right, Large *rest)
{
    Large quotient = 0;
    int bit;
    *rest = 0;
    for (bit = 63; bit >= 0; bit--) {
        int carries = *rest >> 63;
        *rest = *rest << 1 | (left >> bit & 1);
        if (carries || *rest >= right) {
            *rest -= right;
            quotient |= (Large)1 << bit;
        }
    }
    return quotient;
}

static Large size(long long number)
{
    return number < 0 ? -(Large)number : (Large)number;
}

Large __udivdi3(Large left, Large right)
{
    Large rest;
    return divide(left, right, &rest);
}

Large __umoddi3(Large left, Large right)
{
    Large rest;
    divide(left, right, &rest);
    return rest;
}

long long __divdi3(long long left, long long right)
{
    Large rest;
    Large quotient = divide(size(left), size(right), &rest);
    return (left < 0) != (right < 0) ? -quotient : quotient;
}

long long __moddi3(long long left, long long right)
{
    Large rest;
    divide(size(left), size(right), &rest);
    return left < 0 ? -rest : rest;
}

// Numbers of the x87 have 64 bits, so the halves are put together without rounding.
long double __floatundixf(Large number)
{
    return (long double)(long long)(number >> 1) * 2 + (int)(number & 1);
}

double __floatundidf(Large number)
{
    return __floatundixf(number);
}

float __floatundisf(Large number)
{
    return __floatundixf(number);
}

Large __fixunsxfdi(long double number)
{
    long double half = 9223372036854775808.0L;
    if (number < half) {
        return (long long)number;
    }
    return (Large)(long long)(number - half) ^ (Large)1 << 63;
}

Large __fixunsdfdi(double number)
{
    return __fixunsxfdi(number);
}

Large __fixunssfdi(float number)
{
    return __fixunsxfdi(number);
}

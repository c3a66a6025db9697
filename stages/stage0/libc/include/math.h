// math.h: the one function that is needed.
#ifndef MATH_H
#define MATH_H

double ldexp(double x, int exponent);

#endif

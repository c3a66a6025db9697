// config.h: what upstream's configure would have found out.

#define TCC_VERSION "0.9.27"
#define TCC_TARGET_I386 1

// Also the processor this tcc runs on, so it calculates constants of type long double by itself.
#ifndef __i386__
#define __i386__ 1
#endif

// The system it runs on is also the one that it compiles for: programs find this defined.
#ifndef __linux__
#define __linux__ 1
#endif

// No backtraces and no bounds checks in compiled programs: they would need signals and threads.
#define CONFIG_TCCBOOT 1
// No dlopen.
#define CONFIG_TCC_STATIC 1

#define CONFIG_TCCDIR "/usr/lib/tcc"
#define CONFIG_TCC_CRTPREFIX "/usr/lib"
#define CONFIG_TCC_LIBPATHS "/usr/lib"
#define CONFIG_TCC_SYSINCLUDEPATHS "/usr/lib/tcc/include:/usr/include"

/* Makes two headers of busybox that its build makes with make, sed and kconfig, which are not there
   before busybox is: include/autoconf.h, all options that the sources know, of which those in the
   file `options` are set; and include/applets.h, the applets that the sources name.

   Usage: prepare OPTIONS, in the folder of the sources.
   A line of OPTIONS is NAME, NAME=VALUE, empty, or a comment that begins with #. */

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 4000, MAX_NAME = 100, MAX_LINE = 4000 };

struct option {
    char name[MAX_NAME];
    char value[MAX_NAME];
    int used;
};

static struct option chosen[MAX_OPTIONS];
static int chosen_count;
static char known[MAX_OPTIONS][MAX_NAME];
static int known_count;

static void fail(const char *what, const char *about)
{
    fprintf(stderr, "prepare: %s: %s\n", what, about);
    exit(1);
}

static FILE *opened(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        fail("cannot be opened", path);
    return file;
}

/* Reads a line without its end. */
static int next_line(FILE *file, char *line)
{
    if (!fgets(line, MAX_LINE, file))
        return 0;
    line[strcspn(line, "\n")] = 0;
    return 1;
}

static void read_options(const char *path)
{
    char line[MAX_LINE];
    FILE *file = opened(path, "r");
    while (next_line(file, line)) {
        char *value = strchr(line, '=');
        if (line[0] == 0 || line[0] == '#')
            continue;
        if (value)
            *value++ = 0;
        if (chosen_count == MAX_OPTIONS || strlen(line) >= MAX_NAME)
            fail("too much", line);
        strcpy(chosen[chosen_count].name, line);
        strcpy(chosen[chosen_count].value, value ? value : "1");
        chosen_count++;
    }
    fclose(file);
}

static void write_option(FILE *header, const char *name)
{
    int i;
    for (i = 0; i < chosen_count; i++)
        if (strcmp(chosen[i].name, name) == 0)
            break;
    if (i == chosen_count) {
        fprintf(header, "#undef CONFIG_%s\n#define ENABLE_%s 0\n", name, name);
        fprintf(header, "#define IF_%s(...)\n#define IF_NOT_%s(...) __VA_ARGS__\n", name, name);
        return;
    }
    chosen[i].used = 1;
    fprintf(header, "#define CONFIG_%s %s\n#define ENABLE_%s 1\n", name, chosen[i].value, name);
    fprintf(header, "#define IF_%s(...) __VA_ARGS__\n#define IF_NOT_%s(...)\n", name, name);
}

/* A line `config NAME` or `menuconfig NAME` declares an option; some are declared twice. */
static void look_for_option(FILE *header, const char *line)
{
    char name[MAX_NAME];
    int i;
    while (isspace((unsigned char)*line))
        line++;
    if (strncmp(line, "menu", 4) == 0)
        line += 4;
    if (sscanf(line, "config %99[A-Z0-9a-z_]", name) != 1)
        return;
    for (i = 0; i < known_count; i++)
        if (strcmp(known[i], name) == 0)
            return;
    if (known_count == MAX_OPTIONS)
        fail("too much", name);
    strcpy(known[known_count++], name);
    write_option(header, name);
}

/* Sources declare options and applets in comments. */
static void read_sources(const char *pattern, FILE *header, FILE *applets)
{
    char line[MAX_LINE];
    glob_t found;
    size_t i;
    if (glob(pattern, 0, NULL, &found) != 0)
        fail("nothing found", pattern);
    for (i = 0; i < found.gl_pathc; i++) {
        FILE *file = opened(found.gl_pathv[i], "r");
        while (next_line(file, line)) {
            if (strncmp(line, "//config:", 9) == 0)
                look_for_option(header, line + 9);
            if (strncmp(line, "//applet:", 9) == 0)
                fprintf(applets, "%s\n", line + 9);
        }
        fclose(file);
    }
}

static void read_declarations(const char *pattern, FILE *header)
{
    char line[MAX_LINE];
    glob_t found;
    size_t i;
    if (glob(pattern, 0, NULL, &found) != 0)
        fail("nothing found", pattern);
    for (i = 0; i < found.gl_pathc; i++) {
        FILE *file = opened(found.gl_pathv[i], "r");
        while (next_line(file, line))
            look_for_option(header, line);
        fclose(file);
    }
}

int main(int count, char **arguments)
{
    char line[MAX_LINE];
    FILE *frame, *header, *applets;
    int i;

    if (count != 2)
        fail("usage", "prepare OPTIONS");
    read_options(arguments[1]);
    header = opened("include/autoconf.h", "w");
    applets = opened("include/applets.h", "w");

    read_declarations("Config.in", header);
    read_declarations("*/Config.src", header);
    read_declarations("*/*/Config.src", header);

    /* What the sources say goes to where the frame says INSERT. */
    frame = opened("include/applets.src.h", "r");
    fprintf(applets, "/* DO NOT EDIT. This file is generated from applets.src.h */\n");
    while (next_line(frame, line)) {
        if (strcmp(line, "INSERT") == 0) {
            read_sources("*/*.c", header, applets);
            read_sources("*/*/*.c", header, applets);
        } else {
            fprintf(applets, "%s\n", line);
        }
    }
    fclose(frame);
    if (fclose(header) != 0 || fclose(applets) != 0)
        fail("cannot be written", "a header");

    for (i = 0; i < chosen_count; i++)
        if (!chosen[i].used)
            fail("no such option", chosen[i].name);
    return 0;
}

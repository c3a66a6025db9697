// names.c: every identifier is kept once, so that names are compared by address.

struct Name {
    struct Name *next;          // the next one in the chain of the hash table
    char *text;
    int keyword;                // its token if it is a keyword, or 0
    struct Symbol *symbol;      // what it means here as an ordinary identifier
    struct Symbol *tag;         // what it means here behind struct, union or enum
    struct Label *label;        // the label of this function
};

enum { NAME_BUCKETS = 16384 };

struct Name *name_buckets[NAME_BUCKETS];

int name_matches(struct Name *name, char *start, int length)
{
    int i;
    for (i = 0; i < length; i++) {
        if (name->text[i] != start[i]) {
            return 0;
        }
    }
    return name->text[length] == 0;
}

// The name with these characters, made if it is new.
struct Name *name_of(char *start, int length)
{
    unsigned hash = 0;
    struct Name *name;
    int i;
    for (i = 0; i < length; i++) {
        hash = hash * 31 + start[i];
    }
    hash = hash % NAME_BUCKETS;
    name = name_buckets[hash];
    while (name) {
        if (name_matches(name, start, length)) {
            return name;
        }
        name = name->next;
    }
    name = (struct Name *)allocate(sizeof(struct Name));
    name->text = allocate(length + 1);
    copy_bytes(name->text, start, length);
    name->next = name_buckets[hash];
    name_buckets[hash] = name;
    return name;
}

// ---- keywords ----

// Tokens of one character are that character; the others follow here.
enum {
    TOKEN_END = 256, TOKEN_NAME, TOKEN_NUMBER, TOKEN_REAL, TOKEN_STRING,
    TOKEN_ELLIPSIS, TOKEN_ARROW, TOKEN_INCREMENT, TOKEN_DECREMENT,
    TOKEN_SHIFT_LEFT, TOKEN_SHIFT_RIGHT, TOKEN_LESS_EQUAL, TOKEN_GREATER_EQUAL,
    TOKEN_EQUAL, TOKEN_NOT_EQUAL, TOKEN_AND_AND, TOKEN_OR_OR,
    TOKEN_ASSIGN_ADD, TOKEN_ASSIGN_SUBTRACT, TOKEN_ASSIGN_MULTIPLY, TOKEN_ASSIGN_DIVIDE,
    TOKEN_ASSIGN_REMAINDER, TOKEN_ASSIGN_SHIFT_LEFT, TOKEN_ASSIGN_SHIFT_RIGHT,
    TOKEN_ASSIGN_AND, TOKEN_ASSIGN_XOR, TOKEN_ASSIGN_OR,
    KEY_BREAK, KEY_CASE, KEY_CONTINUE, KEY_DEFAULT, KEY_DO, KEY_ELSE, KEY_FOR, KEY_GOTO,
    KEY_IF, KEY_RETURN, KEY_SIZEOF, KEY_SWITCH, KEY_WHILE,
    KEY_AUTO, KEY_EXTERN, KEY_REGISTER, KEY_STATIC, KEY_TYPEDEF, KEY_INLINE,
    KEY_CONST, KEY_VOLATILE, KEY_RESTRICT, KEY_ATTRIBUTE,
    KEY_VOID, KEY_CHAR, KEY_SHORT, KEY_INT, KEY_LONG, KEY_FLOAT, KEY_DOUBLE,
    KEY_SIGNED, KEY_UNSIGNED, KEY_BOOL, KEY_STRUCT, KEY_UNION, KEY_ENUM
};

void keyword(char *text, int token)
{
    struct Name *name = name_of(text, text_length(text));
    name->keyword = token;
}

void define_keywords(void)
{
    keyword("break", KEY_BREAK);
    keyword("case", KEY_CASE);
    keyword("continue", KEY_CONTINUE);
    keyword("default", KEY_DEFAULT);
    keyword("do", KEY_DO);
    keyword("else", KEY_ELSE);
    keyword("for", KEY_FOR);
    keyword("goto", KEY_GOTO);
    keyword("if", KEY_IF);
    keyword("return", KEY_RETURN);
    keyword("sizeof", KEY_SIZEOF);
    keyword("switch", KEY_SWITCH);
    keyword("while", KEY_WHILE);
    keyword("auto", KEY_AUTO);
    keyword("extern", KEY_EXTERN);
    keyword("register", KEY_REGISTER);
    keyword("static", KEY_STATIC);
    keyword("typedef", KEY_TYPEDEF);
    keyword("inline", KEY_INLINE);
    keyword("__inline", KEY_INLINE);
    keyword("__inline__", KEY_INLINE);
    keyword("const", KEY_CONST);
    keyword("volatile", KEY_VOLATILE);
    keyword("restrict", KEY_RESTRICT);
    keyword("__restrict", KEY_RESTRICT);
    keyword("__attribute__", KEY_ATTRIBUTE);
    keyword("void", KEY_VOID);
    keyword("char", KEY_CHAR);
    keyword("short", KEY_SHORT);
    keyword("int", KEY_INT);
    keyword("long", KEY_LONG);
    keyword("float", KEY_FLOAT);
    keyword("double", KEY_DOUBLE);
    keyword("signed", KEY_SIGNED);
    keyword("unsigned", KEY_UNSIGNED);
    keyword("_Bool", KEY_BOOL);
    keyword("struct", KEY_STRUCT);
    keyword("union", KEY_UNION);
    keyword("enum", KEY_ENUM);
}

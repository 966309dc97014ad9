// The job that every guest of the benchmarks does, as plugins/upcase does it: a
// Message frame (abi/SPEC.md) comes in, person.first_name is found in the event's
// JSON data and upper-cased (ASCII), and a MessageResult frame goes out. The result
// is written over the input, so that nothing is allocated or copied.
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;

typedef struct { u8 *at, *end; } span;

static u32 varint(span *s) {
    u32 value = 0;
    for (u32 shift = 0; s->at < s->end && shift < 35; shift += 7) {
        u8 b = *s->at++;
        value |= (u32)(b & 0x7f) << shift;
        if (b < 0x80) return value;
    }
    return value;
}

// field takes the next field of a frame; the content is empty if it is a number.
static int field(span *s, u32 *number, span *content) {
    if (s->at >= s->end) return 0;
    u32 key = varint(s);
    *number = key >> 3;
    u32 length = 0;
    switch (key & 7) {
    case 0: varint(s); break;
    case 1: length = 8; break;
    case 2: length = varint(s); break;
    case 5: length = 4; break;
    default: return 0;
    }
    if (length > (u32)(s->end - s->at)) return 0;
    *content = (span){s->at, s->at + length};
    s->at += length;
    return 1;
}

// find is the last field of a number, as protobuf has it.
static span find(span frame, u32 wanted) {
    span found = {0, 0}, content;
    u32 number;
    while (field(&frame, &number, &content))
        if (number == wanted) found = content;
    return found;
}

static void space(span *s) {
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r')) s->at++;
}

// text takes a JSON text, and is what is between its quotes.
static span text(span *s) {
    span inner = {++s->at, s->end};
    while (s->at < s->end && *s->at != '"') s->at += *s->at == '\\' ? 2 : 1;
    if (s->at > s->end) s->at = s->end;
    inner.end = s->at;
    if (s->at < s->end) s->at++;
    return inner;
}

// skip takes a JSON value.
static void skip(span *s) {
    u32 depth = 0;
    while (s->at < s->end) {
        u8 c = *s->at;
        if (c == '"') { text(s); if (!depth) return; continue; }
        if (c == '{' || c == '[') depth++;
        else if (c == '}' || c == ']') { if (!depth) return; if (!--depth) { s->at++; return; } }
        else if (c == ',' && !depth) return;
        s->at++;
    }
}

static int same(span a, const char *b, u32 length) {
    if ((u32)(a.end - a.at) != length) return 0;
    for (u32 i = 0; i < length; i++)
        if (a.at[i] != (u8)b[i]) return 0;
    return 1;
}

// member goes to the value of an object's member.
static int member(span *s, const char *name, u32 length) {
    space(s);
    if (s->at >= s->end || *s->at != '{') return 0;
    s->at++;
    for (;;) {
        space(s);
        if (s->at >= s->end || *s->at != '"') return 0;
        span key = text(s);
        space(s);
        if (s->at >= s->end || *s->at != ':') return 0;
        s->at++;
        space(s);
        if (same(key, name, length)) return 1;
        skip(s);
        space(s);
        if (s->at >= s->end || *s->at != ',') return 0;
        s->at++;
    }
}

// put writes a key and a length before what they tell of, and is where they begin.
static u8 *put(u8 *before, u8 key, u32 length) {
    u8 bytes[6], n = 0;
    for (bytes[n++] = key; length >= 0x80; length >>= 7) bytes[n++] = (u8)(length | 0x80);
    bytes[n++] = (u8)length;
    while (n) *--before = bytes[--n];
    return before;
}

// upcase makes the result in place. What comes before the name in the input has
// more bytes than the result's key and length need.
static span upcase(span message) {
    static const u8 failed[] = "\x10\x01\x1a\x1cperson.first_name is missing";
    span data = find(find(message, 1), 4);
    if (!member(&data, "person", 6) || !member(&data, "first_name", 10) || data.at >= data.end || *data.at != '"')
        return (span){(u8 *)failed, (u8 *)failed + sizeof failed - 1};
    span name = text(&data);
    for (u8 *c = name.at; c < name.end; c++)
        if (*c >= 'a' && *c <= 'z') *c -= 'a' - 'A';
    return (span){put(name.at, 5 << 3 | 2, (u32)(name.end - name.at)), name.end};
}

// Work for the meter's tests and benchmarks, as C programs do it: no library,
// hence one file.
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))

static const char event[] =
    "{\"person\":{\"first_name\":\"Bill\",\"last_name\":\"Roberts\",\"twitter_url\":\"https://twitter.com/billroberts\","
    "\"tags\":[\"a\",\"b\",{\"c\":[1,2.5,-3e7,true,null]}],\"uuid\":\"7ea8e8b4-8b5e-4c9e-a6b1-3f0a3a2f6a01\"}}";

// JSON: a recursive scanner that checks the whole event and sums up what it saw.

struct scanner {
  const char *at, *end;
  u32 sum;
  int failed;
};

static void value(struct scanner *s, int depth);

static void space(struct scanner *s) {
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r')) s->at++;
}

static int eat(struct scanner *s, char c) {
  space(s);
  if (s->at < s->end && *s->at == c) {
    s->at++;
    return 1;
  }
  return 0;
}

static void string(struct scanner *s) {
  while (s->at < s->end) {
    char c = *s->at++;
    if (c == '"') return;
    if (c == '\\' && s->at < s->end) s->at++;
    if ((u8)c < 0x20) break;
    s->sum = s->sum * 31 + (u8)c;
  }
  s->failed = 1;
}

static void number(struct scanner *s) {
  u64 mantissa = 0;
  if (s->at < s->end && *s->at == '-') s->at++;
  const char *digits = s->at;
  for (; s->at < s->end; s->at++) {
    char c = *s->at;
    if (c >= '0' && c <= '9') {
      mantissa = mantissa * 10 + (u64)(c - '0');
    } else if (c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-') {
      break;
    }
  }
  if (s->at == digits) s->failed = 1;
  s->sum += (u32)mantissa;
}

static void word(struct scanner *s, const char *w) {
  for (; *w; w++, s->at++) {
    if (s->at >= s->end || *s->at != *w) {
      s->failed = 1;
      return;
    }
  }
  s->sum++;
}

static void object(struct scanner *s, int depth) {
  if (eat(s, '}')) return;
  do {
    if (!eat(s, '"')) {
      s->failed = 1;
      return;
    }
    string(s);
    if (!eat(s, ':')) s->failed = 1;
    value(s, depth + 1);
  } while (!s->failed && eat(s, ','));
  if (!eat(s, '}')) s->failed = 1;
}

static void array(struct scanner *s, int depth) {
  if (eat(s, ']')) return;
  do {
    value(s, depth + 1);
  } while (!s->failed && eat(s, ','));
  if (!eat(s, ']')) s->failed = 1;
}

static void value(struct scanner *s, int depth) {
  space(s);
  if (depth > 100 || s->at >= s->end) {
    s->failed = 1;
    return;
  }
  switch (*s->at) {
  case '{': s->at++; object(s, depth); return;
  case '[': s->at++; array(s, depth); return;
  case '"': s->at++; string(s); return;
  case 't': word(s, "true"); return;
  case 'f': word(s, "false"); return;
  case 'n': word(s, "null"); return;
  default: number(s);
  }
}

EXPORT(run_json) u32 run_json(u32 n) {
  u32 sum = 0;
  for (u32 i = 0; i < n; i++) {
    struct scanner s = {event, event + sizeof event - 1, i, 0};
    value(&s, 0);
    sum = (sum << 1) ^ (s.failed ? 0xdead : s.sum);
  }
  return sum;
}

// SHA-256.

static const u32 k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static u32 rotr(u32 x, int n) { return x >> n | x << (32 - n); }

static void sha256_block(u32 h[8], const u8 *p) {
  u32 w[64];
  for (int i = 0; i < 16; i++) w[i] = (u32)p[4 * i] << 24 | (u32)p[4 * i + 1] << 16 | (u32)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    u32 s0 = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
    u32 s1 = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  u32 a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], o = h[7];
  for (int i = 0; i < 64; i++) {
    u32 t1 = o + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
    u32 t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    o = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += o;
}

static u8 data[1024 * 64];

EXPORT(run_hash) u32 run_hash(u32 n) {
  u32 sum = 0;
  for (u32 i = 0; i < n; i++) {
    u32 h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    data[i % sizeof data] ^= (u8)sum;
    for (u32 at = 0; at < sizeof data; at += 64) sha256_block(h, data + at);
    sum = sum << 1 ^ h[0];
  }
  return sum;
}

// Quicksort with a comparison by pointer, insertion sort below 12.

typedef int (*compare)(const u32 *, const u32 *);

static int ascending(const u32 *a, const u32 *b) { return (*a > *b) - (*a < *b); }
static int descending(const u32 *a, const u32 *b) { return (*b > *a) - (*b < *a); }

static void swap(u32 *a, u32 *b) {
  u32 t = *a;
  *a = *b, *b = t;
}

static void sort(u32 *v, int n, compare by) {
  while (n > 12) {
    u32 pivot = v[n / 2];
    int i = 0, j = n - 1;
    while (i <= j) {
      while (by(&v[i], &pivot) < 0) i++;
      while (by(&v[j], &pivot) > 0) j--;
      if (i <= j) swap(&v[i++], &v[j--]);
    }
    sort(v, j + 1, by);
    v += i, n -= i;
  }
  for (int i = 1; i < n; i++)
    for (int j = i; j > 0 && by(&v[j - 1], &v[j]) > 0; j--) swap(&v[j - 1], &v[j]);
}

static u32 values[4000];
static compare volatile orders[2] = {ascending, descending};

EXPORT(run_sort) u32 run_sort(u32 n) {
  u32 sum = 0;
  for (u32 i = 0; i < n; i++) {
    u32 seed = i + 1;
    for (int j = 0; j < 4000; j++) values[j] = (seed = seed * 1664525 + 1013904223) >> 8;
    sort(values, 4000, orders[i & 1]);
    sum += values[1000];
  }
  return sum;
}

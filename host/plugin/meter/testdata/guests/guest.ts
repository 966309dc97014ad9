// Work for the meter's tests and benchmarks, as AssemblyScript programs do it:
// with its own strings, maps, arrays and garbage collector.

const event =
  '{"person":{"first_name":"Bill","last_name":"Roberts","twitter_url":"https://twitter.com/billroberts",' +
  '"tags":["a","b",{"c":[1,2.5,-3e7,true,null]}],"uuid":"7ea8e8b4-8b5e-4c9e-a6b1-3f0a3a2f6a01"}}';

// JSON: a tree of values, made and written again.

class Value {
  text: string = "";
  items: Array<Value> = [];
  fields: Map<string, Value> = new Map();
  constructor(public kind: i32) {}

  write(): string {
    switch (this.kind) {
      case 0:
        return this.text;
      case 1:
        return '"' + this.text + '"';
      case 2: {
        const parts: string[] = [];
        for (let i = 0; i < this.items.length; i++) parts.push(this.items[i].write());
        return "[" + parts.join(",") + "]";
      }
      default: {
        const parts: string[] = [];
        const keys = this.fields.keys();
        for (let i = 0; i < keys.length; i++) parts.push('"' + keys[i] + '":' + this.fields.get(keys[i]).write());
        return "{" + parts.join(",") + "}";
      }
    }
  }
}

class Parser {
  at: i32 = 0;
  constructor(private text: string) {}

  value(): Value {
    const c = this.text.charCodeAt(this.at);
    if (c == 0x7b) return this.object();
    if (c == 0x5b) return this.array();
    if (c == 0x22) {
      const v = new Value(1);
      v.text = this.string();
      return v;
    }
    const begin = this.at;
    while (this.at < this.text.length) {
      const d = this.text.charCodeAt(this.at);
      if (d == 0x2c || d == 0x5d || d == 0x7d) break;
      this.at++;
    }
    const v = new Value(0);
    v.text = this.text.substring(begin, this.at);
    return v;
  }

  string(): string {
    const begin = ++this.at;
    while (this.text.charCodeAt(this.at) != 0x22) this.at++;
    return this.text.substring(begin, this.at++);
  }

  array(): Value {
    const v = new Value(2);
    do {
      this.at++;
      v.items.push(this.value());
    } while (this.text.charCodeAt(this.at) == 0x2c);
    this.at++;
    return v;
  }

  object(): Value {
    const v = new Value(3);
    do {
      this.at++;
      const key = this.string();
      this.at++;
      v.fields.set(key, this.value());
    } while (this.text.charCodeAt(this.at) == 0x2c);
    this.at++;
    return v;
  }
}

export function run_json(n: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const out = new Parser(event).value().write();
    sum += out.length;
    if (out != event) sum = 0;
  }
  return sum;
}

// SHA-256, over typed and static arrays.

const k: StaticArray<u32> = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];
const w = new StaticArray<u32>(64);

function block(h: Uint32Array, p: Uint8Array, at: i32): void {
  for (let i = 0; i < 16; i++) {
    const j = at + 4 * i;
    w[i] = (<u32>p[j] << 24) | (<u32>p[j + 1] << 16) | (<u32>p[j + 2] << 8) | p[j + 3];
  }
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15];
    const y = w[i - 2];
    w[i] = w[i - 16] + (rotr(x, 7) ^ rotr(x, 18) ^ (x >> 3)) + w[i - 7] + (rotr(y, 17) ^ rotr(y, 19) ^ (y >> 10));
  }
  let a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], o = h[7];
  for (let i = 0; i < 64; i++) {
    const t1 = o + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
    const t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    o = g; g = f; f = e; e = d + t1; d = c; c = b; b = a; a = t1 + t2;
  }
  h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e; h[5] += f; h[6] += g; h[7] += o;
}

export function run_hash(n: u32): u32 {
  const data = new Uint8Array(65536);
  let sum: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const h = new Uint32Array(8);
    h.set([0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]);
    data[i & 65535] = data[i & 65535] ^ <u8>sum;
    for (let at = 0; at < data.length; at += 64) block(h, data, at);
    sum = (sum << 1) ^ h[0];
  }
  return sum;
}

export function run_sort(n: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const values = new Array<u32>(2000);
    let seed = i + 1;
    for (let j = 0; j < values.length; j++) {
      seed = seed * 1664525 + 1013904223;
      values[j] = seed >> 8;
    }
    values.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    sum += values[1000];
  }
  return sum;
}

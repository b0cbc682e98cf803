// The random numbers of `genctl sample`: for the same seed, image i has the same z there and here.

// MT19937: Matsumoto and Nishimura 1998, as in torch.
class MersenneTwister {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = seed;
    for (let i = 1; i < 624; i++) {
      const previous = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, previous) + i;
    }
    this.next = 624;
  }

  // 24 random bits as a number from 0 up to 1.
  uniform() {
    if (this.next === 624) this.refill();
    let bits = this.state[this.next++];
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    bits ^= bits >>> 18;
    return (bits & 0xffffff) / 0x1000000;
  }

  refill() {
    const { state } = this;
    for (let i = 0; i < 624; i++) {
      const bits = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
      state[i] = state[(i + 397) % 624] ^ (bits >>> 1) ^ (bits & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }
}

const MASK = (1n << 64n) - 1n;
const IV = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const SIGMA = [
  "0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d",
  "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0",
].map((row) => Array.from(row, (digit) => parseInt(digit, 16)));
const MIXED = ["048c", "159d", "26ae", "37bf", "05af", "16bc", "278d", "349e"]
  .map((row) => Array.from(row, (digit) => parseInt(digit, 16)));

// BLAKE2b (RFC 7693) of at most 128 ASCII characters, 8 bytes long.
function blake2b(text) {
  const bytes = Array.from(text.padEnd(128, "\0"), (letter) => BigInt(letter.charCodeAt(0)));
  const words = IV.map(() => 0n).concat(IV.map(() => 0n));
  bytes.forEach((byte, i) => { words[i >> 3] |= byte << BigInt(8 * (i & 7)); });
  const start = IV[0] ^ 0x01010008n;
  const v = [start, ...IV.slice(1), ...IV];
  v[12] ^= BigInt(text.length);
  v[14] ^= MASK;
  const rotated = (x, bits) => (x >> bits) | ((x << (64n - bits)) & MASK);
  for (let round = 0; round < 12; round++) {
    const order = SIGMA[round % 10];
    MIXED.forEach(([a, b, c, d], i) => {
      for (const [word, first, second] of [[order[2 * i], 32n, 24n], [order[2 * i + 1], 16n, 63n]]) {
        v[a] = (v[a] + v[b] + words[word]) & MASK;
        v[d] = rotated(v[d] ^ v[a], first);
        v[c] = (v[c] + v[d]) & MASK;
        v[b] = rotated(v[b] ^ v[c], second);
      }
    });
  }
  const hash = start ^ v[0] ^ v[8];
  return Array.from({ length: 8 }, (_, i) => Number((hash >> BigInt(8 * i)) & 255n));
}

// genctl.common.rng.torch_rng(seed, "sample", block), of whose seed torch uses the last 32 bits.
function sampleGenerator(seed, block) {
  const bytes = blake2b(`(${seed}, 'sample', ${block})`);
  const hash = bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
  return new MersenneTwister(Number((hash >> 1n) & 0xffffffffn));
}

const BLOCK = 256;  // samples whose random numbers come from one generator

// z of the samples `first`, `first` + 1, …: genctl.inference.sampling.sample_z.
function sampleZ(seed, first, count, length) {
  const z = new Float32Array(count * length);
  for (let done = 0; done < count;) {
    const block = Math.floor((first + done) / BLOCK), start = (first + done) % BLOCK;
    const here = Math.min(count - done, BLOCK - start);
    const numbers = normals(sampleGenerator(seed, block), (start + here) * length);
    z.set(numbers.subarray(start * length, (start + here) * length), done * length);
    done += here;
  }
  return z;
}

// Normally distributed numbers, 16 at a time as in torch: Box and Muller 1958.
function normals(generator, count) {
  const numbers = new Float32Array(Math.ceil(count / 16) * 16);
  for (let i = 0; i < numbers.length; i++) numbers[i] = generator.uniform();
  for (let start = 0; start < numbers.length; start += 16) {
    for (let i = start; i < start + 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - numbers[i]));
      const angle = 2 * Math.PI * numbers[i + 8];
      numbers[i] = radius * Math.cos(angle);
      numbers[i + 8] = radius * Math.sin(angle);
    }
  }
  return numbers;
}

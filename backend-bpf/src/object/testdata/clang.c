// clang -g -O2 -target bpf -mcpu=v3 -ffile-compilation-dir=. -c clang.c -o clang.o && llvm-strip -g clang.o
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(n) __attribute__((section(n), used))
#define NOINLINE __attribute__((noinline))
#define __uint(n, v) int(*n)[v]
#define __type(n, v) typeof(v) *n

struct value { u32 key; u64 limit; };
struct { __uint(type, 1); __uint(max_entries, 8); __type(key, u32); __type(value, struct value); } seen SEC(".maps");
struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");

static long (*map_update)(void *, const void *, const void *, u64) = (void *)2;
static long (*loop)(u32, void *, void *, u64) = (void *)181;

u64 total;
static u64 hidden;
u64 step = 5;
const volatile u64 limit = 11;

static NOINLINE int leaf(u32 k) {
    struct value v = {k, limit};
    map_update(&seen, &k, &v, 0);
    hidden++;
    return 0;
}
NOINLINE int visible(u32 k) {
    leaf(k);
    total += step;
    return (int)hidden;
}
static int callback(u32 i, void *c) {
    leaf(i);
    return 0;
}
SEC("xdp") int one(void *ctx) { return visible(1) ? 2 : 1; }
SEC("xdp") int two(void *ctx) {
    leaf(2);
    return 2;
}
SEC("tc") int three(void *ctx) {
    loop(3, callback, 0, 0);
    return visible(7);
}
char _license[] SEC("license") = "GPL";

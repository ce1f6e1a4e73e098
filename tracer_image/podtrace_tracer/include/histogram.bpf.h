/* SPDX-License-Identifier: GPL-2.0 */
/* Log-linear histograms; the same arithmetic as kubectl_podtrace/wire/histogram.py, which gives the constants. */

struct histogram {
	u64 buckets[HISTOGRAM_BUCKETS];
};
BPF_ARRAY(histograms, struct histogram, MAX_SCOPES *TIMED_OPERATIONS);
/* Never written: what a new histogram begins with is too large for the stack. */
BPF_ARRAY(no_histogram, struct histogram, 1);

/* Without branches: with a chain of them the verifier would check all that follows once per exponent. All bits below the
 * highest are set, then the bits counted (Warren, Hacker's Delight, 5-1). */
static __always_inline u64 log2_of(u64 value)
{
	value |= value >> 1;
	value |= value >> 2;
	value |= value >> 4;
	value |= value >> 8;
	value |= value >> 16;
	value |= value >> 32;
	value -= (value >> 1) & 0x5555555555555555ULL;
	value = (value & 0x3333333333333333ULL) + ((value >> 2) & 0x3333333333333333ULL);
	value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return ((value * 0x0101010101010101ULL) >> 56) - 1;
}

static __always_inline u32 histogram_bucket(u64 value)
{
	if (value < (1ULL << HISTOGRAM_FIRST_EXPONENT))
		return value >> (HISTOGRAM_FIRST_EXPONENT - HISTOGRAM_SUB_BITS);
	u64 exponent = log2_of(value);
	if (exponent > HISTOGRAM_LAST_EXPONENT)
		return HISTOGRAM_BUCKETS - 1;
	u32 sub = (value >> (exponent - HISTOGRAM_SUB_BITS)) & ((1 << HISTOGRAM_SUB_BITS) - 1);
	return ((exponent - HISTOGRAM_FIRST_EXPONENT + 1) << HISTOGRAM_SUB_BITS) + sub;
}

static __always_inline void histogram_count(struct histogram *histogram, u64 value)
{
	u64 bucket = histogram_bucket(value);
	/* clang 19 proves the bound and leaves the check out; the verifier, which cannot prove it, needs it. */
	asm volatile("" : "+r"(bucket));
	if (histogram && bucket < HISTOGRAM_BUCKETS)
		__sync_fetch_and_add(&histogram->buckets[bucket], 1);
}

static __always_inline void histogram_add(u32 scope, u32 operation, u64 value)
{
	u32 index = scope * TIMED_OPERATIONS + operation;
	histogram_count(histograms.lookup(&index), value);
}

/* SPDX-License-Identifier: GPL-2.0 */
/* dns: the tables, and the message under way. */

#define DNS_PORT __builtin_bswap16(53)
#define DNS_HEADER 12
#define DNS_CODES 16
#define DNS_TYPE_A 1
#define DNS_TYPE_AAAA 28
#define DNS_NAME 255
#define DNS_ANSWER 512
#define DNS_SECOND 1000000000ULL
#define RECORD_DNS_NAME 3
#define RECORD_DNS_ANSWER 4

/* A query that waits for its answer. Sockets are known by the number of their inode, which is not used again. */
struct dns_key {
	u64 socket;
	u64 name_hash;
	u16 id;
	u16 type;
	u32 unused;
};
struct dns_query {
	u64 first_ns;
	u64 last_ns;
	u32 scope;
	u32 pid;
	u32 node_pid;
	struct address resolver;
	char comm[16];
};
/* An answer in time takes its query out; the tracer counts the others, and takes them out when they are old. */
BPF_HASH(dns_queries, struct dns_key, struct dns_query, MAX_DNS_QUERIES);

struct dns_name_key {
	u64 name_hash;
	u64 scope;
};
struct dns_name_counters {
	u64 lookups;
	u64 answers;
	u64 errors;
	u64 nxdomain;
	u64 total_ns;
	u64 max_ns;
	u64 named;
	u64 answer_ns;
	u64 empty_aaaa; /* answers that there is no IPv6 address */
};
BPF_PERCPU_HASH(dns_names, struct dns_name_key, struct dns_name_counters, MAX_DNS_NAMES);

struct resolver_key {
	u32 scope;
	struct address address;
};
struct resolver_counters {
	u64 lookups;
	u64 answers;
	u64 sum_ns;
	u64 max_ns;
};
BPF_PERCPU_HASH(resolvers, struct resolver_key, struct resolver_counters, MAX_RESOLVERS);
BPF_HASH(resolver_histograms, struct resolver_key, struct histogram, MAX_RESOLVERS);

struct dns_type_key {
	u32 scope;
	u32 type;
};
BPF_HASH(dns_types, struct dns_type_key, u64, MAX_DNS_TYPES);
BPF_ARRAY(dns_codes, u64, MAX_SCOPES *DNS_CODES);

/* When a query last left a port of a socket that is not connected. Such a socket does not tell whom it hears, and this tells
 * without a table that could fill whether it can be an answer. */
BPF_ARRAY(dns_ports, u64, 65536);

/* What the ring buffer carries: a name as it stands in a query, or the beginning of an answer. */
struct dns_record {
	u32 record;
	u32 scope;
	u64 name_hash;
	u64 length;
	u64 node_pid; /* of who asked */
	u8 bytes[DNS_ANSWER];
};
BPF_PERCPU_ARRAY(dns_scratch, struct dns_record, 1);

/* The call whose messages are looked at, and the message of these that is its turn. */
struct dns_work {
	u64 start;
	u64 now;
	u64 file;
	u64 sk;
	u32 scope;
	u32 writes;
	u32 is_stream;
	u32 is_connected;
	u64 bytes_left;
	u64 skip;
	u32 messages;
	u32 message;
	u32 size;
	u32 name_at;
	u32 name_size;
	u32 flags;
	struct dns_key key;
	struct address resolver;
	u8 bytes[2048];
};
BPF_PERCPU_ARRAY(dns_work, struct dns_work, 1);

static __always_inline struct dns_work *current_dns_work(void)
{
	u32 first = 0;
	return dns_work.lookup(&first);
}

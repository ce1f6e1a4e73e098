/* SPDX-License-Identifier: GPL-2.0 */
/* dns: what a query and an answer count. */

static __always_inline u16 dns_number(const struct dns_work *dns, u32 place)
{
	place &= 1023;
	return dns->bytes[place] << 8 | dns->bytes[place + 1];
}

static __always_inline struct dns_name_counters *dns_name_of(u32 scope, u64 name_hash)
{
	struct dns_name_key key = {.name_hash = name_hash, .scope = scope};
	struct dns_name_counters zero = {}, *counters = dns_names.lookup(&key);
	if (counters)
		return counters;
	dns_names.insert(&key, &zero);
	return dns_names.lookup(&key);
}

static __always_inline struct resolver_counters *resolver_of(const struct resolver_key *resolver)
{
	struct resolver_key key = *resolver;
	struct resolver_counters zero = {}, *counters = resolvers.lookup(&key);
	if (counters)
		return counters;
	resolvers.insert(&key, &zero);
	return resolvers.lookup(&key);
}

/* Hands bytes of the message to the tracer. */
static __always_inline int dns_send(struct dns_work *dns, u32 kind, u32 scope, u32 place, u32 size)
{
	u32 first = 0;
	struct dns_record *record = dns_scratch.lookup(&first);
	if (!record || !size)
		return 0;
	record->record = kind;
	record->scope = scope;
	record->name_hash = dns->key.name_hash;
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct process *process = processes.lookup(&tgid);
	record->node_pid = process ? process->node_pid : 0;
	FORGET(size);
	size = size > DNS_ANSWER ? DNS_ANSWER : size;
	record->length = size;
	/* The mask is for the verifier. */
	if (bpf_probe_read_kernel(record->bytes, size & 1023, &dns->bytes[place & 1023]))
		return 0;
	if (!ring.ringbuf_output(record, sizeof(*record) - DNS_ANSWER + size, BPF_RB_NO_WAKEUP))
		return 1;
	lose(LOST_DNS_PAYLOADS);
	return 0;
}

static __always_inline void dns_type_asked(u32 scope, u32 type)
{
	struct dns_type_key key = {.scope = scope, .type = type};
	u64 zero = 0;
	count_or_lose(dns_types.lookup_or_try_init(&key, &zero), LOST_DNS_TYPES);
}

/* A query has left. The same one again on the same socket is no other lookup. */
static __always_inline void dns_asked(struct pt_regs *regs, struct dns_work *dns)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32, scope = dns->scope;
	struct process *process = processes.lookup(&tgid);
	struct dns_query *known = dns_queries.lookup(&dns->key);
	if (known) {
		known->last_ns = dns->now;
		count_once(scope, OP_DNS_RETRANSMIT);
		return;
	}
	struct dns_query query = {.first_ns = dns->start, .last_ns = dns->now, .scope = scope};
	struct resolver_key resolver = {.scope = scope};
	if (dns->is_connected)
		remote_address((struct sock *)dns->sk, &resolver.address);
	else
		user_address(destination_of_call(regs, shape_of_call(regs), dns->message), &resolver.address);
	query.resolver = resolver.address;
	if (process) {
		query.pid = process->pid;
		query.node_pid = process->node_pid;
		__builtin_memcpy(query.comm, process->comm, sizeof(query.comm));
	}
	count_once(scope, OP_DNS_LOOKUP);
	count_for_process(process);
	if (dns_queries.insert(&dns->key, &query))
		lose(LOST_DNS_QUERIES);
	dns_type_asked(scope, dns->key.type);
	struct resolver_counters *asked = resolver_of(&resolver);
	if (asked)
		asked->lookups++;
	else
		lose(LOST_RESOLVERS);
	struct dns_name_counters *name = dns_name_of(scope, dns->key.name_hash);
	if (!name) {
		lose(LOST_DNS_NAMES);
		return;
	}
	name->lookups++;
	if (!name->named)
		name->named = dns_send(dns, RECORD_DNS_NAME, scope, dns->name_at, dns->name_size + 1);
}

static __always_inline void resolver_answered(const struct dns_query *query, u64 duration)
{
	u32 first = 0;
	struct resolver_key key = {.scope = query->scope, .address = query->resolver};
	struct resolver_counters *resolver = resolver_of(&key);
	struct histogram *zero = no_histogram.lookup(&first);
	if (!resolver || !zero)
		return;
	resolver->answers++;
	resolver->sum_ns += duration;
	if (duration > resolver->max_ns)
		resolver->max_ns = duration;
	histogram_count(resolver_histograms.lookup_or_try_init(&key, zero), duration);
}

static __always_inline void name_answered(struct dns_work *dns, u32 scope, u32 code, u32 is_error, u64 duration)
{
	struct dns_name_counters *name = dns_name_of(scope, dns->key.name_hash);
	if (!name)
		return;
	name->answers++;
	name->errors += is_error;
	name->nxdomain += code == DNS_NXDOMAIN;
	name->total_ns += duration;
	if (duration > name->max_ns)
		name->max_ns = duration;
	u32 answers_at = dns->name_at - DNS_HEADER + 6;
	name->empty_aaaa += !code && dns->key.type == DNS_TYPE_AAAA && !dns_number(dns, answers_at);
	u32 has_addresses = !code && (dns->key.type == DNS_TYPE_A || dns->key.type == DNS_TYPE_AAAA);
	if (!has_addresses || (name->answer_ns && dns->now - name->answer_ns < DNS_SECOND))
		return;
	u32 begin = dns->name_at - DNS_HEADER;
	if (dns_send(dns, RECORD_DNS_ANSWER, scope, begin, dns->size - begin))
		name->answer_ns = dns->now;
}

static __always_inline void lookup_failed(struct dns_work *dns, const struct dns_query *query, u32 code)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32, size = dns->name_size + 1;
	struct done done = {.start = query->first_ns, .now = dns->now};
	struct event *event = event_of_call(OP_DNS_LOOKUP, query->scope, processes.lookup(&tgid), &done);
	if (!event)
		return;
	event->result = code;
	event_address(event, &query->resolver);
	FORGET(size);
	bpf_probe_read_kernel(event->text, size & 255, &dns->bytes[dns->name_at & 1023]);
	event_send(event);
}

/* An answer has come; in time it takes its query out of the table, and who takes it out counts it. */
static __always_inline void dns_answered(struct dns_work *dns)
{
	struct dns_query *known = dns_queries.lookup(&dns->key);
	if (!known)
		return;
	struct dns_query query = *known;
	u64 duration = dns->now - query.first_ns;
	if (duration > DNS_TIMEOUT_NS || dns_queries.delete(&dns->key))
		return;
	u32 code = dns->flags & (DNS_CODES - 1), is_error = DNS_ERROR_CODES >> code & 1;
	u32 index = query.scope * DNS_CODES + code;
	u64 *coded = dns_codes.lookup(&index);
	if (coded)
		__sync_fetch_and_add(coded, 1);
	count_once(query.scope, OP_DNS_ANSWER);
	struct total *total = total_of(query.scope, OP_DNS_LOOKUP);
	if (total) {
		total->errors += is_error;
		count_duration(query.scope, OP_DNS_LOOKUP, total, duration, RTT_THRESHOLD_NS);
	}
	struct done done = {.start = query.first_ns, .now = dns->now};
	struct slow_target *target = slow_seen(OP_DNS_LOOKUP, query.scope, &done, RTT_THRESHOLD_NS);
	if (target)
		slow_at_address(target, &query.resolver);
	resolver_answered(&query, duration);
	name_answered(dns, query.scope, code, is_error, duration);
	if (is_error)
		lookup_failed(dns, &query, code);
}

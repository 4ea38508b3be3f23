// Hands connections over to listening sockets by rules on prefix, ports and protocol, whatever address a socket is bound to.
//
// One program for one network namespace, for TCP and UDP over IPv4. The rules stand in a map, in the order in which they
// are to be tried; the first that fits decides, and what fits none goes on to the kernel's own look-up. There are two
// tables of rules, and `control` says which is in force, so that a change is one write for all of them.
//
// It needs no header: what it uses of the kernel's interface (linux/bpf.h) is stable and stands here.

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// `struct bpf_sk_lookup`. Addresses are in network byte order, the local port is in that of the host.
struct lookup {
	u64 socket;
	u32 family;
	u32 protocol;
	u32 remote_ip4;
	u32 remote_ip6[4];
	u32 remote_port;
	u32 local_ip4;
	u32 local_ip6[4];
	u32 local_port;
	u32 ingress_ifindex;
};

// As `sk_lookup.py` packs it, one folder above.
struct rule {
	u32 network; // network byte order, as is the mask
	u32 mask;
	u16 first_port;
	u16 last_port;
	u32 protocol; // 0: all
	u32 listener; // its place in `listeners`
};

enum { IPV4 = 2, DROP = 0, PASS = 1, MAX_RULES = 64 };

// The loader makes the maps and puts their descriptors where these names are used.
extern struct {} rules, control, listeners;

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const socket_release)(void *socket) = (void *)86;
static long (*const socket_assign)(struct lookup *lookup, void *socket, u64 flags) = (void *)124;

__attribute__((section("sk_lookup"), used)) int dispatch(struct lookup *lookup)
{
	u32 zero = 0;
	u64 *in_force = map_lookup(&control, &zero);

	if (!in_force || lookup->family != IPV4)
		return PASS;
	u64 both = *(volatile u64 *)in_force; // read once: number of the table and of its rules belong together
	u32 first = (u32)(both >> 32) * MAX_RULES, count = (u32)both;

	for (u32 i = 0; i < MAX_RULES && i < count; i++) {
		u32 place = first + i;
		struct rule *rule = map_lookup(&rules, &place);

		if (!rule)
			return PASS;
		if ((lookup->local_ip4 & rule->mask) != rule->network)
			continue;
		if (lookup->local_port < rule->first_port || lookup->local_port > rule->last_port)
			continue;
		if (rule->protocol && rule->protocol != lookup->protocol)
			continue;

		u32 key = rule->listener;
		void *socket = map_lookup(&listeners, &key);

		if (!socket)
			return DROP; // nobody listens for the service: refuse, rather than let someone else answer
		long failed = socket_assign(lookup, socket, 0);

		socket_release(socket);
		return failed ? DROP : PASS;
	}
	return PASS;
}

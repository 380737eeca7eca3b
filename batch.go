package hydrant

import (
	"math/bits"
	"sync"
	"time"
)

// batch is what fills one call: the bytes of its records in one piece of memory,
// cut into packs. A batch stays together until all of it has met its fate; what
// an answer refuses goes on in a smaller one.
type batch struct {
	arena   []byte
	members []member
	packs   []pack // once it is a call

	// What has left a batch that was larger than a call: so many bytes and
	// members at the front.
	sent, gone int

	epoch    *epoch
	opened   time.Time
	due      time.Time // of a batch that has failed: no call carries it earlier
	attempts int       // calls that carried it
	maybe    bool      // a call of an earlier process may have carried it
	alone    bool      // travels in a call of its own: one of its records may poison others
	lingered bool      // sealed by the linger, not by its size
}

// member is an accepted record.
type member struct {
	ack    func(Ack)
	index  int           // in its PutBatch; with a spool, its number there
	size   int           // with its delimiter
	at     time.Duration // of Put, since the producer's start
	source string        // as in Record
	place  int64
}

// pack is a record as Firehose gets it: one or more members.
type pack struct {
	size, n int // raw bytes and members
	raw     []byte
	members []member
	coded   []byte // what is sent instead of raw, if compressed

	maybe bool     // an earlier call may have stored it
	last  *failure // of its latest attempt
}

// data is what is sent.
func (p *pack) data() []byte {
	if p.coded != nil {
		return p.coded
	}
	return p.raw
}

// limits bound the packs of a stream, and its calls.
type limits struct {
	packBytes, packRecords int // of one pack; packRecords 1 sends records one for one
	callPacks, callBytes   int // of one call
	sentBytes              int // of one call as it is sent: less, if it is compressed
}

// fits tells whether a record of size bytes can join b, and still be one call
// with it.
func (b *batch) fits(size int, l limits) bool {
	return len(b.members) == 0 || len(b.arena)+size <= l.callBytes && len(b.members)/l.packRecords < l.callPacks
}

// weight is b's share of the buffer.
func (b *batch) weight() int64 { return int64(len(b.arena) + len(b.members)*recordOverhead) }

// full tells whether b fills a call.
func (b *batch) full(l limits) bool {
	return len(b.arena)-b.sent >= l.callBytes || (len(b.members)-b.gone)/l.packRecords >= l.callPacks
}

// add copies a record into b.
func (b *batch) add(data []byte, delimiter string, m member) *batch {
	if need := len(b.arena) + m.size; need > cap(b.arena) {
		b = b.grown(need)
	}
	b.arena = append(b.arena, data...)
	if len(data) < m.size {
		b.arena = append(b.arena, delimiter...)
	}
	b.members = append(b.members, m)
	return b
}

// cut takes a call off the front of b, cut into packs: b itself, when all of it
// fits, or a copy of what does.
func (b *batch) cut(l limits) (call *batch, rest bool) {
	members := b.members[b.gone:]
	var packs []pack
	if b.gone == 0 {
		packs = b.packs
	}
	n, bytes := 0, 0
	for n < len(members) {
		size := members[n].size
		if n > 0 && bytes+size > l.callBytes {
			break
		}
		if last := len(packs) - 1; last < 0 || packs[last].n >= l.packRecords || packs[last].size+size > l.packBytes {
			if len(packs) == l.callPacks {
				break
			}
			packs = append(packs, pack{maybe: b.maybe})
		}
		last := &packs[len(packs)-1]
		last.n++
		last.size += size
		n++
		bytes += size
	}
	if n == len(b.members) { // so nothing has left it before
		b.packs = packs
		b.slice()
		return b, false
	}
	call = newBatch(bytes)
	call.arena = append(call.arena, b.arena[b.sent:b.sent+bytes]...)
	call.members = append(call.members, members[:n]...)
	call.packs = append(call.packs, packs...)
	call.epoch, call.opened, call.maybe = b.epoch, b.opened, b.maybe
	call.slice()
	b.sent, b.gone = b.sent+bytes, b.gone+n
	return call, b.gone < len(b.members)
}

// slice gives the packs their bytes and members.
func (b *batch) slice() {
	raw, members := b.arena, b.members
	for i := range b.packs {
		p := &b.packs[i]
		p.raw, raw = raw[:p.size:p.size], raw[p.size:]
		p.members, members = members[:p.n:p.n], members[p.n:]
	}
}

// bytes is what the batch's packs hold on the wire.
func (b *batch) bytes() (n int) {
	for i := range b.packs {
		n += len(b.packs[i].data())
	}
	return n
}

// take makes a batch of some of b's packs. Memory is not shared.
func (b *batch) take(packs []*pack) *batch {
	size := 0
	for _, p := range packs {
		size += p.size
	}
	rest := newBatch(size)
	rest.epoch, rest.opened, rest.due, rest.attempts, rest.alone, rest.lingered = b.epoch, b.opened, b.due, b.attempts, b.alone, b.lingered
	for _, p := range packs {
		rest.arena = append(rest.arena, p.raw...)
		rest.members = append(rest.members, p.members...)
		rest.packs = append(rest.packs, *p)
	}
	rest.slice()
	return rest
}

// split takes the first packs off a sealed batch, as many as l has room for in a
// call, at least one; nil when all of them fit.
func (b *batch) split(l limits) *batch {
	n, bytes := 0, 0
	for n < len(b.packs) && (n == 0 || n < l.callPacks && bytes+len(b.packs[n].data()) <= l.sentBytes) {
		bytes += len(b.packs[n].data())
		n++
	}
	if n == len(b.packs) {
		return nil
	}
	first := make([]*pack, n)
	for i := range first {
		first[i] = &b.packs[i]
	}
	head := b.take(first)
	b.packs = b.packs[n:]
	return head
}

// records is how many members the batch's packs hold.
func (b *batch) records() (n int) {
	for i := range b.packs {
		n += b.packs[i].n
	}
	return n
}

// recut cuts b into new packs and calls. Only what is sure not to be stored may
// be cut anew: of anything else a second copy must be the same record.
func (b *batch) recut(l limits) (calls []*batch) {
	why := b.packs[0].last
	b.packs = b.packs[:0]
	for rest := true; rest; {
		var call *batch
		call, rest = b.cut(l)
		call.attempts, call.lingered = b.attempts, b.lingered
		for i := range call.packs {
			call.packs[i].last = why
		}
		calls = append(calls, call)
	}
	if calls[0] != b {
		b.free()
	}
	return calls
}

// halves cuts b in two: between packs, or where there is but one, between its
// members. A single member has no halves.
func (b *batch) halves() (first, second *batch) {
	if len(b.packs) > 1 {
		all := make([]*pack, len(b.packs))
		for i := range all {
			all[i] = &b.packs[i]
		}
		return b.take(all[:len(all)/2]), b.take(all[len(all)/2:])
	}
	one, other := b.packs[0].halves()
	return b.take([]*pack{&one}), b.take([]*pack{&other})
}

// halves cuts k in two, between its members.
func (k *pack) halves() (first, second pack) {
	half := k.n / 2
	size := 0
	for _, m := range k.members[:half] {
		size += m.size
	}
	cut := func(raw []byte, members []member) pack {
		return pack{size: len(raw), n: len(members), raw: raw, members: members, maybe: k.maybe, last: k.last}
	}
	return cut(k.raw[:size:size], k.members[:half:half]), cut(k.raw[size:], k.members[half:])
}

// arenas keeps the memory of batches in classes, each of twice the size of the
// one before.
var arenas [15]sync.Pool

const leastArena = 4 << 10

func class(size int) int {
	return bits.Len(uint(max(size, leastArena)-1) / leastArena)
}

// newBatch returns an empty batch with room for size bytes.
func newBatch(size int) *batch {
	c := class(size)
	if c >= len(arenas) {
		return &batch{arena: make([]byte, 0, size)}
	}
	if b, ok := arenas[c].Get().(*batch); ok {
		return b
	}
	return &batch{arena: make([]byte, 0, leastArena<<c)}
}

// grown is b with room for size bytes.
func (b *batch) grown(size int) *batch {
	g := newBatch(size)
	arena, members, packs := g.arena, g.members, g.packs
	*g = *b
	g.arena = append(arena, b.arena...)
	g.members = append(members, b.members...)
	g.packs = append(packs, b.packs...)
	b.free()
	return g
}

// free gives b's memory back. Nobody may use b or its packs afterwards.
func (b *batch) free() {
	clear(b.members)
	clear(b.packs)
	*b = batch{arena: b.arena[:0], members: b.members[:0], packs: b.packs[:0]}
	if c := class(cap(b.arena)); c < len(arenas) && leastArena<<c == cap(b.arena) {
		arenas[c].Put(b)
	}
}

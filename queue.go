package hydrant

import "time"

// queue holds what waits for a call. It knows the limits of a call and what is
// due, and nothing of clocks or connections. The producer's mutex guards it.
type queue struct {
	// isolated are calls to be made as they are: the halves of a call that the
	// service refused as a whole for one of its records.
	isolated [][]*record
	// again are refused records, fresh are new ones. Refused go first.
	again, fresh fifo

	epochs []*epoch // those with unsettled records, oldest first; the last is open
}

// epoch counts the unsettled records accepted between two flushes.
type epoch struct {
	pending int
	sealed  bool
	done    chan struct{} // closed when sealed and settled
}

func newQueue() queue { return queue{epochs: []*epoch{{done: make(chan struct{})}}} }

// admit counts r in the open epoch.
func (q *queue) admit(r *record) {
	r.epoch = q.epochs[len(q.epochs)-1]
	r.epoch.pending++
}

// leave counts a settled record out.
func (q *queue) leave(r *record) {
	r.epoch.pending--
	r.epoch.check()
}

func (e *epoch) check() {
	if e.sealed && e.pending == 0 {
		close(e.done)
	}
}

// seal closes the open epoch and returns all that are not settled.
func (q *queue) seal() []*epoch {
	var unsettled []*epoch
	for _, e := range q.epochs {
		if !e.sealed {
			e.sealed = true
			e.check()
		}
		if e.pending > 0 {
			unsettled = append(unsettled, e)
		}
	}
	q.epochs = append(unsettled[:len(unsettled):len(unsettled)], &epoch{done: make(chan struct{})})
	return unsettled
}

func (q *queue) push(r *record)  { q.fresh.push(r) }
func (q *queue) retry(r *record) { q.again.push(r) }

// full tells whether the queue holds at least one whole call.
func (q *queue) full(cfg *Config) bool {
	return q.fresh.n+q.again.n >= cfg.BatchRecords || q.fresh.bytes+q.again.bytes >= cfg.BatchBytes
}

// due is when the next call may start as far as the queue is concerned; false
// when it is empty. New records wait for their linger unless they fill a call
// or somebody flushes.
func (q *queue) due(cfg *Config) (time.Time, bool) {
	if len(q.isolated) > 0 || q.again.n > 0 {
		return time.Time{}, true
	}
	if q.fresh.n == 0 {
		return time.Time{}, false
	}
	head := q.fresh.head()
	if q.full(cfg) || head.epoch.sealed {
		return time.Time{}, true
	}
	return head.at.Add(cfg.Linger), true
}

// cut takes the records of the next call: never more than the limits, and at
// least one.
func (q *queue) cut(cfg *Config) (batch []*record, isolated bool) {
	if len(q.isolated) > 0 {
		batch, q.isolated = q.isolated[0], q.isolated[1:]
		return batch, true
	}
	size := 0
	for _, f := range []*fifo{&q.again, &q.fresh} {
		for f.n > 0 && len(batch) < cfg.BatchRecords {
			r := f.head()
			if size += len(r.data); size > cfg.BatchBytes && len(batch) > 0 {
				return batch, false
			}
			batch = append(batch, f.pop())
		}
	}
	return batch, false
}

// drain empties the queue, oldest records first.
func (q *queue) drain() []*record {
	var all []*record
	for _, batch := range q.isolated {
		all = append(all, batch...)
	}
	q.isolated = nil
	for _, f := range []*fifo{&q.again, &q.fresh} {
		for f.n > 0 {
			all = append(all, f.pop())
		}
	}
	return all
}

// fifo is a queue in a ring that grows.
type fifo struct {
	ring     []*record
	first, n int
	bytes    int
}

func (f *fifo) head() *record { return f.ring[f.first] }

func (f *fifo) push(r *record) {
	if f.n == len(f.ring) {
		ring := make([]*record, max(64, 2*f.n))
		k := copy(ring, f.ring[f.first:])
		copy(ring[k:], f.ring[:f.first])
		f.ring, f.first = ring, 0
	}
	f.ring[(f.first+f.n)%len(f.ring)] = r
	f.n++
	f.bytes += len(r.data)
}

func (f *fifo) pop() *record {
	r := f.ring[f.first]
	f.ring[f.first] = nil
	f.first = (f.first + 1) % len(f.ring)
	f.n--
	f.bytes -= len(r.data)
	return r
}

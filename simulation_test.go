package hydrant_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/wire"
)

var (
	seeds = flag.Int("seeds", 1000, "how many random runs the simulation makes")
	seed1 = flag.Int("seed", -1, "the one random run to make")
)

// The promises under random trouble, for as many seeds as the flag says: no
// record is lost, each has one fate, what was accepted in an answer that arrived
// is not sent again, the buffer keeps its bound, and nothing is left running.
func TestSimulation(t *testing.T) { eachSeed(t, *seeds, simulate) }

// eachSeed runs f in a bubble of its own for every seed below n, or for the one
// that the flag names.
func eachSeed(t *testing.T, n int, f func(*testing.T, uint64)) {
	if *seed1 >= 0 {
		synctest.Test(t, func(t *testing.T) { f(t, uint64(*seed1)) })
		return
	}
	if raceDetector {
		n /= 3
	}
	// The runs are independent, so they share the processors.
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range next {
				t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { f(t, uint64(seed)) })
				})
			}
		})
	}
	for seed := 0; seed < n && !t.Failed(); seed++ {
		next <- seed
	}
	close(next)
	wg.Wait()
}

// trouble is random faults of every kind, and none after a while.
type trouble struct {
	mu   sync.Mutex // guards rng
	rng  *rand.Rand
	ends time.Time
	// The share of calls that have a fault, and of records that are refused.
	calls, records float64
}

func (f *trouble) Next(string, int) local.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().After(f.ends) {
		return local.Fault{}
	}
	var fault local.Fault
	if f.rng.Float64() < f.calls {
		codes := []string{wire.CodeServiceUnavailable, wire.CodeInternalFailure, wire.CodeThrottling, wire.CodeExpiredToken, "Whatever"}
		fault = []local.Fault{
			hydranttest.Fail(400+100*f.rng.IntN(2), codes[f.rng.IntN(len(codes))], "no"),
			hydranttest.ResetBefore(),
			hydranttest.ResetAfter(),
			hydranttest.RefuseAll(),
			hydranttest.Slow(time.Duration(f.rng.Int64N(int64(15 * time.Second)))),
			hydranttest.Answer(func(a *wire.PutResponse) { a.Entries = a.Entries[:len(a.Entries)/2] }),
			hydranttest.Answer(func(a *wire.PutResponse) { a.Entries = append(a.Entries, wire.PutEntry{RecordID: "more"}) }),
			hydranttest.Answer(func(a *wire.PutResponse) { a.Entries[0] = wire.PutEntry{} }),
		}[f.rng.IntN(8)]
	}
	if fault.Refuse == nil && f.records > 0 {
		share, rng := f.records, rand.New(rand.NewPCG(f.rng.Uint64(), 0))
		fault.Refuse = func(int) (string, string) {
			if rng.Float64() >= share {
				return "", ""
			}
			return []string{wire.CodeServiceUnavailable, wire.CodeInternalFailure}[rng.IntN(2)], "no"
		}
	}
	return fault
}

func randomConfig(rng *rand.Rand) hydrant.Config {
	return hydrant.Config{
		Packing:      hydrant.PackOff + hydrant.Packing(rng.IntN(2)),
		PackBytes:    1 + rng.IntN([]int{100, 10_000, wire.MaxRecordBytes}[rng.IntN(3)]),
		PackRecords:  1 + rng.IntN(100),
		Compression:  []hydrant.Compression{hydrant.CompressNone, hydrant.CompressNone, hydrant.CompressGzip, hydrant.CompressZstd}[rng.IntN(4)],
		BatchRecords: 1 + rng.IntN(60),
		BatchBytes:   1 + rng.IntN([]int{1000, 100_000, wire.MaxBatchBytes}[rng.IntN(3)]),
		InFlight:     1 + rng.IntN(8),
		Linger:       time.Duration(rng.IntN(4)-1) * 300 * time.Millisecond,
		MaxBuffer:    1 << 20,
		CallTimeout:  10 * time.Second,
		MaxAttempts:  []int{0, 0, 20}[rng.IntN(3)],
		Rate:         hydrant.Rate{Bytes: []float64{0, 0, 50_000}[rng.IntN(3)]},
	}
}

// simulation is what a run has put.
type simulation struct {
	*rig
	compression hydrant.Compression

	mu       sync.Mutex // guards the fields below
	accepted map[string]bool
	fates    map[string]hydrant.Ack
}

func simulate(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	faults := &trouble{rng: rand.New(rand.NewPCG(seed, 2)), ends: time.Now().Add(time.Duration(rng.IntN(120)) * time.Second), calls: rng.Float64() * 0.6}
	if rng.IntN(2) == 0 {
		faults.records = rng.Float64() * 0.7
	}
	cfg := randomConfig(rng)
	s := &simulation{rig: newRig(t, cfg, faults), compression: cfg.Compression, accepted: map[string]bool{}, fates: map[string]hydrant.Ack{}}
	if rng.IntN(3) == 0 {
		s.fh.SetQuota(local.Quota{Records: 20 + rng.IntN(500), Calls: 5 + rng.IntN(50), Bytes: 20_000 + rng.IntN(1_000_000)})
	}
	var wg sync.WaitGroup
	for w := range 1 + rng.IntN(4) {
		mine := rand.New(rand.NewPCG(seed, uint64(10+w)))
		wg.Go(func() { s.write(w, mine) })
	}
	hasty := rng.IntN(4) == 0 // closes in the middle of it all
	if hasty {
		time.Sleep(time.Duration(rng.IntN(20_000)) * time.Millisecond)
	} else {
		wg.Wait()
	}
	ctx := context.Background()
	if rng.IntN(3) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(10_000))*time.Millisecond)
		defer cancel()
	}
	err := s.p.Close(ctx)
	wg.Wait()
	s.check(err)
}

// write puts records of random sizes at random times, and flushes now and then.
func (s *simulation) write(w int, rng *rand.Rand) {
	for i := range 5 + rng.IntN(60) {
		id := fmt.Sprintf("%d-%d", w, i)
		size := rng.IntN([]int{20, 500, 20_000}[rng.IntN(3)])
		if rng.IntN(200) == 0 {
			size = wire.MaxRecordBytes // too large with its delimiter
		}
		data := append([]byte(id+" "), bytes.Repeat([]byte("x"), size)...)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+rng.IntN(100))*time.Second)
		err := s.p.PutFunc(ctx, data, func(a hydrant.Ack) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if _, twice := s.fates[id]; twice {
				s.Errorf("record %s has two fates", id)
			}
			s.fates[id] = a
		})
		clear(data) // the producer has a copy
		cancel()
		switch {
		case err == nil:
			s.mu.Lock()
			s.accepted[id] = true
			s.mu.Unlock()
		case errors.Is(err, hydrant.ErrClosed):
			return
		case !errors.Is(err, context.DeadlineExceeded):
			s.Errorf("Put: %v", err)
		}
		s.balanced()
		if used, bound := hydrant.Used(s.p); used > bound || used < 0 {
			s.Errorf("%d bytes of the buffer are used, of %d", used, bound)
		}
		switch rng.IntN(20) {
		case 0:
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rng.IntN(30))*time.Second)
			if err := s.p.Flush(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, hydrant.ErrClosed) {
				s.Errorf("Flush: %v", err)
			}
			cancel()
		case 1, 2, 3, 4:
			time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
		}
	}
}

// check wants every record in one place, and the books to say so.
func (s *simulation) check(closeErr error) {
	stored := map[string]int{}
	for _, data := range s.fh.Records(stream) {
		for line := range strings.Lines(string(plain(s.T, s.compression, data))) {
			id, rest, _ := strings.Cut(line, " ")
			if strings.Trim(rest, "x") != "\n" {
				s.Errorf("record %s came as %.40q", id, rest)
			}
			stored[id]++
		}
	}
	given := map[string]string{}
	note := func(list []hydrant.DeadRecord, where string) {
		for _, d := range list {
			id, _, _ := strings.Cut(string(d.Data), " ")
			if given[id] != "" {
				s.Errorf("record %s is in the %s and the %s", id, given[id], where)
			}
			given[id] = where
		}
	}
	note(s.dead.records, "dead letter")
	left, undelivered := errors.AsType[*hydrant.UndeliveredError](closeErr)
	if undelivered {
		note(left.Records, "error of Close")
	} else if closeErr != nil {
		s.Errorf("Close: %v", closeErr)
	}
	var delivered, dead, maybe int64
	for id := range s.accepted {
		ack, settled := s.fates[id]
		switch where := given[id]; {
		case !settled && where != "error of Close":
			s.Errorf("record %s has no fate and is in %q", id, where)
		case settled && ack.Err != nil:
			dead++
			if where != "dead letter" {
				s.Errorf("record %s is said to be in the dead letter, and is in %q", id, where)
			}
		case settled:
			delivered++
			if ack.MaybeDuplicate {
				maybe++
			}
			if n := stored[id]; n == 0 || where != "" || n > 1 && !ack.MaybeDuplicate {
				s.Errorf("record %s was delivered, %+v: it is stored %d times and in %q", id, ack, n, where)
			}
		}
	}
	st := s.p.Stats()
	if st.Accepted != int64(len(s.accepted)) || st.Delivered != delivered || st.DeadLettered != dead || st.MaybeDuplicate != maybe ||
		st.Pending != st.Accepted-delivered-dead || st.Latency.Count() != delivered || !undelivered && st.Pending != 0 {
		s.Errorf("%d accepted, %d delivered, %d dead, %d maybe; the books: %+v", len(s.accepted), delivered, dead, maybe, st)
	}
	if used, _ := hydrant.Used(s.p); !undelivered && used != 0 {
		s.Errorf("%d bytes of the buffer are still taken", used)
	}
}

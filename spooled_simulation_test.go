package hydrant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/internal/vfs"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// The promises of the spool under random trouble of the service and the disk, over
// a few lives of a producer that end by Close, by kill or by a power cut: every
// record that was accepted is stored or in the dead letter, and what is stored
// twice was counted as such.
func TestSpoolSimulation(t *testing.T) {
	eachSeed(t, *seeds/4, simulateSpool) // each is the work of several without a spool
}

// spoolSimulation is a few lives on one disk.
type spoolSimulation struct {
	*rig
	rng    *rand.Rand
	disk   *vfs.Mem
	synced bool // always: a power cut takes nothing back
	maybe  int64

	mu       sync.Mutex // guards the fields below
	accepted map[string]bool
	cut      bool // the producer's disk is not what counts any more
	errors   int  // the next operations of the disk that fail
	full     bool
}

func simulateSpool(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	s := &spoolSimulation{rng: rng, disk: vfs.NewMem(seed), synced: rng.IntN(3) > 0, accepted: map[string]bool{}}
	faults := &trouble{rng: rand.New(rand.NewPCG(seed, 4)), ends: time.Now().Add(time.Duration(rng.IntN(120)) * time.Second), calls: rng.Float64() * 0.5}
	if rng.IntN(2) == 0 {
		faults.records = rng.Float64() * 0.7
	}
	s.rig = &rig{T: t, seen: &watched{faults: faults}, dead: &memory{}}
	s.fh = hydranttest.Start(t, hydranttest.Options{Faults: s.seen})
	s.fh.CreateStream(stream)
	for life := range rng.IntN(4) {
		s.live(life)
	}
	s.seen.set(nil)
	s.start()
	if st := s.p.Stats(); st.Damaged > 0 {
		t.Errorf("%d records are damaged", st.Damaged)
	}
	s.flush()
	s.close()
	s.ended()
	s.check()
}

// start begins a life.
func (s *spoolSimulation) start() {
	s.disk.Fail = s.fail
	cfg, sdk := randomConfig(s.rng), s.fh.AWSConfig()
	cfg.AWS, cfg.Stream, cfg.DeadLetter, cfg.Logger, cfg.Compression = &sdk, stream, s.dead, slog.New(slog.DiscardHandler), hydrant.CompressNone
	cfg.Spool = "/spool"
	cfg.SpoolOptions = spool.Options{
		FS: s.disk, MaxBytes: 1 << 20 << s.rng.IntN(4), SegmentBytes: 4096 << s.rng.IntN(8), Refuse: s.rng.IntN(2) == 0,
	}
	if !s.synced {
		cfg.SpoolOptions.SyncEvery = []time.Duration{-1, time.Second}[s.rng.IntN(2)]
	}
	var err error
	if s.p, err = hydrant.New(s.Context(), cfg); err != nil {
		s.Fatal(err)
	}
}

func (s *spoolSimulation) ended() {
	st := s.p.Stats()
	s.maybe += st.MaybeDuplicate
	s.balanced()
	if st.Damaged > 0 {
		s.Errorf("%d records are damaged", st.Damaged)
	}
	if used, bound := hydrant.Used(s.p); used > bound || used < 0 {
		s.Errorf("%d bytes of the buffer are used, of %d", used, bound)
	}
}

// fail is the disk's trouble.
func (s *spoolSimulation) fail(op vfs.Op, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errors > 0 {
		s.errors--
		return syscall.EIO
	}
	if s.full && (op == vfs.OpWrite || op == vfs.OpCreate) {
		return syscall.ENOSPC
	}
	return nil
}

// live is a life of the producer, and its end.
func (s *spoolSimulation) live(life int) {
	s.start()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for w := range 1 + s.rng.IntN(3) {
		mine := rand.New(rand.NewPCG(s.rng.Uint64(), 0))
		wg.Go(func() { s.write(ctx, fmt.Sprintf("%d-%d", life, w), mine) })
	}
	trouble := rand.New(rand.NewPCG(s.rng.Uint64(), 0))
	wg.Go(func() { s.spoil(ctx, trouble) })
	time.Sleep(time.Duration(s.rng.IntN(40_000)) * time.Millisecond)
	switch s.rng.IntN(3) {
	case 0: // all that was accepted is sent, or at least tried
		ctx, cancel := context.WithTimeout(ctx, time.Duration(s.rng.IntN(60_000))*time.Millisecond)
		defer cancel()
		s.closed(s.p.Close(ctx))
	case 1:
		s.cutOff(s.disk.Kill)
	case 2:
		if s.synced {
			s.cutOff(func() *vfs.Mem { return s.disk.Crash(s.rng.Uint64()) })
		} else {
			s.cutOff(s.disk.Kill)
		}
	}
	cancel()
	wg.Wait()
	s.ended()
	s.errors, s.full, s.cut = 0, false, false
}

// closed checks what Close has told. The disk may still have failed it.
func (s *spoolSimulation) closed(err error) {
	left, ok := errors.AsType[*hydrant.UndeliveredError](err)
	switch {
	case ok && len(left.Records) > 0:
		s.Errorf("Close gives back %d records, and has a spool", len(left.Records))
	case ok && left.Spooled != s.p.Stats().Pending:
		s.Errorf("%d records are left in the spool, and pending %d", left.Spooled, s.p.Stats().Pending)
	case err != nil && !ok && !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC):
		s.Errorf("Close: %v", err)
	}
}

// cutOff ends the life of a producer that learns of nothing any more. What it had
// accepted by now is on the disk that the next one finds.
func (s *spoolSimulation) cutOff(left func() *vfs.Mem) {
	s.fh.SetDown(true)
	s.mu.Lock()
	s.cut = true
	disk := left()
	s.mu.Unlock()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.p.Close(ended)
	s.disk = disk
	s.fh.SetDown(false)
}

// spoil lets the disk fail now and then.
func (s *spoolSimulation) spoil(ctx context.Context, rng *rand.Rand) {
	if rng.IntN(2) == 0 {
		return
	}
	for ctx.Err() == nil {
		wait(ctx, time.Duration(rng.IntN(10_000))*time.Millisecond)
		s.mu.Lock()
		s.errors, s.full = rng.IntN(4), rng.IntN(2) == 0
		s.mu.Unlock()
		wait(ctx, time.Duration(rng.IntN(5_000))*time.Millisecond)
		s.mu.Lock()
		s.full = false
		s.mu.Unlock()
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// write puts records of random sizes at random times, alone and together.
func (s *spoolSimulation) write(ctx context.Context, writer string, rng *rand.Rand) {
	for i := range 5 + rng.IntN(40) {
		var ids []string
		var list []hydrant.Record
		for n := range 1 + rng.IntN(3)*rng.IntN(8) {
			ids = append(ids, fmt.Sprintf("%s-%d-%d", writer, i, n))
			size := rng.IntN([]int{20, 500, 5_000}[rng.IntN(3)])
			if rng.IntN(1000) == 0 {
				size = wire.MaxRecordBytes // too large with its delimiter
			}
			list = append(list, hydrant.Record{Data: append([]byte(ids[n]+" "), bytes.Repeat([]byte("x"), size)...), Source: writer})
		}
		within, cancel := context.WithTimeout(ctx, time.Duration(1+rng.IntN(100))*time.Second)
		n, err := s.p.PutRecords(within, func(yield func(hydrant.Record) bool) {
			for _, r := range list {
				if !yield(r) {
					return
				}
			}
		}, nil)
		cancel()
		s.mu.Lock()
		for _, id := range ids[:n] {
			s.accepted[id] = s.accepted[id] || !s.cut
		}
		s.mu.Unlock()
		switch {
		case ctx.Err() != nil, errors.Is(err, hydrant.ErrClosed):
			return
		case err == nil && n != len(list):
			s.Errorf("PutRecords has accepted %d of %d, with no error", n, len(list))
		case err != nil && !errors.Is(err, hydrant.ErrFull) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, syscall.EIO):
			s.Errorf("PutRecords: %v", err)
		}
		s.balanced()
		if rng.IntN(4) == 0 {
			wait(ctx, time.Duration(rng.IntN(2000))*time.Millisecond)
		}
	}
}

func (s *spoolSimulation) check() {
	stored := map[string]int{}
	for _, data := range s.fh.Records(stream) {
		for line := range strings.Lines(string(data)) {
			id, rest, _ := strings.Cut(line, " ")
			if strings.Trim(rest, "x") != "\n" {
				s.Errorf("record %s came as %.40q", id, rest)
			}
			stored[id]++
		}
	}
	dead := map[string]bool{}
	for _, d := range s.dead.records {
		id, _, _ := strings.Cut(string(d.Data), " ")
		dead[id] = true
		if d.Source == "" {
			s.Errorf("record %s has lost its source", id)
		}
	}
	for id, counts := range s.accepted {
		if counts && stored[id] == 0 && !dead[id] {
			s.Errorf("record %s was accepted, and is nowhere", id)
		}
	}
	twice := int64(0)
	for id, n := range stored {
		if _, put := s.accepted[id]; !put && !strings.Contains(id, "-") {
			s.Errorf("record %q was never put", id)
		}
		if n > 1 {
			twice++
		}
	}
	if given := int64(len(s.dead.records)); twice > s.maybe+given {
		s.Errorf("%d records are stored twice, %d were counted as such, %d are in the dead letter", twice, s.maybe, given)
	}
	left, err := spool.Open("/spool", spool.Options{FS: s.disk, ReadOnly: true})
	if err != nil {
		s.Fatal(err)
	}
	defer left.Close()
	if n := left.Totals().Records; n > 0 {
		s.Errorf("%d records are left in the spool", n)
	}
}

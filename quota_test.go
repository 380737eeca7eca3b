package hydrant_test

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
)

var realTime = flag.Bool("realtime", false, "run the quota test in real time too")

// heavy passes over a test that takes minutes under the race detector, which
// slows its hundreds of megabytes down twentyfold. The plain run has it.
func heavy(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("too slow under the race detector; run without -race")
	}
}

// smallQuota is that of a stream in most regions.
var smallQuota = local.Quota{Records: 100_000, Calls: 1000, Bytes: 1 << 20}

// load puts so many bytes a second of random lines into a producer, as far as
// it takes them, until ctx ends.
func load(ctx context.Context, p *hydrant.Producer, bytesPerSecond int, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	line := bytes.Repeat([]byte("x"), 2000)
	start := time.Now()
	for sent := 0; ctx.Err() == nil; {
		due := time.Duration(float64(sent) / float64(bytesPerSecond) * float64(time.Second))
		if early := due - time.Since(start); early > 0 {
			time.Sleep(max(early, 10*time.Millisecond))
			continue
		}
		n := 100 + random.IntN(900)
		if p.Put(ctx, line[:n]) != nil {
			return
		}
		sent += n + 1
	}
}

// measured is what happened from one moment to another.
type measured struct{ hydrant.Stats }

func since(p *hydrant.Producer, before hydrant.Stats) measured {
	s := p.Stats()
	s.DeliveredBytes -= before.DeliveredBytes
	s.Delivered -= before.Delivered
	s.Refused -= before.Refused
	s.Calls -= before.Calls
	s.FirehoseRecords -= before.FirehoseRecords
	s.BilledBytes -= before.BilledBytes
	return measured{s}
}

func (m measured) refused() float64 {
	return float64(m.Refused) / float64(max(1, m.Refused+m.Delivered))
}

// A stream's quota is used and little is refused, at three times the load for a
// minute; then the quota doubles, and is found within ten seconds.
func TestQuotaIsUsed(t *testing.T) {
	heavy(t)
	run := func(t *testing.T, packing hydrant.Packing, start, then time.Duration) {
		fh := hydranttest.Start(t, hydranttest.Options{Quota: smallQuota})
		fh.CreateStream(stream)
		p := quotaProducer(t, fh, packing)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			load(ctx, p, 3*smallQuota.Bytes, 1)
		}()
		time.Sleep(5 * time.Second)
		at5 := p.Stats()
		time.Sleep(start - 5*time.Second)
		all, late := since(p, hydrant.Stats{}), since(p, at5)
		if used := float64(all.DeliveredBytes) / (float64(smallQuota.Bytes) * start.Seconds()); used < 0.95 {
			t.Errorf("%.3f of the quota used in %v", used, start)
		} else {
			t.Logf("%.3f of the quota used, %.4f of the records refused after 5 s; %d calls, billed %.3f times",
				used, late.refused(), all.Calls, float64(all.BilledBytes)/float64(all.DeliveredBytes))
		}
		if late.refused() >= 0.02 {
			t.Errorf("%.4f of the records refused after the first 5 s", late.refused())
		}

		double := local.Quota{Records: 2 * smallQuota.Records, Calls: 2 * smallQuota.Calls, Bytes: 2 * smallQuota.Bytes}
		fh.SetQuota(double)
		time.Sleep(10 * time.Second)
		found := p.Stats()
		time.Sleep(then)
		if used := float64(since(p, found).DeliveredBytes) / (float64(double.Bytes) * then.Seconds()); used < 0.9 {
			t.Errorf("%.3f of the doubled quota used, ten seconds after it was doubled", used)
		} else {
			t.Logf("%.3f of the doubled quota used", used)
		}
		stop()
		<-done
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		s := p.Stats()
		if s.Delivered != s.Accepted || s.MaybeDuplicate != 0 || int64(bytes.Count(bytes.Join(fh.Records(stream), nil), []byte("\n"))) != s.Accepted {
			t.Errorf("not each of the records is there once: %+v", s)
		}
	}
	for name, packing := range map[string]hydrant.Packing{"packed": hydrant.PackAuto, "one by one": hydrant.PackOff} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(t, packing, time.Minute, 10*time.Second) })
		})
	}
	if *realTime {
		t.Run("real time", func(t *testing.T) { run(t, hydrant.PackAuto, time.Minute, 10*time.Second) })
	}
}

func quotaProducer(t *testing.T, fh *hydranttest.Firehose, packing hydrant.Packing) *hydrant.Producer {
	t.Helper()
	cfg := fh.AWSConfig()
	p, err := hydrant.New(t.Context(), hydrant.Config{
		Stream: stream, AWS: &cfg, Packing: packing, Logger: slog.New(slog.DiscardHandler), DeadLetter: &memory{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Two producers that share a stream and don't know of each other get fair parts.
func TestQuotaIsShared(t *testing.T) {
	heavy(t)
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{Quota: smallQuota})
		fh.CreateStream(stream)
		ctx, stop := context.WithCancel(t.Context())
		var producers [2]*hydrant.Producer
		for i := range producers {
			producers[i] = quotaProducer(t, fh, hydrant.PackAuto)
			go load(ctx, producers[i], 3*smallQuota.Bytes, uint64(i))
		}
		const d = 60 * time.Second
		time.Sleep(d)
		for i, p := range producers {
			part := float64(p.Stats().DeliveredBytes) / (float64(smallQuota.Bytes) * d.Seconds())
			t.Logf("producer %d: %.3f of the quota, %.4f refused", i, part, since(p, hydrant.Stats{}).refused())
			if part < 0.4 {
				t.Errorf("producer %d got %.3f of the quota", i, part)
			}
		}
		stop()
		for _, p := range producers {
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
}

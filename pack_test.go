package hydrant_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/wire"
)

// inPackedBubble is inBubble with packing.
func inPackedBubble(t *testing.T, cfg hydrant.Config, faults []local.Fault, f func(*rig)) {
	t.Helper()
	cfg.Packing = hydrant.PackFixed
	inBubble(t, cfg, faults, f)
}

// Records go into packs in order, each with its delimiter and no other, and up
// to the bounds.
func TestPacks(t *testing.T) {
	inPackedBubble(t, hydrant.Config{PackBytes: 10}, nil, func(r *rig) {
		r.put("123", "45\n", "678", "", "a longer one than a pack", "x", "y")
		r.flush()
		r.stored("123\n45\n", "678\n\n", "a longer one than a pack\n", "x\ny\n")
		s := r.p.Stats()
		if s.Delivered != 7 || s.FirehoseRecords != 4 || s.BilledBytes != 4*5120 || s.UnpackedBilledBytes != 7*5120 || s.Calls != 1 {
			r.Errorf("%+v", s)
		}
		for i, ack := range r.acks.list {
			if ack.Err != nil || ack.RecordID == "" || i == 1 && ack.RecordID != r.acks.list[0].RecordID {
				r.Errorf("ack %d: %+v", i, ack)
			}
		}
	})
	inPackedBubble(t, hydrant.Config{PackRecords: 2}, nil, func(r *rig) {
		r.put("a", "b", "c")
		r.flush()
		r.stored("a\nb\n", "c\n")
	})
}

// KinesisTap mixes up indices when packing: a partly refused answer must send
// again exactly the members of the refused packs, once, byte for byte.
func TestRefusedPackKeepsItsMembers(t *testing.T) {
	faults := []local.Fault{hydranttest.Refuse(1), hydranttest.ResetBefore(), hydranttest.RefuseAll()}
	inPackedBubble(t, hydrant.Config{PackRecords: 3}, faults, func(r *rig) {
		r.put("a", "b", "c", "d", "e", "f", "g", "h", "i")
		r.flush()
		r.stored("a\nb\nc\n", "d\ne\nf\n", "g\nh\ni\n")
		if diff := gocmp.Diff([]int{3, 1, 1, 1}, r.seen.sizes()); diff != "" {
			r.Error(diff)
		}
		if s := r.p.Stats(); s.Refused != 6 || s.Retries != 9 || s.Delivered != 9 || s.FirehoseRecords != 3 {
			r.Errorf("%+v", s)
		}
		attempts := map[int]int{}
		for _, ack := range r.acks.list {
			attempts[ack.Attempts]++
		}
		if diff := gocmp.Diff(map[int]int{1: 6, 4: 3}, attempts); diff != "" {
			r.Error(diff)
		}
	})
}

// A poisonous record inside a pack is found, and only that one is lost to the
// dead letter.
func TestPoisonInAPack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		fh.CreateStream(stream)
		cfg := fh.AWSConfig()
		cfg.HTTPClient = &picky{cfg.HTTPClient}
		r := newRig(t, hydrant.Config{AWS: &cfg, Packing: hydrant.PackFixed, PackRecords: 7}, nil)
		r.fh = fh
		var want []string
		for i := range 50 {
			if i == 23 {
				r.put("poison")
				continue
			}
			r.put(fmt.Sprint(i))
			want = append(want, fmt.Sprintf("%d\n", i))
		}
		r.flush()
		got := bytes.Join(r.fh.Records(stream), nil)
		lines := strings.SplitAfter(string(got), "\n")
		slices.Sort(lines)
		slices.Sort(want)
		if diff := gocmp.Diff(want, lines[1:]); diff != "" {
			t.Error(diff)
		}
		r.inDead(wire.CodeValidation)
		if d := r.dead.records; len(d) != 1 || string(d[0].Data) != "poison\n" {
			t.Errorf("dead: %+v", d)
		}
		r.close()
	})
}

// lognormal is a line of a size whose logarithm is normally distributed, with a
// mean of about mean bytes.
func lognormal(random *rand.Rand, mean float64) []byte {
	const sigma = 0.8
	size := mean * math.Exp(random.NormFloat64()*sigma-sigma*sigma/2)
	line := make([]byte, min(max(int(size), 1), 1_000_000))
	for i := range line {
		line[i] = 'a' + byte(random.Uint32()%26)
	}
	line[len(line)-1] = '\n'
	return line
}

// What is billed is at most a hundredth more than the bytes, and what is
// delivered is what went in.
func TestBillIsMinimal(t *testing.T) {
	heavy(t)
	for _, mean := range []float64{100, 500, 1000, 3000, 8000} {
		t.Run(fmt.Sprintf("%v B", mean), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fh := hydranttest.Start(t, hydranttest.Options{BufferMiB: 128})
				fh.CreateStream(stream)
				p := quotaProducer(t, fh, hydrant.PackAuto)
				random := rand.New(rand.NewPCG(uint64(mean), 0))
				var want []string
				for size := 0; size < 64<<20; {
					line := lognormal(random, mean)
					size += len(line)
					want = append(want, string(line))
					if err := p.Put(t.Context(), line); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := p.Stats()
				ratio := float64(s.BilledBytes) / float64(s.DeliveredBytes)
				t.Logf("billed %.4f times the bytes, one by one %.2f; %d records in %d of Firehose's, %d calls", ratio,
					float64(s.UnpackedBilledBytes)/float64(s.DeliveredBytes), s.Delivered, s.FirehoseRecords, s.Calls)
				if ratio > 1.01 {
					t.Errorf("billed %.4f times the bytes", ratio)
				}
				got := strings.SplitAfter(string(fh.Delivered(stream)), "\n")
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got[1:], want) {
					t.Error("what is delivered is not what went in")
				}
			})
		})
	}
}

// A record is never held longer than its linger for the sake of a pack.
func TestPackingDoesNotOutlastTheLinger(t *testing.T) {
	inPackedBubble(t, hydrant.Config{Linger: 300 * time.Millisecond}, nil, func(r *rig) {
		for range 20 {
			r.put("a line")
			time.Sleep(50 * time.Millisecond)
		}
		r.flush()
		for _, ack := range r.acks.list {
			if ack.Latency > 300*time.Millisecond {
				r.Errorf("latency %v", ack.Latency)
			}
		}
		s := r.p.Stats()
		if s.Calls > 4 || s.LingerPaddingBytes == 0 || s.LingerPaddingBytes > s.BilledBytes-s.DeliveredBytes {
			r.Errorf("%+v", s)
		}
	})
}

// The whole buffer is used while the stream is down, and after it all is sent
// without a burst of refusals.
func TestTenMinuteOutage(t *testing.T) {
	heavy(t)
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{Quota: smallQuota})
		fh.CreateStream(stream)
		p := quotaProducer(t, fh, hydrant.PackAuto)
		ctx, done := t.Context(), make(chan struct{})
		stop := make(chan struct{})
		go func() {
			defer close(done)
			for line := bytes.Repeat([]byte("x"), 500); ; {
				select {
				case <-stop:
					return
				default:
				}
				if err := p.Put(ctx, line); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		time.Sleep(20 * time.Second)
		fh.SetDown(true)
		time.Sleep(10 * time.Minute)
		down := p.Stats()
		if err := p.TryPut([]byte("x")); !errors.Is(err, hydrant.ErrFull) {
			t.Errorf("TryPut in an outage: %v", err)
		}
		if held := down.AcceptedBytes - down.DeliveredBytes + down.Pending*64; held > 32<<20 || held < 31<<20 {
			t.Errorf("%d bytes held, the bound is 32 MiB", held)
		}
		fh.SetDown(false)
		time.Sleep(30 * time.Second)
		back := since(p, down)
		t.Logf("in the 30 s after the outage: %.3f MiB/s, %.4f refused", float64(back.DeliveredBytes)/30/(1<<20), back.refused())
		// The stream had not met its quota before, so some refusals tell it now.
		if back.refused() > 0.1 || float64(back.DeliveredBytes) < 0.6*30*(1<<20) {
			t.Errorf("in the 30 s after the outage %d bytes were delivered, %.3f of the records refused", back.DeliveredBytes, back.refused())
		}
		close(stop)
		<-done
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
		if s := p.Stats(); s.Delivered != s.Accepted {
			t.Errorf("%+v", s)
		}
	})
}

// A pack that was refused for want of quota, and is larger than any would be now,
// is cut anew: nothing of it is stored. One that may be stored stays as it is, so
// that a second copy is the same record.
func TestLargePackIsCutAnewOnlyForWantOfQuota(t *testing.T) {
	for code, anew := range map[string]bool{wire.CodeServiceUnavailable: true, wire.CodeInternalFailure: false} {
		inPackedBubble(t, hydrant.Config{}, []local.Fault{hydranttest.RefuseWith(code, "no", 0), hydranttest.Refuse(0)}, func(r *rig) {
			r.put(slices.Repeat([]string{ofSize(1000)}, 250)...)
			r.flush()
			var sizes []int
			for _, data := range r.fh.Records(stream) {
				sizes = append(sizes, len(data))
			}
			if (len(sizes) > 1) != anew || len(bytes.Join(r.fh.Records(stream), nil)) != 250_000 {
				r.Errorf("%s: stored in packs of %v bytes", code, sizes)
			}
			for _, data := range r.fh.Records(stream) {
				if len(data)%1000 != 0 {
					r.Errorf("a pack of %d bytes, which cuts a record", len(data))
				}
			}
			if s := r.p.Stats(); s.Delivered != 250 || s.MaybeDuplicate != map[bool]int64{true: 0, false: 250}[anew] {
				r.Errorf("%s: %+v", code, s)
			}
		})
	}
}

// What the destination allows decides what is packed.
func TestPackAuto(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			fh := hydranttest.Start(t, hydranttest.Options{})
			fh.CreateStream(stream)
			cfg := fh.AWSConfig()
			if !allowed {
				cfg.HTTPClient = undescribed{cfg.HTTPClient}
			}
			p := start(t, hydrant.Config{Stream: stream, AWS: &cfg})
			for range 10 {
				if err := p.Put(t.Context(), []byte("a line")); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n, want := len(fh.Records(stream)), map[bool]int{true: 1, false: 10}[allowed]; n != want {
				t.Errorf("may describe: %v; %d Firehose records, want %d", allowed, n, want)
			}
		})
	}
}

// undescribed may put, but not describe.
type undescribed struct{ aws.HTTPClient }

func (u undescribed) Do(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.Header.Get("X-Amz-Target"), ".DescribeDeliveryStream") {
		answer := `{"__type":"AccessDeniedException","message":"no"}`
		return &http.Response{StatusCode: 400, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: req}, nil
	}
	return u.HTTPClient.Do(req)
}

func start(t *testing.T, cfg hydrant.Config) *hydrant.Producer {
	t.Helper()
	cfg.Logger, cfg.DeadLetter = slog.New(slog.DiscardHandler), &memory{}
	p, err := hydrant.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRateIsABound(t *testing.T) {
	inPackedBubble(t, hydrant.Config{Rate: hydrant.Rate{Bytes: 100_000}}, nil, func(r *rig) {
		start := time.Now()
		r.put(slices.Repeat([]string{ofSize(10_000)}, 100)...)
		r.flush()
		if took := time.Since(start); took < 8*time.Second || took > 11*time.Second {
			r.Errorf("1,000,000 bytes at 100,000 a second took %v", took)
		}
	})
}

func TestAgeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, hydrant.Config{MaxAge: 5 * time.Second}, hydranttest.Always(hydranttest.Fail(503, wire.CodeServiceUnavailable, wire.SlowDown)))
		start := time.Now()
		r.put("a")
		r.flush()
		if took := time.Since(start); took < 5*time.Second || took > 16*time.Second {
			t.Errorf("given up after %v", took)
		}
		r.inDead(wire.CodeServiceUnavailable)
		r.close()
	})
}

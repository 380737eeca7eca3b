package hydrant_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/wire"
)

const stream = "logs"

// call is a put call as the service saw it.
type call struct {
	op      string
	records int
	at      time.Time
}

// watched notes every put call that comes, and passes the question on.
type watched struct {
	mu     sync.Mutex // guards the fields below
	calls  []call
	faults local.Faults
}

func (w *watched) set(faults local.Faults) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = faults
}

func (w *watched) Next(op string, n int) local.Fault {
	w.mu.Lock()
	w.calls = append(w.calls, call{op, n, time.Now()})
	faults := w.faults
	w.mu.Unlock()
	if faults == nil {
		return local.Fault{}
	}
	return faults.Next(op, n)
}

func (w *watched) sizes() (sizes []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		sizes = append(sizes, c.records)
	}
	return sizes
}

// memory is a dead letter that keeps what it gets; it fails the first fails
// times.
type memory struct {
	mu      sync.Mutex // guards the fields below
	fails   int
	records []hydrant.DeadRecord
}

func (m *memory) Write(_ context.Context, records []hydrant.DeadRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails > 0 {
		m.fails--
		return errors.New("disk full")
	}
	m.records = append(m.records, records...)
	return nil
}

// acks notes every fate.
type acks struct {
	mu   sync.Mutex // guards list
	list []hydrant.Ack
}

func (a *acks) note(ack hydrant.Ack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, ack)
}

// rig is a producer on a Firehose in memory, in a bubble.
type rig struct {
	*testing.T
	fh   *hydranttest.Firehose
	seen *watched
	dead *memory
	acks acks
	p    *hydrant.Producer
}

// inBubble runs f in a bubble with a rig. faults meet the put calls in turn; cfg
// is completed to reach the rig's Firehose.
func inBubble(t *testing.T, cfg hydrant.Config, faults []local.Fault, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, cfg, hydranttest.Script(faults...))
		f(r)
		r.close()
		r.balanced()
	})
}

func newRig(t *testing.T, cfg hydrant.Config, faults local.Faults) *rig {
	t.Helper()
	r := &rig{T: t, seen: &watched{faults: faults}, dead: &memory{}}
	r.fh = hydranttest.Start(t, hydranttest.Options{Faults: r.seen})
	r.fh.CreateStream(stream)
	if cfg.AWS == nil {
		sdk := r.fh.AWSConfig()
		cfg.AWS = &sdk
	}
	cfg.Stream = cmp.Or(cfg.Stream, stream)
	if cfg.DeadLetter == nil {
		cfg.DeadLetter = r.dead
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Packing == hydrant.PackAuto {
		cfg.Packing = hydrant.PackOff // what is packed has tests of its own
	}
	var err error
	if r.p, err = hydrant.New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) put(records ...string) {
	r.Helper()
	for _, data := range records {
		if err := r.p.PutFunc(context.Background(), []byte(data), r.acks.note); err != nil {
			r.Fatalf("Put(%.20q): %v", data, err)
		}
	}
}

func (r *rig) flush() {
	r.Helper()
	if err := r.p.Flush(context.Background()); err != nil {
		r.Fatalf("Flush: %v", err)
	}
}

func (r *rig) close() {
	r.Helper()
	if err := r.p.Close(context.Background()); err != nil && !errors.Is(err, hydrant.ErrClosed) {
		r.Errorf("Close: %v", err)
	}
}

// balanced checks the promise: every accepted record has one fate.
func (r *rig) balanced() {
	r.Helper()
	s := r.p.Stats()
	if s.Accepted != s.Delivered+s.DeadLettered+s.Pending {
		r.Errorf("accepted = %d, delivered %d + dead %d + pending %d", s.Accepted, s.Delivered, s.DeadLettered, s.Pending)
	}
}

func (r *rig) deleteStream() {
	r.Helper()
	_, err := r.fh.Client().DeleteDeliveryStream(context.Background(), &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: aws.String(stream)})
	if err != nil {
		r.Fatal(err)
	}
}

// warm sends so much that calls are no longer kept small, as they are until the
// stream has shown what it takes.
func (r *rig) warm() {
	r.Helper()
	r.put(slices.Repeat([]string{ofSize(1_000_000)}, 40)...)
	r.flush()
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	r.seen.calls = nil
}

// stored wants exactly these records in the Firehose, in any order.
func (r *rig) stored(want ...string) {
	r.Helper()
	var got []string
	for _, data := range r.fh.Records(stream) {
		got = append(got, string(data))
	}
	slices.Sort(got)
	want = slices.Clone(want)
	slices.Sort(want)
	if diff := gocmp.Diff(want, got); diff != "" {
		r.Errorf("stored (-want +got):\n%.2000s", diff)
	}
}

// inDead wants dead letters with these codes, in order.
func (r *rig) inDead(codes ...string) {
	r.Helper()
	var got []string
	for _, d := range r.dead.records {
		got = append(got, d.Code)
	}
	if diff := gocmp.Diff(codes, got); diff != "" {
		r.Errorf("codes of the dead letters (-want +got):\n%s", diff)
	}
}

func lines(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("record %d\n", i)
	}
	return list
}

// ofSize is a record that has size bytes with its newline.
func ofSize(size int) string { return strings.Repeat("x", size-1) }

// streamspooler cuts the last byte of a retried record.
func TestRetriedRecordIsTheFirstByteForByte(t *testing.T) {
	faults := []local.Fault{
		hydranttest.RefuseAll(),
		hydranttest.Fail(500, wire.CodeInternalFailure, ""),
		hydranttest.ResetBefore(),
		hydranttest.Refuse(0, 2),
	}
	inBubble(t, hydrant.Config{}, faults, func(r *rig) {
		r.put("a", "b\n", "\n", "\x00\xff\n\n", "é")
		r.flush()
		r.stored("a\n", "b\n", "\n", "\x00\xff\n\n", "é\n")
	})
}

// Vector acknowledges by default what an answer of 200 has refused.
func TestAllRefusedCountsAsNothingSent(t *testing.T) {
	inBubble(t, hydrant.Config{BatchRecords: 499}, []local.Fault{{}, hydranttest.RefuseAll(), hydranttest.RefuseAll()}, func(r *rig) {
		r.put("first")
		r.flush()
		r.put(lines(499)...)
		synctest.Wait() // the answer is in, and the wait after it is on
		s := r.p.Stats()
		if s.Delivered != 1 || s.Refused != 499 || s.Pending != 499 || len(r.acks.list) != 1 {
			r.Errorf("after a refused answer: %+v, %d acks", s, len(r.acks.list))
		}
		r.flush()
		r.stored(append(lines(499), "first\n")...)
		if s := r.p.Stats(); s.Refused != 998 || s.RefusedByCode[wire.CodeServiceUnavailable] != 998 || s.Retries != 998 {
			r.Errorf("at the end: %+v", s)
		}
	})
}

// Fluent Bit replays the whole chunk for one refused record.
func TestOnlyTheRefusedRecordsAreSentAgain(t *testing.T) {
	inBubble(t, hydrant.Config{}, []local.Fault{hydranttest.Refuse(1, 3)}, func(r *rig) {
		r.put("a", "b", "c", "d", "e")
		r.flush()
		if diff := gocmp.Diff([]int{5, 2}, r.seen.sizes()); diff != "" {
			r.Error(diff)
		}
		r.stored("a\n", "b\n", "c\n", "d\n", "e\n")
		for _, ack := range r.acks.list {
			if ack.Err != nil || len(ack.RecordID) != 224 || ack.MaybeDuplicate {
				r.Errorf("ack %+v", ack)
			}
		}
	})
}

// Redpanda Connect replays accepted records when another code than
// ServiceUnavailableException comes.
func TestOtherRecordCodesDoNotReplayAcceptedRecords(t *testing.T) {
	for _, code := range []string{wire.CodeInternalFailure, "SomethingNewException"} {
		t.Run(code, func(t *testing.T) {
			inBubble(t, hydrant.Config{}, []local.Fault{hydranttest.RefuseWith(code, "oh", 0)}, func(r *rig) {
				r.put("a", "b", "c")
				r.flush()
				if diff := gocmp.Diff([]int{3, 1}, r.seen.sizes()); diff != "" {
					r.Error(diff)
				}
				r.stored("a\n", "b\n", "c\n")
				// The API text says that such a record may have been stored.
				if s := r.p.Stats(); s.MaybeDuplicate != 1 {
					r.Errorf("%d records counted as maybe duplicate, want 1", s.MaybeDuplicate)
				}
			})
		})
	}
}

// Redpanda Connect loops without a wait when a call fails as a whole.
func TestEveryFailureIsFollowedByAWait(t *testing.T) {
	failures := map[string]local.Fault{
		"503":           hydranttest.Fail(503, wire.CodeServiceUnavailable, wire.SlowDown),
		"500":           hydranttest.Fail(500, wire.CodeInternalFailure, ""),
		"throttling":    hydranttest.Fail(400, wire.CodeThrottling, "Rate exceeded"),
		"expired token": hydranttest.Fail(400, wire.CodeExpiredToken, ""),
		"unknown":       hydranttest.Fail(400, "Whatever", ""),
		"reset before":  hydranttest.ResetBefore(),
		"reset after":   hydranttest.ResetAfter(),
		"all refused":   hydranttest.RefuseAll(),
		"short answer":  hydranttest.Answer(func(a *wire.PutResponse) { a.Entries = a.Entries[1:] }),
		"part refused":  hydranttest.Refuse(0),
	}
	for name, fault := range failures {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				faults := slices.Repeat([]local.Fault{fault}, 6)
				r := newRig(t, hydrant.Config{}, hydranttest.Script(faults...))
				r.put(lines(20)...)
				r.flush()
				r.close()
				if len(r.seen.calls) < 7 {
					t.Fatalf("%d calls", len(r.seen.calls))
				}
				for i := 1; i < len(r.seen.calls); i++ {
					if gap := r.seen.calls[i].at.Sub(r.seen.calls[i-1].at); gap < 10*time.Millisecond {
						t.Errorf("call %d came %v after the one before", i, gap)
					}
				}
			})
		})
	}
}

// The wait grows with failures in a row, up to the cap, and one success resets
// it. Full jitter: the waits differ.
func TestBackOffGrowsToTheCapAndResets(t *testing.T) {
	var faults []local.Fault
	for range 40 {
		faults = append(faults, hydranttest.RefuseAll())
	}
	inBubble(t, hydrant.Config{BackoffBase: 100 * time.Millisecond, BackoffCap: 2 * time.Second}, faults, func(r *rig) {
		r.put("a")
		r.flush()
		var longest time.Duration
		distinct := map[time.Duration]bool{}
		for i := 1; i < len(r.seen.calls); i++ {
			gap := r.seen.calls[i].at.Sub(r.seen.calls[i-1].at)
			longest = max(longest, gap)
			distinct[gap] = true
			if most := min(2*time.Second, 100*time.Millisecond<<min(i-1, 10)); gap > most+time.Millisecond {
				r.Errorf("wait %d is %v, at most %v", i, gap, most)
			}
		}
		if longest < time.Second || len(distinct) < 30 {
			r.Errorf("longest of 40 waits %v, %d distinct", longest, len(distinct))
		}
		before := len(r.seen.sizes())
		r.seen.set(hydranttest.Script(hydranttest.RefuseAll()))
		r.put("b")
		r.flush()
		if gap := r.seen.calls[before+1].at.Sub(r.seen.calls[before].at); gap > 100*time.Millisecond {
			r.Errorf("after a success the wait is %v", gap)
		}
	})
}

// An answer whose entries can't be matched to the records acknowledges none.
func TestAnswerWithMoreOrFewerEntries(t *testing.T) {
	answers := map[string]func(*wire.PutResponse){
		"fewer": func(a *wire.PutResponse) { a.Entries = a.Entries[:1] },
		"none":  func(a *wire.PutResponse) { a.Entries = nil },
		"more":  func(a *wire.PutResponse) { a.Entries = append(a.Entries, a.Entries[0]) },
	}
	for name, change := range answers {
		t.Run(name, func(t *testing.T) {
			inBubble(t, hydrant.Config{}, []local.Fault{hydranttest.Answer(change)}, func(r *rig) {
				r.put("a", "b")
				r.flush()
				r.stored("a\n", "b\n", "a\n", "b\n") // sent twice, lost never
				if s := r.p.Stats(); s.Delivered != 2 || s.MaybeDuplicate != 2 || s.FailedCalls != 1 {
					r.Errorf("%+v", s)
				}
			})
		})
	}
}

// FailedPutCount may be wrong; the entries count. An entry that says nothing is
// no success.
func TestEntriesCountNotTheFailedPutCount(t *testing.T) {
	lie := hydranttest.Answer(func(a *wire.PutResponse) {
		a.FailedPutCount = 0
		a.Entries[1] = wire.PutEntry{ErrorCode: wire.CodeServiceUnavailable, ErrorMessage: wire.SlowDown}
	})
	blank := hydranttest.Answer(func(a *wire.PutResponse) { a.Entries[0].RecordID = "" })
	inBubble(t, hydrant.Config{}, []local.Fault{lie, blank}, func(r *rig) {
		r.put("a", "b")
		r.flush()
		if diff := gocmp.Diff([]int{2, 1, 1}, r.seen.sizes()); diff != "" {
			r.Error(diff)
		}
	})
}

// A call that a single record poisons is bisected until that one is alone; every
// other record is delivered, and once.
func TestPoisonIsBisected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		cfg := fh.AWSConfig()
		cfg.HTTPClient = &picky{cfg.HTTPClient}
		fh.CreateStream(stream)
		r := newRig(t, hydrant.Config{AWS: &cfg}, nil)
		r.fh = fh
		var want []string
		for i := range 300 {
			if i == 137 || i == 138 || i == 299 {
				r.put("poison")
				continue
			}
			r.put(fmt.Sprint(i))
			want = append(want, fmt.Sprint(i)+"\n")
		}
		r.flush()
		r.stored(want...)
		r.inDead(slices.Repeat([]string{wire.CodeValidation}, 3)...)
		if s := r.p.Stats(); s.MaybeDuplicate != 0 || s.FailedCalls > 40 {
			t.Errorf("%+v", s)
		}
		r.close()
		r.balanced()
	})
}

// A half of a poisoned call that fails for another reason stays by itself, and
// comes back from Close when that comes first.
func TestSuspectsStayApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		cfg := fh.AWSConfig()
		cfg.HTTPClient = &picky{cfg.HTTPClient}
		fh.CreateStream(stream)
		r := newRig(t, hydrant.Config{AWS: &cfg, InFlight: 1, BackoffBase: time.Second, BackoffCap: time.Second}, nil)
		r.fh = fh
		seen := &watched{faults: hydranttest.Always(hydranttest.Fail(503, wire.CodeServiceUnavailable, wire.SlowDown))}
		fh.SetFaults(seen)
		r.put("a", "b", "poison", "d")
		time.Sleep(time.Minute)
		r.put("e", "f")
		time.Sleep(time.Minute)
		for _, size := range seen.sizes() {
			if size > 2 {
				t.Fatalf("a call of %d records, more than the halves' 2 and 1", size)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		left, ok := errors.AsType[*hydrant.UndeliveredError](r.p.Close(ctx))
		if !ok || len(left.Records)+len(r.dead.records) != 6 {
			t.Errorf("Close: %v; %d dead", left, len(r.dead.records))
		}
	})
}

// picky stands for a service that refuses a whole call for one record in it.
type picky struct{ aws.HTTPClient }

func (p *picky) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	in, _ := wire.DecodePutRecordBatch(bytes.Clone(body)) // it uses up what it is given
	if slices.ContainsFunc(in.Records, func(data []byte) bool { return bytes.Contains(data, []byte("poison")) }) {
		answer := `{"__type":"ValidationException","message":"1 validation error detected: Value 'x' at 'records.1.member.data' failed"}`
		return &http.Response{StatusCode: 400, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: req}, nil
	}
	return p.HTTPClient.Do(req)
}

func TestLimits(t *testing.T) {
	t.Run("501 records", func(t *testing.T) {
		inBubble(t, hydrant.Config{InFlight: 1}, nil, func(r *rig) {
			r.put(lines(501)...)
			r.flush()
			if diff := gocmp.Diff([]int{500, 1}, r.seen.sizes()); diff != "" {
				r.Error(diff)
			}
		})
	})
	t.Run("500 records of 20 KB", func(t *testing.T) {
		inBubble(t, hydrant.Config{InFlight: 1}, nil, func(r *rig) {
			r.warm()
			r.put(slices.Repeat([]string{ofSize(20_000)}, 500)...)
			r.flush()
			// 209 of them are 4,180,000 bytes; one more would be over 4 MiB.
			if diff := gocmp.Diff([]int{209, 209, 82}, r.seen.sizes()); diff != "" {
				r.Error(diff)
			}
		})
	})
	t.Run("4 MiB and one byte more", func(t *testing.T) {
		for last, want := range map[string][]int{"": {9}, "x": {8, 1}} {
			inBubble(t, hydrant.Config{InFlight: 1}, nil, func(r *rig) {
				r.warm()
				r.put(slices.Repeat([]string{ofSize(1 << 19)}, 7)...)
				r.put(ofSize(1<<19-1), last) // with its newline the last byte, or one too many
				r.flush()
				if diff := gocmp.Diff(want, r.seen.sizes()); diff != "" {
					r.Error(diff)
				}
			})
		}
	})
	t.Run("1,024,000 and 1,024,001 bytes", func(t *testing.T) {
		inBubble(t, hydrant.Config{}, nil, func(r *rig) {
			r.put("before", ofSize(1_024_000), ofSize(1_024_001), "after")
			r.flush()
			r.stored("before\n", ofSize(1_024_000)+"\n", "after\n")
			r.inDead(hydrant.CodeRecordTooLarge)
			if d := r.dead.records[0]; string(d.Data) != ofSize(1_024_001)+"\n" || d.Attempts != 0 || d.MaybeDelivered {
				r.Errorf("dead letter: %d bytes, %+v", len(d.Data), d.Message)
			}
		})
	})
	t.Run("empty records", func(t *testing.T) {
		inBubble(t, hydrant.Config{NoDelimiter: true}, nil, func(r *rig) {
			r.put("", "a", "")
			r.flush()
			r.stored("", "a", "")
		})
	})
}

// Vector and Redpanda Connect add no newline, so that records run together.
func TestDelimiter(t *testing.T) {
	tests := []struct {
		cfg  hydrant.Config
		want []string
	}{
		{hydrant.Config{}, []string{"\n", "a\n", "b\n", "c\n\n", "d||\n"}},
		{hydrant.Config{Delimiter: "||"}, []string{"||", "a||", "b\n||", "c\n\n||", "d||"}},
		{hydrant.Config{NoDelimiter: true}, []string{"", "a", "b\n", "c\n\n", "d||"}},
	}
	for _, test := range tests {
		inBubble(t, test.cfg, nil, func(r *rig) {
			r.put("", "a", "b\n", "c\n\n", "d||")
			r.flush()
			r.stored(test.want...)
		})
	}
}

func TestPutCopies(t *testing.T) {
	inBubble(t, hydrant.Config{}, nil, func(r *rig) {
		data := []byte("abc\n")
		r.put(string(data))
		if err := r.p.Put(r.Context(), data); err != nil {
			r.Fatal(err)
		}
		copy(data, "xxxx")
		r.flush()
		r.stored("abc\n", "abc\n")
	})
}

func TestLinger(t *testing.T) {
	inBubble(t, hydrant.Config{Linger: 3 * time.Second}, nil, func(r *rig) {
		start := time.Now()
		r.put("a")
		time.Sleep(2 * time.Second)
		r.put("b")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(r.seen.calls) != 1 || r.seen.calls[0].records != 2 || r.seen.calls[0].at.Sub(start) != 3*time.Second {
			r.Errorf("calls: %+v", r.seen.calls)
		}
		// A full call waits for nobody.
		r.put(lines(500)...)
		synctest.Wait()
		if len(r.seen.calls) != 2 || r.seen.calls[1].records != 500 {
			r.Errorf("calls: %+v", r.seen.calls)
		}
	})
}

// A call is full by bytes as well as by records.
func TestFullByBytesWaitsForNobody(t *testing.T) {
	inBubble(t, hydrant.Config{Linger: time.Hour}, nil, func(r *rig) {
		r.warm()
		r.put(slices.Repeat([]string{ofSize(1 << 19)}, 8)...)
		time.Sleep(time.Second) // the pace may hold it back, but the linger is an hour
		if diff := gocmp.Diff([]int{8}, r.seen.sizes()); diff != "" {
			r.Error(diff)
		}
	})
}

// Once maybe a duplicate, always one, whatever comes later.
func TestMaybeDuplicateSticks(t *testing.T) {
	inBubble(t, hydrant.Config{}, []local.Fault{hydranttest.ResetAfter(), hydranttest.RefuseAll()}, func(r *rig) {
		r.put("a")
		r.flush()
		r.stored("a\n", "a\n")
		if s := r.p.Stats(); s.MaybeDuplicate != 1 || !r.acks.list[0].MaybeDuplicate || r.acks.list[0].Attempts != 3 {
			r.Errorf("%+v, %+v", s, r.acks.list[0])
		}
	})
}

// Calls that were under way together and fail together are one failure: the next
// wait is that of a first one.
func TestCallsThatFailTogetherRaiseTheBackOffOnce(t *testing.T) {
	fault := hydranttest.RefuseAll()
	fault.Delay = time.Second
	for range 20 {
		inBubble(t, hydrant.Config{InFlight: 4}, slices.Repeat([]local.Fault{fault}, 4), func(r *rig) {
			r.put(lines(2000)...)
			r.flush()
			if gap := r.seen.calls[4].at.Sub(r.seen.calls[3].at) - time.Second; gap > 100*time.Millisecond {
				r.Errorf("the wait after 4 calls that failed together is %v, at most 100ms", gap)
			}
		})
	}
}

func TestPutRecordForEveryRecord(t *testing.T) {
	faults := []local.Fault{{}, hydranttest.RefuseAll(), hydranttest.ResetAfter()}
	inBubble(t, hydrant.Config{BatchRecords: 1, InFlight: 1}, faults, func(r *rig) {
		r.put("a", "b", "c")
		r.flush()
		for _, c := range r.seen.calls {
			if c.op != "PutRecord" {
				r.Errorf("%+v", c)
			}
		}
		r.stored("a\n", "b\n", "b\n", "c\n")
		if s := r.p.Stats(); s.Calls != 5 || s.FailedCalls != 2 || s.MaybeDuplicate != 1 {
			r.Errorf("%+v", s)
		}
	})
}

// Several calls run at once, but after a failure a single one tries.
func TestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, hydrant.Config{InFlight: 3}, hydranttest.Always(hydranttest.Slow(time.Second)))
		start := time.Now()
		r.put(lines(3000)...)
		r.flush()
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("6 calls of 1 s, 3 at once, took %v", took)
		}
		r.close()
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, hydrant.Config{InFlight: 8}, hydranttest.Always(hydranttest.Fail(503, wire.CodeServiceUnavailable, wire.SlowDown)))
		r.put(lines(4000)...)
		time.Sleep(time.Minute)
		// The first 4 start together; from then on one tries at a time.
		if n := len(r.seen.sizes()); n > 4+60 || n < 4+6 {
			t.Errorf("%d calls in a minute of outage", n)
		}
		r.seen.set(nil)
		r.flush()
		r.stored(lines(4000)...)
		r.close()
	})
}

// KPL's memory has no bound; ours holds while the endpoint is down.
func TestMemoryIsBoundedWhileTheEndpointIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, hydrant.Config{MaxBuffer: 1 << 20}, nil)
		r.fh.SetDown(true)
		synctest.Wait() // the client has seen its connections break
		accepted, blocked := 0, 0
		for {
			if err := r.p.TryPut(make([]byte, 1023)); errors.Is(err, hydrant.ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			accepted++
		}
		// A record is 1,024 bytes and 64 of overhead.
		if want := (1 << 20) / (1024 + 64); accepted != want {
			t.Errorf("%d records accepted, want %d", accepted, want)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := r.p.Put(context.Background(), make([]byte, 1023)); err != nil {
					t.Error(err)
				}
			})
			blocked++
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.p.Put(ctx, make([]byte, 1023)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Put with a full buffer: %v", err)
		}
		if s := r.p.Stats(); s.Pending != int64(accepted) || s.Delivered != 0 || s.MaybeDuplicate != 0 {
			t.Errorf("while down: %+v", s)
		}
		r.fh.SetDown(false)
		wg.Wait()
		r.close()
		if n := len(r.fh.Records(stream)); n != accepted+blocked {
			t.Errorf("%d records stored, want %d", n, accepted+blocked)
		}
		// Nothing was sent while it was down, so nothing can be there twice.
		if s := r.p.Stats(); s.MaybeDuplicate != 0 {
			t.Errorf("%d maybe duplicates", s.MaybeDuplicate)
		}
	})
}

// winston-firehose's close does not wait.
func TestCloseWaitsForTheFlush(t *testing.T) {
	faults := []local.Fault{hydranttest.Slow(5 * time.Second), hydranttest.RefuseAll(), hydranttest.ResetBefore()}
	inBubble(t, hydrant.Config{}, faults, func(r *rig) {
		r.put(lines(1200)...)
		r.close()
		r.stored(lines(1200)...)
		if s := r.p.Stats(); s.Delivered != 1200 || s.Pending != 0 || len(r.acks.list) != 1200 {
			r.Errorf("%+v, %d acks", s, len(r.acks.list))
		}
		for name, err := range map[string]error{
			"Put":    r.p.Put(r.Context(), nil),
			"TryPut": r.p.TryPut(nil),
			"Flush":  r.p.Flush(r.Context()),
			"Close":  r.p.Close(r.Context()),
		} {
			if !errors.Is(err, hydrant.ErrClosed) {
				r.Errorf("%s after Close: %v", name, err)
			}
		}
	})
}

func TestCloseGivesBackWhatItCouldNotDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, hydrant.Config{MaxBuffer: 1 << 20, InFlight: 2}, nil)
		r.put("delivered")
		r.flush()
		r.seen.set(hydranttest.Script(hydranttest.Slow(time.Hour), hydranttest.Slow(time.Hour)))
		r.put(slices.Repeat([]string{ofSize(100_000)}, 10)...)
		waiting := make(chan error)
		go func() { waiting <- r.p.Put(context.Background(), make([]byte, 200_000)) }()
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := r.p.Close(ctx)
		left, ok := errors.AsType[*hydrant.UndeliveredError](err)
		if !ok || !errors.Is(err, context.DeadlineExceeded) || len(left.Records) != 10 {
			t.Fatalf("Close: %v", err)
		}
		for _, d := range left.Records {
			// The call under way may have stored its records.
			if len(d.Data) != 100_000 || d.Stream != stream || d.MaybeDelivered != (d.Attempts > 0) {
				t.Errorf("%d bytes, %+v", len(d.Data), d)
			}
		}
		if err := <-waiting; !errors.Is(err, hydrant.ErrClosed) {
			t.Errorf("Put that waited for room: %v", err)
		}
		r.balanced()
		if s := r.p.Stats(); s.Pending != 10 {
			t.Errorf("%+v", s)
		}
	})
}

// A dead letter that can't be written keeps its records with the producer, and
// Close gives them back.
func TestCloseGivesBackWhatTheDeadLetterDidNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, hydrant.Config{}, nil)
		r.dead.fails = 1 << 30
		r.put(ofSize(2_000_000))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		left, ok := errors.AsType[*hydrant.UndeliveredError](r.p.Close(ctx))
		if !ok || len(left.Records) != 1 || left.Records[0].Code != hydrant.CodeRecordTooLarge {
			t.Errorf("Close: %+v", left)
		}
		r.balanced()
	})
}

// A call that takes too long is broken off; its records may be there twice.
func TestCallTimeout(t *testing.T) {
	inBubble(t, hydrant.Config{CallTimeout: 5 * time.Second}, []local.Fault{hydranttest.Slow(time.Minute)}, func(r *rig) {
		r.put("a")
		r.flush()
		if s := r.p.Stats(); s.FailedCalls != 1 || s.MaybeDuplicate != 1 || s.Delivered != 1 {
			r.Errorf("%+v", s)
		}
		if ack := r.acks.list[0]; ack.Attempts != 2 || !ack.MaybeDuplicate || ack.Latency < 5*time.Second {
			r.Errorf("%+v", ack)
		}
	})
}

func TestRefusedForGoodGoesToTheDeadLetter(t *testing.T) {
	faults := []local.Fault{
		hydranttest.Fail(400, wire.CodeAccessDenied, "no"),
		hydranttest.Fail(400, wire.CodeInvalidKMSResource, "disabled"),
	}
	inBubble(t, hydrant.Config{InFlight: 1}, faults, func(r *rig) {
		r.dead.fails = 2 // the disk is full for a while
		r.put("a", "b")
		r.flush()
		r.put("c")
		r.flush()
		r.put("d")
		r.flush()
		r.stored("d\n")
		r.inDead(wire.CodeAccessDenied, wire.CodeAccessDenied, wire.CodeInvalidKMSResource)
		for _, ack := range r.acks.list[:3] {
			if dead, ok := errors.AsType[*hydrant.DeadError](ack.Err); !ok || dead.Code == "" || ack.RecordID != "" {
				r.Errorf("%+v", ack)
			}
		}
	})
	inBubble(t, hydrant.Config{}, nil, func(r *rig) {
		r.deleteStream()
		r.put("a")
		r.flush()
		r.inDead(wire.CodeResourceNotFound)
	})
}

func TestAttemptsAreBounded(t *testing.T) {
	always := func(t *testing.T, cfg hydrant.Config, fault local.Fault, want int) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, cfg, hydranttest.Always(fault))
			r.put("a")
			r.flush()
			r.close()
			if len(r.dead.records) != 1 || r.dead.records[0].Attempts != want {
				t.Errorf("%+v, want 1 record after %d attempts", r.dead.records, want)
			}
		})
	}
	always(t, hydrant.Config{MaxAttempts: 3}, hydranttest.RefuseAll(), 3)
	always(t, hydrant.Config{MaxAttempts: 3}, hydranttest.Fail(503, wire.CodeServiceUnavailable, wire.SlowDown), 3)
	always(t, hydrant.Config{}, hydranttest.RefuseWith("NeverHeardOf", "?", 0), 10)
	always(t, hydrant.Config{}, hydranttest.Fail(400, "NeverHeardOf", "?"), 10)
}

// A token that expires is renewed, and the records are sent with the new one.
func TestExpiredCredentialsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		cfg := fh.AWSConfig()
		retrieved := 0
		inner := cfg.Credentials
		cfg.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
			retrieved++
			return inner.Retrieve(ctx)
		}))
		fh.CreateStream(stream)
		fh.SetFaults(hydranttest.Script(hydranttest.Fail(400, wire.CodeExpiredToken, "The security token included in the request is expired")))
		p, err := hydrant.New(t.Context(), hydrant.Config{Stream: stream, AWS: &cfg, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Put(t.Context(), []byte("a")); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := p.Stats(); s.Delivered != 1 || s.MaybeDuplicate != 0 || retrieved != 2 {
			t.Errorf("%+v, credentials retrieved %d times", s, retrieved)
		}
	})
}

// Flush waits for what was accepted before it, and for nothing else.
func TestFlush(t *testing.T) {
	inBubble(t, hydrant.Config{Linger: time.Hour, InFlight: 2}, []local.Fault{hydranttest.Slow(time.Second), hydranttest.Slow(30 * time.Second)}, func(r *rig) {
		start := time.Now()
		r.put("a")
		done := make(chan struct{})
		go func() { r.flush(); close(done) }()
		synctest.Wait()
		r.put("b")
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := r.p.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			r.Errorf("Flush of a slow record: %v", err)
		}
		<-done
		if s := r.p.Stats(); s.Delivered != 1 || time.Since(start) != 2*time.Second {
			r.Errorf("after %v: %+v", time.Since(start), s)
		}
		r.flush()
		r.flush() // of nothing
		r.stored("a\n", "b\n")
	})
}

// hasty answers before it has read the request, as a near and busy service may.
type hasty struct{ body io.Reader }

func (h *hasty) Do(req *http.Request) (*http.Response, error) {
	h.body = req.Body
	answer := `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"1"}]}`
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: req}, nil
}

// The SDK closes its request's body once an answer begins; net/http may not have
// read all of it by then.
func TestRequestBodyOutlivesTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hasty := &hasty{}
		r := newRig(t, hydrant.Config{AWS: &aws.Config{
			Region: "us-east-1", HTTPClient: hasty,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
			}),
		}}, nil)
		r.put("a")
		r.close()
		body, err := io.ReadAll(hasty.body)
		if want := `{"DeliveryStreamName":"logs","Records":[{"Data":"YQo="}]}`; string(body) != want || err != nil {
			t.Errorf("the body read after the answer is %q, %v; want %q", body, err, want)
		}
	})
}

func TestPutBatch(t *testing.T) {
	inBubble(t, hydrant.Config{}, []local.Fault{hydranttest.Refuse(1)}, func(r *rig) {
		var mu sync.Mutex
		attempts := map[int]int{}
		n, err := r.p.PutBatch(r.Context(), [][]byte{[]byte("a"), []byte("b"), []byte("c")}, func(a hydrant.Ack) {
			mu.Lock()
			defer mu.Unlock()
			attempts[a.Index] = a.Attempts
		})
		if n != 3 || err != nil {
			r.Errorf("PutBatch = %d, %v", n, err)
		}
		r.flush()
		if diff := gocmp.Diff(map[int]int{0: 1, 1: 2, 2: 1}, attempts); diff != "" {
			r.Error(diff)
		}
	})
}

func TestConfigErrorsNameEveryField(t *testing.T) {
	_, err := hydrant.New(t.Context(), hydrant.Config{
		Stream: "no spaces please", BatchRecords: 501, BatchBytes: 5 << 20, InFlight: -1, MaxBuffer: 1, MaxAttempts: -1,
		CallTimeout: -1, BackoffBase: time.Minute, BackoffCap: time.Second, Delimiter: string(bytes.Repeat([]byte("x"), 1025)),
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"Stream: ", "no spaces please", "BatchRecords is 501", "BatchBytes is 5242880", "InFlight is -1", "MaxBuffer is 1",
		"MaxAttempts is -1", "CallTimeout is -1ns", "BackoffCap (1s) is less than BackoffBase (1m0s)", "Delimiter has 1025 bytes",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

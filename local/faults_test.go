package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/wire"
)

// one is the same fault for every call.
type one Fault

func (o one) Next(string, int) Fault { return Fault(o) }

func refuse(indices ...int) func(int) (string, string) {
	return func(i int) (string, string) {
		for _, j := range indices {
			if i == j {
				return wire.CodeServiceUnavailable, wire.SlowDown
			}
		}
		return "", ""
	}
}

func TestFaults(t *testing.T) {
	const slow = wire.CodeServiceUnavailable
	for _, tt := range []struct {
		what      string
		fault     Fault
		err       string // of the batch
		entries   []string
		stored    string // by the batch
		throttled float64
		took      time.Duration
	}{
		{what: "none", entries: []string{"", "", ""}, stored: "abc"},
		{what: "refuse", fault: Fault{Refuse: refuse(0, 2)}, entries: []string{slow, "", slow}, stored: "b", throttled: 2},
		{
			what:    "refuse otherwise",
			fault:   Fault{Refuse: func(int) (string, string) { return "InternalFailure", "x" }},
			entries: []string{"InternalFailure", "InternalFailure", "InternalFailure"},
		},
		{what: "503", fault: Fault{Code: slow, Message: "Slow down."}, err: "ServiceUnavailableException: Slow down. (HTTP 503)", throttled: 3},
		{what: "400", fault: Fault{Status: 400, Code: "C", Message: "m"}, err: "C: m (HTTP 400)"},
		{what: "reset before", fault: Fault{Reset: ResetBefore}, err: server.ErrReset.Error()},
		{what: "reset after", fault: Fault{Reset: ResetAfter}, err: server.ErrReset.Error(), stored: "abc"},
		{what: "reset after refusing", fault: Fault{Reset: ResetAfter, Refuse: refuse(0)}, err: server.ErrReset.Error(), stored: "bc", throttled: 1},
		{what: "delay", fault: Fault{Delay: time.Minute}, entries: []string{"", "", ""}, stored: "abc", took: time.Minute},
		{what: "answer", fault: Fault{Answer: func(r *wire.PutResponse) { r.Entries = r.Entries[:1] }}, entries: []string{""}, stored: "abc"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := backend(t, Config{Faults: one(tt.fault)}, 5, 900)
				start := time.Now()
				resp, err := b.PutRecordBatch(t.Context(), me, "s", [][]byte{{'a'}, {'b'}, {'c'}})
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if got := fmt.Sprint(err); err != nil && got != tt.err || err == nil && tt.err != "" {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				var codes []string
				for _, e := range resp.Entries {
					codes = append(codes, e.ErrorCode)
				}
				if diff := cmp.Diff(tt.entries, codes); diff != "" {
					t.Errorf("entries: %s", diff)
				}
				wantSums(t, b, map[string]float64{"ThrottledRecords": tt.throttled, "IncomingRecords": float64(len(tt.stored))})
				_ = b.Flush(t.Context())
				if _, bodies := delivered(t, b); strings.Join(bodies, "") != tt.stored {
					t.Errorf("stored %q, want %q", bodies, tt.stored)
				}
			})
		})
	}
}

// TestPutRecordFaults: what refuses the only record fails the call.
func TestPutRecordFaults(t *testing.T) {
	b := backend(t, Config{}, 5, 900)
	for _, tt := range []struct {
		fault Fault
		want  error
	}{
		{Fault{}, nil},
		{Fault{Refuse: refuse(0)}, &wire.Error{Status: 503, Code: "ServiceUnavailableException", Message: "Slow down."}},
		{Fault{Refuse: func(int) (string, string) { return "InternalFailure", "x" }}, &wire.Error{Status: 500, Code: "InternalFailure", Message: "x"}},
		{Fault{Code: "C", Status: 418, Message: "m"}, &wire.Error{Status: 418, Code: "C", Message: "m"}},
		{Fault{Reset: ResetBefore}, server.ErrReset},
		{Fault{Reset: ResetAfter}, server.ErrReset},
		{Fault{Answer: func(r *wire.PutResponse) { *r = wire.PutResponse{} }}, nil},
	} {
		b.SetFaults(one(tt.fault))
		_, _, err := b.PutRecord(t.Context(), me, "s", []byte("x"))
		if fmt.Sprint(err) != fmt.Sprint(tt.want) {
			t.Errorf("%+v: %v, want %v", tt.fault, err, tt.want)
		}
	}
	b.SetFaults(nil)
	if _, _, err := b.PutRecord(t.Context(), me, "s", []byte("x")); err != nil {
		t.Error(err)
	}
}

func TestDelayEndsWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, Config{Faults: one(Fault{Delay: time.Hour})}, 5, 900)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.PutRecordBatch(ctx, me, "s", [][]byte{{1}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a delayed call that the client gave up: %v", err)
		}
	})
}

func TestPlanIsDeterministic(t *testing.T) {
	draw := func(seed uint64) []string {
		p := &Plan{Seed: seed, Refuse: 0.2, Error: 0.2, ResetBefore: 0.1, ResetAfter: 0.1, DelayShare: 0.5, Delay: time.Second}
		var list []string
		for n := range 50 {
			f := p.Next("PutRecordBatch", n)
			s := fmt.Sprint(f.Delay, f.Status, f.Code, f.Reset)
			for i := range n {
				code, _ := f.Refuse(i)
				s += "," + code
			}
			list = append(list, s)
		}
		return list
	}
	if diff := cmp.Diff(draw(1), draw(1)); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(draw(1), draw(2)) {
		t.Error("two seeds give the same faults")
	}
}

// TestPlanShares: each fault is about as frequent as asked for. The seed is
// fixed, so this can't fail by chance.
func TestPlanShares(t *testing.T) {
	const calls, records = 4000, 5
	p := &Plan{Seed: 7, Refuse: 0.2, Error: 0.3, ResetBefore: 0.1, ResetAfter: 0.15, DelayShare: 0.25, Delay: time.Second}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for range calls {
		f := p.Next("PutRecordBatch", records)
		switch {
		case f.Code != "":
			got[fmt.Sprint(f.Status, " ", f.Code)]++
		case f.Reset != NoReset:
			got[fmt.Sprint("reset ", f.Reset)]++
		}
		if f.Delay > 0 && f.Delay < time.Second {
			got["delay"]++
		}
		for i := range records {
			if code, message := f.Refuse(i); code == wire.CodeServiceUnavailable && message == "Slow down." {
				got["refuse"] += 1. / records
			}
		}
	}
	for what, want := range map[string]float64{
		"503 ServiceUnavailableException": 0.15, "500 InternalFailure": 0.15,
		"reset 1": 0.1, "reset 2": 0.15, "delay": 0.25, "refuse": 0.2,
	} {
		if share := got[what] / calls; math.Abs(share-want) > 0.02 {
			t.Errorf("%s: share %.3f, want %.2f", what, share, want)
		}
	}
}

func TestPlanValidate(t *testing.T) {
	for _, tt := range []struct {
		p    *Plan
		want string
	}{
		{&Plan{Refuse: 1, Error: 0.5, ResetBefore: 0.5, DelayShare: 1, Delay: 1}, ""},
		{&Plan{Refuse: 1.1}, "Refuse is 1.1"},
		{&Plan{Error: -0.1}, "Error is -0.1"},
		{&Plan{DelayShare: math.NaN()}, "DelayShare is NaN"},
		{&Plan{Error: 0.5, ResetAfter: 0.6}, "Error+ResetBefore+ResetAfter is 1.1"},
		{&Plan{Delay: -1}, "delay is -1ns"},
	} {
		err := tt.p.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Validate = %v, want %q", err, tt.want)
		}
	}
}

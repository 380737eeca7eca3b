package hydrant_test

import (
	"math"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/wire"
)

// The hook is told of each call what became of it.
func TestOnCall(t *testing.T) {
	var mu sync.Mutex
	var calls []hydrant.CallInfo
	cfg := hydrant.Config{OnCall: func(c hydrant.CallInfo) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, c)
	}, PackRecords: 2}
	faults := []local.Fault{hydranttest.Fail(503, wire.CodeServiceUnavailable, wire.SlowDown), hydranttest.ResetBefore(), hydranttest.Refuse(1), hydranttest.Slow(3 * time.Second)}
	inPackedBubble(t, cfg, faults, func(r *rig) {
		start := time.Now()
		r.put("a", "b", "c", "d", "e")
		time.Sleep(2 * time.Second) // lingers for the first of them
		r.flush()
		mu.Lock()
		defer mu.Unlock()
		if len(calls) != 4 {
			r.Fatalf("%+v", calls)
		}
		for i := range calls {
			c := &calls[i]
			if c.Start.Before(start) || c.Stream != stream || c.Took < 0 || (c.Slowest > 0) != (c.Delivered > 0) {
				r.Errorf("call %d: %+v", i, *c)
			}
			if answered := i != 1; (c.RequestID != "") != answered {
				r.Errorf("call %d has request id %q", i, c.RequestID)
			}
			if i == 3 && (c.Took < 3*time.Second || c.Slowest != time.Since(start)) {
				r.Errorf("took %v, the slowest %v: %v after the start", c.Took, c.Slowest, time.Since(start))
			}
			c.Start, c.Took, c.Slowest, c.Stream, c.RequestID = time.Time{}, 0, 0, "", ""
			if c.Code == "" && c.Message != "" {
				c.Message = "no answer"
			}
		}
		if diff := gocmp.Diff([]hydrant.CallInfo{
			{Records: 5, FirehoseRecords: 3, Bytes: 10, Code: wire.CodeServiceUnavailable, Message: wire.SlowDown},
			{Records: 5, FirehoseRecords: 3, Bytes: 10, Message: "no answer"},
			{Records: 5, FirehoseRecords: 3, Bytes: 10, Delivered: 3, Refused: 2},
			{Records: 2, FirehoseRecords: 1, Bytes: 4, Delivered: 2},
		}, calls); diff != "" {
			r.Error(diff)
		}
	})
}

// What the linger costs is told by the rate of late, not of all time.
func TestBillInDollars(t *testing.T) {
	inPackedBubble(t, hydrant.Config{Linger: time.Second}, nil, func(r *rig) {
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 0.15*want {
				r.Errorf("%s is $%.6f, want about $%.6f", what, got, want)
			}
		}
		minute := func(lines int) hydrant.Stats {
			for range 60 {
				for range lines {
					r.put("12345678")
				}
				time.Sleep(1010 * time.Millisecond)
			}
			return r.p.Stats()
		}
		s := minute(10)
		near("billed", s.BilledUSD, 60*5120*0.029/(1<<30))
		near("unpacked", s.UnpackedBilledUSD, 600*5120*0.029/(1<<30))
		// One pack a second of 90 bytes, billed as 5,120.
		near("a month of linger", s.LingerUSDPerMonth, 5030*wire.SecondsPerMonth*0.029/(1<<30))
		if s.PriceNote == "" {
			r.Error("no note on the price in us-east-1")
		}
		// Now 5,040 bytes, where the padding is 80.
		s = minute(560)
		near("a month of less linger", s.LingerUSDPerMonth, 80*wire.SecondsPerMonth*0.029/(1<<30))
		if s.BufferedBytes != 0 || s.InFlight != 0 {
			r.Errorf("%+v", s)
		}
		r.put("x")
		if s := r.p.Stats(); s.BufferedBytes != 2+64 {
			r.Errorf("%d bytes buffered", s.BufferedBytes)
		}
	})
}
